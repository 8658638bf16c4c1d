//! RTSP on the wire (RFC 2326): requests to bytes; bytes to answers, requests of the device and interleaved data, as
//! loosely as devices write them. Pure: fed with bytes as they come, it says what it still waits for.

pub mod body;
mod start;

use bytes::{Bytes, BytesMut};

use super::headers::RtspHeaders;
use crate::text;
use crate::wire::head::{self, HeadEnd, Headers, MAX_HEAD};
use body::{Body, BodyEnds};
use start::{Looked, Start, Starts};

/// The longest body of a message taken, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// A request: ours to a device, or a device's to us (RFC 2326 §10.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `OPTIONS`, `DESCRIBE`, …
    pub method: String,
    /// What it is about.
    pub url: String,
    /// Headers; `Content-Length` is added where there is a body.
    pub headers: Headers,
    /// The body; empty for none.
    pub body: Bytes,
}

impl Request {
    /// A request without headers.
    pub fn new(method: &str, url: &str) -> Self {
        Request { method: method.to_owned(), url: url.to_owned(), ..Request::default() }
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value.as_ref());
        self
    }

    /// As it is sent. Bytes that would break the lines apart are left out.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend(self.method.bytes().filter(u8::is_ascii_graphic));
        out.push(b' ');
        out.extend(self.url.bytes().filter(|&b| b > b' ' && b != 0x7f));
        out.extend_from_slice(b" RTSP/1.0\r\n");
        for (name, value) in self.headers.iter() {
            head::write_line(&mut out, name, value);
        }
        if !self.body.is_empty() {
            out.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }

    /// The answer to a request of a device: success for what asks for a sign of life, else "not implemented".
    pub fn reply(&self) -> Vec<u8> {
        let status = match self.method.as_str() {
            "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER" => "200 OK",
            _ => "501 Not Implemented",
        };
        let cseq = self.headers.cseq().unwrap_or_default();
        format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n\r\n").into_bytes()
    }
}

/// What the status line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// `RTSP/1.0`, `RTSP/2.0`, …
    Rtsp,
    /// `HTTP/1.0`, `HTTP/1.1`: a web server, or a device that mixes them up.
    Http,
}

/// How the end of a body was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// Where `Content-Length` says, or there is none.
    Stated,
    /// `Content-Length` is missing; it ends where the device fell silent or another message began.
    Found,
    /// `Content-Length` was too small: the last lines were taken as well.
    Extended,
    /// It, or the head, broke off before its end.
    Short,
    /// `Content-Length` is beyond [`MAX_BODY`]; what came of it.
    TooLarge,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// What the status line names.
    pub spoken: Spoken,
    /// What stands before the status code, cleaned: `RTSP/1.0`.
    pub version: String,
    /// The status code, 0..=999.
    pub status: u16,
    /// The reason, cleaned; empty when there is none.
    pub reason: String,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
    /// How the end of the body was found.
    pub end: BodyEnd,
}

impl Response {
    /// The success of a request whose answer never came, though its effect did.
    pub(super) fn success() -> Self {
        Response {
            spoken: Spoken::Rtsp,
            version: String::new(),
            status: 200,
            reason: String::new(),
            headers: Headers::default(),
            body: Bytes::new(),
            end: BodyEnd::Stated,
        }
    }
}

/// Something a device sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An answer.
    Response(Response),
    /// A request of its own.
    Request(Request),
    /// Interleaved data (RFC 2326 §10.12).
    Data {
        /// The channel.
        channel: u8,
        /// The packet.
        payload: Bytes,
    },
    /// So many bytes that make no sense.
    Junk(usize),
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Something whole.
    Item(Item),
    /// More bytes are needed.
    More,
    /// What is there can be taken as a whole, though more may follow: if the device falls silent, [`Decoder::finish`].
    Perhaps,
    /// A head beyond [`MAX_HEAD`].
    TooLarge,
}

/// Takes bytes as they come and gives what they mean.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Where bytes read are added.
    pub buffer: BytesMut,
    /// How far was looked for what tells a request.
    looked: Looked,
    /// What the message begins with whose head is awaited.
    start: Option<Start>,
    /// How far the end of that head was looked for.
    head_end: HeadEnd,
    /// The message whose head has come, while its body does.
    begun: Option<Begun>,
}

/// A message whose head is read.
#[derive(Debug)]
struct Begun {
    first: First,
    headers: Headers,
    /// The length of the body, as the headers state it.
    stated: Option<u64>,
    head_length: usize,
    /// Whether the head has an end.
    is_whole: bool,
    body: BodyEnds,
}

/// What a message's first line says.
#[derive(Debug)]
enum First {
    Status { spoken: Spoken, version: String, status: u16, reason: String },
    Request { method: String, url: String },
}

impl Begun {
    /// The message that has this head; `spoken` is what its status line names, if it is an answer.
    fn read(head: &[u8], spoken: Option<Spoken>, is_whole: bool) -> Self {
        let (first, headers) = head::read(head);
        let first = match spoken {
            Some(spoken) => {
                let (version, status, reason) = read_status(first);
                First::Status { spoken, version, status, reason }
            }
            None => {
                let first = text::decode(first);
                let mut words = first.split_ascii_whitespace();
                let mut word = || words.next().unwrap_or_default().to_owned();
                First::Request { method: word(), url: word() }
            }
        };
        let stated = headers.content_length();
        Begun { first, headers, stated, head_length: head.len(), is_whole, body: BodyEnds::default() }
    }
}

impl Decoder {
    /// The next item. `body_awaited` says that the answer awaited has a body if it is a success, so that one without
    /// `Content-Length` is waited for.
    pub fn next(&mut self, body_awaited: bool) -> Next {
        self.step(body_awaited, false)
    }

    /// The next item when nothing more will come: what is there is taken as it is. Never `Perhaps`.
    pub fn finish(&mut self, body_awaited: bool) -> Next {
        self.step(body_awaited, true)
    }

    /// Forgets what was not taken.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        (self.looked, self.start, self.head_end, self.begun) = Default::default();
    }

    fn step(&mut self, body_awaited: bool, ended: bool) -> Next {
        if let Some(begun) = self.begun.take() {
            return self.body(begun, body_awaited, ended);
        }
        let blank = self.buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n' | b' ' | b'\t' | 0)).count();
        let _ = self.buffer.split_to(blank);
        let start = self.start.unwrap_or_else(|| Starts::of(&self.buffer, &mut self.looked).at(0));
        self.start = Some(start).filter(|start| matches!(start, Start::Status(_) | Start::Request));
        match start {
            Start::Nothing => Next::More,
            Start::Data => self.data(ended),
            Start::Status(spoken) => self.message(Some(spoken), body_awaited, ended),
            Start::Request => self.message(None, false, ended),
            Start::Unsure if !ended => Next::More,
            Start::Unsure | Start::Junk => self.junk(ended),
        }
    }

    fn data(&mut self, ended: bool) -> Next {
        let [_, channel, high, low, ..] = *self.buffer else {
            return if ended { self.junk(ended) } else { Next::More };
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if self.buffer.len() < 4 + length {
            return if ended { self.junk(ended) } else { Next::More };
        }
        let mut frame = self.take(4 + length);
        Next::Item(Item::Data { channel, payload: frame.split_off(4) })
    }

    /// Skips to where something may begin.
    fn junk(&mut self, ended: bool) -> Next {
        let mut looked = std::mem::take(&mut self.looked);
        let mut starts = Starts::of(&self.buffer, &mut looked);
        let begins = |&at: &usize| {
            match starts.at(at) {
                // A dollar sign in a text is no frame: channels beyond a few do not occur.
                Start::Data => self.buffer.get(at + 1).is_none_or(|&channel| channel < 32),
                Start::Status(_) | Start::Request => true,
                Start::Unsure => !ended,
                Start::Nothing | Start::Junk => false,
            }
        };
        let length = (1..self.buffer.len()).find(begins).unwrap_or(self.buffer.len());
        let taken = self.take(length).len();
        looked.pass(taken);
        self.looked = looked;
        match taken {
            0 => Next::More,
            skipped => Next::Item(Item::Junk(skipped)),
        }
    }

    fn message(&mut self, spoken: Option<Spoken>, body_awaited: bool, ended: bool) -> Next {
        // A description that begins without an empty line before it ends the head, too.
        let (head_length, is_whole) = match self.head_end.find(&self.buffer, |line| line == b"v=0") {
            Some(length) if length <= MAX_HEAD => (length, true),
            None if self.buffer.len() <= MAX_HEAD && !ended => return Next::More,
            None if self.buffer.len() <= MAX_HEAD => (self.buffer.len(), false),
            _ => return Next::TooLarge,
        };
        let begun = Begun::read(self.buffer.get(..head_length).unwrap_or_default(), spoken, is_whole);
        self.body(begun, body_awaited, ended)
    }

    /// The whole of a message, if its body has come.
    fn body(&mut self, mut begun: Begun, body_awaited: bool, ended: bool) -> Next {
        let rest = self.buffer.get(begun.head_length..).unwrap_or_default();
        let (length, end) = match &begun.first {
            First::Status { status, .. } => {
                let awaited = body_awaited && (200..300).contains(status);
                match begun.body.find(begun.stated, rest, awaited, ended) {
                    Body::Ends(length, end) => (length, end),
                    Body::Perhaps => return self.wait(begun, Next::Perhaps),
                    Body::More => return self.wait(begun, Next::More),
                }
            }
            First::Request { .. } => {
                let declared = begun.stated.unwrap_or(0).min(MAX_BODY as u64) as usize;
                if rest.len() < declared && !ended {
                    return self.wait(begun, Next::More);
                }
                (declared, BodyEnd::Stated)
            }
        };
        let Begun { first, headers, head_length, is_whole, .. } = begun;
        let mut whole = self.take(head_length + length);
        let body = whole.split_off(head_length.min(whole.len()));
        Next::Item(match first {
            First::Request { method, url } => Item::Request(Request { method, url, headers, body }),
            First::Status { spoken, version, status, reason } => {
                let end = if is_whole { end } else { BodyEnd::Short };
                Item::Response(Response { spoken, version, status, reason, headers, body, end })
            }
        })
    }

    /// Keeps what was read of a message until more of it comes.
    fn wait(&mut self, begun: Begun, for_what: Next) -> Next {
        self.begun = Some(begun);
        for_what
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.begin_anew();
        self.buffer.split_to(length.min(self.buffer.len())).freeze()
    }
}

/// Version, status code and reason. What stands after the reason (`200 OK 200`) is taken as part of it.
fn read_status(line: &[u8]) -> (String, u16, String) {
    let mut words = line.splitn(2, |b| matches!(b, b' ' | b'\t'));
    let version = text::clean_to(&text::decode(words.next().unwrap_or_default()), 16);
    let rest = words.next().unwrap_or_default().trim_ascii();
    let digits = rest.get(..3).unwrap_or_default();
    let status = std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(0);
    (version, status, text::clean_bytes(rest.get(3..).unwrap_or_default()))
}

#[cfg(test)]
mod tests;
