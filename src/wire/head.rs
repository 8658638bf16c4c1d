//! The head of a message as HTTP, RTSP and SSDP share it (RFC 9112 §5, RFC 2326 §4.2), as loosely as devices write it: bare
//! LF, folded lines, lines without a colon, blanks before the colon. The first line is each protocol's own.
//!
//! Values are kept to the byte, since what a login hashes must not be decoded.

use std::borrow::Cow;

use crate::text::{self, steps};

/// The longest head taken, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// The most headers kept of one head; devices send a few dozen at most.
pub const MAX_HEADERS: usize = 512;

/// The headers of a message in the order sent. Names are compared without regard to case; a name may stand more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// Adds one, up to [`MAX_HEADERS`]; the value's blanks at both ends are dropped.
    pub fn push(&mut self, name: impl Into<String>, value: &[u8]) {
        if self.0.len() < MAX_HEADERS {
            self.0.push((name.into(), value.trim_ascii().to_vec()));
        }
    }

    /// Reads a line of a head. One that begins with a blank continues the header before it (RFC 9112 §5.2); one without a
    /// colon is passed over.
    fn read_line(&mut self, line: &[u8]) {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            if let Some((_, value)) = self.0.last_mut()
                && let more = line.trim_ascii()
                && !more.is_empty()
            {
                value.push(b' ');
                value.extend_from_slice(more);
            }
        } else if let Some(colon) = line.iter().position(|&b| b == b':') {
            let (name, value) = line.split_at_checked(colon).unwrap_or_default();
            self.push(text::clean_bytes(name), value.get(1..).unwrap_or_default());
        }
    }

    /// All values of that name, as sent.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_slice())
    }

    /// Whether there is one of that name, if only an empty one.
    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// All values of that name as text; not cleaned.
    pub fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        self.all(name).map(text::decode)
    }

    /// The first value of that name that is not empty, as text; not cleaned.
    pub fn text<'a>(&'a self, name: &'a str) -> Option<Cow<'a, str>> {
        self.all(name).find(|v| !v.is_empty()).map(text::decode)
    }

    /// The first value of that name that is not empty when cleaned, cleaned.
    pub fn clean(&self, name: &str) -> Option<String> {
        self.all(name).map(text::clean_bytes).find(|v| !v.is_empty())
    }

    /// Every header in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_slice()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Content-Length` in bytes; of several the largest, since what is missing shows and what is cut off does not. None
    /// when it is missing or no number.
    pub fn content_length(&self) -> Option<u64> {
        let number = |value: Cow<'_, str>| value.split(',').next()?.trim().parse::<u64>().ok();
        self.texts("Content-Length").filter_map(number).max()
    }

    /// `Content-Type` without parameters, lower case.
    pub fn content_type(&self) -> Option<String> {
        let value = self.clean("Content-Type")?;
        value.split([';', ' ']).next().filter(|t| !t.is_empty()).map(str::to_ascii_lowercase)
    }
}

impl<N: Into<String>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Headers {
        let mut all = Headers::default();
        headers.into_iter().for_each(|(name, value)| all.push(name, value.as_ref()));
        all
    }
}

/// The first line and the headers of a head. An empty line ends it, if the end of the bytes does not.
pub fn read(head: &[u8]) -> (&[u8], Headers) {
    steps::look_at(head.len());
    let mut lines = head.split(|&b| b == b'\n').map(without_line_end);
    let first = lines.next().unwrap_or_default();
    let mut headers = Headers::default();
    lines.take_while(|line| !line.is_empty()).for_each(|line| headers.read_line(line));
    (first, headers)
}

/// Writes a header line. What would break it is left out: of the name all but visible characters, of the value line ends
/// and other control characters.
pub fn write_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend(name.bytes().filter(|&b| b.is_ascii_graphic() && b != b':'));
    out.extend_from_slice(b": ");
    out.extend(value.iter().filter(|&&b| b == b'\t' || !b.is_ascii_control()));
    out.extend_from_slice(b"\r\n");
}

/// Finds where a head ends while its bytes come. Heads come in pieces of any size, and none of their bytes is looked at
/// twice: one of [`MAX_HEAD`] that comes byte by byte would else be read through as often.
#[derive(Debug, Clone, Default)]
pub struct HeadEnd {
    /// Where the line begins that is not whole yet.
    line: usize,
    /// So many bytes are known.
    seen: usize,
}

impl HeadEnd {
    /// The length of the head that `bytes` begin with, with the empty line that ends it; none as long as it has not come.
    /// Of one call to the next `bytes` may only grow. `begins_body` knows lines that end a head without an empty line
    /// before them, and do not belong to it.
    pub fn find(&mut self, bytes: &[u8], begins_body: impl Fn(&[u8]) -> bool) -> Option<usize> {
        while let Some(end) = bytes.get(self.seen..)?.iter().position(|&b| b == b'\n').map(|at| self.seen + at) {
            let line = without_line_end(bytes.get(self.line..end)?);
            if line.is_empty() && self.line > 0 {
                return Some(end + 1);
            }
            if begins_body(line) {
                return Some(self.line);
            }
            (self.line, self.seen) = (end + 1, end + 1);
        }
        self.seen = bytes.len();
        None
    }
}

fn without_line_end(mut line: &[u8]) -> &[u8] {
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_are_read_however_written() {
        for (head, wanted) in [
            ("A: b\r\nB: c\r\n\r\nC: d", vec![("A", "b"), ("B", "c")]),
            ("A: b\nB : c \n\n", vec![("A", "b"), ("B", "c")]),
            ("A:b\r\n c\r\n\t d \r\n  \r\nB:", vec![("A", "b c d"), ("B", "")]),
            (" folded under nothing\r\nno colon\r\nTue Jan  6 10.00\r\nA: b:c", vec![("A", "b:c")]),
            ("A: b\r\r\n\u{1b}[31mB\0: c\r\n", vec![("A", "b"), ("B", "c")]),
            ("", vec![]),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{head}");
            let (first, headers) = read(head.as_bytes());
            assert_eq!(first, b"HTTP/1.1 200 OK", "{head:?}");
            let found: Vec<_> = headers.iter().map(|(n, v)| (n, std::str::from_utf8(v).unwrap())).collect();
            assert_eq!(found, wanted, "{head:?}");
        }
    }

    #[test]
    fn values_are_kept_to_the_byte_and_read_as_text() {
        let (_, headers) =
            read(b"x\r\nServer:\r\nserver: B\xfcro\r\nServer: 2\r\nContent-Type: Text/HTML; charset=x\r\n");
        assert_eq!(headers.all("SERVER").collect::<Vec<_>>(), [b"".as_slice(), b"B\xfcro", b"2"]);
        assert_eq!(headers.text("server").as_deref(), Some("Büro"));
        assert_eq!(headers.clean("server").as_deref(), Some("Büro"));
        assert_eq!(headers.content_type().as_deref(), Some("text/html"));
        assert!(headers.has("server") && !headers.has("via") && headers.len() == 4 && !headers.is_empty());
        let length =
            |values: &[&str]| values.iter().map(|v| ("Content-Length", v)).collect::<Headers>().content_length();
        assert_eq!(length(&["7", "x", "12, 12", "-1"]), Some(12));
        assert_eq!(length(&["", "x"]), None);
    }

    #[test]
    fn a_head_holds_so_many_headers_and_no_more() {
        let head = format!("x\r\n{}", "A: b\r\n".repeat(MAX_HEADERS + 9));
        assert_eq!(read(head.as_bytes()).1.len(), MAX_HEADERS);
    }

    #[test]
    fn the_end_is_an_empty_line_or_where_the_body_begins() {
        let end = |head: &str| HeadEnd::default().find(head.as_bytes(), |line| line == b"v=0");
        assert_eq!(end("a\r\nb: c\r\n\r\nbody"), Some(11));
        assert_eq!(end("a\nb: c\n\nbody"), Some(8));
        assert_eq!(end("a\r\nb: c\r\nv=0\r\ns=x\r\n"), Some(9));
        assert_eq!(end("a\r\nb: c\r\n"), None);
        assert_eq!(end(""), None);
    }

    /// A head of one endless line, byte by byte: each byte is looked at once, which takes no time.
    #[test]
    fn a_head_that_comes_byte_by_byte_is_not_read_again_and_again() {
        let line = vec![b'x'; 1 << 20];
        let mut end = HeadEnd::default();
        for length in 0..line.len() {
            assert_eq!(end.find(&line[..length], |_| false), None);
            assert_eq!(end.seen, length);
        }
    }

    proptest! {
        #[test]
        fn the_end_is_found_in_whatever_pieces_a_head_comes(
            parts in prop::collection::vec(prop::sample::select(vec!["a", "b: c", "\r", "\n", "\r\n", "v=0", " "]), 0..30),
            pieces in prop::collection::vec(1usize..7, 0..60),
        ) {
            let bytes = parts.concat().into_bytes();
            let is_body = |line: &[u8]| line == b"v=0";
            let whole = HeadEnd::default().find(&bytes, is_body);
            let mut end = HeadEnd::default();
            let mut length = 0;
            let mut found = None;
            for piece in pieces.into_iter().chain([bytes.len()]) {
                length = (length + piece).min(bytes.len());
                found = found.or_else(|| end.find(&bytes[..length], is_body));
            }
            prop_assert_eq!(found, whole);
        }

        #[test]
        fn what_is_written_is_read_back(
            headers in prop::collection::vec(("[!-9;-~]{1,9}", "([!-~\u{e4}][ -~]{0,20}[!-~])?"), 0..20),
        ) {
            let mut head = b"first\r\n".to_vec();
            headers.iter().for_each(|(name, value)| write_line(&mut head, name, value.as_bytes()));
            let (first, found) = read(&head);
            prop_assert_eq!(first, b"first");
            prop_assert_eq!(found, headers.into_iter().collect::<Headers>());
        }

        #[test]
        fn no_value_breaks_out_of_its_line(name in any::<String>(), value in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut head = Vec::new();
            write_line(&mut head, &name, &value);
            prop_assert_eq!(head.iter().filter(|&&b| b == b'\n').count(), 1);
            prop_assert_eq!(head.iter().filter(|&&b| b == b'\r').count(), 1);
        }
    }
}
