//! Sound: pieces of 20 ms of what has no frames of its own (G.711, G.722, PCM), frames of Opus and AAC; on a clock whose steps
//! are exact, since players stumble over the steps cameras make (Axis counts 953 and 964 samples where Opus has 960).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use super::{AacLayout, AccessUnit};
use crate::media::aac::AudioConfig;
use crate::media::bits::Bits;
use crate::media::format::{AudioFormat, Format};
use crate::media::order::Ordered;
use crate::media::rtp::Packet;
use crate::model::AudioCodec;

/// Frames of AAC believed to be in one packet.
const MAX_FRAMES: usize = 64;
/// Bytes one frame of AAC may have: 6144 bits a channel (ISO/IEC 14496-3 §4.5.3.3), and the widest size field.
const MAX_AAC: usize = 8192;
/// Bits a field of an AAC header may have: descriptions name any number.
const MAX_FIELD: u8 = 32;
/// Samples of one AAC frame.
const AAC_SAMPLES: u32 = 1024;

/// The sound of one media.
#[derive(Debug)]
pub(super) struct Sound {
    format: Arc<Format>,
    codec: AudioCodec,
    clock_rate: u32,
    layout: AacLayout,
    /// Bytes of 20 ms, for what is cut.
    piece: usize,
    /// Units of the clock an AAC frame takes.
    aac_ticks: u32,
    rest: BytesMut,
    /// How long the AAC frame in `rest` is to become.
    wanted: usize,
    clock: Steady,
    ready: VecDeque<AccessUnit>,
    dropped: u64,
}

/// Timestamps whose steps are the durations of what they belong to, as long as the stream's own are not half a second off.
#[derive(Debug, Default)]
struct Steady {
    next: Option<u32>,
}

impl Steady {
    /// The timestamp of what comes next, told to be `timestamp`.
    fn place(&mut self, timestamp: u32, clock_rate: u32) -> u32 {
        let tolerance = clock_rate / 2;
        let off = |next: u32| (timestamp.wrapping_sub(next) as i32).unsigned_abs();
        *self.next.insert(self.next.filter(|&next| off(next) <= tolerance).unwrap_or(timestamp))
    }

    /// It lasted so long.
    fn advance(&mut self, ticks: u32) {
        self.next = self.next.map(|next| next.wrapping_add(ticks));
    }
}

impl Sound {
    pub fn new(format: AudioFormat, layout: AacLayout) -> Sound {
        let clock_rate = format.clock_rate.max(1);
        // Descriptions name any number of channels; no camera has more than eight.
        let channels = usize::from(format.channels.clamp(1, 8));
        let bytes_per_tick = if format.codec == AudioCodec::Pcm { 2 * channels } else { channels };
        Sound {
            codec: format.codec,
            clock_rate,
            layout: AacLayout {
                size_bits: layout.size_bits.min(MAX_FIELD),
                index_bits: layout.index_bits.min(MAX_FIELD),
                delta_bits: layout.delta_bits.min(MAX_FIELD),
            },
            piece: (clock_rate / 50).clamp(1, 9600) as usize * bytes_per_tick,
            aac_ticks: aac_ticks(&format.config, clock_rate),
            format: Arc::new(Format::Audio(format)),
            rest: BytesMut::new(),
            wanted: 0,
            clock: Steady::default(),
            ready: VecDeque::new(),
            dropped: 0,
        }
    }

    pub fn push(&mut self, packet: &Packet<'_>, ordered: &Ordered) {
        if ordered.lost > 0 {
            self.restart();
        }
        if packet.payload.is_empty() {
            return;
        }
        match self.codec {
            AudioCodec::Pcmu | AudioCodec::Pcma | AudioCodec::G722 | AudioCodec::Pcm => {
                self.cut(packet, ordered.arrived)
            }
            AudioCodec::Opus => {
                let timestamp = self.clock.place(packet.timestamp, self.clock_rate);
                self.give(timestamp, ordered.arrived, Bytes::copy_from_slice(packet.payload));
                self.clock.advance(opus_ticks(packet.payload).unwrap_or(self.clock_rate / 50));
            }
            AudioCodec::Aac => {
                if self.push_aac(packet, ordered.arrived).is_none() {
                    self.dropped = self.dropped.saturating_add(1);
                    (self.wanted, self.rest) = (0, BytesMut::new());
                }
            }
            AudioCodec::G726 | AudioCodec::Mp3 => {}
        }
    }

    /// Pieces of 20 ms; what is left waits for the next packet.
    fn cut(&mut self, packet: &Packet<'_>, arrived: Duration) {
        let held = self.ticks(self.rest.len());
        let begins = packet.timestamp.wrapping_sub(held);
        let expected = self.clock.next;
        let mut timestamp = self.clock.place(begins, self.clock_rate);
        if expected != Some(timestamp) && !self.rest.is_empty() {
            // The clock was set: what is left is of another time.
            self.rest.clear();
            self.clock = Steady::default();
            timestamp = self.clock.place(packet.timestamp, self.clock_rate);
        }
        self.rest.extend_from_slice(packet.payload);
        while self.rest.len() >= self.piece {
            let piece = self.rest.split_to(self.piece).freeze();
            let ticks = self.ticks(piece.len());
            self.give(timestamp, arrived, piece);
            self.clock.advance(ticks);
            timestamp = timestamp.wrapping_add(ticks);
        }
    }

    /// Units of the clock that bytes of what is cut last.
    fn ticks(&self, bytes: usize) -> u32 {
        let ticks = bytes as u64 * u64::from(self.clock_rate / 50) / self.piece.max(1) as u64;
        u32::try_from(ticks).unwrap_or(0)
    }

    /// RFC 3640 §3.2: headers with sizes, then the frames; or part of one frame.
    fn push_aac(&mut self, packet: &Packet<'_>, arrived: Duration) -> Option<()> {
        let layout = self.layout;
        let (header_bits, mut rest) = packet.payload.split_first_chunk::<2>()?;
        let header_bits = usize::from(u16::from_be_bytes(*header_bits));
        let (headers, after) = rest.split_at_checked(header_bits.div_ceil(8))?;
        rest = after;
        let mut bits = Bits::new(headers);
        let mut timestamp = packet.timestamp;
        let mut read = 0;
        for number in 0..MAX_FRAMES {
            let width = layout.size_bits + if number == 0 { layout.index_bits } else { layout.delta_bits };
            if usize::from(width) == 0 || read + usize::from(width) > header_bits {
                break;
            }
            read += usize::from(width);
            let size = usize::try_from(bits.read(layout.size_bits.into())?).ok()?;
            // A size is always given: without `sizelength` there would be none.
            Some(size).filter(|size| (1..=MAX_AAC).contains(size))?;
            bits.skip(usize::from(width - layout.size_bits))?;
            if size > rest.len() || self.wanted > 0 {
                return self.push_fragment(size, rest, packet, arrived);
            }
            let (frame, after) = rest.split_at_checked(size)?;
            rest = after;
            self.give_aac(timestamp, arrived, Bytes::copy_from_slice(frame));
            timestamp = timestamp.wrapping_add(self.aac_ticks);
        }
        (read > 0).then_some(())
    }

    /// Part of one frame: each packet of it names the whole size.
    fn push_fragment(&mut self, size: usize, part: &[u8], packet: &Packet<'_>, arrived: Duration) -> Option<()> {
        if self.wanted != size {
            self.rest.clear();
        }
        self.wanted = size;
        self.rest.extend_from_slice(part);
        if self.rest.len() > size {
            return None;
        }
        if self.rest.len() == size {
            self.wanted = 0;
            let frame = self.rest.split().freeze();
            self.give_aac(packet.timestamp, arrived, frame);
        }
        Some(())
    }

    fn give_aac(&mut self, timestamp: u32, arrived: Duration, mut frame: Bytes) {
        // Some cameras leave the ADTS header in.
        if let Some(adts) = crate::media::aac::Adts::parse(&frame).filter(|adts| adts.frame_len == frame.len()) {
            frame.advance(adts.header_len);
        }
        if frame.is_empty() {
            return;
        }
        let timestamp = self.clock.place(timestamp, self.clock_rate);
        self.give(timestamp, arrived, frame);
        self.clock.advance(self.aac_ticks);
    }

    fn give(&mut self, timestamp: u32, arrived: Duration, part: Bytes) {
        let format = Arc::clone(&self.format);
        self.ready.push_back(AccessUnit { timestamp, arrived, key: false, damaged: false, parts: vec![part], format });
    }

    pub fn pop(&mut self) -> Option<AccessUnit> {
        self.ready.pop_front()
    }

    /// What is gathered is forgotten, and the clock read anew.
    pub fn restart(&mut self) {
        self.rest.clear();
        self.wanted = 0;
        self.clock = Steady::default();
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn format(&self) -> &Arc<Format> {
        &self.format
    }
}

/// Units of the clock a frame of AAC takes: 1024 samples of its core, which has half the rate where SBR doubles it.
fn aac_ticks(config: &[u8], clock_rate: u32) -> u32 {
    let core = AudioConfig::parse(config)
        .map_or(clock_rate, |config| if config.sbr { config.sample_rate_hz / 2 } else { config.sample_rate_hz });
    u32::try_from(u64::from(AAC_SAMPLES) * u64::from(clock_rate) / u64::from(core.max(1))).unwrap_or(AAC_SAMPLES)
}

/// How long a packet of Opus lasts, in samples at 48 kHz (RFC 6716 §3.1, §3.2); `None` beyond its 120 ms.
pub fn opus_ticks(packet: &[u8]) -> Option<u32> {
    let (&toc, rest) = packet.split_first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880].get(usize::from(config & 3))?,
        config @ 12..=15 => [480, 960].get(usize::from(config & 1))?,
        config => [120, 240, 480, 960].get(usize::from(config & 3))?,
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first()? & 0x3f),
    };
    Some(frame * frames).filter(|ticks| (1..=5760).contains(ticks))
}
