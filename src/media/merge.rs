//! What was declared of a picture, and what came of it: one picture out of both, and where they contradict each other.

use std::fmt;

use super::hundredths;
use super::meter::Rates;
use crate::model::{FpsSource, Video, VideoCodec};

/// How far a measured rate may lie from the declared one, as a part of that.
const TOLERANCE: f64 = 0.15;

/// Who declared what the stream contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declarer {
    /// The stream's own description: SDP, manifest or metadata.
    Description,
    /// ONVIF.
    Onvif,
    /// ffprobe, looking at the same bytes.
    Ffprobe,
}

/// A declaration that what came contradicts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contradiction {
    /// Who declared it.
    pub by: Declarer,
    /// What.
    pub what: Contradicted,
}

/// What was declared, and what came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Contradicted {
    /// The codec.
    Codec {
        /// As declared.
        declared: VideoCodec,
        /// As sent.
        sent: VideoCodec,
    },
    /// Width and height in pixels.
    Size {
        /// As declared.
        declared: (u32, u32),
        /// As sent.
        sent: (u32, u32),
    },
    /// Frames per second.
    Rate {
        /// As declared.
        declared: f64,
        /// As measured.
        measured: f64,
    },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.by {
            Declarer::Description => "declared",
            Declarer::Onvif => "ONVIF declares",
            Declarer::Ffprobe => "ffprobe says",
        })?;
        match self.what {
            Contradicted::Codec { declared, sent } => {
                write!(f, " {}, sends {}", declared.as_str(), sent.as_str())
            }
            Contradicted::Size { declared: (w, h), sent: (width, height) } => {
                write!(f, " {w}x{h}, the stream is {width}x{height}")
            }
            Contradicted::Rate { declared, measured } => {
                write!(f, " {} fps, measured {}", hundredths(declared), (measured * 10.0).round() / 10.0)
            }
        }
    }
}

/// The picture as it came, its gaps filled by what was declared. Parameter sets hold over declarations, with one exception:
/// the frame rate that a manifest or metadata name is the packager's count, and holds over the one that parameter sets
/// name, which many encoders leave at a default.
pub fn over(declared: Video, came: Video) -> Video {
    let is_counted = matches!(declared.fps_source, Some(FpsSource::Manifest | FpsSource::Metadata));
    let (rate, other_rate) = if is_counted { (&declared, &came) } else { (&came, &declared) };
    let rate = if rate.fps.is_some() { rate } else { other_rate };
    let size = if came.width.is_some() { &came } else { &declared };
    let level = if came.profile.is_some() || came.level.is_some() { &came } else { &declared };
    Video {
        codec: came.codec.or(declared.codec),
        profile: level.profile.clone(),
        level: level.level.clone(),
        width: size.width,
        height: size.height,
        size_source: size.size_source,
        sample_aspect_ratio: size.sample_aspect_ratio,
        fps: rate.fps,
        fps_source: rate.fps_source,
        bitrate_kbps: came.bitrate_kbps.or(declared.bitrate_kbps),
        measured_fps: came.measured_fps,
        measured_kbps: came.measured_kbps,
        keyframe_interval_s: came.keyframe_interval_s,
    }
}

/// Where the stream's codec and size contradict what was declared of them.
pub fn contradictions(by: Declarer, declared: &Video, came: &Video) -> Vec<Contradiction> {
    let codec = declared.codec.zip(came.codec).filter(|(a, b)| a != b);
    let size = declared.width.zip(declared.height).zip(came.width.zip(came.height)).filter(|(a, b)| a != b);
    let codec = codec.map(|(declared, sent)| Contradicted::Codec { declared, sent });
    let size = size.map(|(declared, sent)| Contradicted::Size { declared, sent });
    codec.into_iter().chain(size).map(|what| Contradiction { by, what }).collect()
}

/// Where the measured rate contradicts the one the picture is said to have.
pub fn contradicted_rate(video: &Video, rates: &Rates) -> Option<Contradiction> {
    let (declared, measured) = video.fps.zip(rates.fps).filter(|_| rates.are_comparable())?;
    let what = Contradicted::Rate { declared, measured };
    ((declared - measured).abs() > TOLERANCE * declared).then_some(Contradiction { by: Declarer::Description, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(size: (u32, u32), fps: f64, source: FpsSource) -> Video {
        let (width, height) = (Some(size.0), Some(size.1));
        Video { width, height, fps: Some(fps), fps_source: Some(source), ..Video::default() }
    }

    #[test]
    fn what_came_holds_and_what_was_declared_fills_the_gaps() {
        let declared =
            Video { bitrate_kbps: Some(900), level: Some("3.0".into()), ..video((640, 480), 30.0, FpsSource::Sdp) };
        let came = Video { profile: Some("High".into()), ..video((1280, 720), 25.0, FpsSource::Sps) };
        let merged = over(declared.clone(), came);
        assert_eq!((merged.width, merged.fps, merged.bitrate_kbps), (Some(1280), Some(25.0), Some(900)));
        assert_eq!((merged.profile.as_deref(), merged.level), (Some("High"), None), "a level is that of its profile");
        assert_eq!(over(declared.clone(), Video::default()), declared);
    }

    #[test]
    fn a_packagers_rate_holds_over_that_of_parameter_sets() {
        let came = video((1280, 720), 15.0, FpsSource::Sps);
        for (source, rate) in
            [(FpsSource::Manifest, 25.0), (FpsSource::Metadata, 25.0), (FpsSource::Sdp, 15.0), (FpsSource::Onvif, 15.0)]
        {
            assert_eq!(over(video((1, 1), 25.0, source), came.clone()).fps, Some(rate), "{source:?}");
        }
    }

    #[test]
    fn contradictions_have_one_wording() {
        let declared = Video { codec: Some(VideoCodec::H264), ..video((1920, 1080), 25.0, FpsSource::Manifest) };
        let came = Video { codec: Some(VideoCodec::H265), ..video((1280, 720), 15.0, FpsSource::Sps) };
        let words = |by| contradictions(by, &declared, &came).iter().map(ToString::to_string).collect::<Vec<_>>();
        let sizes = "1920x1080, the stream is 1280x720";
        assert_eq!(words(Declarer::Description), ["declared h264, sends h265".to_owned(), format!("declared {sizes}")]);
        assert_eq!(words(Declarer::Onvif)[1], format!("ONVIF declares {sizes}"));
        assert_eq!(words(Declarer::Ffprobe)[1], format!("ffprobe says {sizes}"));
        assert_eq!(contradictions(Declarer::Onvif, &came, &came), []);
        assert_eq!(contradictions(Declarer::Onvif, &Video::default(), &came), [], "nothing was declared");
    }

    #[test]
    fn a_rate_is_contradicted_by_what_is_long_enough() {
        let rates = |frames, fps| Rates { frames, span_s: f64::from(frames) / fps, fps: Some(fps), ..Rates::default() };
        let says = |frames, fps| {
            contradicted_rate(&video((1, 1), 25.0, FpsSource::Sps), &rates(frames, fps)).map(|c| c.to_string())
        };
        assert_eq!(says(30, 12.1).as_deref(), Some("declared 25 fps, measured 12.1"));
        assert_eq!(says(30, 23.0), None, "within the tolerance");
        assert_eq!(says(7, 5.0), None, "too few frames");
        assert_eq!(says(10, 12.1), None, "too short");
    }
}
