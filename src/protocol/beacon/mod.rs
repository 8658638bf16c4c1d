//! The makers' own discovery questions. Each asks who is there and changes nothing; a maker joins by a line in [`MAKERS`].
//!
//! The formats are facts from published descriptions and from open tools, which each file names; no code is theirs.

pub mod bosch;
pub mod dahua;
pub mod dahua_v1;
pub mod device;
pub mod discover;
pub mod fields;
pub mod foscam;
pub mod hanwha;
pub mod hikvision;
pub mod panasonic;
pub mod sony;
pub mod ubiquiti;
pub mod vivotek;
pub mod vstarcam;
pub mod xiongmai;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows =
    ProtocolRows { finder: Some(discover::FINDER), listener: Some(discover::LISTENER), ..ProtocolRows::NONE };

use std::net::Ipv4Addr;

use crate::model::{MacAddr, Protocol};
use device::Device;

/// One maker's discovery protocol.
pub struct Maker {
    /// Whose it is.
    pub name: &'static str,
    /// As it stands among the services.
    pub protocol: Protocol,
    /// The UDP port devices listen on.
    pub port: u16,
    /// The multicast group they listen to, besides broadcasts.
    pub group: Option<Ipv4Addr>,
    /// Where devices send answers that do not come back to the port that asked: a port of this machine, or 0 when they
    /// broadcast them to the port that asked.
    pub answers_at: Option<u16>,
    /// The question.
    pub ask: fn(&Asker) -> Vec<u8>,
    /// Reads an answer; none for anything else, the question itself included.
    pub read: fn(&[u8]) -> Option<Device>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    /// The address the question is sent from.
    pub ip: Ipv4Addr,
    /// The MAC address it is sent from, where known.
    pub mac: Option<MacAddr>,
    /// Fresh random bits, for protocols with transaction numbers.
    pub nonce: u128,
}

/// All makers asked. An answer is read by the first of them that knows its format.
pub const MAKERS: &[&Maker] = &[
    &hikvision::MAKER,
    &dahua::MAKER,
    &dahua_v1::MAKER,
    &xiongmai::MAKER,
    &ubiquiti::MAKER,
    &vivotek::MAKER,
    &foscam::MAKER,
    &hanwha::MAKER,
    &bosch::MAKER,
    &sony::MAKER,
    &panasonic::MAKER,
    &vstarcam::MAKER,
];

/// Whose answer a datagram is, and what it says.
pub fn read(datagram: &[u8]) -> Option<(&'static Maker, Device)> {
    MAKERS.iter().find_map(|maker| Some((*maker, (maker.read)(datagram)?)))
}
