//! YAML, the same tree as the JSON document. Text that a reader of any YAML version would take for something else
//! (MAC addresses, `no`, `12:30:45`, `1e3`) stands in quotes.

use std::io::{self, Write};

use super::Exporter;
use super::format::{Spec, Writer};
use crate::model::Report;

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "yaml",
    extensions: &["yaml", "yml"],
    help: "the whole report in YAML",
    is_binary: false,
    writer: Writer::Report(|_| Box::new(Yaml)),
};

/// Writes YAML.
pub struct Yaml;

impl Exporter for Yaml {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        // Long text stays on one line: folded blocks are read back differently by some readers.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let text = serde_saphyr::to_string_with_options(report, options).map_err(io::Error::other)?;
        out.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use proptest::prelude::*;

    fn yaml(report: &Report) -> String {
        let mut bytes = Vec::new();
        Yaml.write(report, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_camera_reads_well() {
        insta::assert_snapshot!(yaml(&sample::report_of(vec![sample::camera()])));
    }

    #[test]
    fn it_is_read_back_as_it_was() {
        for report in [sample::report(), sample::hostile_report(), sample::report_of(vec![])] {
            assert_eq!(serde_yaml::from_str::<Report>(&yaml(&report)).unwrap(), report);
        }
    }

    /// What YAML 1.1 readers (PyYAML, Ruby, Home Assistant, Ansible) take for a truth, a number of base 60, a merge or a
    /// date when it is not quoted.
    #[test]
    fn text_that_looks_like_something_else_is_quoted() {
        for trap in [
            "10:11:22:33:44:55",
            "no",
            "No",
            "NO",
            "yes",
            "on",
            "Off",
            "y",
            "N",
            "true",
            "null",
            "~",
            "",
            "12:30:45",
            "190:20:30",
            "0x1F",
            "0o14",
            "012",
            "1e3",
            "1_000",
            "1.5",
            ".5",
            "5.",
            "-7",
            "+7",
            ".inf",
            ".NaN",
            "=",
            "<<",
            "2026-11-21",
            "2026-11-21T08:00:00Z",
            "2026-11-21 08:00:00",
            "0b101",
            "685_230.15",
            "190:20:30.15",
            "- a",
            "a: b",
            "a #b",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "[a",
            "{a",
            "?",
            "? a",
            ":",
            "---",
            "...",
            " a",
            "a ",
            "a:",
        ] {
            let text = yaml(&sample::report_of(vec![sample::hostile("192.0.2.1", trap)]));
            let line = text.lines().find(|l| l.trim_start().starts_with("vendor:")).unwrap().trim();
            assert!(
                line == format!("vendor: '{trap}'") || line == format!("vendor: \"{trap}\""),
                "{trap:?} is written as {line}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_name_survives(name in any::<String>()) {
            let report = sample::report_of(vec![sample::hostile("192.0.2.1", &name)]);
            prop_assert_eq!(serde_yaml::from_str::<Report>(&yaml(&report)).unwrap(), report);
        }
    }
}
