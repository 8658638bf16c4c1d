//! Forms about accounts and about logins of devices. What they do is what the API does.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;

use super::fields::{Fields, Sent};
use super::look::Look;
use super::shell::back;
use super::{admin, gather};
use crate::model::Secret;
use crate::model::access::{Role, Scope};
use crate::serve::App;
use crate::serve::api::ask;
use crate::serve::auth::{SeenAt, api, devices};
use crate::serve::problem::Problem;

type Answer = Result<Response, Problem>;

/// A login for a device, a maker or a network.
pub async fn add_login(State(app): State<Arc<App>>, look: Look, sent: Sent) -> Answer {
    let fields = Fields::of(sent)?;
    let caller = look.caller.clone();
    caller.need(Scope::Admin)?;
    let mut new = devices::NewLogin {
        user: fields.get("user").to_owned(),
        password: Secret::new(fields.all("password").next().unwrap_or_default()),
        device: None,
        network: None,
        vendor: None,
        mac: None,
    };
    match fields.get("scope") {
        "vendor" => new.vendor = Some(fields.read("of", |of| Some(of.to_owned()).filter(|of| !of.is_empty()))?),
        "network" => new.network = Some(fields.read("of", |of| of.parse().ok())?),
        _ => {
            let known = app.known().await?;
            let none = || Problem::invalid("/of", "there is no such device");
            new.device = Some(known.find(fields.get("of")).ok_or_else(none)?.uid.clone());
        }
    }
    devices::add_login(State(app), caller, Ok(Json(new))).await?;
    Ok(back(&look, fields.get("back")))
}

/// `retry` or `confirm` a device's logins, or `remove` one.
pub async fn login(
    State(app): State<Arc<App>>,
    look: Look,
    Path((id, does)): Path<(String, String)>,
    sent: Sent,
) -> Answer {
    let fields = Fields::of(sent)?;
    match does.as_str() {
        "retry" => drop(devices::retry_login(State(app), look.caller.clone(), Path(id)).await?),
        "confirm" => {
            let mac = fields.some("mac").map(|_| fields.read("mac", |mac| mac.parse().ok())).transpose()?;
            let seen = SeenAt { ip: fields.read("ip", |ip| ip.parse().ok())?, mac };
            drop(devices::confirm_login(State(app), look.caller.clone(), Path(id), Some(ask::Sent(seen))).await?);
        }
        "remove" => drop(devices::remove_login(State(app), look.caller.clone(), Path(number(&id)?)).await?),
        _ => return Err(Problem::not_found("there is no such action")),
    }
    Ok(back(&look, fields.get("back")))
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::not_found("there is no such thing"))
}

/// An account to be.
pub async fn add_user(State(app): State<Arc<App>>, look: Look, sent: Sent) -> Answer {
    let fields = Fields::of(sent)?;
    let new = api::NewUserAsked {
        name: fields.get("name").to_owned(),
        role: fields.read("role", Role::from_name)?,
        password: Secret::new(fields.all("password").next().unwrap_or_default()),
    };
    api::add_user(State(app), look.caller.clone(), Ok(Json(new))).await?;
    Ok(back(&look, fields.get("back")))
}

/// What changes about an account.
pub async fn change_user(State(app): State<Arc<App>>, look: Look, Path(id): Path<i64>, sent: Sent) -> Answer {
    let fields = Fields::of(sent)?;
    let password = fields.all("password").next().filter(|password| !password.is_empty());
    let change = api::UserChangeAsked {
        role: Some(fields.read("role", Role::from_name)?),
        enabled: Some(fields.get("enabled") != "false"),
        password: password.map(Secret::new),
    };
    drop(api::change_user(State(app), look.caller.clone(), Path(id), Ok(Json(change))).await?);
    Ok(back(&look, fields.get("back")))
}

/// An account goes.
pub async fn remove_user(State(app): State<Arc<App>>, look: Look, Path(id): Path<i64>, sent: Sent) -> Answer {
    let fields = Fields::of(sent)?;
    api::remove_user(State(app), look.caller.clone(), Path(id)).await?;
    Ok(back(&look, fields.get("back")))
}

/// A token, which is shown this once: so the answer is the page itself.
pub async fn add_token(State(app): State<Arc<App>>, look: Look, sent: Sent) -> Answer {
    let fields = Fields::of(sent)?;
    let scopes = fields.all("scope").filter_map(Scope::from_name).collect();
    let networks = fields.get("networks").split([',', ' ']).filter(|text| !text.is_empty());
    let wrong = || Problem::invalid("/networks", "one of them is no network");
    let networks = networks.map(|text| text.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    let expires_at = match fields.some("days") {
        None => None,
        Some(days) => {
            let days: i64 = days.parse().map_err(|_| Problem::invalid("/days", "this is no number of days"))?;
            let length = SignedDuration::from_hours(days.clamp(1, 3650) * 24);
            look.now.checked_add(length).ok()
        }
    };
    let new = api::NewTokenAsked {
        name: fields.get("name").to_owned(),
        scopes,
        networks,
        expires_at: Some(expires_at),
        user: None,
    };
    let made = api::add_token(State(app.clone()), look.caller.clone(), Ok(Json(new))).await?;
    let body = axum::body::to_bytes(made.into_body(), 1 << 16).await.map_err(|_| Problem::internal())?;
    let made: serde_json::Value = serde_json::from_slice(&body).map_err(|_| Problem::internal())?;
    let token = made.get("token").and_then(|token| token.as_str()).map(str::to_owned);
    // Forms of the page lead back to where it can be opened again.
    let look = Look { here: "admin".to_owned(), ..look };
    let shown = gather::administration(&app).await?;
    Ok(admin::page(&look, &admin::Admin { made: token, ..shown }).into_response())
}

/// A token is switched on or off, or goes.
pub async fn token(
    State(app): State<Arc<App>>,
    look: Look,
    Path((id, does)): Path<(String, String)>,
    sent: Sent,
) -> Answer {
    let fields = Fields::of(sent)?;
    let caller = look.caller.clone();
    let change = |enabled| Ok(Json(api::TokenChange { enabled }));
    match does.as_str() {
        "enable" => drop(api::change_token(State(app), caller, Path(id), change(true)).await?),
        "disable" => drop(api::change_token(State(app), caller, Path(id), change(false)).await?),
        "remove" => drop(api::remove_token(State(app), caller, Path(id)).await?),
        _ => return Err(Problem::not_found("there is no such action")),
    }
    Ok(back(&look, fields.get("back")))
}

/// A session ends.
pub async fn end_session(State(app): State<Arc<App>>, look: Look, Path(id): Path<i64>, sent: Sent) -> Answer {
    let fields = Fields::of(sent)?;
    api::end_session(State(app), look.caller.clone(), Path(id)).await?;
    Ok(back(&look, fields.get("back")))
}
