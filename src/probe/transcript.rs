//! What a device answered, for whoever looks at it in depth: every header and the description, bounded, cleaned and
//! without the secrets that any device may tell. The user's own logins are taken out of all findings alike, by the scan. Pure.

use crate::model::{Answer, Header};
use crate::probe::Peer;
use crate::text;
use crate::text::redactor::HIDDEN as SECRET;
use crate::wire::auth;

/// Answers kept at once.
const MOST_ANSWERS: usize = 32;
/// Headers kept of one answer.
const MOST_HEADERS: usize = 64;
/// The longest value kept, in characters.
const MAX_VALUE: usize = 1024;
/// Lines kept of one description.
const MOST_LINES: usize = 1000;

/// Words in the names of headers whose values are secrets, or may hold some.
const SECRET_NAMES: [&str; 16] = [
    "auth",
    "challenge",
    "cookie",
    "credential",
    "csrf",
    "key",
    "login",
    "nonce",
    "passw",
    "pwd",
    "secret",
    "security-policy",
    "session",
    "signature",
    "ticket",
    "token",
];

/// Words in values that are secrets whatever the header is called: nonces in policies, a relay's login in a `Link`.
const SECRET_VALUES: [&str; 3] = ["credential", "nonce", "secret"];

/// Attributes of a description that hold keys and passwords (RFC 4567, RFC 4568, RFC 8839).
const SECRET_ATTRIBUTES: [&str; 4] = ["crypto", "key-mgmt", "ice-pwd", "ice-ufrag"];

/// The answers of a conversation, where they are wished at all.
#[derive(Debug)]
pub struct Transcript {
    is_wished: bool,
    answers: Vec<Answer>,
}

impl Transcript {
    /// An empty one; it stays so unless the host is looked at in depth.
    pub fn new(peer: &Peer) -> Self {
        Transcript { is_wished: peer.in_depth, answers: Vec::new() }
    }

    /// Notes an answer: what was asked (method and URL), the status line and the headers as sent.
    pub fn note<'a>(&mut self, request: &str, status: &str, headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        if !self.is_wished || self.answers.len() >= MOST_ANSWERS {
            return;
        }
        let headers = headers.into_iter().take(MOST_HEADERS).map(|(name, value)| header(name, value));
        let answer = Answer { request: shown(request), status: shown(status), headers: headers.collect() };
        self.answers.push(answer);
    }

    /// What was noted since it was last taken.
    pub fn take(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }

    /// A description line by line; none where it is not wished or there is none.
    pub fn description<S: AsRef<str>>(&self, lines: impl IntoIterator<Item = S>) -> Option<String> {
        if !self.is_wished {
            return None;
        }
        let lines = lines.into_iter().take(MOST_LINES).map(|line| description_line(line.as_ref()));
        let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
        Some(lines.join("\n")).filter(|text| !text.is_empty())
    }
}

/// A text cleaned, without passwords in its addresses.
fn shown(sent: &str) -> String {
    text::redact_urls(&text::clean_to(sent, MAX_VALUE))
}

fn header(name: &str, value: &[u8]) -> Header {
    let shown_name = shown(name);
    let name = name.trim().to_ascii_lowercase();
    let sent = String::from_utf8_lossy(value);
    let value = match name.as_str() {
        "www-authenticate" | "proxy-authenticate" => {
            let challenges: Vec<String> = auth::challenges([value]).iter().map(auth::Challenge::shown).collect();
            Some(shown(&challenges.join(", ")))
        }
        // After how long a session ends is no secret.
        "session" => sent.split_once(';').map(|(_, rest)| format!("{SECRET};{}", shown(rest))),
        _ if is_secret(&name) => None,
        _ => Some(shown(&sent)).filter(|shown| !holds_secret(shown)),
    };
    let withheld = value.is_none() && !sent.trim().is_empty();
    Header { name: shown_name, value: value.filter(|v| !v.is_empty()), withheld }
}

fn description_line(line: &str) -> String {
    let line = line.trim();
    let name = line.strip_prefix("a=").and_then(|a| a.split(':').next()).unwrap_or_default().trim();
    let is_key = line.starts_with("k=") || SECRET_ATTRIBUTES.iter().any(|a| name.eq_ignore_ascii_case(a));
    match line.split_once([':', '=']) {
        Some(_) if name.is_empty() && is_key => format!("k={SECRET}"),
        Some(_) if is_key => format!("a={name}:{SECRET}"),
        _ => shown(line),
    }
}

fn is_secret(name: &str) -> bool {
    SECRET_NAMES.iter().any(|word| name.contains(word))
}

fn holds_secret(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    SECRET_VALUES.iter().any(|word| value.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProbeOptions;
    use crate::testkit::net::FakeNet;
    use proptest::prelude::*;

    fn transcript(in_depth: bool) -> Transcript {
        let options = ProbeOptions { in_depth, ..ProbeOptions::default() };
        Transcript::new(&Peer::for_test(FakeNet::new(), "192.0.2.10", &options))
    }

    /// What is shown of a header: its value, or `(withheld)`.
    fn shown(name: &str, value: &str) -> String {
        let mut transcript = transcript(true);
        transcript.note("OPTIONS rtsp://192.0.2.10/", "RTSP/1.0 200 OK", [(name, value.as_bytes())]);
        let [Answer { headers, .. }] = &*transcript.take() else { panic!("{name}") };
        assert_eq!(headers[0].name, name);
        if headers[0].withheld { "(withheld)".to_owned() } else { headers[0].value.clone().unwrap_or_default() }
    }

    #[test]
    fn headers_are_shown_and_secrets_are_not() {
        for (name, sent, said) in [
            ("Server", "Cam \u{1b}[31m1", "Cam 1"),
            ("Unsupported", "", ""),
            ("Content-Base", "rtsp://admin:secret@192.0.2.10/a/", "rtsp://192.0.2.10/a/"),
            (
                "RTP-Info",
                "url=rtsp://a:b@h/1;seq=7,url=rtsp://c:d@h/2;seq=9",
                "url=rtsp://h/1;seq=7,url=rtsp://h/2;seq=9",
            ),
            ("Location", "/x?user=admin&password=secret&channel=1", "/x?user=***&password=***&channel=1"),
            ("Session", "ABCDEF;timeout=60", "***;timeout=60"),
            ("Session", "ABCDEF", "(withheld)"),
            ("Set-Cookie", "id=1; path=/", "(withheld)"),
            ("Authentication-Info", "nextnonce=\"77\"", "(withheld)"),
            ("X-Odd", "nonce=77", "(withheld)"),
            ("Link", "<turn:192.0.2.9>; rel=\"ice-server\"; username=\"u\"; credential=\"77\"", "(withheld)"),
            ("X-Access-Token", "77", "(withheld)"),
            ("KeyMgmt", "prot=mikey;data=\"77\"", "(withheld)"),
        ] {
            assert_eq!(shown(name, sent), said, "{name}: {sent}");
        }
    }

    #[test]
    fn challenges_are_shown_without_nonces() {
        let sent =
            "Digest realm=\"cam 1\", nonce=\"77aa\", opaque=\"88bb\", qop=\"auth\", algorithm=SHA-256, Negotiate 99cc";
        assert_eq!(
            shown("WWW-Authenticate", sent),
            "Digest realm=\"cam 1\", nonce=***, opaque=***, qop=\"auth\", algorithm=\"SHA-256\", ***, ***"
        );
        assert_eq!(shown("WWW-Authenticate", "Basic realm=\"/\""), "Basic realm=\"/\"");
    }

    #[test]
    fn descriptions_are_shown_without_keys() {
        let lines = [
            "v=0",
            "k=clear:77aa",
            "a=control:rtsp://admin:secret@192.0.2.10/1",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:88bb",
            "",
            "a=rtpmap:96 H264/90000 ",
        ];
        assert_eq!(
            transcript(true).description(lines).unwrap(),
            "v=0\nk=***\na=control:rtsp://192.0.2.10/1\na=crypto:***\na=rtpmap:96 H264/90000"
        );
        assert_eq!(transcript(false).description(lines), None);
        assert_eq!(transcript(true).description([""]), None);
    }

    #[test]
    fn nothing_is_kept_unasked_and_little_of_much() {
        let mut unasked = transcript(false);
        unasked.note("x", "y", [("Server", b"1".as_slice())]);
        assert_eq!(unasked.take(), []);

        let mut much = transcript(true);
        let long = [b'x'; 2 * MAX_VALUE];
        for _ in 0..2 * MOST_ANSWERS {
            much.note("x", "y", (0..2 * MOST_HEADERS).map(|_| ("Server", long.as_slice())));
        }
        let kept = much.take();
        assert_eq!((kept.len(), kept[0].headers.len()), (MOST_ANSWERS, MOST_HEADERS));
        assert_eq!(kept[0].headers[0].value.as_ref().map(|v| v.chars().count()), Some(MAX_VALUE + 1));
        assert_eq!(much.description(["a=x"; 2 * MOST_LINES]).map(|t| t.lines().count()), Some(MOST_LINES));
    }

    proptest! {
        #[test]
        fn any_answer_is_noted(name in any::<String>(), value: Vec<u8>, line in any::<String>()) {
            let mut transcript = transcript(true);
            transcript.note(&line, &name, [(name.as_str(), value.as_slice())]);
            prop_assert_eq!(transcript.take().len(), 1);
            let _ = transcript.description([&line]);
        }
    }
}
