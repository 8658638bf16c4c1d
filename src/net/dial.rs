//! Connections with a deadline, a pace and a bound per host and per scan.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::{Connection, Permit};
use super::error::is_exhaustion;
use super::kept::Kept;
use super::neighbour_table::NeighbourTable;
use super::pace::Pace;
use super::{Cause, ConnectionStage, Net, NetError};
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
            return Err(NetError::new(to, ConnectionStage::Connect, Cause::PrintsWhatIsSent));
        }
        let host = self.host_permits(to.ip());
        let permits = (self.place(host, Some(to.ip())).await, self.place(self.all.clone(), None).await);
        let mut pause = Duration::from_millis(20);
        loop {
            self.pace.turn(1).await;
            let started = Instant::now();
            match timeout_at(started + limit, self.net.connect(to)).await {
                Err(_) => return Err(NetError::timeout(to, ConnectionStage::Connect)),
                Ok(Ok(stream)) => {
                    let connection = Connection::from_stream(stream, to).holding(permits, started.elapsed());
                    return Ok(connection.tapped(self.net.tap(to)));
                }
                Ok(Err(error)) if is_exhaustion(&error) && pause < Duration::from_secs(2) => {
                    sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
                    pause *= 2;
                }
                Ok(Err(error)) => return Err(NetError::from_io(to, ConnectionStage::Connect, &error)),
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
        self.kept.keep(connection.kept());
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

async fn acquire(places: Arc<Semaphore>) -> Permit {
    // Fails only when the semaphore is closed, which nobody does.
    places.acquire_owned().await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorKind;
    use crate::testkit::net::FakeNet;

    #[tokio::test]
    async fn nothing_is_sent_to_where_printers_print() {
        let net = FakeNet::new();
        for port in 9099..=9108 {
            net.serve(&format!("192.0.2.10:{port}"), |_, _| async {});
        }
        let dialer = Dialer::new(Arc::new(net), Arc::new(Pace::new(None)), 8, 4);
        for port in 9099..=9108 {
            let to = SocketAddr::new([192, 0, 2, 10].into(), port);
            let outcome = dialer.tcp(to, Duration::from_secs(1)).await.map(|c| c.peer.port()).map_err(|e| e.kind());
            assert_eq!(outcome, if RAW_PRINT_PORTS.contains(&port) { Err(ErrorKind::Refused) } else { Ok(port) });
        }
    }
}
