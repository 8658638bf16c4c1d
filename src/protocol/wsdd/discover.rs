//! Finds ONVIF devices on the local links by multicast.

use std::net::{IpAddr, SocketAddr};

use futures::future::{BoxFuture, FutureExt};

use super::{facts, wire};
use crate::model::Method;
use crate::model::coverage::Unable;
use crate::net::UdpBind;
use crate::probe::evidence::{Facts, FindingDedup};
use crate::probe::udp_query::{self, Exchange, InterfaceAddress, Question};
use crate::probe::{DiscoveryContext, Finder, Listener, Reads};

/// WS-Discovery by multicast, over IPv4 and IPv6.
pub const FINDER: Finder = Finder { method: Method::Onvif, find: |context| Box::pin(find(context)) };

/// Matches and Hellos.
pub const LISTENER: Listener =
    Listener { method: Method::Onvif, reads: Reads::Datagrams { ports: || vec![wire::PORT], read } };

fn read(from: IpAddr, datagram: &[u8]) -> Vec<Facts> {
    let matches = facts::of_sender(wire::parse(datagram), from);
    matches.iter().map(|m| facts::of_match(m, from)).collect()
}

async fn find(context: &DiscoveryContext) -> Result<(), Unable> {
    let dedup = FindingDedup::new(context);
    let addresses = udp_query::interface_addresses(context);
    let (probing, listening) = (Probing(&dedup), Listening(&dedup));
    // Others may have the port of the group, and devices seldom say Hello: what is heard there is welcome, no more.
    let (asked, _) =
        tokio::join!(udp_query::ask(context, &addresses, &probing), udp_query::ask(context, &addresses, &listening));
    asked.map_err(|unable| unable.at("WS-Discovery cannot open a UDP socket"))
}

struct Probing<'a>(&'a FindingDedup<'a>);

impl Exchange for Probing<'_> {
    fn questions(&self, at: &InterfaceAddress, _round: u32) -> Vec<Question> {
        let group = if at.source.is_ipv4() { wire::GROUP_V4.into() } else { wire::GROUP_V6.into() };
        let to = at.group(group, wire::PORT);
        wire::Wanted::ALL
            .map(|wanted| (to, wire::probe(wanted, &udp_query::uuid(fastrand::u128(..))).into_bytes()))
            .into_iter()
            .collect()
    }

    fn answer<'a>(&'a self, from: SocketAddr, datagram: &'a [u8]) -> BoxFuture<'a, ()> {
        take(self.0, from, datagram).boxed()
    }
}

/// Hears the Hellos of the group, and the matches of devices that cannot answer this machine alone.
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
    for facts in read(from.ip(), datagram) {
        dedup.emit(from.ip(), facts).await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;
    use crate::model::{Fact, Finding, FindingKind};
    use crate::probe::udp_query::testing::discover;
    use crate::testkit::net::{Answer, FakeNet, Sent, interface};

    fn camera(endpoint: &str, ip: &str) -> Vec<u8> {
        format!(
            "<E><ProbeMatch><EndpointReference><Address>urn:uuid:{endpoint}</Address></EndpointReference>\
             <Types>dn:NetworkVideoTransmitter</Types><Scopes>onvif://www.onvif.org/hardware/X1</Scopes>\
             <XAddrs>http://{ip}:8000/onvif/device_service</XAddrs></ProbeMatch></E>"
        )
        .into_bytes()
    }

    const SHARED: &str = "00000000-0000-4000-8000-000000000003";

    /// Two cameras of one endpoint; the second answers untyped Probes only, and only the last of them.
    fn two_cameras(sent: &Sent) -> Vec<Answer> {
        let typed = String::from_utf8_lossy(&sent.data).contains("Types");
        let mut answers: Vec<Answer> = vec![];
        if sent.to.is_ipv4() && typed {
            answers.push((
                Duration::from_millis(5),
                "192.0.2.10:3702".parse().unwrap(),
                Ok(camera(SHARED, "192.0.2.10")),
            ));
        }
        if sent.to.is_ipv4() && !typed && sent.at.elapsed() == Duration::ZERO {
            answers.push((
                Duration::from_millis(700),
                "192.0.2.14:50000".parse().unwrap(),
                Ok(camera(SHARED, "10.0.0.1")),
            ));
        }
        answers
    }

    #[tokio::test(start_paused = true)]
    async fn cameras_of_one_endpoint_are_two_and_each_is_said_once() {
        let net = FakeNet::of_datagrams(
            vec![interface("eth0", 2, &["192.0.2.2/24"]), interface("eth1", 3, &["198.51.100.2/24"])],
            two_cameras,
        );
        let (outcome, findings) = discover(&net, FINDER).await;
        assert_eq!(outcome, Ok(()));
        let of =
            |ip: &str| -> Vec<&Finding> { findings.iter().filter(|f| f.ip == ip.parse::<IpAddr>().unwrap()).collect() };
        for (ip, url) in [
            ("192.0.2.10", "http://192.0.2.10:8000/onvif/device_service"),
            ("192.0.2.14", "http://192.0.2.14:8000/onvif/device_service"),
        ] {
            let said = of(ip);
            assert_eq!(said.iter().filter(|f| f.kind == FindingKind::Seen(Method::Onvif)).count(), 1, "{ip}");
            assert_eq!(said.iter().filter(|f| f.kind == FindingKind::EndpointId(SHARED.into())).count(), 1);
            let services: Vec<_> = said
                .iter()
                .filter_map(|f| match &f.kind {
                    FindingKind::Announced(s) => s.url.as_deref(),
                    _ => None,
                })
                .collect();
            assert_eq!(services, [url]);
            assert!(
                said.iter()
                    .any(|f| matches!(&f.kind, FindingKind::Evidence(e) if e.fact == Fact::Model && e.value == "X1"))
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn three_forms_three_times_from_each_interface_with_fresh_ids() {
        let net = FakeNet::of_datagrams(
            vec![interface("eth0", 2, &["192.0.2.2/24", "fe80::2/64"]), interface("eth1", 3, &["198.51.100.2/24"])],
            |_| vec![],
        );
        let _ = discover(&net, FINDER).await;
        let sent = net.datagrams.sent();
        assert_eq!(sent.len(), 27);
        assert_eq!(sent.iter().filter(|s| s.to == "239.255.255.250:3702".parse().unwrap()).count(), 18);
        assert_eq!(sent.iter().filter(|s| s.to.ip() == IpAddr::from(wire::GROUP_V6)).count(), 9);
        let scoped = sent.iter().find(|s| s.to.is_ipv6()).unwrap().to;
        assert!(matches!(scoped, SocketAddr::V6(v6) if v6.scope_id() == 2));
        let mut ids: Vec<_> =
            sent.iter().map(|s| crate::wire::xml::read(&s.data).find_text("MessageID").unwrap().to_owned()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 27);
    }

    #[tokio::test(start_paused = true)]
    async fn the_zone_of_a_link_local_camera_is_noted() {
        let net = FakeNet::of_datagrams(vec![interface("eth0", 7, &["fe80::2/64"])], |_| {
            vec![(Duration::ZERO, "[fe80::99]:3702".parse().unwrap(), Ok(camera(SHARED, "[fe80::99]")))]
        });
        let (_, findings) = discover(&net, FINDER).await;
        assert!(findings.iter().any(|f| matches!(&f.kind, FindingKind::Announced(s)
            if s.url.as_deref() == Some("http://[fe80::99]:8000/onvif/device_service"))));
        assert_eq!(net.links.zones()[0], ("fe80::99".parse().unwrap(), 7));
    }
}
