//! What a password does to the report: nothing, where no device sends it back.

use camscan::model::{Credential, Device, Kind, ProbeOptions, ScanPlan, StreamStatus, VideoCodec};
use camscan::testkit::net::FakeNet;

use super::servers::{Camera, http, pages, rtsp, talking};
use super::{look_at, plan, scan};

/// A camera whose texts are full of words that people choose for passwords.
async fn seen_with(password: &str) -> Device {
    let net = FakeNet::subnet();
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

/// A recorder that wants the login in the address, in clear or as its maker's digest, and names the address in its errors.
#[tokio::test(start_paused = true)]
async fn an_address_with_a_login_in_it_is_hidden_when_the_device_repeats_it() {
    const PASSWORD: &str = "tiefer-brunnen-7";
    let value = |url: &str| {
        let value = url.split("password=").nth(1)?;
        Some(value.split(['&', '_']).next()?.to_owned())
    };
    for in_clear in [true, false] {
        let net = FakeNet::subnet();
        let server = "Server: H264DVR 1.0\r\n";
        let sdp = Camera::new("192.0.2.10").sdp();
        talking(&net, "192.0.2.10:554", move |asked| {
            let given = value(asked.target());
            let is_right = given.is_some_and(|given| (given == PASSWORD) == in_clear);
            let bad = format!("454 bad {} user: {}", asked.target(), asked.target().replace('&', "%26"));
            match asked.method() {
                "OPTIONS" => rtsp(asked, "200 OK", &format!("{server}Public: DESCRIBE, SETUP, PLAY\r\n"), ""),
                "DESCRIBE" if is_right => {
                    rtsp(asked, "200 OK", &format!("{server}Content-Type: application/sdp\r\n"), &sdp)
                }
                "DESCRIBE" if value(asked.target()).is_some() => rtsp(asked, &bad, server, ""),
                "DESCRIBE" => {
                    let challenge = "WWW-Authenticate: Unknown realm=\"x\"\r\n";
                    rtsp(asked, "401 Unauthorized", &format!("{server}{challenge}"), "")
                }
                _ => rtsp(asked, &bad, server, ""),
            }
        });
        let credentials = vec![Credential::new("admin", PASSWORD)];
        let probe = ProbeOptions { credentials, max_login_failures: 9, ..plan().probe };
        let outcome = look_at(&net, ScanPlan { probe, ..plan() }, &["192.0.2.10".to_owned()]).await;
        let report = serde_json::to_string_pretty(&outcome.report).unwrap();
        let given: Vec<String> = net.asked().iter().filter_map(|asked| value(asked.target())).collect();
        assert!(given.iter().any(|given| (given == PASSWORD) == in_clear), "{given:?} {report}");
        for secret in given {
            assert!(!report.contains(&secret), "{secret} in {report}");
        }
        assert!(report.contains("454") && report.contains("***"), "{report}");
    }
}
