//! Answers that go on, and everything that ends the right to them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::live::engine::Ports;
use crate::live::engine::limits::Patience;
use crate::live::manager::{Config, Live};
use crate::live::source::StreamSource;
use crate::model::{ScanPlan, Transport};
use crate::net::RealNet;
use crate::probe::Logins;
use crate::protocol::webrtc::receiver::Receiver;
use crate::serve::app::Streams;
use crate::store::accounts::{NewToken, SESSION_IDLE};
use crate::testkit::fleet::clip::Clip;
use crate::testkit::fleet::{Camera, Fleet};
use crate::wire::url::Endpoint;

/// Nothing here takes so long, unless it never comes.
const LONG: Duration = Duration::from_secs(60);

/// Every endpoint whose answer goes on, as the table of the API has it; `a` sends H.264, `b` JPEGs.
const LASTING: [(&str, &str, &str); 5] = [
    ("GET", "/events/stream", "/api/v1/events/stream"),
    ("GET", "/ws", "/api/v1/ws"),
    ("GET", "/streams/{id}/live", "/api/v1/streams/a/live"),
    ("GET", "/streams/{id}/stream.mjpeg", "/api/v1/streams/b/stream.mjpeg"),
    ("POST", "/streams/{id}/whep", "/api/v1/streams/a/whep"),
];

/// An endpoint that begins such an answer is in the list, so that a new one comes with its test.
#[test]
fn every_answer_that_goes_on_is_in_the_list() {
    const ENDLESS: [&str; 3] = ["text/event-stream", "multipart/x-mixed-replace", "application/sdp"];
    let goes_on = |row: &crate::serve::api::table::Endpoint| {
        let is_endless = |media: &str| ENDLESS.contains(&media);
        row.answers.iter().any(|answer| answer.status == 101 || answer.content.iter().any(|c| is_endless(c.media)))
    };
    let rows = crate::serve::api::rows();
    let found: BTreeSet<(&str, &str)> =
        rows.iter().filter(|row| goes_on(row)).map(|row| (row.method.as_str(), row.path)).collect();
    assert_eq!(found, LASTING.map(|(method, path, _)| (method, path)).into());
}

static NOW: AtomicI64 = AtomicI64::new(1_800_000_000);

/// Moved by the test.
fn moved() -> Timestamp {
    Timestamp::from_second(NOW.load(Ordering::SeqCst)).unwrap()
}

/// What is watched is said by the test.
struct Given;

impl Streams for Given {
    fn changed(&self) {}
    fn replace_plan(&self, _: ScanPlan) {}
}

/// Two cameras, and live view of them in which a viewer that never connects is waited for.
async fn live_view() -> (Live, Fleet) {
    let bytes = include_bytes!("../../../../tests/data/media/camera_h264_1280x720_25fps.h264");
    let jpeg = include_bytes!("../../../../tests/data/media/camera_640x480_1.jpg");
    let clips = [("/a", Clip::h264(bytes, 25.0)), ("/b", Clip::mjpeg(jpeg, 5.0))];
    let ip = std::net::IpAddr::from([127, 0, 0, 1]);
    let cameras = clips.map(|(path, clip)| Camera::new(ip, 0).stream(path, &Arc::new(clip), None));
    let fleet = Fleet::start(cameras.into()).await.unwrap();
    let ports = Ports { bind: vec![ip], port: 0, tcp: true, forwarded: Vec::new() };
    let patience = Patience { half_open: 1000 * LONG, silence: 1000 * LONG };
    let live = Live::new(Config { ports, patience, stills: false }, RealNet::new()).unwrap();
    let source = |(n, id): (usize, &str)| StreamSource {
        id: id.to_owned(),
        ip,
        url: Endpoint::plain(fleet.cameras[n].rtsp.port()).rtsp(&format!("/{id}")),
        transport: Transport::Tcp,
        logins: Logins::new(2),
        always_on: true,
        siblings: Vec::new(),
        declared: None,
        login: None,
    };
    live.set_streams(["a", "b"].into_iter().enumerate().map(source).collect());
    (live, fleet)
}

/// One account with one way to prove it.
struct Account {
    id: i64,
    header: (&'static str, String),
    session: i64,
    token: &'static str,
}

/// How somebody proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Session,
    Token,
    Proxy,
}

/// Something by which the right to what goes on ends.
type Ending = (&'static str, &'static [By], fn(&Store, &Account));

const ENDINGS: [Ending; 9] = [
    ("the session is ended", &[By::Session], |store, of| {
        store.end_session(of.session, None, &Actor::command_line(), moved()).unwrap().unwrap();
    }),
    ("the session is not used for long", &[By::Session], |store, _| pass(store, SESSION_IDLE.as_secs() + 1)),
    ("the password is another", &[By::Session], |store, of| {
        change(store, of, UserChange { password: Some("other"), ..UserChange::default() });
    }),
    ("the token is removed", &[By::Token], |store, of| {
        store.remove_token(of.token, None, &Actor::command_line(), moved()).unwrap().unwrap();
    }),
    ("the token is disabled", &[By::Token], |store, of| {
        store.enable_token(of.token, None, false, &Actor::command_line(), moved()).unwrap().unwrap();
    }),
    ("the token's time is over", &[By::Token], |store, _| pass(store, TOKEN_LIFE + 1)),
    ("the account is removed", &[By::Session, By::Token, By::Proxy], |store, of| {
        store.remove_user(of.id, &Actor::command_line(), moved()).unwrap().unwrap();
    }),
    ("the account is disabled", &[By::Session, By::Token, By::Proxy], |store, of| {
        change(store, of, UserChange { enabled: Some(false), ..UserChange::default() });
    }),
    ("the role is a lesser one", &[By::Session, By::Token, By::Proxy], |store, of| {
        change(store, of, UserChange { role: Some(Role::Viewer), ..UserChange::default() });
    }),
];

/// Seconds that the tokens of the test are good for: more than a session that is not used.
const TOKEN_LIFE: i64 = 24 * 3600;

fn change(store: &Store, of: &Account, change: UserChange<'_>) {
    store.change_user(of.id, change, &Actor::command_line(), moved()).unwrap().unwrap();
}

/// Time passes; what is asked every few seconds is asked now, since something else ends.
fn pass(store: &Store, seconds: i64) {
    NOW.fetch_add(seconds, Ordering::SeqCst);
    let _ = store.end_session(0, None, &Actor::command_line(), moved()).unwrap();
}

impl Server {
    fn account(&self, name: &'static str, by: By) -> Account {
        let (store, now) = (&self.app.store, moved());
        let new = NewUser { name, role: Role::Operator, password: "x", is_first: false };
        let id = store.add_user(&new, &Actor::command_line(), now).unwrap().unwrap().id;
        let (secret, scopes) = (random::secret().unwrap(), [Scope::Read, Scope::Live, Scope::Scan]);
        let hash = random::hash(&secret);
        let (mut session, mut header) = (0, ("Remote-User", name.to_owned()));
        if by == By::Session {
            session = store.begin_session(id, &hash, None, ("127.0.0.1", "test"), now).unwrap();
            header = ("Cookie", format!("camscan_session={secret}"));
        } else if by == By::Token {
            let expires_at = Some(now + SignedDuration::from_secs(TOKEN_LIFE));
            let new = NewToken { public: name, hash, user: id, name, scopes: &scopes, networks: &[], expires_at };
            store.add_token(&new, &Actor::command_line(), now).unwrap().unwrap();
            header = ("Authorization", format!("Bearer cs_{name}_{secret}"));
        }
        Account { id, header, session, token: name }
    }

    /// Begins each answer that goes on. Gives what waits for the end of each that goes on over its connection.
    async fn begin_all(&self, of: &Account) -> Vec<(&'static str, JoinHandle<()>)> {
        let mut all = Vec::new();
        for (method, path, place) in LASTING {
            let upgrade =
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
            let (kind, body) = match path {
                "/ws" | "/streams/{id}/live" => (format!("Connection: Upgrade\r\n{upgrade}"), String::new()),
                "/streams/{id}/whep" => {
                    let local = SocketAddr::from(([127, 0, 0, 1], 5000));
                    let offer = Receiver::offer(local, false, std::time::Instant::now()).unwrap().1;
                    (format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", offer.len()), offer)
                }
                // So that its end is the connection's.
                _ => ("Connection: close\r\n".to_owned(), String::new()),
            };
            let (name, value) = &of.header;
            let head = format!(
                "{method} {place} HTTP/1.1\r\nHost: localhost:8000\r\nOrigin: {}\r\n{name}: {value}\r\n",
                OURS.1
            );
            let mut stream = connect(self.at).await;
            stream.write_all(format!("{head}{kind}\r\n{body}").as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(stream.read_u8().await.unwrap());
            }
            let status = String::from_utf8(answer[9..12].to_vec()).unwrap();
            assert!(["101", "200", "201"].contains(&status.as_str()), "{path}: {status}");
            if path == "/streams/{id}/live" {
                let asked = br#"{"type":"mode","mode":"mse"}"#;
                stream.write_all(&[&[0x81, 0x80 | asked.len() as u8, 0, 0, 0, 0], &asked[..]].concat()).await.unwrap();
            }
            if method == "GET" {
                all.push((path, tokio::spawn(async move { while stream.read_u8().await.is_ok() {} })));
            }
        }
        all
    }
}

/// What goes on ends with the right to it, over every way and by every ending; what others have goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_ends_with_the_right_to_it() {
    let trusted = vec![TrustedProxy::parse("127.0.0.1").unwrap()];
    let access = Access::new(trusted, false, SetupCode::default()).with_login_header(Some("remote-user".to_owned()));
    let options = Options { access, ..Options::default() };
    let server = serve_by(options, tempfile::tempdir().unwrap(), "127.0.0.1:0", moved).await;
    let (live, _fleet) = live_view().await;
    server.app.begin_live(live.clone(), Arc::new(Given));
    let beside = server.account("beside", By::Proxy);
    let others = server.begin_all(&beside).await;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"];
    let endings = ENDINGS.iter().flat_map(|(what, ways, end)| ways.iter().map(move |by| (*what, *by, *end)));
    for ((what, by, end), name) in endings.zip(names) {
        let account = server.account(name, by);
        let going_on = server.begin_all(&account).await;
        assert_eq!(live.sessions(), 2, "{what}");
        end(&server.app.store, &account);
        let until = tokio::time::Instant::now() + LONG;
        let mut left = Vec::new();
        for (path, task) in going_on {
            if tokio::time::timeout_at(until, task).await.is_err() {
                left.push(path);
            }
        }
        while live.sessions() > 1 && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if live.sessions() > 1 {
            left.push("/streams/{id}/whep");
        }
        assert_eq!(left, Vec::<&str>::new(), "these go on although {what}, by {by:?}");
    }
    let over: Vec<&str> = others.iter().filter(|(_, task)| task.is_finished()).map(|(path, _)| *path).collect();
    assert_eq!((over, live.sessions()), (Vec::new(), 1), "of another account");
}
