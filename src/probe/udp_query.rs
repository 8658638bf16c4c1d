//! Asking by UDP: the same question again and again from every interface, answers taken as they come, floods bounded.
//! What all discovery by multicast and broadcast has in common.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::model::coverage::Unable;
use crate::model::{ErrorKind, FindingKind, MacAddr};
use crate::net::error::kind_of;
use crate::net::{Datagram, Interface, UdpBind};
use crate::probe::{DiscoveryContext, Peer};

/// How often a question is asked within the discovery time: devices miss some, and some answer one form only.
pub const ROUNDS: u32 = 3;
/// How long answers are awaited after the discovery time, by which the last of them are on their way: as long as a station
/// sleeps between two beacons of a wireless network.
pub const GRACE: Duration = Duration::from_millis(300);
/// Answers of one sender that are read; the others are dropped unread.
const ANSWERS_PER_SENDER: u32 = 256;
/// Senders whose answers are read.
const SENDERS: usize = 16_384;
/// Of those, senders outside the targets and the subnets of this machine: their addresses cost nothing to make up …
const SENDERS_OUTSIDE: usize = 2048;
/// … and answers of one of them that are read.
const ANSWERS_OUTSIDE: u32 = 32;
/// Between two questions to all devices of a network.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(1);
/// The longest datagram.
const DATAGRAM: usize = 65_535;
/// Failures of a socket in a row before it is given up.
const FAILURES: u32 = 32;

/// What can be asked from: one address of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface's name.
    pub name: String,
    /// The interface's index.
    pub interface: u32,
    /// The address asked from; unspecified for IPv6, whose source the kernel chooses by the interface.
    pub source: IpAddr,
    /// The broadcast address of its network, where it has one.
    pub broadcast: Option<Ipv4Addr>,
    /// The interface's MAC address, where it has one.
    pub mac: Option<MacAddr>,
}

impl InterfaceAddress {
    /// A socket of its own on any port, which multicast leaves by this interface.
    pub fn bind(&self) -> UdpBind {
        UdpBind { interface: self.interface, broadcast: self.source.is_ipv4(), ..UdpBind::any_port(self.source) }
    }

    /// A socket on a given port of every address, a member of `groups` on this interface.
    pub fn bind_port(&self, port: u16, groups: &[IpAddr]) -> UdpBind {
        let any = if self.source.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let join = groups.iter().copied().filter(|g| g.is_ipv4() == self.source.is_ipv4()).collect();
        UdpBind { local: SocketAddr::new(any, port), join, ..self.bind() }
    }

    /// A group's address as it is reached from here.
    pub fn group(&self, group: IpAddr, port: u16) -> SocketAddr {
        match group {
            IpAddr::V4(_) => SocketAddr::new(group, port),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, port, 0, self.interface).into(),
        }
    }
}

/// What is asked from: each IPv4 address of the interfaces that are not loopback, and each such interface once for
/// IPv6 where IPv6 hosts are among the targets.
pub fn interface_addresses(context: &DiscoveryContext) -> Vec<InterfaceAddress> {
    let targets = &context.plan.targets;
    let v6 = targets.link_local_v6 || targets.ipv6_hosts().next().is_some();
    context.interfaces.iter().filter(|i| !i.loopback).flat_map(|i| addresses_of(i, v6)).collect()
}

fn addresses_of(interface: &Interface, v6: bool) -> Vec<InterfaceAddress> {
    const MOST: usize = 8;
    let at = |source, broadcast| InterfaceAddress {
        name: interface.name.clone(),
        interface: interface.index,
        source,
        broadcast,
        mac: interface.mac,
    };
    let mut addresses: Vec<InterfaceAddress> = interface
        .addresses
        .iter()
        .filter_map(|net| match net {
            ipnetwork::IpNetwork::V4(v4) => {
                let broadcast = (v4.prefix() < 31 && !interface.point_to_point).then(|| v4.broadcast());
                Some(at(v4.ip().into(), broadcast))
            }
            ipnetwork::IpNetwork::V6(_) => None,
        })
        .take(MOST)
        .collect();
    if v6 && interface.addresses.iter().any(|net| net.is_ipv6()) {
        addresses.push(at(Ipv6Addr::UNSPECIFIED.into(), None));
    }
    addresses
}

/// A datagram and where to.
pub type Question = (SocketAddr, Vec<u8>);

/// What is asked and what becomes of the answers.
pub trait Exchange: Sync {
    /// How the socket at an address is bound.
    fn bind(&self, at: &InterfaceAddress) -> UdpBind {
        at.bind()
    }

    /// The datagrams of one round from an address, made anew each time.
    fn questions(&self, at: &InterfaceAddress, round: u32) -> Vec<Question>;

    /// An answer from one of the targets, or from a host in another subnet ([`DiscoveryContext::wants`]).
    fn answer<'a>(&'a self, from: SocketAddr, datagram: &'a [u8]) -> BoxFuture<'a, ()>;
}

/// Asks from every address in [`ROUNDS`] rounds spread over the plan's discovery time, and takes answers until [`GRACE`] later.
///
/// # Errors
/// A sentence when no socket could be opened at any address.
pub async fn ask(
    context: &DiscoveryContext,
    addresses: &[InterfaceAddress],
    exchange: &dyn Exchange,
) -> Result<(), Unable> {
    let guard = Guard::default();
    let asked = join_all(addresses.iter().map(|at| ask_at(context, at, exchange, &guard))).await;
    let errors: Vec<io::Error> = asked.into_iter().filter_map(Result::err).collect();
    match errors.first() {
        Some(error) if errors.len() == addresses.len() => Err(Unable::by(error, error.to_string())),
        _ => Ok(()),
    }
}

async fn ask_at(
    context: &DiscoveryContext,
    at: &InterfaceAddress,
    exchange: &dyn Exchange,
    guard: &Guard,
) -> io::Result<()> {
    let socket = context.net.udp(&exchange.bind(at)).inspect_err(|error| {
        tracing::debug!(interface = %at.name, source = %at.source, %error, "no socket to ask from");
    })?;
    let start = Instant::now();
    let pause = context.plan.discovery_time / ROUNDS;
    for round in 0..ROUNDS {
        for (number, (to, datagram)) in exchange.questions(at, round).into_iter().enumerate() {
            if number > 0 {
                sleep(BETWEEN_QUESTIONS).await;
            }
            context.dialer.pace().turn(1).await;
            if let Err(error) = socket.send_to(&datagram, to).await {
                tracing::debug!(interface = %at.name, %to, %error, "question not sent");
                context.unsent.count(&at.name, error.kind());
            }
        }
        let last = round + 1 == ROUNDS;
        let until = start + pause * (round + 1) + if last { GRACE } else { Duration::ZERO };
        tokio::select! {
            () = context.cancel.cancelled() => break,
            gone = take(context, at, &*socket, exchange, guard, until) => if gone { break },
        }
    }
    Ok(())
}

/// Takes answers until a moment; says whether the socket failed for good.
async fn take(
    context: &DiscoveryContext,
    at: &InterfaceAddress,
    socket: &dyn Datagram,
    exchange: &dyn Exchange,
    guard: &Guard,
    until: Instant,
) -> bool {
    let mut buffer = vec![0; DATAGRAM];
    let mut failures = 0;
    let end = sleep_until(until);
    tokio::pin!(end);
    loop {
        let received = tokio::select! {
            () = &mut end => return false,
            received = socket.recv_from(&mut buffer) => received,
        };
        let Ok((length, from)) = received else {
            // An ICMP answer to a question shows as a failure of the next receive.
            failures += 1;
            if failures >= FAILURES {
                return true;
            }
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        failures = 0;
        let from = canonical(from);
        let is_outside = context.is_out_of_reach(from.ip());
        if context.wants(from.ip()) && guard.admit(from.ip(), is_outside) {
            if let IpAddr::V6(v6) = from.ip()
                && v6.is_unicast_link_local()
            {
                context.net.note_zone(from.ip(), at.interface);
            }
            exchange.answer(from, buffer.get(..length).unwrap_or_default()).await;
            if is_outside && let Some(interface) = interface_of(context, at) {
                context.emit(from.ip(), FindingKind::HeardOn(interface)).await;
            }
        }
    }
}

/// The interface that answers to an address come by, where that is known: of a socket for all of them only if there is one.
fn interface_of(context: &DiscoveryContext, at: &InterfaceAddress) -> Option<String> {
    if at.interface != 0 {
        return Some(at.name.clone());
    }
    let mut links = context.interfaces.iter().filter(|i| !i.loopback && !i.point_to_point);
    links.next().filter(|_| links.next().is_none()).map(|i| i.name.clone())
}

/// An IPv4 sender seen through an IPv6 socket is an IPv4 sender; the flow label is left out.
fn canonical(from: SocketAddr) -> SocketAddr {
    SocketAddr::new(from.ip().to_canonical(), from.port())
}

/// Counts answers, so that one host's flood, or one under many forged addresses, costs neither memory nor time.
#[derive(Debug, Default)]
pub struct Guard {
    answers: Mutex<HashMap<IpAddr, u32>>,
    outside: Mutex<HashMap<IpAddr, u32>>,
}

impl Guard {
    /// Whether one more answer of this sender is read; there is less room for those outside the targets.
    pub fn admit(&self, from: IpAddr, is_outside: bool) -> bool {
        let (answers, senders, most) = match is_outside {
            true => (&self.outside, SENDERS_OUTSIDE, ANSWERS_OUTSIDE),
            false => (&self.answers, SENDERS, ANSWERS_PER_SENDER),
        };
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= senders && !answers.contains_key(&from) {
            return false;
        }
        let count = answers.entry(from).or_insert(0);
        *count = count.saturating_add(1);
        *count <= most
    }
}

/// Asks one host by unicast, one try after the other, each with the time an answer to it is awaited at most
/// ([`Peer::patience`]). Answers count from the host's address, whatever their port. Ends at the first that `read`
/// understands, or when an ICMP answer says that nobody listens.
pub async fn host<T>(
    peer: &Peer,
    port: u16,
    tries: &[(Vec<u8>, Duration)],
    read: impl Fn(&[u8]) -> Option<T>,
) -> Option<T> {
    let any = if peer.ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = peer.net().udp(&UdpBind { receives_refusals: true, ..UdpBind::any_port(any) }).ok()?;
    let to = SocketAddr::new(peer.ip, port);
    for (number, (question, wait)) in tries.iter().enumerate() {
        if peer.is_over() {
            break;
        }
        peer.dialer.pace().turn(1).await;
        if let Err(error) = socket.send_to(question, to).await {
            tracing::debug!(%to, %error, "question not sent");
            break;
        }
        let wait = peer.patience(*wait, number, tries.len());
        match receive(&*socket, peer.ip, peer.deadline.min(Instant::now() + wait), &read).await {
            Waited::Answer(answer) => return Some(answer),
            Waited::Nothing => {}
            Waited::NobodyThere => break,
        }
    }
    None
}

enum Waited<T> {
    Answer(T),
    Nothing,
    NobodyThere,
}

async fn receive<T>(
    socket: &dyn Datagram,
    host: IpAddr,
    until: Instant,
    read: &impl Fn(&[u8]) -> Option<T>,
) -> Waited<T> {
    let mut buffer = vec![0; DATAGRAM];
    for _ in 0..ANSWERS_PER_SENDER {
        match timeout_at(until, socket.recv_from(&mut buffer)).await {
            Ok(Ok((length, from))) if from.ip().to_canonical() == host => {
                if let Some(answer) = read(buffer.get(..length).unwrap_or_default()) {
                    return Waited::Answer(answer);
                }
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) if matches!(kind_of(&error), ErrorKind::Refused | ErrorKind::Unreachable) => {
                return Waited::NobodyThere;
            }
            Ok(Err(_)) | Err(_) => break,
        }
    }
    Waited::Nothing
}

/// A random version 4 UUID (RFC 9562 §5.4) from 128 random bits, lower case.
pub fn uuid(random: u128) -> String {
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// A discoverer run on a network of datagrams only, for tests of all protocols here.
#[cfg(test)]
pub mod testing {
    use std::sync::Arc;

    use super::*;
    use crate::identify::signature::Signatures;
    use crate::model::{Finding, HostTarget, ProbeOptions, ScanPlan, TargetSet};
    use crate::probe::testing::all;
    use crate::probe::{Finder, Inspection, Probe};
    use crate::testkit::net::FakeNet;
    use crate::testkit::plan::plan_for;

    /// The targets of the tests: 192.0.2.0/24, and IPv6 hosts that answer on the link.
    pub fn plan() -> ScanPlan {
        let v4 = |n| Ipv4Addr::new(192, 0, 2, n);
        let mut targets = TargetSet::new(vec![], [(v4(0), v4(255))], Vec::<HostTarget>::new(), &[]);
        targets.link_local_v6 = true;
        plan_for(targets)
    }

    /// Runs a finder to its end; its outcome and all it found.
    pub async fn discover(net: &FakeNet, finder: Finder) -> (Result<(), Unable>, Vec<Finding>) {
        let (context, said, _) = DiscoveryContext::for_test(Arc::new(net.clone()), plan());
        let outcome = (finder.find)(&context).await;
        drop(context);
        (outcome, all(said).await)
    }

    /// Runs a probe of one host to its end; says all it found.
    pub async fn inquire(net: &FakeNet, ip: &str, probe: Probe) -> Vec<Finding> {
        let (mut host, said) = Inspection::for_test(net.clone(), ip, ProbeOptions::default());
        host.signatures = Signatures::builtin();
        (probe.run)(&host).await;
        drop(host);
        all(said).await
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{discover, plan};
    use super::*;
    use crate::model::{Finding, FindingKind, Method};
    use crate::probe::Finder;
    use crate::testkit::net::{FakeNet, interface};
    use futures::FutureExt;

    const SHOUT: Finder = Finder {
        method: Method::Beacon,
        find: |context| Box::pin(async { ask(context, &interface_addresses(context), &Shouting(context)).await }),
    };

    struct Shouting<'a>(&'a DiscoveryContext);

    impl Exchange for Shouting<'_> {
        fn questions(&self, at: &InterfaceAddress, round: u32) -> Vec<Question> {
            vec![(at.group("224.0.0.9".parse().unwrap(), 9), vec![round as u8])]
        }

        fn answer<'a>(&'a self, from: SocketAddr, _: &'a [u8]) -> BoxFuture<'a, ()> {
            self.0.emit(from.ip(), FindingKind::Seen(Method::Beacon)).boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_address_of_every_interface_asks_in_three_rounds() {
        let net = FakeNet::of_datagrams(
            vec![
                interface("lo", 1, &["127.0.0.1/8"]),
                interface("eth0", 2, &["192.0.2.2/24", "198.51.100.2/24", "fe80::2/64"]),
                interface("eth1", 3, &["203.0.113.2/24"]),
            ],
            |_| vec![],
        );
        let start = Instant::now();
        let (outcome, _) = discover(&net, SHOUT).await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(start.elapsed(), plan().discovery_time + GRACE);
        let sent = net.datagrams.sent();
        for (interface, source) in [(2, "192.0.2.2"), (2, "198.51.100.2"), (2, "::"), (3, "203.0.113.2")] {
            let at: Vec<(u64, u8)> = sent
                .iter()
                .filter(|s| s.interface == interface && s.bind.ip() == source.parse::<IpAddr>().unwrap())
                .map(|s| ((s.at - start).as_secs(), s.data[0]))
                .collect();
            assert_eq!(at, [(0, 0), (1, 1), (2, 2)], "{source}");
        }
        assert_eq!(sent.len(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_answers_is_dropped() {
        let net = FakeNet::of_datagrams(vec![interface("eth0", 2, &["192.0.2.2/24"])], |sent| {
            let forger: SocketAddr = "192.0.2.66:9".parse().unwrap();
            // What no host can have as its address.
            let outside = (Duration::ZERO, "240.0.0.1:9".parse().unwrap(), Ok(vec![]));
            let honest = (Duration::from_millis(900), "192.0.2.7:9".parse().unwrap(), Ok(vec![]));
            let flood = (0..10_000).map(|_| (Duration::ZERO, forger, Ok(vec![0; 8])));
            if sent.data == [0] { flood.chain([outside, honest]).collect() } else { vec![] }
        });
        let (_, findings) = discover(&net, SHOUT).await;
        let of = |ip: &str| findings.iter().filter(|f: &&Finding| f.ip == ip.parse::<IpAddr>().unwrap()).count();
        assert_eq!((of("192.0.2.66"), of("192.0.2.7"), of("240.0.0.1")), (ANSWERS_PER_SENDER as usize, 1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn forged_senders_are_bounded_too() {
        let guard = Guard::default();
        let admitted =
            |is_outside| (0..100_000u32).filter(|n| guard.admit(IpAddr::from(n.to_be_bytes()), is_outside)).count();
        assert_eq!((admitted(false), admitted(true)), (SENDERS, SENDERS_OUTSIDE));
    }

    #[tokio::test(start_paused = true)]
    async fn failing_receives_do_not_end_the_asking() {
        let net = FakeNet::of_datagrams(vec![interface("eth0", 2, &["192.0.2.2/24"])], |sent| {
            let camera = "192.0.2.7:9".parse().unwrap();
            let failure = || Err(io::ErrorKind::ConnectionReset.into());
            let at = Duration::from_millis;
            if sent.data == [0] { vec![(at(0), camera, failure()), (at(5), camera, Ok(vec![]))] } else { vec![] }
        });
        let (_, findings) = discover(&net, SHOUT).await;
        assert_eq!(findings.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_socket_is_enough_and_none_is_said() {
        let interfaces = vec![interface("eth0", 2, &["192.0.2.2/24"]), interface("eth1", 3, &["203.0.113.2/24"])];
        let net = FakeNet::of_datagrams(interfaces, |_| vec![]);
        net.datagrams.refuse_bind("192.0.2.2:0");
        assert_eq!(discover(&net, SHOUT).await.0, Ok(()));
        net.datagrams.refuse_bind("203.0.113.2:0");
        assert!(discover(&net, SHOUT).await.0.is_err());
    }

    #[test]
    fn uuids_are_of_version_four() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
