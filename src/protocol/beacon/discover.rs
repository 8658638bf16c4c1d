//! Asks all makers' devices on the local links.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use futures::future::{BoxFuture, FutureExt, join_all};

use super::{Asker, MAKERS, Maker};
use crate::model::Method;
use crate::model::coverage::Unable;
use crate::net::UdpBind;
use crate::probe::evidence::FindingDedup;
use crate::probe::udp_query::{self, Exchange, InterfaceAddress, Question};
use crate::probe::{DiscoveryContext, Finder, Listener, Reads};

/// The makers' own discovery, by multicast and broadcast over IPv4.
pub const FINDER: Finder = Finder { method: Method::Beacon, find: |context| Box::pin(find(context)) };

/// Answers to everybody.
pub const LISTENER: Listener = Listener {
    method: Method::Beacon,
    reads: Reads::Datagrams {
        ports: || {
            MAKERS
                .iter()
                .flat_map(|maker| maker.answers_at.into_iter().chain([maker.port]))
                .filter(|p| *p != 0)
                .collect()
        },
        read: |from, datagram| {
            super::read(datagram).map(|(maker, device)| device.facts(maker, from)).into_iter().collect()
        },
    },
};

async fn find(context: &DiscoveryContext) -> Result<(), Unable> {
    let addresses: Vec<InterfaceAddress> =
        udp_query::interface_addresses(context).into_iter().filter(|p| p.source.is_ipv4()).collect();
    if addresses.is_empty() {
        return Ok(());
    }
    let dedup = FindingDedup::new(context);
    let own = FromOwnPort { dedup: &dedup };
    let fixed: Vec<AtFixedPort<'_>> =
        MAKERS.iter().filter_map(|maker| AtFixedPort::new(&dedup, maker, &addresses)).collect();
    let everywhere = [everywhere()];
    let fixed = join_all(fixed.iter().map(|exchange| udp_query::ask(context, &everywhere, exchange)));
    let groups: Vec<AtGroup<'_>> = MAKERS.iter().filter_map(|maker| AtGroup::new(&dedup, maker)).collect();
    let groups = join_all(groups.iter().map(|exchange| udp_query::ask(context, &addresses, exchange)));
    let (asked, _, _) = tokio::join!(udp_query::ask(context, &addresses, &own), fixed, groups);
    asked.map_err(|unable| unable.at("the makers' discovery cannot open a UDP socket"))
}

/// No interface in particular: where broadcasts of all of them arrive.
fn everywhere() -> InterfaceAddress {
    InterfaceAddress {
        name: "any".into(),
        interface: 0,
        source: Ipv4Addr::UNSPECIFIED.into(),
        broadcast: None,
        mac: None,
    }
}

fn asker(at: &InterfaceAddress) -> Option<Asker> {
    let IpAddr::V4(ip) = at.source else { return None };
    Some(Asker { ip, mac: at.mac, nonce: fastrand::u128(..) })
}

async fn emit(dedup: &FindingDedup<'_>, from: SocketAddr, datagram: &[u8]) {
    if let Some((maker, device)) = super::read(datagram) {
        dedup.emit(from.ip(), device.facts(maker, from.ip())).await;
    }
}

/// Asks all makers from a port of each interface's own, where most answers come back to.
struct FromOwnPort<'a> {
    dedup: &'a FindingDedup<'a>,
}

impl Exchange for FromOwnPort<'_> {
    fn questions(&self, at: &InterfaceAddress, _round: u32) -> Vec<Question> {
        let Some(asker) = asker(at) else { return Vec::new() };
        // Limited broadcasts leave by the interface of the address the socket is bound to.
        let broadcasts = at.broadcast.into_iter().flat_map(|directed| [Ipv4Addr::BROADCAST, directed]);
        let broadcasts: Vec<Ipv4Addr> = broadcasts.collect();
        let to = |maker: &Maker| maker.group.into_iter().chain(broadcasts.clone()).collect::<Vec<_>>();
        MAKERS
            .iter()
            .flat_map(|maker| {
                let question = (maker.ask)(&asker);
                to(maker).into_iter().map(move |ip| (SocketAddr::new(ip.into(), maker.port), question.clone()))
            })
            .collect()
    }

    fn answer<'a>(&'a self, from: SocketAddr, datagram: &'a [u8]) -> BoxFuture<'a, ()> {
        emit(self.dedup, from, datagram).boxed()
    }
}

/// Asks one maker whose devices answer to a fixed port, or by broadcast, from a socket that hears that.
struct AtFixedPort<'a> {
    dedup: &'a FindingDedup<'a>,
    maker: &'a Maker,
    port: u16,
    addresses: &'a [InterfaceAddress],
}

impl<'a> AtFixedPort<'a> {
    fn new(dedup: &'a FindingDedup<'a>, maker: &'a Maker, addresses: &'a [InterfaceAddress]) -> Option<Self> {
        maker.answers_at.map(|port| AtFixedPort { dedup, maker, port, addresses })
    }
}

impl Exchange for AtFixedPort<'_> {
    fn bind(&self, at: &InterfaceAddress) -> UdpBind {
        at.bind_port(self.port, &[])
    }

    fn questions(&self, _everywhere: &InterfaceAddress, _round: u32) -> Vec<Question> {
        self.addresses
            .iter()
            .filter_map(|at| {
                let to = SocketAddr::new(at.broadcast?.into(), self.maker.port);
                Some((to, (self.maker.ask)(&asker(at)?)))
            })
            .collect()
    }

    fn answer<'a>(&'a self, from: SocketAddr, datagram: &'a [u8]) -> BoxFuture<'a, ()> {
        emit(self.dedup, from, datagram).boxed()
    }
}

/// Hears what one maker's devices answer to their group: those without a route to this machine can answer nowhere else.
struct AtGroup<'a> {
    dedup: &'a FindingDedup<'a>,
    port: u16,
    group: IpAddr,
}

impl<'a> AtGroup<'a> {
    fn new(dedup: &'a FindingDedup<'a>, maker: &Maker) -> Option<Self> {
        maker.group.map(|group| AtGroup { dedup, port: maker.port, group: group.into() })
    }
}

impl Exchange for AtGroup<'_> {
    fn bind(&self, at: &InterfaceAddress) -> UdpBind {
        at.bind_port(self.port, &[self.group])
    }

    fn questions(&self, _at: &InterfaceAddress, _round: u32) -> Vec<Question> {
        Vec::new()
    }

    fn answer<'a>(&'a self, from: SocketAddr, datagram: &'a [u8]) -> BoxFuture<'a, ()> {
        emit(self.dedup, from, datagram).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Fact, FindingKind, Protocol};
    use crate::probe::udp_query::testing::discover;
    use crate::testkit::net::{Answer, FakeNet, Sent, interface};

    const SADP: &str = "<ProbeMatch><DeviceDescription>DS-1</DeviceDescription><MAC>44-19-b6-00-00-01</MAC>\
        <IPv4Address>192.0.0.64</IPv4Address><Activated>false</Activated></ProbeMatch>";

    fn hikvision(sent: &Sent) -> Vec<Answer> {
        let asked = sent.to == "239.255.255.250:37020".parse().unwrap();
        let answer = (Duration::from_millis(20), "192.0.2.64:37020".parse().unwrap(), Ok(SADP.into()));
        if asked { vec![answer] } else { vec![] }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_said_once_and_of_its_sender() {
        let net = FakeNet::of_datagrams(vec![interface("eth0", 2, &["192.0.2.2/24"])], hikvision);
        let (outcome, findings) = discover(&net, FINDER).await;
        assert_eq!(outcome, Ok(()));
        assert!(findings.iter().all(|f| f.ip == "192.0.2.64".parse::<IpAddr>().unwrap()));
        let said = |kind: FindingKind| findings.iter().filter(|f| f.kind == kind).count();
        assert_eq!(said(FindingKind::Seen(Method::Beacon)), 1);
        assert_eq!(said(FindingKind::Address("192.0.0.64".parse().unwrap())), 1);
        assert_eq!(said(FindingKind::StatedMac("44:19:b6:00:00:01".parse().unwrap())), 1);
        assert!(findings.iter().any(|f| matches!(&f.kind, FindingKind::Service(s)
            if s.protocol == Protocol::Sadp && s.port == 37020 && !s.notes.is_empty())));
        assert!(
            findings
                .iter()
                .any(|f| matches!(&f.kind, FindingKind::Evidence(e) if e.fact == Fact::Model && e.value == "DS-1"))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn every_maker_is_asked_from_every_interface_and_where_answers_go() {
        let net = FakeNet::of_datagrams(
            vec![interface("eth0", 2, &["192.0.2.2/24", "fe80::2/64"]), interface("eth1", 3, &["198.51.100.2/25"])],
            |_| vec![],
        );
        net.datagrams.refuse_bind("0.0.0.0:7711");
        let _ = discover(&net, FINDER).await;
        let sent = net.datagrams.sent();
        for maker in MAKERS {
            for (source, directed) in [("192.0.2.2", "192.0.2.255"), ("198.51.100.2", "198.51.100.127")] {
                let to = |ip: IpAddr| {
                    let own = sent.iter().filter(|s| s.bind.ip() == source.parse::<IpAddr>().unwrap());
                    own.filter(|s| s.to == SocketAddr::new(ip, maker.port)).count()
                };
                // Two makers share a port, and each is asked in three rounds.
                let times = 3 * MAKERS.iter().filter(|m| m.port == maker.port).count();
                assert_eq!(
                    (to(Ipv4Addr::BROADCAST.into()), to(directed.parse().unwrap())),
                    (times, times),
                    "{}",
                    maker.name
                );
                assert!(maker.group.is_none_or(|group| to(group.into()) == 3), "{}", maker.name);
            }
            if let Some(port) = maker.answers_at.filter(|p| *p != 7711 && *p != 0) {
                let at: SocketAddr = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
                let from_there = sent.iter().filter(|s| s.bind == at && s.to.port() == maker.port);
                assert_eq!(from_there.count(), 3 * 2, "{}", maker.name);
            }
        }
        assert!(sent.iter().all(|s| s.to.is_ipv4() && s.broadcast));
    }

    #[test]
    fn no_question_is_taken_for_an_answer() {
        let asker = Asker { ip: Ipv4Addr::new(192, 0, 2, 2), mac: None, nonce: 0x0b0b };
        for maker in MAKERS {
            assert!(super::super::read(&(maker.ask)(&asker)).is_none(), "{}", maker.name);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_datagram_is_read_without_panic(start in 0usize..16, bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            // Behind what makers begin their answers with, so that more than the first byte is reached.
            let starts: [&[u8]; 16] = [
                b"", b"<ProbeMatch>", b"\x20\0\0\0DHIP", b"\xb3", b"\xff", b"\x01\0\0\x40", b"\x02\x06\0\x40", b"\x01\x4a\x5d\x8f\x1c",
                b"MO_I\x01\0", b"\x0b", b"\x99\x39\xa4\x27", b"\x02MAC:", b"\0\x01\0\0\0\x0e", b"DH\x01\x08", b"<root><device>", b"{",
            ];
            let datagram = [starts[start], &bytes].concat();
            if let Some((maker, device)) = super::super::read(&datagram) {
                let _ = device.facts(maker, Ipv4Addr::LOCALHOST.into());
            }
        }
    }
}
