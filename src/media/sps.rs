//! What the sequence parameter sets of H.264 and H.265 say alike: a picture's size, shape and pace.

use super::bits::Bits;
use super::{frame_rate, plausible_size};

/// Sample aspect ratios by `aspect_ratio_idc`, from 1 (ITU-T H.264 table E-1, H.265 table E-1).
const SAMPLE_ASPECT_RATIOS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// A picture as a sequence parameter set describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// `chroma_format_idc`: 0 4:0:0, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample.
    pub bit_depth: u8,
    /// Width before cropping, in pixels.
    pub coded_width: u32,
    /// Height before cropping, in pixels.
    pub coded_height: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Sample aspect ratio as given; (1, 1) means square.
    pub sample_aspect_ratio: Option<(u32, u32)>,
    /// Units in a tick, and ticks in a second's time scale (`num_units_in_tick`, `time_scale`).
    pub timing: Option<(u32, u32)>,
}

impl Shape {
    /// A picture of that size before cropping, of 8 bits until more is known; `None` for a size that cannot be.
    pub(super) fn coded(chroma_format: u8, width: u32, height: u32) -> Option<Shape> {
        plausible_size(width, height).then_some(Shape {
            chroma_format,
            bit_depth: 8,
            coded_width: width,
            coded_height: height,
            width,
            height,
            sample_aspect_ratio: None,
            timing: None,
        })
    }

    /// Crops by the four offsets that stand next: left, right, top, bottom, counted in chroma samples (H.264 table 6-1),
    /// those of the height in `fields` lines each. `None` when nothing is left.
    pub(super) fn crop(&mut self, fields: u32, bits: &mut Bits<'_>) -> Option<()> {
        let (across, down) = match self.chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        self.width = cropped(self.width, across, bits)?;
        self.height = cropped(self.height, down * fields, bits)?;
        Some(())
    }

    /// Reads the head of the video usability information, up to the chroma location (Annex E of both standards).
    pub(super) fn read_vui_head(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        if bits.flag()? {
            self.sample_aspect_ratio = match bits.read(8)? {
                255 => Some((bits.read(16)?, bits.read(16)?)).filter(|&(w, h)| w > 0 && h > 0),
                index => SAMPLE_ASPECT_RATIOS.get((index as usize).wrapping_sub(1)).copied(),
            };
        }
        if bits.flag()? {
            bits.skip(1)?; // overscan_appropriate_flag
        }
        if bits.flag()? {
            bits.skip(4)?; // video_format, video_full_range_flag
            if bits.flag()? {
                bits.skip(24)?; // colour description
            }
        }
        if bits.flag()? {
            bits.skip_ue(2)?; // chroma sample location, both fields
        }
        Some(())
    }

    /// Frames per second at so many ticks a frame.
    pub(super) fn fps(&self, ticks_per_frame: u64) -> Option<f64> {
        fps(self.timing, ticks_per_frame)
    }
}

/// `chroma_format_idc`; passes over the flag for separate colour planes.
pub(super) fn chroma_format(bits: &mut Bits<'_>) -> Option<u8> {
    let format = bits.ue().filter(|&format| format <= 3)?;
    if format == 3 {
        bits.skip(1)?; // separate_colour_plane_flag
    }
    u8::try_from(format).ok()
}

/// Units in a tick and time scale, where a flag says that they follow.
pub(super) fn timing(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    bits.flag()?.then_some(())?;
    Some((bits.read(32)?, bits.read(32)?))
}

/// Frames per second of a timing, at so many ticks a frame.
pub(super) fn fps(timing: Option<(u32, u32)>, ticks_per_frame: u64) -> Option<f64> {
    let (units, scale) = timing?;
    frame_rate(scale, ticks_per_frame * u64::from(units))
}

/// `side` less the two offsets that stand next, of `unit` pixels each; `None` when nothing is left.
fn cropped(side: u32, unit: u32, bits: &mut Bits<'_>) -> Option<u32> {
    let (near, far) = (bits.ue()?, bits.ue()?);
    side.checked_sub(near.checked_add(far)?.checked_mul(unit)?).filter(|&left| left > 0)
}
