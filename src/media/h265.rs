//! H.265 (ITU-T H.265, ISO/IEC 23008-2): video and sequence parameter sets, NAL types, `hvcC`.

use super::bits::Bits;
use super::nal::{self, sized};
use super::sps::{Shape, chroma_format, fps, timing};

/// NAL type of a video parameter set.
pub const VPS: u8 = 32;
/// NAL type of a sequence parameter set.
pub const SPS: u8 = 33;
/// NAL type of a picture parameter set.
pub const PPS: u8 = 34;

/// The NAL type of a unit, 0 to 63.
pub fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |header| header >> 1 & 0x3f)
}

/// Whether a NAL unit is a slice of a random access picture (IRAP: BLA, IDR or CRA, §7.4.2.2).
pub fn is_key(nal: &[u8]) -> bool {
    (16..=23).contains(&nal_type(nal))
}

/// Whether a NAL unit is a slice segment with the beginning of a header (§7.3.6.1): its number of a picture parameter set
/// is at most 63.
pub fn has_slice_header(nal: &[u8]) -> bool {
    let read = || {
        let head = nal::unescape(nal.get(2..nal.len().min(24))?);
        let mut bits = Bits::new(&head);
        bits.skip(if is_key(nal) { 2 } else { 1 })?; // first_slice_segment_in_pic_flag, no_output_of_prior_pics_flag
        bits.ue()
    };
    nal_type(nal) < 32 && read().is_some_and(|parameter_set| parameter_set <= 63)
}

/// `profile_tier_level` (§7.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileTierLevel {
    /// `general_profile_idc`.
    pub profile_idc: u8,
    /// `general_tier_flag`: the High tier.
    pub high_tier: bool,
    /// `general_profile_compatibility_flag`s, flag 0 highest.
    pub compatibility: u32,
    /// The 48 bits from `general_progressive_source_flag` on, right aligned.
    pub constraints: u64,
    /// `general_level_idc`, thirty times the level.
    pub level_idc: u8,
}

impl ProfileTierLevel {
    fn read(bits: &mut Bits<'_>, max_sub_layers_minus1: u32) -> Option<Self> {
        bits.skip(2)?; // general_profile_space
        let high_tier = bits.flag()?;
        let profile_idc = bits.byte(5)?;
        let compatibility = bits.read(32)?;
        let constraints = u64::from(bits.read(16)?) << 32 | u64::from(bits.read(32)?);
        let level_idc = bits.byte(8)?;
        let mut sub_layer_bits = 0;
        for _ in 0..max_sub_layers_minus1 {
            sub_layer_bits += if bits.flag()? { 88 } else { 0 };
            sub_layer_bits += if bits.flag()? { 8 } else { 0 };
        }
        if max_sub_layers_minus1 > 0 {
            bits.skip(2 * 8usize.saturating_sub(max_sub_layers_minus1 as usize))?;
        }
        bits.skip(sub_layer_bits)?;
        Some(ProfileTierLevel { profile_idc, high_tier, compatibility, constraints, level_idc })
    }

    /// The profile's name (Annex A). Profile 0 is read from the compatibility flags.
    pub fn profile(&self) -> Option<&'static str> {
        let profile = match self.profile_idc {
            0 => (1..=11).find(|n| self.compatibility >> (31 - n) & 1 == 1)?,
            stated => stated,
        };
        profile_name(profile).or_else(|| (profile == 4).then(|| self.range_extension()))
    }

    /// The format range extension profile by its constraint flags (table A.2).
    fn range_extension(&self) -> &'static str {
        // Bits 43 to 35 of the 48: max_12bit, max_10bit, max_8bit, max_422, max_420, max_monochrome, intra …
        let flag = |n: u32| self.constraints >> (43 - n) & 1 == 1;
        let (max_12, max_10, max_8, max_422, max_420, mono) = (flag(0), flag(1), flag(2), flag(3), flag(4), flag(5));
        match (mono, max_420, max_422) {
            (true, ..) if max_8 => "Monochrome",
            (true, ..) if max_12 => "Monochrome 12",
            (_, true, _) if max_12 && !max_10 => "Main 12",
            (_, false, true) if max_10 => "Main 4:2:2 10",
            (_, false, true) if max_12 => "Main 4:2:2 12",
            (_, false, false) if max_8 => "Main 4:4:4",
            (_, false, false) if max_10 => "Main 4:4:4 10",
            (_, false, false) if max_12 => "Main 4:4:4 12",
            _ => "Format range extensions",
        }
    }

    /// The level's name: `4.0`, `5.1`.
    pub fn level(&self) -> Option<String> {
        level_name(self.level_idc)
    }

    /// The tier's name.
    pub fn tier(&self) -> &'static str {
        if self.high_tier { "High" } else { "Main" }
    }
}

/// The name of a `general_profile_idc` that needs no further flags.
pub fn profile_name(profile_idc: u8) -> Option<&'static str> {
    Some(match profile_idc {
        1 => "Main",
        2 => "Main 10",
        3 => "Main Still Shape",
        5 => "High Throughput",
        6 => "Multiview Main",
        7 => "Scalable Main",
        8 => "3D Main",
        9 => "Screen-Extended Main",
        10 => "Scalable Format Range Extensions",
        11 => "High Throughput Screen-Extended",
        _ => return None,
    })
}

/// The name of a `general_level_idc`: a thirtieth of it.
pub fn level_name(level_idc: u8) -> Option<String> {
    let valid = (30..=186).contains(&level_idc) && level_idc.is_multiple_of(3);
    valid.then(|| format!("{}.{}", level_idc / 30, level_idc / 3 % 10))
}

/// What a video parameter set says (§7.3.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vps {
    /// Profile, tier and level.
    pub profile_tier_level: ProfileTierLevel,
    /// `vps_num_units_in_tick` and `vps_time_scale`.
    pub timing: Option<(u32, u32)>,
}

impl Vps {
    /// Reads a NAL unit, with or without start codes around it.
    pub fn parse(unit: &[u8]) -> Option<Vps> {
        let unit = nal::annex_b(unit).find(|nal| nal_type(nal) == VPS)?;
        let payload = nal::unescape(unit.get(2..)?);
        let bits = &mut Bits::new(&payload);
        bits.skip(12)?; // id, base layer flags, max_layers
        let sub_layers = bits.read(3)?;
        bits.skip(17)?; // temporal_id_nesting, reserved
        let profile_tier_level = ProfileTierLevel::read(bits, sub_layers)?;
        Some(Vps { profile_tier_level, timing: vps_timing(bits, sub_layers) })
    }

    /// Frames per second: `time_scale / num_units_in_tick`.
    pub fn fps(&self) -> Option<f64> {
        fps(self.timing, 1)
    }
}

fn vps_timing(bits: &mut Bits<'_>, sub_layers: u32) -> Option<(u32, u32)> {
    sub_layer_ordering(bits, sub_layers)?;
    let max_layer_id = bits.read(6)?;
    for _ in 0..bits.ue().filter(|&sets| sets < 1024)? {
        bits.skip(max_layer_id as usize + 1)?;
    }
    timing(bits)
}

/// Passes over the sizes of the picture buffer for each sub-layer; gives `max_num_reorder_pics` of the highest one.
fn sub_layer_ordering(bits: &mut Bits<'_>, sub_layers: u32) -> Option<u32> {
    let first = if bits.flag()? { 0 } else { sub_layers };
    let mut reorder = 0;
    for _ in first..=sub_layers {
        bits.ue()?; // max_dec_pic_buffering_minus1
        reorder = bits.ue()?;
        bits.ue()?; // max_latency_increase_plus1
    }
    Some(reorder)
}

/// What a sequence parameter set says (§7.3.2.2, Annex E).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sps {
    /// Profile, tier and level.
    pub profile_tier_level: ProfileTierLevel,
    /// Size and pace of the picture.
    pub shape: Shape,
    /// Pictures that may be shown later than others that follow them (`sps_max_num_reorder_pics`); `None` where the set
    /// ends before it.
    pub reorder: Option<u8>,
    /// Bits per sample of chroma; 8 where the set ends before it.
    pub chroma_bit_depth: u8,
}

impl Sps {
    /// Reads a NAL unit, with or without start codes around it. `None` when it is no SPS, ends before the size or
    /// describes no possible picture.
    pub fn parse(unit: &[u8]) -> Option<Sps> {
        let unit = nal::annex_b(unit).find(|nal| nal_type(nal) == SPS)?;
        let payload = nal::unescape(unit.get(2..)?);
        let bits = &mut Bits::new(&payload);
        bits.skip(4)?; // sps_video_parameter_set_id
        let sub_layers = bits.read(3)?;
        bits.skip(1)?; // temporal_id_nesting
        let profile_tier_level = ProfileTierLevel::read(bits, sub_layers)?;
        bits.ue()?; // sps_seq_parameter_set_id
        let chroma_format = chroma_format(bits)?;
        let mut shape = Shape::coded(chroma_format, bits.ue()?, bits.ue()?)?;
        if bits.flag()? {
            shape.crop(1, bits)?;
        }
        shape.bit_depth = u8::try_from(bits.ue().filter(|&depth| depth <= 8)? + 8).ok()?;
        // What ends early costs what it would have said, not the size.
        let mut sps = Sps { profile_tier_level, shape, reorder: None, chroma_bit_depth: 8 };
        let _ = sps.read_tail(bits, sub_layers);
        Some(sps)
    }

    /// Frames per second from the VUI: `time_scale / num_units_in_tick`.
    pub fn fps(&self) -> Option<f64> {
        self.shape.fps(1)
    }

    /// What follows the bit depth of luma, up to the timing.
    fn read_tail(&mut self, bits: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
        self.chroma_bit_depth = u8::try_from(bits.ue().filter(|&depth| depth <= 8)? + 8).ok()?;
        let order_bits = bits.ue().filter(|&log2| log2 <= 12)? as usize + 4;
        let reorder = sub_layer_ordering(bits, sub_layers)?;
        self.reorder = u8::try_from(reorder).ok().filter(|&pictures| pictures <= 16);
        bits.skip_ue(6)?; // block sizes and transform depths
        if bits.flag()? && bits.flag()? {
            scaling_lists(bits)?;
        }
        bits.skip(2)?; // amp, sample adaptive offset
        if bits.flag()? {
            bits.skip(8)?; // pcm bit depths
            bits.skip_ue(2)?;
            bits.skip(1)?;
        }
        short_term_sets(bits)?;
        if bits.flag()? {
            for _ in 0..bits.ue().filter(|&pictures| pictures <= 32)? {
                bits.skip(order_bits + 1)?;
            }
        }
        bits.skip(2)?; // temporal mvp, strong intra smoothing
        if bits.flag()? {
            self.shape.read_vui_head(bits)?;
            bits.skip(3)?; // neutral chroma, field_seq, frame_field_info
            if bits.flag()? {
                bits.skip_ue(4)?; // default display window
            }
            self.shape.timing = timing(bits);
        }
        Some(())
    }
}

fn scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if !bits.flag()? {
                bits.ue()?;
                continue;
            }
            if size > 1 {
                bits.se()?;
            }
            for _ in 0..(1 << (4 + (size << 1))).min(64) {
                bits.se()?;
            }
        }
    }
    Some(())
}

/// `st_ref_pic_set` (§7.3.7), read only to get past it.
fn short_term_sets(bits: &mut Bits<'_>) -> Option<()> {
    let mut previous = 0u32;
    for set in 0..bits.ue().filter(|&sets| sets <= 64)? {
        if set > 0 && bits.flag()? {
            bits.skip(1)?;
            bits.ue()?;
            let mut count = 0;
            for _ in 0..=previous {
                if bits.flag()? || bits.flag()? {
                    count += 1;
                }
            }
            previous = count;
        } else {
            let (negative, positive) = (bits.ue()?, bits.ue()?);
            previous = negative.checked_add(positive).filter(|&pictures| pictures <= 32)?;
            for _ in 0..previous {
                bits.ue()?;
                bits.skip(1)?;
            }
        }
    }
    Some(())
}

/// The parameter sets of an `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §8.3.3), in their order.
pub fn hvcc(record: &[u8]) -> Option<Vec<&[u8]>> {
    let (head, mut rest) = record.split_first_chunk::<23>()?;
    if head.first() != Some(&1) {
        return None;
    }
    let mut nals = Vec::new();
    for _ in 0..*head.last()? {
        let (array, after) = rest.split_first_chunk::<3>()?;
        rest = after;
        let [_, n1, n0] = *array;
        for _ in 0..u16::from_be_bytes([n1, n0]) {
            let (nal, after) = sized(rest)?;
            nals.push(nal);
            rest = after;
        }
    }
    Some(nals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::*;
    use proptest::prelude::*;

    /// SPS of tests/data/media/camera_h265_1920x1080_15fps.h265.
    const MAIN_1080P: &str = "QgEBAWAAAAMAkAAAAwAAAwB4oAPAgBDlllqSTK8BaAgAAAMACAAAAwB4QA==";

    #[test]
    fn parameter_sets_of_a_stream() {
        let stream = include_bytes!("../../tests/data/media/camera_h265_1920x1080_15fps.h265");
        let sps = Sps::parse(stream).unwrap();
        assert_eq!(sps, Sps::parse(&BASE64_STANDARD.decode(MAIN_1080P).unwrap()).unwrap());
        assert_eq!((sps.shape.width, sps.shape.height, sps.shape.bit_depth, sps.fps()), (1920, 1080, 8, Some(15.0)));
        assert_eq!((sps.profile_tier_level.profile(), sps.profile_tier_level.tier()), (Some("Main"), "Main"));
        assert_eq!(sps.profile_tier_level.level().as_deref(), Some("4.0"));
        assert_eq!(sps.shape.sample_aspect_ratio, Some((1, 1)));
        assert_eq!(Vps::parse(stream).unwrap().profile_tier_level, sps.profile_tier_level);
        let keys = nal::annex_b(stream).filter(|nal| is_key(nal)).count();
        assert_eq!(keys, 2);
    }

    #[test]
    fn range_extensions_and_the_conformance_window() {
        // Written by x265 for 322 × 242, 4:2:2 at 10 bits, samples of 4:3.
        let bytes = BASE64_STANDARD.decode("QgEBBAgAAAMAnQgAAAMAADywCkgPnJO2WVmkkyvDmgIAAAfSAADqYBA=").unwrap();
        let sps = Sps::parse(&bytes).unwrap();
        assert_eq!((sps.profile_tier_level.profile(), sps.shape.bit_depth), (Some("Main 4:2:2 10"), 10));
        let shape = sps.shape;
        assert_eq!((shape.coded_width, shape.coded_height, shape.width, shape.height), (328, 248, 322, 242));
        assert_eq!((shape.sample_aspect_ratio, shape.timing), (Some((4, 3)), Some((1001, 30_000))));
    }

    #[test]
    fn levels_are_thirtieths() {
        for (idc, name) in [(90, Some("3.0")), (93, Some("3.1")), (153, Some("5.1")), (0, None), (91, None)] {
            assert_eq!(level_name(idc).as_deref(), name, "{idc}");
        }
    }

    #[test]
    fn profile_zero_is_told_by_compatibility() {
        let base =
            ProfileTierLevel { profile_idc: 0, high_tier: false, compatibility: 0, constraints: 0, level_idc: 93 };
        assert_eq!(base.profile(), None);
        assert_eq!(ProfileTierLevel { compatibility: 0x2000_0000, ..base }.profile(), Some("Main 10"));
        assert_eq!(
            ProfileTierLevel { profile_idc: 4, constraints: 0x0d << 40, ..base }.profile(),
            Some("Main 4:2:2 10")
        );
    }

    #[test]
    fn hvcc_gives_its_parameter_sets() {
        let mut record = vec![1; 22];
        record.extend([2, 32, 0, 1, 0, 2, 0x40, 1, 33, 0, 1, 0, 3, 0x42, 1, 1]);
        assert_eq!(hvcc(&record), Some(vec![&[0x40, 1][..], &[0x42, 1, 1]]));
        record.truncate(30);
        assert_eq!(hvcc(&record), None);
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>) {
            let dressed = [&[0x42, 1][..], &bytes].concat();
            let _ = (Sps::parse(&bytes), Sps::parse(&dressed), Vps::parse(&bytes), hvcc(&bytes));
            let _ = Vps::parse(&[&[0x40, 1][..], &bytes].concat());
        }

        #[test]
        fn damaged_parameter_sets_do(at in 2usize..43, with: u8, cut in 1usize..44) {
            let mut bytes = BASE64_STANDARD.decode(MAIN_1080P).unwrap();
            bytes[at] = with;
            bytes.truncate(cut);
            if let Some(sps) = Sps::parse(&bytes) {
                let shape = sps.shape;
                prop_assert!(shape.width > 0 && shape.width <= shape.coded_width);
                prop_assert!(shape.height <= shape.coded_height);
            }
        }
    }
}
