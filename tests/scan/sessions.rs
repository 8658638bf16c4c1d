//! Sessions on cameras that fail in every way: whatever happens, none is left open.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use camscan::testkit::net::{Asked, FakeNet, Requests};
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, DuplexStream};

use super::servers::{Camera, packets};
use super::{look_at, plan};

const CAMERA: &str = "192.0.2.10";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    Refused(u16),
    /// Answered by nothing, and the next one may be answered again.
    Ignored,
    /// Answered by bytes that mean nothing.
    Garbage,
    /// Answered, and the connection is closed after it.
    LastWord,
    /// The connection is closed in the middle of the answer.
    CutOff,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        8 => Just(Fate::Answered),
        2 => prop::sample::select(vec![400u16, 404, 453, 454, 455, 459, 461, 500, 503]).prop_map(Fate::Refused),
        1 => Just(Fate::Ignored),
        1 => Just(Fate::Garbage),
        1 => Just(Fate::LastWord),
        1 => Just(Fate::CutOff),
    ];
    prop::collection::vec(fate, 0..24)
}

/// A session the camera has given.
#[derive(Debug, Default)]
struct Session {
    id: String,
    /// TEARDOWN came.
    ended: bool,
    /// The camera itself closed the connection it was in, and with it the session.
    dead: bool,
}

#[derive(Default)]
struct Seen {
    requests: usize,
    sessions: Vec<Session>,
    talk: Vec<String>,
}

/// A camera with one stream; the requests meet their fates in order, and all after them are answered.
async fn talk(mut stream: DuplexStream, mut requests: Requests, fates: Arc<Vec<Fate>>, seen: Arc<Mutex<Seen>>) {
    let camera = Camera::new(CAMERA);
    let packets = packets();
    let mut next = packets.len();
    let mut own = Vec::new();
    'connection: loop {
        while let Some(asked) = requests.take() {
            let (answer, fate) = answer(&camera, &asked, &fates, &mut seen.lock().unwrap(), &mut own);
            let whole = answer.as_bytes();
            let bytes = match fate {
                Fate::Ignored => &[],
                Fate::Garbage => &b"\x00\xff\r\n$$$$ 454 \r\n\r\n"[..],
                Fate::CutOff => whole.get(..whole.len() / 2).unwrap_or_default(),
                _ => whole,
            };
            if stream.write_all(bytes).await.is_err() || matches!(fate, Fate::LastWord | Fate::CutOff) {
                break 'connection;
            }
            match asked.method() {
                "PLAY" if fate == Fate::Answered => next = 0,
                "TEARDOWN" => next = packets.len(),
                _ => {}
            }
        }
        tokio::select! {
            more = requests.read(&mut stream) => if !more {
                // Closed by the client: what it has not torn down stays open in the camera.
                return;
            },
            () = tokio::time::sleep(Duration::from_millis(40)), if next < packets.len() => {
                if stream.write_all(&packets[next]).await.is_err() { return }
                next += 1;
            }
        }
    }
    let mut seen = seen.lock().unwrap();
    own.iter().for_each(|&at: &usize| seen.sessions[at].dead = true);
}

fn answer(camera: &Camera, asked: &Asked, fates: &[Fate], seen: &mut Seen, own: &mut Vec<usize>) -> (String, Fate) {
    let fate = fates.get(seen.requests).copied().unwrap_or(Fate::Answered);
    seen.requests += 1;
    let (method, path) = (asked.method(), asked.target());
    let header = |name: &str| asked.header(name).unwrap_or_default();
    let given = header("Session").split(';').next().unwrap_or_default().to_owned();
    seen.talk.push(format!("{method} {path} {given}: {fate:?}"));
    if method == "TEARDOWN" {
        seen.sessions.iter_mut().filter(|s| s.id == given).for_each(|s| s.ended = true);
    }
    let head = |status: &str, more: &str| format!("RTSP/1.0 {status}\r\nCSeq: {}\r\n{more}", header("CSeq"));
    if let Fate::Refused(status) = fate {
        return (head(&format!("{status} No"), "\r\n"), fate);
    }
    let answer = match method {
        "OPTIONS" => head("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"),
        "DESCRIBE" if path.ends_with("/live") => {
            let sdp = camera.sdp();
            head("200 OK", &format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len()))
        }
        "SETUP" => {
            let id = if given.is_empty() { format!("{:08}", 77 + seen.sessions.len()) } else { given };
            // Only who can have read the number can end the session.
            if matches!(fate, Fate::Answered | Fate::LastWord) && !seen.sessions.iter().any(|s| s.id == id) {
                own.push(seen.sessions.len());
                seen.sessions.push(Session { id: id.clone(), ..Session::default() });
            }
            head("200 OK", &format!("Transport: {}\r\nSession: {id};timeout=60\r\n\r\n", header("Transport")))
        }
        "PLAY" | "TEARDOWN" | "GET_PARAMETER" => head("200 OK", &format!("Session: {given}\r\n\r\n")),
        _ => head("404 Stream Not Found", "\r\n"),
    };
    (answer, fate)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Each session is torn down, but where the camera ended it itself by closing the connection.
    #[test]
    fn every_session_is_torn_down(fates in fates()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let open = runtime.block_on(async {
            let net = FakeNet::subnet();
            let (fates, noted, at, of_camera) = (Arc::new(fates), seen.clone(), format!("{CAMERA}:554"), net.clone());
            net.serve(&at.clone(), move |number, stream| {
                talk(stream, of_camera.requests(&at, number), fates.clone(), noted.clone())
            });
            look_at(&net, plan(), &[CAMERA.to_owned()]).await;
            // What was given up half-way is torn down in the background.
            tokio::time::sleep(Duration::from_secs(10)).await;
            net.streams.open_now()
        });
        let seen = seen.lock().unwrap();
        for session in &seen.sessions {
            prop_assert!(session.ended || session.dead, "{:?}\n{}", session, seen.talk.join("\n"));
        }
        prop_assert_eq!(open, 0);
    }
}
