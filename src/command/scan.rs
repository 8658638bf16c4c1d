//! `camscan scan`: the main job.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::ready::Ready;
use super::sinks::{self, JsonLines, Terminal};
use super::{interrupt, output::Outputs, verdict};
use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::export::table::TableOptions;
use crate::model::event::Sinks;
use crate::model::problem::Problem;
use crate::model::{EventSink, Finding, Report, ScanPlan};
use crate::scan::session::Session;
use crate::scan::{Scan, targets};

/// Scans, writes the report, and returns how the program ends.
///
/// # Errors
/// Usage errors before anything is sent; afterwards only what could not be written.
pub async fn run(settings: &Settings, ready: Ready, ui: &Ui) -> anyhow::Result<Exit> {
    let Ready { outputs, baseline, session } = ready;
    let stop = CancellationToken::new();
    interrupt::listen(stop.clone(), ui)?;
    let request = targets::Request {
        specs: &settings.targets,
        exclude: &settings.exclude,
        interfaces: &settings.interfaces,
        large_subnets: settings.large_subnets,
    };
    let Some(resolved) = stop.run_until_cancelled(session.resolve(&request)).await else {
        ui.warning(interrupt::BEFORE);
        return Ok(Exit::Interrupted);
    };
    let resolved = resolved.map_err(Problem::from)?;
    for warning in &resolved.warnings {
        ui.warning(warning);
    }
    let plan = settings.plan(resolved.targets);
    let report = scan(session.clone(), plan, Vec::new(), &stop, &outputs, ui).await;
    ui.finish();
    outputs.write(&report, outputs.streams(), &|device| session.login_of(device), ui)?;
    // Also when it came while the report was written, whole: whoever sent it wants to know that it was received.
    if stop.is_cancelled() {
        return Ok(Exit::Interrupted);
    }
    let broken = verdict::broken(&settings.fail_on, &report, baseline.as_ref());
    for why in &broken {
        ui.warning(format!("--fail-on: {why}"));
    }
    Ok(if broken.is_empty() { Exit::Success } else { Exit::Condition })
}

/// Runs a scan and shows it while it runs.
pub(super) async fn scan(
    session: Arc<Session>,
    plan: ScanPlan,
    known: Vec<Finding>,
    stop: &CancellationToken,
    outputs: &Outputs,
    ui: &Ui,
) -> Report {
    // --max-duration stops the scan alone, so that `stop` shows whether somebody interrupted it.
    let scan = Scan { session, plan: Arc::new(plan), known, cancel: stop.child_token() };
    let mut all: Vec<Box<dyn EventSink + Send + '_>> = Vec::new();
    let table = if outputs.streams() {
        all.push(Box::new(JsonLines::new(ui)));
        None
    } else {
        // What decided about a device is explained once all is known.
        Some(TableOptions { explain: None, ..outputs.table() })
    };
    all.push(Box::new(sinks::log));
    all.push(Box::new(Terminal::new(ui, table)));
    scan.run(Sinks(all)).await
}
