//! The conversations of a scan with one device, byte by byte and with their times: what a replay kit is made of. It holds
//! what the device and the user would not tell others, and never leaves the process as it is.

use std::net::SocketAddr;
use std::time::Duration;

use super::names::names;

/// Everything that was said to and by a device. Times count from the beginning of the recording.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// The attempts to connect, in the order in which they ended.
    pub connections: Vec<Connected>,
    /// The datagrams, in the order in which they were sent and received.
    pub datagrams: Vec<Packet>,
    /// The WebRTC sessions that an answer agreed on, in order.
    pub sessions: Vec<Session>,
    /// Whether more was said than is kept.
    pub is_cut: bool,
}

/// An attempt to connect and what became of it.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The endpoint.
    pub to: SocketAddr,
    /// What became of the attempt.
    pub outcome: Outcome,
    /// What was said by each side. On TLS these are the bytes within it.
    pub parts: Vec<Part>,
    /// When the connection was open.
    pub opened: Duration,
    /// When it ended, and which side ended it.
    pub closed: Option<(Duration, Side)>,
    /// The handshake for TLS, where there was one.
    pub tls: Option<Handshake>,
}

/// What becomes of an attempt to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The port is open.
    Open,
    /// It is closed.
    Refused,
    /// Nothing came back.
    Silent,
}

/// A handshake for TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handshake {
    /// Whether it succeeded.
    pub is_done: bool,
    /// The certificate's subject, as sent.
    pub subject: Option<String>,
    /// The names the certificate is for, as sent.
    pub names: Vec<String>,
    /// Seconds since 1970 when the certificate ends.
    pub not_after: Option<i64>,
}

/// Who said or did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This program.
    Scanner,
    /// The device.
    Device,
}

/// Bytes of a connection that were read or written together.
#[derive(Debug, Clone)]
pub struct Part {
    /// When.
    pub at: Duration,
    /// Which side sent them.
    pub from: Side,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A datagram.
#[derive(Debug, Clone)]
pub struct Packet {
    /// When.
    pub at: Duration,
    /// Which side sent it.
    pub from: Side,
    /// The scanner's port.
    pub local_port: u16,
    /// The device's endpoint.
    pub peer: SocketAddr,
    /// What was in it.
    pub bytes: Vec<u8>,
}

/// What came of a WebRTC session, with its encryption taken off: nobody else can do that, and what was sent is of no use to
/// anybody as it was sent.
#[derive(Debug, Clone)]
pub struct Session {
    /// The offer it was asked for with, whole.
    pub offer: String,
    /// The scanner's port.
    pub local_port: u16,
    /// When it stood.
    pub connected: Option<Duration>,
    /// Whether its handshake broke, as it does at a device with an RSA certificate.
    pub broke: bool,
    /// What came.
    pub packets: Vec<Decrypted>,
}

/// An RTP packet of a session.
#[derive(Debug, Clone)]
pub struct Decrypted {
    /// When it came.
    pub at: Duration,
    /// Whether it carries sound, and not a picture.
    pub is_sound: bool,
    /// Its extended sequence number.
    pub sequence: u64,
    /// The packet, with the shortest header.
    pub bytes: Vec<u8>,
}

names! {
    /// What of a recording is nobody else's business, and is replaced in a kit.
    pub enum Private {
        /// Addresses of hosts, by addresses that are kept for documentation (RFC 5737, RFC 3849).
        Address = "address",
        /// MAC addresses; the maker's prefix stays.
        Mac = "mac",
        /// Serial numbers and other numbers of one device.
        Serial = "serial",
        /// UUIDs.
        Uuid = "uuid",
        /// What people called the device, its places, users and streams.
        Name = "name",
        /// Realms of logins that are no signature of a maker.
        Realm = "realm",
        /// Where on earth the device is.
        Position = "position",
        /// Nonces, session numbers, cookies, keys and tokens.
        Token = "token",
    }
}
