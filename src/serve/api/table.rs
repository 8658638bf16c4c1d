//! The table of the API: one row for each endpoint. It makes the routes, what is checked before a handler is asked, and the
//! document that describes them, so that none of the three can differ from the others.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::ask::query_of;
use super::replay;
use crate::model::access::Scope;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::problem::Problem;

/// What makes the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// This scope.
    Scope(Scope),
    /// Any login.
    Login,
    /// Nothing.
    Nobody,
}

impl From<Scope> for Need {
    fn from(scope: Scope) -> Self {
        Need::Scope(scope)
    }
}

impl Need {
    /// Refuses whoever may not.
    fn check(self, caller: &Caller) -> Result<(), Problem> {
        match self {
            Need::Scope(scope) => caller.need(scope),
            Need::Login if caller.scopes.is_empty() => Err(Problem::unauthorized()),
            Need::Login | Need::Nobody => Ok(()),
        }
    }
}

/// What a parameter of a query is.
#[derive(Clone, Copy)]
pub enum Shape {
    /// Any text.
    Text,
    /// A whole number in this range.
    Number(i64, i64),
    /// `true` or `false`.
    Flag,
    /// A time, RFC 3339.
    Time,
    /// One of these names.
    Names(fn() -> Vec<&'static str>),
}

/// A parameter of a query.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What it is.
    pub shape: Shape,
    /// Whether it may be given several times.
    pub is_list: bool,
}

/// A parameter that is given once.
pub const fn one(name: &'static str, shape: Shape, about: &'static str) -> Parameter {
    Parameter { name, about, shape, is_list: false }
}

/// A parameter that may be given several times: any of its values holds.
pub const fn any(name: &'static str, shape: Shape, about: &'static str) -> Parameter {
    Parameter { name, about, shape, is_list: true }
}

/// What is in a request's body, or in an answer's.
#[derive(Clone, Copy)]
pub struct Content {
    /// Its media type.
    pub media: &'static str,
    /// Its schema; none where it is no JSON.
    pub schema: Option<SchemaOf>,
    /// What it may look like.
    pub example: Option<fn() -> Value>,
}

/// An answer that is no problem.
#[derive(Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// What it says.
    pub about: &'static str,
    /// What is in it: one of these.
    pub content: Vec<Content>,
}

/// One endpoint.
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path below `/api/v1`.
    pub path: &'static str,
    /// What a caller needs.
    pub need: Need,
    /// What it does, in a sentence without its full stop.
    pub about: &'static str,
    /// The parameters of its query.
    pub query: Vec<Parameter>,
    /// Headers of a request beside those that all have.
    pub headers: Vec<Parameter>,
    /// What is sent.
    pub request: Option<Content>,
    /// What is answered.
    pub answers: Vec<Answer>,
    /// Statuses of further problems.
    pub problems: Vec<u16>,
    /// The handler reads the query, and says what is wrong with it.
    is_query_free: bool,
    /// A request without a body means something as well.
    pub is_body_optional: bool,
    /// The answer holds a secret that is shown this once, so it is not kept for a request that is sent again.
    is_secret: bool,
    route: MethodRouter<Arc<App>>,
}

fn row<H, T>(
    method: (Method, MethodFilter),
    path: &'static str,
    need: impl Into<Need>,
    handler: H,
    about: &'static str,
) -> Endpoint
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    Endpoint {
        method: method.0,
        path,
        need: need.into(),
        about,
        query: Vec::new(),
        headers: Vec::new(),
        request: None,
        answers: Vec::new(),
        problems: Vec::new(),
        is_query_free: false,
        is_body_optional: false,
        is_secret: false,
        route: on(method.1, handler),
    }
}

macro_rules! methods {
    ($($(#[$about:meta])* $name:ident = $method:ident,)+) => {
        $($(#[$about])*
        pub fn $name<H, T>(path: &'static str, need: impl Into<Need>, handler: H, about: &'static str) -> Endpoint
        where
            H: Handler<T, Arc<App>>,
            T: 'static,
        {
            row((Method::$method, MethodFilter::$method), path, need, handler, about)
        })+
    };
}

methods! {
    /// A row that reads.
    get = GET,
    /// A row that does something.
    post = POST,
    /// A row that changes something.
    patch = PATCH,
    /// A row that removes something.
    delete = DELETE,
    /// A row that says what can be asked.
    options = OPTIONS,
}

fn text(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string" })
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const JSON: &str = "application/json";

impl Endpoint {
    /// Its query has these parameters, and no others.
    #[must_use]
    pub fn query(mut self, parameters: &[Parameter]) -> Self {
        self.query.extend_from_slice(parameters);
        self
    }

    /// A request has this header.
    #[must_use]
    pub fn header(mut self, name: &'static str, about: &'static str) -> Self {
        self.headers.push(one(name, Shape::Text, about));
        self
    }

    /// The query is read and judged by the handler alone.
    #[must_use]
    pub fn free_query(mut self) -> Self {
        self.is_query_free = true;
        self
    }

    /// What is sent: JSON of this type, such as the example.
    #[must_use]
    pub fn takes<T: JsonSchema>(self, example: fn() -> Value) -> Self {
        self.takes_as::<T>(JSON, example)
    }

    /// The same as another kind of JSON.
    #[must_use]
    pub fn takes_as<T: JsonSchema>(mut self, media: &'static str, example: fn() -> Value) -> Self {
        self.request = Some(Content { media, schema: Some(schema_of::<T>), example: Some(example) });
        self
    }

    /// What is sent: something of this media type.
    #[must_use]
    pub fn takes_media(mut self, media: &'static str) -> Self {
        self.request = Some(Content { media, schema: Some(text), example: None });
        self
    }

    /// The body may be left out.
    #[must_use]
    pub fn or_nothing(mut self) -> Self {
        self.is_body_optional = true;
        self
    }

    /// What is answered: JSON of this type.
    #[must_use]
    pub fn answers<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.content(status, about, Content { media: JSON, schema: Some(schema_of::<T>), example: None })
    }

    /// What is answered: something of this media type.
    #[must_use]
    pub fn answers_media(self, status: u16, about: &'static str, media: &'static str) -> Self {
        self.content(status, about, Content { media, schema: None, example: None })
    }

    /// What is answered: nothing but a status.
    #[must_use]
    pub fn done(mut self, status: u16, about: &'static str) -> Self {
        self.answers.push(Answer { status, about, content: Vec::new() });
        self
    }

    /// What the answer before may look like.
    #[must_use]
    pub fn such_as(mut self, example: fn() -> Value) -> Self {
        let last = self.answers.last_mut().and_then(|answer| answer.content.last_mut());
        if let Some(content) = last {
            content.example = Some(example);
        }
        self
    }

    fn content(mut self, status: u16, about: &'static str, content: Content) -> Self {
        match self.answers.iter_mut().find(|answer| answer.status == status) {
            Some(answer) => answer.content.push(content),
            None => self.answers.push(Answer { status, about, content: vec![content] }),
        }
        self
    }

    /// Further problems it may answer with, by their status.
    #[must_use]
    pub fn problems(mut self, statuses: &[u16]) -> Self {
        self.problems.extend_from_slice(statuses);
        self
    }

    /// Its answer holds a secret.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// Whether a request that is sent again with the same `Idempotency-Key` is done once.
    pub fn is_replayed(&self) -> bool {
        self.method == Method::POST && !self.is_secret && matches!(self.need, Need::Scope(_))
    }

    /// Every status of a problem that it may answer with, in order.
    pub fn all_problems(&self) -> Vec<u16> {
        let mut all = vec![400, 421, 429, 500, 503];
        all.extend_from_slice(&self.problems);
        if self.need != Need::Nobody {
            all.push(401);
        }
        // Also what another site's page has sent.
        if matches!(self.need, Need::Scope(_)) || self.method != Method::GET {
            all.push(403);
        }
        if self.path.contains('{') {
            all.push(404);
        }
        if self.method != Method::GET {
            all.extend([408, 413]);
        }
        if self.request.is_some() {
            all.extend([415, 422]);
        }
        if self.is_replayed() {
            all.extend([409, 422]);
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// What is checked before a handler is asked.
struct Rule {
    need: Need,
    takes_json: bool,
    query: Option<Vec<&'static str>>,
    replays: Option<Arc<App>>,
}

/// The routes of a table, below `/api/v1`.
pub fn router(rows: Vec<Endpoint>, app: &Arc<App>) -> Router<Arc<App>> {
    let mut router = Router::new();
    for row in rows {
        let rule = Arc::new(Rule {
            need: row.need,
            takes_json: row.request.as_ref().is_some_and(|content| content.media == JSON),
            query: (!row.is_query_free).then(|| row.query.iter().map(|parameter| parameter.name).collect()),
            replays: row.is_replayed().then(|| app.clone()),
        });
        let checked = move |request: Request, next: Next| pass(rule.clone(), request, next);
        router = router.route(row.path, row.route.route_layer(from_fn(checked)));
    }
    router.layer(from_fn(super::ask::in_words))
}

async fn pass(rule: Arc<Rule>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
    let judged = rule.need.check(&caller).and_then(|()| match &rule.query {
        None => Ok(()),
        Some(known) => query_of(request.uri())?.only(known),
    });
    let (judged, request) = match judged {
        Ok(()) if rule.takes_json => match object(request).await {
            Ok(request) => (Ok(()), request),
            Err(problem) => return problem.into_response(),
        },
        judged => (judged, request),
    };
    match (judged, &rule.replays) {
        (Err(problem), _) => problem.into_response(),
        (Ok(()), None) => next.run(request).await,
        (Ok(()), Some(app)) => replay::once(app, &caller, request, next).await,
    }
}

/// A request whose body is no list: every body is an object, and the reader would take a list for its members in their order.
async fn object(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    // The gate has read it already, within its bounds.
    let body = to_bytes(body, usize::MAX).await.map_err(|_| Problem::bad_request("the body is cut off"))?;
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::invalid("", "this is a list, and an object is needed"));
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}
