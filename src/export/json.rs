//! One JSON document, indented, fields in the order of the schema.

use std::io::{self, Write};

use super::Exporter;
use super::format::{Spec, Writer};
use crate::model::Report;

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "json",
    extensions: &["json"],
    help: "the whole report as one JSON document",
    is_binary: false,
    writer: Writer::Report(|_| Box::new(Json)),
};

/// Writes one JSON document.
pub struct Json;

impl Exporter for Json {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, report)?;
        out.write_all(b"\n")
    }
}
