//! One connection, one request, one answer as it comes.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::message::{HttpError, Request, Response};
use super::wire::{self, BodyDecoder, Start, StartReader};
use crate::model::ErrorKind;
use crate::model::target::RAW_PRINT_PORTS;
use crate::net::{Connection, ConnectionStage, NetError};
use crate::probe::memory::{NoRoom, Room};
use crate::probe::negotiation::Authorization;
use crate::probe::{Encryption, Peer};
use crate::wire::buffer::{FREE, grow};
use crate::wire::head::MAX_HEAD;

/// A body that was announced longer than it is, or not announced at all, is taken for whole after this pause.
const BODY_PAUSE: Duration = Duration::from_secs(2);

/// The text of a refusal whose length is not said is awaited no longer than this: it comes with the head or not at all.
/// Some servers leave the connection open behind `405 Method Not Allowed` and an empty line.
const REFUSAL_PAUSE: Duration = Duration::from_millis(250);

/// Interim answers (1xx) before one answer at most.
const MOST_INTERIM: usize = 16;

/// Pieces in a row that hold nothing of the body, as chunk sizes and empty lines, at most.
const MOST_EMPTY: usize = 64;

/// Of a body without end, this much of its beginning is read at most: bytes, and time.
const ENDLESS_BYTES: usize = 16 * 1024;
/// See [`ENDLESS_BYTES`].
const ENDLESS_TIME: Duration = Duration::from_millis(250);

/// One connection, one request, the head of its answer. A connection closed before any answer is opened once more:
/// cameras drop what they kept half open.
pub(super) async fn exchange(
    peer: &Peer,
    request: &Request,
    authorization: Option<&Authorization>,
) -> Result<(Response, Body), HttpError> {
    let outcome = exchange_once(peer, request, authorization).await;
    let target = crate::text::redact_url(&request.target);
    match &outcome {
        Ok((response, _)) => {
            tracing::debug!(ip = %peer.ip, port = request.at.port, status = response.status, "{} {target}", request.method);
        }
        Err(error) => {
            tracing::debug!(ip = %peer.ip, port = request.at.port, %error, "{} {target}", request.method);
            if error.kind == ErrorKind::Timeout {
                peer.history.note_hung(request.at.port);
            }
        }
    }
    let has_login = authorization.is_some() || request.signed;
    match outcome {
        Err(error) if error.kind == ErrorKind::Closed && !has_login && peer.retries > 0 => {
            peer.is_worth_asking_again(request.at.port);
            exchange_once(peer, request, authorization).await
        }
        outcome => outcome,
    }
}

async fn exchange_once(
    peer: &Peer,
    request: &Request,
    authorization: Option<&Authorization>,
) -> Result<(Response, Body), HttpError> {
    if RAW_PRINT_PORTS.contains(&request.at.port) {
        return Err(HttpError::new(ErrorKind::Local, format!("port {} is never asked", request.at.port)));
    }
    let mut connection = peer.connect_to(request.at).await?;
    let login = authorization.map(|login| login.by(&Encryption::of(&connection), &peer.logins)).transpose();
    let login = login.map_err(|why| {
        HttpError::new(ErrorKind::Tls, format!("{}: no login was sent: {}", connection.peer, why.clause()))
    })?;
    let deadline = peer.request_deadline();
    let sent = timeout_at(deadline, connection.write_all(&request.emit(peer, login))).await;
    let (start, rest) = match read_start(&mut connection, deadline).await {
        // The answer counts, even when the server did not take the whole request.
        Ok(read) => read,
        Err(error) => {
            return Err(match sent {
                Ok(Err(failed)) => NetError::from_io(connection.peer, ConnectionStage::Write, &failed).into(),
                _ => error,
            });
        }
    };
    let (head, decoder) = match start {
        Start::Head(head, _) => {
            let decoder = head.body(request.method);
            (head, decoder)
        }
        _ if looks_like_content(&rest) => {
            let head = wire::Head { status: 200, version: "HTTP/0.9".to_owned(), ..wire::Head::default() };
            (head, BodyDecoder::until_close())
        }
        _ => {
            let banner = rest.get(..rest.len().min(64)).unwrap_or_default().to_vec();
            let message = format!("{}: answered something that is not HTTP", connection.peer);
            return Err(HttpError { banner, ..HttpError::new(ErrorKind::Protocol, message) });
        }
    };
    let response = Response {
        status: head.status,
        version: head.version,
        headers: head.headers,
        at: request.at,
        target: request.target.clone(),
        method: request.method,
        tls_info: connection.tls.as_ref().map(|(info, _)| info.clone()),
        connected_in: connection.connected_in,
        tls_in: connection.tls.as_ref().map(|(_, took)| *took),
        ..Response::default()
    };
    let is_refusal = response.status >= 400 && decoder.ends_with_connection();
    let body = Body {
        connection,
        decoder,
        pending: rest,
        decoded: Vec::new(),
        pause: if is_refusal { REFUSAL_PAUSE } else { BODY_PAUSE },
        is_refusal,
        is_left_open: false,
        no_room: None,
        room: peer.memory.room(),
        most_patience: peer.deadline,
    };
    Ok((response, body))
}

/// Reads until the head is whole; gives it and what came after it. Interim answers (1xx) are passed over.
async fn read_start(connection: &mut Connection, deadline: Instant) -> Result<(Start, Vec<u8>), HttpError> {
    let peer = connection.peer;
    let mut bytes = Vec::with_capacity(4096);
    let (mut ended, mut interim, mut reader) = (false, 0, StartReader::default());
    loop {
        match reader.read(&bytes, ended) {
            Start::Head(head, len) if matches!(head.status, 100..=199) && !ended && head.status != 101 => {
                interim += 1;
                if interim > MOST_INTERIM {
                    let message = format!("{peer}: more than {MOST_INTERIM} interim answers (status {})", head.status);
                    return Err(HttpError::new(ErrorKind::Protocol, message));
                }
                bytes.drain(..len.min(bytes.len()));
                reader = StartReader::default();
                continue;
            }
            Start::Head(head, len) => {
                bytes.drain(..len.min(bytes.len()));
                return Ok((Start::Head(head, len), bytes));
            }
            Start::TooLarge => {
                let message = format!("{peer}: headers of more than {} KiB", MAX_HEAD / 1024);
                return Err(HttpError::new(ErrorKind::TooLarge, message));
            }
            Start::Bare if !bytes.is_empty() => return Ok((Start::Bare, bytes)),
            _ if ended => {
                return Err(HttpError::new(ErrorKind::Closed, format!("{peer}: closed without an answer")));
            }
            _ => {}
        }
        // One that never pauses leaves no other moment to look at the clock.
        let is_late = !bytes.is_empty() && Instant::now() >= deadline;
        match timeout_at(deadline, connection.read_buf(&mut bytes)).await {
            _ if is_late => ended = true,
            Err(_) if bytes.is_empty() => return Err(NetError::timeout(peer, ConnectionStage::Read).into()),
            Err(_) | Ok(Ok(0)) => ended = true,
            Ok(Ok(_)) => {}
            // A reset right behind the answer.
            Ok(Err(_)) if !bytes.is_empty() => ended = true,
            Ok(Err(error)) => return Err(NetError::from_io(peer, ConnectionStage::Read, &error).into()),
        }
    }
}

/// Whether bytes without a status line are a page, a picture or data rather than another protocol's greeting.
fn looks_like_content(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    let is_part = || {
        let head = text.get(..text.len().min(256)).unwrap_or_default().to_ascii_lowercase();
        text.starts_with(b"--") && head.windows(13).any(|w| w == b"content-type:")
    };
    text.starts_with(b"<") || text.starts_with(b"{") || bytes.starts_with(&[0xff, 0xd8]) || is_part()
}

/// A body as it comes.
pub struct Body {
    connection: Connection,
    decoder: BodyDecoder,
    /// Read already, framing still on.
    pending: Vec<u8>,
    /// Read already, framing off.
    decoded: Vec<u8>,
    /// A body that was announced longer than it is, or not at all, is taken for whole after this pause.
    pause: Duration,
    /// What comes, if anything, is the text of a refusal, of unknown length.
    is_refusal: bool,
    /// Nothing came within the pause, and the connection stayed open.
    is_left_open: bool,
    /// Why not all of it was read.
    no_room: Option<NoRoom>,
    /// The room of what is read as a whole.
    room: Room,
    /// Until when room is waited for.
    most_patience: Instant,
}

impl Body {
    /// Whether it has come whole, and nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.decoder.is_complete() && self.decoded.is_empty()
    }

    /// The next bytes, without framing; none at the end. Chunked bodies are joined, packed ones stay packed.
    ///
    /// # Errors
    /// Nothing came before `deadline`, or the connection broke.
    pub async fn next(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>, HttpError> {
        let peer = self.connection.peer;
        let mut out = std::mem::take(&mut self.decoded);
        for _ in 0..MOST_EMPTY {
            let read = std::mem::take(&mut self.pending);
            self.decoder.decode(&read, &mut out);
            if !out.is_empty() {
                return Ok(Some(out));
            }
            if self.decoder.is_complete() {
                return Ok(None);
            }
            let mut read = Vec::with_capacity(16 * 1024);
            match timeout_at(deadline, self.connection.read_buf(&mut read)).await {
                Err(_) => return Err(NetError::timeout(peer, ConnectionStage::Read).into()),
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => self.pending = read,
                Ok(Err(error)) => return Err(NetError::from_io(peer, ConnectionStage::Read, &error).into()),
            }
        }
        Err(HttpError::new(ErrorKind::Protocol, format!("{peer}: a body of framing alone")))
    }

    /// Whether the server said no, and left the connection open without saying more.
    pub(super) fn is_left_open(&self) -> bool {
        self.is_left_open
    }

    /// Puts back what was read and is wanted once more.
    pub(super) fn put_back(&mut self, read: Vec<u8>) {
        self.decoded = read;
    }

    /// The whole body into `response`, unpacked, at most `limit` bytes.
    pub(super) async fn read_into(&mut self, response: &mut Response, limit: usize, deadline: Instant) {
        // Moving pictures and radio have no end; their headers are enough.
        let content_type = response.content_type();
        let is_endless = content_type == "multipart/x-mixed-replace"
            || (content_type.starts_with("audio/") && !response.headers.has("Content-Length"));
        let (limit, deadline) = match is_endless {
            true => (limit.min(ENDLESS_BYTES), deadline.min(Instant::now() + ENDLESS_TIME)),
            false => (limit, deadline),
        };
        let (packed, ended_early) = self.read_all(limit, deadline).await;
        let encoding = response.header("Content-Encoding");
        let encoding = encoding.as_deref();
        // While it is unpacked both are held.
        let together = if wire::is_packed(&packed, encoding) { packed.len().saturating_add(limit) } else { 0 };
        let (body, cut) = match self.room.fit(together, self.most_patience).await {
            Ok(()) => wire::unpack(packed, encoding, limit),
            Err(why) => {
                self.no_room = Some(why);
                (Vec::new(), true)
            }
        };
        (response.body, response.truncated) = (body, ended_early || cut);
        response.notes.extend(self.no_room.map(|why| format!("not all of the answer was read: {why}")));
        self.room.shrink(response.body.len());
        if self.room.bytes() > FREE {
            let free = self.room.another();
            response.room = Some(Arc::new(std::mem::replace(&mut self.room, free)));
        }
    }

    /// Everything up to `limit` bytes, and whether there was or should have been more.
    pub(super) async fn read_all(&mut self, limit: usize, deadline: Instant) -> (Vec<u8>, bool) {
        let (mut body, mut deadline) = (Vec::new(), deadline);
        loop {
            let pause = match body.is_empty() && !self.is_refusal {
                true => deadline,
                false => deadline.min(Instant::now() + self.pause),
            };
            let piece = match self.next(pause).await {
                Ok(Some(piece)) => piece,
                Ok(None) => return (body, !self.decoder.is_complete() && !self.decoder.ends_with_connection()),
                Err(error) => {
                    self.is_left_open = self.is_refusal && body.is_empty() && error.kind == ErrorKind::Timeout;
                    return (body, true);
                }
            };
            // The time spent waiting for room is not the server's.
            let before = Instant::now();
            if let Err(why) = self.room.fit(body.len() + piece.len().min(limit), self.most_patience).await {
                self.no_room = Some(why);
                return (body, true);
            }
            deadline += before.elapsed();
            grow(&mut body, piece.len());
            body.extend_from_slice(&piece);
            if body.len() > limit {
                body.truncate(limit);
                return (body, true);
            }
            if Instant::now() >= deadline {
                return (body, true);
            }
        }
    }
}
