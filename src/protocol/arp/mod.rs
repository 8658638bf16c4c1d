//! ARP (RFC 826): who has this address?

pub mod claims;
pub mod discover;
pub mod kernel;
pub mod raw;
pub mod wire;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::model::{FindingKind, Method};
use crate::probe::{DiscoveryContext, ProtocolRows};
use wire::Claim;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { finder: Some(discover::FINDER), ..ProtocolRows::NONE };

/// Emits that a host answered to ARP.
async fn emit(context: &DiscoveryContext, claim: Claim) {
    let ip = IpAddr::V4(claim.ip);
    // The host is looked at as soon as anything is known of it.
    if let Some(ports) = &context.ports {
        ports.note_station(claim.ip, claim.mac);
    }
    context.emit(ip, FindingKind::Seen(Method::Arp)).await;
    context.emit(ip, FindingKind::Mac(claim.mac)).await;
}
