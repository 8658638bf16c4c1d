//! The list of bounds in `src/budgets.md` says what the sources say, and leaves none out.

#![expect(clippy::unwrap_used, reason = "test code outside of test functions")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use camscan::model::ProbeOptions;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the tables, cell by cell, without the marks around code.
fn rows() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("src/budgets.md")).unwrap();
    let rows = text.lines().filter(|l| l.starts_with("| `"));
    rows.map(|l| l.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect()).collect()
}

/// The constants of a source that are numbers or times: name and value.
fn constants(source: &str) -> Vec<(String, String)> {
    let product = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let number = |kind: &str| ["usize", "u64", "u32", "u16", "u8", "i64", "Duration"].contains(&kind);
    product
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().split_once("const ")?.1.split_once(": ")?;
            let (kind, value) = rest.split_once(" = ")?;
            number(kind).then(|| (name.to_owned(), value.trim_end_matches(';').to_owned()))
        })
        .collect()
}

#[test]
fn every_bound_listed_is_the_sources() {
    let listed: Vec<_> = rows().into_iter().filter(|row| row[0].ends_with(".rs")).collect();
    assert!(listed.len() > 80, "{}", listed.len());
    for row in listed {
        let source = fs::read_to_string(root().join("src").join(&row[0])).unwrap();
        let found = constants(&source).into_iter().find(|(name, _)| *name == row[1]);
        assert_eq!(found.map(|(_, value)| value).as_deref(), Some(row[2].as_str()), "{} {}", row[0], row[1]);
    }
}

#[test]
fn every_bound_of_the_sources_is_listed() {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|e| e == "rs") {
                found.push(entry);
            }
        }
    }
    let listed: BTreeSet<(String, String)> = rows().into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut files = Vec::new();
    for room in ["identify", "media", "net", "protocol", "scan"] {
        walk(&root().join("src").join(room), &mut files);
    }
    // What one of our own frames may carry is no bound on anybody.
    let ours = [("protocol/tcp/syn/wire.rs", "MAX_SEGMENT")];
    let mut missing = Vec::new();
    for path in files {
        let file = path.strip_prefix(root().join("src")).unwrap().to_string_lossy().into_owned();
        let is_bound = |name: &str| ["MAX_", "MOST_"].iter().any(|start| name.starts_with(start)) || name == "MOST";
        for (name, _) in constants(&fs::read_to_string(&path).unwrap()) {
            if is_bound(&name)
                && !file.contains("test")
                && !file.contains("fake")
                && !ours.contains(&(&*file, &*name))
                && !listed.contains(&(file.clone(), name.clone()))
            {
                missing.push(format!("{file} {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "bounds that src/budgets.md does not list:\n{}", missing.join("\n"));
}

#[test]
fn every_default_listed_is_the_programs() {
    let keys = fs::read_to_string(root().join("src/cli/keys.rs")).unwrap();
    let hosts = keys.lines().find(|line| line.contains("\"concurrency\"")).unwrap();
    let defaults = ProbeOptions::default();
    for (setting, is) in [
        ("concurrency", hosts.split('"').nth(3).unwrap().to_owned()),
        ("per_host", defaults.per_host.to_string()),
        ("connect_timeout", format!("{:?}", defaults.connect_timeout)),
        ("request_timeout", format!("{:?}", defaults.request_timeout)),
        ("frame_timeout", format!("{:?}", defaults.frame_timeout)),
        ("measure_time", format!("{:?}", defaults.measure_time)),
        ("host_timeout", format!("{:?}", defaults.host_timeout)),
        ("retries", defaults.retries.to_string()),
        ("max_login_failures", defaults.max_login_failures.to_string()),
        ("max_candidates", defaults.max_candidates.to_string()),
        ("max_channels", defaults.max_channels.to_string()),
    ] {
        let row = rows().into_iter().find(|row| row[0] == setting).unwrap();
        assert_eq!(row[1], is, "{setting}");
    }
}
