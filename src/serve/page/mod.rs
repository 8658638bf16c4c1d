//! The pages: forms and links that work without a script, and better with one.
//!
//! ```text
//! request ─► look (language, colours, who) ─► gather (what is shown, from view/) ─► one file a page ─► shell ─► sent
//!         └► act (forms: what is done, by act/) ─► back to the page it came from
//! ```
//!
//! Every page is a pure function of its look and of what it shows, so a test can draw each with whatever a device may say.

mod admin;
mod assets;
mod card;
mod days;
mod device;
mod diff;
mod events;
mod fields;
mod forms;
mod found;
mod gather;
pub mod login;
mod logins;
pub mod look;
mod manage;
mod map;
mod names;
mod notifications;
mod now;
mod orders;
pub(super) mod parts;
mod proofs;
mod scans;
pub mod shell;
mod start;
#[cfg(test)]
mod tests;
mod upkeep;
mod wall;
pub mod words;
mod words_audit;
mod words_problems;
mod words_remarks;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::App;

/// The pages.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(gather::now))
        .route("/devices/{id}", get(gather::device))
        .route("/events", get(gather::events))
        .route("/scans", get(gather::scans).post(orders::start))
        .route("/scans/{id}/stop", post(orders::stop))
        .route("/export", get(orders::export))
        .route("/diff", get(gather::diff))
        .route("/map", get(gather::map))
        .route("/wall", get(gather::wall))
        .route("/notifications", get(gather::notifications))
        .route("/logins", get(gather::logins).post(manage::add_login))
        .route("/logins/{id}/{does}", post(manage::login))
        .route("/admin", get(gather::admin))
        .route("/channels/{name}/test", post(upkeep::test))
        .route("/notifications/{id}/retry", post(upkeep::retry))
        .route("/admin/backup", post(upkeep::backup))
        .route("/admin/prune", post(upkeep::prune))
        .route("/admin/users", post(manage::add_user))
        .route("/admin/users/{id}", post(manage::change_user))
        .route("/admin/users/{id}/remove", post(manage::remove_user))
        .route("/admin/tokens", post(manage::add_token))
        .route("/admin/tokens/{id}/{does}", post(manage::token))
        .route("/admin/sessions/{id}/end", post(manage::end_session))
        .route("/preferences", post(forms::preferences))
        .route("/devices", post(forms::bulk))
        .route("/devices/{id}/{does}", post(forms::device))
        .route("/events/{id}/ack", post(forms::acknowledge))
        .route("/mutes", post(forms::mute))
        .route("/mutes/{id}/end", post(forms::end_mute))
        .route("/login", get(login::login_page))
        .route("/setup", get(login::setup_page))
        .layer(from_fn_with_state(app.clone(), shell::sent))
        .route("/assets/{digest}/{name}", get(assets::asset))
}
