//! One RTSP connection: requests go out one at a time, answers are matched by order, interleaved data is put aside.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::headers::RtspHeaders;
use super::wire::{Decoder, Item, Next, Response};
use crate::model::ErrorKind;
use crate::net::error::kind_of;
use crate::net::{Connection, tls::TlsInfo};
use crate::probe::Encryption;
use crate::probe::gate::StreamTurn;
use crate::wire::greeting;

/// What may be whole is taken as whole after the device has been silent for so long.
const QUIET: Duration = Duration::from_millis(500);

/// The most bytes without meaning read from a connection within [`COUNTED`], and the most data put aside while an answer
/// is awaited.
const MOST_JUNK: usize = 1024 * 1024;
const MOST_WAITING: usize = 1024 * 1024;

/// The most requests of the device that are answered, and that are read, within [`COUNTED`].
const MOST_REPLIES: u32 = 32;
const MOST_REQUESTS: u32 = 1024;

/// What is counted of a connection is forgotten after so long: one that lasts for hours may be odd now and then.
const COUNTED: Duration = Duration::from_secs(60);

/// The most that comes before one answer: requests of the device's own and interim answers; and interleaved packets, of
/// which the richest stream sends so many in some ten seconds.
const MOST_ASIDE: u32 = 64;
const MOST_PACKETS_BEFORE: u32 = 20_000;

/// Why nothing more comes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// `Timeout`, `Closed`, `Protocol`, `TooLarge`, `Interrupted`, `Device` for one that talks instead of answering, or
    /// what the operating system said.
    pub kind: ErrorKind,
    /// Whether the device had sent anything since the request.
    pub heard: bool,
}

/// An interleaved packet and when it came.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub arrived: Instant,
    pub channel: u8,
    pub payload: Bytes,
}

/// An open connection.
pub(super) struct Channel {
    io: Connection,
    decoder: Decoder,
    frames: VecDeque<Frame>,
    waiting: usize,
    junk: usize,
    requests: u32,
    /// Since when junk and requests are counted.
    counted_since: Instant,
    closed: bool,
    cancel: Option<CancellationToken>,
    /// The number of the request that was answered last, and whether the device gave it back.
    last_answered: Option<(i64, bool)>,
    /// Whether interleaved data is kept; nobody has asked for any before SETUP.
    pub keep_frames: bool,
    /// Whether a DESCRIBE was answered here.
    pub described: bool,
    /// What the first request here was about: some servers take it for what the whole connection is about.
    pub about: Option<String>,
    /// One RTSP connection to a host at a time: many devices serve a single client.
    _turn: Option<StreamTurn>,
}

impl Channel {
    pub fn new(io: Connection, turn: Option<StreamTurn>, cancel: CancellationToken) -> Self {
        Channel {
            io,
            decoder: Decoder::default(),
            frames: VecDeque::new(),
            waiting: 0,
            junk: 0,
            requests: 0,
            counted_since: Instant::now(),
            closed: false,
            cancel: Some(cancel),
            last_answered: None,
            keep_frames: false,
            described: false,
            about: None,
            _turn: turn,
        }
    }

    /// How long connecting took.
    pub fn connected_in(&self) -> Duration {
        self.io.connected_in
    }

    /// What is sent goes in.
    pub fn encryption(&self) -> Encryption {
        Encryption::of(&self.io)
    }

    /// What the TLS handshake revealed, and how long it took.
    pub fn tls(&self) -> Option<&(TlsInfo, Duration)> {
        self.io.tls.as_ref()
    }

    /// Whether anything was ever answered here.
    pub fn has_answered(&self) -> bool {
        self.last_answered.is_some()
    }

    /// Goes on although the scan is cancelled: for the farewell.
    pub fn ignore_cancel(&mut self) {
        self.cancel = None;
    }

    /// Takes and forgets what came without being asked for, such as a second answer to the last request. False when the
    /// device has closed the connection.
    pub fn settle(&mut self) -> bool {
        // As much as one burst of a device; more is read as it is needed.
        for _ in 0..64 {
            self.decoder.buffer.reserve(16 * 1024);
            match self.io.read_buf(&mut self.decoder.buffer).now_or_never() {
                None => break,
                Some(Ok(1..)) => self.decoder.clear(),
                Some(_) => {
                    self.closed = true;
                    break;
                }
            }
        }
        self.decoder.clear();
        self.drop_frames();
        !self.closed
    }

    pub fn drop_frames(&mut self) {
        self.frames.clear();
        self.waiting = 0;
    }

    /// The oldest packet put aside.
    pub fn frame(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.waiting = self.waiting.saturating_sub(frame.payload.len());
        Some(frame)
    }

    /// Whether packets were put aside.
    pub fn has_frames(&self) -> bool {
        !self.frames.is_empty()
    }

    pub async fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), Failure> {
        let sent = timeout_at(deadline, async {
            self.io.write_all(bytes).await?;
            self.io.flush().await
        })
        .await;
        let kind = match sent {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => kind_of(&error),
            Err(_) => ErrorKind::Timeout,
        };
        Err(Failure { kind, heard: false })
    }

    /// The answer to the request numbered `cseq`: the next one that comes, unless it repeats the one before.
    pub async fn answer(&mut self, cseq: u32, body_awaited: bool, deadline: Instant) -> Result<Response, Failure> {
        let mut heard = false;
        let mut doubtful: Option<Response> = None;
        let mut doubted = false;
        let (mut aside, mut packets) = (0, 0);
        loop {
            // A device that never falls silent leaves no other moment to look at the clock.
            if aside > MOST_ASIDE || packets > MOST_PACKETS_BEFORE {
                return Err(Failure { kind: ErrorKind::Device, heard: true });
            }
            if aside + packets > 0 && Instant::now() >= deadline {
                return doubtful.take().ok_or(Failure { kind: ErrorKind::Timeout, heard });
            }
            let limit = if doubtful.is_some() { deadline.min(Instant::now() + QUIET) } else { deadline };
            let response = match self.item(body_awaited, limit, &mut heard).await {
                // An interim answer (RFC 2326 §11.3.1): the one that counts is yet to come.
                Ok(Item::Response(response)) if (100..200).contains(&response.status) => {
                    aside += 1;
                    continue;
                }
                Ok(Item::Response(response)) => response,
                Ok(Item::Data { channel, payload }) => {
                    packets += 1;
                    self.put_aside(Frame { arrived: Instant::now(), channel, payload });
                    continue;
                }
                Ok(Item::Request(_)) => {
                    aside += 1;
                    continue;
                }
                Ok(Item::Junk(_)) => {
                    packets += 1;
                    continue;
                }
                // What looked like a repetition, or broke off, is all there is.
                Err(failure) => match doubtful.take().or_else(|| self.last_words(body_awaited, &failure)) {
                    Some(response) => response,
                    None => return Err(failure),
                },
            };
            let number = response.headers.cseq();
            let repeats = self.last_answered.is_some_and(|(last, gave_back)| gave_back && number == Some(last));
            if repeats && !doubted && number != Some(i64::from(cseq)) && !self.closed {
                (doubtful, doubted) = (Some(response), true);
                continue;
            }
            self.last_answered = Some((i64::from(cseq), number == Some(i64::from(cseq))));
            return Ok(response);
        }
    }

    /// An answer that had begun when time was up.
    fn last_words(&mut self, body_awaited: bool, failure: &Failure) -> Option<Response> {
        if failure.kind != ErrorKind::Timeout {
            return None;
        }
        match self.decoder.finish(body_awaited) {
            Next::Item(Item::Response(response)) => Some(response),
            _ => None,
        }
    }

    /// The next thing the device sends. Its requests are answered, junk is counted; both are returned all the same.
    pub async fn item(&mut self, body_awaited: bool, limit: Instant, heard: &mut bool) -> Result<Item, Failure> {
        loop {
            let next = match self.closed {
                true => self.decoder.finish(body_awaited),
                false => self.decoder.next(body_awaited),
            };
            let perhaps = next == Next::Perhaps;
            let wait = match next {
                Next::Item(item) => return self.taken(item, limit).await,
                Next::TooLarge => return Err(Failure { kind: ErrorKind::TooLarge, heard: true }),
                Next::More if self.closed => return Err(Failure { kind: ErrorKind::Closed, heard: *heard }),
                // What began in a tongue that is not known will not come to ours.
                Next::More if self.junk > 0 && !self.has_answered() => limit.min(Instant::now() + 2 * QUIET),
                Next::More => limit,
                Next::Perhaps => limit.min(Instant::now() + QUIET),
            };
            match self.read(wait).await {
                Ok(count) => {
                    *heard |= count > 0;
                    self.closed |= count == 0;
                    if !self.has_answered() && greeting::is_of_another(self.io.first_heard()) {
                        return Err(Failure { kind: ErrorKind::Protocol, heard: true });
                    }
                }
                Err(ErrorKind::Timeout) if perhaps => {
                    if let Next::Item(item) = self.decoder.finish(body_awaited) {
                        return self.taken(item, limit).await;
                    }
                }
                Err(ErrorKind::Timeout) if self.junk > 0 && !self.has_answered() => {
                    return Err(Failure { kind: ErrorKind::Protocol, heard: true });
                }
                Err(ErrorKind::Timeout) => return Err(Failure { kind: ErrorKind::Timeout, heard: *heard }),
                Err(kind @ ErrorKind::Interrupted) => return Err(Failure { kind, heard: *heard }),
                Err(_) => self.closed = true,
            }
        }
    }

    /// Keeps books of an item.
    async fn taken(&mut self, item: Item, limit: Instant) -> Result<Item, Failure> {
        if self.has_answered() && self.counted_since.elapsed() >= COUNTED {
            (self.junk, self.requests, self.counted_since) = (0, 0, Instant::now());
        }
        match &item {
            Item::Junk(count) => {
                self.junk += count;
                if self.junk > MOST_JUNK {
                    return Err(Failure { kind: ErrorKind::Protocol, heard: true });
                }
            }
            // An echo of our own request must not be answered: its echo would pass for an answer.
            Item::Request(_) if !self.has_answered() => self.junk += 1,
            Item::Request(request) => {
                self.requests += 1;
                if self.requests > MOST_REQUESTS {
                    return Err(Failure { kind: ErrorKind::Device, heard: true });
                }
                if self.requests <= MOST_REPLIES {
                    let reply = request.reply();
                    self.send(&reply, limit).await?;
                }
            }
            _ => {}
        }
        Ok(item)
    }

    fn put_aside(&mut self, frame: Frame) {
        if self.keep_frames && self.waiting + frame.payload.len() <= MOST_WAITING {
            self.waiting += frame.payload.len();
            self.frames.push_back(frame);
        }
    }

    async fn read(&mut self, limit: Instant) -> Result<usize, ErrorKind> {
        self.decoder.buffer.reserve(16 * 1024);
        let read = timeout_at(limit, self.io.read_buf(&mut self.decoder.buffer));
        let outcome = match &self.cancel {
            Some(cancel) => tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(ErrorKind::Interrupted),
                outcome = read => outcome,
            },
            None => read.await,
        };
        match outcome {
            Err(_) => Err(ErrorKind::Timeout),
            Ok(Ok(count)) => Ok(count),
            Ok(Err(error)) => Err(match kind_of(&error) {
                ErrorKind::Timeout => ErrorKind::Closed,
                kind => kind,
            }),
        }
    }
}
