//! Accounts, and who is logged in with them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{account, given, refused};
use crate::model::Secret;
use crate::model::access::{Role, Scope};
use crate::serve::App;
use crate::serve::auth::login::check_name;
use crate::serve::auth::{Caller, Means, password};
use crate::serve::problem::Problem;
use crate::store::accounts::{NewUser, SessionRow, User, UserChange};

/// An account.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UserView {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Whether it can be used.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its password was last set.
    pub password_at: Timestamp,
    /// When somebody last logged in with it.
    pub login_at: Option<Timestamp>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let User { id, name, role, enabled, created_at, password_at, login_at } = user;
        UserView { id, name, role, enabled, created_at, password_at, login_at }
    }
}

/// Accounts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Users {
    /// All of them, by name.
    pub items: Vec<UserView>,
}

/// An account to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserAsked {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its password, 10 characters or more.
    #[schemars(with = "String")]
    pub password: Secret,
}

/// What changes about an account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UserChangeAsked {
    /// What it is for.
    pub role: Option<Role>,
    /// Whether it can be used.
    pub enabled: Option<bool>,
    /// A new password; ends all its sessions.
    #[schemars(with = "Option<String>")]
    pub password: Option<Secret>,
}

/// `GET /users`: all accounts.
///
/// # Errors
/// Without the scope `admin`.
pub async fn users(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Users>, Problem> {
    caller.need(Scope::Admin)?;
    let users = app.ask(|app| app.store.users()).await?;
    Ok(Json(Users { items: users.into_iter().map(UserView::from).collect() }))
}

/// `POST /users`: adds an account.
///
/// # Errors
/// Without the scope `admin`; 409 when there is one of that name; 422 when name or password cannot be taken.
pub async fn add_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<NewUserAsked>, JsonRejection>,
) -> Result<Response, Problem> {
    caller.need(Scope::Admin)?;
    let NewUserAsked { name, role, password: given } = given(body)?;
    let name = check_name(&name).map_err(|why| Problem::invalid("/name", why.to_string()))?.to_owned();
    password::check_new(&given, &name).map_err(|why| Problem::invalid("/password", why.to_string()))?;
    let hash = app.access.passwords.hash(given).await?;
    let (actor, now) = (caller.actor(), app.now());
    let added = app.ask(move |app| {
        app.store.add_user(&NewUser { name: &name, role, password: &hash, is_first: false }, &actor, now)
    });
    let user = added.await?.map_err(refused)?;
    app.access.setup.spend();
    let place = app.site.link(&format!("/api/v1/users/{}", user.id));
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(UserView::from(user))).into_response())
}

/// `PATCH /users/{id}`: changes an account.
///
/// # Errors
/// Without the scope `admin`; 404; 409 when nobody could manage accounts any more.
pub async fn change_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Result<Json<UserChangeAsked>, JsonRejection>,
) -> Result<Json<UserView>, Problem> {
    caller.need(Scope::Admin)?;
    let UserChangeAsked { role, enabled, password: new } = given(body)?;
    let hash = match new {
        Some(new) => {
            let user = app.ask(move |app| app.store.user(id)).await?;
            let name = user.map(|user| user.name).unwrap_or_default();
            password::check_new(&new, &name).map_err(|why| Problem::invalid("/password", why.to_string()))?;
            Some(app.access.passwords.hash(new).await?)
        }
        None => None,
    };
    let keep_session = match caller.means {
        Means::Session(session) if caller.account == Some(id) => Some(session),
        _ => None,
    };
    let (actor, now) = (caller.actor(), app.now());
    let changed = app.ask(move |app| {
        let change = UserChange { role, enabled, password: hash.as_deref(), keep_session };
        app.store.change_user(id, change, &actor, now)
    });
    Ok(Json(changed.await?.map_err(refused)?.into()))
}

/// `DELETE /users/{id}`: removes an account with its sessions and tokens.
///
/// # Errors
/// Without the scope `admin`; 404; 409 when nobody could manage accounts any more.
pub async fn remove_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    caller.need(Scope::Admin)?;
    let (actor, now) = (caller.actor(), app.now());
    app.ask(move |app| app.store.remove_user(id, &actor, now)).await?.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A login of a browser.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SessionView {
    /// Its number.
    pub id: i64,
    /// The number of its account.
    pub user: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to within five minutes.
    pub seen_at: Timestamp,
    /// Where it was begun from.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// Logins of browsers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sessions {
    /// The last used first.
    pub items: Vec<SessionView>,
}

/// `GET /sessions`: one's own sessions; those of all accounts with the scope `admin`.
///
/// # Errors
/// Without an account.
pub async fn sessions(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Sessions>, Problem> {
    let user = if caller.may(Scope::Admin) { None } else { Some(account(&caller)?) };
    let now = app.now();
    let rows = app.ask(move |app| app.store.sessions(user, now)).await?;
    let view = |row: SessionRow| {
        let SessionRow { id, user, created_at, seen_at, address, agent } = row;
        let current = caller.means == Means::Session(id);
        SessionView { id, user, created_at, seen_at, address, agent, current }
    };
    Ok(Json(Sessions { items: rows.into_iter().map(view).collect() }))
}

/// `DELETE /sessions/{id}`: ends a session, with the scope `admin` that of any account.
///
/// # Errors
/// 403 by a token without the scope `admin`; 404.
pub async fn end_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let user = match (caller.may(Scope::Admin), &caller.means) {
        (true, _) => None,
        (false, Means::Session(_)) => Some(account(&caller)?),
        _ => return Err(caller.need(Scope::Admin).err().unwrap_or_else(Problem::unauthorized)),
    };
    let (actor, now) = (caller.actor(), app.now());
    app.ask(move |app| app.store.end_session(id, user, &actor, now)).await?.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
