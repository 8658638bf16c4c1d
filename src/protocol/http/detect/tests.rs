use super::*;
use crate::model::ProbeOptions;
use crate::net::tls::testing::certificate;
use crate::probe::testing::kinds;
use crate::testkit::net::{FakeNet, Reply};
use tokio::io::AsyncWriteExt;

const IP: &str = "192.0.2.10";

async fn detect(net: &FakeNet, port: u16) -> (Detection, Vec<FindingKind>) {
    let options = ProbeOptions { ports: vec![80, 443], ..ProbeOptions::default() };
    let (host, mut said) = Inspection::for_test(net.clone(), IP, options);
    let heard = super::detect(&host, port).await;
    (heard, kinds(&mut said))
}

fn services(said: &[FindingKind]) -> Vec<&Service> {
    said.iter().filter_map(|k| if let FindingKind::Service(s) = k { Some(s) } else { None }).collect()
}

fn serve(net: &FakeNet, port: u16, answer: &'static str) {
    net.answer(&format!("{IP}:{port}"), move |asked| {
        Reply::Last(match asked.target() {
            "/" => answer.as_bytes().to_vec(),
            _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        })
    });
}

#[tokio::test(start_paused = true)]
async fn a_page_is_described() {
    let net = FakeNet::new();
    serve(&net, 80, "HTTP/1.1 200 OK\r\nServer: Boa/0.94\u{1b}[31m\r\n\r\n<title>IP\nCAM</title><input type=password>");
    let (heard, said) = detect(&net, 80).await;
    assert_eq!(heard, Detection::Spoken);
    let service = services(&said)[0];
    assert_eq!((service.protocol, service.port), (Protocol::Http, 80));
    assert_eq!(service.server.as_deref(), Some("Boa/0.94"));
    assert_eq!(service.title.as_deref(), Some("IP CAM"));
    assert_eq!(service.auth, Some(vec![AuthScheme::Other]));
    assert_eq!(service.url.as_deref(), Some("http://192.0.2.10:80/"));
}

#[tokio::test(start_paused = true)]
async fn a_login_names_realm_and_schemes() {
    let net = FakeNet::new();
    serve(
        &net,
        8080,
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"DCS-932L\", nonce=\"1\"\r\n\
         WWW-Authenticate: Basic realm=\"DCS-932L\"\r\n\r\n<title>401</title>",
    );
    let (_, said) = detect(&net, 8080).await;
    let service = services(&said)[0];
    assert_eq!(service.realm.as_deref(), Some("DCS-932L"));
    assert_eq!(service.auth, Some(vec![AuthScheme::Digest, AuthScheme::Basic]));
    assert_eq!(service.title, None);
}

#[tokio::test(start_paused = true)]
async fn other_protocols_are_not_taken_for_http() {
    for (greeting, heard) in [
        ("RTSP/1.0 400 Bad Request\r\nServer: x\r\n\r\n", Detection::Other(Protocol::Rtsp)),
        ("SSH-2.0-dropbear\r\n", Detection::Garbage),
        ("220 ftp ready\r\n", Detection::Garbage),
    ] {
        let net = FakeNet::new();
        net.serve(&format!("{IP}:8080"), move |_, mut stream| async move {
            let _ = stream.write_all(greeting.as_bytes()).await;
        });
        let (got, said) = detect(&net, 8080).await;
        assert_eq!((got, services(&said).len()), (heard, 0), "{greeting}");
    }
    let net = FakeNet::new();
    net.serve(&format!("{IP}:37777"), |_, stream| async move {
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        drop(stream);
    });
    assert_eq!(detect(&net, 37777).await.0, Detection::Silence);
    assert_eq!(net.connections(&format!("{IP}:37777")), 1);
    assert_eq!(detect(&net, 81).await.0, Detection::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_to_a_port_asked_by_itself_is_only_noted() {
    let net = FakeNet::new();
    serve(
        &net,
        80,
        "HTTP/1.1 302 Found\r\nServer: App-webs/\r\nLocation: https://192.0.2.10/\r\nContent-Length: 0\r\n\r\n",
    );
    let (heard, said) = detect(&net, 80).await;
    assert_eq!(heard, Detection::Spoken);
    let found = services(&said);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].port, found[0].server.as_deref()), (80, Some("App-webs/")));
    assert!(found[0].notes.iter().any(|n| n.contains("https://192.0.2.10/")), "{:?}", found[0].notes);
}

/// Answers a ClientHello the way servers do that know nothing newer than TLS 1.1: alert 70, protocol_version.
#[tokio::test(start_paused = true)]
async fn old_tls_is_named() {
    for (port, alert, words) in [
        (443, 70, "speaks only TLS 1.0, which this build does not read"),
        (8443, 40, "speaks only TLS 1.0 or ciphers of its time, which this build does not read"),
        (8080, 70, "speaks only TLS 1.0, which this build does not read"),
    ] {
        let net = FakeNet::new();
        net.serve(&format!("{IP}:{port}"), move |_, mut stream| async move {
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 2048]).await;
            let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, alert]).await;
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 2048]).await;
        });
        let (heard, said) = detect(&net, port).await;
        assert_eq!(heard, Detection::SpokenOverTls);
        assert_eq!(services(&said)[0].notes, [words]);
        assert!(said.iter().any(|k| matches!(k, FindingKind::Error(e) if e.kind == ErrorKind::Tls)));
    }
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_found_on_a_tls_port() {
    let net = FakeNet::new();
    serve(&net, 8443, "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0\r\n\r\n");
    let (heard, said) = detect(&net, 8443).await;
    assert_eq!(heard, Detection::Spoken);
    assert_eq!(services(&said)[0].protocol, Protocol::Http);
}

#[test]
fn icons_are_told_by_their_bytes() {
    assert!(is_image(b"\x00\x00\x01\x00rest") && is_image(b"<?xml?><svg/>") && is_image(b"\x89PNG"));
    assert!(!is_image(b"<html>login</html>") && !is_image(b""));
}

/// A page inside TLS, of a camera that shows this certificate.
async fn serve_tls(
    stream: tokio::io::DuplexStream,
    shown: (rcgen::Certificate, rcgen::KeyPair),
    answer: &'static [u8],
) -> Option<()> {
    let mut tls = crate::net::tls::testing::accept_as(stream, shown, rustls::ALL_VERSIONS).await?;
    tokio::io::AsyncReadExt::read(&mut tls, &mut [0; 2048]).await.ok()?;
    tls.write_all(answer).await.ok()?;
    tls.shutdown().await.ok()
}

#[tokio::test(start_paused = true)]
async fn a_page_inside_tls_is_found_on_any_port_with_its_certificate() {
    for port in [443, 8099] {
        let net = FakeNet::new();
        net.serve(&format!("{IP}:{port}"), |_, stream| {
            let shown = certificate("axis-accc8e000001", &[], 2099);
            let page = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 20\r\n\r\n<title>Cam</title>..";
            async { _ = serve_tls(stream, shown, page).await }
        });
        let (heard, said) = detect(&net, port).await;
        assert_eq!(heard, Detection::SpokenOverTls);
        let service = services(&said)[0];
        assert_eq!((service.protocol, service.title.as_deref()), (Protocol::Https, Some("Cam")));
        assert_eq!((service.certificate.as_deref(), &service.notes[..]), (Some("CN=axis-accc8e000001"), &[][..]));
    }
}

/// A certificate without a subject that ended long ago and is for other names: who is meant is told all the same.
#[tokio::test(start_paused = true)]
async fn a_certificate_is_evidence_by_its_names_and_noted_when_it_has_ended() {
    let net = FakeNet::new();
    net.serve(&format!("{IP}:443"), |_, stream| {
        let shown = certificate("", &["axis-accc8e000001", "AVIGILON-CAMERA-5.0-H3-DP1-1242900"], 2015);
        async { _ = serve_tls(stream, shown, b"HTTP/1.0 200 OK\r\n\r\n").await }
    });
    let (mut host, mut said) = Inspection::for_test(net, IP, ProbeOptions::default());
    host.signatures = crate::identify::signature::Signatures::builtin();
    super::detect(&host, 443).await;
    let said = kinds(&mut said);
    let service = services(&said)[0];
    assert_eq!(service.certificate.as_deref(), Some("CN=axis-accc8e000001"));
    assert_eq!(service.notes, ["its certificate ended on 2015-06-01"]);
    for vendor in ["Axis", "Avigilon"] {
        assert!(said.iter().any(|k| matches!(k, FindingKind::Evidence(e) if e.value == vendor)), "{said:?}");
    }
}

/// Whether a certificate has ended is decided by the clock of the inspection, whatever the time of this machine is.
#[tokio::test(start_paused = true)]
async fn a_certificate_has_ended_by_the_clock_of_the_inspection() {
    let clocks: [(crate::probe::peer::Clock, i32, &[&str]); 4] = [
        (|| "2015-05-31T00:00:00Z".parse().unwrap(), 2015, &[]),
        (|| "2015-06-02T00:00:00Z".parse().unwrap(), 2015, &["its certificate ended on 2015-06-01"]),
        (|| "2099-05-31T00:00:00Z".parse().unwrap(), 2099, &[]),
        (|| "2099-06-02T00:00:00Z".parse().unwrap(), 2099, &["its certificate ended on 2099-06-01"]),
    ];
    for (clock, until, notes) in clocks {
        let net = FakeNet::new();
        net.serve(&format!("{IP}:443"), move |_, stream| {
            let shown = certificate("camera", &[], until);
            async { _ = serve_tls(stream, shown, b"HTTP/1.0 200 OK\r\n\r\n").await }
        });
        let (mut host, mut said) = Inspection::for_test(net, IP, ProbeOptions::default());
        host.peer.clock = clock;
        super::detect(&host, 443).await;
        let said = kinds(&mut said);
        assert_eq!(services(&said)[0].notes, notes, "at {}", clock());
    }
}

#[tokio::test(start_paused = true)]
async fn playlists_and_manifests_of_a_page_are_hinted_at_the_host() {
    let net = FakeNet::new();
    serve(
        &net,
        80,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<video src='http://10.0.0.5:8888/a/index.m3u8'></video>\
         <script>dash('live/b.mpd?x=1')</script><a href='https://video.example.org/c.m3u8'>",
    );
    let (_, said) = detect(&net, 80).await;
    let hints: Vec<_> = said
        .iter()
        .filter_map(|k| if let FindingKind::StreamHint(h) = k { Some(h.url.as_str()) } else { None })
        .collect();
    assert_eq!(hints, ["http://192.0.2.10:8888/a/index.m3u8", "http://192.0.2.10:80/live/b.mpd?x=1"]);
}
