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

/// Which packets the kernel drops for who sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderCheck {
    /// Those from addresses that it has no route to through the interface they came by.
    Strict,
    /// Those from addresses that it has no route to at all.
    Loose,
}

/// The interfaces of this machine that are up, in the kernel's order.
pub(super) fn of_this_machine() -> std::io::Result<Vec<Interface>> {
    let hardware = super::platform::hardware();
    let mut found: Vec<Interface> = Vec::new();
    for address in if_addrs::get_if_addrs()? {
        let Some(network) = network_of(&address.addr) else { continue };
        let Some(index) = address.index else { continue };
        if let Some(known) = found.iter_mut().find(|i| i.index == index) {
            known.addresses.push(network);
            continue;
        }
        let hardware = hardware.iter().find(|h| h.name == address.name);
        if !hardware.map_or_else(|| address.is_oper_up(), |h| h.up) {
            continue;
        }
        found.push(Interface {
            loopback: address.is_loopback(),
            point_to_point: address.is_p2p,
            name: address.name,
            index,
            mac: hardware.and_then(|h| h.mac),
            addresses: vec![network],
        });
    }
    found.sort_by_key(|i| i.index);
    Ok(found)
}

fn network_of(address: &if_addrs::IfAddr) -> Option<IpNetwork> {
    let (ip, prefix) = match address {
        if_addrs::IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen),
        if_addrs::IfAddr::V6(v6) => (IpAddr::V6(v6.ip), v6.prefixlen),
    };
    IpNetwork::new(ip, prefix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_found_with_its_network() {
        let found = of_this_machine().unwrap();
        let lo = found.iter().find(|i| i.loopback).unwrap();
        assert!(lo.is_on_link("127.4.5.6".parse().unwrap()), "{lo:?}");
        assert_eq!(lo.mac, None);
        assert!(lo.index > 0);
    }
}
