//! Two scans side by side.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::public_device;
use super::scan::ScanView;
use crate::history::diff::{self, DeviceDiff, DeviceSummary, judge};
use crate::history::memory::{Memory, would_find};
use crate::model::Report;
use crate::model::memory::Uid;

/// What changed from one scan to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiffView {
    /// The earlier one.
    pub from: ScanView,
    /// The later one; absent for what is known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ScanView>,
    /// Devices that the later one alone has, and the earlier one asked for.
    pub added: Vec<DeviceSummary>,
    /// Devices that the earlier one alone has, and the later one asked for.
    pub gone: Vec<DeviceSummary>,
    /// Devices of one that the other did not ask for: nothing is known of them there.
    pub not_asked: Vec<DeviceSummary>,
    /// Devices of both that are not as they were.
    pub changed: Vec<DeviceDiff>,
    /// Of these, the numbers (from 0) of those at another address.
    pub moved: Vec<usize>,
    /// Of these, the numbers of those with a stream that delivers frames no longer.
    pub broken: Vec<usize>,
    /// Of these, the numbers of those with a stream that delivers frames again.
    pub repaired: Vec<usize>,
    /// Of these, the numbers of those where a login is demanded no longer.
    pub opened: Vec<usize>,
    /// Of these, the numbers of those where a login is demanded that was not.
    pub protected: Vec<usize>,
    /// Devices of `added` at the address of one of `gone`.
    pub replaced: Vec<DeviceSummary>,
}

/// Compares two reports; `is_now` where the later one is what is known, which asks for everything.
pub fn compare(memory: &Memory, from: ScanView, to: Option<ScanView>, before: Report, after: Report) -> DiffView {
    let public = |mut report: Report| {
        memory.follow(&mut report);
        let uids: Vec<Option<Uid>> = report.devices.iter().map(|device| device.uid.clone()).collect();
        report.devices = report.devices.into_iter().map(public_device).collect();
        let mut report = crate::store::without_notes(report);
        report.devices.iter_mut().zip(uids).for_each(|(device, uid)| device.uid = uid);
        report
    };
    let (before, after) = (public(before), public(after));
    let mut diff = diff::compare(&before, &after);
    diff.rename(|device| memory.devices.get(device.uid.as_ref()?)?.name().map(str::to_owned));
    let mut not_asked = Vec::new();
    let mut keep_asked = |all: &mut Vec<DeviceSummary>, own: &Report, other: &Report, is_whole: bool| {
        let devices = own.devices.iter().filter(|device| is_whole || would_find(other, device));
        let asked: BTreeSet<&str> = devices.map(|device| device.id.as_str()).collect();
        let (kept, left): (Vec<_>, Vec<_>) =
            std::mem::take(all).into_iter().partition(|device| asked.contains(device.id.as_str()));
        *all = kept;
        not_asked.extend(left);
    };
    keep_asked(&mut diff.gone, &before, &after, to.is_none());
    keep_asked(&mut diff.added, &after, &before, false);
    let which = |is_wanted: fn(&diff::Change) -> bool| -> Vec<usize> {
        let all = diff.changed.iter().enumerate();
        all.filter(|(_, device)| device.changes.iter().any(is_wanted)).map(|(n, _)| n).collect()
    };
    let moved = diff.changed.iter().enumerate().filter(|(_, device)| device.before.ip != device.after.ip);
    DiffView {
        from,
        to,
        moved: moved.map(|(n, _)| n).collect(),
        broken: which(judge::is_break),
        repaired: which(judge::is_repair),
        opened: which(judge::is_opening),
        protected: which(judge::is_protection),
        replaced: judge::replaced(&diff).cloned().collect(),
        added: diff.added,
        gone: diff.gone,
        changed: diff.changed,
        not_asked,
    }
}
