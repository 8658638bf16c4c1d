//! What discovery, detectors and analysis find: one observation about one address. Findings can be stored and sent; they hold
//! no credentials.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Activation, Channel, Evidence, LoginAttempts, MacAddr, Method, NetworkSettings, Service, StageError, Stream,
};

/// One observation. As JSON it is `{"ip": "192.0.2.1", "finding": "refuses", "data": 80}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The address that answered.
    pub ip: IpAddr,
    /// Which of the hosts at that address told it, where it gave a MAC address with it or the link showed one. It tells
    /// apart those that share an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimant: Option<MacAddr>,
    /// What was observed.
    #[serde(flatten)]
    pub kind: FindingKind,
}

impl Finding {
    /// An observation about `ip`.
    pub fn new(ip: IpAddr, kind: FindingKind) -> Self {
        Finding { ip, claimant: None, kind }
    }

    /// The same, stated by the host with this MAC address.
    pub fn by(self, claimant: Option<MacAddr>) -> Self {
        Finding { claimant, ..self }
    }
}

/// What was observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "finding", content = "data", rename_all = "snake_case")]
pub enum FindingKind {
    /// The address answered to a discovery method.
    Seen(Method),
    /// The link-layer address it answers from, as the link itself shows it (ARP, the neighbour table).
    Mac(MacAddr),
    /// A link-layer address the device states as its own, in an answer of any protocol; it can state what it likes.
    StatedMac(MacAddr),
    /// An identity the device states itself: an ONVIF endpoint's or UPnP device's UUID, lower case, without `urn:uuid:`.
    EndpointId(String),
    /// A further address of the same device, as the device states it.
    Address(IpAddr),
    /// How the device says its network is set up.
    Network(NetworkSettings),
    /// Whether the device was ever set up, by its own word.
    Activation(Activation),
    /// The interface of this machine on which a device was heard that is in another subnet.
    HeardOn(String),
    /// How many seconds the device's clock is ahead of this machine's; negative when it is behind.
    Clock(i64),
    /// When a TLS certificate of the device ends, or ended.
    CertificateEnd(Timestamp),
    /// A service was spoken to, or more became known about it; merged by port, transport and protocol.
    Service(Service),
    /// A service that somebody announced and nobody has spoken to yet. What the service answers itself counts before it.
    Announced(Service),
    /// A TCP port refuses connections, or greets in another protocol: what was announced to be there is not.
    Refuses(u16),
    /// What one source states about a fact.
    Evidence(Evidence),
    /// A stream address the device announced, to be analysed first; no fact of the report by itself.
    StreamHint(StreamHint),
    /// A stream was analysed; merged by URL.
    Stream(Box<Stream>),
    /// A recorder lists a channel; merged by number.
    Channel(Box<Channel>),
    /// It was not analysed in this scan but at this time: nothing had changed, and only its streams were proved again.
    AnalysedAt(Timestamp),
    /// Logins used so far.
    LoginAttempts(LoginAttempts),
    /// It offered Digest in this scan, over whichever protocol.
    OffersDigest,
    /// Something went wrong.
    Error(StageError),
    /// Nothing more will be found out about this address in this scan.
    Done,
}

/// A stream address a device announced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamHint {
    /// The URL, host replaced by the address that answered, userinfo removed.
    pub url: String,
    /// The recorder's channel, from 1.
    pub channel: Option<u32>,
    /// The profile's name, cleaned.
    pub profile_name: Option<String>,
    /// The profile's token, cleaned.
    pub profile_token: Option<String>,
    /// Where to fetch a still picture, likewise cleaned of host and userinfo.
    pub snapshot_url: Option<String>,
    /// What the device declares about the picture.
    pub video: Option<super::Video>,
    /// What the device declares about the sound.
    pub audio: Option<super::Audio>,
    /// Whether the user named it: then it is what is looked at, and no other stream of the device.
    pub is_asked_for: bool,
}

impl StreamHint {
    /// An address of which nothing else is known.
    pub fn new(url: impl Into<String>) -> Self {
        StreamHint {
            url: url.into(),
            channel: None,
            profile_name: None,
            profile_token: None,
            snapshot_url: None,
            video: None,
            audio: None,
            is_asked_for: false,
        }
    }
}
