//! Finds UPnP devices on the local links by multicast.

use std::net::SocketAddr;

use futures::future::{BoxFuture, FutureExt};

use super::wire;
use crate::model::Method;
use crate::model::coverage::Unable;
use crate::net::UdpBind;
use crate::probe::evidence::FindingDedup;
use crate::probe::udp_query::{self, Exchange, InterfaceAddress, Question};
use crate::probe::{DiscoveryContext, Finder, Listener, Reads};

/// SSDP by multicast, over IPv4 and IPv6.
pub const FINDER: Finder = Finder { method: Method::Ssdp, find: |context| Box::pin(find(context)) };

/// Answers and notifications.
pub const LISTENER: Listener = Listener {
    method: Method::Ssdp,
    reads: Reads::Datagrams {
        ports: || vec![wire::PORT],
        read: |from, datagram| wire::parse(datagram).map(|answer| answer.facts(from)).into_iter().collect(),
    },
};

async fn find(context: &DiscoveryContext) -> Result<(), Unable> {
    let dedup = FindingDedup::new(context);
    let addresses = udp_query::interface_addresses(context);
    let (searching, listening) = (Searching(&dedup), Listening(&dedup));
    // Others may have the port of the group, and devices seldom notify: what arrives there is welcome, no more.
    let (asked, _) =
        tokio::join!(udp_query::ask(context, &addresses, &searching), udp_query::ask(context, &addresses, &listening));
    asked.map_err(|unable| unable.at("SSDP cannot open a UDP socket"))
}

struct Searching<'a>(&'a FindingDedup<'a>);

impl Exchange for Searching<'_> {
    fn questions(&self, at: &InterfaceAddress, round: u32) -> Vec<Question> {
        let group = if at.source.is_ipv4() { wire::GROUP_V4.into() } else { wire::GROUP_V6.into() };
        let to = at.group(group, wire::PORT);
        // Short delays first, so that most descriptions can be read while the host is looked at; longer ones where a
        // crowd answers; the last answers must come before the end.
        let mx = if round == 1 { 2 } else { 1 };
        wire::TARGETS.iter().map(|target| (to, wire::search(to, target, mx).into_bytes())).collect()
    }

    fn answer<'a>(&'a self, from: SocketAddr, datagram: &'a [u8]) -> BoxFuture<'a, ()> {
        take(self.0, from, datagram).boxed()
    }
}

/// Hears the notifications of the group: a device without a route to this machine cannot answer a search.
struct Listening<'a>(&'a FindingDedup<'a>);

impl Exchange for Listening<'_> {
    fn bind(&self, at: &InterfaceAddress) -> UdpBind {
        at.bind_port(wire::PORT, &[wire::GROUP_V4.into(), wire::GROUP_V6.into()])
    }

    fn questions(&self, _at: &InterfaceAddress, _round: u32) -> Vec<Question> {
        Vec::new()
    }

    fn answer<'a>(&'a self, from: SocketAddr, datagram: &'a [u8]) -> BoxFuture<'a, ()> {
        take(self.0, from, datagram).boxed()
    }
}

async fn take(dedup: &FindingDedup<'_>, from: SocketAddr, datagram: &[u8]) {
    if let Some(answer) = wire::parse(datagram) {
        dedup.emit(from.ip(), answer.facts(from.ip())).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{FindingKind, Protocol};
    use crate::probe::udp_query::testing::discover;
    use crate::testkit::net::{FakeNet, interface};

    #[tokio::test(start_paused = true)]
    async fn every_target_is_searched_in_every_round_and_an_answer_said_once() {
        let net = FakeNet::of_datagrams(vec![interface("eth0", 2, &["192.0.2.2/24", "fe80::2/64"])], |sent| {
            let answer = b"HTTP/1.1 200 OK\nLOCATION: http://192.0.2.30:49152/d.xml\nST: upnp:rootdevice\n";
            let byebye = b"NOTIFY * HTTP/1.1\nNTS: ssdp:byebye\nLOCATION: http://192.0.2.31/d.xml\n";
            let after = Duration::from_millis(300);
            vec![
                (after, "192.0.2.30:1900".parse().unwrap(), Ok(answer.to_vec())),
                (after, "192.0.2.31:1900".parse().unwrap(), Ok(byebye.to_vec())),
                (after, "192.0.2.32:1900".parse().unwrap(), Ok(sent.data.clone())),
            ]
        });
        let (outcome, findings) = discover(&net, FINDER).await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(net.datagrams.sent().len(), wire::TARGETS.len() * 3 * 2);
        assert_eq!(findings.len(), 2);
        assert!(findings.iter().all(|f| f.ip == "192.0.2.30".parse::<std::net::IpAddr>().unwrap()));
        assert!(matches!(&findings[1].kind, FindingKind::Service(s)
            if s.protocol == Protocol::Upnp && s.url.as_deref() == Some("http://192.0.2.30:49152/d.xml")));
    }
}
