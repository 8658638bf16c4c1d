//! Cameras that give their pictures by HTTP.

use std::sync::atomic::AtomicUsize;

use tokio::net::{TcpListener, TcpStream};

use super::*;

const PICTURES: [&[u8]; 2] = [
    include_bytes!("../../../tests/data/media/camera_640x480_1.jpg"),
    include_bytes!("../../../tests/data/media/camera_640x480_2.jpg"),
];
/// So many come until the camera ends the connection, as some do every few minutes.
const UNTIL_CLOSED: usize = 5;

/// What was asked of the camera.
#[derive(Default)]
struct Asked {
    open: AtomicUsize,
    refused: AtomicUsize,
}

/// A camera that gives its pictures at `/mjpg`, and to nobody at any other place.
async fn camera_by_http() -> (u16, Arc<Asked>) {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(Asked::default()));
    let all = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who goes away in the middle of it is served no more.
            drop(tokio::spawn(serve(stream, all.clone())));
        }
    });
    (port, asked)
}

async fn serve(mut stream: TcpStream, asked: Arc<Asked>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if !head.starts_with(b"GET /mjpg ") {
        asked.refused.fetch_add(1, Ordering::SeqCst);
        return stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
    }
    asked.open.fetch_add(1, Ordering::SeqCst);
    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=next\r\n\r\n").await?;
    for picture in PICTURES.iter().cycle().take(UNTIL_CLOSED) {
        let head = format!("--next\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
        stream.write_all(&[head.as_bytes(), picture, b"\r\n"].concat()).await?;
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn by_http(id: &str, port: u16, place: &str) -> StreamSource {
    StreamSource {
        id: id.to_owned(),
        ip: LOCAL,
        url: Endpoint::plain(port).http(place),
        transport: Transport::Tcp,
        logins: Logins::new(0),
        always_on: false,
        siblings: Vec::new(),
        declared: None,
        login: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jpegs_come_by_http_and_go_on_when_the_camera_ends_the_connection() {
    let (port, asked) = camera_by_http().await;
    let live = live_with(Patience::default());
    live.set_streams(vec![by_http("a", port, "/mjpg"), by_http("b", port, "/locked")]);
    let mut viewers = [live.mjpeg("a").await.unwrap(), live.mjpeg("a").await.unwrap()];
    for _ in 0..UNTIL_CLOSED + 2 {
        for viewer in &mut viewers {
            let picture = timeout(LONG, viewer.next()).await.unwrap().unwrap();
            assert!(PICTURES.contains(&&picture[..]), "a picture is not what was sent");
        }
    }
    let status = live.facts("a").unwrap();
    assert_eq!((status.condition.state, status.source.transport), (State::Live, Some(Transport::Tcp)));
    assert!(status.source.reconnects > 0 && status.source.bytes > 0, "{:?}", status.source);
    // Once for both, each time.
    assert_eq!(asked.open.load(Ordering::SeqCst) as u64, status.source.reconnects + 1);
    // A login that is refused is asked for once, however many want to watch.
    for _ in 0..3 {
        let refusal = live.mjpeg("b").await.err().unwrap();
        assert!(matches!(refusal, Refusal::Stopped { .. }), "{refusal:?}");
    }
    assert_eq!(asked.refused.load(Ordering::SeqCst), 1);
}
