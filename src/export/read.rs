//! Reads a report back: the formats that carry all of it, JSON, JSON lines and YAML.

use std::borrow::Cow;

use serde::Deserialize;

use super::address;
use crate::model::problem::Hinted;
use crate::model::report::SCHEMA;
use crate::model::texts::TextKind;
use crate::model::{Device, Report, ScanInfo};
use crate::text::{self, nesting, steps};

/// The longest line kept of a text, in characters: more than any line of a report of ours has.
const MAX_LINE: usize = 8192;

/// The longest line of JSON lines that is read, in bytes: one device has far less to tell.
const MAX_JSON_LINE: usize = 16 << 20;

/// The largest report in YAML that is read, in bytes: in memory it is a tree of more than sixty times its size.
const MAX_YAML: usize = 16 << 20;

/// Why a text is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing in it.
    #[error("there is nothing in it")]
    Empty,
    /// A report of another version, or something else altogether.
    #[error("it is not a report this version can read: its schema is '{0}', not '{SCHEMA}'")]
    Schema(String),
    /// JSON lines whose last line, the scan's, is missing.
    #[error("its last line, about the scan, is missing")]
    Cut,
    /// It is beyond what is read of a format.
    #[error("it can't be read as {format}: it is larger than {} MiB", most >> 20)]
    TooLarge {
        /// As what it would have been read.
        format: &'static str,
        /// The most, in bytes.
        most: usize,
    },
    /// It can't be read.
    #[error("it can't be read as {format}: {message}")]
    Malformed {
        /// As what it was read.
        format: &'static str,
        /// What is wrong, with line and column.
        message: String,
    },
}

impl Hinted for ReadError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            ReadError::Empty | ReadError::Schema(_) => "a report is written by camscan scan -o FILE.json",
            ReadError::Cut => "the scan that wrote it was stopped; run it again",
            ReadError::TooLarge { .. } => "a report of this size is read from JSON and JSON lines",
            ReadError::Malformed { .. } => "reports are read from JSON, JSON lines and YAML",
        }))
    }
}

impl ReadError {
    fn malformed(format: &'static str, error: impl std::fmt::Display) -> Self {
        // The readers quote what they found, however long it is.
        let message = crate::text::clean_to(error.to_string().lines().next().unwrap_or_default(), 160);
        ReadError::Malformed { format, message }
    }
}

/// Reads a report from the text of a file, telling the format by its content. Anybody may have written it: its texts are
/// cleaned as those of devices are, so that no format passes on an escape or a direction mark, and streams whose addresses
/// lead elsewhere than to their devices are left out, which its warnings say.
///
/// # Errors
/// When it is not one of the formats, or not a report of schema `camscan/1`.
pub fn read(text: &str) -> Result<Report, ReadError> {
    read_telling(text).map(|(report, _)| report)
}

/// The same, and once more what was left out: a sentence for each device.
///
/// # Errors
/// As of [`read`].
pub fn read_telling(text: &str) -> Result<(Report, Vec<String>), ReadError> {
    let mut report = any_format(text)?;
    report.texts(&mut |kind, text| {
        *text = match kind {
            TextKind::Lines => text::clean_lines(text, MAX_LINE),
            TextKind::Path => text::clean_path(text),
            TextKind::Line | TextKind::ValueOf(_) | TextKind::Own => text::clean_to(text, MAX_LINE),
        };
    });
    let left_out = address::leave_out_foreign(&mut report);
    report.warnings.extend(left_out.iter().cloned());
    Ok((report, left_out))
}

fn any_format(text: &str) -> Result<Report, ReadError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(ReadError::Empty);
    }
    if !text.starts_with('{') {
        return yaml(text);
    }
    let first = text.lines().next().unwrap_or_default();
    match serde_json::from_str::<Envelope>(first) {
        // A whole document on its first line is JSON lines, or a report without line breaks.
        Ok(envelope) if envelope.schema.is_none() => jsonl(text),
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
    if text.len() > MAX_YAML {
        return Err(ReadError::TooLarge { format: "YAML", most: MAX_YAML });
    }
    if let Some(line) = nesting::too_deep(text) {
        return Err(ReadError::malformed("YAML", format!("line {line}: {}", nesting::TOO_DEEP)));
    }
    known(serde_yaml::from_str(text).map_err(|e| ReadError::malformed("YAML", e))?)?;
    serde_yaml::from_str(text).map_err(|e| ReadError::malformed("YAML", e))
}

fn jsonl(text: &str) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    struct Last {
        scan: ScanInfo,
    }
    let (mut devices, mut scan) = (Vec::new(), None);
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = |e: &dyn std::fmt::Display| ReadError::malformed("JSON lines", format!("line {}: {e}", number + 1));
        if scan.is_some() {
            return Err(at(&"nothing may follow the line about the scan"));
        }
        if line.len() > MAX_JSON_LINE {
            return Err(at(&format_args!("it is longer than {} MiB", MAX_JSON_LINE >> 20)));
        }
        steps::look_at(line.len());
        // What kind of line it is shows at its beginning: one that is read to find that out is kept in memory as a tree.
        match is_about_scan(line) {
            true => scan = Some(serde_json::from_str::<Last>(line).map_err(|e| at(&e))?.scan),
            false => devices.push(serde_json::from_str::<Device>(line).map_err(|e| at(&e))?),
        }
    }
    // Lines come as devices are done; a report has them by address.
    devices.sort_by(|a, b| (a.ip, &a.id).cmp(&(b.ip, &b.id)));
    let scan = scan.ok_or(ReadError::Cut)?;
    Ok(Report { schema: SCHEMA.to_owned(), scan, devices, warnings: Vec::new() })
}

/// Whether a line's first key is that of the last line, `{"scan": {…}}`.
fn is_about_scan(line: &str) -> bool {
    let inside = line.trim_start().strip_prefix('{').map(str::trim_start);
    let after = inside.and_then(|inside| inside.strip_prefix("\"scan\"")).map(str::trim_start);
    after.is_some_and(|after| after.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::format::Format;
    use crate::export::{Options, csv, html, json, jsonl, m3u, render, sample, xml, yaml};
    use crate::model::Stage;

    fn text(format: Format, report: &Report) -> String {
        String::from_utf8(render(format, &Options::default(), report).unwrap()).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back() {
        for report in [sample::report(), sample::report_of(vec![])] {
            assert_eq!(read(&text(&json::FORMAT, &report)).as_ref(), Ok(&report));
            assert_eq!(read(&serde_json::to_string(&report).unwrap()).as_ref(), Ok(&report));
            assert_eq!(read(&("\u{feff}".to_owned() + &text(&yaml::FORMAT, &report))).as_ref(), Ok(&report));
            let mut lines = report.clone();
            lines.warnings.clear();
            assert_eq!(read(&text(&jsonl::FORMAT, &report)), Ok(lines));
        }
    }

    /// Each in every text of a report: what changes a terminal, turns a text round, ends a line or shows nothing.
    const DIRTY: [&str; 12] = [
        "\u{1b}]0;owned\u{7}",
        "\u{1b}[31m",
        "\u{9b}31m",
        "\u{85}",
        "\u{0}",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
        "\u{2028}",
        "\u{2029}",
        "\u{e0100}",
        "\u{feff}",
    ];

    #[test]
    fn a_report_of_somebody_else_is_clean_in_every_format() {
        for dirt in DIRTY {
            let mut report = sample::report();
            report.texts(&mut |kind, text| match kind {
                TextKind::Lines => *text = format!("{text}{dirt}\nb{dirt}"),
                _ => text.push_str(dirt),
            });
            report.warnings = vec![format!("w{dirt}"), sample::hostile_report().warnings.concat()];
            let read = read(&serde_json::to_string(&report).unwrap()).unwrap();
            for format in
                [&json::FORMAT, &jsonl::FORMAT, &csv::FORMAT, &xml::FORMAT, &yaml::FORMAT, &html::FORMAT, &m3u::FORMAT]
            {
                let written = text(format, &read);
                let is_dirt = |c: char| {
                    (c.is_control() && c != '\n' && c != '\r') || (DIRTY.concat().contains(c) && !c.is_ascii())
                };
                // CSV may begin with a mark of its own encoding.
                let odd = written.trim_start_matches('\u{feff}').chars().find(|&c| is_dirt(c));
                assert_eq!(odd, None, "{dirt:?} in {format}");
                assert!(!written.contains("\\u001b") && !written.contains("\\u202e"), "{dirt:?} in {format}");
            }
        }
    }

    /// Reports of other versions may name steps this one does not know.
    #[test]
    fn an_unknown_step_is_read_as_another_one() {
        let report = sample::report();
        let mut expected = report.clone();
        for device in &mut expected.devices {
            device.errors.iter_mut().filter(|e| e.stage == Stage::Rtsp).for_each(|e| e.stage = Stage::Other);
        }
        assert_ne!(report, expected);
        for format in [&json::FORMAT, &yaml::FORMAT] {
            let written = text(format, &report);
            let newer = written.replace("\"stage\": \"rtsp\"", "\"stage\": \"hologram\"");
            let newer = newer.replace("stage: rtsp", "stage: hologram");
            assert_ne!(written, newer, "{format}");
            assert_eq!(read(&newer).as_ref(), Ok(&expected), "{format}");
        }
        let newer = text(&jsonl::FORMAT, &report).replace("\"stage\":\"rtsp\"", "\"stage\":\"hologram\"");
        assert_eq!(read(&newer).map(|read| read.devices), Ok(expected.devices));
    }

    #[test]
    fn a_path_keeps_its_blanks_and_a_hint_its_line() {
        let mut report = sample::report();
        report.devices[0].streams[0].snapshot = Some("my  shots/1.jpg".into());
        report.warnings = vec!["a sentence\nhint: what to do".into()];
        assert_eq!(read(&text(&json::FORMAT, &report)), Ok(report));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(read(" \n"), Err(ReadError::Empty));
        assert_eq!(read("{\"schema\": \"camscan/9\"}"), Err(ReadError::Schema("camscan/9".into())));
        assert_eq!(read("schema: camscan/9"), Err(ReadError::Schema("camscan/9".into())));
        assert!(matches!(read("ip,mac\r\n"), Err(ReadError::Malformed { format: "YAML", .. })));
        let deep = ReadError::Malformed { format: "YAML", message: format!("line 1: {}", nesting::TOO_DEEP) };
        assert_eq!(read(&"[".repeat(64 << 10)), Err(deep));
        let report = sample::report();
        let lines = text(&jsonl::FORMAT, &report);
        let devices_only = lines.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(read(&devices_only), Err(ReadError::Cut));
        let broken = lines.replacen("\"kind\":\"camera\"", "\"kind\":\"toaster\"", 1);
        let said = read(&broken).unwrap_err().to_string();
        assert!(said.contains("line 1: unknown variant `toaster`"), "{said}");
        let json = text(&json::FORMAT, &report).replace("\"port\": 80,", "\"port\": \"x\",");
        let said = read(&json).unwrap_err().to_string();
        assert!(said.contains("expected u16 at line"), "{said}");
    }

    /// As a tree of values a report takes many times its size.
    #[test]
    fn a_line_is_read_once_as_what_it_is() {
        let lines = text(&jsonl::FORMAT, &sample::report());
        let broken = lines.replacen("\"status\":\"complete\"", "\"status\":\"toast\"", 1);
        assert_ne!(broken, lines);
        let number = lines.lines().count();
        let said = read(&broken).unwrap_err().to_string();
        assert!(said.contains(&format!("line {number}: unknown variant `toast`")), "{said}");
        let broken = lines.replacen("\"kind\":\"camera\"", "\"kind\":\"toaster\"", 1);
        let looks = steps::seen_by(|| read(&broken));
        assert!(looks <= broken.lines().next().unwrap().len(), "{looks}");
        let spaced = lines.replacen("{\"scan\":", " { \"scan\" : ", 1);
        assert_eq!(read(&spaced), read(&lines));
    }

    #[test]
    fn what_would_take_too_much_memory_is_not_read() {
        let long = "x".repeat(16 << 20);
        let lines = "{\"".to_owned() + &long + "\": 1}\n" + &text(&jsonl::FORMAT, &sample::report());
        let said = read(&lines).unwrap_err().to_string();
        assert_eq!(said, "it can't be read as JSON lines: line 1: it is longer than 16 MiB");
        let said = read(&("schema: camscan/1\n#".to_owned() + &long)).unwrap_err().to_string();
        assert_eq!(said, "it can't be read as YAML: it is larger than 16 MiB");
    }
}
