//! The mappings of a configuration that hold an entry per camera or stream: how they are written anew, and what is read of
//! those in a file that is there already.

use std::collections::BTreeSet;

use serde_yaml::{Mapping, Value};

use crate::model::{Device, Stream};

/// A mapping with an entry per camera or stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The keys that lead to it, from the top.
    pub path: &'static [&'static str],
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// An entry of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub name: String,
    /// Its lines, the key's without indentation. Comments may stand before and behind it.
    pub lines: Vec<String>,
}

/// How much deeper a mapping's entries stand than its key, in new text.
pub const STEP: usize = 2;

/// A line with so many blanks before it.
pub fn indented(by: usize, line: &str) -> String {
    format!("{:by$}{line}", "")
}

impl Section {
    /// The section as text of its own; `{}` where it has no entries.
    pub fn lines(&self) -> Vec<String> {
        let Some((last, outer)) = self.path.split_last() else { return Vec::new() };
        let mut lines: Vec<String> =
            outer.iter().enumerate().map(|(depth, key)| indented(depth * STEP, &format!("{key}:"))).collect();
        let empty = if self.entries.is_empty() { " {}" } else { "" };
        lines.push(indented(outer.len() * STEP, &format!("{last}:{empty}")));
        lines.extend(self.entry_lines(self.path.len() * STEP));
        lines
    }

    /// The lines of its entries.
    pub fn entry_lines(&self, indent: usize) -> Vec<String> {
        self.entries.iter().flat_map(|entry| &entry.lines).map(|line| indented(indent, line)).collect()
    }
}

/// What a configuration holds already.
#[derive(Debug, Clone, Default)]
pub struct Existing {
    /// The keys of its sections.
    pub names: BTreeSet<String>,
    /// Host, and path with query, of every address in it, written as one or in parts.
    places: Vec<(String, String)>,
}

impl Existing {
    /// What `document` holds, with the keys of these sections.
    pub fn of(document: &Value, paths: &[&[&str]]) -> Existing {
        let mut existing = Existing::default();
        for path in paths {
            let section = path.iter().try_fold(document, |value, key| value.get(key));
            let names = section.and_then(Value::as_mapping).into_iter().flat_map(|mapping| mapping.keys());
            existing.names.extend(names.filter_map(Value::as_str).map(str::to_owned));
        }
        collect_places(document, &mut existing.places);
        existing
    }

    /// Whether it holds a camera: an address at one of the device's, and of a device with channels one of these streams'.
    pub fn has<'s>(&self, device: &Device, has_channels: bool, streams: impl IntoIterator<Item = &'s Stream>) -> bool {
        let addresses = device.addresses.iter().chain([&device.ip]).map(ToString::to_string);
        let hosts: Vec<String> = addresses.chain(device.hostname.clone()).map(|host| host.to_lowercase()).collect();
        let paths: Vec<String> = streams.into_iter().filter_map(|s| place(&s.url)).map(|(_, path)| path).collect();
        self.places.iter().any(|(host, path)| hosts.contains(host) && (!has_channels || paths.contains(path)))
    }
}

fn collect_places(value: &Value, places: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => places.extend(place(text)),
        Value::Sequence(values) => values.iter().for_each(|value| collect_places(value, places)),
        Value::Mapping(mapping) => {
            places.extend(place_in_parts(mapping));
            mapping.values().for_each(|value| collect_places(value, places));
        }
        Value::Tagged(tagged) => collect_places(&tagged.value, places),
        _ => {}
    }
}

/// Host and path with query of the address in a text; what stands before it (`ffmpeg:`) and behind a `#` are options.
fn place(text: &str) -> Option<(String, String)> {
    let (_, rest) = text.split_once("://")?;
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split(':').next().unwrap_or_default(),
    };
    (!host.is_empty()).then(|| (host.to_lowercase(), path.trim_end_matches('/').to_owned()))
}

/// Host and path that stand beside each other, as Viseron has them.
fn place_in_parts(mapping: &Mapping) -> Option<(String, String)> {
    let text = |key: &str| mapping.get(key)?.as_str();
    let path = text("path")?;
    (path.starts_with(['/', '?'])).then_some(())?;
    place(&format!("rtsp://{}{path}", text("host")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_whatever_stands_around_it() {
        let read = |text: &str| place(text).map(|(host, path)| format!("{host} {path}"));
        assert_eq!(read("rtsp://u:{P}@10.0.5.20:554/main#backchannel=0").unwrap(), "10.0.5.20 /main");
        assert_eq!(read("ffmpeg:http://cam1.lan/video.mjpg#video=h264").unwrap(), "cam1.lan /video.mjpg");
        assert_eq!(read("rtsp://[FD00::1]/").unwrap(), "fd00::1 ");
        assert_eq!(read("rtsp://10.0.5.20?channel=1").unwrap(), "10.0.5.20 ?channel=1");
        assert_eq!((read("front_door"), read("rtsp:///x")), (None, None));
    }
}
