//! Exporters: a report in, bytes out.

pub mod address;
pub mod configuration;
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
pub mod survey;
pub mod table;
pub mod vms;
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
use format::{Format, Formats, Writer};
use survey::SurveyOptions;
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

/// How logins get into the configuration of a video system.
#[derive(Clone, Copy)]
pub struct Logins<'a> {
    /// The login that works for a device; none when it needs none or none is known.
    pub of: &'a dyn Fn(&Device) -> Option<Credential>,
    /// Whether passwords stand in the configuration itself instead of placeholders.
    pub shown: bool,
}

impl Default for Logins<'_> {
    /// No login is known, and none is shown.
    fn default() -> Self {
        Logins { of: &|_| None, shown: false }
    }
}

/// How the formats that leave a choice are to be written.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// CSV's byte order mark and delimiter.
    pub csv: CsvOptions,
    /// The table's width, colour and detail.
    pub table: TableOptions,
    /// Where pictures come from that go into the report itself.
    pub assets: Option<Assets<'a>>,
    /// Where the logins of a video system's configuration come from.
    pub logins: Logins<'a>,
    /// What a survey is headed with, and its language.
    pub survey: SurveyOptions<'a>,
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
    &survey::FORMAT,
    #[cfg(feature = "xlsx")]
    &xlsx::FORMAT,
    &m3u::FORMAT,
    &vms::frigate::FORMAT,
    &vms::go2rtc::FORMAT,
    &vms::mediamtx::FORMAT,
    &vms::home_assistant::FORMAT,
    &vms::motion::FORMAT,
    &vms::viseron::FORMAT,
    &vms::zoneminder::FORMAT,
    &vms::prometheus::FORMAT,
]);

/// `report` in `format`, as bytes of one text or file.
///
/// # Errors
/// None in practice: memory is written to.
pub fn render(format: Format, options: &Options<'_>, report: &Report) -> io::Result<Vec<u8>> {
    match format.writer {
        Writer::Report(make) => {
            let mut bytes = Vec::new();
            make(options).write(report, &mut bytes)?;
            Ok(bytes)
        }
        Writer::Configuration(configure) => Ok(configure.of(report, &options.logins).in_one_text().into_bytes()),
    }
}

#[cfg(test)]
mod tests;
