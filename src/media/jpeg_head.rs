//! The head of a JPEG that came by RTP without one (RFC 2435 §4.1, appendices A and B): tables and sizes, as ITU-T T.81 writes
//! them.

/// Quantization of luminance at quality 50, in zigzag order (T.81 table K.1).
const LUMINANCE: [u8; 64] = [
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
    60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113,
    121, 112, 100, 120, 92, 101, 103, 99,
];
/// The beginning of that of chrominance (T.81 table K.2); the others are 99.
const CHROMINANCE: [u8; 16] = [17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99];

/// Huffman tables by class and number: code counts by length, then symbols (T.81 tables K.3 to K.6).
const HUFFMAN: [(u8, [u8; 16], &[u8]); 4] = [
    (0x00, [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &DC_SYMBOLS),
    (0x10, [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d], &LUMINANCE_AC),
    (0x01, [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &DC_SYMBOLS),
    (0x11, [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77], &CHROMINANCE_AC),
];
const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
#[rustfmt::skip]
const LUMINANCE_AC: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3,
    0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];
#[rustfmt::skip]
const CHROMINANCE_AC: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
    0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1,
    0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36,
    0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
    0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a,
    0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

/// Quantization tables of luminance and chrominance, as they stand in a JPEG: 64 bytes each, or 128 with 16 bits a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables(Vec<Vec<u8>>);

impl Tables {
    /// The standard's tables, scaled for a quality of 1 to 99 (RFC 2435 §4.2); beyond it the nearest.
    pub fn scaled(q: u8) -> Tables {
        let q = u32::from(q.clamp(1, 99));
        let factor = if q < 50 { 5000 / q } else { 200 - 2 * q };
        let scale = |value: u8| u8::try_from(((u32::from(value) * factor + 50) / 100).clamp(1, 255)).unwrap_or(u8::MAX);
        let chrominance = CHROMINANCE.into_iter().chain(std::iter::repeat(99)).take(64);
        Tables(vec![LUMINANCE.map(scale).to_vec(), chrominance.map(scale).collect()])
    }

    /// Those of a packet (RFC 2435 §3.1.8): bit n of `precision` tells whether table n has 16 bits a value. One table serves for
    /// both. `None` where they are cut off.
    pub fn read(precision: u8, mut bytes: &[u8]) -> Option<Tables> {
        let mut tables = Vec::new();
        for number in 0..2 {
            if bytes.is_empty() {
                break;
            }
            let (table, rest) = bytes.split_at_checked(if precision >> number & 1 == 1 { 128 } else { 64 })?;
            tables.push(table.to_vec());
            bytes = rest;
        }
        (!tables.is_empty()).then_some(Tables(tables))
    }
}

/// What a head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// The RTP/JPEG type: even 4:2:2, odd 4:2:0.
    pub kind: u8,
    /// Coded units between restart markers, where there are any.
    pub restart_interval: Option<u16>,
    /// The quantization tables.
    pub tables: Tables,
}

impl Head {
    /// A whole JPEG of the entropy coded data.
    pub fn with_data(&self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 1024);
        out.extend([0xff, 0xd8]);
        for (number, table) in (0u8..).zip(&self.tables.0) {
            let precision = if table.len() > 64 { 0x10 } else { 0 };
            segment(&mut out, 0xdb, &[&[precision | number], table.as_slice()].concat());
        }
        if let Some(interval) = self.restart_interval {
            segment(&mut out, 0xdd, &interval.to_be_bytes());
        }
        segment(&mut out, 0xc0, &self.frame_header());
        for (class, lengths, symbols) in HUFFMAN {
            segment(&mut out, 0xc4, &[&[class][..], &lengths, symbols].concat());
        }
        segment(&mut out, 0xda, &[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]);
        out.extend_from_slice(data);
        if !data.ends_with(&[0xff, 0xd9]) {
            out.extend([0xff, 0xd9]);
        }
        out
    }

    /// The baseline frame header (T.81 §B.2.2): three components, luminance sampled twice across, and for 4:2:0 down.
    fn frame_header(&self) -> [u8; 15] {
        let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX).to_be_bytes();
        let ([w1, w0], [h1, h0]) = (side(self.size.0), side(self.size.1));
        let sampling = if self.kind & 1 == 0 { 0x21 } else { 0x22 };
        let chrominance = if self.tables.0.len() > 1 { 1 } else { 0 };
        [8, h1, h0, w1, w0, 3, 1, sampling, 0, 2, 0x11, chrominance, 3, 0x11, chrominance]
    }
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    out.extend([0xff, marker]);
    out.extend(u16::try_from(body.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::jpeg;

    /// An encoder that uses the standard's tables wrote it.
    const IMAGE: &[u8] = include_bytes!("../../tests/data/media/camera_640x480_1.jpg");

    #[test]
    fn the_tables_are_those_encoders_write() {
        for (class, lengths, symbols) in HUFFMAN {
            let table = [&[class][..], &lengths, symbols].concat();
            assert_eq!(lengths.iter().map(|&n| usize::from(n)).sum::<usize>(), symbols.len());
            assert!(IMAGE.windows(table.len()).any(|w| w == table), "class {class:02x}");
        }
    }

    #[test]
    fn a_head_makes_data_a_picture() {
        let head = Head { size: (640, 480), kind: 1, restart_interval: Some(4), tables: Tables::scaled(50) };
        let picture = head.with_data(&[1, 2, 3]);
        assert_eq!((jpeg::size(&picture), jpeg::end(&picture)), (Some((640, 480)), Some(picture.len())));
        let Tables(tables) = Tables::scaled(50);
        assert_eq!((tables[0][..4].to_vec(), tables[1][63]), (vec![16, 11, 12, 14], 99));
        assert_eq!(Tables::read(0, &[1; 100]), None, "cut off");
        assert_eq!(Tables::read(2, &[1; 192]), Some(Tables(vec![vec![1; 64], vec![1; 128]])));
    }
}
