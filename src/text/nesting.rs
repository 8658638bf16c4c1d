//! How deep a YAML text nests lists and maps in brackets. The reader of YAML looks at every bracket that is open again for each
//! token that follows: one of 64 KiB of brackets takes it a second, before it says that they are too many.

use super::steps;

/// The reader takes 128 levels. More brackets than these are never open at once in what it takes.
const MOST: usize = 256;

/// What is said of a text that nests deeper than the reader takes.
pub const TOO_DEEP: &str = "it nests lists and maps too deep";

/// The line, from 1, in which a text has more brackets open at once than the reader of YAML takes.
pub fn too_deep(text: &str) -> Option<usize> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, line: 0, parent: None, open: 0 };
    while scan.pass() {
        if scan.open > MOST {
            let before = text.as_bytes().get(..scan.at).unwrap_or_default();
            return Some(1 + before.iter().filter(|byte| **byte == b'\n').count());
        }
    }
    None
}

struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
    /// Where the line begins.
    line: usize,
    /// The column of the key or dash that stands last in the line.
    parent: Option<usize>,
    open: usize,
}

impl Scan<'_> {
    fn here(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// Goes on to a byte that is wanted.
    fn skip_to(&mut self, is_wanted: impl Fn(u8) -> bool) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let passed = rest.iter().position(|byte| is_wanted(*byte)).unwrap_or(rest.len());
        steps::look_at(passed);
        self.at += passed;
    }

    /// Passes one token (YAML 1.1 §5.3, as far as brackets matter); false at the end.
    fn pass(&mut self) -> bool {
        let Some(byte) = self.here(0) else { return false };
        steps::look_at(1);
        let column = self.at - self.line;
        let is_blank_next = self.here(1).is_none_or(|next| next.is_ascii_whitespace());
        match byte {
            b'\n' => {
                self.at += 1;
                (self.line, self.parent) = (self.at, None);
            }
            b'#' => self.skip_to(|byte| byte == b'\n'),
            b'[' | b'{' => {
                self.at += 1;
                self.open += 1;
            }
            b']' | b'}' => {
                self.at += 1;
                self.open = self.open.saturating_sub(1);
            }
            b'"' | b'\'' => {
                self.parent = Some(column);
                self.pass_quoted(byte);
            }
            b'&' | b'*' | b'!' => {
                self.at += 1;
                self.skip_to(|byte| byte.is_ascii_whitespace() || b",[]{}".contains(&byte));
            }
            b'|' | b'>' if self.open == 0 => self.pass_lines(column),
            b'-' | b'?' if is_blank_next => {
                self.at += 1;
                self.parent = Some(column);
            }
            b',' | b':' => self.at += 1,
            _ if byte.is_ascii_whitespace() => self.at += 1,
            _ => {
                self.parent = Some(column);
                self.pass_plain();
            }
        }
        true
    }

    fn pass_quoted(&mut self, quote: u8) {
        self.at += 1;
        loop {
            self.skip_to(|byte| byte == quote || byte == b'\\');
            let is_escape = self.here(0) == Some(b'\\') && quote == b'"';
            let is_end = self.here(0).is_none_or(|byte| byte == quote);
            self.at += if is_escape { 2 } else { 1 };
            if is_end {
                return;
            }
        }
    }

    /// Passes a text without quotes: in brackets up to the next one, else up to the end of the line, a value or a comment.
    fn pass_plain(&mut self) {
        loop {
            self.at += 1;
            let is_in_brackets = self.open > 0;
            self.skip_to(|byte| b"\n:#".contains(&byte) || is_in_brackets && b",[]{}".contains(&byte));
            let is_part = match self.here(0) {
                Some(b':') => self.here(1).is_some_and(|next| !next.is_ascii_whitespace()),
                Some(b'#') => !self.bytes.get(self.at - 1).is_some_and(u8::is_ascii_whitespace),
                _ => false,
            };
            if !is_part {
                return;
            }
        }
    }

    /// Passes the lines of a text after `|` or `>`: those farther to the right than what holds it.
    fn pass_lines(&mut self, column: usize) {
        let from = self.parent.map_or(column, |parent| parent + 1);
        loop {
            self.skip_to(|byte| byte == b'\n');
            let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
            let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
            steps::look_at(blanks);
            let is_empty = matches!(rest.get(blanks), Some(b'\n' | b'\r'));
            if rest.is_empty() || blanks < from && !is_empty {
                return;
            }
            self.at += 1 + blanks;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_too_deep(text: &str) -> bool {
        too_deep(text).is_some()
    }

    #[test]
    fn open_brackets_are_counted_and_those_in_texts_are_not() {
        let many = |text: &str| text.repeat(MOST + 1);
        for deep in
            ["[", "{", "{a: ", "{\"a\":", "[a,", "[\n", "- [", "[ # x\n", "[!a ", "[&a ", "{? ", "['a',[", "[- "]
        {
            assert!(is_too_deep(&many(deep)), "{deep}");
            assert!(!is_too_deep(&deep.repeat(MOST / 2)), "{deep}");
        }
        for flat in [
            "a[",
            "[]",
            "{a: [1]}, ",
            "'['\n",
            "\"[\\\"[\" ",
            "# [\n",
            "a: x[[{\n",
            "- a[ b\n",
            "- |\n  [\n",
            "- a: >\n    [\n  b: c\n",
        ] {
            assert!(!is_too_deep(&many(flat)), "{flat}");
        }
        assert!(is_too_deep(&format!("- a: |\n  b: {}", many("["))));
        assert!(!is_too_deep(&format!("- a: |\n   b: {}", many("["))));
        assert_eq!(too_deep(&format!("a: 1\nb: {}", many("["))), Some(2));
    }

    #[test]
    fn a_hostile_text_is_passed_through_once() {
        for unit in ["[", "]", "'", "\"", "\\", "\"\\", "a", ":", "#", "a:", "- ", "|\n", "- |\n ", "|", "&", "\n", " "]
        {
            let text = unit.repeat((64 << 10) / unit.len());
            let looks = steps::seen_by(|| too_deep(&text)) / text.len();
            assert!(looks <= 4, "{looks} looks at each byte of {unit:?} repeated");
        }
    }
}
