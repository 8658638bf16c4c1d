//! SOAP envelopes with WS-Security, and the faults that come back. Pure.
//!
//! Answers are judged by the envelope, never by the HTTP status: devices send faults with 200, and good answers with 500.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::text;
use crate::wire::xml::{self, Element};

const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const DIGEST: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";
const BASE64: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// How requests are written. Devices differ in what they refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SOAP 1.2, the action in the content type: as the standard has it, and as Pelco demands.
    WithAction,
    /// SOAP 1.2 without the action, which Illustra does not bear.
    Plain,
    /// SOAP 1.1.
    Old,
}

impl Dialect {
    /// In the order to try them.
    pub const ALL: [Dialect; 3] = [Dialect::WithAction, Dialect::Plain, Dialect::Old];

    /// The `Content-Type` of a request for `action`.
    pub fn content_type(self, action: &str) -> String {
        match self {
            Dialect::WithAction => format!("application/soap+xml; charset=utf-8; action=\"{action}\""),
            Dialect::Plain => "application/soap+xml; charset=utf-8".to_owned(),
            Dialect::Old => "text/xml; charset=utf-8".to_owned(),
        }
    }
}

/// A WS-Security UsernameToken with a password digest (OASIS WSS UsernameToken Profile 1.0 §3.1).
#[derive(Debug, Clone)]
pub struct UsernameToken {
    user: String,
    digest: String,
    nonce: String,
    created: String,
}

impl UsernameToken {
    /// The token for a user at a moment of the device's clock. `nonce` must be fresh for every request.
    pub fn new(user: &str, password: &str, nonce: [u8; 16], created: &str) -> Self {
        let digest = Sha1::new().chain_update(nonce).chain_update(created).chain_update(password).finalize();
        UsernameToken {
            user: user.to_owned(),
            digest: STANDARD.encode(digest),
            nonce: STANDARD.encode(nonce),
            created: created.to_owned(),
        }
    }

    /// What it proves the password with, in Base64.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn emit(&self) -> String {
        format!(
            "<s:Header><Security s:mustUnderstand=\"1\" xmlns=\"{WSSE}\"><UsernameToken><Username>{}</Username>\
             <Password Type=\"{DIGEST}\">{}</Password><Nonce EncodingType=\"{BASE64}\">{}</Nonce>\
             <Created xmlns=\"{WSU}\">{}</Created></UsernameToken></Security></s:Header>",
            escape(&self.user),
            self.digest,
            self.nonce,
            self.created,
        )
    }
}

/// An envelope around `body`, which is XML already.
pub fn envelope(dialect: Dialect, body: &str, token: Option<&UsernameToken>) -> String {
    let namespace = if dialect == Dialect::Old { SOAP11 } else { SOAP12 };
    let header = token.map(UsernameToken::emit).unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"{namespace}\">{header}<s:Body>{body}</s:Body>\
         </s:Envelope>"
    )
}

/// Text as it may stand in an element or a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// What an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The content of the body.
    Body(Element),
    /// A fault.
    Fault(Fault),
    /// Nothing at all: some devices answer so to a login that they do not take.
    Empty,
    /// Something that is no SOAP.
    NotSoap,
}

/// A fault of SOAP 1.2 or 1.1, its texts cleaned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    /// The code's local name: `Sender`, `Receiver`, `Client`, …
    pub code: String,
    /// The subcodes' local names, outermost first: `NotAuthorized`.
    pub subcodes: Vec<String>,
    /// The reason, in the device's words.
    pub reason: String,
}

/// Reads an answer.
pub fn read(bytes: &[u8]) -> Answer {
    if bytes.trim_ascii().is_empty() {
        return Answer::Empty;
    }
    let document = xml::read(bytes);
    let body = document.find("Body");
    if let Some(fault) = body.map_or_else(|| document.find("Fault"), |b| b.find("Fault")) {
        return Answer::Fault(read_fault(fault));
    }
    // An envelope whose start tag is broken still has its answer in it.
    let answer = body
        .filter(|b| !b.children.is_empty())
        .or_else(|| document.roots.iter().find(|r| r.name != "html" && r.walk().any(|e| e.name.ends_with("Response"))));
    match answer {
        Some(body) => Answer::Body(body.clone()),
        None if body.is_some() => Answer::Empty,
        None => Answer::NotSoap,
    }
}

fn read_fault(fault: &Element) -> Fault {
    let local = |e: &Element| text::clean(e.text().map_or("", |t| t.rsplit(':').next().unwrap_or(t)));
    let code = fault.child("Code");
    let mut subcodes = Vec::new();
    let mut subcode = code.and_then(|c| c.child("Subcode"));
    while let Some(inner) = subcode.filter(|_| subcodes.len() < 8) {
        subcodes.extend(inner.child("Value").map(local).filter(|v| !v.is_empty()));
        subcode = inner.child("Subcode");
    }
    let reason = fault.child("Reason").and_then(|r| r.find_text("Text")).or_else(|| fault.child_text("faultstring"));
    Fault {
        code: code.and_then(|c| c.child("Value")).or_else(|| fault.child("faultcode")).map(local).unwrap_or_default(),
        subcodes,
        reason: text::clean(reason.or_else(|| fault.find_text("Detail")).unwrap_or_default()),
    }
}

impl Fault {
    /// Whether a login is demanded, or the one given refused.
    pub fn is_not_authorized(&self) -> bool {
        let subcode = |names: &[&str]| self.subcodes.iter().any(|s| names.iter().any(|n| s.eq_ignore_ascii_case(n)));
        subcode(&[
            "NotAuthorized",
            "FailedAuthentication",
            "FailedCheck",
            "InvalidSecurityToken",
            "UnsupportedSecurityToken",
        ]) || ["FailedAuthentication", "FailedCheck", "InvalidSecurity"].contains(&self.code.as_str())
            || self.says(&[
                "not authorized",
                "unauthorized",
                "not authenticated",
                "authentication",
                "authority failure",
            ])
    }

    /// Whether the device has no such action. Where the same call was not authorized before, the login has been taken.
    pub fn is_about_the_action(&self) -> bool {
        const NAMES: [&str; 3] = ["ActionNotSupported", "OptionalActionNotImplemented", "ActionNotImplemented"];
        self.subcodes.iter().any(|s| NAMES.iter().any(|n| s.eq_ignore_ascii_case(n)))
    }

    /// Whether the token was too old or too new by the device's clock; no word on the password.
    pub fn is_about_the_clock(&self) -> bool {
        self.subcodes.iter().any(|s| s.eq_ignore_ascii_case("MessageExpired"))
            || self.says(&["time check", "timestamp", "time stamp", "expired", "clock"])
    }

    /// Whether the request's form was refused rather than what it asks.
    pub fn is_about_the_form(&self) -> bool {
        self.code.eq_ignore_ascii_case("VersionMismatch")
            || self.code.eq_ignore_ascii_case("MustUnderstand")
            || self.says(&["soapaction", "soap action", "no action", "missing action", "content-type", "content type"])
    }

    /// Whether the same call with other arguments for the same profile may do: it is neither about the user nor about a
    /// profile that is not there or lacks what it takes.
    pub fn is_about_arguments(&self) -> bool {
        let is = |name: &str| self.subcodes.iter().any(|s| s.eq_ignore_ascii_case(name));
        !self.is_not_authorized() && !is("NoProfile") && !is("IncompleteConfiguration")
    }

    fn says(&self, words: &[&str]) -> bool {
        let reason = self.reason.to_ascii_lowercase();
        words.iter().any(|w| reason.contains(w))
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let subcodes = self.subcodes.join("/");
        match (subcodes.is_empty(), self.reason.is_empty()) {
            (false, false) => write!(f, "{subcodes}: {}", self.reason),
            (false, true) => f.write_str(&subcodes),
            (true, false) => f.write_str(&self.reason),
            (true, true) => write!(f, "fault {}", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of ONVIF's Application Programmer's Guide, §6.1.1.3.
    #[test]
    fn the_digest_is_the_standards() {
        let nonce: [u8; 16] = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap().try_into().unwrap();
        let token = UsernameToken::new("user", "userpassword", nonce, "2010-09-16T07:50:45Z");
        assert_eq!(token.digest, "tuOSpGlFlIXsozq4HFNeeGeFLEI=");
        assert!(!format!("{token:?}").contains("userpassword"));
    }

    #[test]
    fn an_envelope_is_xml_whatever_the_name() {
        let token = UsernameToken::new("a<b>&\"\u{1b}", "p", [7; 16], "2026-01-01T00:00:00Z");
        for dialect in Dialect::ALL {
            let sent = envelope(dialect, "<Get xmlns=\"urn:x\"/>", Some(&token));
            let read = xml::read(sent.as_bytes());
            assert_eq!((read.defect.as_ref(), read.find_text("Username")), (None, Some("a<b>&\"")));
            assert!(read.find("Get").is_some());
        }
    }

    #[test]
    fn faults_say_what_they_are_about() {
        let fault = |reason: &str, subcode: &str| Fault {
            code: "Sender".into(),
            subcodes: vec![subcode.into()],
            reason: reason.into(),
        };
        assert!(fault("", "NotAuthorized").is_not_authorized());
        assert!(fault("HTTP 401 Unauthorized", "x").is_not_authorized());
        assert!(!fault("Action Not Implemented", "ActionNotSupported").is_not_authorized());
        assert!(fault("Wsse authorized time check failed.", "NotAuthorized").is_about_the_clock());
        assert!(!fault("Invalid username or password!", "NotAuthorized").is_about_the_clock());
        assert!(fault("No SOAPAction", "x").is_about_the_form());
        assert!(fault("", "InvalidStreamSetup").is_about_arguments());
        assert!(!fault("", "NoProfile").is_about_arguments() && !fault("", "NotAuthorized").is_about_arguments());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[<>/a-zA-Z:=\" ]{0,120}") {
            read(&bytes);
            read(format!("<s:Envelope><s:Body><s:Fault><s:Code>{text}</s:Fault></s:Body>").as_bytes());
        }
    }
}
