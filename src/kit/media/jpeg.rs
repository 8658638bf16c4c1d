//! JPEGs among other bytes (ITU-T T.81 Annex B).

use super::{fill, fill_from};

/// Takes the picture out of every JPEG in `bytes`, whether or not they are whole; whether there was any. Tables and frame
/// headers stay, comments and the segments of applications (Exif knows places and serial numbers) do not.
pub fn blank_all(bytes: &mut [u8]) -> bool {
    let mut at = 0;
    let mut any = false;
    while let Some(start) = bytes.get(at..).and_then(|rest| rest.windows(3).position(|w| w == [0xff, 0xd8, 0xff])) {
        any = true;
        at += start + 2;
        at += blank_one(bytes.get_mut(at..).unwrap_or_default());
    }
    any
}

/// Blanks the segments behind a start of image; how many bytes they are.
fn blank_one(bytes: &mut [u8]) -> usize {
    let mut at = 0;
    while let Some(&[0xff, marker]) = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>) {
        at += 2;
        match marker {
            0xd9 => return at,
            0xff => at -= 1,
            0x01 | 0xd0..=0xd8 => {}
            _ => {
                let length = bytes.get(at..at + 2).map_or(0, |l| l.iter().fold(0, |sum, &b| sum << 8 | usize::from(b)));
                let Some(body) = bytes.get_mut(at + 2..(at + length).max(at + 2)).filter(|_| length >= 2) else {
                    break;
                };
                match marker {
                    0xe0 if body.starts_with(b"JFIF\0") => fill_from(body, 14),
                    0xe0..=0xef | 0xfe => fill(body),
                    _ => {}
                }
                at += length;
                if marker == 0xda {
                    at += blank_scan(bytes.get_mut(at..).unwrap_or_default());
                }
            }
        }
    }
    // Segments that do not walk: nothing that follows is known to be harmless, but for the next part of a body.
    let rest = bytes.get_mut(at..).unwrap_or_default();
    let end = rest.windows(4).position(|w| w == b"\r\n--").unwrap_or(rest.len());
    rest.get_mut(..end).into_iter().for_each(fill);
    at + end
}

/// Blanks the data of a scan; how long it is.
fn blank_scan(bytes: &mut [u8]) -> usize {
    let is_end = |w: &[u8]| matches!(w, [0xff, marker] if !matches!(marker, 0 | 0xd0..=0xd7 | 0xff));
    let end = bytes.windows(2).position(is_end).unwrap_or(bytes.len());
    bytes.get_mut(..end).into_iter().for_each(fill);
    end
}
