//! The templates as they are written in their file, and filled in.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::identify::vendor;

/// What is kept of a user, a password or a name as it is.
pub(super) const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// What is kept of a stream's name as it is: it may have parts.
const KEPT_IN_NAME: &AsciiSet = &KEPT.remove(b'/');

/// What a path is for, and its key in the file. The order is that of the templates of one maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A stream by RTSP.
    Rtsp,
    /// A stream of JPEG pictures by HTTP.
    Mjpeg,
    /// A still picture by HTTP.
    Snapshot,
    /// A stream by RTMP.
    Rtmp,
    /// An HLS playlist.
    Hls,
    /// A DASH manifest.
    Dash,
    /// A stream by WebRTC, asked for by WHEP.
    Whep,
}

/// One stream address to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Path and query, with leading `/`.
    pub path: String,
    /// The port the template names, when it is not simply the RTSP port found.
    pub port: Option<u16>,
    /// The channel the path is for, from 1.
    pub channel: u32,
    /// 0 main, 1 sub, 2 third.
    pub stream: u32,
    /// The template it was made from: same template, next channel.
    pub template: usize,
}

/// A server whose streams have names of their own, which its API lists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// Its name.
    pub server: String,
    /// Where it lists the names.
    pub list: NamedPath,
    /// Where a stream of a name is.
    #[serde(flatten)]
    pub(super) paths: BTreeMap<Purpose, NamedPath>,
}

impl Named {
    /// Where a stream of a name is for that purpose; none where it has none.
    pub fn path(&self, purpose: Purpose) -> Option<&NamedPath> {
        self.paths.get(&purpose)
    }
}

/// A path that holds a stream's name, on a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedPath {
    pub(super) path: String,
    /// The port it is usually at.
    pub port: u16,
}

impl NamedPath {
    /// The path for a stream's name, percent-encoded.
    pub fn path(&self, name: &str) -> String {
        fill_name(&self.path, name)
    }
}

/// `{name}` is the whole name, `{last}` what stands behind its last slash: some servers keep applications apart.
pub(super) fn fill_name(template: &str, name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let encode = |text: &str| utf8_percent_encode(text, KEPT_IN_NAME).to_string();
    template.replace("{name}", &encode(name)).replace("{last}", &encode(last))
}

/// Where servers put a stream of a name, and the names people give.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OfName {
    /// The names, the commonest first.
    pub common: Vec<String>,
    #[serde(flatten)]
    templates: BTreeMap<Purpose, Vec<String>>,
}

impl OfName {
    /// The templates for a purpose.
    pub fn templates(&self, purpose: Purpose) -> &[String] {
        self.templates.get(&purpose).map_or(&[], Vec::as_slice)
    }

    /// All templates.
    pub fn all_templates(&self) -> impl Iterator<Item = &String> {
        self.templates.values().flatten()
    }
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
        for VendorPaths { vendor, with_login, paths } in file.vendors {
            add_templates(&mut templates, Some(&vendor), true, with_login);
            add_templates(&mut templates, Some(&vendor), false, paths);
        }
        add_templates(&mut templates, None, false, file.generic);
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

/// The paths for each purpose, as they are written.
type Paths = BTreeMap<Purpose, Vec<Entry>>;

#[derive(Debug, Deserialize)]
pub(super) struct VendorPaths {
    pub vendor: String,
    #[serde(default)]
    with_login: Paths,
    #[serde(flatten)]
    paths: Paths,
}

fn add_templates(templates: &mut Vec<Template>, vendor: Option<&str>, with_login: bool, paths: Paths) {
    for (purpose, entries) in paths {
        templates.extend(entries.into_iter().map(|entry| entry.into_template(vendor, purpose, with_login)));
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
    fn into_template(self, vendor: Option<&str>, purpose: Purpose, with_login: bool) -> Template {
        let entry = match self {
            Entry::Full(entry) => entry,
            Entry::Path(path) => {
                FullEntry { path, streams: Vec::new(), stream: 0, port: None, confidence: Confidence::default() }
            }
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

/// How sure a template is; the surest sorts first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Confidence {
    High,
    #[default]
    Medium,
    Low,
}
