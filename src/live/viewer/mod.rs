//! Somebody who watches: how, since when and how well. As long as one of them is there, the stream is fetched.

pub mod jpegs;
pub mod mse;
pub mod stills;
pub(super) mod ticket;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::audience::{Carrier, ViewerFacts, Watching};
use super::choose::Mode;
use super::stream::Stream;
use ticket::Ticket;

/// Somebody watches a stream as long as this is held.
pub(super) struct Presence {
    pub stream: Arc<Stream>,
    number: u64,
    facts: Arc<Mutex<ViewerFacts>>,
    began: tokio::time::Instant,
    /// A place among all viewers.
    _place: OwnedSemaphorePermit,
    /// The right to end the session, which ends with it.
    ticket: Option<Ticket>,
}

impl Presence {
    pub fn new(stream: Arc<Stream>, mode: Mode, place: OwnedSemaphorePermit) -> Presence {
        let carrier = (mode != Mode::WebRtc).then_some(Carrier::Http);
        let facts = Arc::new(Mutex::new(ViewerFacts {
            mode,
            carrier,
            since: Timestamp::now(),
            first_frame_ms: None,
            frames: 0,
            bytes: 0,
            dropped_frames: 0,
            rtt_ms: None,
            loss: None,
            nacks: 0,
            plis: 0,
        }));
        let number = stream.enter(Watching::new(facts.clone()));
        Presence { stream, number, facts, began: tokio::time::Instant::now(), _place: place, ticket: None }
    }

    /// The same; a ticket is good for as long as it is held.
    pub fn with_ticket(mut self, ticket: Ticket) -> Presence {
        self.ticket = Some(ticket);
        self
    }

    /// Changes what is known of the viewer.
    pub fn note(&self, change: impl FnOnce(&mut ViewerFacts)) {
        change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A picture was sent.
    pub fn note_frame(&self) {
        self.note(|facts| {
            facts.frames += 1;
            let waited = self.began.elapsed().as_millis();
            facts.first_frame_ms.get_or_insert(u64::try_from(waited).unwrap_or(u64::MAX));
        });
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        drop(self.ticket.take());
        self.stream.leave(self.number);
    }
}
