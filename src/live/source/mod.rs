//! The task that fills a stream: one session with the camera for all viewers, begun with the first of them, ended some time
//! after the last, and begun anew when the camera was away.

mod backoff;
mod mjpeg;
mod rtsp;
mod tracks;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::facts::Facts;
use super::stream::{State, Stream};
use super::timeline::FIRST;
use crate::live::words::Sentence;
use crate::model::{ErrorKind, Transport};
use crate::net::Dialer;
use crate::probe::peer::Timeouts;
use crate::probe::{Farewells, LinkedLogin, Logins, Peer};
use crate::wire::url::HostUrl;
use backoff::{Backoff, Failure, Then};
use tracks::Clock;

/// How long a session goes on after the last viewer left: who loads the page anew finds it playing.
pub(super) const IDLE_TIME: Duration = Duration::from_secs(15);

/// Deadlines of what is asked of a camera. Shorter than a scan's: it has answered before, and is asked again.
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(1), request: Duration::from_secs(5) };

/// Where a stream comes from and how it is fetched. Neither address nor login leaves towards a viewer.
#[derive(Clone)]
pub struct StreamSource {
    /// What viewers call it by.
    pub id: String,
    /// The camera's address.
    pub ip: IpAddr,
    /// The stream on it: `rtsp`, `rtsps`, or `http` and `https` for MJPEG.
    pub url: HostUrl,
    /// The transport to ask for first: the one that worked when the stream was proved.
    pub transport: Transport,
    /// The logins of the device. Streams of one device share them, so that refusals are counted together; another `Logins`
    /// than before counts as an act of a person, and a stream that was stopped is asked for again.
    pub logins: Arc<Logins>,
    /// Decides at the beginning of each session which of them is offered; none: those that are offered already.
    pub login: Option<Arc<LinkedLogin>>,
    /// Fetched also while nobody watches.
    pub always_on: bool,
    /// Other streams of the device, by their ids, which may stand in where a viewer cannot be shown this one.
    pub siblings: Vec<String>,
    /// What is known of it before it has been played.
    pub declared: Option<Facts>,
}

impl StreamSource {
    /// Whether the other is fetched in the same way, so that its session can go on.
    pub(super) fn is_same(&self, other: &StreamSource) -> bool {
        (&self.id, self.ip, &self.url, self.transport) == (&other.id, other.ip, &other.url, other.transport)
            && Arc::ptr_eq(&self.logins, &other.logins)
    }
}

/// What all sources share.
#[derive(Clone)]
pub(super) struct Shared {
    pub dialer: Arc<Dialer>,
    pub farewells: Farewells,
    /// Places among the streams that are fetched at once.
    pub places: Arc<tokio::sync::Semaphore>,
}

/// How a session ended.
enum Ended {
    /// Nobody watches any more.
    Unwatched,
    /// It failed.
    Failed(Failure),
}

/// Signs of life of a camera in one session.
struct Pulse {
    /// The last packet of the picture.
    packet: Instant,
    /// The last whole frame.
    frame: Instant,
    /// The first one.
    first: Option<Instant>,
}

impl Pulse {
    fn new(now: Instant) -> Pulse {
        Pulse { packet: now, frame: now, first: None }
    }

    /// A frame came; whether it was the first.
    fn beats(&mut self, now: Instant) -> bool {
        self.frame = now;
        self.first.replace(self.first.unwrap_or(now)).is_none()
    }

    /// The failure, after so much time with frames.
    fn after(&self, failure: Failure, now: Instant) -> Failure {
        Failure { played: self.first.map_or(Duration::ZERO, |first| now - first), ..failure }
    }
}

/// A source that runs.
pub(super) struct Source {
    wanted: Wanted,
    stream: Arc<Stream>,
    peer: Peer,
    login: Option<Arc<LinkedLogin>>,
    url: HostUrl,
    transport: Transport,
    places: Arc<tokio::sync::Semaphore>,
    /// Counts sessions with frames.
    sessions: u64,
    /// The other transport than the one asked for is tried next.
    other_next: bool,
    /// Where its clock begins, in units of 1/90,000 s.
    begins: u64,
}

/// Who wants the stream.
struct Wanted {
    viewers: watch::Receiver<usize>,
    always_on: watch::Receiver<bool>,
    /// Since when nobody does.
    unwanted: Option<Instant>,
}

impl Wanted {
    fn is_watched(&self) -> bool {
        *self.viewers.borrow() > 0
    }

    fn is_wanted(&self) -> bool {
        self.is_watched() || *self.always_on.borrow()
    }

    /// Waits until somebody does.
    async fn by_somebody(&mut self) {
        while !self.is_wanted() {
            // Who could want it is the one that holds the senders.
            tokio::select! {
                changed = self.viewers.changed() => if changed.is_err() { return std::future::pending().await },
                changed = self.always_on.changed() => if changed.is_err() { return std::future::pending().await },
            }
        }
        self.unwanted = None;
    }

    /// Whether nobody has wanted it for some time.
    fn is_over(&mut self) -> bool {
        if self.is_wanted() {
            self.unwanted = None;
            return false;
        }
        self.unwanted.get_or_insert_with(Instant::now).elapsed() >= IDLE_TIME
    }
}

impl Source {
    pub fn new(
        source: &StreamSource,
        stream: Arc<Stream>,
        shared: &Shared,
        always_on: watch::Receiver<bool>,
        cancel: CancellationToken,
    ) -> Source {
        let mut peer = Peer::new(source.ip, shared.dialer.clone());
        peer.logins = source.logins.clone();
        peer.farewells = shared.farewells.clone();
        (peer.timeouts, peer.retries, peer.cancel) = (TIMEOUTS, 0, cancel);
        Source {
            wanted: Wanted { viewers: stream.viewers(), always_on, unwanted: None },
            stream,
            peer,
            login: source.login.clone(),
            url: source.url.clone(),
            transport: source.transport,
            places: shared.places.clone(),
            sessions: 0,
            other_next: false,
            begins: FIRST,
        }
    }

    /// Fetches the stream whenever it is wanted, until it is cancelled.
    pub async fn run(mut self) {
        let cancel = self.peer.cancel.clone();
        let mut backoff = Backoff::default();
        let mut clock = Clock::starting_at(self.begins);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.wanted.by_somebody() => {}
            }
            let began = Instant::now();
            // Large, and seldom needed: most streams are watched by nobody.
            let ended = Box::pin(self.session(&mut clock)).await;
            if cancel.is_cancelled() {
                return;
            }
            match ended {
                Ended::Unwatched => {
                    self.stream.clear();
                    self.stream.set_state(State::Idle);
                    (backoff, clock) = (Backoff::default(), Clock::starting_at(self.begins));
                }
                Ended::Failed(failure) => match backoff.after(&failure, self.wanted.is_watched(), fastrand::f64()) {
                    Then::Again(pause) => {
                        self.stream.fail(State::Away, failure.kind, failure.reason);
                        self.pause(began + pause).await;
                    }
                    Then::Stop => {
                        self.stream.fail(State::Stopped, failure.kind, failure.reason);
                        // Somebody acts by giving the stream anew.
                        return cancel.cancelled().await;
                    }
                },
            }
        }
    }

    /// Waits for the next try. Who comes meanwhile need not wait for as long as nobody would.
    async fn pause(&mut self, until: Instant) {
        let cancel = self.peer.cancel.clone();
        let was_watched = self.wanted.is_watched();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep_until(until) => return,
                changed = self.wanted.viewers.changed() => {
                    if changed.is_err() || !was_watched && self.wanted.is_watched() {
                        return;
                    }
                }
            }
        }
    }

    /// One session with the camera.
    async fn session(&mut self, clock: &mut Clock) -> Ended {
        let Ok(_place) = self.places.clone().try_acquire_owned() else {
            return Ended::Failed(Failure::new(ErrorKind::Local, Sentence::TooManyStreams));
        };
        if !matches!(self.stream.condition().borrow().state, State::Away) {
            self.stream.set_state(State::Connecting);
        }
        clock.restart();
        let login = self.login.clone();
        if let Some(login) = &login
            && let Err(error) = login.settle(&self.peer, self.url.endpoint().port).await
        {
            tracing::info!(stream = self.stream.id, "the camera does not play: {error}");
            return Ended::Failed(Failure::of(error.kind(), None));
        }
        let ended = match self.url.scheme.is_rtsp() {
            true => self.play_rtsp(clock).await,
            false => self.play_mjpeg(clock).await,
        };
        match ended {
            Ended::Failed(failure) if login.is_some_and(|login| login.is_withheld(&self.peer.logins)) => {
                Ended::Failed(failure.without_login())
            }
            ended => ended,
        }
    }

    /// The first frame of a session has come.
    fn note_live(&mut self) {
        if self.sessions > 0 {
            self.stream.note(|statistics| statistics.reconnects += 1);
        }
        self.sessions += 1;
        self.stream.set_state(State::Live);
    }
}

#[cfg(test)]
pub(super) mod camera;
#[cfg(test)]
pub(super) mod tests;
