//! A recorder and the cameras behind its channels, in the formats people read.

use serde_json::{Value, json};

use super::env::TestEnv;

fn device(ip: &str, kind: &str, channels: Value, streams: &[(u32, &str)]) -> Value {
    let stream = |&(channel, path): &(u32, &str)| {
        json!({
            "url": format!("rtsp://{ip}:554{path}"), "protocol": "rtsp", "transport": "tcp", "channel": channel,
            "status": "streaming", "video": { "codec": "h264", "width": 1920, "height": 1080 },
            "sources": [], "ladder": []
        })
    };
    json!({
        "id": format!("ip:{ip}"), "ip": ip, "addresses": [ip], "kind": kind, "confidence": 0.9, "discovered_by": ["arp"],
        "state": "online", "first_seen": "2026-11-21T08:00:00Z", "last_seen": "2026-11-21T08:00:01Z", "services": [],
        "streams": streams.iter().map(stream).collect::<Vec<_>>(), "channels": channels, "evidence": [], "errors": []
    })
}

/// As a scan writes them, device by device, before all are known.
fn lines() -> String {
    let listed = json!([
        { "number": 1, "name": "Gate", "address": "10.0.5.11" },
        { "number": 2, "name": "Yard", "address": "192.168.254.2" },
        { "number": 3, "name": "Stairs", "address": "10.0.5.13" }
    ]);
    let recorder = device(
        "10.0.5.2",
        "recorder",
        listed,
        &[(1, "/ch1/main"), (2, "/ch2/main"), (3, "/ch3/main"), (3, "/ch3/sub")],
    );
    let cameras = ["10.0.5.11", "10.0.5.13"].map(|ip| device(ip, "camera", json!([]), &[(1, "/live")]));
    let scan = json!({ "scan": {
        "camscan_version": "0.1.0", "started_at": "2026-11-21T08:00:00Z", "finished_at": "2026-11-21T08:00:02Z",
        "duration_ms": 2000, "status": "complete", "targets": ["10.0.5.0/24"], "addresses": 254, "hosts_up": 3,
        "methods": ["arp"]
    } });
    [vec![recorder], cameras.to_vec(), vec![scan]].concat().iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_camera_behind_a_recorder_is_listed_once() {
    let env = TestEnv::new();
    env.write("site.jsonl", lines());
    let table = env.run("export site.jsonl -f table").success().out;
    insta::assert_snapshot!(table, @"
    ADDRESS    DEVICE          KIND      STREAM  STATUS       VIDEO       SIZE  URL
    10.0.5.2   not recognised  recorder  2       ✓ streaming  H.264  1920×1080  rtsp://10.0.5.2:554/ch2/main
        channel 1 is 10.0.5.11, channel 3 is 10.0.5.13
    10.0.5.11  not recognised  camera    1       ✓ streaming  H.264  1920×1080  rtsp://10.0.5.11:554/live
        also channel 1 of 10.0.5.2
    10.0.5.13  not recognised  camera    1       ✓ streaming  H.264  1920×1080  rtsp://10.0.5.13:554/live
        also channel 3 of 10.0.5.2

    3 devices: 3 streaming
    3 of 254 addresses answered in 2.0 s
    ");
    let csv = env.run("export site.jsonl -f csv").success().out;
    let column = csv.lines().next().unwrap().split(',').position(|name| name == "camera").unwrap();
    let camera: Vec<(&str, &str)> =
        csv.lines().map(|line| (line.split(',').next().unwrap(), line.split(',').nth(column).unwrap())).collect();
    assert_eq!(
        camera,
        [
            ("ip", "camera"),
            ("10.0.5.2", "ip:10.0.5.11"),
            ("10.0.5.2", ""),
            ("10.0.5.2", "ip:10.0.5.13"),
            ("10.0.5.2", "ip:10.0.5.13"),
            ("10.0.5.11", ""),
            ("10.0.5.13", ""),
        ]
    );
    let json = env.run("export site.jsonl -f json").success().json();
    assert_eq!(json["devices"][2]["shown_by"], json!([{ "recorder": "ip:10.0.5.2", "ip": "10.0.5.2", "channel": 3 }]));
    env.write("site.json", json.to_string());
    assert_eq!(env.run("export site.json -f json").success().json(), json, "exported again it is the same");
    let playlist = env.run("export site.jsonl -f m3u").success().out;
    let urls: Vec<&str> = playlist.lines().filter(|line| line.starts_with("rtsp")).collect();
    assert_eq!(urls, ["rtsp://10.0.5.2:554/ch2/main", "rtsp://10.0.5.11:554/live", "rtsp://10.0.5.13:554/live"]);
}
