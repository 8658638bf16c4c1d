//! Reverse proxies and sockets in the file system.

use super::*;

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_one_address() {
    let place = tempfile::tempdir().unwrap();
    let trusted = vec![TrustedProxy::parse("127.0.0.1").unwrap()];
    let access = Access::new(trusted, false, SetupCode::default());
    let server = serve_at(Options { access, ..Options::default() }, place, "127.0.0.1:0").await;
    server.add("anna", Role::Admin);
    let body = json!({ "name": "anna", "password": "wrong password" }).to_string();
    let from = async |address: &str| {
        server.ask("POST", "/api/v1/session", &[JSON, ("X-Forwarded-For", address)], &body).await.status
    };
    for n in 0..10 {
        // What the client itself puts in front does not matter.
        from(&format!("10.0.0.{n}, 192.0.2.7")).await;
    }
    assert_eq!(from("10.9.9.9, 192.0.2.7").await, 429);
    let good = json!({ "name": "anna", "password": PASSWORD }).to_string();
    // The account has to wait as well; another one from elsewhere has not.
    server.add("boris", Role::Viewer);
    let good = good.replace("anna", "boris");
    let https = ("X-Forwarded-Proto", "https");
    let done = server.ask("POST", "/api/v1/session", &[JSON, https, ("X-Forwarded-For", "192.0.2.8")], &good).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(done.header("set-cookie").unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn a_trusted_proxy_names_accounts_by_the_header_it_was_told_to() {
    let place = || tempfile::tempdir().unwrap();
    let trusting = |proxy: &str, header: Option<&str>| {
        let trusted = vec![TrustedProxy::parse(proxy).unwrap()];
        let login_header = header.map(str::to_owned);
        let access = Access { login_header, ..Access::new(trusted, false, SetupCode::default()) };
        Options { access, ..Options::default() }
    };
    let server = serve_at(trusting("127.0.0.1", Some("remote-user")), place(), "127.0.0.1:0").await;
    server.add("anna", Role::Admin);
    server.add("vera", Role::Viewer);
    let me = async |server: &Server, headers: &[(&str, &str)]| server.ask("GET", "/api/v1/me", headers, "").await;
    let (anna, vera) = (("Remote-User", "anna"), ("Remote-User", "vera"));
    let known = me(&server, &[anna]).await;
    assert_eq!((known.status, known.json()["name"].clone()), (200, json!("anna")));
    // A password that the proxy asked for and hands on is none of ours.
    let basic = ("Authorization", "Basic YW5uYTp4");
    assert_eq!(me(&server, &[anna, basic]).await.status, 200);
    assert_eq!(me(&server, &[basic]).await.status, 401);
    for nobody in
        [&[("Remote-User", "nobody")][..], &[("Remote-User", "")], &[anna, vera], &[("X-Remote-User", "anna")], &[]]
    {
        assert_eq!(me(&server, nobody).await.status, 401, "{nobody:?}");
    }
    // The account says what it may, and a page of another site changes nothing.
    assert_eq!(server.ask("GET", "/api/v1/users", &[vera], "").await.status, 403);
    let prune = async |headers: &[(&str, &str)]| server.ask("POST", "/api/v1/admin/prune", headers, "").await.status;
    assert_eq!(prune(&[anna]).await, 403, "it says not where it comes from");
    assert_eq!(prune(&[anna, ("Origin", "https://evil.example")]).await, 403);
    assert_eq!(prune(&[anna, ("Sec-Fetch-Site", "cross-site")]).await, 403);
    assert_eq!(prune(&[anna, ("Sec-Fetch-Site", "same-origin")]).await, 200);
    let token = ("Authorization", "Bearer cs_0123456789_wrong");
    assert_eq!(me(&server, &[anna, token]).await.status, 401, "a token is meant");
    let id = server.app.store.user_named("vera").unwrap().unwrap().0.id;
    let off = UserChange { enabled: Some(false), ..UserChange::default() };
    server.app.store.change_user(id, off, &Actor::default(), clock()).unwrap().unwrap();
    assert_eq!(me(&server, &[vera]).await.status, 401, "an account that is switched off");

    // From anybody else, or where it is not wanted, the header means nothing.
    for options in [trusting("10.0.0.0/8", Some("remote-user")), trusting("127.0.0.1", None)] {
        let server = serve_at(options, place(), "127.0.0.1:0").await;
        server.add("anna", Role::Admin);
        assert_eq!(me(&server, &[anna]).await.status, 401);
    }
}

#[tokio::test]
async fn over_a_socket_in_the_file_system_the_same_user_is_admin_unless_a_proxy_speaks() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("camscan.sock");
    // One that a killed process left behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let options = options(place.path());
    let server = serve_at(options, place, &format!("unix:{}", path.display())).await;
    let ask = async |headers: &[(&str, &str)]| {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(written("GET", "/api/v1/users", headers, "").as_bytes()).await.unwrap();
        read_answer(&mut stream).await.status
    };
    assert_eq!(ask(&[]).await, 200);
    assert_eq!(ask(&[("X-Forwarded-For", "192.0.2.1")]).await, 401);
    assert_eq!(ask(&[("Host", "evil.example")]).await, 421);
    let taken = Listener::bind(&ListenOn::Unix(path.clone())).await.err().unwrap();
    assert!(taken.to_string().contains("another program does already"), "{taken}");
    server.app.stop.cancel();
    server.task.await.unwrap();
    assert!(!path.exists(), "its file goes with it");
}
