//! What devices send to everybody on a link, read off the link itself. The kernel drops most of what comes from a host it
//! has no route to, and that is what a camera out of the box is; here it is heard all the same. Nothing is sent.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::evidence::{Facts, FindingDedup};
use super::udp_query::Guard;
use super::{DiscoveryContext, Listener, Reads};
use crate::model::{FindingKind, MacAddr, Method};
use crate::net::Interface;
use crate::net::link::LinkKind;
use crate::net::udp_frame::{self, UdpFrame};

/// Frames under way between the link and whoever reads them; more are dropped.
const UNDER_WAY: usize = 1024;

/// Listens on an interface until `over`.
///
/// # Errors
/// When the interface cannot be opened (without the right to raw frames), or can no longer receive.
pub async fn listen(
    context: &DiscoveryContext,
    interface: &Interface,
    listeners: &[Listener],
    over: &CancellationToken,
) -> io::Result<()> {
    let link = context.net.link(interface, LinkKind::Overheard)?;
    let (keep, mut kept) = mpsc::channel::<Vec<u8>>(UNDER_WAY);
    let receive = async {
        loop {
            // Receiving must not wait for who reads.
            link.receive(&mut |frame| drop(keep.try_send(frame.to_vec()))).await?;
        }
    };
    let ear = Ear { context, interface, listeners, dedup: FindingDedup::new(context), guard: Guard::default() };
    let read = async {
        while let Some(frame) = kept.recv().await {
            ear.take(&frame).await;
        }
    };
    tokio::select! {
        () = over.cancelled() => Ok(()),
        () = context.cancel.cancelled() => Ok(()),
        outcome = receive => outcome,
        () = read => Ok(()),
    }
}

struct Ear<'a> {
    context: &'a DiscoveryContext,
    interface: &'a Interface,
    listeners: &'a [Listener],
    dedup: FindingDedup<'a>,
    guard: Guard,
}

impl Ear<'_> {
    async fn take(&self, frame: &[u8]) {
        if let Some(datagram) = udp_frame::parse(frame) {
            return self.take_datagram(&datagram).await;
        }
        let claims = self.listeners.iter().filter_map(|listener| match listener.reads {
            Reads::Claims(read) => read(frame).map(|claim| (listener.method, claim)),
            Reads::Datagrams { .. } => None,
        });
        for (method, (ip, mac)) in claims {
            self.take_claim(method, ip, mac).await;
        }
    }

    /// Who is reached is asked by ARP itself.
    async fn take_claim(&self, method: Method, ip: Ipv4Addr, mac: MacAddr) {
        let ip = IpAddr::V4(ip);
        if self.context.is_out_of_reach(ip) && Some(mac) != self.interface.mac && self.guard.admit(ip, true) {
            let findings = vec![FindingKind::Seen(method), self.heard_here()];
            self.dedup.emit_from(ip, Some(mac), Facts { findings, ..Facts::default() }).await;
        }
    }

    async fn take_datagram(&self, datagram: &UdpFrame<'_>) {
        let from = IpAddr::V4(*datagram.from.ip());
        let is_near = self.interface.is_on_link(from);
        let is_out_of_reach = self.context.is_out_of_reach(from);
        // What comes through a router is heard by the sockets, if it is for this machine.
        let is_of_the_link = is_near || (is_out_of_reach && datagram.is_to_many);
        let is_own = Some(datagram.station) == self.interface.mac;
        if is_own || !is_of_the_link || !self.context.wants(from) || !self.guard.admit(from, is_out_of_reach) {
            return;
        }
        let ports = [datagram.from.port(), datagram.to.port()];
        for listener in self.listeners {
            let Reads::Datagrams { ports: own, read } = listener.reads else { continue };
            if !own().iter().any(|port| ports.contains(port)) {
                continue;
            }
            for mut facts in read(from, datagram.payload) {
                if facts.findings.is_empty() {
                    continue;
                }
                facts.findings.extend(is_out_of_reach.then(|| self.heard_here()));
                self.dedup.emit_from(from, Some(datagram.station), facts).await;
            }
        }
    }

    fn heard_here(&self) -> FindingKind {
        FindingKind::HeardOn(self.interface.name.clone())
    }
}
