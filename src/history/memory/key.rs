//! What a device is recognised by, wherever it is.

use serde::{Deserialize, Serialize};

use crate::model::names::names;

names! {
    /// A kind of identity that goes with the device.
    pub enum KeyKind {
        /// A MAC address, `44:19:b6:00:00:01`.
        Mac = "mac",
        /// The UUID of an ONVIF endpoint.
        Onvif = "onvif",
        /// Maker and serial number, `axis/ACCC8E01`.
        Serial = "serial",
    }
}

/// An identity of a device. One device can have several of a kind: a second network card, a repaired main board.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceKey {
    /// Of which kind.
    pub kind: KeyKind,
    /// Which, in lower case.
    pub value: String,
}
