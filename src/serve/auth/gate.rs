//! What every request passes before a handler sees it, and every answer before it is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::client::{Client, Peer};
use super::lease::Lease;
use super::origin::{self, HostRefused};
use super::{ACTOR, Caller, Means, random};
use crate::serve::App;
use crate::serve::limits::Holding;
use crate::serve::problem::{Problem, REQUEST_ID};

/// A request that takes longer is worth a warning.
const SLOW: Duration = Duration::from_secs(1);

/// What is answered without a login: what is needed to log in, and whether the process works.
const PUBLIC: &[&str] =
    &["/login", "/setup", "/logout", "/healthz", "/readyz", "/api/v1/session", "/favicon.ico", "/preferences"];
/// What these pages consist of.
const PUBLIC_FOLDER: &str = "/assets/";

/// Who the log names, and what the answer's headers need.
#[derive(Default)]
struct Seen {
    user: String,
    client: String,
    host: String,
}

/// The middleware around all routes.
pub async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = random::digits::<10>().unwrap_or_default();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let mut seen = Seen::default();
    let answering = async {
        match pass(&app, request, &mut seen).await {
            Ok(request) => {
                let actor = request.extensions().get::<Caller>().map(Caller::actor).unwrap_or_default();
                ACTOR.scope(actor, next.run(request)).await
            }
            Err(refused) => *refused,
        }
    };
    let mut response = REQUEST_ID.scope(id.clone(), answering).await;
    add_headers(response.headers_mut(), &id, &seen.host);
    let (took, code) = (began.elapsed(), response.status().as_u16());
    app.health.answered(&route, &method, code, took);
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let Seen { user, client, .. } = &seen;
    if took >= SLOW {
        tracing::warn!(request_id = %id, user = user.as_str(), address = %client, %method, %route, code, ms, "a slow request");
    } else {
        tracing::info!(request_id = %id, user = user.as_str(), address = %client, %method, %route, code, ms, "request");
    }
    response
}

/// The request as a handler gets it, or the answer that it gets instead.
async fn pass(app: &Arc<App>, request: Request, seen: &mut Seen) -> Result<Request, Box<Response>> {
    let refused = |problem: Problem| Box::new(problem.into_response());
    let peer = request.extensions().get::<Peer>().copied().unwrap_or_default();
    // The tests of handlers say who asks; nothing from a network can.
    let given = request.extensions().get::<Caller>().cloned();
    let client = Client::of(&peer, request.headers(), &app.access.trusted);
    let endings = app.store.endings();
    seen.client = client.shown();
    let path = request.uri().path().to_owned();
    if given.is_none() {
        // Whoever checks that the process lives knows no name of it.
        let checks = matches!(path.as_str(), "/healthz" | "/readyz");
        match origin::host(request.headers(), &app.site, &app.access.own_names) {
            Ok(host) => host.clone_into(&mut seen.host),
            Err(_) if checks => {}
            Err(why) => return Err(refused(host_problem(why))),
        }
    }
    let is_public = PUBLIC.contains(&path.as_str()) || path.starts_with(PUBLIC_FOLDER);
    let caller = match given.clone() {
        Some(caller) => caller,
        None => match app.identify(request.headers(), &peer, &client).await {
            Ok(caller) => caller,
            // Whoever only wants to know how it stands needs no store for it.
            Err(_) if is_public => Caller { address: client.address, ..Caller::default() },
            Err(problem) => return Err(refused(problem)),
        },
    };
    caller.name.clone_into(&mut seen.user);
    let by_program = matches!(caller.means, Means::Token(_) | Means::Socket) || given.is_some();
    // A browser is logged in by itself, whichever page has sent it.
    let has_cookie = matches!(caller.means, Means::Session(_) | Means::Proxy);
    let is_ours = origin::is_same_origin(request.method(), request.headers(), &seen.host, &app.site, has_cookie);
    if !by_program && !is_ours {
        tracing::warn!(address = %seen.client, user = %seen.user, "a request from another site's page was refused");
        let problem = Problem::new(StatusCode::FORBIDDEN, "cross-site", "Sent by another site");
        return Err(refused(problem.detail("the request does not come from a page of this camscan")));
    }
    if caller.scopes.is_empty() && !is_public {
        let wanted = request.uri().path_and_query().map_or("/", |whole| whole.as_str()).to_owned();
        let is_page = is_page(&request, &path);
        return Err(Box::new(log_in(app, is_page, &wanted).await));
    }
    let slot = match client.by_proxy {
        true => match app.clients.take(client.address) {
            None => return Err(refused(Problem::too_many("too many requests of this address are under way", 1))),
            slot => slot,
        },
        false => None,
    };
    let most = if caller.scopes.is_empty() { app.limits.stranger_body_bytes } else { app.limits.body_bytes };
    let mut request = match with_body(app, request, most).await {
        Ok(request) => request,
        Err(problem) => return Err(refused(problem)),
    };
    request.extensions_mut().insert(Lease::new(app.clone(), caller.clone(), endings));
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(Arc::new(slot));
    Ok(request)
}

fn host_problem(why: HostRefused) -> Problem {
    match why {
        HostRefused::Missing => Problem::bad_request("the request names no host, or several"),
        HostRefused::Foreign => Problem::new(StatusCode::MISDIRECTED_REQUEST, "host", "Another host")
            .detail("camscan is not known by this name; use its address, or start it with --public-url and this name"),
    }
}

/// Whether a browser wants to show it.
fn is_page(request: &Request, path: &str) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    is_read && !path.starts_with("/api/") && accepts.contains("text/html")
}

/// Sends a browser to the login, or to the set-up while there is no account; tells a program that it needs one.
async fn log_in(app: &Arc<App>, is_page: bool, wanted: &str) -> Response {
    if !is_page {
        return Problem::unauthorized().into_response();
    }
    match app.has_users().await {
        Err(problem) => problem.into_response(),
        Ok(false) => Redirect::to(&app.site.link("/setup")).into_response(),
        Ok(true) if wanted == "/" => Redirect::to(&app.site.link("/login")).into_response(),
        Ok(true) => {
            let wanted = percent_encoding::utf8_percent_encode(wanted, percent_encoding::NON_ALPHANUMERIC);
            Redirect::to(&app.site.link(&format!("/login?next={wanted}"))).into_response()
        }
    }
}

/// Reads the whole body, within bounds of size and time, before anybody waits for it.
async fn with_body(app: &App, request: Request, most: usize) -> Result<Request, Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    let too_large = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large")
            .detail(format!("a request's body has {most} bytes at most"))
    };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.is_some_and(|length| length.parse::<usize>().map_or(true, |length| length > most)) {
        return Err(too_large());
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(app.limits.body_time, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "Too slow")),
    }
}

/// Around each handler, inside of [`gate`]: an answer lasts as long as its lease at most, and the place that a client behind
/// a proxy has until it is sent.
pub async fn hold(request: Request, next: Next) -> Response {
    let lease = request.extensions().get::<Lease>().cloned();
    let slot = request.extensions().get::<Arc<Option<crate::serve::limits::Slot>>>().cloned();
    let response = next.run(request).await;
    let response = match lease {
        Some(lease) => response.map(|body| lease.over(body)),
        None => response,
    };
    match slot.filter(|slot| slot.is_some()) {
        Some(slot) => response.map(|body| Body::new(Holding::new(body, slot))),
        None => response,
    }
}

/// Headers that keep a browser from doing what no page of ours asks for. Those that a handler has set stay.
fn add_headers(headers: &mut HeaderMap, id: &str, host: &str) {
    let fixed: [(HeaderName, &'static str); 7] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Older Safari does not count WebSockets among 'self'.
    let sockets = if host.is_empty() { String::new() } else { format!(" ws://{host} wss://{host}") };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; \
         connect-src 'self'{sockets}; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

impl App {
    /// Whether there is any account.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn has_users(self: &Arc<Self>) -> Result<bool, Problem> {
        self.ask(|app| app.store.has_users()).await
    }
}
