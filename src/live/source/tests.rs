//! A camera on a network in memory, and a clock that leaps.

use std::sync::atomic::Ordering;

use tokio::sync::{Notify, Semaphore};

use super::camera::Camera;
use super::*;
use crate::live::choose::Mode;
use crate::live::viewer::Presence;
use crate::net::pace::Pace;
use crate::testkit::net::FakeNet;
use crate::wire::url::Endpoint;

/// A stream of that camera, and its source at work.
fn started(net: &FakeNet) -> (Arc<Stream>, watch::Sender<bool>) {
    begun(net, FIRST, Arc::default())
}

/// The same, whose clock begins at that time, and which rings that bell.
pub fn begun(net: &FakeNet, first: u64, bell: Arc<Notify>) -> (Arc<Stream>, watch::Sender<bool>) {
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
        login: None,
    };
    let (stream, always_on) = (Stream::new("a".to_owned(), bell), watch::Sender::new(false));
    let mut source = Source::new(&source, stream.clone(), &shared, always_on.subscribe(), CancellationToken::new());
    source.begins = first;
    tokio::spawn(source.run());
    (stream, always_on)
}

fn viewer(stream: &Arc<Stream>) -> Presence {
    present(stream, Mode::Mse)
}

/// Somebody who watches in that mode.
pub fn present(stream: &Arc<Stream>, mode: Mode) -> Presence {
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    Presence::new(stream.clone(), mode, place)
}

pub async fn becomes(stream: &Stream, state: State) {
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
