//! Plays a described stream: SETUP, PLAY, packets as they come, and a TEARDOWN whatever happens. Interleaved in the RTSP
//! connection or over UDP, whichever the device takes.

mod keepalive;
mod setup;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use futures::future::select_all;
use tokio::time::Instant;

use super::channel::{Channel, Failure, Frame};
use super::client::Client;
use super::client::describe::Described;
use super::error::RtspError;
use super::headers::Session;
use super::udp::UdpPair;
use super::url::RtspUrl;
use super::wire::Item;
use crate::model::{ErrorKind, Step, Transport};
use crate::probe::negotiation::Pending;

/// A media of the description that is to be played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaToPlay {
    /// Its `a=control`, as it stands in the description.
    pub control: Option<String>,
    /// Whether its packets are encrypted (SRTP).
    pub is_encrypted: bool,
    /// Its payload type, which tells it from others when the device chooses channels of its own.
    pub payload_type: Option<u8>,
    /// Whether it is set up only because players set up every track. Without such a media the others are played; the
    /// failure of one that is not extra is the failure of the whole.
    pub is_extra: bool,
    /// What it is called in warnings: `sound`, `metadata`.
    pub name: &'static str,
    /// The multicast group and port it is sent to by the description; the port may be 0.
    pub group: Option<SocketAddr>,
}

/// How to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayOptions {
    /// The transport to ask for first; TCP means interleaved in the RTSP connection.
    pub first: Transport,
    /// Whether the other one is asked for, once, when the device refuses the first.
    pub or_other: bool,
    /// The session ends after so many bytes of packets.
    pub most_bytes: u64,
    /// The description's `a=control` at session level: what PLAY and TEARDOWN are about.
    pub session_control: Option<String>,
}

impl Default for PlayOptions {
    /// TCP, else UDP; 64 MiB.
    fn default() -> Self {
        PlayOptions { first: Transport::Tcp, or_other: true, most_bytes: 64 * 1024 * 1024, session_control: None }
    }
}

/// An RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpPacket {
    /// The index of its media among those that were to be played.
    pub media: usize,
    /// The whole packet (RFC 3550 §5.1): version 2, at least 12 bytes.
    pub payload: Bytes,
    /// When it came.
    pub arrived: Instant,
}

/// Why no more packets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The device closed the connection.
    Closed,
    /// The byte cap was reached.
    TooMuch,
    /// What comes is no RTSP any more.
    Garbage,
    /// The scan was cancelled.
    Interrupted,
}

/// A media that was set up.
struct Track {
    /// Its index among those that were to be played.
    media: usize,
    url: RtspUrl,
    payload_type: Option<u8>,
    carrier: Carrier,
    packets: u64,
}

/// A sign of life on its way.
struct Sign {
    cseq: u32,
    /// The login that went with it.
    pending: Pending,
}

enum Carrier {
    /// The channel of its RTP.
    Interleaved(u8),
    Udp(Box<UdpPair>),
    /// The group that was joined.
    Multicast(SocketAddr, Box<UdpPair>),
}

/// A stream that plays. End it with [`Playing::stop`]; one that is merely dropped, or whose start is given up half-way,
/// sends its TEARDOWN in the background.
pub struct Playing<'c> {
    client: &'c mut Client,
    described: Described,
    options: PlayOptions,
    transport: Transport,
    /// The interface to join groups on, once unicast was refused.
    multicast_on: Option<u32>,
    session: Option<Session>,
    /// Whether a SETUP is out that has not been answered.
    sets_up: bool,
    /// How many of its TEARDOWNs have been sent.
    parted: usize,
    /// What the session as a whole is called.
    aggregate: RtspUrl,
    /// What PLAY was about: the whole, or each media.
    controls: Vec<RtspUrl>,
    tracks: Vec<Track>,
    warnings: Vec<String>,
    bytes: u64,
    reports: u64,
    played: Instant,
    spoke: Instant,
    /// The sign of life whose answer is yet to come.
    sign: Option<Sign>,
    /// Whether SETUP may go out on a connection that has seen no DESCRIBE.
    may_open: bool,
    ended: Option<Ended>,
}

/// Why an attempt at playing failed, as far as it decides what to try next.
enum Refusal {
    /// The transport is not served.
    Transport(RtspError),
    /// The device has lost the session or the connection.
    Lost(RtspError),
    /// Asking for an extra media took the connection, or the answer to it did not come.
    OfExtra(RtspError),
    Other(RtspError),
}

impl Refusal {
    fn error(&self) -> &RtspError {
        let (Refusal::Transport(e) | Refusal::Lost(e) | Refusal::OfExtra(e) | Refusal::Other(e)) = self;
        e
    }

    fn into_error(self) -> RtspError {
        let (Refusal::Transport(e) | Refusal::Lost(e) | Refusal::OfExtra(e) | Refusal::Other(e)) = self;
        e
    }

    fn is_silence(&self) -> bool {
        self.error().kind == ErrorKind::Timeout
    }

    /// Whether the extra media may be what the device cannot bear.
    fn is_perhaps_of_extra(&self) -> bool {
        let error = self.error();
        let other = matches!(
            error.kind,
            ErrorKind::AuthRequired
                | ErrorKind::AuthRefused
                | ErrorKind::Locked
                | ErrorKind::Busy
                | ErrorKind::Interrupted
        );
        matches!(self, Refusal::OfExtra(_)) || error.step == Step::Rtp && !other
    }
}

impl<'c> Playing<'c> {
    /// Sets up `media`, of which those that are no extra must succeed, and plays them. When the device refuses the
    /// transport, the other is tried once; when it loses the session or the connection, everything is begun again once;
    /// when it fails after an extra media was asked for, once without those.
    ///
    /// # Errors
    /// What the device answers, connection failures, silence. Nothing is left set up.
    pub async fn start(
        client: &'c mut Client,
        described: &Described,
        media: &[MediaToPlay],
        options: PlayOptions,
    ) -> Result<Playing<'c>, RtspError> {
        let mut playing = Playing::new(client, described, options);
        let (mut switched, mut restarted, mut with_extra) = (false, false, media.iter().any(|m| m.is_extra));
        let mut without_extra = None;
        loop {
            let refusal = match playing.attempt(media, with_extra).await {
                Ok(()) => {
                    playing.warnings.extend(without_extra);
                    return Ok(playing);
                }
                Err(refusal) => refusal,
            };
            playing.farewell().await;
            if refusal.is_silence() {
                // Its answer may still come, in place of another's.
                playing.client.disconnect();
            }
            match refusal {
                Refusal::Transport(_) if playing.options.or_other && !switched => {
                    switched = true;
                    playing.transport = match playing.transport {
                        Transport::Tcp => Transport::Udp,
                        Transport::Udp => Transport::Tcp,
                    };
                }
                // Neither is served: then by multicast, which leads over the device's own link and no further.
                Refusal::Transport(error)
                    if playing.options.or_other && playing.multicast_on.is_none() && error.status == Some(461) =>
                {
                    let Some(interface) = playing.client.peer.interface_of_link() else {
                        let message = format!("{}; multicast only, and not on a link of this machine", error.message);
                        return Err(RtspError { message, ..error });
                    };
                    (playing.multicast_on, playing.transport) = (Some(interface), Transport::Udp);
                }
                Refusal::Lost(_) if !restarted && !playing.client.peer.is_over() => {
                    restarted = true;
                    playing.describe_anew().await?;
                }
                refusal if with_extra && refusal.is_perhaps_of_extra() && !playing.client.peer.is_over() => {
                    with_extra = false;
                    let names: Vec<&str> = media.iter().filter(|m| m.is_extra).map(|m| m.name).collect();
                    let error = refusal.error();
                    without_extra =
                        Some(format!("played without {}, which the device refused: {error}", names.join(", ")));
                    playing.describe_anew().await?;
                }
                refusal => return Err(refusal.into_error()),
            }
        }
    }

    fn new(client: &'c mut Client, described: &Described, options: PlayOptions) -> Self {
        let now = Instant::now();
        Playing {
            aggregate: described.base.control(options.session_control.as_deref()),
            described: described.clone(),
            transport: options.first,
            multicast_on: None,
            options,
            client,
            controls: Vec::new(),
            session: None,
            sets_up: false,
            parted: 0,
            tracks: Vec::new(),
            warnings: Vec::new(),
            bytes: 0,
            reports: 0,
            played: now,
            spoke: now,
            sign: None,
            may_open: false,
            ended: None,
        }
    }

    /// The transport the packets come by.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The multicast group a media comes from, if it does.
    pub fn group(&self, media: usize) -> Option<SocketAddr> {
        let track = self.tracks.iter().find(|t| t.media == media)?;
        match track.carrier {
            Carrier::Multicast(group, _) => Some(group),
            Carrier::Udp(_) | Carrier::Interleaved(_) => None,
        }
    }

    /// The indices of the media that were set up.
    pub fn media(&self) -> impl Iterator<Item = usize> + '_ {
        self.tracks.iter().map(|t| t.media)
    }

    /// Oddities so far, in words for the operator.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many RTCP reports came.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// Why no more packets come, when that is so; none while it only takes long.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// The next packet; none when none came before `deadline` or none will come ([`Playing::ended`]). Sends signs of life
    /// as the session needs them.
    pub async fn next(&mut self, deadline: Instant) -> Option<RtpPacket> {
        while self.ended.is_none() {
            self.keep_alive().await;
            let limit = deadline.min(self.spoke + self.pause());
            let (index, payload, arrived) = match self.receive(limit).await {
                Some(received) => received,
                None if Instant::now() >= deadline => return None,
                None => continue,
            };
            self.bytes = self.bytes.saturating_add(payload.len() as u64);
            if self.bytes > self.options.most_bytes {
                self.ended = Some(Ended::TooMuch);
            }
            self.reports += u64::from(is_rtcp(&payload));
            if let Some(track) = index.and_then(|i| self.tracks.get_mut(i)).filter(|_| is_rtp(&payload)) {
                track.packets += 1;
                if !self.client.ladder.reached(Step::Rtp) {
                    self.client.ladder.mark(Step::Rtp, true, arrived.saturating_duration_since(self.played));
                }
                return Some(RtpPacket { media: track.media, payload, arrived });
            }
        }
        None
    }

    /// Ends the session with a TEARDOWN, also when the scan is cancelled. Whatever the device answers is fine.
    pub async fn stop(mut self) {
        self.farewell().await;
    }

    /// The next packet, with the index of its track where it has one.
    async fn receive(&mut self, limit: Instant) -> Option<(Option<usize>, Bytes, Instant)> {
        let peer = self.client.peer.ip;
        let Some(channel) = self.client.channel.as_mut() else {
            self.ended = Some(Ended::Closed);
            return None;
        };
        if let Some(Frame { arrived, channel: number, payload }) = channel.frame() {
            return Some((self.track_of(number, &payload), payload, arrived));
        }
        match arrival(channel, &mut self.tracks, peer, limit).await {
            Arrival::Packet(index, payload) => Some((Some(index), payload, Instant::now())),
            Arrival::Item(Item::Data { channel, payload }) => {
                Some((self.track_of(channel, &payload), payload, Instant::now()))
            }
            Arrival::Item(Item::Response(response)) => {
                self.sign_answered(&response).await;
                None
            }
            Arrival::Item(Item::Request(_) | Item::Junk(_)) => None,
            Arrival::Failed(failure) => {
                self.note_failure(failure);
                None
            }
        }
    }

    fn note_failure(&mut self, failure: Failure) {
        self.ended = match failure.kind {
            ErrorKind::Timeout => return,
            ErrorKind::Interrupted => Some(Ended::Interrupted),
            ErrorKind::Protocol | ErrorKind::TooLarge | ErrorKind::Device => Some(Ended::Garbage),
            _ => Some(Ended::Closed),
        };
    }

    /// Which track a channel's packets belong to. When packets come on a channel of the device's own choice, that becomes
    /// the channel of the one track that waits for packets of their type, or of a lone track.
    fn track_of(&mut self, number: u8, payload: &[u8]) -> Option<usize> {
        let known = self.tracks.iter().position(|t| matches!(t.carrier, Carrier::Interleaved(c) if c == number));
        if known.is_some() || !is_rtp(payload) {
            return known;
        }
        let payload_type = payload.get(1).map(|byte| byte & 0x7f);
        let is_alone = self.tracks.len() == 1;
        let is_meant = |t: &Track| t.packets == 0 && (is_alone || t.payload_type == payload_type);
        let mut meant = (0..).zip(self.tracks.iter_mut()).filter(|(_, t)| is_meant(t));
        let (Some((index, track)), None) = (meant.next(), meant.next()) else { return None };
        let Carrier::Interleaved(channel) = &mut track.carrier else { return None };
        self.warnings.push(format!("packets come on channel {number} instead of {channel}"));
        *channel = number;
        Some(index)
    }
}

/// What came first, on the RTSP connection or on one of the UDP ports.
enum Arrival {
    Item(Item),
    Packet(usize, Bytes),
    Failed(Failure),
}

async fn arrival(channel: &mut Channel, tracks: &mut [Track], peer: IpAddr, limit: Instant) -> Arrival {
    let pairs: Vec<_> = tracks
        .iter_mut()
        .enumerate()
        .filter_map(|(index, track)| match &mut track.carrier {
            Carrier::Udp(pair) | Carrier::Multicast(_, pair) => {
                Some(Box::pin(async move { (index, pair.receive(peer).await) }))
            }
            Carrier::Interleaved(_) => None,
        })
        .collect();
    let packets = async {
        match pairs.is_empty() {
            true => std::future::pending().await,
            false => select_all(pairs).await.0,
        }
    };
    let mut heard = false;
    tokio::select! {
        item = channel.item(false, limit, &mut heard) => item.map_or_else(Arrival::Failed, Arrival::Item),
        (index, payload) = packets => Arrival::Packet(index, payload),
    }
}

/// Whether bytes are an RTP packet, and not the RTCP that some devices mix in.
fn is_rtp(bytes: &[u8]) -> bool {
    matches!(bytes, [first, ..] if first >> 6 == 2) && bytes.len() >= 12 && !is_rtcp(bytes)
}

/// Whether bytes are RTCP (RFC 5761 §4).
fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [first, 192..=223, ..] if first >> 6 == 2)
}

#[cfg(test)]
mod tests;
