//! Datagrams that are no text.

use super::Anonymiser;
use crate::text::steps;

/// STUN's magic cookie (RFC 8489 §5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Attributes of STUN and TURN that hold an address (RFC 8489 §14.1, §14.2; RFC 8656 §18; RFC 5780 §7).
const ADDRESSES: [u16; 7] = [0x0001, 0x0012, 0x0016, 0x0020, 0x8020, 0x802b, 0x802c];

/// Every place of some bytes changed to others.
pub(super) fn swap(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !from.is_empty()
        && let Some(at) = rest.windows(from.len()).position(|w| w == from)
    {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(to);
        rest = rest.get(at + from.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// Replaces what is known in bytes of a protocol, where every length must stay as it is; none where one would not.
pub(super) fn replace(anonymiser: &mut Anonymiser, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    blank_stun(&mut bytes);
    swap_addresses(anonymiser, &mut bytes);
    let replaced = anonymiser.text(&bytes);
    (replaced.len() == bytes.len()).then_some(replaced)
}

/// Replaces addresses and MAC addresses that stand there as their bytes.
fn swap_addresses(anonymiser: &Anonymiser, bytes: &mut [u8]) {
    /// IPv6, MAC addresses and IPv4: the longest that stands at a place counts.
    const LENGTHS: [usize; 3] = [16, 6, 4];
    let mut at = 0;
    while at < bytes.len() {
        steps::look_at(LENGTHS.len());
        let known = LENGTHS.into_iter().find_map(|length| {
            let (kind, substitute) = anonymiser.substitutes.of_bytes(bytes.get(at..)?.get(..length)?)?;
            (!anonymiser.keeps(kind)).then_some(substitute)
        });
        match known {
            Some(substitute) => {
                bytes.iter_mut().skip(at).zip(substitute).for_each(|(byte, new)| *byte = *new);
                at += substitute.len();
            }
            None => at += 1,
        }
    }
}

/// Takes the addresses out of a STUN message: whoever asked is seen in the answer.
fn blank_stun(bytes: &mut [u8]) {
    if bytes.get(4..8) != Some(&COOKIE) {
        return;
    }
    let mut at = 20;
    while let Some(&[t1, t0, l1, l0]) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let length = usize::from(u16::from_be_bytes([l1, l0]));
        if ADDRESSES.contains(&u16::from_be_bytes([t1, t0]))
            && let Some(address) = bytes.get_mut(at + 8..at + 4 + length)
        {
            // 192.0.2.1, also where it is hidden by the cookie.
            let plain = [192, 0, 2, 1];
            let is_hidden = matches!([t1, t0], [0 | 0x80, 0x20] | [0, 0x12 | 0x16]);
            for (number, byte) in address.iter_mut().enumerate() {
                let mask = if is_hidden { COOKIE.get(number).copied().unwrap_or(0) } else { 0 };
                *byte = plain.get(number).copied().unwrap_or(0) ^ mask;
            }
        }
        at += 4 + length.next_multiple_of(4);
    }
}
