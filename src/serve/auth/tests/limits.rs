//! Clients that are too many, too large or too slow; and the end of the server.

use super::*;

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let server = usual().await;
    let long = "x".repeat(20_000);
    assert_eq!(server.ask("GET", "/login", &[("X-Long", &long)], "").await.status, 431);
    assert_eq!(server.ask("GET", &format!("/{long}"), &[], "").await.status, 431);
    let many: Vec<_> = (0..200).map(|_| ("X", "y")).collect();
    assert_eq!(server.ask("GET", "/login", &many, "").await.status, 431);
    // Strangers may send 16 KiB, accounts 1 MiB; a length alone is enough to be refused.
    let token = server.token(&["admin"], json!({})).await;
    let bearer = format!("Bearer {token}");
    for (length, headers, code) in [
        (20_000, vec![JSON], 413),
        (20_000, vec![JSON, ("Authorization", bearer.as_str())], 400),
        (2_000_000, vec![JSON, ("Authorization", bearer.as_str())], 413),
        (1 << 40, vec![JSON], 413),
    ] {
        let path = if headers.len() == 1 { "/api/v1/session" } else { "/api/v1/users" };
        let head =
            written("POST", path, &headers, "").replace("\r\n\r\n", &format!("\r\nContent-Length: {length}\r\n\r\n"));
        let body = if code == 413 { String::new() } else { "x".repeat(length) };
        assert_eq!(server.raw(&(head + &body)).await.status, code, "{length}");
    }
    let chunks: String = (0..40).map(|_| format!("400\r\n{}\r\n", "x".repeat(1024))).collect();
    let head = written("POST", "/api/v1/session", &[JSON, ("Transfer-Encoding", "chunked")], "");
    assert_eq!(server.raw(&(head + &chunks + "0\r\n\r\n")).await.status, 413);
    // Two lengths, or a length beside chunks, would be two requests to a proxy.
    let two = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab";
    assert_eq!(server.raw(two).await.status, 400);
}

#[tokio::test]
async fn slow_clients_are_cut_off_and_others_are_served() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits {
        head_time: Duration::from_millis(600),
        body_time: Duration::from_millis(600),
        idle_time: Duration::from_millis(600),
        per_address: 300,
        connections: 300,
        ..Limits::default()
    };
    let server = serve_at(Options { limits, ..options(place.path()) }, place, "127.0.0.1:0").await;
    server.add("anna", Role::Admin);
    let mut slow = Vec::new();
    for n in 0..256 {
        let mut stream = connect(server.at).await;
        let begun: &[u8] = match n % 3 {
            0 => b"",
            1 => b"GET /login HTTP/1.1\r\nHost: local",
            _ => b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nname=",
        };
        stream.write_all(begun).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(server.ask("GET", "/healthz", &[], "").await.status, 200, "while all of them hold on");
    for (n, mut stream) in slow.into_iter().enumerate() {
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.status, if n % 3 == 2 { 408 } else { 0 }, "each of them ends");
    }
    assert_eq!(server.ask("GET", "/login", &[], "").await.status, 200);
}

#[tokio::test]
async fn one_address_does_not_take_all_connections() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits { per_address: 4, ..Limits::default() };
    let server = serve_at(Options { limits, ..options(place.path()) }, place, "127.0.0.1:0").await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connect(server.at).await);
    }
    let mut fifth = connect(server.at).await;
    assert_eq!(read_answer(&mut fifth).await.status, 503);
    held.clear();
    // They are given back a moment after they are closed.
    for _ in 0..100 {
        if server.ask("GET", "/healthz", &[], "").await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the places are not given back");
}

#[tokio::test]
async fn it_ends_when_it_is_told_to_and_answers_what_was_asked() {
    let stop = CancellationToken::new();
    let server = serve(Options { stop: stop.clone(), ..Options::default() }).await;
    let idle = connect(server.at).await;
    let mut asking = connect(server.at).await;
    asking
        .write_all(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: x\r\nContent-Length: 3\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    asking.write_all(b"abc").await.unwrap();
    assert_eq!(read_answer(&mut asking).await.status, 400, "what is under way is answered");
    tokio::time::timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_place_that_is_taken_is_said() {
    let server = usual().await;
    let error = Listener::bind(&ListenOn::Tcp(server.at)).await.err().unwrap().to_string();
    assert!(error.contains("another program does already") && error.contains("hint: "), "{error}");
}
