//! Every pure parser takes any bytes: captures, captures with bytes changed, and bytes that mean nothing. The same
//! functions are the targets of `fuzz/`, which looks for longer.

#[path = "../../fuzz/src/lib.rs"]
mod parsers;

use std::fs;
use std::path::Path;

use parsers::TARGETS;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The captures of the tests, the largest left out.
fn captures() -> Vec<Vec<u8>> {
    fn walk(folder: &Path, found: &mut Vec<Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else {
                found.push(fs::read(entry).unwrap());
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"), &mut found);
    found.retain(|capture| !capture.is_empty() && capture.len() <= 64 * 1024);
    found.sort();
    assert!(found.len() > 50, "the captures are not where they were");
    found
}

pub fn every_capture_is_taken_by_every_parser() {
    for (_, parse) in TARGETS {
        captures().iter().for_each(|capture| parse(capture));
    }
}

pub fn captures_with_bytes_changed_are_taken() {
    let captures = captures();
    let change =
        (any::<prop::sample::Index>(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8));
    let cut = any::<prop::sample::Index>();
    let mut runner = TestRunner::new(Config { cases: 256, ..Config::default() });
    let outcome = runner.run(&(change, cut), |((which, changes), cut)| {
        let mut bytes = captures[which.index(captures.len())].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        TARGETS.iter().for_each(|(_, parse)| parse(&bytes));
        Ok(())
    });
    outcome.unwrap();
}

pub fn any_bytes_are_taken() {
    let mut runner = TestRunner::new(Config { cases: 512, ..Config::default() });
    let outcome = runner.run(&prop::collection::vec(any::<u8>(), 0..600), |bytes| {
        TARGETS.iter().for_each(|(_, parse)| parse(&bytes));
        Ok(())
    });
    outcome.unwrap();
}

pub fn every_parser_has_its_fuzz_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
        assert!(fuzz.join(format!("fuzz_targets/{name}.rs")).is_file(), "fuzz_targets/{name}.rs is missing");
    }
}

/// A folder's `wire.rs` is where bytes of the network become values: none may be without a target.
pub fn every_wire_is_among_the_parsers() {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.file_name().is_some_and(|name| name == "wire.rs") {
                found.push(folder.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let parsers = fs::read_to_string(root.join("fuzz/src/lib.rs")).unwrap();
    let mut rooms = Vec::new();
    walk(&root.join("src/protocol"), &mut rooms);
    assert!(rooms.len() > 10, "{rooms:?}");
    for room in rooms {
        let ways =
            [format!("{room}::wire::"), format!("{room}::{{"), format!("wire as {room};"), format!("wire as {room}}}")];
        assert!(ways.iter().any(|way| parsers.contains(way)), "no parser of fuzz/src/lib.rs calls {room}/wire.rs");
    }
}
