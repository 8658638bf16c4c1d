//! A device: one identity, its facts with the evidence for them, its services and streams.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, MacAddr, Service, Stream};

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A network camera.
    Camera,
    /// An NVR, DVR or other recorder with channels.
    Recorder,
    /// A box that makes a network stream of an analogue picture.
    Encoder,
    /// A door station or intercom with a camera.
    Intercom,
    /// Software that serves video streams (MediaMTX, go2rtc, Wowza).
    MediaServer,
    /// Anything else.
    Other,
}

impl Kind {
    /// The name as it stands in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Camera => "camera",
            Kind::Recorder => "recorder",
            Kind::Encoder => "encoder",
            Kind::Intercom => "intercom",
            Kind::MediaServer => "media_server",
            Kind::Other => "other",
        }
    }

    /// The kind with that name in the report.
    pub fn from_name(name: &str) -> Option<Kind> {
        [Kind::Camera, Kind::Recorder, Kind::Encoder, Kind::Intercom, Kind::MediaServer, Kind::Other]
            .into_iter()
            .find(|k| k.as_str() == name)
    }
}

/// Whether the device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum DeviceState {
    Online,
    Offline,
}

/// A fact about a device that several sources can speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Fact {
    Vendor,
    Model,
    Firmware,
    Serial,
    Kind,
    Hostname,
    /// A name the operator gave the device.
    Name,
}

impl Fact {
    /// The name as it stands in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Fact::Vendor => "vendor",
            Fact::Model => "model",
            Fact::Firmware => "firmware",
            Fact::Serial => "serial",
            Fact::Kind => "kind",
            Fact::Hostname => "hostname",
            Fact::Name => "name",
        }
    }
}

/// Who says a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    /// An answer to an ONVIF call.
    Onvif,
    /// A WS-Discovery answer's types and scopes.
    Wsdd,
    /// A UPnP description document or SSDP header.
    Upnp,
    /// A DNS-SD announcement.
    Mdns,
    /// A maker's own discovery answer (SADP, DHIP, DVRIP, …).
    Beacon,
    /// The RTSP `Server` header.
    RtspServer,
    /// The realm of a login over RTSP or HTTP.
    Realm,
    /// A session description.
    Sdp,
    /// The HTTP `Server` header.
    HttpServer,
    /// A page's title or text.
    HttpPage,
    /// A page's icon.
    Favicon,
    /// A TLS certificate.
    Certificate,
    /// A stream path only one maker uses, answered as existing.
    StreamPath,
    /// An open port only one maker uses.
    Port,
    /// The MAC address's prefix.
    Oui,
    /// The name in DNS.
    Dns,
    /// A stream that was described or played.
    Stream,
    /// A media server's API or RTMP, WebRTC answer.
    MediaServer,
    /// The model's name, whoever stated it.
    Model,
}

/// One source's word on one fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// Which fact.
    pub fact: Fact,
    /// What it says, cleaned.
    pub value: String,
    /// Who says it.
    pub source: EvidenceSource,
    /// How much it is worth, 0..1.
    pub weight: f64,
    /// What exactly was read, cleaned: the header, realm, scope or signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Evidence {
    /// One source's word; `weight` is clamped to 0..1.
    pub fn new(fact: Fact, value: impl Into<String>, source: EvidenceSource, weight: f64) -> Self {
        Evidence { fact, value: value.into(), source, weight: weight.clamp(0.0, 1.0), detail: None }
    }

    /// The same with what exactly was read.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// How many logins were refused, of how many allowed, over all protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginAttempts {
    /// Refused.
    pub refused: u32,
    /// Answered neither by success nor by a refusal, or not at all; they count towards the limit like refusals.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unclear: u32,
    /// Allowed.
    pub limit: u32,
}

impl LoginAttempts {
    /// Those that count towards the limit.
    pub fn counted(self) -> u32 {
        self.refused.saturating_add(self.unclear)
    }
}

/// In words: `1 of 2 refused`, and how many of them were answered unclearly.
impl std::fmt::Display for LoginAttempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} refused", self.counted(), self.limit)?;
        match self.unclear {
            0 => Ok(()),
            unclear => write!(f, " ({unclear} answered unclearly)"),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Something that went wrong while a device was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StageError {
    /// Where: `ports`, `rtsp`, `http`, `onvif`, `host`, …
    pub stage: String,
    /// What kind.
    pub kind: ErrorKind,
    /// One sentence for the operator, cleaned, without secrets.
    pub message: String,
}

/// A device of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device {
    /// The strongest identity known: `mac:…`, `onvif:…` or `ip:…`.
    pub id: String,
    /// The address it is reached at.
    pub ip: IpAddr,
    /// All its addresses, sorted.
    pub addresses: Vec<IpAddr>,
    /// Its MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Its name in DNS or mDNS, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The name the operator gave it, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// How sure that is, 0..1.
    pub confidence: f64,
    /// Its maker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its firmware.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The methods that saw it, sorted.
    pub discovered_by: Vec<String>,
    /// Whether it answers.
    pub state: DeviceState,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// What it speaks, by port and protocol.
    pub services: Vec<Service>,
    /// Its streams, by channel, then in its own order.
    pub streams: Vec<Stream>,
    /// Refused logins; absent when none was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_attempts: Option<LoginAttempts>,
    /// What was said about it, the decisive word first.
    pub evidence: Vec<Evidence>,
    /// What went wrong.
    pub errors: Vec<StageError>,
}
