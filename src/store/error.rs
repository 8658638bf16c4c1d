//! What can be wrong with a store, and what to do about it.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::disk;
use crate::model::memory::OutboxError;
use crate::model::problem::{Hinted, io_reason};

/// Why a store cannot be opened, read or written. None of these changes the file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no file.
    #[error("there is no store {}", .0.display())]
    Missing(PathBuf),
    /// There is a file already where a new one was to be made.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The file is something else.
    #[error("{} is not a store of camscan", .0.display())]
    NotAStore(PathBuf),
    /// The file is a store, and not whole.
    #[error("the store {} is damaged: {what}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found, in the words of the database.
        what: String,
    },
    /// A later version made it, or has upgraded it.
    #[error("the store {} was written by camscan {version}, which is newer than this one", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// The version that wrote it last.
        version: String,
    },
    /// It has to be upgraded first, and may not be written.
    #[error("the store {} was written by an older camscan and must be upgraded first", .0.display())]
    Older(PathBuf),
    /// The system does not let it be written.
    #[error("the store {} cannot be written: it, its folder or the disk is read-only", .0.display())]
    ReadOnly(PathBuf),
    /// It lies on another machine's disk.
    #[error("the store {} is on a network file system ({kind}), which would damage it", file.display())]
    Network {
        /// The file.
        file: PathBuf,
        /// The kind of file system.
        kind: String,
    },
    /// There is no room.
    #[error("the disk of the store {} is full; nothing of this was stored, and what was stored before is whole",
            .0.display())]
    Full(PathBuf),
    /// The disk fails, or takes no more of this user.
    #[error("the disk of the store {} cannot be read or written: {what}", file.display())]
    Disk {
        /// The file.
        file: PathBuf,
        /// In the words of the database.
        what: String,
    },
    /// The file that was opened has lost its name, and another one may have it.
    #[error("the file of the store {} was removed or replaced", .0.display())]
    Moved(PathBuf),
    /// Somebody else holds it.
    #[error("the store {} is in use by another program that does not let go of it", .0.display())]
    Busy(PathBuf),
    /// Another process watches with it.
    #[error("{by} is watching with the store {} already", file.display())]
    Watched {
        /// The file.
        file: PathBuf,
        /// The name of the process.
        by: String,
    },
    /// The system refuses.
    #[error("the store {} cannot be opened: {}", file.display(), io_reason(source))]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Anything else the database reports.
    #[error("the store {} cannot be used: {what}", file.display())]
    Other {
        /// The file.
        file: PathBuf,
        /// In its words.
        what: String,
    },
    /// What was asked for is not there.
    #[error("the store holds no {0}")]
    Unknown(String),
}

impl Hinted for StoreError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let quoted = |file: &Path| format!("'{}'", file.display());
        Some(match self {
            StoreError::Missing(file) => {
                format!("make one: camscan scan --store={}", quoted(file)).into()
            }
            StoreError::Exists(_) => "name a file that does not exist yet".into(),
            StoreError::NotAStore(_) => "name another file; this one was left as it is".into(),
            StoreError::Damaged { file, .. } => format!(
                "it was left as it is; copy what can be read into a new one: camscan store salvage NEW.sqlite --store {}",
                quoted(file)
            )
            .into(),
            StoreError::Newer { version, .. } => {
                format!("update camscan to {version} or later, or name another store").into()
            }
            StoreError::Older(_) => "any command that writes upgrades it, such as camscan store prune".into(),
            StoreError::ReadOnly(_) => "give the user of camscan the right to write the file and its folder".into(),
            StoreError::Network { .. } => {
                "keep it on a disk of this machine, and copy it elsewhere with camscan store backup".into()
            }
            StoreError::Full(_) => "free some space, or keep less: keep_events, keep_scans and camscan store prune".into(),
            StoreError::Busy(_) => "end the other program, or try again later".into(),
            StoreError::Watched { .. } => "one process watches at a time; end that one, or name another store".into(),
            StoreError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "the store is readable by its owner only; run camscan as that user".into()
            }
            StoreError::Disk { .. } => "see what the system's log says of the disk, and whether a quota or limit holds".into(),
            StoreError::Moved(_) => "put the file back, or start again with the one that is there".into(),
            StoreError::Io { .. } | StoreError::Other { .. } | StoreError::Unknown(_) => return None,
        })
    }
}

impl StoreError {
    /// Whether it may work a moment later: there is room again, or somebody else lets go of it.
    pub fn may_pass(&self) -> bool {
        matches!(self, StoreError::Busy(_) | StoreError::Moved(_) | StoreError::Io { .. }) || self.of_disk().is_some()
    }

    /// The same, where it is the disk that takes nothing.
    pub(super) fn of_disk(&self) -> Option<StoreError> {
        match self {
            StoreError::Full(file) => Some(StoreError::Full(file.clone())),
            StoreError::Disk { file, what } => Some(StoreError::Disk { file: file.clone(), what: what.clone() }),
            _ => None,
        }
    }

    /// What an error of the database means for this file.
    pub(super) fn of(file: &Path, error: &rusqlite::Error) -> StoreError {
        let path = || file.to_owned();
        let what = || match error {
            rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
            other => other.to_string(),
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                StoreError::Busy(path())
            }
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { file: path(), what: what() },
            Some(ErrorCode::NotADatabase) => StoreError::NotAStore(path()),
            Some(ErrorCode::DiskFull) => StoreError::Full(path()),
            // Where there is no room for the index of the log, the database calls it an error of the disk.
            Some(ErrorCode::SystemIoFailure) if disk::is_full(file) => StoreError::Full(path()),
            Some(ErrorCode::SystemIoFailure) => StoreError::Disk { file: path(), what: what() },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly(path()),
            // It is its log, beside the store, that cannot be made.
            Some(ErrorCode::CannotOpen) if disk::is_read_only(file) => StoreError::ReadOnly(path()),
            Some(ErrorCode::PermissionDenied) => {
                StoreError::Io { file: path(), source: io::ErrorKind::PermissionDenied.into() }
            }
            _ => match error {
                // A value that is not of the type the column was made for.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..) => StoreError::Damaged { file: path(), what: what() },
                _ => StoreError::Other { file: path(), what: what() },
            },
        }
    }
}

impl From<StoreError> for OutboxError {
    fn from(error: StoreError) -> OutboxError {
        OutboxError(error.to_string())
    }
}
