//! One's own session and account.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{account, given, refused};
use crate::model::Secret;
use crate::model::access::{Role, Scope};
use crate::serve::App;
use crate::serve::auth::client::Client;
use crate::serve::auth::{Caller, Means, password};
use crate::serve::problem::Problem;
use crate::store::accounts::UserChange;

/// A name and a password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The account.
    pub name: String,
    /// Its password.
    #[schemars(with = "String")]
    pub password: Secret,
}

/// Who one is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Me {
    /// The number of the account; none over a socket in the file system, or without a login.
    pub id: Option<i64>,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Option<Role>,
    /// What one may do by the way one has logged in.
    pub scopes: Vec<Scope>,
}

/// A new password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The one that is used now.
    #[schemars(with = "String")]
    pub current: Secret,
    /// The new one, 10 characters or more.
    #[schemars(with = "String")]
    pub new: Secret,
}

/// `POST /session`: logs in; the session is in the cookie of the answer.
///
/// # Errors
/// 401 when name or password is wrong, 429 after too many wrong ones.
pub async fn begin_session(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Result<Json<Login>, JsonRejection>,
) -> Result<Response, Problem> {
    let login = given(body)?;
    let done = app.log_in(&login.name, login.password, &client, &headers).await?;
    let (role, name) = (done.user.role, done.user.name);
    let me = Me { id: Some(done.user.id), name, role: Some(role), scopes: role.scopes().to_vec() };
    Ok(([(header::SET_COOKIE, done.cookie)], Json(me)).into_response())
}

/// `DELETE /session`: logs out.
///
/// # Errors
/// When the store cannot be written.
pub async fn end_own_session(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    caller: Caller,
) -> Result<Response, Problem> {
    if caller.scopes.is_empty() {
        return Err(Problem::unauthorized());
    }
    let cookie = app.log_out(&caller, &client).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// `GET /me`: who one is.
///
/// # Errors
/// 401 without a login.
pub async fn me(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Me>, Problem> {
    if caller.scopes.is_empty() {
        return Err(Problem::unauthorized());
    }
    let role = match caller.account {
        Some(id) => app.ask(move |app| app.store.user(id)).await?.map(|user| user.role),
        None => None,
    };
    Ok(Json(Me { id: caller.account, name: caller.name, role, scopes: caller.scopes }))
}

/// `POST /me/password`: sets a new password and ends all other sessions of the account.
///
/// # Errors
/// 403 when the current one is wrong or the caller uses a token, 422 when the new one cannot be taken.
pub async fn change_password(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    caller: Caller,
    body: Result<Json<NewPassword>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let id = account(&caller)?;
    let Means::Session(session) = caller.means else { return Err(Problem::forbidden("a session")) };
    let passwords = given(body)?;
    app.own_password(id, &caller.name, passwords.current, &client).await?;
    password::check_new(&passwords.new, &caller.name).map_err(|why| Problem::invalid("/new", why.to_string()))?;
    let hash = app.access.passwords.hash(passwords.new).await?;
    let (actor, now) = (caller.actor(), app.now());
    let changed = app.ask(move |app| {
        let change = UserChange { password: Some(&hash), keep_session: Some(session), ..UserChange::default() };
        app.store.change_user(id, change, &actor, now)
    });
    changed.await?.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
