//! Which pictures there are, as they were when they were last read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::serve::view::Pictures;

/// Which pictures there are, as they were when they were last read.
#[derive(Default)]
pub struct Shown {
    /// Grows when this process takes one.
    pub(super) taken: AtomicU64,
    pub(super) read: Mutex<Option<(AsOf, Arc<Pictures>)>>,
}

/// What changes when a picture does: those of this process, and what the store says.
pub(super) type AsOf = (u64, (i64, i64));

impl Shown {
    /// There is another picture.
    pub(in crate::serve) fn changed(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }
}
