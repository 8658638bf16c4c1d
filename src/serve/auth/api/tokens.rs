//! Tokens of programs.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ipnetwork::IpNetwork;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{given, refused};
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::auth::{Caller, identify, random};
use crate::serve::problem::Problem;
use crate::store::accounts::{NewToken, TokenRow};
use crate::text::clean_to;

/// A token that is asked for without an end lives so long.
const USUAL_LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);
/// Characters of a name, networks of a token, at most.
const LONGEST_NAME: usize = 100;
const MOST_NETWORKS: usize = 32;

/// A token, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenView {
    /// The part of it that may be seen: `cs_ID_...`.
    pub id: String,
    /// The number of its account.
    pub user: i64,
    /// What it is for.
    pub name: String,
    /// What it may do, as far as its account may.
    pub scopes: Vec<Scope>,
    /// Where it may be used from; empty: from everywhere.
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNetwork>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; none: never.
    pub expires_at: Option<Timestamp>,
    /// Whether it can be used.
    pub enabled: bool,
    /// When it was last used, to within five minutes.
    pub used_at: Option<Timestamp>,
    /// From where.
    pub used_from: Option<String>,
}

impl From<TokenRow> for TokenView {
    fn from(row: TokenRow) -> Self {
        TokenView {
            id: row.public,
            user: row.user,
            name: row.name,
            scopes: row.scopes,
            networks: row.networks,
            created_at: row.created_at,
            expires_at: row.expires_at,
            enabled: row.enabled,
            used_at: row.used_at,
            used_from: row.used_from,
        }
    }
}

/// Tokens.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tokens {
    /// The latest first.
    pub items: Vec<TokenView>,
}

/// A token to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenAsked {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Where it may be used from; empty: from everywhere.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNetwork>,
    /// When it ends; without it after a year, and never with `null`.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Timestamp>")]
    pub expires_at: Option<Option<Timestamp>>,
    /// The number of its account; without it one's own.
    #[serde(default)]
    pub user: Option<i64>,
}

/// Tells `null` from nothing.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A token that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MadeToken {
    /// The whole of it: shown this once.
    pub token: String,
    /// What it is.
    #[serde(flatten)]
    pub view: TokenView,
}

/// What changes about a token. What it may do cannot be changed: make another one, both can be valid at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenChange {
    /// Whether it can be used.
    pub enabled: bool,
}

/// `GET /tokens`: all tokens.
///
/// # Errors
/// Without the scope `admin`.
pub async fn tokens(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Tokens>, Problem> {
    caller.need(Scope::Admin)?;
    let rows = app.ask(|app| app.store.tokens(None)).await?;
    Ok(Json(Tokens { items: rows.into_iter().map(TokenView::from).collect() }))
}

/// `POST /tokens`: makes a token, and shows it this once.
///
/// # Errors
/// Without the scope `admin`; 404 without such an account; 409 when there are too many; 422.
pub async fn add_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<NewTokenAsked>, JsonRejection>,
) -> Result<Response, Problem> {
    caller.need(Scope::Admin)?;
    let mut asked = given(body)?;
    let now = app.now();
    let name = clean_to(asked.name.trim(), LONGEST_NAME);
    if name.is_empty() {
        return Err(Problem::invalid("/name", "the name is empty"));
    }
    asked.scopes.sort();
    asked.scopes.dedup();
    if asked.scopes.is_empty() {
        return Err(Problem::invalid("/scopes", "a token needs a scope"));
    }
    if asked.networks.len() > MOST_NETWORKS {
        return Err(Problem::invalid("/networks", format!("there are more than {MOST_NETWORKS}")));
    }
    let expires_at = asked.expires_at.unwrap_or_else(|| now.saturating_add(USUAL_LIFE).ok());
    if expires_at.is_some_and(|at| at <= now) {
        return Err(Problem::invalid("/expires_at", "this time has passed"));
    }
    let user = asked.user.or(caller.account).ok_or_else(|| Problem::invalid("/user", "name the account it is for"))?;
    let (public, secret) = (random::digits::<10>()?, random::secret()?);
    let (hash, actor) = (random::hash(&secret), caller.actor());
    let token = format!("{}{public}_{secret}", identify::TOKEN);
    let made = app.ask(move |app| {
        let NewTokenAsked { scopes, networks, .. } = &asked;
        let new = NewToken { public: &public, hash, user, name: &name, scopes, networks, expires_at };
        app.store.add_token(&new, &actor, now)
    });
    let view = TokenView::from(made.await?.map_err(refused)?);
    let place = app.site.link(&format!("/api/v1/tokens/{}", view.id));
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(MadeToken { token, view })).into_response())
}

/// `PATCH /tokens/{id}`: lets a token be used or not.
///
/// # Errors
/// Without the scope `admin`; 404.
pub async fn change_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Json<TokenChange>, JsonRejection>,
) -> Result<Json<TokenView>, Problem> {
    caller.need(Scope::Admin)?;
    let TokenChange { enabled } = given(body)?;
    let (actor, now) = (caller.actor(), app.now());
    let changed = app.ask(move |app| app.store.enable_token(&id, None, enabled, &actor, now));
    Ok(Json(changed.await?.map_err(refused)?.into()))
}

/// `DELETE /tokens/{id}`: removes a token.
///
/// # Errors
/// Without the scope `admin`; 404.
pub async fn remove_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need(Scope::Admin)?;
    let (actor, now) = (caller.actor(), app.now());
    app.ask(move |app| app.store.remove_token(&id, None, &actor, now)).await?.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
