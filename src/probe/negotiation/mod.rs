//! The negotiation of a login: which one answers a demand, when it may be sent, what an answer means for it, and when to
//! stop. One state machine for RTSP, HTTP and ONVIF; a protocol only says what its answers mean ([`Reply`]).
//!
//! The rules, for every protocol alike:
//! - A login is sent only where one was demanded, and only in a place of the device's limit ([`Logins`]).
//! - Digest before Basic. Where the device offered Digest, over whichever protocol and in whichever scan, or took logins by
//!   TLS alone, Basic goes only by TLS and to the certificate the device had, or where the user allows it for this login.
//! - A login that is not proved yet goes with one request at a time: the next request begins without it again.
//! - A login that is proved goes along on its connection. When it is refused because its nonce may have run out, it is sent
//!   once more in a place of its own; if that is refused too, both count.

mod authorization;
mod form;
mod refusal;
mod reply;

use std::sync::Arc;

use tokio::time::Instant;

use super::heard;
use super::logins::{Encryption, Grant, LoginTry, Logins, Verdict, Withheld};
use crate::model::{AuthScheme, Credential, Protocol};
use crate::wire::auth::login::Login;
use crate::wire::auth::{self, Challenge};
use form::{Current, Form};

pub use authorization::Authorization;
pub use reply::{Next, Pending, Reply};

/// The logins of one client.
#[derive(Debug)]
pub struct Negotiation {
    logins: Arc<Logins>,
    protocol: Protocol,
    encryption: Encryption,
    allowed: bool,
    takes_tokens: bool,
    current: Option<Current>,
    attempt: Option<LoginTry>,
    /// A proved login's refusal, of which it is not known yet whether only the nonce had run out.
    doubt: Option<LoginTry>,
    /// One that was renewed and then neither taken nor refused: it counts as refused unless the login is taken after all.
    unsettled: Option<LoginTry>,
    offered: Vec<Challenge>,
    /// Refused here, in this form or at all.
    refused_here: Vec<(Credential, bool)>,
    taken_here: bool,
    renewed: bool,
    refused: u32,
    unclear: u32,
    withheld: Option<Withheld>,
}

impl Negotiation {
    /// For a client that speaks `protocol` in `encryption`.
    pub fn new(logins: Arc<Logins>, protocol: Protocol, encryption: Encryption) -> Self {
        Negotiation {
            logins,
            protocol,
            encryption,
            allowed: true,
            takes_tokens: false,
            current: None,
            attempt: None,
            doubt: None,
            unsettled: None,
            offered: Vec::new(),
            refused_here: Vec::new(),
            taken_here: false,
            renewed: false,
            refused: 0,
            unclear: 0,
            withheld: None,
        }
    }

    /// The same; a demand without a challenge that can be answered is answered by a WS-Security token.
    pub fn with_tokens(mut self) -> Self {
        self.takes_tokens = true;
        self
    }

    /// No login is sent from now on.
    pub fn forbid(&mut self) {
        self.allowed = false;
    }

    /// Whether logins may be sent at all.
    pub fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// The challenges of the request under way; those of an earlier one when its login is sent unasked.
    pub fn offered(&self) -> &[Challenge] {
        &self.offered
    }

    /// Whether there is a login to send along.
    pub fn is_logged_in(&self) -> bool {
        self.current.is_some()
    }

    /// Whether the login under way had been taken over this protocol before.
    pub fn is_proved(&self) -> bool {
        self.attempt.as_ref().is_some_and(LoginTry::is_proved)
    }

    /// How many logins were refused for the request under way.
    pub fn refused(&self) -> u32 {
        self.refused
    }

    /// How many logins were answered unclearly for the request under way.
    pub fn unclear(&self) -> u32 {
        self.unclear
    }

    /// Why a login was left out for the request under way: its reader could have used the password as it is.
    pub fn withheld(&self) -> Option<Withheld> {
        self.withheld
    }

    /// A request for something new begins: without a login, until one is demanded.
    pub fn begin(&mut self) {
        self.begin_more();
        self.current = None;
        self.offered.clear();
    }

    /// A request begins about what the login has opened: it goes with the login, where that was taken.
    pub fn begin_more(&mut self) {
        self.settle(Verdict::Unanswered);
        (self.renewed, self.refused, self.unclear, self.withheld) = (false, 0, 0, None);
        self.current.take_if(|c| !c.taken);
        if self.current.is_none() {
            self.offered.clear();
        }
    }

    /// What is sent from now on goes in `encryption`.
    pub fn set_encryption(&mut self, encryption: Encryption) {
        self.encryption = encryption;
    }

    /// What is sent goes in.
    pub fn encryption(&self) -> &Encryption {
        &self.encryption
    }

    /// There is another connection: a nonce belongs to the one it came over. A challenge not answered yet is an exception,
    /// since some devices close the connection right after it.
    pub fn reconnected(&mut self) {
        let is_old =
            |c: &Current| c.sent && matches!(&c.form, Form::Header(l) if l.challenge().scheme == AuthScheme::Digest);
        if self.current.take_if(|c| is_old(c)).is_some() {
            self.settle(Verdict::Unsent);
        }
    }

    /// Takes a place for the login of the moment before a request is sent; true when the request goes with a login.
    pub fn prepare(&mut self) -> bool {
        if self.attempt.is_none()
            && let Some(current) = &self.current
            && let Grant::Now(attempt) = self.logins.grant(self.protocol, current.form.credential())
        {
            self.attempt = Some(attempt);
        }
        self.attempt.is_some()
    }

    /// The same, waiting for a place no longer than until `deadline`.
    pub async fn prepare_until(&mut self, deadline: Instant) {
        while self.attempt.is_none()
            && let Some(current) = &self.current
        {
            match self.logins.grant(self.protocol, current.form.credential()) {
                Grant::Now(attempt) => self.attempt = Some(attempt),
                Grant::Later if Instant::now() < deadline => self.logins.changed(deadline).await,
                Grant::Later | Grant::Never => return,
            }
        }
    }

    /// The value of `Authorization` for the request, when it goes with a login of that form. A fresh one each time: an answer
    /// used twice counts as a failed login on some cameras. None where the device must not read it any more.
    pub fn authorization(&mut self, method: &str, uri: &str, body: &[u8]) -> Option<Authorization> {
        let current = self.current.as_mut().filter(|_| self.attempt.is_some())?;
        let Form::Header(login) = &mut current.form else { return None };
        let is_readable = login.challenge().scheme == AuthScheme::Basic && !login.credential().allow_basic;
        if let Some(why) = self.logins.withheld(&self.encryption).filter(|_| is_readable) {
            (self.withheld, self.current) = (Some(why), None);
            self.settle(Verdict::Unsent);
            return None;
        }
        current.sent = true;
        let value = login.authorization(method, uri, body);
        heard::note_login(&value);
        Some(Authorization { value, is_readable })
    }

    /// The login to make a token of, when the request goes with one.
    pub fn token(&mut self) -> Option<Credential> {
        let current = self.current.as_mut().filter(|_| self.attempt.is_some())?;
        match &current.form {
            Form::Token(credential) => {
                current.sent = true;
                Some(credential.clone())
            }
            Form::Header(_) => None,
        }
    }

    /// The request got no answer; `sent` says whether it may have gone out.
    pub fn unanswered(&mut self, sent: bool) {
        self.settle(if sent { Verdict::Unanswered } else { Verdict::Unsent });
        self.current.take_if(|c| !c.taken);
    }

    /// The device closed the connection in place of an answer: that may have been how it refused the login.
    pub fn closed(&mut self) {
        self.settle(Verdict::Closed);
        self.current.take_if(|c| !c.taken);
    }

    /// Hands over the places of the request under way, for one whose answer is not awaited.
    pub fn take_pending(&mut self) -> Pending {
        Pending { attempt: self.attempt.take(), doubt: self.doubt.take() }
    }

    /// Takes them back when the answer has come after all.
    pub fn put_pending(&mut self, pending: Pending) {
        self.settle(Verdict::Unanswered);
        self.renewed = pending.doubt.is_some();
        (self.attempt, self.doubt, self.refused, self.unclear) = (pending.attempt, pending.doubt, 0, 0);
    }

    /// Takes an answer in. `credentials` are the user's for this device, in the order to try them.
    pub fn answered(&mut self, reply: Reply, credentials: &[Credential]) -> Next {
        let was_proved = self.is_proved();
        if self.repeated(&reply) {
            return Next::Again;
        }
        if self.unsettled.is_some() {
            // The next request asks anew which nonce is good, rather than having another login refused for its own.
            self.current = None;
        }
        // What a login that was taken does not open, another try with it does not open either.
        let stands = was_proved && !matches!(reply.verdict, Verdict::Refused | Verdict::Stale);
        match reply.demands && !stands {
            true => self.resume(credentials),
            false => Next::Done,
        }
    }

    /// Takes an answer in that no other login is to be tried for; true when the same one is to be sent again, renewed.
    pub fn repeated(&mut self, reply: &Reply) -> bool {
        if let Some(sign) = &reply.lock {
            self.logins.lock_out(sign.clone());
        }
        if reply.challenges.iter().any(|c| c.scheme == AuthScheme::Digest) {
            self.logins.note_digest();
        }
        if reply.demands {
            self.offered.clone_from(&reply.challenges);
        }
        let Some(attempt) = self.attempt.take() else { return false };
        match reply.verdict {
            Verdict::Refused | Verdict::Stale => self.refuse(attempt, reply),
            verdict => {
                self.conclude(attempt, verdict, reply.info.as_deref());
                false
            }
        }
    }

    /// Waits where another login decides; true when the request is to be sent again.
    pub async fn settled(&mut self, mut next: Next, credentials: &[Credential], deadline: Instant) -> bool {
        while next == Next::Wait && Instant::now() < deadline {
            self.logins.changed(deadline).await;
            next = self.resume(credentials);
        }
        next == Next::Again
    }

    /// Looks for a login to answer the demand with.
    pub fn resume(&mut self, credentials: &[Credential]) -> Next {
        let is_spent = self.taken_here && self.refused > 0;
        if !self.allowed || is_spent || self.logins.stopped().is_some() {
            return Next::Done;
        }
        for credential in credentials {
            if self.logins.was_refused(self.protocol, credential) {
                continue;
            }
            let Some(form) = self.form(credential) else { continue };
            if !self.logins.may_explore(credential) {
                continue;
            }
            match self.logins.grant(self.protocol, credential) {
                Grant::Now(attempt) => {
                    self.attempt = Some(attempt);
                    self.current = Some(Current { form, taken: false, sent: false });
                    return Next::Again;
                }
                Grant::Later => return Next::Wait,
                Grant::Never => {}
            }
        }
        Next::Done
    }

    /// How a login can answer the demand; none when it cannot, or was refused so.
    fn form(&mut self, credential: &Credential) -> Option<Form> {
        let tried = |token: bool| self.refused_here.iter().any(|(c, t)| c == credential && *t == token);
        let withheld = self.logins.withheld(&self.encryption).filter(|_| !credential.allow_basic);
        if let Some(challenge) = auth::choose_allowing(&self.offered, withheld.is_none()) {
            let login = Login::new(challenge.clone(), credential.clone(), fastrand::u64(..));
            return (!tried(false)).then(|| Form::Header(Box::new(login)));
        }
        if auth::choose_allowing(&self.offered, true).is_some() {
            self.withheld = withheld;
            return None;
        }
        // Who names schemes, and none that we know, wants something else.
        let may_be_token = self.offered.is_empty() || self.offered.iter().any(|c| c.scheme != AuthScheme::Other);
        (self.takes_tokens && may_be_token && !tried(true)).then(|| Form::Token(credential.clone()))
    }

    /// Any verdict but a refusal.
    fn conclude(&mut self, attempt: LoginTry, verdict: Verdict, info: Option<&[u8]>) {
        match verdict {
            Verdict::Taken => {
                self.doubt.take().into_iter().chain(self.unsettled.take()).for_each(|doubt| doubt.end(Verdict::Unsent));
            }
            _ => self.keep_doubt(),
        }
        self.unclear += u32::from(verdict == Verdict::Unclear && !attempt.is_proved());
        self.refused += u32::from(verdict == Verdict::Forbidden && !attempt.is_proved());
        attempt.end(verdict);
        match &mut self.current {
            Some(current) if verdict == Verdict::Taken => {
                (current.taken, self.taken_here) = (true, true);
                if let (Form::Header(login), Some(info)) = (&mut current.form, info) {
                    login.take_next_nonce(info);
                }
            }
            _ => drop(self.current.take_if(|c| !c.taken)),
        }
    }

    /// A renewed login was answered neither by success nor by a refusal: what the one before it met stays in doubt. It keeps
    /// its place; a second one counts.
    fn keep_doubt(&mut self) {
        let Some(doubt) = self.doubt.take() else { return };
        if let Some(before) = self.unsettled.replace(doubt) {
            self.refused += 1;
            before.end(Verdict::Refused);
        }
    }

    /// Gives back what is under way, without an answer.
    fn settle(&mut self, verdict: Verdict) {
        if let Some(doubt) = self.doubt.take() {
            doubt.end(Verdict::Refused);
        }
        if let Some(attempt) = self.attempt.take() {
            let is_unclear = matches!(verdict, Verdict::Unclear | Verdict::Unanswered | Verdict::Closed);
            self.unclear += u32::from(is_unclear && !attempt.is_proved());
            attempt.end(verdict);
        }
    }
}

impl Drop for Negotiation {
    fn drop(&mut self) {
        self.unsettled.take().into_iter().for_each(|doubt| doubt.end(Verdict::Refused));
    }
}

#[cfg(test)]
mod tests;
