//! Forms that start scans, stop them, and look at devices anew; and files to take away.

use std::sync::Arc;

use axum::extract::{Path, Query as Pairs, State};
use axum::response::Response;

use super::fields::{Fields, Sent};
use super::look::Look;
use super::shell::{back, see_other};
use crate::history::memory::report_of;
use crate::model::Report;
use crate::model::access::Scope;
use crate::model::memory::Uid;
use crate::serve::App;
use crate::serve::api::exports;
use crate::serve::problem::Problem;
use crate::store::StoreError;

type Answer = Result<Response, Problem>;

/// Starts a scan, of everything where no targets are named.
pub async fn start(State(app): State<Arc<App>>, look: Look, sent: Sent) -> Answer {
    look.caller.need(Scope::Scan)?;
    let fields = Fields::of(sent)?;
    let targets: Vec<&str> =
        fields.get("targets").split([',', ' ', ';', '\n', '\r', '\t']).filter(|target| !target.is_empty()).collect();
    app.order_scan(&targets, &look.caller.name).await?;
    Ok(back_or_scans(&look, &fields))
}

/// To the page that the form stands on, of which the first one has an empty path; without one, to the scans.
fn back_or_scans(look: &Look, fields: &Fields) -> Response {
    match fields.all("back").next() {
        Some(to) => back(look, to.trim()),
        None => see_other(&look.to("scans")),
    }
}

/// Stops a scan, or takes one back that waits. One that has ended meanwhile needs no stopping.
pub async fn stop(State(app): State<Arc<App>>, look: Look, Path(id): Path<String>, sent: Sent) -> Answer {
    look.caller.need(Scope::Scan)?;
    let fields = Fields::of(sent)?;
    match app.end_scan(&id).await {
        Ok(_) => {}
        Err(problem) if problem.status == 409 => {}
        Err(problem) => return Err(problem),
    }
    Ok(back_or_scans(&look, &fields))
}

/// Looks at devices anew, one after the other.
pub(super) async fn probe(app: &Arc<App>, look: &Look, uids: &[Uid]) -> Result<(), Problem> {
    look.caller.need(Scope::Scan)?;
    let known = app.known().await?;
    for uid in uids {
        let device = known.find(uid.as_str()).ok_or_else(|| Problem::not_found("there is no such device"))?;
        app.order_probe(device.uid.clone(), device.device.ip, &look.caller.name).await?;
    }
    Ok(())
}

/// What is known, or what a scan found, as a file.
pub async fn export(State(app): State<Arc<App>>, look: Look, pairs: Pairs<Vec<(String, String)>>) -> Answer {
    look.caller.need(Scope::Read)?;
    let fields = Fields(pairs.0);
    let name = fields.some("format").unwrap_or_else(|| "csv".to_owned());
    let format = exports::by_name(&name).map_err(|why| Problem::invalid("/format", why))?;
    exports::file(&app, &look.caller, format, move |app| report(app, &fields)).await
}

/// What a scan found, or what is known of some devices, or of all. None where there is no such scan.
fn report(app: &App, fields: &Fields) -> Result<Option<Report>, StoreError> {
    if let Some(scan) = fields.some("scan") {
        return scan.parse().map_or(Ok(None), |scan| app.store.report(scan));
    }
    let wanted: Vec<&str> = fields.all("id").collect();
    let known = app.store.memory()?;
    let listed = known.roots().filter(|known| known.archived_at.is_none());
    Ok(Some(report_of(listed.filter(|known| wanted.is_empty() || wanted.contains(&known.uid.as_str())))))
}
