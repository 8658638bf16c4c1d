//! SETUP and PLAY, with the second tries that devices need.

use std::net::{IpAddr, SocketAddr};
use std::ops::DerefMut;

use tokio::time::Instant;

use super::track::{Carrier, Track, note_beginnings};
use super::{MediaToPlay, Phase, Playing, Refusal, Route};
use crate::model::{ErrorKind, Step};
use crate::protocol::rtsp::channel::Channel;
use crate::protocol::rtsp::client::Client;
use crate::protocol::rtsp::error::RtspError;
use crate::protocol::rtsp::headers::{self, RtspHeaders, Session};
use crate::protocol::rtsp::udp::UdpPair;
use crate::protocol::rtsp::url::RtspUrl;
use crate::protocol::rtsp::wire::{Request, Response};

impl<C: DerefMut<Target = Client>> Playing<C> {
    /// Sets the media up, in their order, and plays them.
    pub(super) async fn attempt(&mut self, media: &[MediaToPlay], with_extra: bool) -> Result<(), Refusal> {
        (self.tracks, self.controls, self.bytes) = (Vec::new(), Vec::new(), 0);
        self.warnings.clear();
        let started = Instant::now();
        self.client.ladder.forget_from(Step::Setup);
        for (index, wanted) in media.iter().enumerate().filter(|(_, m)| with_extra || !m.is_extra) {
            let refusal = match self.set_up(index, wanted).await {
                Ok(track) => {
                    self.tracks.push(track);
                    continue;
                }
                Err(refusal) if !wanted.is_extra => refusal,
                // A connection that is gone takes the session along, and an answer that still comes would be another's.
                Err(refusal) if self.client.channel.is_none() || refusal.is_silence() => {
                    Refusal::OfExtra(refusal.into_error())
                }
                Err(refusal) if refusal.error().kind == ErrorKind::Interrupted => refusal,
                Err(refusal) => {
                    self.warnings.push(format!("{} is left out: {}", wanted.name, refusal.error()));
                    continue;
                }
            };
            self.client.ladder.mark(Step::Setup, false, started.elapsed());
            return Err(refusal);
        }
        let played = self.play().await;
        self.client.ladder.mark(Step::Setup, played.is_ok(), started.elapsed());
        played
    }

    /// Sets a media up by its control's address: joined to the base, else by the rules of RFC 3986, else joined to what the
    /// description calls the whole.
    async fn set_up(&mut self, index: usize, wanted: &MediaToPlay) -> Result<Track, Refusal> {
        let control = wanted.control.as_deref();
        let base = &self.described.base;
        let mut places = vec![base.control(control)];
        for other in base.control_rfc3986(control).into_iter().chain([self.aggregate.control(control)]) {
            if !places.contains(&other) {
                places.push(other);
            }
        }
        let mut refused = None;
        for url in places {
            match self.set_up_at(index, wanted, &url).await {
                Err(Refusal::Other(error) | Refusal::Lost(error)) if matches!(error.status, Some(404 | 451 | 454)) => {
                    refused.get_or_insert(error);
                }
                outcome => return outcome,
            }
        }
        Err(Refusal::Other(refused.unwrap_or_else(|| self.closed(Step::Setup))))
    }

    async fn set_up_at(&mut self, index: usize, wanted: &MediaToPlay, url: &RtspUrl) -> Result<Track, Refusal> {
        let profile = if wanted.is_encrypted { "RTP/SAVP" } else { "RTP/AVP" };
        let first_channel = (index as u8).saturating_mul(2);
        let pair = if self.route == Route::Udp { Some(self.udp_pair(url)?) } else { None };
        let transport = match &pair {
            None if matches!(self.route, Route::Multicast(_)) => format!("{profile};multicast"),
            Some(pair) => format!("{profile};unicast;client_port={}-{}", pair.port, pair.port + 1),
            None => format!("{profile}/TCP;unicast;interleaved={first_channel}-{}", first_channel.saturating_add(1)),
        };
        // No `mode=`: some devices stumble over it, and playing is what it means anyway.
        let request = self.about(Request::new("SETUP", &url.to_string()).with("Transport", &transport));
        if self.phase == Phase::Unset {
            self.phase = Phase::SetupSent;
        }
        let response = self.ask(&request, Step::Setup).await?;
        if self.phase == Phase::SetupSent {
            self.phase = Phase::Unset;
        }
        if !(200..300).contains(&response.status) {
            return Err(self.refusal(url, Step::Setup, &response));
        }
        self.note_session(&response);
        let agreed = response.headers.transport().unwrap_or_default();
        let carrier = match pair {
            None if let Route::Multicast(interface) = self.route => {
                self.by_multicast(wanted, &agreed, interface, url)?
            }
            Some(pair) if !agreed.tcp => self.over_udp(pair, &agreed).await,
            None if agreed.is_udp() => {
                let what = "answered with UDP where TCP was asked for";
                return Err(Refusal::Transport(self.client.failed(url, Step::Setup, None, ErrorKind::Device, what)));
            }
            _ => {
                self.route = Route::Interleaved;
                if let Some(channel) = self.client.channel.as_mut() {
                    channel.keep_frames = true;
                }
                let (rtp, rtcp) = agreed.interleaved.unwrap_or((first_channel, first_channel.saturating_add(1)));
                Carrier::Interleaved { rtp, rtcp }
            }
        };
        Ok(Track::new(index, wanted, url.clone(), carrier))
    }

    fn udp_pair(&self, url: &RtspUrl) -> Result<UdpPair, Refusal> {
        let peer = &self.client.peer;
        UdpPair::open(&**peer.net(), peer.ip).map_err(|e| {
            let what = format!("no UDP ports: {e}");
            Refusal::Other(self.client.failed(url, Step::Setup, None, ErrorKind::Local, &what))
        })
    }

    /// Joins the group the device names, or its description.
    fn by_multicast(
        &self,
        wanted: &MediaToPlay,
        agreed: &headers::Transport,
        interface: u32,
        url: &RtspUrl,
    ) -> Result<Carrier, Refusal> {
        let peer = &self.client.peer;
        let refused = |what: &str| Refusal::Other(self.client.failed(url, Step::Setup, None, ErrorKind::Device, what));
        let ip = agreed.destination.filter(IpAddr::is_multicast).or(wanted.group.map(|g| g.ip()));
        let port = agreed.port.map(|p| p.0).or(wanted.group.map(|g| g.port()).filter(|&port| port != 0));
        let (Some(ip), Some(port)) = (ip, port) else { return Err(refused("multicast to a group it does not name")) };
        let group = SocketAddr::new(ip, port);
        let mut pair = UdpPair::join(&**peer.net(), group, interface).map_err(|e| refused(&e.to_string()))?;
        pair.ssrc = agreed.ssrc;
        pair.source = agreed.source.as_deref().and_then(|source| source.parse().ok());
        Ok(Carrier::Multicast(group, Box::new(pair)))
    }

    async fn over_udp(&self, mut pair: UdpPair, agreed: &headers::Transport) -> Carrier {
        pair.ssrc = agreed.ssrc;
        pair.source = agreed.source.as_deref().and_then(|source| source.parse().ok());
        if let Some(ports) = agreed.server_port {
            pair.report_port = Some(ports.1);
            pair.punch(self.client.peer.ip, ports).await;
        }
        Carrier::Udp(Box::new(pair))
    }

    /// Plays what was set up: the whole by its name, else by the address it was described at, else media by media. The base
    /// is not always what the session is known by (404), and not every device plays a whole (459) or its parts (460).
    async fn play(&mut self) -> Result<(), Refusal> {
        self.played = Instant::now();
        let media = self.tracks.iter().map(|t| t.url.clone()).collect();
        let mut ways = vec![vec![self.aggregate.clone()], vec![self.described.url.clone()], media];
        ways.dedup();
        let mut ways = ways.into_iter();
        let mut next = ways.next();
        let mut refused = None;
        while let Some(way) = next {
            let (url, response) = self.play_each(&way).await?;
            if (200..300).contains(&response.status) {
                self.controls = way;
                return Ok(());
            }
            next = match response.status {
                400 | 404 | 455 | 460 => ways.next(),
                459 => ways.next_back(),
                _ => None,
            };
            refused.get_or_insert(self.refusal(&url, Step::Rtp, &response));
        }
        Err(refused.unwrap_or_else(|| Refusal::Other(self.closed(Step::Rtp))))
    }

    /// The answer to the last PLAY, or to the first that was refused, with what it was about.
    async fn play_each(&mut self, urls: &[RtspUrl]) -> Result<(RtspUrl, Response), Refusal> {
        let mut last = (self.aggregate.clone(), Response::success());
        for url in urls {
            last = (url.clone(), self.play_url(url).await?);
            if !(200..300).contains(&last.1.status) {
                break;
            }
        }
        Ok(last)
    }

    async fn play_url(&mut self, url: &RtspUrl) -> Result<Response, Refusal> {
        let plain = self.about(Request::new("PLAY", &url.to_string()));
        let request = plain.clone().with("Range", "npt=0.000-");
        let response = match self.ask(&request, Step::Rtp).await {
            // A live stream has no beginning to be played from.
            Ok(response) if matches!(response.status, 456 | 457) => self.ask(&plain, Step::Rtp).await?,
            Ok(response) => response,
            Err(Refusal::Other(_)) if self.client.channel.as_ref().is_some_and(Channel::has_frames) => {
                self.warnings.push("PLAY was not answered, but packets came".to_owned());
                Response::success()
            }
            Err(refusal) => return Err(refusal),
        };
        if (200..300).contains(&response.status) {
            self.note_session(&response);
            note_beginnings(&mut self.tracks, &response.headers.rtp_info());
        }
        Ok(response)
    }

    /// Sends a request on the session's own connection.
    async fn ask(&mut self, request: &Request, step: Step) -> Result<Response, Refusal> {
        let may_open = self.may_open && self.phase.session().is_none();
        if !may_open && !self.client.is_connected() {
            return Err(Refusal::Lost(self.closed(step)));
        }
        self.spoke = Instant::now();
        self.client.request(request, false).await.map_err(|error| {
            let error = RtspError { step, ..error };
            if error.kind == ErrorKind::Closed { Refusal::Lost(error) } else { Refusal::Other(error) }
        })
    }

    /// Describes the stream on a new connection: SETUP without DESCRIBE before it is refused by some.
    pub(super) async fn describe_anew(&mut self) -> Result<(), RtspError> {
        self.may_open = true;
        self.client.disconnect();
        let url = self.described.url.clone();
        let again = self.client.describe_url(&url).await?;
        match again.status {
            200..300 => Ok(()),
            _ => Err(self.client.refused(&url, Step::Setup, &again)),
        }
    }

    fn closed(&self, step: Step) -> RtspError {
        self.client.failed(&self.aggregate, step, None, ErrorKind::Closed, "the connection was closed")
    }

    fn refusal(&self, url: &RtspUrl, step: Step, response: &Response) -> Refusal {
        let error = self.client.refused(url, step, response);
        match response.status {
            400 | 406 | 461 | 462 | 501 | 551 if step == Step::Setup => Refusal::Transport(error),
            454 => Refusal::Lost(error),
            _ => Refusal::Other(error),
        }
    }

    /// Adds the session to a request.
    pub(super) fn about(&self, request: Request) -> Request {
        match self.phase.session() {
            Some(session) => request.with("Session", &session.id),
            None => request,
        }
    }

    /// The id of the latest answer holds; a timeout once stated holds until another is stated.
    pub(super) fn note_session(&mut self, response: &Response) {
        if let Some(Session { id, timeout }) = response.headers.session() {
            let known = self.phase.session().and_then(|s| s.timeout);
            let parted = if let Phase::Held { parted, .. } = self.phase { parted } else { 0 };
            self.phase = Phase::Held { session: Session { id, timeout: timeout.or(known) }, parted };
        }
    }
}
