//! Answers a login challenge with the user's credentials, never past what the host's logins allow.

use std::time::Duration;

use tokio::time::Instant;

use super::client::{HttpError, Request, Response};
use super::exchange::{Body, exchange};
use crate::model::{ErrorKind, Protocol};
use crate::probe::{HostContext, LoginTry};
use crate::wire::auth;
use crate::wire::auth::lock::{LockSign, lock_sign};
use crate::wire::auth::login::Login;

/// What of a refusal is read for signs of a lock-out.
const MAX_REFUSAL: usize = 16 * 1024;
/// How long the text of a refusal is awaited before the login is answered all the same.
const REFUSAL_PAUSE: Duration = Duration::from_secs(2);

/// Looks for signs of a lock-out in a refusal of a request without login: who is locked out already is told so before
/// anything is tried, and a try would prolong it.
pub(super) async fn heed(host: &HostContext, response: &mut Response, body: &mut Body) {
    if host.credentials().is_empty() {
        return;
    }
    let until = host.request_deadline().min(Instant::now() + REFUSAL_PAUSE);
    let (text, _) = body.read_all(MAX_REFUSAL, until).await;
    let busy = matches!(response.status, 423 | 429).then(|| format!("answered {}", response.status));
    // A page for people may speak of locks whatever the state; a demand for a login that is a page tells nothing.
    let is_page = || text.windows(5).any(|w| w.eq_ignore_ascii_case(b"<html") || w.eq_ignore_ascii_case(b"<scri"));
    let sign = lock(&text).filter(|_| response.status != 401 || !is_page());
    if let Some(why) = sign.or(busy) {
        host.logins.lock_out(why.clone());
        response.notes.push(why);
    }
    body.put_back(text);
}

/// What a refusal says of a lock-out, in words.
fn lock(text: &[u8]) -> Option<String> {
    lock_sign(text).filter(LockSign::says_stop).map(|sign| sign.sentence())
}

/// Tries the credentials one after the other, none again that was refused over HTTP. The last answer is returned, whatever it is; a note says when nothing
/// more may be tried.
///
/// # Errors
/// As [`super::client::send`].
pub(super) async fn answer(
    host: &HostContext,
    request: &Request,
    response: Response,
    body: Body,
) -> Result<(Response, Body), HttpError> {
    let outcome = walk(host, request, (response, body)).await;
    host.say_logins().await;
    outcome
}

async fn walk(
    host: &HostContext,
    request: &Request,
    (mut response, mut body): (Response, Body),
) -> Result<(Response, Body), HttpError> {
    for credential in host.credentials() {
        if host.logins.was_refused(Protocol::Http, &credential) {
            continue;
        }
        let challenges = auth::challenges(&response.challenges);
        let Some(challenge) = auth::choose(&challenges) else { break };
        let Some(attempt) = host.logins.begin() else {
            response.notes.extend(host.logins.stopped());
            break;
        };
        // Its place among the host's connections is needed for the next.
        drop(body);
        let mut login = Login::new(challenge.clone(), credential, fastrand::u64(..));
        let mut outcome = send(host, request, &mut login).await;
        if let Ok((response, _)) = &outcome
            && response.status == 401
        {
            let challenges = auth::challenges(&response.challenges);
            // Only an outright "stale" is no refusal here: the nonce answered was given a moment ago.
            if challenges.iter().any(auth::Challenge::is_stale)
                && let Some(mut renewed) = login.renewed(&challenges, fastrand::u64(..))
            {
                drop(outcome);
                outcome = send(host, request, &mut renewed).await;
            }
        }
        (response, body) = settle(host, attempt, &login, outcome).await?;
        if response.status != 401 || host.logins.stopped().is_some() {
            break;
        }
    }
    Ok((response, body))
}

async fn send(host: &HostContext, request: &Request, login: &mut Login) -> Result<(Response, Body), HttpError> {
    let authorization = login.authorization(request.method, &request.target, &request.body);
    exchange(host, request, Some(&authorization)).await
}

/// Counts what came of a login.
async fn settle(
    host: &HostContext,
    attempt: LoginTry,
    login: &Login,
    outcome: Result<(Response, Body), HttpError>,
) -> Result<(Response, Body), HttpError> {
    let (mut response, mut body) = match outcome {
        Ok(answer) => answer,
        Err(error) => {
            // Without a connection nothing was sent; a connection that broke may have carried a refusal.
            if matches!(error.kind, ErrorKind::Refused | ErrorKind::Unreachable | ErrorKind::Tls | ErrorKind::Local) {
                attempt.undecided();
            }
            return Err(error);
        }
    };
    match response.status {
        401 | 403 | 423 | 429 => {
            let known_good = host.logins.worked().is_some_and(|c| c == *login.credential());
            if response.status == 403 && known_good {
                // A login that is good elsewhere and may not see this.
                attempt.undecided();
            } else {
                attempt.refused();
                host.logins.note_refused(Protocol::Http, login.credential());
            }
            let (text, _) = body.read_all(MAX_REFUSAL, host.request_deadline()).await;
            let busy = matches!(response.status, 423 | 429);
            if let Some(why) = lock(&text).or_else(|| busy.then(|| format!("answered {} to a login", response.status)))
            {
                host.logins.lock_out(why.clone());
                response.notes.push(why);
            }
            body.put_back(text);
        }
        _ => {
            attempt.accepted(login.credential());
            response.logged_in = true;
        }
    }
    Ok((response, body))
}
