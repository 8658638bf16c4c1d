//! `camscan scan`: the main job.

use std::io::Write;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::ready::Ready;
use super::{interrupt, output::Outputs, verdict};
use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::cli::problem::Problem;
use crate::cli::ui::Ui;
use crate::export::jsonl;
use crate::export::table::{self, TableOptions};
use crate::identify::signature::Signatures;
use crate::model::{Finding, Report, ScanEvent, ScanPlan};
use crate::net::{Links, Net};
use crate::scan::{Scan, targets};

/// Scans, writes the report, and says how the program ends.
///
/// # Errors
/// Usage errors before anything is sent; afterwards only what could not be written.
pub async fn run(settings: &Settings, ready: Ready, ui: &Ui) -> anyhow::Result<Exit> {
    let Ready { outputs, baseline, signatures, net } = ready;
    let stop = CancellationToken::new();
    interrupt::listen(stop.clone(), ui)?;
    let request = targets::Request {
        specs: &settings.targets,
        exclude: &settings.exclude,
        interfaces: &settings.interfaces,
        large_subnets: settings.large_subnets,
    };
    let Some(resolved) = stop.run_until_cancelled(targets::resolve(&request, net.as_ref())).await else {
        ui.warning(interrupt::BEFORE);
        return Ok(Exit::Interrupted);
    };
    let resolved = resolved.map_err(Problem::from_text)?;
    for warning in &resolved.warnings {
        ui.warning(warning);
    }
    let plan = settings.plan(resolved.targets, own_addresses(net.as_ref()));
    let report = scan(plan, Vec::new(), net, signatures, &stop, &outputs, ui).await;
    ui.finish();
    outputs.write(&report, outputs.streams(), ui)?;
    // Also when it came while the report was written, whole: whoever sent it wants to know that it was heard.
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
    plan: ScanPlan,
    known: Vec<Finding>,
    net: Arc<dyn Net>,
    signatures: Arc<Signatures>,
    stop: &CancellationToken,
    outputs: &Outputs,
    ui: &Ui,
) -> Report {
    let scan = Scan {
        open_connections: crate::net::connection_limit(),
        plan: Arc::new(plan),
        net,
        signatures,
        known,
        now: Timestamp::now,
        // --max-duration stops the scan alone, so that `stop` tells whether somebody interrupted it.
        cancel: stop.child_token(),
    };
    // What decided is said once all is known.
    let table = TableOptions { explain: None, ..outputs.table() };
    scan.run(|event| {
        if let ScanEvent::DeviceDone(device) = &event {
            if outputs.streams() {
                // Its reader may be gone; the scan goes on for the files' sake.
                if let Ok(line) = jsonl::device_line(device) {
                    let _ = ui.aside(|| std::io::stdout().lock().write_all(line.as_bytes()));
                }
            } else {
                ui.device(&table::device_lines(device, &table));
            }
        }
        log(&event);
        ui.event(&event);
    })
    .await
}

/// What -v tells besides warnings, which are shown in any case.
fn log(event: &ScanEvent) {
    match event {
        ScanEvent::SweepStarted { addresses } => tracing::info!(addresses, "scan started"),
        ScanEvent::HostUp { ip, method } => tracing::info!(%ip, method = method.as_str(), "answers"),
        ScanEvent::HostStarted { ip } => tracing::info!(%ip, "inspection started"),
        ScanEvent::HostDone { ip } => tracing::info!(%ip, "inspection ended"),
        ScanEvent::DeviceDone(device) => {
            let (vendor, model) = (device.vendor.as_deref(), device.model.as_deref());
            tracing::info!(ip = %device.ip, vendor, model, streams = device.streams.len(), "device found");
        }
        ScanEvent::Swept { .. } | ScanEvent::Warning(_) => {}
    }
}

pub(super) fn own_addresses(net: &dyn Links) -> Vec<std::net::IpAddr> {
    let interfaces = net.interfaces().unwrap_or_default();
    interfaces.iter().flat_map(|i| i.addresses.iter().map(ipnetwork::IpNetwork::ip)).collect()
}
