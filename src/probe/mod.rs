//! The contract between a scan and the protocols: the rows a protocol contributes, and what each row's function is handed. None
//! of them opens a socket by itself.

pub mod evidence;
mod farewells;
pub mod gate;
pub mod heard;
mod inspection;
mod linked_login;
mod logins;
pub mod memory;
pub mod negotiation;
pub mod overhear;
pub mod peer;
pub mod sweep;
#[cfg(test)]
pub mod testing;
pub mod transcript;
pub mod udp_query;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::identify::signature::{Field, Signatures};
use crate::identify::site::Surroundings;
use crate::model::coverage::Unable;
use crate::model::{Finding, FindingKind, MacAddr, Method, Protocol, ScanPlan, Stage};
use crate::net::{Dialer, Interface, Net};

use evidence::Facts;

pub use farewells::Farewells;
pub use inspection::{Inspection, Record};
pub use linked_login::LinkedLogin;
pub use logins::{Budget, Encryption, Grant, LoginTry, Logins, MOST_ADDRESSES, Verdict, Withheld};
pub use peer::Peer;

/// Where findings go.
pub type FindingSender = mpsc::Sender<Finding>;

/// What a protocol's folder contributes to a scan. A protocol joins by one line in the list a scan is given.
#[derive(Clone, Copy)]
pub struct ProtocolRows {
    /// Its way of finding hosts.
    pub finder: Option<Finder>,
    /// How its answers are read off the link, where the kernel drops those of hosts it has no route to.
    pub listener: Option<Listener>,
    /// How an open port is asked whether it is spoken there.
    pub detector: Option<Detector>,
    /// What is done once for each host.
    pub probes: &'static [Probe],
}

impl ProtocolRows {
    /// Nothing; for `..ProtocolRows::NONE`.
    pub const NONE: ProtocolRows = ProtocolRows { finder: None, listener: None, detector: None, probes: &[] };
}

/// A way of finding hosts: asks the network as a whole and emits who answers, as the answers come.
#[derive(Clone, Copy)]
pub struct Finder {
    /// Which method it is.
    pub method: Method,
    /// Asks until it has nothing more to ask. Of who answers from outside the targets only those are emitted that are in no
    /// subnet of this machine ([`DiscoveryContext::wants`]). The error is a sentence
    /// for the operator: the method cannot run at all on this machine.
    pub find: for<'a> fn(&'a DiscoveryContext) -> BoxFuture<'a, Result<(), Unable>>,
}

/// Reads what devices send to everybody on a link.
#[derive(Clone, Copy)]
pub struct Listener {
    /// The method it belongs to: it listens where that one is among those of the plan.
    pub method: Method,
    /// What it reads.
    pub reads: Reads,
}

/// What a [`Listener`] reads.
#[derive(Clone, Copy)]
pub enum Reads {
    /// Frames that name the address and the MAC address of their sender; none for any others.
    Claims(fn(&[u8]) -> Option<(Ipv4Addr, MacAddr)>),
    /// UDP datagrams.
    Datagrams {
        /// The ports they come from or go to.
        ports: fn() -> Vec<u16>,
        /// What one from this address says of its sender, if anything; one entry for each device that it is about.
        read: fn(IpAddr, &[u8]) -> Vec<Facts>,
    },
}

/// Speaks one protocol to an open port.
#[derive(Clone, Copy)]
pub struct Detector {
    /// The step that is named in logs and errors.
    pub stage: Stage,
    /// Whether the port is one where the protocol is expected; those are asked first.
    pub expects: fn(u16) -> bool,
    /// Asks. Whatever the device does is an outcome, emitted as findings; the [`Detection`] tells whether others need to ask.
    pub detect: for<'a> fn(&'a Inspection, u16) -> BoxFuture<'a, Detection>,
}

/// Something done once for a host: a question that needs no open port, or an analysis of what was detected.
#[derive(Clone, Copy)]
pub struct Probe {
    /// The step that is named in logs and errors.
    pub stage: Stage,
    /// When it runs.
    pub phase: Phase,
    /// Does it. What it learns is emitted as findings.
    pub run: for<'a> fn(&'a Inspection) -> BoxFuture<'a, ()>,
}

/// When a probe of a host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From the beginning, at the same time as the others of its phase; nothing waits for what it learns.
    Aside,
    /// While the ports are asked, at the same time as the others of its phase; what it learns leads those after it.
    Inquiry,
    /// When the ports are known, one after the other: says where streams are.
    Name,
    /// After that, one after the other: walks the places where streams are, and those where they may be.
    Walk,
}

/// What a [`Finder`] is handed.
pub struct DiscoveryContext {
    /// What is asked of the scan.
    pub plan: Arc<ScanPlan>,
    /// The network.
    pub net: Arc<dyn Net>,
    /// Dials within the scan's bounds.
    pub dialer: Arc<Dialer>,
    /// The interfaces to use.
    pub interfaces: Vec<Interface>,
    /// The networks of all interfaces: who is heard on the link and is in none of them cannot be reached.
    pub surroundings: Surroundings,
    /// Cancelled when the scan is to stop.
    pub cancel: CancellationToken,
    /// The signatures to look headers up in.
    pub signatures: Arc<Signatures>,
    /// Where findings go.
    pub findings: FindingSender,
    /// Counts the addresses that have been asked, for the progress display.
    pub swept: Arc<std::sync::atomic::AtomicU64>,
    /// The methods that asked an address by itself.
    pub askers: Arc<Askers>,
    /// Counts the questions that could not be sent.
    pub unsent: Arc<Unsent>,
    /// Where sentences for the operator go.
    pub warnings: mpsc::Sender<String>,
    /// Asks ports without connecting, where that can be done; is to be told of the stations on the links.
    pub ports: Option<Arc<dyn PortProber>>,
}

/// Methods that ask addresses one by one, and had one to ask.
#[derive(Debug, Default)]
pub struct Askers(Mutex<BTreeSet<Method>>);

impl Askers {
    /// A method asks an address.
    pub fn note(&self, method: Method) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(method);
    }

    /// All that asked one.
    pub fn noted(&self) -> BTreeSet<Method> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Questions that could not be sent, by interface and reason.
#[derive(Debug, Default)]
pub struct Unsent(Mutex<BTreeMap<(String, io::ErrorKind), u64>>);

impl Unsent {
    /// Counts one.
    pub fn count(&self, interface: &str, reason: io::ErrorKind) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.entry((interface.to_owned(), reason)).or_default() += 1;
    }

    /// All that were counted.
    pub fn counted(&self) -> BTreeMap<(String, io::ErrorKind), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl DiscoveryContext {
    /// Emits a finding about `ip`; dropped unless it is wanted.
    pub async fn emit(&self, ip: IpAddr, kind: FindingKind) {
        self.emit_by(ip, None, kind).await;
    }

    /// Emits what the host with this MAC address at `ip` stated; dropped unless it is wanted.
    pub async fn emit_by(&self, ip: IpAddr, claimant: Option<MacAddr>, kind: FindingKind) {
        if self.wants(ip) {
            // The receiver is gone only when the scan is over.
            let _ = self.findings.send(Finding::new(ip, kind).by(claimant)).await;
        }
    }

    /// Whether something is to be emitted about `ip`: a target, or an address heard on the link that is in no subnet of this
    /// machine.
    pub fn wants(&self, ip: IpAddr) -> bool {
        self.plan.targets.contains(ip) || self.is_out_of_reach(ip)
    }

    /// Whether `ip` can only have been heard: it is no target, and in no subnet of this machine.
    pub fn is_out_of_reach(&self, ip: IpAddr) -> bool {
        let targets = &self.plan.targets;
        !targets.contains(ip) && !targets.excludes(ip) && self.surroundings.is_elsewhere(ip)
    }

    /// Warns the operator in one sentence, with a `hint:` line where something can be done. Never
    /// waits: with nobody reading, it goes to the log alone.
    pub fn warn(&self, sentence: impl Into<String>) {
        if let Err(unread) = self.warnings.try_send(sentence.into()) {
            tracing::warn!("{}", unread.into_inner());
        }
    }

    /// Emits all evidence the signatures give for a text that one of the hosts at `ip` sent.
    pub async fn match_signatures(&self, ip: IpAddr, claimant: Option<MacAddr>, field: Field, text: &str) {
        for evidence in self.signatures.evidence(field, text) {
            self.emit_by(ip, claimant, FindingKind::Evidence(evidence)).await;
        }
    }
}

#[cfg(any(test, feature = "testkit"))]
impl DiscoveryContext {
    /// A test's network on all its interfaces, and where the findings and the warnings arrive.
    pub fn for_test(net: Arc<dyn Net>, plan: ScanPlan) -> (Self, mpsc::Receiver<Finding>, mpsc::Receiver<String>) {
        let (findings, found) = mpsc::channel(100_000);
        let (warnings, warned) = mpsc::channel(100);
        let pace = Arc::new(crate::net::pace::Pace::new(plan.rate));
        let interfaces = net.interfaces().unwrap_or_default();
        let context = DiscoveryContext {
            plan: Arc::new(plan),
            surroundings: Surroundings {
                networks: interfaces.iter().flat_map(|i| i.addresses.iter().map(|n| (i.name.clone(), *n))).collect(),
                system: "linux",
            },
            dialer: Arc::new(Dialer::new(net.clone(), pace, 512, 4)),
            interfaces,
            net,
            cancel: CancellationToken::new(),
            signatures: Signatures::builtin(),
            findings,
            swept: Arc::default(),
            askers: Arc::default(),
            unsent: Arc::default(),
            warnings,
            ports: None,
        };
        (context, found, warned)
    }
}

/// Asks ports of hosts on the local links without connecting to them.
pub trait PortProber: Send + Sync {
    /// Takes note of the MAC address that answers for an address on its link.
    fn note_station(&self, ip: Ipv4Addr, mac: MacAddr);

    /// Asks the ports of a host, `at_once` of them in a burst, silent ones repeatedly if `again`. Sends each answer as it
    /// comes, one a port at most; returns when all have answered or no answer is to be expected any more.
    ///
    /// # Errors
    /// When the host cannot be asked this way, or no longer: the answers sent until then hold.
    fn ask<'a>(
        &'a self,
        ip: IpAddr,
        ports: &'a [u16],
        at_once: usize,
        again: bool,
        answers: mpsc::UnboundedSender<PortAnswer>,
    ) -> BoxFuture<'a, io::Result<()>>;
}

/// The answer of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortAnswer {
    /// The port.
    pub port: u16,
    /// Whether it takes connections; else it refuses them.
    pub open: bool,
    /// How long after it was first asked.
    pub after: Duration,
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
