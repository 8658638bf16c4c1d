//! A stream that can be watched: where it comes from, the task that fetches it, and whether there is something to see.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::audience::ViewerFacts;
use super::facts::Facts;
use super::refusal::Refusal;
use super::source::StreamSource;
use super::stream::{Condition, SourceStatistics, State, Stream};
use super::words::Sentence;

/// How long a viewer waits for the first frame of a stream that nobody watched.
const START_TIME: Duration = Duration::from_secs(10);
/// When to ask again where the camera is away: as often as it is asked itself.
const AWAY_PAUSE: Duration = Duration::from_secs(2);

/// A stream that can be watched.
pub(super) struct Entry {
    pub source: StreamSource,
    pub stream: Arc<Stream>,
    pub always_on: watch::Sender<bool>,
    pub cancel: CancellationToken,
    pub task: JoinHandle<()>,
}

/// All that is known of one stream. Holds neither address nor login of the camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamStatus {
    /// The stream.
    pub id: String,
    /// How it is, and why.
    #[serde(flatten)]
    pub condition: Condition,
    /// Picture and sound: as they came, else as they were declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// What was counted of the camera's packets.
    pub source: SourceStatistics,
    /// Who watches.
    pub viewers: Vec<ViewerFacts>,
    /// Whether it is fetched also while nobody does.
    pub always_on: bool,
}

impl Entry {
    /// As it came, else as it was declared.
    pub fn facts(&self) -> Option<Facts> {
        self.stream.facts().or_else(|| self.source.declared.clone())
    }

    pub fn status(&self) -> StreamStatus {
        StreamStatus {
            id: self.source.id.clone(),
            condition: self.stream.condition().borrow().clone(),
            facts: self.facts(),
            source: self.stream.statistics(Instant::now().into_std()),
            viewers: self.stream.watching(),
            always_on: *self.always_on.borrow(),
        }
    }

    pub fn end(self) {
        self.cancel.cancel();
        self.stream.remove();
    }
}

/// Waits until frames come.
pub(super) async fn ready(stream: &Stream) -> Result<(), Refusal> {
    let (mut condition, mut failures) = (stream.condition(), stream.failures());
    let until = Instant::now() + START_TIME;
    failures.borrow_and_update();
    loop {
        let now = condition.borrow_and_update().clone();
        match now.state {
            State::Live if stream.facts().is_some() => return Ok(()),
            State::Stopped => return Err(Refusal::Stopped { reason: now.reason.unwrap_or(Sentence::NotAsked) }),
            _ if stream.is_gone() => return Err(Refusal::NoStream),
            _ => {}
        }
        let changed = async {
            tokio::select! {
                _ = condition.changed() => false,
                _ = failures.changed() => true,
            }
        };
        match timeout_at(until, changed).await {
            Ok(false) => {}
            // A try that began for this viewer, or while it waited, has failed. Stopped, it is said so.
            Ok(true) if stream.condition().borrow().state == State::Stopped => {}
            Ok(true) | Err(_) => return Err(away(stream)),
        }
    }
}

/// Why there is nothing to see.
pub(super) fn away(stream: &Stream) -> Refusal {
    let reason = stream.condition().borrow().reason.unwrap_or(Sentence::NothingYet);
    Refusal::Away { reason, after: AWAY_PAUSE }
}
