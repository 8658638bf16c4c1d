//! Which ports of the hosts on the local links are open, asked by SYN frames of our own. No connection comes about: the
//! kernel knows of none and resets what a host offers. No table says what has been asked: the sequence number of each
//! SYN is a keyed hash of the address it asks, so that an answer proves itself. Needs CAP_NET_RAW.

pub mod wire;

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::may_be_asked;
use crate::model::MacAddr;
use crate::net::link::{LinkKind, OwnPort};
use crate::net::pace::Pace;
use crate::net::throttle::Throttle;
use crate::net::{Interface, Link, Links};
use crate::probe::{PortAnswer, PortProber};
use wire::{Endpoint, FRAME_LEN};

/// Frames handed to the kernel at once.
const BATCH: usize = 64;
/// Bursts that wait for their turn on a link.
const BURSTS: usize = 64;
/// One host's next burst comes so long after the one before, or when that has been answered.
const BETWEEN_BURSTS: Duration = Duration::from_millis(1);
/// How often a port that says nothing is asked, at most.
const ROUNDS: usize = 3;
/// The last answers of a round are awaited for so many times the slowest of the host's …
const ROUND_TRIPS: u32 = 3;
/// … this at least …
const SHORTEST_WAIT: Duration = Duration::from_millis(200);
/// … and this at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The same while the host has not answered at all.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// The ARP sweep has asked a usual network once after so long.
const ARP_IS_LATE: Duration = Duration::from_millis(300);
/// Answers of one host not yet looked at. More come only from a host that repeats itself.
const UNREAD: usize = 256;

type Frame = [u8; FRAME_LEN];

/// Asks ports by SYN frames, for all inspections of a scan. Holds the hosts that have answered ARP, and those being
/// asked just now; of a silent address it knows nothing.
pub struct SynScanner {
    links: Vec<Outlet>,
    inbox: Arc<Inbox>,
    stations: Mutex<HashMap<Ipv4Addr, MacAddr>>,
    new_station: Notify,
    own_addresses: Vec<IpAddr>,
    _port: OwnPort,
    /// Ends with the scanner.
    _serving: JoinSet<()>,
}

/// One link, as those who ask see it.
struct Outlet {
    interface: Interface,
    bursts: mpsc::Sender<Burst>,
}

/// Frames for one host, and who wants to know that they have left.
struct Burst {
    frames: Vec<Frame>,
    sent: oneshot::Sender<()>,
}

impl SynScanner {
    /// Opens every interface that has neighbours.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW, `Unsupported` where there is nobody to ask or no way.
    pub fn start(net: &dyn Links, interfaces: &[Interface], pace: &Arc<Pace>) -> io::Result<Arc<Self>> {
        let port = net.own_port()?;
        let inbox = Arc::new(Inbox { cookies: Cookies::default(), port: port.number, waiting: Mutex::default() });
        let mut serving = JoinSet::new();
        let mut links = Vec::new();
        for interface in interfaces.iter().filter(|i| i.mac.is_some() && !i.loopback && !i.point_to_point) {
            let link = net.link(interface, LinkKind::TcpAnswers { port: port.number })?;
            let (bursts, to_send) = mpsc::channel(BURSTS);
            serving.spawn(serve(link, to_send, inbox.clone(), pace.clone()));
            links.push(Outlet { interface: interface.clone(), bursts });
        }
        if links.is_empty() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let own_addresses = interfaces.iter().flat_map(|i| i.addresses.iter().map(ipnetwork::IpNetwork::ip)).collect();
        Ok(Arc::new(SynScanner {
            links,
            inbox,
            stations: Mutex::default(),
            new_station: Notify::new(),
            own_addresses,
            _port: port,
            _serving: serving,
        }))
    }

    /// By which link, from where, and to which MAC address a host is asked; none when it is not known to be on a link.
    async fn way_to(&self, ip: Ipv4Addr) -> Option<(&Outlet, Endpoint, MacAddr)> {
        if self.own_addresses.contains(&IpAddr::V4(ip)) {
            return None;
        }
        let outlet = self.links.iter().find(|l| l.interface.is_on_link(IpAddr::V4(ip)))?;
        let IpAddr::V4(source) = outlet.interface.source_for(IpAddr::V4(ip))? else { return None };
        let own = Endpoint { mac: outlet.interface.mac?, at: SocketAddrV4::new(source, self.inbox.port) };
        Some((outlet, own, self.mac_of(ip).await?))
    }

    /// A host that was found by its answer to a multicast can be a moment ahead of the ARP sweep.
    async fn mac_of(&self, ip: Ipv4Addr) -> Option<MacAddr> {
        let until = Instant::now() + ARP_IS_LATE;
        loop {
            let next = self.new_station.notified();
            if let Some(mac) = self.stations().get(&ip) {
                return Some(*mac);
            }
            timeout_at(until, next).await.ok()?;
        }
    }

    fn stations(&self) -> MutexGuard<'_, HashMap<Ipv4Addr, MacAddr>> {
        self.stations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PortProber for SynScanner {
    fn note_station(&self, ip: Ipv4Addr, mac: MacAddr) {
        self.stations().insert(ip, mac);
        self.new_station.notify_waiters();
    }

    fn ask<'a>(
        &'a self,
        ip: IpAddr,
        ports: &'a [u16],
        at_once: usize,
        again: bool,
        say: mpsc::UnboundedSender<PortAnswer>,
    ) -> BoxFuture<'a, io::Result<()>> {
        async move {
            let IpAddr::V4(ip) = ip else { return Err(io::ErrorKind::Unsupported.into()) };
            let (outlet, own, mac) = self.way_to(ip).await.ok_or(io::ErrorKind::Unsupported)?;
            let heard = self.inbox.wait_for(ip).ok_or(io::ErrorKind::AlreadyExists)?;
            let silent = ports.iter().filter(|p| may_be_asked(**p)).map(|port| (*port, None)).collect();
            let cookies = &self.inbox.cookies;
            let mut asking = Asking { outlet, own, ip, mac, cookies, heard, silent, slowest: None, say };
            asking.run(ports, at_once.max(1), again).await
        }
        .boxed()
    }
}

/// Serves one link until it fails or nobody wants it any more.
async fn serve(link: Box<dyn Link>, bursts: mpsc::Receiver<Burst>, inbox: Arc<Inbox>, pace: Arc<Pace>) {
    let hear = async {
        loop {
            link.receive(&mut |frame| inbox.receive_frame(frame)).await?;
        }
    };
    let outcome: io::Result<()> = tokio::select! {
        outcome = hear => outcome,
        outcome = send(&*link, bursts, &pace) => outcome,
    };
    if let Err(error) = outcome {
        tracing::debug!("a link for SYN frames failed: {error}");
    }
}

async fn send(link: &dyn Link, mut bursts: mpsc::Receiver<Burst>, pace: &Pace) -> io::Result<()> {
    let mut throttle = Throttle::new(pace.limit());
    let mut frames: Vec<Frame> = Vec::new();
    let mut senders = Vec::new();
    while let Some(first) = bursts.recv().await {
        let mut next = Some(first);
        while let Some(burst) = next {
            frames.extend(burst.frames);
            senders.push(burst.sent);
            next = if frames.len() < BATCH { bursts.try_recv().ok() } else { None };
        }
        while !frames.is_empty() {
            throttle.send(link, pace, &mut frames).await?;
        }
        // Who has given up does not care.
        for sent in senders.drain(..) {
            let _ = sent.send(());
        }
    }
    Ok(())
}

/// Sequence numbers that nobody can guess who has not seen the SYN.
#[derive(Default)]
struct Cookies(RandomState);

impl Cookies {
    /// The number for the endpoint asked and our port.
    fn of(&self, to: SocketAddrV4, from: u16) -> u32 {
        self.0.hash_one((to, from)) as u32
    }

    fn fits(&self, answer: &wire::Answer) -> bool {
        self.of(answer.from, answer.to.port()).wrapping_add(1) == answer.acknowledged
    }
}

/// What arrives on all links, and who waits for it.
struct Inbox {
    cookies: Cookies,
    port: u16,
    waiting: Mutex<HashMap<Ipv4Addr, mpsc::Sender<PortState>>>,
}

/// A port of the host one waits for, whether it is open, and when it said so.
type PortState = (u16, bool, Instant);

impl Inbox {
    fn receive_frame(&self, frame: &[u8]) {
        let Some(answer) = wire::parse(frame).filter(|a| a.to.port() == self.port && self.cookies.fits(a)) else {
            return;
        };
        if let Some(waiting) = self.waiting().get(answer.from.ip()) {
            // What does not fit in is a repetition.
            let _ = waiting.try_send((answer.from.port(), answer.open, Instant::now()));
        }
    }

    /// The answers of a host from now on; none when somebody waits for them already.
    fn wait_for(&self, ip: Ipv4Addr) -> Option<Answers<'_>> {
        match self.waiting().entry(ip) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => {
                let (heard, answers) = mpsc::channel(UNREAD);
                place.insert(heard);
                Some(Answers { inbox: self, ip, answers })
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Ipv4Addr, mpsc::Sender<PortState>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answers of one host; nobody waits for them any more when this is dropped.
struct Answers<'a> {
    inbox: &'a Inbox,
    ip: Ipv4Addr,
    answers: mpsc::Receiver<PortState>,
}

impl Drop for Answers<'_> {
    fn drop(&mut self) {
        self.inbox.waiting().remove(&self.ip);
    }
}

/// One host being asked.
struct Asking<'a> {
    outlet: &'a Outlet,
    own: Endpoint,
    ip: Ipv4Addr,
    mac: MacAddr,
    cookies: &'a Cookies,
    heard: Answers<'a>,
    /// The ports that have said nothing, and when they were first asked.
    silent: HashMap<u16, Option<Instant>>,
    slowest: Option<Duration>,
    say: mpsc::UnboundedSender<PortAnswer>,
}

impl Asking<'_> {
    async fn run(&mut self, ports: &[u16], at_once: usize, again: bool) -> io::Result<()> {
        for round in 1..=ROUNDS {
            let before = self.silent.len();
            self.ask_the_silent(ports, at_once).await?;
            self.receive(Instant::now() + self.last_wait(), 0).await;
            let found = self.silent.len() < before;
            // Silence after two questions is a firewall's, unless the second one was of use or the host sleeps.
            let is_worth_more = round == 1 || found || self.slowest.is_none();
            if self.silent.is_empty() || !again || !is_worth_more {
                break;
            }
        }
        if self.outlet.bursts.is_closed() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    async fn ask_the_silent(&mut self, ports: &[u16], at_once: usize) -> io::Result<()> {
        for some in ports.chunks(at_once) {
            let some: Vec<u16> = some.iter().copied().filter(|port| self.silent.contains_key(port)).collect();
            if some.is_empty() {
                continue;
            }
            let left = self.silent.len() - some.len();
            self.send(&some).await?;
            self.receive(Instant::now() + BETWEEN_BURSTS, left).await;
        }
        Ok(())
    }

    /// Hands the questions over, and waits until they have left.
    async fn send(&mut self, ports: &[u16]) -> io::Result<()> {
        let frames = ports.iter().map(|port| self.question(*port)).collect();
        let (sent, left) = oneshot::channel();
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.outlet.bursts.send(Burst { frames, sent }).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
        let asked_at = Instant::now();
        left.await.map_err(gone)?;
        for port in ports {
            if let Some(first) = self.silent.get_mut(port) {
                first.get_or_insert(asked_at);
            }
        }
        Ok(())
    }

    fn question(&self, port: u16) -> Frame {
        let at = SocketAddrV4::new(self.ip, port);
        wire::syn(self.own, Endpoint { mac: self.mac, at }, self.cookies.of(at, self.own.at.port()))
    }

    /// Hears until then, or until no more than `left` ports are silent.
    async fn receive(&mut self, until: Instant, left: usize) {
        while self.silent.len() > left {
            match timeout_at(until, self.heard.answers.recv()).await {
                Ok(Some((port, open, at))) => self.take(port, open, at),
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn take(&mut self, port: u16, open: bool, at: Instant) {
        let Some(first_asked) = self.silent.remove(&port) else { return };
        let after = first_asked.map_or(Duration::ZERO, |first| at.saturating_duration_since(first));
        self.slowest = self.slowest.max(Some(after));
        if self.say.send(PortAnswer { port, open, after }).is_err() {
            // Who asked has heard enough.
            self.silent.clear();
        }
    }

    fn last_wait(&self) -> Duration {
        self.slowest.map_or(FIRST_WAIT, |slowest| (slowest * ROUND_TRIPS).clamp(SHORTEST_WAIT, LONGEST_WAIT))
    }
}

#[cfg(test)]
mod tests;
