//! The doors of live view, asked as players and pages ask them: a camera on the loopback, and HTTP in front of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::identify::signature::Signatures;
use crate::live::engine::Ports;
use crate::live::engine::limits::{MOST_OF_ONE, Patience};
use crate::live::manager::Config;
use crate::live::source::StreamSource;
use crate::live::stream::State as CameraState;
use crate::model::listen::ListenOn;
use crate::model::{Credential, ScanPlan, Transport};
use crate::net::RealNet;
use crate::probe::Logins;
use crate::protocol::webrtc::receiver::Receiver;
use crate::scan::session::Session;
use crate::serve::app::{Options, Streams};
use crate::serve::auth::{Access, Means, SetupCode};
use crate::serve::limits::Slots;
use crate::serve::listen::Listener;
use crate::store::{Open, Store};
use crate::testkit::fleet::clip::{Clip, Codec};
use crate::testkit::fleet::{Camera, Fleet, Login};
use crate::testkit::net::FakeNet;
use crate::wire::url::Endpoint;

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Where the camera is, and what it calls its stream: nobody who watches is to know.
const CAMERA: &str = "127.0.0.9";
const PLACE: &str = "/cam-path-7";
/// Nothing here takes so long, unless it never comes.
const LONG: Duration = Duration::from_secs(90);

struct Site {
    live: Live,
    app: Arc<App>,
    router: Router,
    fleet: Fleet,
    _folder: tempfile::TempDir,
}

/// What is watched is said by the test.
struct Given;

impl Streams for Given {
    fn changed(&self) {}
    fn replace_plan(&self, _: ScanPlan) {}
}

/// A tenth of a second of pictures that are none, 100 kB each: more than a connection holds that nobody reads.
fn rich() -> Clip {
    let sets = vec![vec![0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8, 0x40], vec![0x68, 0xce, 0x38, 0x80]];
    let picture = |head: u8| [vec![head, 0x88], vec![0x5a; 100_000]].concat();
    let key = vec![sets[0].clone(), sets[1].clone(), picture(0x65)];
    let frames = std::iter::once(key).chain((1..10).map(|_| vec![picture(0x41)])).collect();
    Clip { codec: Codec::H264, fps: 10.0, clock_rate: 90_000, frames, parameter_sets: sets }
}

fn h264() -> Clip {
    Clip::h264(include_bytes!("../../../tests/data/media/camera_h264_1280x720_25fps.h264"), 25.0)
}

impl Site {
    async fn with(clip: Clip) -> Site {
        let camera = Camera { login: Login::Digest, ..Camera::new(CAMERA.parse().unwrap(), 0) };
        let fleet = Fleet::start(vec![camera.stream(PLACE, &Arc::new(clip), None)]).await.unwrap();
        let ports = Ports { bind: vec![LOCAL], port: 0, tcp: true, forwarded: Vec::new() };
        let live = Live::new(Config { ports, patience: Patience::default(), stills: false }, RealNet::new()).unwrap();
        let logins = Logins::new(2);
        logins.offer(vec![Credential::new("viewer", "demo-password")]);
        live.set_streams(vec![StreamSource {
            id: "a".to_owned(),
            ip: CAMERA.parse().unwrap(),
            url: Endpoint::plain(fleet.cameras[0].rtsp.port()).rtsp(PLACE),
            transport: Transport::Tcp,
            logins,
            always_on: true,
            siblings: Vec::new(),
            declared: None,
            login: None,
        }]);
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), || jiff::Timestamp::UNIX_EPOCH, 16);
        let access = Access::new(Vec::new(), true, SetupCode::default());
        let app = App::with(store, session, None, Options { access, ..Options::default() });
        app.begin_live(live.clone(), Arc::new(Given));
        let site = Site { live, router: crate::serve::router(&app), app, fleet, _folder: folder };
        until("the camera plays", || site.live.facts("a").unwrap().condition.state == CameraState::Live).await;
        site
    }

    async fn ask(&self, method: &str, path: &str, kind: &str, body: impl Into<Body>) -> (u16, HeaderMap, String) {
        let scopes = vec![Scope::Live];
        let means = Means::Anonymous;
        let caller = Caller { account: Some(1), name: "anna".to_owned(), scopes, means, address: None };
        let request = Request::builder().method(method).uri(path).header("content-type", kind).extension(caller);
        let service = TowerToHyperService::new(self.router.clone());
        let (head, body) = service.call(request.body(body.into()).unwrap()).await.unwrap().into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    /// A server that listens, and a tile of the page there that has asked for pictures by MP4.
    async fn tile(&self, room: u32) -> TcpStream {
        let listener = Listener::bind(&ListenOn::parse("127.0.0.1:0").unwrap()).await.unwrap();
        let ListenOn::Tcp(at) = listener.place else { panic!() };
        tokio::spawn(listener.serve(self.app.clone(), self.router.clone(), None, Slots::new(300, 300)));
        let mut stream = connect(at, room).await;
        let request = format!(
            "GET /api/v1/streams/a/live HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://{at}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        let asked = br#"{"type":"mode","mode":"mse"}"#;
        // A whole text, masked by nothing.
        stream.write_all(&[0x81, 0x80 | asked.len() as u8, 0, 0, 0, 0]).await.unwrap();
        stream.write_all(asked).await.unwrap();
        stream
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the page, and it never leaves loopback")]
async fn connect(at: std::net::SocketAddr, room: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(room).unwrap();
    socket.connect(at).await.unwrap()
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The next message of a tile's socket; none where it was none of text.
async fn text(stream: &mut TcpStream) -> Option<String> {
    let [kind, length] = [stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap()];
    let length = match length {
        126 => u64::from(stream.read_u16().await.unwrap()),
        127 => stream.read_u64().await.unwrap(),
        short => u64::from(short),
    };
    let mut content = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut content).await.unwrap();
    (kind == 0x81).then(|| String::from_utf8(content).unwrap())
}

fn offer() -> String {
    let local = std::net::SocketAddr::new(LOCAL, 5000);
    Receiver::offer(local, false, std::time::Instant::now()).unwrap().1
}

const WHEP: &str = "/api/v1/streams/a/whep";
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

#[tokio::test(flavor = "multi_thread")]
async fn a_player_is_answered_as_the_draft_has_it() {
    let site = Site::with(h264()).await;
    let (status, headers, _) = site.ask("OPTIONS", WHEP, SDP, "").await;
    assert_eq!((status, headers["accept-post"].to_str().unwrap()), (204, SDP));
    assert_eq!(site.ask("GET", WHEP, SDP, "").await.0, 405);
    assert_eq!(site.ask("POST", WHEP, "text/plain", offer()).await.0, 415);
    assert_eq!(site.ask("POST", WHEP, SDP, "v=0\r\n".repeat(20_000)).await.0, 413);
    assert_eq!(site.ask("POST", WHEP, SDP, vec![0xff; 10]).await.0, 400);
    assert_eq!(site.ask("POST", "/api/v1/streams/b/whep", SDP, offer()).await.0, 404);
    let (status, headers, answer) = site.ask("POST", WHEP, SDP, offer()).await;
    assert_eq!(status, 201, "{answer}");
    assert!(answer.starts_with("v=0\r\n") && answer.contains("a=ice-lite"), "{answer}");
    for (name, value) in [("content-type", SDP), ("cache-control", "no-store"), ("accept-patch", FRAGMENT)] {
        assert_eq!(headers[name], value);
    }
    assert!(headers.contains_key("etag"));
    let session = headers["location"].to_str().unwrap().to_owned();
    let candidate = "a=candidate:1 1 udp 1 192.0.2.1 5 typ host";
    assert_eq!(site.ask("PATCH", &session, SDP, candidate).await.0, 415);
    assert_eq!(site.ask("PATCH", &session, FRAGMENT, "a=ice-ufrag:new\r\na=ice-pwd:new").await.0, 422);
    let mut patched = Vec::new();
    for _ in 0..16 {
        patched.push(site.ask("PATCH", &session, FRAGMENT, candidate).await.0);
    }
    assert_eq!((patched[0], patched[15]), (204, 429), "{patched:?}");
    // Its address is the only right to end it.
    assert_eq!(site.ask("DELETE", "/api/v1/whep/other", SDP, "").await.0, 404);
    assert_eq!(site.live.sessions(), 1);
    assert_eq!(site.ask("DELETE", &session, SDP, "").await.0, 200);
    until("it is over", || site.live.sessions() == 0 && site.live.figures().routes == 0).await;
    assert_eq!(site.ask("DELETE", &session, SDP, "").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_posts_are_answered_or_refused() {
    let site = Site::with(h264()).await;
    let (offer, mut all) = (offer(), BTreeMap::<u16, usize>::new());
    for _ in 0..10_000 {
        let (status, headers, body) = site.ask("POST", WHEP, SDP, offer.clone()).await;
        assert_eq!(status == 503, headers.contains_key("retry-after"), "{status}: {body}");
        *all.entry(status).or_default() += 1;
        assert!(site.live.sessions() <= MOST_OF_ONE, "of one account");
    }
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), [201, 503], "{all:?}");
    assert!(all[&201] >= MOST_OF_ONE, "{all:?}");
    until("they are forgotten", || site.live.sessions() == 0 && site.live.figures().routes == 0).await;
    assert_eq!(site.live.figures().panics, 0);
}

/// Where the camera is, how it is asked and by which login stands in nothing that a viewer gets: lists, answers, the page's socket
/// while the camera plays and when it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_watches_learns_of_the_camera() {
    let site = Site::with(h264()).await;
    let tells_nothing = |what: &str| {
        for secret in [CAMERA, PLACE, "demo-password", "rtsp:"] {
            assert!(!what.contains(secret), "{secret} in {what}");
        }
    };
    let mut tile = site.tile(1 << 20).await;
    let mut seen: Vec<Value> = Vec::new();
    let is_of = |seen: &[Value], kind: &str| seen.iter().any(|one| one["type"] == kind);
    let watched = async {
        while !["state", "codecs", "init", "stats"].iter().all(|kind| is_of(&seen, kind)) {
            let Some(text) = text(&mut tile).await else { continue };
            tells_nothing(&text);
            seen.push(serde_json::from_str(&text).unwrap());
        }
    };
    timeout(LONG, watched).await.expect("all kinds of messages");
    for (method, path) in [("POST", WHEP), ("POST", "/api/v1/streams/b/whep"), ("GET", "/api/v1/live")] {
        let (status, headers, body) = site.ask(method, path, SDP, offer()).await;
        assert!(status < 500, "{path}: {status}");
        tells_nothing(&body);
        headers.values().for_each(|value| tells_nothing(value.to_str().unwrap()));
    }
    drop(site.fleet);
    let gone = async {
        loop {
            let Some(text) = text(&mut tile).await else { continue };
            tells_nothing(&text);
            let said: Value = serde_json::from_str(&text).unwrap();
            if said["type"] == "state" && said["state"] == "away" {
                return said["reason"].as_str().unwrap().to_owned();
            }
        }
    };
    assert!(!timeout(LONG, gone).await.expect("that it is away").is_empty());
}

/// Of the streams that are known, those that were named are fetched all the time.
#[test]
fn streams_that_were_named_are_always_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
    let uids = crate::testkit::place::remember(&store, 3, "2026-03-10T12:00:00Z".parse().unwrap()).unwrap();
    let memory = store.memory().unwrap();
    let named = |always_on: &BTreeSet<String>| -> Vec<(String, bool)> {
        let all = uids.iter().flat_map(|uid| sources::streams(&memory.devices[uid], &Logins::new(0), None, always_on));
        all.map(|stream| (stream.id, stream.always_on)).collect()
    };
    let all = named(&BTreeSet::new());
    assert!(all.len() > 1 && all.iter().all(|(_, is_on)| !is_on), "{all:?}");
    let wanted = all[1].0.clone();
    for (id, is_on) in named(&BTreeSet::from([wanted.clone()])) {
        assert_eq!(is_on, id == wanted, "{id}");
    }
}

/// What stands in an address in place of a login opens nothing.
#[test]
fn an_address_without_its_login_is_not_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
    let uids = crate::testkit::place::remember(&store, 3, "2026-03-10T12:00:00Z".parse().unwrap()).unwrap();
    let memory = store.memory().unwrap();
    let known = uids.iter().map(|uid| &memory.devices[uid]).find(|known| known.streams.len() > 1).unwrap();
    let known = &mut crate::history::memory::Known::clone(known);
    let fetched = |known: &_| sources::streams(known, &Logins::new(0), None, &BTreeSet::new()).len();
    let all = fetched(known);
    let stream = known.streams.values_mut().find(|stream| stream.last_ok.is_some()).unwrap();
    stream.stream.url = "rtsp://192.0.2.1/user=***&password=***&channel=1".to_owned();
    assert_eq!(fetched(known), all - 1);
}

/// A page that takes nothing any more is let go of; whoever watches beside it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_never_reads_is_let_go_of() {
    let site = Site::with(rich()).await;
    let mut beside = site.live.mse("a", false).await.unwrap();
    let beside = tokio::spawn(async move {
        loop {
            assert!(beside.next().await.is_some(), "the one beside it ended");
        }
    });
    let _held = site.tile(4096).await;
    let viewers = || site.live.facts("a").unwrap().viewers.len();
    until("both watch", || viewers() == 2).await;
    until("the page that does not read is gone", || viewers() == 1).await;
    assert!(!beside.is_finished());
    beside.abort();
}
