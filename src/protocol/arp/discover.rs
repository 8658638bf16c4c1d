//! Finds the hosts of the local links by ARP, on the best rung there is: our own frames, else the kernel's table, else
//! it leaves the addresses to TCP.

use std::io;
use std::net::Ipv4Addr;

use futures::future::join_all;

use super::claims::Claims;
use super::wire::Claim;
use super::{kernel, raw};
use crate::model::coverage::Unable;
use crate::model::{MacAddr, Method};
use crate::net::link::LinkKind;
use crate::probe::sweep::{AddressList, Segment, segments};
use crate::probe::{DiscoveryContext, Finder};
use crate::protocol::tcp::discover as tcp;

/// The ARP sweep.
pub const FINDER: Finder = Finder { method: Method::Arp, find: |context| Box::pin(find(context)) };

async fn find(context: &DiscoveryContext) -> Result<(), Unable> {
    let targets = AddressList::of_targets(&context.plan.targets);
    let segments = segments(&targets, &context.interfaces);
    if segments.iter().any(|segment| !segment.addresses.is_empty()) {
        context.askers.note(Method::Arp);
    }
    let outcomes = join_all(segments.iter().map(|segment| sweep(context, segment))).await;
    if outcomes.iter().any(|o| o.rung == Rung::Kernel) {
        context.warn(HINT);
    }
    let failed = outcomes.iter().filter_map(|o| o.failure.as_ref()).next();
    let by_tcp = context.plan.methods.contains(&Method::Tcp);
    match failed {
        Some(why) if !by_tcp => Err(Unable::by(
            why,
            format!(
                "the local link cannot be asked by ARP: {why}\nhint: add tcp to the methods, which needs no privilege"
            ),
        )),
        _ => Ok(()),
    }
}

const HINT: &str = "without the right to send raw frames the local links are asked through the kernel, which takes \
                    longer\nhint: `sudo setcap cap_net_raw+ep $(command -v camscan)` grants it for good";

/// How a segment was swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    Raw,
    Kernel,
    Tcp,
}

struct Outcome {
    rung: Rung,
    failure: Option<io::Error>,
}

async fn sweep(context: &DiscoveryContext, segment: &Segment) -> Outcome {
    for ip in &segment.own {
        if let Some(mac) = segment.interface.mac {
            super::emit(context, Claim { ip: *ip, mac }).await;
        }
    }
    if segment.addresses.is_empty() {
        return Outcome { rung: Rung::Raw, failure: None };
    }
    let raw = async { raw::sweep(context, segment, &*context.net.link(&segment.interface, LinkKind::Arp)?).await };
    let refused = match raw.await {
        Ok(claims) => {
            settle_contested(context, segment, &claims).await;
            prove(context, segment, &claims).await;
            return Outcome { rung: Rung::Raw, failure: None };
        }
        Err(error) => error,
    };
    tracing::debug!("{}: no raw frames: {refused}", segment.interface.name);
    match kernel::sweep(context, segment).await {
        Ok(outcome) => {
            settle_contested(context, segment, &outcome.claims).await;
            prove(context, segment, &outcome.claims).await;
            leave_over(context, segment, outcome.unasked).await;
            let may_be_granted = refused.kind() == io::ErrorKind::PermissionDenied;
            Outcome { rung: if may_be_granted { Rung::Kernel } else { Rung::Raw }, failure: None }
        }
        Err(error) => {
            tracing::debug!("{}: no neighbour table: {error}", segment.interface.name);
            tcp::prove(context, &segment.addresses).await;
            Outcome { rung: Rung::Tcp, failure: Some(refused) }
        }
    }
}

/// Emits the second of two stations that claim an address, and warns of both: only one of the two is inspected.
async fn settle_contested(context: &DiscoveryContext, segment: &Segment, claims: &Claims) {
    /// Addresses that are named.
    const MOST: usize = 3;
    for rival in claims.rivals() {
        super::emit(context, rival).await;
    }
    let contested = claims.contested();
    if contested.is_empty() {
        return;
    }
    let named = contested.iter().take(MOST).map(|(ip, [one, other])| format!("{ip} by {one} and {other}"));
    let named: Vec<String> = named.collect();
    let more = match contested.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    context.warn(format!(
        "addresses on {} are claimed by two stations: {}{more}\nhint: give one of the two another address; only one of \
         them could be inspected",
        segment.interface.name,
        named.join(", "),
    ));
}

/// Has TCP prove the addresses that only somebody claims who claims nearly all.
async fn prove(context: &DiscoveryContext, segment: &Segment, claims: &Claims) {
    let (addresses, macs) = claims.unproven();
    if addresses.is_empty() {
        return;
    }
    let macs: Vec<String> = macs.iter().take(3).map(MacAddr::to_string).collect();
    context.warn(format!(
        "{} answers ARP on {} for {} addresses; they count as hosts only where something answers over TCP",
        macs.join(", "),
        segment.interface.name,
        addresses.len(),
    ));
    tcp::prove(context, &AddressList::of(addresses)).await;
}

/// The kernel's table was full of living neighbours to the end.
async fn leave_over(context: &DiscoveryContext, segment: &Segment, unasked: Vec<Ipv4Addr>) {
    if unasked.is_empty() {
        return;
    }
    context.warn(format!(
        "the kernel's neighbour table is full: {} addresses on {} could not be asked by ARP\nhint: raise \
         net.ipv4.neigh.default.gc_thresh3",
        unasked.len(),
        segment.interface.name,
    ));
    tcp::prove(context, &AddressList::of(unasked)).await;
}
