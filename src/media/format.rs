//! What a decoder has to know before the first frame: codec, parameter sets, sample rate.

use bytes::Bytes;

use crate::model::{AudioCodec, VideoCodec};

/// The form of one track's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// A picture.
    Video(VideoFormat),
    /// Sound.
    Audio(AudioFormat),
}

/// The form of a picture. Two are equal when one decoder shows both without being told anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFormat {
    /// The codec.
    pub codec: VideoCodec,
    /// Its parameter sets as NAL units, in the order VPS, SPS, PPS; empty for codecs that have none.
    pub sets: Vec<Bytes>,
    /// Width and height in pixels, once known.
    pub size: Option<(u32, u32)>,
}

/// The form of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFormat {
    /// The codec.
    pub codec: AudioCodec,
    /// Units of the RTP timestamps a second. G.722 counts 8000 and samples at 16 kHz (RFC 3551 §4.5.2).
    pub clock_rate: u32,
    /// Channels, at least 1.
    pub channels: u16,
    /// The `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1) of AAC; else empty.
    pub config: Bytes,
}

impl AudioFormat {
    /// Samples a second.
    pub fn sample_rate_hz(&self) -> u32 {
        if self.codec == AudioCodec::G722 { 16_000 } else { self.clock_rate }
    }
}
