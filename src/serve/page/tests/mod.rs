//! Every page, drawn by the router from a store, with whatever a device may say.

mod russian;
mod upkeep;

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use crate::history::memory::{StreamId, Vantage};
use crate::identify::signature::Signatures;
use crate::model::access::Role;
use crate::model::memory::Uid;
use crate::model::{Evidence, EvidenceSource, Fact};
use crate::scan::session::Session;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::store::{Cause, Open, PictureRow, Store};
use crate::testkit::net::FakeNet;
use crate::testkit::place;
use crate::watch::Order;

/// What a device may call itself.
const HOSTILE: [&str; 4] = [
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>",
    "gate\u{202e}gpj.exe\u{2066}\u{200f}\u{0}\u{1b}[31m",
    "</textarea></select></option></title></style>&lt;b&gt;",
    "javascript:alert(3)",
];

struct Site {
    app: Arc<App>,
    uids: Vec<Uid>,
    _folder: tempfile::TempDir,
}

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

impl Site {
    fn of(count: usize) -> Site {
        Site::with(|store| place::remember(store, count, now()).unwrap())
    }

    fn with(fill: impl FnOnce(&Store) -> Vec<Uid>) -> Site {
        Site::taking(None, fill)
    }

    /// Of a process that watches, where there is somebody to take orders.
    fn taking(orders: Option<mpsc::Sender<Order>>, fill: impl FnOnce(&Store) -> Vec<Uid>) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        let uids = fill(&store);
        let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), now, 16);
        Site { app: App::new(store, session, orders), uids, _folder: folder }
    }

    fn hostile() -> Site {
        Site::with(|store| {
            let mut devices = Vec::new();
            for (n, name) in HOSTILE.iter().enumerate() {
                let mut device = place::device(n);
                let name = format!("{name}{}", "x".repeat(256));
                for text in [
                    &mut device.vendor,
                    &mut device.model,
                    &mut device.firmware,
                    &mut device.serial,
                    &mut device.hostname,
                    &mut device.name,
                ] {
                    *text = Some(name.clone());
                }
                for fact in [Fact::Vendor, Fact::Name] {
                    device.evidence.push(Evidence::new(fact, &name, EvidenceSource::Onvif, 1.0).with_detail(&name));
                }
                for service in &mut device.services {
                    (service.server, service.title, service.realm) =
                        (Some(name.clone()), Some(name.clone()), Some(name.clone()));
                    service.notes.push(name.clone());
                }
                for stream in &mut device.streams {
                    stream.profile_name = Some(name.clone());
                    stream.url = format!("rtsp://{}:554/{name}", device.ip);
                    stream.warnings.push(name.clone());
                }
                devices.push(device);
            }
            let hour = jiff::SignedDuration::from_hours(1);
            store
                .learn(
                    &place::report(devices.clone(), now() - hour * 2),
                    Cause::User,
                    crate::history::memory::Vantage::CLEAR,
                    &(),
                )
                .unwrap();
            for device in &mut devices {
                device.firmware = Some(HOSTILE.concat());
            }
            let learnt = store
                .learn(&place::report(devices, now() - hour), Cause::User, crate::history::memory::Vantage::CLEAR, &())
                .unwrap();
            let write = |memory: &mut crate::history::memory::Memory| {
                for (known, name) in memory.devices.values_mut().zip(HOSTILE) {
                    known.note.name = Some(name.to_owned());
                    known.note.site = Some(name.to_owned());
                    known.note.tags = vec![name.to_owned()];
                    known.note.text = Some(name.to_owned());
                    memory.touched.insert(known.uid.clone());
                }
                ((), Vec::new())
            };
            store.update(write, &()).unwrap();
            learnt.value.devices
        })
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, axum::http::HeaderMap, Vec<u8>) {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let caller = Caller {
            account: Some(1),
            name: "anna".to_owned(),
            scopes: Role::Admin.scopes().to_vec(),
            ..Caller::default()
        };
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(caller);
        let response = TowerToHyperService::new(crate::serve::router(&self.app)).call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
    }

    async fn page(&self, path: &str, headers: &[(&str, &str)]) -> String {
        let (status, _, body) = self.get(path, headers).await;
        let body = String::from_utf8(body).unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Every page there is.
    fn paths(&self) -> Vec<String> {
        let fixed = [
            "/",
            "/?view=table",
            "/?view=table&group=tag",
            "/?group=site",
            "/?group=maker&sort=-since",
            "/?group=subnet&is=new",
            "/?q=nothing+at+all",
            "/events",
            "/events?severity=problem",
            "/events?type=device.new",
            "/scans",
            "/diff",
            "/diff?from=1&to=2",
            "/diff?from=1&to=now",
            "/map",
            "/wall",
            "/wall?site=x",
            "/notifications",
            "/logins",
            "/admin",
        ];
        fixed.into_iter().map(str::to_owned).chain(self.uids.iter().map(|uid| format!("/devices/{uid}"))).collect()
    }
}

/// Elements that have no end.
const VOID: [&str; 6] = ["meta", "link", "input", "img", "br", "hr"];

/// Whether every element ends where it must, and each attribute is in quotes.
fn check_markup(path: &str, page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.trim_start_matches("<!DOCTYPE html>");
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap();
        let tag = &rest[..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "{path}: {tag}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{path}: near {}", &rest[..rest.len().min(120)]),
            None => {
                let name = tag.split([' ', '/']).next().unwrap();
                if !VOID.contains(&name) && !tag.ends_with('/') {
                    open.push(name);
                }
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{path}: {open:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_device_says_is_text_on_every_page() {
    let site = Site::hostile();
    for path in site.paths() {
        for headers in [&[("accept-language", "en")][..], &[("accept-language", "ru")], &[("x-fragment", "list")]] {
            let page = site.page(&path, headers).await;
            check_markup(&path, &page);
            for bad in [
                "<script>alert",
                "<img src=x",
                "onerror=alert(2)>",
                "href=\"javascript:",
                "\u{202e}",
                "\u{2066}",
                "\u{1b}",
                "\0",
            ] {
                assert!(!page.contains(bad), "{path} holds {bad:?}");
            }
            assert!(!page.contains(" style=") && !page.contains(" onclick="), "{path} has style or script of its own");
            assert!(
                !page.contains("href=\"/") && !page.contains("action=\"/") && !page.contains("src=\"/"),
                "{path} leaves the base path"
            );
        }
    }
    let page = site.page(&format!("/devices/{}", site.uids[0]), &[]).await;
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_whole_and_names_what_it_shows() {
    let site = Site::of(24);
    for path in site.paths() {
        let page = site.page(&path, &[]).await;
        check_markup(&path, &page);
        assert!(page.contains("<html lang=\"en\"") && page.contains("<title>") && page.contains("<h1"), "{path}");
        let controls =
            page.matches("<input").count() - page.matches("type=\"hidden\"").count() + page.matches("<select").count();
        let labels = page.matches("<label").count();
        assert!(labels >= controls, "{path}: {controls} controls, {labels} labels");
    }
    let now = site.page("/", &[]).await;
    assert!(now.contains("Gate") && now.contains("192.168.10.10") && now.contains("1440p 25 H.265"), "{now}");
    let russian = site.page("/", &[("accept-language", "ru")]).await;
    assert!(russian.contains("<html lang=\"ru\"") && russian.contains("на связи"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_shows_what_it_says() {
    let site = Site::of(24);
    let cards =
        async |path: &str| site.page(path, &[("x-fragment", "list")]).await.matches("<article class=\"card\"").count();
    assert_eq!(cards("/").await, 24);
    assert_eq!(cards("/?state=offline").await, 1);
    assert_eq!(cards("/?is=login").await, 1);
    assert_eq!(cards("/?q=gate").await, 2);
    assert_eq!(cards("/?q=gate&state=offline").await, 0);
    assert_eq!(cards(&format!("/?id={}", site.uids[2])).await, 1);
    assert_eq!(cards("/?tag=outdoor").await, 6);
    let (status, ..) = site.get("/?state=sideways", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_page_too() {
    let site = Site::of(1);
    let (status, headers, body) = site.get("/devices/d_0000000000000000", &[]).await;
    let page = String::from_utf8(body).unwrap();
    assert_eq!(status, StatusCode::NOT_FOUND);
    check_markup("a problem", &page);
    assert!(page.contains("there is no such device"), "{page}");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    // So is an address that nothing is at: for a browser, and not for a program.
    for (path, accept, is_page) in [
        ("/nowhere/at/all", "text/html,*/*;q=0.8", true),
        ("/nowhere", "*/*", false),
        ("/api/v1/nowhere", "text/html", false),
    ] {
        let (status, headers, body) = site.get(path, &[("accept", accept), ("accept-language", "ru")]).await;
        let text = String::from_utf8(body).unwrap();
        assert_eq!((status, text.contains("<h1>Не найдено</h1>")), (StatusCode::NOT_FOUND, is_page), "{path}: {text}");
        assert_eq!(headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"), is_page, "{path}");
        assert!(!is_page || text.contains("href=\"../../\""), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_site_says_what_is_scanned_and_why_nothing_was_found() {
    let (orders, _taken) = mpsc::channel(1);
    let site = Site::taking(Some(orders), |_| Vec::new());
    let page = site.page("/", &[]).await;
    check_markup("/", &page);
    assert!(
        page.contains("No scan yet") && page.contains("own interfaces") && page.contains("name=\"targets\""),
        "{page}"
    );
    let site = Site::with(|store| {
        store
            .learn(&place::report(Vec::new(), now()), Cause::Schedule, crate::history::memory::Vantage::CLEAR, &())
            .unwrap();
        Vec::new()
    });
    let page = site.page("/", &[]).await;
    assert!(page.contains("Nothing was found") && page.contains("239") && page.contains("eth0"), "{page}");
}

/// What stands in an address in place of a login opens nothing: nothing is offered that would ask for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_its_login_says_why_it_is_not_shown_live() {
    let mut device = place::device(1);
    device.streams.truncate(1);
    device.streams[0].url = "rtsp://192.0.2.1:554/user=***&password=***&channel=1".to_owned();
    let site = Site::with(|store| {
        let vantage = crate::history::memory::Vantage::CLEAR;
        store.learn(&place::report(vec![device], now()), Cause::Schedule, vantage, &()).unwrap();
        store.memory().unwrap().roots().map(|known| known.uid.clone()).collect()
    });
    let page = site.page(&format!("/devices/{}", site.uids[0]), &[]).await;
    assert!(page.contains("its address holds a login, which is not stored"), "{page}");
    assert!(!page.contains("data-connect"), "{page}");
}

/// Everything the first page loads, as it is sent.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_view_of_a_thousand_devices_is_small() {
    let site = Site::of(1000);
    let gzip = [("accept-encoding", "gzip")];
    let began = std::time::Instant::now();
    let (status, headers, first) = site.get("/", &gzip).await;
    let took = began.elapsed();
    assert_eq!((status, headers[header::CONTENT_ENCODING].to_str().unwrap()), (StatusCode::OK, "gzip"));
    let page = site.page("/", &[]).await;
    assert!(page.contains("<b>1,000</b>") && page.matches("<article").count() == 100);
    let mut bytes = first.len();
    let paths = page.split('"').filter(|part| part.starts_with("./assets/"));
    let mut loaded: Vec<String> = paths.map(|path| path.trim_start_matches('.').to_owned()).collect();
    let folder = loaded[0].rsplit_once('/').unwrap().0.to_owned();
    loaded.extend(["live.js", "wall.js"].map(|name| format!("{folder}/{name}")));
    loaded.sort();
    loaded.dedup();
    for path in &loaded {
        let (status, headers, body) = site.get(path, &gzip).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{path}");
        bytes += body.len();
    }
    println!(
        "the first view of 1,000 devices: {bytes} bytes in {} files, the page drawn in {took:?}",
        loaded.len() + 1
    );
    assert!(bytes <= 100_000, "{bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_answer_is_stamped_with_when_it_last_did() {
    let site = Site::of(1);
    let (store, uid) = (&site.app.store, &site.uids[0]);
    let at = |minutes| now() + SignedDuration::from_mins(minutes);
    for (minutes, answers) in [(1, true), (2, false)] {
        store.update(|memory| ((), memory.answered(uid, at(minutes), answers, Vantage::CLEAR)), &()).unwrap();
    }
    let memory = store.memory().unwrap();
    let key = memory.devices[uid].streams.keys().next().unwrap();
    let picture = PictureRow { stream: StreamId::of(uid, key), at: now(), hash: "0123".to_owned(), bytes: 4 };
    store.put_picture(&picture).unwrap();
    let page = site.page("/", &[]).await;
    let stamp = "<span class=\"stamp\">not answering<small>since <time datetime=\"2026-03-10T12:01:00Z\"";
    assert!(page.contains(stamp), "{page}");
}
