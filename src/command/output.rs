//! Where reports go: every place is checked before the work and written after it, and one that fails does not keep the
//! others from being written.

use std::path::Path;

use anyhow::Context;

use crate::cli::problem::Problem;
use crate::cli::settings::OutputSettings;
use crate::export::format::Format;
use crate::export::table::TableOptions;
use crate::export::{Options, OutputFile, render};
use crate::model::Report;

/// The largest snapshot that goes into a report itself.
const MAX_PICTURE: u64 = 4 << 20;

/// The places a report goes to.
pub struct Outputs {
    settings: OutputSettings,
    files: Vec<(OutputFile, Format)>,
}

impl Outputs {
    /// Makes sure that every file can be written.
    ///
    /// # Errors
    /// The first that cannot, with a hint; nothing has been touched.
    pub fn check(settings: &OutputSettings) -> Result<Outputs, Problem> {
        let check = |(path, format): &(std::path::PathBuf, Format)| {
            Ok((OutputFile::check(path).map_err(Problem::from_text)?, *format))
        };
        let files = settings.files.iter().map(check).collect::<Result<_, Problem>>()?;
        Ok(Outputs { settings: settings.clone(), files })
    }

    /// Whether devices go to standard output as they are done.
    pub fn streams(&self) -> bool {
        self.settings.stdout == Some(Format::Jsonl)
    }

    /// Writes the report everywhere. `streamed` says that its devices stand on standard output already.
    ///
    /// # Errors
    /// The first failure, after every other place has been written.
    pub fn write(&self, report: &Report, streamed: bool) -> anyhow::Result<()> {
        let picture = |path: &str| {
            let size = std::fs::metadata(path).ok()?.len();
            if size > MAX_PICTURE { None } else { std::fs::read(Path::new(path)).ok() }
        };
        let options = Options { csv: self.settings.csv, table: self.table(), assets: Some(&picture) };
        let mut outcome = Ok(());
        let mut note = |result: anyhow::Result<()>| {
            if outcome.is_ok() {
                outcome = result;
            }
        };
        for (file, format) in &self.files {
            note(render(*format, &options, report).map_err(Into::into).and_then(|b| Ok(file.commit(&b)?)));
        }
        if let Some(format) = self.settings.stdout {
            let bytes = match format {
                Format::Jsonl if streamed => crate::export::jsonl::scan_line(&report.scan).map(String::into_bytes),
                _ => render(format, &options, report),
            };
            let stdout = OutputFile::check(Path::new("-")).context("standard output")?;
            note(bytes.map_err(Into::into).and_then(|b| Ok(stdout.commit(&b)?)));
        }
        outcome
    }

    /// How the table is shown on standard output.
    pub fn table(&self) -> TableOptions {
        TableOptions {
            width: terminal_size::terminal_size().map_or(120, |(width, _)| usize::from(width.0)),
            colour: self.settings.color,
            verbosity: u8::from(self.settings.verbose),
        }
    }
}
