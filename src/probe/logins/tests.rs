use super::*;
use proptest::prelude::*;

fn now(grant: Grant) -> LoginTry {
    match grant {
        Grant::Now(login) => login,
        other => panic!("{other:?}"),
    }
}

fn login(user: &str) -> Credential {
    Credential::new(user, "secret")
}

#[test]
fn a_locked_device_is_left_alone() {
    let logins = Logins::new(5);
    logins.lock_out(LockSign::Locked("locked for 30 minutes".to_owned()));
    assert!(matches!(logins.grant(Protocol::Rtsp, &login("a")), Grant::Never));
    assert_eq!(logins.attempts(), None);
    assert_eq!(logins.stopped().as_deref(), Some("locked for 30 minutes"));
    assert!(logins.is_locked());
}

#[test]
fn a_device_that_is_about_to_lock_is_left_alone_and_is_not_locked() {
    let logins = Logins::new(5);
    logins.lock_out(LockSign::AttemptsLeft(2));
    assert!(matches!(logins.grant(Protocol::Rtsp, &login("a")), Grant::Never));
    assert!(!logins.is_locked());
    assert_eq!(logins.stopped().as_deref(), Some("the device locks after 2 more refused logins"));
    // It may say later that it is.
    logins.lock_out(LockSign::Locked("the device says it is locked".to_owned()));
    logins.lock_out(LockSign::AttemptsLeft(1));
    assert!(logins.is_locked());
}

#[test]
fn a_login_that_was_looked_at_is_followed_by_no_other() {
    let logins = Logins::new(2);
    for _ in 0..9 {
        now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::LookedAt);
    }
    assert!(matches!(logins.grant(Protocol::Onvif, &login("b")), Grant::Never));
    assert!(logins.is_held_back(&login("b")));
    now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Taken);
    now(logins.grant(Protocol::Onvif, &login("b"))).end(Verdict::Refused);
    assert_eq!(logins.attempts(), Some(LoginAttempts { refused: 1, unclear: 0, limit: 2 }));
}

#[test]
fn two_unproved_logins_are_never_under_way_at_once() {
    let logins = Logins::new(4);
    let first = now(logins.grant(Protocol::Rtsp, &login("a")));
    assert!(matches!(logins.grant(Protocol::Http, &login("b")), Grant::Later));
    let again = now(logins.grant(Protocol::Http, &login("a")));
    first.end(Verdict::LookedAt);
    again.end(Verdict::LookedAt);
    assert!(matches!(logins.grant(Protocol::Http, &login("b")), Grant::Never));
}

#[test]
fn the_last_place_is_kept_for_what_a_login_has_opened() {
    let logins = Logins::new(2);
    now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Taken);
    assert!(logins.may_explore(&login("a")));
    now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Refused);
    assert!(!logins.may_explore(&login("a")));
    now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Taken);
}

#[test]
fn what_got_no_answer_counts_until_a_login_that_worked_before_is_taken() {
    for worked_before in [true, false] {
        let logins = Logins::new(3);
        logins.worked_before(worked_before.then(|| login("a")));
        now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Unanswered);
        now(logins.grant(Protocol::Onvif, &login("a"))).end(Verdict::Taken);
        assert_eq!(logins.attempts().unwrap().unclear, 1, "another protocol may have other users");
        now(logins.grant(Protocol::Rtsp, &login("a"))).end(Verdict::Taken);
        assert_eq!(logins.attempts().unwrap().unclear, u32::from(!worked_before));
        now(logins.grant(Protocol::Http, &login("a"))).end(Verdict::Unclear);
        now(logins.grant(Protocol::Http, &login("a"))).end(Verdict::Taken);
        assert_eq!(logins.attempts().unwrap().unclear, 1 + u32::from(!worked_before), "it was answered");
    }
}

#[test]
fn a_login_is_refused_over_whichever_protocol_the_device_refused_it() {
    for (worked_before, verdict, expected) in [
        (Some("a"), Verdict::Refused, true),
        (Some("a"), Verdict::Unanswered, false),
        (Some("b"), Verdict::Refused, false),
        (None, Verdict::Refused, false),
    ] {
        let logins = Logins::new(2);
        logins.offer(vec![login("a"), login("b")]);
        logins.worked_before(worked_before.map(login));
        assert!(!logins.is_refused());
        now(logins.grant(Protocol::Onvif, &login("a"))).end(verdict);
        assert_eq!(logins.is_refused(), expected, "{worked_before:?} {verdict:?}");
        now(logins.grant(Protocol::Onvif, &login("b"))).end(Verdict::Refused);
        assert_eq!(logins.is_refused(), expected || verdict == Verdict::Refused, "where both are");
    }
}

/// A verdict of any kind.
fn verdicts() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![
        Verdict::Taken,
        Verdict::LookedAt,
        Verdict::Refused,
        Verdict::Forbidden,
        Verdict::Stale,
        Verdict::Unclear,
        Verdict::Unanswered,
        Verdict::Unsent,
    ])
}

proptest! {
    /// Whatever order answers come in, over however many protocols at once: refused and unclear requests of logins that
    /// had not been proved never pass the limit, nor do refusals of those that had; and at most one login is in the
    /// state of having been looked at.
    #[test]
    fn refusals_never_pass_the_limit(
        limit in 0u32..4,
        steps in prop::collection::vec((0u8..3, 0usize..3, 0usize..3, verdicts()), 0..64),
    ) {
        const PROTOCOLS: [Protocol; 3] = [Protocol::Rtsp, Protocol::Http, Protocol::Onvif];
        let logins = Logins::new(limit);
        let mut open: Vec<LoginTry> = Vec::new();
        let (mut counted, mut looked_at) = (0u32, Vec::new());
        for (step, protocol, user, verdict) in steps {
            if step == 0 {
                let wanted = login(["a", "b", "c"][user]);
                if let Grant::Now(granted) = logins.grant(PROTOCOLS[protocol], &wanted) {
                    prop_assert!(looked_at.iter().all(|c| *c == wanted));
                    open.push(granted);
                }
            } else if !open.is_empty() {
                let attempt = open.remove(user % open.len());
                let credential = attempt.credential().clone();
                counted += match verdict {
                    _ if step == 2 => u32::from(!attempt.is_proved()),
                    Verdict::Refused | Verdict::Stale => 1,
                    Verdict::Forbidden | Verdict::Unclear | Verdict::Unanswered => u32::from(!attempt.is_proved()),
                    _ => 0,
                };
                if step == 2 {
                    drop(attempt);
                } else {
                    match verdict {
                        Verdict::LookedAt if !attempt.is_proved() && !looked_at.contains(&credential) => looked_at.push(credential),
                        Verdict::Taken => looked_at.retain(|c| *c != credential),
                        _ => {}
                    }
                    attempt.end(verdict);
                }
            }
            prop_assert!(counted + open.len() as u32 <= limit);
            prop_assert!(looked_at.len() <= 1);
            let said = logins.attempts().map_or(0, |a| a.refused + a.unclear);
            prop_assert_eq!(said, counted);
        }
    }
}
