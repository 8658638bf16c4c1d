use proptest::prelude::*;

use super::*;
use crate::media::key_frame::KeyFrames;
use crate::media::nal;
use crate::media::packetize::packetize;
use crate::model::AudioCodec;

const SPS: &[u8] = &[0x67, 66, 0, 31, 0xf4];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
const SEI: &[u8] = &[0x06, 5, 2, 7, 7, 0x80];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 1];
const P: &[u8] = &[0x41, 0x9a, 0x24, 2];
/// A later slice of a P picture: first_mb_in_slice is not 0.
const P_LATER: &[u8] = &[0x41, 0x4d, 0x24, 3];
const I: &[u8] = &[0x41, 0x88, 0x84, 4];
const RECOVERY: &[u8] = &[0x06, 6, 1, 0x84, 0x80];

/// Packets of one stream, one behind the other, 40 ms for each new timestamp.
#[derive(Default)]
struct Stream {
    sequence: u16,
    lost: u64,
}

impl Stream {
    fn packet(&mut self, timestamp: u32, marker: bool, payload: &[u8]) -> Ordered {
        self.sequence = self.sequence.wrapping_add(1);
        let [s1, s0] = self.sequence.to_be_bytes();
        let kind = 96 | if marker { 0x80 } else { 0 };
        let bytes = [&[0x80, kind, s1, s0][..], &timestamp.to_be_bytes(), &[0, 0, 0, 1], payload].concat().into();
        let arrived = Duration::from_millis(u64::from(timestamp) / 90);
        Ordered { bytes, arrived, lost: std::mem::take(&mut self.lost) }
    }
}

/// One step of a test: a packet at a timestamp, with its marker, or lost ones.
type Step<'a> = (u32, bool, &'a [u8]);
const LOSS: Step<'_> = (u32::MAX, false, &[]);

fn run(assembler: &mut Assembler, steps: &[Step<'_>]) -> Vec<AccessUnit> {
    let (mut stream, mut out) = (Stream::default(), Vec::new());
    for step in steps {
        if *step == LOSS {
            stream.lost += 1;
            continue;
        }
        assembler.push(&stream.packet(step.0, step.1, step.2));
        out.extend(std::iter::from_fn(|| assembler.pop()));
    }
    out
}

fn h264(sets: &[&[u8]]) -> Assembler {
    Assembler::video(VideoCodec::H264, &sets.iter().map(|set| set.to_vec()).collect::<Vec<_>>())
}

/// `key 0: 67 68 65` for each unit: its timestamp, and the first byte of each part.
fn written(units: &[AccessUnit]) -> Vec<String> {
    let parts =
        |unit: &AccessUnit| unit.parts.iter().map(|part| format!("{:02x}", part[0])).collect::<Vec<_>>().join(" ");
    let kind = |unit: &AccessUnit| match (unit.key, unit.damaged) {
        (true, _) => "key ",
        (false, true) => "damaged ",
        _ => "",
    };
    units.iter().map(|unit| format!("{}{}: {}", kind(unit), unit.timestamp, parts(unit))).collect()
}

fn glued(units: &[&[u8]]) -> Vec<u8> {
    nal::to_annex_b(units.iter().copied())
}

fn aggregated(units: &[&[u8]]) -> Vec<u8> {
    let sized = units.iter().flat_map(|unit| [&(unit.len() as u16).to_be_bytes()[..], unit].concat());
    std::iter::once(24).chain(sized).collect()
}

#[test]
fn whatever_a_camera_does_pictures_come_out_alike() {
    let sets_and_idr = glued(&[SPS, PPS, SEI, IDR]);
    let together = aggregated(&[SPS, PPS]);
    let (fua_start, fua_end) = ([&[0x7c, 0x85][..], &IDR[1..3]].concat(), [&[0x7c, 0x45][..], &IDR[3..]].concat());
    // A unit with sets glued to it that is cut in fragments.
    let long = glued(&[PPS, IDR]);
    let (long_start, long_end) =
        ([&[0x7c, 0x87][..], &SPS[1..], &long[..5]].concat(), [&[0x7c, 0x47], &long[5..]].concat());
    let (first, key) = (false, "key 0: 67 68 65".to_owned());
    let cases: &[(&str, &[Step<'_>], &str)] = &[
        ("as it should be", &[(0, first, SPS), (0, first, PPS), (0, true, IDR)], "key 0: 67 68 65"),
        ("sets together", &[(0, first, &together), (0, true, IDR)], "key 0: 67 68 65"),
        ("in fragments", &[(0, first, &together), (0, first, &fua_start), (0, true, &fua_end)], "key 0: 67 68 65"),
        ("marker on the sets", &[(0, true, SPS), (0, true, PPS), (0, true, IDR)], "key 0: 67 68 65"),
        ("marker on supplements", &[(0, true, &together), (0, true, SEI), (0, true, IDR)], "key 0: 67 68 06 65"),
        ("delimiter first", &[(0, first, &[9, 0x10]), (0, first, &together), (0, true, IDR)], "key 0: 67 68 65"),
        ("filler within", &[(0, first, &together), (0, first, IDR), (0, true, &[12, 0xff, 0x80])], "key 0: 67 68 65"),
        ("start codes between", &[(0, true, &sets_and_idr)], "key 0: 67 68 06 65"),
        ("start codes in fragments", &[(0, first, &long_start), (0, true, &long_end)], "key 0: 67 68 65"),
        ("no marker at all", &[(0, first, &together), (0, first, IDR)], "key 0: 67 68 65"),
        ("another time on the sets", &[(7, true, &together), (0, true, IDR)], "key 0: 67 68 65"),
        ("sets behind supplements", &[(0, first, SEI), (0, first, &together), (0, true, IDR)], "key 0: 67 68 06 65"),
    ];
    for (quirk, steps, expected) in cases {
        let mut assembler = h264(&[]);
        let steps: Vec<Step<'_>> = steps.iter().copied().chain([(3600, first, P), (7200, first, P)]).collect();
        let units = run(&mut assembler, &steps);
        let after = if *quirk == "no marker at all" { 2 } else { units.len() };
        assert_eq!(written(&units)[..after], [*expected, "3600: 41"][..after.min(2)], "{quirk}");
        assert_eq!(units[0].parts.last().unwrap(), IDR, "{quirk}");
    }
    // Sets of the description alone, as old Axis cameras have it.
    let units = run(&mut h264(&[PPS, SPS]), &[(0, true, IDR), (3600, true, P)]);
    assert_eq!(written(&units), [key, "3600: 41".to_owned()]);
}

#[test]
fn sets_that_are_known_stand_before_key_frames_alone() {
    let other = &[0x68, 0xcf, 1][..];
    let steps =
        [(0, true, &glued(&[SPS, PPS, IDR])[..]), (1, true, &glued(&[SPS, PPS, P])), (2, true, &glued(&[other, P]))];
    let mut assembler = h264(&[]);
    let units = run(&mut assembler, &[&steps[..], &[(3, true, IDR)]].concat());
    assert_eq!(written(&units), ["key 0: 67 68 65", "1: 41", "2: 68 41", "key 3: 67 68 65"]);
    assert!(Arc::ptr_eq(&units[0].format, &units[1].format), "nothing new");
    assert_ne!(units[1].format, units[2].format);
    assert_eq!(units[3].parts[1], other, "the newest");
    let without = run(&mut h264(&[SPS]), &[(0, true, IDR)]);
    assert_eq!(written(&without), ["0: 65"], "nobody can decode it");
}

#[test]
fn what_is_lost_costs_its_picture_and_marks_those_after_it() {
    let key = glued(&[SPS, PPS, IDR]);
    let start = [&[0x7c, 0x81][..], &P[1..3]].concat();
    let end = [&[0x7c, 0x41][..], &P[3..]].concat();
    let cases: &[(&[Step<'_>], &[&str], u64)] = &[
        // The middle of a fragmented unit, its beginning, its end.
        (
            &[(0, true, &key), (1, false, &start), LOSS, (1, true, &end), (2, true, P)],
            &["key 0: 67 68 65", "damaged 2: 41"],
            1,
        ),
        (&[(0, true, &key), LOSS, (1, true, &end), (2, true, P)], &["key 0: 67 68 65", "damaged 2: 41"], 1),
        (&[(0, true, &key), (1, false, &start), LOSS, (2, true, P)], &["key 0: 67 68 65", "damaged 2: 41"], 1),
        // Whole pictures between two markers.
        (&[(0, true, &key), LOSS, (2, true, P)], &["key 0: 67 68 65", "damaged 2: 41"], 0),
        // The first of two slices, and the second.
        (&[(0, true, &key), LOSS, (1, true, P_LATER), (2, true, P)], &["key 0: 67 68 65", "damaged 2: 41"], 1),
        (&[(0, true, &key), (1, false, P), LOSS, (2, true, P)], &["key 0: 67 68 65", "damaged 2: 41"], 1),
        // A key frame puts all right.
        (
            &[(0, true, &key), LOSS, (2, true, P), (3, true, IDR), (4, true, P)],
            &["key 0: 67 68 65", "damaged 2: 41", "key 3: 67 68 65", "4: 41"],
            0,
        ),
    ];
    for (steps, expected, dropped) in cases {
        let mut assembler = h264(&[]);
        assert_eq!(written(&run(&mut assembler, steps)), *expected, "{steps:x?}");
        assert_eq!(assembler.dropped(), *dropped, "{steps:x?}");
    }
}

#[test]
fn markers_on_each_slice_are_believed_once() {
    let key = glued(&[SPS, PPS, IDR]);
    let picture = |at| [(at, true, P), (at, true, P_LATER)];
    let steps =
        [&[(0, true, &key[..])][..], &picture(1), &picture(2), &picture(3), &[(4, true, IDR)], &picture(5)].concat();
    let units = run(&mut h264(&[]), &steps);
    assert_eq!(
        written(&units),
        ["key 0: 67 68 65", "1: 41", "damaged 2: 41 41", "damaged 3: 41 41", "key 4: 67 68 65"],
        "the rest of picture 1 is lost, then timestamps end pictures"
    );
}

#[test]
fn a_camera_without_idr_pictures_has_key_frames_all_the_same() {
    let second = 90_000;
    let (marked, with_sets) = (glued(&[SPS, PPS, RECOVERY, I]), glued(&[SPS, PPS, I]));
    for first in [&marked, &with_sets] {
        let mut assembler = h264(&[]);
        let units = run(&mut assembler, &[(0, true, first), (second, true, P), (2 * second, true, I)]);
        assert_eq!(units.iter().map(|unit| unit.key).collect::<Vec<_>>(), [true, false, false]);
        assert!(assembler.is_without_idr());
    }
    // With IDR pictures others are none, unless those stay away for ten seconds.
    let mut assembler = h264(&[]);
    let key = glued(&[SPS, PPS, IDR]);
    let steps = [
        (0, true, &key[..]),
        (second, true, &marked),
        (9 * second, true, I),
        (10 * second, true, I),
        (11 * second, true, P),
    ];
    let units = run(&mut assembler, &steps);
    assert_eq!(units.iter().map(|unit| unit.key).collect::<Vec<_>>(), [true, false, false, true, false]);
    assert!(assembler.is_without_idr());
    run(&mut assembler, &[(12 * second, true, IDR)]);
    assert!(!assembler.is_without_idr());
}

#[test]
fn b_frames_are_seen_by_their_timestamps() {
    let b: &[u8] = &[0x01, 0x9e, 0x24, 5];
    let mut assembler = h264(&[SPS, PPS]);
    run(&mut assembler, &[(0, true, IDR), (10_800, true, P)]);
    assert!(!assembler.b_frames());
    run(&mut assembler, &[(3600, true, b), (7200, true, b)]);
    assert_eq!((assembler.b_frames(), assembler.reorder_depth()), (true, 1));
    run(&mut assembler, &[(14_400, true, &glued(&[&[0x67, 66, 0, 30, 0xf4], PPS, IDR]))]);
    assert!(!assembler.b_frames(), "another parameter set, another stream");
}

#[test]
fn what_comes_counts_and_not_what_was_described() {
    let stream = include_bytes!("../../../tests/data/media/camera_h265_1920x1080_15fps.h265");
    let mut assembler = h264(&[SPS, PPS]);
    let steps: Vec<Step<'_>> =
        nal::annex_b(stream).take(5).zip([0, 0, 0, 0, 1]).map(|(unit, at)| (at, false, unit)).collect();
    let units = run(&mut assembler, &[&steps[..], &[(2, false, P)]].concat());
    let Format::Video(format) = &*units[0].format else { panic!("a picture") };
    assert_eq!((format.codec, format.size, format.sets.len()), (VideoCodec::H265, Some((1920, 1080)), 3));
    assert!(units[0].key);

    let mut assembler = Assembler::video(VideoCodec::H265, &[]);
    let real = include_bytes!("../../../tests/data/media/camera_h264_1280x720_25fps.h264");
    let together = aggregated(&nal::annex_b(real).take(2).collect::<Vec<_>>());
    let units = run(&mut assembler, &[(0, false, &together), (0, true, IDR)]);
    let Format::Video(format) = &*units[0].format else { panic!("a picture") };
    assert_eq!((format.codec, format.size, units[0].key), (VideoCodec::H264, Some((1280, 720)), true));
}

/// The access units of an Annex B stream: each picture with what stands before it.
fn access_units(codec: VideoCodec, stream: &[u8]) -> Vec<Vec<Bytes>> {
    let is_picture = |unit: &[u8]| match codec {
        VideoCodec::H264 => matches!(unit[0] & 0x1f, 1..=5),
        _ => unit[0] >> 1 < 32,
    };
    let mut units = vec![Vec::new()];
    for unit in nal::annex_b(stream) {
        units.last_mut().unwrap().push(Bytes::copy_from_slice(unit));
        if is_picture(unit) {
            units.push(Vec::new());
        }
    }
    units.retain(|unit| !unit.is_empty());
    units
}

#[test]
fn what_encoders_write_comes_back_as_it_was() {
    let h264 = include_bytes!("../../../tests/data/media/camera_h264_1280x720_25fps.h264").as_slice();
    let h265 = include_bytes!("../../../tests/data/media/camera_h265_1920x1080_15fps.h265").as_slice();
    for (codec, stream, keys, size) in
        [(VideoCodec::H264, h264, [0, 25], (1280, 720)), (VideoCodec::H265, h265, [0, 15], (1920, 1080))]
    {
        let written = access_units(codec, stream);
        let mut assembler = Assembler::video(codec, &[]);
        let read = through(&mut assembler, &written);
        assert_eq!(read.iter().map(|unit| unit.parts.clone()).collect::<Vec<_>>(), written, "{codec:?}");
        let key_places: Vec<usize> = (0..read.len()).filter(|&n| read[n].key).collect();
        assert_eq!(key_places, keys, "{codec:?}");
        assert!(read.iter().all(|unit| matches!(&*unit.format, Format::Video(f) if f.size == Some(size))));
        assert!(!assembler.b_frames() && assembler.dropped() == 0 && !assembler.is_without_idr());
    }
}

/// Access units through packets and back.
fn through(assembler: &mut Assembler, units: &[Vec<Bytes>]) -> Vec<AccessUnit> {
    let format = Arc::clone(assembler.format().unwrap());
    let (mut stream, mut out) = (Stream::default(), Vec::new());
    for (number, parts) in (0..).zip(units) {
        let payloads = packetize(&format, parts);
        for (place, payload) in payloads.iter().enumerate() {
            assembler.push(&stream.packet(number * 3600, place + 1 == payloads.len(), payload));
        }
        out.extend(std::iter::from_fn(|| assembler.pop()));
    }
    out
}

/// A JPEG as packets of RFC 2435: its scan in fragments, behind the tables of the first.
fn jpeg_payloads(image: &[u8], q: u8) -> Vec<Vec<u8>> {
    let at = |marker: u8| image.windows(2).position(|w| w == [0xff, marker]).unwrap();
    let table = &image[at(0xdb) + 5..at(0xdb) + 69];
    let scan_header = at(0xda);
    let scan = &image[scan_header + 2 + usize::from(image[scan_header + 3])..image.len() - 2];
    let mut out = Vec::new();
    for (number, data) in scan.chunks(1300).enumerate() {
        let offset = (number as u32 * 1300).to_be_bytes();
        let mut payload = [&[0][..], &offset[1..], &[1, q, 80, 60]].concat();
        if number == 0 && q >= 128 {
            payload.extend([&[0, 0, 0, 128][..], table, table].concat());
        }
        payload.extend(data);
        out.push(payload);
    }
    out
}

#[test]
fn jpegs_are_whole_again() {
    let image = include_bytes!("../../../tests/data/media/camera_640x480_1.jpg");
    let payloads = jpeg_payloads(image, 255);
    let steps: Vec<Step<'_>> = payloads.iter().enumerate().map(|(n, p)| (9, n + 1 == payloads.len(), &p[..])).collect();
    let mut assembler = Assembler::video(VideoCodec::Mjpeg, &[]);
    let units = run(&mut assembler, &steps);
    assert_eq!((units.len(), units[0].key, units[0].parts.len()), (1, true, 1));
    let picture = &units[0].parts[0];
    assert_eq!(crate::media::jpeg::size(picture), Some((640, 480)));
    assert_eq!(crate::media::jpeg::end(picture), Some(picture.len()));
    // The data and the table are those of the image; another depacketizer makes the same scan of them.
    let scan = |jpeg: &[u8]| jpeg[jpeg.windows(2).position(|w| w == [0xff, 0xda]).unwrap() + 14..].to_vec();
    assert_eq!(scan(picture), scan(image));
    let mut second = KeyFrames::new(VideoCodec::Mjpeg, Vec::new());
    let mut stream = Stream::default();
    for step in &steps {
        let ordered = stream.packet(step.0, step.1, step.2);
        second.push(&Packet::parse(&ordered.bytes).unwrap(), 9, 0);
    }
    assert_eq!(scan(&second.take_last().unwrap().bytes), scan(picture));
    // A fragment that is missing costs its picture and no other.
    let broken = [&steps[..1], &[LOSS], &steps[2..]].concat();
    assert_eq!(run(&mut assembler, &broken).len(), 0);
    let next: Vec<Step<'_>> = steps.iter().map(|step| (10, step.1, step.2)).collect();
    let again = run(&mut assembler, &next);
    assert_eq!((again.len(), again[0].damaged, assembler.dropped()), (1, false, 1));
}

#[test]
fn vp8_keeps_its_descriptors() {
    let key = [0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01, 0];
    let (rest, inter) = ([0x00, 1, 2, 3, 4], [0x10, 0x11, 0, 0, 0]);
    let mut assembler = Assembler::video(VideoCodec::Vp8, &[]);
    let units = run(
        &mut assembler,
        &[
            (0, false, &key),
            (0, true, &rest),
            (1, true, &inter),
            LOSS,
            (2, true, &rest),
            (3, true, &inter),
            (4, true, &key),
        ],
    );
    assert_eq!(written(&units), ["key 0: 10 00", "1: 10", "damaged 3: 10", "key 4: 10"]);
    assert!(matches!(&*units[0].format, Format::Video(f) if f.size == Some((640, 480))));
    assert_eq!((units[0].parts[1].as_ref(), assembler.dropped()), (&rest[..], 1));
}

fn sound(codec: AudioCodec, clock_rate: u32, config: &'static [u8]) -> Assembler {
    let format = AudioFormat { codec, clock_rate, channels: 1, config: Bytes::from_static(config) };
    Assembler::audio(format, AacLayout::HIGH_BIT_RATE)
}

/// Timestamp and length of each piece.
fn pieces(units: &[AccessUnit]) -> Vec<(u32, usize)> {
    units.iter().map(|unit| (unit.timestamp, unit.parts[0].len())).collect()
}

#[test]
fn telephone_sound_comes_in_twenty_milliseconds() {
    let mut assembler = sound(AudioCodec::Pcmu, 8000, &[]);
    let bytes = [0xff; 500];
    // 25 ms and 37.5 ms; the camera's clock is a little off.
    let units =
        run(&mut assembler, &[(100, true, &bytes[..200]), (301, false, &bytes[..300]), (599, false, &bytes[..140])]);
    assert_eq!(pieces(&units), [(100, 160), (260, 160), (420, 160), (580, 160)]);
    // Set by more than half a second, or with packets missing, it begins anew.
    let units = run(&mut assembler, &[(9000, false, &bytes[..170]), LOSS, (9500, false, &bytes[..160])]);
    assert_eq!(pieces(&units), [(9000, 160), (9500, 160)]);
}

#[test]
fn opus_has_exact_steps() {
    let mut assembler = sound(AudioCodec::Opus, 48_000, &[]);
    // 20 ms of one frame; the steps of an Axis camera.
    let packet: &[u8] = &[0x78, 1, 2];
    let units = run(&mut assembler, &[(0, false, packet), (953, false, packet), (1917, false, packet)]);
    assert_eq!(pieces(&units), [(0, 3), (960, 3), (1920, 3)]);
    for (packet, ticks) in [
        (&[0x78][..], Some(960)),
        (&[0x79], Some(1920)),
        (&[0x83, 4], Some(480)), // four frames of 2.5 ms
        (&[0x1b, 0x03], Some(8640).filter(|&t: &u32| t <= 5760)),
        (&[0x7b, 0], None),
        (&[], None),
    ] {
        assert_eq!(opus_ticks(packet), ticks, "{packet:x?}");
    }
}

#[test]
fn aac_alone_together_and_in_pieces() {
    let mut assembler = sound(AudioCodec::Aac, 16_000, &[0x14, 0x08]);
    let one = [&[0, 16, 0, 3 << 3][..], b"abc"].concat();
    let two = [&[0, 32, 0, 3 << 3, 0, 2 << 3][..], b"abcde"].concat();
    let (first, last) = ([&[0, 16, 0, 5 << 3][..], b"abc"].concat(), [&[0, 16, 0, 5 << 3][..], b"de"].concat());
    let adts = include_bytes!("../../../tests/data/media/camera_aac_16k.adts");
    let frame = &adts[..crate::media::aac::Adts::parse(adts).unwrap().frame_len];
    let size = ((frame.len() as u16) << 3).to_be_bytes();
    let with_adts = [&[0, 16][..], &size, frame].concat();
    let steps =
        [(0, true, &one[..]), (1024, true, &two), (3072, false, &first), (3072, true, &last), (4096, true, &with_adts)];
    let units = run(&mut assembler, &steps);
    assert_eq!(pieces(&units), [(0, 3), (1024, 3), (2048, 2), (3072, 5), (4096, frame.len() - 7)]);
    assert_eq!(&units[3].parts[0][..], b"abcde");
    // A size beyond the packet and no more of it, a header that ends early, nothing.
    for odd in [&[0, 16, 0xff, 0xf8, 1][..], &[0, 16, 0, 0, 1], &[0, 64, 1], &[0, 0, 9], &[7]] {
        assert_eq!(run(&mut assembler, &[(9999, true, odd)]), [], "{odd:x?}");
    }
    assert!(assembler.dropped() >= 3);
    assert_eq!(pieces(&run(&mut assembler, &[(5120, true, &one)])).len(), 1, "goes on");
}

/// NAL units of one picture that come back as they were: known kinds, no start code within, none ends in a zero.
fn picture() -> impl Strategy<Value = Vec<Bytes>> {
    let slice = |header: u8| {
        (proptest::collection::vec(1u8.., 1..5000), Just(header)).prop_map(|(mut bytes, header)| {
            bytes.splice(0..0, [header, 0x9a, 0x24]);
            Bytes::from(bytes)
        })
    };
    let supplement = proptest::collection::vec(1u8.., 1..100).prop_map(|bytes| {
        let size = bytes.len() as u8;
        Bytes::from([&[0x06, 5, size][..], &bytes, &[0x80]].concat())
    });
    let picture = (proptest::collection::vec(supplement, 0..3), proptest::collection::vec(slice(0x41), 1..5));
    picture.prop_map(|(supplements, slices)| [supplements, slices].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// packetize, then assemble: the same NAL units again.
    #[test]
    fn what_is_packetised_comes_back(pictures in proptest::collection::vec(picture(), 1..6)) {
        let mut assembler = h264(&[SPS, PPS]);
        let read = through(&mut assembler, &pictures);
        prop_assert_eq!(read.into_iter().map(|unit| unit.parts).collect::<Vec<_>>(), pictures);
    }

    #[test]
    fn h265_comes_back_too(sizes in proptest::collection::vec(proptest::collection::vec(1usize..4000, 1..5), 1..6)) {
        let mut assembler = Assembler::video(VideoCodec::H265, &[]);
        let slice = |size: &usize| Bytes::from([&[0x02, 0x01, 0xd0][..], &vec![0x55; *size]].concat());
        let pictures: Vec<Vec<Bytes>> = sizes.iter().map(|sizes| sizes.iter().map(slice).collect()).collect();
        let read = through(&mut assembler, &pictures);
        prop_assert_eq!(read.into_iter().map(|unit| unit.parts).collect::<Vec<_>>(), pictures);
    }

    #[test]
    fn any_packets_do(
        codec in prop::sample::select(vec![
            VideoCodec::H264, VideoCodec::H265, VideoCodec::Mjpeg, VideoCodec::Vp8, VideoCodec::Vp9, VideoCodec::Av1,
        ]),
        packets in proptest::collection::vec(
            (0u32..4, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80), 0u64..2), 0..40),
    ) {
        let mut assembler = Assembler::video(codec, &[]);
        let mut stream = Stream::default();
        for (timestamp, marker, payload, lost) in packets {
            stream.lost = lost;
            assembler.push(&stream.packet(timestamp, marker, &payload));
            while let Some(unit) = assembler.pop() {
                prop_assert!(!unit.parts.is_empty() && unit.parts.iter().all(|part| !part.is_empty()));
                prop_assert!(!(unit.key && unit.damaged));
                packetize(&unit.format, &unit.parts);
            }
        }
    }

    #[test]
    fn any_sound_does(
        codec in prop::sample::select(vec![AudioCodec::Aac, AudioCodec::Pcmu, AudioCodec::Opus, AudioCodec::Pcm]),
        packets in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..400)), 0..20),
        clock_rate: u32,
        channels: u16,
        (size_bits, index_bits, delta_bits) in any::<(u8, u8, u8)>(),
    ) {
        let config = Bytes::from_static(&[0x14, 0x08]);
        let format = AudioFormat { codec, clock_rate, channels, config };
        let mut assembler = Assembler::audio(format, AacLayout { size_bits, index_bits, delta_bits });
        let mut stream = Stream::default();
        for (timestamp, payload) in packets {
            assembler.push(&stream.packet(timestamp, false, &payload));
            while let Some(unit) = assembler.pop() {
                prop_assert!(!unit.parts[0].is_empty());
            }
        }
    }
}
