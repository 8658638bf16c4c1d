//! Requests that may be sent twice: with the same `Idempotency-Key` the same sender gets the same answer for 24 hours, and
//! nothing is done again. Of an answer too long to be kept it is said that it was given.

use std::sync::{Arc, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ask::text_of;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;
use crate::store::accounts::Reply;

/// The header.
pub const KEY: &str = "idempotency-key";
/// Bytes of a key, at most.
const LONGEST: usize = 128;
/// Bytes of an answer that is kept, at most.
const MOST: usize = 256 * 1024;

/// What is kept of an answer beside its status.
#[derive(Serialize, Deserialize)]
struct Kept {
    kind: Option<String>,
    location: Option<String>,
    body: String,
    /// The body was too long to be kept.
    #[serde(default)]
    is_too_long: bool,
}

/// The turn of a key; it ends when this is dropped.
struct Turn(Arc<App>, (String, String));

impl Turn {
    fn take(app: &Arc<App>, of: (String, String)) -> Option<Turn> {
        let is_first = app.replays.lock().unwrap_or_else(PoisonError::into_inner).insert(of.clone());
        is_first.then(|| Turn(app.clone(), of))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.replays.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// Answers a request; one with a key once.
pub async fn once(app: &Arc<App>, caller: &Caller, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    match keyed(app, caller, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn keyed(app: &Arc<App>, caller: &Caller, request: Request, next: Next) -> Result<Response, Problem> {
    let key = text_of(request.headers(), KEY).filter(|key| (1..=LONGEST).contains(&key.len()));
    let key = key.ok_or_else(|| Problem::bad_request(format!("an Idempotency-Key has 1 to {LONGEST} characters")))?;
    let (key, actor) = (key.to_owned(), caller.account.map_or_else(|| caller.actor().name, |id| format!("#{id}")));
    let Some(_turn) = Turn::take(app, (actor.clone(), key.clone())) else {
        return Err(Problem::conflict("a request with this Idempotency-Key is under way"));
    };
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, app.limits.body_bytes).await.map_err(|_| Problem::bad_request("the body is cut off"))?;
    let whole = parts.uri.path_and_query().map(|whole| whole.as_str()).unwrap_or_default();
    let digest = Sha256::new().chain_update(parts.method.as_str()).chain_update([0]).chain_update(whole);
    let digest: [u8; 32] = digest.chain_update([0]).chain_update(&body).finalize().into();
    let (of, own) = (actor.clone(), key.clone());
    if let Some(reply) = app.ask(move |app| app.store.reply(&of, &own, app.now())).await? {
        return match reply.request == digest {
            true => again(&reply),
            false => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-used", "The key was used")
                .detail("another request was sent with this Idempotency-Key; use a new one")),
        };
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let status = response.status();
    // What may go well the next time is tried again.
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Ok(response);
    }
    keep(app, response, actor, key, digest).await
}

async fn keep(
    app: &Arc<App>,
    response: Response,
    actor: String,
    key: String,
    request: [u8; 32],
) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    // It is in memory, and the sender gets it, whatever is kept.
    let body = to_bytes(body, usize::MAX).await.map_err(|_| Problem::internal())?;
    let is_too_long = body.len() > MOST;
    let text = |name| text_of(&parts.headers, name).map(str::to_owned);
    let kept = Kept {
        kind: text(header::CONTENT_TYPE),
        location: text(header::LOCATION),
        body: if is_too_long { String::new() } else { String::from_utf8_lossy(&body).into_owned() },
        is_too_long,
    };
    let body_kept = serde_json::to_vec(&kept).unwrap_or_default();
    let reply = Reply { request, status: parts.status.as_u16(), body: body_kept };
    // It is done: that its answer cannot be kept is no reason to say otherwise.
    if app.ask(move |app| app.store.keep_reply(&actor, &key, &reply, app.now())).await.is_err() {
        tracing::warn!("the answer to a request with an Idempotency-Key is not kept");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn again(reply: &Reply) -> Result<Response, Problem> {
    let kept: Kept = serde_json::from_slice(&reply.body).map_err(|_| Problem::internal())?;
    if kept.is_too_long {
        let title = "Done before";
        return Err(Problem::new(StatusCode::CONFLICT, "answer-not-kept", title)
            .detail("what was sent with this Idempotency-Key is done, and its answer was too long to be kept"));
    }
    let status = StatusCode::from_u16(reply.status).map_err(|_| Problem::internal())?;
    let mut response = (status, kept.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in [(header::CONTENT_TYPE, kept.kind), (header::LOCATION, kept.location)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}
