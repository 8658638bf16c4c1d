use super::*;
use proptest::prelude::*;

fn head(bytes: &[u8]) -> (Head, usize) {
    match parse_start(bytes, true) {
        Start::Head(head, len) => (head, len),
        other => panic!("{other:?}"),
    }
}

#[test]
fn heads_of_every_kind() {
    for (sent, version, status, headers) in [
        (&b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"[..], "HTTP/1.1", 200, 1),
        (b"\r\nHTTP/1.0 401\nA: b\nB : c\n\n", "HTTP/1.0", 401, 2),
        (b"HTTP/1.1 200 OK\r\nTue Jan  6 10.00\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1", 200, 1),
        (b"ICY 200 OK\r\nicy-name:x\r\n\r\n", "ICY", 200, 1),
        (b"RTSP/1.0 400 Bad Request\r\n\r\n", "RTSP/1.0", 400, 0),
        (b"http/1.1 200\r\nA: b", "http/1.1", 200, 1),
    ] {
        let (head, _) = head(sent);
        assert_eq!((head.version.as_str(), head.status, head.headers.len()), (version, status, headers));
    }
    assert_eq!(head(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n").0.headers.text("a").as_deref(), Some("b c"));
}

#[test]
fn what_is_no_head_is_bare_and_what_is_not_yet_one_waits() {
    assert_eq!(parse_start(b"<html>", false), Start::Bare);
    assert_eq!(parse_start(b"HTT", false), Start::Incomplete);
    assert_eq!(parse_start(b"", false), Start::Incomplete);
    assert_eq!(parse_start(b"HTTP/1.1 OK\r\n\r\n", false), Start::Bare);
    assert_eq!(parse_start(b"HTTP/1.1 200 OK\r\nA: b\r\n", false), Start::Incomplete);
    let endless = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(20_000)].concat();
    assert_eq!(parse_start(&endless, false), Start::TooLarge);
    let one_line = [&b"HTTP/1.1 200 OK\r\nX: "[..], &vec![b'y'; MAX_HEAD + 1]].concat();
    assert_eq!(parse_start(&one_line, false), Start::TooLarge);
}

#[test]
fn line_ends_before_an_answer_are_counted_once() {
    let sent = [&b"\r\n".repeat(30_000)[..], b"HTTP/1.1 200 OK\r\n\r\n"].concat();
    let mut read = None;
    let looks = steps::seen_by(|| {
        let mut reader = StartReader::default();
        let ends = (10..sent.len()).step_by(10).chain([sent.len()]);
        read = ends.map(|end| reader.read(&sent[..end], false)).find(|start| *start != Start::Incomplete);
    });
    assert!(
        matches!(&read, Some(Start::Head(head, length)) if head.status == 200 && *length == sent.len()),
        "{read:?}"
    );
    assert!(looks / sent.len() <= 2, "{} looks at each byte", looks / sent.len());
}

#[test]
fn many_headers_are_kept() {
    let sent = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(500), b"\r\n"].concat();
    assert_eq!(head(&sent).0.headers.len(), 500);
}

fn body_of(sent: &[u8]) -> (Vec<u8>, bool) {
    let (head, len) = head(sent);
    let mut decoder = head.body("GET");
    let mut out = Vec::new();
    for byte in sent[len..].chunks(7) {
        decoder.decode(byte, &mut out);
    }
    (out, decoder.is_complete())
}

#[test]
fn bodies_of_every_framing() {
    for (sent, body, complete) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"[..], &b"abc"[..], true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"abc", false),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", b"abc", true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc", b"abc", false),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc", false),
        (b"HTTP/1.1 204 No\r\n\r\nabc", b"", true),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\nc\n0\r\n\r\n", b"abc", true),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n<html>\r\n</html>", b"<html>\r\n</html>", false),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\nc", b"ab", true),
    ] {
        assert_eq!(body_of(sent), (body.to_vec(), complete), "{}", String::from_utf8_lossy(sent));
    }
}

#[test]
fn unpacking_is_bounded_and_believes_the_bytes() {
    use flate2::Compression;
    use std::io::Write;
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&vec![b' '; 1 << 20]).unwrap();
    let packed = gz.finish().unwrap();
    assert_eq!(unpack(packed.clone(), None, 1 << 20), (vec![b' '; 1 << 20], false));
    assert_eq!(unpack(packed.clone(), Some("gzip"), 1000), (vec![b' '; 1000], true));
    let cut = unpack(packed[..packed.len() / 2].to_vec(), Some("gzip"), 1 << 20);
    assert!(cut.1 && !cut.0.is_empty());
    assert_eq!(unpack(b"plain".to_vec(), Some("gzip"), 100), (b"plain".to_vec(), false));
    assert_eq!(unpack(b"plain".to_vec(), Some("gzip"), 3), (b"pla".to_vec(), true));
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(b"abc").unwrap();
    assert_eq!(unpack(zlib.finish().unwrap(), Some("deflate"), 100), (b"abc".to_vec(), false));
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
    raw.write_all(b"abc").unwrap();
    assert_eq!(unpack(raw.finish().unwrap(), Some("deflate"), 100), (b"abc".to_vec(), false));
}

#[test]
fn a_request_cannot_be_broken_open() {
    let sent = emit_request("GET", "/a b\r\nX: y", &[("Host", b"h\r\nEvil: 1"), ("Accept", b"*/*")], b"");
    assert_eq!(sent, b"GET /a%20b%0D%0AX:%20y HTTP/1.1\r\nHost: hEvil: 1\r\nAccept: */*\r\n\r\n");
}

proptest! {
    /// An answer is read the same in whatever pieces it comes.
    #[test]
    fn no_answer_is_left_unread(
        blank in "[\r\n]{0,80}",
        start in prop::sample::select(vec!["", "H", "HTTP/1.1 200 OK", "RTSP/1.0 1", "ICY 200", "<html>"]),
        rest in "[a:\\r\\n\\n ]{0,120}",
        piece in 1usize..40,
        ended in any::<bool>(),
    ) {
        let bytes = format!("{blank}{start}{rest}").into_bytes();
        let mut reader = StartReader::default();
        for length in (0..bytes.len()).step_by(piece) {
            let now = &bytes[..length];
            prop_assert_eq!(reader.read(now, false), StartReader::default().read(now, false), "{:?}", now);
            if parse_start(now, false) != Start::Incomplete {
                return Ok(());
            }
        }
        prop_assert_eq!(reader.read(&bytes, ended), parse_start(&bytes, ended), "{:?}", bytes);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..512), cut in 1usize..64) {
        let sent = [&b"HTTP/1.1 200 OK\r\n"[..], &bytes].concat();
        for text in [bytes.as_slice(), &sent] {
            if let Start::Head(head, len) = parse_start(text, true) {
                let mut decoder = head.body("GET");
                let mut out = Vec::new();
                text[len..].chunks(cut).for_each(|piece| decoder.decode(piece, &mut out));
                prop_assert!(out.len() <= text.len());
                unpack(out, head.headers.text("Content-Encoding").as_deref(), 4096);
            }
        }
        unpack([&[0x1f, 0x8b, 8, 0][..], &bytes].concat(), None, 4096);
    }

    /// However the bytes are cut on the way, the body is the same.
    #[test]
    fn chunks_come_back_whole(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8), cut in 1usize..16) {
        let mut sent = Vec::new();
        for part in &parts {
            sent.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            sent.extend_from_slice(part);
            sent.extend_from_slice(b"\r\n");
        }
        sent.extend_from_slice(b"0\r\n\r\n");
        let head = Head { status: 200, version: "HTTP/1.1".into(), headers: [("transfer-encoding", "Chunked")].into_iter().collect() };
        let mut decoder = head.body("GET");
        let mut out = Vec::new();
        sent.chunks(cut).for_each(|piece| decoder.decode(piece, &mut out));
        prop_assert_eq!(out, parts.concat());
        prop_assert!(decoder.is_complete());
    }
}
