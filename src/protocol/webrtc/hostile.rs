//! Endpoints that mean no good: whatever they answer and send, what is done about it is bounded, and goes to them alone.

#![cfg(feature = "serve")]

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use proptest::prelude::*;
use str0m::change::SdpOffer;
use str0m::ice::{StunMessage, TransId};
use str0m::{Candidate, Rtc};
use tokio::time::Instant;

use super::analyze;
use super::receiver::{Happened, Receiver};
use crate::model::finding::StreamHint;
use crate::model::{FindingKind, Protocol, Service, Stream, StreamStatus, Transport};
use crate::model::{ProbeOptions, Verify};
use crate::probe::Inspection;
use crate::testkit::net::{FakeNet, Reply, Sent, interface};

const HOST: &str = "192.0.2.10";
const STRANGER: &str = "198.51.100.9";

fn host() -> IpAddr {
    HOST.parse().unwrap()
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

fn local() -> SocketAddr {
    at("192.0.2.1", 5000)
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// A good answer, with a candidate of the host.
fn good(offer: &str) -> String {
    let mut rtc = Rtc::builder().set_rtp_mode(true).build(now());
    rtc.add_local_candidate(Candidate::host(at(HOST, 8189), "udp").unwrap());
    let offer = SdpOffer::from_sdp_string(offer).unwrap();
    rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string()
}

/// The same with further lines in its first section.
fn with_lines(answer: &str, lines: &str) -> String {
    let place = answer.find("a=candidate:").unwrap();
    format!("{}{lines}{}", &answer[..place], &answer[place..])
}

/// The value of an attribute.
fn attribute<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.split(&format!("a={name}:")).nth(1).unwrap().lines().next().unwrap()
}

/// Where datagrams are sent to in so much time, one entry each.
fn sent_within(receiver: &mut Receiver, time: Duration) -> Vec<SocketAddr> {
    let mut clock = now();
    let (end, mut sent) = (clock + time, Vec::new());
    loop {
        match receiver.poll() {
            Happened::Send(datagram) => sent.push(datagram.to),
            Happened::Ended => return sent,
            Happened::Wait(at) => {
                clock = at.max(clock + Duration::from_millis(1));
                if clock > end {
                    return sent;
                }
                receiver.tick(clock);
            }
            Happened::Connected | Happened::Packet(_) | Happened::Broke(_) => {}
        }
    }
}

fn hosts(sent: &[SocketAddr]) -> BTreeSet<IpAddr> {
    sent.iter().map(SocketAddr::ip).collect()
}

/// A candidate of somebody else can be written so that one reader takes the host's address for its own, and another the other.
#[test]
fn candidates_of_others_are_asked_nothing_however_they_are_written() {
    let plain = format!("a=candidate:7 1 udp 2122260223 {STRANGER} 8189 typ host\r\n");
    for blank in ['\t', '\u{a0}', '\u{2003}'] {
        let hidden = ["7", "1", "udp", "1", HOST].join(&blank.to_string());
        let hidden = format!("a=candidate:{hidden} 1 udp 2122260223 {STRANGER} 8189 typ host\r\n");
        let (mut receiver, offer) = Receiver::offer(local(), false, now()).unwrap();
        receiver.accept(&with_lines(&good(&offer), &(plain.clone() + &hidden)), host()).unwrap();
        let sent = sent_within(&mut receiver, Duration::from_secs(5));
        assert_eq!(hosts(&sent), BTreeSet::from([host()]), "{blank:?}");
    }
}

/// The host may tell another machine the session's password, or send in its name: the check is not answered, and nothing goes
/// there later.
#[test]
fn a_check_from_elsewhere_is_not_answered() {
    let (mut receiver, offer) = Receiver::offer(local(), false, now()).unwrap();
    let answer = good(&offer);
    receiver.accept(&answer, host()).unwrap();
    let name = format!("{}:{}", attribute(&offer, "ice-ufrag"), attribute(&answer, "ice-ufrag"));
    let check = |from: &str| {
        let message = StunMessage::binding_request(&name, TransId::new(), false, 7, 1 << 24, false);
        let mut bytes = vec![0; 500];
        let sign = |key: &[u8], parts: &[&[u8]]| -> [u8; 20] {
            let mut hmac = Hmac::<sha1::Sha1>::new_from_slice(key).unwrap();
            parts.iter().for_each(|part| hmac.update(part));
            hmac.finalize().into_bytes().into()
        };
        let length = message.to_bytes(Some(attribute(&offer, "ice-pwd").as_bytes()), &mut bytes, sign).unwrap();
        (at(from, 9999), bytes[..length].to_vec())
    };
    for (from, is_answered) in [(STRANGER, false), (HOST, true)] {
        let (from, bytes) = check(from);
        receiver.tick(now());
        receiver.receive(false, from, local(), &bytes, now());
        let sent = sent_within(&mut receiver, Duration::from_secs(2));
        assert_eq!(sent.contains(&from), is_answered, "{from}: {sent:?}");
        assert_eq!(hosts(&sent), BTreeSet::from([host()]));
    }
}

#[test]
fn of_ten_thousand_candidates_a_few_are_tried() {
    let (mut receiver, offer) = Receiver::offer(local(), false, now()).unwrap();
    let many = (0..10_000).map(|n| format!("a=candidate:{n} 1 udp {} {HOST} {} typ host\r\n", 1000 + n, 10_000 + n));
    receiver.accept(&with_lines(&good(&offer), &many.collect::<String>()), host()).unwrap();
    let sent = sent_within(&mut receiver, Duration::from_secs(5));
    let places: BTreeSet<&SocketAddr> = sent.iter().collect();
    assert!((1..=16).contains(&places.len()), "{} places", places.len());
    assert!(sent.len() < 500, "{} datagrams", sent.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Datagrams of each kind that is told apart by its first byte (RFC 7983): STUN, DTLS, RTP and RTCP.
    #[test]
    fn noise_from_the_host_is_taken(
        all in prop::collection::vec((prop_oneof![Just(0u8), Just(1), Just(22), Just(20), Just(23), Just(0x80), any::<u8>()], prop::collection::vec(any::<u8>(), 0..200)), 1..40),
    ) {
        let (mut receiver, offer) = Receiver::offer(local(), false, now()).unwrap();
        receiver.accept(&good(&offer), host()).unwrap();
        for (first, rest) in all {
            let bytes = [&[first][..], &rest].concat();
            receiver.receive(false, at(HOST, 8189), local(), &bytes, now());
            for _ in 0..100 {
                if matches!(receiver.poll(), Happened::Wait(_) | Happened::Ended) {
                    break;
                }
            }
        }
        receiver.close();
        let sent = sent_within(&mut receiver, Duration::from_secs(1));
        prop_assert!(hosts(&sent).iter().all(|ip| *ip == host()));
    }
}

/// What a scan makes of an endpoint that answers offers so, and what it sent and asked.
async fn scanned(
    answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    datagram: impl Fn(&Sent) -> Vec<crate::testkit::net::Answer> + Send + Sync + 'static,
) -> (Stream, FakeNet, Duration) {
    let net = FakeNet::new();
    net.links.set_interfaces(vec![interface("eth0", 2, &["192.0.2.1/24"])]);
    net.datagrams.on_datagram(datagram);
    net.answer(&format!("{HOST}:8889"), move |asked| match asked.method() {
        "POST" => answer(asked.text.split("\r\n\r\n").nth(1).unwrap_or_default()),
        _ => reply("200 OK", "", ""),
    });
    let options = ProbeOptions { verify: Verify::Frames, ..ProbeOptions::default() };
    let (inspected, mut said) = Inspection::for_test(net.clone(), HOST, options);
    inspected.record.learn(&FindingKind::Service(Service::new(Protocol::Http, Transport::Tcp, 8889)));
    inspected.record.learn(&FindingKind::StreamHint(StreamHint::new("http://192.0.2.10:8889/cam/whep")));
    let began = Instant::now();
    analyze::run(&inspected).await;
    let took = began.elapsed();
    let [stream] = &crate::probe::testing::streams(&mut said)[..] else { panic!("no stream, or several") };
    assert!(took < Duration::from_secs(40), "{took:?}");
    assert!(net.datagrams.sent().iter().all(|sent| sent.to.ip() == host()), "to others");
    assert!(net.datagrams.sent().len() < 2000, "{} datagrams were sent", net.datagrams.sent().len());
    (stream.clone(), net, took)
}

fn reply(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Last(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes())
}

fn created(body: &str) -> Reply {
    reply("201 Created", "Location: /cam/whep/5f3\r\n", body)
}

#[tokio::test(start_paused = true)]
async fn answers_without_end_are_cut_off() {
    let line = "a=x:0123456789012345678901234567890123456789\r\n";
    let (long, _, _) = scanned(move |offer| created(&(good(offer) + &line.repeat(100_000))), |_| Vec::new()).await;
    assert_ne!(long.status, StreamStatus::Streaming);
    // It says how long it is, and never comes to that.
    let slow = |_: &str| Reply::Bytes(b"HTTP/1.1 201 Created\r\nContent-Length: 4000\r\n\r\nv=0\r\n".to_vec());
    let (slow, _, took) = scanned(slow, |_| Vec::new()).await;
    assert_ne!(slow.status, StreamStatus::Streaming);
    assert!(took <= Duration::from_secs(20), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_offer_is_sent_on_nowhere() {
    let to = "Location: http://192.0.2.10:8889/cam/whep\r\n";
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let (stream, net, _) = scanned(move |_| reply(status, to, ""), |_| Vec::new()).await;
        assert_ne!(stream.status, StreamStatus::Streaming);
        assert_eq!(net.asked().iter().filter(|asked| asked.method() == "POST").count(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_none_are_told() {
    let head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    let section = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\na=sendonly\r\n";
    let bodies = [
        String::new(),
        "\0\u{1}\u{2}".repeat(1000),
        head.to_owned(),
        format!("{head}{section}"),
        format!("{head}{}", section.repeat(300)),
        format!("{head}{section}a=fingerprint:sha-256 zz\r\na=ice-ufrag:\r\na=mid:{}\r\n", "9".repeat(5000)),
        format!("{head}{}", "m=video".repeat(2000)),
    ];
    for body in bodies {
        let text = body.clone();
        let (stream, ..) = scanned(move |_| created(&text), |_| Vec::new()).await;
        assert_ne!(stream.status, StreamStatus::Streaming, "{body}");
    }
}

/// As many datagrams as it likes, of every kind, whenever it is sent one.
#[tokio::test(start_paused = true)]
async fn a_flood_is_read_for_as_long_as_a_stream_is_waited_for() {
    let flood = |sent: &Sent| {
        let kinds: [&[u8]; 4] = [&[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42], &[22, 254, 253, 0, 0], &[0x80, 96, 0, 1], &[]];
        let count = if sent.data.first() == Some(&0) { 50_000 } else { 0 };
        let answer = |n: usize| {
            let bytes = [kinds[n % 4], &[7; 40]].concat();
            (Duration::from_micros(n as u64), sent.to, Ok(bytes))
        };
        (0..count).map(answer).collect()
    };
    let (stream, _, took) = scanned(|offer| created(&good(offer)), flood).await;
    assert_eq!(stream.status, StreamStatus::NoData);
    assert!(took <= Duration::from_secs(10), "{took:?}");
}
