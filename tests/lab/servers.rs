//! Real servers of other protocols than RTSP, each on a host of its own.

use std::path::Path;

use serde_json::Value;

use super::{H264, Lab, PYTHON};
use crate::ns::possible;

fn scan(lab: &Lab, more: &[&str]) -> Value {
    let arguments = [&["scan", "10.77.0.0/24", "-f", "json", "--all"], more].concat();
    let (status, report, log) = lab.camscan(true, &arguments);
    assert_eq!(status, Some(0), "{log}");
    serde_json::from_str(&report).unwrap_or_else(|e| panic!("{e}\n{report}\n{log}"))
}

fn found<'a>(report: &'a Value, address: &str) -> &'a Value {
    let devices = report["devices"].as_array().unwrap();
    devices.iter().find(|d| d["ip"] == address).unwrap_or_else(|| panic!("{address} is missing: {report:#}"))
}

fn service<'a>(device: &'a Value, protocol: &str) -> &'a Value {
    let services = device["services"].as_array().unwrap();
    services.iter().find(|s| s["protocol"] == protocol).unwrap_or_else(|| panic!("no {protocol}: {device:#}"))
}

fn stream<'a>(device: &'a Value, protocol: &str) -> &'a Value {
    let streams = device["streams"].as_array().unwrap();
    streams.iter().find(|s| s["protocol"] == protocol).unwrap_or_else(|| panic!("no {protocol} stream: {device:#}"))
}

/// nginx with its RTMP module, to which ffmpeg pushes a picture: RTMP, HLS and DASH of one stream.
#[test]
fn a_media_server_streams_by_rtmp_hls_and_dash() {
    const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
    if !possible(&["nginx", "ffmpeg", MODULE]) {
        return;
    }
    let mut lab = Lab::new();
    let host = lab.lan.host("10.77.0.30/24", "02:00:00:00:00:30");
    let folder = lab.folder.display().to_string();
    let configuration = lab.folder.join("rtmp.conf");
    let text = format!(
        "user root; load_module {MODULE}; daemon off; pid {folder}/rtmp.pid; error_log {folder}/rtmp.log; events {{}}\n\
         rtmp {{ server {{ listen 1935; application live {{ live on;\n\
           hls on; hls_path {folder}/hls; hls_fragment 1s; hls_playlist_length 10s;\n\
           dash on; dash_path {folder}/dash; dash_fragment 1s; dash_playlist_length 10s; }} }} }}\n\
         http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;\n\
           uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; server {{ listen 80; root {folder};\n\
           location /hls {{ types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }} }}\n\
           location /dash {{ types {{ application/dash+xml mpd; video/mp4 mp4; }} }} }} }}"
    );
    std::fs::write(&configuration, text).unwrap();
    lab.lan.serve(&host, "nginx", &["-c", configuration.to_str().unwrap()], |h| h.listens_tcp(1935));
    let push = "-v error -re -f lavfi -i testsrc=size=640x360:rate=25 -f lavfi -i anullsrc=r=44100:cl=mono -c:v libx264 \
                -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 25 -c:a aac -f flv rtmp://127.0.0.1/live/stream";
    let manifests = [lab.folder.join("hls/stream.m3u8"), lab.folder.join("dash/stream.mpd")];
    lab.lan
        .serve(&host, "ffmpeg", &push.split_whitespace().collect::<Vec<_>>(), |_| manifests.iter().all(|m| m.exists()));
    let report = scan(&lab, &[]);
    let device = found(&report, "10.77.0.30");
    for (protocol, url) in [
        ("rtmp", "rtmp://10.77.0.30:1935/live/stream"),
        ("hls", "http://10.77.0.30:80/hls/stream.m3u8"),
        ("dash", "http://10.77.0.30:80/dash/stream.mpd#stream_H264"),
    ] {
        let stream = stream(device, protocol);
        assert_eq!(stream["url"], url, "{device:#}");
        assert_eq!((&stream["status"], &stream["open"]), (&"streaming".into(), &true.into()), "{device:#}");
        let video = &stream["video"];
        assert_eq!(video["codec"], "h264", "{device:#}");
        assert_eq!((&video["width"], &video["height"]), (&640.into(), &360.into()), "{device:#}");
    }
}

/// ustreamer without a capture device serves a picture that says so.
#[test]
fn mjpeg_is_found_measured_and_photographed() {
    if !possible(&["ustreamer"]) {
        return;
    }
    let mut lab = Lab::new();
    let host = lab.lan.host("10.77.0.31/24", "02:00:00:00:00:31");
    let arguments = ["--device", "/dev/null", "--host", "10.77.0.31", "--port", "8080"];
    lab.lan.serve(&host, "ustreamer", &arguments, |h| h.listens_tcp(8080));
    let shots = lab.folder.join("shots");
    let report = scan(&lab, &["--snapshots", shots.to_str().unwrap()]);
    let device = found(&report, "10.77.0.31");
    let stream = stream(device, "mjpeg");
    assert_eq!((&stream["status"], &stream["video"]["codec"]), (&"streaming".into(), &"mjpeg".into()), "{device:#}");
    let picture = std::fs::read(shots.join("10.77.0.31-1.jpg")).unwrap();
    assert_eq!(stream["snapshot"], shots.join("10.77.0.31-1.jpg").display().to_string(), "{device:#}");
    let size = camscan::media::jpeg::size(&picture).unwrap();
    assert_eq!((&stream["video"]["width"], &stream["video"]["height"]), (&size.0.into(), &size.1.into()), "{device:#}");
}

/// A camera that nothing but mDNS gives away: its port is on no list.
#[test]
fn what_mdns_announces_is_looked_at() {
    if !possible(&["avahi-daemon", "unshare", PYTHON]) {
        return;
    }
    let mut lab = Lab::new();
    let host = lab.lan.host("10.77.0.32/24", "02:00:00:00:00:32");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/gst_server.py");
    let arguments = [script.to_str().unwrap(), "10.77.0.32", "49554", "/axis-media/media.amp", H264];
    lab.lan.serve(&host, PYTHON, &arguments, |h| h.listens_tcp(49554));
    let avahi = lab.folder.join("avahi");
    std::fs::create_dir_all(avahi.join("services")).unwrap();
    std::fs::create_dir_all(lab.folder.join("run")).unwrap();
    let configuration =
        "[server]\nhost-name=axis-cam\nuse-ipv6=no\nenable-dbus=no\n[publish]\npublish-workstation=no\n";
    std::fs::write(avahi.join("avahi-daemon.conf"), configuration).unwrap();
    std::fs::write(
        avahi.join("services/camera.service"),
        "<service-group><name>AXIS M1065-L</name><service><type>_rtsp._tcp</type><port>49554</port></service>\
         <service><type>_axis-video._tcp</type><port>49554</port>\
         <txt-record>macaddress=020000000032</txt-record></service></service-group>",
    )
    .unwrap();
    let run = format!(
        "mount --bind {0}/avahi /etc/avahi && mkdir -p /run/avahi-daemon && mount --bind {0}/run /run/avahi-daemon && \
         exec avahi-daemon --no-drop-root --no-chroot --no-rlimits",
        lab.folder.display()
    );
    lab.lan.serve(&host, "unshare", &["-m", "sh", "-c", &run], |h| h.listens_udp(5353));
    // It probes for its own names before it answers (RFC 6762 §8.1).
    std::thread::sleep(std::time::Duration::from_secs(3));
    let report = scan(&lab, &[]);
    let device = found(&report, "10.77.0.32");
    assert_eq!((&device["vendor"], &device["kind"]), (&"Axis".into(), &"camera".into()), "{device:#}");
    assert!(device["discovered_by"].as_array().unwrap().contains(&"mdns".into()), "{device:#}");
    let stream = stream(device, "rtsp");
    assert_eq!(stream["url"], "rtsp://10.77.0.32:49554/axis-media/media.amp", "{device:#}");
    assert_eq!(stream["status"], "streaming", "{device:#}");
}

/// A relay is no camera, and is named for what it is.
#[test]
fn a_turn_server_is_named() {
    if !possible(&["turnserver"]) {
        return;
    }
    let mut lab = Lab::new();
    let host = lab.lan.host("10.77.0.33/24", "02:00:00:00:00:33");
    let database = lab.folder.join("turn.db").display().to_string();
    let arguments = [
        "-n",
        "--listening-ip",
        "10.77.0.33",
        "--lt-cred-mech",
        "--user",
        "u:p",
        "--realm",
        "lab.example",
        "--no-cli",
        "--no-tls",
        "--no-dtls",
        "--log-file",
        "/dev/null",
        "--userdb",
        &database,
    ];
    lab.lan.serve(&host, "turnserver", &arguments, |h| h.listens_udp(3478));
    let report = scan(&lab, &[]);
    let device = found(&report, "10.77.0.33");
    assert_eq!(device["kind"], "other", "{device:#}");
    assert_eq!(service(device, "turn")["port"], 3478, "{device:#}");
    assert!(device["streams"].as_array().unwrap().is_empty(), "{device:#}");
}
