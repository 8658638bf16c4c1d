//! Scans that are remembered, what they found, and two of them side by side.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use jiff::tz::TimeZone;

use super::list::{PART, sent};
use super::table::{Endpoint, Shape, get, one};
use crate::model::Report;
use crate::model::access::Scope;
use crate::serve::problem::Problem;
use crate::serve::view::device::public_device;
use crate::serve::view::diff::DiffView;
use crate::serve::view::filter::Query;
use crate::serve::view::page::{Page, Paging};
use crate::serve::view::scan::ScanView;
use crate::serve::{App, act};

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let read = Scope::Read;
    let name = "`last`, `previous`, `yesterday`, a number, a date or a time";
    vec![
        get("/scans", read, list, "Scans that are remembered")
            .query(&PART)
            .answers::<Page<ScanView>>(200, "The latest first"),
        get("/scans/{id}/report", read, report, "What a scan found, as a report (camscan/1)")
            .answers::<Report>(200, "The report"),
        get("/diff", read, diff, "What changed from one scan to another")
            .query(&[one("from", Shape::Text, name), one("to", Shape::Text, "The same, or `now` for what is known")])
            .answers::<DiffView>(200, "Both, and what is not the same")
            .problems(&[404]),
    ]
}

fn none() -> Problem {
    Problem::not_found("there is no such scan")
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| none())
}

async fn list(State(app): State<Arc<App>>, uri: Uri, query: Query) -> Result<Response, Problem> {
    let paging = Paging::read(&query)?;
    let before = paging.after_number()?;
    let limit = paging.limit;
    let mut found = app
        .ask(move |app| match before {
            Some(before) => app.store.scans_before(before, limit + 1),
            None => app.store.scans(limit + 1),
        })
        .await?;
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map(|scan| paging.mark("", &scan.number.to_string()));
    let page = Page { items: found.iter().map(ScanView::from).collect(), next, count: None };
    sent(&app, &uri, &query, &page)
}

async fn report(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Report>, Problem> {
    let number = number(&id)?;
    let mut report = app.ask(move |app| app.store.report(number)).await?.ok_or_else(none)?;
    report.devices = std::mem::take(&mut report.devices).into_iter().map(public_device).collect();
    Ok(Json(report))
}

async fn diff(State(app): State<Arc<App>>, query: Query) -> Result<Json<DiffView>, Problem> {
    let from = query.one("from")?.unwrap_or("yesterday");
    let to = query.one("to")?.unwrap_or("now");
    let now = app.now().to_zoned(TimeZone::system());
    act::compare(&app, from, to, &now).await?.map(Json).ok_or_else(none)
}
