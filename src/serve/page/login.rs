//! The pages before anybody is logged in.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::look::Look;
use super::parts::{self, field, hidden};
use super::shell::Page;
use super::words::Text;
use crate::markup::Markup;
use crate::serve::App;
use crate::serve::auth::forms::{Asked, inner};
use crate::serve::auth::{Caller, Means};
use crate::serve::problem::Problem;

/// What is written into the forms again after a mistake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entered {
    /// Where to go afterwards, as the path of this program: `/events`.
    pub next: String,
    /// What was wrong; none at first.
    pub mistake: Option<Text>,
}

impl Entered {
    fn of(asked: &Asked) -> Entered {
        let mistake = match asked.error.as_str() {
            "" => None,
            "login" => Some(Text::MistakeLogin),
            "code" => Some(Text::MistakeCode),
            "wait" => Some(Text::MistakeWait),
            "name" => Some(Text::MistakeName),
            "password" => Some(Text::MistakePassword),
            _ => Some(Text::MistakeBusy),
        };
        Entered { next: inner(&asked.next).to_owned(), mistake }
    }
}

/// `GET /login`.
///
/// # Errors
/// When the store cannot be read.
pub async fn login_page(
    State(app): State<Arc<App>>,
    caller: Caller,
    look: Look,
    asked: Query<Asked>,
) -> Result<Response, Problem> {
    if matches!(caller.means, Means::Session(_) | Means::Proxy) {
        return Ok(Redirect::to(&app.site.link(inner(&asked.next))).into_response());
    }
    if !app.has_users().await? {
        return Ok(Redirect::to(&app.site.link("/setup")).into_response());
    }
    Ok(login(&look, &Entered::of(&asked)).into_response())
}

/// `GET /setup`.
///
/// # Errors
/// When the store cannot be read.
pub async fn setup_page(State(app): State<Arc<App>>, look: Look, asked: Query<Asked>) -> Result<Response, Problem> {
    if app.has_users().await? {
        return Ok(Redirect::to(&app.site.link("/login")).into_response());
    }
    Ok(setup(&look, &Entered::of(&asked)).into_response())
}

/// The login.
pub fn login(look: &Look, entered: &Entered) -> Page {
    Page::alone(look, look.say(Text::LogIn), |out| {
        out.raw("<section class=\"panel narrow\"><h1>").text(look.say(Text::LogIn)).raw("</h1>");
        mistake(out, look, entered);
        out.open("form", &[("method", "post"), ("class", "form"), ("action", &look.to("login"))]);
        hidden(out, "next", &entered.next);
        let name = [
            ("autocomplete", "username"),
            ("autocapitalize", "none"),
            ("required", "required"),
            ("autofocus", "autofocus"),
            ("maxlength", "200"),
        ];
        field(out, look.say(Text::User), "name", "", &name);
        let password = [
            ("type", "password"),
            ("autocomplete", "current-password"),
            ("required", "required"),
            ("maxlength", "1000"),
        ];
        field(out, look.say(Text::Password), "password", "", &password);
        parts::button(out, "first", look.say(Text::LogIn));
        out.raw("</form></section>");
    })
}

/// The first account, behind the code.
pub fn setup(look: &Look, entered: &Entered) -> Page {
    Page::alone(look, look.say(Text::SetUp), |out| {
        out.raw("<section class=\"panel narrow\"><h1>").text(look.say(Text::SetUp)).raw("</h1>");
        mistake(out, look, entered);
        out.open("form", &[("method", "post"), ("class", "form"), ("action", &look.to("setup"))]);
        out.raw("<p class=\"hint\">").text(look.say(Text::SetUpWhat)).raw("</p>");
        let code = [
            ("autocomplete", "one-time-code"),
            ("required", "required"),
            ("autofocus", "autofocus"),
            ("maxlength", "100"),
            ("spellcheck", "false"),
        ];
        field(out, look.say(Text::SetUpCode), "code", "", &code);
        let name =
            [("autocomplete", "username"), ("autocapitalize", "none"), ("required", "required"), ("maxlength", "200")];
        field(out, look.say(Text::User), "name", "", &name);
        let password = [
            ("type", "password"),
            ("autocomplete", "new-password"),
            ("required", "required"),
            ("minlength", "10"),
            ("maxlength", "1000"),
        ];
        field(out, look.say(Text::NewPassword), "password", "", &password);
        out.raw("<p class=\"hint\">").text(look.say(Text::PasswordHint)).raw("</p>");
        parts::button(out, "first", look.say(Text::MakeAccount));
        out.raw("</form></section>");
    })
}

fn mistake(out: &mut Markup, look: &Look, entered: &Entered) {
    if let Some(mistake) = entered.mistake {
        out.raw("<p class=\"banner bad\" role=\"alert\">").text(look.say(mistake)).raw("</p>");
    }
}
