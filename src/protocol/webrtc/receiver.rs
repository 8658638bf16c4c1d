//! The receiving end of a WebRTC session, without I/O and clock: datagrams and time go in, datagrams and RTP packets come out.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::config::CryptoProvider;
use str0m::format::{Codec, CodecConfig, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcError};

use crate::model::{AudioCodec, VideoCodec};

/// One for all sessions: it holds nothing.
static CRYPTO: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(str0m::crypto::from_feature_flags()));

/// Candidates of an answer that are tried. A host names each address for UDP and TCP in each section; one that names more is asked
/// at the first of them.
const MOST_CANDIDATES: usize = 16;

/// A session on its way. Receives whatever is spoken of one picture and one sound, and speaks with one host alone.
pub struct Receiver {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    /// Who answered: nothing goes to anybody else, and nothing of others is heard.
    host: Option<IpAddr>,
    broke: Option<String>,
}

/// What a session brings.
#[derive(Debug)]
pub enum Happened {
    /// A datagram is to be sent, or a packet over TCP (RFC 4571).
    Send(Datagram),
    /// The session is encrypted and stands.
    Connected,
    /// Media came.
    Packet(Received),
    /// The other side ended it, or it was heard no more.
    Ended,
    /// What came could not be taken, and why.
    Broke(String),
    /// Nothing more before this moment, unless a datagram comes.
    Wait(Instant),
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// From one of our addresses.
    pub from: SocketAddr,
    /// The destination.
    pub to: SocketAddr,
    /// The bytes.
    pub contents: Vec<u8>,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// A picture.
    Video(VideoCodec),
    /// Sound.
    Audio(AudioCodec),
    /// Something else, as resends and comfort noise.
    Other,
}

/// An RTP packet, decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What it carries.
    pub carried: Carried,
    /// The extended sequence number.
    pub sequence: u64,
    /// The timestamp.
    pub timestamp: u32,
    /// Whether it is the last of its frame.
    pub marker: bool,
    /// The whole packet (RFC 3550 §5.1), with the shortest header.
    pub bytes: Bytes,
}

/// What is offered, by the payload types that most senders use by themselves: H.264 is 96. A sender that numbers its
/// packets before it reads the offer cannot take another number; GStreamer's webrtcbin (1.22) aborts its program on one.
fn offer_codecs(codecs: &mut CodecConfig) {
    let format = FormatParams::default;
    let mut video = |number: u8, codec, format| {
        codecs.add_config(number.into(), None, codec, Frequency::NINETY_KHZ, None, format);
    };
    for (number, profile) in [(96, 0x42_e01f), (97, 0x64_0032), (102, 0x4d_001f)] {
        let h264 = FormatParams {
            level_asymmetry_allowed: Some(true),
            packetization_mode: Some(1),
            profile_level_id: Some(profile),
            ..format()
        };
        video(number, Codec::H264, h264);
    }
    video(99, Codec::Vp8, format());
    video(100, Codec::Vp9, FormatParams { profile_id: Some(0), ..format() });
    video(101, Codec::Av1, format());
    // The main profile, main tier, up to level 6.
    codecs.add_h265(98.into(), None, 1, 0, 180);
    codecs.enable_opus(true, false);
    codecs.enable_pcmu(true, false);
    codecs.enable_pcma(true, false);
    codecs.enable_g722(true, false);
}

impl Receiver {
    /// A session that receives at an address of ours, and its offer.
    ///
    /// # Errors
    /// When the address is one that no session can be at.
    pub fn offer(local: SocketAddr, tcp: bool, now: Instant) -> Result<(Receiver, String), String> {
        let candidate = match tcp {
            false => Candidate::builder().udp().host(local).build(),
            true => Candidate::builder().tcp().host(local).tcptype(TcpType::Active).build(),
        };
        let mut config = Rtc::builder().set_crypto_provider(CRYPTO.clone()).set_rtp_mode(true).clear_codecs();
        offer_codecs(config.codec_config());
        let mut rtc = config.build(now);
        rtc.add_local_candidate(candidate.map_err(|error| error.to_string())?);
        let mut changes = rtc.sdp_api();
        for kind in [MediaKind::Video, MediaKind::Audio] {
            changes.add_media(kind, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().ok_or("the offer is empty")?;
        Ok((Receiver { rtc, pending: Some(pending), host: None, broke: None }, offer.to_sdp_string()))
    }

    /// Takes the answer, of whose candidates those on `host` alone count: nothing is sent to anybody else, whatever an answer
    /// says and whoever asks.
    ///
    /// # Errors
    /// When it cannot be read or does not fit the offer.
    pub fn accept(&mut self, answer: &str, host: IpAddr) -> Result<(), String> {
        let pending = self.pending.take().ok_or("the offer is answered already")?;
        self.host = Some(host);
        let answer = SdpAnswer::from_sdp_string(&of_host(answer, host)).map_err(|error| error.to_string())?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(|error| error.to_string())
    }

    /// Takes a datagram that came; then [`Receiver::poll`] until it waits. Those of other hosts are passed over: who asks with the
    /// session's password from an address that is not its own would have us send there.
    pub fn receive(&mut self, tcp: bool, from: SocketAddr, to: SocketAddr, bytes: &[u8], now: Instant) {
        if Some(from.ip()) != self.host {
            return;
        }
        let proto = if tcp { Protocol::Tcp } else { Protocol::Udp };
        if let Ok(received) = Receive::new(proto, from, to, bytes) {
            let input = Input::Receive(now, received);
            if self.rtc.accepts(&input)
                && let Err(error) = self.rtc.handle_input(input)
            {
                self.broke = Some(plain(&error));
            }
        }
    }

    /// Time has passed; then [`Receiver::poll`] until it waits.
    pub fn tick(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            self.broke = Some(plain(&error));
        }
    }

    /// Asks for a key frame.
    pub fn ask_for_key_frame(&mut self, mid: &str) {
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_rx_by_mid(mid.into(), None) {
            stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
        }
    }

    /// Says goodbye; then [`Receiver::poll`] until it has ended.
    pub fn close(&mut self) {
        if self.rtc.close().is_err() {
            self.rtc.disconnect();
        }
    }

    /// What happens next.
    pub fn poll(&mut self) -> Happened {
        loop {
            if let Some(why) = self.broke.take() {
                self.rtc.disconnect();
                return Happened::Broke(why);
            }
            if !self.rtc.is_alive() {
                return Happened::Ended;
            }
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => return Happened::Wait(at),
                Ok(Output::Transmit(sent)) => {
                    let (from, to) = (sent.source, sent.destination);
                    // An answer may be read there otherwise than here.
                    if Some(to.ip()) != self.host {
                        continue;
                    }
                    return Happened::Send(Datagram { from, to, contents: sent.contents.to_vec() });
                }
                Ok(Output::Event(Event::Connected)) => return Happened::Connected,
                Ok(Output::Event(Event::RtpPacket(packet))) => return Happened::Packet(self.received(&packet)),
                Ok(Output::Event(Event::Closed)) => return Happened::Ended,
                Err(error) => self.broke = Some(plain(&error)),
                Ok(Output::Event(_)) => {}
            }
        }
    }

    fn received(&self, packet: &RtpPacket) -> Received {
        let number = packet.header.payload_type;
        let mut known = self.rtc.codec_config().params().iter();
        let codec = known.find(|params| params.pt() == number).map(|params| params.spec().codec);
        let mut bytes = BytesMut::with_capacity(12 + packet.payload.len());
        bytes.put_u8(0x80);
        bytes.put_u8(u8::from(packet.header.marker) << 7 | *number & 0x7f);
        bytes.put_u16(packet.header.sequence_number);
        bytes.put_u32(packet.header.timestamp);
        bytes.put_u32(*packet.header.ssrc);
        bytes.put_slice(&packet.payload);
        Received {
            carried: carried(codec),
            sequence: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            bytes: bytes.freeze(),
        }
    }
}

fn carried(codec: Option<Codec>) -> Carried {
    match codec {
        Some(Codec::H264) => Carried::Video(VideoCodec::H264),
        Some(Codec::H265) => Carried::Video(VideoCodec::H265),
        Some(Codec::Vp8) => Carried::Video(VideoCodec::Vp8),
        Some(Codec::Vp9) => Carried::Video(VideoCodec::Vp9),
        Some(Codec::Av1) => Carried::Video(VideoCodec::Av1),
        Some(Codec::Opus) => Carried::Audio(AudioCodec::Opus),
        Some(Codec::PCMU) => Carried::Audio(AudioCodec::Pcmu),
        Some(Codec::PCMA) => Carried::Audio(AudioCodec::Pcma),
        Some(Codec::G722) => Carried::Audio(AudioCodec::G722),
        _ => Carried::Other,
    }
}

/// The answer without the candidates of other hosts, and with so many of this one's.
fn of_host(answer: &str, host: IpAddr) -> String {
    let mut left = MOST_CANDIDATES;
    let is_its = |line: &&str| match line.trim().strip_prefix("a=candidate:") {
        Some(candidate) => {
            let address = candidate.split(' ').nth(4).and_then(|ip| ip.parse::<IpAddr>().ok());
            let is_tried = address == Some(host) && left > 0;
            left -= usize::from(is_tried);
            is_tried
        }
        None => true,
    };
    answer.split_inclusive('\n').filter(is_its).collect()
}

/// What a session broke by. The library says it in words alone; `replay` and the lab hold it to them.
///
/// A peer that has no certificate of the kind that is asked for sends an empty list (RFC 5246 §7.4.6), and one of WebRTC always has
/// a certificate: RSA is the only other kind in use, as GStreamer 1.22 and Janus make it. Where the peer is the one that is asked,
/// it says that it has nothing in common with who asks (§7.2.2), which may be the certificate or something else.
fn plain(error: &RtcError) -> String {
    const EMPTY: &str = "no client certificate received";
    const NOTHING_IN_COMMON: &str = "received fatal alert: description=40";
    let text = error.to_string();
    if text.contains(EMPTY) {
        return "its certificate is not of the kind ECDSA, the only one camscan takes; most others are RSA".to_owned();
    }
    if text.contains(NOTHING_IN_COMMON) {
        return "it takes no encryption that camscan knows; most likely its certificate is RSA, and camscan takes only ECDSA"
            .to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_of_other_hosts_are_left_out() {
        let answer = "v=0\r\na=candidate:1 1 udp 2122260223 192.0.2.10 8555 typ host\r\n\
            a=candidate:2 1 udp 2122260222 198.51.100.9 8555 typ host\r\na=candidate:3 1 udp 1 x.local 5 typ host\r\n\
            a=candidate:\r\na=mid:0\r\n";
        assert_eq!(
            of_host(answer, "192.0.2.10".parse().unwrap()),
            "v=0\r\na=candidate:1 1 udp 2122260223 192.0.2.10 8555 typ host\r\na=mid:0\r\n"
        );
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        let local = "127.0.0.1:5000".parse().unwrap();
        let (mut receiver, offer) = Receiver::offer(local, false, Instant::now()).unwrap();
        assert!(offer.contains("m=video") && offer.contains("m=audio") && offer.contains("a=recvonly"));
        assert!(receiver.accept("<html>", local.ip()).is_err());
        assert!(receiver.accept("v=0\r\n", local.ip()).is_err(), "it was answered");
    }
}
