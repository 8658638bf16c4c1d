//! Watches the cameras of a place: scans on a schedule, plays streams in between, asks again for what is missing, and
//! remembers what it finds. What is worth telling is decided in `history` and stored with the events themselves.
//!
//! ```text
//! schedule ── due ──► scan · check · question ── found ──► memory ── events ──► store ──► messages that wait
//! ```
//!
//! One loop decides and stores; what takes time runs beside it. A scan and checks never run at once, and a device is asked
//! by one of them at a time.

mod care;
mod checks;
mod clock;
mod figures;
mod job;
mod logins;
mod news;
pub mod pictures;
mod presence;
mod scanned;
mod scans;
mod sight;
mod store_news;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use figures::add_store;
pub use job::Job;
pub use news::{News, ScanEnd, ScanOrder, Scanning};

use crate::history::memory::Memory;
use crate::metrics::Figures;
use crate::model::memory::{Event, Route, StoreTrouble, Uid};
use crate::model::notify::Notifications;
use crate::model::{Credential, ScanStatus};
use crate::scan::session::Session;
use crate::store::{Store, StoreError, WatchLock};
use figures::Counts;
use work::Work;

/// The longest time without a look at the clock: time alone brings things about (a mute that ends), and a clock may be set.
const TICK: SignedDuration = SignedDuration::from_secs(60);
/// Results are stored together when so many are there, or the first of them is so old.
const BATCH: usize = 200;
const BATCH_TIME: Duration = Duration::from_secs(1);

/// What could not be stored is tried again after this.
const RETRY: Duration = Duration::from_secs(5);

/// Whoever follows: the terminal, a log, the couriers of messages.
pub trait Follower: Send + Sync {
    /// These events have been stored, and the messages about them.
    fn events(&self, events: &[(i64, Event)]);
    /// What is known now, after every change.
    fn state(&self, memory: &Memory, next_scan: Timestamp);
    /// Tries to deliver messages so far, by channel and result.
    fn deliveries(&self) -> BTreeMap<(String, String), u64> {
        BTreeMap::new()
    }
    /// Something is under way. Called from whatever does it, which waits meanwhile.
    fn news(&self, _: &News<'_>) {}
    /// Another configuration is in force.
    fn reloaded(&self, _: &Job) {}
    /// These channels are told of events from now on.
    fn told_by(&self, _: &Notifications) {}
    /// How a stream plays that is being fetched already, for somebody who watches it: the device is spared another session.
    fn on_air(&self, _: &Uid, _: &str) -> Option<OnAir> {
        None
    }
    /// The loop has gone round: all is well.
    fn alive(&self) {}
    /// What has been counted, once a minute and after every order.
    fn figures(&self, _: &Figures) {}
    /// Logins beside those of the job, tried after them. Asked for each time before a device is.
    fn logins(&self) -> Arc<Vec<Credential>> {
        Arc::default()
    }
}

/// How a stream plays that is being fetched already.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OnAir {
    /// Frames a second.
    pub fps: f64,
    /// Kilobits a second.
    pub kbps: u32,
    /// The device offered Digest meanwhile.
    pub offers_digest: bool,
}

/// Everything that watching needs.
pub struct Watch {
    /// The network.
    pub session: Arc<Session>,
    /// Where it is remembered.
    pub store: Store,
    /// Which messages tell which events.
    pub route: Arc<dyn Route + Send + Sync>,
    /// Whoever follows.
    pub follower: Arc<dyn Follower>,
    /// Where pictures of streams are kept; none: none are taken.
    pub pictures: Option<PathBuf>,
    /// By which no other process watches with the store.
    pub lock: WatchLock,
}

/// What somebody may want of a process that watches.
#[derive(Debug)]
pub enum Order {
    /// Go on with this job.
    Reload(Box<Job>, Arc<dyn RouteAndDebug>),
    /// A new configuration was not valid: go on as before.
    ReloadFailed,
    /// Scan now.
    ScanNow,
    /// Make this scan when its turn comes.
    Scan(ScanOrder),
    /// End a scan that runs, or take back one that waits.
    EndScan(u64),
    /// Play a stream of a device now.
    Check(Uid, String),
    /// Somebody changed what is known.
    Look,
}

/// A [`Route`] that can be sent to the loop.
pub trait RouteAndDebug: Route + Send + Sync + std::fmt::Debug {}
impl<R: Route + Send + Sync + std::fmt::Debug> RouteAndDebug for R {}

impl Watch {
    /// Watches until it is stopped.
    ///
    /// # Errors
    /// When another process watches with this store by now, or the store can no longer be written.
    pub async fn run(
        mut self,
        job: Job,
        mut orders: mpsc::Receiver<Order>,
        stop: CancellationToken,
    ) -> Result<(), StoreError> {
        let now = (self.session.now)();
        let mut work = Work::new(self.with_book(job), self.store.memory()?, now, stop.child_token());
        // What an earlier process could not finish is done again.
        if self.store.scans(1)?.first().is_some_and(|last| last.status == ScanStatus::Interrupted) {
            work.scan_at(now);
        }
        let mut counts = Counts::default();
        let outcome = self.rounds(&mut work, &mut counts, &mut orders, &stop).await;
        self.end(&mut work, &mut counts).await;
        outcome
    }

    /// Ends what is under way. What a scan has found until then is kept, as that of a scan which was interrupted, and so are
    /// checks that had come to their end.
    async fn end(&self, work: &mut Work, counts: &mut Counts) {
        let checked = work.store_checks(self, counts);
        work.end().await;
        let scanned = work.take_scan().map_or(Ok(Vec::new()), |found| work.learn(found, self, counts));
        work.drop_orders(self.follower.as_ref());
        for stored in [checked, scanned] {
            match stored.and_then(|events| self.told(work, counts, &events)) {
                Ok(()) => {}
                Err(error) => tracing::warn!("what was under way at the end is not remembered: {error}"),
            }
        }
        match self.store.mend() {
            Some(trouble @ StoreTrouble::Unwritten { .. }) => {
                tracing::error!("camscan ends, and what the disk did not take is lost: {trouble}");
            }
            Some(trouble) => tracing::error!("{trouble}"),
            None => {}
        }
    }

    async fn rounds(
        &mut self,
        work: &mut Work,
        counts: &mut Counts,
        orders: &mut mpsc::Receiver<Order>,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        loop {
            let now = (self.session.now)();
            let begun = self.note_time(work).and_then(|()| self.begin_round(work, counts, now));
            let is_well = self.survive(work, counts, begun)?;
            if !is_well {
                counts.write(work.job.metrics.as_deref(), &work.memory, &self.store, self.follower.as_ref(), now);
            }
            let wake = if is_well { work.wake(now) } else { RETRY };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(order) = orders.recv() => self.obey(work, counts, order),
                done = work.next_done() => work.collect(done, tokio::time::Instant::now()),
                () = tokio::time::sleep(wake) => {}
            }
            let stored = self.note_time(work).and_then(|()| self.store_what_was_found(work, counts));
            if !self.survive(work, counts, stored)? {
                work.scan_soon((self.session.now)());
            }
        }
    }

    /// Takes note of the time, before anything is counted by it.
    fn note_time(&self, work: &mut Work) -> Result<(), StoreError> {
        let now = (self.session.now)();
        if work.note_time(now) == Some(clock::Step::Ahead) {
            let forget = |memory: &mut Memory| (memory.set_ahead(now), Vec::new());
            self.store.insist(|| self.store.update(forget, self.route.as_ref()))?;
            self.store.refresh(&mut work.memory)?;
        }
        Ok(())
    }

    fn begin_round(&mut self, work: &mut Work, counts: &mut Counts, now: Timestamp) -> Result<(), StoreError> {
        self.look(work, counts, now)?;
        work.template.take_logins(&work.job, self.follower.logins());
        work.start_what_is_due(self, now)?;
        Ok(())
    }

    /// What the time alone brings about, once a minute.
    fn look(&mut self, work: &mut Work, counts: &mut Counts, now: Timestamp) -> Result<(), StoreError> {
        self.follower.alive();
        if !work.is_look_due(now) {
            return Ok(());
        }
        self.look_after_store(work, counts)?;
        self.lock.keep()?;
        // Others may have written: a user who mutes a device, a scan beside this process.
        self.store.refresh(&mut work.memory)?;
        let is_news = || {
            let mut tried = Memory::clone(&work.memory);
            !tried.pass(now).is_empty() || !tried.take_touched().is_empty()
        };
        if !work.memory.is_quiet(now) && is_news() {
            let pass = || self.store.update(|memory| ((), memory.pass(now)), self.route.as_ref());
            let updated = self.store.insist(pass)?;
            self.told(work, counts, &updated.events)?;
        }
        self.tidy(work, now)?;
        counts.write(work.job.metrics.as_deref(), &work.memory, &self.store, self.follower.as_ref(), now);
        self.follower.state(&work.memory, work.next_scan);
        Ok(())
    }

    /// Once an hour, removes what is older than it is kept and takes in the store's log. A disk that is full is no reason to
    /// watch no longer: what cannot be removed now is removed later.
    fn tidy(&self, work: &mut Work, now: Timestamp) -> Result<(), StoreError> {
        if !work.is_tidying_due(now) {
            return Ok(());
        }
        match self.store.prune(&work.job.keep, now) {
            Ok(pruned) => tracing::debug!(?pruned, "the store was tidied"),
            Err(error) => tracing::warn!("the store cannot be tidied: {error}"),
        }
        if let Some(folder) = &self.pictures
            && let Err(error) = pictures::prune(&self.store, folder, now)
        {
            tracing::warn!("old pictures cannot be removed: {error}");
        }
        self.store.checkpoint()
    }

    /// The job, all of whose logins are written down in the store before they are sent.
    fn with_book(&self, mut job: Job) -> Job {
        job.plan.login_book = Some(self.store.login_book(true));
        job
    }

    fn obey(&mut self, work: &mut Work, counts: &mut Counts, order: Order) {
        let now = (self.session.now)();
        // Whoever gave the order sees in the metrics what came of it.
        work.look_at(now);
        match order {
            Order::Reload(job, route) => {
                self.follower.reloaded(&job);
                self.route = Arc::new(Shared(route));
                work.take_job(self.with_book(*job), now);
                counts.reloaded(true, now);
            }
            Order::ReloadFailed => counts.reloaded(false, now),
            Order::ScanNow => work.scan_at(now),
            Order::Scan(order) => work.order_scan(order, self.follower.as_ref()),
            Order::EndScan(id) => work.end_scan(id, self.follower.as_ref()),
            Order::Check(uid, key) => work.order_check(uid, key),
            // A message may have been put among those that wait.
            Order::Look => self.follower.events(&[]),
        }
    }

    /// Stores what scans, checks and questions found, and tells what came of it.
    fn store_what_was_found(&mut self, work: &mut Work, counts: &mut Counts) -> Result<(), StoreError> {
        if let Some(report) = work.take_scan() {
            let events = work.learn(report, self, counts)?;
            self.told(work, counts, &events)?;
        }
        if let Some(answers) = work.answers.take() {
            let now = (self.session.now)();
            let decide = |memory: &mut Memory| {
                let each = answers.devices.iter();
                ((), each.flat_map(|(uid, yes, vantage)| memory.answered(uid, now, *yes, *vantage)).collect())
            };
            let updated = self.store.insist(|| self.store.update(decide, self.route.as_ref()))?;
            self.told(work, counts, &updated.events)?;
            work.surroundings.note(&answers.networks);
            // A first miss is no event yet, and whoever looks sees it all the same.
            answers.devices.iter().for_each(|(uid, yes, _)| self.follower.news(&News::Asked(uid, *yes)));
        }
        if work.is_batch_due(BATCH, BATCH_TIME, tokio::time::Instant::now()) {
            let events = work.store_checks(self, counts)?;
            self.told(work, counts, &events)?;
        }
        Ok(())
    }

    fn told(&self, work: &mut Work, counts: &mut Counts, events: &[(i64, Event)]) -> Result<(), StoreError> {
        self.store.refresh(&mut work.memory)?;
        counts.events(events);
        if !events.is_empty() {
            self.follower.events(events);
        }
        self.follower.state(&work.memory, work.next_scan);
        Ok(())
    }
}

struct Shared(Arc<dyn RouteAndDebug>);

impl Route for Shared {
    fn route(
        &self,
        events: &[(i64, Event)],
        open: &[crate::model::memory::Delivery],
        now: Timestamp,
        stored: &crate::model::memory::Stored<'_>,
    ) -> crate::model::memory::Routed {
        self.0.route(events, open, now, stored)
    }
}
