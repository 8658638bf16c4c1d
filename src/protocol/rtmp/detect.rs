//! Asks a port where RTMP is expected for its handshake, plain or inside TLS. Connects to no application.

use futures::future::BoxFuture;

use super::client::{Client, RtmpError};
use crate::identify::ports;
use crate::model::{ErrorKind, FindingKind, Protocol, Service, Transport};
use crate::probe::{Detector, Heard, HostContext};
use crate::protocol::http::client::host_name;

/// The detector of RTMP and RTMPS.
pub struct RtmpDetector;

impl Detector for RtmpDetector {
    fn name(&self) -> &'static str {
        "rtmp"
    }

    fn expects(&self, port: u16) -> bool {
        ports::expects(port, Protocol::Rtmp) || ports::expects(port, Protocol::Rtmps)
    }

    fn detect<'a>(&'a self, host: &'a HostContext, port: u16) -> BoxFuture<'a, Heard> {
        Box::pin(async move {
            // A kilobyte and a half of anything is sent only where it is expected.
            if !self.expects(port) {
                return Heard::Garbage;
            }
            let tls_first = !ports::expects(port, Protocol::Rtmp);
            let first = match shake(host, port, tls_first).await {
                Ok(heard) => return heard,
                Err(error) => error,
            };
            let other_may_do = matches!(first.kind, ErrorKind::Tls | ErrorKind::Protocol | ErrorKind::Closed);
            if other_may_do
                && !host.is_over()
                && let Ok(heard) = shake(host, port, !tls_first).await
            {
                return heard;
            }
            match first.kind {
                _ if first.banner.starts_with(b"HTTP/") => Heard::Other(Protocol::Http),
                _ if first.banner.starts_with(b"RTSP/") => Heard::Other(Protocol::Rtsp),
                ErrorKind::Timeout => Heard::Silence,
                ErrorKind::Protocol => Heard::Garbage,
                _ => Heard::Closed,
            }
        })
    }
}

async fn shake(host: &HostContext, port: u16, tls: bool) -> Result<Heard, RtmpError> {
    Client::open(host, port, tls).await?.close(None).await;
    let (protocol, heard) = match tls {
        true => (Protocol::Rtmps, Heard::SpokenOverTls),
        false => (Protocol::Rtmp, Heard::Spoken),
    };
    let mut service = Service::new(protocol, Transport::Tcp, port);
    service.url = Some(format!("{protocol}://{}:{port}/", host_name(host)));
    host.say(FindingKind::Service(service)).await;
    Ok(heard)
}
