//! Containers: MPEG transport streams and MP4.

use std::collections::HashMap;

use super::{MAX_PARAMETER_SET, SLICE_HEADER, blank_nal_h264, blank_nal_h265, fill};
use crate::kit::format::FILL;

/// The length of a packet (ISO/IEC 13818-1 §2.4.3.2).
const PACKET: usize = 188;

/// Types of streams in a program's map (ISO/IEC 13818-1 table 2-34).
const H264: u8 = 0x1b;
const H265: u8 = 0x24;

/// What is known of an elementary stream while its bytes go by.
#[derive(Default)]
struct Elementary {
    kind: u8,
    /// The last bytes, in which a start code may have begun.
    zeros: usize,
    /// Bytes that are still to be kept.
    kept: usize,
    /// The next byte is the first of a NAL unit.
    begins: bool,
}

/// Takes pictures and sound out of a transport stream: packets, tables, headers and parameter sets stay.
pub fn blank_ts(bytes: &mut [u8]) {
    let mut maps: Vec<u16> = Vec::new();
    let mut streams: HashMap<u16, Elementary> = HashMap::new();
    for packet in bytes.chunks_mut(PACKET) {
        let Some(&[0x47, p1, p0, flags]) = packet.first_chunk::<4>().filter(|_| packet.len() == PACKET) else {
            fill(packet);
            continue;
        };
        let (pid, starts) = (u16::from_be_bytes([p1 & 0x1f, p0]), p1 & 0x40 != 0);
        let adaptation = if flags & 0x20 != 0 { 1 + packet.get(4).copied().map_or(0, usize::from) } else { 0 };
        let Some(payload) = packet.get_mut(4 + adaptation..).filter(|_| flags & 0x10 != 0) else { continue };
        if pid == 0 && starts {
            maps.extend(program_maps(payload));
        } else if (1..=0x1f).contains(&pid) {
            // Tables that name services and networks (ETSI EN 300 468 §5.1.3).
            fill(payload);
        } else if maps.contains(&pid) && starts {
            for (pid, kind) in elementary_streams(payload) {
                streams.entry(pid).or_default().kind = kind;
            }
        } else if pid != 0x1fff && pid > 0x1f {
            streams.entry(pid).or_default().blank(payload, starts);
        }
    }
}

/// The packets that hold programs' maps (§2.4.4.3).
fn program_maps(payload: &[u8]) -> Vec<u16> {
    let section = section(payload).unwrap_or_default();
    let entries = section.get(8..section.len().saturating_sub(4)).unwrap_or_default().chunks_exact(4);
    entries.filter_map(|e| Some(u16::from_be_bytes([e.get(2)? & 0x1f, *e.get(3)?]))).take(16).collect()
}

/// The streams of a program's map and their types (§2.4.4.8).
fn elementary_streams(payload: &[u8]) -> Vec<(u16, u8)> {
    let section = section(payload).unwrap_or_default();
    let length = |at: usize| Some(usize::from(u16::from_be_bytes([section.get(at)? & 0x0f, *section.get(at + 1)?])));
    let mut found = Vec::new();
    let mut at = 12 + length(10).unwrap_or(0);
    while at + 9 <= section.len() && found.len() < 64 {
        let (Some(&kind), Some(&p1), Some(&p0)) = (section.get(at), section.get(at + 1), section.get(at + 2)) else {
            break;
        };
        found.push((u16::from_be_bytes([p1 & 0x1f, p0]), kind));
        at += 5 + length(at + 3).unwrap_or(0);
    }
    found
}

fn section(payload: &[u8]) -> Option<&[u8]> {
    let start = 1 + usize::from(*payload.first()?);
    let table = payload.get(start..)?;
    let length = usize::from(u16::from_be_bytes([table.get(1)? & 0x0f, *table.get(2)?]));
    table.get(..(3 + length).min(table.len()))
}

impl Elementary {
    fn blank(&mut self, payload: &mut [u8], starts: bool) {
        let mut at = 0;
        if starts && payload.starts_with(&[0, 0, 1]) {
            at = 9 + payload.get(8).copied().map_or(0, usize::from);
            // Where no NAL units are, the header of the first frame tells what it is.
            self.kept = if matches!(self.kind, H264 | H265) { 0 } else { 7 };
            (self.zeros, self.begins) = (0, false);
        }
        for byte in payload.get_mut(at..).unwrap_or_default() {
            self.pass(byte);
        }
    }

    fn pass(&mut self, byte: &mut u8) {
        let was = *byte;
        if !matches!(self.kind, H264 | H265) {
            if self.kept == 0 {
                *byte = FILL;
            }
            self.kept = self.kept.saturating_sub(1);
            return;
        }
        if std::mem::take(&mut self.begins) {
            self.kept = kept_of(self.kind, was);
        }
        if self.zeros >= 2 && was == 1 {
            (self.begins, self.zeros, self.kept) = (true, 0, 0);
            return;
        }
        self.zeros = if was == 0 { (self.zeros + 1).min(3) } else { 0 };
        // Zeros may begin a start code; alone they tell nothing.
        if self.kept == 0 && was != 0 {
            *byte = FILL;
        }
        self.kept = self.kept.saturating_sub(1);
    }
}

/// How many bytes of a NAL unit stay, by its first one.
fn kept_of(kind: u8, first: u8) -> usize {
    let (is_set, head) = match kind {
        H264 => (matches!(first & 0x1f, 7..=9), 1),
        _ => (matches!((first >> 1) & 0x3f, 32..=35), 2),
    };
    if is_set { MAX_PARAMETER_SET } else { head + SLICE_HEADER }
}

/// Samples of a film. Where they are NAL units with their lengths of four bytes before them (ISO/IEC 14496-15 §4.3.3), what
/// tells a key frame stays; sound does not read as such.
fn blank_samples(mut bytes: &mut [u8]) {
    loop {
        let length = bytes.first_chunk::<4>().map(|length| u32::from_be_bytes(*length));
        let length = length.and_then(|length| usize::try_from(length).ok()).and_then(|length| length.checked_add(4));
        let Some(length) = length.filter(|length| (5..=bytes.len()).contains(length)) else { return fill(bytes) };
        let (unit, rest) = bytes.split_at_mut(length);
        if let Some(nal) = unit.get_mut(4..) {
            // A slice of H.264 has an odd first byte, the head of a unit of H.265 ends with its layer and time, 0 and 1.
            match nal {
                [first, 1, ..] if *first & 1 == 0 => blank_nal_h265(nal),
                _ => blank_nal_h264(nal),
            }
        }
        bytes = rest;
    }
}

/// Titles and places, which stand in boxes of their own (ISO/IEC 14496-12 §8.10.1, §8.11.1).
fn blank_user_data(mut bytes: &mut [u8], depth: usize) {
    while let Some(&[l3, l2, l1, l0, kind @ ..]) = bytes.first_chunk::<8>() {
        let length = usize::try_from(u32::from_be_bytes([l3, l2, l1, l0])).unwrap_or(usize::MAX);
        if !(8..=bytes.len()).contains(&length) {
            return;
        }
        let (this, rest) = bytes.split_at_mut(length);
        match (this.get_mut(8..), &kind) {
            (Some(content), b"udta" | b"meta" | b"uuid") => fill(content),
            (Some(content), b"trak" | b"mdia" | b"traf") if depth < 4 => blank_user_data(content, depth + 1),
            _ => {}
        }
        bytes = rest;
    }
}

/// Takes pictures and sound out of an MP4 (ISO/IEC 14496-12): what lies in its `mdat` boxes. What does not walk as boxes
/// becomes filler.
pub fn blank_mp4(mut bytes: &mut [u8]) {
    while let Some(&[l3, l2, l1, l0, k3, k2, k1, k0]) = bytes.first_chunk::<8>() {
        let short = u64::from(u32::from_be_bytes([l3, l2, l1, l0]));
        let (head, length) = match short {
            0 => (8, bytes.len() as u64),
            1 => (16, bytes.get(8..16).and_then(<[u8]>::first_chunk::<8>).map_or(0, |l| u64::from_be_bytes(*l))),
            length => (8, length),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
        if length < head {
            break;
        }
        let (this, rest) = bytes.split_at_mut(length);
        let is_known = [k3, k2, k1, k0].iter().all(u8::is_ascii_graphic);
        let is_description =
            matches!(&[k3, k2, k1, k0], b"ftyp" | b"styp" | b"moov" | b"moof" | b"sidx" | b"mfra" | b"prft");
        match this.get_mut(head..) {
            Some(samples) if [k3, k2, k1, k0] == *b"mdat" => blank_samples(samples),
            Some(content) if !is_description || !is_known => fill(content),
            Some(content) => blank_user_data(content, 0),
            None => {}
        }
        bytes = rest;
    }
    fill(bytes);
}
