//! ONVIF devices that answer with what real ones answered, and others that speak WS-Discovery and have no picture.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Lab, PYTHON};
use crate::ns::possible;

/// The captured devices with their HTTP port: the name their files share, and what their information says.
const CAPTURED: [(&str, u16, &str); 4] = [
    ("axis_p3818", 80, "10.77.0.20"),
    ("bosch_autodome_5000i", 80, "10.77.0.21"),
    ("reolink_e1_zoom", 8000, "10.77.0.22"),
    ("dlink_dcs6511", 80, "10.77.0.23"),
];

const OPERATIONS: [(&str, &str); 6] = [
    ("GetDeviceInformation", "get_device_information"),
    ("GetSystemDateAndTime", "get_system_date_and_time"),
    ("GetCapabilities", "get_capabilities"),
    ("GetProfiles", "get_profiles"),
    ("GetStreamUri", "get_stream_uri"),
    ("GetSnapshotUri", "get_snapshot_uri"),
];

fn device(lab: &mut Lab, address: &str, mac: &str, port: u16, answers: &[String]) {
    let host = lab.lan.host(&format!("{address}/24"), mac);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/onvif_server.py");
    let port_text = port.to_string();
    let mut arguments = vec![script.to_str().unwrap(), address, &port_text];
    arguments.extend(answers.iter().map(String::as_str));
    lab.lan.serve(&host, PYTHON, &arguments, |h| h.listens_tcp(port));
}

/// The first answer of that kind of a device, where one was recorded.
fn recorded(folder: &Path, kind: &str, device: &str) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder.join("onvif").join(kind)).unwrap().map(|e| e.unwrap().path());
    files.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with(device)).min()
}

fn scan(lab: &Lab) -> Value {
    let arguments = ["scan", "10.77.0.0/24", "-f", "json", "--verify", "describe", "--all"];
    let (status, report, log) = lab.camscan(true, &arguments);
    assert_eq!(status, Some(0), "{log}");
    serde_json::from_str(&report).unwrap()
}

fn found<'a>(report: &'a Value, address: &str) -> &'a Value {
    let devices = report["devices"].as_array().unwrap();
    devices.iter().find(|d| d["ip"] == address).unwrap_or_else(|| panic!("{address} is missing: {report:#}"))
}

#[test]
fn odd_answers_lead_to_the_stream_and_a_printer_to_none() {
    if !possible(&[PYTHON]) {
        return;
    }
    let mut lab = Lab::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onvif");
    let file = |name: &str| data.join(name).display().to_string();
    device(
        &mut lab,
        "10.77.0.24",
        "02:00:00:00:00:24",
        8899,
        &[
            format!("GetDeviceInformation={}", file("info_bom.xml")),
            format!("GetSystemDateAndTime={}", file("time_no_utc.xml")),
        ],
    );
    device(&mut lab, "10.77.0.54", "02:00:00:00:00:54", 5357, &[format!("probe={}", file("probe_printer.xml"))]);
    let report = scan(&lab);
    let camera = found(&report, "10.77.0.24");
    let expected: Value = serde_json::from_slice(&std::fs::read(data.join("../expected.json")).unwrap()).unwrap();
    let wanted = &expected["files"]["onvif/info_bom.xml"];
    assert_eq!((&camera["kind"], &camera["model"]), (&"camera".into(), &wanted["model"]), "{camera:#}");
    let onvif = |s: &&Value| s["protocol"] == "onvif" && s["port"] == 8899;
    assert!(camera["services"].as_array().unwrap().iter().any(|s| onvif(&s)), "{camera:#}");
    assert_eq!(found(&report, "10.77.0.54")["kind"], "other", "{report:#}");
}

#[test]
fn captured_devices_are_who_they_say() {
    let Some(folder) = std::env::var_os("CAMSCAN_CAPTURES").map(PathBuf::from) else {
        let required = std::env::var("CAMSCAN_CAPTURES_REQUIRED").as_deref() == Ok("1");
        assert!(!required, "captures are required, and CAMSCAN_CAPTURES names no folder");
        return println!("skipped: CAMSCAN_CAPTURES names no folder");
    };
    if !possible(&[PYTHON]) {
        return;
    }
    let mut lab = Lab::new();
    for (n, (name, port, address)) in CAPTURED.iter().enumerate() {
        let answers: Vec<String> = OPERATIONS
            .iter()
            .filter_map(|(operation, kind)| {
                recorded(&folder, kind, name).map(|file| format!("{operation}={}", file.display()))
            })
            .collect();
        device(&mut lab, address, &format!("02:00:00:00:01:{n:02x}"), *port, &answers);
    }
    let report = scan(&lab);
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    for (name, _, address) in CAPTURED {
        let device = found(&report, address);
        let wanted = &expected["files"][format!("onvif/get_device_information/{name}.xml")];
        let vendor = device["vendor"].as_str().unwrap_or_else(|| panic!("{name}: {device:#}")).to_lowercase();
        assert!(wanted["Manufacturer"].as_str().unwrap().to_lowercase().contains(&vendor), "{name}: {device:#}");
        assert_eq!(device["kind"], "camera", "{name}: {device:#}");
        for (ours, theirs) in [("firmware", "FirmwareVersion"), ("serial", "SerialNumber")] {
            assert_eq!(device[ours], wanted[theirs], "{name}: {device:#}");
        }
        let (model, stated) = (device["model"].as_str().unwrap(), wanted["Model"].as_str().unwrap());
        assert!(stated.ends_with(model), "{name}: {model}, not {stated}");
        if recorded(&folder, "get_stream_uri", name).is_none() {
            continue;
        }
        let profiles = &expected["files"][format!("onvif/get_profiles/{name}.xml")]["profiles"];
        let stream = &device["streams"][0];
        // Whatever address the answer names, the stream is at the device.
        assert!(
            stream["url"].as_str().unwrap_or_default().starts_with(&format!("rtsp://{address}")),
            "{name}: {device:#}"
        );
        let video = &stream["video"];
        assert_eq!(
            (&video["width"], &video["height"]),
            (&profiles[0]["width"], &profiles[0]["height"]),
            "{name}: {device:#}"
        );
        assert_eq!(stream["status"], "error", "nobody serves RTSP there: {device:#}");
    }
}
