//! Whole key frames out of RTP packets, for a snapshot: by retina's depacketizers where it has one, else by joining
//! payloads. Nothing else knows retina.

use std::num::NonZeroU32;

use base64::prelude::*;
use retina::codec::{CodecItem, Depacketizer, FrameFormat};
use retina::rtp::PacketMeta;
use retina::testutil::DepacketizeBuf;

use super::picture::Picture;
use super::rtp::Packet;
use super::{describe, h264, h265, jpeg, mpeg4, nal};
use crate::model::VideoCodec;

/// Bytes one frame may have: key frames of 12 megapixels stay below.
const MAX_FRAME: usize = 2 << 20;
/// A picture of more bytes is kept, and none after it looked for.
const LARGE: usize = 128 << 10;
/// Times a depacketizer that gave up is begun anew.
const MAX_RESTARTS: u32 = 64;

/// Keeps the last whole picture that needs no other.
pub struct KeyFrames {
    codec: VideoCodec,
    parameter_sets: Vec<Vec<u8>>,
    maker: Maker,
    restarts: u32,
    gathered: usize,
    last: Option<Picture>,
}

enum Maker {
    Retina(Box<(Depacketizer, DepacketizeBuf)>),
    Joined(Joined),
    Nothing,
}

/// Payloads of one frame in a row, as MPEG-4 part 2 is carried (RFC 6416 §5).
#[derive(Default)]
struct Joined {
    timestamp: i64,
    bytes: Vec<u8>,
    whole: bool,
}

impl KeyFrames {
    /// For a codec, with the parameter sets known beforehand.
    pub fn new(codec: VideoCodec, parameter_sets: Vec<Vec<u8>>) -> KeyFrames {
        let maker = Maker::new(codec, &parameter_sets);
        KeyFrames { codec, parameter_sets, maker, restarts: 0, gathered: 0, last: None }
    }

    /// Takes the next packet in order, with its timestamp unwrapped and how many packets were lost before it.
    pub fn push(&mut self, packet: &Packet<'_>, timestamp: i64, lost: u64) {
        // One large picture does.
        if matches!(self.maker, Maker::Nothing) || self.last.as_ref().is_some_and(|p| p.bytes.len() > LARGE) {
            return;
        }
        self.gathered += packet.payload.len();
        if self.gathered > MAX_FRAME {
            self.restart();
        }
        match &mut self.maker {
            Maker::Retina(_) => self.push_retina(packet, timestamp, lost),
            Maker::Joined(joined) => {
                if let Some(frame) = joined.push(packet, timestamp, lost) {
                    self.gathered = 0;
                    if mpeg4::is_key(&frame) == Some(true) {
                        self.keep(frame);
                    }
                }
            }
            Maker::Nothing => {}
        }
    }

    fn push_retina(&mut self, packet: &Packet<'_>, timestamp: i64, lost: u64) {
        let Maker::Retina(retina) = &mut self.maker else { return };
        let (depacketizer, buffer) = retina.as_mut();
        let Some(meta) = meta(packet, timestamp, lost) else { return };
        let mut failed = packet.payload.is_empty() || buffer.push(depacketizer, meta, packet.payload).is_err();
        let mut frames = Vec::new();
        while let Some(item) = depacketizer.pull() {
            match item {
                Ok(CodecItem::VideoFrame(frame)) => frames.push((frame.is_random_access_point(), frame.into_data())),
                Ok(_) => {}
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        for (key, bytes) in frames {
            self.gathered = 0;
            if key {
                self.keep(bytes);
            }
        }
        if failed {
            self.restart();
        }
    }

    /// Makes what was gathered forgotten; a depacketizer that fails over and over is not begun again.
    fn restart(&mut self) {
        self.gathered = 0;
        self.restarts += 1;
        self.maker = match self.restarts {
            ..=MAX_RESTARTS => Maker::new(self.codec, &self.parameter_sets),
            _ => Maker::Nothing,
        };
    }

    /// Parameter sets that came in band, for a depacketizer that begins anew.
    pub fn learn(&mut self, parameter_sets: &[Vec<u8>]) {
        self.parameter_sets = parameter_sets.to_vec();
    }

    fn keep(&mut self, mut bytes: Vec<u8>) {
        match self.codec {
            VideoCodec::Mjpeg => {
                if !bytes.ends_with(&[0xff, 0xd9]) {
                    bytes.extend_from_slice(&[0xff, 0xd9]);
                }
                if jpeg::size(&bytes).is_none() {
                    return;
                }
            }
            VideoCodec::Mpeg4 => {
                if mpeg4::Config::parse(&bytes).is_none() {
                    bytes.splice(0..0, self.parameter_sets.concat());
                }
            }
            VideoCodec::H264 | VideoCodec::H265 => {
                if !nal::annex_b(&bytes).any(|nal| describe::is_sps(self.codec, nal)) {
                    bytes.splice(0..0, nal::to_annex_b(self.parameter_sets.iter().map(Vec::as_slice)));
                }
            }
            _ => return,
        }
        self.last = Some(Picture { codec: self.codec, bytes });
    }

    /// The last whole picture.
    pub fn last(&self) -> Option<&Picture> {
        self.last.as_ref()
    }

    /// The same, taken out.
    pub fn take_last(&mut self) -> Option<Picture> {
        self.last.take()
    }

    /// Bytes held: of the frame that is gathered, which is copied when it is whole, and of the last picture.
    pub fn held(&self) -> usize {
        2 * self.gathered + self.last.as_ref().map_or(0, |picture| picture.bytes.len())
    }

    /// Gathers no more; what is there is forgotten.
    pub fn stop(&mut self) {
        (self.maker, self.gathered, self.last) = (Maker::Nothing, 0, None);
    }
}

impl Maker {
    fn new(codec: VideoCodec, parameter_sets: &[Vec<u8>]) -> Maker {
        let (name, parameters) = match codec {
            VideoCodec::H264 => ("h264", h264_parameters(parameter_sets)),
            VideoCodec::H265 => ("h265", h265_parameters(parameter_sets)),
            VideoCodec::Mjpeg => ("jpeg", None),
            VideoCodec::Mpeg4 => return Maker::Joined(Joined::default()),
            _ => return Maker::Nothing,
        };
        let Ok(mut depacketizer) = Depacketizer::new("video", name, 90_000, None, parameters.as_deref()) else {
            return Maker::Nothing;
        };
        depacketizer.set_frame_format(FrameFormat::SIMPLE);
        Maker::Retina(Box::new((depacketizer, DepacketizeBuf::new(64 << 10))))
    }
}

/// The parameters of a format as retina wants them, of sets that were read without complaint: one SPS, one PPS.
fn h264_parameters(sets: &[Vec<u8>]) -> Option<String> {
    let sps = sets.iter().find(|set| h264::Sps::parse(set).is_some())?;
    let pps = sets.iter().find(|set| h264::nal_type(set) == h264::PPS)?;
    let (sps, pps) = (BASE64_STANDARD.encode(sps), BASE64_STANDARD.encode(pps));
    Some(format!("packetization-mode=1;sprop-parameter-sets={sps},{pps}"))
}

fn h265_parameters(sets: &[Vec<u8>]) -> Option<String> {
    let set = |of| sets.iter().find(|set| h265::nal_type(set) == of).map(|set| BASE64_STANDARD.encode(set));
    let (vps, sps, pps) = (set(h265::VPS)?, set(h265::SPS)?, set(h265::PPS)?);
    Some(format!("sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}"))
}

fn meta(packet: &Packet<'_>, timestamp: i64, lost: u64) -> Option<PacketMeta> {
    Some(PacketMeta {
        ctx: retina::PacketContext::dummy(),
        stream_id: 0,
        timestamp: retina::Timestamp::new(timestamp, NonZeroU32::new(90_000)?, 0)?,
        sequence_number: packet.sequence,
        ssrc: packet.ssrc,
        mark: packet.marker,
        loss: u16::try_from(lost).unwrap_or(u16::MAX),
    })
}

impl Joined {
    fn push(&mut self, packet: &Packet<'_>, timestamp: i64, lost: u64) -> Option<Vec<u8>> {
        if timestamp != self.timestamp || self.bytes.is_empty() {
            *self = Joined { timestamp, bytes: Vec::new(), whole: mpeg4::begins(packet.payload) };
        }
        self.whole &= lost == 0;
        self.bytes.extend_from_slice(packet.payload);
        (packet.marker && self.whole).then(|| std::mem::take(&mut self.bytes))
    }
}
