//! Every row of the table, asked through the router, over a store that is filled as a month of watching fills it.

mod changing;
mod contract;
mod many;
mod reading;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::openapi::document;
use super::rows;
use super::table::{Endpoint, Need};
use crate::history::memory::{Memory, StreamId, Vantage};
use crate::identify::signature::Signatures;
use crate::model::Secret;
use crate::model::access::Scope;
use crate::model::memory::Uid;
use crate::model::notify::{Channel, ChannelWay, Notifications, Webhook};
use crate::scan::session::Session;
use crate::serve::App;
use crate::serve::app::Options;
use crate::serve::auth::{Caller, Means};
use crate::store::{Cause, Open, Store};
use crate::testkit::net::FakeNet;
use crate::testkit::place;

/// What a device may call itself.
const HOSTILE: &str = "<script>alert(1)</script>\"'\u{202e}gpj.exe\u{0}\u{1b}[31m, \"}],\"x\":[{";

struct Site {
    app: Arc<App>,
    router: Router,
    uids: Vec<Uid>,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The kind of a problem, which every refusal is.
    fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.status);
        let body = self.json();
        assert_eq!(body["status"], self.status, "{body}");
        body["type"].as_str().unwrap().trim_start_matches("problems/").to_owned()
    }
}

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn who(scopes: &[Scope]) -> Caller {
    let means = if scopes.is_empty() { Means::None } else { Means::Session(1) };
    Caller { account: Some(1), name: "anna".to_owned(), scopes: scopes.to_vec(), means, address: None }
}

impl Site {
    fn of(count: usize) -> Site {
        Site::with(|store| place::remember(store, count, now()).unwrap())
    }

    fn with(fill: impl FnOnce(&Store) -> Vec<Uid>) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        let uids = fill(&store);
        let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), now, 16);
        let url = Secret::new("https://hooks.example/T0/secret-part");
        let way = ChannelWay::Webhook(Webhook { url, secrets: Vec::new(), headers: Vec::new() });
        let channels = vec![Channel { name: "hook".to_owned(), way }];
        let options = Options {
            notifications: Notifications { channels, ..Notifications::default() },
            config: json!({ "timeout": { "value": "5s", "origin": "default" } }),
            ..Options::default()
        };
        let app = App::with(store, session, None, options);
        Site { router: crate::serve::router(&app), app, uids, _folder: folder }
    }

    async fn send(&self, caller: Caller, request: Request<Body>) -> Answer {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(caller);
        let service = TowerToHyperService::new(self.router.clone());
        let response = service.call(Request::from_parts(parts, body)).await.unwrap();
        let (parts, body) = response.into_parts();
        // An endless answer is not read.
        let is_endless =
            parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"multi"));
        let body = if is_endless { Vec::new() } else { to_bytes(body, 1 << 24).await.unwrap().to_vec() };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(who(&Scope::ALL), request.body(body).unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], None).await
    }

    /// The path of a row with what there is in this store.
    fn path(&self, row: &Endpoint) -> String {
        let uid = &self.uids[1];
        let memory = self.app.store.memory().unwrap();
        let key = memory.devices[uid].streams.keys().next().unwrap();
        let stream = StreamId::of(uid, key).to_string();
        let id = match row.path.split('/').nth(1).unwrap() {
            "devices" => uid.to_string(),
            "streams" => stream,
            _ => "1".to_owned(),
        };
        let mut path = row.path.replace("{id}", &id).replace("{net}", "192.168.10.0%2F24");
        for (name, value) in [("{format}", "csv"), ("{name}", "hook"), ("{secret}", "none")] {
            path = path.replace(name, value);
        }
        path
    }
}

/// The schema of a part of the document, with what it refers to.
fn schema(document: &Value, of: &Value) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": document["components"],
        "allOf": [of],
    })
}

fn check(document: &Value, of: &Value, value: &Value, what: &str) {
    let validator = jsonschema::draft202012::new(&schema(document, of)).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path)).collect();
    assert!(faults.is_empty(), "{what}: {faults:#?}");
}

fn operation<'d>(document: &'d Value, row: &Endpoint) -> &'d Value {
    &document["paths"][row.path][row.method.as_str().to_lowercase()]
}
