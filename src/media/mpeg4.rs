//! MPEG-4 part 2 (ISO/IEC 14496-2): visual object sequence, video object layer, picture types.

use super::bits::Bits;
use super::{frame_rate, nal, plausible_size};

/// Start code value of a visual object sequence, which names profile and level.
const SEQUENCE: u8 = 0xb0;
/// Start code value of a picture (VOP).
const PICTURE: u8 = 0xb6;

/// What the configuration in front of a stream says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Config {
    /// `profile_and_level_indication`.
    pub profile_and_level: Option<u8>,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// Sample aspect ratio as given; (1, 1) means square.
    pub sample_aspect_ratio: Option<(u32, u32)>,
    /// Frames per second, when the layer says they are evenly spaced.
    pub fps: Option<f64>,
}

impl Config {
    /// Reads what of a configuration stands in `bytes`; `None` when nothing of it does.
    pub fn parse(bytes: &[u8]) -> Option<Config> {
        let mut config = Config::default();
        for unit in units(bytes).take(64) {
            match unit {
                [SEQUENCE, indication, ..] => config.profile_and_level = Some(*indication),
                [0x20..=0x2f, layer @ ..] if config.size.is_none() => {
                    let _ = config.read_layer(&mut Bits::new(layer));
                }
                [PICTURE, ..] => break,
                _ => {}
            }
        }
        (config != Config::default()).then_some(config)
    }

    /// A video object layer (§6.2.3).
    fn read_layer(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        bits.skip(9)?; // random access, object type
        let mut version = 1;
        if bits.flag()? {
            version = bits.read(4)?;
            bits.skip(3)?;
        }
        let ratio = match bits.read(4)? {
            15 => Some((bits.read(8)?, bits.read(8)?)),
            1 => Some((1, 1)),
            2 => Some((12, 11)),
            3 => Some((10, 11)),
            4 => Some((16, 11)),
            5 => Some((40, 33)),
            _ => None,
        };
        if bits.flag()? {
            bits.skip(3)?; // chroma format, low delay
            if bits.flag()? {
                bits.skip(79)?; // buffer verifier
            }
        }
        let shape = bits.read(2)?;
        if shape == 3 && version != 1 {
            bits.skip(4)?;
        }
        bits.skip(1)?;
        let resolution = bits.read(16)?;
        bits.skip(1)?;
        let increment = if bits.flag()? {
            let length = (u32::BITS - resolution.saturating_sub(1).leading_zeros()).max(1);
            Some(bits.read(length as usize)?)
        } else {
            None
        };
        if shape == 0 {
            bits.skip(1)?;
            let width = bits.read(13)?;
            bits.skip(1)?;
            let height = bits.read(13)?;
            self.size = Some((width, height)).filter(|&(w, h)| plausible_size(w, h));
        }
        self.sample_aspect_ratio = ratio.filter(|&(w, h)| w > 0 && h > 0);
        self.fps = increment.and_then(|increment| frame_rate(resolution, increment.into()));
        Some(())
    }

    /// The profile's name (table G.1).
    pub fn profile(&self) -> Option<&'static str> {
        profile_level(self.profile_and_level?).map(|(profile, _)| profile)
    }

    /// The level's name (table G.1); MPEG-4 counts levels without decimals.
    pub fn level(&self) -> Option<&'static str> {
        profile_level(self.profile_and_level?).map(|(_, level)| level)
    }
}

/// Profile and level by `profile_and_level_indication` (table G.1), as far as cameras use them.
pub fn profile_level(indication: u8) -> Option<(&'static str, &'static str)> {
    Some(match indication {
        0x01 => ("Simple", "1"),
        0x02 => ("Simple", "2"),
        0x03 => ("Simple", "3"),
        0x04 => ("Simple", "4a"),
        0x05 => ("Simple", "5"),
        0x06 => ("Simple", "6"),
        0x08 => ("Simple", "0"),
        0x09 => ("Simple", "0b"),
        0x21 => ("Core", "1"),
        0x22 => ("Core", "2"),
        0x32 => ("Main", "2"),
        0x33 => ("Main", "3"),
        0x34 => ("Main", "4"),
        0xf0 => ("Advanced Simple", "0"),
        0xf1 => ("Advanced Simple", "1"),
        0xf2 => ("Advanced Simple", "2"),
        0xf3 => ("Advanced Simple", "3"),
        0xf4 => ("Advanced Simple", "4"),
        0xf5 => ("Advanced Simple", "5"),
        0xf7 => ("Advanced Simple", "3b"),
        _ => return None,
    })
}

/// Whether `bytes` begin an intra coded picture (I-VOP) anywhere; `None` when no picture begins in them.
pub fn is_key(bytes: &[u8]) -> Option<bool> {
    units(bytes).find_map(|unit| match unit {
        [PICTURE, head, ..] => Some(head >> 6 == 0),
        _ => None,
    })
}

/// Whether `bytes` begin with a start code, as the first packet of a frame does.
pub fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0, 0, 1])
}

/// The units behind start codes, start code value first.
fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let start = nal::find_start_code(bytes).and_then(|at| bytes.get(at..)).unwrap_or_default();
    nal::annex_b(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &[u8] = include_bytes!("../../tests/data/media/camera_mpeg4_352x288.m4v");

    #[test]
    fn configuration_and_pictures_of_a_stream() {
        let config = Config::parse(STREAM).unwrap();
        assert_eq!(config.size, Some((352, 288)));
        assert_eq!((config.profile(), config.level()), (Some("Simple"), Some("1")));
        let pictures: Vec<bool> = units(STREAM).filter_map(|u| is_key(&[&[0, 0, 1], u].concat())).collect();
        assert_eq!(pictures.len(), 24);
        assert_eq!(pictures.iter().filter(|&&key| key).count(), 2);
    }

    #[test]
    fn evenly_spaced_pictures_have_a_rate() {
        // A layer of own making: simple object, 25 units a second, one per picture, 176 × 144.
        let mut bits = String::from("0" /* random access */);
        bits += "00000001"; // object type
        bits += "0"; // no identifier
        bits += "0001"; // square
        bits += "0"; // no control parameters
        bits += "00"; // rectangular
        bits += "1"; // marker
        bits += "0000000000011001"; // 25
        bits += "11"; // marker, fixed rate
        bits += "00001"; // one unit, five bits
        bits += "1";
        bits += "0000010110000"; // 176
        bits += "1";
        bits += "0000010010000"; // 144
        bits += "1";
        let bytes: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|c| c.iter().enumerate().fold(0, |b, (i, &d)| b | (d - b'0') << (7 - i)))
            .collect();
        let config = Config::parse(&[&[0, 0, 1, 0x20][..], &bytes].concat()).unwrap();
        assert_eq!((config.size, config.fps), (Some((176, 144)), Some(25.0)));
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>) {
            let dressed = [&[0, 0, 1, 0x20][..], &bytes].concat();
            let _ = (Config::parse(&bytes), Config::parse(&dressed), is_key(&bytes));
        }
    }
}
