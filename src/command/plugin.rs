//! Runs an exporter of the user's own: the report as JSON on its standard input, its format on its standard output. No shell is
//! involved, next to nothing of the environment is handed on, and at the deadline it is ended with all it has started.

use crate::cli::config::plugins::ExporterPlugin;
use crate::export::address;
use crate::export::{Options, json, render};
use crate::model::problem::Problem;
use crate::model::{Credential, Device, Report, Stream};
use crate::text::{clean_to, strip_userinfo};
use crate::tool::process::{PipeError, run_to_end};
use crate::wire::url::with_login;

/// The most an exporter may write, in bytes.
const MOST: u64 = 256 << 20;

/// The most of its complaint that is shown, in characters.
const MAX_COMPLAINT: usize = 300;

/// What the exporter makes of the report.
///
/// # Errors
/// When it cannot be run, does not end in time, fails, or writes too much.
pub(super) fn run(
    plugin: &ExporterPlugin,
    report: &Report,
    login_of: &dyn Fn(&Device) -> Option<Credential>,
) -> Result<Vec<u8>, Problem> {
    let failed = |why: String| {
        Problem::new(format!("the exporter `{}` {why}", plugin.name))
            .hint("it gets what `camscan export REPORT -f json` prints; run it on that by hand")
    };
    let report = with_logins(report, |device| login_of(device).filter(|_| plugin.passwords), plugin.passwords);
    let input = render(&json::FORMAT, &Options::default(), &report).map_err(|error| failed(error.to_string()))?;
    let arguments: Vec<&str> = plugin.arguments.iter().map(String::as_str).collect();
    let finished = run_to_end(&plugin.program, &arguments, &input, MOST + 1, plugin.timeout).map_err(|e| match e {
        PipeError::Missing => failed(format!("cannot be run: there is no program {}", plugin.program)),
        PipeError::Timeout => failed(format!("did not end within {} s and was ended", plugin.timeout.as_secs_f64())),
        PipeError::Io(error) => failed(format!("cannot be run: {error}")),
    })?;
    if finished.output.len() as u64 > MOST {
        return Err(failed(format!("wrote more than {} MiB", MOST >> 20)));
    }
    match finished.status {
        Some(status) if status.success() => Ok(finished.output),
        status => {
            let how = status.map_or_else(|| "did not end".to_owned(), |status| format!("failed ({status})"));
            let complaint = clean_to(finished.complaint.trim(), MAX_COMPLAINT);
            Err(failed(if complaint.is_empty() { how } else { format!("{how}: {complaint}") }))
        }
    }
}

/// The report with logins in the addresses that need one, or with none in any, and without the addresses that lead elsewhere
/// than to their devices.
fn with_logins(report: &Report, login_of: impl Fn(&Device) -> Option<Credential>, shown: bool) -> Report {
    let mut report = report.clone();
    let left_out = address::leave_out_foreign(&mut report);
    report.warnings.extend(left_out);
    for device in &mut report.devices {
        let login = login_of(device);
        let mut streams = std::mem::take(&mut device.streams);
        for Stream { url, open, .. } in &mut streams {
            let bare = strip_userinfo(url);
            let place = address::for_login(device, &bare);
            match (&login, place) {
                (Some(login), Ok(place)) if *open == Some(false) => {
                    *url = with_login(&place, &login.user, login.password.expose());
                }
                // Those of a report that was made with them stay where they may.
                _ if shown => {}
                _ => *url = bare,
            }
        }
        device.streams = streams;
    }
    report
}
