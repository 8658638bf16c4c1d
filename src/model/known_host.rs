//! What earlier scans leave for the next one.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Credential;

/// The hosts that earlier scans know something about, by address.
pub type KnownHosts = HashMap<IpAddr, KnownHost>;

/// What is known about the logins of a host before it is asked anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownHost {
    /// The login that worked last: it is tried before the others.
    pub login: Option<Credential>,
    /// Refused logins that are still allowed; none: as many as the plan allows. Never more than those.
    pub refusals_left: Option<u32>,
}
