//! `camscan watch`: scans again and again, plays streams in between, and tells what changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::messages::{Deliveries, Messages};
use super::ready::Ready;
use super::{interrupt, remembered};
use crate::cli::args::{Cli, EventFormat};
use crate::cli::beside::{Beside, Gap};
use crate::cli::config::environment::Environment;
use crate::cli::config::settings::Settings;
use crate::cli::exit::Exit;
use crate::cli::log::Secrets;
use crate::cli::ui::Ui;
use crate::history::memory::{DeviceState, Known, Memory};
use crate::metrics::Figures;
use crate::model::Credential;
use crate::model::memory::{Event, Uid};
use crate::model::problem::Problem;
use crate::notify::Rules;
use crate::scan::session::Session;
use crate::store::{Store, StoreError, WatchLock};
use crate::text::counted;
use crate::tool::systemd::Notifier;
use crate::watch::{Follower, Job, News, OnAir, Order, Watch};

/// Orders of signals that wait.
const ORDERS: usize = 8;
/// The most bytes of events that wait for the reader of standard output.
const MOST_WAITING: usize = 1 << 20;

/// Where the configuration comes from, each time it is read.
pub struct Source<'a> {
    /// The command line.
    pub cli: &'a Cli,
    /// The environment.
    pub environment: &'a Environment,
    /// What the log hides.
    pub secrets: Secrets,
}

/// Watches until it is told to end.
///
/// # Errors
/// Usage errors before anything is sent; later only that the store can no longer be written.
pub async fn run(
    source: Source<'_>,
    settings: &Settings,
    format: EventFormat,
    ready: Ready,
    ui: &Ui,
) -> anyhow::Result<Exit> {
    watch(source, settings, format, ready, ui, no_companion).await
}

/// What runs beside the loop and follows it: given the store, the session and where orders go.
pub(super) type Companion = Arc<dyn Follower>;

async fn no_companion(
    _: Store,
    _: Arc<Session>,
    _: mpsc::Sender<Order>,
    _: CancellationToken,
) -> anyhow::Result<Option<Companion>> {
    Ok(None)
}

/// Watches, with a companion that is begun before anything is scanned.
pub(super) async fn watch<B, F>(
    source: Source<'_>,
    settings: &Settings,
    format: EventFormat,
    ready: Ready,
    ui: &Ui,
    begin: B,
) -> anyhow::Result<Exit>
where
    B: FnOnce(Store, Arc<Session>, mpsc::Sender<Order>, CancellationToken) -> F,
    F: Future<Output = anyhow::Result<Option<Companion>>>,
{
    let environment = source.environment;
    let Ready { store, session, .. } = ready;
    ui.write_beside()?;
    let out = Arc::new(Beside::start(std::io::stdout(), MOST_WAITING, left_out(format))?);
    let Some(store) = store else {
        return Err(Problem::new("there is no store to keep what is found in")
            .hint("name a file: --store FILE")
            .into());
    };
    // Before anything is sent, asked or served, and until all of it has ended.
    let watch_lock = take_lock(&store, &name(environment)).await.map_err(remembered::failed)?;
    let stop = CancellationToken::new();
    interrupt::listen_to(&[SignalKind::interrupt(), SignalKind::terminate()], stop.clone(), ui)?;
    let (send, orders) = mpsc::channel(ORDERS);
    let notifier = Arc::new(notifier(environment));
    let rules = rules(settings);
    let deliveries = Deliveries::default();
    let messages = Messages::start(&settings.notifications, rules.clone(), &store, &deliveries);
    let companion = begin(store.clone(), session.clone(), send.clone(), stop.clone()).await?;
    let screen = Arc::new(Screen {
        companion,
        format,
        notifier: notifier.clone(),
        messages: Mutex::new(Some(messages)),
        deliveries,
        store: store.clone(),
        out: out.clone(),
    });
    let logins: Vec<Credential> = settings.logins().cloned().collect();
    let reloading = listen_for_orders(source, logins, send, screen.clone(), ui);
    let pictures = screen.companion.as_ref().map(|_| crate::watch::pictures::folder_of(&store));
    let follower = screen.clone();
    let watch = Watch { session, store, route: rules, follower, pictures, lock: watch_lock.clone() };
    notifier.ready();
    let done = tokio::select! {
        done = watch.run(job(settings), orders, stop) => done,
        broken = reloading => return Err(broken?),
    };
    notifier.stopping();
    let messages = lock(&screen.messages).take();
    if let Some(messages) = messages {
        messages.end().await;
    }
    // The reader may be gone, or never read again.
    let _ = out.end();
    drop(watch_lock);
    done.map(|()| Exit::Success).map_err(remembered::failed)
}

/// What stands among the events in place of those that nothing read. In JSON it is the numbers of the events, where one or
/// more are missing.
fn left_out(format: EventFormat) -> fn(u64) -> String {
    match format {
        EventFormat::Text => |count| format!("({} left out)\n", counted(count, "event", "events")),
        EventFormat::Json => |_| String::new(),
    }
}

/// What a configuration says about watching.
fn job(settings: &Settings) -> Job {
    Job {
        targets: settings.targets.clone(),
        allowed: settings.serve.allow_targets.clone(),
        exclude: settings.exclude.clone(),
        large_subnets: settings.large_subnets,
        plan: settings.plan.clone(),
        scans: settings.watch.scans.clone(),
        checks: settings.watch.checks,
        concurrency: settings.watch.check_concurrency,
        metrics: settings.watch.metrics.clone(),
        keep: settings.keep,
    }
}

/// Which messages tell which events. Without a channel there are none.
fn rules(settings: &Settings) -> Arc<Rules> {
    Arc::new(Rules::new(&settings.notifications, TimeZone::system()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a process that is ending is waited for.
const ENDING: Duration = Duration::from_secs(1);

/// The lock of the store. One that was started anew may come before its predecessor has ended.
async fn take_lock(store: &Store, name: &str) -> Result<WatchLock, StoreError> {
    let until = tokio::time::Instant::now() + ENDING;
    loop {
        // Its file is made in the store's folder, which may be another user's.
        match crate::net::with_file_rights(|| WatchLock::take(store, name)) {
            Err(StoreError::Watched { .. }) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            done => return done,
        }
    }
}

/// The name of this process, for another one.
fn name(environment: &Environment) -> String {
    let host = environment.get("HOSTNAME").map(str::to_owned);
    let host = host.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok()).unwrap_or_default();
    format!("process {} on {}", std::process::id(), crate::text::clean(host.trim()))
}

fn notifier(environment: &Environment) -> Notifier {
    let socket = environment.get("NOTIFY_SOCKET").map(std::ffi::OsStr::new);
    Notifier::new(socket, environment.get("WATCHDOG_USEC"), environment.get("WATCHDOG_PID"))
}

/// SIGHUP reads the configuration again, SIGUSR1 begins a scan. Ends only when a signal cannot be listened for. `logins` are
/// those the log hides: one that a new configuration lacks was in use a moment ago.
async fn listen_for_orders(
    source: Source<'_>,
    mut logins: Vec<Credential>,
    orders: mpsc::Sender<Order>,
    screen: Arc<Screen>,
    ui: &Ui,
) -> std::io::Result<anyhow::Error> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut user = signal(SignalKind::user_defined1())?;
    loop {
        let order = tokio::select! {
            _ = hangup.recv() => {
                screen.notifier.reloading();
                let order = match Settings::resolve(source.cli, source.environment) {
                    Ok(settings) => {
                        let new: Vec<Credential> =
                            settings.logins().filter(|login| !logins.contains(login)).cloned().collect();
                        logins.extend(new);
                        source.secrets.replace(crate::identify::redactor(&logins));
                        reload(&settings, &screen, ui).await
                    }
                    Err(problem) => {
                        let problem = anyhow::Error::from(problem);
                        ui.error(&problem.context("the configuration is not valid, so everything stays as it was"));
                        Order::ReloadFailed
                    }
                };
                screen.notifier.ready();
                order
            }
            _ = user.recv() => Order::ScanNow,
        };
        if orders.send(order).await.is_err() {
            // The loop has ended, and this ends with it.
            std::future::pending::<()>().await;
        }
    }
}

async fn reload(settings: &Settings, screen: &Screen, ui: &Ui) -> Order {
    settings.warnings.iter().for_each(|warning| ui.warning(warning));
    let rules = rules(settings);
    screen.replace_messages(settings, rules.clone()).await;
    ui.note("the configuration was read again");
    Order::Reload(Box::new(job(settings)), rules)
}

/// Prints events as they happen, and tells systemd how it stands.
struct Screen {
    companion: Option<Companion>,
    format: EventFormat,
    notifier: Arc<Notifier>,
    messages: Mutex<Option<Messages>>,
    deliveries: Deliveries,
    store: Store,
    out: Arc<Beside>,
}

impl Screen {
    /// Delivers by the channels of another configuration from now on.
    async fn replace_messages(&self, settings: &Settings, rules: Arc<Rules>) {
        let old = lock(&self.messages).take();
        if let Some(old) = old {
            old.end().await;
        }
        let new = Messages::start(&settings.notifications, rules, &self.store, &self.deliveries);
        *lock(&self.messages) = Some(new);
        if let Some(companion) = &self.companion {
            companion.told_by(&settings.notifications);
        }
    }
}

impl Follower for Screen {
    fn events(&self, events: &[(i64, Event)]) {
        if let Some(messages) = &*lock(&self.messages) {
            messages.ring();
        }
        if let Some(companion) = &self.companion {
            companion.events(events);
        }
        for (number, event) in events {
            let line = match self.format {
                EventFormat::Text => line(event),
                EventFormat::Json => numbered(*number, event).to_string(),
            };
            match self.out.send(format!("{line}\n").into_bytes()) {
                Gap::None => {}
                Gap::Begins => tracing::warn!("standard output is not read; events are left out of it until it is"),
                Gap::Ends(count) => {
                    tracing::warn!("{} left out of standard output", counted(count, "event was", "events were"));
                }
            }
        }
    }

    fn state(&self, memory: &Memory, next_scan: Timestamp) {
        if let Some(messages) = &*lock(&self.messages) {
            messages.show(memory);
        }
        if let Some(companion) = &self.companion {
            companion.state(memory, next_scan);
        }
        let listed = || memory.roots().filter(|known| known.archived_at.is_none());
        let is_offline = |known: &&Known| known.health.state == DeviceState::Offline && known.replaced_by.is_none();
        let offline = listed().filter(is_offline).count();
        let at = next_scan.to_zoned(TimeZone::system()).strftime("%H:%M").to_string();
        self.notifier
            .status(&format!("{}, {offline} offline, next scan {at}", counted(listed().count(), "device", "devices")));
    }

    fn deliveries(&self) -> BTreeMap<(String, String), u64> {
        self.deliveries.now()
    }

    fn news(&self, news: &News<'_>) {
        if let Some(companion) = &self.companion {
            companion.news(news);
        }
    }

    fn reloaded(&self, job: &Job) {
        if let Some(companion) = &self.companion {
            companion.reloaded(job);
        }
    }

    fn on_air(&self, device: &Uid, key: &str) -> Option<OnAir> {
        self.companion.as_ref()?.on_air(device, key)
    }

    fn alive(&self) {
        self.notifier.alive();
        if let Some(companion) = &self.companion {
            companion.alive();
        }
    }

    fn figures(&self, figures: &Figures) {
        if let Some(companion) = &self.companion {
            companion.figures(figures);
        }
    }

    fn logins(&self) -> Arc<Vec<Credential>> {
        self.companion.as_ref().map(|companion| companion.logins()).unwrap_or_default()
    }
}

/// An event with its number in the store.
fn numbered(number: i64, event: &Event) -> serde_json::Value {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("number".to_owned(), number.into());
    }
    value
}

/// An event in a line.
fn line(event: &Event) -> String {
    let at = event.at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let mut words = vec![at, format!("{:9}", event.severity), event.kind.to_string()];
    if let Some(device) = &event.data.device {
        let made =
            [&device.vendor, &device.model].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
        words.push(device.ip.to_string());
        words.extend(device.name.clone().or(Some(made)).filter(|name| !name.is_empty()));
    }
    words.extend(event.network.map(|network| network.to_string()));
    words.extend(event.data.stream.as_ref().map(|stream| stream.key.clone()));
    words.extend(event.data.service.as_ref().map(|service| service.key.clone()));
    words.extend(event.data.channel.clone());
    words.extend(event.data.before.as_ref().map(|before| format!("was {before}")));
    words.extend(event.data.reason.as_ref().map(|reason| format!("({reason})")));
    words.extend(event.data.changes.iter().map(|change| format!("[{change}]")));
    words.extend(event.muted_by.map(|why| format!("(not sent: {why})")));
    crate::text::clean(&words.join("  "))
}
