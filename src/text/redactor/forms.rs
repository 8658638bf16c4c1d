//! How a login may be written.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::Login;
use crate::text::hex;

/// From so many characters on, a password is taken out as a word wherever it stands.
pub(super) const WORD_FROM: usize = 4;

/// From so many characters on, also within a word.
const PART_FROM: usize = 8;

/// Where a secret is taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Telling {
    /// Where a login stands.
    InPlace,
    /// As a word.
    Word,
    /// Wherever it stands.
    Anywhere,
}

/// How a login may be written, and where each form is taken for it.
pub(super) fn forms(login: &Login<'_>, common: &HashSet<String>) -> Vec<(String, Telling)> {
    let password = login.password.trim();
    let telling = |text: &str| {
        let long = text.chars().count();
        match common.contains(&text.to_lowercase()) || long < WORD_FROM {
            true => Telling::InPlace,
            false if long < PART_FROM || text.bytes().all(|b| b.is_ascii_digit()) => Telling::Word,
            false => Telling::Anywhere,
        }
    };
    let mut forms = Vec::new();
    if !password.is_empty() {
        forms.push((password.to_owned(), telling(password)));
        forms.push((password.replace(' ', "+"), telling(password)));
    }
    if !password.is_ascii() {
        // Sent back in Latin-1, or read as such.
        let latin: String = password.chars().map(|c| if c.is_ascii() { c } else { '\u{fffd}' }).collect();
        forms.push((latin, telling(password)));
        forms.push((password.bytes().map(char::from).collect(), telling(password)));
    }
    if !password.is_empty() {
        let both = format!("{}:{}", login.user, login.password);
        for (bytes, telling) in [(both.as_str(), Telling::Word), (login.password, telling(password))] {
            for form in [STANDARD_NO_PAD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)] {
                let is_long = telling != Telling::InPlace && form.len() >= PART_FROM;
                forms.push((form, if is_long { Telling::Anywhere } else { telling }));
            }
        }
        let digits = hex(login.password.as_bytes());
        let is_long = telling(password) != Telling::Anywhere && digits.len() >= PART_FROM;
        forms.push((digits, if is_long { Telling::Word } else { telling(password) }));
        forms.extend(login.digests.iter().map(|digest| (digest.clone(), Telling::Word)));
    }
    forms
}
