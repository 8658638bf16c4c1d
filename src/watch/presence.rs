//! Whether devices are there, asked between scans, and whether this machine could have heard them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnetwork::IpNetwork;
use tokio_util::sync::CancellationToken;

use super::sight::{CutOff, Ways, Witnesses};
use crate::history::memory::{KeyKind, Known, Memory, Vantage};
use crate::model::memory::Uid;
use crate::model::{HostTarget, MacAddr, Report, ScanEvent, ScanPlan, Transport};
use crate::scan::session::Session;
use crate::scan::{Scan, single};

/// Ports of a device that are asked for where it is asked by connections.
const PORTS: usize = 3;

/// Which devices are to be asked whether they are there, and what is asked beside them, network by network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    missing: Vec<Missing>,
    witnesses: BTreeMap<IpNetwork, Witnesses>,
    exclude: Vec<IpNetwork>,
}

/// A device that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    uid: Uid,
    ip: IpAddr,
    network: Option<IpNetwork>,
    /// Ports of it that were open.
    ports: Vec<u16>,
    cards: Cards,
}

/// The MAC addresses a device is known by, those left out that are assigned locally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cards(BTreeSet<MacAddr>);

impl Cards {
    pub(super) fn of(memory: &Memory, known: &Known) -> Self {
        let keys = memory.keys_of(&known.uid).filter(|key| key.kind == KeyKind::Mac);
        let macs = keys.filter_map(|key| key.value.parse().ok()).chain(known.device.mac);
        Cards(macs.filter(|mac| !mac.is_local()).collect())
    }

    /// Whether it is this device that answers: what has another MAC address is another one.
    pub(super) fn are_of(&self, answering: Option<MacAddr>) -> bool {
        let other = answering.filter(|mac| !mac.is_local() && !self.0.contains(mac));
        self.0.is_empty() || other.is_none()
    }
}

impl Missing {
    fn new(memory: &Memory, known: &Known) -> Self {
        let open = known.device.services.iter().filter(|service| service.transport != Transport::Udp);
        Missing {
            uid: known.uid.clone(),
            ip: known.device.ip,
            network: memory.network_of(known.device.ip),
            ports: open.map(|service| service.port).take(PORTS).collect(),
            cards: Cards::of(memory, known),
        }
    }
}

/// What came of a question.
#[derive(Debug)]
pub(super) struct Answers {
    /// The devices, whether each answered, and what its silence is worth.
    pub(super) devices: Vec<(Uid, bool, Vantage)>,
    /// The networks that were asked about, and the interface that has no link to one of them.
    pub(super) networks: Vec<(IpNetwork, Option<CutOff>)>,
}

impl Question {
    /// About these devices. Of hosts that a scan heard some are asked as well, but for those that are left out.
    pub(super) fn new(memory: &Memory, missing: &[Uid], hosts: &BTreeSet<IpAddr>, exclude: &[IpNetwork]) -> Self {
        let missing: Vec<Missing> =
            missing.iter().filter_map(|uid| memory.devices.get(uid)).map(|known| Missing::new(memory, known)).collect();
        let addresses: BTreeSet<IpAddr> = missing.iter().map(|asked| asked.ip).collect();
        let networks: BTreeSet<IpNetwork> = missing.iter().filter_map(|asked| asked.network).collect();
        let of = |network| (network, Witnesses::new(memory, network, &addresses, hosts));
        Question { witnesses: networks.into_iter().map(of).collect(), missing, exclude: exclude.to_vec() }
    }

    /// Asks. None where the answer was not waited for.
    pub(super) async fn ask(
        mut self,
        session: Arc<Session>,
        template: Arc<ScanPlan>,
        stop: CancellationToken,
    ) -> Option<Answers> {
        let ways = Ways::read(session.net.as_ref(), &template.methods).await;
        let is_excluded = |ip: IpAddr| self.exclude.iter().any(|network| network.contains(ip));
        for (network, witnesses) in &mut self.witnesses {
            witnesses.by(*network, &ways, &is_excluded);
        }
        let mut hosts: BTreeMap<IpAddr, Vec<u16>> =
            self.witnesses.values().flat_map(Witnesses::addresses).map(|ip| (ip, Vec::new())).collect();
        hosts.extend(self.missing.iter().map(|asked| (asked.ip, asked.ports.clone())));
        let host = |(ip, ports)| HostTarget { ip, name: None, zone: None, ports };
        let plan = Arc::new(single::ask(&template, hosts.into_iter().map(host).collect()));
        let scan = Scan { session, plan, known: Vec::new(), cancel: stop.clone() };
        let report = scan.run(|_: &ScanEvent| {}).await;
        (!stop.is_cancelled()).then(|| self.answers(&report))
    }

    /// What a scan of all that was asked says.
    fn answers(&self, report: &Report) -> Answers {
        let answering: BTreeMap<IpAddr, Option<MacAddr>> = report
            .devices
            .iter()
            .flat_map(|device| device.addresses.iter().chain([&device.ip]).map(|ip| (*ip, device.mac)))
            .collect();
        let seen: BTreeMap<IpNetwork, Vantage> = self
            .witnesses
            .iter()
            .map(|(network, witnesses)| (*network, witnesses.vantage(&|ip| answering.contains_key(&ip))))
            .collect();
        let answer = |asked: &Missing| {
            let is_there = answering.get(&asked.ip).is_some_and(|mac| asked.cards.are_of(*mac));
            let vantage = asked.network.and_then(|network| seen.get(&network)).copied();
            (asked.uid.clone(), is_there, vantage.unwrap_or(Vantage::CLEAR))
        };
        let networks = self.witnesses.iter().map(|(network, witnesses)| (*network, witnesses.cut_off()));
        Answers { devices: self.missing.iter().map(answer).collect(), networks: networks.collect() }
    }
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
        let cards = Cards::of(&site.memory, known);
        let [a, b, c, d, e, f] = own.0;
        let other = MacAddr([a, b, c, d, e, f.wrapping_add(1)]);
        let local = MacAddr([a | 2, b, c, d, e, f]);
        let answers = [Some(own), None, Some(other), Some(local)].map(|mac| cards.are_of(mac));
        assert_eq!(answers, [true, true, false, true]);
        assert!(Cards(BTreeSet::new()).are_of(Some(other)));
    }
}
