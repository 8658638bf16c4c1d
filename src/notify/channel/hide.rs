//! Takes a channel's secrets out of what its receiver answers and of what libraries say about it. A receiver may name a part
//! of what was sent to it, or write it as it came by the wire: the token without its scheme, the Base64 of a login.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::ANSWER;
use crate::model::notify::ChannelWay;
use crate::text::redactor::{CommonWords, HIDDEN, Login};
use crate::text::{Redactor, clean_to, redact_urls};

/// What is looked through of a text, in characters; much more than is shown, so that no secret is cut before it is found.
pub(super) const HEARD: usize = 16 << 10;
/// A part of a secret is hidden from so many characters on. Shorter ones stand in every other answer.
const PART_FROM: usize = 6;

/// The secrets of a channel.
pub(super) struct Hider {
    redactor: Redactor,
    /// As they stand, the longest first: one may hold others.
    plain: Vec<String>,
}

/// Secrets as they are found in a configuration: each with the user that it belongs to, if any.
#[derive(Default)]
struct Found(Vec<(String, String)>);

impl Hider {
    /// Of a channel that is reached so.
    pub fn of(way: &ChannelWay) -> Hider {
        let found = Found::of(way).0;
        let logins = found.iter().map(|(user, password)| {
            // What SMTP sends in place of a login (RFC 4616 §2).
            let digests = vec![STANDARD.encode(format!("\0{user}\0{password}")).trim_end_matches('=').to_owned()];
            Login { user, password, digests: if user.is_empty() { Vec::new() } else { digests } }
        });
        let redactor = Redactor::new(logins, CommonWords::default());
        let mut plain: Vec<String> = found.into_iter().map(|(_, secret)| secret).collect();
        plain.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        plain.dedup();
        Hider { redactor, plain }
    }

    /// A text on one line and no longer than it is shown, without the secrets, their parts and what looks like a login.
    pub fn hidden(&self, text: &str) -> String {
        // Cleaned before it is looked through: what is taken out of a word may have parted a secret.
        let mut text = self.redactor.redact(&clean_to(text, HEARD)).into_owned();
        for secret in &self.plain {
            text = match secret.chars().count() >= PART_FROM {
                true => text.replace(secret, HIDDEN),
                false => without_word(&text, secret),
            };
        }
        clean_to(&redact_urls(&text), ANSWER)
    }
}

impl Found {
    fn of(way: &ChannelWay) -> Found {
        let mut found = Found::default();
        for secret in way.secrets() {
            found.take("", secret.expose());
            found.take_addresses(secret.expose());
            secret.expose().strip_prefix("whsec_").into_iter().for_each(|key| found.take("", key));
        }
        match way {
            ChannelWay::Webhook(webhook) => {
                webhook.headers.iter().for_each(|(_, value)| found.take_header(value.expose()));
            }
            ChannelWay::Mqtt(mqtt) => found.take_login(mqtt.user.as_deref(), mqtt.password.as_ref()),
            ChannelWay::Email(email) => found.take_login(email.user.as_deref(), email.password.as_ref()),
            ChannelWay::Service(_) | ChannelWay::Exec(_) | ChannelWay::Syslog(_) => {}
        }
        found
    }

    fn take(&mut self, user: &str, secret: &str) {
        let secret = secret.trim();
        if !secret.is_empty() {
            self.0.push((user.to_owned(), secret.to_owned()));
        }
    }

    fn take_login(&mut self, user: Option<&str>, password: Option<&crate::model::Secret>) {
        if let Some((user, password)) = user.zip(password) {
            self.take(user, password.expose());
        }
    }

    /// The pieces of a text that are long enough.
    fn take_pieces(&mut self, text: &str, ends: &[char]) {
        let pieces = text.split(ends).filter(|piece| piece.chars().count() >= PART_FROM);
        pieces.for_each(|piece| self.take("", piece));
    }

    /// The value of a header: what follows the scheme (RFC 9110 §11.4), of `Basic` also what is written in it.
    fn take_header(&mut self, value: &str) {
        self.take_pieces(value, &[' ', ',', ';', '"', '=']);
        let Some((scheme, rest)) = value.trim().split_once(' ') else { return };
        self.take("", rest);
        let login = STANDARD.decode(rest.trim()).ok().and_then(|login| String::from_utf8(login).ok());
        if let Some(login) = login.filter(|_| scheme.eq_ignore_ascii_case("Basic")) {
            self.take_user_and_password(&login);
        }
    }

    /// Of each address in a text the login and the pieces behind the host, each of which may be a token. Addresses of other
    /// schemes than HTTP have it in the host's place as well.
    fn take_addresses(&mut self, text: &str) {
        for word in text.split([' ', ',', '\n', '\t']) {
            let Some((scheme, rest)) = word.split_once("://") else { continue };
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
            let target = target.trim_matches('/');
            if target.chars().count() >= PART_FROM {
                self.take("", target);
            }
            self.take_pieces(target, &['/', '?', '&', '=', '#', ':', '@']);
            // A password with a slash in it ends behind that.
            if let Some((login, _)) = authority.rsplit_once('@').or_else(|| rest.rsplit_once('@')) {
                self.take_user_and_password(login);
                self.take_user_and_password(&percent_decode_str(login).decode_utf8_lossy());
            }
            if !matches!(scheme, "http" | "https") {
                self.take_pieces(authority, &[':', '@']);
            }
        }
    }

    fn take_user_and_password(&mut self, login: &str) {
        self.take("", login);
        if let Some((user, password)) = login.split_once(':') {
            self.take(user, password);
        }
    }
}

/// A text without a secret that is so short that it counts as a word alone.
fn without_word(text: &str, word: &str) -> String {
    let is_bounded = |at: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
        !before.into_iter().chain(after).any(char::is_alphanumeric)
    };
    let (mut shown, mut from) = (String::with_capacity(text.len()), 0);
    for (at, _) in text.match_indices(word).filter(|(at, _)| is_bounded(*at)) {
        shown.push_str(text.get(from..at).unwrap_or_default());
        shown.push_str(HIDDEN);
        from = at + word.len();
    }
    shown.push_str(text.get(from..).unwrap_or_default());
    shown
}
