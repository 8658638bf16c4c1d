//! What a player sees: every probe of a stream that plays says so, and camscan and ffprobe agree about every stream there is.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::compare::differences;
use crate::ns::{Host, need};
use crate::trial::Skip;
use crate::{Lab, PASSWORD, PYTHON, Place, cameras, device, servers};

/// Picture and sound from sources that are not live, as a file's are. Asked for the picture alone, GStreamer's server
/// answers PLAY and in a quarter of the tries sends nothing.
const BOTH: &str = "videotestsrc pattern=ball ! video/x-raw,width=320,height=240,framerate=10/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 bitrate=200 ! rtph264pay name=pay0 pt=96 config-interval=1 \
    audiotestsrc wave=silence ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1";

/// The camera of [`multicast`], and the group it sends to.
const MULTICAST: &str = "10.77.0.18";
const GROUP: &str = "239.77.0.1";

/// A camera that serves by multicast alone.
pub fn multicast(lab: &mut Lab) -> Place {
    cameras::serve(lab, MULTICAST, "02:00:00:00:00:18", 554, &["--multicast", GROUP, "5000", "/stream1", BOTH]);
    let stream = json!({
        "protocol": "rtsp", "url": format!("rtsp://{MULTICAST}:554/stream1"), "transport": "udp",
        "status": "streaming", "open": true, "error": null,
        "video": {"codec": "h264", "width": 320, "height": 240, "measured_fps": 10.0},
        "audio": {"codec": "pcmu", "sample_rate_hz": 8000, "channels": 1},
    });
    Place::new(MULTICAST, json!({"streams": [stream]}))
}

/// VLC, which repeats a film of four seconds and numbers its tracks anew each time; it speaks UDP only.
pub fn vlc(lab: &mut Lab) -> Place {
    let address = "10.77.0.19";
    let host = lab.lan.host(address, "02:00:00:00:00:19");
    let (film, home) = (lab.path("film.ts"), lab.path("vlc"));
    let made = format!(
        "-v error -f lavfi -i testsrc=size=320x240:rate=10 -f lavfi -i anoisesrc=r=16000:a=0.01 -t 4 -c:v libx264 \
         -preset ultrafast -pix_fmt yuv420p -g 10 -c:a aac -ac 1 {film}"
    );
    assert!(Command::new("ffmpeg").args(made.split_whitespace()).status().unwrap().success());
    std::fs::create_dir(&home).unwrap();
    Command::new("chmod").args(["777", &home]).status().unwrap();
    let sout = format!("#rtp{{sdp=rtsp://{address}:8554/live}}");
    // It does not run as root.
    let (home, user) = (format!("HOME={home}"), ["--reuid=65534", "--regid=65534", "--clear-groups", "env"]);
    let player = ["vlc", "-I", "dummy", "--loop", &film, "--sout", &sout, "--sout-keep"];
    let all = [&user[..], &[&home], &player].concat();
    lab.lan.serve(&host, "setpriv", &all, |h| h.listens_tcp(8554));
    let stream = json!({"protocol": "rtsp", "status": "streaming", "transport": "udp", "video": {"codec": "h264"}});
    Place::new(address, json!({"streams": [stream]}))
}

/// Mounts with sound: by TCP and UDP, with and without a login, with one pipeline for all and one for each client.
fn mounts(lab: &mut Lab) -> Vec<String> {
    let login = format!("admin:{PASSWORD}");
    let mut addresses = Vec::new();
    for (number, transport, access, sharing) in (0..8).map(|n: usize| (n, n & 1, n >> 1 & 1, n >> 2 & 1)) {
        let address = format!("10.77.0.{}", 40 + number);
        let mut arguments: Vec<&str> = Vec::new();
        arguments.extend((transport == 1).then_some("--udp"));
        arguments.extend(if access == 1 { vec!["--digest", &login] } else { vec![] });
        arguments.extend((sharing == 1).then_some("--unshared"));
        arguments.extend(["/stream1", BOTH]);
        cameras::serve(lab, &address, &format!("44:19:b6:00:02:{number:02x}"), 554, &arguments);
        addresses.push(address);
    }
    addresses
}

/// Scans a network of such mounts and of hosts without any service, again and again.
fn every_probe_streams(rounds: usize) -> Result<(), Skip> {
    need(&[PYTHON])?;
    let mut lab = Lab::new();
    let addresses = mounts(&mut lab);
    for number in 0..40 {
        lab.lan.host(&format!("10.77.0.{}", 80 + number), &format!("02:00:00:00:01:{number:02x}"));
    }
    lab.lan.wait();
    let mut wrong = Vec::new();
    for round in 1..=rounds {
        let report = lab
            .camscan(
                true,
                &["scan", "10.77.0.0/25", "-p", "554", "-f", "json", "--measure-time", "500ms", "--ffprobe", "never"],
            )
            .json(0);
        for (number, address) in addresses.iter().enumerate() {
            let stream = device(&report, address).map_or(&Value::Null, |d| &d["streams"][0]);
            let expected = json!({
                "status": "streaming", "transport": if number & 1 == 1 { "udp" } else { "tcp" }, "error": null,
                "video": {"codec": "h264", "width": 320, "height": 240}, "audio": {"codec": "pcmu"},
            });
            let mut differences = differences(&expected, stream);
            // Both came, and at the first try.
            if stream["audio"]["measured_packets"].as_u64().unwrap_or(0) == 0 {
                differences.push("no sound came".to_owned());
            }
            let ladder = stream["ladder"].as_array().cloned().unwrap_or_default();
            if ladder.iter().any(|step| !step["way"].is_null()) {
                differences.push("it took more than one way".to_owned());
            }
            if !differences.is_empty() {
                wrong.push(format!("round {round}, {address}: {}\n{stream:#}", differences.join("; ")));
            }
        }
    }
    for address in &addresses {
        let (played, taken_down) = cameras::played(&lab, address);
        if played != rounds || taken_down != rounds {
            wrong.push(format!("{address}: {played} played and {taken_down} taken down in {rounds} rounds"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rounds * addresses.len(), wrong.join("\n"));
    Ok(())
}

pub fn every_probe_of_a_mount_with_sound_streams() -> Result<(), Skip> {
    every_probe_streams(5)
}

/// 200 probes; some minutes.
pub fn each_of_two_hundred_probes_of_a_mount_with_sound_streams() -> Result<(), Skip> {
    every_probe_streams(25)
}

pub fn ffprobe_and_camscan_see_the_same_streams() -> Result<(), Skip> {
    let needed = [&servers::NEEDED[..], &[PYTHON, "ffprobe", "vlc", "setpriv"]].concat();
    need(&needed)?;
    let mut lab = Lab::new();
    let mut places = cameras::start(&mut lab);
    places.extend(servers::start(&mut lab));
    places.push(multicast(&mut lab));
    places.push(vlc(&mut lab));
    lab.lan.wait();
    let mut wrong = Vec::new();
    for round in 1..=2 {
        let arguments = ["scan", "10.77.0.0/24", "-f", "json", "--all", "--ports", "wide,8088", "--ffprobe", "never"];
        let patient = ["--timeout", "20s", "--frame-timeout", "20s", "--host-timeout", "3m"];
        let report = lab.camscan(true, &[&arguments[..], &patient].concat()).json(0);
        let scanner = &lab.scanner;
        // One stream of a device at a time, as camscan does it.
        let said: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = places
                .iter()
                .map(|place| {
                    let found = device(&report, &place.address);
                    scope.spawn(move || said_of(scanner, place, found))
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        wrong.extend(said.into_iter().map(|what| format!("round {round}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What camscan and ffprobe do not agree about at a host.
fn said_of(scanner: &Host, place: &Place, found: Option<&Value>) -> Vec<String> {
    let expected = place.expected["streams"].as_array().map_or(0, Vec::len);
    let streams = found.and_then(|device| device["streams"].as_array()).cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    let group = streams.first().and_then(|s| s["multicast"].as_str()).and_then(|group| group.split(':').next());
    if group != (place.address == MULTICAST).then_some(GROUP) {
        wrong.push(format!("{} is said to send to {group:?}", place.address));
    }
    if streams.len() != expected {
        wrong.push(format!("{} has {expected} streams, {} are told", place.address, streams.len()));
    }
    for stream in &streams {
        let said = disagreements(scanner, stream).into_iter();
        wrong.extend(said.map(|what| format!("{}: {what}\n{stream:#}", stream["url"])));
    }
    wrong
}

/// Where ffprobe, asked twice, sees a stream otherwise than camscan.
fn disagreements(scanner: &Host, stream: &Value) -> Vec<String> {
    // ffprobe speaks no WHEP, and takes a manifest as a whole, of which the stream is a part.
    let protocol = stream["protocol"].as_str().unwrap_or_default();
    if protocol == "webrtc" || protocol == "dash" {
        return Vec::new();
    }
    (0..2).flat_map(|_| compared(stream, &ffprobe(scanner, stream))).collect()
}

/// The streams ffprobe sees; it plays as camscan did.
fn ffprobe(scanner: &Host, stream: &Value) -> Vec<Value> {
    let mut url = stream["url"].as_str().unwrap_or_default().to_owned();
    if stream["open"] == false {
        url = url.replacen("://", &format!("://admin:{PASSWORD}@"), 1);
    }
    let entries = "stream=codec_type,codec_name,width,height,avg_frame_rate,r_frame_rate,sample_rate";
    let mut arguments = vec!["20", "ffprobe", "-v", "error", "-of", "json", "-show_entries", entries];
    if url.starts_with("rtsp") {
        let is_multicast = stream["multicast"].is_string();
        let transport = stream["transport"].as_str().unwrap_or("tcp");
        arguments.extend(["-rtsp_transport", if is_multicast { "udp_multicast" } else { transport }]);
    }
    arguments.push(&url);
    // An HLS playlist is opened when its next segment is there, and over UDP a player that begins late has no size to tell.
    let mut seen = Vec::new();
    for _ in 0..3 {
        let output = scanner.command("timeout", &arguments).stdin(Stdio::null()).output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        seen = said["streams"].as_array().cloned().unwrap_or_default();
        let has_size = |s: &Value| s["codec_type"] != "video" || s["width"].as_u64().is_some_and(|width| width > 0);
        if !seen.is_empty() && seen.iter().all(has_size) {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    seen
}

fn compared(stream: &Value, seen: &[Value]) -> Vec<String> {
    let of = |kind: &str| seen.iter().find(|s| s["codec_type"] == kind);
    let (video, audio) = (of("video"), of("audio"));
    let mut found = Vec::new();
    let is_streaming = stream["status"] == "streaming";
    if is_streaming == seen.is_empty() {
        found.push(format!("{} says camscan, and ffprobe sees {seen:?}", stream["status"]));
        return found;
    }
    if !is_streaming {
        return found;
    }
    for (what, ours, theirs) in [("picture", &stream["video"], video), ("sound", &stream["audio"], audio)] {
        let name = theirs.and_then(|t| t["codec_name"].as_str()).map(codec);
        if ours["codec"].as_str() != name {
            found.push(format!("the {what} is {} to camscan and {name:?} to ffprobe", ours["codec"]));
        }
    }
    let Some(video) = video else { return found };
    for field in ["width", "height"] {
        if stream["video"][field] != video[field] {
            found.push(format!("{field}: {} to camscan, {} to ffprobe", stream["video"][field], video[field]));
        }
    }
    if let (Some(ours), Some(theirs)) = (stream["video"]["measured_fps"].as_f64(), rate(&video["avg_frame_rate"]))
        && (ours - theirs).abs() > (theirs * 0.25).max(1.0)
    {
        found.push(format!("{ours} frames a second to camscan, {theirs} to ffprobe"));
    }
    if let Some(audio) = audio
        && let (Some(ours), Some(theirs)) = (stream["audio"]["sample_rate_hz"].as_u64(), audio["sample_rate"].as_str())
        && ours.to_string() != theirs
    {
        found.push(format!("{ours} Hz to camscan, {theirs} to ffprobe"));
    }
    found
}

/// A codec by the report's name.
fn codec(name: &str) -> &str {
    match name {
        "hevc" => "h265",
        "pcm_alaw" => "pcma",
        "pcm_mulaw" => "pcmu",
        other => other,
    }
}

/// `25/1`; none where ffprobe could not tell.
fn rate(value: &Value) -> Option<f64> {
    let (number, divisor) = value.as_str()?.split_once('/')?;
    let rate = number.parse::<f64>().ok()? / divisor.parse::<f64>().ok()?;
    Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0)
}

pub fn a_disagreement_is_found() {
    let stream = |status: &str, width: u32, audio: Value| {
        let video = json!({"codec": "h265", "width": width, "height": 240, "measured_fps": 10.0});
        json!({"status": status, "video": video, "audio": audio})
    };
    let picture =
        json!({"codec_type": "video", "codec_name": "hevc", "width": 320, "height": 240, "avg_frame_rate": "10/1"});
    let sound = json!({"codec_type": "audio", "codec_name": "pcm_alaw", "sample_rate": "8000"});
    let pcma = json!({"codec": "pcma", "sample_rate_hz": 8000});
    let both = [picture.clone(), sound];
    for (ours, theirs, count) in [
        (stream("streaming", 320, pcma.clone()), &both[..], 0),
        (stream("no_data", 320, Value::Null), &[], 0),
        (stream("no_data", 320, pcma.clone()), &both, 1),
        (stream("streaming", 320, pcma.clone()), &[], 1),
        (stream("streaming", 640, pcma.clone()), &both, 1),
        (stream("streaming", 320, Value::Null), &both, 1),
        (stream("streaming", 320, pcma), &[picture], 1),
    ] {
        assert_eq!(compared(&ours, theirs).len(), count, "{ours} {theirs:?}");
    }
}
