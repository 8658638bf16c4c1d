//! Asks media servers for the names of their streams, so that what follows need not guess. Runs before streams are
//! analysed.

use super::names::{self, Reader};
use super::{janus, mediamtx};
use crate::identify::signature::Field;
use crate::identify::stream_url::{self, Named, Purpose};
use crate::model::finding::StreamHint;
use crate::model::{FindingKind, Protocol, Service, Stage, Transport, Verify};
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::client;
use crate::protocol::http::message::{self, Request, Response, host_name};
use crate::protocol::http::page;
use crate::protocol::proof::web_ports;
use crate::text;
use crate::wire::auth::Challenge;
use crate::wire::url::Endpoint;

/// The largest list that is read, in bytes: 64 streams of go2rtc with all who watch them.
const MAX_LIST: usize = 1024 * 1024;
/// Pages of statistics asked for, of those that the start page leads to.
const MAX_LINKED: usize = 2;
/// Links of a start page that are looked at.
const MAX_LINKS: usize = 64;

/// Where Janus answers HTTP.
const JANUS_PORT: u16 = 8088;
/// Where SRS answers HTTP.
const SRS_PORT: u16 = 1985;
/// Where go2rtc answers HTTP.
const GO2RTC_PORT: u16 = 1984;

/// The question for what media servers list.
pub const PROBE: Probe = Probe { stage: Stage::MediaServer, phase: Phase::Name, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    if host.options.verify != Verify::None && host.record.may_guess() {
        ask_all(host).await;
    }
}

async fn ask_all(host: &Inspection) {
    let services = web_ports(host);
    for service in &services {
        if service.port == GO2RTC_PORT || says(service, "go2rtc") {
            list(host, "go2rtc", ListedAt::of(service), names::go2rtc).await;
        }
        if service.port == SRS_PORT || says(service, "srs/") {
            list(host, "SRS", ListedAt::of(service), names::srs).await;
        }
        if says(service, "frigate") {
            frigate(host, service).await;
        }
        if service.port == JANUS_PORT || says(service, "janus") {
            ask_janus(host, service).await;
        }
    }
    let of_mediamtx = |s: &Service| says(s, "mediamtx") || says(s, "gortsplib");
    if host.record.services().iter().any(of_mediamtx) {
        let own: Vec<Service> = services.iter().filter(|s| says(s, "mediamtx")).cloned().collect();
        mediamtx::emit_ports(host, &own).await;
        // Its API is on a port of its own, whichever other it is recognised by.
        // Who may watch may not list, as it comes; so a refusal there says nothing of HLS and WebRTC.
        if let Some(named) = stream_url::named("MediaMTX") {
            let api = ListedAt { at: Endpoint::plain(named.list.port), account: Protocol::Other };
            list(host, "MediaMTX", api, names::mediamtx).await;
        }
    }
    let speaks_rtmp = host.record.services().iter().any(|s| matches!(s.protocol, Protocol::Rtmp | Protocol::Rtmps));
    // Cameras speak RTMP, too, and some have nginx for their pages.
    for service in services.iter().filter(|_| speaks_rtmp && !host.record.is_like_a_camera()) {
        nginx_rtmp(host, service).await;
    }
}

/// Whether a service names a server in its header, its title or its realm.
fn says(service: &Service, name: &str) -> bool {
    let has = |text: &Option<String>| text.as_ref().is_some_and(|t| t.to_ascii_lowercase().contains(name));
    has(&service.server) || has(&service.title) || has(&service.realm)
}

/// Where a list is asked for.
#[derive(Debug, Clone, Copy)]
struct ListedAt {
    at: Endpoint,
    /// Whose users a login is for.
    account: Protocol,
}

impl ListedAt {
    fn of(service: &Service) -> ListedAt {
        ListedAt { at: Endpoint::of(service), account: Protocol::Http }
    }
}

/// Asks a server for its list, and says where each of its names can be watched.
async fn list(host: &Inspection, server: &str, from: ListedAt, read: Reader) -> Option<()> {
    let named = stream_url::named(server)?;
    let answer = get(host, from, named.list.path(""), server).await?;
    let names = read(&answer.body)?;
    drop(answer);
    host.match_signatures(Field::MediaServer, server).await;
    hint(host, named, &names, from.at).await;
    Some(())
}

/// An answer of 200 to a GET. A login is shown only where one is demanded, and only to what is known for that media server
/// by its realm, or where a login was taken before.
async fn get(host: &Inspection, from: ListedAt, target: String, server: &str) -> Option<Response> {
    if host.peer.is_over() {
        return None;
    }
    let request = Request { max_body: MAX_LIST, account: from.account, ..Request::get(from.at, target) };
    let answer = client::send(&host.peer, request.clone()).await.ok()?;
    let may_log_in = || host.peer.logins.worked().is_some() || is_realm_of(&answer, server);
    let answer = match answer.status {
        401 if may_log_in() => client::send(&host.peer, request.with_login()).await.ok()?,
        _ => answer,
    };
    (answer.status == 200 && !answer.truncated).then_some(answer)
}

/// Whether a demand for a login names the server.
fn is_realm_of(answer: &Response, server: &str) -> bool {
    let realms = answer.challenges();
    realms.iter().filter_map(Challenge::realm).any(|realm| realm.eq_ignore_ascii_case(server))
}

/// nginx with its RTMP module: statistics are where its start page leads, or where its handbook puts them.
async fn nginx_rtmp(host: &Inspection, service: &Service) -> Option<()> {
    let named = stream_url::named("nginx-rtmp")?;
    let from = ListedAt::of(service);
    let start = get(host, from, "/".to_owned(), &named.server).await;
    let linked = start.map(|answer| stat_links(host, &answer)).unwrap_or_default();
    for target in linked.into_iter().chain([named.list.path("")]) {
        let Some(answer) = get(host, from, target, &named.server).await else { continue };
        if let Some(names) = names::nginx_rtmp(&answer.body) {
            host.match_signatures(Field::MediaServer, &named.server).await;
            hint(host, named, &names, from.at).await;
            return Some(());
        }
    }
    None
}

/// Where a start page leads to that is called a page of statistics, on the same port.
fn stat_links(host: &Inspection, answer: &Response) -> Vec<String> {
    let html = page::decode(&answer.body, answer.header("Content-Type").as_deref());
    let links = page::links(&html, MAX_LINKS).into_iter().filter(|link| link.to_ascii_lowercase().contains("stat"));
    let linked = links.filter_map(|link| crate::protocol::segment::resolve(host, answer, &link).ok()).map(|to| to.url);
    let own = linked.filter(|url| url.endpoint() == answer.at && url.target() != "/stat");
    own.map(|url| url.target().to_owned()).take(MAX_LINKED).collect()
}

/// Frigate's page on its port without a login. Its cameras may be passed on under their names; which are, only trying
/// tells.
async fn frigate(host: &Inspection, service: &Service) -> Option<()> {
    let named = stream_url::named("Frigate")?;
    let from = ListedAt::of(service);
    let mut names = None;
    for (target, read) in
        [(named.list.path(""), names::frigate_profile as Reader), ("/api/stats".to_owned(), names::frigate_stats)]
    {
        names = get(host, from, target, &named.server).await.and_then(|answer| read(&answer.body));
        if names.is_some() {
            break;
        }
    }
    let names = names?;
    // It records what it passes on: a recorder, as its title says.
    names.iter().for_each(|name| host.record.learn_stream_name(name));
    Some(())
}

/// What Janus is, and which streams its streaming plugin has. They are watched by messages of its own, so no address
/// stands for one.
async fn ask_janus(host: &Inspection, service: &Service) -> Option<()> {
    let at = Endpoint::of(service);
    let server = text::clean(&janus::info(host, at).await?);
    host.match_signatures(Field::MediaServer, &server).await;
    let mut found = Service::new(Protocol::Webrtc, Transport::Tcp, service.port);
    found.url = Some(message::url(&host.peer, at, "/janus"));
    found.server = Some(server);
    if let Some(streams) = janus::streams(host, at).await {
        let listed = if streams.is_empty() { "none".to_owned() } else { streams.join(", ") };
        found.notes.push(text::clean(&format!("lists streams: {listed}")));
    }
    host.emit(FindingKind::Service(found)).await;
    Some(())
}

/// Says where each name can be watched, as far as its server listens. go2rtc serves everything but RTSP where it lists.
async fn hint(host: &Inspection, named: &Named, names: &[String], at: Endpoint) {
    let services = host.record.services();
    let port_of = |protocol: Protocol, usual: u16| {
        let spoken = || services.iter().filter(|s| s.protocol == protocol && s.transport == Transport::Tcp);
        spoken().find(|s| s.port == usual).or_else(|| spoken().next()).map(|s| s.port)
    };
    let rtsp = named.path(Purpose::Rtsp).and_then(|p| Some(("rtsp", port_of(Protocol::Rtsp, p.port)?, p)));
    let rtmp = named.path(Purpose::Rtmp).and_then(|p| Some(("rtmp", port_of(Protocol::Rtmp, p.port)?, p)));
    let web = [Purpose::Hls, Purpose::Whep].into_iter().filter_map(|web| named.path(web)).filter_map(|place| {
        if place.port == named.list.port {
            return Some((if at.tls { "https" } else { "http" }, at.port, place));
        }
        let is_web = |s: &&Service| matches!(s.protocol, Protocol::Http | Protocol::Https) && s.port == place.port;
        services.iter().find(is_web).map(|service| (service.protocol.as_str(), place.port, place))
    });
    let ways: Vec<_> = rtsp.into_iter().chain(rtmp).chain(web).collect();
    for name in names {
        host.record.learn_stream_name(name);
        for (scheme, port, place) in &ways {
            let url = format!("{scheme}://{}:{port}{}", host_name(&host.peer), place.path(name));
            let hint = StreamHint { profile_name: text::clean_some(name), ..StreamHint::new(url) };
            host.emit(FindingKind::StreamHint(hint)).await;
        }
    }
}

#[cfg(test)]
mod tests {
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
            let heard =
                ask(vec![web(80, "nginx"), tcp(Protocol::Rtmp, 1935)], "192.0.2.10:80", None, move |asked| match asked
                    .target()
                {
                    "/" => reply("200 OK", "", &format!("<a href='{linked}'>x</a>")),
                    target if target == linked => reply("200 OK", "Content-Type: text/xml\r\n", STAT),
                    _ => reply("404 Not Found", "", ""),
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
        const LIST: &str =
            r#"{"yard":{"producers":[{"url":"rtsp://root:tiefes-wasser@10.0.0.9/1"}],"consumers":null}}"#;
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
}
