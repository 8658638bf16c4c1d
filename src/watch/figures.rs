//! What is counted while this process runs, and the file of metrics.

use std::path::Path;

use jiff::Timestamp;

use crate::history::memory::Memory;
use crate::metrics::{Figures, render};
use crate::model::Report;
use crate::model::memory::{DeliveryState, Event};
use crate::model::report::ScanStatus;
use crate::store::{CheckOutcome, OutboxFilter, Store};
use crate::tool::file;

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    figures: Figures,
}

impl Counts {
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
    pub(super) fn write(&mut self, file: Option<&Path>, memory: &Memory, store: &Store, now: Timestamp) {
        let Some(file) = file else { return };
        self.look_at(store);
        let text = render(memory, &self.figures, now, env!("CARGO_PKG_VERSION"));
        if let Err(error) = file::put(file, text.as_bytes()) {
            tracing::warn!(file = %file.display(), %error, "the metrics cannot be written");
        }
    }

    fn look_at(&mut self, store: &Store) {
        let waiting = OutboxFilter { state: Some(DeliveryState::Waiting), ..OutboxFilter::default() };
        let waiting = store.outbox(&waiting).unwrap_or_default();
        self.figures.outbox_waiting.values_mut().for_each(|count| *count = 0);
        waiting.iter().for_each(|message| count(&mut self.figures.outbox_waiting, &message.channel));
        self.figures.outbox_oldest = waiting.iter().map(|message| message.created_at).min();
        let size = |suffix: &str| {
            let mut name = store.file().as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).map_or(0, |file| file.len())
        };
        self.figures.store_bytes = [("main".to_owned(), size("")), ("wal".to_owned(), size("-wal"))].into();
    }
}

fn count(counts: &mut std::collections::BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count = count.saturating_add(1),
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}
