use proptest::prelude::*;
use serde_json::Value;

use super::body::looks_like_sdp;
use super::start::METHODS;
use super::*;
use crate::protocol::rtsp::headers::SESSION_TIMEOUT;
use crate::text::steps;

/// How often a byte is looked at: for the line it is in, for a version in that, and for a few methods that begin alike.
const MOST_LOOKS: usize = 20;

fn expected(folder: &str) -> Vec<(String, Value)> {
    let all: Value = serde_json::from_str(include_str!("../../../../tests/data/expected.json")).unwrap();
    let files = all["files"].as_object().unwrap();
    files.iter().filter(|(path, _)| path.starts_with(folder)).map(|(p, v)| (p.clone(), v.clone())).collect()
}

fn recorded(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Everything in `bytes`, fed in pieces of `piece` bytes.
fn decode(bytes: &[u8], piece: usize, body_awaited: bool) -> Vec<Item> {
    let mut decoder = Decoder::default();
    let mut items = Vec::new();
    for chunk in bytes.chunks(piece.max(1)) {
        decoder.buffer.extend_from_slice(chunk);
        while let Next::Item(item) = decoder.next(body_awaited) {
            items.push(item);
        }
    }
    loop {
        match decoder.finish(body_awaited) {
            Next::Item(item) => items.push(item),
            Next::TooLarge => return items,
            other => {
                assert_eq!(other, Next::More);
                return items;
            }
        }
    }
}

fn responses(items: &[Item]) -> Vec<&Response> {
    items.iter().filter_map(|i| if let Item::Response(r) = i { Some(r) } else { None }).collect()
}

fn first(bytes: &[u8], body_awaited: bool) -> Response {
    let items = decode(bytes, bytes.len(), body_awaited);
    responses(&items).first().copied().cloned().unwrap_or_else(|| panic!("no answer in {items:?}"))
}

#[test]
fn every_recorded_status_is_read() {
    for (path, want) in expected("rtsp_status/").into_iter().chain(expected("rtsp_401/")) {
        let bytes = recorded(&path);
        let whole = decode(&bytes, bytes.len(), false);
        let drop_junk =
            |items: &[Item]| items.iter().filter(|i| !matches!(i, Item::Junk(_))).cloned().collect::<Vec<_>>();
        assert_eq!(drop_junk(&decode(&bytes, 1, false)), drop_junk(&whole), "{path}: byte by byte");
        let answers = responses(&whole);
        assert_eq!(answers.len() as u64, want["replies"].as_u64().unwrap_or(1), "{path}");
        let answer = answers[0];
        let status = want["status"].as_u64().unwrap_or(answer.status.into());
        assert_eq!(u64::from(answer.status), status, "{path}");
        assert!(answer.status >= 100, "{path}");
        assert_eq!(answer.spoken == Spoken::Http, bytes.starts_with(b"HTTP/"), "{path}");
        if let Some(cseq) = want.get("cseq") {
            assert_eq!(answer.headers.cseq(), cseq.as_i64(), "{path}");
        }
        if let Some(location) = want["location"].as_str() {
            assert_eq!(answer.headers.text("location").as_deref(), Some(location), "{path}");
        }
    }
}

#[test]
fn what_stands_in_odd_heads_is_found() {
    assert_eq!(first(&recorded("rtsp_status/rtsp_200_extra_token.txt"), false).reason, "OK 200");
    assert!(first(&recorded("rtsp_status/non_utf8_reason.txt"), false).reason.starts_with("Vers"));
    let allow = first(&recorded("rtsp_status/options_400_lower_case_allow.txt"), false).headers.methods();
    assert!(allow.contains(&"DESCRIBE".to_owned()));
    let empty = first(&recorded("rtsp_status/551.txt"), false);
    assert_eq!(empty.headers.all("unsupported").next(), Some(b"".as_slice()));
    let spaced = first(b"RTSP/1.0 200\nServer : a\n b\nno colon\nX:\n\n", false);
    assert_eq!((spaced.status, spaced.headers.clean("server").as_deref()), (200, Some("a b")));
    assert_eq!(spaced.headers.len(), 2);
}

#[test]
fn every_recorded_interleaving_is_taken_apart() {
    for (path, want) in expected("rtsp_interleaved/") {
        let bytes = recorded(&path);
        let items = decode(&bytes, bytes.len(), false);
        assert_eq!(decode(&bytes, 1, false), items, "{path}: byte by byte");
        let answers = responses(&items);
        assert_eq!((answers.len(), answers[0].status), (1, 200), "{path}");
        let frames: Vec<(u64, u64)> = items
            .iter()
            .filter_map(|i| match i {
                Item::Data { channel, payload } => Some((u64::from(*channel), payload.len() as u64)),
                _ => None,
            })
            .collect();
        if let Some(wanted) = want["frames"].as_array() {
            let pair = |v: &Value| (v["channel"].as_u64().unwrap(), v["len"].as_u64().unwrap());
            assert_eq!(frames, wanted.iter().map(pair).collect::<Vec<_>>(), "{path}");
        }
        if let Some(before) = want["frames_before_reply"].as_u64() {
            assert_eq!(items.iter().position(|i| matches!(i, Item::Response(_))), Some(before as usize), "{path}");
        }
        if let Some(id) = want["session_id"].as_str() {
            let session = answers[0].headers.session().unwrap();
            assert_eq!(session.id, id, "{path}");
            let timeout = session.timeout.unwrap_or(SESSION_TIMEOUT).as_secs();
            assert_eq!(Some(timeout), want["session_timeout"].as_u64(), "{path}");
            let channels = answers[0].headers.transport().unwrap().interleaved;
            let wanted =
                want["channels"].as_array().map(|c| (c[0].as_u64().unwrap() as u8, c[1].as_u64().unwrap() as u8));
            assert_eq!(channels, wanted, "{path}");
        }
    }
    let request = decode(&recorded("rtsp_interleaved/server_request_in_stream.bin"), 7, false);
    let asked = request.iter().find_map(|i| if let Item::Request(r) = i { Some(r) } else { None }).unwrap();
    assert_eq!((asked.method.as_str(), asked.headers.cseq()), ("OPTIONS", Some(1)));
    assert_eq!(asked.reply(), b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
}

#[test]
fn every_recorded_description_comes_whole() {
    for (path, want) in expected("rtsp_describe/") {
        let bytes = recorded(&path);
        let items = decode(&bytes, bytes.len(), true);
        let answers = responses(&items);
        assert_eq!((answers.len(), answers[0].status), (1, 200), "{path}");
        assert!(looks_like_sdp(&answers[0].body), "{path}");
        // Nothing of the description is left behind, whatever Content-Length says.
        let body = answers[0].body.len();
        assert!(bytes.len() - body < 400, "{path}: {body} of {}", bytes.len());
        assert!(bytes.ends_with(&answers[0].body), "{path}");
        assert!(!items.iter().any(|i| matches!(i, Item::Junk(_))), "{path}");
        let too_large = want["verdict"] == "body too large";
        assert_eq!(answers[0].end == BodyEnd::TooLarge, too_large, "{path}");
    }
    let end = |name: &str| first(&recorded(&format!("rtsp_describe/content_length_{name}.txt")), true).end;
    assert_eq!(end("missing"), BodyEnd::Found);
    assert_eq!(end("too_big"), BodyEnd::Short);
    assert_eq!(end("too_small"), BodyEnd::Extended);
    assert_eq!(end("lower_case"), BodyEnd::Stated);
}

/// A description whose end the head does not tell is offered as soon as it could be whole, so that nobody waits for the
/// deadline.
#[test]
fn uncertain_ends_are_offered() {
    for name in ["missing", "too_big", "huge", "too_small"] {
        let mut bytes = recorded(&format!("rtsp_describe/content_length_{name}.txt"));
        if name == "too_small" {
            bytes.truncate(bytes.len() - 3);
        }
        let mut decoder = Decoder::default();
        decoder.buffer.extend_from_slice(&bytes);
        assert_eq!(decoder.next(true), Next::Perhaps, "{name}");
        assert!(matches!(decoder.finish(true), Next::Item(Item::Response(_))), "{name}");
    }
    let mut decoder = Decoder::default();
    decoder.buffer.extend_from_slice(b"RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n");
    assert_eq!(decoder.next(true), Next::Perhaps);
}

/// The bytes a too small `Content-Length` leaves behind do not hide the answer after them.
#[test]
fn surplus_bytes_do_not_derail_the_next_answer() {
    let mut bytes = b"RTSP/1.0 404 Not Found\r\nContent-Length: 4\r\n\r\nnothing here, price 5$\r\n".to_vec();
    bytes.extend_from_slice(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n");
    let items = decode(&bytes, bytes.len(), false);
    assert_eq!(responses(&items).iter().map(|r| r.status).collect::<Vec<_>>(), [404, 200]);

    let mut described = recorded("rtsp_describe/content_length_too_small.txt");
    described.extend_from_slice(b"$\0\0\x02hiRTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n");
    let items = decode(&described, 5, true);
    assert_eq!(responses(&items).len(), 2);
    assert!(items.iter().any(|i| matches!(i, Item::Data { channel: 0, .. })));
}

#[test]
fn a_head_that_breaks_off_is_still_told() {
    let half = first(b"RTSP/1.0 401 Unauthorized\r\nServer: Cam\r\nWWW-Auth", false);
    assert_eq!((half.status, half.end), (401, BodyEnd::Short));
    assert_eq!(half.headers.clean("server").as_deref(), Some("Cam"));
    let joined = first(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nv=0\r\ns=x\r\n", true);
    assert_eq!(joined.body, b"v=0\r\ns=x\r\n".as_slice());
}

#[test]
fn bounds_hold() {
    let mut decoder = Decoder::default();
    decoder.buffer.extend_from_slice(b"RTSP/1.0 200 OK\r\nX: ");
    decoder.buffer.extend_from_slice(&[b'a'; MAX_HEAD]);
    assert_eq!(decoder.next(true), Next::TooLarge);

    let mut endless = b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec();
    endless.resize(2 * MAX_BODY, b'x');
    assert_eq!(first(&endless, true).body.len(), MAX_BODY);
    let greetings = decode(b"SSH-2.0-OpenSSH_9.2\r\n", 4, false);
    assert!(greetings.iter().all(|i| matches!(i, Item::Junk(_))), "{greetings:?}");
}

/// Verbatim captures: what was written down about each is what is read.
#[test]
#[ignore = "needs the captures CAMSCAN_CAPTURES names"]
fn captures_are_read() {
    let folder = crate::testkit::captures::folder();
    let all: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut read = 0;
    for (path, want) in all["files"].as_object().unwrap() {
        if want["kind"] != "rtsp-response" {
            continue;
        }
        let answer = first(&std::fs::read(folder.join(path)).unwrap(), true);
        let headers = &answer.headers;
        assert_eq!(want["status"].as_u64(), Some(answer.status.into()), "{path}");
        assert_eq!(want["cseq"].as_i64(), headers.cseq(), "{path}");
        assert_eq!(want["server"].as_str(), headers.clean("Server").as_deref(), "{path}");
        assert_eq!(want["session_id"].as_str(), headers.session().as_ref().map(|s| s.id.as_str()), "{path}");
        if let Some(seconds) = want["session_timeout"].as_u64() {
            let timeout = headers.session().and_then(|s| s.timeout).map_or(60, |t| t.as_secs());
            assert_eq!(timeout, seconds, "{path}");
        }
        if let Some(public) = want["public"].as_str() {
            assert_eq!(headers.methods().join(", "), public, "{path}");
        }
        if let Some(length) = want["body_bytes"].as_u64() {
            // Blank lines behind a description may be left to the next message.
            assert!(length.abs_diff(answer.body.len() as u64) <= 2, "{path}: {}", answer.body.len());
        }
        if let Some(challenges) = want["challenges"].as_array() {
            let found = crate::wire::auth::challenges(headers.all("WWW-Authenticate"));
            assert_eq!(found.len(), challenges.len(), "{path}");
            assert_eq!(found[0].realm().as_deref(), challenges[0]["realm"].as_str(), "{path}");
            assert_eq!(found[0].nonce(), challenges[0]["nonce"].as_str().map(str::as_bytes), "{path}");
        }
        read += 1;
    }
    assert!(read > 30, "{read}");
}

proptest! {
    #[test]
    fn any_bytes_are_taken_apart_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1usize..64) {
        decode(&bytes, piece, true);
    }

    #[test]
    fn broken_messages_are_taken_apart_without_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "RTSP/1.0 200 OK", "RTSP", "HTTP/1.0 401", "\r\n", "\n", "Content-Length: 5", "Content-Length: 99999999999",
            "v=0", "m=video", "$\0", "$", "\0\x04", "OPTIONS rtsp://h RTSP/1.0", "PLAY ", " ", "CSeq: 1", ":", "a=b",
        ]), 0..40),
        piece in 1usize..50, awaited in any::<bool>(),
    ) {
        let bytes = parts.concat().into_bytes();
        let total: usize = decode(&bytes, piece, awaited).iter().map(|i| match i {
            Item::Data { payload, .. } => payload.len() + 4,
            Item::Junk(count) => *count,
            Item::Response(r) => r.body.len(),
            Item::Request(r) => r.body.len(),
        }).sum();
        prop_assert!(total <= bytes.len());
    }

    #[test]
    fn requests_are_read_back(
        method in prop::sample::select(METHODS.to_vec()),
        path in "[!-~]{0,40}",
        values in prop::collection::vec("[!-~]([ -~]{0,20}[!-~])?", 0..5),
        body in prop::collection::vec(any::<u8>(), 0..60),
        piece in 1usize..80,
    ) {
        let mut request = Request::new(method, &format!("rtsp://192.0.2.10:554/{path}"));
        for (n, value) in values.iter().enumerate() {
            request = request.with(&format!("X-{n}"), value);
        }
        request.body = body.into();
        let items = decode(&request.to_bytes(), piece, false);
        if !request.body.is_empty() {
            request.headers.push("Content-Length", request.body.len().to_string().as_bytes());
        }
        prop_assert_eq!(items, [Item::Request(request)]);
    }
}

/// What makes no sense is passed over by looking at each byte a few times, whatever it may be the beginning of.
#[test]
fn no_byte_of_what_makes_no_sense_is_looked_at_often() {
    let beginnings: [&[u8]; 14] = [
        b"OPTIONS ",
        b"OPTIONS",
        b"PLAY ",
        b"PLAY RTSP",
        b"GET_PARAMETER ",
        b"A",
        b"SETUP_",
        b"RTSP/",
        b"RTSP/1.0 ",
        b"RTSP/1111111111111111",
        b"H",
        b"$\xff",
        b"\xff",
        b"PLAY \n",
    ];
    for beginning in beginnings {
        for ending in [&b""[..], b"\n", b"RTSP/\n", b"\r\n\r\n"] {
            let text = [&b"\x01"[..], &beginning.repeat((64 << 10) / beginning.len()), ending].concat();
            let looks = steps::seen_by(|| decode(&text, text.len(), false)) / text.len();
            assert!(looks <= MOST_LOOKS, "{looks} at {:?}", String::from_utf8_lossy(beginning));
        }
    }
}

/// What comes in small pieces is not read anew with each of them.
#[test]
fn no_byte_that_comes_in_small_pieces_is_looked_at_often() {
    const SIZE: usize = 64 << 10;
    let many = |text: &str| text.repeat(SIZE / text.len());
    let answer = |headers: &str, body: &str| format!("RTSP/1.0 200 OK\r\nCSeq: 1\r\n{headers}\r\n{body}");
    let stated = |length: usize, body: &str| answer(&format!("Content-Length: {length}\r\n"), body);
    let headers = "A: b\r\n".repeat(10_000) + &format!("Content-Length: {SIZE}\r\n");
    for (what, text) in [
        ("a long head before a body", answer(&headers, &many("x"))),
        ("a description of no stated length", answer("", &("v=0\r\n".to_owned() + &many("a=x\r\n")))),
        ("lines behind a stated length", stated(5, &("v=0\r\n".to_owned() + &many("a=x\r\n")))),
        ("a line behind a stated length", stated(5, &("v=0\r\na=".to_owned() + &many("x")))),
        ("blanks", stated(SIZE, &many("\n"))),
        ("blanks of no stated length", answer("", &many("\n"))),
        ("a description with a request in it", answer("", &("v=0\r\nPLAY ".to_owned() + &many("x")))),
        ("what may be answers", answer("", &("v=0\r\n".to_owned() + &many("RTSP/1.0 \r\n")))),
        ("a request with a long head", format!("PLAY {} RTSP/1.0\r\n{}\r\n", "x".repeat(2000), many("A: b\r\n"))),
        ("beginnings of a request", many("PLAY x ")),
        ("a request", format!("PLAY {} RTSP/1.0\r\nContent-Length: {SIZE}\r\n\r\n{}", "x".repeat(2000), many("x"))),
    ] {
        let looks = steps::seen_by(|| decode(text.as_bytes(), 10, true)) / text.len();
        assert!(looks <= MOST_LOOKS, "{looks} at {what}");
    }
}
