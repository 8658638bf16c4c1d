//! The templates as they are written in their file, and filled in.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Candidate;
use super::names::{Named, OfName};
use crate::identify::vendor;

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Rtsp,
    Mjpeg,
    Snapshot,
    Rtmp,
    Hls,
    Dash,
    Whep,
}

/// A template, ready to be filled.
#[derive(Debug)]
pub(super) struct Template {
    /// None: common to all.
    pub vendor: Option<String>,
    pub purpose: Purpose,
    pub with_login: bool,
    pub path: String,
    pub streams: Vec<String>,
    pub stream: u32,
    port: Option<u16>,
    confidence: Confidence,
}

impl Template {
    /// Its paths for a channel, stream by stream.
    pub fn candidates(&self, index: usize, channel: u32) -> impl Iterator<Item = Candidate> + '_ {
        let streams =
            if self.path.contains("{s}") { 0..self.streams.len() as u32 } else { self.stream..self.stream + 1 };
        streams.filter_map(move |stream| self.fill(index, channel, stream))
    }

    /// Its path for a channel and a stream; none where it has no such stream.
    pub fn fill(&self, index: usize, channel: u32, stream: u32) -> Option<Candidate> {
        let channel = channel.max(1);
        let mut path = String::with_capacity(self.path.len() + 8);
        let mut rest = self.path.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            path.push_str(before);
            let (name, after) = after.split_once('}')?;
            match name {
                "n" => write!(path, "{channel}").ok()?,
                "n0" => write!(path, "{}", channel - 1).ok()?,
                "nn" => write!(path, "{channel:02}").ok()?,
                "nnn" => write!(path, "{channel:03}").ok()?,
                "s" => path.push_str(self.streams.get(stream as usize)?),
                other => write!(path, "{{{other}}}").ok()?,
            }
            rest = after;
        }
        path.push_str(rest);
        Some(Candidate { path, port: self.port, channel, stream, template: index })
    }
}

/// All templates, and the servers whose streams have names.
pub(super) struct Table {
    pub templates: Vec<Template>,
    pub servers: Vec<Named>,
    pub of_name: OfName,
}

/// What comes with the program.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(read().unwrap_or_default()));

pub(super) fn read() -> Result<File, serde_yaml::Error> {
    serde_yaml::from_str(include_str!("../data/stream_urls.yaml"))
}

impl Table {
    fn new(file: File) -> Self {
        let mut templates = Vec::new();
        for (vendor, paths) in file.vendors.into_iter().map(|v| (Some(v.vendor), v.paths)).chain([(None, file.generic)])
        {
            paths.into_templates(vendor.as_deref(), &mut templates);
        }
        Table { templates, servers: file.servers, of_name: file.of_name }
    }

    /// The templates of a vendor, or the common ones; the surest first.
    pub fn of(
        &self,
        vendor: Option<&str>,
        purpose: Purpose,
        with_login: bool,
    ) -> impl Iterator<Item = (usize, &Template)> {
        let mut fitting: Vec<(usize, &Template)> = self
            .templates
            .iter()
            .enumerate()
            .filter(|(_, t)| t.vendor.as_deref() == vendor && t.purpose == purpose && t.with_login == with_login)
            .collect();
        fitting.sort_by_key(|(_, t)| t.confidence);
        fitting.into_iter()
    }

    /// The templates of a vendor, and of the maker whose devices it sells; the surest first, its own before the maker's.
    pub fn of_vendor<'a>(
        &'a self,
        vendor: &str,
        purpose: Purpose,
        with_login: bool,
    ) -> impl Iterator<Item = (usize, &'a Template)> {
        let known = vendor::find(vendor);
        let names = [known.map(|v| v.name.as_str()), known.and_then(|v| v.like.as_deref())];
        let mut fitting: Vec<_> =
            names.into_iter().flatten().flat_map(|name| self.of(Some(name), purpose, with_login)).collect();
        fitting.sort_by_key(|(_, t)| t.confidence);
        fitting.into_iter()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub vendors: Vec<VendorPaths>,
    generic: Paths,
    servers: Vec<Named>,
    of_name: OfName,
}

#[derive(Debug, Deserialize)]
pub(super) struct VendorPaths {
    pub vendor: String,
    #[serde(flatten)]
    paths: Paths,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Paths {
    rtsp: Vec<Entry>,
    mjpeg: Vec<Entry>,
    snapshot: Vec<Entry>,
    rtmp: Vec<Entry>,
    hls: Vec<Entry>,
    dash: Vec<Entry>,
    whep: Vec<Entry>,
    with_login: Option<Box<Paths>>,
}

impl Paths {
    fn into_templates(self, vendor: Option<&str>, templates: &mut Vec<Template>) {
        if let Some(secret) = self.with_login {
            let first = templates.len();
            secret.into_templates(vendor, templates);
            templates.iter_mut().skip(first).for_each(|t| t.with_login = true);
        }
        for (purpose, entries) in [
            (Purpose::Rtsp, self.rtsp),
            (Purpose::Mjpeg, self.mjpeg),
            (Purpose::Snapshot, self.snapshot),
            (Purpose::Rtmp, self.rtmp),
            (Purpose::Hls, self.hls),
            (Purpose::Dash, self.dash),
            (Purpose::Whep, self.whep),
        ] {
            templates.extend(entries.into_iter().map(|entry| entry.into_template(vendor, purpose)));
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Path(String),
    Full(FullEntry),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FullEntry {
    path: String,
    #[serde(default)]
    streams: Vec<String>,
    #[serde(default)]
    stream: u32,
    port: Option<u16>,
    #[serde(default)]
    confidence: Confidence,
}

impl Entry {
    fn into_template(self, vendor: Option<&str>, purpose: Purpose) -> Template {
        let entry = match self {
            Entry::Full(entry) => entry,
            Entry::Path(path) => {
                FullEntry { path, streams: Vec::new(), stream: 0, port: None, confidence: Confidence::default() }
            }
        };
        Template {
            vendor: vendor.map(str::to_owned),
            purpose,
            with_login: false,
            path: entry.path,
            streams: entry.streams,
            stream: entry.stream,
            port: entry.port,
            confidence: entry.confidence,
        }
    }
}

/// How sure a template is; the surest sorts first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Confidence {
    High,
    #[default]
    Medium,
    Low,
}
