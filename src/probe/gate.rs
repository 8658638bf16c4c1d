//! One client at a time: many cameras serve one stream and one RTSP connection, and some want a pause between two.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The one way in to the streams of a host, whatever the protocol.
#[derive(Debug, Default)]
pub struct Gate {
    turn: Arc<tokio::sync::Mutex<()>>,
    pace: Mutex<Pace>,
}

/// The right to be the one client that plays a stream of a host ([`Gate::turn`]).
pub type StreamTurn = tokio::sync::OwnedMutexGuard<()>;

/// How soon after another the device takes RTSP connections.
#[derive(Debug, Default, Clone, Copy)]
struct Pace {
    opened: Option<Instant>,
    pause: Duration,
}

impl Gate {
    /// Waits until nobody else plays a stream of the host, by whatever protocol, or has an RTSP connection to it: a stream
    /// asked for in several ways at once hampers itself. The turn lasts until it is dropped. None when it takes longer than
    /// `limit`; whoever then goes on goes without.
    ///
    /// Nobody takes a second turn while holding one: it would wait for itself.
    pub async fn turn(&self, limit: Duration) -> Option<StreamTurn> {
        tokio::time::timeout(limit, self.turn.clone().lock_owned()).await.ok()
    }

    /// From now on, so much time is left between two RTSP connections.
    pub fn space_connections(&self, pause: Duration) {
        self.pace().pause = pause;
    }

    /// Notes that an RTSP connection is opened now.
    pub fn note_opened(&self) {
        self.pace().opened = Some(Instant::now());
    }

    /// When the next RTSP connection may be opened; none where no pause is wanted.
    pub fn ready_at(&self) -> Option<Instant> {
        let Pace { opened, pause } = *self.pace();
        opened.filter(|_| !pause.is_zero()).map(|opened| opened + pause)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
