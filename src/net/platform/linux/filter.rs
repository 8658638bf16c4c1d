//! Classic BPF programs that let the kernel drop the frames nobody asked for.

use socket2::SockFilter;

use crate::net::link::LinkKind;

const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
const LOAD_HALF_AT_X: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_IND) as u16;
const LOAD_BYTE_AT_X: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_IND) as u16;
const X_IS_IP_HEADER_LEN: u16 = (libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// The most of a frame that is delivered, bytes: Ethernet, IPv4 and TCP headers with all their options fit.
pub(super) const SNAP: usize = 192;

const ETHERTYPE_AT: u32 = 12;
const IPV4_AT: u32 = 14;

/// The program for a kind of frames.
pub(super) fn program(kind: LinkKind) -> Vec<SockFilter> {
    match kind {
        LinkKind::Arp => arp(),
        LinkKind::TcpAnswers { port } => tcp_answers(port),
    }
}

fn op(code: u16, jump_true: u8, jump_false: u8, k: u32) -> SockFilter {
    SockFilter::new(code, jump_true, jump_false, k)
}

/// ARP over Ethernet for IPv4.
fn arp() -> Vec<SockFilter> {
    vec![
        op(LOAD_HALF, 0, 0, ETHERTYPE_AT),
        op(IF_EQUAL, 0, 5, 0x0806),
        op(LOAD_HALF, 0, 0, IPV4_AT), // hardware type
        op(IF_EQUAL, 0, 3, 1),
        op(LOAD_HALF, 0, 0, IPV4_AT + 2), // protocol type
        op(IF_EQUAL, 0, 1, 0x0800),
        op(RETURN, 0, 0, SNAP as u32),
        op(RETURN, 0, 0, 0),
    ]
}

/// First fragments of IPv4 TCP segments to `port` that carry RST, or SYN and ACK.
fn tcp_answers(port: u16) -> Vec<SockFilter> {
    vec![
        op(LOAD_HALF, 0, 0, ETHERTYPE_AT),
        op(IF_EQUAL, 0, 12, 0x0800),
        op(LOAD_BYTE, 0, 0, IPV4_AT + 9), // protocol
        op(IF_EQUAL, 0, 10, 6),
        op(LOAD_HALF, 0, 0, IPV4_AT + 6), // fragment offset
        op(IF_ANY_BIT, 8, 0, 0x1fff),
        op(X_IS_IP_HEADER_LEN, 0, 0, IPV4_AT),
        op(LOAD_HALF_AT_X, 0, 0, IPV4_AT + 2), // destination port
        op(IF_EQUAL, 0, 5, u32::from(port)),
        op(LOAD_BYTE_AT_X, 0, 0, IPV4_AT + 13), // flags
        op(IF_ANY_BIT, 2, 0, 0x04),
        op(AND, 0, 0, 0x12),
        op(IF_EQUAL, 0, 1, 0x12),
        op(RETURN, 0, 0, SNAP as u32),
        op(RETURN, 0, 0, 0),
    ]
}
