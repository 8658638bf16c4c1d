//! Messages of STUN and TURN (RFC 8489 §5 and §14, RFC 8656 §18). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The usual port, UDP and TCP.
pub const PORT: u16 = 3478;
/// The usual port inside TLS.
pub const PORT_TLS: u16 = 5349;
/// Bytes of a header.
pub const HEADER: usize = 20;
/// What every message holds (§5).
const COOKIE: u32 = 0x2112_a442;

/// The number that ties an answer to its question.
pub type Transaction = [u8; 12];

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Which address a request comes from.
    Binding,
    /// A relay for UDP.
    Allocate,
    /// A relay's life, here always its end.
    Release,
}

impl Method {
    fn code(self) -> u16 {
        match self {
            Method::Binding => 1,
            Method::Allocate => 3,
            Method::Release => 4,
        }
    }
}

/// A request without any login.
pub fn request(method: Method, transaction: &Transaction) -> Vec<u8> {
    let attribute: &[u8] = match method {
        Method::Binding => &[],
        // REQUESTED-TRANSPORT: 17 is UDP.
        Method::Allocate => &[0, 0x19, 0, 4, 17, 0, 0, 0],
        // LIFETIME of nothing.
        Method::Release => &[0, 0x0d, 0, 4, 0, 0, 0, 0],
    };
    let mut out = method.code().to_be_bytes().to_vec();
    out.extend([0, if attribute.is_empty() { 0 } else { 8 }]);
    out.extend(COOKIE.to_be_bytes());
    out.extend(transaction);
    out.extend(attribute);
    out
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The code of an error (§14.8), 300 to 699; none for a success.
    pub error: Option<u16>,
    /// The address the request came from, as the server saw it.
    pub mapped: Option<SocketAddr>,
    /// What the server calls itself, as sent.
    pub software: Option<String>,
    /// The realm of the login it demands, as sent.
    pub realm: Option<String>,
    /// Whether it gave a nonce to log in with.
    pub has_nonce: bool,
}

/// How long a message is, header included; none until the header is there, and none for what is no STUN message.
pub fn length(bytes: &[u8]) -> Option<usize> {
    let &[high, _, l1, l0, c3, c2, c1, c0] = bytes.first_chunk::<8>()?;
    let body = usize::from(u16::from_be_bytes([l1, l0]));
    let is_stun = high & 0xc0 == 0 && u32::from_be_bytes([c3, c2, c1, c0]) == COOKIE && body.is_multiple_of(4);
    is_stun.then_some(HEADER + body)
}

/// Reads an answer to a request; none when it is none. Attributes that make no sense are passed over.
pub fn parse(bytes: &[u8], method: Method, transaction: &Transaction) -> Option<Answer> {
    let message = bytes.get(..length(bytes)?)?;
    let (head, mut rest) = message.split_first_chunk::<HEADER>()?;
    let kind = u16::from_be_bytes(*head.first_chunk()?);
    // The class stands in bits 4 and 8: 0x100 success, 0x110 error.
    let is_error = kind == method.code() | 0x110;
    if !(is_error || kind == method.code() | 0x100) || head.get(8..)? != transaction {
        return None;
    }
    let mut answer = Answer { error: is_error.then_some(0), ..Answer::default() };
    while let Some((&[k1, k0, l1, l0], after)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([l1, l0]));
        let Some(value) = after.get(..length) else { break };
        let text = || Some(String::from_utf8_lossy(value.get(..value.len().min(763)).unwrap_or(value)).into_owned());
        match u16::from_be_bytes([k1, k0]) {
            0x0001 => answer.mapped = answer.mapped.or(address(value, &[0; 16])),
            0x0020 => answer.mapped = address(value, &mask(transaction)).or(answer.mapped),
            0x0009 if is_error => {
                let &[_, _, class, number] = value.first_chunk::<4>().unwrap_or(&[0; 4]);
                answer.error = Some(u16::from(class & 7) * 100 + u16::from(number.min(99)));
            }
            0x0014 => answer.realm = text(),
            0x0015 => answer.has_nonce = true,
            0x8022 => answer.software = text(),
            _ => {}
        }
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(answer)
}

/// What a XOR-MAPPED-ADDRESS is masked with (§14.2): the cookie, then the transaction.
fn mask(transaction: &Transaction) -> [u8; 16] {
    let mut mask = [0; 16];
    for (to, from) in mask.iter_mut().zip(COOKIE.to_be_bytes().iter().chain(transaction)) {
        *to = *from;
    }
    mask
}

fn address(value: &[u8], mask: &[u8; 16]) -> Option<SocketAddr> {
    let (&[_, family, p1, p0], rest) = value.split_first_chunk::<4>()?;
    let [m1, m0, ..] = *mask;
    let port = u16::from_be_bytes([p1 ^ m1, p0 ^ m0]);
    let plain = |bytes: &[u8]| bytes.iter().zip(mask).map(|(b, m)| b ^ m).collect::<Vec<u8>>();
    let ip: IpAddr = match family {
        1 => Ipv4Addr::from(*plain(rest.first_chunk::<4>()?).first_chunk::<4>()?).into(),
        2 => Ipv6Addr::from(*plain(rest.first_chunk::<16>()?).first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{HEADER, Transaction};

    /// An answer to a request: message type and attributes.
    pub fn answer(request: &[u8], kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend((value.len() as u16).to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), &request[4..HEADER], &body].concat()
    }

    pub fn transaction(request: &[u8]) -> Transaction {
        request[8..HEADER].try_into().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: Transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    /// The masked addresses of the test vectors in RFC 5769 §2.2 and §2.3.
    #[test]
    fn the_vectors_of_rfc_5769() {
        let request = request(Method::Binding, &ID);
        assert_eq!(testing::transaction(&request), ID);
        let v4 = [0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let v6 = [
            0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9,
            0xd9,
        ];
        for (value, mapped) in [(&v4[..], "192.0.2.1:32853"), (&v6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")] {
            let bytes = testing::answer(&request, 0x101, &[(0x8022, b"test vector"), (0x20, value)]);
            let answer = parse(&bytes, Method::Binding, &ID).unwrap();
            assert_eq!(answer.mapped, Some(mapped.parse().unwrap()));
            assert_eq!((answer.software.as_deref(), answer.error), (Some("test vector"), None));
            assert_eq!(parse(&bytes, Method::Binding, &[0; 12]), None, "not our question");
            assert_eq!(parse(&bytes, Method::Allocate, &ID), None);
        }
    }

    #[test]
    fn a_relay_that_demands_a_login() {
        let request = request(Method::Allocate, &ID);
        assert_eq!(length(&request), Some(request.len()));
        let error =
            testing::answer(&request, 0x113, &[(9, b"\0\0\x04\x01Unauthorized"), (0x14, b"example.org"), (0x15, b"n")]);
        let answer = parse(&error, Method::Allocate, &ID).unwrap();
        assert_eq!((answer.error, answer.realm.as_deref(), answer.has_nonce), (Some(401), Some("example.org"), true));
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>, at in 0..64usize, value: u8) {
            parse(&bytes, Method::Binding, &ID);
            let request = request(Method::Binding, &ID);
            let mut real = testing::answer(&request, 0x101, &[(0x20, &[0, 1, 1, 1, 1, 1, 1, 1]), (0x8022, b"abc")]);
            let len = real.len();
            real[at % len] = value;
            parse(&real, Method::Binding, &ID);
        }
    }
}
