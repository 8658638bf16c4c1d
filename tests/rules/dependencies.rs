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

/// Whether an SPDX expression can be met by the licences allowed; the slash of old manifests means OR.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words, allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => {
            let met = any(words, allowed);
            words.next_if_eq(&")").is_some() && met
        }
        Some(licence) if words.next_if_eq(&"WITH").is_some() => {
            let exception = words.next().unwrap_or_default();
            allowed.contains(&format!("{licence} WITH {exception}"))
        }
        Some(licence) => allowed.iter().any(|a| a == licence),
        None => false,
    }
}

pub fn expressions_are_read() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
    for met in ["MIT", "GPL-3.0/MIT", "MIT AND ISC", "(GPL-3.0 OR MIT) AND ISC", "Apache-2.0 WITH LLVM-exception"] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT OR ISC) AND GPL-3.0", "GPL-3.0 OR (MIT"] {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
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
