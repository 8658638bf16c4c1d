//! Devices in every format that reports are written in.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::ask::text_of;
use super::list::DEVICES;
use super::table::{Endpoint, get};
use crate::export::format::Format;
use crate::export::{FORMATS, Options, render};
use crate::history::memory::report_of;
use crate::model::Report;
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;
use crate::serve::view::Sight;
use crate::serve::view::device::public_device;
use crate::serve::view::filter::{DeviceFilter, Query};
use crate::store::StoreError;

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    vec![
        get("/exports/{format}", Scope::Read, export, "Devices that are wanted, in a format: Frigate, CSV and others")
            .query(&DEVICES)
            .answers_media(200, "The file", "*/*"),
    ]
}

async fn export(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    query: Query,
) -> Result<Response, Problem> {
    let format = by_name(&name).map_err(Problem::not_found)?;
    devices(&app, &caller, format, DeviceFilter::read(&query)?).await
}

/// The devices that are wanted, as a file of a format.
///
/// # Errors
/// When it cannot be written, or the store cannot be read.
pub async fn devices(
    app: &Arc<App>,
    caller: &Caller,
    format: Format,
    filter: DeviceFilter,
) -> Result<Response, Problem> {
    file(app, caller, format, move |app| {
        let sight = Sight { memory: app.store.memory()?, now: app.now(), ..Sight::default() };
        Ok(Some(report_of(sight.known(&filter))))
    })
    .await
}

/// The format of a name.
///
/// # Errors
/// When there is none.
pub fn by_name(name: &str) -> Result<Format, &'static str> {
    FORMATS.by_name(name).ok().filter(|format| format.name != "table").ok_or("there is no such format")
}

/// The format of a list that a request asks for, by `format=` or by what it accepts; none for the API's own.
///
/// # Errors
/// When there is no such format.
pub fn wanted(query: &Query, headers: &HeaderMap) -> Result<Option<Format>, Problem> {
    if let Some(name) = query.one("format")? {
        return by_name(name).map(Some).map_err(|why| Problem::parameter("format", why));
    }
    let accepts = text_of(headers, header::ACCEPT).unwrap_or_default();
    // What is wanted most stands first; a browser's list ends with everything.
    let first = accepts.split(',').next().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    Ok(FORMATS.iter().filter(|format| !["json", "table"].contains(&format.name)).find(|format| {
        let own = media(format);
        first.contains('/') && own.split(';').next() == Some(first) && format.configuration().is_none()
    }))
}

/// The extension of a file in a format. Configurations are called as their programs expect it; a survey, which has no extension
/// of its own either, is a page.
fn extension(format: Format) -> &'static str {
    match format.configuration() {
        Some(configuration) => configuration.file.rsplit('.').next().unwrap_or_default(),
        None => format.extensions.first().copied().unwrap_or("html"),
    }
}

/// The media type of a format.
pub fn media(format: Format) -> &'static str {
    match extension(format) {
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "csv" => "text/csv; charset=utf-8",
        "yaml" | "yml" => "application/yaml",
        "xml" => "application/xml",
        "html" => "text/html; charset=utf-8",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "m3u" | "m3u8" => "audio/x-mpegurl",
        _ if format.is_binary => "application/octet-stream",
        _ => "text/plain; charset=utf-8",
    }
}

/// A report as a file of a format, to be kept and not to be shown: nothing of it runs in this place. The report is made when
/// its turn has come: what waits holds none.
///
/// # Errors
/// When there is no such report, it cannot be written, or the store cannot be read.
pub async fn file(
    app: &Arc<App>,
    caller: &Caller,
    format: Format,
    make: impl FnOnce(&App) -> Result<Option<Report>, StoreError> + Send + 'static,
) -> Result<Response, Problem> {
    // Beside the requests of others: a large spreadsheet takes its time. It is whole before it is sent, so that no slow reader
    // keeps a thread.
    let written = app.render(caller, move |app| {
        let Some(mut report) = make(app)? else { return Ok(None) };
        report.devices = std::mem::take(&mut report.devices).into_iter().map(public_device).collect();
        Ok(Some(render(format, &Options::default(), &report)))
    });
    let written = written.await?.ok_or_else(|| Problem::not_found("there is no such scan"))?;
    let bytes = written.map_err(|error| {
        tracing::error!("an export failed: {error}");
        Problem::internal()
    })?;
    let name = format!("attachment; filename=\"camscan-{}.{}\"", format.name, extension(format));
    let mut response = ([(header::CONTENT_TYPE, media(format))], bytes).into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
