//! What earlier scans leave for the next one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Credential, Device, Way};

/// The hosts that earlier scans know something about, by address.
pub type KnownHosts = HashMap<IpAddr, KnownHost>;

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
