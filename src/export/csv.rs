//! CSV (RFC 4180): one row per stream, under the header of the schema. Cells that a spreadsheet would run are defused.

use std::borrow::Cow;
use std::io::{self, Write};

use super::Exporter;
use super::format::{Spec, Writer};
use super::row::{self, HEADER, Value};
use crate::model::Report;
use crate::model::problem::Hinted;

/// How CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOptions {
    /// Begin with a byte order mark, so that Excel reads UTF-8.
    pub bom: bool,
    /// What separates the cells: `,`, or `;` and tab for spreadsheets of other countries.
    pub delimiter: u8,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { bom: false, delimiter: b',' }
    }
}

/// What was written cannot separate cells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' cannot separate the cells of a CSV file")]
pub struct BadDelimiter(String);

impl Hinted for BadDelimiter {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some("use one of , ; | or tab".into())
    }
}

/// Reads a delimiter: one ASCII sign that can't be part of a number, or `tab`, `\t`, `comma`, `semicolon`, `pipe`.
///
/// # Errors
/// When it is more than one sign, a quote, a line end, a letter or a digit.
pub fn parse_delimiter(text: &str) -> Result<u8, BadDelimiter> {
    match text.to_ascii_lowercase().as_str() {
        "tab" | "\\t" => return Ok(b'\t'),
        "comma" => return Ok(b','),
        "semicolon" => return Ok(b';'),
        "pipe" => return Ok(b'|'),
        _ => {}
    }
    match text.as_bytes() {
        [sign @ (b',' | b';' | b'|' | b'\t' | b':' | b'~' | b'^' | b'!' | b' ')] => Ok(*sign),
        _ => Err(BadDelimiter(text.to_owned())),
    }
}

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "csv",
    extensions: &["csv"],
    help: "one row per stream (RFC 4180), for spreadsheets and scripts",
    is_binary: false,
    writer: Writer::Report(|options| Box::new(Csv(options.csv))),
};

/// Writes CSV.
pub struct Csv(pub CsvOptions);

impl Exporter for Csv {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        if self.0.bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        let mut csv = ::csv::WriterBuilder::new()
            .delimiter(self.0.delimiter)
            .terminator(::csv::Terminator::CRLF)
            .from_writer(&mut *out);
        csv.write_record(HEADER)?;
        for row in row::rows(report) {
            csv.write_record(row.values().iter().map(|value| cell(value).into_owned()))?;
        }
        csv.flush()
    }
}

/// A value as it stands in a cell. Numbers, truths and times are ours and stay; text comes from devices.
fn cell<'a>(value: &'a Value<'a>) -> Cow<'a, str> {
    match value {
        Value::Text(text) => defuse(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Text that a spreadsheet shows and does not run: what begins like a formula gets an apostrophe before it.
///
/// Spreadsheets skip blanks and quotes before a formula, take tabs and line ends for cell ends, and some take the
/// full-width forms of East Asian keyboards for the signs themselves.
pub fn defuse(text: &str) -> Cow<'_, str> {
    let starts_a_formula = |c: char| matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠' | '−');
    let skipped = |c: char| c.is_whitespace() || matches!(c, '"' | '\u{200b}' | '\u{feff}');
    let cuts = text.starts_with(['\t', '\r', '\n', '\0']);
    if cuts || text.trim_start_matches(skipped).starts_with(starts_a_formula) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use crate::model::Device;
    use proptest::prelude::*;

    fn csv(options: CsvOptions, report: &Report) -> String {
        let mut bytes = Vec::new();
        Csv(options).write(report, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn read(text: &str, delimiter: u8) -> Vec<Vec<String>> {
        ::csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .from_reader(text.as_bytes())
            .records()
            .map(|r| r.unwrap().iter().map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn the_header_is_the_contract() {
        assert_eq!(
            csv(CsvOptions::default(), &sample::report_of(vec![])),
            "ip,mac,hostname,kind,vendor,model,firmware,serial,channel,profile_name,url,protocol,transport,status,open,\
             auth,video_codec,video_profile,width,height,fps,bitrate_kbps,audio_codec,audio_sample_rate_hz,\
             audio_channels,first_seen,last_seen,error,camera,reach,activation,warnings,uid,name,site,tags\r\n"
        );
    }

    #[test]
    fn one_row_per_stream_and_one_for_a_device_without() {
        let report = sample::report();
        insta::assert_snapshot!(csv(CsvOptions::default(), &report).replace("\r\n", "\n"));
        let streams: usize = report.devices.iter().map(|d: &Device| d.streams.len().max(1)).sum();
        assert_eq!(read(&csv(CsvOptions::default(), &report), b',').len(), streams + 1);
    }

    #[test]
    fn what_the_store_knows_of_a_device_stands_at_the_end() {
        let mut report = sample::report();
        let last = |report: &Report| -> Vec<Vec<String>> {
            let rows = read(&csv(CsvOptions::default(), report), b',');
            rows.iter().skip(1).map(|row| row[32..].to_vec()).collect()
        };
        assert!(last(&report).iter().flatten().all(String::is_empty), "{:?}", last(&report));
        let device = &mut report.devices[0];
        device.uid = crate::model::memory::Uid::parse("d_0123456789abcdef");
        (device.name, device.site) = (Some("Gate".to_owned()), Some("=Depot".to_owned()));
        device.tags = vec!["indoor".to_owned(), "north side".to_owned()];
        let uid = device.uid.as_ref().unwrap().as_str().to_owned();
        assert_eq!(last(&report)[0], [uid.as_str(), "Gate", "'=Depot", "indoor; north side"]);
    }

    #[test]
    fn a_channel_whose_camera_is_listed_names_it() {
        let rows = read(&csv(CsvOptions::default(), &sample::site()), b',');
        let shown: Vec<(&str, &str, &str)> =
            rows.iter().skip(1).map(|r| (r[0].as_str(), r[8].as_str(), r[28].as_str())).collect();
        assert_eq!(
            shown[..5],
            [
                ("10.77.0.2", "1", "mac:44:19:b6:00:00:01"),
                ("10.77.0.2", "2", "ip:10.77.0.11"),
                ("10.77.0.2", "3", "ip:10.77.0.17"),
                ("10.77.0.2", "4", ""),
                ("10.77.0.3", "7", "ip:10.77.0.17"),
            ]
        );
        assert!(shown[5..].iter().all(|(_, _, camera)| camera.is_empty()), "each picture once: {shown:?}");
    }

    #[test]
    fn no_cell_is_a_formula() {
        let report = sample::hostile_report();
        for delimiter in [b',', b';', b'\t'] {
            let text = csv(CsvOptions { bom: true, delimiter }, &report);
            let text = text.strip_prefix('\u{feff}').unwrap();
            for cell in read(text, delimiter).iter().flatten() {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝']), "{cell:?}");
                assert!(!cell.trim().starts_with('='), "{cell:?}");
            }
        }
        assert_eq!(defuse("rtsp://192.0.2.1/=1"), "rtsp://192.0.2.1/=1");
        assert_eq!(defuse(" \"=1+1"), "' \"=1+1");
        assert_eq!(cell(&Value::Number(-1.5)), "-1.5", "a number of ours stays one");
    }

    #[test]
    fn delimiters_are_read_by_sign_and_name() {
        for (written, read) in [(",", b','), (";", b';'), ("tab", b'\t'), ("\\t", b'\t'), ("\t", b'\t'), ("Pipe", b'|')]
        {
            assert_eq!(parse_delimiter(written), Ok(read));
        }
        for written in ["", "\"", "\n", "a", "1", "-", ".", ",,", "é"] {
            assert!(parse_delimiter(written).is_err(), "{written:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(name in any::<String>(), tab in any::<bool>()) {
            let delimiter = if tab { b'\t' } else { b',' };
            let report = sample::report_of(vec![sample::hostile("192.0.2.1", &name)]);
            let rows = read(&csv(CsvOptions { bom: false, delimiter }, &report), delimiter);
            let written: Vec<Vec<String>> = row::rows(&report)
                .map(|row| row.values().iter().map(|v| cell(v).into_owned()).collect())
                .collect();
            prop_assert_eq!(&rows[1..], &written[..]);
            prop_assert_eq!(rows[1][4].strip_prefix('\'').filter(|_| !name.starts_with('\'')).unwrap_or(&rows[1][4]), &name);
        }
    }
}
