//! HTTP/1.x messages as cameras write them, bytes into values and back (RFC 9112, and what real firmware makes of it):
//! header lines without a colon, blanks before it, bare LF, HTTP/0.9, `ICY`, bodies shorter or longer than announced,
//! chunks that are none, gzip that was never asked for or never done.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::text;
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
pub struct StartReader(HeadEnd);

impl StartReader {
    /// What the bytes that have come begin with; from call to call they may only grow. `ended` means that no more will come.
    pub fn read(&mut self, bytes: &[u8], ended: bool) -> Start {
        // A stray line end before the status line is left over from an earlier answer (RFC 9112 §2.2).
        let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let text = bytes.get(blank..).unwrap_or_default();
        if !may_be_status_line(text) {
            return match text.is_empty() && !ended {
                true if blank > MAX_HEAD => Start::TooLarge,
                true => Start::Incomplete,
                false => Start::Bare,
            };
        }
        let length = match self.0.find(text, |_| false) {
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(bytes: &[u8]) -> (Head, usize) {
        match parse_start(bytes, true) {
            Start::Head(head, len) => (head, len),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn heads_of_every_kind() {
        for (sent, version, status, headers) in [
            (&b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"[..], "HTTP/1.1", 200, 1),
            (b"\r\nHTTP/1.0 401\nA: b\nB : c\n\n", "HTTP/1.0", 401, 2),
            (b"HTTP/1.1 200 OK\r\nTue Jan  6 10.00\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1", 200, 1),
            (b"ICY 200 OK\r\nicy-name:x\r\n\r\n", "ICY", 200, 1),
            (b"RTSP/1.0 400 Bad Request\r\n\r\n", "RTSP/1.0", 400, 0),
            (b"http/1.1 200\r\nA: b", "http/1.1", 200, 1),
        ] {
            let (head, _) = head(sent);
            assert_eq!((head.version.as_str(), head.status, head.headers.len()), (version, status, headers));
        }
        assert_eq!(head(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n").0.headers.text("a").as_deref(), Some("b c"));
    }

    #[test]
    fn what_is_no_head_is_bare_and_what_is_not_yet_one_waits() {
        assert_eq!(parse_start(b"<html>", false), Start::Bare);
        assert_eq!(parse_start(b"HTT", false), Start::Incomplete);
        assert_eq!(parse_start(b"", false), Start::Incomplete);
        assert_eq!(parse_start(b"HTTP/1.1 OK\r\n\r\n", false), Start::Bare);
        assert_eq!(parse_start(b"HTTP/1.1 200 OK\r\nA: b\r\n", false), Start::Incomplete);
        let endless = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(20_000)].concat();
        assert_eq!(parse_start(&endless, false), Start::TooLarge);
        let one_line = [&b"HTTP/1.1 200 OK\r\nX: "[..], &vec![b'y'; MAX_HEAD + 1]].concat();
        assert_eq!(parse_start(&one_line, false), Start::TooLarge);
    }

    #[test]
    fn many_headers_are_kept() {
        let sent = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(500), b"\r\n"].concat();
        assert_eq!(head(&sent).0.headers.len(), 500);
    }

    fn body_of(sent: &[u8]) -> (Vec<u8>, bool) {
        let (head, len) = head(sent);
        let mut decoder = head.body("GET");
        let mut out = Vec::new();
        for byte in sent[len..].chunks(7) {
            decoder.decode(byte, &mut out);
        }
        (out, decoder.is_complete())
    }

    #[test]
    fn bodies_of_every_framing() {
        for (sent, body, complete) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"[..], &b"abc"[..], true),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"abc", false),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", b"abc", true),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc", b"abc", false),
            (b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc", false),
            (b"HTTP/1.1 204 No\r\n\r\nabc", b"", true),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\nc\n0\r\n\r\n", b"abc", true),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n<html>\r\n</html>", b"<html>\r\n</html>", false),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\nc", b"ab", true),
        ] {
            assert_eq!(body_of(sent), (body.to_vec(), complete), "{}", String::from_utf8_lossy(sent));
        }
    }

    #[test]
    fn unpacking_is_bounded_and_believes_the_bytes() {
        use flate2::Compression;
        use std::io::Write;
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(&vec![b' '; 1 << 20]).unwrap();
        let packed = gz.finish().unwrap();
        assert_eq!(unpack(packed.clone(), None, 1 << 20), (vec![b' '; 1 << 20], false));
        assert_eq!(unpack(packed.clone(), Some("gzip"), 1000), (vec![b' '; 1000], true));
        let cut = unpack(packed[..packed.len() / 2].to_vec(), Some("gzip"), 1 << 20);
        assert!(cut.1 && !cut.0.is_empty());
        assert_eq!(unpack(b"plain".to_vec(), Some("gzip"), 100), (b"plain".to_vec(), false));
        assert_eq!(unpack(b"plain".to_vec(), Some("gzip"), 3), (b"pla".to_vec(), true));
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"abc").unwrap();
        assert_eq!(unpack(zlib.finish().unwrap(), Some("deflate"), 100), (b"abc".to_vec(), false));
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(b"abc").unwrap();
        assert_eq!(unpack(raw.finish().unwrap(), Some("deflate"), 100), (b"abc".to_vec(), false));
    }

    #[test]
    fn a_request_cannot_be_broken_open() {
        let sent = emit_request("GET", "/a b\r\nX: y", &[("Host", b"h\r\nEvil: 1"), ("Accept", b"*/*")], b"");
        assert_eq!(sent, b"GET /a%20b%0D%0AX:%20y HTTP/1.1\r\nHost: hEvil: 1\r\nAccept: */*\r\n\r\n");
    }

    proptest! {
        /// An answer is read the same in whatever pieces it comes.
        #[test]
        fn no_answer_is_left_unread(
            blank in "[\r\n]{0,80}",
            start in prop::sample::select(vec!["", "H", "HTTP/1.1 200 OK", "RTSP/1.0 1", "ICY 200", "<html>"]),
            rest in "[a:\\r\\n\\n ]{0,120}",
            piece in 1usize..40,
            ended in any::<bool>(),
        ) {
            let bytes = format!("{blank}{start}{rest}").into_bytes();
            let mut reader = StartReader::default();
            for length in (0..bytes.len()).step_by(piece) {
                let now = &bytes[..length];
                prop_assert_eq!(reader.read(now, false), StartReader::default().read(now, false), "{:?}", now);
                if parse_start(now, false) != Start::Incomplete {
                    return Ok(());
                }
            }
            prop_assert_eq!(reader.read(&bytes, ended), parse_start(&bytes, ended), "{:?}", bytes);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..512), cut in 1usize..64) {
            let sent = [&b"HTTP/1.1 200 OK\r\n"[..], &bytes].concat();
            for text in [bytes.as_slice(), &sent] {
                if let Start::Head(head, len) = parse_start(text, true) {
                    let mut decoder = head.body("GET");
                    let mut out = Vec::new();
                    text[len..].chunks(cut).for_each(|piece| decoder.decode(piece, &mut out));
                    prop_assert!(out.len() <= text.len());
                    unpack(out, head.headers.text("Content-Encoding").as_deref(), 4096);
                }
            }
            unpack([&[0x1f, 0x8b, 8, 0][..], &bytes].concat(), None, 4096);
        }

        /// However the bytes are cut on the way, the body is the same.
        #[test]
        fn chunks_come_back_whole(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8), cut in 1usize..16) {
            let mut sent = Vec::new();
            for part in &parts {
                sent.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                sent.extend_from_slice(part);
                sent.extend_from_slice(b"\r\n");
            }
            sent.extend_from_slice(b"0\r\n\r\n");
            let head = Head { status: 200, version: "HTTP/1.1".into(), headers: [("transfer-encoding", "Chunked")].into_iter().collect() };
            let mut decoder = head.body("GET");
            let mut out = Vec::new();
            sent.chunks(cut).for_each(|piece| decoder.decode(piece, &mut out));
            prop_assert_eq!(out, parts.concat());
            prop_assert!(decoder.is_complete());
        }
    }
}
