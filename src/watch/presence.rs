//! Whether devices are there, asked between scans, and whether this machine could have heard them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::history::memory::{DeviceState, Memory, Vantage};
use crate::model::memory::Uid;
use crate::model::{Report, ScanEvent, ScanPlan};
use crate::scan::session::Session;
use crate::scan::{Scan, single};

/// Devices that answered a moment ago and are asked too: if none of them answers, the silence of the others says nothing.
const WITNESSES: usize = 3;

/// Who is to be asked whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) missing: Vec<(Uid, IpAddr)>,
    pub(super) witnesses: Vec<IpAddr>,
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
        let missing: Vec<(Uid, IpAddr)> = missing
            .iter()
            .filter_map(|uid| memory.devices.get(uid))
            .map(|known| (known.uid.clone(), known.device.ip))
            .collect();
        let near = |ip: IpAddr| missing.iter().any(|(_, other)| same_network(ip, *other));
        // Where no device is known to be online, those in an unknown state are asked: without any witness, a link of this
        // machine that is down would look like a device that is gone.
        let mut witnesses: Vec<(bool, bool, IpAddr)> = memory
            .roots()
            .filter(|known| known.archived_at.is_none() && known.device.reach.is_none())
            .filter(|known| known.health.state != DeviceState::Offline)
            .filter(|known| !missing.iter().any(|(uid, _)| *uid == known.uid))
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
            self.missing.iter().map(|(_, ip)| *ip).chain(self.witnesses.iter().copied()).collect();
        let plan = Arc::new(single::ask(&template, &addresses));
        let scan = Scan { session, plan, known: Vec::new(), cancel: stop.clone() };
        let report = scan.run(|_: &ScanEvent| {}).await;
        if stop.is_cancelled() {
            return None;
        }
        let up: BTreeSet<IpAddr> =
            report.devices.iter().flat_map(|d| d.addresses.iter().copied().chain([d.ip])).collect();
        let heard_any = self.witnesses.is_empty() || self.witnesses.iter().any(|ip| up.contains(ip));
        let devices = self.missing.into_iter().map(|(uid, ip)| (uid, up.contains(&ip))).collect();
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
