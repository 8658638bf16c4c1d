//! The privileged helper: a process of its own that does two things for a program that has given up its privileges. It opens
//! interfaces for raw frames (CAP_NET_RAW), also those that appear later, and it deletes rows of the kernel's neighbour
//! table (CAP_NET_ADMIN). It is a copy of the program from before its first thread and before it read anything of a
//! network. [`RealNet::prepare`](crate::net::RealNet::prepare) starts it, and only where something needs it.
//!
//! **What an attacker who controls the scanning process gets from it.** Raw frames to every Ethernet interface that is up,
//! and from them ARP, UDP datagrams from or to the ports of the discovery protocols
//! ([`DISCOVERY_PORTS`](crate::net::link::DISCOVERY_PORTS)) and the first bytes of TCP segments with SYN+ACK or RST. The filter of each socket is locked, so that
//! no other traffic can be read through it. That is less than a scan without a helper holds: its sockets bear no filter
//! before they are used. Learnt rows of the neighbour table can be deleted, which the kernel then resolves again; never
//! rows that the operator or a routing daemon has set, though one set in the moment between the check and the deletion
//! would be lost. Nothing else of CAP_NET_RAW or CAP_NET_ADMIN is within reach.
//!
//! **What ensures that.**
//! - It reads from one socket pair and from the kernel. A request has a fixed size and one encoding ([`request`]), holds
//!   numbers alone, no name and no path. Whatever else arrives is ignored and counted, and uses up the rate like a request.
//!   Descriptors that come with it are dropped by the kernel, for none are received.
//! - Every field is checked against the kernel's own state when the request is carried out.
//! - Requests are limited ([`serve`]); those that come faster wait in the socket's small queue.
//! - It holds the two capabilities at most and cannot gain any (`no_new_privs`; started by root, it has an empty bounding
//!   set as well). A process with fewer capabilities cannot trace it or read its memory, and it leaves no core dump.
//! - It has no file, no terminal and no socket of the scan but its end of the pair. It ends when the other end is closed,
//!   and is killed with the process that started it. It has one thread.

mod neighbour;
mod request;
mod serve;

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Shutdown};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use rustix::thread::CapabilitySet;
use socket2::{Domain, Socket, Type};

use super::rights;
use crate::net::link::LinkKind;
use request::{REPLY_LEN, Reply, Request};

/// How long a link, or its end, is waited for at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// The unprivileged side: sends requests, and ends the helper when it is dropped.
pub(in crate::net) struct Helper {
    requests: Socket,
    process: Option<Pid>,
    rights: CapabilitySet,
    /// One request that is replied to is under way at a time.
    exchange: Mutex<Exchange>,
}

#[derive(Default)]
struct Exchange {
    /// Of the last request.
    number: u32,
    /// What the helper has ignored so far.
    ignored: u32,
}

impl Helper {
    /// Starts the process, with those of its two capabilities that this one has. Unless there will be `many_scans`, it is
    /// worth having for the neighbour table alone.
    ///
    /// # Errors
    /// `PermissionDenied` without the capability it is needed for. When this process has started another thread already, or
    /// what the system answered.
    pub(in crate::net) fn start(many_scans: bool) -> io::Result<Helper> {
        let (links, neighbours) = (CapabilitySet::NET_RAW, CapabilitySet::NET_ADMIN);
        let rights = rights::in_force(links | neighbours);
        if !rights.intersects(if many_scans { links | neighbours } else { neighbours }) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if std::fs::read_dir("/proc/self/task")?.count() > 1 {
            return Err(io::Error::other("it has to be started before the first thread"));
        }
        // Each message arrives whole or not at all.
        let (requests, received) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None)?;
        requests.set_read_timeout(Some(PATIENCE))?;
        requests.set_write_timeout(Some(PATIENCE))?;
        let parent = getpid();
        #[expect(unsafe_code, reason = "a copy of the process has no safe call")]
        // SAFETY: there is one thread, as was just checked, so that the copy holds no lock of a thread it does not have.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(requests);
                // There is no terminal to report to: whatever goes wrong, a bug included, ends the helper.
                std::panic::set_hook(Box::new(|_| {}));
                let _ = catch_unwind(AssertUnwindSafe(|| serve::run(&received, rights, parent)));
                end()
            }
            pid => Ok(Helper { requests, process: Pid::from_raw(pid), rights, exchange: Mutex::default() }),
        }
    }

    /// Whether it may open interfaces for raw frames.
    pub(in crate::net) fn opens_links(&self) -> bool {
        self.rights.contains(CapabilitySet::NET_RAW)
    }

    /// A socket of an interface that receives frames of one kind.
    ///
    /// # Errors
    /// What the system answered, such as `ENODEV` when there is no such interface or it is no Ethernet, and `ENETDOWN`;
    /// `BrokenPipe` when the helper has ended.
    pub(in crate::net) fn open_link(&self, interface: u32, kind: LinkKind) -> io::Result<Socket> {
        let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        exchange.number = exchange.number.wrapping_add(1);
        let number = exchange.number;
        let request = Request::OpenLink { number, interface, kind };
        send(&self.requests, &request.to_bytes(), SendFlags::NOSIGNAL).map_err(ended)?;
        let (reply, socket) = loop {
            let (reply, socket) = receive_reply(&self.requests)?;
            // The reply to a request that was given up comes late.
            if reply.number == number {
                break (reply, socket);
            }
        };
        if reply.ignored != exchange.ignored {
            tracing::warn!("the privileged helper could not read a request, which is a bug of this program");
            exchange.ignored = reply.ignored;
        }
        match (reply.error, socket) {
            (0, Some(socket)) => Ok(socket.into()),
            (0, None) => Err(io::ErrorKind::InvalidData.into()),
            (error, _) => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Asks for a neighbour of an interface to be deleted from the kernel's table.
    ///
    /// # Errors
    /// `WouldBlock` when it has as many requests as it can take: later again. `BrokenPipe` when it has ended, `Unsupported`
    /// when it lacks the right.
    pub(in crate::net) fn forget(&self, ip: IpAddr, interface: u32) -> io::Result<()> {
        if !self.rights.contains(CapabilitySet::NET_ADMIN) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let request = Request::Forget { interface, ip }.to_bytes();
        send(&self.requests, &request, SendFlags::NOSIGNAL | SendFlags::DONTWAIT).map_err(ended)?;
        Ok(())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It reads the end of its requests and is gone at once; nobody else would collect its exit status.
        let _ = self.requests.shutdown(Shutdown::Both);
        let Some(process) = self.process else { return };
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if !matches!(waitpid(Some(process), WaitOptions::NOHANG), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // Somebody has stopped it (SIGSTOP).
        let _ = kill_process(process, Signal::KILL);
        let _ = waitpid(Some(process), WaitOptions::empty());
    }
}

fn receive_reply(requests: &Socket) -> io::Result<(Reply, Option<OwnedFd>)> {
    let mut bytes = [0; REPLY_LEN];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [io::IoSliceMut::new(&mut bytes)];
    let received = recvmsg(requests, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC).map_err(ended)?;
    let socket = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    if received.bytes == 0 {
        return Err(ended(Errno::PIPE));
    }
    let reply = bytes.get(..received.bytes).and_then(Reply::read).ok_or(io::ErrorKind::InvalidData)?;
    Ok((reply, socket))
}

fn ended(error: Errno) -> io::Error {
    match error {
        Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => {
            io::Error::new(io::ErrorKind::BrokenPipe, "the privileged helper has ended")
        }
        error => error.into(),
    }
}

/// Ends the copy as it is: what the other process has buffered is not this one's to write.
fn end() -> ! {
    #[expect(unsafe_code, reason = "the safe way runs what the other process has registered for its end")]
    // SAFETY: it takes a number and does not come back.
    unsafe {
        libc::_exit(0)
    }
}
