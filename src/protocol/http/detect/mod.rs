//! Asks an open port for `/` over HTTP, plain or inside TLS, and reads what the answer gives away: server, realm, title,
//! icon, certificate, redirects.

use md5::{Digest as _, Md5};

use super::client;
use super::message::{self, HttpError, Request, Response};
use super::transcript;
use super::{page, redirect};
use crate::identify::ports;
use crate::identify::signature::Field;
use crate::model::finding::StreamHint;
use crate::model::{AuthScheme, ErrorKind, FindingKind, Protocol, Service, Stage, Transport};
use crate::net::tls::TlsInfo;
use crate::probe::{Detection, Detector, Inspection};
use crate::text;
use crate::wire::auth;
use crate::wire::url::{Endpoint, Scheme};

/// The most of a page's text that signatures are shown.
const MAX_TEXT: usize = 64 * 1024;
/// Playlists and manifests taken of one page at most.
const MAX_MANIFESTS: usize = 8;
/// The most an icon may weigh.
const MAX_ICON: usize = 64 * 1024;

/// The detector of HTTP and HTTPS.
pub const DETECTOR: Detector =
    Detector { stage: Stage::Http, expects: is_expected, detect: |host, port| Box::pin(detect(host, port)) };

async fn detect(host: &Inspection, port: u16) -> Detection {
    match ports::is_tls_first(port) {
        true => tls_first(host, port).await,
        false => plain_first(host, port).await,
    }
}

fn is_expected(port: u16) -> bool {
    ports::expects(port, Protocol::Http) || ports::expects(port, Protocol::Https)
}

async fn tls_first(host: &Inspection, port: u16) -> Detection {
    let failed = match ask(host, Endpoint::tls(port)).await {
        Ok(heard) => return heard,
        Err(error) => error,
    };
    if let Some(heard) = old_tls(host, port, &failed).await {
        return heard;
    }
    if failed.kind != ErrorKind::Tls && failed.kind != ErrorKind::Timeout {
        return detection_of(host, Endpoint::tls(port), &failed).await;
    }
    match ask(host, Endpoint::plain(port)).await {
        Ok(heard) => heard,
        Err(error) => {
            host.peer.doubt(port, Stage::Http, failed.kind, &failed.message);
            detection_of(host, Endpoint::plain(port), &error).await
        }
    }
}

async fn plain_first(host: &Inspection, port: u16) -> Detection {
    let failed = match ask(host, Endpoint::plain(port)).await {
        Ok(heard) => return heard,
        Err(error) => error,
    };
    let tls_is_likely = match failed.kind {
        // How a TLS server answers a plain request: an alert record, or nothing before it hangs up.
        ErrorKind::Protocol => failed.banner.starts_with(&[0x15, 0x03]),
        ErrorKind::Closed => true,
        // A server that takes the request for the start of a very long record waits; asked only where it pays.
        ErrorKind::Timeout => is_expected(port),
        _ => false,
    };
    if tls_is_likely && !host.peer.is_over() {
        match ask(host, Endpoint::tls(port)).await {
            Ok(heard) => return heard,
            Err(error) => {
                if let Some(heard) = old_tls(host, port, &error).await {
                    return heard;
                }
            }
        }
    }
    detection_of(host, Endpoint::plain(port), &failed).await
}

/// Asks for `/` and emits what came.
async fn ask(host: &Inspection, at: Endpoint) -> Result<Detection, HttpError> {
    let response = client::send(&host.peer, Request::get(at, "/")).await?;
    let first = response.hops.first().unwrap_or(&response);
    if first.version.to_ascii_uppercase().starts_with("RTSP") {
        return Ok(Detection::Other(Protocol::Rtsp));
    }
    if !at.tls
        && response.hops.is_empty()
        && wants_tls(&response)
        && let Ok(inside) = client::send(&host.peer, Request::get(Endpoint::tls(at.port), "/")).await
    {
        emit(host, &inside).await;
        return Ok(Detection::SpokenOverTls);
    }
    emit(host, &response).await;
    Ok(if at.tls { Detection::SpokenOverTls } else { Detection::Spoken })
}

/// Whether a plain request was answered by "this is an HTTPS port".
fn wants_tls(response: &Response) -> bool {
    response.status == 400 && {
        let text = String::from_utf8_lossy(&response.body).to_ascii_lowercase();
        text.contains("https") || text.contains("tls") || text.contains("ssl")
    }
}

/// A server that answers the handshake, but speaks nothing newer than TLS 1.1 or only ciphers that are given up.
async fn old_tls(host: &Inspection, port: u16, failed: &HttpError) -> Option<Detection> {
    let old = failed.old_tls?;
    let mut service = service(host, Endpoint::tls(port));
    service.notes.push(old.to_string());
    host.emit(FindingKind::Service(service)).await;
    host.error(Stage::Http, ErrorKind::Tls, &failed.message).await;
    Some(Detection::SpokenOverTls)
}

/// What a failure means for the port.
async fn detection_of(host: &Inspection, at: Endpoint, failed: &HttpError) -> Detection {
    match failed.kind {
        ErrorKind::TooLarge => {
            // It began like HTTP.
            let mut service = service(host, at);
            service.notes.push(format!("headers of more than {} KiB", crate::wire::head::MAX_HEAD / 1024));
            host.emit(FindingKind::Service(service)).await;
            if at.tls { Detection::SpokenOverTls } else { Detection::Spoken }
        }
        ErrorKind::Protocol => Detection::Garbage,
        ErrorKind::Timeout => Detection::Silence,
        _ => Detection::Closed,
    }
}

fn service(host: &Inspection, at: Endpoint) -> Service {
    let mut service = Service::new(Scheme::http(at.tls).protocol(), Transport::Tcp, at.port);
    service.url = Some(message::url(&host.peer, at, "/"));
    service
}

/// Says what an answer and those that redirected to it give away.
async fn emit(host: &Inspection, response: &Response) {
    let mut said: Vec<Endpoint> = Vec::new();
    for hop in response.hops.iter().filter(|hop| hop.at != response.at) {
        if said.contains(&hop.at) {
            continue;
        }
        said.push(hop.at);
        let mut service = describe(host, hop).await;
        let location = redirect::location(hop).unwrap_or_default();
        service.notes.push(format!("redirects to {}", text::clean(&text::redact_url(&location))));
        host.emit(FindingKind::Service(service)).await;
    }
    // Another port that is asked by itself gives the same once more.
    if !said.is_empty() && host.options.ports.contains(&response.at.port) {
        return;
    }
    let mut service = describe(host, response).await;
    service.notes.extend(response.notes.iter().cloned());
    if response.status == 200 && response.content_type() == "multipart/x-mixed-replace" {
        host.emit(FindingKind::StreamHint(StreamHint::new(response.url(&host.peer)))).await;
    }
    emit_page(host, response, &mut service).await;
    host.emit(FindingKind::Service(service)).await;
    emit_icon(host, response).await;
}

/// What headers and handshake give away.
async fn describe(host: &Inspection, response: &Response) -> Service {
    let mut service = service(host, response.at);
    service.answers = transcript::of_http(&host.peer, response);
    service.server = response.headers.clean("Server");
    if let Some(server) = &service.server {
        host.match_signatures(Field::HttpServer, server).await;
    }
    // A server keeps its own time there (RFC 9110 §6.6.1); a page that is passed on may be dated when it was made.
    let date = response.headers.clean("Date").filter(|_| !response.headers.has("Age") && !response.headers.has("Via"));
    if let Some(there) = date.and_then(|date| jiff::fmt::rfc2822::parse(&date).ok()) {
        let ahead = there.timestamp().duration_since((host.peer.clock)());
        host.emit(FindingKind::Clock(ahead.as_secs())).await;
    }
    let challenges = response.challenges();
    service.realm = challenges.iter().find_map(auth::Challenge::realm);
    if let Some(realm) = &service.realm {
        host.match_signatures(Field::Realm, realm).await;
    }
    if response.status == 401 {
        service.auth = Some(auth::schemes(&challenges));
    }
    if let Some(info) = &response.tls_info {
        emit_certificate(host, info, &mut service).await;
    }
    service
}

/// What the certificate gives away: its subject, the names it is for, and that its time is over; and that TLS itself is old.
async fn emit_certificate(host: &Inspection, info: &TlsInfo, service: &mut Service) {
    let subject = info.subject.as_deref().and_then(text::clean_some);
    let names: Vec<String> = info.names.iter().filter_map(|name| text::clean_some(name)).collect();
    service.fingerprint.clone_from(&info.fingerprint);
    // Newer certificates have no subject, only names.
    service.certificate = subject.or_else(|| names.first().map(|name| format!("CN={name}")));
    let shown = service.certificate.clone().unwrap_or_default();
    let others = names.iter().filter(|name| !shown.contains(name.as_str())).map(|name| format!("CN={name}"));
    for text in std::iter::once(shown.clone()).filter(|s| !s.is_empty()).chain(others) {
        host.match_signatures(Field::Certificate, &text).await;
    }
    if let Some(old) = info.version.as_deref().filter(|v| matches!(*v, "SSL 3.0" | "TLS 1.0" | "TLS 1.1")) {
        service.notes.push(format!("speaks only {old}"));
    }
    let Some(ends) = info.not_after.and_then(|end| jiff::Timestamp::from_second(end).ok()) else { return };
    host.emit(FindingKind::CertificateEnd(ends)).await;
    if ends < (host.peer.clock)() {
        service.notes.push(format!("its certificate ended on {}", ends.strftime("%Y-%m-%d")));
    }
}

/// What the page gives away.
async fn emit_page(host: &Inspection, response: &Response, service: &mut Service) {
    let kind = response.content_type();
    if ["image/", "video/", "audio/", "multipart/"].iter().any(|k| kind.starts_with(k)) || response.body.is_empty() {
        return;
    }
    let html = page::decode(&response.body, response.header("Content-Type").as_deref());
    if let Some(title) = page::title(&html).as_deref().and_then(text::clean_some) {
        host.match_signatures(Field::HttpTitle, &title).await;
        // The title of an error page names the error, not the device.
        service.title = Some(title).filter(|_| response.status < 400);
    }
    if response.status == 200 {
        service.auth = Some(match page::asks_for_password(&html) {
            true => vec![AuthScheme::Other],
            false => Vec::new(),
        });
    }
    host.match_signatures(Field::HttpBody, up_to(&html, MAX_TEXT)).await;
    for link in page::manifests(up_to(&html, MAX_TEXT), MAX_MANIFESTS) {
        if let Ok(hop) = redirect::resolve(&link, response, host.peer.ip, &host.peer.name) {
            let url = text::clean(&hop.url.at(message::host_name(&host.peer)));
            host.emit(FindingKind::StreamHint(StreamHint::new(url))).await;
        }
    }
}

fn up_to(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Fetches the page's icon, or the one at the usual place, and emits its hash.
async fn emit_icon(host: &Inspection, response: &Response) {
    if host.peer.is_over() || !matches!(response.status, 200 | 401 | 403) {
        return;
    }
    let html = page::decode(&response.body, response.header("Content-Type").as_deref());
    let link = page::icon(&html).filter(|link| !link.starts_with("data:")).unwrap_or_else(|| "/favicon.ico".to_owned());
    let Ok(hop) = redirect::resolve(&link, response, host.peer.ip, &host.peer.name) else { return };
    if hop.url.endpoint() != response.at {
        return;
    }
    let request = Request { max_body: MAX_ICON, follow: false, ..Request::of(&hop.url) };
    let Ok(icon) = client::send(&host.peer, request).await else { return };
    if icon.status == 200 && !icon.truncated && is_image(&icon.body) {
        let hash: String = Md5::digest(&icon.body).iter().map(|b| format!("{b:02x}")).collect();
        host.match_signatures(Field::FaviconMd5, &hash).await;
    }
}

/// By the first bytes: many servers send their start page for every path, as `image/x-icon` too.
fn is_image(bytes: &[u8]) -> bool {
    let magic: [&[u8]; 6] = [b"\x89PNG", b"GIF8", b"\x00\x00\x01\x00", b"\xff\xd8\xff", b"BM", b"RIFF"];
    magic.iter().any(|m| bytes.starts_with(m)) || up_to(&String::from_utf8_lossy(bytes), 256).contains("<svg")
}

#[cfg(test)]
mod tests;
