//! Pictures and sound taken out of what carried them: headers, parameter sets, sizes and times stay, so that a stream can
//! still be measured, and every other byte becomes filler.

mod container;
mod flv;
mod jpeg;

use super::format::FILL;
pub use flv::blank_message;

/// Bytes of a slice kept behind its NAL unit's header: they say where in the picture it begins and of what type it is.
const SLICE_HEADER: usize = 6;
/// The longest parameter set kept; what is longer is none.
const MAX_PARAMETER_SET: usize = 512;

/// Overwrites bytes.
fn fill(bytes: &mut [u8]) {
    bytes.fill(FILL);
}

/// Overwrites all but the first bytes.
fn fill_from(bytes: &mut [u8], kept: usize) {
    if let Some(rest) = bytes.get_mut(kept..) {
        fill(rest);
    }
}

/// Takes the picture or sound out of an RTP packet, by the name of its payload format (`H264`, as in `a=rtpmap`). Of a
/// format that is not known nothing but the RTP header stays.
pub fn blank_rtp(packet: &mut [u8], encoding: &str) {
    let Some(payload) = payload_of(packet) else { return fill_from(packet, 12) };
    match encoding.to_ascii_uppercase().as_str() {
        "H264" => blank_h264(payload),
        "H265" | "HEVC" => blank_h265(payload),
        "JPEG" => blank_rtp_jpeg(payload),
        "MPEG4-GENERIC" => blank_aac(payload),
        "MP4V-ES" => blank_mpeg4(payload),
        // Descriptor and frame header, in which the size stands (RFC 7741 §4.2, RFC 9628 §4.2).
        "VP8" => fill_from(payload, 16),
        "VP9" | "AV1" => fill_from(payload, 24),
        "MP2T" => container::blank_ts(payload),
        _ => fill(payload),
    }
}

/// The payload behind the header, its sources and its extension (RFC 3550 §5.1), whose bytes become filler.
fn payload_of(packet: &mut [u8]) -> Option<&mut [u8]> {
    let &first = packet.first()?;
    let mut start = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let &[_, _, l1, l0] = packet.get(start..)?.first_chunk::<4>()?;
        let length = 4 * usize::from(u16::from_be_bytes([l1, l0]));
        let extension = packet.get_mut(start + 4..(start + 4).checked_add(length)?)?;
        fill(extension);
        start += 4 + length;
    }
    packet.get_mut(start..)
}

/// Takes names out of RTCP: of descriptions of sources (RFC 3550 §6.5), reasons and what applications say, only the
/// lengths stay.
pub fn blank_rtcp(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(&[_, kind, l1, l0]) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let length = 4 * (usize::from(u16::from_be_bytes([l1, l0])) + 1);
        let Some(packet) = bytes.get_mut(at..at + length) else { break };
        match kind {
            200 | 201 => {}
            202 => blank_description(packet),
            _ => fill_from(packet, 8),
        }
        at += length;
    }
    fill_from(bytes, at);
}

fn blank_description(packet: &mut [u8]) {
    let mut at = 4;
    while at < packet.len() {
        at += 4;
        while let Some(&kind) = packet.get(at).filter(|&&kind| kind != 0) {
            let _ = kind;
            let length = packet.get(at + 1).copied().map_or(0, usize::from);
            if let Some(text) = packet.get_mut(at + 2..at + 2 + length) {
                text.fill(b'x');
            } else {
                return fill_from(packet, at);
            }
            at += 2 + length;
        }
        at = (at + 4) / 4 * 4;
    }
}

/// A whole H.264 NAL unit (ITU-T H.264 §7.3.1): sets of parameters stay, of slices the beginning.
fn blank_nal_h264(nal: &mut [u8]) {
    match nal.first().map_or(0, |first| first & 0x1f) {
        7..=9 | 13 | 15 if nal.len() <= MAX_PARAMETER_SET => {}
        1..=5 | 20 => fill_from(nal, 1 + SLICE_HEADER),
        _ => fill_from(nal, 2),
    }
}

/// A whole H.265 NAL unit (ITU-T H.265 §7.3.1).
fn blank_nal_h265(nal: &mut [u8]) {
    match nal.first().map_or(0, |first| (first >> 1) & 0x3f) {
        32..=35 if nal.len() <= MAX_PARAMETER_SET => {}
        0..=31 => fill_from(nal, 2 + SLICE_HEADER),
        _ => fill_from(nal, 3),
    }
}

/// Each unit of an aggregation packet, with its two-byte length before it.
fn each_unit(mut bytes: &mut [u8], blank: fn(&mut [u8])) {
    loop {
        let Some(&length) = bytes.first_chunk::<2>() else { return fill(bytes) };
        let length = usize::from(u16::from_be_bytes(length));
        if bytes.len() < 2 + length {
            return fill_from(bytes, 2);
        }
        let (unit, rest) = bytes.split_at_mut(2 + length);
        if let Some(nal) = unit.get_mut(2..) {
            blank(nal);
        }
        bytes = rest;
    }
}

/// RFC 6184 §5.4; several units with start codes in one payload, too, as some cameras send.
fn blank_h264(payload: &mut [u8]) {
    match payload.first().map_or(0, |first| first & 0x1f) {
        24 => each_unit(payload.get_mut(1..).unwrap_or_default(), blank_nal_h264),
        25 => each_unit(payload.get_mut(3..).unwrap_or_default(), blank_nal_h264),
        28 | 29 => {
            let begins = payload.get(1).is_some_and(|fu| fu & 0x80 != 0);
            let is_slice = payload.get(1).is_some_and(|fu| matches!(fu & 0x1f, 1..=5));
            fill_from(payload, if begins && is_slice { 2 + SLICE_HEADER } else { 2 });
        }
        0 => blank_annex_b(payload, blank_nal_h264),
        6..=9 if payload.windows(3).any(|w| w == [0, 0, 1]) => blank_annex_b(payload, blank_nal_h264),
        _ => blank_nal_h264(payload),
    }
}

/// RFC 7798 §4.4.
fn blank_h265(payload: &mut [u8]) {
    match payload.first().map_or(0, |first| (first >> 1) & 0x3f) {
        48 => each_unit(payload.get_mut(2..).unwrap_or_default(), blank_nal_h265),
        49 => {
            let begins = payload.get(2).is_some_and(|fu| fu & 0x80 != 0);
            let is_slice = payload.get(2).is_some_and(|fu| fu & 0x3f < 32);
            fill_from(payload, if begins && is_slice { 3 + SLICE_HEADER } else { 3 });
        }
        32..=40 if payload.windows(3).any(|w| w == [0, 0, 1]) => blank_annex_b(payload, blank_nal_h265),
        0 if payload.starts_with(&[0, 0]) => blank_annex_b(payload, blank_nal_h265),
        _ => blank_nal_h265(payload),
    }
}

/// Each unit of a byte stream with start codes (ITU-T H.264 Annex B); start codes stay.
fn blank_annex_b(stream: &mut [u8], blank: fn(&mut [u8])) {
    let starts: Vec<usize> = stream.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at).collect();
    match starts.first() {
        Some(&first) => stream.get_mut(..first).into_iter().for_each(blank),
        None => return blank(stream),
    }
    for (number, &start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(stream.len());
        if let Some(nal) = stream.get_mut(start + 3..end.max(start + 3)) {
            blank(nal);
        }
    }
}

/// RFC 2435 §3.1: the header, the one of restarts, and the tables stay.
fn blank_rtp_jpeg(payload: &mut [u8]) {
    let Some(&[_, o2, o1, o0, kind, quality, ..]) = payload.first_chunk::<8>() else { return fill(payload) };
    let mut kept = 8;
    if (64..=127).contains(&kind) {
        kept += 4;
    }
    if [o2, o1, o0] == [0; 3] && quality >= 128 {
        let length =
            payload.get(kept + 2..kept + 4).map_or(0, |l| l.iter().fold(0, |sum, &b| sum << 8 | usize::from(b)));
        kept += 4 + length.min(512);
    }
    fill_from(payload, kept);
}

/// RFC 3640 §3.2.1: the headers of the access units stay.
fn blank_aac(payload: &mut [u8]) {
    let Some(&bits) = payload.first_chunk::<2>() else { return fill(payload) };
    let headers = usize::from(u16::from_be_bytes(bits)).div_ceil(8);
    fill_from(payload, 2 + headers.min(64));
}

/// RFC 6416 §5: the configuration, and the beginning of a picture (ISO/IEC 14496-2 §6.2.5).
fn blank_mpeg4(payload: &mut [u8]) {
    let picture = payload.windows(4).position(|w| w == [0, 0, 1, 0xb6]);
    match picture {
        Some(at) if at <= MAX_PARAMETER_SET => fill_from(payload, at + 4 + SLICE_HEADER),
        None if payload.starts_with(&[0, 0, 1]) && payload.len() <= MAX_PARAMETER_SET => {}
        _ => fill(payload),
    }
}

/// Takes pictures and sound out of the body of an answer that is no text. What is not known becomes filler as a whole,
/// except the icon of a page, by which makers are told.
pub fn blank_body(body: &mut [u8], is_icon: bool) {
    const MAX_ICON: usize = 128 << 10;
    if jpeg::blank_all(body) {
        return;
    }
    if is_icon && body.len() <= MAX_ICON {
        return;
    }
    if crate::media::ts::is_ts(body) {
        container::blank_ts(body);
    } else if crate::media::mp4::is_mp4(body) {
        container::blank_mp4(body);
    } else if body.starts_with(b"\x89PNG") {
        fill_from(body, 33);
    } else if body.starts_with(b"GIF8") {
        fill_from(body, 10);
    } else {
        fill(body);
    }
}

#[cfg(test)]
mod tests;
