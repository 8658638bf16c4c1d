//! What a device is recognised by, wherever it is.

use serde::{Deserialize, Serialize};

use super::Rule;
use crate::model::Device;
use crate::model::device::is_serial;
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

/// An identity of a device. One device can have several of a kind: a second network card, a repaired main board. In writing
/// it is `mac:44:19:b6:00:00:01`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceKey {
    /// Of which kind.
    pub kind: KeyKind,
    /// Which, in lower case.
    pub value: String,
}

impl DeviceKey {
    /// An identity of this kind.
    pub fn new(kind: KeyKind, value: impl AsRef<str>) -> Self {
        DeviceKey { kind, value: value.as_ref().to_lowercase() }
    }

    /// The serial number of a key of that kind, without the maker.
    pub(super) fn serial(&self) -> Option<&str> {
        let is_serial = self.kind == KeyKind::Serial;
        self.value.split_once('/').filter(|_| is_serial).map(|(_, serial)| serial)
    }
}

impl From<DeviceKey> for String {
    fn from(key: DeviceKey) -> String {
        format!("{}:{}", key.kind, key.value)
    }
}

/// A text that is no identity of a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no identity of a device")]
pub struct NoDeviceKey(String);

impl TryFrom<String> for DeviceKey {
    type Error = NoDeviceKey;

    fn try_from(text: String) -> Result<Self, NoDeviceKey> {
        let (kind, value) = text.split_once(':').unwrap_or_default();
        match KeyKind::from_name(kind) {
            Some(kind) => Ok(DeviceKey::new(kind, value)),
            None => Err(NoDeviceKey(text)),
        }
    }
}

/// The identities a device states. MAC addresses that were assigned locally change at will, and placeholders in the place of
/// serial numbers are on many devices: they are none.
pub fn keys_of(device: &Device) -> Vec<DeviceKey> {
    let mac = device.mac.filter(|mac| mac.is_station() && !(mac.is_local() && Rule::LocalMac.holds()));
    let endpoint = device.endpoint.as_deref().or_else(|| device.id.strip_prefix("onvif:"));
    let serial = device.serial.as_deref().filter(|serial| is_serial(serial) || !Rule::Placeholder.holds());
    let serial = serial.map(|serial| format!("{}/{serial}", device.vendor.as_deref().unwrap_or_default()));
    let keys = [
        mac.map(|mac| DeviceKey::new(KeyKind::Mac, mac.to_string())),
        endpoint.map(|endpoint| DeviceKey::new(KeyKind::Onvif, endpoint)),
        serial.map(|serial| DeviceKey::new(KeyKind::Serial, serial)),
    ];
    keys.into_iter().flatten().collect()
}
