//! What somebody wants to be done: scans of everything or of a part, the look at one device, and the check of a stream. One
//! scan runs, a few wait; the loop that watches does them, and tells how far it is.

mod allowed;
mod book;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use allowed::Allowed;
pub use book::{Jobs, WAITING};

use super::App;
use super::api::ask::Sent;
use super::api::table::{Endpoint, delete, get, post};
use super::auth::{Caller, actor};
use super::problem::Problem;
use super::view::scan::{ScanState, ScanView};
use crate::history::memory::StreamId;
use crate::model::TargetSpec;
use crate::model::access::Scope;
use crate::model::memory::{Detail, Uid};
use crate::model::target::limits;
use crate::store::Cause;
use crate::watch::{Order, ScanOrder};

/// Targets of one scan.
const TARGETS: usize = 64;
/// The loop that watches takes an order within this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let taken = || json!({"id": "j_1207", "status": "queued"});
    vec![
        post("/scans", Scope::Scan, start, "Orders a scan of everything, or of some targets")
            .takes::<ScanAsked>(|| json!({"targets": ["192.0.2.0/24"]}))
            .or_nothing()
            .answers::<Taken>(202, "It waits for its turn; `Location` says how far it is")
            .such_as(taken),
        get("/scans/{id}", Scope::Read, one, "A scan that runs, waits, or is remembered")
            .answers::<ScanView>(200, "It"),
        delete(
            "/scans/{id}",
            Scope::Scan,
            stop,
            "Stops a scan, or takes it back while it waits; what it found is kept",
        )
        .answers::<Taken>(202, "It ends")
        .such_as(taken)
        .problems(&[409]),
        post("/devices/{id}/probe", Scope::Scan, probe, "Asks everything of one device anew")
            .answers::<Taken>(202, "It waits for its turn")
            .such_as(taken),
        post("/streams/{id}/check", Scope::Scan, check, "Plays a stream, as soon as nothing else asks its device")
            .answers::<Taken>(202, "It waits for its turn")
            .such_as(|| json!({"id": "s_0123456789abcdef", "status": "queued"})),
    ]
}

impl App {
    /// Lets a scan of these targets wait for its turn; of everything that is watched, where there are none.
    ///
    /// # Errors
    /// Where this process does not watch, too many wait, a target is not allowed, or they are more than one scan takes on.
    pub async fn order_scan(self: &Arc<Self>, targets: &[&str], by: &str) -> Result<ScanView, Problem> {
        if targets.len() > TARGETS {
            return Err(Problem::invalid("/targets", format!("a scan has {TARGETS} targets at most")));
        }
        let allowed = self.allowed();
        let mut specs: Vec<TargetSpec> = Vec::new();
        for (n, text) in targets.iter().enumerate() {
            let pointer = format!("/targets/{n}");
            let spec = text.parse::<TargetSpec>().map_err(|error| Problem::invalid(&pointer, error.to_string()))?;
            if !allowed.holds(&spec, &self.session.net.interfaces().unwrap_or_default()) {
                let why = format!("{spec} is not among the networks that may be scanned from here");
                return Err(Problem::invalid(&pointer, why));
            }
            if !specs.contains(&spec) {
                specs.push(spec);
            }
        }
        limits::check(&specs, &allowed.exclude).map_err(|unfit| Problem::invalid("/targets", unfit.to_string()))?;
        self.order(specs, None, by).await
    }

    /// Lets one device be looked at anew, as soon as its turn comes.
    ///
    /// # Errors
    /// Where this process does not watch, or too many scans wait.
    pub async fn order_probe(self: &Arc<Self>, device: Uid, ip: IpAddr, by: &str) -> Result<ScanView, Problem> {
        self.order(vec![TargetSpec::Address(ip, None)], Some(device), by).await
    }

    async fn order(
        self: &Arc<Self>,
        targets: Vec<TargetSpec>,
        device: Option<Uid>,
        by: &str,
    ) -> Result<ScanView, Problem> {
        self.watches()?;
        let id = fastrand::u64(..1 << 52);
        let order = ScanOrder { id, targets, device, cause: Cause::User, at: self.now() };
        let view = self.jobs.add(&order, by)?;
        let (action, subject) = match &order.device {
            Some(device) => ("device.probe", device.to_string()),
            None => ("scan.start", view.id.clone()),
        };
        let detail = Detail::Targets { targets: order.targets.iter().map(ToString::to_string).collect() };
        if let Err(problem) = self.send_order(Order::Scan(order), action, subject, detail).await {
            self.jobs.drop_order(id);
            return Err(problem);
        }
        self.events.scan(&view, self.now());
        Ok(view)
    }

    /// Ends a scan that runs, or takes back one that waits. What it found is kept.
    ///
    /// # Errors
    /// Where there is no such scan, or it has ended.
    pub async fn end_scan(self: &Arc<Self>, id: &str) -> Result<ScanView, Problem> {
        let view = self.jobs.find(id).ok_or_else(|| Problem::not_found("there is no such scan that runs or waits"))?;
        if !matches!(view.status, ScanState::Queued | ScanState::Running) {
            return Err(Problem::conflict("the scan has ended"));
        }
        let number = id.strip_prefix("j_").and_then(|number| number.parse().ok()).unwrap_or_default();
        self.send_order(Order::EndScan(number), "scan.stop", id.to_owned(), Detail::Nothing).await?;
        Ok(view)
    }

    /// Lets a stream be played as soon as nothing else asks its device.
    ///
    /// # Errors
    /// Where this process does not watch, or there is no such stream.
    pub async fn order_check(self: &Arc<Self>, id: &str) -> Result<StreamId, Problem> {
        let no_such = || Problem::not_found("there is no such stream");
        let id = StreamId::parse(id).ok_or_else(no_such)?;
        let sight = super::view::Sight { memory: self.known().await?, now: self.now(), ..Default::default() };
        let (known, key) = sight.stream_of(&id).ok_or_else(no_such)?;
        let device = Detail::StreamOf { device: known.uid.clone() };
        let order = Order::Check(known.uid.clone(), key.to_owned());
        self.send_order(order, "stream.check", id.to_string(), device).await?;
        Ok(id)
    }

    fn watches(&self) -> Result<&tokio::sync::mpsc::Sender<Order>, Problem> {
        self.orders.as_ref().ok_or_else(|| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-watching", "Nothing is scanned from here")
                .detail("this camscan only shows what is known; start it without --no-watch to scan from here")
        })
    }

    /// Gives an order once the audit log tells of it. It is told of only where there is a place for it.
    async fn send_order(
        self: &Arc<Self>,
        order: Order,
        action: &'static str,
        subject: String,
        detail: Detail,
    ) -> Result<(), Problem> {
        let busy = || Problem::busy("the loop that watches does not answer at the moment");
        let place = tokio::time::timeout(PATIENCE, self.watches()?.reserve()).await;
        let place = place.map_err(|_| busy())?.map_err(|_| busy())?;
        let (actor, now) = (actor(), self.now());
        self.ask(move |app| app.store.note_change(now, &actor, action, &subject, &detail)).await?;
        place.send(order);
        Ok(())
    }
}

/// A scan that is wanted.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanAsked {
    /// Networks, ranges, addresses or names, all of them within what may be scanned from here; none: everything that is
    /// watched.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// What was taken on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// What it is called.
    pub id: String,
    /// How it stands.
    pub status: ScanState,
}

/// `POST /scans`.
///
/// # Errors
/// As [`App::order_scan`].
pub async fn start(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: Option<Sent<ScanAsked>>,
) -> Result<Response, Problem> {
    caller.need(Scope::Scan)?;
    // Everything, and no body to say so.
    let asked = asked.map(|Sent(asked)| asked).unwrap_or_default();
    let targets: Vec<&str> = asked.targets.iter().map(String::as_str).collect();
    let view = app.order_scan(&targets, &caller.name).await?;
    Ok(accepted(&app, &view))
}

/// `GET /scans/{id}`: one that runs, waits, or is remembered.
///
/// # Errors
/// When there is no such scan.
pub async fn one(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ScanView>, Problem> {
    caller.need(Scope::Read)?;
    if let Some(view) = app.jobs.find(&id) {
        return Ok(Json(view));
    }
    let no_such = || Problem::not_found("there is no such scan");
    let number: i64 = id.parse().map_err(|_| no_such())?;
    let (row, info, warnings) = app.ask(move |app| app.store.scan(number)).await?.ok_or_else(no_such)?;
    let targets = Some(info.targets).filter(|targets| !targets.is_empty());
    Ok(Json(ScanView { targets, warnings, ..ScanView::from(&row) }))
}

/// `DELETE /scans/{id}`: what was found is kept.
///
/// # Errors
/// As [`App::end_scan`].
pub async fn stop(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    caller.need(Scope::Scan)?;
    let view = app.end_scan(&id).await?;
    Ok(accepted(&app, &view))
}

/// `POST /devices/{id}/probe`.
///
/// # Errors
/// As [`App::order_probe`], and when there is no such device.
pub async fn probe(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    caller.need(Scope::Scan)?;
    let known = app.known().await?;
    let device = known.find(&id).ok_or_else(|| Problem::not_found("there is no such device"))?;
    let view = app.order_probe(device.uid.clone(), device.device.ip, &caller.name).await?;
    Ok(accepted(&app, &view))
}

/// `POST /streams/{id}/check`.
///
/// # Errors
/// As [`App::order_check`].
pub async fn check(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    caller.need(Scope::Scan)?;
    let id = app.order_check(&id).await?.to_string();
    let place = app.site.link(&format!("/api/v1/streams/{id}"));
    Ok(accepted_at(&place, Taken { id, status: ScanState::Queued }))
}

fn accepted(app: &App, view: &ScanView) -> Response {
    let place = app.site.link(&format!("/api/v1/scans/{}", view.id));
    accepted_at(&place, Taken { id: view.id.clone(), status: view.status })
}

fn accepted_at(place: &str, taken: Taken) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(taken)).into_response();
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}
