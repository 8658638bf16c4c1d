//! A network of its own: one namespace per host, joined by a bridge. Nothing of it touches the machine's networks, and
//! nothing of it stays, however the test ends.

use std::cell::RefCell;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::trial::Skip;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// How long the servers may take until they listen, all together.
const PATIENCE: Duration = Duration::from_secs(60);

/// A bridge and the hosts on it. Everything is removed when it is dropped, or when this process is no more.
pub struct Lan {
    id: String,
    /// By address.
    hosts: Vec<(String, Host)>,
    servers: RefCell<Vec<Server>>,
    keeper: Child,
    folder: tempfile::TempDir,
}

/// A host of the network: the name of its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

struct Server {
    name: String,
    log: std::path::PathBuf,
    child: Child,
    host: Host,
    ready: Box<dyn Fn(&Host) -> bool>,
}

/// Waits for the end of its standard input, then ends what runs in the namespaces and removes them and the folder. It is
/// in a session of its own: what is typed to end the tests does not reach it.
const KEEPER: &str = r#"
cat > /dev/null
for name in $(ip netns list | cut -d ' ' -f 1 | grep "^$1-"); do
    for pid in $(ip netns pids "$name"); do kill -9 "$pid" 2> /dev/null; done
    ip netns del "$name"
done
rm -rf "$2"
"#;

impl Lan {
    /// An empty network.
    pub fn new() -> Lan {
        let id = format!("cam{:x}n{}", std::process::id() & 0xfffff, NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::Builder::new().prefix("camscan-lab").tempdir().unwrap();
        // Whoever scans without root must be able to read it.
        must(Command::new("chmod").arg("755").arg(folder.path()).output().unwrap());
        let keeper = Command::new("setsid")
            .args(["sh", "-c", KEEPER, "keeper", &id])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let lan = Lan { id, hosts: Vec::new(), servers: RefCell::default(), keeper, folder };
        must(ip(&["netns", "add", &lan.bridge().0]));
        batch(&lan.bridge(), "link add br0 type bridge\nlink set br0 up\n");
        lan
    }

    /// A folder for the servers' files, removed with the network.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn bridge(&self) -> Host {
        Host(format!("{}-br", self.id))
    }

    /// Adds a host with an address (`10.77.0.10`, of a /24) and a MAC address, and joins it to the bridge.
    pub fn host(&mut self, address: &str, mac: &str) -> Host {
        self.host_in(address, 24, mac)
    }

    /// The same in a network of another size.
    pub fn host_in(&mut self, address: &str, prefix: u8, mac: &str) -> Host {
        let number = self.hosts.len();
        let port = format!("p{number}");
        let host = Host(format!("{}-{number}", self.id));
        self.hosts.push((address.to_owned(), host.clone()));
        must(ip(&["netns", "add", &host.0]));
        let wire = format!("link add {port} type veth peer name eth0 address {mac} netns {}\n", host.0);
        batch(&self.bridge(), &format!("{wire}link set {port} master br0 up\n"));
        // Multicast needs a route in a namespace without a default one.
        let own = format!("link set lo up\naddr add {address}/{prefix} dev eth0\nlink set eth0 up\n");
        batch(&host, &format!("{own}route add 224.0.0.0/4 dev eth0\n"));
        host
    }

    /// Joins two hosts by a wire of their own: an interface of that name on each, with an address (`10.79.0.1/24`).
    pub fn join(&self, one: &Host, other: &Host, name: &str, addresses: [&str; 2]) {
        batch(one, &format!("link add {name} type veth peer name {name} netns {}\n", other.0));
        for (host, address) in [one, other].into_iter().zip(addresses) {
            batch(host, &format!("addr add {address} dev {name}\nlink set {name} up\n"));
        }
    }

    /// Pulls the plug of a host out of the bridge, or puts it in: its interface has no carrier meanwhile.
    pub fn plug(&self, host: &Host, is_in: bool) {
        let number = self.hosts.iter().position(|(_, own)| own == host).unwrap();
        batch(&self.bridge(), &format!("link set p{number} {}\n", if is_in { "up" } else { "down" }));
    }

    /// Of a hundred frames on the wire between a host and the bridge, `percent` are dropped in each direction, whatever sends
    /// and reads them.
    pub fn lose(&self, host: &Host, percent: u32) {
        let number = self.hosts.iter().position(|(_, own)| own == host).unwrap();
        self.bridge().lose(&format!("p{number}"), percent);
    }

    /// The host with an address.
    pub fn host_at(&self, address: &str) -> &Host {
        &self.hosts.iter().find(|(of, _)| of == address).unwrap().1
    }

    /// Starts a server on a host; [`Lan::wait`] waits until `ready` holds. It is ended with the network.
    pub fn serve(&self, host: &Host, program: &str, arguments: &[&str], ready: impl Fn(&Host) -> bool + 'static) {
        let number = self.servers.borrow().len();
        let log = self.folder().join(format!("server-{number}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let child = host
            .command(program, arguments)
            .stdin(Stdio::piped())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|e| panic!("{program} cannot be started: {e}"));
        let server = Server { name: program.to_owned(), log, child, host: host.clone(), ready: Box::new(ready) };
        self.servers.borrow_mut().push(server);
    }

    /// Starts this test program on a host to play a role, as [`Lan::serve`] starts a server.
    pub fn play(&self, host: &Host, role: &str, ready: impl Fn(&Host) -> bool + 'static) {
        let [variable, program] = player(role);
        self.serve(host, "env", &[&variable, &program], ready);
    }

    /// Waits until all servers are ready.
    pub fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        for server in self.servers.borrow_mut().iter_mut() {
            while !(server.ready)(&server.host) {
                let said = || std::fs::read_to_string(&server.log).unwrap_or_default();
                if let Ok(Some(status)) = server.child.try_wait() {
                    panic!("{} ended with {status} before it was ready:\n{}", server.name, said());
                }
                assert!(Instant::now() < deadline, "{} was not ready in time:\n{}", server.name, said());
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for server in self.servers.get_mut() {
            // Our own child, by its id; it may have ended by itself.
            let _ = server.child.kill();
            let _ = server.child.wait();
        }
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

impl Host {
    /// The name of its namespace.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Of a hundred frames on an interface, `percent` are dropped in each direction.
    pub fn lose(&self, interface: &str, percent: u32) {
        let chain = |hook: &str| {
            format!(
                "add chain netdev loss_{interface} {hook} {{ type filter hook {hook} device {interface} priority 0; }}; \
                 add rule netdev loss_{interface} {hook} numgen random mod 100 < {percent} counter drop"
            )
        };
        let rules = format!("add table netdev loss_{interface}; {}; {}", chain("ingress"), chain("egress"));
        must(self.run("nft", &[&rules]));
    }

    /// A command that runs inside the host's namespace, and nowhere else: without the namespace it panics.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        assert!(!self.0.is_empty() && Path::new("/run/netns").join(&self.0).exists(), "no namespace '{}'", self.0);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]).args(arguments);
        // What is typed to end the tests ends them first; what they started ends with them.
        command.process_group(0);
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

/// What `env` needs to start this test program in a role; see `ROLES` in `main.rs`.
pub fn player(role: &str) -> [String; 2] {
    [format!("{}={role}", crate::ROLE), std::env::current_exe().unwrap().display().to_string()]
}

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip").args(arguments).output().unwrap_or_else(|e| panic!("ip: {e}"))
}

/// Commands of `ip` in a namespace, one a line.
fn batch(host: &Host, commands: &str) {
    let mut child = Command::new("ip")
        .args(["-n", &host.0, "-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("ip: {e}"));
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    must(child.wait_with_output().unwrap());
}

fn must(output: Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// That this machine lets the lab run, with these programs installed. Where the lab is obligatory (`CAMSCAN_LAB=required`)
/// it panics instead of skipping.
pub fn need(programs: &[&str]) -> Result<(), Skip> {
    static NAMESPACES: OnceLock<Result<(), String>> = OnceLock::new();
    NAMESPACES.get_or_init(can_make_namespaces).clone().or_else(|why| skip(&why))?;
    let missing = programs.iter().chain(&["ss", "setsid"]).find(|program| !is_installed(program));
    missing.map_or(Ok(()), |program| skip(&format!("{program} is not installed")))
}

/// Skips the test, or panics where the lab is obligatory.
pub fn skip(why: &str) -> Result<(), Skip> {
    assert!(std::env::var("CAMSCAN_LAB").as_deref() != Ok("required"), "the lab is obligatory here, but {why}");
    Err(Skip(why.to_owned()))
}

fn can_make_namespaces() -> Result<(), String> {
    if !is_root() {
        return Err("making network namespaces needs root".to_owned());
    }
    let name = format!("camscan-{}-probe", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &name]).output().map_err(|e| format!("ip: {e}"))?;
    if !made.status.success() {
        return Err(format!("no namespace can be made: {}", String::from_utf8_lossy(&made.stderr).trim()));
    }
    must(ip(&["netns", "del", &name]));
    Ok(())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0"))
}

pub fn is_installed(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(program).exists())
}
