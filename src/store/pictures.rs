//! The last picture of each stream. The pictures themselves are files beside the store.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::codec::{ms, time};
use super::{Store, StoreError};
use crate::history::memory::StreamId;

/// A picture of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRow {
    /// The stream.
    pub stream: StreamId,
    /// When it was taken.
    pub at: Timestamp,
    /// What its file is named by.
    pub hash: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Store {
    /// The last picture of each stream.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn pictures(&self) -> Result<Vec<PictureRow>, StoreError> {
        self.read(|connection| {
            let mut all = connection.prepare("SELECT stream, at, hash, bytes FROM pictures ORDER BY stream")?;
            let rows: Vec<Option<PictureRow>> = all.query_map([], row)?.collect::<rusqlite::Result<_>>()?;
            Ok(rows.into_iter().flatten().collect())
        })
    }

    /// The last picture of a stream.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn picture(&self, stream: &StreamId) -> Result<Option<PictureRow>, StoreError> {
        let select = "SELECT stream, at, hash, bytes FROM pictures WHERE stream = ?1";
        self.read(|connection| Ok(connection.query_row(select, [stream.as_str()], row).optional()?.flatten()))
    }

    /// When the newest of them was taken, and how many there are: changes when they do.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn pictures_as_of(&self) -> Result<(i64, i64), StoreError> {
        let select = "SELECT coalesce(max(at), 0), count(*) FROM pictures";
        self.read(|connection| connection.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// Notes the last picture of a stream. The names of files that no stream needs any more.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn put_picture(&self, picture: &PictureRow) -> Result<Vec<String>, StoreError> {
        self.write(|transaction| {
            let id = picture.stream.as_str();
            let find = "SELECT hash FROM pictures WHERE stream = ?1";
            let before: Option<String> = transaction.query_row(find, [id], |row| row.get(0)).optional()?;
            let put = "INSERT INTO pictures (stream, at, hash, bytes) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (stream) DO UPDATE SET at = excluded.at, hash = excluded.hash, bytes = excluded.bytes";
            let bytes = i64::try_from(picture.bytes).unwrap_or(i64::MAX);
            transaction.execute(put, params![id, ms(picture.at), picture.hash, bytes])?;
            unused(transaction, before.into_iter().collect())
        })
    }

    /// Forgets pictures that were taken before a time, and the oldest of those that together are more than `most_bytes`. The
    /// names of files that no stream needs any more.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn prune_pictures(&self, before: Timestamp, most_bytes: u64) -> Result<Vec<String>, StoreError> {
        self.write(|transaction| {
            let most = i64::try_from(most_bytes).unwrap_or(i64::MAX);
            let gone = "DELETE FROM pictures WHERE at < ?1 OR stream IN (SELECT stream FROM \
                        (SELECT stream, sum(bytes) OVER (ORDER BY at DESC, stream) AS kept FROM pictures) \
                        WHERE kept > ?2) RETURNING hash";
            let mut gone = transaction.prepare(gone)?;
            let hashes: Vec<String> =
                gone.query_map((ms(before), most), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            unused(transaction, hashes)
        })
    }
}

/// Forgets the pictures of streams. The names of files that no stream needs any more.
pub(super) fn forget(transaction: &Transaction<'_>, streams: &[StreamId]) -> rusqlite::Result<Vec<String>> {
    let mut gone = transaction.prepare("DELETE FROM pictures WHERE stream = ?1 RETURNING hash")?;
    let mut hashes = Vec::new();
    for stream in streams {
        hashes.extend(gone.query_row([stream.as_str()], |row| row.get(0)).optional()?);
    }
    unused(transaction, hashes)
}

fn row(row: &Row<'_>) -> rusqlite::Result<Option<PictureRow>> {
    let Some(stream) = StreamId::parse(row.get_ref(0)?.as_str()?) else { return Ok(None) };
    let bytes = row.get::<_, i64>(3)?.try_into().unwrap_or_default();
    Ok(Some(PictureRow { stream, at: time(row.get(1)?)?, hash: row.get(2)?, bytes }))
}

/// Those of these files that no stream has any more.
fn unused(connection: &Connection, mut hashes: Vec<String>) -> rusqlite::Result<Vec<String>> {
    hashes.sort();
    hashes.dedup();
    let mut find = connection.prepare("SELECT 1 FROM pictures WHERE hash = ?1")?;
    let mut unused = Vec::new();
    for hash in hashes {
        if find.query_row([&hash], |_| Ok(())).optional()?.is_none() {
            unused.push(hash);
        }
    }
    Ok(unused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::memory::Uid;
    use crate::store::Open;

    #[test]
    fn a_file_goes_when_no_stream_needs_it_and_the_oldest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        let put = |n: u8, second: i64, hash: &str| {
            let stream = StreamId::of(&Uid::of([n; 10]), "rtsp:554/1");
            let at = Timestamp::from_second(second).unwrap();
            store.put_picture(&PictureRow { stream, at, hash: hash.to_owned(), bytes: 10 }).unwrap()
        };
        let none: [&str; 0] = [];
        assert_eq!(put(1, 1, "a"), none);
        assert_eq!(put(2, 2, "a"), none);
        let as_of = store.pictures_as_of().unwrap();
        assert_eq!(put(1, 3, "b"), none, "the other stream has it");
        assert_ne!(store.pictures_as_of().unwrap(), as_of);
        assert_eq!(put(2, 4, "c"), ["a"]);
        assert_eq!(put(2, 5, "c"), none, "it is the same picture");
        assert_eq!(put(3, 6, "d"), none);
        assert_eq!(store.prune_pictures(Timestamp::UNIX_EPOCH, 20).unwrap(), ["b"]);
        assert_eq!(store.prune_pictures(Timestamp::from_second(6).unwrap(), 1 << 30).unwrap(), ["c"]);
        let left: Vec<String> = store.pictures().unwrap().into_iter().map(|picture| picture.hash).collect();
        assert_eq!(left, ["d"]);
    }
}
