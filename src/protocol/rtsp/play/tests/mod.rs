use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::net::{Datagrams, UdpBind};
use crate::probe::Peer;
use crate::protocol::rtsp::client::tests::{AT, answer, described, is_answered, peer};
use crate::testkit::net::{Asked, FakeNet, Log, OWN_IP, Reply};
use crate::wire::url::Endpoint;

/// A minimal RTP packet with this payload type and sequence number.
fn rtp(sequence: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 96, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(b"data");
    packet
}

fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![b'$', channel];
    frame.extend_from_slice(&(packet.len() as u16).to_be_bytes());
    frame.extend_from_slice(packet);
    frame
}

fn with_frames(reply: Reply, before: &[u8], after: &[u8]) -> Reply {
    match reply {
        Reply::Bytes(bytes) => Reply::Bytes([before, &bytes, after].concat()),
        other => other,
    }
}

fn media(count: usize) -> Vec<MediaToPlay> {
    let media = |n| MediaToPlay { control: Some(format!("trackID={n}")), is_extra: n > 1, ..MediaToPlay::default() };
    (1..=count).map(media).collect()
}

/// A camera that plays `frames` after PLAY; `special` may answer differently.
fn camera(net: &FakeNet, frames: Vec<u8>, special: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Log {
    net.answer(AT, move |asked| {
        special(asked).unwrap_or_else(|| match asked.method() {
            "DESCRIBE" => described(asked),
            "SETUP" => {
                let transport =
                    format!("Transport: {}\r\nSession: 77;timeout=60\r\n", asked.header("Transport").unwrap());
                answer(asked, "200 OK", &transport, "")
            }
            "PLAY" => with_frames(answer(asked, "200 OK", "Session: 77\r\n", ""), &[], &frames),
            _ => answer(asked, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
        })
    })
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(2)
}

async fn described_by(peer: &Peer) -> (Client, Described) {
    let mut client = Client::new(peer, Endpoint::plain(554));
    let found = client.describe("/1").await.unwrap();
    (client, found)
}

async fn sequences(playing: &mut Playing<&mut Client>) -> Vec<(usize, u8)> {
    let mut found = Vec::new();
    while let Some(packet) = playing.next(soon()).await {
        found.push((packet.media, packet.payload[3]));
    }
    found
}

#[tokio::test(start_paused = true)]
async fn packets_come_by_media_and_teardown_ends_them() {
    let net = FakeNet::new();
    // A report before the reply, an unassigned channel, junk, RTCP on an RTP channel.
    let frames = [
        framed(7, b"what"),
        framed(0, &rtp(1)),
        b"\r\n\r\n".to_vec(),
        framed(2, &rtp(2)),
        framed(0, &[0x80, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        b"OPTIONS rtsp://192.0.2.10/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec(),
        framed(0, &rtp(3)),
    ]
    .concat();
    let log = camera(&net, frames.clone(), move |asked| match asked.method() {
        "PLAY" => {
            let reply = answer(asked, "200 OK", "RTP-Info: url=;seq=;rtptime=-1;\r\n", "");
            Some(with_frames(reply, &framed(0, &rtp(0)), &frames))
        }
        _ => None,
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(2), PlayOptions::default()).await.unwrap();
    assert_eq!((playing.transport(), playing.media().collect::<Vec<_>>()), (Transport::Tcp, vec![0, 1]));
    assert_eq!(sequences(&mut playing).await, [(0, 0), (0, 1), (1, 2), (0, 3)]);
    assert_eq!(playing.ended(), None);
    playing.stop().await;
    let asked = log.all();
    let told = |method: &str| asked.iter().find(|a| a.method() == method).unwrap().clone();
    assert_eq!(told("SETUP").header("Transport"), Some("RTP/AVP/TCP;unicast;interleaved=0-1"));
    assert_eq!(told("SETUP").target(), "rtsp://192.0.2.10:554/1/trackID=1");
    assert_eq!(
        (told("TEARDOWN").header("Session"), told("TEARDOWN").target()),
        (Some("77"), "rtsp://192.0.2.10:554/1")
    );
    assert!(client.ladder().reached(Step::Setup) && client.ladder().reached(Step::Rtp));
    // The next path is asked on the same connection.
    client.describe("/2").await.unwrap();
    assert_eq!(net.connections(AT), 1);
}

/// H264DVR gives each SETUP another session; the latest holds (retina commit 7c5a656).
#[tokio::test(start_paused = true)]
async fn the_latest_session_and_the_devices_channels_hold() {
    let net = FakeNet::new();
    let frames = [framed(4, &rtp(1)), framed(6, &rtp(2))].concat();
    let log = camera(&net, frames, |asked| {
        let second = asked.target().ends_with('2');
        let (session, channels) = if second { (231_980, "6-7") } else { (231_970, "4-5") };
        let headers = format!("Session:   {session}\r\nTransport: RTP/AVP/TCP;ssrc= 1;interleaved={channels}\r\n");
        match asked.method() {
            "SETUP" => Some(answer(asked, "200 OK", &headers, "")),
            "PLAY" if asked.header("Session") != Some("231980") => Some(answer(asked, "454 Session Not Found", "", "")),
            "PLAY" => Some(with_frames(
                answer(asked, "200 OK", "", ""),
                &[],
                &[framed(4, &rtp(1)), framed(6, &rtp(2))].concat(),
            )),
            _ => None,
        }
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(2), PlayOptions::default()).await.unwrap();
    assert_eq!(sequences(&mut playing).await, [(0, 1), (1, 2)]);
    playing.stop().await;
    assert_eq!(log.all().last().unwrap().header("Session"), Some("231980"));
}

#[tokio::test(start_paused = true)]
async fn a_lone_track_follows_the_channel_its_packets_choose() {
    let net = FakeNet::new();
    camera(&net, [framed(2, &rtp(1)), framed(2, &rtp(2))].concat(), |_| None);
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(sequences(&mut playing).await, [(0, 1), (0, 2)]);
    assert_eq!(playing.warnings().len(), 1);
    playing.stop().await;
}

/// A server that speaks UDP only answers 461 to interleaved (retina issue 103). Packets of strangers are passed over.
#[tokio::test(start_paused = true)]
async fn udp_is_tried_once_where_tcp_is_refused() {
    let net = FakeNet::new();
    let at = |ip: &str, port: u16| SocketAddr::new(ip.parse().unwrap(), port);
    let socket = |ip: &str, port| net.udp(&UdpBind { local: at(ip, port), ..UdpBind::any_port(OWN_IP) }).unwrap();
    let (device, reports, stranger) =
        (socket("192.0.2.10", 6000), socket("192.0.2.10", 6001), socket("192.0.2.66", 6000));
    let ports = Arc::new(Mutex::new(0u16));
    let client_port = ports.clone();
    let log = camera(&net, Vec::new(), move |asked| match (asked.method(), asked.header("Transport")) {
        ("SETUP", Some(t)) if t.contains("/TCP") => {
            Some(answer(asked, "461 Unsupported Transport", "Session: 5\r\n", ""))
        }
        ("SETUP", Some(t)) => {
            let port: u16 = t.split("client_port=").nth(1).unwrap().split('-').next().unwrap().parse().unwrap();
            *client_port.lock().unwrap() = port;
            let headers = format!("Session: 77\r\nTransport: {t};server_port=6000-6001;source=203.0.113.1\r\n");
            Some(answer(asked, "200 OK", &headers, ""))
        }
        _ => None,
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(playing.transport(), Transport::Udp);
    let mut buffer = [0u8; 64];
    let (length, from) = device.recv_from(&mut buffer).await.unwrap();
    assert_eq!((length, buffer[0] >> 6), (12, 2), "the hole is punched");
    assert_eq!(reports.recv_from(&mut buffer).await.unwrap().0, 8);
    let port = *ports.lock().unwrap();
    assert_eq!((from.port(), port % 2), (port, 0));
    for (socket, sequence) in [(&stranger, 9), (&device, 1), (&device, 2)] {
        socket.send_to(&rtp(sequence), SocketAddr::new(OWN_IP, port)).await.unwrap();
    }
    assert_eq!(sequences(&mut playing).await, [(0, 1), (0, 2)]);
    playing.stop().await;
    let transports: Vec<_> = log.all().iter().filter_map(|a| a.header("Transport").map(str::to_owned)).collect();
    assert_eq!(transports.len(), 2);
    assert!(log.methods().last().unwrap().ends_with("TEARDOWN"));
}

/// 461: it does not serve UDP; 462: it cannot send to our ports, and over its own connection it can.
#[tokio::test(start_paused = true)]
async fn tcp_is_tried_once_where_udp_was_asked_for() {
    for (code, status) in [(461, "461 Unsupported Transport"), (462, "462 Destination Unreachable")] {
        let net = FakeNet::new();
        camera(&net, framed(0, &rtp(1)), move |asked| match asked.header("Transport") {
            Some(t) if !t.contains("/TCP") => Some(answer(asked, status, "", "")),
            _ => None,
        });
        let peer = peer(&net, &[]);
        let (mut client, found) = described_by(&peer).await;
        let options = PlayOptions { first: Transport::Udp, ..PlayOptions::default() };
        let mut playing = Playing::start(&mut client, &found, &media(1), options).await.unwrap();
        assert_eq!(playing.transport(), Transport::Tcp, "{status}");
        assert_eq!(sequences(&mut playing).await, [(0, 1)], "{status}");
        playing.stop().await;

        let only = PlayOptions { first: Transport::Udp, or_other: false, ..PlayOptions::default() };
        let found = client.describe("/1").await.unwrap();
        let error = Playing::start(&mut client, &found, &media(1), only).await.err().unwrap();
        assert_eq!((error.status, error.step), (Some(code), Step::Setup));
    }
}

/// Vivotek refuses controls joined to the base (janus-gateway issue 2906), others those joined to the folder.
#[tokio::test(start_paused = true)]
async fn a_control_not_found_is_joined_the_other_way_once() {
    let net = FakeNet::new();
    let log = camera(&net, Vec::new(), |asked| match asked.method() {
        "SETUP" if asked.target() != "rtsp://192.0.2.10:554/trackID=1" => Some(answer(asked, "404 Not Found", "", "")),
        _ => None,
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap().stop().await;
    let tried: Vec<_> = log.all().iter().filter(|a| a.method() == "SETUP").map(|a| a.target().to_owned()).collect();
    assert_eq!(tried, ["rtsp://192.0.2.10:554/1/trackID=1", "rtsp://192.0.2.10:554/trackID=1"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_is_begun_again_once_with_describe_first() {
    let net = FakeNet::new();
    let log = camera(&net, framed(0, &rtp(1)), |asked| match asked.method() {
        "PLAY" if asked.connection == 0 => Some(answer(asked, "454 Session Not Found", "", "")),
        "SETUP" if asked.number == 0 => Some(answer(asked, "400 Bad Request", "", "")),
        _ => None,
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(sequences(&mut playing).await, [(0, 1)]);
    playing.stop().await;
    let second: Vec<_> = log.methods().into_iter().filter(|m| m.starts_with('1')).collect();
    assert_eq!(second, ["1 DESCRIBE", "1 SETUP", "1 PLAY", "1 TEARDOWN"]);
}

#[tokio::test(start_paused = true)]
async fn busy_is_said_and_nothing_is_tried_again() {
    for status in ["453 Not Enough Bandwidth", "503 Service Unavailable"] {
        let net = FakeNet::new();
        let log =
            camera(&net, Vec::new(), move |asked| (asked.method() == "PLAY").then(|| answer(asked, status, "", "")));
        let peer = peer(&net, &[]);
        let (mut client, found) = described_by(&peer).await;
        let error = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.err().unwrap();
        assert_eq!((error.kind, error.step), (ErrorKind::Busy, Step::Rtp));
        assert_eq!(log.methods()[2..], ["0 SETUP", "0 PLAY", "0 TEARDOWN"], "what was set up is torn down");
    }
}

#[tokio::test(start_paused = true)]
async fn an_extra_media_may_fail() {
    let net = FakeNet::new();
    camera(&net, framed(0, &rtp(1)), |asked| {
        (asked.method() == "SETUP" && asked.target().ends_with('2')).then(|| answer(asked, "500 No", "", ""))
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let playing = Playing::start(&mut client, &found, &media(2), PlayOptions::default()).await.unwrap();
    assert_eq!((playing.media().collect::<Vec<_>>(), playing.warnings().len()), (vec![0], 1));
    playing.stop().await;
}

/// Keep-alives go out at half the session's time; that they are never answered changes nothing, and one refused for its
/// nonce is repeated with the new one (SharpRTSP issue 126).
#[tokio::test(start_paused = true)]
async fn signs_of_life_are_sent_and_renewed_but_not_awaited() {
    let net = FakeNet::new();
    let log = net.answer(AT, |asked| {
        let nonce = if asked.method() == "GET_PARAMETER" { "n2" } else { "n1" };
        let challenge = format!("WWW-Authenticate: Digest realm=\"cam\", nonce=\"{nonce}\"\r\n");
        match asked.method() {
            "OPTIONS" => answer(asked, "200 OK", "Public: DESCRIBE, GET_PARAMETER\r\n", ""),
            _ if !is_answered(asked, "pw", nonce) => answer(asked, "401 Unauthorized", &challenge, ""),
            "DESCRIBE" => described(asked),
            "SETUP" => answer(asked, "200 OK", "Session: 77;timeout=20\r\n", ""),
            "GET_PARAMETER" => Reply::Silence,
            _ => answer(asked, "200 OK", "", ""),
        }
    });
    let peer = peer(&net, &[("admin", "pw")]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(playing.next(Instant::now() + Duration::from_secs(15)).await, None);
    assert_eq!(playing.ended(), None);
    let signs: Vec<Asked> = log.all().into_iter().filter(|a| a.method() == "GET_PARAMETER").collect();
    assert_eq!(signs.len(), 2, "one refused, one renewed");
    assert!(is_answered(&signs[1], "pw", "n2") && signs[1].header("Session") == Some("77"));
    playing.stop().await;
    assert_eq!(peer.logins.attempts().unwrap().refused, 0);
}

#[tokio::test(start_paused = true)]
async fn the_byte_cap_and_a_closed_connection_end_the_packets() {
    let net = FakeNet::new();
    let frames: Vec<u8> = (0..10).flat_map(|n| framed(0, &rtp(n))).collect();
    camera(&net, frames, |_| None);
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let options = PlayOptions { caps: Caps { bytes: Some(40), time: None }, ..PlayOptions::default() };
    let mut playing = Playing::start(&mut client, &found, &media(1), options).await.unwrap();
    assert_eq!(sequences(&mut playing).await.len(), 3);
    assert_eq!(playing.ended(), Some(Ended::TooMuch));
    playing.stop().await;

    let net = FakeNet::new();
    camera(&net, Vec::new(), |asked| {
        (asked.method() == "PLAY").then(|| {
            match with_frames(answer(asked, "200 OK", "", ""), &[], &framed(0, &rtp(1))) {
                Reply::Bytes(bytes) => Reply::Last(bytes),
                other => other,
            }
        })
    });
    let peer = self::peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(sequences(&mut playing).await, [(0, 1)]);
    assert_eq!(playing.ended(), Some(Ended::Closed));
}

/// Whatever becomes of the owner, the device is told that the session is over.
#[tokio::test(start_paused = true)]
async fn teardown_goes_out_when_cancelled_or_dropped() {
    for how in ["cancelled", "dropped", "start given up"] {
        let net = FakeNet::new();
        let log = camera(&net, framed(0, &rtp(1)), move |asked| {
            (how == "start given up" && asked.method() == "PLAY").then_some(Reply::Silence)
        });
        let peer = peer(&net, &[]);
        let (mut client, found) = described_by(&peer).await;
        let tracks = media(1);
        let start = Playing::start(&mut client, &found, &tracks, PlayOptions::default());
        match tokio::time::timeout(Duration::from_secs(1), start).await {
            Err(_) => assert_eq!(how, "start given up"),
            Ok(playing) => {
                let mut playing = playing.unwrap();
                if how == "cancelled" {
                    peer.cancel.cancel();
                    while playing.next(soon()).await.is_some() {}
                    assert_eq!(playing.ended(), Some(Ended::Interrupted));
                    playing.stop().await;
                } else {
                    drop(playing);
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(log.methods().contains(&"0 TEARDOWN".to_owned()), "{how}: {:?}", log.methods());
    }
}

/// The session is there, whatever became of PLAY: cameras keep it for a minute, and have few.
#[tokio::test(start_paused = true)]
async fn a_session_whose_play_is_not_answered_is_torn_down() {
    let net = FakeNet::new();
    let log = camera(&net, Vec::new(), |asked| (asked.method() == "PLAY").then_some(Reply::Silence));
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let refused = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.err();
    assert_eq!(refused.map(|error| error.kind), Some(ErrorKind::Timeout));
    assert_eq!(log.methods().last().map(String::as_str), Some("0 TEARDOWN"), "{:?}", log.methods());
    client.describe("/2").await.unwrap();
    assert_eq!(log.methods().last().map(String::as_str), Some("1 DESCRIBE"));
}

/// PLAY is never answered, but its packets come.
#[tokio::test(start_paused = true)]
async fn packets_are_answer_enough_to_play() {
    let net = FakeNet::new();
    camera(&net, Vec::new(), |asked| (asked.method() == "PLAY").then(|| Reply::Bytes(framed(0, &rtp(5)))));
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(sequences(&mut playing).await, [(0, 5)]);
    assert_eq!(playing.warnings().len(), 1);
    playing.stop().await;
}

/// RFC 2326 §11.3.10: 459 where only each media may be played, 460 where only the whole may.
#[tokio::test(start_paused = true)]
async fn what_is_not_played_as_a_whole_is_played_media_by_media() {
    let net = FakeNet::new();
    let log = camera(&net, [framed(0, &rtp(1)), framed(2, &rtp(2))].concat(), |asked| {
        let is_whole = !asked.target().contains("trackID");
        let refused = matches!(asked.method(), "PLAY" | "TEARDOWN") && is_whole;
        refused.then(|| answer(asked, "459 Aggregate Operation Not Allowed", "", ""))
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(2), PlayOptions::default()).await.unwrap();
    assert!(!sequences(&mut playing).await.is_empty());
    playing.stop().await;
    let about = |method: &str| {
        let all = log.all();
        let told = all.iter().filter(|a| a.method() == method).map(|a| a.target().to_owned()).collect::<Vec<_>>();
        told.iter().map(|url| url.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(about("PLAY"), ["1", "trackID=1", "trackID=2"]);
    assert_eq!(about("TEARDOWN"), ["trackID=1", "trackID=2"], "each is taken down as it was played");
}

/// The base is not what the session is known by; the address it was described at is.
#[tokio::test(start_paused = true)]
async fn the_whole_is_played_by_either_of_its_names() {
    for status in ["404 Not Found", "460 Only Aggregate Operation Allowed", "455 Method Not Valid In This State"] {
        let net = FakeNet::new();
        let log = camera(&net, framed(0, &rtp(1)), move |asked| match asked.method() {
            "DESCRIBE" => Some(answer(
                asked,
                "200 OK",
                "Content-Base: rtsp://192.0.2.10:554/base/\r\n",
                crate::protocol::rtsp::client::tests::SDP,
            )),
            "PLAY" if asked.target().contains("base") => Some(answer(asked, status, "", "")),
            _ => None,
        });
        let peer = peer(&net, &[]);
        let (mut client, found) = described_by(&peer).await;
        let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
        assert_eq!(sequences(&mut playing).await, [(0, 1)]);
        playing.stop().await;
        let last = log.all().last().cloned().unwrap();
        assert_eq!((last.method(), last.target()), ("TEARDOWN", "rtsp://192.0.2.10:554/1"), "{status}");
    }
}

/// As ffmpeg does it: the session's own control is the base where nothing else is found.
#[tokio::test(start_paused = true)]
async fn a_control_may_be_relative_to_the_sessions_own() {
    let net = FakeNet::new();
    let log = camera(&net, framed(0, &rtp(1)), |asked| {
        let wrong = asked.method() == "SETUP" && asked.target() != "rtsp://192.0.2.10:554/session/trackID=1";
        wrong.then(|| answer(asked, "454 Session Not Found", "", ""))
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let session_control = Some("rtsp://192.0.2.10:554/session/".to_owned());
    let options = PlayOptions { session_control, ..PlayOptions::default() };
    let mut playing = Playing::start(&mut client, &found, &media(1), options).await.unwrap();
    assert_eq!(sequences(&mut playing).await, [(0, 1)]);
    playing.stop().await;
    assert_eq!(log.all().iter().filter(|a| a.method() == "SETUP").count(), 3);
}

/// Servers that agree to another transport than was asked for.
#[tokio::test(start_paused = true)]
async fn a_transport_of_the_devices_own_choice_is_followed() {
    // UDP in answer to TCP: asked for outright, it is given.
    let net = FakeNet::new();
    let log = camera(&net, Vec::new(), |asked| match asked.header("Transport") {
        Some(t) if t.contains("/TCP") => {
            let udp = "Session: 5\r\nTransport: RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001\r\n";
            Some(answer(asked, "200 OK", udp, ""))
        }
        _ => None,
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(playing.transport(), Transport::Udp);
    playing.stop().await;
    assert_eq!(log.methods()[2..], ["0 SETUP", "0 TEARDOWN", "0 SETUP", "0 PLAY", "0 TEARDOWN"]);

    // TCP in answer to UDP.
    let net = FakeNet::new();
    camera(&net, framed(4, &rtp(1)), |asked| {
        let tcp = "Session: 5\r\nTransport: RTP/AVP/TCP;interleaved=4-5\r\n";
        (asked.method() == "SETUP").then(|| answer(asked, "200 OK", tcp, ""))
    });
    let peer = self::peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let options = PlayOptions { first: Transport::Udp, ..PlayOptions::default() };
    let mut playing = Playing::start(&mut client, &found, &media(1), options).await.unwrap();
    assert_eq!(playing.transport(), Transport::Tcp);
    assert_eq!(sequences(&mut playing).await, [(0, 1)]);
    playing.stop().await;
}

/// A device with two addresses sends from the other one, and says so.
#[tokio::test(start_paused = true)]
async fn packets_from_the_announced_source_count() {
    let net = FakeNet::new();
    let at = |ip: &str| UdpBind { local: SocketAddr::new(ip.parse().unwrap(), 6000), ..UdpBind::any_port(OWN_IP) };
    let (other, stranger) = (net.udp(&at("192.0.2.11")).unwrap(), net.udp(&at("192.0.2.66")).unwrap());
    let port = Arc::new(Mutex::new(0u16));
    let client_port = port.clone();
    camera(&net, Vec::new(), move |asked| {
        let t = asked.header("Transport")?;
        *client_port.lock().unwrap() = t.split("client_port=").nth(1)?.split('-').next()?.parse().ok()?;
        let headers = format!("Session: 77\r\nTransport: {t};source=192.0.2.11\r\n");
        Some(answer(asked, "200 OK", &headers, ""))
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let options = PlayOptions { first: Transport::Udp, ..PlayOptions::default() };
    let mut playing = Playing::start(&mut client, &found, &media(1), options).await.unwrap();
    let to = SocketAddr::new(OWN_IP, *port.lock().unwrap());
    for (socket, sequence) in [(&stranger, 9), (&other, 1)] {
        socket.send_to(&rtp(sequence), to).await.unwrap();
    }
    assert_eq!(sequences(&mut playing).await, [(0, 1)]);
    playing.stop().await;
}

/// Some cameras end a session after five seconds without a sign of life, and say nothing of it.
#[tokio::test(start_paused = true)]
async fn a_session_without_a_timeout_is_kept_alive_early() {
    let net = FakeNet::new();
    let log = camera(&net, Vec::new(), |asked| {
        (asked.method() == "SETUP").then(|| answer(asked, "200 OK", "Session: 77\r\n", ""))
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    let before = log.all().len();
    assert_eq!(playing.next(Instant::now() + Duration::from_secs(5)).await, None);
    assert_eq!(log.methods()[before..], ["0 OPTIONS"]);
    playing.stop().await;
}

/// Reports are no picture.
#[tokio::test(start_paused = true)]
async fn reports_alone_are_counted_and_are_no_packets() {
    let net = FakeNet::new();
    let report = [0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0];
    camera(&net, [framed(1, &report), framed(0, &report)].concat(), |_| None);
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(sequences(&mut playing).await, []);
    assert_eq!((playing.reports(), playing.ended()), (2, None));
    playing.stop().await;
}

/// 457 Invalid Range: a live stream has no beginning.
#[tokio::test(start_paused = true)]
async fn play_goes_without_a_range_where_that_is_refused() {
    let net = FakeNet::new();
    let log = camera(&net, framed(0, &rtp(1)), |asked| {
        let refused = asked.method() == "PLAY" && asked.header("Range").is_some();
        refused.then(|| answer(asked, "457 Invalid Range", "", ""))
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(sequences(&mut playing).await, [(0, 1)]);
    playing.stop().await;
    assert_eq!(log.all().iter().filter(|a| a.method() == "PLAY").count(), 2);
}

/// A camera that hangs up after every description: SETUP goes out on a connection of its own.
#[tokio::test(start_paused = true)]
async fn a_connection_closed_after_the_description_is_opened_once_more() {
    let net = FakeNet::new();
    let log = camera(&net, framed(0, &rtp(1)), |asked| match described(asked) {
        Reply::Bytes(bytes) if asked.method() == "DESCRIBE" => Some(Reply::Last(bytes)),
        _ => None,
    });
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let mut playing = Playing::start(&mut client, &found, &media(1), PlayOptions::default()).await.unwrap();
    assert_eq!(sequences(&mut playing).await, [(0, 1)]);
    playing.stop().await;
    assert_eq!(log.methods()[1..], ["0 DESCRIBE", "1 DESCRIBE", "2 SETUP", "2 PLAY", "2 TEARDOWN"]);
}

/// SRTP is asked for where the description has it, as UniFi and MediaMTX over TLS do.
#[tokio::test(start_paused = true)]
async fn encrypted_media_are_asked_for_as_such() {
    let net = FakeNet::new();
    let log = camera(&net, framed(0, &rtp(1)), |_| None);
    let peer = peer(&net, &[]);
    let (mut client, found) = described_by(&peer).await;
    let media = [MediaToPlay { is_encrypted: true, ..MediaToPlay::default() }];
    Playing::start(&mut client, &found, &media, PlayOptions::default()).await.unwrap().stop().await;
    let setup = log.all().into_iter().find(|a| a.method() == "SETUP").unwrap();
    assert_eq!(setup.header("Transport"), Some("RTP/SAVP/TCP;unicast;interleaved=0-1"));
}

mod lasting;
