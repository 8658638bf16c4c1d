//! What is found, and that it is one report whatever the order.

use std::net::IpAddr;
use std::time::Duration;

use camscan::export::{self, Options};
use camscan::model::{Finding, FindingKind, Kind, Method, ScanPlan, ScanStatus, StreamStatus};
use camscan::testkit::net::{FakeNet, Sent};
use tokio_util::sync::CancellationToken;

use super::servers::{Camera, http, pages};
use super::{Outcome, plan, run, scan, scan_of};

/// Answers WS-Discovery and SSDP as the camera at `ip`.
fn announce(net: &FakeNet, ip: &str) {
    let ip = ip.to_owned();
    net.datagrams.on_datagram(move |sent: &Sent| {
        let matches = format!(
            "<E><ProbeMatch><EndpointReference><Address>urn:uuid:00000000-0000-4000-8000-000000000001</Address>\
             </EndpointReference><Types>dn:NetworkVideoTransmitter</Types>\
             <XAddrs>http://{ip}/onvif/device_service</XAddrs></ProbeMatch></E>"
        );
        let ssdp = format!("HTTP/1.1 200 OK\r\nLOCATION: http://{ip}/d.xml\r\nST: upnp:rootdevice\r\n\r\n");
        let after = Duration::from_millis(30);
        match sent.to.port() {
            3702 => vec![(after, format!("{ip}:3702").parse().unwrap(), Ok(matches.into_bytes()))],
            1900 => vec![(after, format!("{ip}:1900").parse().unwrap(), Ok(ssdp.into_bytes()))],
            _ => Vec::new(),
        }
    });
}

fn every_method() -> ScanPlan {
    ScanPlan { methods: Method::ALL.to_vec(), ..plan() }
}

fn streams(outcome: &Outcome, ip: &str) -> Vec<(String, StreamStatus)> {
    outcome.device(ip).streams.iter().map(|s| (s.url.clone(), s.status)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_camera_is_found_and_its_stream_proved() {
    let net = FakeNet::subnet();
    Camera::new("192.0.2.10").on(&net);
    let outcome = scan(&net, plan()).await;
    assert_eq!((outcome.report.scan.status, outcome.report.scan.hosts_up), (ScanStatus::Complete, 1));
    let camera = outcome.device("192.0.2.10");
    assert_eq!((camera.kind, camera.id.as_str()), (Kind::Camera, "mac:02:00:5e:00:02:0a"));
    assert_eq!(streams(&outcome, "192.0.2.10"), [("rtsp://192.0.2.10:554/live".to_owned(), StreamStatus::Streaming)]);
    let video = camera.streams[0].video.as_ref().unwrap();
    assert_eq!((video.width, video.height), (Some(1280), Some(720)));
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_streams_at_any_path_has_one_stream_and_it_plays() {
    for (server, path) in [("Rtsp Server/3.0", "/cam/realmonitor?channel=1&subtype=0"), ("Streamer/1", "/")] {
        let net = FakeNet::subnet();
        Camera { server: server.to_owned(), any_path: true, ..Camera::new("192.0.2.10") }.on(&net);
        let outcome = scan(&net, plan()).await;
        let url = format!("rtsp://192.0.2.10:554{path}");
        assert_eq!(streams(&outcome, "192.0.2.10"), [(url, StreamStatus::Streaming)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_found_by_several_methods_is_one_device() {
    let net = FakeNet::subnet();
    Camera::new("192.0.2.10").on(&net);
    announce(&net, "192.0.2.10");
    let outcome = scan(&net, every_method()).await;
    assert_eq!(outcome.report.devices.len(), 1);
    assert_eq!(outcome.device("192.0.2.10").discovered_by, [Method::Arp, Method::Onvif, Method::Ssdp]);
    assert_eq!(net.asked_of("192.0.2.10").iter().filter(|a| a.method() == "PLAY").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_camera_is_complete_while_others_are_still_looked_for() {
    let net = FakeNet::subnet();
    Camera::new("192.0.2.10").on(&net);
    let plan = ScanPlan { discovery_time: Duration::from_secs(60), ..every_method() };
    let outcome = scan(&net, plan).await;
    assert!(outcome.done("192.0.2.10") < Duration::from_secs(15), "{:?}", outcome.done("192.0.2.10"));
    assert!(outcome.took >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_dead_host_delays_nobody() {
    let net = FakeNet::subnet();
    Camera::new("192.0.2.10").on(&net);
    let alone = scan(&net, plan()).await.done("192.0.2.10");
    // It answers to ARP, and to nothing else.
    let net = FakeNet::subnet();
    Camera::new("192.0.2.10").on(&net);
    for n in 100..130 {
        net.serve(&format!("192.0.2.{n}:554"), |_, stream| async move {
            let _open = stream;
            futures::future::pending::<()>().await;
        });
    }
    let among = scan(&net, plan()).await;
    assert!(among.done("192.0.2.10") <= alone + Duration::from_millis(50), "{:?}", among.done("192.0.2.10"));
    assert_eq!(among.report.scan.hosts_up, 31);
}

#[tokio::test(start_paused = true)]
async fn the_report_is_the_same_to_the_byte_however_often_it_is_made() {
    let mut reports = Vec::new();
    for seed in 1..=3 {
        fastrand::seed(seed);
        let net = FakeNet::subnet();
        for n in 10..16 {
            Camera { session_name: format!("camera {n}"), ..Camera::new(&format!("192.0.2.{n}")) }.on(&net);
            let at = format!("192.0.2.{n}:80");
            pages(&net, &at, |_| http("200 OK", "Server: App-webs/\r\n", "<title>IP Camera</title>"));
        }
        announce(&net, "192.0.2.12");
        let report = scan(&net, every_method()).await.report;
        reports.push(
            String::from_utf8(export::render(&export::json::FORMAT, &Options::default(), &report).unwrap()).unwrap(),
        );
    }
    assert!(reports[0].contains("camera 15") || reports[0].contains("192.0.2.15"));
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0], reports[2]);
}

/// A camera has an IPv4 and an IPv6 address more often than not; asked at both, it would count refused logins twice.
#[tokio::test(start_paused = true)]
async fn a_second_address_of_a_camera_is_not_asked_again_and_a_camera_of_ipv6_alone_is() {
    let net = FakeNet::subnet();
    let (second, alone): (IpAddr, IpAddr) = ("fe80::10".parse().unwrap(), "fe80::20".parse().unwrap());
    for ip in ["192.0.2.10", "[fe80::10]", "[fe80::20]"] {
        Camera::new(ip).on(&net);
    }
    let mut asked = scan_of(&net, plan(), CancellationToken::new());
    for (ip, mac) in [(second, "02:00:5e:00:02:0a"), (alone, "02:00:5e:00:02:0b")] {
        asked.known.push(Finding::new(ip, FindingKind::Seen(Method::Icmp)));
        asked.known.push(Finding::new(ip, FindingKind::Mac(mac.parse().unwrap())));
    }
    let outcome = run(asked).await;
    assert_eq!(outcome.device("192.0.2.10").addresses, ["192.0.2.10".parse().unwrap(), second]);
    assert!(net.connects().iter().all(|(_, to)| to.ip() != second), "the same camera was asked twice");
    assert_eq!(streams(&outcome, "192.0.2.10").len(), 1);
    assert_eq!(outcome.device("fe80::20").streams[0].status, StreamStatus::Streaming);
}

/// A UPnP description that names web pages on ports where nobody listens, one of which is in the plan.
#[tokio::test(start_paused = true)]
async fn what_is_announced_on_a_port_that_refuses_is_no_service() {
    for port in [80, 8081] {
        let net = FakeNet::subnet();
        let ip = "192.0.2.10";
        Camera::new(ip).on(&net);
        let located = format!("HTTP/1.1 200 OK\r\nLOCATION: http://{ip}:49152/d.xml\r\nST: upnp:rootdevice\r\n\r\n");
        net.datagrams.on_datagram(move |sent: &Sent| match sent.to.port() {
            1900 => {
                vec![(
                    Duration::from_millis(20),
                    format!("{ip}:1900").parse().unwrap(),
                    Ok(located.clone().into_bytes()),
                )]
            }
            _ => Vec::new(),
        });
        pages(&net, &format!("{ip}:49152"), move |_| {
            let page = format!("<root><device><presentationURL>http://{ip}:{port}/</presentationURL></device></root>");
            http("200 OK", "", &page)
        });
        let outcome = scan(&net, every_method()).await;
        let device = outcome.device(ip);
        assert!(device.services.iter().all(|s| s.port != port), "{:#?}", device.services);
        let said = format!("{ip}:{port}: announced as http, and refuses connections");
        assert!(device.errors.iter().any(|e| e.message == said), "{:#?}", device.errors);
        assert_eq!(device.streams[0].status, StreamStatus::Streaming);
    }
}
