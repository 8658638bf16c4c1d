use std::time::Duration;

use super::*;
use crate::history::memory::tests::{Site, camera};
use crate::model::memory::{Note, Uid};
use crate::model::{Device, LadderStep, Step, Stream, Video, VideoCodec};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A camera with two streams, the second of which is gone.
fn known(n: u8, state: DeviceState) -> Known {
    let video = Video {
        codec: Some(VideoCodec::H264),
        width: Some(1920),
        height: Some(1080),
        measured_fps: Some(24.9),
        measured_kbps: Some(4096),
        ..Video::default()
    };
    let camera = camera(1, 1);
    let a = Stream { video: Some(video), ..camera.streams[0].clone() };
    let b = Stream { url: a.url.replace("554/1", "554/2"), ..a.clone() };
    let mut site = Site::default();
    site.scan(0, vec![Device { model: Some("P32\"45".into()), streams: vec![a, b], ..camera }]);
    let mut known = site.memory.devices.into_values().next().unwrap();
    known.uid = Uid::of([n; 10]);
    known.seen.last = at("2026-03-02T00:00:00.5Z");
    known.health.state = state;
    known.note = Note { name: Some("Gate".into()), ..Note::default() };
    known.device.certificate_ends = Some(at("2026-04-02T00:00:00Z"));
    let step = |step, ms| LadderStep::new(step, true, Duration::from_millis(ms));
    known.streams.get_mut("rtsp:554/1").unwrap().stream.ladder = vec![step(Step::Tcp, 100), step(Step::Frame, 250)];
    known.streams.get_mut("rtsp:554/2").unwrap().gone_at = Some(at("2026-03-02T00:00:00Z"));
    known
}

fn memory(devices: impl IntoIterator<Item = Known>) -> Memory {
    let devices = devices.into_iter().map(|known| (known.uid.clone(), known)).collect();
    Memory { devices, ..Memory::default() }
}

#[test]
fn state_and_identity_are_apart() {
    let camera = known(1, DeviceState::Online);
    let figures = Figures {
        last_scan: Some((at("2026-03-02T00:00:00Z"), 12.5)),
        scans: [("complete".to_owned(), 3)].into(),
        notifications: [(("mail".to_owned(), "done".to_owned()), 2)].into(),
        outbox: Some(Outbox { oldest: Some(at("2026-03-02T00:00:00Z")), ..Outbox::default() }),
        store_writes: Some(Histogram { bounds: vec![0.01, 1.0], counts: vec![3, 0, 2], sum: 7.5 }),
        process: Some(Process {
            resident_bytes: 33_554_432,
            open_files: 17,
            most_files: None,
            cpu_seconds: 1.25,
            began: 1_772_409_000.5,
        }),
        reload: Some((true, at("2026-03-01T00:00:00Z"))),
        ..Figures::default()
    };
    let text = render(&memory([camera]), &figures, at("2026-03-02T00:01:00Z"), "1.2.3");
    let uid = Uid::of([1; 10]);
    let expected = [
        "camscan_devices{state=\"online\"} 1".to_owned(),
        "camscan_streams{state=\"working\"} 1".to_owned(),
        "camscan_streams{state=\"broken\"} 0".to_owned(),
        format!("camscan_device_up{{device=\"{uid}\",name=\"Gate\"}} 1"),
        format!("camscan_device_last_seen_timestamp_seconds{{device=\"{uid}\",name=\"Gate\"}} 1772409600.5"),
        format!("camscan_stream_up{{device=\"{uid}\",stream=\"rtsp:554/1\"}} 1"),
        format!("camscan_stream_bits_per_second{{device=\"{uid}\",stream=\"rtsp:554/1\"}} 4096000"),
        format!("camscan_stream_bytes_per_second{{device=\"{uid}\",stream=\"rtsp:554/1\"}} 512000"),
        "camscan_scan_last_duration_seconds 12.5".to_owned(),
        "camscan_scans_total{status=\"complete\"} 3".to_owned(),
        "camscan_notifications_total{channel=\"mail\",result=\"done\"} 2".to_owned(),
        "camscan_outbox_oldest_seconds 60".to_owned(),
        format!("camscan_certificate_expiry_timestamp_seconds{{device=\"{uid}\",name=\"Gate\"}} 1775088000"),
        format!("camscan_stream_first_frame_seconds{{device=\"{uid}\",stream=\"rtsp:554/1\"}} 0.35"),
        "# TYPE camscan_store_write_seconds histogram".to_owned(),
        "camscan_store_write_seconds_bucket{le=\"0.01\"} 3".to_owned(),
        "camscan_store_write_seconds_bucket{le=\"1\"} 3".to_owned(),
        "camscan_store_write_seconds_bucket{le=\"+Inf\"} 5".to_owned(),
        "camscan_store_write_seconds_sum 7.5".to_owned(),
        "camscan_store_write_seconds_count 5".to_owned(),
        "camscan_process_resident_memory_bytes 33554432".to_owned(),
        "camscan_process_open_fds 17".to_owned(),
        "camscan_process_cpu_seconds_total 1.25".to_owned(),
        "camscan_process_start_time_seconds 1772409000.5".to_owned(),
        "camscan_config_last_reload_successful 1".to_owned(),
        "camscan_build_info{version=\"1.2.3\"} 1".to_owned(),
    ];
    for line in expected {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("model=\"P32\\\"45\"") && !text.contains("554/2"), "{text}");
    // An address is in the labels of what never changes its value, and nowhere else.
    assert!(text.lines().filter(|l| l.contains("192.0.2.1")).all(|l| l.starts_with("camscan_device_info")), "{text}");
}

#[test]
fn live_view_tells_of_streams_viewers_and_its_engine() {
    let stream =
        live::LiveStream { packets: 70_000, lost: 3, fps: 24.9, jitter_s: 0.002, ..live::LiveStream::default() };
    let engine = live::LiveEngine {
        sent: 12,
        repeated: 5,
        ended: [("silent", 2)].into(),
        lag_s: 0.0015,
        ..live::LiveEngine::default()
    };
    let view = live::LiveView {
        states: [("live", 1), ("idle", 4)].into(),
        viewers: [("webrtc", 2)].into(),
        streams: [("s_1".to_owned(), stream)].into(),
        engine,
    };
    let figures = Figures { live: Some(view), ..Figures::default() };
    let text = render(&Memory::default(), &figures, at("2026-03-02T00:01:00Z"), "1");
    for line in [
        "camscan_live_streams{state=\"idle\"} 4",
        "camscan_live_viewers{mode=\"webrtc\"} 2",
        "camscan_live_stream_packets_total{stream=\"s_1\"} 70000",
        "camscan_live_stream_packets_lost_total{stream=\"s_1\"} 3",
        "camscan_live_stream_frames_per_second{stream=\"s_1\"} 24.9",
        "camscan_live_datagrams_sent_total 12",
        "camscan_live_datagrams_repeated_total 5",
        "camscan_live_sessions_failed_total{reason=\"silent\"} 2",
        "camscan_live_loop_lag_seconds 0.0015",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("last_frame_age"), "{text}");
}

#[test]
fn messages_that_cannot_be_read_are_not_none() {
    let text = render(&Memory::default(), &Figures::default(), at("2026-03-02T00:01:00Z"), "1");
    assert!(!text.contains("camscan_outbox"), "{text}");
}

#[test]
fn what_nobody_can_tell_has_no_series() {
    let mut camera = known(1, DeviceState::Unknown);
    camera.streams.values_mut().for_each(|stream| stream.health.state = StreamState::Unknown);
    let text = render(&memory([camera]), &Figures::default(), at("2026-03-02T00:01:00Z"), "1");
    assert!(!text.contains("camscan_device_up") && !text.contains("camscan_stream_up"), "{text}");
    assert!(text.contains("camscan_devices{state=\"unknown\"} 1"), "{text}");
}

#[test]
fn of_very_many_devices_there_are_counts_alone() {
    let many = (0..=1000u16).map(|n| {
        let [high, low] = n.to_be_bytes();
        Known { uid: Uid::of([high, low, 0, 0, 0, 0, 0, 0, 0, 1]), ..known(1, DeviceState::Online) }
    });
    let gone = Known {
        uid: Uid::of([9; 10]),
        archived_at: Some(at("2026-03-02T00:00:00Z")),
        ..known(9, DeviceState::Offline)
    };
    let text = render(&memory(many.chain([gone])), &Figures::default(), at("2026-03-02T00:01:00Z"), "1");
    assert!(text.contains("camscan_devices{state=\"online\"} 1001\n"), "{text}");
    assert!(text.contains("camscan_devices{state=\"offline\"} 0\n") && !text.contains("camscan_device_up"), "{text}");
}
