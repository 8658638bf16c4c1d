//! Cameras with room for one connection, asked by connects: the sweep's own connection must not cost them their stream.

use std::time::Duration;

use camscan::model::{ErrorKind, Method, ProbeOptions, ScanPlan, Stream, StreamStatus, Verify};
use camscan::testkit::net::{FakeNet, Full};
use tokio_util::sync::CancellationToken;

use super::servers::{Camera, http, pages};
use super::{Outcome, plan, run, scan, scan_of};

const CAMERA: &str = "192.0.2.10";

const RTSP: &str = "192.0.2.10:554";

fn streams(outcome: &Outcome) -> Vec<StreamStatus> {
    outcome.device(CAMERA).streams.iter().map(|s: &Stream| s.status).collect()
}

/// The camera, which takes so long to notice that its client is gone, and its web server, which has room for many.
fn camera(full: Full, notices_after: u64) -> FakeNet {
    let net = FakeNet::subnet();
    Camera::new(CAMERA).on(&net);
    pages(&net, "192.0.2.10:80", |_| http("200 OK", "Server: App-webs/\r\n", "<title>Camera</title>"));
    net.streams.one_connection(RTSP, full, Duration::from_millis(notices_after));
    net
}

#[tokio::test(start_paused = true)]
async fn a_camera_with_room_for_one_connection_keeps_its_stream() {
    for full in [Full::Refuses, Full::Closes] {
        for notices_after in [0, 10, 100, 1000] {
            for methods in [vec![Method::Arp], vec![Method::Tcp]] {
                let net = camera(full, notices_after);
                let outcome = scan(&net, ScanPlan { methods: methods.clone(), ..plan() }).await;
                let what =
                    format!("{full:?} for {notices_after} ms, {methods:?}: {:#?}", outcome.device(CAMERA).errors);
                assert_eq!(streams(&outcome), [StreamStatus::Streaming], "{what}");
                assert!(outcome.device(CAMERA).errors.is_empty(), "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_by_which_a_port_was_found_open_is_the_one_it_is_asked_on() {
    for methods in [vec![Method::Arp], vec![Method::Tcp]] {
        let net = camera(Full::Refuses, 0);
        let probe = ProbeOptions { verify: Verify::None, ..plan().probe };
        scan(&net, ScanPlan { methods, probe, ..plan() }).await;
        let connects = net.connects().iter().filter(|(_, to)| to.to_string() == RTSP).count();
        assert_eq!(connects, 1);
        assert_eq!(net.streams.open_now(), 0);
    }
}

/// With one connection a host, the sweep waits until the detector is done with it.
#[tokio::test(start_paused = true)]
async fn one_connection_a_host_is_enough() {
    let net = camera(Full::Closes, 0);
    let probe = ProbeOptions { per_host: 1, ..plan().probe };
    let outcome = scan(&net, ScanPlan { methods: vec![Method::Tcp], probe, ..plan() }).await;
    assert_eq!(streams(&outcome), [StreamStatus::Streaming]);
    assert_eq!(net.streams.most_of_host(CAMERA), 1);
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_is_taken_by_others_is_said_to_be() {
    for (full, kind) in [(Full::Refuses, ErrorKind::Refused), (Full::Closes, ErrorKind::Closed)] {
        // Room for the sweep's connection, and then for nobody.
        let net = camera(full, 3_600_000);
        net.serve(RTSP, |_, _| async {});
        let outcome = run(scan_of(&net, plan(), CancellationToken::new())).await;
        let errors = &outcome.device(CAMERA).errors;
        assert!(errors.iter().any(|e| e.kind == kind && e.message.contains(":554")), "{full:?}: {errors:#?}");
        assert!(outcome.took < Duration::from_secs(6), "{:?}", outcome.took);
    }
}
