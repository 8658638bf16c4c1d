//! Cameras on the loopback, live view, and viewers by every way it has.

mod by_http;
mod resends;
mod wraps;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::audience::Carrier;
use super::choose::{Abilities, Mode};
use super::engine::Ports;
use super::engine::limits::Patience;
use super::guest::Guest;
use super::manager::{Config, Live, Patched};
use super::refusal::Refusal;
use super::source::StreamSource;
use super::stream::{State, Stream};
use super::viewer::mse::MsePiece;
use super::words::Sentence;
use crate::media::format::{AudioFormat, Format};
use crate::model::{AudioCodec, Credential, Transport, VideoCodec};
use crate::net::{BoxStream, Datagram, Datagrams as _, RealNet, Streams as _, UdpBind};
use crate::probe::Logins;
use crate::protocol::webrtc::receiver::{Carried, Happened, Received, Receiver};
use crate::testkit::fleet::clip::Clip;
use crate::testkit::fleet::{Camera, Fault, Fleet, Login};
use crate::wire::url::Endpoint;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Nothing here takes so long, unless it never comes.
const LONG: Duration = Duration::from_secs(30);

fn h264() -> Arc<Clip> {
    Arc::new(Clip::h264(include_bytes!("../../../tests/data/media/camera_h264_1280x720_25fps.h264"), 25.0))
}

fn h265() -> Arc<Clip> {
    Arc::new(Clip::h265(include_bytes!("../../../tests/data/media/camera_h265_1920x1080_15fps.h265"), 15.0))
}

fn camera() -> Camera {
    Camera::new(LOCAL, 0).stream("/live", &h264(), Some(&Arc::new(Clip::pcmu())))
}

async fn fleet(camera: Camera) -> Fleet {
    Fleet::start(vec![camera]).await.unwrap()
}

fn source(id: &str, fleet: &Fleet, logins: Arc<Logins>) -> StreamSource {
    StreamSource {
        id: id.to_owned(),
        ip: LOCAL,
        url: Endpoint::plain(fleet.cameras[0].rtsp.port()).rtsp("/live"),
        transport: Transport::Tcp,
        logins,
        always_on: false,
        siblings: Vec::new(),
        declared: None,
        login: None,
    }
}

fn live_with(patience: Patience) -> Live {
    let ports = Ports { bind: vec![LOCAL], port: 0, tcp: true, forwarded: Vec::new() };
    Live::new(Config { ports, patience, stills: false }, RealNet::new()).unwrap()
}

async fn live_of(camera: Camera) -> (Live, Fleet) {
    let (live, fleet) = (live_with(Patience::default()), fleet(camera).await);
    live.set_streams(vec![source("a", &fleet, Logins::new(0))]);
    (live, fleet)
}

/// How a viewer's packets travel.
enum Wire {
    Udp(Box<dyn Datagram>),
    Tcp(BoxStream, Vec<u8>),
}

struct Viewer {
    receiver: Receiver,
    wire: Wire,
    local: SocketAddr,
    remote: SocketAddr,
    secret: String,
    has_ended: bool,
}

impl Viewer {
    async fn of(live: &Live, id: &str, tcp: bool) -> Result<Viewer, Refusal> {
        let (mut viewer, offer) = Viewer::offering(live.port(), tcp).await;
        let answer = live.offer(id, &offer, None, Some(LOCAL), Guest::lasting("viewer")).await?;
        viewer.receiver.accept(&answer.sdp, LOCAL).unwrap();
        Ok(Viewer { secret: answer.secret, ..viewer })
    }

    /// One who has yet to be answered, and the offer.
    async fn offering(port: u16, tcp: bool) -> (Viewer, String) {
        let net = RealNet::new();
        let remote = SocketAddr::new(LOCAL, port);
        let (wire, local) = match tcp {
            false => {
                let socket = net.udp(&UdpBind::any_port(LOCAL)).unwrap();
                let local = socket.local_addr().unwrap();
                (Wire::Udp(socket), local)
            }
            // A client says port 9 of what it opens itself (RFC 6544 §4.5).
            true => (Wire::Tcp(net.connect(remote).await.unwrap(), Vec::new()), SocketAddr::new(LOCAL, 9)),
        };
        let (receiver, offer) = Receiver::offer(local, tcp, now()).unwrap();
        (Viewer { receiver, wire, local, remote, secret: String::new(), has_ended: false }, offer)
    }

    /// The packets that come until `enough` of them do.
    async fn packets(&mut self, mut enough: impl FnMut(&[Received]) -> bool) -> Vec<Received> {
        let until = Instant::now() + LONG;
        let mut got = Vec::new();
        while !enough(&got) && !self.has_ended {
            assert!(Instant::now() < until, "{} packets came", got.len());
            let wait = self.drain(&mut got).await;
            self.receive(wait).await;
        }
        got
    }

    async fn drain(&mut self, got: &mut Vec<Received>) -> std::time::Instant {
        loop {
            match self.receiver.poll() {
                Happened::Send(sent) => match &mut self.wire {
                    Wire::Udp(socket) => drop(socket.send_to(&sent.contents, sent.to).await),
                    Wire::Tcp(stream, _) => {
                        let framed = [&(sent.contents.len() as u16).to_be_bytes()[..], &sent.contents].concat();
                        let _ = stream.write_all(&framed).await;
                    }
                },
                Happened::Packet(packet) => got.push(packet),
                Happened::Connected | Happened::Broke(_) => {}
                Happened::Ended => {
                    self.has_ended = true;
                    return now();
                }
                Happened::Wait(at) => return at,
            }
        }
    }

    async fn receive(&mut self, wait: std::time::Instant) {
        let mut buffer = vec![0; 65_536];
        let wait = wait.saturating_duration_since(now()).min(Duration::from_millis(100));
        match &mut self.wire {
            Wire::Udp(socket) => match timeout(wait, socket.recv_from(&mut buffer)).await {
                Ok(Ok((length, from))) => self.receiver.receive(false, from, self.local, &buffer[..length], now()),
                _ => self.receiver.tick(now()),
            },
            Wire::Tcp(stream, waiting) => {
                // One packet at a time, as a session is to be driven; what came with it needs no reading.
                if whole(waiting).is_none() {
                    match timeout(wait, stream.read(&mut buffer)).await {
                        Ok(Ok(length @ 1..)) => waiting.extend_from_slice(&buffer[..length]),
                        Ok(_) => self.has_ended = true,
                        Err(_) => {}
                    }
                }
                self.receiver.tick(now());
                if let Some(length) = whole(waiting) {
                    self.receiver.receive(true, self.remote, self.local, &waiting[2..2 + length], now());
                    waiting.drain(..2 + length);
                }
            }
        }
    }

    /// So many whole pictures.
    async fn pictures(&mut self, count: usize) -> Vec<Received> {
        let is_last = |packet: &&Received| packet.marker && matches!(packet.carried, Carried::Video(_));
        self.packets(|got| got.iter().filter(is_last).count() >= count).await
    }
}

/// The length of the packet that has come whole (RFC 4571).
fn whole(waiting: &[u8]) -> Option<usize> {
    let [high, low, rest @ ..] = waiting else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    (rest.len() >= length).then_some(length)
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_seen_and_heard_over_udp_and_over_tcp() {
    let (live, fleet) = live_of(camera()).await;
    for (tcp, carrier) in [(false, Carrier::Udp), (true, Carrier::Tcp)] {
        let mut viewer = Viewer::of(&live, "a", tcp).await.unwrap();
        let packets = viewer.pictures(90).await;
        let is_picture = |packet: &&Received| packet.carried == Carried::Video(VideoCodec::H264);
        let pictures: Vec<&Received> = packets.iter().filter(is_picture).collect();
        // It begins with parameter sets: alone, or together (RFC 6184 §5.7.1).
        assert!(matches!(pictures[0].bytes[12] & 0x1f, 7 | 24), "{:x}", pictures[0].bytes[12]);
        let numbers: Vec<u64> = pictures.iter().map(|packet| packet.sequence).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "tcp {tcp}: {numbers:?}");
        assert!(packets.iter().any(|packet| matches!(packet.carried, Carried::Audio(_))), "sound");
        assert!(pictures.iter().all(|packet| packet.bytes.len() <= 12 + 1180));
        // Its statistics come every five seconds; that it connected is known at once.
        let status = live.facts("a").unwrap();
        assert_eq!((status.condition.state, status.viewers.len()), (State::Live, 1));
        assert!(status.viewers[0].carrier.is_none_or(|known| known == carrier));
        assert!(status.viewers[0].frames >= 30 && status.viewers[0].first_frame_ms.is_some());
        assert!(live.close(&viewer.secret).await);
        viewer.packets(|_| false).await;
        until("the viewer is gone", || live.figures().viewers == 0 && live.figures().routes == 0).await;
        assert!(!live.close(&viewer.secret).await, "its secret is good for nothing");
    }
    let facts = live.facts("a").unwrap().facts.unwrap();
    assert_eq!((facts.video.width, facts.video.height), (Some(1280), Some(720)));
    assert!(facts.video.codec_string.unwrap().starts_with("avc1."));
    // Both had one session with the camera.
    assert_eq!(fleet.cameras[0].seen.played.load(Ordering::SeqCst), 1);
    live.stop().await;
    until("the session is torn down", || fleet.cameras[0].seen.torn_down.load(Ordering::SeqCst) == 1).await;
}

/// Who comes before the first sound is to hear it as well.
#[test]
fn sound_that_has_not_come_yet_is_known_by_its_description() {
    let stream = Stream::new("a".to_owned(), Arc::default());
    let format = |codec| AudioFormat { codec, clock_rate: 8000, channels: 1, config: Bytes::new() };
    for codec in [AudioCodec::Pcmu, AudioCodec::Pcma] {
        stream.expect_sound(Some(format(codec)));
        assert!(stream.awaits_sound());
        assert_eq!(stream.sound().as_deref(), Some(&Format::Audio(format(codec))));
    }
    stream.expect_sound(None);
    assert!(!stream.awaits_sound() && stream.sound().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_vanishes_leaves_nothing_behind() {
    let patience = Patience { half_open: Duration::from_millis(300), silence: Duration::from_millis(500) };
    let (live, fleet) = (live_with(patience), fleet(camera()).await);
    live.set_streams(vec![source("a", &fleet, Logins::new(0))]);
    let mut viewers = Vec::new();
    for tcp in [false, true, false] {
        let mut viewer = Viewer::of(&live, "a", tcp).await.unwrap();
        viewer.pictures(1).await;
        viewers.push(viewer);
    }
    drop(viewers);
    until("all are forgotten", || {
        let figures = live.figures();
        figures.viewers + figures.routes + figures.tcp_connections + live.sessions() as u64 == 0
    })
    .await;
    assert_eq!(live.facts("a").unwrap().viewers, []);
    assert!(live.figures().connected >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_without_a_viewer_and_checks_without_an_offer_are_bounded() {
    let patience = Patience { half_open: Duration::from_secs(10), ..Patience::default() };
    let (live, fleet) = (live_with(patience), fleet(camera()).await);
    live.set_streams(vec![StreamSource { always_on: true, ..source("a", &fleet, Logins::new(0)) }]);
    until("the camera plays", || live.facts("a").unwrap().condition.state == State::Live).await;
    let local = SocketAddr::new(LOCAL, 5000);
    let (_, offer) = Receiver::offer(local, false, now()).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for number in 0..10_000 {
        let guest = Guest::lasting(["anna", "boris", "vera", "nina"][number % 4]);
        match live.offer("a", &offer, None, Some(LOCAL), guest).await {
            Ok(_) => taken += 1,
            Err(refusal) => {
                assert_eq!((refusal.status(), refusal.retry_after().is_some()), (503, true));
                refused += 1;
            }
        }
        assert!(live.sessions() <= 64);
        assert!(number % 100 > 0 || live.figures().viewers <= 64);
    }
    assert!(taken >= 64 && refused > 0, "{taken} taken, {refused} refused");
    until("they are forgotten", || live.figures().routes == 0 && live.sessions() == 0).await;
    assert_eq!(live.figures().never_connected, taken);
    // Checks for a session that is no more, and noise, are not answered.
    let mut stranger = Viewer::of(&live, "a", false).await.unwrap();
    assert!(live.close(&stranger.secret).await);
    until("its session is over", || live.figures().routes == 0).await;
    let to = stranger.remote;
    let mut checks = Vec::new();
    stranger.receiver.tick(now());
    while let Happened::Send(sent) = stranger.receiver.poll() {
        checks.push(sent.contents);
    }
    assert!(!checks.is_empty());
    let Wire::Udp(socket) = stranger.wire else { panic!() };
    checks.extend([vec![0x80; 200], vec![22; 100], Vec::new(), vec![0, 1, 0, 8]]);
    let before = live.figures();
    for check in checks.iter().cycle().take(10_000) {
        let _ = socket.send_to(check, to).await;
    }
    until("they are counted", || live.figures().unroutable > before.unroutable + 100).await;
    assert_eq!((live.figures().routes, live.figures().viewers), (0, 0));
    assert_eq!(live.figures().datagrams_out, before.datagrams_out, "nobody is answered");
    assert_eq!(live.figures().panics, 0);
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_was_away_is_back_without_its_viewers_doing_anything() {
    let (live, fleet) = live_of(camera()).await;
    let port = fleet.cameras[0].rtsp.port();
    let mut viewer = Viewer::of(&live, "a", false).await.unwrap();
    let before = viewer.pictures(5).await;
    drop(fleet);
    until("the camera is missed", || live.facts("a").unwrap().condition.state == State::Away).await;
    assert!(live.facts("a").unwrap().condition.reason.is_some());
    let again = self::fleet(Camera { rtsp_port: port, ..camera() }).await;
    let after = viewer.pictures(5).await;
    let last =
        |packets: &[Received]| packets.iter().rev().find(|p| matches!(p.carried, Carried::Video(_))).unwrap().timestamp;
    let gone_on = last(&after).wrapping_sub(last(&before));
    assert!(gone_on < 90_000 * 60, "the clock goes on: {gone_on}");
    let status = live.facts("a").unwrap();
    assert_eq!((status.condition.state, status.source.reconnects), (State::Live, 1));
    drop(again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_is_not_sent_again() {
    let fleet = fleet(Camera { login: Login::Digest, ..camera() }).await;
    let seen = fleet.cameras[0].seen.clone();
    let live = live_with(Patience::default());
    let wrong = Logins::new(2);
    wrong.offer(vec![Credential::new("viewer", "wrong")]);
    live.set_streams(vec![source("a", &fleet, wrong)]);
    for _ in 0..3 {
        let refusal = Viewer::of(&live, "a", false).await.err().unwrap();
        assert!(matches!(refusal, Refusal::Stopped { reason: Sentence::LoginRefused }), "{refusal:?}");
    }
    assert_eq!(seen.refused.load(Ordering::SeqCst), 1);
    // Somebody acts: the right one.
    let right = Logins::new(2);
    right.offer(vec![Credential::new("viewer", "demo-password")]);
    live.set_streams(vec![source("a", &fleet, right)]);
    Viewer::of(&live, "a", false).await.unwrap().pictures(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_says_what_can() {
    let (live, fleet) = live_of(Camera::new(LOCAL, 0).stream("/live", &h265(), None)).await;
    let sub = self::fleet(camera()).await;
    live.set_streams(vec![
        StreamSource { siblings: vec!["b".into()], ..source("a", &fleet, Logins::new(0)) },
        StreamSource { always_on: true, ..source("b", &sub, Logins::new(0)) },
    ]);
    until("the sub-stream plays", || live.facts("b").unwrap().condition.state == State::Live).await;
    let can = Abilities { webrtc: BTreeSet::from(["H264".to_owned()]), ..Abilities::default() };
    let (_, offer) = Receiver::offer(SocketAddr::new(LOCAL, 5000), false, now()).unwrap();
    let Err(Refusal::NotPossible { choice, .. }) =
        live.offer("a", &offer, Some(&can), None, Guest::lasting("viewer")).await
    else {
        panic!()
    };
    let first = &choice.ways[0];
    assert_eq!((first.stream.as_str(), first.mode), ("b", Mode::WebRtc));
    assert_eq!(live.offer("c", &offer, None, None, Guest::lasting("viewer")).await, Err(Refusal::NoStream));
    assert_eq!(
        live.offer("a", &"x".repeat(70_000), None, None, Guest::lasting("viewer")).await.unwrap_err().status(),
        400
    );
    assert_eq!(
        live.offer("b", "v=0", None, None, Guest::lasting("viewer")).await.err().map(|refusal| refusal.status() / 100),
        Some(4)
    );
    assert_eq!(live.patch("nothing", ""), Patched::Unknown);
    // A viewer who takes H.265 gets it.
    let mut viewer = Viewer::of(&live, "a", false).await.unwrap();
    let packets = viewer.pictures(3).await;
    assert!(packets.iter().any(|packet| packet.carried == Carried::Video(VideoCodec::H265)));
    assert_eq!(live.patch(&viewer.secret, "a=candidate:1 1 udp 1 192.0.2.1 5 typ host"), Patched::Taken);
    assert_eq!(live.patch(&viewer.secret, "a=ice-ufrag:new\r\na=ice-pwd:new"), Patched::BeginAnew);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_frames_come_as_fragments() {
    let (live, _fleet) = live_of(camera()).await;
    let mut viewer = live.mse("a", true).await.unwrap();
    let Some(MsePiece::Init { mime, bytes }) = viewer.next().await else { panic!() };
    assert!(mime.starts_with("video/mp4; codecs=\"avc1."), "{mime}");
    assert_eq!(&bytes[4..8], b"ftyp");
    for _ in 0..20 {
        let Some(MsePiece::Fragment(fragment)) = viewer.next().await else { panic!() };
        assert_eq!(&fragment[4..8], b"moof");
    }
    let (picture, age) = live.picture("a").unwrap();
    assert_eq!((picture.codec, &picture.bytes[..5]), (VideoCodec::H264, &[0, 0, 0, 1, 0x67][..]));
    assert!(age < LONG);
    assert_eq!(live.facts("a").unwrap().viewers[0].carrier, Some(Carrier::Http));
    assert_eq!(live.mjpeg("a").await.err().map(|refusal| refusal.status()), Some(406));
    live.set_streams(Vec::new());
    let end = async { while viewer.next().await.is_some() {} };
    timeout(LONG, end).await.expect("the viewer of a stream that is no more is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn key_frames_come_as_jpegs_where_ffmpeg_is() {
    let (live, fleet) = live_of(Camera::new(LOCAL, 0).stream("/live", &h265(), None)).await;
    let refusal = live.stills("a").await.err().map(|refusal| refusal.status());
    assert_eq!(refusal, Some(406), "where there is no ffmpeg it is not offered");
    if !crate::tool::ffmpeg::is_installed() {
        return;
    }
    let ports = Ports { bind: vec![LOCAL], port: 0, tcp: true, forwarded: Vec::new() };
    let live = Live::new(Config { ports, patience: Patience::default(), stills: true }, RealNet::new()).unwrap();
    live.set_streams(vec![source("a", &fleet, Logins::new(0))]);
    let ways = live.choose("a", &Abilities::default()).await.unwrap().ways;
    assert_eq!(ways.iter().map(|way| way.mode).collect::<Vec<_>>(), [Mode::Stills]);
    let mut viewers = [live.stills("a").await.unwrap(), live.stills("a").await.unwrap()];
    for viewer in &mut viewers {
        // Its wait is cut off and begun again, as that of a page is.
        let mut pictures = Vec::new();
        while pictures.len() < 2 {
            if let Ok(picture) = timeout(Duration::from_millis(100), viewer.next()).await {
                pictures.push(picture.unwrap());
            }
        }
        assert!(pictures.iter().all(|jpeg| crate::media::jpeg::size_of_any(jpeg) == Some((1920, 1080))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jpegs_come_as_they_are_and_by_udp_too() {
    let jpegs = [
        &include_bytes!("../../../tests/data/media/camera_640x480_1.jpg")[..],
        include_bytes!("../../../tests/data/media/camera_640x480_2.jpg"),
    ];
    let clip = Arc::new(Clip::mjpeg(&jpegs.concat(), 5.0));
    let camera = Camera { fault: Fault::UdpOnly, ..Camera::new(LOCAL, 0).stream("/live", &clip, None) };
    let (live, _fleet) = live_of(camera).await;
    let mut viewer = live.mjpeg("a").await.unwrap();
    for _ in 0..3 {
        let picture = timeout(LONG, viewer.next()).await.unwrap().unwrap();
        assert_eq!(crate::media::jpeg::size_of_any(&picture), Some((640, 480)));
    }
    let status = live.facts("a").unwrap();
    assert_eq!(status.source.transport, Some(Transport::Udp));
    assert_eq!(live.mse("a", false).await.err().map(|refusal| refusal.status()), Some(406));
    // Nothing that a viewer sees names the camera.
    let shown = serde_json::to_string(&live.list()).unwrap();
    assert!(!shown.contains("127.0.0.1") && !shown.contains("/live"), "{shown}");
}
