//! `camscan watch` while whole networks fall silent, by what still answers: this machine's link, the gateway, another host, some
//! cameras or none; with one network and with two. Every row has namespaces of its own, and all happen side by side.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Lab;
use crate::notify::Running;
use crate::ns::{Host, need};
use crate::trial::Skip;
use crate::watch::{Watching, must, short};

/// What becomes of a part of a site.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// There is none.
    Absent,
    /// It stays.
    Stays,
    /// It is unplugged with the cameras.
    Goes,
}
use Part::{Absent, Goes, Stays};

/// Where a second network is.
#[derive(Clone, Copy, PartialEq)]
enum Second {
    None,
    /// On an interface of the scanner's own, whose link stays or goes; and whether its cameras do.
    OnLink(Part, Part),
    /// Behind the gateway, and whether the line to its cameras goes.
    Routed(Part),
}

struct Row {
    name: &'static str,
    link: Part,
    gateway: Part,
    host: Part,
    /// How many cameras there are, and how many of them go.
    cameras: (u8, u8),
    second: Second,
    /// What is sent, and the words by which it is known.
    told: &'static [(&'static str, &'static str)],
}

const LOST: &str = "subnet.unreachable";
const OFFLINE: &str = "device.offline";

const ROWS: [Row; 15] = [
    Row { name: "the link", link: Goes, gateway: Goes, host: Goes, cameras: (3, 3), second: Second::None, told: &[] },
    Row {
        name: "all cameras",
        link: Stays,
        gateway: Stays,
        host: Stays,
        cameras: (3, 3),
        second: Second::None,
        told: &[(LOST, "3 of 3 devices of 10.77.0.0/24 stopped answering at once; the gateway 10.77.0.254 answers")],
    },
    Row {
        name: "all cameras and the gateway",
        link: Stays,
        gateway: Goes,
        host: Stays,
        cameras: (3, 3),
        second: Second::None,
        told: &[(LOST, "1 other host answers, the gateway 10.77.0.254 does not")],
    },
    Row {
        name: "all cameras, where there is no gateway",
        link: Stays,
        gateway: Absent,
        host: Stays,
        cameras: (3, 3),
        second: Second::None,
        told: &[(LOST, "1 other host answers: look for a switch")],
    },
    Row {
        name: "everything but the link",
        link: Stays,
        gateway: Goes,
        host: Goes,
        cameras: (3, 3),
        second: Second::None,
        told: &[(LOST, "the gateway 10.77.0.254 does not answer either")],
    },
    Row {
        name: "all cameras, where there is nothing else",
        link: Stays,
        gateway: Absent,
        host: Absent,
        cameras: (3, 3),
        second: Second::None,
        told: &[(LOST, "3 of 3 devices of 10.77.0.0/24 stopped answering at once")],
    },
    Row {
        name: "most cameras",
        link: Stays,
        gateway: Stays,
        host: Absent,
        cameras: (5, 3),
        second: Second::None,
        told: &[(LOST, "3 of 5 devices of 10.77.0.0/24")],
    },
    Row {
        name: "some cameras",
        link: Stays,
        gateway: Goes,
        host: Goes,
        cameras: (4, 1),
        second: Second::None,
        told: &[(OFFLINE, "3 others of 10.77.0.0/24 answer")],
    },
    Row {
        name: "the only camera",
        link: Stays,
        gateway: Stays,
        host: Absent,
        cameras: (1, 1),
        second: Second::None,
        told: &[(OFFLINE, "misses in")],
    },
    Row {
        name: "the only camera and the gateway",
        link: Stays,
        gateway: Goes,
        host: Absent,
        cameras: (1, 1),
        second: Second::None,
        told: &[(LOST, "1 of 1 device of 10.77.0.0/24")],
    },
    Row {
        name: "the link of the second network",
        link: Stays,
        gateway: Stays,
        host: Absent,
        cameras: (2, 0),
        second: Second::OnLink(Goes, Goes),
        told: &[],
    },
    Row {
        name: "all cameras of the second network",
        link: Stays,
        gateway: Stays,
        host: Absent,
        cameras: (2, 0),
        second: Second::OnLink(Stays, Goes),
        told: &[(LOST, "3 of 3 devices of 10.78.0.0/24")],
    },
    Row {
        name: "the link of the first network",
        link: Goes,
        gateway: Goes,
        host: Absent,
        cameras: (3, 3),
        second: Second::OnLink(Stays, Stays),
        told: &[],
    },
    Row {
        name: "the line behind the gateway",
        link: Stays,
        gateway: Stays,
        host: Absent,
        cameras: (2, 0),
        second: Second::Routed(Goes),
        told: &[(LOST, "the gateway on the way, 10.77.0.254, answers: look at the line and the router behind it")],
    },
    Row {
        name: "the gateway to the second network",
        link: Stays,
        gateway: Goes,
        host: Absent,
        cameras: (2, 0),
        second: Second::Routed(Stays),
        told: &[(LOST, "the gateway on the way, 10.77.0.254, does not answer: look at it first")],
    },
];

/// Addresses of the second network, each on a wire of its own where it is routed.
const SECOND: [u8; 3] = [2, 6, 10];

/// A row's network, its cameras, and what watches them.
struct Site<'r> {
    row: &'r Row,
    lab: Lab,
    cameras: Vec<Host>,
    gateway: Option<Host>,
    host: Option<Host>,
    hub: Option<Host>,
    _running: Vec<Running>,
    watch: Watching,
}

impl Site<'_> {
    fn new(row: &Row) -> Site<'_> {
        let mut lab = Lab::new();
        let cameras: Vec<Host> = (0..row.cameras.0)
            .map(|n| lab.lan.host(&format!("10.77.0.{}", 10 + n), &format!("44:19:b6:00:00:{:02x}", 10 + n)))
            .collect();
        let gateway = (row.gateway != Absent).then(|| lab.lan.host("10.77.0.254", "02:00:00:00:00:fe"));
        let host = (row.host != Absent).then(|| lab.lan.host("10.77.0.200", "02:00:00:00:00:c8"));
        if gateway.is_some() {
            must(&lab.scanner, "ip route add default via 10.77.0.254");
        }
        let mut running: Vec<Running> =
            (10..).zip(&cameras).map(|(n, host)| Running::role(host, &format!("camera 10.77.0.{n}"))).collect();
        let mut targets = "10.77.0.0/24".to_owned();
        let hub = second(row, &mut lab, gateway.as_ref(), &mut running);
        if row.second != Second::None {
            targets.push_str(" 10.78.0.2 10.78.0.6 10.78.0.10");
        }
        let store = lab.path("store.sqlite");
        let line = format!(
            "watch {targets} --every 1h --jitter 1ms --check-every 30s --ports 554 --no-dns --measure-time 500ms --events json \
             --store {store}"
        );
        let log = lab.path("watch.log");
        let mut command = lab.command(true, &line.split(' ').collect::<Vec<_>>());
        command.stderr(std::fs::File::create(&log).unwrap());
        let watch = Watching { running: Running::of(command), log, seen: Vec::new() };
        Site { row, lab, cameras, gateway, host, hub, _running: running, watch }
    }

    /// Unplugs what goes, or plugs it in again.
    fn plug(&self, is_in: bool) {
        let row = self.row;
        let state = if is_in { "up" } else { "down" };
        let parts =
            [(row.gateway, self.gateway.as_ref()), (row.host, self.host.as_ref()), (row.link, Some(&self.lab.scanner))];
        let parts = parts.into_iter().filter(|(part, _)| *part == Goes).filter_map(|(_, host)| host);
        let gone = self.cameras.iter().take(row.cameras.1.into()).chain(parts);
        gone.for_each(|host| self.lab.lan.plug(host, is_in));
        match (row.second, &self.gateway, &self.hub) {
            (Second::Routed(Goes), Some(gateway), _) => {
                for n in SECOND {
                    must(gateway, &format!("ip link set w{n} {state}"));
                }
            }
            (Second::OnLink(link, cameras), _, Some(hub)) => {
                if cameras == Goes {
                    for n in SECOND {
                        must(hub, &format!("ip link set w{n} {state}"));
                    }
                }
                if link == Goes {
                    must(hub, &format!("ip link set eth1 {state}"));
                }
            }
            _ => {}
        }
    }

    /// The events that were sent, but for that of the first scan.
    fn sent(&mut self) -> Vec<Value> {
        let lines = self.watch.running.lines.try_iter();
        self.watch.seen.extend(lines.map(|line| serde_json::from_str::<Value>(&line).unwrap()));
        let is_sent = |event: &&Value| event.get("muted_by").is_none() && event["type"] != "scan.finished";
        self.watch.seen.iter().filter(is_sent).cloned().collect()
    }
}

/// The second network of a row: its cameras, and the host that joins them where they are on a link of the scanner.
fn second(row: &Row, lab: &mut Lab, gateway: Option<&Host>, running: &mut Vec<Running>) -> Option<Host> {
    let joined = match (row.second, gateway) {
        (Second::None, _) => return None,
        (Second::OnLink(..), _) => {
            let hub = lab.lan.host("10.77.9.9", "02:00:00:00:09:09");
            must(&hub, "ip link add br1 type bridge");
            must(&hub, "ip link set br1 up");
            lab.lan.join(&lab.scanner, &hub, "eth1", ["10.78.0.1/24", "10.99.0.2/24"]);
            must(&hub, "ip addr flush dev eth1");
            must(&hub, "ip link set eth1 master br1");
            hub
        }
        (Second::Routed(_), Some(gateway)) => {
            must(gateway, "sysctl -qw net.ipv4.ip_forward=1");
            gateway.clone()
        }
        (Second::Routed(_), None) => panic!("{} needs a gateway", row.name),
    };
    for n in SECOND {
        let camera = lab.lan.host(&format!("10.77.8.{n}"), &format!("02:00:00:00:08:{n:02x}"));
        let (name, own) = (format!("w{n}"), format!("10.78.0.{n}"));
        must(&camera, "ip link set eth0 down");
        if let Second::OnLink(..) = row.second {
            lab.lan.join(&joined, &camera, &name, ["10.99.0.1/24", &format!("{own}/24")]);
            must(&joined, &format!("ip addr flush dev {name}"));
            must(&joined, &format!("ip link set {name} master br1"));
        } else {
            lab.lan.join(&joined, &camera, &name, [&format!("10.78.0.{}/30", n - 1), &format!("{own}/30")]);
            must(&camera, &format!("ip route add default via 10.78.0.{}", n - 1));
        }
        running.push(Running::role(&camera, &format!("camera {own}")));
    }
    (row.second != Second::None).then_some(joined)
}

pub fn what_falls_silent_is_reported_once_with_what_still_answers() -> Result<(), Skip> {
    need(&["sysctl"])?;
    let mut sites: Vec<Site<'_>> = ROWS.iter().map(Site::new).collect();
    for site in &mut sites {
        site.watch.until_told(&["scan.finished"], Duration::from_secs(120));
        let expected = usize::from(site.row.cameras.0) + if site.row.second == Second::None { 0 } else { SECOND.len() };
        assert_eq!(site.watch.seen[0]["data"]["count"], expected, "{}: {}", site.row.name, short(&site.watch.seen));
    }
    // Each has been checked once.
    std::thread::sleep(Duration::from_secs(35));
    let began = Instant::now();
    sites.iter().for_each(|site| site.plug(false));
    let until = began + Duration::from_secs(300);
    while Instant::now() < until && sites.iter_mut().any(|site| site.sent().len() < site.row.told.len()) {
        std::thread::sleep(Duration::from_secs(1));
    }
    println!("{:?}: all are reported", began.elapsed());
    // What is reported wrongly, or twice, comes no later than with the next questions.
    std::thread::sleep(Duration::from_secs(45));
    let mut wrong = Vec::new();
    for site in &mut sites {
        let sent = site.sent();
        let is_told = |(kind, words): &(&str, &str)| {
            sent.iter().any(|event| {
                event["type"] == *kind && event["data"]["reason"].as_str().unwrap_or_default().contains(words)
            })
        };
        if sent.len() != site.row.told.len() || !site.row.told.iter().all(is_told) {
            wrong.push(format!("{}: {}", site.row.name, short(&sent)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    sites.iter().for_each(|site| site.plug(true));
    let began = Instant::now();
    let until = began + Duration::from_secs(180);
    while Instant::now() < until && sites.iter_mut().any(|site| site.sent().len() < 2 * site.row.told.len()) {
        std::thread::sleep(Duration::from_secs(1));
    }
    println!("{:?}: all ends are reported", began.elapsed());
    std::thread::sleep(Duration::from_secs(45));
    for site in &mut sites {
        let sent = site.sent();
        let kinds: Vec<&str> =
            sent.iter().skip(site.row.told.len()).map(|event| event["type"].as_str().unwrap()).collect();
        let end = |kind: &str| if kind == LOST { "subnet.reachable" } else { "device.online" };
        let expected: Vec<&str> = site.row.told.iter().map(|(kind, _)| end(kind)).collect();
        if kinds != expected {
            wrong.push(format!("{}: {}", site.row.name, short(&sent)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    sites.into_iter().for_each(|site| drop(site.watch.end()));
    Ok(())
}
