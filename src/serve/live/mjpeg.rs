//! JPEGs of an MJPEG camera as `multipart/x-mixed-replace`, as browsers and other programs have read them for decades.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream;

use super::{live, refused};
use crate::live::viewer::jpegs::JpegViewer;
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;

const TYPE: &str = "multipart/x-mixed-replace; boundary=frame";

/// `GET /streams/{id}/stream.mjpeg`: pictures until the reader goes away.
pub async fn pictures(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.need(Scope::Live)?;
    let viewer = match live(&app)?.mjpeg(&id).await {
        Ok(viewer) => viewer,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let parts = stream::unfold(viewer, |mut viewer| async move {
        let part = next(&mut viewer).await?;
        Some((Ok::<Bytes, Infallible>(part), viewer))
    });
    let mut response = Response::new(Body::from_stream(parts));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(TYPE));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn next(viewer: &mut JpegViewer) -> Option<Bytes> {
    let picture = viewer.next().await?;
    let mut part = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
    part.reserve(picture.len() + 2);
    let mut part = part.into_bytes();
    part.extend_from_slice(&picture);
    part.extend_from_slice(b"\r\n");
    Some(part.into())
}
