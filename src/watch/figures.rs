//! What is counted while this process runs, and the file of metrics.

use std::path::Path;

use jiff::Timestamp;

use super::Follower;
use super::store_news::StoreNews;
use crate::history::memory::Memory;
use crate::metrics::{Figures, Histogram, Outbox, Process, render};
use crate::model::Report;
use crate::model::memory::{DeliveryState, Event};
use crate::model::report::ScanStatus;
use crate::store::{CheckOutcome, OutboxFilter, Store, WriteTimes};
use crate::tool::file;
use crate::tool::usage::Usage;

/// What was counted so far.
#[derive(Debug)]
pub(super) struct Counts {
    figures: Figures,
    /// How often the store had been written when it last could not be.
    writes_at_failure: u64,
    /// What was told of the store.
    pub(super) store_news: StoreNews,
}

impl Default for Counts {
    fn default() -> Self {
        let figures = Figures { store_works: true, ..Figures::default() };
        Counts { figures, writes_at_failure: 0, store_news: StoreNews::default() }
    }
}

impl Counts {
    /// Nothing went wrong with the store; whether it was written for the first time since it could not be.
    pub(super) fn store_works(&mut self, store: &Store) -> bool {
        let is_back = !self.figures.store_works && writes(store) > self.writes_at_failure;
        self.figures.store_works |= is_back;
        is_back
    }

    /// Whether the store is written where it belongs.
    pub(super) fn store_stands(&mut self, store: &Store, is_well: bool) {
        if is_well {
            self.figures.store_works = true;
        } else {
            self.store_failed(store);
        }
    }

    /// The store cannot be written; whether it could be before.
    pub(super) fn store_failed(&mut self, store: &Store) -> bool {
        self.writes_at_failure = writes(store);
        std::mem::replace(&mut self.figures.store_works, false)
    }

    pub(super) fn scanned(&mut self, report: &Report) {
        let status = report.scan.status;
        if status == ScanStatus::Complete {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a scan")]
            let seconds = report.scan.duration_ms as f64 / 1000.0;
            self.figures.last_scan = Some((report.scan.finished_at, seconds));
        }
        count(&mut self.figures.scans, status.as_str());
    }

    pub(super) fn scan_failed(&mut self) {
        count(&mut self.figures.scans, "failed");
    }

    pub(super) fn checked(&mut self, outcome: CheckOutcome, refused: u32) {
        count(&mut self.figures.checks, outcome.as_str());
        self.refused(refused);
    }

    pub(super) fn refused(&mut self, refused: u32) {
        self.figures.logins_refused = self.figures.logins_refused.saturating_add(refused.into());
    }

    pub(super) fn events(&mut self, events: &[(i64, Event)]) {
        events.iter().for_each(|(_, event)| count(&mut self.figures.events, event.kind.as_str()));
    }

    pub(super) fn reloaded(&mut self, is_valid: bool, at: Timestamp) {
        let last = self.figures.reload.map_or(at, |(_, last)| last);
        self.figures.reload = Some((is_valid, if is_valid { at } else { last }));
    }

    /// Writes the file of metrics, if one is wanted. That it cannot be written is logged: watching goes on.
    pub(super) fn write(
        &mut self,
        file: Option<&Path>,
        memory: &Memory,
        store: &Store,
        follower: &dyn Follower,
        now: Timestamp,
    ) {
        self.figures.notifications = follower.deliveries();
        follower.figures(&self.figures);
        let Some(file) = file else { return };
        add_store(&mut self.figures, store);
        let text = render(memory, &self.figures, now, env!("CARGO_PKG_VERSION"));
        if let Err(error) = file::put(file, text.as_bytes()) {
            tracing::warn!(file = %file.display(), %error, "the metrics cannot be written");
        }
    }
}

/// Adds what no event tells of: the messages that wait, the store's files, what the process takes.
pub fn add_store(figures: &mut Figures, store: &Store) {
    let waiting = OutboxFilter { state: Some(DeliveryState::Waiting), ..OutboxFilter::default() };
    // A channel that was seen once has a series from then on.
    let channels = figures.outbox.take().unwrap_or_default().waiting;
    let mut outbox = Outbox { waiting: channels.into_keys().map(|name| (name, 0)).collect(), oldest: None };
    figures.outbox = match store.outbox(&waiting) {
        Ok(waiting) => {
            waiting.iter().for_each(|message| count(&mut outbox.waiting, &message.channel));
            outbox.oldest = waiting.iter().map(|message| message.created_at).min();
            Some(outbox)
        }
        Err(error) => {
            tracing::warn!("the messages that wait cannot be read: {error}");
            None
        }
    };
    let times = store.write_times();
    figures.store_writes =
        Some(Histogram { bounds: WriteTimes::BOUNDS.to_vec(), counts: times.counts.to_vec(), sum: times.seconds });
    let size = |suffix: &str| {
        let mut name = store.file().as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |file| file.len())
    };
    figures.store_bytes = [("main".to_owned(), size("")), ("wal".to_owned(), size("-wal"))].into();
    figures.process = Usage::now().map(|usage| Process {
        resident_bytes: usage.resident_bytes,
        open_files: usage.open_files,
        most_files: usage.most_files,
        cpu_seconds: usage.cpu.as_secs_f64(),
        began: usage.began.as_secs_f64(),
    });
}

fn writes(store: &Store) -> u64 {
    store.write_times().counts.iter().sum()
}

fn count(counts: &mut std::collections::BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count = count.saturating_add(1),
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}
