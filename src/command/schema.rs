//! `camscan schema`: the JSON Schema of the report.

use std::io::{self, Write};

/// Prints the schema.
///
/// # Errors
/// Those of `out`.
pub fn run(out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &crate::export::schema::schema())?;
    writeln!(out)
}
