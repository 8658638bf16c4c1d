//! Who claims which addresses, and whom to believe: a router that answers ARP for everybody (proxy ARP, RFC 1027;
//! client isolation) must not become a network full of hosts.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::wire::Claim;
use crate::model::MacAddr;

/// Addresses one MAC may have. Recorders that give each channel an address of its own have up to 32.
const MOST: u64 = 32;
/// With so few addresses nothing is proved by one MAC having most of them.
const FEW: u64 = 4;

/// The claims heard in one sweep.
#[derive(Debug)]
pub struct Claims {
    asked: u64,
    believed: HashMap<Ipv4Addr, MacAddr>,
    held: HashMap<Ipv4Addr, MacAddr>,
    claimants: HashMap<MacAddr, Claimant>,
}

/// One MAC address.
#[derive(Debug, Default)]
struct Claimant {
    addresses: u64,
    /// Its further addresses have waited long enough for others to show that it claims them all.
    waited: bool,
}

impl Claims {
    /// For a sweep that asks so many addresses.
    pub fn new(asked: u64) -> Self {
        Claims { asked, believed: HashMap::new(), held: HashMap::new(), claimants: HashMap::new() }
    }

    /// Takes a claim; the claim itself when it is new and believed at once. A MAC's first address is; its further ones
    /// wait until [`Claims::settle`].
    pub fn hear(&mut self, claim: Claim) -> Option<Claim> {
        let Claim { ip, mac } = claim;
        if self.believed.contains_key(&ip) || self.held.get(&ip) == Some(&mac) {
            return None;
        }
        let claimant = self.claimants.entry(mac).or_default();
        claimant.addresses += 1;
        let (alone, waited) = (claimant.addresses == 1, claimant.waited);
        if alone || (waited && !self.claims_too_many(mac)) {
            // Also when another's claim is held: who claims one address only is the likelier owner.
            self.held.remove(&ip);
            self.believed.insert(ip, mac);
            return Some(claim);
        }
        self.held.entry(ip).or_insert(mac);
        None
    }

    /// Every address has been asked for and could have been answered: says the held claims that are believable now.
    pub fn settle(&mut self) -> Vec<Claim> {
        self.claimants.values_mut().for_each(|c| c.waited = true);
        let believable = self.held.iter().filter(|(_, mac)| !self.claims_too_many(**mac));
        let released: Vec<Claim> = believable.map(|(&ip, &mac)| Claim { ip, mac }).collect();
        for claim in &released {
            self.held.remove(&claim.ip);
            self.believed.insert(claim.ip, claim.mac);
        }
        released
    }

    /// Whether the address need not be asked for again.
    pub fn is_believed(&self, ip: Ipv4Addr) -> bool {
        self.believed.contains_key(&ip)
    }

    /// Whether somebody has claimed the address, believed or not.
    pub fn is_answered(&self, ip: Ipv4Addr) -> bool {
        self.believed.contains_key(&ip) || self.held.contains_key(&ip)
    }

    /// How many addresses are believed to be there.
    pub fn believed(&self) -> usize {
        self.believed.len()
    }

    /// The addresses whose only claimant claims too many, and those claimants.
    pub fn unproven(&self) -> (Vec<Ipv4Addr>, Vec<MacAddr>) {
        let mut macs: Vec<MacAddr> = self.held.values().copied().collect();
        macs.sort_unstable();
        macs.dedup();
        (self.held.keys().copied().collect(), macs)
    }

    fn claims_too_many(&self, mac: MacAddr) -> bool {
        let addresses = self.claimants.get(&mac).map_or(0, |c| c.addresses);
        addresses > MOST || (addresses > FEW && addresses.saturating_mul(2) > self.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(host: u8, mac: u8) -> Claim {
        Claim { ip: Ipv4Addr::new(192, 0, 2, host), mac: MacAddr([2, 0, 0, 0, 0, mac]) }
    }

    #[test]
    fn a_host_is_believed_the_moment_it_answers_and_said_once() {
        let mut claims = Claims::new(254);
        assert_eq!(claims.hear(claim(1, 1)), Some(claim(1, 1)));
        assert_eq!(claims.hear(claim(1, 1)), None);
        assert_eq!(claims.hear(claim(2, 2)), Some(claim(2, 2)));
        assert!(claims.settle().is_empty());
        assert_eq!(claims.unproven().0.len(), 0);
    }

    #[test]
    fn a_recorder_with_sixteen_addresses_is_sixteen_hosts() {
        let mut claims = Claims::new(254);
        let at_once = (1..=16).filter_map(|n| claims.hear(claim(n, 1))).count();
        assert_eq!((at_once, claims.settle().len()), (1, 15));
        assert_eq!(claims.hear(claim(17, 1)), Some(claim(17, 1)));
    }

    #[test]
    fn a_router_that_answers_for_everybody_is_believed_once() {
        let mut claims = Claims::new(254);
        let mut said = 0;
        for n in 1..=254 {
            said += usize::from(claims.hear(claim(n, 9)).is_some());
        }
        said += claims.settle().len();
        assert_eq!(said, 1);
        let (addresses, macs) = claims.unproven();
        assert_eq!((addresses.len(), macs), (253, vec![claim(1, 9).mac]));
    }

    #[test]
    fn a_small_range_is_judged_by_its_share() {
        let mut claims = Claims::new(14);
        let at_once = (1..=14).filter_map(|n| claims.hear(claim(n, 9))).count();
        assert_eq!(at_once + claims.settle().len(), 1);
        // Two addresses of one machine, both asked for, are just that.
        let mut claims = Claims::new(2);
        let at_once = (1..=2).filter_map(|n| claims.hear(claim(n, 9))).count();
        assert_eq!(at_once + claims.settle().len(), 2);
    }

    #[test]
    fn a_camera_behind_such_a_router_is_believed_whoever_answers_first() {
        let mut claims = Claims::new(254);
        for n in 1..=254 {
            claims.hear(claim(n, 9));
        }
        assert_eq!(claims.hear(claim(77, 1)), Some(claim(77, 1)));
        assert_eq!(claims.hear(claim(78, 2)), Some(claim(78, 2)));
        claims.settle();
        assert!(claims.is_believed(claim(77, 1).ip));
        assert_eq!(claims.unproven().0.len(), 254 - 3);
    }

    #[test]
    fn one_that_turns_out_a_router_late_is_held_from_then_on() {
        let mut claims = Claims::new(65_536);
        let said = (1..=20).filter_map(|n| claims.hear(claim(n, 9))).count() + claims.settle().len();
        assert_eq!(said, 20);
        let later = (21..=254).filter_map(|n| claims.hear(claim(n, 9))).count();
        assert_eq!(later, 12);
        assert!(claims.settle().is_empty());
    }
}
