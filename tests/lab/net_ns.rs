//! Raw frames, neighbour tables and sweeps on real kernels: each test makes network namespaces of its own, joined by
//! veth pairs, and every packet stays in them.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use camscan::identify::signature::Signatures;
use camscan::model::{FindingKind, HostTarget, KnownHosts, Method, PortList, ProbeOptions, ScanPlan, TargetSet};
use camscan::net::link::LinkKind;
use camscan::net::pace::Pace;
use camscan::net::{Dialer, Links, Net, RealNet, Streams};
use camscan::probe::{Budget, DiscoveryContext, Finder, Inspection, Peer, PortProber, Record};
use camscan::protocol::PROTOCOLS;
use camscan::protocol::tcp::ports::open_ports;
use camscan::protocol::tcp::syn::SynScanner;
use camscan::testkit::plan::plan_for;
use tokio::sync::mpsc;

use crate::ns;
use crate::trial::Skip;

/// A network namespace that is gone when the test is.
struct Namespace(String);

impl Namespace {
    fn new() -> Result<Namespace, Skip> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        ns::need(&["setpriv"])?;
        let name = format!("camscan-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        assert!(Command::new("ip").args(["netns", "add", &name]).status().unwrap().success());
        let namespace = Namespace(name);
        namespace.run("ip link set lo up");
        Ok(namespace)
    }

    /// A command that will run inside, and nowhere else: `ip netns exec` fails when the namespace is not there.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Runs a command inside to its end.
    fn run(&self, line: &str) {
        let mut words = line.split_whitespace();
        let done: Output = self.command(words.next().unwrap()).args(words).output().unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// This test program again, inside, playing a role; optionally as somebody without any privilege.
    fn play(&self, role: &str, privileged: bool) -> Command {
        let mut command = self.command("env");
        let [variable, program] = ns::player(role);
        command.arg(variable);
        if !privileged {
            command.args(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--clear-groups"]);
        }
        command.arg(program);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Two namespaces on one wire: the scanner's at 10.99.0.1/16, and the other's, whose interface is `wire` too.
fn wire() -> Result<(Namespace, Namespace), Skip> {
    let (scanner, others) = (Namespace::new()?, Namespace::new()?);
    scanner.run(&format!("ip link add wire type veth peer name wire netns {}", others.0));
    scanner.run("ip addr add 10.99.0.1/16 dev wire");
    scanner.run("ip link set wire up");
    others.run("ip link set wire up");
    // The wire is up when both ends are.
    std::thread::sleep(Duration::from_millis(100));
    Ok((scanner, others))
}

/// A role that runs until it is dropped.
struct Running(Child);

impl Running {
    /// Starts it and waits until it says that it is ready.
    fn start(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("ready")));
        std::thread::spawn(move || lines.for_each(drop));
        Running(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a sweep found.
#[derive(Debug, Default)]
struct Found {
    seen: Vec<(IpAddr, String)>,
    macs: Vec<(IpAddr, String)>,
    warnings: Vec<String>,
    took: Duration,
}

impl Found {
    fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<IpAddr> = self.seen.iter().map(|(ip, _)| *ip).collect();
        hosts.sort();
        hosts.dedup();
        hosts.iter().map(IpAddr::to_string).collect()
    }
}

/// Runs a sweep inside the namespace: `targets` as `first-last` or `link`, `methods` joined by `+`.
fn sweep(namespace: &Namespace, targets: &str, methods: &str, privileged: bool) -> Found {
    let done = namespace.play(&format!("sweep {targets} {methods}"), privileged).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut found = Found::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["seen", ip, method] => found.seen.push((ip.parse().unwrap(), method.to_owned())),
            ["mac", ip, mac] => found.macs.push((ip.parse().unwrap(), mac.to_owned())),
            ["took", ms] => found.took = Duration::from_millis(ms.parse().unwrap()),
            ["warning", ..] => found.warnings.push(line.to_owned()),
            _ => {}
        }
    }
    assert!(done.status.success() && text.contains("took "), "{text}");
    found
}

pub fn arp_finds_each_host_of_a_network_and_nobody_else() -> Result<(), Skip> {
    let (scanner, others) = wire()?;
    let _responder = Running::start(others.play("answer-arp every 50", true));
    let found = sweep(&scanner, "10.99.0.1-10.99.0.254", "arp+tcp", true);
    let expected = ["10.99.0.1", "10.99.0.50", "10.99.0.100", "10.99.0.150", "10.99.0.200", "10.99.0.250"];
    assert_eq!(found.hosts(), expected, "{found:?}");
    assert!(found.seen.iter().all(|(_, method)| method == "arp"));
    assert!(found.macs.contains(&("10.99.0.50".parse().unwrap(), "02:aa:0a:63:00:32".to_owned())), "{found:?}");
    assert_eq!(found.warnings, [""; 0]);
    Ok(())
}

pub fn without_privilege_the_kernel_finds_the_same_hosts() -> Result<(), Skip> {
    let (scanner, others) = wire()?;
    let _responder = Running::start(others.play("answer-arp every 50", true));
    let found = sweep(&scanner, "10.99.0.1-10.99.0.254", "arp+tcp", false);
    let expected = ["10.99.0.1", "10.99.0.50", "10.99.0.100", "10.99.0.150", "10.99.0.200", "10.99.0.250"];
    assert_eq!(found.hosts(), expected, "{found:?}");
    assert!(found.macs.contains(&("10.99.0.50".parse().unwrap(), "02:aa:0a:63:00:32".to_owned())), "{found:?}");
    assert!(found.warnings.iter().any(|w| w.contains("setcap cap_net_raw+ep")), "{found:?}");
    Ok(())
}

pub fn a_router_that_answers_for_everybody_is_no_network_full_of_hosts() -> Result<(), Skip> {
    let (scanner, others) = wire()?;
    let _responder = Running::start(others.play("answer-arp proxy 1", true));
    let found = sweep(&scanner, "10.99.7.1-10.99.7.254", "arp+tcp", true);
    assert!(found.hosts().len() <= 1, "{found:?}");
    assert!(found.warnings.iter().any(|w| w.contains("answers ARP")), "{found:?}");
    Ok(())
}

pub fn a_large_network_is_swept_without_losing_a_host() -> Result<(), Skip> {
    let (scanner, others) = wire()?;
    let _responder = Running::start(others.play("answer-arp every 55", true));
    let found = sweep(&scanner, "10.99.0.1-10.99.255.254", "arp", true);
    println!("{} hosts of 65,534 addresses in {:?}", found.hosts().len(), found.took);
    // Every 55th number from 55 to 65,534, and the scanner itself.
    assert_eq!(found.hosts().len(), 65_534 / 55 + 1);
    Ok(())
}

/// Networks behind the others: 10.98.0.0/24 with two hosts, which answer to echo and refuse connects.
fn routed() -> Result<(Namespace, Namespace), Skip> {
    let (scanner, others) = wire()?;
    scanner.run("ip route add 10.98.0.0/24 via 10.99.0.2");
    for address in ["10.99.0.2/16 dev wire", "10.98.0.5/32 dev lo", "10.98.0.77/32 dev lo"] {
        others.run(&format!("ip addr add {address}"));
    }
    Ok((scanner, others))
}

pub fn hosts_behind_a_router_answer_to_echo() -> Result<(), Skip> {
    let (scanner, _others) = routed()?;
    let found = sweep(&scanner, "10.98.0.1-10.98.0.254", "arp+icmp", true);
    assert_eq!(found.hosts(), ["10.98.0.5", "10.98.0.77"], "{found:?}");
    assert!(found.seen.iter().all(|(_, method)| method == "icmp"), "{found:?}");
    Ok(())
}

pub fn hosts_behind_a_router_are_found_by_their_refusals_without_any_privilege() -> Result<(), Skip> {
    let (scanner, _others) = routed()?;
    let found = sweep(&scanner, "10.98.0.1-10.98.0.254", "arp+icmp+tcp", false);
    assert_eq!(found.hosts(), ["10.98.0.5", "10.98.0.77"], "{found:?}");
    assert!(found.seen.iter().all(|(_, method)| method == "tcp"), "{found:?}");
    Ok(())
}

pub fn ipv6_hosts_of_the_link_answer_together() -> Result<(), Skip> {
    let (scanner, others) = wire()?;
    // Their addresses are theirs when nobody has objected for a second or two (RFC 4862).
    std::thread::sleep(Duration::from_millis(2500));
    let theirs = others.command("ip").args(["-6", "-br", "addr", "show", "dev", "wire"]).output().unwrap();
    let theirs = String::from_utf8_lossy(&theirs.stdout).into_owned();
    let theirs = theirs.split_whitespace().find_map(|w| w.split_once('/')).unwrap().0.to_owned();
    let found = sweep(&scanner, "link", "icmp", true);
    assert_eq!(found.hosts(), [theirs], "{found:?}");
    assert_eq!(found.macs.len(), 1, "{found:?}");
    Ok(())
}

pub fn a_neighbour_that_has_left_is_not_found_because_it_is_remembered() -> Result<(), Skip> {
    let (scanner, others) = wire()?;
    let _responder = Running::start(others.play("answer-arp every 50", true));
    // Somebody who was here once: the kernel remembers, and nobody answers.
    scanner.run("ip neigh add 10.99.0.7 lladdr 02:cc:00:00:00:07 dev wire nud stale");
    let found = sweep(&scanner, "10.99.0.2-10.99.0.60", "arp+tcp", false);
    assert_eq!(found.hosts(), ["10.99.0.50"], "{found:?}");
    Ok(())
}

pub fn a_link_for_tcp_answers_hears_those_to_its_port_alone() -> Result<(), Skip> {
    let (scanner, others) = wire()?;
    others.run("ip addr add 10.99.0.2/16 dev wire");
    let _listener = Running::start(others.play("listen 554", true));
    let done = scanner.play("ask-by-syn", true).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let answers: Vec<&str> = text.lines().filter(|l| l.starts_with("answer")).collect();
    // 554 takes the connection (SYN and ACK), 555 refuses it (RST and ACK); what was asked from another port is unheard.
    assert_eq!(answers, ["answer 554 12", "answer 555 14"], "{text}");
    Ok(())
}

/// What a scan of ports said: of how many hosts, and how many of their ports were what; how the hosts were asked.
fn scan_ports(namespace: &Namespace, hosts: u8, ports: &str, privileged: bool) -> Vec<String> {
    let done = namespace.play(&format!("scan-ports {hosts} {ports}"), privileged).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && text.contains("took "), "{text}");
    text.lines().filter(|l| l.starts_with("took")).for_each(|l| println!("{l}, privileged: {privileged}"));
    text.lines().filter(|l| l.starts_with("ports")).map(str::to_owned).collect()
}

/// A wire with 10.99.1.1 and so on at its other end; they listen on 554, and drop what comes to 443.
fn served(hosts: u8) -> Result<(Namespace, Namespace, Running), Skip> {
    let (scanner, others) = wire()?;
    for host in 1..=hosts {
        others.run(&format!("ip addr add 10.99.1.{host}/16 dev wire"));
    }
    // Neither SYN and ACK nor RST find the way back.
    others.run("ip rule add sport 443 blackhole");
    let listener = Running::start(others.play("listen 554", true));
    Ok((scanner, others, listener))
}

pub fn both_rungs_say_the_same_of_ports() -> Result<(), Skip> {
    let (scanner, others, _listener) = served(1)?;
    let same = "open [554] refused [80, 8554] silent [443] any false";
    let ports = "554,80,443,8554,9100";
    assert_eq!(scan_ports(&scanner, 1, ports, true), [format!("ports of 10.99.1.1 by frames: {same}")]);
    // The scanner's kernel has reset what was offered: no connection is left half open (03, SYN_RECV).
    let table = others.command("cat").arg("/proc/net/tcp").output().unwrap();
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    let states: Vec<&str> = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(3)).collect();
    assert!(states.contains(&"0A") && !states.contains(&"03"), "{table}");
    assert_eq!(scan_ports(&scanner, 1, ports, false), [format!("ports of 10.99.1.1 by connects: {same}")]);
    Ok(())
}

pub fn both_rungs_see_through_a_host_that_takes_any_port() -> Result<(), Skip> {
    let (scanner, others, _listener) = served(1)?;
    let redirect = "add table ip any; add chain ip any in { type nat hook prerouting priority -100; }; \
                    add rule ip any in tcp dport 1-65535 redirect to :554";
    if !others.command("nft").arg(redirect).status().is_ok_and(|s| s.success()) {
        return ns::skip("no nft redirects ports");
    }
    let ports = (8000..8060).map(|p| p.to_string()).collect::<Vec<_>>().join(",");
    for privileged in [true, false] {
        let said = scan_ports(&scanner, 1, &ports, privileged);
        assert!(said.len() == 1 && said[0].ends_with("any true"), "{said:?}");
    }
    Ok(())
}

pub fn two_hundred_hosts_are_asked_side_by_side() -> Result<(), Skip> {
    let (scanner, _others, _listener) = served(200)?;
    let said = scan_ports(&scanner, 200, "554,80,443,8000,8554,37777,34567,8080,81,88,8899,10554", true);
    assert_eq!(said.len(), 200);
    let same = "open [554] refused [80, 81, 88, 8000, 8080, 8554, 8899, 10554, 34567, 37777] silent [443] any false";
    assert!(said.iter().all(|line| line.ends_with(&format!("by frames: {same}"))), "{said:?}");
    Ok(())
}

/// Plays a role of the tests above; none when there is no such role.
pub fn play(role: &[&str]) -> Option<()> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match *role {
        ["answer-arp", how, every] => runtime.block_on(answer_arp(how == "proxy", every.parse().unwrap())),
        ["listen", port] => listen(port.parse().unwrap()),
        ["scan-ports", hosts, ports] => {
            let ports = ports.split(',').map(|p| p.parse().unwrap()).collect();
            runtime.block_on(run_port_scan(hosts.parse().unwrap(), ports));
        }
        ["ask-by-syn"] => runtime.block_on(ask_by_syn()),
        ["sweep", targets, methods] => runtime.block_on(run_sweep(targets, methods)),
        _ => return None,
    }
    Some(())
}

/// Answers ARP for every `every`th address of the network, each with a MAC of its own; as a proxy, with one for all.
async fn answer_arp(proxy: bool, every: u16) {
    let net = RealNet::new();
    // The interface needs no address to answer, but to be listed.
    let set = Command::new("ip").args(["addr", "add", "10.99.255.255/32", "dev", "wire"]).status().unwrap();
    assert!(set.success());
    let wire = net.interfaces().unwrap().into_iter().find(|i| i.name == "wire").unwrap();
    let link = net.link(&wire, LinkKind::Arp).unwrap();
    println!("ready");
    let mut replies: Vec<Vec<u8>> = Vec::new();
    loop {
        link.receive(&mut |frame| {
            let number = u16::from_be_bytes([frame[40], frame[41]]);
            if frame[21] != 1 || number == 1 || number % every != 0 {
                return;
            }
            let ip = &frame[38..42];
            let mac = if proxy { [2, 0xbb, 0, 0, 0, 1] } else { [2, 0xaa, ip[0], ip[1], ip[2], ip[3]] };
            let mut reply = frame[..42].to_vec();
            reply[..6].copy_from_slice(&frame[6..12]);
            reply[6..12].copy_from_slice(&mac);
            reply[21] = 2;
            reply[22..28].copy_from_slice(&mac);
            reply[28..32].copy_from_slice(ip);
            reply[32..42].copy_from_slice(&frame[22..32]);
            replies.push(reply);
        })
        .await
        .unwrap();
        let mut sent = 0;
        while sent < replies.len() {
            let rest: Vec<&[u8]> = replies[sent..].iter().map(Vec::as_slice).collect();
            sent += link.send(&rest).unwrap_or(0);
        }
        replies.clear();
    }
}

fn listen(port: u16) {
    let listener = std::net::TcpListener::bind(("0.0.0.0", port)).unwrap();
    println!("ready");
    listener.incoming().for_each(drop);
}

/// Sends SYNs from two ports to an open and a closed one, and prints what a link for one of the two ports hears.
async fn ask_by_syn() {
    let net = RealNet::new();
    let wire = net.interfaces().unwrap().into_iter().find(|i| i.name == "wire").unwrap();
    // A connect makes the kernel ask who 10.99.0.2 is.
    assert!(net.connect("10.99.0.2:1".parse().unwrap()).await.is_err());
    let table = net.neighbours().await.unwrap();
    let mac = table.iter().find(|n| n.ip.to_string() == "10.99.0.2").unwrap().mac;
    let link = net.link(&wire, LinkKind::TcpAnswers { port: 20_554 }).unwrap();
    let frames: Vec<Vec<u8>> = [(20_555, 554), (20_555, 555), (20_554, 554), (20_554, 555)]
        .map(|(from, to)| syn((wire.mac.unwrap().0, from), (mac.0, to)))
        .to_vec();
    let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    assert_eq!(link.send(&frames).unwrap(), 4);
    let mut answers = Vec::new();
    let mut take = |frame: &[u8]| {
        let tcp = pnet::packet::tcp::TcpPacket::new(&frame[34..]).unwrap();
        answers.push(format!("answer {} {:x}", tcp.get_source(), tcp.get_flags()));
    };
    let until = tokio::time::Instant::now() + Duration::from_millis(500);
    while tokio::time::timeout_at(until, link.receive(&mut take)).await.is_ok() {}
    answers.sort();
    answers.dedup();
    answers.iter().for_each(|answer| println!("{answer}"));
}

/// A SYN from 10.99.0.1 to 10.99.0.2.
fn syn((own_mac, from): ([u8; 6], u16), (mac, to): ([u8; 6], u16)) -> Vec<u8> {
    use pnet::packet::{ethernet, ip, ipv4, tcp};
    let (source, destination) = ([10, 99, 0, 1].into(), [10, 99, 0, 2].into());
    let mut frame = vec![0; 54];
    let mut layer = ethernet::MutableEthernetPacket::new(&mut frame).unwrap();
    layer.set_source(own_mac.into());
    layer.set_destination(mac.into());
    layer.set_ethertype(ethernet::EtherTypes::Ipv4);
    let mut layer = ipv4::MutableIpv4Packet::new(&mut frame[14..]).unwrap();
    layer.set_version(4);
    layer.set_header_length(5);
    layer.set_total_length(40);
    layer.set_ttl(64);
    layer.set_next_level_protocol(ip::IpNextHeaderProtocols::Tcp);
    layer.set_source(source);
    layer.set_destination(destination);
    let sum = ipv4::checksum(&layer.to_immutable());
    layer.set_checksum(sum);
    let mut layer = tcp::MutableTcpPacket::new(&mut frame[34..]).unwrap();
    layer.set_source(from);
    layer.set_destination(to);
    layer.set_data_offset(5);
    layer.set_flags(tcp::TcpFlags::SYN);
    layer.set_window(1024);
    let sum = tcp::ipv4_checksum(&layer.to_immutable(), &source, &destination);
    layer.set_checksum(sum);
    frame
}

/// Asks the ports of 10.99.1.1 and so on, all hosts at once; by frames where the right is had.
async fn run_port_scan(hosts: u8, ports: PortList) {
    let net: Arc<dyn Net> = RealNet::new();
    let interfaces = net.interfaces().unwrap();
    let pace = Arc::new(Pace::new(None));
    let dialer = Arc::new(Dialer::new(net.clone(), pace.clone(), 4096, 4));
    let scanner = SynScanner::start(net.as_ref(), &interfaces, &pace).ok();
    if let Some(scanner) = &scanner {
        // As many hosts share one wire, so do they one MAC address.
        let _ = net.connect("10.99.1.1:1".parse().unwrap()).await;
        let table = net.neighbours().await.unwrap();
        let mac = table.iter().find(|n| n.ip.to_string() == "10.99.1.1").unwrap().mac;
        (1..=hosts).for_each(|host| scanner.note_station([10, 99, 1, host].into(), mac));
    }
    let how = if scanner.is_some() { "frames" } else { "connects" };
    let scanner = scanner.map(|s| -> Arc<dyn PortProber> { s });
    let began = Instant::now();
    let asked = (1..=hosts).map(|number| {
        let options = Arc::new(ProbeOptions::default());
        let ip: IpAddr = [10, 99, 1, number].into();
        let peer = Peer::new(ip, dialer.clone());
        let budget = Budget::new(None, jiff::Timestamp::now);
        let record = Record::new(ip, options.clone(), &KnownHosts::default(), &budget);
        let mut host = Inspection::new(peer, options, record, Arc::new(Signatures::default()), mpsc::channel(1).0);
        host.peer.deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        host.ports = scanner.clone();
        let ports = ports.clone();
        async move {
            let (open, mut told) = mpsc::channel(64);
            let telling = async { while told.recv().await.is_some() {} };
            (ip, tokio::join!(open_ports(&host, &ports, open), telling).0)
        }
    });
    let said = futures::future::join_all(asked).await;
    let took = began.elapsed();
    for (ip, mut o) in said {
        for ports in [&mut o.open, &mut o.refused, &mut o.timed_out] {
            ports.sort_unstable();
        }
        let ports = format!("open {:?} refused {:?} silent {:?}", o.open, o.refused, o.timed_out);
        println!("ports of {ip} by {how}: {ports} any {}", o.takes_any_port);
    }
    println!("took {} ms for {hosts} hosts", took.as_millis());
}

async fn run_sweep(targets: &str, methods: &str) {
    // Without a range: whoever speaks IPv6 on the link.
    let range = targets.split_once('-').map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap()));
    let mut targets = TargetSet::new(vec![], range, Vec::<HostTarget>::new(), &[]);
    targets.link_local_v6 = range.is_none();
    let methods = methods.split('+').map(|m| Method::from_name(m).unwrap()).collect();
    let probe = ProbeOptions { ports: vec![554, 80, 8554], ..ProbeOptions::default() };
    let plan = ScanPlan { methods, probe, ..plan_for(targets) };
    let (context, mut heard, mut said) = DiscoveryContext::for_test(RealNet::new(), plan);
    let began = Instant::now();
    let printing = tokio::spawn(async move {
        while let Some(finding) = heard.recv().await {
            match finding.kind {
                FindingKind::Seen(method) => println!("seen {} {}", finding.ip, method.as_str()),
                FindingKind::Mac(mac) => println!("mac {} {mac}", finding.ip),
                _ => {}
            }
        }
    });
    let finders = PROTOCOLS.iter().filter_map(|rows| rows.finder);
    let chosen = finders.filter(|finder| context.plan.methods.contains(&finder.method));
    let outcomes = futures::future::join_all(chosen.map(|finder: Finder| (finder.find)(&context))).await;
    let took = began.elapsed();
    drop(context);
    printing.await.unwrap();
    while let Some(warning) = said.recv().await {
        println!("warning {}", warning.replace('\n', " "));
    }
    println!("{outcomes:?}");
    println!("took {}", took.as_millis());
}
