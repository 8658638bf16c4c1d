//! A maker's stream addresses as they are written in a file: read, and checked.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::MOST;
use super::template::{Confidence, Purpose, Template};
use crate::identify::vendor;

/// Where a maker puts its streams.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VendorPaths {
    /// The maker, as its signatures name it.
    pub(super) vendor: String,
    /// Paths that hold the login in plain text, for makers whose devices expect it there.
    #[serde(default)]
    with_login: LoginPaths,
    /// Streams by RTSP.
    #[serde(default)]
    rtsp: Vec<PathEntry>,
    /// Streams of JPEG pictures by HTTP.
    #[serde(default)]
    mjpeg: Vec<PathEntry>,
    /// Still pictures by HTTP.
    #[serde(default)]
    snapshot: Vec<PathEntry>,
    /// Streams by RTMP: `/application/name`.
    #[serde(default)]
    rtmp: Vec<PathEntry>,
    /// HLS playlists.
    #[serde(default)]
    hls: Vec<PathEntry>,
    /// DASH manifests.
    #[serde(default)]
    dash: Vec<PathEntry>,
    /// Streams by WebRTC, asked for by WHEP.
    #[serde(default)]
    whep: Vec<PathEntry>,
}

/// Paths that hold the login: besides the other placeholders `{user}`, `{password}` and `{hash}` (Xiongmai's digest).
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct LoginPaths {
    /// Streams by RTSP.
    #[serde(default)]
    rtsp: Vec<PathEntry>,
    /// Still pictures by HTTP.
    #[serde(default)]
    snapshot: Vec<PathEntry>,
}

/// A path, or a map with more about it.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub(super) enum PathEntry {
    /// The path alone, of a main stream.
    Path(#[cfg_attr(feature = "schema", schemars(regex(pattern = "^/")))] String),
    /// The path and more about it.
    Full(FullPath),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct FullPath {
    /// Path and query. `{n}` is the channel from 1, `{n0}` from 0, `{nn}` and `{nnn}` with leading zeros, `{s}` the stream.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^/")))]
    path: String,
    /// What `{s}` becomes for the main, sub and third stream.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 3)))]
    streams: Vec<String>,
    /// For a path without `{s}`: 0 main, 1 sub, 2 third.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(max = 2)))]
    stream: u32,
    /// The port, where it differs from the one that was found.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    port: Option<u16>,
    /// How sure it is; the surest are asked first.
    #[serde(default)]
    confidence: Confidence,
}

/// What is wrong with a maker's paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathMistake {
    /// The path it is about; empty where it is about none.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What is expected.
    pub hint: &'static str,
}

impl VendorPaths {
    /// The keys that stand for lists of paths.
    pub const KEYS: [&str; 8] = ["rtsp", "mjpeg", "snapshot", "rtmp", "hls", "dash", "whep", "with_login"];

    /// Its lists: with a login or without, for which purpose. The order is that of the templates.
    fn lists(self) -> [(bool, Purpose, Vec<PathEntry>); 9] {
        [
            (true, Purpose::Rtsp, self.with_login.rtsp),
            (true, Purpose::Snapshot, self.with_login.snapshot),
            (false, Purpose::Rtsp, self.rtsp),
            (false, Purpose::Mjpeg, self.mjpeg),
            (false, Purpose::Snapshot, self.snapshot),
            (false, Purpose::Rtmp, self.rtmp),
            (false, Purpose::Hls, self.hls),
            (false, Purpose::Dash, self.dash),
            (false, Purpose::Whep, self.whep),
        ]
    }

    pub(super) fn into_templates(self) -> Vec<Template> {
        let vendor = vendor::unify(&self.vendor).to_owned();
        let templates = |(with_login, purpose, entries): (bool, Purpose, Vec<PathEntry>)| {
            let vendor = vendor.clone();
            entries.into_iter().map(move |entry| entry.into_template(Some(&vendor), purpose, with_login))
        };
        self.lists().into_iter().flat_map(templates).collect()
    }

    /// Whether all of it can be asked as it is written.
    ///
    /// # Errors
    /// The first mistake: no vendor, no paths or too many, or a path that cannot be asked.
    pub fn check(&self) -> Result<(), PathMistake> {
        let mistake = |message: &str, hint| PathMistake { path: String::new(), message: message.to_owned(), hint };
        if vendor::says_nothing(&self.vendor) {
            return Err(mistake("names no maker", "`vendor` is the maker's name, as its signatures give it"));
        }
        let lists = self.clone().lists();
        if lists.iter().all(|(.., entries)| entries.is_empty()) {
            return Err(mistake(
                "has no paths",
                "at least one of rtsp, mjpeg, snapshot, rtmp, hls, dash or whep is expected",
            ));
        }
        if lists.iter().any(|(.., entries)| entries.len() > MOST) {
            return Err(mistake("has too many paths", "at most 64 for each protocol are ever tried"));
        }
        self.clone().into_templates().iter().try_for_each(|template| {
            let told = template.check();
            told.map_err(|(message, hint)| PathMistake { path: template.path.clone(), message, hint })
        })
    }
}

impl Template {
    /// What is wrong with it, and what is expected.
    fn check(&self) -> Result<(), (String, &'static str)> {
        let path = &self.path;
        let say = |what: &str| format!("the path '{path}' {what}");
        // First of all, and without the path: a login is shown to nobody.
        if path.contains('@') || self.names_a_secret() {
            return Err(("a path holds a login".to_owned(), LOGIN_HINT));
        }
        if !path.starts_with('/') {
            return Err((say("does not begin with /"), "a path is what follows host and port, with its query"));
        }
        if path.len() + self.streams.iter().map(String::len).max().unwrap_or(0) > LONGEST {
            return Err((say("is too long"), "at most 512 characters are expected"));
        }
        let parts = std::iter::once(path).chain(&self.streams);
        // It becomes part of a request's first line.
        if parts.into_iter().any(|part| part.chars().any(|c| !c.is_ascii_graphic())) {
            return Err((say("holds a blank or a sign that is not ASCII"), "write it percent-encoded, a blank as %20"));
        }
        if self.streams.iter().any(|stream| stream.contains(['{', '}'])) {
            return Err((say("has a placeholder among its streams"), "streams are what {s} becomes"));
        }
        let names = self.placeholders().map_err(|what| (say(&what), self.allowed_hint()))?;
        if names.contains(&"s") == self.streams.is_empty() {
            return Err((
                say("has {s} without streams, or streams without {s}"),
                "{s} becomes each of `streams` in turn",
            ));
        }
        if self.streams.len() > 3 || self.stream > 2 {
            return Err((say("has too many streams"), "there are a main, a sub and a third stream"));
        }
        if names.iter().any(|name| ["user", "password", "hash"].contains(name)) != self.with_login {
            return Err((say("does not have its login where one belongs"), LOGIN_HINT));
        }
        match self.port {
            Some(0) => Err((say("is at port 0"), "ports lie between 1 and 65535")),
            // Many printers print whatever reaches them there.
            Some(9100..=9107) => Err((say("is at a printer's port"), "the ports 9100 to 9107 are never asked")),
            _ => Ok(()),
        }
    }

    /// The names between braces; else what is wrong with them.
    fn placeholders(&self) -> Result<Vec<&str>, String> {
        let mut names = Vec::new();
        let mut rest = self.path.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("has a { without its }")?;
            if before.contains('}') {
                break;
            }
            let is_login = self.with_login && ["user", "password", "hash"].contains(&name);
            if !is_login && !["n", "n0", "nn", "nnn", "s"].contains(&name) {
                return Err(format!("has the unknown placeholder {{{name}}}"));
            }
            names.push(name);
            rest = after;
        }
        if rest.contains('}') { Err("has a } without its {".to_owned()) } else { Ok(names) }
    }

    fn allowed_hint(&self) -> &'static str {
        match self.with_login {
            true => "there are {n}, {n0}, {nn}, {nnn}, {s}, {user}, {password} and {hash}",
            false => "there are {n}, {n0}, {nn}, {nnn} and {s}, and under `with_login` {user}, {password} and {hash}",
        }
    }

    /// Whether a value that is a login's by its name is written out.
    fn names_a_secret(&self) -> bool {
        let lower = self.path.to_ascii_lowercase();
        let is_login = |key: &str| ["user", "username", "usr", "password", "passwd", "pwd", "pass"].contains(&key);
        lower
            .split(['?', '&', '/', ';'])
            .filter_map(|piece| piece.split_once('='))
            .any(|(key, value)| is_login(key) && !value.starts_with('{'))
    }
}

/// The longest path, in characters.
const LONGEST: usize = 512;
const LOGIN_HINT: &str = "a login stands under `with_login` alone, as {user} with {password} or {hash}";

impl PathEntry {
    pub(super) fn into_template(self, vendor: Option<&str>, purpose: Purpose, with_login: bool) -> Template {
        let entry = match self {
            PathEntry::Full(entry) => entry,
            PathEntry::Path(path) => FullPath { path, ..FullPath::default() },
        };
        Template {
            vendor: vendor.map(str::to_owned),
            purpose,
            with_login,
            path: entry.path,
            streams: entry.streams,
            stream: entry.stream,
            port: entry.port,
            confidence: entry.confidence,
        }
    }
}

/// By hand, so that a mistake in the map is told with its own line and words.
impl<'de> Deserialize<'de> for PathEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrMap;
        impl<'de> Visitor<'de> for PathOrMap {
            type Value = PathEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a map with `path`")
            }

            fn visit_str<E>(self, path: &str) -> Result<PathEntry, E> {
                Ok(PathEntry::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PathEntry, A::Error> {
                FullPath::deserialize(MapAccessDeserializer::new(map)).map(PathEntry::Full)
            }
        }
        deserializer.deserialize_any(PathOrMap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(paths: &str) -> Result<(), PathMistake> {
        serde_yaml::from_str::<VendorPaths>(&format!("vendor: ACME\n{paths}")).unwrap().check()
    }

    #[test]
    fn a_path_that_cannot_be_asked_is_refused() {
        for (paths, message) in [
            ("rtsp: []", "has no paths"),
            ("rtsp: [live]", "does not begin with /"),
            ("rtsp: ['/a b']", "holds a blank"),
            ("rtsp: [\"/a\\r\\nX: 1\"]", "holds a blank"),
            ("rtsp: ['/ä']", "not ASCII"),
            ("rtsp: ['/{channel}']", "unknown placeholder {channel}"),
            ("rtsp: ['/{n']", "a { without its }"),
            ("rtsp: ['/n}']", "a } without its {"),
            ("rtsp: ['/n}/{n}']", "a } without its {"),
            ("rtsp: ['/{s}']", "{s} without streams"),
            ("rtsp: [{path: /a, streams: [a, b]}]", "streams without {s}"),
            ("rtsp: [{path: '/{s}', streams: [a, b, c, d]}]", "too many streams"),
            ("rtsp: [{path: '/{s}', streams: ['{n}']}]", "placeholder among its streams"),
            ("rtsp: [{path: '/{s}', streams: ['a b']}]", "holds a blank"),
            ("rtsp: [{path: /a, stream: 3}]", "too many streams"),
            ("rtsp: [{path: /a, port: 0}]", "port 0"),
            ("snapshot: [{path: /a, port: 9100}]", "printer's port"),
            ("rtsp: ['/user={user}&password={password}']", "unknown placeholder {user}"),
            ("with_login: {rtsp: ['/live']}", "login where one belongs"),
            ("with_login: {rtsp: ['/user=admin&password={password}']}", "holds a login"),
            ("rtsp: ['/live?user=admin&pwd=1234']", "holds a login"),
            ("rtsp: ['/admin:1234@live']", "holds a login"),
        ] {
            let mistake = told(paths).unwrap_err();
            assert!(mistake.message.contains(message), "{paths}: {mistake:?}");
            assert!(!mistake.hint.is_empty() && !mistake.message.contains("1234"), "{paths}");
        }
        let most = vec!["/a"; MOST + 1].join(", ");
        assert!(told(&format!("rtsp: [{most}]")).unwrap_err().message.contains("too many paths"));
        assert!(told(&format!("rtsp: ['/{}']", "a".repeat(LONGEST))).unwrap_err().message.contains("too long"));
        for paths in [
            "rtsp: ['/c{nn}/{n0}?x=1']",
            "hls: [{path: '/{s}.m3u8', streams: [hd, sd], port: 8080, confidence: high}]",
            "with_login: {snapshot: ['/snap?user={user}&password={password}']}",
        ] {
            assert_eq!(told(paths), Ok(()), "{paths}");
        }
    }
}
