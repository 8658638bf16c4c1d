//! Payloads of VP8 (RFC 7741 §4.2) and VP9 (RFC 9628 §4.2) as they came; those that are too long are cut, and their descriptor
//! stands before each piece.

use std::sync::Arc;

use bytes::Bytes;

use super::MAX_PAYLOAD;
use crate::media::vpx;

pub(super) fn vp8(parts: &[Bytes]) -> Vec<Arc<[u8]>> {
    // S: the start of a partition is in the first piece alone.
    pieces(parts, vpx::vp8_descriptor, |descriptor, first, _| {
        if let (false, Some(flags)) = (first, descriptor.first_mut()) {
            *flags &= !0x10;
        }
    })
}

pub(super) fn vp9(parts: &[Bytes]) -> Vec<Arc<[u8]>> {
    // B and E: the start and the end of a layer's frame.
    pieces(parts, vpx::vp9_descriptor, |descriptor, first, last| {
        if let Some(flags) = descriptor.first_mut() {
            *flags &= !(if first { 0 } else { 0x08 } | if last { 0 } else { 0x04 });
        }
    })
}

fn pieces(
    parts: &[Bytes],
    length: impl Fn(&[u8]) -> Option<usize>,
    mark: impl Fn(&mut [u8], bool, bool),
) -> Vec<Arc<[u8]>> {
    let mut out = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if part.len() <= MAX_PAYLOAD {
            out.push(Arc::from(&part[..]));
            continue;
        }
        let Some((head, body)) = length(part).and_then(|length| part.split_at_checked(length)) else { continue };
        let Some(room) = MAX_PAYLOAD.checked_sub(head.len()).filter(|&room| room > 0) else { continue };
        let each = body.len().div_ceil(body.len().div_ceil(room).max(1)).max(1);
        let last = body.len().div_ceil(each).saturating_sub(1);
        for (number, piece) in body.chunks(each).enumerate() {
            let mut payload = [head, piece].concat();
            mark(payload.get_mut(..head.len()).unwrap_or_default(), number == 0, number == last);
            out.push(payload.into());
        }
    }
    out
}
