//! What the next scan is handed of the devices that are known, and what it leaves: logins, refusals, and when a device was
//! analysed.

use jiff::{SignedDuration, Timestamp};

use super::logins::LoginHash;
use super::{Store, StoreError};
use crate::history::memory::{Known, Learnt, Memory};
use crate::model::memory::Uid;
use crate::model::{Credential, Device, KnownHost, KnownHosts, Report, ScanPlan};

/// Refused logins of a device in 24 hours, over all scans and checks.
const MOST_REFUSED_A_DAY: u32 = 2;

/// All of a device's refusals are counted in one place, whichever login it was: the device counts them so.
fn any_login() -> Credential {
    Credential::new("", "")
}

impl Store {
    /// What is known of the hosts that `plan` may ask, at `now`. `worked` is the login that this process saw work on a device.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn known_hosts(
        &self,
        memory: &Memory,
        plan: &ScanPlan,
        worked: &dyn Fn(&Device) -> Option<Credential>,
        now: Timestamp,
    ) -> Result<KnownHosts, StoreError> {
        let max_age = plan.max_age.and_then(|age| SignedDuration::try_from(age).ok());
        let way = self.way_of(plan)?;
        let logins: Vec<(LoginHash, &Credential)> = plan
            .probe
            .credentials
            .iter()
            .map(|login| Ok((self.login_hash(login)?, login)))
            .collect::<Result<_, StoreError>>()?;
        let mut hosts = KnownHosts::new(memory.digest_devices());
        for known in memory.roots().filter(|known| known.archived_at.is_none()) {
            let mut host = self.known_host(known, worked(&known.device), now)?;
            if host.login.is_none() {
                host.login = self.login_that_worked(known, &logins, now)?;
            }
            host.device = max_age.and_then(|age| known.as_analysed(&way, age, now)).map(Into::into);
            hosts.insert(known.device.ip, host);
        }
        Ok(hosts)
    }

    /// What is known of the logins of one host, at `now`. `worked` is the login that this process saw work on it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn known_host(
        &self,
        known: &Known,
        worked: Option<Credential>,
        now: Timestamp,
    ) -> Result<KnownHost, StoreError> {
        let record = self.login(&known.uid, self.login_hash(&any_login())?, now)?;
        let refused = u32::try_from(record.refused_at.len()).unwrap_or(u32::MAX);
        let left = if known.login_rests() { 0 } else { MOST_REFUSED_A_DAY.saturating_sub(refused) };
        let streams = known.streams.values().filter(|stream| stream.gone_at.is_none() && stream.last_ok.is_some());
        let streams = streams.map(|stream| stream.stream.url.clone()).collect();
        Ok(KnownHost { login: worked, refusals_left: Some(left), streams, ways: known.ways(), device: None })
    }

    fn login_that_worked(
        &self,
        known: &Known,
        logins: &[(LoginHash, &Credential)],
        now: Timestamp,
    ) -> Result<Option<Credential>, StoreError> {
        let mut last: Option<(Timestamp, &Credential)> = None;
        for (hash, login) in logins {
            let worked_at = self.login(&known.uid, *hash, now)?.worked_at;
            // What is recognised by its own word alone has shown no right to a login that worked before.
            let worked_at = worked_at.filter(|at| known.on_its_word_at.is_none_or(|since| *at >= since));
            if let Some(at) = worked_at.filter(|at| last.is_none_or(|(last, _)| *at > last)) {
                last = Some((at, login));
            }
        }
        Ok(last.map(|(_, login)| login.clone()))
    }

    /// Notes which login worked at a device, and how many were refused.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn note_logins(
        &self,
        device: &Uid,
        worked: Option<&Credential>,
        refused: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(login) = worked {
            self.record_login(device, self.login_hash(login)?, at, true)?;
        }
        for _ in 0..refused {
            self.record_login(device, self.login_hash(&any_login())?, at, false)?;
        }
        Ok(())
    }

    /// Notes what a scan by `plan` leaves for the next one, after it was learnt: its devices' logins, and which of them it
    /// analysed in full. `worked` is the login that this process saw work on a device.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn note_scan(
        &self,
        report: &Report,
        learnt: &Learnt,
        plan: &ScanPlan,
        worked: &dyn Fn(&Device) -> Option<Credential>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for (uid, device) in learnt.devices.iter().zip(&report.devices) {
            let refused = device.login_attempts.map_or(0, |attempts| attempts.counted());
            self.note_logins(uid, worked(device).as_ref(), refused, at)?;
        }
        let way = self.way_of(plan)?;
        self.update(|memory| (memory.note_analyses(report, &learnt.devices, &way), Vec::new()), &())?;
        Ok(())
    }

    /// How a plan analyses devices: the same text for plans that ask the same with the same logins. It can be compared, and
    /// not be read back.
    fn way_of(&self, plan: &ScanPlan) -> Result<String, StoreError> {
        let probe = &plan.probe;
        let asked = format!(
            "{} {} {} {} {} {}",
            env!("CARGO_PKG_VERSION"),
            probe.verify.as_str(),
            probe.ffprobe.as_str(),
            probe.max_candidates,
            probe.max_channels,
            probe.in_depth,
        );
        let mut logins = String::new();
        for login in &probe.credentials {
            for part in [login.user.as_str(), login.password.expose(), &format!("{:?}", login.scope)] {
                logins.push_str(&format!("{} {part} ", part.len()));
            }
        }
        Ok(self.login_hash(&Credential::new(asked, logins))?.to_string())
    }
}
