//! How a scan is stopped: soon, politely, with what it has.

use std::time::Duration;

use camscan::model::{Finding, FindingKind, Method, ScanPlan, ScanStatus};
use camscan::scan::Scan;
use camscan::testkit::net::FakeNet;
use tokio_util::sync::CancellationToken;

use super::servers::Camera;
use super::{plan, run, scan, scan_of};

/// The grace of a stop, and the wait for a clock's tick.
const GRACE: Duration = Duration::from_millis(1600);

/// The first moment the camera plays, measured from the scan's beginning.
async fn moment_of_play(plan: ScanPlan, udp_only: bool) -> Duration {
    let net = FakeNet::subnet();
    Camera { udp_only, ..Camera::new("192.0.2.10") }.on(&net);
    let began = tokio::time::Instant::now();
    let seen = Finding::new("192.0.2.10".parse().unwrap(), FindingKind::Seen(Method::Tcp));
    run(Scan { known: vec![seen], ..scan_of(&net, plan, CancellationToken::new()) }).await;
    net.asked().iter().find(|a| a.method() == "PLAY").unwrap().at - began
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_plays_is_torn_down() {
    let play = moment_of_play(plan(), false).await;
    let net = FakeNet::subnet();
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
    assert_eq!(net.streams.open_now(), 0);
}

#[tokio::test(start_paused = true)]
async fn at_any_moment_it_ends_within_the_grace() {
    for tenth in 0..60 {
        let net = FakeNet::subnet();
        for n in 10..14 {
            Camera::new(&format!("192.0.2.{n}")).on(&net);
        }
        // One that will not say a word.
        net.serve("192.0.2.66:554", |_, stream| async move {
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
    let net = FakeNet::subnet();
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

/// While PLAY is unanswered, and whether or not its answer still comes: by the end of the scan, or of the host's time, the
/// camera has read a TEARDOWN for each session.
#[tokio::test(start_paused = true)]
async fn a_session_that_waits_for_play_is_torn_down() {
    let seen = || Finding::new("192.0.2.10".parse().unwrap(), FindingKind::Seen(Method::Tcp));
    let plan = || ScanPlan { methods: Vec::new(), ..plan() };
    for (udp_only, play_takes) in [(false, Some(900)), (false, None), (true, Some(900)), (true, None)] {
        for way in ["cancelled", "--max-duration", "--host-timeout"] {
            let net = FakeNet::subnet();
            let play_takes = play_takes.map(Duration::from_millis);
            Camera { udp_only, play_takes, ..Camera::new("192.0.2.10") }.on(&net);
            let case = format!("udp {udp_only}, PLAY answered after {play_takes:?}, {way}");
            let mut plan = plan();
            let end = moment_of_play(plan.clone(), udp_only).await + Duration::from_millis(300);
            let stop = CancellationToken::new();
            match way {
                "--max-duration" => plan.max_duration = Some(end),
                "--host-timeout" => plan.probe.host_timeout = end,
                _ => {}
            }
            let scan = Scan { known: vec![seen()], ..scan_of(&net, plan, stop.clone()) };
            let (outcome, ()) = tokio::join!(run(scan), async {
                tokio::time::sleep(end).await;
                if way == "cancelled" {
                    stop.cancel();
                }
            });
            assert!(outcome.took <= end + GRACE, "{case}: {:?}", outcome.took);
            let count = |method: &str| net.asked().iter().filter(|a| a.method() == method).count();
            assert!(count("PLAY") > 0, "{case}: it never came so far");
            assert_eq!(count("PLAY"), count("TEARDOWN"), "{case}");
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(net.streams.open_now(), 0, "{case}");
        }
    }
}
