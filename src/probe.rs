//! What a discoverer, a detector and an analyser are, and what each is handed. None of them opens a socket by itself.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::identify::signature::{Field, Signatures};
use crate::model::finding::StreamHint;
use crate::model::{
    Credential, ErrorKind, Evidence, Fact, Finding, FindingKind, Kind, LoginAttempts, MacAddr, Method, ProbeOptions,
    Protocol, ScanPlan, Service, StageError,
};
use crate::net::{Connection, Dialer, Interface, Net, NetError};

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

    /// Asks. Whatever the device does is an outcome, said as findings; `Heard` tells whether others need to ask.
    fn detect<'a>(&'a self, host: &'a HostContext, port: u16) -> BoxFuture<'a, Heard>;
}

/// What a detector heard on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
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
    fn run<'a>(&'a self, host: &'a HostContext) -> BoxFuture<'a, ()>;
}

/// Everything that has been said about one host so far; discovery adds to it while the host is inspected.
#[derive(Debug, Default)]
pub struct HostFacts {
    inner: Mutex<Facts>,
    rtsp: Arc<tokio::sync::Mutex<()>>,
    pictures: AtomicU32,
}

#[derive(Debug, Default, Clone)]
struct Facts {
    mac: Option<MacAddr>,
    evidence: Vec<Evidence>,
    services: Vec<Service>,
    hints: Vec<StreamHint>,
    open_ports: BTreeSet<u16>,
}

impl HostFacts {
    /// Takes note of a finding. What one host can say is bounded.
    pub fn note(&self, kind: &FindingKind) {
        const MOST: usize = 512;
        let mut facts = self.lock();
        match kind {
            FindingKind::Mac(mac) => facts.mac = Some(*mac),
            FindingKind::Evidence(e) if facts.evidence.len() < MOST && !facts.evidence.contains(e) => {
                facts.evidence.push(e.clone());
            }
            FindingKind::Service(s) => {
                let same = |k: &Service| (k.protocol, k.transport, k.port) == (s.protocol, s.transport, s.port);
                facts.services.retain(|known| !same(known));
                if facts.services.len() < MOST {
                    facts.services.push(s.clone());
                }
            }
            FindingKind::StreamHint(h) if facts.hints.len() < MOST && !facts.hints.iter().any(|k| k.url == h.url) => {
                facts.hints.push(h.clone());
            }
            _ => {}
        }
    }

    /// Notes an open TCP port.
    pub fn note_open(&self, port: u16) {
        self.lock().open_ports.insert(port);
    }

    /// The number of the next stream of which a picture is taken, from 1.
    pub fn number_picture(&self) -> u32 {
        self.pictures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Facts> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a detector or analyser of one host is handed.
#[derive(Clone)]
pub struct HostContext {
    /// The address.
    pub ip: IpAddr,
    /// The name it was given by, or the address as text: what goes into `Host` headers and URLs.
    pub name: String,
    /// What is asked of the inspection.
    pub options: Arc<ProbeOptions>,
    /// The network.
    pub net: Arc<dyn Net>,
    /// Dials within the scan's bounds.
    pub dialer: Arc<Dialer>,
    /// Logins still allowed, shared by all protocols.
    pub logins: Arc<Logins>,
    /// The signatures to look headers up in.
    pub signatures: Arc<Signatures>,
    /// Says that the scan is to stop.
    pub cancel: CancellationToken,
    /// Everything for this host ends here.
    pub deadline: Instant,
    /// What was said so far.
    pub facts: Arc<HostFacts>,
    /// Where findings go.
    pub findings: FindingSender,
    /// Asks ports without connecting, where that can be done.
    pub ports: Option<Arc<dyn PortProber>>,
}

impl HostContext {
    /// Says one thing about the host.
    pub async fn say(&self, kind: FindingKind) {
        self.facts.note(&kind);
        // The receiver is gone only when the scan is over.
        let _ = self.findings.send(Finding::new(self.ip, kind)).await;
    }

    /// Says all evidence the signatures give for a text the host sent.
    pub async fn observe(&self, field: Field, text: &str) {
        for evidence in self.signatures.evidence(field, text) {
            self.say(FindingKind::Evidence(evidence)).await;
        }
    }

    /// Says that something went wrong. `message` must hold no secret.
    pub async fn error(&self, stage: &str, kind: ErrorKind, message: impl AsRef<str>) {
        let message = crate::text::clean(message.as_ref());
        self.say(FindingKind::Error(StageError { stage: stage.to_owned(), kind, message })).await;
    }

    /// Opens a TCP connection to a port, repeating what can pass as the options allow, never past the host's deadline.
    ///
    /// # Errors
    /// As [`Dialer::tcp`].
    pub async fn connect(&self, port: u16) -> Result<Connection, NetError> {
        let to = SocketAddr::new(self.ip, port);
        let mut attempt = 0;
        loop {
            match self.dialer.tcp(to, self.options.connect_timeout.min(self.time_left())).await {
                Err(error) if error.is_transient() && attempt < self.options.retries && !self.is_over() => {
                    attempt += 1;
                    // Exponential with full jitter, from 100 ms.
                    let most = Duration::from_millis(100) * 2u32.saturating_pow(attempt.min(6));
                    tokio::time::sleep(most.mul_f64(fastrand::f64()).min(self.time_left())).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Opens a TCP connection and shakes hands for TLS on it.
    ///
    /// # Errors
    /// As [`Dialer::tls`].
    pub async fn connect_tls(&self, port: u16) -> Result<Connection, NetError> {
        let connection = self.connect(port).await?;
        connection.into_tls(&self.name, self.options.request_timeout.min(self.time_left())).await
    }

    /// Waits until nobody else has an RTSP connection to the host: many cameras serve one client at a time. None when it
    /// takes longer than `limit`.
    pub async fn rtsp_turn(&self, limit: Duration) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        tokio::time::timeout(limit, self.facts.rtsp.clone().lock_owned()).await.ok()
    }

    /// The time left for this host.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether to stop: the deadline has passed or the scan is cancelled.
    pub fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.time_left().is_zero()
    }

    /// The deadline of one request that begins now.
    pub fn request_deadline(&self) -> Instant {
        self.deadline.min(Instant::now() + self.options.request_timeout)
    }

    /// The evidence so far.
    pub fn evidence(&self) -> Vec<Evidence> {
        self.facts.lock().evidence.clone()
    }

    /// The services so far.
    pub fn services(&self) -> Vec<Service> {
        self.facts.lock().services.clone()
    }

    /// The stream addresses announced so far.
    pub fn hints(&self) -> Vec<StreamHint> {
        self.facts.lock().hints.clone()
    }

    /// The MAC address, where it is known.
    pub fn mac(&self) -> Option<MacAddr> {
        self.facts.lock().mac
    }

    /// The open TCP ports so far.
    pub fn open_ports(&self) -> Vec<u16> {
        self.facts.lock().open_ports.iter().copied().collect()
    }

    /// The vendor the evidence so far speaks for.
    pub fn vendor(&self) -> Option<String> {
        crate::identify::weigh(&self.evidence()).vendor().map(str::to_owned)
    }

    /// Whether the evidence so far speaks clearly for a printer, a router or whatever else has no picture.
    pub fn is_clearly_no_camera(&self) -> bool {
        let verdict = crate::identify::weigh(&self.evidence());
        verdict.kind == Kind::Other && verdict.winner(Fact::Kind).is_some() && verdict.confidence >= 0.5
    }

    /// Whether the evidence so far speaks for a device that films. A web server that is none is not shown the user's
    /// logins.
    pub fn is_like_a_camera(&self) -> bool {
        let kind = crate::identify::weigh(&self.evidence()).kind;
        matches!(kind, Kind::Camera | Kind::Recorder | Kind::Encoder | Kind::Intercom)
    }

    /// The logins meant for this device, the one that worked before first.
    pub fn credentials(&self) -> Vec<Credential> {
        let vendor = self.vendor();
        let mac = self.mac();
        let mut fitting: Vec<Credential> = self
            .options
            .credentials
            .iter()
            .filter(|c| c.scope.covers(self.ip, vendor.as_deref(), mac))
            .cloned()
            .collect();
        if let Some(worked) = self.logins.worked()
            && let Some(at) = fitting.iter().position(|c| *c == worked)
        {
            fitting.rotate_left(at);
        }
        fitting
    }

    /// Says how many logins have been used.
    pub async fn say_logins(&self) {
        if let Some(attempts) = self.logins.attempts() {
            self.say(FindingKind::LoginAttempts(attempts)).await;
        }
    }
}

#[cfg(test)]
impl HostContext {
    /// A host of a test's network, and where its findings arrive. An inspection may take ten minutes of the test's clock.
    pub fn for_test(net: Arc<dyn Net>, ip: &str, options: ProbeOptions) -> (Self, mpsc::Receiver<Finding>) {
        let (findings, said) = mpsc::channel(1024);
        let pace = Arc::new(crate::net::pace::Pace::new(None));
        let host = HostContext {
            ip: ip.parse().unwrap(),
            name: ip.to_owned(),
            dialer: Arc::new(Dialer::new(net.clone(), pace, 64, options.per_host)),
            net,
            logins: Logins::new(options.max_login_failures),
            options: Arc::new(options),
            signatures: Arc::new(Signatures::default()),
            cancel: CancellationToken::new(),
            deadline: Instant::now() + Duration::from_secs(600),
            facts: Arc::default(),
            findings,
            ports: None,
        };
        (host, said)
    }
}

/// The logins one device may refuse before nothing more is tried, over RTSP, HTTP and ONVIF together: cameras count
/// them together too, and lock out (QUIRKS: lock-outs).
#[derive(Debug)]
pub struct Logins {
    limit: u32,
    state: Mutex<LoginState>,
}

#[derive(Debug, Default)]
struct LoginState {
    tried: bool,
    refused: u32,
    under_way: u32,
    locked: Option<String>,
    worked: Option<Credential>,
    refused_by: Vec<(Protocol, Credential)>,
}

impl Logins {
    /// At most `limit` refusals.
    pub fn new(limit: u32) -> Arc<Self> {
        Arc::new(Logins { limit, state: Mutex::default() })
    }

    /// Asks to try a login now. None when one more refusal would pass the limit, or the device says it is locked.
    /// A login that worked before is always granted while the device is not locked and the limit is not reached.
    pub fn begin(self: &Arc<Self>) -> Option<LoginTry> {
        let mut state = self.lock();
        if state.locked.is_some() || state.refused + state.under_way >= self.limit {
            return None;
        }
        state.tried = true;
        state.under_way += 1;
        Some(LoginTry { logins: self.clone(), open: true })
    }

    /// Notes that the device says it is locked; `why` is cleaned text. Nothing more is tried.
    pub fn lock_out(&self, why: impl Into<String>) {
        let mut state = self.lock();
        state.locked.get_or_insert(why.into());
    }

    /// Whether the device says that it is locked.
    pub fn is_locked(&self) -> bool {
        self.lock().locked.is_some()
    }

    /// Why nothing more is tried, if so.
    pub fn stopped(&self) -> Option<String> {
        let state = self.lock();
        match &state.locked {
            Some(why) => Some(why.clone()),
            None if state.refused >= self.limit => {
                Some(format!("{} of {} refused logins used", state.refused, self.limit))
            }
            None => None,
        }
    }

    /// The login that worked last.
    pub fn worked(&self) -> Option<Credential> {
        self.lock().worked.clone()
    }

    /// Notes that a login was refused over a protocol, so that it is not tried there again. Cameras may have other users
    /// for other protocols.
    pub fn note_refused(&self, protocol: Protocol, credential: &Credential) {
        if !self.was_refused(protocol, credential) {
            self.lock().refused_by.push((protocol, credential.clone()));
        }
    }

    /// Whether a login was refused over a protocol.
    pub fn was_refused(&self, protocol: Protocol, credential: &Credential) -> bool {
        self.lock().refused_by.iter().any(|(p, c)| *p == protocol && c == credential)
    }

    /// What goes into the report; none when no login was tried.
    pub fn attempts(&self) -> Option<LoginAttempts> {
        let state = self.lock();
        state.tried.then_some(LoginAttempts { refused: state.refused, limit: self.limit })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LoginState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One login under way. Dropped without a word, it counts as refused: an answer that never came may have been one.
#[derive(Debug)]
pub struct LoginTry {
    logins: Arc<Logins>,
    open: bool,
}

impl LoginTry {
    /// The device took it.
    pub fn accepted(mut self, credential: &Credential) {
        self.open = false;
        let mut state = self.logins.lock();
        state.under_way = state.under_way.saturating_sub(1);
        state.worked = Some(credential.clone());
    }

    /// The device refused it.
    pub fn refused(self) {}

    /// The request was never sent, or the device answered something that says nothing about the login.
    pub fn undecided(mut self) {
        self.open = false;
        let mut state = self.logins.lock();
        state.under_way = state.under_way.saturating_sub(1);
    }
}

impl Drop for LoginTry {
    fn drop(&mut self) {
        if self.open {
            let mut state = self.logins.lock();
            state.under_way = state.under_way.saturating_sub(1);
            state.refused = state.refused.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_locked_device_is_left_alone() {
        let logins = Logins::new(5);
        logins.lock_out("locked for 30 minutes");
        assert!(logins.begin().is_none());
        assert_eq!(logins.attempts(), None);
        assert_eq!(logins.stopped().as_deref(), Some("locked for 30 minutes"));
    }

    proptest! {
        /// Whatever order answers come in, over however many protocols at once, refusals never pass the limit.
        #[test]
        fn refusals_never_pass_the_limit(limit in 0u32..4, steps in prop::collection::vec(0u8..4, 0..64)) {
            let logins = Logins::new(limit);
            let mut open = Vec::new();
            let mut refused = 0;
            for step in steps {
                match step {
                    0 => open.extend(logins.begin()),
                    1 => if let Some(t) = open.pop() { t.refused(); refused += 1 },
                    2 => if let Some(t) = open.pop() { t.accepted(&Credential::new("u", "p")) },
                    _ => if !open.is_empty() { drop(open.remove(0)); refused += 1 },
                }
                prop_assert!(refused + open.len() as u32 <= limit);
                prop_assert_eq!(logins.attempts().map_or(0, |a| a.refused), refused);
            }
        }
    }
}
