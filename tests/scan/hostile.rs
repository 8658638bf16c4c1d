//! Hosts that mean harm, each among ordinary cameras: the scan ends in time, and what it says of the cameras is what it
//! says without them, at the moment it says it without them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use camscan::export::{self, FORMATS, Options};
use camscan::model::{Device, MacAddr, Method, ProbeOptions, Report, ScanEvent, ScanPlan, StreamStatus};
use camscan::protocol::mdns::wire::{self as mdns, Data, Message, Name, Record};
use camscan::testkit::net::{Asked, FakeNet};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::servers::{Camera, http, pages};
use super::{Outcome, look_at, plan, scan};

/// Where the hostile host is.
pub(super) const EVIL: &str = "192.0.2.66";

pub(super) const CAMERAS: [&str; 3] = ["192.0.2.10", "192.0.2.65", "192.0.2.200"];

pub(super) fn neighbourhood() -> FakeNet {
    let net = FakeNet::subnet();
    for ip in CAMERAS {
        Camera::new(ip).on(&net);
        pages(&net, &format!("{ip}:80"), |_| http("200 OK", "Server: App-webs/\r\n", "<title>Camera</title>"));
    }
    net
}

pub(super) fn all_methods() -> ScanPlan {
    ScanPlan { methods: Method::ALL.to_vec(), ..plan() }
}

/// Scans with the hostile host and without it, and compares.
pub(super) async fn among_cameras(plan: ScanPlan, evil: impl FnOnce(&FakeNet)) -> Outcome {
    fastrand::seed(1);
    let without = scan(&neighbourhood(), plan.clone()).await;
    fastrand::seed(1);
    let net = neighbourhood();
    evil(&net);
    let most = plan.discovery_time + plan.probe.host_timeout + Duration::from_secs(3);
    let with = scan(&net, plan).await;
    for ip in CAMERAS {
        assert_eq!(with.device(ip), without.device(ip), "{ip} is told differently");
        assert_eq!(with.device(ip).streams[0].status, StreamStatus::Streaming);
        let later = with.done(ip).saturating_sub(without.done(ip));
        assert!(later <= Duration::from_millis(200), "{ip} is done {later:?} later");
    }
    assert!(with.took <= most, "{:?}", with.took);
    with
}

/// All three ports of the plan are served by the same server.
pub(super) async fn server<F, Fut>(server: F) -> Outcome
where
    F: Fn(DuplexStream) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    among_cameras(plan(), |net| {
        for port in [554, 80, 8080] {
            let server = server.clone();
            net.serve(&format!("{EVIL}:{port}"), move |_, stream| server(stream));
        }
    })
    .await
}

pub(super) async fn page(answer: impl Fn(&Asked) -> Vec<u8> + Clone + Send + Sync + 'static) -> Outcome {
    among_cameras(plan(), |net| {
        for port in [554, 80, 8080] {
            pages(net, &format!("{EVIL}:{port}"), answer.clone());
        }
    })
    .await
}

/// Writes for ever.
pub(super) async fn flood(mut stream: DuplexStream, head: &[u8], again: &[u8]) {
    let mut question = [0; 4096];
    let _ = stream.read(&mut question).await;
    if stream.write_all(head).await.is_ok() {
        while stream.write_all(again).await.is_ok() {
            // The clock moves only while everybody waits.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn accepts_and_never_speaks() {
    server(|stream| async move {
        let _open = stream;
        futures::future::pending::<()>().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_byte_a_second() {
    server(|mut stream| async move {
        for byte in b"HTTP/1.1 200 OK\r\nServer: slow\r\n\r\n".iter().cycle() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn random_bytes() {
    server(|stream| async move {
        let noise: Vec<u8> = (0..20_000).map(|_| fastrand::u8(..)).collect();
        flood(stream, &noise, &[]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_without_end() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>x",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    ] {
        server(move |stream| async move {
            flood(stream, head.as_bytes(), &b"1000\r\n".iter().copied().cycle().take(8192).collect::<Vec<u8>>()).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn headers_without_end() {
    for head in ["RTSP/1.0 200 OK\r\nCSeq: 1\r\n", "HTTP/1.1 200 OK\r\n", "RTSP/1.0 200 OK\r\nX: "] {
        let again = if head.ends_with(' ') { "a".repeat(4096) } else { "X-Header: value of a header\r\n".repeat(100) };
        server(move |stream| {
            let again = again.clone();
            async move { flood(stream, head.as_bytes(), again.as_bytes()).await }
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn parts_without_end() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n";
    let many = "Content-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n\r\n--b\r\n".repeat(50);
    for again in [many, "x".repeat(8192), "A: b\r\n".repeat(1000)] {
        server(move |stream| {
            let again = again.clone();
            async move { flood(stream, head.as_bytes(), again.as_bytes()).await }
        })
        .await;
    }
}

/// What comes in place of an answer, without end and without a pause.
#[tokio::test(start_paused = true)]
async fn talk_instead_of_an_answer() {
    for (head, again) in [
        ("", "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        ("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "RTSP/1.0 100 Continue\r\n\r\n"),
        ("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "$\0\0\x04abcd"),
    ] {
        let again = again.repeat(500);
        server(move |mut stream| {
            let again = again.clone();
            async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(again.as_bytes()).await.is_ok() {}
            }
        })
        .await;
    }
}

/// A picture of 640 × 480 that weighs so many bytes.
fn heavy_picture(bytes: usize) -> Vec<u8> {
    let image = include_bytes!("../data/media/camera_640x480_1.jpg");
    let comment = [&[0xff, 0xfe, 0xff, 0xff][..], &[0; 65_533]].concat();
    [&image[..2], &comment.repeat(bytes / comment.len()), &image[2..]].concat()
}

/// Pictures without end of 40 hosts at once: what all of them together make us hold is bounded, and a camera beside them
/// whose pictures are large gets its turn.
#[tokio::test(start_paused = true)]
async fn pictures_without_end_of_many_hosts() {
    /// Bytes taken of connections that are open: of all, and the most there were.
    type Taken = Arc<std::sync::Mutex<(usize, usize)>>;
    const MIB: usize = 1 << 20;
    let net = FakeNet::subnet();
    let page = || http("200 OK", "Server: uc-httpd 1.0.0\r\n", "<img src=/video.mjpg>");
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n\r\n";
    let taken = Taken::default();
    let camera = "192.0.2.200";
    let hosts: Vec<String> = (2..42).map(|n| format!("192.0.2.{n}")).chain([camera.to_owned()]).collect();
    for ip in &hosts {
        let (is_camera, taken) = (ip == camera, taken.clone());
        net.serve(&format!("{ip}:80"), move |_, mut stream| {
            let taken = taken.clone();
            async move {
                let mut question = vec![0; 4096];
                let length = stream.read(&mut question).await.unwrap_or(0);
                if !question[..length].starts_with(b"GET /video.mjpg ") {
                    let missing = http("404 Not Found", "", "");
                    let answer = if question[..length].starts_with(b"GET / ") { page() } else { missing };
                    let _ = stream.write_all(&answer).await;
                    return;
                }
                let _ = stream.write_all(head).await;
                let picture = match is_camera {
                    true => [heavy_picture(700_000), b"\r\n--b\r\n\r\n".to_vec()].concat(),
                    false => [&[0xff, 0xd8, 0xff, 0xe0][..], &[0; 100_000]].concat(),
                };
                let (mut here, mut rest) = (0, &picture[..]);
                while stream.write_all(&rest[..rest.len().min(MIB / 4)]).await.is_ok() {
                    let length = rest.len().min(MIB / 4);
                    rest = if length < rest.len() {
                        &rest[length..]
                    } else if is_camera {
                        &picture
                    } else {
                        &picture[4..]
                    };
                    if !is_camera {
                        here += length;
                        let mut taken = taken.lock().unwrap();
                        taken.0 += length;
                        taken.1 = taken.1.max(taken.0);
                    }
                    tokio::time::sleep(Duration::from_millis(if is_camera { 50 } else { 10 })).await;
                }
                taken.lock().unwrap().0 -= here;
            }
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let probe = ProbeOptions { ports: vec![80], snapshots: Some(folder.path().to_owned()), ..plan().probe };
    let outcome = look_at(&net, ScanPlan { concurrency: 41, probe, ..plan() }, &hosts).await;
    let stream = &outcome.device(camera).streams[0];
    assert_eq!((stream.status, stream.video.as_ref().unwrap().width), (StreamStatus::Streaming, Some(640)));
    assert!(std::fs::metadata(stream.snapshot.as_ref().unwrap()).unwrap().len() > 600_000);
    for ip in &hosts[..40] {
        let stream = &outcome.device(ip).streams[0];
        assert_eq!(stream.error.as_ref().map(|e| e.message.as_str()), Some("a picture without end"), "{stream:?}");
    }
    // Each may have a buffer's beginning and what its connection holds; 4 MiB each would be 160.
    let most = taken.lock().unwrap().1;
    println!("{} MiB held at most", most / MIB);
    assert!(most <= 32 * 2 * MIB + 5 * 4 * MIB + 40 * (MIB / 2), "{most}");
    assert!(most >= 16 * MIB, "{most}: the hosts were not there at once");
}

#[tokio::test(start_paused = true)]
async fn a_bomb_in_gzip() {
    page(|_| include_bytes!("../data/http/gzip_bomb_30mb.bin").to_vec()).await;
}

#[tokio::test(start_paused = true)]
async fn bombs_in_xml() {
    let laughs: String =
        (1..20).map(|n| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10))).collect();
    let bomb = format!("<!DOCTYPE x [<!ENTITY a0 \"ha\">{laughs}]><Envelope><Body>&a19;</Body></Envelope>");
    let outside = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\"><!ENTITY % p SYSTEM \
                   \"http://192.0.2.99/p.dtd\">%p;]><Envelope><Body><GetDeviceInformationResponse>\
                   <Manufacturer>&e;</Manufacturer></GetDeviceInformationResponse></Body></Envelope>";
    let deep = format!("<Envelope><Body>{}", "<a>".repeat(200_000));
    let wide = format!("<Envelope><Body>{}</Body></Envelope>", "<a b='c'/>".repeat(200_000));
    let attributes = format!("<Envelope {}/>", (0..50_000).map(|n| format!("a{n}='x' ")).collect::<String>());
    for xml in [bomb, outside.to_owned(), deep, wide, attributes] {
        let outcome = page(move |asked| match asked.method() {
            "POST" => http("200 OK", "Content-Type: application/soap+xml\r\n", &xml),
            _ => http("200 OK", "", "<title>ONVIF</title>"),
        })
        .await;
        let told = serde_json::to_string(outcome.device(EVIL)).unwrap();
        assert!(!told.contains("haha") && told.len() < 200_000, "{}", told.len());
        let machine = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        assert!(machine.trim().is_empty() || !told.contains(machine.trim()));
    }
}

#[tokio::test(start_paused = true)]
async fn descriptions_without_measure() {
    let start = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\n";
    let media = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:1\r\n";
    let huge = format!("{start}{media}a=fmtp:96 sprop-parameter-sets={}\r\n", "A".repeat(10 << 20));
    let many = format!("{start}{}", media.repeat(100_000));
    for sdp in [huge, many] {
        let outcome = page(move |asked| {
            let cseq = asked.header("CSeq").unwrap_or("1");
            match asked.method() {
                "DESCRIBE" => format!(
                    "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
                    sdp.len()
                ),
                _ => format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n\r\n"),
            }
            .into_bytes()
        })
        .await;
        assert!(outcome.device(EVIL).streams.len() <= 64);
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_in_circles_and_astray() {
    let places = [
        "/a",
        "//192.0.2.10/",
        "http://192.0.2.10:554/",
        "rtsp://192.0.2.10/live",
        "http://[::1]/",
        "file:///etc/passwd",
        "http://192.0.2.66:9100/",
        "http://user:pass@192.0.2.66/",
        "http://192.0.2.66:0/",
        "javascript:alert(1)",
        "",
    ];
    for place in places {
        page(move |asked| {
            let to = if place == "/a" { format!("{}a", asked.target()) } else { place.to_owned() };
            let cseq = asked.header("CSeq").unwrap_or("1");
            let version = if asked.text.contains("RTSP/1.0") { "RTSP/1.0" } else { "HTTP/1.1" };
            format!("{version} 302 Found\r\nCSeq: {cseq}\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        })
        .await;
    }
}

/// An answer over mDNS that names another host's address, a service of it and a name made of mischief.
fn mdns_of(n: u32) -> Vec<u8> {
    let name = |first: &str| Name(vec![first.to_owned(), "_rtsp".into(), "_tcp".into(), "local".into()]);
    let host = Name(vec![format!("{n}{MISCHIEF}"), "local".into()]);
    let instance = name(&format!("{MISCHIEF}{n}"));
    let address = Ipv4Addr::new(192, 0, 2, (n % 250 + 2) as u8);
    let record = |name: Name, data: Data| Record { name, data };
    let records = vec![
        record(Name(vec!["_rtsp".into(), "_tcp".into(), "local".into()]), Data::Ptr(instance.clone())),
        record(instance.clone(), Data::Srv { port: 9100, target: host.clone() }),
        record(instance, Data::Txt(vec![format!("md={MISCHIEF}").into_bytes(), b"path=/../../etc".to_vec()])),
        record(host, Data::A(address)),
    ];
    mdns::emit(&Message { response: true, questions: Vec::new(), records })
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_forged_answers() {
    let mut outcome = among_cameras(all_methods(), |net| {
        net.host_up(EVIL);
        net.datagrams.on_datagram(|sent| {
            if !matches!(sent.to.port(), 3702 | 1900 | 5353) {
                return Vec::new();
            }
            let port = sent.to.port();
            let forge = |n: u32| -> Vec<u8> {
                let text = match port {
                    3702 => format!(
                        "<E><ProbeMatch><EndpointReference><Address>urn:uuid:{n}</Address></EndpointReference>\
                     <Types>dn:NetworkVideoTransmitter</Types>\
                     <Scopes>onvif://www.onvif.org/name/forged{n}</Scopes>\
                     <XAddrs>http://192.0.2.{}/onvif/device_service http://203.0.113.7/</XAddrs></ProbeMatch></E>",
                        n % 250 + 2
                    ),
                    5353 => return mdns_of(n),
                    _ => format!(
                        "HTTP/1.1 200 OK\r\nLOCATION: http://192.0.2.{}:{}/d.xml\r\nUSN: uuid:{n}\r\nSERVER: x/{n}\r\n\
                     ST: upnp:rootdevice\r\n\r\n",
                        n % 250 + 2,
                        n % 60_000
                    ),
                };
                text.into_bytes()
            };
            let from = format!("{EVIL}:{port}").parse().unwrap();
            (0..1000).map(|n| (Duration::from_millis(u64::from(n % 100)), from, Ok(forge(n)))).collect()
        });
    })
    .await;
    // Ours, with the line that says what can be done.
    let warned = std::mem::take(&mut outcome.report.warnings);
    assert!(warned.iter().any(|w| w.contains("more was announced than is kept")), "{warned:?}");
    // Whoever is named has not answered, and what one host says is bounded.
    assert_eq!(outcome.report.devices.len(), CAMERAS.len() + 1);
    assert!(outcome.device(EVIL).services.len() <= 512, "{}", outcome.device(EVIL).services.len());
    for text in strings(&outcome.report) {
        assert!(!text.chars().any(|c| is_harmful(c) || c == '\n'), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_claims_every_address() {
    let router = MacAddr([0x02, 0x66, 0, 0, 0, 1]);
    fastrand::seed(1);
    let net = neighbourhood();
    net.links.proxy_arp(router);
    let outcome = scan(&net, ScanPlan { methods: vec![Method::Arp, Method::Tcp], ..plan() }).await;
    for ip in CAMERAS {
        assert_eq!(outcome.device(ip).streams[0].status, StreamStatus::Streaming, "{ip}");
    }
    assert!(outcome.report.devices.len() <= CAMERAS.len() + 1, "{}", outcome.report.devices.len());
    assert!(outcome.report.warnings.iter().any(|w| w.contains(&router.to_string())), "{:?}", outcome.report.warnings);
}

#[tokio::test(start_paused = true)]
async fn a_tarpit_with_all_ports_open() {
    let ports = [554, 80].into_iter().chain(8000..8400).collect();
    let plan = ScanPlan { probe: ProbeOptions { ports, ..plan().probe }, ..plan() };
    let outcome = among_cameras(plan, |net| {
        net.serve_all_ports(EVIL, |_, stream| async move {
            let _open = stream;
            futures::future::pending::<()>().await;
        });
    })
    .await;
    let evil = outcome.device(EVIL);
    assert!(evil.errors.iter().any(|e| e.message.contains("any port")), "{:?}", evil.errors);
    assert!(evil.services.len() <= 16, "{}", evil.services.len());
}

#[tokio::test(start_paused = true)]
async fn a_reset_in_the_middle_of_an_answer() {
    for text in ["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<title>", "RTSP/1.0 200 OK\r\nCSeq: 1\r\nConte", ""] {
        among_cameras(plan(), |net| {
            for port in [554, 80, 8080] {
                let at = format!("{EVIL}:{port}");
                net.serve(&at, move |_, mut stream| async move {
                    let mut question = [0; 1024];
                    let _ = stream.read(&mut question).await;
                    let _ = stream.write_all(text.as_bytes()).await;
                });
                net.streams.reset_at_end(&at);
            }
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends() {
    // A TLS record that announces a ServerHello of 16 MB, and handshake records that never complete it.
    let record = [&[22, 3, 3, 0x10, 0, 2, 0xff, 0xff, 0xff][..], &[0; 4091]].concat();
    let plan = ScanPlan { probe: ProbeOptions { ports: vec![443, 322, 554, 80], ..plan().probe }, ..plan() };
    for again in [record, Vec::new()] {
        among_cameras(plan.clone(), |net| {
            for port in [443, 322] {
                let again = again.clone();
                net.serve(&format!("{EVIL}:{port}"), move |_, mut stream| {
                    let again = again.clone();
                    async move {
                        if again.is_empty() {
                            let mut hello = vec![0; 4096];
                            while matches!(stream.read(&mut hello).await, Ok(1..)) {}
                        } else {
                            flood(stream, &[], &again).await;
                        }
                    }
                });
            }
        })
        .await;
    }
}

/// A web server inside TLS, with a certificate of this name and of so many bytes.
fn tls_server(net: &FakeNet, at: &str, name: &str, bytes: usize) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    let padding = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![4; bytes]);
    parameters.custom_extensions.push(padding);
    let certificate = parameters.self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let signer = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    // Nobody checks it on the way.
    let certified = rustls::sign::CertifiedKey::new(vec![certificate.der().clone()], signer);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    net.serve(at, move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&http("200 OK", "", "<title>hello</title>")).await;
            let _ = stream.shutdown().await;
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_certificate_without_measure() {
    let plan = ScanPlan { probe: ProbeOptions { ports: vec![443, 554, 80], ..plan().probe }, ..plan() };
    for (bytes, is_read) in [(0, true), (1 << 20, false)] {
        let outcome = among_cameras(plan.clone(), |net| tls_server(net, &format!("{EVIL}:443"), MISCHIEF, bytes)).await;
        let certificates: Vec<&String> =
            outcome.device(EVIL).services.iter().filter_map(|s| s.certificate.as_ref()).collect();
        assert_eq!(!certificates.is_empty(), is_read, "{certificates:?}");
        assert!(!certificates.iter().any(|c| c.chars().any(is_harmful)), "{certificates:?}");
    }
}

/// What every name of a device is made of: what terminals, pages, spreadsheets, playlists and readers obey.
const MISCHIEF: &str =
    "=1+1|\u{1b}[31m\u{1b}]0;gone\u{7}\u{202e}drow\u{200f}<script>alert(1)</script>]]>&amp;\"'\u{0}\u{9b}31m#";

fn mischievous(net: &FakeNet) {
    let camera = Camera { server: MISCHIEF.to_owned(), session_name: MISCHIEF.to_owned(), ..Camera::new(EVIL) };
    camera.on(net);
    for port in [80, 8080] {
        pages(net, &format!("{EVIL}:{port}"), |asked| match asked.method() {
            "POST" => {
                let name = "=cmd|&#27;[31m&#x202e;&lt;script>alert(1)&lt;/script>";
                let body = format!(
                    "<Envelope><Body><GetDeviceInformationResponse><Manufacturer>{name}</Manufacturer>\
                     <Model>{name}</Model><FirmwareVersion>@{name}</FirmwareVersion><SerialNumber>+{name}</SerialNumber>\
                     </GetDeviceInformationResponse></Body></Envelope>"
                );
                http("200 OK", "Content-Type: application/soap+xml\r\n", &body)
            }
            _ => http(
                "401 Unauthorized",
                &format!("Server: {MISCHIEF}\r\nWWW-Authenticate: Basic realm=\"-{MISCHIEF}\"\r\n"),
                &format!("<title>@{MISCHIEF}</title>"),
            ),
        });
    }
    net.names.name(EVIL, &format!("\r\n+{MISCHIEF}.example.{}", "a".repeat(5000)));
}

pub(super) fn strings(report: &Report) -> Vec<String> {
    fn walk(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::String(text) => found.push(text.clone()),
            serde_json::Value::Array(all) => all.iter().for_each(|v| walk(v, found)),
            serde_json::Value::Object(all) => all.values().for_each(|v| walk(v, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&serde_json::to_value(report).unwrap(), &mut found);
    found
}

pub(super) fn is_harmful(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[tokio::test(start_paused = true)]
async fn names_that_bite_bite_in_no_format() {
    let outcome = among_cameras(plan(), mischievous).await;
    let evil: &Device = outcome.device(EVIL);
    assert!(evil.services.iter().any(|s| s.title.is_some() || s.server.is_some()), "{evil:?}");
    for text in strings(&outcome.report) {
        assert!(!text.chars().any(|c| is_harmful(c) || c == '\n'), "{text:?}");
        assert!(text.chars().count() <= 2048, "{text:?}");
    }
    for format in FORMATS.iter() {
        let bytes = export::render(format, &Options::default(), &outcome.report).unwrap();
        if format.is_binary {
            continue;
        }
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.chars().any(is_harmful), "{format:?}");
        match format.name {
            "html" => assert!(!text.contains("<script>alert")),
            "xml" => assert!(!text.contains("<script")),
            "csv" => {
                let mut reader = csv::Reader::from_reader(text.as_bytes());
                for cell in reader.records().flat_map(|r| r.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()) {
                    assert!(!cell.starts_with(['=', '@', '|', '\t']), "{cell}");
                    assert!(!cell.starts_with(['+', '-']) || cell.parse::<f64>().is_ok(), "{cell}");
                }
            }
            _ => {}
        }
    }
    for (_, event) in &outcome.events {
        if let ScanEvent::Warning(text) = event {
            assert!(!text.chars().any(is_harmful));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clocks_of_another_age() {
    for (date, year, month) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", "1970", "1"),
        ("Mon, 31 Dec 2106 23:59:59 GMT", "2106", "12"),
        ("Fri, 32 Foo 99999999999 99:99:99 GMT", "99999999999", "-7"),
    ] {
        page(move |asked| {
            let cseq = asked.header("CSeq").unwrap_or("1");
            let time = format!(
                "<Envelope><Body><GetSystemDateAndTimeResponse><SystemDateAndTime><UTCDateTime><Time><Hour>23</Hour>\
                 <Minute>59</Minute><Second>59</Second></Time><Date><Year>{year}</Year><Month>{month}</Month>\
                 <Day>31</Day></Date></UTCDateTime></SystemDateAndTime></GetSystemDateAndTimeResponse></Body></Envelope>"
            );
            match asked.method() {
                "POST" => http("200 OK", &format!("Date: {date}\r\nContent-Type: application/soap+xml\r\n"), &time),
                "GET" => http("200 OK", &format!("Date: {date}\r\nLast-Modified: {date}\r\n"), "<title>x</title>"),
                _ => format!("RTSP/1.0 404 Not Found\r\nCSeq: {cseq}\r\nDate: {date}\r\n\r\n").into_bytes(),
            }
        })
        .await;
    }
}
