//! Heads of answers, and the logins that stand in addresses.

use std::sync::OnceLock;

use regex::bytes::{Captures, Regex};

use super::{Anonymiser, Known, PASSWORD, USER};
use crate::kit::format::Private;

/// Words in the names of headers whose values are secrets.
const SECRET: [&str; 8] = ["cookie", "csrf", "key", "nonce", "secret", "ticket", "token", "signature"];

/// Replaces what stands in a head, names and reason included; `length` is that of the body as it is now, unless it came without end or not at all.
pub(super) fn replace(anonymiser: &mut Anonymiser, head: &[u8], length: Option<usize>, known: &Known) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len());
    let mut is_framed = false;
    for (number, line) in head.split_inclusive(|b| *b == b'\n').enumerate() {
        let colon = line.iter().position(|b| *b == b':').filter(|_| number > 0);
        let Some((name, value)) = colon.and_then(|at| line.split_at_checked(at + 1)) else {
            out.extend(without_name(anonymiser, line, number == 0, known));
            continue;
        };
        let named = String::from_utf8_lossy(name).trim_end_matches(':').trim().to_ascii_lowercase();
        match (named.as_str(), length) {
            // What comes in chunks is put into chunks by the replay.
            ("transfer-encoding", _) => {
                if String::from_utf8_lossy(value).to_ascii_lowercase().contains("chunked") {
                    out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
                }
            }
            // What was packed is plain now.
            ("content-length", Some(length)) => {
                if !std::mem::replace(&mut is_framed, true) {
                    out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
                }
            }
            ("content-encoding" | "authentication-info" | "proxy-authentication-info", _) => {}
            _ => {
                out.extend(anonymiser.text(name));
                out.extend(value_of(anonymiser, &named, value, known));
            }
        }
    }
    out
}

/// A line without a name: the first one, of which protocol and status stay, or one that is none of HTTP's.
fn without_name(anonymiser: &mut Anonymiser, line: &[u8], is_first: bool, known: &Known) -> Vec<u8> {
    let kept = status().filter(|_| is_first).and_then(|status| status.find(line)).map_or(0, |found| found.end());
    let (status, rest) = line.split_at_checked(kept).unwrap_or((&[], line));
    [status, &value_of(anonymiser, "", rest, known)].concat()
}

fn value_of(anonymiser: &mut Anonymiser, name: &str, value: &[u8], known: &Known) -> Vec<u8> {
    let value = urls_without_login(&anonymiser.given.replace(value), known);
    let value = match name {
        "www-authenticate" | "proxy-authenticate" => with_tokens(anonymiser, &value, nonces()),
        "session" => with_tokens(anonymiser, &value, session()),
        "set-cookie" => with_tokens(anonymiser, &value, cookie()),
        _ if SECRET.iter().any(|word| name.contains(word)) => with_tokens(anonymiser, &value, whole()),
        _ => value,
    };
    anonymiser.text(&value)
}

/// Replaces what an expression's last group finds.
fn with_tokens(anonymiser: &mut Anonymiser, value: &[u8], expression: Option<&Regex>) -> Vec<u8> {
    let Some(expression) = expression else { return b"\r\n".to_vec() };
    let replaced = expression.replace_all(value, |found: &Captures<'_>| {
        let group = |number| found.get(number).map(|m| m.as_bytes()).unwrap_or_default();
        let substitute = anonymiser.substitutes.text(Private::Token, &String::from_utf8_lossy(group(2)));
        anonymiser.substitutes.count(Private::Token, &substitute);
        [group(1), substitute.as_bytes()].concat()
    });
    replaced.into_owned()
}

macro_rules! expression {
    ($name:ident, $text:literal) => {
        fn $name() -> Option<&'static Regex> {
            static EXPRESSION: OnceLock<Option<Regex>> = OnceLock::new();
            EXPRESSION.get_or_init(|| Regex::new($text).ok()).as_ref()
        }
    };
}

expression!(status, r"^(?:HTTP|RTSP)/[0-9]\.[0-9] [0-9]{3}(?:[ \r\n]|$)");
expression!(nonces, r#"(?i)((?:nonce|opaque)\s*=\s*"?)([^",\s]+)"#);
expression!(session, r"^(\s*)([^;\s]+)");
expression!(cookie, r"^(\s*[^=;\s]+=)([^;\s]+)");
expression!(whole, r"^(\s*)([^\r\n]*[^\s])");
// An address with what stands in it, as far as it goes.
expression!(address, r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>\x00-\x20]+"#);
expression!(user_info, r"(://)([^/?#@\s]*)@");
// As in the paths and queries of makers, Xiongmai's `/user=NAME_password=HASH_channel=1` among them.
expression!(user, r"(?i)((?:[/?&_;]|^)(?:user|usr|username|loginuse|login)=)([^&_/?;\s]*)");
expression!(
    password,
    r"(?i)((?:[/?&_;]|^)(?:pass|password|passwd|pwd|loginpas|auth|token|key)=)([^&/?;\s]*?)(_channel=|_stream=|[&/?;\s]|$)"
);

/// A target without user and password.
pub(super) fn without_login(target: &str, known: &Known) -> String {
    String::from_utf8_lossy(&bytes_without_login(target.as_bytes(), known)).into_owned()
}

fn bytes_without_login(text: &[u8], known: &Known) -> Vec<u8> {
    let mut text = text.to_vec();
    for (expression, with) in [(user_info(), format!("${{1}}{USER}:{PASSWORD}@")), (user(), format!("${{1}}{USER}"))] {
        if let Some(expression) = expression {
            text = expression.replace_all(&text, with.as_bytes()).into_owned();
        }
    }
    if let Some(expression) = password() {
        // An empty one stays empty: it is what the address of a camera without a password looks like.
        let replaced = expression.replace_all(&text, |found: &Captures<'_>| match found[2].is_empty() {
            true => found[0].to_vec(),
            false => [&found[1], PASSWORD.as_bytes(), &found[3]].concat(),
        });
        text = replaced.into_owned();
    }
    // Wherever else an address carries one.
    for (_, password) in known.logins.iter().filter(|(_, password)| password.len() >= 4) {
        text = super::binary::swap(&text, password.as_bytes(), PASSWORD.as_bytes());
    }
    text
}

/// A text whose addresses have no user and no password.
pub(super) fn urls_without_login(text: &[u8], known: &Known) -> Vec<u8> {
    let Some(expression) = address() else { return Vec::new() };
    expression.replace_all(text, |found: &Captures<'_>| bytes_without_login(&found[0], known)).into_owned()
}
