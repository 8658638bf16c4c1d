//! Ubiquiti's discovery: a four-byte question, an answer of type, length and value. Switches, radios and recorders answer
//! too. Types: facts from colincarter/ubiquiti-parser, unifi-cam-proxy's notes and julienblitte/UniversalScanner.

use std::net::Ipv4Addr;

use super::device::Device;
use super::fields::{be16, bytes, ip, mac, string};
use super::{Asker, Maker};
use crate::model::{Activation, Kind, Protocol};

/// Ubiquiti's discovery.
pub const MAKER: Maker = Maker {
    name: "Ubiquiti",
    protocol: Protocol::Ubnt,
    port: 10001,
    group: Some(Ipv4Addr::new(233, 89, 188, 1)),
    answers_at: None,
    ask,
    read,
};

fn ask(_: &Asker) -> Vec<u8> {
    vec![1, 0, 0, 0]
}

fn read(answer: &[u8]) -> Option<Device> {
    let [version, command] = bytes(answer, 0)?;
    let length = usize::from(be16(answer, 2)?);
    if !matches!(version, 1 | 2) || !matches!(command, 0 | 6 | 8 | 9 | 11) || length == 0 || length + 4 > answer.len() {
        return None;
    }
    let mut device = Device { vendor: Some(("Ubiquiti".into(), 0.85)), ..Device::default() };
    let (mut platform, mut known) = (None, false);
    let mut rest = answer.get(4..4 + length)?;
    while let (Some(kind), Some(length)) = (rest.first().copied(), be16(rest, 1)) {
        let Some(value) = rest.get(3..3 + usize::from(length)) else { break };
        rest = rest.get(3 + value.len()..).unwrap_or_default();
        known |= matches!(kind, 1..=3 | 0x0b..=0x16);
        match kind {
            1 | 0x13 if value.len() == 6 => device.mac = device.mac.or(mac(value, 0)),
            2 if value.len() == 10 => {
                device.mac = device.mac.or(mac(value, 0));
                device.ip = device.ip.or(ip(value, 6));
            }
            3 => device.firmware = string(value),
            0x0b => device.name = string(value),
            0x0c => platform = string(value),
            0x14 | 0x15 => device.model = device.model.or(string(value)),
            0x17 if value.last() == Some(&1) => {
                device.activation = Some(Activation::FactoryDefault);
                device.notes.push("not adopted by a controller yet".into());
            }
            _ => {}
        }
    }
    // Without any known field it is somebody else's protocol.
    if !known || (device.mac.is_none() && platform.is_none() && device.model.is_none()) {
        return None;
    }
    device.model = device.model.or(platform.clone());
    let said = format!("{} {}", platform.unwrap_or_default(), device.model.as_deref().unwrap_or_default());
    device.kind = Some(kind(&said.to_ascii_uppercase()));
    device.name = device.name.filter(|n| Some(n) != device.model.as_ref());
    Some(device)
}

fn kind(model: &str) -> (Kind, f64) {
    let has = |with: &[&str]| with.iter().any(|w| model.contains(w));
    match () {
        () if has(&["UVC", "AIRCAM"]) => (Kind::Camera, 0.85),
        () if has(&["UNVR", "NVR"]) => (Kind::Recorder, 0.7),
        () => (Kind::Other, 0.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(fields: &[(u8, &[u8])]) -> Vec<u8> {
        let body: Vec<u8> =
            fields.iter().flat_map(|(kind, value)| [&[*kind, 0, value.len() as u8][..], value].concat()).collect();
        [&[1, 0, 0, body.len() as u8][..], &body].concat()
    }

    #[test]
    fn a_camera_is_told_from_a_switch() {
        let station = [0x74, 0x83, 0xc2, 0, 0, 1, 192, 0, 2, 22];
        let camera = read(&answer(&[
            (2, &station),
            (0x0b, b"Garage"),
            (0x0c, b"UVC G3 Flex"),
            (3, b"UVC.S2L.v4.75.62"),
            (0x17, &[0, 0, 0, 1]),
        ]))
        .unwrap();
        assert_eq!((camera.model.as_deref(), camera.name.as_deref()), (Some("UVC G3 Flex"), Some("Garage")));
        assert_eq!((camera.mac, camera.ip), ("74:83:c2:00:00:01".parse().ok(), Some(Ipv4Addr::new(192, 0, 2, 22))));
        assert_eq!(camera.kind, Some((Kind::Camera, 0.85)));
        assert_eq!(camera.notes, ["not adopted by a controller yet"]);
        assert_eq!(camera.activation, Some(Activation::FactoryDefault));
        let switch = read(&answer(&[(1, &station[..6]), (0x15, b"US8P60"), (3, b"x")])).unwrap();
        assert_eq!(switch.kind, Some((Kind::Other, 0.5)));
    }

    #[test]
    fn other_protocols_are_not_taken_for_it() {
        assert_eq!(read(&ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 0 })), None);
        assert_eq!(read(&answer(&[(0x99, b"x")])), None);
        assert_eq!(read(&[1, 0, 0, 200, 1, 0, 6]), None);
    }
}
