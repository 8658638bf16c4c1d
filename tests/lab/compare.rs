//! What is expected of a report against what it says.

use serde_json::Value;

/// How far a measured rate may be off on a busy machine: the share of what is expected.
const TOLERANCE: f64 = 0.2;

/// Where a value differs from what is expected, each place with both. Of an object only what is expected is looked at;
/// null expects nothing there; a list expects as many, one like each in any order; of a rate (`measured_…`) about that.
pub fn differences(expected: &Value, is: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", expected, is, &mut found);
    found
}

fn compare(at: &str, expected: &Value, is: &Value, found: &mut Vec<String>) {
    match (expected, is) {
        (Value::Object(expected), _) => {
            for (name, expected) in expected {
                compare(&format!("{at}.{name}"), expected, &is[name], found);
            }
        }
        (Value::Array(expected), Value::Array(items)) => {
            if expected.len() != items.len() {
                found.push(format!("{at}: {} expected, there are {}", expected.len(), items.len()));
            }
            for (n, expected) in expected.iter().enumerate() {
                // The one that differs least is the one that was meant.
                let of = |item: &Value| {
                    let mut found = Vec::new();
                    compare(&format!("{at}[{n}]"), expected, item, &mut found);
                    found
                };
                found.extend(items.iter().map(of).min_by_key(Vec::len).unwrap_or_default());
            }
        }
        (Value::Number(expected), Value::Number(number)) if at.contains(".measured_") => {
            let (expected, number) = (expected.as_f64().unwrap_or_default(), number.as_f64().unwrap_or_default());
            if (expected - number).abs() > expected * TOLERANCE {
                found.push(format!("{at}: about {expected} expected, is {number}"));
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        _ if expected != is => found.push(format!("{at}: {expected} expected, is {is}")),
        _ => {}
    }
}

pub fn differences_are_found_and_named() {
    let is = serde_json::json!({"a": 1, "list": [{"x": 1}, {"x": 2, "measured_fps": 24.0}], "rest": true});
    assert_eq!(
        differences(
            &serde_json::json!({"a": 1.0, "none": null, "list": [{"x": 2, "measured_fps": 25}, {"x": 1}]}),
            &is
        ),
        [""; 0]
    );
    let wrong = serde_json::json!({"a": null, "list": [{"x": 2, "measured_fps": 10.0}]});
    assert_eq!(differences(&wrong, &is).len(), 3);
}
