//! One JSON document, indented, fields in the order of the schema.

use std::io::{self, Write};

use super::Exporter;
use crate::model::Report;

/// Writes one JSON document.
pub struct Json;

impl Exporter for Json {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, report)?;
        out.write_all(b"\n")
    }
}
