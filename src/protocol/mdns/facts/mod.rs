//! What an announcement says about its sender. Pure.

use std::net::IpAddr;

use super::wire::{Data, Message, Name, PORT};
use crate::identify::signature::Field;
use crate::model::finding::StreamHint;
use crate::model::stream::url_host;
use crate::model::{EvidenceSource, Fact, FindingKind, Kind, MacAddr, Method, Protocol, Service, Transport};
use crate::probe::evidence::Facts;
use crate::text;

/// Service types asked for: of cameras and recorders, and of the devices most often taken for them.
pub const ASKED: [&str; 16] = [
    "_rtsp._tcp",
    "_axis-video._tcp",
    "_axis-nvr._tcp",
    "_http._tcp",
    "_hap._tcp",
    "_psia._tcp",
    "_CGI._tcp",
    "_nvr._tcp",
    "_onvif._tcp",
    "_arec._tcp",
    "_https._tcp",
    "_amzn-wplay._tcp",
    "_googlecast._tcp",
    "_ipp._tcp",
    "_printer._tcp",
    "_services._dns-sd._udp",
];

/// Service types that only devices of a kind announce, with the weight of that word.
const KINDS: [(&str, Kind, f64); 21] = [
    ("_axis-video._tcp", Kind::Camera, 0.8),
    ("_arec._tcp", Kind::Camera, 0.7),
    ("_psia._tcp", Kind::Camera, 0.5),
    ("_onvif._tcp", Kind::Camera, 0.5),
    ("_cgi._tcp", Kind::Camera, 0.3),
    ("_axis-nvr._tcp", Kind::Recorder, 0.8),
    ("_nvr._tcp", Kind::Recorder, 0.6),
    ("_googlecast._tcp", Kind::Other, 0.7),
    ("_airplay._tcp", Kind::Other, 0.7),
    ("_raop._tcp", Kind::Other, 0.7),
    ("_spotify-connect._tcp", Kind::Other, 0.7),
    ("_sonos._tcp", Kind::Other, 0.7),
    ("_amzn-wplay._tcp", Kind::Other, 0.7),
    ("_ipp._tcp", Kind::Other, 0.8),
    ("_ipps._tcp", Kind::Other, 0.8),
    ("_printer._tcp", Kind::Other, 0.8),
    ("_pdl-datastream._tcp", Kind::Other, 0.8),
    ("_scanner._tcp", Kind::Other, 0.7),
    ("_uscan._tcp", Kind::Other, 0.7),
    ("_androidtvremote2._tcp", Kind::Other, 0.7),
    ("_hue._tcp", Kind::Other, 0.7),
];

const MDNS: EvidenceSource = EvidenceSource::Mdns;

/// What a message says of its sender, and the instances it names without saying where they are.
pub fn of_message(message: &Message, sender: IpAddr) -> (Facts, Vec<Name>) {
    let mut facts = Facts::default();
    let mut unexplained = Vec::new();
    if !message.response || message.records.is_empty() {
        return (facts, unexplained);
    }
    let mut spoken = false;
    for record in &message.records {
        match &record.data {
            Data::Ptr(to) if is_enumeration(&record.name) => {
                spoken |= announce(&mut facts, to.service());
            }
            Data::Ptr(instance) if record.name.service().is_some() && is_about(message, instance, sender) => {
                spoken |= announce(&mut facts, instance.service());
                if !message.records.iter().any(|r| matches!(r.data, Data::Srv { .. }) && r.name.is(instance)) {
                    unexplained.push(instance.clone());
                }
            }
            Data::Srv { port, target } if is_about(message, &record.name, sender) => {
                spoken |= announce(&mut facts, record.name.service());
                place(&mut facts, message, &record.name, (*port, target), sender);
            }
            Data::Txt(strings) if is_about(message, &record.name, sender) => {
                describe(&mut facts, &record.name, &Strings(strings));
            }
            _ => {}
        }
    }
    if spoken {
        let service = Service::new(Protocol::Mdns, Transport::Udp, PORT);
        facts.findings.insert(0, FindingKind::Seen(Method::Mdns));
        facts.findings.push(FindingKind::Service(service));
    }
    (facts, unexplained)
}

fn is_enumeration(name: &Name) -> bool {
    name.0.first().is_some_and(|l| l.eq_ignore_ascii_case("_services"))
}

/// Whether an instance is on the sender. Reflectors between networks repeat the announcements of others under their own
/// address; then the addresses of the instance's host, where the message holds them, are not the sender's.
fn is_about(message: &Message, instance: &Name, sender: IpAddr) -> bool {
    let host = message.records.iter().find_map(|r| match &r.data {
        Data::Srv { target, .. } if r.name.is(instance) => Some(target),
        _ => None,
    });
    let Some(host) = host else { return true };
    let mut addresses = message.records.iter().filter(|r| r.name.is(host)).filter_map(|r| match r.data {
        Data::A(v4) => Some(IpAddr::V4(v4)),
        Data::Aaaa(v6) => Some(IpAddr::V6(v6)),
        _ => None,
    });
    let same_family: Vec<IpAddr> = addresses.by_ref().filter(|a| a.is_ipv4() == sender.is_ipv4()).collect();
    same_family.is_empty() || same_family.contains(&sender)
}

/// Takes note of a service type; says whether it was one.
fn announce(facts: &mut Facts, service: Option<String>) -> bool {
    let Some(service) = service else { return false };
    facts.add_text(Field::MdnsService, Some(&service));
    if let Some((_, kind, weight)) = KINDS.iter().find(|(s, ..)| *s == service) {
        facts.kind(*kind, MDNS, *weight, &service);
    }
    true
}

/// Where an instance is: the host's name, and the ports worth looking at.
fn place(facts: &mut Facts, message: &Message, instance: &Name, (port, target): (u16, &Name), sender: IpAddr) {
    let hostname = target.to_string();
    facts.word(Fact::Hostname, Some(&hostname), MDNS, 0.6, "SRV");
    facts.add_text(Field::Hostname, Some(&hostname));
    facts.word(Fact::Name, instance.instance(), MDNS, 0.3, "instance");
    let Some((protocol, scheme)) = (match instance.service().unwrap_or_default().as_str() {
        "_rtsp._tcp" => Some((Protocol::Rtsp, "rtsp")),
        "_http._tcp" | "_axis-video._tcp" | "_cgi._tcp" | "_psia._tcp" => Some((Protocol::Http, "http")),
        "_https._tcp" => Some((Protocol::Https, "https")),
        _ => None,
    })
    .filter(|_| port != 0) else {
        return;
    };
    let path = message.records.iter().find_map(|r| match &r.data {
        Data::Txt(strings) if r.name.is(instance) => Strings(strings).get(&["path"]),
        _ => None,
    });
    let base = format!("{scheme}://{}:{port}/", url_host(sender));
    // A path with a password in it is neither shown nor, without it, of any use.
    let path = path.filter(|p| !p.contains("://") && text::redact_url(p) == **p);
    let url = path.as_ref().map(|p| format!("{base}{}", p.trim_start_matches('/')));
    if let (Protocol::Rtsp, Some(url)) = (protocol, &url) {
        facts.findings.push(FindingKind::StreamHint(StreamHint::new(url.clone())));
    }
    let mut service = Service::new(protocol, Transport::Tcp, port);
    service.url = Some(if protocol == Protocol::Rtsp { base } else { url.unwrap_or(base) });
    facts.findings.push(FindingKind::Announced(service));
}

/// What an instance's strings say.
fn describe(facts: &mut Facts, instance: &Name, strings: &Strings<'_>) {
    let mac = strings.get(&["macaddress", "mac", "ethaddr"]).and_then(|m| m.parse::<MacAddr>().ok());
    facts.mac(mac);
    let model = strings.get(&["model", "md"]);
    facts.word(Fact::Model, model.as_deref(), MDNS, 0.6, "TXT model");
    facts.add_text(Field::Model, model.as_deref());
    let vendor = strings.get(&["manufacturer", "vendor", "mfg"]);
    facts.word(Fact::Vendor, vendor.as_deref(), MDNS, 0.5, "TXT manufacturer");
    facts.add_text(Field::UpnpManufacturer, vendor.as_deref());
    facts.word(Fact::Serial, strings.get(&["serialnumber", "serial", "sn"]).as_deref(), MDNS, 0.6, "TXT serial");
    facts.word(Fact::Firmware, strings.get(&["firmware", "fw", "fwversion"]).as_deref(), MDNS, 0.5, "TXT firmware");
    if instance.service().as_deref() == Some("_hap._tcp") {
        // HomeKit accessory categories (HomeKit Accessory Protocol §13).
        match strings.get(&["ci"]).as_deref() {
            Some("17") => facts.kind(Kind::Camera, MDNS, 0.8, "_hap._tcp ci=17"),
            Some("18") => facts.kind(Kind::Intercom, MDNS, 0.8, "_hap._tcp ci=18"),
            Some(other) => facts.kind(Kind::Other, MDNS, 0.6, &format!("_hap._tcp ci={other}")),
            None => {}
        }
    }
}

/// The strings of a TXT record (RFC 6763 §6).
struct Strings<'a>(&'a [Vec<u8>]);

impl Strings<'_> {
    /// The value of the first of these keys that has one, cleaned.
    fn get(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| {
            self.0.iter().find_map(|string| {
                let (name, value) = std::str::from_utf8(string).ok()?.split_once('=')?;
                name.trim().eq_ignore_ascii_case(key).then(|| text::clean_some(value)).flatten()
            })
        })
    }
}

#[cfg(test)]
mod tests;
