//! RTSP on the wire (RFC 2326): requests to bytes; bytes to answers, requests of the device and interleaved data, as
//! loosely as devices write them. Pure: fed with bytes as they come, it says what it still waits for.

use bytes::{Bytes, BytesMut};

use super::headers::Headers;
use crate::text;

/// The longest head of a message taken, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// The longest body of a message taken, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// The longest first line of a device's own request, in bytes.
const MAX_REQUEST_LINE: usize = 2048;

/// The methods of RTSP 1.0 and 2.0: what a line must begin with to be a request.
const METHODS: [&str; 12] = [
    "OPTIONS",
    "DESCRIBE",
    "ANNOUNCE",
    "SETUP",
    "PLAY",
    "PAUSE",
    "TEARDOWN",
    "GET_PARAMETER",
    "SET_PARAMETER",
    "REDIRECT",
    "RECORD",
    "PLAY_NOTIFY",
];

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
            out.extend(name.bytes().filter(|&b| b.is_ascii_graphic() && b != b':'));
            out.extend_from_slice(b": ");
            out.extend(value.iter().filter(|b| !matches!(b, b'\r' | b'\n' | 0)));
            out.extend_from_slice(b"\r\n");
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
    /// So much of the buffer is known to hold no end of a head.
    scanned: usize,
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
        self.scanned = 0;
    }

    fn step(&mut self, body_awaited: bool, ended: bool) -> Next {
        if self.scanned == 0 {
            let blank = self.buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n' | b' ' | b'\t' | 0)).count();
            let _ = self.buffer.split_to(blank);
        }
        match start(&self.buffer) {
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
        let begins = |&at: &usize| {
            let rest = self.buffer.get(at..).unwrap_or_default();
            match start(rest) {
                // A dollar sign in a text is no frame: channels beyond a few do not occur.
                Start::Data => rest.get(1).is_none_or(|&channel| channel < 32),
                Start::Status(_) | Start::Request => true,
                Start::Unsure => !ended,
                Start::Nothing | Start::Junk => false,
            }
        };
        let length = (1..self.buffer.len()).find(begins).unwrap_or(self.buffer.len());
        match self.take(length).len() {
            0 => Next::More,
            skipped => Next::Item(Item::Junk(skipped)),
        }
    }

    fn message(&mut self, spoken: Option<Spoken>, body_awaited: bool, ended: bool) -> Next {
        let (head_length, is_whole) = match self.head_length() {
            Some(length) if length <= MAX_HEAD => (length, true),
            None if self.buffer.len() <= MAX_HEAD && !ended => return Next::More,
            None if self.buffer.len() <= MAX_HEAD => (self.buffer.len(), false),
            _ => return Next::TooLarge,
        };
        let (head, rest) = self.buffer.split_at_checked(head_length).unwrap_or((&self.buffer, &[]));
        let (first, headers) = read_head(head);
        let Some(spoken) = spoken else {
            return self.request(&first, headers, head_length, ended);
        };
        let (status, reason) = read_status(&first);
        let awaited = body_awaited && (200..300).contains(&status);
        let (length, end) = match find_body(&headers, rest, awaited, ended) {
            Body::Ends(length, end) => (length, end),
            Body::Perhaps => return Next::Perhaps,
            Body::More => return Next::More,
        };
        let end = if is_whole { end } else { BodyEnd::Short };
        let body = self.take(head_length + length).split_off(head_length);
        Next::Item(Item::Response(Response { spoken, status, reason, headers, body, end }))
    }

    fn request(&mut self, first: &[u8], headers: Headers, head_length: usize, ended: bool) -> Next {
        let declared = headers.content_length().unwrap_or(0).min(MAX_BODY as u64) as usize;
        if self.buffer.len() < head_length + declared && !ended {
            return Next::More;
        }
        let line = String::from_utf8_lossy(first);
        let mut words = line.split_ascii_whitespace();
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, url) = (word(), word());
        let mut whole = self.take((head_length + declared).min(self.buffer.len()));
        Next::Item(Item::Request(Request { method, url, headers, body: whole.split_off(head_length.min(whole.len())) }))
    }

    /// The length of the head with the empty line that ends it. A description that begins without an empty line before
    /// it ends the head, too.
    fn head_length(&mut self) -> Option<usize> {
        let mut at = self.scanned;
        while let Some(end) = self.buffer.get(at..)?.iter().position(|&b| b == b'\n') {
            let line = trim_line_end(self.buffer.get(at..at + end)?);
            if line.is_empty() && at > 0 {
                return Some(at + end + 1);
            }
            if line == b"v=0" {
                return Some(at);
            }
            at += end + 1;
        }
        self.scanned = at;
        None
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.scanned = 0;
        self.buffer.split_to(length.min(self.buffer.len())).freeze()
    }
}

fn trim_line_end(mut line: &[u8]) -> &[u8] {
    while let Some(shorter) = line.strip_suffix(b"\r").or_else(|| line.strip_suffix(b"\n")) {
        line = shorter;
    }
    line
}

/// What bytes begin with.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    Nothing,
    Data,
    Status(Spoken),
    Request,
    /// Too few bytes to tell.
    Unsure,
    Junk,
}

fn start(bytes: &[u8]) -> Start {
    match bytes.first() {
        None => Start::Nothing,
        Some(b'$') => Start::Data,
        Some(b'R' | b'r' | b'H' | b'h') if is_prefix(bytes, b"RTSP").or(is_prefix(bytes, b"HTTP")).is_some() => {
            status_line(bytes)
        }
        Some(b'A'..=b'Z') => request_line(bytes),
        Some(_) => Start::Junk,
    }
}

/// Whether bytes begin with a word, without regard to case: none when they do not, else whether the word is whole.
fn is_prefix(bytes: &[u8], word: &[u8]) -> Option<bool> {
    let common = bytes.len().min(word.len());
    let same = bytes.get(..common)?.eq_ignore_ascii_case(word.get(..common)?);
    same.then_some(common == word.len())
}

/// `RTSP/1.0 200`, with any version and any blanks: a name alone, as at the end of a request line, is none.
fn status_line(bytes: &[u8]) -> Start {
    if bytes.len() < 4 {
        return Start::Unsure;
    }
    let spoken = if is_prefix(bytes, b"RTSP").is_some() { Spoken::Rtsp } else { Spoken::Http };
    let rest = bytes.get(4..).unwrap_or_default();
    let version = rest.iter().take_while(|b| matches!(b, b'/' | b'.' | b'0'..=b'9')).count();
    let after = rest.get(version..).unwrap_or_default();
    let blanks = after.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let code = after.get(blanks..).unwrap_or_default();
    let digits = code.iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    if version > 16 || blanks > 16 {
        Start::Junk
    } else if digits == 3 && blanks > 0 {
        Start::Status(spoken)
    } else if digits == code.len() {
        Start::Unsure
    } else {
        Start::Junk
    }
}

fn request_line(bytes: &[u8]) -> Start {
    let word = bytes.iter().take(16).position(|&b| b == b' ');
    let Some(length) = word else {
        let could = METHODS.iter().any(|m| is_prefix(bytes, m.as_bytes()).is_some());
        return if could && bytes.len() < 16 { Start::Unsure } else { Start::Junk };
    };
    let method = bytes.get(..length).unwrap_or_default();
    if !METHODS.iter().any(|m| m.as_bytes() == method) {
        return Start::Junk;
    }
    match bytes.iter().take(MAX_REQUEST_LINE).position(|&b| b == b'\n') {
        Some(end) => {
            let line = bytes.get(..end).unwrap_or_default();
            let names_rtsp = line.windows(5).any(|w| w.eq_ignore_ascii_case(b"RTSP/"));
            if names_rtsp { Start::Request } else { Start::Junk }
        }
        None if bytes.len() < MAX_REQUEST_LINE => Start::Unsure,
        None => Start::Junk,
    }
}

/// The first line and the headers. Lines without a colon are skipped, lines that begin with a blank belong to the one
/// before.
fn read_head(head: &[u8]) -> (Vec<u8>, Headers) {
    let mut lines = head.split(|&b| b == b'\n').map(trim_line_end);
    let first = lines.next().unwrap_or_default().to_vec();
    let mut headers = Headers::default();
    for line in lines {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            headers.fold(line);
        } else if let Some(colon) = line.iter().position(|&b| b == b':') {
            let (name, value) = line.split_at_checked(colon).unwrap_or_default();
            headers.push(text::clean_bytes(name), value.get(1..).unwrap_or_default());
        }
    }
    (first, headers)
}

/// Status code and reason. What stands after the reason (`200 OK 200`) is taken as part of it.
fn read_status(line: &[u8]) -> (u16, String) {
    let mut words = line.splitn(2, |b| matches!(b, b' ' | b'\t'));
    let rest = words.nth(1).unwrap_or_default().trim_ascii();
    let digits = rest.get(..3).unwrap_or_default();
    let status = std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(0);
    (status, text::clean_bytes(rest.get(3..).unwrap_or_default()))
}

enum Body {
    Ends(usize, BodyEnd),
    Perhaps,
    More,
}

/// Where the body ends that begins with `rest`.
fn find_body(headers: &Headers, rest: &[u8], awaited: bool, ended: bool) -> Body {
    let is_description = looks_like_sdp(rest);
    match headers.content_length() {
        Some(0) | None if is_description => match next_message(rest) {
            _ if rest.len() > MAX_BODY => Body::Ends(MAX_BODY, BodyEnd::TooLarge),
            Some(length) => Body::Ends(length, BodyEnd::Found),
            None if ended => Body::Ends(rest.len(), BodyEnd::Found),
            None => Body::Perhaps,
        },
        None if awaited && !ended && matches!(rest.trim_ascii_start(), b"" | b"v" | b"m") => Body::Perhaps,
        Some(0) | None => Body::Ends(0, BodyEnd::Stated),
        Some(declared) if declared > MAX_BODY as u64 => match rest.len() {
            length if length >= MAX_BODY || ended => Body::Ends(length.min(MAX_BODY), BodyEnd::TooLarge),
            _ if is_description => Body::Perhaps,
            _ => Body::More,
        },
        Some(declared) => {
            let declared = declared as usize;
            match rest.get(..declared) {
                Some(_) if is_description => extend(rest, declared, ended),
                Some(_) => Body::Ends(declared, BodyEnd::Stated),
                None if ended => Body::Ends(next_message(rest).unwrap_or(rest.len()), BodyEnd::Short),
                None if is_description && rest.ends_with(b"\n") => Body::Perhaps,
                None => Body::More,
            }
        }
    }
}

/// Whether bytes begin like a session description; some devices leave out all that comes before the first media.
pub fn looks_like_sdp(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    bytes.starts_with(b"v=") || bytes.starts_with(b"m=")
}

/// Where another message begins behind a line's end.
fn next_message(rest: &[u8]) -> Option<usize> {
    let ends = rest.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    ends.into_iter().find(|&at| matches!(start(rest.get(at..).unwrap_or_default()), Start::Data | Start::Status(_)))
}

/// A description whose stated length cuts its last line, or lines, off: what follows belongs to it.
fn extend(rest: &[u8], declared: usize, ended: bool) -> Body {
    let mut end = declared;
    loop {
        let (body, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        let in_line = !matches!(body.last(), Some(b'\n' | 0));
        if after.is_empty() && in_line && body.last() != Some(&b'\r') && !ended {
            return Body::Perhaps;
        }
        let is_more = match start(after) {
            Start::Nothing | Start::Data | Start::Status(_) => false,
            _ => in_line || matches!(after, [b'a'..=b'z', b'=', ..]),
        };
        if !is_more {
            break;
        }
        match after.iter().position(|&b| b == b'\n') {
            Some(line) => end += line + 1,
            None if ended => end = rest.len(),
            None => return Body::Perhaps,
        }
        if end > MAX_BODY {
            return Body::Ends(MAX_BODY, BodyEnd::TooLarge);
        }
    }
    Body::Ends(end, if end == declared { BodyEnd::Stated } else { BodyEnd::Extended })
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
