//! What is never asked, and how much at once.

use std::net::IpAddr;
use std::time::Duration;

use camscan::model::{Method, ProbeOptions, Reach, ScanPlan, StreamStatus};
use camscan::testkit::net::{CONNECT, FakeNet};

use super::servers::{Camera, http, pages};
use super::{look_at, plan, plan_without, scan};

fn fleet(net: &FakeNet, count: u8) -> Vec<String> {
    let hosts: Vec<String> = (0..count).map(|n| format!("192.0.2.{}", 10 + n)).collect();
    hosts.iter().for_each(|ip| Camera::new(ip).on(net));
    hosts
}

#[tokio::test(start_paused = true)]
async fn no_more_hosts_are_looked_at_at_once_than_allowed() {
    for allowed in [1, 3, 8] {
        let net = FakeNet::subnet();
        let hosts = fleet(&net, 20);
        let outcome = look_at(&net, ScanPlan { concurrency: allowed, ..plan() }, &hosts).await;
        assert_eq!(net.streams.most_hosts(), allowed);
        assert!(outcome.report.devices.iter().all(|d| d.streams[0].status == StreamStatus::Streaming));
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_connections_to_a_host_than_allowed() {
    for allowed in [1, 2, 4] {
        let net = FakeNet::subnet();
        Camera::new("192.0.2.10").on(&net);
        for port in 8000..8050 {
            pages(&net, &format!("192.0.2.10:{port}"), |_| http("200 OK", "", "<title>hello</title>"));
        }
        let ports = [554, 80].into_iter().chain((8000..8100).step_by(2)).collect();
        let probe = ProbeOptions { per_host: allowed, ports, ..plan().probe };
        let methods = vec![Method::Arp, Method::Tcp];
        let outcome = scan(&net, ScanPlan { probe, methods, ..plan() }).await;
        assert!(
            net.streams.most_of_host("192.0.2.10") <= allowed,
            "{} of {allowed}",
            net.streams.most_of_host("192.0.2.10")
        );
        assert_eq!(outcome.device("192.0.2.10").streams.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_camera_sees_one_rtsp_connection_at_a_time() {
    let net = FakeNet::subnet();
    Camera::new("192.0.2.10").on(&net);
    scan(&net, ScanPlan { methods: vec![Method::Arp, Method::Tcp], ..plan() }).await;
    assert_eq!(net.streams.most_open("192.0.2.10:554"), 1);
}

#[tokio::test(start_paused = true)]
async fn excluded_addresses_never_receive_anything() {
    let net = FakeNet::subnet();
    fleet(&net, 20);
    let excluded: ipnetwork::IpNetwork = "192.0.2.16/28".parse().unwrap();
    // They try to be heard all the same, and a camera speaks of one of them.
    net.datagrams.on_datagram(|sent| {
        let answer = "<E><ProbeMatch><EndpointReference><Address>urn:uuid:1</Address></EndpointReference>\
             <Types>dn:NetworkVideoTransmitter</Types><XAddrs>http://192.0.2.20/onvif/device_service</XAddrs>\
             </ProbeMatch></E>";
        ["192.0.2.20:3702", "192.0.2.10:3702"]
            .into_iter()
            .filter(|_| sent.to.port() == 3702)
            .map(|from| (Duration::from_millis(5), from.parse().unwrap(), Ok(answer.as_bytes().to_vec())))
            .collect()
    });
    let plan = ScanPlan { methods: Method::ALL.to_vec(), ..plan_without(&[excluded]) };
    let outcome = scan(&net, plan).await;
    let is_out = |ip: IpAddr| excluded.contains(ip);
    assert!(!net.connects().iter().any(|(_, to)| is_out(to.ip())));
    assert!(!net.datagrams.sent().iter().any(|sent| is_out(sent.to.ip())));
    assert!(!net.links.asked().keys().any(|ip| is_out((*ip).into())));
    assert!(!outcome.report.devices.iter().any(|d| is_out(d.ip)));
    assert!(outcome.report.devices.iter().any(|d| d.ip == "192.0.2.10".parse::<IpAddr>().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn who_answers_from_another_subnet_is_listed_and_not_asked() {
    let net = FakeNet::subnet();
    Camera::new("203.0.113.9").on(&net);
    net.datagrams.on_datagram(|_| {
        vec![(Duration::ZERO, "203.0.113.9:3702".parse().unwrap(), Ok(b"<E><ProbeMatch/></E>".to_vec()))]
    });
    let outcome = scan(&net, ScanPlan { methods: Method::ALL.to_vec(), ..plan() }).await;
    let reach: Vec<_> = outcome.report.devices.iter().map(|d| (d.ip.to_string(), d.reach, d.services.len())).collect();
    assert_eq!(reach, [("203.0.113.9".to_owned(), Some(Reach::OtherSubnet), 0)]);
    assert!(net.connects().iter().all(|(_, to)| to.ip() != "203.0.113.9".parse::<IpAddr>().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn printers_are_never_made_to_print() {
    let net = FakeNet::subnet();
    net.serve_all_ports("192.0.2.10", |_, stream| async move { drop(stream) });
    // Whoever sends us there leads nowhere.
    pages(&net, "192.0.2.11:80", |_| http("302 Found", "Location: http://192.0.2.11:9100/\r\n", ""));
    net.datagrams.on_datagram(|sent| {
        let location = b"HTTP/1.1 200 OK\r\nLOCATION: http://192.0.2.11:9101/d.xml\r\nST: upnp:rootdevice\r\n\r\n";
        match sent.to.port() {
            1900 => vec![(Duration::ZERO, "192.0.2.11:1900".parse().unwrap(), Ok(location.to_vec()))],
            3702 => {
                let matches = "<E><ProbeMatch><EndpointReference><Address>urn:uuid:1</Address></EndpointReference>\
                               <Types>dn:NetworkVideoTransmitter</Types>\
                               <XAddrs>http://192.0.2.11:9103/onvif/device_service</XAddrs></ProbeMatch></E>";
                vec![(Duration::ZERO, "192.0.2.11:3702".parse().unwrap(), Ok(matches.as_bytes().to_vec()))]
            }
            _ => Vec::new(),
        }
    });
    let probe = ProbeOptions { ports: (9090..9120).chain([80, 554]).collect(), ..plan().probe };
    scan(&net, ScanPlan { methods: Method::ALL.to_vec(), probe, ..plan() }).await;
    let ports: Vec<u16> = net.connects().iter().map(|(_, to)| to.port()).collect();
    assert!(ports.contains(&80) && ports.contains(&9099) && ports.contains(&9108));
    assert!(!ports.iter().any(|port| (9100..=9107).contains(port)));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_never_leaves_the_host() {
    let net = FakeNet::subnet();
    pages(&net, "192.0.2.10:80", |_| http("302 Found", "Location: http://192.0.2.11/login\r\n", ""));
    pages(&net, "192.0.2.10:8080", |_| http("302 Found", "Location: http://203.0.113.1/\r\n", ""));
    pages(&net, "192.0.2.10:554", |asked| {
        let cseq = asked.header("CSeq").unwrap_or("1");
        format!("RTSP/1.0 302 Moved\r\nCSeq: {cseq}\r\nLocation: rtsp://192.0.2.11/live\r\n\r\n").into_bytes()
    });
    pages(&net, "192.0.2.11:80", |_| http("200 OK", "", ""));
    let hosts = ["192.0.2.10".to_owned()];
    look_at(&net, plan(), &hosts).await;
    let elsewhere: Vec<_> = net.connects().into_iter().filter(|(_, to)| to.ip().to_string() != hosts[0]).collect();
    assert_eq!(elsewhere, []);
}

#[tokio::test(start_paused = true)]
async fn a_busy_camera_is_not_walked() {
    let net = FakeNet::subnet();
    Camera { busy: true, ..Camera::new("192.0.2.10") }.on(&net);
    scan(&net, plan()).await;
    let describes = net.asked_of("192.0.2.10").iter().filter(|a| a.method() == "DESCRIBE").count();
    assert!((1..=6).contains(&describes), "{describes}");
}

#[tokio::test(start_paused = true)]
async fn when_this_machine_runs_out_no_host_is_lost() {
    // EMFILE, ENFILE, ENOBUFS, EADDRNOTAVAIL.
    for error in [24, 23, 105, 99] {
        let net = FakeNet::subnet();
        let hosts = fleet(&net, 8);
        for ip in &hosts {
            net.streams.fail_connects(ip, &[error; 3]);
        }
        let outcome = look_at(&net, plan(), &hosts).await;
        for device in &outcome.report.devices {
            let streams = device.streams.iter().filter(|s| s.status == StreamStatus::Streaming).count();
            assert_eq!(streams, 1, "error {error}: {}", device.ip);
        }
        let (first, second) = (net.connects()[0].0, net.connects().last().unwrap().0);
        assert!(second - first > CONNECT);
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_pass_is_tried_again() {
    // ECONNRESET and ETIMEDOUT once each, on every camera.
    let net = FakeNet::subnet();
    let hosts = fleet(&net, 6);
    for ip in &hosts {
        net.streams.fail_connects(ip, &[110]);
    }
    let outcome = look_at(&net, plan(), &hosts).await;
    assert!(outcome.report.devices.iter().all(|d| d.streams.iter().any(|s| s.status == StreamStatus::Streaming)));
}
