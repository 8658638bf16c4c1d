//! A device: one identity, its facts with the evidence for them, its services and streams.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::memory::Uid;
use super::names::names;
use super::{
    Activation, Channel, ErrorKind, MacAddr, Method, NetworkSettings, Protocol, Reach, Service, ShownBy, Stream,
    Warning,
};

names! {
    /// What a device is.
    pub enum Kind {
        /// A network camera.
        Camera = "camera",
        /// An NVR, DVR or other recorder with channels.
        Recorder = "recorder",
        /// A box that makes a network stream of an analogue picture.
        Encoder = "encoder",
        /// A door station or intercom with a camera.
        Intercom = "intercom",
        /// Software that serves video streams (MediaMTX, go2rtc, Wowza).
        MediaServer = "media_server",
        /// Anything else.
        Other = "other",
    }
}

names! {
    /// Whether the device answers.
    #[expect(missing_docs, reason = "the names say it")]
    pub enum DeviceState {
        Online = "online",
        Offline = "offline",
    }
}

names! {
    /// A fact about a device that several sources can speak to.
    #[expect(missing_docs, reason = "the names say it")]
    pub enum Fact {
        Vendor = "vendor",
        Model = "model",
        Firmware = "firmware",
        Serial = "serial",
        Kind = "kind",
        Hostname = "hostname",
        /// A name the operator gave the device.
        Name = "name",
    }
}

names! {
    /// Who says a fact.
    pub enum EvidenceSource {
        /// An answer to an ONVIF call.
        Onvif = "onvif",
        /// A WS-Discovery answer's types and scopes.
        Wsdd = "wsdd",
        /// A UPnP description document or SSDP header.
        Upnp = "upnp",
        /// A DNS-SD announcement.
        Mdns = "mdns",
        /// A maker's own discovery answer (SADP, DHIP, DVRIP, …).
        Beacon = "beacon",
        /// The RTSP `Server` header.
        RtspServer = "rtsp_server",
        /// The realm of a login over RTSP or HTTP.
        Realm = "realm",
        /// A session description.
        Sdp = "sdp",
        /// The HTTP `Server` header.
        HttpServer = "http_server",
        /// A page's title or text.
        HttpPage = "http_page",
        /// A page's icon.
        Favicon = "favicon",
        /// A TLS certificate.
        Certificate = "certificate",
        /// A stream path only one maker uses, answered as existing.
        StreamPath = "stream_path",
        /// An open port only one maker uses.
        Port = "port",
        /// The MAC address's prefix.
        Oui = "oui",
        /// The name in DNS.
        Dns = "dns",
        /// A stream that was described or played.
        Stream = "stream",
        /// A media server's API or RTMP, WebRTC answer.
        MediaServer = "media_server",
        /// The model's name, whoever stated it.
        Model = "model",
    }
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
    /// A total order: the heavier word first, then by what it says. Equal only when everything is.
    pub fn cmp_rank(&self, other: &Evidence) -> std::cmp::Ordering {
        let key = |e: &'_ Evidence| (e.fact, e.source);
        other
            .weight
            .total_cmp(&self.weight)
            .then_with(|| key(self).cmp(&key(other)))
            .then_with(|| self.value.cmp(&other.value))
            .then_with(|| self.detail.cmp(&other.detail))
    }

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

    /// Those of one address and those of another one of the same device.
    #[must_use]
    pub fn beside(self, other: LoginAttempts) -> LoginAttempts {
        LoginAttempts {
            refused: self.refused.saturating_add(other.refused),
            unclear: self.unclear.saturating_add(other.unclear),
            limit: self.limit.max(other.limit),
        }
    }
}

/// By how many count towards the limit: that number only grows, so the greatest is the latest.
impl Ord for LoginAttempts {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |a: &Self| (a.counted(), a.refused, a.unclear, a.limit);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for LoginAttempts {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
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

/// Whether a serial number can be one that a single device has. Placeholders are on many: `0`, `000000`, `1111`,
/// `123456`, `SerialNumber`.
pub fn is_serial(serial: &str) -> bool {
    /// Words in its place, without case and without what stands between them.
    const PLACEHOLDERS: &[&str] = &[
        "default",
        "null",
        "none",
        "serial",
        "serialno",
        "serialnumber",
        "tobefilledbyoem",
        "unknown",
        "notavailable",
    ];
    let bare: String = serial.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    let distinct: BTreeSet<char> = bare.chars().collect();
    // 1234567890 counts up as well.
    let counts_up = |(a, b): (u8, u8)| b == a.wrapping_add(1) || (a, b) == (b'9', b'0');
    let is_counting = bare.bytes().zip(bare.bytes().skip(1)).all(counts_up);
    bare.chars().count() >= 4 && distinct.len() >= 2 && !is_counting && !PLACEHOLDERS.contains(&bare.as_str())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

names! {
    /// The step of an inspection in which something went wrong; errors are sorted by it.
    #[expect(missing_docs, reason = "most are the protocols' own names")]
    pub enum Stage {
        Dash = "dash",
        /// The name of the host in DNS.
        Dns = "dns",
        Hls = "hls",
        /// The inspection as a whole.
        Host = "host",
        Http = "http",
        MediaServer = "media_server",
        Mjpeg = "mjpeg",
        Onvif = "onvif",
        /// Finding the open ports and what they speak.
        Ports = "ports",
        /// Asking a recorder for its channels.
        Recorder = "recorder",
        Rtmp = "rtmp",
        Rtsp = "rtsp",
        Srt = "srt",
        Stun = "stun",
        /// Connecting.
        Tcp = "tcp",
        Upnp = "upnp",
        Webrtc = "webrtc",
        /// Any other step, also one a newer version of camscan names in a report that is read.
        #[serde(other)]
        Other = "other",
    }
}

/// Something that went wrong during the inspection of a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StageError {
    /// In which step.
    pub stage: Stage,
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
    /// What the store calls it for ever; absent where the scan was not remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// The address it is reached at.
    pub ip: IpAddr,
    /// All its addresses, sorted.
    pub addresses: Vec<IpAddr>,
    /// Its MAC address: as the link shows it, else as the device states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// The MAC address that the link shows at `ip`, and no other one does; absent behind a router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_mac: Option<MacAddr>,
    /// Its name in DNS or mDNS, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The name the operator gave it, cleaned: in the store, else in the device itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is, in the words of the operator; from the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The words the operator finds it by; from the store.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
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
    /// The UUID of its ONVIF endpoint or UPnP device, cleaned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// When the first of its TLS certificates ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_ends: Option<Timestamp>,
    /// How many seconds its clock is ahead of that of the machine that scanned, negative when it is behind; absent where the
    /// clock is right or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_s: Option<i64>,
    /// The methods that saw it, by name.
    pub discovered_by: Vec<Method>,
    /// Whether it answers.
    pub state: DeviceState,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// When it was last analysed in full; absent where that was in this scan. Its streams are proved in every scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysed_at: Option<Timestamp>,
    /// What it speaks, by port and protocol.
    pub services: Vec<Service>,
    /// Its streams, by channel, then by protocol; of one channel the largest picture first.
    pub streams: Vec<Stream>,
    /// A recorder's channels, by number.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub channels: Vec<Channel>,
    /// The channels of recorders that show this camera, by the recorder's address and number.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub shown_by: Vec<ShownBy>,
    /// Refused logins; absent when none was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_attempts: Option<LoginAttempts>,
    /// It offered Digest somewhere, also where no service of this report says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offers_digest: bool,
    /// What was said about it, the decisive word first.
    pub evidence: Vec<Evidence>,
    /// What went wrong, by step.
    pub errors: Vec<StageError>,
    /// Why it is not reached; absent where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// The interface of this machine it was heard on, where it is not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_on: Option<String>,
    /// Whether it was ever set up, by its own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// How it says its network is set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSettings>,
    /// What about it needs somebody's attention, by kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl Device {
    /// The `id` of the device that a stream of this recorder shows, where that is found by itself.
    pub fn camera_of(&self, stream: &Stream) -> Option<&str> {
        let number = stream.channel?;
        self.channels.iter().find(|channel| channel.number == number)?.camera.as_deref()
    }

    /// The streams that no other device of the report has: all but those of the channels whose cameras are listed.
    pub fn own_streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter().filter(|stream| self.camera_of(stream).is_none())
    }

    /// The address of its own page. It is built here and not taken from the device, so that it leads nowhere else.
    pub fn page_url(&self) -> Option<String> {
        let is_page = |service: &&Service| matches!(service.protocol, Protocol::Http | Protocol::Https);
        let service = self.services.iter().find(is_page)?;
        let usual = if service.protocol == Protocol::Http { 80 } else { 443 };
        let port = if service.port == usual { String::new() } else { format!(":{}", service.port) };
        Some(format!("{}://{}{port}/", service.protocol, super::stream::url_host(self.ip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_no_serial_numbers() {
        for text in
            ["", "0", "000000", "1111-1111", "123456", "0123456789", "1234567890", "SerialNumber", "Serial No.", "NULL"]
        {
            assert!(!is_serial(text), "{text}");
        }
        for text in ["ACCC8E01", "DS-2CD2042WD0001", "12345679", "4F0A1", "210235C3EN"] {
            assert!(is_serial(text), "{text}");
        }
    }
}
