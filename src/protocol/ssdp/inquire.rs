//! Searches one host by unicast (UPnP Device Architecture 1.1 §1.3.2): the answer is there before the description is to be
//! read, and comes from behind routers too.

use std::net::SocketAddr;
use std::time::Duration;

use super::wire;
use crate::model::{Protocol, Stage};
use crate::probe::udp_query;
use crate::probe::{Inspection, Phase, Probe};

/// How long an answer to each try is awaited. Devices may take up to the second that the search grants them.
const WAITS: [Duration; 2] = [Duration::from_millis(350), Duration::from_millis(750)];

/// SSDP by unicast.
pub const PROBE: Probe = Probe { stage: Stage::Upnp, phase: Phase::Inquiry, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    if host.record.services().iter().any(|s| s.protocol == Protocol::Upnp) {
        return;
    }
    let to = SocketAddr::new(host.peer.ip, wire::PORT);
    let tries = WAITS.map(|wait| (wire::search(to, "upnp:rootdevice", 1).into_bytes(), wait));
    if let Some(answer) = udp_query::host(&host.peer, wire::PORT, &tries, wire::parse).await {
        answer.facts(host.peer.ip).emit(host).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::model::FindingKind;
    use crate::probe::udp_query::testing::inquire;
    use crate::testkit::net::FakeNet;

    #[tokio::test(start_paused = true)]
    async fn the_host_is_asked_by_its_address_and_its_answer_believed() {
        let net = FakeNet::of_datagrams(vec![], |sent| {
            let answer = b"HTTP/1.1 200 OK\r\nLOCATION: http://192.0.2.5:49152/d.xml\r\nST: upnp:rootdevice\r\n\r\n";
            // A search comes by too, and the answer takes longer than the first try waits.
            let echo = (Duration::from_millis(5), sent.to, Ok(sent.data.clone()));
            vec![echo, (Duration::from_millis(600), sent.to, Ok(answer.to_vec()))]
        });
        let findings = inquire(&net, "192.0.2.5", PROBE).await;
        assert_eq!(net.datagrams.sent().len(), 2);
        assert!(net.datagrams.sent().iter().all(|s| s.to == "192.0.2.5:1900".parse().unwrap()));
        assert!(String::from_utf8_lossy(&net.datagrams.sent()[0].data).contains("HOST: 192.0.2.5:1900"));
        assert!(findings.iter().any(|f| matches!(&f.kind, FindingKind::Service(s)
            if s.url.as_deref() == Some("http://192.0.2.5:49152/d.xml"))));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_costs_little() {
        let net = FakeNet::of_datagrams(vec![], |_| vec![]);
        let start = Instant::now();
        assert_eq!(inquire(&net, "192.0.2.5", PROBE).await, []);
        assert_eq!(net.datagrams.sent().len(), 2);
        assert!(start.elapsed() <= Duration::from_millis(1200));
    }
}
