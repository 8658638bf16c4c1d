//! One scan under way: discovery feeds the pool of inspections, and what both find goes into the results.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Scan;
use super::announced::Announced;
use super::coverage::Notes;
use super::discovery::Discovery;
use super::inspected::Inspected;
use super::pool::Pool;
use super::results::Results;
use super::session::Session;
use crate::model::{EventSink, Finding, FindingKind, Method, ScanEvent, ScanPlan, ScanStatus};
use crate::net::Dialer;
use crate::net::pace::Pace;

/// How long inspections have to tear their sessions down once the scan is stopped.
const STOP_GRACE: Duration = Duration::from_millis(1500);

/// How long sessions that were left to be torn down are waited for when all else is over.
const FAREWELLS: Duration = Duration::from_secs(1);

/// How long is waited at the end for what became of logins to be written down.
const WRITTEN: Duration = Duration::from_secs(2);

/// Findings under way between the sockets and the registry; a full channel slows the senders down.
const FINDINGS_UNDER_WAY: usize = 4096;

/// Sentences for the operator under way.
const WARNINGS_UNDER_WAY: usize = 64;

/// Hosts that were found by their IPv6 address alone, without having been asked for by it. A link has 2^64 addresses to claim;
/// the largest network that is scanned unasked has so many.
const MOST_FOUND_BY_V6: usize = 4096;

const TOO_MANY_BY_V6: &str = "more than 4,096 link-local IPv6 addresses answered; the others are left out\nhint: exclude \
                              the device that invents them (--exclude takes IPv6 networks)";

const TOO_MANY_HEARD: &str = "more than 1,024 addresses or 4,096 devices of other subnets were heard on the link; the \
                              others are left out\nhint: exclude the subnet of addresses that are made up (--exclude)";

const TABLE_FULL: &str = "the kernel's neighbour table stayed full, so local hosts may be missing\nhint: raise \
                          net.ipv4.neigh.default.gc_thresh3";

const OUT_OF_TIME: &str = "the scan was stopped by --max-duration; hosts not yet inspected are missing";

/// What comes in while a scan runs.
pub(super) struct Inbox {
    discovered: mpsc::Receiver<Finding>,
    inspected: mpsc::Receiver<Finding>,
    warnings: mpsc::Receiver<String>,
}

/// A scan under way.
pub(super) struct Run<S> {
    session: Arc<Session>,
    plan: Arc<ScanPlan>,
    cancel: CancellationToken,
    discovery: Discovery,
    pool: Pool,
    results: Results<S>,
    dialer: Arc<Dialer>,
    found_by_v6: usize,
    announced: Announced,
    inspected: Inspected,
    /// Whether there was no more room for what was heard of other subnets.
    heard_too_many: bool,
}

impl<S: EventSink> Run<S> {
    /// Starts discovery, and the inspection of what is known beforehand.
    pub(super) fn start(scan: Scan, sink: S) -> (Self, Inbox) {
        let Scan { session, plan, known, cancel } = scan;
        let pace = Arc::new(Pace::new(plan.rate));
        let dialer = Arc::new(session.dialer(pace, plan.probe.per_host));
        let (discovery_findings, discovered) = mpsc::channel(FINDINGS_UNDER_WAY);
        let (inspection_findings, inspected) = mpsc::channel(FINDINGS_UNDER_WAY);
        let (warning_sender, warnings) = mpsc::channel(WARNINGS_UNDER_WAY);
        let mut results = Results::new(plan.all, &plan.probe, session.now, sink);
        results.report(&ScanEvent::SweepStarted { addresses: plan.targets.len() });
        let discovery =
            Discovery::new(&session, &plan, &dialer, &cancel, discovery_findings, warning_sender, &mut results);
        let ports = discovery.port_prober();
        let pool = Pool::new(&session, &plan, &dialer, &cancel, inspection_findings, ports);
        let mut run = Run {
            session,
            plan,
            cancel,
            discovery,
            pool,
            results,
            dialer,
            found_by_v6: 0,
            announced: Announced::default(),
            inspected: Inspected::default(),
            heard_too_many: false,
        };
        let take = |finding: Finding| run.take_of_target(finding.ip, with_conclusions(finding));
        let new: Vec<IpAddr> = known.into_iter().filter_map(take).collect();
        run.begin(new);
        (run, Inbox { discovered, inspected, warnings })
    }

    /// Takes in findings until discovery and all inspections are over, or the scan is stopped.
    pub(super) async fn finish(mut self, mut inbox: Inbox) -> (Results<S>, Notes, ScanStatus) {
        let status = self.work(&mut inbox).await;
        self.discovery.stop().await;
        self.pool.stop().await;
        // What was cut short ends its sessions meanwhile; without the runtime it could not.
        self.pool.farewells().all_said(FAREWELLS).await;
        self.take_all(&mut inbox);
        self.pool.budget().written(WRITTEN).await;
        if self.dialer.neighbour_table().is_stuck() {
            self.results.warn(TABLE_FULL.to_owned());
        }
        for name in self.discovery.lost_links() {
            self.results
                .warn(format!("the interface {name} went down during the scan: hosts behind it may be missing"));
        }
        // What is known of hosts that were cut short, or that were not inspected, is reported too.
        for ip in self.results.registry().unfinished() {
            self.results.host_done(ip);
        }
        let left_out = [self.announced.warning(), self.inspected.warning()];
        left_out.into_iter().flatten().for_each(|warning| self.results.warn(warning));
        self.results.report_heard();
        self.results.report(&ScanEvent::Swept { addresses: self.discovery.swept() });
        (self.results, self.discovery.notes(), status)
    }

    async fn work(&mut self, inbox: &mut Inbox) -> ScanStatus {
        let far = Instant::now() + Duration::from_secs(30 * 24 * 3600);
        let mut end = self.plan.max_duration.map_or(far, |most| Instant::now() + most);
        let mut progress = tokio::time::interval(Duration::from_millis(100));
        let cancel = self.cancel.clone();
        let mut is_stopped = false;
        while !self.is_over(inbox) {
            tokio::select! {
                biased;
                () = cancel.cancelled(), if !is_stopped => {
                    is_stopped = true;
                    end = Instant::now() + STOP_GRACE;
                }
                Some(finding) = inbox.inspected.recv() => self.take_inspected(finding),
                Some(finding) = inbox.discovered.recv() => {
                    // With what was sent after it.
                    let others = std::iter::from_fn(|| inbox.discovered.try_recv().ok()).take(FINDINGS_UNDER_WAY);
                    let all = std::iter::once(finding).chain(others);
                    let new: Vec<IpAddr> = all.filter_map(|finding| self.take_discovered(finding)).collect();
                    self.begin(new);
                }
                Some(warning) = inbox.warnings.recv() => self.results.warn(warning),
                Some(ended) = self.discovery.next_ended() => self.discovery_ended(ended),
                Some((ip, login)) = self.pool.next_ended() => {
                    // It may have sent its last findings after the inbox was looked at, and ended since.
                    while let Ok(finding) = inbox.inspected.try_recv() {
                        self.take_inspected(finding);
                    }
                    self.pool.forget(ip);
                    if let Some(login) = login {
                        self.session.keep_login(ip, self.results.registry().link_mac(ip), login.clone());
                        if self.plan.show_secrets {
                            self.results.keep_login(ip, login);
                        }
                    }
                    if self.pool.is_inspected(ip) {
                        self.results.host_done(ip);
                    }
                }
                _ = progress.tick() => self.results.report(&ScanEvent::Swept { addresses: self.discovery.swept() }),
                () = sleep_until(end) => {
                    if is_stopped {
                        break;
                    }
                    self.results.warn(OUT_OF_TIME.to_owned());
                    cancel.cancel();
                }
            }
        }
        if is_stopped { ScanStatus::Interrupted } else { ScanStatus::Complete }
    }

    /// Whether discovery and all inspections have ended, and all they found is taken in.
    fn is_over(&mut self, inbox: &Inbox) -> bool {
        if !self.discovery.is_over() || !inbox.discovered.is_empty() {
            return false;
        }
        self.pool.nothing_more_is_found();
        self.pool.is_idle() && inbox.inspected.is_empty()
    }

    fn take_all(&mut self, inbox: &mut Inbox) {
        while let Ok(finding) = inbox.inspected.try_recv() {
            self.take_inspected(finding);
        }
        while let Ok(finding) = inbox.discovered.try_recv() {
            // Nothing begins any more.
            self.take_discovered(finding);
        }
        while let Ok(warning) = inbox.warnings.try_recv() {
            self.results.warn(warning);
        }
    }

    /// Takes in what an inspection found, which has recorded it itself, as far as there is room for it.
    fn take_inspected(&mut self, mut finding: Finding) {
        if !self.inspected.admit(&mut finding) {
            return;
        }
        for conclusion in conclusions(&finding) {
            self.pool.learn(conclusion.ip, &conclusion.kind);
            self.results.take(conclusion);
        }
        self.results.take(finding);
    }

    /// Takes in what was found by discovery, as far as there is room for it; says which host is to be inspected now.
    fn take_discovered(&mut self, finding: Finding) -> Option<IpAddr> {
        let (ip, targets, registry) = (finding.ip, &self.plan.targets, self.results.registry());
        let is_target = targets.contains(ip);
        let is_further = is_target && finding.claimant.is_some_and(|mac| registry.is_further_claimant(ip, mac));
        if is_further && !self.announced.admit_claimant(ip, targets) {
            return None;
        }
        // Each host has a network card, however many hosts there are.
        let is_first_card = is_target && matches!(finding.kind, FindingKind::Mac(_)) && !registry.shows_card(ip);
        let mut all = with_conclusions(finding);
        all.retain_mut(|finding| is_first_card || self.announced.admit(finding, targets));
        if is_target {
            return self.take_of_target(ip, all);
        }
        for finding in all {
            if !self.results.hear(finding) && !self.heard_too_many {
                self.heard_too_many = true;
                self.results.warn(TOO_MANY_HEARD.to_owned());
            }
        }
        None
    }

    /// Takes in what was found of a target. A new host is to be inspected, once all is learnt that is known of it: an inspection
    /// may end soon. Of one under inspection its inspection learns it.
    fn take_of_target(&mut self, ip: IpAddr, findings: Vec<Finding>) -> Option<IpAddr> {
        let is_new = !findings.is_empty() && !self.results.registry().knows(ip);
        let is_asked_for = self.plan.targets.host(ip).is_some();
        if is_new && ip.is_ipv6() && !is_asked_for {
            if self.found_by_v6 >= MOST_FOUND_BY_V6 {
                self.results.warn(TOO_MANY_BY_V6.to_owned());
                return None;
            }
            self.found_by_v6 += 1;
        }
        let is_wanted = self.pool.is_inspected(ip) || self.plan.resolve_names;
        let is_started = is_new && is_wanted && !self.cancel.is_cancelled();
        if is_started {
            self.pool.expect(ip);
        }
        for finding in findings {
            // An inspection asks on with what was sent; from here on it is redacted.
            self.pool.learn(ip, &finding.kind);
            self.results.take(finding);
        }
        is_started.then_some(ip)
    }

    /// Begins the inspections of new hosts, at once or when discovery is over.
    fn begin(&mut self, new: Vec<IpAddr>) {
        for ip in new {
            let is_asked_for = self.plan.targets.host(ip).is_some();
            if ip.is_ipv6() && !is_asked_for && !self.discovery.is_over() {
                self.pool.defer(ip);
            } else {
                self.inspect(ip);
            }
        }
    }

    fn inspect(&mut self, ip: IpAddr) {
        self.results.report(&ScanEvent::HostStarted { ip });
        self.pool.inspect(ip);
    }

    fn discovery_ended(&mut self, ended: Result<Method, String>) {
        if let Err(why) = ended {
            self.results.warn(why);
        }
        if !self.discovery.is_over() {
            return;
        }
        // A camera is not asked twice over, least of all for its login: only deferred hosts that are devices of their own
        // are inspected.
        for ip in self.pool.take_deferred() {
            if !self.results.registry().has_other_addresses(ip) && !self.cancel.is_cancelled() {
                self.inspect(ip);
            } else {
                self.pool.forget(ip);
            }
        }
    }
}

/// A finding, behind what it lets us conclude.
fn with_conclusions(finding: Finding) -> Vec<Finding> {
    let mut all = conclusions(&finding);
    all.push(finding);
    all
}

/// What a finding lets us conclude without asking anybody: a MAC address is evidence of a maker.
fn conclusions(finding: &Finding) -> Vec<Finding> {
    match &finding.kind {
        FindingKind::Mac(mac) | FindingKind::StatedMac(mac) => crate::identify::oui::evidence(*mac)
            .into_iter()
            .map(|evidence| Finding::new(finding.ip, FindingKind::Evidence(evidence)).by(finding.claimant))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::identify::signature::Signatures;
    use crate::model::{HostTarget, Report, TargetSet};
    use crate::scan::single;
    use crate::testkit::net::FakeNet;
    use crate::testkit::plan::plan_for;

    fn url(ip: IpAddr) -> String {
        format!("rtsp://{ip}:1/x")
    }

    /// A scan of hosts that refuse everything, of which this is known beforehand, and what it told.
    async fn scanned(hosts: [IpAddr; 2], known: Vec<Finding>) -> (Report, Vec<ScanEvent>) {
        let targets = hosts.map(|ip| HostTarget { ip, name: None, zone: None, ports: vec![1] });
        let mut plan = plan_for(TargetSet::new(Vec::new(), [], targets, &[]));
        plan.probe.ports = Vec::new();
        let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), crate::testkit::clock::now, 16);
        let events = Mutex::new(Vec::new());
        let sink = |event: &ScanEvent| events.lock().unwrap().push(event.clone());
        let report = Scan { session, plan: Arc::new(plan), known, cancel: CancellationToken::new() }.run(sink).await;
        (report, events.into_inner().unwrap())
    }

    /// Inspections run beside what makes them begin, and one that is refused ends at once.
    #[tokio::test(start_paused = true)]
    async fn all_that_is_known_is_learnt_before_an_inspection_begins() {
        let hosts: [IpAddr; 2] = [[192, 0, 2, 8].into(), [192, 0, 2, 9].into()];
        let known = hosts.map(|ip| [single::host(ip), single::stream(ip, url(ip))]).concat();
        let orders = (0..256_usize).map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6]);
        for order in orders.filter(|order| (0..4).all(|n| order.contains(&n))) {
            let (report, events) = scanned(hosts, order.map(|n| known[n].clone()).to_vec()).await;
            let is_begun = |event: &ScanEvent| matches!(event, ScanEvent::HostStarted { .. });
            let is_up = |event: &ScanEvent| matches!(event, ScanEvent::HostUp { .. });
            let begun = events.iter().position(is_begun).unwrap();
            assert_eq!(events.iter().take(begun).filter(|event| is_up(event)).count(), 2, "{order:?} {events:?}");
            let streams = report.devices.iter().map(|device| device.streams.iter().map(|s| s.url.clone()).collect());
            let streams: Vec<Vec<String>> = streams.collect();
            assert_eq!(streams, hosts.map(|ip| vec![url(ip)]), "{order:?}");
        }
    }
}
