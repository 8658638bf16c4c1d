//! `camscan scan`: the main job.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnetwork::IpNetwork;
use tokio_util::sync::CancellationToken;

use super::ready::Ready;
use super::remembered;
use super::sinks::{self, JsonLines, Terminal};
use super::{interrupt, output::Outputs, verdict};
use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::export::table::TableOptions;
use crate::history::memory::{Known, Vantage};
use crate::model::event::Sinks;
use crate::model::problem::Problem;
use crate::model::{Device, EventSink, Finding, Report, ScanPlan};
use crate::net::with_file_rights;
use crate::scan::session::Session;
use crate::scan::{Scan, targets};
use crate::store::{Cause, Store, StoreError, decorate, without_notes};

/// Scans, writes the report, and returns how the program ends.
///
/// # Errors
/// Usage errors before anything is sent; afterwards only what could not be written.
pub async fn run(settings: &Settings, ready: Ready, ui: &Ui) -> anyhow::Result<Exit> {
    let Ready { outputs, baseline, store, session } = ready;
    let stop = CancellationToken::new();
    let outputs = outputs.until(&stop, ui)?;
    interrupt::listen(stop.clone(), ui)?;
    let request = targets::Request {
        specs: &settings.targets,
        exclude: &settings.exclude,
        interfaces: &settings.plan.interfaces,
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
    let mut plan = settings.plan_for(resolved.targets);
    if let Some(store) = &store {
        remembered::hand_over(store, &mut plan, (session.now)())?;
    }
    let mut report = scan(session.clone(), plan.clone(), Vec::new(), &stop, &outputs, ui).await;
    ui.finish();
    // The report is written also where it cannot be remembered.
    let remembered = store.map(|store| remember(store, &session, &plan, &mut report, ui)).transpose();
    let (remembered, failure) = match remembered {
        Ok(known) => (known, None),
        Err(error) => (None, Some(error)),
    };
    let baseline = baseline.or(remembered);
    outputs.write(&report, outputs.streams(), &|device| session.login_of(device), ui)?;
    if let Some(error) = failure {
        return Err(error);
    }
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

/// Remembers what a scan found, and adds to its report what is known of its devices. What was known of them and of those
/// that were missed is returned, to be compared with.
fn remember(store: Store, session: &Session, plan: &ScanPlan, report: &mut Report, ui: &Ui) -> anyhow::Result<Report> {
    // The files beside the store are made and removed in its folder, which may be another user's.
    let remembered: Result<Report, StoreError> = with_file_rights(move || {
        let before = store.memory()?;
        let vantage = if has_answer(report, plan) { Vantage::CLEAR } else { Vantage::Blind };
        let learnt = store.learn(report, Cause::User, vantage, &())?.value;
        learnt.warning().into_iter().for_each(|warning| ui.warning(warning));
        let worked = |device: &Device| session.login_of(device);
        store.note_scan(report, &learnt, plan, &worked, (session.now)())?;
        let after = store.memory()?;
        let is_meant = |known: &&Known| {
            learnt.devices.contains(&known.uid)
                || after.devices.get(&known.uid).is_some_and(|now| now.health.misses > 0 && now.archived_at.is_none())
        };
        // The first scan has nothing to be compared with.
        let baseline = match before.devices.is_empty() {
            true => report.clone(),
            false => crate::history::memory::report_of(before.roots().filter(is_meant)),
        };
        decorate(report, &after, &learnt.devices);
        Ok(without_notes(baseline))
    });
    remembered.map_err(remembered::failed)
}

/// Whether anything answered that is not this machine, which answers whatever becomes of the network.
fn has_answer(report: &Report, plan: &ScanPlan) -> bool {
    let links = report.scan.coverage.iter().flat_map(|coverage| &coverage.interfaces);
    let addresses = links.flat_map(|link| &link.networks).filter_map(|text| text.parse::<IpNetwork>().ok());
    let own: BTreeSet<IpAddr> = addresses.map(|network| network.ip()).collect();
    let asked = own.iter().filter(|ip| plan.targets.contains(**ip)).count() as u64;
    report.devices.iter().any(|device| !own.contains(&device.ip)) || report.scan.hosts_up > asked
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
    let table = match outputs.lines() {
        Some(lines) => {
            all.push(Box::new(JsonLines(lines)));
            None
        }
        // What decided about a device is explained once all is known.
        None => Some(TableOptions { explain: None, ..outputs.table() }),
    };
    all.push(Box::new(sinks::log));
    all.push(Box::new(Terminal::new(ui, table)));
    scan.run(Sinks(all)).await
}
