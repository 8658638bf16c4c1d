//! Asks a port where RTMP is expected for its handshake, plain or inside TLS. Connects to no application.

use super::client::{Client, RtmpError};
use crate::identify::ports;
use crate::model::{ErrorKind, FindingKind, Protocol, Service, Stage, Transport};
use crate::probe::{Detection, Detector, Inspection};
use crate::protocol::http::message::host_name;
use crate::wire::url::{Endpoint, Scheme};

/// The detector of RTMP and RTMPS.
pub const DETECTOR: Detector =
    Detector { stage: Stage::Rtmp, expects: is_expected, detect: |host, port| Box::pin(detect(host, port)) };

fn is_expected(port: u16) -> bool {
    ports::expects(port, Protocol::Rtmp) || ports::expects(port, Protocol::Rtmps)
}

pub(super) async fn detect(host: &Inspection, port: u16) -> Detection {
    // A kilobyte and a half of anything is sent only where it is expected.
    if !is_expected(port) {
        return Detection::Garbage;
    }
    let tls_first = ports::is_tls_first(port);
    let first = match shake(host, Endpoint { port, tls: tls_first }).await {
        Ok(heard) => return heard,
        Err(error) => error,
    };
    let other_may_do = matches!(first.kind, ErrorKind::Tls | ErrorKind::Protocol | ErrorKind::Closed);
    if other_may_do
        && !host.peer.is_over()
        && let Ok(heard) = shake(host, Endpoint { port, tls: !tls_first }).await
    {
        return heard;
    }
    match first.kind {
        _ if first.banner.starts_with(b"HTTP/") => Detection::Other(Protocol::Http),
        _ if first.banner.starts_with(b"RTSP/") => Detection::Other(Protocol::Rtsp),
        ErrorKind::Timeout => Detection::Silence,
        ErrorKind::Protocol => Detection::Garbage,
        _ => Detection::Closed,
    }
}

async fn shake(host: &Inspection, at: Endpoint) -> Result<Detection, RtmpError> {
    Client::open(&host.peer, at).await?.close(None).await;
    let scheme = Scheme::rtmp(at.tls);
    let mut service = Service::new(scheme.protocol(), Transport::Tcp, at.port);
    service.url = Some(format!("{scheme}://{}:{}/", host_name(&host.peer), at.port));
    host.emit(FindingKind::Service(service)).await;
    Ok(if at.tls { Detection::SpokenOverTls } else { Detection::Spoken })
}
