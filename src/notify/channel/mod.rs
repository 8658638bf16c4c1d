//! Sends messages: one file per kind of channel. Nothing of an address, a token or a password stands in what is reported.

mod email;
pub mod escape;
mod exec;
mod hide;
mod http;
pub mod mqtt;
mod service;
mod syslog;
pub(super) mod webhook;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use jiff::SignedDuration;
use serde_json::Value;

use super::compose::Message;
use crate::model::notify::{Channel, ChannelWay, Notifications};
use crate::net::RealNet;
use crate::tool::read;
use hide::Hider;
use mqtt::Bridge;

/// The longest answer of a receiver that is shown, in characters.
const ANSWER: usize = 300;

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it; what it answered.
    Done {
        /// In one line: `200 OK: {"id":"x"}`.
        answer: String,
    },
    /// It is to be tried again.
    Retry {
        /// The pause the receiver asks for.
        after: Option<SignedDuration>,
        /// Why.
        why: String,
    },
    /// The receiver will never take this message.
    Dead {
        /// Why.
        why: String,
    },
    /// The receiver takes no messages any more (410).
    ChannelOff {
        /// Why.
        why: String,
    },
}

impl Outcome {
    pub(super) fn retry(why: impl Into<String>) -> Outcome {
        Outcome::Retry { after: None, why: why.into() }
    }

    pub(super) fn dead(why: impl Into<String>) -> Outcome {
        Outcome::Dead { why: why.into() }
    }

    /// The same, shown without these secrets: the only door through which what a receiver or a library says is let out.
    fn without(self, secrets: &Hider) -> Outcome {
        let hide = |text: String| secrets.hidden(&text);
        match self {
            Outcome::Done { answer } => Outcome::Done { answer: hide(answer) },
            Outcome::Retry { after, why } => Outcome::Retry { after, why: hide(why) },
            Outcome::Dead { why } => Outcome::Dead { why: hide(why) },
            Outcome::ChannelOff { why } => Outcome::ChannelOff { why: hide(why) },
        }
    }
}

/// Delivers messages.
pub trait Deliver: Send + Sync {
    /// One try to bring a message to the channel of that name. Ends within a minute.
    fn deliver<'a>(&'a self, channel: &'a str, message: &'a Message) -> BoxFuture<'a, Outcome>;
}

/// The channels of a configuration, ready to send.
pub struct Channels {
    http: http::Client,
    net: Arc<RealNet>,
    channels: BTreeMap<String, Ready>,
}

/// A channel and what it keeps open.
struct Ready {
    channel: Channel,
    secrets: Hider,
    bridge: Option<Bridge>,
}

impl Channels {
    /// The channels of a configuration. `instance` tells this camscan from others at a broker: at most 12 letters and digits
    /// that stay the same as long as the store. Must be called within a runtime; brokers of MQTT are connected to as long as
    /// the channels live.
    pub fn open(notifications: &Notifications, instance: &str) -> Channels {
        let ready = notifications.channels.iter().map(|channel| {
            let bridge = match &channel.way {
                ChannelWay::Mqtt(mqtt) => Some(Bridge::start(mqtt, instance)),
                _ => None,
            };
            let secrets = Hider::of(&channel.way);
            (channel.name.clone(), Ready { channel: channel.clone(), secrets, bridge })
        });
        Channels { http: http::Client::new(), net: RealNet::new(), channels: ready.collect() }
    }

    /// The names of the channels.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.channels.keys().map(String::as_str)
    }

    /// The bridges to brokers of MQTT, which also show the state of devices.
    pub fn bridges(&self) -> impl Iterator<Item = &Bridge> {
        self.channels.values().filter_map(|ready| ready.bridge.as_ref())
    }

    /// Says goodbye to brokers. At most five seconds.
    pub async fn close(&self) {
        futures::future::join_all(self.bridges().map(Bridge::close)).await;
    }

    async fn send(&self, ready: &Ready, message: &Message) -> Outcome {
        let name = &ready.channel.name;
        let outcome = match &ready.channel.way {
            ChannelWay::Webhook(webhook) => webhook::send(&self.http, webhook, message).await,
            ChannelWay::Service(service) => service::send(&self.http, service, message).await,
            ChannelWay::Mqtt(_) => match &ready.bridge {
                Some(bridge) => bridge.send(message).await,
                None => Outcome::retry("the broker is not connected"),
            },
            ChannelWay::Email(email) => email::send(email, message).await,
            ChannelWay::Exec(exec) => exec::send(exec, message).await,
            ChannelWay::Syslog(syslog) => syslog::send(self.net.as_ref(), syslog, message).await,
        };
        let outcome = outcome.without(&ready.secrets);
        tracing::debug!("channel {name}: {outcome:?}");
        outcome
    }
}

impl Deliver for Channels {
    fn deliver<'a>(&'a self, channel: &'a str, message: &'a Message) -> BoxFuture<'a, Outcome> {
        async move {
            match self.channels.get(channel) {
                Some(ready) => self.send(ready, message).await,
                None => Outcome::dead("there is no such channel in the configuration"),
            }
        }
        .boxed()
    }
}

/// Gives a JSON object another field.
fn put(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value.into());
    }
}

/// A file of certificates that the configuration names.
fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    /// The most bytes it may have.
    const MOST: u64 = 1 << 20;
    read::bytes(path, MOST).map_err(|_| format!("the file of certificates {} cannot be read", path.display()))
}

/// Makes ring the provider of cryptography of this process; the libraries that speak TLS ask for it.
fn provide_cryptography() {
    // Whoever was first has it.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests;
