//! What earlier scans leave for the next one.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Credential, Device, MacAddr, Way};

/// The hosts that earlier scans know something about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownHosts {
    hosts: HashMap<IpAddr, KnownHost>,
    /// The devices that offered Digest, wherever they are now.
    pub digest: Arc<DigestDevices>,
}

impl KnownHosts {
    /// None, and the devices that offered Digest.
    pub fn new(digest: Arc<DigestDevices>) -> Self {
        KnownHosts { hosts: HashMap::new(), digest }
    }

    /// What is known about the host at an address.
    pub fn get(&self, ip: &IpAddr) -> Option<&KnownHost> {
        self.hosts.get(ip)
    }

    /// Notes what is known about the host at an address.
    pub fn insert(&mut self, ip: IpAddr, host: KnownHost) {
        self.hosts.insert(ip, host);
    }
}

impl<const N: usize> From<[(IpAddr, KnownHost); N]> for KnownHosts {
    fn from(hosts: [(IpAddr, KnownHost); N]) -> Self {
        KnownHosts { hosts: hosts.into(), digest: Arc::default() }
    }
}

/// The devices that offered Digest once, by all they can be known by. None of them is sent a password in plain text, so that
/// a device which takes the address or the name of one does not get by Basic what that one was never shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DigestDevices {
    addresses: HashSet<IpAddr>,
    macs: HashSet<MacAddr>,
    /// In lower case.
    endpoints: HashSet<String>,
}

impl DigestDevices {
    /// Adds an address.
    pub fn add_address(&mut self, ip: IpAddr) {
        self.addresses.insert(ip);
    }

    /// Adds a MAC address, of the link or stated.
    pub fn add_mac(&mut self, mac: MacAddr) {
        self.macs.insert(mac);
    }

    /// Adds the UUID of an ONVIF endpoint or UPnP device.
    pub fn add_endpoint(&mut self, endpoint: &str) {
        self.endpoints.insert(endpoint.to_lowercase());
    }

    /// Whether one of them was last seen at an address.
    pub fn has_address(&self, ip: IpAddr) -> bool {
        self.addresses.contains(&ip)
    }

    /// Whether one of them has a MAC address.
    pub fn has_mac(&self, mac: MacAddr) -> bool {
        self.macs.contains(&mac)
    }

    /// Whether one of them has an endpoint.
    pub fn has_endpoint(&self, endpoint: &str) -> bool {
        !self.endpoints.is_empty() && self.endpoints.contains(&endpoint.to_lowercase())
    }
}

/// What is known about a host before it is asked anything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownHost {
    /// The login that worked last: it is tried before the others.
    pub login: Option<Credential>,
    /// Refused logins that are still allowed; none: as many as the plan allows. Never more than those.
    pub refusals_left: Option<u32>,
    /// The addresses of its streams, as they were last found.
    pub streams: Vec<String>,
    /// By which way the RTSP streams of a port last played, where that is not the first that is tried.
    pub ways: Vec<(u16, Way)>,
    /// The device, where it was analysed so recently that its streams are all that has to be proved. None: it is analysed
    /// in full.
    pub device: Option<Arc<KnownDevice>>,
}

/// A device as its last full analysis left it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownDevice {
    /// It.
    pub device: Device,
    /// When it was analysed.
    pub analysed_at: Timestamp,
}
