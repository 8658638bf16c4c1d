//! One thing that happens, as it is sent: made once for all clients.

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::history::memory::StreamId;
use crate::model::memory::Uid;
use crate::serve::view::event::EventView;
use crate::serve::view::scan::ScanView;
use crate::watch::News;

/// What is told as it happens, and not kept.
pub const LIVE: [&str; 6] = ["scan.progress", "host.up", "device.found", "device.asked", "check.done", "picture.new"];

/// One thing that happens.
#[derive(Debug)]
pub struct Message {
    /// Its number, where it is stored.
    pub id: Option<i64>,
    /// What it is: an event's type, or one of [`LIVE`].
    pub kind: String,
    /// As JSON, for a WebSocket.
    pub json: Utf8Bytes,
    /// As a server-sent event (HTML, "Server-sent events", 9.2.6).
    pub sse: Bytes,
}

impl Message {
    fn new(id: Option<i64>, kind: &str, value: &Value) -> Message {
        let json = value.to_string();
        let number = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        // JSON has no line breaks in it.
        let sse = format!("{number}event: {kind}\ndata: {json}\n\n").into();
        Message { id, kind: kind.to_owned(), json: json.into(), sse }
    }

    /// A stored event.
    pub(super) fn event(event: &EventView) -> Message {
        Message::new(Some(event.id), event.event.kind.as_str(), &json!(event))
    }

    /// Something is missing from here on: what is shown is to be read anew.
    pub(super) fn resync(start: Option<i64>) -> Message {
        // With a number, a browser that comes back begins there, and does not ask for what is gone again.
        Message::new(start, "resync", &json!({"type": "resync"}))
    }

    /// How a scan stands.
    pub(super) fn scan(view: &ScanView, now: Timestamp) -> Message {
        Message::live("scan.progress", now, json!(view))
    }

    /// Something is under way. Scans are told by [`Message::scan`].
    pub(super) fn news(news: &News<'_>, now: Timestamp) -> Message {
        match news {
            News::HostUp(scan, ip, method) => {
                Message::live("host.up", now, json!({"scan": format!("j_{scan}"), "ip": ip, "method": method}))
            }
            News::DeviceFound(scan, device) => {
                let found = json!({
                    "scan": format!("j_{scan}"), "ip": device.ip, "kind": device.kind, "vendor": device.vendor,
                    "model": device.model, "name": device.name, "streams": device.streams.len(),
                });
                Message::live("device.found", now, found)
            }
            News::Asked(uid, answered) => {
                Message::live("device.asked", now, json!({"device": uid, "answered": answered}))
            }
            News::Checked(uid, key) => Message::of_stream("check.done", now, uid.as_str(), key, &stream_id(uid, key)),
            News::Picture(uid, key) => Message::of_stream("picture.new", now, uid.as_str(), key, &stream_id(uid, key)),
            News::ScanBegun(order) => Message::live("scan.progress", now, json!({"id": format!("j_{}", order.id)})),
            News::ScanProgress(id, _) | News::ScanEnded(id, _) => {
                Message::live("scan.progress", now, json!({"id": format!("j_{id}")}))
            }
        }
    }

    fn of_stream(kind: &str, now: Timestamp, device: &str, key: &str, id: &str) -> Message {
        Message::live(kind, now, json!({"device": device, "stream": key, "stream_id": id}))
    }

    fn live(kind: &str, now: Timestamp, mut value: Value) -> Message {
        if let Some(fields) = value.as_object_mut() {
            fields.insert("type".to_owned(), kind.into());
            fields.insert("timestamp".to_owned(), now.to_string().into());
        }
        Message::new(None, kind, &value)
    }
}

/// The id of a stream, as messages have it.
fn stream_id(uid: &Uid, key: &str) -> String {
    StreamId::of(uid, key).to_string()
}
