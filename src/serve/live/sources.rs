//! What can be watched: the streams of the devices that are known, with the login that worked on each of them.
//!
//! A stream is asked for with the login that worked, or with none: live view tries nothing out, and asks the link in each
//! session whether the device is there that the login is meant for. Refusals count towards what
//! the device may refuse a day, like those of scans and checks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::history::memory::{DeviceState, Known, KnownStream, Memory, StreamId};
use crate::live::facts::{Facts, VideoFacts};
use crate::live::manager::Live;
use crate::live::source::StreamSource;
use crate::model::memory::Uid;
use crate::model::{Credential, Device, DeviceTraits, KnownHost, ScanPlan, Stream, StreamStatus};
use crate::probe::{Budget, LinkedLogin, Logins};
use crate::serve::App;
use crate::serve::app::Streams;
use crate::store::StoreError;
use crate::wire::url::{AnnouncedUrl, HostUrl};

/// How long changes are gathered before the list is made anew.
const GATHER: Duration = Duration::from_secs(1);
/// The list is made anew after this even when nobody said that anything changed.
const AT_LEAST: Duration = Duration::from_secs(30);

/// Keeps the streams of live view in step with what is known.
pub struct Sources {
    plan: Mutex<Arc<ScanPlan>>,
    /// Those that are fetched whether somebody watches or not.
    always_on: BTreeSet<String>,
    logins: Mutex<HashMap<Uid, DeviceLogins>>,
    /// What devices refuse, written into the store before it can happen.
    budget: OnceLock<Arc<Budget>>,
    changed: Notify,
}

/// The login of a device, as all of its streams share it.
struct DeviceLogins {
    /// As it is meant for the device as it was last seen.
    meant: Option<Credential>,
    left: u32,
    shared: Arc<Logins>,
    login: Arc<LinkedLogin>,
}

impl Sources {
    /// For scans of this plan, whose logins and limits hold here too. The streams of `always_on` are fetched whether somebody
    /// watches or not.
    pub fn new(plan: ScanPlan, always_on: &[StreamId]) -> Arc<Sources> {
        let plan = Mutex::new(Arc::new(plan));
        let always_on = always_on.iter().map(StreamId::to_string).collect();
        Arc::new(Sources { plan, always_on, logins: Mutex::default(), budget: OnceLock::new(), changed: Notify::new() })
    }

    /// Begins live view of what this app knows, and keeps it in step until the app is stopped.
    pub fn begin(self: &Arc<Self>, app: &Arc<App>, live: Live) {
        app.begin_live(live.clone(), self.clone());
        tokio::spawn(self.clone().run(app.clone(), live, app.stop.clone()));
    }

    async fn run(self: Arc<Self>, app: Arc<App>, live: Live, stop: CancellationToken) {
        loop {
            self.update(&app, &live).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(AT_LEAST) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(GATHER) => {}
            }
        }
    }

    async fn update(self: &Arc<Self>, app: &Arc<App>, live: &Live) {
        let Ok(memory) = app.known().await else { return };
        let sources = self.clone();
        // What cannot be read now is read the next time.
        if let Ok(all) = app.ask(move |app| sources.of(app, &memory)).await {
            live.set_streams(all);
        }
    }

    fn of(&self, app: &App, memory: &Memory) -> Result<Vec<StreamSource>, StoreError> {
        let mut plan = ScanPlan::clone(&self.plan.lock().unwrap_or_else(PoisonError::into_inner));
        plan.probe.credentials.extend(app.vault.logins().iter().cloned());
        let worked = |device: &Device| app.session.login_of(device);
        let hosts = app.store.known_hosts(memory, &plan, &worked, app.now())?;
        let book = || Budget::new(Some(app.store.login_book(true)), app.session.now);
        let budget = self.budget.get_or_init(book);
        let options = Arc::new(plan.probe.clone());
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for known in memory.roots().filter(|known| known.archived_at.is_none()) {
            let host = hosts.get(&known.device.ip).cloned().unwrap_or_default();
            let worked = host.login.clone();
            let login = LinkedLogin::new(worked, options.clone(), known.device.clone(), hosts.guarded.clone());
            let own = logins_of(&mut logins, known, &host, login, plan.probe.max_login_failures, budget);
            own.shared.guard(hosts.guarded.at(known.device.ip));
            all.extend(streams(known, &own.shared, Some(&own.login), &self.always_on));
        }
        Ok(all)
    }
}

impl Streams for Sources {
    fn changed(&self) {
        self.changed.notify_one();
    }

    fn replace_plan(&self, plan: ScanPlan) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
        self.changed.notify_one();
    }
}

/// The logins of a device: the same ones as long as the login and what may be refused are the same. None is offered before a
/// session begins ([`LinkedLogin::settle`]).
fn logins_of<'l>(
    all: &'l mut HashMap<Uid, DeviceLogins>,
    known: &Known,
    host: &KnownHost,
    login: LinkedLogin,
    limit: u32,
    budget: &Arc<Budget>,
) -> &'l DeviceLogins {
    let meant = login.as_last_seen();
    let left = host.refusals_left.unwrap_or(limit).min(limit);
    let is_as_before = |own: &DeviceLogins| own.meant == meant && left <= own.left;
    let kept = all.remove(&known.uid).filter(is_as_before).map(|own| DeviceLogins { left, ..own });
    let own = match kept {
        Some(own) => {
            own.login.renew(login);
            own
        }
        None => {
            let shared = Logins::within(budget, DeviceTraits::of(&known.device), left, limit);
            shared.worked_before(meant.clone().or_else(|| host.login.clone()));
            DeviceLogins { meant, left, shared, login: Arc::new(login) }
        }
    };
    all.entry(known.uid.clone()).or_insert(own)
}

/// The streams of a device that can be fetched: those that have played, or that may as well.
pub(super) fn streams(
    known: &Known,
    logins: &Arc<Logins>,
    login: Option<&Arc<LinkedLogin>>,
    always_on: &BTreeSet<String>,
) -> Vec<StreamSource> {
    if known.health.state == DeviceState::Offline && known.streams.values().all(|stream| stream.last_ok.is_none()) {
        return Vec::new();
    }
    let fetched: BTreeMap<String, &KnownStream> = known
        .streams
        .iter()
        .filter(|(_, stream)| is_fetched(stream))
        .map(|(key, stream)| (StreamId::of(&known.uid, key).to_string(), stream))
        .collect();
    let channel_of = |stream: &KnownStream| stream.stream.channel.unwrap_or(1);
    let mut all = Vec::new();
    for (id, stream) in &fetched {
        let Some(url) = place(&stream.stream.url) else { continue };
        let others = fetched.iter().filter(|(other, s)| *other != id && channel_of(s) == channel_of(stream));
        all.push(StreamSource {
            id: id.clone(),
            ip: known.device.ip,
            url,
            transport: stream.stream.transport,
            logins: logins.clone(),
            login: login.cloned(),
            always_on: always_on.contains(id),
            siblings: others.map(|(other, _)| other.clone()).collect(),
            declared: declared(&stream.stream),
        });
    }
    all
}

/// What the device said of the stream, until it is played.
fn declared(stream: &Stream) -> Option<Facts> {
    let video = stream.video.as_ref()?;
    let codec = video.codec?;
    let video = VideoFacts {
        codec,
        codec_string: None,
        width: video.width,
        height: video.height,
        b_frames: false,
        without_idr: false,
        keyframe_interval_s: video.keyframe_interval_s,
        gop_bytes: 0,
        gop_cached: false,
    };
    Some(Facts { video, audio: None })
}

fn is_fetched(stream: &KnownStream) -> bool {
    use crate::model::Protocol::{Mjpeg, Rtsp, Rtsps};
    let is_known_way = matches!(stream.stream.protocol, Rtsp | Rtsps | Mjpeg);
    let has_played = stream.last_ok.is_some() || stream.stream.status == StreamStatus::Described;
    is_known_way && has_played && stream.gone_at.is_none() && stream.stream.is_whole()
}

/// The stream on the device, wherever the device is now.
fn place(url: &str) -> Option<HostUrl> {
    let scheme = url.split_once("://")?.0.parse().ok()?;
    Some(AnnouncedUrl::read_lenient(url, scheme)?.url)
}
