use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::model::ProbeOptions;
use crate::probe::testing::services;
use crate::testkit::net::{FakeNet, Reply};

const AT: &str = "192.0.2.10:554";

async fn heard(net: &FakeNet, port: u16) -> (Detection, Vec<Service>) {
    let (host, mut said) = Inspection::for_test(net.clone(), "192.0.2.10", ProbeOptions::default());
    let heard = detect(&host, port).await;
    (heard, services(&mut said))
}

fn recorded(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Every recorded answer to OPTIONS, and what becomes of the port.
#[tokio::test(start_paused = true)]
async fn recorded_answers_become_services() {
    for (file, want, auth, realm) in [
        ("rtsp_status/options_405_dahua.txt", Detection::Spoken, None, None),
        ("rtsp_status/non_camera_shairport.txt", Detection::Spoken, None, None),
        ("rtsp_status/http_answer_h264dvr_tunnel.txt", Detection::Spoken, None, None),
        ("rtsp_status/http_501_axis.txt", Detection::Spoken, None, None),
        ("rtsp_status/453_one_more_client.txt", Detection::Spoken, None, None),
        ("rtsp_401/avtech_http_status_line_unclosed_quote.txt", Detection::Other(Protocol::Http), None, None),
        ("rtsp_401/no_challenge.txt", Detection::Spoken, Some(vec![AuthScheme::Other]), None),
        (
            "rtsp_401/hikvision_old_basic_realm_slash.txt",
            Detection::Spoken,
            Some(vec![AuthScheme::Digest, AuthScheme::Basic]),
            Some("Hikvision"),
        ),
    ] {
        let net = FakeNet::new();
        let bytes = recorded(file);
        net.answer(AT, move |_| Reply::Bytes(bytes.clone()));
        let (heard, services) = heard(&net, 554).await;
        assert_eq!(heard, want, "{file}");
        assert_eq!(services.len(), usize::from(want == Detection::Spoken), "{file}");
        for service in services {
            assert_eq!((service.auth, service.realm.as_deref()), (auth.clone(), realm), "{file}");
            assert_eq!(service.notes.is_empty(), !file.contains("http_") && !file.contains("453"), "{file}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn describe_is_asked_only_where_it_tells_more() {
    let net = FakeNet::new();
    let log = net.answer(AT, |asked| {
        let demands = asked.method() == "DESCRIBE";
        Reply::text(match demands {
            true => "RTSP/1.0 401 No\r\nWWW-Authenticate: Digest realm=\"AXIS_00408C123456\", nonce=\"1\"\r\n\r\n",
            false => "RTSP/1.0 200 OK\r\nPublic: OPTIONS, DESCRIBE\r\nServer: Cam \x1b[31m1\r\n\r\n",
        })
    });
    let (heard, found) = self::heard(&net, 554).await;
    assert_eq!((heard, log.methods()), (Detection::Spoken, vec!["0 OPTIONS".to_owned(), "0 DESCRIBE".to_owned()]));
    assert_eq!(found[0].realm.as_deref(), Some("AXIS_00408C123456"));
    assert_eq!(found[0].server.as_deref(), Some("Cam 1"));
    assert_eq!(found[0].url.as_deref(), Some("rtsp://192.0.2.10:554/"));

    let net = FakeNet::new();
    let log = net.answer(AT, |_| Reply::text("RTSP/1.0 200 OK\r\nPublic: ANNOUNCE, SETUP, RECORD\r\n\r\n"));
    self::heard(&net, 554).await;
    assert_eq!(log.methods(), ["0 OPTIONS"]);
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_at_the_root_is_seen() {
    let net = FakeNet::new();
    net.answer(AT, |asked| {
        let body = if asked.method() == "DESCRIBE" { "v=0\r\nm=video 0 RTP/AVP 96\r\n" } else { "" };
        Reply::text(format!("RTSP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    });
    assert_eq!(heard(&net, 554).await.1[0].auth, Some(vec![]));
}

/// Answers a ClientHello with alert 70, protocol_version, of TLS 1.0.
#[tokio::test(start_paused = true)]
async fn a_server_of_old_tls_is_named() {
    let net = FakeNet::new();
    net.serve("192.0.2.10:322", |_, mut stream| async move {
        let _ = stream.read(&mut [0; 2048]).await;
        let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, 70]).await;
        let _ = stream.read(&mut [0; 2048]).await;
    });
    let (heard, services) = heard(&net, 322).await;
    assert_eq!(heard, Detection::SpokenOverTls);
    assert_eq!(services[0].notes, ["speaks only TLS 1.0, which this build does not read"]);
}

#[tokio::test(start_paused = true)]
async fn silence_garbage_and_closed_are_told_apart() {
    let net = FakeNet::new();
    net.answer(AT, |_| Reply::Silence);
    net.serve("192.0.2.10:22", |_, mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0-dropbear\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    net.serve("192.0.2.10:23", |_, _| async {});
    for (port, want) in
        [(554, Detection::Silence), (22, Detection::Garbage), (23, Detection::Closed), (24, Detection::Closed)]
    {
        let (heard, services) = heard(&net, port).await;
        assert_eq!((heard, services.len()), (want, 0), "{port}");
    }
}

/// A camera that answers nothing but DESCRIBE is found where RTSP is expected.
#[tokio::test(start_paused = true)]
async fn a_device_deaf_to_options_is_found() {
    let net = FakeNet::new();
    net.answer(AT, |asked| match asked.method() {
        "DESCRIBE" => Reply::text("RTSP/1.0 404 Not Found\r\nServer: Deaf\r\n\r\n"),
        _ => Reply::Silence,
    });
    let (heard, services) = heard(&net, 554).await;
    assert_eq!((heard, services[0].server.as_deref()), (Detection::Spoken, Some("Deaf")));
}

/// A SIP server closes what is not SIP, and leaves a TLS handshake without an answer: that is waited for once.
#[tokio::test(start_paused = true)]
async fn a_handshake_nobody_answers_is_waited_for_once() {
    let net = FakeNet::new();
    net.serve(AT, |_, mut stream| async move {
        let mut first = [0u8; 1];
        let _ = stream.read(&mut first).await;
        if first[0] == 0x16 {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let (host, _said) = Inspection::for_test(net, "192.0.2.10", ProbeOptions::default());
    let began = tokio::time::Instant::now();
    assert_eq!(detect(&host, 554).await, Detection::Closed);
    assert!(host.peer.connect_tls(554).await.is_err());
    assert!(began.elapsed() <= host.options.request_timeout + std::time::Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn tls_is_asked_where_it_belongs() {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let net = FakeNet::new();
    for port in [322, 554] {
        let seen = seen.clone();
        net.serve(&format!("192.0.2.10:{port}"), move |_, mut stream| {
            let seen = seen.clone();
            async move {
                let mut first = [0u8; 1];
                let _ = stream.read(&mut first).await;
                seen.lock().unwrap().push((port, first[0]));
            }
        });
    }
    heard(&net, 322).await;
    heard(&net, 554).await;
    // 0x16 begins a TLS handshake, "O" an OPTIONS. Closed without an answer, each port is asked the other way.
    let tls: Vec<(u16, bool)> = seen.lock().unwrap().iter().map(|&(port, byte)| (port, byte == 0x16)).collect();
    assert_eq!(tls.first(), Some(&(322, true)));
    assert!(tls.contains(&(322, false)) && tls.contains(&(554, true)));
    assert_eq!(tls.iter().find(|(port, _)| *port == 554), Some(&(554, false)));
}
