//! The scan that runs, those that wait for their turn, and what is learnt of them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::figures::Counts;
use super::news::{News, ScanEnd, ScanOrder, Tally};
use super::pictures;
use super::scanned::{AFTER_FAILURE, Found, Running, note_picture};
use super::sight::{self, Ways};
use super::work::{Done, Task, Work};
use super::{Follower, Job, Watch};
use crate::model::memory::{Event, EventKind, NotScanned, Remark};
use crate::model::{Device, Report, ScanEvent, ScanPlan};
use crate::scan::Scan;
use crate::scan::session::Session;
use crate::scan::targets::Request;
use crate::store::StoreError;

/// How often it is told how far a scan is, whether or not anything changed.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How often it is told where something changed.
const TOLD_AT_CHANGE: Duration = Duration::from_millis(250);
/// The longest scan that somebody ordered, where the plan says nothing of it.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// Scans that wait for their turn at most.
const MOST_WAITING: usize = 16;

impl Work {
    /// Lets a scan wait for its turn.
    pub(super) fn order_scan(&mut self, order: ScanOrder, follower: &dyn Follower) {
        match self.waiting.len() < MOST_WAITING {
            true => self.waiting.push_back(order),
            false => follower.news(&News::ScanEnded(order.id, &ScanEnd::Failed(NotScanned::TooManyWait))),
        }
    }

    /// Ends a scan: what it found is kept; one that waits is taken back.
    pub(super) fn end_scan(&mut self, id: u64, follower: &dyn Follower) {
        if let Some(running) = self.running.as_ref().filter(|running| running.order.id == id) {
            running.cancel.cancel();
        }
        let before = self.waiting.len();
        self.waiting.retain(|order| order.id != id);
        if self.waiting.len() < before {
            follower.news(&News::ScanEnded(id, &ScanEnd::Dropped));
        }
    }

    /// This process ends: scans that wait are not made.
    pub(super) fn drop_orders(&mut self, follower: &dyn Follower) {
        let running = self.running.take().map(|running| running.order);
        for order in running.into_iter().chain(self.waiting.drain(..)) {
            tracing::warn!("a scan that was ordered at {} is not made: camscan ends", order.at);
            follower.news(&News::ScanEnded(order.id, &ScanEnd::Dropped));
        }
    }

    /// The scan whose turn it is: one that somebody wants comes before one that is due.
    pub(super) fn next_order(&mut self, now: Timestamp) -> Option<ScanOrder> {
        self.waiting.pop_front().or_else(|| (now >= self.next_scan).then(|| ScanOrder::due(now)))
    }

    /// Whether the turn of a scan has come.
    pub(super) fn wants_scan(&self, now: Timestamp) -> bool {
        !self.waiting.is_empty() || now >= self.next_scan
    }

    pub(super) fn start_scan(&mut self, order: ScanOrder, watch: &Watch, now: Timestamp) -> Result<(), StoreError> {
        let (session, store) = (&watch.session, &watch.store);
        let worked = |device: &Device| session.login_of(device);
        let known_hosts = store.known_hosts(&self.memory, &self.template.plan, &worked, now)?;
        let cancel = self.stop.child_token();
        let folder = watch.pictures.clone();
        let plan = ScanPlan { known_hosts: Arc::new(known_hosts), ..self.plan_of(&order, folder.as_deref()) };
        self.is_scanning = true;
        self.queue.clear();
        if order.targets.is_empty() {
            self.next_scan = self.job.scans.next(now, fastrand::f64());
        }
        watch.follower.news(&News::ScanBegun(&order));
        let made = make(session.clone(), self.job.clone(), order.clone(), plan, cancel.clone(), watch.follower.clone());
        let (memory, net) = (self.memory.clone(), session.net.clone());
        let scan = self.tasks.spawn(async move {
            let (report, hosts) = match made.await {
                Ok(made) => made,
                Err(why) => return Done::NotScanned(why),
            };
            let sight = sight::during(&hosts, &memory, &Ways::read(net.as_ref(), &[]).await);
            let mut found = Found { report, pictures: Vec::new(), hosts, sight };
            let Some(folder) = folder else { return Done::Scanned(Box::new(found)) };
            // The disk is waited for beside the loop.
            let taken = tokio::task::spawn_blocking(move || {
                found.pictures = pictures::take_all(&folder, &mut found.report.devices);
                found
            });
            taken.await.map_or_else(|_| Done::NotScanned(NotScanned::Internal), |found| Done::Scanned(Box::new(found)))
        });
        self.running = Some(Running { order, cancel });
        self.under_way.insert(scan.id(), Task::Scan);
        Ok(())
    }

    /// How a scan is made. Of a single device everything is asked anew. Pictures are taken where checks take none, and of what
    /// is scanned for the first time.
    fn plan_of(&self, order: &ScanOrder, pictures: Option<&std::path::Path>) -> ScanPlan {
        let mut plan = ScanPlan::clone(&self.template.plan);
        let is_first = self.memory.roots().next().is_none();
        if let Some(folder) = pictures.filter(|_| is_first || order.device.is_some() || self.job.checks.is_none()) {
            match pictures::make(folder) {
                Ok(()) => plan.probe.snapshots = Some(pictures::incoming(folder)),
                Err(error) => tracing::warn!("pictures cannot be kept in {}: {error}", folder.display()),
            }
        }
        if order.device.is_some() {
            plan.max_age = None;
        }
        if !order.targets.is_empty() {
            plan.max_duration = plan.max_duration.or(Some(LONGEST));
        }
        plan
    }

    /// Stores what a scan found, or that it could not be made.
    pub(super) fn learn(
        &mut self,
        found: Result<Box<Found>, NotScanned>,
        watch: &Watch,
        counts: &mut Counts,
    ) -> Result<Vec<(i64, Event)>, StoreError> {
        let Watch { session, store, route, follower, .. } = watch;
        let now = (session.now)();
        let order = self.running.take().map_or_else(|| ScanOrder::due(now), |running| running.order);
        let ended = |end: &ScanEnd| follower.news(&News::ScanEnded(order.id, end));
        let Found { report, pictures, hosts, sight } = match found {
            Ok(found) => *found,
            Err(why) => {
                ended(&ScanEnd::Failed(why.clone()));
                counts.scan_failed();
                if order.targets.is_empty() {
                    let again = now.saturating_add(AFTER_FAILURE).unwrap_or(Timestamp::MAX);
                    self.next_scan = self.next_scan.min(again);
                }
                let mut event = Event::new(EventKind::ScanFailed, now);
                event.data.say_why(Remark::NotScanned { why });
                return Ok(store.update(|_| ((), vec![event]), route.as_ref())?.events);
            }
        };
        counts.scanned(&report);
        self.surroundings.heard(hosts, order.targets.is_empty());
        let cause = order.device.is_none().then_some(order.cause);
        let (learnt, number) = match store.insist(|| store.learn_scan(&report, cause, &sight, route.as_ref())) {
            Ok(learnt) => learnt,
            Err(error) => {
                ended(&ScanEnd::Failed(NotScanned::NotStored));
                return Err(error);
            }
        };
        if let Some(warning) = learnt.value.warning() {
            tracing::warn!("{warning}");
        }
        let worked = |device: &Device| session.login_of(device);
        store.note_scan(&report, &learnt.value, &self.template.plan, &worked, now)?;
        for attempts in report.devices.iter().filter_map(|device| device.login_attempts) {
            counts.refused(attempts.counted());
        }
        for (position, taken) in &pictures {
            if let Some(uid) = learnt.value.devices.get(*position) {
                note_picture(watch, uid, taken, report.scan.finished_at)?;
            }
        }
        ended(&ScanEnd::Learnt { number, status: report.scan.status, found: report.devices.len() as u64 });
        Ok(learnt.events)
    }
}

/// Makes a scan, and tells how far it is.
async fn make(
    session: Arc<Session>,
    job: Arc<Job>,
    order: ScanOrder,
    plan: ScanPlan,
    cancel: CancellationToken,
    follower: Arc<dyn Follower>,
) -> Result<(Report, BTreeSet<IpAddr>), NotScanned> {
    let whole = job.request();
    let part = Request { specs: &order.targets, large_subnets: true, ..whole };
    let request = if order.targets.is_empty() { whole } else { part };
    let resolved = session.resolve(&request).await.map_err(NotScanned::from)?;
    for warning in &resolved.warnings {
        tracing::warn!("{warning}");
    }
    let plan = ScanPlan { targets: resolved.targets, ..plan };
    let tally = Arc::new(Tally::new());
    let (counted, told, id) = (tally.clone(), follower.clone(), order.id);
    let sink = move |event: &ScanEvent| {
        counted.add(event);
        match event {
            ScanEvent::HostUp { ip, method } => told.news(&News::HostUp(id, *ip, *method)),
            ScanEvent::DeviceDone(device) => told.news(&News::DeviceFound(id, device)),
            _ => {}
        }
    };
    let scan = Scan { session, plan: Arc::new(plan), known: Vec::new(), cancel }.run(sink);
    tokio::pin!(scan);
    let (mut each, mut change) = (tokio::time::interval(TOLD_EVERY), tokio::time::interval(TOLD_AT_CHANGE));
    loop {
        let so_far = tokio::select! {
            report = &mut scan => {
                follower.news(&News::ScanProgress(id, &tally.now()));
                return Ok((report, tally.hosts()));
            }
            _ = each.tick() => Some(tally.now()),
            _ = change.tick() => tally.news(),
        };
        if let Some(so_far) = so_far {
            follower.news(&News::ScanProgress(id, &so_far));
        }
    }
}
