//! The program is killed while it writes its store. What it told to be stored is there, and the store is whole.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::env::{Cameras, TestEnv, camera, report};

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
        let scans: usize =
            checked.out.split(" devices, ").nth(1).unwrap().split(" scans").next().unwrap().parse().unwrap();
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
