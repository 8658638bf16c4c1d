//! Login and set-up as plain forms: they work in every browser, without a script.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Extension, Form, Router};
use serde::Deserialize;

use super::Caller;
use super::client::Client;
use super::login::LoggedIn;
use crate::model::Secret;
use crate::serve::App;
use crate::serve::problem::Problem;

/// What the forms are sent to.
pub fn actions() -> Router<Arc<App>> {
    Router::new().route("/login", post(login)).route("/logout", post(logout)).route("/setup", post(setup))
}

/// A form that was sent. `next` is the page that was wanted, `error` is what was wrong with the last try.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    name: String,
    password: Secret,
    code: String,
    next: String,
}

/// What a form's address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The page that was wanted.
    pub next: String,
    /// What was wrong with the last try: `login`, `wait`, `code`, `name`, `password`, `busy`.
    pub error: String,
}

/// `POST /login`: a session, and the page that was wanted.
pub async fn login(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    form: Result<Form<Sent>, FormRejection>,
) -> Response {
    let Ok(Form(sent)) = form else { return Problem::bad_request("the form cannot be read").into_response() };
    match app.log_in(&sent.name, sent.password, &client, &headers).await {
        Ok(LoggedIn { cookie, .. }) => {
            ([(header::SET_COOKIE, cookie)], Redirect::to(&app.site.link(inner(&sent.next)))).into_response()
        }
        Err(problem) => back(&app, "/login", &problem, &sent.next),
    }
}

/// `POST /setup`: the first account, a session, and the first page.
pub async fn setup(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    form: Result<Form<Sent>, FormRejection>,
) -> Response {
    let Ok(Form(sent)) = form else { return Problem::bad_request("the form cannot be read").into_response() };
    match app.set_up(&sent.code, &sent.name, sent.password, &client, &headers).await {
        Ok(LoggedIn { cookie, .. }) => {
            ([(header::SET_COOKIE, cookie)], Redirect::to(&app.site.link("/"))).into_response()
        }
        Err(problem) if problem.status == StatusCode::CONFLICT => {
            Redirect::to(&app.site.link("/login")).into_response()
        }
        Err(problem) => back(&app, "/setup", &problem, ""),
    }
}

/// `POST /logout`: no session, and the login.
///
/// # Errors
/// When the store cannot be written.
pub async fn logout(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    caller: Caller,
) -> Result<Response, Problem> {
    let cookie = app.log_out(&caller, &client).await?;
    let clear = [(header::SET_COOKIE, cookie)];
    // Nothing of what was seen stays in the browser.
    let forget = [("clear-site-data", "\"cache\"")];
    Ok((clear, forget, Redirect::to(&app.site.link("/login"))).into_response())
}

/// A path of this program, and of no other site: what is not one leads to the first page.
pub fn inner(next: &str) -> &str {
    let is_inner = next.starts_with('/')
        && !next.starts_with("//")
        && next.chars().all(|c| c.is_ascii_graphic() && c != '\\' && c != '"');
    if is_inner { next } else { "/" }
}

/// Back to the form, with a word for what was wrong; 303, so that reloading sends nothing again.
fn back(app: &App, form: &str, problem: &Problem, next: &str) -> Response {
    let word = match (problem.kind.as_str(), problem.errors.first().map(|error| error.pointer.as_str())) {
        ("problems/wrong-login", _) => "login",
        ("problems/wrong-code", _) => "code",
        ("problems/too-many", _) => "wait",
        (_, Some("/name")) => "name",
        (_, Some("/password")) => "password",
        _ => "busy",
    };
    let next = percent_encoding::utf8_percent_encode(inner(next), percent_encoding::NON_ALPHANUMERIC);
    Redirect::to(&app.site.link(&format!("{form}?error={word}&next={next}"))).into_response()
}

#[cfg(test)]
mod tests {
    use super::inner;

    #[test]
    fn a_login_leads_to_no_other_site() {
        for next in ["/", "/devices?state=offline&q=a%20b", "/a//b"] {
            assert_eq!(inner(next), next);
        }
        for next in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nSet-Cookie: x", "evil"] {
            assert_eq!(inner(next), "/", "{next}");
        }
    }
}
