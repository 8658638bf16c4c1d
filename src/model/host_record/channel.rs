//! What several answers about one channel of a recorder amount to.

use super::list::{Entry, keep_longer};
use super::{Channel, keep_least};

impl Entry for Channel {
    type Key<'k> = u32;

    fn key(&self) -> u32 {
        self.number
    }

    /// Only what a recorder lists is merged: which camera it is, is concluded when all devices are known.
    fn merge(&mut self, other: Self) {
        keep_longer(&mut self.name, other.name);
        if let Some(address) = other.address {
            keep_least(&mut self.address, address);
        }
        if let Some(mac) = other.mac {
            keep_least(&mut self.mac, mac);
        }
        keep_longer(&mut self.serial, other.serial);
        keep_longer(&mut self.model, other.model);
        self.online = self.online.max(other.online);
    }
}
