//! H.264 (RFC 6184) and H.265 (RFC 7798) payloads → NAL units in one form, whatever a camera does.
//!
//! Met in cameras, and taken: a marker on parameter sets or supplements alone (Tapo TC70, Reolink Duo 2), on each slice, or
//! never; sets, supplements and picture in one payload with start codes between (Xiongmai); timestamps of their own on sets;
//! no sets in band at all (old Axis: only in the SDP); H.265 where the SDP says H.264.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::AccessUnit;
use super::kind::{Kind, NalCodec, Set};
use super::reorder::Reordering;
use super::sets::Sets;
use super::unit::Unit;
use crate::media::format::Format;
use crate::media::nal;
use crate::media::payload::glimpse;

/// After this long without an IDR picture any intra picture is taken for a key frame.
const WITHOUT_IDR: Duration = Duration::from_secs(10);
/// What may stand in front of a picture with a timestamp of its own, in bytes.
const MAX_AHEAD: usize = 64 << 10;

/// The picture that is being gathered, and what is known of the stream.
#[derive(Debug)]
pub(super) struct Nals {
    codec: NalCodec,
    sets: Sets,
    format: Arc<Format>,
    /// Sets came that are not in `format` yet.
    news: bool,
    reordering: Reordering,
    unit: Unit,
    seen: Slices,
    /// In a fragmented unit, whose end has not come.
    fragments: bool,
    /// When the last IDR picture came; before the first one, when the stream began.
    last_idr: Option<Duration>,
    idr_seen: bool,
    without_idr: bool,
    began: bool,
}

/// What the slices of the unit that is gathered are.
#[derive(Debug, Clone, Copy, Default)]
struct Slices {
    key: bool,
    /// One that is not intra coded.
    inter: bool,
    /// One that is.
    intra: bool,
    bidirectional: Option<bool>,
    recovery_point: bool,
    sets: bool,
}

impl Nals {
    /// With the parameter sets known beforehand.
    pub fn new(codec: NalCodec, sets: &[Vec<u8>]) -> Nals {
        let sets = Sets::of(codec, sets);
        let (format, hint) = sets.format(codec);
        Nals {
            codec,
            sets,
            format: Arc::new(Format::Video(format)),
            news: false,
            reordering: Reordering::with_hint(hint),
            unit: Unit::default(),
            seen: Slices::default(),
            fragments: false,
            last_idr: None,
            idr_seen: false,
            without_idr: false,
            began: false,
        }
    }

    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    pub fn format(&self) -> &Arc<Format> {
        &self.format
    }

    pub fn reordering(&self) -> &Reordering {
        &self.reordering
    }

    pub fn is_without_idr(&self) -> bool {
        self.without_idr
    }

    /// Forgets what is gathered; what was learned stays.
    pub fn restart(&mut self) {
        self.unit = Unit::default();
        self.seen = Slices::default();
        self.fragments = false;
        self.reordering.restart();
    }

    /// Packets are missing: a fragmented unit that is open has a hole, and a picture may lack its end.
    pub fn lose(&mut self) {
        if std::mem::take(&mut self.fragments) {
            self.unit.picture = true;
            self.unit.discard_part();
        }
        self.unit.lose();
    }

    /// Whether a payload begins a picture; `None` for one that shows none.
    pub fn begins_picture(&self, payload: &[u8]) -> Option<bool> {
        let glimpse = glimpse(self.codec.named(), payload);
        glimpse.picture.then_some(glimpse.begins)
    }

    /// Takes a payload.
    pub fn push(&mut self, payload: &[u8]) {
        // Trust the units, not the description; once a picture came there is no doubt.
        if !self.began && self.codec.is_contradicted_by(payload) {
            let other = if self.codec == NalCodec::H264 { NalCodec::H265 } else { NalCodec::H264 };
            let unit = std::mem::take(&mut self.unit);
            *self = Nals::new(other, &[]);
            self.unit = Unit::new(unit.timestamp, unit.arrived);
        }
        match self.codec {
            NalCodec::H264 => self.push_h264(payload),
            NalCodec::H265 => self.push_h265(payload),
        }
    }

    /// RFC 6184 §5.6 to §5.8. What is interleaved (MTAP) is passed over: nobody sends it.
    fn push_h264(&mut self, payload: &[u8]) {
        match (payload.first().map_or(0, |header| header & 0x1f), payload) {
            (24, [_, units @ ..]) | (25, [_, _, _, units @ ..]) => {
                nal::aggregated(units).for_each(|unit| self.whole(unit))
            }
            (28, [indicator, fu, fragment @ ..]) | (29, [indicator, fu, _, _, fragment @ ..]) => {
                self.fragment(&[indicator & 0xe0 | fu & 0x1f], *fu, fragment);
            }
            (0..=23, _) => self.whole(payload),
            _ => {}
        }
    }

    /// RFC 7798 §4.4, without decoding order numbers: those are for streams in several sessions.
    fn push_h265(&mut self, payload: &[u8]) {
        match (payload.first().map_or(0, |header| header >> 1 & 0x3f), payload) {
            (48, [_, _, units @ ..]) => nal::aggregated(units).for_each(|unit| self.whole(unit)),
            (49, [first, second, fu, fragment @ ..]) => {
                self.fragment(&[first & 0x81 | fu << 1 & 0x7e, *second], *fu, fragment);
            }
            (0..=47, _) => self.whole(payload),
            _ => {}
        }
    }

    /// One NAL unit, or several with start codes between.
    fn whole(&mut self, unit: &[u8]) {
        self.end_fragments();
        self.unit.extend(unit);
        self.end_units();
    }

    /// A fragment, with the header its NAL unit has; the flags of start and end are those of both standards.
    fn fragment(&mut self, header: &[u8], flags: u8, fragment: &[u8]) {
        let (starts, ends) = (flags & 0x80 != 0, flags & 0x40 != 0);
        if starts {
            self.end_fragments();
            self.unit.extend(header);
            self.fragments = true;
        } else if !self.fragments {
            // Its beginning never came.
            self.unit.broken = true;
            self.unit.picture = true;
            return;
        }
        self.unit.extend(fragment);
        if ends {
            self.end_fragments();
        }
    }

    /// Some cameras never set the flag that ends a fragmented unit.
    pub fn end_fragments(&mut self) {
        if std::mem::take(&mut self.fragments) {
            self.end_units();
        }
    }

    fn end_units(&mut self) {
        let (codec, sets, seen, news) = (self.codec, &mut self.sets, &mut self.seen, &mut self.news);
        self.unit.end_nals(|nal, unit| match codec.kind(nal) {
            Kind::Slice(slice) => {
                unit.picture = true;
                unit.begun |= slice.begins;
                seen.key |= slice.key;
                seen.inter |= !slice.intra;
                seen.intra |= slice.intra;
                seen.bidirectional = slice.bidirectional.map(|b| b || seen.bidirectional == Some(true));
                true
            }
            Kind::Set(set) => {
                seen.sets |= set == Set::Sps;
                let is_new = sets.learn(codec, set, nal);
                *news |= is_new;
                is_new
            }
            Kind::Supplement { recovery_point } => {
                seen.recovery_point |= recovery_point;
                true
            }
            Kind::Useless => false,
        });
    }

    /// A packet with another timestamp came: what has no picture yet belongs to it. True when the unit is one to be ended.
    pub fn turns(&mut self, timestamp: u32, arrived: Duration) -> bool {
        self.end_fragments();
        if self.unit.picture {
            return true;
        }
        if self.unit.len() > MAX_AHEAD || self.unit.broken || self.unit.is_empty() {
            let sets = self.seen.sets;
            self.unit = Unit::new(timestamp, arrived);
            self.seen = Slices { sets, recovery_point: self.seen.recovery_point, ..Slices::default() };
        }
        self.unit.timestamp = timestamp;
        false
    }

    /// Ends the unit. `None` for one that is broken; `damaged` tells whether something before it is missing.
    pub fn take(&mut self, damaged: bool) -> Option<AccessUnit> {
        self.end_fragments();
        let unit = std::mem::take(&mut self.unit);
        let seen = std::mem::take(&mut self.seen);
        if unit.broken || !unit.picture || damaged && !unit.begun {
            return None;
        }
        self.began = true;
        self.adopt_sets();
        self.reordering.note(unit.timestamp, seen.bidirectional);
        let key = self.is_key(&seen, unit.arrived) && self.sets.are_whole();
        let (timestamp, arrived) = (unit.timestamp, unit.arrived);
        let parts = if key { self.with_sets(unit.into_parts()) } else { unit.into_parts() };
        let format = Arc::clone(&self.format);
        Some(AccessUnit { timestamp, arrived, key, damaged: damaged && !key, parts, format })
    }

    /// Another sequence parameter set begins another stream: what was learned of B-frames was the old one's.
    fn adopt_sets(&mut self) {
        if !std::mem::take(&mut self.news) {
            return;
        }
        let (format, hint) = self.sets.format(self.codec);
        let is_sps = |set: &&Bytes| matches!(self.codec.kind(set), Kind::Set(Set::Sps));
        let Format::Video(before) = &*self.format else { return };
        if *before == format {
            return;
        }
        if before.sets.iter().find(is_sps) != format.sets.iter().find(is_sps) {
            self.reordering = Reordering::with_hint(hint);
        }
        self.format = Arc::new(Format::Video(format));
    }

    /// An IDR or IRAP picture. Where those do not come: a recovery point that is intra coded, an intra picture with its
    /// parameter sets, and after a while any intra picture or recovery point.
    fn is_key(&mut self, seen: &Slices, now: Duration) -> bool {
        if seen.key {
            (self.last_idr, self.idr_seen, self.without_idr) = (Some(now), true, false);
            return true;
        }
        let since = now.saturating_sub(*self.last_idr.get_or_insert(now));
        let intra = seen.intra && !seen.inter;
        let late = since >= WITHOUT_IDR;
        let marked = intra && (seen.recovery_point || seen.sets);
        let key = marked && (late || !self.idr_seen) || late && (intra || seen.recovery_point);
        self.without_idr |= key;
        key
    }

    /// The parts with all sets in front, and nowhere else.
    fn with_sets(&self, parts: Vec<Bytes>) -> Vec<Bytes> {
        let others = parts.into_iter().filter(|part| !matches!(self.codec.kind(part), Kind::Set(_)));
        self.sets.iter().cloned().chain(others).collect()
    }
}
