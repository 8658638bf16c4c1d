//! A camera on a network in memory, and a clock that leaps.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::{Notify, Semaphore};

use super::*;
use crate::live::choose::Mode;
use crate::live::viewer::Presence;
use crate::net::pace::Pace;
use crate::testkit::fleet::clip::Clip;
use crate::testkit::fleet::rtp::Packetizer;
use crate::testkit::net::FakeNet;
use crate::wire::url::Endpoint;

const AT: &str = "192.0.2.10:554";

/// A camera that may be away: then it sends nothing more, and closes what connects.
#[derive(Clone)]
struct Camera {
    clip: Arc<Clip>,
    is_away: Arc<AtomicBool>,
    methods: Arc<Mutex<Vec<String>>>,
}

impl Camera {
    fn on(net: &FakeNet) -> Camera {
        let bytes = include_bytes!("../../../tests/data/media/camera_h264_1280x720_25fps.h264");
        let camera =
            Camera { clip: Arc::new(Clip::h264(bytes, 25.0)), is_away: Arc::default(), methods: Arc::default() };
        let serves = camera.clone();
        net.serve(AT, move |_, stream| serves.clone().serve(stream));
        camera
    }

    fn count(&self, method: &str) -> usize {
        self.methods.lock().unwrap().iter().filter(|m| *m == method).count()
    }

    fn is_away(&self) -> bool {
        self.is_away.load(Ordering::SeqCst)
    }

    async fn serve(self, mut stream: DuplexStream) {
        let mut packetizer = Packetizer::new(96);
        let mut frames = self.clip.frames.iter().cycle();
        let mut clock = tokio::time::interval(Duration::from_millis(40));
        let (mut heard, mut is_playing) = (Vec::new(), false);
        while !self.is_away() || is_playing {
            let mut chunk = [0; 4096];
            tokio::select! {
                read = stream.read(&mut chunk) => match read {
                    Ok(length @ 1..) if !self.is_away() => {
                        heard.extend_from_slice(&chunk[..length]);
                        is_playing |= self.answer(&mut heard, &mut stream).await;
                    }
                    Ok(1..) => {}
                    _ => return,
                },
                _ = clock.tick(), if is_playing => {
                    let packets = packetizer.packets(&self.clip, frames.next().unwrap());
                    for packet in packets.iter().filter(|_| !self.is_away()) {
                        let length = (packet.len() as u16).to_be_bytes();
                        let framed = [&[b'$', 0, length[0], length[1]], &packet[..]].concat();
                        let _ = stream.write_all(&framed).await;
                    }
                }
            }
        }
    }

    /// Answers the requests that are whole; whether one was PLAY.
    async fn answer(&self, heard: &mut Vec<u8>, stream: &mut DuplexStream) -> bool {
        let mut plays = false;
        loop {
            if let [b'$', _, high, low, rest @ ..] = &heard[..] {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if rest.len() < length {
                    return plays;
                }
                heard.drain(..4 + length);
                continue;
            }
            let Some(end) = heard.windows(4).position(|w| w == b"\r\n\r\n") else { return plays };
            let head = String::from_utf8(heard.drain(..end + 4).collect()).unwrap();
            let method = head.split(' ').next().unwrap().to_owned();
            let cseq = head.lines().find_map(|l| l.strip_prefix("CSeq: ")).unwrap();
            let sdp =
                "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n";
            let (headers, body) = match method.as_str() {
                "DESCRIBE" => (format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", sdp.len()), sdp),
                "SETUP" => ("Transport: RTP/AVP/TCP;interleaved=0-1\r\nSession: 5;timeout=60\r\n".to_owned(), ""),
                _ => ("Session: 5\r\n".to_owned(), ""),
            };
            plays |= method == "PLAY";
            self.methods.lock().unwrap().push(method);
            let answer = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{headers}\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }
}

/// A stream of that camera, and its source at work.
fn started(net: &FakeNet) -> (Arc<Stream>, watch::Sender<bool>) {
    let dialer = Dialer::new(Arc::new(net.clone()), Arc::new(Pace::new(None)), 8, 8);
    let places = Arc::new(Semaphore::new(1));
    let shared = Shared { dialer: Arc::new(dialer), farewells: Farewells::default(), places };
    let source = StreamSource {
        id: "a".to_owned(),
        ip: "192.0.2.10".parse().unwrap(),
        url: Endpoint::plain(554).rtsp("/live"),
        transport: Transport::Tcp,
        logins: Logins::new(0),
        always_on: false,
        siblings: Vec::new(),
        declared: None,
    };
    let (stream, always_on) = (Stream::new("a".to_owned(), Arc::new(Notify::new())), watch::Sender::new(false));
    let source = Source::new(&source, stream.clone(), &shared, always_on.subscribe(), CancellationToken::new());
    tokio::spawn(source.run());
    (stream, always_on)
}

fn viewer(stream: &Arc<Stream>) -> Presence {
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    Presence::new(stream.clone(), Mode::Mse, place)
}

async fn becomes(stream: &Stream, state: State) {
    let mut condition = stream.condition();
    let change = condition.wait_for(|now| now.state == state);
    tokio::time::timeout(Duration::from_secs(60), change).await.expect("in time").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_lasts_from_the_first_viewer_until_some_time_after_the_last() {
    let net = FakeNet::new();
    let camera = Camera::on(&net);
    let (stream, always_on) = started(&net);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(camera.count("DESCRIBE"), 0, "nobody watches");
    let (one, two) = (viewer(&stream), viewer(&stream));
    becomes(&stream, State::Live).await;
    drop(one);
    tokio::time::sleep(Duration::from_secs(60)).await;
    drop(two);
    tokio::time::sleep(IDLE_TIME - Duration::from_secs(1)).await;
    assert_eq!((camera.count("PLAY"), camera.count("TEARDOWN")), (1, 0));
    let again = viewer(&stream);
    tokio::time::sleep(Duration::from_secs(60)).await;
    drop(again);
    becomes(&stream, State::Idle).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((camera.count("PLAY"), camera.count("TEARDOWN")), (1, 1), "one session for all three");
    always_on.send_replace(true);
    becomes(&stream, State::Live).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((camera.count("PLAY"), camera.count("TEARDOWN")), (2, 1));
    let statistics = stream.statistics(Instant::now().into_std());
    assert!((24.0..26.0).contains(&statistics.fps), "{statistics:?}");
    assert_eq!((statistics.lost, statistics.last_error), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_went_silent_is_missed_and_its_picture_is_back_within_three_seconds_of_it() {
    let net = FakeNet::new();
    let camera = Camera::on(&net);
    let (stream, _always_on) = started(&net);
    let _viewer = viewer(&stream);
    becomes(&stream, State::Live).await;
    for away in [2, 17, 61, 600] {
        let before = stream.statistics(Instant::now().into_std()).reconnects;
        let left = Instant::now();
        camera.is_away.store(true, Ordering::SeqCst);
        if away > 6 {
            becomes(&stream, State::Away).await;
            assert!(left.elapsed() < Duration::from_secs(7), "missed after {:?}", left.elapsed());
        }
        tokio::time::sleep_until(left + Duration::from_secs(away)).await;
        camera.is_away.store(false, Ordering::SeqCst);
        let back = Instant::now();
        becomes(&stream, State::Live).await;
        assert!(back.elapsed() <= Duration::from_secs(3), "{:?} after it was away for {away} s", back.elapsed());
        // It was away for less time than it takes to be missed.
        let reconnects = stream.statistics(Instant::now().into_std()).reconnects - before;
        assert_eq!(reconnects, u64::from(away > 6));
        tokio::time::sleep(Duration::from_secs(40)).await;
    }
}
