//! Why a scan could not be made, as data: who shows it in another language than English words it there.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::target::limits::{MOST_ADDRESSES, UnfitTargets};

/// Why a scan could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum NotScanned {
    /// A name has no address.
    Unresolved {
        /// The name.
        name: String,
        /// What the resolver said.
        why: String,
    },
    /// A network or range where one device is asked for.
    SeveralDevices {
        /// As it was written.
        target: String,
    },
    /// No interface has a subnet.
    NoSubnet,
    /// Only subnets too large to be scanned unasked.
    LargeSubnet {
        /// The first of them.
        subnet: String,
    },
    /// An interface that was named does not exist or is down.
    NoInterface {
        /// Its name.
        name: String,
    },
    /// The excludes leave nothing.
    NothingLeft,
    /// An IPv6 network that is too large to be spelled out.
    LargeIpv6 {
        /// It.
        network: String,
    },
    /// Two targets have addresses in common.
    Overlap {
        /// As they were written.
        targets: [String; 2],
    },
    /// More addresses than one scan looks at.
    TooManyAddresses {
        /// How many.
        count: u64,
    },
    /// Too many scans wait.
    TooManyWait,
    /// The store cannot be read.
    StoreUnread,
    /// What was found cannot be stored.
    NotStored,
    /// Something of camscan's own broke.
    Internal,
}

impl From<UnfitTargets> for NotScanned {
    fn from(unfit: UnfitTargets) -> Self {
        match unfit {
            UnfitTargets::LargeIpv6(network) => NotScanned::LargeIpv6 { network: network.to_string() },
            UnfitTargets::Overlap(one, other) => NotScanned::Overlap { targets: [one, other].map(|t| t.to_string()) },
            UnfitTargets::TooMany(count) => NotScanned::TooManyAddresses { count },
            UnfitTargets::NothingLeft => NotScanned::NothingLeft,
        }
    }
}

impl fmt::Display for NotScanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotScanned::Unresolved { name, why } => write!(f, "the host name '{name}' cannot be resolved: {why}"),
            NotScanned::SeveralDevices { target } => write!(f, "'{target}' is more than one device"),
            NotScanned::NoSubnet => {
                f.write_str("no network interface with a subnet is up, so there is nothing to scan")
            }
            NotScanned::LargeSubnet { subnet } => write!(
                f,
                "the subnet {subnet} of this machine has more than 4,096 addresses and is only scanned when asked for"
            ),
            NotScanned::NoInterface { name } => write!(f, "there is no interface '{name}' that is up"),
            NotScanned::NothingLeft => f.write_str("the excludes leave no address to scan"),
            NotScanned::LargeIpv6 { network } => {
                write!(f, "the IPv6 network {network} has too many addresses to scan one by one")
            }
            NotScanned::Overlap { targets: [one, other] } => write!(f, "the targets {one} and {other} overlap"),
            NotScanned::TooManyAddresses { count } => {
                write!(f, "the targets hold {count} addresses, more than the {MOST_ADDRESSES} of one scan")
            }
            NotScanned::TooManyWait => f.write_str("too many scans wait"),
            NotScanned::StoreUnread => f.write_str("the store cannot be read"),
            NotScanned::NotStored => f.write_str("what it found cannot be stored"),
            NotScanned::Internal => f.write_str("internal error in camscan"),
        }
    }
}
