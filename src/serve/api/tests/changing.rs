//! Changes: who made them, once, together or not at all.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::table;
use super::*;
use crate::store::SealedScope;
use crate::store::accounts::Actor;

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

/// An answer that is too long to be kept is given, and its request is not done again.
#[tokio::test]
async fn a_long_answer_is_given_and_its_request_done_once() {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    async fn long() -> String {
        DONE.fetch_add(1, Ordering::SeqCst);
        "x".repeat(300 << 10)
    }
    let site = Site::of(1);
    let rows = vec![table::post("/long", Scope::Edit, long, "Answers at length").done(200, "At length")];
    let routes = table::router(rows, &site.app).with_state(site.app.clone());
    let site = Site { router: Router::new().nest("/api/v1", routes), ..site };
    let key = [("idempotency-key", "k-1")];
    let first = site.ask("POST", "/long", &key, None).await;
    assert_eq!((first.status, first.body.len()), (200, 300 << 10));
    let again = site.ask("POST", "/long", &key, None).await;
    assert_eq!((again.status, again.problem().as_str()), (409, "answer-not-kept"));
    assert_eq!(DONE.load(Ordering::SeqCst), 1);
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
async fn a_device_is_forgotten_with_its_login_and_by_an_admin_alone() {
    let site = Site::of(3);
    let (uid, path) = (&site.uids[1], format!("/devices/{}", site.uids[1]));
    let scope = SealedScope { device: Some(uid.clone()), ..SealedScope::default() };
    site.app.store.add_sealed_login("viewer", b"sealed", &scope, &Actor::command_line(), now()).unwrap().unwrap();
    assert_eq!(site.get("/logins").await.json()["items"][0]["device"], json!(uid));
    let request = Request::builder().method("DELETE").uri(format!("/api/v1{path}")).body(Body::empty()).unwrap();
    let operator = site.send(who(&[Scope::Read, Scope::Edit]), request).await;
    assert_eq!((operator.status, operator.problem().as_str()), (403, "forbidden"));
    assert_eq!(site.get(&path).await.status, 200);
    assert_eq!(site.ask("DELETE", &path, &[], None).await.status, 204);
    for (method, path) in [("GET", path.as_str()), ("DELETE", path.as_str()), ("DELETE", "/devices/none")] {
        assert_eq!(site.ask(method, path, &[], None).await.status, 404, "{method} {path}");
    }
    assert_eq!(site.get("/devices?count=true").await.json()["count"], 2);
    assert_eq!(site.get("/logins").await.json()["items"], json!([]));
    let last = site.get("/audit").await.json()["items"][0].clone();
    assert_eq!(
        (&last["action"], &last["subject"], &last["actor"]),
        (&json!("device.forget"), &json!(uid), &json!("anna"))
    );
}
