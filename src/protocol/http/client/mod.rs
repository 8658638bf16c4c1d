//! Sends a request to the host under inspection and reads the whole answer within a deadline and a byte cap.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Body, exchange};
use super::{login, redirect, wire};
use crate::model::{ErrorKind, Protocol};
use crate::net::tls::TlsInfo;
use crate::net::{NetError, OldTls};
use crate::probe::Peer;
use crate::probe::memory::Room;
use crate::text;
use crate::wire::auth::{self, Challenge};
use crate::wire::head::Headers;
use crate::wire::url::{Endpoint, HostUrl};

/// Redirects followed at most.
const MAX_HOPS: usize = 3;
/// Cookies carried from redirect to redirect at most, and the longest, in bytes.
const MAX_COOKIES: usize = 8;
const MAX_COOKIE: usize = 1024;

/// A request. `Host`, `User-Agent`, `Connection`, `Content-Length` and `Authorization` are added by the client.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Port of the host under inspection.
    pub port: u16,
    /// Over TLS.
    pub tls: bool,
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
    pub fn get(port: u16, tls: bool, target: impl Into<String>) -> Self {
        Request {
            method: "GET",
            port,
            tls,
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

    /// A POST of `body` under the same terms.
    pub fn post(port: u16, tls: bool, target: impl Into<String>, content_type: &str, body: Vec<u8>) -> Self {
        Request {
            method: "POST",
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body,
            ..Request::get(port, tls, target)
        }
    }

    /// The same, answering a login challenge with the user's credentials.
    pub fn with_login(mut self) -> Self {
        self.login = true;
        self
    }

    pub(super) fn emit(&self, peer: &Peer, authorization: Option<&[u8]>) -> Vec<u8> {
        let name = match self.port == if self.tls { 443 } else { 80 } {
            // A default port written out makes some cameras refuse the login.
            true => host_name(peer),
            false => format!("{}:{}", host_name(peer), self.port),
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
    /// Where the answer came from after redirects: port, TLS, target.
    pub port: u16,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Path and query.
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
    pub fn place(&self) -> HostUrl {
        Endpoint { port: self.port, tls: self.tls }.http(&self.target)
    }

    /// The address it came from, as a URL; the port is always written.
    pub fn url(&self, peer: &Peer) -> String {
        url(peer, self.tls, self.port, &self.target)
    }
}

/// The URL of a path on the host under inspection; the port is always written.
pub fn url(peer: &Peer, tls: bool, port: u16, target: &str) -> String {
    format!("{}://{}:{port}{target}", if tls { "https" } else { "http" }, host_name(peer))
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

/// Sends `request` to the host and reads the whole answer. A redirect that leads off the host, or one too many, is
/// returned as the answer, with a note.
///
/// # Errors
/// Connection failures, timeouts before the headers, answers that are no HTTP or whose headers never end.
pub async fn send(peer: &Peer, request: Request) -> Result<Response, HttpError> {
    let limit = request.max_body;
    let mut walk = Walk::new(request);
    loop {
        let (mut response, mut body) = match ask(peer, &walk.request).await {
            Ok(answer) => answer,
            Err(error) => return walk.back(error),
        };
        body.read_into(&mut response, limit, peer.request_deadline()).await;
        // A demand for a login is a good answer; so is that there is no such page.
        if body.is_left_open() && !matches!(response.status, 401 | 404) {
            peer.history.note_hung(response.port);
        }
        match walk.step(peer, response) {
            Some(answer) => return Ok(answer),
            None => continue,
        }
    }
}

/// Sends `request` once, with this value of `Authorization` where there is one, and reads the whole answer. Follows nothing
/// and counts nothing: for those who keep a login over several requests.
///
/// # Errors
/// Connection failures, time-outs before the headers, answers that are no HTTP.
pub async fn send_once(peer: &Peer, request: &Request, authorization: Option<&[u8]>) -> Result<Response, HttpError> {
    let (mut response, mut body) = exchange(peer, request, authorization).await?;
    body.read_into(&mut response, request.max_body, peer.request_deadline()).await;
    Ok(response)
}

/// Sends `request` and reads no further than the headers of the answer: for bodies without end. Only redirects by
/// status are followed. `max_body` does not bound what the body gives.
///
/// # Errors
/// As [`send`].
pub async fn open(peer: &Peer, request: Request) -> Result<(Response, Body), HttpError> {
    let mut walk = Walk::new(request);
    loop {
        let (response, body) = ask(peer, &walk.request).await?;
        if let Some(answer) = walk.step(peer, response) {
            return Ok((answer, body));
        }
    }
}

/// A request on its way from redirect to redirect.
struct Walk {
    request: Request,
    /// What the device asked to be reminded of on the way, `name=value`.
    cookies: Vec<String>,
    hops: Vec<Response>,
    notes: Vec<String>,
}

impl Walk {
    fn new(request: Request) -> Self {
        Walk { request, cookies: Vec::new(), hops: Vec::new(), notes: Vec::new() }
    }

    /// Goes one redirect further, or gives the answer back.
    fn step(&mut self, peer: &Peer, mut response: Response) -> Option<Response> {
        if self.request.follow
            && let Some(location) = redirect::location(&response)
        {
            // Some send back to the same page, to see whether their cookie comes along.
            let reminded = self.take_cookies(&response);
            let visited = |hop: &redirect::Hop| {
                let same = |r: &Response| r.place() == hop.url;
                !reminded && (same(&response) || self.hops.iter().any(same))
            };
            match redirect::resolve(&location, &response, peer.ip, &peer.name) {
                // A page that reloads itself.
                Ok(hop) if visited(&hop) && response.status == 200 => {}
                Ok(hop) if visited(&hop) => self.notes.push("redirects in a circle".to_owned()),
                Ok(_) if self.hops.len() >= MAX_HOPS => {
                    self.notes.push(format!("redirects more than {MAX_HOPS} times"));
                }
                Ok(hop) => {
                    self.notes.extend(hop.note);
                    let at = hop.url.endpoint();
                    (self.request.port, self.request.tls) = (at.port, at.tls);
                    self.request.target = hop.url.target().to_owned();
                    self.hops.push(response);
                    return None;
                }
                Err(note) => self.notes.push(note),
            }
        }
        response.hops = std::mem::take(&mut self.hops);
        self.notes.append(&mut response.notes);
        response.notes = std::mem::take(&mut self.notes);
        Some(response)
    }

    /// Takes note of the cookies of an answer that sends on, for the requests that follow on this host. Says whether any is
    /// new.
    fn take_cookies(&mut self, response: &Response) -> bool {
        let mut is_new = false;
        for cookie in response.headers.texts("Set-Cookie") {
            let cookie = cookie.split(';').next().unwrap_or_default().trim();
            let Some((name, _)) = cookie.split_once('=').filter(|(n, _)| !n.is_empty()) else { continue };
            if self.cookies.iter().any(|known| known == cookie) || cookie.len() > MAX_COOKIE {
                continue;
            }
            self.cookies.retain(|known| known.split('=').next() != Some(name));
            if self.cookies.len() < MAX_COOKIES {
                self.cookies.push(cookie.to_owned());
                is_new = true;
            }
        }
        if is_new {
            self.request.headers.retain(|(name, _)| name != "Cookie");
            self.request.headers.push(("Cookie".to_owned(), self.cookies.join("; ")));
        }
        is_new
    }

    /// When a redirect leads nowhere, the answer that sent there is the answer.
    fn back(mut self, error: HttpError) -> Result<Response, HttpError> {
        let Some(mut response) = self.hops.pop() else { return Err(error) };
        let location = redirect::location(&response).unwrap_or_default();
        let shown = text::clean(&text::redact_url(&location));
        self.notes.push(format!("redirects to {shown}, which leads nowhere: {error}"));
        (response.hops, response.notes) = (self.hops, self.notes);
        Ok(response)
    }
}

/// One request and the head of its answer, logged in where that is asked for and allowed.
async fn ask(peer: &Peer, request: &Request) -> Result<(Response, Body), HttpError> {
    let (mut response, mut body) = exchange(peer, request, None).await?;
    match response.status {
        401 | 403 | 423 | 429 if request.login => {
            login::check_lock(peer, &mut response, &mut body).await;
            if response.status != 401 || peer.logins.is_locked() {
                return Ok((response, body));
            }
            login::answer(peer, request, response, body).await
        }
        _ => Ok((response, body)),
    }
}

#[cfg(test)]
mod tests;
