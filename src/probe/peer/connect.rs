//! Connecting to a host's ports, with the patience a device is worth that serves one client at a time.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::Peer;
use super::history::Room;
use crate::model::{ErrorKind, Stage};
use crate::net::{Cause, Connection, ConnectionStage, NetError};
use crate::wire::url::Endpoint;

/// How long a device is given to notice that its last client is gone, before each try.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(400), Duration::from_millis(800)];

fn has_no_room(error: &NetError, after: Duration) -> String {
    let seconds = after.as_secs_f64();
    format!(
        "{error}, also after {seconds:.1} s, though the port had been open: the device may serve one client at a time"
    )
}

impl Peer {
    /// Opens a TCP connection to a port, or takes over the one by which it was found open. A port that was open and
    /// refuses now, or closes whatever it takes ([`super::PortHistory::note_shut`]), belongs to a device that has not yet noticed
    /// that its last client is gone: it is asked again after growing pauses.
    ///
    /// # Errors
    /// As [`Dialer::tcp`]; kind `Closed` when the device closed all that it took.
    pub async fn connect(&self, port: u16) -> Result<Connection, NetError> {
        let heard = self.history.heard(port);
        Ok(self.open(port).await?.noting(heard))
    }

    /// Connects as an endpoint is spoken to: as [`Peer::connect_tls`] or as [`Peer::connect`].
    ///
    /// # Errors
    /// As theirs.
    pub async fn connect_to(&self, at: Endpoint) -> Result<Connection, NetError> {
        if at.tls { self.connect_tls(at.port).await } else { self.connect(at.port).await }
    }

    async fn open(&self, port: u16) -> Result<Connection, NetError> {
        if let Some(kept) = self.dialer.take_kept(SocketAddr::new(self.ip, port)) {
            return Ok(kept);
        }
        let began = Instant::now();
        let mut pauses = PAUSES.iter();
        loop {
            let shut = match self.dial(port).await {
                Ok(mut connection) => match self.is_closed_at_once(&mut connection).await {
                    false => return Ok(connection),
                    true => NetError::new(connection.peer, ConnectionStage::Connect, Cause::ClosedAtOnce),
                },
                Err(error) if error.kind() == ErrorKind::Refused && self.history.is_open(port) => error,
                Err(error) => return Err(error),
            };
            let room = self.history.sent_away(port);
            match pauses.next().filter(|_| room == Room::Awaited && !self.is_over()) {
                Some(pause) => tokio::time::sleep((*pause).min(self.time_left())).await,
                None => {
                    if room == Room::Awaited {
                        self.doubt(port, Stage::Tcp, shut.kind(), &has_no_room(&shut, began.elapsed()));
                    }
                    self.history.gave_up(port);
                    return Err(shut);
                }
            }
        }
    }

    /// Notes that a fresh connection to a port was closed without an answer. Says whether to ask again, on a connection for
    /// which the device is given time: where it has answered before, it may not have noticed yet that its last client is
    /// gone.
    pub fn is_worth_asking_again(&self, port: u16) -> bool {
        self.history.has_spoken(port) && !self.is_over() && self.history.note_closed(port)
    }

    /// Where connections were closed before, one that is closed shows it after a round trip or two.
    async fn is_closed_at_once(&self, connection: &mut Connection) -> bool {
        const AT_LEAST: Duration = Duration::from_millis(20);
        const AT_MOST: Duration = Duration::from_millis(200);
        let is_doubtful = self.history.is_shut(connection.peer.port());
        let wait = (connection.connected_in * 2).clamp(AT_LEAST, AT_MOST);
        is_doubtful && connection.is_closed_within(wait).await
    }

    /// Opens a TCP connection to a port, repeating what can pass as the options allow, never past the host's deadline.
    /// What timed out for want of a row in the kernel's neighbour table is repeated in any case.
    async fn dial(&self, port: u16) -> Result<Connection, NetError> {
        let to = SocketAddr::new(self.ip, port);
        let (mut attempt, mut had_row) = (0, true);
        loop {
            match self.dialer.tcp(to, self.timeouts.connect.min(self.time_left())).await {
                Err(error)
                    if error.kind() == ErrorKind::Timeout
                        && had_row
                        && !self.dialer.neighbour_table().has_room(self.ip) =>
                {
                    had_row = false;
                    let room = self.dialer.neighbour_table().reserve_row(self.ip);
                    let _ = tokio::time::timeout(self.time_left(), room).await;
                }
                Err(error) if error.is_transient() && attempt < self.retries && !self.is_over() => {
                    attempt += 1;
                    // Exponential with full jitter, from 100 ms.
                    let most = Duration::from_millis(100) * 2u32.saturating_pow(attempt.min(6));
                    tokio::time::sleep(most.mul_f64(fastrand::f64()).min(self.time_left())).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Connects and performs the TLS handshake. A port that once left a handshake without an answer speaks
    /// no TLS, and is not waited for again.
    ///
    /// # Errors
    /// As [`Dialer::tls`].
    pub async fn connect_tls(&self, port: u16) -> Result<Connection, NetError> {
        if self.history.is_silent_tls(port) {
            return Err(NetError::timeout(SocketAddr::new(self.ip, port), ConnectionStage::Tls));
        }
        let limit = || self.timeouts.request.min(self.time_left());
        let connection = self.connect(port).await?;
        let was_kept = connection.was_kept();
        let outcome = match connection.into_tls(&self.name, limit()).await {
            // It was about to be closed for want of a word.
            Err(error) if was_kept && error.is_cut() => self.connect(port).await?.into_tls(&self.name, limit()).await,
            outcome => outcome,
        };
        #[cfg(feature = "legacy-tls")]
        let outcome = match outcome {
            Err(error) if error.old_tls().is_some() => self.connect(port).await?.into_old_tls(limit()).await,
            outcome => outcome,
        };
        if matches!(&outcome, Err(error) if error.kind() == ErrorKind::Timeout) {
            self.history.note_silent_tls(port);
        }
        outcome
    }
}
