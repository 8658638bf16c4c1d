//! What an answer to a maker's question says, in one form for all of them. Pure.

use std::net::{IpAddr, Ipv4Addr};

use super::Maker;
use crate::identify::signature::Field;
use crate::model::stream::url_host;
use crate::model::{
    Activation, EvidenceSource, Fact, FindingKind, Kind, MacAddr, Method, NetworkSettings, Protocol, Service, Transport,
};
use crate::probe::evidence::Facts;

/// A device's word on itself. Texts are as sent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Device {
    /// The maker, with the weight of that word: a protocol many brands share says less than a name.
    pub vendor: Option<(String, f64)>,
    /// The model.
    pub model: Option<String>,
    /// The serial number.
    pub serial: Option<String>,
    /// The firmware.
    pub firmware: Option<String>,
    /// The name the operator gave it.
    pub name: Option<String>,
    /// The MAC address.
    pub mac: Option<MacAddr>,
    /// The address it says it has.
    pub ip: Option<Ipv4Addr>,
    /// How it says its network is set up.
    pub network: NetworkSettings,
    /// Whether it was ever set up.
    pub activation: Option<Activation>,
    /// What it is, with the weight of that word.
    pub kind: Option<(Kind, f64)>,
    /// The port of its web pages.
    pub http_port: Option<u16>,
    /// The same over TLS.
    pub https_port: Option<u16>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

impl Device {
    /// What it says of the host that sent it.
    pub fn facts(&self, maker: &Maker, sender: IpAddr) -> Facts {
        let beacon = EvidenceSource::Beacon;
        let mut facts = Facts::default();
        facts.findings.push(FindingKind::Seen(Method::Beacon));
        let mut service = Service::new(maker.protocol, Transport::Udp, maker.port);
        service.notes.clone_from(&self.notes);
        facts.findings.push(FindingKind::Service(service));
        let read_in = |field: &str| format!("{} discovery, {field}", maker.name);
        if let Some((vendor, weight)) = &self.vendor {
            facts.word(Fact::Vendor, Some(vendor), beacon, *weight, &read_in("maker"));
        }
        facts.word(Fact::Model, self.model.as_deref(), beacon, 0.8, &read_in("model"));
        facts.word(Fact::Serial, self.serial.as_deref(), beacon, 0.8, &read_in("serial number"));
        facts.word(Fact::Firmware, self.firmware.as_deref(), beacon, 0.8, &read_in("firmware"));
        facts.word(Fact::Name, self.name.as_deref(), beacon, 0.4, &read_in("name"));
        facts.add_text(Field::Model, self.model.as_deref());
        if let Some((kind, weight)) = self.kind {
            facts.kind(kind, beacon, weight, &format!("{} discovery", maker.name));
        }
        facts.mac(self.mac);
        facts.findings.extend(self.activation.map(FindingKind::Activation));
        facts.findings.extend((!self.network.is_empty()).then_some(FindingKind::Network(self.network)));
        facts.findings.extend(self.further_address(sender).map(FindingKind::Address));
        for (protocol, port) in [(Protocol::Http, self.http_port), (Protocol::Https, self.https_port)] {
            if let Some(port) = port.filter(|p| *p != 0) {
                let mut service = Service::new(protocol, Transport::Tcp, port);
                service.url = Some(format!("{protocol}://{}:{port}/", url_host(sender)));
                facts.findings.push(FindingKind::Announced(service));
            }
        }
        facts
    }

    /// The address it says it has, where that is another than it answers from and one a host can have.
    fn further_address(&self, sender: IpAddr) -> Option<IpAddr> {
        let ip = self.ip?;
        let odd =
            ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] >= 240;
        (!odd && IpAddr::V4(ip) != sender).then_some(ip.into())
    }
}
