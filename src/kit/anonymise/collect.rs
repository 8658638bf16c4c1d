//! What has to go, from the places where answers state it.

use std::net::IpAddr;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

use super::given::is_distinct;
use super::{Anonymiser, Known, PASSWORD, USER, forms, words};
use crate::identify::signature::{Field, Signatures};
use crate::kit::conversation::rtmp;
use crate::kit::format::{Answer, Kit, Private};
use crate::model::Fact;
use crate::protocol::rtmp::amf::Value as AmfValue;
use crate::text::steps;
use crate::wire::{auth, head, xml};

/// What elements, attributes and keys are called that hold such a value; in lower case.
const SERIAL: &[&str] = &[
    "serialnumber",
    "serialno",
    "serial",
    "sn",
    "deviceserial",
    "deviceserialno",
    "subserialnumber",
    "deviceid",
    "devid",
    "deviceserialnumber",
    "serial_number",
    "uid",
    "device_id",
];
const NAME: &[&str] = &[
    "friendlyname",
    "devicename",
    "hostname",
    "name",
    "location",
    "contact",
    "username",
    "device_name",
    "syslocation",
    "syscontact",
    "title",
    "camname",
    "channelname",
    "owner",
    "city",
    "street",
];
const POSITION: &[&str] = &["latitude", "longitude", "lat", "lon", "lng", "elevation", "altitude"];
const SECRET: &[&str] = &["password", "passwd", "pwd", "secret", "psk", "privatekey", "passphrase", "apikey"];
const VERSION: &[&str] = &["version", "firmware", "build", "software"];
/// Attributes of a description that hold keys and passwords (RFC 4567, RFC 4568, RFC 8839).
const SDP_SECRET: [&str; 4] = ["a=crypto:", "a=key-mgmt:", "a=ice-pwd:", "a=ice-ufrag:"];

/// Words of at most so many characters are left to their own place.
const SHORTEST: usize = 3;
/// From a longer name signatures read nothing.
const LONGEST_NAME: usize = 512;
/// The most elements or keys looked at in one body.
const MOST: usize = 20_000;

/// What the scan found out, and its logins.
pub(super) fn known(anonymiser: &mut Anonymiser, known: &Known) {
    for (user, password) in &known.logins {
        if is_distinct(password) {
            anonymiser.add_as(Private::Token, password, PASSWORD);
            anonymiser.add_forms(Private::Token, password, PASSWORD);
            forms::digested(password).iter().for_each(|digest| anonymiser.add(Private::Token, digest));
        }
        // As in `Authorization: Basic`, wherever else that stands.
        let both = |user: &str, password: &str| format!("{user}:{password}");
        anonymiser.add_forms(Private::Token, &both(user, password), &both(USER, PASSWORD));
        add_name(anonymiser, Private::Name, user, &[]);
    }
    let address = anonymiser.address_of(known.device);
    if !anonymiser.keeps(Private::Address) {
        let device = known.device.to_canonical();
        anonymiser.add_forms(Private::Address, &device.to_string(), &address.to_string());
        let octets = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => crate::text::hex(&ip.octets()),
            IpAddr::V6(ip) => crate::text::hex(&ip.octets()),
        };
        anonymiser.add_as(Private::Address, &octets(device), &octets(address));
        anonymiser.add_as(Private::Address, &octets(device).to_uppercase(), &octets(address).to_uppercase());
    }
    known.serials.iter().for_each(|serial| add_serial(anonymiser, serial, known));
    known.names.iter().for_each(|name| add_name(anonymiser, Private::Name, name, &[Field::Hostname]));
    for mac in &known.macs {
        if !anonymiser.keeps(Private::Mac) {
            let substitute = anonymiser.substitutes.mac(mac.0);
            let written = |mac: [u8; 6]| {
                let bytes = mac.map(|b| format!("{b:02x}"));
                let pairs = bytes.chunks(2).map(<[String]>::concat).collect::<Vec<_>>().join(".");
                [bytes.concat(), pairs, bytes.join(":"), bytes.join("-")]
            };
            for (from, to) in written(mac.0).into_iter().zip(written(substitute)) {
                for (from, to) in [(from.to_uppercase(), to.to_uppercase()), (from, to)] {
                    // Between colons and dashes it is found by its shape, and told from a longer run.
                    if !from.contains([':', '-']) {
                        anonymiser.add_as(Private::Mac, &from, &to);
                    }
                    anonymiser.add_forms(Private::Mac, &from, &to);
                }
            }
        }
    }
}

/// What the answers state.
pub(super) fn kit(anonymiser: &mut Anonymiser, kit: &Kit, known: &Known) {
    for port in &kit.tcp {
        if let Some(tls) = &port.tls {
            std::iter::once(&tls.subject).chain(&tls.names).for_each(|n| {
                add_name(anonymiser, Private::Name, n, &[Field::Certificate]);
            });
        }
        port.exchanges.iter().filter_map(|e| e.answer.as_ref()).for_each(|a| answer(anonymiser, a, known));
        for message in port.exchanges.iter().flat_map(|e| &e.messages) {
            rtmp::values(message).iter().for_each(|value| fields(anonymiser, value, known));
        }
    }
    let of_tcp = kit.tcp.iter().flat_map(|port| &port.questions);
    let questions = of_tcp.chain(kit.udp.iter().flat_map(|port| &port.questions));
    for answer in questions.flat_map(|question| &question.answers) {
        text(anonymiser, &String::from_utf8_lossy(&answer.bytes.0), known);
    }
}

fn answer(anonymiser: &mut Anonymiser, answer: &Answer, known: &Known) {
    let (_, headers) = head::read(&answer.head.0);
    let lines: Vec<&[u8]> = headers.all("WWW-Authenticate").chain(headers.all("Proxy-Authenticate")).collect();
    for realm in auth::challenges(lines).iter().filter_map(auth::Challenge::realm) {
        add_name(anonymiser, Private::Realm, &realm, &[Field::Realm]);
    }
    let body: Vec<u8> = answer.body.iter().flat_map(|piece| piece.bytes.0.iter().copied()).collect();
    if !body.contains(&0) {
        text(anonymiser, &String::from_utf8_lossy(&body), known);
    }
}

fn text(anonymiser: &mut Anonymiser, body: &str, known: &Known) {
    for scope in found(body, scope()) {
        let decoded = percent_encoding::percent_decode_str(scope).decode_utf8_lossy();
        add_name(anonymiser, Private::Name, &decoded, &[Field::Model]);
    }
    if body.trim_start().starts_with('<') {
        for title in found(body, title()) {
            add_name(anonymiser, Private::Name, title.trim(), &[Field::HttpTitle]);
        }
        let document = xml::read(body.as_bytes());
        for element in document.roots.iter().flat_map(xml::Element::walk).take(MOST) {
            let attributes = element.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let own = element.text().map(|text| (element.name.as_str(), text));
            // Only their positions are read from attributes: a name is an identifier there.
            attributes
                .filter(|(name, _)| is_of(POSITION, name))
                .chain(own)
                .for_each(|(n, v)| add(anonymiser, n, v, known));
        }
    } else if body.trim_start().starts_with(['{', '[']) {
        if let Ok(value) = serde_json::from_str::<Value>(body) {
            keys(anonymiser, &value, known);
        }
    } else if body.starts_with("v=0") {
        body.lines().for_each(|line| description(anonymiser, line.trim()));
    } else {
        for line in body.lines().take(MOST) {
            // `key=value`, as the programs of many makers answer.
            if let Some((name, value)) = line.split_once(['=', ':']) {
                let name = name.trim().rsplit('.').next().unwrap_or_default();
                let is_plain = !name.contains(' ') && !value.trim().starts_with("//");
                if is_plain && !is_of(&["name", "location", "title"], name) {
                    add(anonymiser, name, value.trim().trim_matches(['"', '\'', ';']), known);
                }
            }
        }
    }
}

fn keys(anonymiser: &mut Anonymiser, value: &Value, known: &Known) {
    // serde_json bounds the depth of what it reads.
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                match value {
                    Value::String(text) => add(anonymiser, name, text, known),
                    Value::Number(number) => add(anonymiser, name, &number.to_string(), known),
                    _ => keys(anonymiser, value, known),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(anonymiser, value, known)),
        _ => {}
    }
}

/// What a message of RTMP names; its depth is bounded by whoever read it.
fn fields(anonymiser: &mut Anonymiser, value: &AmfValue, known: &Known) {
    match value {
        AmfValue::Object(fields_of) => {
            for (name, value) in fields_of {
                match value.as_text() {
                    Some(text) => add(anonymiser, name, text, known),
                    None => fields(anonymiser, value, known),
                }
            }
        }
        AmfValue::Array(values) => values.iter().for_each(|value| fields(anonymiser, value, known)),
        AmfValue::Text(_) | AmfValue::Number(_) | AmfValue::Boolean(_) | AmfValue::Null => {}
    }
}

/// A line of a description (RFC 8866 §5).
fn description(anonymiser: &mut Anonymiser, line: &str) {
    match line.split_once('=') {
        Some(("s" | "i" | "e" | "p" | "u", text)) => add_name(anonymiser, Private::Name, text, &[Field::SdpSession]),
        Some(("o", text)) => {
            add_name(anonymiser, Private::Name, text.split(' ').next().unwrap_or_default(), &[]);
        }
        Some(("k", text)) if text.len() > SHORTEST => anonymiser.add(Private::Token, text),
        _ => {}
    }
    if let Some(secret) = SDP_SECRET.iter().find_map(|name| line.strip_prefix(name)).filter(|s| s.len() > SHORTEST) {
        let key = secret.rsplit([' ', ':']).next().unwrap_or(secret);
        anonymiser.add(Private::Token, key);
    }
    if let Some(value) = line.strip_prefix("a=fingerprint:") {
        anonymiser.add_hex(value.rsplit(' ').next().unwrap_or_default());
    }
    // Streams are called by the program, its user and its host, as `user7@garden`.
    let of_source = line.strip_prefix("a=ssrc:").and_then(|rest| Some(rest.split_once(' ')?.1));
    let of_source = of_source.and_then(|rest| rest.strip_prefix("cname:").or(rest.strip_prefix("msid:")));
    if let Some(name) = of_source.or(line.strip_prefix("a=msid:")) {
        add_name(anonymiser, Private::Name, name, &[]);
    }
}

fn is_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted))
}

/// A value by the name of what holds it.
fn add(anonymiser: &mut Anonymiser, name: &str, value: &str, known: &Known) {
    let lower = name.to_ascii_lowercase();
    if value.is_empty() || value.len() > 256 {
        return;
    }
    if VERSION.iter().any(|word| lower.contains(word)) {
        let numbers = value.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|n| n.matches('.').count() == 3);
        anonymiser.versions.extend(numbers.map(str::to_owned));
    } else if is_of(SERIAL, name) {
        add_serial(anonymiser, value, known);
    } else if is_of(NAME, name) {
        add_name(anonymiser, Private::Name, value, &[Field::Model, Field::Hostname, Field::MediaServer]);
    } else if is_of(POSITION, name) {
        let is_place = value.parse::<f64>().is_ok_and(|number| number != 0.0) && value.len() > SHORTEST;
        if is_place && !anonymiser.keeps(Private::Position) {
            let zeros: String = value.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            anonymiser.add_as(Private::Position, value, &zeros);
        }
    } else if SECRET.iter().any(|word| lower.contains(word)) && value.len() > SHORTEST && !value.contains("://") {
        anonymiser.add(Private::Token, value);
    }
}

/// A serial number; the model that many begin with stays.
fn add_serial(anonymiser: &mut Anonymiser, serial: &str, known: &Known) {
    let serial = serial.trim();
    let model = known
        .facts
        .iter()
        .filter(|fact| fact.len() > SHORTEST && serial.starts_with(fact.as_str()))
        .max_by_key(|fact| fact.len());
    let own = model.map_or(serial, |model| serial.get(model.len()..).unwrap_or(serial));
    let own = own.trim_matches(|c: char| !c.is_alphanumeric());
    let is_mac =
        own.parse::<crate::model::MacAddr>().is_ok_and(|mac| crate::identify::oui::organisation(mac).is_some());
    if own.len() > SHORTEST && own.bytes().any(|b| b != b'0') && !is_mac {
        anonymiser.add(Private::Serial, own);
        if !anonymiser.keeps(Private::Serial) {
            let substitute = anonymiser.substitutes.text(Private::Serial, own);
            anonymiser.add_forms(Private::Serial, own, &substitute);
        }
    }
}

/// The words of a name that are somebody's own. What a signature of these fields reads a maker from stays, unless it looks
/// like a number of one device.
fn add_name(anonymiser: &mut Anonymiser, kind: Private, name: &str, fields: &[Field]) {
    let signatures = Signatures::builtin();
    let evidence = |text: &str| -> Vec<_> {
        steps::look_at(text.len());
        let fields = fields.iter().filter(|_| text.len() <= LONGEST_NAME);
        let all = fields.flat_map(|field| signatures.evidence(*field, text));
        all.filter(|e| matches!(e.fact, Fact::Vendor | Fact::Kind)).map(|e| (e.fact, e.value)).collect()
    };
    let before = evidence(name);
    for word in words::private(name, &anonymiser.facts) {
        let is_number = word.bytes().filter(u8::is_ascii_digit).count() >= 4;
        let is_needless = || before.is_empty() || evidence(&name.replace(word, &"x".repeat(word.len()))) == before;
        if is_number || !anonymiser.programs.are_read_by(word) && is_needless() {
            add_word(anonymiser, kind, word);
        }
    }
}

fn add_word(anonymiser: &mut Anonymiser, kind: Private, word: &str) {
    let is_mac = |mac: crate::model::MacAddr| crate::identify::oui::organisation(mac).is_some();
    let is_shaped = word.len() == 12 && word.parse().is_ok_and(is_mac);
    let is_number = word.bytes().all(|b| b.is_ascii_digit()) && word.len() < 4;
    if word.chars().count() < SHORTEST || is_shaped || is_number {
        return;
    }
    anonymiser.add(kind, word);
    if !word.is_ascii() && !anonymiser.keeps(kind) {
        let substitute = anonymiser.substitutes.text(kind, word);
        for (form, of_substitute) in forms::escaped(word, &substitute) {
            anonymiser.add_as(kind, &form, &of_substitute);
        }
    }
}

fn found<'t>(text: &'t str, expression: Option<&Regex>) -> Vec<&'t str> {
    let all = expression.into_iter().flat_map(|e| e.captures_iter(text).take(256));
    all.filter_map(|found| Some(found.get(1)?.as_str())).collect()
}

fn scope() -> Option<&'static Regex> {
    static EXPRESSION: OnceLock<Option<Regex>> = OnceLock::new();
    EXPRESSION.get_or_init(|| Regex::new(r#"(?i)onvif://www\.onvif\.org/(?:name|location)/([^\s<"']+)"#).ok()).as_ref()
}

fn title() -> Option<&'static Regex> {
    static EXPRESSION: OnceLock<Option<Regex>> = OnceLock::new();
    EXPRESSION.get_or_init(|| Regex::new(r"(?is)<title[^>]*>([^<]{1,200})<").ok()).as_ref()
}
