//! The lock of the process that watches.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::file::beside;
use super::{Store, StoreError};

/// How the name of the locked file ends.
const ENDING: &str = "-watch";
/// The longest name of a process that is read.
const MOST_NAME: u64 = 300;

/// Held by the one process that watches with a store, for as long as it lives: the system lets go of it with the process,
/// however that ends. Its clones are one lock, held until the last of them is dropped.
///
/// A store lies on a disk of one machine, since the database's log needs memory that all its processes share; and so they
/// share the system that keeps the lock, in containers too.
#[derive(Debug, Clone)]
pub struct WatchLock(Arc<Held>);

#[derive(Debug)]
struct Held {
    file: Mutex<File>,
    path: PathBuf,
    store: PathBuf,
    holder: String,
}

impl WatchLock {
    /// Takes the lock of a store for a process of this name, which another one reads that wants it too.
    ///
    /// # Errors
    /// [`StoreError::Watched`] when another process watches; else when the file of the lock cannot be made.
    pub fn take(store: &Store, holder: &str) -> Result<WatchLock, StoreError> {
        let path = lock_of(store.file());
        let of = |source| StoreError::Io { file: path.clone(), source };
        // Between opening and locking, the file may lose its name to another one.
        for _ in 0..8 {
            let file = open(&path, store.file()).map_err(of)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(watched(store.file(), &file)),
                Err(TryLockError::Error(source)) => return Err(of(source)),
            }
            if is_named(&file, &path) {
                write_name(&file, holder);
                let (store, holder) = (store.file().to_owned(), holder.to_owned());
                return Ok(WatchLock(Arc::new(Held { file: Mutex::new(file), path, store, holder })));
            }
        }
        Err(StoreError::Busy(store.file().to_owned()))
    }

    /// Makes sure that the file of the lock still has its name, and makes it again where it was removed.
    ///
    /// # Errors
    /// [`StoreError::Watched`] when another process has taken the place of this one.
    pub fn keep(&self) -> Result<(), StoreError> {
        let Held { file, path, store, holder } = &*self.0;
        let mut held = file.lock().unwrap_or_else(PoisonError::into_inner);
        if is_named(&held, path) {
            return Ok(());
        }
        // A file that cannot be made or locked now is looked at again in a minute.
        let Ok(file) = open(path, store) else { return Ok(()) };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(watched(store, &file)),
            Err(TryLockError::Error(_)) => Ok(()),
            Ok(()) => {
                write_name(&file, holder);
                *held = file;
                Ok(())
            }
        }
    }
}

fn watched(store: &Path, file: &File) -> StoreError {
    StoreError::Watched { file: store.to_owned(), by: name_in(file) }
}

/// A full disk takes no name, and is no reason not to watch.
fn write_name(mut file: &File, holder: &str) {
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes()));
}

impl Store {
    /// The name of the process that watches with this store, if one does.
    pub fn watched_by(&self) -> Option<String> {
        let file = own_file(options().open(lock_of(self.file())).ok()?).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(name_in(&file)),
            _ => None,
        }
    }
}

/// The file of a store's lock: the same one by whatever link the store is named.
fn lock_of(store: &Path) -> PathBuf {
    beside(&store.canonicalize().unwrap_or_else(|_| store.to_owned()), ENDING)
}

/// Opens the file, or makes it for its owner alone, who is the owner of the store: a watch that was tried as root must not
/// keep the store's own user from watching. The folder may be that user's: no link is followed, and nothing that is there
/// already is given to another owner.
fn open(path: &Path, store: &Path) -> io::Result<File> {
    match options().create_new(true).open(path) {
        Ok(file) => {
            give_to_owner(&file, store)?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => own_file(options().open(path)?),
        Err(error) => Err(error),
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        // A pipe is not waited for.
        options.mode(0o600).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    options
}

/// A file that is a file, and has no second name: what is written into it is written nowhere else.
fn own_file(file: File) -> io::Result<File> {
    let found = file.metadata()?;
    #[cfg(unix)]
    let is_own = found.is_file() && std::os::unix::fs::MetadataExt::nlink(&found) <= 1;
    #[cfg(not(unix))]
    let is_own = found.is_file();
    if is_own {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file of its own; remove it"))
    }
}

#[cfg(unix)]
fn give_to_owner(file: &File, store: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (made, store) = (file.metadata()?, fs::metadata(store)?);
    if (made.uid(), made.gid()) != (store.uid(), store.gid()) {
        // Only root may, and only root has to.
        let _ = std::os::unix::fs::fchown(file, Some(store.uid()), Some(store.gid()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn give_to_owner(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether a file still has this name.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let both = file.metadata().and_then(|file| Ok((file, fs::metadata(path)?)));
    both.is_ok_and(|(file, named)| (file.dev(), file.ino()) == (named.dev(), named.ino()))
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_named(_: &File, path: &Path) -> bool {
    fs::metadata(path).is_ok()
}

fn name_in(file: &File) -> String {
    let mut name = Vec::new();
    let mut file = file;
    let _ = file.rewind().and_then(|()| file.take(MOST_NAME).read_to_end(&mut name));
    let name = crate::text::clean(String::from_utf8_lossy(&name).trim());
    if name.is_empty() { "another process".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Open;

    #[test]
    fn a_store_is_watched_by_one_for_as_long_as_that_one_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        let store = Store::open(&path, Open::Create).unwrap();
        assert_eq!(store.watched_by(), None);
        let first = WatchLock::take(&store, "process 1 on a").unwrap();
        let by = |error: StoreError| match error {
            StoreError::Watched { by, .. } => by,
            other => panic!("{other:?}"),
        };
        assert_eq!(by(WatchLock::take(&store, "process 2 on a").unwrap_err()), "process 1 on a");
        assert_eq!(store.watched_by().as_deref(), Some("process 1 on a"));
        #[cfg(unix)]
        {
            let link = folder.path().join("link.sqlite");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            let linked = Store::open(&link, Open::Existing).unwrap();
            assert_eq!(by(WatchLock::take(&linked, "process 2 on a").unwrap_err()), "process 1 on a");
        }
        first.keep().unwrap();
        let clone = first.clone();
        drop(first);
        assert_eq!(store.watched_by().as_deref(), Some("process 1 on a"), "a clone still holds it");
        drop(clone);
        assert_eq!(store.watched_by(), None);
        drop(WatchLock::take(&store, "process 2 on a").unwrap());
    }

    #[test]
    fn a_lock_whose_file_was_removed_is_made_again_or_lost_to_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        let path = lock_of(store.file());
        let first = WatchLock::take(&store, "first").unwrap();
        fs::remove_file(&path).unwrap();
        first.keep().unwrap();
        assert_eq!(store.watched_by().as_deref(), Some("first"), "made again");
        fs::remove_file(&path).unwrap();
        let second = WatchLock::take(&store, "second").unwrap();
        assert!(matches!(first.keep(), Err(StoreError::Watched { by, .. }) if by == "second"));
        drop(second);
        first.keep().unwrap();
        assert_eq!(store.watched_by().as_deref(), Some("first"));
    }

    /// The folder may be another user's, who can put anything there.
    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link_that_lies_in_the_place_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        let (path, other) = (lock_of(store.file()), folder.path().join("other"));
        fs::write(&other, "as it was").unwrap();
        for put in [std::os::unix::fs::symlink::<&Path, &Path>, fs::hard_link::<&Path, &Path>] {
            put(&other, &path).unwrap();
            assert!(matches!(WatchLock::take(&store, "process 1"), Err(StoreError::Io { .. })));
            assert_eq!((store.watched_by(), fs::read_to_string(&other).unwrap()), (None, "as it was".to_owned()));
            fs::remove_file(&path).unwrap();
        }
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert!(WatchLock::take(&store, "process 1").is_err());
        assert_eq!(store.watched_by(), None);
    }

    #[test]
    fn what_stands_in_the_file_is_read_with_care() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        for (holder, shown) in [("", "another process"), ("a\x1b[31m\nb", ""), (&"x".repeat(5000), "")] {
            let lock = WatchLock::take(&store, holder).unwrap();
            let name = store.watched_by().unwrap();
            assert!(shown.is_empty() || name == shown, "{name}");
            assert!(name.len() <= 300 && !name.chars().any(char::is_control), "{name:?}");
            drop(lock);
        }
    }
}
