use super::*;
use crate::kit::conversation::{Next, next};
use crate::kit::format::{Blob, Frame, Manifest, Question, Timed, UdpPort};

fn request(text: &str) -> Request {
    match next(text.as_bytes()) {
        Next::Request(request, _) => *request,
        _ => panic!("no request: {text}"),
    }
}

fn exchange(ask: &str, answer: &str) -> Exchange {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body = Some(body).filter(|b| !b.is_empty()).map(|b| Timed { after_ms: 0, bytes: Blob(b.into()) });
    let answer = Answer {
        at: 1000,
        head: Blob(format!("{head}\r\n\r\n").into()),
        body: body.into_iter().collect(),
        ..Answer::default()
    };
    Exchange { answer: Some(answer), ..Exchange::of(request(ask).ask) }
}

fn player(exchanges: Vec<Exchange>) -> Player {
    let manifest = Manifest { device: Some([192, 0, 2, 1].into()), ..Manifest::default() };
    let tcp = vec![TcpPort { port: 554, exchanges, ..TcpPort::default() }];
    let local = Local { ip: [127, 83, 0, 1].into(), ports: vec![(554, 20554), (80, 80)] };
    Player::new(Kit { manifest, tcp, udp: Vec::new() }, local)
}

const MOMENT: Moment = Moment { now: 2000, random: 0xabc, media_ports: Some((5000, 5001)) };

fn say(player: &mut Player, visit: &mut Visit, text: &str) -> String {
    let reply = player.answer(visit, &request(text), &MOMENT);
    let body: Vec<u8> = reply.body.into_iter().flat_map(|(_, bytes)| bytes).collect();
    String::from_utf8([reply.head, body].concat()).unwrap()
}

#[test]
fn an_answer_is_made_for_who_asks() {
    let mut player = player(vec![
        exchange(
            "SETUP rtsp://192.0.2.1/a RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP;unicast;client_port=1-2\r\n\r\n",
            "RTSP/1.0 200 OK\r\nCSeq: 2\r\nTransport: RTP/AVP;unicast;client_port=1-2;server_port=7-8;source=192.0.2.1\r\n\r\n",
        ),
        exchange(
            "DESCRIBE rtsp://192.0.2.1:554/a RTSP/1.0\r\nCSeq: 3\r\n\r\n",
            "RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Base: rtsp://192.0.2.1:554/a/\r\nContent-Length: 7\r\n\r\nc=IN IP4 192.0.2.1 192.0.2.10",
        ),
    ]);
    let visit = &mut player.visit(554);
    let ask = "SETUP rtsp://127.83.0.1:20554/a RTSP/1.0\r\nCSeq: 77\r\nTransport: RTP/AVP;unicast;client_port=600-601\r\n\r\n";
    assert_eq!(
        say(&mut player, visit, ask),
        "RTSP/1.0 200 OK\r\nCSeq: 77\r\nTransport: RTP/AVP;unicast;client_port=600-601;server_port=5000-5001;source=127.83.0.1\r\n\r\n"
    );
    assert_eq!(visit.tracks, [Way::Datagrams((600, 601))]);
    assert_eq!(
        say(&mut player, visit, "DESCRIBE rtsp://127.83.0.1:20554/a RTSP/1.0\r\nCSeq: 9\r\n\r\n"),
        "RTSP/1.0 200 OK\r\nCSeq: 9\r\nContent-Base: rtsp://127.83.0.1:20554/a/\r\nContent-Length: 30\r\n\r\nc=IN IP4 127.83.0.1 192.0.2.10"
    );
    let unknown = say(&mut player, visit, "DESCRIBE rtsp://127.83.0.1:20554/b RTSP/1.0\r\nCSeq: 10\r\n\r\n");
    assert_eq!(unknown, "RTSP/1.0 404 Not Found\r\nCSeq: 10\r\n\r\n");
}

#[test]
fn several_answers_to_one_request_come_in_turn_and_begin_anew() {
    let ask = "GET /n HTTP/1.1\r\n\r\n";
    let mut player = player(["one", "two"].map(|body| exchange(ask, &format!("HTTP/1.1 200 OK\r\n\r\n{body}"))).into());
    let visit = &mut player.visit(554);
    let mut last = |player: &mut Player| say(player, visit, ask).rsplit('\n').next().unwrap().to_owned();
    assert_eq!([last(&mut player), last(&mut player), last(&mut player)], ["one", "two", "two"]);
    player.rewind();
    assert_eq!(last(&mut player), "one");
}

#[test]
fn a_login_is_asked_for_with_a_nonce_of_its_own_and_no_other_is_let_in() {
    use crate::model::Credential;
    use crate::wire::auth::{challenges, choose, login::Login};
    let open = "DESCRIBE /a RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    let closed = "DESCRIBE /a RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest username=\"x\"\r\n\r\n";
    let mut player = player(vec![
        exchange(
            open,
            "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"old\"\r\n\r\n",
        ),
        exchange(closed, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\nv=0"),
    ]);
    assert!(takes_login(player.kit()));
    let visit = &mut player.visit(554);
    let refused = say(&mut player, visit, open);
    assert!(refused.contains("401") && !refused.contains("old"), "{refused}");
    let line = refused.lines().find_map(|l| l.strip_prefix("WWW-Authenticate: ")).unwrap().to_owned();
    for (password, status) in [("wrong", "401"), ("kit", "200")] {
        let challenge = choose(&challenges([&line])).unwrap().clone();
        let value = Login::new(challenge, Credential::new("kit", password), 1).authorization("DESCRIBE", "/a", b"");
        let text =
            format!("DESCRIBE /a RTSP/1.0\r\nCSeq: 2\r\nAuthorization: {}\r\n\r\n", String::from_utf8(value).unwrap());
        let answer = say(&mut player, visit, &text);
        assert!(answer.contains(status), "{password}: {answer}");
    }
    // A nonce that was never given out proves nothing.
    let challenge = choose(&challenges(["Digest realm=\"r\", nonce=\"mine\""])).unwrap().clone();
    let value = Login::new(challenge, Credential::new("kit", "kit"), 1).authorization("DESCRIBE", "/a", b"");
    let text =
        format!("DESCRIBE /a RTSP/1.0\r\nCSeq: 2\r\nAuthorization: {}\r\n\r\n", String::from_utf8(value).unwrap());
    assert!(say(&mut player, visit, &text).contains("401"));
}

#[test]
fn a_clock_that_is_wrong_stays_as_wrong_as_it_was() {
    let body = "<UTCDateTime>\n<tt:Time><tt:Hour>0</tt:Hour><tt:Minute>16</tt:Minute><tt:Second>50</tt:Second></tt:Time>\
                <tt:Date><tt:Year>1970</tt:Year><tt:Month>1</tt:Month><tt:Day>1</tt:Day></tt:Date></UTCDateTime>";
    let ask = "POST /onvif HTTP/1.1\r\n\r\n";
    let mut player = player(vec![exchange(ask, &format!("HTTP/1.1 200 OK\r\n\r\n{body}"))]);
    let visit = &mut player.visit(554);
    // Recorded at 1000 s, ten seconds ahead; it is 2000 s now.
    let answer = say(&mut player, visit, ask);
    assert!(answer.contains("<tt:Hour>0</tt:Hour><tt:Minute>33</tt:Minute><tt:Second>30</tt:Second>"), "{answer}");
}

#[test]
fn packets_go_on_where_the_last_lap_ended() {
    let packet =
        |number: u16, time: u32| [&[0x80, 96][..], &number.to_be_bytes(), &time.to_be_bytes(), &[0; 4]].concat();
    let frame = |n: u16| Frame {
        after_ms: 40 * u64::from(n),
        track: 0,
        rtcp: false,
        bytes: Blob(packet(65_534 + n, 3600 * u32::from(n))),
    };
    let laps = Laps::new(vec![frame(0), frame(1)]);
    let at = |number| laps.packet(number).map(|(at, _, _, bytes)| (at.as_millis(), bytes)).unwrap();
    assert_eq!(at(1), (40, packet(65_535, 3600)));
    assert_eq!(at(2), (80, packet(0, 7200)));
    assert_eq!(at(5), (200, packet(3, 18_000)));
    assert_eq!(Laps::new(Vec::new()).packet(0), None);
    assert_eq!(Laps::new(vec![frame(0)]).packet(1), None);
}

#[test]
fn a_datagram_is_answered_with_its_own_number() {
    let ask = b"\x00\x01\x00\x00\x21\x12\xa4\x42AAAABBBBCCCC".to_vec();
    let answer = b"\x01\x01\x00\x00\x21\x12\xa4\x42AAAABBBBCCCC".to_vec();
    let answers = vec![Timed { after_ms: 5, bytes: Blob(answer) }];
    let mut player = player(Vec::new());
    player.kit.udp = vec![UdpPort { port: 3478, questions: vec![Question { ask: Blob(ask), answers }] }];
    let replies = player.datagram(3478, b"\x00\x01\x00\x00\x21\x12\xa4\x42XXXXYYYYZZZZ");
    assert_eq!(replies, [(Duration::from_millis(5), b"\x01\x01\x00\x00\x21\x12\xa4\x42XXXXYYYYZZZZ".to_vec())]);
    assert_eq!(player.datagram(9, b"?"), []);
}

#[test]
fn a_request_with_a_number_of_its_own_gets_the_answer_with_that_number() {
    let ask = |kind: &str, number: &str| {
        let body = format!(r#"{{"janus":"{kind}","transaction":"{number}"}}"#);
        format!("POST /janus HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n{\"transaction\":\"a1b2c3d4\",\"id\":77}";
    let mut player = player(vec![exchange(&ask("create", "a1b2c3d4"), answer)]);
    let visit = &mut player.visit(554);
    let said = say(&mut player, visit, &ask("create", "00ff00ff"));
    assert!(said.ends_with("{\"transaction\":\"00ff00ff\",\"id\":77}"), "{said}");
    assert!(say(&mut player, visit, &ask("destroy", "00ff00ff")).starts_with("HTTP/1.1 404"));
}

#[test]
fn what_came_in_chunks_comes_in_chunks() {
    let ask = "GET /c HTTP/1.1\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ntwelve bytes";
    let mut player = player(vec![exchange(ask, chunked)]);
    let visit = &mut player.visit(554);
    let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\ntwelve bytes\r\n0\r\n\r\n";
    assert_eq!(say(&mut player, visit, ask), whole);
    // One that has not ended does not end.
    player.kit.tcp[0].exchanges[0].answer.as_mut().unwrap().goes_on = true;
    assert_eq!(say(&mut player, visit, ask), whole.replace("0\r\n\r\n", ""));
}

#[test]
fn any_offer_is_answered_as_the_recorded_one() {
    let offer = |id: u32| format!("v=0\r\no=- {id} 1 IN IP4 0.0.0.0\r\n");
    let post = |path: &str, body: &str| format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = |id: u32| format!("HTTP/1.1 201 Created\r\nLocation: /whep/{id}\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\n");
    let mut exchanges: Vec<Exchange> =
        [1, 2].map(|id| exchange(&post("/whep", &offer(id)), &answer(id))).into_iter().collect();
    exchanges[1].session = Some(Session::Connected);
    let mut player = player(exchanges);
    let visit = &mut player.visit(554);
    let mut ask = |path: &str, body: &str| player.answer(visit, &request(&post(path, body)), &MOMENT);
    let first = ask("/whep", &offer(77));
    assert!(String::from_utf8_lossy(&first.head).contains("/whep/1") && first.session.is_none());
    let second = ask("/whep", &offer(78));
    assert!(String::from_utf8_lossy(&second.head).contains("/whep/2") && second.is_ok());
    assert_eq!(second.session.unwrap().answer, "v=0\r\nc=IN IP4 127.83.0.1\r\n");
    assert!(!ask("/whep", "<html>").is_ok() && !ask("/other", &offer(79)).is_ok());
}
