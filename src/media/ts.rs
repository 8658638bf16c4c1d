//! MPEG transport streams (ISO/IEC 13818-1): what is in a piece of one. Tables, PES headers and the first bytes of
//! pictures; nothing is decoded.

use super::aac::Adts;
use super::describe;
use super::meter::FrameMeter;
use super::nal;
use super::picture::Picture;
use super::seen::Seen;
use crate::model::{Audio, AudioCodec, Video, VideoCodec};

const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// Clock of PTS and DTS, ticks per second.
const CLOCK: f64 = 90_000.0;
/// Elementary streams of one programme looked at.
const MAX_STREAMS: usize = 16;

/// Whether bytes begin a transport stream: sync bytes a packet apart, after at most one packet of something else.
pub fn is_ts(bytes: &[u8]) -> bool {
    first_packet(bytes).is_some()
}

fn first_packet(bytes: &[u8]) -> Option<usize> {
    let is_sync = |at: usize| bytes.get(at) == Some(&SYNC);
    (0..PACKET.min(bytes.len())).find(|&at| is_sync(at) && is_sync(at + PACKET) && is_sync(at + 2 * PACKET))
}

/// Looks into a piece of a transport stream that begins anywhere. Every packet is read once; no more is kept than came.
pub fn look(bytes: &[u8]) -> Seen {
    let mut demux = Demux::default();
    for packet in bytes.get(first_packet(bytes).unwrap_or(bytes.len())..).unwrap_or_default().chunks_exact(PACKET) {
        let _ = demux.packet(packet);
    }
    demux.finish()
}

#[derive(Default)]
struct Demux {
    pmt: Option<u16>,
    streams: Vec<Elementary>,
}

struct Elementary {
    pid: u16,
    kind: Kind,
    /// The PES packets so far.
    pes: Vec<Pes>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Video(Option<VideoCodec>),
    Audio(Option<AudioCodec>),
}

#[derive(Default)]
struct Pes {
    pts: Option<u64>,
    data: Vec<u8>,
}

impl Demux {
    fn packet(&mut self, packet: &[u8]) -> Option<()> {
        let (&[sync, high, low, control], rest) = packet.split_first_chunk::<4>()?;
        if sync != SYNC || high & 0x80 != 0 {
            return None;
        }
        let (starts, pid) = (high & 0x40 != 0, u16::from_be_bytes([high & 0x1f, low]));
        let payload = match control & 0x30 {
            0x10 => rest,
            0x30 => rest.get(1 + usize::from(*rest.first()?)..)?,
            _ => return None,
        };
        if pid == 0 && starts && self.pmt.is_none() {
            self.pmt = programme(section(payload, 0)?);
        } else if Some(pid) == self.pmt && starts && self.streams.is_empty() {
            self.streams = elementary_streams(section(payload, 2)?).unwrap_or_default();
        } else if let Some(stream) = self.streams.iter_mut().find(|s| s.pid == pid) {
            stream.take(starts, payload);
        }
        Some(())
    }

    fn finish(&self) -> Seen {
        let video = self.streams.iter().find_map(|s| match s.kind {
            Kind::Video(codec) => Some((codec, s)),
            Kind::Audio(_) => None,
        });
        let audio = self.streams.iter().find_map(|s| match s.kind {
            Kind::Audio(codec) => Some(s.sound(codec)),
            Kind::Video(_) => None,
        });
        let seen = video.map(|(codec, stream)| stream.picture(codec)).unwrap_or_default();
        Seen { audio, ..seen }
    }
}

/// A table section of that id that fits into one packet, without header and checksum (§2.4.4).
fn section(payload: &[u8], id: u8) -> Option<&[u8]> {
    let payload = payload.get(1 + usize::from(*payload.first()?)..)?;
    let (&[table, high, low], body) = payload.split_first_chunk::<3>()?;
    let length = usize::from(u16::from_be_bytes([high & 0x0f, low]));
    let body = body.get(..length.min(body.len()))?;
    // Five bytes of numbers before, four of checksum behind.
    (table == id).then(|| body.get(5..body.len().checked_sub(4)?)).flatten()
}

/// The PID of the first programme's map.
fn programme(pat: &[u8]) -> Option<u16> {
    pat.as_chunks::<4>()
        .0
        .iter()
        .find_map(|&[n1, n0, high, low]| (n1 != 0 || n0 != 0).then_some(u16::from_be_bytes([high & 0x1f, low])))
}

fn elementary_streams(pmt: &[u8]) -> Option<Vec<Elementary>> {
    let (&[_, _, high, low], rest) = pmt.split_first_chunk::<4>()?;
    let mut rest = rest.get(usize::from(u16::from_be_bytes([high & 0x0f, low]))..)?;
    let mut streams = Vec::new();
    while let Some((&[kind, pid1, pid0, high, low], after)) = rest.split_first_chunk::<5>() {
        let kind = match kind {
            0x1b => Some(Kind::Video(Some(VideoCodec::H264))),
            0x24 => Some(Kind::Video(Some(VideoCodec::H265))),
            0x10 => Some(Kind::Video(Some(VideoCodec::Mpeg4))),
            0x01 | 0x02 => Some(Kind::Video(None)),
            0x0f | 0x11 => Some(Kind::Audio(Some(AudioCodec::Aac))),
            0x03 | 0x04 => Some(Kind::Audio(Some(AudioCodec::Mp3))),
            0x81 | 0x87 => Some(Kind::Audio(None)),
            _ => None,
        };
        let pid = u16::from_be_bytes([pid1 & 0x1f, pid0]);
        if let Some(kind) = kind.filter(|_| streams.len() < MAX_STREAMS) {
            streams.push(Elementary { pid, kind, pes: Vec::new() });
        }
        rest = after.get(usize::from(u16::from_be_bytes([high & 0x0f, low]))..).unwrap_or_default();
    }
    Some(streams)
}

impl Elementary {
    fn take(&mut self, starts: bool, payload: &[u8]) {
        if starts {
            self.pes.extend(pes(payload));
        } else if let Some(last) = self.pes.last_mut() {
            last.data.extend_from_slice(payload);
        }
    }

    fn picture(&self, codec: Option<VideoCodec>) -> Seen {
        let video = |codec| self.pes.iter().find_map(|p| describe::nals(codec, nal::annex_b(&p.data)));
        let is_key = |codec, p: &Pes| nal::annex_b(&p.data).any(|n| describe::is_key(codec, n));
        let keys: Vec<bool> = self.pes.iter().map(|p| codec.is_some_and(|codec| is_key(codec, p))).collect();
        // The last one may be cut off.
        let mut whole = self.pes.iter().rev().skip(1).rev();
        Seen {
            video: codec.and_then(video).or(Some(Video { codec, ..Video::default() })),
            audio: None,
            key: keys.contains(&true),
            meter: self.meter(&keys),
            picture: codec.and_then(|codec| whole.find_map(|p| Picture::of_annex_b(codec, &p.data))),
        }
    }

    fn sound(&self, codec: Option<AudioCodec>) -> Audio {
        let adts = self.pes.first().filter(|_| codec == Some(AudioCodec::Aac)).and_then(|p| Adts::parse(&p.data));
        Audio {
            codec,
            sample_rate_hz: adts.map(|a| a.sample_rate_hz),
            channels: adts.and_then(|a| a.channels),
            measured_kbps: self.meter(&[]).rates().kbps,
            ..Audio::default()
        }
    }

    /// Counts the PES packets by their time stamps; one without is of the time of the one before.
    fn meter(&self, keys: &[bool]) -> FrameMeter {
        let mut meter = FrameMeter::by_timestamps();
        let origin = self.pes.iter().find_map(|p| p.pts).unwrap_or(0);
        let mut time = 0.0;
        for (pes, key) in self.pes.iter().zip(keys.iter().copied().chain(std::iter::repeat(false))) {
            time = pes.pts.map_or(time, |pts| seconds(origin, pts));
            meter.frame(time, pes.data.len() as u64, key);
        }
        meter
    }
}

/// Seconds from one time stamp to another; they wrap at 2³³.
fn seconds(from: u64, to: u64) -> f64 {
    const WRAP: i64 = 1 << 33;
    let difference = (to as i64 - from as i64).rem_euclid(WRAP);
    (if difference > WRAP / 2 { difference - WRAP } else { difference }) as f64 / CLOCK
}

/// The beginning of a PES packet (§2.4.3.6).
fn pes(payload: &[u8]) -> Option<Pes> {
    let (&[0, 0, 1, _, _, _, _, flags, header], rest) = payload.split_first_chunk::<9>()? else { return None };
    let stamp = |at: usize| {
        let bytes = rest.get(..usize::from(header))?.get(at..)?.first_chunk::<5>()?;
        let [a, b, c, d, e] = bytes.map(u64::from);
        Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
    };
    let pts = if flags & 0x80 != 0 { stamp(0) } else { None };
    Some(Pes { pts, data: rest.get(usize::from(header)..)?.to_vec() })
}

#[cfg(test)]
pub(crate) mod testing {
    /// A transport stream of H.264 pictures (Annex B) at a PTS each, in 90 kHz ticks, after PAT and PMT.
    pub fn stream(pictures: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut out = packet(0, true, &[0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0, 0, 0, 0, 0]);
        let mut pmt = vec![0, 2, 0xb0, 23, 0, 1, 0xc1, 0, 0, 0xe1, 1, 0xf0, 0];
        pmt.extend([0x1b, 0xe1, 1, 0xf0, 0, 0x0f, 0xe1, 2, 0xf0, 0, 0, 0, 0, 0]);
        out.extend(packet(0x100, true, &pmt));
        for (pts, picture) in pictures {
            out.extend(pes(0x101, 0xe0, *pts, picture));
        }
        out
    }

    /// The packets of one PES packet.
    pub fn pes(pid: u16, stream: u8, pts: u64, data: &[u8]) -> Vec<u8> {
        assert!(pts < 1 << 33);
        let stamp = [
            0x21 | (pts >> 29 & 0xe) as u8,
            (pts >> 22) as u8,
            1 | (pts >> 14) as u8,
            (pts >> 7) as u8,
            1 | (pts << 1) as u8,
        ];
        let mut pes = vec![0, 0, 1, stream, 0, 0, 0x80, 0x80, 5];
        pes.extend(stamp);
        pes.extend(data);
        pes.chunks(184).enumerate().flat_map(|(i, piece)| packet(pid, i == 0, piece)).collect()
    }

    fn packet(pid: u16, starts: bool, payload: &[u8]) -> Vec<u8> {
        let [high, low] = pid.to_be_bytes();
        let mut out = vec![0x47, high | if starts { 0x40 } else { 0 }, low];
        match 184 - payload.len() {
            0 => out.push(0x10),
            1 => out.extend([0x30, 0]),
            fill => {
                out.extend([0x30, (fill - 1) as u8, 0]);
                out.resize(out.len() + fill - 2, 0xff);
            }
        }
        out.extend(payload);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::*;
    use proptest::prelude::*;

    fn pictures() -> Vec<(u64, Vec<u8>)> {
        let sps = BASE64_STANDARD.decode("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=").unwrap();
        let key = nal::to_annex_b([&sps[..], &[0x68, 1, 2], &[0x65, 0x88, 0x84]]);
        let other = nal::to_annex_b([&[0x41u8, 0x9a, 1][..]; 90]);
        // Runs over the wrap of the clock.
        let at = |i: u64| ((1u64 << 33) - 9000 + i * 6000) % (1 << 33);
        (0..30).map(|i| (at(i), if i % 15 == 0 { key.clone() } else { other.clone() })).collect()
    }

    #[test]
    fn parameter_sets_and_the_clock_of_a_segment() {
        let ts = testing::stream(&pictures());
        assert!(is_ts(&ts));
        let seen = look(&ts);
        let video = seen.video.clone().unwrap();
        assert_eq!((video.codec, video.width, video.height), (Some(VideoCodec::H264), Some(1280), Some(720)));
        assert_eq!(video.profile.as_deref(), Some("Constrained Baseline"));
        let rates = seen.rates();
        assert_eq!((rates.frames, rates.fps_to_a_tenth(), seen.key), (30, Some(15.0), true));
        assert_eq!(rates.keyframe_interval_s, Some(1.0));
        assert_eq!(seen.picture.unwrap().bytes, pictures()[0].1);
        assert_eq!(seen.audio.as_ref().and_then(|a| a.codec), Some(AudioCodec::Aac));
        // A piece that begins in the middle of a packet and is cut off loses what it loses, not the rest.
        let cut = look(&[&[1, 2, 3], &ts[..ts.len() / 2 + 7]].concat());
        assert!(cut.key && cut.frames() >= 10, "{cut:?}");
    }

    /// Pictures of 4 kbyte beside sound of 32 kbit/s: each has its own rate.
    #[test]
    fn the_rate_of_the_sound_is_its_own() {
        let pictures: Vec<_> = (0..50u64).map(|i| (i * 3600, nal::to_annex_b([&[0x41u8; 4000][..]]))).collect();
        let mut ts = testing::stream(&pictures);
        // 160 bytes every 40 ms.
        for i in 0..50u64 {
            ts.extend(testing::pes(0x102, 0xc0, i * 3600, &[0xff; 160]));
        }
        let seen = look(&ts);
        assert_eq!(seen.audio.as_ref().and_then(|a| a.measured_kbps), Some(32));
        assert!(seen.rates().kbps.is_some_and(|kbps| kbps > 700), "{:?}", seen.rates());
    }

    #[test]
    fn other_bytes_are_no_transport_stream() {
        assert!(!is_ts(b"") && !is_ts(&[0x47; 100]) && !is_ts(&[0; 1000]));
        assert_eq!(look(&[0x47; 188 * 5]), Seen::default());
    }

    proptest! {
        #[test]
        fn any_bytes_do(mut bytes in proptest::collection::vec(any::<u8>(), 0..188 * 6), at in 0..900usize, value: u8) {
            bytes.iter_mut().step_by(PACKET).for_each(|b| *b = SYNC);
            look(&bytes);
            let mut real = testing::stream(&pictures()[..2]);
            if let Some(byte) = real.get_mut(at) { *byte = value }
            prop_assert!(look(&real).frames() <= 10);
        }
    }
}
