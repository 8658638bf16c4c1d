//! Where pictures end: by marker, by the next timestamp, and what a missing packet costs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::AccessUnit;
use super::jpeg::Jpegs;
use super::kind::NalCodec;
use super::nals::Nals;
use super::unit::Unit;
use super::vpx::Vpx;
use crate::media::format::{Format, VideoFormat};
use crate::media::order::Ordered;
use crate::media::rtp::Packet;
use crate::model::VideoCodec;

/// How payloads become parts.
#[derive(Debug)]
enum Gatherer {
    Nals(Box<Nals>),
    Vpx(Vpx),
    Jpegs(Box<Jpegs>),
    /// MPEG-4 part 2 and AV1: no way to show them takes them as they are.
    Nothing,
}

/// The pictures of one media.
#[derive(Debug)]
pub(super) struct Pictures {
    gatherer: Gatherer,
    /// A picture is missing since the last key frame.
    damaged: bool,
    /// The marker stands within pictures as well.
    marker_lies: bool,
    /// The timestamp of the picture that a marker ended last.
    marked: Option<u32>,
    dropped: u64,
    ready: VecDeque<AccessUnit>,
}

impl Pictures {
    pub fn new(codec: VideoCodec, sets: &[Vec<u8>], size: Option<(u32, u32)>) -> Pictures {
        let format = VideoFormat { codec, sets: Vec::new(), size };
        let gatherer = match codec {
            VideoCodec::H264 => Gatherer::Nals(Box::new(Nals::new(NalCodec::H264, sets))),
            VideoCodec::H265 => Gatherer::Nals(Box::new(Nals::new(NalCodec::H265, sets))),
            VideoCodec::Vp8 | VideoCodec::Vp9 => Gatherer::Vpx(Vpx::new(format)),
            VideoCodec::Mjpeg => Gatherer::Jpegs(Box::new(Jpegs::new(format))),
            VideoCodec::Mpeg4 | VideoCodec::Av1 => Gatherer::Nothing,
        };
        Pictures { gatherer, damaged: false, marker_lies: false, marked: None, dropped: 0, ready: VecDeque::new() }
    }

    pub fn push(&mut self, packet: &Packet<'_>, ordered: &Ordered) {
        if ordered.lost > 0 {
            self.lose();
        }
        if packet.payload.is_empty() {
            return;
        }
        let new = self.gatherer.unit().is_some_and(|unit| unit.timestamp != packet.timestamp || unit.is_empty());
        if new && self.gatherer.turns(packet.timestamp, ordered.arrived) {
            self.end();
            self.gatherer.turns(packet.timestamp, ordered.arrived);
        }
        if self.is_continued(packet, ordered) {
            self.marker_lies = true;
            self.damaged = true;
        }
        self.gatherer.push(packet.payload);
        if packet.marker && !self.marker_lies {
            self.gatherer.end_fragments();
            if self.gatherer.unit().is_some_and(|unit| unit.picture) {
                self.end();
                self.marked = Some(packet.timestamp);
            }
        }
        if self.gatherer.unit().is_some_and(Unit::is_full) {
            self.end();
        }
    }

    /// Whether a packet goes on with the picture that a marker ended: some cameras mark each slice. The rest of that one
    /// picture is lost; after it the next timestamp ends pictures.
    fn is_continued(&self, packet: &Packet<'_>, ordered: &Ordered) -> bool {
        !self.marker_lies
            && ordered.lost == 0
            && self.marked == Some(packet.timestamp)
            && self.gatherer.unit().is_some_and(|unit| !unit.picture)
            && self.gatherer.begins_picture(packet.payload) == Some(false)
    }

    /// Packets are missing: the picture that is open may be without its end.
    fn lose(&mut self) {
        self.damaged = true;
        self.gatherer.lose();
        self.marked = None;
    }

    fn end(&mut self) {
        let had_picture = self.gatherer.unit().is_some_and(|unit| unit.picture);
        match self.gatherer.take(self.damaged) {
            Some(unit) => {
                self.damaged &= !unit.key;
                self.ready.push_back(unit);
            }
            None if had_picture => {
                self.damaged = true;
                self.dropped = self.dropped.saturating_add(1);
            }
            None => {}
        }
    }

    pub fn pop(&mut self) -> Option<AccessUnit> {
        self.ready.pop_front()
    }

    pub fn restart(&mut self) {
        self.gatherer.restart();
        self.damaged = true;
        self.marked = None;
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn reorder_depth(&self) -> u8 {
        if let Gatherer::Nals(nals) = &self.gatherer { nals.reordering().depth() } else { 0 }
    }

    pub fn b_frames(&self) -> bool {
        matches!(&self.gatherer, Gatherer::Nals(nals) if nals.reordering().b_frames())
    }

    pub fn is_without_idr(&self) -> bool {
        matches!(&self.gatherer, Gatherer::Nals(nals) if nals.is_without_idr())
    }

    pub fn format(&self) -> Option<&Arc<Format>> {
        match &self.gatherer {
            Gatherer::Nals(nals) => Some(nals.format()),
            Gatherer::Vpx(vpx) => Some(vpx.format()),
            Gatherer::Jpegs(jpegs) => Some(jpegs.format()),
            Gatherer::Nothing => None,
        }
    }
}

impl Gatherer {
    fn unit(&self) -> Option<&Unit> {
        match self {
            Gatherer::Nals(nals) => Some(nals.unit()),
            Gatherer::Vpx(vpx) => Some(vpx.unit()),
            Gatherer::Jpegs(jpegs) => Some(jpegs.unit()),
            Gatherer::Nothing => None,
        }
    }

    /// A packet of another timestamp came; true where the unit is to be ended first.
    fn turns(&mut self, timestamp: u32, arrived: Duration) -> bool {
        match self {
            Gatherer::Nals(nals) => nals.turns(timestamp, arrived),
            Gatherer::Vpx(vpx) => vpx.unit_mut().turns(timestamp, arrived),
            Gatherer::Jpegs(jpegs) => jpegs.unit_mut().turns(timestamp, arrived),
            Gatherer::Nothing => false,
        }
    }

    fn push(&mut self, payload: &[u8]) {
        match self {
            Gatherer::Nals(nals) => nals.push(payload),
            Gatherer::Vpx(vpx) => vpx.push(payload),
            Gatherer::Jpegs(jpegs) => jpegs.push(payload),
            Gatherer::Nothing => {}
        }
    }

    fn end_fragments(&mut self) {
        if let Gatherer::Nals(nals) = self {
            nals.end_fragments();
        }
    }

    fn begins_picture(&self, payload: &[u8]) -> Option<bool> {
        if let Gatherer::Nals(nals) = self { nals.begins_picture(payload) } else { None }
    }

    fn lose(&mut self) {
        match self {
            Gatherer::Nals(nals) => nals.lose(),
            Gatherer::Vpx(vpx) => vpx.unit_mut().lose(),
            Gatherer::Jpegs(jpegs) => jpegs.unit_mut().lose(),
            Gatherer::Nothing => {}
        }
    }

    fn take(&mut self, damaged: bool) -> Option<AccessUnit> {
        match self {
            Gatherer::Nals(nals) => nals.take(damaged),
            Gatherer::Vpx(vpx) => vpx.take(damaged),
            Gatherer::Jpegs(jpegs) => jpegs.take(),
            Gatherer::Nothing => None,
        }
    }

    fn restart(&mut self) {
        match self {
            Gatherer::Nals(nals) => nals.restart(),
            Gatherer::Vpx(vpx) => *vpx.unit_mut() = Unit::default(),
            Gatherer::Jpegs(jpegs) => *jpegs.unit_mut() = Unit::default(),
            Gatherer::Nothing => {}
        }
    }
}
