//! What ONVIF answers mean for the login that a call carried, in a token or by HTTP, and why none was enough, in words.

use super::error::{CallError, demands_login};
use super::soap::Answer;
use crate::model::ErrorKind;
use crate::probe::negotiation::{Negotiation, Reply};
use crate::probe::{Peer, Verdict};
use crate::protocol::http::message::Response;
use crate::wire::auth::lock::{LockSign, lock_sign};

/// The verdict of an answer on the login its call carried.
pub(super) fn reply(response: &Response, answer: &Answer, negotiation: &Negotiation) -> Reply {
    let demands = demands_login(response, answer);
    let info = response.headers.all("Authentication-Info").next().map(<[u8]>::to_vec);
    let speaks_of_locks = demands || matches!(answer, Answer::Fault(_));
    let sign = || lock_sign(&response.body).filter(LockSign::says_stop);
    let lock = speaks_of_locks.then(sign).flatten();
    let reply = Reply { info, lock, ..Reply::new(verdict(response, answer, negotiation.is_proved())) };
    match demands {
        true if response.status == 401 => reply.demanding(response.challenges()),
        true => reply.demanding(Vec::new()),
        false => reply,
    }
}

/// By the fault, whatever the status: devices refuse logins with 400 and 500, too. An empty 200 is how some refuse a token;
/// of a login that was accepted before it proves nothing.
fn verdict(response: &Response, answer: &Answer, is_proved: bool) -> Verdict {
    match (answer, response.status) {
        (Answer::Body(_), _) => Verdict::Taken,
        (Answer::Fault(fault), _) if fault.is_about_the_clock() => Verdict::Stale,
        (Answer::Fault(fault), _) if fault.is_not_authorized() => Verdict::Refused,
        (Answer::Fault(_), _) => Verdict::Unclear,
        (Answer::Empty, 200) if !is_proved => Verdict::Refused,
        (_, 401) => Verdict::Refused,
        (_, 403) => Verdict::Forbidden,
        (_, 404) => Verdict::LookedAt,
        _ => Verdict::Unclear,
    }
}

/// Why a demand for a login was the last word.
pub(super) fn why_refused(peer: &Peer, negotiation: &Negotiation) -> CallError {
    if let Some(stopped) = peer.logins.stopped() {
        return CallError::login(peer.stopped_kind(), stopped);
    }
    if peer.logins.credentials().is_empty() {
        return CallError::login(ErrorKind::AuthRequired, "a login is demanded");
    }
    if let Some(why) = negotiation.withheld() {
        return CallError::login(ErrorKind::AuthRequired, format!("no login was tried: {}", why.clause()));
    }
    CallError::login(ErrorKind::AuthRefused, "the login was refused")
}
