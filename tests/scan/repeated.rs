//! Many scans in one process, one after the other and side by side: each finds what the first one found.

use std::sync::Arc;

use camscan::identify::signature::Signatures;
use camscan::model::{Report, ScanEvent, ScanPlan};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::testkit::net::FakeNet;
use tokio_util::sync::CancellationToken;

use super::servers::Camera;
use super::{clock, plan};

fn network() -> FakeNet {
    let net = FakeNet::subnet();
    for ip in ["192.0.2.10", "192.0.2.11", "192.0.2.12"] {
        Camera::new(ip).on(&net);
    }
    net
}

fn scan_in(session: &Arc<Session>, plan: ScanPlan) -> Scan {
    Scan { session: session.clone(), plan: Arc::new(plan), known: Vec::new(), cancel: CancellationToken::new() }
}

async fn scanned(session: &Arc<Session>) -> Report {
    timeless(scan_in(session, plan()).run(|_: &ScanEvent| {}).await)
}

/// The report without what was measured by the clock.
fn timeless(mut report: Report) -> Report {
    report.scan.duration_ms = 0;
    for step in report.devices.iter_mut().flat_map(|d| &mut d.streams).flat_map(|s| &mut s.ladder) {
        step.ms = 0.0;
    }
    report
}

#[tokio::test(start_paused = true)]
async fn each_scan_of_a_session_finds_the_same() {
    let session = Session::new(Arc::new(network()), Signatures::builtin(), clock, 512);
    let first = scanned(&session).await;
    assert_eq!(first.devices.len(), 3);
    for nth in 2..=3 {
        assert_eq!(scanned(&session).await, first, "scan {nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn scans_side_by_side_find_the_same() {
    let alone = scanned(&Session::new(Arc::new(network()), Signatures::builtin(), clock, 512)).await;
    let session = Session::new(Arc::new(network()), Signatures::builtin(), clock, 512);
    let (a, b, c) = tokio::join!(scanned(&session), scanned(&session), scanned(&session));
    for (nth, report) in [a, b, c].into_iter().enumerate() {
        assert_eq!(report, alone, "scan {nth}");
    }
}
