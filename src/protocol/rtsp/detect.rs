//! Asks an open port in RTSP, plain or inside TLS: OPTIONS, and DESCRIBE of `/` where that reveals more. Never logs in,
//! never sets a stream up.

use super::client::Client;
use super::error::RtspError;
use super::headers::RtspHeaders;
use super::wire::{Response, Spoken};
use crate::identify::ports;
use crate::identify::signature::Field;
use crate::model::{AuthScheme, ErrorKind, FindingKind, Protocol, Service, Stage, Transport};
use crate::net::tls::TlsInfo;
use crate::probe::{Detection, Detector, Inspection};
use crate::text;
use crate::wire::auth::Challenge;
use crate::wire::url::{Endpoint, Scheme};

/// The detector of RTSP and RTSPS.
pub const DETECTOR: Detector =
    Detector { stage: Stage::Rtsp, expects: is_expected, detect: |host, port| Box::pin(detect(host, port)) };

fn is_expected(port: u16) -> bool {
    ports::expects(port, Protocol::Rtsp) || ports::expects(port, Protocol::Rtsps)
}

async fn detect(host: &Inspection, port: u16) -> Detection {
    let tls_first = ports::is_tls_first(port);
    let first = match ask(host, Endpoint { port, tls: tls_first }).await {
        Ok(heard) => return heard,
        Err(error) => error,
    };
    if let Some(old) = first.old_tls
        && tls_first
        && ports::expects(port, Protocol::Rtsps)
    {
        let mut service = service(host, Endpoint::tls(port));
        service.notes.push(old.to_string());
        host.emit(FindingKind::Service(service)).await;
        host.error(Stage::Rtsp, first.kind, &first.message).await;
        return Detection::SpokenOverTls;
    }
    let other_may_do = match first.kind {
        ErrorKind::Tls | ErrorKind::Protocol | ErrorKind::Closed => true,
        // Silence costs as much again; that is spent only where RTSP is expected.
        ErrorKind::Timeout => is_expected(port) && first.step > crate::model::Step::Tcp,
        _ => false,
    };
    if other_may_do && !host.peer.is_over() {
        match ask(host, Endpoint { port, tls: !tls_first }).await {
            Ok(heard) => return heard,
            // The port is open: what it answered in plain text means more than a failed handshake.
            Err(error) if tls_first => return detection_of(host, port, &error),
            Err(_) => {}
        }
    }
    detection_of(host, port, &first)
}

/// What a failure means for the port; an error only where RTSP is expected and nothing else is spoken.
fn detection_of(host: &Inspection, port: u16, failed: &RtspError) -> Detection {
    if is_expected(port) && failed.kind != ErrorKind::Interrupted {
        host.peer.doubt(port, Stage::Rtsp, failed.kind, &failed.message);
    }
    match failed.kind {
        ErrorKind::Timeout => Detection::Silence,
        ErrorKind::Protocol | ErrorKind::TooLarge => Detection::Garbage,
        _ => Detection::Closed,
    }
}

/// Asks, and returns what came.
async fn ask(host: &Inspection, at: Endpoint) -> Result<Detection, RtspError> {
    let mut client = Client::new(&host.peer, at).without_login();
    let response = match client.options("/").await {
        Ok(response) => Some(response),
        // Some answer DESCRIBE alone; on a port where nothing speaks for RTSP that is not worth another wait.
        Err(error)
            if error.kind == ErrorKind::Timeout
                && error.step > crate::model::Step::Tls
                && is_expected(at.port)
                && !host.peer.is_over() =>
        {
            let answered = client.describe("/").await;
            if answered.as_ref().is_err_and(|e| e.status.is_none()) {
                return Err(error);
            }
            None
        }
        Err(error) => return Err(error),
    };
    let mut notes = Vec::new();
    if let Some(response) = &response {
        if response.spoken == Spoken::Http {
            if !is_rtsp_in_http(response) {
                return Ok(Detection::Other(Scheme::http(at.tls).protocol()));
            }
            notes.push("answers RTSP in HTTP".to_owned());
        }
        if matches!(response.status, 453 | 503) {
            notes.push(format!("was busy: {} {}", response.status, response.reason));
        }
    }
    let is_open = match &response {
        Some(response) if is_describe_worthwhile(&client, response) => client.describe("/").await.is_ok_and(|d| d.open),
        _ => false,
    };
    client.disconnect();
    emit(host, at, &mut client, is_open, notes).await;
    Ok(if at.tls { Detection::SpokenOverTls } else { Detection::Spoken })
}

/// Whether DESCRIBE can reveal more: not when the login is known already, nor when it is not offered, as loudspeakers do
/// not, nor when the device is busy.
fn is_describe_worthwhile(client: &Client, response: &Response) -> bool {
    let offered = client.public().is_empty() || client.public().iter().any(|m| m == "DESCRIBE");
    client.challenges().is_none() && offered && !matches!(response.status, 403 | 423 | 429 | 453 | 503)
}

/// An HTTP answer that only an RTSP server gives: RTSP's methods, or its tunnel through HTTP.
fn is_rtsp_in_http(response: &Response) -> bool {
    response.headers.methods().iter().any(|m| m == "DESCRIBE")
        || response.headers.content_type().is_some_and(|t| t == "application/x-rtsp-tunnelled")
}

async fn emit(host: &Inspection, at: Endpoint, client: &mut Client, is_open: bool, notes: Vec<String>) {
    let mut service = service(host, at);
    service.auth = client.auth_schemes().or_else(|| is_open.then(Vec::new));
    service.server = client.server().map(str::to_owned);
    service.realm = realm_of(client.challenges().unwrap_or_default());
    service.notes = notes;
    service.answers = client.transcript.take();
    if let Some(info) = client.tls_info().filter(|_| at.tls) {
        note_certificate(&mut service, info);
    }
    let heard = [
        (Field::RtspServer, service.server.clone()),
        (Field::RtspPublic, Some(client.public().join(", ")).filter(|p| !p.is_empty())),
        (Field::Realm, service.realm.clone()),
        (Field::Certificate, service.certificate.clone()),
    ];
    host.emit(FindingKind::Service(service)).await;
    for (field, text) in heard {
        if let Some(text) = text {
            host.match_signatures(field, &text).await;
        }
    }
}

fn service(host: &Inspection, at: Endpoint) -> Service {
    let mut service = Service::new(Scheme::rtsp(at.tls).protocol(), Transport::Tcp, at.port);
    service.url = Some(super::url::RtspUrl::new(host.peer.ip, at, "/").to_string());
    service
}

fn note_certificate(service: &mut Service, info: &TlsInfo) {
    service.certificate = info.subject.as_deref().and_then(text::clean_some);
    if info.subject.is_some() && info.subject == info.issuer {
        service.notes.push("self-signed certificate".to_owned());
    }
}

/// The realm of the login, that of Digest before others: Hikvision's Basic names `/`.
fn realm_of(challenges: &[Challenge]) -> Option<String> {
    let digest = challenges.iter().filter(|c| c.scheme == AuthScheme::Digest);
    digest.chain(challenges).find_map(Challenge::realm)
}

#[cfg(test)]
mod tests {
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
}
