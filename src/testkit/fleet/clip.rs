//! Short clips of encoded media, cut into frames.

/// What a clip is encoded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// H.264, Annex B.
    H264,
    /// H.265, Annex B.
    H265,
    /// Baseline JPEGs one after the other.
    Mjpeg,
    /// AAC in ADTS.
    Aac,
    /// G.711 µ-law.
    Pcmu,
}

/// A clip: frames that are repeated for ever.
#[derive(Debug, Clone)]
pub struct Clip {
    /// The codec.
    pub codec: Codec,
    /// Frames a second; for audio, packets a second.
    pub fps: f64,
    /// RTP clock rate, Hz.
    pub clock_rate: u32,
    /// Each frame as NAL units, a JPEG or an access unit.
    pub frames: Vec<Vec<Vec<u8>>>,
    /// VPS, SPS, PPS as they stand in the clip.
    pub parameter_sets: Vec<Vec<u8>>,
}

impl Clip {
    /// Cuts an H.264 Annex B stream.
    pub fn h264(bytes: &[u8], fps: f64) -> Clip {
        let is_set = |nal: &[u8]| matches!(nal[0] & 0x1f, 7 | 8);
        let begins = |nal: &[u8]| matches!(nal[0] & 0x1f, 1 | 5) && nal[1] & 0x80 != 0;
        cut(Codec::H264, bytes, fps, is_set, begins)
    }

    /// Cuts an H.265 Annex B stream.
    pub fn h265(bytes: &[u8], fps: f64) -> Clip {
        let kind = |nal: &[u8]| (nal[0] >> 1) & 0x3f;
        let is_set = move |nal: &[u8]| (32..=34).contains(&kind(nal));
        let begins = move |nal: &[u8]| kind(nal) < 32 && nal[2] & 0x80 != 0;
        cut(Codec::H265, bytes, fps, is_set, begins)
    }

    /// Cuts JPEGs that stand one after the other.
    pub fn mjpeg(bytes: &[u8], fps: f64) -> Clip {
        let mut frames = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.windows(2).position(|w| w == [0xff, 0xd9]) {
            frames.push(vec![rest[..end + 2].to_vec()]);
            rest = &rest[end + 2..];
        }
        Clip { codec: Codec::Mjpeg, fps, clock_rate: 90_000, frames, parameter_sets: Vec::new() }
    }

    /// Cuts AAC in ADTS.
    pub fn aac(bytes: &[u8], clock_rate: u32) -> Clip {
        let mut frames = Vec::new();
        let mut rest = bytes;
        while rest.len() > 7 {
            let length = (usize::from(rest[3] & 3) << 11) | (usize::from(rest[4]) << 3) | usize::from(rest[5] >> 5);
            let header = if rest[1] & 1 == 1 { 7 } else { 9 };
            frames.push(vec![rest[header..length].to_vec()]);
            rest = &rest[length..];
        }
        Clip { codec: Codec::Aac, fps: f64::from(clock_rate) / 1024.0, clock_rate, frames, parameter_sets: Vec::new() }
    }

    /// Silence in G.711 µ-law, 20 ms a packet.
    pub fn pcmu() -> Clip {
        Clip {
            codec: Codec::Pcmu,
            fps: 50.0,
            clock_rate: 8000,
            frames: vec![vec![vec![0xff; 160]]],
            parameter_sets: Vec::new(),
        }
    }

    /// RTP ticks from one frame to the next.
    pub fn ticks(&self) -> u32 {
        (f64::from(self.clock_rate) / self.fps).round() as u32
    }
}

fn cut(codec: Codec, bytes: &[u8], fps: f64, is_set: impl Fn(&[u8]) -> bool, begins: impl Fn(&[u8]) -> bool) -> Clip {
    let mut frames: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut parameter_sets: Vec<Vec<u8>> = Vec::new();
    let mut ahead: Vec<Vec<u8>> = Vec::new();
    for nal in nals(bytes) {
        if is_set(nal) && !parameter_sets.iter().any(|s| s == nal) {
            parameter_sets.push(nal.to_vec());
        }
        if begins(nal) {
            frames.push(std::mem::take(&mut ahead));
            frames.last_mut().unwrap().push(nal.to_vec());
        } else if is_set(nal) || frames.is_empty() || nal.len() < 3 {
            ahead.push(nal.to_vec());
        } else {
            frames.last_mut().unwrap().push(nal.to_vec());
        }
    }
    Clip { codec, fps, clock_rate: 90_000, frames, parameter_sets }
}

fn nals(bytes: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 <= bytes.len() {
        if bytes[at..at + 3] == [0, 0, 1] {
            starts.push(at);
            at += 3;
        } else {
            at += 1;
        }
    }
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| {
            let mut nal = &bytes[start + 3..end];
            while let [head @ .., 0] = nal {
                nal = head;
            }
            nal
        })
        .filter(|nal| !nal.is_empty())
        .collect()
}
