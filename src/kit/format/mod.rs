//! What a kit is: a tar of JSON files. `kit.json` says what it is of and what was replaced; `tcp/PORT.json` holds what was
//! asked on a port and what the device answered, `udp/PORT.json` the same of datagrams.

mod archive;
mod blob;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use archive::{MAX_ARCHIVE, ReadError, read, write};
pub use blob::{Blob, FILL};

use crate::model::names::names;
pub use crate::model::recording::Private;

/// The name and version of the format.
pub const FORMAT: &str = "camscan-kit/1";

/// The user and the password that a replay lets in.
pub const LOGIN: (&str, &str) = ("kit", "kit");

/// A device's conversations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kit {
    /// What it is of.
    pub manifest: Manifest,
    /// The TCP ports that were open, by number.
    pub tcp: Vec<TcpPort>,
    /// The UDP ports that were asked and answered, by number.
    pub udp: Vec<UdpPort>,
}

/// `kit.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The program's version.
    pub camscan_version: String,
    /// The device's address, as it stands in the conversations.
    pub device: Option<IpAddr>,
    /// Whether the device took a login; a replay then takes [`LOGIN`].
    #[serde(default)]
    pub login: bool,
    /// What was replaced.
    #[serde(default)]
    pub replaced: Vec<Replaced>,
    /// What was to be kept as it is.
    #[serde(default)]
    pub kept: Vec<Private>,
    /// What is missing, in words.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What was replaced of a kind; never what stood there before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replaced {
    /// The kind.
    pub kind: Private,
    /// In how many places.
    pub places: u64,
    /// What stands there now.
    pub substitutes: Vec<String>,
}

/// `tcp/PORT.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TcpPort {
    /// The number.
    pub port: u16,
    /// The certificate, where TLS is spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Certificate>,
    /// Whether the device ends connections on which something else than RTSP, HTTP or RTMP was said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closes: bool,
    /// What was asked and answered, in order.
    #[serde(default)]
    pub exchanges: Vec<Exchange>,
    /// What was asked and answered in other protocols, each question without a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
}

/// What a certificate states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The subject's names, as `CN=…, O=…`.
    #[serde(default)]
    pub subject: String,
    /// The names it is for.
    #[serde(default)]
    pub names: Vec<String>,
    /// Seconds since 1970 when it ends.
    #[serde(default)]
    pub not_after: i64,
}

names! {
    /// The protocols whose conversations are read.
    pub enum Spoken {
        /// RTSP.
        Rtsp = "rtsp",
        /// HTTP, and what is built on it.
        Http = "http",
        /// RTMP: `handshake`, then the commands, with an application and a stream as their target.
        Rtmp = "rtmp",
    }
}

names! {
    /// How a request was sent in.
    pub enum Proof {
        /// `Authorization: Basic`.
        Basic = "basic",
        /// `Authorization: Digest`.
        Digest = "digest",
        /// A WS-Security header within the body.
        Wsse = "wsse",
    }
}

names! {
    /// How far a WebRTC session came for which an offer was answered.
    pub enum Session {
        /// Nothing came of it.
        Silent = "silent",
        /// The device and the scanner did not agree on a certificate.
        Refused = "refused",
        /// It stood.
        Connected = "connected",
    }
}

/// A request and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The request.
    pub ask: Ask,
    /// The answer; none where the device said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// The WebRTC session that the answer agreed on, where it was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// The packets of the streams that began to play; of a WebRTC session as they were before they were encrypted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Frame>,
    /// The messages of RTMP that came of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// Whether the device ended the connection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closes: bool,
}

impl Exchange {
    /// A request to which nothing was said so far.
    pub fn of(ask: Ask) -> Exchange {
        Exchange { ask, answer: None, session: None, media: Vec::new(), messages: Vec::new(), closes: false }
    }
}

/// A request, without who asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The protocol.
    pub protocol: Spoken,
    /// The method.
    pub method: String,
    /// The request's target without scheme, host and port.
    pub target: String,
    /// The login it was sent with, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Proof>,
    /// The transport of a SETUP, as asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// The body, without its login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Blob>,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// How long after the request, in milliseconds.
    pub after_ms: u64,
    /// Seconds since 1970 when it came, so that a replay can set its clock by it.
    #[serde(default)]
    pub at: i64,
    /// The status line and the headers, with the empty line at their end.
    pub head: Blob,
    /// The body, in the pieces it came in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<Timed>,
    /// Whether the body was still coming when nobody listened any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goes_on: bool,
}

/// Bytes and their time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// How long after the answer began, in milliseconds.
    pub after_ms: u64,
    /// The bytes.
    pub bytes: Blob,
}

/// A packet of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// How long after the answer to PLAY, in milliseconds; in a WebRTC session, after it stood.
    pub after_ms: u64,
    /// Which SETUP of the session it belongs to, from 0; in a WebRTC session 0 is the picture and 1 the sound.
    pub track: usize,
    /// Whether it is RTCP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rtcp: bool,
    /// The packet.
    pub bytes: Blob,
}

/// A message of RTMP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// How long after the command, in milliseconds.
    pub after_ms: u64,
    /// Its type, by number.
    pub kind: u8,
    /// The message stream it belongs to.
    #[serde(default, skip_serializing_if = "is_none")]
    pub stream: u32,
    /// Its own time, in milliseconds.
    #[serde(default, skip_serializing_if = "is_none")]
    pub timestamp_ms: u32,
    /// What it holds.
    pub bytes: Blob,
}

fn is_none(number: &u32) -> bool {
    *number == 0
}

/// `udp/PORT.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UdpPort {
    /// The number.
    pub port: u16,
    /// What was asked and answered, in order.
    pub questions: Vec<Question>,
}

/// A datagram, or what was said on a connection before the device spoke, and the answers to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What was asked.
    pub ask: Blob,
    /// What came back.
    pub answers: Vec<Timed>,
}
