//! Cleans every string a device sent before it meets a terminal, a file or a log.

mod redact;
pub mod redactor;
pub mod steps;

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

pub use redact::{redact_url, redact_urls, strip_userinfo};
pub use redactor::Redactor;

/// The longest text taken from a device, in characters. Names are shorter; what is longer is an attack or a mistake.
pub const MAX_CHARS: usize = 256;

/// Marks without a width of their own kept on one letter. Vietnamese, Hebrew, Thai and Indic scripts need up to four; heaps
/// of them cover the lines above and below.
const MOST_MARKS: usize = 4;

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `1 device`, `2 devices`.
pub fn counted(count: impl TryInto<u64>, one: &str, several: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { several })
}

/// `text` on one line, without control characters, terminal escapes, direction marks, invisible characters or heaps of
/// combining marks, trimmed, at most [`MAX_CHARS`] characters.
pub fn clean(text: &str) -> String {
    clean_to(text, MAX_CHARS)
}

/// As [`clean`], at most `max` characters; what is cut off is marked by `…`.
pub fn clean_to(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max * 4));
    let mut count = 0usize;
    let mut blank = false;
    let mut marks = 0usize;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            skip_escape(&mut chars);
            continue;
        }
        if c.is_whitespace() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}') {
            blank = !out.is_empty();
            continue;
        }
        if is_hidden(c) {
            continue;
        }
        let is_mark = c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        // A mark without a letter would sit on whatever is printed before the text.
        if marks > MOST_MARKS || (is_mark && (blank || out.is_empty())) {
            continue;
        }
        if count + usize::from(blank) >= max {
            out.push('…');
            break;
        }
        if std::mem::take(&mut blank) {
            out.push(' ');
            count += 1;
        }
        out.push(c);
        count += 1;
    }
    out
}

/// `text` without control characters and terminal escapes. A line break goes together with the blanks around it, which
/// come from pretty printing; every other blank counts.
pub fn without_controls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split(['\r', '\n']).map(str::trim) {
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '\u{1b}' => skip_escape(&mut chars),
                _ if c.is_control() => {}
                _ => out.push(c),
            }
        }
    }
    out
}

/// Several lines, each as [`clean_to`] leaves it; lines with nothing in them are left out.
pub fn clean_lines(text: &str, max: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| clean_to(line, max)).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// A path without control characters, direction marks and invisible characters. Unlike in a name, every blank counts.
pub fn clean_path(path: &str) -> String {
    path.chars().filter(|&c| !is_hidden(c) && !matches!(c, '\u{2028}' | '\u{2029}')).collect()
}

/// Cleaned, or none when nothing is left.
pub fn clean_some(text: &str) -> Option<String> {
    Some(clean(text)).filter(|t| !t.is_empty())
}

/// Bytes a device sent, as cleaned text.
pub fn clean_bytes(bytes: &[u8]) -> String {
    clean(&decode(bytes))
}

/// Bytes as text without loss: UTF-8, and each byte that is none as the character of that number (ISO 8859-1).
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|&b| char::from(b)));
    }
    Cow::Owned(text)
}

fn skip_escape(chars: &mut std::str::Chars<'_>) {
    let mut ahead = chars.clone();
    match ahead.next() {
        // CSI: parameters, then one final byte.
        Some('[') => {
            *chars = ahead;
            for c in chars.by_ref().take(64) {
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    break;
                }
            }
        }
        // OSC, DCS, PM, APC: until BEL or ST.
        Some(']' | 'P' | '^' | '_' | 'X') => {
            *chars = ahead;
            let mut last = ' ';
            for c in chars.by_ref().take(4096) {
                if c == '\u{7}' || c == '\u{9c}' || (last == '\u{1b}' && c == '\\') {
                    break;
                }
                last = c;
            }
        }
        Some(c) if ('\u{20}'..='\u{7e}').contains(&c) => *chars = ahead,
        _ => {}
    }
}

/// Controls, direction marks, and characters that take part in no text: without a width, blank, private or no characters
/// at all (Unicode 16, `Default_Ignorable_Code_Point`, noncharacters and private use).
fn is_hidden(c: char) -> bool {
    let is_no_character = u32::from(c) & 0xfffe == 0xfffe;
    c.is_control()
        || is_no_character
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        // Blank though they count as letters or signs: fillers of Hangul, the empty pattern of Braille.
        || matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
        || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10fffd}' | '\u{fdd0}'..='\u{fdef}')
}

/// The candidate least different from what was written, when it is near enough to have been meant.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&written, &c.to_lowercase().replace('-', "_")), c))
        .filter(|&(distance, c)| distance <= 3 && distance * 2 < c.len().max(3))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_of_an_escape_is_left() {
        for (sent, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;owned\u{7}cam", "cam"),
            ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
            ("a\r\nb\tc", "a b c"),
            ("  padded  ", "padded"),
            ("abc\u{202e}gnp.exe", "abcgnp.exe"),
            ("nul\0byte", "nulbyte"),
            ("Ströbele 摄像机", "Ströbele 摄像机"),
            ("Cafe\u{301} Tiế\u{323}ng กี่ दुनिया 하\u{11ab}", "Cafe\u{301} Tiế\u{323}ng กี่ दुनिया 하\u{11ab}"),
            ("\u{301}\u{302}Cam \u{301}1", "Cam 1"),
            ("\u{3164}\u{115f}\u{1160}\u{2800}\u{ffa0}", ""),
            ("a\u{e0100}b\u{e01ef}c\u{fffe}d\u{ffff}e\u{1fffe}f\u{fdd0}g\u{f0000}h", "abcdefgh"),
        ] {
            assert_eq!(clean(sent), shown, "{sent:?}");
        }
    }

    #[test]
    fn a_heap_of_marks_is_a_few() {
        let heap = format!("Z{}a{}", "\u{301}".repeat(256), "\u{489}".repeat(9));
        assert_eq!(clean(&heap), format!("Z{}a{}", "\u{301}".repeat(MOST_MARKS), "\u{489}".repeat(MOST_MARKS)));
        // What is left out between the marks does not let more of them through.
        assert_eq!(
            clean(&"Z\u{301}\u{200b}".replace('Z', "Z\u{301}\u{301}\u{301}\u{301}")),
            "Z\u{301}\u{301}\u{301}\u{301}"
        );
    }

    /// Letters with marks, blanks, hidden characters and what is no character, in any order.
    fn odd_text() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(vec![
            'a',
            ' ',
            '\u{301}',
            '\u{489}',
            '\u{e31}',
            '\u{1161}',
            '\u{3164}',
            '\u{2800}',
            '\u{e0100}',
            '\u{ffff}',
            '\u{202e}',
            '\u{1b}',
            '[',
            '\u{2028}',
            'ß',
            '摄',
        ]);
        prop::collection::vec(prop_oneof![4 => odd, 1 => any::<char>()], 0..400).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn no_letter_carries_more_than_a_few_marks_and_no_name_looks_empty(text in odd_text()) {
            let shown = clean(&text);
            let mut marks = 0;
            for c in shown.chars() {
                marks = if c.width() == Some(0) { marks + 1 } else { 0 };
                prop_assert!(marks <= MOST_MARKS);
            }
            prop_assert!(!shown.chars().any(is_hidden));
            prop_assert!(shown.is_empty() || shown.chars().any(|c| !c.is_whitespace() && c.width() != Some(0)));
            prop_assert_eq!(clean(&shown), shown);
        }

        #[test]
        fn cleaned_text_is_one_visible_line(text in any::<String>()) {
            let once = clean(&text);
            prop_assert!(once.chars().count() <= MAX_CHARS + 1);
            prop_assert!(!once.chars().any(|c| c.is_control() || is_hidden(c)));
            prop_assert_eq!(clean(&once), once);
        }
    }
}
