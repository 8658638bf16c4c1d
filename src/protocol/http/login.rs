//! Answers a demand for a login over HTTP with the user's credentials, by the device's negotiation.

use std::time::Duration;

use tokio::time::Instant;

use super::exchange::{Body, exchange};
use super::message::{HttpError, Request, Response};
use crate::model::ErrorKind;
use crate::probe::negotiation::{Negotiation, Reply};
use crate::probe::{Peer, Verdict};
use crate::wire::auth::lock::{LockSign, lock_sign};

/// What of a refusal is read for signs of a lock-out.
const MAX_REFUSAL: usize = 16 * 1024;
/// How long the text of a refusal is awaited before the login is answered all the same.
const REFUSAL_PAUSE: Duration = Duration::from_secs(2);

/// Looks for signs of a lock-out in a refusal of a request without login: a client that is locked out already learns it
/// before anything is tried, and a try would prolong it.
pub(super) async fn check_lock(peer: &Peer, response: &mut Response, body: &mut Body) {
    if peer.logins.credentials().is_empty() {
        return;
    }
    let until = peer.request_deadline().min(Instant::now() + REFUSAL_PAUSE);
    let (text, _) = body.read_all(MAX_REFUSAL, until).await;
    let busy = || LockSign::Locked(format!("answered {}", response.status));
    let busy = matches!(response.status, 423 | 429).then(busy);
    // A page for people may speak of locks whatever the state; a login page proves nothing.
    let is_page = || text.windows(5).any(|w| w.eq_ignore_ascii_case(b"<html") || w.eq_ignore_ascii_case(b"<scri"));
    let sign = lock(&text).filter(|_| response.status != 401 || !is_page());
    if let Some(sign) = sign.or(busy) {
        response.notes.push(sign.sentence());
        peer.logins.lock_out(sign);
    }
    body.put_back(text);
}

/// What a refusal states about a lock-out.
fn lock(text: &[u8]) -> Option<LockSign> {
    lock_sign(text).filter(LockSign::says_stop)
}

/// Tries the credentials one after the other on a request whose answer demands a login. The last answer is returned,
/// whatever it is; a note says when nothing more may be tried.
///
/// # Errors
/// Connection failures, time-outs before the headers, answers that are no HTTP.
pub(super) async fn answer(
    peer: &Peer,
    request: &Request,
    response: Response,
    body: Body,
) -> Result<(Response, Body), HttpError> {
    let mut negotiation = Negotiation::new(peer.logins.clone(), request.account, response.encryption());
    negotiate(peer, request, (response, body), &mut negotiation).await
}

async fn negotiate(
    peer: &Peer,
    request: &Request,
    (mut response, mut body): (Response, Body),
    negotiation: &mut Negotiation,
) -> Result<(Response, Body), HttpError> {
    let mut carried_login = false;
    loop {
        let reply = match carried_login {
            true => reply(peer, &mut response, &mut body).await,
            false => Reply::new(Verdict::Unsent).demanding(response.challenges()),
        };
        response.logged_in = carried_login && reply.verdict == Verdict::Taken;
        negotiation.set_encryption(response.encryption());
        let (credentials, deadline) = (peer.logins.credentials(), peer.request_deadline());
        let next = negotiation.answered(reply, &credentials);
        if !negotiation.settled(next, &credentials, deadline).await {
            if response.status == 401 {
                response.notes.extend(why_none(peer, negotiation));
            }
            return Ok((response, body));
        }
        // Its place among the host's connections is needed for the next.
        drop(body);
        let authorization = negotiation.authorization(request.method, &request.target, &request.body);
        carried_login = authorization.is_some();
        (response, body) = match exchange(peer, request, authorization.as_ref()).await {
            Ok(answer) => answer,
            Err(error) => {
                // Without a connection nothing was sent; a connection that broke may have carried a refusal.
                let unsent = matches!(
                    error.kind,
                    ErrorKind::Refused | ErrorKind::Unreachable | ErrorKind::Tls | ErrorKind::Local
                );
                match error.kind {
                    ErrorKind::Closed => negotiation.closed(),
                    _ => negotiation.unanswered(!unsent),
                }
                return Err(error);
            }
        };
    }
}

/// Why no login is tried, or no further one.
fn why_none(peer: &Peer, negotiation: &Negotiation) -> Option<String> {
    let withheld = || negotiation.withheld().map(|why| format!("no login was tried: {}", why.clause()));
    peer.logins.stopped().or_else(withheld)
}

/// What an answer to a request with a login means for it.
async fn reply(peer: &Peer, response: &mut Response, body: &mut Body) -> Reply {
    let verdict = match response.status {
        // Some devices answer a wrong login with success and nothing in it.
        200 if body.is_empty() => Verdict::Unclear,
        200..=299 => Verdict::Taken,
        401 => Verdict::Refused,
        403 => Verdict::Forbidden,
        404 => Verdict::LookedAt,
        _ => Verdict::Unclear,
    };
    let mut reply = Reply::new(verdict);
    if matches!(response.status, 401 | 403 | 423 | 429) {
        let (text, _) = body.read_all(MAX_REFUSAL, peer.request_deadline()).await;
        let busy = || LockSign::Locked(format!("answered {} to a login", response.status));
        let busy = matches!(response.status, 423 | 429).then(busy);
        reply.lock = lock(&text).or(busy);
        response.notes.extend(reply.lock.as_ref().map(LockSign::sentence));
        body.put_back(text);
    }
    match response.status {
        401 => reply.demanding(response.challenges()),
        _ => reply,
    }
}
