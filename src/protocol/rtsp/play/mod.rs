//! Plays a described stream for seconds or for hours: SETUP, PLAY, packets in their order, and a TEARDOWN whatever happens.
//! Interleaved in the RTSP connection or over UDP, whichever the device takes.

mod keepalive;
mod receive;
mod reports;
mod setup;
mod track;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::DerefMut;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::client::Client;
use super::client::describe::Described;
use super::error::RtspError;
use super::headers::Session;
use super::url::RtspUrl;
use crate::media::rtcp::SenderInfo;
use crate::model::{ErrorKind, Step, Transport};
use crate::probe::negotiation::Pending;
pub use reports::Reporting;
pub use track::Statistics;
use track::{Carrier, Track};

/// A media of the description that is to be played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaToPlay {
    /// Its `a=control`, as it stands in the description.
    pub control: Option<String>,
    /// Whether its packets are encrypted (SRTP).
    pub is_encrypted: bool,
    /// Its payload type, which tells it from others when the device chooses channels of its own.
    pub payload_type: Option<u8>,
    /// Units of its timestamps a second; 0 where nobody asks for its jitter.
    pub clock_rate: u32,
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
    /// How much is played at most.
    pub caps: Caps,
    /// Whether the device gets reports on how well its packets come.
    pub reporting: Reporting,
    /// The description's `a=control` at session level: what PLAY and TEARDOWN are about.
    pub session_control: Option<String>,
}

impl Default for PlayOptions {
    /// For some seconds: TCP, else UDP; 64 MiB, and no reports to the device, which asks for none within that time.
    fn default() -> Self {
        PlayOptions {
            first: Transport::Tcp,
            or_other: true,
            caps: Caps { bytes: Some(64 * 1024 * 1024), time: None },
            reporting: Reporting::Silent,
            session_control: None,
        }
    }
}

impl PlayOptions {
    /// For as long as somebody watches: TCP, else UDP; no cap, and reports, without which some devices stop.
    pub fn lasting() -> Self {
        PlayOptions { caps: Caps::default(), reporting: Reporting::Regular, ..PlayOptions::default() }
    }
}

/// How much is played at most; by default without an end. What is held in memory is bounded either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of packets.
    pub bytes: Option<u64>,
    /// Time since the answer to PLAY was awaited.
    pub time: Option<Duration>,
}

/// What a stream that plays brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayEvent {
    /// The next packet of a media, in its order.
    Packet(RtpPacket),
    /// The device says what time its timestamps stand for (RFC 3550 §6.4.1), by which media can be kept in step.
    Clock {
        /// The index of the media.
        media: usize,
        /// Its clocks.
        info: SenderInfo,
        /// When the report came.
        arrived: Instant,
    },
    /// The device says that a media has ended (RFC 3550 §6.6).
    Goodbye {
        /// The index of the media.
        media: usize,
    },
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
    /// How many packets before it never came.
    pub lost: u64,
}

/// Why no more packets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The device closed the connection.
    Closed,
    /// A cap was reached.
    TooMuch,
    /// What comes is no RTSP any more.
    Garbage,
    /// The caller cancelled.
    Interrupted,
}

/// A sign of life on its way.
struct Sign {
    cseq: u32,
    /// The number of the last one that followed it without a login.
    last: u32,
    /// The login that went with it.
    pending: Pending,
}

/// How packets are to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Interleaved,
    Udp,
    /// From a group, joined on this interface.
    Multicast(u32),
}

impl Route {
    fn transport(self) -> Transport {
        match self {
            Route::Interleaved => Transport::Tcp,
            Route::Udp | Route::Multicast(_) => Transport::Udp,
        }
    }
}

/// How far the session with the device has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The device holds nothing for us.
    Unset,
    /// A SETUP is out, and no session is known yet.
    SetupSent,
    /// The device holds a session, and has been sent so many of its TEARDOWNs.
    Held { session: Session, parted: usize },
}

impl Phase {
    fn session(&self) -> Option<&Session> {
        match self {
            Phase::Held { session, .. } => Some(session),
            Phase::Unset | Phase::SetupSent => None,
        }
    }
}

/// A stream that plays. End it with [`Playing::stop`]; one that is merely dropped, or whose start is given up half-way,
/// sends its TEARDOWN in the background.
///
/// It owns its client, or has it lent by somebody who asks for more afterwards (`&mut Client`). While it plays, memory is
/// bounded: by the packets held back for order's sake, and by what of them waits to be taken.
pub struct Playing<C: DerefMut<Target = Client> = Box<Client>> {
    client: C,
    described: Described,
    options: PlayOptions,
    route: Route,
    phase: Phase,
    /// What the session as a whole is called.
    aggregate: RtspUrl,
    /// What PLAY was about: the whole, or each media.
    controls: Vec<RtspUrl>,
    tracks: Vec<Track>,
    warnings: Vec<String>,
    bytes: u64,
    reports: u64,
    /// What came and is to be given out before further packets.
    events: VecDeque<PlayEvent>,
    receiver: reports::Receiver,
    /// The moment that packets' times count from.
    began: Instant,
    played: Instant,
    spoke: Instant,
    /// The sign of life whose answer is yet to come.
    sign: Option<Sign>,
    /// The number of the first one.
    first_sign: Option<u32>,
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
        let other = error.kind.is_of_login() || matches!(error.kind, ErrorKind::Busy | ErrorKind::Interrupted);
        matches!(self, Refusal::OfExtra(_)) || error.step == Step::Rtp && !other
    }
}

impl<C: DerefMut<Target = Client>> Playing<C> {
    /// Sets up `media`, of which those that are no extra must succeed, and plays them. When the device refuses the
    /// transport, the other is tried once; when it loses the session or the connection, everything is begun again once;
    /// when it fails after an extra media was asked for, once without those.
    ///
    /// # Errors
    /// What the device answers, connection failures, silence. Nothing is left set up.
    pub async fn start(
        client: C,
        described: &Described,
        media: &[MediaToPlay],
        options: PlayOptions,
    ) -> Result<Playing<C>, RtspError> {
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
                    playing.route = match playing.route.transport() {
                        Transport::Tcp => Route::Udp,
                        Transport::Udp => Route::Interleaved,
                    };
                }
                // Neither is served: then by multicast, which leads over the device's own link and no further.
                Refusal::Transport(error)
                    if playing.options.or_other
                        && !matches!(playing.route, Route::Multicast(_))
                        && error.status == Some(461) =>
                {
                    let Some(interface) = playing.client.peer.interface_of_link() else {
                        let message = format!("{}; multicast only, and not on a link of this machine", error.message);
                        return Err(RtspError { message, ..error });
                    };
                    playing.route = Route::Multicast(interface);
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

    fn new(client: C, described: &Described, options: PlayOptions) -> Self {
        let now = Instant::now();
        Playing {
            aggregate: described.base.control(options.session_control.as_deref()),
            described: described.clone(),
            route: if options.first == Transport::Tcp { Route::Interleaved } else { Route::Udp },
            phase: Phase::Unset,
            receiver: reports::Receiver::new(options.reporting, now),
            options,
            client,
            controls: Vec::new(),
            tracks: Vec::new(),
            warnings: Vec::new(),
            bytes: 0,
            reports: 0,
            events: VecDeque::new(),
            began: now,
            played: now,
            spoke: now,
            sign: None,
            first_sign: None,
            may_open: false,
            ended: None,
        }
    }

    /// The transport the packets come by.
    pub fn transport(&self) -> Transport {
        self.route.transport()
    }

    /// The multicast group a media comes from, if it does.
    pub fn group(&self, media: usize) -> Option<SocketAddr> {
        let track = self.tracks.iter().find(|t| t.media == media)?;
        match track.carrier {
            Carrier::Multicast(group, _) => Some(group),
            Carrier::Udp(_) | Carrier::Interleaved { .. } => None,
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

    /// Where a media's packets begin by the answer to PLAY: sequence number and timestamp, as far as it says so (RFC 2326
    /// §12.33). A hint that devices get wrong.
    pub fn beginning(&self, media: usize) -> (Option<u16>, Option<u32>) {
        self.tracks.iter().find(|t| t.media == media).map_or((None, None), |t| t.beginning)
    }

    /// How well a media is received; none of one that was not set up.
    pub fn statistics(&self, media: usize) -> Option<Statistics> {
        self.tracks.iter().find(|t| t.media == media).map(Track::statistics)
    }

    /// Ends the session with a TEARDOWN, also when the scan is cancelled. Whatever the device answers is fine.
    pub async fn stop(mut self) {
        self.farewell().await;
    }
}

#[cfg(test)]
mod tests;
