//! What `rtpmap` and `fmtp` say of a codec: names, the static payload types, parameter sets, configurations.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::media::{aac, describe, h264, h265, mpeg4, nal, rounded};
use crate::model::{Audio, AudioCodec, FpsSource, Video, VideoCodec};

/// The longest parameter decoded, in characters; parameter sets take a few hundred.
const MAX_PARAMETER: usize = 64 * 1024;
/// Parameter sets kept of one media.
const MAX_PARAMETER_SETS: usize = 32;

/// Encoding, clock rate and channels of a static payload type (RFC 3551 §6).
pub fn static_payload_type(payload_type: u8) -> Option<(&'static str, u32, Option<u16>)> {
    Some(match payload_type {
        0 => ("PCMU", 8000, Some(1)),
        3 => ("GSM", 8000, Some(1)),
        4 => ("G723", 8000, Some(1)),
        5 => ("DVI4", 8000, Some(1)),
        6 => ("DVI4", 16000, Some(1)),
        8 => ("PCMA", 8000, Some(1)),
        9 => ("G722", 8000, Some(1)),
        10 => ("L16", 44100, Some(2)),
        11 => ("L16", 44100, Some(1)),
        14 => ("MPA", 90000, None),
        18 => ("G729", 8000, Some(1)),
        26 => ("JPEG", 90000, None),
        31 => ("H261", 90000, None),
        32 => ("MPV", 90000, None),
        33 => ("MP2T", 90000, None),
        34 => ("H263", 90000, None),
        _ => return None,
    })
}

/// The name without what makers vary: case, dots, blanks, an `X-` in front.
fn plain(encoding: &str) -> String {
    let name: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    match name.strip_prefix('x') {
        Some(rest) if encoding.get(1..2) == Some("-") => rest.to_owned(),
        _ => name,
    }
}

/// The video codec of that encoding name, also by names that are not registered (HEVC).
pub fn video_codec(encoding: &str) -> Option<VideoCodec> {
    Some(match plain(encoding).as_str() {
        "h264" | "avc" | "avc1" | "h264svc" => VideoCodec::H264,
        "h265" | "hevc" | "hvc1" | "hev1" => VideoCodec::H265,
        "jpeg" | "mjpeg" | "mjpg" => VideoCodec::Mjpeg,
        "mp4ves" | "mpeg4" | "mp4v" | "xvid" => VideoCodec::Mpeg4,
        "av1" => VideoCodec::Av1,
        "vp8" => VideoCodec::Vp8,
        "vp9" => VideoCodec::Vp9,
        _ => return None,
    })
}

/// The audio codec of that encoding name.
pub fn audio_codec(encoding: &str) -> Option<AudioCodec> {
    Some(match plain(encoding).as_str() {
        "mpeg4generic" | "mp4alatm" | "aac" | "mp4a" | "aaclc" => AudioCodec::Aac,
        "pcmu" | "g711u" | "ulaw" | "g711ulaw" | "g711mu" => AudioCodec::Pcmu,
        "pcma" | "g711a" | "alaw" | "g711alaw" | "g711" => AudioCodec::Pcma,
        "l8" | "l16" | "l24" | "pcm" => AudioCodec::Pcm,
        "opus" => AudioCodec::Opus,
        "g722" => AudioCodec::G722,
        name if name.starts_with("g726") || name.starts_with("aal2g726") => AudioCodec::G726,
        "mpa" | "mp3" | "mparobust" => AudioCodec::Mp3,
        _ => return None,
    })
}

/// The parameters of a format, keys in lower case, in their order (`packetization-mode=1; sprop-…`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fmtp(pub Vec<(String, String)>);

impl Fmtp {
    /// Reads the part after the payload type. Blanks around `;` and `=` and a `;` at the end do not matter.
    pub fn parse(parameters: &str) -> Fmtp {
        let parameter = |field: &str| {
            let (key, value) = field.split_once('=').unwrap_or((field, ""));
            (key.trim().to_ascii_lowercase(), value.trim().to_owned())
        };
        Fmtp(parameters.split(';').map(parameter).filter(|(key, _)| !key.is_empty()).take(256).collect())
    }

    /// The value of a key, given in lower case.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }
}

/// The codec a format must be when nothing names it, told by parameters only one codec has.
pub fn encoding_of(fmtp: &Fmtp) -> Option<&'static str> {
    match () {
        () if fmtp.get("sprop-parameter-sets").is_some() => Some("H264"),
        () if fmtp.get("sprop-vps").or(fmtp.get("sprop-sps")).is_some() => Some("H265"),
        () if fmtp.get("mode").is_some_and(|mode| mode.to_ascii_lowercase().starts_with("aac")) => {
            Some("MPEG4-GENERIC")
        }
        () => None,
    }
}

/// The parameter sets in a format's parameters, as NAL units without start codes: sprop first, then `config=`.
pub fn parameter_sets(codec: VideoCodec, fmtp: &Fmtp) -> Vec<Vec<u8>> {
    let sprop: &[&str] = match codec {
        VideoCodec::H264 => &["sprop-parameter-sets"],
        VideoCodec::H265 => &["sprop-vps", "sprop-sps", "sprop-pps"],
        VideoCodec::Mpeg4 => return fmtp.get("config").and_then(hexadecimal).into_iter().collect(),
        _ => return Vec::new(),
    };
    let coded = sprop.iter().filter_map(|key| fmtp.get(key)).flat_map(|value| value.split(',')).filter_map(base64);
    let config = fmtp.get("config").and_then(hexadecimal);
    let mut sets: Vec<Vec<u8>> = Vec::new();
    for bytes in coded.chain(config) {
        for unit in nal::annex_b(&bytes).filter(|unit| is_parameter_set(codec, unit)) {
            if sets.len() < MAX_PARAMETER_SETS && !sets.iter().any(|set| set == unit) {
                sets.push(unit.to_vec());
            }
        }
    }
    sets
}

fn is_parameter_set(codec: VideoCodec, unit: &[u8]) -> bool {
    match codec {
        VideoCodec::H264 => matches!(h264::nal_type(unit), h264::SPS | h264::PPS),
        _ => (h265::VPS..=h265::PPS).contains(&h265::nal_type(unit)),
    }
}

/// Base64 as cameras write it: with or without padding, in quotes, in either alphabet.
fn base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let mut digits: String = text
        .chars()
        .take(MAX_PARAMETER)
        .filter_map(|c| match c {
            '-' => Some('+'),
            '_' => Some('/'),
            c if c.is_ascii_alphanumeric() || matches!(c, '+' | '/') => Some(c),
            _ => None,
        })
        .collect();
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    LENIENT.decode(digits).ok().filter(|bytes| !bytes.is_empty())
}

/// Hexadecimal digits as bytes; a half byte at the end is completed by 0.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .trim_matches('"')
        .chars()
        .take(MAX_PARAMETER)
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let bytes: Vec<u8> = digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    Some(bytes).filter(|bytes| !bytes.is_empty())
}

/// What the parameter sets of a video say, and what only `fmtp` does: profile and level where no SPS tells them.
/// `fps` and sizes are those of the parameter sets alone.
pub fn video(codec: VideoCodec, fmtp: &Fmtp, sets: &[Vec<u8>]) -> Video {
    let mut video = from_parameter_sets(codec, sets.iter().map(Vec::as_slice));
    if video.profile.is_none() && video.level.is_none() {
        (video.profile, video.level) = declared_profile(codec, fmtp);
    }
    video
}

/// A video as its parameter sets describe it; what they do not say is left out.
pub fn from_parameter_sets<'a>(codec: VideoCodec, sets: impl Iterator<Item = &'a [u8]> + Clone) -> Video {
    let described = match codec {
        VideoCodec::H264 => sets.clone().find_map(h264::Sps::parse).map(|sps| describe::h264(&sps)),
        VideoCodec::H265 => {
            let sps = sets.clone().find_map(h265::Sps::parse).map(|sps| describe::h265(&sps));
            let vps = sets.clone().find_map(h265::Vps::parse);
            sps.into_iter().chain(vps.map(|vps| of_vps(&vps))).reduce(with_gaps_filled)
        }
        VideoCodec::Mpeg4 => sets.clone().find_map(mpeg4::Config::parse).map(|config| of_mpeg4(&config)),
        _ => None,
    };
    Video { codec: Some(codec), ..described.unwrap_or_default() }
}

/// The video parameter set stands in for what the sequence's leaves out.
fn of_vps(vps: &h265::Vps) -> Video {
    let fps = vps.fps().map(rounded);
    Video {
        profile: vps.profile_tier_level.profile().map(str::to_owned),
        level: vps.profile_tier_level.level(),
        fps,
        fps_source: fps.map(|_| FpsSource::Sps),
        ..Video::default()
    }
}

fn with_gaps_filled(sps: Video, vps: Video) -> Video {
    let (fps, fps_source) = if sps.fps.is_some() { (sps.fps, sps.fps_source) } else { (vps.fps, vps.fps_source) };
    Video { fps, fps_source, ..sps }
}

fn of_mpeg4(config: &mpeg4::Config) -> Video {
    let (width, height) = config.size.unzip();
    let fps = config.fps.map(rounded);
    Video {
        profile: config.profile().map(str::to_owned),
        level: config.level().map(str::to_owned),
        width,
        height,
        sample_aspect_ratio: config.sample_aspect_ratio.filter(|(w, h)| w != h),
        fps,
        fps_source: fps.map(|_| FpsSource::Sps),
        ..Video::default()
    }
}

/// Profile and level as `fmtp` declares them.
fn declared_profile(codec: VideoCodec, fmtp: &Fmtp) -> (Option<String>, Option<String>) {
    let number = |key: &str| fmtp.get(key).and_then(|value| value.parse::<u8>().ok());
    match codec {
        VideoCodec::H264 => {
            let named = fmtp.get("profile-level-id").and_then(h264::profile_level_id);
            named.map(|(profile, level)| (profile.to_owned(), level)).unzip()
        }
        VideoCodec::H265 => (
            number("profile-id").and_then(h265::profile_name).map(str::to_owned),
            number("level-id").and_then(h265::level_name),
        ),
        VideoCodec::Mpeg4 => {
            let named = number("profile-level-id").and_then(mpeg4::profile_level);
            named.map(|(profile, level)| (profile.to_owned(), level.to_owned())).unzip()
        }
        VideoCodec::Vp9 => (number("profile-id").map(|n| format!("Profile {n}")), None),
        VideoCodec::Av1 => {
            let name = match number("profile") {
                Some(0) => Some("Main"),
                Some(1) => Some("High"),
                Some(2) => Some("Professional"),
                _ => None,
            };
            (name.map(str::to_owned), None)
        }
        VideoCodec::Mjpeg | VideoCodec::Vp8 => (None, None),
    }
}

/// The sound of a format. Rates that follow from the codec (G.711, PCM …) are given as its bit rate.
pub fn audio(encoding: &str, clock_rate: Option<u32>, channels: Option<u16>, fmtp: &Fmtp) -> Audio {
    let codec = audio_codec(encoding);
    let mut audio = Audio { codec, sample_rate_hz: clock_rate, channels: channels.or(Some(1)), ..Audio::default() };
    let bits_per_sample = match codec {
        Some(AudioCodec::Aac) => {
            match aac_config(encoding, fmtp) {
                Some(config) => {
                    audio.sample_rate_hz = Some(config.sample_rate_hz);
                    audio.channels = config.channels.or(channels);
                }
                None => audio.channels = channels,
            }
            None
        }
        // Its RTP clock is 8000 by an old mistake; it samples at 16 kHz (RFC 3551 §4.5.2).
        Some(AudioCodec::G722) => {
            audio.sample_rate_hz = Some(16_000);
            Some(4)
        }
        // Its RTP clock counts 90 kHz, which is no sample rate (RFC 3551 §4.5.13).
        Some(AudioCodec::Mp3) => {
            audio.sample_rate_hz = clock_rate.filter(|&rate| rate != 90_000);
            audio.channels = channels;
            None
        }
        Some(AudioCodec::Pcmu | AudioCodec::Pcma) => Some(8),
        Some(AudioCodec::Pcm) => Some(match plain(encoding).as_str() {
            "l8" => 8,
            "l24" => 24,
            _ => 16,
        }),
        Some(AudioCodec::G726) => match encoding.rsplit('-').next().and_then(|rate| rate.parse::<u64>().ok()) {
            Some(kbps @ (16 | 24 | 32 | 40)) => Some(kbps / 8),
            _ => None,
        },
        Some(AudioCodec::Opus) | None => None,
    };
    if let (Some(bits), Some(rate), Some(channels)) = (bits_per_sample, audio.sample_rate_hz, audio.channels) {
        audio.bitrate_kbps = u32::try_from(u64::from(rate) * bits * u64::from(channels) / 1000).ok();
    }
    audio
}

/// The configuration of AAC, as RFC 3640 or RFC 6416 write it.
fn aac_config(encoding: &str, fmtp: &Fmtp) -> Option<aac::AudioConfig> {
    let config = fmtp.get("config").and_then(hexadecimal)?;
    match plain(encoding).as_str() {
        "mp4alatm" => aac::AudioConfig::parse_latm(&config),
        _ => aac::AudioConfig::parse(&config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_makers_vary() {
        for name in ["H264", "h264", "H.264", "X-H264"] {
            assert_eq!(video_codec(name), Some(VideoCodec::H264), "{name}");
        }
        assert_eq!(video_codec("HEVC"), Some(VideoCodec::H265));
        assert_eq!(video_codec("H261"), None);
        assert_eq!(audio_codec("AAL2-G726-32"), Some(AudioCodec::G726));
        assert_eq!(audio_codec("vnd.onvif.metadata"), None);
    }

    #[test]
    fn sound_by_encoding() {
        let aac = Fmtp::parse("streamtype=5; mode=AAC-hbr; config=1408; SizeLength=13;");
        // (encoding, clock, channels, fmtp) → (rate, channels, kbit/s)
        for (encoding, clock, channels, fmtp, sound) in [
            ("MPEG4-GENERIC", Some(16000), Some(2), aac, (Some(16000), Some(1), None)),
            ("MPEG4-GENERIC", Some(16000), Some(2), Fmtp::default(), (Some(16000), Some(2), None)),
            ("PCMU", Some(8000), None, Fmtp::default(), (Some(8000), Some(1), Some(64))),
            ("PCM", Some(48000), None, Fmtp::default(), (Some(48000), Some(1), Some(768))),
            ("G726-32", Some(8000), None, Fmtp::default(), (Some(8000), Some(1), Some(32))),
            ("G722", Some(8000), None, Fmtp::default(), (Some(16000), Some(1), Some(64))),
            ("opus", Some(48000), Some(2), Fmtp::default(), (Some(48000), Some(2), None)),
            ("MPA", Some(90000), None, Fmtp::default(), (None, None, None)),
        ] {
            let audio = audio(encoding, clock, channels, &fmtp);
            assert_eq!((audio.sample_rate_hz, audio.channels, audio.bitrate_kbps), sound, "{encoding}");
        }
    }

    #[test]
    fn mpeg4_configuration_in_fmtp() {
        let fmtp = Fmtp::parse(
            "profile-level-id=1;config=000001b001000001b58913000001000000012000c48d8800650b04241443000001b3",
        );
        let video = video(VideoCodec::Mpeg4, &fmtp, &parameter_sets(VideoCodec::Mpeg4, &fmtp));
        assert_eq!((video.width, video.height), (Some(352), Some(288)));
        assert_eq!((video.profile.as_deref(), video.level.as_deref()), (Some("Simple"), Some("1")));
    }

    #[test]
    fn parameter_sets_are_found_in_any_wrapping() {
        let plain = parameter_sets(
            VideoCodec::H264,
            &Fmtp::parse("sprop-parameter-sets=Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=,aM4G4g=="),
        );
        assert_eq!(plain.len(), 2);
        for other in [
            "SPROP-parameter-sets = Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg,aM4G4g",
            "sprop-parameter-sets=Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=\",\"aM4G4g==;",
            "sprop-parameter-sets=AAAAAWdCwB/aAUAW7ARAAAADAEAAAA8jxgyoAAAAAWjOBuI=",
            "config=000000016742c01fda014016ec0440000003004000000f23c60ca80000000168ce06e2",
        ] {
            assert_eq!(parameter_sets(VideoCodec::H264, &Fmtp::parse(other)), plain, "{other}");
        }
        assert!(
            parameter_sets(
                VideoCodec::H264,
                &Fmtp::parse("sprop-parameter-sets=6QDwBE/LCAAAH0gAB1TgIAAAAAA=,AAAAAA==")
            )
            .is_empty()
        );
    }
}
