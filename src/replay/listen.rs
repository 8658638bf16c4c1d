//! Where a kit is replayed: on an address of this machine that nobody else can reach, with the device's own ports where
//! they can be had.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::kit::format::Kit;
use crate::net::{Datagram, Datagrams, UdpBind};

/// Addresses tried, one after the other.
const ADDRESSES: u8 = 100;

/// Ports that need a right are replayed so much higher, where that right is missing.
const OFFSET: u16 = 20_000;

/// What the user wishes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    /// The address; without one the first of 127.83.0.1 to 127.83.0.100 whose ports are free.
    pub address: Option<IpAddr>,
    /// How much is added to each port.
    pub offset: Option<u16>,
}

/// Why a kit cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// It is none of this machine's own.
    #[error("{0} can be reached from other machines, and a replay is for this one alone")]
    NotLoopback(IpAddr),
    /// No TCP port was open.
    #[error("no port of the device was open when it was recorded")]
    NoPorts,
    /// A port leaves the range with the offset.
    #[error("port {0} and the offset are more than 65535")]
    TooHigh(u16),
    /// A port cannot be had.
    #[error("port {1} of {0} cannot be had: {2}")]
    Taken(IpAddr, u16, io::Error),
}

/// A datagram socket on this port says that an address is taken, also to replays that have other ports.
const TAKEN: u16 = 48_383;

/// The ports a kit is replayed on, taken.
pub(super) struct Listeners {
    pub(super) ip: IpAddr,
    /// The device's port, what listens for it, and on which port.
    pub(super) listeners: Vec<(u16, TcpListener, u16)>,
    /// What keeps other replays from its address.
    pub(super) sign: Option<Box<dyn Datagram>>,
}

/// Takes the ports.
pub(super) async fn find(kit: &Kit, wish: &Wish, net: &dyn Datagrams) -> Result<Listeners, ListenError> {
    let ports: Vec<u16> = kit.tcp.iter().map(|port| port.port).collect();
    if ports.is_empty() {
        return Err(ListenError::NoPorts);
    }
    if let Some(ip) = wish.address {
        if !ip.is_loopback() {
            return Err(ListenError::NotLoopback(ip));
        }
        return at(ip, &ports, wish.offset).await;
    }
    let mut outcome = Err(ListenError::NoPorts);
    // Where 127.0.0.1 is the only address of its network, as on macOS, it is tried last.
    let own = (1..=ADDRESSES).map(|last| Ipv4Addr::new(127, 83, 0, last)).chain([Ipv4Addr::LOCALHOST]);
    for ip in own {
        let bind = UdpBind { local: SocketAddr::new(ip.into(), TAKEN), ..UdpBind::any_port(ip.into()) };
        let sign = match net.udp(&bind) {
            Ok(sign) => sign,
            Err(error) => {
                outcome = Err(ListenError::Taken(ip.into(), TAKEN, error));
                continue;
            }
        };
        match at(ip.into(), &ports, wish.offset).await {
            Err(error) => outcome = Err(error),
            Ok(bound) => return Ok(Listeners { sign: Some(sign), ..bound }),
        }
    }
    outcome
}

async fn at(ip: IpAddr, ports: &[u16], offset: Option<u16>) -> Result<Listeners, ListenError> {
    let mut listeners = Vec::new();
    for &port in ports {
        let wanted = port.checked_add(offset.unwrap_or(0)).ok_or(ListenError::TooHigh(port))?;
        let bound = match TcpListener::bind(SocketAddr::new(ip, wanted)).await {
            // A port that is free without a right, and the same the next time.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && offset.is_none() => {
                TcpListener::bind(SocketAddr::new(ip, wanted.saturating_add(OFFSET))).await
            }
            outcome => outcome,
        };
        let listener = bound.map_err(|error| ListenError::Taken(ip, wanted, error))?;
        let here = listener.local_addr().map_or(wanted, |local| local.port());
        listeners.push((port, listener, here));
    }
    Ok(Listeners { ip, listeners, sign: None })
}
