//! Requests as they were sent, without who sent them.

use std::time::Duration;

use super::flow::Flow;
use crate::kit::format::{Ask, Blob, Proof, Spoken};
use crate::wire::head::{self, HeadEnd, Headers};

/// The longest body of a request.
const MAX_BODY: usize = 1 << 20;

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is kept of it.
    pub ask: Ask,
    /// Its headers.
    pub headers: Headers,
    /// Its target as it stands in it.
    pub uri: String,
    /// Its body.
    pub body: Vec<u8>,
}

/// What stands at the beginning of the bytes of a client.
pub enum Next {
    /// More bytes are needed.
    Incomplete,
    /// So many bytes that are no request: a packet of RTCP, a line end.
    Skip(usize),
    /// A request of so many bytes.
    Request(Box<Request>, usize),
    /// Something else than RTSP and HTTP.
    Other,
}

/// Reads what a client sent.
pub fn next(bytes: &[u8]) -> Next {
    match bytes {
        [] => return Next::Incomplete,
        [b'\r' | b'\n', ..] => return Next::Skip(1),
        [b'$', _, l1, l0, rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([*l1, *l0]));
            return if rest.len() < length { Next::Incomplete } else { Next::Skip(4 + length) };
        }
        [b'$', ..] => return Next::Incomplete,
        [first, ..] if !first.is_ascii_uppercase() => return Next::Other,
        _ => {}
    }
    let Some(length) = HeadEnd::default().find(bytes, |_| false) else {
        let is_long = bytes.len() > head::MAX_HEAD || !bytes.contains(&b'\n') && bytes.len() > 16 * 1024;
        return if is_long { Next::Other } else { Next::Incomplete };
    };
    let (first, headers) = head::read(bytes.get(..length).unwrap_or_default());
    let Some((method, uri, protocol)) = request_line(first) else { return Next::Other };
    let size = headers.content_length().and_then(|l| usize::try_from(l).ok()).unwrap_or(0);
    if size > MAX_BODY {
        return Next::Other;
    }
    let Some(body) = bytes.get(length..length + size) else { return Next::Incomplete };
    let request =
        Request { ask: ask(protocol, method, uri, &headers, body), headers, uri: uri.to_owned(), body: body.to_vec() };
    Next::Request(Box::new(request), length + size)
}

fn request_line(line: &[u8]) -> Option<(&str, &str, Spoken)> {
    let line = std::str::from_utf8(line).ok()?;
    let (method, rest) = line.split_once(' ')?;
    let (uri, version) = rest.rsplit_once(' ')?;
    let protocol = match version {
        _ if version.starts_with("RTSP/") => Spoken::Rtsp,
        _ if version.starts_with("HTTP/") => Spoken::Http,
        _ => return None,
    };
    let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    is_method.then_some((method, uri, protocol))
}

fn ask(protocol: Spoken, method: &str, uri: &str, headers: &Headers, body: &[u8]) -> Ask {
    let (body, has_security) = without_security(body);
    let login = match headers.text("Authorization") {
        Some(value) if value.to_ascii_lowercase().starts_with("digest") => Some(Proof::Digest),
        Some(value) if value.to_ascii_lowercase().starts_with("basic") => Some(Proof::Basic),
        _ => has_security.then_some(Proof::Wsse),
    };
    Ask {
        protocol,
        method: method.to_owned(),
        target: target_of(uri).to_owned(),
        login,
        transport: headers.text("Transport").map(std::borrow::Cow::into_owned),
        body: Some(Blob(body)).filter(|body| !body.is_empty()),
    }
}

/// Path and query of a target that may be a whole URL.
pub fn target_of(uri: &str) -> &str {
    match uri.split_once("://") {
        Some((_, rest)) => rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => uri,
    }
}

/// A SOAP message without its header, where the login and the number of the message stand; and whether it had a login.
fn without_security(body: &[u8]) -> (Vec<u8>, bool) {
    let Ok(text) = std::str::from_utf8(body) else { return (body.to_vec(), false) };
    let has_login = text.contains("UsernameToken");
    let start = text.find(":Header").and_then(|at| text.get(..at)?.rfind('<'));
    let end = text.rfind(":Header>").map(|at| at + ":Header>".len());
    match start.zip(end) {
        Some((start, end)) if start < end => {
            let kept = [text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default()].concat();
            (kept.into_bytes(), has_login)
        }
        _ if has_login => (Vec::new(), true),
        _ => (body.to_vec(), false),
    }
}

/// The requests of a connection with the times at which they were sent; none where something else was spoken.
pub(super) fn all(flow: &Flow) -> Option<Vec<(Duration, Request)>> {
    let mut requests = Vec::new();
    let mut at = 0;
    loop {
        match next(flow.from(at)) {
            Next::Incomplete => return Some(requests),
            Next::Skip(length) => at += length,
            Next::Request(request, length) => {
                requests.push((flow.time(at + length - 1), *request));
                at += length;
            }
            Next::Other if requests.is_empty() => return None,
            Next::Other => return Some(requests),
        }
    }
}
