//! Finds where a host speaks ONVIF.

use super::super::client::{Client, Expectation};
use crate::identify::ports;
use crate::model::{Protocol, Service, Stage, Transport};
use crate::probe::Inspection;
use crate::wire::url::{AnnouncedUrl, Endpoint, HostUrl};

/// Where the device service is by the standard (ONVIF Core Specification §5.1.1).
const PATH: &str = "/onvif/device_service";
/// Ports asked unannounced, at most.
const MAX_GUESSES: usize = 6;

/// The first address where ONVIF is spoken: those the device announced, then the usual path on its HTTP ports.
pub async fn first(host: &Inspection) -> Option<Client<'_>> {
    let announced = announced(host);
    for endpoint in &announced {
        match Client::open(&host.peer, endpoint.clone(), Expectation::Announced).await {
            Ok(client) => return Some(client),
            Err(error) => host.error(Stage::Onvif, error.kind(), error.to_string()).await,
        }
    }
    if host.record.is_clearly_no_camera() {
        return None;
    }
    for endpoint in guesses(host).into_iter().filter(|e| !announced.contains(e)) {
        if host.peer.is_over() {
            return None;
        }
        let expectation = match host.record.is_like_a_camera() {
            true => Expectation::Camera,
            false => Expectation::Nothing,
        };
        if let Ok(client) = Client::open(&host.peer, endpoint, expectation).await {
            return Some(client);
        }
    }
    None
}

fn announced(host: &Inspection) -> Vec<HostUrl> {
    let services = host.record.services();
    let onvif = services.iter().filter(|s| s.protocol == Protocol::Onvif && s.transport == Transport::Tcp);
    onvif.map(place).collect()
}

/// Where the device service of an ONVIF service is.
pub fn place(service: &Service) -> HostUrl {
    let announced = service.url.as_deref().and_then(AnnouncedUrl::read_http).map(|a| a.url);
    let at = Endpoint { port: service.port, tls: announced.as_ref().is_some_and(|url| url.scheme.is_tls()) };
    at.http(announced.as_ref().map_or(PATH, HostUrl::target))
}

/// The HTTP services found, plain before TLS, the likeliest port first.
fn guesses(host: &Inspection) -> Vec<HostUrl> {
    let rank = |port: u16| ports::describe(port).and_then(|known| known.onvif_rank).unwrap_or(u8::MAX);
    let mut likeliest: Vec<(bool, u8, u16)> = host
        .record
        .services()
        .iter()
        .filter(|s| matches!(s.protocol, Protocol::Http | Protocol::Https) && s.transport == Transport::Tcp)
        .map(|s| (s.protocol == Protocol::Https, rank(s.port), s.port))
        .collect();
    likeliest.sort_unstable();
    likeliest.truncate(MAX_GUESSES);
    likeliest.into_iter().map(|(tls, _, port)| Endpoint { port, tls }.http(PATH)).collect()
}
