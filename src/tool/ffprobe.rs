//! `ffprobe` as a second opinion where our own analysis leaves codec or size unknown. It reads what we captured from its
//! standard input: the camera sees no second client, and no address or password stands on a command line.

use std::time::Duration;

use serde::Deserialize;

use crate::model::{Audio, AudioCodec, FpsSource, Video, VideoCodec};
use crate::tool::process::{self, PipeError};

/// How long it may take; a healthy one needs a fraction of it.
const LIMIT: Duration = Duration::from_secs(5);

/// More than this is no answer of ffprobe.
const MAX_ANSWER: u64 = 1 << 20;

/// Why there is no second opinion. One sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FfprobeError {
    /// It is not installed.
    #[error("ffprobe is not installed")]
    Missing,
    /// It did not end in time.
    #[error("ffprobe did not end within 5 s")]
    Timeout,
    /// It could not be run, failed, or said something else than JSON.
    #[error("ffprobe gave no usable answer: {0}")]
    Unusable(String),
}

/// Asks ffprobe about `captured`: a piece of a stream in the container or elementary format it calls `format`
/// (`h264`, `hevc`, `mjpeg`, `m4v`, `mpegts`, `flv`); without one it guesses.
///
/// # Errors
/// See [`FfprobeError`].
pub async fn ask(captured: &[u8], format: Option<&str>) -> Result<(Option<Video>, Option<Audio>), FfprobeError> {
    let mut args = vec!["-v", "error", "-protocol_whitelist", "pipe", "-print_format", "json", "-show_streams"];
    args.extend(format.into_iter().flat_map(|format| ["-f", format]));
    args.extend(["-i", "pipe:0"]);
    let answer = process::through("ffprobe", &args, captured, MAX_ANSWER, LIMIT).await.map_err(|e| match e {
        PipeError::Missing => FfprobeError::Missing,
        PipeError::Timeout => FfprobeError::Timeout,
        PipeError::Io(e) => FfprobeError::Unusable(e.to_string()),
    })?;
    parse(&answer)
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<AnswerStream>,
}

#[derive(Deserialize)]
struct AnswerStream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    profile: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    avg_frame_rate: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u16>,
}

/// Reads what `ffprobe -print_format json -show_streams` prints.
///
/// # Errors
/// `Unusable` when it is not that.
pub fn parse(answer: &[u8]) -> Result<(Option<Video>, Option<Audio>), FfprobeError> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|e| FfprobeError::Unusable(e.to_string()))?;
    let of = |kind: &str| answer.streams.iter().find(|s| s.codec_type.as_deref() == Some(kind));
    let video = of("video").map(|s| Video {
        codec: s.codec_name.as_deref().and_then(video_codec),
        profile: s.profile.as_deref().and_then(crate::text::clean_some),
        width: s.width.filter(|&n| n > 0),
        height: s.height.filter(|&n| n > 0),
        fps: s.avg_frame_rate.as_deref().and_then(ratio),
        fps_source: s.avg_frame_rate.as_deref().and_then(ratio).map(|_| FpsSource::Ffprobe),
        ..Video::default()
    });
    let audio = of("audio").map(|s| Audio {
        codec: s.codec_name.as_deref().and_then(audio_codec),
        sample_rate_hz: s.sample_rate.as_deref().and_then(|r| r.parse().ok()),
        channels: s.channels.filter(|&n| n > 0),
        ..Audio::default()
    });
    Ok((video, audio))
}

fn ratio(text: &str) -> Option<f64> {
    let (n, d) = text.split_once('/')?;
    let (n, d): (f64, f64) = (n.parse().ok()?, d.parse().ok()?);
    (n > 0.0 && d > 0.0).then(|| n / d)
}

fn video_codec(name: &str) -> Option<VideoCodec> {
    Some(match name {
        "h264" => VideoCodec::H264,
        "hevc" => VideoCodec::H265,
        "mjpeg" => VideoCodec::Mjpeg,
        "mpeg4" => VideoCodec::Mpeg4,
        "av1" => VideoCodec::Av1,
        "vp8" => VideoCodec::Vp8,
        "vp9" => VideoCodec::Vp9,
        _ => return None,
    })
}

fn audio_codec(name: &str) -> Option<AudioCodec> {
    Some(match name {
        "aac" => AudioCodec::Aac,
        "pcm_mulaw" => AudioCodec::Pcmu,
        "pcm_alaw" => AudioCodec::Pcma,
        "opus" => AudioCodec::Opus,
        "adpcm_g722" => AudioCodec::G722,
        "adpcm_g726" | "adpcm_g726le" => AudioCodec::G726,
        "mp3" => AudioCodec::Mp3,
        name if name.starts_with("pcm_s") => AudioCodec::Pcm,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_codec_size_and_rate() {
        let answer = br#"{"streams": [
            {"codec_type": "video", "codec_name": "hevc", "profile": "Main", "width": 1920, "height": 1080, "avg_frame_rate": "15/1"},
            {"codec_type": "audio", "codec_name": "pcm_alaw", "sample_rate": "8000", "channels": 1}]}"#;
        let (video, audio) = parse(answer).unwrap();
        let video = video.unwrap();
        assert_eq!(
            (video.codec, video.width, video.height, video.fps),
            (Some(VideoCodec::H265), Some(1920), Some(1080), Some(15.0))
        );
        assert_eq!(audio.map(|a| (a.codec, a.sample_rate_hz)), Some((Some(AudioCodec::Pcma), Some(8000))));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let (video, _) = parse(
            br#"{"streams": [{"codec_type": "video", "codec_name": "cinepak", "width": 0, "avg_frame_rate": "0/0"}]}"#,
        )
        .unwrap();
        assert_eq!(video, Some(Video::default()));
        assert!(parse(b"garbage").is_err());
        assert_eq!(parse(b"{}"), Ok((None, None)));
    }
}
