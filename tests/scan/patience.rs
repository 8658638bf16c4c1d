//! How long each answer is waited for: silence costs little, and a slow server is not lost for it.

use std::time::Duration;

use camscan::model::{Method, Protocol, ScanPlan, StreamStatus};
use camscan::testkit::net::{FakeNet, Sent};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::servers::{Camera, http, pages};
use super::{Outcome, look_at, plan, scan};

const CAMERA: &str = "192.0.2.10";

fn every_method() -> ScanPlan {
    ScanPlan { methods: Method::ALL.to_vec(), ..plan() }
}

/// Passes bytes on at so many a second, the first of each answer after a while.
async fn slowly(stream: DuplexStream, mut server: DuplexStream, after: Duration, per_second: u64) {
    let (mut from_client, mut to_client) = tokio::io::split(stream);
    let mut answer = vec![0; 16 * 1024];
    let mut question = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            read = from_client.read(&mut question) => match read {
                Ok(length @ 1..) => { let _ = server.write_all(&question[..length]).await; }
                _ => return,
            },
            read = server.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                tokio::time::sleep(after).await;
                for piece in answer[..length].chunks(10) {
                    if to_client.write_all(piece).await.is_err() { return }
                    tokio::time::sleep(Duration::from_millis(1000 * piece.len() as u64 / per_second)).await;
                }
            }
        }
    }
}

fn slow_camera(net: &FakeNet) {
    let fast = FakeNet::subnet();
    Camera::new(CAMERA).on(&fast);
    net.serve(&format!("{CAMERA}:554"), move |_, stream| {
        let fast = fast.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let at = format!("{CAMERA}:554");
            tokio::join!(fast.streams.talk_to(&at, theirs), slowly(stream, ours, Duration::from_secs(4), 100));
        }
    });
}

fn protocols(outcome: &Outcome, ip: &str) -> Vec<Protocol> {
    outcome.device(ip).services.iter().map(|s| s.protocol).collect()
}

#[tokio::test(start_paused = true)]
async fn a_camera_whose_first_byte_takes_four_seconds_is_found_beside_tarpits() {
    let net = FakeNet::subnet();
    slow_camera(&net);
    for n in 100..106 {
        for port in [554, 80, 8080] {
            net.serve(&format!("192.0.2.{n}:{port}"), |_, stream| async move {
                let _open = stream;
                futures::future::pending::<()>().await;
            });
        }
    }
    let outcome = scan(&net, plan()).await;
    assert!(protocols(&outcome, CAMERA).contains(&Protocol::Rtsp), "{:#?}", outcome.device(CAMERA));
    for n in 100..106 {
        let ip = format!("192.0.2.{n}");
        assert!(outcome.done(&ip) < Duration::from_secs(10), "{:?}", outcome.done(&ip));
        for port in [554, 80, 8080] {
            let errors = &outcome.device(&ip).errors;
            assert!(errors.iter().any(|e| e.message.contains(&format!(":{port}"))), "{port}: {errors:#?}");
        }
    }
}

/// One byte a second is no camera either, though it is heard.
#[tokio::test(start_paused = true)]
async fn a_drip_ends_sooner_than_a_host_that_is_understood() {
    let net = FakeNet::subnet();
    for port in [554, 80] {
        net.serve(&format!("192.0.2.100:{port}"), |_, mut stream| async move {
            for byte in b"HTTP/1.1 200 OK\r\nServer: slow\r\n\r\n".iter().cycle() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        });
    }
    let outcome = scan(&net, plan()).await;
    assert!(outcome.took < Duration::from_secs(15), "{:?}", outcome.took);
}

#[tokio::test(start_paused = true)]
async fn silence_by_udp_costs_a_host_little() {
    let net = FakeNet::subnet();
    Camera::new(CAMERA).on(&net);
    let alone = ScanPlan { resolve_names: false, ..plan() };
    let outcome = scan(&net, alone).await;
    // The camera plays for two seconds.
    assert!(outcome.done(CAMERA) < Duration::from_millis(3000), "{:?}", outcome.done(CAMERA));
    let net = FakeNet::subnet();
    pages(&net, &format!("{CAMERA}:80"), |_| http("200 OK", "", "<title>x</title>"));
    let outcome = look_at(&net, plan(), &[CAMERA.to_owned()]).await;
    assert!(outcome.took < Duration::from_millis(500), "{:?}", outcome.took);
}

/// Places are for who is spoken to: whoever is only waited for holds none.
#[tokio::test(start_paused = true)]
async fn silent_hosts_wait_side_by_side() {
    let net = FakeNet::subnet();
    for n in 10..210 {
        pages(&net, &format!("192.0.2.{n}:80"), |_| http("200 OK", "", "<title>x</title>"));
    }
    let outcome = scan(&net, ScanPlan { concurrency: 8, ..plan() }).await;
    // One after the other they would take nine seconds.
    assert!(outcome.took < Duration::from_millis(2500), "{:?}", outcome.took);
}

/// Answers WS-Discovery by unicast alone, and late.
fn late_answer(net: &FakeNet, after: Duration) {
    net.datagrams.on_datagram(move |sent: &Sent| {
        let matches = format!(
            "<E><ProbeMatch><EndpointReference><Address>urn:uuid:00000000-0000-4000-8000-000000000001</Address>\
             </EndpointReference><Types>dn:NetworkVideoTransmitter</Types>\
             <XAddrs>http://{CAMERA}:8899/onvif/device_service</XAddrs></ProbeMatch></E>"
        );
        let to: std::net::SocketAddr = format!("{CAMERA}:3702").parse().unwrap();
        if sent.to == to { vec![(after, to, Ok(matches.into_bytes()))] } else { Vec::new() }
    });
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_and_no_other_sign_make_a_camera_while_others_are_still_looked_for() {
    for after in [10, 300, 1500] {
        let net = FakeNet::subnet();
        net.host_up(CAMERA);
        pages(&net, &format!("{CAMERA}:8899"), |_| http("200 OK", "", "<title>x</title>"));
        late_answer(&net, Duration::from_millis(after));
        let outcome = scan(&net, every_method()).await;
        assert!(protocols(&outcome, CAMERA).contains(&Protocol::Onvif), "{after}: {:#?}", outcome.device(CAMERA));
        let asked = net.asked_of(CAMERA).iter().any(|a| a.method() == "POST");
        assert!(asked, "{after}: the service it named was not asked");
        assert!(outcome.took < Duration::from_secs(6), "{:?}", outcome.took);
    }
}

#[tokio::test(start_paused = true)]
async fn a_camera_behind_a_slow_network_has_the_time_its_answers_take() {
    let net = FakeNet::subnet();
    Camera::new(CAMERA).on(&net);
    net.streams.connect_takes(CAMERA, Duration::from_millis(300));
    late_answer(&net, Duration::from_millis(900));
    pages(&net, &format!("{CAMERA}:8899"), |_| http("200 OK", "", "<title>x</title>"));
    let outcome = scan(&net, plan()).await;
    assert!(protocols(&outcome, CAMERA).contains(&Protocol::Onvif), "{:#?}", outcome.device(CAMERA));
    assert_eq!(outcome.device(CAMERA).streams[0].status, StreamStatus::Streaming);
}

/// A small network with as many hostile hosts as one has to reckon with: all cameras play, and soon.
#[tokio::test(start_paused = true)]
async fn hostile_hosts_cost_a_small_network_seconds() {
    let net = FakeNet::subnet();
    let cameras: Vec<String> = (20..53).map(|n| format!("192.0.2.{n}")).collect();
    for ip in &cameras {
        Camera::new(ip).on(&net);
        pages(&net, &format!("{ip}:80"), |_| http("200 OK", "Server: App-webs/\r\n", "<title>Camera</title>"));
    }
    slow_camera(&net);
    for n in 100..106 {
        for port in [554, 80, 8080] {
            net.serve(&format!("192.0.2.{n}:{port}"), move |_, stream| torment(stream, n % 3));
        }
    }
    let outcome = scan(&net, every_method()).await;
    for ip in &cameras {
        assert_eq!(outcome.device(ip).streams[0].status, StreamStatus::Streaming, "{ip}");
    }
    for n in 100..106 {
        let ip = format!("192.0.2.{n}");
        assert!(outcome.done(&ip) < Duration::from_secs(15), "{ip}: {:?}", outcome.done(&ip));
    }
    assert!(protocols(&outcome, CAMERA).contains(&Protocol::Rtsp), "{:#?}", outcome.device(CAMERA));
}

/// Says nothing, too much, or too little.
async fn torment(mut stream: DuplexStream, how: usize) {
    let (word, pause) = match how {
        0 => return drop(stream.read_to_end(&mut Vec::new()).await),
        1 => (&[b'a'; 4096][..], Duration::from_millis(10)),
        _ => (&b"a"[..], Duration::from_secs(1)),
    };
    while stream.write_all(word).await.is_ok() {
        tokio::time::sleep(pause).await;
    }
}
