//! Messages that wait for delivery. They are written together with the events they tell, so none is lost.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
    /// What is sent, from the first try on; it stays the same, byte for byte.
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
