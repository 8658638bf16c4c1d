//! What a browser, or a page in it, could be made to do.

use super::*;

#[tokio::test]
async fn nothing_is_shown_without_a_login() {
    let server = usual().await;
    let html = ("Accept", "text/html,*/*");
    for path in
        ["/", "/devices", "/api/v1/status", "/api/v1/users", "/metrics", "/nothing", "/api/v1/nothing", "/api/v1/me"]
    {
        let answer = server.ask("GET", path, &[], "").await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(answer.json()["request_id"].as_str(), answer.header("x-request-id"), "{path}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        assert_eq!(server.ask(method, "/api/v1/users", &[], "").await.status, 401, "{method}");
    }
    let page = server.ask("GET", "/devices?q=a b".replace(' ', "+").as_str(), &[html], "").await;
    assert_eq!((page.status, page.header("location")), (303, Some("/login?next=%2Fdevices%3Fq%3Da%2Bb")));
    let login = server.ask("GET", "/login", &[html], "").await;
    assert!(login.status == 200 && login.body.contains("name=\"password\""), "{}", login.body);
    assert_eq!(server.ask("GET", "/healthz", &[], "").await.body, "ok\n");
    let ready = server.ask("GET", "/readyz", &[], "").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, r#"{"ready":true}"#));
}

#[tokio::test]
async fn every_answer_keeps_a_browser_from_what_no_page_of_ours_asks_for() {
    let server = usual().await;
    for path in ["/login", "/nothing", "/healthz", "/api/v1/me"] {
        let answer = server.ask("GET", path, &[], "").await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(policy.contains("connect-src 'self' ws://localhost:8000 wss://localhost:8000;"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[tokio::test]
async fn a_session_that_was_put_into_a_browser_is_worth_nothing() {
    let server = usual().await;
    let planted = "camscan_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let body = format!("name=anna&password={PASSWORD}");
    let first = server.ask("POST", "/login", &[FORM, ("Cookie", planted)], &body).await.cookie();
    assert_ne!(first, planted);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", planted)], "").await.status, 401);
    // One that was valid ends with the next login.
    let second = server.ask("POST", "/login", &[FORM, OURS, ("Cookie", &first)], &body).await.cookie();
    assert_ne!(first, second);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &first)], "").await.status, 401);
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &second)], "").await.status, 200);
    // And with its logout.
    let out = server.ask("POST", "/logout", &[OURS, ("Cookie", &second)], "").await;
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(server.ask("GET", "/api/v1/me", &[("Cookie", &second)], "").await.status, 401);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let server = usual().await;
    let cookie = server.cookie("anna").await;
    let body = json!({ "name": "eve", "role": "admin", "password": PASSWORD }).to_string();
    for from in [
        vec![("Origin", "https://evil.example")],
        vec![("Origin", "null")],
        vec![("Origin", "http://localhost:8001")],
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![("Sec-Fetch-Site", "same-site"), OURS],
        vec![],
    ] {
        let headers: Vec<_> = from.iter().copied().chain([JSON, ("Cookie", cookie.as_str())]).collect();
        let answer = server.ask("POST", "/api/v1/users", &headers, &body).await;
        assert_eq!((answer.status, answer.json()["type"].as_str()), (403, Some("problems/cross-site")), "{from:?}");
        let logout = [("Cookie", cookie.as_str())].into_iter().chain(from).collect::<Vec<_>>();
        assert_eq!(server.ask("POST", "/logout", &logout, "").await.status, 403);
    }
    // Nor does it log anybody in as somebody else.
    let form = format!("name=anna&password={PASSWORD}");
    let evil = ("Origin", "https://evil.example");
    assert_eq!(server.ask("POST", "/login", &[FORM, evil], &form).await.status, 403);
    let ours = server.ask("POST", "/api/v1/users", &[JSON, OURS, ("Cookie", &cookie)], &body).await;
    assert_eq!(ours.status, 201, "{}", ours.body);
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let site = PublicUrl::parse("https://cameras.example.org/cameras/").unwrap();
    let server = serve_at(Options { site, ..options(place.path()) }, place, "127.0.0.1:0").await;
    server.add("anna", Role::Admin);
    for host in ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost@evil.example"] {
        let answer = server.ask("GET", "/login", &[("Host", host)], "").await;
        assert!(matches!(answer.status, 421 | 400), "{host}: {}", answer.status);
        assert!(!answer.body.contains("form"), "{host}");
    }
    for host in ["127.0.0.1:8000", "[::1]", "cameras.example.org", "localhost"] {
        assert_eq!(server.ask("GET", "/login", &[("Host", host)], "").await.status, 200, "{host}");
    }
    assert_eq!(server.raw("GET /login HTTP/1.0\r\n\r\n").await.status, 400);
    // Every path works with the base and without, and every link has it.
    let login = server.ask("GET", "/cameras/login", &[], "").await;
    assert!(login.status == 200 && login.body.contains("/login\""), "{}", login.body);
    let form = format!("name=anna&password={PASSWORD}&next=%2Fdevices");
    let done = server.ask("POST", "/cameras/login", &[FORM, ("Origin", "https://cameras.example.org")], &form).await;
    assert_eq!(done.header("location"), Some("/cameras/devices"));
    assert!(done.header("set-cookie").unwrap().contains("Path=/cameras/"));
}

#[tokio::test]
async fn no_path_leads_out() {
    let server = usual().await;
    let cookie = server.cookie("anna").await;
    for path in [
        "/../../../../etc/passwd",
        "/assets/../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets/..%5c..%5cetc",
        "//etc/passwd",
        "/api/v1/../../etc/passwd",
        "/%00",
        "/login/..;/metrics",
    ] {
        for headers in [vec![], vec![("Cookie", cookie.as_str())]] {
            let answer = server.ask("GET", path, &headers, "").await;
            assert!(matches!(answer.status, 400 | 401 | 404), "{path}: {}", answer.status);
            assert!(!answer.body.contains("root:"), "{path}");
        }
    }
    assert_eq!(server.ask("GET", "http://evil.example/metrics", &[], "").await.status, 401);
}

#[tokio::test]
async fn everybody_may_look_where_that_is_wanted_and_nobody_may_do_more() {
    let access = Access { anonymous: true, ..Access::default() };
    let server = serve(Options { access, ..Options::default() }).await;
    server.add("anna", Role::Admin);
    assert_eq!(server.ask("GET", "/api/v1/status", &[], "").await.status, 200);
    for path in ["/api/v1/users", "/api/v1/audit", "/api/v1/logins", "/api/v1/sessions"] {
        let status = server.ask("GET", path, &[], "").await.status;
        assert!(matches!(status, 401 | 403), "{path}: {status}");
    }
}
