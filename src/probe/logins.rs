//! How many logins a device may refuse: one account per device, shared by every protocol and port.
//!
//! Cameras lock accounts and addresses after a few failed logins, and count them over RTSP, HTTP and ONVIF together. So
//! every request that carries a login takes a place of the device's limit before it is sent, and gives it back by the
//! verdict of the answer. Nothing is sent without a place, so whatever a device answers, and however many requests are
//! under way at once, it sees no more refusals than the limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::model::{Credential, LoginAttempts, Protocol};

/// Why no login is tried on a device that refused them before.
const AT_REST: &str =
    "no login is tried: the device refused one in an earlier scan (`camscan devices login retry` allows it again)";

/// What an answer says of the login that its request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Success: the login is proved for this protocol.
    Taken,
    /// The login was looked at, but there is nothing at this address (404, 454 to 461, where the same request without a
    /// login drew 401). No refusal; but from now on no other login is tried on the device until this one is proved.
    LookedAt,
    /// The login is wrong.
    Refused,
    /// The login may not see this (403). A refusal, unless the login is proved.
    Forbidden,
    /// Only the nonce or the clock was wrong, by the device's own word. Counts like a refusal, but the login may be tried
    /// again.
    Stale,
    /// Neither success nor refusal, or no answer at all. Counts like a refusal, unless the login is proved.
    Unclear,
    /// The request never left this machine, or turned out not to be about the login.
    Unsent,
}

/// The logins of one device.
#[derive(Debug)]
pub struct Logins {
    limit: u32,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Meant for this device, in the order to try them.
    offered: Vec<Credential>,
    tried: bool,
    refused: u32,
    unclear: u32,
    under_way: u32,
    /// The login that is under way and not proved, and how often. There is one at a time, so that an answer to one decides
    /// whether another is sent.
    trying: Option<(Credential, u32)>,
    locked: Option<String>,
    /// Earlier scans used up the limit.
    rests: bool,
    worked: Option<Credential>,
    proved: Vec<(Protocol, Credential)>,
    refused_by: Vec<(Protocol, Credential)>,
    /// Logins that were proved and refused afterwards.
    failed_later: Vec<Credential>,
    looked_at: Option<Credential>,
    offers_digest: bool,
}

impl State {
    fn counted(&self) -> u32 {
        self.refused.saturating_add(self.unclear)
    }

    fn is_proved(&self, protocol: Protocol, credential: &Credential) -> bool {
        self.proved.iter().any(|(p, c)| *p == protocol && c == credential)
    }
}

/// Whether a login may be sent.
#[derive(Debug)]
pub enum Grant {
    /// Now, in this place.
    Now(LoginTry),
    /// Perhaps later: the answers to logins under way decide ([`Logins::changed`]).
    Later,
    /// Not in this run.
    Never,
}

impl Logins {
    /// At most `limit` refused or unclear logins.
    pub fn new(limit: u32) -> Arc<Self> {
        Arc::new(Logins { limit, state: Mutex::default(), changed: Notify::new() })
    }

    /// None at all: earlier scans used up what this device may refuse.
    pub fn at_rest() -> Arc<Self> {
        let logins = Logins::new(0);
        logins.lock().rests = true;
        logins
    }

    /// From now on, these are the logins meant for this device, in the order to try them.
    pub fn offer(&self, credentials: Vec<Credential>) {
        self.lock().offered = credentials;
    }

    /// The logins meant for this device, the one that worked before first.
    pub fn credentials(&self) -> Vec<Credential> {
        let state = self.lock();
        let mut credentials = state.offered.clone();
        if let Some(worked) = &state.worked
            && let Some(at) = credentials.iter().position(|c| c == worked)
        {
            credentials.rotate_left(at);
        }
        credentials
    }

    /// Asks for a place to send a login in.
    pub fn grant(self: &Arc<Self>, protocol: Protocol, credential: &Credential) -> Grant {
        let mut state = self.lock();
        let others = state.looked_at.as_ref().is_some_and(|c| c != credential);
        if state.locked.is_some() || others || state.counted() >= self.limit {
            return Grant::Never;
        }
        let proved = state.is_proved(protocol, credential);
        let is_alone = proved || state.trying.as_ref().is_none_or(|(c, _)| c == credential);
        if !is_alone || state.counted().saturating_add(state.under_way) >= self.limit {
            return Grant::Later;
        }
        state.tried = true;
        state.under_way += 1;
        if !proved {
            state.trying.get_or_insert_with(|| (credential.clone(), 0)).1 += 1;
        }
        let credential = credential.clone();
        Grant::Now(LoginTry { logins: self.clone(), protocol, credential, proved, open: true })
    }

    /// Waits until a login under way was decided; no longer than until `deadline`.
    pub async fn changed(&self, deadline: Instant) {
        let changed = self.changed.notified();
        // What was decided between the question and the wait is not missed for long.
        let soon = Instant::now() + std::time::Duration::from_millis(50);
        let _ = timeout_at(deadline.min(soon), changed).await;
    }

    /// Whether a login has been taken over a protocol.
    pub fn is_proved(&self, protocol: Protocol, credential: &Credential) -> bool {
        self.lock().is_proved(protocol, credential)
    }

    /// Whether a login may be tried at further addresses. One that worked and was refused elsewhere later keeps the last
    /// place of the limit for what it has opened.
    pub fn may_explore(&self, credential: &Credential) -> bool {
        let state = self.lock();
        !state.failed_later.contains(credential) || state.counted().saturating_add(1) < self.limit
    }

    /// Notes that the device says it is locked; `why` is cleaned text. Nothing more is tried.
    pub fn lock_out(&self, why: impl Into<String>) {
        self.lock().locked.get_or_insert(why.into());
        self.changed.notify_waiters();
    }

    /// Whether the device says that it is locked.
    pub fn is_locked(&self) -> bool {
        self.lock().locked.is_some()
    }

    /// Why nothing more is tried, if so.
    pub fn stopped(&self) -> Option<String> {
        let state = self.lock();
        if let Some(why) = &state.locked {
            return Some(why.clone());
        }
        if state.rests {
            return Some(AT_REST.to_owned());
        }
        (state.counted() >= self.limit).then(|| match state.unclear {
            0 => format!("{} of {} refused logins used", state.refused, self.limit),
            unclear => {
                format!(
                    "{} of {} refused logins used, {unclear} of them answered unclearly",
                    state.counted(),
                    self.limit
                )
            }
        })
    }

    /// The login that worked last.
    pub fn worked(&self) -> Option<Credential> {
        self.lock().worked.clone()
    }

    /// Whether a login was refused over a protocol; it is not tried there again. Cameras may have other users for other
    /// protocols.
    pub fn was_refused(&self, protocol: Protocol, credential: &Credential) -> bool {
        self.lock().refused_by.iter().any(|(p, c)| *p == protocol && c == credential)
    }

    /// Whether another login than this is on hold, because the device looked at one and never said yes or no.
    pub fn is_held_back(&self, credential: &Credential) -> bool {
        self.lock().looked_at.as_ref().is_some_and(|c| c != credential)
    }

    /// Notes that the device offers Digest: from now on it gets no password in plain text.
    pub fn note_digest(&self) {
        self.lock().offers_digest = true;
    }

    /// Whether the device offered Digest, over whichever protocol.
    pub fn offers_digest(&self) -> bool {
        self.lock().offers_digest
    }

    /// What goes into the report; none when no login was tried.
    pub fn attempts(&self) -> Option<LoginAttempts> {
        let state = self.lock();
        state.tried.then_some(LoginAttempts { refused: state.refused, unclear: state.unclear, limit: self.limit })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A login under way. Dropped without a verdict it counts as [`Verdict::Unclear`]: an answer that never came may have been
/// a refusal.
#[derive(Debug)]
pub struct LoginTry {
    logins: Arc<Logins>,
    protocol: Protocol,
    credential: Credential,
    proved: bool,
    open: bool,
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
            Verdict::Unclear if !self.proved => state.unclear = state.unclear.saturating_add(1),
            Verdict::LookedAt | Verdict::Forbidden | Verdict::Unclear | Verdict::Unsent => {}
        }
        drop(guard);
        self.logins.changed.notify_waiters();
    }
}

impl Drop for LoginTry {
    fn drop(&mut self) {
        self.conclude(Verdict::Unclear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now(grant: Grant) -> LoginTry {
        match grant {
            Grant::Now(login) => login,
            other => panic!("{other:?}"),
        }
    }

    fn login(user: &str) -> Credential {
        Credential::new(user, "secret")
    }

    #[test]
    fn a_locked_device_is_left_alone() {
        let logins = Logins::new(5);
        logins.lock_out("locked for 30 minutes");
        assert!(matches!(logins.grant(Protocol::Rtsp, &login("a")), Grant::Never));
        assert_eq!(logins.attempts(), None);
        assert_eq!(logins.stopped().as_deref(), Some("locked for 30 minutes"));
    }

    #[test]
    fn a_login_that_was_looked_at_is_followed_by_no_other() {
        let logins = Logins::new(2);
        for _ in 0..9 {
            now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::LookedAt);
        }
        assert!(matches!(logins.grant(Protocol::Onvif, &login("b")), Grant::Never));
        assert!(logins.is_held_back(&login("b")));
        now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Taken);
        now(logins.grant(Protocol::Onvif, &login("b"))).end(Verdict::Refused);
        assert_eq!(logins.attempts(), Some(LoginAttempts { refused: 1, unclear: 0, limit: 2 }));
    }

    #[test]
    fn two_unproved_logins_are_never_under_way_at_once() {
        let logins = Logins::new(4);
        let first = now(logins.grant(Protocol::Rtsp, &login("a")));
        assert!(matches!(logins.grant(Protocol::Http, &login("b")), Grant::Later));
        let again = now(logins.grant(Protocol::Http, &login("a")));
        first.end(Verdict::LookedAt);
        again.end(Verdict::LookedAt);
        assert!(matches!(logins.grant(Protocol::Http, &login("b")), Grant::Never));
    }

    #[test]
    fn the_last_place_is_kept_for_what_a_login_has_opened() {
        let logins = Logins::new(2);
        now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Taken);
        assert!(logins.may_explore(&login("a")));
        now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Refused);
        assert!(!logins.may_explore(&login("a")));
        now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Taken);
    }

    /// A verdict of any kind.
    fn verdicts() -> impl Strategy<Value = Verdict> {
        prop::sample::select(vec![
            Verdict::Taken,
            Verdict::LookedAt,
            Verdict::Refused,
            Verdict::Forbidden,
            Verdict::Stale,
            Verdict::Unclear,
            Verdict::Unsent,
        ])
    }

    proptest! {
        /// Whatever order answers come in, over however many protocols at once: refused and unclear requests of logins that
        /// had not been proved never pass the limit, nor do refusals of those that had; and at most one login is in the
        /// state of having been looked at.
        #[test]
        fn refusals_never_pass_the_limit(
            limit in 0u32..4,
            steps in prop::collection::vec((0u8..3, 0usize..3, 0usize..3, verdicts()), 0..64),
        ) {
            const PROTOCOLS: [Protocol; 3] = [Protocol::Rtsp, Protocol::Http, Protocol::Onvif];
            let logins = Logins::new(limit);
            let mut open: Vec<LoginTry> = Vec::new();
            let (mut counted, mut looked_at) = (0u32, Vec::new());
            for (step, protocol, user, verdict) in steps {
                if step == 0 {
                    let wanted = login(["a", "b", "c"][user]);
                    if let Grant::Now(granted) = logins.grant(PROTOCOLS[protocol], &wanted) {
                        prop_assert!(looked_at.iter().all(|c| *c == wanted));
                        open.push(granted);
                    }
                } else if !open.is_empty() {
                    let attempt = open.remove(user % open.len());
                    let credential = attempt.credential().clone();
                    counted += match verdict {
                        _ if step == 2 => u32::from(!attempt.is_proved()),
                        Verdict::Refused | Verdict::Stale => 1,
                        Verdict::Forbidden | Verdict::Unclear => u32::from(!attempt.is_proved()),
                        _ => 0,
                    };
                    if step == 2 {
                        drop(attempt);
                    } else {
                        match verdict {
                            Verdict::LookedAt if !attempt.is_proved() && !looked_at.contains(&credential) => looked_at.push(credential),
                            Verdict::Taken => looked_at.retain(|c| *c != credential),
                            _ => {}
                        }
                        attempt.end(verdict);
                    }
                }
                prop_assert!(counted + open.len() as u32 <= limit);
                prop_assert!(looked_at.len() <= 1);
                let said = logins.attempts().map_or(0, |a| a.refused + a.unclear);
                prop_assert_eq!(said, counted);
            }
        }
    }
}
