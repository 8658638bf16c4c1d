//! A bounded bit reader, most significant bit first, with the Exp-Golomb codes of ITU-T H.264 §9.1.

/// Reads bits; every read answers `None` at the end of the bytes.
#[derive(Debug, Clone)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    /// A reader at the first bit of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, position: 0 }
    }

    /// Bits not yet read.
    pub fn remaining(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.position)
    }

    /// One bit.
    pub fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// `count` bits (at most 32) as a number.
    pub fn read(&mut self, count: usize) -> Option<u32> {
        if count > 32 || count > self.remaining() {
            return None;
        }
        let mut value = 0u64;
        for _ in 0..count {
            value = value << 1 | u64::from(self.flag()?);
        }
        u32::try_from(value).ok()
    }

    /// Up to 8 bits as a byte.
    pub fn byte(&mut self, count: usize) -> Option<u8> {
        u8::try_from(self.read(count)?).ok()
    }

    /// Passes over `count` bits.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        if count > self.remaining() {
            return None;
        }
        self.position += count;
        Some(())
    }

    /// An unsigned Exp-Golomb code, `ue(v)`.
    pub fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 32 {
                return None;
            }
        }
        if zeros == 0 {
            return Some(0);
        }
        let tail = u64::from(self.read(zeros)?);
        u32::try_from((1u64 << zeros) - 1 + tail).ok()
    }

    /// Passes over `count` Exp-Golomb codes, signed or not.
    pub fn skip_ue(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.ue().map(drop))
    }

    /// A signed Exp-Golomb code, `se(v)`.
    pub fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_of_the_standard() {
        // Table 9-2 of H.264: 1, 010, 011, 00100, 00101 are 0..4; as se(v) 0, 1, -1, 2, -2.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut unsigned = Bits::new(&bytes);
        assert_eq!((0..5).map(|_| unsigned.ue().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        let mut signed = Bits::new(&bytes);
        assert_eq!((0..5).map(|_| signed.se().unwrap()).collect::<Vec<_>>(), [0, 1, -1, 2, -2]);
    }

    #[test]
    fn the_end_is_none() {
        let mut bits = Bits::new(&[0xff]);
        assert_eq!(bits.read(9), None);
        assert_eq!(bits.read(8), Some(255));
        assert_eq!((bits.flag(), bits.ue(), bits.skip(1)), (None, None, None));
        assert_eq!(Bits::new(&[0; 16]).ue(), None);
        assert_eq!(Bits::new(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff]).ue(), None, "33 bits do not fit");
    }
}
