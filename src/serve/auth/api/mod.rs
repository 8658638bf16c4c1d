//! The API's handlers about accounts: session, users, tokens, sessions, audit.

mod audit;
pub(super) mod body;
mod session;
mod tokens;
mod users;

use serde_json::json;

pub(in crate::serve) use body::given;

pub use audit::{AuditLine, AuditPage, audit};
pub use session::{Login, Me, NewPassword, begin_session, change_password, end_own_session, me};
pub use tokens::{
    MadeToken, NewTokenAsked, TokenChange, TokenView, Tokens, add_token, change_token, remove_token, tokens,
};
pub use users::{
    NewUserAsked, SessionView, Sessions, UserChangeAsked, UserView, Users, add_user, change_user, end_session,
    remove_user, sessions, users,
};

use crate::model::access::Scope;
use crate::serve::api::table::{Endpoint, Need, Shape, delete, get, one, patch, post};

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    let admin = Scope::Admin;
    vec![
        post("/session", Need::Nobody, begin_session, "Logs in; the session is in the cookie of the answer")
            .takes::<Login>(|| json!({ "name": "anna", "password": "correct horse" }))
            .answers::<Me>(200, "Who one is")
            .problems(&[401, 403]),
        delete("/session", Need::Login, end_own_session, "Logs out").done(204, "It has ended"),
        get("/me", Need::Login, me, "Who one is, and what one may do").answers::<Me>(200, "Who one is").such_as(
            || json!({ "id": 1, "name": "anna", "role": "operator", "scopes": ["read", "live", "scan", "edit"] }),
        ),
        post("/me/password", Need::Login, change_password, "Sets a new password and ends all other sessions")
            .takes::<NewPassword>(|| json!({ "current": "correct horse", "new": "battery staple" }))
            .done(204, "It is set"),
        get("/users", admin, users, "All accounts").answers::<Users>(200, "By name"),
        post("/users", admin, add_user, "Adds an account")
            .takes::<NewUserAsked>(|| json!({ "name": "boris", "role": "viewer", "password": "correct horse" }))
            .answers::<UserView>(201, "The account"),
        patch("/users/{id}", admin, change_user, "Changes an account")
            .takes::<UserChangeAsked>(|| json!({ "role": "operator" }))
            .answers::<UserView>(200, "The account")
            .problems(&[409]),
        delete("/users/{id}", admin, remove_user, "Removes an account with its sessions and tokens")
            .done(204, "It is gone")
            .problems(&[409]),
        get("/sessions", Need::Login, sessions, "One's own sessions; those of all accounts with the scope `admin`")
            .answers::<Sessions>(200, "The last used first")
            .problems(&[403]),
        delete("/sessions/{id}", Need::Login, end_session, "Ends a session").done(204, "It has ended"),
        get("/tokens", admin, tokens, "All tokens, without their secrets").answers::<Tokens>(200, "The latest first"),
        post("/tokens", admin, add_token, "Makes a token, and shows it this once")
            .takes::<NewTokenAsked>(|| json!({ "name": "Home Assistant", "scopes": ["read", "live"] }))
            .answers::<MadeToken>(201, "The token, whole")
            .problems(&[404, 409])
            .secret(),
        patch("/tokens/{id}", admin, change_token, "Lets a token be used or not")
            .takes::<TokenChange>(|| json!({ "enabled": false }))
            .answers::<TokenView>(200, "The token"),
        delete("/tokens/{id}", admin, remove_token, "Removes a token").done(204, "It is gone"),
        get("/audit", admin, audit, "Who changed what")
            .query(&[
                one("before", Shape::Number(1, i64::MAX), "Changes with a lesser number"),
                one("limit", Shape::Number(1, 500), "At most so many"),
            ])
            .answers::<AuditPage>(200, "The latest first"),
    ]
}
