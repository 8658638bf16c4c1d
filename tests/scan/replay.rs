//! A device that is recorded, made anonymous, written, read and replayed is found as the device was: field by field, but
//! for what was replaced and what is measured.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use camscan::identify::signature::Signatures;
use camscan::kit::anonymise::{Anonymiser, Known};
use camscan::kit::{self, format};
use camscan::model::options::Ffprobe;
use camscan::model::{Credential, HostTarget, ProbeOptions, Report, ScanPlan, StreamStatus, TargetSet};
use camscan::net::record::{Recorder, RecordingNet};
use camscan::net::{Net, RealNet};
use camscan::replay::{Replay, Wish};
use camscan::scan::session::Session;
use camscan::scan::{Scan, single};
use camscan::testkit::plan::plan_for;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

#[path = "../../examples/demo/cast.rs"]
mod cast;

const LOGIN: (&str, &str) = ("viewer", "demo-password");

/// The simulated devices have addresses of their own.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What is measured, or is a time.
const MEASURED: [&str; 12] = [
    "measured_fps",
    "measured_kbps",
    "measured_packets",
    "bitrate_kbps",
    "keyframe_interval_s",
    "ms",
    "first_seen",
    "last_seen",
    "analysed_at",
    "clock_ahead_s",
    "certificate_ends",
    "uid",
];

fn plan_of(ip: IpAddr, (user, password): (&str, &str)) -> ScanPlan {
    let host = HostTarget { ip, name: None, zone: None, ports: Vec::new() };
    let probe = ProbeOptions {
        credentials: vec![Credential::new(user, password)],
        ffprobe: Ffprobe::Never,
        in_depth: true,
        ports: vec![554, 5554, 8000, 8080, 8081, 8554, 10554],
        ..ProbeOptions::default()
    };
    ScanPlan { all: true, probe, ..plan_for(TargetSet::new(vec![ip.to_string()], [], vec![host], &[])) }
}

async fn look(net: Arc<dyn Net>, ip: IpAddr, login: (&str, &str)) -> Report {
    let session = Session::new(net, Signatures::builtin(), Timestamp::now, 512);
    let known = vec![single::host(ip)];
    let scan = Scan { session, plan: Arc::new(plan_of(ip, login)), known, cancel: CancellationToken::new() };
    scan.run(|_: &_| {}).await
}

/// A report without what is measured, with one name for the device's address.
fn comparable(report: &Report, ip: &str, replaced: Option<&mut Anonymiser>) -> Value {
    let mut text = serde_json::to_string(&report.devices).unwrap();
    if let Some(anonymiser) = replaced {
        text = anonymiser.text_of(&text);
    }
    let mut value = serde_json::from_str(&text.replace(ip, "HERE")).unwrap();
    strip(&mut value);
    value
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|name, _| !MEASURED.contains(&name.as_str()));
            entries.values_mut().for_each(strip);
            // The time of day and the ports of a session are others, and an address may be longer.
            let named = entries.get("name").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
            if ["date", "content-length", "transport"].contains(&named.as_str()) {
                entries.remove("value");
            }
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Where two values differ, and how.
fn differences(before: &Value, after: &Value, at: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            for name in names {
                let of = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
                differences(&of(a), &of(b), &format!("{at}.{name}"), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(n, (a, b))| differences(a, b, &format!("{at}[{n}]"), found));
        }
        _ if before != after => found.push(format!("{at}: {before} -> {after}")),
        _ => {}
    }
}

/// Records what is at an address, replays it, and compares what a scan makes of both.
async fn replayed(ip: IpAddr) -> (Vec<String>, Vec<u8>, Report) {
    let recorder = Recorder::new();
    recorder.listen_to(ip);
    let began = Timestamp::now().as_second();
    let before = look(RecordingNet::new(RealNet::new(), recorder.clone()), ip, LOGIN).await;
    let logins = vec![(LOGIN.0.to_owned(), LOGIN.1.to_owned())];
    let known = Known { logins, ..Known::of_device(ip, before.devices.first()) };
    let (kit, mut anonymiser) = kit::make(&recorder.recording(), &known, began);
    let bytes = format::write(&kit).unwrap();
    let read = format::read(&bytes).unwrap();
    assert_eq!(read, kit, "what was written is read");
    let device = kit.manifest.device.unwrap().to_string();
    let login = if kit.manifest.login { format::LOGIN } else { LOGIN };
    let replay = Replay::start(read, &Wish::default(), RealNet::new(), || Timestamp::now().as_second()).await.unwrap();
    let after = look(RealNet::new(), replay.ip, login).await;
    let mut found = Vec::new();
    let of_device = comparable(&before, &device, Some(&mut anonymiser));
    differences(&of_device, &comparable(&after, &replay.ip.to_string(), None), "", &mut found);
    (found, bytes, before)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_of_each_simulated_device_is_found_as_the_device() {
    let _alone = ALONE.lock().await;
    let _cast = cast::start().await.unwrap();
    let mut wrong = Vec::new();
    for last in 11..=17 {
        let ip = IpAddr::from([127, 77, 0, last]);
        let (found, bytes, before) = replayed(ip).await;
        wrong.extend(found.into_iter().map(|line| format!("{ip}{line}")));
        let expected =
            cast::EXPECTED.iter().find(|(of, _)| *of == ip.to_string()).map_or(0, |(_, streams)| streams.len());
        assert_eq!(before.devices.first().map_or(0, |d| d.streams.len()), expected, "{ip}: the recording itself");
        let text = String::from_utf8_lossy(&bytes);
        for secret in [&ip.to_string(), "demo-password", "viewer", "Acme-00", "7d1f5c3a-2b9e", "nobody knows"] {
            assert!(!text.contains(secret), "{ip}: {secret} is in the kit");
        }
        assert!(bytes.len() < 3 << 20, "{ip}: the kit has {} bytes", bytes.len());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_lets_in_whoever_has_its_login_and_nobody_else() {
    let _alone = ALONE.lock().await;
    let _cast = cast::start().await.unwrap();
    let ip = IpAddr::from([127, 77, 0, 12]);
    let recorder = Recorder::new();
    recorder.listen_to(ip);
    let before = look(RecordingNet::new(RealNet::new(), recorder.clone()), ip, LOGIN).await;
    let known = Known::of_device(ip, before.devices.first());
    let (kit, _) = kit::make(&recorder.recording(), &known, Timestamp::now().as_second());
    let replay = Replay::start(kit, &Wish::default(), RealNet::new(), || Timestamp::now().as_second()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    for (login, status) in [
        (LOGIN, StreamStatus::AuthRequired),
        (("kit", "wrong"), StreamStatus::AuthRequired),
        (format::LOGIN, StreamStatus::Streaming),
    ] {
        let report = look(RealNet::new(), replay.ip, login).await;
        let streams = &report.devices.first().unwrap().streams;
        assert!(!streams.is_empty() && streams.iter().all(|s| s.status == status), "{login:?}: {streams:#?}");
    }
}
