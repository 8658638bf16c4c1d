//! Logins of devices that are given on the page: which there are, where each works, and trying again after a refusal.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ipnetwork::IpNetwork;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::body::{given, refused};
use super::{Caller, ConfirmError, SeenAt};
use crate::history::memory::{Known, Memory};
use crate::model::access::Scope;
use crate::model::memory::{Detail, Uid};
use crate::model::{Anchor, MacAddr, Secret};
use crate::serve::App;
use crate::serve::api::ask::Sent;
use crate::serve::api::table::{Endpoint, delete, get, post};
use crate::serve::problem::Problem;
use crate::store::{LoginHash, SealedLogin, SealedScope, StoreError};
use crate::text::clean_to;

/// Bytes of a user name or a password: longer ones no device takes.
const LONGEST: usize = 256;
/// Characters of a maker's name.
const LONGEST_VENDOR: usize = 64;

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let admin = Scope::Admin;
    vec![
        get("/logins", admin, logins, "Logins of devices, where each works, and what was refused; never a password")
            .answers::<Logins>(200, "In the order they are tried"),
        post("/logins", admin, add_login, "Keeps a login for devices; it is sealed, and never shown again")
            .takes::<NewLogin>(|| json!({ "user": "viewer", "password": "correct horse", "vendor": "Axis" }))
            .answers::<LoginView>(201, "The login"),
        delete("/logins/{id}", admin, remove_login, "Forgets a login").done(204, "It is gone"),
        post(
            "/devices/{id}/login/retry",
            admin,
            retry_login,
            "Forgets what a device refused, so that it is tried again",
        )
        .answers::<Retried>(200, "What is forgotten")
        .such_as(|| json!({ "forgotten": 2 })),
        post(
            "/devices/{id}/login/confirm",
            admin,
            confirm_login,
            "Sends a device the logins that were given for it, at its new address or behind its new network card",
        )
        .takes::<SeenAt>(|| json!({ "ip": "10.0.5.21", "mac": "44:19:b6:00:00:01" }))
        .or_nothing()
        .answers::<Confirmed>(200, "What is sent again")
        .such_as(|| json!({ "confirmed": 1 })),
    ]
}

/// A login of devices; never its password.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LoginView {
    /// Its number; none for one of the configuration.
    pub id: Option<i64>,
    /// The user name.
    pub user: String,
    /// The device it is for.
    pub device: Option<Uid>,
    /// The network it is for.
    #[schemars(with = "Option<String>")]
    pub network: Option<IpNetwork>,
    /// The maker it is for.
    pub vendor: Option<String>,
    /// How the MAC address begins that it is for.
    pub mac: Option<String>,
    /// Whether it can be opened with the key that there is.
    pub usable: bool,
    /// Why it is not sent to its device until that is confirmed; none where it is sent.
    pub rests: Option<Rests>,
    /// When it was given; none for one of the configuration.
    pub created_at: Option<Timestamp>,
    /// The account that gave it.
    pub created_by: Option<String>,
    /// Where it works, and when it last did.
    pub works_at: BTreeMap<String, Timestamp>,
}

/// What looks like the device of a login, and is so by its own word alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rests {
    /// What the device is called.
    pub name: Option<String>,
    /// Where it is now.
    pub ip: IpAddr,
    /// Its network card there, as the link shows it; none where the link does not.
    #[schemars(with = "Option<String>")]
    pub mac: Option<MacAddr>,
}

impl Rests {
    /// Whether a login of a device rests.
    fn of(memory: &Memory, device: &Uid, anchor: Option<&Anchor>) -> Option<Rests> {
        let known = memory.find(device.as_str())?;
        let rests = anchor.is_none_or(|anchor| memory.rests(device, anchor));
        let name = known.note.name.clone().or_else(|| known.device.name.clone());
        rests.then_some(Rests { name, ip: known.device.ip, mac: known.device.link_mac })
    }
}

/// Logins of devices.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Logins {
    /// Those of the page, in the order they are tried.
    pub items: Vec<LoginView>,
    /// Devices that refused logins in the last day, and how many.
    pub refused: BTreeMap<String, u32>,
    /// Devices that a login works on which is none of the page's: one of the configuration.
    pub other_works_at: BTreeMap<String, Timestamp>,
}

/// A login to be, for one device, or all that fit. Every condition that is given must hold; without any it is for all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLogin {
    /// The user name.
    pub user: String,
    /// The password: sealed, and never shown again.
    #[schemars(with = "String")]
    pub password: Secret,
    /// This device alone.
    #[serde(default)]
    pub device: Option<Uid>,
    /// Devices of this network, or this address.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub network: Option<IpNetwork>,
    /// Devices of this maker, by what the link shows.
    #[serde(default)]
    pub vendor: Option<String>,
    /// Devices whose MAC address begins so.
    #[serde(default)]
    pub mac: Option<String>,
}

/// What a confirmation comes to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Confirmed {
    /// Logins of the device.
    pub confirmed: u64,
}

/// What trying again comes to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Retried {
    /// Refusals that are forgotten.
    pub forgotten: u64,
}

/// `GET /logins`: which logins there are, and where they work.
///
/// # Errors
/// Without the scope `admin`.
pub async fn logins(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Logins>, Problem> {
    caller.need(Scope::Admin)?;
    let memory = app.known().await?;
    let now = app.now();
    app.ask(move |app| {
        let sealed = app.store.sealed_logins()?;
        let uses = app.store.login_uses()?;
        let mut items = Vec::new();
        let mut by_hash: BTreeMap<[u8; 16], usize> = BTreeMap::new();
        for login in sealed {
            let opened = app.vault.credential(&login);
            if let Some(opened) = &opened {
                by_hash.insert(app.store.login_hash(opened)?.bytes(), items.len());
            }
            items.push(view(login, opened.is_some(), &memory));
        }
        let devices: Vec<&Known> = memory.roots().collect();
        let refused = devices.iter().zip(app.store.refused(&devices, now)?).filter(|(_, refused)| *refused > 0);
        let refused = refused.map(|(known, refused)| (known.uid.to_string(), refused)).collect();
        let mut other_works_at = BTreeMap::new();
        for used in uses {
            let device = used.device.to_string();
            let Some(at) = used.worked_at else { continue };
            match works(&by_hash, used.login).and_then(|place| items.get_mut(place)) {
                Some(view) => view.works_at.insert(device, at),
                None => other_works_at.insert(device, at),
            };
        }
        Ok(Json(Logins { items, refused, other_works_at }))
    })
    .await
}

/// Why a login that was given for a device is not sent to it; none where each is, or none was given.
///
/// # Errors
/// When the logins cannot be read.
pub(in crate::serve) fn rests(app: &App, memory: &Memory, device: &Uid) -> Result<Option<Rests>, StoreError> {
    let ids = memory.ids_of(device);
    let own = app.store.sealed_logins()?.into_iter().map(|login| login.scope);
    let mut own = own.filter(|scope| scope.device.as_ref().is_some_and(|of| ids.contains(of)));
    Ok(own.find_map(|scope| Rests::of(memory, device, scope.anchor.as_ref())))
}

fn works(by_hash: &BTreeMap<[u8; 16], usize>, login: LoginHash) -> Option<usize> {
    by_hash.get(&login.bytes()).copied()
}

fn view(login: SealedLogin, usable: bool, memory: &Memory) -> LoginView {
    let SealedScope { device, network, vendor, mac, anchor } = login.scope;
    let rests = device.as_ref().and_then(|device| Rests::of(memory, device, anchor.as_ref()));
    LoginView {
        id: Some(login.id),
        user: login.user,
        device,
        network,
        vendor,
        mac,
        usable,
        rests,
        created_at: Some(login.created_at),
        created_by: Some(login.created_by),
        works_at: BTreeMap::new(),
    }
}

/// `POST /logins`: keeps a login for devices. It is tried by the next scan and the next checks, within what each device may
/// refuse.
///
/// # Errors
/// Without the scope `admin`; 409 when there are too many; 422.
pub async fn add_login(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<NewLogin>, JsonRejection>,
) -> Result<Response, Problem> {
    caller.need(Scope::Admin)?;
    let asked = given(body)?;
    let (user, password, mut scope) = checked(asked)?;
    let memory = app.known().await?;
    if let Some(device) = scope.device.as_ref().filter(|device| !memory.devices.contains_key(*device)) {
        return Err(Problem::invalid("/device", format!("there is no device {device}")));
    }
    scope.anchor = scope.device.as_ref().and_then(|device| memory.anchor(device));
    let (actor, now, known) = (caller.actor(), app.now(), memory.clone());
    let added = app.ask(move |app| {
        let sealed = match app.vault.seal(&user, &password, &scope) {
            Ok(sealed) => sealed,
            Err(problem) => return Ok(Err(problem)),
        };
        let added = app.store.add_sealed_login(&user, &sealed, &scope, &actor, now)?;
        app.vault.load(&app.store, &memory)?;
        Ok(Ok(added))
    });
    let id = added.await?.map_err(|problem| {
        tracing::error!("{problem}");
        Problem::internal()
    })?;
    let id = id.map_err(refused)?;
    let sealed = app.ask(|app| app.store.sealed_logins()).await?;
    let made = sealed.into_iter().find(|login| login.id == id).ok_or_else(Problem::internal)?;
    let place = app.site.link(&format!("/api/v1/logins/{id}"));
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(view(made, true, &known))).into_response())
}

fn checked(asked: NewLogin) -> Result<(String, Secret, SealedScope), Problem> {
    let NewLogin { user, password, device, network, vendor, mac } = asked;
    let is_usable = |text: &str| text.len() <= LONGEST && !text.chars().any(char::is_control);
    if user.is_empty() || !is_usable(&user) {
        return Err(Problem::invalid(
            "/user",
            format!("a user name has 1 to {LONGEST} bytes and no control characters"),
        ));
    }
    if !is_usable(password.expose()) {
        let why = format!("a password has at most {LONGEST} bytes and no control characters");
        return Err(Problem::invalid("/password", why));
    }
    let vendor = vendor.map(|vendor| clean_to(vendor.trim(), LONGEST_VENDOR)).filter(|vendor| !vendor.is_empty());
    let mac = mac.map(|mac| mac_prefix(&mac)).transpose()?;
    Ok((user, password, SealedScope { device, network, vendor, mac, anchor: None }))
}

/// A MAC address or its beginning, as lower-case digits without separators.
fn mac_prefix(text: &str) -> Result<String, Problem> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    let is_whole = (2..=12).contains(&digits.len()) && digits.len().is_multiple_of(2);
    match is_whole && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(digits.to_ascii_lowercase()),
        false => Err(Problem::invalid("/mac", "this is not a MAC address or the beginning of one")),
    }
}

/// `DELETE /logins/{id}`: forgets a login.
///
/// # Errors
/// Without the scope `admin`; 404.
pub async fn remove_login(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    caller.need(Scope::Admin)?;
    let memory = app.known().await?;
    let (actor, now) = (caller.actor(), app.now());
    let removed = app.ask(move |app| {
        let removed = app.store.remove_sealed_login(id, &actor, now)?;
        app.vault.load(&app.store, &memory)?;
        Ok(removed)
    });
    removed.await?.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /devices/{id}/login/retry`: forgets what a device refused, so that its logins are tried again.
///
/// # Errors
/// Without the scope `admin`; 404.
pub async fn retry_login(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Retried>, Problem> {
    caller.need(Scope::Admin)?;
    let uid = Uid::parse(&id).ok_or_else(|| Problem::not_found("there is no such device"))?;
    let memory = app.known().await?;
    if !memory.devices.contains_key(&uid) {
        return Err(Problem::not_found("there is no such device"));
    }
    let (actor, now) = (caller.actor(), app.now());
    let forgotten = app.ask(move |app| {
        let members =
            memory.devices.values().filter(|known| known.uid == uid || known.merged_into.as_ref() == Some(&uid));
        let mut forgotten = 0u64;
        for known in members {
            forgotten = forgotten.saturating_add(app.store.forget_refusals(known, now)?);
        }
        app.store.update(|memory| (memory.retry_login(&uid), Vec::new()), &())?;
        app.store.note_change(now, &actor, "login.retry", uid.as_str(), &Detail::Nothing)?;
        Ok(forgotten)
    });
    Ok(Json(Retried { forgotten: forgotten.await? }))
}

/// `POST /devices/{id}/login/confirm`: a user has seen that a device is the one its logins were given for. The body names
/// where it was seen; without one it is confirmed wherever it is.
///
/// # Errors
/// Without the scope `admin`; 404; 409 when it is elsewhere by now.
pub async fn confirm_login(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    seen: Option<Sent<SeenAt>>,
) -> Result<Json<Confirmed>, Problem> {
    caller.need(Scope::Admin)?;
    let memory = app.known().await?;
    let known = Uid::parse(&id).and_then(|uid| memory.find(uid.as_str()));
    let uid = known.map(|known| known.uid.clone()).ok_or_else(|| Problem::not_found("there is no such device"))?;
    let (actor, now) = (caller.actor(), app.now());
    let confirmed = app.ask(move |app| {
        let seen = seen.as_ref().map(|Sent(seen)| seen);
        let confirmed = match app.vault.confirm(&app.store, &uid, seen, &actor, now) {
            Err(ConfirmError::Store(error)) => return Err(error),
            other => other,
        };
        app.vault.load(&app.store, &*app.store.memory()?)?;
        Ok(confirmed)
    });
    let confirmed = confirmed.await?.map_err(|error| match error {
        ConfirmError::Elsewhere(_) => Problem::conflict(error.to_string()),
        _ => {
            tracing::error!("{error}");
            Problem::internal()
        }
    })?;
    Ok(Json(Confirmed { confirmed }))
}
