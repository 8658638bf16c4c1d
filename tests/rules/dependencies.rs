//! What `deny.toml` says of licences and of versions side by side holds for what the program is made of, tests included.
//! Of advisories it says nothing: those are `cargo deny`'s, which fetches them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The crates that are compiled on Linux, as cargo resolves them without a network.
fn packages() -> Vec<Value> {
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline"];
    let linux = ["--filter-platform", "x86_64-unknown-linux-gnu"];
    let mut cargo = Command::new(env!("CARGO"));
    let said = cargo.args(arguments).args(linux).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let metadata: Value = serde_json::from_slice(&said.stdout).unwrap();
    let used: BTreeSet<&str> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().filter_map(|n| n["id"].as_str()).collect();
    let all = metadata["packages"].as_array().unwrap();
    all.iter().filter(|p| used.contains(p["id"].as_str().unwrap())).cloned().collect()
}

/// The first quoted text of every line of a list in `deny.toml`.
fn list(name: &str) -> Vec<String> {
    let text = include_str!("../../deny.toml");
    let (_, rest) = text.split_once(&format!("\n{name} = [\n")).unwrap();
    let lines = rest.lines().take_while(|line| *line != "]");
    lines.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

/// Whether a licence can be had by those allowed: for each part joined by AND, one of its alternatives; the slash of old
/// manifests means OR. Where alternatives hold parts of their own this asks for more than is due, never for less.
fn is_met(licence: &str, allowed: &[String]) -> bool {
    let plain = licence.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" AND ").all(|part| part.split(" OR ").any(|name| allowed.iter().any(|a| a == name.trim())))
}

pub fn every_licence_is_one_that_fits_ours() {
    let allowed = list("allow");
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_met(licence, &allowed), "{}: '{licence}'", package["name"]);
    }
}

pub fn nothing_comes_in_two_versions_without_a_reason() {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        versions.entry(text("name")).or_default().push(text("version"));
    }
    let mut known = list("skip");
    let mut unknown = Vec::new();
    for (name, versions) in versions.into_iter().filter(|(_, versions)| versions.len() > 1) {
        let older: Vec<String> =
            versions.iter().map(|v| format!("{name}@{v}")).filter(|v| !known.contains(v)).collect();
        known.retain(|k| !versions.iter().any(|v| *k == format!("{name}@{v}")));
        // One of them is the one to stay.
        if older.len() > 1 {
            unknown.push(older.join(" and "));
        }
    }
    assert!(unknown.is_empty(), "twice, and deny.toml does not say why: {}", unknown.join(", "));
    assert!(known.is_empty(), "deny.toml excuses what is not there: {known:?}");
}

pub fn everything_comes_from_the_registry() {
    for package in packages() {
        let source = package["source"].as_str().unwrap_or("here");
        assert!(source.starts_with("registry+") || package["name"] == "camscan", "{}: {source}", package["name"]);
    }
}
