//! Thirty days of watching twenty cameras, which come and go as cameras do: memory, open files and the store are as large
//! afterwards as they were when all of it had happened once.
//!
//! All thirty: `cargo test --profile profiling --test scan -- --ignored --nocapture thirty_days`. `CAMSCAN_DAYS` and `CAMSCAN_CAMERAS` are
//! other numbers.

use std::process::Command;
use std::time::Instant;

use camscan::history::memory::{DeviceState, StreamState};
use camscan::model::memory::Keep;
use camscan::watch::Job;
use jiff::SignedDuration;

use super::servers::Camera;
use super::watch::{Place, camera, job};

/// As it is by default.
const KEEP: Keep = Keep {
    events: Some(SignedDuration::from_hours(2 * 365 * 24)),
    scans: Some(SignedDuration::from_hours(2 * 365 * 24)),
    hourly: Some(SignedDuration::from_hours(14 * 24)),
    daily: None,
    outbox: Some(SignedDuration::from_hours(30 * 24)),
};
const DAY: u64 = 24 * 60;
/// What more memory may be resident at the end than after the first days, MiB.
const MOST_MEMORY: u64 = 6;
/// What the store may grow by, bytes for a stream and a day: the checks of each hour and of the day, added up.
const MOST_STORE: u64 = 4_000;
/// What it may grow by for the events of a day, which are kept for two years, bytes: whole pages of 4 KiB.
const MOST_EVENTS: u64 = 8 << 10;

/// What the process takes.
#[derive(Debug, Clone, Copy)]
struct Taken {
    /// Resident memory, KiB.
    memory: u64,
    /// Open files.
    files: usize,
    /// The store, its log included, bytes.
    store: u64,
}

impl Taken {
    fn now(place: &Place) -> Taken {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let size = |suffix: &str| {
            let path = format!("{}{suffix}", place.store.file().display());
            std::fs::metadata(path).map_or(0, |file| file.len())
        };
        Taken {
            memory: memory.trim().trim_end_matches(" kB").parse().unwrap(),
            files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            store: size("") + size("-wal"),
        }
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |number| number.parse().unwrap())
}

/// What happens on a day: one camera is away for an hour, the stream of another one has no frames for two, and a third one
/// starts anew.
async fn day(place: &Place, day: u64, hosts: &[u8]) {
    let nth = |n: u64| hosts[usize::try_from((day + n) % hosts.len() as u64).unwrap()];
    let (away, frozen, restarts) = (nth(0), nth(1), nth(2));
    let down = |n: u8| place.net.host_down(&format!("192.0.2.{n}"));
    place.pass(6 * 60).await;
    down(away);
    place.pass(60).await;
    camera(&place.net, away, away, |camera| camera);
    place.pass(60).await;
    camera(&place.net, frozen, frozen, |camera| Camera { play_takes: None, ..camera });
    place.pass(120).await;
    camera(&place.net, frozen, frozen, |camera| camera);
    place.pass(60).await;
    down(restarts);
    place.pass(1).await;
    camera(&place.net, restarts, restarts, |camera| camera);
    place.pass(DAY - 6 * 60 - 60 - 60 - 120 - 60 - 1).await;
    let expected = ["device.offline", "device.online", "stream.broken", "stream.repaired"];
    assert_eq!(place.told(), expected, "on day {day}");
    place.net.forget_records();
    drop(place.news());
}

#[tokio::test(start_paused = true)]
#[ignore = "has to be alone in its process: the others start it"]
async fn days_leave_nothing_behind() {
    let (days, cameras) = (number("CAMSCAN_DAYS", 30), number("CAMSCAN_CAMERAS", 20));
    let hosts: Vec<u8> = (10..).take(usize::try_from(cameras).unwrap()).collect();
    let began = Instant::now();
    let place = Place::with(&hosts, Job { keep: KEEP, ..job(&[]) }).await;
    place.told();
    let mut taken = Vec::new();
    for n in 0..days {
        day(&place, n, &hosts).await;
        taken.push(Taken::now(&place));
        println!("day {n}: {:?}, {:.1} s", taken.last().unwrap(), began.elapsed().as_secs_f64());
    }
    let memory = place.store.memory().unwrap();
    assert_eq!(memory.roots().count(), hosts.len());
    let is_well = |stream: &camscan::history::memory::KnownStream| stream.health.state == StreamState::Working;
    let all_well = memory.roots().all(|k| k.health.state == DeviceState::Online && k.streams.values().all(is_well));
    assert!(all_well);
    place.end().await;
    // Within the first days everything has happened once, and what is kept for a time has reached its size.
    let warm = taken[usize::try_from((days / 6).max(1) - 1).unwrap()];
    let (last, left) = (*taken.last().unwrap(), days - (days / 6).max(1));
    assert!(last.memory < warm.memory + MOST_MEMORY * 1024, "{warm:?} {last:?}");
    assert!(last.files <= warm.files, "{warm:?} {last:?}");
    assert!(last.store <= warm.store + left * (cameras * MOST_STORE + MOST_EVENTS), "{warm:?} {last:?}");
}

#[test]
fn two_days_leave_nothing_behind() {
    let output = alone().env("CAMSCAN_DAYS", "2").env("CAMSCAN_CAMERAS", "3").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("day 1:"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "takes minutes"]
fn thirty_days_leave_nothing_behind() {
    assert!(alone().status().unwrap().success());
}

/// A process for the days alone. Its allocator gives back what is free, else memory would swing by tens of MiB.
fn alone() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "months::days_leave_nothing_behind", "--ignored", "--nocapture"]);
    command.env("MALLOC_ARENA_MAX", "1");
    command.envs(["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"].map(|name| (name, "65536")));
    command
}
