//! How many viewers there may be, and how long they are waited for.

use std::time::Duration;

/// Viewers at once, of all streams and in all modes.
pub const MOST_VIEWERS: usize = 512;
/// Of those the ones that have sent an offer and not connected yet.
pub const MOST_HALF_OPEN: usize = 64;
/// And those of one guest: two walls of 16 pictures that are opened at once.
pub const MOST_OF_ONE: usize = 32;
/// Viewers at once that are sent what was there before they came. Others wait some hundred milliseconds: a hundred pages
/// that are loaded anew at once would else ask for 200 MB.
pub(super) const MOST_BURSTS: usize = 8;
/// Datagrams that are read before time and frames have their turn.
pub(super) const MOST_READ: usize = 256;
/// Offers and farewells that wait to be looked at.
pub(super) const MOST_COMMANDS: usize = 64;
/// Packets of connections over TCP that wait to be looked at.
pub(super) const MOST_HAPPENED: usize = 256;

/// How long viewers are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Who has not connected by then is forgotten.
    pub half_open: Duration,
    /// A viewer checks the connection every few seconds (RFC 7675 §5.1) and reports every second: one that is silent for so
    /// long is gone.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { half_open: Duration::from_secs(15), silence: Duration::from_secs(20) }
    }
}
