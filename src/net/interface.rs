//! The machine's network interfaces.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::model::MacAddr;

/// One interface that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name (`eth0`).
    pub name: String,
    /// Its index in the kernel.
    pub index: u32,
    /// Its MAC address, where it has one.
    pub mac: Option<MacAddr>,
    /// Its addresses with their prefixes.
    pub addresses: Vec<IpNetwork>,
    /// Whether it is the loopback.
    pub loopback: bool,
    /// Whether it joins two points only (VPN, PPP): no neighbours, no broadcast.
    pub point_to_point: bool,
}

impl Interface {
    /// Whether `ip` is on the same link, the interface's own address included.
    pub fn is_on_link(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|net| net.contains(ip))
    }

    /// Its IPv4 address on the network of `ip`, else its first.
    pub fn source_for(&self, ip: IpAddr) -> Option<IpAddr> {
        let same = |net: &&IpNetwork| net.ip().is_ipv4() == ip.is_ipv4();
        self.addresses
            .iter()
            .filter(same)
            .find(|net| net.contains(ip))
            .or_else(|| self.addresses.iter().find(same))
            .map(IpNetwork::ip)
    }
}
