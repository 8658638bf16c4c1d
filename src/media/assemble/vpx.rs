//! VP8 (RFC 7741) and VP9 (RFC 9628): payloads keep their descriptors, so that layers and references stay as they are.

use std::sync::Arc;

use super::AccessUnit;
use super::unit::Unit;
use crate::media::format::{Format, VideoFormat};
use crate::media::vpx;
use crate::model::VideoCodec;

/// The picture that is being gathered.
#[derive(Debug)]
pub(super) struct Vpx {
    codec: VideoCodec,
    format: Arc<Format>,
    unit: Unit,
    key: bool,
    size: Option<(u32, u32)>,
}

impl Vpx {
    pub fn new(format: VideoFormat) -> Vpx {
        Vpx {
            codec: format.codec,
            size: format.size,
            format: Arc::new(Format::Video(format)),
            unit: Unit::default(),
            key: false,
        }
    }

    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    pub fn unit_mut(&mut self) -> &mut Unit {
        &mut self.unit
    }

    pub fn format(&self) -> &Arc<Format> {
        &self.format
    }

    pub fn push(&mut self, payload: &[u8]) {
        let picture = if self.codec == VideoCodec::Vp8 { vpx::vp8(payload) } else { vpx::vp9(payload) };
        let Some(picture) = picture else { return };
        self.key = if self.unit.picture { self.key | picture.key } else { picture.key };
        self.unit.picture = true;
        self.unit.begun |= picture.begins;
        self.size = picture.size.or(self.size);
        self.unit.extend(payload);
        self.unit.end_part();
    }

    pub fn take(&mut self, damaged: bool) -> Option<AccessUnit> {
        let unit = std::mem::take(&mut self.unit);
        let key = std::mem::take(&mut self.key);
        if unit.broken || !unit.begun {
            return None;
        }
        if let Format::Video(before) = &*self.format
            && before.size != self.size
        {
            self.format = Arc::new(Format::Video(VideoFormat { size: self.size, ..before.clone() }));
        }
        let (timestamp, arrived, format) = (unit.timestamp, unit.arrived, Arc::clone(&self.format));
        Some(AccessUnit { timestamp, arrived, key, damaged: damaged && !key, parts: unit.into_parts(), format })
    }
}
