//! Accounts, tokens and the guessing of either.

use super::*;
use crate::history::memory::Vantage;
use crate::model::Device;
use crate::model::memory::{EventKind, Remark};
use crate::store::{Cause, EventFilter};
use crate::testkit::place;

#[tokio::test]
async fn the_first_account_needs_the_code_and_is_made_once() {
    let place = tempfile::tempdir().unwrap();
    let server = serve_at(options(place.path()), place, "127.0.0.1:0").await;
    let html = ("Accept", "text/html");
    assert_eq!(server.ask("GET", "/", &[html], "").await.header("location"), Some("/setup"));
    let code = server.app.access.setup.shown().unwrap();
    let file = server.app.access.setup.file().to_owned();
    assert!(file.exists());
    let form = |code: &str, password: &str| format!("code={code}&name=Anna&password={password}");
    let send = async |body: String| server.ask("POST", "/setup", &[FORM], &body).await;
    let wrong = send(form("0000-0000-0000", PASSWORD)).await;
    assert_eq!((wrong.status, wrong.header("location")), (303, Some("/setup?error=code&next=%2F")));
    let weak = send(form(&code, "short")).await;
    assert_eq!(weak.header("location"), Some("/setup?error=password&next=%2F"));
    let made = send(form(&code, PASSWORD)).await;
    assert_eq!((made.status, made.header("location")), (303, Some("/")));
    assert!(!file.exists());
    let me = server.ask("GET", "/api/v1/me", &[("Cookie", &made.cookie())], "").await.json();
    assert_eq!((&me["name"], &me["role"]), (&json!("Anna"), &json!("admin")));
    // The second visitor becomes nobody, with the code or without.
    assert_eq!(send(form(&code, PASSWORD)).await.header("location"), Some("/login"));
    assert_eq!(server.app.store.users().unwrap().len(), 1);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_tells_nothing() {
    let server = usual().await;
    let (known, unknown) =
        (server.login("anna", "wrong password").await, server.login("boris", "wrong password").await);
    let without_id = |answer: &Answer| {
        let mut value = answer.json();
        value.as_object_mut().unwrap().remove("request_id");
        (answer.status, value)
    };
    assert_eq!(without_id(&known), without_id(&unknown));
    let mut codes = Vec::new();
    for n in 0..14 {
        codes.push(server.login(&format!("user{n}"), "wrong password").await.status);
    }
    assert_eq!(codes.iter().filter(|code| **code == 401).count(), 8, "ten at once: {codes:?}");
    let refused = server.login("anna", PASSWORD).await;
    assert_eq!(refused.status, 429, "also with the right password");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(server.app.access.failures(), 10);
    // A disabled account is as good as none.
    let other = usual().await;
    let vera = other.add("vera", Role::Viewer);
    let off = UserChange { enabled: Some(false), ..UserChange::default() };
    other.app.store.change_user(vera, off, &Actor::command_line(), clock()).unwrap().unwrap();
    assert_eq!(without_id(&other.login("vera", PASSWORD).await), without_id(&known));
}

#[tokio::test]
async fn tokens_do_what_they_may_where_and_while_they_may() {
    let server = usual().await;
    let read = server.token(&["read"], json!({})).await;
    let id = read.split('_').nth(1).unwrap().to_owned();
    assert_eq!(server.with_token("GET", "/api/v1/status", &read).await.status, 200);
    assert_eq!(server.with_token("GET", "/metrics", &read).await.status, 200);
    for (method, path) in [("GET", "/api/v1/users"), ("POST", "/api/v1/tokens"), ("DELETE", "/api/v1/sessions/1")] {
        assert_eq!(server.with_token(method, path, &read).await.status, 403, "{method} {path}");
    }
    let me = server.with_token("POST", "/api/v1/me/password", &read).await;
    assert_eq!(me.status, 403, "a token changes no password");
    let metrics = server.token(&["metrics"], json!({})).await;
    assert_eq!(server.with_token("GET", "/metrics", &metrics).await.status, 200);
    assert_eq!(server.with_token("GET", "/api/v1/status", &metrics).await.status, 403);
    let elsewhere = server.token(&["read"], json!({ "networks": ["192.0.2.0/24"] })).await;
    let near = server.token(&["read"], json!({ "networks": ["127.0.0.0/8"] })).await;
    assert_eq!(server.with_token("GET", "/api/v1/status", &elsewhere).await.status, 401);
    assert_eq!(server.with_token("GET", "/api/v1/status", &near).await.status, 200);
    // Changed, cut off, of another form, or beside a good cookie: a bad token is refused.
    let cookie = server.cookie("anna").await;
    for bad in
        [format!("{read}x"), read[..read.len() - 1].to_owned(), "cs_".to_owned(), format!("cs_{id}_"), "x".repeat(5000)]
    {
        let bearer = format!("Bearer {bad}");
        let headers = [("Authorization", bearer.as_str()), ("Cookie", cookie.as_str())];
        assert_eq!(server.ask("GET", "/api/v1/status", &headers, "").await.status, 401, "{bad}");
    }
    let now = clock();
    server.app.store.enable_token(&id, None, false, &Actor::command_line(), now).unwrap().unwrap();
    assert_eq!(server.with_token("GET", "/api/v1/status", &read).await.status, 401, "disabled");
    // One that has ended: made by the store, since none is made with an end that has passed.
    let secret = random::secret().unwrap();
    let ended = crate::store::accounts::NewToken {
        public: "ended",
        hash: random::hash(&secret),
        user: 1,
        name: "x",
        scopes: &[Scope::Read],
        networks: &[],
        expires_at: Some(now - SignedDuration::from_secs(1)),
    };
    server.app.store.add_token(&ended, &Actor::command_line(), now).unwrap().unwrap();
    assert_eq!(server.with_token("GET", "/api/v1/status", &format!("cs_ended_{secret}")).await.status, 401);
}

#[tokio::test]
async fn accounts_are_managed_by_the_api_and_every_change_is_written_down() {
    let server = usual().await;
    let cookie = server.cookie("anna").await;
    let mine = [JSON, OURS, ("Cookie", cookie.as_str())];
    let made = server
        .ask(
            "POST",
            "/api/v1/users",
            &mine,
            &json!({ "name": "Вера", "role": "viewer", "password": PASSWORD }).to_string(),
        )
        .await;
    assert_eq!((made.status, made.header("location")), (201, Some("/api/v1/users/2")), "{}", made.body);
    let same = server
        .ask(
            "POST",
            "/api/v1/users",
            &mine,
            &json!({ "name": "ANNA", "role": "viewer", "password": PASSWORD }).to_string(),
        )
        .await;
    assert_eq!(same.status, 409);
    let odd = server
        .ask(
            "POST",
            "/api/v1/users",
            &mine,
            &json!({ "name": "x", "rolle": "viewer", "password": PASSWORD }).to_string(),
        )
        .await;
    assert!(odd.status == 422 && odd.body.contains("rolle") && !odd.body.contains(PASSWORD), "{}", odd.body);
    let vera = server.cookie("Вера").await;
    assert_eq!(server.ask("GET", "/api/v1/users", &[("Cookie", &vera)], "").await.status, 403);
    assert_eq!(
        server.ask("GET", "/api/v1/sessions", &[("Cookie", &vera)], "").await.json()["items"].as_array().unwrap().len(),
        1
    );
    // Somebody else's session is none of a viewer's business.
    assert_eq!(server.ask("DELETE", "/api/v1/sessions/1", &[OURS, ("Cookie", &vera)], "").await.status, 404);
    let change = json!({ "current": PASSWORD, "new": "Drei-Geheimnisse-3" }).to_string();
    let other = server.cookie("Вера").await;
    let changed = server.ask("POST", "/api/v1/me/password", &[JSON, OURS, ("Cookie", &vera)], &change).await;
    assert_eq!(changed.status, 204, "{}", changed.body);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &other)], "").await.status, 401, "the others end");
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &vera)], "").await.status, 200);
    let wrong = server.ask("POST", "/api/v1/me/password", &[JSON, OURS, ("Cookie", &vera)], &change).await;
    assert_eq!(wrong.status, 403);
    // A role holds from the next request on.
    let patch = server.ask("PATCH", "/api/v1/users/2", &mine, r#"{"role":"operator"}"#).await;
    assert_eq!(patch.status, 200, "{}", patch.body);
    let scopes = server.ask("GET", "/api/v1/me", &[("Cookie", &vera)], "").await.json()["scopes"].clone();
    assert_eq!(scopes, json!(["read", "live", "scan", "edit"]));
    assert_eq!(server.ask("DELETE", "/api/v1/users/1", &mine[1..], "").await.status, 409, "the last admin stays");
    assert_eq!(server.ask("DELETE", "/api/v1/users/2", &mine[1..], "").await.status, 204);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &vera)], "").await.status, 401);
    let audit = server.ask("GET", "/api/v1/audit", &[("Cookie", &cookie)], "").await.json();
    let said: Vec<_> = audit["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    for action in ["user.add", "user.change", "user.remove", "session.begin"] {
        assert!(said.contains(&action), "{action}: {said:?}");
    }
    assert_eq!(audit["items"][0]["actor"], "anna");
    assert_eq!(audit["items"][0]["address"], "127.0.0.1");
}

#[tokio::test]
async fn no_secret_is_kept_that_could_be_used() {
    let server = usual().await;
    let token = server.token(&["read", "admin"], json!({})).await;
    let cookie = server.cookie("anna").await;
    let login = json!({ "user": "cam", "password": "Kamera-Geheimnis-9", "network": "10.0.5.0/24" }).to_string();
    let headers = [JSON, OURS, ("Cookie", cookie.as_str())];
    let added = server.ask("POST", "/api/v1/logins", &headers, &login).await;
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(server.app.vault.logins().len(), 1);
    let listed = server.ask("GET", "/api/v1/logins", &headers[1..], "").await;
    assert_eq!(listed.json()["items"][0]["usable"], true, "{}", listed.body);
    let audit = server.ask("GET", "/api/v1/audit", &headers[1..], "").await.body;
    let tokens = server.ask("GET", "/api/v1/tokens", &headers[1..], "").await.body;
    let all = server.files() + &audit + &tokens + &added.body + &listed.body;
    assert!(all.contains("login.add") && all.contains("anna"), "the files were read");
    let secrets =
        [PASSWORD, "Kamera-Geheimnis-9", token.splitn(3, '_').nth(2).unwrap(), cookie.split_once('=').unwrap().1];
    for secret in secrets {
        assert!(!all.contains(secret), "{secret}");
    }
    let removed = server.ask("DELETE", "/api/v1/logins/1", &headers[1..], "").await;
    assert_eq!((removed.status, server.app.vault.logins().len()), (204, 0));
}

#[tokio::test]
async fn a_login_of_what_is_the_device_by_its_own_word_alone_rests_until_an_admin_confirms_it() {
    let server = usual().await;
    let (store, cookie) = (&server.app.store, server.cookie("anna").await);
    let headers = [JSON, OURS, ("Cookie", cookie.as_str())];
    let learn = |device: Device, hours: i64| {
        let report = place::report(vec![device], clock() - SignedDuration::from_hours(hours));
        store.learn(&report, Cause::User, Vantage::CLEAR, &()).unwrap().value.devices[0].clone()
    };
    let camera = place::device(0);
    let uid = learn(camera.clone(), 2);
    let login = json!({ "user": "cam", "password": "Kamera-Geheimnis-9", "device": uid }).to_string();
    let added = server.ask("POST", "/api/v1/logins", &headers, &login).await;
    assert_eq!((added.status, &added.json()["rests"]), (201, &Value::Null), "{}", added.body);
    let before = server.app.vault.logins()[0].scope.mac_prefix.clone();
    // Another network card, elsewhere, states its endpoint and serial number.
    let (ip, mac) = ("10.79.0.3".parse().unwrap(), "02:aa:bb:cc:dd:ee".parse().ok());
    let other =
        Device { ip, addresses: vec![ip], mac, link_mac: mac, id: "mac:02:aa:bb:cc:dd:ee".to_owned(), ..camera };
    assert_eq!(learn(other, 1), uid, "it is taken for the device");
    let events = store.events(&EventFilter::default()).unwrap();
    let moved = events.iter().filter(|stored| stored.event.data.because == Some(Remark::OnItsWord));
    assert_eq!(moved.map(|stored| stored.event.kind).collect::<Vec<_>>(), [EventKind::DeviceMoved]);
    let listed = server.ask("GET", "/api/v1/logins", &headers[1..], "").await.json();
    let rests = &listed["items"][0]["rests"];
    assert_eq!((&rests["ip"], &rests["mac"]), (&json!("10.79.0.3"), &json!("02:aa:bb:cc:dd:ee")), "{listed}");
    for page in ["/logins".to_owned(), format!("/devices/{uid}")] {
        let shown = server.ask("GET", &page, &headers[2..], "").await.body;
        assert!(shown.contains("by its own word alone") && shown.contains(&format!("logins/{uid}/confirm")), "{shown}");
        assert!(shown.contains("name=\"mac\" value=\"02:aa:bb:cc:dd:ee\""), "{shown}");
    }
    server.app.vault.follow(store, &store.memory().unwrap());
    assert_eq!(server.app.vault.logins()[0].scope.mac_prefix, before, "it goes with the card");
    let path = format!("/api/v1/devices/{uid}/login/confirm");
    // What was looked at is what is confirmed, and nothing that is there by now.
    for seen in [json!({ "ip": "10.79.0.2", "mac": "02:aa:bb:cc:dd:ee" }), json!({ "ip": "10.79.0.3" })] {
        let elsewhere = server.ask("POST", &path, &headers, &seen.to_string()).await;
        assert_eq!(elsewhere.status, 409, "{}", elsewhere.body);
        assert!(elsewhere.body.contains("10.79.0.3 (network card 02:aa:bb:cc:dd:ee)"), "{}", elsewhere.body);
    }
    assert_eq!(server.app.vault.logins()[0].scope.mac_prefix, before, "it still goes with the card");
    let seen = json!({ "ip": "10.79.0.3", "mac": "02:aa:bb:cc:dd:ee" }).to_string();
    let confirmed = server.ask("POST", &path, &headers, &seen).await;
    assert_eq!((confirmed.status, &confirmed.json()["confirmed"]), (200, &json!(1)), "{}", confirmed.body);
    assert_eq!(server.app.vault.logins()[0].scope.mac_prefix.as_deref(), Some("02aabbccddee"));
    let listed = server.ask("GET", "/api/v1/logins", &headers[1..], "").await.json();
    assert_eq!(listed["items"][0]["rests"], Value::Null, "{listed}");
    assert!(server.ask("GET", "/api/v1/audit", &headers[1..], "").await.body.contains("login.confirm"));
}
