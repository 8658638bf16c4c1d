//! A protocol that is no part of the program joins a scan by the value the scan is given: nothing else is touched.

use camscan::model::{Evidence, EvidenceSource, Fact, FindingKind, ScanPlan, Stage};
use camscan::probe::{Detection, Detector, Inspection, Phase, Probe, ProtocolRows};
use camscan::protocol::PROTOCOLS;
use camscan::testkit::net::FakeNet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::{plan, run, scan_of};

/// Devices that greet with their model as soon as they are connected to.
const GREETER: ProtocolRows = ProtocolRows {
    detector: Some(Detector {
        stage: Stage::Other,
        expects: |port| port == 4321,
        detect: |host, port| Box::pin(detect(host, port)),
    }),
    probes: &[Probe { stage: Stage::Other, phase: Phase::Walk, run: |host| Box::pin(walk(host)) }],
    ..ProtocolRows::NONE
};

async fn detect(host: &Inspection, port: u16) -> Detection {
    let Ok(mut connection) = host.peer.connect(port).await else { return Detection::Closed };
    let mut greeting = String::new();
    let Ok(_) = connection.read_to_string(&mut greeting).await else { return Detection::Garbage };
    let Some(model) = greeting.strip_prefix("HELLO ") else { return Detection::Garbage };
    let evidence = Evidence::new(Fact::Model, model.trim(), EvidenceSource::Beacon, 0.9);
    host.emit(FindingKind::Evidence(evidence)).await;
    Detection::Spoken
}

/// Runs when the ports have been asked, so that it knows what they said.
async fn walk(host: &Inspection) {
    if let Some(greeted) = host.record.evidence().iter().find(|e| e.fact == Fact::Model) {
        let name = format!("the {}", greeted.value);
        host.emit(FindingKind::Evidence(Evidence::new(Fact::Name, name, EvidenceSource::Beacon, 0.9))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_protocol_of_ones_own_joins_by_one_line() {
    let net = FakeNet::subnet();
    net.serve("192.0.2.10:4321", |_, mut stream| async move {
        let _ = stream.write_all(b"HELLO X1\r\n").await;
    });
    let probe = camscan::model::ProbeOptions { ports: vec![4321], ..plan().probe };
    let plan = ScanPlan { probe, ..plan() };
    let without = run(scan_of(&net, plan.clone(), CancellationToken::new())).await;
    assert_eq!(without.device("192.0.2.10").model, None);
    let mut scan = scan_of(&net, plan, CancellationToken::new());
    scan.session = scan.session.with_protocols([PROTOCOLS, &[GREETER]].concat());
    let with = run(scan).await;
    let device = with.device("192.0.2.10");
    assert_eq!((device.model.as_deref(), device.name.as_deref()), (Some("X1"), Some("the X1")));
}
