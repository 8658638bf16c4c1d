//! A target list for Prometheus (`file_sd_configs`), one entry for each port of a camera, to be asked by the blackbox exporter;
//! label names as in Prometheus' data model, values as they are.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::camera::{Camera, Cameras, LeftOut};
use super::go2rtc::{left_out, unusable};
use super::parts::Parts;
use crate::export::Logins;
use crate::export::configuration::login::Variables;
use crate::export::configuration::text::{header, line, text_of};
use crate::export::configuration::{Configuration, Configure};
use crate::export::format::{Spec, Writer};
use crate::model::stream::url_host;
use crate::model::{Protocol, Report, Stream};

/// The module for the blackbox exporter and the scrape configuration that go with the list.
const BLACKBOX: &str = include_str!("blackbox.yml");

/// Its row in the table of formats.
pub static FORMAT: Spec = Spec {
    name: "prometheus",
    extensions: &[],
    help: "targets for Prometheus and a module for its blackbox exporter",
    is_binary: false,
    writer: Writer::Configuration(Configure { file: "cameras.json", write, extend: None }),
};

/// Writes `cameras.json` and, as a second file, `blackbox.yml`.
fn write(report: &Report, _: &Logins<'_>) -> Configuration {
    let cameras = Cameras::of(report, &|_, stream| {
        (!matches!(stream.protocol, Protocol::Rtsp)).then(|| "the module asks RTSP alone".to_owned())
    });
    let targets: Vec<Value> = cameras.usable.iter().flat_map(of_camera).collect();
    let mut json = serde_json::to_string_pretty(&targets).unwrap_or_default();
    json.push('\n');
    let mut module = not_asked(&cameras);
    module.splice(..0, header("#", report, "Blackbox exporter 0.23 module and Prometheus scrape configuration"));
    module.push(BLACKBOX.trim_end().to_owned());
    Configuration {
        files: vec![("cameras.json".to_owned(), json), ("blackbox.yml".to_owned(), text_of(&module))],
        is_split: false,
        variables: Variables::default(),
    }
}

/// A target for each port: what is asked is the port, whatever streams it serves.
fn of_camera(camera: &Camera<'_>) -> Vec<Value> {
    let mut asked = BTreeSet::new();
    let streams = camera.streams().into_iter().zip(["main", "sub"]);
    let each = streams.filter(|((_, stream), _)| asked.insert(Parts::of(&stream.url).port));
    each.map(|((_, stream), role)| target(camera, stream, role)).collect()
}

/// A comment for each stream at a port that is not asked, and for each device without one. A list in JSON has no room for it.
fn not_asked(cameras: &Cameras<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for camera in &cameras.usable {
        let asked: BTreeSet<u16> = camera.streams().iter().map(|(_, stream)| Parts::of(&stream.url).port).collect();
        let others: Vec<LeftOut<'_>> =
            camera.left_out.iter().filter(|left| !asked.contains(&Parts::of(&left.stream.url).port)).cloned().collect();
        lines.extend(left_out(&others));
    }
    lines.extend(unusable(cameras));
    lines
}

fn target(camera: &Camera<'_>, stream: &Stream, role: &str) -> Value {
    let device = camera.device;
    let mut labels = Map::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            labels.insert(name.to_owned(), Value::from(line(&value)));
        }
    };
    add("name", Some(camera.name.clone()));
    add("vendor", device.vendor.clone());
    add("model", device.model.clone());
    add("mac", device.mac.map(|m| m.to_string()));
    add("stream", Some(role.to_owned()));
    json!({"targets": [format!("{}:{}", url_host(device.ip), Parts::of(&stream.url).port)], "labels": labels})
}
