//! Reads a report back: the formats that carry all of it, JSON, JSON lines and YAML.

use serde::Deserialize;

use crate::model::report::SCHEMA;
use crate::model::{Device, Report, ScanInfo};

/// Why a text is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing in it.
    #[error("there is nothing in it\nhint: a report is written by camscan scan -o FILE.json")]
    Empty,
    /// A report of another version, or something else altogether.
    #[error(
        "it is no report this version reads: its schema is '{0}', not '{SCHEMA}'\nhint: a report is written by camscan scan -o FILE.json"
    )]
    Schema(String),
    /// JSON lines whose last line, the scan's, is missing.
    #[error("its last line, about the scan, is missing\nhint: the scan that wrote it was stopped; run it again")]
    Cut,
    /// It can't be read.
    #[error("it can't be read as {format}: {message}\nhint: reports are read from JSON, JSON lines and YAML")]
    Malformed {
        /// As what it was read.
        format: &'static str,
        /// What is wrong, with line and column.
        message: String,
    },
}

impl ReadError {
    fn malformed(format: &'static str, error: impl std::fmt::Display) -> Self {
        // The readers quote what they found, however long it is.
        let message = crate::text::clean_to(error.to_string().lines().next().unwrap_or_default(), 160);
        ReadError::Malformed { format, message }
    }
}

/// Reads a report from the text of a file, telling the format by its content.
///
/// # Errors
/// When it is not one of the formats, or not a report of schema `camscan/1`.
pub fn read(text: &str) -> Result<Report, ReadError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(ReadError::Empty);
    }
    if !text.starts_with('{') {
        return yaml(text);
    }
    let first = text.lines().next().unwrap_or_default();
    match serde_json::from_str::<serde_json::Value>(first) {
        // A whole document on its first line is JSON lines, or a report without line breaks.
        Ok(value) if value.get("schema").is_none() => jsonl(text),
        _ => json(text),
    }
}

/// What is looked at before the rest, so that another version is named instead of its first new field.
#[derive(Deserialize)]
struct Envelope {
    schema: Option<String>,
}

fn known(envelope: Envelope) -> Result<(), ReadError> {
    match envelope.schema {
        Some(schema) if schema == SCHEMA => Ok(()),
        other => Err(ReadError::Schema(other.map(|s| crate::text::clean_to(&s, 64)).unwrap_or_default())),
    }
}

fn json(text: &str) -> Result<Report, ReadError> {
    known(serde_json::from_str(text).map_err(|e| ReadError::malformed("JSON", e))?)?;
    serde_json::from_str(text).map_err(|e| ReadError::malformed("JSON", e))
}

fn yaml(text: &str) -> Result<Report, ReadError> {
    known(serde_yaml::from_str(text).map_err(|e| ReadError::malformed("YAML", e))?)?;
    serde_yaml::from_str(text).map_err(|e| ReadError::malformed("YAML", e))
}

fn jsonl(text: &str) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Line {
        Scan { scan: ScanInfo },
        Device(Box<Device>),
    }
    let (mut devices, mut scan) = (Vec::new(), None);
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = |e: &dyn std::fmt::Display| ReadError::malformed("JSON lines", format!("line {}: {e}", number + 1));
        if scan.is_some() {
            return Err(at(&"nothing may follow the line about the scan"));
        }
        match serde_json::from_str::<Line>(line) {
            Ok(Line::Scan { scan: info }) => scan = Some(info),
            Ok(Line::Device(device)) => devices.push(*device),
            // What kind of line it was meant to be says what is wrong with it.
            Err(_) => match serde_json::from_str::<Device>(line) {
                Err(e) => return Err(at(&e)),
                Ok(device) => devices.push(device),
            },
        }
    }
    // Lines come as devices are done; a report has them by address.
    devices.sort_by_key(|device| device.ip);
    let scan = scan.ok_or(ReadError::Cut)?;
    Ok(Report { schema: SCHEMA.to_owned(), scan, devices, warnings: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::format::Format;
    use crate::export::{Options, render, sample};

    fn text(format: Format, report: &Report) -> String {
        String::from_utf8(render(format, &Options::default(), report).unwrap()).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back() {
        for report in [sample::report(), sample::hostile_report(), sample::report_of(vec![])] {
            assert_eq!(read(&text(Format::Json, &report)).as_ref(), Ok(&report));
            assert_eq!(read(&serde_json::to_string(&report).unwrap()).as_ref(), Ok(&report));
            assert_eq!(read(&("\u{feff}".to_owned() + &text(Format::Yaml, &report))).as_ref(), Ok(&report));
            let mut lines = report.clone();
            lines.warnings.clear();
            assert_eq!(read(&text(Format::Jsonl, &report)), Ok(lines));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(read(" \n"), Err(ReadError::Empty));
        assert_eq!(read("{\"schema\": \"camscan/9\"}"), Err(ReadError::Schema("camscan/9".into())));
        assert_eq!(read("schema: camscan/9"), Err(ReadError::Schema("camscan/9".into())));
        assert!(matches!(read("ip,mac\r\n"), Err(ReadError::Malformed { format: "YAML", .. })));
        let report = sample::report();
        let lines = text(Format::Jsonl, &report);
        let devices_only = lines.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(read(&devices_only), Err(ReadError::Cut));
        let broken = lines.replacen("\"kind\":\"camera\"", "\"kind\":\"toaster\"", 1);
        let said = read(&broken).unwrap_err().to_string();
        assert!(said.contains("line 1: unknown variant `toaster`"), "{said}");
        let json = text(Format::Json, &report).replace("\"port\": 80,", "\"port\": \"x\",");
        let said = read(&json).unwrap_err().to_string();
        assert!(said.contains("expected u16 at line"), "{said}");
    }
}
