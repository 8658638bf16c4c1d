//! What many requests at once come to: what is known is copied once, no more is made than is sent, and what takes long has places
//! of its own.

use std::io::Read as _;
use std::sync::mpsc;

use flate2::read::GzDecoder;

use super::*;
use crate::serve::api::exports;
use crate::serve::view::VIEWS;

/// What fifty requests get that are under way at the same time.
async fn known_by_fifty(site: &Site) -> Vec<Arc<Memory>> {
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let app = site.app.clone();
            tokio::spawn(async move { app.known().await.unwrap() })
        })
        .collect();
    let mut all = Vec::new();
    for one in asked {
        all.push(one.await.unwrap());
    }
    all
}

/// How many of them are others than the one before.
fn copies(before: &Arc<Memory>, all: &[Arc<Memory>]) -> usize {
    let pairs = std::iter::once(before).chain(all).zip(all);
    pairs.filter(|(one, next)| !Arc::ptr_eq(one, next)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_copied_once_for_each_change() {
    let site = Site::of(3);
    let before = site.app.known().await.unwrap();
    let unchanged = known_by_fifty(&site).await;
    assert_eq!(copies(&before, &unchanged), 0);
    // Something is written that is none of its business.
    site.app.store.put_picture(&picture_of(&site)).unwrap();
    assert_eq!(copies(&before, &known_by_fifty(&site).await), 0);
    let name = json!({ "name": "Behind the mill" });
    let changed = site.ask("PATCH", &format!("/devices/{}", site.uids[0]), &[("if-match", "*")], Some(name)).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    let all = known_by_fifty(&site).await;
    assert!(all.iter().all(|known| known.find("Behind the mill").is_some()), "what was answered is known");
    assert!(before.find("Behind the mill").is_none());
    assert!(copies(&before, &all) <= 1);
    assert_eq!(copies(&all[0], &known_by_fifty(&site).await), 0);
}

fn picture_of(site: &Site) -> crate::store::PictureRow {
    let memory = site.app.store.memory().unwrap();
    let key = memory.devices[&site.uids[0]].streams.keys().next().unwrap();
    let stream = StreamId::of(&site.uids[0], key);
    crate::store::PictureRow { stream, at: now(), hash: "0123".to_owned(), bytes: 4 }
}

/// The answer, and how many devices and streams were put in short for it.
async fn counted(site: &Site, path: &str) -> (Value, usize) {
    VIEWS.set(0);
    let answer = site.get(path).await;
    assert_eq!(answer.status, 200, "{path}");
    (answer.json(), VIEWS.get())
}

#[tokio::test]
async fn what_is_on_no_page_is_not_made() {
    let site = Site::of(40);
    for sort in ["ip", "-name", "state", "since", "-first_seen", "last_seen", "vendor", "-site", "kind"] {
        let (whole, _) = counted(&site, &format!("/devices?sort={sort}")).await;
        let (page, made) = counted(&site, &format!("/devices?sort={sort}&limit=1&count=true")).await;
        let streams = page["items"][0]["streams"].as_array().unwrap().len();
        assert_eq!((made, &page["count"]), (1 + streams, &json!(40)), "{sort}");
        assert_eq!(page["items"][0], whole["items"][0], "{sort}");
        let (second, made) =
            counted(&site, &format!("/devices?sort={sort}&limit=1&cursor={}", page["next"].as_str().unwrap())).await;
        assert_eq!(second["items"][0], whole["items"][1], "{sort}");
        assert_eq!(made, 1 + second["items"][0]["streams"].as_array().unwrap().len(), "{sort}");
    }
    let (whole, made) = counted(&site, "/streams?limit=500").await;
    assert_eq!(made, whole["items"].as_array().unwrap().len());
    let (page, made) = counted(&site, "/streams?limit=2&count=true").await;
    assert_eq!((made, &page["count"]), (2, &json!(whole["items"].as_array().unwrap().len())));
    assert_eq!(page["items"].as_array().unwrap()[..], whole["items"].as_array().unwrap()[..2]);
    let (some, made) = counted(&site, "/streams?limit=500&state=online&protocol=rtsp&codec=h264").await;
    assert_eq!(made, some["items"].as_array().unwrap().len());
    let matching = whole["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|stream| stream["protocol"] == "rtsp" && stream["codec"] == "h264");
    assert!(made > 0 && made <= matching.count());
}

const GZIP: [(&str, &str); 1] = [("accept-encoding", "br, gzip")];

#[tokio::test]
async fn a_large_answer_is_packed_for_clients_that_take_it() {
    let site = Site::of(40);
    for path in ["/devices?limit=500", "/streams", "/events", "/openapi.json", "/exports/csv", "/exports/json"] {
        let plain = site.get(path).await;
        assert!(plain.body.len() >= 2048, "{path}");
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"), "{path}");
        let packed = site.ask("GET", path, &GZIP, None).await;
        assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"), "{path}");
        for name in ["content-type", "content-disposition", "link"] {
            assert_eq!(packed.header(name), plain.header(name), "{path}");
        }
        assert_eq!(packed.header("content-length"), packed.body.len().to_string(), "{path}");
        assert!(packed.body.len() < plain.body.len() / 2, "{path}");
        let mut whole = Vec::new();
        GzDecoder::new(&packed.body[..]).read_to_end(&mut whole).unwrap();
        assert_eq!(whole, plain.body, "{path}");
    }
    for path in ["/me", "/exports/xlsx"] {
        let answer = site.ask("GET", path, &GZIP, None).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, ""), "{path}");
    }
}

#[tokio::test]
async fn the_tag_of_a_packed_answer_says_that_it_is_not_the_same_byte_for_byte() {
    let site = Site::of(3);
    let path = format!("/devices/{}", site.uids[1]);
    let plain = site.get(&path).await;
    let packed = site.ask("GET", &path, &GZIP, None).await;
    assert!(plain.body.len() >= 2048 && packed.header("content-encoding") == "gzip");
    assert_eq!(packed.header("etag"), format!("W/{}", plain.header("etag")));
    // Either leads to the device as it is, and to a change of it.
    for tag in [plain.header("etag"), packed.header("etag")] {
        let same = site.ask("GET", &path, &[("if-none-match", tag), GZIP[0]], None).await;
        assert_eq!((same.status, same.body.len(), same.header("content-encoding")), (304, 0, ""), "{tag}");
        let note = json!({ "text": "seen" });
        let changed = site.ask("PATCH", &path, &[("if-match", tag)], Some(note.clone())).await;
        assert_eq!(changed.status, 200, "{tag}");
        site.ask("PATCH", &path, &[("if-match", "*")], Some(json!({ "text": null }))).await;
    }
}

/// Exports that are under way until `go` is dropped.
fn exports_of(site: &Site, account: i64, count: usize, began: &mpsc::Sender<i64>) -> Vec<mpsc::Sender<()>> {
    let start = |_| {
        let (app, began, (go, wait)) = (site.app.clone(), began.clone(), mpsc::channel::<()>());
        let make = move |_: &App| {
            began.send(account).unwrap();
            let _ = wait.recv();
            Ok(Some(place::report(Vec::new(), now())))
        };
        let caller = Caller { account: Some(account), ..who(&[Scope::Read]) };
        tokio::spawn(async move {
            let format = exports::by_name("xlsx").unwrap();
            exports::file(&app, &caller, format, make).await.unwrap();
        });
        go
    };
    (0..count).map(start).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_question_waits_behind_the_exports_of_others() {
    let site = Site::of(3);
    let (began, begun) = mpsc::channel();
    let mut under_way = exports_of(&site, 1, 40, &began);
    assert_eq!(begun.recv().unwrap(), 1);
    let answer = site.get("/summary").await;
    assert_eq!((answer.status, &answer.json()["devices"]), (200, &json!(3)));
    // One account has one place, and another one gets the other.
    under_way.extend(exports_of(&site, 2, 1, &began));
    assert_eq!(begun.recv().unwrap(), 2);
    assert!(begun.try_recv().is_err());
    drop(under_way);
    assert_eq!(begun.iter().take(39).filter(|account| *account == 1).count(), 39);
}
