//! Takes note of what makes secrets of the user's passwords as it passes by: the realms that devices name, and what is sent in
//! place of a password. It is done before anything of an answer is logged or reported, so that a device that writes such a
//! secret into it writes it in vain.

use crate::text::redactor::heard::{hear_proof, hear_realm, hear_session};
use crate::wire::auth::check::Given;
use crate::wire::auth::{self, Challenge};
use crate::wire::head::Headers;

/// Takes note of the realms that the head of an answer names, as soon as it is read.
pub fn note_realms(headers: &Headers) {
    let lines = headers.all("WWW-Authenticate").chain(headers.all("Proxy-Authenticate"));
    let challenges = auth::challenges(lines);
    challenges.iter().filter_map(Challenge::realm_as_sent).for_each(|realm| hear_realm(&realm));
}

/// Takes note of the value of an `Authorization` header before it is sent.
pub fn note_login(value: &[u8]) {
    let Some(given) = Given::read(value) else { return };
    given.response().into_iter().for_each(hear_proof);
    given.session().filter(|_| given.is_of_session()).into_iter().for_each(hear_session);
}

/// Takes note of the password digest of a message before it is sent (WSS UsernameToken Profile 1.0 §3.1).
pub fn note_token(digest: &str) {
    hear_proof(digest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Credential;
    use md5::{Digest as _, Md5};

    fn hex(text: &str) -> String {
        Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A log line is written at once: the secret that it holds has to be known by then.
    #[test]
    fn what_passes_by_is_known_to_every_redactor() {
        let password = "heard-Brunnen/7";
        let before = crate::identify::redactor(&[Credential::new("heard", password)]);
        let challenge = b"Digest realm=\"Heard \xe9\", nonce=\"77aa\", algorithm=MD5-sess, qop=\"auth\"";
        let realm = [b"heard:Heard \xe9:".as_slice(), password.as_bytes()].concat();
        let secret: String = Md5::digest(realm).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!before.finds_in(&secret), "no realm was heard");
        let (_, headers) =
            crate::wire::head::read(&[b"HTTP/1.1 401 No\r\nWWW-Authenticate: ", &challenge[..], b"\r\n\r\n"].concat());
        note_realms(&headers);
        let after = crate::identify::redactor(&[Credential::new("heard", password)]);
        let challenges = auth::challenges([challenge]);
        let mut login = auth::login::Login::new(challenges[0].clone(), Credential::new("heard", password), 7);
        let value = login.authorization("GET", "/", b"");
        note_login(&value);
        let response =
            Given::read(&value).unwrap().response().map(|r| String::from_utf8_lossy(r).into_owned()).unwrap();
        let of_session = hex(&format!("{secret}:77aa:{:016x}", 7));
        note_token("MDEyMzQ1Njc4OWFiY2RlZmdoaWo=");
        for (name, text) in [
            ("HA1", secret.as_str()),
            ("HA1 of the session", &of_session),
            ("response", &response),
            ("digest of a token", "MDEyMzQ1Njc4OWFiY2RlZmdoaWo="),
        ] {
            for redactor in [&before, &after] {
                assert!(
                    redactor.finds_in(text) && !redactor.redact(text).contains(text.trim_end_matches('=')),
                    "{name}"
                );
            }
        }
        assert!(!before.finds_in(&hex("something else")));
    }
}
