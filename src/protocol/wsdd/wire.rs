//! Probes out, matches in. Pure.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::identify::vendor::says_nothing;
use crate::model::MacAddr;
use crate::text;
use crate::wire::xml;

/// The UDP port of WS-Discovery.
pub const PORT: u16 = 3702;
/// The IPv4 group.
pub const GROUP_V4: std::net::Ipv4Addr = std::net::Ipv4Addr::new(239, 255, 255, 250);
/// The IPv6 group, `ff02::c`.
pub const GROUP_V6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);

/// Matches read of one datagram at most.
const MOST_MATCHES: usize = 16;
/// Scopes, types or addresses read of one match at most.
const MOST_WORDS: usize = 64;

/// Which devices a Probe is for. Some answer one of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `dn:NetworkVideoTransmitter`.
    Transmitter,
    /// `tds:Device`.
    Device,
    /// No types: whoever speaks WS-Discovery, printers and PCs included.
    Any,
}

impl Wanted {
    /// All of them, the most telling first.
    pub const ALL: [Wanted; 3] = [Wanted::Transmitter, Wanted::Device, Wanted::Any];

    fn types(self) -> &'static str {
        match self {
            Wanted::Transmitter => {
                r#"<d:Types xmlns:dn="http://www.onvif.org/ver10/network/wsdl">dn:NetworkVideoTransmitter</d:Types>"#
            }
            Wanted::Device => r#"<d:Types xmlns:tds="http://www.onvif.org/ver10/device/wsdl">tds:Device</d:Types>"#,
            Wanted::Any => "",
        }
    }
}

/// A Probe on one line: some devices do not answer when there is white space between the elements.
/// `uuid` must be fresh for every datagram, or devices take it for a repetition.
pub fn probe(wanted: Wanted, uuid: &str) -> String {
    format!(
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope""#,
            r#" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing""#,
            r#" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>"#,
            r#"<a:MessageID>urn:uuid:{uuid}</a:MessageID>"#,
            r#"<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"#,
            r#"<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></s:Header>"#,
            r#"<s:Body><d:Probe>{types}</d:Probe></s:Body></s:Envelope>"#,
        ),
        uuid = uuid,
        types = wanted.types(),
    )
}

/// One device's word on itself: a ProbeMatch, ResolveMatch or Hello. Texts are as sent, not yet cleaned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    /// The endpoint reference's address, often `urn:uuid:…`. Several devices of one series may share it.
    pub endpoint: Option<String>,
    /// The types.
    pub types: Vec<Type>,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The transport addresses.
    pub xaddrs: Vec<String>,
}

/// A type, a qualified name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// The namespace its prefix stands for, or the prefix itself when it was never declared.
    pub namespace: String,
    /// The local name.
    pub name: String,
}

/// What sort of device a match describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Speaks ONVIF and transmits video.
    Transmitter,
    /// Speaks ONVIF and stores video.
    Storage,
    /// Speaks ONVIF, nothing more said.
    Onvif,
    /// A printer or scanner.
    Printer,
    /// A computer.
    Computer,
    /// Anything else that speaks WS-Discovery.
    Other,
}

impl Sort {
    /// Whether it speaks ONVIF.
    pub fn is_onvif(self) -> bool {
        matches!(self, Sort::Transmitter | Sort::Storage | Sort::Onvif)
    }
}

/// Reads all matches of a datagram, whatever their order, prefixes, addressing headers and neighbours.
pub fn parse(datagram: &[u8]) -> Vec<Match> {
    let document = xml::read(datagram);
    let mut matches = Vec::new();
    for root in &document.roots {
        let namespaces = namespaces(root);
        let found = root.walk().filter(|e| matches!(e.name.as_str(), "ProbeMatch" | "ResolveMatch" | "Hello"));
        matches.extend(found.map(|element| read_match(element, &namespaces)));
    }
    matches.truncate(MOST_MATCHES);
    matches
}

fn namespaces(root: &xml::Element) -> HashMap<&str, &str> {
    root.walk()
        .flat_map(|e| &e.attributes)
        .filter_map(|(name, value)| Some((name.strip_prefix("xmlns:")?, value.as_str())))
        .collect()
}

fn read_match(element: &xml::Element, namespaces: &HashMap<&str, &str>) -> Match {
    let words = |name: &str| -> Vec<String> {
        element
            .children_named(name)
            .flat_map(|e| e.text.split_whitespace())
            .take(MOST_WORDS)
            .map(str::to_owned)
            .collect()
    };
    Match {
        endpoint: element.at(&["EndpointReference", "Address"]).and_then(xml::Element::text).map(str::to_owned),
        types: words("Types")
            .iter()
            .map(|word| {
                let (prefix, name) = word.split_once(':').unwrap_or(("", word));
                let namespace = namespaces.get(prefix).copied().unwrap_or(prefix);
                Type { namespace: namespace.to_owned(), name: name.to_owned() }
            })
            .collect(),
        scopes: words("Scopes"),
        xaddrs: words("XAddrs"),
    }
}

impl Match {
    /// The endpoint's UUID, lower case and without `urn:uuid:`; none when it is no UUID or says nothing.
    pub fn uuid(&self) -> Option<String> {
        let uuid = self.endpoint.as_deref()?.trim().to_ascii_lowercase();
        let uuid = uuid.trim_start_matches("urn:").trim_start_matches("uuid:").to_owned();
        let hex = uuid.bytes().filter(u8::is_ascii_hexdigit).count();
        let says_something = uuid.bytes().any(|b| !matches!(b, b'0' | b'-'));
        (uuid.len() == 36 && hex == 32 && uuid.bytes().filter(|b| *b == b'-').count() == 4 && says_something)
            .then_some(uuid)
    }

    /// What sort of device it is, by its types, scopes and addresses.
    pub fn sort(&self) -> Sort {
        let named = |name: &str| self.types.iter().any(|t| t.name.eq_ignore_ascii_case(name));
        let scoped = |scope: &str| self.scopes().any(|s| s.path.eq_ignore_ascii_case(scope));
        if named("NetworkVideoStorage") || scoped("type/NetworkVideoStorage") {
            return Sort::Storage;
        }
        if named("NetworkVideoTransmitter") {
            return Sort::Transmitter;
        }
        let onvif_type = self.types.iter().any(|t| t.namespace.contains("onvif.org") || t.namespace == "tds");
        let onvif_scope = self.scopes.iter().any(|s| s.to_ascii_lowercase().starts_with("onvif://"));
        if onvif_type || onvif_scope || self.xaddrs.iter().any(|x| x.to_ascii_lowercase().contains("/onvif/")) {
            return Sort::Onvif;
        }
        let mentions = |what: &str| {
            self.types
                .iter()
                .any(|t| t.name.to_ascii_lowercase().contains(what) || t.namespace.to_ascii_lowercase().contains(what))
        };
        match () {
            () if mentions("print") || mentions("scan") => Sort::Printer,
            () if mentions("computer") => Sort::Computer,
            () => Sort::Other,
        }
    }

    /// The ONVIF scopes, decoded.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        self.scopes.iter().filter_map(|s| Scope::parse(s))
    }

    /// What the scopes say, the first word on each.
    pub fn said(&self) -> Said {
        let mut said = Said::default();
        for scope in self.scopes() {
            said.add(&scope);
        }
        said
    }
}

/// An ONVIF scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The path without leading `/`, percent-decoded and cleaned: `hardware/DS-2CD2042WD-I`.
    pub path: String,
}

impl Scope {
    /// Reads `onvif://authority/path`; none for other schemes. Percent-encoding is decoded once; what is not UTF-8 then is
    /// replaced.
    pub fn parse(scope: &str) -> Option<Scope> {
        let (scheme, rest) = scope.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("onvif") {
            return None;
        }
        let (_, path) = rest.split_once('/')?;
        let path = text::clean(&percent_decode_str(path).decode_utf8_lossy());
        Some(Scope { path })
    }
}

/// What a match's scopes say. Texts are cleaned; generic words that say nothing are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// `name/…`.
    pub name: Option<String>,
    /// `hardware/…`, or `model/…`.
    pub hardware: Option<String>,
    /// `manufacturer/…`.
    pub manufacturer: Option<String>,
    /// `location/…`, without `city/` and `country/`; the more exact one when there are several.
    pub location: Option<String>,
    /// `…/mac/…` or `macaddress/…`.
    pub mac: Option<MacAddr>,
    /// `Profile/…`: `Streaming`, `G`, `T`.
    pub profiles: Vec<String>,
}

impl Said {
    fn add(&mut self, scope: &Scope) {
        let (category, value) = scope.path.split_once('/').unwrap_or((&scope.path, ""));
        let value = value.trim().trim_end_matches('/');
        let telling = || Some(value).filter(|v| !says_nothing(v)).map(str::to_owned);
        match category.to_ascii_lowercase().as_str() {
            "name" => self.name = self.name.take().or_else(telling),
            "hardware" => self.hardware = telling().or(self.hardware.take()),
            "model" => self.hardware = self.hardware.take().or_else(telling),
            "manufacturer" | "mfr" | "vendor" => self.manufacturer = self.manufacturer.take().or_else(telling),
            "location" => {
                let (level, place) = value.split_once('/').unwrap_or(("", value));
                let place = Some(place).filter(|p| !says_nothing(p)).map(str::to_owned);
                match level.eq_ignore_ascii_case("country") {
                    true => self.location = self.location.take().or(place),
                    false => self.location = place.or(self.location.take()),
                }
            }
            "profile" if !value.is_empty() => self.profiles.push(value.to_owned()),
            _ => {}
        }
        self.mac = self.mac.or_else(|| mac_in(&scope.path));
    }
}

/// The address after a path part `mac` or `macaddress`, wherever it stands.
fn mac_in(path: &str) -> Option<MacAddr> {
    let mut parts = path.split('/');
    parts.find(|p| p.eq_ignore_ascii_case("mac") || p.eq_ignore_ascii_case("macaddress"))?;
    parts.next()?.parse().ok().filter(|m: &MacAddr| m.is_station())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said_by(scopes: &[&str]) -> Said {
        Match { scopes: scopes.iter().map(|s| (*s).to_owned()).collect(), ..Match::default() }.said()
    }

    #[test]
    fn a_probe_is_one_line_with_its_own_id_and_types() {
        for (wanted, types) in [
            (Wanted::Transmitter, Some("dn:NetworkVideoTransmitter")),
            (Wanted::Device, Some("tds:Device")),
            (Wanted::Any, None),
        ] {
            let probe = probe(wanted, "00000000-0000-4000-8000-000000000000");
            assert!(!probe.contains(['\n', '\r']) && !probe.contains("> <"));
            let read = xml::read(probe.as_bytes());
            assert_eq!(read.defect, None);
            assert_eq!(read.find_text("MessageID"), Some("urn:uuid:00000000-0000-4000-8000-000000000000"));
            assert_eq!(read.find_text("Types"), types);
            assert!(read.find("Body").unwrap().child("Probe").is_some());
            assert_eq!(parse(probe.as_bytes()), [], "a Probe is no match");
        }
    }

    #[test]
    fn prefixes_are_looked_up_and_undeclared_ones_kept() {
        let sent = b"<E xmlns:x='http://www.onvif.org/ver10/network/wsdl'><ProbeMatch><Types>\n x:NetworkVideoTransmitter\ttds:Device Plain</Types></ProbeMatch></E>";
        let types = parse(sent)[0].types.iter().map(|t| (t.namespace.clone(), t.name.clone())).collect::<Vec<_>>();
        let wanted =
            [("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter"), ("tds", "Device"), ("", "Plain")];
        assert_eq!(types, wanted.map(|(n, t)| (n.to_owned(), t.to_owned())));
    }

    #[test]
    fn who_is_a_camera() {
        let m = |types: &str, scopes: &str, xaddrs: &str| {
            parse(
                format!(
                    "<E xmlns:wsdp='http://schemas.xmlsoap.org/ws/2006/02/devprof' xmlns:pub='http://schemas.microsoft.com/windows/pub/2005/07' \
                     xmlns:wprt='http://schemas.microsoft.com/windows/2006/08/wdp/print' xmlns:o='http://www.onvif.org/ver10/device/wsdl'>\
                     <ProbeMatch><Types>{types}</Types><Scopes>{scopes}</Scopes><XAddrs>{xaddrs}</XAddrs></ProbeMatch></E>"
                )
                .as_bytes(),
            )[0]
            .sort()
        };
        assert_eq!(m("dn:NetworkVideoTransmitter tds:Device", "", ""), Sort::Transmitter);
        assert_eq!(m("dn:NetworkVideoStorage dn:NetworkVideoTransmitter", "", ""), Sort::Storage);
        assert_eq!(
            m("dn:NetworkVideoTransmitter", "onvif://www.onvif.org/type/NetworkVideoStorage", ""),
            Sort::Storage
        );
        assert_eq!(m("o:Device", "", ""), Sort::Onvif);
        assert_eq!(m("", "ONVIF://www.onvif.org/name/x", ""), Sort::Onvif);
        assert_eq!(m("", "", "http://192.0.2.1/onvif/device_service"), Sort::Onvif);
        assert_eq!(m("wsdp:Device wprt:PrintDeviceType", "", "http://192.0.2.1:5357/x"), Sort::Printer);
        assert_eq!(m("wsdp:Device pub:Computer", "", "http://192.0.2.1:5357/x"), Sort::Computer);
        assert_eq!(m("wsdp:Device", "", "http://192.0.2.1:5357/x"), Sort::Other);
    }

    #[test]
    fn scopes_of_many_makers() {
        let tp_link = said_by(&[
            "onvif://www.onvif.org/name/VIGI%20C300",
            "onvif://www.tp-link.com/A1C2B3/mac/AC-84-C6-00-00-01",
        ]);
        assert_eq!(tp_link.name.as_deref(), Some("VIGI C300"));
        assert_eq!(tp_link.mac, "ac:84:c6:00:00:01".parse().ok());
        let xiongmai = said_by(&["onvif://www.onvif.org/name/NVT", "onvif://www.onvif.org/hardware/IPC-model"]);
        assert_eq!(xiongmai, Said::default());
        let reolink = said_by(&[
            "onvif://www.onvif.org/location/country/china",
            "onvif://www.onvif.org/name/IPC-BO",
            "onvif://www.onvif.org/hardware/E1Zoom",
            "onvif://www.onvif.org/name/IPC",
        ]);
        assert_eq!((reolink.hardware.as_deref(), reolink.name.as_deref()), (Some("E1Zoom"), None));
        let empty = said_by(&[
            "onvif://www.onvif.org/hardware/Camera",
            "onvif://www.onvif.org/location/",
            "onvif://www.onvif.org/model/",
            "onvif://www.onvif.org/macaddress/",
            "onvif://www.onvif.org/macaddress/00:00:00:00:00:00",
            "onvif://www.onvif.org/Profile/G",
            "onvif://www.onvif.org/Profile/Q/FactoryDefault",
            "http://www.onvif.org/name/not-a-scope",
        ]);
        assert_eq!(empty, Said { profiles: vec!["G".into(), "Q/FactoryDefault".into()], ..Said::default() });
        let hostile = said_by(&["onvif://www.onvif.org/name/%1b%5b31mred%0a%00%ff"]);
        assert_eq!(hostile.name.as_deref(), Some("red \u{fffd}"));
    }

    #[test]
    fn only_a_uuid_that_says_something_identifies() {
        let uuid = |endpoint: &str| Match { endpoint: Some(endpoint.into()), ..Match::default() }.uuid();
        let real = "a1f48ac2-dc8b-11df-b255-00408c1836b2";
        for sent in ["urn:uuid:A1F48AC2-dc8b-11df-b255-00408c1836b2", "uuid:a1f48ac2-dc8b-11df-b255-00408c1836b2", real]
        {
            assert_eq!(uuid(sent).as_deref(), Some(real));
        }
        for sent in ["", "urn:uuid:1", "http://192.0.2.1/", "urn:uuid:00000000-0000-0000-0000-000000000000"] {
            assert_eq!(uuid(sent), None, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn any_match_is_understood_without_panic(endpoint in any::<String>(), words in prop::collection::vec(any::<String>(), 0..4)) {
            let m = Match { endpoint: Some(endpoint), types: vec![], scopes: words.clone(), xaddrs: words };
            let _ = (m.uuid(), m.sort(), m.said());
        }
    }
}
