//! Finds hosts by echo: those behind routers, single IPv6 addresses, and, asked together, the IPv6 hosts of the local
//! links.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::wire::{self, Token};
use crate::model::coverage::Unable;
use crate::model::{FindingKind, Method};
use crate::net::Datagram;
use crate::net::throttle::Throttle;
use crate::probe::sweep::{AddressList, Permutation, note_zones, off_link};
use crate::probe::{DiscoveryContext, Finder};

/// Requests a second at most: routers answer and forward no more than so many gladly.
const RATE: u32 = 10_000;
/// How often a silent address is asked.
const ROUNDS: u16 = 2;
/// A round begins no sooner than this after the one before.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(600);
/// Answers are awaited for so long after the last request.
const LAST_ANSWER: Duration = Duration::from_millis(1200);
/// All nodes of the link (RFC 4291 §2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Hosts that answer to all-nodes are listed up to so many.
const MOST_NEIGHBOURS: usize = 16_384;

/// The echo sweep.
pub const FINDER: Finder = Finder { method: Method::Icmp, find: |context| Box::pin(find(context)) };

async fn find(context: &DiscoveryContext) -> Result<(), Unable> {
    note_zones(context);
    let (v4, v6) = targets(context);
    if !v4.is_empty() || !v6.is_empty() {
        context.askers.note(Method::Icmp);
    }
    let v4 = async { if v4.is_empty() { Ok(()) } else { Echo::open(context, false)?.sweep(&v4, &[]).await } };
    let v6 = async {
        let asks_links = context.plan.targets.link_local_v6;
        if v6.is_empty() && !asks_links {
            return Ok(());
        }
        let echo = Echo::open(context, true)?;
        let groups = if asks_links { groups(context) } else { Vec::new() };
        echo.sweep(&AddressList::default(), &[v6, groups].concat()).await
    };
    let (v4, v6) = tokio::join!(v4, v6);
    outcome(context, v4.and(v6))
}

/// The addresses to ask: those ARP does not, without loopback, where everything answers.
fn targets(context: &DiscoveryContext) -> (AddressList, Vec<SocketAddr>) {
    let all = AddressList::of_targets(&context.plan.targets);
    let by_arp = context.plan.methods.contains(&Method::Arp);
    let left = if by_arp { off_link(&all, &context.interfaces) } else { all };
    let v4 = left.without([127, 0, 0, 0].into(), [127, 255, 255, 255].into());
    let v6 = context.plan.targets.ipv6_hosts().filter(|ip| !ip.is_loopback()).map(|ip| SocketAddr::new(ip, 0));
    (v4, v6.collect())
}

/// All nodes on each link where IPv6 is spoken.
fn groups(context: &DiscoveryContext) -> Vec<SocketAddr> {
    let links = context.interfaces.iter().filter(|i| !i.loopback && i.addresses.iter().any(|a| a.is_ipv6()));
    links.map(|i| SocketAddrV6::new(ALL_NODES, 0, 0, i.index).into()).collect()
}

/// Without the right to send echo requests others find the hosts, unless there are none.
fn outcome(context: &DiscoveryContext, outcome: io::Result<()>) -> Result<(), Unable> {
    let Err(error) = outcome else { return Ok(()) };
    if context.plan.methods.iter().any(|m| matches!(m, Method::Tcp | Method::Arp)) {
        tracing::debug!("no ICMP echo: {error}");
        return Ok(());
    }
    let message = format!(
        "no ICMP echo can be sent: {error}\nhint: `sudo setcap cap_net_raw+ep $(command -v camscan)` allows it, and so \
         does the sysctl net.ipv4.ping_group_range; or add tcp to the methods"
    );
    Err(Unable::by(&error, message))
}

struct Echo<'a> {
    context: &'a DiscoveryContext,
    socket: Box<dyn Datagram>,
    v6: bool,
    identifier: u16,
    token: Token,
    answered: Mutex<HashSet<IpAddr>>,
}

impl<'a> Echo<'a> {
    fn open(context: &'a DiscoveryContext, v6: bool) -> io::Result<Self> {
        let mut token = Token::default();
        fastrand::fill(&mut token);
        let socket = context.net.icmp(v6)?;
        Ok(Echo { context, socket, v6, identifier: fastrand::u16(..), token, answered: Mutex::default() })
    }

    async fn sweep(&self, v4: &AddressList, v6: &[SocketAddr]) -> io::Result<()> {
        tokio::select! {
            () = self.context.cancel.cancelled() => Ok(()),
            outcome = self.receive() => outcome,
            () = self.ask(v4, v6) => Ok(()),
        }
    }

    async fn ask(&self, v4: &AddressList, v6: &[SocketAddr]) {
        let limit = self.context.dialer.pace().limit().map_or(RATE, |limit| limit.min(RATE));
        let mut throttle = Throttle::new(Some(limit));
        let order = Permutation::new(v4.len());
        for round in 0..ROUNDS {
            let next = Instant::now() + BETWEEN_ROUNDS;
            let v4 = v4.in_order(order.clone()).map(|ip| SocketAddr::new(ip.into(), 0));
            for to in v4.chain(v6.iter().copied()) {
                self.count(round);
                if !self.has_answered(to.ip()) {
                    throttle.take(1).await;
                    self.context.dialer.pace().turn(1).await;
                    self.context.dialer.neighbour_table().reserve_row(to.ip()).await;
                    self.ask_one(to, round, &mut throttle).await;
                }
            }
            sleep_until(next).await;
        }
        sleep(LAST_ANSWER).await;
        self.emit_macs().await;
    }

    async fn ask_one(&self, to: SocketAddr, round: u16, throttle: &mut Throttle) {
        let request = match self.v6 {
            true => wire::request_v6(self.identifier, round, &self.token),
            false => wire::request_v4(self.identifier, round, &self.token),
        };
        for _ in 0..3 {
            match self.socket.send_to(&request, to).await {
                Err(error) if crate::net::error::is_exhaustion(&error) => {
                    throttle.refused(1);
                    throttle.take(1).await;
                }
                // No route, or a firewall of our own: as good as silence.
                _ => return,
            }
        }
    }

    /// The addresses are counted here only when nobody else sweeps them.
    fn count(&self, round: u16) {
        if round == 0 && !self.v6 && !self.context.plan.methods.contains(&Method::Tcp) {
            self.context.swept.fetch_add(1, Relaxed);
        }
    }

    async fn receive(&self) -> io::Result<()> {
        let mut buf = [0; 2048];
        let mut failures = 0;
        loop {
            match self.socket.recv_from(&mut buf).await {
                Ok((len, from)) if wire::is_answer(buf.get(..len).unwrap_or_default(), self.v6, &self.token) => {
                    self.receive_from(from).await;
                }
                Ok(_) => {}
                Err(error) if failures >= 64 => return Err(error),
                // Errors of earlier requests come up here.
                Err(_) => failures += 1,
            }
        }
    }

    async fn receive_from(&self, from: SocketAddr) {
        let ip = from.ip();
        let is_own = self.context.interfaces.iter().flat_map(|i| &i.addresses).any(|a| a.ip() == ip);
        let is_written = self.context.plan.targets.host(ip).is_some() || ip.is_ipv4();
        if is_own && !is_written {
            return;
        }
        let is_new = {
            let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
            (self.context.plan.targets.contains(ip) && (ip.is_ipv4() || answered.len() < MOST_NEIGHBOURS))
                && answered.insert(ip)
        };
        if is_new {
            if let SocketAddr::V6(v6) = from
                && v6.scope_id() != 0
            {
                self.context.net.note_zone(ip, v6.scope_id());
            }
            self.context.emit(ip, FindingKind::Seen(Method::Icmp)).await;
        }
    }

    /// Those who answered on a local link are in the kernel's table now.
    async fn emit_macs(&self) {
        let Ok(table) = self.context.net.neighbours().await else { return };
        for row in table {
            if self.has_answered(row.ip) {
                self.context.emit(row.ip, FindingKind::Mac(row.mac)).await;
            }
        }
    }

    fn has_answered(&self, ip: IpAddr) -> bool {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).contains(&ip)
    }
}
