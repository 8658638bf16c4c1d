//! Asks a device for its streams: OPTIONS and DESCRIBE with logins, redirects, second tries and the patience that
//! cameras need, over one connection at a time.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::channel::{Channel, Failure};
use super::error::{Ladder, RtspError, kind_of_status};
use super::headers::Headers;
use super::login::Logging;
use super::url::{Redirect, RtspUrl};
use super::wire::{BodyEnd, Request, Response, Spoken, looks_like_sdp};
use crate::model::{AuthScheme, ErrorKind, Step};
use crate::net::Stage;
use crate::net::tls::TlsInfo;
use crate::probe::HostContext;
use crate::protocol::auth::{self, Challenge};

/// Without it some cameras answer 401 to the best of logins.
const USER_AGENT: &str = concat!("camscan/", env!("CARGO_PKG_VERSION"));

/// Redirects followed at most.
const MOST_HOPS: u32 = 3;

/// OPTIONS before the first DESCRIBE is a courtesy; nobody waits long for its answer.
const COURTESY: Duration = Duration::from_secs(2);

/// A second connection within this time is reset by cameras of the Hipcam family.
const HIPCAM_PAUSE: Duration = Duration::from_secs(5);

/// Speaks RTSP to one port of a host. Keeps one connection, the login that worked and what the device told of itself.
pub struct Client {
    pub(super) host: HostContext,
    origin: (u16, bool),
    at: (u16, bool),
    pub(super) channel: Option<Channel>,
    pub(super) logging: Logging,
    pub(super) ladder: Ladder,
    cseq: u32,
    asked_options: bool,
    walk: Walk,
    last_opened: Option<Instant>,
    spent: Duration,
    server: Option<String>,
    public: Vec<String>,
    challenges: Option<Vec<Challenge>>,
    tls: Option<TlsInfo>,
}

/// Whether several DESCRIBEs on one connection work; with some servers the second fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    Unknown,
    Fine,
    OneEach,
}

/// A stream's description, and what was learnt on the way to it.
#[derive(Debug, Clone)]
pub struct Described {
    /// The status, 200..=299.
    pub status: u16,
    /// Where it was found, after redirects; this goes on the wire, [`RtspUrl::shown`] to people.
    pub url: RtspUrl,
    /// What controls are relative to.
    pub base: RtspUrl,
    /// The session description as sent; empty when the answer held none.
    pub sdp: Bytes,
    /// The type the answer claims, lower case, without parameters.
    pub content_type: Option<String>,
    /// The device's `Server` header, cleaned.
    pub server: Option<String>,
    /// The methods it offers.
    pub public: Vec<String>,
    /// The challenges it made for this stream; empty when it made none.
    pub challenges: Vec<Challenge>,
    /// Whether it was given without a login.
    pub open: bool,
    /// Oddities, in words for the operator.
    pub warnings: Vec<String>,
}

impl Client {
    /// A client for a port. Connects when it is first asked for something.
    pub fn new(host: &HostContext, port: u16, tls: bool) -> Self {
        Client {
            host: host.clone(),
            origin: (port, tls),
            at: (port, tls),
            channel: None,
            logging: Logging::new(host.clone()),
            ladder: Ladder::default(),
            cseq: 0,
            asked_options: false,
            walk: Walk::Unknown,
            last_opened: None,
            spent: Duration::ZERO,
            server: None,
            public: Vec::new(),
            challenges: None,
            tls: None,
        }
    }

    /// The same, but it never logs in.
    pub fn without_login(mut self) -> Self {
        self.logging.forbid();
        self
    }

    /// The device's `Server` header, cleaned; from whichever answer had one.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// The methods the device offers, upper case.
    pub fn public(&self) -> &[String] {
        &self.public
    }

    /// The challenges of the last answer that demanded a login; none when none did.
    pub fn challenges(&self) -> Option<&[Challenge]> {
        self.challenges.as_deref()
    }

    /// What the device demands, as far as it has been asked: none when it never demanded a login.
    pub fn auth_schemes(&self) -> Option<Vec<AuthScheme>> {
        self.challenges.as_deref().map(auth::schemes)
    }

    /// What the last TLS handshake told.
    pub fn tls_info(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// The steps towards the stream described last.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// The URL of a path on this client's port.
    pub fn url(&self, target: &str) -> RtspUrl {
        RtspUrl::new(self.host.ip, self.origin.0, self.origin.1, target)
    }

    /// Asks what the device offers, without logging in. Any answer is one, an HTTP status line too.
    ///
    /// # Errors
    /// Connection failures, silence (`Timeout`), what is neither RTSP nor HTTP (`Protocol`).
    pub async fn options(&mut self) -> Result<Response, RtspError> {
        self.asked_options = true;
        self.ladder.forget_from(Step::Rtsp);
        let request = Request::new("OPTIONS", &self.url("/").to_string());
        let deadline = self.host.request_deadline();
        let response = self.exchange(&request, deadline, true).await?;
        self.learn(&response);
        Ok(response)
    }

    /// Asks for the description of a path (path and query, with leading `/`), logging in when the device demands it and
    /// following redirects on this host.
    ///
    /// # Errors
    /// Every status but success, every redirect that leads off the host, connection failures, and answers that broke off
    /// before anything of use.
    pub async fn describe(&mut self, target: &str) -> Result<Described, RtspError> {
        self.go_to(self.origin);
        self.courtesy().await;
        self.ladder.forget_from(Step::Described);
        self.spent = Duration::ZERO;
        let mut url = self.url(target);
        for _ in 0..=MOST_HOPS {
            let described = self.describe_url(&url).await;
            let ok = described.as_ref().is_ok_and(|r| (200..300).contains(&r.status));
            if self.ladder.reached(Step::Rtsp) {
                self.ladder.mark(Step::Described, ok, self.spent);
            }
            let response = described?;
            if !(300..400).contains(&response.status) {
                return self.described(url, response);
            }
            let location = response.headers.text("Location").unwrap_or_default();
            url = match url.redirect(&location, &self.host.name) {
                Redirect::Here(next) if next == url => {
                    return Err(self.failed(
                        &url,
                        Step::Described,
                        Some(response.status),
                        ErrorKind::Redirect,
                        "redirected to itself",
                    ));
                }
                Redirect::Here(next) => next,
                Redirect::Elsewhere(shown) => {
                    let what = format!("redirected off the host, to {shown}");
                    return Err(self.failed(&url, Step::Described, Some(response.status), ErrorKind::Redirect, &what));
                }
                Redirect::Nowhere => {
                    return Err(self.failed(
                        &url,
                        Step::Described,
                        Some(response.status),
                        ErrorKind::Redirect,
                        "redirected without saying where",
                    ));
                }
            };
            self.go_to((url.port(), url.tls()));
        }
        Err(self.failed(&url, Step::Described, None, ErrorKind::Redirect, "redirected too often"))
    }

    /// Whether there is a connection, and the device has not closed it.
    pub(super) fn is_connected(&mut self) -> bool {
        self.channel.as_mut().is_some_and(|c| c.keep_frames || c.settle())
    }

    /// Closes the connection.
    pub fn disconnect(&mut self) {
        self.channel = None;
    }

    /// Before the first DESCRIBE, OPTIONS: no camera is known to need it, every other client sends it.
    async fn courtesy(&mut self) {
        if self.asked_options {
            return;
        }
        self.asked_options = true;
        let request = Request::new("OPTIONS", &self.url("/").to_string());
        let deadline = self.host.request_deadline().min(Instant::now() + self.host.options.connect_timeout + COURTESY);
        if let Ok(response) = self.exchange(&request, deadline, true).await {
            self.learn(&response);
        }
    }

    /// One DESCRIBE, repeated on a connection of its own where a connection's second one fails.
    pub(super) async fn describe_url(&mut self, url: &RtspUrl) -> Result<Response, RtspError> {
        let request = Request::new("DESCRIBE", &url.to_string()).with("Accept", "application/sdp");
        if self.walk == Walk::OneEach && self.channel.as_ref().is_some_and(|c| c.described) {
            self.disconnect();
        }
        let second = self.channel.as_ref().is_some_and(|c| c.described) && self.walk == Walk::Unknown;
        let outcome = self.request(&request, true).await;
        let failed = match &outcome {
            Ok(response) => matches!(response.status, 400 | 454 | 455 | 500..=502),
            Err(error) => matches!(error.kind, ErrorKind::Timeout | ErrorKind::Closed),
        };
        if !second || !failed || self.host.is_over() {
            if second {
                self.walk = Walk::Fine;
            }
            return outcome;
        }
        self.disconnect();
        let again = self.request(&request, true).await;
        let same = match (&outcome, &again) {
            (Ok(a), Ok(b)) => a.status == b.status,
            (Err(_), Err(_)) => true,
            _ => false,
        };
        self.walk = if same { Walk::Fine } else { Walk::OneEach };
        again
    }

    fn described(&mut self, url: RtspUrl, response: Response) -> Result<Described, RtspError> {
        if response.spoken == Spoken::Http {
            return Err(self.failed(&url, Step::Rtsp, Some(response.status), ErrorKind::Protocol, "answered in HTTP"));
        }
        if !(200..300).contains(&response.status) {
            return Err(self.refused(&url, Step::Described, &response));
        }
        let headers = &response.headers;
        let is_sdp = looks_like_sdp(&response.body);
        if response.body.is_empty() && response.end == BodyEnd::Short {
            return Err(self.failed(
                &url,
                Step::Described,
                Some(response.status),
                ErrorKind::Closed,
                "the answer broke off",
            ));
        }
        let header = |name| headers.text(name);
        let base = url.base(header("Content-Base").as_deref(), header("Content-Location").as_deref());
        Ok(Described {
            status: response.status,
            base,
            content_type: headers.content_type(),
            server: self.server.clone(),
            public: self.public.clone(),
            challenges: self.logging.offered().to_vec(),
            open: self.logging.offered().is_empty(),
            warnings: oddities(&response, is_sdp),
            sdp: if is_sdp { response.body } else { Bytes::new() },
            url,
        })
    }

    /// Sends a request and reads its answer, logging in when that is demanded. The answer is a 401 only when no login
    /// helped.
    pub(super) async fn request(&mut self, request: &Request, may_reconnect: bool) -> Result<Response, RtspError> {
        self.logging.begin_request();
        loop {
            let deadline = self.host.request_deadline();
            let response = match self.exchange(request, deadline, may_reconnect).await {
                Ok(response) => response,
                Err(error) => {
                    // Nothing was sent when the connection did not come about.
                    self.logging.unanswered(!matches!(error.step, Step::Tcp | Step::Tls)).await;
                    return Err(error);
                }
            };
            self.learn(&response);
            if !self.logging.answered(&response, self.server.as_deref(), deadline).await {
                return Ok(response);
            }
        }
    }

    /// Sends a request, with the login of the moment, and reads the whole answer. A kept connection that turns out to be
    /// closed is replaced once.
    async fn exchange(
        &mut self,
        request: &Request,
        deadline: Instant,
        may_reconnect: bool,
    ) -> Result<Response, RtspError> {
        let mut may_reconnect = may_reconnect;
        loop {
            let reused = self.connect().await?;
            let (cseq, bytes) = self.compose(request);
            let started = Instant::now();
            let Some(channel) = self.channel.as_mut() else {
                return Err(self.fail(request, Step::Tcp, ErrorKind::Closed, "not connected"));
            };
            let describes = request.method == "DESCRIBE";
            let outcome = match channel.send(&bytes, deadline).await {
                Ok(()) => channel.answer(cseq, describes, deadline).await,
                Err(failure) => Err(failure),
            };
            self.spent += started.elapsed();
            match outcome {
                Ok(response) => {
                    let url = crate::text::redact_url(&request.url);
                    tracing::debug!(status = response.status, "{} {url}", request.method);
                    channel.described |= describes && response.status != 401;
                    if !self.ladder.reached(Step::Rtsp) {
                        self.ladder.mark(Step::Rtsp, response.spoken == Spoken::Rtsp, started.elapsed());
                    }
                    return Ok(response);
                }
                Err(Failure { kind: ErrorKind::Closed, heard: false }) if reused && may_reconnect => {
                    may_reconnect = false;
                    self.channel = None;
                }
                Err(failure) => {
                    let url = crate::text::redact_url(&request.url);
                    tracing::debug!(error = in_words(failure), "{} {url}", request.method);
                    let keep = failure.kind == ErrorKind::Timeout && channel.has_frames();
                    if !keep {
                        self.channel = None;
                    }
                    if !self.ladder.reached(Step::Rtsp) {
                        self.ladder.mark(Step::Rtsp, false, started.elapsed());
                    }
                    let step = if self.ladder.reached(Step::Rtsp) { Step::Described } else { Step::Rtsp };
                    return Err(self.fail(request, step, failure.kind, in_words(failure)));
                }
            }
        }
    }

    /// A request as it is sent now, with its number.
    pub(super) fn compose(&mut self, request: &Request) -> (u32, Vec<u8>) {
        self.cseq = self.cseq.saturating_add(1);
        let mut headers = Headers::default();
        headers.push("CSeq", self.cseq.to_string().as_bytes());
        headers.push("User-Agent", USER_AGENT.as_bytes());
        if let Some(authorization) = self.logging.authorization(&request.method, &request.url, &request.body) {
            headers.push("Authorization", &authorization);
        }
        request.headers.iter().for_each(|(name, value)| headers.push(name, value));
        (self.cseq, Request { headers, ..request.clone() }.to_bytes())
    }

    /// Sees to a connection; true when there was one already.
    async fn connect(&mut self) -> Result<bool, RtspError> {
        if self.is_connected() {
            return Ok(true);
        }
        self.channel = None;
        self.wait_for_hipcam().await;
        let (port, tls) = self.at;
        let turn = self.host.rtsp_turn(self.host.options.request_timeout.min(self.host.time_left())).await;
        let started = Instant::now();
        let connected = if tls { self.host.connect_tls(port).await } else { self.host.connect(port).await };
        self.last_opened = Some(Instant::now());
        let connection = connected.map_err(|error| {
            let step = if error.stage == Stage::Tls { Step::Tls } else { Step::Tcp };
            self.ladder.mark(step, false, started.elapsed());
            RtspError { kind: error.kind, step, status: None, message: crate::text::clean(&error.to_string()) }
        })?;
        let channel = Channel::new(connection, turn, self.host.cancel.clone());
        self.ladder.mark(Step::Tcp, true, channel.connected_in());
        if let Some((info, took)) = channel.tls() {
            self.ladder.mark(Step::Tls, true, *took);
            self.tls = Some(info.clone());
        }
        self.channel = Some(channel);
        Ok(false)
    }

    async fn wait_for_hipcam(&self) {
        let is_hipcam = self.server.as_deref().is_some_and(|s| s.to_ascii_lowercase().contains("hipcam"));
        if let Some(opened) = self.last_opened.filter(|_| is_hipcam) {
            let until = (opened + HIPCAM_PAUSE).min(self.host.deadline);
            tokio::select! {
                () = self.host.cancel.cancelled() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    fn go_to(&mut self, endpoint: (u16, bool)) {
        if self.at != endpoint {
            self.at = endpoint;
            self.channel = None;
        }
    }

    fn learn(&mut self, response: &Response) {
        if let Some(server) = response.headers.clean("Server") {
            self.server = Some(server);
        }
        let methods = response.headers.methods();
        if !methods.is_empty() {
            self.public = methods;
        }
        if response.status == 401 {
            self.challenges = Some(auth::challenges(response.headers.all("WWW-Authenticate")));
        }
    }

    /// The error a refusing answer stands for.
    pub(super) fn refused(&self, url: &RtspUrl, step: Step, response: &Response) -> RtspError {
        let status = response.status;
        let mut kind = kind_of_status(status, self.logging.is_logged_in());
        let mut what = format!("{status} {}", response.reason);
        if matches!(status, 401 | 403)
            && let Some((why, sentence)) = self.logging.why_refused(status)
        {
            kind = why;
            what = format!("{what}: {sentence}");
        }
        self.failed(url, step, Some(status), kind, what.trim_end())
    }

    fn fail(&self, request: &Request, step: Step, kind: ErrorKind, what: &str) -> RtspError {
        let url = crate::text::redact_url(&request.url);
        let message = crate::text::clean_to(&format!("{} {url}: {what}", request.method), 512);
        RtspError { kind, step, status: None, message }
    }

    pub(super) fn failed(
        &self,
        url: &RtspUrl,
        step: Step,
        status: Option<u16>,
        kind: ErrorKind,
        what: &str,
    ) -> RtspError {
        let method = match step {
            Step::Setup => "SETUP",
            Step::Rtp => "PLAY",
            _ => "DESCRIBE",
        };
        let message = crate::text::clean_to(&format!("{method} {}: {what}", url.shown()), 512);
        RtspError { kind, step, status, message }
    }
}

fn in_words(failure: Failure) -> &'static str {
    match failure.kind {
        ErrorKind::Timeout if failure.heard => "the answer did not end in time",
        ErrorKind::Timeout => "no answer in time",
        ErrorKind::Closed if failure.heard => "the connection was closed in the middle of the answer",
        ErrorKind::Closed => "the connection was closed without an answer",
        ErrorKind::TooLarge => "the answer is larger than the limit",
        ErrorKind::Protocol => "the answer is not RTSP",
        ErrorKind::Interrupted => "the scan was interrupted",
        _ => "the connection failed",
    }
}

fn oddities(response: &Response, is_sdp: bool) -> Vec<String> {
    let mut odd = Vec::new();
    match response.end {
        BodyEnd::Stated | BodyEnd::Found => {}
        BodyEnd::Extended => odd.push("Content-Length is smaller than the description".to_owned()),
        BodyEnd::Short => odd.push("the description is shorter than Content-Length says".to_owned()),
        BodyEnd::TooLarge => odd.push("Content-Length is beyond the limit; what came was read".to_owned()),
    }
    if response.body.is_empty() {
        odd.push("success without a description".to_owned());
    } else if !is_sdp {
        odd.push("the description is no SDP".to_owned());
    }
    odd
}

#[cfg(test)]
#[path = "client_tests.rs"]
pub(super) mod tests;
