//! What holds for a device holds at all of its addresses, and whatever becomes of the store: counted as the device counts.

use std::sync::Arc;
use std::time::Duration;

use camscan::identify::signature::Signatures;
use camscan::model::{
    Credential, DeviceTraits, Finding, FindingKind, GuardedDevices, KnownHost, KnownHosts, LoginGuard, Method,
    Protocol, ScanEvent, ScanPlan,
};
use camscan::probe::{Budget, Grant, LoginTry, Logins, Verdict};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::store::{Open, Store};
use camscan::testkit::clock;
use camscan::testkit::net::{FakeNet, Kernel, Lan, RawFrames};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::budget::{MAC, Place, Sight, WRONG, look, plan_of};
use super::identity::in_plain_text;
use super::servers::Camera;

const V6: &str = "fe80::62";

/// A network on which nothing but the kernel shows whose an address is.
fn link() -> FakeNet {
    let net = FakeNet::subnet();
    net.links.speak_v6();
    net.links.neighbour([(V6.parse().unwrap(), MAC)]);
    net
}

fn logins_of(net: &FakeNet) -> usize {
    net.asked().iter().filter(|asked| asked.has_login()).count()
}

#[tokio::test(start_paused = true)]
async fn a_camera_by_ipv4_and_ipv6_refuses_no_more_where_the_kernel_alone_knows_its_card() {
    let net = link();
    net.links.mac("192.0.2.10", MAC);
    let camera = Sight::at(&["192.0.2.10", V6]).stating(&[]);
    let report = look(&net, &camera, plan_of(&camera, &WRONG)).await;
    assert_eq!(logins_of(&net), 2);
    assert_eq!(report.devices.len(), 1, "it is one device, too");
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_moves_is_counted_by_its_card_without_arp() {
    let place = Place::on(link());
    for ip in ["192.0.2.2", "192.0.2.3", "192.0.2.4"] {
        place.net.links.mac(ip, MAC);
        place.scan(&Sight::at(&[ip]).stating(&[]), &WRONG).await;
        place.net.host_down(ip);
    }
    assert_eq!(place.logins_seen(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_card_that_is_found_after_the_logins_were_refused_counts_them() {
    let place = Place::new();
    // The kernel shows nothing, and ARP is answered when the camera was inspected long ago.
    let lan = Lan { raw: RawFrames::ArpOnly, kernel: Kernel::Absent, lost: 2, ..Lan::default() };
    place.net.links.set_lan(lan);
    for ip in ["192.0.2.2", "192.0.2.3"] {
        place.net.links.mac(ip, MAC);
        let camera = Sight::at(&[ip]).stating(&[]);
        Camera { login: Some(camera.login.to_owned()), ..Camera::new(ip) }.on(&place.net);
        let store = Store::open(&place.file(), Open::Create).unwrap();
        let plan = ScanPlan { login_book: Some(store.login_book(false)), ..plan_of(&camera, &WRONG) };
        let session = Session::new(Arc::new(place.net.clone()), Signatures::builtin(), super::clock, 512);
        let mut known = vec![Finding::new(ip.parse().unwrap(), FindingKind::Seen(Method::Tcp))];
        if ip == "192.0.2.3" {
            known.insert(0, Finding::new(ip.parse().unwrap(), FindingKind::Mac(MAC)));
        }
        let plan = Arc::new(ScanPlan { methods: vec![Method::Arp], ..plan });
        let scan = Scan { session, plan, known, cancel: CancellationToken::new() };
        let report = scan.run(|_: &ScanEvent| {}).await;
        assert_eq!(report.devices[0].mac, Some(MAC), "{ip}");
        place.net.host_down(ip);
    }
    assert_eq!(place.logins_seen(), 2);
}

/// A camera that demands Digest at one address and Basic at another, one after the other.
async fn step_down(second: &str, shows: &[FindingKind]) -> FakeNet {
    let net = link();
    let login = Some("viewer:Nur-fuer-die-eine-9".to_owned());
    for (ip, digest) in [("192.0.2.52", true), (second, false)] {
        let at = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
        Camera { login: login.clone(), digest, ..Camera::new(&at) }.on(&net);
    }
    net.links.mac("192.0.2.52", MAC);
    if !second.contains(':') {
        net.links.mac(second, MAC);
    }
    let logins = [("viewer", "Nur-fuer-die-eine-9")];
    let all = Sight::at(&["192.0.2.52"]);
    let plan = plan_of(&Sight { addresses: vec!["192.0.2.52", V6, "192.0.2.62"], ..all }, &logins);
    let plan = Arc::new(ScanPlan { concurrency: 1, ..plan });
    let session = Session::new(Arc::new(net.clone()), Signatures::builtin(), super::clock, 512);
    let mut known = Vec::new();
    for ip in ["192.0.2.52", second] {
        let kinds = shows.iter().cloned().chain([FindingKind::Seen(Method::Tcp)]);
        known.extend(kinds.map(|kind| Finding::new(ip.parse().unwrap(), kind)));
    }
    Scan { session, plan, known, cancel: CancellationToken::new() }.run(|_: &ScanEvent| {}).await;
    net
}

#[tokio::test(start_paused = true)]
async fn a_device_that_offers_digest_at_one_address_gets_no_password_in_plain_text_at_another() {
    for (second, shows) in [("192.0.2.62", vec![FindingKind::Mac(MAC)]), ("192.0.2.62", Vec::new()), (V6, Vec::new())] {
        let net = step_down(second, &shows).await;
        assert!(net.asked_of("192.0.2.52").iter().any(|asked| asked.has_login()), "{second}");
        assert!(net.asked_of(second).iter().any(|asked| asked.method() == "DESCRIBE"), "{second}");
        assert_eq!(in_plain_text(&net.asked()), 0, "{second} {shows:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_device_proved_at_one_address_in_an_earlier_scan_holds_at_another() {
    let net = link();
    let camera = Sight::at(&["192.0.2.52", "192.0.2.62"]);
    let mut guarded = GuardedDevices::default();
    guarded.add_address("192.0.2.52".parse().unwrap(), &LoginGuard { offered_digest: true, certificates: None });
    let known_hosts = Arc::new(KnownHosts::new(Arc::new(guarded)));
    let plan = plan_of(&camera, &[("admin", "right")]);
    look(&net, &camera, ScanPlan { known_hosts, concurrency: 1, ..plan }).await;
    assert!(net.asked_of("192.0.2.62").iter().any(|asked| asked.method() == "DESCRIBE"));
    assert_eq!(in_plain_text(&net.asked()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_worked_is_refused_once_where_that_cannot_be_written_down() {
    let place = Place::new();
    drop(Store::open(&place.file(), Open::Create).unwrap());
    let store = Store::open(&place.file(), Open::ReadOnly).unwrap();
    // It has another password now.
    let camera = Sight { login: "admin:new", ..Sight::at(&["192.0.2.10"]) };
    for _ in 0..4 {
        let known = KnownHost { login: Some(Credential::new("admin", "right")), ..KnownHost::default() };
        let plan = ScanPlan {
            login_book: Some(store.login_book(true)),
            known_hosts: Arc::new([("192.0.2.10".parse().unwrap(), known)].into()),
            ..plan_of(&camera, &[("admin", "right")])
        };
        look(&place.net, &camera, plan).await;
    }
    assert_eq!(place.logins_seen(), 1);
}

/// A program whose login works on the device.
struct Program {
    _store: Store,
    _budget: Arc<Budget>,
    logins: Arc<Logins>,
}

impl Program {
    fn begin(place: &Place, keeps: bool) -> Program {
        let store = Store::open(&place.file(), Open::Create).unwrap();
        let budget = Budget::new(Some(store.login_book(keeps)), clock::now);
        let host = DeviceTraits { link_mac: Some(MAC), ..DeviceTraits::at("192.0.2.10".parse().unwrap()) };
        let logins = Logins::within(&budget, host, 2, 2);
        Program { _store: store, _budget: budget, logins }
    }

    /// Sends a login, where it may within a few seconds.
    async fn send(&self, user: &str) -> Option<LoginTry> {
        let end = Instant::now() + Duration::from_secs(3);
        let login = Credential::new(user, "secret");
        while Instant::now() < end {
            match self.logins.grant(Protocol::Rtsp, &login) {
                Grant::Now(attempt) => return Some(attempt),
                Grant::Later => self.logins.changed(end).await,
                Grant::Never => break,
            }
        }
        None
    }

    /// So many of two logins at once, all of which are refused.
    async fn refused(&self, user: &str) -> usize {
        let sent = [self.send(user).await, self.send(user).await];
        let sent: Vec<LoginTry> = sent.into_iter().flatten().collect();
        sent.into_iter().map(|attempt| attempt.end(Verdict::Refused)).count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_works_is_sent_in_no_place_that_has_given_way() {
    for keeps in [true, false] {
        let place = Place::new();
        let (plays, other) = (Program::begin(&place, keeps), Program::begin(&place, false));
        plays.send("works").await.unwrap().end(Verdict::Taken);
        tokio::time::sleep(Duration::from_secs(120)).await;
        let mut refused = 0;
        for user in ["a", "b"] {
            if let Some(attempt) = other.send(user).await {
                attempt.end(Verdict::Refused);
                refused += 1;
            }
        }
        assert_eq!(refused, 2, "the place gives way");
        refused += plays.refused("works").await;
        assert_eq!(refused, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_in_which_a_login_is_sent_gives_way_to_nothing_meanwhile() {
    let place = Place::new();
    let (plays, other) = (Program::begin(&place, true), Program::begin(&place, false));
    plays.send("works").await.unwrap().end(Verdict::Taken);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let under_way = plays.send("works").await.unwrap();
    let mut refused = other.refused("a").await;
    under_way.end(Verdict::Refused);
    refused += 1 + other.refused("b").await + plays.refused("works").await;
    assert_eq!(refused, 2);
}
