//! One network with everything on it, scanned as root and as nobody.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::compare::differences;
use crate::ns::need;
use crate::trial::Skip;
use crate::{Lab, PASSWORD, PYTHON, Place, cameras, device, onvif, others, players, servers};

pub fn every_server_is_known_for_what_it_is() -> Result<(), Skip> {
    let needed = [&servers::NEEDED[..], &others::NEEDED, &[PYTHON, "nft", "nc", "setpriv"]].concat();
    need(&needed)?;
    let mut lab = Lab::new();
    let mut places = cameras::start(&mut lab);
    places.extend(servers::start(&mut lab));
    places.extend(others::start(&mut lab));
    places.extend(onvif::start(&mut lab));
    places.push(players::multicast(&mut lab));
    lab.lan.wait();
    let mut wrong = Vec::new();
    for as_root in [true, false] {
        let who = if as_root { "root" } else { "nobody" };
        wrong.extend(scan(&lab, as_root, &places).into_iter().map(|what| format!("as {who}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Scans once; what is not as it must be.
fn scan(lab: &Lab, as_root: bool, places: &[Place]) -> Vec<String> {
    let pictures = lab.path(if as_root { "pictures-root" } else { "pictures-nobody" });
    std::fs::create_dir(&pictures).unwrap();
    Command::new("chmod").args(["777", &pictures]).status().unwrap();
    let mut arguments =
        vec!["scan", "10.77.0.0/24", "-f", "json", "-vv", "--snapshots", &pictures, "--ports", "wide,8088,3478,5349"];
    // A busy machine is slow, and that is not what is tested.
    arguments.extend(["--timeout", "20s", "--frame-timeout", "20s", "--host-timeout", "3m"]);
    if as_root {
        arguments.push("--all");
    }
    let played = |places: &[Place]| -> Vec<(usize, usize)> {
        places.iter().map(|place| cameras::played(lab, &place.address)).collect()
    };
    let before = played(places);
    let said = lab.camscan(as_root, &arguments);
    let report = said.json(0);
    let mut wrong = Vec::new();
    for secret in [PASSWORD, "s3cret"] {
        for (name, text) in [("report", &said.report), ("log", &said.log)] {
            if text.contains(secret) {
                wrong.push(format!("{secret} stands in the {name}"));
            }
        }
    }
    for place in places {
        match device(&report, &place.address) {
            None if place.listed || as_root => wrong.push(format!("{} is missing", place.address)),
            None => {}
            Some(found) if !place.listed && !as_root => wrong.push(format!("{} is told of: {found:#}", place.address)),
            Some(found) => {
                let differences = differences(&place.expected, found);
                if !differences.is_empty() {
                    wrong.push(format!("{}: {}\n{found:#}", place.address, differences.join("; ")));
                }
            }
        }
    }
    let known: BTreeSet<&str> = places.iter().map(|p| p.address.as_str()).chain(["10.77.0.1"]).collect();
    let devices = report["devices"].as_array().unwrap();
    let strangers = devices.iter().filter(|d| !known.contains(d["ip"].as_str().unwrap()));
    wrong.extend(strangers.map(|d| format!("nobody is at {}", d["ip"])));
    if report["scan"]["hosts_up"] != json!(places.len() + 1) {
        wrong.push(format!("{} hosts are up, not {}", report["scan"]["hosts_up"], places.len() + 1));
    }
    wrong.extend(pictures_of(Path::new(&pictures), &report));
    for ((place, before), after) in places.iter().zip(before).zip(played(places)) {
        if after.0 != after.1 || (after.0 == before.0 && place.expected["streams"][0]["protocol"] == "rtsp") {
            wrong.push(format!("{}: {} played and {} taken down", place.address, after.0, after.1));
        }
    }
    let sessions = std::fs::read_to_string(lab.path("whep.log")).unwrap_or_default();
    if sessions.matches("opened").count() != sessions.matches("closed").count() {
        wrong.push(format!("sessions were left open: {sessions}"));
    }
    if others::printed(lab) != [0, 0] {
        wrong.push(format!("packets came to where the printer prints: {:?}", others::printed(lab)));
    }
    wrong
}

/// What is wrong with the pictures: one for every stream that plays, of its size, decodable, and nothing else.
fn pictures_of(folder: &Path, report: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut noted = BTreeSet::new();
    for device in report["devices"].as_array().unwrap() {
        for stream in device["streams"].as_array().unwrap() {
            let url = &stream["url"];
            let Some(path) = stream["snapshot"].as_str() else {
                if stream["status"] == "streaming" && !stream["video"].is_null() {
                    wrong.push(format!("{url}: no picture: {}", stream["warnings"]));
                }
                continue;
            };
            let name = Path::new(path).file_name().unwrap().to_str().unwrap().to_owned();
            let is_safe =
                name.strip_suffix(".jpg").is_some_and(|n| n.chars().all(|c| c.is_ascii_digit() || ".-_".contains(c)));
            if !is_safe || Path::new(path).parent() != Some(folder) {
                wrong.push(format!("{url}: the picture is at {path}"));
            }
            let bytes = std::fs::read(path).unwrap_or_default();
            let size = camscan::media::jpeg::size(&bytes);
            let stated = stream["video"]["width"].as_u64().zip(stream["video"]["height"].as_u64());
            if size.map(|(w, h)| (u64::from(w), u64::from(h))) != stated {
                wrong.push(format!("{url}: the picture is {size:?}, the stream {stated:?}"));
            }
            let decoded = Command::new("ffmpeg").args(["-v", "error", "-i", path, "-f", "null", "-"]).output().unwrap();
            if !decoded.status.success() || !decoded.stderr.is_empty() {
                wrong.push(format!("{url}: {}", String::from_utf8_lossy(&decoded.stderr)));
            }
            if !noted.insert(name) {
                wrong.push(format!("{url}: another stream has its picture at {path}"));
            }
        }
    }
    let saved = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    wrong.extend(saved.filter(|name| !noted.contains(name)).map(|name| format!("{name} is no stream's picture")));
    wrong
}
