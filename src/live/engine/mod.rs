//! The engine of WebRTC: one task that owns the sockets and all sessions of viewers.
//!
//! ```text
//! offer ─► negotiate ─► Session ─┐
//! UDP, TCP ─► routes ────────────┼─► loop: packets in · time · new frames of each stream ─► outbox ─► UDP, TCP
//! streams' bell ─────────────────┘
//! ```
//!
//! A frame is made into packets once for all viewers; a session encrypts them and hands them to the outbox, which sends those
//! of one viewer in one system call. Nobody waits for anybody: what cannot be sent is dropped and counted.

mod burst;
mod echo;
mod figures;
pub mod hostile;
pub mod limits;
mod negotiate;
mod numbers;
mod outbox;
mod routes;
mod run;
mod session;
mod tcp;
mod waiting;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, mpsc, oneshot};

use super::viewer::Presence;
use crate::media::format::{AudioFormat, Format, VideoFormat};
use crate::net::Links;
use crate::net::media_port::{self, MediaPort};
pub use figures::EngineFigures;
use figures::Figures;
use limits::{MOST_COMMANDS, MOST_HAPPENED, Patience};
pub use negotiate::NoAgreement;
use negotiate::{Means, Reach};
use run::{Command, Loop};
use session::Parts;
use waiting::Waiting;

/// Where viewers may reach this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// The addresses to be bound; the unspecified ones serve all interfaces of their family.
    pub bind: Vec<IpAddr>,
    /// The one port, for UDP and TCP; 0 takes any.
    pub port: u16,
    /// Whether viewers that cannot use UDP may come over TCP.
    pub tcp: bool,
    /// Addresses that others forward to that port: a router, the host of a container.
    pub forwarded: Vec<SocketAddr>,
}

/// Names of interfaces of containers and virtual machines: no viewer reaches them.
const BRIDGES: [&str; 6] = ["docker", "br-", "veth", "virbr", "cni", "podman"];

/// Why a viewer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// Too many offers wait for their viewers to connect.
    #[error("too many viewers are connecting")]
    HalfOpen,
    /// No session can be agreed on.
    #[error(transparent)]
    NoAgreement(#[from] NoAgreement),
    /// The engine is gone.
    #[error("live view is being stopped")]
    Stopped,
}

/// The handle of the engine; it ends when this is dropped.
pub(super) struct Engine {
    commands: mpsc::Sender<Command>,
    waiting: Waiting,
    means: Arc<Means>,
    ports: Ports,
    local: Vec<SocketAddr>,
    figures: Arc<Figures>,
    next: AtomicU64,
}

impl Engine {
    /// Opens the ports and starts the task. `bell` is rung at each frame of any stream.
    ///
    /// # Errors
    /// When no address can be bound.
    pub fn start(ports: Ports, patience: Patience, bell: Arc<Notify>) -> io::Result<Engine> {
        let means = Arc::new(Means::new().map_err(io::Error::other)?);
        let figures = Arc::new(Figures::default());
        let (sockets, listeners) = open(&ports)?;
        let local: Vec<SocketAddr> = sockets.iter().map(MediaPort::local).collect();
        let (commands, commanded) = mpsc::channel(MOST_COMMANDS);
        let (happened, happening) = mpsc::channel(MOST_HAPPENED);
        for listener in listeners {
            tokio::spawn(tcp::accept(listener, happened.clone()));
        }
        tokio::spawn(Loop::new(sockets, patience, commanded, happening, bell, figures.clone()).run());
        let waiting = Waiting::default();
        Ok(Engine { commands, waiting, means, ports, local, figures, next: AtomicU64::new(1) })
    }

    /// The port viewers use.
    pub fn port(&self) -> u16 {
        self.local.first().map_or(0, SocketAddr::port)
    }

    /// What it has done and holds.
    pub fn figures(&self) -> EngineFigures {
        self.figures.read()
    }

    /// A number for a session to come.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Agrees with a viewer on the session of that number and expects it to connect; until then its place is counted as one
    /// of this guest. Gives the answer.
    ///
    /// # Errors
    /// When nothing can be agreed on, or too many are connecting.
    pub async fn offer(
        &self,
        id: u64,
        guest: &str,
        offer: &str,
        presence: Presence,
        came_to: Option<IpAddr>,
        net: &(impl Links + ?Sized),
    ) -> Result<String, Refused> {
        let half_open = self.waiting.take(guest).ok_or(Refused::HalfOpen)?;
        let (video, _) = presence.stream.formats();
        let audio = presence.stream.sound();
        let Some(Format::Video(video)) = video.as_deref() else {
            return Err(NoAgreement::NoCodec("picture").into());
        };
        let audio = match audio.as_deref() {
            Some(Format::Audio(audio)) => Some(audio),
            _ => None,
        };
        let reach = self.reach(came_to, net);
        let agreed = self.agree(offer, video, audio, &reach)?;
        let answer = agreed.answer.clone();
        let (done, is_done) = oneshot::channel();
        let parts = Box::new(Parts { id, agreed, presence, half_open });
        self.commands.send(Command::Add(parts, done)).await.map_err(|_| Refused::Stopped)?;
        // It is expected before it is told where to connect.
        is_done.await.map_err(|_| Refused::Stopped)?;
        Ok(answer)
    }

    fn agree(
        &self,
        offer: &str,
        video: &VideoFormat,
        audio: Option<&AudioFormat>,
        reach: &Reach,
    ) -> Result<negotiate::Agreed, NoAgreement> {
        negotiate::answer(offer, video, audio, reach, &self.means, tokio::time::Instant::now().into_std())
    }

    /// Ends a session; nothing happens where it is over.
    pub async fn close(&self, id: u64) {
        // The engine may be gone, and all sessions with it.
        let _ = self.commands.send(Command::Close(id)).await;
    }

    /// The addresses of this machine that a viewer may reach, the one its request came to first.
    fn reach(&self, came_to: Option<IpAddr>, net: &(impl Links + ?Sized)) -> Reach {
        let mut udp = Vec::new();
        // A listener for both families calls IPv4 addresses by their IPv6 names.
        let came_to = came_to.map(|ip| ip.to_canonical());
        let is_loopback = came_to.is_some_and(|ip| ip.is_loopback());
        for local in &self.local {
            if !local.ip().is_unspecified() {
                udp.push(*local);
                continue;
            }
            let interfaces = net.interfaces().unwrap_or_default();
            let is_bridge = |name: &str| BRIDGES.iter().any(|bridge| name.starts_with(bridge));
            let all = interfaces.iter().filter(|i| !is_bridge(&i.name)).flat_map(|i| &i.addresses).map(|n| n.ip());
            let all = all.chain(came_to).filter(|ip| ip.is_ipv4() == local.is_ipv4());
            udp.extend(all.filter(|ip| is_reachable(*ip, is_loopback)).map(|ip| SocketAddr::new(ip, local.port())));
        }
        udp.sort_by_key(|at| (Some(at.ip()) != came_to, at.is_ipv6()));
        udp.dedup();
        let tcp = if self.ports.tcp { udp.clone() } else { Vec::new() };
        Reach { udp, tcp, forwarded: self.ports.forwarded.clone() }
    }
}

/// Whether a browser elsewhere, or here if its page came over the loopback, reaches an address. Link-local ones work in none.
fn is_reachable(ip: IpAddr, is_loopback: bool) -> bool {
    let is_link_local = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !is_link_local && !ip.is_multicast() && !ip.is_unspecified() && (is_loopback || !ip.is_loopback())
}

/// The sockets and listeners, all on one port. An address of a family that this machine does not have is left out.
fn open(ports: &Ports) -> io::Result<(Vec<MediaPort>, Vec<tokio::net::TcpListener>)> {
    let (mut sockets, mut listeners): (Vec<MediaPort>, Vec<_>) = (Vec::new(), Vec::new());
    let (mut port, mut failed) = (ports.port, None);
    for ip in &ports.bind {
        match open_one(SocketAddr::new(*ip, port), ports.tcp) {
            Ok((socket, listener)) => {
                port = socket.local().port();
                sockets.push(socket);
                listeners.extend(listener);
            }
            Err(error) => {
                tracing::debug!(%ip, port, "the port of live view is not open there: {error}");
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) if sockets.is_empty() => Err(error),
        _ => Ok((sockets, listeners)),
    }
}

/// How many ports are tried until one is free for both.
const MOST_TRIES: usize = 16;

fn open_one(at: SocketAddr, tcp: bool) -> io::Result<(MediaPort, Option<tokio::net::TcpListener>)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let socket = MediaPort::open(at)?;
        if !tcp {
            return Ok((socket, None));
        }
        match media_port::listen(socket.local()) {
            Ok(listener) => return Ok((socket, Some(listener))),
            // Any port will do, and this one is another's.
            Err(error) if at.port() != 0 || tries == MOST_TRIES => return Err(error),
            Err(_) => {}
        }
    }
}
