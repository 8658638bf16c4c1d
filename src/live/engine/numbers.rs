//! Under which number of the session's a codec is sent.

use str0m::Rtc;
use str0m::format::Codec;
use str0m::media::{Mid, Pt};

use super::negotiate::name_of_sound;
use crate::media::format::{AudioFormat, VideoFormat};
use crate::model::VideoCodec;

/// The payload type for a picture: of H.264 that whose profile is nearest, since browsers decode High under any name.
pub(super) fn video_number(rtc: &Rtc, mid: Mid, video: &VideoFormat) -> Option<Pt> {
    let wanted = match video.codec {
        VideoCodec::H264 => Codec::H264,
        VideoCodec::H265 => Codec::H265,
        VideoCodec::Vp8 => Codec::Vp8,
        VideoCodec::Vp9 => Codec::Vp9,
        VideoCodec::Mjpeg | VideoCodec::Mpeg4 | VideoCodec::Av1 => return None,
    };
    let own = video.sets.first().filter(|_| wanted == Codec::H264).and_then(|sps| sps.get(1).copied());
    let rank = |profile: Option<u32>| {
        let profile = profile.map_or(0, |id| (id >> 16) as u8);
        let order = [own.unwrap_or_default(), 0x4d, 0x42, 0x64];
        order.iter().position(|known| *known == profile).unwrap_or(order.len())
    };
    let media = rtc.media(mid)?;
    let known = rtc.codec_config().params().iter().filter(|params| media.remote_pts().contains(&params.pt()));
    let fitting = known.filter(|params| {
        let spec = params.spec();
        spec.codec == wanted && (wanted != Codec::H264 || spec.format.packetization_mode == Some(1))
    });
    fitting.min_by_key(|params| rank(params.spec().format.profile_level_id)).map(|params| params.pt())
}

/// The same for sound.
pub(super) fn audio_number(rtc: &Rtc, mid: Mid, audio: &AudioFormat) -> Option<Pt> {
    let wanted = name_of_sound(audio.codec)?;
    let media = rtc.media(mid)?;
    let known = rtc.codec_config().params().iter().filter(|params| media.remote_pts().contains(&params.pt()));
    known.into_iter().find(|params| params.spec().codec == wanted).map(|params| params.pt())
}

/// The payload type under which what was sent under that one is sent again (RFC 4588 §8.6); none where the viewer takes no such.
pub(super) fn resend_number(rtc: &Rtc, number: Pt) -> Option<Pt> {
    rtc.codec_config().params().iter().find(|params| params.pt() == number)?.resend()
}
