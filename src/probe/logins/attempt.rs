//! A login under way, and what becomes of it.

use std::sync::Arc;

use super::{Logins, Verdict};
use crate::model::login_place::{Outcome, PlaceId, SentLogin};
use crate::model::{Credential, Protocol};

/// A login under way. Dropped without a verdict it counts as [`Verdict::Unanswered`]: an answer that never came may have been
/// a refusal.
#[derive(Debug)]
pub struct LoginTry {
    pub(super) logins: Arc<Logins>,
    pub(super) protocol: Protocol,
    pub(super) credential: Credential,
    pub(super) proved: bool,
    /// Where it stands in the book.
    pub(super) place: Option<PlaceId>,
    pub(super) open: bool,
}

impl LoginTry {
    /// The login.
    pub fn credential(&self) -> &Credential {
        &self.credential
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
        let mut guard = self.logins.lock();
        let state = &mut *guard;
        let (before, mut doubted_before, mut is_proof) = (state.counted(), false, false);
        let login = SentLogin { protocol: self.protocol, credential: self.credential.clone() };
        state.under_way = state.under_way.saturating_sub(1);
        if !self.proved
            && let Some((_, count)) = &mut state.trying
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.trying = None;
            }
        }
        match verdict {
            Verdict::Taken => {
                state.clear(&login);
                is_proof = !state.is_proved(self.protocol, &self.credential);
                if is_proof {
                    state.proved.push(login.clone());
                }
                state.looked_at.take_if(|c| *c == self.credential);
                state.doubted.retain(|c| *c != self.credential);
                state.worked = Some(self.credential.clone());
            }
            Verdict::LookedAt if !self.proved => {
                state.looked_at.get_or_insert_with(|| self.credential.clone());
            }
            Verdict::Refused => {
                state.refused = state.refused.saturating_add(1);
                if self.proved {
                    state.failed_later.push(self.credential.clone());
                } else {
                    state.refused_by.push(login.clone());
                }
            }
            Verdict::Forbidden if !self.proved => {
                state.refused = state.refused.saturating_add(1);
                state.refused_by.push(login.clone());
            }
            Verdict::Stale => state.refused = state.refused.saturating_add(1),
            Verdict::Unclear if !self.proved => state.unclear = state.unclear.saturating_add(1),
            Verdict::Unanswered | Verdict::Closed if !self.proved => {
                state.unclear = state.unclear.saturating_add(1);
                state.unanswered.push(login.clone());
            }
            Verdict::Closed if state.doubted.contains(&self.credential) => {
                doubted_before = true;
                state.unclear = state.unclear.saturating_add(2);
                // Each time that it is sent from now on counts.
                state.doubted.retain(|c| *c != self.credential);
                state.proved.retain(|one| one.credential != self.credential);
                state.failed_later.push(self.credential.clone());
            }
            Verdict::Closed => state.doubted.push(self.credential.clone()),
            Verdict::LookedAt | Verdict::Forbidden | Verdict::Unclear | Verdict::Unanswered | Verdict::Unsent => {}
        }
        let outcome = match verdict {
            _ if state.counted() > before => Outcome::Refused,
            Verdict::Taken => Outcome::Works,
            _ => Outcome::Unused,
        };
        drop(guard);
        let unanswered = matches!(verdict, Verdict::Unanswered | Verdict::Closed).then_some(&login);
        self.logins.settle(self.place, outcome, unanswered);
        if doubted_before {
            // The first time stands in the book too.
            self.logins.settle(None, Outcome::Refused, unanswered);
        }
        if is_proof {
            self.logins.note_taken(login);
        }
        self.logins.changed.notify_waiters();
    }
}

impl Drop for LoginTry {
    fn drop(&mut self) {
        self.conclude(Verdict::Unanswered);
    }
}
