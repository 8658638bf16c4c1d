//! Measures a playing stream: RTP packets with their arrival times in, frames per second, bit rate, key frames and the
//! parameters that really came out. No clock of its own: times are counted from whatever moment the caller chose.
//!
//! Frames are counted by timestamps and key frames told by a glimpse into each payload, so that no strictness costs a
//! stream; retina's depacketizers make the whole frames a snapshot needs.

use std::time::Duration;

use super::sdp::codec::from_parameter_sets;
use super::sdp::{Media, rounded};
use crate::media::payload::{Glimpse, glimpse};
use crate::media::picture::Picture;
use crate::media::rtp::{Packet, Reorder};
use crate::media::{h264, h265};
use crate::model::{Audio, Video, VideoCodec};

mod inner;
mod measured;
mod picture;

use inner::Inner;
use measured::Marks;
pub use measured::Measured;
use picture::Pictures;

/// Frames kept for measuring; at 60 a second 11 minutes.
const MAX_FRAMES: usize = 40_000;
/// A timestamp that jumps further than this, in seconds, begins a new timeline.
const MAX_GAP_S: f64 = 10.0;
/// What has to be seen before a measured rate is held against a declared one.
const MIN_COMPARED: (Duration, usize) = (Duration::from_secs(1), 8);

/// Measures one media.
pub struct Meter {
    codec: Option<VideoCodec>,
    declared: Option<Video>,
    sound: Option<Audio>,
    clock_rate: f64,
    payload_type: Option<u8>,
    foreign_payload_type: Option<u8>,
    order: Reorder<(Vec<u8>, Duration)>,
    source: Option<u32>,
    timeline: Timeline,
    frames: Vec<Frame>,
    /// Whether parameter sets came since the last picture.
    sets_before: bool,
    sets: Vec<Vec<u8>>,
    size: Option<(u32, u32)>,
    pictures: Option<Pictures>,
    inner: Option<Inner>,
    seen: Seen,
    marks: Marks,
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
    /// Packets that came late or twice.
    pub reordered: u64,
}

/// One frame: packets of one timestamp.
struct Frame {
    timestamp: i64,
    /// Number of the timeline it belongs to.
    run: u32,
    arrived: Duration,
    bytes: usize,
    picture: bool,
    begun: bool,
    counted: bool,
    key: bool,
    damaged: bool,
    complete: bool,
}

/// Unwraps timestamps; a jump begins a new run.
#[derive(Default)]
struct Timeline {
    last: Option<i64>,
    run: u32,
}

impl Timeline {
    fn place(&mut self, timestamp: u32, max_gap: f64) -> i64 {
        let placed = match self.last {
            Some(last) => {
                let step = i64::from(timestamp.wrapping_sub(last as u32) as i32);
                if step.unsigned_abs() as f64 > max_gap {
                    self.run += 1;
                }
                last.saturating_add(step)
            }
            None => i64::from(timestamp),
        };
        self.last = Some(placed);
        placed
    }
}

impl Meter {
    /// A meter of that media.
    pub fn new(media: &Media) -> Meter {
        let codec = media.video_codec();
        Meter {
            codec,
            declared: media.video.clone(),
            sound: media.audio.clone(),
            clock_rate: f64::from(media.clock_rate.filter(|&rate| rate >= 1000).unwrap_or(90_000)),
            payload_type: media.payload_type,
            foreign_payload_type: None,
            order: Reorder::default(),
            source: None,
            timeline: Timeline::default(),
            frames: Vec::new(),
            sets_before: false,
            sets: Vec::new(),
            size: None,
            pictures: codec.map(|codec| Pictures::new(codec, media.parameter_sets.clone())),
            inner: media.encoding.as_deref().filter(|e| Inner::is_carried_by(e)).map(|_| Inner::default()),
            seen: Seen::default(),
            marks: Marks::default(),
        }
    }

    /// The same for packets whose payload cannot be read: they are counted and timed.
    pub fn of_encrypted(mut self) -> Meter {
        (self.codec, self.pictures) = (None, None);
        self
    }

    /// Takes one RTP packet, header included. What is no RTP, or RTCP, is passed over.
    pub fn push(&mut self, packet: &[u8], arrived: Duration) {
        let Some(read) = Packet::parse(packet) else { return };
        if !self.accepts(read.payload_type) {
            return;
        }
        if self.source.replace(read.ssrc).is_some_and(|before| before != read.ssrc) {
            self.drain(true);
            self.order.restart();
            self.timeline.run += 1;
        }
        self.seen.first_rtp.get_or_insert(arrived);
        self.seen.last_rtp = Some(arrived);
        self.seen.packets += 1;
        self.seen.bytes += read.payload.len() as u64;
        self.order.push(read.sequence, (packet.to_vec(), arrived));
        self.drain(false);
    }

    /// Takes what is held back for order's sake; call it when nothing more will come.
    pub fn finish(&mut self) {
        self.drain(true);
        let at = self.seen.last_rtp.unwrap_or_default();
        self.complete_last(at);
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

    /// The declared payload type, or whatever came instead until it does.
    fn accepts(&mut self, payload_type: u8) -> bool {
        match self.payload_type {
            Some(declared) if declared != payload_type => {
                if self.seen.packets == 0 {
                    self.foreign_payload_type = Some(payload_type);
                }
                self.foreign_payload_type == Some(payload_type)
            }
            _ => {
                if self.foreign_payload_type.take().is_some() {
                    self.frames.clear();
                }
                true
            }
        }
    }

    fn drain(&mut self, all: bool) {
        while let Some(((packet, arrived), lost)) = self.order.pop(all) {
            if let Some(packet) = Packet::parse(&packet) {
                self.take(&packet, arrived, lost);
            }
        }
        (self.seen.lost, self.seen.reordered) = (self.order.lost, self.order.reordered);
    }

    /// The next packet in order.
    fn take(&mut self, packet: &Packet<'_>, arrived: Duration, lost: u64) {
        let timestamp = self.timeline.place(packet.timestamp, MAX_GAP_S * self.clock_rate);
        let seen = match self.codec {
            Some(codec) => glimpse(codec, packet.payload),
            None => Glimpse { picture: true, begins: true, ..Glimpse::default() },
        };
        self.size = seen.size.or(self.size);
        for set in &seen.parameter_sets {
            self.learn(set);
        }
        if let Some(pictures) = &mut self.pictures {
            pictures.push(packet, timestamp, lost);
        }
        if let Some(inner) = &mut self.inner {
            inner.push(packet.payload, arrived);
            self.see_inner();
        }
        if !self.open_frame(timestamp, arrived, lost) {
            return;
        }
        self.sets_before |= !seen.parameter_sets.is_empty();
        self.fill_frame(packet.payload.len(), &seen, lost);
        if packet.marker && seen.picture {
            self.marks.note(arrived);
        }
        if packet.marker && self.frames.last().is_some_and(|frame| frame.picture) {
            self.complete_last(arrived);
        }
    }

    /// Makes the frame of that time stamp the last one; false when there is no room for another.
    fn open_frame(&mut self, timestamp: i64, arrived: Duration, lost: u64) -> bool {
        if lost > 0
            && let Some(frame) = self.frames.last_mut()
        {
            // Its end may be among what was lost.
            frame.damaged |= !frame.complete;
        }
        if self.frames.last().is_some_and(|f| f.timestamp == timestamp && f.run == self.timeline.run) {
            return true;
        }
        self.complete_last(arrived);
        let has_room = self.frames.len() < MAX_FRAMES;
        if has_room {
            self.frames.push(Frame::new(timestamp, self.timeline.run, arrived));
        }
        has_room
    }

    /// Adds a packet to the last frame.
    fn fill_frame(&mut self, bytes: usize, seen: &Glimpse<'_>, lost: u64) {
        let Some(frame) = self.frames.last_mut() else { return };
        frame.bytes += bytes;
        frame.damaged |= lost > 0;
        frame.begun |= seen.begins;
        frame.picture |= seen.picture;
        if frame.picture && frame.begun && !std::mem::replace(&mut frame.counted, true) {
            self.seen.frames += 1;
        }
        let key = seen.key || seen.intra && self.sets_before;
        if key && !std::mem::replace(&mut frame.key, true) {
            self.seen.keyframes += 1;
        }
        if seen.picture {
            self.sets_before = false;
        }
    }

    /// The last frame has all its packets, as a marker or the next timestamp tells.
    fn complete_last(&mut self, now: Duration) {
        let Some(frame) = self.frames.last_mut().filter(|f| f.picture && !f.complete) else { return };
        frame.complete = true;
        if frame.begun && !frame.damaged {
            self.seen.first_frame.get_or_insert(now);
            if frame.key {
                self.seen.first_keyframe.get_or_insert(now);
            }
        }
    }

    /// Keeps a parameter set that came in band: the last of each kind.
    fn learn(&mut self, set: &[u8]) {
        let Some(codec) = self.codec else { return };
        let kind = |set: &[u8]| match codec {
            VideoCodec::H264 => h264::nal_type(set),
            VideoCodec::H265 => h265::nal_type(set),
            _ => 0,
        };
        if set.len() > 4096 || self.sets.iter().any(|known| known == set) {
            return;
        }
        self.sets.retain(|known| kind(known) != kind(set));
        self.sets.push(set.to_vec());
        if let Some(pictures) = &mut self.pictures {
            pictures.learn(&self.sets);
        }
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
        let two = self.seen.keyframes >= 2 && self.span() >= short && lasted >= short / 2;
        self.seen.first_keyframe.is_some() && (lasted >= measure_time || two)
    }

    /// The time the timestamps of the longest run cover.
    fn span(&self) -> Duration {
        self.measured().span
    }

    /// The picture as it really came: parameter sets and sizes of the stream beat those of the SDP, and the measured
    /// rates are filled in. None for a media that is no video.
    pub fn video(&self) -> Option<Video> {
        let mut video = self.declared.clone()?;
        if let Some(codec) = self.codec {
            let came = from_parameter_sets(codec, self.sets.iter().map(Vec::as_slice));
            if let Some((width, height)) = came.width.zip(came.height).or(self.size) {
                (video.width, video.height, video.size_source) = (Some(width), Some(height), None);
            }
            if came.width.is_some() {
                video.sample_aspect_ratio = came.sample_aspect_ratio;
            }
            if came.profile.is_some() || came.level.is_some() {
                (video.profile, video.level) = (came.profile, came.level);
            }
            if came.fps.is_some() {
                (video.fps, video.fps_source) = (came.fps, came.fps_source);
            }
        }
        if let Some(came) = self.inner.as_ref().and_then(|inner| inner.seen().video.clone()) {
            video = Video { bitrate_kbps: video.bitrate_kbps, ..came };
        }
        let measured = self.measured();
        video.measured_fps = measured.fps;
        video.measured_kbps = measured.kbps;
        video.keyframe_interval_s = measured.keyframe_interval_s;
        Some(video)
    }

    /// The sound with what was measured of it: of a media that is sound, or that carries some beside its picture.
    pub fn audio(&self) -> Option<Audio> {
        let Some(declared) = &self.sound else {
            // Its rate is its own; the packets carry the picture too.
            return self.inner.as_ref()?.seen().audio.clone();
        };
        let (measured_kbps, measured_packets) = (self.measured().kbps, Some(self.seen.packets));
        Some(Audio { measured_kbps, measured_packets, ..declared.clone() })
    }

    /// The last whole picture that needs no other, for a snapshot.
    pub fn picture(&self) -> Option<&Picture> {
        match &self.inner {
            Some(inner) => inner.seen().picture.as_ref(),
            None => self.pictures.as_ref()?.last(),
        }
    }

    /// The same, taken out.
    pub fn take_picture(&mut self) -> Option<Picture> {
        match &mut self.inner {
            Some(inner) => inner.take_picture(),
            None => self.pictures.as_mut()?.take_last(),
        }
    }

    /// Bytes of the stream that are held.
    pub fn held(&self) -> usize {
        self.inner.as_ref().map_or(0, Inner::held) + self.pictures.as_ref().map_or(0, Pictures::held)
    }

    /// Gathers no more pictures; frames are counted and timed as before.
    pub fn stop_gathering(&mut self) {
        self.pictures.iter_mut().for_each(Pictures::stop);
        self.inner.iter_mut().for_each(Inner::stop);
    }

    /// Where what came contradicts what was declared, in words for the operator.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let measured = self.measured();
        if let (Some(declared), Some(video)) = (&self.declared, self.video()) {
            let (before, now) = (declared.width.zip(declared.height), video.width.zip(video.height));
            if let (Some((w, h)), Some((width, height))) = (before, now)
                && before != now
            {
                warnings.push(format!("declared {w}x{h}, the stream is {width}x{height}"));
            }
            let told = measured.span >= MIN_COMPARED.0 && measured.frames >= MIN_COMPARED.1;
            if let (Some(fps), Some(came), true) = (video.fps, measured.fps, told)
                && (fps - came).abs() > 0.15 * fps
            {
                warnings.push(format!("declared {} fps, measured {}", rounded(fps), (came * 10.0).round() / 10.0));
            }
        }
        if measured.by_arrival && measured.frames >= MIN_COMPARED.1 {
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

impl Frame {
    fn new(timestamp: i64, run: u32, arrived: Duration) -> Frame {
        Frame {
            timestamp,
            run,
            arrived,
            bytes: 0,
            picture: false,
            begun: false,
            counted: false,
            key: false,
            damaged: false,
            complete: false,
        }
    }
}

#[cfg(test)]
mod tests;
