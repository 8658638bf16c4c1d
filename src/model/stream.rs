//! A video stream: what was declared about it, what was measured, and how far the proof got.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::names::names;
use super::{Answer, AudioCodec, Protocol, Transport, VideoCodec};

/// One stream of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stream {
    /// Its address, never with a password.
    pub url: String,
    /// The protocol it is fetched by.
    pub protocol: Protocol,
    /// The transport its media came by.
    pub transport: Transport,
    /// The multicast group and port its picture is sent to, where the device serves it by multicast alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multicast: Option<SocketAddr>,
    /// The recorder's channel, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<u32>,
    /// The name the device gives its profile, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_name: Option<String>,
    /// The ONVIF profile token, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_token: Option<String>,
    /// How far the proof got.
    pub status: StreamStatus,
    /// True when no login was needed; absent when not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// The picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<Video>,
    /// The sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<Audio>,
    /// A digest of the parameter sets (SPS, PPS, …) in its description: the same for streams that have the same.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parameter_sets: Option<String>,
    /// Whether the device takes sound (an ONVIF back channel).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_channel: Option<bool>,
    /// Where what is said here was read.
    pub sources: Vec<StreamSource>,
    /// The steps of the proof, in order; stops where it failed.
    pub ladder: Vec<LadderStep>,
    /// Contradictions and oddities, in words for the operator.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
    /// Path of the saved snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Why the proof stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<StreamError>,
    /// What the device answered on the way, in order, where it was looked at in depth.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub answers: Vec<Answer>,
    /// The session description (RFC 4566) line by line, cleaned, where the device was looked at in depth; `***` stands for
    /// a secret in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdp: Option<String>,
}

impl Stream {
    /// A stream of which only the address is known.
    pub fn new(url: impl Into<String>, protocol: Protocol) -> Self {
        Stream {
            url: url.into(),
            protocol,
            transport: Transport::Tcp,
            multicast: None,
            channel: None,
            profile_name: None,
            profile_token: None,
            status: StreamStatus::Error,
            open: None,
            video: None,
            audio: None,
            parameter_sets: None,
            back_channel: None,
            sources: Vec::new(),
            ladder: Vec::new(),
            warnings: Vec::new(),
            snapshot: None,
            error: None,
            answers: Vec::new(),
            sdp: None,
        }
    }

    /// Whether its address can be asked for: a report has `***` in place of a login in it, which opens nothing, and which a
    /// device would count as a login that it refuses.
    pub fn is_whole(&self) -> bool {
        // Almost none has even one of them, and one alone is looked for in no time.
        !(self.url.contains('*') && self.url.contains("***"))
    }
}

names! {
    /// How far the proof of a stream got.
    pub enum StreamStatus {
        /// Frames arrived.
        Streaming = "streaming",
        /// Parameters were read; frames were not asked for.
        Described = "described",
        /// A login is demanded that was not given or was refused.
        AuthRequired = "auth_required",
        /// The device says there is no such stream.
        NotFound = "not_found",
        /// The stream was accepted, but no frame came in time.
        NoData = "no_data",
        /// Something else went wrong; see `error`.
        Error = "error",
    }
}

/// The picture of a stream. Sizes are after cropping, in pixels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Video {
    /// The codec; absent when the device names one we do not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<VideoCodec>,
    /// The profile by its standard's name (`High`, `Main 10`), from the parameter sets where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The level by its standard's name (`4.0`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Sample aspect ratio, only when pixels are not square.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_aspect_ratio: Option<(u32, u32)>,
    /// Declared frames per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Where `fps` was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps_source: Option<FpsSource>,
    /// Declared bit rate, kbit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate_kbps: Option<u32>,
    /// Frames per second as counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_fps: Option<f64>,
    /// kbit/s as counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_kbps: Option<u32>,
    /// Seconds between key frames, as seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyframe_interval_s: Option<f64>,
    /// Where `width` and `height` were read when it was not the parameter sets or frames: a hint that may lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_source: Option<SizeSource>,
}

names! {
    /// Where a declared frame rate was read.
    #[expect(missing_docs, reason = "the names are the sources' own")]
    pub enum FpsSource {
        /// The parameter sets of the codec.
        Sps = "sps",
        Sdp = "sdp",
        Onvif = "onvif",
        Manifest = "manifest",
        Metadata = "metadata",
        Ffprobe = "ffprobe",
    }
}

names! {
    /// Where a size was read that is neither the parameter sets' nor the frames'.
    pub enum SizeSource {
        /// The SDP attribute `x-dimensions`.
        XDimensions = "x-dimensions",
        /// The SDP attribute `framesize` (3GPP TS 26.234).
        Framesize = "framesize",
        /// The SDP attribute `cliprect`.
        Cliprect = "cliprect",
        /// The SDP attributes `Width` and `Height`.
        Width = "width",
        /// An ONVIF profile.
        Onvif = "onvif",
        /// An HLS playlist or DASH manifest.
        Manifest = "manifest",
        /// The metadata of RTMP or of an MP4 file.
        Metadata = "metadata",
    }
}

/// The sound of a stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Audio {
    /// The codec; absent when the device names one we do not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<AudioCodec>,
    /// Samples per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate_hz: Option<u32>,
    /// Number of channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u16>,
    /// kbit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate_kbps: Option<u32>,
    /// kbit/s of what came while the stream was played.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_kbps: Option<u32>,
    /// RTP packets of the sound that came while the stream was played; 0 when it was set up and none came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_packets: Option<u64>,
}

names! {
    /// Where something about a stream was read.
    #[expect(missing_docs, reason = "the names are the sources' own")]
    pub enum StreamSource {
        Onvif = "onvif",
        Sdp = "sdp",
        Frames = "frames",
        Ffprobe = "ffprobe",
        Manifest = "manifest",
        Metadata = "metadata",
    }
}

/// One step on the way to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LadderStep {
    /// Which step.
    pub step: Step,
    /// Whether it succeeded.
    pub ok: bool,
    /// How long it took, in milliseconds; written to the microsecond.
    #[serde(serialize_with = "to_the_microsecond")]
    pub ms: f64,
    /// How it was tried, where another way had brought nothing; steps after the first way's stand behind it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub way: Option<Way>,
}

impl LadderStep {
    /// A step of the first way.
    pub fn new(step: Step, ok: bool, took: Duration) -> Self {
        LadderStep { step, ok, ms: took.as_secs_f64() * 1000.0, way: None }
    }
}

names! {
    /// A way to play an RTSP stream.
    pub enum Way {
        /// All tracks, interleaved in the RTSP connection.
        Tcp = "tcp",
        /// All tracks, each over UDP.
        Udp = "udp",
        /// All tracks, each from its multicast group.
        Multicast = "multicast",
        /// The picture without the other tracks, interleaved in the RTSP connection.
        TcpOneTrack = "tcp_one_track",
        /// The picture without the other tracks, over UDP.
        UdpOneTrack = "udp_one_track",
    }
}

impl Way {
    /// In words, as they stand behind "played".
    pub fn in_words(self) -> &'static str {
        match self {
            Way::Tcp => "by TCP",
            Way::Udp => "by UDP",
            Way::Multicast => "by multicast",
            Way::TcpOneTrack => "by TCP, one track",
            Way::UdpOneTrack => "by UDP, one track",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn to_the_microsecond<S: serde::Serializer>(ms: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((ms * 1000.0).round() / 1000.0)
}

names! {
    /// The steps, in order.
    pub enum Step {
        /// The port accepted a connection.
        Tcp = "tcp",
        /// TLS was established.
        Tls = "tls",
        /// RTSP was spoken.
        Rtsp = "rtsp",
        /// Another protocol was spoken (HTTP, RTMP, WebRTC).
        Spoken = "spoken",
        /// The stream was described.
        Described = "described",
        /// The media were set up.
        Setup = "setup",
        /// A media packet came.
        Rtp = "rtp",
        /// A whole frame came.
        Frame = "frame",
        /// A key frame came.
        Keyframe = "keyframe",
    }
}

names! {
    /// What kind of failure it was; each is repaired in its own way.
    pub enum ErrorKind {
        /// Nothing came in time.
        Timeout = "timeout",
        /// The port refused the connection.
        Refused = "refused",
        /// No route to the host, or the host does not answer.
        Unreachable = "unreachable",
        /// The connection was reset or closed in the middle.
        Closed = "closed",
        /// TLS failed.
        Tls = "tls",
        /// What came was not the protocol expected.
        Protocol = "protocol",
        /// What came was larger than the limit.
        TooLarge = "too_large",
        /// A login is demanded.
        AuthRequired = "auth_required",
        /// The login given was refused.
        AuthRefused = "auth_refused",
        /// The device says that it is locked.
        Locked = "locked",
        /// No login is tried: as many were refused as may be, or it rests until a person acts.
        LoginRests = "login_rests",
        /// The device is busy (453, 503).
        Busy = "busy",
        /// There is no such path.
        NotFound = "not_found",
        /// Redirected to another host, too often or nowhere.
        Redirect = "redirect",
        /// The device answered with an error of its own.
        Device = "device",
        /// This machine lacks something: descriptors, permission, a program.
        Local = "local",
        /// The scan was interrupted.
        Interrupted = "interrupted",
    }
}

impl ErrorKind {
    /// Whether it is a matter of the login: one is missing, refused or not tried.
    pub fn is_of_login(self) -> bool {
        matches!(self, Self::AuthRequired | Self::AuthRefused | Self::Locked | Self::LoginRests)
    }
}

/// Why a stream's proof stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One sentence for the operator, cleaned, without secrets.
    pub message: String,
}

/// A URL host for an address: IPv6 in brackets.
pub fn url_host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}
