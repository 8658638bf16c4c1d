//! Asks one ONVIF device: finds the dialect it bears, reads its clock, and logs in when it demands it, within what the
//! host's logins allow.

use jiff::SignedDuration;

use super::error::{CallError, demands_login, failure};
use super::login;
use super::soap::{self, Answer, Dialect, UsernameToken};
use super::wire::{self, Call};
use crate::model::{Answer as HttpAnswer, AuthScheme, Credential, ErrorKind, Protocol};
use crate::probe::negotiation::Negotiation;
use crate::probe::{Encryption, Peer, Verdict, heard};
use crate::protocol::http::client;
use crate::protocol::http::message::{Request, Response};
use crate::protocol::http::transcript;
use crate::wire::auth;
use crate::wire::url::{Endpoint, HostUrl};
use crate::wire::xml::Element;

/// The most of an answer that is read.
const MAX_ANSWER: usize = 1024 * 1024;

/// Answers kept of one device.
const MOST_ANSWERS: usize = 16;

/// Two readings of a clock that differ by less are of one clock that goes right.
const SAME_CLOCK: SignedDuration = SignedDuration::from_secs(3);

/// What speaks for ONVIF at an address before it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// The device itself named the address: an answer that is no clear no will do.
    Announced,
    /// The host is like a camera: a demand for a login will do.
    Camera,
    /// Nothing: only an answer in SOAP will do.
    Nothing,
}

/// A device that speaks ONVIF.
pub struct Client<'a> {
    pub(super) peer: &'a Peer,
    /// The device service.
    pub device: HostUrl,
    /// The logins it demanded, in the order met; empty as long as it demanded none.
    pub demanded: Vec<AuthScheme>,
    /// Whether it has answered in SOAP: only then ONVIF is really spoken.
    pub has_spoken: bool,
    /// What it answered, one answer of each address and status, where the host is looked at in depth.
    pub answers: Vec<HttpAnswer>,
    dialect: Dialect,
    /// How much the device's clock is ahead of ours; none until it has been read.
    clock: Option<SignedDuration>,
    negotiation: Negotiation,
    /// Where the last call went.
    asked: Endpoint,
    /// The logins at its other ports.
    elsewhere: Vec<(Endpoint, Negotiation)>,
}

/// An answer's envelope and the HTTP message that brought it.
pub(super) type Exchange = (Response, Answer);

impl<'a> Client<'a> {
    /// Asks for the time without login, which every device must answer, to see whether ONVIF is spoken at `device` and in
    /// which dialect.
    ///
    /// # Errors
    /// What hindered the call.
    pub async fn open(peer: &'a Peer, device: HostUrl, expectation: Expectation) -> Result<Client<'a>, CallError> {
        let mut client = Client {
            peer,
            demanded: Vec::new(),
            has_spoken: false,
            answers: Vec::new(),
            dialect: Dialect::WithAction,
            clock: None,
            asked: device.endpoint(),
            elsewhere: Vec::new(),
            negotiation: negotiation(peer, device.endpoint()),
            device,
        };
        let announced = expectation == Expectation::Announced;
        let mut refused = CallError::NotSoap(0);
        for dialect in Dialect::ALL {
            client.dialect = dialect;
            let (response, answer) = client.ask_time().await?;
            match answer {
                Answer::Body(body) if body.find("SystemDateAndTime").is_some() => return Ok(client),
                Answer::Fault(fault) if fault.is_about_the_form() => refused = CallError::Fault(fault),
                Answer::Fault(fault) if announced || !fault.subcodes.is_empty() || fault.is_not_authorized() => {
                    return Ok(client);
                }
                Answer::Empty if response.status == 200 => refused = CallError::NotSoap(200),
                // A page that demands a login for every path is no sign of ONVIF by itself.
                _ if matches!(response.status, 401 | 403) && expectation != Expectation::Nothing => {
                    return Ok(client);
                }
                Answer::NotSoap | Answer::Empty if matches!(response.status, 400 | 415 | 500) => {
                    refused = CallError::NotSoap(response.status);
                }
                _ => return Err(CallError::NotSoap(response.status)),
            }
        }
        client.dialect = Dialect::WithAction;
        if announced { Ok(client) } else { Err(refused) }
    }

    /// Asks for the time without login and keeps it; the HTTP date where the device does not state the time.
    async fn ask_time(&mut self) -> Result<Exchange, CallError> {
        let mut request = self.request(&self.device, Call::GetSystemDateAndTime, None);
        request.follow = true;
        let response = client::send(self.peer, request).await?;
        self.device = response.host_url();
        if response.at == self.asked {
            self.negotiation.set_encryption(response.encryption());
        }
        self.note_answers(&response);
        let answer = soap::read(&response.body);
        self.has_spoken |= matches!(answer, Answer::Body(_) | Answer::Fault(_));
        self.note_time(&response, &answer);
        Ok((response, answer))
    }

    fn note_time(&mut self, response: &Response, answer: &Answer) {
        let told = match answer {
            Answer::Body(body) => wire::utc(body),
            _ => None,
        };
        let date = || jiff::fmt::rfc2822::parse(&response.header("Date")?).ok().map(|z| z.timestamp());
        if let Some(time) = told.or_else(date) {
            self.clock = Some(time.duration_since((self.peer.clock)()));
        }
    }

    /// How much the device's clock is ahead of ours, in seconds; none where it does not state the time.
    pub fn clock_ahead(&self) -> Option<i64> {
        self.clock.map(|ahead| ahead.as_secs())
    }

    /// Whether requests carry a login.
    pub fn is_logged_in(&self) -> bool {
        self.negotiation.is_logged_in()
    }

    /// Makes a call, without login as long as the device demands none.
    ///
    /// # Errors
    /// No answer, a fault, or a login that cannot be given.
    pub async fn call(&mut self, at: &HostUrl, call: Call<'_>) -> Result<Element, CallError> {
        self.go_to(at.endpoint());
        let was_logged_in = self.is_logged_in();
        let outcome = self.negotiate(at, call).await;
        let (response, answer) = outcome?;
        match answer {
            Answer::Body(body) => Ok(body),
            answer if !demands_login(&response, &answer) => Err(failure(&response, answer)),
            answer if was_logged_in => {
                // What the device now calls a lack of rights it may count like a wrong login.
                let what = if let Answer::Fault(fault) = answer { fault.to_string() } else { "no right".to_owned() };
                Err(CallError::login(ErrorKind::AuthRefused, format!("{}: {what}", call.name())))
            }
            _ => Err(login::why_refused(self.peer, &self.negotiation)),
        }
    }

    /// Makes a call without a login, whatever the device demands.
    ///
    /// # Errors
    /// No answer, a fault, or a login that is demanded.
    pub async fn ask_openly(&mut self, at: &HostUrl, call: Call<'_>) -> Result<Element, CallError> {
        let response = client::send_once(self.peer, &self.request(at, call, None), None).await?;
        match soap::read(&response.body) {
            Answer::Body(body) => Ok(body),
            answer if demands_login(&response, &answer) => {
                Err(CallError::login(ErrorKind::AuthRequired, "a login is demanded"))
            }
            answer => Err(failure(&response, answer)),
        }
    }

    /// Another port is another server: it has to demand a login before it gets one, and makes nonces of its own.
    fn go_to(&mut self, at: Endpoint) {
        if self.asked == at {
            return;
        }
        let known = self.elsewhere.iter().position(|(place, _)| *place == at);
        let next = known.map(|nth| self.elsewhere.swap_remove(nth).1);
        let before = std::mem::replace(&mut self.negotiation, next.unwrap_or_else(|| negotiation(self.peer, at)));
        self.elsewhere.push((self.asked, before));
        self.asked = at;
    }

    /// Sends a call, with a login where one is demanded, until its answer stands.
    async fn negotiate(&mut self, at: &HostUrl, call: Call<'_>) -> Result<Exchange, CallError> {
        self.negotiation.begin_more();
        self.negotiation.prepare_until(self.peer.request_deadline()).await;
        loop {
            let (response, answer) = match self.transmit(at, call).await {
                Ok(exchange) => exchange,
                Err(error) => {
                    // A connection that never came about carried no login.
                    let unsent = matches!(error.kind(), ErrorKind::Refused | ErrorKind::Unreachable | ErrorKind::Tls);
                    match error.kind() {
                        ErrorKind::Closed => self.negotiation.closed(),
                        _ => self.negotiation.unanswered(!unsent),
                    }
                    return Err(error);
                }
            };
            if demands_login(&response, &answer) {
                self.note_demand(&response, &answer);
            }
            let mut reply = login::reply(&response, &answer, &self.negotiation);
            if reply.verdict == Verdict::Stale && !self.reread_clock(&response).await {
                reply.verdict = Verdict::Refused;
            }
            let (credentials, deadline) = (self.peer.logins.credentials(), self.peer.request_deadline());
            let next = self.negotiation.answered(reply, &credentials);
            if !self.negotiation.settled(next, &credentials, deadline).await {
                return Ok((response, answer));
            }
        }
    }

    /// Which login an answer demands.
    pub(super) fn note_demand(&mut self, response: &Response, answer: &Answer) {
        let challenges = response.challenges();
        let mut schemes: Vec<AuthScheme> = Vec::new();
        if response.status == 401 && !challenges.is_empty() {
            schemes.extend(auth::schemes(&challenges));
        }
        if matches!(answer, Answer::Fault(_)) {
            schemes.push(AuthScheme::Wsse);
        }
        if schemes.is_empty() && self.demanded.is_empty() {
            schemes.push(AuthScheme::Other);
        }
        for scheme in schemes {
            if !self.demanded.contains(&scheme) {
                self.demanded.push(scheme);
            }
        }
    }

    /// After a complaint about the clock: asks for it again. One that stated the same before does not go by it (it
    /// states local time as UTC): then the date of its answers counts, and without one ours. Returns whether it is
    /// known now.
    pub(super) async fn reread_clock(&mut self, complaint: &Response) -> bool {
        let before = self.clock.take();
        let told = self.ask_time().await.is_ok() && self.clock.is_some();
        let is_same = self.clock.zip(before).is_some_and(|(now, before)| (now - before).abs() < SAME_CLOCK);
        if !told || is_same {
            self.clock = is_same.then_some(SignedDuration::ZERO);
            self.note_time(complaint, &Answer::Empty);
        }
        self.clock.is_some()
    }

    /// Sends a call once, with the login of the moment.
    async fn transmit(&mut self, at: &HostUrl, call: Call<'_>) -> Result<Exchange, CallError> {
        let token = self.negotiation.token().map(|credential| self.token(&credential));
        let request = self.request(at, call, token.as_ref());
        let authorization = self.negotiation.authorization(request.method, &request.target, &request.body);
        let response = client::send_once(self.peer, &request, authorization.as_ref()).await?;
        self.negotiation.set_encryption(response.encryption());
        self.note_answers(&response);
        let answer = soap::read(&response.body);
        self.has_spoken |= matches!(answer, Answer::Body(_) | Answer::Fault(_));
        Ok((response, answer))
    }

    /// The headers of many calls to one address differ in nothing.
    fn note_answers(&mut self, response: &Response) {
        for answer in transcript::of_http(self.peer, response) {
            let same = |known: &HttpAnswer| (&known.request, &known.status) == (&answer.request, &answer.status);
            if self.answers.len() < MOST_ANSWERS && !self.answers.iter().any(same) {
                self.answers.push(answer);
            }
        }
    }

    fn token(&self, credential: &Credential) -> UsernameToken {
        let now = (self.peer.clock)();
        let there = self.clock.and_then(|ahead| now.checked_add(ahead).ok()).unwrap_or(now);
        let nonce: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
        let created = there.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let token = UsernameToken::new(&credential.user, credential.password.expose(), nonce, &created);
        heard::note_token(token.digest());
        token
    }

    fn request(&self, at: &HostUrl, call: Call<'_>, token: Option<&UsernameToken>) -> Request {
        let body = soap::envelope(self.dialect, &call.body(), token).into_bytes();
        let content_type = self.dialect.content_type(&call.action());
        let mut request = Request::post(at.endpoint(), at.target(), &content_type, body);
        if self.dialect == Dialect::Old {
            request.headers.push(("SOAPAction".to_owned(), format!("\"{}\"", call.action())));
        }
        Request { max_body: MAX_ANSWER, follow: false, signed: token.is_some(), ..request }
    }
}

fn negotiation(peer: &Peer, at: Endpoint) -> Negotiation {
    Negotiation::new(peer.logins.clone(), Protocol::Onvif, Encryption::unseen(at.tls)).with_tokens()
}
