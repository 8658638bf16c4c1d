use proptest::prelude::*;

use super::*;
use crate::media::payload::glimpse;
use crate::model::VideoCodec;
use crate::testkit::fleet::clip::Clip;
use crate::testkit::fleet::rtp::Packetizer;

const IMAGE: &[u8] = include_bytes!("../../../tests/data/media/camera_640x480_1.jpg");

fn clips() -> [(Clip, &'static str, VideoCodec); 3] {
    [
        (
            Clip::h264(include_bytes!("../../../tests/data/media/camera_h264_1280x720_25fps.h264"), 25.0),
            "H264",
            VideoCodec::H264,
        ),
        (
            Clip::h265(include_bytes!("../../../tests/data/media/camera_h265_1920x1080_15fps.h265"), 15.0),
            "H265",
            VideoCodec::H265,
        ),
        (Clip::mjpeg(IMAGE, 10.0), "JPEG", VideoCodec::Mjpeg),
    ]
}

#[test]
fn what_is_measured_stays_and_the_picture_does_not() {
    for (clip, encoding, codec) in clips() {
        let mut packetizer = Packetizer::new(96);
        let (mut all, mut kept) = (0, 0);
        for frame in &clip.frames {
            for packet in packetizer.packets(&clip, frame) {
                let mut blank = packet.clone();
                blank_rtp(&mut blank, encoding);
                assert_eq!((blank.len(), &blank[..12]), (packet.len(), &packet[..12]));
                assert_eq!(glimpse(codec, &blank[12..]), glimpse(codec, &packet[12..]), "{encoding}");
                let is_set = !glimpse(codec, &packet[12..]).parameter_sets.is_empty();
                if !is_set {
                    all += packet.len() - 12;
                    kept += blank[12..].iter().filter(|byte| **byte != FILL).count();
                }
            }
        }
        assert!(all > 2000 && kept * 10 < all, "{encoding}: {kept} of {all} bytes are kept");
    }
}

#[test]
fn a_jpeg_keeps_its_size_and_loses_its_picture_and_its_words() {
    let with_words =
        [&IMAGE[..2], &[0xff, 0xe1, 0, 10], b"Exif\0\0at", &[0xff, 0xfe, 0, 6], b"here", &IMAGE[2..]].concat();
    let body =
        [&b"--b\r\nContent-Type: image/jpeg\r\n\r\n"[..], &with_words, b"\r\n--b\r\n", &with_words[..900]].concat();
    let mut blank = body.clone();
    blank_body(&mut blank, false);
    assert_eq!(blank.len(), body.len());
    let first = crate::media::jpeg::find(&blank).unwrap();
    assert_eq!((crate::media::jpeg::size(first), first.len()), (Some((640, 480)), with_words.len()));
    assert!(!blank.windows(4).any(|w| w == b"Exif" || w == b"here"));
    assert!(blank.starts_with(&body[..38]) && blank.windows(9).any(|w| w == b"\r\n--b\r\n\xff\xd8"));
    let differing = body.iter().zip(&blank).filter(|(a, b)| a != b).count();
    assert!(differing * 10 > IMAGE.len() * 8, "{differing} of {}", IMAGE.len());
}

#[test]
fn names_in_rtcp_are_gone() {
    let packet = crate::media::rtcp::emit(&[crate::media::rtcp::Rtcp::Goodbye { sources: vec![7] }]);
    let cname = b"root@front-door.example.net";
    let mut description = vec![0x81, 202, 0, 9, 0, 0, 0, 7, 1, cname.len() as u8];
    description.extend(cname);
    description.resize(40, 0);
    let mut bytes = [description, packet].concat();
    blank_rtcp(&mut bytes);
    assert!(!bytes.windows(4).any(|w| w == b"door"), "{bytes:?}");
    assert!(bytes.windows(5).any(|w| w == b"xxxxx"));
}

#[test]
fn what_is_not_known_is_filler() {
    let mut body = b"some format of somebody with a secret".to_vec();
    blank_body(&mut body, false);
    assert!(body.iter().all(|byte| *byte == FILL));
}

#[test]
fn a_film_keeps_its_key_frames_and_loses_picture_title_and_place() {
    let boxed = |kind: &[u8], content: &[u8]| {
        [&u32::try_from(8 + content.len()).unwrap().to_be_bytes()[..], kind, content].concat()
    };
    let unit = |head: &[u8]| {
        let nal = [head, &[0x99; 40]].concat();
        [&u32::try_from(nal.len()).unwrap().to_be_bytes()[..], &nal].concat()
    };
    let title = boxed(b"udta", b"Smith garden");
    let head = boxed(b"moov", &[boxed(b"mvhd", &[7; 20]), boxed(b"trak", &title), title].concat());
    for (first, second) in [(&[0x65, 0x88][..], &[0x41, 0x9a][..]), (&[0x26, 1], &[0x02, 1])] {
        let mut film = [head.clone(), boxed(b"mdat", &[unit(first), unit(second)].concat())].concat();
        let before = film.clone();
        blank_body(&mut film, false);
        let samples = head.len() + 8;
        assert_eq!((film.len(), &film[samples + 4..samples + 6]), (before.len(), first));
        assert_eq!(&film[samples + 46..samples + 52], &before[samples + 46..samples + 52]);
        assert!(film[samples + 13..samples + 46].iter().all(|byte| *byte == FILL), "{film:?}");
        assert!(film.windows(6).any(|w| w == [7; 6]) && !film.windows(5).any(|w| w == b"Smith"), "{film:?}");
    }
    // Sound does not read as units.
    let mut sound = boxed(b"mdat", &[0x21; 60]);
    container::blank_mp4(&mut sound);
    assert!(sound[8..].iter().all(|byte| *byte == FILL));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_and_keep_their_length(
        bytes in prop::collection::vec(any::<u8>(), 0..400), which in 0..10usize, icon: bool,
        head in prop::sample::select(vec![vec![], vec![0xff, 0xd8, 0xff], vec![0x47, 0x40, 0], vec![0, 0, 0, 24, b'f', b't', b'y', b'p']]),
    ) {
        let encoding = ["H264", "H265", "JPEG", "MPEG4-GENERIC", "MP4V-ES", "VP8", "VP9", "MP2T", "PCMU", "?"][which];
        let bytes = [head, bytes].concat();
        for blank in [
            (|b: &mut [u8], e: &str, _: bool| blank_rtp(b, e)) as fn(&mut [u8], &str, bool),
            |b, _, _| blank_rtcp(b),
            |b, _, icon| blank_body(b, icon),
            |b, _, _| container::blank_ts(b),
            |b, _, _| container::blank_mp4(b),
        ] {
            let mut blanked = bytes.clone();
            blank(&mut blanked, encoding, icon);
            prop_assert_eq!(blanked.len(), bytes.len());
        }
    }
}
