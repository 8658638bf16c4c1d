//! What a discoverer, a detector and an analyser are, and what each is handed. None of them opens a socket by itself.

pub mod evidence;
mod farewells;
pub mod gate;
mod inspection;
mod logins;
pub mod memory;
pub mod negotiation;
pub mod peer;
pub mod sweep;
pub mod transcript;
pub mod udp_query;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::identify::signature::{Field, Signatures};
use crate::model::{Finding, FindingKind, MacAddr, Method, Protocol, ScanPlan};
use crate::net::{Dialer, Interface, Net};

pub use farewells::Farewells;
pub use inspection::{Inspection, PORTS, Record};
pub use logins::{Grant, LoginTry, Logins, Verdict};
pub use peer::Peer;

/// Where findings go.
pub type FindingSender = mpsc::Sender<Finding>;

/// A way of finding hosts: asks the network as a whole and says who answers, as the answers come.
pub trait Discoverer: Send + Sync {
    /// Which method it is.
    fn method(&self) -> Method;

    /// Asks until it has nothing more to ask. Answers from addresses outside the targets are not said.
    ///
    /// # Errors
    /// A sentence for the operator when the method cannot run at all on this machine.
    fn discover<'a>(&'a self, context: &'a DiscoveryContext) -> BoxFuture<'a, Result<(), String>>;
}

/// What a discoverer is handed.
pub struct DiscoveryContext {
    /// What is asked of the scan.
    pub plan: Arc<ScanPlan>,
    /// The network.
    pub net: Arc<dyn Net>,
    /// Dials within the scan's bounds.
    pub dialer: Arc<Dialer>,
    /// The interfaces to use.
    pub interfaces: Vec<Interface>,
    /// Says that the scan is to stop.
    pub cancel: CancellationToken,
    /// The signatures to look headers up in.
    pub signatures: Arc<Signatures>,
    /// Where findings go.
    pub findings: FindingSender,
    /// Counts the addresses that have been asked, for the progress display.
    pub swept: Arc<std::sync::atomic::AtomicU64>,
    /// Where sentences for the operator go.
    pub warnings: mpsc::Sender<String>,
    /// Asks ports without connecting, where that can be done; wants to know who is on the links.
    pub ports: Option<Arc<dyn PortProber>>,
}

impl DiscoveryContext {
    /// Says one thing about `ip`; nothing when `ip` is not among the targets.
    pub async fn say(&self, ip: IpAddr, kind: FindingKind) {
        if self.plan.targets.contains(ip) {
            // The receiver is gone only when the scan is over.
            let _ = self.findings.send(Finding::new(ip, kind)).await;
        }
    }

    /// Says one thing the operator should know, in one sentence, with a `hint:` line where something can be done. Never
    /// waits: with nobody reading, it goes to the log alone.
    pub fn warn(&self, sentence: impl Into<String>) {
        if let Err(unread) = self.warnings.try_send(sentence.into()) {
            tracing::warn!("{}", unread.into_inner());
        }
    }

    /// Says all evidence the signatures give for a text a device sent.
    pub async fn observe(&self, ip: IpAddr, field: Field, text: &str) {
        for evidence in self.signatures.evidence(field, text) {
            self.say(ip, FindingKind::Evidence(evidence)).await;
        }
    }
}

/// Asks ports of hosts on the local links without connecting to them.
pub trait PortProber: Send + Sync {
    /// Takes note of the MAC address that answers for an address on its link.
    fn note_station(&self, ip: Ipv4Addr, mac: MacAddr);

    /// Asks the ports of a host, `at_once` of them in a burst, those that say nothing repeatedly if `again`. Says each
    /// answer as it comes, one a port at most; returns when all have answered or no answer is to be expected any more.
    ///
    /// # Errors
    /// When the host cannot be asked this way, or no longer: what has been said until then holds.
    fn ask<'a>(
        &'a self,
        ip: IpAddr,
        ports: &'a [u16],
        at_once: usize,
        again: bool,
        say: mpsc::UnboundedSender<PortAnswer>,
    ) -> BoxFuture<'a, io::Result<()>>;
}

/// What a port said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortAnswer {
    /// The port.
    pub port: u16,
    /// Whether it takes connections; else it refuses them.
    pub open: bool,
    /// How long after it was first asked.
    pub after: Duration,
}

/// Speaks one protocol to an open port and says what it heard.
pub trait Detector: Send + Sync {
    /// Its name, as it stands in logs and errors.
    fn name(&self) -> &'static str;

    /// Whether the port is one where the protocol is expected; those are asked first.
    fn expects(&self, port: u16) -> bool;

    /// Asks. Whatever the device does is an outcome, said as findings; `Detection` tells whether others need to ask.
    fn detect<'a>(&'a self, host: &'a Inspection, port: u16) -> BoxFuture<'a, Detection>;
}

/// What a detector heard on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// The protocol.
    Spoken,
    /// The protocol inside TLS.
    SpokenOverTls,
    /// An answer in another protocol.
    Other(Protocol),
    /// An answer that fits no protocol we know.
    Garbage,
    /// The connection was taken, and nothing came.
    Silence,
    /// The connection failed or was closed without an answer.
    Closed,
}

/// Something done once for a host: a question that needs no open port, or an analysis of what was detected.
pub trait HostProbe: Send + Sync {
    /// Its name, as it stands in logs and errors.
    fn name(&self) -> &'static str;

    /// Does it. What it hears is said as findings.
    fn run<'a>(&'a self, host: &'a Inspection) -> BoxFuture<'a, ()>;
}
