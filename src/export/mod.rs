//! Exporters: a report in, bytes out. Only this file opens files.

pub mod csv;
pub mod format;
pub mod html;
pub mod json;
pub mod jsonl;
pub mod m3u;
pub mod read;
pub mod row;
#[cfg(feature = "schema")]
pub mod schema;
pub mod table;
pub mod words;
#[cfg(feature = "xlsx")]
pub mod xlsx;
pub mod xml;
pub mod yaml;

#[cfg(test)]
pub(crate) mod sample;

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::model::problem::{Hinted, io_reason};
use crate::model::{Credential, Device, Report};
use csv::CsvOptions;
use format::{Format, Formats};
use table::TableOptions;

/// Renders a report. Pure: it opens nothing and asks no clock, so the same report gives the same bytes.
pub trait Exporter {
    /// Writes `report` to `out`.
    ///
    /// # Errors
    /// Those of `out`; a report itself can always be written.
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()>;
}

/// Reads the bytes of a file the report names (a snapshot), by the path as it stands there; none when there is none.
pub type Assets<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// The login that works for a device; none when it needs none or none is known.
pub type Logins<'a> = &'a dyn Fn(&Device) -> Option<Credential>;

/// How the formats that leave a choice are to be written.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// CSV's byte order mark and delimiter.
    pub csv: CsvOptions,
    /// The table's width, colour and detail.
    pub table: TableOptions,
    /// Where pictures come from that go into the report itself.
    pub assets: Option<Assets<'a>>,
    /// Where logins come from that go into a video system's configuration; none where no password may be written.
    pub logins: Option<Logins<'a>>,
}

/// Every format this build can write, in the order of the help.
pub static FORMATS: Formats = Formats(&[
    &table::FORMAT,
    &json::FORMAT,
    &jsonl::FORMAT,
    &csv::FORMAT,
    &yaml::FORMAT,
    &xml::FORMAT,
    &html::FORMAT,
    #[cfg(feature = "xlsx")]
    &xlsx::FORMAT,
    &m3u::FORMAT,
]);

/// `report` in `format`, as bytes.
///
/// # Errors
/// None in practice: memory is written to.
pub fn render(format: Format, options: &Options<'_>, report: &Report) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    (format.make)(options).write(report, &mut bytes)?;
    Ok(bytes)
}

/// A reader that went away (`| head`) is no failure.
///
/// # Errors
/// Those of `result`, but for a broken pipe.
pub fn quiet_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

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
                _ => "name a file elsewhere".into(),
            },
        })
    }
}

/// Where a rendered report goes: checked before the scan, written after it in one step.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Stdout,
    /// A pipe or device, such as `/dev/null`: written to, never replaced.
    Special,
    /// The real place of a plain file, behind any links.
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
        let place = if path.as_os_str() == "-" { Place::Stdout } else { place_of(path)? };
        if let Place::File(real) = &place {
            if real.exists() {
                OpenOptions::new().write(true).open(real).map_err(|e| OutputError::refused(path, e))?;
            }
            // Only a file made there proves that one can be.
            TempFile::beside(real, None).map_err(|e| OutputError::refused(path, e))?;
        }
        Ok(OutputFile { path: path.to_owned(), place })
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self.place, Place::Stdout)
    }

    /// Writes `bytes`. A file gets its new content as a whole or keeps the old: a temporary file in the same folder is
    /// filled, synced and renamed over it, with the old one's mode and, where allowed, owner.
    ///
    /// # Errors
    /// When the system refuses; nothing is left behind then. A reader of standard output that went away is no error.
    pub fn commit(&self, bytes: &[u8]) -> Result<(), OutputError> {
        match &self.place {
            Place::Stdout => quiet_pipe(write_all(&mut io::stdout().lock(), bytes)),
            Place::Special => {
                let file = OpenOptions::new().write(true).open(&self.path);
                quiet_pipe(file.and_then(|mut file| write_all(&mut file, bytes)))
            }
            Place::File(real) => replace(real, bytes),
        }
        .map_err(|e| OutputError::refused(&self.path, e))
    }
}

fn write_all(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

fn place_of(path: &Path) -> Result<Place, OutputError> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return Err(OutputError::Folder(path.to_owned())),
        Ok(meta) if !meta.is_file() => return Ok(Place::Special),
        _ => {}
    }
    if path.as_os_str().is_empty() || path.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR) {
        return Err(OutputError::Folder(path.to_owned()));
    }
    let mut real = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&real) else { return Ok(Place::File(real)).and_then(in_a_folder) };
        real = folder_of(&real).join(target);
    }
    Err(OutputError::LinkLoop(path.to_owned()))
}

fn in_a_folder(place: Place) -> Result<Place, OutputError> {
    match place {
        Place::File(real) if !folder_of(&real).is_dir() => Err(OutputError::NoFolder(folder_of(&real).to_owned())),
        place => Ok(place),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn replace(real: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temp = TempFile::beside(real, fs::metadata(real).ok())?;
    temp.file.write_all(bytes)?;
    temp.file.sync_all()?;
    fs::rename(&temp.path, real)?;
    temp.kept = true;
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
    /// A new file in the folder of `real`, with the mode and, where allowed, the owner of `old`.
    fn beside(real: &Path, old: Option<fs::Metadata>) -> io::Result<TempFile> {
        let path = folder_of(real).join(format!(".camscan-{:016x}.tmp", fastrand::u64(..)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if old.is_some() {
            // Never more open than the file it replaces, not even for a moment.
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let file = options.open(&path)?;
        let temp = TempFile { path, file, kept: false };
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
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
