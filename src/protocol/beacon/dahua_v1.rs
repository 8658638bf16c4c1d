//! Dahua's first discovery protocol, of devices before DHIP: a fixed binary head of 120 bytes, then the MAC address and model
//! as text, then `key:value` lines. Format: facts from julienblitte/UniversalScanner (written anew).

use super::device::Device;
use super::fields::{ip, le16, string, text};
use super::{Asker, Maker};
use crate::model::{NetworkSettings, Protocol};

/// Dahua's first protocol.
pub const MAKER: Maker =
    Maker { name: "Dahua", protocol: Protocol::Dhip, port: 5050, group: None, answers_at: Some(5050), ask, read };

const HEAD: usize = 120;
/// `00:11:22:33:44:55`.
const MAC_TEXT: usize = 17;

fn ask(_: &Asker) -> Vec<u8> {
    let mut out = vec![0; 32];
    for (at, byte) in [(0, 0xa3), (1, 1), (3, 1), (16, 2)] {
        if let Some(place) = out.get_mut(at) {
            *place = byte;
        }
    }
    out
}

fn read(answer: &[u8]) -> Option<Device> {
    if answer.first() != Some(&0xb3) || answer.len() < HEAD {
        return None;
    }
    let names = usize::from(le16(answer, 2)?);
    let lines = usize::from(le16(answer, 20)?);
    let mac = text(answer, HEAD, MAC_TEXT.min(names)).and_then(|m| m.parse().ok())?;
    let model = answer.get(HEAD + MAC_TEXT..HEAD + names).and_then(string).or_else(|| text(answer, 40, 16));
    let lines = answer.get(HEAD + names..).map(|rest| rest.get(..lines.min(rest.len())).unwrap_or_default());
    let lines = String::from_utf8_lossy(lines.unwrap_or_default()).into_owned();
    let line = |key: &str| {
        let values = lines.lines().filter_map(|l| l.split_once(':'));
        values.filter(|(k, _)| k.trim() == key).find_map(|(_, v)| string(v.as_bytes()))
    };
    Some(Device {
        vendor: Some(("Dahua or OEM".into(), 0.7)),
        model: line("Device").or(model),
        serial: line("SerialNo"),
        mac: Some(mac),
        ip: ip(answer, 56),
        network: NetworkSettings::stated(ip(answer, 60), ip(answer, 64), None),
        ..Device::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn answer(lines: &str) -> Vec<u8> {
        let mut out = vec![0; HEAD];
        out[0] = 0xb3;
        out[2] = 24;
        out[20] = lines.len() as u8;
        out[40..43].copy_from_slice(b"DVR");
        out[56..68].copy_from_slice(&[192, 0, 2, 108, 255, 255, 255, 0, 192, 0, 2, 1]);
        out.extend(b"00:11:22:33:44:55DH-DVR1");
        out.extend(lines.as_bytes());
        out
    }

    #[test]
    fn an_answer_names_mac_model_and_serial() {
        let device = read(&answer(
            "Name:Dahua\r\nDevice:DVR0404\r\nIPv6Addr:fe80::1/64;gateway:fe80::\r\n\r\nSerialNo:TZ0000001\r\n\r\n",
        ))
        .unwrap();
        assert_eq!((device.model.as_deref(), device.serial.as_deref()), (Some("DVR0404"), Some("TZ0000001")));
        assert_eq!((device.mac, device.ip), ("00:11:22:33:44:55".parse().ok(), Some(Ipv4Addr::new(192, 0, 2, 108))));
        assert_eq!((device.network.prefix(), device.network.gateway), (Some(24), Some(Ipv4Addr::new(192, 0, 2, 1))));
        assert_eq!(read(&answer("")).unwrap().model.as_deref(), Some("DH-DVR1"));
    }

    #[test]
    fn what_is_cut_off_or_asked_is_no_answer() {
        assert_eq!(read(&answer("")[..100]), None);
        assert_eq!(read(&ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 0 })), None);
    }
}
