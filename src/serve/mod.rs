//! `watch` with a face: the page and the API of `camscan serve`.
//!
//! ```text
//! listener ─► limits ─► who asks (auth) ─► API (api/, one table) · pages (page/) · events ─► store, watch's orders
//! ```
//!
//! What is known comes from the store, what is done goes to the loop of `watch` as an order; nothing here decides about
//! devices.

pub mod act;
pub mod api;
pub mod app;
pub mod auth;
pub mod events;
mod follow;
pub mod health;
pub mod jobs;
pub mod limits;
pub mod listen;
pub mod live;
mod packed;
pub mod page;
pub mod pictures;
pub mod problem;
mod room;
pub mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse as _;

pub use app::App;
use page::look::Look;
use problem::Problem;

/// Everything that is served, behind the gate that asks who comes.
pub fn router(app: &Arc<App>) -> Router {
    Router::new()
        .merge(page::router(app))
        .merge(auth::forms::actions())
        .merge(health::routes::router())
        .nest("/api/v1", api::table::router(api::rows(), app))
        .fallback(nothing)
        .method_not_allowed_fallback(not_so)
        .layer(from_fn(packed::packed))
        .layer(from_fn(auth::gate::hold))
        .layer(from_fn_with_state(app.clone(), auth::gate::gate))
        .with_state(app.clone())
}

/// A page for whoever looks at pages, a problem for programs.
async fn nothing(State(app): State<Arc<App>>, request: Request) -> axum::response::Response {
    let problem = Problem::not_found("there is nothing here");
    let accepted = request.headers().get(header::ACCEPT).and_then(|kinds| kinds.to_str().ok()).unwrap_or_default();
    let is_api = request.uri().path().starts_with("/api/");
    if is_api || !accepted.contains("text/html") {
        return problem.into_response();
    }
    let look = Look::of(&request.into_parts().0, app.now());
    let mut page = page::shell::of_problem(&look, &problem);
    page.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}

async fn not_so(_: Request) -> axum::response::Response {
    Problem::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed").into_response()
}
