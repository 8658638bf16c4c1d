//! One side of a connection as a run of bytes, of which it is known when each came.

use std::time::Duration;

use crate::model::recording::{Part, Side};

/// The bytes of one side.
#[derive(Default)]
pub(super) struct Flow {
    pub(super) bytes: Vec<u8>,
    /// Where each part ends, and when it came.
    ends: Vec<(usize, Duration)>,
}

impl Flow {
    pub(super) fn of(parts: &[Part], side: Side) -> Flow {
        let mut flow = Flow::default();
        for part in parts.iter().filter(|part| part.from == side) {
            flow.bytes.extend_from_slice(&part.bytes);
            flow.ends.push((flow.bytes.len(), part.at));
        }
        flow
    }

    /// When the byte at a place came; of a place behind the end, when the last did.
    pub(super) fn time(&self, at: usize) -> Duration {
        let number = self.ends.partition_point(|(end, _)| *end <= at);
        self.ends.get(number).or(self.ends.last()).map(|(_, time)| *time).unwrap_or_default()
    }

    pub(super) fn from(&self, at: usize) -> &[u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// The parts between two places, as they came.
    pub(super) fn parts(&self, from: usize, to: usize) -> Vec<(Duration, &[u8])> {
        let mut parts = Vec::new();
        let mut at = from;
        for &(end, time) in self.ends.iter().filter(|(end, _)| *end > from) {
            let end = end.min(to);
            if at >= end {
                break;
            }
            parts.push((time, self.bytes.get(at..end).unwrap_or_default()));
            at = end;
        }
        parts
    }
}

/// Milliseconds from one moment to another; 0 where the other came first.
pub(super) fn ms(from: Duration, to: Duration) -> u64 {
    u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(u64::MAX)
}
