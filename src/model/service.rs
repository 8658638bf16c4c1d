//! What listens on a port of a device and what it demands before it talks.

use serde::{Deserialize, Serialize};

use super::Answer;
use super::names::names;

names! {
    /// A protocol a device speaks. The order is the order of services on one port.
    #[expect(missing_docs, reason = "the names are the protocols' own")]
    pub enum Protocol {
        Rtsp = "rtsp",
        Rtsps = "rtsps",
        Rtmp = "rtmp",
        Rtmps = "rtmps",
        Http = "http",
        Https = "https",
        Onvif = "onvif",
        Hls = "hls",
        Dash = "dash",
        Mjpeg = "mjpeg",
        Webrtc = "webrtc",
        Srt = "srt",
        Stun = "stun",
        Turn = "turn",
        Upnp = "upnp",
        Mdns = "mdns",
        Sadp = "sadp",
        Dhip = "dhip",
        Dvrip = "dvrip",
        Ubnt = "ubnt",
        Vivotek = "vivotek",
        Hanwha = "hanwha",
        Bosch = "bosch",
        Foscam = "foscam",
        Panasonic = "panasonic",
        Sony = "sony",
        Vstarcam = "vstarcam",
        /// A JPEG that is fetched, not streamed.
        Snapshot = "snapshot",
        /// Open, but nothing that we know was spoken.
        Other = "other",
    }
}

names! {
    /// How the bytes travel.
    #[expect(missing_docs, reason = "the names are the transports' own")]
    pub enum Transport {
        Tcp = "tcp",
        Udp = "udp",
    }
}

names! {
    /// A scheme a device offers for logging in.
    pub enum AuthScheme {
        /// HTTP or RTSP Digest (RFC 7616).
        Digest = "digest",
        /// HTTP or RTSP Basic (RFC 7617).
        Basic = "basic",
        /// WS-Security UsernameToken (ONVIF Core §5.9).
        Wsse = "wsse",
        /// A login was demanded in a way not named here, or without saying how.
        Other = "other",
    }
}

/// One protocol on one port of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// SHA-256 of its TLS certificate, in lower-case hexadecimal; absent where the device did not show that it has the key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fingerprint: Option<String>,
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
            fingerprint: None,
            notes: Vec::new(),
            answers: Vec::new(),
        }
    }
}
