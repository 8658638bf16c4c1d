//! Hosts that mean harm beside a real camera: what is said of the camera is what is said of it without them, and it is
//! said before they have been seen through.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cameras::{self, H264};
use crate::compare::differences;
use crate::ns::need;
use crate::trial::Skip;
use crate::{Lab, PYTHON};

const CAMERA: &str = "10.77.0.10";
const EVIL: &str = "10.77.0.66";
const TARPIT: &str = "10.77.0.67";

/// What is done to whoever connects.
type Harm = fn(TcpStream);

/// What each port of the hostile host does.
const PORTS: &[(u16, Harm)] = &[
    (554, endless_headers),
    (8554, silence),
    (10554, endless_description),
    (80, endless_body),
    (81, one_byte_a_second),
    (85, redirect_to_the_camera),
    (88, gzip_bomb),
    (443, endless_handshake),
    (8000, noise),
    (8080, endless_parts),
    (8081, names_that_bite),
    (8899, reset),
];

const MISCHIEF: &str = "=1+1|\u{1b}[31m\u{202e}drow<script>alert(1)</script>]]>&amp;\"'";

impl Lab {
    /// Starts the hostile host, one that takes any port, and one that answers ARP for half the network.
    fn start_hostile(&mut self) {
        let evil = self.lan.host(EVIL, "02:00:00:00:00:66");
        self.lan.play(&evil, "hostile", |host| host.listens_tcp(8899));

        let tarpit = self.lan.host(TARPIT, "02:00:00:00:00:67");
        let redirect = "add table ip any; add chain ip any in { type nat hook prerouting priority -100; }; \
                        add rule ip any in tcp dport 1-65535 redirect to :8899";
        assert!(tarpit.run("nft", &[redirect]).status.success());
        self.lan.play(&tarpit, "hostile", |host| host.listens_tcp(8899));

        let router = self.lan.host("10.77.0.68", "02:00:00:00:00:68");
        for line in ["link add nowhere type bridge", "link set nowhere up", "route add 10.77.0.128/25 dev nowhere"] {
            assert!(router.run("ip", &line.split(' ').collect::<Vec<_>>()).status.success(), "{line}");
        }
        let settings = ["net.ipv4.ip_forward=1", "net.ipv4.conf.eth0.proxy_arp=1", "net.ipv4.neigh.eth0.proxy_delay=0"];
        assert!(router.run("sysctl", &[&["-qw"][..], &settings[..]].concat()).status.success());
    }

    /// Scans all and gives the devices in the order they were done, and the warnings.
    fn scan_hostile(&self) -> (Vec<Value>, String) {
        let ports: Vec<String> = PORTS.iter().map(|(port, _)| port.to_string()).collect();
        // Enough for the tarpit to be recognised.
        let ports = format!("{},9000-9040", ports.join(","));
        let line = format!("scan 10.77.0.0/24 -p {ports} --timeout 3s --host-timeout 20s -f jsonl --all --no-dns");
        let said = self.camscan(true, &line.split(' ').collect::<Vec<_>>());
        let (lines, log) = (said.report, said.log);
        assert_eq!(said.status, Some(0), "{log}");
        assert!(!lines.contains('\u{1b}') && !log.contains('\u{1b}') && !lines.contains('\u{202e}'), "{log}");
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), log)
    }
}

fn place(devices: &[Value], ip: &str) -> usize {
    devices.iter().position(|d| d["ip"] == ip).unwrap_or_else(|| panic!("{ip} is missing: {devices:#?}"))
}

/// What must not differ by a hair: all but moments and measurements.
fn lasting(device: &Value) -> Value {
    let pick = |value: &Value, keys: &[&str]| -> Value { keys.iter().map(|k| json!({ *k: value[*k] })).collect() };
    let each =
        |key: &str, keys: &[&str]| -> Value { device[key].as_array().unwrap().iter().map(|v| pick(v, keys)).collect() };
    json!([
        pick(device, &["ip", "mac", "id", "kind", "confidence", "vendor", "model", "discovered_by", "errors"]),
        each("services", &["protocol", "transport", "port", "server", "title", "auth"]),
        each("evidence", &["fact", "value", "source", "weight"]),
        each("streams", &["url", "status", "open", "auth", "transport", "channel"]),
        device["streams"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| pick(&s["video"], &["codec", "profile", "width", "height"]))
            .collect::<Value>(),
        device["streams"].as_array().unwrap().iter().map(|s| s["audio"]["codec"].clone()).collect::<Value>(),
    ])
}

pub fn hosts_that_mean_harm_change_nothing_for_a_camera() -> Result<(), Skip> {
    need(&[PYTHON, "nft", "sysctl"])?;
    let mut lab = Lab::new();
    cameras::serve(&mut lab, CAMERA, "44:19:b6:00:00:0a", 554, &["/stream1", H264]);
    lab.lan.wait();
    let (alone, _) = lab.scan_hostile();
    lab.start_hostile();
    lab.lan.wait();
    let (among, log) = lab.scan_hostile();
    let at = place(&among, CAMERA);
    let expected = json!({
        "kind": "camera", "vendor": "Hikvision",
        "streams": [{
            "url": format!("rtsp://{CAMERA}:554/stream1"), "status": "streaming", "open": true,
            "video": {"codec": "h264", "profile": "High", "width": 1280, "height": 720},
            "audio": {"codec": "aac", "sample_rate_hz": 16000, "channels": 1},
        }],
    });
    assert_eq!(differences(&expected, &among[at]), [""; 0], "{:#}", among[at]);
    let (played, taken_down) = cameras::played(&lab, CAMERA);
    assert!(played >= 2 && played == taken_down, "{played} times played, {taken_down} taken down");
    assert_eq!(lasting(&among[at]), lasting(&alone[place(&alone, CAMERA)]));
    // It is done while they are still being looked at, and they have taken no more than their time.
    assert!(at < place(&among, EVIL), "{among:#?}");
    let scan = among.last().unwrap();
    assert_eq!(scan["scan"]["status"], "complete");
    assert!(scan["scan"]["duration_ms"].as_u64().unwrap() < 60_000, "{scan}");
    // Nobody that was forged, named or answered for by somebody else is a device.
    let is_router = |d: &&Value| d["mac"] == "02:00:00:00:00:68" && d["ip"] != "10.77.0.68";
    // The first address it claims is believed before it has claimed a second: a host, and nothing more.
    let claimed: Vec<&Value> = among.iter().filter(is_router).collect();
    assert!(claimed.len() <= 1 && claimed.iter().all(|d| d["kind"] == "other"), "{claimed:#?}");
    assert!(claimed.iter().all(|d| d["services"] == json!([]) && d["streams"] == json!([])), "{claimed:#?}");
    let devices = among.iter().filter(|d| d["ip"].is_string() && !is_router(d));
    let mut found: Vec<&str> = devices.map(|d| d["ip"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, ["10.77.0.1", CAMERA, EVIL, TARPIT, "10.77.0.68"], "{log}");
    assert!(log.contains("02:00:00:00:00:68 answers ARP on eth0 for"), "{log}");
    let tarpit = &among[place(&among, TARPIT)];
    assert!(tarpit["errors"].to_string().contains("takes connections on any port"), "{tarpit:#}");
    assert!(among[place(&among, EVIL)]["services"].as_array().unwrap().len() <= 512);
    Ok(())
}

/// The hostile host: forged answers by UDP, and what `PORTS` lists by TCP.
pub fn serve() {
    for port in [3702, 1900, 5353] {
        std::thread::spawn(move || forge(port));
    }
    let all = PORTS.iter().map(|&(port, answer)| {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer(stream));
            }
        })
    });
    all.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}

/// Answers the first question by ten thousand answers in the name of others.
#[expect(clippy::disallowed_methods, reason = "a server in a namespace")]
fn forge(port: u16) {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
    for group in [Ipv4Addr::new(239, 255, 255, 250), Ipv4Addr::new(224, 0, 0, 251)] {
        // By the interface that multicast is routed to.
        let _ = socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED);
    }
    let Ok((_, from)) = socket.recv_from(&mut [0; 2048]) else { return };
    for n in 0..10_000u32 {
        let other = format!("10.77.0.{}", n % 250 + 2);
        let answer = match port {
            3702 => format!(
                "<E><ProbeMatch><EndpointReference><Address>urn:uuid:{n}</Address></EndpointReference>\
                 <Types>dn:NetworkVideoTransmitter</Types><Scopes>onvif://www.onvif.org/name/{MISCHIEF}{n}</Scopes>\
                 <XAddrs>http://{other}/onvif/device_service</XAddrs></ProbeMatch></E>"
            ),
            1900 => format!(
                "HTTP/1.1 200 OK\r\nLOCATION: http://{other}:{}/d.xml\r\nUSN: uuid:{n}\r\nSERVER: {MISCHIEF}\r\n\
                 ST: upnp:rootdevice\r\n\r\n",
                n % 60_000
            ),
            // A message that points into itself without end (RFC 1035 §4.1.4).
            _ => String::from_utf8_lossy(&[0, 0, 0x04, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x40, 12, 0, 12]).into_owned(),
        };
        let _ = socket.send_to(answer.as_bytes(), from);
    }
}

fn question(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let read = stream.read(&mut bytes).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

/// Writes for ever.
fn flood(mut stream: TcpStream, head: &[u8], again: &[u8]) {
    question(&mut stream);
    let mut written = stream.write_all(head);
    while written.is_ok() {
        written = stream.write_all(again);
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn silence(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

fn endless_headers(stream: TcpStream) {
    flood(stream, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n", "X-Header: value\r\n".repeat(100).as_bytes());
}

fn endless_body(stream: TcpStream) {
    flood(stream, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>x", &[b'x'; 8192]);
}

fn endless_parts(stream: TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n";
    flood(stream, head, "Content-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n\r\n--b\r\n".repeat(50).as_bytes());
}

/// A TLS record that announces a ServerHello of 16 MB.
fn endless_handshake(stream: TcpStream) {
    flood(stream, &[22, 3, 3, 0x10, 0, 2, 0xff, 0xff, 0xff], &[0; 4091]);
}

fn noise(stream: TcpStream) {
    let bytes: Vec<u8> = (0..20_000).map(|_| fastrand::u8(..)).collect();
    flood(stream, &bytes, &bytes);
}

fn one_byte_a_second(mut stream: TcpStream) {
    for byte in b"HTTP/1.1 200 OK\r\nServer: slow\r\n\r\n".iter().cycle() {
        std::thread::sleep(Duration::from_secs(1));
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
    }
}

fn gzip_bomb(mut stream: TcpStream) {
    question(&mut stream);
    let _ = stream.write_all(include_bytes!("../data/http/gzip_bomb_30mb.bin"));
}

fn redirect_to_the_camera(mut stream: TcpStream) {
    question(&mut stream);
    let to = format!("HTTP/1.1 302 Found\r\nLocation: http://{CAMERA}:554/\r\nContent-Length: 0\r\n\r\n");
    let _ = stream.write_all(to.as_bytes());
}

fn names_that_bite(mut stream: TcpStream) {
    question(&mut stream);
    let body = format!("<title>{MISCHIEF}</title>");
    let head = format!("HTTP/1.1 200 OK\r\nServer: {MISCHIEF}\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all((head + body.as_str()).as_bytes());
}

/// Cut off in the middle of the answer: bytes that were never read make the kernel reset the connection.
fn reset(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1]);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<title>");
}

fn endless_description(mut stream: TcpStream) {
    let media = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:1\r\n".repeat(100_000);
    loop {
        let asked = question(&mut stream);
        let Some(cseq) = asked.lines().find_map(|l| l.strip_prefix("CSeq: ")) else { return };
        let body = if asked.starts_with("DESCRIBE") { media.as_str() } else { "" };
        let head = format!(
            "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}
