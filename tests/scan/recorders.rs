//! Recorders and the cameras behind their channels, found side by side.

use base64::Engine;
use camscan::history::{self, diff::Change};
use camscan::model::finding::StreamHint;
use camscan::model::{
    Credential, Finding, FindingKind, Kind, MacAddr, MatchedBy, ProbeOptions, ScanPlan, StreamStatus, Verify,
};
use camscan::testkit::net::{Asked, FakeNet};
use tokio_util::sync::CancellationToken;

use super::servers::{Camera, http, pages, rtsp, talking};
use super::{Outcome, plan, run, scan, scan_of};

const REALM: &str = "WWW-Authenticate: Basic realm=\"Embedded Net DVR\"\r\n";

/// A recorder of Hikvision with four channels, which lists the cameras at these addresses behind them.
struct Recorder {
    ip: &'static str,
    /// The login it demands for everything but its start page, as `user:password`.
    login: Option<&'static str>,
    cameras: Vec<&'static str>,
}

impl Recorder {
    fn on(self, net: &FakeNet) {
        let Recorder { ip, login, cameras } = self;
        let is_let_in = move |asked: &Asked| {
            let expected = login.map(|login| base64::engine::general_purpose::STANDARD.encode(login));
            let given = asked.header("Authorization").and_then(|a| a.strip_prefix("Basic "));
            expected.is_none_or(|expected| given == Some(&expected))
        };
        talking(net, &format!("{ip}:554"), move |asked| {
            let path = asked.target().splitn(4, '/').nth(3).unwrap_or_default();
            match asked.method() {
                "OPTIONS" => rtsp(asked, "200 OK", "Public: OPTIONS, DESCRIBE\r\n", ""),
                _ if !is_let_in(asked) => rtsp(asked, "401 Unauthorized", REALM, ""),
                "DESCRIBE" if (1..=4).any(|n| path == format!("Streaming/Channels/{n}01")) => {
                    rtsp(asked, "200 OK", "Content-Type: application/sdp\r\n", &Camera::new(ip).sdp())
                }
                _ => rtsp(asked, "404 Not Found", "", ""),
            }
        });
        let entry = |(n, at): (usize, &&str)| {
            format!(
                "<InputProxyChannel><id>{}</id><name>Camera {}</name><sourceInputPortDescriptor><ipAddress>{at}</ipAddress>\
                 <userName>admin</userName></sourceInputPortDescriptor></InputProxyChannel>",
                n + 1,
                n + 1
            )
        };
        let list: String = cameras.iter().enumerate().map(entry).collect();
        pages(net, &format!("{ip}:80"), move |asked| match asked.target() {
            "/" => http("200 OK", "Server: DNVRS-Webs\r\n", "<title>index</title>"),
            _ if !is_let_in(asked) => http("401 Unauthorized", REALM, ""),
            "/ISAPI/ContentMgmt/InputProxy/channels" => {
                http("200 OK", "", &format!("<InputProxyChannelList>{list}</InputProxyChannelList>"))
            }
            _ => http("404 Not Found", "", ""),
        });
    }
}

/// Three cameras, and a recorder of theirs whose fourth channel shows one that is not on this network.
fn site(login: Option<&'static str>) -> FakeNet {
    let net = FakeNet::subnet();
    for n in 11..14 {
        Camera::new(&format!("192.0.2.{n}")).on(&net);
    }
    let cameras = vec!["192.0.2.11", "192.0.2.12", "192.0.2.13", "192.168.254.4"];
    Recorder { ip: "192.0.2.5", login, cameras }.on(&net);
    net
}

fn plan_with(logins: &[(&str, &str)]) -> ScanPlan {
    let credentials = logins.iter().map(|(user, password)| Credential::new(*user, *password)).collect();
    let probe = ProbeOptions { credentials, max_login_failures: 2, verify: Verify::Describe, ..plan().probe };
    ScanPlan { probe, ..plan() }
}

/// The addresses of the cameras behind a recorder's channels, by number.
fn shown(outcome: &Outcome, recorder: &str) -> Vec<(u32, Option<String>)> {
    let address = |id: &str| outcome.report.devices.iter().find(|d| d.id == id).map(|d| d.ip.to_string());
    let channels = &outcome.device(recorder).channels;
    channels.iter().map(|c| (c.number, c.camera.as_deref().and_then(address))).collect()
}

fn at(number: u32, last: u8) -> (u32, Option<String>) {
    (number, Some(format!("192.0.2.{last}")))
}

#[tokio::test(start_paused = true)]
async fn with_its_login_a_recorder_names_the_cameras_of_its_channels() {
    let net = site(Some("admin:right"));
    let outcome = scan(&net, plan_with(&[("admin", "right")])).await;
    let recorder = outcome.device("192.0.2.5");
    assert_eq!(recorder.kind, Kind::Recorder);
    assert_eq!(shown(&outcome, "192.0.2.5"), [at(1, 11), at(2, 12), at(3, 13), (4, None)]);
    assert_eq!(recorder.channels[0].matched_by, Some(MatchedBy::Address));
    assert_eq!(recorder.channels[3].address, Some([192, 168, 254, 4].into()));
    assert_eq!(recorder.own_streams().map(|s| s.channel).collect::<Vec<_>>(), [Some(4)]);
    let camera = outcome.device("192.0.2.13");
    assert_eq!((camera.shown_by.len(), camera.shown_by[0].channel), (1, 3));
    assert_eq!((&camera.shown_by[0].recorder, camera.shown_by[0].ip), (&recorder.id, recorder.ip));
    let asked = net.asked_of("192.0.2.5");
    let of_web = asked.iter().filter(|a| a.of.port() == 80);
    assert!(of_web.clone().count() > 2 && of_web.into_iter().all(|a| a.method() == "GET" || !a.text.contains("ISAPI")));
}

#[tokio::test(start_paused = true)]
async fn an_open_recorder_names_them_too() {
    let outcome = scan(&site(None), plan_with(&[])).await;
    assert_eq!(shown(&outcome, "192.0.2.5"), [at(1, 11), at(2, 12), at(3, 13), (4, None)]);
}

/// What it announces of its streams holds the addresses of its cameras.
#[tokio::test(start_paused = true)]
async fn without_its_login_the_addresses_in_its_streams_tell() {
    let net = site(Some("admin:right"));
    let mut scan = scan_of(&net, plan_with(&[]), CancellationToken::new());
    for (channel, name) in [(1, "192.0.2.11"), (2, "192.0.2.12 yard"), (3, "IPC-02-00-5E-00-02-0D"), (4, "Camera 4")] {
        let url = format!("rtsp://192.0.2.5:554/Streaming/Channels/{channel}01");
        let hint = StreamHint { channel: Some(channel), profile_name: Some(name.to_owned()), ..StreamHint::new(url) };
        scan.known.push(Finding::new([192, 0, 2, 5].into(), FindingKind::StreamHint(hint)));
    }
    let outcome = run(scan).await;
    let recorder = outcome.device("192.0.2.5");
    assert!(recorder.streams.iter().all(|s| s.status == StreamStatus::AuthRequired), "{:#?}", recorder.streams);
    assert_eq!(shown(&outcome, "192.0.2.5"), [at(1, 11), at(2, 12), at(3, 13), (4, None)]);
    assert_eq!(recorder.channels[0].matched_by, Some(MatchedBy::Stream));
    assert!(!net.asked().iter().any(Asked::has_login));
}

#[tokio::test(start_paused = true)]
async fn without_its_login_a_recorder_that_tells_nothing_is_matched_with_nothing() {
    let net = site(Some("admin:right"));
    let outcome = scan(&net, plan_with(&[])).await;
    assert!(outcome.report.devices.iter().all(|d| d.shown_by.is_empty()));
    assert!(outcome.device("192.0.2.5").channels.iter().all(|c| c.camera.is_none() && c.note.is_none()));
    assert!(!net.asked().iter().any(Asked::has_login));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_login_is_refused_no_oftener_than_the_limit() {
    let net = site(Some("admin:right"));
    let outcome = scan(&net, plan_with(&[("a", "1"), ("b", "2"), ("c", "3")])).await;
    let given = net.asked_of("192.0.2.5").iter().filter(|a| a.has_login()).count();
    assert_eq!(given, 2);
    assert_eq!(outcome.device("192.0.2.5").login_attempts.map(|a| a.counted()), Some(2));
    assert!(outcome.device("192.0.2.5").channels.iter().all(|c| c.camera.is_none()));
}

#[tokio::test(start_paused = true)]
async fn two_recorders_can_show_the_same_camera() {
    let net = site(Some("admin:right"));
    Recorder { ip: "192.0.2.6", login: Some("admin:right"), cameras: vec!["192.0.2.99", "192.0.2.12"] }.on(&net);
    let outcome = scan(&net, plan_with(&[("admin", "right")])).await;
    let camera = outcome.device("192.0.2.12");
    let shown: Vec<(String, u32)> = camera.shown_by.iter().map(|s| (s.ip.to_string(), s.channel)).collect();
    assert_eq!(shown, [("192.0.2.5".to_owned(), 2), ("192.0.2.6".to_owned(), 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_recorder_at_another_address_than_last_time_shows_the_same_cameras() {
    let recorder = MacAddr([0x44, 0x19, 0xb6, 0, 0, 5]);
    let mut reports = Vec::new();
    for ip in ["192.0.2.5", "192.0.2.50"] {
        let net = FakeNet::subnet();
        for n in 11..14 {
            Camera::new(&format!("192.0.2.{n}")).on(&net);
        }
        let cameras = vec!["192.0.2.11", "192.0.2.12", "192.0.2.13"];
        Recorder { ip, login: Some("admin:right"), cameras }.on(&net);
        net.links.mac(ip, recorder);
        let outcome = scan(&net, plan_with(&[("admin", "right")])).await;
        assert_eq!(shown(&outcome, ip)[..3], [at(1, 11), at(2, 12), at(3, 13)]);
        reports.push(outcome.report);
    }
    let diff = history::compare(&reports[0], &reports[1]);
    assert_eq!((diff.added.len(), diff.gone.len(), diff.changed.len()), (0, 0, 1), "{diff:#?}");
    assert!(matches!(diff.changed[0].changes[..], [Change::Field { .. }]), "{:#?}", diff.changed[0]);
}
