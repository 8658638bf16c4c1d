//! What SSDP answers and device types state about a device. Pure.

use std::net::IpAddr;

use super::wire::{Answer, PORT, mac_of_udn};
use crate::identify::signature::Field;
use crate::model::{EvidenceSource, Fact, FindingKind, Kind, Method, Protocol, Service, Transport};
use crate::probe::evidence::Facts;
use crate::text;

impl Answer {
    /// What the answer states about its sender.
    pub fn facts(&self, sender: IpAddr) -> Facts {
        let mut facts = Facts::default();
        facts.findings.push(FindingKind::Seen(Method::Ssdp));
        let mut service = Service::new(Protocol::Upnp, Transport::Udp, PORT);
        service.server = self.server.as_deref().and_then(text::clean_some);
        match self.location_at(sender) {
            Ok(Some(location)) => service.url = Some(location.shown(sender)),
            Ok(None) => {}
            Err(host) => service.notes.push(format!("announces its description on another host, {host}: not fetched")),
        }
        // Without an address it would hide the one another answer gave.
        if service.url.is_some() || !service.notes.is_empty() {
            facts.findings.push(FindingKind::Service(service));
        }
        facts.word(Fact::Serial, self.serial(), EvidenceSource::Upnp, 0.6, "USN");
        facts.mac(self.udn().and_then(mac_of_udn));
        facts.add_text(Field::SsdpServer, self.server.as_deref());
        if let Some(device_type) = self.target.as_deref().filter(|t| t.starts_with("urn:")) {
            facts.add_text(Field::UpnpDeviceType, Some(device_type));
            kind_of_type(device_type, &mut facts);
        }
        facts
    }
}

/// The kind of device that a standard device type stands for.
pub fn kind_of_type(device_type: &str, facts: &mut Facts) {
    const OTHERS: [&str; 10] = [
        "InternetGatewayDevice",
        "WANDevice",
        "WANConnectionDevice",
        "WLANAccessPointDevice",
        "WFADevice",
        "MediaServer",
        "MediaRenderer",
        "Printer",
        "Scanner",
        "ZonePlayer",
    ];
    let mut parts = device_type.split(':').skip_while(|p| *p != "device").skip(1);
    let Some(name) = parts.next() else { return };
    if name == "DigitalSecurityCamera" {
        facts.kind(Kind::Camera, EvidenceSource::Upnp, 0.8, device_type);
    } else if OTHERS.contains(&name) {
        facts.kind(Kind::Other, EvidenceSource::Upnp, 0.7, device_type);
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::parse;
    use super::*;
    use crate::wire::url::AnnouncedUrl;
    use proptest::prelude::*;
    use serde_json::Value;

    fn data(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn check(answer: Option<Answer>, wanted: &Value, name: &str) {
        if wanted["verdict"] == "ignore" || wanted["is_answer"] == false {
            return assert_eq!(answer, None, "{name}");
        }
        let answer = answer.unwrap();
        let off_host = wanted["verdict"] == "location off host, not fetched";
        let sender = wanted["location"].as_str().and_then(|l| AnnouncedUrl::read_http(l)?.ip());
        let facts = answer.facts(sender.unwrap_or_else(|| "192.0.2.250".parse().unwrap()));
        let service = facts.findings.iter().find_map(|f| match f {
            FindingKind::Service(s) => Some(s),
            _ => None,
        });
        let url = service.and_then(|s| s.url.as_deref()).map(|u| u.replace(":80/", "/"));
        if wanted.get("location").is_some() || off_host {
            assert_eq!(url.as_deref(), wanted["location"].as_str(), "{name}");
            assert_eq!(service.is_some_and(|s| !s.notes.is_empty()), off_host, "{name}");
        }
        if let Some(serial) = wanted["serial"].as_str() {
            assert_eq!(facts.value(Fact::Serial), Some(serial), "{name}");
        }
        if let Some(mac) = wanted.get("mac") {
            let ours = answer.udn().and_then(mac_of_udn).map(|m| m.to_string().to_uppercase());
            assert_eq!(ours.as_deref(), mac.as_str(), "{name}");
        }
    }

    #[test]
    fn odd_answers_say_what_they_must() {
        let all: Value = serde_json::from_slice(&data("expected.json")).unwrap();
        let files = all["files"].as_object().unwrap();
        let answers = files.iter().filter(|(n, _)| n.starts_with("ssdp/") && n.ends_with(".txt"));
        assert_eq!(answers.map(|(name, wanted)| check(parse(&data(name)), wanted, name)).count(), 5);
    }

    #[test]
    #[ignore = "needs the captures CAMSCAN_CAPTURES names"]
    fn captures_say_what_they_must() {
        let folder = crate::testkit::captures::folder();
        let all: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let files = all["files"].as_object().unwrap();
        let answers = files.iter().filter(|(n, _)| n.starts_with("ssdp/") && n.ends_with(".txt"));
        let read = |name: &str| parse(&std::fs::read(folder.join(name)).unwrap());
        assert_eq!(answers.map(|(name, wanted)| check(read(name), wanted, name)).count(), 3);
    }

    proptest! {
        #[test]
        fn any_answer_states_something_without_panic(text in any::<String>(), sender in any::<IpAddr>()) {
            if let Some(answer) = parse(format!("HTTP/1.1 200 OK\n{text}").as_bytes()) {
                let _ = answer.facts(sender);
            }
        }
    }
}
