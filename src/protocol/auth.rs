//! Logins as RTSP, HTTP and ONVIF share them: reading challenges as devices write them, answering with Digest (RFC 7616,
//! RFC 2617, RFC 2069) or Basic (RFC 7617), and noticing when a device says it is about to lock. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};

use crate::model::{AuthScheme, Credential};
use crate::text;

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

/// A Digest algorithm (RFC 7616 §6.1); `session` variants hash the nonces into the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the algorithms' own")]
pub enum Algorithm {
    Md5,
    Md5Session,
    Sha256,
    Sha256Session,
    Sha512_256,
    Sha512_256Session,
}

impl Algorithm {
    const ALL: [(Algorithm, &'static str); 6] = [
        (Algorithm::Md5, "MD5"),
        (Algorithm::Md5Session, "MD5-sess"),
        (Algorithm::Sha256, "SHA-256"),
        (Algorithm::Sha256Session, "SHA-256-sess"),
        (Algorithm::Sha512_256, "SHA-512-256"),
        (Algorithm::Sha512_256Session, "SHA-512-256-sess"),
    ];

    fn from_name(name: &[u8]) -> Option<Algorithm> {
        // Some devices leave the hyphen out.
        let plain = |n: &[u8]| -> Vec<u8> {
            n.iter().filter(|b| !matches!(b, b'-' | b'_')).map(u8::to_ascii_lowercase).collect()
        };
        let wanted = plain(name);
        if wanted.is_empty() {
            return Some(Algorithm::Md5);
        }
        Self::ALL.into_iter().find(|(_, n)| plain(n.as_bytes()) == wanted).map(|(a, _)| a)
    }

    fn is_session(self) -> bool {
        matches!(self, Algorithm::Md5Session | Algorithm::Sha256Session | Algorithm::Sha512_256Session)
    }

    /// The hash of the parts joined by colons, in lower-case hex.
    fn hash(self, parts: &[&[u8]]) -> String {
        let joined = parts.join(&b':');
        match self {
            Algorithm::Md5 | Algorithm::Md5Session => hex(&Md5::digest(joined)),
            Algorithm::Sha256 | Algorithm::Sha256Session => hex(&Sha256::digest(joined)),
            Algorithm::Sha512_256 | Algorithm::Sha512_256Session => hex(&Sha512_256::digest(joined)),
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
        let mut rest = Scanner { bytes: line.as_ref() };
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
    let wanted =
        if challenges.iter().any(|c| c.scheme == AuthScheme::Digest) { AuthScheme::Digest } else { AuthScheme::Basic };
    challenges.iter().find(|c| c.scheme == wanted && c.is_answerable())
}

/// A credential together with the challenge it answers. Computes a fresh answer for every request: an answer used twice
/// counts as a failed login on some cameras.
#[derive(Debug, Clone)]
pub struct Login {
    challenge: Challenge,
    credential: Credential,
    client_nonce: String,
    count: u32,
}

impl Login {
    /// Answers `challenge`, one that [`choose`] chose, as `credential`.
    pub fn new(challenge: Challenge, credential: Credential) -> Self {
        let client_nonce = format!("{:08x}{:08x}", fastrand::u32(..), fastrand::u32(..));
        Login { challenge, credential, client_nonce, count: 0 }
    }

    /// The credential used.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The challenge answered.
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The same credential for a newer challenge, when that asks for nothing but a newer nonce: it says `stale`, or its
    /// nonce differs from the one answered.
    pub fn renewed(&self, challenges: &[Challenge]) -> Option<Login> {
        let newer = choose(challenges).filter(|c| c.scheme == AuthScheme::Digest)?;
        let is_newer = newer.is_stale() || newer.nonce() != self.challenge.nonce();
        is_newer.then(|| Login::new(newer.clone(), self.credential.clone()))
    }

    /// The value of the `Authorization` header for one request. `uri` is the request line's, without user and password;
    /// `body` counts only where the device demands `auth-int`.
    pub fn authorization(&mut self, method: &str, uri: &str, body: &[u8]) -> Vec<u8> {
        if self.challenge.scheme == AuthScheme::Basic {
            let plain = format!("{}:{}", self.credential.user, self.credential.password.expose());
            return format!("Basic {}", STANDARD.encode(plain)).into_bytes();
        }
        self.count = self.count.saturating_add(1);
        self.digest(method, uri, body)
    }

    fn digest(&self, method: &str, uri: &str, body: &[u8]) -> Vec<u8> {
        let algorithm = self.challenge.algorithm().unwrap_or(Algorithm::Md5);
        let qop = self.challenge.qop().unwrap_or_default();
        let realm = self.challenge.raw("realm").unwrap_or_default();
        let nonce = self.challenge.raw("nonce").unwrap_or_default();
        let (plain_nonce, cnonce) = (unescape(nonce), self.client_nonce.as_bytes());
        let count = format!("{:08x}", self.count);

        let user = self.credential.user.as_bytes();
        let mut secret = algorithm.hash(&[user, &unescape(realm), self.credential.password.expose().as_bytes()]);
        if algorithm.is_session() {
            secret = algorithm.hash(&[secret.as_bytes(), &plain_nonce, cnonce]);
        }
        let request = match qop {
            Some(Qop::AuthInt) => {
                algorithm.hash(&[method.as_bytes(), uri.as_bytes(), algorithm.hash(&[body]).as_bytes()])
            }
            _ => algorithm.hash(&[method.as_bytes(), uri.as_bytes()]),
        };
        let (secret, request) = (secret.as_bytes(), request.as_bytes());
        let qop_name = qop.map(|q| if q == Qop::AuthInt { "auth-int" } else { "auth" });
        let response = match qop_name {
            Some(name) => algorithm.hash(&[secret, &plain_nonce, count.as_bytes(), cnonce, name.as_bytes(), request]),
            None => algorithm.hash(&[secret, &plain_nonce, request]),
        };

        let mut out = Vec::with_capacity(256);
        quoted(&mut out, "Digest username", &escape(user));
        quoted(&mut out, ", realm", realm);
        quoted(&mut out, ", nonce", nonce);
        quoted(&mut out, ", uri", uri.as_bytes());
        quoted(&mut out, ", response", response.as_bytes());
        if let Some(opaque) = self.challenge.raw("opaque") {
            quoted(&mut out, ", opaque", opaque);
        }
        if let Some(named) = self.challenge.raw("algorithm").filter(|n| !n.trim_ascii().is_empty()) {
            // Spelt as the device spells it, unless it could not stand unquoted.
            out.extend_from_slice(b", algorithm=");
            out.extend(named.trim_ascii().iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
        }
        if let Some(name) = qop_name {
            out.extend_from_slice(format!(", qop={name}, nc={count}, cnonce=\"{}\"", self.client_nonce).as_bytes());
        } else if algorithm.is_session() {
            quoted(&mut out, ", cnonce", cnonce);
        }
        out
    }
}

fn quoted(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    out.extend_from_slice(value);
    out.push(b'"');
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

fn escape(plain: &[u8]) -> Vec<u8> {
    plain
        .iter()
        .flat_map(|&b| if matches!(b, b'"' | b'\\') { vec![b'\\', b] } else { vec![b] })
        .filter(|b| !matches!(b, b'\r' | b'\n'))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads words and values from a header line that may break every rule.
struct Scanner<'a> {
    bytes: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// The next word; blanks, commas and stray quotes before it are skipped.
    fn word(&mut self) -> Option<&'a [u8]> {
        self.skip(|b| b.is_ascii_whitespace() || b < b' ' || matches!(b, b',' | b';' | b'"' | b'='));
        let end = self.bytes.iter().position(|&b| is_separator(b)).unwrap_or(self.bytes.len());
        let (word, rest) = self.bytes.split_at_checked(end)?;
        self.bytes = rest;
        (!word.is_empty()).then_some(word)
    }

    /// Whether an equals sign follows; it is taken.
    fn takes_equals(&mut self) -> bool {
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

    fn value(&mut self) -> Vec<u8> {
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
            let starts_next =
                end > 0 && (scheme_of(word) != AuthScheme::Other || (ahead.word().is_some() && ahead.takes_equals()));
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
        self.bytes = self.bytes.get(count..).unwrap_or_default();
    }
}

fn is_separator(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b',' | b';' | b'=' | b'"')
}

/// Where the text before a quote ends in `, name=`: the position of that comma.
fn forgotten_quote(before: &[u8]) -> Option<usize> {
    let name = before.strip_suffix(b"=")?;
    let comma = name.iter().rposition(|&b| b == b',')?;
    let word = name.get(comma + 1..)?.trim_ascii();
    (!word.is_empty() && word.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')).then_some(comma)
}

/// Whether what follows a quote and a blank is more text of the same value: words, then another quote before any
/// parameter (`Use "live" as user"`).
fn reads_on(after: &[u8]) -> bool {
    let Some(b' ' | b'\t') = after.first() else { return false };
    let mut ahead = Scanner { bytes: after };
    ahead.skip(|b| matches!(b, b' ' | b'\t'));
    if matches!(ahead.bytes.first(), None | Some(b',' | b';')) {
        return false;
    }
    let Some(word) = ahead.word() else { return false };
    !ahead.takes_equals() && scheme_of(word) == AuthScheme::Other && ahead.bytes.contains(&b'"')
}

/// What a refused answer says about locking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockSign {
    /// It is locked; in words for the operator, cleaned.
    Locked(String),
    /// So many attempts are left before it locks.
    AttemptsLeft(u32),
}

impl LockSign {
    /// Whether to stop trying: it is locked, or at most three attempts are left, which belong to the owner.
    pub fn says_stop(&self) -> bool {
        !matches!(self, LockSign::AttemptsLeft(left) if *left > 3)
    }

    /// In words for the operator.
    pub fn sentence(&self) -> String {
        match self {
            LockSign::Locked(why) => why.clone(),
            LockSign::AttemptsLeft(left) => format!("the device locks after {left} more refused logins"),
        }
    }
}

/// Looks for signs of a lock-out in a refused answer's text: Hikvision's `lockStatus`, `unlockTime` and
/// `retryLoginTime`, Dahua's "still have N attempt(s)", the word "locked", Reolink's "frequent logins".
pub fn lock_sign(answer: &[u8]) -> Option<LockSign> {
    let text = String::from_utf8_lossy(answer.get(..answer.len().min(64 * 1024)).unwrap_or_default());
    let lower = text.to_ascii_lowercase();
    let seconds = number_after(&lower, "unlocktime").filter(|&s| s > 0);
    let status = field_after(&lower, "lockstatus");
    if status.as_deref().is_some_and(|s| s.starts_with("lock")) || (status.is_none() && seconds.is_some()) {
        let until = seconds.map_or(String::new(), |s| format!(" for {s} s"));
        return Some(LockSign::Locked(format!("the device says it is locked{until}")));
    }
    if let Some(left) = number_after(&lower, "still have").or_else(|| number_after(&lower, "retrylogintime")) {
        return Some(LockSign::AttemptsLeft(left));
    }
    if let Some(left) = number_before(&lower, "attempt") {
        return Some(LockSign::AttemptsLeft(left));
    }
    let is_word = |word: &str| {
        lower.match_indices(word).any(|(at, _)| {
            !lower.get(..at).is_some_and(|b| b.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
                && !lower.get(at + word.len()..).is_some_and(|a| a.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })
    };
    let negated = lower.contains("not locked");
    let says = (is_word("locked") && !negated) || lower.contains("frequent login") || lower.contains("too many login");
    says.then(|| LockSign::Locked("the device says it is locked".to_owned()))
}

/// The word after a name, past `=`, `:`, `>`, quotes and blanks.
fn field_after(text: &str, name: &str) -> Option<String> {
    let rest = text.get(text.find(name)? + name.len()..)?;
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '=' | ':' | '>' | '"' | '\''));
    let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    (!word.is_empty()).then_some(word)
}

fn number_after(text: &str, name: &str) -> Option<u32> {
    field_after(text, name)?.parse().ok()
}

/// The number right before a word, as in "2 attempts left"; only where the text says that they are left.
fn number_before(text: &str, name: &str) -> Option<u32> {
    if !["left", "remain"].iter().any(|w| text.contains(w)) {
        return None;
    }
    let before = text.get(..text.find(name)?)?.trim_end();
    let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
    before.get(before.len() - digits..)?.parse().ok()
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
