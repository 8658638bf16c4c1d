//! How values stand in columns: times, names, documents. Pure.

use std::io::Read;
use std::sync::{LazyLock, Mutex, PoisonError};

use flate2::read::DeflateDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use jiff::Timestamp;
use rusqlite::types::{FromSqlError, Type};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::model::names::Named;

/// The largest document that is read, in bytes: a recorder of a thousand channels has a hundredth of it.
const MAX_DOCUMENT: u64 = 64 << 20;

/// A time as it is stored.
pub(super) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A stored time.
pub(super) fn time(ms: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(unreadable)
}

/// A stored time that may be absent.
pub(super) fn time_if(ms: Option<i64>) -> rusqlite::Result<Option<Timestamp>> {
    ms.map(time).transpose()
}

/// A value of one of the program's lists of names.
pub(super) fn named<T: Named>(text: &str) -> rusqlite::Result<T> {
    T::TABLE.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
        unreadable(FromSqlError::Other(format!("`{}` is not one of its words", crate::text::clean(text)).into()))
    })
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// A value from JSON.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(unreadable)
}

/// A text, deflated.
pub(super) fn pack_text(text: &str) -> rusqlite::Result<Vec<u8>> {
    // What it works with is large, and making it takes several times as long as deflating a document: there is one.
    static DEFLATE: LazyLock<Mutex<Compress>> =
        LazyLock::new(|| Mutex::new(Compress::new(Compression::default(), false)));
    let mut deflate = DEFLATE.lock().unwrap_or_else(PoisonError::into_inner);
    deflate.reset();
    let (mut rest, mut packed) = (text.as_bytes(), Vec::with_capacity(text.len() / 4 + 64));
    loop {
        let before = deflate.total_in();
        let status = deflate.compress_vec(rest, &mut packed, FlushCompress::Finish);
        let status = status.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        if status == Status::StreamEnd {
            return Ok(packed);
        }
        let taken = usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX);
        rest = rest.get(taken..).unwrap_or_default();
        packed.reserve(packed.len().max(64));
    }
}

/// A value from deflated JSON.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> rusqlite::Result<T> {
    let mut text = String::new();
    DeflateDecoder::new(bytes).take(MAX_DOCUMENT).read_to_string(&mut text).map_err(unreadable)?;
    from_json(&text)
}

/// What a document is found by: the same for the same document.
pub(super) fn fingerprint(json: &str) -> Vec<u8> {
    Sha256::digest(json.as_bytes()).iter().take(16).copied().collect()
}

/// A stored value that cannot be one.
pub(super) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever was packed before.
        #[test]
        fn what_is_packed_is_unpacked_again(texts in prop::collection::vec("(?s).{0,300}", 1..6), times in 1usize..400) {
            for text in texts {
                let text = text.repeat(times);
                let packed = pack_text(&json(&text).unwrap()).unwrap();
                prop_assert_eq!(unpack::<String>(&packed).unwrap(), text);
            }
        }
    }
}
