//! What one device refuses, counted over all of its addresses, scans and processes.
//!
//! Each host of a scan has [`Logins`] of its own. The budget knows which of them may be one device: before a login is sent,
//! what the others have refused is added up. Where there is a book ([`LoginBook`]), the login is written into it first.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::State;
use super::encryption::Guarded;
use crate::model::login_place::TraitKey;
use crate::model::{Credential, DeviceTraits, LoginBook, MacAddr};
use crate::probe::peer::Clock;
use crate::wire::auth::lock::LockSign;

/// A MAC address, an endpoint or a serial number that more addresses than this have is a router's or a defect: nothing is
/// counted by it.
pub const MOST_ADDRESSES: usize = 64;

/// The logins of all hosts that are asked together.
pub struct Budget {
    pub(super) book: Option<Arc<dyn LoginBook>>,
    pub(super) clock: Clock,
    /// What is being written into the book.
    pub(super) writes: TaskTracker,
    hosts: Mutex<Hosts>,
}

/// The hosts, and by what they can be looked up.
#[derive(Default)]
struct Hosts {
    by_address: HashMap<IpAddr, (DeviceTraits, Arc<Mutex<State>>)>,
    by_key: HashMap<TraitKey, BTreeSet<IpAddr>>,
}

/// What is known of the other hosts that may be the same device.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub counted: u32,
    pub under_way: u32,
    pub trying: Vec<Credential>,
    pub looked_at: Vec<Credential>,
    pub locked: Option<LockSign>,
    /// What it proved there holds here.
    pub guarded: Guarded,
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("book", &self.book).finish_non_exhaustive()
    }
}

impl Budget {
    /// A budget of which nothing is used, beside what stands in the book.
    pub fn new(book: Option<Arc<dyn LoginBook>>, clock: Clock) -> Arc<Self> {
        Arc::new(Budget { book, clock, writes: TaskTracker::new(), hosts: Mutex::default() })
    }

    /// Waits until all that became of logins is written, at most for `limit`.
    pub async fn written(&self, limit: Duration) {
        self.writes.close();
        // What is not written by then counts like a refusal.
        let _ = tokio::time::timeout(limit, self.writes.wait()).await;
    }

    /// Counts a host's logins from now on; in place of another one's at its address.
    pub(super) fn join(&self, traits: DeviceTraits, state: &Arc<Mutex<State>>) {
        let mut hosts = self.lock();
        hosts.leave(traits.address);
        hosts.enter(traits, state.clone());
    }

    /// Notes what is known of a host now, also in its places in the book.
    pub(super) fn identify(&self, traits: &DeviceTraits) {
        self.change(traits.address, |before| traits.clone().or(before));
    }

    /// Notes what was not known of a host so far: one whose inspection has ended.
    pub fn complete(&self, traits: DeviceTraits) {
        self.change(traits.address, |before| before.or(traits));
    }

    fn change(&self, address: IpAddr, change: impl FnOnce(DeviceTraits) -> DeviceTraits) {
        let mut hosts = self.lock();
        let Some((before, state)) = hosts.leave(address) else { return };
        let known = change(before.clone());
        let is_news = known != before;
        hosts.enter(known, state.clone());
        let (host, places) = (hosts.traits(address), lock(&state).slots.places().to_vec());
        drop(hosts);
        if is_news && !places.is_empty() {
            self.write(move |book| book.identify(&places, &host));
        }
    }

    /// Forgets a host whose inspection has ended, unless what it refused counts, or what it proved holds, for other addresses
    /// of the same device.
    pub fn forget(&self, address: IpAddr) {
        let mut hosts = self.lock();
        let is_unused = |state: &Arc<Mutex<State>>| lock(state).is_unused();
        if hosts.by_address.get(&address).is_some_and(|(_, state)| is_unused(state)) {
            hosts.leave(address);
        }
    }

    /// Decides on a host's login with what is known of the others that may be the same device; nothing changes meanwhile but
    /// by the answers to logins under way, which make it less.
    pub(super) fn decide<T>(&self, address: IpAddr, decide: impl FnOnce(&DeviceTraits, &Others) -> T) -> T {
        let hosts = self.lock();
        let traits = hosts.traits(address);
        decide(&traits, &hosts.others(&traits))
    }

    fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hosts {
    fn enter(&mut self, traits: DeviceTraits, state: Arc<Mutex<State>>) {
        for key in traits.keys() {
            self.by_key.entry(key).or_default().insert(traits.address);
        }
        self.by_address.insert(traits.address, (traits, state));
    }

    fn leave(&mut self, address: IpAddr) -> Option<(DeviceTraits, Arc<Mutex<State>>)> {
        let host = self.by_address.remove(&address)?;
        for key in host.0.keys() {
            if let Some(all) = self.by_key.get_mut(&key) {
                all.remove(&address);
                if all.is_empty() {
                    self.by_key.remove(&key);
                }
            }
        }
        Some(host)
    }

    fn is_crowded(&self, key: &TraitKey) -> bool {
        self.by_key.get(key).is_some_and(|all| all.len() > MOST_ADDRESSES)
    }

    /// What tells a host from others, without what too many have.
    fn traits(&self, address: IpAddr) -> DeviceTraits {
        let Some((traits, _)) = self.by_address.get(&address) else { return DeviceTraits::at(address) };
        let is_mac = |mac: &MacAddr| !self.is_crowded(&TraitKey::Mac(*mac));
        DeviceTraits {
            address,
            link_mac: traits.link_mac.filter(is_mac),
            stated_mac: traits.stated_mac.filter(is_mac),
            endpoint: traits.endpoint.clone().filter(|id| !self.is_crowded(&TraitKey::Endpoint(id.clone()))),
            serial: traits.serial.clone().filter(|serial| !self.is_crowded(&TraitKey::Serial(serial.clone()))),
        }
    }

    fn others(&self, traits: &DeviceTraits) -> Others {
        let near: BTreeSet<IpAddr> =
            traits.keys().iter().filter_map(|key| self.by_key.get(key)).flatten().copied().collect();
        let mut others = Others::default();
        for address in near.into_iter().filter(|address| *address != traits.address) {
            let Some((other, state)) = self.by_address.get(&address) else { continue };
            if traits.may_be(other) {
                others.add(&lock(state));
            }
        }
        others
    }
}

impl Others {
    fn add(&mut self, state: &State) {
        self.counted = self.counted.saturating_add(state.used());
        self.under_way = self.under_way.saturating_add(state.under_way);
        self.trying.extend(state.trying.as_ref().map(|(login, _)| login.clone()));
        self.looked_at.extend(state.looked_at.clone());
        self.guarded.add(&state.guarded);
        if self.locked.is_none() {
            self.locked.clone_from(&state.locked);
        }
    }
}

pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
