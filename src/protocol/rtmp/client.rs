//! One RTMP connection: handshake, commands and their answers, messages as they come. Bounded in time and bytes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::amf::Value;
use super::wire::{self, BLOCK, Message, Reader, kind};
use crate::model::ErrorKind;
use crate::net::{Connection, ConnectionStage, NetError};
use crate::probe::Peer;
use crate::probe::memory::{NoRoom, Room};
use crate::text;
use crate::wire::url::Endpoint;

/// Messages awaited for one answer at most.
const MAX_MESSAGES: usize = 512;
/// Pings, windows and acknowledgements in a row at most.
const MAX_CONTROLS: usize = 256;
/// Acknowledged after that many bytes until the server names a window.
const WINDOW: u32 = 2_500_000;

/// Why a connection did not do what was asked. The message is cleaned and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtmpError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// In words.
    pub message: String,
    /// What came instead of RTMP, at most 64 bytes.
    pub banner: Vec<u8>,
}

impl RtmpError {
    /// A failure of a kind, in words.
    pub fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        RtmpError { kind, message: text::clean(message.as_ref()), banner: Vec::new() }
    }
}

impl From<NetError> for RtmpError {
    fn from(error: NetError) -> Self {
        RtmpError::new(error.kind(), error.to_string())
    }
}

/// A server's answer to `connect` or `play`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// `NetConnection.Connect.Success`, `NetStream.Play.StreamNotFound`, …; cleaned, empty when none was given.
    pub code: String,
    /// In the server's words, cleaned.
    pub description: String,
    /// What the server calls itself (`fmsVer`), cleaned.
    pub server: Option<String>,
    /// Whether it was `_error`, or a status of level `error`.
    pub refused: bool,
}

/// A connection after its handshake.
pub struct Client {
    connection: Connection,
    reader: Reader,
    /// The room of what is gathered, and until when a larger one is waited for.
    room: Room,
    patience: Instant,
    /// Bytes read since the last acknowledgement, and all in all.
    unacknowledged: u32,
    read: u32,
    window: u32,
    /// How long the TCP connect took.
    pub connected_in: Duration,
    /// How long TLS took.
    pub tls_in: Option<Duration>,
    /// How long the handshake of RTMP took.
    pub shaken_in: Duration,
}

impl Client {
    /// Connects and shakes hands: C0 to C2, S0 to S2.
    ///
    /// # Errors
    /// Connection failures; `Protocol` when what answers is not RTMP; `Timeout` when nothing does.
    pub async fn open(peer: &Peer, at: Endpoint) -> Result<Client, RtmpError> {
        let mut connection = peer.connect_to(at).await?;
        let deadline = peer.request_deadline();
        let started = Instant::now();
        let random = std::array::from_fn(|_| fastrand::u8(..));
        write(&mut connection, &wire::hello(&random), deadline).await?;
        let mut answer = Vec::with_capacity(1 + 2 * BLOCK);
        // S2 comes only after C2 with some servers.
        fill(&mut connection, &mut answer, 1 + BLOCK, deadline).await?;
        let theirs = answer.get(1..=BLOCK).unwrap_or_default().to_vec();
        write(&mut connection, &theirs, deadline).await?;
        fill(&mut connection, &mut answer, 1 + 2 * BLOCK, deadline).await?;
        let mut reader = Reader::default();
        reader.push(answer.get(1 + 2 * BLOCK..).unwrap_or_default());
        Ok(Client {
            connected_in: connection.connected_in,
            tls_in: connection.tls.as_ref().map(|(_, took)| *took),
            shaken_in: started.elapsed(),
            connection,
            reader,
            room: peer.memory.room(),
            patience: peer.deadline,
            unacknowledged: 0,
            read: 0,
            window: WINDOW,
        })
    }

    /// Connects to an application.
    ///
    /// # Errors
    /// The connection fails or nothing comes in time. A refusal is an answer.
    pub async fn connect(&mut self, peer: &Peer, app: &str, url: &str) -> Result<Answer, RtmpError> {
        let fields = [
            ("app", Value::text(app)),
            ("flashVer", Value::text(concat!("camscan/", env!("CARGO_PKG_VERSION")))),
            ("tcUrl", Value::text(url)),
            ("fpad", Value::Boolean(false)),
            ("capabilities", Value::Number(15.0)),
            ("audioCodecs", Value::Number(4071.0)),
            ("videoCodecs", Value::Number(252.0)),
            ("videoFunction", Value::Number(1.0)),
            ("fourCcList", Value::Array(["hvc1", "av01", "vp09"].map(Value::text).to_vec())),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let command = [Value::text("connect"), Value::Number(1.0), Value::Object(fields)];
        self.send(&Message::command(0, &command), peer.request_deadline()).await?;
        let values = self.result(1.0, peer.request_deadline()).await?;
        Ok(answer(&values))
    }

    /// Creates a message stream; its number.
    ///
    /// # Errors
    /// As [`Client::connect`]; `Device` when the server refuses.
    pub async fn create_stream(&mut self, peer: &Peer) -> Result<u32, RtmpError> {
        let command = [Value::text("createStream"), Value::Number(2.0), Value::Null];
        self.send(&Message::command(0, &command), peer.request_deadline()).await?;
        let values = self.result(2.0, peer.request_deadline()).await?;
        let number = values.get(3).and_then(Value::as_number).filter(|n| (0.0..=1.0e9).contains(n));
        number.map(|n| n as u32).ok_or_else(|| RtmpError::new(ErrorKind::Device, "no stream was created"))
    }

    /// Asks for a live stream by name. Its answer comes among the messages.
    ///
    /// # Errors
    /// The connection fails.
    pub async fn play(&mut self, peer: &Peer, stream: u32, name: &str) -> Result<(), RtmpError> {
        // -2: live, or else recorded.
        let command = [Value::text("play"), Value::Number(0.0), Value::Null, Value::text(name), Value::Number(-2000.0)];
        self.send(&Message::command(stream, &command), peer.request_deadline()).await
    }

    /// Deletes a message stream and closes the connection; waits for nothing.
    pub async fn close(mut self, stream: Option<u32>) {
        let deadline = Instant::now() + Duration::from_millis(500);
        if let Some(stream) = stream {
            let number = Value::Number(f64::from(stream));
            let command = [Value::text("deleteStream"), Value::Number(0.0), Value::Null, number];
            let _ = self.send(&Message::command(0, &command), deadline).await;
        }
        let _ = timeout_at(deadline, self.connection.shutdown()).await;
    }

    async fn result(&mut self, number: f64, deadline: Instant) -> Result<Vec<Value>, RtmpError> {
        for _ in 0..MAX_MESSAGES {
            let Some(message) = self.next_message(deadline).await? else {
                return Err(RtmpError::new(ErrorKind::Closed, "closed without an answer to a command"));
            };
            let values = message.values();
            let name = values.first().and_then(Value::as_text).unwrap_or_default();
            let is_ours = values.get(1).and_then(Value::as_number) == Some(number);
            if matches!(name, "_result" | "_error") && is_ours {
                return Ok(values);
            }
        }
        Err(RtmpError::new(ErrorKind::Protocol, "no answer to a command among many messages"))
    }

    async fn send(&mut self, message: &Message, deadline: Instant) -> Result<(), RtmpError> {
        write(&mut self.connection, &message.emit(), deadline).await
    }

    /// The next message; none at the end. Pings, windows and acknowledgements are minded and not given.
    ///
    /// # Errors
    /// Nothing came before `deadline`, the connection broke, or what came makes no sense.
    pub async fn next_message(&mut self, deadline: Instant) -> Result<Option<Message>, RtmpError> {
        let peer = self.connection.peer;
        let mut controls = 0;
        loop {
            let next = self.reader.next_message();
            match next.map_err(|broken| RtmpError::new(ErrorKind::Protocol, format!("{peer}: {broken}")))? {
                Some(message) if self.minded(&message, deadline).await? => {
                    controls += 1;
                    if controls > MAX_CONTROLS {
                        let message = format!("{peer}: more than {MAX_CONTROLS} control messages in a row");
                        return Err(RtmpError::new(ErrorKind::Protocol, message));
                    }
                    continue;
                }
                Some(message) => return Ok(Some(message)),
                None => {}
            }
            let mut read = Vec::with_capacity(16 * 1024);
            match timeout_at(deadline, self.connection.read_buf(&mut read)).await {
                Err(_) => return Err(NetError::timeout(peer, ConnectionStage::Read).into()),
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(length)) => {
                    self.make_room(self.reader.held() + length).await?;
                    self.reader.push(&read);
                    self.acknowledge(length, deadline).await?;
                }
                Ok(Err(error)) => return Err(NetError::from_io(peer, ConnectionStage::Read, &error).into()),
            }
        }
    }

    /// Makes room for so many bytes: of what is gathered, and of what was made of it.
    ///
    /// # Errors
    /// Others had it for too long.
    pub async fn make_room(&mut self, bytes: usize) -> Result<(), RtmpError> {
        let fits = self.room.fit(bytes, self.patience).await;
        fits.map_err(|why: NoRoom| RtmpError::new(ErrorKind::Local, why.to_string()))
    }

    /// Gives the room away, to whoever keeps what was made of what came.
    pub fn take_room(&mut self) -> Room {
        let free = self.room.another();
        std::mem::replace(&mut self.room, free)
    }

    async fn acknowledge(&mut self, length: usize, deadline: Instant) -> Result<(), RtmpError> {
        let length = u32::try_from(length).unwrap_or(0);
        (self.read, self.unacknowledged) = (self.read.wrapping_add(length), self.unacknowledged.saturating_add(length));
        if self.unacknowledged >= self.window {
            self.unacknowledged = 0;
            self.send(&Message::control(kind::ACKNOWLEDGEMENT, self.read), deadline).await?;
        }
        Ok(())
    }

    /// Does what a control message asks for; whether it was one.
    async fn minded(&mut self, message: &Message, deadline: Instant) -> Result<bool, RtmpError> {
        match (message.kind, message.body.as_slice()) {
            (kind::WINDOW_SIZE, body) => {
                let size = body.first_chunk::<4>().map_or(WINDOW, |b| u32::from_be_bytes(*b));
                // A window of nothing would be acknowledged without end.
                self.window = size.max(64 * 1024);
            }
            (kind::USER_CONTROL, [0, 6, stamp @ ..]) => {
                let stamp = stamp.get(..stamp.len().min(4)).unwrap_or_default();
                let body = [&[0, 7], stamp].concat();
                let pong = Message { kind: kind::USER_CONTROL, timestamp_ms: 0, stream: 0, body };
                self.send(&pong, deadline).await?;
            }
            (kind::USER_CONTROL | kind::ACKNOWLEDGEMENT | 6, _) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads an answer out of a command's values: its code, and what the server says of itself.
pub fn answer(values: &[Value]) -> Answer {
    let field =
        |name: &str| values.iter().filter_map(|v| v.get(name)).find_map(Value::as_text).and_then(text::clean_some);
    let is_error = values.first().and_then(Value::as_text) == Some("_error");
    Answer {
        code: field("code").unwrap_or_default(),
        description: field("description").unwrap_or_default(),
        server: field("fmsVer"),
        refused: is_error || field("level").is_some_and(|l| l == "error"),
    }
}

async fn write(connection: &mut Connection, bytes: &[u8], deadline: Instant) -> Result<(), RtmpError> {
    let peer = connection.peer;
    match timeout_at(deadline, async { connection.write_all(bytes).await.and(connection.flush().await) }).await {
        Err(_) => Err(NetError::timeout(peer, ConnectionStage::Write).into()),
        Ok(outcome) => outcome.map_err(|error| NetError::from_io(peer, ConnectionStage::Write, &error).into()),
    }
}

/// Reads until so many bytes are there. What does not begin as S0 is refused at once.
async fn fill(
    connection: &mut Connection,
    bytes: &mut Vec<u8>,
    wanted: usize,
    deadline: Instant,
) -> Result<(), RtmpError> {
    let peer = connection.peer;
    while bytes.len() < wanted {
        let read = timeout_at(deadline, connection.read_buf(bytes)).await;
        let is_rtmp = bytes.first().is_none_or(|&version| version == wire::VERSION);
        match read {
            _ if !is_rtmp => {
                let banner = bytes.get(..bytes.len().min(64)).unwrap_or_default().to_vec();
                let error = RtmpError::new(ErrorKind::Protocol, format!("{peer}: answered something that is not RTMP"));
                return Err(RtmpError { banner, ..error });
            }
            Err(_) => return Err(NetError::timeout(peer, ConnectionStage::Read).into()),
            Ok(Ok(0)) => {
                return Err(RtmpError::new(ErrorKind::Closed, format!("{peer}: closed within the handshake")));
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(NetError::from_io(peer, ConnectionStage::Read, &error).into()),
        }
    }
    Ok(())
}
