//! The program is killed while it writes its store. What it told to be stored is there, and the store is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::env::{Cameras, QUICK, TestEnv, camera, report};
use crate::watch::Watching;

/// How often it is killed: a few times, or `CAMSCAN_KILLS`.
fn kills() -> usize {
    std::env::var("CAMSCAN_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// Reports that are imported one by one.
const REPORTS: usize = 60;

#[test]
fn killed_at_any_moment_it_keeps_what_it_told_to_be_stored() {
    let env = TestEnv::new();
    let cameras = Cameras::start((1..=4).map(|b| camera(67, b)).collect());
    env.run(&cameras.scan("-o report.json")).success();
    let mut one = report(&env.path("report.json"));
    let mut line = vec!["store".to_owned(), "import".to_owned()];
    for n in 0..REPORTS {
        let time = format!("2030-01-{:02}T{:02}:00:00Z", n / 24 + 1, n % 24);
        (one["scan"]["started_at"], one["scan"]["finished_at"]) = (time.clone().into(), time.into());
        one["devices"][0]["firmware"] = format!("V{n}").into();
        env.write(&format!("{n:03}.json"), one.to_string());
        line.push(format!("{n:03}.json"));
    }
    line.extend(["--store".to_owned(), "s.sqlite".to_owned()]);
    let random = |most: u64| {
        Duration::from_micros(
            std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0) % most,
        )
    };
    let (mut stored, mut longest, mut killed) = (0, Duration::from_millis(400), 0);
    while killed < kills() {
        let mut child = env.command(&line).stdout(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).filter(|line| line.contains(": scan of ")).count()
        });
        let began = Instant::now();
        let wait = random(longest.as_micros() as u64);
        std::thread::sleep(wait);
        let was_running = child.try_wait().unwrap().is_none();
        // SIGKILL: nothing of it runs any more.
        let _ = child.kill();
        child.wait().unwrap();
        stored += reader.join().unwrap();
        if was_running {
            killed += 1;
        } else {
            longest = began.elapsed();
        }
        let path = env.path("s.sqlite");
        if !path.exists() {
            assert_eq!(stored, 0, "it was killed before there was a store");
            continue;
        }
        let checked = env.run("store check --store s.sqlite").success();
        assert!(checked.out.ends_with("no damage found\n"), "{}", checked.out);
        let scans: usize = checked.out.split(", ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        // One may have been stored and not told.
        assert!(scans == stored || scans == stored + 1, "{scans} are stored, {stored} were told");
        stored = scans;
        if stored == REPORTS {
            let listed = env.run("devices -f json --store s.sqlite").success().json();
            assert_eq!(listed["devices"].as_array().unwrap().len(), 4);
            assert_eq!(listed["devices"][0]["firmware"], format!("V{}", REPORTS - 1).as_str());
            for file in ["s.sqlite", "s.sqlite-wal", "s.sqlite-shm"] {
                let _ = std::fs::remove_file(env.path(file));
            }
            stored = 0;
        }
    }
}

/// How many channels there are, each with a courier of its own.
const CHANNELS: usize = 4;

/// A receiver of webhooks that takes its time to answer: what it got, as channel and message.
pub struct Slow {
    pub port: u16,
    got: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Slow {
    pub fn start() -> Slow {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let kept = got.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let kept = kept.clone();
                std::thread::spawn(move || Slow::answer(client, &kept));
            }
        });
        Slow { port, got }
    }

    fn answer(mut client: TcpStream, kept: &Mutex<Vec<(String, Value)>>) {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        let (head, length): (usize, usize) = loop {
            let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            if let Some(at) = text.find("\r\n\r\n") {
                let length: usize =
                    text.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap().parse().unwrap();
                break (at + 4, length);
            }
            match client.read(&mut buffer) {
                Ok(read @ 1..) => bytes.extend_from_slice(&buffer[..read]),
                _ => return,
            }
        };
        while bytes.len() < head + length {
            match client.read(&mut buffer) {
                Ok(read @ 1..) => bytes.extend_from_slice(&buffer[..read]),
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let channel = text.split(' ').nth(1).unwrap().to_owned();
        let mut message: Value = serde_json::from_slice(&bytes[head..head + length]).unwrap();
        let id = text.lines().find_map(|line| line.strip_prefix("webhook-id: ")).unwrap();
        message["id"] = id.into();
        kept.lock().unwrap().push((channel, message));
        // Between what it has and what the courier knows.
        std::thread::sleep(Duration::from_millis(150));
        let _ = client.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    }

    pub fn messages(&self) -> Vec<(String, Value)> {
        self.got.lock().unwrap().clone()
    }
}

#[test]
fn a_courier_that_is_killed_loses_nothing_and_tells_at_most_one_message_twice() {
    let env = TestEnv::new();
    let targets = (1..=5).map(|b| format!("127.88.68.{b}")).collect::<Vec<_>>().join(" ");
    // One of them was there long ago; the others are new.
    let first = Cameras::one(camera(68, 1));
    let ports = |cameras: &Cameras| -> Vec<String> {
        cameras.fleet.cameras.iter().map(|camera| camera.rtsp.port().to_string()).collect()
    };
    env.run(&format!("scan {targets} -p {} {QUICK} -o old.json", ports(&first).join(","))).success();
    let mut old = report(&env.path("old.json"));
    for time in ["started_at", "finished_at"] {
        old["scan"][time] = "2026-01-01T00:00:00Z".into();
    }
    env.write("old.json", old.to_string());
    let others = Cameras::start((2..=5).map(|b| camera(68, b)).collect());
    let ports = [ports(&first), ports(&others)].concat().join(",");
    for round in 0..3 {
        let slow = Slow::start();
        let channels: String = (0..CHANNELS)
            .map(|n| format!("    c{n}: {{type: webhook, url: 'http://127.0.0.1:{}/c{n}'}}\n", slow.port))
            .collect();
        let rule = "  rules:\n    - {events: [\"device.*\"], wait: 1ms}\n";
        env.write("camscan.yaml", format!("check_every: none\nnotify:\n  channels:\n{channels}{rule}"));
        let store = format!("round-{round}.sqlite");
        env.run(&format!("store import old.json --store {store}")).success();
        let watch = format!("watch {targets} -p {ports} {QUICK} --store {store} --config camscan.yaml");
        let start = || {
            let words: Vec<&str> = watch.split_whitespace().collect();
            env.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let until = |what: &dyn Fn() -> bool| {
            let until = Instant::now() + Duration::from_secs(90);
            while !what() {
                assert!(Instant::now() < until, "round {round}: {:#?}", slow.messages());
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let mut child = start();
        until(&|| slow.messages().len() > round);
        // SIGKILL, of our own child: while answers are awaited, or just after.
        std::thread::sleep(Duration::from_millis(60 * round as u64));
        let _ = child.kill();
        child.wait().unwrap();
        let events = |channel: &str| -> BTreeSet<String> {
            let of_it = slow.messages().into_iter().filter(|(of, _)| of == channel);
            let all = of_it.flat_map(|(_, message)| message["data"]["events"].as_array().cloned().unwrap_or_default());
            all.map(|event| event["device"].to_string()).collect()
        };
        let mut child = start();
        until(&|| (0..CHANNELS).all(|n| events(&format!("/c{n}")).len() == 4));
        // What would come twice would come now.
        std::thread::sleep(Duration::from_secs(1));
        let _ = child.kill();
        child.wait().unwrap();
        let history = env.run(&format!("history --store {store} --event device.* -f json")).success().json();
        assert_eq!(history["events"].as_array().unwrap().len(), 4, "each is new once: {history:#}");
        for n in 0..CHANNELS {
            let mut times: BTreeMap<String, usize> = BTreeMap::new();
            for (_, message) in slow.messages().iter().filter(|(of, _)| *of == format!("/c{n}")) {
                *times.entry(message["id"].to_string()).or_default() += 1;
            }
            let again = times.values().filter(|count| **count > 1).count();
            assert!(again <= 1 && times.values().all(|count| *count <= 2), "round {round}, channel {n}: {times:?}");
        }
    }
}

#[test]
fn a_program_that_may_not_watch_sends_nothing() {
    let (env, slow) = (TestEnv::new(), Slow::start());
    let cameras = Cameras::start((1..=2).map(|b| camera(73, b)).collect());
    let [first, second] = [0, 1].map(|n| cameras.fleet.cameras[n].rtsp.port());
    env.run(&format!("scan 127.88.73.1 -p {first} {QUICK} --store=s.sqlite")).success();
    let write = |port: u16| {
        let channel = format!("    c0: {{type: webhook, url: 'http://127.0.0.1:{port}/c0'}}\n");
        let rule = "  rules:\n    - {events: [\"device.*\"], wait: 1ms}\n";
        env.write("camscan.yaml", format!("check_every: none\nnotify:\n  channels:\n{channel}{rule}"));
    };
    // Takes a message and never answers: from then on there is one to be sent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    write(silent.local_addr().unwrap().port());
    let line =
        format!("watch 127.88.73.1 127.88.73.2 -p {first},{second} {QUICK} --store s.sqlite --config camscan.yaml -v");
    let watching = Watching::start(&env, &line);
    watching.until(0, "the store was tidied");
    watching.signal("USR1");
    silent.set_nonblocking(true).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let _open = loop {
        match silent.accept() {
            Ok(open) => break open,
            Err(error) => assert!(Instant::now() < until, "no message was sent: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    write(slow.port);
    let refused = Watching::start(&env, &line);
    refused.until(0, "is watching with the store s.sqlite already");
    assert_eq!(refused.end(), Some(1));
    assert_eq!(slow.messages(), []);
    watching.signal("KILL");
    assert_eq!(watching.end(), None);
}
