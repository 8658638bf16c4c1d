use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::media::assemble::{AccessUnit, Assembler};
use crate::media::order::Ordered;
use crate::media::packetize::packetize;
use crate::media::{aac, mp4, nal};
use crate::model::VideoCodec;

const H264: &[u8] = include_bytes!("../../../tests/data/media/camera_h264_1280x720_25fps.h264");
const H265: &[u8] = include_bytes!("../../../tests/data/media/camera_h265_1920x1080_15fps.h265");
const AAC: &[u8] = include_bytes!("../../../tests/data/media/camera_aac_16k.adts");

/// The pictures of an Annex B stream as a camera would send them.
fn pictures(codec: VideoCodec, stream: &[u8]) -> Vec<AccessUnit> {
    let mut assembler = Assembler::video(codec, &[]);
    let format = Arc::clone(assembler.format().unwrap());
    let (mut out, mut timestamp) = (Vec::new(), 0u32);
    for unit in nal::annex_b(stream) {
        let is_picture = if codec == VideoCodec::H264 { unit[0] & 0x1f <= 5 } else { unit[0] >> 1 < 32 };
        let payloads = packetize(&format, &[Bytes::copy_from_slice(unit)]);
        for (place, payload) in payloads.iter().enumerate() {
            let marker = if is_picture && place + 1 == payloads.len() { 0xe0 } else { 0x60 };
            let packet = [&[0x80, marker, 0, 0][..], &timestamp.to_be_bytes(), &[0; 4], payload].concat();
            assembler.push(&Ordered { bytes: packet.into(), arrived: Duration::ZERO, lost: 0 });
        }
        out.extend(std::iter::from_fn(|| assembler.pop()));
        timestamp += if is_picture { 3600 } else { 0 };
    }
    out
}

fn video(format: &Format) -> &VideoFormat {
    if let Format::Video(video) = format { video } else { panic!("no picture") }
}

fn sound(codec: AudioCodec, clock_rate: u32, config: &'static [u8]) -> AudioFormat {
    AudioFormat { codec, clock_rate, channels: 1, config: Bytes::from_static(config) }
}

/// The frames of AAC, without their headers.
fn aac_frames() -> Vec<Bytes> {
    let (mut rest, mut frames) = (AAC, Vec::new());
    while let Some(header) = aac::Adts::parse(rest) {
        frames.push(Bytes::copy_from_slice(&rest[header.header_len..header.frame_len]));
        rest = &rest[header.frame_len..];
    }
    frames
}

fn sample(sequence: u32, time90: u64, key: bool, parts: &[Bytes]) -> Sample<'_> {
    Sample { sequence, decode90: time90, shown90: time90, duration90: 3600, key, parts }
}

/// A whole file: picture and sound of a second or two.
fn file(codec: VideoCodec, stream: &[u8], audio: &AudioFormat, pieces: &[Bytes], step90: u64) -> Vec<u8> {
    let pictures = pictures(codec, stream);
    let mut out = init(Some(video(&pictures.last().unwrap().format)), Some(audio)).unwrap().to_vec();
    for (number, picture) in (0..).zip(&pictures) {
        let at = 900_000 + 3600 * u64::from(number);
        out.extend(fragment(&picture.format, &sample(number, at, picture.key, &picture.parts)));
    }
    let format = Format::Audio(audio.clone());
    for (number, piece) in (0..).zip(pieces) {
        let at = 900_000 + step90 * u64::from(number);
        out.extend(fragment(&format, &sample(number, at, false, std::slice::from_ref(piece))));
    }
    out
}

#[test]
fn what_is_written_is_read_again() {
    for (codec, stream, size, frames, name) in [
        (VideoCodec::H264, H264, (1280, 720), 50, "avc1.64001f"),
        (VideoCodec::H265, H265, (1920, 1080), 30, "hvc1.1.6.L120.90"),
    ] {
        let audio = sound(AudioCodec::Aac, 16_000, &[0x14, 0x08]);
        let seen = mp4::look(&file(codec, stream, &audio, &aac_frames(), 5760));
        let told = seen.video.clone().unwrap();
        assert_eq!((told.codec, told.width.zip(told.height)), (Some(codec), Some(size)));
        assert_eq!((seen.frames(), seen.rates().fps_to_a_tenth(), seen.key), (frames, Some(25.0), true));
        assert_eq!(seen.audio.clone().and_then(|audio| audio.sample_rate_hz), Some(16_000));
        assert!(seen.picture.is_some(), "a key frame with its sets");
        assert_eq!(codec_string(&pictures(codec, stream)[0].format).as_deref(), Some(name));
    }
}

#[test]
fn what_has_no_form_in_mp4_has_none() {
    let bare = VideoFormat { codec: VideoCodec::H264, sets: Vec::new(), size: Some((2, 2)) };
    for codec in [VideoCodec::H264, VideoCodec::Vp8, VideoCodec::Mjpeg] {
        let format = VideoFormat { codec, ..bare.clone() };
        assert_eq!(init(Some(&format), None), None, "{codec:?}");
        assert_eq!(codec_string(&Format::Video(format)), None, "{codec:?}");
    }
    for (codec, name) in [
        (AudioCodec::Opus, Some("opus")),
        (AudioCodec::Pcma, Some("flac")),
        (AudioCodec::Pcm, Some("flac")),
        (AudioCodec::G722, None),
        (AudioCodec::Aac, None), // without its configuration
        (AudioCodec::Mp3, None),
    ] {
        let format = sound(codec, 8000, &[]);
        assert_eq!(codec_string(&Format::Audio(format.clone())).as_deref(), name, "{codec:?}");
        assert_eq!(init(None, Some(&format)).is_some(), name.is_some(), "{codec:?}");
    }
    assert_eq!(init(None, None), None);
    let he = codec_string(&Format::Audio(sound(AudioCodec::Aac, 24_000, &[0x13, 0x10, 0x56, 0xe5, 0x98])));
    assert_eq!(he.as_deref(), Some("mp4a.40.5"));
}

#[test]
fn times_stand_where_readers_look_for_them() {
    let picture = &pictures(VideoCodec::H264, H264)[0];
    let of = Sample {
        sequence: 7,
        decode90: 1 << 33,
        shown90: (1 << 33) + 7200,
        duration90: 3600,
        key: true,
        parts: &picture.parts,
    };
    let fragment = fragment(&picture.format, &of);
    let after = |name: &[u8; 4]| &fragment[fragment.windows(4).position(|w| w == name).unwrap() + 4..];
    assert_eq!(after(b"mfhd")[4..8], [0, 0, 0, 7]);
    assert_eq!(after(b"tfdt")[..12], [1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    // The data begins where the run says, with a length; duration, flags and offset are the sample's.
    let run = &after(b"trun")[4..];
    let number = |at: usize| u32::from_be_bytes(run[at..at + 4].try_into().unwrap());
    assert_eq!((number(0), number(8), number(16), number(20)), (1, 3600, INDEPENDENT, 7200));
    let data = &fragment[number(4) as usize..];
    assert_eq!((data.len(), &data[4]), (number(12) as usize, &0x65));
    assert_eq!(nal::length_prefixed(data).count(), 1, "without the sets");
    assert_eq!([scaled(1800, 8000), scaled(1, 48_000), scaled(u64::MAX, 90_000)], [160, 1, u64::MAX]);
}

/// ffprobe's and ffmpeg's opinion of bytes.
fn second_opinion(program: &str, arguments: &[&str], bytes: &[u8]) -> (Vec<u8>, String) {
    let mut child = Command::new(program)
        .args(["-v", "error", "-xerror"].into_iter().take(if program == "ffmpeg" { 3 } else { 2 }))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
#[ignore = "needs ffprobe and ffmpeg"]
fn ffprobe_decodes_every_frame() {
    let tone: Vec<Bytes> = (0..50u8).map(|n| Bytes::from(vec![n.wrapping_mul(5); 160])).collect();
    let aac = (sound(AudioCodec::Aac, 16_000, &[0x14, 0x08]), aac_frames(), 5760, "aac,17");
    let mu = (sound(AudioCodec::Pcmu, 8000, &[]), tone.clone(), 1800, "flac,50");
    for (codec, stream, frames) in [(VideoCodec::H264, H264, "h264,50"), (VideoCodec::H265, H265, "hevc,30")] {
        for (audio, pieces, step, heard) in [&aac, &mu] {
            let file = file(codec, stream, audio, pieces, *step);
            let entries = ["-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of", "csv=p=0", "-"];
            let (told, errors) = second_opinion("ffprobe", &entries, &file);
            assert_eq!((String::from_utf8_lossy(&told).trim(), errors.as_str()), (&*format!("{frames}\n{heard}"), ""));
        }
    }
}

#[test]
#[ignore = "needs ffprobe and ffmpeg"]
fn ffmpeg_hears_the_samples_of_g711() {
    let codes: Vec<u8> = (0..1600u32).map(|n| (n * 7) as u8).collect();
    let pieces: Vec<Bytes> = codes.chunks(160).map(Bytes::copy_from_slice).collect();
    for (codec, law) in [(AudioCodec::Pcmu, g711::mu_law as fn(u8) -> i16), (AudioCodec::Pcma, g711::a_law)] {
        let audio = sound(codec, 8000, &[]);
        let mut file = init(None, Some(&audio)).unwrap().to_vec();
        let format = Format::Audio(audio);
        for (number, piece) in (0..).zip(&pieces) {
            let at = sample(number, u64::from(number) * 1800, false, std::slice::from_ref(piece));
            file.extend(fragment(&format, &at));
        }
        let (heard, errors) = second_opinion("ffmpeg", &["-i", "-", "-f", "s16be", "-"], &file);
        let wanted: Vec<u8> = codes.iter().flat_map(|&code| law(code).to_be_bytes()).collect();
        assert_eq!((heard.len(), errors.as_str()), (wanted.len(), ""), "{codec:?}");
        assert!(heard == wanted, "{codec:?}");
        // The tables are ffmpeg's own.
        let name = if codec == AudioCodec::Pcmu { "mulaw" } else { "alaw" };
        let raw = ["-f", name, "-ar", "8000", "-ac", "1", "-i", "-", "-f", "s16be", "-"];
        assert!(second_opinion("ffmpeg", &raw, &codes).0 == wanted, "{codec:?}");
    }
}

/// The times ffprobe lists, one a line.
fn seconds(told: &[u8]) -> Vec<f64> {
    let told = String::from_utf8_lossy(told);
    told.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect()
}

#[test]
#[ignore = "needs ffprobe and ffmpeg"]
fn b_frames_are_shown_in_their_order() {
    // A clip with B-frames, its pictures in the order they are decoded, and when each is shown.
    let clip = ["-f", "lavfi", "-i", "testsrc=s=160x120:r=25", "-frames:v", "30", "-c:v", "libx264", "-bf", "3"];
    let file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    let path = file.path().to_str().unwrap();
    let (_, errors) = second_opinion("ffmpeg", &[&clip[..], &["-pix_fmt", "yuv420p", "-y", path]].concat(), &[]);
    assert_eq!(errors, "");
    let (told, _) = second_opinion("ffprobe", &["-show_entries", "packet=pts_time", "-of", "csv=p=0", path], &[]);
    let shown: Vec<u32> = seconds(&told).iter().map(|time| (time * 90_000.0).round() as u32).collect();
    let (stream, _) = second_opinion("ffmpeg", &["-i", path, "-c", "copy", "-f", "h264", "-"], &[]);
    let pictures = pictures(VideoCodec::H264, &stream);
    assert_eq!((pictures.len(), shown.len()), (30, 30));
    // x264 tells in its parameter set that two are put off.
    let sets = pictures[0].format.as_ref();
    let depth = u64::from(video(sets).sets.iter().find_map(|set| h264::Sps::parse(set)?.reorder).unwrap());
    let mut order = shown.clone();
    order.sort_unstable();
    let mut bytes = init(Some(video(sets)), None).unwrap().to_vec();
    for (number, picture) in pictures.iter().enumerate() {
        let decode90 = 900_000 + 3600 * number as u64 - depth * 3600;
        let shown90 = 900_000 + u64::from(shown[number]) - u64::from(order[0]);
        let of = Sample { sequence: 1, decode90, shown90, duration90: 3600, key: picture.key, parts: &picture.parts };
        bytes.extend(fragment(&picture.format, &of));
    }
    let entries = ["-show_entries", "frame=pts_time", "-of", "csv=p=0", "-"];
    let (told, errors) = second_opinion("ffprobe", &entries, &bytes);
    let times = seconds(&told);
    assert_eq!((times.len(), errors.as_str()), (30, ""));
    assert!(times.windows(2).all(|pair| (pair[1] - pair[0] - 0.04).abs() < 0.001), "{times:?}");
}

proptest! {
    #[test]
    fn any_bytes_do(
        sets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..4),
        part: Vec<u8>,
        channels in 0u16..9,
        config: Vec<u8>,
        times: (u64, u64, u32),
    ) {
        let parts = [Bytes::from(part)];
        let of = Sample { sequence: 1, decode90: times.0, shown90: times.1, duration90: times.2, key: true, parts: &parts };
        for codec in [VideoCodec::H264, VideoCodec::H265, VideoCodec::Vp9] {
            let sets = sets.iter().cloned().map(Bytes::from).collect();
            let format = VideoFormat { codec, sets, size: Some((640, 480)) };
            init(Some(&format), None);
            let format = Format::Video(format);
            codec_string(&format);
            fragment(&format, &of);
        }
        for codec in [AudioCodec::Aac, AudioCodec::Opus, AudioCodec::Pcmu, AudioCodec::Pcm] {
            let format = AudioFormat { codec, clock_rate: 8000, channels, config: config.clone().into() };
            init(None, Some(&format));
            mp4::look(&fragment(&Format::Audio(format), &of));
        }
    }
}
