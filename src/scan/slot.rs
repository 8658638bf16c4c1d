//! An inspection's slot among those under way. An inspection that only waits for a host to answer holds none.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::net::Dialer;

/// A slot among the hosts under inspection, taken or not.
pub struct Slot {
    ip: IpAddr,
    slots: Arc<Semaphore>,
    /// Knows whether the kernel has room for the host among its neighbours; none when nothing will be asked of it.
    neighbours: Option<Arc<Dialer>>,
    all_found: CancellationToken,
    taken: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// Not taken yet. `all_found` is cancelled when no more hosts are looked for.
    pub fn new(
        ip: IpAddr,
        slots: Arc<Semaphore>,
        neighbours: Option<Arc<Dialer>>,
        all_found: CancellationToken,
    ) -> Self {
        Slot { ip, slots, neighbours, all_found, taken: None }
    }

    /// Waits for a slot, and until the kernel can send to the host. No slot is held while that is waited for: hosts behind
    /// routers need no row. False when the scan is over.
    pub async fn take(&mut self) -> bool {
        while self.taken.is_none() {
            // Closed only when the scan is over.
            let Ok(slot) = self.slots.clone().acquire_owned().await else { return false };
            match &self.neighbours {
                Some(dialer) if !dialer.neighbour_table().has_room(self.ip) => {
                    drop(slot);
                    dialer.neighbour_table().reserve_row(self.ip).await;
                }
                _ => self.taken = Some(slot),
            }
        }
        true
    }

    /// Gives the slot to another inspection for the time being.
    pub fn release(&mut self) {
        self.taken = None;
        if let Some(dialer) = &self.neighbours {
            dialer.neighbour_table().release(self.ip);
        }
    }

    /// Whether hosts are still being looked for, so that the scan goes on whatever becomes of this host.
    pub fn is_early(&self) -> bool {
        !self.all_found.is_cancelled()
    }

    /// Waits until no more hosts are looked for.
    pub async fn all_found(&self) {
        self.all_found.cancelled().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.release();
    }
}
