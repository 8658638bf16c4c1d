//! Files that the user names, read within a bound whatever they turn out to be.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::model::problem::{Hinted, io_reason};

/// Why a file is not read. Nothing of its content is in it.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", path.display(), why.shown())]
pub struct ReadError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// The system refuses.
    Refused(io::Error),
    /// A terminal, a disk, `/dev/zero`.
    Device,
    /// More bytes than this.
    TooLarge(u64),
    /// No UTF-8 in this line, from 1.
    NotText(usize),
}

impl Why {
    /// What follows the path.
    fn shown(&self) -> String {
        match self {
            Why::Refused(error) => format!(" cannot be read: {}", io_reason(error)),
            Why::Device => " is a device, not a file".to_owned(),
            Why::TooLarge(most) if most % (1 << 20) == 0 => format!(" is larger than {} MiB", most >> 20),
            Why::TooLarge(most) => format!(" is larger than {} KiB", most >> 10),
            Why::NotText(line) => format!(":{line}: this is not valid UTF-8"),
        }
    }
}

impl ReadError {
    /// The same without the path, where that is said already: what follows `it`.
    pub fn reason(&self) -> String {
        match &self.why {
            Why::NotText(line) => format!("is not UTF-8 (line {line})"),
            why => why.shown().trim_start().to_owned(),
        }
    }
}

impl Hinted for ReadError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let Why::Refused(error) = &self.why else { return None };
        match error.kind() {
            io::ErrorKind::NotFound => Some("check the spelling and the folder you are in".into()),
            io::ErrorKind::PermissionDenied => Some(format!("allow it: chmod u+r '{}'", self.path.display()).into()),
            _ => None,
        }
    }
}

/// The content of a file or a pipe of at most `most` bytes. A device is taken only when there is nothing in it, as in
/// `/dev/null`.
///
/// # Errors
/// See [`ReadError`].
pub fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, ReadError> {
    let error = |why| ReadError { path: path.to_owned(), why };
    let file = File::open(path).map_err(|e| error(Why::Refused(e)))?;
    let kind = file.metadata().map_err(|e| error(Why::Refused(e)))?.file_type();
    let is_device = !kind.is_file() && !kind.is_dir() && !is_pipe(kind);
    let (most, beyond) = if is_device { (0, Why::Device) } else { (most, Why::TooLarge(most)) };
    within(file, most).map_err(|e| error(Why::Refused(e)))?.ok_or_else(|| error(beyond))
}

#[cfg(unix)]
fn is_pipe(kind: std::fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_pipe(_: std::fs::FileType) -> bool {
    true
}

/// The text of a file or a pipe of at most `most` bytes.
///
/// # Errors
/// See [`ReadError`].
pub fn text(path: &Path, most: u64) -> Result<String, ReadError> {
    text_of(bytes(path, most)?, path)
}

/// All of standard input, at most `most` bytes.
///
/// # Errors
/// See [`ReadError`].
pub fn stdin(most: u64) -> Result<Vec<u8>, ReadError> {
    let error = |why| ReadError { path: "standard input".into(), why };
    within(io::stdin(), most).map_err(|e| error(Why::Refused(e)))?.ok_or_else(|| error(Why::TooLarge(most)))
}

/// What was read of something that is no file, as text of at most `most` bytes; `name` stands for its path.
///
/// # Errors
/// See [`ReadError`].
pub fn text_within(read: Vec<u8>, name: &str, most: u64) -> Result<String, ReadError> {
    match read.len() as u64 > most {
        true => Err(ReadError { path: name.into(), why: Why::TooLarge(most) }),
        false => text_of(read, Path::new(name)),
    }
}

/// All that a source gives; none when that is more than `most` bytes, of which no more than one more is read.
///
/// # Errors
/// Those of the source.
fn within(source: impl Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// A text without the byte order mark that some editors begin a file with.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn text_of(bytes: Vec<u8>, path: &Path) -> Result<String, ReadError> {
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes().iter().take(e.utf8_error().valid_up_to()).filter(|&&b| b == b'\n').count() + 1;
        ReadError { path: path.to_owned(), why: Why::NotText(line) }
    })?;
    Ok(match without_mark(&text) {
        rest if rest.len() < text.len() => rest.to_owned(),
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn refused(path: &str, most: u64) -> String {
        bytes(Path::new(path), most).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_up_to_its_bound_and_no_device_is() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[b'x'; 2048]).unwrap();
        assert_eq!(bytes(file.path(), 2048).unwrap().len(), 2048);
        let shown = file.path().display();
        assert_eq!(refused(&shown.to_string(), 1024), format!("{shown} is larger than 1 KiB"));
        assert_eq!(bytes(Path::new("/dev/null"), 9).unwrap(), b"");
        for device in ["/dev/zero", "/dev/urandom"] {
            assert_eq!(refused(device, 1 << 30), format!("{device} is a device, not a file"));
        }
        assert_eq!(refused("/", 9), "/ cannot be read: is a directory");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all("\u{feff}cameras: {}\n\u{feff}".as_bytes()).unwrap();
        assert_eq!(text(file.path(), 99).unwrap(), "cameras: {}\n\u{feff}");
        assert_eq!(text_within("\u{feff}10.0.0.1".into(), "standard input", 99).unwrap(), "10.0.0.1");
    }

    #[test]
    fn a_pipe_is_read_as_a_file_is() {
        use std::os::fd::AsRawFd as _;
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"text").unwrap();
        drop(writer);
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        assert_eq!(text(Path::new(&path), 9).unwrap(), "text");
    }

    #[test]
    fn no_more_is_read_than_one_byte_too_many() {
        struct Counting<'c>(&'c mut u64);
        impl Read for Counting<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                into.fill(0);
                *self.0 += into.len() as u64;
                Ok(into.len())
            }
        }
        let mut read = 0;
        assert_eq!(within(Counting(&mut read), 1000).unwrap(), None);
        assert_eq!(read, 1001);
    }
}
