//! RTP packets in order → access units: whole pictures and pieces of sound, in one form whatever a camera sends.

mod jpeg;
mod kind;
mod nals;
mod pictures;
mod reorder;
mod sets;
mod sound;
#[cfg(test)]
mod tests;
mod unit;
mod vpx;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::format::{AudioFormat, Format};
use super::order::Ordered;
use super::rtp::Packet;
use crate::model::VideoCodec;

pub use sound::opus_ticks;

/// A whole picture, or the sound of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// Its RTP timestamp: when it is shown, in units of the clock rate, wrapping.
    pub timestamp: u32,
    /// When its first packet came.
    pub arrived: Duration,
    /// It needs no other to be decoded; pieces of sound are none.
    pub key: bool,
    /// A picture before it that it may need is missing.
    pub damaged: bool,
    /// NAL units without start codes, all parameter sets first in key frames; RTP payloads with their descriptor for VP8 and
    /// VP9; one JPEG; one frame of sound.
    pub parts: Vec<Bytes>,
    /// What its decoder has to know; the same `Arc` as long as nothing changes.
    pub format: Arc<Format>,
}

/// How AAC frames stand in RTP payloads (RFC 3640 §3.2.1): widths of fields in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AacLayout {
    /// `sizelength`.
    pub size_bits: u8,
    /// `indexlength`.
    pub index_bits: u8,
    /// `indexdeltalength`.
    pub delta_bits: u8,
}

impl AacLayout {
    /// The mode `AAC-hbr` (RFC 3640 §3.3.6), which cameras use.
    pub const HIGH_BIT_RATE: AacLayout = AacLayout { size_bits: 13, index_bits: 3, delta_bits: 3 };
    /// The mode `AAC-lbr` (RFC 3640 §3.3.5).
    pub const LOW_BIT_RATE: AacLayout = AacLayout { size_bits: 6, index_bits: 2, delta_bits: 2 };
}

/// Makes access units of the packets of one media.
#[derive(Debug)]
pub struct Assembler(Media);

#[derive(Debug)]
enum Media {
    Pictures(pictures::Pictures),
    Sound(Box<sound::Sound>),
}

impl Assembler {
    /// For a picture, with the parameter sets its description names (NAL units without start codes). Gives nothing for codecs
    /// that are not shown live: MPEG-4 part 2 and AV1.
    pub fn video(codec: VideoCodec, sets: &[Vec<u8>]) -> Assembler {
        Assembler::video_of_size(codec, sets, None)
    }

    /// The same with the size its description names, for JPEGs too large to tell it themselves (above 2,040 pixels).
    pub fn video_of_size(codec: VideoCodec, sets: &[Vec<u8>], size: Option<(u32, u32)>) -> Assembler {
        Assembler(Media::Pictures(pictures::Pictures::new(codec, sets, size)))
    }

    /// For sound. Gives nothing for codecs no browser plays: G.726 and MP3 by RTP.
    pub fn audio(format: AudioFormat, aac: AacLayout) -> Assembler {
        Assembler(Media::Sound(Box::new(sound::Sound::new(format, aac))))
    }

    /// Takes the next packet in order; then [`Assembler::pop`] until there is none. What is no RTP is passed over.
    pub fn push(&mut self, ordered: &Ordered) {
        let Some(packet) = Packet::parse(&ordered.bytes) else { return };
        match &mut self.0 {
            Media::Pictures(pictures) => pictures.push(&packet, ordered),
            Media::Sound(sound) => sound.push(&packet, ordered),
        }
    }

    /// The next access unit that is complete.
    pub fn pop(&mut self) -> Option<AccessUnit> {
        match &mut self.0 {
            Media::Pictures(pictures) => pictures.pop(),
            Media::Sound(sound) => sound.pop(),
        }
    }

    /// Another session or source sends from now on: what is gathered is forgotten, what was learned of the stream stays.
    pub fn restart(&mut self) {
        match &mut self.0 {
            Media::Pictures(pictures) => pictures.restart(),
            Media::Sound(sound) => sound.restart(),
        }
    }

    /// What a decoder has to know, as far as it is known; absent for codecs that are not shown live.
    pub fn format(&self) -> Option<&Arc<Format>> {
        match &self.0 {
            Media::Pictures(pictures) => pictures.format(),
            Media::Sound(sound) => Some(sound.format()),
        }
    }

    /// Frames that are shown later than others that follow them: 0 without B-frames. Grows as they are seen; falls with a
    /// new sequence parameter set alone.
    pub fn reorder_depth(&self) -> u8 {
        if let Media::Pictures(pictures) = &self.0 { pictures.reorder_depth() } else { 0 }
    }

    /// Whether frames come in another order than they are shown: timestamps that went back are proof. Until enough came to
    /// tell, what the sequence parameter set allows counts.
    pub fn b_frames(&self) -> bool {
        matches!(&self.0, Media::Pictures(pictures) if pictures.b_frames())
    }

    /// Access units that were left out because packets of them are missing.
    pub fn dropped(&self) -> u64 {
        match &self.0 {
            Media::Pictures(pictures) => pictures.dropped(),
            Media::Sound(sound) => sound.dropped(),
        }
    }

    /// Whether key frames are recovery points or intra pictures, since the camera sends no IDR pictures.
    pub fn is_without_idr(&self) -> bool {
        matches!(&self.0, Media::Pictures(pictures) if pictures.is_without_idr())
    }
}
