//! What is said of a login: what the device said of it, and what camscan does by itself, are two things.

use super::once::{check, closed_stream, open_camera};
use super::*;
use crate::model::memory::Severity;

fn refused_stream(kind: ErrorKind, message: &str) -> Stream {
    let error = StreamError { kind, message: message.to_owned() };
    Stream { status: StreamStatus::AuthRequired, open: Some(false), error: Some(error), ..closed_stream("1") }
}

fn rests() -> Stream {
    refused_stream(ErrorKind::LoginRests, "no login was tried: 2 of 2 refused logins used")
}

#[test]
fn a_login_that_never_worked_is_not_told_to_be_refused_where_an_open_stream_gets_a_password() {
    for kind in [ErrorKind::AuthRefused, ErrorKind::LoginRests, ErrorKind::Locked] {
        let mut site = Site::default();
        site.scan(0, vec![open_camera()]);
        let first = check(&mut site, KEY, 300, refused_stream(kind, "the login was refused"));
        assert_eq!(sent(&first), ["stream.protected"], "{kind}");
        let later: Vec<Event> = [600, 900].into_iter().flat_map(|s| check(&mut site, KEY, s, rests())).collect();
        assert_eq!(sent(&later), [""; 0], "{kind}");
        assert_eq!(site.memory.devices[&uid(1)].login, None, "{kind}");
    }
}

#[test]
fn a_device_that_says_that_it_is_locked_is_a_problem() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    let events = check(&mut site, KEY, 300, refused_stream(ErrorKind::Locked, "the device says it is locked"));
    assert_eq!(sent(&events), ["login.locked"]);
    assert_eq!(events[0].severity, Severity::Problem);
}

#[test]
fn camscans_own_rest_is_neither_a_refusal_nor_a_lock() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    let events = check(&mut site, KEY, 300, rests());
    assert_eq!(sent(&events), ["login.rests"]);
    assert_eq!(events[0].severity, Severity::Info);
    let reason = "camscan does not send the login for now; whether it still works is not known";
    assert_eq!(events[0].data.reason.as_deref(), Some(reason));
    let failure = "no login was tried: 2 of 2 refused logins used";
    assert_eq!(events[0].data.failure.as_deref(), Some(failure));
    assert_eq!(check(&mut site, KEY, 600, rests()), [], "once");
    let known = &site.memory.devices[&uid(1)];
    assert!(!known.login_rests(), "no user has to act before it is tried again");
    // The next time that it is tried, the device itself says what is.
    let events = check(&mut site, KEY, 7_200, refused_stream(ErrorKind::AuthRefused, "the login was refused"));
    assert_eq!(sent(&events), ["login.refused"]);
    assert!(site.memory.devices[&uid(1)].login_rests());
    assert_eq!(check(&mut site, KEY, 7_500, rests()), [], "it is what was told");
    assert_eq!(sent(&site.play(1, 7_800, StreamStatus::Streaming)), ["login.accepted"]);
}

#[test]
fn a_login_is_tried_again_although_a_scan_that_began_before_sent_none() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    let events = check(&mut site, KEY, 300, refused_stream(ErrorKind::Locked, "the device says it is locked"));
    assert_eq!(sent(&events), ["login.locked"]);
    assert!(site.memory.retry_login(&uid(1)));
    assert_eq!(check(&mut site, KEY, 600, rests()), []);
    assert!(!site.memory.devices[&uid(1)].login_rests(), "it is still to be tried");
    assert_eq!(check(&mut site, KEY, 900, refused_stream(ErrorKind::Locked, "the device says it is locked")), []);
    assert!(site.memory.devices[&uid(1)].login_rests(), "it was, once");
}

#[test]
fn the_end_of_a_rest_that_met_no_refusal_is_kept_and_not_sent() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    assert_eq!(sent(&check(&mut site, KEY, 300, rests())), ["login.rests"]);
    assert_eq!(all(&site.play(1, 7_200, StreamStatus::Streaming)), [("login.accepted", Some(MutedBy::Told))]);
    assert_eq!(site.memory.devices[&uid(1)].login, None);
}
