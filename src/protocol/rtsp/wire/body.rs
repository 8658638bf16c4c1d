//! Where a body ends: `Content-Length` is missing, too large or too small with some devices.

use super::start::{Start, start};
use super::{BodyEnd, MAX_BODY};
use crate::wire::head::Headers;

/// Where a body ends, as far as can be told.
pub(super) enum Body {
    /// After so many bytes.
    Ends(usize, BodyEnd),
    /// Where the bytes end, should no more follow.
    Perhaps,
    More,
}

/// Where the body ends that begins with `rest`.
pub(super) fn find_body(headers: &Headers, rest: &[u8], awaited: bool, ended: bool) -> Body {
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
