//! Which packets belong to which stream: by the channels and ports that SETUP agreed on.

use std::collections::HashMap;
use std::time::Duration;

use super::flow::ms;
use super::request::Request;
use super::response::{self, Interleaved};
use crate::kit::format::{Answer, Blob, Exchange, Frame};
use crate::kit::media;
use crate::model::recording::{Packet, Side};

/// One track that was set up.
struct Track {
    /// Its channel for RTP; that for RTCP is the next.
    channel: Option<u8>,
    /// The scanner's ports for RTP and RTCP.
    ports: Option<(u16, u16)>,
}

/// A session that plays.
struct Play {
    /// The number of its PLAY among the exchanges.
    number: usize,
    at: Duration,
    until: Option<Duration>,
    tracks: Vec<Track>,
}

/// What plays on a connection.
pub(super) struct Playing<'r> {
    datagrams: &'r [Packet],
    tracks: Vec<Track>,
    plays: Vec<Play>,
    /// Names of payload formats by payload type.
    encodings: HashMap<u8, String>,
    /// Packets that came before PLAY was answered.
    early: Vec<Interleaved>,
}

impl<'r> Playing<'r> {
    pub(super) fn new(datagrams: &'r [Packet]) -> Self {
        Playing { datagrams, tracks: Vec::new(), plays: Vec::new(), encodings: HashMap::new(), early: Vec::new() }
    }

    /// Notes what a request and its answer change; `number` is the number it has among the exchanges.
    pub(super) fn note(&mut self, request: &Request, answer: &Answer, at: Duration, number: usize) {
        let status = std::str::from_utf8(&answer.head.0).unwrap_or_default();
        let is_ok = status.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
        match request.ask.method.as_str() {
            "DESCRIBE" if is_ok => {
                answer.body.iter().for_each(|piece| self.read_description(&piece.bytes.0));
                self.tracks.clear();
            }
            "SETUP" if is_ok => self.tracks.push(track(request, answer)),
            "PLAY" if is_ok => {
                let tracks = std::mem::take(&mut self.tracks);
                self.plays.push(Play { number, at, until: None, tracks });
            }
            "TEARDOWN" | "PAUSE" => {
                self.plays.iter_mut().for_each(|play| {
                    play.until.get_or_insert(at);
                });
            }
            _ => {}
        }
    }

    fn read_description(&mut self, body: &[u8]) {
        self.encodings.extend(encodings(&String::from_utf8_lossy(body)));
    }

    /// Gives packets that came on the connection to the PLAY they belong to.
    pub(super) fn frames(&mut self, frames: Vec<Interleaved>, exchanges: &mut [Exchange]) {
        self.early.extend(frames);
        let Some(play) = self.plays.last() else { return };
        let Some(exchange) = exchanges.get_mut(play.number) else { return };
        for (at, channel, bytes) in std::mem::take(&mut self.early) {
            let of = |wanted: Option<u8>| play.tracks.iter().position(|t| t.channel.is_some() && t.channel == wanted);
            let owner = of(Some(channel)).or_else(|| of(channel.checked_sub(1)));
            if let Some(track) = owner {
                let rtcp = play.tracks.get(track).and_then(|t| t.channel) != Some(channel);
                exchange.media.push(Frame { after_ms: ms(play.at, at), track, rtcp, bytes: Blob(bytes) });
            }
        }
    }

    /// Gives datagrams to the PLAY they belong to.
    pub(super) fn datagrams(&self, closed: Option<Duration>, exchanges: &mut [Exchange]) {
        for play in &self.plays {
            let Some(exchange) = exchanges.get_mut(play.number) else { continue };
            let until = play.until.or(closed).unwrap_or(Duration::MAX);
            let from_device = |p: &&Packet| p.from == Side::Device && p.at <= until;
            for packet in self.datagrams.iter().filter(from_device) {
                let is_of = |t: &Track| t.ports.is_some_and(|(a, b)| packet.local_port == a || packet.local_port == b);
                if let Some(track) = play.tracks.iter().position(is_of) {
                    let rtcp = play.tracks.get(track).and_then(|t| t.ports).map(|(a, _)| a) != Some(packet.local_port);
                    let after_ms = ms(play.at, packet.at);
                    exchange.media.push(Frame { after_ms, track, rtcp, bytes: Blob(packet.bytes.clone()) });
                }
            }
        }
    }

    /// Takes pictures, sound and names out of all packets.
    pub(super) fn blank(&self, exchanges: &mut [Exchange]) {
        for frame in exchanges.iter_mut().flat_map(|exchange| &mut exchange.media) {
            let bytes = &mut frame.bytes.0;
            if frame.rtcp || crate::media::rtcp::is_rtcp(bytes) {
                media::blank_rtcp(bytes);
            } else {
                let kind = bytes.get(1).map_or(0, |byte| byte & 0x7f);
                let fixed = if kind == 26 {
                    "JPEG"
                } else if kind == 33 {
                    "MP2T"
                } else {
                    ""
                };
                media::blank_rtp(bytes, self.encodings.get(&kind).map_or(fixed, String::as_str));
            }
        }
    }
}

/// The names of payload formats in a description, by payload type.
pub(super) fn encodings(description: &str) -> HashMap<u8, String> {
    let entries = description.lines().filter_map(|line| line.trim().strip_prefix("a=rtpmap:")?.split_once(' '));
    let name = |name: &str| name.trim().split('/').next().unwrap_or_default().to_owned();
    entries.filter_map(|(kind, format)| Some((kind.trim().parse().ok()?, name(format)))).collect()
}

fn track(request: &Request, answer: &Answer) -> Track {
    let agreed = response::headers(&answer.head.0).text("Transport").map(std::borrow::Cow::into_owned);
    let asked = request.ask.transport.clone().unwrap_or_default();
    let agreed = agreed.unwrap_or_else(|| asked.clone());
    let channel = channels(&agreed).or_else(|| channels(&asked));
    let ports = client_ports(&asked);
    Track { channel: channel.map(|(rtp, _)| rtp), ports }
}

/// The channels that a `Transport` names.
pub fn channels(transport: &str) -> Option<(u8, u8)> {
    pair(transport, "interleaved")
}

/// The client's ports that a `Transport` names.
pub fn client_ports(transport: &str) -> Option<(u16, u16)> {
    pair(transport, "client_port")
}

fn pair<N: std::str::FromStr + Copy>(transport: &str, name: &str) -> Option<(N, N)> {
    let value = transport.split([';', ',']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))?;
    let (first, second) = value.split_once('-').unwrap_or((value, value));
    let first = first.trim().parse().ok()?;
    Some((first, second.trim().parse().unwrap_or(first)))
}
