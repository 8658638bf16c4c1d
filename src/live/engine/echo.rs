//! What a viewer asked for again is sent a second time a moment later.
//!
//! A packet that is sent again is lost as often as any other, and whoever waits for it may not ask once more: aiortc asks only
//! when it notices another gap, and for nothing that is more than 128 packets old, and then stands still until its buffer of 512
//! packets is full. The second time it is the very same datagram, as if the network had made two of it: who has it already drops
//! it (RFC 3711 §3.3.2), so that nobody needs to know of this.
//!
//! Where much is lost the way is full rather than bad, and more of the same would not help: no more is repeated than a share of
//! what is sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::media::Pt;

/// How much later: what is lost together is lost within a few milliseconds.
const LATER: Duration = Duration::from_millis(20);
/// Repeated packets for each that is sent, and the most that can be saved up: a large key frame that was lost as a whole.
const SHARE: f64 = 0.1;
const MOST_CREDIT: f64 = 128.0;

/// A datagram that will be repeated.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    pub source: SocketAddr,
    pub to: SocketAddr,
    pub contents: Vec<u8>,
}

/// What one viewer is sent a second time.
#[derive(Debug, Default)]
pub(super) struct Echo {
    /// The payload type of what is sent again.
    number: Option<Pt>,
    credit: f64,
    waiting: VecDeque<(Instant, Repeat)>,
}

impl Echo {
    /// What is sent again has this payload type from now on.
    pub fn begin(&mut self, number: Option<Pt>) {
        (self.number, self.credit) = (number, MOST_CREDIT);
    }

    /// So many packets are sent for the first time.
    pub fn earn(&mut self, packets: usize) {
        self.credit = (self.credit + packets as f64 * SHARE).min(MOST_CREDIT);
    }

    /// Looks at a datagram that leaves.
    pub fn note(&mut self, source: SocketAddr, to: SocketAddr, contents: &[u8], now: Instant) {
        if self.credit >= 1.0 && self.number.is_some_and(|number| is_of(contents, number)) {
            self.credit -= 1.0;
            self.waiting.push_back((now + LATER, Repeat { source, to, contents: contents.to_vec() }));
        }
    }

    /// The next that is to be sent by now.
    pub fn next(&mut self, now: Instant) -> Option<Repeat> {
        self.due().filter(|at| *at <= now)?;
        self.waiting.pop_front().map(|(_, repeat)| repeat)
    }

    /// When there is one.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|(at, _)| *at)
    }
}

/// Whether a datagram is RTP of that payload type (RFC 3550 §5.1, RFC 7983 §7). Those of RTCP are none of a media's (RFC 5761 §4).
fn is_of(contents: &[u8], number: Pt) -> bool {
    matches!(contents, [128..=191, second, ..] if second & 0x7f == *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESENDS: u8 = 109;

    fn echo() -> Echo {
        let mut echo = Echo::default();
        echo.begin(Some(RESENDS.into()));
        echo
    }

    fn note(echo: &mut Echo, contents: &[u8], now: Instant) {
        echo.note("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap(), contents, now);
    }

    fn repeated(echo: &mut Echo, now: Instant) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| echo.next(now)).map(|repeat| repeat.contents).collect()
    }

    #[test]
    fn what_is_sent_again_is_sent_twice_and_nothing_else_is() {
        let (mut echo, now) = (echo(), Instant::now());
        // With the mark and without it; a picture, a report, a check, a handshake.
        let again = [vec![0x90, 0x80 | RESENDS, 1], vec![0x80, RESENDS, 2]];
        for contents in
            again.iter().cloned().chain([vec![0x90, 108], vec![0x80, 200], vec![0, RESENDS], vec![22], vec![]])
        {
            note(&mut echo, &contents, now);
        }
        assert_eq!(echo.due(), Some(now + LATER));
        assert_eq!(repeated(&mut echo, now), [[0; 0]; 0]);
        assert_eq!(repeated(&mut echo, now + LATER), again);
        assert_eq!((repeated(&mut echo, now + LATER).len(), echo.due()), (0, None));
    }

    #[test]
    fn before_anything_is_agreed_on_nothing_is_repeated() {
        let (mut echo, now) = (Echo::default(), Instant::now());
        note(&mut echo, &[0x80, RESENDS], now);
        echo.begin(None);
        note(&mut echo, &[0x80, RESENDS], now);
        assert_eq!(echo.due(), None);
    }

    #[test]
    fn where_nearly_all_is_lost_little_is_repeated() {
        let (mut echo, mut now, mut count) = (echo(), Instant::now(), 0);
        for _ in 0..10_000 {
            now += Duration::from_millis(5);
            echo.earn(1);
            note(&mut echo, &[0x80, RESENDS], now);
            count += repeated(&mut echo, now).len();
            assert!(echo.waiting.len() <= 128);
        }
        assert!((1000..=1128).contains(&count), "{count}");
    }
}
