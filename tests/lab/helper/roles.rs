//! What runs in a process of its own, for a helper is started before the first thread: a program that scans many times, one
//! that is killed, and one that somebody has taken over.

use std::io::BufRead;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Shutdown};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use camscan::identify::signature::Signatures;
use camscan::model::options::Ffprobe;
use camscan::model::{HostTarget, MacAddr, Method, ProbeOptions, ScanEvent, ScanPlan, TargetSet, Verify};
use camscan::net::link::LinkKind;
use camscan::net::real::Preparation;
use camscan::net::{Datagrams, Interface, Links, Neighbour, RealNet, give_up_rights};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, send, sendmsg,
};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::{Domain, SockFilter, Socket, Type};
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, wait_for_helper};

/// Neighbours that were set by somebody, and how.
pub const KEPT_NEIGHBOURS: [(&str, &str); 4] = [
    ("10.77.0.201", "nud permanent"),
    ("10.77.0.202", "nud noarp"),
    ("10.77.0.203", "nud reachable extern_learn"),
    ("10.77.0.204", "nud reachable protocol static"),
];

/// One that the kernel has found by itself, as far as it knows.
pub const LEARNT_NEIGHBOUR: &str = "10.77.0.210";

/// Plays a role; none when there is no such role.
pub fn play(role: &[&str]) -> Option<()> {
    match *role {
        ["helper-scans", how] => scan(&prepare(how == "many")),
        ["helper-attack"] => attack(),
        ["helper-holds"] => hold(&prepare(true)),
        ["helper-leaks"] => {
            let net = prepare(true);
            let socket: OwnedFd = socket_of_helper().into();
            let mut other = Command::new("sleep").arg("3600").stdin(socket).stdout(Stdio::null()).spawn().unwrap();
            hold(&net);
            other.kill().unwrap();
            other.wait().unwrap();
        }
        ["helper-closes"] => {
            let net = prepare(true);
            hold(&net);
            socket_of_helper().shutdown(Shutdown::Both).unwrap();
            hold(&net);
        }
        _ => return None,
    }
    Some(())
}

/// As a program begins that scans once or many times: what it needs its rights for, and then without them.
fn prepare(many_scans: bool) -> Arc<RealNet> {
    let interfaces = RealNet::new().interfaces().unwrap();
    let net = RealNet::prepare(Preparation { raw_frames: true, interfaces: &interfaces, many_scans });
    give_up_rights(false).unwrap();
    net
}

fn lines() -> impl Iterator<Item = String> {
    std::io::stdin().lock().lines().map_while(Result::ok)
}

/// Waits for a line.
fn hold(_: &RealNet) {
    println!("ready");
    lines().next();
}

/// Scans, in one session, each range that it reads.
fn scan(net: &Arc<RealNet>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let session = Session::new(net.clone(), Signatures::builtin(), jiff::Timestamp::now, 256);
    println!("ready");
    for line in lines() {
        let (first, last) = line.split_once('-').unwrap();
        let range = (first.parse().unwrap(), last.parse().unwrap());
        let plan = Arc::new(plan(range));
        let scan = Scan { session: session.clone(), plan, known: Vec::new(), cancel: CancellationToken::new() };
        let report = runtime.block_on(async {
            assert!(net.icmp(false).is_ok(), "no socket for ICMP");
            scan.run(|_: &ScanEvent| {}).await
        });
        let by_arp = report.devices.iter().filter(|device| device.discovered_by.contains(&Method::Arp));
        println!("{}", by_arp.map(|device| device.ip.to_string()).collect::<Vec<_>>().join(" "));
    }
}

fn plan(range: (Ipv4Addr, Ipv4Addr)) -> ScanPlan {
    let probe =
        ProbeOptions { ports: vec![554], verify: Verify::Describe, ffprobe: Ffprobe::Never, ..ProbeOptions::default() };
    ScanPlan {
        targets: TargetSet::new(Vec::new(), [range], Vec::<HostTarget>::new(), &[]),
        methods: vec![Method::Arp],
        interfaces: Vec::new(),
        concurrency: 32,
        rate: None,
        discovery_time: Duration::from_secs(1),
        max_duration: None,
        all: true,
        presence_only: false,
        resolve_names: false,
        max_age: None,
        known_hosts: Arc::default(),
        login_book: None,
        probe,
        show_secrets: false,
    }
}

/// The end of the socket pair that this process holds, as whoever has taken it over finds it.
fn socket_of_helper() -> Socket {
    let this = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let mut sockets = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        let number = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
        let socket = Socket::from(pidfd_getfd(&this, number, PidfdGetfdFlags::empty()).ok()?);
        let is_it = socket.domain().ok()? == Domain::UNIX && socket.r#type().ok()? == Type::SEQPACKET;
        is_it.then_some(socket)
    });
    sockets.next().expect("no socket pair")
}

/// A request to open a link; see `src/net/platform/linux/helper/request.rs`.
fn request(what: u8, kind: u8, port: u16, interface: u32, number: u32, address: [u8; 4]) -> Vec<u8> {
    let head = [&[what, kind][..], &port.to_be_bytes(), &interface.to_be_bytes(), &number.to_be_bytes()].concat();
    [&head[..], &address, &[0; 12]].concat()
}

/// The number, error and count of ignored messages of a reply, and its socket; none when none comes in time.
fn reply(helper: &Socket) -> Option<([u32; 3], Option<Socket>)> {
    let mut bytes = [0; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [std::io::IoSliceMut::new(&mut bytes)];
    let length = recvmsg(helper, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC).ok()?.bytes;
    assert_eq!(length, 12);
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            sockets.extend(more);
        }
    }
    assert!(sockets.len() < 2);
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    Some(([number(0), number(4), number(8)], sockets.pop().map(Socket::from)))
}

/// Opens a link as the program does, but with the reply in plain view: the error, how many messages were ignored so far, and
/// the socket.
fn open_link(helper: &Socket, interface: u32) -> (u32, u32, Option<Socket>) {
    const NUMBER: u32 = 77;
    // A reply is lost when nobody has read those before it.
    for _ in 0..10 {
        send(helper, &request(1, 1, 0, interface, NUMBER, [0; 4]), SendFlags::NOSIGNAL).unwrap();
        while let Some(([number, error, ignored], socket)) = reply(helper) {
            if number == NUMBER {
                return (error, ignored, socket);
            }
        }
    }
    panic!("no reply");
}

fn attack() {
    let net = prepare(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _runtime = runtime.enter();
    hold(&net);
    let process = wait_for_helper(std::process::id());
    let helper = socket_of_helper();
    let interfaces = net.interfaces().unwrap();
    let eth0 = interfaces.iter().find(|i| i.name == "eth0").unwrap();
    let loopback = interfaces.iter().find(|i| i.loopback).unwrap();

    // It is of the same user, but may not be looked into.
    let memory = std::fs::File::open(format!("/proc/{process}/mem"));
    assert_eq!(memory.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);

    let no_device = Errno::NODEV.raw_os_error().unsigned_abs();
    let ignored = send_garbage(&helper, eth0.index);
    let nowhere = open_link(&helper, i32::MAX.unsigned_abs());
    assert_eq!((nowhere.0, nowhere.1), (no_device, ignored));
    send_descriptors(&helper);
    for interface in [loopback.index, eth0.index + 1000, i32::MAX.unsigned_abs()] {
        let (error, _, socket) = open_link(&helper, interface);
        assert!(error == no_device && socket.is_none(), "interface {interface}: {error}");
        assert!(net.link(&Interface { index: interface, ..eth0.clone() }, LinkKind::Arp).is_err());
    }
    // Nobody reads the replies, for which the helper does not wait.
    for _ in 0..200 {
        send(&helper, &request(1, 1, 0, eth0.index, 78, [0; 4]), SendFlags::NOSIGNAL).unwrap();
    }

    // What it is there for it still does, and nothing is done that should not be.
    let (error, _, link) = open_link(&helper, eth0.index);
    assert_eq!(error, 0);
    assert_filter_is_locked(&link.unwrap());
    assert!(net.link(eth0, LinkKind::TcpAnswers { port: 40_000 }).is_ok());
    assert_learnt_neighbours_alone_are_deleted(&net, eth0.index);
    println!("over");
    lines().for_each(drop);
}

/// 10,000 messages that are no requests; how many.
fn send_garbage(helper: &Socket, interface: u32) -> u32 {
    let right = [request(1, 1, 0, interface, 1, [0; 4]), request(2, 4, 0, interface, 0, [10, 77, 0, 201])];
    let longest = vec![0xff; 64 * 1024];
    let mut random = fastrand::Rng::with_seed(77);
    for number in 0..10_000 {
        let mut message = right[number % 2].clone();
        match number % 7 {
            0 => message.clear(),
            1 => message.truncate(random.usize(1..message.len())),
            2 => message.push(0),
            3 => message.clone_from(&longest),
            // No such request, or interface 0.
            4 => message[0] = random.u8(3..),
            5 => message[4..8].fill(0),
            _ => {
                random.fill(&mut message);
                message[0] = 0;
            }
        }
        send(helper, &message, SendFlags::NOSIGNAL).unwrap();
    }
    10_000
}

/// Descriptors that come with requests, and with what is none.
fn send_descriptors(helper: &Socket) {
    let file = std::fs::File::open("/dev/null").unwrap();
    let files = [file.as_fd(); 4];
    for message in [request(2, 4, 0, 1, 0, [127, 0, 0, 1]), vec![0; 3]] {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
        sendmsg(helper, &[std::io::IoSlice::new(&message)], &mut control, SendFlags::NOSIGNAL).unwrap();
    }
}

/// That a link hears nothing but what it was opened for, whoever holds it.
fn assert_filter_is_locked(link: &Socket) {
    assert_eq!(link.domain().unwrap(), Domain::PACKET);
    // BPF_RET | BPF_K: every frame.
    assert!(link.attach_filter(&[SockFilter::new(6, 0, 0, u32::MAX)]).is_err());
    assert!(link.detach_filter().is_err());
}

fn assert_learnt_neighbours_alone_are_deleted(net: &RealNet, interface: u32) {
    let forget = |ip: &str| {
        let neighbour = Neighbour { ip: ip.parse().unwrap(), mac: MacAddr([2; 6]), interface, confirmed: true };
        net.forget(&neighbour).unwrap();
    };
    let has = |ip: &str| {
        let shown = Command::new("ip").args(["neigh", "show", ip, "nud", "all"]).output().unwrap();
        String::from_utf8_lossy(&shown.stdout).contains("lladdr")
    };
    KEPT_NEIGHBOURS.iter().for_each(|(ip, _)| forget(ip));
    assert!(has(LEARNT_NEIGHBOUR), "there is nobody to be deleted");
    forget(LEARNT_NEIGHBOUR);
    let until = Instant::now() + PATIENCE;
    while has(LEARNT_NEIGHBOUR) {
        assert!(Instant::now() < until, "it was not deleted");
        std::thread::sleep(Duration::from_millis(10));
    }
    for (ip, how) in KEPT_NEIGHBOURS {
        assert!(has(ip), "{ip} {how} was deleted");
    }
}
