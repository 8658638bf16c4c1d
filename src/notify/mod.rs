//! Tells people and programs what happened to devices.
//!
//! ```text
//! events ── rules ──► deliveries (stored with the events) ── courier ──► compose ──► channel
//!           pure: match, group, limit                        one at a time a channel, tried again until taken
//! ```
//!
//! Rules, messages and the times of further tries are decided without I/O and without a clock; `courier`, `channel` and
//! `mqtt` send. SSRF is no question here: the addresses of channels come from the configuration alone.

pub mod channel;
pub mod compose;
pub mod courier;
mod group;
pub mod open;
pub mod retry;
pub mod rules;
mod wording;

pub use channel::{Channels, Deliver, Outcome};
pub use compose::{Message, Style, compose};
pub use courier::Courier;
pub use open::still_open;
pub use retry::next_try;
pub use rules::Rules;
