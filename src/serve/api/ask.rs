//! What is asked, read: the query, the body, and what is wrong with them as a problem.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Query as Pairs, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;

use crate::serve::auth::api::given;
use crate::serve::problem::Problem;
use crate::serve::view::filter::Query;

/// The parts of the query of an address.
///
/// # Errors
/// When it is no query.
pub fn query_of(uri: &Uri) -> Result<Query, Problem> {
    let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(uri);
    pairs.map(|Pairs(pairs)| Query(pairs)).map_err(|_| Problem::bad_request("the query cannot be read"))
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        query_of(&parts.uri)
    }
}

/// The body of a request, which is JSON.
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body: Result<Json<T>, JsonRejection> = <Json<T> as FromRequest<S>>::from_request(request, state).await;
        given(body).map(Sent)
    }
}

/// The body of a request that may have none.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        let (parts, body) = request.into_parts();
        let body = <Bytes as FromRequest<S>>::from_request(Request::new(body), state).await;
        let body = body.map_err(|_| Problem::bad_request("the body is cut off"))?;
        if body.is_empty() {
            return Ok(None);
        }
        let whole = Request::from_parts(parts, Body::from(body));
        <Self as FromRequest<S>>::from_request(whole, state).await.map(Some)
    }
}

/// The text of a header; none where there is none, or where it is no text.
pub fn text_of(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A refusal that the framework words for itself becomes a problem like all others.
pub async fn in_words(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_json = text_of(response.headers(), header::CONTENT_TYPE).is_some_and(|kind| kind.contains("json"));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let problem = match status.as_u16() {
        // Numbers in paths that are none.
        400 => Problem::bad_request("the address or the query cannot be read"),
        404 => Problem::not_found("there is nothing here"),
        405 => Problem::new(status, "method", "Method not allowed"),
        426 => Problem::new(status, "upgrade", "A WebSocket is needed"),
        _ => Problem::new(status, "refused", status.canonical_reason().unwrap_or("Refused")),
    };
    let mut worded = problem.into_response();
    for (name, value) in response.headers() {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            worded.headers_mut().insert(name, value.clone());
        }
    }
    worded
}
