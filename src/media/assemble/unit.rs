//! The access unit that is being gathered: one buffer, and where its parts end.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::media::nal;

/// Bytes one access unit may have.
pub(super) const MAX_UNIT: usize = 8 << 20;
/// Parts it may have: pictures of 8K have some hundred slices.
const MAX_PARTS: usize = 2048;

/// Parts in one buffer; the last one may be open.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub timestamp: u32,
    pub arrived: Duration,
    bytes: BytesMut,
    /// Where each part ends.
    ends: Vec<usize>,
    /// Part of a picture is in it.
    pub picture: bool,
    /// The beginning of a picture is in it.
    pub begun: bool,
    /// A packet of it is missing, or it was more than can be.
    pub broken: bool,
}

impl Unit {
    /// An empty one.
    pub fn new(timestamp: u32, arrived: Duration) -> Unit {
        Unit { timestamp, arrived, ..Unit::default() }
    }

    /// Adds to the part that is open.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > MAX_UNIT {
            self.broken = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Where the open part begins.
    fn open(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The part that is open.
    pub fn open_part(&self) -> &[u8] {
        self.bytes.get(self.open()..).unwrap_or_default()
    }

    /// Whether a part is open.
    pub fn is_open(&self) -> bool {
        self.bytes.len() > self.open()
    }

    /// Ends the open part, where there is one.
    pub fn end_part(&mut self) {
        if !self.is_open() {
        } else if self.ends.len() < MAX_PARTS {
            self.ends.push(self.bytes.len());
        } else {
            self.broken = true;
            self.discard_part();
        }
    }

    /// Takes the open part out again.
    pub fn discard_part(&mut self) {
        self.bytes.truncate(self.open());
    }

    /// Ends the open part as NAL units, parted where start codes stand in it; `keep` is asked for each one.
    pub fn end_nals(&mut self, mut keep: impl FnMut(&[u8], &mut Unit) -> bool) {
        if nal::find_start_code(self.open_part()).is_none() {
            let open = self.bytes.split_off(self.open());
            if !open.is_empty() && keep(&open, self) {
                self.bytes.unsplit(open);
                self.end_part();
            }
            return;
        }
        let glued = self.bytes.split_off(self.open()).freeze();
        for unit in nal::annex_b(&glued) {
            if keep(unit, self) {
                self.extend(unit);
                self.end_part();
            }
        }
    }

    /// A packet with another timestamp came; true where a picture is to be ended first, else the unit takes that timestamp.
    pub fn turns(&mut self, timestamp: u32, arrived: Duration) -> bool {
        if !self.picture {
            *self = Unit::new(timestamp, arrived);
        }
        self.picture
    }

    /// Packets are missing: a picture that is open may lack its end.
    pub fn lose(&mut self) {
        self.broken |= self.picture;
    }

    /// Whether it is to be ended, since no more goes in.
    pub fn is_full(&self) -> bool {
        self.broken && (self.bytes.len() > MAX_UNIT / 2 || self.ends.len() >= MAX_PARTS)
    }

    /// Whether nothing came yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.picture
    }

    /// Bytes gathered.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The parts.
    pub fn into_parts(mut self) -> Vec<Bytes> {
        self.bytes.truncate(self.open());
        let bytes = self.bytes.freeze();
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| bytes.slice(start..end)).collect()
    }
}
