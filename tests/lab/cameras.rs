//! Cameras that speak RTSP: GStreamer's server with one mount each.

use serde_json::{Value, json};

use crate::ns::Host;
use crate::{Lab, PASSWORD, PYTHON, Place, script};

pub const H264: &str = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=1280,height=720,framerate=25/1 \
    ! x264enc tune=zerolatency speed-preset=superfast key-int-max=25 bitrate=600 ! video/x-h264,profile=high \
    ! rtph264pay name=pay0 pt=96 config-interval=1 \
    audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=16000,channels=1 ! avenc_aac bitrate=24000 ! rtpmp4gpay name=pay1 pt=97";
const H264_CROPPED: &str = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=1920,height=1080,framerate=5/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=5 bitrate=600 ! video/x-h264,profile=constrained-baseline \
    ! rtph264pay name=pay0 pt=96 config-interval=1 \
    audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1";
const H265: &str = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=640,height=480,framerate=15/1 \
    ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=400 ! video/x-h265,profile=main \
    ! rtph265pay name=pay0 pt=96 config-interval=1 \
    audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1";
/// One that costs little.
pub const SMALL: &str = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=10/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 bitrate=200 ! rtph264pay name=pay0 pt=96 config-interval=1";
const MJPEG: &str = "videotestsrc is-live=true ! video/x-raw,format=I420,width=640,height=480,framerate=10/1 ! jpegenc \
    ! rtpjpegpay name=pay0 pt=26";
const SOUND: &str =
    "audiotestsrc is-live=true wave=silence ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay0";

struct Camera {
    number: u8,
    port: u16,
    options: &'static [&'static str],
    path: &'static str,
    pipeline: &'static str,
    video: Value,
    audio: Value,
}

fn cameras() -> Vec<Camera> {
    let camera = |number, port, options, path, pipeline, video: &Value, audio: &Value| {
        let (video, audio) = (video.clone(), audio.clone());
        Camera { number, port, options, path, pipeline, video, audio }
    };
    let video = |codec: &str, profile: Value, (width, height): (u32, u32), fps: f64| json!({"codec": codec, "profile": profile, "width": width, "height": height, "measured_fps": fps});
    let audio = |codec: &str, rate: u32| json!({"codec": codec, "sample_rate_hz": rate, "channels": 1});
    let h264 = video("h264", json!("High"), (1280, 720), 25.0);
    let cropped = video("h264", json!("Constrained Baseline"), (1920, 1080), 5.0);
    let h265 = video("h265", json!("Main"), (640, 480), 15.0);
    let mjpeg = video("mjpeg", Value::Null, (640, 480), 10.0);
    let aac = audio("aac", 16000);
    vec![
        camera(10, 554, &[], "/stream1", H264, &h264, &aac),
        camera(11, 8554, &["--digest"], "/live", H265, &h265, &audio("pcma", 8000)),
        camera(12, 554, &["--basic"], "/Streaming/Channels/101", H264_CROPPED, &cropped, &audio("pcmu", 8000)),
        camera(13, 554, &[], "/live.sdp", MJPEG, &mjpeg, &Value::Null),
        camera(14, 322, &["--tls"], "/h264", H264, &h264, &aac),
        camera(15, 10554, &["--udp"], "/mpeg4/media.amp", MJPEG, &mjpeg, &Value::Null),
    ]
}

impl Camera {
    fn expected(&self) -> Value {
        let scheme = if self.options.contains(&"--tls") { "rtsps" } else { "rtsp" };
        let is_locked = self.options.iter().any(|o| ["--digest", "--basic"].contains(o));
        json!({
            // The maker of the MAC's prefix.
            "kind": "camera", "vendor": "Hikvision", "state": "online",
            "streams": [{
                "protocol": scheme,
                "url": format!("{scheme}://10.77.0.{}:{}{}", self.number, self.port, self.path),
                "transport": if self.options.contains(&"--udp") { "udp" } else { "tcp" },
                "status": "streaming", "open": !is_locked, "error": null,
                "video": self.video, "audio": self.audio,
            }],
        })
    }
}

/// Starts one server for a camera at an address.
pub fn serve(lab: &mut Lab, address: &str, mac: &str, port: u16, arguments: &[&str]) -> Host {
    let host = lab.lan.host(address, mac);
    let (script, log, port_text) = (script("gst_server.py"), sessions(lab, address), port.to_string());
    let all = [&[script.as_str(), address, &port_text, "--log", &log], arguments].concat();
    lab.lan.serve(&host, PYTHON, &all, move |h| h.listens_tcp(port));
    host
}

/// Where a camera writes down what is played and taken down.
fn sessions(lab: &Lab, address: &str) -> String {
    lab.path(&format!("sessions-{address}.log"))
}

/// How often a camera was played, and how often taken down.
pub fn played(lab: &Lab, address: &str) -> (usize, usize) {
    let log = std::fs::read_to_string(sessions(lab, address)).unwrap_or_default();
    let count = |word: &str| log.lines().filter(|l| l.starts_with(word)).count();
    (count("play "), count("teardown "))
}

pub fn start(lab: &mut Lab) -> Vec<Place> {
    let made = rcgen::generate_simple_self_signed(vec!["camera.local".to_owned()]).unwrap();
    let certificate = lab.write("certificate.pem", made.cert.pem());
    let key = lab.write("key.pem", made.signing_key.serialize_pem());
    let mut places = Vec::new();
    for camera in cameras() {
        let (address, login) = (format!("10.77.0.{}", camera.number), format!("admin:{PASSWORD}"));
        let mut arguments: Vec<&str> = match camera.options.first() {
            Some(&"--tls") => vec!["--tls", &certificate, &key],
            Some(&"--udp") => vec!["--udp"],
            Some(option) => vec![*option, &login],
            None => vec![],
        };
        arguments.extend([camera.path, camera.pipeline]);
        serve(lab, &address, &format!("44:19:b6:00:00:{:02x}", camera.number), camera.port, &arguments);
        places.push(Place::new(address, camera.expected()));
    }
    // Sound alone is a stream, and a server of it no camera.
    serve(lab, "10.77.0.16", "02:00:00:00:00:16", 554, &["/stream1", SOUND]);
    let sound = json!({"protocol": "rtsp", "url": "rtsp://10.77.0.16:554/stream1", "status": "streaming", "error": null,
                       "video": null, "audio": {"codec": "pcmu", "sample_rate_hz": 8000, "measured_kbps": 64.0}});
    places.push(Place::unlisted("10.77.0.16", json!({"kind": "other", "streams": [sound]})));
    places
}
