//! What every request may need.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::auth::{Access, Caller, Vault};
use super::events::Hub;
use super::health::Health;
use super::jobs::{Allowed, Jobs};
use super::limits::{Limits, Slots};
use super::pictures::Shown;
use super::problem::Problem;
use super::room::Room;
use crate::history::memory::Memory;
use crate::live::manager::Live;
use crate::model::listen::PublicUrl;
use crate::model::memory::Keep;
use crate::model::notify::Notifications;
use crate::model::{ProbeOptions, ScanPlan};
use crate::scan::session::Session;
use crate::store::{Store, StoreError};
use crate::watch::{Job, Order};

/// Questions to the store at once; more wait.
const QUESTIONS: usize = 32;
/// Exports that are written at once; more wait. Each keeps a processor busy.
const RENDERINGS: usize = 2;
/// A request waits so long for the store, which another program may hold, and for a place among the exports.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

/// What every request may need.
pub struct App {
    /// What is remembered.
    pub store: Store,
    /// The network, the signatures and the clock.
    pub session: Arc<Session>,
    /// What is wanted of the loop that watches; none where this process only serves.
    pub orders: Option<mpsc::Sender<Order>>,
    /// When this process began to serve.
    pub started_at: Timestamp,
    /// How it is reached: every link and cookie follows from it.
    pub site: PublicUrl,
    /// Who may ask.
    pub access: Access,
    /// Logins of devices that were given on the page.
    pub vault: Vault,
    /// How it is, and what is counted.
    pub health: Health,
    /// The scans that run or wait.
    pub jobs: Jobs,
    /// What happens, for those who follow.
    pub events: Hub,
    /// How much of everything there may be.
    pub limits: Limits,
    /// Requests under way of those behind a proxy.
    pub clients: Slots,
    /// Cancelled when this process ends. Event streams and live views end then: nothing else waits for them.
    pub stop: CancellationToken,
    allowed: Mutex<Arc<Allowed>>,
    max_login_failures: AtomicU32,
    notifications: Mutex<Arc<Notifications>>,
    keep: Mutex<Keep>,
    /// What the configuration comes to, without secrets.
    pub config: Value,
    /// Requests with an `Idempotency-Key` that are under way: the caller, and the key.
    pub(super) replays: Mutex<BTreeSet<(String, String)>>,
    live: OnceLock<(Live, Arc<dyn Streams>)>,
    pub(super) pictures: Shown,
    questions: Arc<Semaphore>,
    renderings: Room,
}

/// Who keeps the streams of live view in step with what is known.
pub trait Streams: Send + Sync {
    /// What is known may have changed.
    fn changed(&self);
    /// Scans are made by another plan from now on, whose logins and limits hold here too.
    fn replace_plan(&self, plan: ScanPlan);
}

/// What is decided before anything is served.
#[derive(Default)]
pub struct Options {
    /// How it is reached.
    pub site: PublicUrl,
    /// Who may ask.
    pub access: Access,
    /// Logins of devices that were given on the page.
    pub vault: Vault,
    /// How much of everything there may be.
    pub limits: Limits,
    /// What may be scanned by who asks over the network.
    pub allowed: Allowed,
    /// Logins a device may refuse in 24 hours; none: as many as usual.
    pub max_login_failures: Option<u32>,
    /// Cancelled when this process ends.
    pub stop: CancellationToken,
    /// Who is told about events.
    pub notifications: Notifications,
    /// How long what is kept.
    pub keep: Keep,
    /// What the configuration comes to, without secrets: each key with its `value` and its `origin`.
    pub config: Value,
}

impl App {
    /// Serves what this store knows.
    pub fn new(store: Store, session: Arc<Session>, orders: Option<mpsc::Sender<Order>>) -> Arc<App> {
        App::with(store, session, orders, Options::default())
    }

    /// The same with these options.
    pub fn with(
        store: Store,
        session: Arc<Session>,
        orders: Option<mpsc::Sender<Order>>,
        options: Options,
    ) -> Arc<App> {
        let started_at = (session.now)();
        let Options { site, access, vault, limits, allowed, max_login_failures, stop, notifications, keep, config } =
            options;
        let max_login_failures = max_login_failures.unwrap_or(ProbeOptions::default().max_login_failures);
        Arc::new(App {
            clients: Slots::new(usize::MAX, limits.per_address),
            allowed: Mutex::new(Arc::new(allowed)),
            max_login_failures: AtomicU32::new(max_login_failures),
            health: Health::default(),
            jobs: Jobs::default(),
            events: Hub::default(),
            pictures: Shown::default(),
            live: OnceLock::new(),
            replays: Mutex::default(),
            notifications: Mutex::new(Arc::new(notifications)),
            keep: Mutex::new(keep),
            config,
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            renderings: Room::new(RENDERINGS),
            store,
            session,
            orders,
            started_at,
            site,
            access,
            vault,
            limits,
            stop,
        })
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        (self.session.now)()
    }

    /// The path that everything is below, for a browser; begins and ends with a slash.
    pub fn base(&self) -> &str {
        self.site.base()
    }

    /// What may be scanned by who asks over the network.
    pub fn allowed(&self) -> Arc<Allowed> {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logins a device may refuse in 24 hours.
    pub fn max_login_failures(&self) -> u32 {
        self.max_login_failures.load(Ordering::Relaxed)
    }

    /// Who is told about events.
    pub fn notifications(&self) -> Arc<Notifications> {
        self.notifications.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long what is kept.
    pub fn keep(&self) -> Keep {
        *self.keep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another configuration: these are told about events from now on.
    pub(super) fn replace_notifications(&self, notifications: &Notifications) {
        let new = Arc::new(notifications.clone());
        *self.notifications.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// Another configuration: what is scanned, and how, is this from now on.
    pub(super) fn replace_job(&self, job: &Job) {
        let (targets, beside) = (job.targets.clone(), job.allowed.clone());
        let allowed = Arc::new(Allowed { targets, beside, exclude: job.exclude.clone() });
        *self.allowed.lock().unwrap_or_else(PoisonError::into_inner) = allowed;
        *self.keep.lock().unwrap_or_else(PoisonError::into_inner) = job.keep;
        self.max_login_failures.store(job.plan.probe.max_login_failures, Ordering::Relaxed);
        if let Some((_, sources)) = self.live.get() {
            sources.replace_plan(job.plan.clone());
        }
    }

    /// Live view, where this process has it.
    pub fn live(&self) -> Option<&Live> {
        self.live.get().map(|(live, _)| live)
    }

    /// From now on there is live view, whose streams are kept in step with what is known. It is begun once.
    pub(super) fn begin_live(&self, live: Live, streams: Arc<dyn Streams>) {
        // A second one would have found its port taken.
        let _ = self.live.set((live, streams));
    }

    /// The streams that can be watched may have changed.
    pub(super) fn streams_changed(&self) {
        if let Some((_, sources)) = self.live.get() {
            sources.changed();
        }
    }

    /// What is known at this moment, also what another process wrote: the same copy for all requests, until something changes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn known(self: &Arc<Self>) -> Result<Arc<Memory>, Problem> {
        self.ask(|app| app.store.memory()).await
    }

    /// Asks the store on a thread that may wait for a disk.
    ///
    /// # Errors
    /// When the store cannot be read or written, or not soon, as a problem that says nothing of the machine.
    pub async fn ask<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&App) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, Problem> {
        let app = self.clone();
        let asked = async {
            let turn = self.questions.clone().acquire_owned().await;
            // The turn lasts as long as the thread does: who gave up waiting leaves no thread for the next one.
            tokio::task::spawn_blocking(move || {
                let done = work(&app);
                drop(turn);
                done
            })
            .await
        };
        match tokio::time::timeout(STORE_PATIENCE, asked).await {
            Ok(Ok(done)) => done.map_err(|error| Problem::of_store(&error)),
            Ok(Err(_)) => Err(Problem::internal()),
            Err(_) => Err(Problem::busy("the store is in use by another program")),
        }
    }

    /// Does what keeps a processor busy for long in a place apart from all questions: an account has one at a time.
    ///
    /// # Errors
    /// When the store cannot be read, or no place was free soon.
    pub async fn render<R: Send + 'static>(
        self: &Arc<Self>,
        caller: &Caller,
        work: impl FnOnce(&App) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, Problem> {
        let app = self.clone();
        let place = tokio::time::timeout(STORE_PATIENCE, self.renderings.enter(caller)).await;
        let place = place.map_err(|_| Problem::busy("other exports are under way"))?;
        // The place is taken for as long as the thread is, though the request may have ended.
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&app);
            drop(place);
            done
        });
        done.await.map_err(|_| Problem::internal())?.map_err(|error| Problem::of_store(&error))
    }

    /// Writes to the store while the request goes on; that it cannot be done is no reason to refuse the request.
    pub(super) fn beside(self: &Arc<Self>, work: impl FnOnce(&App) -> Result<(), StoreError> + Send + 'static) {
        let app = self.clone();
        let Ok(turn) = self.questions.clone().try_acquire_owned() else { return };
        tokio::task::spawn_blocking(move || {
            if let Err(error) = work(&app) {
                tracing::debug!("not noted: {error}");
            }
            drop(turn);
        });
    }
}
