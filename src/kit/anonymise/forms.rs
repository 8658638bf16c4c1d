//! The forms in which a text stands within others: encoded for addresses, escaped for documents, written as digits.

use crate::text::hex;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use md5::{Digest as _, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Shorter parts of a longer run of base64 are found by chance.
const SHORTEST_PART: usize = 8;
/// What many leave as it is in addresses.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The forms of a text that differ from it, each with the same form of its substitute.
pub(super) fn of(original: &str, substitute: &str) -> Vec<(String, String)> {
    let mut forms: Vec<(String, String)> = escaped(original, substitute);
    let encoders: [fn(&str) -> String; 6] = [
        |text| STANDARD.encode(text),
        |text| STANDARD_NO_PAD.encode(text),
        |text| URL_SAFE.encode(text),
        |text| URL_SAFE_NO_PAD.encode(text),
        |text| hex(text.as_bytes()),
        |text| hex(text.as_bytes()).to_uppercase(),
    ];
    forms.extend(encoders.map(|encode| (encode(original), encode(substitute))));
    forms.extend(parts(original).into_iter().map(|part| (part.clone(), "A".repeat(part.len()))));
    forms
}

/// The forms that texts of a language have in addresses, XML and JSON.
pub(super) fn escaped(original: &str, substitute: &str) -> Vec<(String, String)> {
    let encoders: [fn(&str) -> String; 13] = [
        |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
        |text| lower(&utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()),
        |text| utf8_percent_encode(text, UNRESERVED).to_string(),
        |text| lower(&utf8_percent_encode(text, UNRESERVED).to_string()),
        |text| utf8_percent_encode(text, UNRESERVED).to_string().replace("%20", "+"),
        |text| xml(text, &[]),
        |text| xml(text, &[('"', "&quot;")]),
        |text| xml(text, &[('"', "&quot;"), ('\'', "&apos;")]),
        |text| xml(text, &[('"', "&quot;"), ('\'', "&#39;")]),
        |text| {
            text.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("&#{};", u32::from(c)) }).collect()
        },
        |text| json(text, false),
        |text| json(text, true),
        |text| json(text, true).replace('/', "\\/"),
    ];
    let forms = encoders.map(|encode| (encode(original), encode(substitute)));
    let mut forms: Vec<_> = forms.into_iter().filter(|(form, _)| form != original).collect();
    forms.dedup();
    forms
}

/// What stands of a text in the middle of a run of base64, whichever byte of three it begins at.
fn parts(text: &str) -> Vec<String> {
    let part = |before: usize| {
        let run = STANDARD_NO_PAD.encode([&vec![0; before][..], text.as_bytes()].concat());
        // The first and the last character hold bits of what stands beside it.
        let first = (before * 8).div_ceil(6);
        let last = (before + text.len()) * 8 / 6;
        run.get(first..last).map(str::to_owned).filter(|part| part.len() >= SHORTEST_PART)
    };
    (0..3).filter_map(part).collect()
}

/// What many devices make of a password before they send it.
pub(super) fn digested(password: &str) -> [String; 2] {
    let digest = hex(&Md5::digest(password));
    [digest.to_uppercase(), digest]
}

/// Percent-encoded text with its digits in lower case.
fn lower(encoded: &str) -> String {
    let mut out = String::with_capacity(encoded.len());
    let mut digits = 0;
    for c in encoded.chars() {
        out.push(if digits > 0 { c.to_ascii_lowercase() } else { c });
        digits = if c == '%' { 2 } else { digits - usize::from(digits > 0) };
    }
    out
}

fn xml(text: &str, further: &[(char, &str)]) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        _ => further.iter().find(|(of, _)| *of == c).map_or_else(|| c.to_string(), |(_, with)| (*with).to_owned()),
    };
    text.chars().map(escape).collect()
}

fn json(text: &str, is_ascii: bool) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    let mut units = [0; 2];
    let escape = |c: char| match c.is_ascii() || !is_ascii {
        true => c.to_string(),
        false => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    inner.chars().map(escape).collect()
}
