//! The loop: what viewers send, what time brings and the frames of all streams, in turns that are bounded.

use std::collections::{BTreeSet, HashMap};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use str0m::RtcError;
use str0m::ice::StunMessage;
use tokio::sync::{Notify, mpsc, oneshot};

use super::figures::{Figures, count, set};
use super::limits::{MOST_BURSTS, MOST_READ, Patience};
use super::outbox::Outbox;
use super::routes::{Origin, Routes, ViewerId};
use super::session::{End, Parts, Session};
use super::tcp::Happened;
use crate::net::media_port::{DatagramPath, MediaPort};

/// How long the loop sleeps at most.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// What a session waits for is not looked at more often: one that never has enough takes no more than its share.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);
/// Messages of TCP connections and commands that are looked at in one turn.
const MOST_IN_TURN: usize = 64;

/// What the engine is told.
pub(super) enum Command {
    /// A viewer is to be expected; the answer goes out once it is.
    Add(Box<Parts>, oneshot::Sender<()>),
    /// A viewer said goodbye.
    Close(ViewerId),
}

/// All sessions and what they share.
pub(super) struct Loop {
    out: Outbox,
    routes: Routes,
    sessions: HashMap<ViewerId, Session>,
    /// When each session is to be looked at.
    due: BTreeSet<(Instant, ViewerId)>,
    at: HashMap<ViewerId, Instant>,
    bursts: usize,
    patience: Patience,
    commands: mpsc::Receiver<Command>,
    happened: mpsc::Receiver<Happened>,
    bell: Arc<Notify>,
    figures: Arc<Figures>,
    /// Datagrams of one turn.
    inbox: Vec<(DatagramPath, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
}

/// Why the loop goes on.
enum Woken {
    Readable,
    Happened(Option<Happened>),
    Command(Option<Command>),
    Due,
    Frames,
}

impl Loop {
    pub fn new(
        ports: Vec<MediaPort>,
        patience: Patience,
        commands: mpsc::Receiver<Command>,
        happened: mpsc::Receiver<Happened>,
        bell: Arc<Notify>,
        figures: Arc<Figures>,
    ) -> Loop {
        set(&figures.segments, ports.iter().map(MediaPort::most_segments).min().unwrap_or(1));
        Loop {
            out: Outbox::new(ports, figures.clone()),
            routes: Routes::default(),
            sessions: HashMap::new(),
            due: BTreeSet::new(),
            at: HashMap::new(),
            bursts: 0,
            patience,
            commands,
            happened,
            bell,
            figures,
            inbox: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Serves until nobody holds the engine any more; then all viewers are told.
    pub async fn run(mut self) {
        loop {
            let woken = self.woken().await;
            let now = tokio::time::Instant::now().into_std();
            match woken {
                Woken::Command(None) => break,
                Woken::Command(Some(command)) => self.obey(command, now),
                Woken::Happened(Some(happened)) => self.note(happened, now),
                Woken::Happened(None) | Woken::Readable | Woken::Due | Woken::Frames => {}
            }
            self.turn(now);
        }
        let now = tokio::time::Instant::now().into_std();
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.end(id, End::Left, now);
        }
    }

    async fn woken(&mut self) -> Woken {
        let longest = tokio::time::Instant::now() + LONGEST_SLEEP;
        let due = self.due.first().map_or(longest, |(at, _)| tokio::time::Instant::from_std(*at).min(longest));
        let ports = &self.out.ports;
        let readable = poll_fn(|context| match ports.iter().any(|port| port.poll_readable(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        tokio::select! {
            command = self.commands.recv() => Woken::Command(command),
            happened = self.happened.recv(), if !self.happened.is_closed() => Woken::Happened(happened),
            () = readable => Woken::Readable,
            () = self.bell.notified() => Woken::Frames,
            () = tokio::time::sleep_until(due) => {
                self.figures.lap(due.elapsed());
                Woken::Due
            }
        }
    }

    /// One turn of each kind of work.
    fn turn(&mut self, now: Instant) {
        for _ in 0..MOST_IN_TURN {
            match self.happened.try_recv() {
                Ok(happened) => self.note(happened, now),
                Err(_) => break,
            }
        }
        self.read(now);
        self.tick(now);
        self.send_frames(now);
        set(&self.figures.viewers, self.sessions.len());
        set(&self.figures.routes, self.routes.len());
        set(&self.figures.tcp_connections, self.out.links.len());
    }

    fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::Add(parts, done) => {
                let session = Session::new(*parts, self.patience, now);
                self.routes.expect(session.id, &session.ufrag);
                let id = session.id;
                self.sessions.insert(id, session);
                self.drive(id, now, |session, out| session.tick(now).and_then(|()| session.drain(now, out)));
                // Who asked may be gone; then nobody connects.
                let _ = done.send(());
            }
            Command::Close(id) => self.end(id, End::Left, now),
        }
    }

    fn note(&mut self, happened: Happened, now: Instant) {
        match happened {
            Happened::Opened(link) => {
                self.out.links.insert(link.path, link);
            }
            Happened::Packet(path, bytes) => {
                count(&self.figures.datagrams_in);
                if !self.receive(true, path, &bytes, now) {
                    // Whoever it is does not know what to say here.
                    self.out.links.remove(&path);
                }
            }
            Happened::Closed(path) => {
                self.out.links.remove(&path);
            }
        }
    }

    /// Reads what has come, up to a bound.
    fn read(&mut self, now: Instant) {
        let (mut read, mut inbox) = (0, std::mem::take(&mut self.inbox));
        for port in &mut self.out.ports {
            while read < MOST_READ {
                let spare = &mut self.spare;
                let taken = port.receive(|path, datagram| {
                    let mut bytes = spare.pop().unwrap_or_default();
                    bytes.clear();
                    bytes.extend_from_slice(datagram);
                    inbox.push((path, bytes));
                });
                match taken {
                    Ok(0) => break,
                    Ok(count) => read += count,
                    // A report about one peer; the next call is about others.
                    Err(_) => read += 1,
                }
            }
        }
        for (path, bytes) in inbox.drain(..) {
            count(&self.figures.datagrams_in);
            self.receive(false, path, &bytes, now);
            if self.spare.len() < MOST_READ {
                self.spare.push(bytes);
            }
        }
        self.inbox = inbox;
    }

    /// Gives a packet to the viewer it is from; false where it is nobody's.
    fn receive(&mut self, tcp: bool, path: DatagramPath, bytes: &[u8], now: Instant) -> bool {
        let origin = Origin { tcp, from: path.from };
        let is_check = bytes.first().is_some_and(|first| *first < 4);
        let id = if is_check { named(bytes).and_then(|name| self.routes.named(&name)) } else { self.routes.at(origin) };
        let Some(id) = id else {
            count(&self.figures.unroutable);
            return false;
        };
        let mut is_its = false;
        self.drive(id, now, |session, out| {
            is_its = session.take(tcp, path, bytes, now)?;
            session.drain(now, out)
        });
        match is_its {
            true if is_check && self.sessions.contains_key(&id) => self.routes.learn(id, origin),
            true => {}
            false => count(&self.figures.unroutable),
        }
        is_its
    }

    /// Time for those whose time has come.
    fn tick(&mut self, now: Instant) {
        // Each at most once a turn, however soon it wants to be looked at again.
        let due: Vec<ViewerId> = self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        for id in due {
            match self.sessions.get(&id).and_then(|session| session.end(now)) {
                Some(end) => self.end(id, end, now),
                None => self.drive(id, now, |session, out| {
                    session.tick(now)?;
                    session.drain(now, out)?;
                    if session.is_bursting() { session.send_frames(now, out) } else { Ok(()) }
                }),
            }
        }
    }

    /// The new frames of all streams, to those who watch them.
    fn send_frames(&mut self, now: Instant) {
        let is_behind = |session: &&Session| {
            session.presence.stream.is_gone()
                || session.is_connected() && (session.wants_place() || session.seen != session.presence.stream.head())
        };
        let behind: Vec<ViewerId> = self.sessions.values().filter(is_behind).map(|session| session.id).collect();
        for id in behind {
            let may_burst = self.bursts < MOST_BURSTS;
            self.drive(id, now, |session, out| {
                if session.wants_place() {
                    session.place(now, may_burst);
                }
                session.send_frames(now, out)
            });
        }
    }

    /// Has a session do something. One that breaks is dropped, and takes nobody along.
    fn drive(
        &mut self,
        id: ViewerId,
        now: Instant,
        work: impl FnOnce(&mut Session, &mut Outbox) -> Result<(), RtcError>,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (was_connected, was_bursting) = (session.is_connected(), session.is_bursting());
        let out = &mut self.out;
        let outcome = catch_unwind(AssertUnwindSafe(|| work(session, out)));
        if !was_connected && session.is_connected() {
            count(&self.figures.connected);
        }
        match (was_bursting, session.is_bursting()) {
            (false, true) => self.bursts += 1,
            (true, false) => self.bursts = self.bursts.saturating_sub(1),
            _ => {}
        }
        match outcome {
            Ok(Ok(())) => match session.end(now) {
                Some(end) => self.end(id, end, now),
                None => {
                    let due = session.due().max(now + SHORTEST_SLEEP);
                    self.schedule(id, due);
                }
            },
            Ok(Err(error)) => {
                tracing::debug!(viewer = id, "a viewer's session broke: {error}");
                self.end(id, End::Broken, now);
            }
            Err(_) => {
                tracing::warn!(viewer = id, "internal error in a viewer's session, which is dropped");
                count(&self.figures.panics);
                self.forget(id);
            }
        }
    }

    fn schedule(&mut self, id: ViewerId, due: Instant) {
        if let Some(before) = self.at.insert(id, due) {
            if before == due {
                return;
            }
            self.due.remove(&(before, id));
        }
        self.due.insert((due, id));
    }

    /// A session is over.
    fn end(&mut self, id: ViewerId, end: End, now: Instant) {
        match end {
            End::NeverConnected => count(&self.figures.never_connected),
            End::Silent => count(&self.figures.lost),
            End::Broken => count(&self.figures.broken),
            End::Left | End::Changed => {}
        }
        if let Some(session) = self.sessions.get_mut(&id)
            && end != End::Broken
        {
            let out = &mut self.out;
            // A goodbye that cannot be said is none.
            let _ = catch_unwind(AssertUnwindSafe(|| session.close(now, out)));
        }
        tracing::debug!(viewer = id, ?end, "a viewer's session is over");
        self.forget(id);
    }

    /// Leaves nothing of a session behind.
    fn forget(&mut self, id: ViewerId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        if session.is_bursting() {
            self.bursts = self.bursts.saturating_sub(1);
        }
        if let Some(due) = self.at.remove(&id) {
            self.due.remove(&(due, id));
        }
        let origins = self.routes.forget(id, &session.ufrag);
        for origin in origins.iter().filter(|origin| origin.tcp) {
            self.out.links.retain(|path, _| path.from != origin.from);
        }
        // What is wrong in it may show once more when it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(session)));
    }
}

/// The name of the session that a connectivity check is for.
pub(super) fn named(bytes: &[u8]) -> Option<String> {
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        let message = StunMessage::parse(bytes).ok()?;
        Some(message.split_username()?.0.to_owned())
    }));
    parsed.ok().flatten()
}
