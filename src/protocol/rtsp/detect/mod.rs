//! Asks an open port in RTSP, plain or inside TLS: OPTIONS, and DESCRIBE of `/` where that reveals more. Never logs in,
//! never sets a stream up.

use super::client::Client;
use super::error::RtspError;
use super::headers::RtspHeaders;
use super::wire::{Response, Spoken};
use crate::identify::ports;
use crate::identify::signature::Field;
use crate::model::{AuthScheme, ErrorKind, FindingKind, Protocol, Service, Stage, Transport};
use crate::net::tls::TlsInfo;
use crate::probe::{Detection, Detector, Inspection};
use crate::text;
use crate::wire::auth::Challenge;
use crate::wire::url::{Endpoint, Scheme};

/// The detector of RTSP and RTSPS.
pub const DETECTOR: Detector =
    Detector { stage: Stage::Rtsp, expects: is_expected, detect: |host, port| Box::pin(detect(host, port)) };

fn is_expected(port: u16) -> bool {
    ports::expects(port, Protocol::Rtsp) || ports::expects(port, Protocol::Rtsps)
}

async fn detect(host: &Inspection, port: u16) -> Detection {
    let tls_first = ports::is_tls_first(port);
    let first = match ask(host, Endpoint { port, tls: tls_first }).await {
        Ok(heard) => return heard,
        Err(error) => error,
    };
    if let Some(old) = first.old_tls
        && tls_first
        && ports::expects(port, Protocol::Rtsps)
    {
        let mut service = service(host, Endpoint::tls(port));
        service.notes.push(old.to_string());
        host.emit(FindingKind::Service(service)).await;
        host.error(Stage::Rtsp, first.kind, &first.message).await;
        return Detection::SpokenOverTls;
    }
    let other_may_do = match first.kind {
        ErrorKind::Tls | ErrorKind::Protocol | ErrorKind::Closed => true,
        // Silence costs as much again; that is spent only where RTSP is expected.
        ErrorKind::Timeout => is_expected(port) && first.step > crate::model::Step::Tcp,
        _ => false,
    };
    if other_may_do && !host.peer.is_over() && !host.peer.history.greets_otherwise(port) {
        match ask(host, Endpoint { port, tls: !tls_first }).await {
            Ok(heard) => return heard,
            // The port is open: what it answered in plain text means more than a failed handshake.
            Err(error) if tls_first => return detection_of(host, port, &error),
            Err(_) => {}
        }
    }
    detection_of(host, port, &first)
}

/// What a failure means for the port; an error only where RTSP is expected and nothing else is spoken.
fn detection_of(host: &Inspection, port: u16, failed: &RtspError) -> Detection {
    if is_expected(port) && failed.kind != ErrorKind::Interrupted {
        host.peer.doubt(port, Stage::Rtsp, failed.kind, &failed.message);
    }
    match failed.kind {
        ErrorKind::Timeout => Detection::Silence,
        ErrorKind::Protocol | ErrorKind::TooLarge => Detection::Garbage,
        _ => Detection::Closed,
    }
}

/// Asks, and returns what came.
async fn ask(host: &Inspection, at: Endpoint) -> Result<Detection, RtspError> {
    let mut client = Client::new(&host.peer, at).without_login();
    let response = match client.options("/").await {
        Ok(response) => Some(response),
        // Some answer DESCRIBE alone; on a port where nothing speaks for RTSP that is not worth another wait.
        Err(error)
            if error.kind == ErrorKind::Timeout
                && error.step > crate::model::Step::Tls
                && is_expected(at.port)
                && !host.peer.is_over() =>
        {
            let answered = client.describe("/").await;
            if answered.as_ref().is_err_and(|e| e.status.is_none()) {
                return Err(error);
            }
            None
        }
        Err(error) => return Err(error),
    };
    let mut notes = Vec::new();
    if let Some(response) = &response {
        if response.spoken == Spoken::Http {
            if !is_rtsp_in_http(response) {
                return Ok(Detection::Other(Scheme::http(at.tls).protocol()));
            }
            host.peer.history.note_rtsp(at.port);
            notes.push("answers RTSP in HTTP".to_owned());
        }
        if matches!(response.status, 453 | 503) {
            notes.push(format!("was busy: {} {}", response.status, response.reason));
        }
    }
    let is_open = match &response {
        Some(response) if is_describe_worthwhile(&client, response) => client.describe("/").await.is_ok_and(|d| d.open),
        _ => false,
    };
    client.disconnect();
    emit(host, at, &mut client, is_open, notes).await;
    Ok(if at.tls { Detection::SpokenOverTls } else { Detection::Spoken })
}

/// Whether DESCRIBE can reveal more: not when the login is known already, nor when it is not offered, as loudspeakers do
/// not, nor when the device is busy.
fn is_describe_worthwhile(client: &Client, response: &Response) -> bool {
    let offered = client.public().is_empty() || client.public().iter().any(|m| m == "DESCRIBE");
    client.challenges().is_none() && offered && !matches!(response.status, 403 | 423 | 429 | 453 | 503)
}

/// An HTTP answer that only an RTSP server gives: RTSP's methods, or its tunnel through HTTP.
fn is_rtsp_in_http(response: &Response) -> bool {
    response.headers.methods().iter().any(|m| m == "DESCRIBE")
        || response.headers.content_type().is_some_and(|t| t == "application/x-rtsp-tunnelled")
}

async fn emit(host: &Inspection, at: Endpoint, client: &mut Client, is_open: bool, notes: Vec<String>) {
    let mut service = service(host, at);
    service.auth = client.auth_schemes().or_else(|| is_open.then(Vec::new));
    service.server = client.server().map(str::to_owned);
    service.realm = realm_of(client.challenges().unwrap_or_default());
    service.notes = notes;
    service.answers = client.transcript.take();
    if let Some(info) = client.tls_info().filter(|_| at.tls) {
        note_certificate(&mut service, info);
    }
    let heard = [
        (Field::RtspServer, service.server.clone()),
        (Field::RtspPublic, Some(client.public().join(", ")).filter(|p| !p.is_empty())),
        (Field::Realm, service.realm.clone()),
        (Field::Certificate, service.certificate.clone()),
    ];
    host.emit(FindingKind::Service(service)).await;
    for (field, text) in heard {
        if let Some(text) = text {
            host.match_signatures(field, &text).await;
        }
    }
}

fn service(host: &Inspection, at: Endpoint) -> Service {
    let mut service = Service::new(Scheme::rtsp(at.tls).protocol(), Transport::Tcp, at.port);
    service.url = Some(super::url::RtspUrl::new(host.peer.ip, at, "/").to_string());
    service
}

fn note_certificate(service: &mut Service, info: &TlsInfo) {
    service.certificate = info.subject.as_deref().and_then(text::clean_some);
    service.fingerprint.clone_from(&info.fingerprint);
    if info.subject.is_some() && info.subject == info.issuer {
        service.notes.push("self-signed certificate".to_owned());
    }
}

/// The realm of the login, that of Digest before others: Hikvision's Basic names `/`.
fn realm_of(challenges: &[Challenge]) -> Option<String> {
    let digest = challenges.iter().filter(|c| c.scheme == AuthScheme::Digest);
    digest.chain(challenges).find_map(Challenge::realm)
}

#[cfg(test)]
mod tests;
