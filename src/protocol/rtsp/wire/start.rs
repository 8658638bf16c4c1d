//! What the next bytes begin: an answer, a request, a frame or nothing that makes sense.

use super::Spoken;
use crate::text::steps;

/// The longest first line of a device's own request, in bytes.
const MAX_REQUEST_LINE: usize = 2048;

/// The longest version and the most blanks between the words of a status line, in bytes.
const MAX_GAP: usize = 16;

/// A method and the blank after it are shorter.
const MAX_METHOD: usize = 16;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Nothing,
    Data,
    Status(Spoken),
    Request,
    /// Too few bytes to tell.
    Unsure,
    Junk,
}

/// What bytes begin with where no request is looked for: what begins one is junk.
pub(super) fn answer(bytes: &[u8]) -> Start {
    match bytes.first() {
        None => Start::Nothing,
        Some(b'$') => Start::Data,
        Some(b'R' | b'r' | b'H' | b'h') if may_be(bytes, b"RTSP") || may_be(bytes, b"HTTP") => status_line(bytes),
        Some(_) => Start::Junk,
    }
}

/// Says of one place after the other, from front to back, what begins there. What has to be looked for further on is looked
/// for once: a device can send a beginning at every place of a line that never ends.
pub(super) struct Starts<'b> {
    bytes: &'b [u8],
    looked: &'b mut Looked,
}

/// What was looked for further on. It holds while more bytes come.
#[derive(Debug, Default)]
pub(super) struct Looked {
    line_end: Ahead,
    rtsp: Ahead,
}

impl Looked {
    /// So many bytes in front were taken away.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.line_end.pass(bytes);
        self.rtsp.pass(bytes);
    }
}

impl<'b> Starts<'b> {
    /// Of these bytes, in which so much was looked for.
    pub(super) fn of(bytes: &'b [u8], looked: &'b mut Looked) -> Self {
        Starts { bytes, looked }
    }

    /// What message begins at `place`. From call to call, `place` never goes back.
    pub(super) fn at(&mut self, place: usize) -> Start {
        let rest = self.bytes.get(place..).unwrap_or_default();
        steps::look_at(1);
        match answer(rest) {
            Start::Junk if rest.first().is_some_and(u8::is_ascii_uppercase) => self.request_line(place, rest),
            other => other,
        }
    }

    fn request_line(&mut self, place: usize, rest: &[u8]) -> Start {
        let is_method = |method: &&str| {
            let method = method.as_bytes();
            let is_like_it = common(rest, method) == method.len() && rest.get(method.len()) == Some(&b' ');
            // Case matters in a method.
            is_like_it && rest.starts_with(method)
        };
        if !METHODS.iter().any(is_method) {
            let may_become = || METHODS.iter().any(|method| may_be(rest, method.as_bytes())) && !rest.contains(&b' ');
            return if rest.len() < MAX_METHOD && may_become() { Start::Unsure } else { Start::Junk };
        }
        let bytes = self.bytes;
        let most = bytes.len().min(place + MAX_REQUEST_LINE);
        match self.looked.line_end.next(place, most, |at| bytes.get(at) == Some(&b'\n')) {
            Some(end) => {
                let is_rtsp = |at| bytes.get(at..).is_some_and(|rest| may_be(rest, b"RTSP/") && rest.len() >= 5);
                match self.looked.rtsp.next(place, end.saturating_sub(4), is_rtsp) {
                    Some(_) => Start::Request,
                    None => Start::Junk,
                }
            }
            None if rest.len() < MAX_REQUEST_LINE => Start::Unsure,
            None => Start::Junk,
        }
    }
}

/// The next place of something. Each place is looked at once.
#[derive(Debug, Default)]
struct Ahead {
    looked_to: usize,
    found: Option<usize>,
}

impl Ahead {
    fn pass(&mut self, bytes: usize) {
        self.looked_to = self.looked_to.saturating_sub(bytes);
        self.found = self.found.and_then(|found| found.checked_sub(bytes));
    }

    /// The first place from `from` on and before `to` that `is` what is looked for. Neither bound is lower than it was in the
    /// last call.
    fn next(&mut self, from: usize, to: usize, is: impl Fn(usize) -> bool) -> Option<usize> {
        self.found = self.found.filter(|found| *found >= from);
        if self.found.is_none() {
            self.found = (self.looked_to.max(from)..to).inspect(|_| steps::look_at(1)).find(|place| is(*place));
            self.looked_to = self.found.map_or(to.max(self.looked_to), |found| found + 1);
        }
        self.found.filter(|found| *found < to)
    }
}

/// How many bytes two have in common at their beginning, without regard to case.
fn common(bytes: &[u8], word: &[u8]) -> usize {
    let pairs = bytes.iter().zip(word).inspect(|_| steps::look_at(1));
    pairs.take_while(|(byte, letter)| byte.eq_ignore_ascii_case(letter)).count()
}

/// Whether bytes begin with a word, without regard to case, as far as both go.
fn may_be(bytes: &[u8], word: &[u8]) -> bool {
    common(bytes, word) == bytes.len().min(word.len())
}

/// `RTSP/1.0 200`, with any version and any blanks: a name alone, as at the end of a request line, is none.
fn status_line(bytes: &[u8]) -> Start {
    if bytes.len() < 4 {
        return Start::Unsure;
    }
    let spoken = if may_be(bytes, b"RTSP") { Spoken::Rtsp } else { Spoken::Http };
    let rest = bytes.get(4..).unwrap_or_default();
    let version = count(rest, |b| matches!(b, b'/' | b'.' | b'0'..=b'9'));
    let after = rest.get(version..).unwrap_or_default();
    let blanks = count(after, |b| matches!(b, b' ' | b'\t'));
    let code = after.get(blanks..).unwrap_or_default();
    let digits = code.iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    if version > MAX_GAP || blanks > MAX_GAP {
        Start::Junk
    } else if digits == 3 && blanks > 0 {
        Start::Status(spoken)
    } else if digits == code.len() {
        Start::Unsure
    } else {
        Start::Junk
    }
}

/// How many bytes of a kind there are in front; of more than fit into a gap it is only said that they are more.
fn count(bytes: &[u8], is: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take(MAX_GAP + 1).inspect(|_| steps::look_at(1)).take_while(|byte| is(byte)).count()
}
