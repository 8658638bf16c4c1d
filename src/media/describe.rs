//! What is said about a stream's codecs: by its parameter sets, or by the `codecs` attribute of a manifest (RFC 6381).

use super::aac::AudioConfig;
use super::sps::Shape;
use super::{h264, h265, rounded};
use crate::model::{Audio, AudioCodec, FpsSource, Video, VideoCodec};

/// The picture that an H.264 parameter set describes.
pub fn h264(sps: &h264::Sps) -> Video {
    picture(VideoCodec::H264, sps.profile(), sps.level(), &sps.shape, sps.fps())
}

/// The picture that an H.265 parameter set describes.
pub fn h265(sps: &h265::Sps) -> Video {
    let ptl = &sps.profile_tier_level;
    picture(VideoCodec::H265, ptl.profile(), ptl.level(), &sps.shape, sps.fps())
}

fn picture(codec: VideoCodec, profile: Option<&str>, level: Option<String>, of: &Shape, fps: Option<f64>) -> Video {
    Video {
        codec: Some(codec),
        profile: profile.map(str::to_owned),
        level,
        width: Some(of.width),
        height: Some(of.height),
        sample_aspect_ratio: of.sample_aspect_ratio.filter(|&(w, h)| w != h),
        fps: fps.map(rounded),
        fps_source: fps.map(|_| FpsSource::Sps),
        ..Video::default()
    }
}

/// The picture that the first readable sequence parameter set among NAL units describes.
pub fn nals<'a>(codec: VideoCodec, nals: impl IntoIterator<Item = &'a [u8]>) -> Option<Video> {
    nals.into_iter().find_map(|nal| match codec {
        VideoCodec::H264 if h264::nal_type(nal) == h264::SPS => h264::Sps::parse(nal).map(|sps| h264(&sps)),
        VideoCodec::H265 if h265::nal_type(nal) == h265::SPS => h265::Sps::parse(nal).map(|sps| h265(&sps)),
        _ => None,
    })
}

/// Whether a NAL unit belongs to a key frame.
pub fn is_key(codec: VideoCodec, nal: &[u8]) -> bool {
    match codec {
        VideoCodec::H264 => h264::is_key(nal),
        VideoCodec::H265 => h265::is_key(nal),
        _ => false,
    }
}

/// Whether a NAL unit is a sequence parameter set.
pub fn is_sps(codec: VideoCodec, nal: &[u8]) -> bool {
    match codec {
        VideoCodec::H264 => h264::nal_type(nal) == h264::SPS,
        VideoCodec::H265 => h265::nal_type(nal) == h265::SPS,
        _ => false,
    }
}

/// The sound that an AAC configuration describes.
pub fn aac(config: &AudioConfig) -> Audio {
    Audio {
        codec: Some(AudioCodec::Aac),
        sample_rate_hz: Some(config.sample_rate_hz),
        channels: config.channels,
        ..Audio::default()
    }
}

/// Picture and sound that a `codecs` attribute names: `avc1.640028,mp4a.40.2`. An unknown name counts as neither.
pub fn codecs(attribute: &str) -> (Option<Video>, Option<Audio>) {
    let names = || attribute.split(',').map(str::trim).take(16);
    (names().find_map(video_codec), names().find_map(audio_codec))
}

fn video_codec(name: &str) -> Option<Video> {
    let mut parts = name.split('.');
    let codec = match parts.next()?.to_ascii_lowercase().as_str() {
        "avc1" | "avc2" | "avc3" | "avc4" | "dva1" | "dvav" => VideoCodec::H264,
        "hvc1" | "hev1" | "dvh1" | "dvhe" => VideoCodec::H265,
        "av01" => VideoCodec::Av1,
        "vp8" | "vp08" => VideoCodec::Vp8,
        "vp9" | "vp09" => VideoCodec::Vp9,
        "mp4v" => VideoCodec::Mpeg4,
        "mjpg" | "jpeg" | "mjpa" => VideoCodec::Mjpeg,
        _ => return None,
    };
    let (profile, level) = match codec {
        VideoCodec::H264 => avc_level(parts.next(), parts.next()),
        VideoCodec::H265 => hevc_level(parts),
        _ => (None, None),
    };
    Some(Video { codec: Some(codec), profile, level, ..Video::default() })
}

/// `PPCCLL` in hexadecimal (RFC 6381 §3.3), or `PP.LL` in decimals, as before the RFC.
fn avc_level(first: Option<&str>, second: Option<&str>) -> (Option<String>, Option<String>) {
    let first = first.unwrap_or_default();
    if let Some((profile, level)) = h264::profile_level_id(first) {
        return (Some(profile.to_owned()), Some(level));
    }
    let number = |text: &str| text.parse::<u8>().ok();
    let (profile, level) = (number(first), second.and_then(number));
    (
        profile.and_then(|p| h264::profile_name(p, 0)).map(str::to_owned),
        profile.zip(level).and_then(|(p, l)| h264::level_name(p, 0, l)),
    )
}

/// `1.6.L93.B0` (ISO/IEC 14496-15 annex E): space and profile, compatibility, tier and level, constraints.
fn hevc_level<'a>(mut parts: impl Iterator<Item = &'a str>) -> (Option<String>, Option<String>) {
    let profile = parts.next().and_then(|p| p.trim_start_matches(['A', 'B', 'C']).parse().ok());
    let level = parts.nth(1).and_then(|l| l.trim_start_matches(['L', 'H', 'l', 'h']).parse().ok());
    (profile.and_then(h265::profile_name).map(str::to_owned), level.and_then(h265::level_name))
}

fn audio_codec(name: &str) -> Option<Audio> {
    let lower = name.to_ascii_lowercase();
    let codec = match lower.split('.').next()? {
        "mp4a" if matches!(lower.as_str(), "mp4a.69" | "mp4a.6b" | "mp4a.40.34") => AudioCodec::Mp3,
        "mp4a" => AudioCodec::Aac,
        "opus" => AudioCodec::Opus,
        "mp3" => AudioCodec::Mp3,
        "alaw" => AudioCodec::Pcma,
        "ulaw" => AudioCodec::Pcmu,
        _ => return None,
    };
    Some(Audio { codec: Some(codec), ..Audio::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_attributes() {
        for (attribute, video, profile, level, audio) in [
            ("avc1.640028,mp4a.40.2", Some(VideoCodec::H264), Some("High"), Some("4.0"), Some(AudioCodec::Aac)),
            ("avc1.42E01E", Some(VideoCodec::H264), Some("Constrained Baseline"), Some("3.0"), None),
            ("mp4a.40.5, avc1.66.30", Some(VideoCodec::H264), Some("Baseline"), Some("3.0"), Some(AudioCodec::Aac)),
            ("hvc1.1.6.L93.B0", Some(VideoCodec::H265), Some("Main"), Some("3.1"), None),
            ("hev1.2.4.H150.B0,opus", Some(VideoCodec::H265), Some("Main 10"), Some("5.0"), Some(AudioCodec::Opus)),
            ("av01.0.08M.08", Some(VideoCodec::Av1), None, None, None),
            ("avc1", Some(VideoCodec::H264), None, None, None),
            ("mp4a.6B", None, None, None, Some(AudioCodec::Mp3)),
            ("wvtt,,", None, None, None, None),
        ] {
            let (v, a) = codecs(attribute);
            let v = v.unwrap_or_default();
            assert_eq!((v.codec, v.profile.as_deref(), v.level.as_deref()), (video, profile, level), "{attribute}");
            assert_eq!(a.and_then(|a| a.codec), audio, "{attribute}");
        }
    }
}
