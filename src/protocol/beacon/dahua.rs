//! Dahua's second discovery protocol: JSON behind a 32-byte header of the kind `DHIP`. Answered by Dahua devices and those
//! sold under other names. Format: facts from julienblitte/UniversalScanner and answers quoted in public repositories (a
//! Rapid7 script for Lorex cameras, a study of UDP amplification).

use std::net::Ipv4Addr;

use serde_json::Value;

use super::device::Device;
use super::fields::{json, json_number, json_text};
use super::{Asker, Maker};
use crate::model::{Activation, Kind, NetworkSettings, Protocol};

/// DHIP.
pub const MAKER: Maker = Maker {
    name: "DHIP",
    protocol: Protocol::Dhip,
    port: 37810,
    group: Some(Ipv4Addr::new(239, 255, 255, 251)),
    answers_at: None,
    ask,
    read,
};

const HEADER: usize = 32;

fn ask(_: &Asker) -> Vec<u8> {
    let body = "{ \"method\" : \"DHDiscover.search\", \"params\" : { \"mac\" : \"\", \"uni\" : 1 } }\n";
    frame(body)
}

/// Header length, kind, session (0), body length, number (0), body length, 0; numbers low byte first.
fn frame(body: &str) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = vec![HEADER as u8, 0, 0, 0];
    out.extend(b"DHIP");
    out.extend([0; 8]);
    out.extend(length);
    out.extend([0; 4]);
    out.extend(length);
    out.extend([0; 4]);
    out.extend(body.as_bytes());
    out
}

fn read(answer: &[u8]) -> Option<Device> {
    answer.get(4..8).filter(|kind| *kind == b"DHIP")?;
    let said = json(answer.get(HEADER..)?)?;
    if said.get("method").and_then(Value::as_str) != Some("client.notifyDevInfo") {
        return None;
    }
    let info = said.get("params")?.get("deviceInfo")?;
    let class = json_text(info, "DeviceClass").unwrap_or_default();
    let v4 = info.get("IPv4Address");
    let address = |name: &str| json_text(v4?, name)?.parse().ok();
    let dhcp = v4.and_then(|v4| v4.get("DhcpEnable")?.as_bool());
    let activation = json_number(info, "Init").and_then(activation);
    let mut device = Device {
        vendor: Some(vendor(json_text(info, "Vendor"))),
        model: json_text(info, "DeviceType"),
        serial: json_text(info, "SerialNo"),
        firmware: json_text(info, "Version"),
        name: json_text(info, "MachineName").filter(|n| Some(n) != json_text(info, "SerialNo").as_ref()),
        mac: json_text(&said, "mac").and_then(|m| m.parse().ok()),
        ip: address("IPAddress"),
        network: NetworkSettings::stated(address("SubnetMask"), address("DefaultGateway"), dhcp),
        activation,
        kind: kind(&class),
        http_port: json_number(info, "HttpPort"),
        https_port: json_number(info, "HttpsPort"),
        ..Device::default()
    };
    if activation == Some(Activation::NotActivated) {
        device.notes.push("not initialised: it has no password yet".into());
    }
    Some(device)
}

/// The lowest two bits of `Init`: 0 knows no initialisation, 1 not initialised, 2 initialised.
fn activation(init: u64) -> Option<Activation> {
    match init & 3 {
        1 => Some(Activation::NotActivated),
        2 => Some(Activation::Activated),
        _ => None,
    }
}

/// `General` and `Private` stand for brands that put no name of their own.
fn vendor(stated: Option<String>) -> (String, f64) {
    match stated.filter(|v| !v.eq_ignore_ascii_case("General") && !v.eq_ignore_ascii_case("Private")) {
        Some(name) => (name, 0.85),
        None => ("Dahua or OEM".into(), 0.7),
    }
}

fn kind(class: &str) -> Option<(Kind, f64)> {
    let class = class.to_ascii_uppercase();
    let starts = |with: &[&str]| with.iter().any(|w| class.starts_with(w));
    match () {
        () if starts(&["IPC", "SD", "TPC", "IP CAMERA"]) => Some((Kind::Camera, 0.85)),
        () if starts(&["NVR", "DVR", "HCVR", "XVR", "HDVR", "EVS", "IVSS"]) => Some((Kind::Recorder, 0.85)),
        () if starts(&["VTO"]) => Some((Kind::Intercom, 0.85)),
        () if starts(&["NVS"]) => Some((Kind::Encoder, 0.7)),
        () if starts(&["VTH", "VTS", "ASI", "NVD"]) => Some((Kind::Other, 0.6)),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{ "mac" : "3c:ef:8c:00:00:01", "method" : "client.notifyDevInfo", "params" : { "deviceInfo" : {
        "DeviceClass" : "IPC", "DeviceType" : "IPC-HDW5421S", "HttpPort" : 8080, "IPv4Address" : { "DhcpEnable" : false,
        "DefaultGateway" : "192.0.2.1", "IPAddress" : "192.0.2.108", "SubnetMask" : "255.255.255.0" }, "MachineName" : "1F000000000001", "Port" : 37777, "SerialNo" : "1F000000000001",
        "Vendor" : "General", "Version" : "2.400.0.8", "Init" : 1161 } } }"#;

    #[test]
    fn an_answer_names_model_serial_and_state() {
        let device = read(&frame(&format!("{BODY}\n\0"))).unwrap();
        assert_eq!(device.vendor, Some(("Dahua or OEM".into(), 0.7)));
        assert_eq!(device.model.as_deref(), Some("IPC-HDW5421S"));
        assert_eq!(device.serial.as_deref(), Some("1F000000000001"));
        assert_eq!((device.name.clone(), device.http_port), (None, Some(8080)));
        assert_eq!(device.mac, "3c:ef:8c:00:00:01".parse().ok());
        assert_eq!(device.ip, Some(Ipv4Addr::new(192, 0, 2, 108)));
        assert_eq!(device.kind, Some((Kind::Camera, 0.85)));
        assert_eq!(device.notes, ["not initialised: it has no password yet"]);
        assert_eq!(device.activation, Some(Activation::NotActivated));
        assert_eq!((device.network.prefix(), device.network.dhcp), (Some(24), Some(false)));
        assert_eq!(device.network.gateway, Some(Ipv4Addr::new(192, 0, 2, 1)));
        let lorex = BODY.replace("General", "Lorex").replace("1161", "1162").replace("\"IPC\"", "\"VTO\"");
        let lorex = read(&frame(&lorex)).unwrap();
        assert_eq!(lorex.vendor, Some(("Lorex".into(), 0.85)));
        assert_eq!((lorex.kind, lorex.notes.len()), (Some((Kind::Intercom, 0.85)), 0));
        assert_eq!(lorex.activation, Some(Activation::Activated));
        let silent = read(&frame(&BODY.replace("1161", "1160"))).unwrap();
        assert_eq!(silent.activation, None);
    }

    #[test]
    fn the_question_states_its_length_twice_and_is_no_answer() {
        let question = ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 0 });
        let length = (question.len() - HEADER) as u8;
        assert_eq!(
            question[..HEADER],
            [&[32, 0, 0, 0][..], b"DHIP", &[0; 8], &[length, 0, 0, 0, 0, 0, 0, 0], &[length, 0, 0, 0, 0, 0, 0, 0]]
                .concat()
        );
        assert_eq!(read(&question), None);
    }
}
