//! A login under way, and what becomes of it.

use std::sync::Arc;

use super::{Logins, Verdict};
use crate::model::login_place::{Outcome, PlaceId};
use crate::model::{Credential, Protocol};

/// A login under way. Dropped without a verdict it counts as [`Verdict::Unclear`]: an answer that never came may have been
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
        let (before, mut doubted_before) = (state.counted(), false);
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
                if !state.is_proved(self.protocol, &self.credential) {
                    state.proved.push((self.protocol, self.credential.clone()));
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
                    state.refused_by.push((self.protocol, self.credential.clone()));
                }
            }
            Verdict::Forbidden if !self.proved => {
                state.refused = state.refused.saturating_add(1);
                state.refused_by.push((self.protocol, self.credential.clone()));
            }
            Verdict::Stale => state.refused = state.refused.saturating_add(1),
            Verdict::Unclear | Verdict::Closed if !self.proved => state.unclear = state.unclear.saturating_add(1),
            Verdict::Closed if state.doubted.contains(&self.credential) => {
                doubted_before = true;
                state.unclear = state.unclear.saturating_add(2);
                // Each time that it is sent from now on counts.
                state.doubted.retain(|c| *c != self.credential);
                state.proved.retain(|(_, c)| *c != self.credential);
                state.failed_later.push(self.credential.clone());
            }
            Verdict::Closed => state.doubted.push(self.credential.clone()),
            Verdict::LookedAt | Verdict::Forbidden | Verdict::Unclear | Verdict::Unsent => {}
        }
        let outcome = match verdict {
            _ if state.counted() > before => Outcome::Refused,
            Verdict::Taken => Outcome::Works,
            _ => Outcome::Unused,
        };
        drop(guard);
        self.logins.settle(self.place, outcome);
        if doubted_before {
            // The first time stands in the book too.
            self.logins.settle(None, Outcome::Refused);
        }
        self.logins.changed.notify_waiters();
    }
}

impl Drop for LoginTry {
    fn drop(&mut self) {
        self.conclude(Verdict::Unclear);
    }
}
