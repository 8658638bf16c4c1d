//! The scanner against real servers of Debian's packages, in network namespaces the test makes and removes itself.
//!
//! It needs root and the packages `.ci/run` installs; without them it is skipped and says so, unless `CAMSCAN_LAB=required`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what went wrong by failing"
)]

mod ns;
mod onvif;
mod servers;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use ns::{Host, Lan};

const PYTHON: &str = "/usr/bin/python3";
const PASSWORD: &str = "korrekt-pferd-42";

/// One real camera of the lab, and what must be said of it.
struct Expected {
    address: &'static str,
    port: u16,
    options: &'static [&'static str],
    path: &'static str,
    pipeline: &'static str,
    stream: Stream,
}

#[derive(Clone, Copy)]
struct Stream {
    codec: &'static str,
    profile: Option<&'static str>,
    size: (u64, u64),
    fps: f64,
    audio: Option<(&'static str, u64, u64)>,
    login: bool,
}

const H264: &str = "videotestsrc is-live=true ! video/x-raw,width=1280,height=720,framerate=25/1 \
    ! x264enc tune=zerolatency speed-preset=superfast key-int-max=25 bitrate=600 ! video/x-h264,profile=high \
    ! rtph264pay name=pay0 pt=96 config-interval=1 \
    audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=16000,channels=1 ! avenc_aac bitrate=24000 ! rtpmp4gpay name=pay1 pt=97";
const H264_CROPPED: &str = "videotestsrc is-live=true ! video/x-raw,width=1920,height=1080,framerate=5/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=5 bitrate=600 ! video/x-h264,profile=constrained-baseline \
    ! rtph264pay name=pay0 pt=96 config-interval=1 \
    audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1";
const H265: &str = "videotestsrc is-live=true ! video/x-raw,format=I420,width=640,height=480,framerate=15/1 \
    ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=400 ! video/x-h265,profile=main \
    ! rtph265pay name=pay0 pt=96 config-interval=1 \
    audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1";
const MJPEG: &str = "videotestsrc is-live=true ! video/x-raw,format=I420,width=640,height=480,framerate=10/1 ! jpegenc ! rtpjpegpay name=pay0 pt=26";
fn cameras() -> Vec<Expected> {
    let camera =
        |address, port, options, path, pipeline, stream| Expected { address, port, options, path, pipeline, stream };
    let h264 = Stream {
        codec: "h264",
        profile: Some("High"),
        size: (1280, 720),
        fps: 25.0,
        audio: Some(("aac", 16000, 1)),
        login: false,
    };
    let cropped = Stream {
        codec: "h264",
        profile: Some("Constrained Baseline"),
        size: (1920, 1080),
        fps: 5.0,
        audio: Some(("pcmu", 8000, 1)),
        login: true,
    };
    let h265 = Stream {
        codec: "h265",
        profile: Some("Main"),
        size: (640, 480),
        fps: 15.0,
        audio: Some(("pcma", 8000, 1)),
        login: true,
    };
    let mjpeg = Stream { codec: "mjpeg", profile: None, size: (640, 480), fps: 10.0, audio: None, login: false };
    vec![
        camera("10.77.0.10", 554, &[], "/stream1", H264, h264),
        camera("10.77.0.11", 8554, &["--digest"], "/live", H265, h265),
        camera("10.77.0.12", 554, &["--basic"], "/Streaming/Channels/101", H264_CROPPED, cropped),
        camera("10.77.0.13", 554, &[], "/live.sdp", MJPEG, mjpeg),
        camera("10.77.0.14", 322, &["--tls"], "/h264", H264, h264),
        camera("10.77.0.15", 10554, &["--udp"], "/mpeg4/media.amp", MJPEG, mjpeg),
    ]
}

struct Lab {
    lan: Lan,
    scanner: Host,
    _folder: tempfile::TempDir,
    folder: PathBuf,
    binary: PathBuf,
}

impl Lab {
    fn new() -> Lab {
        let folder = tempfile::Builder::new().prefix("camscan-lab").tempdir().unwrap();
        let path = folder.path().to_owned();
        // Whoever runs it without root must be able to read it.
        Command::new("chmod").args(["755", path.to_str().unwrap()]).status().unwrap();
        let binary = path.join("camscan");
        std::fs::copy(env!("CARGO_BIN_EXE_camscan"), &binary).unwrap();
        let mut lan = Lan::new();
        let scanner = lan.host("10.77.0.1/24", "02:00:00:00:00:01");
        Lab { lan, scanner, _folder: folder, folder: path, binary }
    }

    fn start_cameras(&mut self, cameras: &[Expected]) {
        let key = self.folder.join("key.pem");
        let certificate = self.folder.join("certificate.pem");
        let made = rcgen::generate_simple_self_signed(vec!["camera.local".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/gst_server.py");
        for (n, camera) in cameras.iter().enumerate() {
            let host = self.lan.host(&format!("{}/24", camera.address), &format!("44:19:b6:00:00:{:02x}", n + 16));
            let port = camera.port.to_string();
            let login = format!("admin:{PASSWORD}");
            let mut arguments = vec![script.to_str().unwrap(), camera.address, &port];
            match camera.options.first() {
                Some(&"--tls") => arguments.extend(["--tls", certificate.to_str().unwrap(), key.to_str().unwrap()]),
                Some(&"--udp") => arguments.push("--udp"),
                Some(option) => arguments.extend([*option, login.as_str()]),
                None => {}
            }
            arguments.extend([camera.path, camera.pipeline]);
            self.lan.serve(&host, PYTHON, &arguments, |h| h.listens_tcp(camera.port));
        }
    }

    fn start_others(&mut self) {
        let web = self.lan.host("10.77.0.50/24", "00:11:22:00:00:50");
        let configuration = self.folder.join("nginx.conf");
        std::fs::write(
            &configuration,
            format!(
                "daemon off; pid {0}/nginx.pid; error_log {0}/nginx.log; events {{}}\nhttp {{ access_log off; \
                 client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; \
                 server {{ listen 80; location / {{ default_type text/html; return 200 '<title>Intranet</title>hello'; }} }} }}",
                self.folder.display()
            ),
        )
        .unwrap();
        self.lan.serve(&web, "nginx", &["-c", configuration.to_str().unwrap()], |h| h.listens_tcp(80));

        let media = self.lan.host("10.77.0.51/24", "00:11:22:00:00:51");
        let configuration = self.folder.join("minidlna.conf");
        std::fs::create_dir_all(self.folder.join("media")).unwrap();
        std::fs::write(
            &configuration,
            format!("network_interface=eth0\nport=8200\nmedia_dir={0}/media\ndb_dir={0}/db\nlog_dir={0}\nfriendly_name=Video Server\nnotify_interval=60\n", self.folder.display()),
        )
        .unwrap();
        let arguments = ["-S", "-f", configuration.to_str().unwrap(), "-P", "/dev/null"];
        self.lan.serve(&media, "minidlnad", &arguments, |h| h.listens_udp(1900));

        let windows = self.lan.host("10.77.0.52/24", "00:11:22:00:00:52");
        self.lan.serve(&windows, "wsdd", &["-i", "eth0", "-4", "-n", "OFFICE-PC"], |h| h.listens_udp(3702));

        self.lan.host("10.77.0.53/24", "00:11:22:00:00:53");
    }

    /// Runs the scanner in its namespace, as root or as nobody, and gives status, standard output and error.
    fn camscan(&self, as_root: bool, arguments: &[&str]) -> (Option<i32>, String, String) {
        let binary = self.binary.to_str().unwrap();
        let mut command = if as_root {
            self.scanner.command(binary, arguments)
        } else {
            let mut all = vec![
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--inh-caps=-all",
                "--bounding-set=-all",
                binary,
            ];
            all.extend(arguments);
            self.scanner.command("setpriv", &all)
        };
        command.env("CAMSCAN_CREDENTIAL", format!("admin:{PASSWORD}")).env("HOME", "/nonexistent").stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

fn needed() -> Vec<&'static str> {
    vec![PYTHON, "nginx", "minidlnad", "wsdd", "setpriv"]
}

#[test]
fn every_real_camera_is_found_and_nothing_else() {
    if !ns::possible(&needed()) {
        return;
    }
    let mut lab = Lab::new();
    let cameras = cameras();
    lab.start_cameras(&cameras);
    lab.start_others();
    for as_root in [true, false] {
        let (status, report, log) = lab.camscan(as_root, &["scan", "10.77.0.0/24", "-f", "json", "-vv"]);
        assert_eq!(status, Some(0), "{log}");
        assert!(!report.contains(PASSWORD) && !log.contains(PASSWORD), "the password shows");
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|e| panic!("{e}\n{report}\n{log}"));
        let devices = report["devices"].as_array().unwrap();
        let found: Vec<&str> = devices.iter().map(|d| d["ip"].as_str().unwrap()).collect();
        let expected: Vec<&str> = cameras.iter().map(|c| c.address).collect();
        assert_eq!(found, expected, "as root: {as_root}\n{report:#}");
        assert_eq!(report["scan"]["hosts_up"], 11, "as root: {as_root}");
        for (device, camera) in devices.iter().zip(&cameras) {
            check(device, camera);
        }
    }
}

fn check(device: &Value, camera: &Expected) {
    let wrong = |what: &str| format!("{}: {what}: {device:#}", camera.address);
    assert_eq!(device["kind"], "camera", "{}", wrong("kind"));
    assert_eq!(device["vendor"], "Hikvision", "{}", wrong("the MAC prefix's maker"));
    let streams = device["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 1, "{}", wrong("streams"));
    let (stream, expected) = (&streams[0], camera.stream);
    assert_eq!(stream["status"], "streaming", "{}", wrong("status"));
    assert_eq!(stream["open"], !expected.login, "{}", wrong("open"));
    let scheme = if camera.options.contains(&"--tls") { "rtsps" } else { "rtsp" };
    let port = if (scheme, camera.port) == ("rtsp", 554) || (scheme, camera.port) == ("rtsps", 322) {
        String::new()
    } else {
        format!(":{}", camera.port)
    };
    let url = stream["url"].as_str().unwrap().replace(":554/", "/").replace(":322/", "/");
    assert_eq!(url, format!("{scheme}://{}{port}{}", camera.address, camera.path), "{}", wrong("URL"));
    let transport = if camera.options.contains(&"--udp") { "udp" } else { "tcp" };
    assert_eq!(stream["transport"], transport, "{}", wrong("transport"));
    let video = &stream["video"];
    assert_eq!(video["codec"], expected.codec, "{}", wrong("codec"));
    assert_eq!(
        (video["width"].as_u64(), video["height"].as_u64()),
        (Some(expected.size.0), Some(expected.size.1)),
        "{}",
        wrong("size")
    );
    if let Some(profile) = expected.profile {
        assert_eq!(video["profile"], profile, "{}", wrong("profile"));
    }
    let measured = video["measured_fps"].as_f64().unwrap_or_else(|| panic!("{}", wrong("measured fps")));
    assert!((measured - expected.fps).abs() <= expected.fps * 0.2, "{}", wrong("measured fps"));
    let audio = &stream["audio"];
    match expected.audio {
        None => assert!(audio.is_null(), "{}", wrong("audio")),
        Some((codec, rate, channels)) => {
            assert_eq!(audio["codec"], codec, "{}", wrong("audio codec"));
            assert_eq!(
                (audio["sample_rate_hz"].as_u64(), audio["channels"].as_u64()),
                (Some(rate), Some(channels)),
                "{}",
                wrong("audio")
            );
        }
    }
    let steps: Vec<&str> = stream["ladder"].as_array().unwrap().iter().filter_map(|s| s["step"].as_str()).collect();
    assert!(steps.starts_with(&["tcp"]) && steps.contains(&"rtp"), "{}", wrong("ladder"));
}
