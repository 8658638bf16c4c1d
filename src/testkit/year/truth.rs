//! What really was, and what was told of it.

use super::Outcome;
use crate::model::memory::{Event, EventKind};

/// Something that is to be told once, between two seconds.
#[derive(Debug, Clone)]
struct Expected {
    kind: EventKind,
    subject: Subject,
    from: i64,
    to: i64,
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
        self.expected.push(Expected { kind, subject, from, to: from + within, is_told: false });
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
            e.kind == event.kind && !e.is_told && (e.from..=e.to).contains(&at) && is_of(&e.subject)
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
