//! RTCP: the reports that senders and receivers of RTP exchange (RFC 3550 §6).

/// The packet types read and written here (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// The item of a source description that names the source (RFC 3550 §6.5.1).
const CNAME: u8 = 1;
/// Blocks or sources that one packet can hold: the count has five bits.
const MOST: usize = 31;
/// The least and the largest number of lost packets that 24 bits can hold.
const LOST: (i32, i32) = (-0x80_0000, 0x7f_ffff);

/// One RTCP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rtcp {
    /// What a sender says of its stream, and of those that it receives.
    SenderReport {
        /// Who sends.
        ssrc: u32,
        /// Its clocks and counts.
        info: SenderInfo,
        /// What it receives; 31 at most.
        blocks: Vec<ReportBlock>,
    },
    /// What a receiver says of the streams it gets.
    ReceiverReport {
        /// Who receives.
        ssrc: u32,
        /// What it receives; 31 at most.
        blocks: Vec<ReportBlock>,
    },
    /// The lasting name of a source.
    Description {
        /// The source.
        ssrc: u32,
        /// Its canonical name, 255 bytes at most.
        cname: Vec<u8>,
    },
    /// Sources that send no more.
    Goodbye {
        /// Which; 31 at most.
        sources: Vec<u32>,
    },
}

/// A sender's clocks and counts (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was made by the sender's wall clock: seconds since 1900, and their 2³²ths.
    pub ntp: u64,
    /// The same moment by the clock of the RTP timestamps.
    pub rtp_time: u32,
    /// Packets sent so far, wrapping.
    pub packets: u32,
    /// Payload bytes sent so far, wrapping.
    pub bytes: u32,
}

/// How well one source is received (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// The part of packets lost since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the beginning, within 24 bits; below zero where more came than were sent.
    pub lost: i32,
    /// The highest sequence number received, with how often it wrapped in the upper half.
    pub highest_sequence: u32,
    /// The jitter between arrivals, in units of the timestamps' clock.
    pub jitter: u32,
    /// The middle of the NTP time of the last sender report; 0 when none came.
    pub last_report: u32,
    /// How long ago that came, in 65,536ths of a second.
    pub since_last_report: u32,
}

/// Whether bytes are RTCP and not RTP (RFC 5761 §4).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [first, 192..=223, ..] if first >> 6 == 2)
}

/// The packets of a compound packet (RFC 3550 §6.1), as far as they make sense; those of other types are passed over.
pub fn parse(mut bytes: &[u8]) -> Vec<Rtcp> {
    let mut packets = Vec::new();
    while let Some((&[first, kind, l1, l0], _)) = bytes.split_first_chunk::<4>() {
        let length = 4 * (usize::from(u16::from_be_bytes([l1, l0])) + 1);
        let Some((packet, rest)) = bytes.split_at_checked(length).filter(|_| first >> 6 == 2) else { break };
        let padding = packet.last().filter(|_| first & 0x20 != 0).map_or(0, |&padding| usize::from(padding));
        let end = packet.len().saturating_sub(padding);
        let body = packet.get(4..end).unwrap_or_default();
        let count = usize::from(first & 0x1f);
        match kind {
            SENDER_REPORT => packets.extend(sender_report(body, count)),
            RECEIVER_REPORT => packets.extend(receiver_report(body, count)),
            DESCRIPTION => descriptions(body, count, &mut packets),
            GOODBYE => packets.push(Rtcp::Goodbye { sources: words(body).take(count).collect() }),
            _ => {}
        }
        bytes = rest;
    }
    packets
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().copied().map(u32::from_be_bytes)
}

fn sender_report(body: &[u8], count: usize) -> Option<Rtcp> {
    let mut words = words(body);
    let (ssrc, ntp1, ntp0) = (words.next()?, words.next()?, words.next()?);
    let (rtp_time, packets, bytes) = (words.next()?, words.next()?, words.next()?);
    let info = SenderInfo { ntp: u64::from(ntp1) << 32 | u64::from(ntp0), rtp_time, packets, bytes };
    Some(Rtcp::SenderReport { ssrc, info, blocks: blocks(words, count) })
}

fn receiver_report(body: &[u8], count: usize) -> Option<Rtcp> {
    let mut words = words(body);
    Some(Rtcp::ReceiverReport { ssrc: words.next()?, blocks: blocks(words, count) })
}

fn blocks(mut words: impl Iterator<Item = u32>, count: usize) -> Vec<ReportBlock> {
    let block = |_| {
        let (ssrc, losses) = (words.next()?, words.next()?);
        let (highest_sequence, jitter) = (words.next()?, words.next()?);
        let (last_report, since_last_report) = (words.next()?, words.next()?);
        let [fraction_lost, ..] = losses.to_be_bytes();
        // The sign of 24 bits is spread over 32.
        let lost = (losses << 8) as i32 >> 8;
        Some(ReportBlock { ssrc, fraction_lost, lost, highest_sequence, jitter, last_report, since_last_report })
    };
    (0..count).map_while(block).collect()
}

/// The chunks of a source description, each of which ends with a zero at a multiple of four bytes (RFC 3550 §6.5).
fn descriptions(mut body: &[u8], count: usize, packets: &mut Vec<Rtcp>) {
    for _ in 0..count {
        let Some((ssrc, mut items)) = body.split_first_chunk::<4>() else { return };
        let ssrc = u32::from_be_bytes(*ssrc);
        let mut taken = 4;
        while let Some((&[kind, length], rest)) = items.split_first_chunk::<2>().filter(|(head, _)| head[0] != 0) {
            let Some((text, rest)) = rest.split_at_checked(length.into()) else { return };
            if kind == CNAME {
                packets.push(Rtcp::Description { ssrc, cname: text.to_vec() });
            }
            taken += 2 + text.len();
            items = rest;
        }
        body = body.get((taken + 1).next_multiple_of(4)..).unwrap_or_default();
    }
}

/// Packets as one compound packet. What one cannot hold is left out: blocks and sources beyond 31, bytes of a name beyond
/// 255.
pub fn emit(packets: &[Rtcp]) -> Vec<u8> {
    let mut out = Vec::new();
    for packet in packets {
        let start = out.len();
        let (kind, count) = match packet {
            Rtcp::SenderReport { blocks, .. } => (SENDER_REPORT, blocks.len()),
            Rtcp::ReceiverReport { blocks, .. } => (RECEIVER_REPORT, blocks.len()),
            Rtcp::Description { .. } => (DESCRIPTION, 1),
            Rtcp::Goodbye { sources } => (GOODBYE, sources.len()),
        };
        out.extend([0x80 | count.min(MOST) as u8, kind, 0, 0]);
        emit_body(packet, &mut out);
        out.resize(out.len().next_multiple_of(4), 0);
        let length = ((out.len() - start) / 4 - 1) as u16;
        if let Some(field) = out.get_mut(start + 2..start + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
    out
}

fn emit_body(packet: &Rtcp, out: &mut Vec<u8>) {
    match packet {
        Rtcp::SenderReport { ssrc, info, blocks } => {
            out.extend(ssrc.to_be_bytes());
            out.extend(info.ntp.to_be_bytes());
            out.extend([info.rtp_time, info.packets, info.bytes].into_iter().flat_map(u32::to_be_bytes));
            blocks.iter().take(MOST).for_each(|block| emit_block(block, out));
        }
        Rtcp::ReceiverReport { ssrc, blocks } => {
            out.extend(ssrc.to_be_bytes());
            blocks.iter().take(MOST).for_each(|block| emit_block(block, out));
        }
        Rtcp::Description { ssrc, cname } => {
            let cname = cname.get(..usize::from(u8::MAX)).unwrap_or(cname);
            out.extend(ssrc.to_be_bytes());
            out.extend([CNAME, cname.len() as u8]);
            out.extend(cname);
            // The zero that ends the chunk.
            out.push(0);
        }
        Rtcp::Goodbye { sources } => out.extend(sources.iter().take(MOST).flat_map(|ssrc| ssrc.to_be_bytes())),
    }
}

fn emit_block(block: &ReportBlock, out: &mut Vec<u8>) {
    let [_, lost @ ..] = block.lost.clamp(LOST.0, LOST.1).to_be_bytes();
    out.extend(block.ssrc.to_be_bytes());
    out.push(block.fraction_lost);
    out.extend(lost);
    let rest = [block.highest_sequence, block.jitter, block.last_report, block.since_last_report];
    out.extend(rest.into_iter().flat_map(u32::to_be_bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn a_receivers_compound_packet_to_the_byte() {
        let block = ReportBlock {
            ssrc: 0x0102_0304,
            fraction_lost: 64,
            lost: -2,
            highest_sequence: 0x0001_0005,
            jitter: 7,
            last_report: 0xb705_2000,
            since_last_report: 0x0005_4000,
        };
        let packets = [
            Rtcp::ReceiverReport { ssrc: 9, blocks: vec![block] },
            Rtcp::Description { ssrc: 9, cname: b"cam".to_vec() },
        ];
        let bytes = [
            &[0x81, 201, 0, 7, 0, 0, 0, 9][..],
            &[1, 2, 3, 4, 64, 0xff, 0xff, 0xfe, 0, 1, 0, 5, 0, 0, 0, 7, 0xb7, 5, 0x20, 0, 0, 5, 0x40, 0],
            &[0x81, 202, 0, 3, 0, 0, 0, 9, 1, 3, b'c', b'a', b'm', 0, 0, 0],
        ]
        .concat();
        assert_eq!(emit(&packets), bytes);
        assert_eq!(parse(&bytes), packets);
    }

    #[test]
    fn other_types_padding_and_cut_ends_cost_no_more_than_themselves() {
        let goodbye = Rtcp::Goodbye { sources: vec![5] };
        let feedback = [0x80, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        let padded = [0xa1, 203, 0, 2, 0, 0, 0, 5, 0, 0, 0, 4];
        assert_eq!(parse(&[&feedback[..], &padded, &[0x80, 200, 0, 6, 1]].concat()), [goodbye]);
        assert_eq!(parse(b"RTSP/1.0 200 OK"), []);
        // A sender report that says it has two blocks and has one.
        let report = Rtcp::SenderReport { ssrc: 1, info: SenderInfo::default(), blocks: vec![ReportBlock::default()] };
        let mut bytes = emit(std::slice::from_ref(&report));
        bytes[0] = 0x82;
        assert_eq!(parse(&bytes), [report]);
    }

    fn block() -> impl Strategy<Value = ReportBlock> {
        let words = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
        (words, any::<u8>(), LOST.0..=LOST.1).prop_map(
            |((ssrc, sequence, jitter, last, since), fraction_lost, lost)| ReportBlock {
                ssrc,
                fraction_lost,
                lost,
                highest_sequence: sequence,
                jitter,
                last_report: last,
                since_last_report: since,
            },
        )
    }

    fn packet() -> impl Strategy<Value = Rtcp> {
        let info = (any::<u64>(), any::<u32>(), any::<u32>(), any::<u32>())
            .prop_map(|(ntp, rtp_time, packets, bytes)| SenderInfo { ntp, rtp_time, packets, bytes });
        prop_oneof![
            (any::<u32>(), info, vec(block(), 0..=MOST)).prop_map(|(ssrc, info, blocks)| Rtcp::SenderReport {
                ssrc,
                info,
                blocks
            }),
            (any::<u32>(), vec(block(), 0..=MOST)).prop_map(|(ssrc, blocks)| Rtcp::ReceiverReport { ssrc, blocks }),
            (any::<u32>(), vec(any::<u8>(), 0..=255)).prop_map(|(ssrc, cname)| Rtcp::Description { ssrc, cname }),
            vec(any::<u32>(), 0..=MOST).prop_map(|sources| Rtcp::Goodbye { sources }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_emitted_is_read_back(packets in vec(packet(), 0..5)) {
            prop_assert_eq!(parse(&emit(&packets)), packets);
        }
    }
}
