//! Refused logins are counted by device: over its addresses, over scans, over programs that scan at once, and over programs
//! that are killed. Counted as the device counts them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use camscan::history::memory::Vantage;
use camscan::identify::signature::Signatures;
use camscan::model::login_place::{self, BookError, Outcome, PlaceId, SentLogin};
use camscan::model::{
    Credential, DeviceTraits, Evidence, EvidenceSource, Fact, Finding, FindingKind, HostTarget, KnownHost, LoginBook,
    MacAddr, Method, ProbeOptions, Protocol, Report, ScanEvent, ScanPlan, StreamStatus, TargetSet,
};
use camscan::probe::{Budget, Grant, LoginTry, Logins, Verdict};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::store::{Cause, Open, Store};
use camscan::testkit::clock;
use camscan::testkit::net::{FakeNet, Kernel, Lan, RawFrames};
use camscan::testkit::plan::credentials;
use jiff::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::plan;
use super::servers::Camera;

pub const MAC: MacAddr = MacAddr([0x44, 0x19, 0xb6, 0, 0, 0x10]);

/// How one camera shows itself.
#[derive(Debug, Clone)]
pub struct Sight {
    pub addresses: Vec<&'static str>,
    /// What is known of each address before it is asked anything.
    pub shows: Vec<FindingKind>,
    /// Its login; other ones are refused.
    pub login: &'static str,
}

impl Sight {
    pub fn at(addresses: &[&'static str]) -> Sight {
        Sight { addresses: addresses.to_vec(), shows: vec![FindingKind::Mac(MAC)], login: "admin:right" }
    }

    pub fn stating(self, shows: &[FindingKind]) -> Sight {
        Sight { shows: shows.to_vec(), ..self }
    }
}

fn serial(text: &str) -> FindingKind {
    FindingKind::Evidence(Evidence::new(Fact::Serial, text, EvidenceSource::Wsdd, 0.8))
}

fn endpoint(text: &str) -> FindingKind {
    FindingKind::EndpointId(text.to_owned())
}

/// Programs that scan the same network, with the same store.
pub struct Place {
    pub net: FakeNet,
    folder: TempDir,
}

impl Place {
    /// Where the link shows no network card, as behind a router.
    pub fn new() -> Place {
        let net = FakeNet::subnet();
        net.links.set_lan(Lan { raw: RawFrames::Denied, kernel: Kernel::Absent, ..Lan::default() });
        Place::on(net)
    }

    pub fn on(net: FakeNet) -> Place {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Place { net, folder }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("store.sqlite")
    }

    /// Requests with a login that the camera has seen, at all of its addresses.
    pub fn logins_seen(&self) -> usize {
        self.net.asked().iter().filter(|asked| asked.has_login()).count()
    }

    /// Another program scans the camera with these logins, and remembers it.
    pub async fn scan(&self, camera: &Sight, logins: &[(&str, &str)]) -> Report {
        let store = Store::open(&self.file(), Open::Create).unwrap();
        let memory = store.memory().unwrap();
        let mut plan = plan_of(camera, logins);
        plan.known_hosts = Arc::new(store.known_hosts(&memory, &plan, &|_| None, super::clock()).unwrap());
        plan.login_book = Some(store.login_book(false));
        let report = look(&self.net, camera, plan.clone()).await;
        let learnt = store.learn(&report, Cause::User, Vantage::CLEAR, &()).unwrap().value;
        store.note_scan(&report, &learnt, &plan, &|_| None, super::clock()).unwrap();
        report
    }
}

pub fn plan_of(camera: &Sight, logins: &[(&str, &str)]) -> ScanPlan {
    let host = |ip: &&str| HostTarget { ip: ip.parse().unwrap(), name: None, zone: None, ports: Vec::new() };
    let hosts: Vec<HostTarget> = camera.addresses.iter().map(host).collect();
    let names = camera.addresses.iter().map(ToString::to_string).collect();
    let probe = ProbeOptions { credentials: credentials(logins), ..plan().probe };
    ScanPlan { targets: TargetSet::new(names, [], hosts, &[]), methods: Vec::new(), probe, ..plan() }
}

pub async fn look(net: &FakeNet, camera: &Sight, plan: ScanPlan) -> Report {
    for ip in &camera.addresses {
        let ip = if ip.contains(':') { format!("[{ip}]") } else { (*ip).to_owned() };
        Camera { login: Some(camera.login.to_owned()), ..Camera::new(&ip) }.on(net);
    }
    let session = Session::new(Arc::new(net.clone()), Signatures::builtin(), super::clock, 512);
    let mut known = Vec::new();
    for ip in camera.addresses.iter().map(|ip| ip.parse::<IpAddr>().unwrap()) {
        known.extend(camera.shows.iter().map(|kind| Finding::new(ip, kind.clone())));
        known.push(Finding::new(ip, FindingKind::Seen(Method::Tcp)));
    }
    let scan = Scan { session, plan: Arc::new(plan), known, cancel: CancellationToken::new() };
    scan.run(|_: &ScanEvent| {}).await
}

pub const WRONG: [(&str, &str); 3] = [("a", "1"), ("b", "2"), ("c", "3")];

#[tokio::test(start_paused = true)]
async fn a_camera_refuses_no_more_at_all_of_its_addresses_together_and_the_report_says_so() {
    let one = [endpoint("uuid-1"), serial("X4711A")];
    let sights = [
        Sight::at(&["192.0.2.10", "fd77::2"]),
        Sight::at(&["192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13"]).stating(&one),
        Sight::at(&["192.0.2.10", "192.0.2.11"]).stating(&[FindingKind::StatedMac(MAC), endpoint("uuid-1")]),
    ];
    for camera in sights {
        let net = FakeNet::subnet();
        let report = look(&net, &camera, plan_of(&camera, &WRONG)).await;
        let seen = net.asked().iter().filter(|asked| asked.has_login()).count();
        assert_eq!(seen, 2, "{camera:?}");
        let said: u32 = report.devices.iter().filter_map(|d| d.login_attempts).map(|a| a.counted()).sum();
        assert_eq!(said, 2, "{:?}", report.devices.iter().map(|d| (d.ip, d.login_attempts)).collect::<Vec<_>>());
        let why = serde_json::to_string(&report).unwrap();
        assert!(why.contains("2 of 2 refused logins used"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn cameras_of_one_series_that_share_an_endpoint_are_counted_each_for_itself() {
    let net = FakeNet::subnet();
    let mut seen = Vec::new();
    for (n, ip) in ["192.0.2.10", "192.0.2.11", "192.0.2.12"].into_iter().enumerate() {
        Camera { login: Some("admin:right".to_owned()), ..Camera::new(ip) }.on(&net);
        let mac = MacAddr([0x44, 0x19, 0xb6, 0, 0, n as u8]);
        seen.extend(
            [FindingKind::Mac(mac), endpoint("of-the-series"), FindingKind::Seen(Method::Tcp)]
                .map(|kind| Finding::new(ip.parse().unwrap(), kind)),
        );
    }
    let all = Sight::at(&["192.0.2.10", "192.0.2.11", "192.0.2.12"]);
    let session = Session::new(Arc::new(net.clone()), Signatures::builtin(), super::clock, 512);
    let plan = Arc::new(plan_of(&all, &[("a", "1"), ("admin", "right")]));
    let report = Scan { session, plan, known: seen, cancel: CancellationToken::new() }.run(|_: &ScanEvent| {}).await;
    assert_eq!(report.devices.len(), 3);
    for device in &report.devices {
        assert!(device.streams.iter().any(|s| s.status == StreamStatus::Streaming), "{:?}", device.streams);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_camera_refused_goes_with_it_to_a_new_address() {
    for shows in [
        vec![FindingKind::Mac(MAC)],
        vec![FindingKind::StatedMac(MAC), endpoint("uuid-1"), serial("X4711A")],
        vec![endpoint("uuid-1")],
    ] {
        let place = Place::new();
        for ip in ["192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14"] {
            place.scan(&Sight::at(&[ip]).stating(&shows), &WRONG).await;
        }
        assert_eq!(place.logins_seen(), 2, "{shows:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_at_an_address_counts_there_whatever_the_device_states_next() {
    let place = Place::new();
    for n in 0..12 {
        let shows = [serial(&format!("X47{n}A")), endpoint(&format!("uuid-{n}"))];
        let report = place.scan(&Sight::at(&["192.0.2.10"]).stating(&shows), &WRONG).await;
        let why = serde_json::to_string(&report).unwrap();
        assert_eq!(why.contains("camscan devices login retry"), n > 0, "{n}: {why}");
    }
    assert_eq!(place.logins_seen(), 2);
}

#[tokio::test(start_paused = true)]
async fn programs_that_scan_at_once_share_what_a_camera_may_refuse() {
    let place = Place::new();
    let camera = Sight::at(&["192.0.2.10"]);
    drop(Store::open(&place.file(), Open::Create).unwrap());
    let programs = std::iter::repeat_with(|| async {
        let store = Store::open(&place.file(), Open::Create).unwrap();
        let plan = ScanPlan { login_book: Some(store.login_book(false)), ..plan_of(&camera, &WRONG) };
        look(&place.net, &camera, plan).await
    });
    futures::future::join_all(programs.take(4)).await;
    assert_eq!(place.logins_seen(), 2);
}

#[tokio::test(start_paused = true)]
async fn programs_that_scan_at_once_with_the_right_login_all_see_the_stream() {
    let place = Place::new();
    let camera = Sight::at(&["192.0.2.10"]);
    drop(Store::open(&place.file(), Open::Create).unwrap());
    let programs = std::iter::repeat_with(|| async {
        let store = Store::open(&place.file(), Open::Create).unwrap();
        let plan = ScanPlan { login_book: Some(store.login_book(false)), ..plan_of(&camera, &[("admin", "right")]) };
        look(&place.net, &camera, plan).await
    });
    for report in futures::future::join_all(programs.take(4)).await {
        let streams = &report.devices[0].streams;
        assert!(streams.iter().any(|s| s.status == StreamStatus::Streaming), "{streams:#?}");
    }
}

/// A program that scans: its store, and the logins of the host it asks.
struct Program {
    store: Store,
    budget: Arc<Budget>,
    logins: Arc<Logins>,
    host: DeviceTraits,
    under_way: Option<(Protocol, LoginTry)>,
}

impl Program {
    fn begin(place: &Place, host: DeviceTraits, keeps: bool) -> Program {
        let store = Store::open(&place.file(), Open::Create).unwrap();
        let budget = Budget::new(Some(store.login_book(keeps)), clock::now);
        let logins = Logins::within(&budget, host.clone(), 2, 2);
        Program { store, budget, logins, host, under_way: None }
    }

    /// The next scan of the same program.
    async fn scan_again(&mut self, host: DeviceTraits, keeps: bool) {
        drop(self.under_way.take());
        self.logins = Logins::new(0);
        self.budget.written(Duration::from_secs(5)).await;
        self.budget = Budget::new(Some(self.store.login_book(keeps)), clock::now);
        (self.logins, self.host) = (Logins::within(&self.budget, host.clone(), 2, 2), host);
    }

    /// Sends a login, if it may within a few seconds.
    async fn send(&mut self, protocol: Protocol, login: &Credential) -> bool {
        let end = Instant::now() + Duration::from_secs(3);
        while self.under_way.is_none() && Instant::now() < end {
            match self.logins.grant(protocol, login) {
                Grant::Now(attempt) => self.under_way = Some((protocol, attempt)),
                Grant::Later => self.logins.changed(end).await,
                Grant::Never => break,
            }
        }
        self.under_way.is_some()
    }

    /// It is killed: nothing of it is told to anything any more.
    fn kill(self) {
        std::mem::forget((self.under_way, self.logins, self.budget, self.store));
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A program sends a login to a device; the answer, if there is one before the next step.
    Send { program: usize, login: usize, protocol: usize, answer: Option<Verdict> },
    /// A program scans again, this device at this address.
    Scan { program: usize, device: usize, address: usize },
    /// A program is killed, and another one begins.
    Kill { program: usize, device: usize, address: usize },
    /// Two minutes pass: places that are kept give way from now on.
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verdict = prop::sample::select(vec![
        Verdict::Taken,
        Verdict::LookedAt,
        Verdict::Refused,
        Verdict::Refused,
        Verdict::Unclear,
        Verdict::Unanswered,
        Verdict::Unsent,
    ]);
    let step = prop_oneof![
        5 => (0..3usize, 0..2usize, 0..2usize, prop::option::weighted(0.8, verdict))
            .prop_map(|(program, login, protocol, answer)| Step::Send { program, login, protocol, answer }),
        2 => (0..3usize, 0..2usize, 0..3usize)
            .prop_map(|(program, device, address)| Step::Scan { program, device, address }),
        1 => Just(Step::Wait),
        1 => (0..3usize, 0..2usize, 0..3usize)
            .prop_map(|(program, device, address)| Step::Kill { program, device, address }),
    ];
    prop::collection::vec(step, 0..24)
}

/// A device by what the link shows of it, at one of its addresses.
fn host(device: usize, address: usize) -> DeviceTraits {
    let ip = format!("192.0.2.{}", 10 * (device + 1) + address);
    DeviceTraits {
        link_mac: Some(MacAddr([0x44, 0x19, 0xb6, 0, 0, device as u8])),
        ..DeviceTraits::at(ip.parse().unwrap())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever devices are asked at whichever of their addresses, by however many programs, in however many scans, and
    /// whichever of the programs are killed: no device ever has more than two logins to count that it refused or answered
    /// unclearly, or that it did not answer and did not take afterwards.
    #[test]
    fn no_device_counts_more_refusals_than_allowed_over_addresses_scans_programs_and_kills(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let counted = runtime.block_on(count(steps));
        prop_assert!(counted.iter().all(|counted| *counted <= 2), "{counted:?}");
    }
}

/// What a device counts.
#[derive(Default)]
struct Counted {
    refused: usize,
    /// What it may have refused: it said nothing.
    unanswered: Vec<(Protocol, Credential)>,
    /// The most there ever were.
    most: usize,
}

impl Counted {
    fn answer(&mut self, attempt: &LoginTry, protocol: Protocol, verdict: Verdict) {
        let login = (protocol, attempt.credential().clone());
        match verdict {
            Verdict::Refused => self.refused += 1,
            Verdict::Unclear if !attempt.is_proved() => self.refused += 1,
            Verdict::Unanswered if !attempt.is_proved() => self.unanswered.push(login),
            Verdict::Taken => self.unanswered.retain(|one| *one != login),
            _ => {}
        }
        self.most = self.most.max(self.refused + self.unanswered.len());
    }
}

/// Runs the steps; the most that each device has counted.
async fn count(steps: Vec<Step>) -> [usize; 2] {
    const PROTOCOLS: [Protocol; 2] = [Protocol::Rtsp, Protocol::Onvif];
    let place = Place::new();
    let mut counted: [Counted; 2] = Default::default();
    let device_of = |host: &DeviceTraits| usize::from(host.link_mac.unwrap().0[5]);
    let mut programs: Vec<Program> = (0..3).map(|n| Program::begin(&place, host(n % 2, 0), n == 2)).collect();
    for step in steps {
        match step {
            Step::Send { program, login, protocol, answer } => {
                let login = Credential::new(["a", "b"][login], "secret");
                let of = &mut programs[program];
                if !of.send(PROTOCOLS[protocol], &login).await {
                    continue;
                }
                let Some(verdict) = answer else { continue };
                let (protocol, attempt) = of.under_way.take().unwrap();
                counted[device_of(&of.host)].answer(&attempt, protocol, verdict);
                attempt.end(verdict);
            }
            Step::Scan { program, device, address } => {
                let of = &mut programs[program];
                // What was under way is given up: the device may have counted it.
                if let Some((protocol, attempt)) = &of.under_way {
                    counted[device_of(&of.host)].answer(attempt, *protocol, Verdict::Unanswered);
                }
                of.scan_again(host(device, address), program == 2).await;
            }
            Step::Kill { program, device, address } => {
                let next = Program::begin(&place, host(device, address), program == 2);
                let killed = std::mem::replace(&mut programs[program], next);
                if let Some((protocol, attempt)) = &killed.under_way {
                    counted[device_of(&killed.host)].answer(attempt, *protocol, Verdict::Unanswered);
                }
                killed.kill();
            }
            Step::Wait => tokio::time::sleep(Duration::from_secs(120)).await,
        }
    }
    counted.map(|counted| counted.most)
}

/// The network loses an answer now and then, and the camera takes the login whenever it is heard.
#[tokio::test(start_paused = true)]
async fn answers_that_are_lost_now_and_then_leave_a_login_to_be_sent() {
    let place = Place::new();
    let login = Credential::new("admin", "right");
    let mut program = Program::begin(&place, host(0, 0), true);
    for n in 0..12 {
        assert!(program.send(Protocol::Rtsp, &login).await, "time {n}");
        let (_, attempt) = program.under_way.take().unwrap();
        attempt.end(if n % 2 == 0 { Verdict::Unanswered } else { Verdict::Taken });
        program.scan_again(host(0, 0), true).await;
    }
    // Two in a row may be how the camera refuses.
    for n in 0..3 {
        assert_eq!(program.send(Protocol::Rtsp, &login).await, n < 2, "time {n}");
        drop(program.under_way.take());
        program.scan_again(host(0, 0), true).await;
    }
}

/// A book that cannot be written.
#[derive(Debug)]
struct Full;

impl LoginBook for Full {
    fn take(
        &self,
        _: &DeviceTraits,
        _: u32,
        _: bool,
        _: Option<PlaceId>,
        _: Timestamp,
    ) -> Result<login_place::Place, BookError> {
        Err(BookError("the disk is full".to_owned()))
    }

    fn renew(&self, _: PlaceId, _: Timestamp) -> Result<bool, BookError> {
        Err(BookError("the disk is full".to_owned()))
    }

    fn end(&self, _: PlaceId, _: Outcome) -> Result<bool, BookError> {
        Err(BookError("the disk is full".to_owned()))
    }

    fn note_refused(
        &self,
        _: Option<PlaceId>,
        _: &DeviceTraits,
        _: Option<&SentLogin>,
        _: Timestamp,
    ) -> Result<(), BookError> {
        Err(BookError("the disk is full".to_owned()))
    }

    fn note_taken(&self, _: &DeviceTraits, _: &SentLogin, _: Timestamp) -> Result<(), BookError> {
        Err(BookError("the disk is full".to_owned()))
    }

    fn give_back(&self, _: PlaceId, _: &DeviceTraits) -> Result<(), BookError> {
        Err(BookError("the disk is full".to_owned()))
    }

    fn identify(&self, _: &[PlaceId], _: &DeviceTraits) -> Result<(), BookError> {
        Err(BookError("the disk is full".to_owned()))
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_written_down_only_a_login_that_works_is_sent() {
    let camera = Sight::at(&["192.0.2.10"]);
    let known = KnownHost { login: Some(Credential::new("admin", "right")), ..KnownHost::default() };
    for (known, expected) in [(known, StreamStatus::Streaming), (KnownHost::default(), StreamStatus::AuthRequired)] {
        let net = FakeNet::subnet();
        let is_known = known.login.is_some();
        let plan = ScanPlan {
            login_book: Some(Arc::new(Full)),
            known_hosts: Arc::new([("192.0.2.10".parse().unwrap(), known)].into()),
            ..plan_of(&camera, &[("admin", "right")])
        };
        let report = look(&net, &camera, plan).await;
        assert_eq!(report.devices[0].streams[0].status, expected);
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(text.contains("it cannot be written down before it is sent: the disk is full"), !is_known, "{text}");
        assert_eq!(net.asked().iter().any(|asked| asked.has_login()), is_known);
    }
}
