//! NAL units → payloads of H.264 (RFC 6184 §5.6 to §5.8) and H.265 (RFC 7798 §4.4): small ones together, large ones in
//! fragments.

use std::sync::Arc;

use bytes::Bytes;

use super::MAX_PAYLOAD;

/// What differs between the two.
struct Form {
    /// Bytes of a NAL unit's header.
    header: usize,
    /// The header of a packet with these units together.
    aggregate: fn(&[&[u8]]) -> Vec<u8>,
    /// What stands before a fragment of a unit with that header, without the flags of start and end in its last byte.
    fragment: fn(&[u8]) -> Option<Vec<u8>>,
}

/// Single units, STAP-A and FU-A.
pub(super) fn h264(parts: &[Bytes]) -> Vec<Arc<[u8]>> {
    payloads(
        parts,
        &Form {
            header: 1,
            // The highest nal_ref_idc of them.
            aggregate: |units| {
                let importance = units.iter().filter_map(|unit| unit.first()).map(|first| first & 0x60).max();
                vec![24 | importance.unwrap_or(0)]
            },
            fragment: |unit| {
                let first = unit.first()?;
                Some(vec![first & 0xe0 | 28, first & 0x1f])
            },
        },
    )
}

/// Single units, aggregation packets and fragmentation units.
pub(super) fn h265(parts: &[Bytes]) -> Vec<Arc<[u8]>> {
    payloads(
        parts,
        &Form {
            header: 2,
            // Layer 0 alone is assembled; the lowest temporal layer of them.
            aggregate: |units| {
                let layer = units.iter().filter_map(|unit| unit.get(1)).map(|second| second & 7).min();
                vec![48 << 1, layer.unwrap_or(1)]
            },
            fragment: |unit| {
                let (first, second) = (unit.first()?, unit.get(1)?);
                Some(vec![first & 0x81 | 49 << 1, *second, first >> 1 & 0x3f])
            },
        },
    )
}

fn payloads(parts: &[Bytes], form: &Form) -> Vec<Arc<[u8]>> {
    let mut out = Vec::new();
    let mut small: Vec<&[u8]> = Vec::new();
    let mut size = form.header;
    for part in parts.iter().filter(|part| part.len() > form.header) {
        let takes = part.len() + 2;
        if size + takes > MAX_PAYLOAD {
            flush(&mut small, &mut out, form);
            size = form.header;
        }
        if part.len() > MAX_PAYLOAD {
            fragments(part, &mut out, form);
        } else {
            small.push(part);
            size += takes;
        }
    }
    flush(&mut small, &mut out, form);
    out
}

/// Units that are small enough to go together; one alone goes as it is.
fn flush(units: &mut Vec<&[u8]>, out: &mut Vec<Arc<[u8]>>, form: &Form) {
    match units.as_slice() {
        [] => {}
        [one] => out.push(Arc::from(*one)),
        several => {
            let mut payload = (form.aggregate)(several);
            for unit in several {
                payload.extend(u16::try_from(unit.len()).unwrap_or(u16::MAX).to_be_bytes());
                payload.extend_from_slice(unit);
            }
            out.push(payload.into());
        }
    }
    units.clear();
}

/// Equally long fragments but for the last one, which may be shorter.
fn fragments(unit: &[u8], out: &mut Vec<Arc<[u8]>>, form: &Form) {
    let (Some(head), Some(body)) = ((form.fragment)(unit), unit.get(form.header..)) else { return };
    let room = MAX_PAYLOAD - head.len();
    let length = body.len().div_ceil(body.len().div_ceil(room).max(1)).max(1);
    let last = body.len().div_ceil(length).saturating_sub(1);
    for (number, fragment) in body.chunks(length).enumerate() {
        let mut payload = Vec::with_capacity(head.len() + fragment.len());
        payload.extend_from_slice(&head);
        if let Some(flags) = payload.last_mut() {
            *flags |= if number == 0 { 0x80 } else { 0 } | if number == last { 0x40 } else { 0 };
        }
        payload.extend_from_slice(fragment);
        out.push(payload.into());
    }
}
