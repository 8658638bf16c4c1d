//! An offer of a viewer, and the answer to it: one picture and at most one sound, in the codecs the camera sends, with all
//! addresses a viewer may reach us at (RFC 8829, RFC 8839, RFC 6544).

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::Codec;
use str0m::media::Mid;
use str0m::net::TcpType;
use str0m::{Candidate, Rtc, RtcConfig};

use crate::media::format::{AudioFormat, VideoFormat};
use crate::model::{AudioCodec, VideoCodec};

/// How often a connected viewer's statistics are made.
const STATISTICS: Duration = Duration::from_secs(5);

/// What H.264 is offered as: profile and level, packetization mode 1 throughout (RFC 6184 §8.1, RFC 7742 §6.2), with payload
/// types for it and its resends. Level and, where it must be, profile are what the browser calls them; it decodes what comes.
const H264: [(u8, u8, u32); 5] =
    [(108, 109, 0x42_e01f), (127, 121, 0x42_001f), (123, 119, 0x4d_001f), (114, 115, 0x64_001f), (112, 113, 0x64_0c1f)];

/// What all sessions share.
pub(super) struct Means {
    pub crypto: Arc<CryptoProvider>,
    pub certificate: DtlsCert,
}

impl Means {
    /// Makes the one certificate of this process.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> Result<Means, String> {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto.dtls_provider.generate_certificate();
        let certificate = certificate.ok_or_else(|| "no certificate could be made".to_owned())?;
        Ok(Means { crypto, certificate })
    }
}

/// Where a viewer may reach us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Addresses of this machine, the likeliest first.
    pub udp: Vec<SocketAddr>,
    /// The same for TCP.
    pub tcp: Vec<SocketAddr>,
    /// Addresses that others forward to one of these.
    pub forwarded: Vec<SocketAddr>,
}

/// A session that was agreed on.
pub(super) struct Agreed {
    pub rtc: Rtc,
    pub answer: String,
    pub ufrag: String,
    pub video: Mid,
    pub audio: Option<Mid>,
    /// What is sent as the picture.
    pub codec: VideoCodec,
    /// What is sent as the sound.
    pub sound: Option<AudioCodec>,
}

/// Why none was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAgreement {
    /// The offer is none.
    #[error("the offer cannot be read: {0}")]
    Unreadable(String),
    /// It offers to receive no picture.
    #[error("the offer asks for no picture")]
    NoPicture,
    /// It does not name the codec.
    #[error("the viewer takes no {0} over WebRTC")]
    NoCodec(&'static str),
}

/// The name of a codec in session descriptions, where WebRTC carries it.
fn name(codec: VideoCodec) -> Option<Codec> {
    match codec {
        VideoCodec::H264 => Some(Codec::H264),
        VideoCodec::H265 => Some(Codec::H265),
        VideoCodec::Vp8 => Some(Codec::Vp8),
        VideoCodec::Vp9 => Some(Codec::Vp9),
        VideoCodec::Mjpeg | VideoCodec::Mpeg4 | VideoCodec::Av1 => None,
    }
}

/// The same for sound.
pub(super) fn name_of_sound(codec: AudioCodec) -> Option<Codec> {
    match codec {
        AudioCodec::Opus => Some(Codec::Opus),
        AudioCodec::Pcmu => Some(Codec::PCMU),
        AudioCodec::Pcma => Some(Codec::PCMA),
        AudioCodec::G722 => Some(Codec::G722),
        AudioCodec::Aac | AudioCodec::Pcm | AudioCodec::G726 | AudioCodec::Mp3 => None,
    }
}

/// Answers an offer.
///
/// # Errors
/// When the offer cannot be read, asks for no picture, or takes none in the stream's codec. No answer that refuses the
/// picture is ever made: a page that gets one stays black.
pub(super) fn answer(
    offer: &str,
    video: &VideoFormat,
    audio: Option<&AudioFormat>,
    reach: &Reach,
    means: &Means,
    now: Instant,
) -> Result<Agreed, NoAgreement> {
    // What is read is a stranger's.
    let outcome = catch_unwind(AssertUnwindSafe(|| answer_of(offer, video, audio, reach, means, now)));
    outcome.unwrap_or_else(|_| Err(NoAgreement::Unreadable("internal error".to_owned())))
}

fn answer_of(
    offer: &str,
    video: &VideoFormat,
    audio: Option<&AudioFormat>,
    reach: &Reach,
    means: &Means,
    now: Instant,
) -> Result<Agreed, NoAgreement> {
    let unreadable =
        |error: &dyn std::fmt::Display| NoAgreement::Unreadable(crate::text::clean_to(&error.to_string(), 120));
    let codec = name(video.codec).ok_or(NoAgreement::NoCodec(video.codec.in_words()))?;
    if !sections(offer).any(|section| section.kind == "video" && section.is_live()) {
        return Err(NoAgreement::NoPicture);
    }
    let offered = SdpOffer::from_sdp_string(offer).map_err(|e| unreadable(&e))?;
    let mut rtc = configured(codec, audio.and_then(|audio| name_of_sound(audio.codec)), means).build(now);
    for candidate in candidates(reach) {
        rtc.add_local_candidate(candidate);
    }
    let answered = rtc.sdp_api().accept_offer(offered).map_err(|e| unreadable(&e))?;
    let answer = answered.to_sdp_string();
    let of_kind = |kind: &str| sections(&answer).find(|s| s.kind == kind && s.is_live()).map(|s| Mid::from(s.mid));
    let Some(picture) = of_kind("video") else { return Err(NoAgreement::NoCodec(video.codec.in_words())) };
    let sound = of_kind("audio");
    let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
    let answer = with_forwarded(&answer, &reach.forwarded);
    let audio = audio.map(|audio| audio.codec).filter(|_| sound.is_some());
    Ok(Agreed { rtc, answer, ufrag, video: picture, audio: sound, codec: video.codec, sound: audio })
}

/// An `Rtc` that sends these codecs and no others. Sound that cannot be sent is answered as silent Opus: a page that offers
/// to receive sound gets a picture all the same.
fn configured(video: Codec, audio: Option<Codec>, means: &Means) -> RtcConfig {
    let audio = audio.unwrap_or(Codec::Opus);
    let mut config = Rtc::builder()
        .set_crypto_provider(means.crypto.clone())
        .set_dtls_cert(means.certificate.clone())
        .set_rtp_mode(true)
        .set_ice_lite(true)
        .set_stats_interval(Some(STATISTICS))
        .clear_codecs()
        .enable_vp8(video == Codec::Vp8)
        .enable_vp9(video == Codec::Vp9)
        .enable_h265(video == Codec::H265)
        .enable_opus(audio == Codec::Opus, false)
        .enable_pcmu(audio == Codec::PCMU, false)
        .enable_pcma(audio == Codec::PCMA, false)
        .enable_g722(audio == Codec::G722, false);
    if video == Codec::H264 {
        for (number, resend, profile) in H264 {
            config.codec_config().add_h264(number.into(), Some(resend.into()), true, profile);
        }
    }
    config
}

fn candidates(reach: &Reach) -> impl Iterator<Item = Candidate> {
    let udp = reach.udp.iter().map(|at| Candidate::builder().udp().host(*at).build());
    let tcp = reach.tcp.iter().map(|at| Candidate::builder().tcp().host(*at).tcptype(TcpType::Passive).build());
    udp.chain(tcp).filter_map(Result::ok)
}

/// The answer with the addresses that others forward to us, beside our own: one section speaks for all of the bundle (RFC
/// 9143 §7.1.3). They are ours as little as that of a NAT is, so that the session need not know of them.
fn with_forwarded(answer: &str, forwarded: &[SocketAddr]) -> String {
    let Some(at) = answer.find("a=candidate:") else { return answer.to_owned() };
    let (before, after) = answer.split_at(at);
    let mut out = before.to_owned();
    for (number, at) in forwarded.iter().enumerate() {
        let (ip, port) = (at.ip(), at.port());
        // Behind what is on the same link, UDP before TCP (RFC 8445 §5.1.2.1).
        let (udp, tcp) = (1_694_498_815 - number, 1_518_280_447 - number);
        out.push_str(&format!("a=candidate:f{number} 1 udp {udp} {ip} {port} typ host\r\n"));
        out.push_str(&format!("a=candidate:t{number} 1 tcp {tcp} {ip} {port} typ host tcptype passive\r\n"));
    }
    out + after
}

/// A media section, as far as is needed here.
struct Section<'a> {
    kind: &'a str,
    port: &'a str,
    mid: &'a str,
    inactive: bool,
}

impl Section<'_> {
    fn is_live(&self) -> bool {
        self.port != "0" && !self.inactive
    }
}

fn sections(sdp: &str) -> impl Iterator<Item = Section<'_>> {
    let starts = sdp.match_indices("m=").map(|(at, _)| at).filter(|&at| at == 0 || sdp[..at].ends_with('\n'));
    let starts: Vec<usize> = starts.collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([sdp.len()]).collect();
    starts.into_iter().zip(ends).filter_map(|(start, end)| {
        let text = sdp.get(start..end)?;
        let mut words = text.lines().next()?.strip_prefix("m=")?.split_whitespace();
        let (kind, port) = (words.next()?, words.next()?);
        let mid = text.lines().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or_default().trim();
        let inactive = text.lines().any(|line| line.trim() == "a=inactive");
        Some(Section { kind, port, mid, inactive })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use str0m::media::{Direction, MediaKind};

    fn h264() -> VideoFormat {
        VideoFormat { codec: VideoCodec::H264, sets: Vec::new(), size: None }
    }

    fn sound(codec: AudioCodec) -> AudioFormat {
        AudioFormat { codec, clock_rate: 8000, channels: 1, config: bytes::Bytes::new() }
    }

    fn reach() -> Reach {
        Reach {
            udp: vec!["192.0.2.1:8555".parse().unwrap()],
            tcp: vec!["192.0.2.1:8555".parse().unwrap()],
            forwarded: vec!["[2001:db8::7]:9000".parse().unwrap()],
        }
    }

    fn offer(config: RtcConfig, media: &[MediaKind]) -> String {
        let mut rtc = config.build(Instant::now());
        let mut changes = rtc.sdp_api();
        for kind in media {
            changes.add_media(*kind, Direction::RecvOnly, None, None, None);
        }
        changes.apply().unwrap().0.to_sdp_string()
    }

    fn viewer(means: &Means) -> RtcConfig {
        Rtc::builder().set_crypto_provider(means.crypto.clone())
    }

    fn agreed(
        offer: &str,
        video: &VideoFormat,
        audio: Option<AudioFormat>,
        means: &Means,
    ) -> Result<Agreed, NoAgreement> {
        answer(offer, video, audio.as_ref(), &reach(), means, Instant::now())
    }

    #[test]
    fn picture_and_sound_are_found_wherever_they_stand() {
        let means = Means::new().unwrap();
        for media in [&[MediaKind::Video, MediaKind::Audio][..], &[MediaKind::Audio, MediaKind::Video]] {
            let agreed = agreed(&offer(viewer(&means), media), &h264(), Some(sound(AudioCodec::Opus)), &means).unwrap();
            assert!(agreed.audio.is_some());
            assert_eq!(agreed.answer.matches(&format!("a=mid:{}\r\n", agreed.video)).count(), 1);
            assert!(agreed.answer.contains("a=ice-lite"));
            assert!(agreed.answer.contains(&format!("a=ice-ufrag:{}", agreed.ufrag)));
            for at in [
                "192.0.2.1 8555 typ host ufrag",
                "192.0.2.1 8555 typ host tcptype passive",
                "2001:db8::7 9000 typ host",
            ] {
                assert!(agreed.answer.contains(at), "{at} in {}", agreed.answer);
            }
        }
    }

    #[test]
    fn sound_that_webrtc_cannot_carry_leaves_the_picture() {
        let means = Means::new().unwrap();
        let offer = offer(viewer(&means), &[MediaKind::Audio, MediaKind::Video]);
        for audio in [Some(sound(AudioCodec::Aac)), None] {
            let agreed = agreed(&offer, &h264(), audio, &means).unwrap();
            assert!(!agreed.answer.contains("m=video 0") && !agreed.answer.contains("m=audio 0"), "{}", agreed.answer);
        }
    }

    #[test]
    fn what_cannot_be_shown_is_refused_before_it_is_answered() {
        let means = Means::new().unwrap();
        let h265 = VideoFormat { codec: VideoCodec::H265, ..h264() };
        let mjpeg = VideoFormat { codec: VideoCodec::Mjpeg, ..h264() };
        let vp8 = offer(viewer(&means).clear_codecs().enable_vp8(true), &[MediaKind::Video]);
        let heard = offer(viewer(&means), &[MediaKind::Audio]);
        let refused = |offer: &str, video: &VideoFormat| agreed(offer, video, None, &means).err().unwrap();
        assert_eq!(refused(&vp8, &h264()), NoAgreement::NoCodec("H.264"));
        assert_eq!(refused(&vp8, &h265), NoAgreement::NoCodec("H.265"));
        assert_eq!(refused(&vp8, &mjpeg), NoAgreement::NoCodec("MJPEG"));
        assert_eq!(refused(&heard, &h264()), NoAgreement::NoPicture);
        assert_eq!(refused("", &h264()), NoAgreement::NoPicture);
        assert!(matches!(refused("v=0\r\nm=video 9 X 96\r\n", &h264()), NoAgreement::Unreadable(_)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_offer_is_answered_or_refused(cut in 0usize..4000, bytes: [u8; 4], text: String) {
            let means = Means::new().unwrap();
            let whole = offer(viewer(&means), &[MediaKind::Audio, MediaKind::Video]);
            let mut broken = whole.into_bytes();
            let at = cut.min(broken.len().saturating_sub(4));
            broken.splice(at..at + 4, bytes);
            let _ = agreed(&String::from_utf8_lossy(&broken), &h264(), None, &means);
            let _ = agreed(&format!("v=0\r\nm=video {text}"), &h264(), None, &means);
        }
    }
}
