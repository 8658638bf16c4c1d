//! The house's rules, read from the sources: imports point down only, what is pure stays pure.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room with the rooms it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("model", &["text"]),
    ("wire", &["model", "text"]),
    ("media", &["model", "text"]),
    ("history", &["model", "text"]),
    ("identify", &["model", "text"]),
    ("net", &["model", "text"]),
    ("tool", &["model", "text"]),
    ("probe", &["tool", "wire", "identify", "net", "model", "text"]),
    ("protocol", &["probe", "tool", "wire", "identify", "net", "media", "model", "text"]),
    ("scan", &["protocol", "probe", "tool", "wire", "identify", "net", "media", "model", "text"]),
    ("export", &["wire", "model", "text"]),
    ("cli", &["export", "identify", "model", "text"]),
    (
        "command",
        &[
            "cli", "history", "export", "scan", "protocol", "probe", "tool", "wire", "identify", "net", "media",
            "model", "text",
        ],
    ),
    ("testkit", &["net", "model", "text"]),
    ("lib", &["testkit"]),
    ("main", &["command", "cli"]),
];

/// Rooms and file names that hold no I/O, no runtime and no clock.
const PURE_ROOMS: &[&str] = &["text", "model", "wire", "media", "identify", "history"];
const PURE_FILES: &[&str] = &["wire.rs"];
const IMPURE: &[&str] = &[
    "tokio::",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "fastrand::",
];

/// The program's files and their texts. Files and folders called `tests` are left out, as test modules are by [`code`].
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|e| e == "rs") {
                found.push(entry);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    assert!(found.len() > 20, "the sources are not where they were");
    found.into_iter().map(|p| (p.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(p).unwrap())).collect()
}

fn room(path: &Path) -> String {
    path.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The code of a file without comments and without its tests.
fn code(text: &str) -> String {
    let before_tests = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
    before_tests.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The rooms a file names after `crate::` (in the program, `use camscan::`), in `use` lines and in paths.
fn imports(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for prefix in ["crate::", "use camscan::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let mut depth = 0usize;
                let mut word = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                        ',' if depth == 0 => rooms.push(std::mem::take(&mut word)),
                        ':' if depth == 0 && !word.is_empty() => rooms.push(std::mem::take(&mut word)),
                        _ => {}
                    }
                }
                rooms.push(word);
            } else {
                rooms.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
    rooms.retain(|r| !r.is_empty());
    rooms
}

pub fn imports_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut upward = Vec::new();
    for (path, text) in sources() {
        let from = room(&path);
        let may = allowed.get(from.as_str()).unwrap_or_else(|| panic!("the room '{from}' is not in the list"));
        for to in imports(&code(&text)) {
            if to != from && allowed.contains_key(to.as_str()) && !may.contains(&to.as_str()) {
                upward.push(format!("{}: {from} imports {to}", path.display()));
            }
        }
    }
    assert!(upward.is_empty(), "imports that do not point down:\n{}", upward.join("\n"));
}

pub fn what_is_pure_has_no_runtime_and_no_clock() {
    let mut impure = Vec::new();
    for (path, text) in sources() {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_pure = PURE_ROOMS.contains(&room(&path).as_str()) || PURE_FILES.contains(&file.as_str());
        if !is_pure && !path.starts_with("scan/registry") {
            continue;
        }
        let code = code(&text);
        impure.extend(
            IMPURE.iter().filter(|word| code.contains(**word)).map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(impure.is_empty(), "pure files that are not:\n{}", impure.join("\n"));
}

pub fn unsafe_stays_with_the_platform() {
    for (path, text) in sources() {
        if !path.starts_with("net/platform") {
            assert!(!code(&text).contains("unsafe {"), "unsafe code in {}", path.display());
        }
    }
}

pub fn anyhow_stays_with_the_program() {
    for (path, text) in sources() {
        if !["cli", "command", "main"].contains(&room(&path).as_str()) {
            assert!(!code(&text).contains("anyhow"), "anyhow in {}", path.display());
        }
    }
}

pub fn retina_is_known_to_one_file() {
    let users = sources().into_iter().filter(|(_, text)| code(text).contains("retina::"));
    assert_eq!(users.map(|(path, _)| path).collect::<Vec<_>>(), [Path::new("media/key_frame.rs")]);
}

pub fn the_reader_of_imports_reads_them() {
    assert_eq!(imports("use crate::{a::{b, c}, d};\nuse crate::e::f;\ncrate::g::h()"), ["a", "d", "e", "g"]);
}
