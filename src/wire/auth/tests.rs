use proptest::prelude::*;
use serde_json::Value;

use super::lock::{LockSign, lock_sign};
use super::login::{Algorithm, Login};
use super::*;
use crate::model::Credential;
use crate::text::steps;

fn expected() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/expected.json")).unwrap()
}

/// The values of a captured answer's `WWW-Authenticate` lines, folded ones joined.
fn lines_of(answer: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in answer.split(|&b| b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l)).skip(1) {
        match (line.first(), lines.last_mut()) {
            (Some(b' ' | b'\t'), Some(last)) => last.extend_from_slice(line),
            (None, _) => break,
            _ => lines.push(line.to_vec()),
        }
    }
    let name = b"www-authenticate:";
    lines.retain(|l| l.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name)));
    lines.iter().map(|l| l[name.len()..].to_vec()).collect()
}

fn field(authorization: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(authorization).into_owned();
    let start = text.find(&format!("{name}=\""))? + name.len() + 2;
    text[start..].split('"').next().map(str::to_owned)
}

#[test]
fn every_recorded_challenge_is_answered_as_expected() {
    let expected = expected();
    let login = &expected["test_login"];
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut answered = 0;
    for (path, want) in expected["files"].as_object().unwrap() {
        if !path.starts_with("rtsp_401/") {
            continue;
        }
        let answer = std::fs::read(format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let found = challenges(lines_of(&answer));
        let mut wanted: Vec<&Value> = want["acceptable"].as_array().map(|a| a.iter().collect()).unwrap_or_default();
        wanted.extend(want.get("auth_choice"));
        if let Some(offers) = want["offers"].as_array() {
            let offered: Vec<_> = schemes(&found).iter().map(|s| format!("{s:?}")).collect();
            assert_eq!(offered, offers.iter().map(text).collect::<Vec<_>>(), "{path}");
        }
        if wanted.is_empty() {
            continue;
        }
        let chosen = choose(&found).unwrap_or_else(|| panic!("{path}: nothing to answer in {found:?}"));
        let mut answer = Login::new(chosen.clone(), Credential::new(text(&login["user"]), text(&login["password"])), 7);
        answer.client_nonce = text(&login["cnonce"]);
        let sent = answer.authorization(&text(&login["method"]), &text(&login["uri"]), b"");
        let choice = wanted
            .into_iter()
            .find(|w| w["scheme"] == format!("{:?}", chosen.scheme) && algorithm_fits(w, chosen))
            .unwrap_or_else(|| panic!("{path}: chose {chosen:?}"));
        if let Some(realm) = choice["realm"].as_str() {
            assert_eq!(chosen.realm().as_deref(), Some(realm), "{path}");
        }
        if let Some(response) = choice["response_for_test_login"].as_str() {
            assert_eq!(field(&sent, "response").as_deref(), Some(response), "{path}");
            answered += 1;
        }
        if let Some(basic) = choice["authorization"].as_str() {
            assert_eq!(String::from_utf8_lossy(&sent), basic, "{path}");
        }
        if let Some(opaque) = choice["opaque_to_echo"].as_str() {
            assert_eq!(field(&sent, "opaque").as_deref(), Some(opaque), "{path}");
        }
    }
    assert!(answered >= 14, "{answered}");
}

fn algorithm_fits(want: &Value, chosen: &Challenge) -> bool {
    want["algorithm"].as_str().is_none_or(|name| Algorithm::from_name(name.as_bytes()) == chosen.algorithm())
}

#[test]
fn odd_spellings_are_read() {
    let realm = |line: &str| challenges([line])[0].realm();
    for (line, want) in [
        ("Basic realm=\"server", "server"),
        ("Digest realm=\"IP Camera, nonce=\"abc\"", "IP Camera"),
        ("Digest realm=IP Camera, nonce=abc", "IP Camera"),
        ("Digest realm=cam nonce=\"abc\"", "cam"),
        ("Digest realm = \"cam\" , nonce = \"abc\"", "cam"),
        ("digest Realm=\"cam\"nonce=\"abc\"", "cam\"nonce=\"abc"),
        ("Digest realm=\"Use \"live\" as user\", nonce=\"abc\"", "Use \"live\" as user"),
        ("Digest realm=\"DOMAIN\\cam\", nonce=\"abc\"", "DOMAIN\\cam"),
        ("Basic realm=\"caf\u{e9}\"", "café"),
    ] {
        assert_eq!(realm(line).as_deref(), Some(want), "{line}");
    }
    let latin = challenges([b"Digest realm=\"cam\xe9ra\", nonce=\"1\"".as_slice()]);
    let sent = Login::new(latin[0].clone(), Credential::new("u", "p"), 7).authorization("OPTIONS", "rtsp://h/", b"");
    assert!(sent.windows(6).any(|w| w == b"cam\xe9ra"), "the realm goes back byte for byte");
}

#[test]
fn basic_is_never_sent_where_digest_was_offered() {
    let offered = challenges(["Basic realm=\"a\"", "Digest realm=\"a\", nonce=\"1\", algorithm=SHA3-1024"]);
    assert_eq!(choose(&offered), None);
    assert_eq!(schemes(&offered), [AuthScheme::Basic, AuthScheme::Digest]);
    assert_eq!(schemes(&challenges::<&str>([])), [AuthScheme::Other]);
    assert_eq!(schemes(&challenges(["NTLM TlRMTVNTUAAC=="])), [AuthScheme::Other]);
}

#[test]
fn the_counter_rises_and_a_new_nonce_starts_over() {
    let first = challenges(["Digest realm=\"a\", nonce=\"1\", qop=\"auth\""]);
    let mut login = Login::new(first[0].clone(), Credential::new("u", "p"), 7);
    login.authorization("OPTIONS", "rtsp://h/", b"");
    let second = String::from_utf8(login.authorization("DESCRIBE", "rtsp://h/", b"")).unwrap();
    assert!(second.contains("nc=00000002"), "{second}");
    assert!(login.renewed(&first, 8).is_none(), "the same nonce without stale is a refusal");
    let newer = challenges(["Digest realm=\"a\", nonce=\"2\", qop=\"auth\", stale=\"FALSE\""]);
    let mut renewed = login.renewed(&newer, 8).unwrap();
    let third = String::from_utf8(renewed.authorization("PLAY", "rtsp://h/", b"")).unwrap();
    assert!(third.contains("nc=00000001") && third.contains("nonce=\"2\""), "{third}");
}

/// The hash of FIPS 180-4's one-block example, and the algorithm by its spellings.
/// A header of 60 kB may be all quotes or all separators; how far one is looked at again does not grow with it.
#[test]
fn a_forgotten_quote_is_looked_for_no_further_back_than_a_name_is_long() {
    let realm = |name: &str| {
        let line = format!("Digest realm=\"cam, {name}=\"abc\"");
        challenges([line]).first().and_then(|c| c.raw("realm").map(<[u8]>::to_vec)).unwrap()
    };
    assert_eq!(realm("nonce"), b"cam");
    let long = "n".repeat(70);
    assert_eq!(realm(&long), format!("cam, {long}=\"abc").into_bytes());
    for noise in ["=\"", " =", "\" a", ",", "\\\"", "a=", "a "] {
        for start in ["Digest realm=\"", "Digest realm=x", ""] {
            let line = format!("{start}{}", noise.repeat(60_000 / noise.len()));
            assert!(challenges([line]).len() <= MOST_CHALLENGES);
        }
    }
}

#[test]
fn every_algorithm_is_known() {
    let hashed = Algorithm::Sha512_256.hash(&[b"abc"]);
    assert_eq!(hashed, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
    for (name, want) in [
        ("sha256", Some(Algorithm::Sha256)),
        ("\"SHA-512-256\"", Some(Algorithm::Sha512_256)),
        ("md5-SESS", Some(Algorithm::Md5Session)),
        ("\"\"", Some(Algorithm::Md5)),
        ("SHA3", None),
    ] {
        let line = format!("Digest realm=\"a\", nonce=\"1\", algorithm={name}");
        assert_eq!(challenges([&line])[0].algorithm(), want, "{name}");
    }
}

#[test]
fn signs_of_a_lock_are_seen() {
    let locked = |t: &str| lock_sign(t.as_bytes()).is_some_and(|s| matches!(s, LockSign::Locked(_)));
    assert!(locked("<userCheck><lockStatus>lock</lockStatus><unlockTime>1800</unlockTime></userCheck>"));
    assert!(locked("<s:Text>Account Is Locked</s:Text>"));
    assert!(locked("{\"error\":{\"detail\":\"frequent logins\"}}"));
    assert!(!locked("<lockStatus>unlock</lockStatus><unlockTime>0</unlockTime>"));
    assert!(!locked("interlocked and unlocked"));
    assert_eq!(lock_sign(b"You still have 22 attempt(s)."), Some(LockSign::AttemptsLeft(22)));
    assert_eq!(
        lock_sign(b"<lockStatus>unlock</lockStatus><retryLoginTime>4</retryLoginTime>"),
        Some(LockSign::AttemptsLeft(4))
    );
    assert!(LockSign::AttemptsLeft(3).says_stop() && !LockSign::AttemptsLeft(22).says_stop());
    assert_eq!(lock_sign(b"401 Unauthorized"), None);
}

/// The verbatim values that other projects recorded; every one names a realm or is a challenge we can answer.
#[test]
#[ignore = "needs the captures CAMSCAN_CAPTURES names"]
fn recorded_values_are_all_read() {
    let folder = crate::testkit::captures::folder();
    let recorded = std::fs::read(folder.join("rtsp/challenge/www_authenticate_values.json")).unwrap();
    let recorded: Vec<Value> = serde_json::from_slice(&recorded).unwrap();
    assert!(!recorded.is_empty());
    for value in recorded.iter().filter_map(|v| v["value"].as_str()) {
        let found = challenges([value]);
        assert!(found.iter().any(Challenge::is_answerable), "{value}: {found:?}");
        assert!(found[0].realm().is_some(), "{value}");
    }
}

/// RFC 7616 §3.5: the device says which nonce it wants to see next.
#[test]
fn the_next_nonce_is_taken() {
    let login = |challenge: &str| {
        let chosen = choose(&challenges([challenge])).unwrap().clone();
        Login::new(chosen, Credential::new("admin", "pw"), 7)
    };
    let mut digest = login("Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"");
    assert!(String::from_utf8(digest.authorization("DESCRIBE", "/", b"")).unwrap().contains("nc=00000001"));
    digest.take_next_nonce(b"nextnonce=\"n2\", qop=auth, rspauth=\"x\"");
    let next = digest.authorization("SETUP", "/", b"");
    assert_eq!(field(&next, "nonce").as_deref(), Some("n2"));
    assert!(String::from_utf8(next).unwrap().contains("nc=00000001"), "its uses are counted anew");
    for nothing in ["", "qop=auth", "nextnonce=\"\"", "nextnonce"] {
        digest.take_next_nonce(nothing.as_bytes());
        assert_eq!(field(&digest.authorization("PLAY", "/", b""), "nonce").as_deref(), Some("n2"), "{nothing}");
    }
    // The secret of a session is made with the first nonce.
    let mut session = login("Digest realm=\"r\", nonce=\"n1\", algorithm=MD5-sess, qop=\"auth\"");
    session.take_next_nonce(b"nextnonce=\"n2\"");
    assert_eq!(field(&session.authorization("PLAY", "/", b""), "nonce").as_deref(), Some("n1"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), method in "[A-Z]{1,9}") {
        let found = challenges([&bytes]);
        prop_assert!(found.len() <= MOST_CHALLENGES);
        let _ = lock_sign(&bytes);
        if let Some(chosen) = choose(&found) {
            let sent = Login::new(chosen.clone(), Credential::new("u", "p"), 7).authorization(&method, "rtsp://h/", b"");
            prop_assert!(!sent.iter().any(|b| matches!(b, b'\r' | b'\n')));
        }
    }

    #[test]
    fn what_is_written_by_the_book_is_read_back(realm in "[ -!#-\\[\\]-~]{0,40}", nonce in "[0-9a-zA-Z+/=]{1,40}", basic in any::<bool>()) {
        let mut line = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", stale=FALSE");
        if basic {
            line.insert_str(0, "Basic realm=\"x\", ");
        }
        let found = challenges([&line]);
        let chosen = choose(&found).unwrap();
        prop_assert_eq!(chosen.nonce(), Some(nonce.as_bytes()));
        prop_assert_eq!(chosen.raw("realm"), Some(realm.as_bytes()));
    }
}

#[test]
fn a_hostile_line_is_read_in_a_few_passes() {
    for unit in ["\" ", "\"", "\"\" ", "a=\"", "=", ",", "a=\" ", "\" \t", ",a=\"", "a=b ", "Digest "] {
        let long = unit.repeat((16 << 10) / unit.len());
        for line in [format!("Digest realm=\"{long}x\""), format!("Digest realm={long}x"), format!("{long}x")] {
            let looks = steps::seen_by(|| challenges([&line])) / line.len();
            assert!(looks <= 32, "{looks} looks at each byte of {unit:?} repeated");
        }
    }
}
