//! Who plays: seven devices on 127.77.0.11 to 127.77.0.17.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::fleet::clip::Clip;
use crate::fleet::onvif::Identity;
use crate::fleet::{Camera, Fault, Fleet, Login};

const RTSP: u16 = 8554;
const HTTP: u16 = 8080;

/// The port of WS-Discovery (OASIS WS-Discovery 1.1 §2.4); it needs no privilege.
const PROBE: u16 = 3702;

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
        onvif: Some(identity("Acme", "Dome 720", "2.4.1", "AC-0011", 11)),
        ..camera(11).stream("/main", &h264, Some(&aac)).stream("/sub", &mjpeg, None)
    };
    let yard = Camera {
        login: Login::Digest,
        onvif: Some(identity("Acme", "Bullet 1080", "2.4.0", "AC-0012", 12)),
        ..camera(12).stream("/main", &h265, Some(&pcmu))
    };
    let old = Camera { login: Login::Basic, realm: "Door".into(), ..camera(13).stream("/stream1", &mjpeg, None) };
    let udp_only = Camera { fault: Fault::UdpOnly, ..camera(14).stream("/stream1", &h264, None) };
    let broken = Camera {
        fault: Fault::NoFrames,
        onvif: Some(identity("Lumen", "L-2", "1.0", "LU-0015", 15)),
        ..camera(15).stream("/live", &h264, None)
    };
    let locked = Camera {
        login: Login::Digest,
        user: ("admin".into(), "nobody knows".into()),
        ..camera(16).stream("/stream1", &h264, None)
    };
    let fleet = Fleet::start(vec![lobby, yard, old, udp_only, broken, locked]).await?;
    Ok(Cast { _fleet: fleet, _printer: printer(address(17)).await? })
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 77, 0, last)
}

fn camera(last: u8) -> Camera {
    Camera::new(address(last).into(), RTSP)
}

fn identity(manufacturer: &str, model: &str, firmware: &str, serial: &str, last: u8) -> Identity {
    Identity {
        http_port: HTTP,
        probe_port: PROBE,
        endpoint: format!("7d1f5c3a-2b9e-4c67-8a10-0000000000{last}"),
        manufacturer: manufacturer.into(),
        model: model.into(),
        firmware: firmware.into(),
        serial: serial.into(),
    }
}

/// No camera: a device with a web page.
async fn printer(at: Ipv4Addr) -> io::Result<JoinHandle<()>> {
    const PAGE: &str = "<html><head><title>Office printer</title></head><body>Ready</body></html>";
    let listener = TcpListener::bind((at, HTTP)).await?;
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
