//! What the disk of a store is like: the database calls much an error of input and output that has a plainer reason.

use std::path::Path;

/// Less room than this, in bytes, is none: it is what the database takes at once for the index of its log.
const ROOM: u64 = 32 << 10;

/// Whether a user's files find no more room on the disk of a file.
pub(super) fn is_full(file: &Path) -> bool {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(file).or_else(|_| rustix::fs::statvfs(folder_of(file)));
        disk.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// Whether the file is there, and the system lets nothing be made beside it.
pub(super) fn is_read_only(file: &Path) -> bool {
    #[cfg(unix)]
    {
        file.exists() && rustix::fs::access(folder_of(file), rustix::fs::Access::WRITE_OK).is_err()
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// The folder a file is in.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
