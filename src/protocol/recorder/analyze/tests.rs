use super::*;
use crate::model::{Credential, Evidence, EvidenceSource, Fact, Kind, ProbeOptions, Protocol, Transport};
use crate::testkit::net::{Asked, FakeNet, Log, Reply};

fn reply(status: &str, headers: &str, body: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Reply::Last([head.as_bytes(), body].concat())
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/recorder/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn hikvision(asked: &Asked) -> Reply {
    match asked.target() {
        "/ISAPI/ContentMgmt/InputProxy/channels" => reply("200 OK", "", &data("hikvision_input_proxy_channels.xml")),
        "/ISAPI/ContentMgmt/InputProxy/channels/status" => {
            reply("200 OK", "", &data("hikvision_input_proxy_status.xml"))
        }
        _ => reply("404 Not Found", "", b""),
    }
}

fn dahua(asked: &Asked) -> Reply {
    let target = asked.target();
    let list = [
        ("name=RemoteDevice", "dahua_remote_device.txt"),
        ("name=ChannelTitle", "dahua_channel_title.txt"),
        ("action=getCameraState", "dahua_camera_state.txt"),
    ];
    match list.iter().find(|(what, _)| target.starts_with("/cgi-bin/") && target.contains(what)) {
        Some((_, file)) => reply("200 OK", "", &data(file)),
        None => reply("400 Bad Request", "", b"Error\r\nBad Request!\r\n"),
    }
}

struct Found {
    channels: Vec<Channel>,
    errors: Vec<String>,
    log: Log,
    host: Inspection,
    said: String,
}

/// Asks a host of that maker and kind, whose web server answers so, with this password.
async fn ask(
    vendor: &str,
    kind: Kind,
    password: Option<&str>,
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> Found {
    let net = FakeNet::new();
    let log = net.answer("192.0.2.10:80", answer);
    let credentials = password.map(|password| Credential::new("admin", password)).into_iter().collect();
    let options = ProbeOptions { credentials, in_depth: true, max_login_failures: 2, ..ProbeOptions::default() };
    let (host, mut found) = Inspection::for_test(net, "192.0.2.10", options);
    host.record.learn(&FindingKind::Service(Service::new(Protocol::Http, Transport::Tcp, 80)));
    for (fact, value) in [(Fact::Vendor, vendor), (Fact::Kind, kind.as_str())] {
        host.record.learn(&FindingKind::Evidence(Evidence::new(fact, value, EvidenceSource::Beacon, 0.9)));
    }
    for probe in PROBES {
        (probe.run)(&host).await;
    }
    let (mut channels, mut errors, mut said) = (Vec::new(), Vec::new(), String::new());
    while let Ok(finding) = found.try_recv() {
        said += &format!("{finding:?}");
        match finding.kind {
            FindingKind::Channel(channel) => channels.push(*channel),
            FindingKind::Error(error) => errors.push(error.message),
            _ => {}
        }
    }
    Found { channels, errors, log, host, said }
}

/// Answers only those who bring a login, whose password is `right`.
fn locked(asked: &Asked, answer: fn(&Asked) -> Reply) -> Reply {
    // admin:right
    match asked.header("Authorization") {
        Some("Basic YWRtaW46cmlnaHQ=") => answer(asked),
        _ => reply("401 Unauthorized", "WWW-Authenticate: Basic realm=\"DVR\"\r\n", b""),
    }
}

#[tokio::test(start_paused = true)]
async fn hikvision_is_asked_by_isapi() {
    let found = ask("Hikvision or OEM", Kind::Recorder, Some("right"), |asked| locked(asked, hikvision)).await;
    let listed: Vec<(u32, Option<&str>, Option<bool>)> =
        found.channels.iter().map(|c| (c.number, c.name.as_deref(), c.online)).collect();
    assert_eq!(listed[..2], [(1, Some("Gate"), None), (2, Some("Yard"), None)]);
    assert_eq!(listed[4], (1, None, Some(true)), "the state is learnt beside it");
    assert!(found.log.all().iter().all(|asked| asked.method() == "GET"));
}

#[tokio::test(start_paused = true)]
async fn dahua_and_who_sells_its_recorders_are_asked_by_cgi() {
    for vendor in ["Dahua", "Amcrest", "Lorex"] {
        let found = ask(vendor, Kind::Recorder, Some("right"), |asked| locked(asked, dahua)).await;
        let listed: Vec<(u32, Option<&str>, Option<bool>)> =
            found.channels.iter().map(|c| (c.number, c.name.as_deref(), c.online)).collect();
        assert_eq!(
            listed,
            [(1, Some("Gate"), Some(true)), (2, Some("Yard"), Some(true)), (3, Some("Stairs"), Some(false))]
        );
        assert!(!found.said.contains("secret"), "the recorder's password for its camera");
    }
}

#[tokio::test(start_paused = true)]
async fn only_recorders_of_these_makers_are_asked() {
    for (vendor, kind) in [("Hikvision", Kind::Camera), ("Axis", Kind::Recorder), ("Dahua", Kind::Intercom)] {
        let found = ask(vendor, kind, Some("right"), hikvision).await;
        assert_eq!(found.log.all().len(), 0, "{vendor} {kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_recorder_lists_its_cameras_without_a_login() {
    let found = ask("Hikvision", Kind::Recorder, None, hikvision).await;
    assert_eq!(found.channels.len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_demands_a_login_lists_nothing_without_one() {
    let found = ask("Hikvision", Kind::Recorder, None, |asked| locked(asked, hikvision)).await;
    assert_eq!((found.channels.len(), found.errors.len()), (0, 0));
    assert_eq!(found.log.all().len(), 1, "it is not asked again");
    assert!(found.log.all().iter().all(|asked| asked.header("Authorization").is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_login_is_given_no_oftener_than_the_limit() {
    let found = ask("Dahua", Kind::Recorder, Some("wrong"), |asked| locked(asked, dahua)).await;
    let given = found.log.all().iter().filter(|asked| asked.header("Authorization").is_some()).count();
    assert!((1..=2).contains(&given), "{given}");
    assert_eq!(found.host.peer.logins.attempts().unwrap().counted() as usize, given);
    assert_eq!(found.channels, []);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_may_not_read_the_list_is_an_error_with_a_reason() {
    let found = ask("Hikvision", Kind::Recorder, Some("right"), |asked| match asked.header("Authorization") {
        Some(_) => reply("403 Forbidden", "", b"<ResponseStatus/>"),
        None => reply("401 Unauthorized", "WWW-Authenticate: Basic realm=\"DVR\"\r\n", b""),
    })
    .await;
    assert!(found.errors.iter().any(|error| error.contains("may not read the list of cameras")), "{:?}", found.errors);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_answers_everything_lists_nothing() {
    let found = ask("Dahua", Kind::Recorder, None, |_| reply("200 OK", "", b"<html>WEB SERVICE</html>")).await;
    assert_eq!(found.channels, []);
}
