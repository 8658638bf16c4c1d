//! The maker a MAC address's prefix was assigned to.

use crate::model::MacAddr;

/// The registered name for the longest prefix of `mac`; none for addresses assigned locally.
pub fn organisation(_mac: MacAddr) -> Option<&'static str> {
    None
}
