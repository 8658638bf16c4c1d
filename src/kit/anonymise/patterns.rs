//! One pass over a text: known values, UUIDs, MAC addresses and addresses are replaced where they stand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr as _;

use regex::bytes::Regex;

use super::literals::Literals;
use super::{Anonymiser, Literal};
use crate::identify::oui;
use crate::kit::format::Private;
use crate::model::MacAddr;
use crate::text::steps;

/// Each in a group of its own.
const SHAPES: [&str; 5] = [
    // UUID (RFC 9562 §4)
    r"([0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})",
    r"((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2})",
    r"([0-9A-Fa-f]{12})",
    // 39 characters at most (RFC 4291 §2.2): a run of colons without end is not read to its end from each of them.
    r"([0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{0,40}:[0-9A-Fa-f]{0,4})",
    r"([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})",
];

/// What a pass looks for.
#[derive(Debug)]
pub(super) struct Patterns {
    /// Whatever is known by its shape alone.
    shapes: Option<Regex>,
    literals: Literals,
}

impl Patterns {
    /// Of these values.
    pub(super) fn new(literals: &[Literal]) -> Patterns {
        let shapes = Regex::new(&format!("(?-u)(?:{})", SHAPES.join("|"))).ok();
        Patterns { shapes, literals: Literals::of(literals) }
    }
}

/// What is around a match.
#[derive(Clone, Copy)]
struct Around<'t> {
    before: &'t [u8],
    after: &'t [u8],
}

impl Around<'_> {
    /// Whether it stands between what is neither letter nor digit. A character written as `%20` is one that is parted with.
    fn is_whole(self) -> bool {
        let is_part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80);
        // An address within an address is encoded twice.
        let is_code = matches!(self.before, [.., b'%', a, b] | [.., b'%', b'2', b'5', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
            || matches!(self.before, [.., b'\\', b'n' | b'r' | b't']);
        (is_code || !is_part(self.before.last())) && !is_part(self.after.first())
    }

    /// Whether it is the name of an element or attribute.
    fn is_markup(self) -> bool {
        matches!(self.before, [.., b'<'] | [.., b'<', b'/']) || self.after.first() == Some(&b'=')
    }
}

/// Replaces everything in a text.
pub(super) fn replace(anonymiser: &mut Anonymiser, text: &[u8]) -> Vec<u8> {
    let Some(shapes) = anonymiser.patterns.shapes.clone() else { return Vec::new() };
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    let mut from = 0;
    let mut shape = Shape::next(&shapes, text, 0);
    while at < text.len() {
        if shape.start < at {
            shape = Shape::next(&shapes, text, at);
        }
        let replaced = literal(anonymiser, text, at)
            .or_else(|| if shape.start == at { shaped(anonymiser, &shape, text) } else { None });
        match replaced {
            Some((kind, substitute, length)) => {
                out.extend_from_slice(text.get(from..at).unwrap_or_default());
                out.extend_from_slice(substitute.as_bytes());
                anonymiser.substitutes.count(kind, &substitute);
                (at, from) = (at + length, at + length);
            }
            // Something shorter may begin within.
            None => at += 1,
        }
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    out
}

/// Where the next thing stands that is known by its shape.
struct Shape {
    /// Behind the text where there is none.
    start: usize,
    length: usize,
    /// Which of the [`SHAPES`], from 1.
    number: usize,
}

impl Shape {
    fn next(shapes: &Regex, text: &[u8], at: usize) -> Shape {
        let found = shapes.captures_at(text, at);
        let groups = found.iter().flat_map(|found| (1..=SHAPES.len()).map(move |n| (n, found.get(n))));
        let shape = groups.filter_map(|(number, group)| Some((number, group?))).next();
        let none = Shape { start: text.len(), length: 0, number: 0 };
        let shape = shape.map_or(none, |(number, group)| Shape { start: group.start(), length: group.len(), number });
        steps::look_at((shape.start + shape.length).saturating_sub(at));
        shape
    }
}

/// What stands for some bytes, and how many they are.
type Found = (Private, String, usize);

fn around(text: &[u8], start: usize, length: usize) -> Around<'_> {
    let after = text.get(start.saturating_add(length)..).unwrap_or_default();
    Around { before: text.get(..start).unwrap_or_default(), after }
}

/// The longest value that stands here; one that counts only as a word hides no shorter one.
fn literal(anonymiser: &Anonymiser, text: &[u8], start: usize) -> Option<Found> {
    let rest = text.get(start..).unwrap_or_default();
    let is_meant = |literal: &&Literal| {
        let around = around(text, start, literal.original.len());
        let is_bare = matches!(literal.kind, Private::Name | Private::Realm) && around.is_markup();
        (!literal.is_word || around.is_whole()) && !is_bare
    };
    let found = anonymiser.patterns.literals.at(rest).find(is_meant)?;
    Some((found.kind, found.substitute.clone(), found.original.len()))
}

fn shaped(anonymiser: &mut Anonymiser, shape: &Shape, text: &[u8]) -> Option<Found> {
    let own = text.get(shape.start..)?.get(..shape.length)?;
    let around = around(text, shape.start, own.len());
    let written = std::str::from_utf8(own).ok()?;
    let (kind, substitute) = match shape.number {
        1 => uuid(anonymiser, written, around),
        2 | 3 => mac(anonymiser, written, around, shape.number == 3),
        4 => ipv6(anonymiser, written, around),
        5 => ipv4(anonymiser, written, around),
        _ => None,
    }?;
    Some((kind, substitute, own.len()))
}

fn uuid(anonymiser: &mut Anonymiser, text: &str, around: Around<'_>) -> Option<(Private, String)> {
    if !around.is_whole() || anonymiser.keeps(Private::Uuid) {
        return None;
    }
    let mut substitute = anonymiser.substitutes.hex(Private::Uuid, text);
    // The last part is the MAC address in the UUIDs of many makers; it stays that.
    if let Some((head, node)) =
        text.rsplit_once('-').zip(substitute.rsplit_once('-')).map(|(t, s)| (s.0.to_owned(), t.1))
        && let Ok(mac) = node.parse::<MacAddr>()
        && oui::organisation(mac).is_some()
        && !anonymiser.keeps(Private::Mac)
    {
        let mac = anonymiser.substitutes.mac(mac.0);
        substitute = format!("{head}-{}", mac.map(|b| format!("{b:02x}")).concat());
    }
    Some((Private::Uuid, like(&substitute, text)))
}

/// In the case of the original.
fn like(substitute: &str, original: &str) -> String {
    let is_upper = original.chars().any(|c| c.is_ascii_uppercase());
    if is_upper { substitute.to_ascii_uppercase() } else { substitute.to_owned() }
}

fn mac(anonymiser: &mut Anonymiser, text: &str, around: Around<'_>, is_bare: bool) -> Option<(Private, String)> {
    let mac: MacAddr = text.parse().ok()?;
    let separators = [Some(&b':'), Some(&b'-')];
    let is_longer =
        !is_bare && (separators.contains(&around.before.last()) || separators.contains(&around.after.first()));
    let is_mac = mac.is_station() && around.is_whole() && !is_longer;
    // Twelve digits are a time or a number as often; those of a maker are a MAC address.
    let is_mac =
        is_mac && (!is_bare || oui::organisation(mac).is_some() && text.bytes().any(|b| b.is_ascii_alphabetic()));
    if !is_mac || anonymiser.keeps(Private::Mac) {
        return None;
    }
    let separator = text.get(2..3).filter(|_| !is_bare).unwrap_or_default();
    let substitute = anonymiser.substitutes.mac(mac.0).map(|b| format!("{b:02x}")).join(separator);
    Some((Private::Mac, like(&substitute, text)))
}

fn ipv6(anonymiser: &mut Anonymiser, text: &str, around: Around<'_>) -> Option<(Private, String)> {
    let ip = Ipv6Addr::from_str(text).ok()?;
    let is_own = ip.is_loopback() || ip.is_unspecified() || ip.is_multicast();
    // `::be` is as short as what style sheets have; an address of a device is not.
    let is_short = ip.segments().iter().filter(|s| **s != 0).count() < 2;
    if is_own || is_short || !around.is_whole() || anonymiser.keeps(Private::Address) {
        return None;
    }
    Some((Private::Address, anonymiser.substitutes.address(IpAddr::V6(ip)).to_string()))
}

fn ipv4(anonymiser: &mut Anonymiser, text: &str, around: Around<'_>) -> Option<(Private, String)> {
    let ip = Ipv4Addr::from_str(text).ok()?;
    let is_device = anonymiser.device == IpAddr::V4(ip);
    let is_general =
        ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] == 255;
    let is_longer = matches!(around.before, [.., b'0'..=b'9', b'.']) || matches!(around.after, [b'.', b'0'..=b'9', ..]);
    let is_of_url = around.before.ends_with(b"//");
    let is_version = !is_of_url && matches!(around.before.last(), Some(b'/' | b'-' | b'_'))
        || !around.is_whole()
        || anonymiser.versions.contains(text);
    if is_longer || !is_device && (is_general || is_version) || anonymiser.keeps(Private::Address) {
        return None;
    }
    Some((Private::Address, anonymiser.substitutes.address(IpAddr::V4(ip)).to_string()))
}
