//! The scans that are wanted: the one that runs, those that wait, and some that have ended.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::history::diff::DeviceSummary;
use crate::model::{Device, ScanStatus};
use crate::serve::problem::Problem;
use crate::serve::view::scan::{Progress, ScanKind, ScanState, ScanView};
use crate::watch::{ScanEnd, ScanOrder, Scanning};

/// Scans that wait beside the one that runs.
pub const WAITING: usize = 4;
/// Scans that have ended and are still known by the name they had while they waited.
pub(super) const ENDED: usize = 64;
/// Devices of the scan that runs which are shown before it is over.
const FOUND: usize = 200;

/// The scans that run, wait, or ended a while ago.
#[derive(Default)]
pub struct Jobs {
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(super) struct Inner {
    /// In the order they were wanted.
    pub(super) jobs: VecDeque<Job>,
    next_scan: Option<Timestamp>,
    /// What the scan that runs has found so far.
    found: Vec<DeviceSummary>,
}

pub(super) struct Job {
    order: u64,
    view: ScanView,
}

impl Job {
    fn is_open(&self) -> bool {
        matches!(self.view.status, ScanState::Queued | ScanState::Running)
    }
}

impl Jobs {
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scan that runs.
    pub fn running(&self) -> Option<ScanView> {
        self.inner().jobs.iter().map(|job| &job.view).find(|view| view.status == ScanState::Running).cloned()
    }

    /// Those that run or wait, in their order.
    pub fn open(&self) -> Vec<ScanView> {
        let inner = self.inner();
        let (running, waiting): (Vec<&Job>, Vec<&Job>) =
            inner.jobs.iter().filter(|job| job.is_open()).partition(|job| job.view.status == ScanState::Running);
        running.into_iter().chain(waiting).map(|job| job.view.clone()).collect()
    }

    /// A scan by the name it had when it was wanted.
    pub fn find(&self, id: &str) -> Option<ScanView> {
        self.inner().jobs.iter().find(|job| name(job.order) == id).map(|job| job.view.clone())
    }

    /// When everything is scanned next, where this process watches.
    pub fn next_scan(&self) -> Option<Timestamp> {
        self.inner().next_scan
    }

    pub(in crate::serve) fn next_scan_is(&self, at: Timestamp) {
        self.inner().next_scan = Some(at);
    }

    /// What the scan that runs has found so far, as far as it is shown.
    pub fn found_so_far(&self) -> Vec<DeviceSummary> {
        self.inner().found.clone()
    }

    /// The scan that runs has found a device.
    pub(in crate::serve) fn found(&self, device: &Device) {
        let found = &mut self.inner().found;
        if found.len() < FOUND && !found.iter().any(|other| other.ip == device.ip) {
            found.push(device.into());
        }
    }

    /// Takes a place in the queue.
    pub(super) fn add(&self, order: &ScanOrder, by: &str) -> Result<ScanView, Problem> {
        let mut inner = self.inner();
        if inner.jobs.iter().filter(|job| job.is_open()).count() > WAITING {
            return Err(Problem::too_many(format!("one scan runs and {WAITING} wait already"), 60));
        }
        let view = ScanView { by: Some(by.to_owned()).filter(|by| !by.is_empty()), ..view_of(order) };
        inner.put(Job { order: order.id, view: view.clone() });
        Ok(view)
    }

    pub(super) fn drop_order(&self, id: u64) {
        self.inner().jobs.retain(|job| job.order != id);
    }

    /// A scan has begun.
    pub(in crate::serve) fn begun(&self, order: &ScanOrder, now: Timestamp) -> ScanView {
        let mut inner = self.inner();
        inner.found.clear();
        if !inner.jobs.iter().any(|job| job.order == order.id) {
            inner.put(Job { order: order.id, view: view_of(order) });
        }
        let began = |view: &mut ScanView| {
            (view.status, view.started_at, view.progress) = (ScanState::Running, now, Some(Progress::default()));
        };
        inner.change(order.id, began).unwrap_or_else(|| view_of(order))
    }

    /// How far it is.
    pub(in crate::serve) fn progressed(&self, id: u64, scanning: &Scanning) -> Option<ScanView> {
        self.inner().change(id, |view| {
            view.addresses = Some(scanning.addresses);
            view.hosts_up = Some(scanning.hosts_up);
            view.found = Some(scanning.devices);
            view.progress = Some(scanning.into());
        })
    }

    /// A scan has ended, or was taken back.
    pub(in crate::serve) fn ended(&self, id: u64, end: &ScanEnd, now: Timestamp) -> Option<ScanView> {
        let mut inner = self.inner();
        // One that is taken back while another runs leaves what that one found.
        let is_running = |job: &Job| job.order == id && job.view.status == ScanState::Running;
        if inner.jobs.iter().any(is_running) {
            inner.found.clear();
        }
        inner.change(id, |view| {
            let has_begun = view.status == ScanState::Running;
            match end {
                ScanEnd::Learnt { number, status, found } => {
                    view.status = match status {
                        ScanStatus::Complete => ScanState::Complete,
                        ScanStatus::Interrupted => ScanState::Interrupted,
                    };
                    (view.number, view.found) = (*number, Some(*found));
                }
                ScanEnd::Failed(why) => {
                    view.status = ScanState::Failed;
                    (view.error, view.failed) = (Some(why.to_string()), Some(why.clone()));
                }
                ScanEnd::Dropped => view.status = ScanState::Interrupted,
            }
            view.ended_at = Some(now);
            let took = now.duration_since(view.started_at).as_millis();
            view.duration_ms = has_begun.then(|| u64::try_from(took).unwrap_or_default());
        })
    }
}

impl Inner {
    fn put(&mut self, job: Job) {
        self.jobs.push_back(job);
        let over = self.jobs.iter().filter(|job| !job.is_open()).count().saturating_sub(ENDED);
        for _ in 0..over {
            if let Some(place) = self.jobs.iter().position(|job| !job.is_open()) {
                self.jobs.remove(place);
            }
        }
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut ScanView)) -> Option<ScanView> {
        let job = self.jobs.iter_mut().find(|job| job.order == id)?;
        change(&mut job.view);
        Some(job.view.clone())
    }
}

/// What a scan is called until it is remembered.
pub(super) fn name(id: u64) -> String {
    format!("j_{id}")
}

fn view_of(order: &ScanOrder) -> ScanView {
    ScanView {
        id: name(order.id),
        number: None,
        kind: if order.device.is_some() { ScanKind::Probe } else { ScanKind::Scan },
        cause: order.cause,
        status: ScanState::Queued,
        started_at: order.at,
        ended_at: None,
        duration_ms: None,
        targets: Some(order.targets.iter().map(ToString::to_string).collect()),
        addresses: None,
        hosts_up: None,
        found: None,
        progress: None,
        by: None,
        error: None,
        failed: None,
        warnings: Vec::new(),
    }
}
