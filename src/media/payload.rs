//! A glimpse into one RTP payload: parameter sets, whether a key frame is in it, its size. Needs no packet before it, so
//! losses, odd packetization and unknown extensions cost at most the packet they hit.

use super::{h264, h265, jpeg, mpeg4, nal, vpx};
use crate::model::VideoCodec;

/// What one payload tells about the frame it belongs to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Glimpse<'a> {
    /// A slice of a key frame (IDR, IRAP, I-VOP, JPEG) is in it.
    pub key: bool,
    /// An intra coded slice begins in it; with a parameter set in the same frame it is a key frame as well.
    pub intra: bool,
    /// Parameter sets in it, whole: SPS, PPS, VPS, or an MPEG-4 configuration.
    pub parameter_sets: Vec<&'a [u8]>,
    /// Width and height in pixels, where the payload format itself carries them.
    pub size: Option<(u32, u32)>,
}

/// Looks into a payload.
pub fn glimpse(codec: VideoCodec, payload: &[u8]) -> Glimpse<'_> {
    match codec {
        VideoCodec::H264 => of_h264(payload),
        VideoCodec::H265 => of_h265(payload),
        VideoCodec::Mjpeg => {
            let header = jpeg::RtpHeader::parse(payload);
            Glimpse { key: header.is_some(), size: header.and_then(|h| h.size), ..Glimpse::default() }
        }
        VideoCodec::Mpeg4 => Glimpse {
            key: mpeg4::is_key(payload) == Some(true),
            parameter_sets: mpeg4::Config::parse(payload).map(|_| payload).into_iter().collect(),
            ..Glimpse::default()
        },
        VideoCodec::Vp8 => of_vpx(vpx::vp8(payload)),
        VideoCodec::Vp9 => of_vpx(vpx::vp9(payload)),
        VideoCodec::Av1 => of_vpx(vpx::av1(payload)),
    }
}

fn of_vpx<'a>(picture: Option<vpx::Picture>) -> Glimpse<'a> {
    let picture = picture.unwrap_or_default();
    Glimpse { key: picture.key, size: picture.size, ..Glimpse::default() }
}

/// RFC 6184 §5.4: single units, STAP-A and -B, FU-A and -B; beyond it several units with start codes in one payload, as
/// some cameras send.
fn of_h264(payload: &[u8]) -> Glimpse<'_> {
    let mut seen = Glimpse::default();
    match (h264::nal_type(payload), payload) {
        (24, [_, units @ ..]) | (25, [_, _, _, units @ ..]) => {
            aggregated(units).for_each(|nal| seen.note_h264(nal));
        }
        (28 | 29, [indicator, fu, fragment @ ..]) if fu & 0x80 != 0 => {
            // Enough of the slice header to read its type.
            let head: Vec<u8> =
                std::iter::once(indicator & 0xe0 | fu & 0x1f).chain(fragment.iter().copied().take(24)).collect();
            seen.key = h264::is_key(&head);
            seen.intra = h264::is_intra_slice(&head) == Some(true);
        }
        (1 | 2 | h264::IDR, _) => seen.note_h264(payload),
        (0 | 6..=23, _) => nal::annex_b(payload).for_each(|nal| seen.note_h264(nal)),
        _ => {}
    }
    seen
}

/// RFC 7798 §4.4: single units, aggregation packets, fragmentation units.
fn of_h265(payload: &[u8]) -> Glimpse<'_> {
    let mut seen = Glimpse::default();
    match (h265::nal_type(payload), payload) {
        (48, [_, _, units @ ..]) => aggregated(units).for_each(|nal| seen.note_h265(nal)),
        (49, [_, _, fu, ..]) => seen.key = (16..=23).contains(&(fu & 0x3f)),
        (32..=40, _) => nal::annex_b(payload).for_each(|nal| seen.note_h265(nal)),
        (0, [0, 0, ..]) => nal::annex_b(payload).for_each(|nal| seen.note_h265(nal)),
        _ => seen.note_h265(payload),
    }
    seen
}

fn aggregated(mut units: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (nal, rest) = h264::sized(units)?;
        units = rest;
        Some(nal)
    })
}

impl<'a> Glimpse<'a> {
    fn note_h264(&mut self, nal: &'a [u8]) {
        match h264::nal_type(nal) {
            h264::SPS | h264::PPS => self.parameter_sets.push(nal),
            _ => {
                self.key |= h264::is_key(nal);
                self.intra |= h264::is_intra_slice(nal) == Some(true);
            }
        }
    }

    fn note_h265(&mut self, nal: &'a [u8]) {
        match h265::nal_type(nal) {
            h265::VPS..=h265::PPS => self.parameter_sets.push(nal),
            _ => self.key |= h265::is_key(nal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn h264_in_every_packetization() {
        let single = glimpse(VideoCodec::H264, &[0x65, 0x88, 0x84]);
        assert!(single.key && single.intra);
        let stap = glimpse(VideoCodec::H264, &[24, 0, 2, 0x67, 66, 0, 2, 0x68, 0xce, 0, 2, 0x65, 0x88]);
        assert!(stap.key);
        assert_eq!(stap.parameter_sets, [&[0x67, 66][..], &[0x68, 0xce]]);
        assert!(glimpse(VideoCodec::H264, &[0x7c, 0x85, 0x88, 0x84]).key, "first fragment of an IDR slice");
        assert!(!glimpse(VideoCodec::H264, &[0x7c, 0x05, 0x88, 0x84]).key, "a later fragment");
        let start_codes = glimpse(VideoCodec::H264, &[0, 0, 0, 1, 0x67, 66, 0, 0, 1, 0x65, 0x88, 0x84]);
        assert!(start_codes.key && start_codes.parameter_sets.len() == 1);
        assert!(!glimpse(VideoCodec::H264, &[0x41, 0x9a, 0x24]).key);
    }

    #[test]
    fn h265_in_every_packetization() {
        assert!(glimpse(VideoCodec::H265, &[19 << 1, 1, 0xaf]).key);
        assert!(!glimpse(VideoCodec::H265, &[1 << 1, 1, 0xd0]).key);
        let ap = glimpse(VideoCodec::H265, &[48 << 1, 1, 0, 3, 0x40, 1, 1, 0, 3, 0x42, 1, 1, 0, 3, 0x2a, 1, 7]);
        assert!(ap.key && ap.parameter_sets.len() == 2);
        assert!(glimpse(VideoCodec::H265, &[49 << 1, 1, 0x80 | 21, 0]).key);
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>) {
            use VideoCodec::*;
            for codec in [H264, H265, Mjpeg, Mpeg4, Vp8, Vp9, Av1] {
                let _ = glimpse(codec, &bytes);
            }
        }
    }
}
