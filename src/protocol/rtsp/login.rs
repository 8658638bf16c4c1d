//! The logins of one client: which to try, when to stop, and what became of them. Never more than
//! [`crate::probe::Logins`] grants.

use std::time::Duration;

use tokio::time::Instant;

use super::wire::Response;
use crate::model::{AuthScheme, ErrorKind, Protocol};
use crate::probe::{HostContext, LoginTry};
use crate::wire::auth::lock::{LockSign, lock_sign};
use crate::wire::auth::login::Login;
use crate::wire::auth::{self, Challenge};

/// How often to ask whether other protocols' logins under way have been decided.
const PATIENCE: Duration = Duration::from_millis(50);

pub(super) struct Logging {
    host: HostContext,
    allowed: bool,
    login: Option<Login>,
    /// The device has taken this login for some request.
    proved: bool,
    attempt: Option<LoginTry>,
    /// What was demanded for this request.
    offered: Vec<Challenge>,
    demanded: bool,
    renewed: bool,
    refused_now: u32,
}

impl Logging {
    pub fn new(host: HostContext) -> Self {
        Logging {
            host,
            allowed: true,
            login: None,
            proved: false,
            attempt: None,
            offered: Vec::new(),
            demanded: false,
            renewed: false,
            refused_now: 0,
        }
    }

    pub fn forbid(&mut self) {
        self.allowed = false;
    }

    /// The challenges of the request under way; those of an earlier one when its login is sent unasked.
    pub fn offered(&self) -> &[Challenge] {
        &self.offered
    }

    pub fn is_logged_in(&self) -> bool {
        self.login.is_some()
    }

    pub fn begin_request(&mut self) {
        (self.renewed, self.demanded, self.refused_now) = (false, false, 0);
        if self.login.is_none() {
            self.offered.clear();
        }
    }

    /// The `Authorization` for a request, when there is a login to send.
    pub fn authorization(&mut self, method: &str, url: &str, body: &[u8]) -> Option<Vec<u8>> {
        // One that the device has taken goes on being sent, for as long as its refusal would not be one too many.
        if self.attempt.is_none() && !(self.proved && self.host.logins.may_repeat()) {
            (self.login, self.proved) = (None, false);
            return None;
        }
        self.login.as_mut().map(|login| login.authorization(method, url, body))
    }

    /// Whether a request may be sent again, when the connection was closed in place of an answer: that may have been how
    /// a login not taken before was refused, so it counts, and the next time is another attempt.
    pub fn may_resend(&mut self) -> bool {
        let Some(attempt) = self.attempt.take() else { return true };
        attempt.refused();
        self.attempt = self.host.logins.begin();
        if self.attempt.is_none() {
            self.login = None;
        }
        self.attempt.is_some()
    }

    /// The request got no answer; `sent` says whether it went out.
    pub async fn unanswered(&mut self, sent: bool) {
        if let Some(attempt) = self.attempt.take() {
            if sent {
                attempt.refused()
            } else {
                attempt.undecided()
            }
            self.login = None;
            self.host.say_logins().await;
        }
    }

    /// Takes note of an answer; true when the request is to be sent again, with another login.
    pub async fn answered(&mut self, response: &Response, server: Option<&str>, deadline: Instant) -> bool {
        if matches!(response.status, 423 | 429) {
            self.host.logins.lock_out(format!("the device says {} {}", response.status, response.reason));
        }
        if response.status != 401 {
            if let (Some(login), Some(info)) = (&mut self.login, response.headers.all("Authentication-Info").next()) {
                login.take_next_nonce(info);
            }
            self.decide(response).await;
            return false;
        }
        self.demanded = true;
        self.offered = auth::challenges(response.headers.all("WWW-Authenticate"));
        if let Some(renewed) = self.renewal() {
            self.login = Some(renewed);
            self.renewed = true;
            return true;
        }
        self.refuse(response).await;
        self.next_login(server, deadline).await
    }

    /// A refusal that only asks for a newer nonce: once for a request, and for a login not yet taken only when the device
    /// says so itself.
    pub fn renewal(&self) -> Option<Login> {
        let login = self.login.as_ref().filter(|_| !self.renewed)?;
        let chosen = auth::choose(&self.offered)?;
        (self.proved || chosen.is_stale()).then(|| login.renewed(&self.offered, fastrand::u64(..))).flatten()
    }

    /// Renews the login for a sign of life or a TEARDOWN that was refused; counts a refusal that asks for nothing newer.
    pub fn renew(&mut self, response: &Response) -> bool {
        self.offered = auth::challenges(response.headers.all("WWW-Authenticate"));
        let renewal = self.renewal();
        let is_new = renewal.is_some();
        if !is_new && self.login.is_some() {
            self.host.logins.refused_after_all();
        }
        self.login = renewal.or_else(|| self.login.take());
        is_new
    }

    /// Any answer but 401: what it says about a login under way.
    async fn decide(&mut self, response: &Response) {
        let Some(attempt) = self.attempt.take() else { return };
        let Some(login) = &self.login else { return attempt.undecided() };
        match response.status {
            200..=399 | 404 | 406 | 410 | 451 | 454..=461 => {
                attempt.accepted(login.credential());
                self.proved = true;
            }
            403 => {
                self.attempt = Some(attempt);
                self.refuse(response).await;
            }
            // It says nothing about the login; the next answer will.
            _ => {
                attempt.undecided();
                self.login = None;
            }
        }
        self.host.say_logins().await;
    }

    async fn refuse(&mut self, response: &Response) {
        let sign = lock_sign(&response.body).or_else(|| lock_sign(response.reason.as_bytes()));
        if let Some(sign) = sign.filter(LockSign::says_stop) {
            self.host.logins.lock_out(sign.sentence());
        }
        let Some(login) = &self.login else { return };
        self.refused_now += 1;
        match self.attempt.take() {
            Some(attempt) => attempt.refused(),
            // One that worked before: the device counts its refusal like any other.
            None => self.host.logins.refused_after_all(),
        }
        if self.proved && self.host.logins.stopped().is_none() {
            // It may still be good for other paths.
            self.host.say_logins().await;
            return;
        }
        self.host.logins.note_refused(Protocol::Rtsp, login.credential());
        (self.login, self.proved) = (None, false);
        self.host.say_logins().await;
    }

    /// Takes the next credential up, when there is one and the device may be asked.
    async fn next_login(&mut self, server: Option<&str>, deadline: Instant) -> bool {
        if !self.allowed || self.proved {
            return false;
        }
        let Some(challenge) = auth::choose(&self.offered).filter(|c| !is_no_camera(c, server)).cloned() else {
            return false;
        };
        let logins = &self.host.logins;
        let mut credentials = self.host.credentials().into_iter();
        let Some(credential) = credentials.find(|c| !logins.was_refused(Protocol::Rtsp, c)) else { return false };
        loop {
            if let Some(attempt) = logins.begin() {
                self.attempt = Some(attempt);
                self.login = Some(Login::new(challenge, credential, fastrand::u64(..)));
                return true;
            }
            // Other protocols' logins are under way: they may yet be accepted.
            if logins.stopped().is_some() || Instant::now() >= deadline || self.host.is_over() {
                return false;
            }
            tokio::time::sleep(PATIENCE).await;
        }
    }

    /// Why a 401 or 403 was the last word.
    pub fn why_refused(&self, status: u16) -> Option<(ErrorKind, String)> {
        if self.refused_now > 0 {
            let counted = if self.refused_now == 1 { "the login was" } else { "the logins were" };
            let also = self.host.logins.stopped().map_or(String::new(), |why| format!("; {why}"));
            return Some((ErrorKind::AuthRefused, format!("{counted} refused{also}")));
        }
        if status != 401 {
            return None;
        }
        if let Some(why) = self.host.logins.stopped().filter(|_| self.allowed && !self.host.credentials().is_empty()) {
            return Some((ErrorKind::Locked, format!("no login was tried, {why}")));
        }
        let schemes: Vec<&str> = auth::schemes(&self.offered).into_iter().map(AuthScheme::as_str).collect();
        let sentence = match auth::choose(&self.offered) {
            None if schemes == ["unknown"] => "a login is demanded without saying how".to_owned(),
            None => format!("a login is demanded in a way not known ({})", schemes.join(", ")),
            Some(challenge) => {
                let realm = challenge.realm().map_or(String::new(), |r| format!(", realm \"{r}\""));
                format!("a login is demanded ({}{realm})", schemes.join(", "))
            }
        };
        let known = self.host.credentials();
        let all_refused = !known.is_empty() && known.iter().all(|c| self.host.logins.was_refused(Protocol::Rtsp, c));
        Some((if all_refused { ErrorKind::AuthRefused } else { ErrorKind::AuthRequired }, sentence))
    }
}

/// Loudspeakers that speak RTSP ask for passwords, too: those of their owners' phones.
fn is_no_camera(challenge: &Challenge, server: Option<&str>) -> bool {
    let realm = challenge.realm().unwrap_or_default();
    ["airplay", "raop"].iter().any(|r| realm.eq_ignore_ascii_case(r))
        || server.is_some_and(|s| s.starts_with("AirTunes"))
}
