//! What audio and video messages hold: FLV tags (Adobe, "Video File Format" 10.1 annex E) and their extension by four
//! characters (enhanced RTMP v1). Pure.

use super::amf::Value;
use crate::media::aac::AudioConfig;
use crate::media::{describe, h264, h265, plausible_size};
use crate::model::{Audio, AudioCodec, FpsSource, SizeSource, Video, VideoCodec};

/// What a video message holds.
#[derive(Debug, Clone, PartialEq)]
pub enum VideoTag<'b> {
    /// What describes the frames that follow.
    Config {
        /// What the parameter sets say.
        video: Video,
        /// The parameter sets.
        sets: Vec<&'b [u8]>,
    },
    /// A frame.
    Frame {
        /// Whether it is a key frame.
        key: bool,
        /// Its codec, where it is one we know.
        codec: Option<VideoCodec>,
        /// What the decoder gets: of H.264 and H.265 NAL units with their lengths before them.
        sample: &'b [u8],
    },
    /// Neither: an end mark, a command, something unknown.
    Other,
}

/// Reads a video message.
pub fn video(body: &[u8]) -> VideoTag<'_> {
    tag(body).unwrap_or(VideoTag::Other)
}

fn tag(body: &[u8]) -> Option<VideoTag<'_>> {
    let (&first, rest) = body.split_first()?;
    let key = first >> 4 & 7 == 1;
    if first & 0x80 != 0 {
        let (four, rest) = rest.split_first_chunk::<4>()?;
        let codec = describe::codecs(std::str::from_utf8(four).ok()?).0.and_then(|v| v.codec);
        return Some(match first & 0x0f {
            0 => config(codec, rest),
            // The composition time stands before the frames of these two codecs, where it is not zero.
            1 if matches!(codec, Some(VideoCodec::H264 | VideoCodec::H265)) => {
                VideoTag::Frame { key, codec, sample: rest.get(3..)? }
            }
            1 | 3 => VideoTag::Frame { key, codec, sample: rest },
            _ => VideoTag::Other,
        });
    }
    let codec = match first & 0x0f {
        7 => Some(VideoCodec::H264),
        // Not in the specification, but sent by cameras and by several servers.
        12 => Some(VideoCodec::H265),
        13 => Some(VideoCodec::Av1),
        4 | 5 => None,
        2 | 3 => None,
        _ => return None,
    };
    if codec.is_none() {
        return (first >> 4 != 5).then_some(VideoTag::Frame { key, codec, sample: rest });
    }
    Some(match rest.first()? {
        0 => config(codec, rest.get(4..)?),
        1 if first >> 4 != 5 => VideoTag::Frame { key, codec, sample: rest.get(4..)? },
        _ => VideoTag::Other,
    })
}

fn config(codec: Option<VideoCodec>, record: &[u8]) -> VideoTag<'_> {
    let sets = match codec {
        Some(VideoCodec::H264) => h264::avcc(record),
        Some(VideoCodec::H265) => h265::hvcc(record),
        _ => None,
    };
    let sets = sets.unwrap_or_default();
    let told = codec.and_then(|codec| describe::nals(codec, sets.iter().copied()));
    VideoTag::Config { video: told.unwrap_or(Video { codec, ..Video::default() }), sets }
}

/// Reads an audio message.
pub fn audio(body: &[u8]) -> Option<Audio> {
    let (&first, rest) = body.split_first()?;
    let rate = [5512, 11025, 22050, 44100].get(usize::from(first >> 2 & 3)).copied();
    let channels = Some(u16::from(first & 1) + 1);
    let of =
        |codec, sample_rate_hz, channels| Audio { codec: Some(codec), sample_rate_hz, channels, ..Audio::default() };
    Some(match first >> 4 {
        10 => match rest.split_first() {
            Some((0, config)) => AudioConfig::parse(config).map(|c| describe::aac(&c))?,
            // The header says 44.1 kHz and stereo whatever is true.
            _ => of(AudioCodec::Aac, None, None),
        },
        2 => of(AudioCodec::Mp3, rate, channels),
        14 => of(AudioCodec::Mp3, Some(8000), channels),
        7 => of(AudioCodec::Pcma, Some(8000), channels),
        8 => of(AudioCodec::Pcmu, Some(8000), channels),
        0 | 3 => of(AudioCodec::Pcm, rate, channels),
        13 => of(AudioCodec::Opus, Some(48_000), None),
        9 if rest.starts_with(b"Opus") => of(AudioCodec::Opus, Some(48_000), None),
        9 if rest.starts_with(b"mp4a") => of(AudioCodec::Aac, None, None),
        _ => return None,
    })
}

/// What `onMetaData` declares about the picture and the sound.
pub fn metadata(values: &[Value]) -> Option<(Video, Audio)> {
    let at = values.iter().position(|v| v.as_text() == Some("onMetaData"))?;
    let data = values.get(at + 1)?;
    let number = |name: &str| data.get(name).and_then(Value::as_number).filter(|n| n.is_finite() && *n > 0.0);
    let whole = |name: &str| number(name).filter(|n| *n < 1.0e9).map(|n| n.round() as u32);
    let (width, height) = whole("width").zip(whole("height")).filter(|&(w, h)| plausible_size(w, h)).unzip();
    let fps = number("framerate").or(number("videoframerate")).filter(|fps| (0.01..=1000.0).contains(fps));
    let video = Video {
        codec: data.get("videocodecid").and_then(video_codec),
        width,
        height,
        size_source: width.map(|_| SizeSource::Metadata),
        fps,
        fps_source: fps.map(|_| FpsSource::Metadata),
        bitrate_kbps: whole("videodatarate").filter(|&k| k > 0),
        ..Video::default()
    };
    let audio = Audio {
        codec: data.get("audiocodecid").and_then(audio_codec),
        sample_rate_hz: whole("audiosamplerate").filter(|r| (4000..=192_000).contains(r)),
        channels: whole("audiochannels").and_then(|c| u16::try_from(c).ok()).filter(|c| (1..=64).contains(c)),
        bitrate_kbps: whole("audiodatarate").filter(|&k| k > 0),
        ..Audio::default()
    };
    Some((video, audio))
}

/// A number of the tag's header, the four characters as a number, or a name.
fn video_codec(id: &Value) -> Option<VideoCodec> {
    match id {
        Value::Number(7.0) => Some(VideoCodec::H264),
        Value::Number(12.0) => Some(VideoCodec::H265),
        Value::Number(n) => {
            let four = (*n as u32).to_be_bytes();
            describe::codecs(std::str::from_utf8(&four).ok()?).0?.codec
        }
        Value::Text(name) => describe::codecs(name).0?.codec,
        _ => None,
    }
}

fn audio_codec(id: &Value) -> Option<AudioCodec> {
    match id {
        Value::Number(10.0) => Some(AudioCodec::Aac),
        Value::Number(2.0) => Some(AudioCodec::Mp3),
        Value::Number(7.0) => Some(AudioCodec::Pcma),
        Value::Number(8.0) => Some(AudioCodec::Pcmu),
        Value::Text(name) => describe::codecs(name).1?.codec,
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    /// A sequence header with that SPS.
    pub fn avc_config(sps: &[u8]) -> Vec<u8> {
        let mut out = vec![0x17, 0, 0, 0, 0, 1, sps[1], sps[2], sps[3], 0xff, 0xe1];
        out.extend((sps.len() as u16).to_be_bytes());
        out.extend(sps);
        out.extend([1, 0, 3, 0x68, 1, 2]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::*;

    #[test]
    fn tags_old_and_enhanced() {
        let sps = BASE64_STANDARD.decode("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=").unwrap();
        let old = testing::avc_config(&sps);
        let VideoTag::Config { video, sets } = super::video(&old) else { panic!() };
        assert_eq!(sets, [&sps[..], &[0x68, 1, 2]]);
        assert_eq!((video.width, video.height, video.fps), (Some(1280), Some(720), Some(30.0)));
        let enhanced = [b"\x90avc1", &old[5..]].concat();
        assert_eq!(super::video(&enhanced), VideoTag::Config { video, sets });
        let frame = |key, codec| VideoTag::Frame { key, codec, sample: b"x" };
        for (tag, is) in [
            (&b"\x17\x01\0\0\0x"[..], frame(true, Some(VideoCodec::H264))),
            (b"\x27\x01\0\0\0x", frame(false, Some(VideoCodec::H264))),
            (b"\x17\x02\0\0\0", VideoTag::Other),
            (b"\x93hvc1x", frame(true, Some(VideoCodec::H265))),
            (b"\xa1hvc1\0\0\0x", frame(false, Some(VideoCodec::H265))),
            (b"\x91av01x", frame(true, Some(VideoCodec::Av1))),
            (b"\x22x", frame(false, None)),
            (b"", VideoTag::Other),
        ] {
            assert_eq!(super::video(tag), is, "{tag:?}");
        }
        let aac = audio(&[0xaf, 0, 0x11, 0x90]).unwrap();
        assert_eq!((aac.sample_rate_hz, aac.channels), (Some(48_000), Some(2)));
        assert_eq!(audio(&[0x72, 1]).unwrap().codec, Some(AudioCodec::Pcma));
    }

    #[test]
    fn metadata_by_number_and_by_name() {
        let data = |codec: Value| {
            let fields = [
                ("width", Value::Number(640.0)),
                ("height", Value::Number(360.0)),
                ("framerate", Value::Number(f64::NAN)),
                ("videocodecid", codec),
                ("audiocodecid", Value::Number(10.0)),
            ];
            let fields = fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
            metadata(&[Value::text("@setDataFrame"), Value::text("onMetaData"), Value::Object(fields)]).unwrap()
        };
        for (id, codec) in [
            (Value::Number(7.0), Some(VideoCodec::H264)),
            (Value::Number(f64::from(u32::from_be_bytes(*b"hvc1"))), Some(VideoCodec::H265)),
            (Value::text("avc1"), Some(VideoCodec::H264)),
            (Value::Null, None),
        ] {
            let (video, audio) = data(id);
            assert_eq!((video.codec, video.width, video.fps), (codec, Some(640), None));
            assert_eq!(audio.codec, Some(AudioCodec::Aac));
        }
    }
}
