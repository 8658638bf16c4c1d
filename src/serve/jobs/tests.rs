use axum::body::{Body, to_bytes};
use axum::http::Request;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;

use super::book::{ENDED, name};
use super::*;
use crate::identify::signature::Signatures;
use crate::model::ScanStatus;
use crate::model::access::Role;
use crate::model::memory::NotScanned;
use crate::scan::session::Session;
use crate::serve::app::Options;
use crate::store::accounts::AuditFilter;
use crate::store::{Open, Store};
use crate::testkit::net::{FakeNet, interface};
use crate::testkit::place;
use crate::watch::{Follower as _, News, ScanEnd, Scanning};

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

struct Site {
    app: Arc<App>,
    orders: mpsc::Receiver<Order>,
    _folder: tempfile::TempDir,
}

impl Site {
    fn new(watches: bool) -> Site {
        let targets = vec!["192.0.2.0/24".parse().unwrap()];
        Site::allowing(watches, Allowed { targets, ..Allowed::default() })
    }

    fn allowing(watches: bool, allowed: Allowed) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        place::remember(&store, 3, now()).unwrap();
        let net = FakeNet::new();
        net.links.set_interfaces(vec![interface("eth0", 2, &["2001:db8:7::1/64"])]);
        let session = Session::new(Arc::new(net), Signatures::builtin(), now, 16);
        let (sender, orders) = mpsc::channel(8);
        let options = Options { allowed, ..Options::default() };
        Site { app: App::with(store, session, watches.then_some(sender), options), orders, _folder: folder }
    }

    async fn ask(&self, method: &str, path: &str, kind: &str, body: &str, role: Role) -> (u16, String, String) {
        let scopes = role.scopes().to_vec();
        let caller = Caller { account: Some(1), name: "anna".to_owned(), scopes, ..Caller::default() };
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, kind);
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(caller);
        let response = TowerToHyperService::new(crate::serve::router(&self.app)).call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let place = parts.headers.get(header::LOCATION).map(|place| place.to_str().unwrap().to_owned());
        (parts.status.as_u16(), place.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String, String) {
        self.ask("POST", path, "application/json", body, Role::Admin).await
    }

    fn taken(&mut self) -> ScanOrder {
        match self.orders.try_recv().unwrap() {
            Order::Scan(order) => order,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn one_scan_runs_and_four_wait() {
    let mut site = Site::new(true);
    let mut first = None;
    for n in 1..=5 {
        let (status, place, body) = site.post("/api/v1/scans", &format!(r#"{{"targets":["192.0.2.{n}"]}}"#)).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["status"]), (202, &Value::from("queued")));
        assert_eq!(place, format!("/api/v1/scans/{}", body["id"].as_str().unwrap()));
        let order = site.taken();
        assert_eq!(order.targets, [format!("192.0.2.{n}").parse().unwrap()]);
        if first.is_none() {
            site.app.news(&News::ScanBegun(&order));
            first = Some((order, place));
        }
    }
    assert_eq!(site.post("/api/v1/scans", "{}").await.0, 429);
    let (order, place) = first.unwrap();
    site.app.news(&News::ScanProgress(order.id, &Scanning { addresses: 9, asked: 3, ..Scanning::default() }));
    let (status, _, body) = site.ask("GET", &place, "", "", Role::Viewer).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["status"], &body["by"]), (200, &"running".into(), &"anna".into()));
    assert_eq!(body["progress"]["asked"], 3);
    // The page shows them, and stops one.
    let (_, _, page) = site.ask("GET", "/scans", "", "", Role::Admin).await;
    assert_eq!(page.matches("/stop\"").count(), 5, "{page}");
    let form = "application/x-www-form-urlencoded";
    let stop = format!("/scans/{}/stop", name(order.id));
    let (status, to, _) = site.ask("POST", &stop, form, "back=scans", Role::Admin).await;
    assert_eq!((status, to.ends_with("/scans")), (303, true), "{to}");
    assert!(matches!(site.orders.try_recv(), Ok(Order::EndScan(id)) if id == order.id));
    let learnt = ScanEnd::Learnt { number: Some(7), status: ScanStatus::Interrupted, found: 2 };
    site.app.news(&News::ScanEnded(order.id, &learnt));
    let (_, _, body) = site.ask("GET", &place, "", "", Role::Viewer).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["status"], &body["number"], &body["found"]), (&"interrupted".into(), &7.into(), &2.into()));
    assert_eq!(site.ask("DELETE", &place, "", "", Role::Admin).await.0, 409);
    // There is a place again.
    let (status, to, _) = site.ask("POST", "/scans", form, "targets=192.0.2.9%2C+192.0.2.8&back=", Role::Admin).await;
    assert_eq!((status, to.as_str(), site.taken().targets.len()), (303, "./", 2), "{to}");
}

#[tokio::test]
async fn only_what_may_be_scanned_is() {
    let mut site = Site::new(true);
    for (body, status) in [
        (r#"{"targets":["198.51.100.1"]}"#, 422),
        (r#"{"targets":["192.0.2.0/23"]}"#, 422),
        (r#"{"targets":["camera.example"]}"#, 422),
        (r#"{"targets":["http://["]}"#, 422),
        (r#"{"target":["192.0.2.1"]}"#, 422),
        (r#"{"targets":"#, 400),
    ] {
        assert_eq!(site.post("/api/v1/scans", body).await.0, status, "{body}");
    }
    let many = format!(r#"{{"targets":[{}]}}"#, vec![r#""192.0.2.1""#; 65].join(","));
    assert_eq!(site.post("/api/v1/scans", &many).await.0, 422);
    let viewer = site.ask("POST", "/api/v1/scans", "application/json", "{}", Role::Viewer).await;
    assert_eq!(viewer.0, 403);
    assert!(site.orders.try_recv().is_err());
    assert_eq!(site.app.jobs.open(), []);
    let known = site.app.known().await.unwrap();
    let device = known.roots().next().unwrap();
    // A device that is known may be asked wherever it is.
    assert_eq!(site.post(&format!("/api/v1/devices/{}/probe", device.uid), "").await.0, 202);
    let order = site.taken();
    assert_eq!(order.device.as_ref(), Some(&device.uid));
    let key = device.streams.keys().next().unwrap();
    let stream = StreamId::of(&device.uid, key);
    assert_eq!(site.post(&format!("/api/v1/streams/{stream}/check"), "").await.0, 202);
    assert!(matches!(site.orders.try_recv(), Ok(Order::Check(uid, own)) if uid == device.uid && own == *key));
    assert_eq!(site.post("/api/v1/streams/s_nothing/check", "").await.0, 404);
    assert_eq!(site.post("/api/v1/scans", r#"{"targets":["192.0.2.7","192.0.2.9"]}"#).await.0, 202);
    let scan = name(site.taken().id);
    assert_eq!(site.ask("DELETE", &format!("/api/v1/scans/{scan}"), "", "", Role::Admin).await.0, 202);
    // What was taken on is told of, and nothing that was refused.
    let filter = AuditFilter { before: None, limit: 100 };
    let lines = site.app.store.audit(&filter).unwrap().into_iter().rev();
    let lines: Vec<String> =
        lines.map(|line| format!("{} {} {} {}", line.actor.name, line.action, line.subject, line.detail)).collect();
    let (uid, ip) = (&device.uid, device.device.ip);
    assert_eq!(
        lines,
        [
            format!("anna device.probe {uid} {ip}"),
            format!("anna stream.check {stream} of {uid}"),
            format!("anna scan.start {scan} 192.0.2.7 192.0.2.9"),
            format!("anna scan.stop {scan} "),
        ]
    );
}

#[tokio::test]
async fn what_is_more_than_one_scan_takes_on_is_refused_before_it_waits() {
    // The subnets of this machine may be scanned, and beside them far more than one scan.
    let beside = ["1.0.0.0-126.0.0.0", "2001:db8:8::/48"].map(|text| text.parse().unwrap()).to_vec();
    let exclude = vec!["10.16.0.0/12".parse().unwrap(), "10.99.0.0/24".parse().unwrap()];
    let mut site = Site::allowing(true, Allowed { targets: Vec::new(), beside, exclude });
    for (targets, said) in [
        (r#""2001:db8:7::/64""#, "too many addresses"),
        (r#""2001:db8:8::/119""#, "too many addresses"),
        (r#""10.0.0.0/8""#, "addresses, more than the 1048576"),
        (r#""1.0.0.0-120.0.0.0","2.0.0.0-121.0.0.0""#, "overlap"),
        (r#""10.99.0.7""#, "excludes"),
    ] {
        let (status, _, body) = site.post("/api/v1/scans", &format!(r#"{{"targets":[{targets}]}}"#)).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["errors"][0]["pointer"]), (422, &"/targets".into()), "{targets} {body}");
        assert!(body["detail"].as_str().unwrap().contains(said), "{body}");
        let form = format!("targets={}", targets.replace('"', ""));
        let form = site.ask("POST", "/scans", "application/x-www-form-urlencoded", &form, Role::Admin).await;
        assert_eq!(form.0, 422, "{targets}");
    }
    assert!(site.orders.try_recv().is_err());
    assert_eq!(site.app.jobs.open(), []);
    // What the excludes make small enough is scanned.
    for targets in ["10.0.0.0/11", "2001:db8:7::/120"] {
        assert_eq!(site.post("/api/v1/scans", &format!(r#"{{"targets":["{targets}"]}}"#)).await.0, 202, "{targets}");
        assert_eq!(site.taken().targets.len(), 1);
    }
}

#[tokio::test]
async fn beside_a_process_that_watches_nothing_is_scanned() {
    let site = Site::new(false);
    let (status, _, body) = site.post("/api/v1/scans", "{}").await;
    assert!(status == 503 && body.contains("--no-watch"), "{status} {body}");
    let form = "application/x-www-form-urlencoded";
    let (status, _, page) = site.ask("POST", "/scans", form, "targets=", Role::Admin).await;
    assert!(status == 503 && page.contains("--no-watch"), "{status} {page}");
    assert_eq!(site.app.jobs.open(), []);
}

#[test]
fn a_scan_that_is_due_shows_as_well_and_old_ones_are_forgotten() {
    let jobs = Jobs::default();
    let order = |id| ScanOrder { id, targets: Vec::new(), device: None, cause: Cause::Schedule, at: now() };
    for id in 0..200 {
        assert_eq!(jobs.begun(&order(id), now()).status, ScanState::Running);
        assert_eq!(jobs.running().unwrap().id, name(id));
        let ended = jobs.ended(id, &ScanEnd::Failed(NotScanned::NoSubnet), now()).unwrap();
        assert_eq!(ended.failed, Some(NotScanned::NoSubnet));
        assert_eq!(
            (ended.status, ended.error.as_deref()),
            (ScanState::Failed, Some(NotScanned::NoSubnet.to_string().as_str()))
        );
    }
    assert_eq!((jobs.running(), jobs.open().len()), (None, 0));
    assert!(jobs.find("j_199").is_some() && jobs.find("j_1").is_none());
    assert!(jobs.inner().jobs.len() <= ENDED + 1);
}
