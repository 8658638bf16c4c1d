//! The messages of a process that watches: couriers for the channels of the configuration, reminders of what lasts, and the
//! state of devices at brokers of MQTT.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::history::memory::{Known, KnownStream, Memory, StreamState};
use crate::model::memory::{Event, EventKind, Outbox};
use crate::model::notify::{DeviceView, Notifications, StreamView};
use crate::notify::courier::Bell;
use crate::notify::{Channels, Courier, Deliver, Message, Outcome, Rules, Style, still_open};
use crate::store::{EventFilter, OutboxFilter, Store, StoreError};

/// How often it is looked whether somebody is to be reminded.
const REMIND_EVERY: Duration = Duration::from_secs(300);
/// A problem that began longer ago is not told again.
const PROBLEMS_OF: SignedDuration = SignedDuration::from_hours(24 * 60);
/// Messages that are looked at for whether somebody was reminded already.
const MOST_SENT: usize = 5_000;

/// Tries to deliver messages, by channel and result. Clones are the same count.
#[derive(Debug, Clone, Default)]
pub(super) struct Deliveries(Arc<Mutex<BTreeMap<(String, String), u64>>>);

impl Deliveries {
    /// So far.
    pub(super) fn now(&self) -> BTreeMap<(String, String), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, channel: &str, outcome: &Outcome) {
        let result = match outcome {
            Outcome::Done { .. } => "done",
            Outcome::Retry { .. } => "retry",
            Outcome::Dead { .. } => "dead",
            Outcome::ChannelOff { .. } => "off",
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((channel.to_owned(), result.to_owned())).or_default();
        *count = count.saturating_add(1);
    }
}

/// Delivers, and counts what became of it.
struct Counted {
    channels: Arc<Channels>,
    deliveries: Deliveries,
}

impl Deliver for Counted {
    fn deliver<'a>(&'a self, channel: &'a str, message: &'a Message) -> BoxFuture<'a, Outcome> {
        async move {
            let outcome = self.channels.deliver(channel, message).await;
            self.deliveries.count(channel, &outcome);
            outcome
        }
        .boxed()
    }
}

/// Messages under way.
pub(super) struct Messages {
    channels: Arc<Channels>,
    bell: Bell,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Messages {
    /// Begins to deliver what waits in the store.
    pub(super) fn start(
        notifications: &Notifications,
        rules: Arc<Rules>,
        store: &Store,
        deliveries: &Deliveries,
    ) -> Messages {
        let channels = Arc::new(Channels::open(notifications, &instance(store)));
        let names: Vec<String> = channels.names().map(str::to_owned).collect();
        let style = Style { public_url: notifications.public_url.clone(), zone: TimeZone::system() };
        let (reporting, its_rules) = (store.clone(), rules.clone());
        let report = Arc::new(move |event: Event| {
            let (store, rules) = (reporting.clone(), its_rules.clone());
            // The disk is waited for beside the courier.
            tokio::task::spawn_blocking(move || {
                if let Err(error) = store.update(|_| ((), vec![event]), rules.as_ref()) {
                    tracing::warn!("the state of a channel cannot be stored: {error}");
                }
            });
        });
        let outbox: Arc<dyn Outbox> = Arc::new(store.clone());
        let deliver: Arc<dyn Deliver> =
            Arc::new(Counted { channels: channels.clone(), deliveries: deliveries.clone() });
        let courier = Courier::new(outbox, deliver, names, style, report).with_failing(failing(store));
        let (bell, stop) = (courier.bell(), CancellationToken::new());
        let reminders = remind(store.clone(), rules, bell.clone(), stop.clone());
        let tasks = vec![tokio::spawn(courier.run(stop.clone())), tokio::spawn(reminders)];
        Messages { channels, bell, stop, tasks }
    }

    /// There may be something new to send.
    pub(super) fn ring(&self) {
        self.bell.ring();
    }

    /// Shows how devices are at the brokers.
    pub(super) fn show(&self, memory: &Memory) {
        if self.channels.bridges().next().is_none() {
            return;
        }
        let is_listed = |known: &Known| known.archived_at.is_none() && known.merged_into.is_none();
        let devices: Vec<DeviceView> = memory.roots().filter(|known| is_listed(known)).map(view).collect();
        let gone: Vec<DeviceView> = memory.devices.values().filter(|known| !is_listed(known)).map(view).collect();
        for bridge in self.channels.bridges() {
            bridge.show(devices.clone(), gone.clone());
        }
    }

    /// Ends delivery. What is under way may take a few seconds; what is not delivered waits in the store.
    pub(super) async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            // A panic in a task has been logged.
            let _ = task.await;
        }
        self.channels.close().await;
    }
}

/// What this camscan is called at brokers: the same as long as its store is where it is.
fn instance(store: &Store) -> String {
    let digest = Sha256::digest(store.file().as_os_str().as_encoded_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// The channels that were told of to fail and not to work again.
fn failing(store: &Store) -> Vec<String> {
    let kinds = vec![EventKind::ChannelFailing, EventKind::ChannelRecovered];
    let events = store.events(&EventFilter { kinds, ..EventFilter::default() }).unwrap_or_default();
    let open = still_open(events.into_iter().map(|stored| (stored.number, stored.event)));
    open.into_iter().filter_map(|(_, event)| event.data.channel).collect()
}

/// Tells those problems again that last, as the rules say.
async fn remind(store: Store, rules: Arc<Rules>, bell: Bell, stop: CancellationToken) {
    loop {
        if stop.run_until_cancelled(tokio::time::sleep(REMIND_EVERY)).await.is_none() {
            return;
        }
        let (store, rules) = (store.clone(), rules.clone());
        let reminded = tokio::task::spawn_blocking(move || remind_now(&store, &rules)).await;
        match reminded {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(_)) => bell.ring(),
            Ok(Err(error)) => tracing::warn!("nobody can be reminded: {error}"),
        }
    }
}

fn remind_now(store: &Store, rules: &Rules) -> Result<usize, StoreError> {
    let now = Timestamp::now();
    let since = now.checked_sub(PROBLEMS_OF).ok();
    let events = store.events(&EventFilter { since, ..EventFilter::default() })?;
    let memory = store.memory()?;
    let mut problems = still_open(events.into_iter().map(|stored| (stored.number, stored.event)));
    problems.retain(|(_, event)| event.muted_by.is_none() && !is_known_of(&memory, event, now));
    if problems.is_empty() {
        return Ok(0);
    }
    let sent = store.outbox(&OutboxFilter { limit: Some(MOST_SENT), ..OutboxFilter::default() })?;
    let reminders = rules.remind(&problems, &sent, now);
    for reminder in &reminders {
        store.enqueue(reminder)?;
    }
    Ok(reminders.len())
}

/// Whether a user knows of a problem, or wants to hear nothing of its device.
fn is_known_of(memory: &Memory, event: &Event, now: Timestamp) -> bool {
    let Some(known) = event.device.as_ref().and_then(|uid| memory.find(uid.as_str())) else { return false };
    let acked = match event.stream.as_ref().and_then(|key| known.streams.get(key)) {
        Some(stream) => stream.health.acked,
        None => known.health.acked,
    };
    acked.is_some() || known.note.muted_until.is_some_and(|until| until > now)
}

fn view(known: &Known) -> DeviceView {
    let device = &known.device;
    DeviceView {
        uid: known.uid.clone(),
        name: known.note.name.clone().or_else(|| device.name.clone()).unwrap_or_else(|| device.ip.to_string()),
        site: known.note.site.clone(),
        ip: device.ip,
        mac: device.mac,
        page: device.page_url(),
        vendor: device.vendor.clone(),
        model: device.model.clone(),
        firmware: device.firmware.clone(),
        online: known.health.state.is_online(),
        streams: known.streams.iter().filter(|(_, stream)| stream.gone_at.is_none()).map(stream_view).collect(),
        gone_streams: known
            .streams
            .iter()
            .filter(|(_, stream)| stream.gone_at.is_some())
            .map(|(key, _)| key.clone())
            .collect(),
        last_seen: Some(known.seen.last),
    }
}

fn stream_view((key, stream): (&String, &KnownStream)) -> StreamView {
    let fps = stream.stream.video.as_ref().and_then(|video| video.measured_fps);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
    let millifps = fps.map(|fps| (fps * 1000.0).round().clamp(0.0, f64::from(u32::MAX)) as u32);
    StreamView {
        key: key.clone(),
        name: stream.stream.profile_name.clone().unwrap_or_else(|| key.clone()),
        working: match stream.health.state {
            StreamState::Working | StreamState::Degraded => Some(true),
            StreamState::Broken => Some(false),
            StreamState::Described | StreamState::Busy | StreamState::Locked | StreamState::Unknown => None,
        },
        millifps,
    }
}
