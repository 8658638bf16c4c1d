//! The store of a running `camscan watch` is in trouble: its disk takes nothing, or its file is removed.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::env::{Cameras, QUICK, TestEnv, camera};
use crate::killed::Slow;
use crate::watch::Watching;

/// A place with two cameras, one of which is known, and a receiver of messages.
struct Place {
    env: TestEnv,
    receiver: Slow,
    watching: Watching,
    _cameras: Cameras,
}

impl Place {
    fn start(block: u8) -> Place {
        let (env, receiver) = (TestEnv::new(), Slow::start());
        let cameras = Cameras::start((1..=2).map(|b| camera(block, b)).collect());
        let [first, second] = [0, 1].map(|n| cameras.fleet.cameras[n].rtsp.port());
        env.run(&format!("scan 127.88.{block}.1 -p {first} {QUICK} --store=s.sqlite")).success();
        let channel = format!("    c0: {{type: webhook, url: 'http://127.0.0.1:{}/c0'}}\n", receiver.port);
        let rule = "  rules:\n    - {events: [\"device.*\", \"store.*\"], wait: 1ms}\n";
        env.write("camscan.yaml", format!("check_every: none\nnotify:\n  channels:\n{channel}{rule}"));
        let line = format!(
            "watch 127.88.{block}.1 127.88.{block}.2 -p {first},{second} {QUICK} --store s.sqlite --config camscan.yaml -v"
        );
        // A write beyond the limit fails then, and ends nothing.
        let launcher = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
        let program = env.command(&line.split_whitespace().collect::<Vec<_>>());
        let watching = Watching::by(&launcher, Stdio::null(), &program);
        watching.until(0, "the store was tidied");
        Place { env, receiver, watching, _cameras: cameras }
    }

    /// How far into a file it may write from now on.
    fn limit(&self, bytes: &str) {
        let (pid, limit) = (self.watching.id().to_string(), format!("--fsize={bytes}:unlimited"));
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// How often each kind of event was sent.
    fn sent(&self) -> BTreeMap<String, usize> {
        let mut sent = BTreeMap::new();
        for (_, message) in self.receiver.messages() {
            for event in message["data"]["events"].as_array().into_iter().flatten() {
                *sent.entry(event["type"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        sent
    }

    fn until_sent(&self, kind: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.sent().contains_key(kind) {
            assert!(Instant::now() < until, "no {kind} was sent: {:#?}", self.receiver.messages());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How many events of this kind the store holds, and how many devices, as another process finds them.
    fn stored(&self, kind: &str) -> (usize, usize) {
        let history = self.env.run(&format!("history --store s.sqlite --event {kind} -f json")).success().json();
        let devices = self.env.run("devices --store s.sqlite -f json").success().json();
        (history["events"].as_array().unwrap().len(), devices["devices"].as_array().unwrap().len())
    }

    fn end(self) {
        self.watching.signal("TERM");
        assert_eq!(self.watching.end(), Some(0));
        self.env.run("store check --store s.sqlite").success();
    }
}

#[test]
fn a_disk_that_takes_nothing_holds_back_no_alarm_and_loses_none() {
    let place = Place::start(77);
    place.limit("1024");
    place.watching.signal("USR1");
    let at = place.watching.until(0, "watching goes on: the disk of the store s.sqlite takes nothing");
    place.until_sent("device.new");
    place.until_sent("store.failing");
    assert_eq!(place.stored("device.new"), (0, 1), "another process reads what is on the disk");
    place.limit("unlimited");
    place.watching.signal("USR1");
    place.watching.until(at, "the store can be written again");
    place.until_sent("store.recovered");
    for kind in ["device.new", "store.failing", "store.recovered"] {
        assert_eq!((place.sent()[kind], place.stored(kind)), (1, (1, 2)), "{kind}");
    }
    place.end();
}

#[test]
fn a_store_that_is_removed_is_told_of_and_written_anew() {
    let place = Place::start(78);
    for file in ["s.sqlite", "s.sqlite-wal", "s.sqlite-shm"] {
        let _ = std::fs::remove_file(place.env.path(file));
    }
    place.watching.signal("USR1");
    let at = place.watching.until(0, "s.sqlite was removed; it was written anew");
    place.until_sent("store.failing");
    place.until_sent("device.new");
    place.watching.signal("USR1");
    place.watching.until(at, "the store can be written again");
    place.until_sent("store.recovered");
    for kind in ["device.new", "store.failing", "store.recovered"] {
        assert_eq!((place.sent()[kind], place.stored(kind)), (1, (1, 2)), "{kind}");
    }
    place.end();
}
