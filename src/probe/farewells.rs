//! The last words of sessions whose owner was cut short.

use std::time::Duration;

use tokio_util::task::TaskTracker;

/// Says farewell to devices in the background, so that no session outlives its owner: cameras have few, and keep them for
/// a minute. Shared by all hosts of a scan.
#[derive(Debug, Clone, Default)]
pub struct Farewells(TaskTracker);

impl Farewells {
    /// Runs `last_words`, which must end by themselves. Outside a runtime nothing can be said any more.
    pub fn spawn(&self, last_words: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.0.spawn_on(last_words, &runtime);
        }
    }

    /// Waits until all is said, at most for `limit`.
    pub async fn all_said(&self, limit: Duration) {
        self.0.close();
        // Who has not answered by then does not matter any more: the words went out.
        let _ = tokio::time::timeout(limit, self.0.wait()).await;
    }
}
