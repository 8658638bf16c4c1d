//! Messages to real receivers: a broker of MQTT with its own client, a mail server, and a server of HTTP that misbehaves in every
//! way there is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use camscan::model::Secret;
use camscan::model::memory::{DeliveryState, Event, EventKind, Outbox, Uid};
use camscan::model::notify::{
    Channel, ChannelWay, DeviceView, Discovery, DiscoveryForm, Email, MailSecurity, Mqtt, Notifications, Rule,
    StreamView, Webhook,
};
use camscan::notify::courier::Reporter;
use camscan::notify::{Channels, Courier, Rules, Style};
use camscan::testkit::outbox::MemoryOutbox;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::ns::{Host, Lan, need, player};
use crate::trial::Skip;
use crate::{PASSWORD, PYTHON, script};

const WATCHER: &str = "10.77.0.1";
const RECEIVER: &str = "10.77.0.20";
const PATIENCE: Duration = Duration::from_secs(90);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A network with a host that sends messages and one that receives them.
struct Place {
    lan: Lan,
    watcher: Host,
    receiver: Host,
}

impl Place {
    fn new() -> Place {
        let mut lan = Lan::new();
        let watcher = lan.host(WATCHER, "02:00:00:00:00:01");
        let receiver = lan.host(RECEIVER, "02:00:00:00:00:20");
        Place { lan, watcher, receiver }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.lan.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.lan.folder().join(name)).unwrap_or_default()
    }
}

/// A program on a host whose lines are read as they come. It is killed when dropped.
pub struct Running {
    pub child: Child,
    stdin: Option<ChildStdin>,
    pub lines: Receiver<String>,
}

impl Running {
    pub fn start(host: &Host, program: &str, arguments: &[&str]) -> Running {
        let mut command = host.command(program, arguments);
        command.stdin(Stdio::piped());
        Running::of(command)
    }

    pub fn of(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Running { stdin: child.stdin.take(), child, lines }
    }

    /// This test program in a role.
    pub fn role(host: &Host, role: &str) -> Running {
        let [variable, program] = player(role);
        Running::start(host, "env", &[&variable, &program])
    }

    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The lines up to one that holds the words.
    pub fn until(&self, words: &str) -> Vec<String> {
        let (until, mut seen) = (Instant::now() + PATIENCE, Vec::new());
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no '{words}' in {seen:#?}"));
            seen.push(line);
            if seen.last().unwrap().contains(words) {
                return seen;
            }
        }
    }

    /// Ends it by the end of its input.
    pub fn end(mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn broker(place: &Place, configuration: &str) -> Running {
    let broker = Running::start(&place.receiver, "mosquitto", &["-c", configuration]);
    let until = Instant::now() + PATIENCE;
    while !place.receiver.listens_tcp(1883) {
        assert!(Instant::now() < until, "mosquitto does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    broker
}

pub fn a_broker_shows_devices_and_knows_them_again_after_it_was_away() -> Result<(), Skip> {
    need(&["mosquitto", "mosquitto_sub", "mosquitto_passwd"])?;
    let place = Place::new();
    let passwords = place.write("passwords", &format!("cams:{PASSWORD}\n"));
    assert!(std::process::Command::new("mosquitto_passwd").args(["-U", &passwords]).status().unwrap().success());
    std::process::Command::new("chmod").args(["644", &passwords]).status().unwrap();
    let text = format!("listener 1883 0.0.0.0\nallow_anonymous false\npassword_file {passwords}\npersistence false\n");
    let configuration = place.write("mosquitto.conf", &text);
    let first = broker(&place, &configuration);
    let listen = || {
        let arguments = ["-h", RECEIVER, "-u", "cams", "-P", PASSWORD, "-q", "1", "-F", "%t %r %p", "-t", "#"];
        let all = Running::start(&place.receiver, "mosquitto_sub", &arguments);
        // It is connected when what is retained arrives, which may be nothing: time has to do.
        std::thread::sleep(Duration::from_millis(500));
        all
    };
    let heard = listen();
    let mut bridge = Running::role(&place.watcher, &format!("notify-mqtt {RECEIVER} 1883 none device"));
    let id = Uid::of([7; 10]).to_string();
    let in_order = |lines: &[String]| {
        let at = |what: &str| {
            lines.iter().position(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{what} {lines:#?}"))
        };
        let [config, status, state] =
            [format!("homeassistant/device/{id}/config"), "camscan/status".into(), format!("camscan/{id}/state")]
                .map(|topic| at(&topic));
        assert!(config < status && status < state, "{lines:#?}");
    };
    let lines = heard.until(&format!("camscan/{id}/state 0 "));
    in_order(&lines);
    let config = lines.iter().find_map(|line| line.strip_prefix(&format!("homeassistant/device/{id}/config 0 ")));
    let config: Value = serde_json::from_str(config.unwrap()).unwrap();
    assert_eq!((&config["dev"]["name"], &config["dev"]["mf"]), (&"Dome North".into(), &"Axis".into()));
    assert_eq!(config["cmps"].as_object().unwrap().len(), 4);
    // A change of state is sent, and nothing else with it.
    bridge.tell("offline");
    let lines = heard.until("\"online\":false");
    assert!(lines.iter().all(|line| line.starts_with(&format!("camscan/{id}/state"))), "{lines:#?}");
    bridge.tell("event");
    let lines = heard.until(&format!("camscan/{id}/event 0 "));
    let event: Value = serde_json::from_str(lines.last().unwrap().split_once(" 0 ").unwrap().1).unwrap();
    assert_eq!((&event["type"], event["data"]["events"].as_array().unwrap().len()), (&"device.offline".into(), 1));
    assert!(event["id"].as_str().unwrap().starts_with("msg_"));
    // Home Assistant starts.
    let said = place.watcher.run(
        "mosquitto_pub",
        &["-h", RECEIVER, "-u", "cams", "-P", PASSWORD, "-q", "1", "-t", "homeassistant/status", "-m", "online"],
    );
    assert!(said.status.success());
    heard.until("homeassistant/status");
    in_order(&heard.until(&format!("camscan/{id}/state 0 ")));
    // The broker forgets everything; a message that comes meanwhile waits for it. The wire is cut, so that somebody listens
    // before camscan is back.
    let wire = |state| assert!(place.watcher.run("ip", &["link", "set", "eth0", state]).status.success());
    wire("down");
    drop(heard);
    drop(first);
    bridge.tell("event");
    std::thread::sleep(Duration::from_secs(2));
    let second = broker(&place, &configuration);
    let heard = listen();
    wire("up");
    let mut lines = heard.until(&format!("camscan/{id}/state 0 "));
    in_order(&lines);
    let is_event = |line: &String| line.starts_with(&format!("camscan/{id}/event"));
    if !lines.iter().any(is_event) {
        lines.extend(heard.until(&format!("camscan/{id}/event")));
    }
    assert_eq!(lines.iter().filter(|line| is_event(line)).count(), 1);
    // A device that is archived leaves nothing behind, and neither does camscan when it goes.
    bridge.tell("archive");
    heard.until(&format!("camscan/{id}/state 0 "));
    bridge.end();
    heard.until("camscan/status 0 offline");
    drop(heard);
    let heard = listen();
    let retained: Vec<String> = heard.lines.try_iter().collect();
    assert_eq!(retained, ["camscan/status 1 offline"]);
    drop(second);
    Ok(())
}

pub fn a_broker_behind_tls_is_told_nothing_before_its_certificate_is_known() -> Result<(), Skip> {
    need(&["mosquitto", "mosquitto_sub", "openssl"])?;
    let place = Place::new();
    let [key, certificate] = certificate_of(&place.lan, "broker", RECEIVER, 2);
    let [_, other] = certificate_of(&place.lan, "other", RECEIVER, 2);
    let text = format!(
        "user root\nlistener 1883 127.0.0.1\nlistener 8883 0.0.0.0\ncertfile {certificate}\nkeyfile {key}\n\
         allow_anonymous true\npersistence false\n"
    );
    let broker = broker(&place, &place.write("mosquitto.conf", &text));
    let listen = || {
        Running::start(&place.receiver, "mosquitto_sub", &["-h", "127.0.0.1", "-q", "1", "-F", "%t %r %p", "-t", "#"])
    };
    let heard = listen();
    let bridge = Running::role(&place.watcher, &format!("notify-mqtt {RECEIVER} 8883 {other} entity"));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(heard.lines.try_iter().next(), None);
    bridge.end();
    // Home Assistant as it was before it took whole devices: one announcement for each thing that can be read.
    let mut bridge = Running::role(&place.watcher, &format!("notify-mqtt {RECEIVER} 8883 {certificate} entity"));
    let id = Uid::of([7; 10]).to_string();
    let lines = heard.until(&format!("camscan/{id}/state 0 "));
    let mut announced: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("homeassistant/")).collect();
    announced.iter_mut().for_each(|line| *line = line.split_once('/').unwrap().0);
    assert_eq!(announced, ["binary_sensor", "sensor", "binary_sensor", "sensor"]);
    assert!(lines.iter().filter(|line| line.starts_with("homeassistant/")).all(|line| line.contains(&id)));
    bridge.tell("archive");
    heard.until(&format!("camscan/{id}/state 0 "));
    bridge.end();
    heard.until("camscan/status 0 offline");
    let retained = listen().until("camscan/status 1 offline");
    assert_eq!(retained.len(), 1, "{retained:#?}");
    drop(broker);
    Ok(())
}

/// Makes a server's key and certificate, and gives their paths.
pub fn certificate_of(lan: &Lan, name: &str, address: &str, days: u32) -> [String; 2] {
    let path = |of: &str| lan.folder().join(format!("{name}-{of}")).display().to_string();
    let (key, certificate, configuration) = (path("key.pem"), path("ca.pem"), path("openssl.cnf"));
    let text = format!(
        "[req]\ndistinguished_name=d\nx509_extensions=v\n[d]\n[v]\nsubjectAltName=IP:{address}\nbasicConstraints=critical,CA:FALSE\n"
    );
    std::fs::write(&configuration, text).unwrap();
    let request = format!("req -x509 -newkey rsa:2048 -nodes -days {days} -subj /CN=server");
    let made = std::process::Command::new("openssl")
        .args(request.split(' '))
        .args(["-config", &configuration, "-keyout", &key, "-out", &certificate])
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    [key, certificate]
}

pub fn a_mail_server_gets_each_message_once_and_protected() -> Result<(), Skip> {
    need(&[PYTHON, "openssl"])?;
    let place = Place::new();
    let [key, certificate] = certificate_of(&place.lan, "mail", RECEIVER, 2);
    let sink = script("smtp_sink.py");
    let folder = place.lan.folder().display().to_string();
    place.lan.serve(&place.receiver, PYTHON, &[&sink, RECEIVER, &folder, &key, &certificate, PASSWORD], |host| {
        host.listens_tcp(2525) && host.listens_tcp(2587)
    });
    place.lan.wait();
    for (security, port) in [("none", 2525), ("starttls", 2587)] {
        let mut courier =
            Running::role(&place.watcher, &format!("notify-mail {RECEIVER} {port} {security} {certificate}"));
        courier.tell("event");
        courier.until("delivered");
        courier.end();
        let mails = place.read(&format!("mails-{port}"));
        let mails: Vec<Value> = mails.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // The first one was answered with 451.
        assert_eq!(mails.len(), 1, "{mails:#?}");
        let text = mails[0]["text"].as_str().unwrap();
        for part in
            ["Subject: Offline: Dome North (10.0.5.21)", "Message-ID: <msg_", "References: <problem_", "List-Id:"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert_eq!((&mails[0]["tls"], &mails[0]["login"]), (&(port == 2587).into(), &(port == 2587).into()));
        assert!(!text.contains(PASSWORD));
    }
    // A server whose certificate nobody signed gets no login and no message.
    let mut courier = Running::role(&place.watcher, &format!("notify-mail {RECEIVER} 2587 starttls none"));
    courier.tell("event");
    let why = courier.until("failed");
    assert!(why.last().unwrap().to_lowercase().contains("certificate"), "{why:?}");
    courier.end();
    assert_eq!(place.read("mails-2587").lines().count(), 1);
    Ok(())
}

pub fn a_receiver_that_misbehaves_loses_nothing_and_gets_nothing_twice() -> Result<(), Skip> {
    need(&[])?;
    let place = Place::new();
    let server = Running::role(&place.receiver, "notify-http");
    server.until("ready");
    let mut courier = Running::role(&place.watcher, &format!("notify-webhooks {RECEIVER}"));
    courier.tell("go");
    let mut states = courier.until("over");
    states.retain(|line| line.contains('='));
    courier.end();
    states.sort();
    assert_eq!(states, ["busy=done 2", "fails=done 3", "gone=dead 1", "hangs=done 2", "moved=dead 1", "works=done 1"]);
    let taken: Vec<String> = server.lines.try_iter().filter(|line| line.starts_with("taken ")).collect();
    let mut of: Vec<&str> = taken.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    of.sort_unstable();
    assert_eq!(of, ["/busy", "/fails", "/hangs", "/works"], "{taken:#?}");
    Ok(())
}

/// Plays a role of these tests.
pub fn play(words: &[&str]) -> Option<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match *words {
        ["notify-mqtt", host, port, ca, form] => {
            // One thread: with more, a busy machine may connect before there is a device to show, and sends them in another order.
            let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            one.block_on(run_bridge(host, port.parse().unwrap(), ca, DiscoveryForm::from_name(form).unwrap()));
        }
        ["notify-mail", host, port, security, ca] => {
            runtime.block_on(run_mail(host, port.parse().unwrap(), security, ca));
        }
        ["notify-http"] => serve_http(),
        ["notify-webhooks", host] => runtime.block_on(run_webhooks(host)),
        _ => return None,
    }
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    Some(())
}

/// A courier with these channels, and what it needs.
struct Sending {
    channels: Arc<Channels>,
    outbox: Arc<MemoryOutbox>,
    rules: Rules,
    stop: CancellationToken,
    bell: camscan::notify::courier::Bell,
    running: tokio::task::JoinHandle<()>,
}

impl Sending {
    fn start(ways: Vec<(&str, ChannelWay)>) -> Sending {
        let channels = ways.into_iter().map(|(name, way)| Channel { name: name.to_owned(), way }).collect();
        let rule = Rule { wait: Duration::ZERO, ..Rule::default() };
        let notifications = Notifications { public_url: None, channels, rules: vec![rule] };
        let channels = Arc::new(Channels::open(&notifications, "lab"));
        let outbox = Arc::new(MemoryOutbox::default());
        let style = Style { public_url: None, zone: TimeZone::UTC };
        let names = channels.names().map(str::to_owned).collect();
        let report: Reporter = Arc::new(|event| println!("{} {:?}", event.kind, event.data));
        let courier = Courier::new(outbox.clone(), channels.clone(), names, style, report);
        let (stop, bell) = (CancellationToken::new(), courier.bell());
        let running = tokio::spawn(courier.run(stop.clone()));
        let rules = Rules::new(&notifications, TimeZone::UTC);
        Sending { channels, outbox, rules, stop, bell, running }
    }

    fn tell(&self) {
        let now = Timestamp::now();
        let mut event = Event { device: Some(Uid::of([7; 10])), ..Event::new(EventKind::DeviceOffline, now) };
        event.data.since = Some(now);
        event.data.device = serde_json::from_str(r#"{"ip":"10.0.5.21","kind":"camera","name":"Dome North"}"#).unwrap();
        self.outbox.tell(vec![event], &self.rules, now);
        self.bell.ring();
    }

    async fn end(self) {
        self.stop.cancel();
        let _ = self.running.await;
        self.channels.close().await;
    }
}

/// The next line of standard input.
async fn line() -> Option<String> {
    let read = || std::io::stdin().lines().next().and_then(Result::ok);
    tokio::task::spawn_blocking(read).await.unwrap()
}

async fn run_bridge(host: &str, port: u16, ca: &str, form: DiscoveryForm) {
    let ca = Some(ca).filter(|ca| *ca != "none").map(Into::into);
    let mqtt = Mqtt {
        host: host.to_owned(),
        port,
        tls: ca.is_some(),
        ca,
        user: Some("cams".to_owned()),
        password: Some(Secret::new(PASSWORD)),
        topic: "camscan".to_owned(),
        discovery: Some(Discovery { prefix: "homeassistant".to_owned(), form }),
    };
    let sending = Sending::start(vec![("home", ChannelWay::Mqtt(mqtt))]);
    let uid = Uid::of([7; 10]);
    let stream = StreamView { key: "a".into(), name: "main".into(), working: Some(true), millifps: Some(25_000) };
    let mut view = DeviceView {
        uid: uid.clone(),
        name: "Dome North".to_owned(),
        site: None,
        ip: [10, 0, 5, 21].into(),
        mac: None,
        page: None,
        vendor: Some("Axis".to_owned()),
        model: None,
        firmware: None,
        online: Some(true),
        streams: vec![stream],
        gone_streams: vec![],
        last_seen: None,
    };
    let show = |devices: Vec<DeviceView>, gone: Vec<DeviceView>| {
        sending.channels.bridges().for_each(|bridge| bridge.show(devices.clone(), gone.clone()));
    };
    show(vec![view.clone()], vec![]);
    while let Some(line) = line().await {
        match line.as_str() {
            "offline" => {
                view.online = Some(false);
                show(vec![view.clone()], vec![]);
            }
            "archive" => show(vec![], vec![view.clone()]),
            _ => sending.tell(),
        }
    }
    sending.end().await;
}

async fn run_mail(host: &str, port: u16, security: &str, ca: &str) {
    let email = Email {
        host: host.to_owned(),
        port,
        security: MailSecurity::from_name(security).unwrap(),
        ca: Some(ca).filter(|ca| *ca != "none").map(Into::into),
        user: Some("cams".to_owned()).filter(|_| security != "none"),
        password: Some(Secret::new(PASSWORD)),
        from: "cams@example.org".to_owned(),
        to: vec!["ops@example.org".to_owned()],
    };
    let sending = Sending::start(vec![("mail", ChannelWay::Email(email))]);
    line().await;
    sending.tell();
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let delivery = sending.outbox.deliveries().remove(0);
        match (delivery.state, delivery.error) {
            (DeliveryState::Done, _) => {
                println!("delivered");
                break;
            }
            (_, Some(why)) if ca == "none" => {
                println!("failed {why}");
                break;
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    sending.end().await;
}

const PATHS: [&str; 6] = ["works", "fails", "hangs", "busy", "gone", "moved"];

async fn run_webhooks(host: &str) {
    let way = |path: &str| {
        let url = Secret::new(format!("http://{host}:8080/{path}"));
        ChannelWay::Webhook(Webhook { url, secrets: vec![Secret::new(SECRET)], headers: vec![] })
    };
    let sending = Sending::start(PATHS.iter().map(|path| (*path, way(path))).collect());
    line().await;
    sending.tell();
    let until = Instant::now() + PATIENCE * 2;
    loop {
        let deliveries = sending.outbox.deliveries();
        let waits = deliveries.iter().any(|delivery| delivery.state == DeliveryState::Waiting);
        if !waits || Instant::now() > until {
            deliveries.iter().for_each(|d| println!("{}={} {}", d.channel, d.state, d.tries));
            assert!(sending.outbox.next_due("works").is_ok());
            println!("over");
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    sending.end().await;
}

/// Answers at each path in its own way, and prints what it took.
fn serve_http() {
    let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
    println!("ready");
    let counts: Arc<Mutex<std::collections::BTreeMap<String, u32>>> = Arc::default();
    for stream in listener.incoming().map_while(Result::ok) {
        let counts = counts.clone();
        std::thread::spawn(move || answer(stream, &counts));
    }
}

fn answer(mut stream: TcpStream, counts: &Mutex<std::collections::BTreeMap<String, u32>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let is_whole = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())?;
        (body.len() >= length).then_some(text)
    };
    let text = loop {
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => bytes.extend(&buffer[..read]),
            _ => return,
        }
        if let Some(text) = is_whole(&bytes) {
            break text;
        }
    };
    let path = text.split(' ').nth(1).unwrap().to_owned();
    let nth = {
        let mut counts = counts.lock().unwrap();
        let count = counts.entry(path.clone()).or_default();
        *count += 1;
        *count
    };
    assert!(text.contains("webhook-signature: v1,"), "{text}");
    let id = text.lines().find_map(|line| line.strip_prefix("webhook-id: ")).unwrap_or_default();
    let said = match (path.as_str(), nth) {
        ("/hangs", 1) => {
            std::thread::sleep(Duration::from_secs(20));
            return;
        }
        ("/fails", 1) => return,
        ("/fails", 2) => "503 Service Unavailable\r\nretry-after: 2",
        ("/busy", 1) => "429 Too Many Requests\r\nretry-after: 7",
        ("/gone", _) => "410 Gone",
        ("/moved", _) => "302 Found\r\nlocation: /works",
        _ => {
            println!("taken {path} {id}");
            "204 No Content"
        }
    };
    let _ = stream.write_all(format!("HTTP/1.1 {said}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes());
}
