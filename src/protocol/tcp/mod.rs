//! TCP: whether a host is there, and which of its ports are open, by SYN frames on the local links and by connects
//! everywhere. Connections are kept for a moment, for whoever speaks to the port first.

pub mod discover;
pub mod ports;
pub mod syn;

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

/// The ports that tell soonest whether a host is there: its own, then the `most` likeliest of the plan's.
fn telling_ports(own: &[u16], plan: &[u16], most: usize) -> Vec<u16> {
    let mut ports: Vec<u16> = Vec::new();
    let mut add = |port: u16, limit: usize| {
        if ports.len() < limit && !ports.contains(&port) && may_be_asked(port) {
            ports.push(port);
        }
        ports.len()
    };
    let limit = own.iter().map(|port| add(*port, usize::MAX)).last().unwrap_or(0).saturating_add(most);
    for port in TELLING.iter().filter(|p| plan.contains(p)).chain(plan) {
        add(*port, limit);
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
        let plan = [80, 9100, 9000, 554, 37777, 8554];
        assert_eq!(telling_ports(&[], &plan, 3), [554, 80, 8554]);
        assert_eq!(telling_ports(&[7001, 554, 9107], &plan, 2), [7001, 554, 80, 8554]);
        assert_eq!(telling_ports(&[], &[5000], 6), [5000]);
        assert_eq!(telling_ports(&[], &[], 6), [0u16; 0]);
    }
}
