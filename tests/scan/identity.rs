//! What earlier scans proved of a device holds in later ones: in a scan, in a check, at another address.

use std::sync::Arc;
use std::time::Duration;

use camscan::history::memory::Vantage;
use camscan::identify::signature::Signatures;
use camscan::model::{
    Credential, Device, Finding, FindingKind, MacAddr, ProbeOptions, Report, ScanEvent, ScanPlan, StreamStatus,
};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::store::{Cause, Open, Store};
use camscan::testkit::clock;
use camscan::testkit::net::{Asked, FakeNet};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::plan;
use super::servers::Camera;
use super::watch::{self, job};

const LOGIN: (&str, &str) = ("viewer", "Nur-fuer-die-eine-9");
const ENDPOINT: &str = "4d454930-0000-1000-8000-4419b6000001";

/// A network that is scanned again and again, each time by another process, with one store.
struct Place {
    net: FakeNet,
    store: Store,
    _folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        Place { net: FakeNet::subnet(), store, _folder: folder }
    }

    fn camera(&self, ip: &str, card: u8, digest: bool) {
        camera(&self.net, ip, card, digest);
    }

    async fn scan(&self, login: Credential, heard: &[Finding]) -> Report {
        self.scan_with(vec![login], heard).await
    }

    /// Scans as `camscan scan --store` does; `heard` is known of hosts beforehand.
    async fn scan_with(&self, credentials: Vec<Credential>, heard: &[Finding]) -> Report {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let probe = ProbeOptions { credentials, measure_time: MEASURED, ..plan().probe };
        let plan = ScanPlan { probe, resolve_names: false, ..plan() };
        let session = Session::new(Arc::new(self.net.clone()), Signatures::builtin(), clock::now, 512);
        let memory = self.store.memory().unwrap();
        let known_hosts = Arc::new(self.store.known_hosts(&memory, &plan, &|_| None, clock::now()).unwrap());
        let plan = Arc::new(ScanPlan { known_hosts, ..plan });
        let (known, cancel) = (heard.to_vec(), CancellationToken::new());
        let scan = Scan { session: session.clone(), plan: plan.clone(), known, cancel };
        let report = scan.run(|_: &ScanEvent| {}).await;
        let learnt = self.store.learn(&report, Cause::User, Vantage::Clear, &()).unwrap().value;
        let worked = |device: &Device| session.login_of(device);
        self.store.note_scan(&report, &learnt, &plan, &worked, clock::now()).unwrap();
        report
    }
}

const MEASURED: Duration = Duration::from_millis(500);

fn login() -> Credential {
    Credential::new(LOGIN.0, LOGIN.1)
}

fn camera(net: &FakeNet, ip: &str, card: u8, digest: bool) {
    Camera { login: Some(format!("{}:{}", LOGIN.0, LOGIN.1)), digest, ..Camera::new(ip) }.on(net);
    net.links.mac(ip, MacAddr([0x44, 0x19, 0xb6, 0, 0, card]));
}

/// The requests with a password in plain text.
fn in_plain_text(asked: &[Asked]) -> usize {
    asked.iter().filter(|asked| asked.header("Authorization").is_some_and(|login| login.starts_with("Basic "))).count()
}

fn plays(report: &Report, ip: &str) -> bool {
    let device = report.devices.iter().find(|device| device.ip.to_string() == ip).unwrap();
    device.streams.iter().any(|stream| stream.status == StreamStatus::Streaming)
}

#[tokio::test(start_paused = true)]
async fn a_device_that_once_offered_digest_gets_no_password_in_plain_text_in_a_later_scan() {
    let endpoint = |ip: &str| Finding::new(ip.parse().unwrap(), FindingKind::EndpointId(ENDPOINT.to_uppercase()));
    let nothing: fn(&str) -> Vec<Finding> = |_| Vec::new();
    for (name, ip, card, heard) in [
        ("as it was", "192.0.2.10", 1, nothing("")),
        ("another card at its address", "192.0.2.10", 2, nothing("")),
        ("its card at another address", "192.0.2.20", 1, nothing("")),
        ("its endpoint at another address", "192.0.2.20", 2, vec![endpoint("192.0.2.20")]),
    ] {
        let place = Place::new();
        place.camera("192.0.2.10", 1, true);
        let first = place.scan(login(), &[endpoint("192.0.2.10")]).await;
        assert!(plays(&first, "192.0.2.10"), "{name}");
        place.net.host_down("192.0.2.10");
        place.camera(ip, card, false);
        place.net.forget_records();
        // What it was is not forgotten by what it is now.
        for _ in 0..2 {
            let again = place.scan(login(), &heard).await;
            assert_eq!(in_plain_text(&place.net.asked()), 0, "{name}");
            assert!(serde_json::to_string(&again).unwrap().contains("offers Digest"), "{name}");
        }
        // Where the user allows it, it goes.
        let allowed = place.scan(Credential { allow_basic: true, ..login() }, &heard).await;
        assert!(plays(&allowed, ip), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_sends_no_password_in_plain_text_where_the_scan_met_digest() {
    let place = watch::Place::with(&[], job(&[LOGIN])).await;
    camera(&place.net, "192.0.2.10", 1, true);
    place.pass(400).await;
    assert!(place.net.asked().iter().any(Asked::has_login));
    camera(&place.net, "192.0.2.10", 1, false);
    place.net.forget_records();
    place.pass(30).await;
    assert!(place.net.asked().iter().any(|asked| asked.method() == "DESCRIBE"));
    assert_eq!(in_plain_text(&place.net.asked()), 0);
    place.end().await;
}
