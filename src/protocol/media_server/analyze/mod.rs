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
mod tests;
