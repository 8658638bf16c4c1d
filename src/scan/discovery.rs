//! The ways of finding hosts within a scan: which of them run, and what becomes of those that cannot.

use std::collections::BTreeMap;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::coverage::Notes;
use super::results::Results;
use super::session::Session;
use crate::identify::site::Surroundings;
use crate::model::coverage::{Hindrance, Unable};
use crate::model::{EventSink, Finding, Method, ScanPlan};
use crate::net::{Dialer, Interface, Net};
use crate::probe::sweep::{AddressList, segments};
use crate::probe::{Askers, DiscoveryContext, Finder, Listener, PortProber, Unsent, overhear};
use crate::protocol::tcp::syn::SynScanner;

/// Discovery under way.
pub(super) struct Discovery {
    net: Arc<dyn Net>,
    running: JoinSet<(Method, Result<(), Unable>)>,
    /// What listens on the links; it ends with the last method.
    listening: JoinSet<()>,
    listened_long_enough: CancellationToken,
    /// How many addresses have been asked.
    swept: Arc<AtomicU64>,
    ports: Option<Arc<dyn PortProber>>,
    /// The interfaces that targets are behind.
    links: Vec<String>,
    askers: Arc<Askers>,
    unsent: Arc<Unsent>,
    unread: Arc<Mutex<BTreeMap<String, Option<io::ErrorKind>>>>,
    notes: Notes,
}

impl Discovery {
    /// Starts the methods of the plan. Hosts go to `findings`, sentences for the operator to `warnings`.
    pub(super) fn new<S: EventSink>(
        session: &Session,
        plan: &Arc<ScanPlan>,
        dialer: &Arc<Dialer>,
        cancel: &CancellationToken,
        findings: mpsc::Sender<Finding>,
        warnings: mpsc::Sender<String>,
        results: &mut Results<S>,
    ) -> Self {
        let net = session.net.clone();
        let mut interfaces: Vec<Interface> = net.interfaces().unwrap_or_else(|error| {
            results.warn(format!("the network interfaces cannot be listed: {error}"));
            Vec::new()
        });
        let surroundings = surroundings(&interfaces);
        results.set_surroundings(surroundings.clone());
        let interfaces_up = interfaces.clone();
        interfaces.retain(|i| plan.interfaces.is_empty() || plan.interfaces.contains(&i.name));
        set_zones(plan, net.as_ref(), &interfaces);
        dialer.neighbour_table().set_interfaces(&interfaces);
        let targets = AddressList::of_targets(&plan.targets);
        let mut discovery = Discovery {
            running: JoinSet::new(),
            listening: JoinSet::new(),
            listened_long_enough: CancellationToken::new(),
            swept: Arc::default(),
            ports: port_prober(plan, &net, dialer, &interfaces),
            links: segments(&targets, &interfaces).into_iter().map(|s| s.interface.name).collect(),
            askers: Arc::default(),
            unsent: Arc::default(),
            unread: Arc::default(),
            notes: Notes { interfaces: interfaces_up, ..Notes::default() },
            net: net.clone(),
        };
        let context = Arc::new(DiscoveryContext {
            plan: plan.clone(),
            net,
            dialer: dialer.clone(),
            interfaces,
            surroundings: surroundings.clone(),
            cancel: cancel.clone(),
            signatures: session.signatures.clone(),
            findings,
            swept: discovery.swept.clone(),
            askers: discovery.askers.clone(),
            unsent: discovery.unsent.clone(),
            warnings,
            ports: discovery.ports.clone(),
        });
        for finder in session.protocols.iter().filter_map(|rows| rows.finder) {
            let method = finder.method;
            // Of a scan of loopback no datagram goes out to a link.
            let runs = method == Method::Tcp || !plan.targets.is_loopback_only();
            if runs && plan.methods.contains(&method) {
                discovery.spawn(finder, context.clone());
            }
        }
        if !plan.targets.is_loopback_only() {
            let rows = session.protocols.iter().filter_map(|rows| rows.listener);
            discovery.listen(&context, rows.filter(|l| plan.methods.contains(&l.method)).collect());
        }
        discovery
    }

    /// Listens on every link while the methods run.
    fn listen(&mut self, context: &Arc<DiscoveryContext>, listeners: Vec<Listener>) {
        let listeners: Arc<[Listener]> = listeners.into();
        let has_stations = |i: &&Interface| i.mac.is_some() && !i.loopback && !i.point_to_point;
        for interface in context.interfaces.iter().filter(has_stations).filter(|_| !listeners.is_empty()).cloned() {
            self.notes
                .checks
                .extend(self.net.sender_check(&interface.name).map(|check| (interface.name.clone(), check)));
            let (context, listeners, over) = (context.clone(), listeners.clone(), self.listened_long_enough.clone());
            let unread = self.unread.clone();
            note(&unread, &interface.name, None);
            self.listening.spawn(async move {
                let listening = overhear::listen(&context, &interface, &listeners, &over);
                if let Ok(Err(error)) = AssertUnwindSafe(listening).catch_unwind().await {
                    tracing::debug!("nothing is read off the link {}: {error}", interface.name);
                    note(&unread, &interface.name, Some(error.kind()));
                }
            });
        }
    }

    fn spawn(&mut self, finder: Finder, context: Arc<DiscoveryContext>) {
        let method = finder.method;
        tracing::info!(method = method.as_str(), "discovery began");
        self.running.spawn(async move {
            let stop = context.cancel.clone();
            let discovery = AssertUnwindSafe((finder.find)(&context)).catch_unwind();
            let outcome = stop.run_until_cancelled(discovery).await.unwrap_or(Ok(Ok(())));
            (method, outcome.unwrap_or_else(|_| Err(internal_error(method))))
        });
    }

    /// Waits for the next method to end; why it could not run, if so. None when none is running.
    pub(super) async fn next_ended(&mut self) -> Option<Result<Method, String>> {
        loop {
            // It catches its panics, and is aborted only when all is over.
            let Ok((method, outcome)) = self.running.join_next().await? else { continue };
            if self.running.is_empty() {
                self.listened_long_enough.cancel();
            }
            if outcome.is_ok() {
                tracing::info!(method = method.as_str(), "discovery ended");
            }
            self.notes.outcomes.insert(method, outcome.clone());
            return Some(outcome.map(|()| method).map_err(|unable| unable.message));
        }
    }

    /// Whether every method has ended.
    pub(super) fn is_over(&self) -> bool {
        self.running.is_empty()
    }

    /// Ends all methods.
    pub(super) async fn stop(&mut self) {
        self.running.shutdown().await;
        self.listening.shutdown().await;
    }

    /// What asks ports without connecting, where that can be done.
    pub(super) fn port_prober(&self) -> Option<Arc<dyn PortProber>> {
        self.ports.clone()
    }

    /// How many addresses have been asked so far.
    pub(super) fn swept(&self) -> u64 {
        self.swept.load(Ordering::Relaxed)
    }

    /// What is to be told of how it went.
    pub(super) fn notes(self) -> Notes {
        let links = self.unread.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = self.swept.load(Ordering::Relaxed);
        Notes { links, asked, askers: self.askers.noted(), unsent: self.unsent.counted(), ..self.notes }
    }

    /// The interfaces that went away: hosts behind them were not there to be asked.
    pub(super) fn lost_links(&mut self) -> Vec<String> {
        let Ok(up) = self.net.interfaces() else { return Vec::new() };
        let mut lost = std::mem::take(&mut self.links);
        lost.retain(|name| !up.iter().any(|i| i.name == *name));
        lost
    }
}

/// Notes whether a link is read, or why not.
fn note(links: &Mutex<BTreeMap<String, Option<io::ErrorKind>>>, name: &str, failed: Option<io::ErrorKind>) {
    links.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), failed);
}

/// What the addresses of this machine tell of the site.
fn surroundings(interfaces: &[Interface]) -> Surroundings {
    let networks = interfaces.iter().flat_map(|i| i.addresses.iter().map(|network| (i.name.clone(), *network)));
    Surroundings { networks: networks.collect(), system: std::env::consts::OS }
}

/// Without the right to send raw frames, ports are asked by connects.
fn port_prober(
    plan: &ScanPlan,
    net: &Arc<dyn Net>,
    dialer: &Dialer,
    interfaces: &[Interface],
) -> Option<Arc<dyn PortProber>> {
    if !plan.methods.contains(&Method::Arp) {
        return None;
    }
    match SynScanner::start(net.as_ref(), interfaces, dialer.pace()) {
        Ok(scanner) => Some(scanner),
        Err(error) => {
            tracing::debug!("ports are asked by connects: {error}");
            None
        }
    }
}

/// Tells the network through which interface the link-local targets are reached.
fn set_zones(plan: &ScanPlan, net: &dyn Net, interfaces: &[Interface]) {
    for host in plan.targets.hosts() {
        let Some(zone) = &host.zone else { continue };
        let index = interfaces.iter().find(|i| i.name == *zone).map(|i| i.index).or_else(|| zone.parse().ok());
        if let Some(index) = index {
            net.note_zone(host.ip, index);
        }
    }
}

fn internal_error(method: Method) -> Unable {
    let method = method.as_str();
    let message =
        format!("internal error in discovery by {method} (please report it); the other methods are unaffected");
    Unable { why: Hindrance::Internal, message }
}
