//! What happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::public_url;
use crate::history::memory::StreamId;
use crate::model::memory::Event;
use crate::store::StoredEvent;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventView {
    /// Its number. Later events have greater ones.
    pub id: i64,
    /// The scan that found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<i64>,
    /// The id of the stream it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_id: Option<StreamId>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl From<StoredEvent> for EventView {
    fn from(stored: StoredEvent) -> Self {
        let StoredEvent { number, mut event, scan } = stored;
        let stream_id = event.device.as_ref().zip(event.stream.as_ref()).map(|(uid, key)| StreamId::of(uid, key));
        if let Some(stream) = &mut event.data.stream {
            stream.url = public_url(&stream.url);
        }
        EventView { id: number, scan, stream_id, event }
    }
}
