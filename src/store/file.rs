//! Files of stores: made whole or not at all, and never in the place of another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::disk::folder_of;
use super::error::StoreError;

/// What every file of the database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How the names of stores end that are being made, …
const TEMPORARY: &str = ".new";
/// … after so many random digits.
const RANDOM_DIGITS: usize = 16;
/// No copy takes so long: what is older was left behind.
const LEFT_OVER_AFTER: Duration = Duration::from_hours(24);
/// How the names of a database's files end.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Flags for reading and writing. The library's own locks are not needed: a connection is used by one thread at a time.
pub(super) fn read_write() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE
}

/// A file that the database keeps beside a store.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The address by which the database takes a file in the way that `how` says (<https://sqlite.org/uri.html>).
pub(super) fn uri(file: &Path, how: &str) -> Option<String> {
    let path = std::path::absolute(file).ok()?;
    let escaped: String = path.to_str()?.chars().fold(String::new(), |mut all, c| {
        match c {
            '%' => all.push_str("%25"),
            '?' => all.push_str("%3f"),
            '#' => all.push_str("%23"),
            c => all.push(c),
        }
        all
    });
    Some(format!("file://{escaped}?{how}"))
}

/// Whether there is a file of that name.
pub(super) fn exists(file: &Path) -> Result<bool, StoreError> {
    file.try_exists().map_err(|source| StoreError::Io { file: file.to_owned(), source })
}

/// Makes sure that a file is one of the database's, and not just made by somebody who was killed before it was one.
pub(super) fn check_file(file: &Path) -> Result<(), StoreError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => StoreError::Missing(file.to_owned()),
        _ => StoreError::Io { file: file.to_owned(), source },
    };
    if !fs::metadata(file).map_err(io)?.is_file() {
        return Err(StoreError::NotAStore(file.to_owned()));
    }
    let mut head = Vec::new();
    File::open(file).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head)).map_err(io)?;
    if head == MAGIC { Ok(()) } else { Err(StoreError::NotAStore(file.to_owned())) }
}

/// A file beside a store, its owner's alone, that is gone when it is dropped unless it has got its name.
pub(super) struct TempStore(pub PathBuf);

impl TempStore {
    /// An empty one, in the folder of `file`.
    pub(super) fn new(file: &Path) -> Result<TempStore, StoreError> {
        remove_left_over(file, LEFT_OVER_AFTER);
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(file.to_owned()),
            io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly(file.to_owned()),
            _ => StoreError::Io { file: file.to_owned(), source },
        };
        let path = beside(file, &format!(".{:0RANDOM_DIGITS$x}{TEMPORARY}", fastrand::u64(..)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(io)?;
        Ok(TempStore(path))
    }

    /// A copy of the store that a connection holds, which is that of `file`, for the name `to`.
    pub(super) fn of_copy(connection: &Connection, file: &Path, to: &Path) -> Result<TempStore, StoreError> {
        if exists(to)? {
            return Err(StoreError::Exists(to.to_owned()));
        }
        let temp = TempStore::new(to)?;
        // What is full is the disk of the copy.
        let of = |error: rusqlite::Error| match StoreError::of(file, &error) {
            StoreError::Full(_) => StoreError::Full(to.to_owned()),
            other => other,
        };
        let unnamed = || StoreError::Other { file: to.to_owned(), what: "its name is not valid UTF-8".to_owned() };
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(of)?;
        // To a database in memory, a name is that of another one there.
        let name = match mode == "memory" {
            true => uri(&temp.0, if cfg!(windows) { "vfs=win32" } else { "vfs=unix" }),
            false => temp.0.to_str().map(str::to_owned),
        };
        let name = name.ok_or_else(unnamed)?;
        connection.execute("VACUUM INTO ?1", [name]).map_err(of)?;
        Ok(temp)
    }

    /// Gives it its name, unless there is a file of that name.
    pub(super) fn become_file(self, file: &Path) -> Result<(), StoreError> {
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists(file.to_owned()),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(file.to_owned()),
            _ => StoreError::Io { file: file.to_owned(), source },
        };
        File::open(&self.0).and_then(|made| made.sync_all()).map_err(io)?;
        // A second name cannot take the place of a file, as a new name for the first would.
        match fs::hard_link(&self.0, file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(io(error)),
            // Some file systems know no second names.
            Err(_) if !exists(file)? => fs::rename(&self.0, file).map_err(io)?,
            Err(error) => return Err(io(error)),
        }
        // The name is on disk only once its folder is; some file systems refuse to sync one.
        let _ = File::open(folder_of(file)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

/// Removes what a copy left behind whose program was killed: of the names that [`TempStore::new`] gives, and untouched for
/// `age` or longer. Nothing else of the folder is looked at.
pub(super) fn remove_left_over(file: &Path, age: Duration) {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else { return };
    let is_left_over = |entry: &fs::DirEntry| {
        let untouched = entry.metadata().and_then(|metadata| metadata.modified()).map(|at| at.elapsed());
        entry.file_name().to_str().is_some_and(|entry| is_temporary(entry, name))
            && matches!(untouched, Ok(Ok(untouched)) if untouched >= age)
    };
    // What cannot be removed is no reason not to go on.
    for entry in fs::read_dir(folder_of(file)).into_iter().flatten().flatten().filter(is_left_over) {
        let _ = fs::remove_file(entry.path());
    }
}

/// Whether it is the name of a temporary store made for one called `name`, or of a file that the database keeps beside it.
fn is_temporary(entry: &str, name: &str) -> bool {
    let Some((digits, ending)) = entry
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.split_at_checked(RANDOM_DIGITS))
    else {
        return false;
    };
    digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        && ending.strip_prefix(TEMPORARY).is_some_and(|ending| BESIDE.contains(&ending))
}

impl Drop for TempStore {
    fn drop(&mut self) {
        for ending in BESIDE {
            let _ = fs::remove_file(beside(&self.0, ending));
        }
    }
}

/// Copies the store that a connection holds into a new file. The copy is on disk, and whole, before it has its name.
pub(super) fn copy_into(connection: &Connection, file: &Path, to: &Path) -> Result<(), StoreError> {
    TempStore::of_copy(connection, file, to)?.become_file(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_left_behind_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let file = path("store.sqlite");
        let kept = [
            "store.sqlite",
            "store.sqlite-wal",
            "store.sqlite.v1",
            "store.sqlite.new",
            "store.sqlite.0123456789abcdeg.new",
        ];
        let left = ["store.sqlite.0123456789abcdef.new", "store.sqlite.0123456789abcdef.new-journal"];
        let others = ["other.sqlite.0123456789abcdef.new", "store.sqlite.v1.0123456789abcdef.new"];
        for name in kept.iter().chain(&left).chain(&others) {
            fs::write(path(name), "x").unwrap();
        }
        remove_left_over(&file, Duration::from_hours(1));
        assert!(left.iter().all(|name| path(name).exists()), "somebody may still write it");
        remove_left_over(&file, Duration::ZERO);
        assert!(!left.iter().any(|name| path(name).exists()));
        assert!(kept.iter().chain(&others).all(|name| path(name).exists()));
        remove_left_over(Path::new("/"), Duration::ZERO);
        remove_left_over(&path("no/such/folder/store.sqlite"), Duration::ZERO);
    }
}
