//! Passwords, kept so that they cannot be printed by accident.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize};

use super::MacAddr;

/// A text that never shows in `Debug`, `Display` or a serialised form.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself; call it only where the bytes go on the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Secret)
    }
}

/// A login the user gave, and the devices it is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// The devices it is meant for; empty means any.
    pub scope: CredentialScope,
    /// The password may go in plain text (Basic) also to a device that offers Digest elsewhere.
    pub allow_basic: bool,
    /// The password may go in the address of a request (in plain text) also where the device demanded no login or offers
    /// Digest.
    pub allow_in_path: bool,
}

impl Credential {
    /// A login for any device.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Credential {
            user: user.into(),
            password: Secret::new(password),
            scope: CredentialScope::default(),
            allow_basic: false,
            allow_in_path: false,
        }
    }
}

/// Which devices a login is meant for. Every condition that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CredentialScope {
    /// Addresses.
    pub network: Option<ipnetwork::IpNetwork>,
    /// Vendor name, compared without regard to case.
    pub vendor: Option<String>,
    /// A MAC address or prefix as lower-case hex digits without separators.
    pub mac_prefix: Option<String>,
    /// The ONVIF endpoint or UPnP device: one that states another is not meant, one that states none may be.
    pub endpoint: Option<String>,
    /// Vendor and MAC address may be the device's own word, rather than what the link shows.
    pub trust_announced: bool,
}

/// What showed that a device was itself when a login was given for it alone. What a device states of itself anybody can read
/// off it and state as well.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Anchor {
    /// The MAC address that the link showed of it, and of no other device.
    Link {
        /// It.
        mac: MacAddr,
    },
    /// Where the link shows none, or one for many: its address.
    Place {
        /// It.
        ip: IpAddr,
        /// The endpoint it stated there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
        /// The TLS certificates it showed there, as fingerprints ([`Service::fingerprint`](super::Service::fingerprint)).
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        certificates: BTreeSet<String>,
    },
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Anchor::Link { mac } => write!(f, "link {mac}"),
            Anchor::Place { ip, endpoint, certificates } => {
                write!(f, "place {ip}")?;
                endpoint.iter().chain(certificates).try_for_each(|part| write!(f, " {part}"))
            }
        }
    }
}

impl CredentialScope {
    /// Whether a device with these facts is meant. A condition on a fact that is not known does not hold.
    pub fn covers(&self, ip: std::net::IpAddr, vendor: Option<&str>, mac: Option<MacAddr>) -> bool {
        self.network.is_none_or(|net| net.contains(ip))
            && self.vendor.as_deref().is_none_or(|want| vendor.is_some_and(|v| v.eq_ignore_ascii_case(want)))
            && self.mac_prefix.as_deref().is_none_or(|prefix| {
                mac.is_some_and(|m| m.0.iter().map(|b| format!("{b:02x}")).collect::<String>().starts_with(prefix))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints() {
        let c = Credential::new("admin", "hunter2");
        assert!(!format!("{c:?} {}", c.password).contains("hunter2"));
    }

    #[test]
    fn every_condition_must_hold() {
        let ip = "192.0.2.7".parse().unwrap();
        let scope = CredentialScope {
            network: "192.0.2.0/24".parse().ok(),
            vendor: Some("axis".into()),
            mac_prefix: Some("accc8e".into()),
            ..CredentialScope::default()
        };
        let mac = "ac:cc:8e:00:00:01".parse().ok();
        assert!(scope.covers(ip, Some("Axis"), mac));
        assert!(!scope.covers(ip, None, mac));
        assert!(!scope.covers("198.51.100.1".parse().unwrap(), Some("Axis"), mac));
        assert!(CredentialScope::default().covers(ip, None, None));
    }
}
