//! Paths that hold a login: each request with one is a try of it, whatever is asked and how often.

use tokio::time::Instant;

use super::super::error::RtspError;
use super::super::sdp::Session;
use super::super::wire::{Request, Response};
use super::Client;
use super::describe::Walk;
use crate::model::{Credential, ErrorKind, Protocol, Step};
use crate::probe::{Encryption, Grant, LoginTry, Verdict};

impl Client {
    /// The same for paths that hold this login: each request with one counts as a try of it. What is asked for otherwise goes
    /// without a login, and each path on a connection of its own.
    pub fn with_login_in_path(mut self, credential: Credential) -> Self {
        self.path_login = Some(credential);
        self.walk = Walk::OneEach;
        self.without_login()
    }

    /// A place of the device's limit for a request whose path holds a login; none for others.
    pub(super) async fn place_of_path(&self, request: &Request) -> Result<Option<LoginTry>, RtspError> {
        let is_in_path = |_: &&Credential| crate::text::redact_url(&request.url) != request.url;
        let Some(credential) = self.path_login.as_ref().filter(is_in_path) else { return Ok(None) };
        let logins = &self.peer.logins;
        let deadline = self.peer.request_deadline();
        loop {
            match logins.grant(Protocol::Rtsp, credential) {
                // It may have turned out meanwhile which device it is.
                Grant::Now(attempt) if !credential.allow_in_path && logins.withheld(&Encryption::None).is_some() => {
                    attempt.end(Verdict::Unsent);
                    break;
                }
                Grant::Now(attempt) => return Ok(Some(attempt)),
                Grant::Later if Instant::now() < deadline => logins.changed(deadline).await,
                Grant::Later | Grant::Never => break,
            }
        }
        let why = logins.stopped().unwrap_or_else(|| "no login is sent".to_owned());
        Err(self.fail(request, Step::Described, ErrorKind::AuthRequired, &why))
    }
}

/// The verdict of an answer on the login in the path that was asked for. Devices that take logins there have no one answer to
/// a wrong one: before it is proved, any but a stream may be one.
pub(super) fn verdict(attempt: &LoginTry, request: &Request, response: &Response) -> Verdict {
    let has_stream = || {
        let session = Session::parse(&response.body);
        session.is_some_and(|session| session.video().or(session.sound_alone()).is_some())
    };
    match response.status {
        200..=299 if request.method == "DESCRIBE" && has_stream() => Verdict::Taken,
        200..=299 if request.method != "DESCRIBE" && attempt.is_proved() => Verdict::Taken,
        401 | 403 if attempt.is_proved() => Verdict::Refused,
        _ => Verdict::Unclear,
    }
}
