//! Bosch's (before: VCS's) auto-detection: a binary question, answered to a port of its own in XML, by old devices in 32
//! bytes. Format: facts from julienblitte/UniversalScanner (written anew).

use super::device::Device;
use super::fields::{ip, mac};
use super::{Asker, Maker};
use crate::model::{Kind, Protocol};
use crate::wire::xml;

/// Bosch's auto-detection.
pub const MAKER: Maker =
    Maker { name: "Bosch", protocol: Protocol::Bosch, port: 1757, group: None, answers_at: Some(1758), ask, read };

const MAGIC: [u8; 4] = [0x99, 0x39, 0xa4, 0x27];
/// The port answers go to stands at the end: 1758.
const REQUEST: [u8; 4] = [0xff, 0x00, 0x06, 0xde];

fn ask(asker: &Asker) -> Vec<u8> {
    [MAGIC, (asker.nonce as u32).to_be_bytes(), REQUEST].concat()
}

fn read(answer: &[u8]) -> Option<Device> {
    let device = Device { vendor: Some(("Bosch".into(), 0.8)), ..Device::default() };
    if answer.starts_with(&MAGIC) && answer.len() == 32 {
        return Some(Device { mac: mac(answer, 8), ip: ip(answer, 16), ..device });
    }
    if !answer.trim_ascii_start().starts_with(b"<") {
        return None;
    }
    let document = xml::read(answer);
    let found = document.find("device")?;
    let text = |name: &str| found.child_text(name).map(str::to_owned);
    let port = |name: &str| found.child_text(name).and_then(|p| p.parse().ok());
    // UPnP descriptions look alike; these elements are Bosch's.
    let ip = text("unitIPAddress")?;
    Some(Device {
        model: text("friendlyName"),
        name: text("unitName"),
        serial: text("serialNumber"),
        mac: found.child_text("physAddress").and_then(|m| m.parse().ok()),
        ip: ip.parse().ok(),
        kind: Some((Kind::Camera, 0.5)),
        http_port: port("HTTPPort"),
        https_port: port("HTTPSPort"),
        ..device
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn both_forms_of_answer_are_read() {
        let answer = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><root xmlns=\"OEMExt00:device-1-0\"><device>\
            <friendlyName>FLEXIDOME IP 5000</friendlyName><unitName>Hall</unitName><serialNumber>1:2</serialNumber>\
            <physAddress>00-07-5f-00-00-01</physAddress><unitIPAddress>192.0.2.40</unitIPAddress><HTTPPort>80</HTTPPort>\
            <HTTPSPort>443</HTTPSPort></device></root>";
        let device = read(answer).unwrap();
        assert_eq!((device.model.as_deref(), device.name.as_deref()), (Some("FLEXIDOME IP 5000"), Some("Hall")));
        assert_eq!((device.mac, device.https_port), ("00:07:5f:00:00:01".parse().ok(), Some(443)));
        let old = [&MAGIC[..], &[0; 4], &[0, 7, 0x5f, 0, 0, 1, 0, 0], &[192, 0, 2, 41], &[0; 12]].concat();
        let old = read(&old).unwrap();
        assert_eq!((old.mac, old.ip), ("00:07:5f:00:00:01".parse().ok(), Some(Ipv4Addr::new(192, 0, 2, 41))));
    }

    #[test]
    fn the_question_and_upnp_are_no_answers() {
        let question = ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 1 });
        assert_eq!(question, [0x99, 0x39, 0xa4, 0x27, 0, 0, 0, 1, 0xff, 0, 6, 0xde]);
        assert_eq!(read(&question), None);
        assert_eq!(read(b"<root><device><friendlyName>x</friendlyName></device></root>"), None);
    }
}
