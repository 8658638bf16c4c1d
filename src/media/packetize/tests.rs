use proptest::prelude::*;

use super::*;
use crate::media::format::{AudioFormat, VideoFormat};

fn video(codec: VideoCodec) -> Format {
    Format::Video(VideoFormat { codec, sets: Vec::new(), size: None })
}

fn lengths(codec: VideoCodec, parts: &[usize]) -> Vec<usize> {
    let parts: Vec<Bytes> = parts.iter().map(|&length| Bytes::from(vec![0x41; length])).collect();
    packetize(&video(codec), &parts).iter().map(|payload| payload.len()).collect()
}

#[test]
fn small_units_go_together_and_large_ones_in_equal_fragments() {
    for (codec, header) in [(VideoCodec::H264, 1), (VideoCodec::H265, 2)] {
        assert_eq!(lengths(codec, &[25]), [25], "alone");
        assert_eq!(lengths(codec, &[25, 6, 700]), [header + 27 + 8 + 702], "together");
        assert_eq!(lengths(codec, &[25, 1180]), [25, 1180], "too long for one packet");
        let sent = lengths(codec, &[25, 6, 4001]);
        assert_eq!(sent[0], header + 27 + 8);
        let (last, others) = sent[1..].split_last().unwrap();
        assert_eq!(others.len(), 3);
        assert!(others.iter().all(|length| length == &others[0]) && *last <= others[0], "{sent:?}");
        assert_eq!(lengths(codec, &[]), [0usize; 0]);
    }
}

#[test]
fn headers_name_what_is_in_the_packet() {
    let of = |codec, parts: &[&[u8]]| {
        let parts: Vec<Bytes> = parts.iter().map(|part| Bytes::copy_from_slice(part)).collect();
        packetize(&video(codec), &parts)
    };
    assert_eq!(of(VideoCodec::H264, &[&[0x27, 1], &[0x65, 2]])[0][..], [24 | 0x60, 0, 2, 0x27, 1, 0, 2, 0x65, 2]);
    let idr = [&[0x65][..], &[7; 2000]].concat();
    let fragments = of(VideoCodec::H264, &[&idr]);
    assert_eq!((&fragments[0][..3], &fragments[1][..3]), (&[0x7c, 0x85, 7][..], &[0x7c, 0x45, 7][..]));
    assert_eq!(of(VideoCodec::H265, &[&[0x40, 1, 2], &[0x42, 3, 4]])[0][..2], [96, 1]);
    let idr = [&[0x26, 0x01][..], &[7; 2000]].concat();
    let fragments = of(VideoCodec::H265, &[&idr]);
    assert_eq!((&fragments[0][..3], &fragments[1][..3]), (&[98, 1, 0x80 | 19][..], &[98, 1, 0x40 | 19][..]));
}

#[test]
fn long_payloads_of_vp8_and_vp9_keep_their_descriptor() {
    // X and S, a picture number of 15 bits.
    let vp8 = [&[0x90, 0x80, 0x81, 0x02][..], &[7; 2000]].concat();
    let sent = packetize(&video(VideoCodec::Vp8), &[vp8.into()]);
    assert_eq!(
        (sent.len(), &sent[0][..5], &sent[1][..5]),
        (2, &[0x90, 0x80, 0x81, 2, 7][..], &[0x80, 0x80, 0x81, 2, 7][..])
    );
    // I, B and E, a picture number of 7 bits.
    let vp9 = [&[0x8c, 5][..], &[7; 2500]].concat();
    let sent = packetize(&video(VideoCodec::Vp9), &[vp9.into()]);
    assert_eq!(sent.iter().map(|payload| payload[0]).collect::<Vec<_>>(), [0x88, 0x80, 0x84]);
    assert_eq!(sent.iter().map(|payload| payload.len() - 2).sum::<usize>(), 2500);
    let short: Bytes = vec![0x90, 0x80, 0x81, 2, 7].into();
    assert_eq!(packetize(&video(VideoCodec::Vp8), std::slice::from_ref(&short))[0][..], short[..]);
}

#[test]
fn what_webrtc_does_not_carry_has_no_packets() {
    let part = [Bytes::from_static(b"frame")];
    let audio = |codec| Format::Audio(AudioFormat { codec, clock_rate: 8000, channels: 1, config: Bytes::new() });
    for (format, packets) in [
        (video(VideoCodec::Mjpeg), 0),
        (audio(AudioCodec::Aac), 0),
        (audio(AudioCodec::Pcma), 1),
        (audio(AudioCodec::Opus), 1),
    ] {
        assert_eq!(packetize(&format, &part).len(), packets, "{format:?}");
    }
}

proptest! {
    #[test]
    fn no_payload_is_too_long(
        codec in prop::sample::select(vec![VideoCodec::H264, VideoCodec::H265, VideoCodec::Vp8, VideoCodec::Vp9]),
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..4000), 0..8),
    ) {
        let parts: Vec<Bytes> = parts.into_iter().map(Bytes::from).collect();
        for payload in packetize(&video(codec), &parts) {
            prop_assert!(payload.len() <= MAX_PAYLOAD);
        }
    }
}
