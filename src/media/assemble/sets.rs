//! The newest parameter sets of a stream.

use bytes::Bytes;

use super::kind::{Kind, NalCodec, Set};
use crate::media::format::VideoFormat;
use crate::media::{h264, h265};
use crate::model::VideoCodec;

/// Sets kept of one kind; streams have one, some encoders a few.
const MAX_OF_A_KIND: usize = 16;
/// The longest set kept, in bytes.
const MAX_SET: usize = 4096;

/// Parameter sets by kind and number, in the order a decoder wants them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sets(Vec<(Set, u32, Bytes)>);

impl Sets {
    /// Those among NAL units.
    pub fn of(codec: NalCodec, units: &[Vec<u8>]) -> Sets {
        let mut sets = Sets::default();
        for unit in units {
            if let Kind::Set(set) = codec.kind(unit) {
                sets.learn(codec, set, unit);
            }
        }
        sets
    }

    /// Takes a set; true when it says something new.
    pub fn learn(&mut self, codec: NalCodec, set: Set, unit: &[u8]) -> bool {
        let Some(number) = codec.set_number(set, unit).filter(|_| unit.len() <= MAX_SET) else { return false };
        let has_room = self.0.iter().filter(|(kind, ..)| *kind == set).count() < MAX_OF_A_KIND;
        match self.0.iter_mut().find(|(kind, known, _)| (*kind, *known) == (set, number)) {
            Some((.., bytes)) if bytes == unit => return false,
            Some((.., bytes)) => *bytes = Bytes::copy_from_slice(unit),
            None if has_room => self.0.push((set, number, Bytes::copy_from_slice(unit))),
            None => return false,
        }
        self.0.sort_by_key(|(kind, number, _)| (*kind, *number));
        true
    }

    /// All of them, VPS first.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.0.iter().map(|(.., bytes)| bytes)
    }

    /// Whether a picture can be decoded with them: a sequence and a picture parameter set.
    pub fn are_whole(&self) -> bool {
        [Set::Sps, Set::Pps].iter().all(|set| self.0.iter().any(|(kind, ..)| kind == set))
    }

    fn sps(&self) -> Option<&Bytes> {
        self.0.iter().find(|(kind, ..)| *kind == Set::Sps).map(|(.., bytes)| bytes)
    }

    /// What they say: the format, and how many frames may be reordered.
    pub fn format(&self, codec: NalCodec) -> (VideoFormat, Option<u8>) {
        let sets = self.iter().cloned().collect();
        match codec {
            NalCodec::H264 => {
                let sps = self.sps().and_then(|sps| h264::Sps::parse(sps));
                let size = sps.as_ref().map(|sps| (sps.shape.width, sps.shape.height));
                (VideoFormat { codec: VideoCodec::H264, sets, size }, sps.and_then(|sps| sps.reorder))
            }
            NalCodec::H265 => {
                let sps = self.sps().and_then(|sps| h265::Sps::parse(sps));
                let size = sps.as_ref().map(|sps| (sps.shape.width, sps.shape.height));
                (VideoFormat { codec: VideoCodec::H265, sets, size }, sps.and_then(|sps| sps.reorder))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_set_takes_the_place_of_its_number() {
        let mut sets = Sets::of(NalCodec::H264, &[vec![0x68, 0xce], vec![0x67, 66, 0, 31, 0x80], vec![0x65, 0x88]]);
        assert_eq!(sets.iter().map(|set| set[0]).collect::<Vec<_>>(), [0x67, 0x68], "in their order, sets alone");
        assert!(sets.are_whole());
        assert!(!sets.learn(NalCodec::H264, Set::Pps, &[0x68, 0xce]), "known");
        assert!(sets.learn(NalCodec::H264, Set::Pps, &[0x68, 0xcf]), "number 0 in other words");
        assert!(sets.learn(NalCodec::H264, Set::Pps, &[0x68, 0x4e]), "number 1");
        assert_eq!(sets.iter().map(|set| set[1]).collect::<Vec<_>>(), [66, 0xcf, 0x4e]);
    }
}
