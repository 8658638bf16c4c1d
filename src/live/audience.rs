//! Who watches a stream, as far as others are told.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::choose::Mode;

/// By what a viewer's packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// UDP.
    Udp,
    /// TCP, for want of UDP (ICE-TCP).
    Tcp,
    /// The connection of the page itself.
    Http,
}

/// What is known of one viewer. Says nothing of who it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ViewerFacts {
    /// How the stream is shown.
    pub mode: Mode,
    /// By what it travels; absent before it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Carrier>,
    /// Since when.
    pub since: Timestamp,
    /// Milliseconds from the beginning to the first frame that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_frame_ms: Option<u64>,
    /// Frames sent, pictures alone.
    pub frames: u64,
    /// Bytes sent, those sent again among them.
    pub bytes: u64,
    /// Frames left out because the viewer was too slow.
    pub dropped_frames: u64,
    /// The time of a round trip in milliseconds, as last measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// The part of the packets that the viewer missed, 0 to 1, as last reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f32>,
    /// Packets the viewer asked for again.
    pub nacks: u64,
    /// Key frames the viewer asked for.
    pub plis: u64,
}

/// One entry in a stream's list of viewers.
pub(super) struct Watching(Arc<Mutex<ViewerFacts>>);

impl Watching {
    pub fn new(facts: Arc<Mutex<ViewerFacts>>) -> Watching {
        Watching(facts)
    }

    pub fn facts(&self) -> ViewerFacts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
