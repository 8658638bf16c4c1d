use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::*;
use crate::model::{ProbeOptions, Protocol, Transport};
use crate::net::{Datagrams as _, UdpBind};
use crate::protocol::rtsp::client::tests::{AT, answer};
use crate::testkit::net::{Asked, FakeNet, Log, Reply};
use crate::wire::url::Endpoint;

const PICTURE: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n";
const SOUND: &str = "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:a\r\n";

/// What a camera does about a session once it is to play.
#[derive(Debug, Clone, Default)]
struct Playing {
    /// By track, its interleaved channel or our port.
    tracks: HashMap<char, Result<u8, u16>>,
}

/// The packets of two seconds, of a picture of 10 frames a second or of PCMU in packets of 20 ms.
fn packets(track: char) -> Vec<Vec<u8>> {
    let (count, payload_type, ticks, payload) = match track {
        'v' => (20u8, 96u8, 9000u32, [&[0x65][..], &[0x88; 99]].concat()),
        _ => (100, 0, 160, vec![0xff; 160]),
    };
    let packet = |n: u8| {
        let stamp = (u32::from(n) * ticks).to_be_bytes();
        [&[0x80, 0x80 | payload_type, 0, n][..], &stamp, &[0, 0, 0, payload_type], &payload].concat()
    };
    (0..count).map(packet).collect()
}

/// A camera of this description. `allows` may refuse a request; `sends` says of what was set up whether the track plays.
fn camera(
    net: &FakeNet,
    sdp: &str,
    allows: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    sends: impl Fn(&Playing, char) -> bool + Send + Sync + 'static,
) -> Log {
    damaging_camera(net, sdp, allows, sends, None)
}

/// The same; by one transport nothing comes but the first fragment of each picture.
fn damaging_camera(
    net: &FakeNet,
    sdp: &str,
    allows: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    sends: impl Fn(&Playing, char) -> bool + Send + Sync + 'static,
    damaged: Option<Transport>,
) -> Log {
    let sdp = format!("v=0\r\ns=x\r\nt=0 0\r\n{sdp}");
    let sessions: Mutex<HashMap<usize, Playing>> = Mutex::default();
    let device = UdpBind { local: "192.0.2.10:6000".parse().unwrap(), ..UdpBind::any_port([192, 0, 2, 10].into()) };
    let device: Arc<dyn crate::net::Datagram> = net.udp(&device).unwrap().into();
    net.answer(AT, move |asked| {
        if let Some(reply) = allows(asked) {
            return reply;
        }
        match asked.method() {
            "DESCRIBE" => answer(asked, "200 OK", "Content-Type: application/sdp\r\n", &sdp),
            "SETUP" => {
                let transport = asked.header("Transport").unwrap();
                let number = |key: &str| transport.split(key).nth(1)?.split('-').next()?.parse::<u16>().ok();
                let to = number("interleaved=").map(|n| Ok(n as u8)).or(number("client_port=").map(Err)).unwrap();
                let mut sessions = sessions.lock().unwrap();
                let track = asked.target().chars().last().unwrap();
                sessions.entry(asked.connection).or_default().tracks.insert(track, to);
                answer(asked, "200 OK", &format!("Transport: {transport}\r\nSession: 77;timeout=60\r\n"), "")
            }
            "PLAY" => {
                let playing = sessions.lock().unwrap().get(&asked.connection).cloned().unwrap_or_default();
                let Reply::Bytes(mut bytes) = answer(asked, "200 OK", "Session: 77\r\n", "") else { unreachable!() };
                for (&track, to) in playing.tracks.iter().filter(|(track, _)| sends(&playing, **track)) {
                    let transport = if to.is_ok() { Transport::Tcp } else { Transport::Udp };
                    let mut packets = packets(track);
                    if damaged == Some(transport) {
                        // The first fragments of key frames (RFC 6184, 5.8); the packets between them are missing.
                        for packet in &mut packets {
                            packet[1] &= 0x7f;
                            packet[3] *= 2;
                            packet[12..14].copy_from_slice(&[0x7c, 0x85]);
                        }
                    }
                    for packet in packets {
                        match *to {
                            Ok(channel) => {
                                bytes.extend([&[b'$', channel, 0, packet.len() as u8], &packet[..]].concat())
                            }
                            Err(port) => {
                                let (device, to) = (device.clone(), SocketAddr::new(crate::testkit::net::OWN_IP, port));
                                tokio::spawn(async move { device.send_to(&packet, to).await });
                            }
                        }
                    }
                }
                Reply::Bytes(bytes)
            }
            _ => answer(asked, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
        }
    })
}

/// The stream as it stands after it was described and played.
async fn verified(net: &FakeNet, client: &mut Option<Client>, path: &str) -> Stream {
    let options = ProbeOptions { ffprobe: Ffprobe::Never, ..ProbeOptions::default() };
    let (host, mut said) = Inspection::for_test(net.clone(), "192.0.2.10", options);
    tokio::spawn(async move { while said.recv().await.is_some() {} });
    let client = client.get_or_insert_with(|| Client::new(&host.peer, Endpoint::plain(554)));
    let mut stream = Stream::new(format!("rtsp://{AT}{path}"), Protocol::Rtsp);
    stream.status = StreamStatus::Described;
    stream.audio = Some(crate::model::Audio::default());
    verify(&host, client, path, stream).await.0
}

/// The steps from SETUP on, as `setup`, `✗rtp` and the way they were tried by.
fn steps(stream: &Stream) -> Vec<(String, Option<Way>)> {
    let shown = |s: &LadderStep| (format!("{}{:?}", if s.ok { "" } else { "no " }, s.step), s.way);
    stream.ladder.iter().filter(|s| s.step >= Step::Setup).map(shown).collect()
}

fn owned(list: &[(&str, Option<Way>)]) -> Vec<(String, Option<Way>)> {
    list.iter().map(|(step, way)| ((*step).to_owned(), *way)).collect()
}

fn both() -> String {
    format!("{SOUND}{PICTURE}")
}

/// GStreamer's server: what nobody asked for blocks what was asked for.
#[tokio::test(start_paused = true)]
async fn all_tracks_are_set_up_and_the_sound_is_counted() {
    let net = FakeNet::new();
    let log = camera(&net, &both(), |_| None, |playing, _| playing.tracks.len() == 2);
    let stream = verified(&net, &mut None, "/1").await;
    assert_eq!(stream.status, StreamStatus::Streaming, "{stream:?}");
    let audio = stream.audio.as_ref().unwrap();
    assert_eq!((audio.measured_packets, audio.measured_kbps), (Some(100), Some(64)));
    assert_eq!(stream.video.as_ref().unwrap().measured_fps, Some(10.0));
    assert_eq!(steps(&stream), owned(&[("Setup", None), ("Rtp", None), ("Keyframe", None)]));
    let transports: Vec<_> = log.all().iter().filter_map(|a| a.header("Transport").map(str::to_owned)).collect();
    assert_eq!(transports, ["RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP/TCP;unicast;interleaved=2-3"]);
    assert!(stream.warnings.is_empty(), "{:?}", stream.warnings);
}

#[tokio::test(start_paused = true)]
async fn sound_that_is_set_up_and_never_comes_is_said() {
    let net = FakeNet::new();
    camera(&net, &both(), |_| None, |_, track| track == 'v');
    let stream = verified(&net, &mut None, "/1").await;
    assert_eq!(stream.status, StreamStatus::Streaming);
    assert_eq!(stream.audio.unwrap().measured_packets, Some(0));
    assert!(stream.warnings.iter().any(|w| w.contains("no packet of it came")), "{:?}", stream.warnings);
}

/// A camera behind whose interleaving nothing comes, and one that bears a single track: each plays in the way it can, and
/// the next stream of its port is asked for in that way at once.
#[tokio::test(start_paused = true)]
async fn what_brings_nothing_is_tried_in_other_ways() {
    type Sends = fn(&Playing, char) -> bool;
    let by_udp: Sends = |playing, _| playing.tracks.values().all(Result::is_err);
    let one_track: Sends = |playing, _| playing.tracks.len() == 1;
    let (udp, alone) = (Some(Way::Udp), Some(Way::TcpOneTrack));
    for (sends, transport, expected, again) in [
        (
            by_udp,
            Transport::Udp,
            owned(&[("Setup", None), ("no Rtp", None), ("Setup", udp), ("Rtp", udp), ("Keyframe", udp)]),
            owned(&[("Setup", udp), ("Rtp", udp), ("Keyframe", udp)]),
        ),
        (
            one_track,
            Transport::Tcp,
            owned(&[
                ("Setup", None),
                ("no Rtp", None),
                ("Setup", udp),
                ("no Rtp", udp),
                ("Setup", alone),
                ("Rtp", alone),
                ("Keyframe", alone),
            ]),
            owned(&[("Setup", alone), ("Rtp", alone), ("Keyframe", alone)]),
        ),
    ] {
        let net = FakeNet::new();
        let log = camera(&net, &both(), |_| None, sends);
        let mut client = None;
        let stream = verified(&net, &mut client, "/1").await;
        assert_eq!((stream.status, stream.transport), (StreamStatus::Streaming, transport), "{stream:?}");
        assert_eq!(steps(&stream), expected);
        let stream = verified(&net, &mut client, "/2").await;
        assert_eq!((stream.status, steps(&stream)), (StreamStatus::Streaming, again));
        let count = |method: &str| log.all().iter().filter(|a| a.method() == method).count();
        assert_eq!(count("PLAY"), count("TEARDOWN"));
    }
}

/// By one transport the beginning of each picture comes and nothing of the rest, by the other one all of it: a player sees the
/// stream, also where the first was the one that worked before.
#[tokio::test(start_paused = true)]
async fn pictures_that_one_transport_damages_come_whole_by_the_other() {
    for (damaged, worked, transport, way) in [
        (Transport::Udp, Some(Way::Udp), Transport::Tcp, Way::Tcp),
        (Transport::Udp, Some(Way::UdpOneTrack), Transport::Tcp, Way::Tcp),
        (Transport::Tcp, None, Transport::Udp, Way::Udp),
    ] {
        let net = FakeNet::new();
        damaging_camera(&net, PICTURE, |_| None, |_, _| true, Some(damaged));
        let (host, _said) = Inspection::for_test(net.clone(), "192.0.2.10", ProbeOptions::default());
        let mut client = Client::new(&host.peer, Endpoint::plain(554));
        client.lessons.worked = worked;
        let mut client = Some(client);
        let stream = verified(&net, &mut client, "/1").await;
        assert_eq!((stream.status, stream.transport), (StreamStatus::Streaming, transport), "{worked:?} {stream:?}");
        assert!(steps(&stream).contains(&("Keyframe".to_owned(), Some(way))), "{:?}", stream.ladder);
        assert_eq!(client.unwrap().lessons.worked, Some(way), "the next stream is played in that way at once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_dead_is_called_so_after_all_ways_and_soon() {
    for (sdp, last) in [(both(), Way::TcpOneTrack), (PICTURE.to_owned(), Way::Tcp)] {
        let net = FakeNet::new();
        let log = camera(&net, &sdp, |_| None, |_, _| false);
        let began = tokio::time::Instant::now();
        let mut client = None;
        let stream = verified(&net, &mut client, "/1").await;
        let (udp, last) = (Some(Way::Udp), Some(last));
        let expected =
            [("Setup", None), ("no Rtp", None), ("Setup", udp), ("no Rtp", udp), ("Setup", last), ("no Rtp", last)];
        assert_eq!((stream.status, steps(&stream)), (StreamStatus::NoData, owned(&expected)));
        let message = stream.error.unwrap().message;
        assert!(message.starts_with("no packet came within 5 s; also in vain by UDP; by TCP"), "{message}");
        // Five seconds for the first way, half of it for each other.
        assert!(began.elapsed() < Duration::from_millis(10_500), "{:?}", began.elapsed());
        let plays = || log.all().iter().filter(|a| a.method() == "PLAY").count();
        assert_eq!(plays(), 3);
        // A camera that sends nothing at all is not asked for each of its streams in every way.
        verified(&net, &mut client, "/2").await;
        verified(&net, &mut client, "/3").await;
        assert_eq!(plays(), 3 + 3 + 1);
    }
}

/// A second SETUP or what follows it is more than some can take.
#[tokio::test(start_paused = true)]
async fn a_device_that_bears_no_second_track_is_played_without() {
    let second = |asked: &Asked| asked.method() == "SETUP" && asked.header("Session").is_some();
    for (case, how) in ["459", "460", "hangs up", "is silent", "refuses PLAY"].into_iter().enumerate() {
        let net = FakeNet::new();
        let picked: Mutex<HashMap<usize, usize>> = Mutex::default();
        let sdp = format!("{PICTURE}{SOUND}");
        let log = camera(
            &net,
            &sdp,
            move |asked| match how {
                "459" if second(asked) => Some(answer(asked, "459 Aggregate Operation Not Allowed", "", "")),
                "460" if second(asked) => Some(answer(asked, "460 Only Aggregate Operation Allowed", "", "")),
                "hangs up" if second(asked) => Some(Reply::Last(Vec::new())),
                "is silent" if second(asked) => Some(Reply::Silence),
                "refuses PLAY" => {
                    let mut picked = picked.lock().unwrap();
                    let tracks = picked.entry(asked.connection).or_default();
                    *tracks += usize::from(asked.method() == "SETUP");
                    (asked.method() == "PLAY" && *tracks > 1).then(|| answer(asked, "500 Internal Error", "", ""))
                }
                _ => None,
            },
            |_, _| true,
        );
        let stream = verified(&net, &mut None, "/1").await;
        assert_eq!(stream.status, StreamStatus::Streaming, "{how}: {stream:?}");
        assert_eq!(stream.audio.as_ref().unwrap().measured_packets, None, "{how}");
        let word = if case < 2 { "the sound is left out" } else { "played without the sound" };
        assert!(stream.warnings.iter().any(|w| w.starts_with(word)), "{how}: {:?}", stream.warnings);
        let count = |method: &str| log.all().iter().filter(|a| a.method() == method).count();
        assert!(count("PLAY") <= count("TEARDOWN"), "{how}: {:?}", log.methods());
    }
}

/// VLC numbers its tracks anew whenever its file begins again.
#[tokio::test(start_paused = true)]
async fn a_track_that_is_gone_after_its_description_is_described_anew_once() {
    for status in ["404 Not Found", "454 Session Not Found"] {
        for gone in [1, usize::MAX] {
            let net = FakeNet::new();
            let described = Mutex::new(0);
            let log = camera(
                &net,
                PICTURE,
                move |asked| {
                    let mut described = described.lock().unwrap();
                    *described += usize::from(asked.method() == "DESCRIBE");
                    let is_gone = asked.method() == "SETUP" && *described <= gone;
                    is_gone.then(|| answer(asked, status, "", ""))
                },
                |_, _| true,
            );
            let stream = verified(&net, &mut None, "/1").await;
            let expected = if gone == 1 { StreamStatus::Streaming } else { StreamStatus::Error };
            assert_eq!(stream.status, expected, "{status}: {stream:?}");
            assert_eq!(log.all().iter().filter(|a| a.method() == "DESCRIBE").count(), 2, "{status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sound_alone_is_played_and_measured() {
    let net = FakeNet::new();
    camera(&net, SOUND, |_| None, |_, _| true);
    let mut stream = verified(&net, &mut None, "/1").await;
    assert_eq!(stream.status, StreamStatus::Streaming, "{stream:?}");
    assert_eq!(stream.video.take(), None);
    let audio = stream.audio.clone().unwrap();
    assert_eq!((audio.codec, audio.measured_kbps), (Some(crate::model::AudioCodec::Pcmu), Some(64)));
    assert_eq!(steps(&stream), owned(&[("Setup", None), ("Rtp", None)]));
}
