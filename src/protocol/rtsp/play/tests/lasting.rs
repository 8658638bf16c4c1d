//! Streams that play for hours, on a clock that leaps.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::media::rtcp::{self, Rtcp};
use crate::protocol::rtsp::client::tests::SDP;

/// Packets a second, and of how many one never comes.
const RATE: u32 = 2;
const LOST_OF: u32 = 100;

/// What a camera was told.
#[derive(Debug, Default)]
struct Told {
    methods: Vec<String>,
    reports: Vec<Rtcp>,
    sent: u64,
    withheld: u64,
    is_forgotten: bool,
}

/// A camera that forgets who shows no sign of life for 60 seconds, by RTSP or by reports as the case may be.
struct Camera {
    stream: DuplexStream,
    told: Arc<Mutex<Told>>,
    buffer: Vec<u8>,
    number: u32,
    shown: Instant,
    is_playing: bool,
}

impl Camera {
    async fn run(mut self) {
        let mut next = Instant::now();
        loop {
            let mut chunk = [0; 4096];
            tokio::select! {
                read = self.stream.read(&mut chunk) => match read {
                    Ok(length @ 1..) => {
                        self.buffer.extend_from_slice(&chunk[..length]);
                        while self.receive().await {}
                    }
                    _ => return,
                },
                () = tokio::time::sleep_until(next), if self.is_playing => {
                    next += Duration::from_secs(1) / RATE;
                    self.send().await;
                }
            }
            if self.is_playing && self.shown.elapsed() > Duration::from_secs(60) {
                self.told.lock().unwrap().is_forgotten = true;
                return;
            }
        }
    }

    /// The next packet, over the wrap of sequence numbers and timestamps; a sender report with every tenth.
    async fn send(&mut self) {
        self.number += 1;
        let timestamp = 0xffff_0000u32.wrapping_add(self.number * (90_000 / RATE));
        if self.number.is_multiple_of(LOST_OF) {
            self.told.lock().unwrap().withheld += 1;
        } else {
            let sequence = 65_000u16.wrapping_add(self.number as u16).to_be_bytes();
            let packet = [&[0x80, 96][..], &sequence, &timestamp.to_be_bytes(), &[0, 0, 0, 7, 1, 2, 3]].concat();
            self.told.lock().unwrap().sent += 1;
            let _ = self.stream.write_all(&framed(0, &packet)).await;
        }
        if self.number.is_multiple_of(10) {
            let info = SenderInfo { ntp: u64::from(self.number) << 32, rtp_time: timestamp, ..SenderInfo::default() };
            let report = rtcp::emit(&[Rtcp::SenderReport { ssrc: 7, info, blocks: Vec::new() }]);
            let _ = self.stream.write_all(&framed(1, &report)).await;
        }
    }

    /// Takes one request or report out of what came; false when there is none.
    async fn receive(&mut self) -> bool {
        if let [b'$', _, high, low, rest @ ..] = &self.buffer[..] {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(report) = rest.get(..length) else { return false };
            self.told.lock().unwrap().reports.extend(rtcp::parse(report));
            self.buffer.drain(..4 + length);
            return true;
        }
        let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") else { return false };
        let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
        let method = head.split(' ').next().unwrap().to_owned();
        let cseq = head.lines().find_map(|l| l.strip_prefix("CSeq: ")).unwrap().to_owned();
        let headers = match method.as_str() {
            "OPTIONS" => "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n".to_owned(),
            "DESCRIBE" => format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", SDP.len()),
            "SETUP" => "Transport: RTP/AVP/TCP;interleaved=0-1\r\nSession: 5;timeout=60\r\n".to_owned(),
            "PLAY" => "RTP-Info: url=trackID=1;seq=65001;rtptime=4294946796\r\n".to_owned(),
            _ => String::new(),
        };
        let body = if method == "DESCRIBE" { SDP } else { "" };
        self.is_playing |= method == "PLAY";
        self.shown = Instant::now();
        self.told.lock().unwrap().methods.push(method);
        let answer = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{headers}\r\n{body}");
        self.stream.write_all(answer.as_bytes()).await.is_ok()
    }
}

fn count(told: &Told, method: &str) -> usize {
    told.methods.iter().filter(|m| *m == method).count()
}

#[tokio::test(start_paused = true)]
async fn a_stream_plays_for_three_hours() {
    let net = FakeNet::new();
    let told = Arc::new(Mutex::new(Told::default()));
    let of_camera = told.clone();
    net.serve(AT, move |_, stream| {
        let (told, shown) = (of_camera.clone(), Instant::now());
        Camera { stream, told, buffer: Vec::new(), number: 0, shown, is_playing: false }.run()
    });
    let (client, found) = described_by(&peer(&net, &[])).await;
    let wanted = [MediaToPlay { clock_rate: 90_000, payload_type: Some(96), ..media(1).remove(0) }];
    let mut playing = Playing::start(Box::new(client), &found, &wanted, PlayOptions::lasting()).await.unwrap();
    assert_eq!(playing.beginning(0), (Some(65_001), Some(4_294_946_796)));
    let end = Instant::now() + Duration::from_secs(3 * 3600);
    let (mut packets, mut lost, mut clocks) = (0, 0, 0);
    let mut last: Option<u16> = None;
    while Instant::now() < end {
        match playing.event(end.min(Instant::now() + Duration::from_secs(5))).await {
            Some(PlayEvent::Packet(packet)) => {
                let sequence = u16::from_be_bytes([packet.payload[2], packet.payload[3]]);
                let expected = last.map(|last| last.wrapping_add(1 + packet.lost as u16));
                assert!(expected.is_none_or(|expected| expected == sequence), "{last:?} {sequence} {}", packet.lost);
                (last, packets, lost) = (Some(sequence), packets + 1, lost + packet.lost);
                assert!(playing.statistics(0).unwrap().held < 32);
            }
            Some(PlayEvent::Clock { media: 0, .. }) => clocks += 1,
            None if Instant::now() >= end => break,
            other => panic!("{other:?} {:?}", playing.ended()),
        }
    }
    let statistics = playing.statistics(0).unwrap();
    playing.stop().await;
    let told = told.lock().unwrap();
    assert!(!told.is_forgotten);
    assert!(packets + 2 >= told.sent && packets > 3 * 3600 * 19 / 10, "{packets} of {}", told.sent);
    assert!(lost + 1 >= told.withheld && lost > 200, "{lost} of {}", told.withheld);
    assert!(clocks > 3 * 3600 / 5 - 3 && statistics.jitter < Duration::from_millis(50), "{clocks} {statistics:?}");
    // A sign of life for each half of the timeout, and a report every five seconds or so.
    assert!((355..=365).contains(&count(&told, "GET_PARAMETER")), "{}", count(&told, "GET_PARAMETER"));
    assert_eq!(count(&told, "TEARDOWN"), 1);
    let reported: Vec<_> = told
        .reports
        .iter()
        .filter_map(|r| if let Rtcp::ReceiverReport { blocks, .. } = r { blocks.first() } else { None })
        .collect();
    assert!((2000..=3500).contains(&reported.len()), "{}", reported.len());
    let newest = reported.last().unwrap();
    assert_eq!((newest.ssrc, newest.last_report == 0), (7, false));
    assert!((0..=3).contains(&(told.withheld as i32 - newest.lost)), "{newest:?} {}", told.withheld);
    assert!(newest.since_last_report < 6 << 16 && newest.highest_sequence > 1 << 16);
    assert!(told.reports.iter().any(|r| matches!(r, Rtcp::Description { cname, .. } if cname.len() == 16)));
}

/// A scan plays for seconds and tells the device nothing that it did not tell before.
#[tokio::test(start_paused = true)]
async fn a_short_look_sends_no_reports_and_ends_by_its_caps() {
    let net = FakeNet::new();
    let told = Arc::new(Mutex::new(Told::default()));
    let of_camera = told.clone();
    net.serve(AT, move |_, stream| {
        let (told, shown) = (of_camera.clone(), Instant::now());
        Camera { stream, told, buffer: Vec::new(), number: 0, shown, is_playing: false }.run()
    });
    let (mut client, found) = described_by(&peer(&net, &[])).await;
    let options =
        PlayOptions { caps: Caps { time: Some(Duration::from_secs(20)), bytes: None }, ..PlayOptions::default() };
    let began = Instant::now();
    let mut playing = Playing::start(&mut client, &found, &media(1), options).await.unwrap();
    while playing.next(Instant::now() + Duration::from_secs(5)).await.is_some() {}
    assert_eq!((playing.ended(), began.elapsed().as_secs()), (Some(Ended::TooMuch), 20));
    drop(playing);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = told.lock().unwrap();
    assert_eq!((told.reports.len(), count(&told, "TEARDOWN")), (0, 1));
}

/// Over UDP packets come in any order, reports on a port of their own, and both the clock and the end by them.
#[tokio::test(start_paused = true)]
async fn over_udp_packets_are_put_in_order_and_reports_go_to_their_own_port() {
    let net = FakeNet::new();
    let at = |port: u16| SocketAddr::new("192.0.2.10".parse().unwrap(), port);
    let socket = |port| net.udp(&UdpBind { local: at(port), ..UdpBind::any_port(OWN_IP) }).unwrap();
    let (device, reports) = (socket(6000), socket(6001));
    let client_port = Arc::new(Mutex::new(0u16));
    let port = client_port.clone();
    camera(&net, Vec::new(), move |asked| {
        let transport = asked.header("Transport").filter(|_| asked.method() == "SETUP")?;
        let first = transport.split("client_port=").nth(1)?.split('-').next()?.parse().unwrap();
        *port.lock().unwrap() = first;
        Some(answer(asked, "200 OK", &format!("Session: 77\r\nTransport: {transport};server_port=6000-6001\r\n"), ""))
    });
    let (client, found) = described_by(&peer(&net, &[])).await;
    let options = PlayOptions { first: Transport::Udp, ..PlayOptions::lasting() };
    let mut playing = Playing::start(Box::new(client), &found, &media(1), options).await.unwrap();
    let port = *client_port.lock().unwrap();
    let to = |port| SocketAddr::new(OWN_IP, port);
    for sequence in [1, 2, 5, 3, 4, 6] {
        device.send_to(&rtp(sequence), to(port)).await.unwrap();
    }
    let report =
        Rtcp::SenderReport { ssrc: 1, info: SenderInfo { ntp: 5, ..SenderInfo::default() }, blocks: Vec::new() };
    reports.send_to(&rtcp::emit(&[report]), to(port + 1)).await.unwrap();
    let (mut order, mut clocks) = (Vec::new(), 0);
    while let Some(event) = playing.event(Instant::now() + Duration::from_secs(4)).await {
        match event {
            PlayEvent::Packet(packet) => order.push((packet.payload[3], packet.lost)),
            PlayEvent::Clock { info, .. } => clocks += info.ntp,
            PlayEvent::Goodbye { .. } => panic!("too early"),
        }
    }
    assert_eq!((order, clocks), ((1..=6).map(|n| (n, 0)).collect(), 5));
    let mut buffer = [0; 512];
    let mut told = Vec::new();
    while !told.iter().any(|r| matches!(r, Rtcp::ReceiverReport { blocks, .. } if !blocks.is_empty())) {
        let (length, _) = reports.recv_from(&mut buffer).await.unwrap();
        told = rtcp::parse(&buffer[..length]);
    }
    reports.send_to(&rtcp::emit(&[Rtcp::Goodbye { sources: vec![1] }]), to(port + 1)).await.unwrap();
    assert_eq!(playing.event(soon()).await, Some(PlayEvent::Goodbye { media: 0 }));
    playing.stop().await;
}
