//! What a stream is called by whoever is outside.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::memory::Uid;

/// What a stream is called: `s_` and sixteen letters and digits, made of its device's id and its
/// [key](crate::history::stream_key::stream_key). It stays as long as the device has the stream at that port and path,
/// wherever the device is, and tells nobody the path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(String);

impl StreamId {
    const PREFIX: &'static str = "s_";

    /// That of a stream of a device.
    pub fn of(device: &Uid, key: &str) -> Self {
        let digest = Sha256::new().chain_update(device.as_str()).chain_update([0]).chain_update(key).finalize();
        let mut bits = [0; 10];
        bits.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        // The same letters as those of devices.
        let digits = Uid::of(bits);
        StreamId(format!("{}{}", Self::PREFIX, digits.as_str().trim_start_matches("d_")))
    }

    /// The id that is written there, in whichever case.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let digits = text.strip_prefix(Self::PREFIX)?;
        Uid::parse(&format!("d_{digits}")).map(|_| StreamId(text))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is the id of no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the id of a stream, `s_` and 16 letters and digits")]
pub struct NoStreamId;

impl TryFrom<String> for StreamId {
    type Error = NoStreamId;

    fn try_from(text: String) -> Result<Self, NoStreamId> {
        StreamId::parse(&text).ok_or(NoStreamId)
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_reads_back_and_is_that_of_its_stream_alone(a in any::<[u8; 10]>(), key in ".*", other in ".*") {
            let (a, id) = (Uid::of(a), StreamId::of(&Uid::of(a), &key));
            prop_assert_eq!(StreamId::parse(&id.to_string().to_uppercase()), Some(id.clone()));
            prop_assert_eq!(StreamId::of(&a, &other) == id, other == key);
        }
    }

    #[test]
    fn ids_of_devices_are_none_of_streams() {
        for text in ["", "s_", "d_0123456789abcdef", "s_0123456789abcdeu", "s_d_123456789abcdef"] {
            assert_eq!(StreamId::parse(text), None, "{text}");
        }
    }
}
