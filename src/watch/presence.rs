//! Whether devices are there, asked between scans, and whether this machine could have heard them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::history::memory::{DeviceState, KeyKind, Known, Memory, Vantage};
use crate::model::memory::Uid;
use crate::model::{MacAddr, Report, ScanEvent, ScanPlan};
use crate::scan::session::Session;
use crate::scan::{Scan, single};

/// Devices that answered a moment ago and are asked too: if none of them answers, the silence of the others says nothing.
const WITNESSES: usize = 3;

/// Who is to be asked whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) missing: Vec<Missing>,
    pub(super) witnesses: Vec<IpAddr>,
}

/// A device that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    uid: Uid,
    ip: IpAddr,
    /// The MAC addresses it is known by, those left out that are assigned locally.
    macs: BTreeSet<MacAddr>,
}

impl Missing {
    fn new(memory: &Memory, known: &Known) -> Self {
        let keys = memory.keys_of(&known.uid).filter(|key| key.kind == KeyKind::Mac);
        let macs = keys.filter_map(|key| key.value.parse().ok()).chain(known.device.mac);
        Missing { uid: known.uid.clone(), ip: known.device.ip, macs: macs.filter(|mac| !mac.is_local()).collect() }
    }

    /// Whether it is this device that answers there: whoever has another MAC address is another one.
    fn is(&self, answering: Option<MacAddr>) -> bool {
        let other = answering.filter(|mac| !mac.is_local() && !self.macs.contains(mac));
        self.macs.is_empty() || other.is_none()
    }
}

/// Who answered.
#[derive(Debug)]
pub(super) struct Answers {
    /// The devices, and whether they answered.
    pub(super) devices: Vec<(Uid, bool)>,
    /// What their silence is worth.
    pub(super) vantage: Vantage,
}

impl Question {
    /// About these devices, with witnesses from among those that are online, of the same networks first.
    pub(super) fn new(memory: &Memory, missing: &[Uid]) -> Self {
        let missing: Vec<Missing> =
            missing.iter().filter_map(|uid| memory.devices.get(uid)).map(|known| Missing::new(memory, known)).collect();
        let near = |ip: IpAddr| missing.iter().any(|other| same_network(ip, other.ip));
        // Where no device is known to be online, those in an unknown state are asked: without any witness, a link of this
        // machine that is down would look like a device that is gone.
        let mut witnesses: Vec<(bool, bool, IpAddr)> = memory
            .roots()
            .filter(|known| known.archived_at.is_none() && known.device.reach.is_none())
            .filter(|known| known.health.state != DeviceState::Offline)
            .filter(|known| !missing.iter().any(|asked| asked.uid == known.uid))
            .map(|known| {
                let is_there = known.health.state == DeviceState::Online && known.health.misses == 0;
                (!is_there, !near(known.device.ip), known.device.ip)
            })
            .collect();
        witnesses.sort_unstable();
        witnesses.truncate(WITNESSES);
        Question { missing, witnesses: witnesses.into_iter().map(|(_, _, ip)| ip).collect() }
    }

    /// Asks. None where the answer was not waited for.
    pub(super) async fn ask(
        self,
        session: Arc<Session>,
        template: Arc<ScanPlan>,
        stop: CancellationToken,
    ) -> Option<Answers> {
        let has_link = has_link(&session);
        let addresses: Vec<IpAddr> =
            self.missing.iter().map(|asked| asked.ip).chain(self.witnesses.iter().copied()).collect();
        let plan = Arc::new(single::ask(&template, &addresses));
        let scan = Scan { session, plan, known: Vec::new(), cancel: stop.clone() };
        let report = scan.run(|_: &ScanEvent| {}).await;
        if stop.is_cancelled() {
            return None;
        }
        let answering: BTreeMap<IpAddr, Option<MacAddr>> = report
            .devices
            .iter()
            .flat_map(|device| device.addresses.iter().chain([&device.ip]).map(|ip| (*ip, device.mac)))
            .collect();
        let heard_any = self.witnesses.is_empty() || self.witnesses.iter().any(|ip| answering.contains_key(ip));
        let is_there = |asked: &Missing| answering.get(&asked.ip).is_some_and(|mac| asked.is(*mac));
        let devices = self.missing.iter().map(|asked| (asked.uid.clone(), is_there(asked))).collect();
        Some(Answers { devices, vantage: if has_link && heard_any { Vantage::Clear } else { Vantage::Blind } })
    }
}

/// The same /24, or the same /64.
fn same_network(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets().get(..3) == b.octets().get(..3),
        (IpAddr::V6(a), IpAddr::V6(b)) => a.octets().get(..8) == b.octets().get(..8),
        _ => false,
    }
}

/// Whether an interface of this machine is up, loopback left out.
fn has_link(session: &Session) -> bool {
    session
        .net
        .interfaces()
        .is_ok_and(|all| all.iter().any(|interface| !interface.loopback && !interface.addresses.is_empty()))
}

/// What the silence of a whole scan is worth: nothing, where the link was down or nobody at all answered although somebody
/// used to.
pub(super) fn vantage_of(report: &Report, memory: &Memory, session: &Session) -> Vantage {
    let is_alone = memory.roots().next().is_none();
    let on_loopback = report.scan.coverage.is_none();
    let heard_any = report.scan.hosts_up > 0 || is_alone;
    if (on_loopback || has_link(session)) && heard_any { Vantage::Clear } else { Vantage::Blind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::memory::tests::{Site, camera};

    #[test]
    fn an_answer_with_another_mac_address_is_that_of_another_device() {
        let mut site = Site::default();
        site.scan(0, vec![camera(1, 1)]);
        let known = site.memory.roots().next().unwrap();
        let own = known.device.mac.unwrap();
        let asked = Missing::new(&site.memory, known);
        let [a, b, c, d, e, f] = own.0;
        let other = MacAddr([a, b, c, d, e, f.wrapping_add(1)]);
        let local = MacAddr([a | 2, b, c, d, e, f]);
        let answers = [Some(own), None, Some(other), Some(local)].map(|mac| asked.is(mac));
        assert_eq!(answers, [true, true, false, true]);
        let unknown = Missing { macs: BTreeSet::new(), ..asked };
        assert!(unknown.is(Some(other)));
    }
}
