//! The rights the process was started with (capabilities(7)): what needs them is opened first, then they are given up,
//! before the first byte of the network is read. All by safe calls.

use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::process::geteuid;
use rustix::thread::{self, CapabilitySet, CapabilitySets};
use socket2::Socket;

use super::packet;

/// Writing where root may: into folders of others, and files that keep their owner and mode when they are replaced.
const FILES: CapabilitySet = CapabilitySet::CHOWN.union(CapabilitySet::DAC_OVERRIDE).union(CapabilitySet::FOWNER);

/// Gives up for good every right of this thread and of all it starts from now on. The right to write where root may
/// stays in reserve if `keep_files`, for [`with_file_rights`].
///
/// # Errors
/// When the system refuses.
pub(in crate::net) fn give_up(keep_files: bool) -> io::Result<()> {
    let none = CapabilitySet::empty();
    keep(if keep_files { FILES } else { none }, none)
}

/// Gives up for good every right but one, which stays in force.
///
/// # Errors
/// When the system refuses.
pub(super) fn give_up_all_but(right: CapabilitySet) -> io::Result<()> {
    keep(right, right)
}

/// Whether a right is in force.
pub(super) fn has(right: CapabilitySet) -> bool {
    thread::capabilities(None).is_ok_and(|had| had.effective.contains(right))
}

/// Keeps of the rights there are those in `reserve`, and has those in force that are in `force` too.
fn keep(reserve: CapabilitySet, force: CapabilitySet) -> io::Result<()> {
    let had = thread::capabilities(None)?;
    if geteuid().is_root() {
        // Else root's own programs would have it all back.
        for number in 0..u64::BITS {
            let right = CapabilitySet::from_bits_retain(1 << number);
            if matches!(thread::capability_is_in_bounding_set(right), Ok(true)) {
                // Needs CAP_SETPCAP, which a container may have taken away; the next line holds without.
                let _ = thread::remove_capability_from_bounding_set(right);
            }
        }
        thread::set_no_new_privs(true)?;
    }
    // Kernels before 4.3 have none.
    let _ = thread::clear_ambient_capability_set();
    let permitted = had.permitted & reserve;
    let kept = CapabilitySets { effective: permitted & force, permitted, inheritable: CapabilitySet::empty() };
    thread::set_capabilities(None, kept)?;
    Ok(())
}

/// Does something with the right to write where root may, if it was kept: this thread, and for so long.
pub(in crate::net) fn with_file_rights<T>(work: impl FnOnce() -> T) -> T {
    struct Lowered(CapabilitySets);
    impl Drop for Lowered {
        fn drop(&mut self) {
            // Less than there is can always be set.
            let _ = thread::set_capabilities(None, self.0);
        }
    }
    let _lowered = thread::capabilities(None).ok().map(|had| {
        let raised = had.effective | (had.permitted & FILES);
        let _ = thread::set_capabilities(None, CapabilitySets { effective: raised, ..had });
        Lowered(had)
    });
    work()
}

/// Sockets that take a right to open, opened while it was there.
#[derive(Default)]
pub(in crate::net) struct Reserve {
    links: Mutex<Vec<Socket>>,
    icmp: Mutex<Vec<(bool, Socket)>>,
}

impl Reserve {
    /// So many for raw frames, and ICMP by `icmp`, as far as the system lets us.
    pub(in crate::net) fn open(links: usize, icmp: impl Fn(bool) -> io::Result<Socket>) -> Reserve {
        let links = (0..links).map_while(|_| packet::raw_socket().ok()).collect();
        let icmp = [false, true].into_iter().filter_map(|v6| Some((v6, icmp(v6).ok()?))).collect();
        Reserve { links: Mutex::new(links), icmp: Mutex::new(icmp) }
    }

    /// A socket for raw frames that nothing has come to yet; without one in reserve, a new one.
    pub(in crate::net) fn link(&self) -> io::Result<Socket> {
        let kept = self.links.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.map_or_else(packet::raw_socket, Ok)
    }

    /// The socket for ICMP, if it is still in reserve.
    pub(in crate::net) fn icmp(&self, v6: bool) -> Option<Socket> {
        let mut kept = self.icmp.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(kept_v6, _)| *kept_v6 == v6)?;
        Some(kept.swap_remove(at).1)
    }
}
