//! Whether a login is right: the side of the device, for replays.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::{challenges, unescape};
use crate::model::AuthScheme;
use crate::text::redactor::heard::Session;

/// The value of an `Authorization` header.
#[derive(Debug, Clone)]
pub struct Given(super::Challenge);

impl Given {
    /// Reads the value; none when it is neither Digest nor Basic.
    pub fn read(value: &[u8]) -> Option<Given> {
        if let Some((scheme, token)) = value.split_at_checked(6)
            && scheme.eq_ignore_ascii_case(b"Basic ")
        {
            // The token may hold `=`, by which parameters are told.
            let parameters = vec![("token".to_owned(), token.trim_ascii().to_vec())];
            return Some(Given(super::Challenge { scheme: AuthScheme::Basic, parameters }));
        }
        challenges([value]).into_iter().find(|given| given.scheme == AuthScheme::Digest).map(Given)
    }

    /// How it was proved.
    pub fn scheme(&self) -> AuthScheme {
        self.0.scheme
    }

    /// The nonce it answers; none of a Basic login.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.0.nonce()
    }

    /// What the secrets of its session are made with, but for the password; none of a Basic login.
    pub fn session(&self) -> Option<Session> {
        let plain = |name| unescape(self.0.raw(name).unwrap_or_default());
        let session =
            Session { user: plain("username"), realm: plain("realm"), nonce: plain("nonce"), cnonce: plain("cnonce") };
        (self.scheme() == AuthScheme::Digest).then_some(session)
    }

    /// What it proves the password with; none of a Basic login.
    pub fn response(&self) -> Option<&[u8]> {
        self.0.raw("response")
    }

    /// Whether its secret is made with the nonces of both sides.
    pub fn is_of_session(&self) -> bool {
        self.0.algorithm().is_some_and(super::Algorithm::is_session)
    }

    /// Whether it proves the password for this request (RFC 7616 §3.4.1, RFC 7617 §2). Whether the nonce is one that was
    /// given out is the caller's business.
    pub fn proves(&self, user: &str, password: &str, method: &str, body: &[u8]) -> bool {
        let raw = |name| self.0.raw(name).unwrap_or_default();
        if self.scheme() == AuthScheme::Basic {
            return STANDARD.decode(raw("token")).is_ok_and(|plain| plain == format!("{user}:{password}").into_bytes());
        }
        let Some(algorithm) = self.0.algorithm() else { return false };
        if unescape(raw("username")) != user.as_bytes() {
            return false;
        }
        let (nonce, cnonce) = (unescape(raw("nonce")), raw("cnonce"));
        let mut secret = algorithm.hash(&[user.as_bytes(), &unescape(raw("realm")), password.as_bytes()]);
        if algorithm.is_session() {
            secret = algorithm.hash(&[secret.as_bytes(), &nonce, cnonce]);
        }
        let request = match raw("qop") {
            b"auth-int" => algorithm.hash(&[method.as_bytes(), raw("uri"), algorithm.hash(&[body]).as_bytes()]),
            _ => algorithm.hash(&[method.as_bytes(), raw("uri")]),
        };
        let response = match raw("qop") {
            b"" => algorithm.hash(&[secret.as_bytes(), &nonce, request.as_bytes()]),
            qop => algorithm.hash(&[secret.as_bytes(), &nonce, raw("nc"), cnonce, qop, request.as_bytes()]),
        };
        response.as_bytes().eq_ignore_ascii_case(raw("response"))
    }
}

/// Whether a password digest of WS-Security is right: Base64(SHA-1(nonce + created + password)), with the nonce in Base64
/// (WSS UsernameToken Profile 1.0 §3.1).
pub fn proves_wsse(digest: &str, nonce: &str, created: &str, password: &str) -> bool {
    let Ok(nonce) = STANDARD.decode(nonce.trim()) else { return false };
    let mut hash = Sha1::new();
    hash.update(nonce);
    hash.update(created.trim());
    hash.update(password);
    STANDARD.encode(hash.finalize()) == digest.trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Credential;
    use crate::wire::auth::choose;
    use crate::wire::auth::login::Login;

    #[test]
    fn a_right_answer_to_any_challenge_is_right_and_every_other_is_wrong() {
        for line in [
            r#"Digest realm="a \"b\"", nonce="77aa""#,
            r#"Digest realm="a", nonce="77aa", algorithm=MD5-sess, qop="auth""#,
            r#"Digest realm="a", nonce="77aa", algorithm=SHA-256, qop="auth,auth-int", opaque="9""#,
            r#"Digest realm="a", nonce="77aa", qop="auth-int""#,
            r#"Digest realm="a", nonce="77aa", algorithm=SHA-512-256-sess, qop="auth""#,
            r#"Basic realm="a""#,
        ] {
            let challenges = challenges([line]);
            let mut login =
                Login::new(choose(&challenges).unwrap().clone(), Credential::new("k:it".replace(':', ""), "p w:ü"), 7);
            for _ in 0..2 {
                let value = login.authorization("DESCRIBE", "rtsp://h/a", b"body");
                let given = Given::read(&value).unwrap();
                assert!(given.proves("kit", "p w:ü", "DESCRIBE", b"body"), "{line}");
                assert!(!given.proves("kit", "other", "DESCRIBE", b"body"), "{line}");
                assert!(!given.proves("other", "p w:ü", "DESCRIBE", b"body"), "{line}");
                assert_eq!(given.proves("kit", "p w:ü", "PLAY", b"body"), line.starts_with("Basic"), "{line}");
                assert_eq!(given.nonce(), (!line.starts_with("Basic")).then_some(&b"77aa"[..]));
            }
        }
        assert!(Given::read(b"Negotiate abc").is_none() && Given::read(b"").is_none());
        assert!(!Given::read(b"Digest").unwrap().proves("", "", "", b""));
    }
}
