//! Searches out, answers in. Pure.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::MacAddr;
use crate::text;
use crate::wire::head;
use crate::wire::url::{AnnouncedUrl, HostUrl};

/// The UDP port of SSDP.
pub const PORT: u16 = 1900;
/// The IPv4 group.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// The IPv6 group of the link, `ff02::c`.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);

/// What is searched for. `ssdp:all` alone is not enough: some devices answer it late or not at all.
pub const TARGETS: [&str; 6] = [
    "upnp:rootdevice",
    "ssdp:all",
    "urn:schemas-upnp-org:device:Basic:1",
    "urn:schemas-upnp-org:device:DigitalSecurityCamera:1",
    "urn:schemas-upnp-org:device:EmbeddedNetDevice:1",
    "urn:axis-com:service:BasicService:1",
];

/// A search; devices answer after a random part of `mx` seconds (1..=5).
pub fn search(to: SocketAddr, target: &str, mx: u8) -> String {
    // The zone of a link-local group means nothing to the device.
    let host = SocketAddr::new(to.ip(), to.port());
    format!("M-SEARCH * HTTP/1.1\r\nHOST: {host}\r\nMAN: \"ssdp:discover\"\r\nMX: {mx}\r\nST: {target}\r\n\r\n")
}

/// An answer to a search, or a notification that a device is there. Values are as sent, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Where the description is.
    pub location: Option<String>,
    /// System, UPnP version and product.
    pub server: Option<String>,
    /// What was found: a device or service type, `upnp:rootdevice` or a UUID.
    pub target: Option<String>,
    /// The device's unique name with what was found.
    pub usn: Option<String>,
}

/// Reads an answer. Lenient about line ends, blanks, the case of names and a missing empty line. None for what is no answer:
/// searches of others, notifications that a device leaves, other protocols.
pub fn parse(datagram: &[u8]) -> Option<Answer> {
    let (start, headers) = head::read(datagram);
    let start = text::decode(start).trim().to_ascii_uppercase();
    let answers = start.starts_with("HTTP/") && start.split_ascii_whitespace().nth(1) == Some("200");
    let notifies = start.starts_with("NOTIFY ");
    let value = |name: &str| headers.text(name).map(Cow::into_owned);
    let is_alive = match headers.has("NTS") {
        true => value("NTS").as_deref() == Some("ssdp:alive"),
        false => answers,
    };
    ((answers || notifies) && is_alive).then(|| Answer {
        location: value("LOCATION"),
        server: value("SERVER"),
        target: value("ST").or_else(|| value("NT")),
        usn: value("USN"),
    })
}

impl Answer {
    /// The unique name without `uuid:` and what follows it.
    pub fn udn(&self) -> Option<&str> {
        let name = self.usn.as_deref()?.split("::").next()?;
        let name =
            name.get(..5).filter(|p| p.eq_ignore_ascii_case("uuid:")).and_then(|_| name.get(5..)).unwrap_or(name);
        Some(name.trim()).filter(|n| !n.is_empty())
    }

    /// The serial number, which Dahua writes after a host name in place of a UUID: `www.dahuatech.com.device_3_0-<serial>`.
    pub fn serial(&self) -> Option<&str> {
        let (maker, serial) = self.udn()?.split_once('-')?;
        let plausible = serial.len() >= 8 && serial.bytes().all(|b| b.is_ascii_alphanumeric());
        (maker.starts_with("www.") && plausible).then_some(serial)
    }

    /// Where the description is on the sender: the host that answered is the only one ever asked. Where no host, this
    /// machine's loopback or none in particular is named, the sender is meant; else the host named is the error.
    pub fn location_at(&self, sender: IpAddr) -> Result<Option<HostUrl>, String> {
        let Some(announced) = self.location.as_deref().and_then(AnnouncedUrl::read_http) else { return Ok(None) };
        let is_itself = |ip: IpAddr| ip.is_unspecified() || ip.is_loopback();
        match announced.is_on(sender, "") || announced.ip().is_some_and(is_itself) {
            true => Ok(Some(announced.url.with_port())),
            false => Err(announced.host_shown()),
        }
    }
}

/// The MAC address at the end of a unique name that is no UUID (`Upnp-BasicDevice-1_0-ACCC8E000001`).
pub fn mac_of_udn(udn: &str) -> Option<MacAddr> {
    let udn = udn.trim().trim_start_matches("uuid:");
    let (before, last) = udn.rsplit_once('-')?;
    let is_uuid = udn.len() == 36 && before.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    (!is_uuid && last.len() == 12).then(|| last.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn who_leaves_or_changes_is_no_answer() {
        let notify = |nts: &str| parse(format!("NOTIFY * HTTP/1.1\r\nNT: upnp:rootdevice\r\nNTS:{nts}\r\n").as_bytes());
        assert_eq!(notify("ssdp:alive").and_then(|a| a.target).as_deref(), Some("upnp:rootdevice"));
        for other in ["ssdp:byebye", "ssdp:update", ""] {
            assert_eq!(notify(other), None, "{other}");
        }
        assert_eq!(parse(b"HTTP/1.1 503 Busy\r\nST: upnp:rootdevice\r\n\r\n"), None);
    }

    #[test]
    fn a_search_names_the_group_without_its_zone() {
        let to = "[ff02::c%3]:1900".parse().unwrap();
        let text = search(to, "ssdp:all", 2);
        assert!(text.contains("\r\nHOST: [ff02::c]:1900\r\n") && text.ends_with("ST: ssdp:all\r\n\r\n"), "{text}");
        assert_eq!(parse(text.as_bytes()), None);
    }

    #[test]
    fn a_location_on_no_host_in_particular_is_the_senders() {
        let at = |location: &str| {
            let answer = Answer { location: Some(location.into()), ..Answer::default() };
            answer.location_at("192.0.2.9".parse().unwrap()).map(|l| l.map(|l| l.at("192.0.2.9")))
        };
        for location in ["http://192.0.2.9:80/d.xml", "http://0.0.0.0/d.xml", "http://127.0.0.1/d.xml", "http:///d.xml"]
        {
            assert_eq!(at(location), Ok(Some("http://192.0.2.9:80/d.xml".into())), "{location}");
        }
        for location in ["http://192.0.2.10/d.xml", "http://camera.example/d.xml", "http://[::ffff:10.0.0.1]/"] {
            assert!(at(location).is_err(), "{location}");
        }
        assert_eq!(at("ftp://192.0.2.9/d.xml"), Ok(None));
    }

    #[test]
    fn a_mac_address_is_read_from_names_that_are_no_uuid() {
        assert_eq!(mac_of_udn("uuid:Upnp-BasicDevice-1_0-ACCC8E000001"), "ac:cc:8e:00:00:01".parse().ok());
        assert_eq!(mac_of_udn("DCS-932L-B0C554000001"), "b0:c5:54:00:00:01".parse().ok());
        assert_eq!(mac_of_udn("4fd6ee2f-0000-1000-8000-c056e3000001"), None);
        assert_eq!(mac_of_udn("x-12345"), None);
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_without_panic(text in any::<String>(), sender in any::<IpAddr>()) {
            if let Some(answer) = parse(format!("HTTP/1.1 200 OK\n{text}").as_bytes()) {
                let _ = (answer.location_at(sender), answer.udn().map(mac_of_udn), answer.serial());
            }
            let _ = parse(text.as_bytes());
        }
    }
}
