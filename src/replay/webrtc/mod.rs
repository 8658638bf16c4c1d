//! WebRTC sessions of a replay: each offer is answered with a session of its own, which sends what the device sent and ends
//! with a DELETE of its address, with its viewer or after a while.

mod refusal;
mod session;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{LONGEST_PLAY, Stage};
use crate::kit::answer::{Agreed, Laps, Reply, session as description};
use crate::kit::conversation::Request;
use crate::kit::format::Session as Outcome;
use crate::net::{Datagram, UdpBind};
use refusal::Refusal;
use session::{Happened, Session, Wanted};

/// Sessions at once.
const MOST_SESSIONS: usize = 16;
/// The longest offer that is read.
const MAX_OFFER: usize = 64 << 10;
/// A viewer that has not connected after so long never does, and one that is heard no more for so long is gone.
const HALF_OPEN: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(30);
/// The longest datagram that is read whole.
const MOST_DATAGRAM: usize = 2048;
/// How long the goodbye may take to leave.
const FAREWELL: Duration = Duration::from_millis(200);

/// A session that was opened.
struct Open {
    /// The address that the device's session had.
    of_device: String,
    stop: CancellationToken,
    task: AbortHandle,
}

/// The sessions of a replay, by their addresses.
#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<String, Open>>,
    tasks: Mutex<JoinSet<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    /// The session that a request is about, of which the device's own is then asked for.
    pub fn meant(&self, request: &mut Request) -> Option<String> {
        let open = lock(&self.open);
        let meant = open.get(&request.ask.target)?;
        Some(std::mem::replace(&mut request.ask.target, meant.of_device.clone()))
    }

    /// Ends a session.
    pub fn end(&self, resource: &str) {
        if let Some(session) = lock(&self.open).remove(resource) {
            session.stop.cancel();
        }
    }

    /// An address like this one that no session has; none where there are too many sessions.
    fn free_like(&self, location: &str, target: &str) -> Option<String> {
        let mut open = lock(&self.open);
        open.retain(|_, session| !session.task.is_finished());
        if open.len() >= MOST_SESSIONS {
            return None;
        }
        let numbered = (2..).map(|number| format!("{location}-{number}"));
        std::iter::once(location.to_owned())
            .chain(numbered)
            .find(|location| !open.contains_key(&description::resource(location, target)))
    }
}

/// Answers an offer with a session, where the device did.
pub(super) fn open(stage: &Arc<Stage>, request: &Request, reply: &mut Reply) {
    let Some(agreed) = reply.session.take().filter(|agreed| agreed.outcome != Outcome::Silent) else { return };
    let recorded = description::location(&reply.head).unwrap_or_default();
    let target = &request.ask.target;
    let Some(location) = stage.sessions.free_like(&recorded, target) else {
        return refuse(reply, "503 Service Unavailable", "there are too many sessions");
    };
    match begin(stage, request, &agreed) {
        Ok((answer, session)) => {
            reply.head = description::head(&reply.head, answer.len(), Some(&location));
            reply.body = vec![(Duration::ZERO, answer.into_bytes())];
            reply.goes_on = false;
            let stop = CancellationToken::new();
            let task = lock(&stage.sessions.tasks).spawn(session.run(agreed.laps, stop.clone()));
            let open = Open { of_device: description::resource(&recorded, target), stop, task };
            lock(&stage.sessions.open).insert(description::resource(&location, target), open);
            while lock(&stage.sessions.tasks).try_join_next().is_some() {}
        }
        Err(why) => refuse(reply, "400 Bad Request", &why),
    }
}

fn refuse(reply: &mut Reply, status: &str, why: &str) {
    let why = crate::text::clean_to(why, 200);
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", why.len());
    *reply = Reply { head: head.into_bytes(), body: vec![(Duration::ZERO, why.into_bytes())], ..Reply::default() };
}

fn begin(stage: &Stage, request: &Request, agreed: &Agreed) -> Result<(String, Running), String> {
    let offer = std::str::from_utf8(&request.body).ok().filter(|offer| offer.len() <= MAX_OFFER);
    let offer = offer.ok_or("the offer is no text, or too long")?;
    let socket = stage.net.udp(&UdpBind::any_port(stage.ip)).map_err(|error| error.to_string())?;
    let local = socket.local_addr().map_err(|error| error.to_string())?;
    let payload_types = agreed.laps.payload_types();
    let wanted = Wanted { offer, recorded: &agreed.answer, payload_types, local };
    let (session, answer) = Session::answer(&wanted, now())?;
    let begins = description::begins_handshake(&agreed.answer);
    let refusal =
        (agreed.outcome == Outcome::Refused).then(|| Refusal::new(begins, std::array::from_fn(|_| fastrand::u8(..))));
    Ok((answer, Running { session, refusal, socket, local, asked: None }))
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// A session and its socket.
struct Running {
    session: Session,
    /// In the place of the encryption, where none was agreed on.
    refusal: Option<Refusal>,
    socket: Box<dyn Datagram>,
    local: SocketAddr,
    /// Who asked whether somebody is there, and has yet to be told more than that.
    asked: Option<SocketAddr>,
}

impl Running {
    /// Plays until it is told to stop, or nobody is there.
    async fn run(mut self, laps: Laps, stop: CancellationToken) {
        let begun = Instant::now();
        let mut heard = begun;
        let mut connected: Option<Instant> = None;
        let mut number = 0;
        self.session.tick(now());
        loop {
            let Some(wait) = self.drain(&mut connected).await else { return };
            if let (Some(refusal), Some(peer)) = (&mut self.refusal, self.asked.take())
                && let Some(said) = refusal.begin()
            {
                let _ = self.socket.send_to(&said, peer).await;
            }
            let next =
                connected.and_then(|since| laps.packet(number).map(|(at, track, _, bytes)| (since + at, track, bytes)));
            if let Some((at, track, bytes)) = &next
                && *at <= Instant::now()
            {
                self.session.send(*track, bytes, now());
                number += 1;
                continue;
            }
            let end = connected.map_or(begun + HALF_OPEN, |since| (since + LONGEST_PLAY).min(heard + SILENCE));
            if stop.is_cancelled() || Instant::now() >= end {
                break;
            }
            let until = next.map_or(wait, |(at, ..)| at.min(wait)).min(end);
            tokio::select! {
                () = stop.cancelled() => {}
                is_heard = self.receive(until) => if is_heard { heard = Instant::now() },
            }
        }
        self.session.close();
        let _ = timeout_at(Instant::now() + FAREWELL, self.drain(&mut connected)).await;
    }

    /// Sends what there is to send; when there is more, or none where the session is over.
    async fn drain(&mut self, connected: &mut Option<Instant>) -> Option<Instant> {
        loop {
            match self.session.poll() {
                Happened::Send(to, bytes) => {
                    if self.refusal.is_none() || !is_handshake(&bytes) {
                        // To whoever asked, and nowhere else; what cannot be sent is lost, as other datagrams are.
                        let _ = self.socket.send_to(&bytes, to).await;
                    }
                }
                Happened::Connected => *connected = Some(Instant::now()),
                Happened::Ended => return None,
                Happened::Wait(at) => return Some(Instant::from_std(at)),
            }
        }
    }

    /// Waits for a datagram; whether one came.
    async fn receive(&mut self, until: Instant) -> bool {
        let mut buffer = [0; MOST_DATAGRAM];
        let Ok(Ok((length, from))) = timeout_at(until, self.socket.recv_from(&mut buffer)).await else {
            self.session.tick(now());
            return false;
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        let Some(refusal) = &mut self.refusal else {
            self.session.receive(from, self.local, bytes, now());
            return true;
        };
        if !is_handshake(bytes) {
            self.session.receive(from, self.local, bytes, now());
            self.asked = Some(from);
        } else if let Some(said) = refusal.answer(bytes) {
            let _ = self.socket.send_to(&said, from).await;
        }
        true
    }
}

/// Whether a datagram is one of DTLS (RFC 7983 §7).
fn is_handshake(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| (20..=63).contains(first))
}
