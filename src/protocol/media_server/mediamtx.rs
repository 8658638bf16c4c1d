//! Tells MediaMTX's ports apart: all of them answer `/` with nothing but the server's name. What a port lets other pages
//! do, which browsers ask before they do it and which needs no login, differs by what the port is for
//! (`middlewarePreflightRequests` in internal/servers/hls, internal/servers/webrtc and internal/api at 3e09466c1804).

use crate::model::{FindingKind, Protocol, Service, Transport};
use crate::probe::Inspection;
use crate::protocol::http::client;
use crate::protocol::http::message::{self, Request, Response};
use crate::wire::url::Endpoint;

/// Says what the HTTP ports of a MediaMTX serve.
pub(super) async fn emit_ports(host: &Inspection, services: &[Service]) {
    for service in services {
        if host.peer.is_over() {
            return;
        }
        let at = Endpoint::of(service);
        let headers = vec![("Access-Control-Request-Method".to_owned(), "GET".to_owned())];
        let preflight = Request { method: "OPTIONS", headers, follow: false, max_body: 1024, ..Request::get(at, "/") };
        let Ok(answer) = client::send(&host.peer, preflight).await else { continue };
        if let Some(protocol) = serves(&answer) {
            let mut found = Service::new(protocol, Transport::Tcp, service.port);
            found.url = Some(message::url(&host.peer, at, "/"));
            found.server.clone_from(&service.server);
            host.emit(FindingKind::Service(found)).await;
        }
    }
}

/// What a port is for by the headers it takes: HLS ranges, WHEP the entity tag of a session; its API neither.
fn serves(answer: &Response) -> Option<Protocol> {
    let takes = answer.header("Access-Control-Allow-Headers")?.to_ascii_lowercase();
    let does = answer.header("Access-Control-Allow-Methods")?.to_ascii_lowercase();
    match () {
        () if takes.contains("if-match") && does.contains("patch") => Some(Protocol::Webrtc),
        () if takes.contains("range") && !does.contains("post") => Some(Protocol::Hls),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_apart_by_what_they_take() {
        let answer = |methods: &str, headers: &str| Response {
            headers: [("Access-Control-Allow-Methods", methods), ("Access-Control-Allow-Headers", headers)]
                .into_iter()
                .collect(),
            ..Response::default()
        };
        for (methods, headers, is) in [
            ("OPTIONS, GET", "Authorization, Range", Some(Protocol::Hls)),
            ("OPTIONS, GET, POST, PATCH, DELETE", "Authorization, Content-Type, If-Match", Some(Protocol::Webrtc)),
            ("OPTIONS, GET, POST, PATCH, DELETE", "Authorization, Content-Type", None),
            ("OPTIONS, GET", "Authorization", None),
        ] {
            assert_eq!(serves(&answer(methods, headers)), is, "{headers}");
        }
    }
}
