use super::*;
use crate::model::{Credential, ProbeOptions};
use crate::testkit::net::{Asked, FakeNet, Log, Reply};

fn reply(status: &str, headers: &str, body: &str) -> Reply {
    Reply::Last(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

fn tcp(protocol: Protocol, port: u16) -> Service {
    Service::new(protocol, Transport::Tcp, port)
}

fn web(port: u16, server: &str) -> Service {
    Service { server: Some(server.to_owned()), ..tcp(Protocol::Http, port) }
}

struct Found {
    hints: Vec<String>,
    log: Log,
    host: Inspection,
    said: String,
}

async fn ask(
    services: Vec<Service>,
    at: &str,
    login: Option<&str>,
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> Found {
    let net = FakeNet::new();
    let log = net.answer(at, answer);
    let credentials = login.map(|password| Credential::new("admin", password)).into_iter().collect();
    let options = ProbeOptions { credentials, in_depth: true, ..ProbeOptions::default() };
    let (host, mut said) = Inspection::for_test(net, "192.0.2.10", options);
    services.into_iter().for_each(|s| host.record.learn(&FindingKind::Service(s)));
    run(&host).await;
    let said = std::iter::from_fn(|| said.try_recv().ok()).map(|f| format!("{f:?}")).collect();
    Found { hints: host.record.hints().into_iter().map(|h| h.url).collect(), log, host, said }
}

/// One list at one path; everything else is missing.
async fn hints(services: Vec<Service>, list: (&str, &'static str, &'static str)) -> Vec<String> {
    let (at, path, body) = list;
    ask(services, at, None, move |asked| match asked.target() == path {
        true => reply("200 OK", "", body),
        false => reply("404 Not Found", "", ""),
    })
    .await
    .hints
}

#[tokio::test(start_paused = true)]
async fn the_names_of_go2rtc_become_addresses() {
    let services = vec![tcp(Protocol::Http, 1984), tcp(Protocol::Rtsp, 8554)];
    let list = ("192.0.2.10:1984", "/api/streams", r#"{"front door":{"producers":[]}}"#);
    assert_eq!(
        hints(services, list).await,
        [
            "rtsp://192.0.2.10:8554/front%20door",
            "http://192.0.2.10:1984/api/stream.m3u8?src=front%20door",
            "http://192.0.2.10:1984/api/webrtc?src=front%20door",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn mediamtx_is_asked_only_where_it_shows_itself() {
    let list = ("192.0.2.10:9997", "/v3/paths/list", r#"{"items":[{"name":"cam"}]}"#);
    let hls = tcp(Protocol::Http, 8888);
    assert_eq!(hints(vec![hls, tcp(Protocol::Rtmp, 1935)], list).await, [""; 0]);
    let said = hints(vec![web(8888, "mediamtx"), tcp(Protocol::Rtmp, 1935)], list).await;
    assert_eq!(said, ["rtmp://192.0.2.10:1935/cam", "http://192.0.2.10:8888/cam/index.m3u8"]);
}

#[tokio::test(start_paused = true)]
async fn servers_of_rtmp_list_theirs() {
    let list = (
        "192.0.2.10:1985",
        "/api/v1/streams?start=0&count=64",
        r#"{"code":0,"streams":[{"app":"live","name":"cam"}]}"#,
    );
    let services = || vec![web(1985, "SRS/5.0.213(Bee)"), tcp(Protocol::Rtmp, 1935)];
    assert_eq!(hints(services(), list).await, ["rtmp://192.0.2.10:1935/live/cam"]);
    const STAT: &str = "<?xml version=\"1.0\"?><rtmp><server><application><name>live</name><live><stream>\
            <name>cam</name></stream></live></application></server></rtmp>";
    for linked in ["/stat", "/rtmp/statistics"] {
        let heard = ask(vec![web(80, "nginx"), tcp(Protocol::Rtmp, 1935)], "192.0.2.10:80", None, move |asked| {
            match asked.target() {
                "/" => reply("200 OK", "", &format!("<a href='{linked}'>x</a>")),
                target if target == linked => reply("200 OK", "Content-Type: text/xml\r\n", STAT),
                _ => reply("404 Not Found", "", ""),
            }
        });
        assert_eq!(heard.await.hints, ["rtmp://192.0.2.10:1935/live/cam"], "{linked}");
    }
    // Without RTMP there is nothing to have statistics of.
    let heard = ask(vec![web(80, "nginx")], "192.0.2.10:80", None, |_| reply("404 Not Found", "", "")).await;
    assert_eq!(heard.log.all().len(), 0);
}

/// Frigate's configuration holds passwords; its profile and its statistics tell the names without.
#[tokio::test(start_paused = true)]
async fn frigate_is_asked_for_names_alone() {
    for is_old in [false, true] {
        let page = Service { title: Some("Frigate".to_owned()), ..tcp(Protocol::Http, 5000) };
        let heard = ask(vec![page], "192.0.2.10:5000", None, move |asked| match asked.target() {
            "/api/profile" if !is_old => reply("200 OK", "", r#"{"allowed_cameras":["drive"]}"#),
            "/api/stats" => reply("200 OK", "", r#"{"cameras":{"drive":{}},"service":{}}"#),
            _ => reply("404 Not Found", "", ""),
        })
        .await;
        assert_eq!(heard.host.record.stream_names(), ["drive"]);
        assert!(heard.log.all().iter().all(|a| !a.target().contains("config")));
    }
}

/// A login is asked for by a realm that names the server, taken, and what the list shows besides names is nowhere.
#[tokio::test(start_paused = true)]
async fn a_list_behind_a_login_is_read_with_the_login_given() {
    const LIST: &str = r#"{"yard":{"producers":[{"url":"rtsp://root:tiefes-wasser@10.0.0.9/1"}],"consumers":null}}"#;
    let answer = |realm: &'static str| {
        move |asked: &Asked| match asked.header("Authorization") {
            Some("Basic YWRtaW46cHc=") if asked.target() == "/api/streams" => reply("200 OK", "", LIST),
            _ => reply("401 Unauthorized", &format!("WWW-Authenticate: Basic realm=\"{realm}\"\r\n"), ""),
        }
    };
    let services = || vec![tcp(Protocol::Http, 1984), tcp(Protocol::Rtsp, 8554)];
    let at = "192.0.2.10:1984";
    let heard = ask(services(), at, Some("pw"), answer("go2rtc")).await;
    assert!(heard.hints.contains(&"rtsp://192.0.2.10:8554/yard".to_owned()), "{:?}", heard.hints);
    assert!(!heard.said.contains("tiefes-wasser") && !heard.said.contains("10.0.0.9"), "{}", heard.said);
    // A stranger's realm, and a login that is refused.
    let heard = ask(services(), at, Some("pw"), answer("router")).await;
    assert!(heard.log.all().iter().all(|a| a.header("Authorization").is_none()));
    let heard = ask(services(), at, Some("wrong"), answer("go2rtc")).await;
    assert_eq!(heard.log.all().iter().filter(|a| a.header("Authorization").is_some()).count(), 1);
    assert_eq!((heard.hints.len(), heard.host.peer.logins.attempts().unwrap().refused), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_session_of_janus_is_ended() {
    let heard = ask(vec![tcp(Protocol::Http, 8088)], "192.0.2.10:8088", None, |asked| {
        let has = |word: &str| asked.text.contains(word);
        reply(
            "200 OK",
            "",
            match asked.target() {
                "/janus/info" => r#"{"janus":"server_info","name":"Janus WebRTC Server","version_string":"1.1.2"}"#,
                "/janus" if has("create") => r#"{"janus":"success","data":{"id":7}}"#,
                "/janus/7" if has("attach") => r#"{"janus":"success","data":{"id":8}}"#,
                "/janus/7/8" if has("\"list\"") => {
                    r#"{"janus":"success","plugindata":{"data":{"list":[{"id":1,"description":"yard"}]}}}"#
                }
                "/janus/7" if has("destroy") => r#"{"janus":"success"}"#,
                _ => "{}",
            },
        )
    })
    .await;
    assert!(heard.said.contains("lists streams: 1 (yard)"), "{}", heard.said);
    assert!(heard.log.all().last().unwrap().text.contains("destroy"));
}

#[tokio::test(start_paused = true)]
async fn the_ports_of_mediamtx_are_told_apart() {
    let heard = ask(vec![web(8889, "mediamtx")], "192.0.2.10:8889", None, |asked| match asked.method() {
        "OPTIONS" => reply(
            "204 No Content",
            "Access-Control-Allow-Methods: OPTIONS, GET, POST, PATCH, DELETE\r\n\
                 Access-Control-Allow-Headers: Authorization, Content-Type, If-Match\r\n",
            "",
        ),
        _ => reply("404 Not Found", "", ""),
    })
    .await;
    assert!(heard.host.record.services().iter().any(|s| s.protocol == Protocol::Webrtc && s.port == 8889));
}
