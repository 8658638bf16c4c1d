//! A device as it is remembered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::health::{DeviceHealth, StreamHealth};
use super::key::DeviceKey;
use crate::model::memory::{Note, Uid};
use crate::model::{Device, Stream};

/// When something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// First.
    pub first: Timestamp,
    /// Last.
    pub last: Timestamp,
}

/// A device as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What it is called for ever.
    pub uid: Uid,
    /// It as it was last seen.
    pub device: Device,
    /// What it is recognised by, and when it was seen with it.
    pub keys: BTreeMap<DeviceKey, Seen>,
    /// When it was seen.
    pub seen: Seen,
    /// Since when it has been at its address.
    pub address_since: Timestamp,
    /// It is recognised by its address alone.
    pub by_address_only: bool,
    /// Whether it answers.
    pub health: DeviceHealth,
    /// Its streams, by [`stream_key`].
    pub streams: BTreeMap<String, KnownStream>,
    /// What the user said about it.
    pub note: Note,
    /// Since when it is no longer listed.
    pub archived_at: Option<Timestamp>,
    /// The device it turned out to be.
    pub merged_into: Option<Uid>,
}

/// A stream as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownStream {
    /// It as it was last looked at.
    pub stream: Stream,
    /// Whether it works.
    pub health: StreamHealth,
    /// When it was first there, and when it was last.
    pub seen: Seen,
    /// When frames of it last arrived.
    pub last_ok: Option<Timestamp>,
    /// Since when the device has it no longer.
    pub gone_at: Option<Timestamp>,
}

/// What a stream is known by: protocol, port and path, without login and host, so that it stays what it is when the device
/// moves.
pub fn stream_key(stream: &Stream) -> String {
    let rest = stream.url.split_once("://").map_or(stream.url.as_str(), |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    // The colons of an IPv6 address stand in brackets.
    let port = host.rsplit(']').next().and_then(|after| after.rsplit_once(':')).map_or("", |(_, port)| port);
    format!("{}:{port}{target}", stream.protocol)
}
