//! Files that get their new content as a whole or keep the old. The only place that makes them.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::model::problem::{Hinted, io_reason};

/// Why an output file can't be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A folder was named instead of a file.
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
    /// The folder of the file does not exist.
    #[error("the folder {} does not exist", .0.display())]
    NoFolder(PathBuf),
    /// Symbolic links form a loop.
    #[error("{} is a symbolic link that leads nowhere", .0.display())]
    LinkLoop(PathBuf),
    /// The system refuses.
    #[error("{} cannot be written: {}", path.display(), io_reason(source))]
    Refused {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl OutputError {
    fn refused(path: &Path, source: io::Error) -> Self {
        OutputError::Refused { path: path.to_owned(), source }
    }
}

impl Hinted for OutputError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            OutputError::Folder(path) => {
                format!("name a file in it, such as {}", path.join("report.json").display()).into()
            }
            OutputError::NoFolder(path) => format!("create it first: mkdir -p '{}'", path.display()).into(),
            OutputError::LinkLoop(_) => "remove it or name another file".into(),
            OutputError::Refused { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => "name a file in a folder you may write to".into(),
                io::ErrorKind::ReadOnlyFilesystem => {
                    "the file system is mounted read-only; name a file elsewhere".into()
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "the disk is full; free some space or name a file elsewhere".into()
                }
                io::ErrorKind::FileTooLarge => "it may not grow so large; raise the limit: ulimit -f unlimited".into(),
                _ => "name a file elsewhere".into(),
            },
        })
    }
}

/// Where a rendered report goes: checked before the scan, written after it in one step.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    destination: Destination,
    /// Readable and writable by its owner alone.
    is_private: bool,
}

#[derive(Debug)]
enum Destination {
    Stdout,
    /// A pipe or device, such as `/dev/null`: written to, never replaced.
    Special,
    /// The real path of a plain file, behind any links.
    File(PathBuf),
}

/// More links than this in a row are a circle; Linux draws the line there too (path_resolution(7)).
const MAX_LINKS: usize = 40;

impl OutputFile {
    /// Makes sure that `path` (`-`: standard output) can be written, without touching what is there.
    ///
    /// # Errors
    /// When it is a folder, lies in none, or the system would refuse to write it.
    pub fn check(path: &Path) -> Result<OutputFile, OutputError> {
        let destination = if path.as_os_str() == "-" { Destination::Stdout } else { destination_of(path)? };
        if let Destination::File(real) = &destination {
            if real.exists() {
                OpenOptions::new().write(true).open(real).map_err(|e| OutputError::refused(path, e))?;
            }
            // Only a file made there proves that one can be.
            TempFile::inside(folder_of(real), None).map_err(|e| OutputError::refused(path, e))?;
        }
        Ok(OutputFile { path: path.to_owned(), destination, is_private: false })
    }

    /// The same, readable and writable by its owner alone, whatever the mode of the file it replaces.
    #[must_use]
    pub fn private(self) -> OutputFile {
        OutputFile { is_private: true, ..self }
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self.destination, Destination::Stdout)
    }

    /// Writes `bytes`. A file gets its new content as a whole or keeps the old: a temporary file in the same folder is
    /// filled, synced and renamed over it, with the old one's mode and, where allowed, owner.
    ///
    /// # Errors
    /// When the system refuses; nothing is left behind then. A reader of standard output that went away is no error.
    pub fn commit(&self, bytes: &[u8]) -> Result<(), OutputError> {
        match &self.destination {
            Destination::Stdout => self.written(write_all(&mut io::stdout().lock(), bytes)),
            Destination::Special => {
                let file = OpenOptions::new().write(true).open(&self.path);
                self.written(file.and_then(|mut file| write_all(&mut file, bytes)))
            }
            Destination::File(real) => {
                replace(real, bytes, self.is_private).map_err(|e| OutputError::refused(&self.path, e))
            }
        }
    }

    /// What it means that it was written to, as no file is.
    ///
    /// # Errors
    /// When the system refuses. A reader that went away is no error.
    pub fn written(&self, result: io::Result<()>) -> Result<(), OutputError> {
        quiet_pipe(result).map_err(|e| OutputError::refused(&self.path, e))
    }
}

fn write_all(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

/// A reader that went away (`| head`) is no failure.
fn quiet_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn destination_of(path: &Path) -> Result<Destination, OutputError> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return Err(OutputError::Folder(path.to_owned())),
        Ok(meta) if !meta.is_file() => return Ok(Destination::Special),
        _ => {}
    }
    if path.as_os_str().is_empty() || path.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR) {
        return Err(OutputError::Folder(path.to_owned()));
    }
    let mut real = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&real) else { return Ok(Destination::File(real)).and_then(in_a_folder) };
        real = folder_of(&real).join(target);
    }
    Err(OutputError::LinkLoop(path.to_owned()))
}

fn in_a_folder(destination: Destination) -> Result<Destination, OutputError> {
    match destination {
        Destination::File(real) if !folder_of(&real).is_dir() => {
            Err(OutputError::NoFolder(folder_of(&real).to_owned()))
        }
        destination => Ok(destination),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder in which no snapshot can be saved.
#[derive(Debug, thiserror::Error)]
#[error("snapshots cannot be saved in '{}': {why}", .folder.display())]
pub struct FolderError {
    folder: PathBuf,
    why: io::Error,
}

impl Hinted for FolderError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some("--snapshots takes a folder that may be written to; it is created when it is missing".into())
    }
}

/// Makes the folder where it is missing, and sure that a file can be written there.
///
/// # Errors
/// When the system refuses.
pub fn check_folder(folder: &Path) -> Result<(), FolderError> {
    let check = || {
        fs::create_dir_all(folder)?;
        TempFile::inside(folder, None).map(drop)
    };
    check().map_err(|why| FolderError { folder: folder.to_owned(), why })
}

/// Writes one of many files that are made anew by the next run: whoever looks into the folder sees the old file or the new,
/// never half of one. Nothing of the old one stays, and no disk is waited for.
///
/// # Errors
/// When the system refuses; nothing is left behind then.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temp = TempFile::inside(folder_of(path), None)?;
    temp.file.write_all(bytes)?;
    temp.keep_as(path)
}

fn replace(real: &Path, bytes: &[u8], is_private: bool) -> io::Result<()> {
    let old = fs::metadata(real).ok();
    let folder = folder_of(real);
    let mut temp = if is_private { TempFile::new(folder, true) } else { TempFile::inside(folder, old) }?;
    temp.file.write_all(bytes)?;
    temp.file.sync_all()?;
    temp.keep_as(real)?;
    // The name is on disk only once its folder is; some file systems refuse to sync one.
    let _ = File::open(folder_of(real)).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A file that is gone when it is dropped, unless it was renamed to stay.
struct TempFile {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl TempFile {
    /// A new file in a folder, with the mode and, where allowed, the owner of `old`.
    fn inside(folder: &Path, old: Option<fs::Metadata>) -> io::Result<TempFile> {
        // Never more open than the file it replaces, not even for a moment.
        let temp = TempFile::new(folder, old.is_some())?;
        if let Some(old) = old {
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt;
                let _ = std::os::unix::fs::fchown(&temp.file, Some(old.uid()), Some(old.gid()));
            }
            temp.file.set_permissions(old.permissions())?;
        }
        Ok(temp)
    }

    /// A new file in a folder; a private one is its owner's alone to read and write.
    fn new(folder: &Path, is_private: bool) -> io::Result<TempFile> {
        let path = folder.join(format!(".camscan-{:016x}.tmp", fastrand::u64(..)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if is_private {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        Ok(TempFile { file: options.open(&path)?, path, kept: false })
    }

    /// Renames it over whatever is there.
    fn keep_as(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: OutputError) -> String {
        crate::model::problem::Problem::from(error).to_string()
    }

    fn file_in(folder: &tempfile::TempDir, name: &str) -> PathBuf {
        folder.path().join(name)
    }

    fn names_in(folder: &tempfile::TempDir) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_touched_before_the_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = file_in(&folder, "out.json");
        let output = OutputFile::check(&path).unwrap();
        assert_eq!(names_in(&folder), [""; 0], "the check leaves nothing behind");
        output.commit(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        OutputFile::check(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new", "the check keeps the old content");
        assert_eq!(names_in(&folder), ["out.json"]);
    }

    #[test]
    fn a_folder_or_a_place_in_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let said = shown(OutputFile::check(folder.path()).unwrap_err());
        assert!(said.contains("is a folder\nhint: name a file in it"), "{said}");
        let said = shown(OutputFile::check(&file_in(&folder, "no/such/out.json")).unwrap_err());
        assert!(said.contains("does not exist\nhint: create it first: mkdir -p"), "{said}");
        assert!(OutputFile::check(Path::new("")).is_err());
        assert!(OutputFile::check(&file_in(&folder, "new/")).is_err());
        assert_eq!(names_in(&folder), [""; 0]);
    }

    #[test]
    fn standard_output_is_no_file() {
        let output = OutputFile::check(Path::new("-")).unwrap();
        assert!(output.is_stdout());
        assert!(!Path::new("-").exists());
    }

    #[test]
    fn a_folder_is_made_and_one_that_cannot_be_is_said() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("a/b");
        check_folder(&folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::write(temp.path().join("file"), "").unwrap();
        let error = check_folder(&temp.path().join("file")).unwrap_err().to_string();
        assert!(error.contains("file'"), "{error}");
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

        use super::*;

        #[test]
        fn mode_and_link_of_the_old_file_stay() {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(file_in(&folder, "real")).unwrap();
            let real = file_in(&folder, "real/out.csv");
            fs::write(&real, "old").unwrap();
            fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
            let link = file_in(&folder, "link.csv");
            symlink("real/out.csv", &link).unwrap();
            OutputFile::check(&link).unwrap().commit(b"new").unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read(&real).unwrap(), b"new");
            assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
            assert_eq!(fs::read_dir(file_in(&folder, "real")).unwrap().count(), 1);
        }

        #[test]
        fn a_link_to_a_file_not_there_yet_makes_it_there() {
            let folder = tempfile::tempdir().unwrap();
            symlink("later.json", file_in(&folder, "now.json")).unwrap();
            OutputFile::check(&file_in(&folder, "now.json")).unwrap().commit(b"{}").unwrap();
            assert_eq!(fs::read(file_in(&folder, "later.json")).unwrap(), b"{}");
            symlink("b", file_in(&folder, "a")).unwrap();
            symlink("a", file_in(&folder, "b")).unwrap();
            assert!(matches!(OutputFile::check(&file_in(&folder, "a")), Err(OutputError::LinkLoop(_))));
        }

        #[test]
        fn a_private_file_is_its_owners_alone() {
            let folder = tempfile::tempdir().unwrap();
            let path = file_in(&folder, "cameras.env");
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            OutputFile::check(&path).unwrap().private().commit(b"PASSWORD=x").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
            assert_eq!(fs::read(&path).unwrap(), b"PASSWORD=x");
        }

        #[test]
        fn a_device_is_written_to_and_never_replaced() {
            let before = fs::metadata("/dev/null").unwrap();
            OutputFile::check(Path::new("/dev/null")).unwrap().commit(b"gone").unwrap();
            assert_eq!(fs::metadata("/dev/null").unwrap().rdev(), before.rdev());
            // Always full (full(4)).
            let said = shown(OutputFile::check(Path::new("/dev/full")).unwrap().commit(b"more").unwrap_err());
            assert!(said.contains("hint: the disk is full"), "{said}");
        }

        #[test]
        fn a_failed_commit_keeps_the_old_file_and_leaves_nothing() {
            let folder = tempfile::tempdir().unwrap();
            let path = file_in(&folder, "out.json");
            fs::write(&path, "old").unwrap();
            let output = OutputFile::check(&path).unwrap();
            // Renaming onto a folder fails, whoever asks.
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
            fs::write(path.join("kept"), "old").unwrap();
            assert!(output.commit(b"new").is_err());
            assert_eq!(fs::read(path.join("kept")).unwrap(), b"old");
            assert_eq!(names_in(&folder), ["out.json"]);
        }
    }
}
