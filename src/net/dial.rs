//! Connections with a deadline, a pace and a bound per host and per scan.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use super::error::is_exhaustion;
use super::kept::Kept;
use super::neighbour_table::NeighbourTable;
use super::pace::Pace;
use super::tls::{self, TlsInfo};
use super::{BoxStream, Cause, Net, NetError, Stage};
use crate::model::target::RAW_PRINT_PORTS;

/// Dials for everybody: one pace, one bound of open connections for the scan, one for each host.
pub struct Dialer {
    net: Arc<dyn Net>,
    pace: Arc<Pace>,
    all: Arc<Semaphore>,
    per_host: usize,
    hosts: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
    neighbour_table: NeighbourTable,
    kept: Kept,
}

impl Dialer {
    /// A dialer of at most `open` connections at once, `per_host` of them to one address.
    pub fn new(net: Arc<dyn Net>, pace: Arc<Pace>, open: usize, per_host: usize) -> Self {
        Dialer::within(net, pace, Arc::new(Semaphore::new(open.max(1))), per_host)
    }

    /// A dialer that shares its limit of open connections with others, `per_host` of them to one address.
    pub fn within(net: Arc<dyn Net>, pace: Arc<Pace>, all: Arc<Semaphore>, per_host: usize) -> Self {
        Dialer {
            neighbour_table: NeighbourTable::new(net.clone()),
            net,
            pace,
            all,
            per_host: per_host.max(1),
            hosts: Mutex::default(),
            kept: Kept::default(),
        }
    }

    /// The network it dials on.
    pub fn net(&self) -> &Arc<dyn Net> {
        &self.net
    }

    /// The kernel's neighbour table, in which every neighbour needs a row.
    pub fn neighbour_table(&self) -> &NeighbourTable {
        &self.neighbour_table
    }

    /// The pace of the scan.
    pub fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// Opens a TCP connection within `limit`; waiting for a place does not count. When this machine runs out of
    /// descriptors, ports or neighbour entries, it waits and tries again: the host is not to blame.
    ///
    /// # Errors
    /// Refused, timed out, unreachable, or a failure of this machine that did not pass. Where printers print whatever is
    /// sent to them nothing is, whoever says that something else is there.
    pub async fn tcp(&self, to: SocketAddr, limit: Duration) -> Result<Connection, NetError> {
        if RAW_PRINT_PORTS.contains(&to.port()) {
            return Err(NetError::new(to, Stage::Connect, Cause::PrintsWhatIsSent));
        }
        let host = self.host_permits(to.ip());
        let permits = (self.place(host, Some(to.ip())).await, self.place(self.all.clone(), None).await);
        let mut pause = Duration::from_millis(20);
        loop {
            self.pace.turn(1).await;
            let started = Instant::now();
            match timeout_at(started + limit, self.net.connect(to)).await {
                Err(_) => return Err(NetError::timeout(to, Stage::Connect)),
                Ok(Ok(stream)) => {
                    return Ok(Connection {
                        permits,
                        connected_in: started.elapsed(),
                        ..Connection::from_stream(stream, to)
                    });
                }
                Ok(Err(error)) if is_exhaustion(&error) && pause < Duration::from_secs(2) => {
                    sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
                    pause *= 2;
                }
                Ok(Err(error)) => return Err(NetError::from_io(to, Stage::Connect, &error)),
            }
        }
    }

    /// Opens a TCP connection and shakes hands for TLS on it.
    ///
    /// # Errors
    /// As [`Dialer::tcp`]; kind `Tls` when the handshake fails.
    pub async fn tls(&self, to: SocketAddr, name: &str, limit: Duration) -> Result<Connection, NetError> {
        match self.tcp(to, limit).await?.into_tls(name, limit).await {
            #[cfg(feature = "legacy-tls")]
            Err(error) if error.old_tls().is_some() => self.tcp(to, limit).await?.into_old_tls(limit).await,
            outcome => outcome,
        }
    }

    /// Keeps an open connection on which nothing was said for whoever speaks to its port first. It is closed when its place
    /// is wanted for another, and after a second.
    pub fn keep(&self, connection: Connection) {
        self.kept.keep(Connection { kept: true, ..connection });
    }

    /// The connection that was kept to an endpoint, unless the device has closed it meanwhile.
    pub fn take_kept(&self, to: SocketAddr) -> Option<Connection> {
        self.kept.take(to)
    }

    /// Closes what is kept of a host.
    pub fn close_kept(&self, ip: IpAddr) {
        self.kept.close(ip);
    }

    /// A place among the connections to a host, or among all; a connection that nobody uses makes way.
    async fn place(&self, places: Arc<Semaphore>, of: Option<IpAddr>) -> Permit {
        if let Ok(place) = places.clone().try_acquire_owned() {
            return Some(place);
        }
        let _waiting = self.kept.make_way(of);
        acquire(places).await
    }

    fn host_permits(&self, ip: IpAddr) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = hosts.get(&ip).and_then(Weak::upgrade) {
            return known;
        }
        if hosts.len() >= 4096 {
            hosts.retain(|_, permits| permits.strong_count() > 0);
        }
        let fresh = Arc::new(Semaphore::new(self.per_host));
        hosts.insert(ip, Arc::downgrade(&fresh));
        fresh
    }
}

type Permit = Option<OwnedSemaphorePermit>;

async fn acquire(places: Arc<Semaphore>) -> Permit {
    // Fails only when the semaphore is closed, which nobody does.
    places.acquire_owned().await.ok()
}

/// An open connection; its place among the host's and the scan's connections is free again when it is dropped.
pub struct Connection {
    stream: BoxStream,
    /// The endpoint.
    pub peer: SocketAddr,
    /// How long the TCP connect took.
    pub connected_in: Duration,
    /// What the TLS handshake told, and how long it took; absent on plain TCP.
    pub tls: Option<(TlsInfo, Duration)>,
    permits: (Permit, Permit),
    /// What the device said before it was asked.
    early: Vec<u8>,
    kept: bool,
    heard: Option<Arc<AtomicBool>>,
}

impl Connection {
    /// Shakes hands for TLS within `limit`.
    ///
    /// # Errors
    /// Kind `Tls` when the peer speaks no TLS that we do, `Timeout` when it does not answer.
    pub async fn into_tls(self, name: &str, limit: Duration) -> Result<Connection, NetError> {
        self.shake(limit, |stream| tls::handshake(stream, name)).await
    }

    /// The same with a device that was heard to speak nothing newer than what the program reads by itself
    /// ([`NetError::old_tls`]).
    ///
    /// # Errors
    /// As [`Connection::into_tls`].
    #[cfg(feature = "legacy-tls")]
    pub async fn into_old_tls(self, limit: Duration) -> Result<Connection, NetError> {
        self.shake(limit, super::old_tls::handshake).await
    }

    async fn shake<F>(self, limit: Duration, hands: impl FnOnce(BoxStream) -> F) -> Result<Connection, NetError>
    where
        F: Future<Output = Result<(BoxStream, TlsInfo), Cause>>,
    {
        let (peer, connected_in, kept, heard) = (self.peer, self.connected_in, self.kept, self.heard.clone());
        let (stream, permits): (BoxStream, _) = match self.early.is_empty() {
            true => (self.stream, self.permits),
            // It spoke first, as no TLS server does; what it said belongs to the handshake all the same.
            false => (Box::new(self), (None, None)),
        };
        let started = Instant::now();
        let outcome = timeout_at(started + limit, hands(stream)).await;
        if let (Some(heard), Ok(outcome)) = (&heard, &outcome) {
            heard.fetch_or(!matches!(outcome, Err(Cause::Tls { is_cut: true, .. })), Ordering::Relaxed);
        }
        match outcome {
            Err(_) => Err(NetError::timeout(peer, Stage::Tls)),
            Ok(Err(cause)) => Err(NetError::new(peer, Stage::Tls, cause)),
            Ok(Ok((stream, info))) => {
                let tls = Some((info, started.elapsed()));
                Ok(Connection { connected_in, tls, permits, kept, heard, ..Connection::from_stream(stream, peer) })
            }
        }
    }

    /// The same connection, which notes in `heard` when the device has said anything.
    pub fn noting(self, heard: Arc<AtomicBool>) -> Self {
        Connection { heard: Some(heard), ..self }
    }

    /// Whether it was open before it was wanted ([`Dialer::keep`]): the device may be about to close it for want of a word.
    pub fn was_kept(&self) -> bool {
        self.kept
    }

    /// Whether the device has not closed it, as far as is known here.
    pub fn is_open(&mut self) -> bool {
        self.listen().now_or_never().unwrap_or(true)
    }

    /// Whether the device closes it within `limit`, before it was sent anything.
    pub async fn is_closed_within(&mut self, limit: Duration) -> bool {
        timeout_at(Instant::now() + limit, self.listen()).await.is_ok_and(|open| !open)
    }

    /// Waits until the device says something, which is kept for the reader, or closes the connection; false when closed.
    async fn listen(&mut self) -> bool {
        /// What one says in greeting is shorter.
        const MOST: usize = 512;
        if self.early.is_empty() {
            let mut early = Vec::with_capacity(MOST);
            if !matches!(self.stream.read_buf(&mut early).await, Ok(1..)) {
                return false;
            }
            self.early = early;
        }
        true
    }

    /// Wraps a stream that is already open; for tests and for streams that came from elsewhere.
    pub fn from_stream(stream: BoxStream, peer: SocketAddr) -> Self {
        let permits = (None, None);
        Connection {
            stream,
            peer,
            connected_in: Duration::ZERO,
            tls: None,
            permits,
            early: Vec::new(),
            kept: false,
            heard: None,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let length = self.early.len().min(buf.remaining());
            buf.put_slice(&self.early.drain(..length).collect::<Vec<u8>>());
            if let Some(heard) = &self.heard {
                heard.store(true, Ordering::Relaxed);
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(heard) = &self.heard
            && buf.filled().len() > before
        {
            heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorKind;
    use crate::net::fake::FakeNet;

    #[tokio::test]
    async fn nothing_is_sent_to_where_printers_print() {
        let net = FakeNet::new();
        for port in 9099..=9108 {
            net.serve(&format!("192.0.2.10:{port}"), |_, _| async {});
        }
        let dialer = Dialer::new(net, Arc::new(Pace::new(None)), 8, 4);
        for port in 9099..=9108 {
            let to = SocketAddr::new([192, 0, 2, 10].into(), port);
            let outcome = dialer.tcp(to, Duration::from_secs(1)).await.map(|c| c.peer.port()).map_err(|e| e.kind());
            assert_eq!(outcome, if RAW_PRINT_PORTS.contains(&port) { Err(ErrorKind::Refused) } else { Ok(port) });
        }
    }
}
