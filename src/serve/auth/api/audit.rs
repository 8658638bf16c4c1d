//! Who changed what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::access::Scope;
use crate::model::memory::Detail;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;
use crate::serve::view::filter::Query;
use crate::store::accounts::{AuditEntry, AuditFilter};

/// Lines of a page, usually and at most.
const USUAL: u32 = 100;
const MOST: u32 = 500;

/// A change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditLine {
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub actor: String,
    /// Where they were.
    pub address: String,
    /// What was done: `user.add`.
    pub action: String,
    /// With what.
    pub subject: String,
    /// What it was made.
    pub detail: String,
    /// The same as data; absent where an earlier version wrote it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Detail>,
}

impl From<AuditEntry> for AuditLine {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, actor, action, subject, detail, told } = entry;
        AuditLine { id, at, actor: actor.name, address: actor.address, action, subject, detail, told }
    }
}

/// Changes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditPage {
    /// The latest first.
    pub items: Vec<AuditLine>,
    /// The `before` of the next page; none: there are no more.
    pub next: Option<i64>,
}

/// `GET /audit`: who changed what.
///
/// # Errors
/// Without the scope `admin`.
pub async fn audit(State(app): State<Arc<App>>, caller: Caller, query: Query) -> Result<Json<AuditPage>, Problem> {
    caller.need(Scope::Admin)?;
    let limit = query
        .read("limit", "number from 1 to 500", |text| text.parse().ok().filter(|limit| (1..=MOST).contains(limit)))?;
    let before = query.read("before", "number from 1", |text| text.parse().ok().filter(|before| *before >= 1))?;
    let limit = limit.unwrap_or(USUAL);
    let filter = AuditFilter { before, limit };
    let entries = app.ask(move |app| app.store.audit(&filter)).await?;
    let is_full = entries.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = entries.last().map(|entry| entry.id).filter(|_| is_full);
    Ok(Json(AuditPage { items: entries.into_iter().map(AuditLine::from).collect(), next }))
}
