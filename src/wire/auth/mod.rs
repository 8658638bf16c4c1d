//! Logins as RTSP, HTTP and ONVIF share them: reading challenges as devices write them, answering them ([`login`]), and
//! noticing when a device says it is about to lock ([`lock`]); and, for a replay, whether an answer is right ([`check`]).
//! Pure.

pub mod check;
pub mod lock;
pub mod login;
mod scanner;

use crate::model::AuthScheme;
use crate::text;
use login::Algorithm;
use scanner::Scanner;

/// The most challenges taken from one answer, and the most parameters of one challenge.
const MOST_CHALLENGES: usize = 16;
const MOST_PARAMETERS: usize = 32;

/// One challenge of a `WWW-Authenticate` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme; `Unknown` for one that we do not speak.
    pub scheme: AuthScheme,
    /// Names in lower case, values as between their quotes: escapes are kept, so that they can be sent back to the letter.
    parameters: Vec<(String, Vec<u8>)>,
}

impl Challenge {
    /// The realm for people, cleaned.
    pub fn realm(&self) -> Option<String> {
        self.raw("realm").map(|raw| text::clean_bytes(&unescape(raw))).filter(|realm| !realm.is_empty())
    }

    /// The realm as it goes into a secret, in whatever encoding the device sent it.
    pub fn realm_as_sent(&self) -> Option<Vec<u8>> {
        self.raw("realm").map(unescape)
    }

    /// Whether the device says that only the nonce was too old, not the password wrong (RFC 7616 §3.3).
    pub fn is_stale(&self) -> bool {
        self.raw("stale").is_some_and(|v| v.trim_ascii().eq_ignore_ascii_case(b"true"))
    }

    /// The nonce, as sent.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.raw("nonce")
    }

    /// The algorithm of a Digest challenge; MD5 when none is named, none when we do not speak it.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match self.raw("algorithm") {
            None => Some(Algorithm::Md5),
            Some(name) => Algorithm::from_name(name.trim_ascii()),
        }
    }

    /// The challenge for people: what may be said of it; of what may not (nonces, tokens), the name alone.
    pub fn shown(&self) -> String {
        const SAID: [&str; 6] = ["realm", "algorithm", "qop", "stale", "domain", "charset"];
        let parameters = self.parameters.iter().map(|(name, value)| match SAID.contains(&name.as_str()) {
            true => format!("{name}=\"{}\"", text::redact_urls(&text::clean_bytes(&unescape(value)))),
            false => format!("{}=***", text::clean(name)),
        });
        let parameters: Vec<String> = parameters.collect();
        let scheme = match self.scheme {
            AuthScheme::Digest => "Digest",
            AuthScheme::Basic => "Basic",
            AuthScheme::Wsse => "WSSE",
            // Its word may be a token of another scheme.
            AuthScheme::Other => "***",
        };
        format!("{scheme} {}", parameters.join(", ")).trim_end().to_owned()
    }

    fn raw(&self, name: &str) -> Option<&[u8]> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }

    /// The protection to answer with; none means none was offered, as in RFC 2069.
    fn qop(&self) -> Result<Option<Qop>, ()> {
        let Some(offered) = self.raw("qop") else { return Ok(None) };
        let offers = |name: &str| {
            offered.split(|&b| matches!(b, b',' | b' ' | b'\t' | b';')).any(|w| w.eq_ignore_ascii_case(name.as_bytes()))
        };
        match (offers("auth"), offers("auth-int")) {
            (true, _) => Ok(Some(Qop::Auth)),
            (false, true) => Ok(Some(Qop::AuthInt)),
            (false, false) if offered.trim_ascii().is_empty() => Ok(None),
            (false, false) => Err(()),
        }
    }

    fn is_answerable(&self) -> bool {
        match self.scheme {
            AuthScheme::Basic => true,
            AuthScheme::Digest => self.algorithm().is_some() && self.nonce().is_some() && self.qop().is_ok(),
            AuthScheme::Wsse | AuthScheme::Other => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Qop {
    Auth,
    AuthInt,
}

/// Reads the challenges of all `WWW-Authenticate` lines of an answer, in the order sent. Takes several in one line,
/// missing commas, unclosed quotes, quotes inside quotes and bytes of any charset; what makes no sense is skipped.
pub fn challenges<V: AsRef<[u8]>>(lines: impl IntoIterator<Item = V>) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    for line in lines {
        let mut rest = Scanner::new(line.as_ref());
        while let Some(word) = rest.word() {
            if rest.takes_equals() {
                let value = rest.value();
                let name = String::from_utf8_lossy(word).to_ascii_lowercase();
                if let Some(challenge) = found.last_mut()
                    && challenge.parameters.len() < MOST_PARAMETERS
                    && challenge.raw(&name).is_none()
                {
                    challenge.parameters.push((name, value));
                }
            } else if found.len() < MOST_CHALLENGES {
                found.push(Challenge { scheme: scheme_of(word), parameters: Vec::new() });
            }
        }
    }
    found
}

fn scheme_of(word: &[u8]) -> AuthScheme {
    if word.eq_ignore_ascii_case(b"digest") {
        AuthScheme::Digest
    } else if word.eq_ignore_ascii_case(b"basic") {
        AuthScheme::Basic
    } else if word.eq_ignore_ascii_case(b"wsse") {
        AuthScheme::Wsse
    } else {
        AuthScheme::Other
    }
}

/// What an answer with status 401 demands, for the report: each scheme once, in the order sent; `Unknown` when it does
/// not say.
pub fn schemes(challenges: &[Challenge]) -> Vec<AuthScheme> {
    let mut schemes: Vec<AuthScheme> = Vec::new();
    for challenge in challenges {
        if challenge.scheme != AuthScheme::Other && !schemes.contains(&challenge.scheme) {
            schemes.push(challenge.scheme);
        }
    }
    if schemes.is_empty() {
        schemes.push(AuthScheme::Other);
    }
    schemes
}

/// The challenge to answer: the first Digest that we speak, as the device lists them by preference (RFC 7616 §3.7). Basic
/// only when no Digest was offered at all: devices that offer both may refuse it, and it shows the password.
pub fn choose(challenges: &[Challenge]) -> Option<&Challenge> {
    choose_allowing(challenges, !challenges.iter().any(|c| c.scheme == AuthScheme::Digest))
}

/// The challenge to answer where it has been decided whether Basic may be: `basic`.
pub fn choose_allowing(challenges: &[Challenge], basic: bool) -> Option<&Challenge> {
    let first = |scheme| challenges.iter().find(|c| c.scheme == scheme && c.is_answerable());
    first(AuthScheme::Digest).or_else(|| first(AuthScheme::Basic).filter(|_| basic))
}

/// Only quotes and backslashes are taken for escaped: `DOMAIN\user` stays what it is.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(&&next)) if matches!(next, b'"' | b'\\') => {
                out.push(next);
                bytes.next();
            }
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests;
