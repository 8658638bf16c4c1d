//! What a password does to the report: nothing, where no device sends it back.

use camscan::model::{Credential, Device, Kind, ProbeOptions, ScanPlan, StreamStatus, VideoCodec};

use super::net::FakeNet;
use super::servers::{Camera, http, pages};
use super::{plan, scan};

/// A camera whose texts are full of words that people choose for passwords.
async fn seen_with(password: &str) -> Device {
    let net = FakeNet::new();
    let camera = Camera {
        login: Some(format!("admin:{password}")),
        server: "Hikvision-Webs 1.0 live".to_owned(),
        session_name: "admin camera 1 main".to_owned(),
        ..Camera::new("192.0.2.10")
    };
    camera.on(&net);
    pages(&net, "192.0.2.10:80", |_| {
        let page = "<html><title>Hikvision IP Camera 1 - main video of admin</title><img src=\"/img/logo.png\"></html>";
        http("200 OK", "Server: App-webs/\r\nContent-Type: text/html\r\n", page)
    });
    let credentials = vec![Credential::new("admin", password)];
    let probe = ProbeOptions { credentials, ..plan().probe };
    fastrand::seed(1);
    scan(&net, ScanPlan { probe, ..plan() }).await.device("192.0.2.10").clone()
}

#[tokio::test(start_paused = true)]
async fn a_common_word_for_a_password_leaves_the_report_as_it_is() {
    let expected = seen_with("tiefer-Brunnen-77").await;
    assert_eq!((expected.kind, expected.vendor.as_deref()), (Kind::Camera, Some("Hikvision or OEM")), "{expected:#?}");
    assert_eq!(expected.streams[0].status, StreamStatus::Streaming, "{expected:#?}");
    assert_eq!(expected.streams[0].video.as_ref().unwrap().codec, Some(VideoCodec::H264));
    assert!(serde_json::to_string(&expected).unwrap().contains("admin"));
    for password in ["admin", "1", "Hikvision", "camera", "live", "main", "h264", "rtsp", "video", "554", "1280"] {
        assert_eq!(seen_with(password).await, expected, "{password}");
    }
}

/// One that stands in what the device says, as a word of no table of ours.
#[tokio::test(start_paused = true)]
async fn a_telling_word_is_hidden_wherever_the_device_says_it() {
    let seen = seen_with("webs").await;
    assert_eq!(seen.services.iter().find_map(|s| s.server.as_deref()), Some("App-***/"), "{seen:#?}");
    assert!(!serde_json::to_string(&seen).unwrap().to_lowercase().contains("webs"), "{seen:#?}");
    assert_eq!((seen.kind, seen.vendor.as_deref()), (Kind::Camera, Some("Hikvision or OEM")));
}
