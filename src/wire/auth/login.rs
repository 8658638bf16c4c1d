//! Answers to challenges: Digest (RFC 7616, RFC 2617, RFC 2069) and Basic (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};

use super::{Challenge, Qop, challenges, choose, unescape};
use crate::model::{AuthScheme, Credential};
use crate::text::hex;

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

    pub(super) fn from_name(name: &[u8]) -> Option<Algorithm> {
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

    pub(super) fn is_session(self) -> bool {
        matches!(self, Algorithm::Md5Session | Algorithm::Sha256Session | Algorithm::Sha512_256Session)
    }

    /// The hash of the parts joined by colons, in lower-case hex.
    pub(super) fn hash(self, parts: &[&[u8]]) -> String {
        let joined = parts.join(&b':');
        match self {
            Algorithm::Md5 | Algorithm::Md5Session => hex(&Md5::digest(joined)),
            Algorithm::Sha256 | Algorithm::Sha256Session => hex(&Sha256::digest(joined)),
            Algorithm::Sha512_256 | Algorithm::Sha512_256Session => hex(&Sha512_256::digest(joined)),
        }
    }
}

/// A credential together with the challenge it answers. Computes a fresh answer for every request: an answer used twice
/// counts as a failed login on some cameras.
#[derive(Debug, Clone)]
pub struct Login {
    challenge: Challenge,
    credential: Credential,
    pub(super) client_nonce: String,
    count: u32,
}

impl Login {
    /// Answers `challenge`, one that [`choose`] chose, as `credential`. `client_nonce` is 64 random bits (RFC 7616 §3.4).
    pub fn new(challenge: Challenge, credential: Credential, client_nonce: u64) -> Self {
        Login { challenge, credential, client_nonce: format!("{client_nonce:016x}"), count: 0 }
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
    /// nonce differs from the one answered. A Basic login has no nonce, so its refusal asks for nothing newer.
    pub fn renewed(&self, challenges: &[Challenge], client_nonce: u64) -> Option<Login> {
        let newer = choose(challenges).filter(|c| c.scheme == AuthScheme::Digest)?;
        let is_newer = newer.is_stale() || newer.nonce() != self.challenge.nonce();
        (is_newer && self.challenge.scheme == AuthScheme::Digest)
            .then(|| Login::new(newer.clone(), self.credential.clone(), client_nonce))
    }

    /// Takes the nonce the device wants to see next, from its `Authentication-Info` (RFC 7616 §3.5). Not for the `session`
    /// algorithms, whose secret is made with the first nonce.
    pub fn take_next_nonce(&mut self, info: &[u8]) {
        let read = challenges([[b"Digest ", info].concat()]);
        let next = read.first().and_then(|c| c.raw("nextnonce")).filter(|next| !next.is_empty());
        let is_plain = self.challenge.algorithm().is_some_and(|a| !a.is_session());
        if let Some(next) = next.filter(|_| is_plain && self.challenge.scheme == AuthScheme::Digest) {
            self.challenge.parameters.iter_mut().filter(|(n, _)| n == "nonce").for_each(|(_, v)| *v = next.to_vec());
            self.count = 0;
        }
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

        self.header(uri, &response, qop_name.map(|name| (name, count)), algorithm.is_session())
    }

    /// The header's value. `qop` is the protection with the count of the nonce's uses.
    fn header(&self, uri: &str, response: &str, qop: Option<(&str, String)>, is_session: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let raw = |name| self.challenge.raw(name).unwrap_or_default();
        quoted(&mut out, "Digest username", &escape(self.credential.user.as_bytes()));
        quoted(&mut out, ", realm", raw("realm"));
        quoted(&mut out, ", nonce", raw("nonce"));
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
        if let Some((name, count)) = qop {
            out.extend_from_slice(format!(", qop={name}, nc={count}, cnonce=\"{}\"", self.client_nonce).as_bytes());
        } else if is_session {
            quoted(&mut out, ", cnonce", self.client_nonce.as_bytes());
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

fn escape(plain: &[u8]) -> Vec<u8> {
    plain
        .iter()
        .flat_map(|&b| if matches!(b, b'"' | b'\\') { vec![b'\\', b] } else { vec![b] })
        .filter(|b| !matches!(b, b'\r' | b'\n'))
        .collect()
}
