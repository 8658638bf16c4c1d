//! What is shown, as data: the types of the API, which the pages read as well. Made by pure functions from what is known; no
//! address holds a login, and nothing says where files lie.

pub mod device;
pub mod diff;
pub mod event;
pub mod filter;
pub mod login;
pub mod mute;
pub mod notification;
pub mod page;
pub mod scan;
pub mod stream;
pub mod subnet;
pub mod summary;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::memory::{Known, Memory, StreamId};
use crate::model::memory::Uid;
use crate::text::{redact_url, strip_userinfo};

// How many devices and streams this thread has put in short.
#[cfg(test)]
thread_local!(pub(super) static VIEWS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

/// What is known at a moment.
#[derive(Clone, Default)]
pub struct Sight {
    /// The devices.
    pub memory: Arc<Memory>,
    /// The last picture of each stream.
    pub pictures: Arc<Pictures>,
    /// The moment.
    pub now: Timestamp,
}

/// The last picture of each stream that has one.
pub type Pictures = BTreeMap<StreamId, Picture>;

/// A picture of a stream. It is fetched by the stream's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Picture {
    /// The stream it is of.
    pub stream: StreamId,
    /// When it was taken.
    pub at: Timestamp,
    /// What tells it from others: the same for the same bytes.
    pub hash: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Sight {
    /// The device of an id, an address, a MAC address or a name; that which it was merged into.
    pub fn find(&self, text: &str) -> Option<&Known> {
        self.memory.find(text)
    }

    /// The device and the key of a stream.
    pub fn stream_of(&self, id: &StreamId) -> Option<(&Known, &str)> {
        let streams = self.memory.roots().flat_map(|known| known.streams.keys().map(move |key| (known, key.as_str())));
        streams.into_iter().find(|(known, key)| StreamId::of(&known.uid, key) == *id)
    }

    /// The newest picture of a device's streams that it still has.
    pub fn picture_of(&self, known: &Known) -> Option<&Picture> {
        let streams = known.streams.iter().filter(|(_, stream)| stream.gone_at.is_none());
        streams
            .filter_map(|(key, _)| self.pictures.get(&StreamId::of(&known.uid, key)))
            .max_by_key(|picture| picture.at)
    }
}

/// An address without a login in it, and without what looks like one.
pub fn public_url(url: &str) -> String {
    redact_url(&strip_userinfo(url))
}

/// The tag that names a state of something: `"` and 16 letters and digits `"`. Equal for equal content.
pub fn fingerprint(content: &impl Serialize) -> String {
    let text = serde_json::to_string(content).unwrap_or_default();
    StreamId::of(&Uid::of([0; 10]), &text).as_str().trim_start_matches("s_").to_owned()
}
