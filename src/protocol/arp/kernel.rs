//! ARP by the kernel: a datagram to each address makes it ask, and its neighbour table, which everybody may read, tells
//! who answered. Needs no privilege; slower, for the table holds 1,024 rows on most systems, silent addresses included.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::claims::Claims;
use super::wire::Claim;
use crate::probe::DiscoveryContext;
use crate::probe::sweep::{AddressList, Permutation, Segment};
use crate::protocol::tcp::discover as tcp;

/// Questions the kernel is made to have open at once at most.
const OPEN_AT_MOST: usize = 256;
/// … and at least, however often its table is full.
const OPEN_AT_LEAST: usize = 16;
/// The kernel asks three times, a second apart, before it gives an address up (neigh/default/mcast_solicit).
const GIVEN_UP: Duration = Duration::from_millis(3200);
/// At the sweep's end who has been asked twice is not waited for any longer.
const ASKED_TWICE: Duration = Duration::from_millis(1200);
/// How often the table is read.
const READ_EVERY: Duration = Duration::from_millis(100);
/// A remembered neighbour is asked again five seconds after it was sent something (delay_first_probe_time), three times.
const REMEMBERED: Duration = Duration::from_millis(8500);
/// The table is full of living neighbours, and none has been forgotten for so long: it will not take the others.
const STUCK: Duration = Duration::from_secs(60);

/// What a sweep leaves to others.
pub struct Outcome {
    /// The claims as they stand at the end.
    pub claims: Claims,
    /// Addresses the kernel's table had no room to ask for.
    pub unasked: Vec<Ipv4Addr>,
}

/// Makes the kernel ask for every address of the segment and says each host as it appears in the table.
///
/// # Errors
/// When the system has no neighbour table that we can read.
pub async fn sweep(context: &DiscoveryContext, segment: &Segment) -> io::Result<Outcome> {
    let mut sweep = Sweep {
        context,
        segment,
        claims: Claims::new(segment.addresses.len()),
        open: VecDeque::new(),
        most_open: OPEN_AT_MOST,
        remembered: HashSet::new(),
    };
    sweep.read_table().await?;
    let order = Permutation::new(segment.addresses.len());
    // A neighbour that the kernel merely remembers is asked again after five seconds; a connection shows it sooner.
    let remembered = AddressList::of(sweep.remembered.iter().copied());
    let asking = async { tokio::join!(sweep.ask(order), tcp::prove(context, &remembered)).0 };
    let unasked = tokio::select! {
        () = context.cancel.cancelled() => Vec::new(),
        unasked = asking => unasked?,
    };
    for claim in sweep.claims.settle() {
        super::emit(context, claim).await;
    }
    Ok(Outcome { claims: sweep.claims, unasked })
}

struct Sweep<'a> {
    context: &'a DiscoveryContext,
    segment: &'a Segment,
    claims: Claims,
    /// Asked for, oldest first.
    open: VecDeque<(Ipv4Addr, Instant)>,
    most_open: usize,
    /// In the table from earlier times: who has answered once need not be there now.
    remembered: HashSet<Ipv4Addr>,
}

impl Sweep<'_> {
    /// Asks for all addresses; those that found no room in the table.
    async fn ask(&mut self, order: Permutation) -> io::Result<Vec<Ipv4Addr>> {
        let addresses: &AddressList = &self.segment.addresses;
        let mut to_ask = addresses.in_order(order).peekable();
        let mut waiting: Vec<Ipv4Addr> = Vec::new();
        let mut moved = Instant::now();
        loop {
            let room = self.most_open.saturating_sub(self.open.len());
            while waiting.len() < room
                && let Some(ip) = to_ask.next()
            {
                self.count();
                if !self.claims.is_believed(ip) {
                    waiting.push(ip);
                }
            }
            if self.nudge(&mut waiting, room).await? > 0 || waiting.is_empty() {
                moved = Instant::now();
            }
            sleep(READ_EVERY).await;
            self.read_table().await?;
            self.close_old_questions();
            let all_asked = waiting.is_empty() && to_ask.peek().is_none();
            if all_asked && !self.open.iter().any(|(ip, asked)| asked.elapsed() < self.patience(*ip, ASKED_TWICE)) {
                return Ok(Vec::new());
            }
            if moved.elapsed() > STUCK {
                return Ok(waiting.into_iter().chain(to_ask).collect());
            }
        }
    }

    fn count(&self) {
        if !self.segment.again {
            self.context.swept.fetch_add(1, Relaxed);
        }
    }

    /// Has the kernel ask for as many as there is room for; how many it took.
    async fn nudge(&mut self, waiting: &mut Vec<Ipv4Addr>, room: usize) -> io::Result<usize> {
        let mut taken = 0;
        while taken < room && !waiting.is_empty() {
            // Small portions: what waits for an answer counts against the socket it was sent from.
            let portion: Vec<IpAddr> = waiting.iter().map(|ip| IpAddr::V4(*ip)).take((room - taken).min(32)).collect();
            self.context.dialer.pace().turn(portion.len() as u32).await;
            match self.context.net.nudge(&portion) {
                Ok(count) => {
                    let now = Instant::now();
                    self.open.extend(waiting.drain(..count).map(|ip| (ip, now)));
                    taken += count;
                    if count < portion.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Unsupported => return Err(error),
                Err(_) => {
                    // The table is full. Fewer at once, and those that are answered or given up make room.
                    self.most_open = (self.most_open / 2).max(OPEN_AT_LEAST);
                    return Ok(taken);
                }
            }
        }
        if taken > 0 {
            self.most_open = (self.most_open + 4).min(OPEN_AT_MOST);
        }
        Ok(taken)
    }

    /// Takes what the table says about the segment.
    async fn read_table(&mut self) -> io::Result<()> {
        for row in self.context.net.neighbours().await? {
            let IpAddr::V4(ip) = row.ip else { continue };
            if !self.segment.addresses.contains(ip) || Some(row.mac) == self.segment.interface.mac {
                continue;
            }
            if !row.confirmed {
                self.remembered.insert(ip);
            } else if let Some(new) = self.claims.receive(Claim { ip, mac: row.mac }) {
                super::emit(self.context, new).await;
            }
        }
        Ok(())
    }

    fn close_old_questions(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        open.retain(|(ip, asked)| !self.claims.is_answered(*ip) && asked.elapsed() < self.patience(*ip, GIVEN_UP));
        self.open = open;
    }

    /// How long an answer is waited for: by the kernel's habits, `usual` where it does not know the neighbour.
    fn patience(&self, ip: Ipv4Addr, usual: Duration) -> Duration {
        if self.remembered.contains(&ip) { REMEMBERED } else { usual }
    }
}
