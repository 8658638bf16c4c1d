//! How many logins a device may refuse: one account per host, shared by every protocol and port, and one [`Budget`] for all
//! hosts of a scan, which adds up what the addresses of one device refuse.
//!
//! Cameras lock accounts and addresses after a few failed logins, and count them over RTSP, HTTP and ONVIF together. So
//! every request that carries a login takes a place of the device's limit before it is sent, and gives it back by the
//! verdict of the answer. Nothing is sent without a place, so whatever a device answers, and however many requests are
//! under way at once, it sees no more refusals than the limit.

mod attempt;
mod budget;
mod card;
mod encryption;
mod slots;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

pub use attempt::LoginTry;
pub use budget::{Budget, MOST_ADDRESSES};
use budget::{Others, lock};
use card::Card;
use encryption::Guarded;
pub use encryption::{Encryption, Withheld};
use slots::{Slots, Wanted};

use crate::model::login_place::SentLogin;
use crate::model::{Credential, DeviceTraits, LoginAttempts, Protocol};
use crate::wire::auth::lock::LockSign;

/// How a reason begins that is no sentence about the device.
const NOT_TRIED: &str = "no login is tried: ";

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
    /// Neither success nor refusal. Counts like a refusal, unless the login is proved.
    Unclear,
    /// No answer, or none that can be read. Counts like an unclear one; no more, once the device has taken the same login over
    /// the same protocol: it was as good before, and the answer was lost. So it is in later scans, and at once for a login
    /// that worked in an earlier one.
    Unanswered,
    /// The device closed the connection in place of an answer. Counts like no answer; where the login is proved, from the
    /// second time on, together with the first, unless it was taken in between: it may be proved no longer.
    Closed,
    /// The request never left this machine, or turned out not to be about the login.
    Unsent,
}

/// The logins of one host.
#[derive(Debug)]
pub struct Logins {
    limit: u32,
    /// As many as the book allows, over all scans.
    most: u32,
    address: IpAddr,
    budget: Arc<Budget>,
    state: Arc<Mutex<State>>,
    changed: Notify,
    card_is_wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Meant for this device, in the order to try them.
    offered: Vec<Credential>,
    tried: bool,
    refused: u32,
    /// Those without an answer included.
    unclear: u32,
    /// Those that got no answer and were not taken since, once for each time.
    unanswered: Vec<SentLogin>,
    under_way: u32,
    /// The login that is under way and not proved, and how often. There is one at a time, so that an answer to one decides
    /// whether another is sent.
    trying: Option<(Credential, u32)>,
    /// The device says that it is locked, or about to be.
    locked: Option<LockSign>,
    /// Earlier scans used up the limit.
    rests: bool,
    worked: Option<Credential>,
    proved: Vec<SentLogin>,
    refused_by: Vec<SentLogin>,
    /// Proved logins that the device closed the connection on, and has not taken since.
    doubted: Vec<Credential>,
    /// Logins that were proved and refused afterwards.
    failed_later: Vec<Credential>,
    looked_at: Option<Credential>,
    guarded: Guarded,
    /// The login that worked in an earlier scan.
    worked_before: Option<Credential>,
    slots: Slots,
    /// Whether the host's network card was looked up.
    card: Card,
}

impl State {
    fn counted(&self) -> u32 {
        self.refused.saturating_add(self.unclear)
    }

    /// How many places of the limit are used up, those in doubt included.
    fn used(&self) -> u32 {
        self.counted().saturating_add(u32::try_from(self.doubted.len()).unwrap_or(u32::MAX))
    }

    fn is_proved(&self, protocol: Protocol, credential: &Credential) -> bool {
        self.proved.iter().any(|login| login.is(protocol, credential))
    }

    /// Whether nothing of it bears on another address of the same device.
    fn is_unused(&self) -> bool {
        !self.tried && self.locked.is_none() && self.guarded.is_empty()
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
    /// At most `limit` refused or unclear logins of a host that is counted for itself alone.
    pub fn new(limit: u32) -> Arc<Self> {
        let alone = Budget::new(None, Timestamp::now);
        Logins::within(&alone, DeviceTraits::at(Ipv4Addr::UNSPECIFIED.into()), limit, limit)
    }

    /// At most `limit` refused or unclear logins of this host and of what may be the same device, and at most `most` over all
    /// scans that use the same book.
    pub fn within(budget: &Arc<Budget>, host: DeviceTraits, limit: u32, most: u32) -> Arc<Self> {
        let (address, state) = (host.address, Arc::default());
        // Of a host that no login is sent to there is nothing to count.
        if limit > 0 {
            budget.join(host, &state);
        }
        let (changed, card_is_wanted) = (Notify::new(), Notify::new());
        Arc::new(Logins {
            limit: limit.min(most),
            most,
            address,
            budget: budget.clone(),
            state,
            changed,
            card_is_wanted,
        })
    }

    /// None at all: earlier scans used up what this device may refuse.
    pub fn rest(&self) {
        self.lock().rests = true;
    }

    /// Notes what else became known of the host: by that it may be the same device as another one.
    pub fn identify(&self, host: &DeviceTraits) {
        self.budget.identify(host);
        self.changed.notify_waiters();
    }

    /// The login that worked in an earlier scan.
    pub fn worked_before(&self, credential: Option<Credential>) {
        self.lock().worked_before = credential;
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
        self.budget.decide(self.address, |host, others| self.grant_beside(host, others, protocol, credential))
    }

    fn grant_beside(
        self: &Arc<Self>,
        host: &DeviceTraits,
        others: &Others,
        protocol: Protocol,
        credential: &Credential,
    ) -> Grant {
        let mut guard = self.lock();
        let state = &mut *guard;
        let counted = state.used().saturating_add(others.counted);
        let is_held_back = state.looked_at.iter().chain(&others.looked_at).any(|c| c != credential);
        let is_locked = state.locked.is_some() || others.locked.is_some();
        if is_locked || is_held_back || state.rests || state.slots.refusal().is_some() || counted >= self.limit {
            return Grant::Never;
        }
        let proved = state.is_proved(protocol, credential);
        let mut trying = state.trying.iter().map(|(c, _)| c).chain(&others.trying);
        let is_alone = proved || trying.all(|c| c == credential);
        let under_way = state.under_way.saturating_add(others.under_way);
        if !is_alone || counted.saturating_add(under_way) >= self.limit {
            return Grant::Later;
        }
        if !self.knows_card(state) {
            return Grant::Later;
        }
        let is_known = state.worked_before.as_ref() == Some(credential) && state.refused == 0;
        let wanted = if proved { Wanted::Proved } else { Wanted::Unproved { is_trusted: is_known } };
        let Some(place) = self.place(state, host, wanted, counted) else { return Grant::Later };
        state.tried = true;
        state.under_way += 1;
        if !proved {
            state.trying.get_or_insert_with(|| (credential.clone(), 0)).1 += 1;
        }
        let login = SentLogin { protocol, credential: credential.clone() };
        Grant::Now(LoginTry { logins: self.clone(), login, proved, place, open: true })
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
        self.budget.decide(self.address, |_, others| {
            let state = self.lock();
            let counted = state.counted().saturating_add(others.counted);
            !state.failed_later.contains(credential) || counted.saturating_add(1) < self.limit
        })
    }

    /// Notes that the device says it is locked, or about to be; the text is cleaned. Nothing more is tried.
    pub fn lock_out(&self, sign: LockSign) {
        let mut state = self.lock();
        match (&state.locked, &sign) {
            // That it is about to lock is no longer all.
            (None, _) | (Some(LockSign::AttemptsLeft(_)), LockSign::Locked(_)) => state.locked = Some(sign),
            _ => {}
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Whether the device says that it is locked, or about to be.
    pub fn is_warned_off(&self) -> bool {
        self.budget.decide(self.address, |_, others| self.lock().locked.is_some() || others.locked.is_some())
    }

    /// Whether the device says that it is locked.
    pub fn is_locked(&self) -> bool {
        let is_locked = |sign: &Option<LockSign>| matches!(sign, Some(LockSign::Locked(_)));
        self.budget.decide(self.address, |_, others| is_locked(&self.lock().locked) || is_locked(&others.locked))
    }

    /// Why nothing more is tried, if so.
    pub fn stopped(&self) -> Option<String> {
        self.budget.decide(self.address, |_, others| {
            let state = self.lock();
            if let Some(sign) = state.locked.as_ref().or(others.locked.as_ref()) {
                return Some(sign.sentence());
            }
            if state.rests {
                return Some(AT_REST.to_owned());
            }
            if let Some(why) = state.slots.refusal() {
                return Some(why.to_owned());
            }
            self.used_up(&state, others)
        })
    }

    /// The same behind a sentence that says that none was tried.
    pub fn why_stopped(&self) -> Option<String> {
        self.stopped().map(|why| why.strip_prefix(NOT_TRIED).map_or_else(|| why.clone(), str::to_owned))
    }

    fn used_up(&self, state: &State, others: &Others) -> Option<String> {
        let counted = state.used().saturating_add(others.counted);
        let elsewhere = match others.counted {
            0 => String::new(),
            n => format!(", {n} of them at other addresses of the device"),
        };
        (counted >= self.limit).then(|| match state.used().saturating_sub(state.refused) {
            0 => format!("{counted} of {} refused logins used{elsewhere}", self.limit),
            unclear => format!(
                "{counted} of {} refused logins used, {unclear} of them answered unclearly{elsewhere}",
                self.limit
            ),
        })
    }

    /// The login that worked last.
    pub fn worked(&self) -> Option<Credential> {
        self.lock().worked.clone()
    }

    /// Whether a login was refused over a protocol; it is not tried there again. Cameras may have other users for other
    /// protocols.
    pub fn was_refused(&self, protocol: Protocol, credential: &Credential) -> bool {
        self.lock().refused_by.iter().any(|login| login.is(protocol, credential))
    }

    /// Whether the device has refused the login that worked in an earlier scan or, where none did, each that is meant for it.
    pub fn is_refused(&self) -> bool {
        let state = self.lock();
        let was_refused = |login: &Credential| {
            state.refused_by.iter().any(|one| one.credential == *login) || state.failed_later.contains(login)
        };
        match &state.worked_before {
            Some(login) => was_refused(login),
            None => !state.offered.is_empty() && state.offered.iter().all(was_refused),
        }
    }

    /// Whether another login than this is on hold, because the device looked at one and never said yes or no.
    pub fn is_held_back(&self, credential: &Credential) -> bool {
        self.lock().looked_at.as_ref().is_some_and(|c| c != credential)
    }

    /// Whether the device closed the connection on a proved login, and has not taken it since.
    pub fn is_in_doubt(&self) -> bool {
        !self.lock().doubted.is_empty()
    }

    /// What goes into the report; none when no login was tried.
    pub fn attempts(&self) -> Option<LoginAttempts> {
        let state = self.lock();
        state.tried.then_some(LoginAttempts { refused: state.refused, unclear: state.unclear, limit: self.limit })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Logins {
    /// What was not used is given back; what is still to be answered keeps its place until then.
    fn drop(&mut self) {
        self.give_back_all();
    }
}

#[cfg(test)]
mod tests;
