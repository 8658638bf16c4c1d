//! What a broker is told of devices: topics and payloads. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::super::put;
use crate::model::memory::Uid;
use crate::model::notify::{DeviceView, StreamView};
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
pub fn config(discovery: &str, uid: &Uid) -> String {
    format!("{discovery}/device/{uid}/config")
}

/// Everything that is to be retained, in the order in which it is sent: what announces devices, then that camscan is there,
/// then their states. Home Assistant would drop a state of what it does not know yet.
pub fn retained(prefix: &str, discovery: Option<&str>, devices: &[DeviceView], gone: &[Uid]) -> Vec<Retained> {
    let configs = discovery.into_iter().flat_map(|discovery| {
        let announced = devices.iter().map(move |d| (config(discovery, &d.uid), announcement(prefix, d).to_string()));
        announced.chain(gone.iter().map(move |uid| (config(discovery, uid), String::new())))
    });
    let states = devices.iter().map(|device| (state(prefix, &device.uid), state_of(device).to_string()));
    let no_states = gone.iter().map(|uid| (state(prefix, uid), String::new()));
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

/// What Home Assistant is told of a device and of what can be read of it
/// (<https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>).
fn announcement(prefix: &str, device: &DeviceView) -> Value {
    let id = format!("camscan_{}", device.uid);
    let mut components = Map::new();
    // `None` is how a template says that a value is not known.
    let switch = |path: &str, on: &str, off: &str| {
        format!("{{{{ None if {path} is none else ('{on}' if {path} else '{off}') }}}}")
    };
    components.insert(
        "connectivity".to_owned(),
        json!({
            "p": "binary_sensor",
            "name": "Connectivity",
            "device_class": "connectivity",
            "unique_id": format!("{id}_connectivity"),
            "value_template": switch("value_json.online", "ON", "OFF"),
        }),
    );
    components.insert(
        "last_seen".to_owned(),
        json!({
            "p": "sensor",
            "name": "Last seen",
            "device_class": "timestamp",
            "unique_id": format!("{id}_last_seen"),
            "value_template": "{{ value_json.last_seen }}",
        }),
    );
    for stream in &device.streams {
        components.extend(of_stream(&id, stream, switch));
    }
    let mut about = json!({ "ids": [id], "name": clean(&device.name) });
    let details = [("mf", &device.vendor), ("mdl", &device.model), ("sw", &device.firmware), ("sa", &device.site)];
    for (key, text) in details {
        if let Some(text) = text {
            put(&mut about, key, clean(text));
        }
    }
    json!({
        "dev": about,
        "o": { "name": "camscan", "sw": env!("CARGO_PKG_VERSION") },
        "cmps": components,
        "state_topic": state(prefix, &device.uid),
        "availability": [{ "topic": status(prefix) }],
        "qos": 1,
    })
}

fn of_stream(id: &str, stream: &StreamView, switch: impl Fn(&str, &str, &str) -> String) -> [(String, Value); 2] {
    let (slug, name) = (slug(&stream.key), clean(&stream.name));
    let path = format!("value_json.streams['{slug}']");
    let problem = json!({
        "p": "binary_sensor",
        "name": format!("Stream {name}"),
        "device_class": "problem",
        "unique_id": format!("{id}_{slug}_problem"),
        "value_template": switch(&format!("{path}.working"), "OFF", "ON"),
    });
    let fps = json!({
        "p": "sensor",
        "name": format!("Stream {name} frame rate"),
        "unit_of_measurement": "fps",
        "state_class": "measurement",
        "unique_id": format!("{id}_{slug}_fps"),
        "value_template": format!("{{{{ {path}.fps }}}}"),
    });
    [(format!("{slug}_problem"), problem), (format!("{slug}_fps"), fps)]
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
            vendor: Some("Axis".to_owned()),
            model: None,
            firmware: None,
            online: Some(true),
            streams: streams.iter().map(stream).collect(),
            last_seen: Some("2026-03-01T10:00:00Z".parse().unwrap()),
        }
    }

    #[test]
    fn announcements_come_first_and_states_last() {
        let (one, gone) = (view(1, &["rtsp 554 /a"]), Uid::of([2; 10]));
        let all = retained("camscan", Some("homeassistant"), std::slice::from_ref(&one), std::slice::from_ref(&gone));
        let topics: Vec<&str> = all.iter().map(|(topic, _)| topic.as_str()).collect();
        let id = one.uid.to_string();
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
        let wanted = retained("camscan", Some("ha"), &[view(1, &["a", "b"]), view(2, &[])], &[]);
        let mut held: BTreeMap<String, String> = BTreeMap::new();
        assert_eq!(changes(&held, &wanted, false), wanted);
        held.extend(wanted.clone());
        assert_eq!(changes(&held, &wanted, false), []);
        assert_eq!(changes(&held, &wanted, true), wanted);
        let less = retained("camscan", Some("ha"), &[view(1, &["a"])], &[]);
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
