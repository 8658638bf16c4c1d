//! What connecting to a host has taught about its ports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{ErrorKind, Stage};
use crate::net::Heard;
use crate::wire::greeting;

/// What was learnt of a host's ports by connecting to them. Bounded by the number of ports.
#[derive(Debug, Default)]
pub struct PortHistory {
    inner: Mutex<Ports>,
    /// Whether an answer may take its time.
    is_unhurried: AtomicBool,
}

/// Whether a port that sends clients away may still have room for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// In a moment.
    Awaited,
    /// It was awaited in vain.
    None,
}

/// What went wrong on a port of which it is not known yet what it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The port.
    pub port: u16,
    /// The step that failed.
    pub stage: Stage,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// In words, cleaned, without secrets.
    pub message: String,
}

#[derive(Debug, Default)]
struct Ports {
    open: BTreeSet<u16>,
    refused: BTreeSet<u16>,
    doubts: Vec<Doubt>,
    /// Left a TLS handshake without an answer.
    silent_tls: BTreeSet<u16>,
    /// How long the slowest answer to a connect took.
    slowest: Option<Duration>,
    /// What the device sent on a port that was connected to.
    heard: BTreeMap<u16, Arc<Heard>>,
    /// Answered in RTSP.
    rtsp: BTreeSet<u16>,
    /// How often a port closed a fresh connection without an answer.
    closed: BTreeMap<u16, u8>,
    /// Were open and then refused or closed connections.
    shut: BTreeMap<u16, Room>,
    /// Left a request over HTTP without an answer, or their answer without an end.
    hung: BTreeSet<u16>,
}

impl PortHistory {
    /// Notes an open TCP port.
    pub fn note_open(&self, port: u16) {
        self.lock().open.insert(port);
    }

    /// The open TCP ports so far, ascending.
    pub fn open_ports(&self) -> Vec<u16> {
        self.lock().open.iter().copied().collect()
    }

    /// Whether a TCP port was found open.
    pub fn is_open(&self, port: u16) -> bool {
        self.lock().open.contains(&port)
    }

    /// Notes a TCP port that refused.
    pub fn note_refused(&self, port: u16) {
        self.lock().refused.insert(port);
    }

    /// The TCP ports that refused when they were asked.
    pub fn refused_ports(&self) -> BTreeSet<u16> {
        self.lock().refused.clone()
    }

    /// Notes how long the host took to answer a connect or a SYN frame.
    pub fn note_round_trip(&self, took: Duration) {
        let mut ports = self.lock();
        ports.slowest = ports.slowest.max(Some(took));
    }

    /// The slowest answer to a connect or a SYN frame so far.
    pub fn slowest(&self) -> Option<Duration> {
        self.lock().slowest
    }

    /// From now on nobody waits for the host: an answer may take its time.
    pub fn be_unhurried(&self) {
        self.is_unhurried.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_unhurried(&self) -> bool {
        self.is_unhurried.load(Ordering::Relaxed)
    }

    /// Notes that a request over HTTP to a port was left without an answer, or the answer without an end.
    pub fn note_hung(&self, port: u16) {
        self.lock().hung.insert(port);
    }

    /// Whether a port was noted so. What nobody announced is not looked for there: each question would cost as long again.
    pub fn has_hung(&self, port: u16) -> bool {
        self.lock().hung.contains(&port)
    }

    /// Notes that a port that is open closed every connection without a word. Whoever connects to it next is patient.
    pub fn note_shut(&self, port: u16) {
        self.lock().shut.entry(port).or_insert(Room::Awaited);
    }

    /// Whether connections to a port were refused or closed although it had been open.
    pub(super) fn is_shut(&self, port: u16) -> bool {
        self.lock().shut.contains_key(&port)
    }

    /// Notes that a connection to an open port was refused or closed; says whether room is worth waiting for.
    pub(super) fn sent_away(&self, port: u16) -> Room {
        *self.lock().shut.entry(port).or_insert(Room::Awaited)
    }

    /// Notes that room on a port was awaited in vain.
    pub(super) fn gave_up(&self, port: u16) {
        self.lock().shut.insert(port, Room::None);
    }

    /// Notes that a fresh connection to a port was closed without an answer. Says whether it closed few enough for the
    /// device not to mean it.
    pub(super) fn note_closed(&self, port: u16) -> bool {
        /// What closes more often means it.
        const MOST: u8 = 3;
        let mut ports = self.lock();
        let closed = ports.closed.entry(port).or_default();
        *closed = closed.saturating_add(1);
        let may_mean_nothing = *closed <= MOST;
        if may_mean_nothing {
            ports.shut.entry(port).or_insert(Room::Awaited);
        }
        may_mean_nothing
    }

    /// Whether the device has ever sent anything on a port.
    pub fn has_spoken(&self, port: u16) -> bool {
        self.lock().heard.get(&port).is_some_and(|heard| heard.has_spoken())
    }

    /// Whether the device has ever sent anything on any port.
    pub fn has_spoken_at_all(&self) -> bool {
        self.lock().heard.values().any(|heard| heard.has_spoken())
    }

    /// Takes note of what the device sends on a port.
    pub(super) fn heard(&self, port: u16) -> Arc<Heard> {
        self.lock().heard.entry(port).or_default().clone()
    }

    /// Whether a port greeted as servers of other protocols do: nothing of ours is spoken there, whatever is announced.
    pub fn greets_otherwise(&self, port: u16) -> bool {
        self.lock().heard.get(&port).is_some_and(|heard| greeting::is_of_another(heard.first()))
    }

    /// Notes that a port answered in RTSP.
    pub fn note_rtsp(&self, port: u16) {
        self.lock().rtsp.insert(port);
    }

    /// Whether a port ever answered in RTSP.
    pub fn speaks_rtsp(&self, port: u16) -> bool {
        self.lock().rtsp.contains(&port)
    }

    /// Notes that a port left a TLS handshake without an answer.
    pub(super) fn note_silent_tls(&self, port: u16) {
        self.lock().silent_tls.insert(port);
    }

    pub(super) fn is_silent_tls(&self, port: u16) -> bool {
        self.lock().silent_tls.contains(&port)
    }

    /// Adds a doubt about a port.
    pub fn doubt(&self, doubt: Doubt) {
        /// Detectors are few, and so are the ports where two of them expect their own.
        const MOST: usize = 64;
        let mut ports = self.lock();
        if ports.doubts.len() < MOST {
            ports.doubts.push(doubt);
        }
    }

    /// Takes the doubts about a port, in the order they came.
    pub fn take_doubts(&self, port: u16) -> Vec<Doubt> {
        self.lock().doubts.extract_if(.., |doubt| doubt.port == port).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Ports> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
