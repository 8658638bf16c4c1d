//! The channels of a recorder, and which cameras of the report they show.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::MacAddr;
use super::names::names;

/// A channel of a recorder: what the recorder lists about the camera behind it, and which device of the report that is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Channel {
    /// Its number, from 1: the same as in `streams[].channel`.
    pub number: u32,
    /// The name the recorder gives it, cleaned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The address the recorder takes the picture from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<IpAddr>,
    /// The MAC address the recorder lists for the camera.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mac: Option<MacAddr>,
    /// The serial number the recorder lists for the camera, cleaned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub serial: Option<String>,
    /// The model the recorder lists for the camera, cleaned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    /// Whether the recorder is connected to the camera; absent when it does not state it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub online: Option<bool>,
    /// The `id` of the device of this report that the channel shows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub camera: Option<String>,
    /// What that device was recognised by.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub matched_by: Option<MatchedBy>,
    /// The `id` of the device whose streams have the same parameter sets as this channel's: a hint, since cameras of one
    /// model with the same settings have the same. It is counted as a device of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub possible_camera: Option<String>,
    /// Why no camera is named although something matches, in words for the operator.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

impl Channel {
    /// A channel of which only the number is known.
    pub fn new(number: u32) -> Self {
        Channel { number, ..Channel::default() }
    }

    /// Whether the recorder lists anything by which the camera behind it can be recognised.
    pub fn lists_camera(&self) -> bool {
        self.address.is_some() || self.mac.is_some() || self.serial.is_some()
    }
}

names! {
    /// By what the camera behind a channel was recognised, the strongest first.
    pub enum MatchedBy {
        /// The MAC address the recorder lists.
        Mac = "mac",
        /// The serial number the recorder lists.
        Serial = "serial",
        /// The address the recorder lists.
        Address = "address",
        /// An address, MAC address or serial number in the URL or the profile of the channel's stream.
        Stream = "stream",
    }
}

/// A channel of a recorder that shows a camera.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShownBy {
    /// The recorder's `id`.
    pub recorder: String,
    /// The recorder's address.
    pub ip: IpAddr,
    /// The number of the channel, from 1.
    pub channel: u32,
}
