//! What the silence of a device is worth: whether this machine could have heard it.

use std::collections::BTreeMap;

use ipnetwork::IpNetwork;

use crate::model::memory::Around;

/// What this machine can see of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vantage {
    /// Something else of the network answers, or nothing else is known to be there: a device that does not answer is gone.
    Clear(Around),
    /// The link is up, and nothing of the network answers that did before: silence says nothing of a single device, and much
    /// of the network.
    Silent(Around),
    /// This machine has no link, or no route: silence says nothing.
    Blind,
}

impl Vantage {
    /// Something else answers; what, is not said.
    pub const CLEAR: Vantage = Vantage::Clear(Around::NOTHING);

    /// What else of the network was asked.
    pub(super) fn around(self) -> Around {
        match self {
            Vantage::Clear(around) | Vantage::Silent(around) => around,
            Vantage::Blind => Around::NOTHING,
        }
    }
}

/// What this machine can see of each network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    networks: BTreeMap<IpNetwork, Vantage>,
    rest: Vantage,
}

impl Sight {
    /// All networks are seen.
    pub const CLEAR: Sight = Sight { networks: BTreeMap::new(), rest: Vantage::CLEAR };

    /// Of these networks so much can be seen; the others are seen.
    pub fn new(networks: BTreeMap<IpNetwork, Vantage>) -> Sight {
        Sight { networks, ..Sight::CLEAR }
    }

    /// What can be seen of a network.
    pub fn of(&self, network: Option<IpNetwork>) -> Vantage {
        network.and_then(|network| self.networks.get(&network)).copied().unwrap_or(self.rest)
    }
}

/// The same of all networks.
impl From<Vantage> for Sight {
    fn from(rest: Vantage) -> Sight {
        Sight { networks: BTreeMap::new(), rest }
    }
}
