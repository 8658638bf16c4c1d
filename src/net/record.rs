//! A network that keeps what is said on it: every connection that a [`Dialer`](super::Dialer) opens, and the datagrams, to
//! one device. Of connections the bytes within TLS are kept, so that they are taken where they are read and written rather
//! than where they are sent.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::link::{Link, LinkKind, Neighbour, OwnPort};
use super::route::Route;
use super::tls::TlsInfo;
use super::{BoxStream, Datagram, Datagrams, Interface, Links, Names, Net, SenderCheck, Streams, UdpBind};
use crate::model::recording::{Connected, Decrypted, Handshake, Outcome, Packet, Part, Recording, Session, Side};

/// Bytes kept of one connection.
const MOST_OF_ONE: usize = 12 << 20;
/// Bytes kept of all connections and datagrams.
const MOST_OF_ALL: usize = 96 << 20;
/// Connections and datagrams kept, and packets of a session.
const MOST: usize = 20_000;
/// WebRTC sessions kept.
const MOST_SESSIONS: usize = 64;

/// What is kept of the conversations with one device.
pub struct Recorder {
    device: Mutex<Option<IpAddr>>,
    started: Instant,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    recording: Recording,
    /// Of each connection.
    sizes: Vec<usize>,
    bytes: usize,
}

impl Recorder {
    /// Begins, and keeps nothing until it is said whose conversations are meant ([`Recorder::listen_to`]).
    pub fn new() -> Arc<Recorder> {
        Arc::new(Recorder { device: Mutex::new(None), started: Instant::now(), kept: Mutex::default() })
    }

    /// Says whose conversations are kept from now on.
    pub fn listen_to(&self, device: IpAddr) {
        *lock(&self.device) = Some(device.to_canonical());
    }

    /// What was recorded so far.
    pub fn recording(&self) -> Recording {
        lock(&self.kept).recording.clone()
    }

    fn is_of(&self, ip: IpAddr) -> bool {
        lock(&self.device).is_some_and(|device| device == ip.to_canonical())
    }

    /// Begins the record of an attempt to connect; which number it has.
    fn attempt(&self, to: SocketAddr, outcome: Outcome) -> Option<usize> {
        if !self.is_of(to.ip()) {
            return None;
        }
        let mut kept = lock(&self.kept);
        if kept.recording.connections.len() >= MOST {
            kept.recording.is_cut = true;
            return None;
        }
        let opened = self.started.elapsed();
        let connected = Connected { to, outcome, parts: Vec::new(), opened, closed: None, tls: None };
        kept.recording.connections.push(connected);
        kept.sizes.push(0);
        Some(kept.recording.connections.len() - 1)
    }

    fn datagram(&self, from: Side, local_port: u16, peer: SocketAddr, bytes: &[u8]) {
        if !self.is_of(peer.ip()) {
            return;
        }
        let mut kept = lock(&self.kept);
        // What is encrypted for one session alone is kept as that session's, decrypted.
        if kept.recording.sessions.iter().any(|session| session.local_port == local_port) {
            return;
        }
        if kept.recording.datagrams.len() >= MOST || kept.bytes.saturating_add(bytes.len()) > MOST_OF_ALL {
            kept.recording.is_cut = true;
            return;
        }
        kept.bytes += bytes.len();
        let at = self.started.elapsed();
        kept.recording.datagrams.push(Packet { at, from, local_port, peer, bytes: bytes.to_vec() });
    }
}

/// Where one connection's bytes are noted.
#[derive(Clone)]
pub struct Tap {
    recorder: Arc<Recorder>,
    number: usize,
}

impl Tap {
    /// Notes what was read (from the device) or written (by the scanner).
    pub(super) fn note(&self, from: Side, bytes: &[u8]) {
        let at = self.recorder.started.elapsed();
        let mut kept = lock(&self.recorder.kept);
        let all = kept.bytes.saturating_add(bytes.len());
        let Kept { recording, sizes, bytes: so_far } = &mut *kept;
        let connection = recording.connections.get_mut(self.number).zip(sizes.get_mut(self.number));
        let Some((connection, size)) = connection else { return };
        let of_one = size.saturating_add(bytes.len());
        if all > MOST_OF_ALL || of_one > MOST_OF_ONE {
            recording.is_cut = true;
            return;
        }
        (*so_far, *size) = (all, of_one);
        connection.parts.push(Part { at, from, bytes: bytes.to_vec() });
    }

    /// Notes who ended the connection; the first word counts.
    pub(super) fn closed(&self, by: Side) {
        let at = self.recorder.started.elapsed();
        if let Some(connection) = lock(&self.recorder.kept).recording.connections.get_mut(self.number) {
            connection.closed.get_or_insert((at, by));
        }
    }

    /// Notes how a handshake for TLS ended.
    pub(super) fn shook_hands(&self, info: Option<&TlsInfo>) {
        let handshake = info.map_or_else(Handshake::default, |info| Handshake {
            is_done: true,
            subject: info.subject.clone(),
            names: info.names.clone(),
            not_after: info.not_after,
        });
        if let Some(connection) = lock(&self.recorder.kept).recording.connections.get_mut(self.number) {
            connection.tls = Some(handshake);
        }
    }
}

/// Where it is noted what comes of one WebRTC session.
pub struct SessionTap {
    recorder: Arc<Recorder>,
    number: usize,
}

impl SessionTap {
    fn change(&self, change: impl FnOnce(&mut Session, Duration)) {
        let at = self.recorder.started.elapsed();
        if let Some(session) = lock(&self.recorder.kept).recording.sessions.get_mut(self.number) {
            change(session, at);
        }
    }

    /// The session stands.
    pub fn connected(&self) {
        self.change(|session, at| session.connected = Some(at));
    }

    /// Its handshake broke.
    pub fn broke(&self) {
        self.change(|session, _| session.broke |= session.connected.is_none());
    }

    /// A packet came, whose extended sequence number is given.
    pub fn packet(&self, is_sound: bool, sequence: u64, bytes: &[u8]) {
        let at = self.recorder.started.elapsed();
        let mut kept = lock(&self.recorder.kept);
        let all = kept.bytes.saturating_add(bytes.len());
        let Kept { recording, bytes: so_far, .. } = &mut *kept;
        let Some(session) = recording.sessions.get_mut(self.number) else { return };
        if all > MOST_OF_ALL || session.packets.len() >= MOST {
            recording.is_cut = true;
            return;
        }
        *so_far = all;
        session.packets.push(Decrypted { at, is_sound, sequence, bytes: bytes.to_vec() });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The network beneath, and the recorder that listens on it.
pub struct RecordingNet {
    net: Arc<dyn Net>,
    recorder: Arc<Recorder>,
}

impl RecordingNet {
    /// Listens on `net`.
    pub fn new(net: Arc<dyn Net>, recorder: Arc<Recorder>) -> Arc<Self> {
        Arc::new(RecordingNet { net, recorder })
    }
}

/// Notes an attempt that was given up as one that nothing answered.
struct Attempt<'r> {
    recorder: &'r Recorder,
    to: SocketAddr,
    is_over: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.recorder.attempt(self.to, Outcome::Silent);
        }
    }
}

impl Streams for RecordingNet {
    fn connect(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        async move {
            let mut attempt = Attempt { recorder: &self.recorder, to, is_over: false };
            let outcome = self.net.connect(to).await;
            attempt.is_over = true;
            if outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
                self.recorder.attempt(to, Outcome::Refused);
            }
            outcome
        }
        .boxed()
    }

    fn tap(&self, to: SocketAddr) -> Option<Tap> {
        let number = self.recorder.attempt(to, Outcome::Open)?;
        Some(Tap { recorder: self.recorder.clone(), number })
    }
}

impl Datagrams for RecordingNet {
    fn udp(&self, bind: &UdpBind) -> io::Result<Box<dyn Datagram>> {
        let socket = self.net.udp(bind)?;
        Ok(Box::new(Overheard { socket, recorder: self.recorder.clone() }))
    }

    fn icmp(&self, v6: bool) -> io::Result<Box<dyn Datagram>> {
        self.net.icmp(v6)
    }

    fn session_tap(&self, device: IpAddr, local_port: u16, offer: &str) -> Option<SessionTap> {
        if !self.recorder.is_of(device) {
            return None;
        }
        let mut kept = lock(&self.recorder.kept);
        let sessions = &mut kept.recording.sessions;
        if sessions.len() >= MOST_SESSIONS {
            kept.recording.is_cut = true;
            return None;
        }
        let offer = offer.to_owned();
        sessions.push(Session { offer, local_port, connected: None, broke: false, packets: Vec::new() });
        Some(SessionTap { recorder: self.recorder.clone(), number: sessions.len() - 1 })
    }
}

struct Overheard {
    socket: Box<dyn Datagram>,
    recorder: Arc<Recorder>,
}

impl Overheard {
    fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |local| local.port())
    }
}

impl Datagram for Overheard {
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        self.recorder.datagram(Side::Scanner, self.port(), to, data);
        self.socket.send_to(data, to)
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        async move {
            let (length, from) = self.socket.recv_from(buf).await?;
            self.recorder.datagram(Side::Device, self.port(), from, buf.get(..length).unwrap_or_default());
            Ok((length, from))
        }
        .boxed()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Links for RecordingNet {
    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        self.net.interfaces()
    }

    fn link(&self, interface: &Interface, kind: LinkKind) -> io::Result<Box<dyn Link>> {
        self.net.link(interface, kind)
    }

    fn own_port(&self) -> io::Result<OwnPort> {
        self.net.own_port()
    }

    fn neighbours(&self) -> BoxFuture<'_, io::Result<Vec<Neighbour>>> {
        self.net.neighbours()
    }

    fn routes(&self) -> BoxFuture<'_, io::Result<Vec<Route>>> {
        self.net.routes()
    }

    fn nudge(&self, to: &[IpAddr]) -> io::Result<usize> {
        self.net.nudge(to)
    }

    fn forget(&self, neighbour: &Neighbour) -> io::Result<()> {
        self.net.forget(neighbour)
    }

    fn sender_check(&self, interface: &str) -> Option<SenderCheck> {
        self.net.sender_check(interface)
    }

    fn note_zone(&self, ip: IpAddr, interface_index: u32) {
        self.net.note_zone(ip, interface_index);
    }
}

impl Names for RecordingNet {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.net.resolve(name)
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, io::Result<Option<String>>> {
        self.net.reverse(ip)
    }
}
