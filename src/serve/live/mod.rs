//! The doors of live view: WHEP for players, a WebSocket for the page, and JPEGs over HTTP for other programs. What a stream
//! is and how it is shown is `live`'s; here are names, rights and bytes.

mod mjpeg;
mod socket;
mod sources;
#[cfg(test)]
mod tests;
mod whep;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::App;
use super::api::table::{Endpoint, Need, delete, get, options, patch, post};
use super::auth::Caller;
use super::auth::client::{Client, Peer};
use super::problem::Problem;
use crate::live::entry::StreamStatus;
use crate::live::manager::Live;
use crate::live::refusal::Refusal;
use crate::model::access::Scope;
pub use sources::Sources;

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let (live, sdp) = (Scope::Live, "application/sdp");
    vec![
        get("/live", live, list, "How the streams that are watched are: how well they arrive, and who watches")
            .answers::<Vec<serde_json::Value>>(200, "One for each stream"),
        post("/streams/{id}/whep", live, whep::offer, "Answers a player's offer (WHEP)")
            .takes_media(sdp)
            .answers_media(201, "The answer; its address ends the session", sdp)
            .problems(&[406, 410])
            .secret(),
        options("/streams/{id}/whep", Need::Login, whep::options, "What may be posted").done(204, "See `Accept-Post`"),
        patch("/whep/{secret}", Need::Login, whep::change, "Takes a player's candidates")
            .takes_media("application/trickle-ice-sdpfrag")
            .done(204, "They are taken"),
        delete("/whep/{secret}", Need::Login, whep::end, "Ends a player's session").done(200, "It has ended"),
        options("/whep/{secret}", Need::Login, whep::options, "What may be posted").done(204, "See `Accept-Post`"),
        get("/streams/{id}/live", live, socket::open, "A stream over a WebSocket")
            .free_query()
            .done(101, "The WebSocket is open")
            .problems(&[406, 410, 426]),
        get("/streams/{id}/stream.mjpeg", live, mjpeg::pictures, "JPEGs until the reader goes away")
            .answers_media(200, "Pictures", "multipart/x-mixed-replace")
            .problems(&[406, 410]),
    ]
}

/// How the streams are: who is fetched, how well, and who watches.
async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<StreamStatus>>, Problem> {
    caller.need(Scope::Live)?;
    Ok(Json(live(&app)?.list()))
}

/// Live view, where this process has it.
fn live(app: &App) -> Result<&Live, Problem> {
    app.live().ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-live-view", "There is no live view")
            .detail("this camscan was started without it, or its port was taken; its log says which")
    })
}

/// Why a stream is not shown, with the ways that are left.
fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let (slug, title) = match refusal {
        Refusal::NoStream => ("not-found", "Not found"),
        Refusal::BadOffer(_) => ("bad-offer", "The offer cannot be read"),
        Refusal::NotPossible { .. } => ("not-this-way", "The stream cannot be shown in this way"),
        Refusal::Away { .. } => ("camera-away", "The camera is away"),
        Refusal::Stopped { .. } => ("camera-stopped", "The camera is not asked"),
        Refusal::Full { .. } => ("full", "No place for another viewer"),
    };
    let mut detail = refusal.to_string();
    if let Refusal::NotPossible { choice, .. } = refusal {
        let ways: Vec<String> = choice.ways.iter().map(|way| format!("{:?} of {}", way.mode, way.stream)).collect();
        if !ways.is_empty() {
            detail = format!("{detail}; what works: {}", ways.join(", ").to_lowercase());
        }
    }
    let mut response = Problem::new(status, slug, title).detail(detail).into_response();
    if let Some(after) = refusal.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    response
}

/// By what a caller's sessions of WebRTC are counted: the account, or the address of those without one.
fn party(caller: &Caller) -> String {
    match (caller.account, caller.address) {
        (Some(account), _) => format!("account {account}"),
        (None, Some(address)) => format!("address {address}"),
        (None, None) => "socket".to_owned(),
    }
}

/// The address of this machine that a request came to, which a viewer's packets reach as well. None behind a proxy, whose way
/// to this machine is not the viewer's.
fn came_to(app: &App, peer: Option<Extension<Peer>>, headers: &HeaderMap) -> Option<IpAddr> {
    let Extension(peer) = peer?;
    let client = Client::of(&peer, headers, &app.access.trusted);
    peer.local.filter(|_| !client.by_proxy && !client.is_forwarded)
}
