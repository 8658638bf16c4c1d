//! A session by RTSP.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Failure;
use super::tracks::{Clock, Track};
use super::{Ended, Pulse, Source};
use crate::live::words::Sentence;
use crate::model::{ErrorKind, Transport};
use crate::protocol::rtsp::client::Client;
use crate::protocol::rtsp::error::RtspError;
use crate::protocol::rtsp::play::{self, PlayEvent, PlayOptions, Playing, Statistics};
use crate::protocol::rtsp::sdp::Session;
use crate::protocol::rtsp::tracks::Tracks;

/// Without a packet of the picture for so long, or three times as long as from frame to frame, the camera is away: some
/// leave the connection open when they reboot.
const STALL: Duration = Duration::from_secs(5);
/// Packets, and no whole frame of them for so long: then by the other transport, once.
const NOTHING_WHOLE: Duration = Duration::from_secs(15);
/// How long one event is waited for, and how often what was counted is noted.
const LOOK: Duration = Duration::from_millis(500);

impl Source {
    /// Plays until nobody watches or it fails. Describes the stream anew: codec and session change with reboots.
    pub(super) async fn play_rtsp(&mut self, clock: &mut Clock) -> Ended {
        let mut playing = match self.set_up().await {
            Ok(playing) => playing,
            Err(failure) => return Ended::Failed(failure),
        };
        let ended = self.play(&mut playing, clock).await;
        // Said in the background when we are cut off here.
        playing.session.stop().await;
        ended
    }

    async fn set_up(&mut self) -> Result<Played, Failure> {
        let endpoint = self.url.endpoint();
        let mut client = Box::new(Client::new(&self.peer, endpoint));
        let described = client.describe(self.url.target()).await.map_err(|error| self.failed(&error))?;
        let session = Session::parse(&described.sdp).unwrap_or_default();
        let no_picture = || Failure::new(ErrorKind::NotFound, Sentence::NoPicture);
        let tracks = Tracks::of(&session).ok_or_else(no_picture)?;
        if tracks.proved.video.is_none() {
            return Err(no_picture());
        }
        if tracks.proved.is_encrypted() {
            return Err(Failure::new(ErrorKind::Protocol, Sentence::Encrypted).for_good());
        }
        let Some((picture, _)) = Track::of_picture(tracks.proved) else {
            return Err(Failure::new(ErrorKind::Protocol, Sentence::UnknownCodec).for_good());
        };
        let sound = tracks.sound.and_then(|(at, media)| {
            let (track, format) = Track::of_sound(media)?;
            Some((at, track, format))
        });
        let options = PlayOptions {
            first: self.first_transport(),
            session_control: session.control.clone(),
            ..PlayOptions::lasting()
        };
        let session = Playing::start(client, &described, &tracks.to_play, options).await;
        let session = session.map_err(|error| self.failed(&error))?;
        let is_played = |at: usize| session.media().any(|media| media == at);
        let described = sound.as_ref().filter(|(at, ..)| is_played(*at)).map(|(.., format)| format.clone());
        self.stream.expect_sound(described);
        let sound = sound.map(|(at, track, _)| (at, track));
        self.stream.note(|statistics| statistics.transport = Some(session.transport()));
        Ok(Played { main: tracks.main, picture, sound, session, counted: Statistics::default() })
    }

    fn first_transport(&self) -> Transport {
        match (self.transport, self.other_next) {
            (transport, false) => transport,
            (Transport::Tcp, true) => Transport::Udp,
            (Transport::Udp, true) => Transport::Tcp,
        }
    }

    fn failed(&self, error: &RtspError) -> Failure {
        tracing::info!(stream = self.stream.id, "the camera does not play: {error}");
        Failure::of(error.kind, error.status)
    }

    async fn play(&mut self, playing: &mut Played, clock: &mut Clock) -> Ended {
        let mut pulse = Pulse::new(Instant::now());
        let mut noted = Instant::now();
        loop {
            let event = playing.session.event(Instant::now() + LOOK).await;
            let now = Instant::now();
            let taken = self.take(event, playing, clock, &mut pulse, now).and_then(|()| self.check(&pulse, now));
            if let Err(failure) = taken {
                return Ended::Failed(pulse.after(failure, now));
            }
            if now >= noted + LOOK {
                noted = now;
                self.count(playing);
                if self.wanted.is_over() || self.peer.cancel.is_cancelled() {
                    return Ended::Unwatched;
                }
            }
        }
    }

    /// Takes in what came.
    fn take(
        &mut self,
        event: Option<PlayEvent>,
        playing: &mut Played,
        clock: &mut Clock,
        pulse: &mut Pulse,
        now: Instant,
    ) -> Result<(), Failure> {
        let closed = || Failure::of(ErrorKind::Closed, None);
        match event {
            Some(PlayEvent::Packet(packet)) if packet.media == playing.main => {
                pulse.packet = now;
                if playing.picture.push(packet, clock, &self.stream) > 0 && pulse.beats(now) {
                    self.note_live();
                }
            }
            Some(PlayEvent::Packet(packet)) => {
                if let Some((media, sound)) = &mut playing.sound
                    && *media == packet.media
                {
                    sound.push(packet, clock, &self.stream);
                }
            }
            Some(PlayEvent::Goodbye { media }) if media == playing.main => return Err(closed()),
            Some(PlayEvent::Clock { .. } | PlayEvent::Goodbye { .. }) => {}
            None => match playing.session.ended() {
                Some(play::Ended::Garbage) => return Err(Failure::of(ErrorKind::Protocol, None)),
                Some(_) => return Err(closed()),
                None => {}
            },
        }
        Ok(())
    }

    /// Whether the camera is still there.
    fn check(&mut self, pulse: &Pulse, now: Instant) -> Result<(), Failure> {
        if now >= pulse.packet + self.stall() {
            return Err(Failure::of(ErrorKind::Timeout, None));
        }
        if now >= pulse.frame + NOTHING_WHOLE {
            self.other_next = !self.other_next;
            return Err(Failure::new(ErrorKind::Timeout, Sentence::NoWholePicture));
        }
        Ok(())
    }

    /// How long the picture may be without a packet.
    fn stall(&self) -> Duration {
        let fps = self.stream.statistics(Instant::now().into_std()).fps;
        let three = if fps > 0.0 { Duration::from_secs_f64(3.0 / fps) } else { Duration::ZERO };
        STALL.max(three)
    }

    /// Notes what was counted since.
    fn count(&self, playing: &mut Played) {
        let Some(now) = playing.session.statistics(playing.main) else { return };
        let before = std::mem::replace(&mut playing.counted, now);
        let dropped = playing.picture.newly_dropped();
        self.stream.note(|statistics| {
            statistics.packets += now.packets.saturating_sub(before.packets);
            statistics.bytes += now.bytes.saturating_sub(before.bytes);
            statistics.lost += now.lost.saturating_sub(before.lost);
            statistics.reordered += now.reordered.saturating_sub(before.reordered);
            statistics.dropped_frames += dropped;
            statistics.jitter_ms = crate::media::hundredths(now.jitter.as_secs_f64() * 1e3);
        });
    }
}

/// What plays.
struct Played {
    session: Playing,
    /// The index of the picture.
    main: usize,
    picture: Track,
    sound: Option<(usize, Track)>,
    /// As of the last time it was noted.
    counted: Statistics,
}
