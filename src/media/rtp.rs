//! RTP packets (RFC 3550 §5.1) and putting them back in order.

use std::collections::BTreeMap;

/// One RTP packet, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The marker: with video the last packet of a frame.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number, wrapping.
    pub sequence: u16,
    /// The timestamp in units of the clock rate, wrapping.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: u32,
    /// What is carried, without padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet. `None` for other versions, RTCP that strayed in (RFC 5761 §4) and what ends inside its header.
    /// Padding that cannot be is taken for payload.
    pub fn parse(bytes: &'a [u8]) -> Option<Packet<'a>> {
        let ([first, second, s1, s0, t3, t2, t1, t0, c3, c2, c1, c0], rest) = bytes.split_first_chunk::<12>()?;
        if first >> 6 != 2 || (192..=223).contains(second) {
            return None;
        }
        let mut payload = rest.get(usize::from(first & 0x0f) * 4..)?;
        if first & 0x10 != 0 {
            let ([_, _, l1, l0], rest) = payload.split_first_chunk::<4>()?;
            payload = rest.get(usize::from(u16::from_be_bytes([*l1, *l0])) * 4..)?;
        }
        if first & 0x20 != 0
            && let Some(&padding) = payload.last()
            && let Some(unpadded) = payload.len().checked_sub(padding.into()).and_then(|len| payload.get(..len))
        {
            payload = unpadded;
        }
        Some(Packet {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([*s1, *s0]),
            timestamp: u32::from_be_bytes([*t3, *t2, *t1, *t0]),
            ssrc: u32::from_be_bytes([*c3, *c2, *c1, *c0]),
            payload,
        })
    }
}

/// Packets held back at most while one before them is missing.
const WINDOW: usize = 32;
/// A jump of the sequence number beyond this is a new start, not a loss.
const MAX_JUMP: i64 = 3000;

/// Hands items on in the order of their sequence numbers; waits for a missing one until [`WINDOW`] others came.
#[derive(Debug)]
pub struct Reorder<T> {
    next: Option<i64>,
    held: BTreeMap<i64, T>,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came late or twice.
    pub reordered: u64,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Reorder { next: None, held: BTreeMap::new(), lost: 0, reordered: 0 }
    }
}

impl<T> Reorder<T> {
    /// Takes one item; what is in order now comes out by [`Reorder::pop`].
    pub fn push(&mut self, sequence: u16, item: T) {
        let Some(next) = self.next else {
            self.next = Some(i64::from(sequence));
            self.held.insert(i64::from(sequence), item);
            return;
        };
        let ahead = i64::from(sequence.wrapping_sub(next as u16) as i16);
        if ahead.abs() > MAX_JUMP {
            self.held.clear();
            self.next = Some(next + ahead);
        } else if ahead < 0 {
            self.reordered += 1;
            return;
        }
        if self.held.keys().next_back().is_some_and(|&last| last > next + ahead) {
            self.reordered += 1;
        }
        self.held.insert(next + ahead, item);
    }

    /// The next item in order and how many were lost before it; with `all` without waiting for the missing.
    pub fn pop(&mut self, all: bool) -> Option<(T, u64)> {
        let next = self.next?;
        let first = *self.held.keys().next()?;
        if first > next && self.held.len() < WINDOW && !all {
            return None;
        }
        let item = self.held.remove(&first)?;
        let lost = u64::try_from(first - next).unwrap_or(0);
        self.lost += lost;
        self.next = Some(first + 1);
        Some((item, lost))
    }

    /// Forgets the order, as when another source begins; counts stay.
    pub fn restart(&mut self) {
        self.held.clear();
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn csrc_extension_and_padding_are_no_payload() {
        let packet = [
            &[0xb1, 0xe0, 0, 7, 0, 0, 0, 9, 1, 2, 3, 4][..],
            &[9; 4],
            &[0xbe, 0xde, 0, 1, 8, 8, 8, 8],
            &[0x65, 0x11, 0, 2],
        ]
        .concat();
        let read = Packet::parse(&packet).unwrap();
        assert_eq!((read.marker, read.payload_type, read.sequence, read.timestamp), (true, 96, 7, 9));
        assert_eq!(read.payload, [0x65, 0x11]);
        assert_eq!(Packet::parse(&packet[..15]), None);
        assert_eq!(Packet::parse(&[0x80, 200, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]), None, "a sender report");
    }

    fn through(sequences: &[u16]) -> (Vec<u16>, u64, u64) {
        let (mut order, mut out) = (Reorder::default(), Vec::new());
        for &sequence in sequences {
            order.push(sequence, sequence);
            while let Some((item, _)) = order.pop(false) {
                out.push(item);
            }
        }
        while let Some((item, _)) = order.pop(true) {
            out.push(item);
        }
        (out, order.lost, order.reordered)
    }

    #[test]
    fn order_is_restored_and_losses_are_counted() {
        assert_eq!(through(&[65534, 0, 65535, 1]), (vec![65534, 65535, 0, 1], 0, 1));
        assert_eq!(through(&[1, 2, 4, 5]), (vec![1, 2, 4, 5], 1, 0));
        assert_eq!(through(&[1, 2, 2, 3]), (vec![1, 2, 3], 0, 1));
        assert_eq!(through(&[1, 2, 30000, 30001]), (vec![1, 2, 30000, 30001], 0, 0), "a new start");
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>) {
            let _ = Packet::parse(&bytes);
        }

        #[test]
        fn nothing_comes_twice_or_is_held_for_ever(sequences: Vec<u16>) {
            let (out, ..) = through(&sequences);
            prop_assert!(out.len() <= sequences.len());
        }
    }
}
