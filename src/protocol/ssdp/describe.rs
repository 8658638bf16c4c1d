//! Reads the descriptions a host announced by SSDP.

use super::description;
use crate::model::{Protocol, Stage};
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::client;
use crate::protocol::http::message::Request;
use crate::wire::url::AnnouncedUrl;

/// Descriptions fetched of one host at most.
const MOST: usize = 2;

/// Fetches and reads a host's UPnP descriptions.
pub const PROBE: Probe = Probe { stage: Stage::Upnp, phase: Phase::Name, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    let services = host.record.services();
    let announced = services.iter().filter(|s| s.protocol == Protocol::Upnp).filter_map(|s| s.url.as_deref());
    for location in announced.filter_map(AnnouncedUrl::read_http).filter(|l| l.ip() == Some(host.peer.ip)).take(MOST) {
        if host.peer.is_over() {
            return;
        }
        read(host, &location).await;
    }
}

async fn read(host: &Inspection, location: &AnnouncedUrl) {
    let request = Request::of(&location.url);
    match client::send(&host.peer, request).await {
        Ok(response) if response.status == 200 => {
            if let Some(description) = description::parse(&response.body, location) {
                description.facts(host.peer.ip).emit(host).await;
            }
        }
        Ok(response) => tracing::debug!(ip = %host.peer.ip, status = response.status, "no UPnP description"),
        Err(error) => tracing::debug!(ip = %host.peer.ip, %error, "no UPnP description"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fact, FindingKind, Service, Transport};
    use crate::testkit::net::{FakeNet, Reply};

    async fn described(url: &str) -> (usize, Vec<String>) {
        let net = FakeNet::new();
        let document = "<root><device><manufacturer>ACME</manufacturer><modelName>X1</modelName></device></root>";
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{document}", document.len());
        let log = net.answer("192.0.2.30:49152", move |_| Reply::text(answer.clone()));
        let (host, mut said) = Inspection::for_test(net, "192.0.2.30", Default::default());
        let mut service = Service::new(Protocol::Upnp, Transport::Udp, 1900);
        service.url = Some(url.into());
        host.record.learn(&FindingKind::Service(service));
        run(&host).await;
        drop(host);
        let mut models = Vec::new();
        while let Some(finding) = said.recv().await {
            if let FindingKind::Evidence(e) = finding.kind
                && e.fact == Fact::Model
            {
                models.push(e.value);
            }
        }
        (log.all().len(), models)
    }

    #[tokio::test(start_paused = true)]
    async fn the_announced_description_is_read() {
        assert_eq!(described("http://192.0.2.30:49152/d.xml").await, (1, vec!["X1".to_owned()]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_description_on_another_host_is_not() {
        assert_eq!(described("http://192.0.2.31:49152/d.xml").await, (0, vec![]));
    }
}
