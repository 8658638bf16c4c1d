//! Whose password a variable holds: that of one address, whatever devices are called and in whichever order they come.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Each has a password of its own: `pw-N-wp`.
const ADDRESSES: [&str; 5] = ["10.0.0.5", "10.0.0.9", "10.0.5.9", "fd00::9", "fd00::10:0:0:5"];
const FORMATS: [Format; 6] = [FRIGATE, GO2RTC, MEDIAMTX, HOME_ASSISTANT, VISERON, ZONEMINDER];

/// A camera that demands a login, at one of the addresses.
fn named(at: usize, name: Option<&str>, host: Option<&str>, channels: bool) -> Device {
    let mut device = camera(ADDRESSES[at], "");
    (device.name, device.hostname) = (name.map(str::to_owned), host.map(str::to_owned));
    if channels {
        device.streams.iter_mut().zip(1..).for_each(|(stream, channel)| stream.channel = Some(channel));
    }
    device
}

/// The names of variables with what they stand for once the login of every device is known.
fn environment(format: Format, devices: &[Device]) -> BTreeMap<String, String> {
    let of = |device: &Device| {
        let at = ADDRESSES.iter().position(|ip| *ip == device.ip.to_string()).unwrap();
        Some(Credential::new("viewer", format!("pw-{at}-wp")))
    };
    let report = sample::report_of(devices.to_vec());
    let variables = configure(format, &report, &Logins { of: &of, shown: false }).variables;
    variables.iter().map(|v| (v.name.clone(), v.value.as_ref().unwrap().expose().to_owned())).collect()
}

/// What a consumer makes of the configuration of these devices with an environment.
fn consumed(format: Format, devices: &[Device], environment: &BTreeMap<String, String>) -> String {
    let of = |_: &Device| Some(Credential::new("viewer", "of-today"));
    let report = sample::report_of(devices.to_vec());
    let mut text = configure(format, &report, &Logins { of: &of, shown: false }).files.remove(0).1;
    match format.name {
        "viseron" => return viseron::addresses(&text, environment).join("\n"),
        "zoneminder" => {
            let monitors = zoneminder::monitors(&text, environment, true).into_iter();
            let paths = monitors.flat_map(|monitor| [monitor["Path"].clone(), monitor["SecondPath"].clone()]);
            return paths.flatten().collect::<Vec<_>>().join("\n");
        }
        _ => {}
    }
    for (name, value) in environment {
        text = match format.name {
            "go2rtc" => text.replace(&format!("${{{name}}}"), value),
            "frigate" => text.replace(&format!("{{{name}}}"), value),
            "homeassistant" => text.replace(&format!("!secret {name}}}"), &format!("{value}}}")),
            _ => with_source(&text, name, value),
        };
    }
    text
}

/// What MediaMTX makes of a variable: the source of the path that it names.
fn with_source(text: &str, name: &str, value: &str) -> String {
    let path = name.strip_prefix("MTX_PATHS_").and_then(|rest| rest.strip_suffix("_SOURCE")).unwrap();
    let key = format!("  {}:", path.to_lowercase());
    let mut is_next = false;
    let line = |line: &str| {
        let is_source = std::mem::replace(&mut is_next, line == key);
        if is_source { format!("    source: {value}\n") } else { format!("{line}\n") }
    };
    text.lines().map(line).collect()
}

/// Every password stands before the address it is of.
fn check(format: Format, text: &str) -> usize {
    let mut seen = 0;
    for line in text.lines() {
        for (at, _) in line.match_indices("pw-") {
            let number: usize = line[at + 3..].split('-').next().unwrap().parse().unwrap();
            let ip = ADDRESSES[number];
            let behind = &line[at..];
            let url = format!("-wp@{}:", crate::model::stream::url_host(ip.parse().unwrap()));
            let is_there = behind.contains(&url) && behind.find(&url) == behind.find("-wp");
            let is_of_onvif = line.contains(&format!("onvif: {{host: \"{ip}\""));
            assert!(is_there || is_of_onvif, "{format}: the password of {ip} in {line}\n{text}");
            seen += 1;
        }
    }
    seen
}

#[test]
fn a_stranger_with_the_name_of_another_gets_no_password_of_it() {
    let porch = || named(1, None, Some("porch"), false);
    let stranger = named(0, None, Some("porch"), false);
    for format in FORMATS {
        let yesterday = environment(format, &[porch()]);
        assert!(check(format, &consumed(format, &[porch()], &yesterday)) > 0, "{format}");
        check(format, &consumed(format, &[stranger.clone(), porch()], &yesterday));
    }
}

fn devices() -> impl Strategy<Value = Vec<Device>> {
    let names = || {
        prop_oneof![
            Just(None),
            prop::sample::select(
                &["porch", "porch_2", "Porch 2", "camera_0_9", "10_0_0_9", "camera_10_0_0_9", "fd00_0_0", "on"][..]
            )
            .prop_map(Some),
        ]
    };
    let device = (names(), names(), any::<bool>());
    let order = Just((0..ADDRESSES.len()).collect::<Vec<_>>()).prop_shuffle();
    (order, prop::collection::vec(device, 1..=ADDRESSES.len())).prop_map(|(order, all)| {
        order.into_iter().zip(all).map(|(at, (name, host, channels))| named(at, name, host, channels)).collect()
    })
}

proptest! {
    /// The variables of one report with the configuration of another.
    #[test]
    fn a_password_goes_to_the_address_it_is_of(yesterday in devices(), today in devices()) {
        for format in FORMATS {
            check(format, &consumed(format, &today, &environment(format, &yesterday)));
        }
    }
}
