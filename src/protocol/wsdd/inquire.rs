//! Asks one host by unicast: multicast does not cross a router, and some networks filter it.

use std::time::Duration;

use super::{facts, wire};
use crate::model::{Protocol, Stage};
use crate::probe::udp_query;
use crate::probe::{Inspection, Phase, Probe};

/// What is asked and how long an answer is awaited; after the last the host is taken not to speak WS-Discovery here.
const TRIES: [(wire::Wanted, Duration); 3] = [
    (wire::Wanted::Transmitter, Duration::from_millis(200)),
    (wire::Wanted::Any, Duration::from_millis(350)),
    (wire::Wanted::Device, Duration::from_millis(600)),
];

/// WS-Discovery by unicast.
pub const PROBE: Probe = Probe { stage: Stage::Onvif, phase: Phase::Inquiry, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    if host.record.services().iter().any(|s| s.protocol == Protocol::Onvif) {
        return;
    }
    let tries = TRIES.map(|(wanted, wait)| {
        let probe = wire::probe(wanted, &udp_query::uuid(fastrand::u128(..)));
        (probe.into_bytes(), wait)
    });
    let read = |datagram: &[u8]| Some(wire::parse(datagram)).filter(|matches| !matches.is_empty());
    if let Some(matches) = udp_query::host(&host.peer, wire::PORT, &tries, read).await {
        for m in facts::of_sender(matches, host.peer.ip) {
            facts::of_match(&m, host.peer.ip).emit(host).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::model::{FindingKind, Method};
    use crate::probe::udp_query::testing::inquire;
    use crate::testkit::net::FakeNet;

    const MATCH: &[u8] = b"<ProbeMatch><Types>dn:NetworkVideoTransmitter</Types><XAddrs>http://10.0.0.1:2020/onvif/device_service</XAddrs></ProbeMatch>";

    #[tokio::test(start_paused = true)]
    async fn an_answer_from_any_port_of_the_host_ends_it() {
        let net = FakeNet::of_datagrams(vec![], |sent| {
            let first = String::from_utf8_lossy(&sent.data).contains("NetworkVideoTransmitter");
            let other = (Duration::from_millis(1), "192.0.2.6:3702".parse().unwrap(), Ok(MATCH.to_vec()));
            let junk = (Duration::from_millis(2), "192.0.2.5:3702".parse().unwrap(), Ok(b"lollipop".to_vec()));
            let answer = (Duration::from_millis(10), "192.0.2.5:41000".parse().unwrap(), Ok(MATCH.to_vec()));
            if first { vec![other, junk] } else { vec![answer] }
        });
        let start = Instant::now();
        let findings = inquire(&net, "192.0.2.5", PROBE).await;
        assert_eq!(net.datagrams.sent().len(), 2);
        assert_eq!(start.elapsed(), Duration::from_millis(130));
        assert!(findings.iter().any(|f| f.kind == FindingKind::Seen(Method::Onvif)));
        assert!(findings.iter().any(|f| matches!(&f.kind, FindingKind::Announced(s)
            if s.url.as_deref() == Some("http://192.0.2.5:2020/onvif/device_service"))));
    }

    /// Some answer a typed Probe by unicast with a fault (MatchingRuleNotSupported), and an untyped one as they should.
    #[tokio::test(start_paused = true)]
    async fn a_fault_is_no_answer_and_the_next_form_is_asked() {
        const FAULT: &[u8] = b"<s:Envelope><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode>\
            <s:Value>d:MatchingRuleNotSupported</s:Value></s:Subcode></s:Code></s:Fault></s:Body></s:Envelope>";
        let net = FakeNet::of_datagrams(vec![], |sent| {
            let typed = String::from_utf8_lossy(&sent.data).contains("Types");
            vec![(Duration::from_millis(5), sent.to, Ok(if typed { FAULT.to_vec() } else { MATCH.to_vec() }))]
        });
        let findings = inquire(&net, "192.0.2.5", PROBE).await;
        assert_eq!(net.datagrams.sent().len(), 2);
        assert!(findings.iter().any(|f| matches!(&f.kind, FindingKind::Announced(s) if s.port == 2020)));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_costs_little_and_a_closed_port_less() {
        let silent = FakeNet::of_datagrams(vec![], |_| vec![]);
        let start = Instant::now();
        assert_eq!(inquire(&silent, "192.0.2.5", PROBE).await, []);
        assert_eq!(silent.datagrams.sent().len(), 3);
        assert!(start.elapsed() <= Duration::from_millis(1200));

        let closed = FakeNet::of_datagrams(vec![], |sent| {
            vec![(Duration::from_millis(1), sent.to, Err(std::io::ErrorKind::ConnectionRefused.into()))]
        });
        assert_eq!(inquire(&closed, "192.0.2.5", PROBE).await, []);
        assert_eq!(closed.datagrams.sent().len(), 1);
    }
}
