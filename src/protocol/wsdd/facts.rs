//! What a match says about the host that sent it. Pure.

use std::net::IpAddr;

use super::wire::{Match, Sort};
use crate::identify::signature::Field;
use crate::model::{EvidenceSource, Fact, FindingKind, Kind, Method, Protocol, Service, Transport};
use crate::probe::evidence::Facts;
use crate::text;
use crate::wire::url::AnnouncedUrl;

/// The matches of one datagram that speak of its sender. Where one names the sender's address, those that name other
/// hosts only speak of those: a discovery proxy or recorder answers for the cameras behind it.
pub fn of_sender(matches: Vec<Match>, sender: IpAddr) -> Vec<Match> {
    let names_sender = |m: &Match| addresses(m).iter().any(|a| a.ip() == Some(sender));
    let own = matches.iter().any(names_sender);
    matches.into_iter().filter(|m| !own || addresses(m).is_empty() || names_sender(m)).collect()
}

/// What a match says of its sender.
pub fn of_match(m: &Match, sender: IpAddr) -> Facts {
    let mut facts = Facts::default();
    facts.findings.push(FindingKind::Seen(Method::Onvif));
    let sort = m.sort();
    let (kind, weight) = match sort {
        Sort::Transmitter => (Kind::Camera, 0.6),
        Sort::Storage => (Kind::Recorder, 0.7),
        Sort::Onvif => (Kind::Camera, 0.5),
        Sort::Printer | Sort::Computer => (Kind::Other, 0.9),
        Sort::Other => (Kind::Other, 0.5),
    };
    let types: Vec<&str> = m.types.iter().map(|t| t.name.as_str()).collect();
    facts.kind(kind, EvidenceSource::Wsdd, weight, &types.join(" "));
    if !sort.is_onvif() {
        return facts;
    }
    facts.findings.extend(m.uuid().map(FindingKind::EndpointId));
    facts.findings.extend(services(m, sender).into_iter().map(FindingKind::Announced));
    let said = m.said();
    facts.mac(said.mac);
    facts.word(Fact::Vendor, said.manufacturer.as_deref(), EvidenceSource::Wsdd, 0.6, "scope manufacturer");
    facts.word(Fact::Model, said.hardware.as_deref(), EvidenceSource::Wsdd, 0.6, "scope hardware");
    facts.word(Fact::Name, said.name.as_deref(), EvidenceSource::Wsdd, 0.4, "scope name");
    facts.add_text(Field::OnvifManufacturer, said.manufacturer.as_deref());
    facts.add_text(Field::Model, said.hardware.as_deref());
    for scope in m.scopes() {
        facts.add_text(Field::OnvifScope, Some(&scope.path));
    }
    facts
}

fn addresses(m: &Match) -> Vec<AnnouncedUrl> {
    m.xaddrs.iter().filter_map(|x| AnnouncedUrl::read_http(x)).collect()
}

/// The device services of the sender, the one to try first at the head: those announced under its own address, plain HTTP
/// before TLS; where there is none, the most plausible of the others at the sender's address, with a note.
pub fn services(m: &Match, sender: IpAddr) -> Vec<Service> {
    let mut own = addresses(m);
    let others = own.extract_if(.., |a| a.ip() != Some(sender)).collect::<Vec<_>>();
    own.sort_by_key(|a| a.url.scheme.is_tls());
    own.dedup();
    if !own.is_empty() {
        return own.iter().map(|a| service(a, sender)).collect();
    }
    let best = others.iter().min_by_key(|a| (implausibility(a, sender), a.url.scheme.is_tls()));
    best.map(|a| {
        let mut service = service(a, sender);
        if let Some(host) = text::clean_some(&a.host_shown()) {
            service.notes.push(format!("announces itself as {host}"));
        }
        service
    })
    .into_iter()
    .collect()
}

fn service(announced: &AnnouncedUrl, sender: IpAddr) -> Service {
    let mut service = Service::new(Protocol::Onvif, Transport::Tcp, announced.url.endpoint().port);
    service.url = Some(announced.url.clone().with_port().shown(sender));
    service
}

/// How unlikely it is that an address is the one the sender is reached under from elsewhere.
fn implausibility(announced: &AnnouncedUrl, sender: IpAddr) -> u8 {
    match announced.ip() {
        Some(ip) if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() => 4,
        Some(IpAddr::V6(v6)) if v6.is_unicast_link_local() => 3,
        Some(IpAddr::V4(v4)) if v4.is_link_local() => 2,
        Some(ip) if ip.is_ipv4() == sender.is_ipv4() => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire;
    use super::*;
    use crate::identify::vendor::says_nothing;
    use serde_json::Value;

    fn data(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn urls(m: &Match, sender: IpAddr) -> Vec<String> {
        services(m, sender).into_iter().filter_map(|s| s.url).collect()
    }

    #[test]
    fn odd_answers_say_what_they_must() {
        let all: Value = serde_json::from_slice(&data("expected.json")).unwrap();
        let mut files = 0;
        for (name, wanted) in all["files"].as_object().unwrap().iter().filter(|(n, _)| n.starts_with("onvif/probe_")) {
            files += 1;
            let matches = wire::parse(&data(name));
            let mut devices: Vec<_> = matches.iter().filter(|m| m.sort().is_onvif()).map(|m| &m.endpoint).collect();
            devices.sort();
            devices.dedup();
            assert_eq!(devices.len() as u64, wanted["devices"].as_u64().unwrap(), "{name}");
            let Some(first) = matches.first() else { continue };
            let peer: IpAddr = wanted["peer"].as_str().unwrap().parse().unwrap();
            let facts = of_match(first, peer);
            for (key, fact) in [("vendor", Fact::Vendor), ("model", Fact::Model), ("name", Fact::Name)] {
                if let Some(wanted) = wanted.get(key) {
                    assert_eq!(facts.value(fact), wanted.as_str(), "{name} {key}");
                }
            }
            if let Some(location) = wanted["location"].as_str() {
                assert_eq!(first.said().location.as_deref(), Some(location), "{name}");
            }
            if let Some(preferred) = wanted["preferred"].as_array() {
                let ours =
                    urls(first, peer).iter().map(|u| u.replace(":80/", "/").replace(":443/", "/")).collect::<Vec<_>>();
                assert_eq!(ours, preferred.iter().map(|p| p.as_str().unwrap()).collect::<Vec<_>>(), "{name}");
            }
        }
        assert!(files >= 11, "{files}");
    }

    #[test]
    fn a_printer_is_no_camera_and_has_no_onvif_service() {
        let printer = wire::parse(&data("onvif/probe_printer.xml"));
        let facts = of_match(&printer[0], "192.0.2.50".parse().unwrap());
        assert_eq!(facts.value(Fact::Kind), Some("other"));
        assert!(!facts.findings.iter().any(|f| matches!(f, FindingKind::Announced(_) | FindingKind::EndpointId(_))));
    }

    #[test]
    fn an_address_on_another_network_is_noted() {
        let sender = "192.0.2.40".parse().unwrap();
        let service = services(&wire::parse(&data("onvif/probe_xaddr_foreign_subnet.xml"))[0], sender).remove(0);
        assert_eq!(service.notes, ["announces itself as 192.168.0.88"]);
    }

    #[test]
    fn who_speaks_for_others_is_not_believed_to_be_them() {
        let matches = wire::parse(&data("onvif/probe_three_matches_in_one.xml"));
        let sender: IpAddr = "192.0.2.40".parse().unwrap();
        let own = of_sender(matches.clone(), sender);
        assert_eq!(own.len(), 2);
        assert!(own.iter().all(|m| m.uuid().unwrap().ends_with("c1")));
        // Nobody names the sender: behind an address translation all are taken for its own.
        assert_eq!(of_sender(matches, "192.0.2.99".parse().unwrap()).len(), 3);
    }

    #[test]
    #[ignore = "needs the captures CAMSCAN_CAPTURES names"]
    fn captures_say_what_they_must() {
        let folder = crate::testkit::captures::folder();
        let all: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let mut files = 0;
        for (name, wanted) in all["files"].as_object().unwrap() {
            let Some(wanted) = wanted["matches"].as_array().filter(|_| name.contains("probe_match")) else { continue };
            files += 1;
            let matches = wire::parse(&std::fs::read(folder.join(name)).unwrap());
            assert_eq!(matches.len(), wanted.len(), "{name}");
            for (m, wanted) in matches.iter().zip(wanted) {
                let strings = |key: &str| -> Vec<String> {
                    wanted[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
                };
                assert_eq!(m.endpoint.as_deref(), wanted["endpoint"].as_str(), "{name}");
                assert_eq!(m.xaddrs, strings("xaddrs"), "{name}");
                // A placeholder out of a guide, such as `MODEL`, tells nothing.
                let telling = |key: &str| strings(key).first().filter(|word| !says_nothing(word)).cloned();
                assert_eq!(m.said().hardware, telling("hardware"), "{name}");
                assert_eq!(m.said().name, telling("name"), "{name}");
                assert_eq!(m.said().profiles, strings("profiles"), "{name}");
                assert_eq!(m.sort(), Sort::Transmitter, "{name}");
                let sender =
                    strings("xaddrs").iter().filter_map(|x| AnnouncedUrl::read_http(x)?.ip()).find(|ip| ip.is_ipv4());
                assert_eq!(urls(m, sender.unwrap()).len(), 1, "{name}");
            }
        }
        assert!(files >= 5, "{files}");
    }
}
