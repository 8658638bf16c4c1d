//! ARP (RFC 826): who has this address?

pub mod claims;
pub mod discover;
pub mod kernel;
pub mod raw;
pub mod wire;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};

use crate::model::{FindingKind, MacAddr, Method};
use crate::probe::{DiscoveryContext, Listener, ProtocolRows, Reads};
use wire::Claim;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows =
    ProtocolRows { finder: Some(discover::FINDER), listener: Some(LISTENER), ..ProtocolRows::NONE };

/// Requests and announcements: a camera out of the box asks for a gateway that is not there.
const LISTENER: Listener = Listener { method: Method::Arp, reads: Reads::Claims(claim_in) };

fn claim_in(frame: &[u8]) -> Option<(Ipv4Addr, MacAddr)> {
    wire::parse(frame).map(|claim| (claim.ip, claim.mac))
}

/// Emits that a host answered to ARP.
async fn emit(context: &DiscoveryContext, claim: Claim) {
    let ip = IpAddr::V4(claim.ip);
    // The host is looked at as soon as anything is known of it.
    if let Some(ports) = &context.ports {
        ports.note_station(claim.ip, claim.mac);
    }
    context.emit_by(ip, Some(claim.mac), FindingKind::Seen(Method::Arp)).await;
    context.emit_by(ip, Some(claim.mac), FindingKind::Mac(claim.mac)).await;
}
