//! Which ports of one host are open.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::{may_be_asked, patience};
use crate::model::{ErrorKind, PortList};
use crate::net::{Connection, NetError};
use crate::probe::{Inspection, PortAnswer, PortProber};

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
/// Ports asked again, the likeliest first: more that time out are dropped by a firewall, not lost on the way.
const AGAIN: usize = 16;
/// The same on a host that has said nothing at all.
const AGAIN_WHEN_SILENT: usize = 4;

/// Asks each port: on a local link by frames that make no connection, where that can be done, else by connects, which
/// are kept for whoever speaks to the port first. `open` is told each open port as it is known; `ports` should come in
/// order of likelihood. What says nothing is asked again, if the options allow repeats.
/// Ports of printers are not touched. Ends early when the host's time is over.
pub async fn open_ports(host: &Inspection, ports: &PortList, open: mpsc::Sender<u16>) -> PortOutcomes {
    let wanted: PortList = ports.iter().filter(|port| may_be_asked(*port)).collect();
    let scan = PortScan {
        host,
        ports: &wanted,
        open,
        outcomes: Mutex::default(),
        slowest_connect: Mutex::default(),
        has_asked_decoys: AtomicBool::new(false),
    };
    let left = match &host.ports {
        Some(prober) => scan.ask_by(&**prober).await,
        None => wanted.as_slice().to_vec(),
    };
    scan.ask(&left, 1).await;
    if host.options.retries > 0 && !left.is_empty() && !host.peer.is_over() {
        scan.ask_again().await;
    }
    scan.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

struct PortScan<'a> {
    host: &'a Inspection,
    ports: &'a PortList,
    open: mpsc::Sender<u16>,
    outcomes: Mutex<PortOutcomes>,
    slowest_connect: Mutex<Option<Duration>>,
    has_asked_decoys: AtomicBool,
}

impl PortScan<'_> {
    /// Asks all ports without connecting; says those that are left to connects.
    async fn ask_by(&self, prober: &dyn PortProber) -> Vec<u16> {
        let options = &self.host.options;
        let (say, mut answers) = mpsc::unbounded_channel();
        let asking = prober.ask(self.host.peer.ip, self.ports.as_slice(), options.per_host, options.retries > 0, say);
        let taking = async {
            while let Some(answer) = answers.recv().await {
                self.take_answer(answer).await;
                if self.with(|o| o.takes_any_port) {
                    answers.close();
                }
            }
        };
        let both = async { tokio::join!(asking, taking).0 };
        let limited = tokio::time::timeout(self.host.peer.time_left(), both);
        let outcome = self.host.peer.cancel.run_until_cancelled(limited).await;
        let silent = self.silent();
        match outcome {
            Some(Ok(Ok(()))) => self.doubt(&silent).await,
            Some(Ok(Err(error))) => {
                tracing::debug!("{}: ports asked by connects: {error}", self.host.peer.ip);
                silent
            }
            Some(Err(_)) | None => Vec::new(),
        }
    }

    /// The ports that have not answered.
    fn silent(&self) -> Vec<u16> {
        self.with(|o| {
            let answered: PortList = o.open.iter().chain(&o.refused).copied().collect();
            self.ports.iter().filter(|port| !answered.contains(*port)).collect()
        })
    }

    /// Silence of some ports is theirs; that of all can be due to the way we asked, as a few connects tell. Says the
    /// ports that are left to connects.
    async fn doubt(&self, silent: &[u16]) -> Vec<u16> {
        if self.with(|o| o.takes_any_port) {
            return Vec::new();
        }
        let mut dropped = silent;
        if !self.with(|o| o.answered()) {
            let (few, rest) = silent.split_at(silent.len().min(AGAIN_WHEN_SILENT));
            self.ask(few, 1).await;
            if self.with(|o| o.answered()) {
                return rest.to_vec();
            }
            dropped = rest;
        }
        self.with(|o| o.timed_out.extend(dropped));
        Vec::new()
    }

    /// Asks again for what timed out: one lost packet must not hide a camera.
    async fn ask_again(&self) {
        let (mut again, answered) = self.with(|o| (std::mem::take(&mut o.timed_out), o.answered()));
        let left = again.split_off(again.len().min(if answered { AGAIN } else { AGAIN_WHEN_SILENT }));
        self.with(|o| o.timed_out = left);
        self.ask(&again, 2).await;
    }

    /// Asks each port, waiting `patience` times as long as usual.
    async fn ask(&self, ports: &[u16], patience: u32) {
        stream::iter(ports.iter().copied())
            .for_each_concurrent(self.host.options.per_host.max(1), |port| async move {
                if !self.host.peer.is_over() && !self.with(|o| o.takes_any_port) {
                    let outcome = self.connect(port, self.wait() * patience).await;
                    let outcome = outcome.map(|connection| self.host.peer.dialer.keep(connection));
                    self.take(port, outcome.map_err(|e| e.kind())).await;
                    // Before the place of what was kept is wanted for the next port.
                    tokio::task::yield_now().await;
                }
            })
            .await;
    }

    async fn take_answer(&self, answer: PortAnswer) {
        self.note_wait(answer.after);
        self.take(answer.port, if answer.open { Ok(()) } else { Err(ErrorKind::Refused) }).await;
    }

    async fn take(&self, port: u16, outcome: Result<(), ErrorKind>) {
        let is_open = outcome.is_ok();
        let is_suspicious = self.with(|o| {
            match outcome {
                Ok(()) => o.open.push(port),
                Err(ErrorKind::Refused | ErrorKind::Closed) => o.refused.push(port),
                Err(ErrorKind::Timeout) => o.timed_out.push(port),
                Err(ErrorKind::Unreachable) => o.unreachable.push(port),
                Err(_) => o.failed.push(port),
            }
            is_open && o.looks_too_open()
        });
        if is_open {
            // The receiver may want no more.
            let _ = self.open.send(port).await;
        }
        if is_suspicious && !self.has_asked_decoys.swap(true, Ordering::Relaxed) && self.takes_decoys().await {
            self.with(|o| o.takes_any_port = true);
        }
    }

    async fn connect(&self, port: u16, wait: Duration) -> Result<Connection, NetError> {
        let to = SocketAddr::new(self.host.peer.ip, port);
        let connection = match self.host.peer.dialer.take_kept(to) {
            Some(found_by_it) => found_by_it,
            None => self.host.peer.dialer.tcp(to, wait.min(self.host.peer.time_left())).await?,
        };
        self.note_wait(connection.connected_in);
        Ok(connection)
    }

    fn note_wait(&self, took: Duration) {
        self.host.peer.history.note_round_trip(took);
        let mut slowest = self.slowest_connect.lock().unwrap_or_else(PoisonError::into_inner);
        *slowest = (*slowest).max(Some(took));
    }

    fn wait(&self) -> Duration {
        let slowest = *self.slowest_connect.lock().unwrap_or_else(PoisonError::into_inner);
        patience(slowest, self.host.options.connect_timeout)
    }

    /// Whether ports that nobody listens on are open too.
    async fn takes_decoys(&self) -> bool {
        let asked = stream::iter(decoys(self.ports)).map(|port| self.connect(port, self.wait()));
        let open = asked.buffer_unordered(DECOYS).filter(|outcome| std::future::ready(outcome.is_ok()));
        open.count().await >= DECOYS_OPEN
    }

    fn with<T>(&self, change: impl FnOnce(&mut PortOutcomes) -> T) -> T {
        change(&mut self.outcomes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Ports that nobody listens on: dynamic ones (RFC 6335 §6), such as are not asked anyway. Where all of them are, any.
fn decoys(asked: &PortList) -> Vec<u16> {
    let dynamic = 49152..=u16::MAX;
    let others = fastrand::choose_multiple(dynamic.clone().filter(|port| !asked.contains(*port)), DECOYS);
    if others.len() == DECOYS { others } else { fastrand::choose_multiple(dynamic, DECOYS) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::net::{FakeNet, Port};

    const NEAR: Port = Port::Open(Duration::from_millis(2));

    fn lan(ports: impl Fn(u16, usize) -> Port + Send + Sync + 'static) -> FakeNet {
        FakeNet::new().with_ports(move |to, before| ports(to.port(), before))
    }

    /// The outcomes, and the open ports as they were told.
    async fn scan(lan: &FakeNet, ports: &[u16]) -> (PortOutcomes, Vec<u16>) {
        let (host, _found) = Inspection::for_test(lan.clone(), "192.0.2.9", Default::default());
        let (open, mut told) = mpsc::channel(1);
        let telling = async {
            let mut all = Vec::new();
            while let Some(port) = told.recv().await {
                all.push(port);
            }
            all
        };
        let ports = ports.iter().copied().collect();
        tokio::join!(open_ports(&host, &ports, open), telling)
    }

    #[tokio::test(start_paused = true)]
    async fn each_outcome_is_its_own() {
        let lan = lan(|port, _| match port {
            554 | 80 => NEAR,
            443 => Port::Silent,
            8000 => Port::Unreachable,
            _ => Port::Refused,
        });
        let (outcomes, told) = scan(&lan, &[554, 80, 443, 8000, 8554, 554]).await;
        let expected = PortOutcomes {
            open: vec![554, 80],
            refused: vec![8554],
            timed_out: vec![443],
            unreachable: vec![8000],
            ..PortOutcomes::default()
        };
        assert_eq!((outcomes, told), (expected, vec![554, 80]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_packet_hides_no_camera() {
        let lan = lan(|port, before| match (port, before) {
            (80, _) => Port::Refused,
            (_, 0) => Port::Silent,
            _ => Port::Open(Duration::from_millis(1600)),
        });
        let (outcomes, told) = scan(&lan, &[554, 80]).await;
        assert_eq!((outcomes.open, outcomes.timed_out, told), (vec![554], vec![], vec![554]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_host_does_not_take_its_whole_time_twice() {
        let lan = lan(|_, _| Port::Silent);
        let ports: Vec<u16> = (1..=20).collect();
        let (outcomes, _) = scan(&lan, &ports).await;
        assert_eq!(outcomes.timed_out.len(), 20);
        assert_eq!(lan.connects().len(), 20 + AGAIN_WHEN_SILENT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_drops_what_is_closed_is_quick_once_a_port_has_answered() {
        let lan = lan(|port, _| if port == 554 { NEAR } else { Port::Silent });
        let ports: Vec<u16> = std::iter::once(554).chain(8000..8040).collect();
        let began = tokio::time::Instant::now();
        let (outcomes, told) = scan(&lan, &ports).await;
        assert_eq!((outcomes.timed_out.len(), told), (40, vec![554]));
        // Four at once: 40 ports by round trips, and the likeliest of them once more.
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_takes_any_port_is_not_asked_for_all() {
        let lan = lan(|_, _| NEAR);
        let ports: Vec<u16> = (8000..8100).collect();
        let (outcomes, told) = scan(&lan, &ports).await;
        assert!(outcomes.takes_any_port);
        assert!((SUSPICIOUS..SUSPICIOUS + 16).contains(&told.len()), "{}", told.len());
        assert_eq!(lan.connects().len(), told.len() + DECOYS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_takes_any_port_is_found_out_where_every_port_is_asked() {
        let lan = lan(|_, _| NEAR);
        let ports: Vec<u16> = (1..=u16::MAX).collect();
        let (outcomes, told) = scan(&lan, &ports).await;
        assert!(outcomes.takes_any_port);
        assert!((SUSPICIOUS..SUSPICIOUS + 16).contains(&told.len()), "{}", told.len());
    }

    #[tokio::test(start_paused = true)]
    async fn many_open_ports_alone_make_no_such_host() {
        let lan = lan(|port, _| if port < 8020 { NEAR } else { Port::Refused });
        let ports: Vec<u16> = (8000..8030).collect();
        let (outcomes, told) = scan(&lan, &ports).await;
        assert!(!outcomes.takes_any_port);
        assert_eq!((told.len(), outcomes.refused.len()), (20, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn printers_are_left_alone() {
        let lan = lan(|_, _| NEAR);
        let ports: Vec<u16> = (9098..9110).collect();
        let (outcomes, _) = scan(&lan, &ports).await;
        assert_eq!(outcomes.open, [9098, 9099, 9108, 9109]);
        assert!(lan.connects().iter().all(|(_, to)| !(9100..=9107).contains(&to.port())));
    }
}
