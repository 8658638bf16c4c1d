//! A kit as a tar file. Kits come from strangers: sizes are bounded, names are looked up and never followed.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{FORMAT, Kit, Manifest, TcpPort, UdpPort};
use crate::model::target::RAW_PRINT_PORTS;

/// The largest file taken, in bytes.
pub const MAX_ARCHIVE: usize = 64 << 20;
/// The most bytes that the conversations of a kit may stand for.
const MAX_UNFOLDED: usize = 160 << 20;
/// The most files taken from one.
const MOST_FILES: usize = 512;
/// The most requests of a port, packets of a request and pieces of a body.
const MOST_ENTRIES: usize = 50_000;

const MANIFEST: &str = "kit.json";

/// Why a file is no kit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is no tar file, or a broken one.
    #[error("it is no tar file: {0}")]
    Tar(String),
    /// It has no `kit.json`.
    #[error("it holds no {MANIFEST}")]
    NoManifest,
    /// It is of another format or version.
    #[error("it is of the format '{0}', and this camscan reads {FORMAT}")]
    Format(String),
    /// A file in it cannot be read.
    #[error("{file} in it: {why}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        why: String,
    },
    /// It is larger than anything recorded.
    #[error("it is larger than a kit can be")]
    TooLarge,
}

/// The bytes of a kit's file.
///
/// # Errors
/// When it is larger than is read.
pub fn write(kit: &Kit) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    put(&mut tar, MANIFEST, serde_json::to_vec_pretty(&kit.manifest)?)?;
    for port in &kit.tcp {
        put(&mut tar, &format!("tcp/{}.json", port.port), serde_json::to_vec_pretty(port)?)?;
    }
    for port in &kit.udp {
        put(&mut tar, &format!("udp/{}.json", port.port), serde_json::to_vec_pretty(port)?)?;
    }
    tar.into_inner()
}

fn put(tar: &mut tar::Builder<Vec<u8>>, name: &str, bytes: Vec<u8>) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    // The same conversations make the same file, whoever writes it and when.
    header.set_mtime(0);
    tar.append_data(&mut header, name, bytes.as_slice())
}

/// Reads a kit's file.
///
/// # Errors
/// See [`ReadError`]. Files that belong to no kit are passed over.
pub fn read(bytes: &[u8]) -> Result<Kit, ReadError> {
    if bytes.len() > MAX_ARCHIVE {
        return Err(ReadError::TooLarge);
    }
    let files = files(bytes)?;
    // Before any of it is unfolded: a few bytes may stand for millions.
    for (name, content) in files.iter().filter(|(name, _)| is_of_kit(name)) {
        if parse::<Weight>(name, content)?.folded > MAX_UNFOLDED as u64 {
            return Err(ReadError::TooLarge);
        }
    }
    let manifest: Manifest = parse(MANIFEST, files.get(MANIFEST).ok_or(ReadError::NoManifest)?)?;
    if manifest.format != FORMAT {
        return Err(ReadError::Format(crate::text::clean_to(&manifest.format, 64)));
    }
    let mut kit = Kit { manifest, ..Kit::default() };
    for (name, content) in &files {
        if let Some(number) = port_of(name, "tcp/") {
            kit.tcp.push(TcpPort { port: number, ..parse(name, content)? });
        } else if let Some(number) = port_of(name, "udp/") {
            kit.udp.push(UdpPort { port: number, ..parse(name, content)? });
        }
    }
    check(&kit)?;
    kit.tcp.sort_by_key(|port| port.port);
    kit.udp.sort_by_key(|port| port.port);
    Ok(kit)
}

fn is_of_kit(name: &str) -> bool {
    name == MANIFEST || ["tcp/", "udp/"].iter().any(|folder| port_of(name, folder).is_some())
}

fn port_of(name: &str, folder: &str) -> Option<u16> {
    name.strip_prefix(folder)?.strip_suffix(".json")?.parse().ok()
}

fn files(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ReadError> {
    let broken = |error: std::io::Error| ReadError::Tar(crate::text::clean_to(&error.to_string(), 200));
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if files.len() >= MOST_FILES {
            return Err(ReadError::TooLarge);
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        // A sparse file may claim to be larger than what it is in.
        let taken = entry.take(MAX_ARCHIVE as u64 + 1).read_to_end(&mut content).map_err(broken)?;
        if taken > MAX_ARCHIVE {
            return Err(ReadError::TooLarge);
        }
        files.insert(name.trim_start_matches("./").to_owned(), content);
    }
    Ok(files)
}

fn parse<T: DeserializeOwned>(file: &str, content: &[u8]) -> Result<T, ReadError> {
    serde_json::from_slice(content).map_err(|error| ReadError::File {
        file: crate::text::clean_to(file, 64),
        why: crate::text::clean_to(&error.to_string(), 200),
    })
}

/// How many bytes of filler the numbers in lists stand for, added up without unfolding any.
#[derive(Default)]
struct Weight {
    folded: u64,
    /// The value itself, where it is a number.
    number: u64,
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Weigh)
    }
}

struct Weigh;

impl<'de> Visitor<'de> for Weigh {
    type Value = Weight;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Weight, E> {
        Ok(Weight::default())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Weight, E> {
        Ok(Weight { folded: 0, number })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Weight, E> {
        Ok(Weight::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Weight, E> {
        Ok(Weight::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Weight, E> {
        Ok(Weight::default())
    }

    fn visit_unit<E>(self) -> Result<Weight, E> {
        Ok(Weight::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Weight, A::Error> {
        let mut folded = 0u64;
        while let Some(entry) = list.next_element::<Weight>()? {
            folded = folded.saturating_add(entry.folded).saturating_add(entry.number);
        }
        Ok(Weight { folded, number: 0 })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Weight, A::Error> {
        let mut folded = 0u64;
        while let Some((_, entry)) = entries.next_entry::<IgnoredAny, Weight>()? {
            folded = folded.saturating_add(entry.folded);
        }
        Ok(Weight { folded, number: 0 })
    }
}

/// That nothing in it is larger than a recording can be, and no port is one that nothing may be sent to.
fn check(kit: &Kit) -> Result<(), ReadError> {
    let mut left = MAX_UNFOLDED;
    let mut count = |bytes: usize| {
        left = left.checked_sub(bytes).ok_or(ReadError::TooLarge)?;
        Ok::<(), ReadError>(())
    };
    let few = |entries: usize| if entries > MOST_ENTRIES { Err(ReadError::TooLarge) } else { Ok(()) };
    for port in &kit.tcp {
        few(port.exchanges.len())?;
        for exchange in &port.exchanges {
            few(exchange.media.len())?;
            few(exchange.messages.len())?;
            count(exchange.ask.body.as_ref().map_or(0, |body| body.0.len()))?;
            for frame in &exchange.media {
                count(frame.bytes.0.len())?;
            }
            for message in &exchange.messages {
                count(message.bytes.0.len())?;
            }
            if let Some(answer) = &exchange.answer {
                few(answer.body.len())?;
                count(answer.head.0.len())?;
                for piece in &answer.body {
                    count(piece.bytes.0.len())?;
                }
            }
        }
    }
    let questions = kit.tcp.iter().map(|port| &port.questions).chain(kit.udp.iter().map(|port| &port.questions));
    for questions in questions {
        few(questions.len())?;
        for question in questions {
            few(question.answers.len())?;
            count(question.ask.0.len())?;
            for answer in &question.answers {
                count(answer.bytes.0.len())?;
            }
        }
    }
    let wrong = kit.tcp.iter().find(|port| port.port == 0 || RAW_PRINT_PORTS.contains(&port.port));
    match wrong {
        Some(port) => {
            let file = format!("tcp/{}.json", port.port);
            Err(ReadError::File { file, why: "nothing is recorded on such a port".to_owned() })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in files {
            put(&mut tar, name, content.to_vec()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    const HEAD: &[u8] = br#"{"format": "camscan-kit/1", "camscan_version": "0.1.0", "device": "192.0.2.1"}"#;

    #[test]
    fn what_is_no_kit_is_refused_with_a_reason() {
        let filled = format!(r#"{{"port": 80, "exchanges": [{}]}}"#, {
            let frame = r#"{"ask": {"protocol": "http", "method": "GET", "target": "/"}, "answer": {"after_ms": 0, "head": [34000000]}}"#;
            [frame; 2].join(",")
        });
        let one = r#"{"ask": {"protocol": "http", "method": "GET", "target": "/"}, "answer": {"after_ms": 0, "head": [30000000]}}"#;
        let many = format!(r#"{{"port": 80, "exchanges": [{}]}}"#, [one; 9].join(","));
        let deep = format!(r#"{{"port": 80, "exchanges": {}"#, "[".repeat(100_000));
        for (files, wanted) in [
            (vec![], "it holds no kit.json"),
            (vec![("kit.json", &b"{}"[..])], "kit.json in it: missing field"),
            (
                vec![("kit.json", br#"{"format": "camscan-kit/9", "camscan_version": "9"}"#)],
                "of the format 'camscan-kit/9'",
            ),
            (vec![("kit.json", HEAD), ("tcp/80.json", b"[")], "tcp/80.json in it"),
            (vec![("kit.json", HEAD), ("tcp/80.json", filled.as_bytes())], "more than"),
            (vec![("kit.json", HEAD), ("tcp/80.json", many.as_bytes())], "larger than a kit"),
            (vec![("kit.json", HEAD), ("tcp/80.json", deep.as_bytes())], "tcp/80.json in it"),
            (vec![("kit.json", HEAD), ("tcp/9100.json", br#"{"port": 80}"#)], "nothing is recorded on such a port"),
            (vec![("kit.json", HEAD), ("tcp/0.json", br#"{"port": 80}"#)], "nothing is recorded on such a port"),
        ] {
            let error = read(&tar_of(&files)).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error} is not: {wanted}");
        }
        assert!(read(&[0; 4]).is_err() && read(&[0xff; 2048]).is_err());
    }

    #[test]
    fn names_lead_nowhere() {
        let files =
            [("kit.json", HEAD), ("etc/passwd", b"x"), ("tcp/a/80.json", b"{"), ("tcp/80.json", br#"{"port": 99}"#)];
        let kit = read(&tar_of(&files)).unwrap();
        assert_eq!((kit.tcp.len(), kit.tcp[0].port, kit.udp.len()), (1, 80, 0));
        // A link to another file is no file.
        let mut tar = tar::Builder::new(Vec::new());
        put(&mut tar, "kit.json", HEAD.to_vec()).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "tcp/80.json", "/etc/passwd").unwrap();
        assert_eq!(read(&tar.into_inner().unwrap()).unwrap().tcp, []);
    }

    proptest! {
        #[test]
        fn any_bytes_and_any_changed_kit_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..1024), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
            let _ = read(&bytes);
            let port = br#"{"port": 80, "exchanges": [{"ask": {"protocol": "rtsp", "method": "PLAY", "target": "/"}, "media": [{"after_ms": 1, "track": 0, "bytes": ["a", 99]}]}]}"#;
            let mut kit = tar_of(&[("kit.json", HEAD), ("tcp/80.json", port)]);
            for (at, byte) in changes {
                let at = at.index(kit.len());
                kit[at] = byte;
            }
            let _ = read(&kit);
        }
    }
}
