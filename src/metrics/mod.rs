//! What is known, as metrics: the text format of Prometheus (text/plain; version 0.0.4), which node_exporter's textfile
//! collector reads too. Pure: the state goes in, text comes out.
//!
//! Identity and state are apart: what changes (address, firmware) stands in the labels of `…_info` alone, so that a device
//! that moves keeps its series.

pub mod live;
mod text;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::history::memory::{DeviceState, Known, KnownStream, Memory, StreamState, first_frame_ms};
use text::{Kind, Text};

/// Devices with series of their own; beyond that many there are counts alone.
const MOST_DEVICES: usize = 1000;

/// What is counted and measured beside the devices themselves.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// When the last complete scan ended, and how long it took in seconds.
    pub last_scan: Option<(Timestamp, f64)>,
    /// Scans by how they ended: `complete`, `interrupted`, `failed`.
    pub scans: BTreeMap<String, u64>,
    /// Checks of streams by what became of them: `working`, `broken`, `busy`, `locked`.
    pub checks: BTreeMap<String, u64>,
    /// Logins that were refused.
    pub logins_refused: u64,
    /// Events by type.
    pub events: BTreeMap<String, u64>,
    /// Messages by channel and result.
    pub notifications: BTreeMap<(String, String), u64>,
    /// The messages that wait; none where they cannot be read.
    pub outbox: Option<Outbox>,
    /// Bytes of the store's files, by `main` and `wal`.
    pub store_bytes: BTreeMap<String, u64>,
    /// Whether the store could be written when it was last tried.
    pub store_works: bool,
    /// How long writing to the store took.
    pub store_writes: Option<Histogram>,
    /// What the process itself takes; none where the system does not tell.
    pub process: Option<Process>,
    /// Whether the configuration was valid when it was last read again, and when it last was.
    pub reload: Option<(bool, Timestamp)>,
    /// What was asked of this process; none where it does not serve.
    pub http: Option<Http>,
    /// What live view does; none where there is none.
    pub live: Option<live::LiveView>,
}

/// What was asked of a process that serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// Requests by route, method and status.
    pub requests: BTreeMap<(String, String, u16), u64>,
    /// How long their answers took, seconds.
    pub times: Histogram,
    /// Those who follow events, by kind.
    pub event_clients: BTreeMap<String, u64>,
    /// Wrong passwords.
    pub login_failures: u64,
}

/// Messages that wait.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbox {
    /// How many, by channel.
    pub waiting: BTreeMap<String, u64>,
    /// When the oldest of them was made.
    pub oldest: Option<Timestamp>,
}

/// How many things were how large.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Bounds, ascending.
    pub bounds: Vec<f64>,
    /// How many were at most as large as each bound and larger than the one before; last, larger than all.
    pub counts: Vec<u64>,
    /// All together.
    pub sum: f64,
}

/// What a process takes of its machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    /// Memory that is resident, bytes.
    pub resident_bytes: u64,
    /// Open files and sockets.
    pub open_files: u64,
    /// How many it may open.
    pub most_files: Option<u64>,
    /// Time on processors, seconds.
    pub cpu_seconds: f64,
    /// When it began, seconds since 1970.
    pub began: f64,
}

/// The metrics at a time.
pub fn render(memory: &Memory, figures: &Figures, now: Timestamp, version: &str) -> String {
    let mut text = Text::default();
    let listed: Vec<&Known> =
        memory.devices.values().filter(|known| known.archived_at.is_none() && known.merged_into.is_none()).collect();
    totals(&mut text, &listed);
    if listed.len() <= MOST_DEVICES {
        devices(&mut text, &listed, now);
        streams(&mut text, &listed);
    } else {
        text.comment(&format!("more than {MOST_DEVICES} devices: no series of single devices and streams"));
    }
    activity(&mut text, figures, now);
    own(&mut text, figures);
    if let Some(asked) = &figures.http {
        http(&mut text, asked);
    }
    if let Some(view) = &figures.live {
        live::write(&mut text, view);
    }
    text.family("camscan_build_info", Kind::Gauge, "The version of camscan.");
    text.sample(&[("version", version)], 1.0);
    text.finish()
}

fn totals(text: &mut Text, listed: &[&Known]) {
    text.family("camscan_devices", Kind::Gauge, "Devices by state.");
    for state in DeviceState::ALL {
        // One that was replaced is offline for good.
        let is_so = |known: &&&Known| known.health.state == state && known.replaced_by.is_none();
        let count = listed.iter().filter(is_so).count();
        text.sample(&[("state", state.as_str())], as_f64(u64::try_from(count).unwrap_or(u64::MAX)));
    }
    text.family("camscan_streams", Kind::Gauge, "Streams by state.");
    for state in StreamState::ALL {
        let count = listed.iter().flat_map(|known| present(known)).filter(|(_, s)| s.health.state == state).count();
        text.sample(&[("state", state.as_str())], as_f64(u64::try_from(count).unwrap_or(u64::MAX)));
    }
}

/// The streams a device has now.
fn present(known: &Known) -> impl Iterator<Item = (&str, &KnownStream)> {
    known.streams.iter().filter(|(_, stream)| stream.gone_at.is_none()).map(|(key, stream)| (key.as_str(), stream))
}

fn name(known: &Known) -> &str {
    known.note.name.as_deref().or(known.device.name.as_deref()).unwrap_or_default()
}

fn devices(text: &mut Text, listed: &[&Known], now: Timestamp) {
    let mut each = |name: &str, help: &str, value: &dyn Fn(&Known) -> Option<f64>| {
        text.family(name, Kind::Gauge, help);
        for known in listed {
            if let Some(value) = value(known) {
                text.sample(&[("device", known.uid.as_str()), ("name", self::name(known))], value);
            }
        }
    };
    each(
        "camscan_device_up",
        "1 while the device answers; no series while nobody can tell, or another one stands in its place.",
        &|known| match known.health.state {
            DeviceState::Online => Some(1.0),
            DeviceState::Offline if known.replaced_by.is_some() => None,
            DeviceState::Offline => Some(0.0),
            DeviceState::Unknown => None,
        },
    );
    each("camscan_device_last_seen_timestamp_seconds", "When the device last answered.", &|known| {
        Some(seconds(known.seen.last))
    });
    each("camscan_device_flapping", "1 while the device comes and goes.", &|known| {
        Some(f64::from(u8::from(known.health.flaps.since.is_some())))
    });
    each("camscan_device_muted", "1 while a user wants no messages about the device.", &|known| {
        Some(f64::from(u8::from(known.note.muted_until.is_some_and(|until| until > now))))
    });
    each("camscan_certificate_expiry_timestamp_seconds", "When the device's TLS certificate ends.", &|known| {
        known.device.certificate_ends.map(seconds)
    });
    text.family("camscan_device_info", Kind::Gauge, "What the device is; always 1.");
    for known in listed {
        let device = &known.device;
        let (ip, mac) = (device.ip.to_string(), device.mac.map(|mac| mac.to_string()).unwrap_or_default());
        let labels = [
            ("device", known.uid.as_str()),
            ("name", name(known)),
            ("site", known.note.site.as_deref().unwrap_or_default()),
            ("ip", &ip),
            ("mac", &mac),
            ("kind", device.kind.as_str()),
            ("vendor", device.vendor.as_deref().unwrap_or_default()),
            ("model", device.model.as_deref().unwrap_or_default()),
            ("firmware", device.firmware.as_deref().unwrap_or_default()),
        ];
        text.sample(&labels, 1.0);
    }
}

fn streams(text: &mut Text, listed: &[&Known]) {
    let mut each = |name: &str, help: &str, value: &dyn Fn(&KnownStream) -> Option<f64>| {
        text.family(name, Kind::Gauge, help);
        for known in listed {
            for (key, stream) in present(known) {
                if let Some(value) = value(stream) {
                    text.sample(&[("device", known.uid.as_str()), ("stream", key)], value);
                }
            }
        }
    };
    each("camscan_stream_up", "1 while frames arrive; no series while nobody can tell.", &|stream| match stream
        .health
        .state
    {
        StreamState::Working | StreamState::Degraded => Some(1.0),
        StreamState::Broken => Some(0.0),
        StreamState::Described | StreamState::Busy | StreamState::Locked | StreamState::Unknown => None,
    });
    let video = |stream: &KnownStream| stream.stream.video.clone().unwrap_or_default();
    each("camscan_stream_frames_per_second", "Frames a second when the stream was last played.", &|stream| {
        video(stream).measured_fps
    });
    let bits = |stream: &KnownStream| video(stream).measured_kbps.map(|kbps| f64::from(kbps) * 1000.0);
    each("camscan_stream_bytes_per_second", "Bytes a second when the stream was last played.", &|stream| {
        bits(stream).map(|bits| bits / 8.0)
    });
    each("camscan_stream_bits_per_second", "Deprecated: camscan_stream_bytes_per_second is an eighth of it.", &bits);
    each(
        "camscan_stream_first_frame_seconds",
        "How long the first frame took when the stream was last played.",
        &|s| first_frame_ms(&s.stream).map(|ms| ms / 1000.0),
    );
    each("camscan_stream_open", "1 where no login is needed, 0 where one is.", &|stream| {
        stream.stream.open.map(|open| f64::from(u8::from(open)))
    });
    each("camscan_stream_last_frames_timestamp_seconds", "When frames of the stream last arrived.", &|stream| {
        stream.last_ok.map(seconds)
    });
    text.family("camscan_stream_info", Kind::Gauge, "What the stream is; always 1.");
    for known in listed {
        for (key, stream) in present(known) {
            let video = video(stream);
            let size = match (video.width, video.height) {
                (Some(width), Some(height)) => format!("{width}x{height}"),
                _ => String::new(),
            };
            let codec = video.codec.map(crate::model::VideoCodec::as_str).unwrap_or_default();
            let labels = [
                ("device", known.uid.as_str()),
                ("stream", key),
                ("protocol", stream.stream.protocol.as_str()),
                ("codec", codec),
                ("size", &size),
            ];
            text.sample(&labels, 1.0);
        }
    }
}

fn activity(text: &mut Text, figures: &Figures, now: Timestamp) {
    if let Some((at, took)) = figures.last_scan {
        text.family("camscan_scan_last_success_timestamp_seconds", Kind::Gauge, "When the last complete scan ended.");
        text.sample(&[], seconds(at));
        text.family("camscan_scan_last_duration_seconds", Kind::Gauge, "How long the last complete scan took.");
        text.sample(&[], took);
    }
    let mut counts = |name: &str, help: &str, label: &str, counts: &BTreeMap<String, u64>, kind: Kind| {
        text.family(name, kind, help);
        for (value, count) in counts {
            text.sample(&[(label, value)], as_f64(*count));
        }
    };
    counts("camscan_scans_total", "Scans by how they ended.", "status", &figures.scans, Kind::Counter);
    counts("camscan_checks_total", "Checks of streams by result.", "result", &figures.checks, Kind::Counter);
    counts("camscan_events_total", "Events by type.", "type", &figures.events, Kind::Counter);
    if let Some(outbox) = &figures.outbox {
        counts("camscan_outbox_waiting", "Messages that wait.", "channel", &outbox.waiting, Kind::Gauge);
    }
    counts("camscan_store_bytes", "Bytes of the store's files.", "file", &figures.store_bytes, Kind::Gauge);
    text.family("camscan_logins_refused_total", Kind::Counter, "Logins that devices refused.");
    text.sample(&[], as_f64(figures.logins_refused));
    text.family("camscan_notifications_total", Kind::Counter, "Messages by channel and result.");
    for ((channel, result), count) in &figures.notifications {
        text.sample(&[("channel", channel), ("result", result)], as_f64(*count));
    }
    if let Some(outbox) = &figures.outbox {
        text.family("camscan_outbox_oldest_seconds", Kind::Gauge, "Age of the oldest message that waits.");
        text.sample(&[], outbox.oldest.map_or(0.0, |oldest| (seconds(now) - seconds(oldest)).max(0.0)));
    }
    if let Some((is_valid, at)) = figures.reload {
        text.family(
            "camscan_config_last_reload_successful",
            Kind::Gauge,
            "1 if the configuration was valid when it was last read.",
        );
        text.sample(&[], f64::from(u8::from(is_valid)));
        text.family(
            "camscan_config_last_reload_success_timestamp_seconds",
            Kind::Gauge,
            "When a valid configuration was last read.",
        );
        text.sample(&[], seconds(at));
    }
}

fn http(text: &mut Text, http: &Http) {
    text.family("camscan_http_requests_total", Kind::Counter, "Requests by route, method and status.");
    for ((route, method, code), count) in &http.requests {
        text.sample(&[("route", route), ("method", method), ("code", &code.to_string())], as_f64(*count));
    }
    text.family("camscan_http_request_seconds", Kind::Histogram, "How long answers took to begin.");
    text.histogram(&http.times.bounds, &http.times.counts, http.times.sum);
    text.family("camscan_event_clients", Kind::Gauge, "Clients that follow events.");
    for (kind, count) in &http.event_clients {
        text.sample(&[("kind", kind)], as_f64(*count));
    }
    text.family("camscan_login_failures_total", Kind::Counter, "Logins to camscan with a wrong name or password.");
    text.sample(&[], as_f64(http.login_failures));
}

/// What camscan itself takes. The names that Prometheus' libraries use (`process_…`) are those of whoever serves the metrics:
/// node_exporter refuses a file that has them.
fn own(text: &mut Text, figures: &Figures) {
    if let Some(writes) = &figures.store_writes {
        text.family("camscan_store_write_seconds", Kind::Histogram, "How long writing to the store took.");
        text.histogram(&writes.bounds, &writes.counts, writes.sum);
    }
    text.family("camscan_store_writable", Kind::Gauge, "1 if the store could be written when it was last tried.");
    text.sample(&[], f64::from(u8::from(figures.store_works)));
    let Some(process) = &figures.process else { return };
    let mut one = |name: &str, kind: Kind, help: &str, value: f64| {
        text.family(&format!("camscan_process_{name}"), kind, help);
        text.sample(&[], value);
    };
    one("resident_memory_bytes", Kind::Gauge, "Memory of camscan that is resident.", as_f64(process.resident_bytes));
    one("open_fds", Kind::Gauge, "Open files and sockets.", as_f64(process.open_files));
    if let Some(most) = process.most_files {
        one("max_fds", Kind::Gauge, "Files and sockets that may be open.", as_f64(most));
    }
    one("cpu_seconds_total", Kind::Counter, "Time on processors.", process.cpu_seconds);
    one("start_time_seconds", Kind::Gauge, "When the process began.", process.began);
}

/// Seconds since 1970, to the millisecond.
fn seconds(at: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds stay exact below 2^53")]
    let milliseconds = at.as_millisecond() as f64;
    milliseconds / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts stay exact below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
