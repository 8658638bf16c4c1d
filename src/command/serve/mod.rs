//! `camscan serve`: `watch`, with a page and an API.

mod users;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::ready::Ready;
use super::remembered::failed;
use super::watch::{Companion, Source, watch};
use super::{interrupt, remembered};
use crate::cli::args::ServeArgs;
use crate::cli::config::environment::Environment;
use crate::cli::config::settings::{ServeSettings, Settings};
use crate::cli::exit::{Exit, JobFailed};
use crate::cli::log::Secrets;
use crate::cli::ui::Ui;
use crate::live::engine::Ports;
use crate::live::engine::limits::Patience;
use crate::live::manager::{Config, Live};
use crate::model::listen::{Anonymous, ListenOn};
use crate::model::problem::Problem;
use crate::model::{ScanPlan, TargetSpec};
use crate::net::handed;
use crate::scan::session::Session;
use crate::serve::app::Options;
use crate::serve::auth::{Access, SetupCode, Vault};
use crate::serve::jobs::Allowed;
use crate::serve::limits::{Limits, Slots};
use crate::serve::listen::Listener;
use crate::serve::listen::tls::Tls;
use crate::serve::live::Sources;
use crate::serve::{App, router};
use crate::store::Store;
use crate::tool::ffmpeg;
use crate::watch::Order;

pub use users::run as users;

/// Serves and watches until it is told to end.
///
/// # Errors
/// Those of `watch`, and that an address cannot be listened on.
pub async fn run(
    source: Source<'_>,
    settings: &Settings,
    arguments: &ServeArgs,
    ready: Ready,
    ui: &Ui,
) -> anyhow::Result<Exit> {
    let begin = Begin {
        settings: &settings.serve,
        all: settings,
        plan: settings.plan.clone(),
        targets: settings.targets.clone(),
        environment: source.environment,
        secrets: source.secrets.clone(),
        ui,
    };
    if !settings.serve.watches {
        return alone(begin, ready).await;
    }
    let serving = Arc::<Mutex<Option<Serving>>>::default();
    let kept = serving.clone();
    let format = arguments.watch.events;
    let done = watch(source, settings, format, ready, ui, async |store, session, orders, stop| {
        let begun = begin.serve(store, session, Some(orders), stop).await?;
        let companion: Companion = begun.app.clone();
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
        Ok(Some(companion))
    })
    .await;
    let serving = serving.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(serving) = serving {
        serving.end().await;
    }
    done
}

/// Serves alone, beside a process that watches.
async fn alone(begin: Begin<'_>, ready: Ready) -> anyhow::Result<Exit> {
    let Ready { store, session, .. } = ready;
    let store =
        store.ok_or_else(|| Problem::new("there is no store to serve from").hint("name a file: --store FILE"))?;
    begin.ui.write_beside()?;
    let stop = CancellationToken::new();
    interrupt::listen_to(&[SignalKind::interrupt(), SignalKind::terminate()], stop.clone(), begin.ui)?;
    let serving = begin.serve(store, session, None, stop.clone()).await?;
    stop.cancelled().await;
    serving.end().await;
    Ok(Exit::Success)
}

/// What serving begins with.
struct Begin<'a> {
    settings: &'a ServeSettings,
    /// Of all that is configured, what the API shows and does.
    all: &'a Settings,
    /// How scans are made, with their logins.
    plan: ScanPlan,
    /// What is scanned, as it was written.
    targets: Vec<TargetSpec>,
    environment: &'a Environment,
    secrets: Secrets,
    ui: &'a Ui,
}

/// What runs until it is ended.
struct Serving {
    app: Arc<App>,
    listeners: Vec<JoinHandle<()>>,
    reloading: Option<JoinHandle<()>>,
}

impl Serving {
    /// Ends event streams, lets requests end that are under way, and closes the sockets.
    async fn end(self) {
        self.app.stop.cancel();
        // The next start makes another one.
        self.app.access.setup.spend();
        if let Some(reloading) = &self.reloading {
            reloading.abort();
        }
        for listener in self.listeners {
            let _ = listener.await;
        }
        if let Some(live) = self.app.live() {
            live.stop().await;
        }
    }
}

impl Begin<'_> {
    async fn serve(
        &self,
        store: Store,
        session: Arc<Session>,
        orders: Option<mpsc::Sender<Order>>,
        stop: CancellationToken,
    ) -> anyhow::Result<Serving> {
        let settings = self.settings;
        let has_users = store.has_users().map_err(failed)?;
        let is_too_early = |place: &&ListenOn| place.is_beyond_this_machine() && !has_users;
        if let Some(place) = settings.listen.iter().find(is_too_early) {
            return Err(too_early(place).into());
        }
        let tls = match &settings.tls {
            Some((certificate, key)) => Some(Arc::new(Tls::read(certificate, key)?)),
            None => None,
        };
        let mut listeners = Vec::new();
        for place in &settings.listen {
            match place {
                ListenOn::Systemd => listeners.extend(self.handed().map_err(JobFailed)?),
                _ => listeners.push(Listener::bind(place).await.map_err(JobFailed)?),
            }
        }
        let places: Vec<ListenOn> = listeners.iter().map(|listener| listener.place.clone()).collect();
        if let Some(place) = places.iter().find(is_too_early) {
            return Err(too_early(place).into());
        }
        let setup = if has_users { SetupCode::default() } else { SetupCode::make(store.file())? };
        if has_users {
            SetupCode::remove_old(store.file());
        }
        // Whoever reads the address may send a signal next.
        let reloading = tls.clone().map(|tls| reload(tls, self.ui.clone())).transpose()?;
        self.announce(&listeners, &setup, tls.is_some());
        let app = App::with(store.clone(), session, orders, self.options(&store, setup, stop));
        let memory = store.memory().map_err(failed)?;
        app.vault.load(&store, &memory).map_err(failed)?;
        self.begin_live(&app, &places);
        let warm = app.clone();
        tokio::spawn(async move { warm.access.passwords.warm().await });
        let slots = Slots::new(app.limits.connections, app.limits.per_address);
        let router = router(&app);
        let serve =
            |listener: Listener| tokio::spawn(listener.serve(app.clone(), router.clone(), tls.clone(), slots.clone()));
        let listeners = listeners.into_iter().map(serve).collect();
        Ok(Serving { app, listeners, reloading })
    }

    /// The sockets that systemd hands over.
    fn handed(&self) -> Result<Vec<Listener>, Problem> {
        let [count, pid] = ["LISTEN_FDS", "LISTEN_PID"].map(|name| self.environment.get(name));
        Listener::handed(handed::sockets(count, pid))
    }

    /// Opens the port of live view. That it is taken is no reason not to serve the rest.
    fn begin_live(&self, app: &Arc<App>, places: &[ListenOn]) {
        let Some(port) = self.settings.live_port else { return };
        let ports = Ports {
            bind: media_addresses(self.settings, places),
            port,
            tcp: true,
            forwarded: self.settings.live_addresses.iter().map(|address| address.at(port)).collect(),
        };
        let stills = ffmpeg::is_installed();
        match Live::new(Config { ports, patience: Patience::default(), stills }, app.session.net.clone()) {
            Ok(live) => Sources::new(self.plan.clone(), &self.settings.live_always_on).begin(app, live),
            Err(error) => {
                let problem = Problem::new(format!("there is no live view: port {port} cannot be used ({error})"));
                self.ui.warning(problem.hint("name another one: --live-port 8002"));
            }
        }
    }

    fn options(&self, store: &Store, setup: SetupCode, stop: CancellationToken) -> Options {
        let settings = self.settings;
        let secrets = self.secrets.clone();
        let handed = self.environment.get("CREDENTIALS_DIRECTORY").map(Path::new);
        let hide = Box::new(move |logins: &[_]| secrets.replace_further(crate::identify::redactor(logins)));
        Options {
            site: settings.public_url.clone(),
            access: Access::new(settings.trusted.clone(), settings.anonymous == Anonymous::Viewer, setup)
                .with_login_header(settings.login_header.clone()),
            vault: Vault::new(store.file(), handed, hide),
            limits: Limits::default(),
            allowed: Allowed {
                targets: self.targets.clone(),
                beside: settings.allow_targets.clone(),
                exclude: self.all.exclude.clone(),
            },
            max_login_failures: Some(self.plan.probe.max_login_failures),
            stop,
            notifications: self.all.notifications.clone(),
            keep: self.all.keep,
            config: super::config::effective(self.all),
        }
    }

    fn announce(&self, listeners: &[Listener], setup: &SetupCode, tls: bool) {
        let scheme = if tls { "https" } else { "http" };
        let site = &self.settings.public_url;
        for listener in listeners {
            match &listener.place {
                ListenOn::Tcp(address) => self.ui.note(format!("serving {scheme}://{address}{}", site.base())),
                place => self.ui.note(format!("serving {place}")),
            }
        }
        if site.host().is_some() {
            self.ui.note(format!("for browsers at {site}"));
        }
        if let Some(code) = setup.shown() {
            self.ui.note(format!("there is no account yet; the set-up code for the first one is {code}"));
            self.ui.note(format!("it is also in {}", setup.file().display()));
        }
    }
}

fn too_early(place: &ListenOn) -> Problem {
    Problem::new(format!("{place} is reached by other machines, and there is no account yet"))
        .hint("make one first: camscan serve user add NAME --role admin")
        .hint("or listen on this machine alone until one is made: --listen 127.0.0.1:8000")
}

/// Where viewers' packets come in: on this machine alone where its pages are, unless they are reached through a proxy.
fn media_addresses(settings: &ServeSettings, places: &[ListenOn]) -> Vec<IpAddr> {
    let is_local = settings.public_url.host().is_none() && !places.iter().any(ListenOn::is_beyond_this_machine);
    match is_local {
        true => vec![Ipv4Addr::LOCALHOST.into()],
        false => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
    }
}

/// SIGHUP reads the certificate and its key again.
fn reload(tls: Arc<Tls>, ui: Ui) -> std::io::Result<JoinHandle<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match tls.reload() {
                Ok(()) => ui.note("the certificate was read again"),
                Err(problem) => ui.warning(&problem),
            }
        }
    }))
}

/// The store that accounts are in; it is made where there is none.
fn accounts(settings: &Settings) -> anyhow::Result<Store> {
    remembered::open_or_create(&remembered::place(settings)?, settings.usual_store.as_deref())
}
