use std::sync::Mutex;

use futures::future::{BoxFuture, FutureExt as _};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::model::memory::Uid;
use crate::model::notify::{Channel, ChannelWay, Exec, Notifications};
use crate::notify::Rules;
use crate::testkit::outbox::MemoryOutbox;

/// What a receiver does at a point in time, counted in seconds from the beginning.
type Plan = dyn Fn(&str, i64, u32) -> Outcome + Send + Sync;

/// Receivers that follow a plan and remember what they took.
struct Receivers {
    plan: Box<Plan>,
    began: tokio::time::Instant,
    taken: Mutex<Vec<(String, i64, Message)>>,
    tries: Mutex<Vec<(String, i64, String)>>,
}

impl Receivers {
    fn new(plan: impl Fn(&str, i64, u32) -> Outcome + Send + Sync + 'static) -> Arc<Receivers> {
        let (taken, tries) = Default::default();
        Arc::new(Receivers { plan: Box::new(plan), began: tokio::time::Instant::now(), taken, tries })
    }

    fn seconds(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_secs()).unwrap()
    }

    fn titles(&self, channel: &str) -> Vec<(i64, String)> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|(to, ..)| to == channel).map(|(_, at, message)| (*at, message.title.clone())).collect()
    }
}

impl Deliver for Receivers {
    fn deliver<'a>(&'a self, channel: &'a str, message: &'a Message) -> BoxFuture<'a, Outcome> {
        async move {
            let at = self.seconds();
            let nth = {
                let mut tries = self.tries.lock().unwrap();
                tries.push((channel.to_owned(), at, message.id.clone()));
                u32::try_from(tries.iter().filter(|(to, ..)| to == channel).count()).unwrap()
            };
            if channel == "hangs" {
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
            let outcome = (self.plan)(channel, at, nth);
            if matches!(outcome, Outcome::Done { .. }) {
                self.taken.lock().unwrap().push((channel.to_owned(), at, message.clone()));
            }
            outcome
        }
        .boxed()
    }
}

const DONE: fn() -> Outcome = || Outcome::Done { answer: "200 OK".to_owned() };

/// A courier with its outbox, on simulated time.
struct World {
    outbox: Arc<MemoryOutbox>,
    rules: Rules,
    began: tokio::time::Instant,
    reports: Arc<Mutex<Vec<Event>>>,
    bell: Bell,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

fn epoch() -> Timestamp {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn after(began: tokio::time::Instant) -> Timestamp {
    epoch() + SignedDuration::try_from(began.elapsed()).unwrap()
}

impl World {
    fn start(channels: &[&str], receivers: Arc<Receivers>) -> World {
        World::over(Arc::default(), tokio::time::Instant::now(), channels, receivers)
    }

    /// One that begins with what another left.
    fn over(
        outbox: Arc<MemoryOutbox>,
        began: tokio::time::Instant,
        channels: &[&str],
        receivers: Arc<Receivers>,
    ) -> World {
        let exec = || ChannelWay::Exec(Exec { program: "true".to_owned(), arguments: Vec::new() });
        let channels: Vec<String> = channels.iter().map(|name| (*name).to_owned()).collect();
        let configured = channels.iter().map(|name| Channel { name: name.clone(), way: exec() }).collect();
        let plan = Notifications { channels: configured, ..Notifications::default() };
        let (stop, reports) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
        let style = Style { public_url: None, zone: TimeZone::UTC };
        let told = reports.clone();
        let report: Reporter = Arc::new(move |event| told.lock().unwrap().push(event));
        let clock: Clock = Arc::new(move || after(began));
        let courier = Courier::new(outbox.clone(), receivers, channels, style, report).with_clock(clock);
        let bell = courier.bell();
        let running = tokio::spawn(courier.run(stop.clone()));
        World { outbox, rules: Rules::new(&plan, TimeZone::UTC), began, reports, bell, stop, running }
    }

    fn tell(&self, kind: EventKind, device: u8) {
        let now = after(self.began);
        let event = Event { device: Some(Uid::of([device; 10])), ..Event::new(kind, now) };
        self.outbox.tell(vec![event], &self.rules, now);
        self.bell.ring();
    }

    fn states(&self) -> Vec<(String, DeliveryState, u32)> {
        self.outbox.deliveries().into_iter().map(|d| (d.channel, d.state, d.tries)).collect()
    }

    fn reported(&self) -> Vec<(EventKind, String)> {
        let reports = self.reports.lock().unwrap();
        reports.iter().map(|event| (event.kind, event.data.channel.clone().unwrap())).collect()
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_channel_delays_no_other() {
    let receivers = Receivers::new(|_, _, _| DONE());
    let world = World::start(&["hangs", "works"], receivers.clone());
    for device in 1..=3 {
        world.tell(EventKind::DeviceOffline, device);
        seconds(40).await;
    }
    assert_eq!(receivers.titles("works").len(), 3);
    assert_eq!(receivers.titles("hangs").len(), 0);
    // One that hangs for ever is not waited for when all is to stop.
    let began = tokio::time::Instant::now();
    world.end().await;
    assert!(began.elapsed() <= GRACE + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn three_dead_days_lose_nothing_and_tell_nothing_twice() {
    const DAYS: i64 = 3 * 24 * 3600;
    let receivers = Receivers::new(|channel, at, _| match channel {
        "dead" if at < DAYS => Outcome::retry("connection refused"),
        _ => DONE(),
    });
    let world = World::start(&["dead", "works"], receivers.clone());
    // A problem each hour, and its end each second hour.
    for hour in 0..80u8 {
        world.tell(EventKind::DeviceOffline, hour / 2);
        seconds(1800).await;
        if hour % 2 == 1 {
            world.tell(EventKind::DeviceOnline, hour / 2);
        }
        seconds(1800).await;
    }
    seconds(24 * 3600).await;
    let deliveries = world.outbox.deliveries();
    assert!(deliveries.iter().all(|d| d.state == DeliveryState::Done), "{:?}", world.states());
    for channel in ["dead", "works"] {
        let taken = receivers.taken.lock().unwrap();
        let taken: Vec<&Message> = taken.iter().filter(|(to, ..)| to == channel).map(|(.., message)| message).collect();
        let mut ids: Vec<&str> = taken.iter().map(|message| message.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), taken.len(), "twice by id");
        let mut told: Vec<i64> =
            deliveries.iter().filter(|d| d.channel == channel).flat_map(|d| d.events.clone()).collect();
        told.sort_unstable();
        assert_eq!(told, (1..=120).collect::<Vec<i64>>(), "every event once");
    }
    let late = receivers.titles("dead");
    assert!(late.len() < 60, "what piled up is told together: {}", late.len());
    assert!(late[0].0 < DAYS + 45 * 60, "soon after it is back: {}", late[0].0 - DAYS);
    let tries = receivers.tries.lock().unwrap().iter().filter(|(to, at, _)| to == "dead" && *at < DAYS).count();
    assert!(tries < 200, "a dead receiver is tried gently: {tries}");
    let failing = [EventKind::ChannelFailing, EventKind::ChannelRecovered].map(|kind| (kind, "dead".to_owned()));
    assert_eq!(world.reported(), failing);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_gets_the_pause_it_asks_for() {
    let receivers = Receivers::new(|_, _, nth| match nth {
        1 => Outcome::Retry { after: Some(SignedDuration::from_secs(120)), why: "429 Too Many Requests".to_owned() },
        _ => DONE(),
    });
    let world = World::start(&["a"], receivers.clone());
    world.tell(EventKind::DeviceOffline, 1);
    seconds(40).await;
    world.tell(EventKind::DeviceOffline, 2);
    seconds(600).await;
    let times: Vec<i64> = receivers.tries.lock().unwrap().iter().map(|(_, at, _)| *at).collect();
    assert_eq!(times.len(), 3);
    assert!(times[0] == 30 && times[1] >= 150 && times[2] >= 150, "{times:?}");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_kept_and_a_channel_that_is_off_is_left_alone() {
    let receivers = Receivers::new(|channel, _, nth| match (channel, nth) {
        ("off", _) => Outcome::ChannelOff { why: "410 Gone".to_owned() },
        (_, 1) => Outcome::dead("400 Bad Request"),
        _ => DONE(),
    });
    let world = World::start(&["off", "picky"], receivers.clone());
    for device in 1..=3 {
        world.tell(EventKind::DeviceOffline, device);
        seconds(300).await;
    }
    use DeliveryState::{Dead, Done, Waiting};
    let of = |channel: &str| -> Vec<(DeliveryState, u32)> {
        world.states().into_iter().filter(|(to, ..)| to == channel).map(|(_, state, tries)| (state, tries)).collect()
    };
    assert_eq!(of("off"), [(Dead, 1), (Waiting, 0)], "those behind it wait together");
    assert_eq!(of("picky"), [(Dead, 1), (Done, 1), (Done, 1)]);
    use EventKind::{ChannelFailing as Failing, ChannelRecovered as Recovered};
    let mut reported = world.reported();
    reported.sort();
    assert_eq!(reported, [(Failing, "off".into()), (Failing, "picky".into()), (Recovered, "picky".into())]);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_off_is_on_again_once_it_takes_what_is_sent_by_hand() {
    let receivers = Receivers::new(|_, at, _| match at {
        0..1_000 => Outcome::ChannelOff { why: "410 Gone".to_owned() },
        _ => DONE(),
    });
    let world = World::start(&["off"], receivers.clone());
    world.tell(EventKind::DeviceOffline, 1);
    seconds(300).await;
    world.tell(EventKind::DeviceOffline, 2);
    let tries = || receivers.tries.lock().unwrap().len();
    seconds(300).await;
    assert_eq!(tries(), 1, "what is new waits");
    // Sent again too soon it is refused again.
    let again = || {
        let mut first = world.outbox.deliveries().remove(0);
        assert_eq!(first.state, DeliveryState::Dead);
        (first.state, first.tries, first.due_at) = (DeliveryState::Waiting, 0, after(world.began));
        world.outbox.settle(&first).unwrap();
        world.bell.ring();
    };
    again();
    seconds(500).await;
    assert_eq!((tries(), receivers.titles("off").len()), (2, 0));
    again();
    seconds(60).await;
    assert_eq!(receivers.titles("off").len(), 2, "what waited behind it came as well");
    assert!(world.states().iter().all(|(_, state, _)| *state == DeliveryState::Done), "{:?}", world.states());
    let failing = (EventKind::ChannelFailing, "off".to_owned());
    assert_eq!(world.reported(), [failing, (EventKind::ChannelRecovered, "off".to_owned())]);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_ended_before_it_could_be_told_is_one_line() {
    let receivers = Receivers::new(|_, at, _| if at < 60 { Outcome::retry("no route") } else { DONE() });
    let world = World::start(&["a"], receivers.clone());
    world.tell(EventKind::DeviceNew, 9);
    seconds(32).await;
    // The first message is tried and stays as it is; these two wait behind it.
    world.tell(EventKind::DeviceOffline, 1);
    seconds(20).await;
    world.tell(EventKind::DeviceOnline, 1);
    seconds(600).await;
    let titles: Vec<String> = receivers.titles("a").into_iter().map(|(_, title)| title).collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(titles.iter().any(|title| title.contains("was offline 10:00–10:00")), "{titles:?}");
    world.end().await;
}

/// An outbox whose disk fails at times.
struct Failing(Arc<MemoryOutbox>, Mutex<fastrand::Rng>);

impl Failing {
    fn may_fail(&self) -> Result<(), OutboxError> {
        if self.1.lock().unwrap().u8(..3) == 0 { Err(OutboxError("the disk is full".to_owned())) } else { Ok(()) }
    }
}

impl Outbox for Failing {
    fn due(&self, channel: &str, now: Timestamp, limit: usize) -> Result<Vec<Delivery>, OutboxError> {
        self.may_fail()?;
        self.0.due(channel, now, limit)
    }

    fn next_due(&self, channel: &str) -> Result<Option<Timestamp>, OutboxError> {
        self.may_fail()?;
        self.0.next_due(channel)
    }

    fn settle(&self, delivery: &Delivery) -> Result<(), OutboxError> {
        self.may_fail()?;
        self.0.settle(delivery)
    }

    fn events_of(&self, delivery: &Delivery) -> Result<Vec<(i64, Event)>, OutboxError> {
        self.may_fail()?;
        self.0.events_of(delivery)
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_times_sends_nothing_twice() {
    let receivers = Receivers::new(|_, _, _| DONE());
    let (kept, began, stop) =
        (Arc::new(MemoryOutbox::default()), tokio::time::Instant::now(), CancellationToken::new());
    let exec = ChannelWay::Exec(Exec { program: "true".to_owned(), arguments: Vec::new() });
    let channels = vec![Channel { name: "a".to_owned(), way: exec }];
    let rules = Rules::new(&Notifications { channels, ..Notifications::default() }, TimeZone::UTC);
    let failing = Arc::new(Failing(kept.clone(), Mutex::new(fastrand::Rng::with_seed(7))));
    let style = Style { public_url: None, zone: TimeZone::UTC };
    let courier = Courier::new(failing, receivers.clone(), vec!["a".to_owned()], style, Arc::new(|_| {}))
        .with_clock(Arc::new(move || after(began)));
    let running = tokio::spawn(courier.run(stop.clone()));
    for device in 0..5 {
        let event = Event { device: Some(Uid::of([device; 10])), ..Event::new(EventKind::DeviceOffline, after(began)) };
        kept.tell(vec![event], &rules, after(began));
        seconds(900).await;
    }
    stop.cancel();
    running.await.unwrap();
    let taken = receivers.taken.lock().unwrap();
    let ids: std::collections::BTreeSet<&str> = taken.iter().map(|(_, _, message)| message.id.as_str()).collect();
    assert_eq!((taken.len(), ids.len()), (5, 5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// A receiver that fails as it likes, and couriers that end and begin as they like.
    #[test]
    fn whatever_fails_every_event_is_told_once(outcomes in prop::collection::vec(0u8..4, 1..40), ends in prop::collection::vec(1u64..4000, 0..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let receivers = Receivers::new(move |_, _, nth| match outcomes.get(usize::try_from(nth).unwrap() - 1) {
                Some(0) => Outcome::retry("503"),
                Some(1) => Outcome::Retry { after: Some(SignedDuration::from_secs(77)), why: "429".to_owned() },
                _ => DONE(),
            });
            let mut world = World::start(&["a"], receivers.clone());
            for device in 0..6u8 {
                world.tell(EventKind::DeviceOffline, device);
                if let Some(pause) = ends.get(usize::from(device)) {
                    seconds(*pause).await;
                    let (outbox, began) = (world.outbox.clone(), world.began);
                    world.end().await;
                    world = World::over(outbox, began, &["a"], receivers.clone());
                }
            }
            seconds(4 * 24 * 3600).await;
            let states = world.states();
            prop_assert!(states.iter().all(|(_, state, _)| *state == DeliveryState::Done), "{:?}", states);
            let taken = receivers.titles("a").len();
            prop_assert_eq!(taken, states.len());
            world.end().await;
            Ok(())
        })?;
    }
}
