//! What is known of one host while it is looked at, and how it is asked.

mod connect;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
#[cfg(test)]
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::memory::Memory;
use super::{Farewells, FindingSender, Heard, Logins, PortProber};
use crate::identify::ports;
use crate::identify::signature::{Field, Signatures};
use crate::identify::stream_url;
use crate::model::finding::StreamHint;
use crate::model::{
    Credential, ErrorKind, Evidence, EvidenceSource, Fact, Finding, FindingKind, Kind, MacAddr, ProbeOptions, Protocol,
    Service, StageError, StreamStatus, Transport,
};
use crate::net::{Dialer, Net};

/// Everything that has been said about one host so far; discovery adds to it while the host is inspected.
#[derive(Debug, Default)]
pub struct HostFacts {
    inner: Mutex<Facts>,
    /// Told of when a service is said.
    news: Notify,
    /// Whether an answer may take its time.
    is_unhurried: AtomicBool,
    stream: Arc<tokio::sync::Mutex<()>>,
    rtsp_pace: Mutex<RtspPace>,
    pictures: AtomicU32,
}

/// The right to be the one client that plays a stream of a host ([`HostContext::stream_turn`]).
pub type StreamTurn = tokio::sync::OwnedMutexGuard<()>;

/// How soon after another the device takes RTSP connections.
#[derive(Debug, Default, Clone, Copy)]
struct RtspPace {
    opened: Option<Instant>,
    pause: Duration,
}

/// Whether a port that sends clients away may still have room for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// In a moment.
    Awaited,
    /// It was awaited in vain.
    None,
}

#[derive(Debug, Default, Clone)]
struct Facts {
    /// As the link shows it.
    mac: Option<MacAddr>,
    /// As the device states it.
    stated_mac: Option<MacAddr>,
    evidence: Vec<Evidence>,
    services: Vec<Service>,
    hints: Vec<StreamHint>,
    open_ports: BTreeSet<u16>,
    refused_ports: BTreeSet<u16>,
    /// What went wrong on ports of which it is not known yet what they speak.
    doubts: Vec<(u16, StageError)>,
    /// Ports that left a TLS handshake without an answer.
    silent_tls: BTreeSet<u16>,
    /// How long the slowest answer to a connect took.
    slowest: Option<Duration>,
    /// Whether anything was said on a port that was connected to.
    heard: BTreeMap<u16, Arc<AtomicBool>>,
    /// How often a port closed a fresh connection without an answer.
    closed: BTreeMap<u16, u8>,
    /// Ports that were open and then refused or closed connections.
    shut: BTreeMap<u16, Room>,
    /// Ports that left a request over HTTP without an answer, or their answer without an end.
    hung: BTreeSet<u16>,
    /// By which protocols streams were found.
    streams: BTreeSet<Protocol>,
    /// What the host's streams are called, by its own lists or by those that were found.
    names: Vec<String>,
    /// Whether a list of the host's own tells them.
    lists_names: bool,
}

impl Facts {
    fn note_name(&mut self, name: String) {
        /// As many as are taken of one list.
        const MOST: usize = 64;
        if self.names.len() < MOST && !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

impl HostFacts {
    /// Takes note of a finding. What one host can say is bounded.
    pub fn note(&self, kind: &FindingKind) {
        const MOST: usize = 512;
        let mut facts = self.lock();
        match kind {
            FindingKind::Mac(mac) => facts.mac = Some(*mac),
            FindingKind::StatedMac(mac) => facts.stated_mac = Some(*mac),
            FindingKind::Evidence(e) if facts.evidence.len() < MOST && !facts.evidence.contains(e) => {
                facts.evidence.push(e.clone());
            }
            FindingKind::Service(s) => {
                if let Some(known) = facts.services.iter_mut().find(|known| known.is_same(s)) {
                    known.learn(s.clone());
                } else if facts.services.len() < MOST {
                    facts.services.push(s.clone());
                }
                self.news.notify_one();
            }
            FindingKind::Refuses(port) => {
                facts.services.retain(|s| (s.transport, s.port) != (Transport::Tcp, *port));
            }
            FindingKind::StreamHint(h) => {
                if let Some(known) = facts.hints.iter_mut().find(|k| k.url == h.url) {
                    known.learn(h);
                } else if facts.hints.len() < MOST {
                    facts.hints.push(h.clone());
                }
            }
            FindingKind::Stream(s) if !matches!(s.status, StreamStatus::NotFound | StreamStatus::Error) => {
                facts.streams.insert(s.protocol);
                if let Some(name) = stream_url::name_in(&s.url) {
                    facts.note_name(name);
                }
            }
            _ => {}
        }
    }

    /// Notes what one of the host's streams is called by a list of its own.
    pub fn note_stream_name(&self, name: &str) {
        let mut facts = self.lock();
        facts.lists_names = true;
        facts.note_name(name.to_owned());
    }

    /// Whether a name of one of the host's streams is known.
    pub fn knows_stream_names(&self) -> bool {
        !self.lock().names.is_empty()
    }

    /// Notes an open TCP port.
    pub fn note_open(&self, port: u16) {
        self.lock().open_ports.insert(port);
    }

    /// Notes a TCP port that refused.
    pub fn note_refused(&self, port: u16) {
        self.lock().refused_ports.insert(port);
    }

    /// The TCP ports that refused when they were asked.
    pub fn refused_ports(&self) -> BTreeSet<u16> {
        self.lock().refused_ports.clone()
    }

    /// Notes how long the host took to answer a connect or a SYN frame.
    pub fn note_round_trip(&self, took: Duration) {
        let mut facts = self.lock();
        facts.slowest = facts.slowest.max(Some(took));
    }

    /// From now on nobody waits for the inspection's end: an answer may take its time.
    pub fn be_unhurried(&self) {
        self.is_unhurried.store(true, Ordering::Relaxed);
    }

    /// Waits until a service has been said since this was waited for last.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Notes that a request over HTTP to a port was left without an answer, or the answer without an end.
    pub fn note_hung(&self, port: u16) {
        self.lock().hung.insert(port);
    }

    /// Whether a port was noted so. What nobody announced is not looked for there: each question would cost as long again.
    pub fn has_hung(&self, port: u16) -> bool {
        self.lock().hung.contains(&port)
    }

    /// The number of the next stream of which a picture is taken, from 1.
    pub fn number_picture(&self) -> u32 {
        self.pictures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// From now on, so much time is left between two RTSP connections to the device.
    pub fn space_rtsp(&self, pause: Duration) {
        self.rtsp_pace().pause = pause;
    }

    /// Notes that an RTSP connection is opened now.
    pub fn note_rtsp_opened(&self) {
        self.rtsp_pace().opened = Some(Instant::now());
    }

    fn rtsp_pace(&self) -> std::sync::MutexGuard<'_, RtspPace> {
        self.rtsp_pace.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// The memory for what devices send, shared by the scan.
    pub memory: Arc<Memory>,
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
    /// Takes care that sessions of this host are ended though their owner was cut short.
    pub farewells: Farewells,
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

    /// Notes that a port was asked in vain for what is expected there. Said as an error when nothing else turns out to be
    /// spoken there either ([`HostContext::settle_port`]). `message` must hold no secret.
    pub fn doubt(&self, port: u16, stage: &str, kind: ErrorKind, message: &str) {
        /// Detectors are few, and so are the ports where two of them expect their own.
        const MOST: usize = 64;
        let mut facts = self.facts.lock();
        if facts.doubts.len() < MOST {
            let message = crate::text::clean(message);
            facts.doubts.push((port, StageError { stage: stage.to_owned(), kind, message }));
        }
    }

    /// Says what went wrong on an open port, unless what it speaks was understood. Where nobody had a doubt of his own,
    /// what was `heard` last is the reason: of an open port about which nothing was learnt it is always said why. The ports
    /// where makers speak a protocol of their own are excepted; that they are open is all they have to tell.
    pub async fn settle_port(&self, port: u16, understood: bool, heard: Option<Heard>) {
        let mut doubts: Vec<StageError> = {
            let mut facts = self.facts.lock();
            facts.doubts.extract_if(.., |(of, _)| *of == port).map(|(_, error)| error).collect()
        };
        if understood {
            return;
        }
        let is_private = ports::describe(port).is_some_and(|p| p.maker.is_some_and(|maker| maker.speaks.is_empty()));
        if is_private {
            // Doubts about the port as such; a detector that expects its own there has its reasons.
            doubts.retain(|error| error.stage != PORTS);
        } else if doubts.is_empty() {
            doubts.extend(heard.and_then(|heard| nothing_learnt(port, heard)));
        }
        for error in doubts {
            self.say(FindingKind::Error(error)).await;
        }
    }

    /// Waits until nobody else plays a stream of the host, by whatever protocol, or has an RTSP connection to it: many
    /// cameras serve one client at a time, and a stream asked for in several ways at once hampers itself. The turn lasts
    /// until it is dropped. None when it takes longer than `limit`; whoever then goes on goes without.
    ///
    /// Nobody takes a second turn while holding one: it would wait for itself.
    pub async fn stream_turn(&self, limit: Duration) -> Option<StreamTurn> {
        tokio::time::timeout(limit, self.facts.stream.clone().lock_owned()).await.ok()
    }

    /// Waits until the device takes another RTSP connection, where it is known to want a pause; never past the host's
    /// deadline.
    pub async fn rtsp_pause(&self) {
        let RtspPace { opened, pause } = *self.facts.rtsp_pace();
        let Some(opened) = opened.filter(|_| !pause.is_zero()) else { return };
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = tokio::time::sleep_until((opened + pause).min(self.deadline)) => {}
        }
    }

    /// The index of the interface whose link the host is on; none when routers lie between, or it is this machine itself.
    pub fn interface_of_link(&self) -> Option<u32> {
        let interfaces = self.net.interfaces().ok()?;
        let is_link = |i: &&crate::net::Interface| !i.loopback && !i.point_to_point && i.is_on_link(self.ip);
        interfaces.iter().find(is_link).map(|i| i.index)
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

    /// The stream addresses announced so far; those that the user asked for alone, where there are any.
    pub fn hints(&self) -> Vec<StreamHint> {
        let mut hints = self.facts.lock().hints.clone();
        if hints.iter().any(|h| h.is_asked_for) {
            hints.retain(|h| h.is_asked_for);
        }
        hints
    }

    /// Whether streams are looked for that nobody announced: not where the user asked for certain ones.
    pub fn may_guess(&self) -> bool {
        !self.facts.lock().hints.iter().any(|h| h.is_asked_for)
    }

    /// Whether a stream was found that comes by one of these protocols.
    pub fn has_stream(&self, protocols: &[Protocol]) -> bool {
        let facts = self.facts.lock();
        protocols.iter().any(|protocol| facts.streams.contains(protocol))
    }

    /// The MAC address as the link shows it (ARP, the neighbour table), which a device cannot choose as freely as what it
    /// says of itself; none for hosts behind a router.
    fn mac_of_link(&self) -> Option<MacAddr> {
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

    /// The names of streams worth trying by any protocol: those that are known of a server of streams; where none is, those
    /// people give. None for hosts that nothing shows to be such a server, and where only certain streams are asked for.
    pub fn stream_names(&self) -> Vec<String> {
        if !self.may_guess() {
            return Vec::new();
        }
        let verdict = crate::identify::weigh(&self.evidence());
        let speaks_rtmp = || self.services().iter().any(|s| matches!(s.protocol, Protocol::Rtmp | Protocol::Rtmps));
        let is_server = verdict.kind == Kind::MediaServer || (verdict.kind == Kind::Other && speaks_rtmp());
        let (known, lists) = {
            let facts = self.facts.lock();
            (facts.names.clone(), facts.lists_names)
        };
        match is_server || lists {
            true if known.is_empty() => stream_url::common_names(verdict.winner(Fact::Hostname)),
            true => known,
            false => Vec::new(),
        }
    }

    /// The vendor, where more than the device's own word speaks for it: the maker of its network card as the link shows it,
    /// and a second fact that says the same.
    fn vendor_of_link(&self) -> Option<String> {
        let vendor = self.vendor()?;
        let names = |e: &Evidence| e.fact == Fact::Vendor && e.value.eq_ignore_ascii_case(&vendor);
        let by_link = self.mac_of_link().is_some_and(|mac| crate::identify::oui::evidence(mac).iter().any(names));
        let by_second = || self.evidence().iter().any(|e| names(e) && e.source != EvidenceSource::Oui);
        (by_link && by_second()).then_some(vendor)
    }

    /// The logins meant for this device, the one that worked before first. A login bound to a MAC address or a vendor goes by
    /// what the link shows, unless the user trusts the device's own word for it.
    pub fn credentials(&self) -> Vec<Credential> {
        let (mac, vendor) = (self.mac_of_link(), self.vendor_of_link());
        let stated = self.facts.lock().stated_mac;
        let covers = |credential: &&Credential| match credential.scope.trust_announced {
            true => credential.scope.covers(self.ip, self.vendor().as_deref(), mac.or(stated)),
            false => credential.scope.covers(self.ip, vendor.as_deref(), mac),
        };
        let mut fitting: Vec<Credential> = self.options.credentials.iter().filter(covers).cloned().collect();
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

/// The stage of errors about a port as such.
pub const PORTS: &str = "ports";

/// Why nothing was learnt about an open port.
fn nothing_learnt(port: u16, heard: Heard) -> Option<StageError> {
    let (kind, what) = match heard {
        Heard::Silence => (ErrorKind::Timeout, "takes connections and answers nothing"),
        Heard::Closed => (ErrorKind::Closed, "takes connections and closes them without an answer"),
        Heard::Garbage | Heard::Other(_) => (ErrorKind::Protocol, "answers in a protocol that is not known"),
        Heard::Spoken | Heard::SpokenOverTls => return None,
    };
    Some(StageError { stage: PORTS.to_owned(), kind, message: format!("port {port} {what}") })
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
            memory: Arc::default(),
            options: Arc::new(options),
            signatures: Arc::new(Signatures::default()),
            cancel: CancellationToken::new(),
            deadline: Instant::now() + Duration::from_secs(600),
            facts: Arc::default(),
            findings,
            farewells: Farewells::default(),
            ports: None,
        };
        (host, said)
    }
}
