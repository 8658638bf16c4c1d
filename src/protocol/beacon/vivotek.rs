//! Vivotek's search: a number and a magic word, answered by type, length and value. Format: facts from julienblitte/UniversalScanner (written anew).

use super::device::Device;
use super::fields::{ip, le16, mac, string};
use super::{Asker, Maker};
use crate::model::{Kind, Protocol};

/// Vivotek's search.
pub const MAKER: Maker =
    Maker { name: "Vivotek", protocol: Protocol::Vivotek, port: 10000, group: None, answers_at: None, ask, read };

const MAGIC: [u8; 4] = [0x4a, 0x5d, 0x8f, 0x1c];

fn ask(asker: &Asker) -> Vec<u8> {
    // Any number but 0.
    [&[asker.nonce as u8 | 1][..], &MAGIC].concat()
}

fn read(answer: &[u8]) -> Option<Device> {
    answer.get(1..5).filter(|magic| *magic == MAGIC)?;
    let mut device =
        Device { vendor: Some(("Vivotek".into(), 0.85)), kind: Some((Kind::Camera, 0.6)), ..Device::default() };
    let mut rest = answer.get(5..).filter(|r| !r.is_empty())?;
    while let [kind, length, after @ ..] = rest {
        // One type has a value in place of its length.
        if *kind == 4 {
            rest = after;
            continue;
        }
        let Some(value) = after.get(..usize::from(*length)) else { break };
        rest = after.get(value.len()..).unwrap_or_default();
        match kind {
            1 => device.name = string(value),
            2 => device.mac = mac(value, 0),
            3 => device.ip = ip(value, 0),
            6 => device.http_port = le16(value, 0),
            9 => device.model = string(value),
            _ => {}
        }
    }
    Some(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_answer_names_model_mac_and_port() {
        let answer = [
            &[2][..],
            &MAGIC,
            &[1, 5],
            b"Lobby",
            &[2, 6, 0, 2, 0xd1, 0, 0, 1],
            &[3, 4, 192, 0, 2, 30],
            &[4, 27],
            &[6, 2, 0x90, 0x1f],
            &[9, 7],
            b"IP8332C",
        ]
        .concat();
        let device = read(&answer).unwrap();
        assert_eq!((device.name.as_deref(), device.model.as_deref()), (Some("Lobby"), Some("IP8332C")));
        assert_eq!((device.mac, device.ip), ("00:02:d1:00:00:01".parse().ok(), Some(Ipv4Addr::new(192, 0, 2, 30))));
        assert_eq!(device.http_port, Some(8080));
    }

    #[test]
    fn the_question_is_no_answer() {
        let question = ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 0 });
        assert_eq!(question, [1, 0x4a, 0x5d, 0x8f, 0x1c]);
        assert_eq!(read(&question), None);
    }
}
