//! `camscan probe --record`: the conversation with a device, made into a kit.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::cli::args::ProbeArgs;
use crate::cli::config::settings::Settings;
use crate::cli::exit::JobFailed;
use crate::cli::ui::Ui;
use crate::kit::anonymise::Known;
use crate::kit::{self, format};
use crate::model::Report;
use crate::model::problem::Problem;
use crate::model::recording::{Private, Recording};
use crate::text::counted;
use crate::tool::file::OutputFile;

/// What is recorded, and where to.
pub struct Record {
    file: OutputFile,
    keep: BTreeSet<Private>,
}

impl Record {
    /// Makes sure that it can be written. None where nothing is to be recorded.
    ///
    /// # Errors
    /// When more than one device is asked, or the file cannot be written.
    pub fn check(arguments: &ProbeArgs, settings: &Settings) -> Result<Option<Record>, Problem> {
        let Some(path) = &arguments.record else { return Ok(None) };
        if settings.probe_targets.len() != 1 {
            return Err(Problem::new("--record keeps the conversation with one device, and several are named"));
        }
        let file = OutputFile::check(path).map_err(Problem::from)?;
        let keep = arguments.keep.iter().filter_map(|name| Private::from_name(name)).collect();
        Ok(Some(Record { file, keep }))
    }

    /// Writes the kit and says what was replaced.
    ///
    /// # Errors
    /// When nothing answered, or the file cannot be written.
    pub fn write(
        &self,
        recording: &Recording,
        report: &Report,
        settings: &Settings,
        begun: Timestamp,
        ui: &Ui,
    ) -> anyhow::Result<()> {
        let device = report.devices.first();
        let address = device.map(|d| d.ip).or_else(|| recording.connections.first().map(|c| c.to.ip()));
        let Some(address) = address else {
            return Err(JobFailed(Problem::new("there is nothing to record: no conversation took place")).into());
        };
        let logins = settings.logins().map(|login| (login.user.clone(), login.password.expose().to_owned())).collect();
        let known = Known { keep: self.keep.clone(), logins, ..Known::of_device(address, device) };
        let (kit, _) = kit::make(recording, &known, begun.as_second());
        let bytes = format::write(&kit)?;
        self.file.commit(&bytes).map_err(Problem::from)?;
        for replaced in &kit.manifest.replaced {
            let places = counted(replaced.places, "place", "places");
            ui.note(format!("replaced: {} in {places}", replaced.kind.as_str()));
        }
        for note in &kit.manifest.notes {
            ui.note(format!("not in the recording: {note}"));
        }
        let path = self.file.path().display();
        ui.note(format!(
            "recorded in {path} ({} KiB); look through it before you pass it on",
            bytes.len().div_ceil(1024)
        ));
        Ok(())
    }
}
