//! `camscan export`: an earlier result in another format.

use std::path::Path;

use super::output::Outputs;
use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::export::read;
use crate::identify::recorder;
use crate::model::problem::Problem;
use crate::model::{Credential, Device, Report};
use crate::tool::read as files;

/// The largest report that is read, in bytes: some thirty thousand cameras.
const MAX_REPORT: u64 = 256 << 20;

/// Reads a report and writes it again.
///
/// # Errors
/// When it cannot be read, is no report, or an output cannot be written.
pub fn run(file: &Path, settings: &Settings, ui: &Ui) -> anyhow::Result<Exit> {
    // Standard input has no folder; the one we are in stands for it, as it does for a bare file name.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let outputs = Outputs::check(&settings.output)?.of_report_in(folder);
    let report = read_report(file, ui)?;
    let login_of = |device: &Device| the_login_for(device, &settings.plan.probe.credentials);
    outputs.write(&report, false, &login_of, ui)?;
    Ok(Exit::Success)
}

/// The login that is meant for a device; none where several are, since a wrong one could lock the device.
pub fn the_login_for(device: &Device, logins: &[Credential]) -> Option<Credential> {
    let covers = |login: &&Credential| login.scope.covers(device.ip, device.vendor.as_deref(), device.mac);
    let mut fitting = logins.iter().filter(covers);
    fitting.next().filter(|_| fitting.next().is_none()).cloned()
}

/// Reads a report from a file, or from standard input for `-`, and warns of what was left out of it.
///
/// # Errors
/// When it cannot be read or is no report.
pub fn read_report(file: &Path, ui: &Ui) -> Result<Report, Problem> {
    let bytes = match file.as_os_str() == "-" {
        true => files::stdin(MAX_REPORT)?,
        false => files::bytes(file, MAX_REPORT)?,
    };
    let (mut report, left_out) = read::read_telling(&String::from_utf8_lossy(&bytes))
        .map_err(|e| Problem::from(e).at(format!("{} cannot be used", file.display())))?;
    left_out.iter().for_each(|sentence| ui.warning(format!("{}: {sentence}", file.display())));
    // JSON lines are written before all devices are known.
    recorder::fold(&mut report.devices);
    Ok(report)
}
