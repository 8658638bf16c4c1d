//! Measures a playing stream: RTP packets with their arrival times in, frames per second, bit rate, key frames and the
//! parameters that really came out. No clock of its own: times are counted from whatever moment the caller chose.
//!
//! Frames are counted by timestamps and key frames told by a glimpse into each payload, so that no strictness costs a
//! stream; [`KeyFrames`] makes the whole frames a snapshot needs.

use std::time::Duration;

use super::sdp::Media;
use super::sdp::codec::from_parameter_sets;
use crate::media::key_frame::KeyFrames;
use crate::media::merge::{self, Declarer};
use crate::media::payload::{Glimpse, glimpse};
use crate::media::picture::Picture;
use crate::media::rtp::Packet;
use crate::media::{h264, h265};
use crate::model::{Audio, Video, VideoCodec};

mod inner;
mod list;
mod measured;

use inner::Inner;
use list::{Frame, Frames};
pub use measured::Measured;

/// Bytes of one parameter set that are kept.
const MAX_SET: usize = 4096;
/// Frames by whose timestamps it can be told that they do not follow time.
const FEWEST_COMPARED: u32 = 8;

/// Measures one media.
pub struct Meter {
    codec: Option<VideoCodec>,
    declared: Option<Video>,
    sound: Option<Audio>,
    payload_type: Option<u8>,
    /// The payload type that comes instead of the declared one.
    foreign_payload_type: Option<u8>,
    source: Option<u32>,
    frames: Frames,
    sets: ParameterSets,
    key_frames: Option<KeyFrames>,
    inner: Option<Inner>,
    seen: Seen,
}

/// What the stream says of its own picture.
#[derive(Default)]
struct ParameterSets {
    /// The last of each kind that came in band.
    units: Vec<Vec<u8>>,
    /// Width and height, where the payload format itself carries them.
    size: Option<(u32, u32)>,
}

impl ParameterSets {
    /// Keeps what a payload shows; whether a set is new.
    fn learn(&mut self, codec: VideoCodec, shown: &Glimpse<'_>) -> bool {
        self.size = shown.size.or(self.size);
        let kind = |set: &[u8]| match codec {
            VideoCodec::H264 => h264::nal_type(set),
            VideoCodec::H265 => h265::nal_type(set),
            _ => 0,
        };
        let mut is_new = false;
        for &set in &shown.parameter_sets {
            if set.len() <= MAX_SET && !self.units.iter().any(|known| known == set) {
                self.units.retain(|known| kind(known) != kind(set));
                self.units.push(set.to_vec());
                is_new = true;
            }
        }
        is_new
    }
}

/// What was seen so far; times count from the caller's zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// When the first packet came.
    pub first_rtp: Option<Duration>,
    /// When the first whole frame was complete.
    pub first_frame: Option<Duration>,
    /// When the first whole key frame was complete.
    pub first_keyframe: Option<Duration>,
    /// When the last packet came.
    pub last_rtp: Option<Duration>,
    /// Packets.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Frames whose beginning came, whole or not.
    pub frames: u64,
    /// Key frames, whole or not.
    pub keyframes: u64,
    /// Packets that never came.
    pub lost: u64,
}

impl Meter {
    /// A meter of that media.
    pub fn new(media: &Media) -> Meter {
        let codec = media.video_codec();
        Meter {
            codec,
            declared: media.video.clone(),
            sound: media.audio.clone(),
            payload_type: media.payload_type,
            foreign_payload_type: None,
            source: None,
            frames: Frames::new(f64::from(media.timestamp_rate())),
            sets: ParameterSets::default(),
            key_frames: codec.map(|codec| KeyFrames::new(codec, media.parameter_sets.clone())),
            inner: media.encoding.as_deref().filter(|e| Inner::is_carried_by(e)).map(|_| Inner::default()),
            seen: Seen::default(),
        }
    }

    /// The same for packets whose payload cannot be read: they are counted and timed.
    pub fn of_encrypted(mut self) -> Meter {
        (self.codec, self.key_frames) = (None, None);
        self
    }

    /// Takes the next RTP packet in order, header included; `lost` packets before it never came. What is no RTP, or RTCP,
    /// is passed over.
    pub fn push(&mut self, packet: &[u8], arrived: Duration, lost: u64) {
        let Some(packet) = Packet::parse(packet) else { return };
        self.note(&packet, arrived, lost);
        let at = self.frames.place(packet.timestamp);
        let shown = match self.codec {
            Some(codec) => glimpse(codec, packet.payload),
            None => Glimpse { picture: true, begins: true, ..Glimpse::default() },
        };
        if let Some(codec) = self.codec
            && self.sets.learn(codec, &shown)
            && let Some(key_frames) = &mut self.key_frames
        {
            key_frames.learn(&self.sets.units);
        }
        if let Some(key_frames) = &mut self.key_frames {
            key_frames.push(&packet, at, lost);
        }
        if let Some(inner) = &mut self.inner {
            inner.push(packet.payload, arrived);
            self.see_inner();
        }
        self.frames.take(&packet, at, arrived, &shown, lost, &mut self.seen);
    }

    /// Counts a packet, and sees who sends it and as what.
    fn note(&mut self, packet: &Packet<'_>, arrived: Duration, lost: u64) {
        let is_foreign = self.payload_type.is_some_and(|declared| declared != packet.payload_type);
        if self.foreign_payload_type.is_some() && !is_foreign {
            // What came before the declared type is another format's.
            self.frames.clear();
        }
        self.foreign_payload_type = Some(packet.payload_type).filter(|_| is_foreign);
        if self.source.replace(packet.ssrc).is_some_and(|before| before != packet.ssrc) {
            self.frames.begin_run();
        }
        self.seen.first_rtp.get_or_insert(arrived);
        self.seen.last_rtp = self.seen.last_rtp.max(Some(arrived));
        self.seen.packets += 1;
        self.seen.bytes += packet.payload.len() as u64;
        self.seen.lost += lost;
    }

    /// The last frame is as whole as it will be: call it when nothing more will come.
    pub fn finish(&mut self) {
        let at = self.seen.last_rtp.unwrap_or_default();
        self.frames.complete_last(at, &mut self.seen);
        if let Some(inner) = &mut self.inner {
            inner.look(at);
        }
        self.see_inner();
    }

    fn see_inner(&mut self) {
        self.seen.first_keyframe = self.seen.first_keyframe.or(self.inner.as_ref().and_then(Inner::key_at));
    }

    /// Whether a key frame can be told from others: not of a codec that is not known.
    pub fn tells_key_frames(&self) -> bool {
        self.codec.is_some()
            || self.inner.as_ref().is_some_and(|i| i.seen().video.as_ref().is_some_and(|v| v.codec.is_some()))
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// Whether measuring may stop: a whole key frame came, and either `measure_time` passed since the first frame or two
    /// key frames over at least a second (or `measure_time`, if that is shorter) tell their interval. For codecs whose
    /// key frames cannot be told, the time alone decides. A stream that stays silent is for the caller's deadline.
    pub fn enough(&self, measure_time: Duration) -> bool {
        let (Some(first), Some(last)) = (self.seen.first_frame, self.seen.last_rtp) else { return false };
        let lasted = last.saturating_sub(first);
        if self.codec.is_none() {
            // The picture inside a transport stream is known by its key frame.
            let is_known = self.inner.as_ref().is_none_or(|inner| inner.key_at().is_some());
            return is_known && lasted >= measure_time;
        }
        let short = measure_time.min(Duration::from_secs(1));
        let spans = || self.measured().rates.span_s >= short.as_secs_f64();
        let two = self.seen.keyframes >= 2 && lasted >= short / 2 && spans();
        self.seen.first_keyframe.is_some() && (lasted >= measure_time || two)
    }

    /// The picture as it really came: parameter sets and sizes of the stream beat those of the SDP, and the measured
    /// rates are filled in. None for a media that is no video.
    pub fn video(&self) -> Option<Video> {
        let declared = self.declared.clone()?;
        let rates = self.measured().rates;
        Some(Video {
            measured_fps: rates.fps,
            measured_kbps: rates.kbps,
            keyframe_interval_s: rates.keyframe_interval_s,
            ..merge::over(declared, self.came())
        })
    }

    /// What the packets themselves say of the picture.
    fn came(&self) -> Video {
        if let Some(inner) = &self.inner {
            return inner.seen().video.clone().unwrap_or_default();
        }
        let sets = self.sets.units.iter().map(Vec::as_slice);
        let mut came = self.codec.map(|codec| from_parameter_sets(codec, sets)).unwrap_or_default();
        if came.width.is_none() {
            (came.width, came.height) = self.sets.size.unzip();
        }
        came
    }

    /// The sound with what was measured of it: of a media that is sound, or that carries some beside its picture.
    pub fn audio(&self) -> Option<Audio> {
        let Some(declared) = &self.sound else {
            // Its rate is its own; the packets carry the picture too.
            return self.inner.as_ref()?.seen().audio.clone();
        };
        let (measured_kbps, measured_packets) = (self.measured().rates.kbps, Some(self.seen.packets));
        Some(Audio { measured_kbps, measured_packets, ..declared.clone() })
    }

    /// The last whole picture that needs no other, for a snapshot.
    pub fn picture(&self) -> Option<&Picture> {
        match &self.inner {
            Some(inner) => inner.seen().picture.as_ref(),
            None => self.key_frames.as_ref()?.last(),
        }
    }

    /// The same, taken out.
    pub fn take_picture(&mut self) -> Option<Picture> {
        match &mut self.inner {
            Some(inner) => inner.take_picture(),
            None => self.key_frames.as_mut()?.take_last(),
        }
    }

    /// Bytes of the stream that are held.
    pub fn held(&self) -> usize {
        self.inner.as_ref().map_or(0, Inner::held) + self.key_frames.as_ref().map_or(0, KeyFrames::held)
    }

    /// Gathers no more pictures; frames are counted and timed as before.
    pub fn stop_gathering(&mut self) {
        self.key_frames.iter_mut().for_each(KeyFrames::stop);
        self.inner.iter_mut().for_each(Inner::stop);
    }

    /// Where what came contradicts what was declared, in words for the operator.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let measured = self.measured();
        if let (Some(declared), Some(video)) = (&self.declared, self.video()) {
            let wrong = merge::contradictions(Declarer::Description, declared, &video);
            let wrong = wrong.into_iter().chain(merge::contradicted_rate(&video, &measured.rates));
            warnings.extend(wrong.map(|contradiction| contradiction.to_string()));
        }
        if measured.by_arrival && measured.rates.frames >= FEWEST_COMPARED {
            warnings.push("RTP timestamps do not follow time; rates are measured by arrival".to_owned());
        }
        if let (Some(came), Some(declared)) = (self.foreign_payload_type, self.payload_type) {
            warnings.push(format!("packets have payload type {came}, the SDP says {declared}"));
        }
        if self.seen.lost > 0 {
            let all = self.seen.packets.saturating_add(self.seen.lost);
            warnings.push(format!("{} of {all} packets were lost", self.seen.lost));
        }
        warnings
    }
}

#[cfg(test)]
mod tests;
