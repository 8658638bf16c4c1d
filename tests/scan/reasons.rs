//! Why there is no stream, and why nothing was learnt of an open port, is always said.

use std::time::Duration;

use camscan::model::{Device, ErrorKind, ProbeOptions, ScanPlan, StreamStatus};
use camscan::testkit::net::{FakeNet, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::servers::{http, pages};
use super::{Outcome, look_at, plan};

const IP: &str = "192.0.2.10";

async fn scan_of(net: &FakeNet, ports: &[u16]) -> Outcome {
    let probe = ProbeOptions { ports: ports.to_vec(), ..plan().probe };
    look_at(net, ScanPlan { probe, ..plan() }, &[IP.to_owned()]).await
}

/// The errors that speak of a port, by kind and words.
fn errors(device: &Device, port: u16) -> Vec<(ErrorKind, &str)> {
    let of_port = |text: &str| text.contains(&format!("port {port}")) || text.contains(&format!(":{port}"));
    device.errors.iter().filter(|e| of_port(&e.message)).map(|e| (e.kind, e.message.as_str())).collect()
}

/// An RTSP server that answers OPTIONS, and what it answers to all else.
fn rtsp(net: &FakeNet, other: impl Fn(&str) -> Option<String> + Send + Sync + 'static) {
    net.answer(&format!("{IP}:554"), move |asked| {
        let answer = match asked.method() {
            "OPTIONS" => Some("200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN".to_owned()),
            _ => other(&asked.text),
        };
        let cseq = asked.header("CSeq").unwrap_or("1");
        answer.map_or(Reply::Silence, |answer| Reply::text(format!("RTSP/1.0 {answer}\r\nCSeq: {cseq}\r\n\r\n")))
    });
}

#[tokio::test(start_paused = true)]
async fn why_an_rtsp_server_has_no_stream_is_said() {
    for (answer, kind, words) in [
        (None, ErrorKind::Timeout, "no answer in time"),
        (Some("302 Moved\r\nLocation: rtsp://203.0.113.9/live"), ErrorKind::Redirect, "redirected off the host"),
        (Some("500 Internal Server Error"), ErrorKind::Device, "500 Internal Server Error"),
        (Some("404 Not Found"), ErrorKind::NotFound, "none is a stream"),
    ] {
        let net = FakeNet::subnet();
        rtsp(&net, move |_| answer.map(str::to_owned));
        let outcome = scan_of(&net, &[554]).await;
        let device = outcome.device(IP);
        assert_eq!(device.streams, [], "{answer:?}");
        let said = errors(device, 554);
        let [(is, message)] = said[..] else { panic!("{answer:?}: {said:?}") };
        assert_eq!(is, kind, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

/// Half an answer to OPTIONS, and then nothing more or the end of the connection.
#[tokio::test(start_paused = true)]
async fn an_answer_broken_off_half_is_said() {
    for closes in [true, false] {
        let net = FakeNet::subnet();
        net.serve(&format!("{IP}:554"), move |_, mut stream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nConte").await;
            if !closes {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        });
        let outcome = scan_of(&net, &[554]).await;
        assert!(!errors(outcome.device(IP), 554).is_empty(), "{:?}", outcome.device(IP));
    }
}

#[tokio::test(start_paused = true)]
async fn why_nothing_was_learnt_of_an_open_port_is_said() {
    let net = FakeNet::subnet();
    for port in [80, 554, 8080, 8554, 1935, 37777] {
        net.serve(&format!("{IP}:{port}"), move |_, mut stream| async move {
            let mut question = [0; 4096];
            match port {
                80 | 37777 => while matches!(stream.read(&mut question).await, Ok(1..)) {},
                554 | 8080 => {
                    let _ = stream.read(&mut question).await;
                }
                _ => {
                    let _ = stream.write_all(b"SSH-2.0-x\r\n").await;
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
            }
        });
    }
    let outcome = scan_of(&net, &[80, 554, 8080, 8554, 1935, 37777]).await;
    let device = outcome.device(IP);
    assert_eq!(device.services, []);
    for (port, kind) in [
        (80, ErrorKind::Timeout),
        (554, ErrorKind::Closed),
        (8080, ErrorKind::Closed),
        (8554, ErrorKind::Protocol),
        // It greets, and says nothing more to whatever it is asked.
        (1935, ErrorKind::Timeout),
    ] {
        assert!(errors(device, port).iter().any(|(is, _)| *is == kind), "{port}: {:?}", device.errors);
    }
    assert_eq!(errors(device, 37777), [], "a maker's own protocol is expected there");
}

/// LIVE555's port for RTSP over HTTP: 405, no length, and the connection stays open. It cost 29 of the host's 30 seconds.
#[tokio::test(start_paused = true)]
async fn a_refusal_without_end_costs_little_and_the_camera_beside_it_is_found() {
    let net = FakeNet::subnet();
    super::servers::Camera::new(IP).on(&net);
    let before = {
        let outcome = scan_of(&net, &[554]).await;
        outcome.took
    };
    net.serve(&format!("{IP}:80"), |_, mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.0 405 Method Not Allowed\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let outcome = scan_of(&net, &[554, 80]).await;
    let device = outcome.device(IP);
    assert_eq!(device.streams[0].status, StreamStatus::Streaming);
    assert!(device.services.iter().any(|s| s.port == 80), "{:?}", device.services);
    let costs = outcome.took.saturating_sub(before);
    println!("costs {costs:?}");
    assert!(costs <= Duration::from_secs(3), "{costs:?}");
}

/// A web server on the port of Hikvision's SDK, and an RTSP server that offers what LIVE555 offers: nothing of a camera.
#[tokio::test(start_paused = true)]
async fn a_file_server_is_no_camera() {
    let net = FakeNet::subnet();
    let stock = "200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, TEARDOWN, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER";
    net.answer(&format!("{IP}:554"), move |asked| {
        let answer = if asked.method() == "OPTIONS" { stock } else { "404 File Not Found, Or In Incorrect Format" };
        Reply::text(format!("RTSP/1.0 {answer}\r\nCSeq: {}\r\n\r\n", asked.header("CSeq").unwrap_or("1")))
    });
    pages(&net, &format!("{IP}:8000"), |_| http("405 Method Not Allowed", "", ""));
    let outcome = scan_of(&net, &[554, 8000]).await;
    let device = outcome.device(IP);
    assert_eq!((device.kind, device.confidence), (camscan::model::Kind::Other, 0.0), "{:?}", device.evidence);
    assert_eq!(device.vendor, None);
    // It is listed all the same: an RTSP server may be a camera whose stream has a name of its own.
    let listed = look_at(&net, ScanPlan { all: false, ..plan() }, &[IP.to_owned()]).await;
    assert_eq!(listed.report.devices.len(), 1);
}
