use super::*;
use crate::model::{Finding, ProbeOptions};
use crate::net::fake::{FakeNet, Reply};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::Receiver;

const IP: &str = "192.0.2.10";

async fn detect(net: &std::sync::Arc<FakeNet>, port: u16) -> (Heard, Vec<FindingKind>) {
    let options = ProbeOptions { ports: vec![80, 443], ..ProbeOptions::default() };
    let (host, said) = HostContext::for_test(net.clone(), IP, options);
    let heard = HttpDetector.detect(&host, port).await;
    (heard, drain(said))
}

fn drain(mut said: Receiver<Finding>) -> Vec<FindingKind> {
    std::iter::from_fn(|| said.try_recv().ok()).map(|finding| finding.kind).collect()
}

fn services(said: &[FindingKind]) -> Vec<&Service> {
    said.iter().filter_map(|k| if let FindingKind::Service(s) = k { Some(s) } else { None }).collect()
}

fn serve(net: &std::sync::Arc<FakeNet>, port: u16, answer: &'static str) {
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
    assert_eq!(heard, Heard::Spoken);
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
        ("RTSP/1.0 400 Bad Request\r\nServer: x\r\n\r\n", Heard::Other(Protocol::Rtsp)),
        ("SSH-2.0-dropbear\r\n", Heard::Garbage),
        ("220 ftp ready\r\n", Heard::Garbage),
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
    assert_eq!(detect(&net, 37777).await.0, Heard::Silence);
    assert_eq!(net.connections(&format!("{IP}:37777")), 1);
    assert_eq!(detect(&net, 81).await.0, Heard::Closed);
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
    assert_eq!(heard, Heard::Spoken);
    let found = services(&said);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].port, found[0].server.as_deref()), (80, Some("App-webs/")));
    assert!(found[0].notes.iter().any(|n| n.contains("https://192.0.2.10/")), "{:?}", found[0].notes);
}

/// Answers a ClientHello the way servers do that know nothing newer than TLS 1.1: alert 70, protocol_version.
#[tokio::test(start_paused = true)]
async fn old_tls_is_named() {
    for (port, alert, words) in [(443, 70, "TLS 1.0 or 1.1"), (8443, 40, "old ciphers")] {
        let net = FakeNet::new();
        net.serve(&format!("{IP}:{port}"), move |_, mut stream| async move {
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 2048]).await;
            let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, alert]).await;
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 2048]).await;
        });
        let (heard, said) = detect(&net, port).await;
        assert_eq!(heard, Heard::SpokenOverTls);
        assert!(services(&said)[0].notes[0].contains(words));
        assert!(said.iter().any(|k| matches!(k, FindingKind::Error(e) if e.kind == ErrorKind::Tls)));
    }
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_found_on_a_tls_port() {
    let net = FakeNet::new();
    serve(&net, 8443, "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0\r\n\r\n");
    let (heard, said) = detect(&net, 8443).await;
    assert_eq!(heard, Heard::Spoken);
    assert_eq!(services(&said)[0].protocol, Protocol::Http);
}

#[test]
fn icons_are_told_by_their_bytes() {
    assert!(is_image(b"\x00\x00\x01\x00rest") && is_image(b"<?xml?><svg/>") && is_image(b"\x89PNG"));
    assert!(!is_image(b"<html>login</html>") && !is_image(b""));
}

/// A camera's own certificate, TLS 1.3 and 1.2.
async fn serve_tls(mut stream: tokio::io::DuplexStream, answer: &'static [u8]) {
    let key = rcgen::generate_simple_self_signed(vec!["axis-accc8e000001".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()).into();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)
        .unwrap();
    let Ok(mut tls) = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config)).accept(&mut stream).await else {
        // As rustls does, an alert goes out before the connection closes.
        return;
    };
    let _ = tokio::io::AsyncReadExt::read(&mut tls, &mut [0; 2048]).await;
    let _ = tls.write_all(answer).await;
    let _ = tls.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_page_inside_tls_is_found_on_any_port_with_its_certificate() {
    for port in [443, 8099] {
        let net = FakeNet::new();
        net.serve(&format!("{IP}:{port}"), |_, stream| {
            serve_tls(stream, b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 20\r\n\r\n<title>Cam</title>..")
        });
        let (heard, said) = detect(&net, port).await;
        assert_eq!(heard, Heard::SpokenOverTls);
        let service = services(&said)[0];
        assert_eq!((service.protocol, service.title.as_deref()), (Protocol::Https, Some("Cam")));
        assert!(service.certificate.as_deref().unwrap().contains("CN="), "{:?}", service.certificate);
    }
}
