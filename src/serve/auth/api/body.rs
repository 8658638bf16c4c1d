//! What the handlers about accounts share: the bodies of requests, and refusals.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;

use crate::serve::auth::Caller;
use crate::serve::problem::Problem;
use crate::store::accounts::Refused;
use crate::text::{clean_to, nearest};

/// The body of a request.
pub(in crate::serve) fn given<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Problem> {
    body.map(|Json(value)| value).map_err(|rejection| match rejection {
        JsonRejection::JsonDataError(error) => misfit(&error.body_text()),
        JsonRejection::JsonSyntaxError(_) => Problem::bad_request("the body is not valid JSON").field("", "not JSON"),
        JsonRejection::MissingJsonContentType(_) => {
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Not JSON")
                .detail("send the body as application/json")
        }
        _ => Problem::bad_request("the body cannot be read"),
    })
}

/// What is wrong with a document, and where. The text of the reader names the place as `scopes[0]: `, and shows what was
/// sent in double quotes, which may be a password and is left out.
fn misfit(text: &str) -> Problem {
    let said = text.split_once("target type: ").map_or(text, |(_, said)| said);
    let (place, said) = said.split_once(": ").filter(|(place, _)| is_place(place)).unwrap_or(("", said));
    let mut pointer: String = place
        .split(['.', '[', ']'])
        .filter(|part| !part.is_empty())
        .fold(String::new(), |pointer, part| format!("{pointer}/{}", part.replace('~', "~0").replace('/', "~1")));
    let mut shown: String = said.split('"').step_by(2).collect::<Vec<_>>().join("...");
    if let Some((_, rest)) = said.split_once("unknown field `") {
        let mut names = rest.split('`').step_by(2);
        let unknown = names.next().unwrap_or_default();
        // The last part is where in the text it is.
        let known: Vec<&str> = rest.split('`').skip(1).collect();
        let known = known.iter().skip(1).step_by(2).copied();
        let hint = nearest(unknown, known).map(|near| format!("; did you mean `{near}`?"));
        let unknown = clean_to(unknown, 50);
        let leaf = format!("/{}", unknown.replace('~', "~0").replace('/', "~1"));
        if !pointer.ends_with(&leaf) {
            pointer.push_str(&leaf);
        }
        shown = format!("there is no field `{unknown}`{}", hint.unwrap_or_default());
    }
    Problem::invalid(&pointer, clean_to(&shown, 200))
}

fn is_place(text: &str) -> bool {
    text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]?".contains(c))
}

pub(in crate::serve::auth) fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Unknown => Problem::not_found("there is no such entry"),
        other => Problem::conflict(other.to_string()),
    }
}

/// The account of a caller who has one.
pub(super) fn account(caller: &Caller) -> Result<i64, Problem> {
    caller.account.ok_or_else(|| match caller.scopes.is_empty() {
        true => Problem::unauthorized(),
        false => Problem::new(StatusCode::FORBIDDEN, "no-account", "No account")
            .detail("this is for those who have logged in with an account"),
    })
}
