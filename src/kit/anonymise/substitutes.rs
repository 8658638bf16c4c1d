//! What stands in the place of what: the same for the same, another for each other, and of the same shape.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::kit::format::{Private, Replaced};
use crate::text::steps;

/// So many texts are made until there is one that nothing else has: of some shapes there are fewer than values.
const MOST_TRIES: usize = 64;

/// All of them.
#[derive(Debug)]
pub struct Substitutes {
    of: BTreeMap<(Private, String), String>,
    used: BTreeSet<(Private, String)>,
    /// Addresses and MAC addresses as their bytes.
    of_bytes: HashMap<Vec<u8>, (Private, Vec<u8>)>,
    /// In how many places each stands.
    places: BTreeMap<(Private, String), u64>,
    made: u64,
    /// The IPv4 addresses that stand for none yet: those for documentation, and those of a link.
    free: [Vec<Ipv4Addr>; 2],
    /// How many addresses were replaced.
    addresses: u64,
}

impl Default for Substitutes {
    fn default() -> Self {
        Substitutes {
            of: BTreeMap::new(),
            used: BTreeSet::new(),
            of_bytes: HashMap::new(),
            places: BTreeMap::new(),
            made: 0,
            free: [&DOCUMENTATION, &LINK_LOCAL].map(|networks| of_networks(networks).collect()),
            addresses: 0,
        }
    }
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

    /// What stands in the place of an address or a MAC address that is written as its bytes.
    pub(super) fn of_bytes(&self, bytes: &[u8]) -> Option<(Private, &[u8])> {
        self.of_bytes.get(bytes).map(|(kind, substitute)| (*kind, substitute.as_slice()))
    }

    /// The substitute of a value in its one true form, made by `make` from a number; the first that nothing else has.
    fn get(&mut self, kind: Private, value: String, make: impl Fn(u64) -> String) -> String {
        if let Some(known) = self.of.get(&(kind, value.clone())) {
            return known.clone();
        }
        let mut substitute = None;
        for _ in 0..MOST_TRIES {
            steps::look_at(1);
            let made = make(self.made);
            self.made += 1;
            let is_free = made != value && !self.used.contains(&(kind, made.clone()));
            // One that another value has is better than the value itself.
            if is_free || made != value && substitute.is_none() {
                substitute = Some(made);
            }
            if is_free {
                break;
            }
        }
        // A text without letters and digits has no other one of its shape.
        let substitute = substitute.unwrap_or_else(|| make(self.made));
        self.used.insert((kind, substitute.clone()));
        self.of.insert((kind, value), substitute.clone());
        substitute
    }

    /// An address that is kept for documentation (RFC 5737, RFC 3849), as long as the original where there is one; of one that
    /// holds on its link alone another such.
    pub fn address(&mut self, ip: IpAddr) -> IpAddr {
        let key = (Private::Address, ip.to_string());
        if let Some(known) = self.of.get(&key) {
            return known.parse().unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        }
        let substitute = match ip {
            IpAddr::V4(v4) => {
                let [documentation, link_local] = &mut self.free;
                let free = if v4.is_link_local() { link_local } else { documentation };
                steps::look_at(free.len());
                let alike = free.iter().position(|ip| ip.to_string().len() == key.1.len());
                let is_left = !free.is_empty();
                IpAddr::V4(match is_left {
                    true => free.remove(alike.unwrap_or(0)),
                    false => Ipv4Addr::new(203, 0, 113, 254),
                })
            }
            IpAddr::V6(v6) => {
                let (first, second) = if v6.is_unicast_link_local() { (0xfe80, 0) } else { (0x2001, 0xdb8) };
                let first = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 1).to_bits();
                IpAddr::V6(Ipv6Addr::from_bits(first + u128::from(self.addresses)))
            }
        };
        self.addresses += 1;
        self.made += 1;
        self.of.insert(key, substitute.to_string());
        self.of_bytes.insert(octets(ip), (Private::Address, octets(substitute)));
        substitute
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
        self.of_bytes.insert(mac.to_vec(), (Private::Mac, bytes.to_vec()));
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

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
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
