//! Errors of the API: RFC 9457, `application/problem+json`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::store::StoreError;

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// The kind of problem: `problems/` and a word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What exactly, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What is wrong with which part of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The request, as the log names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Seconds after which the same request may be done.
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
}

tokio::task_local! {
    /// The request that is being answered, as the log names it.
    pub static REQUEST_ID: String;
}

/// What is wrong with one part of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct FieldError {
    /// Which part: a JSON Pointer into the body, or the name of a query parameter.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    /// A problem of this kind (a slug such as `not-found`).
    pub fn new(status: StatusCode, slug: &str, title: &str) -> Self {
        Problem {
            kind: format!("problems/{slug}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: None,
            errors: Vec::new(),
            request_id: None,
            retry_after_s: None,
        }
    }

    /// What exactly.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// A part of the request that is wrong.
    #[must_use]
    pub fn field(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), message: message.into() });
        self
    }

    /// A parameter of the query is wrong.
    pub fn parameter(name: &str, message: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "parameter", "The query is wrong").field(name, message)
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        Problem::new(StatusCode::NOT_FOUND, "not-found", "Not found").detail(what.to_owned())
    }

    /// Nobody is logged in.
    pub fn unauthorized() -> Self {
        Problem::new(StatusCode::UNAUTHORIZED, "login-needed", "A login is needed")
    }

    /// A token that is none, or none any more.
    pub fn bad_token() -> Self {
        Problem::unauthorized().detail("the token is unknown, expired, disabled, or not for this address")
    }

    /// Too much at once.
    pub fn too_many(what: impl Into<String>, retry_after_s: u64) -> Self {
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many requests").detail(what);
        problem.retry_after_s = Some(retry_after_s);
        problem
    }

    /// It cannot be done at the moment.
    pub fn busy(what: &str) -> Self {
        let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy").detail(what);
        problem.retry_after_s = Some(5);
        problem
    }

    /// The request is not one that can be understood.
    pub fn bad_request(what: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request").detail(what)
    }

    /// The request is understood and cannot be done as things are.
    pub fn conflict(what: impl Into<String>) -> Self {
        Problem::new(StatusCode::CONFLICT, "conflict", "Conflict").detail(what)
    }

    /// What is asked for makes no sense.
    pub fn invalid(pointer: &str, what: impl Into<String>) -> Self {
        let what = what.into();
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Not valid").detail(what.clone()).field(pointer, what)
    }

    /// The caller may not.
    pub fn forbidden(scope: &str) -> Self {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
            .detail(format!("this needs the scope `{scope}`"))
    }

    /// Something of ours broke; the log says what.
    pub fn internal() -> Self {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
            .detail("the log of camscan says more")
    }

    /// The store could not be read or written.
    pub fn of_store(error: &StoreError) -> Self {
        tracing::error!("the store failed a request: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store", "The store cannot be used at the moment")
            .detail("the log of camscan says more")
    }
}

impl From<super::auth::random::NoRandom> for Problem {
    fn from(error: super::auth::random::NoRandom) -> Self {
        tracing::error!("{error}");
        Problem::internal()
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        self.request_id = self.request_id.or_else(|| REQUEST_ID.try_with(Clone::clone).ok());
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"camscan\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        // A page says it in a page's way.
        response.extensions_mut().insert(self);
        response
    }
}
