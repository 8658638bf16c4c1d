//! What live view counts, as the metrics take it.

use crate::live::choose::Mode;
use crate::live::manager::Live;
use crate::live::stream::State;
use crate::metrics::live::{LiveEngine, LiveStream, LiveView};

/// All of it at this moment.
pub fn view(live: &Live) -> LiveView {
    let mut view = LiveView::default();
    for status in live.list() {
        *view.states.entry(state(status.condition.state)).or_default() += 1;
        for viewer in &status.viewers {
            *view.viewers.entry(mode(viewer.mode)).or_default() += 1;
        }
        let source = status.source;
        if source.packets == 0 && status.viewers.is_empty() {
            continue;
        }
        let stream = LiveStream {
            packets: source.packets,
            lost: source.lost,
            reconnects: source.reconnects,
            fps: source.fps,
            bits_per_second: source.kbps * 1000.0,
            jitter_s: source.jitter_ms / 1000.0,
            last_frame_age_s: source.last_frame_age_ms.map(|ms| std::time::Duration::from_millis(ms).as_secs_f64()),
        };
        view.streams.insert(status.id, stream);
    }
    let figures = live.figures();
    view.engine = LiveEngine {
        received: figures.datagrams_in,
        sent: figures.datagrams_out,
        sends: figures.sends,
        unsent: figures.unsent,
        repeated: figures.repeated,
        unroutable: figures.unroutable,
        connected: figures.connected,
        ended: [
            ("never_connected", figures.never_connected),
            ("silent", figures.lost),
            ("encryption", figures.broken),
            ("internal_error", figures.panics),
        ]
        .into(),
        sessions: figures.viewers,
        routes: figures.routes,
        tcp_connections: figures.tcp_connections,
        segments: figures.segments,
        lag_s: f64::from(figures.lag_p99_us) / 1e6,
    };
    view
}

fn state(state: State) -> &'static str {
    match state {
        State::Idle => "idle",
        State::Connecting => "connecting",
        State::Live => "live",
        State::Away => "away",
        State::Stopped => "stopped",
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::WebRtc => "webrtc",
        Mode::Mse => "mse",
        Mode::Mjpeg => "mjpeg",
        Mode::Stills => "stills",
    }
}
