//! What is remembered of a port between its streams.

use crate::model::Way;

/// What playing the streams of one port taught about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lessons {
    /// The way that worked where the first had brought nothing, now or in an earlier scan.
    pub(super) worked: Option<Way>,
    /// How many streams no way worked for.
    pub(super) in_vain: u32,
}
