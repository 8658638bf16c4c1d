//! The inspections under way: bounded in number, each with what is known about its host.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::recheck;
use super::session::Session;
use super::slot::Slot;
use crate::model::{Credential, DeviceTraits, Finding, FindingKind, ProbeOptions, ScanPlan};
use crate::net::Dialer;
use crate::probe::memory::Memory;
use crate::probe::{Budget, Farewells, Inspection, Peer, PortProber, Record};

pub(super) struct Pool {
    session: Arc<Session>,
    plan: Arc<ScanPlan>,
    /// What is done with each host; one copy, since lists of ports are long.
    options: Arc<ProbeOptions>,
    dialer: Arc<Dialer>,
    cancel: CancellationToken,
    slots: Arc<Semaphore>,
    /// Cancelled when no more hosts are looked for.
    all_found: CancellationToken,
    /// What devices send is held in this, all hosts together.
    memory: Arc<Memory>,
    farewells: Farewells,
    /// What devices refuse, over all of their addresses.
    budget: Arc<Budget>,
    ports: Option<Arc<dyn PortProber>>,
    findings: mpsc::Sender<Finding>,
    inspections: JoinSet<(IpAddr, Option<Credential>)>,
    /// What is known about the hosts that are, or will be, inspected. What discovery finds about one meanwhile reaches its
    /// inspection through here.
    records: HashMap<IpAddr, Arc<Record>>,
    /// Found by IPv6 alone so far: most are further addresses of hosts under inspection, which the MAC addresses show by
    /// the end of discovery.
    deferred: Vec<IpAddr>,
}

impl Pool {
    /// A pool without inspections, whose findings go to `findings`.
    pub(super) fn new(
        session: &Arc<Session>,
        plan: &Arc<ScanPlan>,
        dialer: &Arc<Dialer>,
        cancel: &CancellationToken,
        findings: mpsc::Sender<Finding>,
        ports: Option<Arc<dyn PortProber>>,
    ) -> Self {
        Pool {
            session: session.clone(),
            plan: plan.clone(),
            options: Arc::new(plan.probe.clone()),
            dialer: dialer.clone(),
            cancel: cancel.clone(),
            slots: Arc::new(Semaphore::new(plan.concurrency.max(1))),
            all_found: CancellationToken::new(),
            memory: Arc::default(),
            farewells: Farewells::default(),
            budget: Budget::new(plan.login_book.clone(), session.now),
            ports,
            findings,
            inspections: JoinSet::new(),
            records: HashMap::new(),
            deferred: Vec::new(),
        }
    }

    /// Whether more is asked of a host than to be up. One that is not inspected is reported at the end, when all that
    /// discovery finds about it is known.
    pub(super) fn is_inspected(&self, ip: IpAddr) -> bool {
        let has_ports = || self.plan.targets.host(ip).is_some_and(|h| !h.ports.is_empty());
        !self.plan.presence_only && (!self.options.ports.is_empty() || has_ports())
    }

    /// Keeps what is found about a host from now on, for its inspection.
    pub(super) fn expect(&mut self, ip: IpAddr) {
        self.record_of(ip);
    }

    fn record_of(&mut self, ip: IpAddr) -> Arc<Record> {
        let new = || Record::new(ip, self.options.clone(), &self.plan.known_hosts, &self.budget);
        self.records.entry(ip).or_insert_with(new).clone()
    }

    /// Adds a finding to what is known about a host, if that one is to be inspected. Of one whose inspection has ended the
    /// refused logins alone are kept: by what is found of it later, they count for its other addresses.
    pub(super) fn learn(&self, ip: IpAddr, kind: &FindingKind) {
        if let Some(record) = self.records.get(&ip) {
            return record.learn(kind);
        }
        let nothing = DeviceTraits::at(ip);
        match kind {
            FindingKind::Mac(mac) if mac.is_station() => {
                self.budget.complete(DeviceTraits { link_mac: Some(*mac), ..nothing });
            }
            FindingKind::StatedMac(mac) if mac.is_station() => {
                self.budget.complete(DeviceTraits { stated_mac: Some(*mac), ..nothing });
            }
            FindingKind::EndpointId(id) => {
                self.budget.complete(DeviceTraits { endpoint: Some(id.clone()), ..nothing });
            }
            _ => {}
        }
    }

    /// Puts a host's inspection off to the end of discovery.
    pub(super) fn defer(&mut self, ip: IpAddr) {
        self.deferred.push(ip);
    }

    /// The hosts whose inspection was put off.
    pub(super) fn take_deferred(&mut self) -> Vec<IpAddr> {
        std::mem::take(&mut self.deferred)
    }

    /// Begins a host's inspection, as soon as there is a free slot.
    pub(super) fn inspect(&mut self, ip: IpAddr) {
        let target = self.plan.targets.host(ip).cloned();
        let record = self.record_of(ip);
        let mut peer = Peer {
            logins: record.logins().clone(),
            memory: self.memory.clone(),
            clock: self.session.now,
            cancel: self.cancel.clone(),
            deadline: Instant::now() + self.options.host_timeout,
            farewells: self.farewells.clone(),
            ..Peer::new(ip, self.dialer.clone()).with_options(&self.options)
        };
        if let Some(name) = target.as_ref().and_then(|t| t.name.clone()) {
            peer.name = name;
        }
        let signatures = self.session.signatures.clone();
        let mut host = Inspection::new(peer, self.options.clone(), record, signatures, self.findings.clone());
        host.ports = self.ports.clone();
        host.protocols = self.session.protocols.clone();
        let own_ports = target.map(|t| t.ports).unwrap_or_default();
        let resolve = self.plan.resolve_names;
        let neighbours = self.is_inspected(ip).then(|| self.dialer.clone());
        let mut slot = Slot::new(ip, self.slots.clone(), neighbours, self.all_found.clone());
        let logins = host.peer.logins.clone();
        let known = self.plan.known_hosts.get(&ip).and_then(|known| known.device.clone());
        self.inspections.spawn(async move {
            let cancel = host.peer.cancel.clone();
            if cancel.run_until_cancelled(slot.take()).await == Some(true) {
                // A login that is bound to the network card waits for nothing else, and a device that had one is
                // recognised by it.
                let had_card = known.as_ref().is_some_and(|known| known.device.mac.is_some());
                if host.record.awaits_link_mac(had_card) {
                    look_up_card(&host).await;
                }
                let deadline = Instant::now() + host.options.host_timeout;
                let inspection =
                    recheck::inspect(host.until(deadline), known.as_deref(), &own_ports, resolve, &mut slot);
                beside_card(&host, inspection).await;
            }
            (ip, logins.worked())
        });
    }

    /// Waits for the next inspection to end: its host, and the login that worked there. None when none is under
    /// way.
    pub(super) async fn next_ended(&mut self) -> Option<(IpAddr, Option<Credential>)> {
        loop {
            // It catches its panics, and is aborted only when all is over.
            if let Ok(ended) = self.inspections.join_next().await? {
                return Some(ended);
            }
        }
    }

    /// Forgets what is known about a host whose inspection has ended or will not begin.
    pub(super) fn forget(&mut self, ip: IpAddr) {
        self.records.remove(&ip);
        self.budget.forget(ip);
    }

    /// Tells the inspections that no more hosts are looked for.
    pub(super) fn nothing_more_is_found(&self) {
        self.all_found.cancel();
    }

    /// Whether no inspection is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.inspections.is_empty()
    }

    /// Ends all inspections.
    pub(super) async fn stop(&mut self) {
        self.inspections.shutdown().await;
        self.records.clear();
    }

    /// What devices refuse.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What ends the sessions of inspections that were cut short.
    pub(super) fn farewells(&self) -> &Farewells {
        &self.farewells
    }
}

/// Inspects a host, and looks its network card up before the first login is sent.
async fn beside_card(host: &Inspection, inspection: impl Future<Output = ()>) {
    let logins = &host.peer.logins;
    let is_neighbour = host.peer.dialer.neighbour_table().is_neighbour(host.peer.ip);
    if host.options.credentials.is_empty() || !is_neighbour || host.record.link_mac().is_some() {
        return inspection.await;
    }
    logins.await_card();
    let card = async {
        logins.card_wanted().await;
        // Discovery may have shown it meanwhile.
        if host.record.link_mac().is_none() {
            look_up_card(host).await;
        }
        logins.settle_card();
    };
    let (mut inspection, mut card) = (std::pin::pin!(inspection), std::pin::pin!(card));
    tokio::select! {
        biased;
        () = &mut card => inspection.await,
        () = &mut inspection => {}
    }
    logins.settle_card();
}

/// Emits the network card that the kernel's neighbour table shows of a host.
async fn look_up_card(host: &Inspection) {
    if let Some(mac) = host.peer.dialer.neighbour_table().mac_of(host.peer.ip).await {
        host.emit(FindingKind::Mac(mac)).await;
    }
}
