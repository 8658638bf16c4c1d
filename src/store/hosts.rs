//! What the next scan is handed of the devices that are known, and what it leaves: logins, and when a device was analysed.

use jiff::{SignedDuration, Timestamp};

use super::logins::LoginHash;
use super::places::{MOST_REFUSED_A_DAY, Refusals};
use super::{Store, StoreError};
use crate::history::memory::{Known, KnownStream, Learnt, Memory};
use crate::model::memory::Uid;
use crate::model::secret::CredentialScope;
use crate::model::{Credential, Device, KnownHost, KnownHosts, Report, ScanPlan};

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
        let refusals = self.refusals(now)?;
        let mut hosts = KnownHosts::new(memory.guarded_devices());
        // Of several devices that were last seen at an address, the latest is there; what any of them refused counts.
        let mut devices: Vec<&Known> = memory.roots().filter(|known| known.archived_at.is_none()).collect();
        devices.sort_by_key(|known| known.seen.last);
        for known in devices {
            let mut host = known_host(known, worked(&known.device), &refusals);
            if host.login.is_none() {
                host.login = self.login_that_worked(known, &logins)?;
            }
            host.device = max_age.and_then(|age| known.as_analysed(&way, age, now)).map(Into::into);
            let left = hosts.get(&known.device.ip).and_then(|other| other.refusals_left);
            host.refusals_left = host.refusals_left.into_iter().chain(left).min();
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
        Ok(known_host(known, worked, &self.refusals(now)?))
    }

    fn login_that_worked(
        &self,
        known: &Known,
        logins: &[(LoginHash, &Credential)],
    ) -> Result<Option<Credential>, StoreError> {
        let mut last: Option<(Timestamp, &Credential)> = None;
        for (hash, login) in logins {
            let worked_at = self.login_worked_at(&known.uid, *hash)?;
            // What is recognised by its own word alone has shown no right to a login that worked before.
            let worked_at = worked_at.filter(|at| known.on_its_word_at.is_none_or(|since| *at >= since));
            if let Some(at) = worked_at.filter(|at| last.is_none_or(|(last, _)| *at > last)) {
                last = Some((at, login));
            }
        }
        Ok(last.map(|(_, login)| login.clone()))
    }

    /// Notes which login worked at a device.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn note_login(&self, device: &Uid, worked: &Credential, at: Timestamp) -> Result<(), StoreError> {
        self.record_login(device, self.login_hash(worked)?, at)
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
            if let Some(login) = worked(device) {
                self.note_login(uid, &login, at)?;
            }
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
        let logins: String = probe.credentials.iter().map(login_text).collect();
        Ok(self.login_hash(&Credential::new(asked, logins))?.to_string())
    }
}

/// A login with what it is meant for, as it goes into what is stored of a plan: no two logins have one text, and it changes
/// with no library's. Each part is preceded by its length; what is left open is `-`.
fn login_text(login: &Credential) -> String {
    let Credential { user, password, scope, allow_basic, allow_in_path } = login;
    let CredentialScope { network, vendor, mac_prefix, endpoint, trust_announced } = scope;
    let part = |text: &str| format!("{} {text} ", text.len());
    let open = |text: Option<&str>| text.map_or_else(|| "- ".to_owned(), part);
    [
        part(user),
        part(password.expose()),
        open(network.map(|network| format!("{}/{}", network.ip(), network.prefix())).as_deref()),
        open(vendor.as_deref()),
        open(mac_prefix.as_deref()),
        open(endpoint.as_deref()),
    ]
    .concat()
        + &format!("{trust_announced} {allow_basic} {allow_in_path};")
}

fn known_host(known: &Known, worked: Option<Credential>, refusals: &Refusals) -> KnownHost {
    let left = if known.login_rests() { 0 } else { MOST_REFUSED_A_DAY.saturating_sub(refusals.count(known)) };
    let has_played = |stream: &&KnownStream| stream.gone_at.is_none() && stream.last_ok.is_some();
    let streams = known.streams.values().filter(has_played).filter(|stream| stream.stream.is_whole());
    let streams = streams.map(|stream| stream.stream.url.clone()).collect();
    KnownHost { login: worked, refusals_left: Some(left), streams, ways: known.ways(), device: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is stored is compared over versions: another text has every device analysed anew.
    #[test]
    fn a_login_has_one_text_in_every_version() {
        let plain = Credential::new("admin", "a b");
        assert_eq!(login_text(&plain), "5 admin 3 a b - - - - false false false;");
        let scope = CredentialScope {
            network: "192.0.2.0/24".parse().ok(),
            vendor: Some("axis".to_owned()),
            mac_prefix: Some("accc8e".to_owned()),
            endpoint: Some("5f5a69c2-0001".to_owned()),
            trust_announced: true,
        };
        let bound = Credential { scope, allow_basic: true, allow_in_path: true, ..Credential::new("ä", "") };
        assert_eq!(login_text(&bound), "2 ä 0  12 192.0.2.0/24 4 axis 6 accc8e 13 5f5a69c2-0001 true true true;");
    }

    #[test]
    fn no_two_logins_have_one_text() {
        let of = |change: fn(&mut Credential)| {
            let mut login = Credential::new("admin", "a");
            change(&mut login);
            login_text(&login)
        };
        let all = [
            of(|_| {}),
            of(|login| login.user = "admin 1 a".to_owned()),
            of(|login| login.password = crate::model::Secret::new("a 1 a")),
            of(|login| login.scope.vendor = Some(String::new())),
            of(|login| login.scope.vendor = Some("-".to_owned())),
            of(|login| login.scope.endpoint = Some("-".to_owned())),
            of(|login| login.scope.network = "2001:db8::/32".parse().ok()),
            of(|login| login.scope.trust_announced = true),
            of(|login| login.allow_basic = true),
            of(|login| login.allow_in_path = true),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len(), "{all:?}");
    }
}
