//! A template of an address, and what it is filled to.

use std::fmt::Write as _;

use serde::Deserialize;

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

/// A template, ready to be filled.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// None: common to all.
    pub vendor: Option<String>,
    pub purpose: Purpose,
    pub with_login: bool,
    pub path: String,
    pub streams: Vec<String>,
    pub stream: u32,
    pub port: Option<u16>,
    pub confidence: Confidence,
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

/// How sure a template is; the surest sorts first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", derive(serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(super) enum Confidence {
    /// The maker's own word, or two sources.
    High,
    /// One good source.
    #[default]
    Medium,
    /// Weak or contradicted.
    Low,
}
