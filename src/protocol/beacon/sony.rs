//! Sony's enquiry (SNC cameras): `key:value` fields that end in 0xff, between 0x02 and 0x03. Answers are broadcast to the port
//! that asked. Format: facts from julienblitte/UniversalScanner (written anew).

use super::device::Device;
use super::fields::string;
use super::{Asker, Maker};
use crate::model::{Kind, Protocol};

/// Sony's enquiry.
pub const MAKER: Maker =
    Maker { name: "Sony", protocol: Protocol::Sony, port: 2380, group: None, answers_at: Some(0), ask, read };

const START: u8 = 2;
const END: u8 = 3;
const FIELD_END: u8 = 0xff;

fn ask(_: &Asker) -> Vec<u8> {
    [&[START][..], b"ENQ:allinfo", &[FIELD_END, END]].concat()
}

fn read(answer: &[u8]) -> Option<Device> {
    let fields = answer.strip_prefix(&[START])?.strip_suffix(&[END])?;
    let field = |name: &str| {
        fields.split(|b| *b == FIELD_END).find_map(|f| {
            let at = f.iter().position(|b| *b == b':')?;
            let (key, value) = f.split_at_checked(at)?;
            key.eq_ignore_ascii_case(name.as_bytes()).then(|| string(value.get(1..)?)).flatten()
        })
    };
    let mac = field("MAC").and_then(|m| m.parse().ok());
    let model = field("MODEL");
    if mac.is_none() && model.is_none() {
        return None;
    }
    Some(Device {
        vendor: Some(("Sony".into(), 0.85)),
        model,
        mac,
        serial: field("SERIAL"),
        firmware: field("SOFTVERSION"),
        ip: field("IPADR").and_then(|i| i.parse().ok()),
        kind: Some((Kind::Camera, 0.7)),
        http_port: field("WEBPORT").and_then(|p| p.parse().ok()),
        ..Device::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_answer_names_model_serial_and_port() {
        let answer =
            b"\x02MAC:00-01-4a-00-00-01\xffMODEL:SNC-EB640\xffSERIAL:100001\xffINFO:allinfo\xffIPADR:192.0.2.60\xff\
            DNS1:\xffWEBPORT:80\xffSOFTVERSION:3.0.0\xff\x03";
        let device = read(answer).unwrap();
        assert_eq!((device.model.as_deref(), device.serial.as_deref()), (Some("SNC-EB640"), Some("100001")));
        assert_eq!((device.mac, device.ip), ("00:01:4a:00:00:01".parse().ok(), Some(Ipv4Addr::new(192, 0, 2, 60))));
        assert_eq!((device.http_port, device.firmware.as_deref()), (Some(80), Some("3.0.0")));
    }

    #[test]
    fn the_question_is_no_answer() {
        let question = ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 0 });
        assert_eq!(question, b"\x02ENQ:allinfo\xff\x03");
        assert_eq!(read(&question), None);
    }
}
