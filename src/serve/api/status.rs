//! How this camscan stands, everything in numbers, and the document of the API.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::openapi;
use super::table::{Endpoint, get};
use crate::model::access::Scope;
use crate::serve::problem::Problem;
use crate::serve::view::summary::{Status, Summary};
use crate::serve::{App, act};

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let read = Scope::Read;
    vec![
        get("/status", read, status, "How this camscan stands")
            .answers::<Status>(200, "Versions, the last scan")
            .such_as(|| {
                json!({
                    "version": "0.1.0", "api": "v1", "started_at": "2026-03-10T08:00:00Z",
                    "now": "2026-03-10T12:00:00Z", "watching": true, "devices": 42, "last_event": 1207,
                })
            }),
        get("/summary", read, summary, "Everything in numbers, for widgets").answers::<Summary>(200, "Counts").such_as(
            || {
                json!({
                    "devices": 42, "online": 40, "offline": 1, "unknown": 1, "is": { "new": 2, "muted": 0 },
                    "streams": 84, "stream_states": { "working": 80, "broken": 4 }, "kinds": { "camera": 42 },
                    "vendors": { "Axis": 42 }, "sites": {}, "tags": {}, "subnets": { "192.0.2.0/24": 42 },
                })
            },
        ),
        get("/openapi.json", read, document, "This document").answers::<Value>(200, "OpenAPI 3.1"),
    ]
}

async fn status(State(app): State<Arc<App>>) -> Result<Json<Status>, Problem> {
    let sight = act::sight(&app).await?;
    act::status(&app, &sight).await.map(Json)
}

async fn summary(State(app): State<Arc<App>>) -> Result<Json<Summary>, Problem> {
    Ok(Json(act::sight(&app).await?.summary()))
}

async fn document(State(app): State<Arc<App>>) -> Json<Value> {
    Json(openapi::document(&super::rows(), app.base()))
}
