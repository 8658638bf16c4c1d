//! Sends a request to the host under inspection and reads the whole answer within a deadline and a byte cap.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::wire::{self, BodyDecoder, Start};
use super::{login, redirect};
use crate::identify::ports::NEVER_TOUCHED;
use crate::model::ErrorKind;
use crate::net::tls::TlsInfo;
use crate::net::{Connection, NetError, Stage};
use crate::probe::HostContext;
use crate::protocol::auth::Login;
use crate::text;

/// Redirects followed at most.
const MAX_HOPS: usize = 3;

/// A body that was announced longer than it is, or not announced at all, is taken for whole after this pause.
const BODY_PAUSE: Duration = Duration::from_secs(2);

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

    fn emit(&self, host: &HostContext, authorization: Option<&[u8]>) -> Vec<u8> {
        let name = match self.port == if self.tls { 443 } else { 80 } {
            // A default port written out makes some cameras refuse the login.
            true => host_name(host),
            false => format!("{}:{}", host_name(host), self.port),
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
    /// Headers in the order sent, names as sent, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The values of `WWW-Authenticate` to the byte, for [`crate::protocol::auth::challenges`].
    pub challenges: Vec<Vec<u8>>,
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
}

impl Response {
    /// The first header of that name, compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// All headers of that name.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The `Content-Type` without parameters, lower case; empty when there is none.
    pub fn content_type(&self) -> String {
        let value = self.header("Content-Type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The address it came from, as a URL; the port is always written.
    pub fn url(&self, host: &HostContext) -> String {
        url(host, self.tls, self.port, &self.target)
    }
}

/// The URL of a path on the host under inspection; the port is always written.
pub fn url(host: &HostContext, tls: bool, port: u16, target: &str) -> String {
    format!("{}://{}:{port}{target}", if tls { "https" } else { "http" }, host_name(host))
}

/// The host's name as it stands in a URL: IPv6 in brackets.
pub fn host_name(host: &HostContext) -> String {
    match host.name.parse() {
        Ok(ip) => crate::model::stream::url_host(ip),
        Err(_) => host.name.clone(),
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
}

impl HttpError {
    /// A failure of a kind, in words.
    pub fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        HttpError { kind, message: text::clean(message.as_ref()), banner: Vec::new() }
    }
}

impl From<NetError> for HttpError {
    fn from(error: NetError) -> Self {
        HttpError::new(error.kind, error.to_string())
    }
}

/// Sends `request` to the host and reads the whole answer. A redirect that leads off the host, or one too many, is
/// returned as the answer, with a note.
///
/// # Errors
/// Connection failures, timeouts before the headers, answers that are no HTTP or whose headers never end.
pub async fn send(host: &HostContext, request: Request) -> Result<Response, HttpError> {
    let limit = request.max_body;
    let mut walk = Walk::new(request);
    loop {
        let (mut response, mut body) = match ask(host, &walk.request).await {
            Ok(answer) => answer,
            Err(error) => return walk.back(error),
        };
        body.read_into(&mut response, limit, host.request_deadline()).await;
        match walk.step(host, response) {
            Some(answer) => return Ok(answer),
            None => continue,
        }
    }
}

/// Sends `request` once, with the answer to a login challenge where one is given, and reads the whole answer. Follows
/// nothing and counts nothing: for those who keep a login over several requests.
///
/// # Errors
/// As [`send`].
pub async fn send_once(
    host: &HostContext,
    request: &Request,
    login: Option<&mut Login>,
) -> Result<Response, HttpError> {
    let authorization = login.map(|login| login.authorization(request.method, &request.target, &request.body));
    let (mut response, mut body) = exchange(host, request, authorization.as_deref()).await?;
    body.read_into(&mut response, request.max_body, host.request_deadline()).await;
    Ok(response)
}

/// Sends `request` and reads no further than the headers of the answer: for bodies without end. Only redirects by
/// status are followed. `max_body` does not bound what the body gives.
///
/// # Errors
/// As [`send`].
pub async fn open(host: &HostContext, request: Request) -> Result<(Response, Body), HttpError> {
    let mut walk = Walk::new(request);
    loop {
        let (response, body) = ask(host, &walk.request).await?;
        if let Some(answer) = walk.step(host, response) {
            return Ok((answer, body));
        }
    }
}

/// A request on its way from redirect to redirect.
struct Walk {
    request: Request,
    hops: Vec<Response>,
    notes: Vec<String>,
}

impl Walk {
    fn new(request: Request) -> Self {
        Walk { request, hops: Vec::new(), notes: Vec::new() }
    }

    /// Goes one redirect further, or gives the answer back.
    fn step(&mut self, host: &HostContext, mut response: Response) -> Option<Response> {
        if self.request.follow
            && let Some(location) = redirect::location(&response)
        {
            let visited = |hop: &redirect::Hop| {
                let same = |r: &Response| (r.port, r.tls, &r.target) == (hop.port, hop.tls, &hop.target);
                same(&response) || self.hops.iter().any(same)
            };
            match redirect::resolve(&location, &response, host.ip, &host.name) {
                // A page that reloads itself.
                Ok(hop) if visited(&hop) && response.status == 200 => {}
                Ok(hop) if visited(&hop) => self.notes.push("redirects in a circle".to_owned()),
                Ok(_) if self.hops.len() >= MAX_HOPS => {
                    self.notes.push(format!("redirects more than {MAX_HOPS} times"));
                }
                Ok(hop) => {
                    self.notes.extend(hop.note);
                    (self.request.port, self.request.tls, self.request.target) = (hop.port, hop.tls, hop.target);
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
async fn ask(host: &HostContext, request: &Request) -> Result<(Response, Body), HttpError> {
    let (response, body) = exchange(host, request, None).await?;
    match response.status == 401 && request.login {
        true => login::answer(host, request, response, body).await,
        false => Ok((response, body)),
    }
}

/// One connection, one request, the head of its answer. A connection closed before any answer is opened once more:
/// cameras drop what they kept half open.
pub(super) async fn exchange(
    host: &HostContext,
    request: &Request,
    authorization: Option<&[u8]>,
) -> Result<(Response, Body), HttpError> {
    match exchange_once(host, request, authorization).await {
        Err(error) if error.kind == ErrorKind::Closed && authorization.is_none() && host.options.retries > 0 => {
            exchange_once(host, request, authorization).await
        }
        outcome => outcome,
    }
}

async fn exchange_once(
    host: &HostContext,
    request: &Request,
    authorization: Option<&[u8]>,
) -> Result<(Response, Body), HttpError> {
    if NEVER_TOUCHED.contains(&request.port) {
        return Err(HttpError::new(ErrorKind::Local, format!("port {} is never asked", request.port)));
    }
    let mut connection = match request.tls {
        true => host.connect_tls(request.port).await?,
        false => host.connect(request.port).await?,
    };
    let deadline = host.request_deadline();
    let sent = timeout_at(deadline, connection.write_all(&request.emit(host, authorization))).await;
    let (start, rest) = match read_start(&mut connection, deadline).await {
        // The answer counts, even when the server did not take the whole request.
        Ok(read) => read,
        Err(error) => {
            return Err(match sent {
                Ok(Err(failed)) => NetError::from_io(connection.peer, Stage::Write, &failed).into(),
                _ => error,
            });
        }
    };
    let (head, decoder) = match start {
        Start::Head(head, _) => {
            let decoder = head.body(request.method == "HEAD");
            (head, decoder)
        }
        _ if looks_like_content(&rest) => {
            let head = wire::Head { status: 200, version: "HTTP/0.9".to_owned(), ..wire::Head::default() };
            (head, BodyDecoder::until_close())
        }
        _ => {
            let banner = rest.get(..rest.len().min(64)).unwrap_or_default().to_vec();
            let message = format!("{}: answered something that is not HTTP", connection.peer);
            return Err(HttpError { banner, ..HttpError::new(ErrorKind::Protocol, message) });
        }
    };
    let response = Response {
        status: head.status,
        version: head.version,
        headers: head.headers,
        challenges: head.challenges,
        port: request.port,
        tls: request.tls,
        target: request.target.clone(),
        tls_info: connection.tls.as_ref().map(|(info, _)| info.clone()),
        connected_in: connection.connected_in,
        tls_in: connection.tls.as_ref().map(|(_, took)| *took),
        ..Response::default()
    };
    Ok((response, Body { connection, decoder, pending: rest, decoded: Vec::new() }))
}

/// Reads until the head is whole; gives it and what came after it. Interim answers (1xx) are passed over.
async fn read_start(connection: &mut Connection, deadline: Instant) -> Result<(Start, Vec<u8>), HttpError> {
    let peer = connection.peer;
    let mut bytes = Vec::with_capacity(4096);
    let mut ended = false;
    loop {
        match wire::parse_start(&bytes, ended) {
            Start::Head(head, len) if matches!(head.status, 100..=199) && !ended && head.status != 101 => {
                bytes.drain(..len.min(bytes.len()));
                continue;
            }
            Start::Head(head, len) => {
                bytes.drain(..len.min(bytes.len()));
                return Ok((Start::Head(head, len), bytes));
            }
            Start::TooLarge => {
                let message = format!("{peer}: headers of more than {} KiB", wire::MAX_HEAD / 1024);
                return Err(HttpError::new(ErrorKind::TooLarge, message));
            }
            Start::Bare if !bytes.is_empty() => return Ok((Start::Bare, bytes)),
            _ if ended => {
                return Err(HttpError::new(ErrorKind::Closed, format!("{peer}: closed without an answer")));
            }
            _ => {}
        }
        match timeout_at(deadline, connection.read_buf(&mut bytes)).await {
            Err(_) if bytes.is_empty() => return Err(NetError::timeout(peer, Stage::Read).into()),
            Err(_) | Ok(Ok(0)) => ended = true,
            Ok(Ok(_)) => {}
            // A reset right behind the answer.
            Ok(Err(_)) if !bytes.is_empty() => ended = true,
            Ok(Err(error)) => return Err(NetError::from_io(peer, Stage::Read, &error).into()),
        }
    }
}

/// Whether bytes without a status line are a page, a picture or data rather than another protocol's greeting.
fn looks_like_content(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    text.starts_with(b"<") || text.starts_with(b"{") || bytes.starts_with(&[0xff, 0xd8])
}

/// A body as it comes.
pub struct Body {
    connection: Connection,
    decoder: BodyDecoder,
    /// Read already, framing still on.
    pending: Vec<u8>,
    /// Read already, framing off.
    decoded: Vec<u8>,
}

impl Body {
    /// The next bytes, without framing; none at the end. Chunked bodies are joined, packed ones stay packed.
    ///
    /// # Errors
    /// Nothing came before `deadline`, or the connection broke.
    pub async fn next(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>, HttpError> {
        let peer = self.connection.peer;
        let mut out = std::mem::take(&mut self.decoded);
        loop {
            let read = std::mem::take(&mut self.pending);
            self.decoder.decode(&read, &mut out);
            if !out.is_empty() {
                return Ok(Some(out));
            }
            if self.decoder.is_complete() {
                return Ok(None);
            }
            let mut read = Vec::with_capacity(16 * 1024);
            match timeout_at(deadline, self.connection.read_buf(&mut read)).await {
                Err(_) => return Err(NetError::timeout(peer, Stage::Read).into()),
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => self.pending = read,
                Ok(Err(error)) => return Err(NetError::from_io(peer, Stage::Read, &error).into()),
            }
        }
    }

    /// Puts back what was read and is wanted once more.
    pub(super) fn put_back(&mut self, read: Vec<u8>) {
        self.decoded = read;
    }

    /// The whole body into `response`, unpacked, at most `limit` bytes.
    async fn read_into(&mut self, response: &mut Response, limit: usize, deadline: Instant) {
        // Moving pictures have no end; their beginning tells enough.
        let is_endless = response.content_type() == "multipart/x-mixed-replace";
        let limit = if is_endless { limit.min(16 * 1024) } else { limit };
        let (packed, ended_early) = self.read_all(limit, deadline).await;
        let (body, cut) = wire::unpack(packed, response.header("Content-Encoding"), limit);
        (response.body, response.truncated) = (body, ended_early || cut);
    }

    /// Everything up to `limit` bytes, and whether there was or should have been more.
    pub(super) async fn read_all(&mut self, limit: usize, deadline: Instant) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            let pause = match body.is_empty() {
                true => deadline,
                false => deadline.min(Instant::now() + BODY_PAUSE),
            };
            match self.next(pause).await {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => return (body, !self.decoder.is_complete() && !self.decoder.ends_with_connection()),
                Err(_) => return (body, true),
            }
            if body.len() > limit {
                body.truncate(limit);
                return (body, true);
            }
        }
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
