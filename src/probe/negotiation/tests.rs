use proptest::prelude::*;

use super::*;
use crate::model::{LoginAttempts, LoginGuard};

const DIGEST: &[u8] = b"Digest realm=\"r\", nonce=\"1\"";
const NEWER: &[u8] = b"Digest realm=\"r\", nonce=\"2\"";
const STALE: &[u8] = b"Digest realm=\"r\", nonce=\"3\", stale=true";
const BASIC: &[u8] = b"Basic realm=\"r\"";

fn refusal(lines: &[&[u8]]) -> Reply {
    Reply::new(Verdict::Refused).demanding(auth::challenges(lines))
}

fn users(names: &[&str]) -> Vec<Credential> {
    names.iter().map(|name| Credential::new(*name, "secret")).collect()
}

fn negotiation(limit: u32) -> (Arc<Logins>, Negotiation) {
    let logins = Logins::new(limit);
    (logins.clone(), Negotiation::new(logins, Protocol::Rtsp, Encryption::None))
}

fn sent(negotiation: &mut Negotiation) -> Option<String> {
    let login = negotiation.authorization("DESCRIBE", "rtsp://h/", b"")?;
    Some(String::from_utf8(login.value).unwrap())
}

/// What a login is sent as, when it is demanded by these challenges.
fn demanded(negotiation: &mut Negotiation, lines: &[&[u8]], users: &[Credential]) -> Option<String> {
    negotiation.begin();
    assert_eq!(sent(negotiation), None);
    (negotiation.answered(refusal(lines), users) == Next::Again).then(|| sent(negotiation)).flatten()
}

#[test]
fn a_right_login_is_proved_and_goes_along_from_then_on() {
    let (logins, mut negotiation) = negotiation(2);
    let users = users(&["a"]);
    assert!(demanded(&mut negotiation, &[DIGEST], &users).unwrap().starts_with("Digest username=\"a\""));
    assert_eq!(negotiation.answered(Reply::new(Verdict::Taken), &users), Next::Done);
    negotiation.begin_more();
    assert!(negotiation.prepare());
    assert!(sent(&mut negotiation).unwrap().contains("nonce=\"1\""));
    assert_eq!(negotiation.answered(Reply::new(Verdict::Taken), &users), Next::Done);
    assert_eq!(logins.attempts(), Some(LoginAttempts { refused: 0, unclear: 0, limit: 2 }));
    // What is new is asked for without it, and so is everything on another connection.
    negotiation.begin();
    assert!(!negotiation.prepare());
    negotiation.reconnected();
    negotiation.begin_more();
    assert!(!negotiation.prepare());
}

#[test]
fn the_next_login_is_tried_after_a_refusal_until_the_limit() {
    let (logins, mut negotiation) = negotiation(2);
    let users = users(&["a", "b", "c"]);
    assert!(demanded(&mut negotiation, &[DIGEST], &users).unwrap().contains("\"a\""));
    assert_eq!(negotiation.answered(refusal(&[NEWER]), &users), Next::Again);
    assert!(sent(&mut negotiation).unwrap().contains("\"b\""));
    assert_eq!(negotiation.answered(refusal(&[NEWER]), &users), Next::Done);
    assert_eq!(logins.stopped().as_deref(), Some("2 of 2 refused logins used"));
    assert_eq!(demanded(&mut negotiation, &[DIGEST], &users), None);
}

#[test]
fn a_token_answers_a_demand_unless_that_is_for_schemes_nobody_knows() {
    for (challenges, is_sent) in [
        (&[][..], true),
        (&[b"WSSE realm=\"x\"".as_slice()][..], true),
        (&[b"Digest realm=\"x\", nonce=\"y\", algorithm=ROT13".as_slice()][..], true),
        (&[b"NTLM".as_slice()][..], false),
        (&[b"Negotiate".as_slice(), b"Bearer realm=\"Digest\""][..], false),
    ] {
        let (_, negotiation) = negotiation(2);
        let mut negotiation = negotiation.with_tokens();
        demanded(&mut negotiation, challenges, &users(&["a"]));
        assert_eq!(negotiation.token().is_some(), is_sent, "{challenges:?}");
    }
}

#[test]
fn an_answer_that_says_neither_yes_nor_no_counts() {
    let (logins, mut negotiation) = negotiation(2);
    let users = users(&["a", "b"]);
    for _ in 0..2 {
        assert!(demanded(&mut negotiation, &[DIGEST], &users).is_some());
        assert_eq!(negotiation.answered(Reply::new(Verdict::Unclear), &users), Next::Done);
    }
    assert_eq!(demanded(&mut negotiation, &[DIGEST], &users), None);
    assert_eq!(logins.attempts(), Some(LoginAttempts { refused: 0, unclear: 2, limit: 2 }));
}

#[test]
fn a_login_that_finds_nothing_may_look_at_many_addresses_but_no_other_follows() {
    let (logins, mut negotiation) = negotiation(2);
    let users = users(&["a", "b"]);
    for _ in 0..8 {
        assert!(demanded(&mut negotiation, &[DIGEST], &users).unwrap().contains("\"a\""));
        assert_eq!(negotiation.answered(Reply::new(Verdict::LookedAt), &users), Next::Done);
    }
    assert!(demanded(&mut negotiation, &[DIGEST], &users).unwrap().contains("\"a\""));
    assert_eq!(negotiation.answered(refusal(&[DIGEST]), &users), Next::Done);
    assert_eq!(demanded(&mut negotiation, &[DIGEST], &users), None);
    assert_eq!(logins.attempts(), Some(LoginAttempts { refused: 1, unclear: 0, limit: 2 }));
}

#[test]
fn a_nonce_that_ran_out_is_no_refusal_when_the_newer_one_is_taken() {
    let (logins, mut negotiation) = negotiation(2);
    let users = users(&["a"]);
    demanded(&mut negotiation, &[DIGEST], &users);
    negotiation.answered(Reply::new(Verdict::Taken), &users);
    for newer in [NEWER, STALE] {
        negotiation.begin_more();
        assert!(negotiation.prepare());
        assert_eq!(negotiation.answered(refusal(&[newer]), &users), Next::Again);
        assert!(sent(&mut negotiation).is_some());
        assert_eq!(negotiation.answered(Reply::new(Verdict::Taken), &users), Next::Done);
    }
    assert_eq!(logins.attempts(), Some(LoginAttempts { refused: 0, unclear: 0, limit: 2 }));
    // Refused with the newer one as well, both count.
    negotiation.begin_more();
    assert!(negotiation.prepare());
    assert_eq!(negotiation.answered(refusal(&[DIGEST]), &users), Next::Again);
    assert_eq!(negotiation.answered(refusal(&[NEWER]), &users), Next::Done);
    assert_eq!(logins.attempts(), Some(LoginAttempts { refused: 2, unclear: 0, limit: 2 }));
    negotiation.begin_more();
    assert!(!negotiation.prepare());
}

#[test]
fn stale_without_end_is_refused_without_end() {
    let (logins, mut negotiation) = negotiation(2);
    let users = users(&["a", "b"]);
    demanded(&mut negotiation, &[DIGEST], &users);
    assert_eq!(negotiation.answered(refusal(&[STALE]), &users), Next::Again);
    assert!(sent(&mut negotiation).unwrap().contains("\"a\""));
    assert_eq!(negotiation.answered(refusal(&[STALE]), &users), Next::Done);
    assert_eq!(logins.attempts(), Some(LoginAttempts { refused: 2, unclear: 0, limit: 2 }));
}

#[test]
fn a_readable_password_goes_no_weaker_way_than_the_device_was_known_by() {
    use Withheld::{OffersDigest, OtherCertificate, TookTls};
    let guard = |offered_digest, certificates: Option<&[&str]>| {
        let certificates = certificates.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        LoginGuard { offered_digest, certificates }
    };
    let tls = |certificate: &str| Encryption::Tls { fingerprint: Some(certificate.to_owned()) };
    let (unproved, plain) = (|| Encryption::Tls { fingerprint: None }, || Encryption::None);
    let (digest, by_tls) = (|| guard(true, Some(&["a"])), || guard(false, Some(&["a", "b"])));
    for (offers_digest, guards, encryption, withheld) in [
        (false, vec![], plain(), None),
        (false, vec![], tls("z"), None),
        (true, vec![], plain(), Some(OffersDigest)),
        (true, vec![], tls("z"), None),
        (true, vec![], unproved(), None),
        (false, vec![digest()], plain(), Some(OffersDigest)),
        (false, vec![digest()], tls("a"), None),
        (false, vec![digest()], tls("b"), Some(OtherCertificate)),
        (false, vec![digest()], unproved(), Some(OtherCertificate)),
        (false, vec![by_tls()], plain(), Some(TookTls)),
        (false, vec![by_tls()], tls("b"), None),
        (false, vec![by_tls()], tls("z"), Some(OtherCertificate)),
        // What states to be a second device needs a certificate that both have.
        (false, vec![digest(), by_tls()], tls("a"), None),
        (false, vec![digest(), by_tls()], tls("b"), Some(OtherCertificate)),
        (false, vec![digest(), by_tls()], plain(), Some(OffersDigest)),
        // Certificates that an earlier version did not note.
        (false, vec![guard(true, None)], tls("z"), None),
        (false, vec![guard(true, Some(&[]))], tls("z"), Some(OtherCertificate)),
    ] {
        for allow_basic in [false, true] {
            let logins = Logins::new(2);
            logins.guard(&guards);
            if offers_digest {
                logins.note_digest();
            }
            let mut negotiation = Negotiation::new(logins, Protocol::Http, encryption.clone());
            let user = Credential { allow_basic, ..Credential::new("a", "secret") };
            let header = demanded(&mut negotiation, &[BASIC], &[user]);
            let wanted = withheld.filter(|_| !allow_basic);
            let case = format!("{offers_digest} {guards:?} {encryption:?} {allow_basic}");
            assert_eq!(negotiation.withheld(), wanted, "{case}");
            assert_eq!(header.is_some_and(|h| h.starts_with("Basic ")), wanted.is_none(), "{case}");
        }
    }
}

/// A connection that was opened anew may lead to another server than the one that made the demand.
#[test]
fn a_readable_password_is_held_back_from_a_connection_that_became_weaker() {
    let logins = Logins::new(2);
    logins.guard(&[LoginGuard { offered_digest: true, certificates: Some(["a".to_owned()].into()) }]);
    let tls = |certificate: &str| Encryption::Tls { fingerprint: Some(certificate.to_owned()) };
    let mut negotiation = Negotiation::new(logins.clone(), Protocol::Rtsp, tls("a"));
    let users = users(&["u"]);
    negotiation.begin();
    let demand = Reply::new(Verdict::Unsent).demanding(auth::challenges([BASIC]));
    assert_eq!(negotiation.answered(demand, &users), Next::Again);
    let login = negotiation.authorization("OPTIONS", "/", b"").unwrap();
    assert!(login.by(&tls("a"), &logins).is_ok());
    assert_eq!(login.by(&tls("b"), &logins).err(), Some(Withheld::OtherCertificate));
    assert_eq!(login.by(&Encryption::None, &logins).err(), Some(Withheld::OffersDigest));
    negotiation.set_encryption(tls("b"));
    assert!(negotiation.authorization("OPTIONS", "/", b"").is_none());
    assert_eq!(negotiation.withheld(), Some(Withheld::OtherCertificate));
    assert_eq!(logins.attempts(), Some(LoginAttempts { refused: 0, unclear: 0, limit: 2 }));
}

#[test]
fn digest_is_not_stepped_down_from() {
    // Digest first, then Basic alone: no step down, not for the second login either.
    let (_, mut negotiation) = negotiation(4);
    let users = users(&["a", "b"]);
    assert!(demanded(&mut negotiation, &[BASIC, DIGEST], &users).unwrap().starts_with("Digest "));
    assert_eq!(negotiation.answered(refusal(&[BASIC]), &users), Next::Done);
}

#[test]
fn a_token_goes_where_no_challenge_is_made_and_a_challenge_is_answered_after_it() {
    let logins = Logins::new(3);
    let mut negotiation = Negotiation::new(logins.clone(), Protocol::Onvif, Encryption::None).with_tokens();
    let users = users(&["a", "b"]);
    assert_eq!(negotiation.answered(refusal(&[]), &users), Next::Again);
    assert_eq!((negotiation.token(), sent(&mut negotiation)), (Some(users[0].clone()), None));
    assert_eq!(negotiation.answered(refusal(&[DIGEST]), &users), Next::Again);
    assert!(negotiation.token().is_none() && sent(&mut negotiation).unwrap().contains("\"a\""));
    assert_eq!(negotiation.answered(refusal(&[DIGEST]), &users), Next::Again);
    assert!(sent(&mut negotiation).unwrap().contains("\"b\""));
    assert_eq!(negotiation.answered(Reply::new(Verdict::Taken), &users), Next::Done);
    assert_eq!(logins.attempts().unwrap().refused, 2);
}

#[test]
fn a_token_whose_time_was_wrong_is_made_once_more() {
    let logins = Logins::new(2);
    let mut negotiation = Negotiation::new(logins.clone(), Protocol::Onvif, Encryption::None).with_tokens();
    let users = users(&["a", "b"]);
    assert_eq!(negotiation.answered(refusal(&[]), &users), Next::Again);
    let clock = || Reply::new(Verdict::Stale).demanding(Vec::new());
    assert_eq!(negotiation.answered(clock(), &users), Next::Again);
    assert_eq!(negotiation.token(), Some(users[0].clone()));
    assert_eq!(negotiation.answered(clock(), &users), Next::Done);
    assert_eq!(logins.attempts().unwrap().refused, 2);
}

#[test]
fn what_was_never_sent_is_not_counted_and_what_was_not_answered_is() {
    let (logins, mut negotiation) = negotiation(2);
    let users = users(&["a"]);
    demanded(&mut negotiation, &[DIGEST], &users);
    negotiation.unanswered(false);
    assert_eq!(logins.attempts().unwrap().counted(), 0);
    demanded(&mut negotiation, &[DIGEST], &users);
    drop(negotiation);
    assert_eq!(logins.attempts().unwrap().unclear, 1);
}

proptest! {
    /// Whatever is answered, in whatever order, by several clients of one device: what a server counts of logins that it
    /// had not taken before never passes the limit, and refusals never do.
    #[test]
    fn a_server_never_counts_more_than_the_limit(
        limit in 0u32..4,
        count in 0usize..4,
        steps in prop::collection::vec((0usize..3, 0u8..9, any::<bool>(), any::<bool>()), 0..80),
    ) {
        let logins = Logins::new(limit);
        let users: Vec<Credential> = (0..count).map(|n| Credential::new(format!("user{n}"), "secret")).collect();
        let protocols = [Protocol::Rtsp, Protocol::Http, Protocol::Onvif];
        let mut clients: Vec<Negotiation> =
            protocols.iter().map(|p| Negotiation::new(logins.clone(), *p, Encryption::None).with_tokens()).collect();
        // Per client: the login on its way. The server's own books: what it took over each protocol, what it counts.
        let mut on_way: Vec<Option<String>> = vec![None; 3];
        let mut proved: Vec<(usize, String)> = Vec::new();
        let mut counted = 0u32;
        let mut refused = 0u32;
        for (at, answer, stale, more) in steps {
            let client = &mut clients[at];
            let login = on_way[at].take();
            let lines: &[&[u8]] = match (stale, more) {
                (true, _) => &[STALE],
                (_, true) => &[NEWER, BASIC],
                _ => &[],
            };
            let reply = match answer {
                0 | 1 => refusal(lines),
                2 => Reply::new(Verdict::Taken),
                3 => Reply::new(Verdict::LookedAt),
                4 => Reply::new(Verdict::Forbidden),
                5 => Reply::new(Verdict::Unclear),
                6 => Reply::new(Verdict::Stale).demanding(auth::challenges(lines)),
                _ => Reply::new(Verdict::Unclear),
            };
            if let Some(login) = &login {
                let is_proved = proved.iter().any(|(p, c)| *p == at && c == login);
                let is_refusal = matches!(reply.verdict, Verdict::Refused | Verdict::Stale);
                refused += u32::from(is_refusal && !is_proved);
                counted += u32::from(!is_proved && !matches!(reply.verdict, Verdict::Taken | Verdict::LookedAt));
                if reply.verdict == Verdict::Taken && !is_proved {
                    proved.push((at, login.clone()));
                }
            }
            if answer == 8 {
                client.unanswered(true);
            } else if client.answered(reply, &users) == Next::Again {
                let form = sent(client).or_else(|| client.token().map(|c| c.user)).unwrap();
                on_way[at] = users.iter().map(|c| c.user.clone()).find(|user| form.contains(user.as_str()));
                prop_assert!(on_way[at].is_some());
                continue;
            }
            if more { client.begin_more() } else { client.begin() }
            if client.prepare() {
                let form = sent(client).or_else(|| client.token().map(|c| c.user)).unwrap();
                on_way[at] = users.iter().map(|c| c.user.clone()).find(|user| form.contains(user.as_str()));
            }
            prop_assert!(counted <= limit && refused <= limit, "{counted} counted, {refused} refused of {limit}");
        }
    }
}
