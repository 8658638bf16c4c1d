//! Access units → RTP payloads, once for all viewers.

mod nals;
#[cfg(test)]
mod tests;
mod vpx;

use std::sync::Arc;

use bytes::Bytes;

use super::format::Format;
use crate::model::{AudioCodec, VideoCodec};

/// The longest payload made, in bytes: with RTP header, extensions, SRTP tag and IPv6 below 1280 (RFC 8200 §5).
pub const MAX_PAYLOAD: usize = 1180;

/// The payloads of an access unit, in order; the last one takes the marker. Empty for what WebRTC does not carry (MJPEG, AAC).
/// Fragments of one NAL unit are equally long but for the last, so that they leave in one call (UDP segmentation offload).
pub fn packetize(format: &Format, parts: &[Bytes]) -> Vec<Arc<[u8]>> {
    match format {
        Format::Video(video) => match video.codec {
            VideoCodec::H264 => nals::h264(parts),
            VideoCodec::H265 => nals::h265(parts),
            VideoCodec::Vp8 => vpx::vp8(parts),
            VideoCodec::Vp9 => vpx::vp9(parts),
            VideoCodec::Mjpeg | VideoCodec::Mpeg4 | VideoCodec::Av1 => Vec::new(),
        },
        Format::Audio(audio) => match audio.codec {
            // Cut to 20 ms where they were assembled; frames of Opus are not to be cut.
            AudioCodec::Pcmu | AudioCodec::Pcma | AudioCodec::G722 | AudioCodec::Opus => {
                parts.iter().filter(|part| part.len() <= MAX_PAYLOAD).map(|part| Arc::from(&part[..])).collect()
            }
            AudioCodec::Aac | AudioCodec::Pcm | AudioCodec::G726 | AudioCodec::Mp3 => Vec::new(),
        },
    }
}
