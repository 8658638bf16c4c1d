//! Internal errors: a panic in one step is that step's error, and nobody else's.

use std::collections::BTreeSet;
use std::time::Duration;

use camscan::model::{Method, ScanEvent, ScanPlan, Stage, StreamStatus};
use camscan::testkit::net::FakeNet;

use super::servers::{Camera, http, pages};
use super::{Outcome, plan, scan};

const CAMERA: &str = "192.0.2.10";
const OTHER: &str = "192.0.2.11";

fn two_cameras() -> FakeNet {
    let net = FakeNet::subnet();
    for ip in [CAMERA, OTHER] {
        Camera::new(ip).on(&net);
        pages(&net, &format!("{ip}:80"), |_| http("200 OK", "Server: App-webs/\r\n", "<title>Camera</title>"));
    }
    net
}

/// The steps at which a camera's inspection went wrong by our mistake.
fn mistakes(outcome: &Outcome, ip: &str) -> Vec<Stage> {
    let errors = outcome.device(ip).errors.iter();
    errors.filter(|e| e.message.contains("internal error")).map(|e| e.stage).collect()
}

fn check_other(outcome: &Outcome) {
    assert_eq!(outcome.device(OTHER).streams[0].status, StreamStatus::Streaming);
    assert_eq!(mistakes(outcome, OTHER), []);
    assert_eq!(outcome.report.warnings, [""; 0]);
    for ip in [CAMERA, OTHER] {
        let done = ScanEvent::HostDone { ip: ip.parse().unwrap() };
        assert_eq!(outcome.events.iter().filter(|(_, event)| *event == done).count(), 1, "{ip}");
    }
}

/// Every connect of an inspection belongs to some detector or analyser; each in turn goes wrong.
#[tokio::test(start_paused = true)]
async fn whichever_step_panics_it_is_that_steps_error_alone() {
    let mut stages = BTreeSet::new();
    for port in [554, 80] {
        let at = format!("{CAMERA}:{port}");
        for number in 1.. {
            let net = two_cameras();
            net.streams.panic_on(&at, number);
            let outcome = scan(&net, plan()).await;
            check_other(&outcome);
            if net.connects().iter().filter(|(_, to)| to.to_string() == at).count() < number {
                break;
            }
            let mistakes = mistakes(&outcome, CAMERA);
            assert_eq!(mistakes.len(), 1, "connect {number} to {at}: {mistakes:?}");
            stages.extend(mistakes);
        }
    }
    // The port scan, a detector of each protocol, and analysers.
    for stage in [Stage::Ports, Stage::Rtsp, Stage::Http, Stage::Onvif] {
        assert!(stages.contains(&stage), "{stages:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_makes_us_panic_costs_the_name() {
    let net = two_cameras();
    net.names.panic_on(CAMERA);
    let outcome = scan(&net, plan()).await;
    check_other(&outcome);
    assert_eq!(mistakes(&outcome, CAMERA), [Stage::Dns]);
    assert_eq!(outcome.device(CAMERA).streams[0].status, StreamStatus::Streaming);
}

#[tokio::test(start_paused = true)]
async fn whichever_way_of_finding_panics_the_others_go_on() {
    for method in Method::ALL {
        // Two ways of which one is enough.
        let other = if method == Method::Onvif { Method::Arp } else { Method::Onvif };
        let net = two_cameras();
        net.datagrams.on_datagram(|sent| {
            let answer = "<E><ProbeMatch><EndpointReference><Address>urn:uuid:1</Address></EndpointReference>\
                          <Types>dn:NetworkVideoTransmitter</Types></ProbeMatch></E>";
            let from = (sent.to.port() == 3702).then(|| format!("{CAMERA}:3702").parse().unwrap());
            from.into_iter().map(|from| (Duration::from_millis(9), from, Ok(answer.as_bytes().to_vec()))).collect()
        });
        net.panic_in(method);
        // Nobody else has business there.
        net.streams.panic_on("192.0.2.77:554", usize::from(method == Method::Tcp));
        let outcome = scan(&net, ScanPlan { methods: vec![method, other], ..plan() }).await;
        let why = format!(
            "internal error in discovery by {} (please report it); the other methods are unaffected",
            method.as_str()
        );
        assert_eq!(outcome.report.warnings, [why]);
        assert_eq!(outcome.device(CAMERA).streams[0].status, StreamStatus::Streaming, "{method:?}");
        assert_eq!(outcome.report.scan.methods, [other]);
    }
}
