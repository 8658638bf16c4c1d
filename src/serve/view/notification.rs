//! Channels and the messages that went there, or wait.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::memory::{Delivery, DeliveryState};
use crate::model::notify::Notifications;

/// A channel of the configuration. Its address and its secrets stay there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// Its type: `webhook`, `email`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Messages that wait for it.
    pub waiting: u64,
    /// Since when the oldest of them waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// When the last message was taken by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_done: Option<Timestamp>,
    /// What went wrong at the last try that failed, of the messages that wait or were given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationView {
    /// Its number.
    pub id: i64,
    /// What the receiver knows it by.
    pub message_id: String,
    /// The channel.
    pub channel: String,
    /// What became of it.
    pub state: DeliveryState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is to be tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The numbers of the events it tells.
    pub events: Vec<i64>,
}

impl From<&Delivery> for NotificationView {
    fn from(delivery: &Delivery) -> Self {
        NotificationView {
            id: delivery.number,
            message_id: delivery.id.clone(),
            channel: delivery.channel.clone(),
            state: delivery.state,
            created_at: delivery.created_at,
            due_at: (delivery.state == DeliveryState::Waiting).then_some(delivery.due_at),
            tries: delivery.tries,
            error: delivery.error.clone(),
            events: delivery.events.clone(),
        }
    }
}

/// The channels of the configuration, with what the messages of the store say of them.
pub fn channels(notifications: &Notifications, messages: &[Delivery]) -> Vec<ChannelView> {
    let mut by_channel: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for message in messages {
        by_channel.entry(&message.channel).or_default().push(message);
    }
    let view = |channel: &crate::model::notify::Channel| {
        let own = by_channel.get(channel.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let waiting = || own.iter().filter(|message| message.state == DeliveryState::Waiting);
        let done = own.iter().filter(|message| message.state == DeliveryState::Done);
        let failed = own.iter().rev().filter(|message| message.state != DeliveryState::Done);
        ChannelView {
            name: channel.name.clone(),
            kind: channel.way.kind().to_owned(),
            waiting: waiting().count() as u64,
            waiting_since: waiting().map(|message| message.created_at).min(),
            last_done: done.map(|message| message.due_at).max(),
            error: failed.filter_map(|message| message.error.clone()).next(),
        }
    };
    notifications.channels.iter().map(view).collect()
}
