//! One stream between the task that fills it and the viewers who read it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, watch};

use super::audience::{ViewerFacts, Watching};
use super::facts::{AudioFacts, Facts, VideoFacts};
use super::frame::Frame;
use super::hub::{Cursor, Gop, Hub, Next};
use super::still::Still;
use crate::live::words::Sentence;
use crate::media::format::{AudioFormat, Format};
use crate::media::picture::Picture;
use crate::model::{ErrorKind, Transport};

/// Over how long frames and bytes are counted for rates.
const RATE_SPAN: Duration = Duration::from_secs(5);

/// How a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody watches, and there is no session with the camera.
    Idle,
    /// The camera is being asked.
    Connecting,
    /// Frames come.
    Live,
    /// The camera is away; it is asked again by itself.
    Away,
    /// The camera is not asked again until somebody acts: it refuses the login, or sends what nobody can be shown.
    Stopped,
}

/// The state with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// What kind of failure led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
    /// Why, in one sentence for the viewer, without address or login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sentence>,
}

impl Condition {
    fn new(state: State) -> Condition {
        Condition { state, since: Timestamp::now(), error: None, reason: None }
    }
}

/// What has been counted of a stream's source.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SourceStatistics {
    /// How the packets come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Sessions after the first one.
    pub reconnects: u64,
    /// RTP packets of the picture, over all sessions.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came late or twice.
    pub reordered: u64,
    /// Frames left out because packets of them are missing.
    pub dropped_frames: u64,
    /// The jitter between arrivals in milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: f64,
    /// Frames a second, over five seconds.
    pub fps: f64,
    /// Kilobits a second, over five seconds.
    pub kbps: f64,
    /// Seconds between key frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyframe_interval_s: Option<f64>,
    /// Milliseconds since the last frame came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_frame_age_ms: Option<u64>,
    /// What kind of failure was the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<ErrorKind>,
    /// Whether a group of pictures is too large to be kept, so that a viewer waits for the next key frame.
    pub gop_too_large: bool,
}

/// A stream: its ring of frames, its state and who watches it.
pub(super) struct Stream {
    pub id: String,
    /// For those who can be shown nothing else.
    pub still: Still,
    inner: Mutex<Inner>,
    /// Frames pushed so far.
    head: AtomicU64,
    pushed: watch::Sender<u64>,
    condition: watch::Sender<Condition>,
    viewers: watch::Sender<usize>,
    /// Tries at a session with the camera that failed.
    failures: watch::Sender<u64>,
    /// It is no stream any more.
    gone: AtomicBool,
    /// Rung at each frame, for the one task that serves all WebRTC viewers.
    bell: Arc<Notify>,
}

struct Inner {
    hub: Hub,
    video: Option<Arc<Format>>,
    audio: Option<Arc<Format>>,
    b_frames: bool,
    without_idr: bool,
    /// Sound the camera has described, and may not have sent yet.
    described: Option<Arc<Format>>,
    newest_key: Option<Arc<Frame>>,
    newest_at: Option<Instant>,
    /// Arrival and bytes of the pictures of the last seconds.
    recent: VecDeque<(Instant, usize)>,
    statistics: SourceStatistics,
    watching: BTreeMap<u64, Watching>,
    next_viewer: u64,
}

impl Stream {
    pub fn new(id: String, bell: Arc<Notify>) -> Arc<Stream> {
        Arc::new(Stream {
            id,
            still: Still::default(),
            inner: Mutex::new(Inner {
                hub: Hub::new(),
                video: None,
                audio: None,
                b_frames: false,
                without_idr: false,
                described: None,
                newest_key: None,
                newest_at: None,
                recent: VecDeque::new(),
                statistics: SourceStatistics::default(),
                watching: BTreeMap::new(),
                next_viewer: 0,
            }),
            head: AtomicU64::new(0),
            pushed: watch::Sender::new(0),
            condition: watch::Sender::new(Condition::new(State::Idle)),
            viewers: watch::Sender::new(0),
            failures: watch::Sender::new(0),
            gone: AtomicBool::new(false),
            bell,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What the source says.

    /// Takes the next frame.
    pub fn push(&self, frame: Frame) {
        let head = {
            let mut inner = self.inner();
            let (is_video, bytes, arrived) = (frame.is_video(), frame.len(), frame.arrived);
            let frame = inner.hub.push(frame);
            if is_video {
                inner.note_picture(&frame, bytes, arrived);
            } else {
                inner.audio = Some(frame.format.clone());
            }
            self.head.fetch_add(1, Ordering::Release) + 1
        };
        self.pushed.send_replace(head);
        self.bell.notify_one();
    }

    /// A session with the camera begins, or nobody watches any more.
    pub fn set_state(&self, state: State) {
        self.set_condition(Condition::new(state));
    }

    /// The session failed.
    pub fn fail(&self, state: State, error: ErrorKind, reason: Sentence) {
        self.inner().statistics.last_error = Some(error);
        self.set_condition(Condition { error: Some(error), reason: Some(reason), ..Condition::new(state) });
        self.failures.send_modify(|count| *count += 1);
    }

    /// The sound that is to come, by the camera's description; none when there is none.
    pub fn expect_sound(&self, described: Option<AudioFormat>) {
        let mut inner = self.inner();
        inner.described = described.map(|format| Arc::new(Format::Audio(format)));
        if inner.audio != inner.described {
            inner.audio = None;
        }
    }

    /// It is taken away: whoever watches is told.
    pub fn remove(&self) {
        self.gone.store(true, Ordering::Release);
        self.pushed.send_modify(|_| {});
        self.bell.notify_one();
    }

    fn set_condition(&self, condition: Condition) {
        self.condition.send_if_modified(|now| {
            let is_new = (now.state, now.error, now.reason) != (condition.state, condition.error, condition.reason);
            if is_new {
                *now = condition;
            }
            is_new
        });
    }

    /// What the source has counted, and how frames are ordered.
    pub fn note(&self, change: impl FnOnce(&mut SourceStatistics)) {
        change(&mut self.inner().statistics);
    }

    /// How pictures follow each other.
    pub fn note_order(&self, b_frames: bool, without_idr: bool) {
        let mut inner = self.inner();
        (inner.b_frames, inner.without_idr) = (b_frames, without_idr);
    }

    /// Forgets all frames, unless somebody watches: they would be old when the next viewer comes.
    pub fn clear(&self) {
        let mut inner = self.inner();
        if inner.watching.is_empty() {
            inner.hub.clear();
            inner.recent.clear();
        }
    }

    /// Frames and bytes that are held.
    #[cfg(test)]
    pub fn held(&self) -> (u64, usize) {
        let inner = self.inner();
        (inner.recent.len() as u64 + inner.hub.gop().frames, inner.hub.bytes())
    }

    // What viewers ask.

    /// Frames pushed so far, without a lock.
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Whether it has been taken away.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Counts the tries that failed.
    pub fn failures(&self) -> watch::Receiver<u64> {
        self.failures.subscribe()
    }

    /// Whether sound is to come that has not come yet.
    pub fn awaits_sound(&self) -> bool {
        let inner = self.inner();
        inner.described.is_some() && inner.audio.is_none()
    }

    /// Rings at each frame.
    pub fn frames(&self) -> watch::Receiver<u64> {
        self.pushed.subscribe()
    }

    /// The state, and its changes.
    pub fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// How many watch, and changes of it.
    pub fn viewers(&self) -> watch::Receiver<usize> {
        self.viewers.subscribe()
    }

    /// A viewer begins.
    pub fn start(&self, now: Instant) -> Cursor {
        self.inner().hub.start(now)
    }

    /// The next frame of a viewer.
    pub fn next(&self, cursor: &mut Cursor) -> Next {
        self.inner().hub.next(cursor)
    }

    /// Leaves out what is before the newest key frame.
    pub fn skip(&self, cursor: &mut Cursor) -> u64 {
        self.inner().hub.skip(cursor)
    }

    /// What is known of the groups of pictures, and when the next one should begin.
    pub fn gop(&self) -> (Gop, Option<Instant>) {
        let inner = self.inner();
        (inner.hub.gop(), inner.hub.next_key_due())
    }

    /// What has to be known before connecting; none before the first frame.
    pub fn facts(&self) -> Option<Facts> {
        self.inner().facts()
    }

    /// The form of the sound: as it came, else as the camera described it. Who agrees on a session before the first sound
    /// came would else never hear any.
    pub fn sound(&self) -> Option<Arc<Format>> {
        self.inner().sound()
    }

    /// The forms of picture and sound, as they came.
    pub fn formats(&self) -> (Option<Arc<Format>>, Option<Arc<Format>>) {
        let inner = self.inner();
        (inner.video.clone(), inner.audio.clone())
    }

    /// What was counted.
    pub fn statistics(&self, now: Instant) -> SourceStatistics {
        self.inner().statistics(now)
    }

    /// The newest picture that needs no other, and when it came.
    pub fn picture(&self) -> Option<(Picture, Instant)> {
        let inner = self.inner();
        let frame = inner.newest_key.as_ref()?;
        Some((frame.picture()?, frame.arrived))
    }

    /// Somebody watches from now on; gives their number.
    pub fn enter(&self, watching: Watching) -> u64 {
        let mut inner = self.inner();
        let number = inner.next_viewer;
        inner.next_viewer += 1;
        inner.watching.insert(number, watching);
        self.viewers.send_replace(inner.watching.len());
        number
    }

    /// Somebody watches no more.
    pub fn leave(&self, number: u64) {
        let mut inner = self.inner();
        inner.watching.remove(&number);
        self.viewers.send_replace(inner.watching.len());
    }

    /// Who watches.
    pub fn watching(&self) -> Vec<ViewerFacts> {
        self.inner().watching.values().map(Watching::facts).collect()
    }
}

impl Inner {
    fn note_picture(&mut self, frame: &Arc<Frame>, bytes: usize, arrived: Instant) {
        if self.video.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &frame.format)) {
            self.video = Some(frame.format.clone());
        }
        if frame.key {
            self.newest_key = Some(frame.clone());
        }
        self.newest_at = Some(arrived);
        self.recent.push_back((arrived, bytes));
        while self.recent.front().is_some_and(|(at, _)| arrived.saturating_duration_since(*at) > RATE_SPAN) {
            self.recent.pop_front();
        }
    }

    fn sound(&self) -> Option<Arc<Format>> {
        self.audio.clone().or_else(|| self.described.clone())
    }

    fn facts(&self) -> Option<Facts> {
        let Some(Format::Video(video)) = self.video.as_deref() else { return None };
        let audio = match self.sound().as_deref() {
            Some(Format::Audio(audio)) => Some(AudioFacts::of(audio)),
            _ => None,
        };
        Some(Facts { video: VideoFacts::of(video, self.b_frames, self.without_idr, &self.hub.gop()), audio })
    }

    fn statistics(&self, now: Instant) -> SourceStatistics {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) <= RATE_SPAN;
        let recent: Vec<&(Instant, usize)> = self.recent.iter().filter(|(at, _)| is_recent(at)).collect();
        let lasted = match (recent.first(), recent.last()) {
            (Some((first, _)), Some((last, _))) => last.saturating_duration_since(*first).as_secs_f64(),
            _ => 0.0,
        };
        let rate = |count: f64| if lasted > 0.0 { crate::media::hundredths(count / lasted) } else { 0.0 };
        // The first frame begins the time that is counted, and what follows it fills it.
        let bytes: usize = recent.iter().skip(1).map(|(_, bytes)| bytes).sum();
        let gop = self.hub.gop();
        SourceStatistics {
            fps: rate(recent.len().saturating_sub(1) as f64),
            kbps: rate(bytes as f64 * 8.0 / 1000.0),
            keyframe_interval_s: gop.interval.map(|interval| crate::media::hundredths(interval.as_secs_f64())),
            gop_too_large: gop.too_large,
            last_frame_age_ms: self
                .newest_at
                .map(|at| u64::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u64::MAX)),
            ..self.statistics.clone()
        }
    }
}
