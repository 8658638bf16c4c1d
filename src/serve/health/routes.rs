//! `/healthz`, `/readyz`, `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::{Ready, live, lock};
use crate::metrics;
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;
use crate::watch::add_store;

/// The loop that watches goes round once a minute at least.
const LATE: Duration = Duration::from_secs(120);
/// What `/readyz` has found out holds so long: whoever asks without a login makes no work.
const HOLDS: Duration = Duration::from_secs(2);
/// The routes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the store can be written and the loop goes round: 200 or 503.
pub async fn readyz(State(app): State<Arc<App>>, caller: Caller) -> Response {
    let mut ready = parts(&app).await;
    if !caller.may(Scope::Read) {
        ready.parts.clear();
    }
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ready)).into_response()
}

/// Each part of this program, and whether it is well.
pub(in crate::serve) async fn parts(app: &Arc<App>) -> Ready {
    let _turn = app.health.asking.lock().await;
    if let Some((at, ready)) = &*lock(&app.health.ready)
        && at.elapsed() < HOLDS
    {
        return ready.clone();
    }
    // A store of another version cannot be opened at all, so that one that is open is of this one.
    let store = app.ask(|app| app.store.check_writable()).await.is_ok();
    let mut parts = BTreeMap::from([("store".to_owned(), store)]);
    if app.orders.is_some() {
        let alive = lock(&app.health.alive_at).is_some_and(|at| at.elapsed() < LATE);
        parts.insert("watch".to_owned(), alive);
    }
    let ready = Ready { ready: parts.values().all(|is_well| *is_well), parts };
    *lock(&app.health.ready) = Some((Instant::now(), ready.clone()));
    ready
}

/// All that is counted, for Prometheus.
///
/// # Errors
/// Without the scope `metrics` or `read`, or when the store cannot be read.
pub async fn metrics(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Problem> {
    if !caller.may(Scope::Read) {
        caller.need(Scope::Metrics)?;
    }
    let memory = app.known().await?;
    let text = app
        .ask(move |app| {
            let mut figures = lock(&app.health.figures).clone();
            // Where nothing is watched, nobody has tried to write.
            figures.store_works |= app.orders.is_none();
            add_store(&mut figures, &app.store);
            figures.http = Some(app.health.http(app.access.failures()));
            figures.live = app.live().map(live::view);
            Ok(metrics::render(&memory, &figures, app.now(), env!("CARGO_PKG_VERSION")))
        })
        .await?;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
