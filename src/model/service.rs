//! What listens on a port of a device and what it demands before it talks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Answer;

/// A protocol a device speaks. The order is the order of services on one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the protocols' own")]
pub enum Protocol {
    Rtsp,
    Rtsps,
    Rtmp,
    Rtmps,
    Http,
    Https,
    Onvif,
    Hls,
    Dash,
    Mjpeg,
    Webrtc,
    Srt,
    Stun,
    Turn,
    Upnp,
    Mdns,
    Sadp,
    Dhip,
    Dvrip,
    Ubnt,
    Vivotek,
    Hanwha,
    Bosch,
    Foscam,
    Panasonic,
    Sony,
    Vstarcam,
    /// A JPEG that is fetched, not streamed.
    Snapshot,
    /// Open, but nothing that we know was spoken.
    Other,
}

impl Protocol {
    /// The name as it stands in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Rtsp => "rtsp",
            Protocol::Rtsps => "rtsps",
            Protocol::Rtmp => "rtmp",
            Protocol::Rtmps => "rtmps",
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Onvif => "onvif",
            Protocol::Hls => "hls",
            Protocol::Dash => "dash",
            Protocol::Mjpeg => "mjpeg",
            Protocol::Webrtc => "webrtc",
            Protocol::Srt => "srt",
            Protocol::Stun => "stun",
            Protocol::Turn => "turn",
            Protocol::Upnp => "upnp",
            Protocol::Mdns => "mdns",
            Protocol::Sadp => "sadp",
            Protocol::Dhip => "dhip",
            Protocol::Dvrip => "dvrip",
            Protocol::Ubnt => "ubnt",
            Protocol::Vivotek => "vivotek",
            Protocol::Hanwha => "hanwha",
            Protocol::Bosch => "bosch",
            Protocol::Foscam => "foscam",
            Protocol::Panasonic => "panasonic",
            Protocol::Sony => "sony",
            Protocol::Vstarcam => "vstarcam",
            Protocol::Snapshot => "snapshot",
            Protocol::Other => "other",
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the transports' own")]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// `tcp` or `udp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }
}

/// A scheme a device offers for logging in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthScheme {
    /// HTTP or RTSP Digest (RFC 7616).
    Digest,
    /// HTTP or RTSP Basic (RFC 7617).
    Basic,
    /// WS-Security UsernameToken (ONVIF Core §5.9).
    Wsse,
    /// A login was demanded in a way not named here, or without saying how.
    Other,
}

impl AuthScheme {
    /// The name as it stands in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            AuthScheme::Digest => "digest",
            AuthScheme::Basic => "basic",
            AuthScheme::Wsse => "wsse",
            AuthScheme::Other => "other",
        }
    }
}

/// One protocol on one port of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// What is spoken.
    pub protocol: Protocol,
    /// Over what.
    pub transport: Transport,
    /// The port, 1..=65535.
    pub port: u16,
    /// The service's own address, without any password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it demands: empty means open, absent means not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Vec<AuthScheme>>,
    /// The `Server` header or banner, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The page's title, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The realm of the login it demands, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The subject of its TLS certificate, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// What was odd about it, in words for the operator.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// What it answered, where it was looked at in depth.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub answers: Vec<Answer>,
}

impl Service {
    /// A service of which only protocol and port are known.
    pub fn new(protocol: Protocol, transport: Transport, port: u16) -> Self {
        Service {
            protocol,
            transport,
            port,
            url: None,
            auth: None,
            server: None,
            title: None,
            realm: None,
            certificate: None,
            notes: Vec::new(),
            answers: Vec::new(),
        }
    }
}
