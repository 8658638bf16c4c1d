//! How much of everything there may be, and who has it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};

use super::auth::AddressBlock;

/// How much of everything there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time for a request's head to be complete, and for a TLS handshake.
    pub head_time: Duration,
    /// A connection on which nothing is asked is closed after this.
    pub idle_time: Duration,
    /// Time for a request's body to be complete.
    pub body_time: Duration,
    /// An answer that is not taken for so long ends the connection.
    pub write_time: Duration,
    /// Time for what is under way when the program ends.
    pub drain_time: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of the body of somebody who has not logged in.
    pub stranger_body_bytes: usize,
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address (IPv6: of one /64). Behind a trusted proxy: requests under way of one client.
    pub per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            body_time: Duration::from_secs(30),
            write_time: Duration::from_secs(60),
            drain_time: Duration::from_secs(10),
            head_bytes: 16 << 10,
            body_bytes: 1 << 20,
            stranger_body_bytes: 16 << 10,
            connections: 1024,
            per_address: 64,
        }
    }
}

/// Places that are taken, in all and by address. Clones are the same ones.
#[derive(Debug, Clone)]
pub struct Slots {
    taken: Arc<Mutex<Taken>>,
    most: usize,
    per_address: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_block: HashMap<AddressBlock, usize>,
}

impl Slots {
    /// So many in all, and of one address.
    pub fn new(most: usize, per_address: usize) -> Slots {
        Slots { taken: Arc::default(), most, per_address }
    }

    /// Takes a place, which is given back when it is dropped. None where there are too many. Whoever has no address is limited
    /// by the number of all.
    pub fn take(&self, address: Option<IpAddr>) -> Option<Slot> {
        let block = address.map(AddressBlock::of);
        let mut taken = self.taken();
        let of_block = block.map_or(0, |block| taken.by_block.get(&block).copied().unwrap_or(0));
        if taken.all >= self.most || of_block >= self.per_address {
            return None;
        }
        taken.all += 1;
        if let Some(block) = block {
            *taken.by_block.entry(block).or_default() += 1;
        }
        Some(Slot { slots: self.clone(), block })
    }

    /// How many are taken.
    pub fn count(&self) -> usize {
        self.taken().all
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    block: Option<AddressBlock>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        taken.all = taken.all.saturating_sub(1);
        let Some(block) = self.block else { return };
        if let Some(count) = taken.by_block.get_mut(&block) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.by_block.remove(&block);
            }
        }
    }
}

/// An answer's body that holds something until it is sent.
pub struct Holding<T> {
    body: Body,
    _held: T,
}

impl<T: Unpin + Send + 'static> Holding<T> {
    /// This body, holding this.
    pub fn new(body: Body, held: T) -> Holding<T> {
        Holding { body, _held: held }
    }
}

impl<T: Unpin> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_address_and_given_back() {
        let slots = Slots::new(3, 2);
        let address = |text: &str| Some(text.parse().unwrap());
        let one = slots.take(address("192.0.2.1")).unwrap();
        let two = slots.take(address("::ffff:192.0.2.1")).unwrap();
        assert!(slots.take(address("192.0.2.1")).is_none());
        let other = slots.take(None).unwrap();
        assert!(slots.take(address("192.0.2.2")).is_none(), "there are three in all");
        drop(two);
        assert!(slots.take(address("192.0.2.1")).is_some());
        drop((one, other));
        assert_eq!((slots.count(), slots.taken().by_block.len()), (0, 0));
    }
}
