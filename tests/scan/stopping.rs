//! How a scan is stopped: soon, politely, with what it has.

use std::time::Duration;

use camscan::model::{ScanPlan, ScanStatus};
use tokio_util::sync::CancellationToken;

use super::net::FakeNet;
use super::servers::Camera;
use super::{plan, run, scan, scan_of};

/// The grace of a stop, and the wait for a clock's tick.
const GRACE: Duration = Duration::from_millis(1600);

/// The first moment the camera plays, measured from the scan's beginning.
async fn moment_of_play() -> Duration {
    let net = FakeNet::new();
    Camera::new("192.0.2.10").on(&net);
    let began = tokio::time::Instant::now();
    scan(&net, plan()).await;
    net.asked().iter().find(|a| a.method() == "PLAY").unwrap().at - began
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_plays_is_torn_down() {
    let play = moment_of_play().await;
    let net = FakeNet::new();
    Camera::new("192.0.2.10").on(&net);
    let stop = CancellationToken::new();
    let at = play + Duration::from_millis(300);
    let (outcome, ()) = tokio::join!(run(scan_of(&net, plan(), stop.clone())), async {
        tokio::time::sleep(at).await;
        stop.cancel();
    });
    assert_eq!(outcome.report.scan.status, ScanStatus::Interrupted);
    assert!(outcome.took <= at + GRACE, "{:?} of {at:?}", outcome.took);
    assert_eq!(outcome.report.devices.len(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let methods: Vec<String> = net.asked().iter().map(|a| a.method().to_owned()).collect();
    assert!(methods.contains(&"PLAY".to_owned()) && methods.contains(&"TEARDOWN".to_owned()), "{methods:?}");
    assert_eq!(net.open_now(), 0);
}

#[tokio::test(start_paused = true)]
async fn at_any_moment_it_ends_within_the_grace() {
    for tenth in 0..60 {
        let net = FakeNet::new();
        for n in 10..14 {
            Camera::new(&format!("192.0.2.{n}")).on(&net);
        }
        // One that will not say a word.
        net.serve("192.0.2.66:554", |stream| async move {
            let _open = stream;
            futures::future::pending::<()>().await;
        });
        let stop = CancellationToken::new();
        let at = Duration::from_millis(100 * tenth);
        let (outcome, ()) = tokio::join!(run(scan_of(&net, plan(), stop.clone())), async {
            tokio::time::sleep(at).await;
            stop.cancel();
        });
        assert!(outcome.took <= at + GRACE, "{:?} of {at:?}", outcome.took);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let count = |method: &str| net.asked().iter().filter(|a| a.method() == method).count();
        assert_eq!(count("PLAY"), count("TEARDOWN"), "stopped at {at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_duration_is_kept_and_said() {
    let net = FakeNet::new();
    for n in 10..40 {
        Camera::new(&format!("192.0.2.{n}")).on(&net);
    }
    let most = Duration::from_secs(8);
    let outcome = scan(&net, ScanPlan { max_duration: Some(most), concurrency: 1, ..plan() }).await;
    assert_eq!(outcome.report.scan.status, ScanStatus::Interrupted);
    assert!(outcome.took >= most && outcome.took <= most + GRACE, "{:?}", outcome.took);
    assert!(outcome.report.warnings.iter().any(|w| w.contains("--max-duration")));
    assert_eq!(outcome.report.scan.hosts_up, 30);
}
