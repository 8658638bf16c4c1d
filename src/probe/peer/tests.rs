use super::*;
use crate::net::pace::Pace;
use crate::protocol::http::client::send;
use crate::protocol::http::message::Request;
use crate::protocol::rtsp::client::Client;
use crate::testkit::net::{FakeNet, Reply};
use crate::wire::url::Endpoint;

const SDP: &str = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n";

/// A host of a fake network, seen by nothing but its clients: no scan, no channel of findings, no signatures.
fn peer(net: FakeNet) -> Peer {
    let dialer = Dialer::new(Arc::new(net), Arc::new(Pace::new(None)), 4, 2);
    Peer::new([192, 0, 2, 10].into(), Arc::new(dialer))
}

#[tokio::test(start_paused = true)]
async fn a_page_is_fetched_without_a_scan() {
    let net = FakeNet::new();
    net.answer("192.0.2.10:80", |asked| {
        let (status, body) = match asked.header("Authorization") {
            Some("Basic YWRtaW46c2VjcmV0") => ("200 OK", "in"),
            _ => ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"cam\"", "out"),
        };
        Reply::Last(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    });
    let request = || Request::get(Endpoint::plain(80), "/").with_login();
    let stranger = peer(net.clone());
    assert_eq!(send(&stranger, request()).await.unwrap().status, 401);
    let known = stranger.with_logins(vec![Credential::new("admin", "secret")], 1);
    let answer = send(&known, request()).await.unwrap();
    assert_eq!((answer.status, &*answer.body, answer.logged_in), (200, &b"in"[..], true));
    assert_eq!(known.logins.worked().map(|login| login.user), Some("admin".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_described_without_a_scan() {
    let net = FakeNet::new();
    net.answer("192.0.2.10:554", |asked| {
        let cseq = asked.header("CSeq").unwrap_or_default();
        let body = if asked.method() == "DESCRIBE" { SDP } else { "" };
        Reply::text(format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    });
    let described = Client::new(&peer(net), Endpoint::plain(554)).describe("/live").await.unwrap();
    assert_eq!(&described.sdp[..], SDP.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn time_is_over_at_the_deadline_or_when_cancelled() {
    let mut peer = peer(FakeNet::new());
    assert!(!peer.is_over());
    peer.deadline = Instant::now() + Duration::from_secs(2);
    assert_eq!((peer.time_left(), peer.request_deadline()), (Duration::from_secs(2), peer.deadline));
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(peer.is_over());
    peer.deadline += Duration::from_secs(60);
    assert!(!peer.is_over());
    peer.cancel.cancel();
    assert!(peer.is_over());
}
