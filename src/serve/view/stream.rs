//! A stream: in short, and with its proof.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Picture, Sight, public_url};
use crate::history::memory::{Known, KnownStream, StreamId, StreamState};
use crate::model::memory::Uid;
use crate::model::{Protocol, Stream, VideoCodec};

/// A stream in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamView {
    /// What it is called as long as its device has it at that port and path.
    pub id: StreamId,
    /// The device it is of.
    pub device: Uid,
    /// What it is called: the name of its profile, else its channel or path.
    pub name: String,
    /// Its address, without a login.
    pub url: String,
    /// The protocol it is fetched by.
    pub protocol: Protocol,
    /// The recorder's channel, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u32>,
    /// Whether it works.
    pub state: StreamState,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// Whether no login is needed; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// The picture's codec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<VideoCodec>,
    /// Width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Frames per second: as counted, else as declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// kbit/s: as counted, else as declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kbps: Option<u32>,
    /// When frames of it last arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ok: Option<Timestamp>,
    /// When it was last played, or tried to be, between scans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    /// Since when the device has it no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
    /// Its last picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
}

/// A stream with its proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamDetail {
    /// It in short.
    #[serde(flatten)]
    pub summary: StreamView,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// When its present problem began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_at: Option<Timestamp>,
    /// Since when a user knows of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_at: Option<Timestamp>,
    /// Frames a second it usually delivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_fps: Option<f64>,
    /// How often it was checked between scans.
    pub checks: u64,
    /// What was declared, measured and proved, as a report has it: the ladder is `report.ladder`.
    pub report: Stream,
}

/// What a stream is called: the name of its profile, else its channel, else its path.
pub fn name_of(key: &str, stream: &Stream) -> String {
    let path = || key.split_once(':').map_or(key, |(_, rest)| rest).trim_start_matches(|c: char| c.is_ascii_digit());
    match (&stream.profile_name, stream.channel) {
        (Some(name), _) => name.clone(),
        (None, Some(channel)) => format!("channel {channel}"),
        (None, None) => public_url(path()),
    }
}

/// A stream in short.
pub fn stream_of(sight: &Sight, known: &Known, key: &str, of: &KnownStream) -> StreamView {
    #[cfg(test)]
    super::VIEWS.set(super::VIEWS.get() + 1);
    let (id, stream) = (StreamId::of(&known.uid, key), &of.stream);
    let video = stream.video.as_ref();
    let picture = sight.pictures.get(&id).cloned();
    StreamView {
        id,
        device: known.uid.clone(),
        name: name_of(key, stream),
        url: public_url(&stream.url),
        protocol: stream.protocol,
        channel: stream.channel,
        state: of.health.state,
        since: of.health.since,
        open: stream.open,
        codec: video.and_then(|video| video.codec),
        width: video.and_then(|video| video.width),
        height: video.and_then(|video| video.height),
        fps: video.and_then(|video| video.measured_fps.or(video.fps)),
        kbps: video.and_then(|video| video.measured_kbps.or(video.bitrate_kbps)),
        last_ok: of.last_ok,
        checked_at: of.health.checked_at,
        gone_at: of.gone_at,
        picture,
    }
}

/// A stream with its proof.
pub fn detail_of(sight: &Sight, known: &Known, key: &str, of: &KnownStream) -> StreamDetail {
    let report = Stream { url: public_url(&of.stream.url), snapshot: None, ..of.stream.clone() };
    StreamDetail {
        summary: stream_of(sight, known, key, of),
        first_seen: of.seen.first,
        last_seen: of.seen.last,
        problem_at: of.health.problem_at,
        acked_at: of.health.acked,
        usual_fps: of.health.usual_fps,
        checks: of.health.checks,
        report,
    }
}

impl Sight {
    /// A stream with its proof, by its id.
    pub fn stream(&self, id: &StreamId) -> Option<StreamDetail> {
        let (known, key) = self.stream_of(id)?;
        Some(detail_of(self, known, key, known.streams.get(key)?))
    }

    /// The streams of a device that it still has.
    pub fn streams_of<'s>(&'s self, known: &'s Known) -> impl Iterator<Item = StreamView> + 's {
        listed_streams(known).map(|(key, stream)| stream_of(self, known, key, stream))
    }
}

/// The streams that a device still has, by their keys.
pub fn listed_streams(known: &Known) -> impl Iterator<Item = (&str, &KnownStream)> {
    let listed = known.streams.iter().filter(|(_, stream)| stream.gone_at.is_none());
    listed.map(|(key, stream)| (key.as_str(), stream))
}
