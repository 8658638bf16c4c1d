//! What two scans of the same device never agree about: for all tests that compare a replay with what it is of.

use camscan::history::stable::is_measured;
use serde_json::{Map, Value};

/// What is measured, or is a time, or decided by chance.
const MEASURED: [&str; 12] = [
    "measured_fps",
    "measured_kbps",
    "measured_packets",
    "bitrate_kbps",
    "keyframe_interval_s",
    "ms",
    "first_seen",
    "last_seen",
    "analysed_at",
    "clock_ahead_s",
    "certificate_ends",
    "uid",
];

/// Lines of a description that hold for one WebRTC session alone: its certificate, its addresses, and what its offer called
/// the media.
const OF_ONE_SESSION: [&str; 5] = ["a=fingerprint:", "a=candidate:", "a=end-of-candidates", "a=mid:", "a=group:BUNDLE"];

/// Takes away what no two scans agree about, and the fields that are named besides.
pub fn strip(value: &mut Value, besides: &[&str]) {
    match value {
        Value::Object(entries) => {
            entries.retain(|name, _| !MEASURED.contains(&name.as_str()) && !besides.contains(&name.as_str()));
            strip_measured_warnings(entries);
            entries.values_mut().for_each(|value| strip(value, besides));
            // The time of day and the ports of a session are others, and an address may be longer.
            let named = entries.get("name").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
            if ["date", "content-length", "transport"].contains(&named.as_str()) {
                entries.remove("value");
            }
            if entries.get("protocol").and_then(Value::as_str) == Some("webrtc")
                && let Some(Value::String(sdp)) = entries.get_mut("sdp")
            {
                let is_kept = |line: &&str| !OF_ONE_SESSION.iter().any(|own| line.starts_with(own));
                *sdp = sdp.lines().filter(is_kept).collect::<Vec<_>>().join("\n");
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| strip(value, besides)),
        _ => {}
    }
}

/// A busy machine sends or reads fewer frames than were declared, in one of two scans.
fn strip_measured_warnings(entries: &mut Map<String, Value>) {
    let Some(Value::Array(warnings)) = entries.get_mut("warnings") else { return };
    warnings.retain(|warning| !warning.as_str().is_some_and(is_measured));
    if warnings.is_empty() {
        entries.remove("warnings");
    }
}
