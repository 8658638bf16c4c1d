//! Finds DNS-SD services on the local links by multicast.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt};

use super::facts;
use super::wire::{self, Message, Name};
use crate::model::Method;
use crate::model::coverage::Unable;
use crate::net::UdpBind;
use crate::probe::evidence::FindingDedup;
use crate::probe::udp_query::{self, Exchange, InterfaceAddress, Question};
use crate::probe::{DiscoveryContext, Finder, Listener, Reads};

/// Instances asked about by name, because an answer named them without saying where they are.
const MOST_INSTANCES: usize = 32;

/// DNS-SD by multicast, over IPv4 and IPv6.
pub const FINDER: Finder = Finder { method: Method::Mdns, find: |context| Box::pin(find(context)) };

/// What members of the group say to each other.
pub const LISTENER: Listener = Listener {
    method: Method::Mdns,
    reads: Reads::Datagrams {
        ports: || vec![wire::PORT],
        read: |from, datagram| {
            wire::parse(datagram).map(|message| facts::of_message(&message, from).0).into_iter().collect()
        },
    },
};

async fn find(context: &DiscoveryContext) -> Result<(), Unable> {
    let shared = Shared { dedup: FindingDedup::new(context), unexplained: Mutex::default() };
    let addresses = udp_query::interface_addresses(context);
    let (one_shot, member) = (Asking { shared: &shared, member: false }, Asking { shared: &shared, member: true });
    // As a one-shot resolver (RFC 6762 §5.1), which is answered by unicast, and as a member of the group: some
    // devices answer one of them only. The port of the group may be taken, and then the first has to do.
    let (first, second) =
        tokio::join!(udp_query::ask(context, &addresses, &one_shot), udp_query::ask(context, &addresses, &member),);
    first.or(second).map_err(|unable| unable.at("mDNS cannot open a UDP socket"))
}

struct Shared<'a> {
    dedup: FindingDedup<'a>,
    unexplained: Mutex<BTreeSet<Name>>,
}

struct Asking<'a> {
    shared: &'a Shared<'a>,
    /// Whether it asks from the group's port.
    member: bool,
}

impl Asking<'_> {
    fn question(&self, name: Name, kind: u16, round: u32) -> wire::Question {
        // The first question of a member may be answered by unicast (RFC 6762 §5.4). One-shot questions are anyway; the bit
        // is set in every other round only, because simple devices take it for another class.
        let unicast = if self.member { round == 0 } else { round == 1 };
        wire::Question { name, kind, unicast }
    }
}

impl Exchange for Asking<'_> {
    fn bind(&self, at: &InterfaceAddress) -> UdpBind {
        match self.member {
            true => at.bind_port(wire::PORT, &[wire::GROUP_V4.into(), wire::GROUP_V6.into()]),
            false => at.bind(),
        }
    }

    fn questions(&self, at: &InterfaceAddress, round: u32) -> Vec<Question> {
        let group: IpAddr = if at.source.is_ipv4() { wire::GROUP_V4.into() } else { wire::GROUP_V6.into() };
        let mut questions: Vec<wire::Question> = facts::ASKED
            .iter()
            .map(|service| self.question(Name::of(&format!("{service}.local")), wire::kind::PTR, round))
            .collect();
        let unexplained = self.shared.unexplained.lock().unwrap_or_else(PoisonError::into_inner);
        questions.extend(unexplained.iter().map(|name| self.question(name.clone(), wire::kind::ANY, round)));
        // A few questions a message: simple devices read the first ones or none of a long message.
        questions
            .chunks(8)
            .map(|some| {
                let message = Message { questions: some.to_vec(), ..Message::default() };
                (at.group(group, wire::PORT), wire::emit(&message))
            })
            .collect()
    }

    fn answer<'a>(&'a self, from: SocketAddr, datagram: &'a [u8]) -> BoxFuture<'a, ()> {
        async move {
            let Some(message) = wire::parse(datagram) else { return };
            let (facts, unexplained) = facts::of_message(&message, from.ip());
            {
                let mut known = self.shared.unexplained.lock().unwrap_or_else(PoisonError::into_inner);
                for instance in unexplained {
                    if known.len() < MOST_INSTANCES {
                        known.insert(instance);
                    }
                }
            }
            self.shared.dedup.emit(from.ip(), facts).await;
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::FindingKind;
    use crate::probe::udp_query::testing::discover;
    use crate::protocol::mdns::wire::{Data, Record, kind};
    use crate::testkit::net::{FakeNet, Sent, interface};

    fn questions(sent: &Sent) -> Vec<wire::Question> {
        wire::parse(&sent.data).unwrap().questions
    }

    /// Names an instance when asked for the type, and says where it is only when asked about the instance.
    fn reticent(sent: &Sent) -> Vec<crate::testkit::net::Answer> {
        let instance = Name::of("cam._rtsp._tcp.local");
        let asked = |name: &str| questions(sent).iter().any(|q| q.name.is(&Name::of(name)));
        let record = if asked("cam._rtsp._tcp.local") {
            Record { name: instance, data: Data::Srv { port: 8554, target: Name::of("cam.local") } }
        } else if asked("_rtsp._tcp.local") {
            Record { name: Name::of("_rtsp._tcp.local"), data: Data::Ptr(instance) }
        } else {
            return vec![];
        };
        let answer = wire::emit(&Message { response: true, questions: vec![], records: vec![record] });
        vec![(Duration::from_millis(40), "192.0.2.20:5353".parse().unwrap(), Ok(answer))]
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_without_a_place_is_asked_about() {
        let net = FakeNet::of_datagrams(vec![interface("eth0", 2, &["192.0.2.2/24"])], reticent);
        let (outcome, findings) = discover(&net, FINDER).await;
        assert_eq!(outcome, Ok(()));
        assert!(findings.iter().any(|f| matches!(&f.kind, FindingKind::Announced(s) if s.port == 8554)));
        assert_eq!(findings.iter().filter(|f| f.kind == FindingKind::Seen(Method::Mdns)).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn every_type_is_asked_thrice_from_an_own_port_and_as_a_member() {
        let net = FakeNet::of_datagrams(vec![interface("eth0", 2, &["192.0.2.2/24", "fe80::2/64"])], |_| vec![]);
        let _ = discover(&net, FINDER).await;
        let sent = net.datagrams.sent();
        for service in facts::ASKED {
            let name = Name::of(&format!("{service}.local"));
            for (v6, member) in [(false, false), (false, true), (true, false), (true, true)] {
                let asked: Vec<bool> = sent
                    .iter()
                    .filter(|s| s.to.is_ipv6() == v6 && (s.bind.port() == wire::PORT) == member)
                    .flat_map(questions)
                    .filter(|q| q.name == name && q.kind == kind::PTR)
                    .map(|q| q.unicast)
                    .collect();
                let wanted = if member { [true, false, false] } else { [false, true, false] };
                assert_eq!(asked, wanted, "{service} v6 {v6} member {member}");
            }
        }
        let joined: Vec<_> = net.datagrams.binds().iter().flat_map(|b| b.join.clone()).collect();
        assert_eq!(joined, [IpAddr::from(wire::GROUP_V4), IpAddr::from(wire::GROUP_V6)]);
        assert!(sent.iter().all(|s| s.data.len() < 512));
    }

    #[tokio::test(start_paused = true)]
    async fn a_taken_port_of_the_group_is_no_failure() {
        let net = FakeNet::of_datagrams(vec![interface("eth0", 2, &["192.0.2.2/24"])], reticent);
        net.datagrams.refuse_bind("0.0.0.0:5353");
        let (outcome, findings) = discover(&net, FINDER).await;
        assert_eq!(outcome, Ok(()));
        assert!(!findings.is_empty());
    }
}
