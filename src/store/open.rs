//! How a store is made and opened: only where it can be kept whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use refinery::Migration;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::disk::folder_of;
use super::error::StoreError;
use super::file::{TempStore, beside, check_file, exists, read_write, uri};
use super::schema::{self, Age};

/// `cams`: what tells our files from those of others.
const APPLICATION_ID: i64 = 0x6361_6d73;
/// How long a write waits for another program's.
const BUSY: Duration = Duration::from_secs(30);
/// Statements that are kept ready.
const STATEMENTS: usize = 64;
/// How a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// To be written; it is made where there is none.
    Create,
    /// To be written.
    Existing,
    /// To be read alone.
    ReadOnly,
}

/// The connection that writes, to a store that is there and of this version.
pub(super) fn writer(file: &Path, how: Open, steps: &[Migration]) -> Result<Connection, StoreError> {
    if how == Open::Create && !exists(file)? {
        refuse_network(file)?;
        create(file, steps)?;
    }
    check_file(file)?;
    refuse_network(file)?;
    let of = |error: rusqlite::Error| StoreError::of(file, &error);
    let connect = || -> Result<Connection, StoreError> {
        let mut connection = Connection::open_with_flags(file, read_write()).map_err(of)?;
        prepare(&mut connection).map_err(of)?;
        Ok(connection)
    };
    let mut connection = connect()?;
    check_application(&connection, file)?;
    // The database opens a file it may not write without a word, and fails at the first write.
    if connection.is_readonly("main").map_err(of)? {
        return Err(StoreError::ReadOnly(file.to_owned()));
    }
    if schema::age(&connection, file, steps)? == Age::Older {
        drop(connection);
        schema::upgrade(file, steps)?;
        connection = connect()?;
    }
    // A copy has no log of its own accord, and without one readers and writers wait for each other.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(of)?;
    check_after_crash(&connection, file)?;
    keep_statements(&connection);
    Ok(connection)
}

/// All statements of a change are few, and always the same.
pub(super) fn keep_statements(writer: &Connection) {
    writer.set_prepared_statement_cache_capacity(STATEMENTS);
}

/// A connection to the memory of this process that has this name, which begins with a slash: it lasts as long as the last
/// connection to it (<https://sqlite.org/src/file/src/memdb.c>).
pub(super) fn in_memory(name: &str) -> rusqlite::Result<Connection> {
    let flags = read_write() | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI;
    let mut connection = Connection::open_with_flags(format!("file:{name}?vfs=memdb"), flags)?;
    prepare(&mut connection)?;
    Ok(connection)
}

/// A connection that reads alone, to such a memory.
pub(super) fn reader_in_memory(name: &str) -> rusqlite::Result<Connection> {
    let connection = in_memory(name)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A connection that reads alone, to a store of this version.
pub(super) fn reader(file: &Path, may_write: bool) -> Result<Connection, StoreError> {
    let of = |error: rusqlite::Error| StoreError::of(file, &error);
    if may_write {
        let mut connection = Connection::open_with_flags(file, read_write()).map_err(of)?;
        prepare(&mut connection).and_then(|()| connection.pragma_update(None, "query_only", true)).map_err(of)?;
        // The writer, which is closed last, takes the log in: a reader whose file has lost its name would remove another's.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(of)?;
        return Ok(connection);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(of)?;
    connection.busy_timeout(BUSY).map_err(of)?;
    match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        Ok(()) => Ok(connection),
        // Where nothing can be written, the index of the log cannot be made. Without a log the file is whole by itself.
        Err(error) if beside(file, "-wal").metadata().map_or(0, |log| log.len()) == 0 => {
            // It is taken for one that nobody changes.
            let Some(uri) = uri(file, "immutable=1") else { return Err(of(error)) };
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(uri, flags).map_err(of)
        }
        Err(error) => Err(of(error)),
    }
}

/// Makes sure that a file to be read alone is a store of this version.
pub(super) fn check_readable(connection: &Connection, file: &Path, steps: &[Migration]) -> Result<(), StoreError> {
    check_application(connection, file)?;
    match schema::age(connection, file, steps)? {
        Age::Current => Ok(()),
        Age::Older => Err(StoreError::Older(file.to_owned())),
    }
}

/// Waits a moment for another program's write, up to [`BUSY`] in all. The database's own way waits ever longer between two
/// tries, so that a program that writes all the time can keep another one out.
fn wait(tries: i32) -> bool {
    const MEAN: Duration = Duration::from_millis(5);
    std::thread::sleep(Duration::from_millis(fastrand::u64(1..10)));
    u128::try_from(tries).is_ok_and(|tries| tries < BUSY.as_millis() / MEAN.as_millis())
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait))?;
    // A power cut loses nothing that was told to be stored; commits are few.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // Nothing in a file of somebody else is run.
    connection.pragma_update(None, "trusted_schema", false)
}

fn check_application(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let id = connection.query_row("PRAGMA application_id", [], |row| row.get::<_, i64>(0));
    match id.map_err(|error| StoreError::of(file, &error))? {
        APPLICATION_ID => Ok(()),
        _ => Err(StoreError::NotAStore(file.to_owned())),
    }
}

/// A store is made under another name and gets its own when it is whole, so that whoever finds a file there finds a store,
/// and one that is there is never replaced.
pub(super) fn create(file: &Path, steps: &[Migration]) -> Result<(), StoreError> {
    let temp = TempStore::new(file)?;
    let of = |error: rusqlite::Error| StoreError::of(file, &error);
    let mut connection = Connection::open_with_flags(&temp.0, read_write()).map_err(of)?;
    fill(&mut connection, file, steps)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(of)?;
    drop(connection);
    match temp.become_file(file) {
        // Another camscan was quicker; its store is as good.
        Err(StoreError::Exists(_)) => Ok(()),
        other => other,
    }
}

/// Makes an empty database a store.
pub(super) fn fill(connection: &mut Connection, file: &Path, steps: &[Migration]) -> Result<(), StoreError> {
    let of = |error: rusqlite::Error| StoreError::of(file, &error);
    // Decides how pages are given back, and so must come before the first table.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(of)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(of)?;
    schema::make(connection, file, steps)
}

/// Looks through the store where somebody who wrote to it has neither closed it nor runs any more.
fn check_after_crash(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let of = |error: rusqlite::Error| StoreError::of(file, &error);
    let open = || -> rusqlite::Result<Vec<i64>> {
        let mut all = connection.prepare("SELECT DISTINCT pid FROM opens WHERE closed_at IS NULL")?;
        all.query_map([], |row| row.get(0))?.collect()
    };
    if open().map_err(of)?.into_iter().all(runs) {
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(of)?;
    if found != "ok" {
        return Err(StoreError::Damaged { file: file.to_owned(), what: crate::text::clean_to(&found, 200) });
    }
    Ok(())
}

/// Whether a process of that number runs on this machine.
pub(super) fn runs(pid: i64) -> bool {
    #[cfg(unix)]
    {
        // A negative number stands for a group, and is never written.
        let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(rustix::process::Pid::from_raw);
        // One of somebody else refuses to be asked, and so runs.
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
    }
    #[cfg(not(unix))]
    {
        pid == i64::from(std::process::id())
    }
}

/// Kinds of file systems that share a disk of another machine: the log needs memory that all who use it share.
const NETWORK: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "9p",
    "vboxsf",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.davfs2",
    "davfs",
];

fn refuse_network(file: &Path) -> Result<(), StoreError> {
    let folder = folder_of(file);
    let Ok(real) = file.canonicalize().or_else(|_| folder.canonicalize()) else { return Ok(()) };
    // Other systems than Linux have no such list; there the user has to know.
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else { return Ok(()) };
    match file_system(&mounts, &real) {
        Some(kind) if NETWORK.contains(&kind) => {
            Err(StoreError::Network { file: file.to_owned(), kind: kind.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The kind of file system a path is on, from the list of mounts (proc_pid_mountinfo(5)).
fn file_system<'m>(mounts: &'m str, path: &Path) -> Option<&'m str> {
    let of_line = |line: &'m str| {
        let (before, after) = line.split_once(" - ")?;
        let point = PathBuf::from(unescaped(before.split(' ').nth(4)?));
        path.starts_with(&point).then(|| (point.components().count(), after.split(' ').next().unwrap_or_default()))
    };
    // Of several mounts at one place the last one is seen.
    mounts.lines().filter_map(of_line).max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// Blanks and the like stand as octal numbers: `\040`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => all + &char::from(code).to_string() + part.get(3..).unwrap_or_default(),
            None => all + "\\" + part,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_decides() {
        let mounts = "\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:30 / /srv rw shared:5 - nfs4 nas:/export rw,vers=4.2
31 30 8:2 / /srv/local\\040disk rw - xfs /dev/sdb1 rw
32 22 0:31 / /mnt/share rw - cifs //nas/share rw
33 22 8:3 / /mnt/share rw - ext4 /dev/sdc1 rw
";
        for (path, kind) in [
            ("/var/lib/camscan/store.sqlite", "ext4"),
            ("/srv/camscan/store.sqlite", "nfs4"),
            ("/srv/local disk/store.sqlite", "xfs"),
            ("/srvother/store.sqlite", "ext4"),
            ("/mnt/share/store.sqlite", "ext4"),
        ] {
            assert_eq!(file_system(mounts, Path::new(path)), Some(kind), "{path}");
        }
        assert_eq!(file_system("", Path::new("/a")), None);
    }

    #[test]
    fn this_process_runs_and_no_other_of_its_kind() {
        assert!(runs(i64::from(std::process::id())));
        assert!(!runs(i64::from(i32::MAX)) && !runs(-1) && !runs(0));
    }
}
