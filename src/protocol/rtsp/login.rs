//! What RTSP answers mean for the login that a request carried, and why one was not enough, in words.

use super::wire::Response;
use crate::model::{AuthScheme, ErrorKind, Protocol};
use crate::probe::negotiation::{Negotiation, Reply};
use crate::probe::{Peer, Verdict};
use crate::wire::auth::lock::{LockSign, lock_sign};
use crate::wire::auth::{self, Challenge};

/// The verdict of an answer on the login its request carried. `is_describe`: whether a description was asked for, without
/// which success proves nothing. `server` is the device's `Server` header.
pub(super) fn reply(response: &Response, is_describe: bool, server: Option<&str>) -> Reply {
    let verdict = match response.status {
        200..=299 if is_describe && response.body.is_empty() => Verdict::Unclear,
        200..=299 => Verdict::Taken,
        401 => Verdict::Refused,
        403 => Verdict::Forbidden,
        404 | 454..=461 => Verdict::LookedAt,
        _ => Verdict::Unclear,
    };
    let info = response.headers.all("Authentication-Info").next().map(<[u8]>::to_vec);
    let reply = Reply { lock: lock(response), info, ..Reply::new(verdict) };
    if response.status != 401 {
        return reply;
    }
    let challenges = auth::challenges(response.headers.all("WWW-Authenticate"));
    match challenges.iter().any(|c| is_no_camera(c, server)) {
        true => reply,
        false => reply.demanding(challenges),
    }
}

/// That no login is to be tried any more, when the device states that it is locked or about to be.
fn lock(response: &Response) -> Option<LockSign> {
    if matches!(response.status, 423 | 429) {
        let said = format!("the device says {} {}", response.status, response.reason);
        return Some(LockSign::Locked(crate::text::clean(&said)));
    }
    let is_refusal = matches!(response.status, 401 | 403);
    let sign = || lock_sign(&response.body).or_else(|| lock_sign(response.reason.as_bytes()));
    is_refusal.then(sign).flatten().filter(LockSign::says_stop)
}

/// Why a 401 or 403 was the last word.
pub(super) fn why_refused(peer: &Peer, negotiation: &Negotiation, status: u16) -> Option<(ErrorKind, String)> {
    let known = peer.logins.credentials();
    if negotiation.refused() > 0 {
        let counted = if negotiation.refused() == 1 { "the login was" } else { "the logins were" };
        let also = peer.logins.stopped().map_or(String::new(), |why| format!("; {why}"));
        return Some((ErrorKind::AuthRefused, format!("{counted} refused{also}")));
    }
    if status != 401 {
        return None;
    }
    if negotiation.is_allowed() && !known.is_empty() {
        if let Some(why) = peer.logins.why_stopped() {
            return Some((peer.stopped_kind(), format!("no login was tried: {why}")));
        }
        if let Some(why) = negotiation.withheld() {
            return Some((ErrorKind::AuthRequired, format!("no login was tried: {}", why.clause())));
        }
        if known.iter().all(|c| peer.logins.is_held_back(c)) {
            let why = "the device looked at another one without saying yes or no";
            return Some((ErrorKind::AuthRequired, format!("no further login was tried: {why}")));
        }
    }
    if !known.is_empty() && known.iter().all(|c| peer.logins.was_refused(Protocol::Rtsp, c)) {
        let counted = if known.len() == 1 { "the login was" } else { "the logins were" };
        return Some((ErrorKind::AuthRefused, format!("{counted} refused before")));
    }
    let schemes = auth::schemes(negotiation.offered());
    let names = || schemes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
    let sentence = match auth::choose(negotiation.offered()) {
        None if schemes == [AuthScheme::Other] => {
            "a login is demanded without saying how, or in a way not known".to_owned()
        }
        None => format!("a login is demanded in a way not known ({})", names()),
        Some(challenge) => {
            let realm = challenge.realm().map_or(String::new(), |r| format!(", realm \"{r}\""));
            format!("a login is demanded ({}{realm})", names())
        }
    };
    Some((ErrorKind::AuthRequired, sentence))
}

/// Loudspeakers that speak RTSP ask for passwords, too: those of their owners' phones.
fn is_no_camera(challenge: &Challenge, server: Option<&str>) -> bool {
    let realm = challenge.realm().unwrap_or_default();
    ["airplay", "raop"].iter().any(|r| realm.eq_ignore_ascii_case(r))
        || server.is_some_and(|s| s.starts_with("AirTunes"))
}
