//! The sending end of a WebRTC session, without I/O and clock: datagrams, time and packets go in, datagrams come out.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use str0m::change::SdpOffer;
use str0m::config::CryptoProvider;
use str0m::format::Codec;
use str0m::media::{Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use crate::kit::answer::session::{self as description, Own};

/// One for all sessions: it holds nothing.
static CRYPTO: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(str0m::crypto::from_feature_flags()));

/// What tracks are called in descriptions, in the order of the numbers that they have in a kit.
const KINDS: [&str; 2] = ["video", "audio"];
/// H.264 as it is offered: payload type, profile and level; the offer's own numbers are taken.
const H264: [(u8, u32); 5] = [(108, 0x42_e01f), (127, 0x42_001f), (123, 0x4d_001f), (114, 0x64_001f), (112, 0x64_0c1f)];
/// More numbers than this are never left out between two packets.
const MOST_LOST: u16 = 100;

/// A track that is sent.
struct Track {
    mid: Mid,
    codec: Option<Codec>,
    /// The source that the answer names.
    source: Option<u32>,
    /// Known when the session stands.
    number: Option<Pt>,
    /// The extended sequence number (RFC 3711 §3.3.1), and that in the kit of the last packet.
    next: u64,
    last: Option<u16>,
}

/// A session that was agreed on.
pub(super) struct Session {
    rtc: Rtc,
    tracks: [Option<Track>; 2],
    is_connected: bool,
}

/// What happens next.
pub(super) enum Happened {
    /// These bytes are to be sent there.
    Send(SocketAddr, Vec<u8>),
    /// The session is encrypted and stands.
    Connected,
    /// It is over.
    Ended,
    /// Nothing before this moment, unless a datagram comes.
    Wait(Instant),
}

/// What a session is of.
pub(super) struct Wanted<'w> {
    /// What is asked for.
    pub offer: &'w str,
    /// The answer that the device gave to another offer.
    pub recorded: &'w str,
    /// The payload types of the tracks, as recorded.
    pub payload_types: [Option<u8>; 2],
    /// Where the session is.
    pub local: SocketAddr,
}

impl Session {
    /// Answers an offer: with the recorded answer where that fits it, and else with one of our own.
    ///
    /// # Errors
    /// When the offer cannot be read or cannot be answered.
    pub fn answer(wanted: &Wanted<'_>, now: Instant) -> Result<(Session, String), String> {
        // What is read is a stranger's.
        let outcome = catch_unwind(AssertUnwindSafe(|| Session::answer_to(wanted, now)));
        outcome.unwrap_or_else(|_| Err("internal error".to_owned()))
    }

    fn answer_to(wanted: &Wanted<'_>, now: Instant) -> Result<(Session, String), String> {
        let Wanted { offer, recorded, payload_types, local } = wanted;
        let codecs = [0, 1].map(|track| {
            let kind = KINDS.get(track).copied().unwrap_or_default();
            description::codec(recorded, kind, payload_types.get(track).copied().flatten()).and_then(named)
        });
        // Who does not begin the handshake waits for it.
        let offered = match description::begins_handshake(recorded) {
            true => offer.replace("a=setup:actpass", "a=setup:passive"),
            false => (*offer).to_owned(),
        };
        let offered = SdpOffer::from_sdp_string(&offered).map_err(|error| error.to_string())?;
        let mut rtc = configured(codecs).build(now);
        let candidate = Candidate::builder().udp().host(*local).build().map_err(|error| error.to_string())?;
        rtc.add_local_candidate(candidate);
        let answered = rtc.sdp_api().accept_offer(offered).map_err(|error| error.to_string())?.to_sdp_string();
        let own = Own::of(&answered).ok_or("the answer has no session")?;
        let renewed = description::renew(recorded, offer, &own);
        let is_renewed = renewed.is_some();
        let answer = renewed.unwrap_or(answered);
        let mut tracks = [None, None];
        for ((track, kind), codec) in tracks.iter_mut().zip(KINDS).zip(codecs) {
            *track = description::mid(&answer, kind).map(|mid| Track {
                mid: Mid::from(mid),
                codec,
                source: description::source(&answer, kind).filter(|_| is_renewed),
                number: None,
                // Below the first wrap, which a receiver that has seen nothing yet cannot know of.
                next: 1,
                last: None,
            });
        }
        Ok((Session { rtc, tracks, is_connected: false }, answer))
    }

    /// Takes a datagram that came; then [`Session::poll`] until it waits.
    pub fn receive(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], now: Instant) {
        if let Ok(received) = Receive::new(Protocol::Udp, from, to, bytes) {
            let input = Input::Receive(now, received);
            if self.rtc.accepts(&input) && self.rtc.handle_input(input).is_err() {
                self.rtc.disconnect();
            }
        }
    }

    /// Time has passed; then [`Session::poll`] until it waits.
    pub fn tick(&mut self, now: Instant) {
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.rtc.disconnect();
        }
    }

    /// Says goodbye; then [`Session::poll`] until it waits.
    pub fn close(&mut self) {
        if self.rtc.close().is_err() {
            self.rtc.disconnect();
        }
    }

    /// What happens next.
    pub fn poll(&mut self) -> Happened {
        loop {
            if !self.rtc.is_alive() {
                return Happened::Ended;
            }
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => return Happened::Wait(at),
                Ok(Output::Transmit(sent)) => return Happened::Send(sent.destination, sent.contents.to_vec()),
                Ok(Output::Event(Event::Connected)) => {
                    self.is_connected = true;
                    self.number_tracks();
                    return Happened::Connected;
                }
                Ok(Output::Event(_)) => {}
                Err(_) => self.rtc.disconnect(),
            }
        }
    }

    /// Finds the payload types that were agreed on, and has packets come from the sources that were announced.
    fn number_tracks(&mut self) {
        for track in self.tracks.iter_mut().flatten() {
            let Some(media) = self.rtc.media(track.mid) else { continue };
            let agreed = media.remote_pts().to_vec();
            let known = self.rtc.codec_config().params().iter().filter(|params| agreed.contains(&params.pt()));
            let fitting = known.filter(|params| Some(params.spec().codec) == track.codec);
            // The offer's order is its preference.
            track.number = fitting.map(|p| p.pt()).min_by_key(|pt| agreed.iter().position(|known| known == pt));
            if let Some(source) = track.source {
                let mut api = self.rtc.direct_api();
                let _ = api.reset_stream_tx(track.mid, None, source.into(), None);
            }
        }
    }

    /// Sends a packet of a track as it is in the kit; then [`Session::poll`] until it waits.
    pub fn send(&mut self, track: usize, packet: &[u8], now: Instant) {
        let Some(track) = self.tracks.get_mut(track).and_then(Option::as_mut).filter(|_| self.is_connected) else {
            return;
        };
        let Some((header, payload)) = packet.split_first_chunk::<12>().filter(|(_, payload)| !payload.is_empty())
        else {
            return;
        };
        let &[0x80, kind, s1, s0, t3, t2, t1, t0, ..] = header else { return };
        let (sequence, time) = (u16::from_be_bytes([s1, s0]), u32::from_be_bytes([t3, t2, t1, t0]));
        // What was lost at the device is missing here. A lap begins with the next number.
        let step = track.last.map_or(1, |last| sequence.wrapping_sub(last));
        track.next += u64::from(if (1..=MOST_LOST).contains(&step) { step } else { 1 });
        track.last = Some(sequence);
        let Some(number) = track.number else { return };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(track.mid, None) else { return };
        let write = RtpWrite::new(number, track.next.into(), time, now, payload.to_vec());
        stream.write_rtp(write.marker(kind & 0x80 != 0).nackable(false));
        self.tick(now);
    }
}

/// A codec by its name in descriptions.
fn named(name: &str) -> Option<Codec> {
    match name.to_ascii_uppercase().as_str() {
        "H264" => Some(Codec::H264),
        "H265" => Some(Codec::H265),
        "VP8" => Some(Codec::Vp8),
        "VP9" => Some(Codec::Vp9),
        "AV1" => Some(Codec::Av1),
        "OPUS" => Some(Codec::Opus),
        "PCMU" => Some(Codec::PCMU),
        "PCMA" => Some(Codec::PCMA),
        "G722" => Some(Codec::G722),
        _ => None,
    }
}

/// An `Rtc` that sends these codecs and no others. It answers and never asks: nothing is sent to an address for standing in
/// an offer (RFC 8445 §2.5).
fn configured(codecs: [Option<Codec>; 2]) -> RtcConfig {
    let has = |codec| codecs.contains(&Some(codec));
    let mut config = Rtc::builder()
        .set_crypto_provider(CRYPTO.clone())
        .set_rtp_mode(true)
        .set_ice_lite(true)
        .clear_codecs()
        .enable_vp8(has(Codec::Vp8))
        .enable_vp9(has(Codec::Vp9))
        .enable_h265(has(Codec::H265))
        .enable_av1(has(Codec::Av1))
        .enable_pcmu(has(Codec::PCMU), false)
        .enable_pcma(has(Codec::PCMA), false)
        .enable_g722(has(Codec::G722), false)
        // Sound that is not there is answered as silent Opus: a page that offers to hear it gets its picture all the same.
        .enable_opus(has(Codec::Opus) || codecs.iter().skip(1).all(Option::is_none), false);
    if has(Codec::H264) {
        for (number, profile) in H264 {
            config.codec_config().add_h264(number.into(), None, true, profile);
        }
    }
    config
}
