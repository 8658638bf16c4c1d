//! Every server of the lab, recorded and replayed: a scan of the replay finds what a scan of the server found, field by
//! field, but for what was replaced and what is measured.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use camscan::kit::format::{self, Kit, LOGIN};
use serde_json::{Map, Value};

use crate::ns::need;
use crate::trial::Skip;
use crate::{
    Lab, PASSWORD, PYTHON, Said, aiortc, cameras, media_servers, onvif, others, players, recorders, replayed, servers,
};

/// What the link says of a host rather than the host itself, and what a number in chance decides.
const OF_THE_LINK: [&str; 8] = ["mac", "link_mac", "hostname", "addresses", "heard_on", "reach", "id", "fingerprint"];

/// What the maker of a network card has a say in: the link shows the card of a server, and none of a replay.
const BY_THE_CARD: [&str; 3] = ["vendor", "kind", "confidence"];

pub fn a_replay_of_every_server_is_found_as_the_server() -> Result<(), Skip> {
    let needed = [&servers::NEEDED[..], &others::NEEDED, &[PYTHON, "nft", "nc", "vlc", "setpriv"]].concat();
    need(&needed)?;
    let mut lab = Lab::new();
    let mut places = cameras::start(&mut lab);
    places.extend(servers::start(&mut lab));
    places.extend(others::start(&mut lab));
    places.extend(onvif::start(&mut lab));
    places.push(players::vlc(&mut lab));
    let addresses: Vec<String> = places.into_iter().map(|place| place.address).chain([locked(&mut lab)]).collect();
    lab.lan.wait();
    // One host is silent.
    compare(&lab, &addresses, &["10.77.0.53"]);
    Ok(())
}

pub fn a_replay_of_recorders_and_their_cameras_is_found_as_they_were() -> Result<(), Skip> {
    need(&[PYTHON])?;
    let mut lab = Lab::new();
    let addresses = recorders::start(&mut lab);
    lab.lan.wait();
    compare(&lab, &addresses, &[]);
    Ok(())
}

/// A picture by WebRTC is played at the replay as it was at the server.
pub fn a_replay_of_a_whep_endpoint_sends_what_the_endpoint_sent() -> Result<(), Skip> {
    let python = aiortc()?;
    let mut lab = Lab::new();
    let address = media_servers::aiortc_sender(&mut lab, &python);
    lab.lan.wait();
    // The lab's other endpoint is described alone: it shows a certificate that is not taken.
    for report in compare(&lab, &[address.to_owned()], &[]) {
        let stream = &report["devices"][0]["streams"][0];
        assert_eq!(
            (stream["protocol"].as_str(), stream["status"].as_str()),
            (Some("webrtc"), Some("streaming")),
            "{report:#}"
        );
    }
    Ok(())
}

/// Films over HTTPS for who has the login, which is asked for as Basic.
fn locked(lab: &mut Lab) -> String {
    let address = "10.77.0.37";
    let host = lab.lan.host(address, "02:00:00:00:00:37");
    let users = lab.write("users", format!("admin:{{PLAIN}}{PASSWORD}\n"));
    let (certificate, key, films) = (lab.path("certificate.pem"), lab.path("key.pem"), lab.path("packager"));
    let text = format!(
        "listen 443 ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; auth_basic \"Smith garden\"; \
         auth_basic_user_file {users}; location / {{ root {films}; }}"
    );
    servers::nginx(lab, &host, "locked", "", &text);
    address.to_owned()
}

/// Records and replays them, a few at a time; of these alone there is nothing to replay. What was found of each.
fn compare(lab: &Lab, addresses: &[String], silent: &[&str]) -> Vec<Value> {
    let (mut wrong, mut replayed, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for addresses in addresses.chunks(6) {
        let recordings: Vec<(&str, Child)> = addresses.iter().map(|a| (a.as_str(), record(lab, a))).collect();
        let recorded: Vec<(&str, Said)> =
            recordings.into_iter().map(|(address, child)| (address, ended(child))).collect();
        let replays: Vec<Replay> = recorded.iter().filter_map(|(address, said)| replay(lab, address, said)).collect();
        // A scan listens on ports that a replay may need: all are served before the first is scanned.
        replays.iter().for_each(|replay| replay.begin(lab));
        for replay in replays {
            wrong.extend(replay.differences().into_iter().map(|line| format!("{}{line}", replay.of)));
            replayed.push(replay.of.clone());
            found.push(replay.before.clone());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missing: Vec<&String> = addresses.iter().filter(|address| !replayed.contains(address)).collect();
    assert_eq!(missing, silent, "these were not replayed");
    found
}

const BOUNDS: [&str; 12] = [
    "--ports",
    "wide,3478,5349,5357,8088,8200,49554",
    "-f",
    "json",
    "--timeout",
    "20s",
    "--frame-timeout",
    "20s",
    "--host-timeout",
    "3m",
    "--ffprobe",
    "never",
];

/// What was found of a server, and its replay with the scan of that; both end with this.
struct Replay {
    of: String,
    before: Value,
    address: String,
    bytes: Vec<u8>,
    kit: Kit,
    takes_login: bool,
    server: Child,
    scan: RefCell<Option<Child>>,
}

impl Drop for Replay {
    fn drop(&mut self) {
        // Our own children, by their ids.
        for child in std::iter::once(&mut self.server).chain(self.scan.get_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn kit_of(lab: &Lab, address: &str) -> String {
    lab.path(&format!("{address}.tar"))
}

fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Said {
    Said::of(child.wait_with_output().unwrap())
}

/// Records a server.
fn record(lab: &Lab, address: &str) -> Child {
    let kit = kit_of(lab, address);
    let own = ["probe", address, "--record", &kit];
    let login = format!("admin:{PASSWORD}");
    started(lab.command(true, &[&own[..], &BOUNDS].concat()).env("CAMSCAN_CREDENTIAL", login))
}

/// Serves what was recorded; none where nothing answered on any TCP port.
fn replay(lab: &Lab, of: &str, said: &Said) -> Option<Replay> {
    let path = kit_of(lab, of);
    let bytes = std::fs::read(&path).ok().filter(|_| said.status == Some(0))?;
    let kit = format::read(&bytes).unwrap();
    let mut server =
        lab.command(true, &["replay", &path]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.strip_prefix("address: ").map(str::to_owned)).unwrap_or_default();
    let what = lines.find_map(|line| line.strip_prefix("try: camscan ").map(str::to_owned));
    let takes_login = what.is_some_and(|what| what.ends_with(" -c kit:kit"));
    Some(Replay {
        of: of.to_owned(),
        before: said.json(0),
        address,
        bytes,
        kit,
        takes_login,
        server,
        scan: RefCell::default(),
    })
}

impl Replay {
    /// Begins to scan it.
    fn begin(&self, lab: &Lab) {
        // Where no login was taken, the one that was refused is refused again.
        let login = if self.takes_login { format!("{}:{}", LOGIN.0, LOGIN.1) } else { format!("admin:{PASSWORD}") };
        let mut command = lab.command(true, &[&["probe", &self.address][..], &BOUNDS].concat());
        *self.scan.borrow_mut() = Some(started(command.env("CAMSCAN_CREDENTIAL", login)));
    }

    /// What is found otherwise, and what stands in the kit that must not.
    fn differences(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let secrets = [PASSWORD, "s3cret", &self.of];
        let mut wrong: Vec<String> =
            secrets.iter().filter(|s| text.contains(**s)).map(|s| format!(": {s} stands in the kit")).collect();
        let Some(scan) = self.scan.take() else {
            wrong.push(": it is not served".to_owned());
            return wrong;
        };
        let after = ended(scan);
        if after.status != Some(0) {
            wrong.push(format!(": the replay is not found: {}", after.log));
            return wrong;
        }
        let device = |report: &Value, address: &str| {
            let text = report["devices"][0].to_string().replace(address, "HERE");
            let mut device: Value = serde_json::from_str(&text).unwrap();
            replayed::strip(&mut device, &OF_THE_LINK);
            device
        };
        let substitutes: Vec<String> =
            self.kit.manifest.replaced.iter().flat_map(|replaced| replaced.substitutes.clone()).collect();
        let replaced = Replaced::new(substitutes);
        let (mut before, mut after) = (device(&self.before, &self.of), device(&after.json(0), &self.address));
        if forget_the_card(&mut before) {
            for device in [&mut before, &mut after] {
                replayed::strip(device, &BY_THE_CARD);
                // It is listed by how well it agrees with what is left out.
                let key = |one: &Value| ["source", "fact", "weight", "value"].map(|name| one[name].to_string());
                device["evidence"].as_array_mut().into_iter().for_each(|all| all.sort_by_key(key));
            }
        }
        difference("", &before, &after, &replaced, &mut wrong);
        wrong
    }
}

/// Leaves out what speaks by the network card alone; whether anything did.
fn forget_the_card(device: &mut Value) -> bool {
    let Some(evidence) = device["evidence"].as_array_mut() else { return false };
    let all = evidence.len();
    evidence.retain(|one| one["source"] != "oui");
    evidence.len() < all
}

/// Finds the substitutes of a kit in texts.
struct Replaced(Option<regex::Regex>);

impl Replaced {
    fn new(mut substitutes: Vec<String>) -> Replaced {
        substitutes.extend([LOGIN.0.to_owned(), "192.0.2.1".to_owned()]);
        substitutes.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let all: Vec<String> = substitutes.iter().map(|text| regex::escape(text)).collect();
        Replaced(Some(regex::Regex::new(&all.join("|")).unwrap()))
    }

    /// Whether one text is the other but for substitutes, each of which stands in the place of something.
    fn explains(&self, before: &str, after: &str) -> bool {
        let Some(substitutes) = &self.0 else { return false };
        let between: Vec<String> = substitutes.split(after).map(regex::escape).collect();
        let pattern = format!("(?s)^{}$", between.join("(?:.+?)"));
        regex::Regex::new(&pattern).unwrap().is_match(before)
    }
}

fn difference(at: &str, before: &Value, after: &Value, replaced: &Replaced, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let of = |map: &Map<String, Value>, name: &str| map.get(name).cloned().unwrap_or_default();
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                difference(&format!("{at}.{name}"), &of(a, name), &of(b, name), replaced, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(n, (a, b))| {
                difference(&format!("{at}[{n}]"), a, b, replaced, found);
            });
        }
        (Value::String(a), Value::String(b)) if replaced.explains(a, b) => {}
        (Value::Array(a), Value::Array(b)) => {
            let differs = |one: &Value, other: &Value| {
                let mut found = Vec::new();
                difference("", one, other, replaced, &mut found);
                !found.is_empty()
            };
            let only = |these: &[Value], those: &[Value], of_server: bool| -> Vec<String> {
                let is_there = |this: &Value, that: &Value| match of_server {
                    true => !differs(this, that),
                    false => !differs(that, this),
                };
                these
                    .iter()
                    .filter(|this| !those.iter().any(|that| is_there(this, that)))
                    .map(Value::to_string)
                    .collect()
            };
            found.push(format!(
                "{at}: {} of the server, {} of the replay; not in the replay: {:?}; not in the server: {:?}",
                a.len(),
                b.len(),
                only(a, b, true),
                only(b, a, false)
            ));
        }
        _ if before != after => found.push(format!("{at}: {before} of the server, {after} of the replay")),
        _ => {}
    }
}
