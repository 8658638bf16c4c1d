//! One viewer's WebRTC session: what it is sent, and what it says of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::media::{Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Event, Input, Output, Rtc, RtcError};

use super::burst::Burst;
use super::echo::Echo;
use super::limits::Patience;
use super::negotiate::Agreed;
use super::numbers::{audio_number, resend_number, video_number};
use super::outbox::Outbox;
use super::routes::ViewerId;
use super::waiting::Place;
use crate::live::audience::Carrier;
use crate::live::frame::Frame;
use crate::live::hub::{Cursor, Next};
use crate::live::viewer::Presence;
use crate::media::format::Format;
use crate::model::{AudioCodec, VideoCodec};
use crate::net::media_port::DatagramPath;

/// Packets kept to be sent again, and for how long. Of the default ratio of resends to all, 0.15, so much is left on a bad
/// wireless network that all that is asked for again would be thrown away.
const RESENDS: usize = 1024;
const RESEND_TIME: Duration = Duration::from_secs(2);
const RESEND_RATIO: f32 = 0.5;

/// Packets handed to the session before it is asked what to send: as many as leave in one call.
const PACKETS_AT_ONCE: usize = 48;

/// A beginning of so few packets is no burst.
pub(super) const SMALL_BURST: usize = 64 * 1024;

/// A viewer who lost the picture is sent the newest group of pictures again, at most this often, and only when the next key
/// frame is further away.
const REPEAT_PAUSE: Duration = Duration::from_secs(1);

/// A track that is sent.
struct Track {
    mid: Mid,
    /// Known when the session is.
    number: Option<Pt>,
    /// The extended sequence number (RFC 3711 §3.3.1).
    next: u64,
}

impl Track {
    fn new(mid: Mid) -> Track {
        // Below the first wrap, which a receiver that has seen nothing yet cannot know of.
        Track { mid, number: None, next: fastrand::u64(1..32_768) }
    }
}

/// A viewer.
pub(super) struct Session {
    pub id: ViewerId,
    pub ufrag: String,
    pub presence: Presence,
    rtc: Rtc,
    video: Track,
    audio: Option<Track>,
    /// A place among those that have not connected.
    half_open: Option<Place>,
    began: Instant,
    heard: Instant,
    /// What the session itself waits for.
    due: Instant,
    is_connected: bool,
    cursor: Option<Cursor>,
    burst: Option<Burst>,
    echo: Echo,
    /// The stream's frames that have been looked at.
    pub seen: u64,
    repeated: Option<Instant>,
    wants_key: bool,
    /// What was agreed on.
    codec: VideoCodec,
    sound: Option<AudioCodec>,
    has_changed: bool,
    patience: Patience,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The viewer said so.
    Left,
    /// It never connected.
    NeverConnected,
    /// It fell silent.
    Silent,
    /// The camera sends another codec than was agreed on.
    Changed,
    /// The session broke.
    Broken,
}

/// What a session is made of.
pub(super) struct Parts {
    pub id: ViewerId,
    pub agreed: Agreed,
    pub presence: Presence,
    pub half_open: Place,
}

impl Session {
    pub fn new(parts: Parts, patience: Patience, now: Instant) -> Session {
        let Parts { id, agreed, presence, half_open } = parts;
        let Agreed { rtc, ufrag, video, audio, codec, sound, .. } = agreed;
        Session {
            id,
            ufrag,
            presence,
            rtc,
            video: Track::new(video),
            audio: audio.map(Track::new),
            half_open: Some(half_open),
            began: now,
            heard: now,
            due: now,
            is_connected: false,
            cursor: None,
            burst: None,
            echo: Echo::default(),
            seen: 0,
            repeated: None,
            wants_key: false,
            codec,
            sound,
            has_changed: false,
            patience,
        }
    }

    /// When it is to be looked at again.
    pub fn due(&self) -> Instant {
        let end = match self.is_connected {
            true => self.heard + self.patience.silence,
            false => self.began + self.patience.half_open,
        };
        let burst = self.burst.map(|burst| burst.due());
        [Some(self.due), burst, self.echo.due()].into_iter().flatten().fold(end, Instant::min)
    }

    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Whether frames from before are being sent.
    pub fn is_bursting(&self) -> bool {
        self.burst.is_some()
    }

    /// Whether it has yet to be given a place in the stream, or wants a new one.
    pub fn wants_place(&self) -> bool {
        self.is_connected && (self.cursor.is_none() || self.wants_key)
    }

    /// Takes a packet, if it is for this session; whether it was.
    pub fn take(&mut self, tcp: bool, path: DatagramPath, bytes: &[u8], now: Instant) -> Result<bool, RtcError> {
        let proto = if tcp { Protocol::Tcp } else { Protocol::Udp };
        let Ok(received) = Receive::new(proto, path.from, path.to, bytes) else { return Ok(false) };
        let input = Input::Receive(now, received);
        if !self.rtc.accepts(&input) {
            return Ok(false);
        }
        self.heard = now;
        self.rtc.handle_input(input)?;
        Ok(true)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) -> Result<(), RtcError> {
        self.rtc.handle_input(Input::Timeout(now))
    }

    /// Whether it is over by itself.
    pub fn end(&self, now: Instant) -> Option<End> {
        if !self.rtc.is_alive() || self.presence.stream.is_gone() {
            return Some(End::Left);
        }
        match self.is_connected {
            _ if self.has_changed => Some(End::Changed),
            false if now >= self.began + self.patience.half_open => Some(End::NeverConnected),
            true if now >= self.heard + self.patience.silence => Some(End::Silent),
            _ => None,
        }
    }

    /// Sends what the session has to send, and hears what it says.
    pub fn drain(&mut self, now: Instant, out: &mut Outbox) -> Result<(), RtcError> {
        while let Some(again) = self.echo.next(now) {
            out.repeat(&again);
        }
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => {
                    self.due = due;
                    break;
                }
                Output::Transmit(sent) => {
                    let (source, to) = (sent.source, sent.destination);
                    match sent.proto {
                        Protocol::Udp => {
                            self.echo.note(source, to, &sent.contents, now);
                            out.datagram(source, to, &sent.contents);
                        }
                        _ => out.packet(DatagramPath { from: to, to: source }, &sent.contents),
                    }
                }
                Output::Event(event) => self.receive(event),
            }
            if !self.rtc.is_alive() {
                break;
            }
        }
        out.flush();
        Ok(())
    }

    fn receive(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.is_connected = true;
                self.half_open = None;
            }
            Event::KeyframeRequest(_) => {
                self.wants_key = true;
                self.presence.note(|facts| facts.plis += 1);
            }
            Event::MediaEgressStats(stats) if stats.mid == self.video.mid => self.presence.note(|facts| {
                facts.bytes = stats.bytes;
                facts.nacks = stats.nacks;
                facts.loss = stats.loss.or(facts.loss);
                facts.rtt_ms = stats.rtt.map(|rtt| rtt.as_secs_f64() * 1e3).or(facts.rtt_ms);
            }),
            Event::PeerStats(stats) => {
                let pair = stats.selected_candidate_pair;
                let tcp = pair.is_some_and(|pair| pair.protocol != Protocol::Udp);
                self.presence.note(|facts| facts.carrier = Some(if tcp { Carrier::Tcp } else { Carrier::Udp }));
            }
            _ => {}
        }
    }

    /// Gives the session a place in its stream, where it is to get one now. `may_burst` is false while too many others are
    /// being sent what was there before.
    pub fn place(&mut self, now: Instant, may_burst: bool) {
        let (gop, next_key) = self.presence.stream.gop();
        let is_repeat = self.cursor.is_some();
        if is_repeat {
            let is_soon = next_key.is_some_and(|at| at <= now + REPEAT_PAUSE);
            let is_too_often = self.repeated.is_some_and(|at| now < at + REPEAT_PAUSE);
            if is_soon || is_too_often || self.burst.is_some() || !gop.cached {
                // The key frame that comes, or the one that was just sent, is the answer.
                self.wants_key = false;
                return;
            }
        }
        let is_burst = gop.cached && gop.bytes > SMALL_BURST;
        if is_burst && !may_burst {
            return;
        }
        self.wants_key = false;
        self.repeated = Some(now);
        self.cursor = Some(self.presence.stream.start(now));
        self.burst = is_burst.then(|| Burst::new(now));
    }

    /// Sends the frames that have come.
    pub fn send_frames(&mut self, now: Instant, out: &mut Outbox) -> Result<(), RtcError> {
        self.seen = self.presence.stream.head();
        let Some(mut cursor) = self.cursor.take() else { return Ok(()) };
        let outcome = self.send_from(&mut cursor, now, out);
        self.cursor = Some(cursor);
        outcome
    }

    fn send_from(&mut self, cursor: &mut Cursor, now: Instant, out: &mut Outbox) -> Result<(), RtcError> {
        if let Some(burst) = &mut self.burst {
            burst.earn(now);
        }
        let stream = self.presence.stream.clone();
        loop {
            if self.burst.is_some_and(|burst| !burst.may_send()) {
                return Ok(());
            }
            match stream.next(cursor) {
                Next::Frame(frame) => {
                    let is_cached = cursor.is_cached(&frame);
                    if frame.is_video() || !is_cached {
                        self.send(&frame, now, out)?;
                    }
                    match &mut self.burst {
                        Some(burst) if is_cached => burst.spend(frame.packet_count()),
                        _ => self.burst = None,
                    }
                }
                Next::Lagged { dropped } => self.presence.note(|facts| facts.dropped_frames += dropped),
                Next::Wait => {
                    self.burst = None;
                    return Ok(());
                }
            }
        }
    }

    /// Sends one frame.
    fn send(&mut self, frame: &Arc<Frame>, now: Instant, out: &mut Outbox) -> Result<(), RtcError> {
        let is_video = frame.is_video();
        if let Format::Video(video) = &*frame.format
            && video.codec != self.codec
        {
            self.has_changed = true;
            return Ok(());
        }
        // Sound of another codec than was agreed on would be noise.
        if let Format::Audio(audio) = &*frame.format
            && Some(audio.codec) != self.sound
        {
            return Ok(());
        }
        let Some(number) = self.number(&frame.format) else { return Ok(()) };
        let track = if is_video { Some(&mut self.video) } else { self.audio.as_mut() };
        let Some(track) = track else { return Ok(()) };
        let (mid, packets, time) = (track.mid, frame.packets(), frame.rtp_timestamp());
        let mut next = track.next;
        track.next += packets.len() as u64;
        let last = packets.len().saturating_sub(1);
        for (chunk_number, chunk) in packets.chunks(PACKETS_AT_ONCE).enumerate() {
            let mut api = self.rtc.direct_api();
            let Some(stream) = api.stream_tx_by_mid(mid, None) else { return Ok(()) };
            for (place, packet) in chunk.iter().enumerate() {
                // With sound the mark would mean that it begins after silence (RFC 3551 §4.1).
                let is_last = is_video && chunk_number * PACKETS_AT_ONCE + place == last;
                let write = RtpWrite::new(number, next.into(), time, frame.arrived, packet.clone());
                stream.write_rtp(write.marker(is_last).nackable(is_video));
                next += 1;
            }
            self.rtc.handle_input(Input::Timeout(now))?;
            self.drain(now, out)?;
        }
        if is_video && !packets.is_empty() {
            self.echo.earn(packets.len());
            self.presence.note_frame();
        }
        Ok(())
    }

    /// The payload type that frames of a form go under; none where the viewer takes no such.
    fn number(&mut self, format: &Format) -> Option<Pt> {
        let known = match format {
            Format::Video(_) => self.video.number,
            Format::Audio(_) => self.audio.as_ref()?.number,
        };
        if known.is_some() {
            return known;
        }
        match format {
            Format::Video(video) => {
                let found = video_number(&self.rtc, self.video.mid, video);
                if let Some(found) = found {
                    // Now the track is there.
                    let mut api = self.rtc.direct_api();
                    let stream = api.stream_tx_by_mid(self.video.mid, None)?;
                    stream.set_rtx_cache(RESENDS, RESEND_TIME, Some(RESEND_RATIO));
                    self.echo.begin(resend_number(&self.rtc, found));
                }
                self.video.number = found;
                found
            }
            Format::Audio(audio) => {
                let track = self.audio.as_mut()?;
                track.number = audio_number(&self.rtc, track.mid, audio);
                track.number
            }
        }
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant, out: &mut Outbox) -> Result<(), RtcError> {
        self.rtc.close()?;
        self.drain(now, out)?;
        self.tick(now)?;
        self.drain(now, out)
    }
}
