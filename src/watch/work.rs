//! What is under way: the scan, the checks, the question who is there; and what they found until it is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::checks::{self, Play, Played};
use super::clock::{Clock, Step};
use super::figures::Counts;
use super::logins::{Noted, Template};
use super::news::{News, ScanEnd, ScanOrder};
use super::pictures::Pictured;
use super::presence::{Answers, Cards, Question};
use super::scanned::{AFTER_FAILURE, Found, Running, note_picture};
use super::sight::Surroundings;
use super::{Job, TICK, Watch, logins};
use crate::history::memory::{DeviceState, Memory};
use crate::history::schedule::checks::{again, due_again};
use crate::model::memory::{Event, NotScanned, Uid};
use crate::scan::session::Session;
use crate::store::StoreError;

/// Devices that are asked at once whether they are there.
const MOST_ASKED: usize = 256;
/// What is due and cannot be done at this moment is looked at again after this.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);
/// How often the store is tidied.
const TIDY_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What something that ran beside the loop came to.
pub(super) enum Done {
    Scanned(Box<Found>),
    /// The scan could not be made; why.
    NotScanned(NotScanned),
    Played(Option<Box<Played>>),
    /// A device whose stream could not be asked for.
    Asked(Option<Answers>),
}

/// What runs beside the loop.
#[derive(Debug)]
pub(super) enum Task {
    Scan,
    Question,
    /// A stream of this device is played.
    Play(Uid),
}

/// What is under way.
pub(super) struct Work {
    pub(super) job: Arc<Job>,
    /// What is known, as it was when it was last stored.
    pub(super) memory: Arc<Memory>,
    pub(super) template: Template,
    /// The logins that were last noted.
    noted: Noted,
    pub(super) stop: CancellationToken,
    pub(super) tasks: JoinSet<Done>,
    pub(super) under_way: HashMap<tokio::task::Id, Task>,
    pub(super) is_scanning: bool,
    /// The scan that runs.
    pub(super) running: Option<Running>,
    /// Scans that somebody wants, in the order they came.
    pub(super) waiting: VecDeque<ScanOrder>,
    is_asking: bool,
    /// Devices a stream of which is being played.
    playing: BTreeSet<Uid>,
    /// Streams that are to be played, in the order they became due.
    pub(super) queue: VecDeque<(Uid, String)>,
    pictured: Pictured,
    /// Devices that are to be asked whether they are there.
    to_ask: BTreeSet<Uid>,
    /// The last round of checks each device had.
    rounds: BTreeMap<Uid, i64>,
    pub(super) next_scan: Timestamp,
    clock: Clock,
    next_look: Timestamp,
    next_tidying: Timestamp,
    scanned: Option<Box<Found>>,
    not_scanned: Option<NotScanned>,
    pub(super) answers: Option<Answers>,
    pub(super) surroundings: Surroundings,
    played: Vec<Played>,
    first_played: Option<Instant>,
}

impl Work {
    /// Nothing is under way. All is scanned at once where that was never done, or is overdue.
    pub(super) fn new(job: Job, memory: Arc<Memory>, now: Timestamp, stop: CancellationToken) -> Self {
        // The clock may have been ahead.
        let last = memory.roots().filter_map(|known| known.scanned_at).filter(|last| *last <= now).max();
        let next_scan = last.map_or(now, |last| job.scans.next(last, fastrand::f64()).max(now));
        Work {
            template: Template::new(&job),
            job: Arc::new(job),
            memory,
            noted: Noted::default(),
            stop,
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            is_scanning: false,
            running: None,
            waiting: VecDeque::new(),
            pictured: Pictured::default(),
            is_asking: false,
            playing: BTreeSet::new(),
            queue: VecDeque::new(),
            to_ask: BTreeSet::new(),
            rounds: BTreeMap::new(),
            next_scan,
            clock: Clock::new(now),
            next_look: now,
            next_tidying: now,
            scanned: None,
            not_scanned: None,
            answers: None,
            surroundings: Surroundings::default(),
            played: Vec::new(),
            first_played: None,
        }
    }

    /// Goes on with another job.
    pub(super) fn take_job(&mut self, job: Job, now: Timestamp) {
        let is_same = job.scans == self.job.scans;
        self.job = Arc::new(job);
        self.template.take_job(&self.job);
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

    /// Takes note of the time, and how the clock was set. One that was set back does not put off what comes.
    pub(super) fn note_time(&mut self, now: Timestamp) -> Option<Step> {
        let step = self.clock.read(now);
        if step == Some(Step::Back) {
            (self.next_look, self.next_tidying) = (now, now);
            self.next_scan = self.next_scan.min(self.job.scans.next(now, fastrand::f64()));
            self.rounds.clear();
            self.pictured = Pictured::default();
        }
        step
    }

    /// Whether the clock is to be looked at, which it is now.
    pub(super) fn is_look_due(&mut self, now: Timestamp) -> bool {
        if now < self.next_look {
            return false;
        }
        self.next_look = now.saturating_add(TICK).unwrap_or(Timestamp::MAX);
        true
    }

    /// Whether the store is to be tidied, which it is now. Never while a scan is under way.
    pub(super) fn is_tidying_due(&mut self, now: Timestamp) -> bool {
        let is_due = now >= self.next_tidying && !self.is_scanning;
        if is_due {
            self.next_tidying = now.saturating_add(TIDY_EVERY).unwrap_or(Timestamp::MAX);
            self.pictured.keep_known(&self.memory);
            self.noted.keep_known(&self.memory);
        }
        is_due
    }

    /// How long nothing is due.
    pub(super) fn wake(&self, now: Timestamp) -> Duration {
        let mut next = self.next_look;
        if !self.is_scanning && self.playing.is_empty() && !self.is_asking {
            next = if self.waiting.is_empty() { next.min(self.next_scan) } else { now };
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
    pub(super) fn start_what_is_due(&mut self, watch: &Watch, now: Timestamp) -> Result<(), StoreError> {
        if self.is_scanning {
            return Ok(());
        }
        if self.wants_scan(now) {
            // Checks that are under way end first, and no others begin.
            let is_idle = self.playing.is_empty() && !self.is_asking && self.played.is_empty();
            if let Some(order) = is_idle.then(|| self.next_order(now)).flatten() {
                let id = order.id;
                if let Err(error) = self.start_scan(order, watch, now) {
                    let end = ScanEnd::Failed(NotScanned::StoreUnread);
                    watch.follower.news(&News::ScanEnded(id, &end));
                    return Err(error);
                }
            }
            return Ok(());
        }
        self.fill_queue(now);
        self.start_checks(watch, now)?;
        self.start_question(&watch.session, now);
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

    fn start_checks(&mut self, watch: &Watch, now: Timestamp) -> Result<(), StoreError> {
        let session = &watch.session;
        let (mut waiting, mut on_air, mut digest) = (VecDeque::new(), BTreeSet::new(), None);
        while let Some((uid, key)) = self.queue.pop_front() {
            if on_air.contains(&uid) {
                continue;
            }
            if self.playing.len() >= self.job.concurrency.max(1) || self.playing.contains(&uid) {
                waiting.push_back((uid, key));
                continue;
            }
            if self.take_on_air(&uid, watch, now) {
                waiting.retain(|(other, _)| *other != uid);
                on_air.insert(uid);
                continue;
            }
            let Some(known) = self.memory.devices.get(&uid) else { continue };
            // What was due may no longer be: the device went offline, or a login was refused, since.
            let is_worth_it = known.health.state == DeviceState::Online && !known.login_rests();
            let Some(stream) = known.streams.get(&key).filter(|_| is_worth_it) else { continue };
            if !stream.stream.is_whole() {
                self.to_ask.insert(uid);
                continue;
            }
            let hosts = logins::known_hosts(&self.memory, known, watch, &mut digest, now)?;
            let (ip, stream) = (known.device.ip, stream.stream.clone());
            let pictures = watch.pictures.clone().filter(|_| self.pictured.is_due(&uid, &key, now));
            let cards = Cards::of(&self.memory, known);
            let play = Play { uid: uid.clone(), ip, key, stream, hosts, cards, pictures };
            let (session, template, stop) = (session.clone(), self.template.plan.clone(), self.stop.clone());
            self.playing.insert(uid.clone());
            let played = async move { Done::Played(checks::play(session, template, play, stop).await.map(Box::new)) };
            let check = self.tasks.spawn(played);
            self.under_way.insert(check.id(), Task::Play(uid));
        }
        self.queue = waiting;
        Ok(())
    }

    /// Whether somebody watches a stream of a device just now: that counts as played, and nothing else of the device is asked
    /// for in this round. Many cameras have no place for another viewer.
    fn take_on_air(&mut self, uid: &Uid, watch: &Watch, now: Timestamp) -> bool {
        let Some(known) = self.memory.devices.get(uid) else { return false };
        let streams = known.streams.iter().filter(|(_, stream)| stream.gone_at.is_none());
        let on_air = streams.filter_map(|(key, stream)| {
            let figures = watch.follower.on_air(uid, key)?;
            Some(Played::on_air(uid, key, &stream.stream, figures, now))
        });
        let on_air: Vec<Played> = on_air.collect();
        let is_any = !on_air.is_empty();
        self.played.extend(on_air);
        if is_any {
            self.first_played.get_or_insert(Instant::now());
        }
        is_any
    }

    /// Somebody wants a stream to be played now.
    pub(super) fn order_check(&mut self, uid: Uid, key: String) {
        self.pictured.forget(&uid, &key);
        self.queue.retain(|(other, own)| (other, own) != (&uid, &key));
        self.queue.push_front((uid, key));
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
        let question = Question::new(&self.memory, &missing, &self.surroundings.hosts, &self.job.exclude);
        let (session, template, stop) = (session.clone(), self.template.plan.clone(), self.stop.clone());
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
        let failed = || Done::NotScanned(NotScanned::Internal);
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

    pub(super) fn take_scan(&mut self) -> Option<Result<Box<Found>, NotScanned>> {
        self.scanned.take().map(Ok).or_else(|| self.not_scanned.take().map(Err))
    }

    /// Whether checks wait to be stored that are many enough, or old enough.
    pub(super) fn is_batch_due(&self, most: usize, longest: Duration, at: Instant) -> bool {
        let is_old = self.first_played.is_some_and(|first| at.duration_since(first) >= longest);
        self.played.len() >= most || is_old
    }

    /// Stores what checks found.
    pub(super) fn store_checks(&mut self, watch: &Watch, counts: &mut Counts) -> Result<Vec<(i64, Event)>, StoreError> {
        let Watch { session, store, route, follower, .. } = watch;
        self.first_played = None;
        let played = std::mem::take(&mut self.played);
        let mut rows = Vec::new();
        for played in &played {
            let row = played.row();
            counts.checked(row.outcome, played.refused);
            rows.push(row);
            if let Some(known) = self.memory.devices.get(&played.check.uid) {
                store.insist(|| self.noted.note(&known.uid, &known.device, session, store, played.check.at))?;
            }
        }
        let decide = |memory: &mut Memory| {
            let answered = played.iter().filter(|played| played.has_answered);
            ((), answered.flat_map(|played| memory.checked(&played.check)).collect())
        };
        // Whether it is there is asked on its own, together with others that were there a moment ago.
        let silent = played.iter().filter(|played| !played.has_answered).map(|played| played.check.uid.clone());
        self.to_ask.extend(silent);
        let events = store.insist(|| store.update_with_checks(decide, &rows, route.as_ref()))?.events;
        for played in &played {
            if let Some(taken) = &played.picture {
                note_picture(watch, &played.check.uid, taken, played.check.at)?;
            }
            follower.news(&News::Checked(&played.check.uid, &played.check.key));
        }
        Ok(events)
    }

    /// Ends what is under way; sessions with cameras are torn down. Of what comes of it a scan's report alone is taken in: a
    /// check that was cut off says nothing of its stream, nor does a question that was not asked to its end.
    pub(super) async fn end(&mut self) {
        self.stop.cancel();
        while !self.tasks.is_empty() {
            let (_, done) = self.next_done().await;
            if let Done::Scanned(found) = done {
                (self.is_scanning, self.scanned) = (false, Some(found));
            }
        }
    }
}
