//! Recorders and their cameras on one link: real streams, and what the recorders list of their channels behind a login.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use camscan::testkit::fleet::clip::Clip;
use camscan::testkit::fleet::{Camera, Fleet, Login};
use serde_json::{Value, json};

use crate::cameras::SMALL;
use crate::ns::{Host, need};
use crate::trial::Skip;
use crate::{Lab, PASSWORD, PYTHON, Said, device, script};

/// The cameras: last part of the address, and the size of the picture, by which their parameter sets differ.
const CAMERAS: [(u8, &str); 3] =
    [(11, "width=320,height=240"), (12, "width=352,height=288"), (13, "width=480,height=272")];
/// A camera that no scan reaches.
const ELSEWHERE: &str = "192.168.254.4";
const TARGETS: &str = "10.77.0.0/26";

fn sized(size: &str) -> String {
    SMALL.replace("width=320,height=240", size)
}

fn mac(number: u8) -> String {
    format!("44:19:b6:00:00:{number:02x}")
}

/// Cameras that let everybody in.
fn cameras(lab: &mut Lab) {
    for (number, size) in CAMERAS {
        let address = format!("10.77.0.{number}");
        let pipeline = sized(size);
        crate::cameras::serve(lab, &address, &mac(number), 554, &["/Streaming/Channels/101", &pipeline]);
    }
}

/// A recorder of Hikvision that shows these cameras, by channel: the last part of an address, or one that is elsewhere. It
/// demands its login for its list, and for its streams where `is_locked`.
fn hikvision(lab: &mut Lab, number: u8, shows: &[Option<u8>], is_locked: bool) -> Host {
    let (address, login) = (format!("10.77.0.{number}"), format!("admin:{PASSWORD}"));
    let host = lab.lan.host(&address, &mac(number));
    let streams = shows.iter().enumerate().flat_map(|(place, camera)| {
        let size =
            CAMERAS.iter().find(|(of, _)| Some(*of) == *camera).map_or("width=640,height=360", |(_, size)| *size);
        [format!("/Streaming/Channels/{}01", place + 1), sized(size)]
    });
    let mut arguments = vec![script("gst_server.py"), "0.0.0.0".to_owned(), "554".to_owned()];
    if is_locked {
        arguments.extend(["--digest".to_owned(), login.clone()]);
    }
    arguments.extend(streams);
    serve(lab, &host, &arguments, 554);
    let listed = shows.iter().enumerate().map(|(place, camera)| match camera {
        Some(camera) => format!("{}=10.77.0.{camera},,online", place + 1),
        None => format!("{}={ELSEWHERE},,online", place + 1),
    });
    let web = [script("recorder.py"), "hikvision".to_owned(), "80".to_owned(), login].into_iter().chain(listed);
    serve(lab, &host, &web.collect::<Vec<_>>(), 80);
    host
}

/// A recorder of Dahua that lists its cameras by address and MAC address; the third channel has lost its camera.
fn dahua(lab: &mut Lab, number: u8) {
    let address = format!("10.77.0.{number}");
    let host = lab.lan.host(&address, "3c:ef:8c:00:00:07");
    lab.lan.play(&host, &format!("recorder {address} 4"), |host| host.listens_tcp(554));
    let of = |channel: u8, camera: u8, state: &str| format!("{channel}=10.77.0.{camera},{},{state}", mac(camera));
    let listed = [of(1, 13, "online"), of(2, 12, "online"), of(3, 11, "offline"), format!("4={ELSEWHERE},,online")];
    let web = [script("recorder.py"), "dahua".to_owned(), "80".to_owned(), format!("admin:{PASSWORD}")];
    serve(lab, &host, &web.into_iter().chain(listed).collect::<Vec<_>>(), 80);
}

/// Cameras, recorders of two makers, and one that shows its streams to everybody; their addresses.
pub fn start(lab: &mut Lab) -> Vec<String> {
    cameras(lab);
    hikvision(lab, 5, &[Some(11), Some(12), None], true);
    hikvision(lab, 6, &[Some(12), None], false);
    dahua(lab, 7);
    [5, 6, 7, 11, 12, 13].map(|number| format!("10.77.0.{number}")).into()
}

fn serve(lab: &Lab, host: &Host, arguments: &[String], port: u16) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    lab.lan.serve(host, PYTHON, &arguments, move |host| host.listens_tcp(port));
}

/// Plays the streams of a recorder of Dahua, whose addresses tell channels apart by their query.
pub fn play(words: &[&str]) -> Option<()> {
    let ["recorder", ip, channels] = words else { return None };
    let clip = Arc::new(Clip::h264(include_bytes!("../data/media/camera_h264_1280x720_25fps.h264"), 25.0));
    let user = ("admin".to_owned(), PASSWORD.to_owned());
    let mut recorder = Camera { login: Login::Digest, user, ..Camera::new(ip.parse().unwrap(), 554) };
    recorder.realm = "Login to 4F03B5DPAG1A2".to_owned();
    for channel in 1..=channels.parse::<u32>().unwrap() {
        recorder = recorder.stream(&format!("/cam/realmonitor?channel={channel}&subtype=0"), &clip, None);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _fleet = runtime.block_on(Fleet::start(vec![recorder])).unwrap();
    std::thread::sleep(Duration::from_secs(3600));
    Some(())
}

/// A scan of the whole site, with the lab's login or without; further arguments stand behind it.
fn scan(lab: &Lab, with_login: bool, further: &[&str]) -> Said {
    let quick = ["scan", TARGETS, "--no-dns", "--measure-time", "500ms", "--ports", "80,554", "-f", "json"];
    let arguments = [&quick[..], further].concat();
    if with_login {
        return lab.camscan(true, &arguments);
    }
    Said::of(lab.command(true, &arguments).output().unwrap())
}

/// The addresses of the cameras that a recorder's channels show, by number; empty where none is named.
fn shown(report: &Value, recorder: &str) -> Vec<(u64, String)> {
    let address = |id: &Value| {
        let camera = report["devices"].as_array().unwrap().iter().find(|d| !id.is_null() && d["id"] == *id);
        camera.map_or(String::new(), |camera| camera["ip"].as_str().unwrap().to_owned())
    };
    let recorder = device(report, recorder).unwrap_or_else(|| panic!("{recorder} is missing: {report:#}"));
    let channels = recorder["channels"].as_array().into_iter().flatten();
    channels.map(|channel| (channel["number"].as_u64().unwrap(), address(&channel["camera"]))).collect()
}

fn channels(of: &[&str]) -> Vec<(u64, String)> {
    (1..).zip(of.iter().map(|camera| (*camera).to_owned())).collect()
}

/// Where else a camera is seen: recorder and channel.
fn shown_by(report: &Value, camera: &str) -> Vec<(String, u64)> {
    let by = device(report, camera).unwrap()["shown_by"].as_array().cloned().unwrap_or_default();
    by.iter().map(|by| (by["ip"].as_str().unwrap().to_owned(), by["channel"].as_u64().unwrap())).collect()
}

/// Of a CSV file: how many streams have rows of their own, and how many are those of a listed camera.
fn rows(csv: &str) -> (usize, usize) {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let (url, camera) = (column("url"), column("camera"));
    // No cell before these holds a comma.
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let streams = || rows.iter().filter(|row| !row[url].is_empty());
    (streams().filter(|row| row[camera].is_empty()).count(), streams().filter(|row| !row[camera].is_empty()).count())
}

pub fn a_camera_that_recorders_show_is_counted_once() -> Result<(), Skip> {
    need(&[PYTHON])?;
    let mut lab = Lab::new();
    cameras(&mut lab);
    hikvision(&mut lab, 5, &[Some(11), Some(12), Some(13), None], true);
    hikvision(&mut lab, 6, &[Some(12), None], true);
    dahua(&mut lab, 7);
    lab.lan.wait();
    let files = ["site.csv", "site.txt", "site.m3u", "survey:site.html"];
    let written: Vec<String> = files
        .iter()
        .map(|name| match name.split_once(':') {
            Some((format, name)) => format!("{format}:{}", lab.path(name)),
            None => lab.path(name),
        })
        .collect();
    let outputs: Vec<&str> = written.iter().flat_map(|file| ["-o", file.as_str()]).collect();
    let said = scan(&lab, true, &outputs);
    let report = said.json(0);

    // Each channel with its camera, each camera with its channels.
    let (first, second, third) = ("10.77.0.11", "10.77.0.12", "10.77.0.13");
    assert_eq!(shown(&report, "10.77.0.5"), channels(&[first, second, third, ""]), "{report:#}");
    assert_eq!(shown(&report, "10.77.0.6"), channels(&[second, ""]), "{report:#}");
    assert_eq!(shown(&report, "10.77.0.7"), channels(&[third, second, first, ""]), "{report:#}");
    let matched = |recorder: &str| device(&report, recorder).unwrap()["channels"][0]["matched_by"].clone();
    assert_eq!((matched("10.77.0.5"), matched("10.77.0.7")), (json!("address"), json!("mac")));
    let lost = &device(&report, "10.77.0.7").unwrap()["channels"][2];
    assert_eq!((&lost["online"], &lost["name"]), (&json!(false), &json!("Camera 3")));
    let by = |of: &[(&str, u64)]| of.iter().map(|(ip, n)| ((*ip).to_owned(), *n)).collect::<Vec<_>>();
    assert_eq!(shown_by(&report, second), by(&[("10.77.0.5", 2), ("10.77.0.6", 1), ("10.77.0.7", 2)]));
    assert_eq!(shown_by(&report, first), by(&[("10.77.0.5", 1), ("10.77.0.7", 3)]));

    // Six devices; three cameras and three channels whose cameras are elsewhere have streams of their own: each recorder has
    // a network of its own behind it, so that one address there is not one camera.
    let devices = report["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 6, "{report:#}");
    let kinds: BTreeSet<(&str, &str)> =
        devices.iter().map(|d| (d["ip"].as_str().unwrap(), d["kind"].as_str().unwrap())).collect();
    for (ip, kind) in [
        ("10.77.0.5", "recorder"),
        ("10.77.0.6", "recorder"),
        ("10.77.0.7", "recorder"),
        (first, "camera"),
        (third, "camera"),
    ] {
        assert!(kinds.contains(&(ip, kind)), "{kinds:?}");
    }
    let read = |name: &str| std::fs::read_to_string(lab.path(name)).unwrap();
    assert_eq!(rows(&read("site.csv")), (6, 7), "{}", read("site.csv"));
    let table = read("site.txt");
    assert!(table.contains("also channel 2 of 10.77.0.5, channel 1 of 10.77.0.6, channel 2 of 10.77.0.7"), "{table}");
    assert!(table.contains("6 devices: 6 streaming"), "{table}");
    assert_eq!(table.matches("rtsp://").count(), 6, "{table}");
    assert!(said.log.contains("6 devices, 6 streams"), "{}", said.log);
    let playlist = read("site.m3u");
    let urls: BTreeSet<&str> = playlist.lines().filter(|line| line.starts_with("rtsp://")).collect();
    assert_eq!((urls.len(), playlist.matches("rtsp://").count()), (6, 6), "{playlist}");
    let survey = read("site.html");
    assert!(survey.contains("<b>6</b> <span>cameras</span>"), "{survey}");
    assert!(survey.contains("of them seen only through a recorder: 3"));
    assert!(survey.contains("Recorder has lost cameras"));
    assert!(survey.contains("working, of 6 streams"), "{survey}");
    Ok(())
}

pub fn without_its_login_a_recorder_is_matched_by_what_it_shows() -> Result<(), Skip> {
    need(&[PYTHON])?;
    let mut lab = Lab::new();
    cameras(&mut lab);
    // One that shows its streams to everybody, and one that shows nothing.
    hikvision(&mut lab, 5, &[Some(11), Some(12), Some(13), None], false);
    hikvision(&mut lab, 6, &[Some(12), None], true);
    lab.lan.wait();
    let report = scan(&lab, false, &[]).json(0);
    let recorder = device(&report, "10.77.0.5").unwrap();
    // Equal parameter sets are a hint, and no reason to count a picture less.
    assert_eq!(shown(&report, "10.77.0.5"), channels(&["", "", "", ""]), "{report:#}");
    for (place, (number, _)) in CAMERAS.iter().enumerate() {
        let camera = device(&report, &format!("10.77.0.{number}")).unwrap();
        assert_eq!(recorder["channels"][place]["possible_camera"], camera["id"], "{report:#}");
        assert_eq!(camera["streams"][0]["status"], "streaming", "{report:#}");
        assert!(camera["shown_by"].is_null());
    }
    assert!(recorder["channels"][3]["possible_camera"].is_null(), "{report:#}");
    let locked = device(&report, "10.77.0.6").unwrap();
    assert!(locked["streams"].as_array().unwrap().iter().all(|s| s["status"] == "auth_required"), "{report:#}");
    assert!(locked["login_attempts"].is_null(), "no password is guessed");
    Ok(())
}

pub fn a_recorder_that_moved_is_the_same_one_with_the_same_cameras() -> Result<(), Skip> {
    need(&[PYTHON])?;
    let mut lab = Lab::new();
    cameras(&mut lab);
    let recorder = hikvision(&mut lab, 5, &[Some(11), Some(12), Some(13), None], true);
    lab.lan.wait();
    let store = format!("--store={}", lab.path("store.sqlite"));
    let before = scan(&lab, true, &[&store]).json(0);
    for change in [["del", "10.77.0.5/24"], ["add", "10.77.0.50/24"]] {
        assert!(recorder.run("ip", &["addr", change[0], change[1], "dev", "eth0"]).status.success());
    }
    let after = scan(&lab, true, &[&store, "--fail-on", "new,gone"]).json(0);
    let uid = |report: &Value, ip: &str| device(report, ip).unwrap_or_else(|| panic!("{report:#}"))["uid"].clone();
    assert!(uid(&before, "10.77.0.5").is_string());
    assert_eq!(uid(&after, "10.77.0.50"), uid(&before, "10.77.0.5"));
    assert!(device(&after, "10.77.0.5").is_none(), "{after:#}");
    assert_eq!(shown(&after, "10.77.0.50"), channels(&["10.77.0.11", "10.77.0.12", "10.77.0.13", ""]));
    for (number, _) in CAMERAS {
        let ip = format!("10.77.0.{number}");
        assert_eq!(uid(&after, &ip), uid(&before, &ip));
        assert_eq!(shown_by(&after, &ip), [("10.77.0.50".to_owned(), u64::from(number - 10))]);
    }
    let history = lab.command(true, &["history", &store, "--since", "1d", "-f", "json"]).output().unwrap();
    let history = String::from_utf8_lossy(&history.stdout).into_owned();
    assert!(history.contains("device.moved"), "{history}");
    Ok(())
}
