//! Exporters: a report in, bytes out.

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
mod site;
pub mod table;
pub mod words;
#[cfg(feature = "xlsx")]
pub mod xlsx;
pub mod xml;
pub mod yaml;

#[cfg(test)]
pub(crate) mod sample;

use std::io::{self, Write};

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

#[cfg(test)]
mod tests;
