//! Attacks, against the real router behind the real listener on loopback.

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

#[tokio::test]
async fn nothing_is_shown_without_a_login() {
    let server = usual().await;
    let html = ("Accept", "text/html,*/*");
    for path in
        ["/", "/devices", "/api/v1/status", "/api/v1/users", "/metrics", "/nothing", "/api/v1/nothing", "/api/v1/me"]
    {
        let answer = server.ask("GET", path, &[], "").await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(answer.json()["request_id"].as_str(), answer.header("x-request-id"), "{path}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        assert_eq!(server.ask(method, "/api/v1/users", &[], "").await.status, 401, "{method}");
    }
    let page = server.ask("GET", "/devices?q=a b".replace(' ', "+").as_str(), &[html], "").await;
    assert_eq!((page.status, page.header("location")), (303, Some("/login?next=%2Fdevices%3Fq%3Da%2Bb")));
    let login = server.ask("GET", "/login", &[html], "").await;
    assert!(login.status == 200 && login.body.contains("name=\"password\""), "{}", login.body);
    assert_eq!(server.ask("GET", "/healthz", &[], "").await.body, "ok\n");
    let ready = server.ask("GET", "/readyz", &[], "").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, r#"{"ready":true}"#));
}

#[tokio::test]
async fn every_answer_keeps_a_browser_from_what_no_page_of_ours_asks_for() {
    let server = usual().await;
    for path in ["/login", "/nothing", "/healthz", "/api/v1/me"] {
        let answer = server.ask("GET", path, &[], "").await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(policy.contains("connect-src 'self' ws://localhost:8000 wss://localhost:8000;"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[tokio::test]
async fn the_first_account_needs_the_code_and_is_made_once() {
    let place = tempfile::tempdir().unwrap();
    let server = serve_at(options(place.path()), place, "127.0.0.1:0").await;
    let html = ("Accept", "text/html");
    assert_eq!(server.ask("GET", "/", &[html], "").await.header("location"), Some("/setup"));
    let code = server.app.access.setup.shown().unwrap();
    let file = server.app.access.setup.file().to_owned();
    assert!(file.exists());
    let form = |code: &str, password: &str| format!("code={code}&name=Anna&password={password}");
    let send = async |body: String| server.ask("POST", "/setup", &[FORM], &body).await;
    let wrong = send(form("0000-0000-0000", PASSWORD)).await;
    assert_eq!((wrong.status, wrong.header("location")), (303, Some("/setup?error=code&next=%2F")));
    let weak = send(form(&code, "short")).await;
    assert_eq!(weak.header("location"), Some("/setup?error=password&next=%2F"));
    let made = send(form(&code, PASSWORD)).await;
    assert_eq!((made.status, made.header("location")), (303, Some("/")));
    assert!(!file.exists());
    let me = server.ask("GET", "/api/v1/me", &[("Cookie", &made.cookie())], "").await.json();
    assert_eq!((&me["name"], &me["role"]), (&json!("Anna"), &json!("admin")));
    // The second visitor becomes nobody, with the code or without.
    assert_eq!(send(form(&code, PASSWORD)).await.header("location"), Some("/login"));
    assert_eq!(server.app.store.users().unwrap().len(), 1);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_tells_nothing() {
    let server = usual().await;
    let (known, unknown) =
        (server.login("anna", "wrong password").await, server.login("boris", "wrong password").await);
    let without_id = |answer: &Answer| {
        let mut value = answer.json();
        value.as_object_mut().unwrap().remove("request_id");
        (answer.status, value)
    };
    assert_eq!(without_id(&known), without_id(&unknown));
    let mut codes = Vec::new();
    for n in 0..14 {
        codes.push(server.login(&format!("user{n}"), "wrong password").await.status);
    }
    assert_eq!(codes.iter().filter(|code| **code == 401).count(), 8, "ten at once: {codes:?}");
    let refused = server.login("anna", PASSWORD).await;
    assert_eq!(refused.status, 429, "also with the right password");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(server.app.access.failures(), 10);
    // A disabled account is as good as none.
    let other = usual().await;
    let vera = other.add("vera", Role::Viewer);
    let off = UserChange { enabled: Some(false), ..UserChange::default() };
    other.app.store.change_user(vera, off, &Actor::command_line(), clock()).unwrap().unwrap();
    assert_eq!(without_id(&other.login("vera", PASSWORD).await), without_id(&known));
}

#[tokio::test]
async fn a_session_that_was_put_into_a_browser_is_worth_nothing() {
    let server = usual().await;
    let planted = "camscan_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let body = format!("name=anna&password={PASSWORD}");
    let first = server.ask("POST", "/login", &[FORM, ("Cookie", planted)], &body).await.cookie();
    assert_ne!(first, planted);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", planted)], "").await.status, 401);
    // One that was valid ends with the next login.
    let second = server.ask("POST", "/login", &[FORM, OURS, ("Cookie", &first)], &body).await.cookie();
    assert_ne!(first, second);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &first)], "").await.status, 401);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &second)], "").await.status, 200);
    // And with its logout.
    let out = server.ask("POST", "/logout", &[OURS, ("Cookie", &second)], "").await;
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &second)], "").await.status, 401);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let server = usual().await;
    let cookie = server.cookie("anna").await;
    let body = json!({ "name": "eve", "role": "admin", "password": PASSWORD }).to_string();
    for from in [
        vec![("Origin", "https://evil.example")],
        vec![("Origin", "null")],
        vec![("Origin", "http://localhost:8001")],
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![("Sec-Fetch-Site", "same-site"), OURS],
        vec![],
    ] {
        let headers: Vec<_> = from.iter().copied().chain([JSON, ("Cookie", cookie.as_str())]).collect();
        let answer = server.ask("POST", "/api/v1/users", &headers, &body).await;
        assert_eq!((answer.status, answer.json()["type"].as_str()), (403, Some("problems/cross-site")), "{from:?}");
        let logout = [("Cookie", cookie.as_str())].into_iter().chain(from).collect::<Vec<_>>();
        assert_eq!(server.ask("POST", "/logout", &logout, "").await.status, 403);
    }
    // Nor does it log anybody in as somebody else.
    let form = format!("name=anna&password={PASSWORD}");
    let evil = ("Origin", "https://evil.example");
    assert_eq!(server.ask("POST", "/login", &[FORM, evil], &form).await.status, 403);
    let ours = server.ask("POST", "/api/v1/users", &[JSON, OURS, ("Cookie", &cookie)], &body).await;
    assert_eq!(ours.status, 201, "{}", ours.body);
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let site = PublicUrl::parse("https://cameras.example.org/cameras/").unwrap();
    let server = serve_at(Options { site, ..options(place.path()) }, place, "127.0.0.1:0").await;
    server.add("anna", Role::Admin);
    for host in ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost@evil.example"] {
        let answer = server.ask("GET", "/login", &[("Host", host)], "").await;
        assert!(matches!(answer.status, 421 | 400), "{host}: {}", answer.status);
        assert!(!answer.body.contains("form"), "{host}");
    }
    for host in ["127.0.0.1:8000", "[::1]", "cameras.example.org", "localhost"] {
        assert_eq!(server.ask("GET", "/login", &[("Host", host)], "").await.status, 200, "{host}");
    }
    assert_eq!(server.raw("GET /login HTTP/1.0\r\n\r\n").await.status, 400);
    // Every path works with the base and without, and every link has it.
    let login = server.ask("GET", "/cameras/login", &[], "").await;
    assert!(login.status == 200 && login.body.contains("/login\""), "{}", login.body);
    let form = format!("name=anna&password={PASSWORD}&next=%2Fdevices");
    let done = server.ask("POST", "/cameras/login", &[FORM, ("Origin", "https://cameras.example.org")], &form).await;
    assert_eq!(done.header("location"), Some("/cameras/devices"));
    assert!(done.header("set-cookie").unwrap().contains("Path=/cameras/"));
}

#[tokio::test]
async fn no_path_leads_out() {
    let server = usual().await;
    let cookie = server.cookie("anna").await;
    for path in [
        "/../../../../etc/passwd",
        "/assets/../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets/..%5c..%5cetc",
        "//etc/passwd",
        "/api/v1/../../etc/passwd",
        "/%00",
        "/login/..;/metrics",
    ] {
        for headers in [vec![], vec![("Cookie", cookie.as_str())]] {
            let answer = server.ask("GET", path, &headers, "").await;
            assert!(matches!(answer.status, 400 | 401 | 404), "{path}: {}", answer.status);
            assert!(!answer.body.contains("root:"), "{path}");
        }
    }
    assert_eq!(server.ask("GET", "http://evil.example/metrics", &[], "").await.status, 401);
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let server = usual().await;
    let long = "x".repeat(20_000);
    assert_eq!(server.ask("GET", "/login", &[("X-Long", &long)], "").await.status, 431);
    assert_eq!(server.ask("GET", &format!("/{long}"), &[], "").await.status, 431);
    let many: Vec<_> = (0..200).map(|_| ("X", "y")).collect();
    assert_eq!(server.ask("GET", "/login", &many, "").await.status, 431);
    // Strangers may send 16 KiB, accounts 1 MiB; a length alone is enough to be refused.
    let token = server.token(&["admin"], json!({})).await;
    let bearer = format!("Bearer {token}");
    for (length, headers, code) in [
        (20_000, vec![JSON], 413),
        (20_000, vec![JSON, ("Authorization", bearer.as_str())], 400),
        (2_000_000, vec![JSON, ("Authorization", bearer.as_str())], 413),
        (1 << 40, vec![JSON], 413),
    ] {
        let path = if headers.len() == 1 { "/api/v1/session" } else { "/api/v1/users" };
        let head =
            written("POST", path, &headers, "").replace("\r\n\r\n", &format!("\r\nContent-Length: {length}\r\n\r\n"));
        let body = if code == 413 { String::new() } else { "x".repeat(length) };
        assert_eq!(server.raw(&(head + &body)).await.status, code, "{length}");
    }
    let chunks: String = (0..40).map(|_| format!("400\r\n{}\r\n", "x".repeat(1024))).collect();
    let head = written("POST", "/api/v1/session", &[JSON, ("Transfer-Encoding", "chunked")], "");
    assert_eq!(server.raw(&(head + &chunks + "0\r\n\r\n")).await.status, 413);
    // Two lengths, or a length beside chunks, would be two requests to a proxy.
    let two = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab";
    assert_eq!(server.raw(two).await.status, 400);
}

#[tokio::test]
async fn slow_clients_are_cut_off_and_others_are_served() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits {
        head_time: Duration::from_millis(600),
        body_time: Duration::from_millis(600),
        idle_time: Duration::from_millis(600),
        per_address: 300,
        connections: 300,
        ..Limits::default()
    };
    let server = serve_at(Options { limits, ..options(place.path()) }, place, "127.0.0.1:0").await;
    server.add("anna", Role::Admin);
    let mut slow = Vec::new();
    for n in 0..256 {
        let mut stream = connect(server.at).await;
        let begun: &[u8] = match n % 3 {
            0 => b"",
            1 => b"GET /login HTTP/1.1\r\nHost: local",
            _ => b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nname=",
        };
        stream.write_all(begun).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(server.ask("GET", "/healthz", &[], "").await.status, 200, "while all of them hold on");
    for (n, mut stream) in slow.into_iter().enumerate() {
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.status, if n % 3 == 2 { 408 } else { 0 }, "each of them ends");
    }
    assert_eq!(server.ask("GET", "/login", &[], "").await.status, 200);
}

#[tokio::test]
async fn one_address_does_not_take_all_connections() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits { per_address: 4, ..Limits::default() };
    let server = serve_at(Options { limits, ..options(place.path()) }, place, "127.0.0.1:0").await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connect(server.at).await);
    }
    let mut fifth = connect(server.at).await;
    assert_eq!(read_answer(&mut fifth).await.status, 503);
    held.clear();
    // They are given back a moment after they are closed.
    for _ in 0..100 {
        if server.ask("GET", "/healthz", &[], "").await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the places are not given back");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_one_address() {
    let place = tempfile::tempdir().unwrap();
    let trusted = vec![TrustedProxy::parse("127.0.0.1").unwrap()];
    let access = Access::new(trusted, false, SetupCode::default());
    let server = serve_at(Options { access, ..Options::default() }, place, "127.0.0.1:0").await;
    server.add("anna", Role::Admin);
    let body = json!({ "name": "anna", "password": "wrong password" }).to_string();
    let from = async |address: &str| {
        server.ask("POST", "/api/v1/session", &[JSON, ("X-Forwarded-For", address)], &body).await.status
    };
    for n in 0..10 {
        // What the client itself puts in front does not matter.
        from(&format!("10.0.0.{n}, 192.0.2.7")).await;
    }
    assert_eq!(from("10.9.9.9, 192.0.2.7").await, 429);
    let good = json!({ "name": "anna", "password": PASSWORD }).to_string();
    // The account has to wait as well; another one from elsewhere has not.
    server.add("boris", Role::Viewer);
    let good = good.replace("anna", "boris");
    let https = ("X-Forwarded-Proto", "https");
    let done = server.ask("POST", "/api/v1/session", &[JSON, https, ("X-Forwarded-For", "192.0.2.8")], &good).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(done.header("set-cookie").unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn a_trusted_proxy_names_accounts_by_the_header_it_was_told_to() {
    let place = || tempfile::tempdir().unwrap();
    let trusting = |proxy: &str, header: Option<&str>| {
        let trusted = vec![TrustedProxy::parse(proxy).unwrap()];
        let login_header = header.map(str::to_owned);
        let access = Access { login_header, ..Access::new(trusted, false, SetupCode::default()) };
        Options { access, ..Options::default() }
    };
    let server = serve_at(trusting("127.0.0.1", Some("remote-user")), place(), "127.0.0.1:0").await;
    server.add("anna", Role::Admin);
    server.add("vera", Role::Viewer);
    let me = async |server: &Server, headers: &[(&str, &str)]| server.ask("GET", "/api/v1/me", headers, "").await;
    let (anna, vera) = (("Remote-User", "anna"), ("Remote-User", "vera"));
    let known = me(&server, &[anna]).await;
    assert_eq!((known.status, known.json()["name"].clone()), (200, json!("anna")));
    // A password that the proxy asked for and hands on is none of ours.
    let basic = ("Authorization", "Basic YW5uYTp4");
    assert_eq!(me(&server, &[anna, basic]).await.status, 200);
    assert_eq!(me(&server, &[basic]).await.status, 401);
    for nobody in
        [&[("Remote-User", "nobody")][..], &[("Remote-User", "")], &[anna, vera], &[("X-Remote-User", "anna")], &[]]
    {
        assert_eq!(me(&server, nobody).await.status, 401, "{nobody:?}");
    }
    // The account says what it may, and a page of another site changes nothing.
    assert_eq!(server.ask("GET", "/api/v1/users", &[vera], "").await.status, 403);
    let prune = async |headers: &[(&str, &str)]| server.ask("POST", "/api/v1/admin/prune", headers, "").await.status;
    assert_eq!(prune(&[anna]).await, 403, "it says not where it comes from");
    assert_eq!(prune(&[anna, ("Origin", "https://evil.example")]).await, 403);
    assert_eq!(prune(&[anna, ("Sec-Fetch-Site", "cross-site")]).await, 403);
    assert_eq!(prune(&[anna, ("Sec-Fetch-Site", "same-origin")]).await, 200);
    let token = ("Authorization", "Bearer cs_0123456789_wrong");
    assert_eq!(me(&server, &[anna, token]).await.status, 401, "a token is meant");
    let id = server.app.store.user_named("vera").unwrap().unwrap().0.id;
    let off = UserChange { enabled: Some(false), ..UserChange::default() };
    server.app.store.change_user(id, off, &Actor::default(), clock()).unwrap().unwrap();
    assert_eq!(me(&server, &[vera]).await.status, 401, "an account that is switched off");

    // From anybody else, or where it is not wanted, the header means nothing.
    for options in [trusting("10.0.0.0/8", Some("remote-user")), trusting("127.0.0.1", None)] {
        let server = serve_at(options, place(), "127.0.0.1:0").await;
        server.add("anna", Role::Admin);
        assert_eq!(me(&server, &[anna]).await.status, 401);
    }
}

#[tokio::test]
async fn tokens_do_what_they_may_where_and_while_they_may() {
    let server = usual().await;
    let read = server.token(&["read"], json!({})).await;
    let id = read.split('_').nth(1).unwrap().to_owned();
    assert_eq!(server.with_token("GET", "/api/v1/status", &read).await.status, 200);
    assert_eq!(server.with_token("GET", "/metrics", &read).await.status, 200);
    for (method, path) in [("GET", "/api/v1/users"), ("POST", "/api/v1/tokens"), ("DELETE", "/api/v1/sessions/1")] {
        assert_eq!(server.with_token(method, path, &read).await.status, 403, "{method} {path}");
    }
    let me = server.with_token("POST", "/api/v1/me/password", &read).await;
    assert_eq!(me.status, 403, "a token changes no password");
    let metrics = server.token(&["metrics"], json!({})).await;
    assert_eq!(server.with_token("GET", "/metrics", &metrics).await.status, 200);
    assert_eq!(server.with_token("GET", "/api/v1/status", &metrics).await.status, 403);
    let elsewhere = server.token(&["read"], json!({ "networks": ["192.0.2.0/24"] })).await;
    let near = server.token(&["read"], json!({ "networks": ["127.0.0.0/8"] })).await;
    assert_eq!(server.with_token("GET", "/api/v1/status", &elsewhere).await.status, 401);
    assert_eq!(server.with_token("GET", "/api/v1/status", &near).await.status, 200);
    // Changed, cut off, of another form, or beside a good cookie: a bad token is refused.
    let cookie = server.cookie("anna").await;
    for bad in
        [format!("{read}x"), read[..read.len() - 1].to_owned(), "cs_".to_owned(), format!("cs_{id}_"), "x".repeat(5000)]
    {
        let bearer = format!("Bearer {bad}");
        let headers = [("Authorization", bearer.as_str()), ("Cookie", cookie.as_str())];
        assert_eq!(server.ask("GET", "/api/v1/status", &headers, "").await.status, 401, "{bad}");
    }
    let now = clock();
    server.app.store.enable_token(&id, None, false, &Actor::command_line(), now).unwrap().unwrap();
    assert_eq!(server.with_token("GET", "/api/v1/status", &read).await.status, 401, "disabled");
    // One that has ended: made by the store, since none is made with an end that has passed.
    let secret = random::secret().unwrap();
    let ended = crate::store::accounts::NewToken {
        public: "ended",
        hash: random::hash(&secret),
        user: 1,
        name: "x",
        scopes: &[Scope::Read],
        networks: &[],
        expires_at: Some(now - SignedDuration::from_secs(1)),
    };
    server.app.store.add_token(&ended, &Actor::command_line(), now).unwrap().unwrap();
    assert_eq!(server.with_token("GET", "/api/v1/status", &format!("cs_ended_{secret}")).await.status, 401);
}

#[tokio::test]
async fn accounts_are_managed_by_the_api_and_every_change_is_written_down() {
    let server = usual().await;
    let cookie = server.cookie("anna").await;
    let mine = [JSON, OURS, ("Cookie", cookie.as_str())];
    let made = server
        .ask(
            "POST",
            "/api/v1/users",
            &mine,
            &json!({ "name": "Вера", "role": "viewer", "password": PASSWORD }).to_string(),
        )
        .await;
    assert_eq!((made.status, made.header("location")), (201, Some("/api/v1/users/2")), "{}", made.body);
    let same = server
        .ask(
            "POST",
            "/api/v1/users",
            &mine,
            &json!({ "name": "ANNA", "role": "viewer", "password": PASSWORD }).to_string(),
        )
        .await;
    assert_eq!(same.status, 409);
    let odd = server
        .ask(
            "POST",
            "/api/v1/users",
            &mine,
            &json!({ "name": "x", "rolle": "viewer", "password": PASSWORD }).to_string(),
        )
        .await;
    assert!(odd.status == 422 && odd.body.contains("rolle") && !odd.body.contains(PASSWORD), "{}", odd.body);
    let vera = server.cookie("Вера").await;
    assert_eq!(server.ask("GET", "/api/v1/users", &[("Cookie", &vera)], "").await.status, 403);
    assert_eq!(
        server.ask("GET", "/api/v1/sessions", &[("Cookie", &vera)], "").await.json()["items"].as_array().unwrap().len(),
        1
    );
    // Somebody else's session is none of a viewer's business.
    assert_eq!(server.ask("DELETE", "/api/v1/sessions/1", &[OURS, ("Cookie", &vera)], "").await.status, 404);
    let change = json!({ "current": PASSWORD, "new": "Drei-Geheimnisse-3" }).to_string();
    let other = server.cookie("Вера").await;
    let changed = server.ask("POST", "/api/v1/me/password", &[JSON, OURS, ("Cookie", &vera)], &change).await;
    assert_eq!(changed.status, 204, "{}", changed.body);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &other)], "").await.status, 401, "the others end");
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &vera)], "").await.status, 200);
    let wrong = server.ask("POST", "/api/v1/me/password", &[JSON, OURS, ("Cookie", &vera)], &change).await;
    assert_eq!(wrong.status, 403);
    // A role holds from the next request on.
    let patch = server.ask("PATCH", "/api/v1/users/2", &mine, r#"{"role":"operator"}"#).await;
    assert_eq!(patch.status, 200, "{}", patch.body);
    let scopes = server.ask("GET", "/api/v1/me", &[("Cookie", &vera)], "").await.json()["scopes"].clone();
    assert_eq!(scopes, json!(["read", "live", "scan", "edit"]));
    assert_eq!(server.ask("DELETE", "/api/v1/users/1", &mine[1..], "").await.status, 409, "the last admin stays");
    assert_eq!(server.ask("DELETE", "/api/v1/users/2", &mine[1..], "").await.status, 204);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &vera)], "").await.status, 401);
    let audit = server.ask("GET", "/api/v1/audit", &[("Cookie", &cookie)], "").await.json();
    let said: Vec<_> = audit["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    for action in ["user.add", "user.change", "user.remove", "session.begin"] {
        assert!(said.contains(&action), "{action}: {said:?}");
    }
    assert_eq!(audit["items"][0]["actor"], "anna");
    assert_eq!(audit["items"][0]["address"], "127.0.0.1");
}

#[tokio::test]
async fn no_secret_is_kept_that_could_be_used() {
    let server = usual().await;
    let token = server.token(&["read", "admin"], json!({})).await;
    let cookie = server.cookie("anna").await;
    let login = json!({ "user": "cam", "password": "Kamera-Geheimnis-9", "network": "10.0.5.0/24" }).to_string();
    let headers = [JSON, OURS, ("Cookie", cookie.as_str())];
    let added = server.ask("POST", "/api/v1/logins", &headers, &login).await;
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(server.app.vault.logins().len(), 1);
    let listed = server.ask("GET", "/api/v1/logins", &headers[1..], "").await;
    assert_eq!(listed.json()["items"][0]["usable"], true, "{}", listed.body);
    let audit = server.ask("GET", "/api/v1/audit", &headers[1..], "").await.body;
    let tokens = server.ask("GET", "/api/v1/tokens", &headers[1..], "").await.body;
    let all = server.files() + &audit + &tokens + &added.body + &listed.body;
    assert!(all.contains("login.add") && all.contains("anna"), "the files were read");
    let secrets =
        [PASSWORD, "Kamera-Geheimnis-9", token.splitn(3, '_').nth(2).unwrap(), cookie.split_once('=').unwrap().1];
    for secret in secrets {
        assert!(!all.contains(secret), "{secret}");
    }
    let removed = server.ask("DELETE", "/api/v1/logins/1", &headers[1..], "").await;
    assert_eq!((removed.status, server.app.vault.logins().len()), (204, 0));
}

#[tokio::test]
async fn over_a_socket_in_the_file_system_the_same_user_is_admin_unless_a_proxy_speaks() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("camscan.sock");
    // One that a killed process left behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let options = options(place.path());
    let server = serve_at(options, place, &format!("unix:{}", path.display())).await;
    let ask = async |headers: &[(&str, &str)]| {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(written("GET", "/api/v1/users", headers, "").as_bytes()).await.unwrap();
        read_answer(&mut stream).await.status
    };
    assert_eq!(ask(&[]).await, 200);
    assert_eq!(ask(&[("X-Forwarded-For", "192.0.2.1")]).await, 401);
    assert_eq!(ask(&[("Host", "evil.example")]).await, 421);
    let taken = Listener::bind(&ListenOn::Unix(path.clone())).await.err().unwrap();
    assert!(taken.to_string().contains("another program does already"), "{taken}");
    server.app.stop.cancel();
    server.task.await.unwrap();
    assert!(!path.exists(), "its file goes with it");
}

#[tokio::test]
async fn everybody_may_look_where_that_is_wanted_and_nobody_may_do_more() {
    let access = Access { anonymous: true, ..Access::default() };
    let server = serve(Options { access, ..Options::default() }).await;
    server.add("anna", Role::Admin);
    assert_eq!(server.ask("GET", "/api/v1/status", &[], "").await.status, 200);
    for path in ["/api/v1/users", "/api/v1/audit", "/api/v1/logins", "/api/v1/sessions"] {
        let status = server.ask("GET", path, &[], "").await.status;
        assert!(matches!(status, 401 | 403), "{path}: {status}");
    }
}

#[tokio::test]
async fn it_ends_when_it_is_told_to_and_answers_what_was_asked() {
    let stop = CancellationToken::new();
    let server = serve(Options { stop: stop.clone(), ..Options::default() }).await;
    let idle = connect(server.at).await;
    let mut asking = connect(server.at).await;
    asking
        .write_all(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: x\r\nContent-Length: 3\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    asking.write_all(b"abc").await.unwrap();
    assert_eq!(read_answer(&mut asking).await.status, 400, "what is under way is answered");
    tokio::time::timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_place_that_is_taken_is_said() {
    let server = usual().await;
    let error = Listener::bind(&ListenOn::Tcp(server.at)).await.err().unwrap().to_string();
    assert!(error.contains("another program does already") && error.contains("hint: "), "{error}");
}
