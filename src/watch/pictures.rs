//! Pictures of streams: files named by what is in them, beside the store. Whatever a device sent is kept only if it is a whole
//! JPEG of a size that is served.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::history::memory::{Memory, StreamId, stream_key};
use crate::media::jpeg;
use crate::model::memory::Uid;
use crate::model::{Device, Stream};
use crate::net::with_file_rights;
use crate::store::{PictureRow, Store, StoreError};

/// The largest picture that is kept, in bytes.
pub const LARGEST: u64 = 1 << 20;
/// All pictures together, in bytes.
pub const MOST_BYTES: u64 = 2 << 30;
/// How long a picture is kept that none took the place of.
pub const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// A picture that is this old is taken anew when its stream is checked.
const RENEWED_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// A picture that came in is put in its place within this time, even by a long scan.
const LEFT: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// What is said of a picture that could not be had; where nobody asked for one, it is none of the stream's oddities.
const NO_PICTURE: [&str; 2] = ["no snapshot:", "the snapshot could not be saved"];

/// A picture that was taken and lies in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    /// The stream's key.
    pub(super) key: String,
    hash: String,
    bytes: u64,
}

/// When pictures were last taken, by device and stream.
#[derive(Debug, Default)]
pub(super) struct Pictured(BTreeMap<Uid, BTreeMap<String, Timestamp>>);

impl Pictured {
    /// Whether a picture of a stream is to be taken anew, which it is now.
    pub(super) fn is_due(&mut self, uid: &Uid, key: &str, now: Timestamp) -> bool {
        let last = self.0.get(uid).and_then(|streams| streams.get(key));
        let is_due =
            last.is_none_or(|last| !(SignedDuration::ZERO..RENEWED_AFTER).contains(&now.duration_since(*last)));
        if is_due {
            self.0.entry(uid.clone()).or_default().insert(key.to_owned(), now);
        }
        is_due
    }

    /// A picture of a stream is to be taken anew.
    pub(super) fn forget(&mut self, uid: &Uid, key: &str) {
        if let Some(streams) = self.0.get_mut(uid) {
            streams.remove(key);
        }
    }

    /// Forgets the streams that are known no longer.
    pub(super) fn keep_known(&mut self, memory: &Memory) {
        for (uid, streams) in &mut self.0 {
            let known = memory.devices.get(uid);
            streams.retain(|key, _| known.is_some_and(|known| known.streams.contains_key(key)));
        }
        self.0.retain(|_, streams| !streams.is_empty());
    }
}

/// Where the pictures of a store lie: the folder beside it that has its name, `store.sqlite.pictures`.
pub fn folder_of(store: &Store) -> PathBuf {
    let mut name = store.file().as_os_str().to_owned();
    name.push(".pictures");
    PathBuf::from(name)
}

/// Where a picture lies.
pub fn file_of(folder: &Path, hash: &str) -> PathBuf {
    folder.join(hash.get(..2).unwrap_or("00")).join(format!("{hash}.jpg"))
}

/// Where those lie that were just taken.
pub(super) fn incoming(folder: &Path) -> PathBuf {
    folder.join("new")
}

/// Makes the folders, which nobody else may look into.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    with_file_rights(|| {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(incoming(folder))
    })
}

/// Takes the pictures out of a report's devices: their files are put in their places, and the report names none. By the
/// position of the device.
pub(super) fn take_all(folder: &Path, devices: &mut [Device]) -> Vec<(usize, Taken)> {
    let mut taken = Vec::new();
    for (n, device) in devices.iter_mut().enumerate() {
        taken.extend(device.streams.iter_mut().filter_map(|stream| take(folder, stream)).map(|picture| (n, picture)));
    }
    taken
}

/// Takes the picture out of a stream that was played.
pub(super) fn take(folder: &Path, stream: &mut Stream) -> Option<Taken> {
    stream.warnings.retain(|warning| !NO_PICTURE.iter().any(|begins| warning.starts_with(begins)));
    let file = PathBuf::from(stream.snapshot.take()?);
    let key = stream_key(stream);
    let kept = with_file_rights(|| {
        let kept = keep(folder, &file);
        let _ = fs::remove_file(&file);
        kept
    });
    match kept {
        Ok(kept) => kept.map(|(hash, bytes)| Taken { key, hash, bytes }),
        Err(error) => {
            tracing::warn!("a picture cannot be kept: {error}");
            None
        }
    }
}

/// Puts a picture in its place. None where it is none that would be served.
fn keep(folder: &Path, file: &Path) -> io::Result<Option<(String, u64)>> {
    let mut picture = Vec::new();
    fs::File::open(file)?.take(LARGEST + 1).read_to_end(&mut picture)?;
    if !is_served(&picture) {
        return Ok(None);
    }
    let hash: String = Sha256::digest(&picture).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let place = file_of(folder, &hash);
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    #[cfg(unix)]
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    fs::rename(file, &place)?;
    Ok(Some((hash, picture.len() as u64)))
}

/// Whether these bytes are one whole JPEG with a size, and nothing behind it.
pub fn is_served(bytes: &[u8]) -> bool {
    bytes.len() as u64 <= LARGEST && jpeg::end(bytes) == Some(bytes.len()) && jpeg::size(bytes).is_some()
}

/// Notes a picture; the file of the one whose place it takes is removed.
pub(super) fn note(store: &Store, folder: &Path, uid: &Uid, taken: &Taken, at: Timestamp) -> Result<(), StoreError> {
    let stream = StreamId::of(uid, &taken.key);
    let row = PictureRow { stream, at, hash: taken.hash.clone(), bytes: taken.bytes };
    remove(folder, &store.put_picture(&row)?);
    Ok(())
}

/// Removes those that are too old, or too many.
pub fn prune(store: &Store, folder: &Path, now: Timestamp) -> Result<u64, StoreError> {
    let before = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    let gone = store.prune_pictures(before, MOST_BYTES)?;
    remove(folder, &gone);
    remove_left(folder);
    Ok(gone.len() as u64)
}

/// Removes those that a process that was killed has left where they came in.
fn remove_left(folder: &Path) {
    with_file_rights(|| {
        for file in fs::read_dir(incoming(folder)).into_iter().flatten().flatten() {
            let age = file.metadata().and_then(|data| data.modified()).map(|at| at.elapsed().unwrap_or_default());
            if age.is_ok_and(|age| age > LEFT) {
                let _ = fs::remove_file(file.path());
            }
        }
    });
}

/// Removes the files of pictures.
pub fn remove(folder: &Path, hashes: &[String]) {
    for hash in hashes {
        if let Err(error) = with_file_rights(|| fs::remove_file(file_of(folder, hash)))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("an old picture cannot be removed: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    const JPEG: &[u8] = include_bytes!("../../tests/data/media/camera_640x480_1.jpg");

    #[test]
    fn a_picture_is_kept_only_if_it_is_one() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path()).unwrap();
        let file = incoming(folder.path()).join("192.0.2.1-1.jpg");
        let put = |bytes: &[u8]| {
            fs::write(&file, bytes).unwrap();
            let mut stream = Stream::new("rtsp://192.0.2.1/1", Protocol::Rtsp);
            stream.snapshot = Some(file.display().to_string());
            stream.warnings = vec!["no snapshot: x".to_owned(), "odd".to_owned()];
            let taken = take(folder.path(), &mut stream);
            assert_eq!((stream.snapshot, stream.warnings, file.exists()), (None, vec!["odd".to_owned()], false));
            taken
        };
        let taken = put(JPEG).unwrap();
        assert_eq!((taken.key.as_str(), taken.bytes), ("rtsp:/1", JPEG.len() as u64));
        let place = file_of(folder.path(), &taken.hash);
        assert_eq!(fs::read(&place).unwrap(), JPEG);
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&place).unwrap().permissions()) & 0o777,
            0o600
        );
        let large = vec![0; LARGEST as usize + 1];
        for other in [b"<html>".as_slice(), &JPEG[..JPEG.len() - 1], &[JPEG, b"<script>"].concat(), &large, &[]] {
            assert_eq!(put(other), None);
        }
    }

    #[test]
    fn when_pictures_of_streams_were_taken_is_known_as_long_as_the_streams_are() {
        use crate::history::memory::tests::{Site, camera, uid};
        let (mut site, mut pictured) = (Site::default(), Pictured::default());
        site.scan(0, vec![camera(1, 1), camera(2, 2)]);
        let now = Timestamp::UNIX_EPOCH;
        let keys: Vec<String> = (0..500).map(|n| format!("rtsp:554/{n}")).collect();
        assert!([1, 2, 3].iter().all(|n| keys.iter().all(|key| pictured.is_due(&uid(*n), key, now))));
        site.memory.forget(&uid(2));
        pictured.keep_known(&site.memory);
        assert_eq!(pictured.0.values().map(BTreeMap::len).sum::<usize>(), 1);
        assert!(!pictured.is_due(&uid(1), "rtsp:554/1", now));
        pictured.forget(&uid(1), "rtsp:554/1");
        assert!(pictured.is_due(&uid(1), "rtsp:554/1", now));
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many_and_a_file_that_two_have_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), crate::store::Open::Create).unwrap();
        let place = folder_of(&store);
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let uid = Uid::of([7; 10]);
        let put = |key: &str, hash: &str, hours: i64, bytes: u64| {
            let file = file_of(&place, hash);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, JPEG).unwrap();
            let taken = Taken { key: key.to_owned(), hash: hash.to_owned(), bytes };
            note(&store, &place, &uid, &taken, now - SignedDuration::from_hours(hours)).unwrap();
        };
        let is_there = |hash: &str| file_of(&place, hash).exists();
        put("1", "aa", 5, 10);
        put("2", "aa", 4, 10);
        put("1", "bb", 3, 10);
        assert!(is_there("aa"), "another stream has the same picture");
        put("2", "cc", 2, MOST_BYTES - 5);
        assert!(!is_there("aa") && is_there("bb"));
        assert_eq!(prune(&store, &place, now).unwrap(), 1);
        assert!(!is_there("bb") && is_there("cc"));
        assert_eq!(prune(&store, &place, now + KEPT).unwrap(), 1);
        assert!(!is_there("cc") && store.pictures().unwrap().is_empty());
    }
}
