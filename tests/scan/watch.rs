//! Watching: what is told when cameras go, come back, move and change, on a network in memory whose clock runs as fast as
//! it can.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use camscan::history::memory::{DeviceState, Memory};
use camscan::history::schedule::{CheckPlan, Schedule};
use camscan::identify::signature::Signatures;
use camscan::model::memory::{Event, EventKind, Keep, Uid};
use camscan::model::{Credential, MacAddr, ProbeOptions, ScanPlan, ScanStatus, TargetSet};
use camscan::scan::session::Session;
use camscan::store::{EventFilter, Open, Slot, Store, StoreError, WatchLock};
use camscan::testkit::clock;
use camscan::testkit::net::FakeNet;
use camscan::watch::{Follower, Job, News, OnAir, Order, ScanEnd, Watch};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::plan;
use super::servers::Camera;

/// What was told.
#[derive(Default)]
struct Heard(Mutex<Vec<Event>>, Mutex<Vec<String>>, Mutex<Option<OnAir>>);

impl Follower for Heard {
    fn events(&self, events: &[(i64, Event)]) {
        self.0.lock().unwrap().extend(events.iter().map(|(_, event)| event.clone()));
    }

    fn state(&self, _: &Memory, _: Timestamp) {}

    fn news(&self, news: &News<'_>) {
        let in_short = match news {
            News::ScanBegun(order) => format!("begun {}", order.id),
            News::ScanEnded(id, ScanEnd::Learnt { number, status, found }) => {
                format!("ended {id}: {status}, {found}, {}", if number.is_some() { "kept" } else { "not kept" })
            }
            News::ScanEnded(id, end) => format!("ended {id}: {end:?}"),
            News::Checked(_, key) => format!("checked {key}"),
            News::Asked(_, answered) => format!("asked: {answered}"),
            News::ScanProgress(..) | News::HostUp(..) | News::DeviceFound(..) | News::Picture(..) => return,
        };
        self.1.lock().unwrap().push(in_short);
    }

    fn on_air(&self, _: &Uid, _: &str) -> Option<OnAir> {
        *self.2.lock().unwrap()
    }
}

/// A place that is watched.
pub struct Place {
    pub net: FakeNet,
    heard: Arc<Heard>,
    pub store: Store,
    pub orders: mpsc::Sender<Order>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), StoreError>>,
    _folder: TempDir,
}

pub fn job(logins: &[(&str, &str)]) -> Job {
    let credentials = logins.iter().map(|(user, password)| Credential::new(*user, *password)).collect();
    let probe = ProbeOptions { credentials, measure_time: Duration::from_millis(500), ..plan().probe };
    Job {
        targets: vec!["192.0.2.2-192.0.2.254".parse().unwrap()],
        allowed: Vec::new(),
        exclude: Vec::new(),
        large_subnets: false,
        plan: ScanPlan { targets: TargetSet::default(), probe, resolve_names: false, ..plan() },
        scans: Schedule::every(SignedDuration::from_hours(6)),
        checks: Some(CheckPlan::every(SignedDuration::from_mins(5))),
        concurrency: 8,
        metrics: None,
        keep: KEEP,
    }
}

/// Checks by the hour are kept for a day.
const KEEP: Keep =
    Keep { events: None, scans: None, hourly: Some(SignedDuration::from_hours(24)), daily: None, outbox: None };

/// The MAC address of the nth camera: one that a maker gave.
pub fn mac(n: u8) -> MacAddr {
    MacAddr([0x44, 0x19, 0xb6, 0, 0, n])
}

impl Place {
    /// With cameras at these addresses, watched by a job.
    pub async fn with(hosts: &[u8], job: Job) -> Place {
        Place::with_camera(job, |net| hosts.iter().for_each(|n| camera(net, *n, *n, |camera| camera))).await
    }

    /// With what is put on its network, watched by a job.
    pub async fn with_camera(job: Job, put: impl FnOnce(&FakeNet)) -> Place {
        let net = FakeNet::subnet();
        // In memory where there is such a folder: the days of these tests are short, and each check is written.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        put(&net);
        let (orders, receiver) = mpsc::channel(4);
        let (heard, stop) = (Arc::new(Heard::default()), CancellationToken::new());
        let session = Session::new(Arc::new(net.clone()), Signatures::builtin(), clock::now, 512);
        let watch = Watch {
            session,
            store: store.clone(),
            route: Arc::new(()),
            follower: heard.clone(),
            pictures: None,
            lock: WatchLock::take(&store, "this test").unwrap(),
        };
        let task = tokio::spawn(watch.run(job, receiver, stop.clone()));
        let place = Place { net, heard, store, orders, stop, task, _folder: folder };
        place.pass(2).await;
        place
    }

    /// Lets minutes pass.
    pub async fn pass(&self, minutes: u64) {
        tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
        assert!(!self.task.is_finished(), "watching has ended");
    }

    /// What was told since this was asked last, in short: what would be sent.
    pub fn told(&self) -> Vec<&'static str> {
        self.sent().iter().map(|event| event.kind.as_str()).collect()
    }

    /// The same, with all that is said.
    pub fn sent(&self) -> Vec<Event> {
        let events = std::mem::take(&mut *self.heard.0.lock().unwrap());
        events.into_iter().filter(|event| event.muted_by.is_none()).collect()
    }

    /// What was under way since this was asked last.
    pub fn news(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.1.lock().unwrap())
    }

    /// Ends watching.
    pub async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        assert_eq!(self.net.streams.open_now(), 0, "connections were left open");
    }
}

/// Puts camera `n` at an address.
pub fn camera(net: &FakeNet, host: u8, n: u8, with: impl FnOnce(Camera) -> Camera) {
    let ip = format!("192.0.2.{host}");
    with(Camera::new(&ip)).on(net);
    net.links.mac(&ip, mac(n));
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_goes_and_comes_back_is_told_of_once_each() {
    let place = Place::with(&[10, 11, 12], job(&[])).await;
    assert_eq!(place.told(), ["scan.finished"]);
    place.pass(30).await;
    assert_eq!(place.told(), [""; 0]);
    place.net.host_down("192.0.2.10");
    place.pass(30).await;
    assert_eq!(place.told(), ["device.offline"]);
    place.pass(400).await;
    assert_eq!(place.told(), [""; 0]);
    camera(&place.net, 10, 10, |camera| camera);
    place.pass(30).await;
    assert_eq!(place.told(), ["device.online"]);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_right_puts_off_neither_scans_nor_messages() {
    for ahead in [24, 366 * 24] {
        clock::set_ahead(SignedDuration::from_hours(ahead));
        let place = Place::with(&[10, 11, 12], job(&[])).await;
        assert_eq!(place.told(), ["scan.finished"]);
        clock::set_ahead(SignedDuration::ZERO);
        place.pass(5).await;
        place.net.host_down("192.0.2.10");
        place.pass(15).await;
        assert_eq!(place.told(), ["device.offline"], "{ahead} hours");
        place.news();
        place.pass(6 * 60 + 10).await;
        assert!(place.news().iter().any(|line| line.starts_with("begun")), "{ahead} hours");
        place.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_before_the_clock_is_set_ahead_counts_no_more() {
    for is_back in [true, false] {
        let place = Place::with(&[10, 11, 12], job(&[])).await;
        place.pass(30).await;
        place.told();
        place.net.host_down("192.0.2.10");
        let misses = || place.store.memory().unwrap().find("192.0.2.10").unwrap().health.misses;
        for _ in 0..120 {
            if misses() < 2 {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
        assert_eq!(misses(), 2);
        clock::set_ahead(SignedDuration::from_hours(2));
        tokio::time::sleep(Duration::from_secs(90)).await;
        if is_back {
            camera(&place.net, 10, 10, |camera| camera);
        }
        place.pass(10).await;
        assert_eq!(place.told(), if is_back { vec![] } else { vec!["device.offline"] });
        place.end().await;
        clock::set_ahead(SignedDuration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_told_of_to_nobody() {
    let place = Place::with(&[10, 11, 12], job(&[])).await;
    place.pass(30).await;
    place.told();
    for _ in 0..3 {
        place.net.host_down("192.0.2.10");
        tokio::time::sleep(Duration::from_secs(90)).await;
        camera(&place.net, 10, 10, |camera| camera);
        place.pass(70).await;
    }
    assert_eq!(place.told(), [""; 0]);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_is_told_of_once_and_when_it_works_again() {
    let place = Place::with(&[10, 11, 12], job(&[])).await;
    place.pass(30).await;
    place.told();
    // It answers as before, and sends nothing.
    camera(&place.net, 10, 10, |camera| Camera { play_takes: None, ..camera });
    place.pass(40).await;
    assert_eq!(place.told(), ["stream.broken"]);
    place.pass(60).await;
    assert_eq!(place.told(), [""; 0]);
    camera(&place.net, 10, 10, |camera| camera);
    place.pass(40).await;
    assert_eq!(place.told(), ["stream.repaired"]);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_camera_at_another_address_is_the_same_one() {
    let place = Place::with(&[10, 11, 12], job(&[])).await;
    place.pass(30).await;
    place.told();
    place.net.host_down("192.0.2.10");
    camera(&place.net, 77, 10, |camera| camera);
    place.pass(1).await;
    place.orders.send(Order::ScanNow).await.unwrap();
    place.pass(30).await;
    assert_eq!(place.told(), ["device.moved"]);
    let memory = place.store.memory().unwrap();
    let known: Vec<_> = memory.roots().map(|known| (known.device.ip, known.device.mac, &known.keys)).collect();
    assert_eq!(known.len(), 3, "{known:#?}");
    assert_eq!(memory.find("192.0.2.77").unwrap().device.mac, Some(mac(10)));
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_answers_where_a_camera_was_that_is_exchanged_is_the_new_one() {
    let place = Place::with(&[10, 11, 12], job(&[])).await;
    place.pass(30).await;
    place.told();
    camera(&place.net, 10, 99, |camera| camera);
    place.orders.send(Order::ScanNow).await.unwrap();
    place.pass(10).await;
    assert_eq!(place.told(), ["device.replaced"]);
    // Neither the scans that follow nor the checks take the new one for the old one.
    place.pass(8 * 60).await;
    assert_eq!(place.told(), [""; 0]);
    let memory = place.store.memory().unwrap();
    let state = |n: u8| memory.find(&mac(n).to_string()).unwrap().health.state;
    assert_eq!((state(10), state(99)), (DeviceState::Offline, DeviceState::Online));
    // It is put to another place.
    camera(&place.net, 40, 10, |camera| camera);
    place.orders.send(Order::ScanNow).await.unwrap();
    place.pass(10).await;
    assert_eq!(place.told(), ["device.moved"]);
    assert_eq!(place.store.memory().unwrap().find("192.0.2.40").unwrap().health.state, DeviceState::Online);
    place.end().await;
}

/// Nor does what it serves say anything of the streams of the old one, until a scan has found out who it is.
#[tokio::test(start_paused = true)]
async fn what_answers_where_a_camera_was_says_nothing_of_its_streams() {
    let place = Place::with_camera(job(&[("admin", "right")]), |net| {
        (10..=12).for_each(|n| camera(net, n, n, |camera| Camera { login: Some("admin:right".to_owned()), ..camera }));
    })
    .await;
    place.pass(30).await;
    place.told();
    // One that needs no login.
    camera(&place.net, 10, 99, |camera| camera);
    place.pass(30).await;
    // The old one does not answer.
    assert_eq!(place.told(), ["device.offline"]);
    place.orders.send(Order::ScanNow).await.unwrap();
    place.pass(10).await;
    assert_eq!(place.told(), ["device.replaced"]);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_password_that_is_set_is_told_of_once() {
    let place = Place::with(&[10, 11, 12], job(&[("admin", "right")])).await;
    place.pass(30).await;
    place.told();
    camera(&place.net, 10, 10, |camera| Camera { login: Some("admin:right".to_owned()), ..camera });
    // A check finds it first, and then a scan.
    place.pass(10).await;
    place.orders.send(Order::ScanNow).await.unwrap();
    place.pass(7 * 60).await;
    assert_eq!(place.told(), ["stream.protected"]);
    // And a scan first.
    camera(&place.net, 11, 11, |camera| Camera { login: Some("admin:right".to_owned()), ..camera });
    place.orders.send(Order::ScanNow).await.unwrap();
    place.pass(7 * 60).await;
    assert_eq!(place.told(), ["stream.protected"]);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_rests_until_somebody_acts() {
    let place = Place::with(&[], job(&[("admin", "right")])).await;
    camera(&place.net, 10, 10, |camera| Camera { login: Some("admin:right".to_owned()), ..camera });
    camera(&place.net, 11, 11, |camera| camera);
    place.orders.send(Order::ScanNow).await.unwrap();
    place.pass(30).await;
    place.told();
    assert_eq!(place.store.memory().unwrap().find("192.0.2.10").unwrap().health.state, DeviceState::Online);
    // Somebody gave it another password.
    camera(&place.net, 10, 10, |camera| Camera { login: Some("admin:other".to_owned()), ..camera });
    let before = place.net.asked_of("192.0.2.10").iter().filter(|asked| asked.has_login()).count();
    place.pass(3 * 24 * 60).await;
    let refused = place.net.asked_of("192.0.2.10").iter().filter(|asked| asked.has_login()).count() - before;
    assert!((1..=2).contains(&refused), "{refused} logins were sent");
    let told = place.told();
    assert_eq!(told.iter().filter(|kind| **kind == "login.refused").count(), 1, "{told:?}");
    // The password is right again, and the user says so.
    camera(&place.net, 10, 10, |camera| Camera { login: Some("admin:right".to_owned()), ..camera });
    place.pass(60).await;
    assert_eq!(place.told(), [""; 0]);
    let known = place.store.memory().unwrap().find("192.0.2.10").unwrap().clone();
    let uid = known.uid.clone();
    place.store.update(|memory| (memory.retry_login(&uid), Vec::new()), &()).unwrap();
    place.store.forget_refusals(&known, clock::now()).unwrap();
    place.pass(60).await;
    let told = place.told();
    let memory = place.store.memory().unwrap();
    let streams: Vec<_> = memory.devices[&uid].streams.values().map(|known| &known.stream).collect();
    assert!(told.contains(&"login.accepted"), "{told:?} {streams:#?} {:?}", memory.devices[&uid].login);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn when_this_machine_loses_its_link_nobody_is_told_that_cameras_are_gone() {
    let place = Place::with(&[10, 11, 12, 13, 14], job(&[])).await;
    place.pass(30).await;
    place.told();
    for host in 10..15 {
        place.net.host_down(&format!("192.0.2.{host}"));
    }
    place.pass(60).await;
    let told = place.told();
    assert!(!told.contains(&"device.offline"), "{told:?}");
    for host in 10..15 {
        camera(&place.net, host, host, |camera| camera);
    }
    place.pass(400).await;
    let told = place.told();
    assert!(!told.contains(&"device.offline") && !told.contains(&"device.online"), "{told:?}");
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_old_goes_while_it_is_watched() {
    let place =
        Place::with(&[10], Job { checks: Some(CheckPlan::every(SignedDuration::from_mins(30))), ..job(&[]) }).await;
    place.pass(3 * 24 * 60).await;
    let memory = place.store.memory().unwrap();
    let known = memory.roots().next().unwrap();
    let key = known.streams.keys().next().unwrap();
    let of = |slot| place.store.rollups(&known.uid, key, slot, Timestamp::UNIX_EPOCH).unwrap();
    let (hours, days) = (of(Slot::Hour), of(Slot::Day));
    assert!((20..=27).contains(&hours.len()), "{}", hours.len());
    let checks: u32 = days.iter().map(|day| day.checks).sum();
    assert!((140..=145).contains(&checks) && days.iter().all(|day| day.bad == 0), "{days:#?}");
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_process_watches_at_a_time() {
    let place = Place::with(&[10], job(&[])).await;
    let refused = WatchLock::take(&place.store, "another");
    assert!(matches!(&refused, Err(StoreError::Watched { by, .. }) if by == "this test"), "{refused:?}");
    // Its file may be removed, and another process begin meanwhile: this one ends.
    let file = format!("{}-watch", place.store.file().display());
    std::fs::remove_file(&file).unwrap();
    place.pass(2).await;
    assert_eq!(place.store.watched_by().as_deref(), Some("this test"));
    std::fs::remove_file(&file).unwrap();
    let _other = WatchLock::take(&place.store, "another").unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(120), place.task).await.unwrap().unwrap();
    assert!(matches!(&ended, Err(StoreError::Watched { by, .. }) if by == "another"), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_device_is_asked_by_one_check_at_a_time() {
    let place = Place::with(&[10, 11, 12, 13], Job { concurrency: 2, ..job(&[]) }).await;
    place.pass(60).await;
    for host in 10..14 {
        let most = place.net.streams.most_of_host(&format!("192.0.2.{host}"));
        assert!(most <= 4, "{most} connections to one camera");
    }
    let checks = place.store.events(&EventFilter { kinds: vec![EventKind::StreamBroken], ..EventFilter::default() });
    assert_eq!(checks.unwrap(), []);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_somebody_watches_is_checked_without_another_session() {
    let place = Place::with(&[10], job(&[])).await;
    let sessions = |place: &Place| place.net.connections("192.0.2.10:554");
    place.pass(20).await;
    let before = sessions(&place);
    place.pass(20).await;
    assert!(sessions(&place) > before, "checks open sessions");
    *place.heard.2.lock().unwrap() = Some(OnAir { fps: 12.5, kbps: 800, offers_digest: false });
    place.pass(10).await;
    let before = sessions(&place);
    place.pass(60).await;
    assert_eq!(sessions(&place), before);
    let memory = place.store.memory().unwrap();
    let stream = memory.roots().next().unwrap().streams.values().next().unwrap();
    let video = stream.stream.video.clone().unwrap();
    assert_eq!((video.measured_fps, video.measured_kbps), (Some(12.5), Some(800)));
    assert!(stream.last_ok.unwrap() > clock::now() - SignedDuration::from_mins(7));
    assert_eq!(place.told().iter().filter(|kind| kind.starts_with("stream.")).count(), 0);
    // Nobody watches any more: it is asked again.
    *place.heard.2.lock().unwrap() = None;
    place.pass(20).await;
    assert!(sessions(&place) > before);
    place.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_the_end_interrupts_is_kept_as_such_and_made_again() {
    let place = Place::with(&[10, 11, 12], job(&[])).await;
    place.pass(30).await;
    place.news();
    place.orders.send(Order::ScanNow).await.unwrap();
    // It has begun, and has not come far.
    while !place.news().iter().any(|line| line.starts_with("begun")) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    place.stop.cancel();
    place.task.await.unwrap().unwrap();
    let last = place.store.scans(9).unwrap();
    assert_eq!((last.len(), last[0].status), (2, ScanStatus::Interrupted), "{last:?}");
    let ended = std::mem::take(&mut *place.heard.1.lock().unwrap());
    assert!(ended.iter().any(|line| line.contains(": interrupted, ") && line.ends_with(", kept")), "{ended:?}");
    let events = place.store.events(&EventFilter::default()).unwrap();
    // Nobody has gone because nobody was asked.
    assert!(events.iter().all(|found| found.event.kind != EventKind::DeviceOffline), "{events:?}");
    // The next process does not wait until a scan is due.
    let (_orders, receiver) = mpsc::channel(4);
    let watch = Watch {
        session: Session::new(Arc::new(place.net.clone()), Signatures::builtin(), clock::now, 512),
        store: place.store.clone(),
        route: Arc::new(()),
        follower: place.heard.clone(),
        pictures: None,
        lock: WatchLock::take(&place.store, "this test again").unwrap(),
    };
    let stop = CancellationToken::new();
    let task = tokio::spawn(watch.run(job(&[]), receiver, stop.clone()));
    tokio::time::sleep(Duration::from_secs(120)).await;
    let last = place.store.scans(9).unwrap();
    assert_eq!((last.len(), last[0].status), (3, ScanStatus::Complete), "{last:?}");
    stop.cancel();
    task.await.unwrap().unwrap();
}
