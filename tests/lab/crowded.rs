//! More cameras than the kernel's neighbour table has room for, beside the neighbours of others: the scan takes longer, and
//! finds every one.
//!
//! The table is the machine's, not the namespace's, so that this runs beside no other test.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use camscan::testkit::population;
use serde_json::Value;

use crate::helper;
use crate::ns::{Host, Lan, need};
use crate::trial::Skip;

const CAMERAS: usize = 400;
/// Rows of the table that are left to the scan; all others are taken.
const ROOM: usize = 200;
/// The table of a usual system has 1,024 rows. A larger one is not filled, for others may need it.
const LARGEST: usize = 1024;
const FIRST: [u8; 4] = [10, 99, 8, 1];
/// One of them.
const SET_BY_HAND: &str = "10.99.8.5";
/// Addresses that hold them all, for those who must ask the kernel for each: it gives a silent one up after three seconds.
const RANGE: &str = "10.99.8.0/23";
const NET: &str = "10.99.0.0/16";
const SCANNER_MAC: &str = "02:00:00:00:00:01";
const NOBODY: [&str; 5] =
    ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];

/// Plays the cameras in their namespace.
pub fn cameras() {
    let arguments = [Ipv4Addr::from(FIRST).to_string(), CAMERAS.to_string(), "1".to_owned()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(population::serve("eth0", &arguments, |_| {}));
}

pub fn no_camera_is_lost_when_the_neighbour_table_is_full() -> Result<(), Skip> {
    need(&["setpriv", "nft", "sysctl"])?;
    let mut lan = Lan::new();
    let scanner = lan.host_in("10.99.0.1", 16, SCANNER_MAC);
    start_cameras(&mut lan);
    set(&scanner, "net.ipv4.neigh.eth0.delay_first_probe_time=1");
    // What the operator has set stays, whoever is made to be forgotten.
    must(
        &scanner,
        "ip",
        &["neigh", "add", SET_BY_HAND, "lladdr", "44:19:b6:63:08:05", "dev", "eth0", "nud", "permanent"],
    );
    let folder = tempfile::Builder::new().prefix("camscan-crowded").tempdir().unwrap();
    must(&scanner, "chmod", &["755", folder.path().to_str().unwrap()]);
    let program = folder.path().join("camscan");
    std::fs::copy(env!("CARGO_BIN_EXE_camscan"), &program).unwrap();
    let program = program.to_str().unwrap();
    let is_full = fill_table(&mut lan);
    let everybody = (0..CAMERAS as u32).map(|n| Ipv4Addr::from(u32::from_be_bytes(FIRST) + n).to_string()).collect();
    for (is_root, targets, options) in [
        (true, NET, &[][..]),
        (true, NET, &["--concurrency", "256"]),
        (false, RANGE, &[]),
        (false, RANGE, &["--concurrency", "256"]),
    ] {
        must(&scanner, "ip", &["neigh", "flush", "dev", "eth0"]);
        // A row is kept for half a minute or so. Here root, who can have it forgotten, would wait for an hour, and nobody
        // waits for a few seconds, so that the test is soon over.
        let kept_ms = if is_root { 3_600_000 } else { 3000 };
        set(&scanner, &format!("net.ipv4.neigh.eth0.base_reachable_time_ms={kept_ms}"));
        let began = Instant::now();
        let (found, log) = scan(&scanner, is_root, program, targets, options);
        println!("as root {is_root}, {options:?}: {:.1} s", began.elapsed().as_secs_f64());
        let lost: Vec<_> = BTreeSet::difference(&everybody, &found).collect();
        assert!(!log.contains("stayed full"), "as root {is_root}, {options:?}: {log}");
        assert!(lost.is_empty(), "as root {is_root}, {options:?}: {} lost: {lost:?}\n{log}", lost.len());
        // Without root the sweep itself has to wait for rows.
        if is_full && is_root {
            assert!(
                log.contains("neighbour table is full"),
                "as root {is_root}, {options:?}: nothing was tested\n{log}"
            );
        }
        let by_hand = scanner.run("ip", &["neigh", "show", SET_BY_HAND]);
        assert!(String::from_utf8_lossy(&by_hand.stdout).contains("PERMANENT"), "{by_hand:?}");
    }
    Ok(())
}

/// Takes all but [`ROOM`] rows of the table, as another container would; whether that could be done.
fn fill_table(lan: &mut Lan) -> bool {
    let rows = std::fs::read_to_string("/proc/sys/net/ipv4/neigh/default/gc_thresh3").unwrap();
    let rows: usize = rows.trim().parse().unwrap();
    println!("the table has {rows} rows");
    if rows > LARGEST {
        println!("too many to fill: only whether all are found is tested");
        return false;
    }
    let other = lan.host_in("10.98.0.1", 16, "02:00:00:00:00:03");
    set(&other, "net.ipv4.neigh.eth0.base_reachable_time_ms=3600000");
    let neighbour =
        |n| format!("neigh add {} lladdr 02:00:00:00:00:04 dev eth0 nud reachable\n", Ipv4Addr::from(0x0a62_0100 + n));
    let neighbours: String = (0..rows.saturating_sub(ROOM) as u32).map(neighbour).collect();
    feed(&other, "ip", &["-batch", "-"], &neighbours);
    true
}

fn start_cameras(lan: &mut Lan) {
    let cameras = lan.host_in("10.99.255.254", 16, "02:00:00:00:00:02");
    // The kernel answers ARP for no address; the simulator does, with a MAC address for each.
    set(&cameras, "net.ipv4.conf.eth0.arp_ignore=8");
    // Each camera would limit its ICMP answers on its own; here they share one kernel.
    set(&cameras, "net.ipv4.icmp_ratelimit=0");
    set(&cameras, "net.core.somaxconn=4096");
    set(&cameras, "net.ipv4.tcp_max_syn_backlog=8192");
    must(&cameras, "ip", &["route", "add", "local", RANGE, "dev", "lo"]);
    // The cameras answer; they never ask, which would give them all the kernel's own MAC address.
    must(&cameras, "ip", &["neigh", "add", "10.99.0.1", "lladdr", SCANNER_MAC, "dev", "eth0", "nud", "permanent"]);
    // Frames to those MAC addresses are taken as if they were the interface's own.
    let rules = "table netdev cameras { chain ingress { type filter hook ingress device \"eth0\" priority 0; meta pkttype set host; }; }";
    feed(&cameras, "nft", &["-f", "-"], rules);
    let is_up = || cameras.run("cat", &["/sys/class/net/eth0/operstate"]).stdout.starts_with(b"up");
    while !is_up() {
        std::thread::sleep(Duration::from_millis(50));
    }
    lan.play(&cameras, "population", |host| host.listens_tcp(80));
    lan.wait();
}

/// Who was found with a stream that was described, and the log.
fn scan(scanner: &Host, is_root: bool, program: &str, targets: &str, options: &[&str]) -> (BTreeSet<String>, String) {
    let privileges = if is_root { &[][..] } else { &NOBODY };
    let scan = [program, "scan", targets, "--verify", "describe", "--ports", "554", "--no-dns", "-f", "jsonl", "-v"];
    let words: Vec<&str> = privileges.iter().chain(&scan).chain(options).copied().collect();
    let mut command = scanner.command("setpriv", &words);
    command.env("HOME", "/nonexistent").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let scan = command.spawn().unwrap();
    let helper = is_root.then(|| helper::wait_for_helper(scan.id()));
    helper.into_iter().for_each(helper::assert_may_do_two_things);
    let output = scan.wait_with_output().unwrap();
    assert!(!helper.is_some_and(helper::is_there), "it outlives the scan");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    let is_described =
        |device: &Value| device["streams"].as_array().is_some_and(|all| all.iter().any(|s| s["status"] == "described"));
    let devices = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(is_described)
        .map(|d| d["ip"].as_str().unwrap().to_owned())
        .collect();
    (devices, log)
}

/// Runs a program that reads `text`.
fn feed(host: &Host, program: &str, arguments: &[&str], text: &str) {
    let mut child = host.command(program, arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{program}");
}

fn set(host: &Host, setting: &str) {
    must(host, "sysctl", &["-qw", setting]);
}

fn must(host: &Host, program: &str, arguments: &[&str]) {
    let output = host.run(program, arguments);
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
