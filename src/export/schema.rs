//! The JSON Schema of the report and of other files (draft 2020-12), made from the types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::model::Report;
use crate::model::report::SCHEMA;

/// The JSON Schema that every report of this version meets.
pub fn schema() -> Value {
    let mut schema = of::<Report>(&format!("camscan report, {SCHEMA}"));
    if let Some(root) = schema.as_object_mut() {
        root.insert("$id".into(), json!(format!("urn:{}", SCHEMA.replace('/', ":"))));
    }
    if let Some(name) = schema.pointer_mut("/properties/schema").and_then(Value::as_object_mut) {
        name.insert("const".into(), json!(SCHEMA));
    }
    schema
}

/// The JSON Schema of a type, under a title.
pub fn of<T: JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), json!(title));
    }
    // "Not known" is left out, never null.
    without_null(&mut schema);
    schema
}

fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|t| t != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
                choices.retain(|choice| *choice != json!({ "type": "null" }));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    fields.shift_remove("anyOf");
                    fields.extend(only);
                }
            }
            fields.values_mut().for_each(without_null);
        }
        Value::Array(entries) => entries.iter_mut().for_each(without_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;

    fn validate(report: &Value) -> Vec<String> {
        let validator = jsonschema::draft202012::new(&schema()).unwrap();
        validator.iter_errors(report).map(|e| format!("{e} at {}", e.instance_path)).collect()
    }

    #[test]
    fn the_schema_is_one() {
        jsonschema::draft202012::meta::validate(&schema()).unwrap();
        assert_eq!(schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }

    /// The fields of "camscan/1" as readers know them: more may come, none may go, and none may become required.
    #[test]
    fn no_field_of_the_contract_is_gone() {
        let schema = schema();
        for (of, required, optional) in [
            ("", "schema scan devices warnings", ""),
            (
                "ScanInfo",
                "camscan_version started_at finished_at duration_ms status targets addresses hosts_up methods",
                "coverage",
            ),
            (
                "Device",
                "id ip addresses kind confidence discovered_by state first_seen last_seen services streams evidence errors",
                "mac hostname name vendor model firmware serial login_attempts channels shown_by reach heard_on activation \
                 network warnings uid site tags offers_digest",
            ),
            ("Channel", "number", "name address mac serial model online camera matched_by possible_camera note"),
            ("ShownBy", "recorder ip channel", ""),
            ("Coverage", "interfaces methods addresses_asked addresses_answered notes", ""),
            ("InterfaceCoverage", "name networks used", "reason"),
            ("MethodCoverage", "method outcome answered", "reason hindered"),
            ("NetworkSettings", "", "netmask gateway dhcp"),
            ("Warning", "kind message", "hint others"),
            ("Service", "protocol transport port", "url auth server title realm certificate notes answers"),
            (
                "Stream",
                "url protocol transport status sources ladder",
                "channel profile_name profile_token open video audio parameter_sets back_channel warnings snapshot error answers sdp",
            ),
            (
                "Video",
                "",
                "codec profile level width height sample_aspect_ratio fps fps_source bitrate_kbps measured_fps \
                 measured_kbps keyframe_interval_s size_source",
            ),
            ("Answer", "request status headers", ""),
            ("Header", "name", "value withheld"),
            ("Audio", "", "codec sample_rate_hz channels bitrate_kbps"),
            ("LadderStep", "step ok ms", ""),
            ("StreamError", "kind message", ""),
            ("LoginAttempts", "refused limit", "unclear"),
            ("Evidence", "fact value source weight", "detail"),
            ("StageError", "stage kind message", ""),
        ] {
            let object = if of.is_empty() { &schema } else { &schema["$defs"][of] };
            for field in required.split_whitespace().chain(optional.split_whitespace()) {
                assert!(object["properties"].get(field).is_some(), "{of}: {field} is gone");
            }
            let demanded = object["required"].as_array().cloned().unwrap_or_default();
            let mut demanded: Vec<&str> = demanded.iter().filter_map(Value::as_str).collect();
            let mut expected: Vec<&str> = required.split_whitespace().collect();
            demanded.sort_unstable();
            expected.sort_unstable();
            assert_eq!(demanded, expected, "{of}");
        }
    }

    #[test]
    fn every_report_meets_it() {
        let mut factory = sample::report_of(sample::factory_cameras());
        factory.scan.coverage = Some(sample::coverage());
        let site = sample::site();
        for report in [factory, site, sample::report(), sample::hostile_report(), sample::report_of(vec![])] {
            assert_eq!(validate(&serde_json::to_value(&report).unwrap()), [""; 0]);
        }
    }

    #[test]
    fn what_breaks_the_contract_is_refused() {
        let good = serde_json::to_value(sample::report()).unwrap();
        for (pointer, bad) in [
            ("/schema", json!("camscan/2")),
            ("/devices/0/kind", json!("toaster")),
            ("/devices/0/mac", json!("44-19-B6-00-00-01")),
            ("/devices/0/vendor", json!(null)),
            ("/devices/0/streams/0/video", json!(null)),
            ("/devices/0/streams/0/video/width", json!("1920")),
            ("/devices/0/services/0/port", json!(70000)),
            ("/scan/duration_ms", json!(-1)),
        ] {
            let mut report = good.clone();
            *report.pointer_mut(pointer).unwrap() = bad;
            assert_ne!(validate(&report), [""; 0], "{pointer}");
        }
    }

    #[test]
    fn a_value_not_known_is_left_out() {
        fn walk(path: &str, value: &Value) {
            match value {
                Value::Null => panic!("{path} is null"),
                Value::String(text) => assert!(!text.is_empty() && text != "unknown", "{path} is {text:?}"),
                Value::Object(fields) => fields.iter().for_each(|(name, v)| walk(&format!("{path}/{name}"), v)),
                Value::Array(entries) => entries.iter().enumerate().for_each(|(i, v)| walk(&format!("{path}/{i}"), v)),
                _ => {}
            }
        }
        walk("", &serde_json::to_value(sample::report()).unwrap());
        walk("", &serde_json::to_value(sample::site()).unwrap());
    }
}
