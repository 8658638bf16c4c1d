//! Sample entries: what a decoder is told of a track (ISO/IEC 14496-15 for H.264 and H.265, 14496-14 for AAC, the mappings of
//! Opus and FLAC), and the codec strings that name the same (RFC 6381).

use bytes::{BufMut, Bytes};

use super::{boxed, full_box};
use crate::media::aac::AudioConfig;
use crate::media::format::{AudioFormat, VideoFormat};
use crate::media::sps::Shape;
use crate::media::{flac, h264, h265};
use crate::model::{AudioCodec, VideoCodec};

/// The entry of a picture; `None` without parameter sets that can be read, and for codecs MP4 is not made of.
pub(super) fn video(format: &VideoFormat) -> Option<Vec<u8>> {
    match format.codec {
        VideoCodec::H264 => {
            let shape = h264::Sps::parse(first(format, h264::nal_type, h264::SPS)?)?.shape;
            let config = avcc(format, &shape)?;
            Some(visual(b"avc1", &shape, b"avcC", &config))
        }
        VideoCodec::H265 => {
            let sps = first(format, h265::nal_type, h265::SPS)?;
            let read = h265::Sps::parse(sps)?;
            let config = hvcc(format, sps, &read)?;
            Some(visual(b"hvc1", &read.shape, b"hvcC", &config))
        }
        _ => None,
    }
}

/// The first set of a type.
fn first(format: &VideoFormat, nal_type: fn(&[u8]) -> u8, of: u8) -> Option<&Bytes> {
    format.sets.iter().find(|set| nal_type(set) == of)
}

/// A `VisualSampleEntry` (ISO/IEC 14496-12 §12.1.3) with its configuration, and the shape of samples that are not square.
fn visual(kind: &[u8; 4], shape: &Shape, config_kind: &[u8; 4], config: &[u8]) -> Vec<u8> {
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    let mut out = Vec::new();
    boxed(&mut out, kind, |out| {
        out.put_bytes(0, 6);
        out.put_u16(1); // data reference
        out.put_bytes(0, 16);
        out.put_u16(side(shape.width));
        out.put_u16(side(shape.height));
        out.put_u64(0x0048_0000_0048_0000); // 72 dots an inch, both ways
        out.put_u32(0);
        out.put_u16(1); // frames in a sample
        out.put_bytes(0, 32); // name of the compressor
        out.put_u32(0x0018_ffff); // depth
        boxed(out, config_kind, |out| out.put_slice(config));
        if let Some((width, height)) = shape.sample_aspect_ratio.filter(|(width, height)| width != height) {
            boxed(out, b"pasp", |out| {
                out.put_u32(width);
                out.put_u32(height);
            });
        }
    });
    out
}

/// An `AVCDecoderConfigurationRecord` (§5.3.3); lengths have four bytes.
fn avcc(format: &VideoFormat, shape: &Shape) -> Option<Vec<u8>> {
    let of = |kind| format.sets.iter().filter(move |set| h264::nal_type(set) == kind);
    let (profile, constraints, level) = profile_and_level(format)?;
    let mut out = vec![1, profile, constraints, level, 0xff];
    out.push(0xe0 | u8::try_from(of(h264::SPS).count()).ok().filter(|&count| count <= 31)?);
    of(h264::SPS).try_for_each(|set| put_sized(&mut out, set))?;
    out.push(u8::try_from(of(h264::PPS).count()).ok()?);
    of(h264::PPS).try_for_each(|set| put_sized(&mut out, set))?;
    if matches!(profile, 100 | 110 | 122 | 144) {
        let depth = 0xf8 | shape.bit_depth.saturating_sub(8);
        out.extend([0xfc | shape.chroma_format, depth, depth, 0]);
    }
    Some(out)
}

/// The three bytes of the first sequence parameter set that name profile, constraints and level.
fn profile_and_level(format: &VideoFormat) -> Option<(u8, u8, u8)> {
    let [_, profile, constraints, level] = *first(format, h264::nal_type, h264::SPS)?.first_chunk()?;
    Some((profile, constraints, level))
}

/// An `HEVCDecoderConfigurationRecord` (§8.3.3); lengths have four bytes.
fn hvcc(format: &VideoFormat, sps: &[u8], read: &h265::Sps) -> Option<Vec<u8>> {
    let ptl = &read.profile_tier_level;
    let mut out = vec![1, u8::from(ptl.high_tier) << 5 | ptl.profile_idc];
    out.put_u32(ptl.compatibility);
    out.put_uint(ptl.constraints, 6);
    out.put_u8(ptl.level_idc);
    out.put_u16(0xf000); // segmentation unknown
    out.extend([0xfc, 0xfc | read.shape.chroma_format]);
    out.extend([read.shape.bit_depth, read.chroma_bit_depth].map(|depth| 0xf8 | depth.saturating_sub(8)));
    out.put_u16(0); // frame rate unknown
    // Behind the number of the video parameter set: sub-layers and whether they are nested.
    let layers = sps.get(2)?;
    out.push(((((layers >> 1) & 7) + 1) << 3) | ((layers & 1) << 2) | 3);
    let of = |kind| format.sets.iter().filter(move |set| h265::nal_type(set) == kind);
    let kinds = [h265::VPS, h265::SPS, h265::PPS].into_iter().filter(|&kind| of(kind).count() > 0);
    out.push(u8::try_from(kinds.clone().count()).ok()?);
    for kind in kinds {
        out.push(0x80 | kind);
        out.put_u16(u16::try_from(of(kind).count()).ok()?);
        of(kind).try_for_each(|set| put_sized(&mut out, set))?;
    }
    Some(out)
}

fn put_sized(out: &mut Vec<u8>, set: &[u8]) -> Option<()> {
    out.put_u16(u16::try_from(set.len()).ok()?);
    out.put_slice(set);
    Some(())
}

/// The entry of sound; `None` for codecs browsers do not take in MP4.
pub(super) fn audio(format: &AudioFormat) -> Option<Vec<u8>> {
    let rate = format.sample_rate_hz();
    Some(match format.codec {
        AudioCodec::Aac => {
            AudioConfig::parse(&format.config)?;
            sound(b"mp4a", format, rate, |out| {
                full_box(out, b"esds", 0, 0, |out| elementary_stream(out, &format.config))
            })
        }
        AudioCodec::Opus if format.channels <= 2 => sound(b"Opus", format, 48_000, |out| {
            boxed(out, b"dOps", |out| {
                out.extend([0, u8::try_from(format.channels).unwrap_or(1)]);
                out.put_u16(0); // samples to skip: none, within a stream
                out.put_u32(48_000);
                out.extend([0, 0, 0]); // gain, mapping family
            });
        }),
        AudioCodec::Pcmu | AudioCodec::Pcma | AudioCodec::Pcm if format.channels <= 8 => {
            sound(b"fLaC", format, rate, |out| {
                full_box(out, b"dfLa", 0, 0, |out| {
                    out.put_u32(0x8000_0022); // the last block, STREAMINFO, its length
                    out.put_slice(&flac::stream_info(rate, format.channels));
                });
            })
        }
        _ => return None,
    })
}

/// An `AudioSampleEntry` (ISO/IEC 14496-12 §12.2.3).
fn sound(kind: &[u8; 4], format: &AudioFormat, rate: u32, config: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    boxed(&mut out, kind, |out| {
        out.put_bytes(0, 6);
        out.put_u16(1); // data reference
        out.put_u64(0);
        out.put_u16(format.channels);
        out.put_u16(16);
        out.put_u32(0);
        // 16.16; rates beyond 16 bits are told by the configuration alone.
        out.put_u32(u16::try_from(rate).map_or(0, |rate| u32::from(rate) << 16));
        config(out);
    });
    out
}

/// An `ES_Descriptor` (ISO/IEC 14496-1 §7.2.6.5) of AAC.
fn elementary_stream(out: &mut Vec<u8>, config: &[u8]) {
    let length = u8::try_from(config.len()).unwrap_or(u8::MAX).min(64);
    let config = config.get(..length.into()).unwrap_or(config);
    out.extend([3, 23 + length, 0, 2, 0]); // its number
    out.extend([4, 15 + length, 0x40, 0x15]); // MPEG-4 audio
    out.put_bytes(0, 11); // buffer and bit rates unknown
    out.extend([5, length]);
    out.put_slice(config);
    out.extend([6, 1, 2]);
}

pub(super) fn video_codec_string(format: &VideoFormat) -> Option<String> {
    match format.codec {
        VideoCodec::H264 => {
            let (profile, constraints, level) = profile_and_level(format)?;
            Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
        }
        VideoCodec::H265 => {
            let ptl = h265::Sps::parse(first(format, h265::nal_type, h265::SPS)?)?.profile_tier_level;
            let tier = if ptl.high_tier { 'H' } else { 'L' };
            let compatibility = ptl.compatibility.reverse_bits();
            let mut name = format!("hvc1.{}.{compatibility:X}.{tier}{}", ptl.profile_idc, ptl.level_idc);
            let [_, _, constraints @ ..] = ptl.constraints.to_be_bytes();
            let told = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            constraints.iter().take(told).for_each(|byte| name.push_str(&format!(".{byte:X}")));
            Some(name)
        }
        _ => None,
    }
}

pub(super) fn audio_codec_string(format: &AudioFormat) -> Option<String> {
    match format.codec {
        AudioCodec::Aac => {
            let config = AudioConfig::parse(&format.config)?;
            let object_type = if config.ps {
                29
            } else if config.sbr {
                5
            } else {
                config.object_type
            };
            Some(format!("mp4a.40.{object_type}"))
        }
        AudioCodec::Opus if format.channels <= 2 => Some("opus".to_owned()),
        AudioCodec::Pcmu | AudioCodec::Pcma | AudioCodec::Pcm if format.channels <= 8 => Some("flac".to_owned()),
        _ => None,
    }
}
