//! Server-sent events: what browsers follow, with `Last-Event-ID` after a break.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query as Pairs, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures::stream;
use tokio::time::timeout;

use super::follow::{Asked, Follow, Next};
use super::message::Message;
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;

/// A line without meaning is sent after so long without another: proxies close what is silent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How a browser begins: it comes back so many milliseconds after a break.
const FIRST: &str = "retry: 3000\n\n";

/// `GET /events/stream`.
///
/// # Errors
/// When the query is wrong, or too many follow already.
pub async fn stream(
    State(app): State<Arc<App>>,
    caller: Caller,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let last_id = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let follow = Follow::begin(app, &caller, Asked::read(pairs, last_id)?, "sse").await?;
    let first = stream::once(async { Ok::<Bytes, Infallible>(Bytes::from_static(FIRST.as_bytes())) });
    let rest = stream::unfold(follow, |mut follow| async move {
        let bytes = match timeout(KEEP_ALIVE, follow.next()).await {
            Ok(Next::Message(message)) => message.sse.clone(),
            Ok(Next::Resync(start)) => Message::resync(start).sse,
            Ok(Next::End) => return None,
            Err(_) => Bytes::from_static(b":\n\n"),
        };
        Some((Ok(bytes), follow))
    });
    let mut response = Response::new(Body::from_stream(futures::StreamExt::chain(first, rest)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold them back until a page of memory is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}
