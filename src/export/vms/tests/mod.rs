//! Each configuration against its consumer's own schema and rules, with names, logins and addresses that bite.

mod each;
mod variables;
mod viseron;
mod zoneminder;

use serde_json::Value;

use super::*;
use crate::export::configuration::section::Existing;
use crate::export::configuration::{Configuration, login};
use crate::export::format::Format;
use crate::export::{FORMATS, Logins, sample};
use crate::model::{
    Channel, Credential, Device, Protocol, Report, Secret, Service, Stream, StreamStatus, Transport, Video, VideoCodec,
};

const FRIGATE: Format = &frigate::FORMAT;
const GO2RTC: Format = &go2rtc::FORMAT;
const MEDIAMTX: Format = &mediamtx::FORMAT;
const HOME_ASSISTANT: Format = &home_assistant::FORMAT;
const MOTION: Format = &motion::FORMAT;
const PROMETHEUS: Format = &prometheus::FORMAT;
const VISERON: Format = &super::viseron::FORMAT;
const ZONEMINDER: Format = &super::zoneminder::FORMAT;

fn configure(format: Format, report: &Report, logins: &Logins<'_>) -> Configuration {
    format.configuration().unwrap().of(report, logins)
}

/// A password and its percent-encoded form.
const PASSWORD: &str = "p@:/%#{}$^ ö";
const ENCODED: &str = "p%40%3A%2F%25%23%7B%7D%24%5E%20%C3%B6";

fn viewer(_: &Device) -> Option<Credential> {
    Some(Credential::new("view er", PASSWORD))
}

fn stream(url: &str, protocol: Protocol, codec: VideoCodec, size: (u32, u32)) -> Stream {
    let video = Video { codec: Some(codec), width: Some(size.0), height: Some(size.1), ..Video::default() };
    Stream { status: StreamStatus::Streaming, open: Some(false), video: Some(video), ..Stream::new(url, protocol) }
}

/// A camera with a main and a sub stream over RTSP.
fn camera(ip: &str, name: &str) -> Device {
    let mut device = sample::camera();
    let host = crate::model::stream::url_host(ip.parse().unwrap());
    device.ip = ip.parse().unwrap();
    device.hostname = None;
    device.name = Some(name.to_owned());
    device.services.push(Service::new(Protocol::Onvif, Transport::Tcp, 8899));
    let audio = device.streams[0].audio.clone();
    let main = stream(&format!("rtsp://{host}:554/main"), Protocol::Rtsp, VideoCodec::H264, (1920, 1080));
    device.streams = vec![
        stream(&format!("rtsp://{host}:554/sub"), Protocol::Rtsp, VideoCodec::H264, (640, 360)),
        Stream { audio, ..main },
    ];
    device
}

fn write(format: Format, devices: Vec<Device>) -> Configuration {
    configure(format, &sample::report_of(devices), &Logins { of: &viewer, shown: false })
}

/// The main file as YAML.
fn yaml(configuration: &Configuration) -> Value {
    let text = &configuration.files[0].1;
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn check(schema: &str, value: &Value) {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(value).map(|e| format!("{e} at {}", e.instance_path)).collect();
    assert!(errors.is_empty(), "{errors:?}\n{value:#}");
}

/// Frigate's schema and the rules its code adds.
fn check_frigate(configuration: &Configuration) {
    let value = yaml(configuration);
    check(include_str!("../../../../tests/data/vms/frigate-0.17.2.schema.json"), &value);
    let streams: Vec<&String> =
        value.pointer("/go2rtc/streams").and_then(Value::as_object).into_iter().flat_map(|s| s.keys()).collect();
    for (name, camera) in value["cameras"].as_object().unwrap() {
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') && name != "birdseye");
        let inputs = camera["ffmpeg"]["inputs"].as_array().unwrap();
        let roles: Vec<&str> =
            inputs.iter().flat_map(|i| i["roles"].as_array().unwrap()).filter_map(Value::as_str).collect();
        let mut once = roles.clone();
        once.sort_unstable();
        once.dedup();
        assert!(roles.contains(&"detect") && once.len() == roles.len(), "{name}: {roles:?}");
        for input in inputs {
            let path = input["path"].as_str().unwrap();
            let read = path.strip_prefix("rtsp://127.0.0.1:8554/").unwrap();
            assert!(streams.iter().any(|s| *s == read), "{path}");
        }
        for shown in camera["live"]["streams"].as_object().unwrap().values() {
            assert!(streams.iter().any(|s| *s == shown.as_str().unwrap()));
        }
    }
    // `str.format` must find nothing but our names in braces.
    for url in value.pointer("/go2rtc/streams").and_then(Value::as_object).into_iter().flat_map(|s| s.values()) {
        for url in url.as_array().unwrap().iter().filter_map(Value::as_str) {
            let left = url.replace("{{", "").replace("}}", "");
            for (_, rest) in left.match_indices('{').map(|(at, _)| left.split_at(at + 1)) {
                assert!(rest.starts_with("FRIGATE_") && rest.contains('}'), "{url}");
            }
        }
    }
}

fn check_go2rtc(configuration: &Configuration) {
    let value = yaml(configuration);
    check(include_str!("../../../../tests/data/vms/go2rtc-1.9.14.schema.json"), &value);
    for sources in value["streams"].as_object().unwrap().values() {
        for source in sources.as_array().unwrap().iter().filter_map(Value::as_str) {
            assert!(!source.contains(' '), "{source}");
            // What is replaced by the environment is ours.
            for (_, rest) in source.match_indices('$').map(|(at, _)| source.split_at(at)) {
                assert!(rest.starts_with("${") && rest.contains('}'), "{source}");
            }
        }
    }
}

fn check_mediamtx(configuration: &Configuration) {
    let value = yaml(configuration);
    let keys: Value =
        serde_json::from_str(include_str!("../../../../tests/data/vms/mediamtx-1.20.1.keys.json")).unwrap();
    for key in value.as_object().unwrap().keys() {
        assert!(keys["GlobalConf"].get(key).is_some() || key == "paths", "{key}");
    }
    for (name, path) in value["paths"].as_object().unwrap() {
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
        assert!(name != "all", "{name}");
        for (key, value) in path.as_object().unwrap() {
            let wanted = keys["PathConf"][key].as_str().unwrap_or_else(|| panic!("no key {key}"));
            let is_right = match wanted {
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                _ => true,
            };
            assert!(is_right, "{key}: {value}");
        }
        assert!(["tcp", "udp", "multicast"].contains(&path["rtspTransport"].as_str().unwrap_or("tcp")));
    }
}

fn check_home_assistant(configuration: &Configuration) {
    // `!secret` is a tag of Home Assistant's own.
    let text = configuration.files[0].1.replace("!secret ", "");
    let value: Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    for camera in value["camera"].as_array().unwrap() {
        let keys: Vec<&String> = camera.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["platform", "name", "input"]);
    }
}

fn check_motion(configuration: &Configuration) {
    const KEYS: [&str; 13] = [
        "camera",
        "camera_id",
        "camera_name",
        "netcam_url",
        "netcam_params",
        "netcam_high_url",
        "netcam_high_params",
        "netcam_userpass",
        "width",
        "height",
        "framerate",
        "#",
        "",
    ];
    for (name, text) in &configuration.files {
        for line in text.lines() {
            let key = line.split(' ').next().unwrap();
            assert!(KEYS.contains(&key), "{name}: {line}");
            if let Some(file) = line.strip_prefix("camera ") {
                assert!(configuration.files.iter().any(|(name, _)| name == file), "{file}");
            }
        }
    }
}

fn check_prometheus(configuration: &Configuration) {
    let value = yaml(configuration);
    for entry in value.as_array().unwrap() {
        assert!(entry["targets"][0].as_str().unwrap().rsplit_once(':').unwrap().1.parse::<u16>().is_ok());
        for (name, value) in entry["labels"].as_object().unwrap() {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && value.is_string());
        }
    }
}

fn check_all(devices: &[Device]) {
    type Check = fn(&Configuration);
    let checks: [(Format, Check); 8] = [
        (FRIGATE, check_frigate),
        (GO2RTC, check_go2rtc),
        (MEDIAMTX, check_mediamtx),
        (HOME_ASSISTANT, check_home_assistant),
        (MOTION, check_motion),
        (PROMETHEUS, check_prometheus),
        (VISERON, viseron::check_viseron),
        (ZONEMINDER, zoneminder::check_zoneminder),
    ];
    assert_eq!(checks.len(), FORMATS.iter().filter(|f| f.configuration().is_some()).count());
    for (format, check) in checks {
        for shown in [false, true] {
            let report = sample::report_of(devices.to_vec());
            let configuration = configure(format, &report, &Logins { of: &viewer, shown });
            check(&configuration);
            let again = configure(format, &report, &Logins { of: &viewer, shown });
            assert_eq!(configuration, again, "{format}: not the same twice");
            let all: String = configuration.files.iter().map(|(_, text)| text.as_str()).collect();
            if !shown {
                assert!(!all.contains(ENCODED) && !all.contains(PASSWORD), "{format}: a password in {all}");
            }
            assert!(!all.chars().any(|c| c.is_control() && c != '\n'), "{format}: control characters");
        }
    }
}

#[test]
fn a_usual_site_is_taken() {
    check_all(&[camera("10.0.5.20", "Front door"), camera("10.0.5.21", "Garden")]);
}

#[test]
fn no_camera_and_cameras_without_streams_are_taken() {
    check_all(&[]);
    let mut none = camera("10.0.5.20", "Front door");
    none.streams.clear();
    let mut refused = camera("10.0.5.21", "Garden");
    refused.streams.iter_mut().for_each(|s| s.status = StreamStatus::AuthRequired);
    check_all(&[none.clone(), refused.clone()]);
    let text = write(GO2RTC, vec![none, refused]).files.remove(0).1;
    assert!(text.contains("# 10.0.5.20: no stream was found"), "{text}");
    assert!(text.contains("# not used: rtsp://10.0.5.21:554/main (login needed)"), "{text}");
}

#[test]
fn names_that_bite_are_taken() {
    let names = sample::HOSTILE.iter().chain(&["on", "123", "0.17", "!x", "birdseye", "all", "ÄÖÜ", "front_door_sub"]);
    let devices: Vec<Device> = names.enumerate().map(|(n, name)| camera(&format!("10.0.6.{n}"), name)).collect();
    check_all(&devices);
    check_all(&sample::hostile_report().devices);
}

#[test]
fn paths_that_bite_are_taken() {
    let paths = ["/a b", "/${HOME}", "/{FRIGATE_X}", "/#media=audio", "/$G1", "/\"quoted\"", "/x?user=***", "/é"];
    let devices: Vec<Device> = paths
        .iter()
        .enumerate()
        .map(|(n, path)| {
            let mut device = camera(&format!("10.0.7.{n}"), "cam");
            device.streams[1].url = format!("rtsp://10.0.7.{n}{path}");
            device
        })
        .collect();
    check_all(&devices);
}

#[test]
fn ipv6_stands_in_brackets() {
    check_all(&[camera("fd00::77:20", "Front door")]);
    let text = write(GO2RTC, vec![camera("fd00::77:20", "Front door")]).files.remove(0).1;
    assert!(text.contains("@[fd00::77:20]:554/main"), "{text}");
}

#[test]
fn two_hundred_cameras_have_two_hundred_names() {
    let devices: Vec<Device> = (0..200).map(|n| camera(&format!("10.0.8.{n}"), "Cam")).collect();
    check_all(&devices);
    let configuration = write(FRIGATE, devices);
    assert_eq!(yaml(&configuration)["cameras"].as_object().unwrap().len(), 200);
}

#[test]
fn main_and_sub_go_by_size_and_not_by_name() {
    let mut device = camera("10.0.5.20", "Front door");
    device.streams[0].profile_name = Some("MainStream".into());
    let report = sample::report_of(vec![device]);
    let cameras = camera::Cameras::of(&report, &|_, _| None);
    let [camera] = cameras.usable.as_slice() else { panic!("{cameras:?}") };
    assert_eq!((camera.name.as_str(), camera.main.url.as_str()), ("front_door", "rtsp://10.0.5.20:554/main"));
    assert_eq!(camera.sub.unwrap().url, "rtsp://10.0.5.20:554/sub");
}

#[test]
fn channels_of_a_recorder_are_cameras_of_their_own() {
    let mut device = camera("10.0.5.20", "NVR");
    device.streams[0].channel = Some(1);
    device.streams[1].channel = Some(2);
    let report = sample::report_of(vec![device]);
    let cameras = camera::Cameras::of(&report, &|_, _| None);
    let names: Vec<&str> = cameras.usable.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["nvr_ch1", "nvr_ch2"]);
}

#[test]
fn a_camera_that_a_recorder_shows_as_well_is_used_directly() {
    let (mut nvr, own) = (camera("10.0.5.2", "NVR"), camera("10.0.5.20", "Front door"));
    nvr.id = "ip:10.0.5.2".to_owned();
    for (stream, channel) in nvr.streams.iter_mut().zip(1..) {
        stream.channel = Some(channel);
        nvr.channels.push(Channel::new(channel));
    }
    nvr.channels[0].camera = Some(own.id.clone());
    nvr.channels[1].camera = Some("mac:of-one-that-is-elsewhere".to_owned());
    let report = sample::report_of(vec![nvr, own]);
    let cameras = camera::Cameras::of(&report, &|_, _| None);
    let names: Vec<&str> = cameras.usable.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["nvr_ch2", "front_door"]);
    let text = configure(GO2RTC, &report, &Logins::default()).in_one_text();
    assert!(text.contains("which is used directly)"), "{text}");
}

#[test]
fn each_place_has_the_password_in_its_own_form() {
    let devices = || vec![camera("10.0.5.20", "Front door")];
    let value = |configuration: &Configuration, name: &str| {
        let variable =
            configuration.variables.iter().find(|v| v.name == name).unwrap_or_else(|| panic!("{configuration:?}"));
        (variable.form, variable.value.as_ref().map(|v| v.expose().to_owned()))
    };
    let frigate = write(FRIGATE, devices());
    let encoded = (login::Form::Encoded, Some(ENCODED.to_owned()));
    assert_eq!(value(&frigate, "FRIGATE_10_0_5_20_PASSWORD_URL"), encoded);
    assert_eq!(value(&frigate, "FRIGATE_10_0_5_20_PASSWORD"), (login::Form::Plain, Some(PASSWORD.to_owned())));
    assert_eq!(value(&write(GO2RTC, devices()), "CAMERA_10_0_5_20_PASSWORD"), encoded);
    let whole = format!("rtsp://view%20er:{ENCODED}@10.0.5.20:554/main");
    let mediamtx = write(MEDIAMTX, devices());
    assert_eq!(value(&mediamtx, "MTX_PATHS_FRONTDOOR_SOURCE"), (login::Form::Url, Some(whole.clone())));
    let home_assistant = write(HOME_ASSISTANT, devices());
    assert_eq!(value(&home_assistant, "camera_10_0_5_20_url"), (login::Form::Url, Some(whole)));
    let shown = configure(MOTION, &sample::report_of(devices()), &Logins { of: &viewer, shown: true });
    assert!(shown.files[1].1.contains(&format!("netcam_userpass view%20er:{ENCODED}\n")), "{shown:?}");
}

#[test]
fn a_login_nobody_knows_is_two_variables() {
    let report = sample::report_of(vec![camera("10.0.5.20", "Front door")]);
    let configuration = configure(GO2RTC, &report, &Logins::default());
    let text = &configuration.files[0].1;
    assert!(text.contains("rtsp://${CAMERA_10_0_5_20_USER}:${CAMERA_10_0_5_20_PASSWORD}@10.0.5.20:554/main"), "{text}");
    let file = configuration.variables.file(login::Syntax::Env);
    assert!(file.contains("#CAMERA_10_0_5_20_PASSWORD=\n"), "{file}");
}

#[test]
fn the_file_of_variables_reads_back() {
    let mut variables = login::Variables::default();
    for (n, value) in ["plain", "it's", "a b", "$HOME", "\"q\"", "back\\slash", "#x", ""].iter().enumerate() {
        let value = Some(Secret::new(*value));
        variables.add(login::Variable { name: format!("V{n}"), form: login::Form::Plain, meaning: "x".into(), value });
    }
    let file = variables.file(login::Syntax::Env);
    let lines: Vec<&str> = file.lines().filter(|l| !l.starts_with('#')).collect();
    assert_eq!(
        lines,
        ["V0=plain", "V1='it\\'s'", "V2='a b'", "V3='$HOME'", "V4='\"q\"'", "V5='back\\\\slash'", "V6='#x'", "V7="]
    );
}

#[test]
fn udp_and_mjpeg_and_sound_are_seen_to() {
    let mut udp = camera("10.0.5.20", "Udp");
    udp.streams.iter_mut().for_each(|s| s.transport = Transport::Udp);
    let mut mjpeg = camera("10.0.5.21", "Old");
    let url = "http://10.0.5.21/video.mjpg";
    mjpeg.streams = vec![stream(url, Protocol::Mjpeg, VideoCodec::Mjpeg, (640, 480))];
    let devices = vec![udp, mjpeg];
    check_all(&devices);
    let text = |format: Format| write(format, devices.clone()).files.into_iter().map(|(_, t)| t).collect::<String>();
    let frigate = text(FRIGATE);
    assert!(frigate.contains("@10.0.5.20:554/main#video=copy#audio=copy#input=rtsp/udp"), "{frigate}");
    assert!(frigate.contains("/video.mjpg#video=h264"), "{frigate}");
    assert!(frigate.contains("ffmpeg:udp#audio=opus") && !frigate.contains("ffmpeg:old#audio=opus"), "{frigate}");
    assert!(text(GO2RTC).contains("/main#transport=udp#backchannel=0"));
    assert!(text(MEDIAMTX).contains("rtspTransport: udp"));
    assert!(text(MEDIAMTX).contains("# not used: http://10.0.5.21/video.mjpg"));
    assert!(text(MOTION).contains("netcam_url mjpeg://10.0.5.21/video.mjpg"));
    assert!(text(HOME_ASSISTANT).contains("!secret camera_10_0_5_20_url"));
}
