//! What is under way: the scan, the checks, the question who is there; and what they found until it is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::checks::{self, Play, Played};
use super::figures::Counts;
use super::logins::Noted;
use super::presence::{Answers, Question, vantage_of};
use super::{Job, TICK, logins};
use crate::history::memory::{DeviceState, Memory};
use crate::history::schedule::checks::{again, due_again};
use crate::model::memory::{Event, EventKind, Route, Uid};
use crate::model::{Device, Report, ScanEvent, ScanPlan, ScanStatus};
use crate::scan::Scan;
use crate::scan::session::Session;
use crate::store::{AsOf, Cause, Store, StoreError};

/// Devices that are asked at once whether they are there.
const MOST_ASKED: usize = 256;
/// What is due and cannot be done at this moment is looked at again after this.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);
/// How often the store is tidied.
const TIDY_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// A scan that could not be made is tried again after this.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(5);

/// What something that ran beside the loop came to.
pub(super) enum Done {
    Scanned(Box<Report>),
    /// The scan could not be made; why.
    NotScanned(String),
    Played(Option<Box<Played>>),
    /// A device whose stream could not be asked for.
    Asked(Option<Answers>),
}

/// What runs beside the loop.
#[derive(Debug)]
enum Task {
    Scan,
    Question,
    /// A stream of this device is played.
    Play(Uid),
}

/// What is under way.
pub(super) struct Work {
    pub(super) job: Arc<Job>,
    /// What is known, as it was when it was last stored.
    pub(super) memory: Memory,
    pub(super) as_of: AsOf,
    template: Arc<ScanPlan>,
    /// The logins that were last noted.
    noted: Noted,
    stop: CancellationToken,
    tasks: JoinSet<Done>,
    under_way: HashMap<tokio::task::Id, Task>,
    is_scanning: bool,
    is_asking: bool,
    /// Devices a stream of which is being played.
    playing: BTreeSet<Uid>,
    /// Streams that are to be played, in the order they became due.
    queue: VecDeque<(Uid, String)>,
    /// Devices that are to be asked whether they are there.
    to_ask: BTreeSet<Uid>,
    /// The last round of checks each device had.
    rounds: BTreeMap<Uid, i64>,
    next_scan: Timestamp,
    next_look: Timestamp,
    next_tidying: Timestamp,
    scanned: Option<Box<Report>>,
    not_scanned: Option<String>,
    answers: Option<Answers>,
    played: Vec<Played>,
    first_played: Option<Instant>,
}

impl Work {
    /// Nothing is under way. All is scanned at once where that was never done, or is overdue.
    pub(super) fn new(job: Job, memory: Memory, now: Timestamp, stop: CancellationToken) -> Self {
        let last = memory.roots().filter_map(|known| known.scanned_at).max();
        let next_scan = last.map_or(now, |last| job.scans.next(last, fastrand::f64()).max(now));
        Work {
            template: Arc::new(job.plan.clone()),
            job: Arc::new(job),
            memory,
            as_of: AsOf::default(),
            noted: Noted::default(),
            stop,
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            is_scanning: false,
            is_asking: false,
            playing: BTreeSet::new(),
            queue: VecDeque::new(),
            to_ask: BTreeSet::new(),
            rounds: BTreeMap::new(),
            next_scan,
            next_look: now,
            next_tidying: now,
            scanned: None,
            not_scanned: None,
            answers: None,
            played: Vec::new(),
            first_played: None,
        }
    }

    /// Goes on with another job.
    pub(super) fn take_job(&mut self, job: Job, now: Timestamp) {
        let is_same = format!("{:?}", job.scans) == format!("{:?}", self.job.scans);
        self.template = Arc::new(job.plan.clone());
        self.job = Arc::new(job);
        self.rounds.clear();
        if !is_same {
            self.next_scan = self.job.scans.next(now, fastrand::f64());
        }
    }

    pub(super) fn scan_at(&mut self, at: Timestamp) {
        self.next_scan = self.next_scan.min(at);
    }

    /// What the last scan found is lost: there is another one.
    pub(super) fn scan_soon(&mut self, now: Timestamp) {
        self.scan_at(now.saturating_add(AFTER_FAILURE).unwrap_or(Timestamp::MAX));
    }

    pub(super) fn look_at(&mut self, at: Timestamp) {
        self.next_look = self.next_look.min(at);
    }

    pub(super) fn next_scan(&self) -> Timestamp {
        self.next_scan
    }

    /// Whether the clock is to be looked at, which it is now.
    pub(super) fn is_look_due(&mut self, now: Timestamp) -> bool {
        // A clock that was set back does not put off what comes.
        let is_far = self.next_look.duration_since(now) > TICK;
        if now < self.next_look && !is_far {
            return false;
        }
        self.next_look = now.saturating_add(TICK).unwrap_or(Timestamp::MAX);
        true
    }

    /// Whether the store is to be tidied, which it is now. Never while a scan is under way.
    pub(super) fn is_tidying_due(&mut self, now: Timestamp) -> bool {
        let is_far = self.next_tidying.duration_since(now) > TIDY_EVERY;
        let is_due = (now >= self.next_tidying || is_far) && !self.is_scanning;
        if is_due {
            self.next_tidying = now.saturating_add(TIDY_EVERY).unwrap_or(Timestamp::MAX);
        }
        is_due
    }

    /// How long nothing is due.
    pub(super) fn wake(&self, now: Timestamp) -> Duration {
        let mut next = self.next_look;
        if !self.is_scanning && self.playing.is_empty() && !self.is_asking {
            next = next.min(self.next_scan);
        }
        if !self.is_scanning {
            if let Some(plan) = &self.job.checks {
                let places = self.rounds.iter().map(|(uid, round)| plan.begins(uid, round + 1));
                next = next.min(places.min().unwrap_or(next));
            }
            if !self.is_asking {
                next = next.min(self.memory.roots().filter_map(again).min().unwrap_or(next));
            }
        }
        let until = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        let until = if self.first_played.is_some() { until.min(super::BATCH_TIME) } else { until };
        until.max(SHORTEST_WAIT)
    }

    /// Starts what is due, as far as there is room.
    pub(super) fn start_what_is_due(
        &mut self,
        session: &Arc<Session>,
        store: &Store,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.is_scanning {
            return Ok(());
        }
        if now >= self.next_scan {
            // Checks that are under way end first, and no others begin.
            if self.playing.is_empty() && !self.is_asking && self.played.is_empty() {
                self.start_scan(session, store, now)?;
            }
            return Ok(());
        }
        self.fill_queue(now);
        self.start_checks(session, store, now)?;
        self.start_question(session, now);
        Ok(())
    }

    fn start_scan(&mut self, session: &Arc<Session>, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let worked = |device: &Device| session.login_of(device);
        let known_hosts = store.known_hosts(&self.memory, &self.job.plan, &worked, now)?;
        let (session, job, stop) = (session.clone(), self.job.clone(), self.stop.clone());
        self.is_scanning = true;
        self.queue.clear();
        self.next_scan = self.job.scans.next(now, fastrand::f64());
        let scan = self.tasks.spawn(async move {
            match session.resolve(&job.request()).await {
                Err(error) => Done::NotScanned(error.to_string()),
                Ok(resolved) => {
                    for warning in &resolved.warnings {
                        tracing::warn!("{warning}");
                    }
                    let plan =
                        ScanPlan { targets: resolved.targets, known_hosts: Arc::new(known_hosts), ..job.plan.clone() };
                    let scan = Scan { session, plan: Arc::new(plan), known: Vec::new(), cancel: stop };
                    Done::Scanned(Box::new(scan.run(|_: &ScanEvent| {}).await))
                }
            }
        });
        self.under_way.insert(scan.id(), Task::Scan);
        Ok(())
    }

    /// Takes the devices whose place in their round has come.
    fn fill_queue(&mut self, now: Timestamp) {
        let Some(plan) = self.job.checks else { return };
        let (mut rounds, mut due) = (BTreeMap::new(), Vec::new());
        for known in self.memory.roots() {
            let round = plan.round(&known.uid, now);
            // One that is met for the first time was looked at just now; its place comes.
            let last = self.rounds.get(&known.uid).copied().unwrap_or(round);
            rounds.insert(known.uid.clone(), round);
            if round != last {
                due.extend(plan.due(known, round));
            }
        }
        self.rounds = rounds;
        for due in due {
            if due.streams.is_empty() {
                self.to_ask.insert(due.uid.clone());
            }
            // What could not be played in a whole round is not played twice over.
            self.queue.retain(|(uid, _)| *uid != due.uid);
            self.queue.extend(due.streams.into_iter().map(|key| (due.uid.clone(), key)));
        }
    }

    fn start_checks(&mut self, session: &Arc<Session>, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let mut waiting = VecDeque::new();
        while let Some((uid, key)) = self.queue.pop_front() {
            if self.playing.len() >= self.job.concurrency.max(1) || self.playing.contains(&uid) {
                waiting.push_back((uid, key));
                continue;
            }
            let Some(known) = self.memory.devices.get(&uid) else { continue };
            // What was due may no longer be: the device went offline, or a login was refused, since.
            let is_worth_it = known.health.state == DeviceState::Online && !known.login_rests();
            let Some(stream) = known.streams.get(&key).filter(|_| is_worth_it) else { continue };
            let login = logins::known_host(known, session, store, now)?;
            let play = Play { uid: uid.clone(), ip: known.device.ip, key, stream: stream.stream.clone(), login };
            let (session, template, stop) = (session.clone(), self.template.clone(), self.stop.clone());
            self.playing.insert(uid.clone());
            let check = self
                .tasks
                .spawn(async move { Done::Played(checks::play(session, template, play, stop).await.map(Box::new)) });
            self.under_way.insert(check.id(), Task::Play(uid));
        }
        self.queue = waiting;
        Ok(())
    }

    fn start_question(&mut self, session: &Arc<Session>, now: Timestamp) {
        if self.is_asking {
            return;
        }
        self.to_ask.extend(due_again(&self.memory, now));
        self.to_ask.retain(|uid| !self.playing.contains(uid));
        let missing: Vec<Uid> = self.to_ask.iter().take(MOST_ASKED).cloned().collect();
        if missing.is_empty() {
            return;
        }
        self.to_ask.retain(|uid| !missing.contains(uid));
        let question = Question::new(&self.memory, &missing);
        let (session, template, stop) = (session.clone(), self.template.clone(), self.stop.clone());
        self.is_asking = true;
        let asked = self.tasks.spawn(async move { Done::Asked(question.ask(session, template, stop).await) });
        self.under_way.insert(asked.id(), Task::Question);
    }

    /// What ends next; never, where nothing is under way.
    pub(super) async fn next_done(&mut self) -> (Option<Uid>, Done) {
        let (id, done) = match self.tasks.join_next_with_id().await {
            Some(Ok((id, done))) => (id, Some(done)),
            // A panic has been logged; watching goes on, and what else is under way as well.
            Some(Err(error)) => (error.id(), None),
            None => std::future::pending().await,
        };
        let failed = || Done::NotScanned("internal error in camscan".to_owned());
        match self.under_way.remove(&id) {
            Some(Task::Play(uid)) => (Some(uid), done.unwrap_or(Done::Played(None))),
            Some(Task::Question) => (None, done.unwrap_or(Done::Asked(None))),
            Some(Task::Scan) | None => (None, done.unwrap_or_else(failed)),
        }
    }

    /// Takes in what has ended.
    pub(super) fn collect(&mut self, (uid, done): (Option<Uid>, Done), at: Instant) {
        if let Some(uid) = uid {
            self.playing.remove(&uid);
        }
        match done {
            Done::Scanned(report) => (self.is_scanning, self.scanned) = (false, Some(report)),
            Done::NotScanned(why) => (self.is_scanning, self.not_scanned) = (false, Some(why)),
            Done::Asked(answers) => (self.is_asking, self.answers) = (false, answers),
            Done::Played(played) => {
                self.played.extend(played.map(|played| *played));
                if !self.played.is_empty() {
                    self.first_played.get_or_insert(at);
                }
            }
        }
    }

    pub(super) fn take_scan(&mut self) -> Option<Result<Box<Report>, String>> {
        self.scanned.take().map(Ok).or_else(|| self.not_scanned.take().map(Err))
    }

    pub(super) fn take_answers(&mut self) -> Option<Answers> {
        self.answers.take()
    }

    /// Whether checks wait to be stored that are many enough, or old enough.
    pub(super) fn is_batch_due(&self, most: usize, longest: Duration, at: Instant) -> bool {
        let is_old = self.first_played.is_some_and(|first| at.duration_since(first) >= longest);
        self.played.len() >= most || is_old
    }

    /// Stores what a scan found, or that it could not be made.
    pub(super) fn learn(
        &mut self,
        report: Result<Box<Report>, String>,
        session: &Session,
        store: &Store,
        route: &dyn Route,
        counts: &mut Counts,
    ) -> Result<Vec<(i64, Event)>, StoreError> {
        let now = (session.now)();
        let report = match report {
            Ok(report) => report,
            Err(why) => {
                counts.scan_failed();
                self.next_scan = self.next_scan.min(now.saturating_add(AFTER_FAILURE).unwrap_or(Timestamp::MAX));
                let mut event = Event::new(EventKind::ScanFailed, now);
                event.data.reason = Some(why);
                return Ok(store.update(|_| ((), vec![event]), route)?.events);
            }
        };
        // A scan that was stopped because this process ends says little.
        if report.scan.status == ScanStatus::Interrupted && self.stop.is_cancelled() {
            return Ok(Vec::new());
        }
        counts.scanned(&report);
        let vantage = vantage_of(&report, &self.memory, session);
        let learnt = store.learn(&report, Cause::Schedule, vantage, route)?;
        let worked = |device: &Device| session.login_of(device);
        store.note_scan(&report, &learnt.value, &self.job.plan, &worked, now)?;
        for attempts in report.devices.iter().filter_map(|device| device.login_attempts) {
            counts.refused(attempts.counted());
        }
        Ok(learnt.events)
    }

    /// Stores what checks found.
    pub(super) fn store_checks(
        &mut self,
        session: &Session,
        store: &Store,
        route: &dyn Route,
        counts: &mut Counts,
    ) -> Result<Vec<(i64, Event)>, StoreError> {
        self.first_played = None;
        let played = std::mem::take(&mut self.played);
        let mut rows = Vec::new();
        for played in &played {
            let row = played.row();
            counts.checked(row.outcome, played.refused);
            rows.push(row);
            if let Some(known) = self.memory.devices.get(&played.check.uid) {
                self.noted.note(&known.uid, &known.device, played.refused, session, store, played.check.at)?;
            }
        }
        let decide = |memory: &mut Memory| {
            let answered = played.iter().filter(|played| played.has_answered);
            ((), answered.flat_map(|played| memory.checked(&played.check)).collect())
        };
        // Whether it is there is asked on its own, together with others that were there a moment ago.
        let silent = played.iter().filter(|played| !played.has_answered).map(|played| played.check.uid.clone());
        self.to_ask.extend(silent);
        Ok(store.update_with_checks(decide, &rows, route)?.events)
    }

    /// Ends what is under way; sessions with cameras are torn down.
    pub(super) async fn end(&mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
