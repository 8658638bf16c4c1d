use proptest::prelude::*;

use super::*;
use crate::kit::format::{Proof, Spoken};
use crate::model::recording::Part;

const DEVICE: &str = "192.168.1.20:554";

/// A connection on which these were said, 10 ms apart.
fn said(to: &str, parts: &[(Side, &[u8])], closed: Option<Side>) -> Connected {
    let at = |number: usize| Duration::from_millis(10 * number as u64);
    let part =
        |(number, (from, bytes)): (usize, &(Side, &[u8]))| Part { at: at(number), from: *from, bytes: bytes.to_vec() };
    Connected {
        to: to.parse().unwrap(),
        outcome: Outcome::Open,
        parts: parts.iter().enumerate().map(part).collect(),
        opened: Duration::ZERO,
        closed: closed.map(|side| (at(parts.len()), side)),
        tls: None,
    }
}

fn read_one(connection: Connected) -> TcpPort {
    let recording = Recording { connections: vec![connection], ..Recording::default() };
    read(&recording, 1_800_000_000).tcp.remove(0)
}

#[test]
fn a_session_is_read_with_its_packets() {
    use Side::{Device, Scanner};
    let rtp = |n: u8| {
        [
            &[b'$', 0, 0, 32, 0x80, 96, 0, n, 0, 0, 0, n, 1, 2, 3, 4][..],
            &[0x41, 0x9a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18],
        ]
        .concat()
    };
    let packets = [rtp(1), rtp(2)].concat();
    let port = read_one(said(
        DEVICE,
        &[
            (Scanner, b"DESCRIBE rtsp://192.168.1.20:554/live RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest username=\"u\"\r\n\r\n"),
            (Device, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 27\r\n\r\nv=0\r\na=rtpmap:96 H264/90000"),
            (Scanner, b"SETUP rtsp://192.168.1.20:554/live/1 RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"),
            (Device, b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"),
            (Scanner, b"PLAY rtsp://192.168.1.20:554/live RTSP/1.0\r\nCSeq: 3\r\n\r\n"),
            (Device, b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n"),
            (Device, &packets[..40]),
            (Device, &packets[40..]),
            (Scanner, b"TEARDOWN rtsp://192.168.1.20:554/live RTSP/1.0\r\nCSeq: 4\r\n\r\n"),
            (Device, b"RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n"),
        ],
        Some(Side::Device),
    ));
    let asked: Vec<(&str, &str)> =
        port.exchanges.iter().map(|e| (e.ask.method.as_str(), e.ask.target.as_str())).collect();
    assert_eq!(asked, [("DESCRIBE", "/live"), ("SETUP", "/live/1"), ("PLAY", "/live"), ("TEARDOWN", "/live")]);
    assert_eq!(port.exchanges[0].ask.login, Some(Proof::Digest));
    let media = &port.exchanges[2].media;
    assert_eq!(
        media.iter().map(|f| (f.track, f.rtcp, f.after_ms)).collect::<Vec<_>>(),
        [(0, false, 10), (0, false, 20)]
    );
    assert_eq!(media[0].bytes.0[..14], [0x80, 96, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 0x41, 0x9a]);
    assert!(media[0].bytes.0[19..].iter().all(|byte| *byte == crate::kit::format::FILL), "{:?}", media[0]);
    assert!(port.exchanges[3].closes && port.exchanges[3].answer.is_some());
}

#[test]
fn http_is_read_whatever_its_framing() {
    use Side::{Device, Scanner};
    let get: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: Basic dXNlcjpwYXNz\r\n\r\n";
    for (answer, closed, body, goes_on) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"[..], None, &b"ab"[..], false),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", None, b"ab", false),
        (b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nab", Some(Device), b"ab", false),
        (b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nab", Some(Scanner), b"ab", true),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", None, b"", false),
    ] {
        let port = read_one(said("192.168.1.20:80", &[(Scanner, get), (Device, answer)], closed));
        let exchange = &port.exchanges[0];
        assert_eq!((exchange.ask.protocol, exchange.ask.login), (Spoken::Http, Some(Proof::Basic)));
        let found = exchange.answer.as_ref().unwrap();
        let whole: Vec<u8> = found.body.iter().flat_map(|piece| piece.bytes.0.clone()).collect();
        assert_eq!((whole.as_slice(), found.goes_on), (body, goes_on), "{}", String::from_utf8_lossy(answer));
        assert_eq!(exchange.closes, closed == Some(Device));
    }
}

#[test]
fn what_is_not_answered_and_what_is_not_understood_is_known_as_such() {
    use Side::Scanner;
    let silent = read_one(said("192.168.1.20:80", &[(Scanner, b"GET / HTTP/1.0\r\n\r\n")], Some(Side::Device)));
    assert!(silent.exchanges[0].answer.is_none() && silent.exchanges[0].closes);
    let other = read_one(said("192.168.1.20:1935", &[(Scanner, &[3, 0, 0, 0])], Some(Side::Device)));
    assert!(other.exchanges.is_empty() && other.closes);
}

#[test]
fn a_soap_login_is_cut_out() {
    let body = "<s:Envelope><s:Header><Security><UsernameToken><Username>admin</Username><Password>x</Password></UsernameToken></Security></s:Header><s:Body><GetProfiles/></s:Body></s:Envelope>";
    let text = format!("POST /onvif HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let Next::Request(request, length) = next(text.as_bytes()) else { panic!("{text}") };
    assert_eq!((length, request.ask.login), (text.len(), Some(Proof::Wsse)));
    let kept = String::from_utf8(request.ask.body.unwrap().0).unwrap();
    assert_eq!(kept, "<s:Envelope><s:Body><GetProfiles/></s:Body></s:Envelope>");
}

proptest! {
    #[test]
    fn any_conversation_is_read(
        words in prop::collection::vec((any::<bool>(), prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            prop::sample::select(vec![
                b"GET / HTTP/1.1\r\n\r\n".to_vec(), b"PLAY * RTSP/1.0\r\n\r\n".to_vec(), b"RTSP/1.0 200 OK\r\n\r\n".to_vec(),
                b"SETUP a RTSP/1.0\r\nTransport: RTP/AVP;client_port=1-2\r\n\r\n".to_vec(), b"$\0\0\x04abcd".to_vec(),
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n".to_vec(), b"HTTP/1.1 200 OK\r\n\r\n\xff\xd8\xff".to_vec(),
            ]),
        ]), 0..12),
    ) {
        let parts: Vec<(Side, &[u8])> =
            words.iter().map(|(device, bytes)| (if *device { Side::Device } else { Side::Scanner }, bytes.as_slice())).collect();
        let recording = Recording { connections: vec![said(DEVICE, &parts, Some(Side::Device))], ..Recording::default() };
        let (kit, _) = crate::kit::make(&recording, &crate::kit::anonymise::Known::of([192, 168, 1, 20].into()), 0);
        let written = crate::kit::format::write(&kit).unwrap();
        prop_assert_eq!(crate::kit::format::read(&written).unwrap(), kit);
    }
}
