//! AAC (ISO/IEC 14496-3): `AudioSpecificConfig`, the LATM `StreamMuxConfig` around it, ADTS headers.

use super::bits::Bits;
use crate::model::{Audio, AudioCodec};

/// Sampling frequencies by index (table 1.18).
const RATES: [u32; 13] = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

/// What an `AudioSpecificConfig` (§1.6.2.1) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioConfig {
    /// Audio object type of the core: 2 is AAC-LC.
    pub object_type: u8,
    /// Samples per second as played: twice the core's with SBR.
    pub sample_rate_hz: u32,
    /// Channels as played; `None` when a program config element would tell.
    pub channels: Option<u16>,
    /// Spectral band replication (HE-AAC).
    pub sbr: bool,
    /// Parametric stereo (HE-AAC v2).
    pub ps: bool,
}

impl AudioConfig {
    /// Reads the bytes of an `AudioSpecificConfig`, as `config=` of `mpeg4-generic` (RFC 3640) holds them.
    pub fn parse(bytes: &[u8]) -> Option<AudioConfig> {
        Self::read(&mut Bits::new(bytes))
    }

    /// Reads the configuration inside a `StreamMuxConfig`, as `config=` of `MP4A-LATM` (RFC 6416) holds it.
    pub fn parse_latm(bytes: &[u8]) -> Option<AudioConfig> {
        let mut bits = Bits::new(bytes);
        let version_1 = bits.flag()?;
        if version_1 {
            return None;
        }
        bits.skip(1 + 6 + 4 + 3)?; // same framing, sub frames, program, layer
        Self::read(&mut bits)
    }

    fn read(bits: &mut Bits<'_>) -> Option<AudioConfig> {
        let mut object_type = object_type(bits)?;
        let mut sample_rate_hz = sampling_frequency(bits)?;
        let channel_configuration = bits.byte(4)?;
        let (mut sbr, mut ps) = (matches!(object_type, 5 | 29), object_type == 29);
        if sbr {
            sample_rate_hz = sampling_frequency(bits)?;
            object_type = self::object_type(bits)?;
        } else if let Some((rate, stereo)) = appended_extension(&mut bits.clone(), object_type, channel_configuration) {
            (sbr, ps, sample_rate_hz) = (true, stereo, rate);
        }
        let channels = match channel_configuration {
            1 if ps => Some(2),
            count @ 1..=6 => Some(u16::from(count)),
            7 | 12 | 14 => Some(8),
            11 => Some(7),
            _ => None,
        };
        Some(AudioConfig { object_type, sample_rate_hz, channels, sbr, ps })
    }
}

fn object_type(bits: &mut Bits<'_>) -> Option<u8> {
    match bits.byte(5)? {
        31 => Some(32 + bits.byte(6)?),
        0 => None,
        direct => Some(direct),
    }
}

fn sampling_frequency(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.read(4)? {
        15 => bits.read(24).filter(|rate| (1000..=192_000).contains(rate)),
        index => RATES.get(index as usize).copied(),
    }
}

/// The SBR extension some encoders append behind the core's configuration (§1.6.5): rate and whether PS follows.
fn appended_extension(bits: &mut Bits<'_>, object_type: u8, channels: u8) -> Option<(u32, bool)> {
    if !matches!(object_type, 1..=4) || channels == 0 {
        return None;
    }
    bits.skip(1)?; // frameLengthFlag
    if bits.flag()? {
        bits.skip(14)?; // coreCoderDelay
    }
    bits.skip(1)?; // extensionFlag
    if bits.read(11)? != 0x2b7 || self::object_type(bits)? != 5 || !bits.flag()? {
        return None;
    }
    let rate = sampling_frequency(bits)?;
    let ps = bits.read(11) == Some(0x548) && bits.flag() == Some(true);
    Some((rate, ps))
}

/// One frame's ADTS header (§1.A.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adts {
    /// Samples per second of the core.
    pub sample_rate_hz: u32,
    /// Channels; `None` when a program config element would tell.
    pub channels: Option<u16>,
    /// Bytes of the whole frame, header included; at least 7.
    pub frame_len: usize,
    /// Bytes of the header: 7, or 9 with a checksum.
    pub header_len: usize,
}

impl Adts {
    /// Reads the header at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Option<Adts> {
        let mut bits = Bits::new(bytes);
        if bits.read(12)? != 0xfff {
            return None;
        }
        bits.skip(1)?; // MPEG-2 or MPEG-4
        if bits.read(2)? != 0 {
            return None; // layer
        }
        let header_len = if bits.flag()? { 7 } else { 9 };
        bits.skip(2)?; // profile
        let sample_rate_hz = *RATES.get(bits.read(4)? as usize)?;
        bits.skip(1)?;
        let channels = match bits.read(3)? {
            0 => None,
            7 => Some(8),
            count => u16::try_from(count).ok(),
        };
        bits.skip(4)?;
        let frame_len = bits.read(13)? as usize;
        (frame_len >= header_len).then_some(Adts { sample_rate_hz, channels, frame_len, header_len })
    }
}

/// The sound of a packed segment (RFC 8216 §3.4): ADTS frames, behind an ID3 tag where there is one. Two frames that follow
/// each other, so that nothing is taken for them by accident.
pub fn packed(bytes: &[u8]) -> Option<Audio> {
    let frames = match bytes.strip_prefix(b"ID3") {
        // Seven bits of each byte count (ID3v2.4 §6.2).
        Some(tag) => {
            let size = tag.get(3..7)?.iter().fold(0usize, |size, &b| size << 7 | usize::from(b & 0x7f));
            bytes.get(10usize.checked_add(size)?..)?
        }
        None => bytes,
    };
    let first = Adts::parse(frames)?;
    let next = frames.get(first.frame_len..)?;
    if !next.is_empty() && Adts::parse(next).is_none_or(|n| n.sample_rate_hz != first.sample_rate_hz) {
        return None;
    }
    Some(Audio {
        codec: Some(AudioCodec::Aac),
        sample_rate_hz: Some(first.sample_rate_hz),
        channels: first.channels,
        ..Audio::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations() {
        // (bytes, object type, rate, channels, SBR, PS)
        let cases = [
            (vec![0x14, 0x08], 2, 16000, Some(1), false, false),
            (vec![0x11, 0x88], 2, 48000, Some(1), false, false),
            (vec![0x14, 0x90], 2, 12000, Some(2), false, false),
            (vec![0x11, 0x90, 0x56, 0xe5, 0x00], 2, 48000, Some(2), false, false),
            (vec![0x13, 0x10, 0x56, 0xe5, 0x98], 2, 48000, Some(2), true, false), // AAC-LC 24 kHz, SBR appended
            (vec![0x2b, 0x11, 0x88, 0x00], 2, 48000, Some(2), true, false),
            (vec![0xeb, 0x09, 0x88, 0x00], 2, 48000, Some(2), true, true),
            (vec![0x17, 0x80, 0x1f, 0x40, 0x08], 2, 16000, Some(1), false, false), // explicit rate
        ];
        for (bytes, object_type, sample_rate_hz, channels, sbr, ps) in cases {
            let expected = AudioConfig { object_type, sample_rate_hz, channels, sbr, ps };
            assert_eq!(AudioConfig::parse(&bytes), Some(expected), "{bytes:02x?}");
        }
        assert_eq!(AudioConfig::parse(&[0x14]), None);
        assert_eq!(AudioConfig::parse_latm(&[0x40, 0x00, 0x24, 0x10, 0x3f, 0xc0]).unwrap().sample_rate_hz, 44100);
    }

    #[test]
    fn packed_sound_is_told_from_anything_else() {
        let stream = include_bytes!("../../tests/data/media/camera_aac_16k.adts");
        let tagged = [&b"ID3\x04\0\0\0\0\x01\x02"[..], &[0; 130], stream].concat();
        for bytes in [&stream[..], &tagged] {
            assert_eq!(packed(bytes).and_then(|a| a.sample_rate_hz), Some(16_000));
        }
        for bytes in [
            &b""[..],
            b"ID3",
            b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
            b"\xff\xf1\x50\x80\x02\x1f\xfcand then text",
            &stream[1..],
        ] {
            assert_eq!(packed(bytes), None);
        }
    }

    #[test]
    fn adts_frames_follow_each_other() {
        let stream = include_bytes!("../../tests/data/media/camera_aac_16k.adts");
        let (mut at, mut frames) = (0, 0);
        while let Some(header) = Adts::parse(&stream[at..]) {
            assert_eq!((header.sample_rate_hz, header.channels, header.header_len), (16000, Some(1), 7));
            at += header.frame_len;
            frames += 1;
        }
        assert_eq!((at, frames), (stream.len(), 17));
    }
}
