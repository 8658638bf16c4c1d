//! Reads a UPnP device description (UPnP Device Architecture 1.1 §2.3). Pure.

use std::net::IpAddr;

use super::facts::kind_of_type;
use super::wire::mac_of_udn;
use crate::identify::signature::Field;
use crate::identify::vendor::says_nothing;
use crate::model::{EvidenceSource, Fact, FindingKind, MacAddr, Service, Transport};
use crate::probe::evidence::Facts;
use crate::wire::url::AnnouncedUrl;
use crate::wire::xml::{self, Element};

/// A device's description. Texts are as sent, trimmed; what is empty is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// The maker.
    pub manufacturer: Option<String>,
    /// The model.
    pub model_name: Option<String>,
    /// The model's number.
    pub model_number: Option<String>,
    /// The serial number; some makers put the MAC address here.
    pub serial: Option<String>,
    /// The name for people.
    pub friendly_name: Option<String>,
    /// The unique name without `uuid:`.
    pub udn: Option<String>,
    /// The types of the device and of those embedded in it, the outermost first.
    pub device_types: Vec<String>,
    /// Where the web pages are, resolved, host as announced.
    pub presentation: Option<AnnouncedUrl>,
}

/// Reads a description that came from `location`. None when it describes no device.
pub fn parse(document: &[u8], location: &AnnouncedUrl) -> Option<Description> {
    let document = xml::read(document);
    let device = document.find("device")?;
    let text = |name: &str| device.child_text(name).map(str::to_owned);
    let base = document.find_text("URLBase").and_then(AnnouncedUrl::read_http);
    Some(Description {
        manufacturer: text("manufacturer"),
        model_name: text("modelName"),
        model_number: text("modelNumber"),
        serial: text("serialNumber"),
        friendly_name: text("friendlyName"),
        udn: text("UDN").map(|u| u.trim_start_matches("uuid:").to_owned()),
        device_types: device.find_all("deviceType").filter_map(Element::text).take(16).map(str::to_owned).collect(),
        presentation: device
            .child_text("presentationURL")
            .and_then(|url| base.as_ref().unwrap_or(location).join_rfc3986(url)?.plausible()),
    })
}

impl Description {
    /// The MAC address, if the device states it: at the end of a unique name that is no UUID, or as serial number that the
    /// unique name repeats.
    pub fn mac(&self) -> Option<MacAddr> {
        let udn = self.udn.as_deref()?;
        let repeated = || {
            let serial = self.serial.as_deref().filter(|s| s.len() == 12)?;
            udn.to_ascii_lowercase().ends_with(&serial.to_ascii_lowercase()).then(|| serial.parse().ok()).flatten()
        };
        mac_of_udn(udn).or_else(repeated)
    }

    /// What the description states about the host it came from.
    pub fn facts(&self, host: IpAddr) -> Facts {
        let mut facts = Facts::default();
        let upnp = EvidenceSource::Upnp;
        let model = self.model_name.as_deref().filter(|m| !says_nothing(m)).or(self.model_number.as_deref());
        facts.word(Fact::Vendor, self.manufacturer.as_deref(), upnp, 0.6, "manufacturer");
        facts.word(Fact::Model, model, upnp, 0.7, "modelName");
        facts.word(Fact::Serial, self.serial.as_deref(), upnp, 0.7, "serialNumber");
        facts.word(Fact::Name, self.friendly_name.as_deref(), upnp, 0.3, "friendlyName");
        facts.mac(self.mac());
        facts.add_text(Field::UpnpManufacturer, self.manufacturer.as_deref());
        facts.add_text(Field::Model, model);
        for device_type in &self.device_types {
            facts.add_text(Field::UpnpDeviceType, Some(device_type));
            kind_of_type(device_type, &mut facts);
        }
        facts.findings.extend(self.web_pages(host).map(FindingKind::Announced));
        facts
    }

    /// The web pages, if they are on that host.
    fn web_pages(&self, host: IpAddr) -> Option<Service> {
        let pages = self.presentation.as_ref().filter(|p| p.ip() == Some(host) && p.url.scheme.is_http())?;
        let pages = pages.url.clone().with_port();
        let mut service = Service::new(pages.scheme.protocol(), Transport::Tcp, pages.endpoint().port);
        service.url = Some(pages.shown(host));
        Some(service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn check(document: &[u8], wanted: &Value, name: &str) {
        let location = wanted["location_used"].as_str().or(wanted["presentation_url"].as_str());
        let location = AnnouncedUrl::read_http(location.unwrap_or("http://192.0.2.32:80/d.xml")).unwrap();
        let description = parse(document, &location).unwrap();
        let facts = description.facts(location.ip().unwrap());
        let same = |ours: Option<&str>, key: &str| {
            if let Some(wanted) = wanted.get(key) {
                assert_eq!(ours, wanted.as_str(), "{name} {key}");
            }
        };
        same(facts.value(Fact::Model), "model");
        same(facts.value(Fact::Serial), "serial");
        same(facts.value(Fact::Name), "friendly_name");
        same(description.model_number.as_deref(), "model_number");
        same(description.mac().map(|m| m.to_string().to_uppercase()).as_deref(), "mac");
        let vendor = facts.value(Fact::Vendor).unwrap();
        assert!(wanted["vendor"].as_str().is_none_or(|v| v.eq_ignore_ascii_case(vendor)), "{name}");
        if let Some(wanted) = wanted["presentation_url"].as_str() {
            let pages = description.web_pages(location.ip().unwrap()).and_then(|s| s.url).unwrap();
            assert_eq!(pages.trim_end_matches('/'), wanted.trim_end_matches('/'), "{name}");
        }
    }

    #[test]
    fn odd_descriptions_say_what_they_must() {
        let data = |name: &str| std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let all: Value = serde_json::from_slice(&data("expected.json")).unwrap();
        let files = all["files"].as_object().unwrap();
        let described = files.iter().filter(|(n, _)| n.starts_with("ssdp/") && n.ends_with(".xml"));
        assert_eq!(described.map(|(name, wanted)| check(&data(name), wanted, name)).count(), 3);
    }

    #[test]
    #[ignore = "needs the captures CAMSCAN_CAPTURES names"]
    fn captures_say_what_they_must() {
        let folder = crate::testkit::captures::folder();
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let all: Value = serde_json::from_slice(&read("expected.json")).unwrap();
        let name = "ssdp/axis_m1014_rootdesc.xml";
        check(&read(name), &all["files"][name], name);
    }

    #[test]
    fn web_pages_are_resolved_against_the_base_and_kept_on_the_host() {
        let host: IpAddr = "192.0.2.9".parse().unwrap();
        let location = AnnouncedUrl::read_http("http://192.0.2.9:5000/a/root.xml?x=/y").unwrap();
        for (base, url, wanted) in [
            ("", "/", Some("http://192.0.2.9:5000/")),
            ("", "index.html", Some("http://192.0.2.9:5000/a/index.html")),
            ("http://192.0.2.9:81/b/", "index.html", Some("http://192.0.2.9:81/b/index.html")),
            ("http://192.0.2.9:81", "/x", Some("http://192.0.2.9:81/x")),
            ("nonsense", "/x", Some("http://192.0.2.9:5000/x")),
            ("", "https://192.0.2.9/x", Some("https://192.0.2.9:443/x")),
            ("", "http://198.51.100.1/x", None),
            ("http://198.51.100.1/", "x", None),
            ("", "", None),
        ] {
            let document = format!(
                "<root><URLBase>{base}</URLBase><device><presentationURL>{url}</presentationURL></device></root>"
            );
            let pages = parse(document.as_bytes(), &location).unwrap().web_pages(host).and_then(|s| s.url);
            assert_eq!(pages.as_deref(), wanted, "{base:?} {url:?}");
        }
    }

    #[test]
    fn routers_and_media_servers_are_other() {
        let document = b"<root><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>\
            <deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType></device></deviceList></device></root>";
        let location = AnnouncedUrl::read_http("http://192.0.2.1/d.xml").unwrap();
        let description = parse(document, &location).unwrap();
        assert_eq!(description.device_types.len(), 2);
        assert_eq!(description.facts(location.ip().unwrap()).value(Fact::Kind), Some("other"));
    }

    proptest! {
        #[test]
        fn any_description_is_understood_without_panic(texts in prop::collection::vec("[^<&]{0,24}", 4), host in any::<IpAddr>()) {
            let [base, url, udn, serial] = &texts[..] else { unreachable!() };
            let document = format!("<root><URLBase>{base}</URLBase><device><presentationURL>{url}</presentationURL>\
                <UDN>{udn}</UDN><serialNumber>{serial}</serialNumber></device></root>");
            let location = AnnouncedUrl::read_http("http://192.0.2.1/d.xml").unwrap();
            let _ = parse(document.as_bytes(), &location).map(|d| d.facts(host));
        }
    }
}
