//! Streams, as they are and as they were.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use jiff::SignedDuration;

use super::list::{COUNT, DEVICES, Items, PART, names, sent};
use super::table::{Endpoint, Shape, any, get, one};
use crate::history::memory::{Known, StreamId};
use crate::model::access::Scope;
use crate::model::{Protocol, VideoCodec};
use crate::serve::problem::Problem;
use crate::serve::view::filter::{Query, StreamFilter};
use crate::serve::view::page::{Page, Paging};
use crate::serve::view::stream::{StreamDetail, StreamView, stream_of};
use crate::serve::{App, act};
use crate::store::{Rollup, Slot};

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let read = Scope::Read;
    vec![
        get("/streams", read, list, "The streams that are wanted, of the devices that are wanted")
            .query(&DEVICES)
            .query(&PART)
            .query(&[
                COUNT,
                any("device", Shape::Text, "Of the device of this id"),
                any("protocol", Shape::Names(names::<Protocol>), "Fetched by this protocol"),
                any("codec", Shape::Names(names::<VideoCodec>), "With this codec"),
            ])
            .answers::<Page<StreamView>>(200, "By their ids"),
        get("/streams/{id}", read, stream, "A stream with its proof").answers::<StreamDetail>(200, "The stream"),
        get("/streams/{id}/history", read, history, "Checks of a stream, added up")
            .query(&[
                one("res", Shape::Names(|| vec!["hour", "day"]), "By the hour or by the day"),
                one("days", Shape::Number(1, 3650), "How far back; 2 by the hour, 90 by the day"),
            ])
            .answers::<Items<Rollup>>(200, "The earliest first"),
    ]
}

async fn list(State(app): State<Arc<App>>, uri: Uri, query: Query) -> Result<Response, Problem> {
    let (filter, paging) = (StreamFilter::read(&query)?, Paging::read(&query)?);
    let sight = act::sight(&app).await?;
    let id = |known: &Known, key: &str| StreamId::of(&known.uid, key).to_string();
    let page = paging.of(sight.streams(&filter), false, |(known, key, _)| (String::new(), id(known, key)));
    let page = page.map(|(known, key, of)| stream_of(&sight, known, key, of));
    sent(&app, &uri, &query, &page)
}

fn none() -> Problem {
    Problem::not_found("there is no such stream")
}

async fn stream(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<StreamDetail>, Problem> {
    let id = StreamId::parse(&id).ok_or_else(none)?;
    act::sight(&app).await?.stream(&id).map(Json).ok_or_else(none)
}

async fn history(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Items<Rollup>>, Problem> {
    let id = StreamId::parse(&id).ok_or_else(none)?;
    let slot = query.read("res", "resolution: `hour` or `day`", |text| match text {
        "hour" => Some(Slot::Hour),
        "day" => Some(Slot::Day),
        _ => None,
    })?;
    let slot = slot.unwrap_or(Slot::Hour);
    let days = query.read("days", "number from 1 to 3650", |text| {
        text.parse::<i64>().ok().filter(|days| (1..=3650).contains(days))
    })?;
    let days = days.unwrap_or(if slot == Slot::Hour { 2 } else { 90 });
    let since = app.now().checked_sub(SignedDuration::from_hours(days * 24)).unwrap_or_default();
    let sight = act::sight(&app).await?;
    let (uid, key) = sight.stream_of(&id).map(|(known, key)| (known.uid.clone(), key.to_owned())).ok_or_else(none)?;
    let sums = app.ask(move |app| app.store.rollups(&uid, &key, slot, since)).await?;
    Ok(Json(Items { items: sums }))
}
