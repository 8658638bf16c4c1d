//! The warnings that say how to go on: how to reach a device in another subnet, and how to set up a new one. The commands
//! are shown, never run.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::Ipv4Network;

use super::{Surroundings, free_address};
use crate::model::site::setup_tool;
use crate::model::{Activation, Device, Warning, WarningKind};

/// The prefix assumed for a network whose mask is not known.
const USUAL_PREFIX: u8 = 24;

/// That a device is in another subnet, and how this machine gets an address there and gives it up again.
pub(super) fn other_subnet(device: &Device, surroundings: &Surroundings, taken: &BTreeSet<IpAddr>) -> Warning {
    let interface = device.heard_on.as_deref();
    let heard = interface.map(|name| format!(" on {name}")).unwrap_or_default();
    let message = format!("was heard{heard}, and is in a subnet that this machine has no address in");
    Warning {
        kind: WarningKind::OtherSubnet,
        message,
        hint: way_there(device, surroundings.system, interface, taken),
        others: Vec::new(),
    }
}

fn way_there(device: &Device, system: &str, interface: Option<&str>, taken: &BTreeSet<IpAddr>) -> Option<String> {
    let IpAddr::V4(ip) = device.ip else { return None };
    let prefix = device.network.and_then(|network| network.prefix()).filter(|prefix| (8..=30).contains(prefix));
    let prefix = prefix.unwrap_or(if ip.is_link_local() { 16 } else { USUAL_PREFIX });
    let network = Ipv4Network::new(ip, prefix).ok()?;
    let gateway = device.network.and_then(|network| network.gateway);
    let is_taken = |other: Ipv4Addr| other == ip || Some(other) == gateway || taken.contains(&IpAddr::V4(other));
    let own = free_address(network, is_taken)?;
    Some(commands(system, interface, own, network.mask(), prefix))
}

fn commands(system: &str, interface: Option<&str>, own: Ipv4Addr, mask: Ipv4Addr, prefix: u8) -> String {
    match system {
        "macos" => {
            let on = interface.unwrap_or("en0");
            format!(
                "give this machine an address there: sudo ifconfig {on} alias {own} {mask}; undo: sudo ifconfig {on} -alias {own}"
            )
        }
        "windows" => {
            let on = interface.unwrap_or("Ethernet");
            format!(
                "give this machine an address there, as administrator: netsh interface ipv4 add address \"{on}\" {own} \
                 {mask}; undo: netsh interface ipv4 delete address \"{on}\" {own}"
            )
        }
        _ => {
            let on = interface.unwrap_or("eth0");
            format!(
                "give this machine an address there: sudo ip addr add {own}/{prefix} dev {on}; undo: sudo ip addr del \
                 {own}/{prefix} dev {on}"
            )
        }
    }
}

/// That a device still has to be set up, and how its maker wants that done.
pub(super) fn not_activated(device: &Device, state: Activation) -> Warning {
    let message = match state {
        Activation::NotActivated => "has no password yet: whoever comes first sets it",
        Activation::FactoryDefault | Activation::Activated => "is as it left the factory",
    };
    Warning {
        kind: WarningKind::NotActivated,
        message: message.to_owned(),
        hint: Some(way_to_activate(device)),
        others: Vec::new(),
    }
}

/// The makers' ways, as their manuals describe them; camscan sets no password.
fn way_to_activate(device: &Device) -> String {
    let page = match device.ip {
        IpAddr::V4(ip) => format!("http://{ip}/"),
        IpAddr::V6(ip) => format!("http://[{ip}]/"),
    };
    let tool = device.vendor.as_deref().and_then(setup_tool);
    let tool = tool.map(|tool| format!(" or with the maker's {tool}")).unwrap_or_default();
    format!("set its password on its page {page}{tool}, and give it an address of your network")
}
