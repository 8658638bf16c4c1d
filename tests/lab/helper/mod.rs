//! The privileged helper: what a process that scans many times gets from it, when it runs and with which rights, and what
//! it does for somebody who has taken over the scanning process.

mod roles;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::ns::{Host, Lan, need, player};
use crate::trial::Skip;
use crate::{Lab, Said};

pub use roles::play;

const SCANNER: &str = "10.77.0.1";
const CAMERA: &str = "10.77.0.10";
/// A host on whose other interface a second camera appears.
const GATEWAY: &str = "10.77.0.20";
const TARGETS: &str = "10.77.0.2-10.77.0.60";
const LATE_CAMERA: &str = "10.79.0.10";
const LATE_TARGETS: &str = "10.79.0.2-10.79.0.60";
/// How long what has to happen soon may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// CAP_NET_ADMIN and CAP_NET_RAW
const RIGHTS: &str = "0000000000003000";
const NONE: &str = "0000000000000000";

pub fn every_scan_of_a_process_has_raw_frames_and_new_interfaces_as_well() -> Result<(), Skip> {
    need(&["nft"])?;
    let mut lan = Lan::new();
    let scanner = lan.host(SCANNER, "02:00:00:00:00:01");
    let camera = lan.host(CAMERA, "44:19:b6:00:77:10");
    let gateway = lan.host(GATEWAY, "44:19:b6:00:77:20");
    lan.play(&camera, &format!("camera {CAMERA}"), |host| host.listens_tcp(554));
    count_arp(&camera);
    lan.wait();
    let mut scans = Running::start(&scanner, "helper-scans many");
    for nth in 1..=2 {
        assert_eq!(scans.found(TARGETS), [CAMERA, GATEWAY], "scan {nth}");
        assert!(arp_requests(&camera) >= 58 * nth, "scan {nth}: {}", arp_requests(&camera));
        // Had the kernel asked, it would remember who is silent.
        assert_eq!(silent_neighbours(&scanner), 0, "scan {nth} was not made by raw frames");
    }
    lan.join(&scanner, &gateway, "late", ["10.79.0.1/24", "10.79.0.10/24"]);
    lan.play(&gateway, &format!("camera {LATE_CAMERA}"), |host| host.listens_tcp(554));
    lan.wait();
    assert_eq!(scans.found(LATE_TARGETS), [LATE_CAMERA]);
    assert_eq!(silent_neighbours(&scanner), 0, "the new interface was not asked by raw frames");
    drop(scans);
    // Without a helper the sockets opened ahead are used up by the first scan: the comparison that shows the difference.
    let mut scans = Running::start(&scanner, "helper-scans one");
    assert_eq!(scans.found(TARGETS), [CAMERA, GATEWAY]);
    assert_eq!(silent_neighbours(&scanner), 0);
    assert_eq!(scans.found(TARGETS), [CAMERA, GATEWAY]);
    assert!(silent_neighbours(&scanner) > 0, "raw frames without any right: what was tested above?");
    Ok(())
}

pub fn it_is_started_where_something_needs_it_only() -> Result<(), Skip> {
    need(&["setpriv", "setcap"])?;
    let mut lab = Lab::new();
    let scan = ["scan", "10.77.0.1-10.77.0.9", "--ports", "554", "--no-dns", "--methods", "arp", "-f", "json"];
    let (helper, said) = watch(&mut lab.command(true, &scan));
    said.json(0);
    assert_eq!(helper, None, "a small network needs none");
    lab.scanner = lab.lan.host_in("10.98.0.1", 16, "02:00:00:00:98:01");
    let (helper, said) = watch(&mut lab.command(true, &scan));
    said.json(0);
    let helper = helper.expect("a large network needs one");
    assert!(!is_there(helper), "it outlives the scan");
    // The rights of its file do as well as root's.
    let capable = lab.path("capable");
    std::fs::copy(&lab.binary, &capable).unwrap();
    assert!(Command::new("setcap").args(["cap_net_raw,cap_net_admin+ep", &capable]).status().unwrap().success());
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", &capable];
    let words = [&nobody[..], &scan].concat();
    let (helper, said) = watch(lab.scanner.command("setpriv", &words).env("HOME", "/nonexistent"));
    said.json(0);
    assert!(!is_there(helper.expect("a large network needs one")), "it outlives the scan");
    let binary = lab.binary.to_str().unwrap();
    let words = [&["--bounding-set=-net_admin", "--inh-caps=-net_admin", binary][..], &scan].concat();
    let (helper, said) = watch(lab.scanner.command("setpriv", &words).env("HOME", "/nonexistent"));
    said.json(0);
    assert_eq!(helper, None, "nothing can be deleted from the neighbour table without the right");
    Ok(())
}

pub fn whoever_takes_over_the_scan_gets_two_things_of_it_and_no_more() -> Result<(), Skip> {
    need(&[])?;
    let mut lan = Lan::new();
    let scanner = lan.host(SCANNER, "02:00:00:00:00:01");
    let learnt = (roles::LEARNT_NEIGHBOUR, "nud stale");
    for (address, how) in roles::KEPT_NEIGHBOURS.into_iter().chain([learnt]) {
        let line = format!("neigh add {address} lladdr 44:19:b6:00:77:99 dev eth0 {how}");
        let done = scanner.run("ip", &line.split(' ').collect::<Vec<_>>());
        assert!(done.status.success(), "{line}: {done:?}");
    }
    let mut attack = Running::start(&scanner, "helper-attack");
    let helper = wait_for_helper(attack.child.id());
    writeln!(attack.child.stdin.as_ref().unwrap(), "begin").unwrap();
    assert_eq!(attack.line(), "over");
    assert_may_do_two_things(helper);
    Ok(())
}

pub fn it_ends_with_the_process_that_started_it() -> Result<(), Skip> {
    need(&[])?;
    let mut lan = Lan::new();
    let scanner = lan.host(SCANNER, "02:00:00:00:00:01");
    for (how, role) in [
        ("the process has closed its end", "helper-closes"),
        ("the process was killed", "helper-holds"),
        ("the process was killed, and another one holds its end", "helper-leaks"),
    ] {
        let mut running = Running::start(&scanner, role);
        let helper = wait_for_helper(running.child.id());
        assert_may_do_two_things(helper);
        if role == "helper-closes" {
            writeln!(running.child.stdin.as_ref().unwrap(), "close").unwrap();
            assert_eq!(running.line(), "ready");
        } else {
            running.child.kill().unwrap();
        }
        let until = Instant::now() + PATIENCE;
        while is_there(helper) {
            assert!(Instant::now() < until, "{how}, and the helper goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// The helper of a scan that is running.
pub fn wait_for_helper(scan: u32) -> u32 {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(helper) = helper_of(scan) {
            return helper;
        }
        assert!(Instant::now() < until && is_there(scan), "no privileged helper");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// That a helper has the rights, and holds the descriptors, that it works with, and nothing else.
pub fn assert_may_do_two_things(helper: u32) {
    let status = status(helper);
    let is = |field: &str, value: &str| status.contains(&format!("{field}:\t{value}\n"));
    assert!(is("CapPrm", RIGHTS) && is("CapEff", RIGHTS), "{status}");
    assert!(is("CapInh", NONE) && is("CapBnd", NONE) && is("CapAmb", NONE), "{status}");
    assert!(is("NoNewPrivs", "1") && is("Threads", "1"), "{status}");
    // The requests, and the kernel's neighbour table. A link that is handed on right now is a third for that moment.
    let until = Instant::now() + PATIENCE;
    let mut open = descriptors(helper);
    while open.len() > 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
        open = descriptors(helper);
    }
    assert!(open.len() == 2 && open.iter().all(|what| what.starts_with("socket:")), "{open:?}");
    let limits = std::fs::read_to_string(format!("/proc/{helper}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
}

/// What a process has open; one that is closed while this looks is left out.
fn descriptors(process: u32) -> Vec<String> {
    let folder = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    folder.filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.display().to_string())).collect()
}

pub fn is_there(process: u32) -> bool {
    let status = status(process);
    !status.is_empty() && !status.contains("State:\tZ")
}

/// The helper of a process, once it has done away with what it does not need.
fn helper_of(process: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let mut children = children.split_whitespace().map(|child| child.parse().unwrap());
    children.find(|child| status(*child).starts_with("Name:\tcamscan-helper\n"))
}

fn status(process: u32) -> String {
    std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default()
}

/// Runs a scan to its end; which helper it had, if any.
fn watch(command: &mut Command) -> (Option<u32>, Said) {
    let mut scan = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut helper = None;
    while scan.try_wait().unwrap().is_none() {
        helper = helper.or_else(|| helper_of(scan.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    (helper, Said::of(scan.wait_with_output().unwrap()))
}

/// A role that is told by lines what to do, and ends when it is dropped.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(host: &Host, role: &str) -> Running {
        let [variable, program] = player(role);
        let mut command = host.command("env", &[&variable, &program]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut running = Running { child, out };
        assert_eq!(running.line(), "ready");
        running
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.out.read_line(&mut line).unwrap() > 0, "the role has ended");
        line.trim_end().to_owned()
    }

    /// Has it scan; the addresses that were found by ARP, without the scanner's own.
    fn found(&mut self, targets: &str) -> Vec<String> {
        writeln!(self.child.stdin.as_ref().unwrap(), "{targets}").unwrap();
        self.line().split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Counts the ARP requests that reach a host.
fn count_arp(host: &Host) {
    let rules = "add table netdev count; \
                 add chain netdev count in { type filter hook ingress device eth0 priority 0; }; \
                 add rule netdev count in ether type arp arp operation request counter";
    let done = host.run("nft", &[rules]);
    assert!(done.status.success(), "{done:?}");
}

fn arp_requests(host: &Host) -> u32 {
    let rules = host.run("nft", &["list", "table", "netdev", "count"]);
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    let mut words = rules.split_whitespace().skip_while(|word| *word != "packets").skip(1);
    words.next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{rules}"))
}

/// Neighbours that the kernel has asked for in vain, or still asks for.
fn silent_neighbours(host: &Host) -> usize {
    let table = host.run("ip", &["neigh", "show", "nud", "failed", "nud", "incomplete"]);
    assert!(table.status.success(), "{table:?}");
    String::from_utf8_lossy(&table.stdout).lines().count()
}
