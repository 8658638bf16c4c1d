//! The logins of devices, over scans, checks and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Job, Watch};
use crate::history::memory::{Known, Memory};
use crate::model::memory::Uid;
use crate::model::{Credential, Device, GuardedDevices, KnownHosts, ScanPlan};
use crate::scan::session::Session;
use crate::store::{Store, StoreError};

/// What is known about a device's logins before it is asked. All devices are looked through for those whose password is
/// not sent readable, once for as many as are asked together.
pub(super) fn known_hosts(
    memory: &Memory,
    known: &Known,
    watch: &Watch,
    guarded: &mut Option<Arc<GuardedDevices>>,
    now: Timestamp,
) -> Result<KnownHosts, StoreError> {
    let mut hosts = KnownHosts::new(guarded.get_or_insert_with(|| memory.guarded_devices()).clone());
    let worked = watch.session.login_of(&known.device);
    hosts.insert(known.device.ip, watch.store.known_host(known, worked, now)?);
    Ok(hosts)
}

/// That a login still works is noted again after this: each note is written to the disk.
const NOTE_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// The logins that were last noted.
#[derive(Debug, Default)]
pub(super) struct Noted(BTreeMap<Uid, (Credential, Timestamp)>);

impl Noted {
    /// Forgets the devices that are known no longer.
    pub(super) fn keep_known(&mut self, memory: &Memory) {
        self.0.retain(|uid, _| memory.devices.contains_key(uid));
    }

    /// Notes which login worked at a device.
    pub(super) fn note(
        &mut self,
        uid: &Uid,
        device: &Device,
        session: &Session,
        store: &Store,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(login) = session.login_of(device) else { return Ok(()) };
        let is_news = self.0.get(uid).is_none_or(|(noted, last)| {
            login != *noted || !(SignedDuration::ZERO..NOTE_EVERY).contains(&at.duration_since(*last))
        });
        if is_news {
            store.note_login(uid, &login, at)?;
            self.0.insert(uid.clone(), (login, at));
        }
        Ok(())
    }
}

/// How each scan is made: the job's plan, with logins beside its own.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) plan: Arc<ScanPlan>,
    further: Arc<Vec<Credential>>,
}

impl Template {
    pub(super) fn new(job: &Job) -> Template {
        Template { plan: Arc::new(job.plan.clone()), further: Arc::default() }
    }

    pub(super) fn take_job(&mut self, job: &Job) {
        let mut plan = job.plan.clone();
        let own = &mut plan.probe.credentials;
        let further: Vec<Credential> = self.further.iter().filter(|login| !own.contains(login)).cloned().collect();
        own.extend(further);
        self.plan = Arc::new(plan);
    }

    /// Tries these logins from now on, after those of the job.
    pub(super) fn take_logins(&mut self, job: &Job, further: Arc<Vec<Credential>>) {
        if !Arc::ptr_eq(&self.further, &further) && self.further != further {
            self.further = further;
            self.take_job(job);
        }
    }
}
