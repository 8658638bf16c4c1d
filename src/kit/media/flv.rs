//! Messages of RTMP that hold pictures and sound.

use super::{MAX_PARAMETER_SET, blank_nal_h264, blank_nal_h265, fill, fill_from};
use crate::model::VideoCodec;
use crate::protocol::rtmp::flv::{self, VideoTag};
use crate::protocol::rtmp::wire::kind;

/// Bytes of a tag's head: its kind and codec, the four characters of an extended one, a time.
const HEAD: usize = 8;
/// Bytes of a configuration that are none of a parameter set's.
const FRAME_OF_SETS: usize = 32;

/// Takes the picture or sound out of a message, by its type. Of a type that is not known nothing stays.
pub fn blank_message(of: u8, body: &mut [u8]) {
    match of {
        kind::VIDEO => blank_video(body),
        kind::AUDIO => blank_audio(body),
        _ => fill(body),
    }
}

fn blank_video(body: &mut [u8]) {
    let (codec, length) = match flv::video(body) {
        VideoTag::Config { .. } if body.len() <= MAX_PARAMETER_SET + FRAME_OF_SETS => return,
        VideoTag::Frame { codec, sample, .. } => (codec, sample.len()),
        VideoTag::Config { .. } | VideoTag::Other => return fill_from(body, HEAD),
    };
    let start = body.len().saturating_sub(length);
    let sample = body.get_mut(start..).unwrap_or_default();
    match codec {
        Some(VideoCodec::H264) => each_unit(sample, blank_nal_h264),
        Some(VideoCodec::H265) => each_unit(sample, blank_nal_h265),
        _ => fill(sample),
    }
}

/// Each NAL unit, with its length of four bytes before it.
fn each_unit(mut bytes: &mut [u8], blank: fn(&mut [u8])) {
    loop {
        let length = bytes.first_chunk::<4>().map(|length| u32::from_be_bytes(*length));
        let length = length.and_then(|length| usize::try_from(length).ok()).and_then(|length| length.checked_add(4));
        let Some(length) = length.filter(|length| *length <= bytes.len()) else { return fill(bytes) };
        let (unit, rest) = bytes.split_at_mut(length);
        unit.get_mut(4..).into_iter().for_each(blank);
        bytes = rest;
    }
}

/// Of AAC the configuration stays, of all sound what says its codec.
fn blank_audio(body: &mut [u8]) {
    let kept = match body {
        [first, 0, ..] if *first >> 4 == 10 && body.len() <= 64 => body.len(),
        [first, ..] if *first >> 4 == 9 => 5,
        _ => 2,
    };
    fill_from(body, kept);
}
