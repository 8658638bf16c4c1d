//! TCP: whether a host is there, and which of its ports are open, by SYN frames on the local links and by connects
//! everywhere. Connections are kept for a moment, for whoever speaks to the port first.

pub mod discover;
pub mod ports;
pub mod syn;

use crate::model::PortList;
use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { finder: Some(discover::FINDER), ..ProtocolRows::NONE };

use std::time::Duration;

use crate::model::target::RAW_PRINT_PORTS;

/// An answer is waited for so many times as long as the slowest took that came …
const ROUND_TRIPS: u32 = 5;
/// … and this long at least.
const SHORTEST_WAIT: Duration = Duration::from_millis(400);

/// Ports that tell most: RTSP and the web pages and protocols of the large makers.
const TELLING: [u16; 8] = [554, 80, 443, 8000, 8554, 37777, 34567, 8080];

/// The ports of a plan, those first that tell most.
fn by_what_they_tell(plan: &[u16]) -> PortList {
    let telling = TELLING.iter().filter(|port| plan.contains(port));
    telling.chain(plan).copied().filter(|port| may_be_asked(*port)).collect()
}

/// The ports that tell soonest whether a host is there: its own, then the first `most` of `plan` that are none of them.
fn telling_ports(own: &[u16], plan: &PortList, most: usize) -> PortList {
    let mut ports: PortList = own.iter().copied().filter(|port| may_be_asked(*port)).collect();
    let limit = ports.len().saturating_add(most);
    for port in plan.iter() {
        if ports.len() >= limit {
            break;
        }
        ports.push(port);
    }
    ports
}

/// Whether a port may be connected to at all: printers print what comes to some.
fn may_be_asked(port: u16) -> bool {
    port != 0 && !RAW_PRINT_PORTS.contains(&port)
}

/// How long to wait for an answer, by the slowest of those that came from there: what drops what is closed would else
/// take minutes. `most` where none has come.
fn patience(slowest: Option<Duration>, most: Duration) -> Duration {
    slowest.map_or(most, |slowest| slowest.saturating_mul(ROUND_TRIPS).max(SHORTEST_WAIT).min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_ports_come_first_and_printers_never() {
        let plan = by_what_they_tell(&[80, 9100, 9000, 554, 37777, 8554, 80]);
        assert_eq!(plan.as_slice(), [554, 80, 8554, 37777, 9000]);
        assert_eq!(telling_ports(&[], &plan, 3).as_slice(), [554, 80, 8554]);
        assert_eq!(telling_ports(&[7001, 554, 9107], &plan, 2).as_slice(), [7001, 554, 80, 8554]);
        assert_eq!(telling_ports(&[], &by_what_they_tell(&[5000]), 6).as_slice(), [5000]);
        assert!(telling_ports(&[], &PortList::default(), 6).is_empty());
    }
}
