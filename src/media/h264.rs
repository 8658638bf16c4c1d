//! H.264 (ITU-T H.264, ISO/IEC 14496-10): sequence parameter sets, NAL types, slice types, `avcC`.

use super::bits::Bits;
use super::nal::{self, sized};
use super::sps::{Shape, chroma_format, timing};

/// NAL type of a coded slice of an IDR picture.
pub const IDR: u8 = 5;
/// NAL type of supplemental enhancement information.
pub const SEI: u8 = 6;
/// NAL type of a sequence parameter set.
pub const SPS: u8 = 7;
/// NAL type of a picture parameter set.
pub const PPS: u8 = 8;

/// The NAL type of a unit, 0 to 31.
pub fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |header| header & 0x1f)
}

/// Whether a NAL unit is a slice of a picture that can be decoded without any other: an IDR slice.
pub fn is_key(nal: &[u8]) -> bool {
    nal_type(nal) == IDR
}

/// Whether a slice is intra coded (`slice_type` I or SI, §7.4.3): how encoders without IDR pictures mark recovery points.
/// `None` when it is no slice or ends early.
pub fn is_intra_slice(nal: &[u8]) -> Option<bool> {
    Some(matches!(slice_type(nal)?, 2 | 4 | 7 | 9))
}

/// The `slice_type` of a slice, out of a header that can be one (§7.3.3): types up to 9, picture parameter sets up to 255.
/// `None` for what is no slice, and for a NAL unit that claims to be one and has no such header.
pub fn slice_type(nal: &[u8]) -> Option<u32> {
    if !matches!(nal_type(nal), 1 | 2 | IDR) {
        return None;
    }
    let head = nal::unescape(nal.get(1..nal.len().min(24))?);
    let mut bits = Bits::new(&head);
    bits.ue()?; // first_mb_in_slice
    let slice_type = bits.ue()?;
    let parameter_set = bits.ue()?;
    (slice_type <= 9 && parameter_set <= 255).then_some(slice_type)
}

/// What a sequence parameter set says (§7.3.2.1.1, Annex E).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sps {
    /// `profile_idc`.
    pub profile_idc: u8,
    /// The byte with `constraint_set0_flag` as its highest bit.
    pub constraints: u8,
    /// `level_idc`, ten times the level.
    pub level_idc: u8,
    /// Size and pace of the picture.
    pub shape: Shape,
    /// Whether fields or field pairs may occur (`frame_mbs_only_flag` is 0).
    pub interlaced: bool,
    /// Frames that may be shown later than others that follow them: `max_num_reorder_frames` (§E.2.1), and 0 where the
    /// profile or the picture order forbids it. `None` where it is not said.
    pub reorder: Option<u8>,
}

impl Sps {
    /// Reads a NAL unit; Annex B start codes before it and bytes of further units after it do not matter.
    /// `None` when it is no SPS, ends before the size or describes no possible picture.
    pub fn parse(unit: &[u8]) -> Option<Sps> {
        let unit = nal::annex_b(unit).find(|nal| nal_type(nal) == SPS)?;
        let payload = nal::unescape(unit.get(1..)?);
        let bits = &mut Bits::new(&payload);
        let (profile_idc, constraints, level_idc) = (bits.byte(8)?, bits.byte(8)?, bits.byte(8)?);
        bits.ue()?; // seq_parameter_set_id
        let (chroma_format, bit_depth) = if has_chroma_format(profile_idc) { chroma(bits)? } else { (1, 8) };
        bits.ue().filter(|&log2_max_frame_num| log2_max_frame_num <= 12)?;
        let order_type = picture_order(bits)?;
        bits.ue()?; // max_num_ref_frames
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        let (columns, map_rows) = (bits.ue()?.checked_add(1)?, bits.ue()?.checked_add(1)?);
        let interlaced = !bits.flag()?;
        if interlaced {
            bits.skip(1)?; // mb_adaptive_frame_field_flag
        }
        bits.skip(1)?; // direct_8x8_inference_flag
        let fields = if interlaced { 2 } else { 1 };
        let mut shape = Shape::coded(chroma_format, columns.checked_mul(16)?, map_rows.checked_mul(16 * fields)?)?;
        shape.bit_depth = bit_depth;
        if bits.flag()? {
            shape.crop(fields, bits)?;
        }
        // A VUI that ends early costs what it would have said, not the size.
        let told = read_vui(&mut shape, bits);
        // No B slices in Baseline (§A.2.1); with type 2 the order of output is that of decoding (§8.2.1.3).
        let reorder = if profile_idc == 66 || order_type == 2 { Some(0) } else { told };
        Some(Sps { profile_idc, constraints, level_idc, shape, interlaced, reorder })
    }

    /// The profile's name; `None` for a number the standard does not know.
    pub fn profile(&self) -> Option<&'static str> {
        profile_name(self.profile_idc, self.constraints)
    }

    /// The level's name: `4.0`, `1b`.
    pub fn level(&self) -> Option<String> {
        level_name(self.profile_idc, self.constraints, self.level_idc)
    }

    /// Frames per second from the VUI: `time_scale / (2 · num_units_in_tick)` (§E.2.1).
    pub fn fps(&self) -> Option<f64> {
        self.shape.fps(2)
    }
}

/// Reads the VUI, where there is one; gives `max_num_reorder_frames`.
fn read_vui(shape: &mut Shape, bits: &mut Bits<'_>) -> Option<u8> {
    bits.flag()?.then_some(())?;
    shape.read_vui_head(bits)?;
    shape.timing = timing(bits);
    bits.skip(if shape.timing.is_some() { 1 } else { 0 })?; // fixed_frame_rate_flag
    let (nal, vcl) = (hypothetical_decoder(bits)?, hypothetical_decoder(bits)?);
    bits.skip(if nal || vcl { 2 } else { 1 })?; // low_delay_hrd_flag, pic_struct_present_flag
    bits.flag()?.then_some(())?;
    bits.skip(1)?; // motion_vectors_over_pic_boundaries_flag
    bits.skip_ue(4)?; // sizes and lengths of motion vectors
    bits.ue().and_then(|frames| u8::try_from(frames).ok()).filter(|&frames| frames <= 16)
}

/// Passes over `hrd_parameters` (§E.1.2), where a flag says that they follow; the flag.
fn hypothetical_decoder(bits: &mut Bits<'_>) -> Option<bool> {
    if !bits.flag()? {
        return Some(false);
    }
    let buffers = bits.ue().filter(|&last| last <= 31)? + 1;
    bits.skip(8)?; // scales
    for _ in 0..buffers {
        bits.skip_ue(2)?;
        bits.skip(1)?;
    }
    bits.skip(20)?; // lengths
    Some(true)
}

/// The profiles whose SPS carries `chroma_format_idc`.
fn has_chroma_format(profile_idc: u8) -> bool {
    matches!(profile_idc, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// `chroma_format_idc` and the luma bit depth; passes over the scaling lists.
fn chroma(bits: &mut Bits<'_>) -> Option<(u8, u8)> {
    let format = chroma_format(bits)?;
    let luma = bits.ue().filter(|&depth| depth <= 6)?;
    bits.ue()?; // bit_depth_chroma_minus8
    bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
    if bits.flag()? {
        for list in 0..if format == 3 { 12 } else { 8 } {
            if bits.flag()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some((format, u8::try_from(luma + 8).ok()?))
}

fn scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// `pic_order_cnt_type`; passes over what belongs to it.
fn picture_order(bits: &mut Bits<'_>) -> Option<u32> {
    let order_type = bits.ue()?;
    match order_type {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue().filter(|&count| count <= 255)? {
                bits.se()?;
            }
        }
        2 => {}
        _ => return None,
    }
    Some(order_type)
}

/// A profile's name by Annex A, told by `profile_idc` and the constraint flags.
pub fn profile_name(profile_idc: u8, constraints: u8) -> Option<&'static str> {
    let constraint = |set: u8| constraints & (0x80 >> set) != 0;
    Some(match profile_idc {
        66 if constraint(1) => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 if constraint(3) => "High 10 Intra",
        110 => "High 10",
        122 if constraint(3) => "High 4:2:2 Intra",
        122 => "High 4:2:2",
        244 if constraint(3) => "High 4:4:4 Intra",
        244 => "High 4:4:4 Predictive",
        44 => "CAVLC 4:4:4 Intra",
        83 => "Scalable Baseline",
        86 => "Scalable High",
        118 => "Multiview High",
        128 => "Stereo High",
        _ => return None,
    })
}

/// A level's name by Annex A: `level_idc` tenths, or `1b`.
pub fn level_name(profile_idc: u8, constraints: u8, level_idc: u8) -> Option<String> {
    match level_idc {
        9 => Some("1b".to_owned()),
        11 if matches!(profile_idc, 66 | 77 | 88) && constraints & 0x10 != 0 => Some("1b".to_owned()),
        10..=62 => Some(format!("{}.{}", level_idc / 10, level_idc % 10)),
        _ => None,
    }
}

/// Profile and level out of the six hexadecimal digits of `profile-level-id` (RFC 6184 §8.1); `None` when they name
/// none, as with cameras that write decimals or letters there.
pub fn profile_level_id(digits: &str) -> Option<(&'static str, String)> {
    let digits = digits.trim();
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let [_, profile_idc, constraints, level_idc] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some((profile_name(profile_idc, constraints)?, level_name(profile_idc, constraints, level_idc)?))
}

/// The parameter sets of an `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §5.3.3), in their order. A record that is
/// cut off behind its first SPS still has that.
pub fn avcc(record: &[u8]) -> Option<Vec<&[u8]>> {
    let (head, mut rest) = record.split_first_chunk::<6>()?;
    if head.first() != Some(&1) {
        return None;
    }
    let mut sets = Vec::new();
    let mut take = |count: u8, mut rest| {
        for _ in 0..count {
            let (set, after) = sized(rest)?;
            sets.push(set);
            rest = after;
        }
        Some(rest)
    };
    rest = take(head.last()? & 0x1f, rest).unwrap_or_default();
    if let Some((&count, rest)) = rest.split_first() {
        take(count, rest);
    }
    sets.iter().any(|set| nal_type(set) == SPS).then_some(sets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::*;
    use proptest::prelude::*;

    fn sps(base64: &str) -> Sps {
        Sps::parse(&BASE64_STANDARD.decode(base64).unwrap()).unwrap()
    }

    #[test]
    fn parameter_sets_as_encoders_write_them() {
        // Own encoder output and the reconstructed descriptions; (SPS, profile, level, size, fps).
        let cases = [
            ("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=", "Constrained Baseline", "3.1", (1280, 720), Some(30.0)),
            ("Z0IAH5WoFAFuQA==", "Baseline", "3.1", (1280, 720), None),
            ("Z2QAKKwsaoHgCJ+WbgICAgQ=", "High", "4.0", (1920, 1080), None),
        ];
        for (base64, profile, level, size, fps) in cases {
            let sps = sps(base64);
            assert_eq!(sps.profile(), Some(profile), "{base64}");
            assert_eq!(sps.level().as_deref(), Some(level), "{base64}");
            assert_eq!((sps.shape.width, sps.shape.height), size, "{base64}");
            assert_eq!(sps.fps(), fps, "{base64}");
            assert!(!sps.interlaced);
        }
    }

    #[test]
    fn depth_cropping_and_fields() {
        // Written by x264 for 322 × 242 at 10 bits, and for interlaced 720 × 576 with samples of 64:45.
        let cropped = sps("Z24ADabNlBUIeIiMBEAAAPpAADqYA8UKZYA=");
        assert_eq!((cropped.profile(), cropped.shape.bit_depth, cropped.interlaced), (Some("High 10"), 10, false));
        assert_eq!((cropped.shape.coded_width, cropped.shape.coded_height), (336, 256));
        assert_eq!((cropped.shape.width, cropped.shape.height, cropped.shape.timing), (322, 242, Some((1001, 60_000))));
        let fields = sps("Z2QAHqzZQLQk3/gCAAFogAAAAwCAAAAZD4oUyw==");
        assert_eq!((fields.shape.width, fields.shape.height, fields.interlaced), (720, 576, true));
        assert_eq!((fields.shape.sample_aspect_ratio, fields.fps()), (Some((64, 45)), Some(25.0)));
    }

    #[test]
    fn reordering_as_the_parameter_set_tells_it() {
        // Baseline has none; written by x264 with B-frames; without a VUI.
        for (base64, reorder) in [
            ("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=", Some(0)),
            ("Z24ADabNlBUIeIiMBEAAAPpAADqYA8UKZYA=", Some(2)),
            ("Z2QAKKwsaoHgCJ+WbgICAgQ=", None),
        ] {
            assert_eq!(sps(base64).reorder, reorder, "{base64}");
        }
    }

    #[test]
    fn start_codes_and_trailing_bytes_do_not_matter() {
        let plain = BASE64_STANDARD.decode("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=").unwrap();
        let dressed = [&[0, 0, 0, 1][..], &plain, &[0, 0, 0, 0, 1, 0x68, 0xce]].concat();
        assert_eq!(Sps::parse(&dressed), Sps::parse(&plain));
        // nal_ref_idc 1 instead of 3, as some encoders mark their parameter sets.
        let marked = [&[0x27][..], &plain[1..]].concat();
        assert_eq!(Sps::parse(&marked), Sps::parse(&plain));
    }

    #[test]
    fn names_of_profiles_and_levels() {
        assert_eq!(profile_level_id("42C01F"), Some(("Constrained Baseline", "3.1".to_owned())));
        assert_eq!(profile_level_id("6e0033"), Some(("High 10", "5.1".to_owned())));
        assert_eq!(profile_level_id("7a1028"), Some(("High 4:2:2 Intra", "4.0".to_owned())));
        assert_eq!(profile_level_id("42100B"), Some(("Baseline", "1b".to_owned())));
        assert_eq!(profile_level_id("640009"), Some(("High", "1b".to_owned())));
        for nonsense in ["5046314", "TeAo", "676400", "00f004", "", "+42C0F"] {
            assert_eq!(profile_level_id(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn avcc_gives_its_parameter_sets() {
        let record = [1, 66, 192, 31, 0xff, 0xe1, 0, 4, 0x67, 66, 192, 31, 1, 0, 2, 0x68, 0xce];
        assert_eq!(avcc(&record), Some(vec![&[0x67, 66, 192, 31][..], &[0x68, 0xce]]));
        assert_eq!(avcc(&record[..8]), None);
    }

    #[test]
    fn slices_tell_whether_they_are_intra() {
        assert_eq!(is_intra_slice(&[0x65, 0x88, 0x84]), Some(true)); // first_mb 0, slice_type 7
        assert_eq!(is_intra_slice(&[0x41, 0x9a, 0x24]), Some(false)); // first_mb 0, slice_type 5
        assert_eq!(is_intra_slice(&[0x67, 0x42]), None);
    }

    proptest! {
        #[test]
        fn damaged_parameter_sets_do(at in 1usize..23, with: u8, cut in 1usize..24) {
            let mut bytes = BASE64_STANDARD.decode("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=").unwrap();
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
