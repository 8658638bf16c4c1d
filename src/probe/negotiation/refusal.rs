//! What follows a refusal: the same login once more, renewed, where only its nonce or its time may have been too old; else it
//! counts.

use super::form::{Current, Form};
use super::{Negotiation, Reply};
use crate::model::AuthScheme;
use crate::probe::logins::{Grant, LoginTry, Verdict};
use crate::wire::auth;

impl Negotiation {
    /// A refusal; true when the login is sent again, renewed.
    pub(super) fn refuse(&mut self, attempt: LoginTry, reply: &Reply) -> bool {
        let renewed = self.renewal(&attempt, reply);
        if let Some(form) = renewed {
            self.renewed = true;
            let taken = self.current.as_ref().is_some_and(|c| c.taken);
            // The doubt keeps its place while the renewed login takes another.
            let (proved, credential) = (attempt.is_proved(), attempt.credential().clone());
            let mut attempt = Some(attempt);
            if !proved && let Some(attempt) = attempt.take() {
                self.refused += 1;
                attempt.end(Verdict::Stale);
            }
            if let Grant::Now(next) = self.logins.grant(self.protocol, &credential) {
                self.doubt = attempt;
                self.attempt = Some(next);
                self.current = Some(Current { form, taken, sent: false });
                return true;
            }
            if let Some(attempt) = attempt {
                self.count_refusal(attempt);
            }
            self.current = None;
            return false;
        }
        self.count_refusal(attempt);
        false
    }

    fn count_refusal(&mut self, attempt: LoginTry) {
        if let Some(doubt) = self.doubt.take() {
            self.refused += 1;
            doubt.end(Verdict::Refused);
        }
        self.refused += 1;
        let credential = attempt.credential().clone();
        let is_token = matches!(self.current.as_ref().map(|c| &c.form), Some(Form::Token(_)));
        // A token refused where a challenge is made may be good as the answer to that.
        let may_answer = is_token && auth::choose(&self.offered).is_some();
        attempt.end(if may_answer { Verdict::Stale } else { Verdict::Refused });
        if !self.taken_here {
            self.refused_here.push((credential, is_token));
            self.current = None;
        } else if self.logins.stopped().is_some() {
            self.current = None;
        }
    }

    /// The login of the moment made anew, when its refusal may mean no more than that its nonce or its time was too old: once
    /// for a request, for a login that was taken, or by the device's own word.
    fn renewal(&self, attempt: &LoginTry, reply: &Reply) -> Option<Form> {
        let current = self.current.as_ref().filter(|_| !self.renewed)?;
        match &current.form {
            Form::Token(credential) => (reply.verdict == Verdict::Stale).then(|| Form::Token(credential.clone())),
            Form::Header(login) => {
                let chosen = auth::choose(&reply.challenges).filter(|c| c.scheme == AuthScheme::Digest)?;
                let may = (current.taken && attempt.is_proved()) || chosen.is_stale();
                may.then(|| login.renewed(&reply.challenges, fastrand::u64(..)))
                    .flatten()
                    .map(|login| Form::Header(Box::new(login)))
            }
        }
    }
}
