//! Words and values of a header line that may break every rule.

use super::scheme_of;
use crate::model::AuthScheme;
use crate::text::steps;

/// Reads words and values from a header line that may break every rule.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Scanner { bytes }
    }

    /// The next word; blanks, commas and stray quotes before it are skipped.
    pub(super) fn word(&mut self) -> Option<&'a [u8]> {
        self.skip(|b| b.is_ascii_whitespace() || b < b' ' || matches!(b, b',' | b';' | b'"' | b'='));
        let end = self.bytes.iter().position(|&b| is_separator(b)).unwrap_or(self.bytes.len());
        let (word, rest) = self.bytes.split_at_checked(end)?;
        self.bytes = rest;
        (!word.is_empty()).then_some(word)
    }

    /// Whether an equals sign follows; it is taken.
    pub(super) fn takes_equals(&mut self) -> bool {
        let mut ahead = Scanner { bytes: self.bytes };
        ahead.skip(|b| matches!(b, b' ' | b'\t'));
        match ahead.bytes.split_first() {
            Some((b'=', rest)) => {
                self.bytes = rest;
                true
            }
            _ => false,
        }
    }

    pub(super) fn value(&mut self) -> Vec<u8> {
        self.skip(|b| matches!(b, b' ' | b'\t'));
        let value = match self.bytes.split_first() {
            Some((b'"', rest)) => {
                self.bytes = rest;
                self.quoted()
            }
            _ => self.unquoted(),
        };
        // A control byte sent back would break the request apart.
        value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n' | 0)).collect()
    }

    /// The text up to the closing quote: one that is followed by a separator. A quote in the middle of the text belongs
    /// to it; one right after `name=` means that the closing quote was forgotten before that name.
    fn quoted(&mut self) -> &'a [u8] {
        let bytes = self.bytes;
        let mut escaped = false;
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    let (before, after) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
                    let after = after.get(1..).unwrap_or_default();
                    let closes = after.first().is_none_or(|&b| b.is_ascii_whitespace() || matches!(b, b',' | b';'));
                    if closes && !reads_on(after) {
                        self.bytes = after;
                        return before;
                    }
                    if let Some(comma) = forgotten_quote(before).filter(|_| !closes) {
                        self.bytes = bytes.get(comma..).unwrap_or_default();
                        return bytes.get(..comma).unwrap_or_default();
                    }
                }
                _ => {}
            }
        }
        self.bytes = &[];
        bytes
    }

    /// A value without quotes: to the comma, or to a blank that is followed by `name=` or a scheme.
    fn unquoted(&mut self) -> &'a [u8] {
        let bytes = self.bytes;
        let mut end = 0;
        loop {
            let rest = bytes.get(end..).unwrap_or_default();
            let blank = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let mut ahead = Scanner { bytes: rest.get(blank..).unwrap_or_default() };
            let length = ahead.bytes.iter().position(|&b| matches!(b, b',' | b';' | b' ' | b'\t'));
            let length = length.unwrap_or(ahead.bytes.len());
            let word = ahead.bytes.get(..length).unwrap_or_default();
            // A word is looked for right here: whoever writes separators alone has them read once.
            let is_word = word.first().is_some_and(|&b| !is_separator(b));
            let is_name = |ahead: &mut Scanner<'_>| is_word && ahead.word().is_some() && ahead.takes_equals();
            let starts_next = end > 0 && (scheme_of(word) != AuthScheme::Other || is_name(&mut ahead));
            if length == 0 || starts_next {
                break;
            }
            end += blank + length;
        }
        self.bytes = bytes.get(end..).unwrap_or_default();
        bytes.get(..end).unwrap_or_default()
    }

    fn skip(&mut self, what: impl Fn(u8) -> bool) {
        let count = self.bytes.iter().take_while(|&&b| what(b)).count();
        steps::look_at(count);
        self.bytes = self.bytes.get(count..).unwrap_or_default();
    }
}

fn is_separator(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b',' | b';' | b'=' | b'"')
}

/// Where the text before a quote ends in `, name=`: the position of that comma. No further back than a name is long, so that
/// a value of nothing but quotes is read in one pass.
fn forgotten_quote(before: &[u8]) -> Option<usize> {
    const LONGEST_NAME: usize = 64;
    let name = before.strip_suffix(b"=")?;
    let earliest = name.len().saturating_sub(LONGEST_NAME);
    let comma = earliest + name.get(earliest..)?.iter().rposition(|&b| b == b',')?;
    let word = name.get(comma + 1..)?.trim_ascii();
    (!word.is_empty() && word.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')).then_some(comma)
}

/// Whether what follows a quote and a blank is more text of the same value: words, then another quote before any
/// parameter (`Use "live" as user"`).
fn reads_on(after: &[u8]) -> bool {
    /// So far off a word is another value's.
    const NEAR: usize = 16;
    let Some(b' ' | b'\t') = after.first() else { return false };
    if after.iter().take(NEAR).all(|&b| is_separator(b)) {
        return false;
    }
    let mut ahead = Scanner { bytes: after };
    ahead.skip(|b| matches!(b, b' ' | b'\t'));
    if matches!(ahead.bytes.first(), None | Some(b',' | b';')) {
        return false;
    }
    let Some(word) = ahead.word() else { return false };
    !ahead.takes_equals() && scheme_of(word) == AuthScheme::Other && ahead.bytes.contains(&b'"')
}
