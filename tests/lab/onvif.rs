//! ONVIF devices that answer with what real ones answered, and with answers as odd as they come.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Lab, PYTHON, Place, script};

/// The captured devices with their HTTP port: how the names of their files begin.
const CAPTURED: [(&str, u16); 18] = [
    ("axis_p3818", 80),
    ("axis_q3819", 80),
    ("bosch_autodome", 80),
    ("bosch_flexidome_8000i", 80),
    ("bosch_flexidome_indoor", 80),
    ("bosch_flexidome_panoramic", 80),
    ("dlink_dcs6511", 80),
    ("dvc_drn3282r", 80),
    ("enp1a14_hikvision", 80),
    ("gx728mf", 85),
    ("ipd_h4k8m05", 80),
    ("ipg_8150pss", 80),
    ("milesight", 80),
    ("reolink_e1_zoom", 8000),
    ("reolink_trackmix", 8000),
    ("sunba405", 8899),
    ("sunba_uniview", 80),
    // Only its addresses are known.
    ("dahua", 80),
];

/// The operations, and the folder of their captures.
const OPERATIONS: [(&str, &str); 8] = [
    ("GetDeviceInformation", "get_device_information"),
    ("GetSystemDateAndTime", "get_system_date_and_time"),
    ("GetCapabilities", "get_capabilities"),
    ("GetServices", "get_services"),
    ("GetProfiles", "get_profiles"),
    ("Media2/GetProfiles", "get_profiles_media2"),
    ("GetStreamUri", "get_stream_uri"),
    ("GetSnapshotUri", "get_snapshot_uri"),
];

/// Answers that are no captures: who the device says it is, how it answers a probe, where it says its stream is, and its
/// clock.
const ODD: [[&str; 4]; 10] = [
    ["info_bom.xml", "probe_no_to.xml", "stream_uri_0_0_0_0.xml", "time_no_utc.xml"],
    ["info_leading_crlf.xml", "probe_message_id_is_probe_id.xml", "stream_uri_loopback.xml", "time_epoch.xml"],
    ["info_invalid_utf8.xml", "probe_foreign_relates_to.xml", "stream_uri_empty_host.xml", "time_invalid_date.xml"],
    ["info_declared_gb2312.xml", "probe_three_matches_in_one.xml", "stream_uri_truncated_host.xml", "fault_soap11.xml"],
    ["info_undeclared_prefix.xml", "probe_no_scopes.xml", "stream_uri_other_private_host.xml", "fault_time_check.xml"],
    ["info_default_namespace.xml", "probe_manufacturer_scope.xml", "stream_uri_ampersand.xml", "time_no_utc.xml"],
    ["info_control_characters.xml", "probe_xaddrs_bad_first.xml", "stream_uri_raw_ampersand.xml", "time_epoch.xml"],
    ["info_truncated.xml", "probe_xaddr_foreign_subnet.xml", "stream_uri_with_credentials.xml", "time_no_utc.xml"],
    ["info_entity_bomb.xml", "probe_not_xml.bin", "stream_uri_ipv6_link_local.xml", "time_no_utc.xml"],
    ["info_bom.xml", "probe_two_documents.xml", "stream_uri_multicast_host.xml", "time_no_utc.xml"],
];

/// One profile (ONVIF Media §5.2), for devices of which no other answer is known.
pub const PROFILES: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema"><s:Body>
 <trt:GetProfilesResponse><trt:Profiles token="main" fixed="true"><tt:Name>main</tt:Name><tt:VideoEncoderConfiguration
 token="e"><tt:Name>e</tt:Name><tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>1280</tt:Width>
 <tt:Height>720</tt:Height></tt:Resolution></tt:VideoEncoderConfiguration></trt:Profiles></trt:GetProfilesResponse>
 </s:Body></s:Envelope>"#;

fn serve(lab: &mut Lab, address: &str, mac: &str, port: u16, answers: &[String]) {
    let host = lab.lan.host(address, mac);
    let (script, port_text) = (script("onvif_server.py"), port.to_string());
    let mut arguments = vec![script.as_str(), address, &port_text];
    arguments.extend(answers.iter().map(String::as_str));
    lab.lan.serve(&host, PYTHON, &arguments, move |h| h.listens_tcp(port));
}

pub fn start(lab: &mut Lab) -> Vec<Place> {
    let mut places = odd(lab);
    match std::env::var_os("CAMSCAN_CAPTURES").map(PathBuf::from) {
        Some(folder) => places.extend(captured(lab, &folder)),
        None => {
            let required = std::env::var("CAMSCAN_CAPTURES_REQUIRED").as_deref() == Ok("1");
            assert!(!required, "captures are required, and CAMSCAN_CAPTURES names no folder");
            println!("captured devices are left out: CAMSCAN_CAPTURES names no folder");
        }
    }
    places
}

/// What is expected of each file.
fn expectations(folder: &Path) -> Value {
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    expected["files"].clone()
}

fn odd(lab: &mut Lab) -> Vec<Place> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let expected = expectations(&folder);
    let profiles = lab.write("profiles.xml", PROFILES);
    let mut places = Vec::new();
    for (n, [info, probe, uri, time]) in ODD.into_iter().enumerate() {
        let address = format!("10.77.0.{}", 160 + n);
        let file = |name: &str| folder.join("onvif").join(name).display().to_string();
        let answers = [
            format!("GetDeviceInformation={}", file(info)),
            format!("probe={}", file(probe)),
            format!("GetStreamUri={}", file(uri)),
            format!("GetSystemDateAndTime={}", file(time)),
            format!("GetProfiles={profiles}"),
        ];
        let port = if probe == "probe_xaddrs_bad_first.xml" { 8899 } else { 80 };
        serve(lab, &address, &format!("02:00:00:00:02:{n:02x}"), port, &answers);
        let (info, uri) = (&expected[format!("onvif/{info}")], &expected[format!("onvif/{uri}")]);
        let peer = uri["peer"].as_str().unwrap_or("192.0.2.10");
        let url = with_port(uri["usable"].as_str().or(uri["uri"].as_str()).unwrap().replace(peer, &address));
        let mut wanted = json!({
            "kind": "camera", "services": [{"protocol": "http", "port": port}, {"protocol": "onvif", "port": port}],
            "streams": [{"url": url, "video": {"codec": "h264", "width": 1280, "height": 720}, "snapshot": null}],
        });
        for name in ["model", "serial"] {
            if let Some(value) = info[name].as_str() {
                wanted[name] = json!(value);
            }
        }
        places.push(Place::new(address, wanted));
    }
    places
}

/// An RTSP address with its port.
fn with_port(url: String) -> String {
    let (head, path) = url.split_at(url[7..].find('/').unwrap() + 7);
    if head[7..].contains(':') { url } else { format!("{head}:554{path}") }
}

/// The first capture of that kind of a device, where there is one.
fn recorded(folder: &Path, kind: &str, device: &str) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder.join("onvif").join(kind)).unwrap().map(|e| e.unwrap().path());
    files.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with(device)).min()
}

fn captured(lab: &mut Lab, folder: &Path) -> Vec<Place> {
    let expected = expectations(folder);
    let of = |path: &Path| {
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        expected[name].clone()
    };
    let mut places = Vec::new();
    for (n, (name, port)) in CAPTURED.into_iter().enumerate() {
        let address = format!("10.77.0.{}", 128 + n);
        let found = |operation: &str| {
            let kind = OPERATIONS.iter().find(|(o, _)| *o == operation).unwrap().1;
            recorded(folder, kind, name)
        };
        let answers: Vec<String> = OPERATIONS
            .iter()
            .filter_map(|(operation, _)| Some(format!("{operation}={}", found(operation)?.display())))
            .collect();
        serve(lab, &address, &format!("02:00:00:00:01:{n:02x}"), port, &answers);
        let mut wanted = json!({"kind": if name == "dvc_drn3282r" { "recorder" } else { "camera" }});
        if let Some(info) = found("GetDeviceInformation").map(|path| of(&path)) {
            wanted["firmware"] = info["FirmwareVersion"].clone();
            wanted["serial"] = info["SerialNumber"].clone();
            wanted["model"] = info["Model"].clone();
        }
        // The second media service is known from the list of services alone.
        let second = found("Media2/GetProfiles").filter(|_| found("GetServices").is_some());
        let profiles = found("GetProfiles").or(second).map(|path| of(&path)["profiles"].clone());
        if let (Some(profiles), Some(uri)) = (profiles, found("GetStreamUri").map(|path| of(&path))) {
            // Whatever address it names, the stream is at the device; and no password is told.
            let (_, rest) = uri["uri"].as_str().unwrap().trim().split_once("://").unwrap();
            let host_ends = rest.find([':', '/']).unwrap();
            let url = camscan::text::redact_url(&with_port(format!("rtsp://{address}{}", &rest[host_ends..])));
            let video = json!({"width": profiles[0]["width"], "height": profiles[0]["height"]});
            wanted["streams"] = json!([{"url": url, "video": video, "snapshot": null}]);
        }
        places.push(Place::new(address, wanted));
    }
    places
}
