//! What a process that goes on for months holds: the C library has a heap for each thread and keeps what is freed in it, where
//! something that is still used lies behind it. After many requests at once that is several times what is used.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::platform;

/// Twice a minute. It takes some milliseconds after a burst, and next to nothing otherwise.
const EVERY: Duration = Duration::from_secs(30);

/// Gives the system back what is free, again and again, without end.
pub async fn give_back() {
    let mut due = interval(EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        // Beside the tasks of this runtime: each heap is locked while it is looked through.
        let _ = tokio::task::spawn_blocking(platform::give_back_memory).await;
    }
}
