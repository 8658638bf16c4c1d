//! What happens, as it happens: to pages and programs over server-sent events and WebSockets.
//!
//! ```text
//! store ── a task reads what is new ──┐
//!                                     ├─► one channel of 256 messages ─► each client at its own pace
//! loop that watches ── news ──────────┘
//! ```
//!
//! Events come from the store, whoever wrote them, and have its numbers. News of what is under way is not kept: whoever was
//! away has missed it. A client that is 256 messages behind is told `resync` and cut off; nobody waits for it.

mod follow;
mod hub;
mod message;
mod permits;
mod socket;
mod sse;
#[cfg(test)]
mod tests;

pub use hub::{BEHIND, Hub};
pub use message::{LIVE, Message};
pub use permits::{Permit, Permits};

use super::api::table::{Endpoint, Shape, any, get, one};
use crate::model::access::Scope;

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let asked = [
        one("after", Shape::Number(0, i64::MAX), "Begin behind the event of this number"),
        any("types", Shape::Text, "Only these types, with commas between them"),
    ];
    vec![
        get("/events/stream", Scope::Read, sse::stream, "What happens, as it happens, as server-sent events")
            .query(&asked)
            .header("Last-Event-ID", "The last event that was seen; those after it come first")
            .answers_media(200, "Events until the reader goes away", "text/event-stream"),
        get("/ws", Scope::Read, socket::open, "The same over a WebSocket")
            .query(&asked)
            .done(101, "The WebSocket is open")
            .problems(&[426]),
    ]
}
