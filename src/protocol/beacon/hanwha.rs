//! Hanwha's (before: Samsung Techwin's) search: a fixed structure of 262 bytes, answered to a port of its own.
//! Format: facts from julienblitte/UniversalScanner (written anew).

use super::device::Device;
use super::fields::{le16, text};
use super::{Asker, Maker};
use crate::model::{Kind, MacAddr, NetworkSettings, Protocol};

/// Hanwha's search.
pub const MAKER: Maker =
    Maker { name: "Hanwha", protocol: Protocol::Hanwha, port: 7701, group: None, answers_at: Some(7711), ask, read };

const LENGTH: usize = 262;
/// Up to the address of the web pages.
const SHORTEST: usize = 172;

fn ask(asker: &Asker) -> Vec<u8> {
    let mut out = vec![1];
    // Given back in the answer.
    out.extend(asker.nonce.to_be_bytes());
    out.resize(LENGTH, 0);
    out
}

fn read(answer: &[u8]) -> Option<Device> {
    if answer.first() != Some(&0x0b) || answer.len() < SHORTEST {
        return None;
    }
    // There is no magic word: the MAC address and the address have to look like what they are.
    let mac: MacAddr = text(answer, 19, 18).filter(|m| m.len() == 17)?.parse().ok()?;
    let ip = text(answer, 37, 16)?.parse().ok()?;
    let address = |at| text(answer, at, 16).and_then(|ip| ip.parse().ok());
    Some(Device {
        network: NetworkSettings::stated(address(53), address(69), None),
        vendor: Some(("Hanwha".into(), 0.8)),
        model: text(answer, 109, 10),
        mac: Some(mac),
        ip: Some(ip),
        kind: Some((Kind::Camera, 0.55)),
        http_port: le16(answer, 120).filter(|p| *p != 0),
        ..Device::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_answer_names_model_and_port() {
        let mut answer = vec![0; LENGTH];
        answer[0] = 0x0b;
        answer[19..36].copy_from_slice(b"00:09:18:00:00:01");
        answer[37..47].copy_from_slice(b"192.0.2.55");
        answer[53..64].copy_from_slice(b"255.255.0.0");
        answer[69..78].copy_from_slice(b"192.0.0.1");
        answer[109..117].copy_from_slice(b"SND-6083");
        answer[120..124].copy_from_slice(&[80, 0, 0xa8, 0x11]);
        let device = read(&answer).unwrap();
        assert_eq!((device.model.as_deref(), device.http_port), (Some("SND-6083"), Some(80)));
        assert_eq!((device.mac, device.ip), ("00:09:18:00:00:01".parse().ok(), Some(Ipv4Addr::new(192, 0, 2, 55))));
        assert_eq!((device.network.prefix(), device.network.gateway), (Some(16), Some(Ipv4Addr::new(192, 0, 0, 1))));
        answer[19] = b'x';
        assert_eq!(read(&answer), None);
    }

    #[test]
    fn the_question_is_no_answer() {
        let question = ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: u128::MAX });
        assert_eq!((question.len(), question[0]), (LENGTH, 1));
        assert_eq!(read(&question), None);
    }
}
