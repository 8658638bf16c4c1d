//! A login under way, and what becomes of it.

use std::sync::Arc;

use super::{Logins, State, Verdict};
use crate::model::Credential;
use crate::model::login_place::{Outcome, PlaceId, SentLogin};

/// A login under way. Dropped without a verdict it counts as [`Verdict::Unanswered`]: an answer that never came may have been
/// a refusal.
#[derive(Debug)]
pub struct LoginTry {
    pub(super) logins: Arc<Logins>,
    pub(super) login: SentLogin,
    pub(super) proved: bool,
    /// Where it stands in the book.
    pub(super) place: Option<PlaceId>,
    pub(super) open: bool,
}

impl LoginTry {
    /// The login.
    pub fn credential(&self) -> &Credential {
        &self.login.credential
    }

    /// Whether the login had been taken over this protocol before it was sent.
    pub fn is_proved(&self) -> bool {
        self.proved
    }

    /// Gives the place back by what the answer says.
    pub fn end(mut self, verdict: Verdict) {
        self.conclude(verdict);
    }

    fn conclude(&mut self, verdict: Verdict) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let mut state = self.logins.lock();
        state.leave(self.proved);
        let is_proof = verdict == Verdict::Taken && !state.is_proved(self.login.protocol, &self.login.credential);
        let counted = state.judge(&self.login, self.proved, verdict);
        drop(state);
        let outcome = match verdict {
            _ if counted > 0 => Outcome::Refused,
            Verdict::Taken => Outcome::Works,
            _ => Outcome::Unused,
        };
        let unanswered = matches!(verdict, Verdict::Unanswered | Verdict::Closed).then_some(&self.login);
        self.logins.settle(self.place, outcome, unanswered);
        // An earlier one that counts from now on stands in the book too.
        for _ in 1..counted {
            self.logins.settle(None, Outcome::Refused, unanswered);
        }
        if is_proof {
            self.logins.note_taken(self.login.clone());
        }
        self.logins.changed.notify_waiters();
    }
}

impl State {
    /// A login is under way no more.
    fn leave(&mut self, proved: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some((_, count)) = self.trying.as_mut().filter(|_| !proved) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.trying = None;
            }
        }
    }

    /// Takes in what was answered to a login, which was `proved` when it was sent: how many logins count from now on that did
    /// not before.
    fn judge(&mut self, login: &SentLogin, proved: bool, verdict: Verdict) -> u32 {
        let credential = &login.credential;
        match verdict {
            Verdict::Taken => self.take(login),
            Verdict::LookedAt if !proved => {
                self.looked_at.get_or_insert_with(|| credential.clone());
            }
            Verdict::Refused => {
                match proved {
                    true => self.failed_later.push(credential.clone()),
                    false => self.refused_by.push(login.clone()),
                }
                return self.refuse();
            }
            Verdict::Forbidden if !proved => {
                self.refused_by.push(login.clone());
                return self.refuse();
            }
            Verdict::Stale => return self.refuse(),
            Verdict::Unclear if !proved => return self.doubt(1),
            Verdict::Unanswered | Verdict::Closed if !proved => {
                self.unanswered.push(login.clone());
                return self.doubt(1);
            }
            Verdict::Closed if self.doubted.contains(credential) => {
                // Each time that it is sent from now on counts.
                self.doubted.retain(|c| c != credential);
                self.proved.retain(|one| one.credential != *credential);
                self.failed_later.push(credential.clone());
                return self.doubt(2);
            }
            Verdict::Closed => self.doubted.push(credential.clone()),
            Verdict::LookedAt | Verdict::Forbidden | Verdict::Unclear | Verdict::Unanswered | Verdict::Unsent => {}
        }
        0
    }

    fn take(&mut self, login: &SentLogin) {
        self.clear(login);
        if !self.is_proved(login.protocol, &login.credential) {
            self.proved.push(login.clone());
        }
        self.looked_at.take_if(|c| *c == login.credential);
        self.doubted.retain(|c| *c != login.credential);
        self.worked = Some(login.credential.clone());
    }

    /// The device took a login: what it did not answer to the same one counts no more, where it worked before this scan.
    fn clear(&mut self, login: &SentLogin) {
        if self.worked_before.as_ref() == Some(&login.credential) {
            let before = self.unanswered.len();
            self.unanswered.retain(|one| one != login);
            let cleared = u32::try_from(before - self.unanswered.len()).unwrap_or(u32::MAX);
            self.unclear = self.unclear.saturating_sub(cleared);
        }
    }

    fn refuse(&mut self) -> u32 {
        self.refused = self.refused.saturating_add(1);
        1
    }

    fn doubt(&mut self, times: u32) -> u32 {
        self.unclear = self.unclear.saturating_add(times);
        times
    }
}

impl Drop for LoginTry {
    fn drop(&mut self) {
        self.conclude(Verdict::Unanswered);
    }
}
