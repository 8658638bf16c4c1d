//! Every server of the lab that speaks RTSP or HTTP, recorded and replayed: a scan of the replay finds what a scan of the
//! server found.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Map, Value, json};

use crate::ns::need;
use crate::trial::Skip;
use crate::{Lab, PASSWORD, PYTHON, Place, Said, cameras, onvif, servers};

/// What a kit holds the conversations of.
const READ: [&str; 7] = ["rtsp", "rtsps", "onvif", "mjpeg", "http", "https", "snapshot"];

/// Facts that no link, no clock and no substitute has a part in.
const FACTS: [&str; 4] = ["kind", "vendor", "model", "firmware"];
const OF_SERVICE: [&str; 5] = ["protocol", "transport", "port", "auth", "server"];
const OF_STREAM: [&str; 9] =
    ["protocol", "transport", "status", "open", "channel", "profile_token", "back_channel", "parameter_sets", "error"];
const OF_VIDEO: [&str; 8] = ["codec", "profile", "level", "width", "height", "fps", "fps_source", "size_source"];
const OF_AUDIO: [&str; 3] = ["codec", "sample_rate_hz", "channels"];

pub fn a_replay_of_every_server_is_found_as_the_server() -> Result<(), Skip> {
    let needed = [&servers::NEEDED[..], &[PYTHON, "setpriv"]].concat();
    need(&needed)?;
    let mut lab = Lab::new();
    let mut places = cameras::start(&mut lab);
    places.extend(servers::start(&mut lab));
    places.extend(onvif::start(&mut lab));
    lab.lan.wait();
    let (mut wrong, mut replayed) = (Vec::new(), 0);
    for places in places.chunks(4) {
        let recordings: Vec<(&Place, Child)> = places.iter().map(|place| (place, record(&lab, place))).collect();
        let recorded: Vec<(&Place, Said)> =
            recordings.into_iter().map(|(place, child)| (place, ended(child))).collect();
        let replays: Vec<Replay<'_>> = recorded.iter().filter_map(|(place, said)| replay(&lab, place, said)).collect();
        for replay in replays {
            replayed += 1;
            wrong.extend(replay.differences().into_iter().map(|line| format!("{}: {line}", replay.place.address)));
        }
    }
    assert!(replayed > 20, "hardly anything was replayed: {replayed}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

const BOUNDS: [&str; 10] =
    ["-f", "json", "--timeout", "20s", "--frame-timeout", "20s", "--host-timeout", "3m", "--ffprobe", "never"];

/// A server, what was found of it, and its replay with the scan of that; both end with this.
struct Replay<'p> {
    place: &'p Place,
    before: Value,
    address: String,
    kit: Vec<u8>,
    server: Child,
    scan: std::cell::RefCell<Option<Child>>,
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        // Our own children, by their ids.
        for child in std::iter::once(&mut self.server).chain(self.scan.get_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn kit_of(lab: &Lab, place: &Place) -> String {
    lab.path(&format!("{}.tar", place.address))
}

fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Said {
    Said::of(child.wait_with_output().unwrap())
}

/// Records a server.
fn record(lab: &Lab, place: &Place) -> Child {
    let kit = kit_of(lab, place);
    let own = ["probe", &place.address, "--record", &kit, "--ports", "wide,8088"];
    let login = format!("admin:{PASSWORD}");
    started(lab.command(true, &[&own[..], &BOUNDS].concat()).env("CAMSCAN_CREDENTIAL", login))
}

/// Serves what was recorded and begins to scan it; none where nothing answered, or in no protocol that is read.
fn replay<'p>(lab: &Lab, place: &'p Place, said: &Said) -> Option<Replay<'p>> {
    let path = kit_of(lab, place);
    let kit = std::fs::read(&path).ok().filter(|_| said.status == Some(0))?;
    let mut server =
        lab.command(true, &["replay", &path]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.strip_prefix("address: ").map(str::to_owned));
    let what = lines.find_map(|line| line.strip_prefix("try: camscan ").map(str::to_owned));
    let scan = what.as_ref().map(|what| {
        let asked = what.replace(" -c kit:kit", "");
        let login = if asked == *what { format!("admin:{PASSWORD}") } else { "kit:kit".to_owned() };
        started(lab.command(true, &asked.split(' ').chain(BOUNDS).collect::<Vec<_>>()).env("CAMSCAN_CREDENTIAL", login))
    });
    let (address, scan) = (address.unwrap_or_default(), std::cell::RefCell::new(scan));
    Some(Replay { place, before: said.json(0), address, kit, server, scan })
}

impl Replay<'_> {
    /// What is found otherwise, and what stands in the kit that must not.
    fn differences(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.kit);
        let secrets = [PASSWORD, "s3cret", &self.place.address];
        let mut wrong: Vec<String> =
            secrets.iter().filter(|s| text.contains(**s)).map(|s| format!("{s} stands in the kit")).collect();
        if let Some(scan) = self.scan.take() {
            let after = ended(scan);
            match after.status {
                Some(0) => {
                    let names = told_by_what_is_read(&self.before);
                    let before = facts(&self.before, &self.place.address, names);
                    let after = facts(&after.json(0), &self.address, names);
                    difference("", &before, &after, &mut wrong);
                }
                _ => wrong.push(format!("the replay is not found: {}", after.log)),
            }
        }
        wrong
    }
}

fn picked(from: &Value, names: &[&str]) -> Value {
    let pick = |name: &&str| Some(((*name).to_owned(), from.get(*name)?.clone()));
    Value::Object(names.iter().filter_map(pick).collect::<Map<_, _>>())
}

/// The facts that a replay can know: what a server of other protocols is, those tell.
fn told_by_what_is_read(report: &Value) -> &'static [&'static str] {
    let others = ["rtmp", "webrtc", "stun", "turn"];
    let is_other = |entry: &Value| entry["protocol"].as_str().is_some_and(|p| others.contains(&p));
    let has_other = ["services", "streams"]
        .iter()
        .any(|list| report["devices"][0][*list].as_array().is_some_and(|all| all.iter().any(is_other)));
    if has_other { &[] } else { &FACTS }
}

/// What is compared of a report.
fn facts(report: &Value, address: &str, names: &[&str]) -> Value {
    let device = &report["devices"][0];
    let is_read = |entry: &&Value| entry["protocol"].as_str().is_some_and(|p| READ.contains(&p));
    let list = |name: &str| device[name].as_array().cloned().unwrap_or_default();
    let services: Vec<Value> = list("services").iter().filter(is_read).map(|s| picked(s, &OF_SERVICE)).collect();
    let streams: Vec<Value> = list("streams")
        .iter()
        .filter(is_read)
        .map(|stream| {
            let mut kept = picked(stream, &OF_STREAM);
            kept["url"] = json!(stream["url"].as_str().unwrap_or_default().replace(address, "HERE"));
            kept["video"] = picked(&stream["video"], &OF_VIDEO);
            kept["audio"] = picked(&stream["audio"], &OF_AUDIO);
            if let Some(kind) = stream["error"]["kind"].as_str() {
                kept["error"] = json!(kind);
            }
            kept
        })
        .collect();
    let mut kept = picked(device, names);
    (kept["services"], kept["streams"]) = (json!(services), json!(streams));
    kept
}

fn difference(at: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                difference(
                    &format!("{at}.{name}"),
                    &a.get(name).cloned().unwrap_or_default(),
                    &b.get(name).cloned().unwrap_or_default(),
                    found,
                );
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(n, (a, b))| difference(&format!("{at}[{n}]"), a, b, found));
        }
        _ if before != after => found.push(format!("{at}: {before} of the server, {after} of the replay")),
        _ => {}
    }
}
