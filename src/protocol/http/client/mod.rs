//! Sends a request to the host under inspection and reads the whole answer within a deadline and a byte cap.

use super::exchange::{Body, exchange};
use super::message::{HttpError, Request, Response};
use super::{login, redirect};
use crate::probe::Peer;
use crate::probe::negotiation::Authorization;
use crate::text;

/// Redirects followed at most.
const MAX_HOPS: usize = 3;
/// Cookies carried from redirect to redirect at most, and the longest, in bytes.
const MAX_COOKIES: usize = 8;
const MAX_COOKIE: usize = 1024;

/// Sends `request` to the host and reads the whole answer. A redirect that leads off the host, or one too many, is
/// returned as the answer, with a note.
///
/// # Errors
/// Connection failures, timeouts before the headers, answers that are no HTTP or whose headers never end.
pub async fn send(peer: &Peer, request: Request) -> Result<Response, HttpError> {
    let limit = request.max_body;
    let mut walk = Walk::new(request);
    loop {
        let (mut response, mut body) = match ask(peer, &walk.request).await {
            Ok(answer) => answer,
            Err(error) => return walk.back(error),
        };
        body.read_into(&mut response, limit, peer.request_deadline()).await;
        // A demand for a login is a good answer; so is that there is no such page.
        if body.is_left_open() && !matches!(response.status, 401 | 404) {
            peer.history.note_hung(response.at.port);
        }
        match walk.step(peer, response) {
            Some(answer) => return Ok(answer),
            None => continue,
        }
    }
}

/// Sends `request` once, with this login where there is one, and reads the whole answer. Follows nothing
/// and counts nothing: for those who keep a login over several requests.
///
/// # Errors
/// Connection failures, time-outs before the headers, answers that are no HTTP.
pub async fn send_once(
    peer: &Peer,
    request: &Request,
    authorization: Option<&Authorization>,
) -> Result<Response, HttpError> {
    let (mut response, mut body) = exchange(peer, request, authorization).await?;
    body.read_into(&mut response, request.max_body, peer.request_deadline()).await;
    Ok(response)
}

/// Sends `request` and reads no further than the headers of the answer: for bodies without end. Only redirects by
/// status are followed. `max_body` does not bound what the body gives.
///
/// # Errors
/// As [`send`].
pub async fn open(peer: &Peer, request: Request) -> Result<(Response, Body), HttpError> {
    let mut walk = Walk::new(request);
    loop {
        let (response, body) = ask(peer, &walk.request).await?;
        if let Some(answer) = walk.step(peer, response) {
            return Ok((answer, body));
        }
    }
}

/// A request on its way from redirect to redirect.
struct Walk {
    request: Request,
    /// What the device asked to be reminded of on the way, `name=value`.
    cookies: Vec<String>,
    hops: Vec<Response>,
    notes: Vec<String>,
}

impl Walk {
    fn new(request: Request) -> Self {
        Walk { request, cookies: Vec::new(), hops: Vec::new(), notes: Vec::new() }
    }

    /// Goes one redirect further, or gives the answer back.
    fn step(&mut self, peer: &Peer, mut response: Response) -> Option<Response> {
        if self.request.follow
            && let Some(location) = redirect::location(&response)
        {
            // Some send back to the same page, to see whether their cookie comes along.
            let reminded = self.take_cookies(&response);
            let visited = |hop: &redirect::Hop| {
                let same = |r: &Response| r.host_url() == hop.url;
                !reminded && (same(&response) || self.hops.iter().any(same))
            };
            match redirect::resolve(&location, &response, peer.ip, &peer.name) {
                // A page that reloads itself.
                Ok(hop) if visited(&hop) && response.status == 200 => {}
                Ok(hop) if visited(&hop) => self.notes.push("redirects in a circle".to_owned()),
                Ok(_) if self.hops.len() >= MAX_HOPS => {
                    self.notes.push(format!("redirects more than {MAX_HOPS} times"));
                }
                Ok(hop) => {
                    self.notes.extend(hop.note);
                    self.request.at = hop.url.endpoint();
                    self.request.target = hop.url.target().to_owned();
                    self.hops.push(response);
                    return None;
                }
                Err(note) => self.notes.push(note),
            }
        }
        response.hops = std::mem::take(&mut self.hops);
        self.notes.append(&mut response.notes);
        response.notes = std::mem::take(&mut self.notes);
        Some(response)
    }

    /// Takes note of the cookies of an answer that sends on, for the requests that follow on this host. Says whether any is
    /// new.
    fn take_cookies(&mut self, response: &Response) -> bool {
        let mut is_new = false;
        for cookie in response.headers.texts("Set-Cookie") {
            let cookie = cookie.split(';').next().unwrap_or_default().trim();
            let Some((name, _)) = cookie.split_once('=').filter(|(n, _)| !n.is_empty()) else { continue };
            if self.cookies.iter().any(|known| known == cookie) || cookie.len() > MAX_COOKIE {
                continue;
            }
            self.cookies.retain(|known| known.split('=').next() != Some(name));
            if self.cookies.len() < MAX_COOKIES {
                self.cookies.push(cookie.to_owned());
                is_new = true;
            }
        }
        if is_new {
            self.request.headers.retain(|(name, _)| name != "Cookie");
            self.request.headers.push(("Cookie".to_owned(), self.cookies.join("; ")));
        }
        is_new
    }

    /// When a redirect leads nowhere, the answer that sent there is the answer.
    fn back(mut self, error: HttpError) -> Result<Response, HttpError> {
        let Some(mut response) = self.hops.pop() else { return Err(error) };
        let location = redirect::location(&response).unwrap_or_default();
        let shown = text::clean(&text::redact_url(&location));
        self.notes.push(format!("redirects to {shown}, which leads nowhere: {error}"));
        (response.hops, response.notes) = (self.hops, self.notes);
        Ok(response)
    }
}

/// One request and the head of its answer, logged in where that is asked for and allowed.
async fn ask(peer: &Peer, request: &Request) -> Result<(Response, Body), HttpError> {
    let (mut response, mut body) = exchange(peer, request, None).await?;
    match response.status {
        401 | 403 | 423 | 429 if request.login => {
            login::check_lock(peer, &mut response, &mut body).await;
            if response.status != 401 || peer.logins.is_warned_off() {
                return Ok((response, body));
            }
            login::answer(peer, request, response, body).await
        }
        _ => Ok((response, body)),
    }
}

#[cfg(test)]
mod tests;
