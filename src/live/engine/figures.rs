//! What the engine counts of itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// Laps of the loop that its lag is read from.
const LAPS: usize = 1024;

/// Counters that the engine writes and others read.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub datagrams_in: AtomicU64,
    pub datagrams_out: AtomicU64,
    pub sends: AtomicU64,
    pub unsent: AtomicU64,
    pub unroutable: AtomicU64,
    pub panics: AtomicU64,
    pub connected: AtomicU64,
    pub never_connected: AtomicU64,
    pub lost: AtomicU64,
    pub broken: AtomicU64,
    pub repeated: AtomicU64,
    pub viewers: AtomicU64,
    pub routes: AtomicU64,
    pub tcp_connections: AtomicU64,
    pub segments: AtomicU64,
    laps: Mutex<Laps>,
}

#[derive(Debug, Default)]
struct Laps {
    micros: Vec<u32>,
    next: usize,
}

/// What the engine of live view has done and holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EngineFigures {
    /// Datagrams and packets of viewers that came.
    pub datagrams_in: u64,
    /// Datagrams and packets sent.
    pub datagrams_out: u64,
    /// System calls that sent them over UDP.
    pub sends: u64,
    /// What could not be sent, and was dropped.
    pub unsent: u64,
    /// What came for no viewer, and was dropped without an answer.
    pub unroutable: u64,
    /// Viewers that were dropped because of an internal error.
    pub panics: u64,
    /// Viewers that connected.
    pub connected: u64,
    /// Viewers that asked and never connected.
    pub never_connected: u64,
    /// Viewers that fell silent.
    pub lost: u64,
    /// Viewers whose encryption could not be agreed on or broke, as with one who has an RSA certificate.
    pub broken: u64,
    /// Datagrams that were asked for again and were sent twice.
    pub repeated: u64,
    /// Viewers there are, half open ones among them.
    pub viewers: u64,
    /// Entries in the tables of addresses and names: none without viewers.
    pub routes: u64,
    /// Connections over TCP there are.
    pub tcp_connections: u64,
    /// Datagrams that one system call sends at most; 1 where the kernel does not cut them up.
    pub segments: u64,
    /// In microseconds: of a hundred laps of the loop, 99 begin no later after they are due.
    pub lag_p99_us: u32,
}

impl Figures {
    /// How long after it was due a lap began.
    pub fn lap(&self, late: Duration) {
        let micros = u32::try_from(late.as_micros()).unwrap_or(u32::MAX);
        let mut laps = self.laps.lock().unwrap_or_else(PoisonError::into_inner);
        let at = laps.next;
        match laps.micros.get_mut(at) {
            Some(old) => *old = micros,
            None => laps.micros.push(micros),
        }
        laps.next = (at + 1) % LAPS;
    }

    pub fn read(&self) -> EngineFigures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut laps = self.laps.lock().unwrap_or_else(PoisonError::into_inner).micros.clone();
        laps.sort_unstable();
        EngineFigures {
            datagrams_in: of(&self.datagrams_in),
            datagrams_out: of(&self.datagrams_out),
            sends: of(&self.sends),
            unsent: of(&self.unsent),
            unroutable: of(&self.unroutable),
            panics: of(&self.panics),
            connected: of(&self.connected),
            never_connected: of(&self.never_connected),
            lost: of(&self.lost),
            broken: of(&self.broken),
            repeated: of(&self.repeated),
            viewers: of(&self.viewers),
            routes: of(&self.routes),
            tcp_connections: of(&self.tcp_connections),
            segments: of(&self.segments),
            lag_p99_us: laps.get(laps.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default(),
        }
    }
}

/// Counts one.
pub(super) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// Counts several.
pub(super) fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

/// Sets a number that goes up and down.
pub(super) fn set(gauge: &AtomicU64, number: usize) {
    gauge.store(number as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_that_of_the_last_laps() {
        let figures = Figures::default();
        assert_eq!(figures.read().lag_p99_us, 0);
        for lap in 0..3 * LAPS as u64 {
            figures.lap(Duration::from_micros(lap));
        }
        assert_eq!(figures.read().lag_p99_us, 2 * LAPS as u32 + (LAPS as u32 - 1) * 99 / 100);
    }
}
