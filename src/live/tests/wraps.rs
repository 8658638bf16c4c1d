//! Every clock and number of a camera that wraps does so, and those of live view after them; nobody notices.

use tokio::sync::Notify;

use super::*;
use crate::live::engine::Engine;
use crate::live::source::camera::{Camera, Medium, Told};
use crate::live::source::tests::{becomes, begun, present};
use crate::live::viewer::mse::MseViewer;
use crate::media::rtcp::{self, ReportBlock, Rtcp};
use crate::testkit::net::FakeNet;

/// How long it is watched, of a clock that leaps: past all wraps for as long as until then.
const TIME: Duration = Duration::from_secs(240);
/// Until then what was there before the viewer has been sent.
const BEGINNING: Duration = Duration::from_secs(5);
/// After so much time the camera's clocks wrap, and after twice as much those of live view.
const UNTIL_WRAP: u32 = 60;

/// The clocks of pictures (90,000 a second) and of sound (8,000) wrap at the same moment once in 45 times of the former, which is
/// the fourth of the latter.
const BOTH_WRAP: u64 = 45 << 32;

/// What a viewer saw of one medium: when each piece came, and what its own clock said.
#[derive(Default)]
struct Seen {
    /// Units a second.
    rate: f64,
    pieces: Vec<(Duration, u64)>,
}

impl Seen {
    fn of(rate: f64) -> Seen {
        Seen { rate, pieces: Vec::new() }
    }

    /// Every piece is one step after the one before it, and none comes later in the end than in the beginning.
    fn check(&self, what: &str, step: u64, count: f64) {
        let steady: Vec<(Duration, u64)> = self.pieces.iter().copied().filter(|(at, _)| *at > BEGINNING).collect();
        let expected = (TIME - BEGINNING).as_secs_f64() * count;
        assert!((steady.len() as f64 - expected).abs() < 3.0, "{what}: {} of {expected}", steady.len());
        let (first_at, first) = steady[0];
        for pair in steady.windows(2) {
            let ((before_at, before), (at, now)) = (pair[0], pair[1]);
            assert_eq!(now - before, step, "{what}, {at:?}: a jump");
            assert!(at - before_at < Duration::from_millis(200), "{what}, {at:?}: a freeze");
            let late = (at - first_at).as_secs_f64() - (now - first) as f64 / self.rate;
            assert!(late.abs() < 0.05, "{what}, {at:?}: {late} s late");
        }
    }
}

/// Goes on with a number that wraps at 32 bits; counts how often it did.
fn unwrapped(last: &mut Option<u64>, wraps: &mut u32, timestamp: u32) -> u64 {
    let next = match *last {
        None => u64::from(timestamp),
        Some(before) => {
            *wraps += u32::from(timestamp < before as u32 && before as u32 - timestamp > 1 << 31);
            before + u64::from(timestamp.wrapping_sub(before as u32))
        }
    };
    *last = Some(next);
    next
}

/// Watches by WebRTC.
async fn decrypted(mut viewer: Viewer, began: Instant) -> (Seen, Seen) {
    let (mut pictures, mut sounds) = (Seen::of(90_000.0), Seen::of(8000.0));
    let (mut lasts, mut wraps, mut numbers) = ([None; 2], [0; 2], [None::<u64>; 2]);
    while began.elapsed() < TIME {
        let mut got = Vec::new();
        let wait = viewer.drain(&mut got).await;
        for packet in got {
            let is_video = matches!(packet.carried, Carried::Video(_));
            let place = usize::from(is_video);
            if let Some(before) = numbers[place].replace(packet.sequence) {
                assert_eq!(packet.sequence, before + 1, "a packet is missing at {:?}", began.elapsed());
            }
            if is_video && !packet.marker {
                continue;
            }
            let at = unwrapped(&mut lasts[place], &mut wraps[place], packet.timestamp);
            [&mut sounds, &mut pictures][place].pieces.push((began.elapsed(), at));
        }
        assert!(!viewer.has_ended, "it ended after {:?}", began.elapsed());
        viewer.receive(wait).await;
    }
    assert_eq!(wraps, [1, 1], "the clocks of sound and picture");
    (pictures, sounds)
}

/// Watches by MP4.
async fn fragments(mut viewer: MseViewer, began: Instant) -> (Seen, Seen) {
    let (mut pictures, mut sounds) = (Seen::of(90_000.0), Seen::of(8000.0));
    let mut inits = 0;
    while began.elapsed() < TIME {
        match timeout(LONG, viewer.next()).await.unwrap().unwrap() {
            MsePiece::Init { .. } => inits += 1,
            MsePiece::Dropped(count) => panic!("{count} frames were left out after {:?}", began.elapsed()),
            MsePiece::Fragment(bytes) => {
                let field = |name: &[u8], from: usize, length: usize| {
                    let place = bytes.windows(4).position(|four| four == name).unwrap() + 4 + from;
                    bytes[place..place + length].iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
                };
                // Track 1 is the picture; the time is after version and flags.
                let seen = if field(b"tfhd", 4, 4) == 1 { &mut pictures } else { &mut sounds };
                seen.pieces.push((began.elapsed(), field(b"tfdt", 4, 8)));
            }
        }
    }
    assert_eq!(inits, 1, "the tracks stay as they are");
    (pictures, sounds)
}

/// What a receiver report answers to the sender report before it.
fn check_reports(told: &[Told]) {
    let mut blocks = 0;
    for one in told {
        let (reported, ntp) = one.reported;
        for packet in rtcp::parse(&one.bytes) {
            let Rtcp::ReceiverReport { blocks: all, .. } = packet else { continue };
            for ReportBlock { fraction_lost, lost, last_report, since_last_report, jitter, .. } in all {
                // The first report came before the first packet, when nobody knew whose it was.
                if (last_report, since_last_report) == (0, 0) {
                    assert_eq!((fraction_lost, lost), (0, 0));
                    continue;
                }
                blocks += 1;
                assert_eq!((fraction_lost, lost, last_report), (0, 0, (ntp >> 16) as u32));
                let since = f64::from(since_last_report) / 65_536.0;
                assert!((since - (one.at - reported).as_secs_f64()).abs() < 0.1, "{since} s");
                assert!(jitter < 100, "{jitter}");
            }
        }
    }
    assert!(blocks > 40, "{blocks}");
}

#[tokio::test(start_paused = true)]
async fn all_clocks_wrap_and_nobody_notices() {
    let net = FakeNet::new();
    let soon = |rate: u32| 0u32.wrapping_sub(UNTIL_WRAP * rate);
    let picture = Medium { begins: Some((65_000, soon(90_000))), ..Medium::pictures(3000) };
    let sound = Medium { clip: Arc::new(Clip::pcmu()), begins: Some((65_000, soon(8000))) };
    // NTP ends in 2036.
    let camera = Camera::of(&net, vec![picture, sound], 0u64.wrapping_sub(u64::from(UNTIL_WRAP) << 32));
    let bell = Arc::new(Notify::new());
    let (stream, _always_on) = begun(&net, BOTH_WRAP - 2 * u64::from(UNTIL_WRAP) * 90_000, bell.clone());
    let ports = Ports { bind: vec![LOCAL], port: 0, tcp: false, forwarded: Vec::new() };
    let engine = Engine::start(ports, Patience::default(), bell).unwrap();
    let by_mse = MseViewer::new(present(&stream, Mode::Mse), true);
    becomes(&stream, State::Live).await;
    let began = Instant::now();
    let (mut by_webrtc, offer) = Viewer::offering(engine.port(), false).await;
    let presence = present(&stream, Mode::WebRtc);
    let answer = engine.offer(1, "viewer", &offer, presence, Some(LOCAL), &*RealNet::new()).await.unwrap();
    by_webrtc.receiver.accept(&answer, LOCAL).unwrap();
    let held = async {
        let mut most = Vec::new();
        for _ in 0..3 {
            let mut all = Vec::new();
            for _ in 0..TIME.as_secs() / 3 - 1 {
                sleep(Duration::from_secs(1)).await;
                all.push(stream.held());
            }
            most.push((all.iter().map(|held| held.0).max(), all.iter().map(|held| held.1).max()));
        }
        most
    };
    let (webrtc, mse, held) = tokio::join!(decrypted(by_webrtc, began), fragments(by_mse, began), held);
    for (way, (pictures, sounds)) in [("WebRTC", webrtc), ("MSE", mse)] {
        pictures.check(&format!("pictures by {way}"), 3600, 25.0);
        sounds.check(&format!("sound by {way}"), 160, 50.0);
    }
    assert!(held.windows(2).all(|pair| pair[1] <= pair[0]), "what is held grows: {held:?}");
    check_reports(&camera.told.lock().unwrap());
    let statistics = stream.statistics(now());
    assert_eq!((statistics.lost, statistics.reconnects, statistics.reordered), (0, 0, 0), "{statistics:?}");
    assert_eq!(engine.figures().unsent + engine.figures().panics, 0);
}
