//! Offers and answers. Pure.

use std::fmt::Write as _;

use crate::media::h264;
use crate::model::{Audio, AudioCodec, Video, VideoCodec};

/// Lines read of one answer at most.
const MAX_LINES: usize = 2000;

/// What makes an offer one of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Seed {
    /// Number of the session.
    pub session: u32,
    /// Name and password for ICE, as far as they are needed.
    pub ice: u128,
    /// Fingerprint of a certificate; no handshake follows, so that of none.
    pub fingerprint: [u8; 32],
}

/// An offer to receive one picture and one sound in whatever is spoken (RFC 8829 §5.2).
pub fn offer(seed: &Seed) -> String {
    const VIDEO: &str = "a=rtpmap:96 H264/90000\r\n\
        a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
        a=rtpmap:97 H264/90000\r\n\
        a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640032\r\n\
        a=rtpmap:98 H265/90000\r\na=rtpmap:99 VP8/90000\r\na=rtpmap:100 VP9/90000\r\na=rtpmap:101 AV1/90000\r\n";
    const AUDIO: &str =
        "a=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\n";
    let ice = format!("{:032x}", seed.ice);
    let (user, password) = (ice.get(..8).unwrap_or_default(), ice.get(8..).unwrap_or_default());
    let fingerprint: Vec<String> = seed.fingerprint.iter().map(|b| format!("{b:02X}")).collect();
    let mut out = format!("v=0\r\no=- {} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n", seed.session);
    for (mid, kind, types, maps) in [(0, "video", "96 97 98 99 100 101", VIDEO), (1, "audio", "111 0 8 9", AUDIO)] {
        let _ = write!(
            out,
            "m={kind} 9 UDP/TLS/RTP/SAVPF {types}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
             a=ice-ufrag:{user}\r\na=ice-pwd:{password}\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\n\
             a=mid:{mid}\r\na=recvonly\r\na=rtcp-mux\r\n{maps}",
            fingerprint.join(":")
        );
    }
    out
}

/// What an answer says will be sent: the first codec of each kind that was not refused. None for what is no answer.
pub fn answer(sdp: &[u8]) -> Option<(Option<Video>, Option<Audio>)> {
    let text = String::from_utf8_lossy(sdp);
    if !text.trim_start().starts_with("v=0") {
        return None;
    }
    let lines: Vec<&str> = text.lines().map(str::trim).take(MAX_LINES).collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|&i| lines.get(i).is_some_and(|l| l.starts_with("m="))).collect();
    let (mut video, mut audio) = (None, None);
    for (number, &start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(lines.len());
        let section = lines.get(start..end).unwrap_or_default();
        if video.is_none() && is_sent(section, "video") {
            video = Some(section_video(section));
        } else if audio.is_none() && is_sent(section, "audio") {
            audio = Some(section_audio(section));
        }
    }
    Some((video, audio))
}

/// Whether a media section is of that kind and will be sent: port 0 refuses it, and so does a direction without sending.
fn is_sent(section: &[&str], kind: &str) -> bool {
    let media = section.first().and_then(|l| l.strip_prefix("m=")).unwrap_or_default();
    let mut words = media.split_whitespace();
    words.next() == Some(kind)
        && words.next() != Some("0")
        && !section.iter().any(|l| matches!(*l, "a=inactive" | "a=recvonly"))
}

/// The names and clocks of the codecs, in the order of the `m=` line.
fn codecs<'a>(section: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let types = section.first().map_or("", |l| l);
    let map = |kind: &str| {
        section.iter().find_map(|l| {
            let (number, codec) = l.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            (number == kind).then_some(codec)
        })
    };
    let fixed = |kind: &str| match kind {
        "0" => Some("PCMU/8000"),
        "8" => Some("PCMA/8000"),
        "9" => Some("G722/8000"),
        _ => None,
    };
    types.split_whitespace().skip(3).take(64).filter_map(|k| Some((k, map(k).or(fixed(k))?))).collect()
}

fn section_video(section: &[&str]) -> Video {
    let known = |codec: &str| match codec.split('/').next()?.to_ascii_uppercase().as_str() {
        "H264" => Some(VideoCodec::H264),
        "H265" | "HEVC" => Some(VideoCodec::H265),
        "VP8" => Some(VideoCodec::Vp8),
        "VP9" => Some(VideoCodec::Vp9),
        "AV1" => Some(VideoCodec::Av1),
        "JPEG" => Some(VideoCodec::Mjpeg),
        _ => None,
    };
    let found = codecs(section).into_iter().find_map(|(number, codec)| Some((number, known(codec)?)));
    let Some((number, codec)) = found else { return Video::default() };
    let level = section.iter().find_map(|l| {
        let (kind, parameters) = l.strip_prefix("a=fmtp:")?.split_once(' ')?;
        let value = parameters.split(';').find_map(|p| p.trim().strip_prefix("profile-level-id="))?;
        (kind == number && codec == VideoCodec::H264).then(|| h264::profile_level_id(value))?
    });
    let (profile, level) = level.map(|(p, l)| (p.to_owned(), l)).unzip();
    Video { codec: Some(codec), profile, level, ..Video::default() }
}

fn section_audio(section: &[&str]) -> Audio {
    let known = |codec: &str| {
        let mut parts = codec.split('/');
        let name = match parts.next()?.to_ascii_lowercase().as_str() {
            "opus" => AudioCodec::Opus,
            "pcmu" => AudioCodec::Pcmu,
            "pcma" => AudioCodec::Pcma,
            // RFC 3551 §4.5.2: the clock says 8000, the samples are 16000.
            "g722" => return Some((AudioCodec::G722, Some(16_000), Some(1))),
            "l16" => AudioCodec::Pcm,
            "mpeg4-generic" => AudioCodec::Aac,
            _ => return None,
        };
        let rate = parts.next().and_then(|r| r.parse().ok()).filter(|r| (4000..=192_000).contains(r));
        let channels = parts.next().and_then(|c| c.parse().ok()).filter(|c| (1..=64u16).contains(c)).or(Some(1));
        Some((name, rate, channels))
    };
    let found = codecs(section).into_iter().find_map(|(_, codec)| known(codec));
    found.map_or_else(Audio::default, |(codec, sample_rate_hz, channels)| Audio {
        codec: Some(codec),
        sample_rate_hz,
        channels,
        ..Audio::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEED: Seed = Seed { session: 7, ice: u128::MAX, fingerprint: [0xab; 32] };

    #[test]
    fn an_offer_has_what_rfc_8829_asks_for() {
        let offer = offer(&SEED);
        assert!(offer.ends_with("\r\n") && !offer.contains("\n\n"));
        let sections: Vec<&str> = offer.split("m=").skip(1).collect();
        assert_eq!(sections.len(), 2);
        for section in sections {
            for line in ["a=ice-ufrag:ffffffff\r\n", "a=setup:actpass\r\n", "a=recvonly\r\n", "a=rtcp-mux\r\n"] {
                assert!(section.contains(line), "{line}");
            }
            assert!(section.contains(&["AB"; 32].join(":")));
        }
        // Nothing is sent by who only receives.
        assert_eq!(answer(offer.as_bytes()), Some((None, None)));
    }

    #[test]
    fn answers_of_servers() {
        let of = |media: &str| {
            answer(format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{media}").as_bytes()).unwrap()
        };
        let (video, audio) = of(
            "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=sendonly\r\nm=video 9 UDP/TLS/RTP/SAVPF 98 97\r\na=rtpmap:98 rtx/90000\r\n\
             a=rtpmap:97 H264/90000\r\na=fmtp:97 packetization-mode=1;profile-level-id=640028\r\na=sendonly\r\n",
        );
        let video = video.unwrap();
        assert_eq!((video.codec, video.profile.as_deref()), (Some(VideoCodec::H264), Some("High")));
        assert_eq!(audio.map(|a| (a.codec, a.sample_rate_hz)), Some((Some(AudioCodec::Pcmu), Some(8000))));
        assert_eq!(of("m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n"), (None, None));
        assert_eq!(
            of("m=video 9 X 96\na=inactive\nm=audio 9 X 111\na=rtpmap:111 opus/48000/2\n").1.unwrap().channels,
            Some(2)
        );
        assert_eq!(answer(b"<html>"), None);
    }

    proptest! {
        #[test]
        fn any_text_does(text: String, lines in prop::collection::vec("(m=video|m=audio|a=rtpmap:|a=fmtp:)?[ 0-9A-Za-z/=;-]{0,20}", 0..12)) {
            answer(text.as_bytes());
            answer(format!("v=0\n{}", lines.join("\n")).as_bytes());
        }
    }
}
