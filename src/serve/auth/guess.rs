//! How often somebody may guess: by address, and by account whether there is one of that name or not. Pure: the time goes in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use jiff::{SignedDuration, Timestamp};

/// Wrong tries of one address at once, …
const BURST: f64 = 10.0;
/// … and a minute after that.
const PER_MINUTE: f64 = 5.0;
/// Wrong passwords of an account before there is a wait, which then doubles …
const FREE: u32 = 3;
/// … up to this.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(15);
/// Failures are forgotten after this.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Addresses and names that are remembered.
const MOST: usize = 10_000;
/// Addresses remembered of an account that logged in from there.
const KNOWN_BLOCKS: usize = 4;

/// Who guesses: an IPv4 address, or the /64 of an IPv6 address, which one customer has all of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressBlock(IpAddr);

impl AddressBlock {
    /// Where an address counts.
    pub fn of(address: IpAddr) -> AddressBlock {
        AddressBlock(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// Tries that are left, of an address or of an account at an address that it is known at.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    fn full(now: Timestamp) -> Bucket {
        Bucket { left: BURST, at: now }
    }

    fn take(&mut self, now: Timestamp) -> Result<(), SignedDuration> {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.left = (self.left + passed * PER_MINUTE / 60.0).min(BURST);
        self.at = now;
        if self.left < 1.0 {
            let seconds = (1.0 - self.left) * 60.0 / PER_MINUTE;
            return Err(SignedDuration::try_from_secs_f64(seconds.ceil()).unwrap_or(LONGEST_WAIT));
        }
        self.left -= 1.0;
        Ok(())
    }

    fn give_back(&mut self) {
        self.left = (self.left + 1.0).min(BURST);
    }
}

#[derive(Debug, Clone, Default)]
struct Account {
    failures: u32,
    until: Timestamp,
    failed_at: Timestamp,
    /// Where it logged in from, the latest last: it has tries of its own there.
    known: Vec<(AddressBlock, Bucket)>,
}

impl Account {
    fn known_at(&mut self, block: AddressBlock) -> Option<&mut Bucket> {
        self.known.iter_mut().find(|(known, _)| *known == block).map(|(_, bucket)| bucket)
    }
}

/// A try that was let through. What is not said to be right stays taken.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Try {
    block: AddressBlock,
    account: String,
    /// Taken from those of the account at a place that it is known at.
    is_own: bool,
}

/// What was guessed so far.
#[derive(Debug, Default)]
pub struct Guesses {
    blocks: HashMap<AddressBlock, Bucket>,
    accounts: HashMap<String, Account>,
    failures: u64,
}

impl Guesses {
    /// Takes a try of a block at an account. An account that logged in from there before has tries of its own, and is kept
    /// out neither by those who guess elsewhere nor by those who guess other names from there.
    ///
    /// # Errors
    /// How long to wait, where there are too many.
    pub fn take(&mut self, block: AddressBlock, name: &str, now: Timestamp) -> Result<Try, SignedDuration> {
        self.tidy(now);
        let account = key(name);
        let known = self.accounts.get_mut(&account);
        let wait = known.as_ref().map_or(SignedDuration::ZERO, |account| account.until.duration_since(now));
        if let Some(bucket) = known.and_then(|account| account.known_at(block)) {
            return bucket.take(now).map(|()| Try { block, account, is_own: true });
        }
        // A clock that was set back keeps nobody out.
        if wait > SignedDuration::ZERO && wait <= LONGEST_WAIT {
            return Err(wait);
        }
        let bucket = self.blocks.entry(block).or_insert_with(|| Bucket::full(now));
        bucket.take(now).map(|()| Try { block, account, is_own: false })
    }

    /// The password was wrong.
    pub fn failed(&mut self, name: &str, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        let account = self.accounts.entry(key(name)).or_default();
        account.failures = account.failures.saturating_add(1);
        account.failed_at = now;
        let doublings = account.failures.saturating_sub(FREE);
        if doublings > 0 {
            let seconds = 1i64.checked_shl(doublings - 1).filter(|seconds| *seconds > 0).unwrap_or(i64::MAX);
            let wait = SignedDuration::from_secs(seconds.min(LONGEST_WAIT.as_secs()));
            account.until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        }
    }

    /// The password was right: this try is given back, and no other.
    pub fn succeeded(&mut self, taken: Try, now: Timestamp) {
        let Try { block, account, is_own } = taken;
        let of_block = self.blocks.get_mut(&block);
        let account = self.accounts.entry(account).or_default();
        let given_to = if is_own { account.known_at(block) } else { of_block };
        // One that has been forgotten meanwhile is full.
        let bucket = given_to.map_or_else(
            || Bucket::full(now),
            |bucket| {
                bucket.give_back();
                *bucket
            },
        );
        // At a place that is new, no further tries come with it: those left there are all.
        let bucket = account.known_at(block).map_or(bucket, |known| *known);
        let mut known = std::mem::take(&mut account.known);
        known.retain(|(known, _)| *known != block);
        known.push((block, bucket));
        let more = known.len().saturating_sub(KNOWN_BLOCKS);
        *account = Account { known: known.split_off(more), ..Account::default() };
    }

    /// Wrong passwords so far.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Keeps the tables small, whoever fills them.
    fn tidy(&mut self, now: Timestamp) {
        if self.blocks.len() >= MOST {
            let full = SignedDuration::from_secs(120);
            self.blocks.retain(|_, bucket| now.duration_since(bucket.at) < full);
        }
        if self.blocks.len() >= MOST {
            // Only a block with many addresses of its own gets here; those that still may try lose nothing.
            self.blocks.retain(|_, bucket| bucket.left < 1.0);
        }
        if self.blocks.len() >= MOST {
            self.blocks.clear();
        }
        if self.accounts.len() >= MOST {
            let is_kept = |account: &Account| {
                !account.known.is_empty()
                    || now.duration_since(account.failed_at) < FORGOTTEN_AFTER && account.failures > FREE
            };
            self.accounts.retain(|_, account| is_kept(account));
        }
        if self.accounts.len() >= MOST {
            self.accounts.retain(|_, account| !account.known.is_empty());
        }
    }
}

/// Names that differ in the case of letters alone are one account; long ones are none.
fn key(name: &str) -> String {
    name.chars().take(64).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn block(text: &str) -> AddressBlock {
        AddressBlock::of(text.parse().unwrap())
    }

    #[test]
    fn an_address_has_ten_at_once_and_five_a_minute() {
        let mut guesses = Guesses::default();
        let mut tried = |n: u32, seconds| {
            (0..n).filter(|i| guesses.take(block("192.0.2.1"), &format!("user{i}"), at(seconds)).is_ok()).count()
        };
        assert_eq!(tried(50, 0), 10);
        assert_eq!(tried(50, 60), 5);
        assert_eq!(tried(50, 60), 0);
        assert_eq!(tried(50, 10_000), 10);
        assert_eq!(guesses.take(block("192.0.2.1"), "x", at(10_000)), Err(SignedDuration::from_secs(12)));
        assert!(guesses.take(block("192.0.2.2"), "x", at(10_000)).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_a_mapped_one_is_ipv4() {
        assert_eq!(block("2001:db8::1"), block("2001:db8::ffff:0:1"));
        assert_ne!(block("2001:db8::1"), block("2001:db8:0:1::1"));
        assert_eq!(block("::ffff:192.0.2.1"), block("192.0.2.1"));
    }

    #[test]
    fn the_wait_of_an_account_doubles_whether_it_exists_or_not() {
        let mut guesses = Guesses::default();
        let (mut now, mut waits) = (0, Vec::new());
        for n in 0..16 {
            let from = block(&format!("198.51.100.{n}"));
            if let Err(wait) = guesses.take(from, "Nobody", at(now)) {
                waits.push(wait.as_secs());
                now += wait.as_secs();
                assert!(guesses.take(from, "nobody", at(now)).is_ok());
            }
            guesses.failed("NOBODY", at(now));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(guesses.failures(), 16);
        // Somebody who logged in from a block is not kept out there.
        let right = guesses.take(block("192.0.2.9"), "nobody", at(now + 900)).unwrap();
        guesses.succeeded(right, at(now + 900));
        (0..20).for_each(|_| guesses.failed("nobody", at(now)));
        assert!(guesses.take(block("192.0.2.8"), "nobody", at(now)).is_err());
        assert!(guesses.take(block("192.0.2.9"), "nobody", at(now)).is_ok());
        // Nor by a clock that was set back by a day.
        assert!(guesses.take(block("192.0.2.8"), "nobody", at(now - 86_400)).is_ok());
    }

    #[test]
    fn right_logins_use_nothing_up_and_one_that_is_known_is_let_in() {
        let mut guesses = Guesses::default();
        let here = block("192.0.2.1");
        for _ in 0..100 {
            let right = guesses.take(here, "anna", at(0)).unwrap();
            guesses.succeeded(right, at(0));
        }
        let wrong = (0..50).filter(|n| guesses.take(here, &format!("x{n}"), at(0)).is_ok()).count();
        assert_eq!(wrong, 10, "the others there have as many as ever");
        let right = guesses.take(here, "Anna", at(0)).expect("guesses at other names keep it out");
        guesses.succeeded(right, at(0));
        assert!(guesses.take(here, "boris", at(0)).is_err(), "one that is not known there waits");
    }

    /// However right logins are mixed in, from one account or several: not more wrong ones of an address are let through than
    /// ten and five a minute; at an account that is known there, as many again.
    #[test]
    fn right_logins_make_no_room_for_wrong_ones() {
        let mut chance = fastrand::Rng::with_seed(7);
        for round in 0..200 {
            let mut guesses = Guesses::default();
            let (mut now, mut by_others, mut at_anna) = (0, 0, 0);
            let here = block("192.0.2.1");
            let is_known = round % 2 == 0;
            if is_known {
                let right = guesses.take(here, "anna", at(0)).unwrap();
                guesses.succeeded(right, at(0));
            }
            for step in 0..600 {
                now += chance.i64(0..4);
                let name = ["mallory", "mallory2", "anna", "x"][chance.usize(0..4)];
                let name = if name == "x" { format!("x{step}") } else { name.to_owned() };
                let Ok(taken) = guesses.take(here, &name, at(now)) else { continue };
                if name.starts_with("mallory") {
                    guesses.succeeded(taken, at(now));
                    continue;
                }
                if name == "anna" && is_known {
                    at_anna += 1
                } else {
                    by_others += 1
                }
                guesses.failed(&name, at(now));
            }
            let most = 10 + now / 12;
            assert!(by_others <= most && at_anna <= most, "{by_others} and {at_anna} in {now} s");
        }
    }

    #[test]
    fn nobody_fills_the_memory() {
        let mut guesses = Guesses::default();
        for n in 0..30_000u32 {
            let address = IpAddr::V4(n.into());
            let _ = guesses.take(AddressBlock::of(address), &n.to_string(), at(0));
            guesses.failed(&n.to_string(), at(0));
        }
        assert!(guesses.blocks.len() <= MOST && guesses.accounts.len() <= MOST + 1);
    }
}
