//! What holds for every format.

use super::*;

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
