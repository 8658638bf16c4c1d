//! A report as rows: one per stream, one with empty stream columns for a device without any.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use crate::model::memory::Uid;
use crate::model::{AuthScheme, Device, Report, Stream};
use crate::wire::url::{AnnouncedUrl, Scheme};

/// The columns, in order, as the schema names them.
pub const HEADER: [&str; 36] = [
    "ip",
    "mac",
    "hostname",
    "kind",
    "vendor",
    "model",
    "firmware",
    "serial",
    "channel",
    "profile_name",
    "url",
    "protocol",
    "transport",
    "status",
    "open",
    "auth",
    "video_codec",
    "video_profile",
    "width",
    "height",
    "fps",
    "bitrate_kbps",
    "audio_codec",
    "audio_sample_rate_hz",
    "audio_channels",
    "first_seen",
    "last_seen",
    "error",
    "camera",
    "reach",
    "activation",
    "warnings",
    "uid",
    "name",
    "site",
    "tags",
];

/// A cell's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Not known: an empty cell.
    Absent,
    /// Text, possibly a device's.
    Text(Cow<'a, str>),
    /// A whole number.
    Whole(u64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Truth(bool),
    /// A point in time.
    Time(Timestamp),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Absent => Ok(()),
            Value::Text(text) => f.write_str(text),
            Value::Whole(n) => write!(f, "{n}"),
            Value::Number(n) => write!(f, "{n}"),
            Value::Truth(t) => write!(f, "{t}"),
            Value::Time(t) => write!(f, "{t}"),
        }
    }
}

impl<'a> Value<'a> {
    fn text(text: Option<&'a str>) -> Self {
        text.map_or(Value::Absent, |t| Value::Text(Cow::Borrowed(t)))
    }

    fn owned(text: Option<String>) -> Self {
        text.map_or(Value::Absent, |t| Value::Text(Cow::Owned(t)))
    }

    fn whole(n: Option<impl Into<u64>>) -> Self {
        n.map_or(Value::Absent, |n| Value::Whole(n.into()))
    }

    fn number(n: Option<f64>) -> Self {
        n.map_or(Value::Absent, Value::Number)
    }
}

/// One row: a stream with its device, or a device without streams.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The device.
    pub device: &'a Device,
    /// Its stream.
    pub stream: Option<&'a Stream>,
}

/// The rows of a report, in its order.
pub fn rows(report: &Report) -> impl Iterator<Item = Row<'_>> {
    report.devices.iter().flat_map(|device| {
        let alone = device.streams.is_empty().then_some(Row { device, stream: None });
        device.streams.iter().map(move |stream| Row { device, stream: Some(stream) }).chain(alone)
    })
}

impl<'a> Row<'a> {
    /// The cells, in the order of [`HEADER`]. What was declared of a stream goes before what was measured.
    pub fn values(&self) -> [Value<'a>; 36] {
        let (device, stream) = (self.device, self.stream);
        let video = stream.and_then(|s| s.video.as_ref());
        let audio = stream.and_then(|s| s.audio.as_ref());
        [
            Value::owned(Some(device.ip.to_string())),
            Value::owned(device.mac.map(|m| m.to_string())),
            Value::text(device.hostname.as_deref()),
            Value::text(Some(device.kind.as_str())),
            Value::text(device.vendor.as_deref()),
            Value::text(device.model.as_deref()),
            Value::text(device.firmware.as_deref()),
            Value::text(device.serial.as_deref()),
            Value::whole(stream.and_then(|s| s.channel)),
            Value::text(stream.and_then(|s| s.profile_name.as_deref())),
            Value::text(stream.map(|s| s.url.as_str())),
            Value::text(stream.map(|s| s.protocol.as_str())),
            Value::text(stream.map(|s| s.transport.as_str())),
            Value::text(stream.map(|s| s.status.as_str())),
            stream.and_then(|s| s.open).map_or(Value::Absent, Value::Truth),
            Value::owned(stream.and_then(|s| auth(device, s)).map(schemes)),
            Value::text(video.and_then(|v| v.codec).map(|c| c.as_str())),
            Value::text(video.and_then(|v| v.profile.as_deref())),
            Value::whole(video.and_then(|v| v.width)),
            Value::whole(video.and_then(|v| v.height)),
            Value::number(video.and_then(|v| v.fps.or(v.measured_fps))),
            Value::whole(video.and_then(|v| v.bitrate_kbps.or(v.measured_kbps))),
            Value::text(audio.and_then(|a| a.codec).map(|c| c.as_str())),
            Value::whole(audio.and_then(|a| a.sample_rate_hz)),
            Value::whole(audio.and_then(|a| a.channels)),
            Value::Time(device.first_seen),
            Value::Time(device.last_seen),
            Value::owned(self.error()),
            Value::text(stream.and_then(|s| device.camera_of(s))),
            Value::text(device.reach.map(|reach| reach.as_str())),
            Value::text(device.activation.map(|activation| activation.as_str())),
            Value::owned(warnings(device)),
            Value::text(device.uid.as_ref().map(Uid::as_str)),
            // As it is listed; a device that is not remembered has no name of the operator's.
            Value::text(device.name.as_deref().filter(|_| device.uid.is_some())),
            Value::text(device.site.as_deref()),
            Value::owned(tags(device)),
        ]
    }

    /// Why the stream's proof stopped, or for a device without streams what went wrong with it first.
    fn error(&self) -> Option<String> {
        match self.stream {
            Some(stream) => stream.error.as_ref().map(|e| format!("{}: {}", e.kind, e.message)),
            None => self.device.errors.first().map(|e| format!("{}: {}", e.stage, e.message)),
        }
    }
}

/// The login schemes a stream's service offers; empty when it asks for no login, none when that is not known.
pub fn auth<'d>(device: &'d Device, stream: &Stream) -> Option<&'d [AuthScheme]> {
    if stream.open == Some(true) {
        return Some(&[]);
    }
    let port = url_port(&stream.url);
    let service = device
        .services
        .iter()
        .find(|s| s.protocol == stream.protocol && port.is_none_or(|p| p == s.port))
        .or_else(|| device.services.iter().find(|s| port == Some(s.port) && s.auth.is_some()))?;
    service.auth.as_deref().filter(|schemes| !(schemes.is_empty() && stream.open == Some(false)))
}

/// The kinds of a device's warnings, parted by blanks: `address_conflict clock_wrong`.
fn warnings(device: &Device) -> Option<String> {
    let kinds: BTreeSet<&str> = device.warnings.iter().map(|warning| warning.kind.as_str()).collect();
    (!kinds.is_empty()).then(|| kinds.into_iter().collect::<Vec<_>>().join(" "))
}

/// The tags of a device: `gate; outdoor`.
pub fn tags(device: &Device) -> Option<String> {
    (!device.tags.is_empty()).then(|| device.tags.join("; "))
}

/// Login schemes parted by blanks: `digest basic`; `none` for no login.
fn schemes(schemes: &[AuthScheme]) -> String {
    match schemes {
        [] => "none".to_owned(),
        schemes => schemes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(" "),
    }
}

/// The port a URL names or its scheme implies.
fn url_port(url: &str) -> Option<u16> {
    Some(AnnouncedUrl::read_lenient(url, Scheme::Rtsp)?.url.endpoint().port)
}
