use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::Digest as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;
use crate::kit::format::{Answer, Ask, Spoken, TcpPort, Timed};
use crate::model::recording::{Connected, Outcome, Part, Side};
use crate::text::steps;

fn anonymiser(known: &Known) -> Anonymiser {
    let mut anonymiser = Anonymiser::new(known);
    anonymiser.address_of(known.device);
    collect::known(&mut anonymiser, known);
    anonymiser.patterns = Patterns::new(&anonymiser.literals);
    anonymiser.add_whole_names(known);
    anonymiser
}

fn camera() -> Known {
    Known {
        macs: vec!["44:19:b6:12:34:56".parse().unwrap()],
        serials: vec!["DS-2CD2042WD-I20160101AAWR587654321".to_owned()],
        names: vec!["Smith's Garden".to_owned()],
        facts: vec!["DS-2CD2042WD-I".to_owned(), "Hikvision".to_owned()],
        logins: vec![("admin".to_owned(), "korrekt-pferd".to_owned())],
        ..Known::of([192, 168, 1, 64].into())
    }
}

#[test]
fn the_same_is_replaced_by_the_same_everywhere_and_nothing_of_it_stays() {
    let mut anonymiser = anonymiser(&camera());
    let text = "MAC 44:19:b6:12:34:56 44-19-B6-12-34-56 4419b6123456, at 192.168.1.64:554 and http://192.168.1.64/a, \
                gateway 192.168.1.1, fe80::4619:b6ff:fe12:3456, serial DS-2CD2042WD-I20160101AAWR587654321, \
                uuid 7d1f5c3a-2b9e-4c67-8a10-4419b6123456, Smith's%20Garden, korrekt-pferd, version 5.4.41";
    let replaced = anonymiser.text_of(text);
    for gone in [
        "12:34:56",
        "12-34-56",
        "123456",
        "192.168",
        "4619",
        "fe12",
        "587654321",
        "7d1f5c3a",
        "Smith",
        "Garden",
        "pferd",
    ] {
        assert!(!replaced.contains(gone), "{gone} is in {replaced}");
    }
    for kept in ["44:19:b6:", "44-19-B6-", "4419b6", "DS-2CD2042WD-I", "version 5.4.41", "'s%20", "fe80::"] {
        assert!(replaced.contains(kept), "{kept} is not in {replaced}");
    }
    let mac = |from: usize| replaced.get(from..from + 17).unwrap().to_ascii_lowercase().replace('-', ":");
    assert_eq!(mac(4), mac(22), "{replaced}");
    assert_eq!(replaced.matches(&mac(4).replace(':', "")).count(), 2, "{replaced}");
    assert_eq!(replaced.matches(&anonymiser.address_of([192, 168, 1, 64].into()).to_string()).count(), 2);
    assert_eq!(anonymiser.text_of(text), replaced);
}

#[test]
fn what_only_looks_like_it_stays() {
    let mut anonymiser = anonymiser(&camera());
    for text in [
        "Server: App-webs/5.4.1.2",
        "20261123041855 202611230418",
        "a::before { color: #aabbccddeeff }",
        "v=0 0.0.0.0 239.255.255.250 255.255.255.0 127.0.0.1",
        "12:34:56 00:00:00:00:00:00",
        "fingerprint 44:19:B6:12:34:56:44:19:B6:12:34:56",
        "1.2.3.4.5",
    ] {
        assert_eq!(anonymiser.text_of(text), text);
    }
}

#[test]
fn the_owner_may_let_something_stay() {
    let keep = [Private::Mac, Private::Address, Private::Serial].into();
    let mut anonymiser = anonymiser(&Known { keep, ..camera() });
    let text = "44:19:b6:12:34:56 192.168.1.64 20160101AAWR587654321";
    assert_eq!(anonymiser.text_of(text), text);
    assert!(!anonymiser.text_of("Garden korrekt-pferd").contains("pferd"), "a password never stays");
}

#[test]
fn logins_in_addresses_are_the_kits() {
    for (from, to) in [
        ("/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp", "/user=kit_password=kit_channel=1_stream=0.sdp"),
        ("/user=admin_password=_channel=1_stream=0.sdp", "/user=kit_password=_channel=1_stream=0.sdp"),
        ("/a?usr=me&pwd=se_cret&x=1", "/a?usr=kit&pwd=kit&x=1"),
        ("rtsp://me:se:cret@192.168.1.64/a", "rtsp://kit:kit@192.168.1.64/a"),
        ("/live/korrekt-pferd/1", "/live/kit/1"),
        ("/Streaming/Channels/101", "/Streaming/Channels/101"),
    ] {
        assert_eq!(heads::without_login(from, &camera()), to);
    }
}

#[test]
fn heads_lose_their_tokens_and_keep_their_shape() {
    let mut anonymiser = anonymiser(&camera());
    let head =
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"77aa77aa\", opaque=\"88bb\"\r\n\
                 Set-Cookie: id=secret77; path=/\r\nX-Csrf-Token: secret88\r\nAuthentication-Info: nextnonce=\"1\"\r\n\
                 Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\nLocation: http://me:pw@192.168.1.64/\r\n\r\n";
    let replaced = String::from_utf8(heads::replace(&mut anonymiser, head, Some(5), &camera())).unwrap();
    for gone in ["77aa", "88bb", "secret77", "secret88", "nextnonce", "me:pw", "192.168"] {
        assert!(!replaced.contains(gone), "{gone} is in {replaced}");
    }
    for kept in [
        "401 Unauthorized",
        "realm=\"a\"",
        "nonce=\"",
        "id=",
        "; path=/\r\n",
        "chunked\r\n",
        "Content-Length: 5\r\n",
        "\r\n\r\n",
    ] {
        assert!(replaced.contains(kept), "{kept} is not in {replaced}");
    }
}

#[test]
fn binary_answers_keep_their_lengths_or_are_left_out() {
    let mut anonymiser = anonymiser(&camera());
    let answer =
        [&[1u8, 0, 6][..], &[0x44, 0x19, 0xb6, 0x12, 0x34, 0x56], &[2, 4, 192, 168, 1, 64], b"\x03\x06Garden"].concat();
    let replaced = binary::replace(&mut anonymiser, &answer).unwrap();
    assert_eq!(replaced.len(), answer.len());
    assert!(!replaced.windows(3).any(|w| w == [0x12, 0x34, 0x56] || w == b"ard" || w == [192, 168, 1]), "{replaced:?}");
    assert!(replaced.windows(3).any(|w| w == [0x44, 0x19, 0xb6]));
    assert_eq!(
        binary::replace(&mut anonymiser, b"\x00\x0a10.1.1.1\x00"),
        None,
        "no address for documentation is as short"
    );
}

#[test]
fn a_word_by_which_a_program_is_told_stays() {
    let server = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: Linux/3.10 SAT>IP/1.2\r\n\r\n";
    let exchange = |ask: &str, answer: &str| {
        let crate::kit::conversation::Next::Request(request, _) = crate::kit::conversation::next(ask.as_bytes()) else {
            panic!("{ask}")
        };
        let answer = crate::kit::format::Answer { head: Blob(answer.into()), ..Default::default() };
        Exchange { answer: Some(answer), ..Exchange::of(request.ask) }
    };
    let exchanges = vec![exchange("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", server)];
    let tcp = vec![crate::kit::format::TcpPort { port: 554, exchanges, ..Default::default() }];
    let mut kit = Kit { tcp, ..Kit::default() };
    let known = Known { names: vec!["SAT Kellerlinde".to_owned()], ..camera() };
    let mut anonymiser = anonymise(&mut kit, &Recording::default(), &known);
    let head = String::from_utf8(kit.tcp[0].exchanges[0].answer.clone().unwrap().head.0).unwrap();
    assert_eq!(head, server);
    let name = anonymiser.text_of("SAT Kellerlinde");
    assert!(name.starts_with("SAT ") && !name.contains("linde"), "{name}");
}

/// Four digits are a number of something: a house, a card, a telephone.
#[test]
fn a_word_of_digits_goes_from_four_on() {
    let known = Known { names: vec!["Müller Garage 4711 Hall 12 Gate 123".to_owned()], ..camera() };
    let mut kit = Kit::default();
    let name = anonymise(&mut kit, &Recording::default(), &known).text_of("Müller Garage 4711 Hall 12 Gate 123");
    assert!(!name.contains("4711") && name.contains(" 12 ") && name.ends_with(" 123"), "{name}");
}

#[test]
fn a_longer_word_hides_no_shorter_value() {
    let known = Known {
        serials: vec!["ABCD123456".to_owned()],
        names: vec!["ABCD123456Hof".to_owned()],
        ..Known::of([192, 168, 1, 64].into())
    };
    let mut anonymiser = anonymiser(&known);
    let replaced = anonymiser.text_of("ABCD123456Hofstatt");
    assert!(!replaced.contains("ABCD123456"), "{replaced}");
}

proptest! {
    #[test]
    fn any_text_is_taken_and_no_known_value_stays(before in "[ -~]{0,40}", after in "[ -~]{0,40}") {
        let mut anonymiser = anonymiser(&camera());
        let replaced = anonymiser.text_of(&format!("{before} 192.168.1.64 44:19:b6:12:34:56 20160101AAWR587654321 {after}"));
        prop_assert!(!replaced.contains("192.168.1.64") && !replaced.contains("b6:12:34:56") && !replaced.contains("587654321"));
    }

    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut anonymiser = anonymiser(&camera());
        let _ = anonymiser.text(&bytes);
        let _ = anonymiser.datagram(&bytes);
        let _ = heads::replace(&mut anonymiser, &bytes, Some(1), &camera());
    }
}

#[test]
fn nothing_of_a_webrtc_session_stays() {
    use crate::kit::format::{Answer, Ask, Spoken, TcpPort, Timed};
    let answer = "v=0\r\no=smith 7 1 IN IP4 192.168.1.64\r\ns=Garden of smith\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
        c=IN IP4 0.0.0.0\r\na=ice-ufrag:Uf+1\r\na=ice-pwd:pw/d0123456789abcdefghij\r\na=msid:user4711@porch video0\r\n\
        a=fingerprint:sha-256 1A:2B:3C:4D:5E:6F:70:81:92:A3\r\na=ssrc:77 cname:user4711@porch\r\n\
        a=candidate:1 1 udp 2122260223 192.168.1.64 5000 typ host ufrag Uf+1\r\n\
        a=candidate:2 1 udp 1 8.8.4.4 5001 typ srflx raddr 192.168.1.64 rport 5000\r\n\
        a=candidate:3 1 udp 1 fe80::4619:b6ff:fe12:3456 5002 typ host\r\n\
        a=candidate:4 1 udp 1 7d1f5c3a-2b9e-4c67-8a10-0123456789ab.local 5003 typ host\r\n";
    let body = vec![Timed { after_ms: 0, bytes: Blob(answer.into()) }];
    let head = Blob(b"HTTP/1.1 201 Created\r\nLocation: /whep/1\r\n\r\n".to_vec());
    let ask = Ask {
        protocol: Spoken::Http,
        method: "POST".to_owned(),
        target: "/whep".to_owned(),
        login: None,
        transport: None,
        body: None,
    };
    let exchange = Exchange { answer: Some(Answer { head, body, ..Answer::default() }), ..Exchange::of(ask) };
    let port = TcpPort { port: 80, exchanges: vec![exchange], ..TcpPort::default() };
    let mut kit = Kit { tcp: vec![port], ..Kit::default() };
    let _ = anonymise(&mut kit, &Recording::default(), &camera());
    let answered = kit.tcp[0].exchanges[0].answer.as_ref().unwrap();
    let text = String::from_utf8(answered.body[0].bytes.0.clone()).unwrap();
    for gone in
        ["smith", "Garden", "Uf+1", "pw/d", "4711", "porch", "1A:2B", "192.168", "8.8.4.4", "fe80::4619", "7d1f5c3a"]
    {
        assert!(!text.contains(gone), "{gone} is in {text}");
    }
    let fingerprint = text.lines().find_map(|line| line.strip_prefix("a=fingerprint:sha-256 ")).unwrap();
    assert!(fingerprint.split(':').all(|b| b.len() == 2 && u8::from_str_radix(b, 16).is_ok()), "{fingerprint}");
    let source = text.lines().find_map(|line| line.strip_prefix("a=ssrc:77 cname:")).unwrap();
    assert!(text.contains(&format!("a=msid:{source} video0")), "{text}");
    let ufrag = text.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap();
    assert!(text.contains(&format!("typ host ufrag {ufrag}")), "{text}");
}

const ECHOED: &str = "tiefer Brunnen/7";

/// Heads of answers; `PW` is what the device puts there.
const HEADS: [&str; 20] = [
    "RTSP/1.0 404 x PW\r\nCSeq: 1\r\n\r\n",
    "RTSP/1.0 454 /live/PW/1\r\n\r\n",
    "HTTP/1.1 404 PW\r\n\r\n",
    "HTTP/1.1 404PW\r\n\r\n",
    "HTTP/PW 404 x\r\n\r\n",
    "PW\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX-PW: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nPW: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nPW\r\nServer: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nServer: x\r\n  PW\r\n\r\n",
    "HTTP/1.1 200 OK\r\nServer: x\r\nPW",
    "HTTP/1.1 200 OK\r\nServer: PW\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked PW\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding-PW: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: PW\r\n\r\n",
    "HTTP/1.1 302 OK\r\nLocation: rtsp://192.168.1.64/a/PW/b?x=PW\r\n\r\n",
    "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"PW\", nonce=\"PW\", PW=\"1\"\r\n\r\n",
    "HTTP/1.1 200 OK\r\nSession: PW;timeout=60;PW\r\n\r\n",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=PW; path=/PW\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX-Token: PW\r\n\r\n",
];

/// Bodies, cut into the pieces they came in.
const BODIES: [&[&str]; 6] = [
    &["x PW y"],
    &["{\"a\":\"PW\",\"PW\":1}"],
    &["<a b=\"PW\">PW</a>"],
    &["v=0\r\ns=PW\r\na=PW\r\n"],
    &["--b\r\nX-PW: 1\r\n\r\n\0\u{1}PW\0\r\n--b"],
    &["x <", "> y"],
];

/// How a device may write what it was given.
fn echoes(user: &str) -> Vec<String> {
    let percent = utf8_percent_encode(ECHOED, NON_ALPHANUMERIC).to_string();
    vec![
        ECHOED.to_owned(),
        ECHOED.to_uppercase(),
        percent.to_lowercase(),
        ECHOED.replace(' ', "+"),
        percent,
        ECHOED.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        STANDARD.encode(ECHOED),
        URL_SAFE_NO_PAD.encode(ECHOED),
        STANDARD.encode(format!("{user}:{ECHOED}")),
        ECHOED.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
        ECHOED.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ECHOED.bytes().map(|byte| format!("{byte:02X}")).collect(),
    ]
}

/// The bytes of the file that is made of one answer.
fn kit_of(head: &str, pieces: &[String]) -> Vec<u8> {
    kit_of_login(ECHOED, &Recording::default(), head, pieces)
}

fn kit_of_login(password: &str, recording: &Recording, head: &str, pieces: &[String]) -> Vec<u8> {
    let body = pieces.iter().map(|piece| Timed { after_ms: 0, bytes: Blob(piece.clone().into()) }).collect();
    let ask = Ask {
        protocol: Spoken::Http,
        method: "GET".to_owned(),
        target: "/".to_owned(),
        login: None,
        transport: None,
        body: None,
    };
    let exchange =
        Exchange { answer: Some(Answer { head: Blob(head.into()), body, ..Answer::default() }), ..Exchange::of(ask) };
    let port = TcpPort { port: 80, exchanges: vec![exchange], ..TcpPort::default() };
    let mut kit = Kit { tcp: vec![port], ..Kit::default() };
    let logins = vec![("viewer".to_owned(), password.to_owned())];
    let _ = anonymise(&mut kit, recording, &Known { logins, ..camera() });
    // As text, wherever it was cut.
    let answers = kit.tcp.iter().flat_map(|port| &port.exchanges).filter_map(|exchange| exchange.answer.as_ref());
    answers
        .flat_map(|answer| {
            [&answer.head.0[..], b"\n"].into_iter().chain(answer.body.iter().map(|piece| &piece.bytes.0[..]))
        })
        .flatten()
        .copied()
        .collect()
}

#[test]
fn no_login_that_was_given_stays_wherever_a_device_puts_it() {
    for echo in echoes("viewer") {
        let check = |place: &str, kit: &[u8]| {
            let kit = String::from_utf8_lossy(kit).to_lowercase();
            let words = ["tiefer", "brunnen"];
            assert!(!kit.contains(&echo.to_lowercase()), "{echo} in {place:?} is in {kit:?}");
            assert!(!words.iter().any(|word| kit.contains(word)), "a part of {echo} in {place:?} is in {kit:?}");
        };
        for head in HEADS {
            check(head, &kit_of(&head.replace("PW", &echo), &[]));
        }
        for pieces in BODIES {
            let (before, after) = echo.split_at(echo.len() / 2);
            let pieces: Vec<String> = match pieces {
                [one] => vec![one.replace("PW", &echo)],
                [first, last, ..] => vec![format!("{first}{before}"), format!("{after}{last}")],
                [] => Vec::new(),
            };
            check(&pieces.concat(), &kit_of("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", &pieces));
        }
    }
}

/// As good as the password where the realm is the same, or for trying passwords at leisure; a short one is found soon.
#[test]
fn nothing_that_was_made_of_a_password_stays() {
    let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sent = "GET / HTTP/1.1\r\nauthorization: Digest username=\"viewer\", realm=\"Cam 7\", nonce=\"77aa\", cnonce=\"88bb\", \
                algorithm=MD5-sess, qop=auth, response=\"00112233445566778899aabbccddeeff\"\r\n\r\nPOST / HTTP/1.1\r\n\r\n\
                <Password Type=\"x#PasswordDigest\">MDEyMzQ1Njc4OWFiY2RlZmdoaWo=</Password>";
    let part = Part { at: Duration::ZERO, from: Side::Scanner, bytes: sent.into() };
    let (to, outcome) = (([192, 168, 1, 64], 80).into(), Outcome::Open);
    let connected = Connected { to, outcome, parts: vec![part], opened: Duration::ZERO, closed: None, tls: None };
    let recording = Recording { connections: vec![connected], ..Recording::default() };
    let head = "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"Tür\", nonce=\"1\"\r\n\r\n";
    for password in [ECHOED, "1234"] {
        let of = |realm: &str| format!("viewer:{realm}:{password}");
        let utf16: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let digests = [
            md5::Md5::digest(password).to_vec(),
            md5::Md5::digest(of("Tür")).to_vec(),
            md5::Md5::digest(of("Cam 7")).to_vec(),
            sha2::Sha256::digest(of("Tür")).to_vec(),
            sha2::Sha512_256::digest(of("Tür")).to_vec(),
            md5::Md5::digest(format!("{}:77aa:88bb", hex(&md5::Md5::digest(of("Cam 7"))))).to_vec(),
            md4::Md4::digest(utf16).to_vec(),
        ];
        let writings = |digest: &Vec<u8>| {
            [hex(digest), hex(digest).to_uppercase(), STANDARD.encode(digest), URL_SAFE_NO_PAD.encode(digest)]
        };
        let proofs = ["00112233445566778899aabbccddeeff", "MDEyMzQ1Njc4OWFiY2RlZmdoaWo="].map(str::to_owned);
        for secret in digests.iter().flat_map(writings).chain(proofs) {
            for body in
                [format!("x{secret}"), format!("<a>{secret}</a>"), secret.replace('/', "%2F").replace('+', "%2B")]
            {
                let kit = String::from_utf8_lossy(&kit_of_login(password, &recording, head, &[body])).into_owned();
                assert!(!kit.contains(secret.trim_end_matches('=')), "{secret} is in {kit:?}");
            }
        }
    }
}

#[test]
fn a_head_without_a_login_stays_a_head() {
    let head = "RTSP/1.0 200 OK\r\nCSeq: 7\r\nServer: x/1\r\nX-Mine: y\r\n  folded\r\nodd\r\n\r\n";
    assert_eq!(String::from_utf8(kit_of(head, &[])).unwrap(), format!("{head}\n"));
}

#[test]
fn a_hostile_text_is_passed_through_once() {
    let mut anonymiser = anonymiser(&camera());
    for unit in [":", "a:", "1234:", "a", "0.", "1.1.1.", "aa-", "aa:", "12345678-", "::"] {
        let text = unit.repeat((16 << 10) / unit.len());
        let looks = steps::seen_by(|| anonymiser.text(text.as_bytes())) / text.len();
        assert!(looks <= 64, "{looks} looks at each byte of {unit:?} repeated");
    }
}

/// A word of letters alone, another for each number: what has digits is taken for a number.
fn word(number: usize) -> String {
    let digit = |place: u32| char::from(b'a' + (number / 23_usize.pow(place) % 23) as u8);
    format!("Q{}{}{}x", digit(2), digit(1), digit(0))
}

/// A kit of so many answers of a web server.
fn kit_of_answers(answers: impl Iterator<Item = (String, String)>) -> Kit {
    let ask = || Ask {
        protocol: Spoken::Http,
        method: "GET".to_owned(),
        target: "/".to_owned(),
        login: None,
        transport: None,
        body: None,
    };
    let exchanges = answers.map(|(head, body)| {
        let body = vec![Timed { after_ms: 0, bytes: Blob(body.into()) }];
        Exchange { answer: Some(Answer { head: Blob(head.into()), body, ..Answer::default() }), ..Exchange::of(ask()) }
    });
    let port = TcpPort { port: 80, exchanges: exchanges.collect(), ..TcpPort::default() };
    Kit { tcp: vec![port], ..Kit::default() }
}

fn looks_at(mut kit: Kit, known: &Known) -> usize {
    steps::seen_by(|| anonymise(&mut kit, &Recording::default(), known))
}

/// Each answer names a program, and the device by words of its own.
#[test]
fn twice_the_answers_cost_twice_the_looks() {
    let facts = (0..64).map(|n| format!("{} {}", word(9_000 + n), word(9_100 + n))).collect();
    let known = Known { facts, ..camera() };
    let looks = |count: usize| {
        let answers = (0..count).map(|n| {
            let names = format!("<a><Name>{} {}</Name></a>", word(2 * n), word(2 * n + 1));
            (format!("HTTP/1.1 200 OK\r\nServer: {}d/1.0 (of {})\r\n\r\n", word(n), word(5_000 + n)), names)
        });
        looks_at(kit_of_answers(answers), &known)
    };
    let (few, many) = (looks(60), looks(120));
    assert!(many <= few * 5 / 2, "{few} looks at 60 answers, {many} at 120");
}

/// A datagram is gone through once, however many addresses are known.
#[test]
fn twice_the_addresses_cost_twice_the_looks() {
    let looks = |count: usize| {
        let addresses: String = (0..count).map(|n| format!("at 10.{}.{}.7 ", n / 250, n % 250)).collect();
        let mut kit = kit_of_answers(std::iter::once(("HTTP/1.1 200 OK\r\n\r\n".to_owned(), addresses)));
        let datagram =
            |n: usize| Timed { after_ms: 0, bytes: Blob([&[1, 0][..], &n.to_be_bytes(), &[7; 64]].concat()) };
        let question = Question { ask: Blob(vec![1, 0, 2]), answers: (0..count).map(datagram).collect() };
        kit.udp = vec![crate::kit::format::UdpPort { port: 37_020, questions: vec![question] }];
        looks_at(kit, &camera())
    };
    let (few, many) = (looks(500), looks(1000));
    assert!(many <= few * 5 / 2, "{few} looks at 500 addresses, {many} at 1000");
}

/// There are fewer texts of a short shape than values.
#[test]
fn a_shape_that_is_used_up_is_tried_a_few_times() {
    let letter = |number: usize| char::from(b'a' + (number % 26) as u8);
    let values: Vec<String> =
        (0..4000).map(|n| [letter(n), letter(n / 26), letter(n / 676)].into_iter().collect()).collect();
    let mut substitutes = Substitutes::default();
    let looks = steps::seen_by(|| {
        for value in &values {
            assert_ne!(substitutes.text(Private::Token, value), *value);
        }
    });
    assert!(looks / values.len() <= 64, "{looks} texts made for {}", values.len());
}
