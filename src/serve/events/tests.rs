use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use futures::StreamExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::follow::MOST_REPLAYED;
use crate::identify::signature::Signatures;
use crate::model::access::Role;
use crate::model::listen::ListenOn;
use crate::model::memory::{Event, EventKind};
use crate::scan::session::Session;
use crate::serve::App;
use crate::serve::app::Options;
use crate::serve::auth::{Access, Caller, SetupCode};
use crate::serve::limits::Slots;
use crate::serve::listen::Listener;
use crate::store::{Open, Store};
use crate::testkit::net::FakeNet;
use crate::watch::News;

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

struct Site {
    app: Arc<App>,
    /// As another process has it open.
    other: Store,
    _folder: tempfile::TempDir,
}

/// Reads server-sent events one at a time.
struct Reader {
    body: BodyDataStream,
    text: String,
}

impl Reader {
    /// The next event as its id, its type and its data; none at the end.
    async fn next(&mut self) -> Option<(Option<i64>, String, Value)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let Some(data) = field("data: ") else { continue };
                let id = field("id: ").map(|id| id.parse().unwrap());
                return Some((id, field("event: ").unwrap(), serde_json::from_str(&data).unwrap()));
            }
            let bytes = tokio::time::timeout(Duration::from_secs(60), self.body.next()).await.expect("nothing came");
            self.text.push_str(std::str::from_utf8(&bytes?.unwrap()).unwrap());
        }
    }

    async fn ids(&mut self, count: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.extend(self.next().await.expect("the stream has ended").0);
        }
        ids
    }
}

impl Site {
    fn new(options: Options) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.sqlite");
        let store = Store::open(&file, Open::Create).unwrap();
        let other = Store::open(&file, Open::Create).unwrap();
        let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), now, 16);
        Site { app: App::with(store, session, None, options), other, _folder: folder }
    }

    /// Another process stores so many events; the number of the last one.
    fn happen(&self, kind: EventKind, count: usize) -> i64 {
        let events = (0..count).map(|_| Event::new(kind, now())).collect();
        self.other.update(|_| ((), events), &()).unwrap().events.last().unwrap().0
    }

    async fn ask(&self, path: &str, last: Option<i64>, account: i64) -> Response {
        let scopes = Role::Viewer.scopes().to_vec();
        let mut request = Request::builder().uri(path);
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Caller { account: Some(account), scopes, ..Caller::default() });
        TowerToHyperService::new(crate::serve::router(&self.app)).call(request).await.unwrap()
    }

    async fn follow(&self, query: &str, last: Option<i64>) -> Reader {
        let response = self.ask(&format!("/api/v1/events/stream{query}"), last, 1).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Reader { body: response.into_body().into_data_stream(), text: String::new() }
    }
}

#[tokio::test]
async fn what_was_missed_is_replayed_and_what_another_process_writes_comes() {
    let site = Site::new(Options::default());
    let last = site.happen(EventKind::DeviceOffline, 10_000);
    let mut reader = site.follow("", Some(last - 10_000)).await;
    let first: Vec<i64> = reader.ids(5_000).await;
    // More happens while the rest is replayed.
    let last = site.happen(EventKind::DeviceOnline, 3);
    let rest = reader.ids(5_003).await;
    let all: Vec<i64> = first.into_iter().chain(rest).collect();
    assert_eq!(all, (last - 10_002..=last).collect::<Vec<_>>());
    // Whoever begins now gets what is new alone, and what it asks for alone.
    let mut some = site.follow("?types=device.online,scan.progress", None).await;
    site.happen(EventKind::DeviceOffline, 2);
    let next = site.happen(EventKind::DeviceOnline, 1);
    let (id, kind, data) = some.next().await.unwrap();
    assert_eq!((id, kind.as_str(), &data["id"]), (Some(next), "device.online", &next.into()));
    let mut only = site.follow(&format!("?after={}&types=device.online", last - 3), None).await;
    assert_eq!(only.ids(3).await, [last - 2, last - 1, last]);
    let refused = site.ask("/api/v1/events/stream?types=device.nothing", None, 1).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn whoever_asks_for_what_is_gone_is_told_so_and_goes_on() {
    let site = Site::new(Options::default());
    let last = site.happen(EventKind::DeviceOffline, 3);
    for too_much in [last + 50, 0] {
        if too_much == 0 {
            let events = site.happen(EventKind::DeviceOffline, usize::try_from(MOST_REPLAYED).unwrap() + 1);
            assert!(events > MOST_REPLAYED);
        }
        let top = site.other.event_numbers().unwrap().1;
        let mut reader = site.follow("", Some(too_much)).await;
        let (id, kind, _) = reader.next().await.unwrap();
        assert_eq!((id, kind.as_str()), (Some(top), "resync"));
        let next = site.happen(EventKind::DeviceOnline, 1);
        assert_eq!(reader.ids(1).await, [next]);
    }
}

#[tokio::test]
async fn who_does_not_follow_is_cut_off_and_nobody_waits_for_it() {
    let site = Site::new(Options::default());
    let (mut slow, mut quick) = (site.follow("", None).await, site.follow("", None).await);
    let last = site.happen(EventKind::DeviceOffline, 1_000);
    // The quick one gets all of them while the slow one reads nothing.
    assert_eq!(quick.ids(1_000).await, (last - 999..=last).collect::<Vec<_>>());
    let mut kinds = Vec::new();
    while let Some((_, kind, _)) = slow.next().await {
        kinds.push(kind);
    }
    assert_eq!(kinds, ["resync"]);
    let metrics = String::from_utf8(
        axum::body::to_bytes(site.ask("/metrics", None, 1).await.into_body(), usize::MAX).await.unwrap().to_vec(),
    );
    // Whoever was cut off counts no longer.
    assert!(metrics.unwrap().contains("camscan_event_clients{kind=\"sse\"} 1"));
    drop((slow, quick));
    assert_eq!(site.app.events.sender.receiver_count(), 0);
}

#[tokio::test]
async fn there_are_places_for_32_of_one_account_and_256_in_all() {
    let site = Site::new(Options::default());
    let mut all = Vec::new();
    for n in 0..256 {
        let response = site.ask("/api/v1/events/stream", None, n / 32).await;
        assert_eq!(response.status(), StatusCode::OK, "{n}");
        all.push(response);
        if n == 31 {
            assert_eq!(site.ask("/api/v1/events/stream", None, 0).await.status(), StatusCode::TOO_MANY_REQUESTS);
        }
    }
    assert_eq!(site.ask("/api/v1/events/stream", None, 99).await.status(), StatusCode::TOO_MANY_REQUESTS);
    all.pop();
    assert_eq!(site.ask("/api/v1/events/stream", None, 99).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn streams_end_with_the_process_and_news_comes_as_it_happens() {
    let site = Site::new(Options::default());
    let mut reader = site.follow("", None).await;
    let order = crate::watch::ScanOrder {
        id: 5,
        targets: Vec::new(),
        device: None,
        cause: crate::store::Cause::User,
        at: now(),
    };
    crate::watch::Follower::news(&*site.app, &News::ScanBegun(&order));
    let (id, kind, data) = reader.next().await.unwrap();
    assert_eq!((id, kind.as_str()), (None, "scan.progress"));
    // As the page's script reads it.
    assert_eq!(
        (&data["id"], &data["status"], &data["type"]),
        (&"j_5".into(), &"running".into(), &"scan.progress".into())
    );
    assert!(data["progress"]["addresses"].is_number());
    for n in 0..1000_u32 {
        let ip = std::net::Ipv4Addr::from(0xc000_0200 + n).into();
        crate::watch::Follower::news(&*site.app, &News::HostUp(5, ip, crate::model::Method::Arp));
    }
    // Many at once push nobody out.
    assert_eq!(reader.next().await.unwrap().1, "host.up");
    site.app.stop.cancel();
    while reader.next().await.is_some() {}
}

/// A server on loopback where everybody may look.
async fn listen(site: &Site) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = Listener::bind(&ListenOn::parse("127.0.0.1:0").unwrap()).await.unwrap();
    let ListenOn::Tcp(at) = listener.place else { panic!() };
    let task =
        tokio::spawn(listener.serve(site.app.clone(), crate::serve::router(&site.app), None, Slots::new(300, 300)));
    (at, task)
}

#[expect(clippy::disallowed_methods, reason = "this is the client, and it never leaves loopback")]
async fn connect(at: std::net::SocketAddr, request: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

fn upgrade(at: std::net::SocketAddr, origin: &str) -> String {
    format!(
        "GET /api/v1/ws HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: {origin}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_websocket_carries_the_same_and_no_page_of_others_opens_it() {
    let options = Options { access: Access::new(Vec::new(), true, SetupCode::default()), ..Options::default() };
    let site = Site::new(options);
    let (at, task) = listen(&site).await;
    let (_, head) = connect(at, &upgrade(at, "https://evil.example")).await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    let (mut stream, head) = connect(at, &upgrade(at, &format!("http://{at}"))).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    // The client is there as soon as its task runs.
    while !site.app.events.has_clients() {
        tokio::task::yield_now().await;
    }
    let last = site.happen(EventKind::DeviceOffline, 1);
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x81, "a whole text");
    let length = match head[1] {
        126 => usize::from(stream.read_u16().await.unwrap()),
        short => usize::from(short),
    };
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await.unwrap();
    let data: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&data["id"], &data["type"]), (&last.into(), &"device.offline".into()));
    site.app.stop.cancel();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert_eq!(rest.first(), Some(&0x88), "a farewell");
    task.abort();
}

/// `cargo test --profile profiling --lib two_hundred_clients -- --ignored --nocapture`: what 200 clients cost at 10 events a second.
#[tokio::test]
#[ignore = "measures"]
async fn two_hundred_clients_at_ten_events_a_second() {
    let options = Options { access: Access::new(Vec::new(), true, SetupCode::default()), ..Options::default() };
    let site = Site::new(options);
    let mut readers = Vec::new();
    for n in 0..200 {
        let response = site.ask("/api/v1/events/stream", None, n / 32).await;
        let mut reader = Reader { body: response.into_body().into_data_stream(), text: String::new() };
        readers.push(tokio::spawn(async move { reader.ids(100).await.len() }));
    }
    let (cpu, began) = (cpu(), Instant::now());
    for _ in 0..100 {
        site.happen(EventKind::DeviceOffline, 1);
        site.app.events.stored();
        sleep(Duration::from_millis(100)).await;
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 100);
    }
    let (used, took) = (self::cpu() - cpu, began.elapsed().as_secs_f64());
    println!("{:.1} % of a core over {took:.1} s, the clients and the writer included", used / took * 100.0);
}

/// Seconds of processor time this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
