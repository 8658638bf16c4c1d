//! What a second scan of real servers asks of them, counted at the servers.

use std::collections::BTreeMap;

use camscan::history::stable::stable;
use camscan::model::{Device, Report, StreamStatus};
use serde_json::Value;

use crate::gentle::Watched;
use crate::ns::need;
use crate::trial::Skip;
use crate::{Lab, PASSWORD, PYTHON, aiortc, cameras, media_servers, script, servers};

const SCAN: [&str; 12] = [
    "scan",
    "10.77.0.0/24",
    "-f",
    "json",
    "--no-dns",
    "-vv",
    "--timeout",
    "20s",
    "--frame-timeout",
    "20s",
    "--host-timeout",
    "3m",
];

/// Cameras with ONVIF, one open and one that demands a login; a camera whose stream has to be guessed; and two that send
/// pictures over HTTP.
fn start(lab: &mut Lab) -> Vec<Watched> {
    let login = format!("admin:{PASSWORD}");
    let mut all = vec![
        Watched::start(lab, "10.77.0.20", None, cameras::SMALL),
        Watched::start(lab, "10.77.0.21", Some(&login), cameras::SMALL),
    ];
    let host = lab.lan.host("10.77.0.22", "44:19:b6:00:01:22");
    let arguments = [&script("gst_server.py"), "127.0.0.1", "1554", "/live", cameras::SMALL];
    lab.lan.serve(&host, PYTHON, &arguments, |h| h.listens_tcp(1554));
    all.push(Watched::relay(lab, &host, "10.77.0.22", &["554=1554"]));
    let host = lab.lan.host("10.77.0.32", "02:00:00:00:00:32");
    let arguments = ["--device", "/dev/null", "--host", "127.0.0.1", "--port", "1080"];
    lab.lan.serve(&host, "ustreamer", &arguments, |h| h.listens_tcp(1080));
    all.push(Watched::relay(lab, &host, "10.77.0.32", &["8080=1080"]));
    let host = lab.lan.host("10.77.0.33", "02:00:00:00:00:33");
    let film = lab.path("film.avi");
    let made = format!("-v error -f lavfi -i testsrc=size=320x240:rate=10 -t 10 -c:v mjpeg {film}");
    assert!(std::process::Command::new("ffmpeg").args(made.split_whitespace()).status().unwrap().success());
    let configuration = format!(
        "daemon off\nnetcam_url file://{film}\nwidth 320\nheight 240\nframerate 10\nstream_port 1081\nstream_maxrate 10\n\
         stream_localhost on\nwebcontrol_port 0\npicture_output off\nmovie_output off\ntarget_dir {}\n",
        lab.lan.folder().display()
    );
    let configuration = lab.write("motion.conf", configuration);
    lab.lan.serve(&host, "motion", &["-n", "-m", "-c", &configuration], |h| {
        // It listens before it has a picture.
        let read = "import urllib.request as r; r.urlopen('http://127.0.0.1:1081/', timeout=2).read(4000)";
        h.listens_tcp(1081) && h.run(PYTHON, &["-c", read]).status.success()
    });
    all.push(Watched::relay(lab, &host, "10.77.0.33", &["8081=1081"]));
    lab.lan.wait();
    all
}

/// Whether a request is one of those that prove a stream of the report: of its address, on its port.
fn proves(report: &Report, address: &str, request: &Value) -> bool {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let streams = report.devices.iter().filter(|d| d.ip.to_string() == address).flat_map(|device| &device.streams);
    let mut proved = streams.filter(|stream| stream.status == StreamStatus::Streaming);
    let is_method =
        matches!(text("method"), "OPTIONS" | "DESCRIBE" | "SETUP" | "PLAY" | "TEARDOWN" | "GET_PARAMETER" | "GET");
    is_method
        && proved.any(|stream| {
            let rest = stream.url.split("://").nth(1).unwrap();
            let path = rest.find('/').map_or("/", |at| &rest[at..]);
            let port = rest.split('/').next().unwrap().rsplit(':').next().unwrap().parse().ok();
            let asked = text("target");
            let asked = asked.split("://").nth(1).map_or(asked, |rest| rest.find('/').map_or("/", |at| &rest[at..]));
            let is_rtsp = stream.url.starts_with("rtsp");
            request["port"].as_u64() == port
                && (asked == path || is_rtsp && asked.starts_with(&format!("{}/", path.trim_end_matches('/'))))
        })
}

/// A scan that is remembered, and how often each camera was asked anything: to prove its streams, and otherwise.
fn scan(lab: &Lab, cameras: &[Watched], more: &[&str]) -> (Report, BTreeMap<&'static str, (usize, usize)>) {
    cameras.iter().for_each(Watched::forget);
    let store = format!("--store={}", lab.path("store.sqlite"));
    let arguments: Vec<&str> = SCAN.iter().copied().chain([store.as_str()]).chain(more.iter().copied()).collect();
    let said = lab.camscan(true, &arguments);
    let report: Report = serde_json::from_value(said.json(0)).unwrap();
    said.log.lines().filter(|line| line.contains("analysed in full")).for_each(|line| println!("{line}"));
    let counted = cameras.iter().map(|camera| {
        let events = camera.events();
        let requests: Vec<&Value> = events.iter().filter(|event| event["what"] == "request").collect();
        let proofs = requests.iter().filter(|request| proves(&report, camera.address, request)).count();
        (camera.address, (proofs, requests.len() - proofs))
    });
    let counted = counted.collect();
    (report, counted)
}

fn of<'r>(report: &'r Report, camera: &Watched) -> &'r Device {
    report.devices.iter().find(|device| device.ip.to_string() == camera.address).unwrap()
}

pub fn an_unchanged_lab_is_asked_little_more_than_its_streams() -> Result<(), Skip> {
    need(&[PYTHON, "ffmpeg", "ustreamer", "motion"])?;
    let mut lab = Lab::new();
    let cameras = start(&mut lab);
    let (first, asked_first) = scan(&lab, &cameras, &[]);
    let (second, asked_then) = scan(&lab, &cameras, &[]);
    let (fresh, asked_fresh) = scan(&lab, &cameras, &["--fresh"]);
    for camera in &cameras {
        let at = camera.address;
        println!(
            "{at}: requests to prove streams and others: {:?} in the first scan, {:?} in the second, {:?} with --fresh",
            asked_first[at], asked_then[at], asked_fresh[at]
        );
    }
    for camera in &cameras {
        let at = camera.address;
        let (before, after) = (of(&first, camera), of(&second, camera));
        assert!(before.streams.iter().any(|s| s.status == StreamStatus::Streaming), "{at}: {before:#?}");
        assert!(before.analysed_at.is_none() && of(&fresh, camera).analysed_at.is_none());
        let lines = |device: &Device| serde_json::to_string_pretty(&stable(device)).unwrap();
        let (before, then) = (lines(before), lines(after));
        let gone = before.lines().filter(|line| !then.contains(line)).map(|line| format!("- {line}"));
        let new = then.lines().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
        let differences = gone.chain(new).collect::<Vec<_>>().join("\n");
        assert_eq!(after.analysed_at, Some(first.scan.started_at), "{at} was analysed again: {differences}\n{before}");
        assert!(before == then, "{at}: {differences}\n{before}\n{then}");
    }
    let others = |asked: &BTreeMap<&str, (usize, usize)>| asked.values().map(|(_, others)| others).sum::<usize>();
    let (then, now) = (others(&asked_first), others(&asked_then));
    println!("{then} requests that prove no stream in the first scan, {now} in the second");
    assert!(then > 0 && now * 5 <= then, "{asked_first:?} {asked_then:?}");
    Ok(())
}

/// Streams by RTMP, HLS, DASH and WebRTC are played in a second scan as in a first one, and nothing but that is done.
pub fn streams_of_other_protocols_are_only_played_as_well() -> Result<(), Skip> {
    need(&["nginx", "ffmpeg", servers::RTMP_MODULE])?;
    let python = aiortc()?;
    let mut lab = Lab::new();
    servers::nginx_rtmp(&mut lab, ("10.77.0.30", "02:00:00:00:00:30"), "media-server", "stream", "");
    media_servers::aiortc_sender(&mut lab, &python);
    lab.lan.wait();
    let (first, _) = scan(&lab, &[], &[]);
    let (second, _) = scan(&lab, &[], &[]);
    let streams = |report: &Report| {
        let streams = report.devices.iter().flat_map(|device| &device.streams);
        let mut all: Vec<_> =
            streams.map(|stream| (stream.protocol.as_str(), stream.url.clone(), stream.status)).collect();
        all.sort_by(|a, b| a.1.cmp(&b.1));
        all
    };
    let found = streams(&first);
    for protocol in ["rtmp", "hls", "dash", "webrtc"] {
        let is_proved =
            |stream: &&(&str, String, StreamStatus)| (stream.0, stream.2) == (protocol, StreamStatus::Streaming);
        assert!(found.iter().any(|stream| is_proved(&stream)), "{protocol}: {found:#?}");
    }
    assert_eq!(found, streams(&second));
    for device in &second.devices {
        assert_eq!(device.analysed_at, Some(first.scan.started_at), "{} was analysed again", device.ip);
        let measured = |stream: &camscan::model::Stream| stream.video.as_ref().and_then(|video| video.measured_fps);
        assert!(device.streams.iter().all(|stream| measured(stream).is_some()), "{device:#?}");
    }
    Ok(())
}
