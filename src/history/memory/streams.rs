//! The streams and the login of a device, as checks and scans find them.

use jiff::{SignedDuration, Timestamp};

use super::changes::say;
use super::health::{LoginTrouble, StreamHealth, StreamState};
use super::known::{KnownStream, Seen};
use super::mute::Subject;
use super::stream::{Verdict, first_state, is_unanswered, verdict};
use super::tell::{failure, seconds};
use super::{Memory, Rule, StreamCheck};
use crate::history::diff::{Change, VideoField, device};
use crate::model::memory::{Event, EventKind, MutedBy, Remark, Trait, Uid};
use crate::model::{Stream, StreamStatus};

/// What is found to need a login in this time after something else of the device was needs it for the same reason: each stream
/// is looked at once in a full scan, and those are rarely a day apart.
const ONE_ACT: SignedDuration = SignedDuration::from_hours(24);

/// One look at a stream.
pub(super) struct Look<'l> {
    pub key: &'l str,
    pub stream: &'l Stream,
    pub busy: bool,
    pub ways: u32,
    pub at: Timestamp,
}

/// A stream as it is remembered after another look: what was not learnt this time is as it was.
pub(super) fn merged(before: &Stream, now: &Stream) -> Stream {
    let mut stream = now.clone();
    stream.open = now.open.or(before.open);
    stream.video = stream.video.or_else(|| before.video.clone());
    stream.audio = stream.audio.or_else(|| before.audio.clone());
    stream.profile_name = stream.profile_name.or_else(|| before.profile_name.clone());
    stream.profile_token = stream.profile_token.or_else(|| before.profile_token.clone());
    stream.parameter_sets = stream.parameter_sets.or_else(|| before.parameter_sets.clone());
    stream
}

impl KnownStream {
    /// A stream that is seen for the first time.
    pub(super) fn new(stream: &Stream, at: Timestamp) -> Self {
        let mut health = StreamHealth::new(first_state(stream), at);
        health.checked_at = Some(at);
        health.usual_fps = stream.video.as_ref().and_then(|video| video.measured_fps).filter(|fps| fps.is_finite());
        KnownStream {
            stream: stream.clone(),
            last_ok: (health.state == StreamState::Working).then_some(at),
            took_login: (health.state == StreamState::Working).then_some(stream.open == Some(false)),
            health,
            seen: Seen { first: at, last: at },
            absent: 0,
            gone_at: None,
        }
    }

    /// A scan found it. Whether it was gone.
    pub(super) fn is_back(&mut self, at: Timestamp) -> bool {
        (self.absent, self.seen.last) = (0, at);
        let is_back = self.gone_at.take().is_some();
        let health = &mut self.health;
        if is_back && !health.is_told_broken() && health.state.problem().is_some() {
            // What was wrong with it before it was gone was never sent, and is not known any more.
            (health.state, health.since, health.problem_at, health.told) = (StreamState::Unknown, at, None, None);
            health.begin_round();
        }
        is_back
    }
}

impl Memory {
    /// A stream was played between scans.
    pub fn checked(&mut self, check: &StreamCheck) -> Vec<Event> {
        let mut events = Vec::new();
        self.begin(check.at);
        let uid = self.root(&check.uid);
        let Some(known) = self.devices.get_mut(&uid) else { return events };
        if check.offers_digest && !known.offered_digest {
            known.offered_digest = true;
            self.touched.insert(uid.clone());
        }
        if !known.streams.contains_key(&check.key) {
            return events;
        }
        if matches!(check.stream.status, StreamStatus::Streaming | StreamStatus::Described) {
            // That it was changed is noted with the answer.
            known.answered = true;
            self.hit(&uid, check.at, true, &mut events);
            self.find_networks(check.at, &mut events);
        } else if is_unanswered(&check.stream) {
            known.health.doubted_at = Some(check.at);
        }
        let look =
            Look { key: &check.key, stream: &check.stream, busy: check.busy, ways: check.ways_tried, at: check.at };
        self.look(&uid, &look, &mut events);
        events
    }

    /// Takes in a look at a stream that is known.
    pub(super) fn look(&mut self, uid: &Uid, look: &Look<'_>, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get_mut(uid) else { return };
        let (health, answered_at, missed_at) = (&known.health, known.seen.last, known.health.missed_at);
        let is_missing = health.is_missing() && Rule::MissingShields.holds();
        // Almost none is in trouble, and each is looked at often: what would end that is left out.
        let (is_refused, is_port_down) = (known.login.is_some(), known.service.is_some());
        let is_doubted = health.doubted_at.is_some() && Rule::DoubtShields.holds();
        let Some(stream) = known.streams.get_mut(look.key) else { return };
        if stream.health.checked_at.is_some_and(|last| last >= look.at) {
            return;
        }
        // It answered each time it was asked since this stream could not be connected to: it is there, and its port is silent.
        let answered_since = |last| answered_at >= last && missed_at.is_none_or(|missed| missed < last);
        let is_silent_port = is_unanswered(&stream.stream) && stream.health.checked_at.is_some_and(answered_since);
        let is_missing = is_missing || is_doubted && !is_silent_port;
        self.touched.insert(uid.clone());
        let verdict = verdict(look.stream, look.busy);
        let was_open = stream.stream.open;
        // An open stream that is given a password is locked from then on, and no login ever worked there.
        let worked_with_login = stream.last_ok.is_some() && was_open == Some(false) && stream.took_login != Some(false);
        let worked_with_login = worked_with_login || !Rule::WorkedBefore.holds();
        let changes = match stream.stream == *look.stream {
            true => Vec::new(),
            false => {
                let now = merged(&stream.stream, look.stream);
                let before = std::mem::replace(&mut stream.stream, now);
                device::stream(&before, &stream.stream)
            }
        };
        let was = stream.health.state;
        stream.health.checked_at = Some(look.at);
        let rate = stream.health.check(look.stream, verdict, look.ways, is_missing, look.at);
        let is = stream.health.state;
        if matches!(verdict, Verdict::Good { .. }) {
            (stream.last_ok, stream.took_login) = (Some(look.at), Some(stream.stream.open == Some(false)));
            if stream.stream.open == Some(false) && is_refused {
                self.login_accepted(uid, look, events);
            }
        }
        if let Verdict::Refused(kind) = verdict
            && worked_with_login
        {
            self.login_refused(uid, look, kind, events);
        }
        self.announce_changes(uid, look, &changes, was_open, verdict, events);
        if let Some((before, after)) = rate {
            let (before, after) = (format!("{before:.0}"), format!("{after:.0}"));
            let mut event = self.about_part(uid, look.key, EventKind::StreamChanged, look.at);
            (event.data.before, event.data.after) = (Some(before.clone()), Some(after.clone()));
            let url = Some(look.stream.url.clone());
            event.data.say_changed([Remark::Changed { url, what: Trait::FrameRate, before, after }]);
            events.push(event);
        }
        if was != is && is == StreamState::Broken {
            self.find_service_lost(uid, look.key, look.at, events);
        }
        if is == StreamState::Working && matches!(verdict, Verdict::Good { .. }) && is_port_down {
            self.find_service_back(uid, look.key, look.at, events);
        }
        if was != is {
            self.announce_stream(uid, look.key, look.at, true, events);
        }
    }

    /// Codec, size and whether a login is needed.
    fn announce_changes(
        &mut self,
        uid: &Uid,
        look: &Look<'_>,
        changes: &[Change],
        was_open: Option<bool>,
        verdict: Verdict,
        events: &mut Vec<Event>,
    ) {
        let picture = |change: &&Change| {
            matches!(change, Change::StreamVideo { field: VideoField::Codec | VideoField::Size, .. })
        };
        let pictures: Vec<&Change> = changes.iter().filter(picture).collect();
        if !pictures.is_empty() {
            let mut event = self.about_part(uid, look.key, EventKind::StreamChanged, look.at);
            say(&mut event, &pictures);
            if let [Change::StreamVideo { before, after, .. }] = pictures[..] {
                (event.data.before, event.data.after) = (Some(before.clone()), Some(after.clone()));
            }
            events.push(event);
        }
        let opened = changes.iter().find(|change| matches!(change, Change::StreamOpenWithoutLogin { .. }));
        let closed = changes.iter().find(|change| matches!(change, Change::StreamLoginNeeded { .. }));
        let is_closed = closed.is_some() || verdict == Verdict::NoLogin && was_open == Some(true);
        let kind = match opened {
            Some(_) => EventKind::StreamOpen,
            None if is_closed => EventKind::StreamProtected,
            None => return,
        };
        let login = |needed| Some(if needed { "a login is needed" } else { "no login is needed" }.to_owned());
        let mut event = self.about_part(uid, look.key, kind, look.at);
        (event.data.before, event.data.after) = (login(opened.is_some()), login(opened.is_none()));
        say(&mut event, opened.or(closed).as_slice());
        self.tell_access(uid, event, events);
        // From now on it is known to need one, whatever is found without a login.
        if is_closed && let Some(stream) = self.devices.get_mut(uid).and_then(|known| known.streams.get_mut(look.key)) {
            stream.stream.open = Some(false);
            if stream.health.state != StreamState::Working {
                (stream.health.state, stream.health.since) = (StreamState::Locked, look.at);
            }
        }
    }

    /// Somebody who gives a device a password gives it to all its streams and pages, and they are looked at one after the
    /// other: it is sent once. That a stream is open is sent of each.
    pub(super) fn tell_access(&mut self, uid: &Uid, mut event: Event, events: &mut Vec<Event>) {
        if let Some(known) = self.devices.get_mut(uid) {
            let last = known.protected_at.filter(|_| event.kind == EventKind::StreamProtected);
            let was_sent = last.is_some_and(|last| last.duration_until(event.at) < ONE_ACT && Rule::OneAct.holds());
            match () {
                () if was_sent => event.muted_by = event.muted_by.or(Some(MutedBy::Told)),
                () if event.kind != EventKind::StreamProtected => known.protected_at = None,
                () if event.muted_by.is_none() => known.protected_at = Some(event.at),
                () => {}
            }
            self.touched.insert(uid.clone());
        }
        events.push(event);
    }

    /// Whether it was sent that a stream is broken, by itself or with its port, and not that it works again: then neither that
    /// it is gone nor that it is there again is sent.
    pub(super) fn told_broken(&self, uid: &Uid, key: &str) -> Option<MutedBy> {
        let known = self.devices.get(uid)?;
        let health = &known.streams.get(key)?.health;
        let went_with_port = health.muted == Some(MutedBy::Service) || known.waits_for_service(key);
        let is_told = health.is_told_broken() && Rule::ToldBroken.holds();
        is_told.then_some(MutedBy::Told).or(went_with_port.then_some(MutedBy::Service))
    }

    /// An event about a stream, muted or not.
    pub(super) fn about_part(&self, uid: &Uid, key: &str, kind: EventKind, at: Timestamp) -> Event {
        let mut event = self.about_stream(uid, key, kind, at);
        event.muted_by = self.stream_muted_by(uid, key, kind, at);
        event
    }

    fn stream_muted_by(&self, uid: &Uid, key: &str, kind: EventKind, at: Timestamp) -> Option<MutedBy> {
        let known = self.devices.get(uid)?;
        let health = &known.streams.get(key)?.health;
        let is_trouble = matches!(kind, EventKind::StreamBroken | EventKind::StreamDegraded);
        let muted =
            self.muted_by(known, Subject { flaps: &health.flaps, acked: health.acked, is_part: true }, kind, at);
        muted.or_else(|| (is_trouble && known.waits_for_service(key)).then_some(MutedBy::Service))
    }

    /// Makes the event of a stream's state, as [`Memory::announce_device`] does of a device's.
    pub(super) fn announce_stream(
        &mut self,
        uid: &Uid,
        key: &str,
        at: Timestamp,
        is_new: bool,
        events: &mut Vec<Event>,
    ) {
        let Some(stream) = self.devices.get(uid).and_then(|known| known.streams.get(key)) else { return };
        let health = &stream.health;
        let kind = match health.state.problem() {
            Some(kind) if is_new || health.told != Some(kind) => kind,
            // What was never told, or muted and kept, ends without a word.
            None if health.state.is_well() && (health.told.is_some() || is_new && health.muted.is_some()) => {
                EventKind::StreamRepaired
            }
            _ => return,
        };
        let mut muted = self.stream_muted_by(uid, key, kind, at);
        if kind == EventKind::StreamRepaired && health.told.is_none() {
            muted = muted.or(health.muted);
        }
        if stream.gone_at.is_some() || muted.is_some() && !is_new {
            return;
        }
        let mut event = self.about_stream(uid, key, kind, at);
        event.muted_by = muted;
        event.data.since = health.problem_at.or(Some(health.since));
        event.data.say_why(why(health, kind, at));
        if kind != EventKind::StreamRepaired {
            event.data.say_failure(failure(&stream.stream));
        }
        events.push(event);
        self.touched.insert(uid.clone());
        let Some(health) =
            self.devices.get_mut(uid).and_then(|known| known.streams.get_mut(key)).map(|stream| &mut stream.health)
        else {
            return;
        };
        if is_new {
            health.flaps.change(at);
        }
        let is_end = kind == EventKind::StreamRepaired;
        if is_end {
            health.acked = None;
        }
        health.muted = muted.filter(|_| !is_end);
        if muted.is_none() {
            health.told = Some(kind).filter(|_| !is_end);
        }
    }

    fn login_refused(&mut self, uid: &Uid, look: &Look<'_>, kind: EventKind, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get_mut(uid) else { return };
        if let Some(trouble) = known.login.as_mut().filter(|_| Rule::RefusedOnce.holds()) {
            // It was tried again, once. A scan that began before a user wanted that has sent none.
            trouble.retry &= kind == EventKind::LoginRests && Rule::RetryWaits.holds();
            // What the device says is news after what camscan did by itself, and not the other way round.
            if trouble.kind != EventKind::LoginRests || kind == EventKind::LoginRests {
                return;
            }
        }
        known.login =
            Some(LoginTrouble { kind, since: look.at, stream: look.key.to_owned(), told: false, retry: false });
        self.announce_login(uid, look.at, true, events);
    }

    fn login_accepted(&mut self, uid: &Uid, look: &Look<'_>, events: &mut Vec<Event>) {
        let Some(trouble) = self.devices.get_mut(uid).and_then(|known| known.login.take()) else { return };
        let mut event = self.about_part(uid, look.key, EventKind::LoginAccepted, look.at);
        if !trouble.told {
            event.muted_by = event.muted_by.or(Some(MutedBy::User));
        } else if trouble.kind == EventKind::LoginRests {
            // That the device refused the login was never said.
            event.muted_by = event.muted_by.or(Some(MutedBy::Told));
        }
        event.data.since = Some(trouble.since);
        event.data.say_why(Remark::LoginWorks { seconds: seconds(trouble.since, look.at) });
        events.push(event);
    }

    /// A user wants the login of a device to be tried again that was refused. Whether there is one.
    pub fn retry_login(&mut self, uid: &Uid) -> bool {
        let uid = self.root(uid);
        let Some(login) = self.devices.get_mut(&uid).and_then(|known| known.login.as_mut()) else { return false };
        login.retry = true;
        self.touched.insert(uid);
        true
    }

    /// Makes the event of a login that is refused; see [`Memory::announce_device`].
    pub(super) fn announce_login(&mut self, uid: &Uid, at: Timestamp, is_new: bool, events: &mut Vec<Event>) {
        let Some(trouble) = self.devices.get(uid).and_then(|known| known.login.clone()) else { return };
        let mut event = self.about_part(uid, &trouble.stream, trouble.kind, at);
        if trouble.told || event.muted_by.is_some() && !is_new {
            return;
        }
        event.data.since = Some(trouble.since);
        event.data.say_why(match trouble.kind {
            EventKind::LoginLocked => Remark::LoginLocked,
            EventKind::LoginRests => Remark::LoginRests,
            _ => Remark::LoginRefused,
        });
        let stream = self.devices.get(uid).and_then(|known| known.streams.get(&trouble.stream));
        event.data.say_failure(stream.and_then(|stream| failure(&stream.stream)));
        let told = event.muted_by.is_none();
        events.push(event);
        if let Some(login) = self.devices.get_mut(uid).and_then(|known| known.login.as_mut()) {
            login.told = told;
        }
        self.touched.insert(uid.clone());
    }
}

/// How it is known.
fn why(health: &StreamHealth, kind: EventKind, at: Timestamp) -> Remark {
    let since = health.problem_at.unwrap_or(health.since);
    match (kind, health.state) {
        (EventKind::StreamBroken, _) => {
            Remark::NoFrames { checks: health.bad, seconds: seconds(since, at), ways: health.ways }
        }
        (EventKind::StreamDegraded, StreamState::Busy) => Remark::NoPlace { checks: health.busy },
        (EventKind::StreamDegraded, _) => Remark::FewFrames { checks: health.slow, usual_fps: health.usual_fps },
        _ => Remark::FramesAgain { seconds: seconds(since, health.since) },
    }
}
