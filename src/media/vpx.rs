//! VP8, VP9 and AV1 as far as their RTP payloads tell it without decoding.

use super::bits::Bits;
use super::plausible_size;

/// What the payload of one packet tells about the picture it belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Picture {
    /// Whether the packet begins a picture.
    pub begins: bool,
    /// Whether the packet begins a picture that needs no other.
    pub key: bool,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// The profile's number.
    pub profile: Option<u8>,
}

/// Bytes of the descriptor before a VP8 payload (RFC 7741 §4.2).
pub fn vp8_descriptor(payload: &[u8]) -> Option<usize> {
    let mut bits = Bits::new(payload);
    let extended = bits.flag()?;
    bits.skip(7)?;
    if extended {
        let (picture_id, level, layer) = (bits.flag()?, bits.flag()?, bits.read(2)? > 0);
        bits.skip(4)?;
        if picture_id {
            let long = bits.flag()?;
            bits.skip(if long { 15 } else { 7 })?;
        }
        bits.skip(8 * (usize::from(level) + usize::from(layer)))?;
    }
    Some(payload.len() - bits.remaining() / 8)
}

/// A VP8 payload (RFC 7741 §4.2, §4.3; RFC 6386 §9.1).
pub fn vp8(payload: &[u8]) -> Option<Picture> {
    let frame = payload.get(vp8_descriptor(payload)?..)?;
    let flags = payload.first()?;
    if flags & 0x10 == 0 || flags & 7 != 0 {
        return Some(Picture::default());
    }
    // Behind the frame tag there is something of the picture (RFC 6386 §9.1).
    if frame.len() < 4 {
        return Some(Picture::default());
    }
    if frame.first()? & 1 == 1 {
        return Some(Picture { begins: true, ..Picture::default() });
    }
    let [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = *frame.first_chunk::<10>()? else {
        return Some(Picture { begins: true, ..Picture::default() });
    };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let size = Some((side(w0, w1), side(h0, h1))).filter(|&(w, h)| plausible_size(w, h));
    Some(Picture { begins: true, key: true, size, profile: Some(frame.first()? >> 1 & 7) })
}

/// Bytes of the descriptor before a VP9 payload (RFC 9628 §4.2).
pub fn vp9_descriptor(payload: &[u8]) -> Option<usize> {
    vp9_head(payload).map(|(length, _)| length)
}

/// A VP9 payload (RFC 9628 §4.2).
pub fn vp9(payload: &[u8]) -> Option<Picture> {
    vp9_head(payload).map(|(_, picture)| picture)
}

/// The descriptor's length, and what it tells.
fn vp9_head(payload: &[u8]) -> Option<(usize, Picture)> {
    let mut bits = Bits::new(payload);
    let (has_id, inter, layered, flexible) = (bits.flag()?, bits.flag()?, bits.flag()?, bits.flag()?);
    let (begins, _ends, structure) = (bits.flag()?, bits.flag()?, bits.flag()?);
    bits.skip(1)?;
    if has_id {
        let long = bits.flag()?;
        bits.skip(if long { 15 } else { 7 })?;
    }
    let mut base_layer = true;
    if layered {
        bits.skip(4)?;
        base_layer = bits.read(3)? == 0;
        bits.skip(1)?;
        if !flexible {
            bits.skip(8)?;
        }
    }
    if flexible && inter {
        while bits.skip(7).and_then(|()| bits.flag())? {}
    }
    let mut size = None;
    if structure {
        let layers = bits.read(3)? + 1;
        let (with_sizes, groups) = (bits.flag()?, bits.flag()?);
        bits.skip(3)?;
        for _ in 0..if with_sizes { layers } else { 0 } {
            size = Some((bits.read(16)?, bits.read(16)?)).filter(|&(w, h)| plausible_size(w, h));
        }
        if groups {
            for _ in 0..bits.read(8)? {
                bits.skip(4)?; // temporal layer, switching up
                let references = bits.read(2)? as usize;
                bits.skip(2 + 8 * references)?;
            }
        }
    }
    let begins = begins && base_layer && bits.remaining() >= 8;
    let length = payload.len() - bits.remaining() / 8;
    Some((length, Picture { begins, key: begins && !inter, size, profile: None }))
}

/// An AV1 payload (AV1 RTP §4.4): the aggregation header's N bit starts a coded video sequence, whose first OBU is its
/// sequence header.
pub fn av1(payload: &[u8]) -> Option<Picture> {
    let (&aggregation, rest) = payload.split_first()?;
    let (continues, count, key) = (aggregation & 0x80 != 0, aggregation >> 4 & 3, aggregation & 0x08 != 0);
    let picture = Picture { begins: !continues && !rest.is_empty(), key, ..Picture::default() };
    if continues || !key {
        return Some(picture);
    }
    let unit = if count == 1 { rest } else { sized_unit(rest)? };
    let (&header, mut body) = unit.split_first()?;
    if header & 0x04 != 0 {
        body = body.get(1..)?;
    }
    if header & 0x02 != 0 {
        body = sized_unit(body)?;
    }
    if header >> 3 & 0x0f != 1 {
        return Some(picture);
    }
    let bits = &mut Bits::new(body);
    let profile = bits.byte(3)?;
    Some(Picture { size: sequence_size(bits), profile: Some(profile), ..picture })
}

/// The bytes after their length in LEB128.
fn sized_unit(bytes: &[u8]) -> Option<&[u8]> {
    let mut length = 0usize;
    for (place, &byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return bytes.get(place + 1..)?.get(..length);
        }
    }
    None
}

/// The largest picture of a sequence header (AV1 §5.5.1), behind `seq_profile`; not where timing information is given.
fn sequence_size(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    bits.skip(1)?; // still_picture
    if bits.flag()? {
        bits.skip(5)?; // reduced header: level only
    } else {
        if bits.flag()? {
            return None;
        }
        let delays = bits.flag()?;
        for _ in 0..=bits.read(5)? {
            bits.skip(12)?;
            if bits.read(5)? > 7 {
                bits.skip(1)?;
            }
            if delays && bits.flag()? {
                bits.skip(4)?;
            }
        }
    }
    let (width_bits, height_bits) = (bits.read(4)? as usize + 1, bits.read(4)? as usize + 1);
    let size = (bits.read(width_bits)? + 1, bits.read(height_bits)? + 1);
    Some(size).filter(|&(w, h)| plausible_size(w, h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vp8_key_frames_carry_their_size() {
        let key = [0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01, 0];
        assert_eq!(vp8(&key), Some(Picture { begins: true, key: true, size: Some((640, 480)), profile: Some(0) }));
        let with_id = [&[0x90, 0x80, 0x81, 0x02][..], &key[1..]].concat();
        assert_eq!(vp8(&with_id).unwrap().size, Some((640, 480)));
        assert!(!vp8(&[0x10, 0x11, 0, 0]).unwrap().key, "an inter frame");
        assert!(!vp8(&[0x00, 0x10, 0, 0]).unwrap().key, "a later packet");
    }

    #[test]
    fn vp9_scalability_structure_carries_the_size() {
        let first = [0x8a, 0x01, 0x10, 0x05, 0x00, 0x02, 0xd0, 0x82];
        assert_eq!(vp9(&first), Some(Picture { begins: true, key: true, size: Some((1280, 720)), profile: None }));
        assert!(!vp9(&[0xc8, 0x02]).unwrap().key);
    }

    #[test]
    fn av1_sequence_header_carries_the_size() {
        // N and W = 1; OBU header of a sequence header; profile 0, reduced, 11 bits each for 1280 × 720.
        let bits = "000" /* profile */
            .to_owned()
            + "01"
            + "00000"
            + "1010"
            + "1010"
            + "10011111111"
            + "01011001111"
            + "0";
        let body: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|c| c.iter().enumerate().fold(0, |b, (i, &d)| b | (d - b'0') << (7 - i)))
            .collect();
        let payload = [&[0x18, 0x08][..], &body].concat();
        assert_eq!(av1(&payload), Some(Picture { begins: true, key: true, size: Some((1280, 720)), profile: Some(0) }));
    }
}
