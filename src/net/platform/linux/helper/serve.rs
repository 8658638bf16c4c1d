//! The process of the helper: what it gives up first, and how it carries out requests.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, getppid, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};
use rustix::thread::{CapabilitySet, set_name, set_no_new_privs};
use socket2::Socket;

use super::neighbour::Neighbours;
use super::request::{REQUEST_LEN, Reply, Request};
use crate::net::link::LinkKind;
use crate::net::platform::linux::{packet, rights};

/// Messages that are read a second, after a burst of as many.
const MESSAGES_PER_SECOND: f64 = 2000.0;
/// Opening a link costs as much as so many other messages.
const COST_OF_LINK: f64 = 20.0;

/// The helper's whole life.
pub(super) fn run(requests: &Socket, rights: CapabilitySet, parent: Pid) -> io::Result<()> {
    isolate(requests);
    rights::give_up_all_but(rights)?;
    set_no_new_privs(true)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // For the case that a child of the process holds the other end of the socket pair for longer.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        return Ok(());
    }
    // For those who look at a list of processes.
    let _ = set_name(c"camscan-helper");
    serve(requests)
}

/// Ctrl-C is for the other process, and so are its input, its output and its files.
fn isolate(requests: &Socket) {
    let kept = requests.as_raw_fd();
    #[expect(unsafe_code, reason = "the standard library has none of these calls")]
    // SAFETY: the first call sets no handler that could run; the others close what this copy never touches again, all but
    // the socket it owns.
    unsafe {
        for number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
            libc::signal(number, libc::SIG_IGN);
        }
        let below = kept == 0 || libc::close_range(0, kept.unsigned_abs() - 1, 0) == 0;
        if !below || libc::close_range(kept.unsigned_abs() + 1, u32::MAX, 0) != 0 {
            // Kernels before 5.9 do not know the call.
            let most = libc::sysconf(libc::_SC_OPEN_MAX).clamp(256, 1 << 20) as libc::c_int;
            for number in (0..most).filter(|number| *number != kept) {
                libc::close(number);
            }
        }
    }
}

/// Carries out requests until the other end is closed. What is no request is ignored and counted.
fn serve(requests: &Socket) -> io::Result<()> {
    let neighbours = Neighbours::open()?;
    let mut allowance = Allowance::new(Instant::now());
    let mut ignored = 0u32;
    // One byte more than a request, so that a longer message is seen to be longer.
    let mut bytes = [0; REQUEST_LEN + 1];
    loop {
        let length = match recv(requests, &mut bytes, RecvFlags::empty()) {
            Ok((_, length)) => length,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if length == 0 && is_closed(requests) {
            return Ok(());
        }
        let request = bytes.get(..length).and_then(Request::read);
        let cost = if matches!(request, Some(Request::OpenLink { .. })) { COST_OF_LINK } else { 1.0 };
        std::thread::sleep(allowance.wait(cost, Instant::now()));
        match request {
            Some(Request::OpenLink { number, interface, kind }) => {
                reply(requests, number, ignored, open_link(interface, kind))?;
            }
            Some(Request::Forget { interface, ip }) => {
                // The scan sees in the table whether it worked.
                let _ = neighbours.forget(interface, ip);
            }
            None => ignored = ignored.saturating_add(1),
        }
    }
}

/// Whether the other end is closed. An empty message is received like the end, and is none.
fn is_closed(requests: &Socket) -> bool {
    let mut state = libc::pollfd { fd: requests.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    #[expect(unsafe_code, reason = "the crates at hand have no safe form of it")]
    // SAFETY: the pointer is to one pollfd, as the count says, which lives through the call; the call does not wait.
    let count = unsafe { libc::poll(&raw mut state, 1, 0) };
    count != 0
}

fn open_link(interface: u32, kind: LinkKind) -> io::Result<Socket> {
    let socket = packet::raw_socket()?;
    packet::bind(&socket, interface, kind)?;
    Ok(socket)
}

fn reply(requests: &Socket, number: u32, ignored: u32, outcome: io::Result<Socket>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let error = outcome.as_ref().err().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
    let sockets = outcome.as_ref().ok().map(AsFd::as_fd);
    if sockets.is_some() {
        control.push(SendAncillaryMessage::ScmRights(sockets.as_slice()));
    }
    let bytes = Reply { number, error, ignored }.to_bytes();
    // To a scan that reads no replies none is sent: it cannot make the helper wait, nor collect sockets in the queue.
    match sendmsg(requests, &[io::IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
        Ok(_) | Err(Errno::AGAIN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How much may still be done now.
struct Allowance {
    left: f64,
    filled_at: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Allowance { left: MESSAGES_PER_SECOND, filled_at: now }
    }

    /// How long to wait before something of this cost is done.
    fn wait(&mut self, cost: f64, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.left = (self.left + since * MESSAGES_PER_SECOND).min(MESSAGES_PER_SECOND) - cost;
        self.filled_at = now;
        Duration::from_secs_f64((-self.left).max(0.0) / MESSAGES_PER_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::thread::JoinHandle;

    use rustix::net::send;
    use socket2::{Domain, Type};

    use super::super::receive_reply;
    use super::*;

    /// The helper without its own process and rights: with those of the test.
    struct Served(Socket, JoinHandle<io::Result<()>>);

    impl Served {
        fn start() -> Served {
            let (requests, received) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None).unwrap();
            requests.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            Served(requests, std::thread::spawn(move || serve(&received)))
        }

        fn send(&self, bytes: &[u8]) {
            send(&self.0, bytes, SendFlags::NOSIGNAL).unwrap();
        }

        fn open_link(&self, interface: u32) -> (Reply, Option<OwnedFd>) {
            self.send(&Request::OpenLink { number: 9, interface, kind: LinkKind::Arp }.to_bytes());
            receive_reply(&self.0).unwrap()
        }

        fn end(self) {
            drop(self.0);
            self.1.join().unwrap().unwrap();
        }
    }

    #[test]
    fn no_link_is_opened_on_the_loopback_or_where_there_is_no_interface() {
        let loopback = pnet::datalink::interfaces().into_iter().find(|i| i.is_loopback()).unwrap().index;
        let helper = Served::start();
        for interface in [loopback, 0x7fff_ffff] {
            let (reply, socket) = helper.open_link(interface);
            // Without the right to open raw sockets that is what is missing first.
            assert!([libc::ENODEV, libc::EPERM].contains(&reply.error), "{reply:?}");
            assert_eq!((reply.number, reply.ignored), (9, 0));
            assert!(socket.is_none());
        }
        helper.end();
    }

    #[test]
    fn what_is_no_request_is_ignored_and_counted() {
        let helper = Served::start();
        let request = Request::Forget { interface: 1, ip: [127, 0, 0, 1].into() }.to_bytes();
        let longer = [&request[..], &[0]].concat();
        let mut count = 0;
        for bytes in [&[][..], &[], &[1], &[0xff; REQUEST_LEN], &longer, &[0; 4096], &request[1..]] {
            helper.send(bytes);
            count += 1;
            assert_eq!(helper.open_link(0x7fff_ffff).0.ignored, count, "{bytes:?}");
        }
        helper.end();
    }

    #[test]
    fn messages_are_read_at_a_bounded_rate() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let mut now = start;
        for _ in 0..10_000 {
            now += allowance.wait(1.0, now);
        }
        let took = now - start;
        assert!(took > Duration::from_millis(3900) && took < Duration::from_millis(4100), "{took:?}");
        let mut wait_for_links = Duration::ZERO;
        for _ in 0..100 {
            let wait = allowance.wait(COST_OF_LINK, now);
            wait_for_links += wait;
            now += wait;
        }
        assert!(wait_for_links > Duration::from_millis(900), "{wait_for_links:?}");
        now += Duration::from_secs(3600);
        assert_eq!(allowance.wait(MESSAGES_PER_SECOND, now), Duration::ZERO);
        assert!(allowance.wait(1.0, now) > Duration::ZERO, "more was saved up than a second's worth");
    }
}
