//! What the page has to know of a stream before it connects.

use serde::Serialize;

use super::hub::Gop;
use crate::media::fmp4;
use crate::media::format::{AudioFormat, Format, VideoFormat};
use crate::model::{AudioCodec, VideoCodec};

/// A stream as a viewer has to decode it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// The picture.
    pub video: VideoFacts,
    /// The sound, where there is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioFacts>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VideoFacts {
    /// The codec.
    pub codec: VideoCodec,
    /// What `codecs=` says of it in MP4 (RFC 6381); absent where MP4 does not carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_string: Option<String>,
    /// Width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Whether frames are shown in another order than they come: WebRTC cannot.
    pub b_frames: bool,
    /// Whether the camera sends no IDR pictures.
    pub without_idr: bool,
    /// Seconds between key frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyframe_interval_s: Option<f64>,
    /// Bytes since the newest key frame.
    pub gop_bytes: usize,
    /// Whether a viewer that begins now gets a picture at once.
    pub gop_cached: bool,
}

/// Sound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioFacts {
    /// The codec.
    pub codec: AudioCodec,
    /// What `codecs=` says of it in MP4, G.711 as `flac`; absent where MP4 does not carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_string: Option<String>,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Channels.
    pub channels: u16,
}

impl VideoFacts {
    /// Of a picture's form and what the assembler and the hub know.
    pub fn of(format: &VideoFormat, b_frames: bool, without_idr: bool, gop: &Gop) -> VideoFacts {
        let (width, height) = format.size.unzip();
        VideoFacts {
            codec: format.codec,
            codec_string: fmp4::codec_string(&Format::Video(format.clone())),
            width,
            height,
            b_frames,
            without_idr,
            keyframe_interval_s: gop.interval.map(|interval| crate::media::hundredths(interval.as_secs_f64())),
            gop_bytes: gop.bytes,
            gop_cached: gop.cached,
        }
    }
}

impl AudioFacts {
    /// Of a sound's form.
    pub fn of(format: &AudioFormat) -> AudioFacts {
        AudioFacts {
            codec: format.codec,
            codec_string: fmp4::codec_string(&Format::Audio(format.clone())),
            sample_rate_hz: format.sample_rate_hz(),
            channels: format.channels,
        }
    }
}
