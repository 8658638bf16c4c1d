//! What concerns a device's place on its network: whether it can be reached, whether it was ever set up, which address it
//! gave itself, and what about it needs somebody's attention.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::names::names;

names! {
    /// Why a device that was heard is not reached.
    pub enum Reach {
        /// Its address is in no subnet of this machine, so that it was only heard on the link and sent nothing.
        OtherSubnet = "other_subnet",
    }
}

names! {
    /// Whether a device was ever set up, by its own word. Of two words the one that needs somebody's attention counts.
    pub enum Activation {
        /// It has no password yet: whoever comes first sets it.
        NotActivated = "not_activated",
        /// It is as it left the factory.
        FactoryDefault = "factory_default",
        /// It was set up.
        Activated = "activated",
    }
}

impl Activation {
    /// Whether somebody still has to set the device up.
    pub fn is_due(self) -> bool {
        self != Activation::Activated
    }
}

/// The program with which a maker's new devices are set up, as its manuals name it.
pub fn setup_tool(vendor: &str) -> Option<&'static str> {
    const TOOLS: &[(&str, &str)] = &[
        ("hikvision", "SADP"),
        ("dahua", "ConfigTool"),
        ("hanwha", "Wisenet Device Manager"),
        ("samsung", "Wisenet Device Manager"),
        ("axis", "AXIS Device Manager"),
    ];
    let vendor = vendor.to_ascii_lowercase();
    TOOLS.iter().find(|(name, _)| vendor.contains(name)).map(|(_, tool)| *tool)
}

/// How a device says its network is set up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NetworkSettings {
    /// Its subnet mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netmask: Option<Ipv4Addr>,
    /// Its default gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv4Addr>,
    /// Whether it has its address from DHCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<bool>,
}

impl NetworkSettings {
    /// Settings as a device states them; a mask that is none and a gateway no host can have are left out.
    pub fn stated(netmask: Option<Ipv4Addr>, gateway: Option<Ipv4Addr>, dhcp: Option<bool>) -> Self {
        NetworkSettings {
            netmask: netmask.filter(|mask| prefix_of(*mask).is_some_and(|prefix| prefix > 0)),
            gateway: gateway.filter(|ip| is_host(*ip)),
            dhcp,
        }
    }

    /// Whether nothing is stated.
    pub fn is_empty(&self) -> bool {
        *self == NetworkSettings::default()
    }

    /// The length of the mask's prefix.
    pub fn prefix(&self) -> Option<u8> {
        prefix_of(self.netmask?)
    }
}

/// The length of a mask's prefix; none when its ones are not in one piece.
fn prefix_of(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    let prefix = bits.leading_ones();
    (bits.checked_shl(prefix).unwrap_or(0) == 0).then_some(u8::try_from(prefix).unwrap_or(32))
}

/// Whether one host can have an address as its own on a network.
pub fn is_host(ip: Ipv4Addr) -> bool {
    let [first, ..] = ip.octets();
    first != 0 && first < 224 && !ip.is_loopback()
}

names! {
    /// What about a device needs somebody's attention.
    pub enum WarningKind {
        /// It is in a subnet that this machine has no address in.
        OtherSubnet = "other_subnet",
        /// It has no password yet, or is as it left the factory.
        NotActivated = "not_activated",
        /// Another device has the same address.
        AddressConflict = "address_conflict",
        /// Another device states the same serial number.
        DuplicateSerial = "duplicate_serial",
        /// Another device states the same ONVIF endpoint or UPnP identity.
        DuplicateEndpoint = "duplicate_endpoint",
        /// Its mask or gateway does not fit the network it is on.
        NetworkMismatch = "network_mismatch",
        /// Its address comes from DHCP and may change.
        DynamicAddress = "dynamic_address",
        /// Its clock is wrong by more than five minutes.
        ClockWrong = "clock_wrong",
        /// The time of its TLS certificate is over.
        CertificateExpired = "certificate_expired",
    }
}

/// Something about a device that needs somebody's attention.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Warning {
    /// What kind.
    pub kind: WarningKind,
    /// What is so, in one sentence, cleaned.
    pub message: String,
    /// What can be done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The other devices it is about, in short, 32 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_gateways_that_are_none_are_left_out() {
        let ip = |text: &str| text.parse::<Ipv4Addr>().ok();
        let stated = |mask, gateway| NetworkSettings::stated(ip(mask), ip(gateway), None);
        assert_eq!(stated("255.255.254.0", "192.0.2.1").prefix(), Some(23));
        assert_eq!(stated("255.255.255.255", "192.0.2.1").prefix(), Some(32));
        for mask in ["255.0.255.0", "0.0.0.0", "192.168.1.108"] {
            assert_eq!(stated(mask, "192.0.2.1").netmask, None, "{mask}");
        }
        for gateway in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"] {
            assert!(stated("0.0.0.0", gateway).is_empty(), "{gateway}");
        }
    }
}
