//! What differs from one operating system to the next, behind the same few functions.

mod descriptors;
#[cfg(feature = "serve")]
mod handed;
mod limits;
#[cfg(target_os = "linux")]
mod linux;
mod memory;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(feature = "serve")]
pub(super) use handed::{handed_over, is_listener};
pub(super) use limits::outlast;
#[cfg(target_os = "linux")]
pub(super) use linux::{Borrowed, Helper, Reserve, give_up, with_file_rights};
#[cfg(target_os = "linux")]
pub(super) use linux::{
    link_on, neighbours, nudge, open_link, receive_own_groups_only, receive_refusals, routes, sender_check,
    set_multicast_interface_v4,
};
pub(super) use memory::give_back as give_back_memory;
#[cfg(not(target_os = "linux"))]
pub(super) use other::{Borrowed, Helper, Reserve, give_up, with_file_rights};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{
    link_on, neighbours, nudge, open_link, receive_own_groups_only, receive_refusals, routes, sender_check,
    set_multicast_interface_v4,
};

use crate::model::MacAddr;

/// How many connections a scan may have open at once: what the system allows, less what files, logs and discovery need.
pub(super) fn connection_limit() -> usize {
    let descriptors = usize::try_from(descriptors::raise()).unwrap_or(256);
    descriptors.saturating_sub(48).clamp(4, 4096)
}

/// What an interface's addresses do not tell.
pub(super) struct Hardware {
    /// The interface's name.
    pub name: String,
    /// Its MAC address, where it has one.
    pub mac: Option<MacAddr>,
    /// Whether it is up and has a carrier.
    pub up: bool,
}

/// The hardware side of all interfaces.
#[cfg(unix)]
pub(super) fn hardware() -> Vec<Hardware> {
    pnet::datalink::interfaces()
        .into_iter()
        .map(|i| Hardware {
            mac: i.mac.map(|m| MacAddr(m.octets())).filter(|m| m.is_station()),
            up: i.is_up() && i.is_running(),
            name: i.name,
        })
        .collect()
}

/// The hardware side of all interfaces: unknown here.
#[cfg(not(unix))]
pub(super) fn hardware() -> Vec<Hardware> {
    Vec::new()
}
