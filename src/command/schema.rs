//! `camscan schema`: the JSON Schema of the report, and of files of signatures.

use std::io::{self, Write};

use crate::export::schema;
use crate::identify::signature::Pack;

/// Prints the schema of the report, or of a file of signatures.
///
/// # Errors
/// Those of `out`.
pub fn run(of_signatures: bool, out: &mut dyn Write) -> io::Result<()> {
    let schema = if of_signatures { schema::of::<Pack>("camscan signatures") } else { schema::schema() };
    serde_json::to_writer_pretty(&mut *out, &schema)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn schema_of_signatures() -> Value {
        let mut out = Vec::new();
        run(true, &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    /// What is wrong with a file by the schema.
    fn told(text: &str) -> Vec<String> {
        let file: Value = serde_yaml::from_str(text).unwrap();
        let validator = jsonschema::draft202012::new(&schema_of_signatures()).unwrap();
        validator.iter_errors(&file).map(|e| format!("{e} at {}", e.instance_path)).collect()
    }

    #[test]
    fn the_files_of_the_program_meet_the_schema_of_signatures() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/identify/data");
        let mut files = 0;
        for entry in fs::read_dir(data.join("signatures")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "yaml") {
                assert_eq!(told(&fs::read_to_string(&path).unwrap()), [""; 0], "{}", path.display());
                files += 1;
            }
        }
        assert!(files >= 10, "{files}");
        let urls: Value = serde_yaml::from_str(&fs::read_to_string(data.join("stream_urls.yaml")).unwrap()).unwrap();
        assert_eq!(told(&serde_yaml::to_string(&urls["vendors"]).unwrap()), [""; 0]);
    }

    #[test]
    fn the_schema_of_signatures_refuses_what_the_program_refuses() {
        jsonschema::draft202012::meta::validate(&schema_of_signatures()).unwrap();
        for text in [
            "field: realm",
            "- {field: realm}",
            "- {field: relm, regex: a, vendor: A}",
            "- {field: realm, regex: a, vendr: A}",
            "- {field: realm, regex: a, vendor: A, weight: 2}",
            "- {field: realm, regex: a, vendor: ~}",
            "- {rtsp: [/a]}",
            "- {vendor: A, rtps: [/a]}",
            "- {vendor: A, rtsp: [a]}",
            "- {vendor: A, rtsp: [{path: /a, port: 0}]}",
            "- {vendor: A, rtsp: [{path: /a, confidence: sure}]}",
        ] {
            assert!(!told(text).is_empty(), "{text}");
        }
        assert_eq!(told("- {field: realm, regex: a, vendor: A}\n- {vendor: A, rtsp: [/a, {path: /b}]}\n"), [""; 0]);
    }
}
