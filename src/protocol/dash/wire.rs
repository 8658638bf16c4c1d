//! Media presentation descriptions (ISO/IEC 23009-1 §5). Pure: the time of day is handed in.

use crate::media::{ByteRange, describe, frame_rate, plausible_size};
use crate::model::{Audio, FpsSource, SizeSource, Video};
use crate::text::steps;
use crate::wire::url::AnnouncedUrl;
use crate::wire::xml::{self, Element};

/// Representations taken of one manifest at most.
const MAX_REPRESENTATIONS: usize = 64;

/// Adaptation sets looked at in one manifest at most.
const MAX_SETS: usize = 1024;

/// No address that is filled in is made longer, in bytes: more than any address that is read.
const MAX_FILLED: usize = 16 * 1024;

/// A manifest: its newest period.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mpd {
    /// Whether it is live (`type="dynamic"`).
    pub live: bool,
    /// What can be played, in the manifest's order; texts and pictures for seeking are left out.
    pub representations: Vec<Representation>,
}

/// One version of picture or sound.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Representation {
    /// Its id, as written.
    pub id: String,
    /// What is declared about the picture.
    pub video: Option<Video>,
    /// What is declared about the sound.
    pub audio: Option<Audio>,
    /// Where the initialisation segment is, where it is apart.
    pub init: Option<Piece>,
    /// Where a media segment is that should be there now.
    pub media: Option<Piece>,
    /// Whether its content is protected.
    pub encrypted: bool,
}

/// Where something is, and which bytes there, where it is not all of them.
pub type Piece = (AnnouncedUrl, Option<ByteRange>);

/// The same, relative to a base.
type RelativePiece = (String, Option<ByteRange>);

/// Whether bytes can be a manifest.
pub fn is_mpd(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    head.windows(4).any(|w| w == b"<MPD")
}

/// Reads a manifest. Its addresses come out joined to `base`, the address it was read at; `now_s` is the time of day in
/// seconds since 1970, from which the number of a live segment follows.
pub fn parse(bytes: &[u8], base: &AnnouncedUrl, now_s: f64) -> Option<Mpd> {
    if !is_mpd(bytes) {
        return None;
    }
    let document = xml::read(bytes);
    let mpd = document.find("MPD")?;
    let live = mpd.attribute("type") == Some("dynamic");
    let period = mpd.children_named("Period").last()?;
    let origin = mpd.attribute("availabilityStartTime").and_then(instant).unwrap_or(0.0);
    let start = period.attribute("start").and_then(duration).unwrap_or(0.0);
    let elapsed = live.then_some(now_s - origin - start);
    let base = based(&based(base, mpd), period);
    let sets = period.children_named("AdaptationSet").take(MAX_SETS);
    let scopes = sets.flat_map(|set| {
        let all = set.children_named("Representation").take(MAX_REPRESENTATIONS);
        all.map(move |own| [own, set, period])
    });
    let taken = scopes.filter(|scopes| !is_text(scopes)).take(MAX_REPRESENTATIONS);
    // A base can be long: it is joined for what is taken alone.
    let read = |scopes: [&Element; 3]| {
        let [own, set, _] = scopes;
        representation(&scopes, &based(&based(&base, set), own), elapsed)
    };
    Some(Mpd { live, representations: taken.map(read).collect() })
}

/// An attribute of the innermost element that has it.
fn inherited<'a>(scopes: &[&'a Element], name: &str) -> Option<&'a str> {
    scopes.iter().find_map(|e| e.attribute(name))
}

fn content(scopes: &[&Element]) -> String {
    let kind = inherited(scopes, "mimeType").or(inherited(scopes, "contentType"));
    kind.unwrap_or_default().to_ascii_lowercase()
}

fn is_text(scopes: &[&Element]) -> bool {
    let content = content(scopes);
    content.starts_with("text") || content.starts_with("image") || content.starts_with("application")
}

fn representation(scopes: &[&Element; 3], base: &AnnouncedUrl, elapsed: Option<f64>) -> Representation {
    let [own, ..] = scopes;
    let id = own.attribute("id").unwrap_or_default().to_owned();
    let bandwidth = own.attribute("bandwidth").and_then(|b| b.parse::<u64>().ok());
    let kbps = bandwidth.and_then(|b| u32::try_from(b / 1000).ok()).filter(|&k| k > 0);
    let (video, audio) = inherited(scopes, "codecs").map(describe::codecs).unwrap_or_default();
    let content = content(scopes);
    let is_audio = content.starts_with("audio") || (video.is_none() && audio.is_some());
    let number = |name| inherited(scopes, name).and_then(|v| v.parse::<u32>().ok());
    let (width, height) = number("width").zip(number("height")).filter(|&(w, h)| plausible_size(w, h)).unzip();
    let fps = inherited(scopes, "frameRate").and_then(fraction);
    let (init, media) = addresses(scopes, &id, bandwidth.unwrap_or(0), elapsed);
    let join = |(relative, range): RelativePiece| Some((base.join_rfc3986(&relative)?, range));
    Representation {
        id,
        video: (!is_audio).then(|| Video {
            width,
            height,
            size_source: width.map(|_| SizeSource::Manifest),
            fps,
            fps_source: fps.map(|_| FpsSource::Manifest),
            bitrate_kbps: kbps,
            ..video.unwrap_or_default()
        }),
        audio: match is_audio {
            true => Some(Audio {
                bitrate_kbps: kbps,
                sample_rate_hz: number("audioSamplingRate").filter(|r| (4000..=192_000).contains(r)),
                ..audio.unwrap_or_default()
            }),
            false => audio,
        },
        init: init.and_then(join),
        media: media.and_then(join),
        encrypted: scopes.iter().any(|e| e.child("ContentProtection").is_some()),
    }
}

/// Where initialisation and media are, relative to the base: by template, by list, or the base itself.
fn addresses(
    scopes: &[&Element],
    id: &str,
    bandwidth: u64,
    elapsed: Option<f64>,
) -> (Option<RelativePiece>, Option<RelativePiece>) {
    let templates: Vec<&Element> = scopes.iter().filter_map(|e| e.child("SegmentTemplate")).collect();
    if !templates.is_empty() {
        let (number, time) = newest(&templates, elapsed);
        let fill = |text: &str| (fill(text, id, bandwidth, number, time), None);
        return (inherited(&templates, "initialization").map(fill), inherited(&templates, "media").map(fill));
    }
    let piece = |e: &Element, address: &str, range: &str| {
        let range = e.attribute(range).and_then(ByteRange::parse);
        // Only a range: of the one file that the base names.
        let address = e.attribute(address).or(range.map(|_| ""))?;
        Some((address.to_owned(), range))
    };
    if let Some(list) = scopes.iter().find_map(|e| e.child("SegmentList")) {
        let init = list.child("Initialization").and_then(|i| piece(i, "sourceURL", "range"));
        let mut segments = list.children_named("SegmentURL").filter_map(|s| piece(s, "media", "mediaRange"));
        return (init, if elapsed.is_some() { segments.last() } else { segments.next() });
    }
    // One file, whose beginning tells all.
    let has_own = scopes.first().is_some_and(|own| own.child("BaseURL").is_some());
    (None, has_own.then(|| (String::new(), None)))
}

/// Number and time of the newest segment that is surely there; of the first, when the manifest is not live.
fn newest(templates: &[&Element], elapsed: Option<f64>) -> (u64, u64) {
    let number = |name| inherited(templates, name).and_then(|v| v.parse::<u64>().ok());
    let (first, scale) = (number("startNumber").unwrap_or(1), number("timescale").unwrap_or(1).max(1));
    if let Some(timeline) = templates.iter().find_map(|t| t.child("SegmentTimeline")) {
        let (mut time, mut count, mut last) = (0u64, 0u64, (0u64, 0u64));
        for s in timeline.children_named("S") {
            let value = |name| s.attribute(name).and_then(|v| v.parse::<u64>().ok());
            time = value("t").unwrap_or(time);
            let (length, repeats) = (value("d").unwrap_or(0), value("r").unwrap_or(0));
            if count == 0 {
                last = (0, time);
            }
            if elapsed.is_some() {
                last = (count.saturating_add(repeats), time.saturating_add(length.saturating_mul(repeats)));
            }
            count = count.saturating_add(repeats).saturating_add(1);
            time = time.saturating_add(length.saturating_mul(repeats.saturating_add(1)));
        }
        return (first.saturating_add(last.0), last.1);
    }
    let length = number("duration").unwrap_or(0);
    let past = match elapsed {
        // The last segment that was complete a whole segment ago.
        Some(elapsed) if length > 0 => ((elapsed * scale as f64 / length as f64) as u64).saturating_sub(2),
        _ => 0,
    };
    (first.saturating_add(past), past.saturating_mul(length))
}

/// Fills a template in (§5.3.9.4.4): `$Number%05d$` and its like. One that becomes too long for an address is cut.
fn fill(template: &str, id: &str, bandwidth: u64, number: u64, time: u64) -> String {
    let mut out = String::new();
    for (i, part) in template.split('$').enumerate() {
        if out.len() > MAX_FILLED {
            break;
        }
        if i % 2 == 0 {
            out.push_str(part);
            continue;
        }
        let (name, format) = part.split_once('%').unwrap_or((part, ""));
        let width = format.trim_end_matches('d').trim_start_matches('0').parse::<usize>().unwrap_or(1).min(20);
        match name {
            "" => out.push('$'),
            "RepresentationID" => out.push_str(id),
            "Bandwidth" => out.push_str(&format!("{bandwidth:0width$}")),
            "Number" => out.push_str(&format!("{number:0width$}")),
            "Time" => out.push_str(&format!("{time:0width$}")),
            _ => {}
        }
    }
    steps::look_at(out.len());
    out
}

fn based(base: &AnnouncedUrl, element: &Element) -> AnnouncedUrl {
    steps::look_at(base.url.target().len());
    element.child_text("BaseURL").and_then(|b| base.join_rfc3986(b)).unwrap_or_else(|| base.clone())
}

/// `25` or `30000/1001`.
fn fraction(text: &str) -> Option<f64> {
    match text.split_once('/') {
        Some((over, under)) => frame_rate(over.trim().parse().ok()?, under.trim().parse().ok()?),
        None => text.trim().parse().ok().filter(|fps| (0.01..=1000.0).contains(fps)),
    }
}

/// A moment in seconds since 1970; without a zone it is UTC.
fn instant(text: &str) -> Option<f64> {
    let text = text.trim();
    let stamp = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}Z").parse()).ok()?;
    Some(stamp.as_millisecond() as f64 / 1000.0)
}

/// A duration in seconds (`PT1M2.5S`), days at most.
fn duration(text: &str) -> Option<f64> {
    let span = text.trim().parse::<jiff::SignedDuration>().ok()?;
    Some(span.as_secs_f64()).filter(|s| *s >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::VideoCodec;
    use proptest::prelude::*;

    const LIVE: &str = r#"<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"
      availabilityStartTime="2026-11-21T08:00:00Z"><Period start="PT0.0S">
      <AdaptationSet contentType="video" frameRate="30000/1001" maxWidth="1920">
        <SegmentTemplate timescale="1000" duration="2000" startNumber="5" initialization="i-$RepresentationID$.m4s"
          media="c-$RepresentationID$-$Number%05d$.m4s?b=$Bandwidth$"/>
        <Representation id="0" mimeType="video/mp4" codecs="avc1.64001f" bandwidth="2000000" width="1280" height="720"/>
        <Representation id="1" mimeType="video/mp4" codecs="hvc1.1.6.L93.B0" bandwidth="400000"/>
      </AdaptationSet>
      <AdaptationSet mimeType="audio/mp4"><Representation id="2" codecs="mp4a.40.2" audioSamplingRate="48000"/></AdaptationSet>
      <AdaptationSet contentType="text"><Representation id="3"/></AdaptationSet></Period></MPD>"#;

    fn read(text: &str, now: &str) -> Mpd {
        let base = AnnouncedUrl::read_http("http://host.invalid:8080/live/a.mpd").unwrap();
        parse(text.as_bytes(), &base, instant(now).unwrap()).unwrap()
    }

    #[test]
    fn a_live_manifest_by_numbers() {
        let mpd = read(LIVE, "2026-11-21T08:01:00.5Z");
        assert!(mpd.live);
        let [main, sub, sound] = &mpd.representations[..] else { panic!("{mpd:#?}") };
        let video = main.video.clone().unwrap();
        assert_eq!((video.codec, video.width, video.bitrate_kbps), (Some(VideoCodec::H264), Some(1280), Some(2000)));
        assert!((video.fps.unwrap() - 29.97).abs() < 0.01);
        assert_eq!(main.init.as_ref().unwrap().0.shown(), "http://host.invalid:8080/live/i-0.m4s");
        // 30 are complete; 28 past the fifth, one spare.
        assert_eq!(main.media.as_ref().unwrap().0.shown(), "http://host.invalid:8080/live/c-0-00033.m4s?b=2000000");
        assert_eq!(sub.video.as_ref().unwrap().codec, Some(VideoCodec::H265));
        assert_eq!((sound.video.is_none(), sound.audio.as_ref().unwrap().sample_rate_hz), (true, Some(48_000)));
    }

    #[test]
    fn timelines_lists_and_bases() {
        let timeline = |kind: &str| {
            format!(
                r#"<MPD type="{kind}"><BaseURL>/v/</BaseURL><Period><AdaptationSet mimeType="video/mp4">
                <SegmentTemplate media="$Number$-$Time$$$.m4s" initialization="i"><SegmentTimeline><S t="100" d="20" r="3"/><S d="30"/>
                </SegmentTimeline></SegmentTemplate><Representation id="a"/></AdaptationSet></Period></MPD>"#
            )
        };
        let media = |text: &str| read(text, "2026-11-21T08:00:00Z").representations[0].media.clone().unwrap().0.shown();
        assert_eq!(media(&timeline("dynamic")), "http://host.invalid:8080/v/5-180$.m4s");
        assert_eq!(media(&timeline("static")), "http://host.invalid:8080/v/1-100$.m4s");
        let list = r#"<MPD><Period><AdaptationSet mimeType="video/mp4"><Representation id="a"><BaseURL>x/</BaseURL>
            <SegmentList><Initialization sourceURL="i.mp4"/><SegmentURL media="1.m4s"/><SegmentURL media="2.m4s"/>
            </SegmentList></Representation></AdaptationSet></Period></MPD>"#;
        assert_eq!(media(list), "http://host.invalid:8080/live/x/1.m4s");
        let parts = r#"<MPD><Period><AdaptationSet mimeType="video/mp4"><Representation id="a"><BaseURL>x.mp4</BaseURL>
            <SegmentList><Initialization range="0-699"/><SegmentURL mediaRange="700-799"/></SegmentList></Representation>
            </AdaptationSet></Period></MPD>"#;
        let parts = read(parts, "2026-11-21T08:00:00Z").representations.remove(0);
        let file = |offset, length| {
            Some((
                AnnouncedUrl::read_http("http://host.invalid:8080/live/x.mp4").unwrap(),
                Some(ByteRange { offset, length }),
            ))
        };
        assert_eq!((parts.init, parts.media), (file(0, 700), file(700, 100)));
        let file = r#"<MPD><Period><AdaptationSet mimeType="video/mp4"><ContentProtection/><Representation>
            <BaseURL>whole.mp4</BaseURL><SegmentBase indexRange="0-9"/></Representation></AdaptationSet></Period></MPD>"#;
        assert_eq!(media(file), "http://host.invalid:8080/live/whole.mp4");
        assert!(read(file, "2026-11-21T08:00:00Z").representations[0].encrypted);
    }

    /// How often a byte of a manifest is looked at: the longest address, for each of the representations.
    const MOST_LOOKS: usize = 100;

    #[test]
    fn no_byte_is_looked_at_often() {
        let folder = "x".repeat(8000);
        let manifest = |sets: &str| format!("<MPD><BaseURL>/{folder}/</BaseURL><Period>{sets}</Period></MPD>");
        let text = r#"<AdaptationSet mimeType="text/vtt"><Representation/></AdaptationSet>"#;
        let one = "<AdaptationSet><Representation/></AdaptationSet>";
        // What is put in for a name is longer than the name.
        let filled = format!(
            r#"<AdaptationSet><SegmentTemplate media="{}"/>{}</AdaptationSet>"#,
            "$RepresentationID$".repeat(2000),
            format!(r#"<Representation id="{}"/>"#, "i".repeat(500)).repeat(64)
        );
        for sets in ["<AdaptationSet/>".repeat(4000), text.repeat(2000), one.repeat(2000), filled] {
            let manifest = manifest(&sets);
            let looks = steps::seen_by(|| read(&manifest, "2026-11-21T08:00:00Z")) / manifest.len();
            assert!(looks <= MOST_LOOKS, "{looks} in {}", &sets[..60]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>, at in 0..1200usize, value in "[0-9\"<>$%/]{0,4}") {
            let base = AnnouncedUrl::read_http("http://host.invalid/").unwrap();
            parse(&bytes, &base, 0.0);
            let mut text = LIVE.to_owned();
            text.insert_str(at.min(text.len()), &value);
            if let Some(mpd) = parse(text.as_bytes(), &base, 1.0e12) {
                prop_assert!(mpd.representations.len() <= MAX_REPRESENTATIONS);
            }
        }
    }
}
