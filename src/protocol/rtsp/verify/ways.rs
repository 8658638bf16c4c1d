//! The ways a stream is tried before it is said to bring nothing: as players try them.

use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{ErrorKind, LadderStep, Step, Transport, Way};
use crate::probe::Inspection;
use crate::probe::memory::Room;
use crate::protocol::proof::KEYFRAME_PATIENCE;
use crate::protocol::rtsp::client::Client;
use crate::protocol::rtsp::error::RtspError;
use crate::protocol::rtsp::frames::Meter;
use crate::protocol::rtsp::play::{Ended, PlayOptions, Playing, RtpPacket};
use crate::protocol::rtsp::sdp::{Media, Session};
use crate::protocol::rtsp::tracks::Tracks;

/// How long room for a key frame is waited for while its stream plays. Without it the stream is measured, and has no
/// picture.
const ROOM_PATIENCE: Duration = Duration::from_secs(5);

/// Streams of one port that no other way could help: after so many the others are not tried in other ways.
const MOST_IN_VAIN: u32 = 2;

/// What playing a stream showed.
pub(super) struct Played {
    pub meter: Meter,
    /// The room its picture takes.
    pub room: Option<Arc<Room>>,
    /// The sound beside a picture.
    pub sound: Option<Meter>,
    /// Whether it is sound that was proved.
    pub is_sound: bool,
    pub transport: Transport,
    /// The multicast group the picture came from.
    pub group: Option<SocketAddr>,
    /// The steps before the first packet, those of ways that brought nothing before among them.
    pub ladder: Vec<LadderStep>,
    /// How it was played, where that was not the first way there is.
    pub way: Option<Way>,
    /// The steps of ways that were tried after this one and brought nothing either.
    pub tried: Vec<LadderStep>,
    pub warnings: Vec<String>,
    pub ended: Option<Ended>,
    pub is_encrypted: bool,
    /// RTCP reports that came.
    pub reports: u64,
    /// How long packets were awaited and taken.
    pub lasted: Duration,
    /// Whether more tracks were set up than the one that is proved.
    had_extra: bool,
}

impl Played {
    /// Whether a frame came of which nothing is missing.
    fn has_whole_frame(&self) -> bool {
        self.meter.seen().first_frame.is_some()
    }

    /// Whether it shows more than another way did.
    fn is_better_than(&self, other: &Played) -> bool {
        let rank = |played: &Played| (played.has_whole_frame(), played.meter.seen().frames > 0);
        rank(self) > rank(other)
    }

    /// All steps of a way that brought no whole frame.
    fn steps(&self) -> Vec<LadderStep> {
        let rtp = LadderStep::new(Step::Rtp, self.meter.seen().packets > 0, self.lasted);
        self.ladder.iter().copied().chain([LadderStep { way: self.way, ..rtp }]).collect()
    }

    /// The ways that may bring what this one did not.
    fn others(&self) -> Vec<Way> {
        let is_over = matches!(self.ended, Some(Ended::Interrupted | Ended::TooMuch));
        // By multicast is the last way there is.
        if self.has_whole_frame() || is_over || self.group.is_some() {
            return Vec::new();
        }
        let (same, other) = match self.transport {
            Transport::Tcp => (if self.had_extra { Way::TcpOneTrack } else { Way::Tcp }, Way::Udp),
            Transport::Udp => (if self.had_extra { Way::UdpOneTrack } else { Way::Udp }, Way::Tcp),
        };
        match self.meter.seen().packets {
            0 => vec![other, same],
            // By UDP a network may lose a part of every picture that TCP brings whole.
            _ if self.transport == Transport::Udp => iter::once(other).chain(self.had_extra.then_some(same)).collect(),
            // Something comes; the other tracks may stand in its way, or what the device interleaves is damaged.
            _ => self.had_extra.then_some(same).into_iter().chain([other]).collect(),
        }
    }
}

/// Plays a stream, and in other ways where the first brings nothing.
pub(super) async fn play(host: &Inspection, client: &mut Client, path: &str) -> Result<Played, RtspError> {
    let lessons = client.lessons;
    let first = attempt(host, client, path, lessons.worked, host.options.frame_timeout).await?;
    let mut tried = Vec::new();
    let others = if lessons.in_vain < MOST_IN_VAIN { first.others() } else { Vec::new() };
    for &way in &others {
        // Who sends at all begins soon after PLAY; a whole frame is waited for as long as ever.
        let patience = host.options.frame_timeout / 2;
        if host.peer.cancel.is_cancelled() || host.peer.time_left() < patience {
            break;
        }
        tracing::debug!(ip = %host.peer.ip, way = way.as_str(), "no whole frame came; tried in another way");
        client.disconnect();
        match attempt(host, client, path, Some(way), patience).await {
            Ok(played) if played.is_better_than(&first) => {
                client.lessons.worked = Some(way);
                let before = first.steps().into_iter().chain(tried);
                let ladder = before.chain(own_steps(&played.ladder)).collect();
                return Ok(Played { ladder, ..played });
            }
            Ok(played) => tried.extend(own_steps(&played.steps())),
            Err(_) => tried.extend(own_steps(&mark(client.ladder().steps(), Some(way)))),
        }
    }
    if !others.is_empty() {
        client.lessons.in_vain = client.lessons.in_vain.saturating_add(1);
    }
    Ok(Played { tried, ..first })
}

/// The steps of a way without those that all ways share.
fn own_steps(ladder: &[LadderStep]) -> impl Iterator<Item = LadderStep> {
    ladder.iter().copied().filter(|s| s.step >= Step::Setup)
}

fn mark(ladder: &[LadderStep], way: Option<Way>) -> Vec<LadderStep> {
    ladder.iter().map(|s| LadderStep { way: way.filter(|_| s.step >= Step::Setup), ..*s }).collect()
}

/// Plays a stream in one way. What is not found right after it was described is described once more: VLC numbers its
/// tracks anew whenever a file begins again.
async fn attempt(
    host: &Inspection,
    client: &mut Client,
    path: &str,
    way: Option<Way>,
    patience: Duration,
) -> Result<Played, RtspError> {
    let is_stale = |e: &RtspError| {
        e.step == Step::Setup && matches!(e.status, Some(404 | 454)) && !host.peer.cancel.is_cancelled()
    };
    match attempt_once(host, client, path, way, patience).await {
        Err(error) if is_stale(&error) => attempt_once(host, client, path, way, patience).await,
        outcome => outcome,
    }
}

async fn attempt_once(
    host: &Inspection,
    client: &mut Client,
    path: &str,
    way: Option<Way>,
    patience: Duration,
) -> Result<Played, RtspError> {
    // SETUP without a DESCRIBE on the same connection is refused by some.
    let described = client.describe(path).await?;
    let session = Session::parse(&described.sdp).unwrap_or_default();
    let Some(mut tracks) = Tracks::of(&session) else {
        let message = "the description has lost its media since it was first asked for".to_owned();
        return Err(RtspError {
            kind: ErrorKind::Protocol,
            step: Step::Described,
            status: None,
            message,
            old_tls: None,
        });
    };
    if matches!(way, Some(Way::TcpOneTrack | Way::UdpOneTrack)) {
        tracks = tracks.alone();
    }
    let first = match way {
        Some(Way::Udp | Way::UdpOneTrack) => Transport::Udp,
        _ => Transport::Tcp,
    };
    // Where the first way is known to bring nothing, the transport is what is to be tried.
    let or_other = way.is_none() || client.lessons.worked == way;
    let options = PlayOptions { first, or_other, session_control: session.control.clone(), ..PlayOptions::default() };
    let mut playing = Playing::start(&mut *client, &described, &tracks.to_play, options).await?;
    let mut measured = Measuring::of(&tracks);
    let began = Instant::now();
    let (mut room, mut waited) = (host.peer.memory.room(), Duration::ZERO);
    while let Some(packet) = playing.next(measured.deadline(host, began + waited, patience)).await {
        measured.push(&packet, began);
        let before = Instant::now();
        if room.fit(measured.meter.held(), host.peer.deadline.min(before + ROOM_PATIENCE)).await.is_err() {
            measured.meter.stop_gathering();
        }
        waited += before.elapsed();
        if measured.meter.enough(host.options.measure_time) {
            break;
        }
    }
    while let Some(packet) = playing.held_back() {
        measured.push(&packet, began);
    }
    let lasted = began.elapsed();
    let group = playing.group(tracks.main);
    let way = if group.is_some() { Some(Way::Multicast) } else { way };
    let (transport, warnings, ended) = (playing.transport(), playing.warnings().to_vec(), playing.ended());
    let (reports, had_extra) = (playing.reports(), playing.media().count() > 1);
    let heard = measured.sound.as_ref().is_some_and(|(at, ..)| playing.media().any(|media| media == *at));
    playing.stop().await;
    let (meter, sound) = measured.finish();
    room.shrink(meter.picture().map_or(0, |picture| picture.bytes.len()));
    let until_packets: Vec<LadderStep> =
        client.ladder().steps().iter().copied().filter(|s| s.step < Step::Rtp).collect();
    Ok(Played {
        meter,
        room: Some(Arc::new(room)),
        sound: sound.filter(|_| heard),
        is_sound: tracks.proved.video.is_none(),
        transport,
        group,
        ladder: mark(&until_packets, way),
        way,
        tried: Vec::new(),
        warnings,
        ended,
        is_encrypted: tracks.proved.is_encrypted(),
        reports,
        lasted,
        had_extra,
    })
}

/// The meters of what is played.
struct Measuring {
    main: usize,
    meter: Meter,
    sound: Option<(usize, Meter)>,
}

impl Measuring {
    fn of(tracks: &Tracks<'_>) -> Measuring {
        let meter = |media: &Media| match media.is_encrypted() {
            true => Meter::new(media).of_encrypted(),
            false => Meter::new(media),
        };
        let sound = tracks.sound.map(|(at, media)| (at, meter(media)));
        Measuring { main: tracks.main, meter: meter(tracks.proved), sound }
    }

    fn push(&mut self, packet: &RtpPacket, began: Instant) {
        let meter = match &mut self.sound {
            _ if packet.media == self.main => &mut self.meter,
            Some((at, sound)) if packet.media == *at => sound,
            _ => return,
        };
        meter.push(&packet.payload, packet.arrived.saturating_duration_since(began), packet.lost);
    }

    fn finish(mut self) -> (Meter, Option<Meter>) {
        self.meter.finish();
        let sound = self.sound.map(|(_, mut sound)| {
            sound.finish();
            sound
        });
        (self.meter, sound)
    }

    /// Until when the next packet is waited for; `patience` is how long the first one may take.
    fn deadline(&self, host: &Inspection, began: Instant, patience: Duration) -> Instant {
        let seen = self.meter.seen();
        let until = match seen.first_frame {
            None if seen.packets == 0 => began + patience,
            None => began + host.options.frame_timeout.max(patience),
            Some(first) => began + first + host.options.measure_time + KEYFRAME_PATIENCE,
        };
        until.min(host.peer.deadline)
    }
}
