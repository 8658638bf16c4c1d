//! What earlier scans leave for the next one.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Credential, Device, MacAddr, Way};

/// The hosts that earlier scans know something about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownHosts {
    hosts: HashMap<IpAddr, KnownHost>,
    /// The devices whose password is not sent readable, wherever they are now.
    pub guarded: Arc<GuardedDevices>,
}

impl KnownHosts {
    /// None, and the devices whose password is not sent readable.
    pub fn new(guarded: Arc<GuardedDevices>) -> Self {
        KnownHosts { hosts: HashMap::new(), guarded }
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
        KnownHosts { hosts: hosts.into(), guarded: Arc::default() }
    }
}

/// How a device took logins once: its password is sent readable (Basic) no more in plain text, nor to a server with another
/// certificate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoginGuard {
    /// It offered Digest. If not, it took logins by TLS alone.
    pub offered_digest: bool,
    /// Its certificates, by [`Service::fingerprint`](super::Service::fingerprint); none where they were not noted yet.
    pub certificates: Option<BTreeSet<String>>,
}

impl LoginGuard {
    /// Whether a certificate is one of the device's.
    pub fn knows(&self, fingerprint: Option<&str>) -> bool {
        let is_among = |known: &BTreeSet<String>| fingerprint.is_some_and(|shown| known.contains(shown));
        self.certificates.as_ref().is_none_or(is_among)
    }
}

/// The devices that took logins by Digest or by TLS alone, by all they can be known by, so that a device which takes the
/// address or the name of one does not read the password that this one was never shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GuardedDevices {
    addresses: HashMap<IpAddr, Vec<LoginGuard>>,
    macs: HashMap<MacAddr, Vec<LoginGuard>>,
    /// In lower case.
    endpoints: HashMap<String, Vec<LoginGuard>>,
}

impl GuardedDevices {
    /// Adds one by an address.
    pub fn add_address(&mut self, ip: IpAddr, guard: &LoginGuard) {
        self.addresses.entry(ip).or_default().push(guard.clone());
    }

    /// Adds one by a MAC address, of the link or stated.
    pub fn add_mac(&mut self, mac: MacAddr, guard: &LoginGuard) {
        self.macs.entry(mac).or_default().push(guard.clone());
    }

    /// Adds one by the UUID of its ONVIF endpoint or UPnP device.
    pub fn add_endpoint(&mut self, endpoint: &str, guard: &LoginGuard) {
        self.endpoints.entry(endpoint.to_lowercase()).or_default().push(guard.clone());
    }

    /// Those last seen at an address.
    pub fn at(&self, ip: IpAddr) -> &[LoginGuard] {
        self.addresses.get(&ip).map_or(&[], Vec::as_slice)
    }

    /// Those with a MAC address.
    pub fn with_mac(&self, mac: MacAddr) -> &[LoginGuard] {
        self.macs.get(&mac).map_or(&[], Vec::as_slice)
    }

    /// Those with an endpoint.
    pub fn with_endpoint(&self, endpoint: &str) -> &[LoginGuard] {
        match self.endpoints.is_empty() {
            true => &[],
            false => self.endpoints.get(&endpoint.to_lowercase()).map_or(&[], Vec::as_slice),
        }
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
