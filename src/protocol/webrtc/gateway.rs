//! Asks media gateways for the names of their streams, so that what follows need not guess. Runs before streams are
//! analysed.

use futures::future::BoxFuture;

use super::wire;
use crate::identify::signature::Field;
use crate::identify::stream_url::{self, Named};
use crate::model::finding::StreamHint;
use crate::model::{FindingKind, Protocol, Service, Transport, Verify};
use crate::probe::{HostContext, HostProbe};
use crate::protocol::http::client::{self, Request, Response, host_name};
use crate::protocol::manifest::web_ports;
use crate::text;

/// Where Janus answers HTTP.
const JANUS_PORT: u16 = 8088;

/// The question for what gateways list.
pub struct Gateways;

impl HostProbe for Gateways {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn run<'a>(&'a self, host: &'a HostContext) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if host.options.verify == Verify::None {
                return;
            }
            let services = web_ports(host);
            for service in &services {
                if service.port == 1984 || says(service, "go2rtc") {
                    go2rtc(host, service).await;
                }
                if service.port == JANUS_PORT {
                    janus(host, service).await;
                }
            }
            let is_mediamtx = |s: &Service| says(s, "mediamtx") || says(s, "gortsplib");
            if host.services().iter().any(is_mediamtx) {
                mediamtx(host).await;
            }
        })
    }
}

/// Whether a service names a server in its header or its title.
fn says(service: &Service, name: &str) -> bool {
    let has = |text: &Option<String>| text.as_ref().is_some_and(|t| t.to_ascii_lowercase().contains(name));
    has(&service.server) || has(&service.title)
}

async fn get(host: &HostContext, port: u16, tls: bool, target: String) -> Option<Response> {
    if host.is_over() {
        return None;
    }
    let login = host.logins.worked().is_some();
    let answer = client::send(host, Request { login, ..Request::get(port, tls, target) }).await.ok()?;
    (answer.status == 200).then_some(answer)
}

async fn go2rtc(host: &HostContext, service: &Service) -> Option<()> {
    let named = stream_url::named("go2rtc")?;
    let tls = service.protocol == Protocol::Https;
    let answer = get(host, service.port, tls, named.list.path("")).await?;
    let names = wire::go2rtc_names(&answer.body)?;
    host.observe(Field::MediaServer, "go2rtc").await;
    hint(host, named, &names, Some((service.port, tls))).await;
    Some(())
}

async fn mediamtx(host: &HostContext) -> Option<()> {
    let named = stream_url::named("MediaMTX")?;
    let answer = get(host, named.list.port, false, named.list.path("")).await?;
    let names = wire::mediamtx_names(&answer.body)?;
    host.observe(Field::MediaServer, "mediamtx").await;
    hint(host, named, &names, None).await;
    Some(())
}

async fn janus(host: &HostContext, service: &Service) -> Option<()> {
    let tls = service.protocol == Protocol::Https;
    let answer = get(host, service.port, tls, "/janus/info".to_owned()).await?;
    let server = text::clean(&wire::janus_info(&answer.body)?);
    host.observe(Field::MediaServer, &server).await;
    let mut found = Service::new(Protocol::Webrtc, Transport::Tcp, service.port);
    found.url = Some(client::url(host, tls, service.port, "/janus"));
    found.server = Some(server);
    host.say(FindingKind::Service(found)).await;
    Some(())
}

/// Says where each name can be watched, as far as its server listens. `api` is where the list came from: go2rtc serves
/// everything but RTSP there.
async fn hint(host: &HostContext, named: &Named, names: &[String], api: Option<(u16, bool)>) {
    let services = host.services();
    let port_of = |protocol: Protocol, usual: u16| {
        let spoken = || services.iter().filter(|s| s.protocol == protocol && s.transport == Transport::Tcp);
        spoken().find(|s| s.port == usual).or_else(|| spoken().next()).map(|s| s.port)
    };
    let rtsp = named.rtsp.as_ref().and_then(|p| Some(("rtsp", port_of(Protocol::Rtsp, p.port)?, p)));
    let rtmp = named.rtmp.as_ref().and_then(|p| Some(("rtmp", port_of(Protocol::Rtmp, p.port)?, p)));
    let web = [&named.hls, &named.whep].into_iter().flatten().filter_map(|place| match api {
        Some((port, tls)) => Some((if tls { "https" } else { "http" }, port, place)),
        None => {
            let service = services.iter().find(|s| s.port == place.port)?;
            matches!(service.protocol, Protocol::Http | Protocol::Https).then_some(())?;
            Some((service.protocol.as_str(), place.port, place))
        }
    });
    let ways: Vec<_> = rtsp.into_iter().chain(rtmp).chain(web).collect();
    for name in names {
        for (scheme, port, place) in &ways {
            let url = format!("{scheme}://{}:{port}{}", host_name(host), place.path(name));
            let hint = StreamHint { profile_name: text::clean_some(name), ..StreamHint::new(url) };
            host.say(FindingKind::StreamHint(hint)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProbeOptions;
    use crate::net::fake::{FakeNet, Reply};

    async fn hints(services: Vec<Service>, list: (&str, &'static str, &'static str)) -> Vec<String> {
        let net = FakeNet::new();
        let (at, path, body) = list;
        net.answer(at, move |asked| {
            let (status, body) = if asked.target() == path { ("200 OK", body) } else { ("404 Not Found", "") };
            Reply::Last(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
        });
        let (host, _said) = HostContext::for_test(net, "192.0.2.10", ProbeOptions::default());
        services.into_iter().for_each(|s| host.facts.note(&FindingKind::Service(s)));
        Gateways.run(&host).await;
        host.hints().into_iter().map(|h| h.url).collect()
    }

    fn tcp(protocol: Protocol, port: u16) -> Service {
        Service::new(protocol, Transport::Tcp, port)
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
        let mut hls = tcp(Protocol::Http, 8888);
        assert_eq!(hints(vec![hls.clone(), tcp(Protocol::Rtmp, 1935)], list).await, [""; 0]);
        hls.server = Some("mediamtx".to_owned());
        let said = hints(vec![hls, tcp(Protocol::Rtmp, 1935)], list).await;
        assert_eq!(said, ["rtmp://192.0.2.10:1935/cam", "http://192.0.2.10:8888/cam/index.m3u8"]);
    }
}
