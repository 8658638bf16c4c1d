//! How values stand in columns: times, names, documents. Pure.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
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

/// A value as deflated JSON.
pub(super) fn pack<T: Serialize>(value: &T) -> rusqlite::Result<Vec<u8>> {
    pack_text(&json(value)?)
}

/// A text, deflated.
pub(super) fn pack_text(text: &str) -> rusqlite::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    packed.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
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
fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error))
}
