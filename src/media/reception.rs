//! How well one RTP stream is received: losses, jitter, and what a receiver report says of it (RFC 3550 §6.4, A.1, A.3,
//! A.8). Times count from whatever moment the caller chose.

use std::time::Duration;

use super::rtcp::{ReportBlock, SenderInfo};

/// Packets in sequence before a source is believed to be one (RFC 3550 A.1).
const MIN_SEQUENTIAL: u32 = 2;
/// A sequence number further ahead than this is a restart of the sender.
const MAX_DROPOUT: u16 = 3000;
/// A sequence number no further behind than this is a packet that comes late.
const MAX_MISORDER: u16 = 100;

/// The least time between two reports of one participant (RFC 3550 §6.2).
const LEAST_INTERVAL: Duration = Duration::from_secs(5);

/// How long to wait before the next report: five seconds, half of that before the first, half more or less by chance, and
/// divided by what compensates for reconsideration (RFC 3550 §6.2, §6.3.1). `chance` is 0 to 1. Of the two participants
/// of a camera's session the reports are so few that the share of the bandwidth they may take never matters.
pub fn report_interval(is_first: bool, chance: f64) -> Duration {
    let least = if is_first { LEAST_INTERVAL / 2 } else { LEAST_INTERVAL };
    least.mul_f64((0.5 + chance.clamp(0.0, 1.0)) / (std::f64::consts::E - 1.5))
}

/// What has been received of one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Reception {
    clock_rate: f64,
    source: Option<Source>,
}

#[derive(Debug, Clone, PartialEq)]
struct Source {
    ssrc: u32,
    sequence: Sequence,
    jitter: Jitter,
    /// The middle of the NTP time of the last sender report, and when it came.
    last_report: Option<(u32, Duration)>,
}

impl Reception {
    /// Of a stream whose timestamps have `clock_rate` units a second.
    pub fn new(clock_rate: u32) -> Reception {
        Reception { clock_rate: f64::from(clock_rate.max(1)), source: None }
    }

    /// Takes note of a packet. Another source than before begins anew.
    pub fn packet(&mut self, ssrc: u32, sequence: u16, timestamp: u32, arrived: Duration) {
        let rate = self.clock_rate;
        let source = match &mut self.source {
            Some(source) if source.ssrc == ssrc => source,
            other => other.insert(Source {
                ssrc,
                sequence: Sequence::starting_at(sequence),
                jitter: Jitter::default(),
                last_report: None,
            }),
        };
        if source.sequence.update(sequence) {
            // The clock of the arrivals wraps as that of the timestamps does.
            source.jitter.update((arrived.as_secs_f64() * rate) as u64 as u32, timestamp);
        }
    }

    /// Takes note of a sender report of that source.
    pub fn sender_report(&mut self, ssrc: u32, info: &SenderInfo, arrived: Duration) {
        if let Some(source) = self.source.as_mut().filter(|source| source.ssrc == ssrc) {
            source.last_report = Some(((info.ntp >> 16) as u32, arrived));
        }
    }

    /// Forgets the source when it says goodbye; whether it was this one.
    pub fn goodbye(&mut self, ssrc: u32) -> bool {
        self.source.take_if(|source| source.ssrc == ssrc).is_some()
    }

    /// What a receiver report says now; the next one counts losses from here. None before anything was received.
    pub fn report(&mut self, now: Duration) -> Option<ReportBlock> {
        let source = self.source.as_mut().filter(|source| source.sequence.is_valid())?;
        let since = source.last_report.map(|(_, at)| now.saturating_sub(at).as_secs_f64() * 65_536.0);
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: source.sequence.fraction_lost(),
            lost: source.sequence.lost(),
            highest_sequence: source.sequence.highest(),
            jitter: source.jitter.rounded(),
            last_report: source.last_report.map_or(0, |(middle, _)| middle),
            since_last_report: since.map_or(0, |since| since as u32),
        })
    }

    /// The jitter between arrivals, in seconds.
    pub fn jitter_s(&self) -> f64 {
        self.source.as_ref().map_or(0.0, |source| f64::from(source.jitter.rounded()) / self.clock_rate)
    }
}

/// The sequence numbers of a source: validity, wrap-around, losses (RFC 3550 A.1, A.3).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sequence {
    max: u16,
    /// How often it wrapped, in the upper half.
    cycles: u32,
    base: u32,
    /// The number that would make a jump a restart.
    restart_at: Option<u16>,
    probation: u32,
    received: u32,
    expected_before: u32,
    received_before: u32,
}

impl Sequence {
    fn starting_at(sequence: u16) -> Sequence {
        Sequence { max: sequence.wrapping_sub(1), probation: MIN_SEQUENTIAL, ..Sequence::restarted(sequence) }
    }

    fn restarted(sequence: u16) -> Sequence {
        Sequence {
            max: sequence,
            cycles: 0,
            base: u32::from(sequence),
            restart_at: None,
            probation: 0,
            received: 0,
            expected_before: 0,
            received_before: 0,
        }
    }

    fn is_valid(&self) -> bool {
        self.probation == 0
    }

    /// Takes a packet's number; false while the source is not believed yet, and for a jump that nothing confirms.
    fn update(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.max);
        if self.probation > 0 {
            self.probation = if ahead == 1 { self.probation - 1 } else { MIN_SEQUENTIAL - 1 };
            self.max = sequence;
            if self.probation > 0 {
                return false;
            }
            *self = Sequence::restarted(sequence);
        } else if ahead < MAX_DROPOUT {
            if sequence < self.max {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.max = sequence;
        } else if ahead <= 0u16.wrapping_sub(MAX_MISORDER) {
            if self.restart_at != Some(sequence) {
                self.restart_at = Some(sequence.wrapping_add(1));
                return false;
            }
            // Two in sequence after a jump: the sender began anew and kept its name.
            *self = Sequence::restarted(sequence);
        }
        self.received = self.received.wrapping_add(1);
        true
    }

    fn highest(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.max))
    }

    fn expected(&self) -> u32 {
        self.highest().wrapping_sub(self.base).wrapping_add(1)
    }

    fn lost(&self) -> i32 {
        (self.expected().wrapping_sub(self.received) as i32).clamp(-0x80_0000, 0x7f_ffff)
    }

    /// The part lost since this was last asked for, in 256ths.
    fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected().wrapping_sub(self.expected_before);
        let received = self.received.wrapping_sub(self.received_before);
        (self.expected_before, self.received_before) = (self.expected(), self.received);
        let lost = i64::from(expected) - i64::from(received);
        if expected == 0 || lost <= 0 {
            return 0;
        }
        u8::try_from((lost << 8) / i64::from(expected)).unwrap_or(u8::MAX)
    }
}

/// The mean deviation of the time between arrivals from that between timestamps (RFC 3550 §6.4.1, A.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Jitter {
    transit: Option<u32>,
    /// In 16ths, so that rounding does not add up.
    sixteenths: u32,
}

impl Jitter {
    fn update(&mut self, arrived: u32, timestamp: u32) {
        let transit = arrived.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let deviation = (transit.wrapping_sub(before) as i32).unsigned_abs();
            let decay = self.sixteenths.saturating_add(8) >> 4;
            self.sixteenths = self.sixteenths.saturating_add(deviation).saturating_sub(decay);
        }
    }

    fn rounded(&self) -> u32 {
        self.sixteenths >> 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn received(sequences: impl IntoIterator<Item = u16>) -> Reception {
        let mut reception = Reception::new(90_000);
        for (number, sequence) in sequences.into_iter().enumerate() {
            let at = number as u32 * 3600;
            reception.packet(7, sequence, at, Duration::from_secs_f64(f64::from(at) / 90_000.0));
        }
        reception
    }

    fn report(reception: &mut Reception) -> ReportBlock {
        reception.report(Duration::from_secs(100)).unwrap()
    }

    #[test]
    fn a_source_is_believed_after_two_packets_in_sequence() {
        assert_eq!(received([5]).report(Duration::ZERO), None);
        assert_eq!(received([5, 9, 20]).report(Duration::ZERO), None);
        let block = report(&mut received([5, 9, 10, 11]));
        assert_eq!((block.highest_sequence, block.lost), (11, 0));
    }

    #[test]
    fn the_sequence_wraps_and_losses_are_counted_over_it() {
        let mut reception = received((65_530..=65_535).chain(0..10).filter(|&s| s != 65_533 && s != 3));
        let block = report(&mut reception);
        assert_eq!((block.highest_sequence, block.lost), ((1 << 16) + 9, 2));
        // 15 were expected since 65,531, of which 2 are missing.
        assert_eq!(block.fraction_lost, (2 * 256 / 15) as u8);
        assert_eq!(report(&mut reception).fraction_lost, 0, "since the report before");
    }

    #[test]
    fn late_and_doubled_packets_count_as_received() {
        let block = report(&mut received([1, 2, 3, 5, 4, 6, 6, 6]));
        assert_eq!((block.lost, block.fraction_lost), (-2, 0));
    }

    #[test]
    fn a_jump_that_is_not_confirmed_is_passed_over_and_one_that_is_begins_anew() {
        let block = report(&mut received([1, 2, 3, 40_000, 4, 5]));
        assert_eq!((block.highest_sequence, block.lost), (5, 0));
        let block = report(&mut received([1, 2, 3, 40_000, 40_001, 40_002]));
        assert_eq!((block.highest_sequence, block.lost), (40_002, 0));
    }

    /// The recurrence of RFC 3550 §6.4.1, J += (|D| − J) / 16, in whole numbers as A.8 has it.
    #[test]
    fn jitter_follows_the_recurrence() {
        let mut jitter = Jitter::default();
        for (arrived, timestamp) in [(0, 0), (3600, 3600), (7360, 7200), (10_800, 10_800)] {
            jitter.update(arrived, timestamp);
        }
        // D is 0, 160 and 160: 160 in 16ths; then 160 − (160 + 8) / 16 + 160.
        assert_eq!((jitter.sixteenths, jitter.rounded()), (310, 19));
        let mut steady = Jitter::default();
        (0u32..500).for_each(|n| steady.update(n.wrapping_mul(3600).wrapping_add(n % 2 * 160), n.wrapping_mul(3600)));
        assert!((158..=160).contains(&steady.rounded()), "it settles at the deviation: {}", steady.rounded());
    }

    /// The times of RFC 3550 figure 2: a report of NTP 0xb44d.b7052000 heard 5.25 s ago is b705:2000 and 0005:4000.
    #[test]
    fn the_last_report_and_the_time_since_as_in_figure_two() {
        let mut reception = received([1, 2, 3]);
        let info = SenderInfo { ntp: 0xb44d_b705_2000_0000, ..SenderInfo::default() };
        reception.sender_report(7, &info, Duration::from_secs(10));
        reception.sender_report(8, &SenderInfo::default(), Duration::from_secs(11));
        let block = reception.report(Duration::from_millis(15_250)).unwrap();
        assert_eq!((block.last_report, block.since_last_report), (0xb705_2000, 0x0005_4000));
        assert!(!reception.goodbye(8) && reception.goodbye(7));
        assert_eq!(reception.report(Duration::from_secs(16)), None);
    }

    #[test]
    fn reports_are_five_seconds_apart_give_or_take() {
        assert!(report_interval(true, 0.0) >= Duration::from_secs(1));
        for chance in [0.0, 0.3, 1.0] {
            let interval = report_interval(false, chance);
            assert!((Duration::from_secs(2)..Duration::from_millis(6200)).contains(&interval), "{interval:?}");
            assert!(report_interval(true, chance).abs_diff(interval / 2) < Duration::from_micros(1));
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_the_counts_stay_within_their_bits(
            packets: Vec<(u32, u16, u32, u32)>,
        ) {
            let mut reception = Reception::new(8000);
            for (ssrc, sequence, timestamp, ms) in packets {
                reception.packet(ssrc % 2, sequence, timestamp, Duration::from_millis(ms.into()));
                if let Some(block) = reception.report(Duration::from_millis(ms.into())) {
                    prop_assert!((-0x80_0000..=0x7f_ffff).contains(&block.lost));
                }
            }
        }

        /// Without a loss none is counted, wherever the numbers begin.
        #[test]
        fn nothing_is_lost_of_what_all_came(start: u16, count in 2u16..20_000) {
            let block = report(&mut received((0..count).map(|n| start.wrapping_add(n))));
            prop_assert_eq!((block.lost, block.fraction_lost), (0, 0));
        }
    }
}
