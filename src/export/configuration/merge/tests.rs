use proptest::prelude::*;

use super::super::section::{Entry, Existing};
use super::*;

fn section(path: &'static [&'static str], names: &[&str]) -> Section {
    let entry = |name: &&str| Entry {
        name: (*name).to_owned(),
        lines: vec![format!("# {name}"), format!("{name}:"), "  source: \"rtsp://10.0.5.20/x\"".to_owned()],
    };
    Section { path, entries: names.iter().map(entry).collect() }
}

const NEW: &str = "# new\nnew:\n  source: \"rtsp://10.0.5.20/x\"\n";

/// `NEW` as deep as `by`.
fn new(by: usize) -> String {
    NEW.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

fn merged(text: &str) -> Result<String, MergeError> {
    merge(text, &[section(&["streams"], &["new"])]).map(|merged| merged.text)
}

#[test]
fn an_entry_is_put_behind_the_last_and_nothing_else_changes() {
    let cases = [
        // Behind the last entry, before what follows; its own comments stay with it.
        (
            "# mine\nstreams:\n  a: x # old\n  # about b\n  b: [y,\n    z]\n\n# the rest\napi: {listen: \":1\"}\n",
            format!(
                "# mine\nstreams:\n  a: x # old\n  # about b\n  b: [y,\n    z]\n{}\n# the rest\napi: {{listen: \":1\"}}\n",
                new(2)
            ),
        ),
        // As deep as the others stand.
        ("streams:\n    a: x\n", format!("streams:\n    a: x\n{}", new(4))),
        // Text of several lines and lists belong to the entry before.
        ("streams:\n  a: |\n    streams:\n    # x\n", format!("streams:\n  a: |\n    streams:\n    # x\n{}", new(2))),
        ("streams:\n  a:\n  - x\n  - y\nb: 1\n", format!("streams:\n  a:\n  - x\n  - y\n{}b: 1\n", new(2))),
        // Nothing there yet.
        ("", format!("streams:\n{}", new(2))),
        ("# nothing\n", format!("# nothing\nstreams:\n{}", new(2))),
        ("b: 1\n# the end\n", format!("b: 1\n# the end\nstreams:\n{}", new(2))),
        ("streams: {}  # none yet\nb: 1\n", format!("streams:  # none yet\n{}b: 1\n", new(2))),
        ("streams: # none\n", format!("streams: # none\n{}", new(2))),
        ("\"streams\":\n  a: x", format!("\"streams\":\n  a: x\n{}", new(2))),
        ("---\nb: 1\n", format!("---\nb: 1\nstreams:\n{}", new(2))),
        // A key of that name elsewhere is another.
        ("b:\n  streams:\n    a: x\n", format!("b:\n  streams:\n    a: x\nstreams:\n{}", new(2))),
    ];
    for (old, wanted) in cases {
        assert_eq!(merged(old).unwrap_or_else(|error| panic!("{error}\n{old}")), wanted, "{old}");
    }
    let windows = merged("streams:\r\n  a: x\r\n").unwrap();
    assert_eq!(windows, format!("streams:\r\n  a: x\r\n{}", new(2).replace('\n', "\r\n")));
}

#[test]
fn sections_that_meet_are_kept_apart() {
    let sections = [section(&["go2rtc", "streams"], &["new"]), section(&["cameras"], &["new"])];
    let text = |old: &str| merge(old, &sections).unwrap_or_else(|error| panic!("{error}\n{old}")).text;
    assert_eq!(text("cameras: {}\n"), format!("cameras:\n{}go2rtc:\n  streams:\n{}", new(2), new(4)));
    assert_eq!(
        text("go2rtc:\n  api: 1\ncameras:\n  a: 1\nmqtt: {}\n"),
        format!("go2rtc:\n  api: 1\n  streams:\n{}cameras:\n  a: 1\n{}mqtt: {{}}\n", new(4), new(2))
    );
}

#[test]
fn what_is_not_understood_is_left_alone() {
    let error = |text: &str| merged(text).unwrap_err();
    assert!(matches!(error("streams: {a: x}\n"), MergeError::NotBlock { line: 1, .. }));
    assert!(matches!(error("# x\nstreams: &all\n  a: x\n"), MergeError::NotBlock { line: 2, .. }));
    assert!(matches!(error("a: [\n"), MergeError::NotYaml(_)));
    assert_eq!(error("a: 1\n---\nstreams:\n"), MergeError::SeveralDocuments(2));
    assert_eq!(error("streams:\n  new: x\n"), MergeError::NotUnderstood, "the name is taken");
    assert_eq!(error("- a\n- b\n"), MergeError::NotUnderstood);
    assert_eq!(error("streams:\n  - a\n"), MergeError::NotUnderstood);
}

#[test]
fn a_camera_is_known_by_its_address() {
    let document = read("cameras:\n  a:\n    path: rtsp://u:{P}@10.0.5.20:554/main#x=1\n").unwrap();
    let existing = Existing::of(&document, &[&["cameras"]]);
    let mut device = crate::export::sample::camera();
    device.ip = "10.0.5.20".parse().unwrap();
    let stream = |url: &str| crate::model::Stream::new(url, crate::model::Protocol::Rtsp);
    let (same, other) = (stream("rtsp://10.0.5.20:554/main"), stream("rtsp://10.0.5.20:554/2"));
    assert!(existing.has(&device, false, [&other]), "a camera has one place in a configuration");
    assert!(existing.has(&device, true, [&same]) && !existing.has(&device, true, [&other]), "a channel has its own");
    assert_eq!(existing.names.iter().collect::<Vec<_>>(), ["a"]);
}

fn block() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("# note".to_owned()),
        Just(String::new()),
        "[a-d]: [0-9]{1,2}",
        Just("streams:".to_owned()),
        Just("streams: {}".to_owned()),
        "x[a-d]: \\|",
        "- [a-z]",
        Just("---".to_owned()),
        "[ -~]{0,12}",
    ];
    proptest::collection::vec((0..3usize, line), 0..12)
        .prop_map(|lines| lines.iter().map(|(depth, line)| format!("{:1$}{line}\n", "", depth * 2)).collect())
}

proptest! {
    /// Without the lines put in, the text is the old one byte for byte, but for the braces of an empty mapping.
    #[test]
    fn taking_out_what_was_put_in_gives_the_old_text(old in block()) {
        if let Ok(merged) = merge(&old, &[section(&["streams"], &["new"])]) {
            let mut lines: Vec<&str> = merged.text.split_inclusive('\n').collect();
            for insertion in merged.insertions.iter().rev() {
                lines.drain(insertion.before..insertion.before + insertion.lines.len());
            }
            let opens = merged.insertions.iter().any(|insertion| insertion.opens);
            let left = lines.concat();
            prop_assert!(left == old || (opens && left.len() < old.len()), "{old}\n----\n{left}");
        }
    }
}
