//! Which viewer gets what: facts of a stream × what the browser can → ways to show it, best first, or reasons why not.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::facts::{AudioFacts, Facts, VideoFacts};
use super::words::{self, Reason, Sentence};
use crate::model::{AudioCodec, VideoCodec};

/// A way to show a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// WebRTC.
    WebRtc,
    /// Fragmented MP4 over WebSocket, by media source extensions.
    Mse,
    /// JPEGs as the camera sends them, over WebSocket.
    Mjpeg,
    /// Key frames as JPEGs, at most one a second.
    Stills,
}

/// What a browser says it can.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Abilities {
    /// Codecs its WebRTC receives, by name or MIME type, in any case: `H264`, `video/H265`, `opus`, `PCMU` …
    pub webrtc: BTreeSet<String>,
    /// Codec strings (RFC 6381) its media source extensions take, of those in the facts.
    pub mse: BTreeSet<String>,
    /// Whether sound is wanted.
    pub sound: bool,
}

/// A stream and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<'a> {
    /// Its number.
    pub id: &'a str,
    /// What is known of it.
    pub facts: &'a Facts,
}

/// One way to show something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// The stream: the one asked for, or another of the device.
    pub stream: String,
    /// How.
    pub mode: Mode,
    /// Whether its sound is heard.
    pub sound: bool,
    /// What the viewer should know.
    #[serde(rename = "note", skip_serializing_if = "Vec::is_empty", serialize_with = "words::joined")]
    pub notes: Vec<Reason>,
}

/// Why a way is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The way.
    pub mode: Mode,
    /// Why.
    pub reason: Reason,
}

/// Ways best first, and reasons against the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What can be tried, in this order.
    pub ways: Vec<Way>,
    /// What cannot, of the stream asked for.
    pub refused: Vec<Refusal>,
}

/// Chooses for the stream asked for; `siblings` are other streams of the device, and `stills` tells whether a key frame can be
/// made a JPEG here.
pub fn choose(asked: &Candidate<'_>, siblings: &[Candidate<'_>], can: &Abilities, stills: bool) -> Choice {
    let mut choice = of_stream(asked, can);
    if choice.ways.is_empty() {
        let other = siblings.iter().map(|sibling| of_stream(sibling, can).ways).find(|ways| !ways.is_empty());
        choice.ways = other.unwrap_or_default();
        for way in &mut choice.ways {
            way.notes.insert(0, Sentence::OtherStream.into());
        }
    }
    let codec = asked.facts.video.codec;
    if stills && matches!(codec, VideoCodec::H264 | VideoCodec::H265) {
        let notes = vec![Sentence::KeyFramesAlone.into()];
        choice.ways.push(Way { stream: asked.id.to_owned(), mode: Mode::Stills, sound: false, notes });
    }
    choice
}

/// The ways of one stream.
fn of_stream(stream: &Candidate<'_>, can: &Abilities) -> Choice {
    let Facts { video, audio } = stream.facts;
    let mut choice = Choice::default();
    if video.codec == VideoCodec::Mjpeg {
        choice.ways.push(way(stream, Mode::Mjpeg, audio.as_ref().map(|_| Err(no_sound(Mode::Mjpeg))), can));
        return choice;
    }
    match webrtc(video, can) {
        Ok(()) => {
            choice.ways.push(way(stream, Mode::WebRtc, audio.as_ref().map(|audio| webrtc_sound(audio, can)), can))
        }
        Err(reason) => choice.refused.push(Refusal { mode: Mode::WebRtc, reason }),
    }
    match mse(video.codec_string.as_deref(), name(video.codec), can) {
        Ok(()) => choice.ways.push(way(stream, Mode::Mse, audio.as_ref().map(|audio| mse_sound(audio, can)), can)),
        Err(reason) => choice.refused.push(Refusal { mode: Mode::Mse, reason }),
    }
    // Sound that is wanted and heard in one way alone decides; else WebRTC, which is the faster one, stays first.
    choice.ways.sort_by_key(|way| can.sound && !way.sound);
    choice
}

/// A way with its sound: none in the stream, heard, or why it is not.
fn way(stream: &Candidate<'_>, mode: Mode, sound: Option<Result<(), Sentence>>, can: &Abilities) -> Way {
    let silent = sound.and_then(Result::err).filter(|_| can.sound);
    let waits = stream.facts.video.without_idr.then_some(Sentence::NoWholeKeyFrames);
    let notes = silent.into_iter().chain(waits).map(Reason::from).collect();
    Way { stream: stream.id.to_owned(), mode, sound: can.sound && sound.is_some_and(|sound| sound.is_ok()), notes }
}

fn webrtc(video: &VideoFacts, can: &Abilities) -> Result<(), Reason> {
    let codec = name(video.codec);
    match video.codec {
        VideoCodec::H264 | VideoCodec::H265 | VideoCodec::Vp8 | VideoCodec::Vp9 => {}
        _ => return Err(Sentence::NotByWebRtc.of(codec)),
    }
    if video.b_frames {
        return Err(Sentence::BFrames.into());
    }
    if !receives(can, codec) {
        return Err(Sentence::NotPlayedByWebRtc.of(codec));
    }
    Ok(())
}

fn webrtc_sound(audio: &AudioFacts, can: &Abilities) -> Result<(), Sentence> {
    let telephone = audio.sample_rate_hz == 8000 && audio.channels == 1;
    let (codec, fits) = match audio.codec {
        AudioCodec::Pcmu => ("PCMU", telephone),
        AudioCodec::Pcma => ("PCMA", telephone),
        AudioCodec::G722 => ("G722", audio.channels == 1),
        AudioCodec::Opus => ("opus", true),
        _ => return Err(no_sound(Mode::WebRtc)),
    };
    if fits && receives(can, codec) { Ok(()) } else { Err(no_sound(Mode::WebRtc)) }
}

fn mse_sound(audio: &AudioFacts, can: &Abilities) -> Result<(), Sentence> {
    mse(audio.codec_string.as_deref(), "", can).map_err(|_| no_sound(Mode::Mse))
}

fn no_sound(mode: Mode) -> Sentence {
    match mode {
        Mode::WebRtc => Sentence::SilentByWebRtc,
        _ => Sentence::SilentInBrowser,
    }
}

fn mse(codec_string: Option<&str>, what: &str, can: &Abilities) -> Result<(), Reason> {
    let Some(codec) = codec_string else { return Err(Sentence::NotInMp4.of(what)) };
    // A page that names none may have none, or may have been asked for others.
    match can.mse.iter().any(|known| known.eq_ignore_ascii_case(codec)) {
        true => Ok(()),
        false => Err(Sentence::NotPlayedByMse.of(codec)),
    }
}

/// Whether its WebRTC receives a codec of that name; `video/` before it does not matter.
fn receives(can: &Abilities, codec: &str) -> bool {
    can.webrtc.iter().any(|known| known.rsplit('/').next().is_some_and(|known| known.eq_ignore_ascii_case(codec)))
}

/// A codec as SDP and people write it.
fn name(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => "H264",
        VideoCodec::H265 => "H265",
        VideoCodec::Mjpeg => "JPEG",
        VideoCodec::Mpeg4 => "MPEG-4 part 2",
        VideoCodec::Av1 => "AV1",
        VideoCodec::Vp8 => "VP8",
        VideoCodec::Vp9 => "VP9",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROMIUM: &str = "H264 VP8 VP9 opus PCMU PCMA G722|avc1.64001f mp4a.40.2 flac opus|sound";
    const WITH_HEVC: &str = "video/H264 video/H265 opus PCMU|avc1.64001f hvc1.1.6.L93.B0 mp4a.40.2|sound";
    const MUTED: &str = "H264 opus PCMU|avc1.64001f mp4a.40.2|";
    const NO_MSE: &str = "H264 VP8 PCMA||sound";

    /// `WebRTC codecs|codec strings|sound`.
    fn can(text: &str) -> Abilities {
        let [webrtc, mse, sound] = text.split('|').collect::<Vec<_>>()[..] else { panic!("three parts") };
        let set = |names: &str| names.split_whitespace().map(str::to_owned).collect();
        Abilities { webrtc: set(webrtc), mse: set(mse), sound: sound == "sound" }
    }

    /// `codec` or `codec b`, and `audio` or nothing.
    fn facts(video: &str, audio: &str) -> Facts {
        let (codec, codec_string) = match video.trim_end_matches(" b").trim_end_matches(" gdr") {
            "h264" => (VideoCodec::H264, Some("avc1.64001f")),
            "h265" => (VideoCodec::H265, Some("hvc1.1.6.L93.B0")),
            "vp8" => (VideoCodec::Vp8, None),
            "mpeg4" => (VideoCodec::Mpeg4, None),
            _ => (VideoCodec::Mjpeg, None),
        };
        let sound = |codec, codec_string: Option<&str>, sample_rate_hz| AudioFacts {
            codec,
            codec_string: codec_string.map(str::to_owned),
            sample_rate_hz,
            channels: 1,
        };
        let audio = match audio {
            "aac" => Some(sound(AudioCodec::Aac, Some("mp4a.40.2"), 16_000)),
            "pcmu" => Some(sound(AudioCodec::Pcmu, Some("flac"), 8000)),
            "pcmu 16k" => Some(sound(AudioCodec::Pcmu, Some("flac"), 16_000)),
            "g726" => Some(sound(AudioCodec::G726, None, 8000)),
            _ => None,
        };
        let video = VideoFacts {
            codec,
            codec_string: codec_string.map(str::to_owned),
            width: None,
            height: None,
            b_frames: video.ends_with(" b"),
            without_idr: video.ends_with(" gdr"),
            keyframe_interval_s: None,
            gop_bytes: 0,
            gop_cached: false,
        };
        Facts { video, audio }
    }

    /// `main:webrtc+ main:mse-`: ways with sound and without.
    fn written(choice: &Choice) -> String {
        let ways = choice.ways.iter().map(|way| {
            let mode = serde_json::to_value(way.mode).unwrap();
            format!("{}:{}{}", way.stream, mode.as_str().unwrap(), if way.sound { "+" } else { "-" })
        });
        ways.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_way_that_suits_stream_and_browser_comes_first() {
        for (video, audio, browser, expected) in [
            ("h264", "", CHROMIUM, "main:webrtc- main:mse-"),
            ("h264", "pcmu", CHROMIUM, "main:webrtc+ main:mse+"),
            ("h264", "aac", CHROMIUM, "main:mse+ main:webrtc-"),
            ("h264", "aac", MUTED, "main:webrtc- main:mse-"),
            ("h264", "pcmu 16k", CHROMIUM, "main:mse+ main:webrtc-"),
            ("h264", "g726", CHROMIUM, "main:webrtc- main:mse-"),
            ("h264", "aac", NO_MSE, "main:webrtc-"),
            ("h264 b", "pcmu", CHROMIUM, "main:mse+"),
            ("h264 b", "pcmu", NO_MSE, "sub:webrtc-"),
            ("h265", "aac", WITH_HEVC, "main:mse+ main:webrtc-"),
            ("h265", "", WITH_HEVC, "main:webrtc- main:mse-"),
            ("h265", "", CHROMIUM, "sub:webrtc- sub:mse-"),
            ("vp8", "", CHROMIUM, "main:webrtc-"),
            ("mjpeg", "pcmu", "||sound", "main:mjpeg-"),
            ("mpeg4", "", "||", ""),
        ] {
            let (main, sub) = (facts(video, audio), facts("h264", ""));
            let sub = Candidate { id: "sub", facts: &sub };
            let choice = choose(&Candidate { id: "main", facts: &main }, &[sub], &can(browser), false);
            assert_eq!(written(&choice), expected, "{video} {audio} for {browser}");
        }
    }

    #[test]
    fn what_is_not_possible_has_a_reason() {
        let reasons = |video: &str, browser: &str| {
            let facts = facts(video, "");
            let choice = choose(&Candidate { id: "main", facts: &facts }, &[], &can(browser), false);
            choice.refused.into_iter().map(|refusal| refusal.reason.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(reasons("h264 b", CHROMIUM), ["the camera sends B-frames, which WebRTC cannot show"]);
        assert_eq!(
            reasons("h265", CHROMIUM),
            [
                "this browser plays no H265 by WebRTC",
                "this browser plays no hvc1.1.6.L93.B0 by media source extensions"
            ]
        );
        assert_eq!(
            reasons("mpeg4", CHROMIUM),
            ["MPEG-4 part 2 cannot be sent by WebRTC", "MPEG-4 part 2 video cannot be sent as MP4"]
        );
        assert_eq!(reasons("h264", NO_MSE), ["this browser plays no avc1.64001f by media source extensions"]);
    }

    #[test]
    fn viewers_are_told_what_they_get_instead() {
        let (main, sub) = (facts("h265", "aac"), facts("h264 gdr", "aac"));
        let (main, sub) = (Candidate { id: "main", facts: &main }, Candidate { id: "sub", facts: &sub });
        let choice = choose(&main, &[sub], &can(NO_MSE), true);
        assert_eq!(written(&choice), "sub:webrtc- main:stills-");
        let expected = [Sentence::OtherStream, Sentence::SilentByWebRtc, Sentence::NoWholeKeyFrames];
        assert_eq!(choice.ways[0].notes, expected.map(Reason::from));
        let written = serde_json::to_value(&choice.ways[0]).unwrap();
        assert_eq!(written["note"], expected.map(Sentence::as_str).join("; "));
        let muted = choose(&sub, &[], &can(MUTED), false);
        assert!(muted.ways.iter().all(|way| way.notes == [Sentence::NoWholeKeyFrames.into()]));
    }
}
