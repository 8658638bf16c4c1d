//! Open connections that nobody has spoken on yet, kept for whoever speaks to the port first. A port is known to be open
//! by a connection; closing it and opening another costs a round trip, and a device with room for one client may still see
//! the first when the second comes.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::connection::Connection;

/// A connection nobody wants is closed after so long: a server of one thread may be waiting for a word on it while it is
/// asked on another port.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// The connections kept, and who waits for a place to open another. What is kept holds its place only until somebody
/// wants it.
#[derive(Default)]
pub(super) struct Kept {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    connections: HashMap<SocketAddr, (u64, Connection)>,
    number: u64,
    /// How many wait for a place among the connections to a host; under no address, among all.
    waiting: HashMap<Option<IpAddr>, usize>,
}

impl Kept {
    /// Keeps a connection, unless somebody waits for its place.
    pub(super) fn keep(&self, connection: Connection) {
        let peer = connection.peer;
        let number = {
            let mut inner = lock(&self.inner);
            if inner.waiting.contains_key(&None) || inner.waiting.contains_key(&Some(peer.ip())) {
                return;
            }
            inner.number = inner.number.wrapping_add(1);
            let number = inner.number;
            inner.connections.insert(peer, (number, connection));
            number
        };
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            sleep(KEPT_FOR).await;
            if let Some(inner) = inner.upgrade() {
                let mut inner = lock(&inner);
                if inner.connections.get(&peer).is_some_and(|(kept, _)| *kept == number) {
                    inner.connections.remove(&peer);
                }
            }
        });
    }

    /// The connection kept to an endpoint, if the device has not closed it meanwhile.
    pub(super) fn take(&self, to: SocketAddr) -> Option<Connection> {
        let (_, mut connection) = lock(&self.inner).connections.remove(&to)?;
        connection.is_open().then_some(connection)
    }

    /// Closes what is kept of a host.
    pub(super) fn close(&self, ip: IpAddr) {
        lock(&self.inner).connections.retain(|peer, _| peer.ip() != ip);
    }

    /// From now until the guard is dropped somebody waits for a place: what was kept last in its way is closed, for it
    /// would have been wanted last, and nothing more is kept.
    pub(super) fn make_way(&self, of: Option<IpAddr>) -> Waiting {
        let mut inner = lock(&self.inner);
        *inner.waiting.entry(of).or_default() += 1;
        let in_the_way = inner.connections.iter().filter(|(peer, _)| of.is_none_or(|ip| peer.ip() == ip));
        let last = in_the_way.max_by_key(|(_, (number, _))| *number).map(|(peer, _)| *peer);
        drop(last.and_then(|peer| inner.connections.remove(&peer)));
        Waiting { inner: self.inner.clone(), of }
    }
}

/// Somebody waits for a place.
pub(super) struct Waiting {
    inner: Arc<Mutex<Inner>>,
    of: Option<IpAddr>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = lock(&self.inner);
        if let Some(count) = inner.waiting.get_mut(&self.of) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inner.waiting.remove(&self.of);
            }
        }
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::net::Dialer;
    use crate::net::pace::Pace;
    use crate::testkit::net::FakeNet;

    const LIMIT: Duration = Duration::from_secs(1);

    fn at(port: u16) -> SocketAddr {
        SocketAddr::new([192, 0, 2, 10].into(), port)
    }

    /// A dialer of `per_host` connections, and a network where each port says its number of connections when it is asked.
    fn dialer(all: usize, per_host: usize) -> (Dialer, FakeNet) {
        let net = FakeNet::new();
        for port in 1..=4 {
            net.serve(&format!("192.0.2.10:{port}"), |number, mut stream| async move {
                let mut word = [0; 1];
                while matches!(stream.read(&mut word).await, Ok(1..)) {
                    let _ = stream.write_all(&[b'0' + number as u8]).await;
                }
            });
        }
        (Dialer::new(Arc::new(net.clone()), Arc::new(Pace::new(None)), all, per_host), net)
    }

    #[tokio::test(start_paused = true)]
    async fn who_speaks_first_gets_the_connection_that_is_open_already() {
        let (dialer, net) = dialer(8, 4);
        dialer.keep(dialer.tcp(at(1), LIMIT).await.unwrap());
        let mut kept = dialer.take_kept(at(1)).unwrap();
        kept.write_all(b"?").await.unwrap();
        assert_eq!(kept.read_u8().await.unwrap(), b'0');
        assert!(kept.was_kept() && dialer.take_kept(at(1)).is_none());
        assert_eq!(net.connections("192.0.2.10:1"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_server_says_unasked_is_not_lost_and_what_it_closed_is_not_given() {
        let (dialer, net) = dialer(8, 4);
        net.serve("192.0.2.10:5", |number, mut stream| async move {
            if number == 0 {
                let _ = stream.write_all(b"hello, I speak first").await;
                std::future::pending::<()>().await;
            }
        });
        for expected in [Some("hello, I speak first"), None] {
            dialer.keep(dialer.tcp(at(5), LIMIT).await.unwrap());
            tokio::task::yield_now().await;
            let heard = match dialer.take_kept(at(5)) {
                Some(mut kept) => {
                    let mut text = [0; 20];
                    kept.read_exact(&mut text).await.unwrap();
                    Some(String::from_utf8_lossy(&text).into_owned())
                }
                None => None,
            };
            assert_eq!(heard.as_deref(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_the_place_of_a_connection_that_nobody_uses() {
        for (all, per_host) in [(8, 1), (1, 4)] {
            let (dialer, _net) = dialer(all, per_host);
            dialer.keep(dialer.tcp(at(1), LIMIT).await.unwrap());
            let start = Instant::now();
            let second = dialer.tcp(at(2), LIMIT).await.unwrap();
            assert_eq!(start.elapsed(), Duration::ZERO);
            assert!(dialer.take_kept(at(1)).is_none());
            // While somebody waits, nothing more is kept.
            let third = dialer.tcp(at(3), LIMIT);
            tokio::pin!(third);
            assert!(timeout(Duration::from_millis(10), &mut third).await.is_err());
            dialer.keep(second);
            assert_eq!(third.await.unwrap().peer, at(3));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_for_long() {
        let (dialer, net) = dialer(8, 4);
        dialer.keep(dialer.tcp(at(1), LIMIT).await.unwrap());
        sleep(KEPT_FOR / 2).await;
        // Another connection to the same port has a time of its own.
        dialer.keep(dialer.tcp(at(1), LIMIT).await.unwrap());
        sleep(KEPT_FOR * 3 / 4).await;
        assert!(dialer.take_kept(at(1)).is_some());
        dialer.keep(dialer.tcp(at(2), LIMIT).await.unwrap());
        dialer.keep(dialer.tcp(at(3), LIMIT).await.unwrap());
        dialer.close_kept([192, 0, 2, 10].into());
        assert!(dialer.take_kept(at(2)).is_none());
        dialer.keep(dialer.tcp(at(4), LIMIT).await.unwrap());
        sleep(KEPT_FOR + Duration::from_millis(1)).await;
        assert!(dialer.take_kept(at(4)).is_none());
        assert_eq!(net.connections("192.0.2.10:1"), 2);
    }
}
