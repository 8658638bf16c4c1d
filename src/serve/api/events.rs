//! What happened.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::list::{PART, names, sent};
use super::table::{Endpoint, Parameter, Shape, any, get, one, post};
use crate::model::access::Scope;
use crate::model::memory::{EventKind, Severity, Uid};
use crate::serve::problem::Problem;
use crate::serve::view::event::EventView;
use crate::serve::view::filter::{Query, event_kinds};
use crate::serve::view::page::{Page, Paging};
use crate::serve::{App, act};
use crate::store::EventFilter;

/// Which events are wanted.
pub const FILTER: [Parameter; 4] = [
    any("type", Shape::Names(names::<EventKind>), "Of this type"),
    any("severity", Shape::Names(names::<Severity>), "Of this severity"),
    one("since", Shape::Time, "Not earlier"),
    one("until", Shape::Time, "Earlier"),
];

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    vec![
        get("/events", Scope::Read, list, "What happened")
            .query(&FILTER)
            .query(&PART)
            .query(&[any("device", Shape::Text, "To this device: its id, address, MAC address or name")])
            .answers::<Page<EventView>>(200, "The latest first"),
        post("/events/{id}/ack", Scope::Edit, acknowledge, "Somebody knows of the problem that an event tells")
            .done(204, "It is noted"),
    ]
}

async fn list(State(app): State<Arc<App>>, uri: Uri, query: Query) -> Result<Response, Problem> {
    let known = app.known().await?;
    let mut devices = Vec::new();
    for text in query.all("device") {
        let found = known.find(text).ok_or_else(|| Problem::parameter("device", "there is no such device"))?;
        devices.extend(known.ids_of(&found.uid));
    }
    let page = page(&app, &query, devices).await?;
    sent(&app, &uri, &query, &page)
}

/// A page of events, of these devices where there are any.
///
/// # Errors
/// When the query is wrong.
pub async fn page(app: &Arc<App>, query: &Query, devices: Vec<Uid>) -> Result<Page<EventView>, Problem> {
    let paging = Paging::read(query)?;
    let time = |key| query.read(key, "time", |text| text.parse().ok());
    let filter = EventFilter {
        since: time("since")?,
        until: time("until")?,
        devices,
        kinds: event_kinds(query)?.unwrap_or_default(),
        before: paging.after_number()?,
        limit: Some(paging.limit.saturating_add(1)),
        ..EventFilter::default()
    };
    let found = app.ask(move |app| app.store.events(&filter)).await?;
    let mut items: Vec<EventView> = found.into_iter().rev().map(EventView::from).collect();
    let is_more = items.len() > paging.limit;
    items.truncate(paging.limit);
    let next = items.last().filter(|_| is_more).map(|event| paging.mark("", &event.id.to_string()));
    Ok(Page { items, next, count: None })
}

async fn acknowledge(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("there is no such event"))?;
    act::acknowledge(&app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
