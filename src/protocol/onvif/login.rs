//! Logs in to an ONVIF device by token or by HTTP Digest, within what the host's logins allow.

use super::client::{CallError, Client, Endpoint, Session, demands_login, failure};
use super::soap::Answer;
use super::wire::Call;
use crate::model::{Credential, ErrorKind, Protocol};
use crate::probe::LoginTry;
use crate::protocol::http::client::Response;
use crate::protocol::xml::Element;
use crate::wire::auth::lock::{LockSign, lock_sign};
use crate::wire::auth::login::Login;
use crate::wire::auth::{self, Challenge};

/// How a login went.
enum Outcome {
    /// It was taken, and this is the answer.
    Taken(Element),
    /// It was refused.
    Refused,
    /// It was neither.
    Undecided(CallError),
}

impl Client<'_> {
    /// Tries the credentials one after the other on the call that was refused with `refusal`.
    pub(super) async fn login(
        &mut self,
        endpoint: &Endpoint,
        call: Call<'_>,
        refusal: &Response,
    ) -> Result<Element, CallError> {
        let credentials = self.host.credentials();
        let mut why = match credentials.is_empty() {
            true => CallError::login(ErrorKind::AuthRequired, "a login is demanded"),
            false => CallError::login(ErrorKind::AuthRefused, "the login was refused"),
        };
        let mut challenge = http_challenge(refusal);
        for credential in credentials {
            if self.host.logins.was_refused(Protocol::Onvif, &credential) {
                continue;
            }
            if let Some(stopped) = self.host.logins.stopped() {
                why = CallError::login(ErrorKind::Locked, stopped);
                break;
            }
            match self.try_credential(endpoint, call, &credential, &mut challenge).await {
                Outcome::Taken(body) => {
                    self.host.say_logins().await;
                    return Ok(body);
                }
                Outcome::Refused => {}
                Outcome::Undecided(error) => {
                    self.host.say_logins().await;
                    return Err(error);
                }
            }
        }
        self.host.say_logins().await;
        if let Some(stopped) = self.host.logins.stopped() {
            why = CallError::login(ErrorKind::Locked, stopped);
        }
        self.session = Session::Closed(why.clone());
        Err(why)
    }

    /// By HTTP Digest where that was asked for; else by token, and by Digest when the token is answered with a challenge.
    async fn try_credential(
        &mut self,
        endpoint: &Endpoint,
        call: Call<'_>,
        credential: &Credential,
        challenge: &mut Option<Challenge>,
    ) -> Outcome {
        if challenge.is_none() {
            let mut session = Session::Wsse(credential.clone());
            let (outcome, answered) = self.try_session(endpoint, call, &mut session, credential).await;
            *challenge = answered;
            if !matches!(outcome, Outcome::Refused) || challenge.is_none() {
                return outcome;
            }
        }
        let Some(challenge) = challenge else { return Outcome::Refused };
        let mut session = Session::Http(Box::new(Login::new(challenge.clone(), credential.clone(), fastrand::u64(..))));
        self.try_session(endpoint, call, &mut session, credential).await.0
    }

    /// One login. Gives the HTTP challenge of a refusal, too.
    async fn try_session(
        &mut self,
        endpoint: &Endpoint,
        call: Call<'_>,
        session: &mut Session,
        credential: &Credential,
    ) -> (Outcome, Option<Challenge>) {
        let Some(attempt) = self.host.logins.begin() else { return (Outcome::Refused, None) };
        let mut outcome = self.transmit(endpoint, call, session).await;
        if let Ok((response, Answer::Fault(fault))) = &outcome
            && fault.is_about_the_clock()
            && self.reread_clock(response).await
        {
            outcome = self.transmit(endpoint, call, session).await;
        }
        let (response, answer) = match outcome {
            Ok(exchange) => exchange,
            Err(error) => {
                // A connection that never came about carried no login.
                if matches!(error.kind(), ErrorKind::Refused | ErrorKind::Unreachable | ErrorKind::Tls) {
                    attempt.undecided();
                }
                return (Outcome::Undecided(error), None);
            }
        };
        match answer {
            Answer::Body(body) => {
                attempt.accepted(credential);
                self.session = std::mem::replace(session, Session::Anonymous);
                (Outcome::Taken(body), None)
            }
            answer if demands_login(&response, &answer) => {
                self.note_refusal(Some((attempt, credential)), &response, &answer);
                self.note_demand(&response, &answer);
                (Outcome::Refused, http_challenge(&response))
            }
            answer => {
                self.heed_lock(&response);
                match &answer {
                    Answer::Fault(fault) if fault.is_about_the_action() => {
                        attempt.accepted(credential);
                        self.session = std::mem::replace(session, Session::Anonymous);
                    }
                    _ => attempt.undecided(),
                }
                match self.host.logins.stopped() {
                    Some(_) => (Outcome::Refused, None),
                    None => (Outcome::Undecided(failure(&response, answer)), None),
                }
            }
        }
    }

    /// Counts a refusal. One that is about the clock, or no word at all, says nothing of the password.
    /// Without an attempt it is the refusal of a login that had been taken before.
    pub(super) fn note_refusal(&self, attempt: Option<(LoginTry, &Credential)>, response: &Response, answer: &Answer) {
        let says_nothing = match answer {
            Answer::Fault(fault) => fault.is_about_the_clock(),
            Answer::Empty => response.status == 200,
            _ => false,
        };
        match attempt {
            Some((attempt, _)) if says_nothing => attempt.undecided(),
            Some((attempt, credential)) => {
                attempt.refused();
                self.host.logins.note_refused(Protocol::Onvif, credential);
            }
            None if says_nothing => {}
            None => self.host.logins.refused_after_all(),
        }
        self.heed_lock(response);
    }

    /// Takes note when an answer says that the device is locked, or about to be.
    pub(super) fn heed_lock(&self, response: &Response) {
        if let Some(sign) = lock_sign(&response.body).filter(LockSign::says_stop) {
            self.host.logins.lock_out(sign.sentence());
        }
    }
}

/// The challenge to answer over HTTP, when the status demands it.
fn http_challenge(response: &Response) -> Option<Challenge> {
    let challenges = auth::challenges(&response.challenges);
    auth::choose(&challenges).filter(|_| response.status == 401).cloned()
}
