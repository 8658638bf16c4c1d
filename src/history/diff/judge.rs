//! What a change means: something broke, works again, or lies open.

use super::{Change, DeviceDiff, DeviceSummary, Diff};
use crate::model::StreamStatus;

/// Devices of the later report that are at the address of one that is gone, and are another one.
pub fn replaced(diff: &Diff) -> impl Iterator<Item = &DeviceSummary> {
    exchanges(diff).map(|(_, new)| new)
}

/// The same with the one that is gone, which stands first.
pub fn exchanges(diff: &Diff) -> impl Iterator<Item = (&DeviceSummary, &DeviceSummary)> {
    diff.added.iter().filter_map(|new| Some((diff.gone.iter().find(|gone| gone.ip == new.ip)?, new)))
}

/// Devices with a change of a kind.
pub fn changed(diff: &Diff, is_wanted: fn(&Change) -> bool) -> impl Iterator<Item = &DeviceDiff> {
    diff.changed.iter().filter(move |device| device.changes.iter().any(is_wanted))
}

/// A stream that delivered frames does so no longer.
pub fn is_break(change: &Change) -> bool {
    match change {
        Change::StreamStatus { before, after, .. } => {
            *before == StreamStatus::Streaming && *after != StreamStatus::Streaming
        }
        Change::StreamGone { status, .. } => *status == StreamStatus::Streaming,
        _ => false,
    }
}

/// A stream that delivered no frames does.
pub fn is_repair(change: &Change) -> bool {
    matches!(change, Change::StreamStatus { before, after, .. }
        if *before != StreamStatus::Streaming && *after == StreamStatus::Streaming)
}

/// A login is demanded no longer.
pub fn is_opening(change: &Change) -> bool {
    matches!(change, Change::ServiceOpenWithoutLogin(_) | Change::StreamOpenWithoutLogin { .. })
}

/// A login is demanded that was not.
pub fn is_protection(change: &Change) -> bool {
    matches!(change, Change::ServiceLoginNeeded(_) | Change::StreamLoginNeeded { .. })
}
