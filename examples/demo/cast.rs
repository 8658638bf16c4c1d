//! Who plays: seven devices on 127.77.0.11 to 127.77.0.17.

#![expect(clippy::disallowed_methods, reason = "the devices' sockets are not the scanner's")]

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use camscan::testkit::fleet::clip::Clip;
use camscan::testkit::fleet::onvif::Identity;
use camscan::testkit::fleet::{Camera, Fault, Fleet, Login};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Ports cameras use and everybody may open; the first that no other program of this machine holds is taken.
const RTSP_PORTS: [u16; 3] = [8554, 10554, 5554];
const HTTP_PORTS: [u16; 3] = [8080, 8081, 8000];

/// The port of WS-Discovery (OASIS WS-Discovery 1.1 §2.4); it needs no privilege. Where another program holds it, the
/// cameras' web services are found by their ports.
const PROBE_PORT: u16 = 3702;

/// Every device that shows video: what becomes of each stream, its codecs and its transport.
pub const EXPECTED: &[(&str, &[&str])] = &[
    ("127.77.0.11", &["streaming h264+aac tcp", "streaming mjpeg tcp"]),
    ("127.77.0.12", &["streaming h265+pcmu tcp"]),
    ("127.77.0.13", &["streaming mjpeg tcp"]),
    ("127.77.0.14", &["streaming h264 udp"]),
    ("127.77.0.15", &["nodata h264 tcp"]),
    ("127.77.0.16", &["authrequired  tcp"]),
];

/// The devices, running until this is dropped.
pub struct Cast {
    _fleet: Fleet,
    _printer: JoinHandle<()>,
}

/// Starts the devices.
///
/// # Errors
/// When an address or port cannot be had.
pub async fn start() -> io::Result<Cast> {
    let rtsp = first_free(&RTSP_PORTS)?;
    let http = first_free(&HTTP_PORTS)?;
    let probe = if std::net::UdpSocket::bind((address(11), PROBE_PORT)).is_ok() { PROBE_PORT } else { 0 };
    let camera = |last: u8| Camera::new(address(last).into(), rtsp);
    let identity = |maker: &str, model: &str, firmware: &str, last: u8| Identity {
        http_port: http,
        probe_port: probe,
        endpoint: format!("7d1f5c3a-2b9e-4c67-8a10-0000000000{last}"),
        manufacturer: maker.into(),
        model: model.into(),
        firmware: firmware.into(),
        serial: format!("{maker}-{last:04}"),
    };
    let h264 = Arc::new(Clip::h264(include_bytes!("../../tests/data/media/camera_h264_1280x720_25fps.h264"), 25.0));
    let h265 = Arc::new(Clip::h265(include_bytes!("../../tests/data/media/camera_h265_1920x1080_15fps.h265"), 15.0));
    let images: [&[u8]; 3] = [
        include_bytes!("../../tests/data/media/camera_640x480_1.jpg"),
        include_bytes!("../../tests/data/media/camera_640x480_2.jpg"),
        include_bytes!("../../tests/data/media/camera_640x480_3.jpg"),
    ];
    let mjpeg = Arc::new(Clip::mjpeg(&images.concat(), 10.0));
    let aac = Arc::new(Clip::aac(include_bytes!("../../tests/data/media/camera_aac_16k.adts"), 16_000));
    let pcmu = Arc::new(Clip::pcmu());

    let lobby = Camera {
        login: Login::DigestSha256,
        onvif: Some(identity("Acme", "Dome 720", "2.4.1", 11)),
        ..camera(11).stream("/main", &h264, Some(&aac)).stream("/sub", &mjpeg, None)
    };
    let yard = Camera {
        login: Login::Digest,
        onvif: Some(identity("Acme", "Bullet 1080", "2.4.0", 12)),
        ..camera(12).stream("/main", &h265, Some(&pcmu))
    };
    let old = Camera { login: Login::Basic, realm: "Door".into(), ..camera(13).stream("/stream1", &mjpeg, None) };
    let udp_only = Camera { fault: Fault::UdpOnly, ..camera(14).stream("/stream1", &h264, None) };
    let broken = Camera {
        fault: Fault::NoFrames,
        onvif: Some(identity("Lumen", "L-2", "1.0", 15)),
        ..camera(15).stream("/live", &h264, None)
    };
    let locked = Camera {
        login: Login::Digest,
        user: ("admin".into(), "nobody knows".into()),
        ..camera(16).stream("/stream1", &h264, None)
    };
    let fleet = Fleet::start(vec![lobby, yard, old, udp_only, broken, locked]).await?;
    Ok(Cast { _fleet: fleet, _printer: printer(address(17), http).await? })
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 77, 0, last)
}

fn first_free(ports: &[u16]) -> io::Result<u16> {
    let mut outcome = Err(io::ErrorKind::AddrInUse.into());
    for port in ports {
        outcome = std::net::TcpListener::bind((address(11), *port)).map(|_| *port);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// No camera: a device with a web page.
async fn printer(at: Ipv4Addr, port: u16) -> io::Result<JoinHandle<()>> {
    const PAGE: &str = "<html><head><title>Office printer</title></head><body>Ready</body></html>";
    let listener = TcpListener::bind((at, port)).await?;
    Ok(tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{PAGE}",
                    PAGE.len()
                );
                // A client that goes away ends its request and nothing else.
                let _ = client.read(&mut [0; 4096]).await;
                let _ = client.write_all(answer.as_bytes()).await;
            });
        }
    }))
}
