//! A glimpse into one RTP payload: parameter sets, whether a key frame is in it, its size. Needs no packet before it, so
//! losses, odd packetization and unknown extensions cost at most the packet they hit.

use super::{h264, h265, jpeg, mpeg4, nal, vpx};
use crate::model::VideoCodec;

/// What one payload tells about the frame it belongs to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Glimpse<'a> {
    /// Part of a picture is in it, not only parameter sets or supplements.
    pub picture: bool,
    /// A picture begins in it.
    pub begins: bool,
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
            // Behind the header there is something of the picture (RFC 2435 §3.1).
            let header = jpeg::RtpHeader::parse(payload).filter(|_| payload.len() > 8);
            Glimpse {
                picture: header.is_some(),
                begins: header.is_some_and(|h| h.offset == 0),
                key: header.is_some(),
                size: header.and_then(|h| h.size),
                ..Glimpse::default()
            }
        }
        VideoCodec::Mpeg4 => {
            let (begins, config) = (mpeg4::is_key(payload), mpeg4::Config::parse(payload));
            Glimpse {
                picture: begins.is_some() || config.is_none(),
                begins: begins.is_some(),
                key: begins == Some(true),
                parameter_sets: config.map(|_| payload).into_iter().collect(),
                ..Glimpse::default()
            }
        }
        VideoCodec::Vp8 => of_vpx(vpx::vp8(payload)),
        VideoCodec::Vp9 => of_vpx(vpx::vp9(payload)),
        VideoCodec::Av1 => of_vpx(vpx::av1(payload)),
    }
}

fn of_vpx<'a>(picture: Option<vpx::Picture>) -> Glimpse<'a> {
    let Some(picture) = picture else { return Glimpse::default() };
    Glimpse { picture: true, begins: picture.begins, key: picture.key, size: picture.size, ..Glimpse::default() }
}

/// RFC 6184 §5.4: single units, STAP-A and -B, FU-A and -B; beyond it several units with start codes in one payload, as
/// some cameras send.
fn of_h264(payload: &[u8]) -> Glimpse<'_> {
    let mut seen = Glimpse::default();
    match (h264::nal_type(payload), payload) {
        (24, [_, units @ ..]) | (25, [_, _, _, units @ ..]) => {
            nal::aggregated(units).for_each(|nal| seen.note_h264(nal));
        }
        (28 | 29, [indicator, fu, fragment @ ..]) => {
            if fu & 0x80 == 0 {
                seen.picture = matches!(fu & 0x1f, 1..=h264::IDR) && !fragment.is_empty();
            } else {
                // Enough of the slice header to read its type.
                let head: Vec<u8> =
                    std::iter::once(indicator & 0xe0 | fu & 0x1f).chain(fragment.iter().copied().take(24)).collect();
                seen.note_slice_h264(&head);
            }
        }
        (1..=h264::IDR, _) => seen.note_h264(payload),
        (0 | 6..=23, _) => nal::annex_b(payload).for_each(|nal| seen.note_h264(nal)),
        _ => {}
    }
    seen
}

/// RFC 7798 §4.4: single units, aggregation packets, fragmentation units.
fn of_h265(payload: &[u8]) -> Glimpse<'_> {
    let mut seen = Glimpse::default();
    match (h265::nal_type(payload), payload) {
        (48, [_, _, units @ ..]) => nal::aggregated(units).for_each(|nal| seen.note_h265(nal)),
        (49, [_, _, fu, fragment @ ..]) => {
            let kind = fu & 0x3f;
            // Enough of the slice header to read its beginning.
            let head = || [&[kind << 1, 1], fragment.get(..fragment.len().min(22)).unwrap_or_default()].concat();
            let starts = fu & 0x80 != 0;
            seen.picture = kind < 32 && if starts { h265::has_slice_header(&head()) } else { !fragment.is_empty() };
            seen.key = seen.picture && (16..=23).contains(&kind);
            seen.begins = seen.picture && starts && fragment.first().is_some_and(|first| first & 0x80 != 0);
        }
        (32..=40, _) | (0, [0, 0, ..]) => nal::annex_b(payload).for_each(|nal| seen.note_h265(nal)),
        (0..=31, _) => seen.note_h265(payload),
        _ => {}
    }
    seen
}

impl<'a> Glimpse<'a> {
    fn note_h264(&mut self, nal: &'a [u8]) {
        match h264::nal_type(nal) {
            h264::SPS | h264::PPS => self.parameter_sets.push(nal),
            1..=h264::IDR => self.note_slice_h264(nal),
            _ => {}
        }
    }

    /// What claims to be a slice and has no header of one, as a NAL unit of a single byte, shows nothing.
    fn note_slice_h264(&mut self, nal: &[u8]) {
        let is_slice = match h264::nal_type(nal) {
            // Partitions B and C begin with the number of their slice (§7.3.2.9).
            3 | 4 => nal.len() > 1,
            _ => h264::slice_type(nal).is_some(),
        };
        if !is_slice {
            return;
        }
        self.picture = true;
        self.key |= h264::is_key(nal);
        self.intra |= h264::is_intra_slice(nal) == Some(true);
        // first_mb_in_slice is 0: one bit that is set. Partitions B and C never begin a picture.
        self.begins |= matches!(h264::nal_type(nal), 1 | 2 | h264::IDR) && nal.get(1).is_some_and(|b| b & 0x80 != 0);
    }

    fn note_h265(&mut self, nal: &'a [u8]) {
        match h265::nal_type(nal) {
            h265::VPS..=h265::PPS => self.parameter_sets.push(nal),
            0..=31 if h265::has_slice_header(nal) => {
                self.picture = true;
                self.key |= h265::is_key(nal);
                self.begins |= nal.get(2).is_some_and(|first| first & 0x80 != 0);
            }
            _ => {}
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
        let stap = glimpse(VideoCodec::H264, &[24, 0, 2, 0x67, 66, 0, 2, 0x68, 0xce, 0, 3, 0x65, 0x88, 0x84]);
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
        let ap = glimpse(VideoCodec::H265, &[48 << 1, 1, 0, 3, 0x40, 1, 1, 0, 3, 0x42, 1, 1, 0, 3, 0x2a, 1, 0xaf]);
        assert!(ap.key && ap.parameter_sets.len() == 2);
        assert!(glimpse(VideoCodec::H265, &[49 << 1, 1, 0x80 | 21, 0xaf]).key);
    }

    #[test]
    fn a_slice_has_a_header() {
        for (codec, payload) in [
            (VideoCodec::H264, &[0x65][..]),
            (VideoCodec::H264, &[0x65, 0x88]),
            (VideoCodec::H264, &[0x65, 0, 0, 0]),
            (VideoCodec::H264, &[0x41, 0x8b, 0x80]),
            (VideoCodec::H264, &[24, 0, 1, 0x65, 0, 1, 0x65]),
            (VideoCodec::H264, &[0x7c, 0x85]),
            (VideoCodec::H264, &[0x7c, 0x05]),
            (VideoCodec::H265, &[19 << 1, 1]),
            (VideoCodec::H265, &[19 << 1, 1, 0]),
            (VideoCodec::H265, &[49 << 1, 1, 0x80 | 19]),
            (VideoCodec::H265, &[49 << 1, 1, 19]),
            (VideoCodec::Mjpeg, &[0, 0, 0, 0, 1, 60, 80, 60]),
        ] {
            assert!(!glimpse(codec, payload).picture, "{codec:?} {payload:x?}");
        }
        for (codec, payload) in [
            (VideoCodec::Vp8, &[0x10, 1][..]),
            (VideoCodec::Vp9, &[0x08]),
            (VideoCodec::Av1, &[0x10]),
            (VideoCodec::Mpeg4, &[0xb6]),
        ] {
            assert!(!glimpse(codec, payload).begins, "{codec:?} {payload:x?}");
        }
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
