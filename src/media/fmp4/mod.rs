//! Fragmented MP4 (ISO/IEC 14496-12) as media source extensions take it: an initialisation segment, then one fragment for each
//! frame. What reads MP4 is [`super::mp4`].

mod entry;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes};

use super::aac::AudioConfig;
use super::assemble::opus_ticks;
use super::format::{AudioFormat, Format, VideoFormat};
use super::{flac, g711, h264, h265};
use crate::model::{AudioCodec, VideoCodec};

/// One frame with its times, in units of 1/90,000 s.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Counts fragments, wrapping.
    pub sequence: u32,
    /// When it is decoded.
    pub decode90: u64,
    /// When it is shown.
    pub shown90: u64,
    /// How long, as far as is known; sound knows it itself.
    pub duration90: u32,
    /// Whether it needs no other.
    pub key: bool,
    /// NAL units, or one frame of sound.
    pub parts: &'a [Bytes],
}

/// `ftyp` and `moov`; track 1 is the picture, track 2 the sound. `None` where a codec has no form in MP4 that browsers play, or
/// its parameter sets are not known.
pub fn init(video: Option<&VideoFormat>, audio: Option<&AudioFormat>) -> Option<Bytes> {
    let mut tracks = Vec::new();
    if let Some(video) = video {
        tracks.push(Track { id: VIDEO, timescale: 90_000, size: video.size?, entry: entry::video(video)? });
    }
    if let Some(audio) = audio {
        let timescale = audio.sample_rate_hz();
        tracks.push(Track { id: AUDIO, timescale, size: (0, 0), entry: entry::audio(audio)? });
    }
    if tracks.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    boxed(&mut out, b"ftyp", |out| {
        out.put_slice(b"iso5");
        out.put_u32(512);
        out.put_slice(b"iso5iso6mp41");
    });
    boxed(&mut out, b"moov", |out| {
        movie_header(out);
        tracks.iter().for_each(|track| track.write(out));
        boxed(out, b"mvex", |out| {
            for track in &tracks {
                full_box(out, b"trex", 0, 0, |out| [track.id, 1, 0, 0, 0].iter().for_each(|&field| out.put_u32(field)));
            }
        });
    });
    Some(out.into())
}

const VIDEO: u32 = 1;
const AUDIO: u32 = 2;

/// `sample_depends_on` is 2: the sample depends on no other (§8.6.4.3).
const INDEPENDENT: u32 = 0x0200_0000;
/// It depends on others, and is no synchronisation sample.
const DEPENDENT: u32 = 0x0101_0000;

/// `moof` and `mdat` of one frame; empty for formats [`init`] refuses. G.711 and PCM become FLAC.
pub fn fragment(format: &Format, sample: &Sample<'_>) -> Bytes {
    match format {
        Format::Video(video) => {
            let Some(data) = picture_data(video, sample.parts) else { return Bytes::new() };
            // Decoding never comes later than showing.
            let offset = i32::try_from(sample.shown90.saturating_sub(sample.decode90)).unwrap_or(0);
            let flags = if sample.key { INDEPENDENT } else { DEPENDENT };
            write_fragment(
                VIDEO,
                sample.sequence,
                sample.decode90,
                &Run { duration: sample.duration90, flags, offset },
                &data,
            )
        }
        Format::Audio(audio) => {
            let rate = audio.sample_rate_hz();
            let decode = scaled(sample.shown90, rate);
            let part = sample.parts.first().map_or(&[][..], |part| part);
            let Some((data, duration)) = sound_data(audio, part, decode) else { return Bytes::new() };
            write_fragment(AUDIO, sample.sequence, decode, &Run { duration, flags: INDEPENDENT, offset: 0 }, &data)
        }
    }
}

/// Units of 1/90,000 s in another clock, rounded.
pub fn scaled(ticks90: u64, clock_rate: u32) -> u64 {
    let scaled = (u128::from(ticks90) * u128::from(clock_rate) + 45_000) / 90_000;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// The sample of a picture: NAL units behind their lengths. Parameter sets are in the sample entry (ISO/IEC 14496-15 §5.3.1).
fn picture_data(format: &VideoFormat, parts: &[Bytes]) -> Option<Vec<u8>> {
    let is_set = |unit: &[u8]| match format.codec {
        VideoCodec::H264 => matches!(h264::nal_type(unit), h264::SPS | h264::PPS),
        _ => (h265::VPS..=h265::PPS).contains(&h265::nal_type(unit)),
    };
    if !matches!(format.codec, VideoCodec::H264 | VideoCodec::H265) {
        return None;
    }
    let mut data = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts.iter().filter(|part| !is_set(part)) {
        data.put_u32(u32::try_from(part.len()).ok()?);
        data.put_slice(part);
    }
    Some(data)
}

/// The sample of a piece of sound, and its duration in samples.
fn sound_data(format: &AudioFormat, part: &[u8], first: u64) -> Option<(Vec<u8>, u32)> {
    let linear: Vec<i16> = match format.codec {
        AudioCodec::Aac => {
            let doubled = AudioConfig::parse(&format.config).is_some_and(|config| config.sbr);
            return Some((part.to_vec(), if doubled { 2048 } else { 1024 }));
        }
        AudioCodec::Opus => return Some((part.to_vec(), opus_ticks(part)?)),
        AudioCodec::Pcmu => part.iter().copied().map(g711::mu_law).collect(),
        AudioCodec::Pcma => part.iter().copied().map(g711::a_law).collect(),
        AudioCodec::Pcm => part.as_chunks::<2>().0.iter().copied().map(i16::from_be_bytes).collect(),
        AudioCodec::G722 | AudioCodec::G726 | AudioCodec::Mp3 => return None,
    };
    let samples = linear.len() / usize::from(format.channels.max(1));
    Some((flac::frame(&linear, format.channels, first)?, u32::try_from(samples).ok()?))
}

/// What `codecs=` says of a track (RFC 6381): `avc1.64001f`, `hvc1.1.6.L93.B0`, `mp4a.40.2`, `opus`, `flac`.
pub fn codec_string(format: &Format) -> Option<String> {
    match format {
        Format::Video(video) => entry::video_codec_string(video),
        Format::Audio(audio) => entry::audio_codec_string(audio),
    }
}

/// The one sample of a fragment.
struct Run {
    duration: u32,
    flags: u32,
    /// From decoding to showing.
    offset: i32,
}

/// `moof` (§8.8.4 to §8.8.12) and `mdat`.
fn write_fragment(track: u32, sequence: u32, decode: u64, run: &Run, data: &[u8]) -> Bytes {
    // All boxes of a fragment of one sample have their sizes: mfhd 16, tfhd 16, tfdt 20, trun 36, around them traf and moof.
    const MOOF: u32 = 8 + 16 + 8 + 16 + 20 + 36;
    let mut out = Vec::with_capacity(data.len() + 128);
    boxed(&mut out, b"moof", |out| {
        full_box(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
        boxed(out, b"traf", |out| {
            // default-base-is-moof
            full_box(out, b"tfhd", 0, 0x02_0000, |out| out.put_u32(track));
            full_box(out, b"tfdt", 1, 0, |out| out.put_u64(decode));
            // Data offset; duration, size, flags and composition offset of each sample.
            full_box(out, b"trun", 1, 0x0f01, |out| {
                out.put_u32(1);
                out.put_u32(MOOF + 8);
                out.put_u32(run.duration);
                out.put_u32(u32::try_from(data.len()).unwrap_or(u32::MAX));
                out.put_u32(run.flags);
                out.put_i32(run.offset);
            });
        });
    });
    boxed(&mut out, b"mdat", |out| out.put_slice(data));
    out.into()
}

/// One track of the initialisation segment.
struct Track {
    id: u32,
    timescale: u32,
    size: (u32, u32),
    /// Its sample entry, whole.
    entry: Vec<u8>,
}

impl Track {
    fn is_video(&self) -> bool {
        self.id == VIDEO
    }

    fn write(&self, out: &mut Vec<u8>) {
        boxed(out, b"trak", |out| {
            // Enabled, and in the movie.
            full_box(out, b"tkhd", 0, 3, |out| {
                [0, 0, self.id, 0, 0, 0, 0, 0].iter().for_each(|&field| out.put_u32(field));
                out.put_u32(if self.is_video() { 0 } else { 0x0100_0000 });
                out.put_slice(&MATRIX);
                out.put_u32(self.size.0 << 16);
                out.put_u32(self.size.1 << 16);
            });
            boxed(out, b"mdia", |out| {
                full_box(out, b"mdhd", 0, 0, |out| {
                    [0, 0, self.timescale, 0].iter().for_each(|&field| out.put_u32(field));
                    out.put_u32(0x55c4_0000); // language undetermined
                });
                full_box(out, b"hdlr", 0, 0, |out| {
                    out.put_u32(0);
                    out.put_slice(if self.is_video() { b"vide" } else { b"soun" });
                    out.put_bytes(0, 13);
                });
                boxed(out, b"minf", |out| self.media_information(out));
            });
        });
    }

    fn media_information(&self, out: &mut Vec<u8>) {
        match self.is_video() {
            true => full_box(out, b"vmhd", 0, 1, |out| out.put_u64(0)),
            false => full_box(out, b"smhd", 0, 0, |out| out.put_u32(0)),
        }
        boxed(out, b"dinf", |out| {
            full_box(out, b"dref", 0, 0, |out| {
                out.put_u32(1);
                full_box(out, b"url ", 0, 1, |_| {});
            });
        });
        boxed(out, b"stbl", |out| {
            full_box(out, b"stsd", 0, 0, |out| {
                out.put_u32(1);
                out.put_slice(&self.entry);
            });
            // No samples but those of fragments.
            full_box(out, b"stts", 0, 0, |out| out.put_u32(0));
            full_box(out, b"stsc", 0, 0, |out| out.put_u32(0));
            full_box(out, b"stsz", 0, 0, |out| out.put_u64(0));
            full_box(out, b"stco", 0, 0, |out| out.put_u32(0));
        });
    }
}

/// The unity matrix (§8.2.2.2).
const MATRIX: [u8; 36] = {
    let mut matrix = [0; 36];
    (matrix[1], matrix[17], matrix[32]) = (1, 1, 0x40);
    matrix
};

fn movie_header(out: &mut Vec<u8>) {
    full_box(out, b"mvhd", 0, 0, |out| {
        [0, 0, 1000, 0, 0x0001_0000].iter().for_each(|&field| out.put_u32(field));
        out.put_u16(0x0100); // volume
        out.put_bytes(0, 10);
        out.put_slice(&MATRIX);
        out.put_bytes(0, 24);
        out.put_u32(AUDIO + 1);
    });
}

/// A box with that content.
fn boxed(out: &mut Vec<u8>, kind: &[u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(kind);
    content(out);
    let size = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
}

/// A box with version and flags (§4.2).
fn full_box(out: &mut Vec<u8>, kind: &[u8; 4], version: u8, flags: u32, content: impl FnOnce(&mut Vec<u8>)) {
    boxed(out, kind, |out| {
        out.put_u32(u32::from(version) << 24 | flags);
        content(out);
    });
}
