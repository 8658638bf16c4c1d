//! What really was, and what was told of it.

use std::ops::Range;

use super::{Outcome, second};
use crate::model::memory::{Event, EventKind};

/// Long enough for what is to be sent to be sent: the interval of checks, and what it takes.
pub(super) const SLACK: i64 = 15 * 60;

/// Something that is to be told once, between two seconds.
#[derive(Debug, Clone)]
struct Expected {
    kind: EventKind,
    subject: Subject,
    from: i64,
    to: i64,
    /// Since when it is to be so.
    since: Option<Range<i64>>,
    is_told: bool,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// A camera, by its number.
    Camera(usize),
    /// A stream of a camera, by its path.
    Stream(usize, &'static str),
    /// A network, by its number.
    Network(usize),
}

/// A time in which a camera comes and goes: what is told of it then is judged as a whole.
#[derive(Debug, Clone)]
struct Unsteady {
    camera: usize,
    from: i64,
    to: i64,
    offline: u32,
    online: u32,
}

/// What really was, and what was told of it.
#[derive(Debug, Default)]
pub(super) struct Truth {
    expected: Vec<Expected>,
    unsteady: Vec<Unsteady>,
    unexpected: Vec<String>,
    /// The last second that is judged.
    pub end: i64,
}

impl Truth {
    /// Something is to be told once.
    pub fn expect(&mut self, kind: EventKind, subject: Subject, from: i64, within: i64) {
        self.expected.push(Expected { kind, subject, from, to: from + within, since: None, is_told: false });
    }

    /// Since when the camera is to be sent as offline that goes at `from`.
    pub fn since(&mut self, camera: Option<usize>, from: i64, since: Range<i64>) {
        let is_it = |e: &&mut Expected| {
            e.kind == EventKind::DeviceOffline
                && camera.map(Subject::Camera).as_ref() == Some(&e.subject)
                && e.from == from
        };
        self.expected.iter_mut().find(is_it).into_iter().for_each(|e| e.since = Some(since.clone()));
    }

    /// What is to be sent of a camera from that second on may be sent later.
    pub fn delay(&mut self, kind: EventKind, camera: usize, from: i64, within: i64) {
        let is_it = |e: &&mut Expected| e.kind == kind && e.subject == Subject::Camera(camera) && e.from == from;
        self.expected.iter_mut().filter(is_it).for_each(|e| e.to = from + within);
    }

    /// A camera comes and goes.
    pub fn unsteady(&mut self, camera: usize, from: i64, to: i64) {
        self.unsteady.push(Unsteady { camera, from, to, offline: 0, online: 0 });
    }

    /// What was planned for a camera from that second on does not happen.
    pub fn forget(&mut self, camera: usize, from: i64) {
        let is_of = |subject: &Subject| matches!(subject, Subject::Camera(n) | Subject::Stream(n, _) if *n == camera);
        self.expected.retain(|e| !is_of(&e.subject) || e.from < from);
        self.unsteady.retain(|u| u.camera != camera || u.from < from);
    }

    /// Keeps what can be found by eyes that see some of the cameras alone.
    pub fn keep(&mut self, is_seen: impl Fn(usize) -> bool) {
        self.expected.retain(|e| match e.subject {
            Subject::Camera(n) | Subject::Stream(n, _) => is_seen(n),
            Subject::Network(_) => true,
        });
        self.unsteady.retain(|u| is_seen(u.camera));
    }

    /// Something is so that is never to be.
    pub fn wrong(&mut self, what: String) {
        self.unexpected.push(what);
    }

    /// An event was sent.
    pub fn sent(&mut self, event: &Event, camera: Option<usize>, at: i64) {
        if event.kind == EventKind::ScanFinished {
            return;
        }
        let path = |path: &'static str| event.stream.as_ref().is_some_and(|key| key.ends_with(path));
        let third = |ip: std::net::IpAddr| match ip {
            std::net::IpAddr::V4(ip) => usize::from(ip.octets()[2]),
            std::net::IpAddr::V6(_) => usize::MAX,
        };
        let is_of = |subject: &Subject| match subject {
            Subject::Camera(n) => camera == Some(*n),
            Subject::Stream(n, name) => camera == Some(*n) && path(name),
            Subject::Network(n) => event.network.is_some_and(|network| third(network.network()) == *n),
        };
        let fits = |e: &&mut Expected| {
            let is_since = |since: &Range<i64>| event.data.since.is_some_and(|at| since.contains(&second(at)));
            let is_time = (e.from..=e.to).contains(&at) && e.since.as_ref().is_none_or(is_since);
            e.kind == event.kind && !e.is_told && is_time && is_of(&e.subject)
        };
        if let Some(expected) = self.expected.iter_mut().find(fits) {
            expected.is_told = true;
            return;
        }
        let unsteady = self.unsteady.iter_mut().find(|u| Some(u.camera) == camera && (u.from..=u.to).contains(&at));
        match (event.kind, unsteady) {
            (EventKind::DeviceOffline, Some(unsteady)) => unsteady.offline += 1,
            (EventKind::DeviceOnline, Some(unsteady)) => unsteady.online += 1,
            _ => self.unexpected.push(format!(
                "day {} {:>5} s: {} of {camera:?} {:?} {:?} {:?}",
                at / 86_400,
                at % 86_400,
                event.kind,
                event.stream,
                event.network,
                event.data.reason
            )),
        }
    }

    /// Whether something was wrong until then.
    pub fn is_wrong(&self, now: i64) -> bool {
        !self.unexpected.is_empty() || self.expected.iter().any(|e| !e.is_told && e.to < now)
    }

    /// Compares both.
    pub fn judge(self, outcome: &mut Outcome) {
        outcome.false_alarms = self.unexpected;
        let missed = self.expected.iter().filter(|e| !e.is_told && e.to < self.end);
        outcome.missed = missed.map(|e| format!("day {} {:>5} s: {:?}", e.from / 86_400, e.from % 86_400, e)).collect();
        for unsteady in self.unsteady.iter().filter(|u| u.to < self.end) {
            // Of eight outages the first two are told, until it is clear that it comes and goes; at the end it is there.
            if unsteady.offline > 2 || unsteady.offline != unsteady.online {
                outcome.false_alarms.push(format!("{unsteady:?}"));
            }
        }
    }
}
