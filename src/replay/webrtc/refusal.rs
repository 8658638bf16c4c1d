//! A device with which no certificate can be agreed on: an RSA certificate is none that a scanner's handshake asks for (DTLS
//! 1.2, RFC 6347). What the device does then comes before anything is encrypted. Pure.

/// Types of records (RFC 5246 §6.2.1) and of messages (RFC 6347 §4.2.2).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const VERIFY_REQUEST: u8 = 3;
const CERTIFICATE: u8 = 11;
const HELLO_DONE: u8 = 14;

/// Suite, compression and extensions of a hello: ECDHE_ECDSA with AES-128-GCM; none; supported groups, signature algorithms,
/// extended master secret, use_srtp (RFC 8422, RFC 7627, RFC 5764).
const OFFERED: &[u8] = &[
    0, 2, 0xc0, 0x2b, 1, 0, 0, 33, 0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 13, 0, 6, 0, 4, 4, 3, 5, 3, 0, 23, 0, 0, 0, 14,
    0, 5, 0, 2, 0, 1, 0,
];

/// One handshake that leads to nothing.
pub(super) struct Refusal {
    /// Whether the device begins it.
    begins: bool,
    random: [u8; 32],
    records: u64,
    messages: u16,
    is_over: bool,
}

impl Refusal {
    /// One that this side begins, or the other; `random` is chance.
    pub fn new(begins: bool, random: [u8; 32]) -> Refusal {
        Refusal { begins, random, records: 0, messages: 0, is_over: false }
    }

    /// What is said when the other side asks whether somebody is there: as long as it has not answered, for it hears nothing
    /// before it knows the way.
    pub fn begin(&mut self) -> Option<Vec<u8>> {
        if !self.begins || self.messages > 1 {
            return None;
        }
        self.messages = 0;
        Some(self.hello(&[]))
    }

    /// What is said to a datagram; nothing to what is no part of the handshake.
    pub fn answer(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        if self.is_over {
            return None;
        }
        for (kind, body) in messages(datagram) {
            match kind {
                CLIENT_HELLO if !self.begins => {
                    self.is_over = true;
                    // Fatal; handshake_failure.
                    return Some(self.record(ALERT, &[2, 40]));
                }
                VERIFY_REQUEST if self.begins && self.messages == 1 => {
                    let length = body.get(2).copied().map_or(0, usize::from);
                    let cookie = body.get(3..3 + length)?.to_vec();
                    return Some(self.hello(&cookie));
                }
                HELLO_DONE if self.begins => {
                    self.is_over = true;
                    // A list of certificates without one: it has none of the kind that is asked for.
                    return Some(self.message(CERTIFICATE, &[0, 0, 0]));
                }
                _ => {}
            }
        }
        None
    }

    fn hello(&mut self, cookie: &[u8]) -> Vec<u8> {
        let length = u8::try_from(cookie.len()).unwrap_or(0);
        let random = self.random;
        let body = [&[0xfe, 0xfd][..], &random, &[0, length], cookie, OFFERED].concat();
        self.message(CLIENT_HELLO, &body)
    }

    fn message(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let [.., l2, l1, l0] = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
        let [n1, n0] = self.messages.to_be_bytes();
        self.messages = self.messages.saturating_add(1);
        let head = [kind, l2, l1, l0, n1, n0, 0, 0, 0, l2, l1, l0];
        self.record(HANDSHAKE, &[&head[..], body].concat())
    }

    fn record(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let [_, _, n5, n4, n3, n2, n1, n0] = self.records.to_be_bytes();
        self.records += 1;
        let [l1, l0] = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
        [&[kind, 0xfe, 0xfd, 0, 0, n5, n4, n3, n2, n1, n0, l1, l0][..], body].concat()
    }
}

/// The whole messages of a handshake in a datagram, as far as they are not encrypted: their types and bodies.
fn messages(mut datagram: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let Some((&[kind, _, _, e1, e0, _, _, _, _, _, _, l1, l0], rest)) = datagram.split_first_chunk::<13>() {
        let length = usize::from(u16::from_be_bytes([l1, l0]));
        let Some((mut record, rest)) = rest.split_at_checked(length) else { break };
        datagram = rest;
        if kind != HANDSHAKE || [e1, e0] != [0, 0] {
            continue;
        }
        while let Some((&[kind, _, _, _, _, _, _, _, _, f2, f1, f0], rest)) = record.split_first_chunk::<12>() {
            let length = usize::try_from(u32::from_be_bytes([0, f2, f1, f0])).unwrap_or(usize::MAX);
            let Some((body, rest)) = rest.split_at_checked(length) else { break };
            found.push((kind, body));
            record = rest;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a server says: a message of a handshake in a record.
    fn said(kind: u8, body: &[u8]) -> Vec<u8> {
        Refusal::new(false, [0; 32]).message(kind, body)
    }

    #[test]
    fn a_device_that_begins_has_no_certificate_to_show() {
        let mut device = Refusal::new(true, [7; 32]);
        let hello = device.begin().unwrap();
        assert_eq!(device.begin().map(|again| again[13..].to_vec()), Some(hello[13..].to_vec()), "it was not heard");
        assert_eq!(messages(&hello).iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [CLIENT_HELLO]);
        let again = device.answer(&said(VERIFY_REQUEST, &[0xfe, 0xff, 3, 1, 2, 3])).unwrap();
        let (_, body) = messages(&again)[0];
        assert_eq!(body[34..39], [0, 3, 1, 2, 3], "the cookie");
        assert_eq!(again[17..19], [0, 1], "the second message");
        assert_eq!(device.begin(), None, "it was heard");
        assert_eq!(device.answer(&said(2, &[1; 40])), None);
        let certificate = device.answer(&said(HELLO_DONE, &[])).unwrap();
        assert_eq!(messages(&certificate), [(CERTIFICATE, &[0, 0, 0][..])]);
        assert_eq!(device.answer(&said(HELLO_DONE, &[])), None, "it is over");
    }

    #[test]
    fn a_device_that_is_asked_refuses() {
        let mut device = Refusal::new(false, [7; 32]);
        assert_eq!(device.begin(), None);
        let alert = device.answer(&Refusal::new(true, [0; 32]).begin().unwrap()).unwrap();
        assert_eq!((alert[0], &alert[13..]), (ALERT, &[2, 40][..]));
    }

    proptest! {
        #[test]
        fn any_datagram_is_taken(begins: bool, datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4), kind in 0u8..20) {
            let mut device = Refusal::new(begins, [0; 32]);
            let _ = device.begin();
            for datagram in &datagrams {
                let _ = device.answer(datagram);
                let _ = device.answer(&said(kind, datagram));
            }
        }
    }
}
