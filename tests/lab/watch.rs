//! `camscan watch` as a process among real cameras: one is switched off and comes back, one gets another address, one is
//! exchanged, one gets a password, the password of one is changed, one loses its stream. Every kind of channel has a
//! receiver, and each tells each of these things once. Afterwards no password is in any file of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::ns::{Host, need};
use crate::trial::Skip;
use crate::{Lab, PASSWORD, PYTHON, cameras, notify, script};
use notify::Running;

const RECEIVER: &str = "10.77.0.200";
/// What the channels must keep to themselves.
const SMTP_PASSWORD: &str = "post-geheim-17";
const MQTT_PASSWORD: &str = "makler-geheim-18";
const TOKEN: &str = "zeichen-geheim-19";
const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What somebody changed a camera's password to: nobody told camscan.
const OTHER_PASSWORD: &str = "anderes-geheim-20";
/// The services that have an interface of their own, and the path by which the receiver knows them.
const SERVICES: [(&str, &str); 8] = [
    ("ntfy", "/"),
    ("gotify", "/message"),
    ("slack", "/slack"),
    ("discord", "/discord?wait=true"),
    ("teams", "/teams"),
    ("telegram", "/bot"),
    ("matrix", "/_matrix/"),
    ("apprise", "/notify/cams"),
];
/// The cameras that nothing happens to.
const STEADY: [u8; 3] = [16, 17, 18];

/// What is to be told: the kind of event, the address, and how texts begin.
const TOLD: [(&str, &str, &str); 8] = [
    ("device.offline", "10.77.0.10", "Offline"),
    ("device.online", "10.77.0.10", "Back online"),
    ("device.moved", "10.77.0.41", "New address"),
    ("device.replaced", "10.77.0.12", "Replaced"),
    ("stream.protected", "10.77.0.13", "Password needed"),
    ("stream.broken", "10.77.0.14", "Stream broken"),
    ("stream.repaired", "10.77.0.14", "Stream works again"),
    ("login.refused", "10.77.0.15", "Login refused"),
];
/// What is told of when cameras are back.
const ENDS: [&str; 2] = ["device.online", "stream.repaired"];

/// A camera of GStreamer's server, on all addresses of its host.
fn camera(host: &Host, login: Option<&str>) -> Running {
    let (script, login) = (script("gst_server.py"), login.map(|password| format!("admin:{password}")));
    let mut arguments = vec![script.as_str(), "0.0.0.0", "554"];
    arguments.extend(login.iter().flat_map(|login| ["--digest", login]));
    arguments.extend(["/stream1", cameras::SMALL]);
    let camera = Running::start(host, PYTHON, &arguments);
    listens(host, 554);
    camera
}

fn listens(host: &Host, port: u16) {
    let until = Instant::now() + Duration::from_secs(60);
    while !host.listens_tcp(port) {
        assert!(Instant::now() < until, "nobody listens on port {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a camera says of itself over ONVIF.
fn identity(lab: &Lab, host: &Host, serial: &str) -> Running {
    let information = lab.write(
        &format!("information-{serial}.xml"),
        format!(
            r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><s:Body><tds:GetDeviceInformationResponse>
 <tds:Manufacturer>Lab</tds:Manufacturer><tds:Model>Dome 4</tds:Model><tds:FirmwareVersion>1.0</tds:FirmwareVersion>
 <tds:SerialNumber>{serial}</tds:SerialNumber><tds:HardwareId>1</tds:HardwareId></tds:GetDeviceInformationResponse>
 </s:Body></s:Envelope>"#
        ),
    );
    let answer = format!("GetDeviceInformation={information}");
    let server = Running::start(host, PYTHON, &[&script("onvif_server.py"), "10.77.0.12", "80", "probe=none", &answer]);
    listens(host, 80);
    server
}

pub fn must(host: &Host, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let done = host.run(words[0], &words[1..]);
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The receivers of messages on a host of their own, and what they got.
struct Receivers {
    web: Running,
    _broker: Running,
    mqtt: Running,
    mails: String,
    exec: String,
    got: BTreeMap<String, Vec<Value>>,
}

impl Receivers {
    fn start(lab: &mut Lab) -> Receivers {
        let host = lab.lan.host(RECEIVER, "02:00:00:00:00:c8");
        let web = Running::role(&host, "receivers");
        web.until("ready");
        let passwords = lab.write("passwords", format!("cams:{MQTT_PASSWORD}\n"));
        assert!(std::process::Command::new("mosquitto_passwd").args(["-U", &passwords]).status().unwrap().success());
        assert!(std::process::Command::new("chmod").args(["644", &passwords]).status().unwrap().success());
        let text =
            format!("listener 1883 0.0.0.0\nallow_anonymous false\npassword_file {passwords}\npersistence false\n");
        let broker = Running::start(&host, "mosquitto", &["-c", &lab.write("mosquitto.conf", text)]);
        listens(&host, 1883);
        let login = ["-h", RECEIVER, "-u", "cams", "-P", MQTT_PASSWORD, "-q", "1", "-F", "%t %p", "-t", "camscan/#"];
        let mqtt = Running::start(&host, "mosquitto_sub", &login);
        let [key, certificate] = notify::certificate_of(&lab.lan, "mail", RECEIVER, 2);
        let (sink, folder) = (script("smtp_sink.py"), lab.lan.folder().display().to_string());
        let arguments = [sink.as_str(), RECEIVER, &folder, &key, &certificate, SMTP_PASSWORD];
        lab.lan.serve(&host, PYTHON, &arguments, |host| host.listens_tcp(2587));
        lab.lan.wait();
        let (mails, exec) = (lab.path("mails-2587"), lab.path("exec.jsonl"));
        Receivers { web, _broker: broker, mqtt, mails, exec, got: BTreeMap::new() }
    }

    /// What a configuration says of them.
    fn channels(lab: &Lab) -> String {
        let certificate = lab.path("mail-ca.pem");
        let exec = lab.write("tell.sh", format!("cat >> {0}\necho >> {0}\n", lab.path("exec.jsonl")));
        let web = format!("http://{RECEIVER}:8080");
        format!(
            r#"notify:
  channels:
    hook: {{type: webhook, url: "{web}/hook?key={TOKEN}", secret: {HOOK_SECRET}}}
    ntfy: {{type: ntfy, url: "{web}", topic: cams, token: {TOKEN}}}
    gotify: {{type: gotify, url: "{web}", token: {TOKEN}}}
    slack: {{type: slack, url: "{web}/slack"}}
    discord: {{type: discord, url: "{web}/discord"}}
    teams: {{type: teams, url: "{web}/teams"}}
    telegram: {{type: telegram, url: "{web}", chat: -1, token: {TOKEN}}}
    matrix: {{type: matrix, url: "{web}", room: "!id:example.org", token: {TOKEN}}}
    apprise: {{type: apprise, url: "{web}/notify/cams"}}
    broker: {{type: mqtt, url: "mqtt://{RECEIVER}", user: cams, password: {MQTT_PASSWORD}}}
    mail: {{type: email, server: "{RECEIVER}:2587", user: cams, password: {SMTP_PASSWORD}, ca: {certificate},
           from: cams@example.org, to: [ops@example.org]}}
    own: {{type: exec, command: [sh, {exec}]}}
    log: {{type: syslog, url: "udp://{RECEIVER}:5514"}}
  rules:
    - {{events: ["device.*", "stream.*", "login.*", "subnet.*", "channel.*"], wait: 2s}}
"#
        )
    }

    /// What each channel got so far.
    fn look(&mut self) -> &BTreeMap<String, Vec<Value>> {
        for line in self.web.lines.try_iter() {
            let request: Value = serde_json::from_str(&line).unwrap();
            let path = request["path"].as_str().unwrap();
            // The longest path that fits: that of ntfy is the beginning of all.
            let service =
                SERVICES.iter().chain(&[("hook", "/hook"), ("log", "syslog")]).filter(|(_, p)| path.starts_with(p));
            let (name, _) = service.max_by_key(|(_, path)| path.len()).unwrap_or_else(|| panic!("{line}"));
            self.got.entry((*name).to_owned()).or_default().push(request["body"].clone());
        }
        for line in self.mqtt.lines.try_iter() {
            let (topic, payload) = line.split_once(' ').unwrap();
            if topic.ends_with("/event") {
                self.got.entry("broker".to_owned()).or_default().push(serde_json::from_str(payload).unwrap());
            }
        }
        let lines = |path: &str| -> Vec<Value> {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
        };
        let mails = lines(&self.mails).into_iter().map(|mail| mail["plain"].clone()).collect();
        self.got.insert("mail".to_owned(), mails);
        self.got.insert("own".to_owned(), lines(&self.exec));
        &self.got
    }

    /// Waits until every channel has told of all these kinds of events.
    fn wait(&mut self, told: &[(&str, &str, &str)]) {
        let until = Instant::now() + Duration::from_secs(60);
        let all: BTreeSet<&str> =
            SERVICES.iter().map(|(name, _)| *name).chain(["hook", "broker", "mail", "own", "log"]).collect();
        loop {
            let got = self.look();
            let missing: Vec<String> = all
                .iter()
                .flat_map(|channel| told.iter().map(move |what| (channel, what)))
                .filter(|(channel, what)| got.get(**channel).is_none_or(|messages| count(messages, what) == 0))
                .map(|(channel, (kind, ip, _))| format!("{channel}: {kind} {ip}"))
                .collect();
            if missing.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "not delivered: {missing:#?}\n{got:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// How often messages tell of an event.
fn count(messages: &[Value], (kind, ip, headline): &(&str, &str, &str)) -> usize {
    let of_events = |events: &Vec<Value>| {
        events.iter().filter(|event| event["type"] == *kind && event["data"]["device"]["ip"] == *ip).count()
    };
    let is_line = |line: &&String| {
        let rest = line.strip_prefix(headline).and_then(|rest| rest.strip_prefix(": "));
        rest.is_some_and(|rest| rest.split([' ', ',', '(', ')']).any(|word| word == *ip))
    };
    let in_message = |message: &Value| match message["data"]["events"].as_array() {
        Some(events) => of_events(events),
        // A line that stands in a message twice, as a preview and as its title, is one.
        None => lines(message).iter().filter(is_line).count(),
    };
    messages.iter().map(in_message).sum()
}

/// All lines of text in a message.
fn lines(message: &Value) -> BTreeSet<String> {
    match message {
        Value::String(text) => {
            // Signs that mean something to Discord are escaped; syslog has one line.
            let text = text.replace('\\', "").replace("; ", "\n").replace(" | ", "\n").replace('\u{feff}', "\n");
            text.lines().map(str::to_owned).collect()
        }
        Value::Array(values) => values.iter().flat_map(lines).collect(),
        Value::Object(fields) => fields.values().flat_map(lines).collect(),
        _ => BTreeSet::new(),
    }
}

/// `camscan watch`, and the events it printed.
pub struct Watching {
    pub running: Running,
    pub log: String,
    pub seen: Vec<Value>,
}

impl Watching {
    /// Waits until it has told of these kinds.
    pub fn until_told(&mut self, kinds: &[&str], longest: Duration) {
        let until = Instant::now() + longest;
        loop {
            let is_sent =
                |kind: &str| self.seen.iter().any(|event| event["type"] == kind && event.get("muted_by").is_none());
            let missing: Vec<&&str> = kinds.iter().filter(|kind| !is_sent(kind)).collect();
            if missing.is_empty() {
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.running.lines.recv_timeout(left) else {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                panic!("not told within {longest:?}: {missing:?}\n{}{last:#?}", short(&self.seen));
            };
            self.seen.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// Ends it, and gives all that it printed.
    pub fn end(mut self) -> Vec<Value> {
        let pid = self.running.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.running.child.wait().unwrap().success());
        self.seen.extend(self.running.lines.iter().map(|line| serde_json::from_str::<Value>(&line).unwrap()));
        self.seen
    }
}

/// Events, one a line.
pub fn short(events: &[Value]) -> String {
    let one = |event: &Value| {
        let data = &event["data"];
        let [kind, at, muted] = ["type", "timestamp", "muted_by"].map(|field| &event[field]);
        format!("{at} {kind} {} {muted} {} {}\n", data["device"]["ip"], data["reason"], data["changes"])
    };
    events.iter().map(one).collect()
}

pub fn what_happens_to_cameras_is_told_once_by_every_channel() -> Result<(), Skip> {
    need(&[PYTHON, "mosquitto", "mosquitto_sub", "mosquitto_passwd", "openssl", "promtool"])?;
    let mut lab = Lab::new();
    let mut receivers = Receivers::start(&mut lab);
    let hosts: BTreeMap<u8, Host> =
        (10..=18).map(|n| (n, lab.lan.host(&format!("10.77.0.{n}"), &format!("44:19:b6:00:00:{n:02x}")))).collect();
    let mut running: BTreeMap<u8, Running> =
        [10, 11, 12, 13].iter().chain(&STEADY).map(|n| (*n, camera(&hosts[n], None))).collect();
    running.insert(15, camera(&hosts[&15], Some(PASSWORD)));
    running.insert(14, Running::role(&hosts[&14], "camera 10.77.0.14"));
    listens(&hosts[&14], 554);
    let information = identity(&lab, &hosts[&12], "LAB0001");

    let configuration = lab.write(
        "watch.yaml",
        format!("credentials:\n  - user: admin\n    password: {PASSWORD}\n{}", Receivers::channels(&lab)),
    );
    let (store, metrics) = (lab.path("store.sqlite"), lab.path("camscan.prom"));
    // The shortest times there are.
    let line = format!(
        "watch 10.77.0.10-18 10.77.0.41 --every 1m --jitter 1ms --check-every 30s --ports 554,80 --no-dns --measure-time 1s \
         --events json --log-format json -vv --store {store} --metrics {metrics} --config {configuration}"
    );
    let log = lab.path("watch.log");
    let mut command = lab.command(true, &line.split(' ').collect::<Vec<_>>());
    command.env("CAMSCAN_LOG", "trace").stderr(std::fs::File::create(&log).unwrap()).stdin(Stdio::null());
    let mut watch = Watching { running: Running::of(command), log, seen: Vec::new() };
    let began = Instant::now();
    watch.until_told(&["scan.finished"], Duration::from_secs(120));
    assert_eq!(watch.seen[0]["data"]["count"], 9, "{}", short(&watch.seen));
    println!("{:?}: learnt", began.elapsed());

    // Everything happens at once.
    must(&hosts[&10], "ip link set eth0 down");
    must(&hosts[&11], "ip addr del 10.77.0.11/24 dev eth0");
    must(&hosts[&11], "ip addr add 10.77.0.41/24 dev eth0");
    must(&hosts[&12], "ip link set eth0 down");
    let other = lab.lan.host("10.77.0.12", "44:19:b6:00:01:12");
    let others = (camera(&other, None), identity(&lab, &other, "LAB0002"));
    running.remove(&13);
    running.insert(13, camera(&hosts[&13], Some(PASSWORD)));
    running.remove(&14);
    running.insert(14, Running::role(&hosts[&14], "frozen 10.77.0.14"));
    running.remove(&15);
    running.insert(15, camera(&hosts[&15], Some(OTHER_PASSWORD)));
    let first: Vec<&str> = TOLD.iter().map(|(kind, ..)| *kind).filter(|kind| !ENDS.contains(kind)).collect();
    watch.until_told(&first, Duration::from_secs(330));
    println!("{:?}: told", began.elapsed());

    must(&hosts[&10], "ip link set eth0 up");
    running.remove(&14);
    running.insert(14, Running::role(&hosts[&14], "camera 10.77.0.14"));
    watch.until_told(&ENDS, Duration::from_secs(240));
    println!("{:?}: told of the ends", began.elapsed());
    receivers.wait(&TOLD);
    // A second telling would come with the next scan.
    std::thread::sleep(Duration::from_secs(75));
    let seen = watch.end();
    println!("{}", short(&seen));
    drop((information, others, running));

    // What was sent is what was to be told, once each, whoever one asks.
    let is_sent = |event: &Value| event.get("muted_by").is_none() && event["type"] != "scan.finished";
    let told = |events: &[Value]| -> Vec<String> {
        let name = |event: &Value| format!("{} {}", event["type"], event["data"]["device"]["ip"]).replace('"', "");
        let mut all: Vec<String> = events.iter().filter(|event| is_sent(event)).map(name).collect();
        all.sort();
        all
    };
    let mut expected: Vec<String> = TOLD.iter().map(|(kind, ip, _)| format!("{kind} {ip}")).collect();
    expected.sort();
    assert_eq!(told(&seen), expected, "printed\n{}", short(&seen));
    for (channel, messages) in receivers.look() {
        let counts: Vec<(&str, usize)> = TOLD.iter().map(|what| (what.0, count(messages, what))).collect();
        assert!(counts.iter().all(|(_, count)| *count == 1), "{channel}: {counts:?} {messages:#?}");
        let events: Vec<Value> =
            messages.iter().filter_map(|m| m["data"]["events"].as_array()).flatten().cloned().collect();
        assert!(events.is_empty() || told(&events) == expected, "{channel}: {}", short(&events));
    }
    let listed = |arguments: &[&str]| -> Value {
        let output = lab.command(true, &[arguments, &["--store", &store, "-f", "json"]].concat()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let history = listed(&["history", "--since", "1h"]);
    assert_eq!(told(history["events"].as_array().unwrap()), expected, "{history:#}");
    shows_how_it_is(&listed(&["devices"]));
    is_well_formed(&metrics);
    keeps_passwords_to_itself(&lab, &receivers, &seen);
    Ok(())
}

/// Prometheus finds nothing wrong with the metrics, but that bits, in which streams are measured everywhere, are no bytes.
fn is_well_formed(metrics: &str) {
    let file = std::fs::File::open(metrics).unwrap();
    let checked = std::process::Command::new("promtool").args(["check", "metrics"]).stdin(file).output().unwrap();
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    let wrong: Vec<&str> =
        said.lines().filter(|line| !line.is_empty() && !line.starts_with("camscan_stream_bits_per_second ")).collect();
    assert_eq!(wrong, [""; 0]);
}

/// What `camscan devices` has in the end: nine cameras that are there, and the one that was exchanged.
fn shows_how_it_is(list: &Value) {
    let states: BTreeSet<String> = list["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|device| format!("{} {} {}", device["ip"], device["mac"], device["state"]).replace('"', ""))
        .collect();
    let mut expected: BTreeSet<String> =
        [10, 13, 14, 15].iter().chain(&STEADY).map(|n| format!("10.77.0.{n} 44:19:b6:00:00:{n:02x} online")).collect();
    expected.insert("10.77.0.41 44:19:b6:00:00:0b online".to_owned());
    expected.insert("10.77.0.12 44:19:b6:00:00:0c offline".to_owned());
    expected.insert("10.77.0.12 44:19:b6:00:01:12 online".to_owned());
    assert_eq!(states, expected, "{list:#}");
}

/// Neither in clear nor in the forms passwords travel in: in the store, its log, the log, the metrics, and what was sent.
fn keeps_passwords_to_itself(lab: &Lab, receivers: &Receivers, seen: &[Value]) {
    let mut words: Vec<String> =
        [PASSWORD, OTHER_PASSWORD, SMTP_PASSWORD, MQTT_PASSWORD, TOKEN, HOOK_SECRET].map(str::to_owned).to_vec();
    words.push(HOOK_SECRET.trim_start_matches("whsec_").to_owned());
    for (user, password) in [("admin", PASSWORD), ("admin", OTHER_PASSWORD), ("cams", SMTP_PASSWORD)] {
        words.push(BASE64_STANDARD.encode(format!("{user}:{password}")));
        words.push(BASE64_STANDARD.encode(format!("\0{user}\0{password}")));
        words.push(BASE64_STANDARD.encode(password));
    }
    let mut texts: Vec<(String, Vec<u8>)> = vec![
        ("messages".to_owned(), json!(receivers.got).to_string().into_bytes()),
        ("events".to_owned(), json!(seen).to_string().into_bytes()),
    ];
    for entry in std::fs::read_dir(lab.lan.folder()).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("store.sqlite")
            || ["watch.log", "camscan.prom", "exec.jsonl", "mails-2587"].contains(&name.as_str())
        {
            texts.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
    assert!(texts.len() >= 7, "{:?}", texts.iter().map(|(name, _)| name).collect::<Vec<_>>());
    for (name, bytes) in &texts {
        for word in &words {
            let at = bytes.windows(word.len()).position(|part| part == word.as_bytes());
            let around = at.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at]).into_owned());
            assert_eq!(around, None, "a password stands in {name}");
        }
    }
}

/// It says so once, goes on in memory and tells what happens, and stores it as soon as there is room.
pub fn a_full_disk_ends_no_watching() -> Result<(), Skip> {
    need(&[PYTHON, "unshare", "mount"])?;
    let mut lab = Lab::new();
    let host = lab.lan.host("10.77.0.10", "44:19:b6:00:00:0a");
    let _camera = camera(&host, None);
    let (disk, metrics, camscan) = (lab.path("disk"), lab.path("camscan.prom"), lab.path("camscan"));
    std::fs::create_dir(&disk).unwrap();
    let sent = lab.path("sent");
    let configuration = lab.write(
        "full.yaml",
        format!(
            "notify:\n  channels:\n    file: {{type: exec, command: [/bin/sh, -c, 'cat >> {sent}']}}\n  rules:\n    \
             - {{events: [\"store.*\"], wait: 1ms}}\n"
        ),
    );
    let until = |what: &str| format!("n=0; until {what}; do n=$((n+1)); [ $n -lt 900 ] || exit 9; sleep 0.1; done\n");
    let said = |words: &str| until(&format!("grep -q '{words}' {disk}.log"));
    let script = format!(
        "mount -t tmpfs -o size=2m tmpfs {disk}\n\
         {camscan} watch 10.77.0.10 --every 1h --check-every 30s --ports 554 --no-dns --measure-time 500ms \
         --store {disk}/store.sqlite --metrics {metrics} --config {configuration} > {disk}.log 2>&1 &\n\
         {}cat /dev/zero > {disk}/rest 2>/dev/null\n{}{}kill -0 $! || exit 8\n\
         {camscan} devices --store {disk}/store.sqlite -f csv | grep -q 10.77.0.10 || exit 5\n\
         rm {disk}/rest\n{}{}kill $!\nwait $! || exit 7\n\
         {camscan} store check --store {disk}/store.sqlite || exit 6\n\
         {camscan} history --store {disk}/store.sqlite --event 'store.*' -f json > {disk}.history || exit 4\n",
        said("scan.finished"),
        said("store.failing"),
        until(&format!(
            "[ -e {sent} ] && grep -q store.failing {sent} && grep -q 'camscan_store_writable 0' {metrics}"
        )),
        said("the store can be written again"),
        until(&format!("grep -q store.recovered {sent} && grep -q 'camscan_store_writable 1' {metrics}")),
    );
    let ended = lab.scanner.command("unshare", &["--mount", "sh", "-c", &script]).env("HOME", "/nonexistent").output();
    let log = std::fs::read_to_string(format!("{disk}.log")).unwrap_or_default();
    let ended = ended.unwrap();
    assert!(ended.status.success(), "{:?}\n{log}\n{}", ended.status, String::from_utf8_lossy(&ended.stderr));
    assert_eq!(log.matches("ERROR").count(), 1, "it is said once: {log}");
    let history = std::fs::read_to_string(format!("{disk}.history")).unwrap();
    let sent = std::fs::read_to_string(&sent).unwrap();
    for kind in ["store.failing", "store.recovered"] {
        let (stored, told) = (format!("\"type\": \"{kind}\""), format!("\"type\":\"{kind}\",\"timestamp\""));
        assert_eq!(
            (history.matches(&stored).count(), sent.matches(&told).count()),
            (1, 1),
            "{kind}: {history}\n{sent}"
        );
    }
    Ok(())
}

/// Takes whatever comes by HTTP and by syslog, and prints it.
pub fn receive() {
    #[expect(clippy::disallowed_methods, reason = "a server in a namespace")]
    let socket = UdpSocket::bind("0.0.0.0:5514").unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = socket.recv(&mut buffer) {
            println!("{}", json!({"path": "syslog", "body": String::from_utf8_lossy(&buffer[..length])}));
        }
    });
    let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
    println!("ready");
    for stream in listener.incoming().map_while(Result::ok) {
        std::thread::spawn(move || take(stream));
    }
}

fn take(mut stream: TcpStream) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                let path = head.split(' ').nth(1).unwrap_or_default();
                println!("{}", json!({"path": path, "body": serde_json::from_str::<Value>(body).unwrap_or_default()}));
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
                return;
            }
        }
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => bytes.extend(&buffer[..read]),
            _ => return,
        }
    }
}
