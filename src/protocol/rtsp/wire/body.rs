//! Where a body ends: `Content-Length` is missing, too large or too small with some devices.

use super::start::{Start, answer};
use super::{BodyEnd, MAX_BODY};
use crate::text::steps;

/// What some text begins with that is in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a body ends, as far as can be said.
pub(super) enum Body {
    /// After so many bytes.
    Ends(usize, BodyEnd),
    /// Where the bytes end, should no more follow.
    Perhaps,
    More,
}

/// Finds where a body ends while its bytes come. None of them is looked at anew with each piece.
#[derive(Debug, Default)]
pub(super) struct BodyEnds {
    /// So many bytes stand before the first that is no blank.
    blank: usize,
    /// No message begins behind a line's end before this place.
    looked_to: usize,
    /// The lines end here that belong to the body beyond its stated length.
    lines: usize,
    /// No line ends between those and this place.
    line: usize,
}

impl BodyEnds {
    /// Where the body ends that begins with `rest`, which may only grow from call to call. `stated` is its length as the head
    /// states it.
    pub(super) fn find(&mut self, stated: Option<u64>, rest: &[u8], awaited: bool, ended: bool) -> Body {
        let text = self.text(rest);
        let is_description = begins_sdp(text);
        match stated {
            Some(0) | None if is_description => match self.next_message(rest) {
                _ if rest.len() > MAX_BODY => Body::Ends(MAX_BODY, BodyEnd::TooLarge),
                Some(length) => Body::Ends(length, BodyEnd::Found),
                None if ended => Body::Ends(rest.len(), BodyEnd::Found),
                None => Body::Perhaps,
            },
            None if awaited && !ended && matches!(text, b"" | b"v" | b"m") => Body::Perhaps,
            Some(0) | None => Body::Ends(0, BodyEnd::Stated),
            Some(declared) if declared > MAX_BODY as u64 => match rest.len() {
                length if length >= MAX_BODY || ended => Body::Ends(length.min(MAX_BODY), BodyEnd::TooLarge),
                _ if is_description => Body::Perhaps,
                _ => Body::More,
            },
            Some(declared) => {
                let declared = declared as usize;
                match rest.get(..declared) {
                    Some(_) if is_description => self.extend(rest, declared, ended),
                    Some(_) => Body::Ends(declared, BodyEnd::Stated),
                    None if ended => Body::Ends(self.next_message(rest).unwrap_or(rest.len()), BodyEnd::Short),
                    None if is_description && rest.ends_with(b"\n") => Body::Perhaps,
                    None => Body::More,
                }
            }
        }
    }

    /// What follows a byte order mark and blanks.
    fn text<'b>(&mut self, rest: &'b [u8]) -> &'b [u8] {
        let mark = if rest.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        self.blank = self.blank.max(mark);
        let more = rest.get(self.blank..).unwrap_or_default().iter().inspect(|_| steps::look_at(1));
        self.blank += more.take_while(|byte| byte.is_ascii_whitespace()).count();
        rest.get(self.blank..).unwrap_or_default()
    }

    /// Where another message begins behind a line's end.
    fn next_message(&mut self, rest: &[u8]) -> Option<usize> {
        while let Some(end) = line_end(rest, self.looked_to) {
            match answer(rest.get(end + 1..).unwrap_or_default()) {
                Start::Data | Start::Status(_) => return Some(end + 1),
                // All that has come behind the line's end may still become one.
                Start::Nothing | Start::Unsure => {
                    self.looked_to = end;
                    return None;
                }
                Start::Request | Start::Junk => self.looked_to = end + 1,
            }
        }
        self.looked_to = rest.len();
        None
    }

    /// A description whose stated length cuts its last line, or lines, off: what follows belongs to it.
    fn extend(&mut self, rest: &[u8], declared: usize, ended: bool) -> Body {
        self.lines = self.lines.max(declared);
        loop {
            let (body, after) = rest.split_at_checked(self.lines).unwrap_or((rest, &[]));
            let in_line = !matches!(body.last(), Some(b'\n' | 0));
            if after.is_empty() && in_line && body.last() != Some(&b'\r') && !ended {
                return Body::Perhaps;
            }
            let is_more = match answer(after) {
                Start::Nothing | Start::Data | Start::Status(_) => false,
                _ => in_line || matches!(after, [b'a'..=b'z', b'=', ..]),
            };
            if !is_more {
                break;
            }
            match line_end(rest, self.line.max(self.lines)) {
                Some(end) => self.lines = end + 1,
                None if ended => self.lines = rest.len(),
                None => {
                    self.line = rest.len();
                    return Body::Perhaps;
                }
            }
            if self.lines > MAX_BODY {
                return Body::Ends(MAX_BODY, BodyEnd::TooLarge);
            }
        }
        Body::Ends(self.lines, if self.lines == declared { BodyEnd::Stated } else { BodyEnd::Extended })
    }
}

/// Whether bytes begin like a session description; some devices leave out all that comes before the first media.
pub fn looks_like_sdp(bytes: &[u8]) -> bool {
    begins_sdp(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii_start())
}

fn begins_sdp(text: &[u8]) -> bool {
    text.starts_with(b"v=") || text.starts_with(b"m=")
}

/// The place of the first line's end from a place on.
fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter().inspect(|_| steps::look_at(1)).position(|&byte| byte == b'\n').map(|at| from + at)
}
