//! What is remembered between scans: the store, and the commands on it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use camscan::store::accounts::AuditFilter;
use camscan::store::{Open, Store};
use camscan::testkit::fleet::{Camera, Fault, Login};

use crate::env::{Cameras, Run, TestEnv, camera, report};

/// A folder with a store, into which two cameras on 127.88.`a`.x were scanned.
fn scanned(env: &TestEnv, a: u8) -> Cameras {
    let cameras = Cameras::start(vec![camera(a, 1), camera(a, 2)]);
    env.run(&cameras.scan("--store=s.sqlite -o first.json")).success();
    cameras
}

fn devices(env: &TestEnv) -> Vec<Value> {
    let listed = env.run("devices --store s.sqlite -f json").success().json();
    listed["devices"].as_array().unwrap().clone()
}

fn uid(device: &Value) -> &str {
    device["uid"].as_str().unwrap()
}

#[test]
fn a_scan_is_remembered_where_it_is_told_to_be() {
    let env = TestEnv::new();
    let cameras = Cameras::one(camera(60, 1));
    env.run(&cameras.scan("-o plain.json")).success();
    assert_eq!(env.names(), ["plain.json"], "a plain scan leaves no trace");
    assert!(report(&env.path("plain.json"))["devices"][0].get("uid").is_none());
    env.run(&cameras.scan("--store --no-dns -o a.json")).success();
    let usual = env.path(".local/share/camscan/store.sqlite");
    assert_eq!(fs::metadata(&usual).unwrap().permissions().mode() & 0o777, 0o600);
    let first = report(&env.path("a.json"))["devices"][0].clone();
    env.write("camscan.yaml", "store: auto\n");
    env.run(&cameras.scan("-o b.json")).success();
    let later = report(&env.path("b.json"));
    let second = &later["devices"][0];
    assert_eq!(uid(&first), uid(second), "it is the same device");
    assert!(second["first_seen"].as_str() < later["scan"]["started_at"].as_str(), "{second}");
    env.run(&cameras.scan("--no-store -o c.json")).success();
    assert!(report(&env.path("c.json"))["devices"][0].get("uid").is_none());
    let listed = env.run("devices -f json").success().json();
    assert_eq!(listed["devices"][0]["uid"], first["uid"]);
    let checked = env.run("store check").success();
    assert!(
        checked.out.contains("1 device, 2 scans,") && checked.out.ends_with("no damage found\n"),
        "{}",
        checked.out
    );
}

#[test]
fn a_stream_that_came_by_udp_is_asked_for_by_udp_first() {
    let env = TestEnv::new();
    let cameras = Cameras::one(Camera { fault: Fault::UdpOnly, ..camera(61, 1) });
    let ways = |flags: &str| -> Vec<Value> {
        let found = env.run(&cameras.scan(&format!("-f json --store=s.sqlite --no-dns {flags}"))).success().json();
        let stream = found["devices"][0]["streams"][0].clone();
        assert_eq!((&stream["status"], &stream["transport"]), (&"streaming".into(), &"udp".into()), "{stream}");
        stream["ladder"].as_array().unwrap().iter().map(|step| step["way"].clone()).collect()
    };
    // TCP was refused, and UDP taken at once.
    assert!(ways("").iter().all(Value::is_null));
    for flags in ["--fresh", ""] {
        let ways = ways(flags);
        assert!(ways.contains(&"udp".into()) && !ways.contains(&"tcp".into()), "{flags}: {ways:?}");
    }
}

#[test]
fn devices_are_listed_named_and_shown() {
    let env = TestEnv::new();
    let cameras = scanned(&env, 61);
    let all = devices(&env);
    let (one, other) = (uid(&all[0]).to_owned(), uid(&all[1]).to_owned());
    let table = env.run("devices --store s.sqlite").success().out;
    assert!(table.starts_with("STATE ") && table.contains(&one) && table.ends_with("2 devices\n"), "{table}");
    let named = env.run("devices name 127.88.61.1 Gate --site Depot --tag roof --tag ptz --store s.sqlite").success();
    assert_eq!(named.out, format!("{one} (127.88.61.1): Gate, site Depot, tags ptz roof\n"));
    let twice = env.run("devices name 127.88.61.2 Gate --store s.sqlite");
    assert_eq!(twice.code, Some(2), "{}", twice.err);
    env.run(&cameras.scan("--store=s.sqlite -o second.json -o second.csv")).success();
    let device = report(&env.path("second.json"))["devices"][0].clone();
    assert_eq!((device["name"].as_str(), device["site"].as_str()), (Some("Gate"), Some("Depot")));
    assert_eq!(device["tags"].as_array().unwrap().len(), 2);
    let tagged = env.run("devices --tag roof -f json --store s.sqlite").success().json();
    assert_eq!(tagged["devices"].as_array().unwrap().len(), 1);
    let shown = env.run("devices show Gate --store s.sqlite").success().out;
    for text in [one.as_str(), "Depot", "ptz roof", "online since", "127.88.61.1", "Streams"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let json = env.run("devices show gate -f json --store s.sqlite").success().json();
    assert_eq!(json["device"]["uid"].as_str(), Some(one.as_str()));
    env.run("devices name Gate --tag= --site= --store s.sqlite").success();
    let device = &devices(&env)[0];
    assert!(device.get("site").is_none() && device.get("tags").is_none());
    let unknown = env.run("devices show Gaet --store s.sqlite");
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("did you mean `Gate`?"), "{}", unknown.err);
    // Two entries for one device.
    env.run(&format!("devices merge Gate {other} --store s.sqlite")).success();
    assert_eq!(devices(&env).len(), 1);
    env.run(&format!("devices split {other} --store s.sqlite")).success();
    assert_eq!(devices(&env).len(), 2);
    let wrong = env.run(&format!("devices split {other} --store s.sqlite"));
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    // Whoever looks into the audit log of the server sees what was changed here, and nothing of what was refused.
    let store = Store::open(&env.path("s.sqlite"), Open::ReadOnly).unwrap();
    let lines = store.audit(&AuditFilter { before: None, limit: 100 }).unwrap().into_iter().rev();
    let lines: Vec<String> =
        lines.map(|line| format!("{}: {} {} {}", line.actor.name, line.action, line.subject, line.detail)).collect();
    let expected = [
        format!("device.note {one} name: none -> Gate; site: none -> Depot; tags: none -> ptz, roof"),
        format!("device.note {one} site: Depot -> none; tags: ptz, roof -> none"),
        format!("device.merge {other} into {one}"),
        format!("device.split {other} from {one}"),
    ];
    assert_eq!(lines, expected.map(|line| format!("command line: {line}")));
}

#[test]
fn devices_are_muted_acknowledged_and_expected() {
    let env = TestEnv::new();
    let _cameras = scanned(&env, 62);
    let done = |line: &str| env.run(&format!("{line} --store s.sqlite")).success().out;
    assert!(done("devices mute 127.88.62.1 --for 2h --why test").starts_with("muted until 2"));
    assert!(done("devices show 127.88.62.1").contains("(test)"));
    assert_eq!(done("devices unmute 127.88.62.1"), "messages are sent again\n");
    assert_eq!(done("devices unmute 127.88.62.1"), "it was not muted\n");
    assert_eq!(done("devices mute --tag roof"), "muted until `camscan devices unmute`: tag roof (0 devices)\n");
    assert_eq!(done("devices unmute --tag roof"), "messages are sent again\n");
    assert!(done("devices ack 127.88.62.1").starts_with("acknowledged: d_"));
    assert!(done("devices expect 127.88.62.1 sometimes").ends_with("expected sometimes\n"));
    assert!(done("devices login retry 127.88.62.1").ends_with("no login was refused in the last 24 hours\n"));
    for wrong in ["mute", "mute 127.88.62.1 --until 2001-01-01", "expect 127.88.62.1 never", "mute 127.88.62.9"] {
        let run = env.run(&format!("devices {wrong} --store s.sqlite"));
        assert_eq!(run.code, Some(2), "{wrong}: {}", run.err);
    }
}

#[test]
fn what_happened_is_shown_and_scans_are_compared() {
    let env = TestEnv::new();
    let cameras = scanned(&env, 63);
    let same = env.run("diff last last --store s.sqlite").success();
    assert_eq!(same.out, "nothing changed\n");
    // The second scan misses one camera and finds a new one.
    let third = Cameras::one(camera(63, 3));
    let ports = format!("{},{}", cameras.fleet.cameras[0].rtsp.port(), third.fleet.cameras[0].rtsp.port());
    let line = format!(
        "scan 127.88.63.1 127.88.63.3 -p {ports} {} --store=s.sqlite --fail-on new,gone -o second.json",
        crate::env::QUICK
    );
    let second = env.run(&line);
    assert_eq!(second.code, Some(3), "{}", second.err);
    assert!(second.err.contains("not in the baseline: 127.88.63.3"), "{}", second.err);
    let diff = env.run("diff previous --store s.sqlite --fail-on gone");
    assert_eq!(diff.code, Some(3), "{}", diff.err);
    assert!(diff.out.contains("+ 127.88.63.3") && diff.out.contains("- 127.88.63.2"), "{}", diff.out);
    let with_file = env.run("diff first.json 2 --store s.sqlite").success();
    assert!(with_file.out.contains("+ 127.88.63.3") && with_file.out.contains("- 127.88.63.2"), "{}", with_file.out);
    // One device then and now, and two devices.
    let then = env.run("diff previous 127.88.63.1 --store s.sqlite").success();
    assert_eq!(then.out, "nothing changed\n");
    let two = env.run("diff 127.88.63.1 127.88.63.3 --store s.sqlite").success();
    assert!(two.out.contains("address: 127.88.63.1 → 127.88.63.3"), "{}", two.out);
    let none = env.run("diff 1 17 --store s.sqlite");
    assert_eq!(none.code, Some(2), "{}", none.err);
    let history = env.run("history --since 1h -f json --store s.sqlite").success().json();
    let kinds: Vec<&str> =
        history["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "device.new").count(), 1, "{kinds:?}");
    assert!(kinds.contains(&"scan.finished"), "the first scan is one event: {kinds:?}");
    let text = env.run("history 127.88.63.3 --store s.sqlite").success().out;
    assert!(text.contains("device.new") && text.contains("online"), "{text}");
    let csv = env.run("history --event device.* -f csv --store s.sqlite").success().out;
    assert_eq!(csv.lines().count(), 2, "{csv}");
    let wrong = env.run("history --event device.nwe --store s.sqlite");
    assert!(wrong.code == Some(2) && wrong.err.contains("did you mean `device.new`?"), "{}", wrong.err);
}

#[test]
fn reports_are_imported_in_their_order() {
    let env = TestEnv::new();
    let _cameras = scanned(&env, 64);
    let mut later = report(&env.path("first.json"));
    for time in ["started_at", "finished_at"] {
        later["scan"][time] = "2030-01-01T00:00:00Z".into();
    }
    later["devices"].as_array_mut().unwrap().remove(1);
    env.write("later.json", later.to_string());
    let run = env.run("store import later.json first.json --store new.sqlite").success();
    let lines: Vec<&str> = run.out.lines().collect();
    assert!(lines[0].starts_with("first.json: ") && lines[1].starts_with("later.json: "), "{}", run.out);
    assert_eq!(lines[2], "imported 2 of 2 reports");
    let again = env.run("store import later.json first.json --store new.sqlite").success();
    assert!(again.out.ends_with("imported 0 of 2 reports\n") && again.err.contains("was left out"), "{}", again.err);
    let known = env.run("devices -f json --store new.sqlite").success().json();
    assert_eq!(known["devices"].as_array().unwrap().len(), 2);
}

#[test]
fn a_store_is_copied_and_what_is_none_is_refused() {
    let env = TestEnv::new();
    let cameras = scanned(&env, 65);
    env.run("store backup copy.sqlite --store s.sqlite").success();
    let again = env.run("store backup copy.sqlite --store s.sqlite");
    assert_eq!(again.code, Some(2), "{}", again.err);
    assert_eq!(again.err, "error: copy.sqlite exists already\nhint: name a file that does not exist yet\n");
    env.run("store check --store copy.sqlite").success();
    // What else it says is about the machine.
    let looked = env.run("doctor --store copy.sqlite").out;
    assert!(looked.contains("store          copy.sqlite: ") && looked.contains(", 2 devices, complete"), "{looked}");
    let pruned = env.run("store prune --keep-events 1d --keep-scans forever --store copy.sqlite").success();
    assert!(pruned.out.starts_with("removed 0 events and states, 0 scans"), "{}", pruned.out);
    let wrong = env.run("store prune --keep-events soon --store copy.sqlite");
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    env.write("other.sqlite", "something else");
    let refused = |run: Run| {
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{}", run.err);
        run.err
    };
    let text = "error: other.sqlite is not a store of camscan\nhint: name another file; this one was left as it is\n";
    assert_eq!(refused(env.run(&cameras.scan("--store=other.sqlite"))), text);
    assert_eq!(refused(env.run("devices --store other.sqlite")), text);
    assert_eq!(env.read("other.sqlite"), "something else");
    let missing = refused(env.run("devices --store none.sqlite"));
    assert!(missing.starts_with("error: there is no store none.sqlite\n"), "{missing}");
    // A store that is torn is told, and what can be read is copied.
    let mut bytes = fs::read(env.path("s.sqlite")).unwrap();
    let pages = bytes.len() / 4096;
    bytes[(pages - 3) * 4096..(pages - 1) * 4096].fill(0xa5);
    fs::write(env.path("s.sqlite"), &bytes).unwrap();
    let damaged = env.run("store check --store s.sqlite");
    assert_eq!(damaged.code, Some(1), "{}", damaged.err);
    assert!(damaged.err.contains("camscan store salvage NEW.sqlite --store 's.sqlite'"), "{}", damaged.err);
    env.run("store salvage saved.sqlite --store s.sqlite").success();
    env.run("store check --store saved.sqlite").success();
}

#[test]
fn passwords_are_in_no_file_of_a_store() {
    let env = TestEnv::new();
    let user = ("operator".into(), "correct-horse-battery".into());
    let cameras = Cameras::one(Camera { login: Login::Digest, user, ..camera(66, 1) });
    let scan = cameras.scan("--store=s.sqlite -c operator:correct-horse-battery -c guest:wrong-staple -f json");
    let run = env.run(&scan).success();
    assert!(run.out.contains("\"streaming\""), "{}", run.out);
    env.run(&scan).success();
    for name in env.names() {
        let bytes = fs::read(env.path(&name)).unwrap_or_default();
        for secret in ["correct-horse-battery", "wrong-staple"] {
            assert!(!bytes.windows(secret.len()).any(|some| some == secret.as_bytes()), "{name}");
        }
    }
}
