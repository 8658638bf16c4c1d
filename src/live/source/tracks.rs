//! What comes from a camera, made into frames of one clock.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::time::Instant as TokioInstant;

use crate::live::frame::Frame;
use crate::live::stream::Stream;
use crate::live::timeline::Timeline;
use crate::media::assemble::{AacLayout, Assembler};
use crate::media::format::AudioFormat;
use crate::media::order::Ordered;
use crate::model::{AudioCodec, VideoCodec};
use crate::protocol::rtsp::play::RtpPacket;
use crate::protocol::rtsp::sdp::Media;

/// The clocks of a stream's tracks, which go on over all its sessions.
pub(super) struct Clock {
    epoch: Instant,
    /// What the epoch is called, in units of 1/90,000 s.
    first: u64,
    video: Timeline,
    /// With the clock rate it is for.
    audio: Option<(u32, Timeline)>,
}

/// Units of a picture's RTP timestamps a second.
const VIDEO_CLOCK: u32 = 90_000;

impl Clock {
    /// One that begins now, and calls that moment `first`.
    pub fn starting_at(first: u64) -> Clock {
        let epoch = TokioInstant::now().into_std();
        Clock { epoch, first, video: Timeline::starting_at(VIDEO_CLOCK, epoch, first), audio: None }
    }

    /// Another session begins.
    pub fn restart(&mut self) {
        self.video.restart();
        if let Some((_, audio)) = &mut self.audio {
            audio.restart();
        }
    }

    /// The time since the clock's beginning.
    pub fn since(&self, at: TokioInstant) -> std::time::Duration {
        at.into_std().saturating_duration_since(self.epoch)
    }

    fn audio(&mut self, rate: u32) -> &mut Timeline {
        let begun = || (rate, Timeline::starting_at(rate, self.epoch, self.first));
        if self.audio.as_ref().is_some_and(|(known, _)| *known != rate) {
            self.audio = None;
        }
        &mut self.audio.get_or_insert_with(begun).1
    }

    /// A picture that came whole, without RTP.
    pub fn picture(&mut self, unit: crate::media::assemble::AccessUnit) -> Frame {
        let arrived = self.epoch + unit.arrived;
        let time = self.video.place(unit.timestamp, arrived, 0);
        Frame::new(unit, time, arrived)
    }
}

/// One media of a session.
pub(super) struct Track {
    assembler: Assembler,
    /// Of sound.
    clock_rate: Option<u32>,
    /// Access units left out in this session.
    dropped: u64,
}

impl Track {
    /// The picture of a session, if its codec can be shown.
    pub fn of_picture(media: &Media) -> Option<(Track, VideoCodec)> {
        let codec = media.video_codec()?;
        let assembler = Assembler::video(codec, &media.parameter_sets);
        let is_shown = !matches!(codec, VideoCodec::Mpeg4 | VideoCodec::Av1) && !media.is_encrypted();
        is_shown.then_some((Track { assembler, clock_rate: None, dropped: 0 }, codec))
    }

    /// The sound of a session and its form, if its codec can be heard.
    pub fn of_sound(media: &Media) -> Option<(Track, AudioFormat)> {
        let audio = media.audio.as_ref()?;
        let codec = audio.codec?;
        let default_rate = if codec == AudioCodec::Opus { 48_000 } else { 8000 };
        let clock_rate = media.clock_rate.filter(|rate| (4000..=192_000).contains(rate)).unwrap_or(default_rate);
        let config = media.fmtp.get("config").and_then(from_hex).unwrap_or_default();
        let is_heard = match codec {
            AudioCodec::Aac => !config.is_empty(),
            AudioCodec::Pcmu | AudioCodec::Pcma | AudioCodec::Opus | AudioCodec::G722 => true,
            AudioCodec::Pcm | AudioCodec::G726 | AudioCodec::Mp3 => false,
        };
        if !is_heard || media.is_encrypted() {
            return None;
        }
        let bits = |key: &str, usual: u8| media.fmtp.get(key).and_then(|v| v.parse().ok()).unwrap_or(usual);
        let layout = AacLayout {
            size_bits: bits("sizelength", 13),
            index_bits: bits("indexlength", 3),
            delta_bits: bits("indexdeltalength", 3),
        };
        let channels = media.channels.or(audio.channels).unwrap_or(1).max(1);
        let format = AudioFormat { codec, clock_rate, channels, config };
        let assembler = Assembler::audio(format.clone(), layout);
        Some((Track { assembler, clock_rate: Some(clock_rate), dropped: 0 }, format))
    }

    /// Takes a packet and hands on what it completes; how many frames that were.
    pub fn push(&mut self, packet: RtpPacket, clock: &mut Clock, stream: &Arc<Stream>) -> usize {
        let arrived = clock.since(packet.arrived);
        self.assembler.push(&Ordered { bytes: packet.payload, arrived, lost: packet.lost });
        let mut frames = 0;
        while let Some(unit) = self.assembler.pop() {
            let at = clock.epoch + unit.arrived;
            let time = match self.clock_rate {
                None => clock.video.place(unit.timestamp, at, self.assembler.reorder_depth()),
                Some(rate) => clock.audio(rate).place(unit.timestamp, at, 0),
            };
            stream.push(Frame::new(unit, time, at));
            frames += 1;
        }
        if frames > 0 && self.clock_rate.is_none() {
            stream.note_order(self.assembler.reorder_depth() > 0, self.assembler.is_without_idr());
        }
        frames
    }

    /// Frames left out since this was last asked.
    pub fn newly_dropped(&mut self) -> u64 {
        let all = self.assembler.dropped();
        all.saturating_sub(std::mem::replace(&mut self.dropped, all))
    }
}

/// The bytes of an `AudioSpecificConfig` as `fmtp` writes it.
fn from_hex(text: &str) -> Option<Bytes> {
    /// The longest there is has a program config element; 64 bytes are far beyond it.
    const MOST: usize = 64;
    let digits = text.trim().trim_matches('"').as_bytes();
    if digits.is_empty() || digits.len() > 2 * MOST || digits.len() % 2 == 1 {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = |pair: &[u8]| Some((digit(pair.first()?)? * 16 + digit(pair.get(1)?)?) as u8);
    digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_from_hex() {
        assert_eq!(from_hex("1408").unwrap(), &[0x14, 0x08][..]);
        assert_eq!(from_hex("\"14aF\"").unwrap(), &[0x14, 0xaf][..]);
        for broken in ["", "1", "12g4", "é1"] {
            assert_eq!(from_hex(broken), None, "{broken}");
        }
        assert_eq!(from_hex(&"ab".repeat(65)), None);
    }
}
