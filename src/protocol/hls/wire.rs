//! Playlists (RFC 8216) as servers write them. Pure.
//!
//! Every tag is read by itself, and one that cannot be read costs only what it would have said. So are accepted, as
//! generators write them: byte order marks, missing `EXT-X-VERSION` and commas, decimals where integers belong, a lone CR
//! as line end, tags of both kinds of playlist in one.

use std::sync::Arc;

use crate::media::{ByteRange, describe, plausible_size};
use crate::model::{Audio, FpsSource, SizeSource, Video};
use crate::text::steps;

/// Bytes read of one playlist at most.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Lines read of one playlist at most.
pub const MAX_LINES: usize = 5000;
/// The longest line taken, in bytes.
const MAX_LINE: usize = 4096;
/// Variants taken of one master playlist.
const MAX_VARIANTS: usize = 64;

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
    pub init: Option<Init>,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// Where an initialisation segment is, and which bytes there. All segments of a stream may share it.
pub type Init = Arc<(String, Option<ByteRange>)>;

/// Whether bytes begin as a playlist does.
pub fn is_playlist(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start().starts_with(b"#EXTM3U")
}

/// Reads a playlist; none when it is not one. A media playlist may name no segment.
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
        return Some(Playlist::Media(media(&lines)));
    }
    let mixed = lines.iter().any(|l| l.starts_with("#EXTINF") || l.starts_with("#EXT-X-TARGETDURATION"));
    Some(Playlist::Master { variants, mixed })
}

/// The attributes of a tag (RFC 8216 §4.2), `NAME=value` or `NAME="value"` parted by commas. Blanks around a name or a value
/// are dropped, a quote that is never closed reaches to the end, and what has no `=` is passed over.
fn attributes(mut list: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        loop {
            let (name, rest) = list.split_once(['=', ','])?;
            let has_value = list.as_bytes().get(name.len()) == Some(&b'=');
            if !has_value {
                list = rest;
                continue;
            }
            let rest = rest.trim_start();
            let value = match rest.strip_prefix('"') {
                Some(quoted) => {
                    let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                    list = after.split_once(',').map_or("", |(_, next)| next);
                    value
                }
                None => {
                    let (value, next) = rest.split_once(',').unwrap_or((rest, ""));
                    list = next;
                    value.trim_end()
                }
            };
            return Some((name.trim(), value));
        }
    })
}

/// The first attribute of that name.
fn attribute<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    attributes(list).find(|(n, _)| *n == name).map(|(_, value)| value)
}

/// The variants of a master playlist (`EXT-X-STREAM-INF`), 64 at most.
fn variants(lines: &[&str]) -> Vec<Variant> {
    let mut variants = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(attributes) = line.strip_prefix("#EXT-X-STREAM-INF:") else { continue };
        let after = lines.get(at + 1..).unwrap_or_default();
        let next = after.iter().take_while(|l| !l.starts_with("#EXT-X-STREAM-INF")).find(|l| !l.starts_with('#'));
        if let Some(uri) = next.filter(|_| variants.len() < MAX_VARIANTS) {
            variants.push(variant(attributes, uri));
        }
    }
    variants
}

fn variant(attributes: &str, uri: &str) -> Variant {
    let declared = |name| attribute(attributes, name);
    let (video, audio) = declared("CODECS").map(describe::codecs).unwrap_or_default();
    let size = declared("RESOLUTION").and_then(|size| size.split_once(['x', 'X']));
    let size = size.and_then(|(width, height)| Some((width.trim().parse().ok()?, height.trim().parse().ok()?)));
    let (width, height) = size.filter(|&(w, h)| plausible_size(w, h)).unzip();
    let fps = declared("FRAME-RATE").and_then(|fps| fps.parse().ok()).filter(|fps| (0.01..=1000.0).contains(fps));
    let bits = |name| declared(name)?.parse::<u64>().ok();
    let kbps = bits("AVERAGE-BANDWIDTH").or_else(|| bits("BANDWIDTH")).map(|bits| bits / 1000);
    let is_sound = video.is_none() && audio.is_some() && width.is_none();
    let video = (!is_sound).then(|| Video {
        width,
        height,
        size_source: width.map(|_| SizeSource::Manifest),
        fps,
        fps_source: fps.map(|_| FpsSource::Manifest),
        bitrate_kbps: kbps.and_then(|kbps| u32::try_from(kbps).ok()).filter(|&k| k > 0),
        ..video.unwrap_or_default()
    });
    Variant { uri: uri.to_owned(), video, audio }
}

/// What the tags before a segment say of that segment alone.
#[derive(Default)]
struct SegmentTags {
    duration_s: f32,
    /// Length, and the offset where one is given.
    range: Option<(u64, Option<u64>)>,
    is_gap: bool,
}

fn media(lines: &[&str]) -> Media {
    let mut media = Media::default();
    let mut target_duration_s = None;
    let mut tags = SegmentTags::default();
    // These two hold until the next of their kind.
    let (mut init, mut encrypted) = (None, false);
    // The address of the range before, and where it ended.
    let mut before: Option<(&str, u64)> = None;
    for line in lines {
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        match tag {
            "#EXT-X-TARGETDURATION" => _ = target_duration_s.get_or_insert(seconds(value).ceil() as u64),
            "#EXTINF" => tags.duration_s = seconds(value.split(',').next().unwrap_or_default()) as f32,
            "#EXT-X-BYTERANGE" => tags.range = byte_range(value),
            "#EXT-X-KEY" => encrypted = attribute(value, "METHOD").is_some_and(|method| method != "NONE"),
            "#EXT-X-MAP" => init = initialisation(value).or(init),
            // The next segment is not there.
            "#EXT-X-GAP" => tags.is_gap = true,
            "#EXT-X-ENDLIST" => media.ended = true,
            _ if line.starts_with('#') => {}
            _ => {
                let SegmentTags { duration_s, range, is_gap } = std::mem::take(&mut tags);
                // Without an offset a range follows the one before, of the same address.
                let follows = before.filter(|(uri, _)| uri == line).map_or(0, |(_, end)| end);
                let range = range.map(|(length, offset)| ByteRange { offset: offset.unwrap_or(follows), length });
                before = range.map(|r| (*line, r.offset.saturating_add(r.length)));
                if !is_gap {
                    let (uri, init) = ((*line).to_owned(), init.clone());
                    media.segments.push(Segment { uri, range, duration_s, init, encrypted });
                }
            }
        }
    }
    if media.segments.is_empty() {
        media.segments.extend(part(lines).map(|(uri, range)| Segment { uri, range, init, encrypted, duration_s: 0.0 }));
    }
    media.target_duration_s = target_duration_s.unwrap_or_default();
    media
}

/// Seconds up to a day; anything else counts as none.
fn seconds(text: &str) -> f64 {
    text.trim().parse().ok().filter(|s| (0.0..=86_400.0).contains(s)).unwrap_or(0.0)
}

/// Where the initialisation segment is (`EXT-X-MAP`), and which bytes there.
fn initialisation(attributes: &str) -> Option<Init> {
    let range = attribute(attributes, "BYTERANGE").and_then(byte_range);
    let range = range.map(|(length, offset)| ByteRange { offset: offset.unwrap_or(0), length });
    let uri = attribute(attributes, "URI")?;
    steps::look_at(uri.len());
    Some(Arc::new((uri.to_owned(), range)))
}

/// Where the last part of a segment that is still being made is (`EXT-X-PART`), one that begins with a key frame rather
/// than not: all that a low-latency stream names in its first seconds.
fn part(lines: &[&str]) -> Option<(String, Option<ByteRange>)> {
    let parts = || lines.iter().rev().filter_map(|l| l.strip_prefix("#EXT-X-PART:"));
    let part = parts().find(|p| attribute(p, "INDEPENDENT") == Some("YES")).or_else(|| parts().next())?;
    let range = attribute(part, "BYTERANGE").and_then(byte_range);
    let range = range.and_then(|(length, offset)| Some(ByteRange { offset: offset?, length }));
    Some((attribute(part, "URI")?.to_owned(), range))
}

/// `length[@offset]`.
fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (length, offset) = match text.trim().split_once('@') {
        Some((length, offset)) => (length, Some(offset.parse().ok()?)),
        None => (text.trim(), None),
    };
    Some((length.parse().ok()?, offset))
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
        assert!(fragments.segments.iter().all(|s| s.init == Some(Arc::new(("init.mp4".to_owned(), None)))));
        assert_eq!(media("#EXTM3U\n").segments, []);
        let bad =
            "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=big,BANDWIDTH=lots\na\n#EXT-X-STREAM-INF:RESOLUTION=640x360\nb";
        let Some(Playlist::Master { variants, .. }) = parse(bad.as_bytes()) else { panic!() };
        assert_eq!(variants[0].uri, "a");
        assert_eq!((variants[1].uri.as_str(), variants[1].video.as_ref().unwrap().width), ("b", Some(640)));
        // What fails to be made leaves a gap, and is not asked for.
        let gap = media("#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-GAP\n#EXTINF:1,\nb.ts\n#EXTINF:1,\nc.ts\n");
        assert_eq!(gap.segments.iter().map(|s| s.uri.as_str()).collect::<Vec<_>>(), ["a.ts", "c.ts"]);
        // A key that cannot be read costs no segment, and a colon in an address begins no tag.
        let odd = media("#EXTM3U\n#EXT-X-KEY:IV=1\n#EXT-X-MAP:BYTERANGE=1\n#EXTINF:1,\nhttp://a:80/b:\n");
        let expected = Segment { uri: "http://a:80/b:".to_owned(), duration_s: 1.0, ..Segment::default() };
        assert_eq!(odd.segments, [expected]);
        for other in [&b"<html>"[..], b"", b"\n#EXTINF:1,\na.ts", b"#EXTM3"] {
            assert_eq!(parse(other), None);
        }
    }

    #[test]
    fn attributes_are_read_each_by_itself() {
        let read = |list| attributes(list).collect::<Vec<_>>();
        assert_eq!(read("A=1, B=\"x,=y\" , C = z ,D"), [("A", "1"), ("B", "x,=y"), ("C", "z")]);
        assert_eq!(read("junk,A=,B=\"open, C=1"), [("A", ""), ("B", "open, C=1")]);
        assert_eq!(read(""), []);
        // A bit rate that cannot be read costs the bit rate and nothing else.
        let odd =
            variant("BANDWIDTH=2M,RESOLUTION=\"1280X720\",CODECS=\"avc1.64001f\",FRAME-RATE=x", "a").video.unwrap();
        assert_eq!((odd.width, odd.codec, odd.fps, odd.bitrate_kbps), (Some(1280), Some(VideoCodec::H264), None, None));
        let sound = variant("BANDWIDTH=64000,CODECS=\"mp4a.40.2\"", "a");
        assert_eq!((sound.video, sound.audio.unwrap().codec), (None, Some(AudioCodec::Aac)));
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
        assert_eq!(ranges.segments[1].init, Some(Arc::new(("a.mp4".to_owned(), at(0, 700)))));
        let parts = media(
            "#EXTM3U\n#EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-MAP:URI=\"i.mp4\"\n\
             #EXT-X-PART:DURATION=0.5,URI=\"p1.mp4?x=1,2\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.5,URI=\"p2.mp4\"\n",
        );
        assert_eq!(parts.segments[0].uri, "p1.mp4?x=1,2");
        assert_eq!(parts.segments[0].init, Some(Arc::new(("i.mp4".to_owned(), None))));
    }

    /// Every segment has the initialisation that was named last.
    #[test]
    fn a_long_address_is_not_kept_for_each_segment() {
        let map = format!("#EXTM3U\n#EXT-X-MAP:URI=\"{}\"\n", "x".repeat(4000));
        let text = map + &"#EXTINF:1,\na\n".repeat(2000);
        let looks = steps::seen_by(|| parse(text.as_bytes())) / text.len();
        assert!(looks <= 2, "{looks}");
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
