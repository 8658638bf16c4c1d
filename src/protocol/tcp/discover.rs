//! Finds hosts by TCP connects: an open port or a refusal says that somebody is there, silence that nobody is. For all
//! that is on no local link, and for what ARP could not ask or believe.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{by_what_they_tell, patience, telling_ports};
use crate::model::coverage::Unable;
use crate::model::{ErrorKind, FindingKind, Method, PortList};
use crate::net::Cause;
use crate::probe::sweep::{AddressList, Permutation, off_link};
use crate::probe::{DiscoveryContext, Finder};

/// Connects under way at once.
const IN_FLIGHT: usize = 512;
/// Ports asked on a silent address, besides those the target was written with.
const PORTS: usize = 6;
/// A silent address is asked the next no sooner than this after the one before.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);
/// The first round waits for so long at most: a round trip around the earth, and then some.
const FIRST_WAIT: Duration = Duration::from_millis(800);
/// Ports asked once more, with the full wait where nobody of the network has answered yet.
const PORTS_AGAIN: usize = 2;
/// When nearly all of at least so many addresses answer, something on the way answers for them.
const TOO_GOOD: usize = 200;

/// The TCP sweep.
pub const FINDER: Finder = Finder { method: Method::Tcp, find: |context| Box::pin(find(context)) };

async fn find(context: &DiscoveryContext) -> Result<(), Unable> {
    let targets = AddressList::of_targets(&context.plan.targets);
    let by_arp = context.plan.methods.contains(&Method::Arp);
    let list = if by_arp { off_link(&targets, &context.interfaces) } else { targets };
    crate::probe::sweep::note_zones(context);
    let v6: Vec<IpAddr> = context.plan.targets.ipv6_hosts().collect();
    let sweep = Sweep::new(context, &list, v6, true);
    sweep.run().await;
    sweep.emit_routeless();
    Ok(())
}

/// Says which of the addresses answer, where connects are among the scan's methods.
pub async fn prove(context: &DiscoveryContext, addresses: &AddressList) {
    if context.plan.methods.contains(&Method::Tcp) {
        Sweep::new(context, addresses, Vec::new(), false).run().await;
    }
}

struct Sweep<'a> {
    context: &'a DiscoveryContext,
    v4: &'a AddressList,
    v6: Vec<IpAddr>,
    counts: bool,
    /// The plan's, those first that tell most.
    ports: PortList,
    up: Mutex<HashSet<IpAddr>>,
    /// How long the slowest answer took from each network.
    slowest: Mutex<HashMap<IpAddr, Duration>>,
    /// The first address to whose network no route leads.
    routeless: Mutex<Option<IpAddr>>,
}

/// One question to one address.
struct Question {
    ip: IpAddr,
    /// Which of its ports, by rank.
    port: usize,
    /// How long the answer is waited for at most.
    most: Duration,
    /// Whether it is the address's first.
    is_first: bool,
}

impl<'a> Sweep<'a> {
    fn new(context: &'a DiscoveryContext, v4: &'a AddressList, v6: Vec<IpAddr>, counts: bool) -> Self {
        Sweep {
            context,
            v4,
            v6,
            counts,
            ports: by_what_they_tell(&context.plan.probe.ports),
            up: Mutex::default(),
            slowest: Mutex::default(),
            routeless: Mutex::default(),
        }
    }

    /// Port by port over all addresses, then the first ports once more; who has answered is asked no further.
    async fn run(&self) {
        if !self.v4.is_empty() || !self.v6.is_empty() {
            self.context.askers.note(Method::Tcp);
        }
        tokio::select! {
            () = self.context.cancel.cancelled() => {}
            () = self.ask_all() => self.doubt(),
        }
    }

    async fn ask_all(&self) {
        let plan = &self.context.plan;
        let full = plan.probe.connect_timeout;
        let most_own = plan.targets.hosts().iter().map(|h| h.ports.len()).max().unwrap_or(0);
        let ports = most_own + self.ports.len().min(PORTS);
        let first = (0..ports).map(|port| (port, full.min(FIRST_WAIT)));
        let again = (0..ports.min(PORTS_AGAIN)).map(|port| (port, full));
        let order = Permutation::new(self.v4.len());
        let began = Instant::now();
        let mut under_way = FuturesUnordered::new();
        for (turn, (port, most)) in (0..).zip(first.chain(again)) {
            for ip in self.addresses(&order) {
                if under_way.len() >= IN_FLIGHT {
                    under_way.next().await;
                }
                under_way.push(self.ask(Question { ip, port, most, is_first: turn == 0 }));
            }
            let next = began + BETWEEN_QUESTIONS * (turn + 1);
            let answers = async { while under_way.next().await.is_some() {} };
            let all_have_said = timeout_at(next, answers).await.is_ok();
            if all_have_said && !self.addresses(&order).any(|ip| self.is_left(ip)) {
                return;
            }
            sleep_until(next).await;
        }
        while under_way.next().await.is_some() {}
    }

    async fn ask(&self, Question { ip, port, most, is_first }: Question) {
        if is_first && self.counts {
            self.context.swept.fetch_add(1, Relaxed);
        }
        if ip.is_loopback() && is_first {
            self.ask_loopback(ip, most).await;
        }
        if self.is_left(ip)
            && let Some(port) = self.ports_of(ip, PORTS).as_slice().get(port)
            && self.answers(ip, *port, self.wait(ip, most)).await != Answer::Silence
        {
            self.emit(ip).await;
        }
    }

    /// Every loopback address refuses, so only an open port tells; refusals cost nothing, so all ports are asked.
    async fn ask_loopback(&self, ip: IpAddr, wait: Duration) {
        for port in self.ports_of(ip, usize::MAX).iter() {
            if self.answers(ip, port, wait).await == Answer::Open {
                self.emit(ip).await;
                return;
            }
        }
    }

    fn ports_of(&self, ip: IpAddr, most: usize) -> PortList {
        let own = self.context.plan.targets.host(ip).map_or(&[][..], |h| &h.ports);
        telling_ports(own, &self.ports, most)
    }

    async fn answers(&self, ip: IpAddr, port: u16, wait: Duration) -> Answer {
        self.context.dialer.neighbour_table().reserve_row(ip).await;
        let began = Instant::now();
        match self.context.dialer.tcp(SocketAddr::new(ip, port), wait).await {
            Ok(connection) => {
                self.note_wait(ip, connection.connected_in);
                // The host is looked at next, and this port with it.
                self.context.dialer.keep(connection);
                Answer::Open
            }
            Err(error) if matches!(error.kind(), ErrorKind::Refused | ErrorKind::Closed) => {
                self.note_wait(ip, began.elapsed());
                Answer::Refused
            }
            Err(error) if error.cause == Cause::NoRoute => {
                let mut routeless = self.routeless.lock().unwrap_or_else(PoisonError::into_inner);
                *routeless = Some(routeless.map_or(ip, |known| known.min(ip)));
                Answer::Silence
            }
            Err(_) => Answer::Silence,
        }
    }

    fn note_wait(&self, ip: IpAddr, took: Duration) {
        let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slowest.entry(network_of(ip)).or_default();
        *known = took.max(*known);
    }

    fn wait(&self, ip: IpAddr, most: Duration) -> Duration {
        let slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        patience(slowest.get(&network_of(ip)).copied(), most)
    }

    async fn emit(&self, ip: IpAddr) {
        if self.up.lock().unwrap_or_else(PoisonError::into_inner).insert(ip) {
            self.context.emit(ip, FindingKind::Seen(Method::Tcp)).await;
        }
    }

    fn is_up(&self, ip: IpAddr) -> bool {
        self.up.lock().unwrap_or_else(PoisonError::into_inner).contains(&ip)
    }

    /// Whether there is more to ask an address than has been asked in the first turn.
    fn is_left(&self, ip: IpAddr) -> bool {
        !ip.is_loopback() && !self.is_up(ip)
    }

    fn addresses(&self, order: &Permutation) -> impl Iterator<Item = IpAddr> {
        self.v4.in_order(order.clone()).map(IpAddr::V4).chain(self.v6.iter().copied())
    }

    /// Says so when no network leads to targets.
    fn emit_routeless(&self) {
        if let Some(ip) = *self.routeless.lock().unwrap_or_else(PoisonError::into_inner) {
            self.context.warn(format!(
                "no route leads to {ip}, so it and others there could not be asked\nhint: is this machine in that network, \
                 and its interface up? `ip route get {ip}` says which way the system would take"
            ));
        }
    }

    /// Says so when the answers are too many to be true.
    fn doubt(&self) {
        let up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        let routed = |ip: &&IpAddr| matches!(ip, IpAddr::V4(v4) if !v4.is_loopback());
        let answered = up.iter().filter(routed).count();
        if answered >= TOO_GOOD && answered as u64 * 100 > self.v4.len() * 95 {
            let (first, last) = (up.iter().min(), up.iter().max());
            let name = |ip: Option<&IpAddr>| ip.map_or_else(|| Ipv4Addr::UNSPECIFIED.to_string(), IpAddr::to_string);
            self.context.warn(format!(
                "{answered} of {} addresses between {} and {} answer: a firewall may be answering in their place",
                self.v4.len(),
                name(first),
                name(last),
            ));
        }
    }
}

/// The address of the network whose hosts are about as far away as this one: of a /24 or, by IPv6, of a /64.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4) & !0xff).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into(),
    }
}

/// What became of a connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Open,
    Refused,
    Silence,
}
