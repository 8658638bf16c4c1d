use bytes::Bytes;

use super::*;
use crate::media::order::PacketOrder;
use crate::media::{jpeg, nal};
use crate::protocol::rtsp::sdp::Session;
use proptest::prelude::*;

const H264: &[u8] = include_bytes!("../../../../tests/data/media/camera_h264_1280x720_25fps.h264");
const H265: &[u8] = include_bytes!("../../../../tests/data/media/camera_h265_1920x1080_15fps.h265");
const MPEG4: &[u8] = include_bytes!("../../../../tests/data/media/camera_mpeg4_352x288.m4v");
const IMAGE: &[u8] = include_bytes!("../../../../tests/data/media/camera_640x480_1.jpg");

/// Makes RTP of frames, each a list of payloads, at a steady rate of `fps`; arrival follows the timestamps.
struct Sender {
    sequence: u16,
    packets: Vec<(Vec<u8>, Duration)>,
}

impl Sender {
    fn new() -> Self {
        Sender { sequence: 65_500, packets: Vec::new() }
    }

    fn send(frames: &[Vec<Vec<u8>>], fps: f64) -> Vec<(Vec<u8>, Duration)> {
        let mut sender = Sender::new();
        for (number, payloads) in frames.iter().enumerate() {
            let seconds = number as f64 / fps;
            sender.frame(payloads, 0xffff_f000u32.wrapping_add((seconds * 90_000.0) as u32), seconds);
        }
        sender.packets
    }

    fn frame(&mut self, payloads: &[Vec<u8>], timestamp: u32, seconds: f64) {
        for (at, payload) in payloads.iter().enumerate() {
            let marker = if at + 1 == payloads.len() { 0x80 } else { 0 };
            let mut packet = vec![0x80, marker | 96];
            packet.extend(self.sequence.to_be_bytes());
            packet.extend(timestamp.to_be_bytes());
            packet.extend([1, 2, 3, 4]);
            packet.extend(payload);
            self.sequence = self.sequence.wrapping_add(1);
            self.packets.push((packet, Duration::from_secs_f64(seconds)));
        }
    }
}

/// Access units of an H.264 stream as payloads: parameter sets in a STAP-A, slices in FU-A of 400 bytes.
fn h264_frames() -> Vec<Vec<Vec<u8>>> {
    let (mut frames, mut sets) = (Vec::new(), Vec::new());
    for unit in nal::annex_b(H264) {
        if matches!(unit[0] & 0x1f, 7 | 8) {
            sets.push(unit);
            continue;
        }
        let mut payloads = Vec::new();
        if !sets.is_empty() {
            let mut stap = vec![0x78];
            for set in sets.drain(..) {
                stap.extend((set.len() as u16).to_be_bytes());
                stap.extend(set);
            }
            payloads.push(stap);
        }
        if unit.len() <= 400 {
            payloads.push(unit.to_vec());
        } else {
            let chunks: Vec<&[u8]> = unit[1..].chunks(400).collect();
            for (at, chunk) in chunks.iter().enumerate() {
                let bits = u8::from(at == 0) << 7 | u8::from(at + 1 == chunks.len()) << 6;
                payloads.push([&[unit[0] & 0x60 | 28, bits | unit[0] & 0x1f][..], chunk].concat());
            }
        }
        frames.push(payloads);
    }
    frames
}

fn h265_frames() -> Vec<Vec<Vec<u8>>> {
    let (mut frames, mut payloads) = (Vec::new(), Vec::new());
    for unit in nal::annex_b(H265) {
        if unit.len() <= 600 {
            payloads.push(unit.to_vec());
        } else {
            let chunks: Vec<&[u8]> = unit[2..].chunks(600).collect();
            for (at, chunk) in chunks.iter().enumerate() {
                let bits = u8::from(at == 0) << 7 | u8::from(at + 1 == chunks.len()) << 6;
                payloads.push([&[unit[0] & 0x81 | 49 << 1, unit[1], bits | unit[0] >> 1 & 0x3f][..], chunk].concat());
            }
        }
        if unit[0] >> 1 & 0x3f < 32 {
            frames.push(std::mem::take(&mut payloads));
        }
    }
    frames
}

/// One image as RFC 2435 carries it: type 1, Q 255 with its table for luma and chroma.
fn jpeg_frame() -> Vec<Vec<u8>> {
    let at = |mark: [u8; 2]| IMAGE.windows(2).position(|w| w == mark).unwrap();
    let table = &IMAGE[at([0xff, 0xdb]) + 5..][..64];
    let scan = at([0xff, 0xda]);
    let scan = &IMAGE[scan + 2 + usize::from(IMAGE[scan + 3])..IMAGE.len() - 2];
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    for (number, chunk) in scan.chunks(1200).enumerate() {
        let [_, o2, o1, o0] = (number as u32 * 1200).to_be_bytes();
        let mut payload = vec![0, o2, o1, o0, 1, 255, 80, 60];
        if number == 0 {
            payload.extend([0, 0, 0, 128]);
            payload.extend(table);
            payload.extend(table);
        }
        payload.extend(chunk);
        payloads.push(payload);
    }
    payloads
}

fn mpeg4_frames() -> Vec<Vec<Vec<u8>>> {
    let (mut frames, mut head) = (Vec::new(), Vec::new());
    for unit in nal::annex_b(MPEG4) {
        head.extend([0, 0, 1]);
        head.extend(unit);
        if unit[0] == 0xb6 {
            frames.push(std::mem::take(&mut head).chunks(500).map(<[u8]>::to_vec).collect());
        }
    }
    frames
}

fn media(encoding: &str, attributes: &str) -> Media {
    let sdp = format!("v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 {encoding}/90000\n{attributes}");
    Session::parse(sdp.as_bytes()).unwrap().medias.remove(0)
}

/// A meter behind what puts its packets in order.
struct Measuring {
    order: PacketOrder,
    meter: Meter,
}

impl Measuring {
    fn new(media: &Media) -> Measuring {
        Measuring { order: PacketOrder::new(media.payload_type), meter: Meter::new(media) }
    }

    fn push(&mut self, packet: &[u8], arrived: Duration) {
        self.order.push(Bytes::copy_from_slice(packet), arrived);
        while let Some(packet) = self.order.pop(arrived) {
            self.meter.push(&packet.bytes, packet.arrived, packet.lost);
        }
    }

    fn finish(mut self) -> Meter {
        while let Some(packet) = self.order.pop_last() {
            self.meter.push(&packet.bytes, packet.arrived, packet.lost);
        }
        self.meter.finish();
        self.meter
    }
}

fn measure(media: &Media, packets: &[(Vec<u8>, Duration)]) -> Meter {
    let mut measuring = Measuring::new(media);
    for (packet, arrived) in packets {
        measuring.push(packet, *arrived);
    }
    measuring.finish()
}

#[test]
fn h264_in_band() {
    let meter = measure(&media("H264", ""), &Sender::send(&h264_frames(), 25.0));
    let video = meter.video().unwrap();
    assert_eq!((video.width, video.height, video.fps), (Some(1280), Some(720), Some(25.0)));
    assert_eq!((video.profile.as_deref(), video.level.as_deref()), (Some("High"), Some("3.1")));
    assert_eq!((video.measured_fps, video.keyframe_interval_s), (Some(25.0), Some(1.0)));
    let seen = meter.seen();
    assert_eq!((seen.frames, seen.keyframes, seen.lost), (50, 2, 0));
    assert_eq!(seen.first_keyframe, Some(Duration::ZERO));
    assert_eq!(meter.warnings(), [""; 0]);
    let picture = meter.picture().unwrap();
    let kinds: Vec<u8> = nal::annex_b(&picture.bytes).map(h264::nal_type).collect();
    assert_eq!(kinds, [7, 8, 5]);
}

#[test]
fn measuring_stops_when_two_key_frames_or_the_time_are_seen() {
    let packets = Sender::send(&h264_frames(), 25.0);
    let stop = |measure_time| {
        let mut meter = Measuring::new(&media("H264", ""));
        packets.iter().find_map(|(packet, arrived)| {
            meter.push(packet, *arrived);
            meter.meter.enough(measure_time).then_some(*arrived)
        })
    };
    assert_eq!(stop(Duration::from_secs(5)), Some(Duration::from_secs(1)), "the second key frame");
    assert_eq!(stop(Duration::from_millis(400)), Some(Duration::from_millis(400)), "the time");
    let late = &Sender::send(&h264_frames()[1..20], 25.0);
    let meter = measure(&media("H264", ""), late);
    assert!(!meter.enough(Duration::from_millis(100)), "no key frame was seen");
    assert_eq!((meter.seen().first_keyframe, meter.video().unwrap().keyframe_interval_s), (None, None));
    assert_eq!(meter.picture(), None);
}

#[test]
fn h265_in_band() {
    let meter = measure(&media("H265", "a=x-dimensions:1280,720"), &Sender::send(&h265_frames(), 15.0));
    let video = meter.video().unwrap();
    assert_eq!((video.width, video.height, video.size_source), (Some(1920), Some(1080), None));
    assert_eq!((video.profile.as_deref(), video.level.as_deref()), (Some("Main"), Some("4.0")));
    assert_eq!((video.measured_fps, video.keyframe_interval_s), (Some(15.0), Some(1.0)));
    assert_eq!(meter.warnings(), ["declared 1280x720, the stream is 1920x1080"]);
    assert!(nal::annex_b(&meter.picture().unwrap().bytes).any(h265::is_key));
}

#[test]
fn mjpeg() {
    let meter = measure(&media("JPEG", ""), &Sender::send(&vec![jpeg_frame(); 20], 10.0));
    let video = meter.video().unwrap();
    assert_eq!((video.width, video.height), (Some(640), Some(480)));
    assert_eq!((video.measured_fps, video.keyframe_interval_s), (Some(10.0), None));
    let picture = meter.picture().unwrap();
    assert_eq!(jpeg::end(&picture.bytes), Some(picture.bytes.len()));
    assert_eq!(jpeg::size(&picture.bytes), Some((640, 480)));
}

#[test]
fn mpeg4() {
    let meter = measure(&media("MP4V-ES", ""), &Sender::send(&mpeg4_frames(), 12.0));
    let video = meter.video().unwrap();
    assert_eq!((video.width, video.profile.as_deref()), (Some(352), Some("Simple")));
    assert_eq!((video.measured_fps, video.keyframe_interval_s), (Some(12.0), Some(1.0)));
    assert!(meter.picture().unwrap().bytes.starts_with(&[0, 0, 1, 0xb0]));
}

#[test]
fn vp8_by_its_payloads() {
    let key = vec![vec![0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01, 0]];
    let inter = vec![vec![0x10, 0x11, 0, 0]];
    let frames: Vec<_> = (0..30).map(|n| if n % 10 == 0 { key.clone() } else { inter.clone() }).collect();
    let video = measure(&media("VP8", ""), &Sender::send(&frames, 10.0)).video().unwrap();
    assert_eq!((video.width, video.height, video.keyframe_interval_s), (Some(640), Some(480), Some(1.0)));
}

#[test]
fn a_codec_nobody_knows_is_still_counted() {
    let frames = vec![vec![vec![1; 100], vec![2; 100]]; 30];
    let meter = measure(&media("H261", ""), &Sender::send(&frames, 10.0));
    assert_eq!((meter.measured().rates.fps, meter.seen().frames), (Some(10.0), 30));
    assert_eq!(meter.seen().first_frame, Some(Duration::ZERO));
    assert!(meter.enough(Duration::from_secs(2)));
}

#[test]
fn a_rate_that_was_declared_wrongly_is_told() {
    let meter = measure(&media("H264", ""), &Sender::send(&h264_frames(), 12.1));
    assert_eq!(meter.video().unwrap().measured_fps, Some(12.1));
    assert_eq!(meter.warnings(), ["declared 25 fps, measured 12.1"]);
    let short = measure(&media("H264", ""), &Sender::send(&h264_frames()[..8], 12.1));
    assert_eq!(short.warnings(), [""; 0], "too little was seen");
}

#[test]
fn reordering_is_mended_and_losses_are_told() {
    let mut packets = Sender::send(&h264_frames(), 25.0);
    packets.swap(3, 4);
    packets.swap(40, 42);
    let meter = measure(&media("H264", ""), &packets);
    assert_eq!((meter.seen().frames, meter.seen().lost), (50, 0));
    packets.remove(20);
    let meter = measure(&media("H264", ""), &packets);
    assert_eq!(meter.seen().lost, 1);
    assert_eq!(meter.warnings(), [format!("1 of {} packets were lost", packets.len() + 1)]);
    assert_eq!(meter.video().unwrap().keyframe_interval_s, Some(1.0));
}

#[test]
fn timestamps_that_stand_still_or_run_slow_are_not_believed() {
    let mut sender = Sender::new();
    for (number, payloads) in h264_frames().iter().enumerate() {
        sender.frame(payloads, 7, number as f64 / 25.0);
    }
    let meter = measure(&media("H264", ""), &sender.packets);
    assert_eq!(meter.measured().rates.fps, Some(25.0));
    let mut sender = Sender::new();
    for (number, payloads) in h264_frames().iter().enumerate() {
        sender.frame(payloads, number as u32 * 40, number as f64 / 25.0); // milliseconds instead of 90 kHz
    }
    let meter = measure(&media("H264", ""), &sender.packets);
    assert_eq!(meter.measured().rates.fps, Some(25.0));
    assert_eq!(meter.warnings(), ["RTP timestamps do not follow time; rates are measured by arrival"]);
}

#[test]
fn a_burst_of_stored_frames_does_not_raise_the_rate() {
    let packets: Vec<_> = Sender::send(&h264_frames(), 25.0)
        .into_iter()
        .map(|(packet, arrived)| (packet, arrived.saturating_sub(Duration::from_millis(960))))
        .collect();
    assert_eq!(measure(&media("H264", ""), &packets).measured().rates.fps, Some(25.0));
}

#[test]
fn another_source_or_payload_type_does_not_end_the_measuring() {
    let mut packets = Sender::send(&h264_frames(), 25.0);
    let middle = packets.len() / 4;
    for (packet, _) in &mut packets[..middle] {
        packet[8] = 99; // what is left of another session
        packet[4] = 0;
    }
    let meter = measure(&media("H264", ""), &packets);
    assert_eq!(meter.measured().rates.fps, Some(25.0));
    for (packet, _) in &mut packets {
        packet[1] = packet[1] & 0x80 | 97;
    }
    let meter = measure(&media("H264", ""), &packets);
    assert_eq!(meter.seen().frames, 50);
    assert_eq!(meter.warnings(), ["packets have payload type 97, the SDP says 96"]);
}

#[test]
fn what_a_strict_depacketizer_refuses_is_counted_all_the_same() {
    // Start codes inside the payload, and a NAL type nobody defined before each slice.
    let frames: Vec<Vec<Vec<u8>>> = h264_frames()
        .iter()
        .map(|payloads| {
            let mut odd = vec![vec![0x1f, 1, 2]];
            odd.extend(
                payloads.iter().map(|p| if p[0] == 0x65 { [&[0, 0, 0, 1], &p[..]].concat() } else { p.clone() }),
            );
            odd
        })
        .collect();
    let meter = measure(&media("H264", ""), &Sender::send(&frames, 25.0));
    assert_eq!((meter.measured().rates.fps, meter.seen().keyframes), (Some(25.0), 2));
    assert_eq!(meter.video().unwrap().width, Some(1280));
}

/// A server that keeps a key frame for whoever comes next sends that first, however old it is.
#[test]
fn a_stored_first_frame_says_nothing_of_the_rate() {
    let mut sender = Sender::new();
    for (number, payloads) in h264_frames().iter().take(30).enumerate() {
        let age = if number == 0 { 1.9 } else { 0.0 };
        let at = 2.0 + number as f64 / 25.0;
        sender.frame(payloads, ((at - age) * 90_000.0) as u32, at);
    }
    let meter = measure(&media("H264", ""), &sender.packets);
    assert_eq!((meter.measured().rates.fps, meter.measured().by_arrival), (Some(25.0), false));
}

#[test]
fn sound_is_measured() {
    let sdp = "v=0\nm=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/16000/1\na=fmtp:97 mode=AAC-hbr;config=1408";
    let media = Session::parse(sdp.as_bytes()).unwrap().medias.remove(0);
    let mut meter = Measuring::new(&media);
    for number in 0u16..40 {
        let seconds = f64::from(number) * 1024.0 / 16_000.0;
        let mut packet = vec![0x80, 0x80 | 97];
        packet.extend(number.to_be_bytes());
        packet.extend((u32::from(number) * 1024).to_be_bytes());
        packet.extend([0; 4]);
        packet.extend([0; 192]);
        meter.push(&packet, Duration::from_secs_f64(seconds));
    }
    let meter = meter.finish();
    let audio = meter.audio().unwrap();
    assert_eq!((audio.sample_rate_hz, audio.channels, audio.measured_kbps), (Some(16_000), Some(1), Some(24)));
    assert_eq!(meter.video(), None);
}

fn anything(codec: &str, packets: &[(bool, u8, Vec<u8>)]) -> Result<(), TestCaseError> {
    let mut meter = Measuring::new(&media(codec, ""));
    for (number, (marker, step, payload)) in packets.iter().enumerate() {
        let mut packet = vec![0x80, u8::from(*marker) << 7 | 96];
        packet.extend((number as u16).wrapping_add(u16::from(*step == 255)).to_be_bytes());
        packet.extend((u32::from(*step) / 64 * 3600 + number as u32 * 1800).to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(payload);
        meter.push(&packet, Duration::from_millis(number as u64 * 20));
        let _ = meter.meter.enough(Duration::from_secs(1));
    }
    let meter = meter.finish();
    let _ = (meter.video(), meter.warnings(), meter.picture());
    prop_assert!(meter.seen().frames <= packets.len() as u64);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_packets_do(bytes: Vec<Vec<u8>>) {
        let mut meter = Measuring::new(&media("H264", ""));
        for (number, packet) in bytes.iter().enumerate() {
            meter.push(packet, Duration::from_millis(number as u64));
        }
        meter.finish();
    }

    #[test]
    fn any_payloads_do(
        codec in prop_oneof!["H264", "H265", "JPEG", "MP4V-ES", "VP8", "VP9", "AV1"],
        packets in proptest::collection::vec((any::<bool>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..200)), 0..40),
    ) {
        anything(&codec, &packets)?;
    }

    #[test]
    fn damaged_streams_do(
        which in 0usize..4,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..30),
    ) {
        let (codec, frames) = match which {
            0 => ("H264", h264_frames()),
            1 => ("H265", h265_frames()),
            2 => ("JPEG", vec![jpeg_frame(); 3]),
            _ => ("MP4V-ES", mpeg4_frames()),
        };
        let mut packets = Sender::send(&frames, 25.0);
        for (packet, byte, with) in &damage {
            let packet = packet.index(packets.len());
            let packet = &mut packets[packet].0;
            // The headers are worth more damage than what they carry.
            let reach = packet.len().min(40);
            let at = byte.index(reach);
            packet[at] = *with;
        }
        let meter = measure(&media(codec, ""), &packets);
        let _ = (meter.video(), meter.warnings(), meter.picture());
    }
}

/// VLC, encoders and tuners put a transport stream into RTP; a packet of RTP is no picture of it.
#[test]
fn a_transport_stream_in_rtp_is_known_by_what_is_in_it() {
    let session = Session::parse(b"v=0\r\nm=video 0 RTP/AVP 33\r\n").unwrap();
    let sps = nal::annex_b(H264).find(|unit| unit[0] & 0x1f == 7).unwrap();
    let key = nal::to_annex_b([sps, &[0x68, 1, 2], &[0x65, 0x88, 0x84]]);
    let other = nal::to_annex_b([&[0x41u8, 0x9a, 1][..]; 90]);
    let pictures: Vec<_> = (0..60).map(|i| (i * 3600, if i % 25 == 0 { key.clone() } else { other.clone() })).collect();
    let ts = crate::media::ts::testing::stream(&pictures);
    let mut meter = Measuring::new(session.video().unwrap());
    let payloads: Vec<&[u8]> = ts.chunks(7 * 188).collect();
    for (at, payload) in payloads.iter().enumerate() {
        let seconds = 2.4 * at as f64 / payloads.len() as f64;
        let mut packet = vec![0x80, 33];
        packet.extend((at as u16).to_be_bytes());
        packet.extend(((seconds * 90_000.0) as u32).to_be_bytes());
        packet.extend([1, 2, 3, 4]);
        packet.extend(*payload);
        meter.push(&packet, Duration::from_secs_f64(seconds));
    }
    let meter = meter.finish();
    let video = meter.video().unwrap();
    assert_eq!((video.codec, video.width, video.height), (Some(VideoCodec::H264), Some(1280), Some(720)));
    assert_eq!((video.measured_fps, video.keyframe_interval_s), (Some(25.0), Some(1.0)));
    assert_eq!(meter.audio().and_then(|a| a.codec), Some(crate::model::AudioCodec::Aac));
    assert!(meter.tells_key_frames() && meter.seen().first_keyframe.is_some() && meter.picture().is_some());
    assert_eq!(meter.warnings(), [""; 0]);
}

/// Of a codec that is not known no key frame can be told, and none is waited for.
#[test]
fn frames_of_an_unknown_codec_are_counted() {
    let session = Session::parse(b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 JPEG2000/90000\r\n").unwrap();
    let mut meter = Measuring::new(session.video().unwrap());
    for (packet, arrived) in Sender::send(&vec![vec![vec![1; 100]]; 30], 10.0) {
        meter.push(&packet, arrived);
    }
    let meter = meter.finish();
    assert!(meter.enough(Duration::from_secs(2)) && !meter.tells_key_frames());
    assert_eq!(meter.video().unwrap().measured_fps, Some(10.0));
}

/// NAL units of one byte that claim to be slices, and fragments whose beginning never comes, thirty times a second.
#[test]
fn what_has_no_slice_header_is_no_frame() {
    for (encoding, payload) in [
        ("H264", &[0x65][..]),
        ("H264", &[0x41]),
        ("H264", &[0x7c, 0x05, 1, 2, 3]),
        ("H265", &[19 << 1, 1]),
        ("H265", &[49 << 1, 1, 19, 1, 2, 3]),
        ("JPEG", &[0, 0, 0, 0, 1, 60, 80, 60]),
    ] {
        let frames = vec![vec![payload.to_vec()]; 60];
        let meter = measure(&media(encoding, ""), &Sender::send(&frames, 30.0));
        assert_eq!((meter.seen().frames, meter.seen().packets), (0, 60), "{encoding} {payload:x?}");
        assert_eq!(meter.seen().first_frame, None);
    }
}
