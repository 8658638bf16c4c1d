//! The rights the process was started with (capabilities(7)): what needs them is opened first, then they are given up,
//! before the first byte of the network is read. All by safe calls.

use std::io;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};

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

/// Gives up for good every right but these. Those of them that are in force stay so.
///
/// # Errors
/// When the system refuses.
pub(super) fn give_up_all_but(rights: CapabilitySet) -> io::Result<()> {
    keep(rights, rights)
}

/// Which of these rights are in force.
pub(super) fn in_force(rights: CapabilitySet) -> CapabilitySet {
    thread::capabilities(None).map_or(CapabilitySet::empty(), |had| had.effective & rights)
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
    icmp: Arc<Mutex<Vec<(bool, Socket)>>>,
}

impl Reserve {
    /// So many for raw frames, and for ICMP by `icmp` so many of each IP version, as far as the system lets us.
    pub(in crate::net) fn open(links: usize, icmp_each: usize, icmp: impl Fn(bool) -> io::Result<Socket>) -> Reserve {
        let links = (0..links).map_while(|_| packet::raw_socket().ok()).collect();
        let versions = [false, true].into_iter().flat_map(|v6| std::iter::repeat_n(v6, icmp_each));
        let icmp = versions.filter_map(|v6| Some((v6, icmp(v6).ok()?))).collect();
        Reserve { links: Mutex::new(links), icmp: Arc::new(Mutex::new(icmp)) }
    }

    /// A socket for raw frames that nothing has come to yet; without one in reserve, a new one.
    pub(in crate::net) fn link(&self) -> io::Result<Socket> {
        let kept = self.links.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.map_or_else(packet::raw_socket, Ok)
    }

    /// A socket for ICMP with nothing in its queue, if one is in reserve. It is nobody else's until it is dropped.
    pub(in crate::net) fn icmp(&self, v6: bool) -> Option<Borrowed> {
        let mut kept = self.icmp.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(kept_v6, _)| *kept_v6 == v6)?;
        let borrowed = Borrowed { kept: Some(kept.swap_remove(at)), reserve: self.icmp.clone() };
        borrowed.discard_received();
        Some(borrowed)
    }
}

/// A socket of the reserve, which goes back when this is dropped.
pub(in crate::net) struct Borrowed {
    kept: Option<(bool, Socket)>,
    reserve: Arc<Mutex<Vec<(bool, Socket)>>>,
}

impl Borrowed {
    /// Another descriptor of the socket.
    ///
    /// # Errors
    /// When there are too many open files.
    pub(in crate::net) fn socket(&self) -> io::Result<Socket> {
        self.kept.as_ref().ok_or(io::ErrorKind::NotFound)?.1.try_clone()
    }

    /// What came while it was in reserve answers nobody.
    fn discard_received(&self) {
        /// More than its buffer holds of the smallest datagrams, so that a flood cannot keep this going.
        const MOST: usize = 1 << 16;
        let Some((_, socket)) = &self.kept else { return };
        let is_empty = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        let mut byte = [MaybeUninit::uninit(); 1];
        for _ in 0..MOST {
            // An error of an earlier datagram (unreachable, for one) is reported in between.
            if socket.recv(&mut byte).is_err_and(is_empty) {
                break;
            }
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.reserve.lock().unwrap_or_else(PoisonError::into_inner).extend(self.kept.take());
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use socket2::{Domain, Type};

    use super::*;

    /// A socket that receives what it sends, in the place of one for ICMP.
    #[expect(clippy::disallowed_methods, reason = "a socket that takes no right to open")]
    fn to_itself(_v6: bool) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.connect(&socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    #[test]
    fn a_borrowed_socket_is_one_scans_alone_and_goes_back_without_what_it_received() {
        let reserve = Reserve::open(0, 1, to_itself);
        for _scan in 0..3 {
            let borrowed = reserve.icmp(false).unwrap();
            assert!(reserve.icmp(false).is_none(), "two scans would take each other's answers");
            let socket = borrowed.socket().unwrap();
            let mut answer = [MaybeUninit::uninit(); 8];
            assert!(socket.recv(&mut answer).is_err(), "an answer to an earlier scan");
            socket.send(b"one").unwrap();
            assert_eq!(socket.recv(&mut answer).unwrap(), 3);
            for _ in 0..5 {
                socket.send(b"late").unwrap();
            }
        }
        assert!(reserve.icmp(true).is_some());
    }
}
