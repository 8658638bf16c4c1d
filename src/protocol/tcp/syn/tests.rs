//! The SYN scan on a network in memory, time under control.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::probe::Inspection;
use crate::protocol::tcp::ports::{PortOutcomes, open_ports};
use crate::testkit::net::{FakeNet, Lan, Port, RawFrames, interface, mac_of};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const NEAR: Port = Port::Open(Duration::from_millis(2));

fn lan(ports: impl Fn(u16, usize) -> Port + Send + Sync + 'static) -> FakeNet {
    FakeNet::of_lan(Lan::with([HOST])).with_ports(move |to, before| ports(to.port(), before))
}

fn eth0() -> Interface {
    interface("eth0", 2, &["192.0.2.1/24"])
}

fn scanner(lan: &FakeNet) -> Arc<SynScanner> {
    SynScanner::start(lan, &[eth0()], &Arc::new(Pace::new(None))).unwrap()
}

/// The outcomes and the open ports as they were told, by SYN frames where `mac` is known.
async fn scan_with(lan: &FakeNet, mac: Option<MacAddr>, ports: &[u16]) -> (PortOutcomes, Vec<u16>) {
    let scanner = scanner(lan);
    if let Some(mac) = mac {
        scanner.note_station(HOST, mac);
    }
    let (mut host, _found) = Inspection::for_test(lan.clone(), &HOST.to_string(), Default::default());
    host.ports = Some(scanner);
    let (open, mut told) = mpsc::channel(1);
    let telling = async {
        let mut all = Vec::new();
        while let Some(port) = told.recv().await {
            all.push(port);
        }
        all
    };
    let ports = ports.iter().copied().collect();
    tokio::join!(open_ports(&host, &ports, open), telling)
}

async fn scan(lan: &FakeNet, ports: &[u16]) -> (PortOutcomes, Vec<u16>) {
    scan_with(lan, Some(mac_of(HOST)), ports).await
}

#[tokio::test(start_paused = true)]
async fn each_outcome_is_its_own_and_no_connection_is_made() {
    let lan = lan(|port, _| match port {
        554 | 80 => NEAR,
        443 => Port::Silent,
        _ => Port::Refused,
    });
    let began = Instant::now();
    let (mut outcomes, mut told) = scan(&lan, &[554, 80, 443, 8554, 554]).await;
    outcomes.open.sort_unstable();
    told.sort_unstable();
    let expected =
        PortOutcomes { open: vec![80, 554], refused: vec![8554], timed_out: vec![443], ..PortOutcomes::default() };
    assert_eq!((outcomes, told), (expected, vec![80, 554]));
    assert_eq!(lan.connects(), []);
    // Only who is silent is asked again, and once where that is of no use.
    let asked = |port| lan.streams.syns().iter().filter(|to| to.port() == port).count();
    assert_eq!([554, 80, 443, 8554].map(asked), [1, 1, 2, 1]);
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answers_everything_takes_no_wait_at_all() {
    let lan = lan(|port, _| if port == 554 { NEAR } else { Port::Refused });
    let began = Instant::now();
    let (outcomes, _) = scan(&lan, &(500..600).collect::<Vec<_>>()).await;
    assert_eq!((outcomes.open, outcomes.refused.len()), (vec![554], 99));
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn lost_packets_hide_no_camera() {
    for lost in [1, 2] {
        let lan = lan(move |port, before| match (port, before < lost) {
            (554, false) => Port::Open(Duration::from_millis(150)),
            (8554, false) if lost == 1 => Port::Refused,
            _ => Port::Silent,
        });
        let (outcomes, told) = scan(&lan, &[554, 8554, 80]).await;
        assert_eq!((outcomes.open, told), (vec![554], vec![554]), "{lost} lost");
        assert_eq!(lan.connects(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_is_believed_after_a_few_connects() {
    let lan = lan(|_, _| Port::Silent);
    let (outcomes, _) = scan(&lan, &(1..=20).collect::<Vec<_>>()).await;
    assert_eq!(outcomes.timed_out.len(), 20);
    assert_eq!((lan.streams.syns().len(), lan.connects().len()), (20 * ROUNDS, 4));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hears_no_frames_is_asked_by_connects() {
    let wanted = [554, 80, 443, 8000, 8554, 37777];
    let script = |port, _| if port == 37777 { NEAR } else { Port::Refused };
    // Nobody has that MAC address.
    let elsewhere = lan(script);
    let (outcomes, told) = scan_with(&elsewhere, Some(MacAddr([2; 6])), &wanted).await;
    assert_eq!((outcomes.open, outcomes.refused.len(), told), (vec![37777], 5, vec![37777]));
    assert_eq!((elsewhere.streams.syns().len(), elsewhere.connects().len()), (0, 6));
    // ARP has not heard of it.
    let unknown = lan(script);
    let (outcomes, _) = scan_with(&unknown, None, &wanted).await;
    assert_eq!((outcomes.open, unknown.connects().len()), (vec![37777], 6));
}

#[tokio::test(start_paused = true)]
async fn a_host_found_a_moment_before_arp_is_asked_by_frames_all_the_same() {
    let lan = lan(|_, _| NEAR);
    let scanner = scanner(&lan);
    let (say, mut said) = mpsc::unbounded_channel();
    let late = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        scanner.note_station(HOST, mac_of(HOST));
    };
    let (outcome, ()) = tokio::join!(scanner.ask(HOST.into(), &[554], 4, true, say), late);
    assert!(outcome.is_ok());
    let answer = said.recv().await.map(|a| (a.port, a.open));
    assert_eq!(answer, Some((554, true)));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_takes_any_port_is_not_asked_for_all() {
    let lan = lan(|_, _| NEAR);
    let (outcomes, _) = scan(&lan, &(8000..8400).collect::<Vec<_>>()).await;
    assert!(outcomes.takes_any_port);
    assert!(lan.streams.syns().len() < 100, "{}", lan.streams.syns().len());
    assert_eq!(lan.connects().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn printers_are_left_alone_and_so_is_this_machine() {
    let lan = lan(|_, _| NEAR);
    let scanner = scanner(&lan);
    scanner.note_station(HOST, mac_of(HOST));
    let ports: Vec<u16> = (9098..9110).collect();
    let (say, _said) = mpsc::unbounded_channel();
    scanner.ask(HOST.into(), &ports, 4, true, say.clone()).await.unwrap();
    let mut asked: Vec<u16> = lan.streams.syns().iter().map(SocketAddr::port).collect();
    asked.sort_unstable();
    assert_eq!(asked, [9098, 9099, 9108, 9109]);
    let own = Ipv4Addr::new(192, 0, 2, 1);
    scanner.note_station(own, MacAddr([2, 0, 0, 0, 0, 1]));
    assert!(scanner.ask(own.into(), &[80], 4, true, say).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn questions_keep_to_the_rate_of_the_scan() {
    let lan = lan(|_, _| Port::Refused);
    let scanner = SynScanner::start(&lan, &[eth0()], &Arc::new(Pace::new(Some(50)))).unwrap();
    scanner.note_station(HOST, mac_of(HOST));
    let (say, mut said) = mpsc::unbounded_channel();
    let began = Instant::now();
    scanner.ask(HOST.into(), &(1000..1100).collect::<Vec<_>>(), 4, true, say).await.unwrap();
    assert!((1800..3000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    let mut answered = 0;
    while said.recv().await.is_some() {
        answered += 1;
    }
    assert_eq!((answered, lan.streams.syns().len()), (100, 100));
}

#[test]
fn without_the_right_there_is_no_scanner() {
    let lan = FakeNet::of_lan(Lan { raw: RawFrames::Denied, ..Lan::default() });
    let refused = SynScanner::start(&lan, &[eth0()], &Arc::new(Pace::new(None))).err();
    assert_eq!(refused.map(|e| e.kind()), Some(io::ErrorKind::PermissionDenied));
}

proptest! {
    #[test]
    fn only_the_endpoint_asked_can_answer(to: (u32, u16), other: (u32, u16), own: u16, guess: u32) {
        let cookies = Cookies::default();
        let end = |(ip, port): (u32, u16)| SocketAddrV4::new(ip.into(), port);
        let number = cookies.of(end(to), own);
        prop_assert_eq!(number, cookies.of(end(to), own));
        let answer = |from, acknowledged| wire::Answer {
            from: end(from), to: SocketAddrV4::new(Ipv4Addr::LOCALHOST, own), acknowledged, open: true,
        };
        prop_assert!(cookies.fits(&answer(to, number.wrapping_add(1))));
        prop_assert_eq!(cookies.fits(&answer(to, guess)), guess == number.wrapping_add(1));
        // One in 2³² other endpoints has the same number by chance.
        prop_assert!(other == to || !cookies.fits(&answer(other, number.wrapping_add(1))));
        prop_assert!(Cookies::default().of(end(to), own) != number, "the secret is another each time");
    }
}
