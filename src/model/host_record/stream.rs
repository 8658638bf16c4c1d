//! Which of two analyses of one stream counts.

use super::list::{Entry, fullness};
use crate::model::{Step, Stream, StreamStatus};

impl Entry for Stream {
    type Key<'k> = &'k str;

    fn key(&self) -> &str {
        &self.url
    }

    fn merge(&mut self, other: Self) {
        if other != *self && progress(&other) > progress(self) {
            *self = other;
        }
    }
}

/// How far an analysis got. Frames that came settle it; then a proof that ended, for whatever reason, counts before a
/// description that is still to be proved; then the furthest step tried and how many steps it took; and of two that got
/// equally far the one that has more to tell.
fn progress(stream: &Stream) -> impl Ord + use<> {
    let furthest: Option<Step> = stream.ladder.iter().map(|step| step.step).max();
    (
        stream.status == StreamStatus::Streaming,
        stream.status != StreamStatus::Described || stream.error.is_some(),
        furthest,
        stream.ladder.len(),
        stream.snapshot.is_some(),
        stream.sources.len(),
        stream.warnings.len(),
        fullness(stream),
    )
}
