//! Whole networks that fall silent, by what still answers: this machine's link, the gateway, other hosts, some cameras or none;
//! with one network and with two. Each is reported once, with what answers, and its end once.

use camscan::history::memory::DeviceState;
use camscan::model::{Method, ScanPlan, TargetSpec};
use camscan::net::Route;
use camscan::testkit::net::{FakeNet, interface};
use camscan::watch::{Job, Order};
use jiff::SignedDuration;

use super::servers::Camera;
use super::watch::{Place, job, mac};

const GATEWAY: &str = "192.0.2.254";

/// What is around the cameras.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// There is no such thing.
    Absent,
    /// It answers all the time.
    Answers,
    /// It goes with the cameras.
    Goes,
}
use State::{Absent, Answers, Goes};

/// The cameras of a network: how many there are, and how many of them go.
#[derive(Clone, Copy)]
struct Cameras(u8, u8);

/// Where the second network is.
#[derive(Clone, Copy, PartialEq)]
enum Second {
    None,
    /// On an interface of its own, which loses its link with the cameras or keeps it.
    OnLink(State),
    /// Behind the gateway of the first.
    Routed,
}

/// A row of the truth table.
struct Row {
    link: State,
    gateway: State,
    host: State,
    first: Cameras,
    second: (Second, Cameras),
    /// What is sent, and what is said of how it is known.
    told: &'static [(&'static str, &'static str)],
    /// What is sent when all is back.
    back: &'static [&'static str],
}

const ALONE: (Second, Cameras) = (Second::None, Cameras(0, 0));
const GONE: Cameras = Cameras(6, 6);
const LOST: &str = "subnet.unreachable";
const BACK: &[&str] = &["subnet.reachable"];
const SIX: &str = "6 of 6 devices of 192.0.2.0/24 stopped answering at once";

fn row(link: State, gateway: State, host: State, first: Cameras) -> Row {
    Row { link, gateway, host, first, second: ALONE, told: &[], back: &[] }
}

fn one_network() -> Vec<Row> {
    vec![
        // All cameras go.
        row(Goes, Goes, Goes, GONE),
        Row { told: &[(LOST, "the gateway 192.0.2.254 answers")], back: BACK, ..row(Answers, Answers, Answers, GONE) },
        Row { told: &[(LOST, "the gateway 192.0.2.254 answers")], back: BACK, ..row(Answers, Answers, Absent, GONE) },
        Row {
            told: &[(LOST, "1 other host answers, the gateway 192.0.2.254 does not")],
            back: BACK,
            ..row(Answers, Goes, Answers, GONE)
        },
        Row {
            told: &[(LOST, "1 other host answers: look for a switch")],
            back: BACK,
            ..row(Answers, Absent, Answers, GONE)
        },
        Row {
            told: &[(LOST, "the switch and the cable that this machine is connected by")],
            back: BACK,
            ..row(Answers, Goes, Goes, GONE)
        },
        Row { told: &[(LOST, SIX)], back: BACK, ..row(Answers, Absent, Absent, GONE) },
        // Most of them, some of them.
        Row {
            told: &[(LOST, "4 of 6 devices of 192.0.2.0/24")],
            back: BACK,
            ..row(Answers, Answers, Absent, Cameras(6, 4))
        },
        Row {
            told: &[(LOST, "4 of 6 devices of 192.0.2.0/24")],
            back: BACK,
            ..row(Answers, Goes, Goes, Cameras(6, 4))
        },
        Row {
            told: &[("device.offline", "misses in"), ("device.offline", "4 others of 192.0.2.0/24 answer")],
            back: &["device.online", "device.online"],
            ..row(Answers, Answers, Answers, Cameras(6, 2))
        },
        Row {
            told: &[("device.offline", "misses in"), ("device.offline", "4 others of 192.0.2.0/24 answer")],
            back: &["device.online", "device.online"],
            ..row(Answers, Goes, Goes, Cameras(6, 2))
        },
        // Few cameras: what else answers decides.
        Row {
            told: &[("device.offline", "misses in")],
            back: &["device.online"],
            ..row(Answers, Answers, Absent, Cameras(1, 1))
        },
        Row {
            told: &[("device.offline", "misses in")],
            back: &["device.online"],
            ..row(Answers, Absent, Absent, Cameras(1, 1))
        },
        Row {
            told: &[("device.offline", "misses in")],
            back: &["device.online"],
            ..row(Answers, Absent, Goes, Cameras(1, 1))
        },
        Row {
            told: &[(LOST, "1 of 1 device of 192.0.2.0/24")],
            back: BACK,
            ..row(Answers, Goes, Absent, Cameras(1, 1))
        },
        Row {
            told: &[(LOST, "2 of 2 devices of 192.0.2.0/24")],
            back: BACK,
            ..row(Answers, Goes, Goes, Cameras(2, 2))
        },
        row(Goes, Goes, Goes, Cameras(1, 1)),
    ]
}

fn two_networks() -> Vec<Row> {
    let fine = Cameras(3, 0);
    vec![
        Row { second: (Second::OnLink(Goes), Cameras(4, 4)), ..row(Answers, Answers, Answers, fine) },
        Row {
            second: (Second::OnLink(Answers), Cameras(4, 4)),
            told: &[(LOST, "4 of 4 devices of 198.51.100.0/24")],
            back: BACK,
            ..row(Answers, Answers, Answers, fine)
        },
        Row {
            second: (Second::OnLink(Answers), Cameras(4, 0)),
            told: &[(LOST, "the switch and the cable that this machine is connected by")],
            back: BACK,
            ..row(Answers, Goes, Absent, GONE)
        },
        Row { second: (Second::OnLink(Answers), Cameras(4, 0)), ..row(Goes, Goes, Absent, GONE) },
        Row { second: (Second::OnLink(Goes), Cameras(4, 4)), ..row(Goes, Goes, Goes, GONE) },
        Row {
            second: (Second::Routed, Cameras(4, 4)),
            told: &[(LOST, "the gateway on the way, 192.0.2.254, answers: look at the line and the router behind it")],
            back: BACK,
            ..row(Answers, Answers, Absent, fine)
        },
        Row {
            second: (Second::Routed, Cameras(4, 4)),
            told: &[(LOST, "the gateway on the way, 192.0.2.254, does not answer: look at it first")],
            back: BACK,
            ..row(Answers, Goes, Absent, fine)
        },
        Row {
            second: (Second::Routed, Cameras(4, 1)),
            told: &[("device.offline", "3 others of 198.51.100.0/24 answer")],
            back: &["device.online"],
            ..row(Answers, Answers, Absent, fine)
        },
        Row {
            second: (Second::Routed, Cameras(4, 4)),
            told: &[(LOST, "the gateway on the way"), (LOST, "does not answer either")],
            back: &["subnet.reachable", "subnet.reachable"],
            ..row(Answers, Goes, Absent, GONE)
        },
        Row { second: (Second::Routed, Cameras(4, 4)), ..row(Goes, Goes, Absent, GONE) },
    ]
}

/// Only what has video is remembered.
fn of(targets: Vec<TargetSpec>) -> Job {
    let job = job(&[]);
    Job { targets, plan: ScanPlan { all: false, methods: vec![Method::Arp, Method::Tcp], ..job.plan }, ..job }
}

/// Everything of a row on a network in memory.
struct Site<'r>(&'r Row);

impl Site<'_> {
    fn put_cameras(&self, net: &FakeNet) {
        let put = |ip: String, n: u8| {
            Camera::new(&ip).on(net);
            net.links.mac(&ip, mac(n));
        };
        (0..self.0.first.0).for_each(|n| put(format!("192.0.2.{}", 10 + n), 10 + n));
        (0..self.0.second.1.0).for_each(|n| put(format!("198.51.100.{}", 10 + n), 110 + n));
    }

    /// The links and what is around, when all is well.
    fn put_around(&self, net: &FakeNet) {
        let mut interfaces = vec![interface("eth0", 2, &["192.0.2.1/24"])];
        if matches!(self.0.second.0, Second::OnLink(_)) {
            interfaces.push(interface("eth1", 3, &["198.51.100.1/24"]));
        }
        net.links.set_interfaces(interfaces);
        let route = |to: &str, gateway: Option<&str>, interface| Route {
            to: to.parse().unwrap(),
            gateway: gateway.map(|ip| ip.parse().unwrap()),
            interface,
            metric: 0,
        };
        let mut routes = vec![route("192.0.2.0/24", None, 2)];
        if self.0.gateway != Absent {
            routes.push(route("0.0.0.0/0", Some(GATEWAY), 2));
            net.host_up(GATEWAY);
        }
        net.links.set_routes(routes);
        if self.0.host != Absent {
            net.host_up("192.0.2.200");
        }
    }

    fn goes(&self, net: &FakeNet) {
        (0..self.0.first.1).for_each(|n| net.host_down(&format!("192.0.2.{}", 10 + n)));
        (0..self.0.second.1.1).for_each(|n| net.host_down(&format!("198.51.100.{}", 10 + n)));
        if self.0.gateway == Goes {
            net.host_down(GATEWAY);
        }
        if self.0.host == Goes {
            net.host_down("192.0.2.200");
        }
        let mut left = Vec::new();
        if self.0.link != Goes {
            left.push(interface("eth0", 2, &["192.0.2.1/24"]));
        }
        if self.0.second.0 == Second::OnLink(Answers) {
            left.push(interface("eth1", 3, &["198.51.100.1/24"]));
        }
        net.links.set_interfaces(left);
    }

    /// What is seen of it: the events that are sent, and what they say.
    async fn trial(&self, n: usize) {
        let row = self.0;
        let targets = ["192.0.2.2-192.0.2.254", "198.51.100.2-198.51.100.254"].map(|text| text.parse().unwrap());
        let targets = targets.into_iter().take(if row.second.0 == Second::None { 1 } else { 2 }).collect();
        let place = Place::with_camera(of(targets), |net| {
            self.put_around(net);
            self.put_cameras(net);
        })
        .await;
        place.pass(30).await;
        assert_eq!(place.told(), ["scan.finished"], "row {n}");
        let cameras = usize::from(row.first.0 + row.second.1.0);
        assert_eq!(place.store.memory().unwrap().roots().count(), cameras, "row {n}");
        let went = camscan::testkit::clock::now();
        self.goes(&place.net);
        // Long before the next scan of all.
        place.pass(15).await;
        let events = place.sent();
        let said: Vec<_> =
            events.iter().map(|event| (event.kind.as_str(), event.data.reason.clone().unwrap_or_default())).collect();
        let fits = said.len() == row.told.len()
            && row.told.iter().all(|(kind, why)| said.iter().any(|(k, w)| k == kind && w.contains(why)));
        assert!(fits, "row {n}: {said:#?}, and not {:#?}", row.told);
        for event in &events {
            let after = went.duration_until(event.data.since.unwrap());
            assert!((SignedDuration::ZERO..=SignedDuration::from_mins(6)).contains(&after), "row {n}: {event:?}");
        }
        // Neither a scan nor the questions after it tell it again.
        place.orders.send(Order::ScanNow).await.unwrap();
        place.pass(30).await;
        assert_eq!(place.told(), [""; 0], "row {n}");
        self.put_around(&place.net);
        self.put_cameras(&place.net);
        place.pass(20).await;
        assert_eq!(place.told(), row.back, "row {n}, when all is back");
        place.pass(15).await;
        assert_eq!(place.told(), [""; 0], "row {n}, later");
        let memory = place.store.memory().unwrap();
        let states: Vec<_> = memory.roots().map(|known| known.health.state).collect();
        assert!(states.iter().all(|state| *state == DeviceState::Online), "row {n}: {states:?}");
        place.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_that_falls_silent_is_reported_once_with_what_still_answers() {
    for (n, row) in one_network().iter().enumerate() {
        Site(row).trial(n).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_networks_each_is_judged_by_what_answers_on_it() {
    for (n, row) in two_networks().iter().enumerate() {
        Site(row).trial(n).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_after_the_network_and_what_does_not_come_back_with_it_is_reported_by_itself() {
    let row = Row { second: ALONE, ..row(Answers, Answers, Absent, Cameras(8, 5)) };
    let site = Site(&row);
    let place = Place::with_camera(of(vec!["192.0.2.2-192.0.2.254".parse().unwrap()]), |net| {
        site.put_around(net);
        site.put_cameras(net);
    })
    .await;
    place.pass(30).await;
    place.told();
    let went = camscan::testkit::clock::now();
    site.goes(&place.net);
    place.pass(15).await;
    assert_eq!(place.told(), [LOST]);
    // One of those that still answer goes too.
    place.net.host_down("192.0.2.16");
    place.pass(15).await;
    assert_eq!(place.told(), ["device.offline"]);
    // All come back but two: the first that went, and the last.
    for n in [11, 12, 13, 14] {
        let ip = format!("192.0.2.{n}");
        Camera::new(&ip).on(&place.net);
        place.net.links.mac(&ip, mac(n));
    }
    place.pass(30).await;
    let events = place.sent();
    let said: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(said, ["subnet.reachable", "device.offline"], "{events:#?}");
    let since = went.duration_until(events[1].data.since.unwrap());
    assert!(since < SignedDuration::from_mins(6), "its time is counted from when it went: {since:?}");
    place.end().await;
}

/// A server on this machine itself answers whatever becomes of the network.
#[tokio::test(start_paused = true)]
async fn the_address_of_this_machine_is_no_witness() {
    for (gone, expected) in [(4, vec![LOST]), (1, vec![LOST])] {
        let row = Row { ..row(Answers, Goes, Absent, Cameras(gone, gone)) };
        let site = Site(&row);
        let targets = vec!["192.0.2.1-192.0.2.254".parse().unwrap()];
        let place = Place::with_camera(of(targets), |net| {
            site.put_around(net);
            site.put_cameras(net);
            Camera::new("192.0.2.1").on(net);
        })
        .await;
        place.pass(30).await;
        place.told();
        site.goes(&place.net);
        place.pass(15).await;
        assert_eq!(place.told(), expected, "{gone} cameras");
        // And with the link down nothing is said at all.
        site.put_around(&place.net);
        site.put_cameras(&place.net);
        place.pass(30).await;
        assert_eq!(place.told(), BACK, "{gone} cameras");
        place.net.links.set_interfaces(Vec::new());
        site.goes(&place.net);
        place.net.links.set_interfaces(Vec::new());
        place.orders.send(Order::ScanNow).await.unwrap();
        place.pass(30).await;
        assert_eq!(place.told(), [""; 0], "{gone} cameras");
        place.end().await;
    }
}
