//! Frames into RTP packets: RFC 6184, RFC 7798, RFC 2435, RFC 3640, RFC 3551.

use super::clip::{Clip, Codec};

const MOST: usize = 1300;

/// Makes the RTP packets of one medium.
pub struct Packetizer {
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Packetizer {
    /// A packetizer for a payload type.
    pub fn new(payload_type: u8) -> Self {
        Packetizer::starting_at(payload_type, fastrand::u16(..), fastrand::u32(..))
    }

    /// One whose numbers and clock begin there.
    pub fn starting_at(payload_type: u8, sequence: u16, timestamp: u32) -> Self {
        Packetizer { payload_type, sequence, timestamp, ssrc: fastrand::u32(..) }
    }

    /// A sender report (RFC 3550 §6.4.1) for the next packet, which is sent at that time of NTP.
    pub fn report(&self, ntp: u64) -> Vec<u8> {
        let mut report = vec![0x80, 200, 0, 6];
        report.extend(self.ssrc.to_be_bytes());
        report.extend(ntp.to_be_bytes());
        report.extend(self.timestamp.to_be_bytes());
        // How much was sent so far is nobody's business.
        report.extend([0; 8]);
        report
    }

    /// The packets of a clip's frame; the clock then moves on by one frame.
    pub fn packets(&mut self, clip: &Clip, frame: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let payloads = match clip.codec {
            Codec::H264 => frame.iter().flat_map(|nal| h264(nal)).collect(),
            Codec::H265 => frame.iter().flat_map(|nal| h265(nal)).collect(),
            Codec::Mjpeg => jpeg(&frame[0]),
            Codec::Aac => vec![aac(&frame[0])],
            Codec::Pcmu => vec![frame[0].clone()],
        };
        let last = payloads.len() - 1;
        let packets = payloads.into_iter().enumerate().map(|(n, payload)| self.packet(n == last, &payload)).collect();
        self.timestamp = self.timestamp.wrapping_add(clip.ticks());
        packets
    }

    fn packet(&mut self, marker: bool, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, self.payload_type | if marker { 0x80 } else { 0 }];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}

fn h264(nal: &[u8]) -> Vec<Vec<u8>> {
    if nal.len() <= MOST {
        return vec![nal.to_vec()];
    }
    let chunks: Vec<&[u8]> = nal[1..].chunks(MOST).collect();
    let last = chunks.len() - 1;
    let fu = |n: usize| (nal[0] & 0x1f) | if n == 0 { 0x80 } else { 0 } | if n == last { 0x40 } else { 0 };
    chunks.iter().enumerate().map(|(n, c)| [&[(nal[0] & 0xe0) | 28, fu(n)], *c].concat()).collect()
}

fn h265(nal: &[u8]) -> Vec<Vec<u8>> {
    if nal.len() <= MOST {
        return vec![nal.to_vec()];
    }
    let chunks: Vec<&[u8]> = nal[2..].chunks(MOST).collect();
    let last = chunks.len() - 1;
    let kind = (nal[0] >> 1) & 0x3f;
    let fu = |n: usize| kind | if n == 0 { 0x80 } else { 0 } | if n == last { 0x40 } else { 0 };
    chunks.iter().enumerate().map(|(n, c)| [&[(nal[0] & 0x81) | (49 << 1), nal[1], fu(n)], *c].concat()).collect()
}

fn aac(unit: &[u8]) -> Vec<u8> {
    let header = ((unit.len() as u16) << 3).to_be_bytes();
    [&[0, 16], &header[..], unit].concat()
}

fn jpeg(image: &[u8]) -> Vec<Vec<u8>> {
    let mut tables = Vec::new();
    let (mut width, mut height, mut kind) = (0u16, 0u16, 1u8);
    let mut at = 2;
    let scan = loop {
        let marker = image[at + 1];
        let length = usize::from(u16::from_be_bytes([image[at + 2], image[at + 3]]));
        let segment = &image[at + 4..at + 2 + length];
        match marker {
            0xdb => segment.chunks_exact(65).for_each(|table| tables.extend(&table[1..])),
            0xc0 => {
                height = u16::from_be_bytes([segment[1], segment[2]]);
                width = u16::from_be_bytes([segment[3], segment[4]]);
                kind = if segment[7] == 0x22 { 1 } else { 0 };
            }
            0xda => break &image[at + 2 + length..image.len() - 2],
            _ => {}
        }
        at += 2 + length;
    };
    // One table in the image serves both; RFC 2435 wants luma and chroma.
    if tables.len() == 64 {
        tables.extend_from_within(..);
    }
    let mut offset = 0usize;
    scan.chunks(MOST)
        .map(|chunk| {
            let place = (offset as u32).to_be_bytes();
            let mut payload = vec![0, place[1], place[2], place[3], kind, 255, (width / 8) as u8, (height / 8) as u8];
            if offset == 0 {
                payload.extend([0, 0]);
                payload.extend((tables.len() as u16).to_be_bytes());
                payload.extend(&tables);
            }
            payload.extend(chunk);
            offset += chunk.len();
            payload
        })
        .collect()
}
