//! What encoded video and sound say about themselves: parameter sets, headers, key frames. Pure: bytes in, values out.
//!
//! Everything here reads what a stranger sent. Readers answer `None` where the bytes end or make no sense, never panic,
//! and allocate no more than the input's own length.

pub mod aac;
pub mod assemble;
pub mod bits;
pub mod describe;
pub mod fingerprint;
pub mod flac;
pub mod fmp4;
pub mod format;
pub mod g711;
pub mod h264;
pub mod h265;
pub mod jpeg;
pub mod jpeg_head;
pub mod key_frame;
pub mod merge;
pub mod meter;
pub mod mp4;
pub mod mpeg4;
pub mod nal;
pub mod order;
pub mod packetize;
pub mod payload;
pub mod picture;
pub mod reception;
pub mod rtcp;
pub mod rtp;
pub mod seen;
pub mod sps;
pub mod ts;
pub mod vpx;

/// The largest width or height believed, in pixels; H.265 level 6.2 ends at 8912 × 4320 luma samples in any shape.
pub const MAX_SIDE: u32 = 32_768;

/// Whether a picture of that size can be: neither side zero or beyond [`MAX_SIDE`].
pub fn plausible_size(width: u32, height: u32) -> bool {
    (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height)
}

/// Frames per second out of a count of units in a time, when the result is one a camera can have (0.01 to 1000).
pub fn frame_rate(time_scale: u32, units_per_frame: u64) -> Option<f64> {
    if units_per_frame == 0 {
        return None;
    }
    Some(f64::from(time_scale) / units_per_frame as f64).filter(|fps| (0.01..=1000.0).contains(fps))
}

/// A declared rate to a thousandth: 24000/1001 is written 23.976 by everybody who means it.
pub fn rounded(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}

/// A measured rate or interval to a hundredth: `25`, `12.5`, `29.97`.
pub fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// A part of what lies at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

impl ByteRange {
    /// `first-last`, both counted, as in HTTP and in DASH manifests.
    pub fn parse(text: &str) -> Option<ByteRange> {
        let (first, last) = text.trim().split_once('-')?;
        let (offset, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        Some(ByteRange { offset, length: last.checked_sub(offset)?.checked_add(1)? })
    }
}
