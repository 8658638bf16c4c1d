//! The table of formats, and how one is chosen by its name or by a file's extension.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::configuration::Configure;
use super::{Exporter, Options};
use crate::model::problem::Hinted;
use crate::text::nearest;

/// A format a report is written in.
pub struct Spec {
    /// Its name on the command line.
    pub name: &'static str,
    /// The extensions of files in this format, the usual one first.
    pub extensions: &'static [&'static str],
    /// What it is, for the help.
    pub help: &'static str,
    /// Whether the bytes are no text, and so nothing for a terminal.
    pub is_binary: bool,
    /// What writes it.
    pub writer: Writer,
}

/// What writes a format.
#[derive(Clone, Copy)]
pub enum Writer {
    /// An exporter that leaves nothing of the report out.
    Report(for<'a> fn(&Options<'a>) -> Box<dyn Exporter + 'a>),
    /// The configuration of a video system. It has no extension of its own and is chosen by its name.
    Configuration(Configure),
}

impl Spec {
    /// How a video system's configuration is written; none for reports.
    pub fn configuration(&self) -> Option<Configure> {
        match self.writer {
            Writer::Report(_) => None,
            Writer::Configuration(configure) => Some(configure),
        }
    }
}

/// A row of a table of formats.
pub type Format = &'static Spec;

/// Formats a build can leave out; each has a feature of its name.
const OPTIONAL: [&str; 1] = ["xlsx"];

/// A table of formats.
#[derive(Clone, Copy)]
pub struct Formats(pub &'static [Format]);

impl Formats {
    /// Its formats, in order.
    pub fn iter(self) -> impl Iterator<Item = Format> {
        self.0.iter().copied()
    }

    /// The format of that name, in whatever case; an extension (`yml`, `ndjson`) is taken for a name, too.
    ///
    /// # Errors
    /// When there is none; names the nearest.
    pub fn by_name(self, name: &str) -> Result<Format, UnknownFormat> {
        let written = name.trim().to_lowercase();
        self.iter()
            .find(|f| f.name == written || f.extensions.contains(&written.as_str()))
            .ok_or_else(|| self.unknown(Unknown::Name(name.to_owned()), &written, self.iter().map(|f| f.name)))
    }

    /// The format that `path`'s extension stands for, in whatever case.
    ///
    /// # Errors
    /// When it has no extension or one that stands for no format; names the nearest.
    pub fn by_extension(self, path: &Path) -> Result<Format, UnknownFormat> {
        let written = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        self.iter().find(|f| f.extensions.contains(&written.as_str())).ok_or_else(|| {
            let path = path.display().to_string();
            let what = if written.is_empty() { Unknown::NoExtension(path) } else { Unknown::Extension(path) };
            self.unknown(what, &written, self.iter().flat_map(|f| f.extensions.iter().copied()))
        })
    }

    fn unknown(self, what: Unknown, written: &str, known: impl Iterator<Item = &'static str>) -> UnknownFormat {
        UnknownFormat {
            left_out: OPTIONAL.into_iter().find(|name| *name == written),
            nearest: nearest(written, known),
            names: self.iter().map(|f| f.name).collect(),
            extensions: self.iter().flat_map(|f| f.extensions.iter().copied()).collect(),
            what,
        }
    }
}

impl PartialEq for Spec {
    fn eq(&self, other: &Spec) -> bool {
        self.name == other.name
    }
}

impl Eq for Spec {}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// A name or an extension stands for no format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFormat {
    what: Unknown,
    /// The format meant, when this build was made without it.
    left_out: Option<&'static str>,
    nearest: Option<&'static str>,
    names: Vec<&'static str>,
    extensions: Vec<&'static str>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unknown {
    Name(String),
    /// A path with an extension.
    Extension(String),
    /// A path without one.
    NoExtension(String),
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.what, self.left_out) {
            (_, Some(format)) => write!(f, "this camscan was built without the format '{format}'"),
            (Unknown::Name(name), None) => write!(f, "there is no format '{name}'"),
            (Unknown::Extension(path), None) => write!(f, "the extension of {path} stands for no format"),
            (Unknown::NoExtension(path), None) => write!(f, "{path} has no extension to tell the format by"),
        }
    }
}

impl std::error::Error for UnknownFormat {}

impl Hinted for UnknownFormat {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let names = self.names.join(", ");
        let extensions = format!(".{}", self.extensions.join(", ."));
        let hint = match (&self.what, self.left_out, self.nearest) {
            (_, Some(format), _) => format!("build it with `--features {format}`, or choose another format"),
            (Unknown::Name(_), None, Some(nearest)) => format!("did you mean '{nearest}'? The formats are {names}"),
            (Unknown::Name(_), None, None) => format!("the formats are {names}"),
            (Unknown::Extension(_), None, Some(nearest)) => {
                format!("did you mean '.{nearest}'? The extensions are {extensions}")
            }
            (Unknown::Extension(_) | Unknown::NoExtension(_), None, _) => {
                format!("name the file with one of the extensions {extensions}, or write -o FORMAT:FILE")
            }
        };
        Some(hint.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::*;
    use crate::export::{FORMATS, Logins, render, sample};
    use crate::model::problem::Problem;
    use crate::model::{Credential, Device, Report};

    #[test]
    fn every_format_is_found_by_its_name_and_its_extensions() {
        for format in FORMATS.iter() {
            assert_eq!(FORMATS.by_name(format.name), Ok(format));
            assert_eq!(FORMATS.by_name(&format.name.to_uppercase()), Ok(format));
            for extension in format.extensions {
                assert_eq!(FORMATS.by_extension(Path::new(&format!("/tmp/a.b.{extension}"))), Ok(format));
                assert_eq!(FORMATS.by_name(extension), Ok(format));
            }
        }
        assert_eq!(FORMATS.by_extension(Path::new("OUT.CSV")).unwrap().name, "csv");
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let by_name = |name: &str| Problem::from(FORMATS.by_name(name).unwrap_err()).to_string();
        let by_path = |path: &str| Problem::from(FORMATS.by_extension(Path::new(path)).unwrap_err()).to_string();
        assert!(by_name("jsno").starts_with("there is no format 'jsno'\nhint: did you mean 'json'?"));
        assert!(!by_name("powerpoint").contains("did you mean"));
        assert!(by_path("inventory.cvs").contains("did you mean '.csv'?"));
        assert!(by_path("inventory").starts_with("inventory has no extension"));
    }

    /// Writes what a video system needs of each device: its streams, and the login to play them.
    struct Sample<'a>(Options<'a>);

    static SAMPLE: Spec = Spec {
        name: "sample",
        extensions: &["conf"],
        help: "a configuration for a video system",
        is_binary: false,
        writer: Writer::Report(|options| Box::new(Sample(*options))),
    };

    impl Exporter for Sample<'_> {
        fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
            for device in &report.devices {
                let login = (self.0.logins.of)(device);
                let (user, password) = login.as_ref().map_or(("", ""), |l| (l.user.as_str(), l.password.expose()));
                for stream in &device.streams {
                    writeln!(out, "{} {user} {password}", stream.url)?;
                }
            }
            Ok(())
        }
    }

    #[test]
    fn a_new_format_is_a_row_and_is_given_the_logins() {
        static ROWS: [Format; 2] = [&crate::export::json::FORMAT, &SAMPLE];
        let formats = Formats(&ROWS);
        let format = formats.by_extension(Path::new("nvr.conf")).unwrap();
        let report = sample::report_of(vec![sample::camera()]);
        let login_of = |device: &Device| (device.vendor.is_some()).then(|| Credential::new("viewer", "secret"));
        let shown = |options| String::from_utf8(render(format, &options, &report).unwrap()).unwrap();
        let logins = Logins { of: &login_of, shown: true };
        let with = shown(Options { logins, ..Options::default() });
        assert!(!with.is_empty() && with.lines().all(|line| line.ends_with(" viewer secret")), "{with}");
        assert!(!shown(Options::default()).contains("secret"), "none unless they are handed over");
    }
}
