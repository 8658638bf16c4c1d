//! `camscan serve` as a process on loopback: its first start, accounts, an end by force, a store that somebody else holds.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use camscan::testkit::fleet::{Camera, Login};

use crate::env::{Cameras, QUICK, TestEnv, camera};
use crate::watch::Watching;

const PASSWORD: &str = "Zwei-Geheimnisse-2";
const CAMERA_PASSWORD: &str = "Kamera-Geheimnis-9";
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// It serves what is remembered and asks nobody.
const QUIET: &str = "serve --no-watch --store s.sqlite --listen 127.0.0.1:0";

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn cookie(&self) -> String {
        self.header("set-cookie").unwrap_or_else(|| panic!("{}", self.head)).split(';').next().unwrap().to_owned()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the client, and it never leaves loopback")]
fn ask(at: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn login(at: SocketAddr, name: &str, password: &str) -> Answer {
    ask(at, "POST", "/login", &[FORM], &format!("name={name}&password={password}"))
}

/// Where it serves, as it says itself.
fn address(serving: &Watching) -> SocketAddr {
    serving.until(0, "serving http://");
    let lines = serving.lines.lock().unwrap().clone();
    let line = lines.iter().find_map(|line| line.split_once("serving http://")).unwrap().1;
    line.trim_end_matches('/').parse().unwrap()
}

fn add(env: &TestEnv, name: &str, role: &str) {
    let mut command = env.command(&["serve", "user", "add", name, "--role", role, "--store", "s.sqlite"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_first_start_prints_a_code_and_survives_an_end_by_force() {
    let env = TestEnv::new();
    let serving = Watching::start(&env, QUIET);
    let at = address(&serving);
    serving.until(0, "set-up code");
    let file = env.path("s.sqlite.setup-code");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let code = env.read("s.sqlite.setup-code").trim().to_owned();
    assert!(serving.lines.lock().unwrap().iter().any(|line| line.ends_with(&format!(" is {code}"))));
    let html = ("Accept", "text/html");
    assert_eq!(ask(at, "GET", "/", &[html], "").header("location"), Some("/setup"));
    let made = ask(at, "POST", "/setup", &[FORM], &format!("code={code}&name=anna&password={PASSWORD}"));
    assert_eq!(made.status, 303, "{}", made.head);
    let cookie = made.cookie();
    let me = |at| ask(at, "GET", "/api/v1/me", &[("Cookie", &cookie)], "");
    assert_eq!(me(at).status, 200);
    assert!(!file.exists());
    serving.signal("KILL");
    assert_eq!(serving.end(), None);
    // The session lasts, and there is no further code.
    let again = Watching::start(&env, QUIET);
    let at = address(&again);
    assert_eq!(me(at).status, 200);
    assert!(!file.exists());
    again.signal("TERM");
    let lines = again.lines.clone();
    assert_eq!(again.end(), Some(0));
    let said = lines.lock().unwrap().join("\n");
    let secret = cookie.split_once('=').unwrap().1;
    assert!(!said.contains(PASSWORD) && !said.contains(secret) && !said.contains("set-up code"), "{said}");
    let kept = std::fs::read(env.path("s.sqlite")).unwrap();
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("anna") && !kept.contains(PASSWORD) && !kept.contains(secret));
}

#[test]
fn a_wrong_login_is_one_line_that_fail2ban_reads() {
    let env = TestEnv::new();
    add(&env, "anna", "admin");
    let serving = Watching::start(&env, QUIET);
    let at = address(&serving);
    // A name that would pass for another line, or another address.
    assert_eq!(login(at, "x%0A+WARN+login+failed+address%3D6.6.6.6", "wrong").status, 303);
    serving.until(0, "login failed");
    let lines = serving.lines.lock().unwrap().clone();
    let read = regex::Regex::new(r"WARN camscan::\S+: login failed address=(\S+) name=").unwrap();
    let found: Vec<_> = lines.iter().filter_map(|line| read.captures(line)).map(|found| found[1].to_owned()).collect();
    assert_eq!(found, ["127.0.0.1"], "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("wrong") && line.contains("password")));
}

#[test]
fn a_store_that_somebody_else_holds_is_said_and_comes_back() {
    let env = TestEnv::new();
    add(&env, "anna", "admin");
    let serving = Watching::start(&env, QUIET);
    let at = address(&serving);
    let cookie = login(at, "anna", PASSWORD).cookie();
    let other = rusqlite::Connection::open(env.path("s.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let body = format!("{{\"name\":\"anna\",\"password\":\"{PASSWORD}\"}}");
    let json = ("Content-Type", "application/json");
    let refused = ask(at, "POST", "/api/v1/session", &[json], &body);
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.body.contains("request_id") && refused.header("retry-after").is_some(), "{}", refused.head);
    assert_eq!(ask(at, "GET", "/readyz", &[], "").status, 503);
    assert_eq!(ask(at, "GET", "/healthz", &[], "").status, 200);
    assert_eq!(ask(at, "GET", "/api/v1/me", &[("Cookie", &cookie)], "").status, 200, "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(ask(at, "POST", "/api/v1/session", &[json], &body).status, 200);
    // What it has found out holds for two seconds.
    let until = Instant::now() + PATIENCE;
    while ask(at, "GET", "/readyz", &[], "").status != 200 {
        assert!(Instant::now() < until, "the store is free again");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn what_cannot_be_served_is_said_at_once() {
    let env = TestEnv::new();
    let said = |line: &str| {
        let run = env.run(line);
        (run.code, run.err)
    };
    let (code, err) = said("serve --no-watch --store s.sqlite --listen 0.0.0.0:0");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("there is no account yet") && err.contains("hint: make one first"), "{err}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, err) = said(&format!("serve --no-watch --store s.sqlite --listen {}", taken.local_addr().unwrap()));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("another program does already") && err.contains("hint: "), "{err}");
    let (code, err) = said("serve --no-watch --store s.sqlite --tls-cert a.pem");
    assert!(code == Some(2) && err.contains("tls_cert needs tls_key as well"), "{err}");
    let (code, err) = said("serve --no-watch --store s.sqlite --public-url cameras");
    assert!(code == Some(2) && err.contains("is no address of a site"), "{err}");
}

/// What systemd does with a socket unit: the socket is bound and listened on before the program begins, and handed over as its
/// first descriptor behind the usual three.
#[test]
fn it_serves_on_sockets_that_are_handed_over() {
    const HAND_OVER: [&str; 4] =
        ["sh", "-c", "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"", "launcher"];
    let env = TestEnv::new();
    add(&env, "anna", "admin");
    let program = |listen: &str| env.command(&["serve", "--no-watch", "--store", "s.sqlite", "--listen", listen]);

    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    let handed = Stdio::from(std::os::fd::OwnedFd::from(socket));
    let serving = Watching::by(&HAND_OVER, handed, &program("systemd"));
    assert_eq!(address(&serving), at);
    assert_eq!(ask(at, "GET", "/healthz", &[], "").status, 200);
    let cookie = login(at, "anna", PASSWORD).cookie();
    assert_eq!(ask(at, "GET", "/api/v1/me", &[("Cookie", &cookie)], "").status, 200);
    serving.signal("TERM");
    assert_eq!(serving.end(), Some(0));

    // One in the file system stays there for the next start: it belongs to whoever made it.
    let file = env.path("s.sock");
    let socket = std::os::unix::net::UnixListener::bind(&file).unwrap();
    let handed = Stdio::from(std::os::fd::OwnedFd::from(socket));
    let serving = Watching::by(&HAND_OVER, handed, &program("systemd"));
    serving.until(0, "s.sock");
    let mut stream = std::os::unix::net::UnixStream::connect(&file).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    serving.signal("TERM");
    assert_eq!(serving.end(), Some(0));
    assert!(file.exists());

    // What was meant for another process is not taken.
    let others = ["sh", "-c", "LISTEN_PID=1 LISTEN_FDS=1 exec \"$@\"", "launcher"];
    let refused = Watching::by(&others, Stdio::null(), &program("systemd"));
    refused.until(0, "sockets of systemd");
    assert_eq!(refused.end(), Some(1));
}

/// Where nothing is scanned from, no button offers it: what it would do is answered with 503.
#[test]
fn without_watching_no_scan_is_offered() {
    let env = TestEnv::new();
    add(&env, "anna", "admin");
    let serving = Watching::start(&env, QUIET);
    let at = address(&serving);
    let cookie = login(at, "anna", PASSWORD).cookie();
    let own = [("Cookie", cookie.as_str()), ("Accept", "text/html")];
    for path in ["/", "/scans"] {
        let page = ask(at, "GET", path, &own, "");
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("Scan now") && !page.body.contains("Scan these"), "{path}: {}", page.body);
    }
    let origin = format!("http://{at}");
    let form = [own[0], own[1], FORM, ("Origin", origin.as_str())];
    let refused = ask(at, "POST", "/scans", &form, "targets=");
    assert_eq!(refused.status, 503, "{}", refused.head);
    assert!(refused.body.contains("--no-watch"), "{}", refused.body);
}

#[test]
fn accounts_are_managed_without_a_server() {
    let env = TestEnv::new();
    add(&env, "anna", "admin");
    add(&env, "vera", "viewer");
    let listed = env.run("serve user list --store s.sqlite").success().out;
    assert!(listed.contains("anna  admin     last login never") && listed.contains("vera  viewer"), "{listed}");
    assert!(env.run("serve user remove anna --store s.sqlite").err.contains("last account that may manage"));
    assert!(env.run("serve user remove nobody --store s.sqlite").err.contains("there is no account nobody"));
    env.run("serve user remove vera --store s.sqlite").success();
    // Without a password nothing is made.
    let run = env.run("serve user add boris --store s.sqlite");
    assert!(run.code == Some(2) && run.err.contains("no password on standard input"), "{}", run.err);
    assert_eq!(env.run("serve user list --store s.sqlite").success().out.lines().count(), 1);
}

#[test]
fn it_is_encrypted_with_the_certificate_that_is_there_now() {
    let env = TestEnv::new();
    let write = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        env.write("cert.pem", made.cert.pem());
        env.write("key.pem", made.signing_key.serialize_pem());
    };
    write("one.example");
    let serving = Watching::start(&env, &format!("{QUIET} --tls-cert cert.pem --tls-key key.pem"));
    serving.until(0, "serving https://127.0.0.1:");
    write("two.example");
    serving.signal("HUP");
    let at = serving.until(0, "the certificate was read again");
    env.write("key.pem", "no key");
    serving.signal("HUP");
    serving.until(at, "it holds no private key");
    serving.signal("TERM");
    assert_eq!(serving.end(), Some(0));
}

/// Channels follow the configuration: one that is added is used, one that is gone is not, one with another address sends there,
/// and what waits for a channel waits until it is there again.
#[test]
fn channels_follow_the_configuration_when_it_is_read_again() {
    let env = TestEnv::new();
    add(&env, "anna", "admin");
    let channels = |lines: &[(&str, &str)]| {
        let mut text = "notify:\n  channels:\n".to_owned();
        for (name, script) in lines {
            let folder = env.path("");
            text.push_str(&format!(
                "    {name}: {{type: exec, command: [/bin/sh, -c, 'cd {} && {script}']}}\n",
                folder.display()
            ));
        }
        env.write("camscan.yaml", text);
    };
    channels(&[("one", "cat >> one.txt"), ("later", "exit 1")]);
    let line = format!(
        "serve 127.88.72.1 -p 9 {QUICK} --check-every none --store s.sqlite --listen 127.0.0.1:0 --config camscan.yaml"
    );
    let serving = Watching::start(&env, &line);
    let at = address(&serving);
    let cookie = login(at, "anna", PASSWORD).cookie();
    let origin = format!("http://{at}");
    let headers = [("Cookie", cookie.as_str()), ("Origin", origin.as_str()), ("Content-Type", "application/json")];
    let test = |name: &str| ask(at, "POST", &format!("/api/v1/channels/{name}/test"), &headers, "").status;
    let until = |what: &dyn Fn() -> bool, words: &str| {
        let until = Instant::now() + PATIENCE;
        while !what() {
            assert!(Instant::now() < until, "{words}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let written = |name: &str| std::fs::read_to_string(env.path(name)).unwrap_or_default().lines().count();
    let waits = || {
        let waiting = ask(at, "GET", "/api/v1/notifications?channel=later&state=waiting", &headers, "");
        waiting.body.contains("\"later\"")
    };
    let reload = |seen: usize| {
        serving.signal("HUP");
        serving.until(seen, "the configuration was read again")
    };
    assert_eq!((test("one"), test("later"), test("two")), (202, 202, 404));
    until(&|| written("one.txt") > 0, "the channel of the first configuration");
    until(&waits, "what was not taken waits");

    channels(&[("two", "cat >> two.txt"), ("one", "cat >> elsewhere.txt")]);
    let seen = reload(0);
    until(&|| test("two") == 202, "a channel that was added");
    assert_eq!((test("one"), test("later")), (202, 404));
    until(&|| written("two.txt") > 0 && written("elsewhere.txt") > 0, "channels of the second configuration");
    assert_eq!(written("one.txt"), 1, "nothing goes where the channel was before");
    assert!(waits(), "the channel is gone, what waits for it is not");
    let listed = ask(at, "GET", "/api/v1/channels", &headers, "").body;
    assert!(listed.contains("\"two\"") && !listed.contains("\"later\""), "{listed}");

    channels(&[("later", "cat >> later.txt")]);
    reload(seen);
    until(&|| written("later.txt") > 0, "what waited is sent when its channel is there again");
    serving.signal("TERM");
    assert_eq!(serving.end(), Some(0));
}

/// A login that is given while it watches is tried by the next scan, is in no line, and is known again after a restart.
#[test]
fn a_login_of_a_device_that_is_given_by_the_api_is_used_and_shown_nowhere() {
    let env = TestEnv::new();
    add(&env, "anna", "admin");
    let user = ("viewer".to_owned(), CAMERA_PASSWORD.to_owned());
    let cameras = Cameras::one(Camera { login: Login::Digest, user, ..camera(71, 1) });
    let rtsp = cameras.fleet.cameras[0].rtsp.port();
    let line =
        format!("serve 127.88.71.1 -p {rtsp} {QUICK} --check-every none --store s.sqlite --listen 127.0.0.1:0 -v");
    let serving = Watching::start(&env, &line);
    let at = address(&serving);
    let scanned = serving.until(0, "scan.finished");
    let cookie = login(at, "anna", PASSWORD).cookie();
    let origin = format!("http://{at}");
    let headers = [("Cookie", cookie.as_str()), ("Origin", origin.as_str()), ("Content-Type", "application/json")];
    let body = format!(r#"{{"user":"viewer","password":"{CAMERA_PASSWORD}","network":"127.88.71.0/24"}}"#);
    let given = ask(at, "POST", "/api/v1/logins", &headers, &body);
    assert_eq!(given.status, 201, "{}", given.body);
    serving.signal("USR1");
    serving.until(scanned, "discovery began");
    let until = Instant::now() + PATIENCE;
    let works = |at| ask(at, "GET", "/api/v1/logins", &headers, "").body.contains(r#""works_at":{"d_"#);
    while !works(at) {
        assert!(Instant::now() < until, "{}", ask(at, "GET", "/api/v1/logins", &headers, "").body);
        std::thread::sleep(Duration::from_millis(200));
    }
    serving.signal("TERM");
    let said = serving.lines.clone();
    assert_eq!(serving.end(), Some(0));
    let said = said.lock().unwrap().join("\n");
    assert!(!said.contains(CAMERA_PASSWORD), "{said}");
    let kept = std::fs::read(env.path("s.sqlite")).unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains(CAMERA_PASSWORD));
    let again = Watching::start(&env, &line);
    assert!(works(address(&again)), "it can be opened again");
}
