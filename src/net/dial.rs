//! Connections with a deadline, a pace and a bound per host and per scan.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use super::crowd::Crowd;
use super::error::is_exhaustion;
use super::pace::Pace;
use super::tls::{self, TlsInfo};
use super::{BoxStream, Net, NetError, Stage};
use crate::model::ErrorKind;
use crate::model::target::RAW_PRINT_PORTS;

/// Dials for everybody: one pace, one bound of open connections for the scan, one for each host.
pub struct Dialer {
    net: Arc<dyn Net>,
    pace: Arc<Pace>,
    all: Arc<Semaphore>,
    per_host: usize,
    hosts: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
    crowd: Crowd,
}

impl Dialer {
    /// A dialer of at most `open` connections at once, `per_host` of them to one address.
    pub fn new(net: Arc<dyn Net>, pace: Arc<Pace>, open: usize, per_host: usize) -> Self {
        Dialer {
            crowd: Crowd::new(net.clone()),
            net,
            pace,
            all: Arc::new(Semaphore::new(open.max(1))),
            per_host: per_host.max(1),
            hosts: Mutex::default(),
        }
    }

    /// The network it dials on.
    pub fn net(&self) -> &Arc<dyn Net> {
        &self.net
    }

    /// The neighbours, each of whom needs a place in the kernel's table.
    pub fn crowd(&self) -> &Crowd {
        &self.crowd
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
            let message = "never contacted: printers print whatever is sent to this port";
            return Err(NetError::new(to, Stage::Connect, ErrorKind::Refused, message));
        }
        let host = self.host_permits(to.ip());
        let permits = (acquire(host).await, acquire(self.all.clone()).await);
        let mut pause = Duration::from_millis(20);
        loop {
            self.pace.turn(1).await;
            let started = Instant::now();
            match timeout_at(started + limit, self.net.connect(to)).await {
                Err(_) => return Err(NetError::timeout(to, Stage::Connect)),
                Ok(Ok(stream)) => {
                    return Ok(Connection { stream, peer: to, connected_in: started.elapsed(), tls: None, permits });
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
            Err(error) if error.is_too_old_tls() => self.tcp(to, limit).await?.into_old_tls(limit).await,
            outcome => outcome,
        }
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
    /// ([`NetError::is_too_old_tls`]).
    ///
    /// # Errors
    /// As [`Connection::into_tls`].
    #[cfg(feature = "legacy-tls")]
    pub async fn into_old_tls(self, limit: Duration) -> Result<Connection, NetError> {
        self.shake(limit, super::old_tls::handshake).await
    }

    async fn shake<F>(self, limit: Duration, hands: impl FnOnce(BoxStream) -> F) -> Result<Connection, NetError>
    where
        F: Future<Output = io::Result<(BoxStream, TlsInfo)>>,
    {
        let Connection { stream, peer, connected_in, permits, .. } = self;
        let started = Instant::now();
        match timeout_at(started + limit, hands(stream)).await {
            Err(_) => Err(NetError::timeout(peer, Stage::Tls)),
            Ok(Err(error)) => Err(NetError::new(peer, Stage::Tls, ErrorKind::Tls, error.to_string())),
            Ok(Ok((stream, info))) => {
                Ok(Connection { stream, peer, connected_in, tls: Some((info, started.elapsed())), permits })
            }
        }
    }

    /// Wraps a stream that is already open; for tests and for streams that came from elsewhere.
    pub fn from_stream(stream: BoxStream, peer: SocketAddr) -> Self {
        Connection { stream, peer, connected_in: Duration::ZERO, tls: None, permits: (None, None) }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
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
            let outcome = dialer.tcp(to, Duration::from_secs(1)).await.map(|c| c.peer.port()).map_err(|e| e.kind);
            assert_eq!(outcome, if RAW_PRINT_PORTS.contains(&port) { Err(ErrorKind::Refused) } else { Ok(port) });
        }
    }
}
