//! What is asked over HTTP, and what was answered.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::wire;
use crate::model::{ErrorKind, Protocol};
use crate::net::tls::TlsInfo;
use crate::net::{NetError, OldTls};
use crate::probe::memory::Room;
use crate::probe::{Encryption, Peer};
use crate::text;
use crate::wire::auth::{self, Challenge};
use crate::wire::head::Headers;
use crate::wire::url::{Endpoint, HostUrl, Scheme};

/// A request. `Host`, `User-Agent`, `Connection`, `Content-Length` and `Authorization` are added by the client.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Where on the host under inspection.
    pub at: Endpoint,
    /// Path and query, with leading `/`.
    pub target: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How many bytes of the answer's body to take at most, after unpacking.
    pub max_body: usize,
    /// Follow redirects (at most 3, on this host only).
    pub follow: bool,
    /// Answer a login challenge with the user's credentials.
    pub login: bool,
    /// Whose users a login is for: what keeps rights of its own, such as the API of a media server, may refuse one that is
    /// good for all the rest.
    pub account: Protocol,
    /// The body holds a login. Such a request is never sent again by itself: the device may have counted it.
    pub signed: bool,
}

impl Request {
    /// A GET of at most 256 KiB that follows redirects and does not log in.
    pub fn get(at: Endpoint, target: impl Into<String>) -> Self {
        Request {
            method: "GET",
            at,
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            max_body: 256 * 1024,
            follow: true,
            login: false,
            account: Protocol::Http,
            signed: false,
        }
    }

    /// A GET of an address under the same terms.
    pub fn of(url: &HostUrl) -> Self {
        Request::get(url.endpoint(), url.target())
    }

    /// A POST of `body` under the same terms.
    pub fn post(at: Endpoint, target: impl Into<String>, content_type: &str, body: Vec<u8>) -> Self {
        Request {
            method: "POST",
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body,
            ..Request::get(at, target)
        }
    }

    /// The same, answering a login challenge with the user's credentials.
    pub fn with_login(mut self) -> Self {
        self.login = true;
        self
    }

    pub(super) fn emit(&self, peer: &Peer, authorization: Option<&[u8]>) -> Vec<u8> {
        let name = match self.at.port == Scheme::http(self.at.tls).default_port() {
            // A default port written out makes some cameras refuse the login.
            true => host_name(peer),
            false => format!("{}:{}", host_name(peer), self.at.port),
        };
        let length = self.body.len().to_string();
        let mut headers: Vec<(&str, &[u8])> =
            vec![("Host", name.as_bytes()), ("User-Agent", concat!("camscan/", env!("CARGO_PKG_VERSION")).as_bytes())];
        if !self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("Accept")) {
            headers.push(("Accept", b"*/*"));
        }
        headers.extend(self.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())));
        headers.extend(authorization.map(|value| ("Authorization", value)));
        if !self.body.is_empty() || self.method == "POST" {
            headers.push(("Content-Length", length.as_bytes()));
        }
        headers.push(("Connection", b"close"));
        wire::emit_request(self.method, &self.target, &headers, &self.body)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// Status code; 200 for an HTTP/0.9 body without status line.
    pub status: u16,
    /// `HTTP/1.1`, `HTTP/1.0`, `HTTP/0.9`, `ICY`, `RTSP/1.0`: what stood in the status line.
    pub version: String,
    /// The headers.
    pub headers: Headers,
    /// The body, unchunked and unpacked, cut at the cap.
    pub body: Vec<u8>,
    /// Whether the body was cut or ended early.
    pub truncated: bool,
    /// Where the answer came from, after redirects.
    pub at: Endpoint,
    /// Path and query it came from.
    pub target: String,
    /// The method that was asked with.
    pub method: &'static str,
    /// Whether a login was given and taken.
    pub logged_in: bool,
    /// What was learnt in the TLS handshake.
    pub tls_info: Option<TlsInfo>,
    /// How long the TCP connect took.
    pub connected_in: Duration,
    /// How long the TLS handshake took.
    pub tls_in: Option<Duration>,
    /// The answers that redirected here, in order, without their own hops.
    pub hops: Vec<Response>,
    /// What was odd on the way, cleaned, in words for the operator.
    pub notes: Vec<String>,
    /// The room the body takes, where it is large.
    pub room: Option<Arc<Room>>,
}

impl Response {
    /// What it came in, and a login would go in.
    pub fn encryption(&self) -> Encryption {
        Encryption::of_handshake(self.tls_info.as_ref())
    }

    /// The first header of that name that is not empty, as text.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<Cow<'a, str>> {
        self.headers.text(name)
    }

    /// The `Content-Type` without parameters, lower case; empty when there is none.
    pub fn content_type(&self) -> String {
        self.headers.content_type().unwrap_or_default()
    }

    /// The challenges of a demand for a login.
    pub fn challenges(&self) -> Vec<Challenge> {
        auth::challenges(self.headers.all("WWW-Authenticate"))
    }

    /// Where it came from, with its port.
    pub fn host_url(&self) -> HostUrl {
        self.at.http(&self.target)
    }

    /// The address it came from, as a URL; the port is always written.
    pub fn url(&self, peer: &Peer) -> String {
        url(peer, self.at, &self.target)
    }
}

/// The URL of a path on the host under inspection; the port is always written.
pub fn url(peer: &Peer, at: Endpoint, target: &str) -> String {
    format!("{}://{}:{}{target}", Scheme::http(at.tls), host_name(peer), at.port)
}

/// The host's name as it stands in a URL: IPv6 in brackets.
pub fn host_name(peer: &Peer) -> String {
    match peer.name.parse() {
        Ok(ip) => crate::model::stream::url_host(ip),
        Err(_) => peer.name.clone(),
    }
}

/// Why no answer came. The message is cleaned and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// In words.
    pub message: String,
    /// What came instead of HTTP, at most 64 bytes.
    pub banner: Vec<u8>,
    /// What the device speaks instead, if its TLS is too old.
    pub old_tls: Option<OldTls>,
}

impl HttpError {
    /// A failure of a kind, in words.
    pub fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        HttpError { kind, message: text::clean(message.as_ref()), banner: Vec::new(), old_tls: None }
    }
}

impl From<NetError> for HttpError {
    fn from(error: NetError) -> Self {
        HttpError { old_tls: error.old_tls(), ..HttpError::new(error.kind(), error.to_string()) }
    }
}
