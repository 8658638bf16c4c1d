//! Asks a device over one connection at a time, with logins, second tries and the patience that cameras need. What is
//! asked says [`describe`].

pub mod describe;
mod in_path;

use std::time::Duration;

use tokio::time::Instant;

use super::channel::{Channel, Failure};
use super::error::{Ladder, RtspError, kind_of_status};
use super::headers::RtspHeaders;
use super::lessons::Lessons;
use super::login;
use super::url::RtspUrl;
use super::wire::{Request, Response, Spoken};
use crate::model::{AuthScheme, Credential, ErrorKind, Protocol, Step, Way};
use crate::net::ConnectionStage;
use crate::net::tls::TlsInfo;
use crate::probe::negotiation::Negotiation;
use crate::probe::transcript::Transcript;
use crate::probe::{Encryption, Peer, Verdict};
use crate::wire::auth::{self, Challenge};
use crate::wire::head::Headers;
use crate::wire::url::Endpoint;
use describe::Walk;

/// Without it some cameras answer 401 to the best of logins.
const USER_AGENT: &str = concat!("camscan/", env!("CARGO_PKG_VERSION"));

/// A second connection within this time is reset by cameras of the Hipcam family.
const HIPCAM_PAUSE: Duration = Duration::from_secs(5);

/// Speaks RTSP to one port of a host. Keeps one connection, the login that worked and what the device stated about itself.
pub struct Client {
    pub(super) peer: Peer,
    origin: Endpoint,
    at: Endpoint,
    pub(super) channel: Option<Channel>,
    pub(super) negotiation: Negotiation,
    /// The login that stands in the paths that are asked for.
    path_login: Option<Credential>,
    pub(super) ladder: Ladder,
    cseq: u32,
    /// The number of the last request, while its answer has not come.
    pub(super) unanswered: Option<u32>,
    asked_options: bool,
    walk: Walk,
    spent: Duration,
    /// What playing taught about this port.
    pub(super) lessons: Lessons,
    server: Option<String>,
    public: Vec<String>,
    challenges: Option<Vec<Challenge>>,
    tls: Option<TlsInfo>,
    pub(super) transcript: Transcript,
}

impl Client {
    /// A client for a port. Connects when it is first asked for something.
    pub fn new(peer: &Peer, at: Endpoint) -> Self {
        Client {
            peer: peer.clone(),
            origin: at,
            at,
            channel: None,
            negotiation: Negotiation::new(peer.logins.clone(), Protocol::Rtsp, Encryption::unseen(at.tls)),
            path_login: None,
            ladder: Ladder::default(),
            cseq: 0,
            unanswered: None,
            asked_options: false,
            walk: Walk::Unknown,
            spent: Duration::ZERO,
            lessons: Lessons::default(),
            server: None,
            public: Vec::new(),
            challenges: None,
            tls: None,
            transcript: Transcript::new(peer),
        }
    }

    /// The same, which knows by which way streams of this port played before.
    pub fn with_way(mut self, way: Option<Way>) -> Self {
        self.lessons.worked = way;
        self
    }

    /// The same, but it never logs in.
    pub fn without_login(mut self) -> Self {
        self.negotiation.forbid();
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

    /// What the last TLS handshake revealed.
    pub fn tls_info(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// The steps towards the stream described last.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// The URL of a path on this client's port.
    pub fn url(&self, target: &str) -> RtspUrl {
        RtspUrl::new(self.peer.ip, self.origin, target)
    }

    /// Whether there is a connection, and the device has not closed it.
    pub(super) fn is_connected(&mut self) -> bool {
        self.channel.as_mut().is_some_and(|c| c.keep_frames || c.settle())
    }

    /// Closes the connection.
    pub fn disconnect(&mut self) {
        self.channel = None;
    }

    /// Sends a request and reads its answer, logging in when that is demanded. The answer is a 401 only when no login
    /// helped. What asks for something new goes without a login first, what belongs to a session with the login that
    /// opened it.
    pub(super) async fn request(&mut self, request: &Request, may_reconnect: bool) -> Result<Response, RtspError> {
        match request.method.as_str() {
            "DESCRIBE" | "OPTIONS" => self.negotiation.begin(),
            _ => {
                self.negotiation.begin_more();
                self.negotiation.prepare_until(self.peer.request_deadline()).await;
            }
        }
        let is_describe = request.method == "DESCRIBE";
        loop {
            let outcome = self.exchange(request, self.peer.timeouts.request, may_reconnect).await;
            let response = match outcome {
                Ok(response) => response,
                Err(error) => {
                    match error.kind {
                        // Nothing was sent when the connection did not come about.
                        _ if matches!(error.step, Step::Tcp | Step::Tls) => self.negotiation.unanswered(false),
                        ErrorKind::Closed => self.negotiation.closed(),
                        _ => self.negotiation.unanswered(true),
                    }
                    return Err(error);
                }
            };
            self.learn(&response);
            let deadline = self.peer.request_deadline();
            let reply = login::reply(&response, is_describe, self.server.as_deref());
            let credentials = self.peer.logins.credentials();
            let next = self.negotiation.answered(reply, &credentials);
            let again = self.negotiation.settled(next, &credentials, deadline).await;
            if !again {
                return Ok(response);
            }
            if self.peer.is_over() {
                self.negotiation.unanswered(false);
                return Ok(response);
            }
        }
    }

    /// Sends a request, with the login of the moment, and reads the whole answer. A kept connection that turns out to be
    /// closed is replaced once. `limit` begins when there is a connection: a device may want a pause before it.
    async fn exchange(
        &mut self,
        request: &Request,
        limit: Duration,
        may_reconnect: bool,
    ) -> Result<Response, RtspError> {
        let mut may_reconnect = may_reconnect;
        loop {
            let place = self.place_of_path(request).await?;
            let reused = match self.connect().await {
                Ok(reused) => reused,
                Err(error) => {
                    place.into_iter().for_each(|attempt| attempt.end(Verdict::Unsent));
                    return Err(error);
                }
            };
            let started = Instant::now();
            let deadline = (started + limit).min(self.peer.deadline);
            let outcome = self.send_and_hear(request, deadline).await;
            let took = started.elapsed();
            self.spent += took;
            if let Some(attempt) = place {
                let verdict = match &outcome {
                    Ok(response) => in_path::verdict(&attempt, request, response),
                    Err(failure) if failure.kind == ErrorKind::Closed => Verdict::Closed,
                    Err(_) => Verdict::Unanswered,
                };
                attempt.end(verdict);
            }
            match outcome {
                Ok(response) => {
                    self.heard(request, &response, took);
                    return Ok(response);
                }
                // What a login that was taken before has met is not repeated.
                Err(Failure { kind: ErrorKind::Closed, heard: false })
                    if may_reconnect
                        && !(request.method == "DESCRIBE" && self.negotiation.is_proved())
                        && (reused || self.peer.is_worth_asking_again(self.at.port)) =>
                {
                    // Closing may have been how a login was refused: it counts, and does not go along again.
                    self.negotiation.closed();
                    may_reconnect = false;
                    self.note_closed();
                    self.channel = None;
                }
                Err(failure) => return Err(self.not_heard(request, failure, took)),
            }
        }
    }

    async fn send_and_hear(&mut self, request: &Request, deadline: Instant) -> Result<Response, Failure> {
        let (cseq, bytes) = self.compose(request);
        let Some(channel) = self.channel.as_mut() else {
            return Err(Failure { kind: ErrorKind::Closed, heard: false });
        };
        self.unanswered = Some(cseq);
        channel.about.get_or_insert_with(|| request.url.clone());
        channel.send(&bytes, deadline).await?;
        let response = channel.answer(cseq, request.method == "DESCRIBE", deadline).await?;
        self.unanswered = None;
        Ok(response)
    }

    /// Keeps books of an answer.
    fn heard(&mut self, request: &Request, response: &Response, took: Duration) {
        self.note_answer(request, response);
        if response.spoken == Spoken::Rtsp {
            self.peer.history.note_rtsp(self.at.port);
        }
        if let Some(channel) = &mut self.channel {
            channel.described |= request.method == "DESCRIBE" && response.status != 401;
        }
        if !self.ladder.reached(Step::Rtsp) {
            self.ladder.mark(Step::Rtsp, response.spoken == Spoken::Rtsp, took);
        }
    }

    pub(super) fn note_answer(&mut self, request: &Request, response: &Response) {
        tracing::debug!(status = response.status, "{} {}", request.method, crate::text::redact_url(&request.url));
        let asked = format!("{} {}", request.method, request.url);
        let status = format!("{} {} {}", response.version, response.status, response.reason);
        self.transcript.note(&asked, &status, response.headers.iter());
    }

    /// The error a missing answer stands for. The connection is kept where the answer may still come, because it takes
    /// long or the scan ends meanwhile, and frames come over it or a session is to be torn down in it.
    fn not_heard(&mut self, request: &Request, failure: Failure, took: Duration) -> RtspError {
        let why = in_words(failure);
        tracing::debug!(error = why, "{} {}", request.method, crate::text::redact_url(&request.url));
        let has_frames = self.channel.as_ref().is_some_and(Channel::has_frames);
        let in_session = request.method == "SETUP" || request.headers.text("Session").is_some();
        let may_come = matches!(failure.kind, ErrorKind::Timeout | ErrorKind::Interrupted);
        if !may_come || !(has_frames || in_session) {
            self.channel = None;
        }
        if !self.ladder.reached(Step::Rtsp) {
            self.ladder.mark(Step::Rtsp, false, took);
        }
        let step = if self.ladder.reached(Step::Rtsp) { Step::Described } else { Step::Rtsp };
        self.fail(request, step, failure.kind, why)
    }

    /// A request as it is sent now, with its number.
    pub(super) fn compose(&mut self, request: &Request) -> (u32, Vec<u8>) {
        self.cseq = self.cseq.saturating_add(1);
        let mut headers = Headers::default();
        headers.push("CSeq", self.cseq.to_string().as_bytes());
        headers.push("User-Agent", USER_AGENT.as_bytes());
        if let Some(login) = self.negotiation.authorization(&request.method, &request.url, &request.body)
            && let Ok(value) = login.by(self.negotiation.encryption(), &self.peer.logins)
        {
            headers.push("Authorization", value);
        }
        request.headers.iter().for_each(|(name, value)| headers.push(name, value));
        (self.cseq, Request { headers, ..request.clone() }.to_bytes())
    }

    /// Sees to a connection; true when there was one already, which the device may be about to close.
    async fn connect(&mut self) -> Result<bool, RtspError> {
        if self.is_connected() {
            return Ok(true);
        }
        self.note_closed();
        self.channel = None;
        let Endpoint { port, tls } = self.at;
        self.negotiation.reconnected();
        let turn = self.peer.gate.turn(self.peer.timeouts.request.min(self.peer.time_left())).await;
        self.peer.rtsp_pause().await;
        let started = Instant::now();
        let connected = if tls { self.peer.connect_tls(port).await } else { self.peer.connect(port).await };
        self.peer.gate.note_opened();
        let connection = connected.map_err(|error| {
            let step = if error.stage == ConnectionStage::Tls { Step::Tls } else { Step::Tcp };
            self.ladder.mark(step, false, started.elapsed());
            let message = crate::text::clean(&error.to_string());
            RtspError { kind: error.kind(), step, status: None, message, old_tls: error.old_tls() }
        })?;
        let was_kept = connection.was_kept();
        let channel = Channel::new(connection, turn, self.peer.cancel.clone());
        self.ladder.mark(Step::Tcp, true, channel.connected_in());
        if let Some((info, took)) = channel.tls() {
            self.ladder.mark(Step::Tls, true, *took);
            self.tls = Some(info.clone());
        }
        self.negotiation.set_encryption(channel.encryption());
        self.channel = Some(channel);
        Ok(was_kept)
    }

    fn go_to(&mut self, endpoint: Endpoint) {
        if self.at != endpoint {
            self.at = endpoint;
            self.channel = None;
        }
    }

    fn learn(&mut self, response: &Response) {
        if let Some(server) = response.headers.clean("Server") {
            if server.to_ascii_lowercase().contains("hipcam") {
                self.peer.gate.space_connections(HIPCAM_PAUSE);
            }
            self.server = Some(server);
        }
        let methods = response.headers.methods();
        if !methods.is_empty() {
            self.public = methods;
        }
        if response.status == 401 {
            let challenges = auth::challenges(response.headers.all("WWW-Authenticate"));
            if challenges.iter().filter_map(Challenge::realm).any(|realm| describe::is_go2rtc(&realm)) {
                self.walk = Walk::OneEach;
            }
            self.challenges = Some(challenges);
        }
    }

    /// The error a refusing answer stands for.
    pub(super) fn refused(&self, url: &RtspUrl, step: Step, response: &Response) -> RtspError {
        let status = response.status;
        let mut kind = kind_of_status(status, self.negotiation.is_logged_in() || self.negotiation.refused() > 0);
        let mut what = format!("{status} {}", response.reason);
        if matches!(status, 401 | 403)
            && let Some((why, sentence)) = login::why_refused(&self.peer, &self.negotiation, status)
        {
            kind = why;
            what = format!("{what}: {sentence}");
        }
        self.failed(url, step, Some(status), kind, what.trim_end())
    }

    fn fail(&self, request: &Request, step: Step, kind: ErrorKind, what: &str) -> RtspError {
        let url = crate::text::redact_url(&request.url);
        let message = crate::text::clean_to(&format!("{} {url}: {what}", request.method), 512);
        RtspError { kind, step, status: None, message, old_tls: None }
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
        RtspError { kind, step, status, message, old_tls: None }
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
        ErrorKind::Device => "the device sends other messages without end and no answer",
        ErrorKind::Interrupted => "the scan was interrupted",
        _ => "the connection failed",
    }
}

#[cfg(test)]
pub(super) mod tests;
