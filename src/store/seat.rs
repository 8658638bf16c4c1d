//! Where a store lies while it is used: in its file as a rule.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// Where connections find the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seat {
    /// In a file.
    File(FileId),
    /// In the memory of this process, under this name of the database's.
    Memory(String),
}

/// A file that was opened, by its name and by what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileId {
    pub path: PathBuf,
    node: Node,
}

/// What a file is, whatever its name is.
pub(super) type Node = (u64, u64);

impl FileId {
    /// The file that has this name now.
    pub(super) fn of(path: &Path) -> Result<FileId, StoreError> {
        match node(path) {
            Ok(Some(node)) => Ok(FileId { path: path.to_owned(), node }),
            Ok(None) => Err(StoreError::Missing(path.to_owned())),
            Err(source) => Err(StoreError::Io { file: path.to_owned(), source }),
        }
    }

    /// Whether it still has its name.
    pub(super) fn is_named(&self) -> bool {
        matches!(node(&self.path), Ok(Some(node)) if node == self.node)
    }
}

/// What the file of this name is; none where there is no such file.
pub(super) fn node(path: &Path) -> io::Result<Option<Node>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(node_of(&found))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn node_of(found: &fs::Metadata) -> Node {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn node_of(_: &fs::Metadata) -> Node {
    (0, 0)
}
