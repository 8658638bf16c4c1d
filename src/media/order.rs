//! RTP packets in the order they were sent. Times count from whatever moment the caller chose.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::rtp::Packet;

/// Packets held back at most while one before them is missing.
const WINDOW: usize = 32;
/// How long one is held back at most: what comes later is of no use to somebody who watches.
const PATIENCE: Duration = Duration::from_millis(50);
/// A jump of the sequence number beyond this is a new start, not a loss.
const MAX_JUMP: i64 = 3000;

/// A packet in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// The whole packet.
    pub bytes: Bytes,
    /// When it came.
    pub arrived: Duration,
    /// How many packets before it never came.
    pub lost: u64,
}

/// Puts the packets of one media in order: those of the declared payload type, or of the first other one until the declared
/// one arrives. Holds no more than [`WINDOW`] packets back.
#[derive(Debug)]
pub struct PacketOrder {
    declared: Option<u8>,
    foreign: Option<u8>,
    source: Option<u32>,
    order: Reorder<(Bytes, Duration)>,
    /// In order, and not handed on yet.
    ready: VecDeque<Ordered>,
    packets: u64,
    bytes: u64,
}

impl PacketOrder {
    /// For packets of that payload type; of any where none is declared.
    pub fn new(declared: Option<u8>) -> PacketOrder {
        PacketOrder {
            declared,
            foreign: None,
            source: None,
            order: Reorder::default(),
            ready: VecDeque::new(),
            packets: 0,
            bytes: 0,
        }
    }

    /// Takes a packet, header included; false for what is no RTP, RTCP, or of another payload type.
    pub fn push(&mut self, bytes: Bytes, arrived: Duration) -> bool {
        let Some(packet) = Packet::parse(&bytes).filter(|packet| self.accepts(packet.payload_type)) else {
            return false;
        };
        if self.source.replace(packet.ssrc).is_some_and(|before| before != packet.ssrc) {
            while let Some(packet) = self.in_order(None) {
                self.ready.push_back(packet);
            }
            self.order.restart();
        }
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(packet.payload.len() as u64);
        self.order.push(packet.sequence, (bytes.clone(), arrived));
        true
    }

    fn accepts(&mut self, payload_type: u8) -> bool {
        match self.declared {
            Some(declared) if declared != payload_type => {
                if self.packets == 0 {
                    self.foreign = Some(payload_type);
                }
                self.foreign == Some(payload_type)
            }
            _ => {
                self.foreign = None;
                true
            }
        }
    }

    /// The next packet in order at the time `now`. A missing one is waited for until [`WINDOW`] others came, or the one
    /// behind it is [`PATIENCE`] old.
    pub fn pop(&mut self, now: Duration) -> Option<Ordered> {
        self.ready.pop_front().or_else(|| self.in_order(Some(now)))
    }

    /// The next packet without waiting for missing ones: when nothing more will come.
    pub fn pop_last(&mut self) -> Option<Ordered> {
        self.ready.pop_front().or_else(|| self.in_order(None))
    }

    /// When [`PacketOrder::pop`] will give a packet although none comes meanwhile.
    pub fn due(&self) -> Option<Duration> {
        let (_, arrived) = self.order.first()?;
        Some(*arrived + PATIENCE)
    }

    fn in_order(&mut self, now: Option<Duration>) -> Option<Ordered> {
        let is_due = now.is_none_or(|now| self.due().is_some_and(|due| now >= due));
        let ((bytes, arrived), lost) = self.order.pop(is_due)?;
        Some(Ordered { bytes, arrived, lost })
    }

    /// Packets that came.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Their payload bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packets that never came.
    pub fn lost(&self) -> u64 {
        self.order.lost
    }

    /// Packets that came late or twice.
    pub fn reordered(&self) -> u64 {
        self.order.reordered
    }

    /// Packets that are held.
    pub fn held(&self) -> usize {
        self.order.held.len() + self.ready.len()
    }
}

/// Hands items on in the order of their sequence numbers; waits for a missing one until [`WINDOW`] others came.
#[derive(Debug)]
struct Reorder<T> {
    next: Option<i64>,
    held: BTreeMap<i64, T>,
    lost: u64,
    reordered: u64,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Reorder { next: None, held: BTreeMap::new(), lost: 0, reordered: 0 }
    }
}

impl<T> Reorder<T> {
    /// Takes one item; what is in order now comes out by [`Reorder::pop`].
    fn push(&mut self, sequence: u16, item: T) {
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

    /// The item that would come out next.
    fn first(&self) -> Option<&T> {
        self.held.values().next()
    }

    /// The next item in order and how many were lost before it; with `all` without waiting for the missing.
    fn pop(&mut self, all: bool) -> Option<(T, u64)> {
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
    fn restart(&mut self) {
        self.held.clear();
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    fn packet(payload_type: u8, sequence: u16, ssrc: u8) -> Bytes {
        let [s1, s0] = sequence.to_be_bytes();
        Bytes::from(vec![0x80, payload_type, s1, s0, 0, 0, 0, 0, 0, 0, 0, ssrc, 9])
    }

    fn sequence(ordered: &Ordered) -> u16 {
        Packet::parse(&ordered.bytes).unwrap().sequence
    }

    #[test]
    fn a_missing_packet_is_waited_for_no_longer_than_it_is_of_use() {
        let mut order = PacketOrder::new(Some(96));
        let at = Duration::from_millis;
        assert!(order.push(packet(96, 1, 1), at(0)) && order.push(packet(96, 3, 1), at(10)));
        assert_eq!(order.pop(at(10)).map(|p| sequence(&p)), Some(1));
        assert_eq!((order.pop(at(59)), order.due()), (None, Some(at(60))));
        let third = order.pop(at(60)).unwrap();
        assert_eq!((sequence(&third), third.lost, third.arrived), (3, 1, at(10)));
        assert!(order.push(packet(96, 2, 1), at(70)), "it comes after all");
        assert_eq!((order.pop_last(), order.lost(), order.reordered(), order.due()), (None, 1, 1, None));
    }

    #[test]
    fn the_declared_payload_type_is_preferred_to_the_first_other_one() {
        let mut order = PacketOrder::new(Some(96));
        let took: Vec<bool> = [97, 98, 97, 96, 97]
            .iter()
            .zip(1..)
            .map(|(&kind, n)| order.push(packet(kind, n, 1), Duration::ZERO))
            .collect();
        assert_eq!(took, [true, false, true, true, false]);
        assert!(!order.push(Bytes::from_static(b"no packet"), Duration::ZERO));
    }

    #[test]
    fn another_source_begins_another_order() {
        let mut order = PacketOrder::new(None);
        for (number, source) in [(10, 1), (12, 1), (5, 2), (6, 2)] {
            order.push(packet(96, number, source), Duration::ZERO);
        }
        let out: Vec<(u16, u64)> =
            std::iter::from_fn(|| order.pop(Duration::ZERO)).map(|p| (sequence(&p), p.lost)).collect();
        assert_eq!(out, [(10, 0), (12, 1), (5, 0), (6, 0)]);
    }

    proptest! {
        #[test]
        fn nothing_comes_twice_or_is_held_for_ever(sequences: Vec<u16>) {
            let (out, ..) = through(&sequences);
            prop_assert!(out.len() <= sequences.len());
        }

        /// Packets that are shuffled within the window come out as they were sent, over the wrap too.
        #[test]
        fn what_is_shuffled_within_the_window_is_put_right(
            start: u16,
            groups in proptest::collection::vec(Just((1..16u16).collect::<Vec<_>>()).prop_shuffle(), 1..20),
        ) {
            let shuffled = groups.iter().enumerate().flat_map(|(at, group)| group.iter().map(move |n| at as u16 * 15 + n));
            let sequences: Vec<u16> =
                std::iter::once(start).chain(shuffled.map(|n| start.wrapping_add(n))).collect();
            let (out, lost, _) = through(&sequences);
            let sent: Vec<u16> = (0..sequences.len() as u16).map(|n| start.wrapping_add(n)).collect();
            prop_assert_eq!((out, lost), (sent, 0));
        }

        #[test]
        fn whatever_comes_little_is_held(
            packets in proptest::collection::vec((any::<u16>(), 0u8..3, 0u64..100), 0..300),
        ) {
            let mut order = PacketOrder::new(None);
            let mut now = Duration::ZERO;
            for (number, source, ms) in packets {
                now += Duration::from_millis(ms);
                order.push(packet(96, number, source), now);
                while order.pop(now).is_some() {}
                prop_assert!(order.held() < WINDOW);
            }
            while order.pop_last().is_some() {}
            prop_assert_eq!(order.held(), 0);
        }
    }
}
