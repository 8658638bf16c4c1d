//! Every file of the collections, read by the scanner's own functions and held against what `expected.json` says of it.
//!
//! `tests/data` is part of the repository. Verbatim answers of real devices are not: they are read where
//! `CAMSCAN_CAPTURES` says they lie, and must be there when `CAMSCAN_CAPTURES_REQUIRED=1`. A file nobody reads, an
//! expectation nobody judges and one that does not hold are failures. What cannot be decided from one message is listed
//! in [`captures::NOT_DECIDED`].

mod judge;
mod read;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::trial::Skip;
use judge::judge;
use read::read;

/// Files that hold no device's words, and why.
const NO_MESSAGES: &[(&str, &str)] = &[
    ("expected.json", "the expectations"),
    ("INDEX.md", "where the files come from"),
    ("media/README.md", "where the pieces of streams come from"),
    ("recorder/README.md", "where the lists of recorders come from"),
    ("recorder/dahua_camera_state.txt", "a list of a recorder, held by the tests of its codec"),
    ("recorder/dahua_channel_title.txt", "a list of a recorder, held by the tests of its codec"),
    ("recorder/dahua_remote_device.txt", "a list of a recorder, held by the tests of its codec"),
    ("recorder/hikvision_input_proxy_channels.xml", "a list of a recorder, held by the tests of its codec"),
    ("recorder/hikvision_input_proxy_status.xml", "a list of a recorder, held by the tests of its codec"),
    ("reconstructed/behaviours.json", "scripts for a server, played by the tests of each client"),
    ("http/recog_camera_fingerprints.json", "a list of fingerprints, held by the tests of identify"),
    ("oui/camera_oui.csv", "a list of prefixes, held by the tests of identify::oui"),
    ("oui/camera_oui_after_2022.csv", "a list of prefixes, held by the tests of identify::oui"),
    ("tls/self_signed_with_names.der", "a certificate, held by the tests of net::tls"),
    ("tools/sps.py", "a program"),
    ("vms/README.md", "where the schemas come from"),
    ("vms/frigate-0.17.2.schema.json", "a schema, held by the tests of export::vms"),
    ("vms/go2rtc-1.9.14.schema.json", "a schema, held by the tests of export::vms"),
    ("vms/mediamtx-1.20.1.keys.json", "a list of keys, held by the tests of export::vms"),
    ("vms/viseron-3.5.2.facts.json", "a schema, held by the tests of export::vms"),
    ("vms/zoneminder-monitors.columns.json", "a list of columns, held by the tests of export::vms"),
];

pub fn every_file_of_the_repository_is_read_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let read = check(&folder, "");
    assert!(read >= 179 + 7, "only {read} files");
}

pub fn every_capture_is_read_as_expected() -> Result<(), Skip> {
    let Some(folder) = std::env::var_os("CAMSCAN_CAPTURES").map(PathBuf::from) else {
        assert_ne!(
            std::env::var("CAMSCAN_CAPTURES_REQUIRED").as_deref(),
            Ok("1"),
            "captures are required, and CAMSCAN_CAPTURES names no folder"
        );
        return Err(Skip("CAMSCAN_CAPTURES names no folder".to_owned()));
    };
    let read = check(&folder, "reconstructed/");
    assert!(read >= 321, "only {read} files");
    Ok(())
}

/// Checks all files below `folder` and gives how many were read. Those below `own` are the repository's, byte for byte.
fn check(folder: &Path, own: &str) -> usize {
    let text = std::fs::read(folder.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&text).unwrap();
    let expected = expected["files"].as_object().unwrap();
    let mut wrong = Vec::new();
    let mut missing: BTreeSet<&String> = expected.keys().collect();
    let mut count = 0;
    for name in files(folder, folder) {
        let name = name.to_str().unwrap().to_owned();
        if NO_MESSAGES.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        if !own.is_empty()
            && let Some(ours) = name.strip_prefix(own)
        {
            let copy = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(ours);
            if std::fs::read(copy).ok().as_ref() != Some(&bytes) {
                wrong.push(format!("{name}: differs from the repository's"));
            }
        }
        let plain = name.strip_prefix(own).unwrap_or(&name);
        let want = expected.get(&name).cloned().or_else(|| read::named(plain));
        let Some(want) = want else {
            wrong.push(format!("{name}: nothing is expected of it"));
            continue;
        };
        missing.remove(&name);
        match read(plain, &bytes, &want) {
            Some(seen) => {
                count += 1;
                wrong.extend(judge(plain, &seen, &want).into_iter().map(|what| format!("{name}: {what}")));
            }
            None => wrong.push(format!("{name}: nobody reads it")),
        }
    }
    wrong.extend(missing.iter().map(|name| format!("{name}: is expected and is not there")));
    assert!(wrong.is_empty(), "{} of {count} files:\n{}", wrong.len(), wrong.join("\n"));
    count
}

fn files(root: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(root, &entry));
        } else {
            found.push(entry.strip_prefix(root).unwrap().to_owned());
        }
    }
    found.sort();
    found
}
