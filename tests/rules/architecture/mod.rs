//! The house's rules, read from the sources: imports point down only, what is pure stays pure, no circles, no giants.

mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sources::{Source, Sources};

/// Every room with the rooms it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("model", &["text"]),
    ("wire", &["model", "text"]),
    ("media", &["model", "text"]),
    ("identify", &["model", "text"]),
    ("history", &["model", "text"]),
    ("metrics", &["history", "model", "text"]),
    ("net", &["model", "text"]),
    ("notify", &["tool", "net", "model", "text"]),
    ("store", &["history", "model", "text"]),
    ("tool", &["model", "text"]),
    ("probe", &["tool", "wire", "identify", "net", "media", "model", "text"]),
    ("protocol", &["probe", "tool", "wire", "identify", "net", "media", "model", "text"]),
    ("scan", &["history", "protocol", "probe", "tool", "wire", "identify", "net", "media", "model", "text"]),
    (
        "watch",
        &[
            "store", "notify", "history", "metrics", "scan", "protocol", "probe", "tool", "wire", "identify", "net",
            "media", "model", "text",
        ],
    ),
    ("markup", &["text"]),
    ("export", &["wire", "markup", "model", "text"]),
    ("live", &["protocol", "probe", "tool", "wire", "identify", "net", "media", "model", "text"]),
    (
        "serve",
        &[
            "watch", "live", "store", "notify", "metrics", "export", "markup", "history", "scan", "protocol", "probe",
            "tool", "wire", "identify", "net", "media", "model", "text",
        ],
    ),
    // Of the protocols, HTTP's codec alone.
    ("kit", &["protocol", "wire", "identify", "media", "model", "text"]),
    ("replay", &["kit", "net", "model", "text"]),
    ("cli", &["tool", "export", "history", "identify", "model", "text"]),
    (
        "command",
        &[
            "cli", "serve", "live", "replay", "kit", "watch", "store", "notify", "metrics", "export", "scan",
            "history", "protocol", "probe", "tool", "wire", "identify", "net", "media", "model", "text",
        ],
    ),
    ("testkit", &["store", "history", "wire", "net", "model", "text"]),
    ("main", &["command", "cli"]),
];

/// Rooms without I/O, runtime, clock or chance; `scan/registry` and every protocol's codec are held to the same.
const PURE: &[&str] = &["text", "model", "wire", "media", "identify", "history", "markup", "metrics", "export", "kit"];
const IMPURE: &[&str] = &[
    "tokio::",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::fs",
    "std::process",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "fastrand::",
];

/// Every protocol that builds on another. Nobody builds on ONVIF.
const BUILT_ON: &[(&str, &[&str])] = &[
    ("arp", &["tcp"]),
    ("dash", &["http"]),
    ("hls", &["http"]),
    ("media_server", &["http"]),
    ("mjpeg", &["http"]),
    ("onvif", &["http"]),
    ("recorder", &["http"]),
    ("rtmp", &["http"]),
    ("snapshot", &["http", "mjpeg"]),
    ("srt", &["http"]),
    ("ssdp", &["http"]),
    ("stun", &["http"]),
    ("webrtc", &["http"]),
];
/// What protocols share, beside their folders: `protocol/proof.rs`, `protocol/segment.rs`; and `protocol/snapshot/`.
const SHARED: &[&str] = &["proof", "segment", "snapshot"];

/// Only these know the crate `retina`: what is used of it is no documented interface.
const RETINA: &[&str] = &["media/key_frame.rs"];

/// Lines of a file without its tests.
const MOST_LINES: usize = 420;
/// Longer ones, and why they are not cut.
const LONG: &[(&str, &str)] = &[("serve/page/words.rs", "a table: one line for each text, in every language")];

/// One line for each breach of a rule, in order.
fn files(wrong: impl IntoIterator<Item = String>) -> String {
    wrong.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\n")
}

/// Whether a name stands among the parts of a file's module.
fn is_part(source: &Source, names: &[&str]) -> bool {
    source.module.iter().any(|part| names.contains(&part.as_str()))
}

/// The imports that `forbidden` is true of.
fn imports_that_are(forbidden: impl Fn(&Source, &Source) -> bool) -> String {
    let sources = Sources::read();
    let pairs = sources.iter().flat_map(|from| sources.imports(from).into_iter().map(move |to| (from, to)));
    files(pairs.filter(|(from, to)| forbidden(from, to)).map(|(from, to)| format!("{} imports {}", from.file, to.file)))
}

pub fn imports_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let upward = imports_that_are(|from, to| {
        let may = || allowed.get(from.room()).unwrap_or_else(|| panic!("the room of {} is not in the list", from.file));
        // The crate's root names every room, and nothing else.
        from.room() != "lib" && to.room() != "lib" && from.room() != to.room() && !may().contains(&to.room())
    });
    assert_eq!(upward, "", "imports that do not point down");
}

pub fn files_do_not_import_each_other_in_a_circle() {
    let sources = Sources::read();
    let circles = sources.circles();
    assert!(circles.is_empty(), "circles of imports: {circles:#?}");
}

pub fn what_is_pure_has_no_runtime_and_no_clock() {
    let sources = Sources::read();
    let is_registry = |source: &Source| source.module.starts_with(&["scan".to_owned(), "registry".to_owned()]);
    let is_pure = |source: &Source| {
        PURE.contains(&source.room())
            || is_registry(source)
            || decides_messages(source)
            || decides_what_is_shown(source)
    };
    let pure = sources.iter().filter(|source| is_pure(source) || is_codec(source));
    let impure = pure.flat_map(|source| {
        IMPURE.iter().filter(|words| source.has(words)).map(|words| format!("{}: {words}", source.file))
    });
    assert_eq!(files(impure), "", "pure files that are not");
}

/// What decides about messages, beside what sends them.
fn decides_messages(source: &Source) -> bool {
    let shells = ["channel", "courier"];
    let pure = ["escape", "topics"];
    source.room() == "notify" && (!is_part(source, &shells) || is_part(source, &pure))
}

/// What live view decides and keeps, beside what fetches and sends.
fn decides_what_is_shown(source: &Source) -> bool {
    source.room() == "live" && is_part(source, &["choose", "facts", "frame", "hub", "timeline", "words"])
}

fn is_protocol(source: &Source) -> bool {
    source.room() == "protocol" && source.module.len() > 1
}

/// A protocol's `wire.rs`, or a file below its `wire/`.
fn is_codec(source: &Source) -> bool {
    is_protocol(source) && is_part(source, &["wire"])
}

pub fn a_protocols_codec_imports_what_is_pure() {
    const SHELLS: &[&str] = &["client", "analyze", "detect", "discover", "inquire"];
    let impure = imports_that_are(|from, to| {
        let is_own = is_protocol(to) && from.module.get(1) == to.module.get(1) && !is_part(to, SHELLS);
        is_codec(from) && !is_own && !PURE.contains(&to.room())
    });
    assert_eq!(impure, "", "codecs that import shells");
}

pub fn a_client_imports_no_detector_and_no_analyser() {
    let upward = imports_that_are(|from, to| {
        is_protocol(from) && is_part(from, &["client"]) && is_part(to, &["analyze", "detect", "discover"])
    });
    assert_eq!(upward, "", "clients that need a scan");
}

pub fn protocols_build_on_what_is_listed() {
    let on: BTreeMap<&str, &[&str]> = BUILT_ON.iter().copied().collect();
    let unlisted = imports_that_are(|from, to| {
        if !is_protocol(from) || !is_protocol(to) || from.module[1] == to.module[1] {
            return false;
        }
        let (from, to) = (from.module[1].as_str(), to.module[1].as_str());
        let may = on.get(from).copied().unwrap_or(if SHARED.contains(&from) { &["http"] } else { &[] });
        !SHARED.contains(&to) && !may.contains(&to)
    });
    assert_eq!(unlisted, "", "protocols that build on others");
}

pub fn protocols_are_folders() {
    let sources = Sources::read();
    let is_loose = |source: &&Source| {
        source.module.len() == 2 && is_protocol(source) && !source.file.ends_with("/mod.rs") && !is_part(source, SHARED)
    };
    assert_eq!(files(sources.iter().filter(is_loose).map(|source| source.file.clone())), "", "loose in protocol/");
}

/// Tests included: one spelling for all.
pub fn a_module_with_files_of_its_own_is_a_mod_rs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all: BTreeSet<PathBuf> = ["src", "tests", "benches", "examples"]
        .into_iter()
        .flat_map(|folder| sources::files(&root.join(folder)))
        .map(|file| file.strip_prefix(root).unwrap().to_owned())
        .collect();
    assert!(all.len() > 300, "the sources are not where they were");
    let beside = all.iter().filter_map(|file| file.parent()).map(|folder| folder.with_extension("rs"));
    let wrong = beside.filter(|file| all.contains(file)).map(|file| file.display().to_string());
    assert_eq!(files(wrong), "", "x.rs beside x/ with files: move it to x/mod.rs");
}

/// Those of a file that is read for what it does stay short.
pub fn long_tests_have_a_file_of_their_own() {
    const MOST: usize = 150;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lines = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        text.find("#[cfg(test)]\nmod tests {").map_or(0, |at| text[at..].lines().count())
    };
    let all = sources::files(&root).into_iter().map(|file| (lines(&file), file));
    let (long, short): (Vec<_>, Vec<_>) = all.partition(|(lines, _)| *lines > MOST);
    assert!(short.iter().any(|(lines, _)| *lines > 20), "no tests are found in the sources");
    assert_eq!(
        files(long.iter().map(|(lines, file)| format!("{}: {lines}", file.display()))),
        "",
        "move them to tests.rs"
    );
}

pub fn words_stay_where_they_belong() {
    let sources = Sources::read();
    let wrong = sources.iter().filter(|source| {
        source.has("unsafe {") && !source.file.starts_with("net/platform/")
            || source.has("anyhow") && !["cli", "command", "main"].contains(&source.room())
            || source.has("retina") && !RETINA.contains(&source.file.as_str())
    });
    assert_eq!(files(wrong.map(|s| s.file.clone())), "", "unsafe below net/platform, anyhow above, retina in one file");
}

/// A WebSocket lasts as long as the rights by which it was opened: one file sees to that.
pub fn websockets_are_opened_by_their_lease() {
    let sources = Sources::read();
    let opens = sources.iter().filter(|source| source.has("on_upgrade")).map(|source| source.file.clone());
    assert_eq!(files(opens), "serve/auth/lease.rs", "elsewhere by `Lease::open`");
}

pub fn no_file_is_a_giant() {
    let sources = Sources::read();
    let is_long = |s: &&Source| s.lines > MOST_LINES && !LONG.iter().any(|(file, _)| *file == s.file);
    assert_eq!(files(sources.iter().filter(is_long).map(|s| format!("{}: {}", s.file, s.lines))), "", "long files");
}

/// The rules are as good as what reads the sources.
pub fn the_reader_of_sources_reads_them() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let sources = Sources::of(vec![
        file("lib.rs", "pub mod a; pub mod b;\n#[cfg(any(test, feature = \"x\"))] pub mod d;"),
        file("a/mod.rs", "pub mod c;\nmod e;\npub use c::Thing;\n#[cfg(test)]\nmod tests;"),
        file(
            "a/c.rs",
            "use super::e::{self, f as g};\n#[cfg(test)]\nmod tests { use crate::d; fn f() {} }\nfn f() { crate::b::x() }",
        ),
        file(
            "a/e.rs",
            "use super::*; // crate::d\nconst S: &str = r#\"crate::d \" \"#; const C: char = '\"';\nfn f() { super::Thing::new() }",
        ),
        file("a/tests.rs", "use crate::d;"),
        file(
            "b.rs",
            "use crate::{a::{Thing as T}, d};\n#[cfg(test)]\nuse crate::lib;\nfn f<'a>(x: &'a T) { unsafe { d::y() } }",
        ),
        file("d.rs", "use std::fs;\nfn y() { fs::read(\"crate::a\") }"),
    ]);
    let imports = |name: &str| -> Vec<&str> {
        let source = sources.iter().find(|source| source.file == name).unwrap();
        sources.imports(source).into_iter().map(|to| to.file.as_str()).collect()
    };
    assert_eq!(imports("a/c.rs"), ["a/e.rs", "b.rs"]);
    assert_eq!(imports("a/e.rs"), ["a/mod.rs", "a/c.rs"]);
    assert_eq!(imports("b.rs"), ["a/c.rs", "d.rs"]);
    assert_eq!(imports("d.rs"), [""; 0]);
    assert_eq!(imports("lib.rs"), ["a/mod.rs", "b.rs", "d.rs"]);
    assert!(sources.iter().all(|source| source.file != "a/tests.rs"), "it is compiled for tests alone");
    assert_eq!(sources.circles(), [["a/c.rs", "a/e.rs", "b.rs"]]);
    let lines = |name: &str| sources.iter().find(|source| source.file == name).unwrap().lines;
    assert_eq!((lines("a/c.rs"), lines("b.rs")), (2, 2));
    let b = sources.iter().find(|source| source.file == "b.rs").unwrap();
    assert!(b.has("unsafe {") && b.has("d::y") && !b.has("d::x"));
}
