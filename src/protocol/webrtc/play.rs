//! Plays what a WHEP endpoint sends, just long enough to prove that frames arrive and to measure them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::receiver::{Carried, Happened, Received, Receiver};
use crate::media::assemble::{AccessUnit, Assembler};
use crate::media::describe;
use crate::media::format::Format;
use crate::media::meter::{FrameMeter, Rates};
use crate::media::nal::to_annex_b;
use crate::media::order::PacketOrder;
use crate::media::picture::Picture;
use crate::model::{Audio, ErrorKind, Step, Video, VideoCodec};
use crate::net::record::SessionTap;
use crate::net::{Datagram, UdpBind};
use crate::probe::{Inspection, Peer};
use crate::protocol::proof::{KEYFRAME_PATIENCE, Proof, Stop};

/// How long the goodbye may take to leave.
const FAREWELL: Duration = Duration::from_millis(200);
/// The longest datagram that is read whole.
const MOST_DATAGRAM: usize = 2048;
/// Datagrams read at most: some seconds of the richest stream there is.
const MOST_DATAGRAMS: u64 = 200_000;

/// A session that has been offered, and the socket it will come by.
pub(super) struct Offered {
    receiver: Receiver,
    offer: String,
    socket: Box<dyn Datagram>,
    local: SocketAddr,
    /// Where it is noted what comes, where somebody records.
    tap: Option<SessionTap>,
}

impl Offered {
    /// Opens a socket towards the host and makes an offer. None where that cannot be done: then nothing is played.
    pub fn new(peer: &Peer) -> Option<(Offered, String)> {
        let socket = peer.net().udp(&UdpBind::any_port(own_address(peer)?)).ok()?;
        let local = socket.local_addr().ok()?;
        let (receiver, offer) = Receiver::offer(local, false, now()).ok()?;
        Some((Offered { receiver, offer: offer.clone(), socket, local, tap: None }, offer))
    }

    /// Plays by an answer; the session is to be closed afterwards.
    pub async fn play(mut self, host: &Inspection, answer: &str) -> Played {
        let mut played = Played::new();
        if let Err(why) = self.receiver.accept(answer, host.peer.ip) {
            tracing::debug!(ip = %host.peer.ip, "the answer cannot be played: {why}");
            played.cannot = true;
            return played;
        }
        let began = played.began;
        self.tap = host.peer.net().session_tap(host.peer.ip, self.local.port(), &self.offer);
        self.receiver.tick(now());
        loop {
            let wait = self.drain(&mut played).await;
            let until = played.until(host, began);
            if played.has_ended || Instant::now() >= until || played.datagrams >= MOST_DATAGRAMS || host.peer.is_over()
            {
                break;
            }
            self.receive(wait.min(until), &mut played).await;
        }
        played.finish();
        self.receiver.close();
        // Whether it is heard does not matter: the session is closed over HTTP as well.
        let _ = timeout_at(Instant::now() + FAREWELL, self.drain(&mut played)).await;
        played
    }

    async fn drain(&mut self, played: &mut Played) -> Instant {
        loop {
            match self.receiver.poll() {
                // A datagram that cannot be sent is lost, as others are.
                Happened::Send(sent) => drop(self.socket.send_to(&sent.contents, sent.to).await),
                Happened::Connected => {
                    played.connected = Some(played.began.elapsed());
                    self.tap.iter().for_each(SessionTap::connected);
                }
                Happened::Packet(packet) => {
                    self.note(&packet);
                    played.take(&packet);
                }
                Happened::Ended => {
                    played.has_ended = true;
                    return Instant::now();
                }
                Happened::Broke(why) => {
                    self.tap.iter().for_each(SessionTap::broke);
                    played.broke = Some(why);
                }
                Happened::Wait(at) => return Instant::from_std(at),
            }
        }
    }

    fn note(&self, packet: &Received) {
        let is_sound = match packet.carried {
            Carried::Video(_) => false,
            Carried::Audio(_) => true,
            Carried::Other => return,
        };
        self.tap.iter().for_each(|tap| tap.packet(is_sound, packet.sequence, &packet.bytes));
    }

    async fn receive(&mut self, until: Instant, played: &mut Played) {
        let mut buffer = [0; MOST_DATAGRAM];
        match timeout_at(until, self.socket.recv_from(&mut buffer)).await {
            Ok(Ok((length, from))) => {
                played.datagrams += 1;
                let datagram = buffer.get(..length).unwrap_or_default();
                self.receiver.receive(false, from, self.local, datagram, now());
            }
            _ => self.receiver.tick(now()),
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// The address of ours that the host would send to.
fn own_address(peer: &Peer) -> Option<IpAddr> {
    let interfaces = peer.net().interfaces().ok()?;
    let usable = || interfaces.iter().filter(|i| i.loopback == peer.ip.is_loopback());
    let on_link = usable().find(|i| i.is_on_link(peer.ip));
    on_link
        .or_else(|| usable().find(|i| i.source_for(peer.ip).is_some_and(|own| own.is_ipv4() == peer.ip.is_ipv4())))?
        .source_for(peer.ip)
}

/// What came.
pub(super) struct Played {
    began: Instant,
    connected: Option<Duration>,
    first_packet: Option<Duration>,
    first_frame: Option<Duration>,
    first_key: Option<Duration>,
    /// Whatever was read, before it was found to be anything.
    datagrams: u64,
    packets: u64,
    sound: u64,
    video: Option<(VideoCodec, Assembler)>,
    order: PacketOrder,
    meter: FrameMeter,
    came: Video,
    picture: Option<Picture>,
    has_ended: bool,
    /// What came and could not be taken.
    broke: Option<String>,
    /// The answer fits no offer of ours.
    cannot: bool,
}

impl Played {
    fn new() -> Played {
        Played {
            began: Instant::now(),
            connected: None,
            first_packet: None,
            first_frame: None,
            first_key: None,
            datagrams: 0,
            packets: 0,
            sound: 0,
            video: None,
            order: PacketOrder::new(None),
            meter: FrameMeter::by_arrival(),
            came: Video::default(),
            picture: None,
            has_ended: false,
            broke: None,
            cannot: false,
        }
    }

    /// How long to go on.
    fn until(&self, host: &Inspection, began: Instant) -> Instant {
        let until = match (self.first_frame, self.first_key) {
            (Some(first), Some(_)) => began + first + host.options.measure_time,
            (Some(first), None) => began + first + host.options.measure_time + KEYFRAME_PATIENCE,
            (None, _) => began + host.options.frame_timeout,
        };
        until.min(host.peer.deadline)
    }

    fn take(&mut self, packet: &Received) {
        let arrived = self.began.elapsed();
        self.packets += 1;
        match packet.carried {
            Carried::Video(codec) => {
                self.first_packet.get_or_insert(arrived);
                if self.video.as_ref().is_none_or(|(known, _)| *known != codec) {
                    self.video = Some((codec, Assembler::video(codec, &[])));
                }
                self.order.push(packet.bytes.clone(), arrived);
                self.assemble(arrived, false);
            }
            Carried::Audio(_) => self.sound += 1,
            Carried::Other => {}
        }
    }

    fn finish(&mut self) {
        self.assemble(self.began.elapsed(), true);
    }

    fn assemble(&mut self, now: Duration, is_last: bool) {
        let Some((codec, mut assembler)) = self.video.take() else { return };
        while let Some(packet) = self.order.pop(now).or_else(|| self.order.pop_last().filter(|_| is_last)) {
            assembler.push(&packet);
        }
        while let Some(unit) = assembler.pop() {
            self.note(codec, &unit, now);
        }
        self.video = Some((codec, assembler));
    }

    fn note(&mut self, codec: VideoCodec, unit: &AccessUnit, now: Duration) {
        self.first_frame.get_or_insert(now);
        let bytes: usize = unit.parts.iter().map(|part| part.len()).sum();
        self.meter.frame(unit.arrived.as_secs_f64(), bytes as u64, unit.key);
        let Format::Video(format) = &*unit.format else { return };
        let (width, height) = format.size.unzip();
        let described = describe::nals(codec, format.sets.iter().map(|set| &set[..])).unwrap_or_default();
        self.came = Video {
            codec: Some(codec),
            width: described.width.or(width),
            height: described.height.or(height),
            ..described
        };
        if unit.key {
            self.first_key.get_or_insert(now);
            let is_nals = matches!(codec, VideoCodec::H264 | VideoCodec::H265);
            self.picture =
                is_nals.then(|| Picture { codec, bytes: to_annex_b(unit.parts.iter().map(|part| &part[..])) });
        }
    }

    /// What the proof of the stream gains by it, and the last picture.
    pub fn prove(mut self, proof: &mut Proof) -> Option<Picture> {
        if self.cannot {
            proof.warn("the answer does not fit the offer, so nothing could be played");
            return None;
        }
        // What cannot be taken here may play elsewhere.
        if let (None, Some(why)) = (self.connected, &self.broke) {
            proof.warn(format!("could not be played here, so no frame is proved: {why}"));
            return None;
        }
        let Some(connected) = self.connected else {
            proof.stop(Step::Setup, Stop::no_data(ErrorKind::Timeout, "no media connection came about"));
            return None;
        };
        proof.reached(Step::Setup, connected);
        let Some(first) = self.first_packet else {
            let message = match self.sound {
                0 => "no packet came".to_owned(),
                sound => format!("{sound} packets of sound came, and none of a picture"),
            };
            proof.stop(Step::Rtp, Stop::no_data(ErrorKind::Timeout, message));
            return None;
        };
        proof.reached(Step::Rtp, first);
        if self.first_frame.is_none() {
            let message = format!("{} packets came, but no whole frame", self.packets);
            proof.fail(Stop::no_data(ErrorKind::Timeout, message));
            return None;
        }
        match self.first_key {
            Some(key) => proof.reached(Step::Keyframe, key),
            None => proof.warn("no key frame came while it was played"),
        }
        proof.streams();
        let rates: Rates = self.meter.rates();
        let declared: Video = proof.stream.video.take().unwrap_or_default();
        // An offer's profile is what is taken, not what is sent.
        proof.merge(Video { profile: None, level: None, ..declared }, self.came, &rates);
        if let Some(audio) = &mut proof.stream.audio {
            *audio = Audio { measured_packets: Some(self.sound), ..audio.clone() };
        }
        self.picture.take()
    }
}
