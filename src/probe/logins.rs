//! How many logins a device may refuse.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Credential, LoginAttempts, Protocol};

/// The logins one device may refuse before nothing more is tried, over RTSP, HTTP and ONVIF together: cameras count
/// them together too, and lock out (QUIRKS: lock-outs).
#[derive(Debug)]
pub struct Logins {
    limit: u32,
    state: Mutex<LoginState>,
}

#[derive(Debug, Default)]
struct LoginState {
    tried: bool,
    refused: u32,
    under_way: u32,
    locked: Option<String>,
    worked: Option<Credential>,
    refused_by: Vec<(Protocol, Credential)>,
}

impl Logins {
    /// At most `limit` refusals.
    pub fn new(limit: u32) -> Arc<Self> {
        Arc::new(Logins { limit, state: Mutex::default() })
    }

    /// Asks to try a login now. None when one more refusal would pass the limit, or the device says it is locked.
    /// A login that worked before is always granted while the device is not locked and the limit is not reached.
    pub fn begin(self: &Arc<Self>) -> Option<LoginTry> {
        let mut state = self.lock();
        if state.locked.is_some() || state.refused + state.under_way >= self.limit {
            return None;
        }
        state.tried = true;
        state.under_way += 1;
        Some(LoginTry { logins: self.clone(), open: true })
    }

    /// Whether a login that the device has taken may be sent once more: a device that refuses it now counts that, too.
    pub fn may_repeat(&self) -> bool {
        let state = self.lock();
        state.locked.is_none() && state.refused + state.under_way < self.limit
    }

    /// Counts the refusal of a login that the device had taken before.
    pub fn refused_after_all(&self) {
        let mut state = self.lock();
        state.tried = true;
        state.refused = state.refused.saturating_add(1);
    }

    /// Notes that the device says it is locked; `why` is cleaned text. Nothing more is tried.
    pub fn lock_out(&self, why: impl Into<String>) {
        let mut state = self.lock();
        state.locked.get_or_insert(why.into());
    }

    /// Whether the device says that it is locked.
    pub fn is_locked(&self) -> bool {
        self.lock().locked.is_some()
    }

    /// Why nothing more is tried, if so.
    pub fn stopped(&self) -> Option<String> {
        let state = self.lock();
        match &state.locked {
            Some(why) => Some(why.clone()),
            None if state.refused >= self.limit => {
                Some(format!("{} of {} refused logins used", state.refused, self.limit))
            }
            None => None,
        }
    }

    /// The login that worked last.
    pub fn worked(&self) -> Option<Credential> {
        self.lock().worked.clone()
    }

    /// Notes that a login was refused over a protocol, so that it is not tried there again. Cameras may have other users
    /// for other protocols.
    pub fn note_refused(&self, protocol: Protocol, credential: &Credential) {
        if !self.was_refused(protocol, credential) {
            self.lock().refused_by.push((protocol, credential.clone()));
        }
    }

    /// Whether a login was refused over a protocol.
    pub fn was_refused(&self, protocol: Protocol, credential: &Credential) -> bool {
        self.lock().refused_by.iter().any(|(p, c)| *p == protocol && c == credential)
    }

    /// What goes into the report; none when no login was tried.
    pub fn attempts(&self) -> Option<LoginAttempts> {
        let state = self.lock();
        state.tried.then_some(LoginAttempts { refused: state.refused, limit: self.limit })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LoginState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One login under way. Dropped without a word, it counts as refused: an answer that never came may have been one.
#[derive(Debug)]
pub struct LoginTry {
    logins: Arc<Logins>,
    open: bool,
}

impl LoginTry {
    /// The device took it.
    pub fn accepted(mut self, credential: &Credential) {
        self.open = false;
        let mut state = self.logins.lock();
        state.under_way = state.under_way.saturating_sub(1);
        state.worked = Some(credential.clone());
    }

    /// The device refused it.
    pub fn refused(self) {}

    /// The request was never sent, or the device answered something that says nothing about the login.
    pub fn undecided(mut self) {
        self.open = false;
        let mut state = self.logins.lock();
        state.under_way = state.under_way.saturating_sub(1);
    }
}

impl Drop for LoginTry {
    fn drop(&mut self) {
        if self.open {
            let mut state = self.logins.lock();
            state.under_way = state.under_way.saturating_sub(1);
            state.refused = state.refused.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_locked_device_is_left_alone() {
        let logins = Logins::new(5);
        logins.lock_out("locked for 30 minutes");
        assert!(logins.begin().is_none());
        assert_eq!(logins.attempts(), None);
        assert_eq!(logins.stopped().as_deref(), Some("locked for 30 minutes"));
    }

    proptest! {
        /// Whatever order answers come in, over however many protocols at once, refusals never pass the limit.
        #[test]
        fn refusals_never_pass_the_limit(limit in 0u32..4, steps in prop::collection::vec(0u8..5, 0..64)) {
            let logins = Logins::new(limit);
            let mut open = Vec::new();
            let mut refused = 0;
            for step in steps {
                match step {
                    4 if logins.may_repeat() => { logins.refused_after_all(); refused += 1 },
                    0 => open.extend(logins.begin()),
                    1 => if let Some(t) = open.pop() { t.refused(); refused += 1 },
                    2 => if let Some(t) = open.pop() { t.accepted(&Credential::new("u", "p")) },
                    _ => if !open.is_empty() { drop(open.remove(0)); refused += 1 },
                }
                prop_assert!(refused + open.len() as u32 <= limit);
                prop_assert_eq!(logins.attempts().map_or(0, |a| a.refused), refused);
            }
        }
    }
}
