//! What lists have in common: their parameters, their pages and the link to the next one.

use axum::Json;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::table::{Parameter, Shape, any, one};
use crate::history::memory::{DeviceState, StreamState};
use crate::model::Kind;
use crate::model::memory::Expect;
use crate::model::names::Named;
use crate::serve::App;
use crate::serve::page::parts::encoded;
use crate::serve::problem::Problem;
use crate::serve::view::device::Flag;
use crate::serve::view::filter::{Archived, Query};
use crate::serve::view::page::{self, Page};

/// A list that is whole.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Items<T> {
    /// All of them.
    pub items: Vec<T>,
}

/// The names of an enum.
pub fn names<T: Named>() -> Vec<&'static str> {
    T::TABLE.iter().map(|(name, _)| *name).collect()
}

/// How much of a list, and which part of it.
pub const PART: [Parameter; 3] = [
    one("limit", Shape::Number(1, page::MOST as i64), "At most so many on a page; 100 where nothing is said"),
    one("cursor", Shape::Text, "The `next` of the page before"),
    one("fields", Shape::Text, "Only these members of each item, with commas between them; `id` is always there"),
];

/// Whether all of a list are counted.
pub const COUNT: Parameter = one("count", Shape::Flag, "Whether the items of all pages are counted");

/// Which devices are wanted. The same parameter twice is "or", different ones are "and".
pub const DEVICES: [Parameter; 13] = [
    any("state", Shape::Names(names::<DeviceState>), "In this state"),
    any("is", Shape::Names(names::<Flag>), "With this flag"),
    any("kind", Shape::Names(names::<Kind>), "Of this kind"),
    any("vendor", Shape::Text, "Of this maker"),
    any("tag", Shape::Text, "With this tag"),
    any("site", Shape::Text, "At this site; empty: at none"),
    any("subnet", Shape::Text, "In this network"),
    any("stream_state", Shape::Names(names::<StreamState>), "With a stream in this state"),
    one("open", Shape::Flag, "With a stream that needs no login, or without one"),
    any("expect", Shape::Names(names::<Expect>), "Expected so"),
    one("changed_since", Shape::Time, "Whose state, or that of a stream, changed since"),
    one("archived", Shape::Names(names::<Archived>), "Whether archived ones are wanted"),
    one("q", Shape::Text, "Words of which each stands somewhere in it; 128 characters at most"),
];

/// A page as it is sent: its members as the query wants them, and the link to the next one.
///
/// # Errors
/// When the query is wrong.
pub fn sent<T: Serialize>(app: &App, uri: &Uri, query: &Query, page: &Page<T>) -> Result<Response, Problem> {
    let mut body = serde_json::to_value(page).map_err(|_| Problem::internal())?;
    page::with_fields(&mut body, query)?;
    let mut response = Json(body).into_response();
    if let Some(next) = &page.next {
        let mut pairs: Vec<(&str, &str)> = query
            .0
            .iter()
            .filter(|(key, _)| key != "cursor")
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        pairs.push(("cursor", next));
        // Inside of `nest` the path of the request lacks what it is nested under.
        let path = uri.path();
        let to = app.site.link(&format!("/api/v1{path}?{}", encoded(&pairs)));
        if let Ok(link) = HeaderValue::from_str(&format!("<{to}>; rel=\"next\"")) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}
