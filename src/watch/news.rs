//! What is wanted of a process that watches beside its schedule, and what it tells while it works.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::memory::Uid;
use crate::model::{Device, Method, ScanEvent, TargetSpec};
use crate::store::Cause;

/// A scan that somebody wants, or that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanOrder {
    /// What whoever wants it calls it.
    pub id: u64,
    /// What is scanned; empty: all that is watched.
    pub targets: Vec<TargetSpec>,
    /// The device it is for, where it is for one: everything is asked of it anew, and the scan is not remembered as one.
    pub device: Option<Uid>,
    /// What made it begin.
    pub cause: Cause,
    /// When it was wanted.
    pub at: Timestamp,
}

impl ScanOrder {
    /// A scan of everything, because it is due.
    pub(super) fn due(at: Timestamp) -> Self {
        ScanOrder { id: fastrand::u64(..1 << 52), targets: Vec::new(), device: None, cause: Cause::Schedule, at }
    }
}

/// How far a scan is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scanning {
    /// How many addresses are to be asked.
    pub addresses: u64,
    /// How many have been.
    pub asked: u64,
    /// Hosts that answered.
    pub hosts_up: u64,
    /// Hosts that are being looked at, or were.
    pub hosts_begun: u64,
    /// Hosts that were looked at to the end.
    pub hosts_done: u64,
    /// Devices with video among them.
    pub devices: u64,
    /// How long it has taken so far.
    pub elapsed: Duration,
}

impl Scanning {
    /// How long it will take from now on if it goes on like this; none where that cannot be told yet.
    pub fn remaining(&self) -> Option<Duration> {
        let part = |done: u64, all: u64| if all == 0 { None } else { Some(done.min(all) as f64 / all as f64) };
        let swept = part(self.asked, self.addresses);
        let looked = part(self.hosts_done, self.hosts_up);
        // Asking who is there is the lesser part where somebody answers.
        let done = match (swept, looked) {
            (Some(swept), Some(looked)) => 0.3 * swept + 0.7 * looked * swept,
            (Some(swept), None) => swept,
            (None, looked) => looked?,
        };
        let is_known = done >= 0.05 && self.elapsed >= Duration::from_secs(1);
        is_known.then(|| self.elapsed.mul_f64((1.0 - done) / done))
    }
}

/// What is told while a process watches. Nothing of it is stored.
#[derive(Debug, Clone, Copy)]
pub enum News<'n> {
    /// A scan waits for its turn no longer.
    ScanBegun(&'n ScanOrder),
    /// How far it is: at each change, and at least once a second.
    ScanProgress(u64, &'n Scanning),
    /// An address answered to a scan for the first time.
    HostUp(u64, IpAddr, Method),
    /// A scan knows all about a device with video.
    DeviceFound(u64, &'n Device),
    /// A scan ended.
    ScanEnded(u64, &'n ScanEnd),
    /// A device that did not answer was asked again whether it is there, and whether it answered.
    Asked(&'n Uid, bool),
    /// A stream was played.
    Checked(&'n Uid, &'n str),
    /// There is a new picture of a stream.
    Picture(&'n Uid, &'n str),
}

/// What a scan came to.
#[derive(Debug, Clone, PartialEq)]
pub enum ScanEnd {
    /// It was learnt.
    Learnt {
        /// Its number among those that are remembered; none for that of a single device.
        number: Option<i64>,
        /// Whether it came to its end.
        status: crate::model::ScanStatus,
        /// How many devices it found.
        found: u64,
    },
    /// It could not be made; why.
    Failed(crate::model::memory::NotScanned),
    /// It was taken back before it began, or this process ends.
    Dropped,
}

/// How far the scan that runs is, added up as it tells it.
#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    so_far: Mutex<(Scanning, bool)>,
    hosts: Mutex<BTreeSet<IpAddr>>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Tally { began: Instant::now(), so_far: Mutex::default(), hosts: Mutex::default() }
    }

    /// Takes note of what a scan tells.
    pub(super) fn add(&self, event: &ScanEvent) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let (scanning, is_new) = &mut *so_far;
        *is_new = true;
        match event {
            ScanEvent::SweepStarted { addresses } => scanning.addresses = *addresses,
            ScanEvent::Swept { addresses } => scanning.asked = *addresses,
            ScanEvent::HostUp { ip, .. } => {
                scanning.hosts_up += 1;
                self.hosts.lock().unwrap_or_else(PoisonError::into_inner).insert(*ip);
            }
            ScanEvent::HostStarted { .. } => scanning.hosts_begun += 1,
            ScanEvent::HostDone { .. } => scanning.hosts_done += 1,
            ScanEvent::DeviceDone(_) => scanning.devices += 1,
            ScanEvent::Warning(_) => {}
        }
    }

    /// So far.
    pub(super) fn now(&self) -> Scanning {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.1 = false;
        Scanning { elapsed: self.began.elapsed(), ..so_far.0.clone() }
    }

    /// The hosts that answered.
    pub(super) fn hosts(&self) -> BTreeSet<IpAddr> {
        std::mem::take(&mut *self.hosts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// So far, where anything is new since it was asked last.
    pub(super) fn news(&self) -> Option<Scanning> {
        let is_new = self.so_far.lock().unwrap_or_else(PoisonError::into_inner).1;
        is_new.then(|| self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_told_once_enough_is_done() {
        let at = |asked, hosts_up, hosts_done, seconds| {
            let elapsed = Duration::from_secs(seconds);
            Scanning { addresses: 100, asked, hosts_up, hosts_done, elapsed, ..Scanning::default() }.remaining()
        };
        assert_eq!(at(1, 0, 0, 10), None);
        assert_eq!(at(50, 0, 0, 0), None);
        assert_eq!(at(50, 0, 0, 10), Some(Duration::from_secs(10)));
        assert_eq!(at(100, 10, 10, 10), Some(Duration::ZERO));
        assert!(at(100, 10, 5, 10) > at(100, 10, 9, 10));
        assert_eq!(Scanning::default().remaining(), None);
    }
}
