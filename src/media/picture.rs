//! One picture out of a stream: whole, and decodable by itself.

use super::{describe, nal};
use crate::model::VideoCodec;

/// One whole picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its codec.
    pub codec: VideoCodec,
    /// A JPEG; or a key frame with its parameter sets, as an Annex B byte stream or an MPEG-4 elementary stream.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// What ffmpeg calls the form of the bytes; none where the codec has no form that stands alone.
    pub fn ffmpeg_format(&self) -> Option<&'static str> {
        match self.codec {
            VideoCodec::H264 => Some("h264"),
            VideoCodec::H265 => Some("hevc"),
            VideoCodec::Mjpeg => Some("mjpeg"),
            VideoCodec::Mpeg4 => Some("m4v"),
            VideoCodec::Av1 | VideoCodec::Vp8 | VideoCodec::Vp9 => None,
        }
    }

    /// The picture of an access unit as an Annex B byte stream, as transport streams carry it. None for what is no key
    /// frame, or has no parameter sets.
    pub fn of_annex_b(codec: VideoCodec, access_unit: &[u8]) -> Option<Picture> {
        Picture::of_units(codec, &[], &nal::annex_b(access_unit).collect::<Vec<_>>())
    }

    /// The picture of a sample, whose NAL units have four-byte lengths before them, as MP4 and FLV carry it; the parameter
    /// sets stand before it where it has none of its own. None for what is no key frame, is cut off, or has no sets.
    pub fn of_sample(codec: VideoCodec, sets: &[Vec<u8>], sample: &[u8]) -> Option<Picture> {
        let units: Vec<&[u8]> = nal::length_prefixed(sample).collect();
        let whole = units.iter().map(|unit| unit.len() + 4).sum::<usize>() == sample.len();
        whole.then(|| Picture::of_units(codec, sets, &units))?
    }

    fn of_units(codec: VideoCodec, sets: &[Vec<u8>], units: &[&[u8]]) -> Option<Picture> {
        if !units.iter().any(|unit| describe::is_key(codec, unit)) {
            return None;
        }
        let is_sps = |unit: &[u8]| describe::is_sps(codec, unit);
        let own = units.iter().any(|unit| is_sps(unit));
        let before = if own { &[] } else { sets };
        (own || before.iter().any(|set| is_sps(set))).then(|| {
            let all = before.iter().map(Vec::as_slice).chain(units.iter().copied());
            Picture { codec, bytes: nal::to_annex_b(all) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETS: [&[u8]; 2] = [&[0x67, 1], &[0x68, 2]];
    const KEY: &[u8] = &[0x65, 3];

    fn sample(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|u| [&(u.len() as u32).to_be_bytes()[..], u].concat()).collect()
    }

    #[test]
    fn a_key_frame_stands_with_its_parameter_sets() {
        let sets = SETS.map(<[u8]>::to_vec);
        let whole = Picture { codec: VideoCodec::H264, bytes: nal::to_annex_b([SETS[0], SETS[1], KEY]) };
        assert_eq!(Picture::of_sample(VideoCodec::H264, &sets, &sample(&[KEY])), Some(whole.clone()));
        assert_eq!(Picture::of_sample(VideoCodec::H264, &[], &sample(&[SETS[0], SETS[1], KEY])), Some(whole.clone()));
        assert_eq!(Picture::of_annex_b(VideoCodec::H264, &whole.bytes), Some(whole));
    }

    #[test]
    fn what_cannot_be_decoded_is_no_picture() {
        let sets = SETS.map(<[u8]>::to_vec);
        let of = |sample: &[u8]| Picture::of_sample(VideoCodec::H264, &sets, sample);
        assert_eq!(of(&sample(&[&[0x41, 3]])), None, "no key frame");
        assert_eq!(of(&sample(&[KEY])[..5]), None, "cut off");
        assert_eq!(of(&[]), None);
        assert_eq!(Picture::of_sample(VideoCodec::H264, &[], &sample(&[KEY])), None, "no parameter sets");
        assert_eq!(Picture::of_annex_b(VideoCodec::H264, &nal::to_annex_b([KEY])), None);
        assert_eq!(Picture::of_annex_b(VideoCodec::Vp8, KEY), None);
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>) {
            for codec in [VideoCodec::H264, VideoCodec::H265, VideoCodec::Mjpeg] {
                Picture::of_annex_b(codec, &bytes);
                Picture::of_sample(codec, std::slice::from_ref(&bytes), &bytes);
            }
        }
    }
}
