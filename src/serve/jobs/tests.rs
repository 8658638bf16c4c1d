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
use crate::testkit::net::FakeNet;
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
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        place::remember(&store, 3, now()).unwrap();
        let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), now, 16);
        let (sender, orders) = mpsc::channel(8);
        let allowed = Allowed { targets: vec!["192.0.2.0/24".parse().unwrap()], ..Allowed::default() };
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
