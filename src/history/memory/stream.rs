//! What one look at a stream says, and what it takes to change one's mind about it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Rule;
use super::health::{LowerRate, StreamHealth, StreamState};
use super::known::Known;
use crate::model::memory::EventKind;
use crate::model::{ErrorKind, Protocol, Step, Stream, StreamStatus, Transport, Way};

/// A stream is broken after so many bad checks in a row, …
const BAD: u32 = 3;
/// … in which so many ways to play it were tried, where there are several.
const WAYS: u32 = 2;
/// It is repaired after so many checks with a key frame.
const GOOD: u32 = 2;
/// Busy checks in a row that are worth a warning.
const BUSY: u32 = 6;
/// Slow checks in a row that make a stream degraded, …
const SLOW: u32 = 6;
/// … and those at its usual speed that end it.
const STEADY: u32 = 3;
/// A rate that is lower for so long is the usual one from then on: longer than any night.
const LASTING: SignedDuration = SignedDuration::from_hours(24);
/// By how much of the greater one two rates may differ that are one.
const SPREAD: f64 = 0.25;
/// A first frame that takes longer is late.
const LATE: SignedDuration = SignedDuration::from_secs(5);
/// How much of what a stream usually delivers changes with each check.
const WEIGHT: f64 = 0.1;

/// What a look at a stream says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// Frames came.
    Good {
        /// A key frame among them, or a codec that has no other ones.
        key_frame: bool,
        /// Frames a second, as counted.
        fps: Option<f64>,
        /// The first one came late.
        is_late: bool,
    },
    /// It was described, and not played.
    Described,
    /// No frames came.
    Bad,
    /// Others have all the places.
    Busy,
    /// The login was refused, the device is locked, or camscan itself lets the login rest.
    Refused(EventKind),
    /// A login is demanded and none was given.
    NoLogin,
    /// This machine could not look.
    Unseen,
}

/// What a look at a stream says.
pub(super) fn verdict(stream: &Stream, busy: bool) -> Verdict {
    let error = stream.error.as_ref().map(|error| error.kind);
    match (stream.status, error) {
        (StreamStatus::Streaming, _) => Verdict::Good {
            key_frame: !Rule::KeyFrame.holds()
                || !stream.ladder.iter().any(|step| step.step == Step::Keyframe && !step.ok),
            fps: stream.video.as_ref().and_then(|video| video.measured_fps),
            is_late: first_frame_ms(stream).is_some_and(|ms| ms > LATE.as_millis_f64() && Rule::LateFrame.holds()),
        },
        (StreamStatus::Described, _) => Verdict::Described,
        (_, Some(ErrorKind::Busy)) if Rule::BusyWorks.holds() => Verdict::Busy,
        _ if busy && Rule::BusyWorks.holds() => Verdict::Busy,
        (_, Some(ErrorKind::Locked)) => Verdict::Refused(EventKind::LoginLocked),
        (_, Some(ErrorKind::AuthRefused)) => Verdict::Refused(EventKind::LoginRefused),
        (_, Some(ErrorKind::LoginRests)) => Verdict::Refused(EventKind::LoginRests),
        (StreamStatus::AuthRequired, _) | (_, Some(ErrorKind::AuthRequired)) => Verdict::NoLogin,
        (_, Some(ErrorKind::Local | ErrorKind::Interrupted)) => Verdict::Unseen,
        (StreamStatus::NotFound | StreamStatus::NoData | StreamStatus::Error, _) => Verdict::Bad,
    }
}

/// How long the first frame took when the stream was last played, in milliseconds: the steps up to it, of the way that worked.
/// None where no frame came.
pub fn first_frame_ms(stream: &Stream) -> Option<f64> {
    if stream.status != StreamStatus::Streaming || stream.ladder.is_empty() {
        return None;
    }
    let way = stream.ladder.last().and_then(|step| step.way);
    let steps = stream.ladder.iter().filter(|step| step.ok && (step.way == way || step.way.is_none()));
    Some(steps.take_while(|step| step.step != Step::Keyframe).map(|step| step.ms).sum())
}

/// By which way a stream played when it was last looked at, where that is not the first that is tried. None also where it did
/// not play.
fn way_that_worked(stream: &Stream) -> Option<Way> {
    let is_rtsp = matches!(stream.protocol, Protocol::Rtsp | Protocol::Rtsps);
    if !is_rtsp || stream.status != StreamStatus::Streaming || stream.multicast.is_some() {
        return None;
    }
    let way = stream.ladder.iter().rev().find(|step| step.ok).and_then(|step| step.way);
    // A device that refuses the one transport and takes the other at once is not played in another way.
    way.or_else(|| (stream.transport == Transport::Udp).then_some(Way::Udp)).filter(|way| *way != Way::Tcp)
}

impl Known {
    /// By which way the RTSP streams of each port last played, where it is one that is not the first that is tried, and the
    /// same for all of them that played.
    pub fn ways(&self) -> Vec<(u16, Way)> {
        let mut ports: BTreeMap<u16, BTreeSet<Option<Way>>> = BTreeMap::new();
        for (key, known) in self.streams.iter().filter(|(_, known)| known.gone_at.is_none()) {
            let is_played = known.stream.status == StreamStatus::Streaming;
            let port = key.split_once(':').map_or("", |(_, rest)| rest);
            let digits = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
            let port = port.get(..digits).and_then(|port| port.parse().ok());
            if let Some(port) = port.filter(|_| is_played) {
                ports.entry(port).or_default().insert(way_that_worked(&known.stream));
            }
        }
        let one = |ways: BTreeSet<Option<Way>>| ways.first().copied().flatten().filter(|_| ways.len() == 1);
        ports.into_iter().filter_map(|(port, ways)| Some((port, one(ways)?))).collect()
    }
}

/// Whether nobody could be connected to.
pub(super) fn is_unanswered(stream: &Stream) -> bool {
    let kind = stream.error.as_ref().map(|error| error.kind);
    let is_first = stream.ladder.iter().all(|step| !step.ok && step.step == Step::Tcp);
    is_first && matches!(kind, Some(ErrorKind::Timeout | ErrorKind::Unreachable))
}

/// Whether no connection to the port of a stream was had: refused, or without an answer.
pub(super) fn is_unconnected(stream: &Stream) -> bool {
    let is_first = stream.ladder.iter().all(|step| !step.ok && matches!(step.step, Step::Tcp | Step::Tls));
    let kind = stream.error.as_ref().map(|error| error.kind);
    is_first && matches!(kind, Some(ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::Refused))
}

/// Whether another way of playing the stream could have brought frames: it was described, and nothing came.
fn has_other_ways(stream: &Stream) -> bool {
    let is_rtsp = matches!(stream.protocol, Protocol::Rtsp | Protocol::Rtsps);
    let failed = stream.ladder.iter().rev().find(|step| !step.ok).map(|step| step.step);
    is_rtsp && matches!(failed, Some(Step::Setup | Step::Rtp | Step::Frame | Step::Keyframe))
}

/// The ways a stream was tried to be played, as its ladder tells.
pub(super) fn ways_tried(stream: &Stream) -> u32 {
    let mut ways: Vec<_> = stream.ladder.iter().map(|step| step.way).collect();
    ways.sort_unstable();
    ways.dedup();
    ways.len().try_into().unwrap_or(u32::MAX)
}

/// The state of a stream that is seen for the first time.
pub(super) fn first_state(stream: &Stream) -> StreamState {
    match verdict(stream, false) {
        Verdict::Good { .. } => StreamState::Working,
        Verdict::Described => StreamState::Described,
        Verdict::Busy => StreamState::Busy,
        Verdict::Refused(_) | Verdict::NoLogin => StreamState::Locked,
        Verdict::Bad => StreamState::Broken,
        Verdict::Unseen => StreamState::Unknown,
    }
}

/// Whether so few frames come that the picture is hardly what it was.
fn is_far_below(fps: f64, usual: f64) -> bool {
    fps < usual / 2.0
}

impl StreamHealth {
    /// Takes in a look at the stream. While its device `is_missing`, nothing is held against the stream. The usual frame rate
    /// before and from now on, where another one has become usual.
    pub(super) fn check(
        &mut self,
        stream: &Stream,
        verdict: Verdict,
        ways: u32,
        is_missing: bool,
        at: Timestamp,
    ) -> Option<(f64, f64)> {
        self.checks = self.checks.saturating_add(1);
        let declared = stream.video.as_ref().and_then(|video| video.fps);
        let mut changed = None;
        match verdict {
            Verdict::Good { key_frame, fps, is_late } => {
                changed = fps.and_then(|fps| self.lower_for_good(fps, declared, at));
                self.good(key_frame, fps, is_late, at);
            }
            Verdict::Bad => self.bad(ways, has_other_ways(stream), is_missing, at),
            Verdict::Busy => {
                self.good = 0;
                self.busy = self.busy.saturating_add(1);
                let is_new = !matches!(self.state, StreamState::Busy | StreamState::Broken);
                if (self.busy >= BUSY || !Rule::Busy.holds()) && is_new {
                    self.go(StreamState::Busy, at);
                }
            }
            Verdict::Refused(_) => {
                (self.bad, self.good, self.busy, self.slow, self.first_bad) = (0, 0, 0, 0, None);
                if self.state != StreamState::Locked {
                    self.go(StreamState::Locked, at);
                }
            }
            Verdict::Described if self.state == StreamState::Unknown && self.told.is_none() => {
                self.go(StreamState::Described, at);
            }
            Verdict::Described | Verdict::NoLogin | Verdict::Unseen => {}
        }
        changed
    }

    /// Takes in a frame rate. One that is far below the usual one, and stays or is what the stream declares, is a setting and
    /// no fault: it is the usual one from now on, and the stream works. The usual rate before and then.
    fn lower_for_good(&mut self, fps: f64, declared: Option<f64>, at: Timestamp) -> Option<(f64, f64)> {
        let is_near = |other: f64| (fps - other).abs() <= fps.max(other) * SPREAD;
        let Some(usual) = self.usual_fps.filter(|usual| is_far_below(fps, *usual) && Rule::LastingRate.holds()) else {
            self.lower = None;
            return None;
        };
        let first = LowerRate { since: at, fps, checks: 0 };
        let lower = self.lower.filter(|lower| is_near(lower.fps)).unwrap_or(first);
        let lower = LowerRate { checks: lower.checks.saturating_add(1), ..lower };
        self.lower = Some(lower);
        let is_lasting =
            lower.since.duration_until(at) >= LASTING || declared.is_some_and(is_near) && Rule::DeclaredRate.holds();
        if lower.checks < SLOW || !is_lasting {
            return None;
        }
        (self.usual_fps, self.lower, self.slow) = (Some(fps), None, 0);
        if self.state == StreamState::Degraded {
            self.go(StreamState::Working, at);
            (self.told, self.muted, self.acked) = (None, None, None);
        }
        Some((usual, fps))
    }

    fn go(&mut self, state: StreamState, since: Timestamp) {
        (self.state, self.since) = (state, since);
        if state.problem().is_some() {
            self.problem_at = Some(since);
        }
    }

    fn bad(&mut self, ways: u32, has_other_ways: bool, is_missing: bool, at: Timestamp) {
        (self.good, self.busy) = (0, 0);
        if is_missing {
            return;
        }
        self.bad = self.bad.saturating_add(1);
        self.ways = self.ways.max(ways);
        let since = *self.first_bad.get_or_insert(at);
        // Where the other way is never tried, twice as many checks are enough.
        let ways_are_enough = self.ways >= WAYS || !has_other_ways || self.bad >= 2 * BAD || !Rule::Ways.holds();
        let is_enough = (self.bad >= BAD || !Rule::Bad.holds()) && ways_are_enough;
        if is_enough && self.state != StreamState::Broken {
            self.go(StreamState::Broken, since);
        }
    }

    fn good(&mut self, key_frame: bool, fps: Option<f64>, is_late: bool, at: Timestamp) {
        let is_slow = is_late || fps.zip(self.usual_fps).is_some_and(|(fps, usual)| is_far_below(fps, usual));
        // One frame is no rate: whether that is fewer than usual, such a look does not say.
        let is_open = !is_slow && fps.is_none() && self.usual_fps.is_some() && Rule::RateUnseen.holds();
        let good_before = self.good;
        (self.bad, self.busy, self.ways, self.first_bad) = (0, 0, 0, None);
        self.good = if key_frame { self.good.saturating_add(1) } else { self.good };
        if !is_open {
            self.slow = if is_slow { self.slow.saturating_add(1) } else { 0 };
        }
        match self.state {
            StreamState::Broken if self.good >= GOOD || !Rule::Good.holds() => self.go(StreamState::Working, at),
            StreamState::Unknown if self.told.is_none() || self.good >= GOOD => self.go(StreamState::Working, at),
            StreamState::Degraded => {
                self.good = match is_slow {
                    true => 0,
                    false if is_open => good_before,
                    false => self.good,
                };
                if self.good >= STEADY || self.good > 0 && !Rule::Steady.holds() {
                    self.go(StreamState::Working, at);
                }
            }
            StreamState::Busy | StreamState::Described | StreamState::Locked => self.go(StreamState::Working, at),
            StreamState::Working if self.slow >= SLOW || self.slow > 0 && !Rule::Slow.holds() => {
                self.good = 0;
                self.go(StreamState::Degraded, at);
            }
            StreamState::Working | StreamState::Broken | StreamState::Unknown => {}
        }
        if let Some(fps) = fps.filter(|fps| fps.is_finite() && !is_slow) {
            self.usual_fps = Some(self.usual_fps.map_or(fps, |usual| usual + (fps - usual) * WEIGHT));
        }
    }
}
