//! The search of old Foscam, Wansview and other MJPEG cameras (magic `MO_I`), after the maker's "IP camera device search
//! protocol". Operation 0 asks, 1 answers; 2 would set the network and is never sent.

use super::device::Device;
use super::fields::{be16, bytes, ip, le16, text};
use super::{Asker, Maker};
use crate::model::{Kind, NetworkSettings, Protocol};

/// Foscam's search.
pub const MAKER: Maker =
    Maker { name: "Foscam", protocol: Protocol::Foscam, port: 10000, group: None, answers_at: Some(10000), ask, read };

const MAGIC: &[u8; 4] = b"MO_I";
const ANSWER: u16 = 1;
/// Magic 4, operation 2, reserved 9, length 4, reserved 4.
const HEADER: usize = 23;

fn ask(_: &Asker) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend([0; 11]);
    out.extend(4u32.to_le_bytes());
    out.extend(4u32.to_le_bytes());
    out.extend([0, 0, 0, 1]);
    out
}

fn read(answer: &[u8]) -> Option<Device> {
    if !answer.starts_with(MAGIC) || le16(answer, 4)? != ANSWER {
        return None;
    }
    let mut device =
        Device { vendor: Some(("Foscam or OEM".into(), 0.5)), kind: Some((Kind::Camera, 0.7)), ..Device::default() };
    // Newer firmware hides the rest behind a cipher and says so by bytes that are zero otherwise.
    if answer.get(7..15)?.iter().all(|b| *b == 0) {
        let version = |at| bytes::<4>(answer, at).map(|v| v.map(|n| n.to_string()).join("."));
        let id = text(answer, HEADER, 13);
        device.mac = id.as_deref().filter(|i| i.len() == 12).and_then(|i| i.parse().ok());
        device.serial = id;
        device.name = text(answer, HEADER + 13, 21).filter(|n| !n.eq_ignore_ascii_case("IPCAM"));
        device.ip = ip(answer, HEADER + 34);
        let dhcp =
            answer.get(HEADER + 64).and_then(|flag| [Some(false), Some(true)].get(usize::from(*flag)).copied()?);
        device.network = NetworkSettings::stated(ip(answer, HEADER + 38), ip(answer, HEADER + 42), dhcp);
        device.firmware = version(HEADER + 54);
        device.http_port = be16(answer, HEADER + 62);
    }
    Some(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_answer_names_id_address_and_firmware() {
        let mut answer = [&MAGIC[..], &[1, 0], &[0; 9], &[65, 0, 0, 0], &[0; 4]].concat();
        answer.extend(b"00626E000001\0Porch\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        answer.extend([192, 0, 2, 31, 255, 255, 255, 0, 192, 0, 2, 1, 192, 0, 2, 1, 0, 0, 0, 0]);
        answer.extend([11, 22, 2, 51, 2, 4, 18, 17, 0x1f, 0x90, 1]);
        let device = read(&answer).unwrap();
        assert_eq!((device.serial.as_deref(), device.name.as_deref()), (Some("00626E000001"), Some("Porch")));
        assert_eq!((device.mac, device.ip), ("00:62:6e:00:00:01".parse().ok(), Some(Ipv4Addr::new(192, 0, 2, 31))));
        assert_eq!((device.firmware.as_deref(), device.http_port), (Some("11.22.2.51"), Some(8080)));
        assert_eq!((device.network.prefix(), device.network.dhcp), (Some(24), Some(true)));
        assert_eq!(device.network.gateway, Some(Ipv4Addr::new(192, 0, 2, 1)));
        answer[7..15].copy_from_slice(b"_Foscam_");
        let hidden = read(&answer).unwrap();
        assert_eq!((hidden.serial, hidden.kind), (None, Some((Kind::Camera, 0.7))));
    }

    #[test]
    fn the_question_is_as_known_and_no_answer() {
        let question = ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 0 });
        let known = [&MAGIC[..], &[0; 11], &[4, 0, 0, 0, 4, 0, 0, 0], &[0, 0, 0, 1]].concat();
        assert_eq!((question.len(), &question), (27, &known));
        assert_eq!(read(&question), None);
    }
}
