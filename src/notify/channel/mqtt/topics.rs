//! What a broker is told of devices: topics and payloads. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::super::put;
use crate::model::memory::Uid;
use crate::model::notify::{DeviceView, Discovery, DiscoveryForm, StreamView};
use crate::text::clean;

/// What is retained at a broker: a topic and its payload, empty where nothing is to be there.
pub type Retained = (String, String);

/// The topic that tells whether camscan runs: `online` or `offline`, also by the broker where the connection breaks.
pub fn status(prefix: &str) -> String {
    format!("{prefix}/status")
}

/// The topic of a device's state.
pub fn state(prefix: &str, uid: &Uid) -> String {
    format!("{prefix}/{uid}/state")
}

/// The topic of messages about a device, or about several.
pub fn event(prefix: &str, device: Option<&str>) -> String {
    match device {
        Some(device) => format!("{prefix}/{device}/event"),
        None => format!("{prefix}/event"),
    }
}

/// The topic Home Assistant learns a device by.
pub fn config(prefix: &str, uid: &Uid) -> String {
    format!("{prefix}/device/{uid}/config")
}

/// The topic that one thing that can be read of a device is announced at by itself.
fn config_of_entity(prefix: &str, uid: &Uid, component: &Component) -> String {
    format!("{prefix}/{}/camscan_{uid}/{}/config", component.platform, component.name)
}

/// Everything that is to be retained, in the order in which it is sent: what announces devices, then that camscan is there,
/// then their states. Home Assistant would drop a state of what it does not know yet.
pub fn retained(
    prefix: &str,
    discovery: Option<&Discovery>,
    devices: &[DeviceView],
    gone: &[DeviceView],
) -> Vec<Retained> {
    let configs = discovery.into_iter().flat_map(|discovery| {
        let announced = devices.iter().flat_map(move |device| announced(prefix, discovery, device));
        announced.chain(gone.iter().flat_map(move |device| taken_back(discovery, device)))
    });
    let states = devices.iter().map(|device| (state(prefix, &device.uid), state_of(device).to_string()));
    let no_states = gone.iter().map(|device| (state(prefix, &device.uid), String::new()));
    let online = (status(prefix), "online".to_owned());
    configs.chain(std::iter::once(online)).chain(states).chain(no_states).collect()
}

/// A device's state.
fn state_of(device: &DeviceView) -> Value {
    let streams: Map<String, Value> = device
        .streams
        .iter()
        .map(|stream| {
            let fps = stream.millifps.map(|fps| f64::from(fps) / 1000.0);
            (slug(&stream.key), json!({ "name": clean(&stream.name), "working": stream.working, "fps": fps }))
        })
        .collect();
    json!({
        "name": clean(&device.name),
        "site": device.site.as_deref().map(clean),
        "ip": device.ip,
        "online": device.online,
        "last_seen": device.last_seen,
        "streams": streams,
    })
}

/// What announces a device to Home Assistant, in one form or the other.
fn announced(prefix: &str, discovery: &Discovery, device: &DeviceView) -> Vec<Retained> {
    match discovery.form {
        DiscoveryForm::Device => {
            vec![(config(&discovery.prefix, &device.uid), announcement(prefix, device).to_string())]
        }
        DiscoveryForm::Entity => {
            let there = components(device).into_iter().map(|component| {
                let topic = config_of_entity(&discovery.prefix, &device.uid, &component);
                let mut payload = component.fields;
                payload.extend(common(prefix, device));
                (topic, Value::Object(payload).to_string())
            });
            let gone = device.gone_streams.iter().flat_map(|key| of_stream(&device.uid, key, ""));
            let gone =
                gone.map(|component| (config_of_entity(&discovery.prefix, &device.uid, &component), String::new()));
            there.chain(gone).collect()
        }
    }
}

/// What takes back that a device was announced.
fn taken_back(discovery: &Discovery, device: &DeviceView) -> Vec<Retained> {
    match discovery.form {
        DiscoveryForm::Device => vec![(config(&discovery.prefix, &device.uid), String::new())],
        DiscoveryForm::Entity => {
            let gone = device.gone_streams.iter().flat_map(|key| of_stream(&device.uid, key, ""));
            let all = components(device).into_iter().chain(gone);
            all.map(|component| (config_of_entity(&discovery.prefix, &device.uid, &component), String::new())).collect()
        }
    }
}

/// What Home Assistant is told of a device and of what can be read of it
/// (<https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>).
fn announcement(prefix: &str, device: &DeviceView) -> Value {
    let components: Map<String, Value> = components(device)
        .into_iter()
        .map(|Component { name, platform, mut fields }| {
            fields.insert("p".to_owned(), platform.into());
            (name, Value::Object(fields))
        })
        .collect();
    let mut payload = common(prefix, device);
    payload.insert("cmps".to_owned(), Value::Object(components));
    Value::Object(payload)
}

/// What holds for all that can be read of a device.
fn common(prefix: &str, device: &DeviceView) -> Map<String, Value> {
    let mut about = json!({ "ids": [id_of(&device.uid)], "name": clean(&device.name) });
    let details = [("mf", &device.vendor), ("mdl", &device.model), ("sw", &device.firmware), ("sa", &device.site)];
    for (key, text) in details {
        if let Some(text) = text {
            put(&mut about, key, clean(text));
        }
    }
    // By its MAC address Home Assistant knows a device that another integration shows as well.
    if let Some(mac) = device.mac {
        put(&mut about, "cns", json!([["mac", mac.to_string()]]));
    }
    if let Some(page) = &device.page {
        put(&mut about, "cu", page.as_str());
    }
    Map::from_iter([
        ("dev".to_owned(), about),
        ("o".to_owned(), json!({ "name": "camscan", "sw": env!("CARGO_PKG_VERSION") })),
        ("state_topic".to_owned(), state(prefix, &device.uid).into()),
        ("availability".to_owned(), json!([{ "topic": status(prefix) }])),
        ("qos".to_owned(), 1.into()),
    ])
}

/// What Home Assistant knows a device by.
fn id_of(uid: &Uid) -> String {
    format!("camscan_{uid}")
}

/// One thing that can be read of a device.
struct Component {
    /// What it is called in topics.
    name: String,
    /// What it is to Home Assistant: `sensor`, `binary_sensor`.
    platform: &'static str,
    fields: Map<String, Value>,
}

impl Component {
    fn new(uid: &Uid, name: String, platform: &'static str, fields: Value) -> Component {
        let mut fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.insert("unique_id".to_owned(), format!("{}_{name}", id_of(uid)).into());
        Component { name, platform, fields }
    }
}

fn components(device: &DeviceView) -> Vec<Component> {
    let connectivity = json!({
        "name": "Connectivity",
        "device_class": "connectivity",
        "value_template": switch("value_json.online", "ON", "OFF"),
    });
    let last_seen = json!({
        "name": "Last seen",
        "device_class": "timestamp",
        "value_template": "{{ value_json.last_seen }}",
    });
    let mut components = vec![
        Component::new(&device.uid, "connectivity".to_owned(), "binary_sensor", connectivity),
        Component::new(&device.uid, "last_seen".to_owned(), "sensor", last_seen),
    ];
    for StreamView { key, name, .. } in &device.streams {
        components.extend(of_stream(&device.uid, key, name));
    }
    components
}

fn of_stream(uid: &Uid, key: &str, name: &str) -> [Component; 2] {
    let (slug, name) = (slug(key), clean(name));
    let path = format!("value_json.streams['{slug}']");
    let problem = json!({
        "name": format!("Stream {name}"),
        "device_class": "problem",
        "value_template": switch(&format!("{path}.working"), "OFF", "ON"),
    });
    let fps = json!({
        "name": format!("Stream {name} frame rate"),
        "unit_of_measurement": "fps",
        "state_class": "measurement",
        "value_template": format!("{{{{ {path}.fps }}}}"),
    });
    [
        Component::new(uid, format!("{slug}_problem"), "binary_sensor", problem),
        Component::new(uid, format!("{slug}_fps"), "sensor", fps),
    ]
}

/// A template of a value that is true, false, or not known, which `None` says.
fn switch(path: &str, on: &str, off: &str) -> String {
    format!("{{{{ None if {path} is none else ('{on}' if {path} else '{off}') }}}}")
}

/// A stream's key as a name that topics and templates take.
fn slug(key: &str) -> String {
    let digest = Sha256::digest(key);
    format!("s{}", digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// What has to be sent so that a broker that holds `held` holds `wanted`: what differs, or all of it `again`, and what is to
/// be taken back.
pub fn changes(held: &BTreeMap<String, String>, wanted: &[Retained], again: bool) -> Vec<Retained> {
    let differs = |(topic, payload): &&Retained| again || held.get(topic) != Some(payload);
    let mut changes: Vec<Retained> = wanted
        .iter()
        .filter(differs)
        .map(|(topic, payload)| (topic.clone(), without_old(held.get(topic), payload)))
        .collect();
    let is_wanted = |topic: &String| wanted.iter().any(|(of, _)| of == topic);
    let left = held.iter().filter(|(topic, payload)| !payload.is_empty() && !is_wanted(topic));
    changes.extend(left.map(|(topic, _)| (topic.clone(), String::new())));
    changes
}

/// A payload that also takes back what an older announcement held and this one does not: Home Assistant keeps a component
/// until it comes with nothing but its platform.
fn without_old(held: Option<&String>, payload: &str) -> String {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok().filter(|value| value.get("cmps").is_some());
    let (Some(old), Some(mut new)) = (held.and_then(|held| read(held)), read(payload)) else {
        return payload.to_owned();
    };
    let old = old.get("cmps").and_then(Value::as_object);
    let (Some(old), Some(components)) = (old, new.get_mut("cmps").and_then(Value::as_object_mut)) else {
        return payload.to_owned();
    };
    let mut is_changed = false;
    for (name, component) in old {
        if !components.contains_key(name) {
            components.insert(name.clone(), json!({ "p": component.get("p") }));
            is_changed = true;
        }
    }
    if is_changed { new.to_string() } else { payload.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(byte: u8, streams: &[&str]) -> DeviceView {
        let stream = |key: &&str| StreamView {
            key: (*key).to_owned(),
            name: "main{{ 7 }}".to_owned(),
            working: Some(true),
            millifps: Some(24_900),
        };
        DeviceView {
            uid: Uid::of([byte; 10]),
            name: "Dome\nNorth".to_owned(),
            site: Some("North".to_owned()),
            ip: [10, 0, 5, 21].into(),
            mac: "44:19:B6:00:00:15".parse().ok(),
            page: Some("http://10.0.5.21/".to_owned()),
            vendor: Some("Axis".to_owned()),
            model: None,
            firmware: None,
            online: Some(true),
            streams: streams.iter().map(stream).collect(),
            gone_streams: vec![],
            last_seen: Some("2026-03-01T10:00:00Z".parse().unwrap()),
        }
    }

    fn discovery(prefix: &str, form: DiscoveryForm) -> Discovery {
        Discovery { prefix: prefix.to_owned(), form }
    }

    #[test]
    fn older_versions_are_told_of_one_thing_at_a_time() {
        let old = discovery("homeassistant", DiscoveryForm::Entity);
        let one = DeviceView { gone_streams: vec!["b".to_owned()], ..view(1, &["a"]) };
        let gone = view(2, &["c"]);
        let all = retained("camscan", Some(&old), std::slice::from_ref(&one), std::slice::from_ref(&gone));
        let (id, other) = (&one.uid, &gone.uid);
        let of = |key: &str, uid: &Uid| {
            [
                format!("homeassistant/binary_sensor/camscan_{uid}/{}_problem/config", slug(key)),
                format!("homeassistant/sensor/camscan_{uid}/{}_fps/config", slug(key)),
            ]
        };
        let of_device = |uid: &Uid| {
            [
                format!("homeassistant/binary_sensor/camscan_{uid}/connectivity/config"),
                format!("homeassistant/sensor/camscan_{uid}/last_seen/config"),
            ]
        };
        let topics: Vec<&str> = all.iter().map(|(topic, _)| topic.as_str()).collect();
        let last = ["camscan/status".to_owned(), state("camscan", id), state("camscan", other)].to_vec();
        let expected = [
            of_device(id).to_vec(),
            of("a", id).to_vec(),
            of("b", id).to_vec(),
            of_device(other).to_vec(),
            of("c", other).to_vec(),
            last,
        ];
        assert_eq!(topics, expected.concat());
        let empty: Vec<usize> = (0..all.len()).filter(|&n| all[n].1.is_empty()).collect();
        assert_eq!(empty, [4, 5, 6, 7, 8, 9, 12], "of what is gone nothing is retained");
        // The same things as in the form of today, each with what holds for all.
        let today = announcement("camscan", &one);
        for (config, component) in all[..4].iter().zip(today["cmps"].as_object().unwrap().values()) {
            let config: Value = serde_json::from_str(&config.1).unwrap();
            for field in ["name", "unique_id", "value_template"] {
                assert_eq!(config[field], component[field]);
            }
            for field in ["dev", "o", "state_topic", "availability", "qos"] {
                assert_eq!(config[field], today[field]);
            }
            assert!(config.get("p").is_none() && config.get("cmps").is_none());
        }
    }

    #[test]
    fn announcements_come_first_and_states_last() {
        let (one, gone) = (view(1, &["rtsp 554 /a"]), view(2, &[]));
        let discovery = discovery("homeassistant", DiscoveryForm::Device);
        let all = retained("camscan", Some(&discovery), std::slice::from_ref(&one), std::slice::from_ref(&gone));
        let topics: Vec<&str> = all.iter().map(|(topic, _)| topic.as_str()).collect();
        let (id, gone) = (one.uid.to_string(), gone.uid);
        assert_eq!(
            topics,
            [
                format!("homeassistant/device/{id}/config"),
                format!("homeassistant/device/{gone}/config"),
                "camscan/status".to_owned(),
                format!("camscan/{id}/state"),
                format!("camscan/{gone}/state"),
            ]
        );
        assert!(all[1].1.is_empty() && all[4].1.is_empty());
        let config: Value = serde_json::from_str(&all[0].1).unwrap();
        assert_eq!(config["dev"]["name"], "Dome North");
        // By these Home Assistant knows that it is the device of another integration, and leads to it.
        assert_eq!(config["dev"]["cns"], json!([["mac", "44:19:b6:00:00:15"]]));
        assert_eq!(config["dev"]["cu"], "http://10.0.5.21/");
        assert_eq!(config["availability"][0]["topic"], "camscan/status");
        let templates: Vec<&str> =
            config["cmps"].as_object().unwrap().values().filter_map(|c| c["value_template"].as_str()).collect();
        assert!(templates.len() == 4 && templates.iter().all(|template| !template.contains('7')), "{templates:?}");
        let state: Value = serde_json::from_str(&all[3].1).unwrap();
        assert_eq!((&state["online"], &state["last_seen"]), (&json!(true), &json!("2026-03-01T10:00:00Z")));
        assert_eq!(state["streams"].as_object().unwrap().values().next().unwrap()["fps"], 24.9);
    }

    #[test]
    fn only_what_differs_is_sent_and_what_is_gone_is_taken_back() {
        let ha = discovery("ha", DiscoveryForm::Device);
        let wanted = retained("camscan", Some(&ha), &[view(1, &["a", "b"]), view(2, &[])], &[]);
        let mut held: BTreeMap<String, String> = BTreeMap::new();
        assert_eq!(changes(&held, &wanted, false), wanted);
        held.extend(wanted.clone());
        assert_eq!(changes(&held, &wanted, false), []);
        assert_eq!(changes(&held, &wanted, true), wanted);
        let less = retained("camscan", Some(&ha), &[view(1, &["a"])], &[]);
        let changes = changes(&held, &less, false);
        let topics: Vec<&str> = changes.iter().map(|(topic, _)| topic.as_str()).collect();
        let (one, two) = (Uid::of([1; 10]), Uid::of([2; 10]));
        assert_eq!(topics, [config("ha", &one), state("camscan", &one), state("camscan", &two), config("ha", &two),]);
        assert!(changes[2].1.is_empty() && changes[3].1.is_empty());
        let config: Value = serde_json::from_str(&changes[0].1).unwrap();
        let bare =
            config["cmps"].as_object().unwrap().values().filter(|component| component.as_object().unwrap().len() == 1);
        assert_eq!(bare.count(), 2, "the two components of the stream that is gone");
    }
}
