//! FLAC (RFC 9639) without compression: how G.711 and PCM are carried where browsers take neither. Frames of any length, their
//! samples as they are.

/// Bits per sample.
const BITS: u8 = 16;
/// Samples a frame may have.
const MAX_SAMPLES: usize = 65_535;

/// The `STREAMINFO` block without its header (§8.2): 16 bits a sample, length unknown.
pub fn stream_info(sample_rate_hz: u32, channels: u16) -> [u8; 34] {
    let mut info = [0; 34];
    let channels = u64::from(channels.clamp(1, 8) - 1);
    // Smallest and largest block, then both frame sizes unknown.
    info[..4].copy_from_slice(&[0, 16, 0xff, 0xff]);
    let packed = u64::from(sample_rate_hz & 0xf_ffff) << 44 | channels << 41 | u64::from(BITS - 1) << 36;
    info[10..18].copy_from_slice(&packed.to_be_bytes());
    info
}

/// A frame of verbatim subframes (§9), whose first sample has that number (its lower 36 bits count). `samples` are interleaved;
/// `None` for more than fit one frame, or none.
pub fn frame(samples: &[i16], channels: u16, first: u64) -> Option<Vec<u8>> {
    let channels = usize::from(channels.clamp(1, 8));
    let length = samples.len() / channels;
    let block = u16::try_from(length.checked_sub(1)?).ok().filter(|_| length <= MAX_SAMPLES)?;
    // Sync code, blocks of various sizes; size of 16 bits at the end, rate of STREAMINFO; channels; 16 bits a sample.
    let mut out = Vec::with_capacity(samples.len() * 2 + channels + 20);
    out.extend([0xff, 0xf9, 0x70, u8::try_from(channels - 1).ok()? << 4 | 0x08]);
    coded_number(&mut out, first & 0xf_ffff_ffff);
    out.extend(block.to_be_bytes());
    out.push(u8::try_from(crc(&out, 8, 0x07)).ok()?);
    for channel in 0..channels {
        out.push(0x02);
        let own = samples.iter().skip(channel).step_by(channels).take(length);
        own.for_each(|sample| out.extend(sample.to_be_bytes()));
    }
    let check = crc(&out, 16, 0x8005);
    out.extend(check.to_be_bytes());
    Some(out)
}

/// A number of up to 36 bits in the way of UTF-8 (§9.1.5).
fn coded_number(out: &mut Vec<u8>, number: u64) {
    let following = match number {
        0..=0x7f => 0,
        0x80..=0x7ff => 1,
        0x800..=0xffff => 2,
        0x1_0000..=0x1f_ffff => 3,
        0x20_0000..=0x3ff_ffff => 4,
        0x400_0000..=0x7fff_ffff => 5,
        _ => 6,
    };
    let marks = if following == 0 { 0 } else { !(0x7f_u8 >> following) };
    out.push(marks | (number >> (6 * following)) as u8);
    for place in (0..following).rev() {
        out.push(0x80 | (number >> (6 * place)) as u8 & 0x3f);
    }
}

/// A cyclic redundancy check of `bits` bits, from 0, highest bit first (§9.1.8, §9.3).
fn crc(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
    let (top, mask) = (1u16 << (bits - 1), u16::MAX >> (16 - bits));
    let fold =
        |crc: u16, &byte: &u8| {
            (0..8).fold(crc ^ u16::from(byte) << (bits - 8), |crc, _| {
                if crc & top == 0 { crc << 1 } else { crc << 1 ^ polynomial }
            }) & mask
        };
    bytes.iter().fold(0, fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_of_the_catalogue() {
        // CRC-8/SMBUS and CRC-16/UMTS (which is FLAC's) of the usual nine digits.
        assert_eq!((crc(b"123456789", 8, 0x07), crc(b"123456789", 16, 0x8005)), (0xf4, 0xfee8));
    }

    #[test]
    fn numbers_as_utf_8_writes_them_and_beyond() {
        for number in [0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x1_0000, 0x10_ffff] {
            let mut coded = Vec::new();
            coded_number(&mut coded, number);
            if let Some(character) = u32::try_from(number).ok().and_then(char::from_u32) {
                assert_eq!(coded, character.to_string().into_bytes());
            }
        }
        let mut widest = Vec::new();
        coded_number(&mut widest, 0xf_ffff_ffff);
        assert_eq!(widest, [0xfe, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]);
    }

    #[test]
    fn samples_stand_as_they_are() {
        let frame = frame(&[1, -1, 2, -2], 2, 5).unwrap();
        assert_eq!(frame[..8], [0xff, 0xf9, 0x70, 0x18, 5, 0, 1, crc(&frame[..7], 8, 7) as u8]);
        assert_eq!(frame[8..18], [0x02, 0, 1, 0, 2, 0x02, 0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(frame.len(), 20);
        assert_eq!(super::frame(&[], 1, 0), None);
        assert_eq!(super::frame(&[0; 65_537], 1, 0), None);
    }
}
