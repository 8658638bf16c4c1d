//! What a second scan asks of devices that an earlier one analysed, and that it reports whatever has changed since.

use std::sync::Arc;
use std::time::Duration;

use camscan::history::memory::Vantage;
use camscan::history::stable::stable;
use camscan::identify::signature::Signatures;
use camscan::model::{
    Credential, Device, Finding, FindingKind, MacAddr, Method, ProbeOptions, Report, ScanEvent, ScanPlan, ScanStatus,
    StreamStatus,
};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::store::{Cause, EventFilter, Open, Store};
use camscan::testkit::clock;
use camscan::testkit::net::{Asked, FakeNet, Lan, RawFrames};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::plan;
use super::servers::{Camera, http, pages};

const HOUR: Duration = Duration::from_secs(3600);
const IP: &str = "192.0.2.10";

/// A network that is scanned again and again, each time by another process.
struct Place {
    net: FakeNet,
    store: Store,
    plan: ScanPlan,
    /// What is known of hosts before any is looked for.
    heard: Vec<Finding>,
    folder: TempDir,
}

/// What a scan found, and what it asked for it.
struct Found {
    report: Report,
    asked: Vec<Asked>,
}

impl Found {
    fn device(&self) -> &Device {
        self.report.devices.iter().find(|device| device.ip.to_string() == IP).unwrap()
    }

    fn was_analysed(&self) -> bool {
        self.device().analysed_at.is_none()
    }

    /// The requests that do not prove the stream.
    fn others(&self) -> Vec<&Asked> {
        self.asked
            .iter()
            .filter(|asked| !(asked.text.contains("RTSP/1.0") && asked.target().contains("/live")))
            .collect()
    }
}

impl Place {
    /// With a camera that has a web page, scanned once.
    async fn with(camera: impl FnOnce(Camera) -> Camera, logins: &[(&str, &str)]) -> (Place, Found) {
        let place = Place::bare(logins);
        place.camera(camera);
        let found = place.scan().await;
        assert!(found.was_analysed());
        (place, found)
    }

    fn bare(logins: &[(&str, &str)]) -> Place {
        let credentials = logins.iter().map(|(user, password)| Credential::new(*user, *password)).collect();
        let probe = ProbeOptions { credentials, measure_time: Duration::from_millis(500), ..plan().probe };
        let plan = ScanPlan { probe, resolve_names: false, max_age: Some(20 * HOUR), ..plan() };
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        Place { net: FakeNet::subnet(), store, plan, heard: Vec::new(), folder }
    }

    fn camera(&self, with: impl FnOnce(Camera) -> Camera) {
        with(Camera::new(IP)).on(&self.net);
        self.net.links.mac(IP, MacAddr([0x44, 0x19, 0xb6, 0, 0, 1]));
        pages(&self.net, &format!("{IP}:80"), |asked| match asked.target() {
            "/" => http("200 OK", "Server: App-webs/\r\n", "<title>Network Camera</title>"),
            _ => http("404 Not Found", "", ""),
        });
    }

    async fn scan(&self) -> Found {
        self.scan_by(self.plan.clone(), CancellationToken::new()).await
    }

    /// Scans as `camscan scan --store` does.
    async fn scan_by(&self, plan: ScanPlan, cancel: CancellationToken) -> Found {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let before = self.net.asked().len();
        let session = Session::new(Arc::new(self.net.clone()), Signatures::builtin(), clock::now, 512);
        let memory = self.store.memory().unwrap();
        let known_hosts = Arc::new(self.store.known_hosts(&memory, &plan, &|_| None, clock::now()).unwrap());
        let plan = ScanPlan { known_hosts, ..plan };
        let scan = Scan { session: session.clone(), plan: Arc::new(plan.clone()), known: self.heard.clone(), cancel };
        let report = scan.run(|_: &ScanEvent| {}).await;
        let learnt = self.store.learn(&report, Cause::User, Vantage::CLEAR, &()).unwrap().value;
        let worked = |device: &Device| session.login_of(device);
        self.store.note_scan(&report, &learnt, &plan, &worked, clock::now()).unwrap();
        assert_eq!(self.net.streams.open_now(), 0, "connections were left open");
        Found { report, asked: self.net.asked().split_off(before) }
    }

    fn events(&self) -> Vec<&'static str> {
        let filter = EventFilter::default();
        self.store.events(&filter).unwrap().iter().map(|stored| stored.event.kind.as_str()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_camera_is_only_played() {
    let (place, first) = Place::with(|camera| camera, &[]).await;
    let told = place.events();
    for _ in 0..3 {
        let again = place.scan().await;
        assert_eq!(again.device().analysed_at, Some(first.report.scan.started_at));
        assert_eq!(again.device().streams[0].status, StreamStatus::Streaming);
        assert!(again.device().streams[0].video.as_ref().unwrap().measured_fps.is_some());
        assert_eq!(stable(again.device()), stable(first.device()));
        assert_eq!(again.device().evidence, first.device().evidence);
        assert!(again.others().len() * 5 <= first.others().len(), "{} {}", again.others().len(), first.others().len());
        assert!(again.others().is_empty(), "{:#?}", again.others());
        assert!(again.asked.iter().any(|asked| asked.method() == "PLAY"));
    }
    assert_eq!(place.events(), told);
}

/// A camera may be heard of, and its ports looked at, before it has answered to ARP.
#[tokio::test(start_paused = true)]
async fn a_camera_is_known_again_when_its_network_card_becomes_known_late() {
    for raw in [RawFrames::Allowed, RawFrames::Denied] {
        let (mut place, first) = Place::with(|camera| camera, &[]).await;
        place.heard = vec![Finding::new(IP.parse().unwrap(), FindingKind::Seen(Method::Tcp))];
        let mac = |last| MacAddr([0x44, 0x19, 0xb6, 0, 0, last]);
        let lan = |mac| Lan { hosts: [(IP.parse().unwrap(), mac)].into(), lost: 2, raw, ..Lan::default() };
        place.net.links.set_lan(lan(mac(1)));
        let again = place.scan().await;
        assert_eq!(again.device().mac, Some(mac(1)), "{raw:?}");
        assert_eq!(again.device().analysed_at, Some(first.report.scan.started_at), "{raw:?}");
        place.net.links.set_lan(lan(mac(2)));
        let other = place.scan().await;
        assert!(other.was_analysed() && other.device().mac == Some(mac(2)), "{raw:?}");
        place.net.links.set_lan(Lan { hosts: [].into(), raw, ..Lan::default() });
        assert!(place.scan().await.was_analysed(), "{raw:?}: nothing tells it from another one");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_older_or_not_wanted_is_analysed_again() {
    let (place, first) = Place::with(|camera| camera, &[]).await;
    let fresh = ScanPlan { max_age: None, ..place.plan.clone() };
    assert!(place.scan_by(fresh, CancellationToken::new()).await.was_analysed());
    assert!(!place.scan().await.was_analysed());
    // That nothing changed does not make the analysis any younger.
    tokio::time::sleep(19 * HOUR).await;
    assert!(!place.scan().await.was_analysed());
    tokio::time::sleep(HOUR).await;
    let late = place.scan().await;
    assert!(late.was_analysed());
    assert_eq!(stable(late.device()), stable(first.device()));
    // A scan that asks for other things, or with other logins, would find other things.
    let plan = || place.plan.clone();
    let others = [
        ProbeOptions { max_candidates: 3, ..plan().probe },
        ProbeOptions { credentials: vec![Credential::new("a", "b")], ..plan().probe },
        ProbeOptions { in_depth: true, ..plan().probe },
    ];
    for probe in others {
        assert!(!place.scan().await.was_analysed());
        assert!(place.scan_by(ScanPlan { probe, ..plan() }, CancellationToken::new()).await.was_analysed());
        assert!(place.scan().await.was_analysed());
    }
    // Pictures are taken of what is analysed.
    let probe = ProbeOptions { snapshots: Some(place.folder.path().to_owned()), ..plan().probe };
    assert!(place.scan_by(ScanPlan { probe, ..plan() }, CancellationToken::new()).await.was_analysed());
    assert!(!place.scan().await.was_analysed());
}

#[tokio::test(start_paused = true)]
async fn whatever_changed_is_found_as_by_a_first_scan() {
    type Change = (&'static str, fn(&Place), fn(&Device));
    let changes: [Change; 8] = [
        (
            "another camera with the same stream",
            |place| place.net.links.mac(IP, MacAddr([0x44, 0x19, 0xb6, 0, 0, 2])),
            |device| assert_eq!(device.id, "mac:44:19:b6:00:00:02"),
        ),
        (
            "the stream sends nothing",
            |place| place.camera(|camera| Camera { play_takes: None, ..camera }),
            |device| assert_ne!(device.streams[0].status, StreamStatus::Streaming),
        ),
        (
            "the stream comes by another transport, or not at all",
            |place| place.camera(|camera| Camera { udp_only: true, ..camera }),
            |device| assert_ne!(device.streams[0].status, StreamStatus::Streaming),
        ),
        (
            "a login is demanded",
            |place| place.camera(|camera| Camera { login: Some("admin:x".to_owned()), ..camera }),
            |device| assert!(device.streams.iter().all(|stream| stream.status == StreamStatus::AuthRequired)),
        ),
        (
            "it calls itself something else",
            |place| place.camera(|camera| Camera { server: "Hipcam RealServer/V1.0".to_owned(), ..camera }),
            |device| assert!(device.services.iter().any(|s| s.server.as_deref() == Some("Hipcam RealServer/V1.0"))),
        ),
        (
            "a port is open that was not",
            |place| pages(&place.net, &format!("{IP}:8080"), |_| http("200 OK", "Server: new\r\n", "<title>x</title>")),
            |device| assert!(device.services.iter().any(|service| service.port == 8080)),
        ),
        (
            "a port is closed that was open",
            |place| {
                place.net.host_down(IP);
                Camera::new(IP).on(&place.net);
                place.net.links.mac(IP, MacAddr([0x44, 0x19, 0xb6, 0, 0, 1]));
            },
            |device| assert!(device.services.iter().all(|service| service.port == 554)),
        ),
        (
            "it is busy",
            |place| place.camera(|camera| Camera { busy: true, ..camera }),
            |device| assert!(device.streams.iter().all(|stream| stream.status != StreamStatus::Streaming)),
        ),
    ];
    for (what, change, holds) in changes {
        let (place, _) = Place::with(|camera| camera, &[]).await;
        assert!(!place.scan().await.was_analysed(), "{what}");
        change(&place);
        let found = place.scan().await;
        assert!(found.was_analysed(), "{what}");
        holds(found.device());
        let fresh = place.scan_by(ScanPlan { max_age: None, ..place.plan.clone() }, CancellationToken::new()).await;
        assert_eq!(stable(found.device()), stable(fresh.device()), "{what}");
    }
}

/// The camera's web server speaks ONVIF, and tells who it is without a login.
fn onvif(place: &Place, firmware: &'static str) {
    place.camera(|camera| camera);
    pages(&place.net, &format!("{IP}:80"), move |asked| {
        let envelope = |body: &str| format!("<Envelope><Body>{body}</Body></Envelope>");
        let (says, soap) = (|call: &str| asked.text.contains(call), "Content-Type: application/soap+xml\r\n");
        match () {
            () if says("GetSystemDateAndTime") => http(
                "200 OK",
                soap,
                &envelope("<GetSystemDateAndTimeResponse><SystemDateAndTime/></GetSystemDateAndTimeResponse>"),
            ),
            () if says("GetDeviceInformation") => {
                let of = format!(
                    "<GetDeviceInformationResponse><Manufacturer>Acme</Manufacturer><Model>Dome-1</Model>\
                     <FirmwareVersion>{firmware}</FirmwareVersion><SerialNumber>AC0017</SerialNumber></GetDeviceInformationResponse>"
                );
                http("200 OK", soap, &envelope(&of))
            }
            () if asked.method() == "GET" && asked.target() == "/" => {
                http("200 OK", "Server: App-webs/\r\n", "<title>Network Camera</title>")
            }
            () => http("404 Not Found", "", ""),
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_firmware_that_is_readable_without_a_login_is_found_at_the_next_scan() {
    let place = Place::bare(&[]);
    onvif(&place, "1.0");
    assert_eq!(place.scan().await.device().firmware.as_deref(), Some("1.0"));
    let again = place.scan().await;
    assert!(!again.was_analysed());
    assert!(again.asked.len() <= 12, "{:#?}", again.asked);
    onvif(&place, "1.1");
    let found = place.scan().await;
    assert!(found.was_analysed());
    assert_eq!(found.device().firmware.as_deref(), Some("1.1"));
    assert_eq!(place.events().last(), Some(&"device.changed"));
    assert!(!place.scan().await.was_analysed());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_newly_open_is_found() {
    let locked = |camera: Camera| Camera { login: Some("admin:right".to_owned()), ..camera };
    let (place, first) = Place::with(locked, &[("guest", "x"), ("admin", "right")]).await;
    assert_eq!(first.device().streams[0].open, Some(false));
    place.camera(|camera| camera);
    let found = place.scan().await;
    assert!(found.was_analysed());
    assert_eq!(found.device().streams[0].open, Some(true));
    assert!(place.events().contains(&"stream.open"), "{:?}", place.events());
}

#[tokio::test(start_paused = true)]
async fn the_login_that_worked_is_the_only_one_that_is_shown() {
    let locked = |camera: Camera| Camera { login: Some("admin:right".to_owned()), ..camera };
    let (place, first) = Place::with(locked, &[("guest", "x"), ("admin", "right")]).await;
    let again = place.scan().await;
    assert!(!again.was_analysed());
    assert_eq!(stable(again.device()), stable(first.device()));
    let given: Vec<&Asked> = again.asked.iter().filter(|asked| asked.has_login()).collect();
    assert!(!given.is_empty() && given.iter().all(|asked| asked.has_basic_login("admin:right")), "{given:#?}");
    // Also where all is asked anew.
    let fresh = place.scan_by(ScanPlan { max_age: None, ..place.plan.clone() }, CancellationToken::new()).await;
    assert!(fresh.asked.iter().filter(|a| a.has_login()).all(|asked| asked.has_basic_login("admin:right")));
}

#[tokio::test(start_paused = true)]
async fn a_password_that_was_changed_is_not_tried_for_ever() {
    let locked = |login: &'static str| move |camera: Camera| Camera { login: Some(login.to_owned()), ..camera };
    let (place, _) = Place::with(locked("admin:right"), &[("admin", "right")]).await;
    place.camera(locked("admin:changed"));
    let mut given = 0;
    for _ in 0..4 {
        let found = place.scan().await;
        assert!(found.was_analysed());
        given += found.asked.iter().filter(|asked| asked.has_login()).count();
        assert!(found.device().streams.iter().all(|stream| stream.status == StreamStatus::AuthRequired));
    }
    assert!((1..=2).contains(&given), "{given}");
    // It has the streams that it had, and no other one.
    let streams = &place.scan().await.report.devices[0].streams;
    assert_eq!(streams.iter().map(|s| s.url.as_str()).collect::<Vec<_>>(), ["rtsp://192.0.2.10:554/live"]);
    assert!(!place.events().iter().any(|kind| kind.starts_with("stream.new")), "{:?}", place.events());
}

#[tokio::test(start_paused = true)]
async fn a_demand_for_a_login_is_proved_where_there_is_none_to_offer() {
    let locked = |camera: Camera| Camera { login: Some("admin:right".to_owned()), ..camera };
    let (place, first) = Place::with(locked, &[]).await;
    let again = place.scan().await;
    assert!(!again.was_analysed());
    assert_eq!(stable(again.device()), stable(first.device()));
}

#[tokio::test(start_paused = true)]
async fn a_camera_with_a_problem_is_analysed_in_every_scan() {
    let (place, first) = Place::with(|camera| Camera { play_takes: None, ..camera }, &[]).await;
    let again = place.scan().await;
    assert!(again.was_analysed());
    assert_eq!(stable(again.device()), stable(first.device()));
}

#[tokio::test(start_paused = true)]
async fn what_an_interrupted_scan_left_out_is_not_taken_for_all_there_is() {
    let place = Place::bare(&[]);
    place.camera(|camera| camera);
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let (found, ()) = tokio::join!(place.scan_by(place.plan.clone(), cancel), async move {
        tokio::time::sleep(Duration::from_millis(60_900)).await;
        stop.cancel();
    });
    assert_eq!(found.report.scan.status, ScanStatus::Interrupted);
    assert!(place.scan().await.was_analysed());
    assert!(!place.scan().await.was_analysed());
}
