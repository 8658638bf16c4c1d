//! Attacks, against the real router behind the real listener on loopback.

mod accounts;
mod banned;
mod browser;
mod lasting;
mod limits;
mod proxy;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::identify::signature::Signatures;
use crate::model::access::Role;
use crate::model::listen::{ListenOn, PublicUrl};
use crate::scan::session::Session;
use crate::serve::app::{App, Options};
use crate::serve::limits::{Limits, Slots};
use crate::serve::listen::Listener;
use crate::serve::router;
use crate::store::accounts::{NewUser, UserChange};
use crate::store::{Open, Store};
use crate::testkit::net::FakeNet;

/// Time stands still, so that nobody gets further tries by waiting for a busy machine.
fn clock() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

const PASSWORD: &str = "Zwei-Geheimnisse-2";

/// A server on loopback.
struct Server {
    app: Arc<App>,
    at: SocketAddr,
    place: tempfile::TempDir,
    task: JoinHandle<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.head, self.body))
    }

    /// The session's cookie, as a browser sends it.
    fn cookie(&self) -> String {
        self.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }
}

fn store_in(place: &Path) -> Store {
    Store::open(&place.join("store.sqlite"), Open::Create).unwrap()
}

async fn serve(options: Options) -> Server {
    let place = tempfile::tempdir().unwrap();
    serve_at(options, place, "127.0.0.1:0").await
}

async fn serve_at(options: Options, place: tempfile::TempDir, at: &str) -> Server {
    serve_by(options, place, at, clock).await
}

async fn serve_by(options: Options, place: tempfile::TempDir, at: &str, clock: fn() -> Timestamp) -> Server {
    let session = Session::new(Arc::new(FakeNet::subnet()), Signatures::builtin(), clock, 64);
    let app = App::with(store_in(place.path()), session, None, options);
    let listener = Listener::bind(&ListenOn::parse(at).unwrap()).await.unwrap();
    let at = match &listener.place {
        ListenOn::Tcp(at) => *at,
        ListenOn::Unix(_) | ListenOn::Systemd => SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let slots = Slots::new(app.limits.connections, app.limits.per_address);
    let task = tokio::spawn(listener.serve(app.clone(), router(&app), None, slots));
    Server { app, at, place, task }
}

fn options(place: &Path) -> Options {
    let access = Access::new(Vec::new(), false, SetupCode::make(&place.join("store.sqlite")).unwrap());
    let vault = Vault::new(&place.join("store.sqlite"), None, Box::new(|_| {}));
    Options { access, vault, ..Options::default() }
}

/// A server with one account, an admin.
async fn usual() -> Server {
    let place = tempfile::tempdir().unwrap();
    let server = serve_at(options(place.path()), place, "127.0.0.1:0").await;
    server.add("anna", Role::Admin);
    server
}

#[expect(clippy::disallowed_methods, reason = "this is the client, and it never leaves loopback")]
async fn connect(at: SocketAddr) -> TcpStream {
    TcpStream::connect(at).await.unwrap()
}

async fn read_answer(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Answer {
    let mut bytes = Vec::new();
    // A server that has enough of it may reset the connection after its answer.
    let _ = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn written(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str("Host: localhost:8000\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text + "\r\n" + body
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const OURS: (&str, &str) = ("Origin", "http://localhost:8000");

impl Server {
    fn add(&self, name: &str, role: Role) -> i64 {
        let hash = password::hash_now(&crate::model::Secret::new(PASSWORD)).unwrap();
        let new = NewUser { name, role, password: &hash, is_first: false };
        self.app.store.add_user(&new, &Actor::command_line(), clock()).unwrap().unwrap().id
    }

    async fn raw(&self, text: &str) -> Answer {
        let mut stream = connect(self.at).await;
        let _ = stream.write_all(text.as_bytes()).await;
        read_answer(&mut stream).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.raw(&written(method, path, headers, body)).await
    }

    async fn login(&self, name: &str, password: &str) -> Answer {
        let body = json!({ "name": name, "password": password }).to_string();
        self.ask("POST", "/api/v1/session", &[JSON], &body).await
    }

    /// A cookie of somebody who has logged in.
    async fn cookie(&self, name: &str) -> String {
        let answer = self.login(name, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.cookie()
    }

    async fn token(&self, scopes: &[&str], further: Value) -> String {
        let cookie = self.cookie("anna").await;
        let mut asked = json!({ "name": "test", "scopes": scopes });
        asked.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        let made = self.ask("POST", "/api/v1/tokens", &[JSON, OURS, ("Cookie", &cookie)], &asked.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()["token"].as_str().unwrap().to_owned()
    }

    async fn with_token(&self, method: &str, path: &str, token: &str) -> Answer {
        self.ask(method, path, &[("Authorization", &format!("Bearer {token}"))], "").await
    }

    fn files(&self) -> String {
        let mut all = Vec::new();
        self.app.store.checkpoint().unwrap();
        for entry in std::fs::read_dir(self.place.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "key") {
                all.extend(std::fs::read(path).unwrap());
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}
