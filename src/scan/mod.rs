//! The pipeline of a scan: discovery feeds a bounded pool of inspections, what they find goes through the registry, and what
//! changes there is reported as it happens.

mod announced;
mod coverage;
mod discovery;
pub mod inspect;
mod inspected;
mod left_out;
mod pool;
mod recheck;
pub mod registry;
mod results;
mod run;
pub mod session;
pub mod single;
mod slot;
pub mod targets;

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::report::SCHEMA;
use crate::model::{EventSink, Finding, Report, ScanInfo, ScanPlan};
use run::Run;
use session::Session;

/// One scan, ready to run.
pub struct Scan {
    /// What it shares with the other scans of the process.
    pub session: Arc<Session>,
    /// What it is to do.
    pub plan: Arc<ScanPlan>,
    /// What is known beforehand: a host that is to be inspected whether or not it is discovered, a stream the user named.
    pub known: Vec<Finding>,
    /// Stops the scan; the report is still made.
    pub cancel: CancellationToken,
}

impl Scan {
    /// Runs the scan to its end and makes the report. `sink` receives every change as it happens and must not block.
    pub async fn run(self, sink: impl EventSink) -> Report {
        let (now, plan) = (self.session.now, self.plan.clone());
        let (started_at, started) = (now(), Instant::now());
        let (run, inbox) = Run::start(self, sink);
        let (results, notes, status) = run.finish(inbox).await;
        let finished_at = now();
        let (targets, hosts_up) = (results.targets(&plan.targets), results.registry().hosts_up());
        let coverage = coverage::of(&notes, &plan, hosts_up, |method| results.registry().answered_to(method));
        let methods = notes.outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(method, _)| *method).collect();
        let (devices, warnings) = results.finish();
        Report {
            schema: SCHEMA.to_owned(),
            scan: ScanInfo {
                camscan_version: env!("CARGO_PKG_VERSION").to_owned(),
                started_at,
                finished_at,
                duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                status,
                targets,
                asked: plan.targets.asked(),
                addresses: plan.targets.len(),
                hosts_up,
                methods,
                // Where nobody is looked for, or on this machine alone, no network is covered.
                coverage: (!plan.methods.is_empty() && !plan.targets.is_loopback_only()).then_some(coverage),
            },
            devices,
            warnings,
        }
    }
}
