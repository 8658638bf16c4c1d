//! What breaks around a scan while it runs: the network, the name servers, the disk. And what the scanner may do to the
//! machine it runs on.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, UdpSocket};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use camscan::testkit::fleet::clip::Clip;
use camscan::testkit::fleet::{Camera, Fault, Fleet};
use serde_json::Value;

use crate::ns::{self, Host, Lan};
use crate::trial::Skip;

/// Nobody.
const NOBODY: &str = "65534";

/// A network with the scanner at 10.78.0.1, and what breaks.
pub(super) struct Place {
    lan: Lan,
    pub(super) scanner: Host,
    folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Result<Place, Skip> {
        ns::need(&["setpriv", "unshare", "setcap"])?;
        let folder = tempfile::Builder::new().prefix("camscan-faults").tempdir().unwrap();
        must(Command::new("chmod").arg("755").arg(folder.path()));
        std::fs::copy(env!("CARGO_BIN_EXE_camscan"), folder.path().join("camscan")).unwrap();
        let mut lan = Lan::new();
        let scanner = lan.host("10.78.0.1", "02:00:00:00:78:01");
        Ok(Place { lan, scanner, folder })
    }

    fn host(&mut self, ip: &str) -> Host {
        let last: u8 = ip.rsplit('.').next().unwrap().parse().unwrap();
        self.lan.host(ip, &format!("44:19:b6:00:78:{last:02x}"))
    }

    /// A host that plays a role of this test program.
    pub(super) fn role(&mut self, ip: &str, role: &str) -> Running {
        let host = self.host(ip);
        self.role_at(&host, ip, role)
    }

    fn role_at(&self, host: &Host, ip: &str, role: &str) -> Running {
        let [variable, program] = ns::player(&format!("{role} {ip}"));
        let mut command = host.command("env", &[&variable, &program]);
        let mut running = Running::start(&mut command);
        running.wait_for("ready");
        running
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The scanner, as root, not yet started.
    fn camscan(&self, line: &str) -> Command {
        self.camscan_after("", line)
    }

    /// The same after a line of shell, in a mount namespace of its own.
    fn camscan_after(&self, shell: &str, line: &str) -> Command {
        let script = format!("{shell}\nexec env --default-signal=INT,TERM,HUP {} {line}", self.path("camscan"));
        let mut command = self.scanner.command("unshare", &["--mount", "sh", "-ec", &script]);
        command.env("HOME", "/nonexistent").current_dir(self.folder.path());
        command
    }
}

fn must(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// A program that is killed when it is dropped, and whose output is read line by line.
pub(super) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Running {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running { child, out }
    }

    /// Reads on until a line holds these words; gives the line.
    #[track_caller]
    fn wait_for(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            if self.out.read_line(&mut line).unwrap() == 0 {
                let mut err = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("it ended without '{words}': {err}");
            }
        }
        line
    }

    /// Its end: exit code, the rest of standard output, standard error.
    pub(super) fn end(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        let mut stderr = self.child.stderr.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| stderr.read_to_string(&mut err).unwrap());
            self.out.read_to_string(&mut out).unwrap();
        });
        (self.child.wait().unwrap().code(), out, err)
    }

    fn signal(&self, name: &str) {
        must(Command::new("kill").args(["-s", name, &self.child.id().to_string()]));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn device<'a>(report: &'a Value, ip: &str) -> &'a Value {
    let devices = report["devices"].as_array().unwrap();
    devices.iter().find(|d| d["ip"] == ip).unwrap_or_else(|| panic!("{ip} is missing: {report:#}"))
}

/// The network goes away as soon as the first camera is complete: the scan ends by itself, with that camera.
pub fn a_network_that_goes_away_costs_what_was_not_yet_seen() -> Result<(), Skip> {
    let mut place = Place::new()?;
    let _camera = place.role("10.78.0.10", "camera");
    let _silent = place.role("10.78.0.11", "silent");
    for (way, user) in [("link set eth0 down", "0"), ("link set eth0 down", NOBODY), ("link del eth0", "0")] {
        let privileges = format!("setpriv --reuid={user} --regid={user} --clear-groups");
        let line = "scan 10.78.0.0/24 -p 554,8554 --timeout 3s --host-timeout 6s -f jsonl --all";
        let line = format!("{} {line}", place.path("camscan"));
        let mut command = place.scanner.command("sh", &["-ec", &format!("exec {privileges} {line}")]);
        let mut running = Running::start(command.env("HOME", "/nonexistent"));
        let camera: Value = serde_json::from_str(&running.wait_for("10.78.0.10")).unwrap();
        assert_eq!(camera["streams"][0]["status"], "streaming", "{camera}");
        let done = place.scanner.run("ip", &way.split(' ').collect::<Vec<_>>());
        assert!(done.status.success());
        let (code, rest, err) = running.end();
        assert_eq!(code, Some(0), "{way}, {user}: {err}");
        let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
        assert_eq!(last["scan"]["status"], "complete", "{way}, {user}: {rest}");
        assert!(!err.contains("mistake"), "{err}");
        assert!(err.contains("warning: the interface eth0 went down during the scan"), "{way}, {user}: {err}");
        if way != "link del eth0" {
            for again in ["link set eth0 up", "route add 224.0.0.0/4 dev eth0"] {
                assert!(place.scanner.run("ip", &again.split(' ').collect::<Vec<_>>()).status.success());
            }
        }
    }
    Ok(())
}

/// It is gone before anything is asked: nothing is found, and why is said.
pub fn without_a_network_the_reason_is_said() -> Result<(), Skip> {
    let place = Place::new()?;
    let line = "scan 10.78.0.0/28 -p 554 --discovery-time 1s -f json";
    for way in ["link set eth0 down", "link del eth0"] {
        assert!(place.scanner.run("ip", &way.split(' ').collect::<Vec<_>>()).status.success());
        let (code, out, err) = Running::start(&mut place.camscan(line)).end();
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains("warning: no route leads to 10.78.0."), "{way}: {err}");
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(report["devices"].as_array().unwrap().len(), 0);
        // Without a target there is nothing to scan at all.
        let (code, _, err) = Running::start(&mut place.camscan("scan")).end();
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains("no network interface with a subnet is up"), "{err}");
    }
    Ok(())
}

/// Name servers that never answer.
fn with_dead_dns(place: &Place) -> String {
    let configuration = place.path("resolv.conf");
    std::fs::write(&configuration, "nameserver 10.78.0.53\n").unwrap();
    format!("mount --bind {configuration} /etc/resolv.conf")
}

pub fn dead_name_servers_cost_names_and_little_time() -> Result<(), Skip> {
    let mut place = Place::new()?;
    let _camera = place.role("10.78.0.10", "camera");
    let _dns = place.role("10.78.0.53", "dns");
    let line = "scan camera.example 10.78.0.10 -p 554 --discovery-time 1s -f json";
    let (code, out, err) = Running::start(&mut place.camscan_after(&with_dead_dns(&place), line)).end();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("'camera.example' cannot be resolved and is left out: no DNS server answered"), "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let camera = device(&report, "10.78.0.10");
    assert_eq!(camera["streams"][0]["status"], "streaming", "{camera:#}");
    assert!(camera["hostname"].is_null());
    let line = "scan camera.example -f json";
    let (code, out, err) = Running::start(&mut place.camscan_after(&with_dead_dns(&place), line)).end();
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("hint: check the spelling, or give the address instead"), "{err}");
    Ok(())
}

/// Eight names would be waited for six seconds, a signal for none.
pub fn names_are_not_waited_for_when_it_is_interrupted() -> Result<(), Skip> {
    let mut place = Place::new()?;
    let server = place.host("10.78.0.53");
    let mut dns = place.role_at(&server, "10.78.0.53", "dns");
    std::fs::write(place.path("report.json"), "old").unwrap();
    let names: String = (0..8).map(|n| format!("camera{n}.example ")).collect();
    for (command, name) in [("scan", "INT"), ("probe", "TERM")] {
        let line = format!("{command} {names} -o report.json");
        let running = Running::start(&mut place.camscan_after(&with_dead_dns(&place), &line));
        dns.wait_for("asked");
        let told = Instant::now();
        running.signal(name);
        let (code, out, err) = running.end();
        assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
        assert_eq!((code, out.as_str()), (Some(130), ""), "{err}");
        assert!(err.contains("interrupted before anything was asked"), "{err}");
        assert_eq!(std::fs::read_to_string(place.path("report.json")).unwrap(), "old");
        // Its last question may be on its way: the next command is told of its own.
        std::thread::sleep(Duration::from_millis(300));
        drop(dns);
        dns = place.role_at(&server, "10.78.0.53", "dns");
    }
    Ok(())
}

/// A disk that fills up while the scan runs: the old report stays, nothing half-written does, and the scan was not for
/// nothing where standard output took it.
pub fn a_full_disk_keeps_the_old_report() -> Result<(), Skip> {
    let mut place = Place::new()?;
    let _camera = place.role("10.78.0.10", "camera");
    std::fs::create_dir(place.folder.path().join("disk")).unwrap();
    let disk = place.path("disk");
    let prepare = format!(
        "mount -t tmpfs -o size=64k tmpfs {disk}\necho old > {disk}/report.json\n\
         cat /dev/zero > {disk}/rest 2>/dev/null || true"
    );
    let camscan = place.path("camscan");
    let script = format!(
        "{prepare}\n{camscan} scan 10.78.0.10 -p 554 --no-dns --discovery-time 1s -o {disk}/report.json -o {disk}/report.html \
         --snapshots {disk}/shots -f json && exit 99 || echo \"code $?\" >&2\n\
         cat {disk}/report.json >&2\nls -A {disk} {disk}/shots >&2"
    );
    let mut command = place.scanner.command("unshare", &["--mount", "sh", "-c", &script]);
    let (_, out, err) = Running::start(command.env("HOME", "/nonexistent")).end();
    let after = err.split("code 1\n").nth(1).unwrap_or_else(|| panic!("{err}"));
    assert_eq!(after, format!("old\n{disk}:\nreport.json\nrest\nshots\n\n{disk}/shots:\n"), "{err}");
    assert!(err.contains("no space left on device\nhint: the disk is full"), "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let stream = &device(&report, "10.78.0.10")["streams"][0];
    assert_eq!(stream["status"], "streaming", "{stream:#}");
    assert!(stream["warnings"].to_string().contains("the snapshot could not be saved"), "{stream:#}");
    Ok(())
}

/// A field of every thread's status, each value once.
fn rights(pid: u32, field: &str) -> Vec<String> {
    let mut values: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok())
        .filter_map(|status| Some(status.lines().find_map(|l| l.strip_prefix(&format!("{field}:")))?.trim().to_owned()))
        .collect();
    values.sort();
    values.dedup();
    values
}

/// Whatever it was started with: while it scans, no thread can do anything special, and yet it scans by raw frames.
pub fn privileges_are_gone_before_anything_is_read() -> Result<(), Skip> {
    let mut place = Place::new()?;
    let _camera = place.role("10.78.0.10", "camera");
    let _silent = place.role("10.78.0.11", "silent");
    let capable = place.path("capable");
    std::fs::copy(place.path("camscan"), &capable).unwrap();
    must(Command::new("setcap").args(["cap_net_raw,cap_net_admin+ep", &capable]));
    std::fs::create_dir(place.path("theirs")).unwrap();
    std::fs::write(place.path("theirs/report.json"), "old").unwrap();
    must(Command::new("chown").args(["-R", NOBODY]).arg(place.path("theirs")));
    must(Command::new("chmod").args(["600"]).arg(place.path("theirs/report.json")));
    let camscan = place.path("camscan");
    let theirs = place.path("theirs/report.json");
    let files = "000000000000000b"; // CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER
    let as_nobody = format!("setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {capable}");
    for (program, output, permitted) in [
        (camscan.as_str(), "", "0000000000000000"),
        (&camscan, theirs.as_str(), files),
        (&as_nobody, "", "0000000000000000"),
        (&as_nobody, &theirs, "0000000000000000"),
    ] {
        let output = if output.is_empty() { String::new() } else { format!("-o {output}") };
        let line = format!(
            "exec {program} scan 10.78.0.0/24 -p 554 --no-dns --timeout 8s --host-timeout 8s -vv -f jsonl --all {output}"
        );
        let mut command = place.scanner.command("sh", &["-ec", &line]);
        let mut running = Running::start(command.env("HOME", "/nonexistent"));
        // The other one is still waited for.
        let camera: Value = serde_json::from_str(&running.wait_for("10.78.0.10")).unwrap();
        let pid = running.child.id();
        for (field, value) in
            [("CapEff", "0000000000000000"), ("CapInh", "0000000000000000"), ("CapAmb", "0000000000000000")]
        {
            assert_eq!(rights(pid, field), [value], "{field} of {line}");
        }
        assert_eq!(rights(pid, "CapPrm"), [permitted], "{line}");
        if program == camscan {
            assert_eq!(
                (rights(pid, "CapBnd"), rights(pid, "NoNewPrivs")),
                (vec!["0000000000000000".into()], vec!["1".into()])
            );
        }
        assert!(std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count() > 1);
        let (code, rest, err) = running.end();
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(camera["discovered_by"], serde_json::json!(["arp"]), "{rest}");
        assert_eq!(camera["mac"], "44:19:b6:00:78:0a");
        for rung in ["no raw frames", "ports are asked by connects", "no ICMP echo"] {
            assert!(!err.contains(rung), "{line}: {err}");
        }
        if !output.is_empty() {
            use std::os::unix::fs::MetadataExt as _;
            let meta = std::fs::metadata(&theirs).unwrap();
            let written: Value = serde_json::from_slice(&std::fs::read(&theirs).unwrap()).unwrap();
            // The camera, the silent one, and the scanner itself.
            assert_eq!(written["devices"].as_array().unwrap().len(), 3);
            assert_eq!((meta.uid().to_string().as_str(), meta.mode() & 0o777), (NOBODY, 0o600), "{line}");
        }
    }
    Ok(())
}

/// Name servers that never answer.
pub fn serve_dns(ip: &str) {
    let ip: IpAddr = ip.parse().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a server in a namespace")]
    let socket = UdpSocket::bind((ip, 53)).unwrap();
    println!("ready");
    while socket.recv_from(&mut [0; 512]).is_ok() {
        println!("asked");
    }
}

/// A camera with one stream.
pub fn serve_camera(ip: &str, fault: Fault) {
    let clip = Clip::h264(include_bytes!("../data/media/camera_h264_1280x720_25fps.h264"), 25.0);
    let camera = Camera::new(ip.parse().unwrap(), 554).stream("/stream1", &Arc::new(clip), None);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _fleet = runtime.block_on(Fleet::start(vec![Camera { fault, ..camera }])).unwrap();
    println!("ready");
    std::thread::sleep(Duration::from_secs(3600));
}
