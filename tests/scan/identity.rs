//! What earlier scans proved of a device holds in later ones: in a scan, in a check, at another address.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use camscan::history::memory::{Memory, Vantage};
use camscan::identify::signature::Signatures;
use camscan::model::memory::{Event, Uid};
use camscan::model::{
    Anchor, Credential, Device, Evidence, EvidenceSource, Fact, Finding, FindingKind, MacAddr, Method, ProbeOptions,
    Report, ScanEvent, ScanPlan, Secret, StreamStatus,
};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::serve::auth::Vault;
use camscan::store::accounts::Actor;
use camscan::store::{Cause, Open, SealedScope, Store, WatchLock};
use camscan::testkit::clock;
use camscan::testkit::net::{Asked, FakeNet, Kernel, Lan, RawFrames};
use camscan::watch::{Follower, Watch};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::plan;
use super::servers::Camera;
use super::watch::{self, job};

pub const LOGIN: (&str, &str) = ("viewer", "Nur-fuer-die-eine-9");
const ENDPOINT: &str = "4d454930-0000-1000-8000-4419b6000001";

/// A network that is scanned again and again, each time by another process, with one store.
pub struct Place {
    pub net: FakeNet,
    pub store: Store,
    pub ports: Vec<u16>,
    _folder: TempDir,
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        Place { net: FakeNet::subnet(), store, ports: plan().probe.ports, _folder: folder }
    }

    fn camera(&self, ip: &str, card: u8, digest: bool) {
        camera(&self.net, ip, card, digest);
    }

    pub async fn scan(&self, login: Credential, heard: &[Finding]) -> Report {
        self.scan_with(vec![login], heard).await
    }

    /// Scans as `camscan scan --store` does; `heard` is known of hosts beforehand.
    async fn scan_with(&self, credentials: Vec<Credential>, heard: &[Finding]) -> Report {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let ports = self.ports.clone();
        let probe = ProbeOptions { credentials, ports, measure_time: MEASURED, ..plan().probe };
        let plan = ScanPlan { probe, resolve_names: false, ..plan() };
        let session = Session::new(Arc::new(self.net.clone()), Signatures::builtin(), clock::now, 512);
        let memory = self.store.memory().unwrap();
        let known_hosts = Arc::new(self.store.known_hosts(&memory, &plan, &|_| None, clock::now()).unwrap());
        let plan = Arc::new(ScanPlan { known_hosts, ..plan });
        let (known, cancel) = (heard.to_vec(), CancellationToken::new());
        let scan = Scan { session: session.clone(), plan: plan.clone(), known, cancel };
        let report = scan.run(|_: &ScanEvent| {}).await;
        let learnt = self.store.learn(&report, Cause::User, Vantage::CLEAR, &()).unwrap().value;
        let worked = |device: &Device| session.login_of(device);
        self.store.note_scan(&report, &learnt, &plan, &worked, clock::now()).unwrap();
        report
    }
}

const MEASURED: Duration = Duration::from_millis(500);

pub fn login() -> Credential {
    Credential::new(LOGIN.0, LOGIN.1)
}

pub fn camera(net: &FakeNet, ip: &str, card: u8, digest: bool) {
    Camera { login: Some(format!("{}:{}", LOGIN.0, LOGIN.1)), digest, ..Camera::new(ip) }.on(net);
    net.links.mac(ip, MacAddr([0x44, 0x19, 0xb6, 0, 0, card]));
}

/// The requests with a password in plain text.
pub fn in_plain_text(asked: &[Asked]) -> usize {
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

/// What `camscan serve` does with the logins that were given on its page.
pub struct Served {
    store: Store,
    vault: Vault,
}

impl Follower for Served {
    fn events(&self, _: &[(i64, Event)]) {}

    fn state(&self, memory: &Memory, _: Timestamp) {
        self.vault.follow(&self.store, memory);
    }

    fn logins(&self) -> Arc<Vec<Credential>> {
        self.vault.logins()
    }
}

impl Served {
    pub fn of(place: &Place) -> Arc<Served> {
        let vault = Vault::new(place.store.file(), None, Box::new(|_| {}));
        Arc::new(Served { store: place.store.clone(), vault })
    }

    /// Gives the login for the device at an address.
    pub fn give(&self, ip: &str) -> Uid {
        let memory = self.store.memory().unwrap();
        let uid = memory.find(ip).unwrap().uid.clone();
        let scope = SealedScope { device: Some(uid.clone()), anchor: memory.anchor(&uid), ..SealedScope::default() };
        let sealed = self.vault.seal(LOGIN.0, &Secret::new(LOGIN.1), &scope).unwrap();
        self.store.add_sealed_login(LOGIN.0, &sealed, &scope, &Actor::command_line(), clock::now()).unwrap().unwrap();
        self.vault.follow(&self.store, &memory);
        uid
    }

    /// Scans twice with the logins as they are then.
    async fn scan_twice(&self, place: &Place, heard: &[Finding]) -> Report {
        place.scan_with(self.vault.logins().to_vec(), heard).await;
        self.vault.follow(&self.store, &self.store.memory().unwrap());
        let report = place.scan_with(self.vault.logins().to_vec(), heard).await;
        self.vault.follow(&self.store, &self.store.memory().unwrap());
        report
    }

    /// Watches for hours: scans on a schedule, and checks in between.
    async fn watch(self: &Arc<Self>, place: &Place) {
        let stop = CancellationToken::new();
        let (_orders, receiver) = tokio::sync::mpsc::channel(4);
        let session = Session::new(Arc::new(place.net.clone()), Signatures::builtin(), clock::now, 512);
        let watch = Watch {
            session,
            store: self.store.clone(),
            route: Arc::new(()),
            follower: self.clone(),
            pictures: None,
            lock: WatchLock::take(&self.store, "this test").unwrap(),
        };
        let task = tokio::spawn(watch.run(job(&[]), receiver, stop.clone()));
        tokio::time::sleep(Duration::from_secs(7 * 3600)).await;
        stop.cancel();
        task.await.unwrap().unwrap();
    }
}

/// What a device states of itself, which anybody can read off it.
fn stated(ip: &str) -> Vec<Finding> {
    let ip = ip.parse().unwrap();
    let serial = Evidence::new(Fact::Serial, "DS-2CD2042WD0001", EvidenceSource::Beacon, 0.8);
    let kinds = [FindingKind::EndpointId(ENDPOINT.to_owned()), FindingKind::Evidence(serial)];
    kinds.into_iter().map(|kind| Finding::new(ip, kind)).collect()
}

pub fn with_login(net: &FakeNet) -> usize {
    net.asked().iter().filter(|asked| asked.has_login()).count()
}

#[tokio::test(start_paused = true)]
async fn a_login_of_one_device_goes_with_its_network_card_and_to_nothing_that_only_states_to_be_it() {
    let place = Place::new();
    let served = Served::of(&place);
    place.camera("192.0.2.10", 1, false);
    served.scan_twice(&place, &stated("192.0.2.10")).await;
    let uid = served.give("192.0.2.10");
    assert!(plays(&served.scan_twice(&place, &stated("192.0.2.10")).await, "192.0.2.10"));
    // Its card is at another address, which needs no confirmation.
    place.net.host_down("192.0.2.10");
    place.camera("192.0.2.30", 1, false);
    assert!(plays(&served.scan_twice(&place, &stated("192.0.2.30")).await, "192.0.2.30"));
    place.net.forget_records();
    served.watch(&place).await;
    assert!(with_login(&place.net) > 0, "checks log in");
    // Another card states its endpoint and serial number, at its address and at another one.
    place.net.host_down("192.0.2.30");
    for ip in ["192.0.2.30", "192.0.2.20"] {
        place.camera(ip, 2, false);
        place.net.forget_records();
        served.scan_twice(&place, &stated(ip)).await;
        let memory = place.store.memory().unwrap();
        assert_eq!(memory.find(ip).unwrap().uid, uid, "it is taken for the device");
        served.watch(&place).await;
        assert!(place.net.asked().iter().any(|asked| asked.method() == "DESCRIBE"));
        assert_eq!(with_login(&place.net), 0, "{ip}");
        if ip == "192.0.2.30" {
            place.net.host_down(ip);
        }
    }
    // A user has seen that it is the device.
    let actor = Actor::command_line();
    assert_eq!(served.vault.confirm(&place.store, &uid, None, &actor, clock::now()).unwrap(), 1);
    served.vault.follow(&place.store, &place.store.memory().unwrap());
    assert!(plays(&served.scan_twice(&place, &stated("192.0.2.20")).await, "192.0.2.20"));
}

#[tokio::test(start_paused = true)]
async fn a_login_of_a_device_without_a_network_card_in_sight_stays_at_its_address() {
    let place = Place::new();
    place.net.links.set_lan(Lan { raw: RawFrames::Denied, kernel: Kernel::Absent, ..Lan::default() });
    let served = Served::of(&place);
    let up = |ip: &str| [stated(ip), vec![Finding::new(ip.parse().unwrap(), FindingKind::Seen(Method::Tcp))]].concat();
    place.camera("192.0.2.10", 1, false);
    served.scan_twice(&place, &up("192.0.2.10")).await;
    let uid = served.give("192.0.2.10");
    assert!(plays(&served.scan_twice(&place, &up("192.0.2.10")).await, "192.0.2.10"));
    place.net.host_down("192.0.2.10");
    place.camera("192.0.2.20", 2, false);
    place.net.forget_records();
    served.scan_twice(&place, &up("192.0.2.20")).await;
    let memory = place.store.memory().unwrap();
    assert_eq!(memory.find("192.0.2.20").unwrap().uid, uid, "it is taken for the device");
    assert_eq!(with_login(&place.net), 0);
    assert_eq!(served.vault.confirm(&place.store, &uid, None, &Actor::command_line(), clock::now()).unwrap(), 1);
    served.vault.follow(&place.store, &place.store.memory().unwrap());
    assert!(plays(&served.scan_twice(&place, &up("192.0.2.20")).await, "192.0.2.20"));
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_bound_to_an_endpoint_waits_until_the_device_states_it() {
    let place = Place::new();
    place.net.links.set_lan(Lan { raw: RawFrames::Denied, kernel: Kernel::Absent, ..Lan::default() });
    let served = Served::of(&place);
    let seen = |ip: &str| Finding::new(ip.parse().unwrap(), FindingKind::Seen(Method::Tcp));
    let up = |ip: &str| [stated(ip), vec![seen(ip)]].concat();
    place.camera("192.0.2.10", 1, false);
    served.scan_twice(&place, &up("192.0.2.10")).await;
    served.give("192.0.2.10");
    assert!(plays(&served.scan_twice(&place, &up("192.0.2.10")).await, "192.0.2.10"));
    // Another machine at its address, which states nothing.
    place.net.forget_records();
    served.scan_twice(&place, &[seen("192.0.2.10")]).await;
    assert!(place.net.asked().iter().any(|asked| asked.method() == "DESCRIBE"));
    assert_eq!(with_login(&place.net), 0);
    assert!(plays(&served.scan_twice(&place, &up("192.0.2.10")).await, "192.0.2.10"));
}

#[tokio::test(start_paused = true)]
async fn a_check_asks_for_the_endpoint_before_it_sends_a_login_that_is_bound_to_it() {
    let place = Place::new();
    let served = Served::of(&place);
    let speaks = Arc::new(AtomicBool::new(true));
    let answers = speaks.clone();
    place.net.datagrams.on_datagram(move |sent| {
        let answer = format!(
            "<E><ProbeMatch><EndpointReference><Address>urn:uuid:{ENDPOINT}</Address></EndpointReference>\
             <Types>dn:NetworkVideoTransmitter</Types></ProbeMatch></E>"
        );
        let is_it = sent.to == "192.0.2.10:3702".parse().unwrap() && answers.load(Ordering::SeqCst);
        is_it.then(|| (Duration::from_millis(5), sent.to, Ok(answer.into_bytes()))).into_iter().collect()
    });
    // A router shows its card for both, so that the login is bound to the address and the endpoint.
    place.camera("192.0.2.10", 9, false);
    place.camera("192.0.2.11", 9, false);
    served.scan_twice(&place, &[]).await;
    let uid = served.give("192.0.2.10");
    assert!(matches!(place.store.memory().unwrap().anchor(&uid), Some(Anchor::Place { endpoint: Some(_), .. })));
    assert!(plays(&served.scan_twice(&place, &[]).await, "192.0.2.10"));
    for is_stated in [true, false, true] {
        speaks.store(is_stated, Ordering::SeqCst);
        place.net.forget_records();
        served.watch(&place).await;
        let asked = place.net.asked_of("192.0.2.10");
        assert!(asked.iter().any(|asked| asked.method() == "DESCRIBE"));
        // More than the scans of seven hours play.
        let logged_in = asked.iter().filter(|asked| asked.method() == "PLAY" && asked.has_login()).count();
        assert_eq!((logged_in > 20, asked.iter().any(Asked::has_login)), (is_stated, is_stated), "{logged_in}");
    }
}

#[tokio::test(start_paused = true)]
async fn devices_that_were_merged_get_no_password_in_plain_text_where_one_of_them_offered_digest() {
    for (into, other) in [("192.0.2.10", "192.0.2.20"), ("192.0.2.20", "192.0.2.10")] {
        let place = Place::new();
        place.camera("192.0.2.10", 1, true);
        place.camera("192.0.2.20", 2, false);
        place.scan(login(), &[]).await;
        let memory = place.store.memory().unwrap();
        let [into, other] = [into, other].map(|ip| memory.find(ip).unwrap().uid.clone());
        place.store.update(|memory| (memory.merge(&into, &other).unwrap(), Vec::new()), &()).unwrap();
        for ip in ["192.0.2.10", "192.0.2.20"] {
            place.net.host_down(ip);
        }
        place.camera("192.0.2.10", 1, false);
        place.camera("192.0.2.20", 2, false);
        place.net.forget_records();
        for _ in 0..2 {
            place.scan(login(), &[]).await;
        }
        assert!(place.net.asked().iter().any(|asked| asked.method() == "DESCRIBE"));
        assert_eq!(in_plain_text(&place.net.asked()), 0);
    }
}
