//! Refused logins, counted as the camera counts them: over RTSP, HTTP and ONVIF together.

use camscan::model::{Credential, ProbeOptions, ScanPlan, StreamStatus};

use super::net::FakeNet;
use super::servers::{Camera, http, pages};
use super::{Outcome, plan, scan};

const FAULT: &str = "<Envelope><Body><Fault><Code><Subcode><Value>ter:NotAuthorized</Value></Subcode></Code>\
                     <Reason><Text>Sender not authorized</Text></Reason></Fault></Body></Envelope>";

/// A camera that refuses every login it has not got, over all it speaks.
async fn scan_locked(net: &FakeNet, logins: &[(&str, &str)], limit: u32) -> Outcome {
    Camera { login: Some("admin:right".to_owned()), ..Camera::new("192.0.2.10") }.on(net);
    for port in [80, 8080] {
        pages(net, &format!("192.0.2.10:{port}"), |asked| match asked.method() {
            "POST" => http("400 Bad Request", "Content-Type: application/soap+xml\r\n", FAULT),
            _ => http("401 Unauthorized", "WWW-Authenticate: Basic realm=\"IP Camera\"\r\n", ""),
        });
    }
    let credentials = logins.iter().map(|(user, password)| Credential::new(*user, *password)).collect();
    let probe = ProbeOptions { credentials, max_login_failures: limit, ..plan().probe };
    scan(net, ScanPlan { probe, ..plan() }).await
}

#[tokio::test(start_paused = true)]
async fn refusals_never_pass_the_limit_over_all_protocols_together() {
    let wrong = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")];
    for limit in 0..4 {
        let net = FakeNet::new();
        let outcome = scan_locked(&net, &wrong, limit).await;
        let given = net.asked_of("192.0.2.10").iter().filter(|a| a.has_login()).count();
        assert_eq!(given, limit as usize);
        let attempts = outcome.device("192.0.2.10").login_attempts;
        assert_eq!(attempts.map_or(0, |a| a.refused), limit);
    }
}

#[tokio::test(start_paused = true)]
async fn the_right_login_opens_the_stream_and_stands_nowhere_in_the_report() {
    let net = FakeNet::new();
    let outcome = scan_locked(&net, &[("admin", "right")], 4).await;
    let camera = outcome.device("192.0.2.10");
    assert!(camera.streams.iter().any(|s| s.status == StreamStatus::Streaming), "{:?}", camera.streams);
    assert!(!serde_json::to_string(&outcome.report).unwrap().contains("admin:right"));
}

#[tokio::test(start_paused = true)]
async fn without_logins_none_is_tried() {
    let net = FakeNet::new();
    let outcome = scan_locked(&net, &[], 2).await;
    assert!(!net.asked().iter().any(super::net::Asked::has_login));
    let statuses: Vec<StreamStatus> = outcome.device("192.0.2.10").streams.iter().map(|s| s.status).collect();
    assert_eq!(statuses, [StreamStatus::AuthRequired], "{:#?}", outcome.device("192.0.2.10").streams);
}
