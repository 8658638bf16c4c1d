use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;
use crate::model::{ErrorKind, ProbeOptions};
use crate::protocol::http::page;
use crate::testkit::net::{FakeNet, Log, Reply};
use crate::testkit::plan::credentials;
use crate::wire::auth;
use crate::wire::url::Endpoint;

const IP: &str = "192.0.2.10";

fn peer(net: &FakeNet, logins: &[(&str, &str)]) -> Peer {
    let options = ProbeOptions { credentials: credentials(logins), ..ProbeOptions::default() };
    Peer::for_test(net.clone(), IP, &options)
}

fn server(net: &FakeNet, port: u16, answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Log {
    net.answer(&format!("{IP}:{port}"), move |asked| Reply::Last(answer(asked.target())))
}

fn page_of(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

async fn get(peer: &Peer, target: &str) -> Result<Response, HttpError> {
    send(peer, Request::get(Endpoint::plain(80), target)).await
}

fn expected() -> Vec<(String, Value)> {
    let all: Value = serde_json::from_str(include_str!("../../../../tests/data/expected.json")).unwrap();
    let files = all["files"].as_object().unwrap();
    let of_http = files.iter().filter(|(name, v)| name.starts_with("http/") && v.get("playlist").is_none());
    of_http.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Every reconstructed answer, read through the whole client: what must be found in each stands in `expected.json`.
#[tokio::test(start_paused = true)]
async fn every_answer_of_the_collection_is_read() {
    let mut checked = 0;
    for (name, expected) in expected() {
        let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let net = FakeNet::new();
        server(&net, 80, move |_| bytes.clone());
        let request = Request { follow: false, ..Request::get(Endpoint::plain(80), "/") };
        let answer = send(&peer(&net, &[]), request).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let text = page::decode(&answer.body, answer.header("Content-Type").as_deref());
        let title = page::title(&text).map(|t| text::clean(&t));
        for (key, value) in expected.as_object().unwrap() {
            checked += 1;
            match (key.as_str(), value.as_str().unwrap_or_default()) {
                ("status", _) => assert_eq!(u64::from(answer.status), value.as_u64().unwrap(), "{name}"),
                ("body", body) => assert_eq!(text, body, "{name}"),
                ("body_bytes", _) => assert_eq!(answer.body.len() as u64, value.as_u64().unwrap(), "{name}"),
                ("title", wanted) => assert_eq!(title.as_deref(), Some(wanted), "{name}"),
                ("title_contains", part) => assert!(title.as_ref().unwrap().contains(part), "{name}: {title:?}"),
                ("must_not_contain_byte", "1b") => assert!(!title.as_ref().unwrap().contains('\u{1b}'), "{name}"),
                ("redirect", to) => assert_eq!(redirect::location(&answer).as_deref(), Some(to), "{name}"),
                ("auth_choice", _) => {
                    let challenges = answer.challenges();
                    let realm = auth::choose(&challenges).and_then(auth::Challenge::realm);
                    assert_eq!(realm.as_deref(), value["realm"].as_str(), "{name}");
                }
                ("verdict", "body too large") => assert!(answer.truncated && answer.body.len() == 256 * 1024, "{name}"),
                ("verdict", "auth required, scheme unknown") => {
                    let schemes = auth::schemes(&answer.challenges());
                    assert_eq!((answer.status, schemes), (401, vec![crate::model::AuthScheme::Other]), "{name}");
                }
                _ => checked -= 1,
            }
        }
    }
    assert!(checked > 15, "{checked}");
}

#[tokio::test(start_paused = true)]
async fn a_redirect_to_an_inner_address_is_asked_at_the_host() {
    let net = FakeNet::new();
    let first =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/http/redirect_302_absolute_internal.txt"));
    let first = first.unwrap();
    server(&net, 80, move |target| if target == "/" { first.clone() } else { page_of("<title>in</title>") });
    let answer = get(&peer(&net, &[]), "/").await.unwrap();
    assert_eq!((answer.status, answer.target.as_str(), answer.hops.len()), (200, "/index.asp", 1));
    assert!(answer.notes[0].contains("192.168.0.64"), "{:?}", answer.notes);
}

#[tokio::test(start_paused = true)]
async fn redirects_end() {
    for (location, status, note) in [
        ("http://www.vendor.com/", 302, "another host"),
        ("/", 302, "circle"),
        ("/x/next", 302, "more than 3"),
        ("http://192.0.2.10:9100/", 302, "never asked"),
        ("http://192.0.2.10:81/", 302, "nowhere"),
    ] {
        let net = FakeNet::new();
        let asked = server(&net, 80, move |target| {
            let to = if location == "/x/next" { format!("{target}x") } else { location.to_owned() };
            format!("HTTP/1.1 302 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        });
        let answer = get(&peer(&net, &[]), "/").await.unwrap();
        assert_eq!(answer.status, status, "{location}");
        assert!(answer.notes.iter().any(|n| n.contains(note)), "{location}: {:?}", answer.notes);
        assert!(asked.all().len() <= 4);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_are_whole() {
    let net = FakeNet::new();
    let asked = server(&net, 8080, |_| page_of("ok"));
    let request = Request::post(Endpoint::plain(8080), "/onvif", "application/soap+xml", b"<x/>".to_vec());
    send(&peer(&net, &[]), request).await.unwrap();
    let asked = asked.all().remove(0);
    assert!(
        asked.text.starts_with("POST /onvif HTTP/1.1\r\nHost: 192.0.2.10:8080\r\nUser-Agent: camscan/"),
        "{}",
        asked.text
    );
    assert_eq!((asked.header("Content-Length"), asked.header("Connection")), (Some("4"), Some("close")));
    assert!(asked.text.ends_with("\r\n\r\n<x/>"));
}

#[tokio::test(start_paused = true)]
async fn bodies_without_end_and_servers_without_haste_are_cut() {
    let net = FakeNet::new();
    net.serve(&format!("{IP}:80"), |_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    });
    net.serve(&format!("{IP}:81"), |_, mut stream| async move {
        // One byte a second, for ever.
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        for byte in text.iter().copied().chain(std::iter::repeat(b'x')) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    });
    net.serve(&format!("{IP}:82"), |_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"X: y\r\n").await.is_ok() {}
    });
    net.serve(&format!("{IP}:83"), |_, mut stream| async move {
        let _ = stream.read(&mut [0; 100]).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
    });
    net.serve(&format!("{IP}:84"), |_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 401 Unauth\r\nServer: x\r\nWWW-Auth").await;
    });
    net.serve(&format!("{IP}:85"), |_, mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0-dropbear_2022.83\r\n").await;
    });
    net.serve(&format!("{IP}:86"), |_, mut stream| async move {
        // Announces more than it sends, and keeps the connection open.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<a/>").await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
    });
    let peer = peer(&net, &[]);
    let get = |port| send(&peer, Request::get(Endpoint::plain(port), "/"));
    let endless = get(80).await.unwrap();
    assert!(endless.truncated && endless.body.len() == 256 * 1024);
    let started = Instant::now();
    assert!(get(81).await.is_err());
    assert!(started.elapsed() <= peer.timeouts.request);
    assert_eq!(get(82).await.unwrap_err().kind, ErrorKind::TooLarge);
    assert_eq!(get(83).await.unwrap_err().kind, ErrorKind::Timeout);
    let half = get(84).await.unwrap();
    assert_eq!((half.status, half.header("Server").as_deref()), (401, Some("x")));
    let ssh = get(85).await.unwrap_err();
    assert_eq!(ssh.kind, ErrorKind::Protocol);
    assert!(ssh.banner.starts_with(b"SSH-"));
    let short = get(86).await.unwrap();
    assert_eq!((short.body.as_slice(), short.truncated), (&b"<a/>"[..], true));
    assert_eq!(get(87).await.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(get(9101).await.unwrap_err().kind, ErrorKind::Local);
    assert_eq!(net.connections(&format!("{IP}:81")), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_dropped_without_a_word_is_opened_once_more() {
    let net = FakeNet::new();
    net.serve(&format!("{IP}:80"), |number, mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        if number > 0 {
            let _ = stream.write_all(&page_of("second")).await;
        }
    });
    assert_eq!(get(&peer(&net, &[]), "/").await.unwrap().body, b"second");
}

const DIGEST: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"b\"\r\n\
     WWW-Authenticate: Digest realm=\"cam\", nonce=\"n1\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n";

/// A server that lets `good` in by Digest.
fn guarded(net: &FakeNet, good: &'static str, refusal: &'static str) -> Log {
    net.answer(&format!("{IP}:80"), move |asked| {
        let authorization = asked.header("Authorization").unwrap_or_default();
        Reply::Last(match authorization {
            "" => DIGEST.into(),
            given if given.starts_with("Digest ") && given.contains(&format!("username=\"{good}\"")) => page_of("in"),
            _ => refusal.into(),
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_login_is_given_when_it_is_demanded_and_only_then() {
    let net = FakeNet::new();
    let asked = guarded(&net, "admin", DIGEST);
    let peer = peer(&net, &[("viewer", "no"), ("admin", "pw")]);
    assert_eq!(get(&peer, "/").await.unwrap().status, 401);
    assert_eq!(peer.logins.attempts(), None);
    let answer = send(&peer, Request::get(Endpoint::plain(80), "/a?b").with_login()).await.unwrap();
    assert_eq!(answer.body, b"in");
    assert_eq!(peer.logins.attempts().unwrap().refused, 1);
    assert!(asked.all().iter().all(|a| !a.header("Authorization").unwrap_or_default().starts_with("Basic")));
    assert!(asked.all().last().unwrap().text.contains("uri=\"/a?b\""));
    // What worked is given first, and nothing more is refused.
    send(&peer, Request::get(Endpoint::plain(80), "/").with_login()).await.unwrap();
    assert_eq!(peer.logins.attempts().unwrap().refused, 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_stop_at_the_limit_and_at_the_first_sign_of_a_lock() {
    let locked = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"n2\"\r\n\r\n\
        <userCheck><lockStatus>lock</lockStatus><unlockTime>1800</unlockTime></userCheck>";
    for (refusal, tries, sentence) in [(DIGEST, 2, "refused logins"), (locked, 1, "locked")] {
        let net = FakeNet::new();
        let asked = guarded(&net, "nobody", refusal);
        let peer = peer(&net, &[("a", "1"), ("b", "2"), ("c", "3")]);
        for _ in 0..3 {
            let answer = send(&peer, Request::get(Endpoint::plain(80), "/").with_login()).await.unwrap();
            assert_eq!(answer.status, 401);
        }
        let given = asked.all().iter().filter(|a| a.header("Authorization").is_some()).count();
        assert_eq!(given, tries);
        assert!(peer.logins.stopped().unwrap().contains(sentence), "{:?}", peer.logins.stopped());
    }
}

/// A server that sends back to the same page until its cookie comes along; one that never is content ends.
#[tokio::test(start_paused = true)]
async fn cookies_are_carried_from_redirect_to_redirect() {
    for content in [true, false] {
        let net = FakeNet::new();
        let asked = net.answer(&format!("{IP}:80"), move |asked| {
            let cookie = asked.header("Cookie").unwrap_or_default().to_owned();
            Reply::Last(match (cookie.as_str(), content) {
                ("lang=en; s=2", true) => page_of("in"),
                ("", _) => {
                    b"HTTP/1.1 302 Found\r\nSet-Cookie: s=1; Path=/\r\nSet-Cookie: lang=en\r\nLocation: /\r\n\r\n"
                        .to_vec()
                }
                ("s=1; lang=en", _) => b"HTTP/1.1 302 Found\r\nset-cookie: s=2\r\nLocation: /b\r\n\r\n".to_vec(),
                _ => b"HTTP/1.1 302 Found\r\nSet-Cookie: lang=en\r\nLocation: /b\r\n\r\n".to_vec(),
            })
        });
        let answer = get(&peer(&net, &[]), "/").await.unwrap();
        let cookies: Vec<_> = asked.all().iter().map(|a| a.header("Cookie").unwrap_or_default().to_owned()).collect();
        assert_eq!(cookies, ["", "s=1; lang=en", "lang=en; s=2"]);
        // The same cookie once more is no news.
        let wanted = if content { (200, vec![]) } else { (302, vec!["redirects in a circle".to_owned()]) };
        assert_eq!((answer.status, answer.notes), wanted);
    }
}

/// A body without a status line that begins with the header of a part.
#[tokio::test(start_paused = true)]
async fn pictures_without_any_head_are_content() {
    let net = FakeNet::new();
    server(&net, 80, |target| match target {
        "/video" => b"\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8".to_vec(),
        _ => b"--help is no page\r\n".to_vec(),
    });
    let peer = peer(&net, &[]);
    assert_eq!(get(&peer, "/video").await.unwrap().version, "HTTP/0.9");
    assert_eq!(get(&peer, "/").await.unwrap_err().kind, ErrorKind::Protocol);
}

/// Who is locked out already says so before anything is tried.
#[tokio::test(start_paused = true)]
async fn a_lock_told_beforehand_is_heeded() {
    let demand = "WWW-Authenticate: Digest realm=\"cam\", nonce=\"n\"\r\n";
    let lock = "<userCheck><lockStatus>lock</lockStatus><unlockTime>600</unlockTime></userCheck>";
    let page = "<html><script>if (n > 5) alert('Your account is locked')</script></html>";
    for (status, body, tries) in [
        ("401 Unauthorized", lock, 0),
        ("403 Forbidden", "the account is locked", 0),
        ("429 Too Many Requests", "", 0),
        ("401 Unauthorized", page, 1),
        ("401 Unauthorized", "", 1),
    ] {
        let net = FakeNet::new();
        let asked = server(&net, 80, move |_| {
            format!("HTTP/1.1 {status}\r\n{demand}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
        });
        let peer = peer(&net, &[("admin", "1")]);
        let answer = send(&peer, Request::get(Endpoint::plain(80), "/").with_login()).await.unwrap();
        let given = asked.all().iter().filter(|a| a.header("Authorization").is_some()).count();
        assert_eq!(given, tries, "{status} {body}");
        assert!(tries > 0 || peer.logins.is_locked());
        assert_eq!(String::from_utf8_lossy(&answer.body), body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_refused_at_one_path_is_not_tried_at_the_next() {
    let net = FakeNet::new();
    let asked = guarded(&net, "nobody", DIGEST);
    let peer = peer(&net, &[("a", "1")]);
    for target in ["/a", "/b", "/c"] {
        assert_eq!(send(&peer, Request::get(Endpoint::plain(80), target).with_login()).await.unwrap().status, 401);
    }
    assert_eq!(asked.all().iter().filter(|a| a.header("Authorization").is_some()).count(), 1);
    assert_eq!(peer.logins.attempts().unwrap().refused, 1, "the other try is left to RTSP");
}

#[tokio::test(start_paused = true)]
async fn a_login_called_stale_is_given_once_more_and_counts() {
    let net = FakeNet::new();
    net.answer(&format!("{IP}:80"), |asked| {
        let given = asked.header("Authorization").unwrap_or_default();
        Reply::Last(match given {
            given if given.contains("nonce=\"n2\"") => page_of("in"),
            "" => DIGEST.into(),
            _ => DIGEST.replace("n1", "n2").replace("qop", "stale=TRUE,qop").into(),
        })
    });
    let peer = peer(&net, &[("admin", "pw")]);
    assert_eq!(send(&peer, Request::get(Endpoint::plain(80), "/").with_login()).await.unwrap().body, b"in");
    assert_eq!(peer.logins.attempts().unwrap().refused, 1, "the device may have counted it");
}

/// Writes without end behind the first request; says how many pieces were taken.
fn endless(net: &FakeNet, head: &'static [u8], again: &'static [u8]) -> Arc<std::sync::atomic::AtomicUsize> {
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = sent.clone();
    net.serve(&format!("{IP}:80"), move |_, mut stream| {
        let count = count.clone();
        async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(head).await;
            while stream.write_all(again).await.is_ok() {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    });
    sent
}

#[tokio::test(start_paused = true)]
async fn interim_answers_and_framing_without_end_are_given_up() {
    for (head, again, most) in [
        (&b""[..], &b"HTTP/1.1 100 Continue\r\n\r\n"[..], 17),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 17),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"\r\n\r\n", 300_000),
    ] {
        let net = FakeNet::new();
        let sent = endless(&net, head, again);
        let peer = peer(&net, &[]);
        match get(&peer, "/").await {
            Ok(answer) => assert!(answer.truncated && answer.body.is_empty(), "{answer:?}"),
            Err(error) => assert_eq!(error.kind, ErrorKind::Protocol, "{error}"),
        }
        let sent = sent.load(std::sync::atomic::Ordering::Relaxed);
        assert!(sent <= most + (1 << 17) / again.len(), "{again:?}: {sent}");
    }
}

/// LIVE555's port for RTSP over HTTP: no length, no body, and the connection stays open.
#[tokio::test(start_paused = true)]
async fn a_refusal_without_a_length_is_not_waited_for() {
    for (method, status, most_ms) in [
        ("OPTIONS", "200 OK", 0),
        ("OPTIONS", "405 Method Not Allowed", 0),
        ("HEAD", "200 OK", 0),
        ("GET", "204 No Content", 0),
        ("GET", "304 Not Modified", 0),
        ("GET", "405 Method Not Allowed", 250),
        ("GET", "404 Not Found", 250),
        ("GET", "500 Oops", 250),
        ("GET", "401 Unauthorized", 250),
        ("GET", "200 OK", 5000),
    ] {
        let net = FakeNet::new();
        net.answer(&format!("{IP}:80"), move |_| Reply::text(format!("HTTP/1.0 {status}\r\n\r\n")));
        let peer = peer(&net, &[]);
        let began = Instant::now();
        let answer = send(&peer, Request { method, ..Request::get(Endpoint::plain(80), "/") }).await.unwrap();
        assert_eq!(answer.body, b"");
        assert!(began.elapsed().as_millis() <= most_ms + 5, "{method} {status}: {:?}", began.elapsed());
        let hung = method == "GET" && matches!(answer.status, 405 | 500);
        assert_eq!(peer.history.has_hung(80), hung, "{method} {status}");
    }
}

/// What comes with the head, or soon after, is read: its words may tell of a lock-out.
#[tokio::test(start_paused = true)]
async fn the_text_of_a_refusal_is_read() {
    let net = FakeNet::new();
    net.serve(&format!("{IP}:80"), |_, mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.0 403 Forbidden\r\n\r\n").await;
        for piece in [&b"locked "[..], b"for ", b"a while"] {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let _ = stream.write_all(piece).await;
        }
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(get(&peer(&net, &[]), "/").await.unwrap().body, b"locked for a while");
}

/// What all hosts together may hold: a body that finds no room is not read, one that is small needs none.
#[tokio::test(start_paused = true)]
async fn a_large_body_waits_for_room() {
    let net = FakeNet::new();
    server(&net, 80, |target| page_of(&"x".repeat(if target == "/large" { 600_000 } else { 200_000 })));
    let memory = Arc::new(crate::probe::memory::Memory::new(1, 1));
    let peer = Peer { memory: memory.clone(), ..peer(&net, &[]) };
    let large = Request { max_body: 1 << 20, ..Request::get(Endpoint::plain(80), "/large") };
    let mut taken = memory.room();
    taken.fit(1 << 20, peer.deadline).await.unwrap();
    assert_eq!(get(&peer, "/small").await.unwrap().body.len(), 200_000);
    let (answer, ()) = tokio::join!(send(&peer, large.clone()), async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(taken);
    });
    // However long it took: the wait is not the server's.
    let answer = answer.unwrap();
    assert_eq!((answer.body.len(), answer.truncated), (600_000, false));
    // The answer holds its room until it is dropped.
    let short = Peer { deadline: Instant::now() + Duration::from_secs(3), ..peer };
    let second = send(&short, large.clone()).await.unwrap();
    assert!(second.truncated && second.notes.iter().any(|n| n.contains("memory")), "{:?}", second.notes);
    drop(answer);
    let short = Peer { deadline: Instant::now() + Duration::from_secs(3), ..short };
    assert_eq!(send(&short, large).await.unwrap().body.len(), 600_000);
}
