//! Messages that wait for delivery. They are written together with the events they tell, so none is lost.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::model::names::names;

names! {
    /// What became of a message.
    pub enum DeliveryState {
        /// It waits for its time: to be grouped, or to be tried again.
        Waiting = "waiting",
        /// The receiver has it.
        Done = "done",
        /// The receiver does not take it; only a user's `retry` sends it again.
        Dead = "dead",
        /// It was left out: too many waited, or the problem ended before anybody could be told.
        Dropped = "dropped",
    }
}

/// A message on its way to a channel. Events of one group that come while it waits for the first time are added to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number in the store; 0 while it is in none.
    pub number: i64,
    /// What receivers recognise it by, the same at every try.
    pub id: String,
    /// The channel's name in the configuration.
    pub channel: String,
    /// What it is grouped by: rule and site. Messages of one group are told together.
    pub group: String,
    /// The events it tells, by their numbers in the store, in order.
    pub events: Vec<i64>,
    /// What is sent, from the first try on; it stays the same, byte for byte. Empty where delivery has begun and nothing was
    /// written yet. No event is added to a message that has one.
    pub body: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is to be tried next.
    pub due_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// What became of it.
    pub state: DeliveryState,
    /// Why the last try failed, without a secret.
    pub error: Option<String>,
}

impl Delivery {
    /// Whether further events of its group may be added: it waits, and nobody has begun to deliver it.
    pub fn takes_more(&self) -> bool {
        self.state == DeliveryState::Waiting && self.body.is_none()
    }
}

/// The messages that events become.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routed {
    /// Messages to store; their numbers are 0.
    pub new: Vec<Delivery>,
    /// Numbers of events to add at the end of messages that [take more](Delivery::takes_more), by the messages' numbers.
    pub added: Vec<(i64, Vec<i64>)>,
    /// Messages that are not sent any more, by their numbers: their events went into another one. They become
    /// [`DeliveryState::Dropped`].
    pub dropped: Vec<i64>,
}

/// Reads stored events by their numbers. Those that are no longer stored are left out.
pub type Stored<'s> = dyn Fn(&[i64]) -> Vec<(i64, Event)> + 's;

/// Decides which messages tell which events. Called in the transaction that stores the events, so it must not wait.
pub trait Route {
    /// The messages about `events`, which have just been stored under these numbers. `open` holds every message that waits
    /// and every one made in the hour before `now`, whatever became of it, in the order of their numbers. `stored` reads events
    /// by their numbers.
    fn route(&self, events: &[(i64, Event)], open: &[Delivery], now: Timestamp, stored: &Stored<'_>) -> Routed;
}

/// Nobody is told anything.
impl Route for () {
    fn route(&self, _: &[(i64, Event)], _: &[Delivery], _: Timestamp, _: &Stored<'_>) -> Routed {
        Routed::default()
    }
}

/// Why the messages that wait cannot be read or written, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxError(pub String);

impl fmt::Display for OutboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OutboxError {}

/// Where messages wait, as delivery needs it. Calls may block for as long as a disk takes.
pub trait Outbox: Send + Sync {
    /// Messages to `channel` that wait and whose time has come, at most `limit`, the one that is due longest first.
    ///
    /// # Errors
    /// When they cannot be read.
    fn due(&self, channel: &str, now: Timestamp, limit: usize) -> Result<Vec<Delivery>, OutboxError>;

    /// When the next of the messages that wait for `channel` is due; in the past where one is due already.
    ///
    /// # Errors
    /// When they cannot be read.
    fn next_due(&self, channel: &str) -> Result<Option<Timestamp>, OutboxError>;

    /// Writes what became of a message, found by its number: `body`, `due_at`, `tries`, `state` and `error`. Never `events`:
    /// more may have been added since it was read.
    ///
    /// # Errors
    /// When it cannot be written.
    fn settle(&self, delivery: &Delivery) -> Result<(), OutboxError>;

    /// The events a message tells at this moment, in the order of its list. Those that are no longer stored are left out.
    ///
    /// # Errors
    /// When they cannot be read.
    fn events_of(&self, delivery: &Delivery) -> Result<Vec<(i64, Event)>, OutboxError>;
}
