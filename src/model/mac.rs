//! A 48-bit MAC address (IEEE 802), printed lower-case with colons.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 48-bit MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: MacAddr = MacAddr([0xff; 6]);

    /// Whether the address can belong to one station: not zero, not broadcast, not a group address.
    pub fn is_station(self) -> bool {
        self.0 != [0; 6] && self.0[0] & 1 == 0
    }

    /// Whether the address was assigned locally (random or virtual), so that its prefix names no maker.
    pub fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was read is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a MAC address")]
pub struct NotAMac(String);

impl FromStr for MacAddr {
    type Err = NotAMac;

    /// Reads `44:19:b6:00:00:01`, `44-19-B6-00-00-01`, `4419.b600.0001` and `4419b6000001`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || NotAMac(text.chars().take(32).collect());
        let mut mac = [0u8; 6];
        let mut digits = 0usize;
        for c in text.trim().chars() {
            match c.to_digit(16) {
                Some(d) => {
                    let byte = mac.get_mut(digits / 2).ok_or_else(bad)?;
                    *byte = (*byte << 4) | d as u8;
                    digits += 1;
                }
                None if matches!(c, ':' | '-' | '.') => {}
                None => return Err(bad()),
            }
        }
        if digits == 12 { Ok(MacAddr(mac)) } else { Err(bad()) }
    }
}

impl Serialize for MacAddr {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddr {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for MacAddr {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MacAddr".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^([0-9a-f]{2}:){5}[0-9a-f]{2}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_common_spelling() {
        for text in ["44:19:b6:00:00:01", "44-19-B6-00-00-01", "4419.b600.0001", "4419B6000001"] {
            assert_eq!(text.parse::<MacAddr>().map(|m| m.to_string()), Ok("44:19:b6:00:00:01".into()), "{text}");
        }
        for text in ["", "44:19:b6:00:00", "44:19:b6:00:00:01:02", "hello"] {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
    }
}
