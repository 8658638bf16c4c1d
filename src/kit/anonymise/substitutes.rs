//! What stands in the place of what: the same for the same, another for each other, and of the same shape.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::kit::format::{Private, Replaced};

/// All of them.
#[derive(Debug, Default)]
pub struct Substitutes {
    of: BTreeMap<(Private, String), String>,
    used: BTreeSet<(Private, String)>,
    /// In how many places each stands.
    places: BTreeMap<(Private, String), u64>,
    made: u64,
}

impl Substitutes {
    /// Counts a place where a substitute stands now.
    pub fn count(&mut self, kind: Private, substitute: &str) {
        *self.places.entry((kind, substitute.to_owned())).or_default() += 1;
    }

    /// What was replaced, by kind.
    pub fn replaced(&self) -> Vec<Replaced> {
        let of_kind = |kind: Private| {
            let all: Vec<_> = self.places.iter().filter(|((k, _), _)| *k == kind).collect();
            let places = all.iter().map(|(_, count)| **count).sum();
            let substitutes = all.into_iter().map(|((_, substitute), _)| substitute.clone()).collect::<Vec<_>>();
            (!substitutes.is_empty()).then_some(Replaced { kind, places, substitutes })
        };
        Private::ALL.into_iter().filter_map(of_kind).collect()
    }

    /// Each value with what stands in its place.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Private, &str, &str)> {
        self.of.iter().map(|((kind, from), to)| (*kind, from.as_str(), to.as_str()))
    }

    /// The substitute of a value in its one true form, made by `make` from a number; the first that nothing else has.
    fn get(&mut self, kind: Private, value: String, make: impl Fn(u64) -> String) -> String {
        if let Some(known) = self.of.get(&(kind, value.clone())) {
            return known.clone();
        }
        let mut substitute = make(self.made);
        for _ in 0..10_000 {
            self.made += 1;
            if substitute != value && !self.used.contains(&(kind, substitute.clone())) {
                break;
            }
            substitute = make(self.made);
        }
        self.used.insert((kind, substitute.clone()));
        self.of.insert((kind, value), substitute.clone());
        substitute
    }

    /// An address that is kept for documentation (RFC 5737, RFC 3849), as long as the original where there is one; of one that
    /// holds on its link alone another such.
    pub fn address(&mut self, ip: IpAddr) -> IpAddr {
        let length = ip.to_string().len();
        let used: BTreeSet<String> =
            self.used.iter().filter(|(k, _)| *k == Private::Address).map(|(_, s)| s.clone()).collect();
        let fresh = match ip {
            IpAddr::V4(ip) => {
                let kin: &[[u8; 3]] = if ip.is_link_local() { &LINK_LOCAL } else { &DOCUMENTATION };
                let all = || of_networks(kin).map(|ip| ip.to_string()).filter(|s| !used.contains(s));
                all().find(|s| s.len() == length).or_else(|| all().next()).unwrap_or_else(|| "203.0.113.254".to_owned())
            }
            IpAddr::V6(ip) => {
                let (first, second) = if ip.is_unicast_link_local() { (0xfe80, 0) } else { (0x2001, 0xdb8) };
                let first = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 1).to_bits();
                Ipv6Addr::from_bits(first + used.len() as u128).to_string()
            }
        };
        let text = self.get(Private::Address, ip.to_string(), |_| fresh.clone());
        text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))
    }

    /// A MAC address of the same maker.
    pub fn mac(&mut self, mac: [u8; 6]) -> [u8; 6] {
        let [a, b, c, ..] = mac;
        let hex = |mac: [u8; 6]| mac.map(|b| format!("{b:02x}")).concat();
        let text = self.get(Private::Mac, hex(mac), |number| {
            let [.., x, y, z] = (number + 1).to_be_bytes();
            hex([a, b, c, x, y, z])
        });
        let mut bytes = mac;
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(*byte);
        }
        bytes
    }

    /// A text of the same shape: digits for digits, letters for letters of the same case, and all else as it is.
    pub fn text(&mut self, kind: Private, original: &str) -> String {
        self.get(kind, original.to_owned(), |number| shaped(original, number))
    }

    /// Hexadecimal digits for such, in lower case; all else as it is.
    pub fn hex(&mut self, kind: Private, original: &str) -> String {
        self.get(kind, original.to_ascii_lowercase(), |number| {
            let mut chance = Chance(number);
            let digit = |c: char| if c.is_ascii_hexdigit() { chance.one_of(b"0123456789abcdef") } else { c };
            original.chars().map(digit).collect()
        })
    }
}

/// RFC 5737.
const DOCUMENTATION: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
/// Of RFC 3927.
const LINK_LOCAL: [[u8; 3]; 3] = [[169, 254, 1], [169, 254, 10], [169, 254, 100]];

fn of_networks(networks: &[[u8; 3]]) -> impl Iterator<Item = Ipv4Addr> {
    networks.iter().flat_map(|&[a, b, c]| (1..255).map(move |d| Ipv4Addr::new(a, b, c, d)))
}

/// The `number`th text of the shape of another.
fn shaped(original: &str, number: u64) -> String {
    let mut chance = Chance(number);
    let mut syllable = 0usize;
    original
        .chars()
        .map(|c| {
            syllable = if c.is_alphabetic() { syllable + 1 } else { 0 };
            let letters: &[u8] = if syllable % 2 == 1 { b"bdfgklmnprstvz" } else { b"aeiou" };
            match c {
                '0'..='9' => chance.one_of(b"0123456789"),
                _ if c.is_uppercase() => chance.one_of(letters).to_ascii_uppercase(),
                _ if c.is_alphabetic() => chance.one_of(letters),
                _ => c,
            }
        })
        .collect()
}

/// Numbers that look like chance and are the same every time: nothing of the original goes into them.
struct Chance(u64);

impl Chance {
    fn one_of(&mut self, choices: &[u8]) -> char {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let at = usize::try_from((z ^ (z >> 31)) % choices.len().max(1) as u64).unwrap_or(0);
        choices.get(at).copied().map_or('x', char::from)
    }
}
