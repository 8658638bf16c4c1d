//! JPEG (RFC 2435): fragments of the entropy coded data → a whole JPEG, whose head is made of what the packets say.

use std::sync::Arc;

use super::AccessUnit;
use super::unit::Unit;
use crate::media::format::{Format, VideoFormat};
use crate::media::jpeg::{self, RtpHeader};
use crate::media::jpeg_head::{Head, Tables};

/// The picture that is being gathered.
#[derive(Debug)]
pub(super) struct Jpegs {
    format: Arc<Format>,
    /// What the description says, for pictures too large for the payload header.
    declared: Option<(u32, u32)>,
    unit: Unit,
    head: Option<Head>,
    /// The tables that came last, and for which Q; those of 128 to 254 need not come again (§4.2).
    tables: Option<(u8, Tables)>,
}

impl Jpegs {
    pub fn new(format: VideoFormat) -> Jpegs {
        let declared = format.size;
        Jpegs { format: Arc::new(Format::Video(format)), declared, unit: Unit::default(), head: None, tables: None }
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
        let Some(header) = RtpHeader::parse(payload) else { return };
        let Some(mut rest) = payload.get(RtpHeader::LENGTH..) else { return };
        let mut restart_interval = None;
        if header.has_restarts() {
            let Some(([r1, r0, ..], after)) = rest.split_first_chunk::<4>() else { return };
            restart_interval = Some(u16::from_be_bytes([*r1, *r0]));
            rest = after;
        }
        if header.offset == 0 {
            match self.tables(&header, rest) {
                Some((tables, after)) => {
                    let size = header.size.or(self.declared);
                    self.head = size.map(|size| Head { size, kind: header.kind, restart_interval, tables });
                    rest = after;
                }
                None => self.head = None,
            }
            self.unit.begun = true;
        }
        self.unit.picture = true;
        // A hole, or a picture within a picture.
        self.unit.broken |= usize::try_from(header.offset) != Ok(self.unit.len());
        self.unit.extend(rest);
    }

    /// The quantization tables of a picture's first packet, and the data behind them (§3.1.8).
    fn tables<'a>(&mut self, header: &RtpHeader, rest: &'a [u8]) -> Option<(Tables, &'a [u8])> {
        if header.q < 128 {
            return Some((Tables::scaled(header.q), rest));
        }
        let ([_, precision, l1, l0], rest) = rest.split_first_chunk::<4>()?;
        let (tables, rest) = rest.split_at_checked(u16::from_be_bytes([*l1, *l0]).into())?;
        if tables.is_empty() {
            let (_, known) = self.tables.as_ref().filter(|(q, _)| *q == header.q)?;
            return Some((known.clone(), rest));
        }
        let tables = Tables::read(*precision, tables)?;
        self.tables = Some((header.q, tables.clone()));
        Some((tables, rest))
    }

    pub fn take(&mut self) -> Option<AccessUnit> {
        let mut unit = std::mem::take(&mut self.unit);
        let head = self.head.take()?;
        if unit.broken || !unit.begun {
            return None;
        }
        let (timestamp, arrived) = (unit.timestamp, unit.arrived);
        unit.end_part();
        let data = unit.into_parts().pop()?;
        // Some cameras send whole JPEGs.
        let whole = data.starts_with(&[0xff, 0xd8]) && jpeg::size(&data).is_some();
        let picture = if whole { data } else { head.with_data(&data).into() };
        let size = if whole { jpeg::size(&picture) } else { Some(head.size) };
        if let Format::Video(before) = &*self.format
            && before.size != size
        {
            self.format = Arc::new(Format::Video(VideoFormat { size, ..before.clone() }));
        }
        let format = Arc::clone(&self.format);
        Some(AccessUnit { timestamp, arrived, key: true, damaged: false, parts: vec![picture], format })
    }
}
