//! JSON lines: one device a line, as each is done, and the scan in the last line.

use std::io::{self, Write};

use serde_json::json;

use super::Exporter;
use super::format::{Spec, Writer};
use crate::model::{Device, Report, ScanInfo};

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "jsonl",
    extensions: &["jsonl", "ndjson"],
    help: "one JSON document a line: each device as it is found, then the scan",
    is_binary: false,
    writer: Writer::Report(|_| Box::new(Jsonl)),
};

/// Writes JSON lines.
pub struct Jsonl;

impl Exporter for Jsonl {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        for device in &report.devices {
            out.write_all(device_line(device)?.as_bytes())?;
        }
        out.write_all(scan_line(&report.scan)?.as_bytes())
    }
}

/// One device's line, with the newline that ends it.
///
/// # Errors
/// None in practice: a device can always be written.
pub fn device_line(device: &Device) -> io::Result<String> {
    Ok(serde_json::to_string(device)? + "\n")
}

/// The last line, `{"scan": {…}}`, with the newline that ends it.
///
/// # Errors
/// None in practice: a scan can always be written.
pub fn scan_line(scan: &ScanInfo) -> io::Result<String> {
    Ok(serde_json::to_string(&json!({ "scan": scan }))? + "\n")
}
