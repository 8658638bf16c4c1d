//! The configuration, and the upkeep of the store.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::table::{Endpoint, get, post};
use crate::model::access::Scope;
use crate::model::memory::Detail;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let admin = Scope::Admin;
    vec![
        get("/config", admin, config, "What the configuration comes to; secrets show as `***`")
            .answers::<Value>(200, "Each key with its `value` and its `origin`")
            .such_as(|| json!({ "timeout": { "value": "5s", "origin": "default" } })),
        post("/admin/backup", admin, backup, "Copies the store into a new file beside it")
            .answers::<Copied>(201, "The copy")
            .such_as(|| json!({ "file": "camscan-20260310T120000Z.sqlite", "bytes": 1_048_576 })),
        post("/admin/prune", admin, prune, "Removes what is older than it is kept")
            .answers::<Removed>(200, "What was removed")
            .such_as(|| json!({ "events": 120, "scans": 3, "rollups": 4800, "outbox": 7 })),
    ]
}

/// A copy of the store.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Copied {
    /// The name of its file, in the folder of the store.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Rows that were removed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Removed {
    /// Events, and states of devices and streams.
    pub events: u64,
    /// Scans.
    pub scans: u64,
    /// Hours and days of checks.
    pub rollups: u64,
    /// Messages.
    pub outbox: u64,
}

async fn config(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.config.clone())
}

/// Copies the store into a new file beside it.
pub(in crate::serve) async fn backup(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<(StatusCode, Json<Copied>), Problem> {
    let (actor, now) = (caller.actor(), app.now());
    let copied = app.ask(move |app| {
        let stem = app.store.file().file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let file = format!("{stem}-{}.sqlite", now.strftime("%Y%m%dT%H%M%SZ"));
        let to = app.store.file().with_file_name(&file);
        if to.exists() {
            return Ok(None);
        }
        app.store.backup(&to)?;
        app.store.note_change(now, &actor, "store.backup", &file, &Detail::Nothing)?;
        let bytes = std::fs::metadata(&to).map(|about| about.len()).unwrap_or_default();
        Ok(Some(Copied { file, bytes }))
    });
    let copied = copied.await?.ok_or_else(|| Problem::conflict("a copy was made in this second already"))?;
    Ok((StatusCode::CREATED, Json(copied)))
}

/// Removes what is older than it is kept.
pub(in crate::serve) async fn prune(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Removed>, Problem> {
    let (actor, now) = (caller.actor(), app.now());
    let pruned = app.ask(move |app| {
        let pruned = app.store.prune(&app.keep(), now)?;
        app.store.note_change(now, &actor, "store.prune", "", &Detail::Nothing)?;
        Ok(pruned)
    });
    let crate::store::Pruned { events, scans, rollups, outbox } = pruned.await?;
    Ok(Json(Removed { events, scans, rollups, outbox }))
}
