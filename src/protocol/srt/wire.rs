//! The first two packets of SRT's handshake (draft-sharabayko-srt-01 §3.2.1 and §4.3.1.1). Pure.

/// Where MediaMTX listens.
pub const PORT: u16 = 8890;
/// Bytes of a handshake without extensions: the header and what it controls.
pub const LENGTH: usize = 16 + 48;

/// A control packet (§3.2): the first bit; the type of a handshake is 0.
const CONTROL: [u8; 4] = [0x80, 0, 0, 0];
/// What callers say in the induction phase.
const CALLERS_VERSION: u32 = 4;
const DATAGRAMS: u16 = 2;
/// What listeners answer.
const LISTENERS_VERSION: u32 = 5;
const MAGIC: u16 = 0x4a17;
/// The type of a handshake's first phase.
const INDUCTION: u32 = 1;

/// The packet a caller begins with. `socket` is its number of the connection, `sequence` its first packet would have.
pub fn induction(socket: u32, sequence: u32) -> Vec<u8> {
    /// The largest packet with its headers, and how many may be under way; the values of libsrt.
    const MTU: u32 = 1500;
    const WINDOW: u32 = 8192;
    let mut out = Vec::with_capacity(LENGTH);
    out.extend(CONTROL);
    // Additional information, the time since the beginning, and nobody in particular as destination.
    out.extend([0; 12]);
    out.extend(CALLERS_VERSION.to_be_bytes());
    // No encryption is asked for.
    out.extend([0; 2]);
    out.extend(DATAGRAMS.to_be_bytes());
    for field in [sequence & 0x7fff_ffff, MTU, WINDOW, INDUCTION, socket, 0] {
        out.extend(field.to_be_bytes());
    }
    // The address of the peer, which no listener needs.
    out.extend([0; 16]);
    out
}

/// Whether a packet is a listener's answer to the caller with this number.
pub fn is_answer(bytes: &[u8], socket: u32) -> bool {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    let half = |at: usize| bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes);
    bytes.len() >= LENGTH
        && bytes.starts_with(&CONTROL)
        && word(12) == Some(socket)
        && word(16) == Some(LISTENERS_VERSION)
        && half(22) == Some(MAGIC)
        && word(36) == Some(INDUCTION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A listener's answer as §4.3.1.1 has it.
    fn answer(socket: u32) -> Vec<u8> {
        let mut bytes = induction(0x55, 9);
        bytes[12..16].copy_from_slice(&socket.to_be_bytes());
        bytes[16..20].copy_from_slice(&5u32.to_be_bytes());
        bytes[22..24].copy_from_slice(&MAGIC.to_be_bytes());
        bytes[44..48].copy_from_slice(&0xfeed_beefu32.to_be_bytes());
        bytes
    }

    #[test]
    fn a_callers_first_packet_is_as_the_draft_has_it() {
        let packet = induction(0x0102_0304, u32::MAX);
        assert_eq!(packet.len(), LENGTH);
        assert_eq!(packet[..16], [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(packet[16..24], [0, 0, 0, 4, 0, 0, 0, 2]);
        assert_eq!(packet[24..28], [0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(packet[36..44], [0, 0, 0, 1, 1, 2, 3, 4]);
        assert!(!is_answer(&packet, 0x0102_0304), "an echo is no answer");
    }

    #[test]
    fn a_listeners_answer_is_known() {
        assert!(is_answer(&answer(7), 7));
        assert!(!is_answer(&answer(7), 8));
        assert!(!is_answer(&answer(7)[..63], 7));
    }

    proptest! {
        #[test]
        fn any_packet_is_survived(bytes: Vec<u8>) {
            prop_assert!(!is_answer(&bytes, 7) || bytes.len() >= LENGTH);
        }
    }
}
