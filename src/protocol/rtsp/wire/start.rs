//! What the next bytes begin: an answer, a request, a frame or nothing that makes sense.

use super::Spoken;

/// The longest first line of a device's own request, in bytes.
const MAX_REQUEST_LINE: usize = 2048;

/// The methods of RTSP 1.0 and 2.0: what a line must begin with to be a request.
pub(super) const METHODS: [&str; 12] = [
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

/// What bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    Nothing,
    Data,
    Status(Spoken),
    Request,
    /// Too few bytes to tell.
    Unsure,
    Junk,
}

pub(super) fn start(bytes: &[u8]) -> Start {
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
