//! What holds for each format alike, format by format: how many cameras, which addresses, whose logins.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;

use super::*;

/// What cameras and streams are called in it.
fn names(format: Format, configuration: &Configuration) -> Vec<String> {
    if format.name == "motion" {
        let files = configuration.files.iter().skip(1).map(|(name, _)| name.clone());
        return files.collect();
    }
    if format.name == "zoneminder" {
        let variables = configuration.variables.iter().map(|v| (v.name.clone(), v.name.clone())).collect();
        let monitors = zoneminder::monitors(&configuration.files[0].1, &variables, true);
        return monitors.into_iter().filter_map(|mut monitor| monitor.remove("Path")?).collect();
    }
    let text = configuration.files[0].1.replace("!secret ", "");
    let value: Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let keys = |value: &Value| value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
    let of_each = |list: &Value, name: &dyn Fn(&Value) -> String| list.as_array().unwrap().iter().map(name).collect();
    match format.name {
        "frigate" => keys(&value["cameras"]),
        "go2rtc" => keys(&value["streams"]),
        "mediamtx" => keys(&value["paths"]),
        "viseron" => keys(&value["ffmpeg"]["camera"]),
        "homeassistant" => of_each(&value["camera"], &|camera| camera["input"].to_string()),
        "prometheus" => {
            of_each(&value, &|target| format!("{} {}", target["labels"]["name"], target["labels"]["stream"]))
        }
        other => panic!("no names are known of {other}"),
    }
}

fn shown(format: Format, devices: Vec<Device>, login: (&str, &str)) -> Configuration {
    let of = |_: &Device| Some(Credential::new(login.0, login.1));
    configure(format, &sample::report_of(devices), &Logins { of: &of, shown: true })
}

fn whole(configuration: &Configuration) -> String {
    configuration.files.iter().map(|(_, text)| text.as_str()).collect()
}

#[rstest]
#[case::frigate(FRIGATE, 200)]
#[case::go2rtc(GO2RTC, 400)]
#[case::mediamtx(MEDIAMTX, 400)]
#[case::home_assistant(HOME_ASSISTANT, 400)]
#[case::motion(MOTION, 200)]
#[case::prometheus(PROMETHEUS, 200)]
#[case::viseron(VISERON, 200)]
#[case::zoneminder(ZONEMINDER, 200)]
fn two_hundred_cameras_are_told_apart(#[case] format: Format, #[case] wanted: usize) {
    let devices = (0..200).map(|n| camera(&format!("10.0.8.{n}"), "Cam")).collect();
    let names = names(format, &write(format, devices));
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!((names.len(), different.len()), (wanted, wanted));
}

#[rstest]
fn no_camera_and_none_that_plays_are_none(
    #[values(FRIGATE, GO2RTC, MEDIAMTX, HOME_ASSISTANT, MOTION, PROMETHEUS, VISERON, ZONEMINDER)] format: Format,
) {
    assert_eq!(names(format, &write(format, Vec::new())), [""; 0]);
    let (mut none, mut refused) = (camera("10.0.5.20", "Front door"), camera("10.0.5.21", "Garden"));
    none.streams.clear();
    refused.streams.iter_mut().for_each(|s| s.status = StreamStatus::AuthRequired);
    let configuration = write(format, vec![none, refused]);
    assert_eq!(names(format, &configuration), [""; 0]);
    for reason in ["10.0.5.20: no stream was found", "login needed"] {
        assert!(whole(&configuration).contains(reason), "{reason}: {configuration:?}");
    }
}

#[rstest]
fn long_addresses_are_not_cut(
    #[values(FRIGATE, GO2RTC, MEDIAMTX, HOME_ASSISTANT, MOTION, VISERON, ZONEMINDER)] format: Format,
) {
    let path = format!("/{}/end", "x".repeat(210));
    let mut device = camera("10.0.5.20", "Front door");
    device
        .streams
        .iter_mut()
        .for_each(|stream| (stream.url, stream.open) = (format!("rtsp://10.0.5.20:554{path}"), Some(true)));
    let text = whole(&write(format, vec![device]));
    assert!(text.contains(&path), "{text}");
}

#[rstest]
fn addresses_of_ipv6_stand_in_brackets(
    #[values(FRIGATE, GO2RTC, MEDIAMTX, HOME_ASSISTANT, MOTION, PROMETHEUS, VISERON, ZONEMINDER)] format: Format,
) {
    let text = whole(&shown(format, vec![camera("fd00::77:20", "Front door")], ("viewer", "x")));
    // Viseron puts the port behind it itself.
    let wanted = if format.name == "viseron" { "host: \"[fd00::77:20]\"" } else { "[fd00::77:20]:554" };
    assert!(text.contains(wanted), "{text}");
    for (at, _) in text.match_indices("fd00::77:20") {
        let (before, after) = (&text[..at], &text[at + "fd00::77:20".len()..]);
        assert_eq!(before.ends_with('['), after.starts_with(']'), "{text}");
        assert!(!before.ends_with('@') && !before.ends_with("//"), "{text}");
    }
}

/// Each character that has a meaning in addresses, in YAML, in environments and in `str.format`, alone and within a word, as
/// user and as password.
#[rstest]
fn logins_read_back_as_they_are(
    #[values(FRIGATE, GO2RTC, MEDIAMTX, HOME_ASSISTANT, MOTION, VISERON, ZONEMINDER)] format: Format,
) {
    const BITE: [&str; 22] = [
        "@", ":", "%", "/", "#", "{", "}", "$", "^", " ", "?", "&", "=", "+", "\\", "\"", "'", "!", "*", "ö", "密",
        "😀",
    ];
    for character in BITE {
        for (user, password) in
            [("viewer", character), ("viewer", &format!("a{character}{character}b")), (&format!("v{character}"), "x")]
        {
            let mut text = whole(&shown(format, vec![camera("10.0.5.20", "Front door")], (user, password)));
            if format.name == "viseron" {
                text = viseron::addresses(&text, &BTreeMap::new()).join("\n");
            }
            let places: Vec<&str> = match format.name {
                "motion" => text.lines().filter_map(|line| line.strip_prefix("netcam_userpass ")).collect(),
                _ => text
                    .split("rtsp://")
                    .skip(1)
                    .filter_map(|rest| Some(rest.split_once("@10.0.5.20:554")?.0))
                    .collect(),
            };
            let places: Vec<&&str> = places.iter().filter(|place| !place.contains('\n')).collect();
            assert!(!places.is_empty(), "{text}");
            for place in places {
                let (of_user, of_password) = place.split_once(':').unwrap();
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
                assert!(of_user.chars().chain(of_password.chars()).all(is_plain), "{place}");
                let read = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
                assert_eq!((read(of_user).as_str(), read(of_password).as_str()), (user, password), "{text}");
            }
        }
    }
}
