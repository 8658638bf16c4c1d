//! Lists, pages, formats, and what is not there.

use super::*;

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
        let learnt = store.learn(&place::report(vec![device], now()), Cause::User, Vantage::CLEAR, &()).unwrap();
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
