//! One frame as all viewers share it: packets and MP4 fragment are made once, when the first viewer needs them.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;

use super::timeline::Time;
use crate::media::assemble::AccessUnit;
use crate::media::fmp4::{self, Sample};
use crate::media::format::Format;
use crate::media::nal::to_annex_b;
use crate::media::packetize::{MAX_PAYLOAD, packetize};
use crate::media::picture::Picture;
use crate::model::VideoCodec;

/// Packets of a frame, as viewers share them.
pub type Packets = Arc<[Arc<[u8]>]>;

/// A picture, or the sound of one moment.
#[derive(Debug)]
pub struct Frame {
    /// Counts the frames of a hub, which sets it.
    pub index: u64,
    /// It needs no other to be decoded; pieces of sound are none.
    pub key: bool,
    /// A picture before it that it may need is missing.
    pub damaged: bool,
    /// When it is shown, decoded, and how long it lasts.
    pub time: Time,
    /// When it came from the camera.
    pub arrived: Instant,
    /// NAL units without start codes; RTP payloads of VP8 and VP9; one JPEG; one frame of sound.
    pub parts: Vec<Bytes>,
    /// What its decoder has to know; another `Arc` after it changed.
    pub format: Arc<Format>,
    packets: OnceLock<Packets>,
    fragment: OnceLock<Bytes>,
}

impl Frame {
    /// A frame of what the assembler gave.
    pub fn new(unit: AccessUnit, time: Time, arrived: Instant) -> Frame {
        Frame {
            index: 0,
            key: unit.key,
            damaged: unit.damaged,
            time,
            arrived,
            parts: unit.parts,
            format: unit.format,
            packets: OnceLock::new(),
            fragment: OnceLock::new(),
        }
    }

    /// Whether it is a picture.
    pub fn is_video(&self) -> bool {
        matches!(*self.format, Format::Video(_))
    }

    /// Whether it is a picture as a camera of JPEGs sends it.
    pub fn is_jpeg(&self) -> bool {
        matches!(&*self.format, Format::Video(video) if video.codec == VideoCodec::Mjpeg)
    }

    /// Bytes of its parts.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many packets it takes.
    pub fn packet_count(&self) -> usize {
        self.len().div_ceil(MAX_PAYLOAD)
    }

    /// Its RTP payloads, the last one to be marked. Empty where the codec is not sent by WebRTC.
    pub fn packets(&self) -> &Packets {
        self.packets.get_or_init(|| packetize(&self.format, &self.parts).into())
    }

    /// Its RTP timestamp in the clock of its codec: 90,000 a second for pictures.
    pub fn rtp_timestamp(&self) -> u32 {
        match &*self.format {
            Format::Video(_) => self.time.shown90 as u32,
            Format::Audio(audio) => self.time.shown_in(audio.clock_rate) as u32,
        }
    }

    /// The frame as a picture that stands alone: none for what needs others, or has no such form.
    pub fn picture(&self) -> Option<Picture> {
        let Format::Video(video) = &*self.format else { return None };
        let bytes = match video.codec {
            _ if !self.key => return None,
            VideoCodec::H264 | VideoCodec::H265 => to_annex_b(self.parts.iter().map(|nal| &nal[..])),
            VideoCodec::Mjpeg => self.parts.concat(),
            VideoCodec::Mpeg4 | VideoCodec::Av1 | VideoCodec::Vp8 | VideoCodec::Vp9 => return None,
        };
        Some(Picture { codec: video.codec, bytes })
    }

    /// Its fragment of MP4. Empty where the codec has none.
    pub fn fragment(&self) -> &Bytes {
        self.fragment.get_or_init(|| {
            let Time { shown90, decode90, duration90 } = self.time;
            let sequence = self.index as u32;
            let sample = Sample { sequence, decode90, shown90, duration90, key: self.key, parts: &self.parts };
            fmp4::fragment(&self.format, &sample)
        })
    }
}
