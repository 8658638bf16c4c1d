//! Finds hosts by TCP connects: an open port or a refusal says that somebody is there, silence that nobody is. For all
//! that is on no local link, and for what ARP could not ask or believe.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};

use super::telling_ports;
use crate::model::{ErrorKind, FindingKind, Method};
use crate::probe::{Discoverer, DiscoveryContext};
use crate::protocol::sweep::{AddressList, Permutation, off_link};

/// Connects under way at once.
const IN_FLIGHT: usize = 512;
/// Ports asked on a silent address, besides those the target was written with.
const PORTS: usize = 6;
/// The first round waits for so long at most: a round trip around the earth, and then some.
const FIRST_WAIT: Duration = Duration::from_millis(800);
/// Ports asked once more, with the full wait.
const PORTS_AGAIN: usize = 2;
/// When nearly all of at least so many addresses answer, something on the way answers for them.
const TOO_GOOD: usize = 200;

/// The TCP sweep.
pub struct TcpSweep;

impl Discoverer for TcpSweep {
    fn method(&self) -> Method {
        Method::Tcp
    }

    fn discover<'a>(&'a self, context: &'a DiscoveryContext) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let targets = AddressList::of_targets(&context.plan.targets);
            let by_arp = context.plan.methods.contains(&Method::Arp);
            let list = if by_arp { off_link(&targets, &context.interfaces) } else { targets };
            crate::protocol::sweep::note_zones(context);
            let v6: Vec<IpAddr> = context.plan.targets.ipv6_hosts().collect();
            let sweep = Sweep::new(context, &list, v6, true);
            sweep.run().await;
            sweep.say_routeless();
            Ok(())
        }
        .boxed()
    }
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
    up: Mutex<HashSet<IpAddr>>,
    /// The first address to whose network no route leads.
    routeless: Mutex<Option<IpAddr>>,
}

/// One question: which address, which of its ports by rank, how long to wait.
type Question = (IpAddr, usize, Duration, bool);

impl<'a> Sweep<'a> {
    fn new(context: &'a DiscoveryContext, v4: &'a AddressList, v6: Vec<IpAddr>, counts: bool) -> Self {
        Sweep { context, v4, v6, counts, up: Mutex::default(), routeless: Mutex::default() }
    }

    /// Port by port over all addresses, then the first ports once more; who has answered is asked no further.
    async fn run(&self) {
        let full = self.context.plan.probe.connect_timeout;
        let most_own = self.context.plan.targets.hosts().iter().map(|h| h.ports.len()).max().unwrap_or(0);
        let first = (0..PORTS + most_own).map(|rank| (rank, full.min(FIRST_WAIT), rank == 0));
        let again = (0..PORTS_AGAIN).map(|rank| (rank, full, false));
        let order = Permutation::new(self.v4.len());
        let questions = first.chain(again).flat_map(|(rank, wait, first)| {
            let v4 = self.v4.in_order(order.clone()).map(IpAddr::V4);
            v4.chain(self.v6.iter().copied()).map(move |ip| (ip, rank, wait, first))
        });
        let all = stream::iter(questions).for_each_concurrent(IN_FLIGHT, |question| self.ask(question));
        tokio::select! {
            () = self.context.cancel.cancelled() => {}
            () = all => self.doubt(),
        }
    }

    async fn ask(&self, (ip, rank, wait, first): Question) {
        if first && self.counts {
            self.context.swept.fetch_add(1, Relaxed);
        }
        if self.is_up(ip) {
            return;
        }
        if ip.is_loopback() {
            if first {
                self.ask_loopback(ip, wait).await;
            }
            return;
        }
        if let Some(port) = self.ports(ip, PORTS).get(rank)
            && self.answers(ip, *port, wait).await != Answer::Silence
        {
            self.say(ip).await;
        }
    }

    /// Every loopback address refuses, so only an open port tells; refusals cost nothing, so all ports are asked.
    async fn ask_loopback(&self, ip: IpAddr, wait: Duration) {
        for port in self.ports(ip, usize::MAX) {
            if self.answers(ip, port, wait).await == Answer::Open {
                self.say(ip).await;
                return;
            }
        }
    }

    fn ports(&self, ip: IpAddr, most: usize) -> Vec<u16> {
        let own = self.context.plan.targets.host(ip).map_or(&[][..], |h| &h.ports);
        telling_ports(own, &self.context.plan.probe.ports, most)
    }

    async fn answers(&self, ip: IpAddr, port: u16, wait: Duration) -> Answer {
        self.context.dialer.crowd().meet(ip).await;
        match self.context.dialer.tcp(SocketAddr::new(ip, port), wait).await {
            Ok(_closed_at_once) => Answer::Open,
            Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Closed) => Answer::Refused,
            Err(error) if error.is_without_route() => {
                let mut routeless = self.routeless.lock().unwrap_or_else(PoisonError::into_inner);
                *routeless = Some(routeless.map_or(ip, |known| known.min(ip)));
                Answer::Silence
            }
            Err(_) => Answer::Silence,
        }
    }

    async fn say(&self, ip: IpAddr) {
        if self.up.lock().unwrap_or_else(PoisonError::into_inner).insert(ip) {
            self.context.say(ip, FindingKind::Seen(Method::Tcp)).await;
        }
    }

    fn is_up(&self, ip: IpAddr) -> bool {
        self.up.lock().unwrap_or_else(PoisonError::into_inner).contains(&ip)
    }

    /// Says so when no network leads to targets.
    fn say_routeless(&self) {
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

/// What became of a connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Open,
    Refused,
    Silence,
}
