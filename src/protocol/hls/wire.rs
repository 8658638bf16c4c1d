//! Playlists as servers write them. Pure.
//!
//! A pass before the parser keeps only the tags that are used and mends what generators get wrong: byte order marks,
//! missing `EXT-X-VERSION` and commas, decimals where integers belong, tags of both kinds of playlist in one.

use std::fmt::Write as _;

use m3u8_rs::KeyMethod;

use crate::media::{ByteRange, describe, plausible_size};
use crate::model::{Audio, FpsSource, SizeSource, Video};

/// Bytes read of one playlist at most.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Lines read of one playlist at most.
pub const MAX_LINES: usize = 5000;
/// The longest line taken, in bytes.
const MAX_LINE: usize = 4096;

/// A playlist.
#[derive(Debug, Clone, PartialEq)]
pub enum Playlist {
    /// One that names others.
    Master {
        /// What it names, in its order.
        variants: Vec<Variant>,
        /// Whether tags of a media playlist stood in it as well, which RFC 8216 §4.1 forbids.
        mixed: bool,
    },
    /// One that names segments.
    Media(Media),
}

/// One version of the stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Variant {
    /// Where its playlist is, as written.
    pub uri: String,
    /// What is declared about the picture; also present where only the bit rate is.
    pub video: Option<Video>,
    /// What is declared about the sound.
    pub audio: Option<Audio>,
}

/// The segments of a stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Media {
    /// The longest segment's duration in seconds, as declared.
    pub target_duration_s: u64,
    /// Whether no further segment comes: a recording, or a stream that has ended.
    pub ended: bool,
    /// The segments in order.
    pub segments: Vec<Segment>,
}

/// One piece of the stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Segment {
    /// Where it is, as written.
    pub uri: String,
    /// Which bytes there, where it is not all of them.
    pub range: Option<ByteRange>,
    /// Seconds, as declared.
    pub duration_s: f32,
    /// Where its initialisation segment is, as written, and which bytes there.
    pub init: Option<(String, Option<ByteRange>)>,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// Whether bytes begin as a playlist does.
pub fn is_playlist(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start().starts_with(b"#EXTM3U")
}

/// Reads a playlist; none when it is not one or names nothing that can be read.
pub fn parse(bytes: &[u8]) -> Option<Playlist> {
    if !is_playlist(bytes) {
        return None;
    }
    let text = String::from_utf8_lossy(bytes.get(..MAX_BYTES).unwrap_or(bytes));
    let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    // A lone CR ends a line as well.
    let lines: Vec<&str> = text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty() && line.len() <= MAX_LINE)
        .take(MAX_LINES)
        .collect();
    let variants = variants(&lines);
    if variants.is_empty() {
        return media(&lines).map(Playlist::Media);
    }
    let mixed = lines.iter().any(|l| l.starts_with("#EXTINF") || l.starts_with("#EXT-X-TARGETDURATION"));
    Some(Playlist::Master { variants, mixed })
}

/// Every variant is read by itself, so that a bad one costs only what it says.
fn variants(lines: &[&str]) -> Vec<Variant> {
    let mut variants = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(attributes) = line.strip_prefix("#EXT-X-STREAM-INF:") else { continue };
        let after = lines.get(at + 1..).unwrap_or_default();
        let next = after.iter().take_while(|l| !l.starts_with("#EXT-X-STREAM-INF")).find(|l| !l.starts_with('#'));
        if let Some(uri) = next.filter(|_| variants.len() < 64) {
            variants.push(variant(attributes, uri));
        }
    }
    variants
}

fn variant(attributes: &str, uri: &str) -> Variant {
    let uri = uri.to_owned();
    // The parser refuses a variant without the one attribute that must be there.
    let lacks = !attributes.split(',').any(|a| a.trim_start().starts_with("BANDWIDTH="));
    let bandwidth = if lacks { "BANDWIDTH=0," } else { "" };
    let alone = format!("#EXTM3U\n#EXT-X-STREAM-INF:{bandwidth}{attributes}\n{uri}\n");
    let read = m3u8_rs::parse_master_playlist_res(alone.as_bytes()).ok();
    let Some(read) = read.and_then(|p| p.variants.into_iter().next()) else {
        return Variant { uri, ..Variant::default() };
    };
    let (video, audio) = read.codecs.as_deref().map(describe::codecs).unwrap_or_default();
    let size = read.resolution.and_then(|r| Some((u32::try_from(r.width).ok()?, u32::try_from(r.height).ok()?)));
    let (width, height) = size.filter(|&(w, h)| plausible_size(w, h)).unzip();
    let fps = read.frame_rate.filter(|fps| (0.01..=1000.0).contains(fps));
    let kbps = read.average_bandwidth.unwrap_or(read.bandwidth) / 1000;
    let is_sound = video.is_none() && audio.is_some() && width.is_none();
    let video = (!is_sound).then(|| Video {
        width,
        height,
        size_source: width.map(|_| SizeSource::Manifest),
        fps,
        fps_source: fps.map(|_| FpsSource::Manifest),
        bitrate_kbps: u32::try_from(kbps).ok().filter(|&k| k > 0),
        ..video.unwrap_or_default()
    });
    Variant { uri, video, audio }
}

fn media(lines: &[&str]) -> Option<Media> {
    let mended = mended(lines);
    let read = m3u8_rs::parse_media_playlist_res(mended.as_bytes()).ok()?;
    let (mut init, mut encrypted) = (None, false);
    let mut before: Option<(String, u64)> = None;
    let segments = read.segments.into_iter().map(|s| {
        // Both hold until the next of their kind.
        init = s.map.map(|m| (m.uri, range(m.byte_range, None))).or(init.take());
        encrypted = s.key.map_or(encrypted, |k| k.method != KeyMethod::None);
        // Without an offset a range follows the one before, of the same address.
        let follows = before.take().filter(|(uri, _)| *uri == s.uri).map(|(_, end)| end);
        let range = range(s.byte_range, follows);
        before = range.map(|r| (s.uri.clone(), r.offset.saturating_add(r.length)));
        Segment { uri: s.uri, range, duration_s: s.duration, init: init.clone(), encrypted }
    });
    let mut segments: Vec<Segment> = segments.collect();
    if segments.is_empty() {
        segments.extend(part(lines).map(|(uri, range)| Segment { uri, range, init, encrypted, ..Segment::default() }));
    }
    Some(Media { segments, target_duration_s: read.target_duration, ended: read.end_list })
}

/// The lines of a media playlist that are used, as the parser takes them.
fn mended(lines: &[&str]) -> String {
    let mut mended = String::from("#EXTM3U\n");
    let mut has_target = false;
    let mut is_gap = false;
    for line in lines {
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        match tag {
            "#EXT-X-TARGETDURATION" if !has_target => {
                let seconds = value.trim().parse::<f64>().ok().filter(|s| (0.0..=86_400.0).contains(s)).unwrap_or(0.0);
                let _ = writeln!(mended, "{tag}:{}", seconds.ceil());
                has_target = true;
            }
            "#EXTINF" => {
                let duration = value.split(',').next().unwrap_or_default().trim();
                let seconds = duration.parse::<f32>().ok().filter(|s| (0.0..=86_400.0).contains(s)).unwrap_or(0.0);
                let _ = writeln!(mended, "{tag}:{seconds},");
            }
            // The parser takes an end of encryption only with an IV, which RFC 8216 §4.3.2.4 forbids there.
            "#EXT-X-KEY" if value.contains("METHOD=NONE") => _ = writeln!(mended, "{tag}:METHOD=NONE,IV=0x0"),
            // One that cannot be read must not take the whole playlist with it.
            "#EXT-X-BYTERANGE" if byte_range(value).is_none() => {}
            "#EXT-X-BYTERANGE" | "#EXT-X-KEY" | "#EXT-X-MAP" | "#EXT-X-ENDLIST" => _ = writeln!(mended, "{line}"),
            // The segment it stands before is not there.
            "#EXT-X-GAP" => is_gap = true,
            _ if line.starts_with('#') => {}
            _ if std::mem::take(&mut is_gap) => {}
            _ => _ = writeln!(mended, "{line}"),
        }
    }
    if !has_target {
        mended.insert_str("#EXTM3U\n".len(), "#EXT-X-TARGETDURATION:0\n");
    }
    mended
}

/// Where the last part of a segment that is still being made is (`EXT-X-PART`), one that begins with a key frame rather
/// than not: all that a low-latency stream names in its first seconds.
fn part(lines: &[&str]) -> Option<(String, Option<ByteRange>)> {
    let parts = || lines.iter().rev().filter_map(|l| l.strip_prefix("#EXT-X-PART:"));
    let part = parts().find(|p| p.contains("INDEPENDENT=YES")).or_else(|| parts().next())?;
    let quoted = |name: &str| part.split_once(name)?.1.strip_prefix('"')?.split('"').next();
    let range = quoted("BYTERANGE=").and_then(byte_range);
    Some((quoted("URI=")?.to_owned(), range.and_then(|(length, offset)| Some(ByteRange { offset: offset?, length }))))
}

/// `length[@offset]`.
fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (length, offset) = match text.trim().split_once('@') {
        Some((length, offset)) => (length, Some(offset.parse().ok()?)),
        None => (text.trim(), None),
    };
    Some((length.parse().ok()?, offset))
}

/// A range as the parser read it; without its own offset it begins at `follows`, else at the beginning.
fn range(read: Option<m3u8_rs::ByteRange>, follows: Option<u64>) -> Option<ByteRange> {
    read.map(|r| ByteRange { offset: r.offset.or(follows).unwrap_or(0), length: r.length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AudioCodec, VideoCodec};
    use proptest::prelude::*;

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/http/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn a_master_playlist_without_version_and_with_quoted_commas() {
        let Some(Playlist::Master { variants, mixed }) = parse(&file("hls_master.m3u8")) else { panic!() };
        assert!(!mixed);
        let [main, sub] = &variants[..] else { panic!("{variants:?}") };
        let video = main.video.clone().unwrap();
        assert_eq!((main.uri.as_str(), video.codec), ("main/index.m3u8", Some(VideoCodec::H264)));
        assert_eq!((video.width, video.height, video.fps), (Some(1920), Some(1080), Some(25.0)));
        assert_eq!((video.bitrate_kbps, video.profile.as_deref()), (Some(2048), Some("High")));
        assert_eq!(main.audio.as_ref().and_then(|a| a.codec), Some(AudioCodec::Aac));
        assert_eq!(sub.uri, "sub/index.m3u8?token=a,b");
        assert_eq!(sub.video, Some(Video { bitrate_kbps: Some(512), ..Video::default() }));
    }

    #[test]
    fn a_media_playlist_with_byte_order_mark_and_without_commas() {
        let Some(Playlist::Media(media)) = parse(&file("hls_media.m3u8")) else { panic!() };
        let segments: Vec<_> = media.segments.iter().map(|s| (s.uri.as_str(), s.duration_s)).collect();
        assert_eq!(segments, [("seg81.ts", 2.0), ("seg82.ts", 1.96)]);
        assert_eq!((media.target_duration_s, media.ended), (2, false));
    }

    #[test]
    fn both_kinds_of_tags_make_a_master_playlist() {
        let Some(Playlist::Master { variants, mixed: true }) = parse(&file("hls_mixed_tags.m3u8")) else { panic!() };
        assert_eq!(variants.iter().map(|v| v.uri.as_str()).collect::<Vec<_>>(), ["a.m3u8"]);
    }

    #[test]
    fn what_generators_get_wrong() {
        let media = |text: &str| match parse(text.as_bytes()) {
            Some(Playlist::Media(media)) => media,
            other => panic!("{other:?}"),
        };
        let fragments = media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1.5\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:yesterday\n\
             #EXTINF:1.0,a\n1.m4s\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:x,\n2.m4s\n#EXT-X-KEY:METHOD=NONE\n\
             #EXTINF:1\n3.m4s\n#EXT-X-ENDLIST",
        );
        assert!(fragments.ended && fragments.target_duration_s == 2);
        assert_eq!(fragments.segments.iter().map(|s| s.encrypted).collect::<Vec<_>>(), [false, true, false]);
        assert!(fragments.segments.iter().all(|s| s.init == Some(("init.mp4".to_owned(), None))));
        assert_eq!(media("#EXTM3U\n").segments, []);
        let bad =
            "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=big,BANDWIDTH=lots\na\n#EXT-X-STREAM-INF:RESOLUTION=640x360\nb";
        let Some(Playlist::Master { variants, .. }) = parse(bad.as_bytes()) else { panic!() };
        assert_eq!(variants[0].uri, "a");
        assert_eq!((variants[1].uri.as_str(), variants[1].video.as_ref().unwrap().width), ("b", Some(640)));
        // What fails to be made leaves a gap, and is not asked for.
        let gap = media("#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-GAP\n#EXTINF:1,\nb.ts\n#EXTINF:1,\nc.ts\n");
        assert_eq!(gap.segments.iter().map(|s| s.uri.as_str()).collect::<Vec<_>>(), ["a.ts", "c.ts"]);
        for other in [&b"<html>"[..], b"", b"\n#EXTINF:1,\na.ts", b"#EXTM3"] {
            assert_eq!(parse(other), None);
        }
    }

    #[test]
    fn ranges_follow_each_other_and_parts_stand_in_for_segments() {
        let media = |text: &str| match parse(text.as_bytes()) {
            Some(Playlist::Media(media)) => media,
            other => panic!("{other:?}"),
        };
        let ranges = media(
            "#EXTM3U\n#EXT-X-MAP:URI=\"a.mp4\",BYTERANGE=\"700@0\"\n#EXTINF:1,\n#EXT-X-BYTERANGE:100@700\na.mp4\n#EXTINF:1,\n\
             #EXT-X-BYTERANGE:50\na.mp4\n#EXTINF:1,\n#EXT-X-BYTERANGE:much\na.mp4\n",
        );
        let at = |offset, length| Some(ByteRange { offset, length });
        assert_eq!(ranges.segments.iter().map(|s| s.range).collect::<Vec<_>>(), [at(700, 100), at(800, 50), None]);
        assert_eq!(ranges.segments[1].init, Some(("a.mp4".to_owned(), at(0, 700))));
        let parts = media(
            "#EXTM3U\n#EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-MAP:URI=\"i.mp4\"\n\
             #EXT-X-PART:DURATION=0.5,URI=\"p1.mp4?x=1,2\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.5,URI=\"p2.mp4\"\n",
        );
        assert_eq!(parts.segments[0].uri, "p1.mp4?x=1,2");
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>, lines in prop::collection::vec("(#EXT(INF|-X-(STREAM-INF|KEY|MAP|TARGETDURATION|BYTERANGE|GAP|PART)):)?[A-Z=\",0-9x.-]{0,20}", 0..12)) {
            parse(&bytes);
            let text = format!("#EXTM3U\n{}", lines.join("\n"));
            match parse(text.as_bytes()) {
                Some(Playlist::Media(media)) => prop_assert!(media.segments.len() <= lines.len().max(1)),
                Some(Playlist::Master { variants, .. }) => prop_assert!(variants.len() <= lines.len()),
                None => {}
            }
        }
    }
}
