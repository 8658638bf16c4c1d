//! VStarcam's (Eye4's) search: a four-byte question, answered by a fixed structure of texts. Format: facts from julienblitte/UniversalScanner (written anew).

use super::device::Device;
use super::fields::{le16, mac, text};
use super::{Asker, Maker};
use crate::model::{Kind, NetworkSettings, Protocol};

/// VStarcam's search.
pub const MAKER: Maker = Maker {
    name: "VStarcam",
    protocol: Protocol::Vstarcam,
    port: 8600,
    group: None,
    answers_at: Some(8600),
    ask,
    read,
};

fn ask(_: &Asker) -> Vec<u8> {
    b"DH\x01\x01".to_vec()
}

fn read(answer: &[u8]) -> Option<Device> {
    if !answer.starts_with(b"DH\x01\x08") || answer.len() < 0x100 {
        return None;
    }
    let address = |at| text(answer, at, 16).and_then(|ip| ip.parse().ok());
    Some(Device {
        network: NetworkSettings::stated(address(0x14), address(0x24), None),
        vendor: Some(("VStarcam or OEM".into(), 0.6)),
        serial: text(answer, 0x5c, 32),
        name: text(answer, 0x7c, 32),
        firmware: text(answer, 0xcc, 32),
        mac: mac(answer, 0x54),
        ip: address(4),
        kind: Some((Kind::Camera, 0.7)),
        http_port: le16(answer, 0x5a),
        ..Device::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_answer_names_serial_and_port() {
        let mut answer = vec![0; 0x100];
        for (at, bytes) in [
            (0, &b"DH\x01\x08192.0.2.80"[..]),
            (0x14, b"255.255.255.0"),
            (0x24, b"192.0.2.1"),
            (0x54, &[0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x90, 0x1f]),
            (0x5c, b"VSTA000001ABCDE"),
            (0x7c, b"Nursery"),
            (0xcc, b"48.53.64.67"),
        ] {
            answer[at..at + bytes.len()].copy_from_slice(bytes);
        }
        let device = read(&answer).unwrap();
        assert_eq!((device.serial.as_deref(), device.name.as_deref()), (Some("VSTA000001ABCDE"), Some("Nursery")));
        assert_eq!((device.mac, device.ip), ("00:11:22:33:44:55".parse().ok(), Some(Ipv4Addr::new(192, 0, 2, 80))));
        assert_eq!((device.network.prefix(), device.network.gateway), (Some(24), Some(Ipv4Addr::new(192, 0, 2, 1))));
        assert_eq!((device.http_port, device.firmware.as_deref()), (Some(8080), Some("48.53.64.67")));
    }

    #[test]
    fn the_question_is_no_answer() {
        assert_eq!(read(&ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 0 })), None);
    }
}
