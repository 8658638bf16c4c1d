//! Every row of the table, asked through the router, over a store that is filled as a month of watching fills it.

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

#[tokio::test]
async fn nobody_gets_anything_without_a_login_or_with_the_wrong_scope() {
    let site = Site::of(3);
    for row in rows() {
        let request = || {
            let uri = format!("/api/v1{}", site.path(&row));
            Request::builder().method(row.method.clone()).uri(uri).body(Body::empty()).unwrap()
        };
        if row.need != Need::Nobody {
            let answer = site.send(Caller::default(), request()).await;
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (401, "login-needed"),
                "{} {}",
                row.method,
                row.path
            );
        }
        let Need::Scope(scope) = row.need else { continue };
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let answer = site.send(who(&others), request()).await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "forbidden"), "{} {}", row.method, row.path);
        assert!(answer.json()["detail"].as_str().unwrap().contains(scope.as_str()));
    }
}

#[test]
fn the_document_is_openapi_and_every_reference_leads_somewhere() {
    fn walk(value: &Value, seen: &mut BTreeSet<String>) {
        match value {
            Value::Object(all) => {
                if let Some(Value::String(to)) = all.get("$ref") {
                    seen.insert(to.clone());
                }
                all.values().for_each(|value| walk(value, seen));
            }
            Value::Array(all) => all.iter().for_each(|value| walk(value, seen)),
            _ => {}
        }
    }
    let document = document(&rows(), "/cameras/");
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["servers"][0]["url"], "/cameras/api/v1");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut references = BTreeSet::new();
    walk(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
        jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    let mut ids = BTreeSet::new();
    for row in rows() {
        let operation = operation(&document, &row);
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{} {}", row.method, row.path);
        assert!(!row.answers.is_empty() && !row.about.ends_with('.'), "{} {}", row.method, row.path);
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!((100..600).contains(&status.parse::<u16>().unwrap()));
            assert!(response["description"].is_string() || response["$ref"].is_string(), "{}", row.path);
        }
        let given: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(given.len(), row.path.matches('{').count(), "{}", row.path);
    }
}

#[test]
fn every_example_is_what_its_schema_says() {
    let document = document(&rows(), "/");
    let mut count = 0;
    for row in rows() {
        let operation = operation(&document, &row);
        let contents = operation["responses"].as_object().unwrap().values().chain([&operation["requestBody"]]);
        for content in contents.filter_map(|one| one["content"].as_object()).flat_map(|content| content.values()) {
            let Some(example) = content.get("example") else { continue };
            check(&document, &content["schema"], example, &format!("{} {}", row.method, row.path));
            count += 1;
        }
        if row.request.as_ref().is_some_and(|request| request.media == "application/json") {
            assert!(operation["requestBody"]["content"]["application/json"]["example"].is_object(), "{}", row.path);
        }
    }
    assert!(count >= 20, "{count}");
}

#[tokio::test]
async fn what_is_answered_is_what_the_document_says() {
    let site = Site::of(60);
    let document = document(&rows(), "/");
    for row in rows().into_iter().filter(|row| row.method == Method::GET) {
        let (path, what) = (site.path(&row), format!("{} {}", row.method, row.path));
        let answer = site.get(&path).await;
        let described = &operation(&document, &row)["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{what}: {} is not described", answer.status);
        if answer.status >= 400 {
            // Only what this site does not have: live view, pictures; and a WebSocket that was not asked for as one.
            let not_had = ["/live", "/stream.mjpeg", "/picture.jpg", "/ws"];
            let is_missing = not_had.iter().any(|end| row.path.ends_with(end));
            assert!(is_missing, "{what}: {}", String::from_utf8_lossy(&answer.body));
            answer.problem();
            continue;
        }
        let schema = &described["content"]["application/json"]["schema"];
        if answer.header("content-type") == "application/json" && schema.is_object() {
            check(&document, schema, &answer.json(), &what);
        }
    }
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_a_cursor_fits_its_list_alone() {
    let site = Site::of(60);
    let (mut path, mut ids) = ("/devices?limit=7&sort=-name&count=true&fields=id,name".to_owned(), Vec::new());
    loop {
        let answer = site.get(&path).await;
        let page = answer.json();
        assert_eq!((answer.status, &page["count"]), (200, &json!(60)));
        for item in page["items"].as_array().unwrap() {
            assert!(item.as_object().unwrap().keys().all(|name| name == "id" || name == "name"));
            ids.push(item["id"].as_str().unwrap().to_owned());
        }
        let link = answer.header("link");
        assert_eq!(link.is_empty(), page["next"].is_null());
        if link.is_empty() {
            break;
        }
        path = link.split(['<', '>']).nth(1).unwrap().trim_start_matches("/api/v1").to_owned();
    }
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (60, 60));
    let cursor = site.get("/devices?limit=7").await.json()["next"].as_str().unwrap().to_owned();
    for wrong in [
        format!("/devices?limit=7&sort=name&cursor={cursor}"),
        format!("/streams?cursor={cursor}"),
        "/devices?cursor=x".to_owned(),
        "/events?cursor=x".to_owned(),
        "/scans?cursor=x".to_owned(),
        "/devices?limit=501".to_owned(),
        "/devices?limit=0".to_owned(),
    ] {
        let answer = site.get(&wrong).await;
        // An unfiltered list of streams has the same empty filter; its cursor is then past no id of its own.
        if wrong.starts_with("/streams") && answer.status == 200 {
            continue;
        }
        assert_eq!((answer.status, answer.problem().as_str()), (400, "parameter"), "{wrong}");
    }
    let answer = site.get("/devices?stat=online").await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["errors"][0]["message"].as_str().unwrap().contains("`state`"));
}

#[tokio::test]
async fn events_and_scans_are_read_to_their_end() {
    let site = Site::of(30);
    for list in ["/events", "/scans"] {
        let (mut path, mut ids) = (format!("{list}?limit=3"), Vec::new());
        for _ in 0..500 {
            let page = site.get(&path).await.json();
            ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("{list}?limit=3&cursor={next}");
        }
        let whole = site.get(&format!("{list}?limit=500")).await.json();
        let all: Vec<String> = whole["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()).collect();
        assert!(all.len() > 3);
        assert_eq!(ids, all, "{list}");
    }
}

#[tokio::test]
async fn a_note_is_changed_by_whoever_has_read_it() {
    let site = Site::of(3);
    let path = format!("/devices/{}", site.uids[0]);
    let read = site.get(&path).await;
    let tag = read.header("etag").to_owned();
    assert_eq!(site.ask("GET", &path, &[("if-none-match", &tag)], None).await.status, 304);
    let name = json!({ "name": "New name", "site": null });
    let none = site.ask("PATCH", &path, &[], Some(name.clone())).await;
    assert_eq!((none.status, none.problem().as_str()), (428, "precondition"));
    let done = site.ask("PATCH", &path, &[("if-match", &tag)], Some(name.clone())).await;
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
    let body = done.json();
    assert_eq!((&body["note"]["name"], &body["note"]["site"]), (&json!("New name"), &Value::Null));
    assert_eq!(body["note"]["tags"], read.json()["note"]["tags"]);
    assert_ne!(done.header("etag"), tag);
    assert_eq!(site.ask("GET", &path, &[("if-none-match", &tag)], None).await.status, 200);
    let stale = site.ask("PATCH", &path, &[("if-match", &tag)], Some(name.clone())).await;
    assert_eq!((stale.status, stale.problem().as_str()), (412, "stale"));
    let any = site.ask("PATCH", &path, &[("if-match", "*")], Some(json!({ "tags": null }))).await;
    assert_eq!((any.status, &any.json()["note"]["tags"]), (200, &json!([])));
    // What does not fit is told with its place.
    for (body, pointer, said) in [
        (json!({ "nam": "x" }), "/nam", "`name`"),
        (json!({ "tags": "x" }), "/tags", ""),
        (json!({ "tags": ["a", 7] }), "/tags/1", ""),
        (json!({ "name": "192.0.2.1" }), "/name", "address"),
        (json!({ "tags": ["a,b"] }), "/tags", "comma"),
    ] {
        let answer = site.ask("PATCH", &path, &[("if-match", "*")], Some(body.clone())).await;
        assert_eq!(answer.status, 422, "{body}");
        let problem = answer.json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(problem["errors"][0]["message"].as_str().unwrap().contains(said), "{problem}");
    }
    let request = Request::builder().method("PATCH").uri(format!("/api/v1{path}")).header("if-match", "*");
    let broken = request.header("content-type", "application/json").body(Body::from("{\"name\":")).unwrap();
    let broken = site.send(who(&Scope::ALL), broken).await;
    assert_eq!((broken.status, broken.problem().as_str()), (400, "bad-request"));
}

#[tokio::test]
async fn several_are_changed_together_or_none() {
    let site = Site::of(12);
    let (path, change) = ("/devices?kind=camera", json!({ "site": "Roof", "add_tags": ["high"] }));
    assert_eq!(site.ask("PATCH", path, &[], Some(change.clone())).await.status, 428);
    assert_eq!(site.ask("PATCH", path, &[("if-count", "3")], Some(change.clone())).await.status, 412);
    assert_eq!(site.get("/devices?site=Roof&count=true").await.json()["count"], 0);
    let done = site.ask("PATCH", path, &[("if-count", "12")], Some(change)).await;
    assert_eq!(done.json(), json!({ "changed": 12 }));
    assert_eq!(site.get("/devices?site=Roof&tag=high&count=true").await.json()["count"], 12);
    let many: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let refused = site.ask("PATCH", path, &[("if-count", "12")], Some(json!({ "add_tags": many }))).await;
    assert_eq!(refused.status, 422);
    assert_eq!(site.get("/devices?tag=0&archived=also&count=true").await.json()["count"], 0);
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_done_once() {
    let site = Site::of(3);
    let path = "/mutes";
    let body = |hours: u32| Some(json!({ "scope": { "site": "Roof" }, "hours": hours }));
    let key = [("idempotency-key", "k-1")];
    let first = site.ask("POST", path, &key, body(2)).await;
    assert_eq!(first.status, 200);
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(site.ask("DELETE", &format!("/mutes/{id}"), &[], None).await.status, 204);
    let again = site.ask("POST", path, &key, body(2)).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"));
    assert_eq!(again.json(), first.json());
    assert!(!site.get(path).await.json()["items"].to_string().contains("Roof"));
    let other = site.ask("POST", path, &key, body(3)).await;
    assert_eq!((other.status, other.problem().as_str()), (422, "key-used"));
    let bad = site.ask("POST", path, &[("idempotency-key", "")], body(3)).await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn what_is_done_with_a_device_holds() {
    let site = Site::of(4);
    let path = |n: usize, does: &str| format!("/devices/{}/{does}", site.uids[n]);
    let mute = site.ask("POST", &path(0, "mute"), &[], Some(json!({ "hours": 2, "why": "paint" }))).await;
    assert_eq!((mute.status, &mute.json()["on"]), (200, &json!(true)), "{}", String::from_utf8_lossy(&mute.body));
    assert_eq!(site.ask("POST", &path(0, "mute"), &[], Some(json!({ "hours": 0 }))).await.status, 422);
    let into = json!({ "into": site.uids[1] });
    let merged = site.ask("POST", &path(2, "merge"), &[], Some(into.clone())).await.json();
    assert_eq!((&merged["id"], &merged["merged"]), (&json!(site.uids[1]), &json!([site.uids[2]])));
    let split = site.ask("POST", &path(1, "split"), &[], Some(json!({ "other": site.uids[2] }))).await;
    assert_eq!((split.status, &split.json()["id"]), (200, &json!(site.uids[2])));
    assert_eq!(site.ask("POST", &path(1, "merge"), &[], Some(into)).await.status, 422);
    let gone = site.ask("POST", &path(3, "archive"), &[], Some(json!({ "archived": true }))).await;
    assert!(gone.json()["archived_at"].is_string());
    assert_eq!(site.get("/devices?count=true").await.json()["count"], 3);
    assert_eq!(site.ask("POST", "/devices/nobody/ack", &[], None).await.status, 404);
    let test = site.ask("POST", "/channels/hook/test", &[], None).await;
    assert_eq!(test.status, 202);
    let number = test.json()["id"].to_string();
    assert_eq!(site.ask("POST", &format!("/notifications/{number}/retry"), &[], None).await.status, 409);
    assert_eq!(site.ask("POST", "/channels/none/test", &[], None).await.status, 404);
    let shown = site.get("/channels").await;
    assert_eq!(shown.json()["items"][0]["waiting"], 1);
    assert!(!String::from_utf8_lossy(&shown.body).contains("secret-part"));
    let copy = site.ask("POST", "/admin/backup", &[], None).await;
    assert_eq!(copy.status, 201);
    let file = site.app.store.file().with_file_name(copy.json()["file"].as_str().unwrap());
    assert_eq!(Store::open(&file, Open::ReadOnly).unwrap().memory().unwrap().devices.len(), 4);
    assert_eq!(site.ask("POST", "/admin/prune", &[], None).await.status, 200);
}

#[tokio::test]
async fn every_format_is_given_of_what_is_wanted() {
    let site = Site::of(12);
    for name in crate::serve::act::formats() {
        let answer = site.get(&format!("/exports/{name}?q=192.168.10.10")).await;
        assert_eq!(answer.status, 200, "{name}");
        assert!(!answer.body.is_empty(), "{name}");
        let same = site.get(&format!("/devices?format={name}&q=192.168.10.10")).await;
        assert_eq!((same.status, same.body), (200, answer.body), "{name}");
    }
    let csv = site.ask("GET", "/devices?q=192.168.10.10", &[("accept", "text/csv")], None).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let text = String::from_utf8(csv.body).unwrap();
    assert!(text.contains("192.168.10.10") && !text.contains("192.168.10.14"));
    assert_eq!(site.get("/exports/table").await.problem(), "not-found");
    assert_eq!(site.get("/devices?format=cvs").await.problem(), "parameter");
}

#[tokio::test]
async fn hostile_names_stay_data() {
    let site = Site::with(|store| {
        let mut device = place::device(0);
        for text in [&mut device.vendor, &mut device.model, &mut device.name, &mut device.hostname] {
            *text = Some(HOSTILE.to_owned());
        }
        for stream in &mut device.streams {
            stream.profile_name = Some(HOSTILE.to_owned());
            stream.url = format!("rtsp://admin:hunter2@{}:554/{HOSTILE}", device.ip);
        }
        let learnt = store.learn(&place::report(vec![device], now()), Cause::User, Vantage::Clear, &()).unwrap();
        let write = |memory: &mut Memory| {
            for known in memory.devices.values_mut() {
                known.note.site = Some(HOSTILE.to_owned());
                memory.touched.insert(known.uid.clone());
            }
            ((), Vec::new())
        };
        store.update(write, &()).unwrap();
        let mut uids = learnt.value.devices;
        uids.push(uids[0].clone());
        uids
    });
    for row in rows().into_iter().filter(|row| row.method == Method::GET && !row.path.contains("/docs")) {
        let answer = site.get(&site.path(&row)).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("hunter2"), "{}", row.path);
        if answer.header("content-type") == "application/json" {
            answer.json();
        }
    }
    let device = site.get(&format!("/devices/{}", site.uids[0])).await.json();
    assert_eq!(device["vendor"], HOSTILE);
    assert_eq!(device["site"], HOSTILE);
    let found = site.get("/devices?fields=site").await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let site = Site::of(2);
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("PUT", "/devices", 405),
        ("GET", "/devices/nobody", 404),
        ("GET", "/streams/s_0", 404),
        ("GET", "/scans/x", 404),
        ("GET", "/scans/999", 404),
        ("GET", "/subnets/nonsense", 404),
        ("GET", "/diff?from=999", 404),
        ("GET", "/diff?from=nonsense", 400),
        ("GET", "/status?x=1", 400),
        ("DELETE", "/users/x", 400),
        ("POST", "/events/x/ack", 404),
        ("POST", "/mutes", 415),
        ("GET", "/events?type=device.new&severity=problem", 400),
    ] {
        let answer = site.ask(method, path, &[], None).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        answer.problem();
    }
    let gone = site.ask("PUT", "/devices", &[], None).await;
    assert!(gone.header("allow").contains("PATCH"), "{:?}", gone.headers);
    let page = site.get("/docs").await;
    assert_eq!(page.status, StatusCode::OK);
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("/devices/{id}/merge") && !text.contains("http://") && !text.contains("<script"));
}

#[tokio::test]
async fn what_is_said_of_devices_is_in_the_audit_log_with_who_said_it() {
    let site = Site::of(3);
    let (uid, other) = (&site.uids[1], &site.uids[2]);
    let device = |rest: &str| format!("/devices/{uid}{rest}");
    let fresh = [("if-match", "*")];
    let note = json!({ "name": "Porch", "tags": ["wet"] });
    assert_eq!(site.ask("PATCH", &device(""), &fresh, Some(note.clone())).await.status, 200);
    // What is refused, or changes nothing, is no change.
    assert_eq!(
        site.ask("PATCH", &device(""), &[("if-match", "\"r0\"")], Some(json!({ "name": "No" }))).await.status,
        412
    );
    assert_eq!(site.ask("PATCH", &device(""), &fresh, Some(note)).await.status, 200);
    let muted = site.ask("POST", &device("/mute"), &[], Some(json!({ "hours": 2, "why": "cable" }))).await;
    let mute = muted.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(site.ask("DELETE", &format!("/mutes/{mute}"), &[], None).await.status, 204);
    for (path, body) in [
        (device("/merge"), json!({ "into": other })),
        (format!("/devices/{other}/split"), json!({ "other": uid })),
        (device("/archive"), json!({ "archived": true })),
    ] {
        assert_eq!(site.ask("POST", &path, &[], Some(body)).await.status, 200, "{path}");
    }
    let items = site.get("/audit").await.json()["items"].as_array().unwrap().clone();
    let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
    let lines: Vec<String> =
        items.iter().rev().map(|item| format!("{} {}", text(item, "action"), text(item, "subject"))).collect();
    let wanted = ["device.note", "mute.add", "mute.end", "device.merge", "device.split", "device.archive"];
    assert_eq!(lines, wanted.map(|action| format!("{action} {uid}")));
    assert!(items.iter().all(|item| item["actor"] == "anna"), "{items:?}");
    let details: Vec<String> = items.iter().rev().map(|item| text(item, "detail")).collect();
    assert!(
        details[0].contains("name: ") && details[0].contains("-> Porch") && details[0].contains("-> wet"),
        "{details:?}"
    );
    let told: Vec<&Value> = items.iter().rev().map(|item| &item["told"]).collect();
    assert_eq!((&told[3]["is"], &told[3]["device"]), (&json!("merged_into"), &json!(other)), "{told:?}");
    assert_eq!((&told[1]["is"], &told[1]["why"]), (&json!("muted"), &json!("cable")), "{told:?}");
    assert_eq!(told[0]["parts"][1], json!({"part": "tags", "before": told[0]["parts"][1]["before"], "after": ["wet"]}));
    assert!(details[1].ends_with("; cable") && details[3] == format!("into {other}"), "{details:?}");
}

#[tokio::test]
async fn messages_come_page_by_page() {
    let site = Site::of(1);
    for _ in 0..5 {
        assert_eq!(site.ask("POST", "/channels/hook/test", &[], None).await.status, 202);
    }
    let (mut seen, mut path) = (Vec::new(), "/notifications?limit=2&channel=hook".to_owned());
    loop {
        let page = site.get(&path).await;
        let body = page.json();
        let items = body["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|item| item["id"].as_i64().unwrap()));
        let Some(next) = body["next"].as_str() else { break };
        assert!(page.header("link").contains("rel=\"next\""));
        path = format!("/notifications?limit=2&channel=hook&cursor={next}");
    }
    assert_eq!((seen.len(), seen.is_sorted_by(|a, b| a > b)), (5, true), "{seen:?}");
    // A cursor is of one list.
    let other = path.replace("channel=hook", "state=waiting");
    assert_eq!(site.get(&other).await.problem(), "parameter");
    let lines = site.get("/audit").await.json()["items"].as_array().unwrap().len();
    assert_eq!(lines, 5);
}

#[tokio::test]
async fn a_list_is_no_object_and_a_number_out_of_bounds_is_refused() {
    let site = Site::of(3);
    let device = format!("/devices/{}", site.uids[1]);
    for (method, path) in [("PATCH", device.as_str()), ("PATCH", "/users/1"), ("POST", "/scans"), ("POST", "/tokens")] {
        let answer = site.ask(method, path, &[("if-match", "*")], Some(json!([]))).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "invalid"), "{path}");
    }
    for path in ["/audit?limit=501", "/audit?limit=0", "/audit?before=0", "/audit?before=x", "/audit?limit=1&limit=2"] {
        assert_eq!(site.get(path).await.problem(), "parameter", "{path}");
    }
}
