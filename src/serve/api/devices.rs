//! Devices, as they are and as they were.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;

use super::ask::text_of;
use super::list::{COUNT, DEVICES, Items, PART, sent};
use super::table::{Endpoint, Shape, get, one};
use super::{events, exports};
use crate::history::memory::Known;
use crate::model::access::Scope;
use crate::model::{Evidence, Report};
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;
use crate::serve::view::device::{AddressView, DeviceDetail, DeviceView, SpanView};
use crate::serve::view::event::EventView;
use crate::serve::view::filter::{DeviceFilter, DeviceSort, Query};
use crate::serve::view::page::{Page, Paging};
use crate::serve::view::{Sight, fingerprint};
use crate::serve::{App, act};

/// Days of a history, where nothing is said.
const DAYS: i64 = 30;

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let read = Scope::Read;
    vec![
        get("/devices", read, list, "The devices that are wanted, or a file of them")
            .query(&DEVICES)
            .query(&PART)
            .query(&[
                COUNT,
                one(
                    "sort",
                    Shape::Text,
                    "`ip`, `name`, `state`, `since`, `first_seen`, `last_seen`, `vendor`, `site` \
                    or `kind`; with `-` before it the other way round",
                ),
                one("format", Shape::Names(act::formats), "All that are wanted as a file of this format"),
            ])
            .answers::<Page<DeviceView>>(200, "A page; `Link` leads to the next one")
            .answers::<Report>(200, "")
            .answers_media(200, "", "*/*"),
        get("/devices/{id}", read, device, "A device whole")
            .header("if-none-match", "The `ETag` of what one has")
            .answers::<DeviceDetail>(200, "The device; `ETag` is what changes are made with")
            .done(304, "It is as it was"),
        get("/devices/{id}/events", read, happened, "What happened to a device")
            .query(&events::FILTER)
            .query(&PART)
            .answers::<Page<EventView>>(200, "The latest first"),
        get("/devices/{id}/history", read, history, "The states that a device and its streams were in")
            .query(&[one("days", Shape::Number(1, 3650), "How far back; 30 where nothing is said")])
            .answers::<Items<SpanView>>(200, "By their beginnings"),
        get("/devices/{id}/addresses", read, addresses, "Where a device was")
            .answers::<Items<AddressView>>(200, "By their beginnings"),
        get("/devices/{id}/evidence", read, evidence, "How it is known what a device is")
            .answers::<Items<Evidence>>(200, "Each fact with its source and its weight"),
    ]
}

/// The device of an id.
///
/// # Errors
/// When there is none.
pub fn find<'s>(sight: &'s Sight, id: &str) -> Result<&'s Known, Problem> {
    sight.find(id).ok_or_else(|| Problem::not_found("there is no such device"))
}

async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
    caller: Caller,
    query: Query,
) -> Result<Response, Problem> {
    let filter = DeviceFilter::read(&query)?;
    let (paging, (sort, is_down)) = (Paging::read(&query)?, DeviceSort::read(&query)?);
    if let Some(format) = exports::wanted(&query, &headers)? {
        return exports::devices(&app, &caller, format, filter).await;
    }
    let sight = act::sight(&app).await?;
    let page = paging.of(sight.known(&filter), is_down, |known| (sort.key(known), known.uid.to_string()));
    let page = page.map(|known| sight.device(known));
    sent(&app, &uri, &query, &page)
}

/// The tag of a device as it is: the revision of what users wrote about it, and what tells the rest from what it was.
/// Changes are made with the first part alone: a frame rate that was counted anew makes no conflict.
pub fn tag_of(device: &DeviceDetail) -> String {
    format!("\"{}.{}\"", device.summary.rev, fingerprint(device))
}

/// A device whole, with its tag.
pub fn whole(sight: &Sight, known: &Known) -> Response {
    let detail = sight.device_detail(known);
    let tag = tag_of(&detail);
    with_tag(Json(detail).into_response(), &tag)
}

fn with_tag(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// The tags of a header, without what says that they are weak.
pub fn tags(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(|tag| tag.trim().trim_start_matches("W/"))
}

async fn device(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let sight = act::sight(&app).await?;
    let detail = sight.device_detail(find(&sight, &id)?);
    let tag = tag_of(&detail);
    let has = text_of(&headers, header::IF_NONE_MATCH);
    if has.is_some_and(|has| tags(has).any(|own| own == tag || own == "*")) {
        return Ok(with_tag(StatusCode::NOT_MODIFIED.into_response(), &tag));
    }
    Ok(with_tag(Json(detail).into_response(), &tag))
}

async fn happened(
    State(app): State<Arc<App>>,
    uri: Uri,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    let known = app.known().await?;
    let uid = act::uid_of(&app, &id).await?;
    let page = events::page(&app, &query, known.ids_of(&uid)).await?;
    sent(&app, &uri, &query, &page)
}

async fn history(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Items<SpanView>>, Problem> {
    let uid = act::uid_of(&app, &id).await?;
    let days = query.read("days", "number from 1 to 3650", |text| {
        text.parse::<i64>().ok().filter(|days| (1..=3650).contains(days))
    })?;
    let since = app.now().checked_sub(SignedDuration::from_hours(days.unwrap_or(DAYS) * 24)).unwrap_or_default();
    let items = app
        .ask(move |app| Ok(app.store.spans(&uid, since)?.into_iter().map(|span| SpanView::of(&uid, span)).collect()));
    Ok(Json(Items { items: items.await? }))
}

async fn addresses(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Items<AddressView>>, Problem> {
    let uid = act::uid_of(&app, &id).await?;
    let all = app.ask(move |app| app.store.addresses(&uid)).await?;
    let items = all.into_iter().map(|(ip, began, ended)| AddressView { ip, began, ended }).collect();
    Ok(Json(Items { items }))
}

async fn evidence(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Items<Evidence>>, Problem> {
    let sight = act::sight(&app).await?;
    Ok(Json(Items { items: find(&sight, &id)?.device.evidence.clone() }))
}
