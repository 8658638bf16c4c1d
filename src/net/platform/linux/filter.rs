//! Classic BPF programs that let the kernel drop the frames nobody asked for.

use socket2::SockFilter;

use crate::net::link::{DISCOVERY_PORTS, LinkKind};

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
const HEADERS: usize = 192;
/// A whole frame of Ethernet's usual size, with room for tags.
const WHOLE: usize = 1600;

/// The most of a frame that is delivered, bytes.
pub(super) fn snap(kind: LinkKind) -> usize {
    match kind {
        LinkKind::Arp | LinkKind::TcpAnswers { .. } => HEADERS,
        LinkKind::Overheard => WHOLE,
    }
}

const ETHERTYPE_AT: u32 = 12;
const IPV4_AT: u32 = 14;

/// The program for a kind of frames.
pub(super) fn program(kind: LinkKind) -> Vec<SockFilter> {
    let instructions = match kind {
        LinkKind::Arp => arp(),
        LinkKind::Overheard => overheard(&DISCOVERY_PORTS),
        LinkKind::TcpAnswers { port } => tcp_answers(port),
    };
    instructions.into_iter().map(|(code, if_true, if_false, k)| SockFilter::new(code, if_true, if_false, k)).collect()
}

/// An instruction: its code, how many to skip where it holds and where not, and its operand.
type Instruction = (u16, u8, u8, u32);

fn op(code: u16, if_true: u8, if_false: u8, k: u32) -> Instruction {
    (code, if_true, if_false, k)
}

/// ARP over Ethernet for IPv4.
fn arp() -> Vec<Instruction> {
    vec![
        op(LOAD_HALF, 0, 0, ETHERTYPE_AT),
        op(IF_EQUAL, 0, 5, 0x0806),
        op(LOAD_HALF, 0, 0, IPV4_AT), // hardware type
        op(IF_EQUAL, 0, 3, 1),
        op(LOAD_HALF, 0, 0, IPV4_AT + 2), // protocol type
        op(IF_EQUAL, 0, 1, 0x0800),
        op(RETURN, 0, 0, HEADERS as u32),
        op(RETURN, 0, 0, 0),
    ]
}

/// First fragments of IPv4 TCP segments to `port` that carry RST, or SYN and ACK.
fn tcp_answers(port: u16) -> Vec<Instruction> {
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
        op(RETURN, 0, 0, HEADERS as u32),
        op(RETURN, 0, 0, 0),
    ]
}

/// ARP, and first fragments of IPv4 UDP datagrams from or to one of the ports.
fn overheard(ports: &[u16]) -> Vec<Instruction> {
    // Of each end one comparison a port; behind them the two ways out. The jumps reach over 120 ports.
    let most = ports.len() as u8;
    let drop_from = |left: u8| left + 2 * most + 1;
    let mut program = vec![
        op(LOAD_HALF, 0, 0, ETHERTYPE_AT),
        op(IF_EQUAL, drop_from(7) + 1, 0, 0x0806),
        op(IF_EQUAL, 0, drop_from(6), 0x0800),
        op(LOAD_BYTE, 0, 0, IPV4_AT + 9), // protocol
        op(IF_EQUAL, 0, drop_from(4), 17),
        op(LOAD_HALF, 0, 0, IPV4_AT + 6), // fragment offset
        op(IF_ANY_BIT, drop_from(2), 0, 0x1fff),
        op(X_IS_IP_HEADER_LEN, 0, 0, IPV4_AT),
        op(LOAD_HALF_AT_X, 0, 0, IPV4_AT), // source port
    ];
    let compare = |program: &mut Vec<Instruction>, behind: u8| {
        program.extend(ports.iter().zip((0..most).rev()).map(|(port, left)| {
            let to_accept = left + behind + 1;
            op(IF_EQUAL, to_accept, 0, u32::from(*port))
        }));
    };
    compare(&mut program, most + 1);
    program.push(op(LOAD_HALF_AT_X, 0, 0, IPV4_AT + 2)); // destination port
    compare(&mut program, 0);
    program.push(op(RETURN, 0, 0, 0));
    program.push(op(RETURN, 0, 0, WHOLE as u32));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program on a frame as the kernel does; how many bytes of it are delivered.
    fn run(program: &[Instruction], frame: &[u8]) -> u32 {
        let half = |at: usize| frame.get(at..at + 2).map(|b| u32::from(u16::from_be_bytes([b[0], b[1]])));
        let (mut at, mut a, mut x) = (0, 0u32, 0usize);
        loop {
            let (code, jump_true, jump_false, k) = program[at];
            at += 1;
            let holds = match code {
                RETURN => return k,
                LOAD_HALF | LOAD_HALF_AT_X | LOAD_BYTE => {
                    let from = k as usize + if code == LOAD_HALF_AT_X { x } else { 0 };
                    let loaded = if code == LOAD_BYTE { frame.get(from).map(|b| u32::from(*b)) } else { half(from) };
                    let Some(loaded) = loaded else { return 0 };
                    a = loaded;
                    continue;
                }
                X_IS_IP_HEADER_LEN => {
                    let Some(first) = frame.get(k as usize) else { return 0 };
                    x = usize::from(first & 0x0f) * 4;
                    continue;
                }
                IF_EQUAL => a == k,
                IF_ANY_BIT => a & k != 0,
                _ => panic!("unknown code {code:#x}"),
            };
            at += usize::from(if holds { jump_true } else { jump_false });
        }
    }

    fn udp(from: u16, to: u16) -> Vec<u8> {
        let mut frame = vec![0; 14];
        frame[12..14].copy_from_slice(&[8, 0]);
        frame.extend([0x46, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 1, 108, 239, 255, 255, 250, 1, 1, 1, 0]);
        frame.extend(from.to_be_bytes());
        frame.extend(to.to_be_bytes());
        frame.extend([0, 8, 0, 0]);
        frame
    }

    #[test]
    fn what_is_overheard_is_arp_and_the_ports_asked_for() {
        let many: Vec<u16> = (1..=120).map(|n| n * 100).collect();
        for ports in [&[37020u16][..], &[100, 200, 300], &DISCOVERY_PORTS, &many] {
            let program = overheard(ports);
            let mut arp = vec![0; 60];
            arp[12..14].copy_from_slice(&[8, 6]);
            assert_eq!(run(&program, &arp), WHOLE as u32);
            for port in ports {
                assert_eq!(run(&program, &udp(*port, 9)), WHOLE as u32, "from {port}");
                assert_eq!(run(&program, &udp(9, *port)), WHOLE as u32, "to {port}");
            }
            assert_eq!(run(&program, &udp(9, 11)), 0);
            let mut tcp = udp(ports[0], 9);
            tcp[23] = 6;
            let mut fragment = udp(ports[0], 9);
            fragment[21] = 1;
            let mut v6 = udp(ports[0], 9);
            v6[12..14].copy_from_slice(&[0x86, 0xdd]);
            for other in [tcp, fragment, v6, udp(ports[0], 9)[..30].to_vec(), Vec::new()] {
                assert_eq!(run(&program, &other), 0, "{other:?}");
            }
        }
    }
}
