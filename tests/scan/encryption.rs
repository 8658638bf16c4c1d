//! A password that its reader can use as it is (Basic) goes no way that is weaker than the one a device was known by.

use std::sync::{Arc, Mutex};

use camscan::model::{AuthScheme, Credential, Finding, FindingKind, MacAddr, Method, Report};
use camscan::testkit::net::{Asked, FakeNet, Kernel, Lan, RawFrames, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::rustls;

use super::identity::{self, LOGIN, camera, in_plain_text, login};
use super::servers::Camera;
use super::watch;

const IP: &str = "192.0.2.10";
const RTSPS: u16 = 322;
const DIGEST: &str = "Digest realm=\"camera\", nonce=\"8a7b\", qop=\"auth\"";
const BASIC: &str = "Basic realm=\"camera\"";

/// A certificate with its key, as it is shown in a handshake.
type Certificate = Arc<rustls::ServerConfig>;

fn certificate() -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let signed = rcgen::CertificateParams::new(vec!["camera.lan".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![signed.der().clone()], private).unwrap())
}

/// The requests that came by TLS.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// Those with a password that the server can use as it is.
    fn readable(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|request| request.contains("Authorization: Basic ")).count()
    }

    /// A stream by RTSP over TLS that demands a login and says no more about the stream.
    fn rtsps(net: &FakeNet, shown: &Certificate, challenge: &'static str) -> Heard {
        let heard = Heard::default();
        let (to, shown) = (heard.clone(), shown.clone());
        net.serve(&format!("{IP}:{RTSPS}"), move |_, stream| {
            let (to, acceptor) = (to.clone(), tokio_rustls::TlsAcceptor::from(shown.clone()));
            async move { _ = to.answer(acceptor, stream, challenge).await }
        });
        heard
    }

    async fn answer(
        &self,
        acceptor: tokio_rustls::TlsAcceptor,
        stream: DuplexStream,
        challenge: &str,
    ) -> std::io::Result<()> {
        let mut tls = acceptor.accept(stream).await?;
        let mut unread = Vec::new();
        loop {
            while !unread.windows(4).any(|end| end == b"\r\n\r\n") {
                if tls.read_buf(&mut unread).await? == 0 {
                    return Ok(());
                }
            }
            let request = String::from_utf8_lossy(&unread).into_owned();
            unread.clear();
            let cseq = request.lines().find(|line| line.starts_with("CSeq:")).unwrap_or("CSeq: 1");
            let status = match request.contains("Authorization: ") {
                true => "404 Not Found\r\n".to_owned(),
                false if request.starts_with("OPTIONS") => "200 OK\r\nPublic: OPTIONS, DESCRIBE\r\n".to_owned(),
                false => format!("401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\n"),
            };
            let answer = format!("RTSP/1.0 {status}{cseq}\r\n\r\n");
            self.0.lock().unwrap().push(request);
            tls.write_all(answer.as_bytes()).await?;
        }
    }
}

fn place() -> identity::Place {
    let mut place = identity::Place::new();
    place.ports = vec![RTSPS, 554];
    place
}

fn allowed() -> Credential {
    Credential { allow_basic: true, ..login() }
}

fn says(report: &Report, what: &str) -> bool {
    let text = serde_json::to_string(report).unwrap();
    assert!(!text.contains(LOGIN.1));
    text.contains(what)
}

#[tokio::test(start_paused = true)]
async fn a_device_that_took_logins_by_tls_alone_gets_no_password_in_plain_text_later() {
    let (place, shown) = (place(), certificate());
    let heard = Heard::rtsps(&place.net, &shown, BASIC);
    card(&place, 1);
    place.scan(login(), &[]).await;
    assert!(heard.readable() > 0);
    // A stream in plain text besides that one, or in its place.
    for stays in [true, false] {
        if !stays {
            place.net.host_down(IP);
        }
        camera(&place.net, IP, 1, false);
        for _ in 0..2 {
            place.net.forget_records();
            let report = place.scan(login(), &[]).await;
            assert!(place.net.asked().iter().any(|asked| asked.method() == "DESCRIBE"));
            assert_eq!(in_plain_text(&place.net.asked()), 0, "{stays}");
            assert!(says(&report, "took logins by TLS alone"), "{stays}");
        }
    }
    place.scan(allowed(), &[]).await;
    assert!(in_plain_text(&place.net.asked()) > 0);
}

/// A network in which the link shows no network card, as behind a router.
fn behind_a_router() -> identity::Place {
    let place = place();
    place.net.links.set_lan(Lan { raw: RawFrames::Denied, kernel: Kernel::Absent, ..Lan::default() });
    place
}

fn card(place: &identity::Place, last: u8) {
    place.net.links.mac(IP, MacAddr([0x44, 0x19, 0xb6, 0, 0, last]));
}

fn seen() -> [Finding; 1] {
    [Finding::new(IP.parse().unwrap(), FindingKind::Seen(Method::Tcp))]
}

#[tokio::test(start_paused = true)]
async fn a_server_with_another_certificate_reads_no_password_of_a_device_that_hid_it() {
    for (name, challenge, is_routed) in [
        ("Digest, behind a router", DIGEST, true),
        ("TLS alone, behind a router", BASIC, true),
        ("Digest, another card", DIGEST, false),
        ("TLS alone, another card", BASIC, false),
    ] {
        let (place, shown) = (if is_routed { behind_a_router() } else { place() }, certificate());
        Heard::rtsps(&place.net, &shown, challenge);
        if !is_routed {
            card(&place, 1);
        }
        place.scan(login(), &seen()).await;
        // Basic alone with its own certificate, behind which nothing but the device is.
        let own = Heard::rtsps(&place.net, &shown, BASIC);
        place.scan(login(), &seen()).await;
        assert!(own.readable() > 0, "{name}");
        // Another certificate, at the same address: once, and when it has been seen before.
        let other = Heard::rtsps(&place.net, &certificate(), BASIC);
        if !is_routed {
            card(&place, 2);
        }
        for _ in 0..3 {
            let report = place.scan(login(), &seen()).await;
            assert!(!other.0.lock().unwrap().is_empty(), "{name}");
            assert_eq!(other.readable(), 0, "{name}");
            assert!(says(&report, "another TLS certificate"), "{name}");
        }
        if is_routed {
            // A user takes it.
            let uid = place.store.memory().unwrap().find(IP).unwrap().uid.clone();
            place.store.update(|memory| (memory.confirm(&uid), Vec::new()), &()).unwrap();
            place.scan(login(), &seen()).await;
            assert!(other.readable() > 0, "{name}");
        }
    }
}

/// A device makes itself another certificate after an update.
#[tokio::test(start_paused = true)]
async fn another_certificate_of_the_same_network_card_is_taken_when_it_has_been_seen() {
    let place = place();
    Heard::rtsps(&place.net, &certificate(), BASIC);
    card(&place, 1);
    place.scan(login(), &[]).await;
    let newer = Heard::rtsps(&place.net, &certificate(), BASIC);
    card(&place, 1);
    place.scan(login(), &[]).await;
    assert_eq!(newer.readable(), 0);
    place.scan(login(), &[]).await;
    assert!(newer.readable() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_takes_passwords_in_plain_text_is_asked_as_before() {
    let place = behind_a_router();
    camera(&place.net, IP, 1, false);
    Heard::rtsps(&place.net, &certificate(), BASIC);
    place.scan(login(), &seen()).await;
    let other = Heard::rtsps(&place.net, &certificate(), BASIC);
    place.net.forget_records();
    place.scan(login(), &seen()).await;
    assert!(other.readable() > 0 && place.net.asked().iter().any(Asked::has_login));
}

/// A page without a login, and places beside it that demand Digest.
fn with_closed_places(net: &FakeNet) {
    net.answer(&format!("{IP}:80"), |asked| match asked.target() {
        "/" => Reply::text("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"),
        _ => {
            Reply::text(format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {DIGEST}\r\nContent-Length: 0\r\n\r\n"))
        }
    });
}

#[tokio::test(start_paused = true)]
async fn digest_is_remembered_wherever_it_was_met() {
    let place = identity::Place::new();
    camera(&place.net, IP, 1, false);
    with_closed_places(&place.net);
    Camera { login: None, ..Camera::new(IP) }.on(&place.net);
    let first = place.scan(login(), &[]).await;
    let device = first.devices.iter().find(|device| device.ip.to_string() == IP).unwrap();
    assert!(device.offers_digest);
    let named = |scheme: AuthScheme| device.services.iter().flat_map(|s| s.auth.iter().flatten()).any(|s| *s == scheme);
    assert!(!named(AuthScheme::Digest), "no service says so");
    place.net.host_down(IP);
    camera(&place.net, IP, 1, false);
    place.net.forget_records();
    for _ in 0..2 {
        place.scan(login(), &[]).await;
        assert!(place.net.asked().iter().any(|asked| asked.method() == "DESCRIBE"));
        assert_eq!(in_plain_text(&place.net.asked()), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn digest_that_a_check_alone_met_is_remembered() {
    let place = watch::Place::with(&[10], watch::job(&[LOGIN])).await;
    place.pass(20).await;
    let before = place.store.scans(9).unwrap().len();
    camera(&place.net, IP, 10, true);
    place.pass(20).await;
    assert!(place.net.asked().iter().any(Asked::has_login));
    camera(&place.net, IP, 10, false);
    place.net.forget_records();
    place.pass(20).await;
    assert!(place.net.asked().iter().any(|asked| asked.method() == "DESCRIBE"));
    assert_eq!((in_plain_text(&place.net.asked()), place.store.scans(9).unwrap().len()), (0, before));
    place.end().await;
}
