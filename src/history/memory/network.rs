//! Whole networks: when most of the devices of one stop answering at once, it is the network, and no device.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use jiff::Timestamp;

use super::health::DeviceState;
use super::known::Known;
use super::scope::usual_network;
use super::tell::seconds;
use super::{Memory, OnLink, Rule};
use crate::model::memory::{Around, Event, EventKind, MutedBy, Remark, Uid};

/// Fewer devices than this that are missing at once are no matter of the network, where something else of it answers.
pub(super) const FEWEST: usize = 3;
/// Where nothing else answers either, it is the network however few devices it has.
pub(super) const ANY: usize = 1;

impl Memory {
    /// The network of an address: the narrowest that is known, else the usual one.
    pub fn network_of(&self, ip: IpAddr) -> Option<IpNetwork> {
        let known = self.networks.keys().filter(|network| network.contains(ip));
        known.max_by_key(|network| network.prefix()).copied().or_else(|| usual_network(ip))
    }

    /// Takes note of the networks that devices are on.
    pub(super) fn note_networks(&mut self, links: &[(IpNetwork, OnLink)], seen: &BTreeSet<&Uid>) {
        let addresses: BTreeSet<IpAddr> = self.listed().map(|known| known.device.ip).collect();
        self.bound_networks();
        for ip in addresses {
            let network = links.iter().map(|(network, _)| *network).find(|network| network.contains(ip));
            let is_new = self.has_network_room() && !self.networks.keys().any(|network| network.contains(ip));
            if let Some(network) = network.or_else(|| usual_network(ip).filter(|_| is_new)) {
                self.networks.entry(network).or_default();
            }
        }
        self.note_links(links, seen);
    }

    /// Takes note of which networks this machine is on. One where it was, and a device of which it reaches by a router, is
    /// one that it left.
    fn note_links(&mut self, links: &[(IpNetwork, OnLink)], seen: &BTreeSet<&Uid>) {
        let seen: BTreeSet<IpNetwork> = seen
            .iter()
            .filter_map(|uid| self.devices.get(*uid))
            .filter(|known| known.device.reach.is_none())
            .filter_map(|known| self.network_of(known.device.ip))
            .collect();
        for (network, health) in &mut self.networks {
            match links.iter().find(|(linked, _)| linked == network) {
                Some((_, link)) => health.link = Some(link.clone()),
                None if seen.contains(network) => health.link = None,
                None => {}
            }
        }
    }

    /// The devices that are expected to answer; see [`Known::is_listed`].
    pub(super) fn listed(&self) -> impl Iterator<Item = &Known> {
        self.devices.values().filter(|known| known.is_listed())
    }

    /// The listed devices of a network, without what this machine itself serves: that answers whatever becomes of the network.
    fn members(&self, network: IpNetwork) -> impl Iterator<Item = &Known> {
        let own = self.own_address(network);
        // Most devices are of other networks: that is looked at first.
        let within = self.devices.values().filter(move |known| network.contains(known.device.ip));
        within
            .filter(move |known| known.is_listed() && Some(known.device.ip) != own)
            .filter(move |known| self.network_of(known.device.ip) == Some(network))
    }

    /// The address of this machine on a network.
    pub(super) fn own_address(&self, network: IpNetwork) -> Option<IpAddr> {
        Some(self.networks.get(&network)?.link.as_ref()?.ip).filter(|_| Rule::OwnAddress.holds())
    }

    /// How many devices of a device's network answer, itself left out.
    pub(super) fn others_answering(&self, uid: &Uid, network: IpNetwork) -> u64 {
        let answers = |known: &&Known| known.uid != *uid && !known.health.is_missing();
        let online = self.members(network).filter(|known| known.health.state == DeviceState::Online);
        online.filter(answers).count().try_into().unwrap_or(u64::MAX)
    }

    /// Whether so many of the devices of a network that were asked since `since` are missing that it is the network. Those that
    /// have been offline for longer count for neither side.
    pub(super) fn is_network_missing(&self, network: IpNetwork, since: Timestamp, fewest: usize) -> bool {
        let not_offline = |known: &&Known| known.health.state != DeviceState::Offline;
        let (missing, others): (Vec<&Known>, Vec<&Known>) =
            self.members(network).filter(not_offline).partition(|known| known.health.misses > 0);
        let answering = others.iter().filter(|known| known.seen.last >= since).count();
        self.are_too_many(&missing, answering, fewest)
    }

    /// Whether so many devices are missing beside those that answer that it is the network. Those that went with the recorder
    /// that feeds them are one failure with it, unless nobody answers at all.
    pub(super) fn are_too_many(&self, missing: &[&Known], answering: usize, fewest: usize) -> bool {
        let fed =
            missing.iter().filter(|known| answering > 0 && Rule::Fed.holds() && self.waits_for_recorder(known)).count();
        let missing = missing.len() - fed;
        let is_enough = missing >= fewest || !Rule::Fewest.holds();
        is_enough && (missing > answering || !Rule::Most.holds()) && Rule::Network.holds()
    }

    /// Since when a network is known not to answer.
    pub(super) fn unreachable_since(&self, network: IpNetwork) -> Option<Timestamp> {
        self.networks.get(&network)?.unreachable_since
    }

    /// Most devices of a network are missing at once: nothing is known of those any more.
    pub(super) fn network_lost(&mut self, network: IpNetwork, around: Around, at: Timestamp, events: &mut Vec<Event>) {
        let is_silent = |known: &&Known| match known.health.state {
            DeviceState::Online => known.health.misses > 0,
            DeviceState::Unknown => true,
            DeviceState::Offline => false,
        };
        let silent: Vec<&Known> = self.members(network).filter(is_silent).collect();
        let since = silent.iter().filter_map(|known| known.health.missing_since()).min().unwrap_or(at);
        let silent: Vec<Uid> = silent.into_iter().map(|known| known.uid.clone()).collect();
        let all = self.members(network).filter(|known| known.health.state != DeviceState::Offline).count();
        for uid in &silent {
            self.lose_sight_since(uid, since, at);
        }
        let health = self.networks.entry(network).or_default();
        if health.unreachable_since.is_some() {
            return;
        }
        health.unreachable_since = Some(since);
        let (count, of) = (silent.len() as u64, all as u64);
        let reason = Remark::NetworkLost { network, count, of, around };
        self.announce_network(network, EventKind::SubnetUnreachable, silent.len(), reason, since, at, events);
    }

    /// Looks whether networks that did not answer are back: at least half of their devices answer.
    pub(super) fn find_networks(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        let lost: Vec<(IpNetwork, Timestamp)> =
            self.networks.iter().filter_map(|(network, health)| Some((*network, health.unreachable_since?))).collect();
        for (network, since) in lost {
            let (online, unknown) = self.back_and_unknown(network, since);
            if online < unknown && Rule::HalfBack.holds() || online == 0 {
                continue;
            }
            if let Some(health) = self.networks.get_mut(&network) {
                health.unreachable_since = None;
            }
            let reason = Remark::NetworkBack { network, found: Some((online as u64, seconds(since, at))) };
            self.announce_network(network, EventKind::SubnetReachable, online, reason, since, at, events);
        }
    }

    /// How many devices of a network have answered since it was lost, and of how many nothing is known.
    fn back_and_unknown(&self, network: IpNetwork, since: Timestamp) -> (usize, usize) {
        let (mut back, mut unknown) = (0, 0);
        for known in self.members(network) {
            match known.health.state {
                DeviceState::Online if known.seen.last > since => back += 1,
                DeviceState::Unknown => unknown += 1,
                DeviceState::Online | DeviceState::Offline => {}
            }
        }
        (back, unknown)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of the one event")]
    fn announce_network(
        &mut self,
        network: IpNetwork,
        kind: EventKind,
        count: usize,
        reason: Remark,
        since: Timestamp,
        at: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let is_lost = kind == EventKind::SubnetUnreachable;
        let is_muted = self.is_network_muted(network, at);
        let Some(health) = self.networks.get_mut(&network) else { return };
        let mut event = Event::new(kind, at);
        event.network = Some(network);
        event.data.count = u64::try_from(count).ok();
        event.data.since = Some(since);
        event.data.say_why(reason);
        // The end of what was not sent is not sent either.
        if is_muted || !is_lost && !health.told {
            event.muted_by = Some(MutedBy::User);
        } else {
            health.told = is_lost;
        }
        events.push(event);
    }

    /// Sends what was not sent about networks while they were muted, where it still holds.
    pub(super) fn settle_networks(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        let untold: Vec<(IpNetwork, Option<Timestamp>)> = self
            .networks
            .iter()
            .filter(|(_, health)| health.told != health.unreachable_since.is_some())
            .map(|(network, health)| (*network, health.unreachable_since))
            .collect();
        for (network, since) in untold {
            if self.is_network_muted(network, at) {
                continue;
            }
            let count = self.members(network).count();
            let (kind, reason) = match since {
                Some(_) => (EventKind::SubnetUnreachable, Remark::NetworkSilent { network }),
                None => (EventKind::SubnetReachable, Remark::NetworkBack { network, found: None }),
            };
            self.announce_network(network, kind, count, reason, since.unwrap_or(at), at, events);
        }
    }
}
