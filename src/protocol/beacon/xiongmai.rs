//! Xiongmai's DVRIP search, of devices under hundreds of names: a 20-byte header, then JSON with the network settings.
//! Format: facts from AlexxIT/go2rtc `internal/dvrip`.

use std::net::Ipv4Addr;

use super::device::Device;
use super::fields::{json, json_number, json_text, le16};
use super::{Asker, Maker};
use crate::model::{Kind, NetworkSettings, Protocol};

/// DVRIP.
pub const MAKER: Maker =
    Maker { name: "DVRIP", protocol: Protocol::Dvrip, port: 34569, group: None, answers_at: Some(34569), ask, read };

const SEARCH: u16 = 0x05fa;
const FOUND: u16 = 0x05fb;

fn ask(_: &Asker) -> Vec<u8> {
    let mut out = vec![0; 14];
    if let Some(first) = out.first_mut() {
        *first = 0xff;
    }
    out.extend(SEARCH.to_le_bytes());
    out.extend([0; 4]);
    out
}

fn read(answer: &[u8]) -> Option<Device> {
    if answer.first() != Some(&0xff) || le16(answer, 14)? != FOUND {
        return None;
    }
    let said = json(answer.get(20..)?)?;
    let info = said.get("NetWork.NetCommon")?;
    let at = |name: &str| json_text(info, name).and_then(|hex| address(&hex));
    let channels: u32 = json_number(info, "ChannelNum").unwrap_or(0);
    Some(Device {
        vendor: Some(("Xiongmai or OEM".into(), 0.65)),
        serial: json_text(info, "SN"),
        firmware: json_text(info, "Version"),
        name: json_text(info, "HostName").filter(|n| !n.eq_ignore_ascii_case("LocalHost")),
        mac: json_text(info, "MAC").and_then(|m| m.parse().ok()),
        ip: at("HostIP"),
        network: NetworkSettings::stated(at("Submask"), at("GateWay"), None),
        kind: Some(if channels > 1 { (Kind::Recorder, 0.6) } else { (Kind::Camera, 0.55) }),
        http_port: json_number(info, "HttpPort"),
        ..Device::default()
    })
}

/// `0x0A02000A` is 10.0.2.10: hexadecimal, the last byte first.
fn address(hex: &str) -> Option<Ipv4Addr> {
    let digits = hex.trim().trim_start_matches("0x").trim_start_matches("0X");
    u32::from_str_radix(digits, 16).ok().map(|n| Ipv4Addr::from(n.to_le_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_serial_and_channels() {
        let body = r#"{ "NetWork.NetCommon" : { "ChannelNum" : 4, "GateWay" : "0x010200C0", "Submask" : "0x00FFFFFF", "HostIP" : "0x0A0200C0", "HostName" : "Shop", "HttpPort" : 80,
            "MAC" : "00:12:12:00:00:01", "SN" : "0123456789abcdef", "TCPPort" : 34567, "Version" : "V4.02.R11" }, "Ret" : 100 }"#;
        let mut answer = vec![0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb, 5, 0, 0, 0, 0];
        answer.extend(body.as_bytes());
        answer.extend(b"\n\0");
        let device = read(&answer).unwrap();
        assert_eq!(device.ip, Some(Ipv4Addr::new(192, 0, 2, 10)));
        assert_eq!((device.network.prefix(), device.network.gateway), (Some(24), Some(Ipv4Addr::new(192, 0, 2, 1))));
        assert_eq!((device.serial.as_deref(), device.name.as_deref()), (Some("0123456789abcdef"), Some("Shop")));
        assert_eq!((device.kind, device.http_port), (Some((Kind::Recorder, 0.6)), Some(80)));
        assert_eq!(device.firmware.as_deref(), Some("V4.02.R11"));
        let named = String::from_utf8_lossy(&answer[20..]).replace("Shop", "LocalHost");
        assert_eq!(read(&[&answer[..20], named.as_bytes()].concat()).unwrap().name, None);
    }

    #[test]
    fn the_question_is_as_known_and_no_answer() {
        let question = ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 0 });
        assert_eq!(question, [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfa, 5, 0, 0, 0, 0]);
        assert_eq!(read(&question), None);
    }
}
