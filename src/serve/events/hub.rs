//! Where everything that happens comes together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

use super::message::Message;
use super::permits::Permits;
use crate::serve::view::scan::ScanView;
use crate::watch::News;

/// Messages that a client may be behind.
pub const BEHIND: usize = 256;
/// News of single hosts and devices within a quarter of a second; a scan tells their number anyway.
const MOST_FOUND: u32 = 48;
const WINDOW: Duration = Duration::from_millis(250);

/// Where everything that happens comes together.
pub struct Hub {
    pub(super) sender: broadcast::Sender<Arc<Message>>,
    pub(super) inner: Mutex<Inner>,
    /// Events were stored, or the first client came.
    pub(super) changed: Notify,
    /// Who follows.
    pub(super) permits: Permits,
}

#[derive(Default)]
pub(super) struct Inner {
    /// The number of the last event that was sent; none while nobody follows.
    pub(super) last: Option<i64>,
    pub(super) runs: bool,
    /// News of hosts and devices since a time.
    found: Option<(Instant, u32)>,
}

impl Default for Hub {
    fn default() -> Self {
        let sender = broadcast::Sender::new(BEHIND);
        Hub { sender, inner: Mutex::default(), changed: Notify::new(), permits: Permits::default() }
    }
}

impl Hub {
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events were stored.
    pub(in crate::serve) fn stored(&self) {
        self.changed.notify_one();
    }

    pub(super) fn has_clients(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    fn send(&self, message: impl FnOnce() -> Message) {
        if self.has_clients() {
            let _ = self.sender.send(Arc::new(message()));
        }
    }

    /// How a scan stands has changed.
    pub(in crate::serve) fn scan(&self, view: &ScanView, now: Timestamp) {
        self.send(|| Message::scan(view, now));
    }

    /// Something else is under way.
    pub(in crate::serve) fn news(&self, news: &News<'_>, now: Timestamp) {
        if self.has_clients() && (!is_found(news) || self.may_tell_found()) {
            self.send(|| Message::news(news, now));
        }
    }

    fn may_tell_found(&self) -> bool {
        let now = Instant::now();
        let mut inner = self.inner();
        let (since, told) = inner.found.filter(|(since, _)| now.duration_since(*since) < WINDOW).unwrap_or((now, 0));
        inner.found = Some((since, told.saturating_add(1)));
        told < MOST_FOUND
    }
}

fn is_found(news: &News<'_>) -> bool {
    matches!(news, News::HostUp(..) | News::DeviceFound(..))
}
