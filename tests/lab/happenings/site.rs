//! A site: cameras that are one process, a second network, a gateway, a receiver of messages, and what watches them.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::script::{AGE, Act, CHECK, NETWORK, SCAN, WAIT};
use super::truth::Arrived;
use crate::notify::{Running, certificate_of};
use crate::ns::Host;
use crate::watch::must;
use crate::{Lab, PASSWORD, PYTHON, script};

/// Who may see the pictures of a camera.
#[derive(Clone, Copy, PartialEq)]
enum Login {
    /// By chance.
    Any,
    Open,
    /// Those who have the login that camscan has.
    Known,
}

/// The cameras of the first network by what happens to them, and those two that are not there yet.
const ROLES: [(&str, Login); 32] = [
    ("unplugged", Login::Any),
    ("restarted", Login::Any),
    ("muted", Login::Any),
    ("frozen", Login::Any),
    ("path gone", Login::Any),
    ("protected", Login::Open),
    ("shut", Login::Open),
    ("opened", Login::Known),
    ("password", Login::Known),
    ("locked", Login::Known),
    ("codec", Login::Any),
    ("size", Login::Any),
    ("moved", Login::Any),
    ("swapped", Login::Any),
    ("swapped too", Login::Any),
    ("replaced", Login::Any),
    ("firmware", Login::Open),
    ("slow", Login::Any),
    ("busy", Login::Any),
    ("media server", Login::Any),
    ("flapping", Login::Any),
    ("clock", Login::Any),
    ("certificate", Login::Any),
    ("steady 1", Login::Any),
    ("steady 2", Login::Any),
    ("steady 3", Login::Any),
    ("steady 4", Login::Open),
    ("steady 5", Login::Known),
    ("steady 6", Login::Known),
    ("steady 7", Login::Any),
    ("replacement", Login::Any),
    ("new", Login::Any),
];
const NOT_YET: [&str; 2] = ["replacement", "new"];
/// The second network: addresses of its cameras.
const SECOND: [u8; 3] = [2, 6, 10];
const MAKERS: [[u8; 3]; 4] = [[0x44, 0x19, 0xb6], [0x3c, 0xef, 0x8c], [0x00, 0x40, 0x8c], [0xec, 0x71, 0xdb]];
const PATIENCE: Duration = Duration::from_secs(180);

struct Camera {
    host: Host,
    ip: String,
    mac: String,
}

/// `camscan watch` with a store of its own.
struct Watch {
    host: Host,
    name: &'static str,
    targets: String,
    running: Option<Running>,
}

pub struct Site {
    lab: Lab,
    cameras: BTreeMap<&'static str, Camera>,
    hub: Host,
    gateway: Host,
    receiver: Host,
    loss: u32,
    process: Running,
    watches: [Watch; 2],
    scans: Vec<Child>,
    /// What the receiver took, as it wrote it.
    messages: Vec<Value>,
    began: SystemTime,
    soon: [String; 2],
}

/// A stream as `cameras.py` takes it.
pub fn stream(path: &str, codec: &str, (width, height): (u32, u32), fps: u32) -> Value {
    json!({"path": path, "codec": codec, "width": width, "height": height, "fps": fps, "declared": fps})
}

/// One that sends far less than it declares.
pub fn slow_stream() -> Value {
    json!({"path": "/stream1", "codec": "h264", "width": 1280, "height": 720, "fps": 2, "declared": 10})
}

impl Site {
    /// A site as a seed has it. Once all is learnt, its links lose so many of a hundred frames in each direction.
    pub fn new(seed: u64, loss: u32) -> Site {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut lab = Lab::new();
        let second = lab.lan.host("10.77.0.2", "02:00:00:00:00:02");
        let receiver = lab.lan.host("10.77.0.200", "02:00:00:00:00:c8");
        must(&receiver, "ip link set eth0 down");
        lab.lan.join(&lab.scanner, &receiver, "wire1", ["10.79.0.1/30", "10.79.0.2/30"]);
        lab.lan.join(&second, &receiver, "wire2", ["10.79.0.5/30", "10.79.0.6/30"]);
        let gateway = lab.lan.host("10.77.0.254", "02:00:00:00:00:fe");
        must(&lab.scanner, "ip route add default via 10.77.0.254");
        must(&second, "ip route add default via 10.77.0.254");
        let mut process = Running::start(&receiver, PYTHON, &[&script("happenings/cameras.py")]);
        process.tell(&json!({"receiver": receiver.name()}).to_string());
        let hub = second_network(&mut lab, &mut process);
        let certificate = |days: u32| certificate_of(&lab.lan, &format!("camera-{days}"), "10.77.0.10", days);
        let (long, soon) = (certificate(400), certificate(5));
        let cameras = cameras(&mut lab, &mut chance, &mut process, &long);
        let all = "10.77.0.10-69";
        let watch = |host: &Host, name, targets| Watch { host: host.clone(), name, targets, running: None };
        let watches = [
            watch(&lab.scanner, "first", format!("{all} 10.78.0.2 10.78.0.6 10.78.0.10")),
            watch(&second, "second", all.to_owned()),
        ];
        let mut site = Site {
            lab,
            cameras,
            hub,
            gateway,
            receiver,
            loss,
            process,
            watches,
            scans: Vec::new(),
            messages: Vec::new(),
            began: SystemTime::now(),
            soon: [soon[1].clone(), soon[0].clone()],
        };
        (0..1 + ROLES.len() + SECOND.len()).for_each(|_| site.until_done());
        site
    }

    /// Begins to watch, and waits until all is learnt and was checked once. From then on the seconds are counted.
    pub fn learn(&mut self) {
        let _ = self.lab.write(
            "first.yaml",
            configuration(&[("hook", "http://10.79.0.2:8080/hook"), ("spare", "http://10.79.0.2:8080/spare")]),
        );
        let _ = self.lab.write("second.yaml", configuration(&[("second", "http://10.79.0.6:8080/second")]));
        (0..2).for_each(|n| self.start(n));
        let there = ROLES.len() - NOT_YET.len();
        let until = Instant::now() + PATIENCE;
        for (path, count) in [("hook", there + SECOND.len()), ("spare", there + SECOND.len()), ("second", there)] {
            while !self.events(path).iter().any(|event| event.0["type"] == "scan.finished") {
                assert!(Instant::now() < until, "no first scan came to {path}: {:?}", self.messages);
                self.wait(Duration::from_millis(500));
            }
            let learnt = self.events(path)[0].0["data"]["count"].clone();
            assert_eq!(learnt, count, "learnt by the watch of {path}");
        }
        let muted = self.cameras["muted"].mac.clone();
        self.devices(&["mute", &muted, "--for", "2h"]);
        self.lose();
        self.wait(Duration::from_secs(CHECK + 10));
        self.began = SystemTime::now();
    }

    fn lose(&self) {
        if self.loss > 0 {
            self.watches.iter().for_each(|watch| self.lab.lan.lose(&watch.host, self.loss));
            ["wire1", "wire2"].iter().for_each(|wire| self.receiver.lose(wire, self.loss));
            self.hub.lose("eth1", self.loss);
        }
    }

    fn start(&mut self, n: usize) {
        let Watch { host, name, targets, .. } = &self.watches[n];
        let [store, configuration, log] = ["sqlite", "yaml", "log"].map(|end| self.lab.path(&format!("{name}.{end}")));
        let line = format!(
            "watch {targets} --every {SCAN}s --max-age {AGE}s --jitter 1ms --check-every {CHECK}s --ports 554,80,443 --no-dns \
             --measure-time 1s --events json --store {store} --config {configuration}"
        );
        let mut command = host.command(self.lab.binary.to_str().unwrap(), &line.split(' ').collect::<Vec<_>>());
        let log = File::options().append(true).create(true).open(log).unwrap();
        command.env("HOME", "/nonexistent").stdin(Stdio::null()).stderr(log);
        self.watches[n].running = Some(Running::of(command));
    }

    /// `camscan devices` with both stores.
    fn devices(&self, words: &[&str]) {
        for name in ["first", "second"] {
            let store = self.lab.path(&format!("{name}.sqlite"));
            let done = self.lab.command(true, &[&["devices"], words, &["--store", &store]].concat()).output().unwrap();
            assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
    }

    fn tell(&mut self, camera: &str, mut fields: Value) {
        fields["camera"] = camera.into();
        self.process.tell(&fields.to_string());
        self.until_done();
    }

    /// Waits for an answer of the process; what it prints besides are messages.
    fn until_done(&mut self) {
        loop {
            let line = self.process.lines.recv_timeout(PATIENCE).expect("the cameras answer");
            if line == "done" {
                return;
            }
            self.messages.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// Takes in messages meanwhile.
    pub fn wait(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Ok(line) = self.process.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.messages.push(serde_json::from_str(&line).unwrap());
        }
        // What watches prints as well; it is not needed, and must not be in the way.
        self.watches.iter().filter_map(|watch| watch.running.as_ref()).for_each(|running| {
            running.lines.try_iter().for_each(drop);
        });
    }

    /// Seconds since all was learnt.
    pub fn now(&self) -> f64 {
        self.began.elapsed().unwrap_or_default().as_secs_f64()
    }

    pub fn act(&mut self, act: &Act) {
        match act {
            Act::Set(name, Value::Null) => self.tell(name, json!({"certificate": self.soon})),
            Act::Set(name, fields) => self.tell(name, fields.clone()),
            Act::Plug(name, is_in) => self.lab.lan.plug(&self.cameras[name].host, *is_in),
            Act::Move(name) => self.give(&[(name, "10.77.0.60".to_owned())]),
            Act::Swap(one, other) => {
                let [first, second] = [one, other].map(|name| self.cameras[name].ip.clone());
                self.give(&[(one, second), (other, first)]);
            }
            Act::Switch(works) => {
                let state = if *works { "up" } else { "down" };
                SECOND.iter().for_each(|n| must(&self.hub, &format!("ip link set w{n} {state}")));
            }
            Act::Gateway(is_in) => self.lab.lan.plug(&self.gateway, *is_in),
            Act::Link(is_in) => self.lab.lan.plug(&self.lab.scanner, *is_in),
            Act::Kill => {
                drop(self.watches[0].running.take());
                self.start(0);
            }
            Act::Restart => {
                let mut running = self.watches[0].running.take().unwrap();
                let pid = running.child.id().to_string();
                assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
                assert!(running.child.wait().unwrap().success());
                self.start(0);
            }
            Act::Refuse(yes) => {
                let paths: &[&str] = if *yes { &["/hook"] } else { &[] };
                self.process.tell(&json!({"refuse": paths}).to_string());
                self.until_done();
            }
            Act::RemoveStore => std::fs::remove_file(self.lab.path("first.sqlite")).unwrap(),
            Act::ScanBeside => {
                let line = format!(
                    "scan 10.77.0.10-69 --ports 554,80,443 --no-dns -q --config {}",
                    self.lab.path("first.yaml")
                );
                let mut command = self.lab.command(true, &line.split(' ').collect::<Vec<_>>());
                self.scans.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
            }
            Act::Retry(name) => {
                let mac = self.cameras[name].mac.clone();
                self.devices(&["login", "retry", &mac]);
            }
        }
    }

    /// Gives cameras other addresses, all at once.
    fn give(&mut self, addresses: &[(&&'static str, String)]) {
        for (name, _) in addresses {
            let Camera { host, ip, .. } = &self.cameras[*name];
            must(host, &format!("ip addr del {ip}/24 dev eth0"));
        }
        for (name, address) in addresses {
            must(&self.cameras[*name].host, &format!("ip addr add {address}/24 dev eth0"));
            must(&self.cameras[*name].host, "ip route replace 224.0.0.0/4 dev eth0");
            self.tell(name, json!({"ip": address}));
            self.cameras.get_mut(*name).unwrap().ip.clone_from(address);
        }
    }

    /// The events that came to a path, each with when it came; a message that came again, which its id tells, is one.
    fn events(&self, path: &str) -> Vec<(&Value, f64)> {
        let mut ids = std::collections::BTreeSet::new();
        let began = self.began.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let messages = self.messages.iter().filter(|message| message["path"] == format!("/{path}"));
        let mut all = Vec::new();
        for message in messages.filter(|message| ids.insert(message["id"].to_string())) {
            let data = &message["body"]["data"];
            let at = message["at"].as_f64().unwrap() - began;
            all.extend(data["events"].as_array().unwrap().iter().map(|event| (event, at)));
        }
        all
    }

    /// What came to a path since all was learnt.
    pub fn arrived(&self, path: &str) -> Vec<Arrived> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let subject = |event: &Value| {
            let mac = text(&event["data"]["device"]["mac"]);
            let camera = self.cameras.iter().find(|(_, camera)| camera.mac == mac).map(|(name, _)| (*name).to_owned());
            let other = [&event["network"], &event["data"]["channel"], &event["data"]["device"]["ip"]];
            camera.unwrap_or_else(|| {
                other.iter().map(|value| text(value)).find(|text| !text.is_empty()).unwrap_or_default()
            })
        };
        let is_first_scan = |event: &Value| event["type"] == "scan.finished";
        let events = self.events(path).into_iter().filter(|(event, _)| !is_first_scan(event));
        let why = |event: &Value| {
            let data = &event["data"];
            format!(
                "{} {} {} at {}",
                text(&data["reason"]),
                text(&data["failure"]),
                data["changes"],
                data["device"]["ip"]
            )
        };
        let arrived = events.map(|(event, at)| Arrived {
            at,
            kind: text(&event["type"]),
            subject: subject(event),
            why: why(event),
        });
        arrived.collect()
    }

    /// How many messages came more than once.
    pub fn repeated(&self) -> usize {
        let ids: std::collections::BTreeSet<String> =
            self.messages.iter().map(|message| format!("{} {}", message["path"], message["id"])).collect();
        self.messages.len() - ids.len()
    }

    /// Ends all that runs, and says what went wrong with it.
    pub fn end(mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        for watch in &mut self.watches {
            let Some(mut running) = watch.running.take() else { continue };
            if let Some(status) = running.child.try_wait().unwrap() {
                wrong.push(format!("the {} watch ended with {status}", watch.name));
            }
        }
        for mut scan in self.scans.drain(..) {
            match scan.try_wait().unwrap() {
                Some(status) if status.success() => {}
                other => wrong.push(format!("a scan beside came to {other:?}")),
            }
            let _ = scan.kill();
            let _ = scan.wait();
        }
        let cut = self.messages.iter().filter(|message| message["body"]["data"]["left_out"] != 0);
        wrong.extend(cut.map(|message| format!("a message leaves events out: {}", message["body"]["data"]["title"])));
        for watch in &self.watches {
            let log = std::fs::read_to_string(self.lab.path(&format!("{}.log", watch.name))).unwrap_or_default();
            wrong.extend(log.lines().filter(|line| line.contains("panicked")).map(str::to_owned));
        }
        if let Ok(folder) = std::env::var("CAMSCAN_REPORTS") {
            for name in ["first.log", "second.log", "first.sqlite", "second.sqlite"] {
                let id = self.lab.scanner.name();
                let _ = std::fs::copy(self.lab.path(name), format!("{folder}/{id}-{name}"));
            }
            let lines: Vec<String> = self.messages.iter().map(ToString::to_string).collect();
            let _ = std::fs::write(format!("{folder}/{}-messages.jsonl", self.lab.scanner.name()), lines.join("\n"));
        }
        wrong
    }
}

fn configuration(channels: &[(&str, &str)]) -> String {
    let channels: String =
        channels.iter().map(|(name, url)| format!("    {name}: {{type: webhook, url: \"{url}\"}}\n")).collect();
    // What comes together is one message, which has room for 20 kB: some kinds have messages of their own. Where a channel
    // got more than 20, warnings and information would wait for another hour.
    let rules: String = [r#""device.*""#, r#""stream.*""#, r#""*""#]
        .iter()
        .map(|kinds| format!("    - {{events: [{kinds}], wait: {WAIT}s}}\n"))
        .collect();
    format!(
        "credentials:\n  - user: admin\n    password: {PASSWORD}\nnotify:\n  channels:\n{channels}  rules:\n{rules}"
    )
}

/// The cameras of the first network, with address, MAC address and login by chance.
fn cameras(
    lab: &mut Lab,
    chance: &mut fastrand::Rng,
    process: &mut Running,
    certificate: &[String; 2],
) -> BTreeMap<&'static str, Camera> {
    let mut places: Vec<u8> = (10..10 + u8::try_from(ROLES.len()).unwrap()).collect();
    chance.shuffle(&mut places);
    let mut cameras: BTreeMap<&'static str, Camera> = BTreeMap::new();
    for ((name, login), place) in ROLES.into_iter().zip(places) {
        let replaced = cameras.get("replaced").filter(|_| name == "replacement");
        let ip = replaced.map_or(format!("10.77.0.{place}"), |old| old.ip.clone());
        let [a, b, c] = MAKERS[chance.usize(..MAKERS.len())];
        let mac = format!("{a:02x}:{b:02x}:{c:02x}:{:02x}:00:{place:02x}", chance.u8(..));
        let host = lab.lan.host(&ip, &mac);
        if NOT_YET.contains(&name) {
            lab.lan.plug(&host, false);
        }
        let has_login = login == Login::Known || login == Login::Any && chance.bool();
        let mut streams = vec![stream("/stream1", "h264", (1280, 720), 10)];
        if name == "protected" || name.starts_with("steady") {
            streams.push(stream("/stream2", "h264", (640, 352), 10));
        }
        if name == "media server" {
            streams.extend(["/stream2", "/stream3", "/stream4"].map(|path| stream(path, "h264", (640, 352), 10)));
        }
        let mut fields = json!({
            "camera": name, "netns": host.name(), "ip": ip, "serial": format!("LAB{:06}", chance.u32(..1_000_000)),
            "streams": streams, "password": if has_login { PASSWORD } else { "" }, "basic": chance.bool(),
        });
        if name == "certificate" {
            fields["certificate"] = json!([certificate[1], certificate[0]]);
        }
        process.tell(&fields.to_string());
        cameras.insert(name, Camera { host, ip, mac });
    }
    cameras
}

/// The second network on an interface of its own, and the host that is its switch.
fn second_network(lab: &mut Lab, process: &mut Running) -> Host {
    let hub = lab.lan.host("10.77.9.9", "02:00:00:00:09:09");
    must(&hub, "ip link add br1 type bridge");
    must(&hub, "ip link set br1 up");
    lab.lan.join(&lab.scanner, &hub, "eth1", ["10.78.0.1/24", "10.99.0.2/24"]);
    must(&hub, "ip addr flush dev eth1");
    must(&hub, "ip link set eth1 master br1");
    for n in SECOND {
        let camera = lab.lan.host(&format!("10.77.8.{n}"), &format!("02:00:00:00:08:{n:02x}"));
        let (wire, ip) = (format!("w{n}"), format!("10.78.0.{n}"));
        must(&camera, "ip link set eth0 down");
        lab.lan.join(&hub, &camera, &wire, ["10.99.0.1/24", &format!("{ip}/24")]);
        must(&hub, &format!("ip addr flush dev {wire}"));
        must(&hub, &format!("ip link set {wire} master br1"));
        must(&camera, &format!("ip route add 224.0.0.0/4 dev {wire}"));
        let fields = json!({
            "camera": format!("{NETWORK} {n}"), "netns": camera.name(), "ip": ip, "serial": format!("SUB{n:06}"),
            "streams": [stream("/stream1", "h264", (1280, 720), 10)],
        });
        process.tell(&fields.to_string());
    }
    hub
}
