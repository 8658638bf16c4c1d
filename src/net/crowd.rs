//! Room in the kernel's table of neighbours. It holds 1,024 rows on most systems, for all that runs there together, and a
//! row is kept for up to 45 s after it was last confirmed. For a neighbour without a row nothing is sent: a connect times
//! out without a word. So every neighbour is given its row before it is asked anything. Where the table is full, those are
//! forgotten that the scan is done with; where that takes a right it does not have, it waits.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use ipnetwork::IpNetwork;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::error::is_exhaustion;
use super::{Interface, Net};

/// How often a full table is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// … and so soon when neighbours were forgotten.
const FORGOTTEN_IN: Duration = Duration::from_millis(5);
/// A table that has had no room for so long is full of others' rows, and will be.
const STUCK: Duration = Duration::from_secs(60);

/// The neighbours of this machine, and whether the kernel has room for them.
pub struct Crowd {
    net: Arc<dyn Net>,
    links: OnceLock<Vec<IpNetwork>>,
    /// Who waits for room waits in line: each look at a full table makes the kernel search it.
    line: Mutex<()>,
    /// Whom the scan is done with.
    left: std::sync::Mutex<HashSet<IpAddr>>,
    was_full: AtomicBool,
    is_stuck: AtomicBool,
}

impl Crowd {
    /// Nobody is a neighbour until [`Crowd::know_links`].
    pub fn new(net: Arc<dyn Net>) -> Self {
        Crowd {
            net,
            links: OnceLock::new(),
            line: Mutex::default(),
            left: std::sync::Mutex::default(),
            was_full: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
        }
    }

    /// Takes the networks on these interfaces for those whose hosts are neighbours. Once; later calls change nothing.
    pub fn know_links(&self, interfaces: &[Interface]) {
        let with_neighbours = interfaces.iter().filter(|i| !i.loopback && !i.point_to_point);
        let _ = self.links.set(with_neighbours.flat_map(|i| i.addresses.iter().copied()).collect());
    }

    /// Waits until the kernel has a row for the host, if it is a neighbour. The row is kept for 15 s at least, and for
    /// longer while the host is spoken to.
    pub async fn meet(&self, ip: IpAddr) {
        self.left().remove(&ip);
        if self.has_room(ip) {
            return;
        }
        let _first = self.line.lock().await;
        let began = Instant::now();
        while !self.has_room(ip) {
            if began.elapsed() > STUCK {
                self.is_stuck.store(true, Ordering::Relaxed);
            }
            sleep(if self.forget_some().await { FORGOTTEN_IN } else { LOOK_EVERY }).await;
        }
    }

    /// The scan has nothing more to say to the host: its row may go.
    pub fn leave(&self, ip: IpAddr) {
        if self.is_neighbour(ip) {
            self.left().insert(ip);
        }
    }

    /// Has the kernel forget those the scan is done with and that it would keep for long; whether there were any. What
    /// is merely remembered makes room by itself, and what the operator has set stays.
    async fn forget_some(&self) -> bool {
        let rows = self.net.neighbours().await.unwrap_or_default();
        let left = self.left().clone();
        let rows = rows.iter().filter(|row| row.confirmed && left.contains(&row.ip));
        rows.filter(|row| self.net.forget(row).is_ok()).count() > 0
    }

    fn left(&self) -> std::sync::MutexGuard<'_, HashSet<IpAddr>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same without waiting: false when there is no room now.
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

    /// Whether the table has had no room for so long that it is no longer waited for.
    pub fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed)
    }

    fn is_neighbour(&self, ip: IpAddr) -> bool {
        self.links.get().is_some_and(|links| links.iter().any(|net| net.contains(ip) && net.ip() != ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MacAddr;
    use crate::net::fake_lan::FakeLan;

    const HOSTS: u8 = 20;

    /// A crowd on 192.0.2.0/24 of which all are there, and a table of so many rows.
    fn crowd(room: usize) -> Crowd {
        let lan = FakeLan { proxy: Some(MacAddr([2, 0, 0, 0, 0, 9])), room, ..FakeLan::default() };
        let crowd = Crowd::new(Arc::new(Arc::new(lan)));
        crowd.know_links(&[Interface {
            name: "eth0".to_owned(),
            index: 2,
            mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            addresses: vec!["192.0.2.1/24".parse().unwrap()],
            loopback: false,
            point_to_point: false,
        }]);
        crowd
    }

    fn host(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, 10 + n])
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_waits_until_another_is_forgotten() {
        let crowd = crowd(usize::from(HOSTS) / 2);
        let start = Instant::now();
        for n in 0..HOSTS / 2 {
            crowd.meet(host(n)).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        crowd.meet(host(0)).await;
        assert_eq!(start.elapsed(), Duration::ZERO, "whoever has a row needs no other");
        assert!(!crowd.has_room(host(HOSTS)));
        futures::future::join_all((HOSTS / 2..HOSTS).map(|n| crowd.meet(host(n)))).await;
        assert!(start.elapsed() > Duration::from_secs(1) && !crowd.is_stuck(), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_left_makes_room_at_once() {
        let crowd = crowd(usize::from(HOSTS) / 2);
        let start = Instant::now();
        for n in 0..HOSTS {
            crowd.meet(host(n)).await;
            crowd.leave(host(n));
        }
        assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
        // Who is met again has not been left.
        for n in HOSTS..2 * HOSTS {
            crowd.meet(host(n)).await;
            crowd.leave(host(n));
            crowd.meet(host(n)).await;
        }
        assert!(start.elapsed() > Duration::from_secs(1), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_no_neighbour_needs_no_row() {
        let crowd = crowd(1);
        crowd.meet(host(0)).await;
        assert!(!crowd.has_room(host(1)));
        for ip in ["198.51.100.1", "2001:db8::1", "127.0.0.1"] {
            assert!(crowd.has_room(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_never_has_room_does_not_stop_the_scan() {
        let crowd = Arc::new(crowd(1));
        let other = crowd.clone();
        let talk = tokio::spawn(async move {
            loop {
                other.meet(host(0)).await;
                sleep(Duration::from_secs(1)).await;
            }
        });
        sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        crowd.meet(host(1)).await;
        talk.abort();
        assert!(start.elapsed() > STUCK && start.elapsed() < STUCK + STUCK / 10, "{:?}", start.elapsed());
        assert!(crowd.is_stuck() && crowd.has_room(host(2)));
    }
}
