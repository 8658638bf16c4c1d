//! The pipeline of a scan: discovery feeds a bounded pool of inspections, everything they find goes through the registry,
//! and what changes there is told as it happens.

mod discovery;
pub mod inspect;
mod place;
pub mod registry;
pub mod targets;

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::identify::signature::Signatures;
use crate::model::report::SCHEMA;
use crate::model::texts::TextKind;
use crate::model::{
    Credential, Device, Finding, FindingKind, Method, ProbeOptions, Report, ScanEvent, ScanInfo, ScanPlan, ScanStatus,
    StreamStatus,
};
use crate::net::pace::Pace;
use crate::net::{Dialer, Net};
use crate::probe::memory::Memory;
use crate::probe::{Farewells, Inspection, Peer, PortProber, Record};
use crate::scan::registry::Registry;
use crate::text::Redactor;
use place::Place;

/// How long inspections have to tear their sessions down once the scan is stopped.
const STOP_GRACE: Duration = Duration::from_millis(1500);

/// How long sessions that were left to be torn down are waited for when all else is over.
const FAREWELLS: Duration = Duration::from_secs(1);

/// Findings under way between the sockets and the registry; a full channel slows the senders down.
const FINDINGS_UNDER_WAY: usize = 4096;

/// Sentences for the operator under way.
const WARNINGS_UNDER_WAY: usize = 64;

/// Hosts that were found by their IPv6 address alone, without having been asked for by it. A link has 2^64 addresses to claim;
/// the largest network that is scanned unasked has so many.
const MOST_FOUND_BY_V6: usize = 4096;

const TOO_MANY_BY_V6: &str = "more than 4,096 link-local IPv6 addresses answered: the others are left out\nhint: exclude \
                              what invents them (--exclude takes IPv6 networks)";

const STUCK: &str = "the kernel's neighbour table stayed full of others' rows: hosts of the local links may be missing\nhint: \
                     raise net.ipv4.neigh.default.gc_thresh3";

/// What a scan needs from outside.
pub struct Scan {
    /// What is asked of it.
    pub plan: Arc<ScanPlan>,
    /// The network.
    pub net: Arc<dyn Net>,
    /// The signatures.
    pub signatures: Arc<Signatures>,
    /// Connections open at once, of the whole scan.
    pub open_connections: usize,
    /// What is known before anybody is asked: a host that is to be looked at whether or not it is discovered, a stream
    /// the user named.
    pub known: Vec<Finding>,
    /// The time of day.
    pub now: fn() -> Timestamp,
    /// Stops the scan; the report is still made.
    pub cancel: CancellationToken,
}

impl Scan {
    /// Runs the scan to its end and makes the report. `tell` hears of every change as it happens and must not block.
    pub async fn run(self, mut tell: impl FnMut(ScanEvent)) -> Report {
        let started_at = (self.now)();
        let started = Instant::now();
        let (findings, inbox) = mpsc::channel(FINDINGS_UNDER_WAY);
        let (warnings, heard) = mpsc::channel(WARNINGS_UNDER_WAY);
        let mut run = Run::new(self, findings);
        tell(ScanEvent::SweepStarted { addresses: run.scan.plan.targets.len() });
        run.start_discovery(warnings, &mut tell);
        for finding in std::mem::take(&mut run.scan.known) {
            run.take(finding, &mut tell);
        }
        let status = run.work(inbox, heard, &mut tell).await;
        let Run { scan, registry, mut ran, warnings, worked, redactor, .. } = run;
        let mut devices = registry.devices();
        devices.iter_mut().for_each(|device| reveal(&worked, device));
        ran.sort_unstable();
        ran.dedup();
        let finished_at = (scan.now)();
        Report {
            schema: SCHEMA.to_owned(),
            scan: ScanInfo {
                camscan_version: env!("CARGO_PKG_VERSION").to_owned(),
                started_at,
                finished_at,
                duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                status,
                targets: scan.plan.targets.written.iter().map(|t| redactor.redact(t).into_owned()).collect(),
                addresses: scan.plan.targets.len(),
                hosts_up: registry.hosts_up(),
                methods: ran.clone(),
            },
            devices,
            warnings,
        }
    }
}

struct Run {
    scan: Scan,
    registry: Registry,
    dialer: Arc<Dialer>,
    places: Arc<Semaphore>,
    /// Says that no more hosts are looked for.
    all_found: CancellationToken,
    /// What devices send is held in this, all hosts together.
    memory: Arc<Memory>,
    /// What is done with each host; one copy, since lists of ports are long.
    options: Arc<ProbeOptions>,
    swept: Arc<AtomicU64>,
    discovery: JoinSet<(Method, Result<(), String>)>,
    inspections: JoinSet<(IpAddr, Option<Credential>)>,
    /// The logins that worked, kept only when they are to be shown.
    worked: HashMap<IpAddr, Credential>,
    /// Found by IPv6 alone so far: most are further addresses of hosts under inspection, which the MAC addresses tell by
    /// the end of discovery.
    deferred: Vec<IpAddr>,
    found_by_v6: usize,
    /// What discovery says of a host reaches its inspection through here while it is under way.
    records: HashMap<IpAddr, Arc<Record>>,
    findings: Option<mpsc::Sender<Finding>>,
    farewells: Farewells,
    ports: Option<Arc<dyn PortProber>>,
    /// The interfaces that targets are behind.
    links: Vec<String>,
    ran: Vec<Method>,
    warnings: Vec<String>,
    /// Takes the user's passwords out of all that is told.
    redactor: Redactor,
}

impl Run {
    fn new(scan: Scan, findings: mpsc::Sender<Finding>) -> Self {
        let plan = &scan.plan;
        let pace = Arc::new(Pace::new(plan.rate));
        let dialer = Dialer::new(scan.net.clone(), pace, scan.open_connections, plan.probe.per_host);
        Run {
            dialer: Arc::new(dialer),
            options: Arc::new(plan.probe.clone()),
            places: Arc::new(Semaphore::new(plan.concurrency.max(1))),
            all_found: CancellationToken::new(),
            memory: Arc::default(),
            registry: Registry::new(plan.all),
            swept: Arc::default(),
            discovery: JoinSet::new(),
            inspections: JoinSet::new(),
            worked: HashMap::new(),
            deferred: Vec::new(),
            found_by_v6: 0,
            records: HashMap::new(),
            findings: Some(findings),
            farewells: Farewells::default(),
            ports: None,
            links: Vec::new(),
            ran: Vec::new(),
            warnings: Vec::new(),
            redactor: crate::identify::redactor(&plan.probe.credentials),
            scan,
        }
    }

    /// Takes in findings until discovery and all inspections are over, or the scan is stopped.
    async fn work(
        &mut self,
        mut inbox: mpsc::Receiver<Finding>,
        mut heard: mpsc::Receiver<String>,
        tell: &mut impl FnMut(ScanEvent),
    ) -> ScanStatus {
        let far = Instant::now() + Duration::from_secs(30 * 24 * 3600);
        let mut end = self.scan.plan.max_duration.map_or(far, |most| Instant::now() + most);
        let mut progress = tokio::time::interval(Duration::from_millis(100));
        let cancel = self.scan.cancel.clone();
        let mut stopped = false;
        loop {
            if self.discovery.is_empty() {
                self.all_found.cancel();
            }
            if self.is_idle() && inbox.is_empty() {
                self.findings = None;
            }
            tokio::select! {
                biased;
                () = cancel.cancelled(), if !stopped => {
                    stopped = true;
                    end = Instant::now() + STOP_GRACE;
                }
                finding = inbox.recv() => match finding {
                    Some(finding) => self.take(finding, tell),
                    None => break,
                },
                Some(warning) = heard.recv() => self.warn(warning, tell),
                Some(done) = self.discovery.join_next() => self.discovery_ended(done, tell),
                Some(done) = self.inspections.join_next() => {
                    // It may have spoken its last words after the inbox was looked at, and ended since.
                    while let Ok(finding) = inbox.try_recv() {
                        self.take(finding, tell);
                    }
                    self.inspection_ended(done, tell);
                }
                _ = progress.tick() => tell(ScanEvent::Swept { addresses: self.swept.load(Ordering::Relaxed) }),
                () = sleep_until(end) => {
                    if stopped {
                        break;
                    }
                    self.warn("the scan was stopped by --max-duration; hosts not yet looked at are missing".into(), tell);
                    cancel.cancel();
                }
            }
        }
        self.discovery.shutdown().await;
        self.inspections.shutdown().await;
        // What was cut short says its farewell meanwhile; without the runtime it could not.
        self.farewells.all_said(FAREWELLS).await;
        self.findings = None;
        while let Ok(finding) = inbox.try_recv() {
            self.take(finding, tell);
        }
        while let Ok(warning) = heard.try_recv() {
            self.warn(warning, tell);
        }
        if self.dialer.neighbour_table().is_stuck() {
            self.warn(STUCK.to_owned(), tell);
        }
        self.say_links_lost(tell);
        // What is known of hosts that were cut short, or that were not looked at, is told too.
        for ip in self.registry.unfinished() {
            self.take_done(ip, tell);
        }
        tell(ScanEvent::Swept { addresses: self.swept.load(Ordering::Relaxed) });
        if stopped { ScanStatus::Interrupted } else { ScanStatus::Complete }
    }

    fn is_idle(&self) -> bool {
        self.discovery.is_empty() && self.inspections.is_empty()
    }

    fn take(&mut self, finding: Finding, tell: &mut impl FnMut(ScanEvent)) {
        let ip = finding.ip;
        let is_new = !self.registry.knows(ip);
        let is_asked_for = self.scan.plan.targets.host(ip).is_some();
        if is_new && ip.is_ipv6() && !is_asked_for {
            if self.found_by_v6 >= MOST_FOUND_BY_V6 {
                return self.warn(TOO_MANY_BY_V6.to_owned(), tell);
            }
            self.found_by_v6 += 1;
        }
        let record = self.record_of(ip);
        let follow_up = follow_up(&finding);
        for mut finding in std::iter::once(finding).chain(follow_up) {
            // What is asked on goes on the wire as it is; from here on it is shown.
            record.learn(&finding.kind);
            finding.kind.texts(&mut |kind, text| redact(&self.redactor, kind, text));
            if let FindingKind::Seen(method) = finding.kind {
                tracing::debug!(%ip, method = method.as_str(), "host seen");
            }
            for event in self.registry.apply((self.scan.now)(), finding) {
                tell(event);
            }
        }
        let is_wanted = self.is_looked_at(ip) || self.scan.plan.resolve_names;
        if !is_new || !is_wanted || self.scan.cancel.is_cancelled() {
            return;
        }
        if ip.is_ipv6() && !is_asked_for && !self.discovery.is_empty() {
            self.deferred.push(ip);
        } else {
            tell(ScanEvent::HostStarted { ip });
            self.inspect(ip, record);
        }
    }

    /// Looks at the deferred hosts that are devices of their own. A camera is not asked twice over, least of all for its
    /// login.
    fn inspect_deferred(&mut self, tell: &mut impl FnMut(ScanEvent)) {
        for ip in std::mem::take(&mut self.deferred) {
            if !self.registry.has_other_addresses(ip) && !self.scan.cancel.is_cancelled() {
                let record = self.record_of(ip);
                tell(ScanEvent::HostStarted { ip });
                self.inspect(ip, record);
            }
        }
    }

    /// Whether more is asked of a host than to be up. One that is not looked at is told at the end, when all that
    /// discovery says of it is known.
    fn is_looked_at(&self, ip: IpAddr) -> bool {
        !self.options.ports.is_empty() || self.scan.plan.targets.host(ip).is_some_and(|h| !h.ports.is_empty())
    }

    /// What is known of a host; discovery and its inspection share it.
    fn record_of(&mut self, ip: IpAddr) -> Arc<Record> {
        self.records.entry(ip).or_insert_with(|| Record::new(ip, self.options.clone())).clone()
    }

    fn inspect(&mut self, ip: IpAddr, record: Arc<Record>) {
        let Some(findings) = self.findings.clone() else { return };
        let scan = &self.scan;
        let target = scan.plan.targets.host(ip).cloned();
        let mut peer = Peer {
            logins: record.logins().clone(),
            memory: self.memory.clone(),
            clock: scan.now,
            cancel: scan.cancel.clone(),
            deadline: Instant::now() + self.options.host_timeout,
            farewells: self.farewells.clone(),
            ..Peer::new(ip, self.dialer.clone()).with_options(&self.options)
        };
        if let Some(name) = target.as_ref().and_then(|t| t.name.clone()) {
            peer.name = name;
        }
        let mut host = Inspection::new(peer, self.options.clone(), record, scan.signatures.clone(), findings);
        host.ports = self.ports.clone();
        let own_ports = target.map(|t| t.ports).unwrap_or_default();
        let resolve = scan.plan.resolve_names;
        let neighbours = self.is_looked_at(ip).then(|| self.dialer.clone());
        let mut place = Place::new(ip, self.places.clone(), neighbours, self.all_found.clone());
        let (logins, show_secrets) = (host.peer.logins.clone(), scan.plan.show_secrets);
        self.inspections.spawn(async move {
            let cancel = host.peer.cancel.clone();
            if cancel.run_until_cancelled(place.take()).await == Some(true) {
                let deadline = Instant::now() + host.options.host_timeout;
                inspect::inspect(host.until(deadline), &own_ports, resolve, &mut place).await;
            }
            (ip, logins.worked().filter(|_| show_secrets))
        });
    }

    fn inspection_ended(
        &mut self,
        done: Result<(IpAddr, Option<Credential>), JoinError>,
        tell: &mut impl FnMut(ScanEvent),
    ) {
        // It catches its panics, and is aborted only when all is over.
        let Ok((ip, worked)) = done else { return };
        self.worked.extend(worked.map(|login| (ip, login)));
        if self.is_looked_at(ip) {
            self.take_done(ip, tell);
        }
    }

    fn take_done(&mut self, ip: IpAddr, tell: &mut impl FnMut(ScanEvent)) {
        // An inspection that was cut short could not tell any more.
        if let Some(attempts) = self.records.remove(&ip).and_then(|record| record.logins().attempts()) {
            let finding = Finding::new(ip, FindingKind::LoginAttempts(attempts));
            self.registry.apply((self.scan.now)(), finding).into_iter().for_each(&mut *tell);
        }
        for mut event in self.registry.apply((self.scan.now)(), Finding::new(ip, FindingKind::Done)) {
            if let ScanEvent::DeviceDone(device) = &mut event {
                reveal(&self.worked, device);
            }
            tell(event);
        }
    }

    fn warn(&mut self, mut text: String, tell: &mut impl FnMut(ScanEvent)) {
        redact(&self.redactor, TextKind::Lines, &mut text);
        if !self.warnings.contains(&text) {
            tell(ScanEvent::Warning(text.clone()));
            self.warnings.push(text);
        }
    }
}

/// Puts the login that worked into the URLs of the streams that need it, when the user asked for that.
fn reveal(worked: &HashMap<IpAddr, Credential>, device: &mut Device) {
    let Some(login) = worked.get(&device.ip) else { return };
    for stream in device.streams.iter_mut().filter(|s| s.open == Some(false) && s.status != StreamStatus::AuthRequired)
    {
        stream.url = crate::wire::url::with_login(&stream.url, &login.user, login.password.expose());
    }
}

/// Takes the user's passwords out of a text, and those in addresses: whatever a device sent and wherever it put it, this is
/// the way into the report.
fn redact(redactor: &Redactor, kind: TextKind<'_>, text: &mut String) {
    let shown = match kind {
        TextKind::Line | TextKind::Lines => redactor.redact(text),
        TextKind::ValueOf(name) => redactor.redact_value(name, text),
        TextKind::Own | TextKind::Path => return,
    };
    if let Cow::Owned(shown) = shown {
        *text = shown;
    }
    if kind == TextKind::Line && text.contains("://") {
        *text = crate::text::redact_urls(text);
    }
}

/// What a finding lets us conclude without asking anybody: a MAC address speaks for a maker.
fn follow_up(finding: &Finding) -> Vec<Finding> {
    match &finding.kind {
        FindingKind::Mac(mac) | FindingKind::StatedMac(mac) => crate::identify::oui::evidence(*mac)
            .into_iter()
            .map(|evidence| Finding::new(finding.ip, FindingKind::Evidence(evidence)))
            .collect(),
        _ => Vec::new(),
    }
}
