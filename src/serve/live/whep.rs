//! WHEP (draft-ietf-wish-whep): an offer is answered, and the answer's address is the only right to end the session.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{came_to, live, party, refused};
use crate::live::guest::Guest;
use crate::live::manager::{MOST_OFFER, Patched};
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::auth::client::Peer;
use crate::serve::auth::lease::Lease;
use crate::serve::problem::Problem;

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// What a page of another origin may read of an answer.
const EXPOSED: &str = "Location, ETag, Link, Accept-Patch";

/// `POST /streams/{id}/whep`: 201 with the answer, and the session's address in `Location`.
pub async fn offer(
    State(app): State<Arc<App>>,
    caller: Caller,
    lease: Lease,
    Path(id): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.need(Scope::Live)?;
    let live = live(&app)?;
    is_of_type(&headers, SDP)?;
    let sdp = text(&body)?;
    let guest = Guest::until(party(&caller), lease.ended());
    let answer = match live.offer(&id, sdp, None, came_to(&app, peer, &headers), guest).await {
        Ok(answer) => answer,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let location = format!("{}api/v1/whep/{}", app.base(), answer.secret);
    let mut response = (StatusCode::CREATED, answer.sdp).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.insert("accept-patch", HeaderValue::from_static(FRAGMENT));
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    // Sessions are never changed, so that one tag is enough for each.
    headers.insert(header::ETAG, HeaderValue::from_static("\"1\""));
    Ok(response)
}

/// `PATCH /whep/{secret}`: candidates are taken and not needed; a restart of ICE is refused, and the player begins anew.
pub async fn change(
    State(app): State<Arc<App>>,
    Path(secret): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    is_of_type(&headers, FRAGMENT)?;
    match live(&app)?.patch(&secret, text(&body)?) {
        Patched::Taken => Ok(StatusCode::NO_CONTENT),
        Patched::Unknown => Err(no_session()),
        Patched::BeginAnew => {
            let title = "ICE is not restarted";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "begin-anew", title).detail("send a new offer instead"))
        }
        Patched::TooMany => {
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many changes of one session"))
        }
    }
}

/// `DELETE /whep/{secret}`: ends the session.
pub async fn end(State(app): State<Arc<App>>, Path(secret): Path<String>) -> Result<StatusCode, Problem> {
    match live(&app)?.close(&secret).await {
        true => Ok(StatusCode::OK),
        false => Err(no_session()),
    }
}

/// `OPTIONS`: what may be posted.
pub async fn options() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert("accept-post", HeaderValue::from_static(SDP));
    response
}

fn no_session() -> Problem {
    Problem::not_found("there is no such session; it may have ended")
}

fn is_of_type(headers: &HeaderMap, wanted: &'static str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if given.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let title = "Another kind of content is needed";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", title)
        .detail(format!("send it as Content-Type: {wanted}")))
}

fn text(body: &[u8]) -> Result<&str, Problem> {
    if body.len() > MOST_OFFER {
        let title = "The session description is too long";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", title)
            .detail(format!("it may have {MOST_OFFER} bytes")));
    }
    std::str::from_utf8(body).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "bad-offer", "The session description cannot be read")
            .detail("it is not UTF-8")
    })
}
