//! Live view: the streams that are fetched, who watches, and what sending to them takes.

use std::collections::BTreeMap;

use super::text::{Kind, Text};
use super::{MOST_DEVICES, as_f64};

/// What live view does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveView {
    /// Streams by state.
    pub states: BTreeMap<&'static str, u64>,
    /// Viewers by the way in which they are shown a stream.
    pub viewers: BTreeMap<&'static str, u64>,
    /// The streams that were fetched, by their ids.
    pub streams: BTreeMap<String, LiveStream>,
    /// What serves WebRTC.
    pub engine: LiveEngine,
}

/// What came of one stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveStream {
    /// RTP packets of the picture.
    pub packets: u64,
    /// Those that never came.
    pub lost: u64,
    /// Sessions with the camera after the first one.
    pub reconnects: u64,
    /// Frames a second.
    pub fps: f64,
    /// Bits a second.
    pub bits_per_second: f64,
    /// Jitter between arrivals, seconds.
    pub jitter_s: f64,
    /// Seconds since the last frame came.
    pub last_frame_age_s: Option<f64>,
}

/// What the engine of WebRTC has done and holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveEngine {
    /// Datagrams and packets of viewers that came.
    pub received: u64,
    /// Those that were sent.
    pub sent: u64,
    /// System calls that sent them over UDP.
    pub sends: u64,
    /// What could not be sent, and was dropped.
    pub unsent: u64,
    /// What was asked for again, and was sent twice.
    pub repeated: u64,
    /// What came for no viewer.
    pub unroutable: u64,
    /// Sessions that connected.
    pub connected: u64,
    /// Sessions that ended otherwise than by the viewer's word, by why.
    pub ended: BTreeMap<&'static str, u64>,
    /// Sessions there are.
    pub sessions: u64,
    /// Entries in the tables of addresses and names.
    pub routes: u64,
    /// Connections over TCP there are.
    pub tcp_connections: u64,
    /// Datagrams that one system call sends at most.
    pub segments: u64,
    /// Of a hundred laps of its loop, 99 begin no later than this after they are due, seconds.
    pub lag_s: f64,
}

pub(super) fn write(text: &mut Text, live: &LiveView) {
    for (name, help, label, counts) in [
        ("camscan_live_streams", "Streams of live view by state.", "state", &live.states),
        ("camscan_live_viewers", "Viewers by the way in which they are shown a stream.", "mode", &live.viewers),
    ] {
        text.family(name, Kind::Gauge, help);
        for (value, count) in counts {
            text.sample(&[(label, value)], as_f64(*count));
        }
    }
    let mut each = |name: &str, kind: Kind, help: &str, value: &dyn Fn(&LiveStream) -> Option<f64>| {
        text.family(&format!("camscan_live_stream_{name}"), kind, help);
        for (id, stream) in live.streams.iter().take(MOST_DEVICES) {
            if let Some(value) = value(stream) {
                text.sample(&[("stream", id)], value);
            }
        }
    };
    each("packets_total", Kind::Counter, "RTP packets of the picture.", &|s| Some(as_f64(s.packets)));
    each("packets_lost_total", Kind::Counter, "RTP packets that never came.", &|s| Some(as_f64(s.lost)));
    each("reconnects_total", Kind::Counter, "Sessions after the first one.", &|s| Some(as_f64(s.reconnects)));
    each("frames_per_second", Kind::Gauge, "Frames a second, over five seconds.", &|s| Some(s.fps));
    each("bytes_per_second", Kind::Gauge, "Bytes a second, over five seconds.", &|s| Some(s.bits_per_second / 8.0));
    each("bits_per_second", Kind::Gauge, "Deprecated: bytes_per_second is an eighth of it.", &|s| {
        Some(s.bits_per_second)
    });
    each("jitter_seconds", Kind::Gauge, "Jitter between arrivals.", &|s| Some(s.jitter_s));
    each("last_frame_age_seconds", Kind::Gauge, "Age of the newest frame.", &|s| s.last_frame_age_s);
    engine(text, &live.engine);
}

fn engine(text: &mut Text, engine: &LiveEngine) {
    let mut one = |name: &str, kind: Kind, help: &str, value: f64| {
        text.family(&format!("camscan_live_{name}"), kind, help);
        text.sample(&[], value);
    };
    one("datagrams_received_total", Kind::Counter, "Datagrams of viewers that came.", as_f64(engine.received));
    one("datagrams_sent_total", Kind::Counter, "Datagrams sent to viewers.", as_f64(engine.sent));
    one("datagrams_unsent_total", Kind::Counter, "Datagrams that could not be sent.", as_f64(engine.unsent));
    one(
        "datagrams_repeated_total",
        Kind::Counter,
        "Datagrams that were asked for again and sent twice.",
        as_f64(engine.repeated),
    );
    one("datagrams_unroutable_total", Kind::Counter, "Datagrams of no viewer.", as_f64(engine.unroutable));
    one("send_calls_total", Kind::Counter, "System calls that sent datagrams.", as_f64(engine.sends));
    one("sessions_connected_total", Kind::Counter, "Sessions by WebRTC that connected.", as_f64(engine.connected));
    one("sessions", Kind::Gauge, "Sessions by WebRTC, half open ones among them.", as_f64(engine.sessions));
    one("routes", Kind::Gauge, "Entries in the tables of viewers' addresses.", as_f64(engine.routes));
    one("tcp_connections", Kind::Gauge, "Viewers' connections over TCP.", as_f64(engine.tcp_connections));
    one("segments", Kind::Gauge, "Datagrams that one system call sends at most.", as_f64(engine.segments));
    one("loop_lag_seconds", Kind::Gauge, "How late 99 of 100 laps of the loop begin at most.", engine.lag_s);
    text.family(
        "camscan_live_sessions_failed_total",
        Kind::Counter,
        "Sessions by WebRTC that did not end by the viewer's word.",
    );
    for (reason, count) in &engine.ended {
        text.sample(&[("reason", reason)], as_f64(*count));
    }
}
