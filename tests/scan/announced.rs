//! Ports that a device announces as RTSP or HTTP and where something else is: each is looked at once, and left.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use camscan::model::{Protocol, StreamStatus};
use camscan::testkit::net::{FakeNet, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::hostile::all_methods;
use super::hostile_discovery::{at, instance, mdns_says, response};
use super::servers::Camera;
use super::{Outcome, scan};

const DEVICE: &str = "192.0.2.60";

/// Says that a service is on a port of the device, under each of these names and with these strings.
fn announce(net: &FakeNet, service: &str, port: u16, instances: &[(&str, &[&str])]) {
    let device: Ipv4Addr = DEVICE.parse().unwrap();
    let records = instances.iter().flat_map(|(label, strings)| instance(label, service, port, strings, device));
    mdns_says(net, vec![(at(DEVICE, 5353), response(records.collect()))]);
}

/// As OpenSSH: it speaks first, and closes on who does not answer in kind.
async fn ssh(mut stream: DuplexStream) {
    let mut heard = [0; 512];
    if stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n").await.is_ok()
        && stream.read(&mut heard).await.is_ok_and(|count| count > 0)
    {
        let _ = stream.write_all(b"Invalid SSH identification string.\r\n").await;
    }
}

async fn scanned(net: &FakeNet) -> Outcome {
    fastrand::seed(1);
    scan(net, all_methods()).await
}

/// The announcement names the port under three names, as a device did whose `_rtsp._tcp` had port 22.
#[tokio::test(start_paused = true)]
async fn a_port_that_greets_in_another_protocol_is_left_at_once() {
    let plain: &[(&str, &[&str])] = &[("cam", &[]), ("cam-2", &[]), ("cam-3", &[])];
    let with_paths: &[(&str, &[&str])] =
        &[("cam", &["path=/live"]), ("cam-2", &["path=/sub"]), ("cam-3", &["path=/third"])];
    for (service, instances) in [("_rtsp", plain), ("_rtsp", with_paths), ("_http", plain), ("_axis-video", plain)] {
        let net = FakeNet::subnet();
        net.serve(&format!("{DEVICE}:22"), |_, stream| ssh(stream));
        announce(&net, service, 22, instances);
        let outcome = scanned(&net).await;
        assert_eq!(net.connections(&format!("{DEVICE}:22")), 1, "{service} {instances:?}");
        let device = outcome.device(DEVICE);
        assert!(!device.services.iter().any(|service| service.port == 22), "{:?}", device.services);
        assert!(device.streams.is_empty(), "{:?}", device.streams);
        let why = device.errors.iter().filter(|error| error.message.contains("22")).count();
        assert_eq!(why, 1, "{:?}", device.errors);
    }
}

/// What answers in HTTP, in riddles, or not at all is asked for no path of a stream.
#[tokio::test(start_paused = true)]
async fn no_path_is_asked_for_where_rtsp_was_not_answered() {
    let table: [(&str, Option<&[u8]>, usize); 4] = [
        ("a web server", Some(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), 2),
        ("an unknown protocol", Some(b"\x01\x02\x03\x04\x05\x06\x07\x08"), 3),
        ("closes", Some(b""), 3),
        ("silence", None, 3),
    ];
    for (what, says, most) in table {
        let net = FakeNet::subnet();
        let described = Arc::new(Mutex::new(0));
        let count = described.clone();
        net.answer(&format!("{DEVICE}:8899"), move |asked| {
            *count.lock().unwrap() += usize::from(asked.method() == "DESCRIBE");
            says.map_or(Reply::Bytes(Vec::new()), |bytes| Reply::Last(bytes.to_vec()))
        });
        announce(&net, "_rtsp", 8899, &[("a", &["path=/live"]), ("b", &["path=/sub"]), ("c", &[])]);
        let outcome = scanned(&net).await;
        let described = *described.lock().unwrap();
        assert!(described <= most, "{what}: {described} times DESCRIBE");
        let connections = net.connections(&format!("{DEVICE}:8899"));
        assert!(connections <= 12, "{what}: {connections} connections");
        let streams = &outcome.device(DEVICE).streams;
        assert!(streams.iter().all(|stream| stream.status != StreamStatus::Streaming), "{streams:?}");
    }
}

/// What does answer RTSP there is walked as on any other port.
#[tokio::test(start_paused = true)]
async fn an_announced_port_that_answers_rtsp_has_its_stream_found() {
    let net = FakeNet::subnet();
    let camera = Camera::new(DEVICE);
    camera.on(&net);
    announce(&net, "_rtsp", 554, &[("cam", &[]), ("cam-2", &[]), ("cam-3", &[])]);
    let outcome = scanned(&net).await;
    let device = outcome.device(DEVICE);
    assert!(device.services.iter().any(|service| (service.port, service.protocol) == (554, Protocol::Rtsp)));
    assert!(device.streams.iter().any(|stream| stream.status == StreamStatus::Streaming), "{:?}", device.streams);
}
