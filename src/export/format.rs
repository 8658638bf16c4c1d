//! The formats by name and by file extension.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A format a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// The terminal's view.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line: a device each, the scan last.
    Jsonl,
    /// One row per stream, RFC 4180.
    Csv,
    /// The JSON document's tree in YAML.
    Yaml,
    /// The JSON document's tree in XML.
    Xml,
    /// One page that needs nothing else.
    Html,
    /// A spreadsheet (Office Open XML).
    Xlsx,
    /// A playlist of the streams that play.
    M3u,
}

impl Format {
    /// All of them, in the order they are listed in help texts.
    pub const ALL: [Format; 9] = [
        Format::Table,
        Format::Json,
        Format::Jsonl,
        Format::Csv,
        Format::Yaml,
        Format::Xml,
        Format::Html,
        Format::Xlsx,
        Format::M3u,
    ];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
            Format::Yaml => "yaml",
            Format::Xml => "xml",
            Format::Html => "html",
            Format::Xlsx => "xlsx",
            Format::M3u => "m3u",
        }
    }

    /// The extensions of files in this format, the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Format::Table => &["txt"],
            Format::Json => &["json"],
            Format::Jsonl => &["jsonl", "ndjson"],
            Format::Csv => &["csv"],
            Format::Yaml => &["yaml", "yml"],
            Format::Xml => &["xml"],
            Format::Html => &["html", "htm"],
            Format::Xlsx => &["xlsx"],
            Format::M3u => &["m3u", "m3u8"],
        }
    }

    /// Whether the bytes are no text, and so nothing for a terminal.
    pub fn is_binary(self) -> bool {
        self == Format::Xlsx
    }

    /// The format itself, if this build can write it.
    ///
    /// # Errors
    /// When its feature was left out of the build.
    fn if_built(self) -> Result<Format, UnknownFormat> {
        if self == Format::Xlsx && !cfg!(feature = "xlsx") { Err(UnknownFormat::LeftOut(self)) } else { Ok(self) }
    }

    /// The format that `path`'s extension stands for, in whatever case.
    ///
    /// # Errors
    /// When it has none or one that stands for no format (names the nearest), or for one this build cannot write.
    pub fn from_extension(path: &Path) -> Result<Format, UnknownFormat> {
        let written = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let known = || Format::ALL.into_iter().flat_map(|f| f.extensions().iter().map(move |&e| (e, f)));
        match known().find(|(extension, _)| *extension == written) {
            Some((_, format)) => format.if_built(),
            None if written.is_empty() => Err(UnknownFormat::NoExtension(path.display().to_string())),
            None => {
                let nearest = nearest(&written, known().map(|(e, _)| e));
                Err(UnknownFormat::Extension { path: path.display().to_string(), extension: written, nearest })
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    /// The format with that name, in whatever case; an extension (`yml`, `ndjson`) is taken for a name too.
    fn from_str(name: &str) -> Result<Format, UnknownFormat> {
        let written = name.trim().to_lowercase();
        Format::ALL
            .into_iter()
            .find(|f| f.as_str() == written || f.extensions().contains(&written.as_str()))
            .ok_or_else(|| UnknownFormat::Name {
                nearest: nearest(&written, Format::ALL.into_iter().map(Format::as_str)),
                name: name.to_owned(),
            })?
            .if_built()
    }
}

/// What was written names no format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownFormat {
    /// No format of that name.
    Name {
        /// As written.
        name: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// No format with that extension.
    Extension {
        /// As written.
        path: String,
        /// Its extension, lower case.
        extension: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// A path without an extension.
    NoExtension(String),
    /// This build was made without the feature of that name.
    LeftOut(Format),
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Format::ALL.map(Format::as_str).join(", ");
        let extensions = Format::ALL.map(|f| format!(".{}", f.extensions().join(", ."))).join(", ");
        match self {
            UnknownFormat::Name { name, nearest: Some(nearest) } => {
                write!(f, "there is no format '{name}'\nhint: did you mean '{nearest}'? The formats are {names}")
            }
            UnknownFormat::Name { name, nearest: None } => {
                write!(f, "there is no format '{name}'\nhint: the formats are {names}")
            }
            UnknownFormat::Extension { path, extension, nearest: Some(nearest) } => {
                write!(
                    f,
                    "no format is known for '.{extension}' of {path}\nhint: did you mean '.{nearest}'? Known are {extensions}"
                )
            }
            UnknownFormat::Extension { path, extension, nearest: None } => {
                write!(f, "no format is known for '.{extension}' of {path}\nhint: known are {extensions}")
            }
            UnknownFormat::LeftOut(format) => {
                write!(
                    f,
                    "this camscan was built without the format '{format}'\nhint: build it with `--features {format}`, or choose another format"
                )
            }
            UnknownFormat::NoExtension(path) => {
                write!(
                    f,
                    "{path} has no extension to tell the format by\nhint: end it in one of {extensions}, or name the format"
                )
            }
        }
    }
}

impl std::error::Error for UnknownFormat {}

/// The candidate least different from what was written, when it is near enough to have been meant.
fn nearest(written: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    candidates
        .map(|c| (strsim::damerau_levenshtein(written, c), c))
        .filter(|&(distance, c)| distance <= 2 && distance < c.len().max(2))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_name_and_its_extensions() {
        for format in Format::ALL {
            assert_eq!(format.as_str().parse(), Ok(format));
            assert_eq!(format.as_str().to_uppercase().parse(), Ok(format));
            for extension in format.extensions() {
                assert_eq!(Format::from_extension(Path::new(&format!("/tmp/a.b.{extension}"))), Ok(format));
                assert_eq!(extension.parse(), Ok(format));
            }
        }
        assert_eq!(Format::from_extension(Path::new("OUT.CSV")), Ok(Format::Csv));
    }

    #[test]
    fn a_slip_is_told_the_nearest_name() {
        let said = "jsno".parse::<Format>().unwrap_err().to_string();
        assert!(said.starts_with("there is no format 'jsno'\nhint: did you mean 'json'?"), "{said}");
        let said = Format::from_extension(Path::new("inventory.cvs")).unwrap_err().to_string();
        assert!(said.contains("did you mean '.csv'?"), "{said}");
        let said = Format::from_extension(Path::new("inventory")).unwrap_err().to_string();
        assert!(said.starts_with("inventory has no extension"), "{said}");
        let said = "powerpoint".parse::<Format>().unwrap_err().to_string();
        assert!(!said.contains("did you mean"), "{said}");
    }
}
