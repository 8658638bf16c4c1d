//! Who claims which addresses, and which claim to believe: a router that answers ARP for everybody (proxy ARP, RFC 1027;
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
    /// Who claims an address besides the one that is believed or held: the first of them.
    rivals: HashMap<Ipv4Addr, MacAddr>,
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
        Claims {
            asked,
            believed: HashMap::new(),
            held: HashMap::new(),
            rivals: HashMap::new(),
            claimants: HashMap::new(),
        }
    }

    /// Takes a claim; the claim itself when it is new and believed at once. A MAC's first address is; its further ones
    /// wait until [`Claims::settle`].
    pub fn receive(&mut self, claim: Claim) -> Option<Claim> {
        let Claim { ip, mac } = claim;
        let is_owned = self.believed.contains_key(&ip);
        let is_known = [&self.believed, &self.held, &self.rivals].iter().any(|of| of.get(&ip) == Some(&mac));
        // Of a third who claims the address nothing is kept, unless it is the likelier owner.
        let is_third = self.rivals.contains_key(&ip) && (is_owned || self.claimants.contains_key(&mac));
        if is_known || is_third {
            return None;
        }
        let claimant = self.claimants.entry(mac).or_default();
        claimant.addresses += 1;
        let (alone, waited) = (claimant.addresses == 1, claimant.waited);
        if !is_owned && (alone || (waited && !self.claims_too_many(mac))) {
            // Also when another's claim is held: who claims one address only is the likelier owner.
            self.held.remove(&ip);
            self.believed.insert(ip, mac);
            return Some(claim);
        }
        let is_contested = is_owned || self.held.contains_key(&ip);
        (if is_contested { &mut self.rivals } else { &mut self.held }).insert(ip, mac);
        None
    }

    /// Every address has been asked for and could have been answered: says the held claims that are believable now, and
    /// those of the rivals of one who turned out to claim too many.
    pub fn settle(&mut self) -> Vec<Claim> {
        self.claimants.values_mut().for_each(|c| c.waited = true);
        let believable = self.held.iter().filter(|(_, mac)| !self.claims_too_many(**mac));
        let mut released: Vec<Claim> = believable.map(|(&ip, &mac)| Claim { ip, mac }).collect();
        released.extend(self.rivals.iter().map(|(&ip, &mac)| Claim { ip, mac }).filter(|rival| {
            let owner = self.believed.get(&rival.ip).or_else(|| self.held.get(&rival.ip));
            owner.is_none_or(|owner| self.claims_too_many(*owner)) && !self.claims_too_many(rival.mac)
        }));
        for claim in &released {
            self.held.remove(&claim.ip);
            self.rivals.remove(&claim.ip);
            self.believed.insert(claim.ip, claim.mac);
        }
        released
    }

    /// The addresses with two claimants, neither of which claims too many, by address: most often two devices that were
    /// given the same one.
    pub fn contested(&self) -> Vec<(Ipv4Addr, [MacAddr; 2])> {
        let two = self.rivals.iter().filter_map(|(&ip, &rival)| Some((ip, [*self.believed.get(&ip)?, rival])));
        let mut contested: Vec<_> = two.filter(|(_, macs)| !macs.iter().any(|m| self.claims_too_many(*m))).collect();
        contested.sort_unstable_by_key(|(ip, _)| *ip);
        contested
    }

    /// The claims for an address besides the one that was said, where neither MAC address claims any other: two devices that
    /// were given the same one.
    pub fn rivals(&self) -> Vec<Claim> {
        let alone = |mac: &MacAddr| self.claimants.get(mac).is_some_and(|claimant| claimant.addresses == 1);
        let of_two = self.contested().into_iter().filter(|(_, macs)| macs.iter().all(alone));
        of_two.map(|(ip, [_, mac])| Claim { ip, mac }).collect()
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
    use proptest::prelude::*;

    use super::*;

    fn claim(host: u8, mac: u8) -> Claim {
        Claim { ip: Ipv4Addr::new(192, 0, 2, host), mac: MacAddr([2, 0, 0, 0, 0, mac]) }
    }

    #[test]
    fn a_host_is_believed_the_moment_it_answers_and_said_once() {
        let mut claims = Claims::new(254);
        assert_eq!(claims.receive(claim(1, 1)), Some(claim(1, 1)));
        assert_eq!(claims.receive(claim(1, 1)), None);
        assert_eq!(claims.receive(claim(2, 2)), Some(claim(2, 2)));
        assert!(claims.settle().is_empty());
        assert_eq!(claims.unproven().0.len(), 0);
    }

    #[test]
    fn a_recorder_with_sixteen_addresses_is_sixteen_hosts() {
        let mut claims = Claims::new(254);
        let at_once = (1..=16).filter_map(|n| claims.receive(claim(n, 1))).count();
        assert_eq!((at_once, claims.settle().len()), (1, 15));
        assert_eq!(claims.receive(claim(17, 1)), Some(claim(17, 1)));
    }

    #[test]
    fn a_router_that_answers_for_everybody_is_believed_once() {
        let mut claims = Claims::new(254);
        let mut said = 0;
        for n in 1..=254 {
            said += usize::from(claims.receive(claim(n, 9)).is_some());
        }
        said += claims.settle().len();
        assert_eq!(said, 1);
        let (addresses, macs) = claims.unproven();
        assert_eq!((addresses.len(), macs), (253, vec![claim(1, 9).mac]));
    }

    #[test]
    fn a_small_range_is_judged_by_its_share() {
        let mut claims = Claims::new(14);
        let at_once = (1..=14).filter_map(|n| claims.receive(claim(n, 9))).count();
        assert_eq!(at_once + claims.settle().len(), 1);
        // Two addresses of one machine, both asked for, are just that.
        let mut claims = Claims::new(2);
        let at_once = (1..=2).filter_map(|n| claims.receive(claim(n, 9))).count();
        assert_eq!(at_once + claims.settle().len(), 2);
    }

    #[test]
    fn a_camera_behind_such_a_router_is_believed_whoever_answers_first() {
        let mut claims = Claims::new(254);
        for n in 1..=254 {
            claims.receive(claim(n, 9));
        }
        assert_eq!(claims.receive(claim(77, 1)), Some(claim(77, 1)));
        assert_eq!(claims.receive(claim(78, 2)), Some(claim(78, 2)));
        claims.settle();
        assert!(claims.is_believed(claim(77, 1).ip));
        assert_eq!(claims.unproven().0.len(), 254 - 3);
    }

    #[test]
    fn a_camera_that_a_router_was_quicker_than_gets_its_address_back() {
        let mut claims = Claims::new(254);
        // The router's first claim is believed at once, and is for a camera; the others are held.
        assert_eq!(claims.receive(claim(77, 9)), Some(claim(77, 9)));
        assert_eq!(claims.receive(claim(77, 1)), None);
        for n in 1..=254 {
            claims.receive(claim(n, 9));
        }
        // A recorder with two addresses of its own, each said three times, as it is asked.
        for _ in 0..3 {
            claims.receive(claim(80, 2));
            claims.receive(claim(81, 2));
        }
        let mut settled = claims.settle();
        settled.sort_by_key(|c| c.ip);
        assert_eq!(settled, [claim(77, 1), claim(81, 2)]);
        assert_eq!((claims.settle(), claims.contested()), (vec![], vec![]));
        assert_eq!(claims.unproven().0.len(), 254 - 3);
    }

    #[test]
    fn an_address_that_two_claim_is_contested() {
        let mut claims = Claims::new(254);
        claims.receive(claim(64, 1));
        for _ in 0..3 {
            assert_eq!(claims.receive(claim(64, 2)), None);
        }
        assert_eq!(claims.receive(claim(64, 3)), None);
        assert_eq!(claims.settle(), []);
        assert_eq!(claims.contested(), [(claim(64, 1).ip, [claim(64, 1).mac, claim(64, 2).mac])]);
        assert_eq!(claims.rivals(), [claim(64, 2)]);
        assert_eq!(claims.receive(claim(65, 3)), Some(claim(65, 3)));
        // A router that answers for a host as well as the host itself.
        claims.receive(claim(66, 2));
        assert_eq!(claims.rivals(), []);
    }

    proptest! {
        /// However many MAC addresses are made up, what is kept is bounded by the addresses that are asked for.
        #[test]
        fn what_is_kept_is_bounded_by_the_addresses(
            heard in prop::collection::vec((1u8..20, any::<u8>()), 0..600),
            settle_at in 0usize..600,
        ) {
            let mut claims = Claims::new(20);
            let mut said: Vec<Claim> = Vec::new();
            for (n, &(host, mac)) in heard.iter().enumerate() {
                said.extend(claims.receive(claim(host, mac)));
                if n == settle_at {
                    said.extend(claims.settle());
                }
            }
            said.extend(claims.settle());
            prop_assert!(claims.claimants.len() <= 3 * 20, "{}", claims.claimants.len());
            prop_assert!(said.iter().all(|c| heard.contains(&(c.ip.octets()[3], c.mac.0[5]))));
            for claim in said {
                prop_assert!(claims.is_believed(claim.ip));
            }
        }
    }

    #[test]
    fn one_that_turns_out_a_router_late_is_held_from_then_on() {
        let mut claims = Claims::new(65_536);
        let said = (1..=20).filter_map(|n| claims.receive(claim(n, 9))).count() + claims.settle().len();
        assert_eq!(said, 20);
        let later = (21..=254).filter_map(|n| claims.receive(claim(n, 9))).count();
        assert_eq!(later, 12);
        assert!(claims.settle().is_empty());
    }
}
