//! The API, `/api/v1`: one table of endpoints, and their handlers.
//!
//! ```text
//! rows() ─► table (routes, and what is checked) ─► ask (query and body) ─► a handler ─► view/ as JSON
//!        └► openapi (the document)
//! ```

pub(super) mod admin;
pub mod ask;
mod change;
mod devices;
mod docs;
mod events;
pub(super) mod exports;
mod list;
pub(super) mod messages;
pub mod openapi;
mod replay;
mod scans;
mod status;
mod streams;
mod subnets;
pub mod table;

use super::{auth, jobs, live, pictures};
use table::Endpoint;

/// Every endpoint. Each topic has its rows beside its handlers.
pub fn rows() -> Vec<Endpoint> {
    let topics = [
        status::rows(),
        devices::rows(),
        change::rows(),
        streams::rows(),
        scans::rows(),
        events::rows(),
        subnets::rows(),
        exports::rows(),
        messages::rows(),
        admin::rows(),
        docs::rows(),
        live::rows(),
        auth::api::rows(),
        auth::devices::rows(),
        jobs::rows(),
        super::events::rows(),
        pictures::rows(),
    ];
    topics.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
