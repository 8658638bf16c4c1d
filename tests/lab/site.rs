//! The first hour on site: cameras of four makers at their factory addresses, in a subnet the scanner has no address in,
//! three of them at one. They have no route to the scanner, and answer as their kernel lets them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ns::{Host, need};
use crate::trial::Skip;
use crate::{Lab, PYTHON, script};

/// Maker, address, MAC address, last digits of the serial number, UDP port.
const CAMERAS: [(&str, &str, &str, &str, u16); 6] = [
    ("hikvision", "192.168.1.64", "44:19:b6:00:00:64", "0064", 37020),
    ("dahua", "192.168.1.108", "3c:ef:8c:00:00:01", "0001", 37810),
    ("dahua", "192.168.1.108", "3c:ef:8c:00:00:02", "0002", 37810),
    ("dahua", "192.168.1.108", "3c:ef:8c:00:00:03", "0003", 37810),
    ("xiongmai", "192.168.1.10", "00:12:12:00:00:10", "0010", 34569),
    ("foscam", "192.168.0.178", "00:62:6e:00:00:78", "0078", 10000),
];

pub fn cameras_at_factory_addresses_are_listed_and_left_alone() -> Result<(), Skip> {
    need(&[PYTHON, "nft", "sysctl", "setpriv"])?;
    let mut lab = Lab::new();
    let cameras: Vec<Host> = CAMERAS.iter().map(|camera| start(&mut lab, camera)).collect();
    lab.lan.wait();
    let scanner = lab.scanner.clone();
    witness(&scanner, "inet", "output", "ip daddr != { 10.77.0.0/24, 224.0.0.0/4, 255.255.255.255 } meta oifname eth0");
    let all: BTreeSet<String> = CAMERAS.iter().map(|(_, ip, mac, ..)| format!("{ip} {mac}")).collect();
    let mut wrong = Vec::new();
    // The kernel drops what comes from addresses it has no route to, unless it is told not to or has a default route.
    for (level, default_route, as_root, is_hidden) in [
        (0, false, true, false),
        (1, false, true, false),
        (2, false, true, false),
        (0, false, false, false),
        (1, false, false, true),
        (2, false, false, true),
        (1, true, false, false),
    ] {
        let name = format!("rp_filter {level}, default route {default_route}, root {as_root}");
        set_check(&scanner, level);
        if default_route {
            assert!(scanner.run("ip", &["route", "add", "default", "via", "10.77.0.254"]).status.success());
        }
        let said = lab.camscan(as_root, &["scan", "10.77.0.0/29", "--no-dns", "-f", "json"]);
        let report = said.json(0);
        let found: BTreeSet<String> =
            devices(&report).map(|d| format!("{} {}", text(&d["ip"]), text(&d["mac"]))).collect();
        let expected = if is_hidden { BTreeSet::new() } else { all.clone() };
        if found != expected {
            wrong.push(format!("{name}: {found:?} instead of {expected:?}\n{}", said.log));
        }
        let notes = report["scan"]["coverage"]["notes"].to_string();
        if notes.contains("rp_filter") != is_hidden {
            wrong.push(format!("{name}: the coverage says {notes}"));
        }
        wrong.extend(devices(&report).flat_map(misjudged).map(|what| format!("{name}: {what}")));
    }
    let sent = counted(&scanner, "inet");
    if sent != [0] {
        wrong.push(format!("{sent:?} packets were sent to other subnets"));
    }
    for (host, camera) in cameras.iter().zip(CAMERAS) {
        let received = [counted(host, "inet"), counted(host, "arp")];
        if received != [[0], [0]] {
            wrong.push(format!("{camera:?} received {received:?} packets that were for it alone, or asked for it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A camera and the count of what is sent to it alone.
fn start(lab: &mut Lab, (maker, ip, mac, number, port): &(&str, &str, &str, &str, u16)) -> Host {
    let host = lab.lan.host(ip, mac);
    // It hears who asks from another subnet, as it comes from its maker.
    set_check(&host, 0);
    witness(&host, "inet", "input", &format!("ip daddr {ip}"));
    witness(&host, "arp", "input", "arp saddr ip 10.77.0.1 arp daddr ip 192.168.0.0/16");
    let port = *port;
    let program = script("factory_camera.py");
    lab.lan.serve(&host, PYTHON, &[&program, maker, ip, mac, number], move |host| host.listens_udp(port));
    host
}

fn set_check(host: &Host, level: u8) {
    for of in ["all", "eth0"] {
        let setting = format!("net.ipv4.conf.{of}.rp_filter={level}");
        assert!(host.run("sysctl", &["-qw", &setting]).status.success(), "{setting}");
    }
}

/// Counts the packets of a host that a rule is about.
fn witness(host: &Host, family: &str, hook: &str, rule: &str) {
    let rules = format!(
        "add table {family} witness; add chain {family} witness seen {{ type filter hook {hook} priority 0; }}; \
         add rule {family} witness seen {rule} counter"
    );
    let done = host.run("nft", &[&rules]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn counted(host: &Host, family: &str) -> Vec<u64> {
    let rules = host.run("nft", &["-j", "list", "table", family, "witness"]);
    let rules: Value = serde_json::from_slice(&rules.stdout).unwrap();
    let rules = rules["nftables"].as_array().unwrap().iter().filter_map(|entry| entry["rule"]["expr"].as_array());
    rules.flatten().filter_map(|part| part["counter"]["packets"].as_u64()).collect()
}

fn devices(report: &Value) -> impl Iterator<Item = &Value> {
    report["devices"].as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What is wrong with a camera that was found.
fn misjudged(found: &Value) -> Vec<String> {
    let ip = text(&found["ip"]);
    let warned: Vec<&str> = found["warnings"].as_array().into_iter().flatten().map(|w| text(&w["kind"])).collect();
    let is_new = ["192.168.1.64", "192.168.1.108"].contains(&ip);
    let mut wrong = Vec::new();
    let mut expect = |what: &str, holds: bool| {
        if !holds {
            wrong.push(format!("{ip}: {what}: {found:#}"));
        }
    };
    expect("is in another subnet", found["reach"] == "other_subnet" && found["heard_on"] == "eth0");
    expect("tells its mask", found["network"]["netmask"] == "255.255.255.0");
    expect("is a camera", found["kind"] == "camera");
    expect("was told by its maker's discovery", found["discovered_by"].to_string().contains("beacon"));
    expect("may be new", (found["activation"] == json!("not_activated")) == is_new);
    expect("may share its address", warned.contains(&"address_conflict") == (ip == "192.168.1.108"));
    expect("has the way there", found["warnings"].to_string().contains("sudo ip addr add"));
    expect(
        "was not inspected",
        found["services"].as_array().unwrap().iter().all(|s| s["transport"] == "udp" || s["auth"].is_null()),
    );
    wrong
}
