//! Everything known about one host, and the only rule by which findings are merged into it.
//!
//! Discovery and the inspection of a host work side by side, so findings arrive in any order. The result must not depend on
//! it: learning is commutative and idempotent. Where two findings disagree, what they say decides, never which came last.
//! Lists are bounded, since a device can make us keep what it likes; a full list keeps the entries that sort first, which
//! are the same whatever the order. [`HostRecord::services`], [`HostRecord::streams`], [`HostRecord::channels`] and
//! [`HostRecord::hints`] list their entries in the order they became known, because that is the order in which an
//! inspection goes through them; *which* entries there are and what stands in them does not depend on it.

mod channel;
mod hint;
mod list;
mod service;
mod stream;

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;

use super::finding::StreamHint;
use super::{
    Activation, Channel, Evidence, Fact, FindingKind, LoginAttempts, MacAddr, Method, NetworkSettings, Service,
    StageError, Stream,
};
use list::{insert_bounded, learn_entry};
use service::ServiceRecord;

/// The most entries of each list of one host; more is an attack or a defect.
pub const MOST_PER_HOST: usize = 512;

/// What is known about one host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostRecord {
    link_mac: Option<MacAddr>,
    /// The link showed several.
    link_is_disputed: bool,
    stated_mac: Option<MacAddr>,
    endpoint_id: Option<String>,
    addresses: BTreeSet<IpAddr>,
    network: NetworkSettings,
    activation: Option<Activation>,
    heard_on: Option<String>,
    clock: Option<i64>,
    certificate_end: Option<Timestamp>,
    methods: BTreeSet<Method>,
    services: Vec<ServiceRecord>,
    refused: BTreeSet<u16>,
    /// Sorted by [`Evidence::cmp_rank`], no two alike.
    evidence: Vec<Evidence>,
    hints: Vec<StreamHint>,
    streams: Vec<Stream>,
    channels: Vec<Channel>,
    errors: BTreeSet<StageError>,
    analysed_at: Option<Timestamp>,
    login_attempts: Option<LoginAttempts>,
    offers_digest: bool,
    is_done: bool,
}

impl HostRecord {
    /// A host nothing is known about.
    pub fn new() -> Self {
        HostRecord::default()
    }

    /// Adds what a finding says.
    ///
    /// - Of several MAC addresses, endpoint IDs and texts of one kind the one that sorts first counts; a MAC address seen on
    ///   the link counts before a stated one. MAC addresses no station can have are ignored.
    /// - What a service answered itself counts before what was announced about it ([`FindingKind::Announced`]); a finding
    ///   that leaves a field open takes nothing away. The longer text says more.
    /// - Of several clocks the one that is least wrong counts, of several certificates the one that ends first, and of
    ///   several words on the activation the one that needs somebody's attention.
    /// - A port that refuses has no service, whatever announces one.
    /// - Of two analyses of one stream the one that got further counts.
    pub fn learn(&mut self, kind: FindingKind) {
        match kind {
            FindingKind::Seen(method) => {
                self.methods.insert(method);
            }
            FindingKind::Mac(mac) if mac.is_station() => {
                self.link_is_disputed |= self.link_mac.is_some_and(|known| known != mac);
                keep_least(&mut self.link_mac, mac);
            }
            FindingKind::StatedMac(mac) if mac.is_station() => keep_least(&mut self.stated_mac, mac),
            FindingKind::Mac(_) | FindingKind::StatedMac(_) => {}
            FindingKind::EndpointId(id) => keep_least(&mut self.endpoint_id, id),
            FindingKind::Address(ip) => insert_bounded(&mut self.addresses, ip),
            FindingKind::Network(network) => self.learn_network(network),
            FindingKind::Activation(activation) => keep_least(&mut self.activation, activation),
            FindingKind::HeardOn(interface) => keep_least(&mut self.heard_on, interface),
            FindingKind::Clock(ahead) => {
                let known = self.clock.map(|known| (known.unsigned_abs(), known));
                self.clock = known.into_iter().chain([(ahead.unsigned_abs(), ahead)]).min().map(|(_, least)| least);
            }
            FindingKind::CertificateEnd(end) => keep_least(&mut self.certificate_end, end),
            FindingKind::Service(service) => learn_entry(&mut self.services, ServiceRecord::of_answer(service)),
            FindingKind::Announced(service) => learn_entry(&mut self.services, ServiceRecord::announced(service)),
            FindingKind::Refuses(port) => insert_bounded(&mut self.refused, port),
            FindingKind::Evidence(evidence) => self.learn_evidence(evidence),
            FindingKind::StreamHint(hint) => learn_entry(&mut self.hints, hint),
            FindingKind::Stream(stream) => learn_entry(&mut self.streams, *stream),
            FindingKind::Channel(channel) => learn_entry(&mut self.channels, *channel),
            FindingKind::Error(error) => insert_bounded(&mut self.errors, error),
            FindingKind::AnalysedAt(at) => keep_least(&mut self.analysed_at, at),
            FindingKind::LoginAttempts(attempts) => self.login_attempts = self.login_attempts.max(Some(attempts)),
            FindingKind::OffersDigest => self.offers_digest = true,
            FindingKind::Done => self.is_done = true,
        }
    }

    /// Adds all that another record of the same host knows.
    pub fn absorb(&mut self, other: &HostRecord) {
        let is_other = self.link_mac.zip(other.link_mac).is_some_and(|(own, other)| own != other);
        self.link_is_disputed |= other.link_is_disputed || is_other;
        self.link_mac = self.link_mac.into_iter().chain(other.link_mac).min();
        self.stated_mac = self.stated_mac.into_iter().chain(other.stated_mac).min();
        other.endpoint_id.iter().for_each(|id| keep_least(&mut self.endpoint_id, id.clone()));
        other.addresses.iter().for_each(|ip| insert_bounded(&mut self.addresses, *ip));
        self.learn_network(other.network);
        let single = [
            other.activation.map(FindingKind::Activation),
            other.heard_on.clone().map(FindingKind::HeardOn),
            other.clock.map(FindingKind::Clock),
            other.certificate_end.map(FindingKind::CertificateEnd),
            other.analysed_at.map(FindingKind::AnalysedAt),
            other.login_attempts.map(FindingKind::LoginAttempts),
            other.offers_digest.then_some(FindingKind::OffersDigest),
            other.is_done.then_some(FindingKind::Done),
        ];
        single.into_iter().flatten().for_each(|kind| self.learn(kind));
        self.methods.extend(&other.methods);
        other.services.iter().for_each(|service| learn_entry(&mut self.services, service.clone()));
        other.refused.iter().for_each(|port| insert_bounded(&mut self.refused, *port));
        other.evidence.iter().for_each(|evidence| self.learn_evidence(evidence.clone()));
        other.hints.iter().for_each(|hint| learn_entry(&mut self.hints, hint.clone()));
        other.streams.iter().for_each(|stream| learn_entry(&mut self.streams, stream.clone()));
        other.channels.iter().for_each(|channel| learn_entry(&mut self.channels, channel.clone()));
        other.errors.iter().for_each(|error| insert_bounded(&mut self.errors, error.clone()));
    }

    fn learn_network(&mut self, new: NetworkSettings) {
        let known = &mut self.network;
        known.netmask = known.netmask.into_iter().chain(new.netmask).min();
        known.gateway = known.gateway.into_iter().chain(new.gateway).min();
        known.dhcp = known.dhcp.into_iter().chain(new.dhcp).min();
    }

    fn learn_evidence(&mut self, evidence: Evidence) {
        if let Err(at) = self.evidence.binary_search_by(|known| known.cmp_rank(&evidence)) {
            self.evidence.insert(at, evidence);
            self.evidence.truncate(MOST_PER_HOST);
        }
    }

    /// Its MAC address: as the link shows it, else as the device states it.
    pub fn mac(&self) -> Option<MacAddr> {
        self.link_mac.or(self.stated_mac)
    }

    /// The MAC address the link shows (ARP, the neighbour table). A device cannot choose it as freely as what it states
    /// about itself. None for hosts behind a router.
    pub fn link_mac(&self) -> Option<MacAddr> {
        self.link_mac
    }

    /// The same, where the link showed one alone: of several that answer for an address, any may be the one that is sent to.
    pub fn own_link_mac(&self) -> Option<MacAddr> {
        self.link_mac.filter(|_| !self.link_is_disputed)
    }

    /// The MAC address it states as its own.
    pub fn stated_mac(&self) -> Option<MacAddr> {
        self.stated_mac
    }

    /// The UUID of its ONVIF endpoint or UPnP device.
    pub fn endpoint_id(&self) -> Option<&str> {
        self.endpoint_id.as_deref()
    }

    /// Further addresses it states as its own.
    pub fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.addresses
    }

    /// How it says its network is set up.
    pub fn network(&self) -> NetworkSettings {
        self.network
    }

    /// Whether it was ever set up, by its own word.
    pub fn activation(&self) -> Option<Activation> {
        self.activation
    }

    /// The interface of this machine it was heard on, where it is in another subnet.
    pub fn heard_on(&self) -> Option<&str> {
        self.heard_on.as_deref()
    }

    /// How many seconds its clock is ahead of this machine's.
    pub fn clock(&self) -> Option<i64> {
        self.clock
    }

    /// When the first of its TLS certificates ends.
    pub fn certificate_end(&self) -> Option<Timestamp> {
        self.certificate_end
    }

    /// The discovery methods it answered to.
    pub fn methods(&self) -> &BTreeSet<Method> {
        &self.methods
    }

    /// Its services, in the order they became known; those on ports that refuse are left out.
    pub fn services(&self) -> Vec<Service> {
        self.services.iter().filter(|s| !s.is_on(&self.refused)).map(ServiceRecord::service).collect()
    }

    /// Its streams, in the order they were analysed.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// The channels it lists, in the order they became known.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The stream addresses announced, in the order they became known.
    pub fn hints(&self) -> &[StreamHint] {
        &self.hints
    }

    /// What was said about it, the strongest first.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// The serial number with the strongest evidence.
    pub fn serial(&self) -> Option<&str> {
        self.evidence.iter().find(|e| e.fact == Fact::Serial).map(|e| e.value.as_str())
    }

    /// What went wrong.
    pub fn errors(&self) -> &BTreeSet<StageError> {
        &self.errors
    }

    /// When it was analysed in full, where that was before this scan.
    pub fn analysed_at(&self) -> Option<Timestamp> {
        self.analysed_at
    }

    /// The logins used so far; none when none was tried.
    pub fn login_attempts(&self) -> Option<LoginAttempts> {
        self.login_attempts
    }

    /// Whether it offered Digest, over whichever protocol.
    pub fn offers_digest(&self) -> bool {
        self.offers_digest
    }

    /// Whether its inspection has ended.
    pub fn is_done(&self) -> bool {
        self.is_done
    }
}

/// Keeps the value that sorts first.
fn keep_least<T: Ord>(known: &mut Option<T>, new: T) {
    if known.as_ref().is_none_or(|known| new < *known) {
        *known = Some(new);
    }
}

#[cfg(test)]
mod tests;
