use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use md5::Digest as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::super::steps;
use super::*;

const PASSWORD: &str = "tiefer Brunnen/7";
/// A reader looks at each byte of a text so often, whatever it holds.
const MOST_LOOKS: usize = 64;

fn common() -> CommonWords {
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    CommonWords { words: set(&["hikvision", "camera", "main", "admin"]), keys: set(&["channel", "subtype"]) }
}

fn knowing(user: &str, password: &str) -> Redactor {
    Redactor::new([Login { user, password, digests: vec!["tlJwpbo6".to_owned()] }], common())
}

#[track_caller]
fn check(redactor: &Redactor, cases: &[(&str, &str)]) {
    for (sent, shown) in cases {
        assert_eq!(redactor.redact(sent), *shown, "{sent}");
    }
}

#[test]
fn a_password_is_found_however_it_is_written() {
    let both = STANDARD_NO_PAD.encode(format!("viewer:{PASSWORD}"));
    let alone = STANDARD_NO_PAD.encode(PASSWORD);
    let dumped = format!("{:?}", format!("\"{PASSWORD}\""));
    check(
        &knowing("viewer", PASSWORD),
        &[
            ("is tiefer Brunnen/7.", "is ***."),
            ("is TIEFER BRUNNEN/7.", "is ***."),
            ("/a?x=tiefer%20Brunnen%2F7&y", "/a?x=***&y"),
            ("/a?x=tiefer%20Brunnen%2f7&y", "/a?x=***&y"),
            ("/a?x=tiefer+Brunnen/7&y", "/a?x=***&y"),
            ("%74%69%65%66%65%72%20%42%72%75%6e%6e%65%6e%2f%37", "***"),
            ("/a?x=tiefer%2520Brunnen%252F7", "/a?x=***"),
            ("{\"x\":\"tiefer Brunnen\\/7\"}", "{\"x\":\"***\"}"),
            ("tiefer\\u0020Brunnen/7", "***"),
            (&dumped, "\"\\\"***\\\"\""),
            ("<x>tiefer Brunnen&#47;7</x>", "<x>***</x>"),
            ("tiefer  \t Brunnen/7", "***"),
            ("t\u{200b}iefer Brunn\u{ad}en/7", "***"),
            ("mytiefer Brunnen/7x", "my***x"),
            (&format!("Basic {both}="), "Basic ***="),
            (&format!("x{alone}"), "x***"),
            ("user=viewer_password=tlJwpbo6_channel=1", "user=viewer_password=***_channel=1"),
            ("cut: tiefer Bru…", "cut: ***…"),
            ("cut: tiefer Bru… (of port 80)", "cut: ***… (of port 80)"),
            ("tiefer Brunnen", "tiefer Brunnen"),
            ("tief…", "***…"),
            ("tie…", "tie…"),
        ],
    );
}

#[test]
fn hexadecimal_digits_of_a_password_are_found() {
    let hex: String = PASSWORD.bytes().map(|byte| format!("{byte:02x}")).collect();
    let redactor = knowing("viewer", PASSWORD);
    for form in [hex.clone(), hex.to_uppercase(), format!("a{hex}")] {
        assert!(redactor.redact(&form).contains(HIDDEN), "{form}");
    }
}

/// What Digest makes of it is as good as the password where the realm is the same.
#[test]
fn a_digest_of_a_password_is_found() {
    let redactor = knowing("viewer", PASSWORD);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    redactor.learn_realm("IP Camera(C1234)");
    let of = |realm: &str| format!("viewer:{realm}:{PASSWORD}");
    let utf16: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for secret in [
        hex(PASSWORD.as_bytes()),
        hex(&sha1::Sha1::digest(PASSWORD)),
        hex(&md4::Md4::digest(utf16)),
        STANDARD_NO_PAD.encode(md5::Md5::digest(of("IP Camera(C1234)"))),
        URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(of("IP Camera(C1234)"))),
        hex(&md5::Md5::digest(PASSWORD)),
        hex(&sha2::Sha256::digest(PASSWORD)),
        hex(&md5::Md5::digest(of("IP Camera(C1234)"))),
        hex(&sha2::Sha256::digest(of("IP Camera(C1234)"))),
        hex(&sha2::Sha512_256::digest(of("IP Camera(C1234)"))),
    ] {
        for form in [secret.clone(), secret.to_uppercase(), format!("a1={secret}"), format!("x {secret}, y")] {
            let shown = redactor.redact(&form).into_owned();
            assert!(!shown.contains(&secret) && shown.contains(HIDDEN), "{form}: {shown}");
        }
    }
    let known = "8846f7eaee8fb117ad06bdd830b7586c";
    assert_eq!(knowing("viewer", "password").redact(known), HIDDEN, "what Windows keeps of it");
    // Of a realm that was not named nothing is known.
    let other = hex(&md5::Md5::digest(of("another")));
    assert_eq!(redactor.redact(&other), other);
    redactor.clone().learn_realm("another");
    assert_eq!(redactor.redact(&other), HIDDEN, "clones share what they know");
}

/// A device may name as many realms as it likes.
#[test]
fn realms_are_known_up_to_a_bound() {
    let redactor = knowing("viewer", PASSWORD);
    for number in 0..30_000 {
        redactor.learn_realm(&format!("realm {number}"));
    }
    let known = redactor.0.digests.len();
    assert!(known > digests::MOST / 2 && known <= digests::MOST, "{known}");
}

#[test]
fn letters_that_look_like_others_hide_nothing() {
    check(
        &knowing("viewer", PASSWORD),
        &[
            ("ｔｉｅｆｅｒ　Ｂｒｕｎｎｅｎ／７", "***"),
            ("is ＴＩＥＦＥＲ Brunnen/7.", "is ***."),
            ("ti\u{e9}fer Brunnen/7", "***"),
            ("ti\u{65}\u{301}fer Br\u{fc}nnen/7", "***"),
            ("\u{1d42d}\u{1d422}\u{1d41e}fer Brunnen/7", "***"),
            ("ｔｉｅｆ", "ｔｉｅｆ"),
        ],
    );
    check(
        &knowing("viewer", "Österreich-ß"),
        &[("Osterreich-ß", "***"), ("ÖSTERREICH-SS", "***"), ("Österreich", "Österreich")],
    );
}

#[test]
fn every_place_a_device_puts_it_is_found() {
    for password in ["Wasser99", "Was9", "W9", "1", "Hikvision", "main"] {
        let redactor = knowing("viewer", password);
        for place in [
            "?u=viewer&p=PW",
            "?psw=PW",
            "?login=viewer:PW",
            "?key=PW",
            "?passcode=PW",
            "?userpassword=PW",
            "?PASSWORD%3DPW",
            "?PASSWORD%3dPW&x",
            "#password=PW",
            "/viewer/PW/1",
            "?auth=viewer%3APW",
            "?pwd='PW'",
            "rtsp://viewer:PW@192.0.2.1/",
            "rtsp://:PW@192.0.2.1/",
            "/user=viewer_password=PW_channel=1_stream=0.sdp?real_stream",
            "a=tool: PW",
            "a=tool: PW\na=x",
            "a=tool:PW\r\na=x",
            "X-Password: PW, x",
            "key = PW x",
            "{\"password\": \"PW\"}",
        ] {
            let shown = redactor.redact(&place.replace("PW", password)).into_owned();
            let expected = place.replace("PW", HIDDEN);
            assert_eq!(shown, expected, "{password} in {place}");
        }
    }
}

#[test]
fn a_password_that_is_a_common_word_leaves_the_report_readable() {
    for password in ["1", "Hikvision", "admin", "main", "cam"] {
        let redactor = knowing("admin", password);
        for text in [
            "Hikvision",
            "Hikvision-Webs 1.0",
            "HIKVISION DS-2CD2042WD-I 1",
            "admin",
            "the login of admin was refused",
            "rtsp://192.0.2.1:554/h264/ch1/main/av_stream?channel=1&subtype=1",
            "Main, level 1",
            "title: Hikvision main 1 of admin",
            "DESCRIBE rtsp://192.0.2.1/live: 1 Not Found",
            "cam 1",
            "mac:44:19:b6:00:00:01",
            "192.0.2.1:1 did not answer",
            "[2001:db8::1]:1",
        ] {
            assert_eq!(redactor.redact(text), text, "{password}");
        }
    }
}

#[test]
fn addresses_and_longer_words_are_no_passwords() {
    check(
        &knowing("viewer", "8554"),
        &[
            ("rtsp://192.0.2.1:8554/a", "rtsp://192.0.2.1:8554/a"),
            ("no answer from [2001:db8::1]:8554: closed", "no answer from [2001:db8::1]:8554: closed"),
            ("2001:db8::8554", "2001:db8::8554"),
            ("DS18554X", "DS18554X"),
            ("/a/8554/b", "/a/***/b"),
            ("8554", "***"),
        ],
    );
    check(&knowing("viewer", "20240101"), &[("I20240101AAWR", "I20240101AAWR"), ("20240101", "***")]);
}

#[test]
fn what_is_taken_out_leaves_no_other_password_standing() {
    let logins = ["Wasser99", "ab12"].map(|password| Login { user: "viewer", password, digests: Vec::new() });
    let redactor = Redactor::new(logins, common());
    check(&redactor, &[("Wasser99ab12", "******"), ("ab12 Wasser99", "*** ***"), ("xab12", "xab12")]);
}

#[test]
fn values_are_judged_by_their_names() {
    let redactor = knowing("viewer", "1");
    assert_eq!(redactor.redact_value("X-Password", "1"), HIDDEN);
    assert_eq!(redactor.redact_value("CSeq", "1"), "1");
    assert_eq!(redactor.redact_value("Server", "Cam 1"), "Cam 1");
    assert_eq!(knowing("viewer", PASSWORD).redact_value("Server", PASSWORD), HIDDEN);
}

#[test]
fn nothing_is_known_of_nothing() {
    for redactor in [Redactor::default(), knowing("viewer", ""), knowing("viewer", "****"), knowing("viewer", "  ")] {
        for text in ["", "viewer:@h", "password=&x", "****", "  ", "…"] {
            assert!(matches!(redactor.redact(text), Cow::Borrowed(_)), "{redactor:?} {text:?}");
        }
    }
    assert!(!format!("{:?}", knowing("viewer", PASSWORD)).contains("tief"));
}

/// How a device may write a password back.
fn written(password: &str, how: u8) -> String {
    match how {
        0 => password.to_owned(),
        1 => utf8_percent_encode(password, NON_ALPHANUMERIC).to_string(),
        2 => utf8_percent_encode(password, NON_ALPHANUMERIC).to_string().to_lowercase(),
        3 => password.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        4 => utf8_percent_encode(&utf8_percent_encode(password, NON_ALPHANUMERIC).to_string(), NON_ALPHANUMERIC)
            .to_string(),
        5 => password.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
        6 => password.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
        7 => password.to_ascii_uppercase(),
        8 => STANDARD_NO_PAD.encode(password),
        9 => URL_SAFE_NO_PAD.encode(format!("viewer:{password}")),
        10 => password.chars().flat_map(|c| [c, '\u{200b}']).collect(),
        _ => format!("{password:?}"),
    }
}

/// No blanks at its ends: they are trimmed from what devices send.
fn password() -> impl Strategy<Value = String> {
    "[a-zA-Z!$%&/=?+*#:;,.<>\"'\\\\@~^ß摄-][a-zA-Z0-9 !$%&/=?+*#:;,.<>\"'\\\\@ßä摄-]{6,20}[a-z]"
}

/// The sign that begins an escape may stand before a password, too.
#[test]
fn a_sign_before_a_password_hides_nothing_of_it() {
    check(
        &knowing("viewer", "AaA \\ Aa-more"),
        &[("%AaA%20%5C%20Aa%2Dmore", "%***"), ("x%0AaA%20%5C%20Aa%2Dmore", "x%0***"), ("%%AaA \\ Aa-more", "%%***")],
    );
    check(&knowing("viewer", "aA\\aa0 a"), &[("%aA%255Caa0%2520a", "%***"), ("%aA\\u005caa0 a", "%***")]);
    check(&knowing("viewer", "nacht \"tief\""), &[(r#"\nacht \"tief\""#, r"\***")]);
}

proptest! {
    /// In any place, in any writing.
    #[test]
    fn no_telling_password_survives(
        password in password(),
        how in 0u8..12,
        before in "[a-z0-9 /?&=%.:-]{0,12}",
        after in "[a-z0-9 /?&=%.:-]{0,12}",
    ) {
        let redactor = knowing("viewer", &password);
        let form = written(&password, how);
        let sent = format!("{before}{form}{after}");
        let shown = redactor.redact(&sent);
        prop_assert!(shown.contains(HIDDEN), "{} → {}", sent, shown);
        prop_assert!(!shown.contains(&form), "{} → {}", sent, shown);
        prop_assert!(!shown.to_lowercase().contains(&password.to_lowercase()), "{} → {}", sent, shown);
    }

    /// A short one, wherever it is a word.
    #[test]
    fn no_short_password_survives_as_a_word(
        password in "[a-zA-Z0-9]{4,7}",
        before in "([a-z0-9]{0,5}[ /?&=,;\"(])?",
        after in "([ /?&=,;\")][a-z0-9]{0,5})?",
    ) {
        prop_assume!(!common().words.contains(&password.to_lowercase()) && password.to_lowercase() != "viewer");
        let sent = format!("{before}{password}{after}");
        let shown = knowing("viewer", &password).redact(&sent).into_owned();
        prop_assert_eq!(shown.matches(HIDDEN).count() >= 1, true, "{} → {}", sent, shown);
    }

    /// The letters of the password are not in the text: it stays, byte by byte.
    #[test]
    fn what_holds_no_password_stays(
        text in "[a-pA-P0-9 ä摄/?&=.:;,<>\"'@\n…-]{0,80}",
        password in "[q-z]{1,12}",
    ) {
        let redactor = Redactor::new([Login { user: "viewer", password: &password, digests: Vec::new() }], common());
        // Base64 has letters of its own.
        let encoded = [STANDARD_NO_PAD.encode(&password), STANDARD_NO_PAD.encode(format!("viewer:{password}"))];
        let starts = encoded.map(|form| form.to_lowercase().chars().take(4).collect::<String>());
        let folded = String::from_iter(plain(&units(&text)));
        prop_assume!(!starts.iter().any(|start| folded.contains(start)));
        prop_assert!(matches!(redactor.redact(&text), Cow::Borrowed(_)));
    }

    #[test]
    fn any_text_is_gone_through(text in any::<String>(), password in any::<String>(), user in any::<String>()) {
        let redactor = knowing(&user, &password);
        let once = redactor.redact(&text).into_owned();
        let _ = redactor.redact_value(&user, &text);
        prop_assert!(once.matches(HIDDEN).count() > 0 || once == text);
    }
}

/// A device knows the password it was given, and may send it as often as it likes, and whatever else takes long.
#[test]
fn a_hostile_text_is_read_in_a_few_steps() {
    let hex: String = PASSWORD.bytes().map(|byte| format!("{byte:02x}")).collect();
    let heavy = [
        "%3D",
        "%2541",
        "%25",
        "%%",
        "%7",
        "%25%C3%A4",
        "%C3%A4",
        "%C3",
        "%F0%9F",
        "%E2%80%8B",
        "&#x25;",
        "&amp;",
        "&",
        "&#",
        "&a",
        "&amp;#65;",
        "%26amp;",
        "\\u0025",
        "\\",
        "\\\"",
        "\\u{25}",
        "\\u{",
        "\\ud83d",
        "\\x5c",
        "dGll",
        "7469",
        "ｔ",
        "％３Ｄ",
        "ß",
        "a=",
        "a: ",
        "=",
        ":",
        "=\"",
        "viewer:",
        "viewer/1",
        " ",
        "\u{200b}",
        "…",
        "tief…",
        "x%35%44\\u0041&#65;",
        "%3d3dd3",
        "a:1]",
        "ealm=\"",
        "realm=\"a\"",
        PASSWORD,
        "%74%69%65%66%65%72%20%42%72%75%6e%6e%65%6e%2f%37",
        &hex,
    ];
    let passwords = [
        PASSWORD,
        "3Dd 25u0041",
        "1",
        "%%%%%%%%",
        "\\\\\\\\\\\\\\\\",
        "\"\"\"\"",
        "aaaaaaaa",
        "deadbeef",
        "fade:cafe",
        "1.1.1.1.1",
    ];
    for password in passwords {
        let redactor = knowing("viewer", password);
        for unit in heavy.iter().chain([&password, &"3", &"a", &"1", &"\""]) {
            let text = unit.repeat((4 << 10) / unit.len());
            let looks = steps::seen_by(|| redactor.finds_in(&text)) / text.len();
            assert!(looks <= MOST_LOOKS, "{looks} looks at each byte of {unit:?} repeated, for {password:?}");
        }
    }
}
