//! What holds for every format.

use super::*;
use crate::model::{Protocol, Service, StreamStatus, Transport, Video};

fn text(format: Format, report: &Report) -> String {
    String::from_utf8(render(format, &Options::default(), report).unwrap()).unwrap()
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    for report in [sample::report(), sample::hostile_report()] {
        for format in FORMATS.iter() {
            let render = || render(format, &Options::default(), &report).unwrap();
            assert_eq!(render(), render(), "{format}");
        }
    }
}

#[test]
fn json_is_read_back_as_it_was() {
    for report in [sample::report(), sample::hostile_report()] {
        assert_eq!(serde_json::from_str::<Report>(&text(&json::FORMAT, &report)).unwrap(), report);
        let lines = text(&jsonl::FORMAT, &report);
        let (last, devices) = lines.lines().collect::<Vec<_>>().split_last().map(|(l, d)| (*l, d.to_vec())).unwrap();
        let devices: Vec<crate::model::Device> = devices.iter().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(devices, report.devices);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(last).unwrap(),
            serde_json::json!({ "scan": report.scan })
        );
    }
}

/// A camera at 10.0.0.5 that plays by this address.
fn playing(url: &str, protocol: Protocol, open: Option<bool>) -> Report {
    let mut device = sample::camera();
    device.ip = [10, 0, 0, 5].into();
    device.addresses = vec![device.ip];
    device.services = vec![Service::new(Protocol::Onvif, Transport::Tcp, 80)];
    let stream = crate::model::Stream::new(url, protocol);
    let video = Some(Video { width: Some(640), height: Some(360), ..Video::default() });
    device.streams = vec![crate::model::Stream { status: StreamStatus::Streaming, open, video, ..stream }];
    sample::report_of(vec![device])
}

/// All that a program would take from what is written: the lines without comments, and what the variables stand for.
fn taken(format: Format, report: &Report) -> String {
    let of = |_: &Device| Some(Credential::new("viewer", "secret"));
    let mut taken = String::new();
    for shown in [false, true] {
        let logins = Logins { of: &of, shown };
        match format.configuration() {
            Some(configure) => {
                let written = configure.of(report, &logins);
                taken.extend(written.files.iter().map(|(_, text)| text.as_str()));
                taken.extend(written.variables.iter().filter_map(|v| v.value.as_ref()).map(|v| v.expose()));
            }
            None => {
                taken += &String::from_utf8_lossy(
                    &render(format, &Options { logins, ..Options::default() }, report).unwrap(),
                )
            }
        }
    }
    let is_comment = |line: &&str| ["# ", "-- "].iter().any(|begins| line.trim_start().starts_with(begins));
    taken.lines().filter(|line| !is_comment(line)).collect::<Vec<_>>().join("\n")
}

/// What programs open: configurations and playlists.
fn opened() -> impl Iterator<Item = Format> {
    FORMATS.iter().filter(|format| format.configuration().is_some() || format.name == "m3u")
}

#[test]
fn no_program_is_handed_an_address_that_leads_elsewhere() {
    let protocols =
        [Protocol::Rtsp, Protocol::Rtsps, Protocol::Rtmp, Protocol::Mjpeg, Protocol::Hls, Protocol::Snapshot];
    let own = playing("rtsp://10.0.0.5/touch-owned", Protocol::Rtsp, None);
    for format in opened() {
        // Prometheus is given host and port alone.
        let sign = if format.name == "prometheus" { "10.0.0.5:554" } else { "touch-owned" };
        assert!(taken(format, &own).contains(sign), "{format}");
        for (url, open) in sample::FOREIGN_URLS.iter().flat_map(|url| [(url, None), (url, Some(false))]) {
            for protocol in protocols {
                let taken = taken(format, &playing(url, protocol, open));
                assert!(!taken.contains("touch-owned") && !taken.contains("10.0.0.5:"), "{format} {url} {taken}");
            }
        }
    }
}

#[test]
fn what_leads_elsewhere_is_not_read_and_that_is_said() {
    for url in sample::FOREIGN_URLS {
        let written = text(&json::FORMAT, &playing(url, Protocol::Rtsp, None));
        let report = read::read(&written).unwrap();
        let said = report.warnings.concat();
        assert!(said.contains("10.0.0.5: 1 stream is left out: its address "), "{url}: {said}");
        for format in FORMATS.iter().filter(|format| !format.is_binary) {
            assert!(!text(format, &report).contains("touch-owned"), "{format} {url}");
        }
    }
}
