//! Hikvision SADP (Search Active Devices Protocol): an XML inquiry, answered by Hikvision devices and those sold under other
//! names, activated or not. Field names: facts from julienblitte/UniversalScanner and answers quoted in public repositories.

use std::net::Ipv4Addr;

use super::device::Device;
use super::{Asker, Maker};
use crate::model::{Activation, Kind, NetworkSettings, Protocol};
use crate::probe::udp_query;
use crate::wire::xml;

/// SADP.
pub const MAKER: Maker = Maker {
    name: "SADP",
    protocol: Protocol::Sadp,
    port: 37020,
    group: Some(Ipv4Addr::new(239, 255, 255, 250)),
    answers_at: None,
    ask,
    read,
};

fn ask(asker: &Asker) -> Vec<u8> {
    let uuid = udp_query::uuid(asker.nonce).to_ascii_uppercase();
    format!(r#"<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>{uuid}</Uuid><Types>inquiry</Types></Probe>"#)
        .into_bytes()
}

fn read(answer: &[u8]) -> Option<Device> {
    if !answer.trim_ascii_start().starts_with(b"<") {
        return None;
    }
    let document = xml::read(answer);
    let found = document.roots.iter().find(|r| r.name.eq_ignore_ascii_case("ProbeMatch"))?;
    // ONVIF's ProbeMatch has other elements.
    found.child("DeviceDescription").or(found.child("DeviceSN")).or(found.child("IPv4Address"))?;
    let text = |name: &str| found.child_text(name).map(str::to_owned);
    let port = |name: &str| found.child_text(name).and_then(|p| p.parse().ok());
    let channels = |name: &str| port(name).unwrap_or(0u16);
    let (analogue, digital) = (channels("AnalogChannelNum"), channels("DigitalChannelNum"));
    let address = |name: &str| found.child_text(name).and_then(|ip| ip.parse().ok());
    let is = |name: &str| {
        let said = found.child_text(name)?;
        [("true", true), ("false", false)]
            .into_iter()
            .find(|(word, _)| said.eq_ignore_ascii_case(word))
            .map(|(_, is)| is)
    };
    let activation = is("Activated").map(|is| if is { Activation::Activated } else { Activation::NotActivated });
    let mut device = Device {
        vendor: Some(("Hikvision or OEM".into(), 0.75)),
        model: text("DeviceDescription"),
        serial: text("DeviceSN"),
        firmware: text("SoftwareVersion"),
        mac: found.child_text("MAC").and_then(|m| m.parse().ok()),
        ip: address("IPv4Address"),
        network: NetworkSettings::stated(address("IPv4SubnetMask"), address("IPv4Gateway"), is("DHCP")),
        activation,
        kind: Some(if analogue > 0 || digital > 1 { (Kind::Recorder, 0.55) } else { (Kind::Camera, 0.5) }),
        http_port: port("HttpPort"),
        ..Device::default()
    };
    if activation == Some(Activation::NotActivated) {
        device.notes.push("not activated: it has no password yet".into());
    }
    Some(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ProbeMatch><Uuid>11223344-5566-4788-9900-112233445566</Uuid>\n\
        <Types>inquiry</Types>\n<DeviceType>141945</DeviceType>\n<DeviceDescription>DS-2CD2042WD-I</DeviceDescription>\n\
        <DeviceSN>DS-2CD2042WD-I20200101AAWR000000001</DeviceSN>\n<CommandPort>8000</CommandPort>\n<HttpPort>81</HttpPort>\n\
        <MAC>44-19-b6-00-00-01</MAC>\n<IPv4Address>192.0.0.64</IPv4Address>\n\
        <IPv4SubnetMask>255.255.255.0</IPv4SubnetMask>\n<IPv4Gateway>192.0.0.1</IPv4Gateway>\n<DHCP>false</DHCP>\n\
        <AnalogChannelNum>0</AnalogChannelNum>\n<DigitalChannelNum>1</DigitalChannelNum>\n\
        <SoftwareVersion>V5.4.5build 170124</SoftwareVersion>\n<Activated>false</Activated>\n</ProbeMatch>\r\n\0";

    #[test]
    fn an_answer_names_model_serial_and_state() {
        let device = read(ANSWER.as_bytes()).unwrap();
        assert_eq!(device.model.as_deref(), Some("DS-2CD2042WD-I"));
        assert_eq!(device.serial.as_deref(), Some("DS-2CD2042WD-I20200101AAWR000000001"));
        assert_eq!(device.firmware.as_deref(), Some("V5.4.5build 170124"));
        assert_eq!(device.mac, "44:19:b6:00:00:01".parse().ok());
        assert_eq!(device.ip, Some(Ipv4Addr::new(192, 0, 0, 64)));
        assert_eq!((device.http_port, device.kind), (Some(81), Some((Kind::Camera, 0.5))));
        assert_eq!(device.notes, ["not activated: it has no password yet"]);
        assert_eq!(device.activation, Some(Activation::NotActivated));
        let gateway = Some(Ipv4Addr::new(192, 0, 0, 1));
        assert_eq!(
            device.network,
            NetworkSettings::stated(Some(Ipv4Addr::new(255, 255, 255, 0)), gateway, Some(false))
        );
        let recorder =
            ANSWER.replace("<DigitalChannelNum>1<", "<DigitalChannelNum>16<").replace(">false</A", ">true</A");
        let recorder = read(recorder.as_bytes()).unwrap();
        assert_eq!((recorder.kind, recorder.notes.len()), (Some((Kind::Recorder, 0.55)), 0));
        assert_eq!(recorder.activation, Some(Activation::Activated));
    }

    #[test]
    fn the_question_is_an_inquiry_and_no_answer() {
        let question = ask(&Asker { ip: Ipv4Addr::LOCALHOST, mac: None, nonce: 7 });
        let document = xml::read(&question);
        assert_eq!(document.find_text("Types"), Some("inquiry"));
        assert_eq!(read(&question), None);
        assert_eq!(read(b"<ProbeMatch><Types>dn:NetworkVideoTransmitter</Types></ProbeMatch>"), None);
    }
}
