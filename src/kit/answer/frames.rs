//! The packets of streams, again and again: numbers and times go on where the last lap ended (RFC 3550 §5.1).

use std::collections::HashMap;
use std::time::Duration;

use crate::kit::format::Frame;

/// What changes from lap to lap for one source.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Source {
    packets: u16,
    first: u32,
    last: u32,
    /// Times that differ.
    pictures: u32,
}

/// Packets in laps without end.
#[derive(Debug, Clone, PartialEq)]
pub struct Laps {
    frames: Vec<Frame>,
    sources: HashMap<usize, Source>,
    length: Duration,
}

impl Laps {
    /// Of these packets.
    pub fn new(mut frames: Vec<Frame>) -> Laps {
        frames.sort_by_key(|frame| frame.after_ms);
        let mut sources: HashMap<usize, Source> = HashMap::new();
        for frame in frames.iter().filter(|frame| !frame.rtcp) {
            let Some(time) = time(&frame.bytes.0) else { continue };
            let source = sources.entry(frame.track).or_insert(Source { first: time, last: time, ..Source::default() });
            source.packets = source.packets.wrapping_add(1);
            if source.last != time {
                source.pictures += 1;
            }
            source.last = time;
        }
        let last = frames.last().map_or(0, |frame| frame.after_ms);
        let first = frames.first().map_or(0, |frame| frame.after_ms);
        let pictures = sources.values().map(|s| u64::from(s.pictures)).max().unwrap_or(0).max(1);
        // A lap is longer than its packets by as much as lies between two pictures.
        let length = Duration::from_millis(last + ((last - first) / pictures).max(1));
        Laps { frames, sources, length }
    }

    /// The payload types of the first packets of the tracks 0 and 1.
    pub fn payload_types(&self) -> [Option<u8>; 2] {
        [0, 1].map(|track| {
            let first = self.frames.iter().find(|frame| frame.track == track && !frame.rtcp)?;
            first.bytes.0.get(1).map(|byte| byte & 0x7f)
        })
    }

    /// Whether there is nothing to send, or too little to go on with.
    pub fn ends(&self) -> bool {
        self.frames.len() < 2 || self.length < Duration::from_millis(20)
    }

    /// The `number`th packet: when it comes after PLAY, on which track, whether it is RTCP, and the packet. None behind the
    /// last of a stream that is not repeated.
    pub fn packet(&self, number: usize) -> Option<(Duration, usize, bool, Vec<u8>)> {
        let lap = number.checked_div(self.frames.len())?;
        if lap > 0 && self.ends() {
            return None;
        }
        let frame = self.frames.get(number % self.frames.len())?;
        let mut bytes = frame.bytes.0.clone();
        let lap_u32 = u32::try_from(lap).unwrap_or(u32::MAX);
        if let Some(source) = self.sources.get(&frame.track).filter(|_| !frame.rtcp && lap > 0) {
            source.shift(&mut bytes, lap_u32);
        }
        let at = self.length.saturating_mul(lap_u32) + Duration::from_millis(frame.after_ms);
        Some((at, frame.track, frame.rtcp, bytes))
    }
}

impl Source {
    fn shift(&self, packet: &mut [u8], lap: u32) {
        let whole = self.last.wrapping_sub(self.first);
        // Times that run backwards are left alone.
        let span = if whole > u32::MAX / 2 { 0 } else { whole + whole / self.pictures.max(1) };
        let numbers = u32::from(self.packets).wrapping_mul(lap) & 0xffff;
        if let Some(&[s1, s0, t3, t2, t1, t0]) = packet.get(2..).and_then(<[u8]>::first_chunk::<6>) {
            let number = u16::from_be_bytes([s1, s0]).wrapping_add(u16::try_from(numbers).unwrap_or(0)).to_be_bytes();
            let time = u32::from_be_bytes([t3, t2, t1, t0]).wrapping_add(span.wrapping_mul(lap)).to_be_bytes();
            if let Some(place) = packet.get_mut(2..8) {
                place.copy_from_slice(&[number.as_slice(), &time].concat());
            }
        }
    }
}

fn time(packet: &[u8]) -> Option<u32> {
    packet.get(4..8)?.first_chunk::<4>().map(|time| u32::from_be_bytes(*time))
}
