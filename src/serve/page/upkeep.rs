//! Forms about messages and about the store. What they do is what the API does.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use super::fields::{Fields, Sent};
use super::look::Look;
use super::shell::back;
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::api::{admin, messages};
use crate::serve::problem::Problem;

type Answer = Result<Response, Problem>;

/// Sends a test message to a channel.
pub async fn test(State(app): State<Arc<App>>, look: Look, Path(name): Path<String>, sent: Sent) -> Answer {
    look.caller.need(Scope::Edit)?;
    let fields = Fields::of(sent)?;
    messages::test(State(app), Path(name)).await?;
    Ok(back(&look, fields.get("back")))
}

/// Sends a message again that was given up.
pub async fn retry(State(app): State<Arc<App>>, look: Look, Path(id): Path<String>, sent: Sent) -> Answer {
    look.caller.need(Scope::Edit)?;
    let fields = Fields::of(sent)?;
    messages::retry(State(app), Path(id)).await?;
    Ok(back(&look, fields.get("back")))
}

/// Copies the store into a new file beside it.
pub async fn backup(State(app): State<Arc<App>>, look: Look, sent: Sent) -> Answer {
    look.caller.need(Scope::Admin)?;
    let fields = Fields::of(sent)?;
    let _ = admin::backup(State(app), look.caller.clone()).await?;
    Ok(back(&look, fields.get("back")))
}

/// Removes what is older than it is kept.
pub async fn prune(State(app): State<Arc<App>>, look: Look, sent: Sent) -> Answer {
    look.caller.need(Scope::Admin)?;
    let fields = Fields::of(sent)?;
    let _ = admin::prune(State(app), look.caller.clone()).await?;
    Ok(back(&look, fields.get("back")))
}
