//! RTP packets (RFC 3550 §5.1).

/// One RTP packet, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The marker: with video the last packet of a frame.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number, wrapping.
    pub sequence: u16,
    /// The timestamp in units of the clock rate, wrapping.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: u32,
    /// What is carried, without padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet. `None` for other versions, RTCP that strayed in (RFC 5761 §4) and what ends inside its header.
    /// Padding that cannot be is taken for payload.
    pub fn parse(bytes: &'a [u8]) -> Option<Packet<'a>> {
        let ([first, second, s1, s0, t3, t2, t1, t0, c3, c2, c1, c0], rest) = bytes.split_first_chunk::<12>()?;
        if first >> 6 != 2 || (192..=223).contains(second) {
            return None;
        }
        let mut payload = rest.get(usize::from(first & 0x0f) * 4..)?;
        if first & 0x10 != 0 {
            let ([_, _, l1, l0], rest) = payload.split_first_chunk::<4>()?;
            payload = rest.get(usize::from(u16::from_be_bytes([*l1, *l0])) * 4..)?;
        }
        if first & 0x20 != 0
            && let Some(&padding) = payload.last()
            && let Some(unpadded) = payload.len().checked_sub(padding.into()).and_then(|len| payload.get(..len))
        {
            payload = unpadded;
        }
        Some(Packet {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([*s1, *s0]),
            timestamp: u32::from_be_bytes([*t3, *t2, *t1, *t0]),
            ssrc: u32::from_be_bytes([*c3, *c2, *c1, *c0]),
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csrc_extension_and_padding_are_no_payload() {
        let packet = [
            &[0xb1, 0xe0, 0, 7, 0, 0, 0, 9, 1, 2, 3, 4][..],
            &[9; 4],
            &[0xbe, 0xde, 0, 1, 8, 8, 8, 8],
            &[0x65, 0x11, 0, 2],
        ]
        .concat();
        let read = Packet::parse(&packet).unwrap();
        assert_eq!((read.marker, read.payload_type, read.sequence, read.timestamp), (true, 96, 7, 9));
        assert_eq!(read.payload, [0x65, 0x11]);
        assert_eq!(Packet::parse(&packet[..15]), None);
        assert_eq!(Packet::parse(&[0x80, 200, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]), None, "a sender report");
    }
}
