//! Fragmented MP4 (ISO/IEC 14496-12): what the tracks of an initialisation segment are, and what the fragments hold.

use super::aac::AudioConfig;
use super::describe;
use super::meter::FrameMeter;
use super::picture::Picture;
use super::seen::Seen;
use super::{h264, h265, nal, plausible_size};
use crate::model::{Audio, AudioCodec, SizeSource, Video, VideoCodec};

/// Samples of all runs together that are counted.
const MAX_SAMPLES: u32 = 100_000;
/// Boxes looked at on one level.
const MAX_BOXES: usize = 4096;

/// Whether bytes begin like an MP4 file or segment.
pub fn is_mp4(bytes: &[u8]) -> bool {
    let kind = bytes.get(4..8).unwrap_or_default();
    matches!(kind, b"ftyp" | b"styp" | b"moov" | b"moof" | b"sidx" | b"emsg" | b"prft" | b"mdat" | b"free")
}

/// A box: its type, its content as far as it is there, and where it begins.
type Box<'a> = (&'a [u8; 4], &'a [u8], usize);

/// The boxes of one level; the last may be cut off.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = Box<'_>> {
    let mut at = 0usize;
    std::iter::from_fn(move || {
        let start = at;
        let (&[a, b, c, d, ref kind @ ..], rest) = bytes.get(at..)?.split_first_chunk::<8>()?;
        let (header, size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, usize::MAX),
            1 => (16, usize::try_from(u64::from_be_bytes(*rest.first_chunk::<8>()?)).ok()?),
            size => (8, usize::try_from(size).ok()?),
        };
        let end = at.saturating_add(size.max(header)).min(bytes.len());
        at = end;
        Some((kind, bytes.get(start + header..end)?, start))
    })
    .take(MAX_BOXES)
}

fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).find(|(k, ..)| *k == kind).map(|(_, content, _)| content)
}

fn at<'a>(bytes: &'a [u8], way: &[&[u8; 4]]) -> Option<&'a [u8]> {
    way.iter().try_fold(bytes, |bytes, kind| child(bytes, kind))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

#[derive(Debug, Default)]
struct Track {
    id: u32,
    timescale: u32,
    video: Option<Video>,
    audio: Option<Audio>,
    /// The parameter sets of the picture.
    sets: Vec<Vec<u8>>,
    default_duration: u32,
    default_size: u32,
}

/// Looks into an initialisation segment and the beginning of a media segment, one behind the other.
pub fn look(bytes: &[u8]) -> Seen {
    let mut tracks = Vec::new();
    for (_, moov, _) in boxes(bytes).filter(|(kind, ..)| *kind == b"moov").take(1) {
        tracks.extend(boxes(moov).filter(|(kind, ..)| *kind == b"trak").take(16).filter_map(|(_, t, _)| track(t)));
        for (_, trex, _) in child(moov, b"mvex").into_iter().flat_map(boxes).filter(|(kind, ..)| *kind == b"trex") {
            for track in tracks.iter_mut().filter(|t| u32_at(trex, 4) == Some(t.id)) {
                track.default_duration = u32_at(trex, 12).unwrap_or(0);
                track.default_size = u32_at(trex, 16).unwrap_or(0);
            }
        }
    }
    let audio = tracks.iter().find_map(|t| t.audio.clone());
    let mut seen = Seen { audio, ..Seen::default() };
    let Some(track) = tracks.iter().find(|t| t.video.is_some()) else { return seen };
    seen.video = track.video.clone();
    let mut ticks = 0;
    for (_, moof, start) in boxes(bytes).filter(|(kind, ..)| *kind == b"moof") {
        for (_, traf, _) in boxes(moof).filter(|(kind, ..)| *kind == b"traf") {
            if let Some(run) = Run::read(traf, track, seen.meter, ticks) {
                run.look(bytes, start, track, &mut seen);
                if seen.frames() < MAX_SAMPLES {
                    (seen.meter, ticks) = (run.meter, run.ticks);
                }
            }
        }
    }
    seen
}

fn track(trak: &[u8]) -> Option<Track> {
    let tkhd = child(trak, b"tkhd")?;
    let mdhd = at(trak, &[b"mdia", b"mdhd"])?;
    let is_long = |header: &[u8]| header.first() == Some(&1);
    let mut track = Track {
        id: u32_at(tkhd, if is_long(tkhd) { 20 } else { 12 })?,
        timescale: u32_at(mdhd, if is_long(mdhd) { 20 } else { 12 })?,
        ..Track::default()
    };
    let stsd = at(trak, &[b"mdia", b"minf", b"stbl", b"stsd"])?;
    let (kind, entry, _) = boxes(stsd.get(8..)?).next()?;
    let name = std::str::from_utf8(kind).ok()?;
    match describe::codecs(name) {
        (Some(named), _) => {
            let sets = parameter_sets(entry, named.codec);
            track.sets = sets.iter().map(|set| set.to_vec()).collect();
            track.video = Some(picture(entry, named, sets));
        }
        (_, Some(named)) => track.audio = Some(sound(entry, named)),
        _ => {}
    }
    Some(track)
}

/// The parameter sets of a visual sample entry (§12.1.3), where they are there.
fn parameter_sets(entry: &[u8], codec: Option<VideoCodec>) -> Vec<&[u8]> {
    let extra = entry.get(78..).unwrap_or_default();
    let sets = match codec {
        Some(VideoCodec::H264) => child(extra, b"avcC").and_then(h264::avcc),
        Some(VideoCodec::H265) => child(extra, b"hvcC").and_then(h265::hvcc),
        _ => None,
    };
    sets.unwrap_or_default()
}

/// A visual sample entry: what its parameter sets say, else the size it names.
fn picture(entry: &[u8], named: Video, sets: Vec<&[u8]>) -> Video {
    let told = named.codec.and_then(|codec| describe::nals(codec, sets));
    told.unwrap_or_else(|| {
        let size = u16_at(entry, 24).zip(u16_at(entry, 26)).map(|(w, h)| (u32::from(w), u32::from(h)));
        let (width, height) = size.filter(|&(w, h)| plausible_size(w, h)).unzip();
        Video { width, height, size_source: width.map(|_| SizeSource::Metadata), ..named }
    })
}

/// An audio sample entry (§12.2.3); the AAC configuration of `esds` where it can be read.
fn sound(entry: &[u8], named: Audio) -> Audio {
    let config = child(entry.get(28..).unwrap_or_default(), b"esds").and_then(decoder_config);
    if named.codec == Some(AudioCodec::Aac)
        && let Some(config) = config.and_then(AudioConfig::parse)
    {
        return describe::aac(&config);
    }
    Audio {
        sample_rate_hz: u16_at(entry, 24).map(u32::from).filter(|&rate| rate > 0),
        channels: u16_at(entry, 16).filter(|&n| (1..=64).contains(&n)),
        ..named
    }
}

/// The `DecoderSpecificInfo` (tag 5) within `esds` (ISO/IEC 14496-1 §7.2.6).
fn decoder_config(esds: &[u8]) -> Option<&[u8]> {
    let mut rest = esds.get(4..)?;
    loop {
        let (&tag, mut body) = rest.split_first()?;
        let mut length = 0usize;
        for _ in 0..4 {
            let (&byte, after) = body.split_first()?;
            (length, body) = (length << 7 | usize::from(byte & 0x7f), after);
            if byte & 0x80 == 0 {
                break;
            }
        }
        rest = match tag {
            3 => body.get(3..)?,
            4 => body.get(13..)?,
            5 => return body.get(..length.min(body.len())),
            _ => body.get(length..)?,
        };
    }
}

/// The samples of one track in one fragment.
#[derive(Debug)]
struct Run {
    /// The samples of this fragment and of those before it.
    meter: FrameMeter,
    /// Where the next sample begins, in units of `timescale`.
    ticks: u64,
    timescale: f64,
    /// Where the first sample stands, from the fragment's beginning.
    offset: Option<usize>,
    first_bytes: Option<u32>,
}

impl Run {
    /// Reads `tfhd` and `trun` (§8.8.7, §8.8.8) of the track, whose own defaults hold where the fragment names none. Goes on
    /// from what was counted before it, at `ticks`.
    fn read(traf: &[u8], track: &Track, meter: FrameMeter, ticks: u64) -> Option<Run> {
        let tfhd = child(traf, b"tfhd")?;
        let flags = u32_at(tfhd, 0)?;
        if u32_at(tfhd, 4)? != track.id {
            return None;
        }
        let mut place = 8 + if flags & 1 != 0 { 8 } else { 0 } + if flags & 2 != 0 { 4 } else { 0 };
        let mut default = |flag: u32, or: u32| {
            if flags & flag == 0 {
                return Some(or);
            }
            place += 4;
            u32_at(tfhd, place - 4)
        };
        let (duration, size) = (default(8, track.default_duration)?, default(0x10, track.default_size)?);
        let timescale = f64::from(track.timescale.max(1));
        let mut run = Run { meter, ticks, timescale, offset: None, first_bytes: None };
        for (_, trun, _) in boxes(traf).filter(|(kind, ..)| *kind == b"trun") {
            run.add(trun, duration, size);
        }
        Some(run)
    }

    fn add(&mut self, trun: &[u8], duration: u32, size: u32) -> Option<()> {
        let (flags, count) = (u32_at(trun, 0)?, u32_at(trun, 4)?);
        let mut place = 8;
        if flags & 1 != 0 {
            self.offset = self.offset.or(u32_at(trun, place).and_then(|o| usize::try_from(o).ok()));
            place += 4;
        }
        place += if flags & 4 != 0 { 4 } else { 0 };
        for _ in 0..count.min(MAX_SAMPLES) {
            let mut field = |flag: u32, or: u32| {
                if flags & flag == 0 {
                    return Some(or);
                }
                place += 4;
                u32_at(trun, place - 4)
            };
            let (duration, size) = (field(0x100, duration)?, field(0x200, size)?);
            field(0x400, 0)?; // flags
            field(0x800, 0)?; // composition time
            self.first_bytes.get_or_insert(size);
            self.meter.frame(self.ticks as f64 / self.timescale, u64::from(size), false);
            self.ticks = self.ticks.saturating_add(u64::from(duration));
        }
        Some(())
    }

    /// Looks into the first sample, as far as it came: a key frame, and parameter sets where the track had none.
    fn look(&self, bytes: &[u8], moof: usize, track: &Track, seen: &mut Seen) -> Option<()> {
        let codec = track.video.as_ref()?.codec?;
        let sample = bytes.get(moof.checked_add(self.offset?)?..)?;
        let sample = sample.get(..sample.len().min(usize::try_from(self.first_bytes?).ok()?))?;
        if seen.picture.is_none() && u32::try_from(sample.len()).ok() == self.first_bytes {
            seen.picture = Picture::of_sample(codec, &track.sets, sample);
        }
        // A NAL unit that is cut off still has its head.
        let mut rest = sample;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let end = usize::try_from(u32::from_be_bytes(*length)).ok()?.min(after.len());
            let (unit, next) = after.split_at_checked(end)?;
            seen.key |= describe::is_key(codec, unit);
            rest = next;
        }
        if seen.video.as_ref().is_none_or(|v| v.size_source.is_some() || v.width.is_none())
            && let Some(told) = describe::nals(codec, nal::length_prefixed(sample))
        {
            seen.video = Some(told);
        }
        Some(())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    pub fn a_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    }

    /// An initialisation segment with one H.264 track of 90,000 ticks per second.
    pub fn init(sps: &[u8]) -> Vec<u8> {
        let mut avcc = vec![1, sps[1], sps[2], sps[3], 0xff, 0xe1];
        avcc.extend((sps.len() as u16).to_be_bytes());
        avcc.extend(sps);
        avcc.extend([1, 0, 3, 0x68, 1, 2]);
        let mut entry = vec![0; 78];
        entry[24..28].copy_from_slice(&[2, 0, 1, 0]);
        entry.extend(a_box(b"avcC", &avcc));
        let stsd = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &a_box(b"avc1", &entry)].concat();
        let mut header = vec![0; 24];
        header[12..16].copy_from_slice(&90_000u32.to_be_bytes());
        let mut tkhd = vec![0; 84];
        tkhd[15] = 1;
        let stbl = a_box(b"stbl", &a_box(b"stsd", &stsd));
        let mdia = [a_box(b"mdhd", &header), a_box(b"minf", &stbl)].concat();
        let trak = [a_box(b"tkhd", &tkhd), a_box(b"mdia", &mdia)].concat();
        let trex = [0u32, 1, 1, 3600, 0, 0].map(u32::to_be_bytes).concat();
        let moov = [a_box(b"trak", &trak), a_box(b"mvex", &a_box(b"trex", &trex))].concat();
        [a_box(b"ftyp", b"iso5"), a_box(b"moov", &moov)].concat()
    }

    /// A media segment whose samples have the track's duration; the first is an IDR slice.
    pub fn segment(samples: u32) -> Vec<u8> {
        let sample = [0, 0, 0, 5, 0x65, 1, 2, 3, 4];
        let trun = |offset: u32| {
            let sizes = vec![(sample.len() as u32).to_be_bytes(); samples as usize].concat();
            [&0x201u32.to_be_bytes()[..], &samples.to_be_bytes(), &offset.to_be_bytes(), &sizes].concat()
        };
        let moof = |offset: u32| {
            let tfhd = a_box(b"tfhd", &[0x20000u32, 1].map(u32::to_be_bytes).concat());
            a_box(b"moof", &a_box(b"traf", &[tfhd, a_box(b"trun", &trun(offset))].concat()))
        };
        let offset = moof(0).len() as u32 + 8;
        [moof(offset), a_box(b"mdat", &sample.repeat(samples as usize))].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::*;
    use proptest::prelude::*;

    fn sps() -> Vec<u8> {
        BASE64_STANDARD.decode("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=").unwrap()
    }

    #[test]
    fn parameter_sets_and_samples_of_a_segment() {
        let bytes = [testing::init(&sps()), testing::segment(51)].concat();
        assert!(is_mp4(&bytes));
        let seen = look(&bytes);
        let video = seen.video.clone().unwrap();
        assert_eq!((video.width, video.height, video.size_source), (Some(1280), Some(720), None));
        assert_eq!((seen.frames(), seen.rates().fps_to_a_tenth(), seen.key), (51, Some(25.0), true));
        assert_eq!(seen.rates().kbps, Some(2), "50 samples of 9 bytes in 2 s");
        let picture = nal::to_annex_b([&sps()[..], &[0x68, 1, 2], &[0x65, 1, 2, 3, 4]]);
        assert_eq!(seen.picture.map(|p| p.bytes), Some(picture));
        // Cut off within the media, the beginning still tells.
        assert!(look(&bytes[..bytes.len() - 400]).key);
        let init = look(&testing::init(&sps()));
        assert_eq!((init.frames(), init.rates().fps, init.key, init.video), (0, None, false, seen.video));
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>, at in 0..900usize, value: u8) {
            look(&bytes);
            let mut real = [testing::init(&sps()), testing::segment(5)].concat();
            let len = real.len();
            real[at % len] = value;
            prop_assert!(look(&real).frames() <= MAX_SAMPLES * 2);
        }
    }
}
