//! HTTP/1.x messages as cameras write them, bytes into values and back (RFC 9112, and what real firmware makes of it):
//! header lines without a colon, blanks before it, bare LF, HTTP/0.9, `ICY`, bodies shorter or longer than announced,
//! chunks that are none, gzip that was never asked for or never done.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::text::{self, steps};
use crate::wire::head::{self, HeadEnd, Headers, MAX_HEAD};

/// What gzip data begins with (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A chunk's size line may be this long; what is longer is no size line.
const MAX_SIZE_LINE: usize = 256;

/// A status line and its headers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Status code, 100..=999.
    pub status: u16,
    /// What stood before it: `HTTP/1.1`, `ICY`, `RTSP/1.0`, …
    pub version: String,
    /// The headers.
    pub headers: Headers,
}

/// What the first bytes of an answer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// More bytes are needed to decide.
    Incomplete,
    /// A head of `len` bytes; the body follows.
    Head(Head, usize),
    /// No status line: the body itself (HTTP/0.9), or another protocol.
    Bare,
    /// A head that passes [`MAX_HEAD`].
    TooLarge,
}

/// Reads the head of an answer while its bytes come.
#[derive(Debug, Clone, Default)]
pub struct StartReader {
    /// So many line ends stand before the status line.
    blank: usize,
    end: HeadEnd,
}

impl StartReader {
    /// What the bytes that have come begin with; from call to call they may only grow. `ended` means that no more will come.
    pub fn read(&mut self, bytes: &[u8], ended: bool) -> Start {
        // A stray line end before the status line is left over from an earlier answer (RFC 9112 §2.2).
        let more = bytes.get(self.blank..).unwrap_or_default().iter().inspect(|_| steps::look_at(1));
        self.blank += more.take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let blank = self.blank;
        let text = bytes.get(blank..).unwrap_or_default();
        if !may_be_status_line(text) {
            return match text.is_empty() && !ended {
                true if blank > MAX_HEAD => Start::TooLarge,
                true => Start::Incomplete,
                false => Start::Bare,
            };
        }
        let length = match self.end.find(text, |_| false) {
            Some(length) => length,
            None if text.len() <= MAX_HEAD && !ended => return Start::Incomplete,
            None => text.len(),
        };
        if length > MAX_HEAD {
            return Start::TooLarge;
        }
        let (first, headers) = head::read(text.get(..length).unwrap_or_default());
        match parse_status_line(first) {
            Some((version, status)) => Start::Head(Head { status, version, headers }, blank + length),
            None => Start::Bare,
        }
    }
}

/// What an answer that is all there, or has `ended`, begins with.
pub fn parse_start(bytes: &[u8], ended: bool) -> Start {
    StartReader::default().read(bytes, ended)
}

/// Whether bytes begin a status line, as far as they go.
fn may_be_status_line(bytes: &[u8]) -> bool {
    ["HTTP/", "ICY ", "RTSP/"].iter().any(|prefix| {
        let n = prefix.len().min(bytes.len());
        n > 0 && bytes.get(..n).is_some_and(|b| prefix.as_bytes().get(..n).is_some_and(|p| b.eq_ignore_ascii_case(p)))
    })
}

fn parse_status_line(line: &[u8]) -> Option<(String, u16)> {
    let text = text::decode(line);
    let mut words = text.split_ascii_whitespace();
    let version = words.next()?.to_owned();
    let status: u16 = words.next()?.get(..3)?.parse().ok()?;
    (100..1000).contains(&status).then_some((version, status))
}

impl Head {
    /// How the body that follows is to be read, by the method that was asked with. Answers to HEAD and those without
    /// content have none (RFC 9112 §6.3); nor has one to OPTIONS that states no length (RFC 9110 §9.3.7), whoever leaves
    /// the connection open behind it.
    pub fn body(&self, method: &str) -> BodyDecoder {
        let none = method == "HEAD" || matches!(self.status, 100..=199 | 204 | 304);
        let chunked = self.headers.texts("Transfer-Encoding").any(|v| v.to_ascii_lowercase().contains("chunked"));
        let length = self.headers.content_length();
        BodyDecoder(match length {
            _ if none => State::Done,
            _ if chunked => State::ChunkSize { line: Vec::new(), first: true },
            Some(0) => State::Done,
            Some(length) => State::Length(length),
            None if method == "OPTIONS" => State::Done,
            None => State::UntilClose,
        })
    }
}

/// Takes the framing off a body, however the bytes are cut into pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyDecoder(State);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    UntilClose,
    Length(u64),
    ChunkSize { line: Vec<u8>, first: bool },
    ChunkData(u64),
    Done,
}

impl BodyDecoder {
    /// A body that ends with the connection.
    pub fn until_close() -> Self {
        BodyDecoder(State::UntilClose)
    }

    /// Whether the whole body has come.
    pub fn is_complete(&self) -> bool {
        self.0 == State::Done
    }

    /// Whether only the end of the connection ends it.
    pub fn ends_with_connection(&self) -> bool {
        self.0 == State::UntilClose
    }

    /// Takes what came and adds the body's bytes in it to `out`.
    pub fn decode(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while !input.is_empty() {
            match &mut self.0 {
                State::UntilClose => {
                    out.extend_from_slice(input);
                    return;
                }
                State::Done => return,
                State::Length(left) => {
                    let rest = take(&mut input, left, out);
                    if *left == 0 {
                        // Some count too little; what came along with the end still belongs to it, unless it is
                        // a second answer.
                        if !may_be_status_line(rest) && rest.len() <= 1024 {
                            out.extend_from_slice(rest);
                        }
                        self.0 = State::Done;
                    }
                }
                State::ChunkData(left) => {
                    take(&mut input, left, out);
                    if *left == 0 {
                        self.0 = State::ChunkSize { line: Vec::new(), first: false };
                    }
                }
                State::ChunkSize { line, first } => {
                    let (&byte, rest) = match input.split_first() {
                        Some(split) => split,
                        None => return,
                    };
                    input = rest;
                    line.push(byte);
                    if byte == b'\n' || line.len() > MAX_SIZE_LINE {
                        self.0 = after_size_line(line, *first, out);
                    }
                }
            }
        }
    }
}

/// Moves up to `left` bytes from `input` to `out`; returns what is left of `input`.
fn take<'a>(input: &mut &'a [u8], left: &mut u64, out: &mut Vec<u8>) -> &'a [u8] {
    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    let (head, rest) = input.split_at(n);
    out.extend_from_slice(head);
    *left -= n as u64;
    *input = rest;
    rest
}

fn after_size_line(line: &[u8], first: bool, out: &mut Vec<u8>) -> State {
    let text = text::decode(line);
    let digits = text.split(';').next().unwrap_or_default().trim();
    if digits.is_empty() && text.ends_with('\n') {
        // The line end after a chunk's data.
        return State::ChunkSize { line: Vec::new(), first };
    }
    match u64::from_str_radix(digits, 16) {
        Ok(0) => State::Done,
        Ok(size) => State::ChunkData(size),
        // Announced as chunked, and is not.
        Err(_) if first => {
            out.extend_from_slice(line);
            State::UntilClose
        }
        Err(_) => State::Done,
    }
}

/// Whether [`unpack`] has something to unpack.
pub fn is_packed(body: &[u8], encoding: Option<&str>) -> bool {
    body.starts_with(&GZIP) || encoding.is_some_and(|e| e.to_ascii_lowercase().contains("deflate"))
}

/// A body unpacked to at most `max` bytes, and whether it was cut there. What the header claims counts less than the
/// first bytes: some say gzip and send plain text, some the other way round.
pub fn unpack(mut body: Vec<u8>, encoding: Option<&str>, max: usize) -> (Vec<u8>, bool) {
    let deflate = encoding.is_some_and(|e| e.to_ascii_lowercase().contains("deflate"));
    let unpacked = if body.starts_with(&GZIP) {
        read_bounded(MultiGzDecoder::new(body.as_slice()), max)
    } else if deflate && body.first().is_some_and(|b| b & 0x0f == 8) {
        read_bounded(ZlibDecoder::new(body.as_slice()), max)
    } else if deflate {
        read_bounded(DeflateDecoder::new(body.as_slice()), max)
    } else {
        None
    };
    unpacked.unwrap_or_else(|| {
        let cut = body.len() > max;
        body.truncate(max);
        (body, cut)
    })
}

/// Reads to the end or to `max`; what came before an error in the data is kept, nothing at all is none.
fn read_bounded(source: impl Read, max: usize) -> Option<(Vec<u8>, bool)> {
    let mut out = Vec::new();
    let failed = source.take(max as u64 + 1).read_to_end(&mut out).is_err();
    if failed && out.is_empty() {
        return None;
    }
    let cut = failed || out.len() > max;
    out.truncate(max);
    Some((out, cut))
}

/// A request, ready to send. Control characters and blanks that would break its lines are taken out of headers and
/// percent-encoded in the target.
pub fn emit_request(method: &str, target: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + body.len());
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    for &b in target.as_bytes() {
        if b <= b' ' || b >= 0x7f {
            out.extend_from_slice(format!("%{b:02X}").as_bytes());
        } else {
            out.push(b);
        }
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in headers {
        head::write_line(&mut out, name, value);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests;
