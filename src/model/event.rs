//! What the registry tells those who watch a scan.

use std::net::IpAddr;

use super::{Device, Method};

/// A change worth showing.
#[derive(Debug, Clone, PartialEq)]
pub enum ScanEvent {
    /// Sweeping began: so many addresses are to be asked.
    SweepStarted {
        /// How many addresses the targets hold.
        addresses: u64,
    },
    /// So many of the addresses have been asked.
    Swept {
        /// How many so far.
        addresses: u64,
    },
    /// An address answered for the first time.
    HostUp {
        /// The address.
        ip: IpAddr,
        /// What saw it.
        method: Method,
    },
    /// The host's inspection began.
    HostStarted {
        /// The address.
        ip: IpAddr,
    },
    /// The host's inspection ended.
    HostDone {
        /// The address.
        ip: IpAddr,
    },
    /// All is known about a device with video.
    DeviceDone(Box<Device>),
    /// Something the operator should know, in one sentence.
    Warning(String),
}
