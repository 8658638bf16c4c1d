//! Which ports of one host are open.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::may_be_asked;
use crate::model::ErrorKind;
use crate::net::NetError;
use crate::probe::HostContext;

/// What the ports of a host said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortOutcomes {
    /// Took the connection, in the order they answered.
    pub open: Vec<u16>,
    /// Refused it.
    pub refused: Vec<u16>,
    /// Said nothing, even when asked again.
    pub timed_out: Vec<u16>,
    /// Could not be reached: the network said that the host or the port cannot be had.
    pub unreachable: Vec<u16>,
    /// Failed for another reason, most often one of this machine's.
    pub failed: Vec<u16>,
    /// The host takes connections to any port there is, so that an open port says nothing; the ports that were left
    /// have not been asked.
    pub takes_any_port: bool,
}

impl PortOutcomes {
    /// How many ports have been asked.
    pub fn asked(&self) -> usize {
        self.open.len() + self.refused.len() + self.timed_out.len() + self.unreachable.len() + self.failed.len()
    }

    /// Whether anything has come from the host itself.
    pub fn answered(&self) -> bool {
        !self.open.is_empty() || !self.refused.is_empty()
    }

    fn looks_too_open(&self) -> bool {
        self.open.len() >= SUSPICIOUS && self.open.len() * 10 > self.asked() * 9
    }
}

/// So many open ports, and hardly another: ports nobody listens on are asked before the rest is.
const SUSPICIOUS: usize = 8;
/// How many such ports, and how many of them must be open too.
const DECOYS: usize = 4;
const DECOYS_OPEN: usize = 3;
/// A port is given so many round trips of those that have answered …
const ROUND_TRIPS: u32 = 12;
/// … and this at least.
const SHORTEST_WAIT: Duration = Duration::from_millis(400);
/// Ports asked again on a host that has said nothing at all.
const AGAIN_WHEN_SILENT: usize = 4;

/// Connects to each port, and closes at once what opens. `open` is told each open port as it is known; `ports` should
/// come in order of likelihood. What times out is asked once more with a longer wait, if the options allow repeats.
/// Ports of printers are not touched. Ends early when the host's time is over.
pub async fn open_ports(host: &HostContext, ports: &[u16], open: mpsc::Sender<u16>) -> PortOutcomes {
    let mut wanted: Vec<u16> = Vec::with_capacity(ports.len());
    for port in ports {
        if may_be_asked(*port) && !wanted.contains(port) {
            wanted.push(*port);
        }
    }
    let scan = PortScan { host, open, outcomes: Mutex::default(), slowest_connect: Mutex::default() };
    scan.ask_all(&wanted).await;
    if host.options.retries > 0 && !host.is_over() {
        scan.ask_again().await;
    }
    scan.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

struct PortScan<'a> {
    host: &'a HostContext,
    open: mpsc::Sender<u16>,
    outcomes: Mutex<PortOutcomes>,
    slowest_connect: Mutex<Option<Duration>>,
}

impl PortScan<'_> {
    async fn ask_all(&self, ports: &[u16]) {
        // Up to the suspicious number first, so that a host that takes everything is not asked everything.
        let (first, rest) = ports.split_at(ports.len().min(SUSPICIOUS + 1));
        self.ask(first, None).await;
        if self.with(|o| o.looks_too_open()) && self.takes_decoys(ports).await {
            self.with(|o| o.takes_any_port = true);
            return;
        }
        self.ask(rest, None).await;
    }

    /// Asks again for what timed out: one lost packet must not hide a camera.
    async fn ask_again(&self) {
        let (mut again, answered) = self.with(|o| (std::mem::take(&mut o.timed_out), o.answered()));
        let left = if answered { Vec::new() } else { again.split_off(again.len().min(AGAIN_WHEN_SILENT)) };
        self.with(|o| o.timed_out = left);
        let longer = self.host.options.connect_timeout.mul_f64(if answered { 1.0 } else { 1.5 });
        self.ask(&again, Some(longer)).await;
    }

    async fn ask(&self, ports: &[u16], wait: Option<Duration>) {
        stream::iter(ports.iter().copied())
            .for_each_concurrent(self.host.options.per_host.max(1), |port| async move {
                if self.host.is_over() {
                    return;
                }
                let outcome = self.connect(port, wait.unwrap_or_else(|| self.wait())).await;
                if outcome.is_ok() {
                    // The receiver may want no more.
                    let _ = self.open.send(port).await;
                }
                self.with(|o| match outcome.map_err(|e| e.kind) {
                    Ok(()) => o.open.push(port),
                    Err(ErrorKind::Refused | ErrorKind::Closed) => o.refused.push(port),
                    Err(ErrorKind::Timeout) => o.timed_out.push(port),
                    Err(ErrorKind::Unreachable) => o.unreachable.push(port),
                    Err(_) => o.failed.push(port),
                });
            })
            .await;
    }

    async fn connect(&self, port: u16, wait: Duration) -> Result<(), NetError> {
        let to = SocketAddr::new(self.host.ip, port);
        let connection = self.host.dialer.tcp(to, wait.min(self.host.time_left())).await?;
        let mut slowest = self.slowest_connect.lock().unwrap_or_else(PoisonError::into_inner);
        *slowest = (*slowest).max(Some(connection.connected_in));
        Ok(())
    }

    /// How long to wait: by the connects so far, for a host that drops what is closed would else take minutes.
    fn wait(&self) -> Duration {
        let most = self.host.options.connect_timeout;
        let slowest = *self.slowest_connect.lock().unwrap_or_else(PoisonError::into_inner);
        slowest.map_or(most, |s| (s * ROUND_TRIPS).max(SHORTEST_WAIT).min(most))
    }

    /// Whether ports that nobody listens on are open too.
    async fn takes_decoys(&self, ports: &[u16]) -> bool {
        let mut decoys: Vec<u16> = Vec::with_capacity(DECOYS);
        while decoys.len() < DECOYS {
            // The dynamic ports (RFC 6335 §6).
            let port = fastrand::u16(49152..);
            if !ports.contains(&port) && !decoys.contains(&port) {
                decoys.push(port);
            }
        }
        let asked = stream::iter(decoys).map(|port| self.connect(port, self.wait()));
        let open = asked.buffer_unordered(DECOYS).filter(|outcome| std::future::ready(outcome.is_ok()));
        open.count().await >= DECOYS_OPEN
    }

    fn with<T>(&self, change: impl FnOnce(&mut PortOutcomes) -> T) -> T {
        change(&mut self.outcomes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
