//! Cleans every string a device sent before it meets a terminal, a file or a log.

pub mod redactor;

use unicode_width::UnicodeWidthChar;

pub use redactor::Redactor;

/// The longest text taken from a device, in characters. Names are shorter; what is longer is an attack or a mistake.
pub const MAX_CHARS: usize = 256;

/// Marks without a width of their own kept on one letter. Vietnamese, Hebrew, Thai and Indic scripts need up to four; heaps
/// of them cover the lines above and below.
const MOST_MARKS: usize = 4;

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

/// Bytes a device sent, as cleaned text: UTF-8, else byte by byte as Latin-1 without loss of the ASCII around.
pub fn clean_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => clean(text),
        Err(_) => clean(&String::from_utf8_lossy(bytes)),
    }
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

/// A URL without user name and password, and without the values of query or path parts that hold them
/// (`user=`, `password=`, `pwd=`, `usr=` …, as Xiongmai and Reolink put them). Keeps everything else to the letter.
pub fn redact_url(url: &str) -> String {
    redact_parameters(&strip_userinfo(url))
}

/// A text with any number of addresses in it, each as [`redact_url`] leaves it.
pub fn redact_urls(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(&strip_userinfo(&format!("://{piece}")));
    }
    redact_parameters(&out)
}

/// A URL without user name and password.
pub fn strip_userinfo(url: &str) -> String {
    let Some(start) = url.find("://").map(|i| i + 3) else { return url.to_owned() };
    let rest = url.get(start..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let mut authority_end = end;
    // A password may itself hold '/' or '?': an '@' after them still belongs to the userinfo when a host follows it.
    if rest.get(..end).is_some_and(|a| !a.contains('@') && a.contains(':'))
        && let Some(at) = rest.find('@')
        && rest.get(..at).is_some_and(|u| !u.contains(' ') && port_is_not_a_number(u))
    {
        authority_end = at + 1;
    }
    match rest.get(..authority_end).and_then(|a| a.rfind('@')) {
        Some(at) => {
            format!("{}{}", url.get(..start).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default())
        }
        None => url.to_owned(),
    }
}

fn port_is_not_a_number(authority: &str) -> bool {
    let after = authority.split_once(':').map_or("", |(_, p)| p);
    let port = after.split(['/', '?']).next().unwrap_or_default();
    port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())
}

/// A URL with user name and password in it, percent-encoded. For those who asked to see them.
pub fn with_login(url: &str, user: &str, password: &str) -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}:{}@{rest}", encode(user), encode(password)),
        None => url.to_owned(),
    }
}

const SECRET_KEYS: [&str; 24] = [
    "user",
    "username",
    "usr",
    "login",
    "password",
    "passwd",
    "passcode",
    "passphrase",
    "pass",
    "pwd",
    "psw",
    "pswd",
    "userpassword",
    "userpasswd",
    "userpass",
    "userpwd",
    "credential",
    "credentials",
    "secret",
    "token",
    "auth",
    "loginuse",
    "loginpas",
    "session",
];

fn redact_parameters(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((key, value)) = equals(rest) {
        let (head, tail) = rest.split_at(value);
        out.push_str(head);
        let key = head.get(..key).unwrap_or_default();
        let key = key.rsplit(['&', '?', '/', ';', '_', ',', ' ', '"', '#']).next().unwrap_or_default();
        let secret = SECRET_KEYS.iter().any(|k| key.eq_ignore_ascii_case(k));
        if !secret {
            rest = tail;
            continue;
        }
        // Xiongmai parts its fields by '_' or '&'; a value ends there or at the end of the segment.
        let stop = tail.find(['&', '/', ';', '#']).unwrap_or(tail.len());
        let value = tail.get(..stop).unwrap_or_default();
        let stop = value
            .match_indices('_')
            .map(|(i, _)| i)
            .find(|&i| {
                value.get(i + 1..).is_some_and(|after| {
                    ["password=", "channel=", "stream=", "onvif="].iter().any(|k| after.starts_with(k))
                })
            })
            .unwrap_or(stop);
        if stop > 0 {
            out.push_str("***");
        }
        rest = tail.get(stop..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Where the next key ends and where its value begins: at `=`, also percent-encoded.
fn equals(text: &str) -> Option<(usize, usize)> {
    let plain = text.find('=').map(|at| (at, at + 1));
    let encoded = text.match_indices("%3").map(|(at, _)| at);
    let encoded = encoded.filter(|at| text.get(at + 2..at + 3).is_some_and(|c| c.eq_ignore_ascii_case("d"))).min();
    plain.into_iter().chain(encoded.map(|at| (at, at + 3))).min()
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
    fn userinfo_and_named_secrets_leave_a_url() {
        for (sent, shown) in [
            ("rtsp://admin:s3cret@192.0.2.1:554/a", "rtsp://192.0.2.1:554/a"),
            ("rtsp://admin:p@ss@192.0.2.1/a", "rtsp://192.0.2.1/a"),
            ("rtsp://admin:p/w@192.0.2.1/a", "rtsp://192.0.2.1/a"),
            ("rtsp://192.0.2.1:554/a@b", "rtsp://192.0.2.1:554/a@b"),
            (
                "rtsp://192.0.2.1/user=admin_password=tl_J_channel=1_stream=0.sdp?real_stream",
                "rtsp://192.0.2.1/user=***_password=***_channel=1_stream=0.sdp?real_stream",
            ),
            (
                "http://h/cgi?cmd=Snap&user=admin&password=x&channel=0",
                "http://h/cgi?cmd=Snap&user=***&password=***&channel=0",
            ),
            ("http://h/a?psw=x&login=viewer:x&passcode=x&c=1", "http://h/a?psw=***&login=***&passcode=***&c=1"),
            ("http://h/a?userpassword=x#password=x", "http://h/a?userpassword=***#password=***"),
            ("http://h/a?PASSWORD%3Dx%3D%C3", "http://h/a?PASSWORD%3D***"),
            ("rtsp://h/cam/realmonitor?channel=1&subtype=0", "rtsp://h/cam/realmonitor?channel=1&subtype=0"),
        ] {
            assert_eq!(redact_url(sent), shown);
        }
    }

    #[test]
    fn every_address_of_a_text_is_without_its_password() {
        for (sent, shown) in [
            ("url=rtsp://a:b@h/1;seq=1,url=rtsp://c:d@h/2", "url=rtsp://h/1;seq=1,url=rtsp://h/2"),
            ("rtsp://rtsp://a:p@ss@192.0.2.1/x", "rtsp://rtsp://192.0.2.1/x"),
            ("Wed, 21 Nov 2026 08:00:00 GMT", "Wed, 21 Nov 2026 08:00:00 GMT"),
            ("a=b; token=77, x", "a=b; token=***"),
            ("me@example.org", "me@example.org"),
        ] {
            assert_eq!(redact_urls(sent), shown);
        }
    }

    #[test]
    fn a_login_that_is_shown_can_be_taken_out_again() {
        let url = "rtsp://192.0.2.1:554/a?b=1";
        let shown = with_login(url, "admin", "p@ss:w/rd");
        assert_eq!(shown, "rtsp://admin:p%40ss%3Aw%2Frd@192.0.2.1:554/a?b=1");
        assert_eq!(strip_userinfo(&shown), url);
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

        #[test]
        fn redacting_never_panics(text in any::<String>()) {
            let _ = redact_url(&text);
        }
    }
}
