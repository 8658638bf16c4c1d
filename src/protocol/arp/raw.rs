//! ARP by our own frames: the whole segment is asked within a second or so. Needs CAP_NET_RAW.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use super::claims::Claims;
use super::wire::{self, Claim, FRAME_LEN};
use crate::model::MacAddr;
use crate::net::Link;
use crate::net::throttle::Throttle;
use crate::probe::DiscoveryContext;
use crate::probe::sweep::{Permutation, Segment};

/// Frames handed to the kernel at once.
const BATCH: usize = 64;
/// A round begins no sooner than this after the one before. Who sleeps between two beacons of a wireless network wakes
/// every 100 to 300 ms, and so has answered a small network's first question by the end of the last round.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(200);
/// The last answers of a round are on their way for so long.
const ON_THE_WAY: Duration = Duration::from_millis(20);
/// Answers are awaited for so long after the last question, and after the last new answer …
const LAST_ANSWER: Duration = Duration::from_millis(150);
/// … but for no longer than this, however they trickle in.
const LAST_ANSWERS_AT_MOST: Duration = Duration::from_secs(2);
/// How often the silent are asked; a large network, whose rounds take longer, once less.
const ROUNDS: u32 = 3;
/// So many addresses make a network large.
const LARGE: u64 = 4096;
/// Rounds in all, where each finds hosts that the ones before had missed.
const MOST_ROUNDS: u32 = 5;
/// More addresses than a /22 has: who was missed there once is looked for until a slower round finds nobody new.
const WIDE: u64 = 1024;
/// Frames a second at most from the first loss on.
const SLOW: f64 = 5_000.0;

/// Asks every address of the segment and emits each host the moment it answers; the claims as they stand at the end.
///
/// # Errors
/// When the interface can no longer send or receive.
pub async fn sweep(context: &DiscoveryContext, segment: &Segment, link: &dyn Link) -> io::Result<Claims> {
    // Unbounded, since receiving must not wait for emitting; it holds one entry an address at most.
    let (new, mut to_emit) = unbounded_channel();
    let heard = Mutex::new(Received { claims: Claims::new(segment.addresses.len()), last_new: Instant::now(), new });
    let asking = async {
        let sweep = Sweep { context, segment, link, heard, all_there: Notify::new() };
        let outcome = tokio::select! {
            () = context.cancel.cancelled() => Ok(()),
            outcome = sweep.receive() => outcome,
            outcome = sweep.ask() => outcome,
        };
        outcome.map(|()| sweep.heard.into_inner().unwrap_or_else(PoisonError::into_inner).claims)
    };
    let emitting = async {
        while let Some(claim) = to_emit.recv().await {
            super::emit(context, claim).await;
        }
    };
    tokio::join!(asking, emitting).0
}

struct Sweep<'a> {
    context: &'a DiscoveryContext,
    segment: &'a Segment,
    link: &'a dyn Link,
    heard: Mutex<Received>,
    /// Tells when every address is a host: nothing more can be found.
    all_there: Notify,
}

struct Received {
    claims: Claims,
    last_new: Instant,
    new: UnboundedSender<Claim>,
}

impl Received {
    fn emit(&mut self, claim: Claim) {
        self.last_new = Instant::now();
        // The receiver outlives the sweep.
        let _ = self.new.send(claim);
    }
}

impl Sweep<'_> {
    /// Hears until the link fails.
    async fn receive(&self) -> io::Result<()> {
        loop {
            self.link.receive(&mut |frame| self.receive_frame(frame)).await?;
        }
    }

    fn receive_frame(&self, frame: &[u8]) {
        let Some(claim) = wire::parse(frame) else { return };
        if self.segment.addresses.contains(claim.ip) && Some(claim.mac) != self.segment.interface.mac {
            let mut heard = self.heard();
            if let Some(new) = heard.claims.receive(claim) {
                heard.emit(new);
                if self.has_all(heard.claims.believed()) {
                    self.all_there.notify_one();
                }
            }
        }
    }

    fn has_all(&self, believed: usize) -> bool {
        believed as u64 >= self.segment.addresses.len()
    }

    /// Lets answers come in until then; true, and at once, when every address has answered.
    async fn rest(&self, until: Instant) -> bool {
        timeout_at(until, self.all_there.notified()).await.is_ok()
    }

    /// Asks in rounds, and waits for the last answers. Ends when there is nobody left to hear of.
    async fn ask(&self) -> io::Result<()> {
        let mut throttle = Throttle::new(self.context.dialer.pace().limit());
        let order = Permutation::new(self.segment.addresses.len());
        let rounds = if self.segment.addresses.len() > LARGE { ROUNDS - 1 } else { ROUNDS };
        for round in 1..=MOST_ROUNDS {
            let (before, began) = (self.heard().claims.believed(), Instant::now());
            self.ask_the_silent(&order, &mut throttle, round == 1).await?;
            if round < rounds {
                self.rest((began + BETWEEN_ROUNDS).max(Instant::now() + ON_THE_WAY)).await;
            } else {
                self.await_last_answers().await;
            }
            let believed = self.settle();
            if self.has_all(believed) {
                break;
            }
            let found = believed.saturating_sub(before);
            // Who had been missed was asked too fast, or answered to too many at once. In a small network a few may as
            // well have been asleep, and are asked often enough.
            let is_wide = self.segment.addresses.len() > WIDE;
            let is_lossy = round > 1 && found > 0 && (is_wide || found * 100 > believed);
            if is_lossy {
                throttle.slow_down(SLOW);
            } else if round >= rounds {
                break;
            }
        }
        Ok(())
    }

    async fn await_last_answers(&self) {
        let latest = Instant::now() + LAST_ANSWERS_AT_MOST;
        let mut until = Instant::now() + LAST_ANSWER;
        while Instant::now() < until && !self.rest(until).await {
            until = (self.heard().last_new + LAST_ANSWER).min(latest);
        }
    }

    /// Says those who claimed a second address and have not claimed too many since; how many hosts there are now.
    fn settle(&self) -> usize {
        let mut heard = self.heard();
        for claim in heard.claims.settle() {
            heard.emit(claim);
        }
        heard.claims.believed()
    }

    async fn ask_the_silent(&self, order: &Permutation, throttle: &mut Throttle, counts: bool) -> io::Result<()> {
        let mac = self.segment.interface.mac.unwrap_or(MacAddr([0; 6]));
        let mut places = order.clone();
        let mut frames: Vec<[u8; FRAME_LEN]> = Vec::with_capacity(BATCH);
        loop {
            let mut taken = 0;
            while frames.len() < BATCH {
                let Some(ip) = places.next().and_then(|place| self.segment.addresses.nth(place)) else { break };
                taken += 1;
                if !self.is_believed(ip) {
                    frames.push(wire::request(mac, self.segment.source, ip));
                }
            }
            if counts && !self.segment.again {
                self.context.swept.fetch_add(taken, Relaxed);
            }
            if frames.is_empty() {
                return Ok(());
            }
            throttle.send(self.link, self.context.dialer.pace(), &mut frames).await?;
        }
    }

    fn is_believed(&self, ip: Ipv4Addr) -> bool {
        self.heard().claims.is_believed(ip)
    }

    fn heard(&self) -> MutexGuard<'_, Received> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
