use std::path::Path;

use serde_json::Value;

use super::*;
use proptest::prelude::*;

/// What follows the header of a reply; a bare description as it is.
fn body(reply: &[u8]) -> &[u8] {
    if !reply.starts_with(b"RTSP/") {
        return reply;
    }
    let end = |mark: &[u8]| reply.windows(mark.len()).position(|w| w == mark).map(|at| at + mark.len());
    let at = [end(b"\r\n\r\n"), end(b"\n\n")].into_iter().flatten().min().expect("a header");
    &reply[at..]
}

fn parse(name: &str) -> Session {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rtsp_describe").join(name);
    Session::parse(body(&std::fs::read(path).unwrap())).unwrap()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The expectations write `4` where the report writes `4.0`.
fn level(value: &Value) -> Option<String> {
    value.as_str().map(|level| match level.parse::<u8>() {
        Ok(whole) => format!("{whole}.0"),
        Err(_) => level.to_owned(),
    })
}

fn size(value: &Value) -> Option<(u32, u32)> {
    let side = |at: usize| value.get(at).and_then(Value::as_u64).and_then(|side| u32::try_from(side).ok());
    side(0).zip(side(1))
}

/// Codec names as the expectations write them.
fn codec_name(codec: Option<&str>) -> Option<&'static str> {
    Some(match codec? {
        "H.264" => "h264",
        "H.265" => "h265",
        "MJPEG" => "mjpeg",
        "AAC" => "aac",
        "Opus" => "opus",
        "G.711 mu-law" => "pcmu",
        "G.711 A-law" => "pcma",
        other if other.starts_with("PCM") => "pcm",
        other => panic!("unknown codec in the expectations: {other}"),
    })
}

#[test]
fn every_description_is_read_as_expected() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let expected: Value = serde_json::from_slice(&std::fs::read(data.join("expected.json")).unwrap()).unwrap();
    let mut files = 0;
    for (name, expected) in expected["files"].as_object().unwrap() {
        let Some(file) = name.strip_prefix("rtsp_describe/") else { continue };
        files += 1;
        let session = parse(file);
        let media = session.video().unwrap_or_else(|| panic!("{name}: no video"));
        let video = media.video.as_ref().unwrap();
        assert_eq!(video.codec.map(|c| c.as_str()), codec_name(expected["codec"].as_str()), "{name}");
        if expected.get("verdict").is_some() {
            continue; // Refused before its body is read.
        }
        assert_eq!(video.width.zip(video.height), size(&expected["resolution"]), "{name}");
        let source = expected["resolution_source"].as_str();
        assert_eq!(video.size_source.map(SizeSource::as_str), source.filter(|&s| s != "SPS"), "{name}");
        if let Some(both) = expected["profile_from_profile_level_id"].as_str() {
            let stated = video.profile.clone().zip(video.level.clone()).map(|(p, l)| format!("{p} {l}"));
            assert_eq!(stated.as_deref(), Some(both), "{name}");
        } else if media.video_codec() == Some(VideoCodec::H264) {
            assert_eq!(video.profile, text(&expected["profile"]), "{name}");
            assert_eq!(video.level, level(&expected["level"]), "{name}");
        }
        let fps_sps = expected["fps_sps"].as_f64();
        assert_eq!(video.fps.filter(|_| video.fps_source == Some(FpsSource::Sps)), fps_sps, "{name}");
        if let Some(rate) = expected["framerate_attr"].as_f64() {
            assert_eq!(media.hints.framerate, Some(rate), "{name}");
            assert_eq!(video.fps, fps_sps.or(Some(rate)), "{name}");
        }
        if let Some(audio) = expected.get("audio") {
            assert_eq!(session.audio().is_some(), !audio.is_null(), "{name}");
        }
        assert_eq!(session.has_back_channel(), expected["back_channel"] == true, "{name}");
    }
    assert_eq!(files, std::fs::read_dir(data.join("rtsp_describe")).unwrap().count());
}

/// As SAT>IP §3.5.7 writes it: two streams of a tuner, one of them without a signal.
#[test]
fn television_is_no_camera() {
    let tuner = "v=0\r\no=- 5678901234 7890123456 IN IP4 192.0.2.20\r\ns=SatIPServer:1 4\r\nt=0 0\r\n\
                 m=video 0 RTP/AVP 33\r\nc=IN IP4 0.0.0.0\r\na=control:stream=1\r\n\
                 a=fmtp:33 ver=1.0;src=1;tuner=1,240,1,7,12402,v,dvbs,,,,27500,34;pids=0,100,200\r\na=sendonly\r\n";
    assert!(Session::parse(tuner.as_bytes()).unwrap().video().is_none());
    let camera = tuner.replace("SatIPServer:1 4", "Encoder");
    assert!(Session::parse(camera.as_bytes()).unwrap().video().is_some());
}

/// Real descriptions, which are not part of the repository.
#[test]
#[ignore = "needs the captures CAMSCAN_CAPTURES names"]
fn captures_are_read_as_expected() {
    let folder = crate::testkit::captures::folder();
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut files = 0;
    for (name, expected) in expected["files"].as_object().unwrap() {
        if !name.starts_with("rtsp/describe/") && !name.starts_with("rtsp/sdp/") {
            continue;
        }
        files += 1;
        let session = Session::parse(body(&std::fs::read(folder.join(name)).unwrap())).expect(name);
        let medias = expected["medias"].as_array().unwrap();
        assert_eq!(session.medias.len(), medias.len(), "{name}");
        for (media, expected) in session.medias.iter().zip(medias) {
            check_media(&format!("{name} {}", expected["media"]), media, expected);
        }
    }
    assert!(files > 30, "{files}");
}

fn check_media(name: &str, media: &Media, expected: &Value) {
    let codec = &expected["codecs"][0];
    assert_eq!(media.control, text(&expected["control"]), "{name}");
    assert_eq!(media.payload_type.map(u64::from), codec["pt"].as_u64(), "{name}");
    assert_eq!(media.clock_rate.map(u64::from), codec["clock_rate"].as_u64(), "{name}");
    assert_eq!(media.hints.bandwidth_kbps, expected["bandwidth_as_kbps"].as_u64(), "{name}");
    assert_eq!(media.is_back_channel, expected["back_channel"] == true, "{name}");
    if let Some(video) = &media.video {
        assert_eq!(video.codec.map(|c| c.as_str()), codec_name(codec["codec"].as_str()), "{name}");
        assert_eq!(video.width.zip(video.height), size(&expected["resolution"]), "{name}");
        let sps = &codec["sps"];
        if sps.is_object() {
            assert_eq!(video.size_source, None, "{name}");
            assert_eq!(video.profile, text(&sps["profile"]), "{name}");
            assert_eq!(video.level, level(&sps["level"]), "{name}");
            let fps = video.fps.filter(|_| video.fps_source == Some(FpsSource::Sps));
            assert_eq!(fps.map(|fps| (fps * 1000.0).round() / 1000.0), sps["fps"].as_f64(), "{name}");
        }
        if let Some(rate) = expected["framerate_attr"].as_f64().or(expected["x_framerate"].as_f64()) {
            assert_eq!(media.hints.framerate, Some(rate), "{name}");
        }
    }
    if let Some(audio) = &media.audio {
        assert_eq!(audio.codec.map(|c| c.as_str()), codec_name(codec["codec"].as_str()), "{name}");
        let aac = &codec["aac_config"];
        if aac.is_object() {
            assert_eq!(audio.sample_rate_hz.map(u64::from), aac["sample_rate"].as_u64(), "{name}");
            assert_eq!(audio.channels.map(u64::from), aac["channels"].as_u64(), "{name}");
        }
    }
}

fn described(media: &str) -> Session {
    Session::parse(format!("v=0\ns=x\n{media}").as_bytes()).unwrap()
}

#[test]
fn contradictions_are_told() {
    let sprop = "sprop-parameter-sets=Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=,aM4G4g==";
    let session = described(&format!(
        "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 {sprop}\na=framerate:25\na=x-dimensions:1280,704"
    ));
    assert_eq!(
        session.warnings,
        ["the SDP says 25 fps, the parameter sets 30", "x-dimensions says 1280x704, the parameter sets 1280x720"]
    );
    let video = session.video().unwrap().video.clone().unwrap();
    assert_eq!((video.fps, video.fps_source, video.bitrate_kbps), (Some(30.0), Some(FpsSource::Sps), None));
    assert_eq!(parse("audio_before_video.txt").warnings, ["payload type 8 is PCMA by its number and PCMU by its name"]);
}

/// Found by fuzzing: the number stood in the warning as it was sent.
#[test]
fn warnings_carry_no_control_characters() {
    let session = described("m=audio 0 RTP/AVP 8\u{3}\na=rtpmap:8 PCMU\u{1b}/8000");
    assert!(session.warnings.iter().all(|w| !w.contains(char::is_control)), "{:?}", session.warnings);
}

#[test]
fn hints_are_read_however_written_and_a_ceiling_is_no_bit_rate() {
    let video = |attributes: &str| {
        let session = described(&format!("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n{attributes}"));
        session.video().unwrap().clone()
    };
    for (attribute, size, source) in [
        ("a=x-dimensions:1280, 720", Some((1280, 720)), Some("x-dimensions")),
        ("a=framesize:96 1080-1920", Some((1080, 1920)), Some("framesize")),
        ("a=cliprect:0,0,480,704", Some((704, 480)), Some("cliprect")),
        ("a=Width:integer;1280\na=Height:integer;720", Some((1280, 720)), Some("width")),
        ("a=x-dimensions:1920,1080\na=framesize:96 800-448", None, None),
        ("a=x-dimensions:0,0", None, None),
    ] {
        let read = video(attribute).video.unwrap();
        assert_eq!(
            (read.width.zip(read.height), read.size_source.map(SizeSource::as_str)),
            (size, source),
            "{attribute}"
        );
    }
    for (attribute, fps) in [
        ("a=framerate:0S\na=framerate:25", Some(25.0)),
        ("a=framerate:12.500000", Some(12.5)),
        ("a=x-framerate: 30000/1001", Some(30_000.0 / 1001.0)),
        ("a=framerate:", None),
        ("a=framerate:0", None),
    ] {
        assert_eq!(video(attribute).video.unwrap().fps, fps, "{attribute}");
    }
    let media = video("b=AS:50000");
    assert_eq!((media.hints.bandwidth_kbps, media.video.unwrap().bitrate_kbps), (Some(50_000), None));
}

#[test]
fn sound_is_named_by_what_maps_it() {
    for (media, codec, rate) in [
        ("0", Some("pcmu"), Some(8000)),
        ("8\na=rtpmap:8 pcma/8000 ", Some("pcma"), Some(8000)),
        ("0\na=rtpmap:0 MPEG4-GENERIC/16000/1", Some("aac"), Some(16_000)),
        ("11\na=rtpmap:11 PCM/48000", Some("pcm"), Some(48_000)),
        ("97\na=rtpmap:97 META /0", None, None),
    ] {
        let session = described(&format!("m=audio 0 RTP/AVP {media}"));
        let audio = session.audio().unwrap().audio.clone().unwrap();
        assert_eq!((audio.codec.map(|c| c.as_str()), audio.sample_rate_hz), (codec, rate), "{media}");
    }
}

/// One camera sends 579 kB (v4l2rtspserver issue 32).
#[test]
fn a_huge_description_is_read_all_the_same() {
    let sprop = format!("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=,aM4G4g=={}", ",AAAA".repeat(120_000));
    let session = described(&format!(
        "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets={sprop}\na=control:track1"
    ));
    let media = session.video().unwrap();
    assert_eq!(media.video.as_ref().and_then(|v| v.width), Some(1280));
    assert_eq!(media.control.as_deref(), Some("track1"));
    let stray = described(&format!("a=x:{}\nm=video 0 RTP/AVP 26", "y".repeat(579_000)));
    assert_eq!(stray.video().unwrap().video_codec(), Some(VideoCodec::Mjpeg));
}

#[test]
fn parameters_in_another_media_are_found() {
    let session = described(
        "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 0 RTP/AVP 8\na=framerate:25\n\
         a=fmtp:96 sprop-parameter-sets=Z0IAH5WoFAFuQA==,aM48gA==",
    );
    let video = session.video().unwrap().video.clone().unwrap();
    assert_eq!((video.width, video.fps, video.fps_source), (Some(1280), Some(25.0), Some(FpsSource::Sdp)));
    assert_eq!(session.audio().unwrap().audio.as_ref().unwrap().bitrate_kbps, Some(64));
}

#[test]
fn a_video_is_named_even_when_nothing_maps_it() {
    for (media, codec) in [
        ("m=video 0 RTP/AVP 96\na=rtpmap:97 H265/90000", Some(VideoCodec::H265)),
        ("m=video 0 RTP/AVP 96\na=fmtp:96 sprop-parameter-sets=Z0IAH5WoFAFuQA==,aM48gA==", Some(VideoCodec::H264)),
        ("m=video 0 RTP/AVP 31 96\na=rtpmap:96 H264/90000", Some(VideoCodec::H264)),
        ("m=video 0 RTP/AVP\na=rtpmap:96 MP4V-ES/90000", Some(VideoCodec::Mpeg4)),
        ("m=video 0 RTP/AVP 31", None),
        ("m=video 0 RTP/AVP 96", None),
    ] {
        assert_eq!(described(media).video().unwrap().video_codec(), codec, "{media}");
    }
}

#[test]
fn back_channels_are_told_from_sound() {
    let video = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n";
    for (media, sound, back) in [
        (format!("{video}m=audio 0 RTP/AVP 0\na=sendonly"), false, true),
        (format!("{video}m=audio 0 RTP/AVP 0\na=recvonly\nm=audio 0 RTP/AVP 8\na=sendonly"), true, true),
        (format!("{video}a=sendonly\nm=audio 0 RTP/AVP 0"), true, false),
        (format!("{video}a=sendonly\nm=audio 0 RTP/AVP 0\na=sendonly"), true, false),
    ] {
        let session = described(&media);
        assert_eq!((session.audio().is_some(), session.has_back_channel()), (sound, back), "{media}");
        assert_eq!(session.video().unwrap().video_codec(), Some(VideoCodec::H264));
    }
}

#[test]
fn what_a_session_says_of_itself_is_clean() {
    let session = Session::parse(
        b"v=0\no=VSTC 1 1 IN IP4 192.0.2.1\ns=\x1b[31mcam\x1b[0m\ni=  \na=tool:LIVE555\nc=IN IP4 232.0.2.1/16\nm=video 5008 RTP/AVP 26",
    )
    .unwrap();
    assert_eq!(session.name.as_deref(), Some("cam"));
    assert_eq!((session.information.as_deref(), session.origin.as_deref()), (None, Some("VSTC")));
    assert_eq!(session.tool.as_deref(), Some("LIVE555"));
    assert_eq!(session.medias[0].multicast, Some("232.0.2.1".parse().unwrap()));
    assert_eq!(Session::parse(b"<html><body>not found</body></html>"), None);
    assert_eq!(Session::parse(b""), None);
}

proptest! {
    #[test]
    fn any_lines_do(lines in proptest::collection::vec(
        "(a=(rtpmap|fmtp|framerate|framesize|cliprect|x-dimensions|control):[0-9]{0,3} ?[ -~]{0,40})|(m=(video|audio) 0 RTP/AVP [0-9]{1,3})",
        0..30,
    )) {
        if let Some(session) = Session::parse(lines.join("\r\n").as_bytes()) {
            prop_assert!(session.medias.len() <= lines::MAX_MEDIAS);
        }
    }

    #[test]
    fn damaged_descriptions_do(at in 0usize..250, with: u8) {
        let mut bytes = include_bytes!("../../../../tests/data/rtsp_describe/sprop_annexb.txt").to_vec();
        bytes[at] = with;
        let _ = Session::parse(&bytes);
    }
}
