//! A file of signatures and stream paths: read, and told where it is wrong.

use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_yaml::Value;

use super::SignatureError;
use super::entry::Entry;
use crate::identify::stream_url::VendorPaths;
use crate::text::{self, nearest, nesting};

/// An entry of a file.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub(super) enum PackEntry {
    /// What a text reveals.
    Signature(Box<Entry>),
    /// Where a maker puts its streams.
    Paths(Box<VendorPaths>),
}

/// What a file holds, as far as the schema goes.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "the schema is made of the type")]
pub struct Pack(Vec<PackEntry>);

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub signatures: Vec<Entry>,
    pub paths: Vec<VendorPaths>,
}

const EXPECTED: &str = "a list is expected, of signatures: field, regex, and what they identify: vendor, model, kind, weight; \
                        and of paths: vendor, and rtsp, mjpeg, snapshot, rtmp, hls, dash or whep";

/// Reads and checks a file.
pub(super) fn read(file: &Path, text: &str) -> Result<Contents, SignatureError> {
    let unreadable = |error: &serde_yaml::Error| {
        let message = text::clean(&error.to_string());
        SignatureError {
            file: file.to_owned(),
            line: error.location().map(|l| l.line()),
            hint: meant(&message).map_or_else(|| EXPECTED.to_owned(), |name| format!("did you mean `{name}`?")),
            message,
        }
    };
    let line = nesting::too_deep(text);
    if line.is_some() {
        let (file, message) = (file.to_owned(), nesting::TOO_DEEP.to_owned());
        return Err(SignatureError { file, line, message, hint: EXPECTED.to_owned() });
    }
    // What an entry is stands in its keys; then each is read as that, so that a mistake in it has its own line.
    let values: Vec<Value> = serde_yaml::from_str(text).map_err(|e| unreadable(&e))?;
    let kinds: Vec<Kind> = values.iter().map(Kind::of).collect();
    let entries = List(&kinds).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|e| unreadable(&e))?;
    let mut contents = Contents::default();
    for (index, entry) in entries.into_iter().enumerate() {
        let wrong =
            |line, message, hint: &str| SignatureError { file: file.to_owned(), line, message, hint: hint.into() };
        let line = line_of(text, index);
        match entry {
            PackEntry::Signature(entry) => {
                entry.check().map_err(|(message, hint)| wrong(line, message, hint))?;
                contents.signatures.push(*entry);
            }
            PackEntry::Paths(paths) => {
                paths.check().map_err(|m| wrong(line_with(text, line, &m.path), m.message, m.hint))?;
                contents.paths.push(*paths);
            }
        }
    }
    Ok(contents)
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Signature,
    Paths,
}

impl Kind {
    fn of(value: &Value) -> Self {
        let keys: Vec<&str> = value.as_mapping().into_iter().flat_map(|m| m.keys()).filter_map(Value::as_str).collect();
        let is_signature = keys.iter().any(|key| ["field", "regex"].contains(key));
        // A key that is nearly one of paths is meant as one.
        let has_paths = keys.iter().any(|key| nearest(key, VendorPaths::KEYS).is_some());
        if has_paths && !is_signature { Kind::Paths } else { Kind::Signature }
    }
}

/// Reads a list whose entries' kinds are known.
struct List<'k>(&'k [Kind]);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Vec<PackEntry>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<PackEntry>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Vec<PackEntry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<PackEntry>, A::Error> {
        let mut entries = Vec::with_capacity(self.0.len());
        for kind in self.0 {
            entries.push(list.next_element_seed(*kind)?.ok_or_else(|| A::Error::custom("the list ends early"))?);
        }
        Ok(entries)
    }
}

impl<'de> DeserializeSeed<'de> for Kind {
    type Value = PackEntry;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PackEntry, D::Error> {
        match self {
            Kind::Signature => Deserialize::deserialize(deserializer).map(PackEntry::Signature),
            Kind::Paths => Deserialize::deserialize(deserializer).map(PackEntry::Paths),
        }
    }
}

/// The name that was meant, of a message such as "unknown field `vendr`, expected one of `vendor`, `model`".
fn meant(message: &str) -> Option<&str> {
    let (_, names) = message.split_once("unknown field `").or_else(|| message.split_once("unknown variant `"))?;
    let mut names = names.split('`').step_by(2);
    nearest(names.next()?, names)
}

/// The line, from 1, where the list's entry of that index begins.
pub(super) fn line_of(text: &str, index: usize) -> Option<usize> {
    let indent = text.lines().find_map(|l| l.trim_start().starts_with("- ").then(|| l.len() - l.trim_start().len()))?;
    let begins = |line: &str| {
        line.get(indent..).is_some_and(|l| l.starts_with("- ")) && line.trim_start().len() + indent == line.len()
    };
    text.lines().enumerate().filter(|(_, line)| begins(line)).nth(index).map(|(at, _)| at + 1)
}

/// The first line, from that of the entry on, that holds a part; else that of the entry.
fn line_with(text: &str, entry: Option<usize>, part: &str) -> Option<usize> {
    let mut lines = text.lines().enumerate().skip(entry?.saturating_sub(1));
    let with_part = lines.find(|(_, line)| !part.is_empty() && line.contains(part));
    with_part.map_or(entry, |(at, _)| Some(at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (Option<usize>, String, String) {
        let error = read(Path::new("acme.yaml"), text).unwrap_err();
        (error.line, error.message, error.hint)
    }

    #[test]
    fn signatures_and_paths_stand_in_one_file() {
        let text = "- {field: realm, regex: '^ACME', vendor: ACME}\n- vendor: ACME\n  rtsp: [/acme, {path: '/a{s}', streams: [x]}]\n";
        let contents = read(Path::new("acme.yaml"), text).unwrap();
        assert_eq!((contents.signatures.len(), contents.paths.len()), (1, 1));
        let contents = read(Path::new("acme.yaml"), "- {vendor: ACME, hls: [/a.m3u8]}\n").unwrap();
        assert_eq!((contents.signatures.len(), contents.paths.len()), (0, 1));
    }

    #[test]
    fn a_mistake_in_paths_has_its_line_and_what_was_meant() {
        for (text, line, message, hint) in [
            ("# a\n- vendor: ACME\n  rtps: [/a]\n", 3, "unknown field `rtps`", "did you mean `rtsp`?"),
            ("- vendr: ACME\n  rtsp: [/a]\n", 1, "unknown field `vendr`", "did you mean `vendor`?"),
            ("- rtsp: [/a]\n", 1, "missing field `vendor`", "a list is expected"),
            (
                "- vendor: ACME\n  rtsp:\n    - /a\n    - path: /b\n      prot: 1\n",
                5,
                "unknown field `prot`",
                "did you mean `port`?",
            ),
            ("- vendor: ACME\n  rtsp:\n    - {path: /a, confidence: hihg}\n", 3, "unknown variant `hihg`", "`high`?"),
            ("- vendor: ACME\n  rtsp:\n    - 7\n", 3, "expected a path, or a map with `path`", "a list is expected"),
            (
                "- vendor: ACME\n  rtsp:\n    - /a\n    - '/{channel}'\n",
                4,
                "unknown placeholder {channel}",
                "there are {n}",
            ),
            ("- vendor: ACME\n  with_login:\n    mjpeg: [/a]\n", 3, "unknown field `mjpeg`", ""),
            ("- vendor: Camera\n  rtsp: [/a]\n", 1, "names no maker", "`vendor` is"),
            ("- field: realm\n  regex: x\n  vendr: A\n", 3, "unknown field `vendr`", "did you mean `vendor`?"),
        ] {
            let (at, what, expected) = told(text);
            assert_eq!(at, Some(line), "{text}: {what}");
            assert!(what.contains(message) && expected.contains(hint), "{text}: {what}: {expected}");
        }
    }
}
