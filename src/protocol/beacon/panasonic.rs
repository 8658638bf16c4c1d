//! Panasonic's (i-PRO's) search: a fixed head, then type, length and value. Answers are broadcast to a port of its own.
//! Format: facts from julienblitte/UniversalScanner (written anew).

use super::device::Device;
use super::fields::{be16, ip, mac, string};
use super::{Asker, Maker};
use crate::model::{Kind, MacAddr, Protocol};

/// Panasonic's search.
pub const MAKER: Maker = Maker {
    name: "Panasonic",
    protocol: Protocol::Panasonic,
    port: 10670,
    group: None,
    answers_at: Some(10669),
    ask,
    read,
};

/// Where types, lengths and values begin in an answer.
const VALUES: usize = 53;
/// Commands: asking and answering.
const ASK: [u8; 2] = [0, 0x0d];
const ANSWER: [u8; 2] = [0, 0x0e];

fn ask(asker: &Asker) -> Vec<u8> {
    let mut out = vec![0, 1, 0, 0];
    out.extend(ASK);
    out.extend([0; 6]);
    out.extend(asker.mac.unwrap_or(MacAddr::BROADCAST).0);
    out.extend(asker.ip.octets());
    out.extend([0x00, 0x01, 0x20, 0x11, 0x1e, 0x11, 0x23, 0x1f, 0x1e, 0x19, 0x13, 0x00, 0x00, 0x02]);
    out.extend([0; 12]);
    out.extend([0xff, 0xff, 0, 0]);
    out
}

fn read(answer: &[u8]) -> Option<Device> {
    if answer.first() != Some(&0) || answer.get(4..6) != Some(&ANSWER) {
        return None;
    }
    let mut device = Device { mac: Some(mac(answer, 6)?), ..Device::default() };
    let mut rest = answer.get(VALUES..)?;
    while let (Some(kind), Some(length)) = (be16(rest, 0), be16(rest, 2)) {
        let Some(value) = rest.get(4..4 + usize::from(length)) else { break };
        rest = rest.get(4 + value.len()..).unwrap_or_default();
        match kind {
            0x20 => device.ip = ip(value, 0),
            0x25 => device.http_port = be16(value, 0),
            0xa7 => device.model = string(value),
            0xa8 => device.model = device.model.or(string(value)),
            0xa9 => device.firmware = string(value),
            _ => {}
        }
    }
    device.model.as_ref()?;
    device.vendor = Some(("Panasonic".into(), 0.8));
    device.kind = Some((Kind::Camera, 0.55));
    Some(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_answer_names_model_address_and_firmware() {
        let mut answer = vec![0, 1, 1, 0x75, 0, 0x0e, 0, 0x80, 0xf0, 0, 0, 1];
        answer.resize(VALUES, 0);
        for (kind, value) in [
            (0x20, &[192, 0, 2, 70][..]),
            (0x25, &[0, 80]),
            (0xa7, b"WV-SC385\0\0\0\0"),
            (0xa8, b"SC385"),
            (0xa9, b"1.46\0"),
        ] {
            answer.extend([0, kind, 0, value.len() as u8]);
            answer.extend(value);
        }
        answer.extend([0xff, 0xff, 0x30, 0x17]);
        let device = read(&answer).unwrap();
        assert_eq!((device.model.as_deref(), device.firmware.as_deref()), (Some("WV-SC385"), Some("1.46")));
        assert_eq!((device.mac, device.ip), ("00:80:f0:00:00:01".parse().ok(), Some(Ipv4Addr::new(192, 0, 2, 70))));
        assert_eq!(device.http_port, Some(80));
        assert_eq!(read(&answer[..60]), None);
    }

    #[test]
    fn the_question_names_who_asks_and_is_no_answer() {
        let asker = Asker { ip: Ipv4Addr::new(192, 0, 2, 2), mac: "00:11:22:33:44:55".parse().ok(), nonce: 0 };
        let question = ask(&asker);
        assert_eq!(question.len(), 52);
        assert_eq!(question[12..22], [0, 0x11, 0x22, 0x33, 0x44, 0x55, 192, 0, 2, 2]);
        assert_eq!(read(&question), None);
    }
}
