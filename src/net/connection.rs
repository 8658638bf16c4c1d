//! An open connection, plain or by TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::record::Tap;
use super::tls::{self, TlsInfo};
use super::{BoxStream, Cause, ConnectionStage, NetError};
use crate::model::recording::Side;

/// A place among the open connections.
pub(super) type Permit = Option<OwnedSemaphorePermit>;

/// What a device said on one port, over all connections to it.
#[derive(Debug, Default)]
pub struct Heard {
    any: AtomicBool,
    first: OnceLock<Vec<u8>>,
}

impl Heard {
    /// Whether it said anything.
    pub fn has_spoken(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// The first bytes that came, as many as tell one protocol from another; none where all that came was a TLS handshake.
    pub fn first(&self) -> &[u8] {
        self.first.get().map_or(&[], Vec::as_slice)
    }

    fn note(&self, bytes: &[u8]) {
        /// Greetings differ sooner.
        const MOST: usize = 16;
        self.any.store(true, Ordering::Relaxed);
        self.first.get_or_init(|| bytes.iter().copied().take(MOST).collect());
    }
}

/// An open connection; its place among the host's and the scan's connections is free again when it is dropped.
pub struct Connection {
    stream: BoxStream,
    /// The endpoint.
    pub peer: SocketAddr,
    /// How long the TCP connect took.
    pub connected_in: Duration,
    /// What the TLS handshake revealed, and how long it took; absent on plain TCP.
    pub tls: Option<(TlsInfo, Duration)>,
    permits: (Permit, Permit),
    /// What the device said before it was asked.
    early: Vec<u8>,
    kept: bool,
    heard: Option<Arc<Heard>>,
    tap: Taps,
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

    async fn shake<F>(mut self, limit: Duration, hands: impl FnOnce(BoxStream) -> F) -> Result<Connection, NetError>
    where
        F: Future<Output = Result<(BoxStream, TlsInfo), Cause>>,
    {
        let (peer, connected_in, kept, heard) = (self.peer, self.connected_in, self.kept, self.heard.clone());
        // What is said from now on is noted within the protection, not around it.
        let tap = std::mem::take(&mut self.tap);
        let (stream, permits): (BoxStream, _) = match self.early.is_empty() {
            true => (self.stream, self.permits),
            // It spoke first, as no TLS server does; what it said belongs to the handshake all the same.
            false => (Box::new(self), (None, None)),
        };
        let started = Instant::now();
        let outcome = timeout_at(started + limit, hands(stream)).await;
        if let (Some(heard), Ok(outcome)) = (&heard, &outcome) {
            heard.any.fetch_or(!matches!(outcome, Err(Cause::Tls { is_cut: true, .. })), Ordering::Relaxed);
        }
        if let Some(tap) = &tap.0 {
            tap.shook_hands(outcome.as_ref().ok().and_then(|o| o.as_ref().ok()).map(|(_, info)| info));
        }
        match outcome {
            Err(_) => Err(NetError::timeout(peer, ConnectionStage::Tls)),
            Ok(Err(cause)) => Err(NetError::new(peer, ConnectionStage::Tls, cause)),
            Ok(Ok((stream, info))) => {
                let tls = Some((info, started.elapsed()));
                Ok(Connection { connected_in, tls, permits, kept, heard, tap, ..Connection::from_stream(stream, peer) })
            }
        }
    }

    /// The same connection, which holds its places among others and was open after so long.
    pub(super) fn holding(self, permits: (Permit, Permit), connected_in: Duration) -> Self {
        Connection { permits, connected_in, ..self }
    }

    /// The same connection, kept for whoever wants it next.
    pub(super) fn kept(self) -> Self {
        Connection { kept: true, ..self }
    }

    /// The same connection, which notes in `heard` what the device says.
    pub fn noting(self, heard: Arc<Heard>) -> Self {
        Connection { heard: Some(heard), ..self }
    }

    /// The same connection, whose bytes are noted where somebody records.
    pub(super) fn tapped(self, tap: Option<Tap>) -> Self {
        Connection { tap: Taps(tap), ..self }
    }

    /// Whether it was open before it was wanted ([`Dialer::keep`](super::Dialer::keep)): the device may be about to close it for want of a word.
    pub fn was_kept(&self) -> bool {
        self.kept
    }

    /// What the device said first on this port ([`Heard::first`]); empty where that is not noted.
    pub fn first_heard(&self) -> &[u8] {
        self.heard.as_ref().map_or(&[], |heard| heard.first())
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
            tap: Taps::default(),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let length = self.early.len().min(buf.remaining());
            let early = self.early.drain(..length).collect::<Vec<u8>>();
            buf.put_slice(&early);
            self.tap.note(Side::Device, &early);
            if let Some(heard) = &self.heard {
                heard.note(&early);
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(heard) = &self.heard
            && let Some(new) = buf.filled().get(before..).filter(|new| !new.is_empty())
        {
            heard.note(new);
        }
        self.tap.was_read(&read, buf.filled().get(before..).unwrap_or_default());
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(length)) = &written {
            self.tap.note(Side::Scanner, buf.get(..*length).unwrap_or_default());
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A connection's tap, if it has one. Dropped with the connection, it notes who ended that.
#[derive(Default)]
struct Taps(Option<Tap>);

impl Taps {
    fn note(&self, from: Side, bytes: &[u8]) {
        if let Some(tap) = &self.0 {
            tap.note(from, bytes);
        }
    }

    /// Notes what a read brought: bytes, or the device's end of the connection.
    fn was_read(&self, read: &Poll<io::Result<()>>, bytes: &[u8]) {
        let Some(tap) = &self.0 else { return };
        match read {
            Poll::Ready(Ok(())) if !bytes.is_empty() => tap.note(Side::Device, bytes),
            Poll::Ready(_) => tap.closed(Side::Device),
            Poll::Pending => {}
        }
    }
}

impl Drop for Taps {
    fn drop(&mut self) {
        if let Some(tap) = &self.0 {
            tap.closed(Side::Scanner);
        }
    }
}
