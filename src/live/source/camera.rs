//! A camera on a network in memory, for tests: it runs on tokio's clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep_until};

use crate::testkit::fleet::clip::{Clip, Codec};
use crate::testkit::fleet::rtp::Packetizer;
use crate::testkit::net::FakeNet;

const AT: &str = "192.0.2.10:554";
/// How often it tells the time of its clocks.
const REPORTS: Duration = Duration::from_secs(5);

/// A medium, and where its numbers and its clock begin; by chance where that is not said.
#[derive(Clone)]
pub struct Medium {
    pub clip: Arc<Clip>,
    pub begins: Option<(u16, u32)>,
}

impl Medium {
    /// Pictures that nobody needs to decode: their slices are cut off, so that much is soon sent.
    pub fn pictures(most: usize) -> Medium {
        let bytes = include_bytes!("../../../tests/data/media/camera_h264_1280x720_25fps.h264");
        let mut clip = Clip::h264(bytes, 25.0);
        clip.frames.iter_mut().flatten().for_each(|nal| nal.truncate(most));
        Medium { clip: Arc::new(clip), begins: None }
    }

    fn describe(&self, track: usize) -> String {
        match self.clip.codec {
            Codec::Pcmu => format!("m=audio 0 RTP/AVP 0\r\na=control:trackID={track}\r\n"),
            _ => format!("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID={track}\r\n"),
        }
    }
}

/// What it was told while it played: when, what its own clock showed at its last report, and the packet of RTCP.
pub struct Told {
    pub at: Instant,
    pub reported: (Instant, u64),
    pub bytes: Vec<u8>,
}

/// A camera that may be away: then it sends nothing more, and closes what connects.
#[derive(Clone)]
pub struct Camera {
    media: Vec<Medium>,
    /// What its clock shows when it begins to play, as NTP counts.
    ntp: u64,
    pub is_away: Arc<AtomicBool>,
    methods: Arc<Mutex<Vec<String>>>,
    pub told: Arc<Mutex<Vec<Told>>>,
}

/// A medium that is being sent.
struct Sending {
    medium: Medium,
    packetizer: Packetizer,
    frames: usize,
}

impl Sending {
    fn of(medium: &Medium) -> Sending {
        let number = if medium.clip.codec == Codec::Pcmu { 0 } else { 96 };
        let packetizer = match medium.begins {
            Some((sequence, timestamp)) => Packetizer::starting_at(number, sequence, timestamp),
            None => Packetizer::new(number),
        };
        Sending { medium: medium.clone(), packetizer, frames: 0 }
    }

    /// When its next frame is sent, after playing began.
    fn due(&self) -> Duration {
        Duration::from_secs_f64(self.frames as f64 / self.medium.clip.fps)
    }

    fn next(&mut self) -> Vec<Vec<u8>> {
        let clip = &self.medium.clip;
        let packets = self.packetizer.packets(clip, &clip.frames[self.frames % clip.frames.len()]);
        self.frames += 1;
        packets
    }
}

impl Camera {
    /// One with pictures alone.
    pub fn on(net: &FakeNet) -> Camera {
        Camera::of(net, vec![Medium::pictures(usize::MAX)], 0)
    }

    pub fn of(net: &FakeNet, media: Vec<Medium>, ntp: u64) -> Camera {
        let camera = Camera { media, ntp, is_away: Arc::default(), methods: Arc::default(), told: Arc::default() };
        let serves = camera.clone();
        net.serve(AT, move |_, stream| serves.clone().serve(stream));
        camera
    }

    pub fn count(&self, method: &str) -> usize {
        self.methods.lock().unwrap().iter().filter(|m| *m == method).count()
    }

    fn is_away(&self) -> bool {
        self.is_away.load(Ordering::SeqCst)
    }

    async fn serve(self, mut stream: DuplexStream) {
        let mut sending: Vec<Sending> = self.media.iter().map(Sending::of).collect();
        let (mut heard, mut playing, mut reported) = (Vec::new(), None, None);
        while !self.is_away() || playing.is_some() {
            let mut chunk = [0; 4096];
            let next = sending.iter().map(Sending::due).min().unwrap();
            let due = playing.map(|began: Instant| began + next);
            tokio::select! {
                read = stream.read(&mut chunk) => match read {
                    Ok(length @ 1..) if !self.is_away() => {
                        heard.extend_from_slice(&chunk[..length]);
                        if self.answer(&mut heard, &mut stream, reported).await {
                            playing = Some(Instant::now());
                        }
                    }
                    Ok(1..) => {}
                    _ => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let elapsed = playing.unwrap().elapsed();
                    if reported.is_none_or(|(at, _): (Instant, u64)| at.elapsed() >= REPORTS) {
                        let ntp = self.ntp.wrapping_add((elapsed.as_secs_f64() * 4_294_967_296.0) as u64);
                        reported = Some((Instant::now(), ntp));
                        for (channel, one) in (1..).step_by(2).zip(&sending) {
                            self.send(&mut stream, channel, &one.packetizer.report(ntp)).await;
                        }
                    }
                    for (channel, one) in (0..).step_by(2).zip(&mut sending) {
                        if one.due() == next {
                            for packet in one.next() {
                                self.send(&mut stream, channel, &packet).await;
                            }
                        }
                    }
                }
            }
        }
    }

    async fn send(&self, stream: &mut DuplexStream, channel: u8, packet: &[u8]) {
        if !self.is_away() {
            let [high, low] = (packet.len() as u16).to_be_bytes();
            let _ = stream.write_all(&[&[b'$', channel, high, low], packet].concat()).await;
        }
    }

    /// Answers the requests that are whole; whether one was PLAY.
    async fn answer(&self, heard: &mut Vec<u8>, stream: &mut DuplexStream, reported: Option<(Instant, u64)>) -> bool {
        let mut plays = false;
        loop {
            if let [b'$', _, high, low, rest @ ..] = &heard[..] {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if rest.len() < length {
                    return plays;
                }
                if let Some(reported) = reported {
                    let told = Told { at: Instant::now(), reported, bytes: rest[..length].to_vec() };
                    self.told.lock().unwrap().push(told);
                }
                heard.drain(..4 + length);
                continue;
            }
            let Some(end) = heard.windows(4).position(|w| w == b"\r\n\r\n") else { return plays };
            let head = String::from_utf8(heard.drain(..end + 4).collect()).unwrap();
            let method = head.split(' ').next().unwrap().to_owned();
            let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            let (headers, body) = match method.as_str() {
                "DESCRIBE" => {
                    let media = self.media.iter().enumerate().map(|(track, medium)| medium.describe(track));
                    let sdp = format!("v=0\r\ns=x\r\nt=0 0\r\n{}", media.collect::<String>());
                    (format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", sdp.len()), sdp)
                }
                "SETUP" => {
                    (format!("Transport: {}\r\nSession: 5;timeout=60\r\n", header("Transport: ")), String::new())
                }
                _ => ("Session: 5\r\n".to_owned(), String::new()),
            };
            plays |= method == "PLAY";
            self.methods.lock().unwrap().push(method);
            let answer = format!("RTSP/1.0 200 OK\r\nCSeq: {}\r\n{headers}\r\n{body}", header("CSeq: "));
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }
}
