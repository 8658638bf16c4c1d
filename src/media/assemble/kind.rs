//! What a NAL unit is to an access unit, for H.264 and H.265 alike.

use crate::media::bits::Bits;
use crate::media::{h264, h265, nal};
use crate::model::VideoCodec;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NalCodec {
    H264,
    H265,
}

/// Which parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Set {
    Vps,
    Sps,
    Pps,
}

/// A slice, as far as the head of its header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    /// Of a picture after which nothing refers back: IDR, IRAP.
    pub key: bool,
    /// The first of its picture.
    pub begins: bool,
    /// Intra coded; never told for H.265.
    pub intra: bool,
    /// Whether it is a B slice; not told for H.265.
    pub bidirectional: Option<bool>,
}

/// What a NAL unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Slice(Slice),
    Set(Set),
    /// Supplemental information, and whether it names a recovery point.
    Supplement {
        recovery_point: bool,
    },
    /// Delimiters, filler, ends, layers above the first, and what claims to be a slice and is none.
    Useless,
}

/// The longest supplemental information kept, in bytes: pictures do not need it, and some cameras put kilobytes there.
const MAX_SUPPLEMENT: usize = 1024;

impl NalCodec {
    /// By its name.
    pub fn named(self) -> VideoCodec {
        match self {
            NalCodec::H264 => VideoCodec::H264,
            NalCodec::H265 => VideoCodec::H265,
        }
    }

    /// What a NAL unit is.
    pub fn kind(self, unit: &[u8]) -> Kind {
        match self {
            NalCodec::H264 => h264_kind(unit),
            NalCodec::H265 => h265_kind(unit),
        }
    }

    /// The number by which a parameter set is known; a later one of that number takes its place.
    pub fn set_number(self, set: Set, unit: &[u8]) -> Option<u32> {
        let header = if self == NalCodec::H264 { 1 } else { 2 };
        let head = nal::unescape(unit.get(header..unit.len().min(16))?);
        let mut bits = Bits::new(&head);
        match (self, set) {
            (NalCodec::H264, Set::Sps) => {
                bits.skip(24)?; // profile_idc, constraints, level_idc
                bits.ue()
            }
            (_, Set::Pps) => bits.ue(),
            (_, Set::Vps) => bits.read(4),
            // Behind the profile, whose length varies. One layer has one.
            (NalCodec::H265, Set::Sps) => Some(0),
        }
    }

    /// Whether a payload of a stream declared to be of this codec holds a video or sequence parameter set of the other one.
    pub fn is_contradicted_by(self, payload: &[u8]) -> bool {
        match (self, payload) {
            (NalCodec::H264, [0x60, 1, units @ ..]) => nal::aggregated(units).any(is_h265),
            (NalCodec::H264, _) => is_h265(payload),
            (NalCodec::H265, [24, units @ ..]) => nal::aggregated(units).any(is_h264),
            (NalCodec::H265, _) => is_h264(payload),
        }
    }
}

/// Whether a unit can be nothing else than a parameter set of H.265, of layer 0.
fn is_h265(unit: &[u8]) -> bool {
    match unit {
        [0x40, 1, ..] => h265::Vps::parse(unit).is_some(),
        [0x42, 1, ..] => h265::Sps::parse(unit).is_some(),
        _ => false,
    }
}

/// Whether a unit can be nothing else than a sequence parameter set of H.264.
fn is_h264(unit: &[u8]) -> bool {
    matches!(unit, [0x27 | 0x47 | 0x67, ..]) && h264::Sps::parse(unit).is_some()
}

fn h264_kind(unit: &[u8]) -> Kind {
    match h264::nal_type(unit) {
        h264::SPS => Kind::Set(Set::Sps),
        h264::PPS => Kind::Set(Set::Pps),
        h264::SEI if unit.len() <= MAX_SUPPLEMENT => {
            Kind::Supplement { recovery_point: unit.get(1..).is_some_and(names_recovery_point) }
        }
        // Partitions B and C begin with the number of their slice (§7.3.2.9).
        3 | 4 if unit.len() > 1 => {
            Kind::Slice(Slice { key: false, begins: false, intra: false, bidirectional: Some(false) })
        }
        1 | 2 | h264::IDR => match h264::slice_type(unit) {
            Some(slice_type) => Kind::Slice(Slice {
                key: h264::is_key(unit),
                // first_mb_in_slice is 0: one bit that is set.
                begins: unit.get(1).is_some_and(|first| first & 0x80 != 0),
                intra: matches!(slice_type, 2 | 4 | 7 | 9),
                bidirectional: Some(matches!(slice_type, 1 | 6)),
            }),
            None => Kind::Useless,
        },
        _ => Kind::Useless,
    }
}

fn h265_kind(unit: &[u8]) -> Kind {
    let layer = unit.first().zip(unit.get(1)).map(|(first, second)| (first & 1) << 5 | second >> 3);
    if layer != Some(0) {
        return Kind::Useless;
    }
    match h265::nal_type(unit) {
        h265::VPS => Kind::Set(Set::Vps),
        h265::SPS => Kind::Set(Set::Sps),
        h265::PPS => Kind::Set(Set::Pps),
        39 | 40 if unit.len() <= MAX_SUPPLEMENT => {
            Kind::Supplement { recovery_point: unit.get(2..).is_some_and(names_recovery_point) }
        }
        0..=31 if h265::has_slice_header(unit) => Kind::Slice(Slice {
            key: h265::is_key(unit),
            begins: unit.get(2).is_some_and(|first| first & 0x80 != 0),
            intra: false,
            bidirectional: None,
        }),
        _ => Kind::Useless,
    }
}

/// Whether a message of type 6, recovery point, is among supplemental information (H.264 §D.1.8, H.265 §D.2.8).
fn names_recovery_point(messages: &[u8]) -> bool {
    let messages = nal::unescape(messages);
    let mut rest = messages.as_slice();
    while rest.len() > 2 {
        let Some((kind, after)) = sei_number(rest) else { return false };
        let Some((length, body)) = sei_number(after) else { return false };
        if kind == 6 {
            return true;
        }
        rest = body.get(length..).unwrap_or_default();
    }
    false
}

/// A number in bytes that are added up, all but the last one 255 (H.264 §7.3.2.3.1).
fn sei_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let full = bytes.iter().take_while(|&&byte| byte == 0xff).count();
    let (&last, rest) = bytes.get(full..)?.split_first()?;
    Some((full * 255 + usize::from(last), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_and_what_they_are() {
        let supplement = |recovery_point| Kind::Supplement { recovery_point };
        for (unit, kind) in [
            (&[0x09, 0x10][..], Kind::Useless),
            (&[0x0c, 0xff, 0x80], Kind::Useless),
            (&[0x65], Kind::Useless),
            (&[0x67, 66], Kind::Set(Set::Sps)),
            (&[0x06, 6, 1, 0x84, 0x80], supplement(true)),
            (&[0x06, 5, 2, 6, 6, 1, 1, 0, 0x80], supplement(false)),
            (&[0x06, 1, 1, 9, 6, 1, 0x84, 0x80], supplement(true)),
        ] {
            assert_eq!(NalCodec::H264.kind(unit), kind, "{unit:02x?}");
        }
        for (unit, kind) in [
            (&[35 << 1, 1, 0x50][..], Kind::Useless),
            (&[38 << 1, 1, 0xff], Kind::Useless),
            (&[0x40, 1, 0x0c], Kind::Set(Set::Vps)),
            (&[0x42, 9, 0x0c], Kind::Useless), // of layer 1
            (&[39 << 1, 1, 6, 1, 0x84, 0x80], supplement(true)),
        ] {
            assert_eq!(NalCodec::H265.kind(unit), kind, "{unit:02x?}");
        }
        let Kind::Slice(idr) = NalCodec::H264.kind(&[0x65, 0x88, 0x84]) else { panic!("no slice") };
        assert!(idr.key && idr.begins && idr.intra);
        let Kind::Slice(b) = NalCodec::H264.kind(&[0x01, 0x9e, 0x24]) else { panic!("no slice") };
        assert_eq!((b.key, b.bidirectional), (false, Some(true)));
        let Kind::Slice(irap) = NalCodec::H265.kind(&[19 << 1, 1, 0xaf]) else { panic!("no slice") };
        assert!(irap.key && irap.begins);
    }
}
