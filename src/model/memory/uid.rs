//! The lasting identity of a device.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a device is called in the store, for ever: `d_` and sixteen letters and digits. Drawn at random when the device is
/// first seen, so it stays right when an address, a MAC address or a serial number turns out to be wrong.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Uid([u8; Uid::BYTES]);

impl Uid {
    /// What every id begins with.
    const PREFIX: &'static str = "d_";
    /// The digits of base 32, without `i`, `l`, `o` and `u` (Crockford's alphabet in lower case).
    const DIGITS: &'static [u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    /// Digits behind the prefix: 80 bits.
    const LEN: usize = 16;
    /// The whole text, which is kept in place: ids are compared and copied more often than anything else.
    const BYTES: usize = Self::PREFIX.len() + Self::LEN;

    /// The id of these 80 bits, which must come from a source that cannot be guessed.
    pub fn of(random: [u8; 10]) -> Self {
        let bits = random.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
        let digit = |n: usize| {
            let five = bits >> (5 * (Self::LEN - 1 - n)) & 31;
            Self::DIGITS.get(usize::try_from(five).unwrap_or_default()).copied().unwrap_or(b'0')
        };
        let mut text = [0; Self::BYTES];
        let letters = Self::PREFIX.bytes().chain((0..Self::LEN).map(digit));
        text.iter_mut().zip(letters).for_each(|(place, letter)| *place = letter);
        Uid(text)
    }

    /// The id that is written there, in whichever case.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let digits = text.strip_prefix(Self::PREFIX)?;
        let is_id = digits.len() == Self::LEN && digits.bytes().all(|digit| Self::DIGITS.contains(&digit));
        text.as_bytes().try_into().ok().filter(|_| is_id).map(Uid)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        // It holds ASCII alone.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its digits as one number, which is in the order of the texts and compared at once.
    fn number(&self) -> u128 {
        self.0.last_chunk().copied().map(u128::from_be_bytes).unwrap_or_default()
    }
}

impl Ord for Uid {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number().cmp(&other.number())
    }
}

impl PartialOrd for Uid {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Uid").field(&self.as_str()).finish()
    }
}

/// A text that is the id of no device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the id of a device, `d_` and 16 letters and digits")]
pub struct NoUid;

impl TryFrom<String> for Uid {
    type Error = NoUid;

    fn try_from(text: String) -> Result<Self, NoUid> {
        Uid::parse(&text).ok_or(NoUid)
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> String {
        uid.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_reads_back(random in any::<[u8; 10]>()) {
            let uid = Uid::of(random);
            prop_assert_eq!(Uid::parse(&uid.to_string().to_uppercase()), Some(uid.clone()));
            prop_assert_eq!(serde_json::from_value::<Uid>(serde_json::to_value(&uid).unwrap()).unwrap(), uid);
        }

        #[test]
        fn other_bits_are_another_id(a in any::<[u8; 10]>(), b in any::<[u8; 10]>()) {
            prop_assert_eq!(Uid::of(a) == Uid::of(b), a == b);
            prop_assert_eq!(Uid::of(a).cmp(&Uid::of(b)), Uid::of(a).as_str().cmp(Uid::of(b).as_str()));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "d_", "d_0123456789abcde", "d_0123456789abcdefg", "d_0123456789abcdeu", "x_0123456789abcdef"] {
            assert_eq!(Uid::parse(text), None, "{text}");
        }
        assert_eq!(Uid::of([0; 10]).as_str(), "d_0000000000000000");
        assert_eq!(Uid::of([255; 10]).as_str(), "d_zzzzzzzzzzzzzzzz");
    }
}
