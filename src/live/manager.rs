//! What `serve` calls: streams come and go, viewers are let in, and it is told how all of them are.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::choose::{Abilities, Candidate, Choice, Mode, choose};
use super::engine::limits::{MOST_VIEWERS, Patience};
use super::engine::{Engine, EngineFigures, Ports, Refused};
use super::entry::{Entry, StreamStatus, away, ready};
use super::facts::Facts;
use super::guest::Guest;
use super::refusal::Refusal;
use super::source::{Shared, Source, StreamSource};
use super::stream::{Condition, State, Stream};
use super::viewer::Presence;
use super::viewer::jpegs::JpegViewer;
use super::viewer::mse::MseViewer;
use super::viewer::stills::StillsViewer;
use super::viewer::ticket::Tickets;
use super::words::Sentence;
use crate::media::picture::Picture;
use crate::net::pace::Pace;
use crate::net::{Dialer, Net};
use crate::probe::Farewells;

/// Streams that are fetched at once.
const MOST_ACTIVE: usize = 64;
/// Connections to cameras at once, and to one address: a recorder has its channels there.
const MOST_CONNECTIONS: usize = 2 * MOST_ACTIVE;
const MOST_TO_ONE: usize = 32;
/// The longest offer, and the longest change of a session, in bytes.
pub const MOST_OFFER: usize = 64 * 1024;
/// When a viewer who was turned away for want of a place may ask again.
const PLACE_PAUSE: Duration = Duration::from_secs(5);
/// How long a session that is replaced may take to end: many cameras serve one.
const REPLACED: Duration = Duration::from_secs(3);

/// How live view is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where viewers reach this machine by WebRTC.
    pub ports: Ports,
    /// How long they are waited for.
    pub patience: Patience,
    /// Whether a key frame can be made a JPEG here, for viewers who can be shown nothing else.
    pub stills: bool,
}

/// Live view. Cloned freely; it ends when the last clone is dropped, or by [`Live::stop`].
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    net: Arc<dyn Net>,
    shared: Shared,
    engine: Engine,
    bell: Arc<Notify>,
    viewers: Arc<Semaphore>,
    tickets: Arc<Tickets>,
    streams: Mutex<BTreeMap<String, Entry>>,
    stills: bool,
}

/// An answer to an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The session description.
    pub sdp: String,
    /// The only right to end or change the session: 32 hex digits.
    pub secret: String,
}

/// What became of a change of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patched {
    /// Candidates, which are not needed: the viewer is found by its own checks (204).
    Taken,
    /// A restart of ICE, which is not done: the viewer begins anew (422).
    BeginAnew,
    /// Too many changes of one session (429).
    TooMany,
    /// There is no such session (404).
    Unknown,
}

impl Live {
    /// Opens the ports for viewers. No stream is known yet, and none is fetched before somebody watches it. To be called
    /// within a runtime, whose tasks do the work.
    ///
    /// # Errors
    /// When the ports are taken.
    pub fn new(config: Config, net: Arc<dyn Net>) -> io::Result<Live> {
        let bell = Arc::new(Notify::new());
        let engine = Engine::start(config.ports, config.patience, bell.clone())?;
        let dialer = Dialer::new(net.clone(), Arc::new(Pace::new(None)), MOST_CONNECTIONS, MOST_TO_ONE);
        let shared = Shared {
            dialer: Arc::new(dialer),
            farewells: Farewells::default(),
            places: Arc::new(Semaphore::new(MOST_ACTIVE)),
        };
        let inner = Inner {
            net,
            shared,
            engine,
            bell,
            viewers: Arc::new(Semaphore::new(MOST_VIEWERS)),
            tickets: Arc::default(),
            streams: Mutex::default(),
            stills: config.stills,
        };
        Ok(Live { inner: Arc::new(inner) })
    }

    /// The UDP and TCP port viewers use.
    pub fn port(&self) -> u16 {
        self.inner.engine.port()
    }

    /// From now on there are these streams and no others. Those that are as before go on with their viewers; one that is
    /// fetched differently begins anew, and keeps its viewers too; the viewers of one that is no more are told.
    pub fn set_streams(&self, sources: Vec<StreamSource>) {
        let mut streams = self.inner.streams();
        let mut before = std::mem::take(&mut *streams);
        for source in sources {
            let entry = match before.remove(&source.id) {
                None => self.inner.begin(source, None),
                Some(entry) if entry.source.is_same(&source) => {
                    entry.always_on.send_replace(source.always_on);
                    Entry { source, ..entry }
                }
                Some(entry) => self.inner.begin(source, Some(entry)),
            };
            // Of two with one id the last counts.
            if let Some(double) = streams.insert(entry.source.id.clone(), entry) {
                double.end();
            }
        }
        before.into_values().for_each(Entry::end);
    }

    /// Asks for a stream again that was stopped because the camera refused the login: somebody has acted.
    pub fn retry(&self, id: &str) {
        let mut streams = self.inner.streams();
        let is_stopped = |entry: &Entry| entry.stream.condition().borrow().state == State::Stopped;
        if let Some(entry) = streams.remove(id) {
            let entry = if is_stopped(&entry) { self.inner.begin(entry.source.clone(), Some(entry)) } else { entry };
            streams.insert(id.to_owned(), entry);
        }
    }

    /// What is known of a stream; none when there is no such.
    pub fn facts(&self, id: &str) -> Option<StreamStatus> {
        self.inner.streams().get(id).map(Entry::status)
    }

    /// Whether the device of a stream offered Digest since its logins are what they are.
    pub fn offers_digest(&self, id: &str) -> bool {
        self.inner.streams().get(id).is_some_and(|entry| entry.source.logins.offers_digest())
    }

    /// What is known of all streams, by their ids.
    pub fn list(&self) -> Vec<StreamStatus> {
        self.inner.streams().values().map(Entry::status).collect()
    }

    /// What the engine of WebRTC has done and holds.
    pub fn figures(&self) -> EngineFigures {
        self.inner.engine.figures()
    }

    /// Sessions that can be ended or changed by their secret.
    pub fn sessions(&self) -> usize {
        self.inner.tickets.len()
    }

    /// Changes of a stream's condition, for the page: the first is there at once. None when there is no such stream.
    pub fn conditions(&self, id: &str) -> Option<watch::Receiver<Condition>> {
        self.inner.streams().get(id).map(|entry| entry.stream.condition())
    }

    /// The newest picture of a stream that needs no other, and how old it is: a JPEG of an MJPEG camera, else a key frame
    /// that `ffmpeg` reads. It spares the camera a session of its own. None while nobody watches, and before the first one.
    pub fn picture(&self, id: &str) -> Option<(Picture, Duration)> {
        let (picture, at) = self.inner.streams().get(id)?.stream.picture()?;
        Some((picture, Instant::now().into_std().saturating_duration_since(at)))
    }

    /// How a stream can be shown to a viewer with these abilities, best first; the stream is fetched for it if nobody
    /// watches it.
    ///
    /// # Errors
    /// As [`Live::offer`], but never for a codec.
    pub async fn choose(&self, id: &str, can: &Abilities) -> Result<Choice, Refusal> {
        let presence = self.inner.enter(id, Mode::WebRtc).await?;
        self.inner.choose(id, &presence.stream, can)
    }

    /// Answers an offer of WebRTC (WHEP or the page's own). The session dies when its viewer has not connected within 15 s.
    /// `can` is what the viewer says of itself; without it, its offer speaks for it. `came_to` is the address of this machine
    /// that the request came to, which the viewer is told to try first. It is closed when the guest may no longer watch.
    ///
    /// # Errors
    /// The stream does not exist, cannot be shown this way (then with the ways that work), the camera is away or refuses, or
    /// there is no place for another viewer.
    pub async fn offer(
        &self,
        id: &str,
        sdp: &str,
        can: Option<&Abilities>,
        came_to: Option<IpAddr>,
        guest: Guest,
    ) -> Result<Answer, Refusal> {
        if sdp.len() > MOST_OFFER {
            return Err(Refusal::BadOffer(format!("an offer has at most {MOST_OFFER} bytes")));
        }
        let inner = &self.inner;
        let presence = inner.enter(id, Mode::WebRtc).await?;
        let stream = presence.stream.clone();
        let of_offer = Abilities { webrtc: codecs_of(sdp), sound: false, ..Abilities::default() };
        let can = can.unwrap_or(&of_offer);
        let choice = inner.choose(id, &stream, can)?;
        if !choice.ways.iter().any(|way| way.stream == id && way.mode == Mode::WebRtc) {
            return Err(Refusal::not_possible(choice));
        }
        let number = inner.engine.number();
        let ticket = inner.tickets.issue(number).map_err(|reason| Refusal::Full { reason, after: PLACE_PAUSE })?;
        let (secret, over) = (ticket.secret.clone(), ticket.over.clone());
        let presence = presence.with_ticket(ticket);
        match inner.engine.offer(number, &guest.party, sdp, presence, came_to, &*inner.net).await {
            Ok(sdp) => {
                tokio::spawn(close_after(Arc::downgrade(inner), number, guest.leaves, over));
                Ok(Answer { sdp, secret })
            }
            Err(Refused::NoAgreement(error)) => Err(Refusal::of_agreement(&error, choice)),
            Err(error) => Err(Refusal::Full { reason: error.to_string(), after: PLACE_PAUSE }),
        }
    }

    /// Ends a session; whether there was one.
    pub async fn close(&self, secret: &str) -> bool {
        let viewer = self.inner.tickets.viewer(secret);
        if let Some(viewer) = viewer {
            self.inner.engine.close(viewer).await;
        }
        viewer.is_some()
    }

    /// A change of a session (`application/trickle-ice-sdpfrag`, RFC 8840): candidates are not needed, and ICE is not
    /// restarted.
    pub fn patch(&self, secret: &str, fragment: &str) -> Patched {
        match self.inner.tickets.may_patch(secret) {
            None => Patched::Unknown,
            Some(false) => Patched::TooMany,
            // Who only adds candidates repeats the name and password of its session, if at all, beside them.
            Some(true) if fragment.contains("a=ice-ufrag:") && !fragment.contains("a=candidate:") => Patched::BeginAnew,
            Some(true) => Patched::Taken,
        }
    }

    /// A viewer by media source extensions.
    ///
    /// # Errors
    /// As [`Live::offer`].
    pub async fn mse(&self, id: &str, with_sound: bool) -> Result<MseViewer, Refusal> {
        let presence = self.inner.enter(id, Mode::Mse).await?;
        let is_carried = presence.stream.facts().is_some_and(|facts| facts.video.codec_string.is_some());
        match is_carried {
            true => Ok(MseViewer::new(presence, with_sound)),
            false => Err(Refusal::not_possible(self.inner.choose(id, &presence.stream, &Abilities::default())?)),
        }
    }

    /// A viewer of a camera that sends JPEGs.
    ///
    /// # Errors
    /// As [`Live::offer`].
    pub async fn mjpeg(&self, id: &str) -> Result<JpegViewer, Refusal> {
        let presence = self.inner.enter(id, Mode::Mjpeg).await?;
        match presence.stream.facts().map(|facts| facts.video.codec) {
            Some(crate::model::VideoCodec::Mjpeg) => Ok(JpegViewer::new(presence)),
            _ => Err(Refusal::not_possible(self.inner.choose(id, &presence.stream, &Abilities::default())?)),
        }
    }

    /// A viewer who is shown key frames as JPEGs: where that can be done here, and nothing else can be shown.
    ///
    /// # Errors
    /// As [`Live::offer`].
    pub async fn stills(&self, id: &str) -> Result<StillsViewer, Refusal> {
        let presence = self.inner.enter(id, Mode::Stills).await?;
        let choice = self.inner.choose(id, &presence.stream, &Abilities::default())?;
        match choice.ways.iter().any(|way| way.stream == id && way.mode == Mode::Stills) {
            true => Ok(StillsViewer::new(presence)),
            false => Err(Refusal::not_possible(choice)),
        }
    }

    /// Ends all sessions with cameras, properly.
    pub async fn stop(&self) {
        self.set_streams(Vec::new());
        self.inner.shared.farewells.all_said(Duration::from_secs(2)).await;
    }
}

impl Inner {
    fn streams(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the source of a stream, in place of another one with its viewers.
    fn begin(&self, source: StreamSource, before: Option<Entry>) -> Entry {
        let (stream, before) = match before {
            Some(entry) => {
                entry.cancel.cancel();
                entry.stream.set_state(State::Idle);
                (entry.stream, Some(entry.task))
            }
            None => (Stream::new(source.id.clone(), self.bell.clone()), None),
        };
        let (always_on, cancel) = (watch::Sender::new(source.always_on), CancellationToken::new());
        let runs = Source::new(&source, stream.clone(), &self.shared, always_on.subscribe(), cancel.clone());
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                // It has a session to end; a panic of its own ends it too.
                let _ = tokio::time::timeout(REPLACED, before).await;
            }
            runs.run().await;
        });
        Entry { source, stream, always_on, cancel, task }
    }

    /// Lets a viewer in, and waits until there is something to see.
    async fn enter(&self, id: &str, mode: Mode) -> Result<Presence, Refusal> {
        let stream = self.streams().get(id).map(|entry| entry.stream.clone()).ok_or(Refusal::NoStream)?;
        let full = || Refusal::Full { reason: Sentence::TooManyViewers.to_string(), after: PLACE_PAUSE };
        let place = self.viewers.clone().try_acquire_owned().map_err(|_| full())?;
        let presence = Presence::new(stream, mode, place);
        ready(&presence.stream).await?;
        Ok(presence)
    }

    fn choose(&self, id: &str, stream: &Stream, can: &Abilities) -> Result<Choice, Refusal> {
        let facts = stream.facts().ok_or_else(|| away(stream))?;
        let others: Vec<(String, Facts)> = {
            let streams = self.streams();
            let siblings = streams.get(id).map(|entry| entry.source.siblings.clone()).unwrap_or_default();
            let known = |id: &String| Some((id.clone(), streams.get(id)?.facts()?));
            siblings.iter().filter_map(known).collect()
        };
        let siblings: Vec<Candidate<'_>> = others.iter().map(|(id, facts)| Candidate { id, facts }).collect();
        Ok(choose(&Candidate { id, facts: &facts }, &siblings, can, self.stills))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        std::mem::take(&mut *self.streams()).into_values().for_each(Entry::end);
    }
}

/// Closes a session when its guest may no longer watch, unless it is over before.
async fn close_after(inner: Weak<Inner>, number: u64, leaves: BoxFuture<'static, ()>, over: CancellationToken) {
    tokio::select! {
        () = over.cancelled() => {}
        () = leaves => if let Some(inner) = inner.upgrade() {
            inner.engine.close(number).await;
        }
    }
}

/// The codecs an offer names.
fn codecs_of(sdp: &str) -> std::collections::BTreeSet<String> {
    /// Browsers offer some forty.
    const MOST: usize = 256;
    let maps = sdp.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' ')?.1.split('/').next());
    maps.take(MOST).map(|name| name.trim().to_owned()).collect()
}
