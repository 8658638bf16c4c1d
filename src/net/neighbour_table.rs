//! The kernel's neighbour table. It holds 1,024 rows on most systems, shared by everything that runs there, and keeps a
//! row for up to 45 s after it was last confirmed. To a neighbour without a row nothing is sent: a connect just times out.
//! So every neighbour gets its row before the first packet to it. When the table is full, the rows of hosts whose
//! inspection has ended are deleted; without the right to do that, the scan waits for rows to expire.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use ipnetwork::IpNetwork;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::error::is_exhaustion;
use super::{Interface, Links};
use crate::model::MacAddr;

/// How often a full table is checked for room.
const CHECK_EVERY: Duration = Duration::from_millis(100);
/// The same after rows were deleted.
const CHECK_AFTER_DELETE: Duration = Duration::from_millis(5);
/// A neighbour that is there has answered the kernel after so long.
const HEARD_WITHIN: Duration = Duration::from_millis(500);
/// A table that has had no room for so long is full of other programs' rows, and will stay so.
const STUCK: Duration = Duration::from_secs(60);

/// Rows of the kernel's neighbour table for the hosts of a scan.
pub struct NeighbourTable {
    net: Arc<dyn Links>,
    networks: OnceLock<Vec<IpNetwork>>,
    /// One waits at a time: each attempt on a full table makes the kernel search it.
    queue: Mutex<()>,
    /// Hosts whose inspection has ended.
    released: std::sync::Mutex<HashSet<IpAddr>>,
    was_full: AtomicBool,
    is_stuck: AtomicBool,
}

impl NeighbourTable {
    /// No host is a neighbour until [`NeighbourTable::set_interfaces`].
    pub fn new(net: Arc<dyn Links>) -> Self {
        NeighbourTable {
            net,
            networks: OnceLock::new(),
            queue: Mutex::default(),
            released: std::sync::Mutex::default(),
            was_full: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
        }
    }

    /// Hosts on the networks of these interfaces are neighbours. Only the first call has an effect.
    pub fn set_interfaces(&self, interfaces: &[Interface]) {
        let with_neighbours = interfaces.iter().filter(|i| !i.loopback && !i.point_to_point);
        let _ = self.networks.set(with_neighbours.flat_map(|i| i.addresses.iter().copied()).collect());
    }

    /// Waits until the kernel has a row for the host, if it is a neighbour. The kernel keeps the row for 15 s at least, and
    /// for longer while packets are exchanged with the host.
    pub async fn reserve_row(&self, ip: IpAddr) {
        self.released().remove(&ip);
        if self.has_room(ip) {
            return;
        }
        let _first = self.queue.lock().await;
        let began = Instant::now();
        while !self.has_room(ip) {
            if began.elapsed() > STUCK {
                self.is_stuck.store(true, Ordering::Relaxed);
            }
            sleep(if self.delete_released().await { CHECK_AFTER_DELETE } else { CHECK_EVERY }).await;
        }
    }

    /// The inspection of the host has ended: its row may be deleted.
    pub fn release(&self, ip: IpAddr) {
        if self.is_neighbour(ip) {
            self.released().insert(ip);
        }
    }

    /// Asks for the confirmed rows of released hosts to be deleted; whether there were any. The kernel evicts
    /// unconfirmed rows by itself, and rows the operator has set stay.
    async fn delete_released(&self) -> bool {
        let rows = self.net.neighbours().await.unwrap_or_default();
        let released = self.released().clone();
        let rows = rows.iter().filter(|row| row.confirmed && released.contains(&row.ip));
        rows.filter(|row| self.net.forget(row).is_ok()).count() > 0
    }

    fn released(&self) -> std::sync::MutexGuard<'_, HashSet<IpAddr>> {
        self.released.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a row for the host without waiting; false when the table has no room now.
    pub fn has_room(&self, ip: IpAddr) -> bool {
        if self.is_stuck() || !self.is_neighbour(ip) {
            return true;
        }
        let is_full = matches!(self.net.nudge(&[ip]), Err(error) if is_exhaustion(&error));
        if is_full && !self.was_full.swap(true, Ordering::Relaxed) {
            tracing::info!("the kernel's neighbour table is full: the scan goes on as rows become free");
        }
        !is_full
    }

    /// The MAC address of a neighbour that has a row, as soon as the kernel has heard from it; none where that is not soon,
    /// or the table cannot be read.
    pub async fn mac_of(&self, ip: IpAddr) -> Option<MacAddr> {
        if self.is_neighbour(ip) { self.mac_in_row(ip).await } else { None }
    }

    /// The same of any address: for programs that last longer than the networks of [`NeighbourTable::set_interfaces`] stay as
    /// they are.
    pub async fn mac_in_row(&self, ip: IpAddr) -> Option<MacAddr> {
        let until = Instant::now() + HEARD_WITHIN;
        loop {
            let rows = self.net.neighbours().await.ok()?;
            if let Some(row) = rows.iter().find(|row| row.ip == ip) {
                return Some(row.mac);
            }
            if Instant::now() >= until {
                return None;
            }
            sleep(CHECK_EVERY).await;
        }
    }

    /// Whether the table had no room for so long that it is no longer waited for.
    pub fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed)
    }

    /// Whether the host is on the network of an interface.
    pub fn is_neighbour(&self, ip: IpAddr) -> bool {
        self.networks.get().is_some_and(|networks| networks.iter().any(|net| net.contains(ip) && net.ip() != ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::net::{FakeNet, Kernel, Lan, interface};

    const HOSTS: u8 = 20;

    /// A table of so many rows on 192.0.2.0/24, where every address answers.
    fn table(room: usize) -> NeighbourTable {
        let proxy = Some(MacAddr([2, 0, 0, 0, 0, 9]));
        let net = FakeNet::of_lan(Lan { proxy, kernel: Kernel::Rows(room), ..Lan::default() });
        let table = NeighbourTable::new(Arc::new(net));
        table.set_interfaces(&[interface("eth0", 2, &["192.0.2.1/24"])]);
        table
    }

    fn host(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, 10 + n])
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_without_room_waits_until_another_row_expires() {
        let table = table(usize::from(HOSTS) / 2);
        let start = Instant::now();
        for n in 0..HOSTS / 2 {
            table.reserve_row(host(n)).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        table.reserve_row(host(0)).await;
        assert_eq!(start.elapsed(), Duration::ZERO, "it has its row already");
        assert!(!table.has_room(host(HOSTS)));
        futures::future::join_all((HOSTS / 2..HOSTS).map(|n| table.reserve_row(host(n)))).await;
        assert!(start.elapsed() > Duration::from_secs(1) && !table.is_stuck(), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_host_makes_room_at_once() {
        let table = table(usize::from(HOSTS) / 2);
        let start = Instant::now();
        for n in 0..HOSTS {
            table.reserve_row(host(n)).await;
            table.release(host(n));
        }
        assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
        // A host whose row is reserved again is no longer released.
        for n in HOSTS..2 * HOSTS {
            table.reserve_row(host(n)).await;
            table.release(host(n));
            table.reserve_row(host(n)).await;
        }
        assert!(start.elapsed() > Duration::from_secs(1), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_behind_a_router_need_no_row() {
        let table = table(1);
        table.reserve_row(host(0)).await;
        assert!(!table.has_room(host(1)));
        for ip in ["198.51.100.1", "2001:db8::1", "127.0.0.1"] {
            assert!(table.has_room(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_never_has_room_does_not_stop_the_scan() {
        let table = Arc::new(table(1));
        let other = table.clone();
        let talk = tokio::spawn(async move {
            loop {
                other.reserve_row(host(0)).await;
                sleep(Duration::from_secs(1)).await;
            }
        });
        sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        table.reserve_row(host(1)).await;
        talk.abort();
        assert!(start.elapsed() > STUCK && start.elapsed() < STUCK + STUCK / 10, "{:?}", start.elapsed());
        assert!(table.is_stuck() && table.has_room(host(2)));
    }
}
