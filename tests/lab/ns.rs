//! A network of its own: one namespace per host, joined by a bridge. Nothing of it touches the machine's networks.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A bridge and the hosts on it. Everything is removed when it is dropped.
pub struct Lan {
    id: String,
    hosts: Vec<String>,
    servers: Vec<Server>,
}

/// A host of the network: the name of its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

struct Server {
    name: String,
    child: Child,
}

impl Lan {
    /// An empty network.
    pub fn new() -> Lan {
        let id = format!("cam{:x}n{}", std::process::id() & 0xfffff, NEXT.fetch_add(1, Ordering::Relaxed));
        let lan = Lan { id: id.clone(), hosts: vec![format!("{id}-br")], servers: Vec::new() };
        must(ip(&["netns", "add", &format!("{id}-br")]));
        let bridge = Host(format!("{id}-br"));
        must(bridge.run("ip", &["link", "add", "br0", "type", "bridge"]));
        must(bridge.run("ip", &["link", "set", "br0", "up"]));
        lan
    }

    /// Adds a host with an address (`10.77.0.10/24`) and a MAC address, and joins it to the bridge.
    pub fn host(&mut self, address: &str, mac: &str) -> Host {
        let number = self.hosts.len();
        let name = format!("{}-{number}", self.id);
        let port = format!("p{number}");
        must(ip(&["netns", "add", &name]));
        self.hosts.push(name.clone());
        let bridge = Host(format!("{}-br", self.id));
        let host = Host(name);
        must(bridge.run(
            "ip",
            &["link", "add", &port, "type", "veth", "peer", "name", "eth0", "address", mac, "netns", &host.0],
        ));
        must(bridge.run("ip", &["link", "set", &port, "master", "br0", "up"]));
        must(host.run("ip", &["link", "set", "lo", "up"]));
        must(host.run("ip", &["addr", "add", address, "dev", "eth0"]));
        must(host.run("ip", &["link", "set", "eth0", "up"]));
        // Multicast needs a route in a namespace without a default one.
        must(host.run("ip", &["route", "add", "224.0.0.0/4", "dev", "eth0"]));
        host
    }

    /// Starts a server on a host and waits until `ready` holds, at most 20 s. It is ended with the network.
    pub fn serve(&mut self, host: &Host, program: &str, arguments: &[&str], ready: impl Fn(&Host) -> bool) {
        let child = host
            .command(program, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{program} cannot be started: {e}"));
        self.servers.push(Server { name: program.to_owned(), child });
        let deadline = Instant::now() + Duration::from_secs(20);
        while !ready(host) {
            let server = self.servers.last_mut().expect("it was pushed just now");
            if let Ok(Some(status)) = server.child.try_wait() {
                assert!(status.success(), "{} ended with {status} before it was ready", server.name);
            }
            assert!(Instant::now() < deadline, "{program} was not ready in time");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // Our own child, by its id; it may have ended by itself.
            let _ = server.child.kill();
            let _ = server.child.wait();
        }
        for name in self.hosts.iter().rev() {
            // What a server left running in the namespace ends with it.
            if let Ok(pids) = Command::new("ip").args(["netns", "pids", name]).output() {
                for pid in String::from_utf8_lossy(&pids.stdout).split_whitespace() {
                    let _ = Command::new("kill").args(["-9", pid]).output();
                }
            }
            let _ = ip(&["netns", "del", name]);
        }
    }
}

impl Host {
    /// A command that runs inside the host's namespace, and nowhere else: without the namespace it panics.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        assert!(!self.0.is_empty() && Path::new("/run/netns").join(&self.0).exists(), "no namespace '{}'", self.0);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]).args(arguments);
        command
    }

    /// Runs a command inside the namespace to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program, arguments).stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{program}: {e}"))
    }

    /// Whether something listens on a TCP port of the host.
    pub fn listens_tcp(&self, port: u16) -> bool {
        self.listens("-ltn", port)
    }

    /// Whether something is bound to a UDP port of the host.
    pub fn listens_udp(&self, port: u16) -> bool {
        self.listens("-lun", port)
    }

    fn listens(&self, what: &str, port: u16) -> bool {
        let sockets = self.run("ss", &["-H", what]);
        String::from_utf8_lossy(&sockets.stdout)
            .lines()
            .filter_map(|line| line.split_whitespace().nth(3))
            .any(|local| local.ends_with(&format!(":{port}")))
    }
}

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip").args(arguments).output().unwrap_or_else(|e| panic!("ip: {e}"))
}

fn must(output: Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Whether the lab can run. Where it is obligatory (`CAMSCAN_LAB=required`), it panics instead of saying no.
pub fn possible(programs: &[&str]) -> bool {
    let why = if !is_root() {
        Some("it needs root to make network namespaces".to_owned())
    } else {
        programs.iter().chain(&["ip", "ss"]).find(|p| !is_installed(p)).map(|p| format!("{p} is not installed"))
    };
    let Some(why) = why else { return true };
    assert!(std::env::var("CAMSCAN_LAB").as_deref() != Ok("required"), "the lab is obligatory here, but {why}");
    println!("skipped: {why}");
    false
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0"))
}

fn is_installed(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(program).exists())
}
