//! A check: one stream of one device is played until its frames are counted, and nothing else is asked.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::OnAir;
use super::pictures::{self, Taken};
use super::presence::Cards;
use crate::history::memory::{StreamCheck, first_frame_ms, stream_key};
use crate::model::memory::Uid;
use crate::model::{
    Device, ErrorKind, HostTarget, KnownHosts, LadderStep, ScanEvent, ScanPlan, Stream, StreamError, StreamStatus,
};
use crate::scan::session::Session;
use crate::scan::{Scan, single};
use crate::store::{Check, CheckOutcome};
use crate::wire::url::Scheme;

/// A stream that is to be played.
#[derive(Debug, Clone)]
pub(super) struct Play {
    /// The device.
    pub(super) uid: Uid,
    /// Where it is.
    pub(super) ip: IpAddr,
    /// What the stream is known by.
    pub(super) key: String,
    /// The stream as it was last seen.
    pub(super) stream: Stream,
    /// What is known about the device's logins.
    pub(super) hosts: KnownHosts,
    /// The MAC addresses of the device.
    pub(super) cards: Cards,
    /// Where a picture of it goes; none: none is taken.
    pub(super) pictures: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) check: StreamCheck,
    /// Whether the device answered at all.
    pub(super) has_answered: bool,
    /// Logins that were refused.
    pub(super) refused: u32,
    /// A picture of it.
    pub(super) picture: Option<Taken>,
}

impl Played {
    /// A stream that is being fetched for somebody who watches it.
    pub(super) fn on_air(uid: &Uid, key: &str, known: &Stream, figures: OnAir, at: Timestamp) -> Played {
        let mut stream = Stream { status: StreamStatus::Streaming, error: None, ..known.clone() };
        // How long the first frame took was not measured now.
        stream.ladder.clear();
        let video = stream.video.get_or_insert_default();
        (video.measured_fps, video.measured_kbps) = (Some(figures.fps), Some(figures.kbps));
        let check = StreamCheck {
            uid: uid.clone(),
            key: key.to_owned(),
            at,
            stream,
            busy: false,
            ways_tried: 1,
            offers_digest: figures.offers_digest,
        };
        Played { check, has_answered: true, refused: 0, picture: None }
    }

    /// The check as it is added up.
    pub(super) fn row(&self) -> Check {
        let check = &self.check;
        let outcome = match check.stream.status {
            StreamStatus::Streaming => CheckOutcome::Ok,
            _ if check.busy => CheckOutcome::Busy,
            _ => CheckOutcome::Bad,
        };
        let video = check.stream.video.as_ref();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
        let first_frame_ms = first_frame_ms(&check.stream).map(|ms| ms.clamp(0.0, f64::from(u32::MAX)) as u32);
        Check {
            device: check.uid.clone(),
            stream: check.key.clone(),
            at: check.at,
            outcome,
            fps: video.and_then(|video| video.measured_fps),
            kbps: video.and_then(|video| video.measured_kbps),
            first_frame_ms,
        }
    }
}

/// Plays a stream. Takes no longer than the plan's `host_timeout` and the time to tear the session down.
pub(super) async fn play(
    session: Arc<Session>,
    template: Arc<ScanPlan>,
    play: Play,
    stop: CancellationToken,
) -> Option<Played> {
    let (url, port) = at(&play.stream.url, play.ip)?;
    let host = HostTarget { ip: play.ip, name: None, zone: None, ports: vec![port] };
    let (mut plan, known) = single::play(&template, host, &url, Arc::new(play.hosts.clone()));
    let folder = play.pictures.clone().filter(|folder| pictures::make(folder).is_ok());
    plan.probe.snapshots = folder.as_deref().map(pictures::incoming);
    let (now, net) = (session.now, session.net.clone());
    let scan = Scan { session, plan: Arc::new(plan), known, cancel: stop.clone() };
    let report = scan.run(|_: &ScanEvent| {}).await;
    if stop.is_cancelled() {
        return None;
    }
    let device = report.devices.into_iter().find(|device| device.ip == play.ip);
    // What another device serves at the address says nothing of this one, which did not answer. Of the neighbours the kernel
    // knows best after one was connected to.
    let rows = net.neighbours().await.unwrap_or_default();
    let card = rows.iter().find(|row| row.ip == play.ip).map(|row| row.mac);
    let device = device.filter(|_| play.cards.are_of(card));
    let mut played = judge(play, device, now());
    let Some(folder) = folder else { return Some(played) };
    let taken = tokio::task::spawn_blocking(move || {
        played.picture = pictures::take(&folder, &mut played.check.stream);
        played
    });
    taken.await.ok()
}

fn judge(play: Play, device: Option<Device>, at: Timestamp) -> Played {
    let refused = device.as_ref().and_then(|device| device.login_attempts).map_or(0, |attempts| attempts.counted());
    let has_answered = device.as_ref().is_some_and(|device| {
        let is_lost = |stream: &Stream| {
            let kind = stream.error.as_ref().map(|error| error.kind);
            matches!(kind, Some(ErrorKind::Timeout | ErrorKind::Unreachable)) && !has_connected(stream)
        };
        !device.services.is_empty() || device.streams.iter().any(|stream| !is_lost(stream))
    });
    let offers_digest = device.as_ref().is_some_and(|device| device.offers_digest);
    let found = device.and_then(|device| device.streams.into_iter().find(|stream| stream_key(stream) == play.key));
    let stream = found.unwrap_or_else(|| not_reached(&play.stream));
    let busy = stream.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Busy);
    let ways: std::collections::BTreeSet<_> = stream.ladder.iter().map(|step| step.way).collect();
    let ways_tried = u32::try_from(ways.len().max(1)).unwrap_or(1);
    Played {
        check: StreamCheck { uid: play.uid, key: play.key, at, stream, busy, ways_tried, offers_digest },
        has_answered,
        refused,
        picture: None,
    }
}

fn has_connected(stream: &Stream) -> bool {
    stream.ladder.iter().any(|step: &LadderStep| step.ok)
}

/// A stream of a device that did not even take a connection.
fn not_reached(known: &Stream) -> Stream {
    Stream {
        status: StreamStatus::Error,
        error: Some(StreamError { kind: ErrorKind::Unreachable, message: "the device does not answer".to_owned() }),
        ladder: Vec::new(),
        video: None,
        audio: None,
        warnings: Vec::new(),
        ..known.clone()
    }
}

/// The stream's address where the device is now, and its port.
fn at(url: &str, ip: IpAddr) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end)?;
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let written =
        host.rsplit(']').next().and_then(|after| after.rsplit_once(':')).and_then(|(_, port)| port.parse().ok());
    let port = written.or_else(|| scheme.parse::<Scheme>().ok().map(Scheme::default_port))?;
    let target = if target.is_empty() { "/" } else { target };
    Some((format!("{scheme}://{}:{port}{target}", crate::model::stream::url_host(ip)), port))
}
