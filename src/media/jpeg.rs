//! JPEG (ITU-T T.81) as far as cameras need: where an image ends and how large it is; the RTP payload header (RFC 2435).

use std::ops::Range;

use crate::text::steps;

/// Width and height of the JPEG at the start of `bytes`, from its frame header (SOF). Bytes before the first marker are
/// refused; those behind the frame header are not looked at.
pub fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut segments = Segments::new(bytes)?;
    loop {
        let (marker, body) = segments.next_segment().ok()?;
        if is_frame_header(marker) {
            let [_, h1, h0, w1, w0] = *body.first_chunk::<5>()?;
            let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
            return Some((width.into(), height.into())).filter(|&(w, h)| w > 0 && h > 0);
        }
        if matches!(marker, 0xd9 | 0xda) {
            return None;
        }
    }
}

/// The same of pictures whose segments do not walk, as some firmware writes them: then by the first frame header that
/// stands anywhere. `None` for what no decoder could make a picture of.
pub fn size_of_any(bytes: &[u8]) -> Option<(u32, u32)> {
    size(bytes).or_else(|| bytes.windows(11).find_map(frame_header))
}

/// Width and height, where bytes are a frame header with its marker (T.81 §B.2.2): the length that fits its 1 to 4
/// components, samples of 8 or 12 bits.
fn frame_header(bytes: &[u8]) -> Option<(u32, u32)> {
    let &[0xff, marker, l1, l0, precision, h1, h0, w1, w0, components, _] = bytes else { return None };
    let fits = u16::from_be_bytes([l1, l0]) == 8 + 3 * u16::from(components);
    let is_one = is_frame_header(marker) && matches!(precision, 8 | 12) && (1..=4).contains(&components) && fits;
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    Some((width.into(), height.into())).filter(|&(w, h)| is_one && w > 0 && h > 0)
}

/// Where the JPEG at the start of `bytes` ends, its `FF D9` included; `None` while it is incomplete or is no JPEG.
/// A thumbnail inside an APP segment does not end it.
pub fn end(bytes: &[u8]) -> Option<usize> {
    EndFinder::default().find(bytes)
}

/// Finds where a JPEG ends while its bytes come, and looks at none of them twice.
#[derive(Debug, Clone, Default)]
pub struct EndFinder {
    /// Where the walk goes on.
    at: usize,
    /// Whether that is within the data of a scan.
    in_scan: bool,
    is_broken: bool,
}

impl EndFinder {
    /// As [`end`]. From one call to the next `bytes` may only grow; it ends once.
    pub fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.is_broken {
            return None;
        }
        let mut segments = Segments::new(bytes)?;
        segments.at = segments.at.max(self.at);
        let end = self.walk(&mut segments);
        self.at = segments.at;
        self.is_broken = end == Err(Stop::Broken);
        end.ok()
    }

    fn walk(&mut self, segments: &mut Segments<'_>) -> Result<usize, Stop> {
        loop {
            if self.in_scan {
                segments.skip_entropy_coded()?;
            }
            let (marker, _) = segments.next_segment()?;
            if marker == 0xd9 {
                return Ok(segments.at);
            }
            self.in_scan = marker == 0xda;
        }
    }
}

/// The first whole JPEG in `bytes`, wherever it begins.
pub fn find(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(place(bytes)?)
}

/// Where in `bytes` the first whole JPEG stands.
pub fn place(bytes: &[u8]) -> Option<Range<usize>> {
    let start = bytes.windows(3).position(|w| w == [0xff, 0xd8, 0xff])?;
    Some(start..start + end(bytes.get(start..)?)?)
}

/// SOF0 to SOF15 without DHT, JPG and DAC, which stand among them.
fn is_frame_header(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Why a walk goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// More bytes are needed.
    Short,
    /// No JPEG goes on like this.
    Broken,
}

impl<'a> Segments<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        bytes.starts_with(&[0xff, 0xd8]).then_some(Segments { bytes, at: 2 })
    }

    /// The next marker and the bytes of its segment.
    fn next_segment(&mut self) -> Result<(u8, &'a [u8]), Stop> {
        let rest = self.rest();
        let fill = rest.iter().take_while(|&&b| b == 0xff).count();
        steps::look_at(fill + 1);
        // Any number of them may stand before a marker: the last begins it.
        self.at += fill.saturating_sub(1);
        let marker = *rest.get(fill).ok_or(Stop::Short)?;
        if fill == 0 || marker == 0 {
            return Err(Stop::Broken);
        }
        if matches!(marker, 0x01 | 0xd0..=0xd9) {
            self.at += 2;
            return Ok((marker, &[]));
        }
        let (length, rest) = rest.get(fill + 1..).and_then(<[u8]>::split_first_chunk::<2>).ok_or(Stop::Short)?;
        let length = usize::from(u16::from_be_bytes(*length)).checked_sub(2).ok_or(Stop::Broken)?;
        let body = rest.get(..length).ok_or(Stop::Short)?;
        self.at += 4 + length;
        Ok((marker, body))
    }

    /// Goes to the next marker that is neither stuffing nor a restart.
    fn skip_entropy_coded(&mut self) -> Result<(), Stop> {
        let rest = self.rest();
        let data = rest.windows(2).position(|w| matches!(w, [0xff, m] if !matches!(m, 0 | 0xd0..=0xd7 | 0xff)));
        // The marker may be cut.
        let passed = data.unwrap_or(rest.len().saturating_sub(1));
        steps::look_at(passed);
        self.at += passed;
        data.map(|_| ()).ok_or(Stop::Short)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// The RTP/JPEG payload header (RFC 2435 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// Byte offset of this fragment in the frame; 0 starts a frame.
    pub offset: u32,
    /// The type: even 4:2:2, odd 4:2:0; 64 to 127 with restart markers.
    pub kind: u8,
    /// 1 to 99 a quality, from 128 on tables follow.
    pub q: u8,
    /// Width and height in pixels; `None` when either is 0, as for images above 2,040 pixels.
    pub size: Option<(u32, u32)>,
}

impl RtpHeader {
    /// Bytes it takes.
    pub const LENGTH: usize = 8;

    /// Reads the header at the start of an RTP payload.
    pub fn parse(payload: &[u8]) -> Option<RtpHeader> {
        let [_, o2, o1, o0, kind, q, width, height] = *payload.first_chunk::<8>()?;
        let size = (u32::from(width) * 8, u32::from(height) * 8);
        Some(RtpHeader {
            offset: u32::from_be_bytes([0, o2, o1, o0]),
            kind,
            q,
            size: Some(size).filter(|&(w, h)| w > 0 && h > 0),
        })
    }

    /// Whether a restart header follows (§3.1.7).
    pub fn has_restarts(&self) -> bool {
        (64..=127).contains(&self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IMAGE: &[u8] = include_bytes!("../../tests/data/media/camera_640x480_1.jpg");

    #[test]
    fn size_and_end_of_an_image() {
        assert_eq!(size(IMAGE), Some((640, 480)));
        assert_eq!(end(IMAGE), Some(IMAGE.len()));
        assert_eq!(end(&IMAGE[..IMAGE.len() - 1]), None, "incomplete");
        assert_eq!(size(b"<html>"), None);
        let stream = [b"junk".as_slice(), IMAGE, IMAGE].concat();
        assert_eq!(find(&stream), Some(IMAGE));
    }

    #[test]
    fn a_picture_has_a_size_even_where_its_segments_do_not_walk() {
        let broken = [&IMAGE[..2], &[0xff, 0xe0, 0xff, 0xff], &IMAGE[2..]].concat();
        assert_eq!((size(&broken), size_of_any(&broken)), (None, Some((640, 480))));
        for hollow in [&[0xff, 0xd8, 0xff, 0xd9][..], &[0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xd9], &[0; 64], &[]]
        {
            assert_eq!(size_of_any(hollow), None, "{hollow:?}");
        }
    }

    #[test]
    fn a_thumbnail_does_not_end_the_image() {
        let thumbnail = [0xff, 0xe1, 0, 8, 0xff, 0xd8, 1, 2, 0xff, 0xd9];
        let image = [&IMAGE[..2], &thumbnail, &IMAGE[2..]].concat();
        assert_eq!(end(&image), Some(image.len()));
        assert_eq!(size(&image), Some((640, 480)));
    }

    #[test]
    fn rtp_header_of_a_large_image_has_no_size() {
        let header = [0, 0, 1, 2, 1, 60, 80, 60];
        assert_eq!(RtpHeader::parse(&header), Some(RtpHeader { offset: 258, kind: 1, q: 60, size: Some((640, 480)) }));
        assert_eq!(RtpHeader::parse(&[0, 0, 0, 0, 1, 60, 0, 0]).unwrap().size, None);
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>, at in 0usize..9000, with: u8) {
            let _ = (size_of_any(&bytes), end(&bytes), find(&bytes), RtpHeader::parse(&bytes));
            let mut image = IMAGE.to_vec();
            image[at] = with;
            let _ = (size_of_any(&image), end(&image));
        }
    }
}
