//! Plays a described stream: SETUP, PLAY, packets as they come, and a TEARDOWN whatever happens. Interleaved in the RTSP
//! connection or over UDP, whichever the device takes.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::select_all;
use tokio::time::Instant;

use super::channel::{Channel, Failure, Frame};
use super::client::{Client, Described};
use super::error::RtspError;
use super::headers::{SESSION_TIMEOUT, Session};
use super::udp::UdpPair;
use super::url::RtspUrl;
use super::wire::{Item, Request, Response};
use crate::model::{ErrorKind, Step, Transport};

/// How long the answer to TEARDOWN is awaited.
const FAREWELL: Duration = Duration::from_secs(1);

/// The longest and shortest pause between signs of life, whatever the session's timeout.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_secs(2);

/// A media of the description that is to be played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaToPlay {
    /// Its `a=control`, as it stands in the description.
    pub control: Option<String>,
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
    carrier: Carrier,
    packets: u64,
}

enum Carrier {
    /// The channel of its RTP.
    Interleaved(u8),
    Udp(Box<UdpPair>),
}

/// A stream that plays. End it with [`Playing::stop`]; one that is merely dropped, or whose start is given up half-way,
/// sends its TEARDOWN in the background.
pub struct Playing<'c> {
    client: &'c mut Client,
    described: Described,
    options: PlayOptions,
    transport: Transport,
    session: Option<Session>,
    aggregate: RtspUrl,
    tracks: Vec<Track>,
    warnings: Vec<String>,
    bytes: u64,
    played: Instant,
    spoke: Instant,
    renewed: bool,
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
    Other(RtspError),
}

impl<'c> Playing<'c> {
    /// Sets up `media`, of which the first must succeed, and plays them. When the device refuses the transport, the other
    /// is tried once; when it loses the session or the connection, everything is begun again once.
    ///
    /// # Errors
    /// What the device answers, connection failures, silence. Nothing is left set up.
    pub async fn start(
        client: &'c mut Client,
        described: &Described,
        media: &[MediaToPlay],
        options: PlayOptions,
    ) -> Result<Playing<'c>, RtspError> {
        let now = Instant::now();
        let mut playing = Playing {
            aggregate: described.base.control(options.session_control.as_deref()),
            described: described.clone(),
            transport: options.first,
            options,
            client,
            session: None,
            tracks: Vec::new(),
            warnings: Vec::new(),
            bytes: 0,
            played: now,
            spoke: now,
            renewed: false,
            may_open: false,
            ended: None,
        };
        let (mut switched, mut restarted) = (false, false);
        loop {
            let refusal = match playing.attempt(media).await {
                Ok(()) => return Ok(playing),
                Err(refusal) => refusal,
            };
            playing.farewell().await;
            match refusal {
                Refusal::Transport(_) if playing.options.or_other && !switched => {
                    switched = true;
                    playing.transport = match playing.transport {
                        Transport::Tcp => Transport::Udp,
                        Transport::Udp => Transport::Tcp,
                    };
                }
                Refusal::Lost(_) if !restarted && !playing.client.host.is_over() => {
                    restarted = true;
                    playing.may_open = true;
                    playing.client.disconnect();
                    let url = playing.described.url.clone();
                    // SETUP without DESCRIBE before it is refused by some, also on a new connection.
                    let again = playing.client.describe_url(&url).await?;
                    if !(200..300).contains(&again.status) {
                        return Err(playing.client.refused(&url, Step::Setup, &again));
                    }
                }
                Refusal::Transport(error) | Refusal::Lost(error) | Refusal::Other(error) => return Err(error),
            }
        }
    }

    /// The transport the packets come by.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The indices of the media that were set up.
    pub fn media(&self) -> impl Iterator<Item = usize> + '_ {
        self.tracks.iter().map(|t| t.media)
    }

    /// Oddities so far, in words for the operator.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
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

    async fn attempt(&mut self, media: &[MediaToPlay]) -> Result<(), Refusal> {
        (self.tracks, self.bytes) = (Vec::new(), 0);
        let started = Instant::now();
        self.client.ladder.forget_from(Step::Setup);
        for (index, wanted) in media.iter().enumerate() {
            match self.set_up(index, wanted).await {
                Ok(track) => self.tracks.push(track),
                Err(refusal) if index == 0 => {
                    self.client.ladder.mark(Step::Setup, false, started.elapsed());
                    return Err(refusal);
                }
                Err(Refusal::Transport(e) | Refusal::Lost(e) | Refusal::Other(e)) => {
                    self.warnings.push(format!("media {index} is left out: {e}"));
                    // A connection that is gone takes the session along.
                    if self.client.channel.is_none() {
                        return Err(Refusal::Lost(e));
                    }
                }
            }
        }
        let played = self.play().await;
        self.client.ladder.mark(Step::Setup, played.is_ok(), started.elapsed());
        played
    }

    async fn set_up(&mut self, index: usize, wanted: &MediaToPlay) -> Result<Track, Refusal> {
        let control = wanted.control.as_deref();
        let url = self.described.base.control(control);
        match self.set_up_at(index, &url).await {
            Err(Refusal::Other(error) | Refusal::Lost(error)) if matches!(error.status, Some(404 | 454)) => {
                match self.described.base.control_rfc3986(control) {
                    Some(other) => self.set_up_at(index, &other).await,
                    None => Err(Refusal::Other(error)),
                }
            }
            outcome => outcome,
        }
    }

    async fn set_up_at(&mut self, index: usize, url: &RtspUrl) -> Result<Track, Refusal> {
        let first_channel = (index as u8).saturating_mul(2);
        let host = self.client.host.clone();
        let (transport, pair) = match self.transport {
            Transport::Tcp => {
                let last_channel = first_channel.saturating_add(1);
                (format!("RTP/AVP/TCP;unicast;interleaved={first_channel}-{last_channel}"), None)
            }
            Transport::Udp => {
                let pair = UdpPair::open(&host.net, host.ip).map_err(|e| {
                    let what = format!("no UDP ports: {e}");
                    Refusal::Other(self.client.failed(url, Step::Setup, None, ErrorKind::Local, &what))
                })?;
                (format!("RTP/AVP;unicast;client_port={}-{}", pair.port, pair.port + 1), Some(pair))
            }
        };
        // No `mode=`: some devices stumble over it, and playing is what it means anyway.
        let request = self.about(Request::new("SETUP", &url.to_string()).with("Transport", &transport));
        let response = self.ask(&request, Step::Setup).await?;
        if !(200..300).contains(&response.status) {
            return Err(self.refusal(url, Step::Setup, &response));
        }
        self.note_session(&response);
        let agreed = response.headers.transport().unwrap_or_default();
        let carrier = match pair {
            None => {
                if let Some(channel) = self.client.channel.as_mut() {
                    channel.keep_frames = true;
                }
                Carrier::Interleaved(agreed.interleaved.map_or(first_channel, |c| c.0))
            }
            Some(mut pair) => {
                pair.ssrc = agreed.ssrc;
                if let Some(ports) = agreed.server_port {
                    pair.punch(host.ip, ports).await;
                }
                Carrier::Udp(Box::new(pair))
            }
        };
        Ok(Track { media: index, url: url.clone(), carrier, packets: 0 })
    }

    async fn play(&mut self) -> Result<(), Refusal> {
        self.played = Instant::now();
        let aggregate = self.aggregate.clone();
        let mut response = self.play_url(&aggregate).await?;
        // The base is not always what the session is known by (404), nor can every session be played as a whole (460).
        if matches!(response.status, 400 | 404 | 455) && aggregate != self.described.url {
            self.aggregate = self.described.url.clone();
            response = self.play_url(&self.aggregate.clone()).await?;
        } else if response.status == 460 {
            for url in self.tracks.iter().map(|t| t.url.clone()).collect::<Vec<_>>() {
                response = self.play_url(&url).await?;
            }
        }
        if !(200..300).contains(&response.status) {
            return Err(self.refusal(&aggregate, Step::Rtp, &response));
        }
        Ok(())
    }

    async fn play_url(&mut self, url: &RtspUrl) -> Result<Response, Refusal> {
        let request = self.about(Request::new("PLAY", &url.to_string()).with("Range", "npt=0.000-"));
        let response = match self.ask(&request, Step::Rtp).await {
            Ok(response) => response,
            Err(Refusal::Other(error)) if self.client.channel.as_ref().is_some_and(Channel::has_frames) => {
                self.warnings.push("PLAY was not answered, but packets came".to_owned());
                drop(error);
                Response::success()
            }
            Err(refusal) => return Err(refusal),
        };
        if (200..300).contains(&response.status) {
            self.note_session(&response);
        }
        Ok(response)
    }

    /// Sends a request on the session's own connection.
    async fn ask(&mut self, request: &Request, step: Step) -> Result<Response, Refusal> {
        let may_open = self.may_open && self.session.is_none();
        if !may_open && !self.client.is_connected() {
            let what = "the connection was closed";
            return Err(Refusal::Lost(self.client.failed(&self.aggregate, step, None, ErrorKind::Closed, what)));
        }
        self.spoke = Instant::now();
        self.client.request(request, false).await.map_err(|error| {
            let error = RtspError { step, ..error };
            if error.kind == ErrorKind::Closed { Refusal::Lost(error) } else { Refusal::Other(error) }
        })
    }

    fn refusal(&self, url: &RtspUrl, step: Step, response: &Response) -> Refusal {
        let error = self.client.refused(url, step, response);
        match response.status {
            400 | 406 | 461 | 501 | 551 if step == Step::Setup => Refusal::Transport(error),
            454 => Refusal::Lost(error),
            _ => Refusal::Other(error),
        }
    }

    /// Adds the session to a request.
    fn about(&self, request: Request) -> Request {
        match &self.session {
            Some(session) => request.with("Session", &session.id),
            None => request,
        }
    }

    /// The id of the latest answer holds; a timeout once told holds until another is told.
    fn note_session(&mut self, response: &Response) {
        if let Some(Session { id, timeout }) = response.headers.session() {
            let known = self.session.as_ref().and_then(|s| s.timeout);
            self.session = Some(Session { id, timeout: timeout.or(known) });
        }
    }

    /// The pause between signs of life.
    fn pause(&self) -> Duration {
        let timeout = self.session.as_ref().and_then(|s| s.timeout).unwrap_or(SESSION_TIMEOUT);
        (timeout / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    /// Sends a sign of life when one is due. Its answer is not awaited: some devices never give one.
    async fn keep_alive(&mut self) {
        if self.spoke.elapsed() < self.pause() {
            return;
        }
        self.spoke = Instant::now();
        self.renewed = false;
        self.send_sign().await;
    }

    async fn send_sign(&mut self) {
        let by_parameter = self.client.public().iter().any(|m| m == "GET_PARAMETER");
        let method = if by_parameter { "GET_PARAMETER" } else { "OPTIONS" };
        let request = self.about(Request::new(method, &self.aggregate.to_string()));
        let (_, bytes) = self.client.compose(&request);
        let deadline = Instant::now() + FAREWELL;
        if let Some(channel) = self.client.channel.as_mut()
            && channel.send(&bytes, deadline).await.is_err()
        {
            self.ended = Some(Ended::Closed);
        }
    }

    /// The next packet, with the index of its track where it has one.
    async fn receive(&mut self, limit: Instant) -> Option<(Option<usize>, Bytes, Instant)> {
        let peer = self.client.host.ip;
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
            ErrorKind::Protocol | ErrorKind::TooLarge => Some(Ended::Garbage),
            _ => Some(Ended::Closed),
        };
    }

    /// The answer to a sign of life. One that only asks for a newer nonce is repeated once; media flow all the same.
    async fn sign_answered(&mut self, response: &Response) {
        if response.status == 401 && !self.renewed {
            self.renewed = true;
            if self.client.logging.renew(response) {
                self.send_sign().await;
            }
        }
    }

    /// Which track a channel's packets belong to. When a lone track's packets come on a channel of the device's own
    /// choice, that becomes its channel.
    fn track_of(&mut self, number: u8, payload: &[u8]) -> Option<usize> {
        let known = self.tracks.iter().position(|t| matches!(t.carrier, Carrier::Interleaved(c) if c == number));
        if known.is_some() || !is_rtp(payload) {
            return known;
        }
        match self.tracks.as_mut_slice() {
            [Track { carrier: Carrier::Interleaved(channel), packets: 0, .. }] => {
                self.warnings.push(format!("packets come on channel {number} instead of {channel}"));
                *channel = number;
                Some(0)
            }
            _ => None,
        }
    }

    /// TEARDOWN, its answer awaited briefly, with a newer nonce if need be. The connection is kept when it was answered.
    async fn farewell(&mut self) {
        let Some(request) = self.teardown() else { return };
        let deadline = Instant::now() + FAREWELL;
        let mut answered = false;
        for _ in 0..2 {
            let (cseq, bytes) = self.client.compose(&request);
            let Some(channel) = self.client.channel.as_mut() else { break };
            channel.ignore_cancel();
            channel.keep_frames = false;
            if channel.send(&bytes, deadline).await.is_err() {
                break;
            }
            match channel.answer(cseq, false, deadline).await {
                Ok(response) if response.status == 401 && self.client.logging.renew(&response) => {}
                outcome => {
                    answered = outcome.is_ok();
                    break;
                }
            }
        }
        // Forgotten only now: a farewell that is itself cancelled is repeated by `drop`.
        self.session = None;
        self.tracks.clear();
        match self.client.channel.as_mut().filter(|_| answered && self.ended.is_none()) {
            Some(channel) => channel.drop_frames(),
            None => self.client.disconnect(),
        }
    }

    fn teardown(&self) -> Option<Request> {
        self.session.as_ref()?;
        Some(self.about(Request::new("TEARDOWN", &self.aggregate.to_string())))
    }
}

impl Drop for Playing<'_> {
    /// A session must not outlive its owner: cameras have few, and keep them for a minute.
    fn drop(&mut self) {
        let Some(request) = self.teardown() else { return };
        let (cseq, bytes) = self.client.compose(&request);
        if let (Some(mut channel), Ok(runtime)) = (self.client.channel.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let deadline = Instant::now() + FAREWELL;
                channel.ignore_cancel();
                channel.keep_frames = false;
                if channel.send(&bytes, deadline).await.is_ok() {
                    let _ = channel.answer(cseq, false, deadline).await;
                }
            });
        }
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
            Carrier::Udp(pair) => Some(Box::pin(async move { (index, pair.receive(peer).await) })),
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

/// Whether bytes are an RTP packet, and not the RTCP that some devices mix in (RFC 5761 §4).
fn is_rtp(bytes: &[u8]) -> bool {
    matches!(bytes, [first, kind, ..] if first >> 6 == 2 && !(192..=223).contains(kind)) && bytes.len() >= 12
}

#[cfg(test)]
#[path = "play_tests.rs"]
mod tests;
