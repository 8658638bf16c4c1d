//! The text requests of the HTTP family as a server receives them, and the record of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;

use super::locked;

/// A request that a server received.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When.
    pub at: Instant,
    /// The server's address.
    pub of: SocketAddr,
    /// Which connection of the server it came on, from 0.
    pub connection: usize,
    /// Which request of that connection it is, from 0.
    pub number: usize,
    /// The whole request, head and body.
    pub text: String,
}

impl Asked {
    /// The first word: the method.
    pub fn method(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The second word: the URL or path.
    pub fn target(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().skip(1).take_while(|l| !l.is_empty());
        lines.filter_map(|l| l.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }

    /// Whether it carries a login, in a header or in the body.
    pub fn has_login(&self) -> bool {
        self.header("Authorization").is_some() || self.text.contains("UsernameToken")
    }

    /// Whether it carries this login, `user:password`, by Basic.
    pub fn has_basic_login(&self, login: &str) -> bool {
        let expected = base64::engine::general_purpose::STANDARD.encode(login);
        self.header("Authorization").is_some_and(|value| value.strip_prefix("Basic ") == Some(&expected))
    }
}

/// What a text server does about a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Sends these bytes and reads on.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes the connection.
    Last(Vec<u8>),
    /// Sends nothing and reads on.
    Silence,
}

impl Reply {
    /// Sends a text and reads on.
    pub fn text(text: impl Into<String>) -> Self {
        Reply::Bytes(text.into().into_bytes())
    }
}

/// The requests that the servers of a network received, or those of one server. Clones are the same record.
#[derive(Debug, Clone, Default)]
pub struct Log {
    asked: Arc<Mutex<Vec<Asked>>>,
    of: Option<SocketAddr>,
}

impl Log {
    /// The requests of one server.
    pub fn of(&self, at: &str) -> Log {
        Log { asked: self.asked.clone(), of: Some(at.parse().unwrap()) }
    }

    /// Drops all of it.
    pub(super) fn forget_records(&self) {
        *locked(&self.asked) = Vec::new();
    }

    /// What was asked so far.
    pub fn all(&self) -> Vec<Asked> {
        locked(&self.asked).iter().filter(|asked| self.of.is_none_or(|of| of == asked.of)).cloned().collect()
    }

    /// `"<connection> <method>"` of what was asked so far.
    pub fn methods(&self) -> Vec<String> {
        self.all().iter().map(|asked| format!("{} {}", asked.connection, asked.method())).collect()
    }

    /// Receives the requests of one connection to this one server.
    pub(super) fn connection(&self, connection: usize) -> Requests {
        Requests { log: self.clone(), of: self.of.unwrap(), connection, number: 0, buffer: Vec::new() }
    }
}

/// Receives the requests of one connection and records them. Interleaved frames (RFC 2326 §10.12) are dropped.
#[derive(Debug)]
pub struct Requests {
    log: Log,
    of: SocketAddr,
    connection: usize,
    number: usize,
    buffer: Vec<u8>,
}

impl Requests {
    /// The next request, if all of it has been read.
    pub fn take(&mut self) -> Option<Asked> {
        let text = take_request(&mut self.buffer)?;
        let asked = Asked { at: Instant::now(), of: self.of, connection: self.connection, number: self.number, text };
        self.number += 1;
        locked(&self.log.asked).push(asked.clone());
        Some(asked)
    }

    /// Reads on; false at the end of the stream. Nothing is lost when this is dropped before it is done.
    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> bool {
        matches!(stream.read_buf(&mut self.buffer).await, Ok(1..))
    }

    /// The next request; none at the end of the stream.
    pub async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
        loop {
            if let Some(asked) = self.take() {
                return Some(asked);
            }
            if !self.read(stream).await {
                return None;
            }
        }
    }

    /// Serves the connection: `answer` decides about each request.
    pub(super) async fn serve(mut self, mut stream: DuplexStream, answer: &(dyn Fn(&Asked) -> Reply + Sync)) {
        while let Some(asked) = self.next(&mut stream).await {
            let (bytes, is_last) = match answer(&asked) {
                Reply::Bytes(bytes) => (bytes, false),
                Reply::Last(bytes) => (bytes, true),
                Reply::Silence => continue,
            };
            if stream.write_all(&bytes).await.is_err() || is_last {
                return;
            }
        }
    }
}

/// The first request when it is all there, taken out of `buffer` with the interleaved frames before it.
pub fn take_request(buffer: &mut Vec<u8>) -> Option<String> {
    while buffer.first() == Some(&b'$') {
        let length = 4 + usize::from(u16::from_be_bytes([*buffer.get(2)?, *buffer.get(3)?]));
        if buffer.len() < length {
            return None;
        }
        buffer.drain(..length);
    }
    let head = buffer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let body = text.split("content-length:").nth(1).and_then(|v| v.lines().next()?.trim().parse().ok()).unwrap_or(0);
    if buffer.len() < head + body {
        return None;
    }
    Some(String::from_utf8_lossy(&buffer.drain(..head + body).collect::<Vec<u8>>()).into_owned())
}
